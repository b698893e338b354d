/* What gate_bench does to images: spoils them, or changes them as other hospitals would. */
#ifndef REHA_BENCH_GATE_BENCH_CHANGES_H
#define REHA_BENCH_GATE_BENCH_CHANGES_H

#include "base/random.h"
#include "image/gray.h"

enum { BENCH_PATH_BYTES = 512 };

typedef struct bench_source {
    char path[BENCH_PATH_BYTES];
    double joint_top_px, joint_bottom_px,
        width_px; /* whole radiographs: rows of the joints, width of a plateau; else 0 */
} bench_source;

typedef enum bench_change_kind {
    BENCH_AS_IT_IS,
    BENCH_INVERT,
    BENCH_QUARTER_TURN,
    BENCH_UPSIDE_DOWN,
    BENCH_FEMUR_ONLY,
    BENCH_TIBIA_ONLY,
    BENCH_LEFT_HALF,
    BENCH_RIGHT_HALF,
    BENCH_SHAFT_ONLY,
    BENCH_BLUR,
    BENCH_FAR_TOO_DARK,
    BENCH_FLAT,
    BENCH_BURNT_OUT,
    BENCH_HEAVY_NOISE,
    BENCH_METAL,
    BENCH_PREVIEW,
    BENCH_SQUARE_PART,
    BENCH_SMALL_PART,
    BENCH_LOW_WINDOW,
    BENCH_SLIGHT_TURN,
    BENCH_OTHER_EXPOSURE,
    BENCH_MIRROR,
    BENCH_CHANGE_COUNT
} bench_change_kind;

/* A new image of grey values that may lie outside of 0..255. Ready crops have their joint at the usual place.
 */
REHA_MUST_USE reha_status bench_change(bench_change_kind how, reha_random *random, const bench_source *from,
                                       const reha_gray *image, reha_gray **out, reha_error *err);

#endif
