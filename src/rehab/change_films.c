#include "rehab/change_films_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double Z_95 = 1.959963984540054;
static const double YEARS_MIN_FOR_RATE = 0.25;
/* What the shipped weights' error allows where some 14 pieces of fascicle are seen: above it,
 * bench/change_bench tissue missed half of what it rendered. Goes with the card's measurement_error_95. */
static const double ANGLE_SDC_CLEAR_DEG = 5.5;

/* ---- reading the results ---- */

typedef struct measure { /* one finding's number */
    double value, error; /* half width of the 95 % interval */
    const char *unit;
} measure;

static const json_t *find_finding(const json_t *region, const char *key)
{
    const json_t *findings = json_object_get(region, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *one = json_array_get(findings, i);
        if (strcmp(reha_json_string(one, "key", ""), key) == 0) {
            return one;
        }
    }
    return NULL;
}

static measure measure_of(const json_t *finding)
{
    const json_t *from = json_object_get(finding, "measure");
    return (measure){.value = reha_json_number(from, "value", (double)NAN),
                     .error = reha_json_number(from, "error_95", (double)NAN),
                     .unit = reha_json_string(from, "unit", "")};
}

/* What one visit's region gives: its scale and whose reading it is. */
typedef struct side_of {
    const json_t *region;
    double plateau_mm; /* NaN unless in millimetres */
    const char *task, *version;
} side_of;

static side_of side_from(const reha_visit *visit, size_t region_idx)
{
    const json_t *region = json_array_get(json_object_get(visit->analysis, "regions"), region_idx);
    const measure plateau = measure_of(find_finding(region, "plateau-width"));
    return (side_of){.region = region,
                     .plateau_mm = strcmp(plateau.unit, "mm") == 0 ? plateau.value : (double)NAN,
                     .task = reha_json_string(visit->analysis, "task", ""),
                     .version = reha_json_string(json_object_get(visit->analysis, "model"), "version", "")};
}

/* A length as a share of the plateau: the same in any enlargement. NaN where it cannot be. */
static measure as_ratio(measure from, double plateau_mm)
{
    if (strcmp(from.unit, "mm") == 0) {
        return (measure){from.value / plateau_mm, from.error / plateau_mm, "1"};
    }
    return from;
}

/* ---- errors ---- */

static const reha_repeat *find_repeat(const reha_instrument *instrument, const side_of *side)
{
    for (size_t i = 0; instrument != NULL && i < instrument->repeat_count; i++) {
        const reha_repeat *one = &instrument->repeats[i];
        if (strcmp(one->task, side->task) == 0 && strcmp(one->version, side->version) == 0) {
            return one;
        }
    }
    return NULL;
}

/* SD of a repeated reading in the unit of the reading: the measured one, or this picture's own spread if
 * larger. */
static double repeat_sd(const reha_instrument *instrument, const reha_repeat *repeat, const measure *reading,
                        double plateau_mm)
{
    const bool is_mm = strcmp(reading->unit, "mm") == 0;
    const bool is_known_in_mm = strcmp(repeat->unit, "mm") == 0;
    const double per_unit = is_mm == is_known_in_mm ? 1.0 : is_mm ? plateau_mm : 1.0 / plateau_mm;
    const double method = is_mm ? instrument->method_sd : instrument->method_sd_ratio;
    const double total = reading->error / Z_95;
    const double own = total > method ? sqrt(total * total - method * method) : 0.0;
    return fmax(repeat->sd * per_unit, isfinite(own) ? own : 0.0);
}

static double acquisition_sd(const reha_instrument *instrument, const measure *reading)
{
    if (instrument == NULL) {
        return (double)NAN;
    }
    const bool is_same_unit = strcmp(instrument->acquisition_unit, reading->unit) == 0;
    return is_same_unit ? instrument->acquisition_sd
                        : instrument->acquisition_sd / instrument->acquisition_scale;
}

