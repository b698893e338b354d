/* Plans of the clinic: made by the rules from facts and the record, edited, confirmed, printed. Each is a new
 * version. */
#include "rehab/plan.h"
#include "rehab/plan_edit.h"
#include "service/clinic_care_priv.h"
#include "service/plan_pdf.h"

#include "base/clock.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 4000 };

/* ---- The input: what the form says, and what the record has measured ---- */

/* What a clinician amended is the clinician's own statement; what the software found goes with its
 * provenance. */
static void add_finding(const reha_fact *fact, const json_t *row, json_t *finding, json_t *input,
                        json_t *regions)
{
    json_t *section = json_object_get(input, fact->section);
    const bool is_human = strcmp(reha_json_string(row, "origin", ""), "human") == 0;
    if (!is_human || fact->type != REHA_FACT_NUMBER) {
        (void)json_array_append_new(regions,
                                    json_pack("{s:b, s:s, s:[O]}", "accepted", 1, "side",
                                              reha_json_string(row, "side", "unknown"), "findings", finding));
        return;
    }
    if (section == NULL) {
        section = json_object();
        (void)json_object_set_new(input, fact->section, section);
    }
    const double value = reha_json_number(row, "value", (double)NAN);
    if (!(reha_json_number(section, fact->name, -HUGE_VAL) >=
          value)) { /* of two readers' statements the worse */
        (void)json_object_set(section, fact->name, json_object_get(row, "value"));
    }
}

/* All joints of the newest study that may be the one: of two machine statements the rules take the worse. */
static reha_status add_readings(reha_clinic *clinic, const clinic_known *known, const reha_fact *fact,
                                json_t *input, json_t *regions, reha_error *err)
{
    const char *side = reha_json_string(input, "side", "none");
    const json_t *newest = clinic_known_measure(known, fact->finding, side);
    size_t next = 0;
    const json_t *row = NULL;
    while (newest != NULL && (row = clinic_known_beside(known, newest, side, &next)) != NULL) {
        json_t *finding = NULL;
        REHA_TRY(clinic_known_finding(clinic, row, &finding, err));
        if (finding != NULL) {
            add_finding(fact, row, finding, input, regions);
        }
        json_decref(finding);
    }
    return REHA_OK;
}

/* The newest reading of each finding that a fact knows, unless the form states the fact itself. */
static reha_status add_findings(reha_clinic *clinic, const clinic_known *known,
                                const reha_guideline *guideline, json_t *input, reha_error *err)
{
    json_t *regions = json_array();
    for (size_t i = 0; i < guideline->facts.count; i++) {
        const reha_fact *fact = &guideline->facts.items[i];
        const json_t *stated = json_object_get(json_object_get(input, fact->section), fact->name);
        if (fact->finding == NULL || (stated != NULL && !json_is_null(stated))) {
            continue;
        }
        const reha_status status = add_readings(clinic, known, fact, input, regions, err);
        if (status != REHA_OK) {
            json_decref(regions);
            return status;
        }
    }
    (void)json_object_set_new(input, "analyses",
                              json_array_size(regions) > 0 ? json_pack("[{s:O}]", "regions", regions)
                                                           : json_array());
    json_decref(regions);
    return REHA_OK;
}

static reha_status write_input(reha_clinic *clinic, const clinic_known *known,
                               const reha_guideline *guideline, const json_t *given, json_t **out,
                               reha_error *err)
{
    int days = 0;
    if (!json_is_object(given)) {
        return reha_fail(err, REHA_E_ARG, "'input' must be an object of facts");
    }
    if (json_object_get(given, "analyses") != NULL || json_object_get(given, "patient_id") != NULL) {
        return reha_fail(err, REHA_E_ARG, "'input': analyses and patient come from the record");
    }
    *out = json_deep_copy(given);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the facts");
    }
    (void)json_object_set_new(*out, "schema", json_string("rehascope/plan-input/1"));
    const json_t *date = json_object_get(given, "date");
    if (date == NULL || json_is_null(date)) {
        (void)json_object_set_new(*out, "date", json_string(known->today));
    } else if (reha_date_days(known->today, reha_json_string(given, "date", ""), &days) && days > 0) {
        return reha_fail(err, REHA_E_ARG, "'input': the date %.10s lies in the future",
                         json_string_value(date));
    }
    return add_findings(clinic, known, guideline, *out, err);
}

/* A fault of a form has no line: "facts line 3, symptoms.pain_rest: must be ..." without its beginning. */
static reha_status form_fault(reha_status status, reha_error *err)
{
    const char *from = err != NULL ? strstr(err->text, ", ") : NULL;
    if (status != REHA_E_FORMAT) {
        return status;
    }
    reha_error fault = REHA_ERROR_INIT;
    (void)snprintf(fault.text, sizeof fault.text, "%s",
                   from != NULL  ? from + 2
                   : err != NULL ? err->text
                                 : "");
    return reha_fail(err, REHA_E_ARG, "%s", fault.text);
}

