/* The model card of the knee recogniser (card.json, docs/formats/model-card.md): everything that the
 * analysis needs beside the networks' weights, and everything that a reader needs to judge the model.
 * All thresholds, normalisation constants, calibration and errors come from here, none from the code.
 *
 * The card is kept as JSON (so that parts which only people read survive a load and save) together with
 * its numbers in checked structs. Writers change the structs or `json`, then call reha_knee_card_save. */
#ifndef REHA_RECOGNITION_KNEE_CARD_H
#define REHA_RECOGNITION_KNEE_CARD_H

#include "base/json.h"
#include "nn/session.h"
#include "recognition/conformal.h"
#include "recognition/finding.h"
#include "recognition/knee_preprocess.h"

enum {
    REHA_KNEE_NETWORKS_MAX = 8,
    REHA_KNEE_RULES_MAX = 16,
    REHA_KNEE_PASSES_MAX = 8,
    REHA_KNEE_VIEWS_MAX = 6,
    REHA_KNEE_POINTS = 16, /* 9 on the tibia, then 7 on the femur, each from lateral to medial */
    REHA_KNEE_TIBIA_POINTS = 9,
    REHA_GATE_FEATURES_MAX = 128,
    REHA_GRADES = 5
};

typedef enum reha_knee_role {
    REHA_KNEE_KL = 0,
    REHA_KNEE_FINDER,
    REHA_KNEE_GATE,
    REHA_KNEE_LANDMARKS,
    REHA_KNEE_ROLE_COUNT
} reha_knee_role;
const char *reha_knee_role_name(reha_knee_role role); /* "kl", "finder", "gate", "landmarks" */

typedef struct reha_knee_network {
    reha_knee_role role;
    char file[96]; /* beside the card; no folder part */
    reha_precision precision;
    double input_offset, input_gain; /* the network gets (x - offset) * gain of a picture in 0..1 */
    double weight;                   /* of this member in the ensemble's mean probability (kl) */
    char ranges[96];                 /* kl, int8: file of the activations' ranges beside the card; "": none */
    char explain_node[REHA_NN_NAME_BYTES]; /* kl: the map that explanations use; "": no explanation */
} reha_knee_network;

/* One look of the grading networks at a knee. */
typedef struct reha_knee_view {
    bool by_plateau; /* placed by the landmarks, turned upright; else as the picture frames it: the same thing
                      * unless the picture is a ready crop. Without landmarks all views are framed ones */
    double scale;    /* side of the window against the crop's own: 0.95 looks closer */
} reha_knee_view;

/* What the gate network can say. The order in the card is the order of its outputs. */
typedef enum reha_gate_class {
    REHA_GATE_KNEE = 0,
    REHA_GATE_INVERTED,
    REHA_GATE_UPSIDE_DOWN,
    REHA_GATE_TURNED,
    REHA_GATE_METAL,
    REHA_GATE_CROPPED,
    REHA_GATE_OTHER_XRAY,
    REHA_GATE_ULTRASOUND,
    REHA_GATE_SLICE,   /* CT or MR */
    REHA_GATE_PICTURE, /* photograph, text, drawing */
    REHA_GATE_CLASS_COUNT
} reha_gate_class;
const char *reha_gate_class_name(reha_gate_class kind); /* "knee_ok", "knee_inverted", ...: as in the card */

typedef struct reha_finder_spec {
    bool is_present;
    int input_px;  /* 256 */
    int stride_px; /* 8 */
    double low_percentile, high_percentile;
    double width_unit_px; /* width = unit * exp(output) */
    double score_min;     /* of a knee */
    double separation;    /* two knees lie at least this many widths apart */
    double turned_min;    /* probability of "not upright" from which the finder is believed; > 1: never */
    int knees_max;
} reha_finder_spec;

typedef struct reha_gate_spec {
    bool is_present;
    int input_px;     /* 128 */
    double box_scale; /* side of the box in knee widths: 1.30 */
    double box_up;    /* box centre above the knee's centre, in knee widths: 0.12 */
    double low_percentile, high_percentile;
    int class_count;
    reha_gate_class classes[REHA_GATE_CLASS_COUNT];
    bool gives_probabilities;                 /* the network ends in a softmax; else it gives logits */
    double temperature;                       /* the class scores are divided by it */
    double refuse_min[REHA_GATE_CLASS_COUNT]; /* by class: refuse from this probability on */
    double accept_min;                        /* least probability of a good knee */
    double invert_min; /* turn the grey values over from this probability of "inverted" */
    int feature_count; /* 0: no distance to the training images */
    double feature_mean[REHA_GATE_FEATURES_MAX];
    float *feature_precision;    /* P = inverse covariance, feature_count x feature_count, row-major; owned by
                                  * the card.    distance = sqrt((x - mean)' P (x - mean)) */
    double distance_max;         /* refuse above */
    double distance_warn;        /* say so above */
    double distance_outside_max; /* refuse by distance only if no more than this share of the box lies outside
                                  * of the picture: a tight crop is unusual, but not another kind of image */
} reha_gate_spec;

