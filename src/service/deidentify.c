#include "service/deidentify.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dicom/dicom.h"
#include "image/load.h"
#include "service/input.h"
#include "service/wrap.h"
#include "store/digest.h"
#include "store/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 200000, NAME_BYTES = 160 };
static const double COLOURED = 0.001; /* of the pixels: then the report says that colour is gone */

typedef struct job {
    const char *out;
    reha_deidentify_options options;
    reha_keys keys;
    json_t *files;
    json_t *patients; /* set of pseudonyms */
    reha_text list;
    size_t done, copies, passed_over, refused;
    bool is_single;
} job;

/* One input file on its way. */
typedef struct item {
    size_t no;
    const char *path;
    char name[NAME_BYTES]; /* of the copy, below the folder */
    reha_deid_result result;
    const char *outcome;
    bool is_picture, lost_colour;
} item;

static void mac(const void *context, const void *bytes, size_t count, char out[REHA_DEID_TEXT_BYTES])
{
    reha_mac(context, bytes, count, out);
}

/* ---- key and folders ---- */

static reha_status load_key(job *work, reha_error *err)
{
    REHA_TRY(reha_secret_start(err));
    if (work->options.key_path != NULL) {
        REHA_TRY(reha_keys_load(work->options.key_path, true, &work->keys, err));
    } else {
        reha_random_fill(work->keys.pseudonyms, sizeof work->keys.pseudonyms);
    }
    work->options.rules.mac = mac;
    work->options.rules.mac_context = work->keys.pseudonyms;
    return REHA_OK;
}

/* Hidden files count, too: what is handed out must be ours alone. */
static reha_status make_empty(const char *folder, reha_error *err)
{
    DIR *open = opendir(folder);
    bool is_empty = true;
    if (open == NULL) {
        if (errno == ENOENT) {
            return reha_folder_make(folder, err);
        }
        return reha_fail(err, REHA_E_CONFLICT, "%s: is no folder that can be read; name a new one", folder);
    }
    for (const struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        is_empty = is_empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    }
    (void)closedir(open);
    return is_empty ? REHA_OK
                    : reha_fail(err, REHA_E_CONFLICT, "%s: the folder is not empty; name a new one", folder);
}

/* The list of names must not lie where the copies are. */
static reha_status check_list(const job *work, reha_error *err)
{
    const char *path = work->options.list_path;
    if (path == NULL) {
        return REHA_OK;
    }
    if (reha_path_is_file(path)) {
        return reha_fail(err, REHA_E_CONFLICT, "%s: exists; name a new file for the list", path);
    }
    const char *name = reha_path_name(path);
    char *folder = name > path ? reha_strndup(path, (size_t)(name - path)) : reha_strdup(".");
    if (folder == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    char *real_list = realpath(folder, NULL);
    char *real_out = realpath(work->out, NULL);
    const size_t length = real_out != NULL ? strlen(real_out) : 0;
    reha_status status = REHA_OK;
    if (real_list == NULL) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "%s: the folder of the list does not exist", folder);
    } else if (real_out == NULL || (strncmp(real_list, real_out, length) == 0 &&
                                    (real_list[length] == '/' || real_list[length] == '\0'))) {
        status =
            reha_fail(err, REHA_E_ARG,
                      "the list says whose images these are: it must not lie in the folder of the copies");
    }
    free(real_list); /* allowed: realpath's */
    free(real_out);  /* allowed: realpath's */
    reha_free(folder);
    return status;
}

/* ---- one file ---- */

/* The same picture gets the same UIDs under one key: they are hashed again with it. */
static void ids_of(const char *digest, reha_dicom_ids *ids)
{
    char head[16];
    (void)snprintf(head, sizeof head, "%.15s", digest);
    const unsigned long long number = strtoull(head, NULL, 16);
    (void)snprintf(ids->study_instance_uid, sizeof ids->study_instance_uid, "1.2.%llu.1", number);
    (void)snprintf(ids->series_instance_uid, sizeof ids->series_instance_uid, "1.2.%llu.2", number);
    (void)snprintf(ids->sop_instance_uid, sizeof ids->sop_instance_uid, "1.2.%llu.3", number);
}

