/* May two pictures be compared? Each rule answers one question and says what to do. */
#include "rehab/change_films_priv.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double DAYS_PER_YEAR = 365.25;

void reha_films_check(reha_films *films, reha_check_level level, const char *code, const char *format, ...)
{
    va_list arguments;
    if (films->check_count >= REHA_CHECKS_MAX) {
        return;
    }
    reha_check *check = &films->checks[films->check_count++];
    check->level = level;
    (void)snprintf(check->code, sizeof check->code, "%s", code);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands right above */
    (void)vsnprintf(check->text, sizeof check->text, format, arguments);
    va_end(arguments);
    films->is_refused = films->is_refused || level == REHA_CHECK_REFUSED;
    films->is_blocked = films->is_blocked || level >= REHA_CHECK_BLOCKS;
}

static const json_t *image_of(const reha_visit *visit)
{
    return json_object_get(visit->analysis, "image");
}

static const char *fact(const reha_visit *visit, const char *key)
{
    return reha_json_string(image_of(visit), key, "");
}

static bool both_known(const char *a, const char *b)
{
    return a[0] != '\0' && b[0] != '\0';
}

/* ---- dates ---- */

static bool read_date(const char *text, int *year, int *month, int *day)
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i]) {
            return false;
        }
    }
    *year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    *month = (text[5] - '0') * 10 + (text[6] - '0');
    *day = (text[8] - '0') * 10 + (text[9] - '0');
    const bool is_leap = (*year % 4 == 0 && *year % 100 != 0) || *year % 400 == 0;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return (text[10] == '\0' || text[10] == 'T') && *month >= 1 && *month <= 12 && *day >= 1 &&
           *day <= days[*month - 1] + (*month == 2 && is_leap ? 1 : 0);
}

/* Days since 0000-03-01 of the Gregorian calendar. */
static long day_number(int year, int month, int day)
{
    const long y = month > 2 ? year : year - 1;
    const long m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day;
}

double reha_days_between(const char *before, const char *after)
{
    int a[3];
    int b[3];
    if (before == NULL || after == NULL || !read_date(before, &a[0], &a[1], &a[2]) ||
        !read_date(after, &b[0], &b[1], &b[2])) {
        return (double)NAN;
    }
    return (double)(day_number(b[0], b[1], b[2]) - day_number(a[0], a[1], a[2]));
}

static void check_dates(const reha_visit *before, const reha_visit *after, reha_films *films)
{
    const double days = reha_days_between(before->date, after->date);
    films->years = days > 0.0 ? days / DAYS_PER_YEAR : (double)NAN;
    if (isnan(days)) {
        reha_films_check(
            films, REHA_CHECK_NOTE, "dates",
            "the dates are not known: that the first picture is the earlier one was not checked");
    } else if (days < 0.0) {
        reha_films_check(films, REHA_CHECK_REFUSED, "dates",
                         "the first picture is %.0f days younger than the second: exchange them, or better "
                         "would read as worse",
                         -days);
    } else {
        reha_films_check(films, REHA_CHECK_OK, "dates", "%.0f days lie between the two", days);
    }
}

/* ---- who, what, which side ---- */

static void check_patient(const reha_visit *before, const reha_visit *after, reha_films *films)
{
    if (before->digest[0] != '\0' && strcmp(before->digest, after->digest) == 0) {
        reha_films_check(films, REHA_CHECK_WARNING, "same-file",
                         "both are the same file: nothing can have changed");
    }
    if (!both_known(before->patient, after->patient)) {
        reha_films_check(films, REHA_CHECK_NOTE, "patient",
                         "the files do not both name their patient: make sure that it is one person");
    } else if (strcmp(before->patient, after->patient) != 0) {
        reha_films_check(films, REHA_CHECK_REFUSED, "patient",
                         "the two pictures carry different patient numbers");
    } else {
        reha_films_check(films, REHA_CHECK_OK, "patient", "same patient number");
    }
}

static void check_accepted(const reha_visit *visit, const char *name, reha_films *films)
{
    if (json_is_true(json_object_get(visit->analysis, "accepted"))) {
        return;
    }
    const char *why = "no reason was kept";
    const json_t *notes = json_object_get(visit->analysis, "notes");
    for (size_t i = 0; i < json_array_size(notes); i++) {
        if (strcmp(reha_json_string(json_array_get(notes, i), "level", ""), "refused") == 0) {
            why = reha_json_string(json_array_get(notes, i), "text", why);
        }
    }
    const json_t *regions = json_object_get(visit->analysis, "regions");
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const json_t *own = json_object_get(json_array_get(regions, i), "notes");
        for (size_t k = 0; k < json_array_size(own); k++) {
            if (strcmp(reha_json_string(json_array_get(own, k), "level", ""), "refused") == 0) {
                why = reha_json_string(json_array_get(own, k), "text", why);
            }
        }
    }
    reha_films_check(films, REHA_CHECK_REFUSED, "refused", "the %s picture was refused: %s", name, why);
}

