/* From network outputs to honest probabilities and to prediction sets with a promised coverage, for
 * ordered classes such as the Kellgren-Lawrence grades.
 *
 * Probabilities: softmax(logits / temperature + bias): temperature scaling (Guo et al. 2017) with,
 * if asked for, one bias per class (Platt-like vector scaling), fitted by penalised likelihood.
 *
 * Sets: split conformal prediction (Vovk 2012; Sadinle, Lei and Wasserman 2019). A grade belongs to the
 * set if its probability is at least the grade's threshold; the set is then closed to a contiguous run
 * of grades ("1 to 2") and always holds the grade that is told. The thresholds are one common value
 * that gives the promised coverage over all images, lowered for every grade which would otherwise
 * fall below its own floor: no grade pays for the others. Both use the finite-sample correction
 * ceil((n + 1) * level) of conformal prediction, so the promise holds on exchangeable new images, and
 * only there: a model that is applied to another population needs its calibration checked.
 *
 * All functions: any thread, no state. */
#ifndef REHA_RECOGNITION_CONFORMAL_H
#define REHA_RECOGNITION_CONFORMAL_H

#include "base/json.h"
#include "base/status.h"
#include "recognition/finding.h"

#include <stdbool.h>
#include <stddef.h>

enum { REHA_CALIBRATION_IMAGES_MIN = 10 }; /* fewer labelled images are no calibration */

typedef struct reha_ordinal_calibration {
    int grade_count;                    /* 2 to REHA_CLASSES_MAX */
    double temperature;                 /* > 0 */
    double bias[REHA_CLASSES_MAX];      /* added after the division; zeros if not fitted */
    double coverage;                    /* promised, e.g. 0.9 */
    double grade_floor;                 /* least coverage of every single grade that was fitted for */
    double threshold[REHA_CLASSES_MAX]; /* least probability for a grade to be in the set, 0 to 1 */
    size_t fitted_on;                   /* images; 0: not fitted */
} reha_ordinal_calibration;

/* Temperature 1, no bias, thresholds 0 (sets hold all grades), not fitted. */
reha_ordinal_calibration reha_ordinal_calibration_none(int grade_count);

typedef struct reha_ordinal_fit_options {
    double coverage;     /* 0.9 */
    double grade_floor;  /* 0.85 */
    bool with_bias;      /* false */
    double bias_penalty; /* weight of |bias|^2 against the mean log likelihood; 0.01 */
} reha_ordinal_fit_options;
reha_ordinal_fit_options reha_ordinal_fit_options_default(void);

/* logits: count x grade_count, row-major; log probabilities (an ensemble's mean) serve as well.
 * labels: 0 to grade_count-1. REHA_E_ARG: fewer than 10 images, a label or option out of range, or a value
 * that is not finite. A grade without images keeps the common threshold. */
REHA_MUST_USE reha_status reha_ordinal_fit(const double *logits, const int *labels, size_t count,
                                           int grade_count, const reha_ordinal_fit_options *options,
                                           reha_ordinal_calibration *out, reha_error *err);

/* grade_count probabilities that sum to 1. */
void reha_ordinal_probabilities(const reha_ordinal_calibration *calibration, const double *logits,
                                double *probabilities);
/* The grade that is told: least expected cost where a miss by d grades costs 1 + 0.3 d^2. The most probable
 * grade would seldom be 1, which lies between two more frequent ones, and would miss by two more often. */
int reha_ordinal_grade(const double *probabilities, int grade_count);
/* Contiguous set [*low, *high], never empty. */
void reha_ordinal_set(const reha_ordinal_calibration *calibration, const double *probabilities, int *low,
                      int *high);

/* The card's "calibration" object (docs/formats/model-card.md). */
REHA_MUST_USE reha_status reha_ordinal_to_json(const reha_ordinal_calibration *calibration, json_t **out,
                                               reha_error *err);
REHA_MUST_USE reha_status reha_ordinal_from_json(const json_t *object, reha_ordinal_calibration *out,
                                                 reha_error *err);

#endif
