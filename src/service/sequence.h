/* Muscle measurements over time: frames of one file, or numbered files of one folder, as a table with raw and
 * smoothed columns. */
#ifndef REHA_SERVICE_SEQUENCE_H
#define REHA_SERVICE_SEQUENCE_H

#include "service/analyse.h"

/* A CSV row per case, in their order: path, frame, sequence (number from 1; empty for a picture on its own),
 * the measurements, and for sequences of at least 3 pictures the running median of 5 of the angles, the
 * thickness and the fascicle length (columns *_smoothed: never a measurement of that frame alone). Pictures
 * belong to one sequence if they are frames of one file, or neighbours in number, of one folder, one name and
 * one size. Not measured: empty. */
REHA_MUST_USE reha_status reha_sequence_table(const reha_case *cases, size_t count, const char *path,
                                              reha_error *err);

/* A picture of the first sequence over its frames: pennation, thickness and fascicle length, measured as
 * points, smoothed as lines. REHA_E_ARG if no three pictures belong together. */
REHA_MUST_USE reha_status reha_sequence_plot(const reha_case *cases, size_t count, const char *path,
                                             reha_error *err);

/* The measured value of a finding of the muscle, NaN without; and its running median within the sequence. */
double reha_sequence_value(const reha_case *one, const char *key);
double reha_sequence_smoothed(const reha_case *cases, size_t count, const int *numbers, size_t index,
                              const char *key);

/* Number of the sequence of each case (0: none) into numbers[count]. */
void reha_sequence_number(const reha_case *cases, size_t count, int *numbers);

#endif
