/* What a search wants, against resources as they are given out. */
#include "web/fhir_priv.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "x", "Patient/x" or an address that ends so. */
reha_status fhir_reference_id(const char *text, const char *type, char out[FHIR_ID_BYTES], reha_error *err)
{
    const char *id = strrchr(text, '/');
    const size_t type_length = strlen(type);
    if (id != NULL &&
        ((size_t)(id - text) < type_length || strncmp(id - type_length, type, type_length) != 0)) {
        return reha_fail(err, REHA_E_ARG, "the reference must be to a resource of type %s", type);
    }
    id = id != NULL ? id + 1 : text;
    (void)snprintf(out, FHIR_ID_BYTES, "%s", id);
    return id[0] != '\0' && strlen(id) < FHIR_ID_BYTES
               ? REHA_OK
               : reha_fail(err, REHA_E_ARG, "the reference must end in the id of a %s", type);
}

/* "urn:dicom:uid|urn:oid:1.2.3", "urn:oid:1.2.3" and "1.2.3" name the same. */
const char *fhir_uid_of(const char *identifier)
{
    const char *uid = strrchr(identifier, '|');
    uid = uid != NULL ? uid + 1 : identifier;
    return uid + (strncmp(uid, "urn:oid:", 8) == 0 ? 8 : 0);
}

/* ---- filters: on resources as they are given out ---- */

static bool is_coding(const json_t *coding, const char *system, size_t system_length, const char *code,
                      size_t code_length)
{
    const char *own_system = reha_json_string(coding, "system", "");
    const char *own_code = reha_json_string(coding, "code", "");
    return (system == NULL ||
            (strlen(own_system) == system_length && strncmp(own_system, system, system_length) == 0)) &&
           (code_length == 0 ||
            (strlen(own_code) == code_length && strncmp(own_code, code, code_length) == 0));
}

/* "[system|]code,..." against codings: one must fit. */
static bool fits_codes(const json_t *codings, const char *wanted)
{
    for (const char *at = wanted; *at != '\0';) {
        const size_t length = strcspn(at, ",");
        const char *bar = memchr(at, '|', length);
        const char *code = bar != NULL ? bar + 1 : at;
        for (size_t i = 0; i < json_array_size(codings); i++) {
            if (is_coding(json_array_get(codings, i), bar != NULL ? at : NULL,
                          bar != NULL ? (size_t)(bar - at) : 0, code, length - (size_t)(code - at))) {
                return true;
            }
        }
        at += length + (at[length] == ',' ? 1 : 0);
    }
    return false;
}

static bool fits_word(const char *own, const char *wanted)
{
    json_t *codings = json_pack("[{s:s}]", "code", own);
    const bool fits = fits_codes(codings, wanted);
    json_decref(codings);
    return fits;
}

/* Texts of one form, that compare as times do: "ge" and its like (FHIR R4, search, 3.1.1.4.2). */
static bool lies_as_wanted(const char *own, const char *prefix, const char *low, const char *high)
{
    const bool is_after = strcmp(own, high) > 0;
    const bool is_before = strcmp(own, low) < 0;
    return strcmp(prefix, "gt") == 0   ? is_after
           : strcmp(prefix, "ge") == 0 ? !is_before
           : strcmp(prefix, "lt") == 0 ? is_before
           : strcmp(prefix, "le") == 0 ? !is_after
                                       : !is_after && !is_before;
}

/* Goes past the prefix, "eq" where there is none; false: it is no known one. */
static bool read_prefix(const char **text, char out[3])
{
    static const char *const prefixes[] = {"eq", "gt", "ge", "lt", "le"};
    (void)snprintf(out, 3, "eq");
    if (!isalpha((unsigned char)(*text)[0])) {
        return true;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(*text, prefixes[i], 2) == 0) {
            (void)snprintf(out, 3, "%s", prefixes[i]);
            *text += 2;
            return true;
        }
    }
    return false;
}

/* A day, month or year with its prefix, as the span of days that it is. */
typedef struct span {
    char prefix[3];
    char low[11], high[11];
} span;

