#include "service/demo.h"

#include "base/memory.h"
#include "image/save.h"
#include "recognition/knee_phantom.h"
#include "service/demo_care_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { VISITS_MAX = 4, WAIT_S_MAX = 120 };

typedef struct visit {
    int days_ago;
    double right_mm, left_mm; /* medial joint space */
    double koos_pain;         /* 0..100; below 0: not asked */
    bool is_signed;
} visit;

typedef struct person {
    const char *pseudonym;
    int birth_year;
    const char *sex;
    const char *condition, *side;
    int onset_days_ago;
    const char *goals;
    int grade;
    bool both_knees;
    int visit_count;
    visit visits[VISITS_MAX];
} person;

static const person people[] = {
    {"DEMO-01",
     1957,
     "f",
     "Knee osteoarthritis",
     "right",
     1360,
     "Walk 5 km; stairs without the rail",
     2,
     false,
     4,
     {{1320, 4.3, 0, 48, true}, {950, 4.1, 0, 58, true}, {590, 3.6, 0, 61, true}, {220, 3.1, 0, 66, false}}},
    {"DEMO-02",
     1949,
     "m",
     "Knee osteoarthritis",
     "left",
     2020,
     "Garden work; sleep through the night",
     3,
     true,
     3,
     {{1000, 2.6, 3.2, 39, true}, {640, 2.2, 3.1, 44, true}, {270, 1.7, 3.0, 41, false}}},
    {"DEMO-03",
     1988,
     "m",
     "Patellofemoral pain",
     "left",
     377,
     "Run 10 km again",
     0,
     false,
     2,
     {{363, 5.2, 0, 64, true}, {200, 5.2, 0, 86, false}}},
    {"DEMO-04",
     1971,
     "f",
     "Knee osteoarthritis",
     "right",
     810,
     "Return to hiking",
     1,
     true,
     2,
     {{650, 4.6, 4.7, 57, false}, {280, 4.4, 4.6, 70, false}}},
    {"DEMO-05",
     1944,
     "f",
     "Knee osteoarthritis",
     "right",
     4000,
     "Decide about surgery",
     4,
     false,
     1,
     {{160, 0.6, 0, 22, false}}}};

/* Accounts beside the administrator, one for each role. */
static const struct {
    const char *name, *display_name, *role;
} accounts[] = {{"physio", "Petra Physio (demo)", "physiotherapist"},
                {"reviewer", "Rolf Reviewer (demo)", "reviewer"},
                {"researcher", "Rita Researcher (demo)", "researcher"},
                {"reader", "Ralf Reader (demo)", "read-only"}};

typedef struct demo {
    reha_clinic *clinic;
    reha_actor physio;
    reha_demo_goes_on goes_on;
    void *context;
} demo;

static reha_status check_goes_on(const demo *d, reha_error *err)
{
    return d->goes_on(d->context)
               ? REHA_OK
               : reha_fail(err, REHA_E_CANCELLED, "the filling of the demonstration was stopped");
}

static reha_status sign_in(reha_clinic *clinic, const char *name, reha_actor *actor, reha_error *err)
{
    char token[REHA_TOKEN_BYTES];
    json_t *session = NULL;
    json_t *in = json_pack("{s:s, s:s}", "name", name, "password", REHA_DEMO_PASSWORD);
    reha_status status = in != NULL ? reha_clinic_sign_in(clinic, in, token, &session, err)
                                    : reha_fail(err, REHA_E_NOMEM, "out of memory while signing in");
    if (status == REHA_OK) {
        status = reha_clinic_session(clinic, token, actor, NULL, err);
    }
    json_decref(session);
    json_decref(in);
    return status;
}

