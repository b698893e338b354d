/* One finding in a structured report: the value that stands, and beside it what the software said, how sure
 * it was, and what the clinician decided. */
#include "service/export_sr_priv.h"

#include "service/clinic_report_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CODE_BYTES = 64, MEANING_BYTES = 128 };

typedef enum stand { STANDS, AMENDED, REJECTED } stand;

/* A finding with what was decided on it. */
typedef struct decided {
    const json_t *finding, *review; /* review NULL: nobody decided */
    const char *key, *label;
    stand stand;
    double value; /* of an amendment */
} decided;

static decided decide(const json_t *result, int region_idx, const json_t *finding)
{
    const char *key = reha_json_string(finding, "key", "finding");
    decided it = {.finding = finding,
                  .review = report_find_review(result, region_idx, key),
                  .key = key,
                  .label = reha_json_string(finding, "label", key)};
    const char *word = reha_json_string(it.review, "decision", "");
    it.stand = strcmp(word, "amend") == 0 ? AMENDED : strcmp(word, "reject") == 0 ? REJECTED : STANDS;
    it.value = reha_json_number(it.review, "value", (double)NAN);
    return it;
}

static reha_sr_concept unit_of(const char *unit)
{
    static const struct {
        const char *unit, *code, *meaning;
    } known[] = {{"mm", "mm", "millimeter"},
                 {"mm2", "mm2", "square millimeter"},
                 {"deg", "deg", "degree"},
                 {"1", "1", "no units"},
                 {"%", "%", "percent"},
                 {"px", "{pixels}", "pixels"},
                 {"px2", "{square_pixels}", "square pixels"},
                 {"ms", "ms", "millisecond"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(unit, known[i].unit) == 0) {
            return (reha_sr_concept){known[i].code, "UCUM", known[i].meaning};
        }
    }
    return (reha_sr_concept){unit, "UCUM", unit};
}

/* No more digits than the error leaves: hundredths of a millimetre or degree, a tenth of a pixel. */
static double rounded(double value, reha_sr_concept unit)
{
    static const struct {
        const char *code;
        double steps; /* of one unit */
    } known[] = {{"mm", 100.0}, {"mm2", 10.0}, {"deg", 100.0}, {"{pixels}", 10.0}, {"{square_pixels}", 1.0}};
    double steps = 10000.0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        steps = strcmp(unit.value, known[i].code) == 0 ? known[i].steps : steps;
    }
    return rint(value * steps) / steps;
}

static void put_text(reha_sr *sr, const char *code, const char *meaning, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        reha_sr_text(sr, REHA_SR_HAS_PROPERTIES, export_own(code, meaning), text);
        reha_sr_end(sr);
    }
}

static void put_number(reha_sr *sr, reha_sr_concept name, double value, reha_sr_concept unit)
{
    if (isfinite(value)) {
        reha_sr_number(sr, REHA_SR_HAS_PROPERTIES, name, rounded(value, unit), unit);
        reha_sr_end(sr);
    }
}

/* Who decided what, when and why: of the item that is open. */
static void put_decision(reha_sr *sr, const decided *it)
{
    char decided_at[REHA_LOCAL_BYTES];
    const char *word = reha_json_string(it->review, "decision", "");
    const reha_sr_concept value = strcmp(word, "accept") == 0   ? export_own("accepted", "Accepted")
                                  : strcmp(word, "amend") == 0  ? export_own("amended", "Amended")
                                  : strcmp(word, "reject") == 0 ? export_own("rejected", "Rejected")
                                                                : export_own("not-reviewed", "Not reviewed");
    reha_sr_code(sr, REHA_SR_HAS_PROPERTIES, export_own("decision", "Clinician's decision"), value);
    reha_sr_end(sr);
    if (it->review == NULL) {
        return;
    }
    reha_sr_person(sr, REHA_SR_HAS_PROPERTIES, export_own("decided-by", "Decided by"),
                   reha_json_string(it->review, "user_name", ""));
    reha_sr_end(sr);
    reha_export_local(reha_json_string(it->review, "created_at", ""), decided_at);
    reha_sr_datetime(sr, REHA_SR_HAS_PROPERTIES, export_own("decided-at", "Decided at"), decided_at);
    reha_sr_end(sr);
    put_text(sr, "reason", "Reason", reha_json_string(it->review, "reason", NULL));
}

