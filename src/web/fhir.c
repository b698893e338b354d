/* What all FHIR answers share, and reading one resource. */
#include "web/fhir_priv.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *fhir_kind_name(fhir_kind kind)
{
    static const char *const names[FHIR_KINDS] = {"Patient", "ImagingStudy", "DiagnosticReport",
                                                  "Observation"};
    return names[kind];
}

/* ---- errors ---- */

bool reha_fhir_is_path(const char *path)
{
    return strncmp(path, "/fhir/", 6) == 0;
}

/* The code of an issue, of the standard's own list. */
static const char *issue_code(int code)
{
    static const struct {
        int code;
        const char *issue;
    } known[] = {{400, "invalid"},       {401, "login"},         {403, "forbidden"},     {404, "not-found"},
                 {405, "not-supported"}, {406, "not-supported"}, {409, "conflict"},      {410, "deleted"},
                 {412, "conflict"},      {413, "too-long"},      {415, "not-supported"}, {421, "security"},
                 {422, "processing"},    {429, "throttled"},     {503, "transient"},     {507, "no-store"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].code == code) {
            return known[i].issue;
        }
    }
    return "exception";
}

void reha_fhir_respond_error(reha_http_response *response, int code, const char *message, const char *hint,
                             const char *request_id)
{
    const int retry_after_s = response->retry_after_s;
    char more[160];
    (void)snprintf(more, sizeof more, "%s Request %s.", hint, request_id);
    reha_http_response_clear(response);
    json_t *outcome =
        json_pack("{s:s, s:[{s:s, s:s, s:{s:o}, s:s}]}", "resourceType", "OperationOutcome", "issue",
                  "severity", code >= 500 ? "fatal" : "error", "code", issue_code(code), "details", "text",
                  reha_json_text(message), "diagnostics", more);
    if (reha_http_respond_json(response, code, outcome, NULL) != REHA_OK) {
        response->code = code;
    }
    response->type = FHIR_TYPE;
    response->retry_after_s = retry_after_s;
}

void fhir_refuse(reha_call *call, int code, const char *message, const char *hint)
{
    reha_fhir_respond_error(&call->response, code, message, hint, call->request->id);
}

/* ---- beginning and end of an answer ---- */

/* _format wins over Accept, as the standard says. */
static bool is_our_format(const reha_call *call)
{
    const char *format = reha_call_query(call, "_format");
    const char *accept = reha_call_header(call, "Accept");
    if (format != NULL) {
        /* "application/fhir+json": browsers and clients that do not encode a plus send a blank */
        return strcmp(format, "json") == 0 || strncmp(format, "application/json", 16) == 0 ||
               strncmp(format, "application/fhir+json", 21) == 0 ||
               strncmp(format, "application/fhir json", 21) == 0;
    }
    return accept == NULL || accept[0] == '\0' || strstr(accept, "json") != NULL ||
           strstr(accept, "*/*") != NULL || strstr(accept, "application/*") != NULL;
}

void fhir_begin(reha_call *call, fhir *f, bool *is_done)
{
    *f = (fhir){.call = call, .may_identity = reha_role_may(call->actor.role, REHA_MAY_IDENTITY)};
    reha_call_base(call, "/fhir/R4", f->base);
    *is_done = !is_our_format(call);
    if (*is_done) {
        fhir_refuse(call, 406, "this server speaks JSON only",
                    "Ask for application/fhir+json in the header Accept, or with _format=json.");
    }
}

reha_status fhir_answer(fhir *f, json_t *resource, reha_error *err)
{
    reha_http_response *response = &f->call->response;
    const json_t *meta = json_object_get(resource, "meta");
    char etag[sizeof response->etag] = "";
    char date[sizeof response->last_modified] = "";
    if (json_is_object(json_object_get(resource, "meta"))) {
        const char *version = reha_json_string(meta, "versionId", "");
        (void)snprintf(etag, sizeof etag, version[0] != '\0' ? "W/\"%s\"" : "%s", version);
        reha_http_date(reha_json_string(meta, "lastUpdated", NULL), date);
    }
    if (f->failed) {
        json_decref(resource);
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing the answer");
    }
    REHA_TRY(reha_http_respond_json(response, 200, resource, err));
    response->type = FHIR_TYPE;
    response->cache = "private, no-cache";
    memcpy(response->etag, etag, sizeof etag);
    memcpy(response->last_modified, date, sizeof date);
    return REHA_OK;
}

