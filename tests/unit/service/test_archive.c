/* Signed reports on their way to the archive: what becomes of them when it is not there, rejects us, talks
 * nonsense or is silent, and when the record changes meanwhile. DCMTK's archive takes them in
 * tests/e2e/test_dicom_archive.sh. */
#include "clinic_support.h"

#include "base/listen.h"
#include "base/sync.h"
#include "dicom/write.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIDE_PX = 64, WAIT_S = 300 };

/* ---- an archive of our own making ---- */

typedef enum manner { REJECTS = 0, IS_BUSY, BABBLES, IS_SILENT } manner;

typedef struct peer {
    manner how;
    int listener, port;
    atomic_int calls;
    atomic_bool is_over;
    reha_thread *thread;
} peer;

static void answer(const peer *self, int call)
{
    static const uint8_t rejected[] = {3, 0, 0, 0, 0, 4, 0, 1, 1, 7}; /* for good: called title unknown */
    static const uint8_t busy[] = {3, 0, 0, 0, 0, 4, 0, 2, 3, 2};     /* for now: local limit */
    char request[4096];
    uint8_t babble[2000];
    const ssize_t got = recv(call, request, sizeof request, 0);
    memset(babble, 0x42, sizeof babble);
    if (got <= 0) {
        return;
    }
    if (self->how == BABBLES) {
        (void)send(call, babble, sizeof babble, MSG_NOSIGNAL);
    } else if (self->how != IS_SILENT) {
        (void)send(call, self->how == REJECTS ? rejected : busy, sizeof rejected, MSG_NOSIGNAL);
    }
    while (recv(call, request, sizeof request, 0) > 0) { /* until it hangs up */
    }
}

static void listen_on(void *context)
{
    peer *self = context;
    while (!atomic_load(&self->is_over)) {
        struct pollfd one = {.fd = self->listener, .events = POLLIN};
        if (poll(&one, 1, 50) > 0) {
            const int call = accept(self->listener, NULL, NULL);
            atomic_fetch_add(&self->calls, 1);
            answer(self, call);
            (void)close(call);
        }
    }
}

static void open_peer(peer *self, manner how)
{
    reha_error err = REHA_ERROR_INIT;
    self->how = how;
    atomic_init(&self->calls, 0);
    atomic_init(&self->is_over, false);
    assert_ok(reha_listen_open("127.0.0.1", 0, &self->listener, &self->port, &err), &err);
    assert_ok(reha_thread_start(listen_on, self, &self->thread, &err), &err);
}

static void close_peer(peer *self)
{
    atomic_store(&self->is_over, true);
    reha_thread_join(self->thread);
    (void)close(self->listener);
}

/* ---- a clinic that signs ---- */

static const reha_actor admin = {.user_id = "local", .role = REHA_ROLE_LOCAL};

static reha_archive *open_archive(reha_clinic *clinic, int port, const reha_archive_limits *limits)
{
    reha_error err = REHA_ERROR_INIT;
    reha_archive *archive = NULL;
    const reha_archive_options how = {.remote = {.ae_title = "PACS", .host = "127.0.0.1", .port = port},
                                      .limits = *limits};
    assert_ok(reha_archive_open(clinic, &how, &archive, &err), &err);
    return archive;
}

static int closed_port(void)
{
    reha_error err = REHA_ERROR_INIT;
    int listener = -1;
    int port = 0;
    assert_ok(reha_listen_open("127.0.0.1", 0, &listener, &port, &err), &err);
    (void)close(listener);
    return port;
}