static void check_model(const reha_visit *before, const reha_visit *after, reha_films *films)
{
    const json_t *a = json_object_get(before->analysis, "model");
    const json_t *b = json_object_get(after->analysis, "model");
    const char *task_a = reha_json_string(before->analysis, "task", "");
    const char *task_b = reha_json_string(after->analysis, "task", "");
    const char *hash_a = reha_json_string(a, "hash", "");
    const char *hash_b = reha_json_string(b, "hash", "");
    if (strcmp(task_a, task_b) != 0) {
        reha_films_check(films, REHA_CHECK_REFUSED, "task",
                         "different recognisers read them (%.30s and %.30s)", task_a, task_b);
        return;
    }
    films->is_same_model =
        strcmp(reha_json_string(a, "version", "?"), reha_json_string(b, "version", "!")) == 0 &&
        (!both_known(hash_a, hash_b) || strcmp(hash_a, hash_b) == 0);
    if (!films->is_same_model) {
        reha_films_check(
            films, REHA_CHECK_WARNING, "model",
            "different versions of the model read them: give both images, so that one reads both");
    }
}

/* ---- how it was taken ---- */

static const char *device_class(const char *modality)
{
    static const char *const films[] = {"CR", "DX", "RG", "RF", "XA"};
    for (size_t i = 0; i < sizeof films / sizeof films[0]; i++) {
        if (strcmp(modality, films[i]) == 0) {
            return "radiograph";
        }
    }
    return modality;
}

static void check_device(const reha_visit *before, const reha_visit *after, reha_films *films)
{
    const char *a = device_class(fact(before, "modality"));
    const char *b = device_class(fact(after, "modality"));
    const char *device_a = fact(before, "device_model");
    const char *device_b = fact(after, "device_model");
    if (both_known(a, b) && strcmp(a, b) != 0) {
        reha_films_check(films, REHA_CHECK_REFUSED, "device",
                         "one is a %.16s, the other a %.16s: these cannot be compared", a, b);
    } else if (!both_known(a, b)) {
        reha_films_check(films, REHA_CHECK_NOTE, "device",
                         "at least one file does not say what machine made it");
    } else if (both_known(device_a, device_b) && strcmp(device_a, device_b) != 0) {
        reha_films_check(films, REHA_CHECK_WARNING, "device",
                         "made on different machines: enlargement and contrast may differ");
    } else {
        reha_films_check(films, REHA_CHECK_OK, "device", "same kind of device (%.16s)", a);
    }
}

static bool is_frontal(const char *view)
{
    return strcmp(view, "AP") == 0 || strcmp(view, "PA") == 0;
}

static void check_view(const reha_visit *before, const reha_visit *after, reha_films *films)
{
    const char *a = fact(before, "view_position");
    const char *b = fact(after, "view_position");
    if (!both_known(a, b)) {
        reha_films_check(films, REHA_CHECK_NOTE, "view",
                         "at least one file does not state its view: straight and bent, loaded and unloaded "
                         "joints differ");
    } else if (strcmp(a, b) == 0) {
        reha_films_check(films, REHA_CHECK_OK, "view", "same view (%.16s)", a);
    } else {
        reha_films_check(films, is_frontal(a) && is_frontal(b) ? REHA_CHECK_BLOCKS : REHA_CHECK_REFUSED,
                         "view",
                         "different views (%.16s and %.16s): widths and grades differ by the view alone; "
                         "repeat the view of "
                         "the first visit",
                         a, b);
    }
}

static void check_position(const reha_visit *before, const reha_visit *after, reha_films *films)
{
    const bool is_ultrasound = strcmp(fact(before, "modality"), "US") == 0;
    const char *a = before->position;
    const char *b = after->position;
    if (both_known(a, b)) {
        const bool is_same = strcmp(a, b) == 0;
        reha_films_check(films, is_same ? REHA_CHECK_OK : REHA_CHECK_BLOCKS, "position",
                         is_same ? "same patient position (%.20s)"
                                 : "different patient positions (%.20s and %.20s): the "
                                   "measures change with the position alone",
                         a, b);
    } else {
        reha_films_check(
            films, is_ultrasound ? REHA_CHECK_WARNING : REHA_CHECK_NOTE, "position",
            is_ultrasound
                ? "the patient position is not stated: muscles are thicker seated than lying; compare "
                  "only pictures of one position"
                : "the patient position is not stated: compare weight-bearing with weight-bearing only");
    }
}