static reha_status wrap_picture(item *at, const uint8_t *bytes, size_t count, uint8_t **out,
                                size_t *out_bytes, reha_error *err)
{
    reha_input input;
    reha_error fault = REHA_ERROR_INIT;
    reha_dicom_ids ids = {0};
    at->is_picture = true;
    reha_status status = reha_input_read(bytes, count, "", NULL, &input, &fault);
    if (status != REHA_OK) {
        return reha_fail(err, status, "the picture is damaged or of a kind that is not read");
    }
    if (input.frame_count > 1) {
        status =
            reha_fail(err, REHA_E_UNSUPPORTED,
                      "the picture has %u pages: give them as files of one page each", input.frame_count);
    } else {
        at->lost_colour = input.facts.chroma_fraction > COLOURED;
        ids_of(input.digest, &ids);
        status = reha_wrap_picture(&input, 0.0, &ids, out, out_bytes, err);
    }
    reha_input_clear(&input);
    return status;
}

/* REHA_E_NOT_FOUND: nothing to be de-identified. */
static reha_status make_copy(const job *work, item *at, const uint8_t *bytes, size_t count, reha_error *err)
{
    reha_deid_options rules = work->options.rules;
    uint8_t *wrapped = NULL;
    size_t wrapped_bytes = 0;
    if (reha_image_detect(bytes, count) != NULL) {
        REHA_TRY(wrap_picture(at, bytes, count, &wrapped, &wrapped_bytes, err));
        rules.is_picture = true;
        const reha_status status = reha_dicom_deidentify(wrapped, wrapped_bytes, &rules, &at->result, err);
        reha_free(wrapped);
        return status;
    }
    if (!reha_dicom_detect(bytes, count)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "neither DICOM nor a picture");
    }
    if (reha_dicom_is_directory(bytes, count)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "a DICOMDIR: it is made of names");
    }
    return reha_dicom_deidentify(bytes, count, &rules, &at->result, err);
}

static bool is_same_file(const char *path, const uint8_t *bytes, size_t count)
{
    uint8_t *there = NULL;
    size_t there_bytes = 0;
    const bool is_same = reha_file_load(path, count, &there, &there_bytes, NULL) == REHA_OK &&
                         there_bytes == count && memcmp(there, bytes, count) == 0;
    reha_free(there);
    return is_same;
}

static reha_status save_copy(const job *work, item *at, reha_error *err)
{
    char *folder = reha_path_join(work->out, at->result.series_uid);
    reha_status status = REHA_OK;
    (void)snprintf(at->name, sizeof at->name, "%s/%s.dcm", at->result.series_uid, at->result.sop_uid);
    char *path = reha_path_join(work->out, at->name);
    if (folder == NULL || path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    } else if (reha_path_is_file(path)) {
        at->outcome = "duplicate";
        if (!is_same_file(path, at->result.bytes, at->result.size_bytes)) {
            status = reha_fail(err, REHA_E_CONFLICT,
                               "another file has the same SOP Instance UID and other content");
        }
    } else {
        status = reha_folder_make(folder, err);
        status =
            status == REHA_OK ? reha_file_save(path, at->result.bytes, at->result.size_bytes, err) : status;
    }
    reha_free(folder);
    reha_free(path);
    return status;
}

/* ---- the report ---- */

static json_t *tags_to_json(const reha_deid_result *result)
{
    json_t *tags = json_array();
    char text[10];
    for (size_t i = 0; i < result->removed_tag_count; i++) {
        (void)snprintf(text, sizeof text, "%04x,%04x", (unsigned)(result->removed_tags[i] >> 16),
                       (unsigned)(result->removed_tags[i] & 0xFFFF));
        (void)json_array_append_new(tags, json_string(text));
    }
    return tags;
}

