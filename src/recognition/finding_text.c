#include "recognition/finding_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *reha_unit_text(const char *unit)
{
    return strcmp(unit, "{grey}") == 0 ? "grey levels" : strcmp(unit, "{grade}") == 0 ? "grades" : unit;
}

void reha_measure_text(double value, double error, const char *unit, char *out, size_t out_bytes)
{
    static const struct {
        const char *unit, *text;
        int digits;
    } known[] = {{"mm", " mm", 1}, {"deg", "\xc2\xb0", 1}, {"px", " px", 0},    {"1", " of plateau width", 3},
                 {"%", " %", 0},   {"{grey}", NULL, 0},    {"{grade}", NULL, 1}};
    const char *text = NULL;
    int digits = 2;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(unit, known[i].unit) == 0) {
            text = known[i].text;
            digits = known[i].digits;
        }
    }
    const char *space = text != NULL || unit[0] == '\0' ? "" : " ";
    text = text != NULL ? text : reha_unit_text(unit);
    if (!isfinite(value)) {
        (void)snprintf(out, out_bytes, "not measured");
    } else if (isfinite(error)) {
        (void)snprintf(out, out_bytes, "%.*f \xc2\xb1 %.*f%s%s", digits, value, digits, error, space, text);
    } else {
        (void)snprintf(out, out_bytes, "%.*f%s%s", digits, value, space, text);
    }
}

void reha_percent_text(double probability, char out[REHA_PERCENT_BYTES])
{
    if (probability < 0.005 || probability > 0.995) {
        (void)snprintf(out, REHA_PERCENT_BYTES, "%s", probability < 0.5 ? "< 1 %" : "> 99 %");
    } else {
        (void)snprintf(out, REHA_PERCENT_BYTES, "%.0f %%", 100.0 * probability);
    }
}

static bool is_length(const char *unit)
{
    static const char *const lengths[] = {"mm", "px", "1", "mm2", "cm2", "px2"};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (strcmp(unit, lengths[i]) == 0) {
            return true;
        }
    }
    return false;
}

void reha_set_text(double coverage, int low, int high, char out[REHA_SET_BYTES])
{
    if (low == high) {
        (void)snprintf(out, REHA_SET_BYTES, "%.0f %% set: %d", 100.0 * coverage, low);
    } else {
        (void)snprintf(out, REHA_SET_BYTES, "%.0f %% set: %d to %d", 100.0 * coverage, low, high);
    }
}

void reha_measure_sources(const reha_measure *measure, char *out, size_t out_bytes)
{
    static const char told_before[] = "95 %: ";
    const char *error = measure->error_source;
    out[0] = '\0';
    if (measure->unit == NULL || !isfinite(measure->value) || measure->source[0] == '\0') {
        return;
    }
    error += strncmp(error, told_before, strlen(told_before)) == 0 ? strlen(told_before) : 0;
    const char *what = is_length(measure->unit) ? "Scale" : "From";
    if (error[0] != '\0') {
        (void)snprintf(out, out_bytes, "%s: %s. Error (95 %%): %s", what, measure->source, error);
    } else {
        (void)snprintf(out, out_bytes, "%s: %s. No error known", what, measure->source);
    }
}

const char *reha_analysis_scale_text(const reha_analysis *analysis)
{
    for (int r = 0; r < analysis->region_count; r++) {
        for (int i = 0; i < analysis->regions[r].finding_count; i++) {
            const reha_measure *measure = &analysis->regions[r].findings[i].measure;
            if (measure->unit != NULL && strcmp(measure->unit, "mm") == 0 && isfinite(measure->value)) {
                return measure->source;
            }
        }
    }
    return reha_spacing_source_text(analysis->spacing.source);
}