static void say_basis(const reha_films *films, reha_compared *out, const reha_repeat *repeat)
{
    const reha_change *change = &out->change;
    const int digits = strcmp(out->unit, "mm") == 0 ? 2 : 4;
    char positioning[80] = "; the error of positioning is not known";
    char published[48] = "";
    if (isfinite(change->sdc_acquisition)) {
        (void)snprintf(positioning, sizeof positioning,
                       ", repeated positioning ± %.*f (published, best case)", digits,
                       change->sdc_acquisition);
    }
    if (isfinite(change->sdc_published)) {
        (void)snprintf(published, sizeof published, "; published MDC95 %.*f", digits, change->sdc_published);
    }
    if (isfinite(change->sdc_reading)) {
        (void)snprintf(out->basis, sizeof out->basis, "%s of both readings ± %.*f%s%s",
                       films->is_same_setup && repeat != NULL ? "measured repeatability" : "full error",
                       digits, change->sdc_reading, positioning, published);
    } else {
        (void)snprintf(out->basis, sizeof out->basis, "the error of the readings is not known%s", published);
    }
}

/* ---- remarks ---- */

static void say(reha_compared *out, const char *text)
{
    const size_t used = strlen(out->remark);
    if (text[0] != '\0' && used + strlen(text) + 3 < sizeof out->remark) {
        (void)snprintf(out->remark + used, sizeof out->remark - used, "%s%s", used > 0 ? "; " : "", text);
    }
}

static void say_rate(const reha_films *films, reha_compared *out)
{
    char text[96];
    const bool is_real = out->change.verdict == REHA_WORSENED || out->change.verdict == REHA_DIFFERENT;
    if (is_real && films->years >= YEARS_MIN_FOR_RATE && strcmp(out->unit, "mm") == 0) {
        (void)snprintf(text, sizeof text, "%+.2f mm a year over %.1f years",
                       out->change.difference / films->years, films->years);
        say(out, text);
    }
}

/* Measured against the picture's own edge: the hand that holds the probe turns them all. */
static void say_tilt(reha_compared *out)
{
    static const char *const tilted[] = {"fascicle-angle", "superficial-aponeurosis-angle",
                                         "deep-aponeurosis-angle"};
    for (size_t i = 0; i < sizeof tilted / sizeof tilted[0]; i++) {
        if (out->change.verdict == REHA_DIFFERENT && strcmp(out->key, tilted[i]) == 0) {
            say(out,
                "against the edge of the picture: a tilted probe does this, too; pennation tells the muscle's "
                "own change");
        }
    }
}

/* Silence about a direction that was hardly seen is no news. */
static void say_ill_seen(reha_compared *out)
{
    char text[160];
    if (out->change.verdict == REHA_NO_CHANGE && strcmp(out->unit, "deg") == 0 &&
        out->change.sdc > ANGLE_SDC_CLEAR_DEG) {
        (void)snprintf(
            text, sizeof text,
            "seen poorly in at least one picture: less than %.0f degrees cannot show, and more may "
            "be missed; take clearer pictures",
            ceil(out->change.sdc));
        say(out, text);
    }
}

/* By nature it only gets worse: "improved" would send the reader in the wrong direction. */
static void doubt_improvement(reha_compared *out)
{
    if (out->change.verdict == REHA_IMPROVED && out->instrument != NULL && out->instrument->cannot_improve) {
        out->change.verdict = REHA_DIFFERENT;
        say(out, "not by healing, which this does not do: look for exchanged files, another position, beam "
                 "or weight bearing");
    }
}

static void finish(reha_films *films, reha_compared *out)
{
    char remark[256];
    if (strcmp(out->key, "cross-sectional-area") ==
        0) { /* its stated error is that of a pixel, not of a hand */
        out->change.verdict = REHA_CANNOT_TELL;
        say(out, "both borders were drawn by hand, with an error that is not known: draw each twice");
        return;
    }
    if (strncmp(out->unit, "px", 2) ==
        0) { /* even with one set-up: what a new acquisition adds is only known in mm */
        out->change.verdict = REHA_CANNOT_TELL;
        say(out, "pixels are no size: another depth or resolution changes them; give the scale");
        return;
    }
    if (films->is_blocked) {
        out->change.verdict = REHA_CANNOT_TELL;
        out->change.importance = REHA_IMPORTANCE_UNKNOWN;
        say(out, "the pictures are not comparable for measuring: see the checks");
        return;
    }
    doubt_improvement(out);
    if (out->change.verdict == REHA_IMPROVED || out->change.verdict == REHA_WORSENED ||
        out->change.importance != REHA_IMPORTANCE_UNKNOWN) {
        reha_change_remark(&out->change, remark, sizeof remark);
        say(out, remark);
    }
    say_rate(films, out);
    say_tilt(out);
    say_ill_seen(out);
}