/* What every finding may say, inside of its item. */
static void put_common(reha_sr *sr, const decided *it, const reha_dicom_origin *image)
{
    const json_t *box = json_object_get(it->finding, "region");
    put_decision(sr, it);
    if (json_is_true(json_object_get(it->finding, "research_only"))) {
        reha_sr_code(sr, REHA_SR_HAS_PROPERTIES, export_own("intended-use", "Intended use"),
                     export_own("research-only", "Research only"));
        reha_sr_end(sr);
    }
    put_text(sr, "evidence", "Evidence", reha_json_string(it->finding, "evidence", NULL));
    if (json_is_object(box)) {
        export_sr_box(sr, REHA_SR_INFERRED_FROM, export_dcm("111030", "Image Region"), box, image);
    }
}

/* ---- a grade ---- */

typedef struct grade_words {
    char code[CODE_BYTES], meaning[MEANING_BYTES];
} grade_words;

static reha_sr_concept grade_of(const decided *it, double grade, grade_words *words)
{
    (void)snprintf(words->code, sizeof words->code, "%.48s-%g", it->key, grade);
    (void)snprintf(words->meaning, sizeof words->meaning, "%.56s %g", it->label, grade);
    return export_own(words->code, words->meaning);
}

static void put_probabilities(reha_sr *sr, const decided *it)
{
    grade_words words;
    const reha_sr_concept none = {"1", "UCUM", "no units"};
    const json_t *grading = json_object_get(it->finding, "grading");
    const json_t *probabilities = json_object_get(grading, "probabilities");
    const json_t *set = json_object_get(grading, "prediction_set");
    for (size_t k = 0; k < json_array_size(probabilities); k++) {
        const double share = json_number_value(json_array_get(probabilities, k));
        reha_sr_number(sr, REHA_SR_HAS_PROPERTIES,
                       export_own("grade-probability", "Probability of a grade, calibrated"),
                       rounded(share, none), none);
        reha_sr_code(sr, REHA_SR_HAS_CONCEPT_MOD, export_own("grade", "Grade"),
                     grade_of(it, (double)k, &words));
        reha_sr_end(sr);
        reha_sr_end(sr);
    }
    if (!json_is_object(set)) {
        return;
    }
    for (double k = reha_json_number(set, "low", 0.0); k <= reha_json_number(set, "high", -1.0); k += 1.0) {
        reha_sr_code(sr, REHA_SR_HAS_PROPERTIES, export_own("prediction-set", "Grade of the prediction set"),
                     grade_of(it, k, &words));
        reha_sr_end(sr);
    }
    put_number(sr, export_own("set-coverage", "Promised coverage of the prediction set"),
               reha_json_number(set, "coverage", (double)NAN), none);
}

static void put_grade(reha_sr *sr, const decided *it, const reha_dicom_origin *image)
{
    grade_words words;
    const double grade = reha_json_number(json_object_get(it->finding, "grading"), "grade", 0.0);
    const reha_sr_concept value = it->stand == REJECTED  ? export_own("rejected", "Rejected: no value stands")
                                  : it->stand == AMENDED ? grade_of(it, it->value, &words)
                                                         : grade_of(it, grade, &words);
    reha_sr_code(sr, REHA_SR_CONTAINS, export_own(it->key, it->label), value);
    if (it->stand != STANDS) {
        reha_sr_code(sr, REHA_SR_HAS_PROPERTIES, export_own("software-value", "Software's value"),
                     grade_of(it, grade, &words));
        reha_sr_end(sr);
    }
    put_probabilities(sr, it);
    put_common(sr, it, image);
    reha_sr_end(sr);
}

/* ---- a measurement ---- */

/* Half the width of the 95 % interval to both sides (CID 225), where the number comes from. */
static void put_error(reha_sr *sr, const json_t *measure, reha_sr_concept unit)
{
    const double error = reha_json_number(measure, "error_95", (double)NAN);
    put_number(sr, export_sct("371886008", "+, range of upper measurement uncertainty"), error, unit);
    put_number(sr, export_sct("371885007", "-, range of lower measurement uncertainty"), error, unit);
    if (isfinite(error)) {
        put_text(sr, "error-source", "Source of the uncertainty (half width of the 95 % interval)",
                 reha_json_string(measure, "error_source", "stated by the software"));
    }
    put_text(sr, "scale-source", "Source of the scale", reha_json_string(measure, "source", NULL));
}

