#include "recognition/boxes.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIGURES = 4 };

double reha_edges_iou(const reha_edges *a, const reha_edges *b)
{
    const double width = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
    const double height = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);
    if (!(width > 0.0) || !(height > 0.0)) {
        return 0.0;
    }
    const double both = width * height;
    const double area_a = (a->x1 - a->x0) * (a->y1 - a->y0);
    const double area_b = (b->x1 - b->x0) * (b->y1 - b->y0);
    return both / (area_a + area_b - both);
}

/* Falling score; ties by image and place, so that the order never depends on the sort. */
static int compare_found(const void *a, const void *b)
{
    const reha_found *left = a;
    const reha_found *right = b;
    if (left->score != right->score) {
        return left->score > right->score ? -1 : 1;
    }
    if (left->image_idx != right->image_idx) {
        return left->image_idx < right->image_idx ? -1 : 1;
    }
    if (left->box.y0 != right->box.y0) {
        return left->box.y0 < right->box.y0 ? -1 : 1;
    }
    return (left->box.x0 > right->box.x0) - (left->box.x0 < right->box.x0);
}

size_t reha_boxes_suppress(reha_found *found, size_t count, double iou_max)
{
    size_t kept = 0;
    if (count > 1) {
        qsort(found, count, sizeof *found, compare_found);
    }
    for (size_t i = 0; i < count; i++) {
        bool is_double = false;
        for (size_t k = 0; k < kept && !is_double; k++) {
            is_double = found[k].image_idx == found[i].image_idx &&
                        reha_edges_iou(&found[k].box, &found[i].box) > iou_max;
        }
        if (!is_double) {
            found[kept++] = found[i];
        }
    }
    return kept;
}

/* ---- matching ---- */

