/* Judging a fracture detector: calibration, operating points, and the figures of cards and evaluations. */
#ifndef REHA_RECOGNITION_FRACTURE_SCORE_H
#define REHA_RECOGNITION_FRACTURE_SCORE_H

#include "recognition/fracture_card.h"
#include "recognition/fracture_data.h"

/* The table's boxes and groups as arrays for recognition/boxes.h. */
typedef struct reha_fracture_truth {
    reha_drawn *drawn;
    size_t drawn_count;
    size_t *group_of_image;
} reha_fracture_truth;
REHA_MUST_USE reha_status reha_fracture_truth_init(reha_fracture_truth *truth, const reha_fracture_data *data,
                                                   reha_error *err);
void reha_fracture_truth_clear(reha_fracture_truth *truth); /* zeroed is fine */
reha_detections reha_fracture_detections(const reha_fracture_data *data, const reha_fracture_truth *truth,
                                         const reha_found *found, size_t count);

/* Fits the card's probabilities (logistic regression on the logit of the score; Platt 1999, with his softened
 * targets) and operating points: at most 1 (high sensitivity) and 0.1 (high specificity) false positives per
 * image. The boxes must come from pictures that the network has not seen. */
REHA_MUST_USE reha_status reha_fracture_fit(const reha_detections *set, reha_fracture_card *card,
                                            reha_error *err);

/* How much larger boxes must be, about their middle, to overlap the drawn ones best: maximises the mean
 * overlap (IoU) of each drawn box with the found one that overlaps it most. 1 where nothing overlaps. Boxes
 * are relative to their pictures; found ones must be of unseen pictures. REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_fracture_size_gain(const reha_detections *set, double *out, reha_error *err);

/* {"iou_0.5": {...}, "iou_hit": {...}, "operating_points": {...}, "by_class": [...], "by_size": [...],
 * "by_subgroup": [...], "calibration_error": ...}: `set` must be of `data`. New reference. */
REHA_MUST_USE reha_status reha_fracture_figures(const reha_fracture_data *data, const reha_detections *set,
                                                const reha_fracture_card *card, int rounds, uint64_t seed,
                                                json_t **out, reha_error *err);
/* The same box in every picture, as a detector that never looks would have it: {"iou_0.5", "iou_hit"}.
 * box_of_image: one per image. */
REHA_MUST_USE reha_status reha_fracture_baseline(const reha_detections *set, const reha_edges *box_of_image,
                                                 double iou_hit, int rounds, uint64_t seed, json_t **out,
                                                 reha_error *err);
/* Mean place and size of the boxes of images for which use[image] is true (NULL: all); a centred tenth if
 * none. */
reha_edges reha_fracture_usual_box(const reha_fracture_data *data, const bool *use);

#endif
