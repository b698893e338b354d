/* Explanations measured: on the same pictures, each method of explain_maps.h by insertion and deletion, by
 * the pointing game, and by whether its maps forget the network when the network's weights are shuffled;
 * every figure with a 95 % interval by bootstrap over patients, two controls beside it. The shipped method is
 * the one with the best figures among those quick enough for every analysis; the card says which and why. */
#ifndef REHA_RECOGNITION_EXPLAIN_EVALUATE_H
#define REHA_RECOGNITION_EXPLAIN_EVALUATE_H

#include "base/json.h"
#include "recognition/explain_maps.h"
#include "recognition/recogniser.h"

typedef struct reha_explain_case {
    const float *picture; /* of the network's size, 0..1 */
    int class_idx;        /* that is told and explained */
    size_t patient_idx;
    bool is_ill;         /* told class counts as disease: figures are given for these apart */
    const bool *target;  /* where a reader would look; NULL: not known, left out of the pointing game */
    double target_share; /* of the picture: what chance hits */
} reha_explain_case;

typedef struct reha_explain_study reha_explain_study; /* one thread at a time */

/* `networks`: those that vote, as in explain_maps.h; their graphs are borrowed. `shuffled_max`: the first so
 * many cases are kept for the shuffling test. */
REHA_MUST_USE reha_status reha_explain_study_new(const reha_explain_network *networks, int network_count,
                                                 size_t cases_max, size_t shuffled_max,
                                                 reha_explain_study **out, reha_error *err);
void reha_explain_study_free(reha_explain_study *study); /* NULL is fine */
int reha_explain_study_width(const reha_explain_study *study);
int reha_explain_study_height(const reha_explain_study *study);

/* Measures one picture by all methods; copies what it needs. REHA_E_ARG: more than cases_max. */
REHA_MUST_USE reha_status reha_explain_study_add(reha_explain_study *study, const reha_explain_case *one,
                                                 reha_error *err);

/* The shuffling test, then the figures: {"n","patients","shuffled_n","methods":[...],"method","why"}, as
 * docs/formats/model-card.md says. New reference. */
REHA_MUST_USE reha_status reha_explain_study_finish(reha_explain_study *study, int rounds, uint64_t seed,
                                                    const reha_progress *progress, json_t **out,
                                                    reha_error *err);

#endif