/* A picture that the gate refuses: its study asks for no decision. */
static void add_study(reha_clinic *clinic, bool is_dicom, const char *patient_id,
                      char study_id[REHA_ID_BYTES])
{
    static uint8_t pixels[SIDE_PX * SIDE_PX];
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t count = 0;
    json_t *out = NULL;
    const reha_upload_options options = {.file_name = "one", .patient_id = patient_id};
    if (is_dicom) {
        reha_dicom_image image = reha_dicom_image_empty();
        image.width_px = image.height_px = SIDE_PX;
        image.bits_stored = 8;
        image.pixels = pixels;
        (void)snprintf(image.facts.modality, sizeof image.facts.modality, "DX");
        assert_ok(reha_dicom_write_image(&image, &bytes, &count, &err), &err);
    } else {
        knee_png(3, &bytes, &count);
    }
    assert_ok(upload_bytes(clinic, &admin, &options, bytes, count, &out, &err), &err);
    assert_string_equal(item_text(out, 0, "outcome"), "stored");
    (void)snprintf(study_id, REHA_ID_BYTES, "%s", item_text(out, 0, "study_id"));
    json_decref(out);
    reha_free(bytes);
    assert_ok(reha_clinic_drain(clinic, &err), &err);
}

static void decide(reha_clinic *clinic, const reha_actor *actor, const char *study_id)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *study = NULL;
    assert_ok(reha_clinic_study(clinic, actor, study_id, &study, &err), &err);
    const json_t *result = first_result(study);
    const json_t *findings = json_object_get(
        json_array_get(json_object_get(json_object_get(result, "analysis"), "regions"), 0), "findings");
    int64_t version = version_of(study);
    for (size_t i = 0; i < json_array_size(findings); i++) {
        json_t *out = NULL;
        json_t *in =
            json_pack("{s:i, s:s, s:s}", "region", 0, "finding",
                      reha_json_string(json_array_get(findings, i), "key", ""), "decision", "accept");
        if (reha_clinic_review(clinic, actor, reha_json_string(result, "id", ""), version, in, &out, &err) ==
            REHA_OK) {
            version = version_of(out);
        }
        json_decref(in);
        json_decref(out);
    }
    json_decref(study);
}

static void sign(reha_clinic *clinic, const reha_actor *actor, const char *study_id)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = json_object();
    assert_ok(reha_clinic_sign(clinic, actor, study_id, REHA_ANY_VERSION, in, &out, &err), &err);
    json_decref(in);
    json_decref(out);
}

static void reopen(reha_clinic *clinic, const reha_actor *actor, const char *study_id)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *out = NULL;
    json_t *in = json_pack("{s:s}", "reason", "once more");
    assert_ok(reha_clinic_reopen(clinic, actor, study_id, REHA_ANY_VERSION, in, &out, &err), &err);
    json_decref(in);
    json_decref(out);
}

static int64_t count_of(reha_clinic *clinic, const char *state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *list = NULL;
    assert_ok(reha_clinic_outbox(clinic, &admin, NULL, &list, &err), &err);
    const int64_t count = json_integer_value(json_object_get(json_object_get(list, "counts"), state));
    json_decref(list);
    return count;
}

/* The newest letter; json_decref the list. */
static const json_t *newest(reha_clinic *clinic, json_t **list)
{
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_clinic_outbox(clinic, &admin, NULL, list, &err), &err);
    return json_array_get(json_object_get(*list, "items"), 0);
}

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 20 * 1000000L};
    (void)nanosleep(&moment, NULL);
}

#define WAIT_UNTIL(what)                                                                                     \
    do {                                                                                                     \
        const time_t until = time(NULL) + WAIT_S;                                                            \
        while (!(what)) {                                                                                    \
            if (time(NULL) > until) {                                                                        \
                fail_msg("it never came to: %s", #what);                                                     \
            }                                                                                                \
            pause_a_moment();                                                                                \
        }                                                                                                    \
    } while (0)

static int64_t tries_of_newest(reha_clinic *clinic)
{
    json_t *list = NULL;
    const int64_t tries = json_integer_value(json_object_get(newest(clinic, &list), "tries"));
    json_decref(list);
    return tries;
}

static int64_t events_of(reha_clinic *clinic, const char *action)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *list = NULL;
    const reha_query query = {.action = action, .limit = 100};
    assert_ok(reha_clinic_audit(clinic, &admin, &query, &list, &err), &err);
    const int64_t count = json_integer_value(json_object_get(list, "total"));
    json_decref(list);
    return count;
}

