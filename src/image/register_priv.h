/* The measure and the search behind register.h. */
#ifndef REHA_IMAGE_REGISTER_PRIV_H
#define REHA_IMAGE_REGISTER_PRIV_H

#include "image/register.h"

enum { REHA_REGISTER_BINS = 32, REHA_REGISTER_PARAMETERS = 6 };

/* One resolution of both pictures, grey values stretched to 0 .. bins - 1. */
typedef struct reha_register_level {
    reha_gray *fixed, *moving; /* owned */
    reha_affine fixed_to_full, full_to_moving;
} reha_register_level;

REHA_MUST_USE reha_status reha_register_level_make(const reha_gray *fixed, const reha_gray *moving,
                                                   double factor_fixed, double factor_moving,
                                                   reha_register_level *out, reha_error *err);
void reha_register_level_clear(reha_register_level *level);
/* Normalised mutual information under a map of the full pictures; *overlap: share of fixed covered. */
double reha_register_information(const reha_register_level *level, reha_affine fixed_to_moving,
                                 double *overlap);

typedef double (*reha_cost_function)(void *context, const double *parameters);
/* Minimises from `start` with a simplex of the given steps; returns the cost, *start becomes the place. */
double reha_simplex(reha_cost_function cost, void *context, size_t count, double *start, const double *steps,
                    size_t evaluations_max, double tolerance);

#endif
