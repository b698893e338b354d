/* Searching: parameters, filters and the Bundle with its pages. */
#include "web/fhir_priv.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 50, PAGE_MAX = 200, STUDIES_PAGE = 200 };

#define COMMON                                                                                               \
    {"_count", "number", "Entries of a page, 1 to 200 (50); 0 as _summary=count"},                           \
        {"_summary", "token", "count: how many only; false"},                                                \
        {"_format", "token", "json, application/fhir+json"}, {"_cursor", "string", "Of a page link"},        \
    {                                                                                                        \
        NULL, NULL, NULL                                                                                     \
    }
#define OF_PATIENT                                                                                           \
    {"patient", "reference", "Whose: an id, Patient/id or its address"},                                     \
    {                                                                                                        \
        "subject", "reference", "As patient"                                                                 \
    }

static const fhir_parameter patient_parameters[] = {
    {"_id", "token", "The id"},
    {"identifier", "token",
     "The pseudonym (" FHIR_PSEUDONYM
     "|value) or, for who may know names, the number in DICOM files (" FHIR_NUMBER
     "|value); without a system both"},
    COMMON};
static const fhir_parameter study_parameters[] = {
    {"_id", "token", "The id"},
    OF_PATIENT,
    {"identifier", "token", "The DICOM UID (" FHIR_DICOM_UID "|urn:oid:1.2.3), for who may know names"},
    {"_lastUpdated", "date",
     "When the record changed last: gt, ge, lt, le; alone it finds what changed for all"},
    COMMON};
static const fhir_parameter report_parameters[] = {
    {"_id", "token", "The id"},
    OF_PATIENT,
    {"study", "reference", "Of this ImagingStudy (not in the standard, which has no such parameter in R4)"},
    {"status", "token", "preliminary, final, amended, ..."},
    {"date", "date", "Day of the image: eq, gt, ge, lt, le"},
    {"_lastUpdated", "date",
     "When the record changed last: gt, ge, lt, le; alone it finds what changed for all"},
    COMMON};
static const fhir_parameter observation_parameters[] = {
    {"_id", "token", "The id"},
    OF_PATIENT,
    {"derived-from", "reference", "Findings of this ImagingStudy"},
    {"code", "token", "What was observed: [system|]code"},
    {"category", "token", "imaging, survey, exam"},
    {"status", "token", "preliminary, final, amended, ..."},
    {"date", "date", "Day of the image or score: eq, gt, ge, lt, le"},
    COMMON};

const fhir_parameter *fhir_parameters(fhir_kind kind)
{
    static const fhir_parameter *const all[FHIR_KINDS] = {patient_parameters, study_parameters,
                                                          report_parameters, observation_parameters};
    return all[kind];
}

typedef struct search {
    fhir *f;
    const fhir_parameter *known;
    const char *address; /* "Observation" or "Patient/x/$everything" */
    fhir_arguments args;
    fhir_arguments unknown; /* reported, not used */
    bool is_too_many;
    size_t page; /* entries of a page; 0: how many only */
} search;

/* ---- parameters ---- */

