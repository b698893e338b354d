/* Boxes that a detector finds against boxes that readers drew: overlap, suppression of doubles, matching,
 * and the figures that detectors are judged by, with 95 % intervals by bootstrap over groups (patients, or
 * source pictures where patients are unknown). All functions: any thread. */
#ifndef REHA_RECOGNITION_BOXES_H
#define REHA_RECOGNITION_BOXES_H

#include "base/json.h"
#include "base/status.h"
#include "recognition/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_edges { /* in any one unit; x1 >= x0, y1 >= y0 */
    double x0, y0, x1, y1;
} reha_edges;

/* Intersection over union, 0..1; 0 where either box has no area. */
double reha_edges_iou(const reha_edges *a, const reha_edges *b);

typedef struct reha_found { /* by a detector */
    size_t image_idx;
    reha_edges box;
    double score; /* larger: surer */
} reha_found;

typedef struct reha_drawn { /* by a reader */
    size_t image_idx;
    reha_edges box;
} reha_drawn;

/* Orders by falling score and drops every box that overlaps a better one of the same image by more than
 * `iou_max`. Returns the number kept; they come first. */
size_t reha_boxes_suppress(reha_found *found, size_t count, double iou_max);

typedef struct reha_detections {
    size_t image_count;
    const size_t *group_of_image; /* in [0, group_count) */
    size_t group_count;
    const reha_found *found;
    size_t found_count;
    const reha_drawn *drawn;
    size_t drawn_count;
} reha_detections;

enum { REHA_NOT_MATCHED = -1 };

/* drawn_of_found[i]: index of the drawn box that found box i hits, or REHA_NOT_MATCHED. Within an image, in
 * the order of falling score, each found box takes the free drawn box that it overlaps most, if by at least
 * `iou_min` (Everingham et al. 2010, with the best free box in place of the best of all). */
REHA_MUST_USE reha_status reha_boxes_match(const reha_detections *set, double iou_min,
                                           int64_t *drawn_of_found, reha_error *err);

/* A point of the free-response curve (FROC). */
typedef struct reha_operating_point {
    double score_min;       /* boxes of at least this score are told; infinite: none are */
    double sensitivity;     /* share of drawn boxes that are hit; NaN if there are none */
    double false_positives; /* per image */
    double precision;       /* NaN if nothing is told */
} reha_operating_point;

/* The lowest score at which there are at most `false_positives_max` false ones per image (all images count,
 * those without drawn boxes too). */
REHA_MUST_USE reha_status reha_boxes_operating_point(const reha_detections *set, double iou_min,
                                                     double false_positives_max, reha_operating_point *out,
                                                     reha_error *err);
/* What a given score gives. */
REHA_MUST_USE reha_status reha_boxes_at_score(const reha_detections *set, double iou_min, double score_min,
                                              reha_operating_point *out, reha_error *err);

typedef struct reha_detection_metrics {
    size_t images, groups, drawn;
    size_t images_without; /* images with no drawn box */
    double iou_min;
    reha_estimate average_precision;       /* area under the interpolated precision-recall curve, all points;
                                            * with one class this is the mean average precision (mAP) */
    reha_estimate sensitivity_half;        /* at 0.5 false positives per image */
    reha_estimate sensitivity_one;         /* at 1 */
    reha_estimate false_positives_without; /* per image, on images with no drawn box, at the score of
                                            * `sensitivity_half`; NaN if there are none */
} reha_detection_metrics;

/* rounds 0: no intervals. Figures are NaN where there is nothing to find. */
REHA_MUST_USE reha_status reha_detection_metrics_compute(const reha_detections *set, double iou_min,
                                                         int rounds, uint64_t seed,
                                                         reha_detection_metrics *out, reha_error *err);
/* {"images":, "average_precision": {"value","low","high"}, ...}; new reference. */
REHA_MUST_USE reha_status reha_detection_metrics_to_json(const reha_detection_metrics *metrics, json_t **out,
                                                         reha_error *err);

#endif
