/* Patients, studies and their reports as FHIR resources. */
#include "web/fhir_priv.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static json_int_t version_of(const json_t *record)
{
    return json_integer_value(json_object_get(record, "version"));
}

json_t *fhir_patient(fhir *f, const json_t *patient)
{
    static const struct {
        const char *ours, *theirs;
    } genders[] = {{"f", "female"}, {"m", "male"}, {"x", "other"}};
    json_t *to = json_pack("{s:s, s:s, s:b, s:[{s:s, s:s, s:s}]}", "resourceType", "Patient", "id",
                           reha_json_string(patient, "id", ""), "active", 1, "identifier", "use", "usual",
                           "system", FHIR_PSEUDONYM, "value", reha_json_string(patient, "pseudonym", ""));
    fhir_put_meta(f, to, version_of(patient), reha_json_string(patient, "changed_at", NULL));
    const char *name = reha_json_string(patient, "name", "");
    if (f->may_identity && name[0] != '\0') { /* null already for whoever must not know it */
        fhir_put(f, to, "name", json_pack("[{s:s}]", "text", name));
    }
    for (size_t i = 0; i < sizeof genders / sizeof genders[0]; i++) {
        if (strcmp(reha_json_string(patient, "sex", ""), genders[i].ours) == 0) {
            fhir_put_text(f, to, "gender", genders[i].theirs);
        }
    }
    const json_t *year = json_object_get(patient, "birth_year");
    if (json_is_integer(year)) {
        char text[16];
        (void)snprintf(text, sizeof text, "%04d", (int)json_integer_value(year));
        fhir_put_text(f, to, "birthDate", text);
    }
    return to;
}

/* Of a study: null where it is filed under nobody. */
static json_t *subject(const json_t *study)
{
    const char *id = reha_json_string(json_object_get(study, "patient"), "id", "");
    return id[0] != '\0' ? fhir_reference("Patient", id) : NULL;
}

json_t *fhir_imaging_study(fhir *f, const json_t *study, const char *uid)
{
    json_t *to = json_pack("{s:s, s:s, s:s}", "resourceType", "ImagingStudy", "id",
                           reha_json_string(study, "id", ""), "status", "available");
    fhir_put_meta(f, to, version_of(study), reha_json_string(study, "changed_at", NULL));
    if (uid != NULL && uid[0] != '\0') {
        char value[96];
        (void)snprintf(value, sizeof value, "urn:oid:%s", uid);
        fhir_put(f, to, "identifier", json_pack("[{s:s, s:s}]", "system", FHIR_DICOM_UID, "value", value));
    }
    const char *modality = reha_json_string(study, "modality", "");
    if (modality[0] != '\0') {
        fhir_put(
            f, to, "modality",
            json_pack("[o]", fhir_coding("http://dicom.nema.org/resources/ontology/DCM", modality, NULL)));
    }
    json_t *patient = subject(study);
    fhir_put(f, to, "subject",
             patient != NULL ? patient : json_pack("{s:s}", "display", "not filed under a patient"));
    fhir_put_text(f, to, "started", reha_json_string(study, "image_date", NULL));
    fhir_put(f, to, "numberOfInstances",
             json_integer(json_integer_value(json_object_get(study, "image_count"))));
    fhir_put_text(f, to, "description", reha_json_string(study, "body_part", NULL));
    return to;
}

/* ---- reports ---- */

static const char *report_status(const json_t *study)
{
    const char *status = reha_json_string(study, "status", "");
    if (json_is_object(json_object_get(study, "signature"))) {
        return json_array_size(json_object_get(study, "signatures")) > 1 ? "amended" : "final";
    }
    return strcmp(status, "waiting") == 0  ? "registered"
           : strcmp(status, "failed") == 0 ? "cancelled"
                                           : "preliminary";
}

static const char *finding_label(const json_t *result, const json_t *review)
{
    const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
    const size_t region = (size_t)json_integer_value(json_object_get(review, "region"));
    const json_t *findings = json_object_get(json_array_get(regions, region), "findings");
    const char *key = reha_json_string(review, "finding", "");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        if (strcmp(reha_json_string(finding, "key", ""), key) == 0) {
            return reha_json_string(finding, "label", key);
        }
    }
    return key;
}

/* What the software said in its line, and where a reader has decided otherwise: the line alone would
 * contradict the values. */
