#include "recognition/explain_measure.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 10 };             /* of each curve */
static const double FLAT = 1e-6; /* spread of ranks that are all tied */

typedef struct ranked {
    float value;
    uint32_t idx;
} ranked;

/* Falling; equal ones in reading order, so that a figure can be repeated. */
static int compare_falling(const void *a, const void *b)
{
    const ranked *left = a;
    const ranked *right = b;
    const int order = (left->value < right->value) - (left->value > right->value);
    return order != 0 ? order : (left->idx > right->idx) - (left->idx < right->idx);
}

static ranked *rank_pixels(const float *map, size_t area)
{
    ranked *order = reha_alloc(area * sizeof *order);
    for (size_t i = 0; order != NULL && i < area; i++) {
        order[i] = (ranked){isfinite(map[i]) ? map[i] : 0.0F, (uint32_t)i};
    }
    if (order != NULL) {
        qsort(order, area, sizeof *order, compare_falling);
    }
    return order;
}

/* p(class) along a way of STEPS equal pieces on which `to` replaces `from`; trapezoids. `states`: STEPS + 1
 * pictures. */
static reha_status area_under(reha_explain_maker *maker, const ranked *order, const float *from,
                              const float *to, int class_idx, float *states, double *out, reha_error *err)
{
    const size_t area = (size_t)reha_explain_maker_width(maker) * (size_t)reha_explain_maker_height(maker);
    const int classes = reha_explain_maker_classes(maker);
    float p[(STEPS + 1) * REHA_EXPLAIN_CLASSES_MAX];
    size_t done = 0;
    memcpy(states, from, area * sizeof(float));
    for (size_t s = 1; s <= STEPS; s++) {
        float *state = states + s * area;
        memcpy(state, state - area, area * sizeof(float));
        for (; done < s * area / STEPS; done++) {
            state[order[done].idx] = to[order[done].idx];
        }
    }
    REHA_TRY(reha_explain_scores(maker, states, STEPS + 1, p, err));
    *out = 0.0;
    for (int s = 0; s < STEPS; s++) {
        *out += 0.5 * ((double)p[s * classes + class_idx] + (double)p[(s + 1) * classes + class_idx]) / STEPS;
    }
    return REHA_OK;
}

reha_status reha_explain_curves_of(reha_explain_maker *maker, const float *picture, const float *map,
                                   int class_idx, reha_explain_curves *out, reha_error *err)
{
    const int width = reha_explain_maker_width(maker);
    const int height = reha_explain_maker_height(maker);
    const size_t area = (size_t)width * (size_t)height;
    reha_status status = REHA_OK;
    ranked *order = rank_pixels(map, area);
    float *blurred = reha_alloc(area * sizeof(float));
    float *states = reha_alloc((STEPS + 1) * area * sizeof(float));
    *out = (reha_explain_curves){(double)NAN, (double)NAN};
    if (order == NULL || blurred == NULL || states == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory to measure an explanation"));
    }
    REHA_CHECK(reha_explain_blur(picture, width, height, blurred, err));
    REHA_CHECK(area_under(maker, order, blurred, picture, class_idx, states, &out->insertion, err));
    REHA_CHECK(area_under(maker, order, picture, blurred, class_idx, states, &out->deletion, err));
done:
    reha_free(order);
    reha_free(blurred);
    reha_free(states);
    return status;
}

reha_explain_pointing reha_explain_point(const float *map, const bool *target, int width, int height)
{
    const size_t area = (size_t)width * (size_t)height;
    size_t best = 0;
    double inside = 0.0;
    double all = 0.0;
    for (size_t i = 0; i < area; i++) {
        best = map[i] > map[best] ? i : best;
        if (map[i] > 0.0F) {
            all += (double)map[i];
            inside += target[i] ? (double)map[i] : 0.0;
        }
    }
    return (reha_explain_pointing){target[best], all > 0.0 ? inside / all : (double)NAN};
}

/* ---- Likeness ---- */

