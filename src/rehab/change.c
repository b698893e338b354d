#include "rehab/change.h"

#include <math.h>
#include <stdio.h>

static const double Z_95 = 1.959963984540054;
static const double SILENT_CONFIDENCE = 90.0;

double reha_z_of_confidence(double confidence_percent)
{
    const double tail = 1.0 - confidence_percent / 100.0; /* both tails: erfc(z / sqrt 2) */
    double low = 0.0;
    double high = 10.0;
    for (int i = 0; i < 80; i++) { /* erfc falls steadily: halving is exact enough and cannot fail */
        const double z = 0.5 * (low + high);
        if (erfc(z / sqrt(2.0)) > tail) {
            low = z;
        } else {
            high = z;
        }
    }
    return 0.5 * (low + high);
}

double reha_threshold_value(const reha_threshold *threshold, double before, double low, double high)
{
    if (threshold == NULL) {
        return (double)NAN;
    }
    switch (threshold->kind) {
    case REHA_ABSOLUTE:
        return threshold->value;
    case REHA_PERCENT:
        return threshold->value / 100.0 * fabs(before);
    case REHA_PERCENT_OF_RANGE:
        return threshold->value / 100.0 * (high - low);
    }
    return (double)NAN;
}

double reha_mdc_95(const reha_threshold *mdc, double before, double low, double high)
{
    const double value = reha_threshold_value(mdc, before, low, high);
    if (isnan(value)) {
        return value;
    }
    const double confidence = isnan(mdc->confidence) ? SILENT_CONFIDENCE : mdc->confidence;
    const double factor = Z_95 / reha_z_of_confidence(confidence);
    return fabs(factor - 1.0) < 1e-9 ? value : value * factor; /* 95 % stays as printed, to the last digit */
}

static double add_squares(double a, double b)
{
    return isnan(a) ? b : isnan(b) ? a : hypot(a, b);
}

static double sdc_of(reha_reading before, reha_reading after, const reha_change_spec *spec, reha_change *out)
{
    out->sdc_reading = Z_95 * hypot(before.sd, after.sd);
    if (isnan(before.sd) || isnan(after.sd)) {
        out->sdc_reading = (double)NAN;
    }
    out->sdc_acquisition = Z_95 * sqrt(2.0) * spec->acquisition_sd;
    out->sdc_published = reha_mdc_95(spec->mdc, before.value, spec->low, spec->high);
    /* The acquisition alone is no error of the whole: without the reading's own it says too little. */
    const double own =
        isnan(out->sdc_reading) ? (double)NAN : add_squares(out->sdc_reading, out->sdc_acquisition);
    return fmax(own, out->sdc_published); /* fmax passes over a NaN */
}

static reha_verdict verdict_of(const reha_change *change, int better)
{
    if (isnan(change->difference) || !(change->sdc > 0.0)) { /* an error of 0 is one that nobody knows */
        return REHA_CANNOT_TELL;
    }
    if (!(fabs(change->difference) > change->sdc)) {
        return REHA_NO_CHANGE;
    }
    if (better == 0) {
        return REHA_DIFFERENT;
    }
    return (change->difference > 0.0) == (better > 0) ? REHA_IMPROVED : REHA_WORSENED;
}

static bool lacks_room(const reha_change *change, const reha_change_spec *spec)
{
    const double end = spec->better > 0 ? spec->high : spec->low;
    const double needed = fmax(change->sdc, change->mic);
    return spec->better != 0 && change->verdict != REHA_IMPROVED && isfinite(end) && isfinite(needed) &&
           fabs(end - change->before) < needed;
}

reha_change reha_change_judge(reha_reading before, reha_reading after, const reha_change_spec *spec)
{
    reha_change change = {
        .before = before.value, .after = after.value, .difference = after.value - before.value};
    change.sdc = sdc_of(before, after, spec, &change);
    change.verdict = verdict_of(&change, spec->better);
    change.mic = reha_threshold_value(spec->mic, before.value, spec->low, spec->high);
    if (!isnan(change.mic) && !isnan(change.difference)) {
        change.importance = fabs(change.difference) >= change.mic ? REHA_IMPORTANT : REHA_NOT_IMPORTANT;
    }
    change.is_mic_below_sdc = change.mic < change.sdc;
    change.has_no_room = lacks_room(&change, spec);
    return change;
}

reha_change_spec reha_change_spec_of(const reha_instrument *instrument, const char *setting)
{
    return (reha_change_spec){.better = instrument->better,
                              .low = instrument->low,
                              .high = instrument->high,
                              .acquisition_sd = (double)NAN,
                              .mdc = reha_threshold_choose(instrument->mdc, instrument->mdc_count, setting),
                              .mic = reha_threshold_choose(instrument->mic, instrument->mic_count, setting)};
}

const char *reha_verdict_text(reha_verdict verdict)
{
    static const char *const texts[] = {"cannot be told", "no change beyond measurement error",
                                        "real improvement", "real worsening", "real change"};
    return texts[verdict];
}

const char *reha_verdict_code(reha_verdict verdict)
{
    static const char *const codes[] = {"cannot-tell", "no-change", "improved", "worsened", "different"};
    return codes[verdict];
}

static const char *importance_text(const reha_change *change)
{
    const bool is_real = change->verdict == REHA_IMPROVED || change->verdict == REHA_WORSENED;
    if (change->importance == REHA_IMPORTANCE_UNKNOWN || isnan(change->difference)) {
        return is_real ? "whether it matters to the patient is not known: ask" : "";
    }
    if (is_real) {
        return change->importance == REHA_IMPORTANT ? "large enough to matter to patients"
                                                    : "real, but smaller than what patients call important";
    }
    if (change->importance == REHA_IMPORTANT) {
        return change->verdict == REHA_CANNOT_TELL
                   ? "as large as what patients call important, but its measurement error is not known"
                   : "as large as what patients call important, but measurement error alone can do this in "
                     "one patient: "
                     "measure again";
    }
    return change->is_mic_below_sdc ? "a change that matters could hide in the measurement error" : "";
}

void reha_change_remark(const reha_change *change, char *out, size_t out_bytes)
{
    const char *importance = importance_text(change);
    const char *room =
        change->has_no_room
            ? "the scale has too little room above this start to show an improvement: use another measure"
            : "";
    (void)snprintf(out, out_bytes, "%s%s%s", importance, importance[0] != '\0' && room[0] != '\0' ? "; " : "",
                   room);
}

json_t *reha_change_to_json(const reha_change *change)
{
    static const char *const matters[] = {NULL, "no", "yes"};
    char remark[256];
    reha_change_remark(change, remark, sizeof remark);
    return json_pack("{s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:s, s:s, s:o, s:s?, s:b, s:b, s:s}", "before",
                     reha_json_real(change->before), "after", reha_json_real(change->after), "difference",
                     reha_json_real(change->difference), "sdc_95", reha_json_real(change->sdc), "sdc_parts",
                     "reading", reha_json_real(change->sdc_reading), "acquisition",
                     reha_json_real(change->sdc_acquisition), "published",
                     reha_json_real(change->sdc_published), "verdict", reha_verdict_code(change->verdict),
                     "verdict_text", reha_verdict_text(change->verdict), "mic", reha_json_real(change->mic),
                     "matters", matters[change->importance], "mic_below_sdc", change->is_mic_below_sdc,
                     "no_room", change->has_no_room, "remark", remark);
}
