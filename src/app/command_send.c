/* `rehascope send`: DICOM files to an archive, or a question whether it is there. */
#include "app/commands.h"
#include "app/terminal.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "dicom/network.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_S = 10, ANSWER_S = 60, FILES_MAX = 200000 };

typedef struct send_arguments {
    const char *to;
    const char *from;
    bool echo;
    bool json;
    int timeout_s;
    reha_tls_files tls;
} send_arguments;

static const app_option send_options[] = {
    {"to", APP_TEXT, "AE@HOST:PORT", "who shall have them (needed)", offsetof(send_arguments, to), 0, 0},
    {"from", APP_TEXT, "TITLE", "our AE title, as it is known there (default REHASCOPE)",
     offsetof(send_arguments, from), 0, 0},
    {"echo", APP_FLAG, NULL, "send nothing: ask whether the other side is there and takes calls from us",
     offsetof(send_arguments, echo), 0, 0},
    {"timeout", APP_INTEGER, "S", "wait at most this long for an answer (default 60)",
     offsetof(send_arguments, timeout_s), 1, 3600},
    {"tls-cert", APP_TEXT, "F.pem", "over TLS: our certificate ...",
     offsetof(send_arguments, tls.certificate), 0, 0},
    {"tls-key", APP_TEXT, "F.pem", "... its key ...", offsetof(send_arguments, tls.key), 0, 0},
    {"tls-ca", APP_TEXT, "F.pem", "... and the authority that signed the other side's",
     offsetof(send_arguments, tls.authority), 0, 0},
    {"json", APP_FLAG, NULL, "the results as JSON on standard output", offsetof(send_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

typedef struct sending {
    const reha_paths *files;
    json_t *items; /* NULL: lines instead */
    size_t sent;
} sending;

static void show_file(void *context, size_t file_idx, reha_status status, const char *text)
{
    sending *all = context;
    const char *path = all->files->items[file_idx];
    all->sent += status == REHA_OK ? 1 : 0;
    if (all->items != NULL) {
        json_t *error = status == REHA_OK ? json_null()
                                          : json_pack("{s:s, s:o}", "code", reha_status_name(status), "text",
                                                      reha_json_text(text));
        (void)json_array_append_new(all->items,
                                    json_pack("{s:o, s:s, s:o}", "path", reha_json_text(path), "outcome",
                                              status == REHA_OK ? "sent" : "failed", "error", error));
    } else if (status == REHA_OK) {
        (void)printf("%s: sent\n", path);
    } else {
        (void)printf("%s: failed: %s\n", path, text);
    }
}

static reha_status add_path(reha_paths *files, const char *path, reha_error *err)
{
    char **items = reha_realloc(files->items, (files->count + 1) * sizeof *items);
    if (items != NULL) {
        files->items = items;
        items[files->count] = reha_strdup(path);
    }
    if (items == NULL || items[files->count] == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a list of files");
    }
    files->count++;
    return REHA_OK;
}

/* Folders stand for the files in them. */
static reha_status gather(const char *const *words, int word_count, reha_paths *files, reha_error *err)
{
    for (int i = 0; i < word_count; i++) {
        reha_paths inside = {0};
        if (!reha_path_is_folder(words[i])) {
            REHA_TRY(add_path(files, words[i], err));
            continue;
        }
        reha_status status = reha_folder_list(words[i], FILES_MAX, &inside, err);
        for (size_t k = 0; status == REHA_OK && k < inside.count; k++) {
            status = add_path(files, inside.items[k], err);
        }
        reha_paths_clear(&inside);
        REHA_TRY(status);
    }
    return files->count > 0 ? REHA_OK : reha_fail(err, REHA_E_NOT_FOUND, "there are no files to send");
}

static reha_status echo(const reha_call *call, bool as_json, int *code, reha_error *err)
{
    REHA_TRY(reha_remote_echo(call, err));
    *code = EXIT_DONE;
    if (as_json) {
        json_t *answer = json_pack("{s:s, s:b}", "remote", call->remote->ae_title, "alive", 1);
        *code = app_print_json(answer);
        json_decref(answer);
    } else {
        (void)printf("%s at %s port %d is there and takes calls from %s\n", call->remote->ae_title,
                     call->remote->host, call->remote->port, call->own_title);
    }
    return REHA_OK;
}

/* Faults of single files are their own lines; one of the connection is the command's. */
static reha_status send_files(const reha_call *call, const reha_paths *files, bool as_json, int *code,
                              reha_error *err)
{
    sending all = {.files = files, .items = as_json ? json_array() : NULL};
    reha_outgoing *outgoing = reha_alloc_zero(files->count, sizeof *outgoing);
    for (size_t i = 0; outgoing != NULL && i < files->count; i++) {
        outgoing[i].path = files->items[i];
    }
    const reha_status status = outgoing != NULL
                                   ? reha_remote_store(call, outgoing, files->count, show_file, &all, err)
                                   : reha_fail(err, REHA_E_NOMEM, "out of memory for a list of files");
    reha_free(outgoing);
    *code = all.sent == files->count ? EXIT_DONE : EXIT_INPUT;
    if (as_json) {
        json_t *answer = json_pack("{s:O, s:I, s:I}", "items", all.items, "sent", (json_int_t)all.sent,
                                   "files", (json_int_t)files->count);
        const int printed = app_print_json(answer);
        *code = printed > *code ? printed : *code;
        json_decref(answer);
    } else {
        (void)printf("%zu of %zu sent to %s\n", all.sent, files->count, call->remote->ae_title);
    }
    json_decref(all.items);
    return status;
}

static int run_send(const app_command *command, int argc, char **argv)
{
    send_arguments given = {.from = "REHASCOPE", .timeout_s = ANSWER_S};
    static const char *words[APP_PATHS_MAX];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_remote remote;
    reha_paths files = {0};
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const bool has_half_tls = reha_tls_files_are_partial(&given.tls);
    if (has_half_tls || given.to == NULL || given.echo != (word_count == 0) ||
        !reha_ae_title_is_valid(given.from)) {
        return app_wrong_use(command, "%s",
                             has_half_tls       ? "--tls-cert, --tls-key and --tls-ca are needed together"
                             : given.to == NULL ? "who shall have the files? Give --to AE@HOST:PORT"
                             : word_count == 0  ? "which files? Give some, or --echo to test the connection"
                             : given.echo       ? "--echo sends no files"
                                                : "the title of --from must have 1 to 16 characters");
    }
    reha_tls *tls = NULL;
    reha_call call = {
        .remote = &remote, .own_title = given.from, .connect_s = CONNECT_S, .answer_s = given.timeout_s};
    reha_status status = reha_remote_parse(given.to, &remote, &err);
    if (status == REHA_OK && given.tls.key != NULL) {
        status = reha_tls_open(&given.tls, false, &tls, &err);
        call.tls = tls;
    }
    if (status == REHA_OK && given.echo) {
        status = echo(&call, given.json, &code, &err);
    } else if (status == REHA_OK) {
        status = gather(words, word_count, &files, &err);
        if (status == REHA_OK) {
            status = send_files(&call, &files, given.json, &code, &err);
        }
    }
    reha_paths_clear(&files);
    reha_tls_close(tls);
    return status == REHA_OK ? code : app_fail(status, &err);
}

const app_command app_send = {.name = "send",
                              .arguments = "PATH...",
                              .summary = "send DICOM files to an archive (PACS), or test the connection",
                              .example = "rehascope send --to PACS@192.168.1.5:104 results/",
                              .options = send_options,
                              .words_min = 0,
                              .words_max = APP_PATHS_MAX,
                              .run = run_send};