/* Ranks 1..n of the cells' means, ties shared. */
static void cell_ranks(const float *map, int width, int height, int columns, int rows, ranked *order,
                       double *ranks)
{
    const size_t count = (size_t)columns * (size_t)rows;
    for (size_t c = 0; c < count; c++) {
        const int x0 = (int)(c % (size_t)columns) * REHA_EXPLAIN_CELL_PX;
        const int y0 = (int)(c / (size_t)columns) * REHA_EXPLAIN_CELL_PX;
        double sum = 0.0;
        int pixels = 0;
        for (int y = y0; y < y0 + REHA_EXPLAIN_CELL_PX && y < height; y++) {
            for (int x = x0; x < x0 + REHA_EXPLAIN_CELL_PX && x < width; x++, pixels++) {
                sum += (double)map[(size_t)y * (size_t)width + (size_t)x];
            }
        }
        order[c] = (ranked){(float)(sum / pixels), (uint32_t)c};
    }
    qsort(order, count, sizeof *order, compare_falling);
    for (size_t i = 0; i < count;) {
        size_t j = i;
        while (j < count && order[j].value == order[i].value) {
            j++;
        }
        for (size_t k = i; k < j; k++) {
            ranks[order[k].idx] = 0.5 * ((double)i + (double)j + 1.0);
        }
        i = j;
    }
}

static double pearson(const double *a, const double *b, size_t count)
{
    double mean[2] = {0.0, 0.0};
    double sums[3] = {0.0, 0.0, 0.0};
    for (size_t i = 0; i < count; i++) {
        mean[0] += a[i] / (double)count;
        mean[1] += b[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        sums[0] += (a[i] - mean[0]) * (a[i] - mean[0]);
        sums[1] += (b[i] - mean[1]) * (b[i] - mean[1]);
        sums[2] += (a[i] - mean[0]) * (b[i] - mean[1]);
    }
    return sums[0] > FLAT && sums[1] > FLAT ? sums[2] / sqrt(sums[0] * sums[1]) : 0.0;
}

reha_status reha_explain_alike(const float *a, const float *b, int width, int height, double *out,
                               reha_error *err)
{
    const int columns = (width + REHA_EXPLAIN_CELL_PX - 1) / REHA_EXPLAIN_CELL_PX;
    const int rows = (height + REHA_EXPLAIN_CELL_PX - 1) / REHA_EXPLAIN_CELL_PX;
    const size_t count = (size_t)columns * (size_t)rows;
    ranked *order = reha_alloc(count * sizeof *order);
    double *ranks = reha_alloc(2 * count * sizeof *ranks);
    reha_status status = REHA_OK;
    *out = (double)NAN;
    if (order == NULL || ranks == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory to compare two maps"));
    }
    cell_ranks(a, width, height, columns, rows, order, ranks);
    cell_ranks(b, width, height, columns, rows, order, ranks + count);
    *out = pearson(ranks, ranks + count, count);
done:
    reha_free(order);
    reha_free(ranks);
    return status;
}

/* ---- Randomisation ---- */

static void shuffle_values(reha_param *param, reha_random *random)
{
    const size_t count = reha_shape_count(param->shape);
    for (size_t i = count; i > 1; i--) {
        const size_t k = reha_random_below(random, (uint32_t)i);
        const float swap = param->values[i - 1];
        param->values[i - 1] = param->values[k];
        param->values[k] = swap;
    }
}

reha_status reha_explain_randomised(const reha_graph *graph, double share, uint64_t seed, reha_graph **out,
                                    reha_error *err)
{
    reha_random random = reha_random_init(seed, 5);
    REHA_TRY(reha_graph_copy(graph, out, err));
    int with_weights = 0;
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        with_weights += reha_graph_node(graph, i)->param_count > 0 ? 1 : 0;
    }
    int left = (int)ceil(share * with_weights - 1e-9);
    for (int i = reha_graph_node_count(graph) - 1; i >= 0 && left > 0; i--) {
        const reha_node *node = reha_graph_node(*out, i);
        for (int p = 0; p < node->param_count; p++) {
            shuffle_values(reha_graph_param_mutable(*out, node->params[p]), &random);
        }
        left -= node->param_count > 0 ? 1 : 0;
    }
    return REHA_OK;
}
