/* QIDO-RS: studies, the series of one, their instances. */
#include "web/dicomweb_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_BYTES = 200, DATE_DIGITS = 8, LEVELS = 3 };
static const int64_t OFFSET_MAX = 10000000;

typedef enum level { STUDIES = 0, SERIES, INSTANCES } level;

/* What can be matched: by keyword or tag, at the level whose attribute it is. */
static const struct {
    const char *keyword, *tag;
    level level;
} keys[] = {{"StudyInstanceUID", TAG_STUDY_UID, STUDIES},    {"PatientID", TAG_PATIENT_ID, STUDIES},
            {"PatientName", TAG_PATIENT_NAME, STUDIES},      {"StudyDate", TAG_STUDY_DATE, STUDIES},
            {"ModalitiesInStudy", TAG_MODALITIES, STUDIES},  {"AccessionNumber", TAG_ACCESSION, STUDIES},
            {"StudyDescription", TAG_DESCRIPTION, STUDIES},  {"Modality", TAG_MODALITY, SERIES},
            {"SeriesInstanceUID", TAG_SERIES_UID, SERIES},   {"SeriesNumber", "00200011", SERIES},
            {"SeriesDescription", "0008103E", SERIES},       {"BodyPartExamined", "00180015", SERIES},
            {"SOPInstanceUID", TAG_SOP_INSTANCE, INSTANCES}, {"SOPClassUID", TAG_SOP_CLASS, INSTANCES},
            {"InstanceNumber", "00200013", INSTANCES}};
enum { KEYS = sizeof keys / sizeof keys[0] };

typedef struct asked {
    level level;
    const char *values[KEYS]; /* borrowed from the request; NULL: not asked */
    bool is_twice;
    bool is_fuzzy;
    char unknown[WORDS_BYTES]; /* keys that nothing is matched by: ", X, Y" */
} asked;

static void add_unknown(asked *all, const char *name)
{
    const size_t length = strlen(name);
    bool is_word = length > 0 && length <= 40; /* it goes into a header */
    for (size_t i = 0; i < length && is_word; i++) {
        is_word = isalnum((unsigned char)name[i]) || name[i] == '.';
    }
    const size_t used = strlen(all->unknown);
    (void)snprintf(all->unknown + used, sizeof all->unknown - used, ", %s", is_word ? name : "?");
}

static void take_parameter(void *to, const char *name, const char *value)
{
    asked *all = to;
    if (strcmp(name, "fuzzymatching") == 0) {
        all->is_fuzzy = strcmp(value, "true") == 0;
        return;
    }
    if (strcmp(name, "limit") == 0 || strcmp(name, "offset") == 0 || strcmp(name, "includefield") == 0) {
        return; /* of fields, all that are known are told anyway */
    }
    for (size_t i = 0; i < KEYS; i++) {
        const bool is_it = strcmp(name, keys[i].keyword) == 0 || strcmp(name, keys[i].tag) == 0;
        const bool is_here = all->level == STUDIES ? keys[i].level == STUDIES
                                                   : keys[i].level != STUDIES && keys[i].level <= all->level;
        if (is_it && is_here) {
            all->is_twice = all->is_twice || all->values[i] != NULL;
            all->values[i] = value[0] != '\0' ? value : NULL; /* empty: matches everything */
            return;
        }
    }
    add_unknown(all, name);
}

static const char *value_of(const asked *all, const char *tag)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].tag, tag) == 0) {
            return all->values[i];
        }
    }
    return NULL;
}

static reha_status read_asked(const reha_call *call, level at, asked *all, int64_t *limit, int64_t *offset,
                              reha_error *err)
{
    const reha_http_request *request = call->request;
    *all = (asked){.level = at};
    if (request->each_query != NULL) {
        request->each_query(request->context, take_parameter, all);
    }
    if (all->is_twice) {
        return reha_fail(err, REHA_E_ARG,
                         "one key is asked for twice; several UIDs are one value with commas");
    }
    REHA_TRY(reha_http_query_integer(request, "limit", 1, OFFSET_MAX, DICOMWEB_ITEMS_MAX, limit, err));
    *limit = *limit < DICOMWEB_ITEMS_MAX ? *limit : DICOMWEB_ITEMS_MAX;
    return reha_http_query_integer(request, "offset", 0, OFFSET_MAX, 0, offset, err);
}

/* ---- answers ---- */

static void add_sentence(char *text, size_t room, const char *sentence)
{
    const size_t used = strlen(text);
    (void)snprintf(text + used, room - used, "%s%s", used > 0 ? "; " : "", sentence);
}

