/* The server's side of a question. Nothing that the process says is believed but for this question's answer.
 */
#include "service/fetch.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/archive_priv.h"
#include "service/clinic_priv.h"
#include "service/intake_priv.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double MS_PER_S = 1000.0;

reha_fetch_limits reha_fetch_limits_default(void)
{
    return (reha_fetch_limits){.query = reha_query_limits_default(),
                               .connect_s = 10.0,
                               .memory_bytes = (size_t)1 << 30,
                               .cpu_s = 600.0};
}

/* The process has alarms of its own; these times are for one that ignores them. */
static double wait_ms(const reha_fetch_limits *limits)
{
    const reha_association_limits *one = &limits->query.association;
    return 2.0 * MS_PER_S *
           (limits->connect_s + one->request_s + one->idle_s + one->grace_s +
            INTAKE_PIECE_BYTES / one->rate_bytes_per_s);
}

static double patience_ms(const reha_fetch_limits *limits)
{
    return reha_clock_ms() + wait_ms(limits);
}

static void nobody_stops_it(void *context, pid_t pid)
{
    (void)context;
    (void)pid;
}

static reha_status begin(const reha_fetch_options *options, json_t *what, archive_settings *settings,
                         archive_process *process, reha_error *err)
{
    const reha_fetch_limits *limits = &options->limits;
    const reha_association_limits *one = &limits->query.association;
    const reha_archive_options how = {.program = options->program,
                                      .remote = options->remote,
                                      .own_title = options->own_title,
                                      .tls = options->tls,
                                      .limits = {.tries_max = 1,
                                                 .connect_s = limits->connect_s,
                                                 .answer_s = one->idle_s,
                                                 .memory_bytes = limits->memory_bytes,
                                                 .cpu_s = limits->cpu_s}};
    json_t *times = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f}", "object_bytes_max", (double)one->object_bytes_max, "idle_s",
        one->idle_s, "grace_s", one->grace_s, "rate_bytes_per_s", one->rate_bytes_per_s, "found_max",
        (double)limits->query.found_max, "match_bytes", (double)limits->query.match_bytes);
    reha_status status = REHA_OK;
    if (what == NULL || times == NULL || json_object_update(what, times) != 0) {
        status = reha_fail(err, REHA_E_ARG, "what to look for must be UTF-8 text");
        goto done;
    }
    REHA_CHECK(archive_settings_make(settings, &how, err));
    REHA_CHECK(archive_begin(settings, what, nobody_stops_it, NULL, process, err));
done:
    json_decref(times);
    json_decref(what);
    return status;
}

/* ---- which studies ---- */

static json_t *modalities_of(const char *text)
{
    json_t *list = json_array();
    while (*text != '\0') {
        const size_t length = strcspn(text, "\\");
        (void)json_array_append_new(list, json_stringn(text, length));
        text += length;
        text += *text == '\\' ? 1 : 0;
    }
    return list;
}

/* Of our own form, so that a list can be printed without care. */
static json_t *study_of(const json_t *match)
{
    static const char *const texts[] = {"study_uid", "patient_id", "patient_name", "patient_birth_date",
                                        "date",      "time",       "description",  "accession_number"};
    json_t *study = json_object();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        (void)json_object_set_new(study, texts[i], reha_json_text(reha_json_string(match, texts[i], "")));
    }
    (void)json_object_set_new(study, "modalities", modalities_of(reha_json_string(match, "modalities", "")));
    const double count = reha_json_number(match, "instances", -1.0);
    (void)json_object_set_new(study, "instances",
                              count >= 0.0 ? json_integer((json_int_t)count) : json_null());
    return study;
}

static int by_time(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a;
    const json_t *other = *(json_t *const *)b;
    const int by_date = strcmp(reha_json_string(other, "date", ""), reha_json_string(one, "date", ""));
    return by_date != 0 ? by_date
                        : strcmp(reha_json_string(other, "time", ""), reha_json_string(one, "time", ""));
}

static reha_status sort_newest_first(json_t *items, reha_error *err)
{
    const size_t count = json_array_size(items);
    json_t **rows = reha_alloc_zero(count + 1, sizeof(json_t *));
    if (rows == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a list of studies");
    }
    for (size_t i = 0; i < count; i++) {
        rows[i] = json_incref(json_array_get(items, i));
    }
    qsort(rows, count, sizeof(json_t *), by_time);
    for (size_t i = 0; i < count; i++) {
        (void)json_array_set_new(items, i, rows[i]);
    }
    reha_free(rows);
    return REHA_OK;
}

