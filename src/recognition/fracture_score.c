#include "recognition/fracture_score.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double IOU_STANDARD = 0.5;                                       /* of mAP50 */
static const double POINT_FALSE_POSITIVES[REHA_FRACTURE_POINTS] = {1.0, 0.1}; /* per image */
static const double SCORE_EDGE = 1e-6;
enum { FIT_ROUNDS = 50, ERROR_BINS = 10, SIZE_PARTS = 3 };
enum { GAIN_STEPS = 50, GAIN_LEAST = 40, GAIN_MOST = 80 }; /* 0.8 to 1.6 */

reha_status reha_fracture_truth_init(reha_fracture_truth *truth, const reha_fracture_data *data,
                                     reha_error *err)
{
    truth->drawn_count = data->box_count;
    truth->drawn = reha_alloc_zero(data->box_count + 1, sizeof *truth->drawn);
    truth->group_of_image = reha_alloc_zero(data->image_count + 1, sizeof *truth->group_of_image);
    if (truth->drawn == NULL || truth->group_of_image == NULL) {
        reha_fracture_truth_clear(truth);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", data->box_count);
    }
    for (size_t i = 0; i < data->image_count; i++) {
        const reha_fracture_image *image = &data->images[i];
        truth->group_of_image[i] = image->group_idx;
        for (size_t b = 0; b < image->box_count; b++) {
            truth->drawn[image->first_box + b] = (reha_drawn){i, data->boxes[image->first_box + b].edges};
        }
    }
    return REHA_OK;
}

void reha_fracture_truth_clear(reha_fracture_truth *truth)
{
    reha_free(truth->drawn);
    reha_free(truth->group_of_image);
    *truth = (reha_fracture_truth){0};
}

reha_detections reha_fracture_detections(const reha_fracture_data *data, const reha_fracture_truth *truth,
                                         const reha_found *found, size_t count)
{
    return (reha_detections){.image_count = data->image_count,
                             .group_of_image = truth->group_of_image,
                             .group_count = data->group_count,
                             .found = found,
                             .found_count = count,
                             .drawn = truth->drawn,
                             .drawn_count = truth->drawn_count};
}

/* ---- calibration ---- */

static double logit_of(double score)
{
    const double p = fmin(fmax(score, SCORE_EDGE), 1.0 - SCORE_EDGE);
    return log(p / (1.0 - p));
}

/* Newton's method on two parameters. */
static void fit_logistic(const reha_detections *set, const int64_t *matches, double *slope, double *intercept)
{
    double hits = 0.0;
    for (size_t i = 0; i < set->found_count; i++) {
        hits += matches[i] != REHA_NOT_MATCHED ? 1.0 : 0.0;
    }
    const double misses = (double)set->found_count - hits;
    const double high = (hits + 1.0) / (hits + 2.0);
    const double low = 1.0 / (misses + 2.0);
    double a = 1.0;
    double b = 0.0;
    for (int round = 0; round < FIT_ROUNDS; round++) {
        double ga = 1e-3 * (a - 1.0); /* a weak pull to "as it is" keeps few boxes from running away */
        double gb = 0.0;
        double haa = 1e-3;
        double hab = 0.0;
        double hbb = 1e-9;
        for (size_t i = 0; i < set->found_count; i++) {
            const double x = logit_of(set->found[i].score);
            const double p = 1.0 / (1.0 + exp(-(a * x + b)));
            const double d = p - (matches[i] != REHA_NOT_MATCHED ? high : low);
            const double w = p * (1.0 - p);
            ga += d * x;
            gb += d;
            haa += w * x * x;
            hab += w * x;
            hbb += w;
        }
        const double det = haa * hbb - hab * hab;
        if (!(det > 1e-12)) {
            break;
        }
        a -= fmin(fmax((hbb * ga - hab * gb) / det, -1.0), 1.0);
        b -= fmin(fmax((haa * gb - hab * ga) / det, -1.0), 1.0);
    }
    /* A score that speaks against itself is no score: then all boxes get the same probability. */
    *slope = fmax(a, 0.0);
    *intercept = a > 0.0 ? b : logit_of(set->found_count > 0 ? hits / (double)set->found_count : 0.5);
}

