/* Summaries of the training patients: how those alike fared. */
#include "rehab/outcome.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRATA_MAX = 4096 };

static int code_of(const reha_outcome_axis *axis, const float *x, double expected,
                   const reha_feature *features)
{
    const double value = axis->feature == REHA_AXIS_EXPECTED ? expected : (double)x[axis->feature];
    if (isnan(value)) {
        return REHA_STRATUM_UNKNOWN;
    }
    if (axis->feature != REHA_AXIS_EXPECTED && features[axis->feature].kind == REHA_FEATURE_CATEGORY) {
        return (int)value;
    }
    size_t band = 0;
    while (band < axis->cut_count && value >= axis->cuts[band]) {
        band++;
    }
    return (int)band;
}

static void codes_of(const reha_outcome_model *model, const float *x, double expected, unsigned mask,
                     int code[REHA_OUTCOME_AXES_MAX])
{
    for (size_t a = 0; a < REHA_OUTCOME_AXES_MAX; a++) {
        code[a] = a < model->design.axis_count && (mask >> a & 1U) != 0
                      ? code_of(&model->design.axes[a], x, expected, model->features)
                      : REHA_STRATUM_ANY;
    }
}

const reha_outcome_stratum *reha_outcome_stratum_of(const reha_outcome_model *model, const float *x,
                                                    double expected, unsigned mask)
{
    int code[REHA_OUTCOME_AXES_MAX];
    for (;;) {
        codes_of(model, x, expected, mask, code);
        for (size_t s = 0; s < model->stratum_count; s++) {
            if (memcmp(model->strata[s].code, code, sizeof code) == 0) {
                return &model->strata[s];
            }
        }
        if (mask == 0) {
            return NULL;
        }
        unsigned last = REHA_OUTCOME_AXES_MAX - 1;
        while ((mask >> last & 1U) == 0) {
            last--;
        }
        mask &= ~(1U << last);
    }
}

typedef struct keyed_row {
    int code[REHA_OUTCOME_AXES_MAX];
    double y;
    size_t row;
} keyed_row;

static int by_code_then_y(const void *a, const void *b)
{
    const keyed_row *left = a;
    const keyed_row *right = b;
    for (size_t k = 0; k < REHA_OUTCOME_AXES_MAX; k++) {
        if (left->code[k] != right->code[k]) {
            return left->code[k] < right->code[k] ? -1 : 1;
        }
    }
    if (left->y != right->y) {
        return left->y < right->y ? -1 : 1;
    }
    return (left->row > right->row) - (left->row < right->row);
}

static void summarise(const reha_outcome_model *model, const reha_table *table, const keyed_row *rows,
                      size_t count, reha_outcome_stratum *out)
{
    static const double shares[5] = {0.10, 0.25, 0.50, 0.75, 0.90};
    memset(out, 0, sizeof *out);
    memcpy(out->code, rows[0].code, sizeof out->code);
    out->rows = count;
    for (size_t i = 0; i < count; i++) {
        out->mean += rows[i].y / (double)count;
    }
    for (size_t q = 0; q < 5; q++) {
        out->quantile[q] = rows[(size_t)(shares[q] * (double)(count - 1) + 0.5)].y; /* rows are sorted by y */
    }
    for (size_t g = 0; g < model->design.goal_count; g++) {
        size_t known = 0;
        size_t reached = 0;
        for (size_t i = 0; i < count; i++) {
            bool is_known = false;
            reached +=
                reha_outcome_reaches(&model->design, model->features, model->feature_count, g,
                                     table->x + rows[i].row * table->feature_count, rows[i].y, &is_known);
            known += is_known;
        }
        out->reached[g] = known > 0 ? (double)reached / (double)known : (double)NAN;
    }
}

static reha_status add_stratum(reha_outcome_model *model, const reha_outcome_stratum *stratum,
                               reha_error *err)
{
    if (model->stratum_count >= STRATA_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "the patients fall into more than %d strata", STRATA_MAX);
    }
    reha_outcome_stratum *grown = reha_realloc(model->strata, (model->stratum_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    model->strata = grown;
    model->strata[model->stratum_count++] = *stratum;
    return REHA_OK;
}

reha_status reha_outcome_add_strata(reha_outcome_model *model, const reha_table *table,
                                    const double *expected, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t n = table->row_count;
    const unsigned masks = 1U << model->design.axis_count;
    keyed_row *rows = reha_alloc_zero(n, sizeof *rows);
    if (rows == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    for (unsigned mask = 0; mask < masks; mask++) {
        for (size_t i = 0; i < n; i++) {
            codes_of(model, table->x + i * table->feature_count, expected[i], mask, rows[i].code);
            rows[i].y = table->y[i];
            rows[i].row = i;
        }
        qsort(rows, n, sizeof *rows, by_code_then_y);
        for (size_t from = 0, to; from < n; from = to) {
            reha_outcome_stratum stratum;
            for (to = from + 1; to < n && memcmp(rows[to].code, rows[from].code, sizeof rows[from].code) == 0;
                 to++) {
            }
            if (to - from < REHA_STRATUM_ROWS_MIN && mask != 0) {
                continue; /* too few to say anything, and few enough to point at persons */
            }
            summarise(model, table, rows + from, to - from, &stratum);
            REHA_CHECK(add_stratum(model, &stratum, err));
        }
    }
done:
    reha_free(rows);
    return status;
}

static void band_text(const reha_outcome_axis *axis, const char *title, int band, char *out, size_t out_bytes)
{
    if (band == 0) {
        (void)snprintf(out, out_bytes, "%s below %.4g", title, axis->cuts[0]);
    } else if ((size_t)band >= axis->cut_count) {
        (void)snprintf(out, out_bytes, "%s %.4g or more", title, axis->cuts[axis->cut_count - 1]);
    } else {
        (void)snprintf(out, out_bytes, "%s %.4g to below %.4g", title, axis->cuts[band - 1],
                       axis->cuts[band]);
    }
}

void reha_outcome_stratum_text(const reha_outcome_model *model, const reha_outcome_stratum *stratum,
                               char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t a = 0; a < model->design.axis_count && used < out_bytes; a++) {
        const reha_outcome_axis *axis = &model->design.axes[a];
        const reha_feature *feature =
            axis->feature == REHA_AXIS_EXPECTED ? NULL : &model->features[axis->feature];
        const char *title = feature != NULL ? feature->title : "expected outcome";
        char one[2 * REHA_FEATURE_TEXT_BYTES];
        if (stratum->code[a] == REHA_STRATUM_ANY) {
            continue;
        }
        if (stratum->code[a] == REHA_STRATUM_UNKNOWN) {
            (void)snprintf(one, sizeof one, "%s not known", title);
        } else if (feature != NULL && feature->kind == REHA_FEATURE_CATEGORY) {
            (void)snprintf(one, sizeof one, "%s %s", title, feature->levels[stratum->code[a]]);
        } else {
            band_text(axis, title, stratum->code[a], one, sizeof one);
        }
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? ", " : "", one);
    }
    if (out[0] == '\0') {
        (void)snprintf(out, out_bytes, "all patients");
    }
}
