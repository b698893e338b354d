/* The process that calls an archive: what that answers is parsed here, where nothing else can be done. */
#include "service/archive_priv.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "dicom/query.h"
#include "service/sandbox_child_priv.h"
#include "service/sandbox_talk_priv.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

typedef struct caller {
    size_t memory_bytes;
    double cpu_s;
} caller;

/* The name of the archive is looked up and the connection is made; nothing of it was read yet. */
static reha_status lock_in(void *context, reha_error *err)
{
    const caller *self = context;
    return sandbox_lock_down(self->memory_bytes, self->cpu_s, SANDBOX_CONNECTED, err);
}

/* Without the server nobody hears it. */
static void tell_or_leave(json_t *message)
{
    if (talk_tell(message, NULL, 0, NULL) != REHA_OK) {
        _exit(1);
    }
}

static void tell_fate(void *context, size_t file_idx, reha_status status, const char *text)
{
    (void)context;
    (void)file_idx;
    tell_or_leave(json_pack("{s:s, s:s, s:o}", "op", "fate", "status", reha_status_name(status), "text",
                            reha_json_text(text)));
}

/* The objects stay in memory to the end of the process. */
static reha_status receive_objects(size_t count, reha_outgoing **out, reha_error *err)
{
    *out = NULL;
    if (count == 0 || count > ARCHIVE_OBJECTS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "%zu objects are not sent (1 to %d)", count, ARCHIVE_OBJECTS_MAX);
    }
    *out = reha_alloc_zero(count, sizeof **out);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a list of objects");
    }
    for (size_t i = 0; i < count; i++) {
        wire_message message;
        REHA_TRY(wire_receive(STDIN_FILENO, ARCHIVE_OBJECT_BYTES_MAX, (double)INFINITY, &message, err));
        (*out)[i] = (reha_outgoing){.bytes = message.bytes, .count = message.count};
        message.bytes = NULL;
        wire_clear(&message);
    }
    return REHA_OK;
}

static void set_alarm(double seconds)
{
    const struct itimerval timer = {.it_value = {.tv_sec = (time_t)seconds}};
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static reha_status store(const reha_call *call, const reha_outgoing *objects, size_t count, reha_error *err)
{
    return reha_remote_store(call, objects, count, tell_fate, NULL, err);
}

/* ---- questions ---- */

static reha_query_limits limits_of(const json_t *settings)
{
    reha_query_limits limits = reha_query_limits_default();
    reha_association_limits *one = &limits.association;
    limits.found_max = (size_t)reha_json_number(settings, "found_max", (double)limits.found_max);
    limits.match_bytes = (size_t)reha_json_number(settings, "match_bytes", (double)limits.match_bytes);
    one->object_bytes_max =
        (size_t)reha_json_number(settings, "object_bytes_max", (double)one->object_bytes_max);
    one->idle_s = reha_json_number(settings, "idle_s", one->idle_s);
    one->grace_s = reha_json_number(settings, "grace_s", one->grace_s);
    one->rate_bytes_per_s = reha_json_number(settings, "rate_bytes_per_s", one->rate_bytes_per_s);
    return limits;
}

static void tell_match(void *context, const reha_found_study *study)
{
    (void)context;
    tell_or_leave(json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "op", "match", "study_uid",
        reha_json_text(study->study_uid), "patient_id", reha_json_text(study->patient_id), "patient_name",
        reha_json_text(study->patient_name), "patient_birth_date", reha_json_text(study->patient_birth_date),
        "date", reha_json_text(study->study_date), "time", reha_json_text(study->study_time), "modalities",
        reha_json_text(study->modalities), "description", reha_json_text(study->description),
        "accession_number", reha_json_text(study->accession_number), "instances", study->instances));
}

static reha_status find(const json_t *settings, const reha_call *call, bool *is_cut, reha_error *err)
{
    const reha_query_limits limits = limits_of(settings);
    const reha_study_query query = {.patient_id = reha_json_string(settings, "patient_id", NULL),
                                    .patient_name = reha_json_string(settings, "patient_name", NULL),
                                    .study_date = reha_json_string(settings, "study_date", NULL),
                                    .modality = reha_json_string(settings, "modality", NULL),
                                    .accession_number = reha_json_string(settings, "accession_number", NULL),
                                    .study_uid = reha_json_string(settings, "study_uid", NULL)};
    return reha_remote_find(call, &query, &limits, tell_match, NULL, is_cut, err);
}

static reha_status get(const json_t *settings, const reha_call *call, int *failed, reha_error *err)
{
    const reha_query_limits limits = limits_of(settings);
    const reha_provider provider = talk_objects();
    reha_got got;
    const reha_status status =
        reha_remote_get(call, reha_json_string(settings, "study_uid", ""), &limits, &provider, &got, err);
    *failed = got.failed;
    return status;
}

/* ---- the process ---- */

typedef struct answer { /* what the last word says beside the status */
    bool is_cut;
    int failed;
} answer;

static reha_status call_archive(const json_t *settings, answer *out, reha_error *err)
{
    const caller self = {.memory_bytes = (size_t)reha_json_number(settings, "memory_bytes", 0.0),
                         .cpu_s = reha_json_number(settings, "cpu_s", 0.0)};
    const char *op = reha_json_string(settings, "op", "");
    reha_remote remote = {.port = (int)reha_json_number(settings, "port", 0.0)};
    reha_outgoing *objects = NULL;
    reha_tls *tls = NULL;
    const size_t count = (size_t)reha_json_number(settings, "objects", 0.0);
    if (strcmp(op, "store") == 0) {
        REHA_TRY(receive_objects(count, &objects, err));
    }
    REHA_TRY(reha_network_prepare(err));
    reha_dicom_warm();
    REHA_TRY(talk_tls(settings, false, &tls, err));
    (void)snprintf(remote.ae_title, sizeof remote.ae_title, "%s", reha_json_string(settings, "ae_title", ""));
    (void)snprintf(remote.host, sizeof remote.host, "%s", reha_json_string(settings, "host", ""));
    const reha_call call = {.remote = &remote,
                            .own_title = reha_json_string(settings, "own_title", ""),
                            .tls = tls,
                            .connect_s = reha_json_number(settings, "connect_s", 0.0),
                            .answer_s = reha_json_number(settings, "answer_s", 0.0),
                            .connected = lock_in,
                            .context = (void *)(uintptr_t)&self};
    if (strcmp(op, "find") == 0) {
        return find(settings, &call, &out->is_cut, err);
    }
    if (strcmp(op, "get") == 0) {
        return get(settings, &call, &out->failed, err);
    }
    return store(&call, objects, count, err);
}

int reha_archive_main(void)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *settings = NULL;
    answer more = {.is_cut = false};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || talk_receive(&settings, &err) != REHA_OK) {
        return 1;
    }
    /* DCMTK's own times begin anew with every byte. Questions have alarms of their own (0: none here). */
    set_alarm(reha_json_number(settings, "call_s", 1.0));
    const reha_status status = call_archive(settings, &more, &err);
    tell_or_leave(json_pack("{s:s, s:s, s:o, s:b, s:i}", "op", "over", "status", reha_status_name(status),
                            "text", reha_json_text(err.text), "cut", more.is_cut ? 1 : 0, "failed",
                            more.failed));
    _exit(0); /* what a program does at its end is not allowed here */
}