static reha_status read_date(const char *text, span *out, reha_error *err)
{
    if (!read_prefix(&text, out->prefix)) {
        return reha_fail(err, REHA_E_ARG, "'date' takes the prefixes eq, gt, ge, lt and le");
    }
    const size_t length = strcspn(text, "T"); /* records know days: the time of day is passed over */
    int year = 0;
    int month = 1;
    int day = 1;
    const int parts = sscanf(text, "%4d-%2d-%2d", &year, &month, &day);
    const bool is_date =
        strspn(text, "0123456789-") >= length &&
        ((length == 4 && parts == 1) || (length == 7 && parts == 2) || (length == 10 && parts == 3)) &&
        year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
    if (!is_date) {
        return reha_fail(err, REHA_E_ARG,
                         "'date' must be a year, month or day such as 2026-01-31, with a prefix or none");
    }
    (void)snprintf(out->low, sizeof out->low, "%.*s%s", (int)length, text,
                   &"-01-01"[length == 10  ? 6
                             : length == 7 ? 3
                                           : 0]);
    (void)snprintf(out->high, sizeof out->high, "%.*s%s", (int)length, text,
                   &"-12-31"[length == 10  ? 6
                             : length == 7 ? 3
                                           : 0]);
    return REHA_OK;
}

static bool fits_date(const char *day, const span *wanted)
{
    char own[11];
    (void)snprintf(own, sizeof own, "%.10s", day);
    return strlen(own) == 10 && lies_as_wanted(own, wanted->prefix, wanted->low, wanted->high);
}

/* The span of time that a day, minute or second with its zone is, as our records write times: such texts
 * compare. */
typedef struct instants {
    char prefix[3];
    char low[REHA_TIMESTAMP_BYTES], high[REHA_TIMESTAMP_BYTES];
} instants;

/* Seconds east of UTC of "Z", "+01:00", "-05:30". */
static bool read_zone(const char *text, int64_t *out)
{
    int hours = 0;
    int minutes = 0;
    char sign = '+';
    char after = '\0';
    *out = 0;
    if (strcmp(text, "Z") == 0) {
        return true;
    }
    if (sscanf(text, "%c%2d:%2d%c", &sign, &hours, &minutes, &after) != 3 ||
        (sign != '+' && sign != '-' && sign != ' ')) {
        return false; /* a plus that was not encoded comes as a blank */
    }
    *out = (sign == '-' ? -1 : 1) * (hours * (int64_t)3600 + minutes * (int64_t)60);
    return hours < 15 && minutes < 60;
}