/* ---- scale ---- */

static const char *scale_of(const reha_visit *visit)
{
    return reha_json_string(json_object_get(image_of(visit), "spacing"), "source", "unknown");
}

static void find_setup(const reha_visit *before, const reha_visit *after, const reha_film_options *options,
                       reha_films *films)
{
    const bool is_shown = both_known(fact(before, "device_model"), fact(after, "device_model")) &&
                          strcmp(fact(before, "device_model"), fact(after, "device_model")) == 0 &&
                          both_known(fact(before, "view_position"), fact(after, "view_position")) &&
                          strcmp(fact(before, "view_position"), fact(after, "view_position")) == 0 &&
                          strcmp(scale_of(before), scale_of(after)) == 0 &&
                          strcmp(scale_of(before), "unknown") != 0;
    films->is_same_setup = (options->is_setup_stated || is_shown) && !films->is_blocked;
    if (films->is_same_setup) {
        reha_films_check(films, REHA_CHECK_OK, "setup",
                         options->is_setup_stated
                             ? "same set-up, as you state: the repeatability of the reading counts"
                             : "same machine, view and scale: the repeatability of the reading counts");
    } else {
        reha_films_check(films, REHA_CHECK_NOTE, "setup",
                         "that both come from one set-up is not shown, so the full error of each reading "
                         "counts; if machine, "
                         "view, position and distance were the same, say so with --same-setup");
    }
}

/* An ultrasound picture may carry its own ruler: then a length is in millimetres though the file states no
 * scale. */
static bool has_mm(const reha_visit *visit)
{
    const json_t *regions = json_object_get(visit->analysis, "regions");
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const json_t *findings = json_object_get(json_array_get(regions, i), "findings");
        for (size_t k = 0; k < json_array_size(findings); k++) {
            const json_t *measure = json_object_get(json_array_get(findings, k), "measure");
            if (strcmp(reha_json_string(measure, "unit", ""), "mm") == 0 &&
                isfinite(reha_json_number(measure, "value", (double)NAN))) {
                return true;
            }
        }
    }
    return false;
}

static void check_scale(const reha_visit *before, const reha_visit *after, reha_films *films)
{
    const char *a = scale_of(before);
    const char *b = scale_of(after);
    const bool is_detector = strncmp(a, "at detector", 11) == 0;
    const bool is_knee = strcmp(reha_json_string(before->analysis, "task", ""), "knee-oa") == 0;
    const char *instead = is_knee ? "widths are compared as shares of the plateau width"
                                  : "lengths cannot be compared, angles can";
    films->is_mm = false;
    if (!is_knee && has_mm(before) && has_mm(after)) {
        films->is_mm = true;
        reha_films_check(films, REHA_CHECK_OK, "spacing", "millimetres in both, each by its own scale");
        return;
    }
    if (strcmp(a, "unknown") == 0 || strcmp(b, "unknown") == 0) {
        reha_films_check(films, REHA_CHECK_WARNING, "spacing", "the scale of %s unknown: no millimetres; %s",
                         strcmp(a, b) == 0           ? "both is"
                         : strcmp(a, "unknown") == 0 ? "the first is"
                                                     : "the second is",
                         instead);
    } else if (strcmp(a, b) != 0) {
        reha_films_check(films, REHA_CHECK_WARNING, "spacing",
                         "millimetres have different sources (%.50s; %.50s): %s", a, b, instead);
    } else if (is_detector && !films->is_same_setup) {
        reha_films_check(films, REHA_CHECK_WARNING, "spacing",
                         "millimetres at the detector, enlargement unknown: %s", instead);
    } else {
        films->is_mm = true;
        reha_films_check(films, is_detector ? REHA_CHECK_WARNING : REHA_CHECK_OK, "spacing",
                         "millimetres: %.60s%s", a,
                         is_detector ? " in both, same set-up; both read too long alike" : " in both");
    }
}

void reha_films_check_all(const reha_visit *before, const reha_visit *after, const reha_film_options *options,
                          reha_films *films)
{
    check_patient(before, after, films);
    check_accepted(before, "first", films);
    check_accepted(after, "second", films);
    check_model(before, after, films);
    check_dates(before, after, films);
    check_device(before, after, films);
    check_view(before, after, films);
    check_position(before, after, films);
    find_setup(before, after, options, films);
    check_scale(before, after, films);
}
