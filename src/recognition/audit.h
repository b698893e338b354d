/* Audit of a labelled folder before anybody trains on it: what would spoil a model or its evaluation.
 *
 * Found: unreadable and blank images, identical and near-identical copies (64-bit difference hash over the
 * whole picture, Hamming distance at most 2, confirmed by correlation), copies with different
 * labels, patients and copies that stand in two splits (leakage), imbalance of grades and sides,
 * suspected photometric inversion, and shortcuts (does exposure alone tell the grade?). */
#ifndef REHA_RECOGNITION_AUDIT_H
#define REHA_RECOGNITION_AUDIT_H

#include "recognition/recogniser.h"

/* *report:
 * {"task","data","n","splits":{..},"problems":[{"code","severity","count","what","do","examples":[..]}]}; new
 * reference. `load` NULL: pictures only; boundary: lowest grade that counts as disease. */
REHA_MUST_USE reha_status reha_audit_graded(const char *task, int class_count, int boundary,
                                            const char *data_folder, reha_load_function load,
                                            const reha_progress *progress, json_t **report, reha_error *err);

/* How many of the problems of any audit's report are of severity "error": train and evaluate only when none
 * is left. */
size_t reha_audit_error_count(const json_t *report);

#endif
