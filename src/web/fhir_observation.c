/* Findings of the software, with what readers decided on them, as Observations. */
#include "web/fhir_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One finding, and all that it is told with. */
typedef struct statement {
    const json_t *study, *result, *region, *finding;
    const json_t *review; /* the newest decision; NULL: none */
    size_t place;         /* index of the region */
    bool is_aside;
    const char *unit; /* of the value; NULL: none was measured */
    double value;     /* of the software; NaN: none */
} statement;

void fhir_finding_id(const char *result_id, size_t region, const char *key, char out[FHIR_ID_BYTES])
{
    (void)snprintf(out, FHIR_ID_BYTES, "%s.%zu.%s", result_id, region, key);
}

static const json_t *find_review(const json_t *result, size_t region, const char *key)
{
    const json_t *reviews = json_object_get(result, "reviews");
    for (size_t i = 0; i < json_array_size(reviews); i++) {
        const json_t *review = json_array_get(reviews, i);
        if ((size_t)json_integer_value(json_object_get(review, "region")) == region &&
            strcmp(reha_json_string(review, "finding", ""), key) == 0) {
            return review;
        }
    }
    return NULL;
}

/* The one number of a finding, as a decision is made on it: the grade, the measure, else the probability. */
static void read_value(statement *s)
{
    const json_t *grading = json_object_get(s->finding, "grading");
    const json_t *measure = json_object_get(s->finding, "measure");
    s->value = (double)NAN;
    if (json_is_object(grading)) {
        s->value = reha_json_number(grading, "grade", (double)NAN);
        s->unit = "{grade}";
    } else if (json_is_object(measure)) {
        s->value = reha_json_number(measure, "value", (double)NAN);
        s->unit = reha_json_string(measure, "unit", NULL);
    } else {
        s->value = reha_json_number(s->finding, "probability", (double)NAN);
        s->unit = "1";
    }
}

static bool is_decision(const statement *s, const char *word)
{
    return s->review != NULL && strcmp(reha_json_string(s->review, "decision", ""), word) == 0;
}

/* Final with the signature; amended where it was decided anew after a former one. */
static const char *status_of(const statement *s)
{
    const json_t *signatures = json_object_get(s->study, "signatures");
    if (s->is_aside) {
        return "entered-in-error";
    }
    if (!json_is_object(json_object_get(s->study, "signature"))) {
        return "preliminary";
    }
    const char *first = reha_json_string(json_array_get(signatures, 0), "signed_at", "");
    const bool is_later =
        s->review != NULL && strcmp(reha_json_string(s->review, "created_at", ""), first) > 0;
    return json_array_size(signatures) > 1 && is_later ? "amended" : "final";
}

static json_t *component(const char *code, const char *display)
{
    return json_pack("{s:o}", "code", fhir_concept(fhir_coding(FHIR_COMPONENTS, code, display), NULL));
}

static void add_number(fhir *f, json_t *to, const char *code, const char *display, double value,
                       const char *unit)
{
    if (isfinite(value)) {
        json_t *one = component(code, display);
        fhir_put(f, one, "valueQuantity", fhir_quantity(value, unit));
        fhir_add(f, to, one);
    }
}

static void add_text(fhir *f, json_t *to, const char *code, const char *display, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        json_t *one = component(code, display);
        fhir_put(f, one, "valueString", json_string(value));
        fhir_add(f, to, one);
    }
}

static void add_grading(fhir *f, json_t *to, const json_t *grading)
{
    const json_t *probabilities = json_object_get(grading, "probabilities");
    const json_t *set = json_object_get(grading, "prediction_set");
    for (size_t i = 0; i < json_array_size(probabilities); i++) {
        char code[40];
        char display[60];
        (void)snprintf(code, sizeof code, "probability-grade-%zu", i);
        (void)snprintf(display, sizeof display, "Probability of grade %zu", i);
        add_number(f, to, code, display, json_number_value(json_array_get(probabilities, i)), "1");
    }
    add_number(f, to, "expected-grade", "Expected grade",
               reha_json_number(grading, "expected_grade", (double)NAN), "{grade}");
    const double low = reha_json_number(set, "low", (double)NAN);
    const double high = reha_json_number(set, "high", (double)NAN);
    if (json_is_object(set) && isfinite(low) && isfinite(high)) {
        json_t *one = component("prediction-set", "Prediction set of grades");
        fhir_put(f, one, "valueRange",
                 json_pack("{s:o, s:o}", "low", fhir_quantity(low, "{grade}"), "high",
                           fhir_quantity(high, "{grade}")));
        fhir_add(f, to, one);
        add_number(f, to, "prediction-set-coverage", "Coverage that the prediction set promises",
                   reha_json_number(set, "coverage", (double)NAN), "1");
    }
}