reha_status reha_demo_accounts(reha_clinic *clinic, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_actor admin;
    json_t *user = NULL;
    json_t *in =
        json_pack("{s:s, s:s, s:s, s:s}", "name", "admin", "display_name", "Anna Administrator (demo)",
                  "password", REHA_DEMO_PASSWORD, "clinic_name", "Demonstration clinic");
    REHA_CHECK(reha_clinic_setup(clinic, in, &user, err));
    REHA_CHECK(sign_in(clinic, "admin", &admin, err));
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        json_decref(user);
        json_decref(in);
        user = NULL;
        in = json_pack("{s:s, s:s, s:s, s:s}", "name", accounts[i].name, "display_name",
                       accounts[i].display_name, "password", REHA_DEMO_PASSWORD, "role", accounts[i].role);
        REHA_CHECK(reha_clinic_user_add(clinic, &admin, in, &user, err));
    }
    REHA_CHECK(reha_clinic_sign_out(clinic, &admin, err));
done:
    json_decref(user);
    json_decref(in);
    return status;
}

/* The film of a visit as PNG. The same person has the same bones: only joint space and noise change. */
static reha_status draw(const person *who, int index, const visit *at, uint64_t seed, uint8_t **png,
                        size_t *bytes, reha_error *err)
{
    reha_gray *image = NULL;
    const reha_side side = strcmp(who->side, "left") == 0 ? REHA_SIDE_LEFT : REHA_SIDE_RIGHT;
    reha_phantom_spec spec = who->both_knees ? reha_phantom_film_both(seed) : reha_phantom_film(side, seed);
    for (int k = 0; k < spec.knee_count; k++) {
        reha_phantom_set_grade(&spec.knees[k], k == 0 ? who->grade : who->grade - 1,
                               (uint64_t)index * 10 + (uint64_t)k);
        spec.knees[k].medial_jsw_mm = k == 0 ? at->right_mm : at->left_mm;
    }
    spec.seed = seed;
    spec.bits = 8;
    REHA_TRY(reha_phantom_draw(&spec, &image, NULL, err));
    const reha_status status = reha_image_encode_png(image, 8, png, bytes, err);
    reha_gray_free(image);
    return status;
}

static reha_status upload(const demo *d, const reha_upload_options *options, const uint8_t *png, size_t bytes,
                          reha_error *err)
{
    reha_upload *to = NULL;
    json_t *answer = NULL;
    REHA_TRY(reha_upload_begin(d->clinic, &d->physio, options, &to, err));
    reha_status status = reha_upload_write(to, png, bytes, err);
    if (status == REHA_OK) {
        status = reha_upload_finish(to, &answer, err);
    }
    json_decref(answer);
    reha_upload_close(to);
    return status;
}

static reha_status add_score(const demo *d, const person *who, const char *patient_id, const visit *at,
                             reha_error *err)
{
    json_t *score = NULL;
    if (at->koos_pain < 0.0) {
        return REHA_OK;
    }
    char date[REHA_DEMO_DATE_BYTES];
    reha_demo_date(at->days_ago, date);
    json_t *in = json_pack("{s:s, s:f, s:s, s:s}", "instrument", "koos-pain", "value", at->koos_pain, "date",
                           date, "side", who->side);
    const reha_status status = reha_clinic_score_add(d->clinic, &d->physio, patient_id, in, &score, err);
    json_decref(score);
    json_decref(in);
    return status;
}

static reha_status add_visit(const demo *d, const person *who, int index, int no, const char *patient_id,
                             const char *episode_id, reha_error *err)
{
    const visit *at = &who->visits[no];
    uint8_t *png = NULL;
    size_t bytes = 0;
    char date[REHA_DEMO_DATE_BYTES];
    reha_demo_date(at->days_ago, date);
    const reha_upload_options options = {.patient_id = patient_id,
                                         .episode_id = episode_id,
                                         .image_date = date,
                                         .file_name = "film.png",
                                         .mm_per_px = 0.2};
    REHA_TRY(draw(who, index, at, (uint64_t)(index * 100 + no + 1), &png, &bytes, err));
    reha_status status = upload(d, &options, png, bytes, err);
    if (status == REHA_OK) {
        status = add_score(d, who, patient_id, at, err);
    }
    reha_free(png);
    return status;
}

