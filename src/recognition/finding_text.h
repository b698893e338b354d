/* Numbers of findings as people read them: unit, error, and where both come from. Never fails; any thread. */
#ifndef REHA_RECOGNITION_FINDING_TEXT_H
#define REHA_RECOGNITION_FINDING_TEXT_H

#include "recognition/finding.h"

/* "3.6 ± 1.0 mm", "0.073 ± 0.013 of plateau width", "86 grey levels", "not measured": as many digits as the
 * error bears, and units as people write them; error NaN: none is told. Cut off at out_bytes. */
void reha_measure_text(double value, double error, const char *unit, char *out, size_t out_bytes);

/* "76 %", and never "0 %" or "100 %" of what is only nearly so: "< 1 %", "> 99 %". */
enum { REHA_PERCENT_BYTES = 12 };
void reha_percent_text(double probability, char out[REHA_PERCENT_BYTES]);

/* "90 % set: 2 to 3", "90 % set: 3": the grades of a prediction set. */
enum { REHA_SET_BYTES = 40 };
void reha_set_text(double coverage, int low, int high, char out[REHA_SET_BYTES]);

/* "Scale: calibrated. Error (95 %): cross-validated error" ("From: ..." of what is no length): where value
 * and error come from; empty where nothing was measured. */
enum { REHA_SOURCES_BYTES = 240 };
void reha_measure_sources(const reha_measure *measure, char *out, size_t out_bytes);

/* Where its millimetres come from: of the first length that is in millimetres (a ruler in the picture, the
 * file), else of the pixels. Borrowed. */
const char *reha_analysis_scale_text(const reha_analysis *analysis);

/* A unit in words where UCUM has only a mark in braces ("{grey}": "grey levels"), else as it is. */
const char *reha_unit_text(const char *unit);

#endif
