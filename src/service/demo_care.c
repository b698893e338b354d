#include "service/demo_care_priv.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* What happened in the demonstration, oldest first for each patient. The JSON is what a page would send,
 * without dates, phase and plan, which are filled in. */
typedef enum kind { SCORE, PLAN, EDIT, CONFIRM, PREDICTION } kind;
typedef struct step {
    const char *pseudonym;
    kind kind;
    int days_ago;
    const char *in;
} step;

#define NO_ILLNESS                                                                                           \
    "\"comorbidity\":{\"heart_unstable\":false,\"low_bone_density\":false,\"vertebral_fracture\":false,"     \
    "\"diabetes\":false,\"depression\":false,\"neuropathy\":false,\"pregnant\":false,\"anticoagulants\":"    \
    "false,"                                                                                                 \
    "\"inflammatory_arthritis\":false}"
#define ALL_ASKED "\"red_flags\":{\"others_absent\":true}"

/* The Oxford items, EQ-5D and illnesses of somebody before a knee replacement. */
#define BEFORE_SURGERY                                                                                       \
    "\"assisted\":\"no\",\"symptom_period\":\"6 to 10 "                                                      \
    "years\",\"previous_surgery\":\"no\",\"disability\":\"yes\","                                            \
    "\"heart_disease\":\"no\",\"high_blood_pressure\":\"yes\",\"stroke\":\"no\",\"circulation\":\"no\","     \
    "\"lung_disease\":\"no\",\"kidney_disease\":\"no\",\"nervous_system\":\"no\",\"liver_disease\":\"no\","  \
    "\"cancer\":\"no\",\"depression\":\"no\",\"arthritis\":\"yes\",\"eq5d_mobility\":2,\"eq5d_self_care\":"  \
    "2,"                                                                                                     \
    "\"eq5d_activity\":2,\"eq5d_discomfort\":3,\"eq5d_anxiety\":1,\"eq_vas\":55,\"oks_pain\":0,"             \
    "\"oks_night_pain\":1,\"oks_washing\":2,\"oks_transport\":1,\"oks_walking\":1,\"oks_standing\":2,"       \
    "\"oks_limping\":0,\"oks_kneeling\":0,\"oks_work\":1,\"oks_confidence\":1,\"oks_shopping\":1,\"oks_"     \
    "stairs\":1"