/* ---- pieces ---- */

void fhir_put(fhir *f, json_t *to, const char *key, json_t *value)
{
    f->failed = json_object_set_new(to, key, value) != 0 || f->failed;
}

void fhir_add(fhir *f, json_t *to, json_t *value)
{
    f->failed = json_array_append_new(to, value) != 0 || f->failed;
}

void fhir_put_text(fhir *f, json_t *to, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        fhir_put(f, to, key, json_string(value));
    }
}

json_t *fhir_coding(const char *system, const char *code, const char *display)
{
    return json_pack("{s:s, s:s, s:s*}", "system", system, "code", code, "display", display);
}

json_t *fhir_concept(json_t *coding, const char *text)
{
    return coding != NULL ? json_pack("{s:[o], s:s*}", "coding", coding, "text", text)
                          : json_pack("{s:s}", "text", text != NULL ? text : "");
}

json_t *fhir_quantity(double value, const char *unit)
{
    static const struct {
        const char *ours, *ucum, *shown; /* shown NULL: as it is */
    } known[] = {{"mm", "mm", NULL},
                 {"cm", "cm", NULL},
                 {"m", "m", NULL},
                 {"mm2", "mm2", NULL},
                 {"deg", "deg", NULL},
                 {"s", "s", NULL},
                 {"N", "N", NULL},
                 {"%", "%", NULL},
                 {"1", "1", NULL},
                 {"{grade}", "{grade}", "grade"},
                 {"{grey}", "{grey}", "grey level"},
                 {"px", "{pixels}", NULL},
                 {"points", "{score}", NULL},
                 {"count", "{count}", NULL}};
    for (size_t i = 0; unit != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].ours, unit) == 0) {
            return json_pack("{s:o, s:s, s:s, s:s}", "value", reha_json_real(value), "unit",
                             known[i].shown != NULL ? known[i].shown : unit, "system", FHIR_UCUM, "code",
                             known[i].ucum);
        }
    }
    return json_pack("{s:o, s:s*}", "value", reha_json_real(value), "unit",
                     unit != NULL && unit[0] != '\0' ? unit : NULL);
}

json_t *fhir_reference(const char *type, const char *id)
{
    char text[FHIR_ID_BYTES + 40];
    (void)snprintf(text, sizeof text, "%s/%s", type, id);
    return json_pack("{s:s}", "reference", text);
}

json_t *fhir_body_site(const char *part, const char *side)
{
    static const struct {
        const char *part, *side, *code, *display;
    } known[] = {{"knee", "right", "6757004", "Structure of right knee region"},
                 {"knee", "left", "82169009", "Structure of left knee region"},
                 {"knee", "", "72696002", "Knee region structure"}};
    char text[80];
    const bool has_side = side != NULL && (strcmp(side, "right") == 0 || strcmp(side, "left") == 0);
    const bool has_part = part != NULL && part[0] != '\0';
    if (!has_side && !has_part) {
        return NULL;
    }
    (void)snprintf(text, sizeof text, "%s%s%.60s", has_side ? side : "", has_side && has_part ? " " : "",
                   has_part ? part : "");
    for (size_t i = 0; has_part && i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(known[i].part, part) == 0 && strcmp(known[i].side, has_side ? side : "") == 0) {
            return fhir_concept(fhir_coding(FHIR_SNOMED, known[i].code, known[i].display), text);
        }
    }
    return fhir_concept(NULL, text);
}

void fhir_put_meta(fhir *f, json_t *to, json_int_t version, const char *changed_at)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)version);
    fhir_put(f, to, "meta", json_pack("{s:s, s:s*}", "versionId", text, "lastUpdated", changed_at));
}