reha_status reha_fracture_fit(const reha_detections *set, reha_fracture_card *card, reha_error *err)
{
    for (int i = 0; i < REHA_FRACTURE_POINTS; i++) {
        REHA_TRY(
            reha_boxes_operating_point(set, card->iou_hit, POINT_FALSE_POSITIVES[i], &card->points[i], err));
        card->points[i].score_min = fmin(card->points[i].score_min, 1.0);
    }
    int64_t *matches = reha_alloc_zero(set->found_count + 1, sizeof *matches);
    if (matches == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", set->found_count);
    }
    const reha_status status = reha_boxes_match(set, card->iou_hit, matches, err);
    if (status == REHA_OK) {
        fit_logistic(set, matches, &card->slope, &card->intercept);
    }
    reha_free(matches);
    return status;
}

static reha_edges enlarged(const reha_edges *box, double gain)
{
    const double x = 0.5 * (box->x0 + box->x1);
    const double y = 0.5 * (box->y0 + box->y1);
    const double w = 0.5 * gain * (box->x1 - box->x0);
    const double h = 0.5 * gain * (box->y1 - box->y0);
    return (reha_edges){fmax(x - w, 0.0), fmax(y - h, 0.0), fmin(x + w, 1.0), fmin(y + h, 1.0)};
}

/* best[d]: the found box that overlaps the drawn one most, or NULL. first and next: lists of the found boxes
 * of each image, as index + 1. */
static void match_best(const reha_detections *set, size_t *first, size_t *next, const reha_found **best)
{
    for (size_t f = 0; f < set->found_count; f++) {
        next[f] = first[set->found[f].image_idx];
        first[set->found[f].image_idx] = f + 1;
    }
    for (size_t d = 0; d < set->drawn_count; d++) {
        double most = 0.0;
        for (size_t f = first[set->drawn[d].image_idx]; f != 0; f = next[f - 1]) {
            const double overlap = reha_edges_iou(&set->found[f - 1].box, &set->drawn[d].box);
            if (overlap > most) {
                most = overlap;
                best[d] = &set->found[f - 1];
            }
        }
    }
}

static double overlap_at(const reha_detections *set, const reha_found *const *best, double gain)
{
    double sum = 0.0;
    for (size_t d = 0; d < set->drawn_count; d++) {
        if (best[d] != NULL) {
            const reha_edges box = enlarged(&best[d]->box, gain);
            sum += reha_edges_iou(&box, &set->drawn[d].box);
        }
    }
    return sum;
}

reha_status reha_fracture_size_gain(const reha_detections *set, double *out, reha_error *err)
{
    size_t *first = reha_alloc_zero(set->image_count + 1, sizeof *first);
    size_t *next = reha_alloc_zero(set->found_count + 1, sizeof *next);
    const reha_found **best = reha_alloc_zero(set->drawn_count + 1, sizeof *best);
    const bool has_room = first != NULL && next != NULL && best != NULL;
    *out = 1.0;
    if (has_room) {
        match_best(set, first, next, best);
        double most = overlap_at(set, best, 1.0);
        for (int step = GAIN_LEAST; step <= GAIN_MOST; step++) {
            const double sum = overlap_at(set, best, step / (double)GAIN_STEPS);
            if (sum > most) {
                most = sum;
                *out = step / (double)GAIN_STEPS;
            }
        }
    }
    reha_free(first);
    reha_free(next);
    reha_free(best);
    return has_room ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", set->found_count);
}

/* ---- figures ---- */

/* Mean distance of probability and share of hits over equal bins (Guo et al. 2017). */
static double calibration_error(const reha_detections *set, const int64_t *matches,
                                const reha_fracture_card *card)
{
    double sums[ERROR_BINS] = {0};
    double hits[ERROR_BINS] = {0};
    double error = 0.0;
    for (size_t i = 0; i < set->found_count; i++) {
        const double p = reha_fracture_probability(card, set->found[i].score);
        const int bin = (int)fmin(p * ERROR_BINS, ERROR_BINS - 1.0);
        sums[bin] += p;
        hits[bin] += matches[i] != REHA_NOT_MATCHED ? 1.0 : 0.0;
    }
    for (int b = 0; b < ERROR_BINS; b++) {
        error += fabs(sums[b] - hits[b]);
    }
    return set->found_count > 0 ? error / (double)set->found_count : (double)NAN;
}

typedef struct part_count { /* drawn boxes of one kind */
    size_t drawn;
    size_t hits[REHA_FRACTURE_POINTS];
} part_count;