static json_t *notes_of(const job *work, const item *at)
{
    json_t *notes = json_array();
    char text[80];
    if (at->is_picture) {
        (void)json_array_append_new(notes,
                                    json_string("a picture: its grey values became a secondary capture"));
    }
    if (at->lost_colour) {
        (void)json_array_append_new(notes, json_string("the picture had colour, which became grey"));
    }
    if (at->result.is_blanked && work->options.rules.blank_count == 0) {
        (void)json_array_append_new(
            notes,
            json_string("blanked outside of the ultrasound regions: text inside of them stays, look at it"));
    }
    if (!at->result.has_patient_number) {
        (void)json_array_append_new(notes, json_string("no patient number: linked within its study only"));
    }
    if (at->result.has_cleared_overlay) {
        (void)json_array_append_new(notes,
                                    json_string("an overlay in unused bits of the pixels was cleared"));
    }
    if (at->result.cleared_segments > 0) {
        (void)snprintf(text, sizeof text, "%u comments or segments in compressed frames were cleared",
                       at->result.cleared_segments);
        (void)json_array_append_new(notes, json_string(text));
    }
    return notes;
}

static json_t *done_to_json(const job *work, const item *at)
{
    const reha_deid_result *r = &at->result;
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:{s:i, s:i, s:i, s:i, s:i, s:i}, s:o, s:o}", "no",
                     (int)at->no, "outcome", at->outcome, "file", at->name, "pseudonym", r->pseudonym,
                     "pixels", r->is_blanked ? "blanked" : "unchanged", "elements", "kept", (int)r->kept,
                     "replaced", (int)r->replaced, "emptied", (int)r->emptied, "cleaned", (int)r->cleaned,
                     "removed", (int)r->removed, "removed_private", (int)r->removed_private, "removed_tags",
                     tags_to_json(r), "notes", notes_of(work, at));
}

static reha_status note(job *work, const item *at, const reha_error *fault, reha_error *err)
{
    const bool has_copy = strcmp(at->outcome, "done") == 0 || strcmp(at->outcome, "duplicate") == 0;
    json_t *entry = has_copy ? done_to_json(work, at)
                             : json_pack("{s:i, s:s, s:s}", "no", (int)at->no, "outcome", at->outcome,
                                         "reason", fault->text);
    if (entry == NULL || json_array_append_new(work->files, entry) != 0) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
    if (has_copy) {
        (void)json_object_set_new(work->patients, at->result.pseudonym, json_true());
    }
    reha_text_addf(&work->list, "%zu,", at->no);
    reha_csv_add_field(&work->list, at->path);
    reha_text_addf(&work->list, ",%s,%s\n", at->outcome, has_copy ? at->name : "");
    return REHA_OK;
}

static bool is_our_fault(reha_status status)
{
    return status == REHA_E_FULL || status == REHA_E_IO || status == REHA_E_NOMEM ||
           status == REHA_E_INTERNAL;
}

static reha_status do_file(job *work, item *at, reha_error *err)
{
    const reha_image_limits limits = reha_image_limits_default();
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_error fault = REHA_ERROR_INIT;
    at->outcome = "done";
    reha_status status = reha_file_load(at->path, limits.file_bytes_max, &bytes, &count, NULL);
    if (status != REHA_OK) { /* the text would name the path */
        status = reha_fail(&fault, status, "the file could not be read");
    } else {
        status = make_copy(work, at, bytes, count, &fault);
        status = status == REHA_OK ? save_copy(work, at, &fault) : status;
        if (is_our_fault(status)) { /* the next file would fare no better */
            (void)reha_fail(err, status, "%s", fault.text);
            reha_error_prefix(err, "stopped at file %zu (whole copies: %zu, no report)", at->no, work->done);
            goto done;
        }
    }
    if (status == REHA_OK) {
        work->done += strcmp(at->outcome, "done") == 0 ? 1 : 0;
        work->copies += strcmp(at->outcome, "duplicate") == 0 ? 1 : 0;
    } else if (status == REHA_E_NOT_FOUND && bytes != NULL && !work->is_single) {
        at->outcome = "passed-over";
        work->passed_over++;
    } else {
        at->outcome = "refused";
        work->refused++;
    }
    status = note(work, at, &fault, err);
done:
    reha_free(bytes);
    reha_deid_clear(&at->result);
    return status;
}