/* What the study's page tells of the signature in force: "waiting", ...; "none" if it is not meant to go. */
static void expect_on_study(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                            const char *state)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *study = NULL;
    assert_ok(reha_clinic_study(clinic, actor, study_id, &study, &err), &err);
    const json_t *archive = json_object_get(json_object_get(study, "signature"), "archive");
    assert_non_null(archive);
    assert_string_equal(reha_json_string(archive, "state", "none"), state);
    assert_true(json_is_null(archive) || reha_json_string(archive, "since", NULL) != NULL);
    assert_true(json_is_null(archive) ||
                json_object_size(archive) == 2); /* no reason: it may name somebody */
    json_decref(study);
}

/* What monitoring sees; an age that nothing has is null. */
static void expect_care(reha_clinic *clinic, bool is_configured, int waiting, int failed)
{
    reha_error err = REHA_ERROR_INIT;
    json_t *care = NULL;
    assert_ok(reha_clinic_outbox_care(clinic, &care, &err), &err);
    assert_int_equal(json_is_true(json_object_get(care, "configured")), is_configured);
    assert_int_equal(json_integer_value(json_object_get(care, "waiting")), waiting);
    assert_int_equal(json_integer_value(json_object_get(care, "failed")), failed);
    assert_int_equal(json_is_integer(json_object_get(care, "waiting_s")), waiting > 0);
    assert_int_equal(json_is_integer(json_object_get(care, "failed_s")), failed > 0);
    assert_int_equal(json_object_size(care), 5);
    json_decref(care);
}

/* ---- tests ---- */

