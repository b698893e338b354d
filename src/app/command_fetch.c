/* `rehascope fetch`: earlier images from the hospital's archive. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"
#include "service/fetch.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { DATE_CHARS = 10, RANGE_BYTES = 24, STUDIES_MAX = 64 };

typedef struct fetch_arguments {
    const char *archive;
    const char *from;
    reha_study_query query;
    const char *since;
    const char *until;
    const char *home;
    bool json;
    int timeout_s;
    reha_tls_files tls;
} fetch_arguments;

static const app_option fetch_options[] = {
    {"archive", APP_TEXT, "AE@HOST:PORT", "who has them (needed)", offsetof(fetch_arguments, archive), 0, 0},
    {"from", APP_TEXT, "TITLE", "our AE title, as it is known there (default REHASCOPE)",
     offsetof(fetch_arguments, from), 0, 0},
    {"patient", APP_TEXT, "ID", "list the studies of this number of a patient",
     offsetof(fetch_arguments, query.patient_id), 0, 0},
    {"name", APP_TEXT, "NAME", "... of this name, such as 'M*ller^J*'",
     offsetof(fetch_arguments, query.patient_name), 0, 0},
    {"accession", APP_TEXT, "NO", "... of this accession number",
     offsetof(fetch_arguments, query.accession_number), 0, 0},
    {"modality", APP_TEXT, "M", "... with a series of it: DX, CR, US, MR",
     offsetof(fetch_arguments, query.modality), 0, 0},
    {"since", APP_TEXT, "DATE", "... not older than 2024-01-31", offsetof(fetch_arguments, since), 0, 0},
    {"until", APP_TEXT, "DATE", "... not newer", offsetof(fetch_arguments, until), 0, 0},
    APP_HOME_OPTION(fetch_arguments),
    {"timeout", APP_INTEGER, "S", "wait at most this long for an answer (default 60)",
     offsetof(fetch_arguments, timeout_s), 1, 3600},
    {"tls-cert", APP_TEXT, "F.pem", "over TLS: our certificate ...",
     offsetof(fetch_arguments, tls.certificate), 0, 0},
    {"tls-key", APP_TEXT, "F.pem", "... its key ...", offsetof(fetch_arguments, tls.key), 0, 0},
    {"tls-ca", APP_TEXT, "F.pem", "... and the authority that signed the archive's",
     offsetof(fetch_arguments, tls.authority), 0, 0},
    {"json", APP_FLAG, NULL, "as JSON on standard output", offsetof(fetch_arguments, json), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

/* "2024-01-31" to "20240131". */
static bool put_day(const char *date, char *out)
{
    if (strlen(date) != DATE_CHARS || date[4] != '-' || date[7] != '-') {
        return false;
    }
    (void)snprintf(out, RANGE_BYTES / 2, "%.4s%.2s%.2s", date, date + 5, date + 8);
    return strspn(out, "0123456789") == strlen(out);
}

static reha_status put_range(const fetch_arguments *given, char range[RANGE_BYTES], reha_error *err)
{
    char since[RANGE_BYTES / 2] = "";
    char until[RANGE_BYTES / 2] = "";
    if ((given->since != NULL && !put_day(given->since, since)) ||
        (given->until != NULL && !put_day(given->until, until))) {
        return reha_fail(err, REHA_E_ARG, "a date is written as 2024-01-31");
    }
    (void)snprintf(range, RANGE_BYTES, "%s-%s", since, until);
    return REHA_OK;
}

static void print_study(const json_t *study)
{
    const json_t *modalities = json_object_get(study, "modalities");
    const char *date = reha_json_string(study, "date", "");
    const json_t *count = json_object_get(study, "instances");
    (void)printf("%.4s-%.2s-%.2s  ", date, strlen(date) == 8 ? date + 4 : "",
                 strlen(date) == 8 ? date + 6 : "");
    for (size_t i = 0; i < json_array_size(modalities); i++) {
        (void)printf("%s%s", i > 0 ? "," : "", json_string_value(json_array_get(modalities, i)));
    }
    (void)printf("  %s  %s  %s", reha_json_string(study, "patient_id", ""),
                 reha_json_string(study, "patient_name", ""), reha_json_string(study, "description", ""));
    if (json_is_integer(count)) {
        (void)printf("  (%lld objects)", (long long)json_integer_value(count));
    }
    (void)printf("\n    %s\n", reha_json_string(study, "study_uid", ""));
}