/* ---- measures ---- */

static reha_compared *add(reha_film_pair *pair, const char *key, const char *label, const reha_scores *scores)
{
    if (pair->measure_count >= REHA_MEASURES_MAX) {
        return NULL;
    }
    reha_compared *out = &pair->measures[pair->measure_count++];
    *out = (reha_compared){.grade_before = -1,
                           .grade_after = -1,
                           .set_before = {-1, -1},
                           .set_after = {-1, -1},
                           .instrument = reha_scores_find_measure(scores, key)};
    (void)snprintf(out->key, sizeof out->key, "%s", key);
    (void)snprintf(out->label, sizeof out->label, "%s", label);
    return out;
}

static const char *static_unit(const char *unit)
{
    static const char *const units[] = {"mm",     "1", "deg", "px",  "{grade}",
                                        "{grey}", "%", "mm2", "cm2", "px2"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i], unit) == 0) {
            return units[i];
        }
    }
    return "";
}

static void compare_number(reha_films *films, reha_film_pair *pair, const json_t *finding, const side_of *a,
                           const side_of *b, const reha_scores *scores, const char *setting)
{
    const char *key = reha_json_string(finding, "key", "");
    measure first = measure_of(finding);
    measure second = measure_of(find_finding(b->region, key));
    reha_compared *out = add(pair, key, reha_json_string(finding, "label", key), scores);
    if (out == NULL) {
        return;
    }
    if (!films->is_mm && (strcmp(first.unit, "mm") == 0 || strcmp(second.unit, "mm") == 0)) {
        first = as_ratio(first, a->plateau_mm);
        second = as_ratio(second, b->plateau_mm);
    }
    out->unit = static_unit(first.unit);
    if (strcmp(first.unit, second.unit) != 0) {
        second.value = (double)NAN;
        say(out, "the two readings have different units");
    }
    const reha_repeat *repeat =
        films->is_same_setup && films->is_same_model ? find_repeat(out->instrument, a) : NULL;
    reha_change_spec spec = {
        .better = 0, .low = (double)NAN, .high = (double)NAN, .acquisition_sd = (double)NAN};
    if (out->instrument != NULL) {
        spec = reha_change_spec_of(out->instrument, setting);
        if (strcmp(out->unit, out->instrument->unit) !=
            0) { /* thresholds and ends are of the instrument's own unit */
            spec.mdc = spec.mic = NULL;
            spec.low = spec.high = (double)NAN;
        }
    }
    spec.acquisition_sd = acquisition_sd(out->instrument, &first);
    const reha_reading before = {first.value, repeat != NULL
                                                  ? repeat_sd(out->instrument, repeat, &first, a->plateau_mm)
                                                  : first.error / Z_95};
    const reha_reading after = {second.value, repeat != NULL
                                                  ? repeat_sd(out->instrument, repeat, &second, b->plateau_mm)
                                                  : second.error / Z_95};
    out->change = reha_change_judge(before, after, &spec);
    out->change.has_no_room =
        out->change.has_no_room && !(out->instrument != NULL && out->instrument->is_image);
    say_basis(films, out, repeat);
    finish(films, out);
}

/* -1 for what is no grade: results may come from anywhere. */
static int small_number(const json_t *from, const char *key)
{
    const double value = reha_json_number(from, key, -1.0);
    return value >= 0.0 && value <= 100.0 ? (int)value : -1;
}

static void read_set(const json_t *grading, int *grade, int set[2])
{
    const json_t *from = json_object_get(grading, "prediction_set");
    *grade = small_number(grading, "grade");
    if (json_is_object(from)) {
        set[0] = small_number(from, "low");
        set[1] = small_number(from, "high");
    }
}

