/* Questionnaires, tests and measures of a patient as Observations. */
#include "web/fhir_priv.h"

#include <string.h>

typedef struct instrument_code {
    const char *key;
    const char *code;    /* LOINC; NULL: none that we could verify */
    const char *display; /* LOINC's own name; NULL: not verified, so not told */
} instrument_code;

/* Where each is from: docs/formats/fhir.md. */
static const instrument_code loinc_codes[] = {
    {"koos-pain", "72102-7", "Pain score [KOOS]"},
    {"koos-symptoms", "72101-9", NULL},
    {"koos-adl", "72100-1", NULL},
    {"koos-sport", "72099-5", "Sport-recreation score [KOOS]"},
    {"koos-qol", "72098-7", "Quality of life score [KOOS]"},
    {"hoos-pain", "72097-9", NULL},
    {"hoos-symptoms", "72096-1", NULL},
    {"hoos-adl", "72095-3", "Activities of daily living score [HOOS]"},
    {"hoos-sport", "72094-6", NULL},
    {"hoos-qol", "72093-8", "Quality of life score [HOOS]"},
    {"nrs-pain", "72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported"},
    {"walk-6min", "64098-7", NULL}};

static bool begins(const char *key, const char *const *starts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(key, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_knee(const char *key)
{
    static const char *const starts[] = {"koos", "oks", "ikdc", "rom-knee", "dynamometry-knee"};
    return begins(key, starts, sizeof starts / sizeof starts[0]);
}

static bool is_examined(const char *key)
{
    static const char *const starts[] = {"rom-", "tug", "sit-to-stand", "walk-", "dynamometry", "lsi"};
    return begins(key, starts, sizeof starts / sizeof starts[0]);
}

static json_t *codes(const char *key, const char *title)
{
    json_t *all = json_array();
    for (size_t i = 0; i < sizeof loinc_codes / sizeof loinc_codes[0]; i++) {
        if (strcmp(loinc_codes[i].key, key) == 0) {
            (void)json_array_append_new(all,
                                        fhir_coding(FHIR_LOINC, loinc_codes[i].code, loinc_codes[i].display));
        }
    }
    if (key[0] != '\0') {
        (void)json_array_append_new(all, fhir_coding(FHIR_INSTRUMENTS, key, title));
    }
    json_t *concept = json_array_size(all) > 0 ? json_pack("{s:O, s:s}", "coding", all, "text", title)
                                               : json_pack("{s:s}", "text", title);
    json_decref(all);
    return concept;
}

json_t *fhir_score(fhir *f, const json_t *score)
{
    const char *key = reha_json_string(score, "key", "");
    const char *name = reha_json_string(score, "instrument", "");
    const bool is_withdrawn = json_is_string(json_object_get(score, "withdrawn_reason"));
    json_t *category =
        is_examined(key)
            ? fhir_coding("http://terminology.hl7.org/CodeSystem/observation-category", "exam", "Exam")
            : fhir_coding("http://terminology.hl7.org/CodeSystem/observation-category", "survey", "Survey");
    json_t *to =
        json_pack("{s:s, s:s, s:s, s:[{s:[o]}], s:o, s:o}", "resourceType", "Observation", "id",
                  reha_json_string(score, "id", ""), "status", is_withdrawn ? "entered-in-error" : "final",
                  "category", "coding", category, "code", codes(key, reha_json_string(score, "title", name)),
                  "subject", fhir_reference("Patient", reha_json_string(score, "patient_id", "")));
    /* A score never changes; it can be withdrawn once, at a time that the record does not tell. */
    fhir_put_meta(f, to, is_withdrawn ? 2 : 1,
                  is_withdrawn ? NULL : reha_json_string(score, "created_at", NULL));
    fhir_put_text(f, to, "effectiveDateTime", reha_json_string(score, "date", NULL));
    fhir_put_text(f, to, "issued", reha_json_string(score, "created_at", NULL));
    const char *who = reha_json_string(score, "user_name", "");
    if (who[0] != '\0') {
        fhir_put(f, to, "performer", json_pack("[{s:s, s:s}]", "type", "Practitioner", "display", who));
    }
    fhir_put(f, to, "valueQuantity",
             fhir_quantity(reha_json_number(score, "value", 0.0), reha_json_string(score, "unit", NULL)));
    json_t *site = fhir_body_site(is_of_knee(key) ? "knee" : NULL, reha_json_string(score, "side", NULL));
    if (site != NULL) {
        fhir_put(f, to, "bodySite", site);
    }
    return to;
}