static void put_components(fhir *f, json_t *to, const statement *s)
{
    const json_t *grading = json_object_get(s->finding, "grading");
    const json_t *measure = json_object_get(s->finding, "measure");
    json_t *all = json_array();
    if (s->review != NULL) {
        add_text(f, all, "decision", "Decision of the reader", reha_json_string(s->review, "decision", NULL));
        add_number(f, all, "software-value", "Value of the software", s->value, s->unit);
        add_number(f, all, "reader-value", "Value of the reader",
                   reha_json_number(s->review, "value", (double)NAN), s->unit);
    }
    if (json_is_object(grading)) {
        add_grading(f, all, grading);
    }
    if (json_is_object(measure)) {
        add_number(f, all, "error-95", "Half width of the 95 % interval of the software's value",
                   reha_json_number(measure, "error_95", (double)NAN), s->unit);
        add_text(f, all, "error-source", "Where the error is from",
                 reha_json_string(measure, "error_source", NULL));
        add_text(f, all, "scale-source", "Where the scale is from",
                 reha_json_string(measure, "source", NULL));
    }
    if (json_is_object(grading) || json_is_object(measure)) {
        add_number(f, all, "probability", "Calibrated probability",
                   reha_json_number(s->finding, "probability", (double)NAN), "1");
    }
    if (json_array_size(all) > 0) {
        fhir_put(f, to, "component", json_incref(all));
    }
    json_decref(all);
}

/* A reader's value stands in the place of the software's; what was rejected has none, so that a program that
 * reads only the value is not told what nobody stands for. */
static void put_value(fhir *f, json_t *to, const statement *s)
{
    static const char system[] = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
    const double value =
        is_decision(s, "amend") ? reha_json_number(s->review, "value", (double)NAN) : s->value;
    if (is_decision(s, "reject")) {
        fhir_put(f, to, "dataAbsentReason",
                 fhir_concept(fhir_coding(system, "error", "Error"), "rejected by the reader"));
    } else if (isfinite(value)) {
        fhir_put(f, to, "valueQuantity", fhir_quantity(value, s->unit));
    } else {
        const char *why = reha_json_string(json_object_get(s->finding, "measure"), "source", "not measured");
        fhir_put(f, to, "dataAbsentReason", fhir_concept(fhir_coding(system, "unknown", "Unknown"), why));
    }
}

static json_t *device(const statement *s)
{
    static const char text[] = "text";
    const char *hash = reha_json_string(s->result, "model_hash", "");
    json_t *versions = json_pack("[{s:{s:s}, s:s}, {s:{s:s}, s:s}]", "type", text, "software", "value",
                                 reha_json_string(s->result, "software", "?"), "type", text, "model", "value",
                                 reha_json_string(s->result, "model_version", "?"));
    if (hash[0] != '\0') {
        (void)json_array_append_new(
            versions, json_pack("{s:{s:s}, s:s}", "type", text, "SHA-256 of the model", "value", hash));
    }
    return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s}, {s:s, s:s}], s:o}", "resourceType", "Device", "id",
                     "software", "status", "active", "deviceName", "name", "Rehascope", "type",
                     "manufacturer-name", "name", reha_json_string(s->result, "model", "?"), "type",
                     "model-name", "version", versions);
}

static json_t *codes(const statement *s)
{
    const json_t *code = json_object_get(s->finding, "code");
    const char *label = reha_json_string(s->finding, "label", "");
    json_t *own = fhir_coding(FHIR_FINDINGS, reha_json_string(s->finding, "key", ""), label);
    const char *system = reha_json_string(code, "system", "");
    const char *value = reha_json_string(code, "code", "");
    const char *shown = reha_json_string(code, "display", "");
    json_t *all = json_is_object(code) && system[0] != '\0' && value[0] != '\0'
                      ? json_pack("[o, o]", fhir_coding(system, value, shown[0] != '\0' ? shown : NULL), own)
                      : json_pack("[o]", own);
    return json_pack("{s:o, s:s}", "coding", all, "text", label);
}