/* ---- Making ---- */

static reha_status run_rules(const reha_guideline *guideline, const json_t *input, const json_t *previous,
                             json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_source_text source = {0};
    char *text = NULL;
    reha_plan_input *facts = reha_alloc_zero(1, sizeof *facts);
    if (facts == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the facts");
    }
    REHA_CHECK(reha_json_format(input, &text, err));
    REHA_CHECK(reha_source_parse("facts", text, &source, err));
    status = form_fault(reha_plan_input_read(&source, &guideline->facts, facts, err), err);
    REHA_CHECK(status);
    const reha_plan_request request = {
        .guideline = guideline, .input = facts, .previous = previous, .why = true};
    REHA_CHECK(reha_plan_make(&request, out, err));
    (void)json_object_set(*out, "input", (json_t *)input);
done:
    reha_source_clear(&source);
    reha_free(text);
    reha_free(facts);
    return status;
}

reha_status reha_clinic_plan_make(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                  const char *id, int64_t if_version, const json_t *in, json_t **out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    const char *episode = NULL, *reason = NULL;
    reha_guideline *guideline = NULL;
    clinic_known known = {.patient = NULL};
    json_t *input = NULL;
    json_t *plan = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    REHA_TRY(clinic_check_members(in, "input episode_id reason", err));
    REHA_TRY(clinic_text(in, "episode_id", false, REHA_ID_BYTES, &episode, err));
    REHA_TRY(clinic_text(in, "reason", false, REASON_BYTES, &reason, err));
    REHA_CHECK(clinic_known_read(clinic, patient_id, episode, id, &known, err));
    REHA_CHECK(clinic_guideline(&guideline, err));
    const json_t *previous = id != NULL ? json_object_get(known.plan, "content") : NULL;
    if (previous != NULL && !clinic_plan_is_ours(previous)) {
        status = reha_fail(err, REHA_E_CONFLICT, "this plan came from elsewhere: begin a new one");
        goto done;
    }
    REHA_CHECK(id != NULL ? clinic_version(known.plan, if_version, err) : REHA_OK);
    REHA_CHECK(write_input(clinic, &known, guideline, json_object_get(in, "input"), &input, err));
    REHA_CHECK(run_rules(guideline, input, previous, &plan, err));
    REHA_CHECK(clinic_plan_store(clinic, actor,
                                 &(clinic_plan_version){.patient_id = patient_id,
                                                        .id = id,
                                                        .if_version = if_version,
                                                        .content = plan,
                                                        .episode_id = episode,
                                                        .reason = reason,
                                                        .action = "plan.make"},
                                 out, err));
done:
    json_decref(plan);
    json_decref(input);
    clinic_known_clear(&known);
    reha_guideline_free(guideline);
    return status;
}

/* ---- Editing and confirming ---- */

/* The name that stands under what somebody wrote. */
static reha_status name_of(reha_clinic *clinic, const reha_actor *actor, char out[128], reha_error *err)
{
    json_t *user = NULL;
    (void)snprintf(out, 128, "%s", "the command line");
    if (actor->role == REHA_ROLE_LOCAL) {
        return REHA_OK;
    }
    const reha_status status =
        clinic_row(clinic, REHA_SQL_USER, REHA_BIND(reha_of_text(actor->user_id)), "user", &user, err);
    if (status == REHA_OK) {
        (void)snprintf(out, 128, "%s", reha_json_string(user, "display_name", ""));
    }
    json_decref(user);
    return status;
}

/* The newest version, of which the caller may change the copy of its content. */
static reha_status open_plan(reha_clinic *clinic, const char *patient_id, const char *id, int64_t if_version,
                             json_t **content, reha_error *err)
{
    json_t *plan = NULL;
    *content = NULL;
    REHA_TRY(clinic_plan_read(clinic, patient_id, id, REHA_ANY_VERSION, &plan, err));
    reha_status status = clinic_version(plan, if_version, err);
    if (status == REHA_OK && !clinic_plan_is_ours(json_object_get(plan, "content"))) {
        status = reha_fail(err, REHA_E_CONFLICT, "this plan came from elsewhere: it can only be read");
    }
    if (status == REHA_OK) {
        *content = json_deep_copy(json_object_get(plan, "content"));
        status = *content != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a plan");
    }
    json_decref(plan);
    return status;
}

