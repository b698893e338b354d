/* The transverse relaxation time T2 of one voxel from its signal at several echo times.
 *
 * Model: true signal S(TE) = S0 exp(-TE / T2); what a magnitude image shows is its Rician mean (Gudbjartsson
 * and Patz 1995), which never falls below 1.2533 sigma: without that floor in the model a long tail of noise
 * reads as a long T2. Levenberg-Marquardt on S0 and 1 / T2, from a weighted log-linear start.
 *
 * The error is the half width of the 95 % interval of T2, from the Jacobian at the solution and the noise:
 * the known sigma, made larger where the residuals are larger than it explains (Birge ratio), or the
 * residuals alone (Student's t) where sigma is unknown. A voxel that cannot be fitted gets a state, never a
 * number.
 *
 * Limits: one T2 a voxel (no mixtures); stimulated echoes of a train of imperfect 180 degree pulses make T2
 * read too long (Lebel and Wilman 2010), most in the first echo: reha_t2_options.skip_first. */
#ifndef REHA_RECOGNITION_T2_FIT_H
#define REHA_RECOGNITION_T2_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum reha_t2_state {
    REHA_T2_FITTED = 0,
    REHA_T2_BACKGROUND,   /* too little signal to be tissue: not tried */
    REHA_T2_NO_DATA,      /* fewer than 3 echoes have a value */
    REHA_T2_IN_NOISE,     /* fewer than 2 echoes stand out of the noise */
    REHA_T2_NO_DECAY,     /* the signal does not fall */
    REHA_T2_OUT_OF_RANGE, /* T2 beyond what these echo times can tell */
    REHA_T2_UNCERTAIN,    /* the 95 % interval is wider than T2 to either side */
    REHA_T2_NO_SOLUTION,  /* the fit did not settle */
    REHA_T2_STATE_COUNT
} reha_t2_state;

const char *reha_t2_state_text(reha_t2_state state); /* "fitted", "background", ...; static */

enum { REHA_T2_ECHOES_MAX = 64, REHA_T2_ECHOES_MIN = 3 };

typedef struct reha_t2_options {
    double t2_min_ms; /* 0: half the shortest echo time used */
    double t2_max_ms; /* 0: ten times the longest one */
    double snr_min;   /* of the first echo used, below it a voxel is background; 0: 5 */
    bool skip_first;  /* leave out the first echo */
} reha_t2_options;

typedef struct reha_t2_fit {
    reha_t2_state state;
    double t2_ms;       /* NaN unless fitted, as all below */
    double t2_error_ms; /* half width of the 95 % interval */
    double s0;
    double first_ratio; /* (measured - fitted) / fitted at the first echo used */
} reha_t2_fit;

/* Mean of a magnitude signal of true size `amplitude` under noise `sigma` (of each channel), and its slope by
 * the amplitude (`slope` may be NULL). sigma 0: the amplitude itself. */
double reha_rician_mean(double amplitude, double sigma, double *slope);

/* Echo times ascending, at most REHA_T2_ECHOES_MAX; a signal of NaN is left out. sigma 0: unknown. The
 * options' snr_min and skip_first are the caller's business (t2_map.h); here all echoes given are used. Any
 * thread. */
void reha_t2_fit_voxel(const double *echo_ms, const double *signal, size_t count, double sigma,
                       const reha_t2_options *options, reha_t2_fit *out);

#endif