static reha_status add_person(const demo *d, int index, reha_error *err)
{
    const person *who = &people[index];
    reha_status status = REHA_OK;
    json_t *patient = NULL;
    json_t *episode = NULL;
    json_t *in = json_pack("{s:s, s:i, s:s}", "pseudonym", who->pseudonym, "birth_year", who->birth_year,
                           "sex", who->sex);
    char onset[REHA_DEMO_DATE_BYTES];
    reha_demo_date(who->onset_days_ago, onset);
    json_t *care = json_pack("{s:s, s:s, s:s, s:s}", "condition", who->condition, "side", who->side, "onset",
                             onset, "goals", who->goals);
    REHA_CHECK(reha_clinic_patient_add(d->clinic, &d->physio, in, &patient, err));
    const char *patient_id = reha_json_string(patient, "id", "");
    REHA_CHECK(reha_clinic_episode_add(d->clinic, &d->physio, patient_id, care, &episode, err));
    for (int no = 0; no < who->visit_count; no++) {
        REHA_CHECK(check_goes_on(d, err));
        REHA_CHECK(add_visit(d, who, index, no, patient_id, reha_json_string(episode, "id", NULL), err));
    }
done:
    json_decref(patient);
    json_decref(episode);
    json_decref(in);
    json_decref(care);
    return status;
}

/* What was not filed yet, and what cannot be judged: the worklist has such days. */
static reha_status add_strays(const demo *d, reha_error *err)
{
    for (int i = 0; i < 2; i++) {
        reha_gray *image = NULL;
        uint8_t *png = NULL;
        size_t bytes = 0;
        reha_phantom_spec spec = reha_phantom_film(REHA_SIDE_RIGHT, 900 + (uint64_t)i);
        spec.knees[0].angle_deg = i == 0 ? 0.0 : 180.0; /* upside down: refused */
        spec.bits = 8;
        const reha_upload_options options = {.file_name = "knee.png", .mm_per_px = 0.2};
        REHA_TRY(reha_phantom_draw(&spec, &image, NULL, err));
        reha_status status = reha_image_encode_png(image, 8, &png, &bytes, err);
        if (status == REHA_OK) {
            status = upload(d, &options, png, bytes, err);
        }
        reha_gray_free(image);
        reha_free(png);
        REHA_TRY(status);
    }
    return REHA_OK;
}

static reha_status wait_for_analyses(const demo *d, reha_error *err)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000000L};
    for (int i = 0; i < WAIT_S_MAX * 5; i++) {
        json_t *counts = NULL;
        REHA_TRY(check_goes_on(d, err));
        REHA_TRY(reha_clinic_study_counts(d->clinic, &d->physio, &counts, err));
        const json_int_t waiting = json_integer_value(json_object_get(counts, "waiting"));
        json_decref(counts);
        if (waiting == 0) {
            return REHA_OK;
        }
        (void)nanosleep(&pause, NULL);
    }
    return REHA_OK; /* a slow machine: what waits stays in the worklist */
}

/* Accepts every finding of a study. *version follows the study's. */
static reha_status review_all(const demo *d, const json_t *study, int64_t *version, reha_error *err)
{
    const json_t *images = json_object_get(study, "images");
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *results = json_object_get(json_array_get(images, i), "results");
        const json_t *result =
            json_array_get(results, 0); /* all are the program's choice: one for each image */
        const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
        for (size_t r = 0; r < json_array_size(regions); r++) {
            const json_t *findings = json_object_get(json_array_get(regions, r), "findings");
            for (size_t f = 0; f < json_array_size(findings); f++) {
                if (!reha_finding_needs_decision(json_array_get(findings, f))) {
                    continue;
                }
                json_t *after = NULL;
                json_t *in =
                    json_pack("{s:i, s:s, s:s}", "region", (int)r, "finding",
                              reha_json_string(json_array_get(findings, f), "key", ""), "decision", "accept");
                const reha_status status = reha_clinic_review(
                    d->clinic, &d->physio, reha_json_string(result, "id", ""), *version, in, &after, err);
                *version = json_integer_value(json_object_get(after, "version"));
                json_decref(after);
                json_decref(in);
                REHA_TRY(status);
            }
        }
    }
    return REHA_OK;
}

