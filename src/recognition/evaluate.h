/* Evaluation of a graded recogniser on a labelled folder, as reviewers expect it: every image through
 * the whole deployed path (gate, repair, ensemble, calibration), refusals counted, intervals by patient
 * bootstrap, the trivial baseline beside the model, results by subgroup. */
#ifndef REHA_RECOGNITION_EVALUATE_H
#define REHA_RECOGNITION_EVALUATE_H

#include "recognition/recogniser.h"

struct reha_graded_case; /* recognition/metrics.h */

typedef struct reha_graded_task {
    const char *finding_key; /* "kl-grade": the finding that holds the class probabilities */
    int class_count;         /* 5 */
    int boundary;            /* 2: lowest grade that counts as disease */
} reha_graded_task;

/* *report: {"task", "model", "data", "split", "metrics", "baseline", "subgroups", "refusals", "unreadable"};
 * new reference. Writes options->predictions_path (CSV: path,kl,p0..,set_low,set_high,refused,reason; the
 * probabilities of a refused image are empty). An unreadable image counts as refused. */
REHA_MUST_USE reha_status reha_evaluate_graded(const reha_recogniser *recogniser, reha_model *model,
                                               const reha_graded_task *task,
                                               const reha_evaluate_options *options,
                                               const reha_progress *progress, json_t **report,
                                               reha_error *err);

/* The cases alone, for those who compute something else from them. One per image, in the table's order;
 * refused ones have no probabilities. *cases: reha_free. */
REHA_MUST_USE reha_status reha_evaluate_cases(const reha_recogniser *recogniser, reha_model *model,
                                              const reha_graded_task *task,
                                              const reha_evaluate_options *options,
                                              const reha_progress *progress, struct reha_graded_case **cases,
                                              size_t *count, reha_error *err);

#endif
