/* Is a map true to its network, and does it point where a reader would look? Figures of one map.
 *
 * Deletion: pixels are blurred from the most important to the least; insertion: they come back into the
 * blurred picture in that order (Petsiuk, Das, Saenko 2018). The area under p(class) is small and large for a
 * true map; their difference is its gain. One thread at a time per maker. */
#ifndef REHA_RECOGNITION_EXPLAIN_MEASURE_H
#define REHA_RECOGNITION_EXPLAIN_MEASURE_H

#include "recognition/explain_maps.h"

typedef struct reha_explain_curves {
    double insertion, deletion; /* mean p(class) along the way, 0..1 */
} reha_explain_curves;

REHA_MUST_USE reha_status reha_explain_curves_of(reha_explain_maker *maker, const float *picture,
                                                 const float *map, int class_idx, reha_explain_curves *out,
                                                 reha_error *err);

typedef struct reha_explain_pointing {
    bool is_hit; /* the map's maximum lies in the target (Zhang et al. 2018) */
    double mass; /* share of the map's positive values that does; NaN if none is positive */
} reha_explain_pointing;
reha_explain_pointing reha_explain_point(const float *map, const bool *target, int width, int height);

/* Spearman's correlation of two maps, each averaged over cells of REHA_EXPLAIN_CELL_PX; 0 where one is flat.
 * REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_explain_alike(const float *a, const float *b, int width, int height,
                                             double *out, reha_error *err);

/* Cascading randomisation (Adebayo et al. 2018): in a copy of `graph`, the weights of the last `share` (0..1]
 * of its layers that have any are shuffled within each tensor, which keeps their distribution. New graph. */
REHA_MUST_USE reha_status reha_explain_randomised(const reha_graph *graph, double share, uint64_t seed,
                                                  reha_graph **out, reha_error *err);

#endif
