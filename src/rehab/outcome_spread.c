#include "rehab/outcome_spread.h"

#include "base/memory.h"
#include "rehab/outcome_linear.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const double reha_interval_levels[REHA_INTERVALS] = {0.5, 0.9};
enum { ROWS_PER_NODE = 150, GROUP_ROWS_MIN = 100, CONTINUOUS_CELLS = 100, ROUNDS_MAX = 80 };
static const double PRIOR_ROWS = 0.02; /* per cell: no outcome within the bounds is impossible */
/* Rows that the groups' parts may be shrunk by: the best of these on unseen folds is kept. */
static const double shrink_choices[] = {0.0, 125.0, 500.0, 2000.0};

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void choose_cells(const reha_table *table, double low, double high, reha_spread *spread)
{
    spread->is_whole = true;
    spread->low = low;
    spread->high = high;
    for (size_t i = 0; i < table->row_count; i++) {
        const double y = table->y[i];
        spread->is_whole = spread->is_whole && y == floor(y);
        spread->low = fmin(isnan(spread->low) ? y : spread->low, y);
        spread->high = fmax(isnan(spread->high) ? y : spread->high, y);
    }
    spread->is_whole = spread->is_whole && spread->high - spread->low < (double)REHA_SPREAD_CELLS_MAX;
    if (spread->is_whole) {
        spread->edge = spread->low - 0.5;
        spread->width = 1.0;
        spread->cell_count = (size_t)(spread->high - spread->low) + 1;
    } else {
        spread->cell_count = CONTINUOUS_CELLS;
        spread->edge = spread->low;
        spread->width = (spread->high - spread->low) / CONTINUOUS_CELLS;
    }
}

static size_t cell_of(const reha_spread *spread, double y)
{
    const double k = floor((y - spread->edge) / spread->width);
    return k <= 0.0 ? 0 : k >= (double)spread->cell_count ? spread->cell_count - 1 : (size_t)k;
}

/* The node below and the weight of the node above. */
static size_t place(const reha_spread *spread, double expected, double *above)
{
    *above = 0.0;
    if (spread->node_count < 2 || !(expected > spread->nodes[0])) {
        return 0;
    }
    size_t k = 0;
    while (k + 2 < spread->node_count && expected >= spread->nodes[k + 1]) {
        k++;
    }
    *above = fmin(1.0, (expected - spread->nodes[k]) / (spread->nodes[k + 1] - spread->nodes[k]));
    return k;
}