static reha_status sign_one(const demo *d, const char *study_id, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *study = NULL;
    json_t *after = NULL;
    json_t *in = json_object();
    REHA_CHECK(reha_clinic_study(d->clinic, &d->physio, study_id, &study, err));
    int64_t version = json_integer_value(json_object_get(study, "version"));
    REHA_CHECK(review_all(d, study, &version, err));
    REHA_CHECK(reha_clinic_sign(d->clinic, &d->physio, study_id, version, in, &after, err));
done:
    json_decref(study);
    json_decref(after);
    json_decref(in);
    return status;
}

static bool must_be_signed(const json_t *study)
{
    const char *pseudonym = reha_json_string(json_object_get(study, "patient"), "pseudonym", "");
    const char *date = reha_json_string(study, "image_date", "");
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
        for (int v = 0; strcmp(people[i].pseudonym, pseudonym) == 0 && v < people[i].visit_count; v++) {
            char visited[REHA_DEMO_DATE_BYTES];
            reha_demo_date(people[i].visits[v].days_ago, visited);
            if (strcmp(visited, date) == 0) {
                return people[i].visits[v].is_signed &&
                       strcmp(reha_json_string(study, "status", ""), "to-review") == 0;
            }
        }
    }
    return false;
}

static reha_status sign_former_visits(const demo *d, reha_error *err)
{
    const reha_query query = {.limit = 100};
    json_t *list = NULL;
    reha_status status = reha_clinic_studies(d->clinic, &d->physio, &query, &list, err);
    const json_t *items = json_object_get(list, "items");
    for (size_t i = 0; status == REHA_OK && i < json_array_size(items); i++) {
        status = check_goes_on(d, err);
        if (status == REHA_OK && must_be_signed(json_array_get(items, i))) {
            status = sign_one(d, reha_json_string(json_array_get(items, i), "id", ""), err);
        }
    }
    json_decref(list);
    return status;
}

/* Scores, plans and predictions of everybody, once their images are judged. */
static reha_status add_care(const demo *d, reha_error *err)
{
    const reha_query query = {.limit = 100};
    json_t *list = NULL;
    reha_status status = reha_clinic_patients(d->clinic, &d->physio, &query, &list, err);
    const json_t *items = json_object_get(list, "items");
    for (size_t i = 0; status == REHA_OK && i < json_array_size(items); i++) {
        const json_t *one = json_array_get(items, i);
        json_t *patient = NULL;
        status = check_goes_on(d, err);
        if (status == REHA_OK) {
            status =
                reha_clinic_patient(d->clinic, &d->physio, reha_json_string(one, "id", ""), &patient, err);
        }
        const json_t *episode = json_array_get(json_object_get(patient, "episodes"), 0);
        const reha_demo_patient who = {.pseudonym = reha_json_string(one, "pseudonym", ""),
                                       .patient_id = reha_json_string(one, "id", ""),
                                       .episode_id = reha_json_string(episode, "id", "")};
        if (status == REHA_OK && episode != NULL) {
            status = reha_demo_care(d->clinic, &d->physio, &who, err);
        }
        json_decref(patient);
    }
    json_decref(list);
    return status;
}

reha_status reha_demo_fill(reha_clinic *clinic, reha_demo_goes_on goes_on, void *context, reha_error *err)
{
    demo d = {.clinic = clinic, .goes_on = goes_on, .context = context};
    REHA_TRY(sign_in(clinic, "physio", &d.physio, err));
    for (int i = 0; i < (int)(sizeof people / sizeof people[0]); i++) {
        REHA_TRY(add_person(&d, i, err));
    }
    REHA_TRY(add_strays(&d, err));
    REHA_TRY(wait_for_analyses(&d, err));
    REHA_TRY(sign_former_visits(&d, err));
    REHA_TRY(add_care(&d, err));
    return reha_clinic_sign_out(clinic, &d.physio, err);
}