static reha_status list(const reha_fetch_options *how, const fetch_arguments *given, int *code,
                        reha_error *err)
{
    char range[RANGE_BYTES];
    json_t *found = NULL;
    reha_study_query query = given->query;
    REHA_TRY(put_range(given, range, err));
    query.study_date = given->since != NULL || given->until != NULL ? range : NULL;
    REHA_TRY(reha_fetch_find(how, &query, &found, err));
    const json_t *items = json_object_get(found, "items");
    const bool is_cut = json_is_true(json_object_get(found, "cut"));
    *code = EXIT_DONE;
    if (given->json) {
        *code = app_print_json(found);
    } else {
        for (size_t i = 0; i < json_array_size(items); i++) {
            print_study(json_array_get(items, i));
        }
        (void)printf("%zu studies at %s\n", json_array_size(items), how->remote.ae_title);
    }
    if (is_cut) {
        (void)fprintf(stderr, "There are more: the archive was stopped after %zu. Ask for less.\n",
                      json_array_size(items));
    }
    json_decref(found);
    return REHA_OK;
}

/* Faults of single studies are their own lines; one of the call ends it. */
static reha_status fetch(const reha_fetch_options *how, const fetch_arguments *given, const char *const *uids,
                         int count, int *code, reha_error *err)
{
    reha_clinic *clinic = NULL;
    json_t *all = json_array();
    reha_status status = app_open_clinic(given->home, NULL, true, false, &clinic, err);
    const reha_actor actor = reha_actor_local();
    *code = EXIT_DONE;
    for (int i = 0; status == REHA_OK && i < count; i++) {
        reha_error fault = REHA_ERROR_INIT;
        json_t *got = NULL;
        const reha_status one = reha_fetch_study(clinic, &actor, how, uids[i], &got, &fault);
        if (got == NULL) {
            status = reha_fail(err, one, "%s", fault.text);
            break;
        }
        *code = one == REHA_OK ? *code : reha_status_is_input_fault(one) != 0 ? EXIT_INPUT : EXIT_OURS;
        if (given->json) {
            (void)json_object_set_new(got, "study_uid", json_string(uids[i]));
            (void)json_object_set_new(got, "error",
                                      one == REHA_OK ? json_null()
                                                     : json_pack("{s:s, s:o}", "code", reha_status_name(one),
                                                                 "text", reha_json_text(fault.text)));
            (void)json_array_append(all, got);
        } else {
            (void)printf("%s: %lld stored, %lld known already", uids[i],
                         (long long)json_integer_value(json_object_get(got, "stored")),
                         (long long)json_integer_value(json_object_get(got, "known")));
            (void)printf("%s%s\n", one == REHA_OK ? "" : "; not complete: ", fault.text);
        }
        json_decref(got);
    }
    if (status == REHA_OK && given->json) {
        json_t *answer = json_pack("{s:O}", "items", all);
        const int printed = app_print_json(answer);
        *code = printed > *code ? printed : *code;
        json_decref(answer);
    }
    json_decref(all);
    reha_clinic_close(clinic);
    return status;
}

static const char *wrong_use(const fetch_arguments *given, int word_count)
{
    const reha_study_query *query = &given->query;
    const bool is_asking = query->patient_id != NULL || query->patient_name != NULL ||
                           query->accession_number != NULL || query->modality != NULL ||
                           given->since != NULL || given->until != NULL;
    if (reha_tls_files_are_partial(&given->tls)) {
        return "--tls-cert, --tls-key and --tls-ca are needed together";
    }
    if (given->archive == NULL) {
        return "from where? Give --archive AE@HOST:PORT";
    }
    if (is_asking == (word_count > 0)) {
        return word_count > 0 ? "either list studies, or name those to be fetched"
                              : "whose? Give --patient, --name, --accession, --modality, --since or --until";
    }
    return reha_ae_title_is_valid(given->from) ? NULL : "the title of --from must have 1 to 16 characters";
}

static int run_fetch(const app_command *command, int argc, char **argv)
{
    fetch_arguments given = {.from = "REHASCOPE"};
    const char *uids[STUDIES_MAX];
    int count = 0;
    reha_error err = REHA_ERROR_INIT;
    int code = app_parse(command, argc, argv, &given, uids, &count);
    if (code >= 0) {
        return code;
    }
    const char *wrong = wrong_use(&given, count);
    if (wrong != NULL) {
        return app_wrong_use(command, "%s", wrong);
    }
    reha_fetch_options how = {.own_title = given.from,
                              .tls = given.tls.key != NULL ? &given.tls : NULL,
                              .limits = reha_fetch_limits_default()};
    if (given.timeout_s > 0) {
        how.limits.query.association.idle_s = given.timeout_s;
    }
    reha_status status = reha_remote_parse(given.archive, &how.remote, &err);
    if (status == REHA_OK) {
        status = count > 0 ? fetch(&how, &given, uids, count, &code, &err) : list(&how, &given, &code, &err);
    }
    return status == REHA_OK ? code : app_fail(status, &err);
}

const app_command app_fetch = {.name = "fetch",
                               .arguments = "[STUDY...]",
                               .summary = "earlier images from an archive (PACS): list studies, fetch them",
                               .example = "rehascope fetch --archive PACS@192.168.1.5:104 --patient 4711",
                               .options = fetch_options,
                               .words_min = 0,
                               .words_max = STUDIES_MAX,
                               .run = run_fetch};