static const step steps[] = {
    {"DEMO-01", SCORE, 220, "{\"instrument\":\"sit-to-stand-30s\",\"value\":8}"},
    {"DEMO-01", SCORE, 12, "{\"instrument\":\"sit-to-stand-30s\",\"value\":12}"},
    {"DEMO-01", SCORE, 220, "{\"instrument\":\"nrs-pain\",\"value\":6,\"side\":\"right\"}"},
    {"DEMO-01", SCORE, 120, "{\"instrument\":\"nrs-pain\",\"value\":4,\"side\":\"right\"}"},
    {"DEMO-01", SCORE, 12, "{\"instrument\":\"nrs-pain\",\"value\":2,\"side\":\"right\"}"},
    {"DEMO-01", PLAN, 84,
     "{\"condition\":\"knee-oa\",\"side\":\"right\",\"person\":{\"age_years\":69,\"sex\":\"female\",\"height_"
     "cm\":165,"
     "\"weight_kg\":82},\"symptoms\":{\"pain_activity\":6,\"pain_rest\":2,\"morning_stiffness_min\":10,"
     "\"swelling\":\"mild\",\"giving_way\":false,\"locking\":false},\"function\":{\"walking_aid\":\"none\","
     "\"limp\":true,\"sit_to_stand_30s\":8,\"extension_deficit_deg\":5,\"falls_12_months\":0,"
     "\"activity_min_week\":60},\"scores\":{\"koos_pain\":58,\"koos_adl\":52},\"history\":{\"fear_of_"
     "movement\":true}," NO_ILLNESS "," ALL_ASKED
     ",\"goals\":[{\"activity\":\"stairs without the rail\",\"psfs\":4},"
     "{\"activity\":\"walk 5 km\",\"psfs\":3}]}"},
    {"DEMO-01", EDIT, 84,
     "{\"list\":\"exercises\",\"line\":\"knee-oa.exercise.bridge\",\"state\":\"removed\","
     "\"reason\":\"Cramps in the back of the thigh; try again in the next phase\"}"},
    {"DEMO-01", EDIT, 84,
     "{\"list\":\"exercises\",\"text\":\"Aqua jogging in the clinic's pool\",\"dose\":{\"minutes\":20,"
     "\"days_per_week\":2},\"reason\":\"She swims every week already\"}"},
    {"DEMO-01", CONFIRM, 84, "{\"comment\":\"Discussed with the patient\"}"},
    {"DEMO-01", PLAN, 3,
     "{\"condition\":\"knee-oa\",\"side\":\"right\",\"person\":{\"age_years\":69,\"sex\":\"female\",\"height_"
     "cm\":165,"
     "\"weight_kg\":80},\"symptoms\":{\"pain_activity\":3,\"pain_rest\":1,\"morning_stiffness_min\":5,"
     "\"swelling\":\"none\",\"giving_way\":false,\"locking\":false,\"trend\":\"better\"},\"function\":{"
     "\"walking_aid\":\"none\",\"limp\":false,\"sit_to_stand_30s\":12,\"extension_deficit_deg\":0,"
     "\"falls_12_months\":0,\"activity_min_week\":150,\"tug_s\":9},\"scores\":{\"koos_pain\":66,\"koos_adl\":"
     "68},"
     "\"history\":{\"fear_of_movement\":false},\"response\":{\"pain_change_24h\":0,\"swelling_more\":false,"
     "\"sessions_done_percent\":85,\"effort_felt\":5}," NO_ILLNESS "," ALL_ASKED ",\"goals\":[{\"activity\":"
     "\"stairs without the rail\",\"psfs\":7},{\"activity\":\"walk 5 km\",\"psfs\":5}]}"},

    {"DEMO-02", SCORE, 640, "{\"instrument\":\"tug\",\"value\":9.5}"},
    {"DEMO-02", SCORE, 270, "{\"instrument\":\"tug\",\"value\":12.5}"},
    {"DEMO-02", SCORE, 20, "{\"instrument\":\"oks\",\"items\":[1,1,2,2,2,2,1,0,2,2,2,1],\"side\":\"left\"}"},
    {"DEMO-02", PLAN, 18,
     "{\"condition\":\"knee-oa\",\"side\":\"left\",\"person\":{\"age_years\":77,\"sex\":\"male\",\"height_"
     "cm\":174,"
     "\"weight_kg\":92},\"symptoms\":{\"pain_activity\":7,\"pain_rest\":4,\"morning_stiffness_min\":20,"
     "\"swelling\":\"mild\"},\"function\":{\"walking_aid\":\"one-stick\",\"limp\":true,\"sit_to_stand_30s\":"
     "7,"
     "\"tug_s\":12.5,\"falls_12_months\":2,\"extension_deficit_deg\":10},\"comorbidity\":{\"heart_unstable\":"
     "false,"
     "\"diabetes\":true,\"depression\":false,\"neuropathy\":true,\"pregnant\":false,\"anticoagulants\":true,"
     "\"low_bone_density\":false,\"vertebral_fracture\":false,\"inflammatory_arthritis\":false}," ALL_ASKED
     ",\"history\":{\"physio_before_12w\":true},\"goals\":[{\"activity\":\"work in the garden for an "
     "hour\",\"psfs\":3}]}"},
    {"DEMO-02", PREDICTION, 0,
     "{\"outcome\":\"knee-replacement\",\"input\":{\"procedure\":\"primary\",\"age_band\":\"70 to "
     "79\",\"sex\":\"male\","
     "\"living\":\"with others\",\"diabetes\":\"yes\"," BEFORE_SURGERY "}}"},

    {"DEMO-03", SCORE, 363, "{\"instrument\":\"koos-sport\",\"value\":35,\"side\":\"left\"}"},
    {"DEMO-03", SCORE, 200, "{\"instrument\":\"koos-sport\",\"value\":75,\"side\":\"left\"}"},
    {"DEMO-03", PLAN, 30,
     "{\"condition\":\"patellofemoral-pain\",\"side\":\"left\",\"person\":{\"age_years\":38,\"sex\":\"male\"}"
     ","
     "\"symptoms\":{\"pain_activity\":3,\"pain_rest\":0,\"swelling\":\"none\",\"trend\":\"better\"},"
     "\"function\":{"
     "\"wants_sport\":true,\"pain_free_walking\":true,\"walking_aid\":\"none\"}," NO_ILLNESS "," ALL_ASKED
     ",\"goals\":[{\"activity\":\"run 10 km\",\"psfs\":6}]}"},
    {"DEMO-03", CONFIRM, 30, "{}"},

    {"DEMO-04", PLAN, 5,
     "{\"condition\":\"knee-oa\",\"side\":\"right\",\"person\":{\"age_years\":55,\"sex\":\"female\"},"
     "\"symptoms\":{"
     "\"pain_activity\":4,\"swelling\":\"none\"},\"goals\":[{\"activity\":\"hike for three "
     "hours\",\"psfs\":5}]}"},

    {"DEMO-05", SCORE, 10, "{\"instrument\":\"oks\",\"items\":[0,1,2,1,1,2,0,0,1,1,1,1],\"side\":\"right\"}"},
    {"DEMO-05", PREDICTION, 0,
     "{\"outcome\":\"knee-oa-progression\",\"input\":{\"kl\":4,\"expected_grade\":3.6,\"prior_9y_risk\":0.2}"
     "}"},
    {"DEMO-05", PREDICTION, 0,
     "{\"outcome\":\"knee-replacement\",\"input\":{\"procedure\":\"primary\",\"age_band\":\"80 to "
     "89\",\"sex\":\"female\","
     "\"living\":\"alone\",\"diabetes\":\"no\"," BEFORE_SURGERY "}}"}};