reha_status reha_clinic_plan_edit(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                  const char *id, int64_t if_version, const json_t *in, json_t **out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    char by[128];
    char today[CLINIC_DATE_BYTES];
    reha_guideline *guideline = NULL;
    json_t *plan = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_CARE, err));
    clinic_today(today);
    REHA_CHECK(open_plan(clinic, patient_id, id, if_version, &plan, err));
    REHA_CHECK(name_of(clinic, actor, by, err));
    REHA_CHECK(clinic_guideline(&guideline, err));
    REHA_CHECK(reha_plan_edit(guideline, plan, in, by, today, err));
    REHA_CHECK(clinic_plan_store(clinic, actor,
                                 &(clinic_plan_version){.patient_id = patient_id,
                                                        .id = id,
                                                        .if_version = if_version,
                                                        .content = plan,
                                                        .reason = reha_json_string(in, "reason", NULL),
                                                        .action = "plan.edit"},
                                 out, err));
done:
    json_decref(plan);
    reha_guideline_free(guideline);
    return status;
}

reha_status reha_clinic_plan_confirm(reha_clinic *clinic, const reha_actor *actor, const char *patient_id,
                                     const char *id, int64_t if_version, const json_t *in, json_t **out,
                                     reha_error *err)
{
    reha_status status = REHA_OK;
    char by[128];
    char now[REHA_TIMESTAMP_BYTES];
    const char *comment = NULL;
    json_t *plan = NULL;
    *out = NULL;
    REHA_TRY(clinic_may(actor, REHA_MAY_SIGN, err));
    REHA_TRY(clinic_check_members(in, "comment", err));
    REHA_TRY(clinic_text(in, "comment", false, REASON_BYTES, &comment, err));
    reha_clock_timestamp(now);
    REHA_CHECK(open_plan(clinic, patient_id, id, if_version, &plan, err));
    REHA_CHECK(name_of(clinic, actor, by, err));
    if (json_is_true(json_object_get(plan, "reviewed"))) {
        status = reha_fail(err, REHA_E_CONFLICT, "this version is confirmed already");
        goto done;
    }
    if (strcmp(reha_json_string(plan, "status", ""), "ask-first") == 0) {
        status = reha_fail(
            err, REHA_E_REFUSED,
            "questions that safety hangs on are open: answer them and make the plan again, then confirm it");
        goto done;
    }
    (void)json_object_set_new(plan, "reviewed", json_true());
    (void)json_object_set_new(plan, "review",
                              json_pack("{s:s, s:s, s:s, s:s?}", "by", by, "role",
                                        reha_role_name(actor->role), "at", now, "comment", comment));
    REHA_CHECK(clinic_plan_store(clinic, actor,
                                 &(clinic_plan_version){.patient_id = patient_id,
                                                        .id = id,
                                                        .if_version = if_version,
                                                        .content = plan,
                                                        .reason = comment != NULL ? comment : "confirmed",
                                                        .action = "plan.confirm"},
                                 out, err));
done:
    json_decref(plan);
    return status;
}

/* ---- On paper ---- */

static reha_status draw(const json_t *content, reha_plan_paper paper, uint8_t **out, size_t *out_bytes,
                        reha_error *err)
{
    char *folder = NULL;
    if (!clinic_plan_is_ours(content)) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "this plan came from elsewhere: it cannot be printed here");
    }
    if (paper == REHA_PLAN_FOR_CLINICIAN) {
        return reha_plan_report_pdf_encode(content, out, out_bytes, err);
    }
    REHA_TRY(reha_guidelines_folder(&folder, err));
    const reha_status status = reha_plan_patient_pdf_encode(content, folder, "en", out, out_bytes, err);
    reha_free(folder);
    return status;
}

reha_status reha_clinic_plan_pdf(reha_clinic *clinic, const reha_actor *actor, const char *id,
                                 int64_t version, reha_plan_paper paper, uint8_t **out, size_t *out_bytes,
                                 reha_error *err)
{
    reha_status status = REHA_OK;
    clinic_write write = {.store = NULL};
    json_t *plan = NULL;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(clinic_may(actor, REHA_MAY_EXPORT, err));
    REHA_CHECK(clinic_row(clinic, REHA_SQL_PLAN, REHA_BIND(reha_of_text(id), reha_of_int(version)), "plan",
                          &plan, err));
    const json_t *content = json_object_get(plan, "content");
    REHA_CHECK(draw(content, paper, out, out_bytes, err));
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    status = clinic_end(&write,
                        clinic_note(&write, actor, "plan.export", "plan", id,
                                    json_pack("{s:s, s:O, s:b}", "for",
                                              paper == REHA_PLAN_FOR_PATIENT ? "patient" : "clinician",
                                              "version", json_object_get(plan, "version"), "reviewed",
                                              json_is_true(json_object_get(content, "reviewed")) ? 1 : 0),
                                    err),
                        err);
done:
    if (status != REHA_OK) {
        reha_free(*out);
        *out = NULL;
        *out_bytes = 0;
    }
    json_decref(plan);
    return status;
}
