/* Outcome models: from what is known before treatment to a score afterwards, as a distribution.
 *
 * A model holds: its features and their ranges, a ridge regression (always: the plain model), boosted trees
 * where they were clearly better, the distribution around the expected score, and summaries of how the
 * training patients fared. It holds no patient's row. */
#ifndef REHA_REHAB_OUTCOME_H
#define REHA_REHAB_OUTCOME_H

#include "rehab/boost.h"
#include "rehab/outcome_linear.h"
#include "rehab/outcome_spread.h"
#include "rehab/table.h"

enum {
    REHA_OUTCOME_AXES_MAX = 3,
    REHA_OUTCOME_CUTS_MAX = 8,
    REHA_OUTCOME_TEXT_BYTES = 200,
    REHA_AXIS_EXPECTED = -1
};

/* A score that counts as reached: at least `points` (above the feature `above`, if that is not empty). */
typedef struct reha_outcome_goal {
    char name[REHA_FEATURE_TEXT_BYTES];  /* "improvement that matters" */
    char above[REHA_FEATURE_TEXT_BYTES]; /* key of a feature, or "" */
    double points;
    char source[REHA_OUTCOME_TEXT_BYTES];
} reha_outcome_goal;
enum { REHA_OUTCOME_GOALS_MAX = 2 };

/* Patients are summarised by up to three properties: features, or the expected score. */
typedef struct reha_outcome_axis {
    int feature;      /* index, or REHA_AXIS_EXPECTED */
    size_t cut_count; /* of numbers: value < cuts[0] is band 0, ... */
    double cuts[REHA_OUTCOME_CUTS_MAX];
} reha_outcome_axis;

typedef struct reha_outcome_stratum {
    int code[REHA_OUTCOME_AXES_MAX]; /* level or band; REHA_STRATUM_ANY, REHA_STRATUM_UNKNOWN */
    size_t rows;
    double mean;
    double quantile[5]; /* 10, 25, 50, 75, 90 % */
    double reached[REHA_OUTCOME_GOALS_MAX];
} reha_outcome_stratum;
enum { REHA_STRATUM_ANY = -1, REHA_STRATUM_UNKNOWN = -2, REHA_STRATUM_ROWS_MIN = 20 };

/* What is fixed before any training: the names, and what the figures mean. */
typedef struct reha_outcome_design {
    char task[REHA_FEATURE_TEXT_BYTES]; /* "knee-replacement" */
    char title[REHA_OUTCOME_TEXT_BYTES];
    char target[REHA_FEATURE_TEXT_BYTES]; /* "Oxford Knee Score, 6 months after surgery" */
    char unit[REHA_FEATURE_TEXT_BYTES];   /* "points" */
    double low, high;                     /* bounds of the outcome; NaN: those of the data */
    size_t goal_count;
    reha_outcome_goal goals[REHA_OUTCOME_GOALS_MAX];
    size_t axis_count; /* the naive prediction leaves out the first axis */
    reha_outcome_axis axes[REHA_OUTCOME_AXES_MAX];
} reha_outcome_design;

typedef struct reha_outcome_model {
    reha_outcome_design design;
    reha_feature *features; /* owned */
    size_t feature_count;
    size_t rows; /* of training */
    reha_linear linear;
    reha_boost *boost; /* NULL: the regression predicts */
    double shift;      /* added to both: the level of the most recent period of the training rows */
    reha_spread spread;
    size_t stratum_count;
    reha_outcome_stratum *strata; /* owned */
    bool beats_naive;             /* by a paired bootstrap on rows it had not seen */
} reha_outcome_model;             /* one thread at a time (the trees) */

typedef struct reha_outcome_prediction {
    double expected; /* within the bounds; = base + sum of the contributions where `is_clipped` is false */
    bool is_clipped;
    double median;
    double low[REHA_INTERVALS], high[REHA_INTERVALS];
    double reached[REHA_OUTCOME_GOALS_MAX]; /* chance of each goal; NaN where its feature is not known */
    double naive; /* mean of the training patients alike in all axes but the first */
    size_t naive_rows;
    double cdf[REHA_SPREAD_CELLS_MAX];
    double base; /* contributions: only if asked for */
    double contribution[REHA_FEATURES_MAX];
} reha_outcome_prediction;

void reha_outcome_model_free(reha_outcome_model *model);

/* Expected outcomes of rows x feature_count into out[rows], within the bounds. */
REHA_MUST_USE reha_status reha_outcome_expect(reha_outcome_model *model, const float *x, size_t rows,
                                              double *out, reha_error *err);
/* Everything about one row whose expected outcome is known already (reha_outcome_expect). */
void reha_outcome_describe(const reha_outcome_model *model, const float *x, double expected,
                           reha_outcome_prediction *out);
/* One row: expected outcome, distribution, contributions. */
REHA_MUST_USE reha_status reha_outcome_predict(reha_outcome_model *model, const float *x,
                                               reha_outcome_prediction *out, reha_error *err);
/* REHA_E_REFUSED if a value of the row lies outside what the model has learnt from. */
REHA_MUST_USE reha_status reha_outcome_check(const reha_outcome_model *model, const float *x,
                                             reha_error *err);
/* True if the outcome y of the row reaches goal g; *is_known false where the goal's feature is not known. */
bool reha_outcome_reaches(const reha_outcome_design *design, const reha_feature *features, size_t count,
                          size_t g, const float *x, double y, bool *is_known);

/* The stratum of patients alike in the axes of `mask` (bit a = axis a), or the nearest one with enough rows
 * that is alike in fewer of them (the last axis is given up first). NULL only for a model without strata. */
const reha_outcome_stratum *reha_outcome_stratum_of(const reha_outcome_model *model, const float *x,
                                                    double expected, unsigned mask);
/* Summaries of the rows for all combinations of the design's axes. */
REHA_MUST_USE reha_status reha_outcome_add_strata(reha_outcome_model *model, const reha_table *table,
                                                  const double *expected, reha_error *err);
/* "17 (15 to 19); female": what a stratum's patients have in common. */
void reha_outcome_stratum_text(const reha_outcome_model *model, const reha_outcome_stratum *stratum,
                               char *out, size_t out_bytes);

/* model.json (docs/formats/outcome.md) and, if there are trees, trees.ubj in `folder`. */
REHA_MUST_USE reha_status reha_outcome_model_save(const reha_outcome_model *model, const char *folder,
                                                  reha_error *err);
REHA_MUST_USE reha_status reha_outcome_model_load(const char *folder, reha_outcome_model **out,
                                                  reha_error *err);

/* The prediction for people and programs; see docs/formats/outcome.md. `x`: the row. New reference. */
REHA_MUST_USE reha_status reha_outcome_prediction_to_json(const reha_outcome_model *model, const float *x,
                                                          const reha_outcome_prediction *prediction,
                                                          json_t **out, reha_error *err);

#endif