void reha_demo_date(int days_ago, char out[REHA_DEMO_DATE_BYTES])
{
    const time_t at = time(NULL) - (time_t)days_ago * 86400;
    struct tm parts;
    (void)strftime(out, REHA_DEMO_DATE_BYTES, "%Y-%m-%d", gmtime_r(&at, &parts));
}

typedef struct carer {
    reha_clinic *clinic;
    const reha_actor *physio;
    const reha_demo_patient *who;
    json_t *plan; /* the newest version; owned */
} carer;

static reha_status do_plan(carer *c, json_t *input, const char *date, json_t **out, reha_error *err)
{
    (void)json_object_set_new(input, "date", json_string(date));
    json_t *in = json_pack("{s:O, s:s}", "input", input, "episode_id", c->who->episode_id);
    const reha_status status =
        reha_clinic_plan_make(c->clinic, c->physio, c->who->patient_id, reha_json_string(c->plan, "id", NULL),
                              REHA_ANY_VERSION, in, out, err);
    json_decref(in);
    return status;
}

static reha_status do_step(carer *c, const step *one, json_t *in, json_t **out, reha_error *err)
{
    char date[REHA_DEMO_DATE_BYTES];
    const char *plan_id = reha_json_string(c->plan, "id", "");
    const json_t *current = json_object_get(json_object_get(c->plan, "content"), "current");
    reha_demo_date(one->days_ago, date);
    switch (one->kind) {
    case SCORE:
        (void)json_object_set_new(in, "date", json_string(date));
        return reha_clinic_score_add(c->clinic, c->physio, c->who->patient_id, in, out, err);
    case PLAN:
        return do_plan(c, in, date, out, err);
    case EDIT:
        (void)json_object_set(in, "phase", json_object_get(current, "phase"));
        return reha_clinic_plan_edit(c->clinic, c->physio, c->who->patient_id, plan_id, REHA_ANY_VERSION, in,
                                     out, err);
    case CONFIRM:
        return reha_clinic_plan_confirm(c->clinic, c->physio, c->who->patient_id, plan_id, REHA_ANY_VERSION,
                                        in, out, err);
    case PREDICTION:
        return reha_clinic_prediction_make(c->clinic, c->physio, c->who->patient_id, in, out, err);
    }
    return REHA_OK;
}

static reha_status take_step(carer *c, const step *one, reha_error *err)
{
    json_t *in = NULL;
    json_t *out = NULL;
    REHA_TRY(reha_json_parse(one->in, strlen(one->in), &in, err));
    const reha_status status = do_step(c, one, in, &out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", one->pseudonym);
    }
    if (status == REHA_OK && (one->kind == PLAN || one->kind == EDIT || one->kind == CONFIRM)) {
        json_decref(c->plan);
        c->plan = json_incref(out);
    }
    json_decref(in);
    json_decref(out);
    return status;
}

reha_status reha_demo_care(reha_clinic *clinic, const reha_actor *physio, const reha_demo_patient *who,
                           reha_error *err)
{
    reha_status status = REHA_OK;
    carer c = {.clinic = clinic, .physio = physio, .who = who};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == REHA_OK; i++) {
        if (strcmp(steps[i].pseudonym, who->pseudonym) == 0) {
            status = take_step(&c, &steps[i], err);
        }
    }
    json_decref(c.plan);
    return status;
}
