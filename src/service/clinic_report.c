#include "service/clinic_report_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/finding_text.h"
#include "recognition/recogniser.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURE_BYTES_MAX = 64 << 20, DATE_CHARS = 10 };

bool report_is_signed(const json_t *study)
{
    return json_is_object(json_object_get(study, "signature"));
}

void report_banner(const json_t *study, char *out, size_t out_bytes)
{
    const json_t *signature = json_object_get(study, "signature");
    if (!report_is_signed(study)) {
        (void)snprintf(out, out_bytes, "Not reviewed: computer-made findings that no clinician has signed.");
        return;
    }
    (void)snprintf(out, out_bytes, "Signed by %s (%s) on %.*s.", reha_json_string(signature, "user_name", ""),
                   reha_json_string(signature, "role", ""), DATE_CHARS,
                   reha_json_string(signature, "signed_at", ""));
}

void report_patient(const json_t *study, char *out, size_t out_bytes)
{
    const json_t *patient = json_object_get(study, "patient");
    const char *name = reha_json_string(patient, "name", NULL);
    if (!json_is_object(patient)) {
        (void)snprintf(out, out_bytes, "not filed under a patient yet");
        return;
    }
    (void)snprintf(out, out_bytes, "%s%s%s", reha_json_string(patient, "pseudonym", ""),
                   name != NULL ? ", " : "", name != NULL ? name : "");
}

static void measure_text(const json_t *measure, char *out, size_t out_bytes)
{
    reha_measure_text(reha_json_number(measure, "value", (double)NAN),
                      reha_json_number(measure, "error_95", (double)NAN),
                      reha_json_string(measure, "unit", ""), out, out_bytes);
}

static void grade_text(const json_t *grading, char *out, size_t out_bytes)
{
    const json_t *set = json_object_get(grading, "prediction_set");
    const int grade = (int)reha_json_number(grading, "grade", 0.0);
    const int low = (int)reha_json_number(set, "low", 0.0);
    const int high = (int)reha_json_number(set, "high", 0.0);
    char text[REHA_SET_BYTES];
    if (!json_is_object(set)) {
        (void)snprintf(out, out_bytes, "%d", grade);
    } else {
        reha_set_text(reha_json_number(set, "coverage", 0.0), low, high, text);
        (void)snprintf(out, out_bytes, "%d (%s)", grade, text);
    }
}

static void software_text(const json_t *finding, char *out, size_t out_bytes)
{
    const json_t *grading = json_object_get(finding, "grading");
    const json_t *measure = json_object_get(finding, "measure");
    const double probability = reha_json_number(finding, "probability", (double)NAN);
    out[0] = '\0';
    if (json_is_object(grading) && json_is_number(json_object_get(grading, "grade"))) {
        grade_text(grading, out, out_bytes);
    } else if (json_is_object(measure)) {
        measure_text(measure, out, out_bytes);
    } else if (isfinite(probability)) {
        const bool is_edge = probability > 0.995 || probability < 0.005;
        (void)snprintf(out, out_bytes, "%s%.0f %%", is_edge ? (probability > 0.5 ? "> " : "< ") : "",
                       is_edge ? (probability > 0.5 ? 99.0 : 1.0) : 100.0 * probability);
    }
}

static const char *task_title(const char *task)
{
    const reha_recogniser *recogniser = reha_recogniser_find(task);
    return recogniser != NULL ? recogniser->title : task;
}

void report_task(const json_t *result, char *out, size_t out_bytes)
{
    const char *task = reha_json_string(result, "task", "");
    (void)snprintf(out, out_bytes, "%s (%s, %s)", task_title(task), task,
                   json_is_true(json_object_get(result, "asked")) ? "asked for by name"
                                                                  : "chosen by the program");
}

void report_set_aside(const json_t *aside, char out[REPORT_LINE_BYTES])
{
    const char *task = reha_json_string(aside, "task", "");
    (void)snprintf(out, REPORT_LINE_BYTES,
                   "%s (%s): asked for by name, analysed %.*s; set aside by %s on %.*s: %s", task_title(task),
                   task, DATE_CHARS, reha_json_string(aside, "analysed_at", ""),
                   reha_json_string(aside, "user_name", ""), DATE_CHARS,
                   reha_json_string(aside, "created_at", ""), reha_json_string(aside, "reason", ""));
    for (char *at = out; (at = strpbrk(at, "\t\r\n")) != NULL;) {
        *at = ' ';
    }
}