static const fhir_parameter *find_parameter(const fhir_parameter *known, const char *name)
{
    for (const fhir_parameter *p = known; p->name != NULL; p++) {
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

static void take_argument(void *to, const char *name, const char *value)
{
    search *s = to;
    const bool is_known = find_parameter(s->known, name) != NULL;
    fhir_arguments *list = is_known ? &s->args : &s->unknown;
    if (list->count == FHIR_ARGUMENTS_MAX) {
        s->is_too_many = true;
    } else if (value[0] != '\0' || !is_known) { /* "patient=" says nothing */
        list->items[list->count++] = (fhir_argument){name, value};
    }
}

static const char *value_of(const search *s, const char *name)
{
    for (size_t i = 0; i < s->args.count; i++) {
        if (strcmp(s->args.items[i].name, name) == 0) {
            return s->args.items[i].value;
        }
    }
    return NULL;
}

static bool is_strict(const reha_call *call)
{
    const char *prefer = reha_call_header(call, "Prefer");
    return prefer != NULL && strstr(prefer, "handling=strict") != NULL;
}

static reha_status read_page(search *s, reha_error *err)
{
    const char *summary = value_of(s, "_summary");
    const char *text = value_of(s, "_count");
    int64_t count = PAGE;
    if (text != NULL && (!reha_parse_int64(text, &count) || count < 0)) {
        return reha_fail(err, REHA_E_ARG, "'_count' must be a whole number, 0 or more");
    }
    if (summary != NULL && strcmp(summary, "count") != 0 && strcmp(summary, "false") != 0) {
        return reha_fail(err, REHA_E_ARG, "'_summary' can be count or false here");
    }
    s->page = (size_t)(count > PAGE_MAX ? PAGE_MAX : count);
    if (summary != NULL && strcmp(summary, "count") == 0) {
        s->page = 0;
    }
    return REHA_OK;
}

/* Unknown ones are passed over and reported, or refused where the client asks for that; a modifier changes
 * the meaning of what it stands at, so one that is not known here is always refused. */
static reha_status read_arguments(search *s, reha_error *err)
{
    const reha_http_request *request = s->f->call->request;
    if (request->each_query != NULL) {
        request->each_query(request->context, take_argument, s);
    }
    if (s->is_too_many) {
        return reha_fail(err, REHA_E_ARG, "more than %d search parameters", FHIR_ARGUMENTS_MAX);
    }
    for (size_t i = 0; i < s->unknown.count; i++) {
        const char *name = s->unknown.items[i].name;
        char base[64] = "";
        const size_t length = strcspn(name, ":.");
        memcpy(base, name, length < sizeof base ? length : 0);
        if (name[length] != '\0' && find_parameter(s->known, base) != NULL) {
            return reha_fail(err, REHA_E_ARG, "the parameter '%s' takes no modifier and no chain here", base);
        }
    }
    if (s->unknown.count > 0 && is_strict(s->f->call)) {
        return reha_fail(err, REHA_E_ARG, "%zu search parameters are not known here: see /fhir/R4/metadata",
                         s->unknown.count);
    }
    return read_page(s, err);
}

/* ---- Bundle ---- */

static void add_encoded(reha_text *text, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL) {
            reha_text_add_n(text, c, 1);
        } else {
            reha_text_addf(text, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
}

/* The address of this search, of what was used only: that is how a client sees what was passed over. */
static void add_link(search *s, json_t *links, const char *relation, const char *cursor)
{
    reha_text url = {0};
    char mark = '?';
    reha_text_addf(&url, "%s/%s", s->f->base, s->address);
    for (size_t i = 0; i < s->args.count; i++) {
        const bool is_cursor = strcmp(s->args.items[i].name, "_cursor") == 0;
        if (!is_cursor || cursor == NULL) {
            reha_text_addf(&url, "%c%s=", mark, s->args.items[i].name);
            add_encoded(&url, s->args.items[i].value);
            mark = '&';
        }
    }
    if (cursor != NULL) {
        reha_text_addf(&url, "%c_cursor=", mark);
        add_encoded(&url, cursor);
    }
    s->f->failed = s->f->failed || url.failed;
    fhir_add(s->f, links,
             json_pack("{s:s, s:s}", "relation", relation, "url", url.data != NULL ? url.data : ""));
    reha_text_clear(&url);
}

static void name_of(const json_t *resource, char out[FHIR_ID_BYTES + 24])
{
    (void)snprintf(out, FHIR_ID_BYTES + 24, "%s/%s", reha_json_string(resource, "resourceType", ""),
                   reha_json_string(resource, "id", ""));
}

static void add_entry(search *s, json_t *entries, json_t *resource, const char *mode)
{
    char name[FHIR_ID_BYTES + 24];
    char url[REHA_BASE_BYTES + sizeof name];
    json_t *entry = json_pack("{s:O, s:{s:s}}", "resource", resource, "search", "mode", mode);
    if (strcmp(mode, "match") == 0) {
        name_of(resource, name);
        (void)snprintf(url, sizeof url, "%s/%s", s->f->base, name);
        fhir_put(s->f, entry, "fullUrl", json_string(url));
    }
    fhir_add(s->f, entries, entry);
}

static void add_warnings(search *s, json_t *entries)
{
    json_t *issues = json_array();
    for (size_t i = 0; i < s->unknown.count; i++) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "the search parameter '%.80s' is not known here and was passed over",
                       s->unknown.items[i].name);
        fhir_add(s->f, issues,
                 json_pack("{s:s, s:s, s:{s:o}}", "severity", "warning", "code", "not-supported", "details",
                           "text", reha_json_text(text)));
    }
    if (json_array_size(issues) > 0) {
        json_t *outcome = json_pack("{s:s, s:O}", "resourceType", "OperationOutcome", "issue", issues);
        add_entry(s, entries, outcome, "outcome");
        json_decref(outcome);
    }
    json_decref(issues);
}

/* Answers with a page of `matches`, which are in an order that later records do not change. `next` and
 * `total` of a list that the clinic itself cut into pages; NULL and -1: all matches are here. */
static reha_status answer_page(search *s, json_t *matches, const char *next, int64_t total, reha_error *err)
{
    const char *cursor = next == NULL && total < 0 ? value_of(s, "_cursor") : NULL;
    char name[FHIR_ID_BYTES + 24] = "";
    size_t start = 0;
    const size_t count = json_array_size(matches);
    for (size_t i = 0; i < count && cursor != NULL && start == 0; i++) {
        name_of(json_array_get(matches, i), name);
        start = strcmp(name, cursor) == 0 ? i + 1 : 0;
    }
    if (cursor != NULL && start == 0) {
        return reha_fail(err, REHA_E_ARG,
                         "the page link is of a record that is not there any more: search again");
    }
    json_t *entries = json_array();
    json_t *links = json_array();
    size_t end = start;
    for (; end < count && end - start < s->page; end++) {
        add_entry(s, entries, json_array_get(matches, end), "match");
    }
    add_warnings(s, entries);
    add_link(s, links, "self", NULL);
    if (s->page > 0 && end < count && end > 0) {
        name_of(json_array_get(matches, end - 1), name);
        next = name;
    }
    if (s->page > 0 && next != NULL) {
        add_link(s, links, "next", next);
    }
    json_t *bundle = json_pack("{s:s, s:s, s:I, s:O}", "resourceType", "Bundle", "type", "searchset", "total",
                               (json_int_t)(total >= 0 ? total : (int64_t)count), "link", links);
    if (json_array_size(entries) > 0) {
        fhir_put(s->f, bundle, "entry", json_incref(entries));
    }
    json_decref(entries);
    json_decref(links);
    return fhir_answer(s->f, bundle, err);
}

/* ---- collecting ---- */

reha_status fhir_study_resources(fhir *f, fhir_kind kind, const json_t *study, json_t *out, reha_error *err)
{
    if (kind == FHIR_REPORT) {
        fhir_add(f, out, fhir_report(f, study));
    } else if (kind == FHIR_OBSERVATION) {
        fhir_findings(f, study, out);
    } else {
        json_t *row = NULL;
        if (f->may_identity) { /* the UID leads to the patient in the hospital's archive */
            REHA_TRY(reha_clinic_study_uid(f->call->clinic, &f->call->actor,
                                           reha_json_string(study, "id", ""), &row, err));
        }
        fhir_add(f, out, fhir_imaging_study(f, study, reha_json_string(row, "uid", NULL)));
        json_decref(row);
    }
    return REHA_OK;
}

/* `all`: every kind that comes from a study. */
static reha_status add_study(fhir *f, fhir_kind kind, bool all, const char *id, json_t *out, reha_error *err)
{
    json_t *study = NULL;
    reha_status status = REHA_OK;
    REHA_TRY(reha_clinic_study(f->call->clinic, &f->call->actor, id, &study, err));
    for (int k = FHIR_STUDY; k < FHIR_KINDS; k++) {
        if (all || k == (int)kind) {
            REHA_CHECK(fhir_study_resources(f, (fhir_kind)k, study, out, err));
        }
    }
done:
    json_decref(study);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Those of a list whose records changed when the search wants it. */
static reha_status add_ids(search *s, const json_t *items, json_t *ids, reha_error *err)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *row = json_array_get(items, i);
        bool is_wanted = false;
        REHA_TRY(fhir_fits_changed(&s->args, reha_json_string(row, "changed_at", ""), &is_wanted, err));
        if (is_wanted) {
            fhir_put(s->f, ids, reha_json_string(row, "id", ""), json_null());
        }
    }
    return REHA_OK;
}