/* Opens the item of the value that stands, with the software's inside of it where another one does. Where
 * none stands the item is a code: a number may be empty, but viewers fail on the whole document then. */
static void open_value(reha_sr *sr, const decided *it, reha_sr_concept name, double software,
                       reha_sr_concept unit, const json_t *measure)
{
    if (it->stand == STANDS) {
        reha_sr_number(sr, REHA_SR_CONTAINS, name, rounded(software, unit), unit);
        put_error(sr, measure, unit);
        return;
    }
    if (it->stand == AMENDED) {
        reha_sr_number(sr, REHA_SR_CONTAINS, name, it->value, unit);
    } else {
        reha_sr_code(sr, REHA_SR_CONTAINS, name, export_own("rejected", "Rejected: no value stands"));
    }
    reha_sr_number(sr, REHA_SR_HAS_PROPERTIES, export_own("software-value", "Software's value"),
                   rounded(software, unit), unit);
    put_error(sr, measure, unit);
    reha_sr_end(sr);
}

static void put_measure(reha_sr *sr, const decided *it, const reha_dicom_origin *image)
{
    const json_t *measure = json_object_get(it->finding, "measure");
    const double value = reha_json_number(measure, "value", (double)NAN);
    const reha_sr_concept name = export_own(it->key, it->label);
    if (!isfinite(value)) {
        reha_sr_code(sr, REHA_SR_CONTAINS, name, export_dcm("114006", "Measurement failure"));
        put_text(sr, "why-not", "Why there is no number", reha_json_string(measure, "source", NULL));
        reha_sr_end(sr);
        return;
    }
    open_value(sr, it, name, value, unit_of(reha_json_string(measure, "unit", "1")), measure);
    put_common(sr, it, image);
    reha_sr_end(sr);
}

/* ---- a probability ---- */

static reha_sr_concept concept_of(const decided *it)
{
    static const struct {
        const char *system, *scheme;
    } schemes[] = {
        {"http://snomed.info/sct", "SCT"}, {"http://loinc.org", "LN"}, {"http://radlex.org", "RADLEX"}};
    const json_t *code = json_object_get(it->finding, "code");
    const char *system = reha_json_string(code, "system", "");
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strcmp(system, schemes[i].system) == 0) {
            return (reha_sr_concept){reha_json_string(code, "code", it->key), schemes[i].scheme,
                                     reha_json_string(code, "display", it->label)};
        }
    }
    return export_own(it->key, it->label);
}

static void put_probability(reha_sr *sr, const decided *it, const reha_dicom_origin *image)
{
    const double probability = reha_json_number(it->finding, "probability", (double)NAN);
    const reha_sr_concept name = export_own("probability", "Probability of a finding, calibrated");
    if (!isfinite(probability)) {
        reha_sr_code(sr, REHA_SR_CONTAINS, name, export_dcm("114006", "Measurement failure"));
    } else {
        open_value(sr, it, name, probability, (reha_sr_concept){"1", "UCUM", "no units"}, NULL);
    }
    reha_sr_code(sr, REHA_SR_HAS_CONCEPT_MOD, export_dcm("121071", "Finding"), concept_of(it));
    reha_sr_end(sr);
    put_text(sr, "statement", "Statement", it->label);
    if (isfinite(probability)) {
        put_common(sr, it, image);
    }
    reha_sr_end(sr);
}

void export_sr_finding(reha_sr *sr, const json_t *result, int region_idx, const json_t *finding,
                       const reha_dicom_origin *image)
{
    const decided it = decide(result, region_idx, finding);
    const json_t *grading = json_object_get(finding, "grading");
    if (json_is_number(json_object_get(grading, "grade"))) {
        put_grade(sr, &it, image);
    } else if (json_is_object(json_object_get(finding, "measure"))) {
        put_measure(sr, &it, image);
    } else {
        put_probability(sr, &it, image);
    }
}
