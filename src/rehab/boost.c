#include "rehab/boost.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <xgboost/c_api.h>

struct reha_boost {
    BoosterHandle handle;
    size_t columns;
};

enum { PREDICT_VALUE = 0, PREDICT_CONTRIBUTIONS = 2 };

reha_boost_options reha_boost_options_default(void)
{
    return (reha_boost_options){.rounds = 200,
                                .depth = 4,
                                .rate = 0.05,
                                .child_weight_min = 50.0,
                                .ridge = 10.0,
                                .row_share = 0.7,
                                .column_share = 0.5,
                                .seed = 1,
                                .threads = 1};
}

static reha_status check(int code, const char *what, reha_error *err)
{
    if (code == 0) {
        return REHA_OK;
    }
    char first[120]; /* the library's own text has a stack trace behind its first line */
    (void)snprintf(first, sizeof first, "%s", XGBGetLastError());
    first[strcspn(first, "\n")] = '\0';
    return reha_fail(err, REHA_E_INTERNAL, "boosted trees, %s: %s", what, first);
}

static reha_status make_matrix(const float *x, size_t rows, size_t columns, DMatrixHandle *out,
                               reha_error *err)
{
    *out = NULL;
    return check(XGDMatrixCreateFromMat(x, rows, columns, NAN, out), "table", err);
}

static reha_status set_labels(DMatrixHandle matrix, const double *y, size_t rows, double *mean,
                              reha_error *err)
{
    float *labels = reha_alloc_zero(rows, sizeof *labels);
    *mean = 0.0;
    if (labels == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for boosted trees");
    }
    for (size_t i = 0; i < rows; i++) {
        labels[i] = (float)y[i];
        *mean += y[i] / (double)rows;
    }
    const reha_status status = check(XGDMatrixSetFloatInfo(matrix, "label", labels, rows), "outcomes", err);
    reha_free(labels);
    return status;
}

static reha_status set_number(BoosterHandle handle, const char *name, double value, reha_error *err)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.9g", value);
    return check(XGBoosterSetParam(handle, name, text), name, err);
}

static reha_status set_options(BoosterHandle handle, const reha_boost_options *options, double mean,
                               reha_error *err)
{
    REHA_TRY(check(XGBoosterSetParam(handle, "objective", "reg:squarederror"), "objective", err));
    REHA_TRY(check(XGBoosterSetParam(handle, "tree_method", "hist"), "method", err));
    REHA_TRY(set_number(handle, "verbosity", 0.0, err));
    REHA_TRY(set_number(handle, "base_score", mean, err));
    REHA_TRY(set_number(handle, "max_depth", options->depth, err));
    REHA_TRY(set_number(handle, "eta", options->rate, err));
    REHA_TRY(set_number(handle, "min_child_weight", options->child_weight_min, err));
    REHA_TRY(set_number(handle, "lambda", options->ridge, err));
    REHA_TRY(set_number(handle, "subsample", options->row_share, err));
    REHA_TRY(set_number(handle, "colsample_bytree", options->column_share, err));
    REHA_TRY(set_number(handle, "seed", options->seed, err));
    return set_number(handle, "nthread", options->threads, err);
}

static reha_status new_boost(const DMatrixHandle *matrix, size_t columns, reha_boost **out, reha_error *err)
{
    *out = NULL;
    reha_boost *boost = reha_alloc_zero(1, sizeof *boost);
    if (boost == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for boosted trees");
    }
    boost->columns = columns;
    const reha_status status =
        check(XGBoosterCreate(matrix, matrix != NULL ? 1 : 0, &boost->handle), "start", err);
    if (status != REHA_OK) {
        boost->handle = NULL;
        reha_boost_free(boost);
        return status;
    }
    *out = boost;
    return REHA_OK;
}