static json_t *make_report(const job *work)
{
    const reha_deid_options *rules = &work->options.rules;
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s, s:b, s:s, s:b, s:b}, s:{s:i, s:i, s:i, s:i, s:i}, s:O}", "schema",
        "rehascope/deidentified/1", "program", "rehascope " REHA_VERSION, "made_at", now, "method",
        "DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile, by a list of what is kept",
        "options", "dates", rules->shifts_dates ? "shifted" : "removed", "device_kept",
        rules->keeps_device ? 1 : 0, "linked",
        work->options.key_path != NULL ? "by a key" : "within this run", "burned_in_accepted",
        rules->accepts_burned_in ? 1 : 0, "blanked_outside_regions", rules->blanks_outside_regions ? 1 : 0,
        "counts", "patients", (int)json_object_size(work->patients), "done", (int)work->done, "duplicates",
        (int)work->copies, "passed_over", (int)work->passed_over, "refused", (int)work->refused, "files",
        work->files);
}

/* For its owner alone, from the first byte on. */
static reha_status save_list(job *work, reha_error *err)
{
    char *text = NULL;
    const char *path = work->options.list_path;
    REHA_TRY(reha_text_take(&work->list, &text, err));
    reha_status status = REHA_OK;
    const int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (path != NULL && fd < 0) {
        status = errno == EEXIST
                     ? reha_fail(err, REHA_E_CONFLICT, "%s: exists; name a new file", path)
                     : reha_fail(err, REHA_E_IO, "%s: could not be written: %s", path, strerror(errno));
    } else if (path != NULL) {
        const size_t length = strlen(text);
        size_t done = 0;
        ssize_t now = 0;
        while (done < length && (now = write(fd, text + done, length - done)) > 0) {
            done += (size_t)now;
        }
        if (done < length || fsync(fd) != 0) {
            status = reha_fail(err, REHA_E_IO, "%s: could not be written: %s; the copies are whole", path,
                               strerror(errno));
            (void)unlink(path); /* half a list of names is worse than none */
        }
        (void)close(fd);
    }
    reha_free(text);
    return status;
}

static reha_status find_files(const char *in, job *work, reha_paths *out, reha_error *err)
{
    if (reha_path_is_folder(in)) {
        return reha_folder_list(in, FILES_MAX, out, err);
    }
    if (!reha_path_is_file(in)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s: no such file or folder", in);
    }
    work->is_single = true;
    out->items = reha_alloc_zero(1, sizeof(char *));
    if (out->items == NULL || (out->items[0] = reha_strdup(in)) == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    out->count = 1;
    return REHA_OK;
}

static reha_status finish(job *work, json_t **report, reha_error *err)
{
    *report = make_report(work);
    char *path = reha_path_join(work->out, "deidentified.json");
    reha_status status = *report != NULL && path != NULL
                             ? reha_json_save(path, *report, err)
                             : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    reha_free(path);
    if (status != REHA_OK) {
        reha_error_prefix(err, "the report (whole copies: %zu)", work->done);
    } else {
        status = save_list(work, err);
    }
    return status;
}

reha_status reha_deidentify(const char *in, const char *out, const reha_deidentify_options *options,
                            json_t **report, reha_error *err)
{
    job work = {.out = out, .options = *options, .files = json_array(), .patients = json_object()};
    reha_paths files = {0};
    reha_status status = REHA_OK;
    const double start_ms = reha_clock_ms();
    *report = NULL;
    REHA_CHECK(find_files(in, &work, &files, err));
    REHA_CHECK(load_key(&work, err));
    REHA_CHECK(make_empty(out, err));
    REHA_CHECK(check_list(&work, err));
    reha_text_add(&work.list, "no,path,outcome,file\n");
    for (size_t i = 0; i < files.count; i++) {
        item at = {.no = i + 1, .path = files.items[i]};
        if (reha_progress_is_stopped(options->progress)) {
            status =
                reha_fail(err, REHA_E_CANCELLED,
                          "stopped after %zu of %zu files; the copies made so far are whole", i, files.count);
            goto done;
        }
        REHA_CHECK(do_file(&work, &at, err));
        reha_progress_tell(options->progress, i + 1, files.count, "files", start_ms);
    }
    REHA_CHECK(finish(&work, report, err));
done:
    if (status != REHA_OK) {
        json_decref(*report);
        *report = NULL;
    }
    reha_wipe(&work.keys, sizeof work.keys);
    reha_text_clear(&work.list);
    reha_paths_clear(&files);
    json_decref(work.files);
    json_decref(work.patients);
    return status;
}
