/* Generated multi-echo series of known T2, with Rician noise: to test the fit and to try the program. */
#ifndef REHA_RECOGNITION_T2_PHANTOM_H
#define REHA_RECOGNITION_T2_PHANTOM_H

#include "image/volume.h"
#include "recognition/t2_fit.h"

enum { REHA_T2_TUBES_MAX = 12 };

typedef struct reha_t2_phantom {
    uint32_t side_px; /* of the square slices */
    uint32_t slice_count;
    double pixel_mm;
    double step_mm; /* from slice to slice (sagittal) */
    size_t echo_count;
    double echo_ms[REHA_T2_ECHOES_MAX];
    int tube_count; /* tubes of T2 stand in a circle, in air */
    double t2_ms[REHA_T2_TUBES_MAX];
    double s0;
    double sigma;      /* noise of each channel; 0: none */
    double first_loss; /* share that the first echo lacks, as with stimulated echoes; 0: none */
    uint64_t seed;
} reha_t2_phantom;

/* 96 px, 3 slices, 8 echoes from 6.3 to 50.5 ms, tubes of 10, 20, 30, 40, 60 and 90 ms, S0 1000, sigma 20. */
reha_t2_phantom reha_t2_phantom_default(void);

/* One volume per echo into out[echo_count], each the caller's. `labels` may be NULL; else it gets a volume
 * with the number of the tube (from 1) or 0. */
REHA_MUST_USE reha_status reha_t2_phantom_draw(const reha_t2_phantom *phantom, reha_volume **out,
                                               reha_volume **labels, reha_error *err);

#endif
