/* What is measured on a muscle, as a finding: a value with its error, and where both come from. */
#ifndef REHA_RECOGNITION_MUSCLE_FINDING_H
#define REHA_RECOGNITION_MUSCLE_FINDING_H

#include "recognition/finding.h"

/* Appends it to the region, research only; borrowed, NULL if the list is full. `value` NaN: not measured;
 * without a value, or with `error` NaN (half of a 95 % interval, in `unit`), the error has no source. `unit`
 * lives on, the other texts are copied. */
reha_finding *reha_muscle_finding_add(reha_region *region, const char *key, const char *label,
                                      const char *unit, double value, double error, const char *error_source,
                                      const char *source);

#endif