static const char *body_part(const statement *s)
{
    const char *task = reha_json_string(s->result, "task", "");
    if (strcmp(task, "knee-oa") == 0 || strcmp(task, "bone-density") == 0) {
        return "knee";
    }
    return strncmp(task, "muscle", 6) == 0 ? "skeletal muscle"
                                           : reha_json_string(s->study, "body_part", NULL);
}

static void put_notes(fhir *f, json_t *to, const statement *s)
{
    const char *evidence = reha_json_string(s->finding, "evidence", "");
    const bool is_research = json_is_true(json_object_get(s->finding, "research_only"));
    json_t *notes = json_array();
    if (is_research) {
        fhir_add(f, notes, json_pack("{s:s}", "text", "For research only: not for decisions on a patient."));
        fhir_put(f, json_object_get(to, "meta"), "tag",
                 json_pack("[o]", fhir_coding(FHIR_TAGS, "research-only", "For research only")));
    }
    if (evidence[0] != '\0') {
        fhir_add(f, notes, json_pack("{s:s}", "text", evidence));
    }
    if (json_array_size(notes) > 0) {
        fhir_put(f, to, "note", json_incref(notes));
    }
    json_decref(notes);
}

static json_t *observe(fhir *f, const statement *s)
{
    char id[FHIR_ID_BYTES];
    char method[160];
    const char *result_id = reha_json_string(s->result, "id", "");
    const char *patient = reha_json_string(json_object_get(s->study, "patient"), "id", "");
    fhir_finding_id(result_id, s->place, reha_json_string(s->finding, "key", ""), id);
    (void)snprintf(method, sizeof method, "Automatic image analysis (%s, model %s %s)",
                   reha_json_string(s->result, "task", ""), reha_json_string(s->result, "model", ""),
                   reha_json_string(s->result, "model_version", ""));
    json_t *to = json_pack(
        "{s:s, s:s, s:[o], s:s, s:[{s:[o]}], s:o}", "resourceType", "Observation", "id", id, "contained",
        device(s), "status", status_of(s), "category", "coding",
        fhir_coding("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging"),
        "code", codes(s));
    fhir_put_meta(f, to, json_integer_value(json_object_get(s->study, "version")),
                  reha_json_string(s->study, "changed_at", NULL));
    if (patient[0] != '\0') {
        fhir_put(f, to, "subject", fhir_reference("Patient", patient));
    }
    fhir_put_text(f, to, "effectiveDateTime", reha_json_string(s->study, "image_date", NULL));
    fhir_put_text(f, to, "issued", reha_json_string(s->result, "created_at", NULL));
    if (s->review != NULL) {
        fhir_put(f, to, "performer",
                 json_pack("[{s:s, s:s}]", "type", "Practitioner", "display",
                           reha_json_string(s->review, "user_name", "")));
    }
    put_value(f, to, s);
    put_notes(f, to, s);
    json_t *site = fhir_body_site(body_part(s), reha_json_string(s->region, "side", NULL));
    if (site != NULL) {
        fhir_put(f, to, "bodySite", site);
    }
    fhir_put(f, to, "method", fhir_concept(NULL, method));
    fhir_put(f, to, "device", json_pack("{s:s}", "reference", "#software"));
    fhir_put(f, to, "derivedFrom",
             json_pack("[o]", fhir_reference("ImagingStudy", reha_json_string(s->study, "id", ""))));
    put_components(f, to, s);
    return to;
}

void fhir_result_findings(fhir *f, const json_t *study, const json_t *result, bool is_aside, json_t *out)
{
    const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const json_t *region = json_array_get(regions, i);
        const json_t *findings = json_object_get(region, "findings");
        for (size_t k = 0; k < json_array_size(findings); k++) {
            const json_t *finding = json_array_get(findings, k);
            statement s = {.study = study,
                           .result = result,
                           .region = region,
                           .finding = finding,
                           .review = find_review(result, i, reha_json_string(finding, "key", "")),
                           .place = i,
                           .is_aside = is_aside};
            read_value(&s);
            fhir_add(f, out, observe(f, &s));
        }
    }
}

void fhir_findings(fhir *f, const json_t *study, json_t *out)
{
    const json_t *images = json_object_get(study, "images");
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *results = json_object_get(json_array_get(images, i), "results");
        for (size_t k = 0; k < json_array_size(results); k++) {
            fhir_result_findings(f, study, json_array_get(results, k), false, out);
        }
    }
}
