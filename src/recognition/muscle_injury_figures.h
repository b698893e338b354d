/* Figures of a shown part of the data, each with a 95 % interval by bootstrap over groups: patients, or
 * pictures of one similarity group, are drawn with replacement. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_FIGURES_H
#define REHA_RECOGNITION_MUSCLE_INJURY_FIGURES_H

#include "recognition/metrics.h"
#include "recognition/muscle_injury_show.h"

typedef struct reha_injury_figure {
    const char *key;     /* static */
    reha_estimate value; /* NaN: nothing of the kind was shown */
} reha_injury_figure;
enum { REHA_INJURY_FIGURES_MAX = 64 };

/* What the rule says of one shown picture. */
typedef struct reha_injury_answer {
    double probability; /* of any injury */
    int grade, set_low, set_high;
    double probabilities[REHA_LESION_GRADES];
} reha_injury_answer;
reha_injury_answer reha_injury_answer_of(const reha_injury_rule *rule, const double *features);

/* rounds 0: no intervals. */
REHA_MUST_USE reha_status reha_injury_figures_compute(const reha_injury_show *show,
                                                      const reha_injury_rule *rule, int rounds, uint64_t seed,
                                                      reha_injury_figure *out, int *count, reha_error *err);

#endif