static json_t *part_json(const char *name, const part_count *part)
{
    const double n = (double)part->drawn;
    json_t *json = json_pack("{s:o, s:I}", "name", reha_json_text(name), "boxes", (json_int_t)part->drawn);
    for (int i = 0; i < REHA_FRACTURE_POINTS && json != NULL; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "sensitivity_%s", reha_fracture_point_name((reha_fracture_point)i));
        (void)json_object_set_new(json, key, reha_json_real((double)part->hits[i] / n));
    }
    return json;
}

/* Which points of operation reach each drawn box. */
typedef struct reached {
    bool *at[REHA_FRACTURE_POINTS];
} reached;

static void count_part(const reached *hits, size_t box, part_count *part)
{
    part->drawn++;
    for (int i = 0; i < REHA_FRACTURE_POINTS; i++) {
        part->hits[i] += hits->at[i][box] ? 1 : 0;
    }
}

static json_t *by_class(const reha_fracture_data *data, const reached *hits)
{
    json_t *list = json_array();
    for (int c = 0; c < data->class_count; c++) {
        part_count part = {0};
        for (size_t b = 0; b < data->box_count; b++) {
            if (data->boxes[b].class_idx == c) {
                count_part(hits, b, &part);
            }
        }
        if (part.drawn > 0) {
            (void)json_array_append_new(list, part_json(data->classes[c], &part));
        }
    }
    return list;
}

/* By the box's longer side in shares of the picture. */
static json_t *by_size(const reha_fracture_data *data, const reached *hits)
{
    static const double limits[SIZE_PARTS] = {0.06, 0.12, 2.0};
    static const char *const names[SIZE_PARTS] = {"longer side under 6 % of the picture", "6 to 12 %",
                                                  "over 12 %"};
    json_t *list = json_array();
    for (int s = 0; s < SIZE_PARTS; s++) {
        part_count part = {0};
        for (size_t b = 0; b < data->box_count; b++) {
            const reha_edges *box = &data->boxes[b].edges;
            const double longer = fmax(box->x1 - box->x0, box->y1 - box->y0);
            if (longer < limits[s] && (s == 0 || longer >= limits[s - 1])) {
                count_part(hits, b, &part);
            }
        }
        if (part.drawn > 0) {
            (void)json_array_append_new(list, part_json(names[s], &part));
        }
    }
    return list;
}

static bool is_first_of_subgroup(const reha_fracture_data *data, size_t image)
{
    for (size_t i = 0; i < image; i++) {
        if (strcmp(data->images[i].subgroup, data->images[image].subgroup) == 0) {
            return false;
        }
    }
    return data->images[image].subgroup[0] != '\0';
}

static json_t *by_subgroup(const reha_fracture_data *data, const reached *hits)
{
    json_t *list = json_array();
    enum { SUBGROUPS_MAX = 16 };
    for (size_t i = 0; data->subgroup_kind[0] != '\0' && i < data->image_count; i++) {
        part_count part = {0};
        if (json_array_size(list) >= SUBGROUPS_MAX || !is_first_of_subgroup(data, i)) {
            continue;
        }
        for (size_t k = 0; k < data->image_count; k++) {
            const reha_fracture_image *image = &data->images[k];
            for (size_t b = 0; strcmp(image->subgroup, data->images[i].subgroup) == 0 && b < image->box_count;
                 b++) {
                count_part(hits, image->first_box + b, &part);
            }
        }
        if (part.drawn > 0) {
            (void)json_array_append_new(list, part_json(data->images[i].subgroup, &part));
        }
    }
    return list;
}

static reha_status add_metrics(const reha_detections *set, double iou_min, const char *key, int rounds,
                               uint64_t seed, json_t *to, reha_error *err)
{
    reha_detection_metrics metrics;
    json_t *json = NULL;
    REHA_TRY(reha_detection_metrics_compute(set, iou_min, rounds, seed, &metrics, err));
    REHA_TRY(reha_detection_metrics_to_json(&metrics, &json, err));
    return json_object_set_new(to, key, json) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
}

static reha_status add_points(const reha_detections *set, const reha_fracture_card *card, json_t *to,
                              reha_error *err)
{
    json_t *points = json_object();
    for (int i = 0; i < REHA_FRACTURE_POINTS; i++) {
        reha_operating_point at;
        const reha_status status =
            reha_boxes_at_score(set, card->iou_hit, card->points[i].score_min, &at, err);
        if (status != REHA_OK) {
            json_decref(points);
            return status;
        }
        (void)json_object_set_new(points, reha_fracture_point_name((reha_fracture_point)i),
                                  json_pack("{s:f, s:o, s:o, s:o}", "score_min", at.score_min, "sensitivity",
                                            reha_json_real(at.sensitivity), "false_positives_per_image",
                                            reha_json_real(at.false_positives), "precision",
                                            reha_json_real(at.precision)));
    }
    return json_object_set_new(to, "operating_points", points) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
}