/* ---- reading one ---- */

reha_status reha_fhir_metadata(reha_call *call, reha_error *err)
{
    fhir f;
    bool is_done = false;
    fhir_begin(call, &f, &is_done);
    return is_done ? REHA_OK : fhir_answer(&f, fhir_capability(&f), err);
}

static const json_t *find_by_id(const json_t *list, const char *key, const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (strcmp(reha_json_string(one, key, ""), id) == 0) {
            return one;
        }
    }
    return NULL;
}

/* Whether a result counts: it stands, or it was set aside (which is told); else a newer one took its place.
 */
static void find_place(const json_t *study, const char *result_id, bool *stands, bool *is_aside)
{
    const json_t *images = json_object_get(study, "images");
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *image = json_array_get(images, i);
        *stands = *stands || find_by_id(json_object_get(image, "results"), "id", result_id) != NULL;
        *is_aside =
            *is_aside || find_by_id(json_object_get(image, "set_aside"), "result_id", result_id) != NULL;
    }
}

/* *out NULL: answered already (it is gone). */
static reha_status read_finding(fhir *f, const char *id, json_t **out, reha_error *err)
{
    char result_id[REHA_ID_BYTES] = "";
    bool stands = false;
    bool is_aside = false;
    json_t *result = NULL;
    json_t *study = NULL;
    json_t *all = json_array();
    reha_status status = REHA_OK;
    const size_t length = strcspn(id, ".");
    if (length < sizeof result_id) {
        memcpy(result_id, id, length);
    }
    REHA_CHECK(reha_clinic_result(f->call->clinic, &f->call->actor, result_id, &result, err));
    REHA_CHECK(reha_clinic_study(f->call->clinic, &f->call->actor, reha_json_string(result, "study_id", ""),
                                 &study, err));
    find_place(study, result_id, &stands, &is_aside);
    if (!stands && !is_aside) {
        fhir_refuse(f->call, 410, "a newer result of this image has taken the place of this one",
                    "Search for the observations of the study again.");
        goto done;
    }
    fhir_result_findings(f, study, result, is_aside, all);
    *out = json_incref((json_t *)(uintptr_t)find_by_id(all, "id", id));
    if (*out == NULL) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "the result has no such finding");
    }
done:
    json_decref(result);
    json_decref(study);
    json_decref(all);
    return status;
}

static reha_status read_resource(fhir *f, fhir_kind kind, const char *id, json_t **out, reha_error *err)
{
    json_t *record = NULL;
    json_t *all = NULL;
    reha_status status = REHA_OK;
    reha_clinic *clinic = f->call->clinic;
    const reha_actor *actor = &f->call->actor;
    *out = NULL;
    if (kind == FHIR_OBSERVATION && strchr(id, '.') != NULL) {
        return read_finding(f, id, out, err);
    }
    if (kind == FHIR_PATIENT) {
        REHA_TRY(reha_clinic_patient(clinic, actor, id, &record, err));
        *out = fhir_patient(f, record);
    } else if (kind == FHIR_OBSERVATION) {
        REHA_TRY(reha_clinic_score(clinic, actor, id, &record, err));
        *out = fhir_score(f, record);
    } else {
        REHA_TRY(reha_clinic_study(clinic, actor, id, &record, err));
        all = json_array();
        REHA_CHECK(fhir_study_resources(f, kind, record, all, err));
        *out = json_incref(json_array_get(all, 0));
    }
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory while writing the answer");
done:
    json_decref(record);
    json_decref(all);
    return status;
}

reha_status reha_fhir_read(reha_call *call, reha_error *err)
{
    fhir f;
    bool is_done = false;
    json_t *resource = NULL;
    fhir_begin(call, &f, &is_done);
    if (is_done) {
        return REHA_OK;
    }
    REHA_TRY(read_resource(&f, (fhir_kind)call->match.route->variant, call->match.params[0], &resource, err));
    return resource != NULL ? fhir_answer(&f, resource, err) : REHA_OK;
}