void report_no_result(const json_t *image, char *out, size_t out_bytes)
{
    const json_t *job = json_object_get(image, "job");
    if (strcmp(reha_json_string(job, "state", ""), "done") == 0) {
        (void)snprintf(out, out_bytes, "No result stands: what was asked for was set aside.");
    } else {
        (void)snprintf(out, out_bytes, "Not analysed: %.300s",
                       reha_json_string(job, "text", "its analysis has not ended"));
    }
}

void report_region_title(const json_t *analysis, size_t region_idx, char *out, size_t out_bytes)
{
    const json_t *regions = json_object_get(analysis, "regions");
    const json_t *region = json_array_get(regions, region_idx);
    const char *side = reha_json_string(region, "side", "unknown");
    const char *joint = strcmp(reha_json_string(analysis, "task", ""), "knee-oa") == 0 ? "knee" : "side";
    if (json_is_object(json_object_get(region, "thickness_profile"))) {
        (void)snprintf(out, out_bytes, "Muscle");
    } else if (strcmp(side, "unknown") != 0) {
        (void)snprintf(out, out_bytes, "%c%s %s",
                       side[0] == 'r'   ? 'R'
                       : side[0] == 'l' ? 'L'
                                        : 'B',
                       side + 1, joint);
    } else if (json_array_size(regions) > 1) {
        (void)snprintf(out, out_bytes, "Joint %zu from the left, side unknown", region_idx + 1);
    } else {
        (void)snprintf(out, out_bytes, "Side unknown");
    }
}

void report_unmeasured(const json_t *findings, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        if (!reha_finding_needs_decision(finding) && used < out_bytes) {
            const int added = snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? ", " : "",
                                       reha_json_string(finding, "label", ""));
            used += added > 0 ? (size_t)added : 0;
        }
    }
}

const json_t *report_find_review(const json_t *result, int region_idx, const char *key)
{
    const json_t *reviews = json_object_get(result, "reviews");
    for (size_t i = 0; i < json_array_size(reviews); i++) {
        const json_t *review = json_array_get(reviews, i);
        if ((int)reha_json_number(review, "region", -1.0) == region_idx &&
            strcmp(reha_json_string(review, "finding", ""), key) == 0) {
            return review;
        }
    }
    return NULL;
}

report_row report_make_row(const json_t *result, int region_idx, const json_t *finding)
{
    report_row row = {.human = "no decision yet", .is_measured = reha_finding_needs_decision(finding)};
    const char *key = reha_json_string(finding, "key", "");
    const json_t *review = report_find_review(result, region_idx, key);
    (void)snprintf(row.label, sizeof row.label, "%s", reha_json_string(finding, "label", key));
    software_text(finding, row.software, sizeof row.software);
    row.evidence = reha_json_string(finding, "evidence", NULL);
    row.research_only = json_is_true(json_object_get(finding, "research_only"));
    if (review != NULL) {
        const char *decision = reha_json_string(review, "decision", "");
        if (strcmp(decision, "amend") == 0) {
            (void)snprintf(row.human, sizeof row.human, "amended to %.4g",
                           reha_json_number(review, "value", (double)NAN));
        } else {
            (void)snprintf(row.human, sizeof row.human, "%s",
                           strcmp(decision, "accept") == 0 ? "accepted" : "rejected");
        }
        (void)snprintf(row.who, sizeof row.who, "%s, %.*s", reha_json_string(review, "user_name", ""),
                       DATE_CHARS, reha_json_string(review, "created_at", ""));
        row.reason = reha_json_string(review, "reason", NULL);
    }
    return row;
}

/* ---- the use case ---- */