static reha_status read_instants(const char *text, instants *out, reha_error *err)
{
    static const char fault[] = "'_lastUpdated' must be a day, or a time with its zone such as "
                                "2026-01-31T12:30:00Z, with gt, ge, lt, le or none";
    struct tm parts = {0};
    int64_t east_s = 0;
    int64_t length_s = 24 * (int64_t)3600;
    int used = 0;
    if (!read_prefix(&text, out->prefix)) {
        return reha_fail(err, REHA_E_ARG, "%s", fault);
    }
    if (sscanf(text, "%4d-%2d-%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &used) != 3 ||
        used != 10) {
        return reha_fail(err, REHA_E_ARG, "%s", fault);
    }
    text += used;
    if (text[0] == 'T') {
        used = 0;
        length_s = 60;
        if (sscanf(text, "T%2d:%2d%n", &parts.tm_hour, &parts.tm_min, &used) != 2 || used != 6) {
            return reha_fail(err, REHA_E_ARG, "%s", fault);
        }
        text += used;
        used = 0;
        if (sscanf(text, ":%2d%n", &parts.tm_sec, &used) == 1 && used == 3) {
            length_s = 1;
            text += used;
            text += text[0] == '.' ? 1 + strspn(text + 1, "0123456789") : 0; /* a second is fine enough */
        }
        if (!read_zone(text, &east_s)) {
            return reha_fail(err, REHA_E_ARG, "%s", fault);
        }
    } else if (text[0] != '\0') {
        return reha_fail(err, REHA_E_ARG, "%s", fault);
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    const int64_t low_s = (int64_t)timegm(&parts) - east_s;
    reha_timestamp_of(low_s, 0, out->low);
    reha_timestamp_of(low_s + length_s - 1, 999, out->high);
    return REHA_OK;
}

static bool fits_instants(const char *own, const instants *wanted)
{
    return own[0] != '\0' && lies_as_wanted(own, wanted->prefix, wanted->low, wanted->high);
}

/* Whether a record that changed then is one of those that the search wants by time. */
reha_status fhir_fits_changed(const fhir_arguments *args, const char *changed_at, bool *out, reha_error *err)
{
    *out = true;
    for (size_t i = 0; i < args->count && *out; i++) {
        instants wanted;
        if (strcmp(args->items[i].name, "_lastUpdated") == 0) {
            REHA_TRY(read_instants(args->items[i].value, &wanted, err));
            *out = fits_instants(changed_at, &wanted);
        }
    }
    return REHA_OK;
}

/* The reference that a search names, against the one that the resource holds. */
static reha_status fits_reference(const json_t *own, const char *wanted, const char *type, bool *out,
                                  reha_error *err)
{
    char id[FHIR_ID_BYTES];
    const char *text = reha_json_string(own, "reference", "");
    REHA_TRY(fhir_reference_id(wanted, type, id, err));
    const char *own_id = strchr(text, '/');
    *out = own_id != NULL && strcmp(own_id + 1, id) == 0;
    return REHA_OK;
}

static const json_t *first_of(const json_t *resource, const char *key)
{
    return json_array_get(json_object_get(resource, key), 0);
}

static reha_status fits_one(const fhir_argument *a, const json_t *resource, bool *out, reha_error *err)
{
    span wanted;
    *out = true;
    if (strcmp(a->name, "_id") == 0) {
        *out = fits_word(reha_json_string(resource, "id", ""), a->value);
    } else if (strcmp(a->name, "status") == 0) {
        *out = fits_word(reha_json_string(resource, "status", ""), a->value);
    } else if (strcmp(a->name, "code") == 0) {
        *out = fits_codes(json_object_get(json_object_get(resource, "code"), "coding"), a->value);
    } else if (strcmp(a->name, "category") == 0) {
        *out = fits_codes(json_object_get(first_of(resource, "category"), "coding"), a->value);
    } else if (strcmp(a->name, "date") == 0) {
        REHA_TRY(read_date(a->value, &wanted, err));
        *out = fits_date(reha_json_string(resource, "effectiveDateTime", ""), &wanted);
    } else if (strcmp(a->name, "patient") == 0 || strcmp(a->name, "subject") == 0) {
        REHA_TRY(fits_reference(json_object_get(resource, "subject"), a->value, "Patient", out, err));
    } else if (strcmp(a->name, "study") == 0) {
        REHA_TRY(fits_reference(first_of(resource, "imagingStudy"), a->value, "ImagingStudy", out, err));
    } else if (strcmp(a->name, "derived-from") == 0) {
        REHA_TRY(fits_reference(first_of(resource, "derivedFrom"), a->value, "ImagingStudy", out, err));
    } else if (strcmp(a->name, "identifier") == 0 &&
               strcmp(reha_json_string(resource, "resourceType", ""), "ImagingStudy") == 0) {
        *out = strcmp(fhir_uid_of(reha_json_string(first_of(resource, "identifier"), "value", "")),
                      fhir_uid_of(a->value)) == 0;
    }
    return REHA_OK;
}

reha_status fhir_fits(const fhir_arguments *args, const json_t *resource, bool *out, reha_error *err)
{
    REHA_TRY(fhir_fits_changed(args, reha_json_string(json_object_get(resource, "meta"), "lastUpdated", ""),
                               out, err));
    for (size_t i = 0; i < args->count && *out; i++) {
        REHA_TRY(fits_one(&args->items[i], resource, out, err));
    }
    return REHA_OK;
}

/* Also where nothing is found: a date that is none must be told. */
reha_status fhir_check_times(const fhir_arguments *args, reha_error *err)
{
    for (size_t i = 0; i < args->count; i++) {
        span wanted;
        if (strcmp(args->items[i].name, "date") == 0) {
            REHA_TRY(read_date(args->items[i].value, &wanted, err));
        }
    }
    bool is_wanted = false;
    return fhir_fits_changed(args, "", &is_wanted, err);
}