/* The words of the standard where it has some (PS3.18, 8.3.4.4 and 8.3.4.2). */
static void warn(const dicomweb *d, const asked *all, int64_t left)
{
    char text[WORDS_BYTES + 200] = "";
    char one[WORDS_BYTES + 60];
    reha_http_response *response = &d->call->response;
    if (left > 0) {
        (void)snprintf(one, sizeof one, "There are %lld additional results that can be requested",
                       (long long)left);
        add_sentence(text, sizeof text, one);
    }
    if (all->is_fuzzy) {
        add_sentence(
            text, sizeof text,
            "The fuzzymatching parameter is not supported. Only literal matching has been performed.");
    }
    if (all->unknown[0] != '\0') {
        (void)snprintf(one, sizeof one, "Not matched by: %s", all->unknown + 2);
        add_sentence(text, sizeof text, one);
    }
    if (text[0] != '\0') {
        (void)snprintf(response->warning, sizeof response->warning, "299 %s: \"%s\"", d->base, text);
    }
}

static reha_status answer_found(dicomweb *d, const asked *all, json_t *found, int64_t left, reha_error *err)
{
    if (json_array_size(found) == 0) {
        json_decref(found);
        d->call->response.code = 204;
        warn(d, all, left);
        return REHA_OK;
    }
    REHA_TRY(dicomweb_answer(d, 200, found, err));
    warn(d, all, left);
    return REHA_OK;
}

/* ---- studies ---- */

/* "a,b" or "a\b" */
static json_t *list_of(const char *text)
{
    json_t *list = text != NULL ? json_array() : NULL;
    while (list != NULL && *text != '\0') {
        const size_t length = strcspn(text, ",\\");
        if (length > 0) {
            (void)json_array_append_new(list, json_stringn(text, length));
        }
        text += length + (text[length] != '\0' ? 1 : 0);
    }
    return list;
}

static bool read_date(const char *text, size_t length, char out[11])
{
    if (length != DATE_DIGITS || strspn(text, "0123456789") < length) {
        return false;
    }
    (void)snprintf(out, 11, "%.4s-%.2s-%.2s", text, text + 4, text + 6);
    return true;
}

/* "20260131", "20260101-20260131", "20260101-", "-20260131" */
static reha_status read_dates(const char *text, char from[11], char to[11], reha_error *err)
{
    from[0] = to[0] = '\0';
    if (text == NULL) {
        return REHA_OK;
    }
    const char *dash = strchr(text, '-');
    const size_t first = dash != NULL ? (size_t)(dash - text) : strlen(text);
    const char *second = dash != NULL ? dash + 1 : text;
    const bool is_right = (first == 0 || read_date(text, first, from)) &&
                          (*second == '\0' || read_date(second, strlen(second), to)) &&
                          (from[0] != '\0' || to[0] != '\0');
    return is_right ? REHA_OK
                    : reha_fail(err, REHA_E_ARG,
                                "StudyDate must be a date such as 20260131, or two with a dash between them");
}

static void put_name(dicomweb *d, json_t *to, const char *name)
{
    dicomweb_put(d, to, TAG_PATIENT_NAME, "PN", name != NULL ? json_pack("{s:s}", "Alphabetic", name) : NULL);
}

static void put_date(dicomweb *d, json_t *to, const char *date)
{
    char text[DATE_DIGITS + 1] = "";
    if (date != NULL) {
        (void)snprintf(text, sizeof text, "%.4s%.2s%.2s", date, date + 5, date + 8);
    }
    dicomweb_put_text(d, to, TAG_STUDY_DATE, "DA", text);
}

/* Of whom, by the clinic's record: what the file says of the patient is in the file. */
static json_t *study_json(dicomweb *d, const json_t *study)
{
    static const char *const copied[] = {"00080030", TAG_ACCESSION, "00080090", TAG_DESCRIPTION, "00200010"};
    char url[DICOMWEB_URL_BYTES];
    json_t *made = json_object();
    const json_t *head = json_object_get(study, "head");
    const char *sex = reha_json_string(study, "sex", "");
    const char *uid = reha_json_string(study, "uid", "");
    const json_t *series = json_object_get(study, "series_count");
    dicomweb_put_text(d, made, TAG_CHARACTER_SET, "CS", "ISO_IR 192");
    put_date(d, made, reha_json_string(study, "image_date", NULL));
    dicomweb_put_text(d, made, TAG_ACCESSION, "SH", NULL); /* always told, also if empty */
    dicomweb_put_text(d, made, TAG_AVAILABILITY, "CS", "ONLINE");
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        dicomweb_copy(d, made, head, copied[i]);
    }
    d->failed = json_object_set_new(made, TAG_MODALITIES,
                                    json_pack("{s:s, s:O}", "vr", "CS", "Value",
                                              json_object_get(study, "modalities"))) != 0 ||
                d->failed;
    (void)snprintf(url, sizeof url, "%s/studies/%s", d->base, uid);
    dicomweb_put_text(d, made, TAG_RETRIEVE_URL, "UR", url);
    put_name(d, made, reha_json_string(study, "name", NULL));
    dicomweb_put_text(d, made, TAG_PATIENT_ID, "LO", reha_json_string(study, "pseudonym", NULL));
    dicomweb_put_text(d, made, TAG_PATIENT_SEX, "CS",
                      sex[0] == 'f'   ? "F"
                      : sex[0] == 'm' ? "M"
                      : sex[0] == 'x' ? "O"
                                      : NULL);
    dicomweb_put_text(d, made, TAG_STUDY_UID, "UI", uid);
    if (json_is_integer(series)) {
        dicomweb_put_number(d, made, TAG_STUDY_SERIES, "IS", json_integer_value(series));
    }
    dicomweb_put_number(d, made, TAG_STUDY_INSTANCES, "IS",
                        json_integer_value(json_object_get(study, "image_count")));
    return made;
}