static reha_status fit_nodes(const reha_table *table, const double *expected, reha_spread *spread,
                             reha_error *err)
{
    const size_t n = table->row_count;
    double *sorted = reha_alloc_zero(n, sizeof *sorted);
    if (sorted == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a distribution");
    }
    memcpy(sorted, expected, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    const size_t wanted = n / ROWS_PER_NODE < 2 ? 1 : n / ROWS_PER_NODE;
    const size_t count = wanted < REHA_SPREAD_NODES_MAX ? wanted : REHA_SPREAD_NODES_MAX;
    for (size_t k = 0; k < count; k++) {
        const double at = sorted[(size_t)(((double)k + 0.5) / (double)count * (double)n)];
        if (spread->node_count == 0 || at > spread->nodes[spread->node_count - 1] + 1e-9) {
            spread->nodes[spread->node_count++] = at;
        }
    }
    reha_free(sorted);
    return REHA_OK;
}

static reha_status fit_cdf(const reha_table *table, const double *expected, reha_spread *spread,
                           reha_error *err)
{
    const size_t cells = spread->cell_count;
    spread->cdf = reha_alloc_zero(spread->node_count * cells, sizeof *spread->cdf);
    if (spread->cdf == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a distribution");
    }
    for (size_t i = 0; i < spread->node_count * cells; i++) {
        spread->cdf[i] = PRIOR_ROWS;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        double above = 0.0;
        const size_t node = place(spread, expected[i], &above);
        const size_t cell = cell_of(spread, table->y[i]);
        spread->cdf[node * cells + cell] += 1.0 - above;
        if (above > 0.0) {
            spread->cdf[(node + 1) * cells + cell] += above;
        }
    }
    for (size_t node = 0; node < spread->node_count; node++) {
        double *row = spread->cdf + node * cells;
        for (size_t k = 1; k < cells; k++) {
            row[k] += row[k - 1];
        }
        const double total = row[cells - 1];
        for (size_t k = 0; k < cells; k++) {
            row[k] /= total;
        }
    }
    return REHA_OK;
}

static bool is_member(const reha_spread_group *group, const float *x)
{
    const float value = x[group->feature];
    return isnan(value) ? group->first < 0
                        : group->first >= 0 && value >= (float)group->first && value <= (float)group->last;
}

static void add_group(reha_spread *spread, size_t feature, int first, int last, size_t rows)
{
    if (rows >= GROUP_ROWS_MIN && spread->group_count < REHA_SPREAD_GROUPS_MAX) {
        spread->groups[spread->group_count++] =
            (reha_spread_group){.feature = (uint32_t)feature, .first = first, .last = last};
    }
}

static void choose_groups(const reha_table *table, reha_spread *spread)
{
    for (size_t j = 0; j < table->feature_count; j++) {
        const reha_feature *feature = &table->features[j];
        const int count = (int)feature->level_count;
        int usual = 0; /* told by the absence of the others */
        if (!feature->is_group) {
            continue;
        }
        for (int k = 1; k < count; k++) {
            usual = feature->level_rows[k] > feature->level_rows[usual] ? k : usual;
        }
        add_group(spread, j, -1, -1, feature->unknown_rows);
        for (int k = 0, rows = 0; k < usual; k++) {
            rows += (int)feature->level_rows[k];
            add_group(spread, j, 0, k, (size_t)rows);
        }
        for (int k = count - 1, rows = 0; k > usual; k--) {
            rows += (int)feature->level_rows[k];
            add_group(spread, j, k, count - 1, (size_t)rows);
        }
    }
}

/* Adds one row's weighted products; `members` names its columns (0: the constant). */
static void add_weighted(double *a, double *b, size_t width, const size_t *members, size_t count,
                         double weight, double target)
{
    for (size_t p = 0; p < count; p++) {
        b[members[p]] += target;
        for (size_t q = 0; q <= p; q++) {
            a[members[p] * width + members[q]] += weight;
        }
    }
}

static double quantile_of(const double *value, size_t rows, double level, double *work)
{
    memcpy(work, value, rows * sizeof *work);
    qsort(work, rows, sizeof *work, by_value);
    const double at = ceil(level * ((double)rows + 1.0)) - 1.0;
    return work[at >= (double)rows ? rows - 1 : (size_t)fmax(0.0, at)];
}

static size_t members_of(const uint8_t *member, size_t groups, size_t *out)
{
    size_t count = 1;
    out[0] = 0;
    for (size_t g = 0; g < groups; g++) {
        if (member[g]) {
            out[count++] = g + 1;
        }
    }
    return count;
}

reha_status reha_group_quantiles(const double *value, const uint8_t *member, size_t rows, size_t groups,
                                 double level, double shrink_rows, double *widen, reha_error *err)
{
    const size_t width = groups + 1;
    size_t at[1 + REHA_SPREAD_GROUPS_MAX];
    double *work = reha_alloc_zero(rows + width * width + width, sizeof *work);
    assert(rows > 0 && groups <= REHA_SPREAD_GROUPS_MAX);
    if (work == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
    }
    memset(widen, 0, width * sizeof *widen);
    widen[0] = quantile_of(value, rows, level, work);
    double scale = 1e-6;
    for (size_t i = 0; i < rows; i++) {
        scale += fabs(value[i]) / (double)rows;
    }
    const double smooth = 2e-3 * scale; /* near a residual of zero the weight would be infinite */
    const double ridge = fmax(1.0, shrink_rows) / scale; /* never none: some groups always come together */
    double *a = work + rows;
    double *b = a + width * width;
    for (int round = 0; round < ROUNDS_MAX && groups > 0; round++) {
        memset(a, 0, (width * width + width) * sizeof *a);
        for (size_t i = 0; i < rows; i++) {
            const size_t count = members_of(member + i * groups, groups, at);
            double fitted = 0.0;
            for (size_t p = 0; p < count; p++) {
                fitted += widen[at[p]];
            }
            const double weight = 1.0 / (smooth + fabs(value[i] - fitted));
            add_weighted(a, b, width, at, count, weight, weight * value[i] + 2.0 * level - 1.0);
        }
        for (size_t g = 1; g < width; g++) {
            a[g * width + g] += ridge;
        }
        if (!reha_solve_positive(a, b, width)) {
            reha_free(work);
            return reha_fail(err, REHA_E_INTERNAL, "the groups' intervals have no solution");
        }
        double change = 0.0;
        for (size_t g = 0; g < width; g++) {
            change = fmax(change, fabs(b[g] - widen[g]));
            widen[g] = b[g];
        }
        if (change < smooth) {
            break;
        }
    }
    reha_free(work);
    return REHA_OK;
}

/* Adds what the rows of the latest period need on the whole: level and shape of outcomes drift. The
 * differences between groups stay those of all rows. */
static reha_status follow_latest(const reha_table *table, const double *outside, const uint8_t *member,
                                 size_t groups, double level, double *widen, reha_error *err)
{
    const size_t n = table->row_count;
    size_t at[1 + REHA_SPREAD_GROUPS_MAX];
    size_t rows = 0;
    uint32_t last = 0;
    double *rest = reha_alloc_zero(2 * n, sizeof *rest);
    if (rest == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
    }
    for (size_t i = 0; i < n; i++) {
        last = table->period[i] > last ? table->period[i] : last;
    }
    for (size_t i = 0; i < n; i++) {
        if (table->period[i] == last) {
            const size_t count = members_of(member + i * groups, groups, at);
            rest[rows] = outside[i];
            for (size_t p = 0; p < count; p++) {
                rest[rows] -= widen[at[p]];
            }
            rows++;
        }
    }
    widen[0] += quantile_of(rest, rows, level, rest + n);
    reha_free(rest);
    return REHA_OK;
}

/* Adds what the intervals of a model of earlier periods lacked in the latest. They are never narrowed: that
 * they held too much once is no promise. */
static reha_status allow_for_drift(const double *foreseen, size_t n, size_t l, double *widen, reha_error *err)
{
    size_t rows = 0;
    double *lacked = reha_alloc_zero(2 * n, sizeof *lacked);
    if (lacked == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
    }
    for (size_t i = 0; i < n; i++) {
        if (!isnan(foreseen[i * REHA_INTERVALS + l])) {
            lacked[rows++] = foreseen[i * REHA_INTERVALS + l];
        }
    }
    if (rows > 0) {
        widen[0] += fmax(0.0, quantile_of(lacked, rows, reha_interval_levels[l], lacked + n));
    }
    reha_free(lacked);
    return REHA_OK;
}

/* Mean check loss, on unseen fifths of the patients, of widening shrunk by `shrink_rows`. work: rows, and
 * work_member: rows x groups. */
static reha_status unseen_loss(const reha_table *table, const double *value, const uint8_t *member,
                               size_t groups, double level, double shrink_rows, double *work,
                               uint8_t *work_member, double *loss, reha_error *err)
{
    enum { FOLDS = 5 };
    double widen[1 + REHA_SPREAD_GROUPS_MAX];
    size_t at[1 + REHA_SPREAD_GROUPS_MAX];
    *loss = 0.0;
    for (uint32_t fold = 0; fold < FOLDS; fold++) {
        size_t rows = 0;
        for (size_t i = 0; i < table->row_count; i++) {
            if (table->patient[i] % FOLDS != fold) {
                memcpy(work_member + rows * groups, member + i * groups, groups);
                work[rows++] = value[i];
            }
        }
        if (rows == 0) {
            continue;
        }
        REHA_TRY(reha_group_quantiles(work, work_member, rows, groups, level, shrink_rows, widen, err));
        for (size_t i = 0; i < table->row_count; i++) {
            if (table->patient[i] % FOLDS == fold) {
                const size_t count = members_of(member + i * groups, groups, at);
                double rest = value[i];
                for (size_t p = 0; p < count; p++) {
                    rest -= widen[at[p]];
                }
                *loss += (rest > 0.0 ? level : level - 1.0) * rest / (double)table->row_count;
            }
        }
    }
    return REHA_OK;
}

static reha_status choose_shrink(const reha_table *table, const double *value, const uint8_t *member,
                                 size_t groups, double level, double *shrink_rows, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t n = table->row_count;
    double least = INFINITY;
    double *work = reha_alloc_zero(n, sizeof *work);
    uint8_t *work_member = reha_alloc_zero(n * groups + 1, sizeof *work_member);
    *shrink_rows = 0.0;
    if (work == NULL || work_member == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
        goto done;
    }
    for (size_t c = 0; groups > 0 && c < sizeof shrink_choices / sizeof shrink_choices[0]; c++) {
        double loss = 0.0;
        REHA_CHECK(unseen_loss(table, value, member, groups, level, shrink_choices[c], work, work_member,
                               &loss, err));
        if (loss < least) {
            least = loss;
            *shrink_rows = shrink_choices[c];
        }
    }
done:
    reha_free(work);
    reha_free(work_member);
    return status;
}

static reha_status fit_intervals(const reha_table *table, const double *expected, const double *foreseen,
                                 reha_spread *spread, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t n = table->row_count;
    double cdf[REHA_SPREAD_CELLS_MAX];
    double *outside = reha_alloc_zero(n * REHA_INTERVALS, sizeof *outside);
    uint8_t *member = reha_alloc_zero(n * spread->group_count + 1, sizeof *member);
    if (outside == NULL || member == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the intervals");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        double own[REHA_INTERVALS];
        reha_spread_cdf(spread, expected[i], cdf);
        reha_spread_outside(spread, cdf, table->x + i * table->feature_count, table->y[i], own);
        for (size_t l = 0; l < REHA_INTERVALS; l++) {
            outside[l * n + i] = own[l];
        }
        for (size_t g = 0; g < spread->group_count; g++) {
            member[i * spread->group_count + g] =
                is_member(&spread->groups[g], table->x + i * table->feature_count);
        }
    }
    for (size_t l = 0; l < REHA_INTERVALS; l++) {
        double shrink_rows = 0.0;
        REHA_CHECK(choose_shrink(table, outside + l * n, member, spread->group_count, reha_interval_levels[l],
                                 &shrink_rows, err));
        REHA_CHECK(reha_group_quantiles(outside + l * n, member, n, spread->group_count,
                                        reha_interval_levels[l], shrink_rows, spread->widen[l], err));
        REHA_CHECK(follow_latest(table, outside + l * n, member, spread->group_count, reha_interval_levels[l],
                                 spread->widen[l], err));
        if (foreseen != NULL) {
            REHA_CHECK(allow_for_drift(foreseen, n, l, spread->widen[l], err));
        }
    }
done:
    reha_free(outside);
    reha_free(member);
    return status;
}

reha_status reha_spread_fit(const reha_table *table, const double *expected, const double *foreseen,
                            double low, double high, reha_spread *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_spread spread = {0};
    *out = spread;
    choose_cells(table, low, high, &spread);
    choose_groups(table, &spread);
    REHA_CHECK(fit_nodes(table, expected, &spread, err));
    REHA_CHECK(fit_cdf(table, expected, &spread, err));
    REHA_CHECK(fit_intervals(table, expected, foreseen, &spread, err));
    *out = spread;
    spread.cdf = NULL;
done:
    reha_spread_clear(&spread);
    return status;
}

void reha_spread_clear(reha_spread *spread)
{
    reha_free(spread->cdf);
    spread->cdf = NULL;
}

void reha_spread_cdf(const reha_spread *spread, double expected, double *out)
{
    double above = 0.0;
    const size_t node = place(spread, expected, &above);
    const double *below_row = spread->cdf + node * spread->cell_count;
    const double *above_row = above > 0.0 ? below_row + spread->cell_count : below_row;
    for (size_t k = 0; k < spread->cell_count; k++) {
        out[k] = (1.0 - above) * below_row[k] + above * above_row[k];
    }
}

double reha_spread_quantile(const reha_spread *spread, const double *cdf, double share)
{
    size_t k = 0;
    while (k + 1 < spread->cell_count && cdf[k] < share) {
        k++;
    }
    const double before = k > 0 ? cdf[k - 1] : 0.0;
    const double within = cdf[k] > before ? (share - before) / (cdf[k] - before) : 0.5;
    return spread->edge + spread->width * ((double)k + fmin(1.0, fmax(0.0, within)));
}

double reha_spread_chance(const reha_spread *spread, const double *cdf, double value)
{
    const double from = spread->is_whole ? ceil(value - 1e-9) - 0.5 : value;
    const double at = (from - spread->edge) / spread->width;
    if (at <= 0.0) {
        return 1.0;
    }
    if (at >= (double)spread->cell_count) {
        return 0.0;
    }
    const size_t k = (size_t)at;
    const double before = k > 0 ? cdf[k - 1] : 0.0;
    return fmax(0.0, 1.0 - before - (cdf[k] - before) * (at - (double)k));
}

/* The ends of an interval before it is widened. An end that reaches a bound of whole outcomes is put so far
 * beyond it that no widening brings it back. */
static void find_ends(const reha_spread *spread, const double *cdf, double level, double *low, double *high)
{
    const double tail = (1.0 - level) / 2.0;
    const double beyond = spread->high - spread->low + 1.0;
    *low = reha_spread_quantile(spread, cdf, tail);
    *high = reha_spread_quantile(spread, cdf, 1.0 - tail);
    const bool is_open_low = spread->is_whole && *low <= spread->low;
    const bool is_open_high = spread->is_whole && *high >= spread->high;
    if (is_open_high) {
        *low = reha_spread_quantile(spread, cdf, 2.0 * tail);
        *high = spread->high + beyond;
    }
    if (is_open_low) {
        *high = is_open_high ? *high : reha_spread_quantile(spread, cdf, level);
        *low = spread->low - beyond;
    }
}

/* The ends of level l for the row x, before they are rounded and bounded. */
static void find_wide_ends(const reha_spread *spread, const double *cdf, const float *x, size_t l,
                           double *low, double *high)
{
    double widen = spread->widen[l][0];
    for (size_t g = 0; g < spread->group_count; g++) {
        widen += is_member(&spread->groups[g], x) ? spread->widen[l][g + 1] : 0.0;
    }
    find_ends(spread, cdf, reha_interval_levels[l], low, high);
    *low -= widen;
    *high += widen;
}

void reha_spread_outside(const reha_spread *spread, const double *cdf, const float *x, double y,
                         double out[REHA_INTERVALS])
{
    for (size_t l = 0; l < REHA_INTERVALS; l++) {
        double low = 0.0;
        double high = 0.0;
        find_wide_ends(spread, cdf, x, l, &low, &high);
        out[l] = fmax(low - y, y - high);
    }
}

void reha_spread_intervals(const reha_spread *spread, const double *cdf, const float *x,
                           double low[REHA_INTERVALS], double high[REHA_INTERVALS])
{
    for (size_t l = REHA_INTERVALS;
         l-- > 0;) { /* the widest first, so that the narrower ones can stay inside */
        find_wide_ends(spread, cdf, x, l, &low[l], &high[l]);
        if (spread->is_whole) {
            low[l] = ceil(low[l]);
            high[l] = floor(high[l]);
        }
        if (low[l] > high[l]) {
            const double middle = reha_spread_quantile(spread, cdf, 0.5);
            low[l] = high[l] = spread->is_whole ? round(middle) : middle;
        }
        const double least = l + 1 < REHA_INTERVALS ? low[l + 1] : spread->low;
        const double most = l + 1 < REHA_INTERVALS ? high[l + 1] : spread->high;
        low[l] = fmin(most, fmax(least, low[l]));
        high[l] = fmax(least, fmin(most, high[l]));
    }
}