/* Plain statistics of the picture, before any network is asked (knee_gate.h lists them). */
typedef struct reha_quality_rule {
    char statistic[24];
    double low, high; /* allowed range; infinite: no limit */
    char code[32];    /* "too-dark", ... */
    bool is_refusal;  /* else a warning */
} reha_quality_rule;

typedef struct reha_landmark_pass {
    double plateau_width_px; /* in the network's input */
    double shift_x_px, shift_y_px;
    double turn_deg;
} reha_landmark_pass;

typedef struct reha_landmark_spec {
    bool is_present;
    int input_px, stride_px; /* 224, 4 */
    double low_percentile, high_percentile;
    double centre_x_px, centre_y_px; /* where the joint's centre lies in the input */
    double first_width_px;           /* plateau width in the first pass, whose scale is the finder's */
    double first_up_ratio;           /* joint centre of the finder to centre of the landmarks, in widths */
    int pass_count;                  /* refining passes, averaged; their spread is the test-time spread */
    reha_landmark_pass passes[REHA_KNEE_PASSES_MAX];
    double blur_warn_px, blur_refuse_px; /* width of the heat maps in the first pass: above, nothing is
                                      measured; above the second, this is no knee joint */
    double shift_refuse_ratio; /* first pass to refined landmarks, in plateau widths: above, no knee joint */
    double side_margin_px;     /* difference in heat map width, between the image and its mirror image, that
                                tells left from right; huge: never */
} reha_landmark_spec;

typedef struct reha_joint_space_spec {
    double lateral_low, lateral_high; /* compartments in plateau widths from the lateral edge */
    double medial_low, medial_high;
    int samples;               /* per compartment */
    double refine_range_ratio; /* edges are sought this far from the landmarks, in plateau widths; 0: off */
    double refine_strength;    /* 0 to 1: how far to go towards the found edge */
    double refine_pull, refine_stiffness, refine_blur_px;
} reha_joint_space_spec;

typedef struct reha_knee_errors { /* from cross-validation: see the card's "measurement" */
    double landmark_mean_mm;
    double jsw_sd_mm;                        /* SD of the error of the minimum width, any compartment */
    double jsw_sd_ratio;                     /* the same in plateau widths */
    double plateau_width_mm;                 /* mean of adults in the training data: only to word ratios */
    double reference_jsw_mm[REHA_GRADES];    /* mean smallest distance by grade */
    double reference_jsw_sd_mm[REHA_GRADES]; /* NaN if not known */
} reha_knee_errors;

typedef struct reha_knee_card {
    json_t *json; /* the document; owned */
    char name[64];
    char version[32];
    int network_count;
    reha_knee_network networks[REHA_KNEE_NETWORKS_MAX];
    reha_knee_crop_spec crop;
    int view_count; /* at least 1; the grade is the mean over the views, the explanation is the first one's */
    reha_knee_view views[REHA_KNEE_VIEWS_MAX];
    bool mirror_average; /* average the grade over each view and its mirror image */
    reha_ordinal_calibration calibration;
    reha_finder_spec finder;
    reha_gate_spec gate;
    int rule_count;
    reha_quality_rule rules[REHA_KNEE_RULES_MAX];
    reha_landmark_spec landmarks;
    reha_joint_space_spec joint_space;
    reha_knee_errors errors;
} reha_knee_card; /* immutable after loading: any thread */

/* A card for a new model: one KL network "model.onnx", default crop, one view, no calibration; finder, gate
 * and landmarks absent (the image is then taken for a ready crop). */
REHA_MUST_USE reha_status reha_knee_card_init(reha_knee_card *card, const char *version, reha_error *err);
/* Reads and checks; every fault names the file and the member. The networks' files are not opened. */
REHA_MUST_USE reha_status reha_knee_card_load(const char *folder, reha_knee_card *out, reha_error *err);
REHA_MUST_USE reha_status reha_knee_card_parse(const json_t *json, reha_knee_card *out, reha_error *err);
/* Writes networks, crop, views, mirror_average and calibration from the structs into `json` (all else is left
 * as it is there) and saves <folder>/card.json. */
REHA_MUST_USE reha_status reha_knee_card_save(reha_knee_card *card, const char *folder, reha_error *err);
/* How many pictures of one knee the grading networks get: views, and their mirror images. */
int reha_knee_card_pictures(const reha_knee_card *card);
/* Sets a text or part that people read ("intended_use", "data", "metrics", ...): takes the reference. */
REHA_MUST_USE reha_status reha_knee_card_set_take(reha_knee_card *card, const char *key, json_t *value,
                                                  reha_error *err);
void reha_knee_card_clear(reha_knee_card *card); /* zeroed is fine */

#endif