static void add_parts(const reha_fracture_data *data, const reha_detections *set,
                      const reha_fracture_card *card, const int64_t *matches, const reached *hits, json_t *to)
{
    for (size_t i = 0; i < set->found_count; i++) {
        for (int p = 0; matches[i] != REHA_NOT_MATCHED && p < REHA_FRACTURE_POINTS; p++) {
            hits->at[p][matches[i]] |= set->found[i].score >= card->points[p].score_min;
        }
    }
    (void)json_object_set_new(to, "by_class", by_class(data, hits));
    (void)json_object_set_new(to, "by_size", by_size(data, hits));
    (void)json_object_set_new(to, "by_subgroup", by_subgroup(data, hits));
    (void)json_object_set_new(to, "calibration_error", reha_json_real(calibration_error(set, matches, card)));
}

reha_status reha_fracture_figures(const reha_fracture_data *data, const reha_detections *set,
                                  const reha_fracture_card *card, int rounds, uint64_t seed, json_t **out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *to = json_object();
    int64_t *matches = reha_alloc_zero(set->found_count + 1, sizeof *matches);
    reached hits = {{reha_alloc_zero(set->drawn_count + 1, 1), reha_alloc_zero(set->drawn_count + 1, 1)}};
    *out = NULL;
    if (to == NULL || matches == NULL || hits.at[0] == NULL || hits.at[1] == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the figures");
        goto done;
    }
    REHA_CHECK(add_metrics(set, IOU_STANDARD, "iou_0.5", rounds, seed, to, err));
    REHA_CHECK(add_metrics(set, card->iou_hit, "iou_hit", rounds, seed, to, err));
    REHA_CHECK(add_points(set, card, to, err));
    REHA_CHECK(reha_boxes_match(set, card->iou_hit, matches, err));
    add_parts(data, set, card, matches, &hits, to);
    *out = json_incref(to);
done:
    json_decref(to);
    reha_free(matches);
    reha_free(hits.at[0]);
    reha_free(hits.at[1]);
    return status;
}

reha_status reha_fracture_baseline(const reha_detections *set, const reha_edges *box_of_image, double iou_hit,
                                   int rounds, uint64_t seed, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_detections blind = *set;
    json_t *to = json_object();
    reha_found *found = reha_alloc_zero(set->image_count + 1, sizeof *found);
    *out = NULL;
    if (to == NULL || found == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the baseline");
        goto done;
    }
    for (size_t i = 0; i < set->image_count; i++) {
        found[i] = (reha_found){i, box_of_image[i], 0.5};
    }
    blind.found = found;
    blind.found_count = set->image_count;
    REHA_CHECK(add_metrics(&blind, IOU_STANDARD, "iou_0.5", rounds, seed, to, err));
    REHA_CHECK(add_metrics(&blind, iou_hit, "iou_hit", rounds, seed, to, err));
    (void)json_object_set_new(to, "what",
                              json_string("one box of average size at the average place in every picture"));
    *out = json_incref(to);
done:
    json_decref(to);
    reha_free(found);
    return status;
}

reha_edges reha_fracture_usual_box(const reha_fracture_data *data, const bool *use)
{
    double n = 0.0;
    double cx = 0.0;
    double cy = 0.0;
    double w = 0.0;
    double h = 0.0;
    for (size_t i = 0; i < data->image_count; i++) {
        const reha_fracture_image *image = &data->images[i];
        for (size_t b = 0; (use == NULL || use[i]) && b < image->box_count; b++) {
            const reha_edges *box = &data->boxes[image->first_box + b].edges;
            cx += 0.5 * (box->x0 + box->x1);
            cy += 0.5 * (box->y0 + box->y1);
            w += box->x1 - box->x0;
            h += box->y1 - box->y0;
            n += 1.0;
        }
    }
    if (n == 0.0) {
        return (reha_edges){0.45, 0.45, 0.55, 0.55};
    }
    return (reha_edges){(cx - 0.5 * w) / n, (cy - 0.5 * h) / n, (cx + 0.5 * w) / n, (cy + 0.5 * h) / n};
}