typedef struct ranked {
    const reha_found *found;
    size_t index;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *left = a;
    const ranked *right = b;
    const int order = compare_found(left->found, right->found);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static reha_status check_set(const reha_detections *set, reha_error *err)
{
    for (size_t i = 0; i < set->image_count; i++) {
        if (set->group_of_image[i] >= set->group_count) {
            return reha_fail(err, REHA_E_ARG, "image %zu: group %zu of %zu", i, set->group_of_image[i],
                             set->group_count);
        }
    }
    for (size_t i = 0; i < set->found_count; i++) {
        if (set->found[i].image_idx >= set->image_count || !isfinite(set->found[i].score)) {
            return reha_fail(err, REHA_E_ARG, "found box %zu: no such image, or a score that is no number",
                             i);
        }
    }
    for (size_t i = 0; i < set->drawn_count; i++) {
        if (set->drawn[i].image_idx >= set->image_count) {
            return reha_fail(err, REHA_E_ARG, "drawn box %zu: no such image", i);
        }
    }
    return REHA_OK;
}

static reha_status rank_found(const reha_detections *set, ranked **out, reha_error *err)
{
    ranked *order = reha_alloc_zero(set->found_count > 0 ? set->found_count : 1, sizeof *order);
    *out = order;
    if (order == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", set->found_count);
    }
    for (size_t i = 0; i < set->found_count; i++) {
        order[i] = (ranked){&set->found[i], i};
    }
    if (set->found_count > 1) {
        qsort(order, set->found_count, sizeof *order, compare_ranked);
    }
    return REHA_OK;
}

static void match_ranked(const reha_detections *set, const ranked *order, double iou_min, bool *is_taken,
                         int64_t *drawn_of_found)
{
    for (size_t r = 0; r < set->found_count; r++) {
        const reha_found *found = order[r].found;
        double best = iou_min;
        int64_t match = REHA_NOT_MATCHED;
        for (size_t d = 0; d < set->drawn_count; d++) {
            if (is_taken[d] || set->drawn[d].image_idx != found->image_idx) {
                continue;
            }
            const double iou = reha_edges_iou(&found->box, &set->drawn[d].box);
            if (iou >= best && iou > 0.0) {
                best = iou;
                match = (int64_t)d;
            }
        }
        if (match != REHA_NOT_MATCHED) {
            is_taken[match] = true;
        }
        drawn_of_found[order[r].index] = match;
    }
}

static reha_status match_with(const reha_detections *set, const ranked *order, double iou_min,
                              int64_t *drawn_of_found, reha_error *err)
{
    bool *is_taken = reha_alloc_zero(set->drawn_count > 0 ? set->drawn_count : 1, sizeof *is_taken);
    if (is_taken == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", set->drawn_count);
    }
    match_ranked(set, order, iou_min, is_taken, drawn_of_found);
    reha_free(is_taken);
    return REHA_OK;
}

reha_status reha_boxes_match(const reha_detections *set, double iou_min, int64_t *drawn_of_found,
                             reha_error *err)
{
    ranked *order = NULL;
    REHA_TRY(check_set(set, err));
    reha_status status = rank_found(set, &order, err);
    if (status == REHA_OK) {
        status = match_with(set, order, iou_min, drawn_of_found, err);
    }
    reha_free(order);
    return status;
}

/* ---- curves ---- */

typedef struct step { /* one found box, in the order of falling score */
    double score;
    size_t image_idx;
    bool is_hit;
} step;

typedef struct curve_work {
    const reha_detections *set;
    step *steps;       /* found_count */
    double *precision; /* found_count */
    double *recall;    /* found_count */
    double *weights;   /* of images */
    double *group_weights;
    bool *has_drawn; /* by image */
    double *rounds;  /* FIGURES * rounds */
} curve_work;

static void work_clear(curve_work *work)
{
    reha_free(work->steps);
    reha_free(work->precision);
    reha_free(work->recall);
    reha_free(work->weights);
    reha_free(work->group_weights);
    reha_free(work->has_drawn);
    reha_free(work->rounds);
}

static reha_status work_init(curve_work *work, const reha_detections *set, double iou_min, int rounds,
                             reha_error *err)
{
    reha_status status = REHA_OK;
    ranked *order = NULL;
    int64_t *matches = NULL;
    const size_t found = set->found_count > 0 ? set->found_count : 1;
    const size_t images = set->image_count > 0 ? set->image_count : 1;
    work->set = set;
    REHA_CHECK(check_set(set, err));
    REHA_CHECK(rank_found(set, &order, err));
    matches = reha_alloc_zero(found, sizeof *matches);
    work->steps = reha_alloc_zero(found, sizeof *work->steps);
    work->precision = reha_alloc_zero(found, sizeof *work->precision);
    work->recall = reha_alloc_zero(found, sizeof *work->recall);
    work->weights = reha_alloc_zero(images, sizeof *work->weights);
    work->group_weights = reha_alloc_zero(set->group_count > 0 ? set->group_count : 1, sizeof(double));
    work->has_drawn = reha_alloc_zero(images, sizeof *work->has_drawn);
    work->rounds = reha_alloc_zero((size_t)FIGURES * (size_t)(rounds > 0 ? rounds : 1), sizeof(double));
    if (matches == NULL || work->steps == NULL || work->precision == NULL || work->recall == NULL ||
        work->weights == NULL || work->group_weights == NULL || work->has_drawn == NULL ||
        work->rounds == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the figures of %zu boxes", set->found_count);
        goto done;
    }
    REHA_CHECK(match_with(set, order, iou_min, matches, err));
    for (size_t i = 0; i < set->found_count; i++) {
        work->steps[i] = (step){order[i].found->score, order[i].found->image_idx,
                                matches[order[i].index] != REHA_NOT_MATCHED};
    }
    for (size_t i = 0; i < set->image_count; i++) {
        work->weights[i] = 1.0;
    }
    for (size_t i = 0; i < set->drawn_count; i++) {
        work->has_drawn[set->drawn[i].image_idx] = true;
    }
done:
    reha_free(order);
    reha_free(matches);
    return status;
}

static double drawn_weight(const curve_work *work)
{
    double sum = 0.0;
    for (size_t i = 0; i < work->set->drawn_count; i++) {
        sum += work->weights[work->set->drawn[i].image_idx];
    }
    return sum;
}

static double image_weight(const curve_work *work, bool without_only)
{
    double sum = 0.0;
    for (size_t i = 0; i < work->set->image_count; i++) {
        sum += without_only && work->has_drawn[i] ? 0.0 : work->weights[i];
    }
    return sum;
}

/* Area under precision(recall), precision made falling from the right. */
static double average_precision(const curve_work *work, double drawn)
{
    double hits = 0.0;
    double misses = 0.0;
    const size_t count = work->set->found_count;
    if (drawn <= 0.0) {
        return (double)NAN;
    }
    for (size_t i = 0; i < count; i++) {
        const double weight = work->weights[work->steps[i].image_idx];
        hits += work->steps[i].is_hit ? weight : 0.0;
        misses += work->steps[i].is_hit ? 0.0 : weight;
        work->precision[i] = hits + misses > 0.0 ? hits / (hits + misses) : 0.0;
        work->recall[i] = hits / drawn;
    }
    double area = 0.0;
    double best = 0.0;
    for (size_t i = count; i-- > 0;) {
        best = fmax(best, work->precision[i]);
        area += best * (work->recall[i] - (i > 0 ? work->recall[i - 1] : 0.0));
    }
    return area;
}

/* Walks down the scores while the false positives stay within `allowed` (a weight); boxes of one score go
 * together. `until`: stop below this score instead. */
static reha_operating_point walk(const curve_work *work, double drawn, double allowed, double until)
{
    reha_operating_point at = {(double)INFINITY, drawn > 0.0 ? 0.0 : (double)NAN, 0.0, (double)NAN};
    const double images = image_weight(work, false);
    double hits = 0.0;
    double misses = 0.0;
    for (size_t i = 0; i < work->set->found_count;) {
        size_t j = i;
        double more_hits = 0.0;
        double more_misses = 0.0;
        for (; j < work->set->found_count && work->steps[j].score == work->steps[i].score; j++) {
            const double weight = work->weights[work->steps[j].image_idx];
            more_hits += work->steps[j].is_hit ? weight : 0.0;
            more_misses += work->steps[j].is_hit ? 0.0 : weight;
        }
        if (misses + more_misses > allowed || work->steps[i].score < until) {
            break;
        }
        hits += more_hits;
        misses += more_misses;
        at.score_min = work->steps[i].score;
        i = j;
    }
    at.sensitivity = drawn > 0.0 ? hits / drawn : (double)NAN;
    at.false_positives = images > 0.0 ? misses / images : (double)NAN;
    at.precision = hits + misses > 0.0 ? hits / (hits + misses) : (double)NAN;
    return at;
}

static double false_positives_without(const curve_work *work, double score_min)
{
    double misses = 0.0;
    const double images = image_weight(work, true);
    for (size_t i = 0; i < work->set->found_count && work->steps[i].score >= score_min; i++) {
        misses += work->has_drawn[work->steps[i].image_idx] ? 0.0 : work->weights[work->steps[i].image_idx];
    }
    return images > 0.0 ? misses / images : (double)NAN;
}

static void compute_figures(const curve_work *work, double *out)
{
    const double drawn = drawn_weight(work);
    const double images = image_weight(work, false);
    const reha_operating_point half = walk(work, drawn, 0.5 * images, -(double)INFINITY);
    const reha_operating_point one = walk(work, drawn, images, -(double)INFINITY);
    out[0] = average_precision(work, drawn);
    out[1] = half.sensitivity;
    out[2] = one.sensitivity;
    out[3] = false_positives_without(work, half.score_min);
}

reha_status reha_boxes_operating_point(const reha_detections *set, double iou_min, double false_positives_max,
                                       reha_operating_point *out, reha_error *err)
{
    curve_work work = {0};
    const reha_status status = work_init(&work, set, iou_min, 0, err);
    if (status == REHA_OK) {
        *out = walk(&work, drawn_weight(&work), false_positives_max * image_weight(&work, false),
                    -(double)INFINITY);
    }
    work_clear(&work);
    return status;
}

reha_status reha_boxes_at_score(const reha_detections *set, double iou_min, double score_min,
                                reha_operating_point *out, reha_error *err)
{
    curve_work work = {0};
    const reha_status status = work_init(&work, set, iou_min, 0, err);
    if (status == REHA_OK) {
        *out = walk(&work, drawn_weight(&work), (double)INFINITY, score_min);
        out->score_min = score_min;
    }
    work_clear(&work);
    return status;
}

/* ---- intervals ---- */

static void draw_groups(curve_work *work, reha_random *random)
{
    const reha_detections *set = work->set;
    memset(work->group_weights, 0, set->group_count * sizeof *work->group_weights);
    for (size_t g = 0; g < set->group_count; g++) {
        work->group_weights[reha_random_below(random, (uint32_t)set->group_count)] += 1.0;
    }
    for (size_t i = 0; i < set->image_count; i++) {
        work->weights[i] = work->group_weights[set->group_of_image[i]];
    }
}

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void interval_of(double *values, int rounds, reha_estimate *out)
{
    size_t count = 0;
    for (int r = 0; r < rounds; r++) {
        if (isfinite(values[r])) {
            values[count++] = values[r];
        }
    }
    out->low = out->high = (double)NAN;
    if (count > 0) {
        qsort(values, count, sizeof *values, compare_doubles);
        out->low = values[(size_t)(0.025 * (double)(count - 1) + 0.5)];
        out->high = values[(size_t)(0.975 * (double)(count - 1) + 0.5)];
    }
}

reha_status reha_detection_metrics_compute(const reha_detections *set, double iou_min, int rounds,
                                           uint64_t seed, reha_detection_metrics *out, reha_error *err)
{
    curve_work work = {0};
    double figures[FIGURES];
    reha_random random = reha_random_init(seed, 0xb0e5);
    *out = (reha_detection_metrics){.images = set->image_count,
                                    .groups = set->group_count,
                                    .drawn = set->drawn_count,
                                    .iou_min = iou_min};
    const reha_status status = work_init(&work, set, iou_min, rounds, err);
    if (status == REHA_OK) {
        for (size_t i = 0; i < set->image_count; i++) {
            out->images_without += work.has_drawn[i] ? 0 : 1;
        }
        compute_figures(&work, figures);
        for (int r = 0; r < rounds; r++) {
            double round_figures[FIGURES];
            draw_groups(&work, &random);
            compute_figures(&work, round_figures);
            for (int f = 0; f < FIGURES; f++) {
                work.rounds[f * rounds + r] = round_figures[f];
            }
        }
        reha_estimate *const targets[FIGURES] = {&out->average_precision, &out->sensitivity_half,
                                                 &out->sensitivity_one, &out->false_positives_without};
        for (int f = 0; f < FIGURES; f++) {
            targets[f]->value = figures[f];
            interval_of(work.rounds + (ptrdiff_t)f * rounds, rounds, targets[f]);
        }
    }
    work_clear(&work);
    return status;
}

static json_t *estimate_json(const reha_estimate *estimate)
{
    return json_pack("{s:o, s:o, s:o}", "value", reha_json_real(estimate->value), "low",
                     reha_json_real(estimate->low), "high", reha_json_real(estimate->high));
}

reha_status reha_detection_metrics_to_json(const reha_detection_metrics *metrics, json_t **out,
                                           reha_error *err)
{
    *out = json_pack("{s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:o}", "images", (json_int_t)metrics->images,
                     "groups", (json_int_t)metrics->groups, "boxes", (json_int_t)metrics->drawn,
                     "images_without_boxes", (json_int_t)metrics->images_without, "iou_min", metrics->iou_min,
                     "average_precision", estimate_json(&metrics->average_precision),
                     "sensitivity_at_half_false_positive_per_image",
                     estimate_json(&metrics->sensitivity_half), "sensitivity_at_one_false_positive_per_image",
                     estimate_json(&metrics->sensitivity_one), "false_positives_per_image_without_boxes",
                     estimate_json(&metrics->false_positives_without));
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
}