/* To the process's last word; *is_over: it came. */
static reha_status hear_matches(const archive_process *process, const reha_fetch_limits *limits,
                                json_t *items, bool *is_cut, bool *is_over, reha_error *err)
{
    for (;;) {
        wire_message message;
        reha_status status = REHA_OK;
        REHA_TRY(wire_receive(process->link, 0, patience_ms(limits), &message, err));
        const char *op = reha_json_string(message.json, "op", "");
        if (strcmp(op, "over") == 0) {
            *is_over = true;
            *is_cut = json_is_true(json_object_get(message.json, "cut"));
            status = archive_last_word(message.json, err);
            wire_clear(&message);
            return status;
        }
        if (strcmp(op, "match") != 0 || json_array_size(items) >= limits->query.found_max) {
            status = reha_fail(err, REHA_E_FORMAT, "the process that asks the archive makes no sense");
        } else if (json_array_append_new(items, study_of(message.json)) != 0) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory for a list of studies");
        }
        wire_clear(&message);
        REHA_TRY(status);
    }
}

reha_status reha_fetch_find(const reha_fetch_options *options, const reha_study_query *query, json_t **out,
                            reha_error *err)
{
    archive_settings settings = {.program = NULL};
    archive_process process = {.link = -1};
    reha_fetch_options given = *options;
    bool is_over = false;
    bool is_cut = false;
    reha_status status = REHA_OK;
    json_t *items = json_array();
    *out = NULL;
    given.limits = given.limits.memory_bytes > 0 ? given.limits : reha_fetch_limits_default();
    json_t *what = json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?}", "op", "find", "patient_id",
                             query->patient_id, "patient_name", query->patient_name, "study_date",
                             query->study_date, "modality", query->modality, "accession_number",
                             query->accession_number, "study_uid", query->study_uid);
    REHA_CHECK(begin(&given, what, &settings, &process, err));
    status = hear_matches(&process, &given.limits, items, &is_cut, &is_over, err);
    status = archive_end(&process, status, is_over, err);
    if (status == REHA_OK) {
        status = sort_newest_first(items, err);
    }
    if (status == REHA_OK) {
        *out = json_pack("{s:O, s:b}", "items", items, "cut", is_cut ? 1 : 0);
        status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a list of studies");
    }
done:
    archive_settings_clear(&settings);
    json_decref(items);
    return status;
}

/* ---- one study ---- */

static reha_status hear_objects(const archive_process *process, const reha_fetch_limits *limits,
                                intake *taken, int *failed, bool *is_over, reha_error *err)
{
    for (;;) {
        wire_message message;
        bool is_mine = false;
        REHA_TRY(wire_receive(process->link, INTAKE_PIECE_BYTES, patience_ms(limits), &message, err));
        reha_status status = intake_handle(taken, process->link, wait_ms(limits), &message, &is_mine, err);
        if (status == REHA_OK && !is_mine) {
            if (strcmp(reha_json_string(message.json, "op", ""), "over") == 0) {
                *is_over = true;
                *failed =
                    (int)fmin(fmax(reha_json_number(message.json, "failed", 0.0), 0.0), (double)INT_MAX);
                status = archive_last_word(message.json, err);
                wire_clear(&message);
                return status;
            }
            status = reha_fail(err, REHA_E_FORMAT, "the process that asks the archive makes no sense");
        }
        wire_clear(&message);
        REHA_TRY(status);
    }
}

reha_status reha_fetch_study(reha_clinic *clinic, const reha_actor *actor, const reha_fetch_options *options,
                             const char *study_uid, json_t **out, reha_error *err)
{
    archive_settings settings = {.program = NULL};
    archive_process process = {.link = -1};
    reha_fetch_options given = *options;
    intake taken = {.clinic = clinic, .actor = *actor};
    bool is_over = false;
    int failed = 0;
    reha_status status = REHA_OK;
    char from[REHA_AE_BYTES];
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_UPLOAD, err));
    given.limits = given.limits.memory_bytes > 0 ? given.limits : reha_fetch_limits_default();
    (void)snprintf(taken.from, sizeof taken.from, "%s", options->remote.ae_title);
    REHA_CHECK(begin(&given, json_pack("{s:s, s:s}", "op", "get", "study_uid", study_uid), &settings,
                     &process, err));
    status = hear_objects(&process, &given.limits, &taken, &failed, &is_over, err);
    intake_drop(&taken);
    status = archive_end(&process, status, is_over, err);
    intake_word(taken.from, from);
    reha_log(status == REHA_OK ? REHA_LOG_INFO : REHA_LOG_WARN, "archive.fetch",
             "from=%s stored=%d known=%d refused=%d failed=%d status=%s", from, taken.stored, taken.known,
             taken.refused, failed, reha_status_name(status));
    if (status == REHA_OK && taken.refused > 0) {
        status = reha_fail(err, REHA_E_REFUSED, "%d objects were not taken: %.180s", taken.refused,
                           taken.why.text);
    } else if (status == REHA_OK && taken.stored + taken.known == 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND,
                           "%s gave nothing: it has no such study, or no image in it that is read here",
                           options->remote.ae_title);
    }
    *out = json_pack("{s:i, s:i, s:i, s:i}", "stored", taken.stored, "known", taken.known, "refused",
                     taken.refused, "failed", failed);
done:
    archive_settings_clear(&settings);
    return status;
}