/* The ids of a patient's studies (NULL: of everybody) that the search wants by time. */
static reha_status study_ids(search *s, const char *patient_id, json_t *ids, reha_error *err)
{
    reha_query query = {.patient_id = patient_id, .limit = STUDIES_PAGE};
    reha_clinic *clinic = s->f->call->clinic;
    char cursor[96] = "";
    do {
        json_t *list = NULL;
        query.cursor = cursor[0] != '\0' ? cursor : NULL;
        REHA_TRY(patient_id != NULL ? reha_clinic_studies(clinic, &s->f->call->actor, &query, &list, err)
                                    : reha_clinic_study_times(clinic, &s->f->call->actor, &list, err));
        const reha_status status = add_ids(s, json_object_get(list, "items"), ids, err);
        (void)snprintf(cursor, sizeof cursor, "%s", reha_json_string(list, "next", ""));
        json_decref(list);
        REHA_TRY(status);
    } while (cursor[0] != '\0');
    return REHA_OK;
}

/* By their making: the worklist's own order changes with their state. */
static reha_status add_studies(search *s, fhir_kind kind, bool all, const char *patient_id, json_t *out,
                               reha_error *err)
{
    json_t *ids = json_object();
    const char **sorted = NULL;
    const char *id = NULL;
    json_t *none = NULL;
    size_t count = 0;
    reha_status status = REHA_OK;
    REHA_CHECK(study_ids(s, patient_id, ids, err));
    sorted = reha_alloc_zero(json_object_size(ids) + 1, sizeof *sorted);
    if (sorted == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the studies of a patient");
        goto done;
    }
    json_object_foreach(ids, id, none)
    {
        sorted[count++] = id;
    }
    qsort(sorted, count, sizeof *sorted, by_text);
    for (size_t i = 0; i < count; i++) {
        REHA_CHECK(add_study(s->f, kind, all, sorted[i], out, err));
    }
done:
    reha_free(sorted);
    json_decref(ids);
    return status;
}