reha_status reha_boost_fit(const float *x, const double *y, size_t rows, size_t columns,
                           const reha_boost_options *options, reha_boost **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_boost *boost = NULL;
    DMatrixHandle matrix = NULL;
    double mean = 0.0;
    *out = NULL;
    REHA_CHECK(make_matrix(x, rows, columns, &matrix, err));
    REHA_CHECK(set_labels(matrix, y, rows, &mean, err));
    REHA_CHECK(new_boost(&matrix, columns, &boost, err));
    REHA_CHECK(set_options(boost->handle, options, mean, err));
    for (int round = 0; round < options->rounds; round++) {
        REHA_CHECK(check(XGBoosterUpdateOneIter(boost->handle, round, matrix), "training", err));
    }
    *out = boost;
    boost = NULL;
done:
    reha_boost_free(boost);
    if (matrix != NULL) {
        (void)XGDMatrixFree(matrix);
    }
    return status;
}

void reha_boost_free(reha_boost *boost)
{
    if (boost != NULL) {
        if (boost->handle != NULL) {
            (void)XGBoosterFree(boost->handle);
        }
        reha_free(boost);
    }
}

static reha_status predict(reha_boost *boost, const float *x, size_t rows, int kind, int rounds,
                           size_t wanted, double *out, reha_error *err)
{
    reha_status status = REHA_OK;
    DMatrixHandle matrix = NULL;
    const bst_ulong *shape = NULL;
    const float *result = NULL;
    bst_ulong dimensions = 0;
    size_t count = 1;
    char how[160];
    (void)snprintf(how, sizeof how,
                   "{\"type\": %d, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": %d, "
                   "\"strict_shape\": false}",
                   kind, rounds);
    REHA_CHECK(make_matrix(x, rows, boost->columns, &matrix, err));
    REHA_CHECK(check(XGBoosterPredictFromDMatrix(boost->handle, matrix, how, &shape, &dimensions, &result),
                     "prediction", err));
    for (bst_ulong d = 0; d < dimensions; d++) {
        count *= (size_t)shape[d];
    }
    if (count != wanted) {
        status = reha_fail(err, REHA_E_INTERNAL, "boosted trees: %zu values instead of %zu", count, wanted);
        goto done;
    }
    for (size_t i = 0; i < wanted; i++) {
        out[i] = (double)result[i];
    }
done:
    if (matrix != NULL) {
        (void)XGDMatrixFree(matrix);
    }
    return status;
}

reha_status reha_boost_predict(reha_boost *boost, const float *x, size_t rows, int rounds, double *out,
                               reha_error *err)
{
    return rows == 0 ? REHA_OK : predict(boost, x, rows, PREDICT_VALUE, rounds, rows, out, err);
}

reha_status reha_boost_explain(reha_boost *boost, const float *x, double *out, reha_error *err)
{
    return predict(boost, x, 1, PREDICT_CONTRIBUTIONS, 0, boost->columns + 1, out, err);
}

reha_status reha_boost_write(reha_boost *boost, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    bst_ulong length = 0;
    const char *bytes = NULL; /* the library's: valid until its next call */
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(check(XGBoosterSaveModelToBuffer(boost->handle, "{\"format\": \"ubj\"}", &length, &bytes),
                   "writing", err));
    uint8_t *copy = reha_alloc(length);
    if (copy == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for boosted trees");
    }
    memcpy(copy, bytes, length);
    *out = copy;
    *out_bytes = length;
    return REHA_OK;
}

reha_status reha_boost_read(const uint8_t *bytes, size_t count, size_t columns, reha_boost **out,
                            reha_error *err)
{
    reha_boost *boost = NULL;
    bst_ulong found = 0;
    *out = NULL;
    if (count < 16) { /* the library reads a few bytes before it looks at the length */
        return reha_fail(err, REHA_E_FORMAT, "not a file of boosted trees: %zu bytes", count);
    }
    REHA_TRY(new_boost(NULL, columns, &boost, err));
    reha_status status = check(XGBoosterLoadModelFromBuffer(boost->handle, bytes, count), "reading", err);
    if (status == REHA_OK) {
        status = check(XGBoosterGetNumFeature(boost->handle, &found), "reading", err);
    }
    if (status == REHA_OK && found != columns) {
        status = reha_fail(err, REHA_E_FORMAT, "the boosted trees are of %llu columns, the model has %zu",
                           (unsigned long long)found, columns);
    }
    if (status == REHA_OK) {
        status = set_number(boost->handle, "nthread", 1.0, err);
    }
    if (status != REHA_OK) {
        reha_boost_free(boost);
        return status;
    }
    *out = boost;
    return REHA_OK;
}