/* Grades are few and uncertain: only prediction sets without a common grade are a change. */
static void compare_grade(reha_films *films, reha_film_pair *pair, const json_t *finding, const side_of *b,
                          const reha_scores *scores)
{
    const char *key = reha_json_string(finding, "key", "");
    const json_t *second = find_finding(b->region, key);
    reha_compared *out = add(pair, key, reha_json_string(finding, "label", key), scores);
    if (out == NULL) {
        return;
    }
    read_set(json_object_get(finding, "grading"), &out->grade_before, out->set_before);
    read_set(json_object_get(second, "grading"), &out->grade_after, out->set_after);
    out->unit = "{grade}";
    const double nothing = (double)NAN;
    out->change = (reha_change){.before = out->grade_before >= 0 ? out->grade_before : nothing,
                                .after = out->grade_after >= 0 ? out->grade_after : nothing,
                                .sdc = nothing,
                                .sdc_reading = nothing,
                                .sdc_acquisition = nothing,
                                .sdc_published = nothing,
                                .mic = nothing};
    out->change.difference = out->change.after - out->change.before;
    (void)snprintf(out->basis, sizeof out->basis,
                   "prediction sets: a change only where they have no grade in common");
    if (out->set_before[0] >= 0 && out->set_after[0] >= 0) {
        out->change.verdict = out->set_after[0] > out->set_before[1]   ? REHA_WORSENED
                              : out->set_after[1] < out->set_before[0] ? REHA_IMPROVED
                                                                       : REHA_NO_CHANGE;
    }
    if (out->change.verdict == REHA_NO_CHANGE && out->grade_before != out->grade_after) {
        say(out, "the most probable grade differs, but both sets hold a common one");
    }
    finish(films, out);
}

/* The width of a bone does not change: if it seems to, the scale is wrong. */
static void check_bone(reha_films *films, const side_of *a, const side_of *b, const char *side)
{
    const measure first = measure_of(find_finding(a->region, "plateau-width"));
    const measure second = measure_of(find_finding(b->region, "plateau-width"));
    const double limit = hypot(first.error, second.error);
    if (!films->is_mm || isnan(a->plateau_mm) || isnan(b->plateau_mm) || !(limit > 0.0)) {
        return;
    }
    if (fabs(second.value - first.value) > limit) {
        films->is_mm = false;
        films->is_same_setup = false;
        reha_films_check(films, REHA_CHECK_WARNING, "bone-width",
                         "the plateau of the %s knee reads %.1f and then %.1f mm; bone does not change, so "
                         "the scale or the "
                         "turn of the leg did: compared as shares of the plateau width",
                         side, first.value, second.value);
    } else {
        reha_films_check(films, REHA_CHECK_OK, "bone-width",
                         "the plateau of the %s knee reads %.1f and %.1f mm: same scale", side, first.value,
                         second.value);
    }
}

static bool is_measured(const json_t *region, const char *key)
{
    return isfinite(measure_of(find_finding(region, key)).value);
}

static bool is_graded(const json_t *region, const char *key)
{
    return json_is_object(json_object_get(find_finding(region, key), "grading"));
}

/* The overall minimum says nothing new beside both compartments, and may jump between them; pixels say
 * nothing new beside millimetres. */
static bool is_passed_over(const char *key, const side_of *a, const side_of *b)
{
    if (!is_measured(a->region, key) && !is_measured(b->region, key) && !is_graded(a->region, key)) {
        return true; /* measured at neither visit: nothing to say */
    }
    const size_t length = strlen(key);
    char in_mm[64];
    if (length > 3 && length < sizeof in_mm && strcmp(key + length - 3, "-px") == 0) {
        (void)snprintf(in_mm, sizeof in_mm, "%.*s", (int)(length - 3), key);
        if (is_measured(a->region, in_mm) && is_measured(b->region, in_mm)) {
            return true;
        }
    }
    const bool has_both =
        is_measured(a->region, "jsw-medial-min") && is_measured(b->region, "jsw-medial-min");
    return strcmp(key, "plateau-width") == 0 || (strcmp(key, "jsw-min") == 0 && has_both);
}