/* Ids sort by their making; the series is ordered by the day of the score. */
static reha_status add_scores(fhir *f, const char *patient_id, json_t *out, reha_error *err)
{
    json_t *series = NULL;
    REHA_TRY(reha_clinic_series(f->call->clinic, &f->call->actor, patient_id, &series, err));
    const json_t *scores = json_object_get(series, "scores");
    const char *last = "";
    for (size_t done = 0; done < json_array_size(scores); done++) {
        const json_t *next = NULL;
        for (size_t i = 0; i < json_array_size(scores); i++) {
            const json_t *one = json_array_get(scores, i);
            const char *id = reha_json_string(one, "id", "");
            if (strcmp(id, last) > 0 && (next == NULL || strcmp(id, reha_json_string(next, "id", "")) < 0)) {
                next = one;
            }
        }
        if (next == NULL) {
            break;
        }
        last = reha_json_string(next, "id", "");
        fhir_add(f, out, fhir_score(f, next));
    }
    json_decref(series);
    return REHA_OK;
}

/* The patient must be there, and is seen by whoever searches. */
static reha_status see_patient(fhir *f, const char *id, json_t **out, reha_error *err)
{
    return reha_clinic_patient(f->call->clinic, &f->call->actor, id, out, err);
}

static reha_status collect_of_patient(search *s, fhir_kind kind, const char *id, json_t *out, reha_error *err)
{
    json_t *patient = NULL;
    reha_error missing = REHA_ERROR_INIT;
    const reha_status seen = see_patient(s->f, id, &patient, &missing);
    json_decref(patient);
    if (seen == REHA_E_NOT_FOUND) {
        return REHA_OK; /* nothing is found */
    }
    if (seen != REHA_OK) {
        return reha_fail(err, seen, "%s", missing.text);
    }
    REHA_TRY(add_studies(s, kind, false, id, out, err));
    return kind == FHIR_OBSERVATION ? add_scores(s->f, id, out, err) : REHA_OK;
}

/* One study, by whatever names it; none of that name: nothing is found. */
static reha_status collect_study(search *s, fhir_kind kind, const char *id, json_t *out, reha_error *err)
{
    reha_error missing = REHA_ERROR_INIT;
    const reha_status status = add_study(s->f, kind, false, id, out, &missing);
    return status == REHA_OK || status == REHA_E_NOT_FOUND ? REHA_OK
                                                           : reha_fail(err, status, "%s", missing.text);
}

static reha_status collect_by_uid(search *s, const char *identifier, json_t *out, reha_error *err)
{
    json_t *row = NULL;
    reha_error missing = REHA_ERROR_INIT;
    if (!s->f->may_identity) {
        return REHA_OK; /* whoever must not see the UID must not find out by trying */
    }
    reha_status status = reha_clinic_study_find(s->f->call->clinic, &s->f->call->actor,
                                                fhir_uid_of(identifier), &row, &missing);
    if (status == REHA_OK) {
        status = collect_study(s, FHIR_STUDY, reha_json_string(row, "id", ""), out, &missing);
    }
    json_decref(row);
    return status == REHA_OK || status == REHA_E_NOT_FOUND ? REHA_OK
                                                           : reha_fail(err, status, "%s", missing.text);
}