static reha_status load_picture(reha_clinic *clinic, const json_t *result, report_picture *out,
                                reha_error *err)
{
    json_t *row = NULL;
    if (clinic_row(clinic, REHA_SQL_PICTURE,
                   REHA_BIND(reha_of_text(reha_json_string(result, "id", "")), reha_of_text("overlay")),
                   "picture", &row, NULL) != REHA_OK) {
        return REHA_OK; /* it has none */
    }
    const reha_status status = reha_blobs_get(clinic->blobs, reha_json_string(row, "digest", ""),
                                              PICTURE_BYTES_MAX, &out->png, &out->png_bytes, err);
    json_decref(row);
    return status;
}

reha_status report_load_pictures(reha_clinic *clinic, const json_t *study, report_picture **out,
                                 size_t *count, reha_error *err)
{
    const json_t *images = json_object_get(study, "images");
    size_t at = 0;
    *count = 0;
    for (size_t i = 0; i < json_array_size(images); i++) {
        *count += json_array_size(json_object_get(json_array_get(images, i), "results"));
    }
    *out = reha_alloc_zero(*count + 1, sizeof **out);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a report");
    }
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *results = json_object_get(json_array_get(images, i), "results");
        for (size_t k = 0; k < json_array_size(results); k++) {
            REHA_TRY(load_picture(clinic, json_array_get(results, k), &(*out)[at++], err));
        }
    }
    return REHA_OK;
}

void report_free_pictures(report_picture *pictures, size_t count)
{
    for (size_t i = 0; i < count && pictures != NULL; i++) {
        reha_free(pictures[i].png);
    }
    reha_free(pictures);
}

static reha_status report_json(const report_source *source, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    char banner[300];
    report_banner(source->study, banner, sizeof banner);
    json_t *document =
        json_pack("{s:s, s:s, s:b, s:s, s:s, s:O}", "schema", "rehascope/study-report/1", "software",
                  "rehascope " REHA_VERSION, "reviewed", report_is_signed(source->study) ? 1 : 0, "status",
                  banner, "made_at", source->made_at, "study", source->study);
    const reha_status status = reha_json_format(document, (char **)out, err);
    json_decref(document);
    *out_bytes = status == REHA_OK ? strlen((char *)*out) : 0;
    return status;
}

static reha_status write_report(const report_source *source, reha_report_format format, uint8_t **out,
                                size_t *out_bytes, reha_error *err)
{
    switch (format) {
    case REHA_REPORT_HTML:
        return report_html(source, out, out_bytes, err);
    case REHA_REPORT_PDF:
        return report_pdf(source, out, out_bytes, err);
    case REHA_REPORT_JSON:
        return report_json(source, out, out_bytes, err);
    default:
        return reha_fail(err, REHA_E_ARG, "reports are HTML, PDF or JSON");
    }
}

reha_status reha_clinic_report(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                               reha_report_format format, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    static const char *const names[] = {"html", "pdf", "json"};
    json_t *study = NULL;
    json_t *state = NULL;
    report_picture *pictures = NULL;
    size_t count = 0;
    char now[REHA_TIMESTAMP_BYTES];
    clinic_write write;
    reha_status status = REHA_OK;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(clinic_may(actor, REHA_MAY_EXPORT, err));
    reha_store *store = clinic_read(clinic);
    status = clinic_study_read(store, actor, study_id, &study, err);
    clinic_read_end(clinic, store);
    REHA_CHECK(status);
    REHA_CHECK(reha_clinic_state(clinic, &state, err));
    REHA_CHECK(report_load_pictures(clinic, study, &pictures, &count, err));
    reha_clock_timestamp(now);
    const report_source source = {.study = study,
                                  .pictures = pictures,
                                  .clinic_name = reha_json_string(state, "clinic_name", NULL),
                                  .made_at = now};
    REHA_CHECK(write_report(&source, format, out, out_bytes, err));
    REHA_CHECK(clinic_begin(clinic, true, &write, err));
    status = clinic_end(&write,
                        clinic_note(&write, actor, "study.export", "study", study_id,
                                    json_pack("{s:s, s:b}", "format", names[format], "signed",
                                              report_is_signed(study) ? 1 : 0),
                                    err),
                        err);
done:
    if (status != REHA_OK) {
        reha_free(*out);
        *out = NULL;
        *out_bytes = 0;
    }
    report_free_pictures(pictures, count);
    json_decref(study);
    json_decref(state);
    return status;
}
