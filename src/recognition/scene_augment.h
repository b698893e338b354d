/* Random variations of a picture for the gate's training: what another device, another export or another hand
 * would have made of it, and what spoils it. Strengths are wide on purpose; bench/gate_bench makes its own
 * changes. */
#ifndef REHA_RECOGNITION_SCENE_AUGMENT_H
#define REHA_RECOGNITION_SCENE_AUGMENT_H

#include "base/random.h"
#include "recognition/scene_data.h"
#include "recognition/scene_net.h"

/* What is known of a varied picture. All zero: not known, teaches nothing. */
typedef struct reha_scene_truth {
    float kinds[REHA_SCENE_KINDS];
    float turns[REHA_SCENE_TURNS];
    float tones[2];
    float flaws[REHA_SCENE_FLAWS];
} reha_scene_truth;

/* A varied picture at the size that is looked at. `is_mild`: only what leaves a good picture good, for
 * thresholds. */
REHA_MUST_USE reha_status reha_scene_vary(const reha_scene_item *item, bool is_mild, reha_random *random,
                                          reha_gray **out, reha_scene_truth *truth, reha_error *err);

#endif