/* Pain of others: an export that goes on for ever once the archive rejects it. */
static void test_a_rejection_is_given_up(void **state)
{
    test_home home;
    peer pacs;
    reha_error err = REHA_ERROR_INIT;
    reha_archive_limits limits = reha_archive_limits_default();
    char studies[2][REHA_ID_BYTES];
    json_t *list = NULL;
    int64_t again = 0;
    (void)state;
    open_home(&home, true);
    const reha_actor signer = add_user(home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    add_study(home.clinic, true, NULL, studies[0]);
    add_study(home.clinic, true, NULL, studies[1]);
    sign(home.clinic, &signer, studies[0]); /* before there is an archive: it is not sent */
    assert_int_equal(count_of(home.clinic, "waiting"), 0);
    open_peer(&pacs, REJECTS);
    limits.refusals_max = 3;
    limits.pause_first_s = limits.pause_max_s = 0;
    reha_archive *archive = open_archive(home.clinic, pacs.port, &limits);
    sign(home.clinic, &signer, studies[1]);
    WAIT_UNTIL(count_of(home.clinic, "failed") == 1);
    assert_int_equal(atomic_load(&pacs.calls), 3);
    const json_t *letter = newest(home.clinic, &list);
    assert_string_equal(reha_json_string(letter, "study_id", ""), studies[1]);
    assert_non_null(strstr(reha_json_string(letter, "reason", ""), "rejects us (for good)"));
    assert_int_equal(json_array_size(json_object_get(letter, "objects")), 0);
    assert_int_equal(events_of(home.clinic, "study.send-failed"), 1);
    assert_int_equal(events_of(home.clinic, "study.send"),
                     1); /* the one that failed: nothing left the house */
    assert_int_equal(reha_clinic_outbox_again(home.clinic, &admin, "01nobody", &again, &err),
                     REHA_E_NOT_FOUND);
    assert_ok(reha_clinic_outbox_again(home.clinic, &admin, reha_json_string(letter, "id", ""), &again, &err),
              &err);
    assert_int_equal(again, 1);
    WAIT_UNTIL(atomic_load(&pacs.calls) == 6 && count_of(home.clinic, "failed") == 1);
    reha_archive_close(archive);
    close_peer(&pacs);
    assert_int_equal(atomic_load(&pacs.calls), 6);
    assert_int_equal(events_of(home.clinic, "study.send-failed"), 2);
    json_decref(list);
    close_home(&home);
}

static void test_what_does_not_answer_is_tried_for_longer(void **state)
{
    test_home home;
    reha_archive_limits limits = reha_archive_limits_default();
    char study[REHA_ID_BYTES];
    json_t *list = NULL;
    (void)state;
    open_home(&home, true);
    const reha_actor signer = add_user(home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    add_study(home.clinic, true, NULL, study);
    limits.refusals_max = 1; /* these are no refusals */
    limits.tries_max = 4;
    limits.pause_first_s = limits.pause_max_s = 0;
    static const manner manners[] = {IS_BUSY, BABBLES};
    for (size_t i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        peer pacs;
        open_peer(&pacs, manners[i]);
        reha_archive *archive = open_archive(home.clinic, pacs.port, &limits);
        sign(home.clinic, &signer, study);
        WAIT_UNTIL(count_of(home.clinic, "failed") == 1);
        reha_archive_close(archive);
        close_peer(&pacs);
        assert_int_equal(atomic_load(&pacs.calls), limits.tries_max);
        assert_int_equal(tries_of_newest(home.clinic), limits.tries_max);
        reopen(home.clinic, &signer, study); /* what failed needs nobody's care any more */
        assert_int_equal(count_of(home.clinic, "failed"), 0);
        assert_int_equal(count_of(home.clinic, "dropped"), i + 1);
    }
    limits.pause_first_s = limits.pause_max_s = 3600;
    reha_archive *archive = open_archive(home.clinic, closed_port(), &limits);
    sign(home.clinic, &signer, study);
    WAIT_UNTIL(tries_of_newest(home.clinic) == 1);
    const json_t *letter = newest(home.clinic, &list);
    assert_string_equal(reha_json_string(letter, "state", ""), "waiting");
    assert_non_null(strstr(reha_json_string(letter, "reason", ""), "cannot be reached"));
    assert_true(json_is_string(json_object_get(letter, "due_at")));
    json_decref(list);
    reha_archive_close(archive);
    assert_int_equal(tries_of_newest(home.clinic), 1);
    /* One that takes the call and says nothing is given up in time; here it is stopped in the middle. */
    peer pacs;
    int64_t again = 0;
    reha_error err = REHA_ERROR_INIT;
    open_peer(&pacs, IS_SILENT);
    archive = open_archive(home.clinic, pacs.port, &limits);
    assert_ok(reha_clinic_outbox_again(home.clinic, &admin, NULL, &again, &err), &err);
    WAIT_UNTIL(atomic_load(&pacs.calls) == 1);
    reha_archive_close(archive);
    close_peer(&pacs);
    assert_int_equal(count_of(home.clinic, "waiting"), 1);
    close_home(&home);
}

static void test_no_answer_in_time(void **state)
{
    test_home home;
    peer pacs;
    reha_archive_limits limits = reha_archive_limits_default();
    char study[REHA_ID_BYTES];
    json_t *list = NULL;
    (void)state;
    open_home(&home, true);
    const reha_actor signer = add_user(home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    add_study(home.clinic, true, NULL, study);
    open_peer(&pacs, IS_SILENT);
    limits.call_s = 2.0; /* its own alarm ends the process */
    reha_archive *archive = open_archive(home.clinic, pacs.port, &limits);
    sign(home.clinic, &signer, study);
    WAIT_UNTIL(tries_of_newest(home.clinic) == 1);
    assert_non_null(strstr(reha_json_string(newest(home.clinic, &list), "reason", ""), "is too slow"));
    json_decref(list);
    reha_archive_close(archive);
    close_peer(&pacs);
    close_home(&home);
}

static void test_what_is_withdrawn_is_not_sent(void **state)
{
    test_home home;
    reha_archive_limits limits = reha_archive_limits_default();
    char study[REHA_ID_BYTES];
    char picture[REHA_ID_BYTES];
    json_t *list = NULL;
    (void)state;
    open_home(&home, true);
    const reha_actor signer = add_user(home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    add_study(home.clinic, true, NULL, study);
    add_study(home.clinic, false, NULL, picture);
    decide(home.clinic, &signer, picture);
    limits.pause_first_s = 3600;
    reha_archive *archive = open_archive(home.clinic, closed_port(), &limits);
    sign(home.clinic, &signer, study);
    WAIT_UNTIL(tries_of_newest(home.clinic) == 1);
    reopen(home.clinic, &signer, study);
    assert_int_equal(count_of(home.clinic, "waiting"), 0);
    assert_int_equal(count_of(home.clinic, "dropped"), 1);
    const json_t *letter = newest(home.clinic, &list);
    assert_string_equal(reha_json_string(letter, "reason", ""), "the signature was withdrawn");
    assert_true(json_is_string(json_object_get(letter, "withdrawn_at")));
    json_decref(list);
    sign(home.clinic, &signer, study); /* a letter of its own */
    assert_int_equal(count_of(home.clinic, "waiting"), 1);
    /* No archive knows the study of a picture: the record says so, and nothing waits for ever. */
    sign(home.clinic, &signer, picture);
    letter = newest(home.clinic, &list);
    assert_string_equal(reha_json_string(letter, "study_id", ""), picture);
    assert_string_equal(reha_json_string(letter, "state", ""), "dropped");
    assert_non_null(strstr(reha_json_string(letter, "reason", ""), "came as a picture"));
    json_decref(list);
    reha_archive_close(archive);
    close_home(&home);
}

static reha_status erase(reha_clinic *clinic, const char *patient, json_t **out, reha_error *err)
{
    json_t *in = json_pack("{s:s, s:s}", "pseudonym", "P-A", "reason", "request");
    const reha_status status = reha_clinic_erase(clinic, &admin, patient, REHA_ANY_VERSION, in, out, err);
    json_decref(in);
    return status;
}

static void test_an_erased_patient_is_not_sent(void **state)
{
    test_home home;
    peer pacs;
    reha_error err = REHA_ERROR_INIT;
    reha_archive_limits limits = reha_archive_limits_default();
    char study[REHA_ID_BYTES];
    json_t *out = NULL;
    (void)state;
    open_home(&home, true);
    const reha_actor signer = add_user(home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    json_t *in = json_pack("{s:s}", "pseudonym", "P-A");
    json_t *patient = NULL;
    assert_ok(reha_clinic_patient_add(home.clinic, &signer, in, &patient, &err), &err);
    json_decref(in);
    add_study(home.clinic, true, reha_json_string(patient, "id", ""), study);
    open_peer(&pacs, IS_SILENT);
    reha_archive *archive = open_archive(home.clinic, pacs.port, &limits);
    sign(home.clinic, &signer, study);
    WAIT_UNTIL(atomic_load(&pacs.calls) == 1);
    assert_int_equal(erase(home.clinic, reha_json_string(patient, "id", ""), &out, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "being sent to the archive"));
    reha_archive_close(archive);
    close_peer(&pacs);
    assert_int_equal(count_of(home.clinic, "waiting"), 1);
    assert_ok(erase(home.clinic, reha_json_string(patient, "id", ""), &out, &err), &err);
    assert_int_equal(json_integer_value(json_object_get(out, "sent")), 0);
    assert_int_equal(count_of(home.clinic, "waiting"), 0);
    json_decref(out);
    json_decref(patient);
    close_home(&home);
}

/* Given up by hand: what waits and what failed, once, with its reason kept; everybody who should sees it. */
static void test_an_administrator_gives_up(void **state)
{
    test_home home;
    peer pacs;
    reha_error err = REHA_ERROR_INIT;
    reha_archive_limits limits = reha_archive_limits_default();
    char studies[3][REHA_ID_BYTES];
    json_t *list = NULL;
    json_t *events = NULL;
    (void)state;
    open_home(&home, true);
    const reha_actor signer = add_user(home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    const reha_actor reader = add_user(home.clinic, "rita", REHA_ROLE_READ_ONLY);
    for (size_t i = 0; i < 3; i++) {
        add_study(home.clinic, true, NULL, studies[i]);
    }
    sign(home.clinic, &signer, studies[0]);
    expect_on_study(home.clinic, &reader, studies[0], "none"); /* signed before there was an archive */
    expect_care(home.clinic, false, 0, 0);
    assert_ok(reha_clinic_outbox(home.clinic, &admin, NULL, &list, &err), &err);
    assert_true(json_is_null(json_object_get(list, "archive")));
    assert_true(json_is_null(json_object_get(list, "oldest_waiting_at")));
    assert_true(json_is_null(json_object_get(list, "last_sent_at")));
    json_decref(list);

    open_peer(&pacs, REJECTS);
    limits.refusals_max = 1;
    reha_archive *archive = open_archive(home.clinic, pacs.port, &limits);
    sign(home.clinic, &signer, studies[1]);
    WAIT_UNTIL(count_of(home.clinic, "failed") == 1);
    reha_archive_close(archive);
    close_peer(&pacs);
    expect_on_study(home.clinic, &reader, studies[1], "failed");
    expect_care(home.clinic, true, 0, 1);
    char place[64];
    (void)snprintf(place, sizeof place, "PACS@127.0.0.1:%d", pacs.port);
    assert_string_equal(reha_json_string((newest(home.clinic, &list), list), "archive", ""), place);
    char id[REHA_ID_BYTES];
    (void)snprintf(id, sizeof id, "%s",
                   reha_json_string(json_array_get(json_object_get(list, "items"), 0), "id", ""));
    json_decref(list);

    sign(home.clinic, &signer, studies[2]); /* nobody empties the outbox now */
    expect_on_study(home.clinic, &reader, studies[2], "waiting");
    expect_care(home.clinic, true, 1, 1);
    assert_int_equal(reha_clinic_outbox_give_up(home.clinic, &signer, id, &err), REHA_E_DENIED);
    assert_int_equal(reha_clinic_outbox_give_up(home.clinic, &admin, "01nobody", &err), REHA_E_NOT_FOUND);
    assert_ok(reha_clinic_outbox_give_up(home.clinic, &admin, id, &err), &err);
    assert_int_equal(reha_clinic_outbox_give_up(home.clinic, &admin, id, &err), REHA_E_NOT_FOUND);
    int64_t again = 0;
    assert_int_equal(reha_clinic_outbox_again(home.clinic, &admin, id, &again, &err), REHA_E_NOT_FOUND);
    expect_on_study(home.clinic, &reader, studies[1], "dropped");
    expect_care(home.clinic, true, 1, 0);
    const json_t *letter = newest(home.clinic, &list); /* the one that waits: not tried yet */
    assert_string_equal(reha_json_string(letter, "study_id", ""), studies[2]);
    assert_ok(reha_clinic_outbox_give_up(home.clinic, &admin, reha_json_string(letter, "id", ""), &err),
              &err);
    json_decref(list);
    assert_ok(reha_clinic_outbox(home.clinic, &admin, "dropped", &list, &err), &err);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 2);
    assert_string_equal(reha_json_string(json_array_get(json_object_get(list, "items"), 0), "reason", ""),
                        "given up by an administrator");
    const char *reason = reha_json_string(json_array_get(json_object_get(list, "items"), 1), "reason", "");
    assert_true(strncmp(reason, "given up by an administrator; before: ", 38) == 0);
    assert_non_null(strstr(reason, "rejects us (for good)"));
    json_decref(list);
    expect_care(home.clinic, true, 0, 0);

    const reha_query query = {.action = "outbox.give-up", .limit = 10};
    assert_ok(reha_clinic_audit(home.clinic, &admin, &query, &events, &err), &err);
    assert_int_equal(json_array_size(json_object_get(events, "items")), 2);
    const json_t *event = json_array_get(json_object_get(events, "items"), 1);
    const json_t *detail = json_object_get(event, "detail");
    assert_string_equal(reha_json_string(event, "entity_id", ""), id);
    assert_string_equal(reha_json_string(detail, "study_id", ""), studies[1]);
    assert_string_equal(reha_json_string(detail, "state", ""), "failed");
    json_decref(events);
    close_home(&home);
}

/* Given up while a call is on the line: it ends, and is not taken up again. */
static void test_given_up_while_it_is_sent(void **state)
{
    test_home home;
    peer pacs;
    reha_error err = REHA_ERROR_INIT;
    reha_archive_limits limits = reha_archive_limits_default();
    char study[REHA_ID_BYTES];
    json_t *list = NULL;
    (void)state;
    open_home(&home, true);
    const reha_actor signer = add_user(home.clinic, "petra", REHA_ROLE_PHYSIOTHERAPIST);
    add_study(home.clinic, true, NULL, study);
    open_peer(&pacs, IS_SILENT);
    limits.call_s = 2.0;
    limits.pause_first_s = limits.pause_max_s = 0;
    reha_archive *archive = open_archive(home.clinic, pacs.port, &limits);
    sign(home.clinic, &signer, study);
    WAIT_UNTIL(atomic_load(&pacs.calls) == 1);
    const json_t *letter = newest(home.clinic, &list);
    assert_ok(reha_clinic_outbox_give_up(home.clinic, &admin, reha_json_string(letter, "id", ""), &err),
              &err);
    json_decref(list);
    assert_int_equal(count_of(home.clinic, "dropped"), 1);
    reha_archive_close(archive); /* waits for the call that is on the line */
    archive = open_archive(home.clinic, pacs.port, &limits);
    char other[REHA_ID_BYTES]; /* one that is due later shows that the first is not */
    add_study(home.clinic, true, NULL, other);
    sign(home.clinic, &signer, other);
    WAIT_UNTIL(atomic_load(&pacs.calls) >= 2);
    reha_archive_close(archive);
    close_peer(&pacs);
    assert_int_equal(count_of(home.clinic, "dropped"), 1);
    expect_on_study(home.clinic, &signer, study, "dropped");
    close_home(&home);
}

static void test_options_that_do_not_do(void **state)
{
    test_home home;
    reha_error err = REHA_ERROR_INIT;
    reha_archive *archive = NULL;
    (void)state;
    open_home(&home, false);
    reha_archive_options how = {.remote = {.ae_title = "PACS", .host = "127.0.0.1", .port = 104},
                                .own_title = "A-TITLE-OF-17-CHAR"};
    assert_int_equal(reha_archive_open(home.clinic, &how, &archive, &err), REHA_E_ARG);
    assert_null(archive);
    const reha_tls_files tls = {"/nowhere/a.pem", "/nowhere/b.pem", "/nowhere/c.pem"};
    how.own_title = NULL;
    how.tls = &tls;
    assert_int_equal(reha_archive_open(home.clinic, &how, &archive, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, "/nowhere/"));
    close_home(&home);
}

int main(int argc, char **argv)
{
    const int worker = clinic_worker(argc, argv);
    if (worker >= 0) {
        return worker;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_rejection_is_given_up),
                                       cmocka_unit_test(test_what_does_not_answer_is_tried_for_longer),
                                       cmocka_unit_test(test_no_answer_in_time),
                                       cmocka_unit_test(test_what_is_withdrawn_is_not_sent),
                                       cmocka_unit_test(test_an_erased_patient_is_not_sent),
                                       cmocka_unit_test(test_an_administrator_gives_up),
                                       cmocka_unit_test(test_given_up_while_it_is_sent),
                                       cmocka_unit_test(test_options_that_do_not_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
