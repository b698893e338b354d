/* Figures for graded recognisers, each with a 95 % interval by patient bootstrap.
 *
 * Patients, not images, are drawn with replacement: the two knees of one person are not
 * independent (Efron and Tibshirani 1993, percentile interval). */
#ifndef REHA_RECOGNITION_METRICS_H
#define REHA_RECOGNITION_METRICS_H

#include "base/json.h"
#include "base/status.h"
#include "recognition/finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_graded_case {
    size_t patient_idx; /* equal for images of one patient; in [0, case_count) */
    int grade;          /* the reader's, in [0, class_count) */
    double probabilities[REHA_CLASSES_MAX];
    int set_low, set_high; /* prediction set; -1: none */
    bool is_refused;       /* counted, and left out of every other figure */
} reha_graded_case;

typedef struct reha_estimate {
    double value; /* NaN where undefined (no case of that grade) */
    double low;   /* 2.5 % */
    double high;  /* 97.5 % */
} reha_estimate;

typedef struct reha_graded_metrics {
    int class_count;
    size_t case_count; /* all */
    size_t refused_count;
    size_t patient_count;
    reha_estimate accuracy; /* of the grade that is told (reha_ordinal_grade), as are kappa and mae */
    reha_estimate kappa;    /* quadratic weights (Cohen 1968) */
    reha_estimate mae;      /* grades */
    reha_estimate auc;      /* P(grade >= boundary) against grade >= boundary */
    reha_estimate ece;      /* most probable grade, 15 equal bins (Guo et al. 2017) */
    reha_estimate
        ece_by_chance; /* what the same probabilities show where they are exactly right: mean and range over
                        * drawn answers; an ece within it is no sign of poor calibration. NaN: rounds 0 */
    reha_estimate coverage; /* share of cases whose grade lies in the set */
    reha_estimate set_size; /* mean */
    reha_estimate recall[REHA_CLASSES_MAX];
    reha_estimate coverage_by_grade[REHA_CLASSES_MAX];
    size_t grade_count[REHA_CLASSES_MAX];
    size_t confusion[REHA_CLASSES_MAX][REHA_CLASSES_MAX]; /* [reader][model] */
} reha_graded_metrics;

/* `boundary`: the lowest grade that counts as disease (2 for osteoarthritis). rounds 0: no intervals. */
REHA_MUST_USE reha_status reha_graded_metrics_compute(const reha_graded_case *cases, size_t count,
                                                      int class_count, int boundary, int rounds,
                                                      uint64_t seed, reha_graded_metrics *out,
                                                      reha_error *err);

/* {"n": ..., "accuracy": {"value":, "low":, "high":}, ...}. New reference. */
REHA_MUST_USE reha_status reha_graded_metrics_to_json(const reha_graded_metrics *metrics, json_t **out,
                                                      reha_error *err);

/* Mean of `values` (NaN: not counted) with its 95 % interval by bootstrap over patients (equal numbers:
 * one patient). rounds 0: no interval. */
REHA_MUST_USE reha_status reha_mean_estimate(const double *values, const size_t *patients, size_t count,
                                             int rounds, uint64_t seed, reha_estimate *out, reha_error *err);
/* {"value", "low", "high"}; null where undefined. New reference. */
json_t *reha_estimate_to_json(const reha_estimate *estimate);

/* Area under the ROC curve of scores against 0/1 labels, ties counted half (Mann-Whitney); NaN if one
 * class is absent. */
REHA_MUST_USE reha_status reha_auc(const double *scores, const int *labels, size_t count, double *out,
                                   reha_error *err);

#endif