static reha_status search_studies(dicomweb *d, const asked *all, int64_t limit, int64_t offset,
                                  reha_error *err)
{
    char from[11];
    char to[11];
    json_t *rows = NULL;
    json_t *row = NULL;
    size_t i = 0;
    REHA_TRY(read_dates(value_of(all, TAG_STUDY_DATE), from, to, err));
    json_t *uids = list_of(value_of(all, TAG_STUDY_UID));
    json_t *modalities = list_of(value_of(all, TAG_MODALITIES));
    const reha_dicom_query query = {.study_uids = uids,
                                    .patient_id = value_of(all, TAG_PATIENT_ID),
                                    .patient_name = value_of(all, TAG_PATIENT_NAME),
                                    .from = from[0] != '\0' ? from : NULL,
                                    .to = to[0] != '\0' ? to : NULL,
                                    .modalities = modalities,
                                    .accession_number = value_of(all, TAG_ACCESSION),
                                    .study_description = value_of(all, TAG_DESCRIPTION),
                                    .limit = limit,
                                    .offset = offset};
    const reha_status status =
        reha_clinic_dicom_studies(d->call->clinic, &d->call->actor, &query, &rows, err);
    json_decref(uids);
    json_decref(modalities);
    REHA_TRY(status);
    json_t *found = json_array();
    json_array_foreach(json_object_get(rows, "items"), i, row)
    {
        d->failed = json_array_append_new(found, study_json(d, row)) != 0 || d->failed;
    }
    const int64_t total = json_integer_value(json_object_get(rows, "total"));
    const int64_t given = offset + (int64_t)json_array_size(found);
    json_decref(rows);
    return answer_found(d, all, found, total > given && given > offset ? total - given : 0, err);
}

/* ---- series and instances ---- */

static json_t *series_json(dicomweb *d, const char *study_uid, const json_t *head)
{
    static const char *const copied[] = {"00080021", "00080031", TAG_MODALITY, "0008103E", "00180015",
                                         "00200011", "00200060", "00400244",   "00400245"};
    char url[DICOMWEB_URL_BYTES];
    json_t *made = json_object();
    const char *uid = dicomweb_text(head, TAG_SERIES_UID);
    dicomweb_put_text(d, made, TAG_CHARACTER_SET, "CS", "ISO_IR 192");
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        dicomweb_copy(d, made, head, copied[i]);
    }
    (void)snprintf(url, sizeof url, "%s/studies/%s/series/%s", d->base, study_uid, uid);
    dicomweb_put_text(d, made, TAG_RETRIEVE_URL, "UR", url);
    dicomweb_put_text(d, made, TAG_STUDY_UID, "UI", study_uid);
    dicomweb_put_text(d, made, TAG_SERIES_UID, "UI", uid);
    dicomweb_put_number(d, made, TAG_SERIES_IMAGES, "IS", 0);
    return made;
}

static json_t *instance_json(dicomweb *d, const char *study_uid, const json_t *head)
{
    static const char *const copied[] = {"00080008",     TAG_SOP_CLASS, TAG_SOP_INSTANCE, TAG_TRANSFER_SYNTAX,
                                         TAG_SERIES_UID, "00200013",    "00280004",       "00280008",
                                         "00280010",     "00280011",    "00280100"};
    char url[DICOMWEB_URL_BYTES];
    json_t *made = json_object();
    dicomweb_put_text(d, made, TAG_CHARACTER_SET, "CS", "ISO_IR 192");
    dicomweb_put_text(d, made, TAG_AVAILABILITY, "CS", "ONLINE");
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        dicomweb_copy(d, made, head, copied[i]);
    }
    (void)snprintf(url, sizeof url, "%s/studies/%s/series/%s/instances/%s", d->base, study_uid,
                   dicomweb_text(head, TAG_SERIES_UID), dicomweb_text(head, TAG_SOP_INSTANCE));
    dicomweb_put_text(d, made, TAG_RETRIEVE_URL, "UR", url);
    dicomweb_put_text(d, made, TAG_STUDY_UID, "UI", study_uid);
    return made;
}

