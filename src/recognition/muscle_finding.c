#include "recognition/muscle_finding.h"

#include <math.h>
#include <stdio.h>

reha_finding *reha_muscle_finding_add(reha_region *region, const char *key, const char *label,
                                      const char *unit, double value, double error, const char *error_source,
                                      const char *source)
{
    reha_finding *finding = reha_region_add(region, key, label);
    if (finding != NULL) {
        const bool has_error = isfinite(value) && isfinite(error);
        finding->research_only = true;
        finding->measure.unit = unit;
        finding->measure.value = value;
        finding->measure.error = isfinite(value) ? error : (double)NAN;
        (void)snprintf(finding->measure.error_source, sizeof finding->measure.error_source, "%s",
                       has_error ? error_source : "");
        (void)snprintf(finding->measure.source, sizeof finding->measure.source, "%s", source);
    }
    return finding;
}