static void compare_measures(reha_films *films, reha_film_pair *pair, const side_of *a, const side_of *b,
                             const reha_scores *scores, const char *setting)
{
    const json_t *findings = json_object_get(a->region, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *one = json_array_get(findings, i);
        const char *key = reha_json_string(one, "key", "");
        if (find_finding(b->region, key) == NULL || is_passed_over(key, a, b)) {
            continue;
        }
        if (json_is_object(json_object_get(one, "grading"))) {
            compare_grade(films, pair, one, b, scores);
        } else if (json_is_object(json_object_get(one, "measure"))) {
            compare_number(films, pair, one, a, b, scores, setting);
        }
    }
}

/* ---- which joint belongs to which ---- */

static const char *region_side(const json_t *region)
{
    const char *side = reha_json_string(region, "side", "unknown");
    return strcmp(side, "right") == 0 ? "right" : strcmp(side, "left") == 0 ? "left" : "unknown";
}

static size_t accepted_count(const json_t *regions, size_t *only)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(regions); i++) {
        if (json_is_true(json_object_get(json_array_get(regions, i), "accepted"))) {
            *only = i;
            count++;
        }
    }
    return count;
}

static void pair_sides(const json_t *before, const json_t *after, reha_films *films)
{
    for (size_t i = 0; i < json_array_size(before); i++) {
        const json_t *a = json_array_get(before, i);
        for (size_t k = 0; k < json_array_size(after) && films->pair_count < REHA_PAIRS_MAX; k++) {
            const json_t *b = json_array_get(after, k);
            const bool are_accepted =
                json_is_true(json_object_get(a, "accepted")) && json_is_true(json_object_get(b, "accepted"));
            if (are_accepted && strcmp(region_side(a), "unknown") != 0 &&
                strcmp(region_side(a), region_side(b)) == 0) {
                films->pairs[films->pair_count++] =
                    (reha_film_pair){.side = region_side(a), .before_idx = i, .after_idx = k};
                break;
            }
        }
    }
}

/* Sides that nobody stated: the order in the picture is all that there is. */
static void pair_by_place(const json_t *before, const json_t *after, reha_films *films)
{
    size_t k = 0;
    for (size_t i = 0; i < json_array_size(before) && films->pair_count < REHA_PAIRS_MAX; i++) {
        if (!json_is_true(json_object_get(json_array_get(before, i), "accepted"))) {
            continue;
        }
        while (k < json_array_size(after) &&
               !json_is_true(json_object_get(json_array_get(after, k), "accepted"))) {
            k++;
        }
        const char *first = region_side(json_array_get(before, i));
        const char *second = region_side(json_array_get(after, k));
        films->pairs[films->pair_count++] = (reha_film_pair){
            .side = strcmp(first, "unknown") == 0 ? second : first, .before_idx = i, .after_idx = k++};
    }
}

static bool are_all_unknown(const json_t *regions)
{
    for (size_t i = 0; i < json_array_size(regions); i++) {
        if (strcmp(region_side(json_array_get(regions, i)), "unknown") != 0) {
            return false;
        }
    }
    return true;
}

static void pair_regions(const json_t *before, const json_t *after, reha_films *films)
{
    size_t a = 0;
    size_t b = 0;
    pair_sides(before, after, films);
    if (films->pair_count > 0) {
        reha_films_check(films, REHA_CHECK_OK, "side", "%s in both",
                         films->pair_count > 1                        ? "right and left side"
                         : strcmp(films->pairs[0].side, "right") == 0 ? "right side"
                                                                      : "left side");
        return;
    }
    const size_t count = accepted_count(before, &a);
    const bool is_even = accepted_count(after, &b) == count && count > 0;
    if (is_even && (count == 1 ? are_all_unknown(before) || are_all_unknown(after)
                               : are_all_unknown(before) && are_all_unknown(after))) {
        pair_by_place(before, after, films);
        reha_films_check(
            films, REHA_CHECK_WARNING, "side",
            count == 1
                ? "the side of at least one picture is unknown: make sure it is the same"
                : "the sides are unknown: paired by their place in the picture; make sure it is the same");
    } else {
        reha_films_check(films, REHA_CHECK_REFUSED, "side",
                         count == 1 && is_even ? "the first shows the %s, the second the %s side"
                                               : "no side is recognised in both (%s, %s)",
                         region_side(json_array_get(before, a)), region_side(json_array_get(after, b)));
    }
}