static reha_status collect_one(search *s, fhir_kind kind, const char *id, json_t *out, reha_error *err);

/* What the parameters name: a patient, a study, or the record itself. */
static reha_status collect(search *s, fhir_kind kind, json_t *out, reha_error *err)
{
    char id[FHIR_ID_BYTES];
    const char *patient = value_of(s, "patient") != NULL ? value_of(s, "patient") : value_of(s, "subject");
    const char *study = value_of(s, "study") != NULL ? value_of(s, "study") : value_of(s, "derived-from");
    const char *own = value_of(s, "_id");
    const char *identifier = value_of(s, "identifier");
    if (patient != NULL) {
        REHA_TRY(fhir_reference_id(patient, "Patient", id, err));
        return collect_of_patient(s, kind, id, out, err);
    }
    if (study != NULL) {
        REHA_TRY(fhir_reference_id(study, "ImagingStudy", id, err));
        return collect_study(s, kind, id, out, err);
    }
    if (own != NULL) {
        return collect_one(s, kind, own, out, err);
    }
    if (identifier != NULL) {
        return collect_by_uid(s, identifier, out, err);
    }
    if (value_of(s, "_lastUpdated") != NULL && kind != FHIR_OBSERVATION) {
        return add_studies(s, kind, false, NULL, out, err);
    }
    return reha_fail(err, REHA_E_ARG,
                     kind == FHIR_STUDY    ? "a search needs 'patient', 'identifier', '_id' or '_lastUpdated'"
                     : kind == FHIR_REPORT ? "a search needs 'patient', 'study', '_id' or '_lastUpdated'"
                                           : "a search needs 'patient', 'derived-from' or '_id'");
}

/* "_id" alone; an observation names its result, which names its study. */
static reha_status collect_one(search *s, fhir_kind kind, const char *id, json_t *out, reha_error *err)
{
    json_t *record = NULL;
    reha_error missing = REHA_ERROR_INIT;
    reha_status status = REHA_OK;
    reha_clinic *clinic = s->f->call->clinic;
    if (strlen(id) >= FHIR_ID_BYTES) {
        return REHA_OK;
    }
    if (kind != FHIR_OBSERVATION) {
        return collect_study(s, kind, id, out, err);
    }
    char result_id[REHA_ID_BYTES] = "";
    const size_t length = strcspn(id, ".");
    memcpy(result_id, id, length < sizeof result_id ? length : 0);
    if (id[length] == '.') {
        status = reha_clinic_result(clinic, &s->f->call->actor, result_id, &record, &missing);
        if (status == REHA_OK) {
            status = collect_study(s, kind, reha_json_string(record, "study_id", ""), out, &missing);
        }
    } else {
        status = reha_clinic_score(clinic, &s->f->call->actor, id, &record, &missing);
        if (status == REHA_OK) {
            fhir_add(s->f, out, fhir_score(s->f, record));
        }
    }
    json_decref(record);
    return status == REHA_OK || status == REHA_E_NOT_FOUND ? REHA_OK
                                                           : reha_fail(err, status, "%s", missing.text);
}

static reha_status keep_fitting(search *s, const json_t *all, json_t *out, reha_error *err)
{
    REHA_TRY(fhir_check_times(&s->args, err));
    for (size_t i = 0; i < json_array_size(all); i++) {
        bool is_fitting = false;
        REHA_TRY(fhir_fits(&s->args, json_array_get(all, i), &is_fitting, err));
        if (is_fitting) {
            fhir_add(s->f, out, json_incref(json_array_get(all, i)));
        }
    }
    return REHA_OK;
}

/* ---- patients ---- */

static reha_status list_patients(search *s, reha_error *err)
{
    json_t *list = NULL;
    json_t *found = json_array();
    const reha_query query = {.cursor = value_of(s, "_cursor"), .limit = s->page > 0 ? (int)s->page : 1};
    reha_status status = reha_clinic_patients(s->f->call->clinic, &s->f->call->actor, &query, &list, err);
    const json_t *items = json_object_get(list, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        fhir_add(s->f, found, fhir_patient(s->f, json_array_get(items, i)));
    }
    if (status == REHA_OK) {
        status = answer_page(s, found, reha_json_string(list, "next", NULL),
                             json_integer_value(json_object_get(list, "total")), err);
    }
    json_decref(list);
    json_decref(found);
    return status;
}

