/* What is this picture? One or a few small networks for all recognisers, whose probabilities are averaged,
 * beside plain statistics: what kind of picture, which way up, grey values as usual or inverted, which flaw,
 * and how far from the pictures that the first network learned from. What a recogniser does with the answer
 * stands in recognition/scene_admit.h.
 *
 * "gate" is a recogniser of its own (train, evaluate, model, and `analyse --task gate` to be told what a
 * picture is). */
#ifndef REHA_RECOGNITION_SCENE_H
#define REHA_RECOGNITION_SCENE_H

#include "recognition/recogniser.h"

typedef enum reha_scene_kind {
    REHA_SCENE_KNEE,   /* frontal radiograph of one or both knees, a ready crop or a whole film */
    REHA_SCENE_LIMB,   /* radiograph of another part: hand, wrist, forearm, elbow, foot, shoulder, hip */
    REHA_SCENE_MUSCLE, /* B-mode ultrasound of a muscle along its fibres */
    REHA_SCENE_ECHO,   /* other ultrasound: a joint, a vessel, a muscle across its fibres */
    REHA_SCENE_SLICE,  /* CT or MR slice */
    REHA_SCENE_PHOTO,  /* photograph, natural scene, painting */
    REHA_SCENE_PAGE,   /* text, table, chart, screen */
    REHA_SCENE_BLANK,  /* nothing to see: even, a gradient, noise */
    REHA_SCENE_KINDS
} reha_scene_kind;

typedef enum reha_scene_turn {
    REHA_SCENE_UPRIGHT,
    REHA_SCENE_TURNED_RIGHT, /* lies turned clockwise by 90 degrees */
    REHA_SCENE_UPSIDE_DOWN,
    REHA_SCENE_TURNED_LEFT,
    REHA_SCENE_TURNS
} reha_scene_turn;

typedef enum reha_scene_flaw {
    REHA_SCENE_CLEAR,
    REHA_SCENE_BLURRED,
    REHA_SCENE_NOISY,
    REHA_SCENE_BURNT_OUT,
    REHA_SCENE_PART, /* so small a part that the rest cannot be told */
    REHA_SCENE_FLAWS
} reha_scene_flaw;

typedef struct reha_scene {
    double kinds[REHA_SCENE_KINDS]; /* probabilities */
    double turns[REHA_SCENE_TURNS]; /* means something for knees and muscles only */
    double inverted;                /* probability that bright and dark are exchanged */
    double flaws[REHA_SCENE_FLAWS];
    double distances[REHA_SCENE_KINDS]; /* squared Mahalanobis distance to the training pictures of a kind
                                         * (Lee et al. 2018); NaN: the card has none */
    double contrast;                    /* 99th minus 1st percentile, on a scale of 0..255 */
    uint32_t shorter_px;
} reha_scene;

/* "knee", "limb", ...: as in scenes.csv and on the card. */
const char *reha_scene_name(reha_scene_kind kind);
/* REHA_SCENE_KINDS for a name that is none. */
reha_scene_kind reha_scene_find(const char *name);
/* "a frontal radiograph of the knee", "a photograph", ...: for sentences. */
const char *reha_scene_text(reha_scene_kind kind);
const char *reha_scene_flaw_name(reha_scene_flaw flaw);
/* Most probable kind. */
reha_scene_kind reha_scene_verdict(const reha_scene *scene);
/* Probability that the picture is of the same modality as `kind`: any radiograph, any ultrasound; the kind
 * itself for others. A foot may look half a knee, and is a radiograph all the same. */
double reha_scene_modality_share(const reha_scene *scene, reha_scene_kind kind);

extern const reha_recogniser reha_recogniser_gate;

/* Looks with a model that reha_recogniser_gate opened. `inverted`: with bright and dark exchanged. `facts`
 * may be NULL. REHA_E_FORMAT: pixels that are not numbers. About 6 ms of one core and no more than 4 MB for a
 * film, and 2 ms for each further network. */
REHA_MUST_USE reha_status reha_scene_look(reha_model *gate, const reha_gray *image,
                                          const reha_acquisition *facts, bool inverted, reha_scene *out,
                                          reha_error *err);

#endif
