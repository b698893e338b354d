/* Pictures that are no knees, and knees with things drawn on them, for gate_bench. */
#ifndef REHA_BENCH_GATE_BENCH_PICTURES_H
#define REHA_BENCH_GATE_BENCH_PICTURES_H

#include "base/random.h"
#include "image/gray.h"

typedef enum bench_picture_kind {
    BENCH_COLOUR, /* a coloured scene of overlapping shapes */
    BENCH_SCENE,  /* the same in grey, shaded and with a little noise, as a photograph would be */
    BENCH_TEXT,
    BENCH_CHART,
    BENCH_GRADIENT,
    BENCH_NOISE,
    BENCH_BLANK
} bench_picture_kind;

typedef struct bench_joint {
    double x_px, y_px; /* middle of the tibial plateau */
    double width_px;   /* of the plateau */
} bench_joint;

/* Grey values 0..255. chroma_fraction: as a decoder would report it. */
REHA_MUST_USE reha_status bench_draw_picture(bench_picture_kind kind, reha_random *random, reha_gray **out,
                                             double *chroma_fraction, reha_error *err);
/* A total or partial prosthesis, a plate with screws, single screws or a nail, drawn bright over the knee. */
REHA_MUST_USE reha_status bench_draw_metal(const reha_gray *knee, bench_joint joint, reha_random *random,
                                           reha_gray **out, reha_error *err);
/* The image seen through coloured glass. */
REHA_MUST_USE reha_status bench_draw_tinted(const reha_gray *knee, reha_random *random, reha_gray **out,
                                            double *chroma_fraction, reha_error *err);

#endif
