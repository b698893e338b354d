/* What was measured in a labelled picture against its drawn mask, and means of that with intervals. */
#ifndef REHA_RECOGNITION_MUSCLE_SCORE_H
#define REHA_RECOGNITION_MUSCLE_SCORE_H

#include "recognition/muscle_data.h"
#include "recognition/muscle_us_priv.h"

typedef enum reha_muscle_figure {
    REHA_MUSCLE_DICE_APONEUROSIS,
    REHA_MUSCLE_IOU_APONEUROSIS,
    REHA_MUSCLE_DICE_FASCICLE,
    REHA_MUSCLE_IOU_FASCICLE,
    REHA_MUSCLE_SUPERFICIAL_ANGLE, /* errors, absolute */
    REHA_MUSCLE_DEEP_ANGLE,
    REHA_MUSCLE_THICKNESS,  /* ratio */
    REHA_MUSCLE_SAME_BELLY, /* 1: both measured lines are drawn ones */
    REHA_MUSCLE_FASCICLE_ANGLE,
    REHA_MUSCLE_TEXTURE_ANGLE,
    REHA_MUSCLE_FIGURES
} reha_muscle_figure;

/* values: REHA_MUSCLE_FIGURES numbers, NaN where the mask's structure does not tell. The mask has the size of
 * the image that was given. */
REHA_MUST_USE reha_status reha_muscle_score(const reha_muscle_case *read, reha_muscle_map structure,
                                            const reha_gray *mask, double *values, reha_error *err);

typedef struct reha_muscle_table { /* borrowed */
    const reha_muscle_data *data;
    const double *values; /* data->count rows of `stride` numbers, NaN where one does not apply */
    size_t stride;
    int bootstrap_rounds;
    uint64_t seed;
} reha_muscle_table;

/* {value, low, high, n, p95}: the mean of a column over pictures, its 95 % interval by bootstrap over
 * similarity groups (frames of one video are not independent), the 95th percentile. New reference; NULL: out
 * of memory. */
json_t *reha_muscle_estimate(const reha_muscle_table *table, size_t column);

#endif
