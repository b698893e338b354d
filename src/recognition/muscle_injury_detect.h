/* From the network's maps to regions with their sizes, and to the figures that grades are told from. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_DETECT_H
#define REHA_RECOGNITION_MUSCLE_INJURY_DETECT_H

#include "recognition/muscle_injury_belly.h"

enum { REHA_INJURY_FOUND_MAX = 4, REHA_INJURY_FEATURES = 6, REHA_INJURY_OUTLINE = 32 };

typedef struct reha_injury_found {
    double score;     /* 0..1: mean probability of its surest cells */
    reha_point_px at; /* its surest place */
    reha_box_px box;
    double share;      /* its height in the belly, of the muscle's thickness there: 0..1 */
    double along_px;   /* its length along the fascicles */
    double area_share; /* of the visible belly */
    double torn_share; /* of its area where fibres are taken to be interrupted */
    int label;         /* in the reading's labels */
} reha_injury_found;

typedef struct reha_injury_reading {
    int count; /* by falling score */
    reha_injury_found found[REHA_INJURY_FOUND_MAX];
    double features[REHA_INJURY_FEATURES]; /* what grades are told from, below */
    size_t belly_cells;
} reha_injury_reading;
/* Stable names of the features, for the card. */
const char *reha_injury_feature_name(int feature);

/* injured, torn: REHA_MUSCLE_MAP_PX squared probabilities over the frame's box; what lies outside of the
 * belly counts for nothing. labels: as many ints, or NULL: the regions, by their `label`, 0 elsewhere. */
REHA_MUST_USE reha_status reha_injury_read(const float *injured, const float *torn,
                                           const reha_muscle_frame *frame, const reha_injury_belly *belly,
                                           int *labels, reha_injury_reading *out, reha_error *err);

/* All cells of a drawn mask as one region (score 1); false: it is empty within the belly. */
bool reha_injury_extent(const float *drawn, const reha_muscle_frame *frame, const reha_injury_belly *belly,
                        reha_injury_found *out);

/* A masked picture as a map of 0..1 over the frame's box. */
REHA_MUST_USE reha_status reha_injury_mask_map(const uint8_t *mask, uint32_t width_px, uint32_t height_px,
                                               const reha_muscle_frame *frame, float *map, reha_error *err);

/* Up to REHA_INJURY_OUTLINE points around a region, clockwise; returns how many. */
int reha_injury_outline(const int *labels, int label, const reha_muscle_frame *frame, reha_point_px *out);

/* Overlap of the map within the belly (from a half on) with a drawn one: 2 |A and B| / (|A| + |B|); NaN: both
 * empty. */
double reha_injury_dice(const float *injured, const float *drawn, const reha_muscle_frame *frame,
                        const reha_injury_belly *belly);

/* The plain rule beside the network: how much darker, and how much less uneven, a place is than its belly, as
 * a map like `injured`. scratch: three maps. */
REHA_MUST_USE reha_status reha_injury_darkness(const reha_gray *image, const reha_muscle_frame *frame,
                                               const reha_injury_belly *belly, float *scratch, float *out,
                                               reha_error *err);

#endif
