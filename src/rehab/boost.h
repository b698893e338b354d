/* Boosted trees: XGBoost behind one handle. The only file that knows the library is boost.c. */
#ifndef REHA_REHAB_BOOST_H
#define REHA_REHAB_BOOST_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct reha_boost reha_boost; /* one thread at a time */

typedef struct reha_boost_options {
    int rounds;
    int depth;
    double rate;
    double child_weight_min; /* training rows in a leaf, at least */
    double ridge;
    double row_share; /* of each tree */
    double column_share;
    int seed;
    int threads; /* 1: the same trees from the same seed */
} reha_boost_options;
reha_boost_options reha_boost_options_default(void);

/* Least squares on y; x is rows x columns, NaN = not known. */
REHA_MUST_USE reha_status reha_boost_fit(const float *x, const double *y, size_t rows, size_t columns,
                                         const reha_boost_options *options, reha_boost **out,
                                         reha_error *err);
void reha_boost_free(reha_boost *boost);
/* Of the first `rounds` trees (0: all) into out[rows]. */
REHA_MUST_USE reha_status reha_boost_predict(reha_boost *boost, const float *x, size_t rows, int rounds,
                                             double *out, reha_error *err);
/* Exact Shapley values of the trees (TreeSHAP) of one row: out[columns], and the mean prediction in
 * out[columns]; they sum to the prediction. */
REHA_MUST_USE reha_status reha_boost_explain(reha_boost *boost, const float *x, double *out, reha_error *err);

/* Universal binary JSON; reha_free it. */
REHA_MUST_USE reha_status reha_boost_write(reha_boost *boost, uint8_t **out, size_t *out_bytes,
                                           reha_error *err);
/* Refuses trees for another number of columns. The bytes must come from a trusted model folder. */
REHA_MUST_USE reha_status reha_boost_read(const uint8_t *bytes, size_t count, size_t columns,
                                          reha_boost **out, reha_error *err);

#endif
