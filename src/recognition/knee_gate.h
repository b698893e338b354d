/* The gate: what is this, is it good enough, have we seen such images? Plain statistics first, then a
 * network on a square around each candidate knee, whose features also give a distance to the training
 * images (Mahalanobis distance, Lee et al. 2018). Refuse rather than guess. */
#ifndef REHA_RECOGNITION_KNEE_GATE_H
#define REHA_RECOGNITION_KNEE_GATE_H

#include "image/acquisition.h"
#include "image/gray.h"
#include "recognition/finding.h"
#include "recognition/knee_card.h"
#include "recognition/knee_finder.h"
#include "recognition/knee_net.h"

/* Statistics that the card's quality rules may name. Grey values are on a scale of 0..255: 8-bit files as
 * stored, deeper ones with their 0.1 and 99.9 percentiles at 0 and 255 (their full scale says nothing about
 * exposure). Names beginning with "image_" are of the whole picture, the others of a knee's box. */
typedef enum reha_statistic {
    REHA_STAT_IMAGE_SHORT_SIDE_PX, /* "image_short_side_px" */
    REHA_STAT_IMAGE_CHROMA,        /* "image_chroma": share of visibly coloured pixels */
    REHA_STAT_IMAGE_CONTRAST,      /* "image_contrast": 99th minus 1st percentile */
    REHA_STAT_IMAGE_MEAN,          /* "image_mean" */
    REHA_STAT_IMAGE_LEVELS,        /* "image_levels": span of the raw values in steps of the file (bits) */
    REHA_STAT_BOX_SIDE_PX,         /* "box_side_px" */
    REHA_STAT_OUTSIDE,             /* "outside": share of the box that lies outside of the picture */
    REHA_STAT_MEAN,                /* "mean" */
    REHA_STAT_P1,                  /* "p1" */
    REHA_STAT_P50,                 /* "p50" */
    REHA_STAT_P99,                 /* "p99" */
    REHA_STAT_CONTRAST,            /* "contrast" */
    REHA_STAT_WHITE,               /* "white": share of values of at least 250 */
    REHA_STAT_BLACK,               /* "black": share of values of at most 5 */
    REHA_STAT_NOISE,         /* "noise": median |HH| of the Haar transform / 0.6745, over the contrast */
    REHA_STAT_LAPLACE_RATIO, /* "laplace_ratio": mean |Laplacian| over mean gradient of the gate's view: low
                              * where it is blurred, high where it is noisy */
    REHA_STAT_COUNT
} reha_statistic;
bool reha_knee_statistic_is_known(const char *name);
const char *reha_statistic_name(reha_statistic which);

typedef struct reha_quality {
    double values[REHA_STAT_COUNT]; /* NaN: not measured (yet) */
} reha_quality;

/* Maps the file's grey values to 0..255: value * gain + offset. */
typedef struct reha_grey_scale {
    double gain, offset;
} reha_grey_scale;

/* Statistics of the whole picture. `scale` for the box statistics. REHA_E_FORMAT: values that are not
 * numbers. */
REHA_MUST_USE reha_status reha_quality_of_image(const reha_gray *image, const reha_acquisition *facts,
                                                reha_quality *out, reha_grey_scale *scale, reha_error *err);

typedef struct reha_gate_view {
    double probabilities[REHA_GATE_CLASS_COUNT]; /* by class; 0 for classes that the card does not have */
    double distance;                             /* to the training images; NaN without */
    bool is_inverted;                            /* the view was taken with the grey values turned over */
} reha_gate_view;

/* Square that the gate looks at, in pixel-edge coordinates. */
reha_box_px reha_gate_box(const reha_gate_spec *spec, const reha_knee_candidate *knee);

/* Looks at one candidate and adds the box statistics to `quality` (not for an inverted view). `image` may be
 * a reduced one: `reduction` is its factor, for sizes in pixels. */
REHA_MUST_USE reha_status reha_gate_look(const reha_gray *image, double reduction,
                                         const reha_knee_candidate *knee, const reha_knee_net *net,
                                         const reha_gate_spec *spec, bool inverted,
                                         const reha_grey_scale *scale, reha_quality *quality,
                                         reha_gate_view *out, reha_error *err);

/* Most probable class. */
reha_gate_class reha_gate_verdict(const reha_gate_view *view);

/* One line for people on a refusal or a rule, by its code: what, why, what to do. Never NULL. */
const char *reha_gate_advice(const char *code);
/* Code of the refusal of a class: "upside-down", "prosthesis", ... */
const char *reha_gate_code(reha_gate_class kind);

/* Applies the card's rules to what was measured; `image_rules`: those of the whole picture, else those of a
 * box. Writes notes; returns true if one of them refuses. */
bool reha_quality_judge(const reha_knee_card *card, const reha_quality *quality, bool image_rules,
                        reha_note *notes, int *note_count);

/* What the file itself says: another modality, body part or view. Returns the refusal's code, or NULL; `what`
 * (64 bytes) tells the offending value. */
const char *reha_gate_by_facts(const reha_acquisition *facts, char what[64]);

#endif