/* '*' and '?', ASCII letters of either case. */
static bool fits_pattern(const char *text, const char *pattern)
{
    const char *star = NULL;
    const char *again = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            again = text;
        } else if (*pattern == '?' || tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++again;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool fits_value(const json_t *value, const char *wanted)
{
    char number[24];
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return strcmp(number, wanted) == 0;
    }
    return json_is_string(value) && fits_pattern(json_string_value(value), wanted);
}

/* One of the values against one of the wanted ones. */
static bool fits_attribute(const json_t *attributes, const char *tag, const char *wanted)
{
    const json_t *values = json_object_get(json_object_get(attributes, tag), "Value");
    json_t *list = list_of(wanted);
    const json_t *value = NULL;
    const json_t *one = NULL;
    size_t i = 0;
    size_t k = 0;
    bool fits = false;
    json_array_foreach(values, i, value)
    {
        json_array_foreach(list, k, one)
        {
            fits = fits || fits_value(value, json_string_value(one));
        }
    }
    json_decref(list);
    return fits;
}

static bool fits_all(const asked *all, const json_t *head)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (all->values[i] != NULL && !fits_attribute(head, keys[i].tag, all->values[i])) {
            return false;
        }
    }
    return true;
}

/* Each series once, with the number of its instances. */
static void add_series(dicomweb *d, json_t *found, const char *study_uid, const json_t *head)
{
    json_t *series = NULL;
    size_t i = 0;
    const char *uid = dicomweb_text(head, TAG_SERIES_UID);
    json_array_foreach(found, i, series)
    {
        if (strcmp(dicomweb_text(series, TAG_SERIES_UID), uid) == 0) {
            break;
        }
    }
    if (i == json_array_size(found)) {
        series = series_json(d, study_uid, head);
        d->failed = json_array_append_new(found, series) != 0 || d->failed;
    }
    json_t *count = json_array_get(json_object_get(json_object_get(series, TAG_SERIES_IMAGES), "Value"), 0);
    (void)json_integer_set(count, json_integer_value(count) + 1);
}

/* From offset on, at most limit. */
static json_t *page_of(dicomweb *d, json_t *found, int64_t limit, int64_t offset, int64_t *left)
{
    json_t *page = json_array();
    json_t *one = NULL;
    size_t i = 0;
    json_array_foreach(found, i, one)
    {
        if ((int64_t)i >= offset && (int64_t)i < offset + limit) {
            d->failed = json_array_append(page, one) != 0 || d->failed;
        }
    }
    const int64_t behind = (int64_t)json_array_size(found) - offset - limit;
    *left = behind > 0 ? behind : 0;
    json_decref(found);
    return page;
}

static reha_status search_images(dicomweb *d, const asked *all, int64_t limit, int64_t offset,
                                 reha_error *err)
{
    json_t *images = NULL;
    json_t *image = NULL;
    size_t i = 0;
    int64_t left = 0;
    const reha_status status = dicomweb_images(d->call, &images, err);
    json_t *found = json_array();
    if (status != REHA_OK && status != REHA_E_NOT_FOUND) {
        json_decref(found);
        return status;
    }
    json_array_foreach(json_object_get(images, "items"), i, image)
    {
        const json_t *head = json_object_get(image, "head");
        if (dicomweb_text(head, TAG_SERIES_UID)[0] == '\0' || !fits_all(all, head)) {
            continue; /* of a file that names no series nobody could ask for it */
        }
        if (all->level == SERIES) {
            add_series(d, found, d->call->match.params[0], head);
        } else {
            d->failed = json_array_append_new(found, instance_json(d, d->call->match.params[0], head)) != 0 ||
                        d->failed;
        }
    }
    json_decref(images);
    found = page_of(d, found, limit, offset, &left);
    return answer_found(d, all, found, left, err);
}

reha_status reha_dicomweb_search(reha_call *call, reha_error *err)
{
    asked all;
    int64_t limit = 0;
    int64_t offset = 0;
    const level at = (level)call->match.route->variant;
    if (!dicomweb_takes_json(call)) {
        return REHA_OK;
    }
    dicomweb d = dicomweb_begin(call);
    REHA_TRY(read_asked(call, at, &all, &limit, &offset, err));
    return at == STUDIES ? search_studies(&d, &all, limit, offset, err)
                         : search_images(&d, &all, limit, offset, err);
}