static void conclude_result(const json_t *result, reha_text *text)
{
    const json_t *reviews = json_object_get(result, "reviews");
    reha_text_addf(text, "%sSoftware: %s.", text->length > 0 ? "\n" : "",
                   reha_json_string(result, "headline", ""));
    for (size_t i = 0; i < json_array_size(reviews); i++) {
        const json_t *review = json_array_get(reviews, i);
        const char *decision = reha_json_string(review, "decision", "");
        if (strcmp(decision, "amend") == 0) {
            reha_text_addf(text, "\nReader: %s: %.9g in place of %.9g.", finding_label(result, review),
                           reha_json_number(review, "value", (double)NAN),
                           reha_json_number(review, "software_value", (double)NAN));
        } else if (strcmp(decision, "reject") == 0) {
            reha_text_addf(text, "\nReader: %s: rejected.", finding_label(result, review));
        }
    }
}

static void put_conclusion(fhir *f, json_t *to, const json_t *study)
{
    const json_t *images = json_object_get(study, "images");
    reha_text text = {0};
    if (!json_is_object(json_object_get(study, "signature"))) {
        reha_text_add(&text, "NOT REVIEWED: what the software proposes, signed by nobody.");
    }
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *results = json_object_get(json_array_get(images, i), "results");
        for (size_t k = 0; k < json_array_size(results); k++) {
            conclude_result(json_array_get(results, k), &text);
        }
    }
    f->failed = f->failed || text.failed;
    fhir_put_text(f, to, "conclusion", text.data);
    reha_text_clear(&text);
}

static void put_results(fhir *f, json_t *to, const json_t *study)
{
    json_t *found = json_array();
    json_t *references = json_array();
    fhir_findings(f, study, found);
    for (size_t i = 0; i < json_array_size(found); i++) {
        fhir_add(f, references,
                 fhir_reference("Observation", reha_json_string(json_array_get(found, i), "id", "")));
    }
    if (json_array_size(references) > 0) {
        fhir_put(f, to, "result", json_incref(references));
    }
    json_decref(found);
    json_decref(references);
}

static void put_signature(fhir *f, json_t *to, const json_t *study)
{
    const json_t *signature = json_object_get(study, "signature");
    if (!json_is_object(signature)) {
        return;
    }
    const char *name = reha_json_string(signature, "user_name", "");
    fhir_put_text(f, to, "issued", reha_json_string(signature, "signed_at", NULL));
    fhir_put(f, to, "performer", json_pack("[{s:s, s:s}]", "type", "Practitioner", "display", name));
    fhir_put(f, to, "resultsInterpreter", json_pack("[{s:s, s:s}]", "type", "Practitioner", "display", name));
}

json_t *fhir_report(fhir *f, const json_t *study)
{
    char url[REHA_BASE_BYTES + 80];
    const char *id = reha_json_string(study, "id", "");
    const bool is_ultrasound = strcmp(reha_json_string(study, "modality", ""), "US") == 0;
    json_t *to = json_pack("{s:s, s:s, s:s}", "resourceType", "DiagnosticReport", "id", id, "status",
                           report_status(study));
    fhir_put_meta(f, to, version_of(study), reha_json_string(study, "changed_at", NULL));
    fhir_put(f, to, "category",
             json_pack("[o]", fhir_concept(fhir_coding("http://terminology.hl7.org/CodeSystem/v2-0074",
                                                       is_ultrasound ? "RUS" : "RAD",
                                                       is_ultrasound ? "Radiology Ultrasound" : "Radiology"),
                                           NULL)));
    fhir_put(f, to, "code",
             fhir_concept(fhir_coding(FHIR_LOINC, "18748-4", "Diagnostic imaging study"),
                          "Diagnostic imaging study"));
    json_t *patient = subject(study);
    if (patient != NULL) {
        fhir_put(f, to, "subject", patient);
    }
    fhir_put_text(f, to, "effectiveDateTime", reha_json_string(study, "image_date", NULL));
    put_signature(f, to, study);
    put_results(f, to, study);
    fhir_put(f, to, "imagingStudy", json_pack("[o]", fhir_reference("ImagingStudy", id)));
    put_conclusion(f, to, study);
    (void)snprintf(url, sizeof url, "%.*s/api/v1/studies/%s/report.pdf",
                   (int)(strlen(f->base) - strlen("/fhir/R4")), f->base, id);
    fhir_put(f, to, "presentedForm",
             json_pack("[{s:s, s:s, s:s}]", "contentType", "application/pdf", "url", url, "title",
                       "Report as PDF"));
    return to;
}