static reha_status find_patients(search *s, const char *identifier, json_t *found, reha_error *err)
{
    json_t *list = NULL;
    const char *bar = strchr(identifier, '|');
    unsigned by = REHA_PATIENT_BY_PSEUDONYM | REHA_PATIENT_BY_NUMBER;
    if (bar != NULL && bar != identifier) { /* "|x": of no system, as ours have none in the records */
        const size_t length = (size_t)(bar - identifier);
        by = length == strlen(FHIR_PSEUDONYM) && strncmp(identifier, FHIR_PSEUDONYM, length) == 0
                 ? REHA_PATIENT_BY_PSEUDONYM
             : length == strlen(FHIR_NUMBER) && strncmp(identifier, FHIR_NUMBER, length) == 0
                 ? REHA_PATIENT_BY_NUMBER
                 : 0u;
    }
    REHA_TRY(reha_clinic_patient_find(s->f->call->clinic, &s->f->call->actor,
                                      bar != NULL ? bar + 1 : identifier, by, &list, err));
    const json_t *items = json_object_get(list, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        fhir_add(s->f, found, fhir_patient(s->f, json_array_get(items, i)));
    }
    json_decref(list);
    return REHA_OK;
}

static reha_status search_patients(search *s, reha_error *err)
{
    const char *identifier = value_of(s, "identifier");
    const char *id = value_of(s, "_id");
    json_t *found = NULL;
    json_t *kept = NULL;
    json_t *record = NULL;
    reha_error missing = REHA_ERROR_INIT;
    reha_status status = REHA_OK;
    if (identifier == NULL && id == NULL) {
        return list_patients(s, err);
    }
    found = json_array();
    kept = json_array();
    if (identifier != NULL) {
        REHA_CHECK(find_patients(s, identifier, found, err));
    } else {
        status = see_patient(s->f, id, &record, &missing);
        if (status == REHA_OK) {
            fhir_add(s->f, found, fhir_patient(s->f, record));
        }
        status = status == REHA_E_NOT_FOUND ? REHA_OK : status;
        if (status != REHA_OK) {
            (void)reha_fail(err, status, "%s", missing.text);
            goto done;
        }
    }
    REHA_CHECK(keep_fitting(s, found, kept, err));
    status = answer_page(s, kept, NULL, -1, err);
done:
    json_decref(found);
    json_decref(kept);
    json_decref(record);
    return status;
}

/* ---- handlers ---- */

reha_status reha_fhir_search(reha_call *call, reha_error *err)
{
    const fhir_kind kind = (fhir_kind)call->match.route->variant;
    fhir f;
    bool is_done = false;
    fhir_begin(call, &f, &is_done);
    search s = {.f = &f, .known = fhir_parameters(kind), .address = fhir_kind_name(kind)};
    json_t *all = NULL;
    json_t *kept = NULL;
    reha_status status = REHA_OK;
    if (is_done) {
        return REHA_OK;
    }
    REHA_TRY(read_arguments(&s, err));
    if (kind == FHIR_PATIENT) {
        return search_patients(&s, err);
    }
    all = json_array();
    kept = json_array();
    REHA_CHECK(collect(&s, kind, all, err));
    REHA_CHECK(keep_fitting(&s, all, kept, err));
    status = answer_page(&s, kept, NULL, -1, err);
done:
    json_decref(all);
    json_decref(kept);
    return status;
}

reha_status reha_fhir_everything(reha_call *call, reha_error *err)
{
    static const fhir_parameter parameters[] = {COMMON};
    const char *id = call->match.params[0];
    char address[REHA_PARAM_BYTES + 24];
    fhir f;
    bool is_done = false;
    fhir_begin(call, &f, &is_done);
    search s = {.f = &f, .known = parameters, .address = address};
    json_t *patient = NULL;
    json_t *all = NULL;
    reha_status status = REHA_OK;
    (void)snprintf(address, sizeof address, "Patient/%s/$everything", id);
    if (is_done) {
        return REHA_OK;
    }
    REHA_TRY(read_arguments(&s, err));
    REHA_TRY(see_patient(&f, id, &patient, err));
    all = json_array();
    fhir_add(&f, all, fhir_patient(&f, patient));
    REHA_CHECK(add_studies(&s, FHIR_STUDY, true, id, all, err));
    REHA_CHECK(add_scores(&f, id, all, err));
    status = answer_page(&s, all, NULL, -1, err);
done:
    json_decref(patient);
    json_decref(all);
    return status;
}
