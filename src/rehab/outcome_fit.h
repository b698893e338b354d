/* Training an outcome model.
 *
 * All rows of one patient fall into one of five folds; each row is predicted by models that have not seen its
 * fold. On these predictions it is decided whether boosted trees beat the regression clearly (95 % interval
 * of the difference of squared errors, by a bootstrap of patients, below zero), how many trees, whether the
 * model beats the naive prediction, and the distribution and intervals are fitted. The kept model then learns
 * from all rows.
 *
 * Outcomes drift from year to year. Where the rows are of several periods, each period's mean error on unseen
 * folds is taken out before the distribution is fitted, and that of the latest period is added to every
 * prediction. The intervals allow for a further year's drift where the caller tells how well the latest
 * period was foreseen from the earlier ones. */
#ifndef REHA_REHAB_OUTCOME_FIT_H
#define REHA_REHAB_OUTCOME_FIT_H

#include "rehab/outcome.h"

typedef enum reha_outcome_kind {
    REHA_OUTCOME_AUTO,
    REHA_OUTCOME_REGRESSION,
    REHA_OUTCOME_TREES
} reha_outcome_kind;

typedef struct reha_outcome_fit_options {
    reha_outcome_kind kind;
    uint64_t seed;
    int bootstrap_rounds;   /* 500 */
    int rounds;             /* trees; 0: chosen by the folds */
    const double *foreseen; /* per row, as reha_spread_fit has it; NULL: none */
    /* Called with a share done in [0, 1] and what is being done; false stops with REHA_E_CANCELLED. May be
     * NULL. */
    bool (*progress)(void *context, double share, const char *text);
    void *context;
} reha_outcome_fit_options;
reha_outcome_fit_options reha_outcome_fit_options_default(void);

typedef struct reha_outcome_choice {
    reha_outcome_kind kind;                         /* what was kept */
    int rounds;                                     /* trees */
    double rmse_naive, rmse_regression, rmse_trees; /* on unseen folds; trees NaN if not tried */
    double gain_low, gain_high;                     /* 95 %: mean squared error of regression less trees */
} reha_outcome_choice;

/* The table's features must be counted (reha_table_count); at least REHA_OUTCOME_ROWS_MIN rows, all with an
 * outcome. */
enum { REHA_OUTCOME_ROWS_MIN = 100, REHA_OUTCOME_FOLDS = 5 };
REHA_MUST_USE reha_status reha_outcome_fit(const reha_outcome_design *design, const reha_table *table,
                                           const reha_outcome_fit_options *options, reha_outcome_model **out,
                                           reha_outcome_choice *choice, reha_error *err);

/* How well the model foresaw the rows of `period`, which it has not seen: out[rows x REHA_INTERVALS], NaN for
 * the rows of other periods (reha_outcome_fit_options.foreseen of the next model). */
REHA_MUST_USE reha_status reha_outcome_foresee(reha_outcome_model *model, const reha_table *table,
                                               uint32_t period, double *out, reha_error *err);

#endif