static reha_status check_form(const reha_visit *visit, const char *name, reha_error *err)
{
    if (!json_is_array(json_object_get(visit->analysis, "regions")) ||
        !json_is_object(json_object_get(visit->analysis, "image"))) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the %s result has no 'regions' and 'image': it is no analysis of this program",
                         name);
    }
    return REHA_OK;
}

reha_status reha_films_compare(const reha_visit *before, const reha_visit *after, const reha_scores *scores,
                               const reha_film_options *options, reha_films *out, reha_error *err)
{
    *out = (reha_films){.years = (double)NAN};
    REHA_TRY(check_form(before, "first", err));
    REHA_TRY(check_form(after, "second", err));
    reha_films_check_all(before, after, options, out);
    if (!out->is_refused) {
        pair_regions(json_object_get(before->analysis, "regions"),
                     json_object_get(after->analysis, "regions"), out);
    }
    for (int i = 0; i < out->pair_count && !out->is_refused;
         i++) { /* the scale of all, before any is measured */
        const side_of a = side_from(before, out->pairs[i].before_idx);
        const side_of b = side_from(after, out->pairs[i].after_idx);
        check_bone(out, &a, &b, out->pairs[i].side);
    }
    for (int i = 0; i < out->pair_count && !out->is_refused; i++) {
        const side_of a = side_from(before, out->pairs[i].before_idx);
        const side_of b = side_from(after, out->pairs[i].after_idx);
        compare_measures(out, &out->pairs[i], &a, &b, scores, options->setting);
    }
    return REHA_OK;
}

/* ---- out ---- */

const char *reha_check_level_text(reha_check_level level)
{
    static const char *const texts[] = {"ok", "note", "warning", "blocks", "refused"};
    return texts[level];
}

static json_t *set_to_json(const int set[2])
{
    return set[0] >= 0 ? json_pack("[i, i]", set[0], set[1]) : json_null();
}

static json_t *measure_to_json(const reha_compared *one)
{
    json_t *grades = one->set_before[0] >= 0 || one->grade_before >= 0
                         ? json_pack("{s:o, s:o}", "set_before", set_to_json(one->set_before), "set_after",
                                     set_to_json(one->set_after))
                         : json_null();
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:s}", "key", one->key, "label",
                     reha_json_text(one->label), "unit", one->unit, "change",
                     reha_change_to_json(&one->change), "sets", grades, "error_basis", one->basis, "remark",
                     one->remark);
}

json_t *reha_films_to_json(const reha_films *films)
{
    json_t *checks = json_array();
    json_t *joints = json_array();
    for (int i = 0; i < films->check_count; i++) {
        const reha_check *one = &films->checks[i];
        (void)json_array_append_new(checks,
                                    json_pack("{s:s, s:s, s:o}", "level", reha_check_level_text(one->level),
                                              "code", one->code, "text", reha_json_text(one->text)));
    }
    for (int i = 0; i < films->pair_count; i++) {
        json_t *measures = json_array();
        for (int k = 0; k < films->pairs[i].measure_count; k++) {
            (void)json_array_append_new(measures, measure_to_json(&films->pairs[i].measures[k]));
        }
        (void)json_array_append_new(
            joints, json_pack("{s:s, s:o}", "side", films->pairs[i].side, "measures", measures));
    }
    return json_pack("{s:b, s:s, s:b, s:o, s:o, s:o}", "comparable", !films->is_refused, "lengths",
                     films->is_mm ? "mm" : "ratio", "same_setup", films->is_same_setup, "years",
                     reha_json_real(films->years), "checks", checks, "joints", joints);
}
