/* From an expected outcome to a whole distribution, and to intervals that hold what they promise in every
 * group.
 *
 * Distribution: at a few expected values ("nodes") the outcomes of the training rows are kept as a cumulative
 * share per cell (one cell per whole number, or 1/100 of the range); rows count for the two nodes beside
 * their expected value, and a prediction mixes the two in the same way. Bounded and skewed as the data are;
 * no formula assumed.
 *
 * Intervals: conformalised quantiles. With q_low, q_high from the distribution, each training row (predicted
 * by a model that has not seen it) is outside by e = max(q_low - y, y - q_high); an interval is widened by a
 * quantile of e. That quantile is a linear function of group indicators, found by quantile regression, so
 * that the share covered is right on the whole and within each group at once (Romano et al. 2019,
 * arXiv:1905.03222; Gibbs, Cherian and Candes 2023, arXiv:2305.12616). A group's own part is shrunk towards
 * none by a ridge, as far as cross-validation finds it better: what a few hundred rows say about a tail may
 * be chance. Outcomes may be whole, e is not, so that rounding the ends inwards covers just what was
 * promised. Where an end reaches the best or worst score, which many patients have, nobody lies beyond it,
 * and the other end leaves out what both would.
 *
 * If the rows are of several periods, the intervals hold for the latest. A model meets its patients in a year
 * that it has not seen, though: by what an earlier model's intervals lacked in the latest period these are
 * widened too. */
#ifndef REHA_REHAB_OUTCOME_SPREAD_H
#define REHA_REHAB_OUTCOME_SPREAD_H

#include "rehab/table.h"

enum {
    REHA_SPREAD_NODES_MAX = 24,
    REHA_SPREAD_CELLS_MAX = 201,
    REHA_SPREAD_GROUPS_MAX = 64,
    REHA_INTERVALS = 2
};
extern const double reha_interval_levels[REHA_INTERVALS]; /* 0.5, 0.9 */

/* Levels of a feature from first to last; -1 to -1: not known. Of more than two levels those from one to the
 * end that lies away from the most frequent level, so that neighbours share what is theirs together and
 * shrinking draws a level to its neighbour. */
typedef struct reha_spread_group {
    uint32_t feature;
    int32_t first, last;
} reha_spread_group;

typedef struct reha_spread {
    bool is_whole;      /* outcomes are whole numbers */
    double low, high;   /* bounds of the outcome */
    double edge, width; /* cell k spans edge + k * width to edge + (k + 1) * width */
    size_t cell_count;
    size_t node_count;
    double nodes[REHA_SPREAD_NODES_MAX];
    double *cdf; /* node_count x cell_count: share of outcomes up to the end of the cell; owned */
    size_t group_count;
    reha_spread_group groups[REHA_SPREAD_GROUPS_MAX];
    double widen[REHA_INTERVALS][1 + REHA_SPREAD_GROUPS_MAX]; /* [0]: for all; then per group */
} reha_spread;

/* expected[i]: of row i of the table, by a model that has not seen the row, at the level of the row's own
 * period. foreseen: rows x REHA_INTERVALS, how far outside (reha_spread_outside) the outcome was of what a
 * model of earlier periods foresaw; NaN where there was none, NULL for none at all. `low` and `high`: bounds
 * of the outcome, NaN: those of the rows. */
REHA_MUST_USE reha_status reha_spread_fit(const reha_table *table, const double *expected,
                                          const double *foreseen, double low, double high, reha_spread *out,
                                          reha_error *err);
void reha_spread_clear(reha_spread *spread);

/* Cumulative shares at the cells' ends for an expected value: out[cell_count]. */
void reha_spread_cdf(const reha_spread *spread, double expected, double *out);
/* The outcome below which a share lies; linear within a cell. */
double reha_spread_quantile(const reha_spread *spread, const double *cdf, double share);
/* Chance of an outcome of at least `value`. */
double reha_spread_chance(const reha_spread *spread, const double *cdf, double value);
/* How far the outcome y of the row x lies outside of the intervals of the levels above, before their ends are
 * rounded and bounded: out[REHA_INTERVALS], negative inside. */
void reha_spread_outside(const reha_spread *spread, const double *cdf, const float *x, double y,
                         double out[REHA_INTERVALS]);
/* Intervals of the levels above for the row x: within the bounds, nested, whole numbers where outcomes are.
 */
void reha_spread_intervals(const reha_spread *spread, const double *cdf, const float *x,
                           double low[REHA_INTERVALS], double high[REHA_INTERVALS]);

/* New reference. */
REHA_MUST_USE reha_status reha_spread_to_json(const reha_spread *spread, const reha_feature *features,
                                              json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_spread_from_json(const json_t *object, const reha_feature *features,
                                                size_t count, reha_spread *out, reha_error *err);

/* Quantile regression: value ~ widen[0] + sum of widen[1 + g] over the groups of a row, minimising the check
 * loss of `level`, and shrink_rows / (4 * mean of |value|) times the square of every group's part, by
 * re-weighted least squares. member: rows x groups. For tests too. */
REHA_MUST_USE reha_status reha_group_quantiles(const double *value, const uint8_t *member, size_t rows,
                                               size_t groups, double level, double shrink_rows, double *widen,
                                               reha_error *err);

#endif
