/* What the files of the knee recogniser share: the loaded model and the state of one analysis. */
#ifndef REHA_RECOGNITION_KNEE_OA_PRIV_H
#define REHA_RECOGNITION_KNEE_OA_PRIV_H

#include "nn/explain.h"
#include "nn/quantize.h"
#include "recognition/joint_space.h"
#include "recognition/knee_card.h"
#include "recognition/knee_gate.h"
#include "recognition/knee_landmarks.h"
#include "recognition/knee_oa.h"

typedef struct knee_member { /* one network of the grading ensemble */
    reha_knee_net net;
    double weight;
    reha_calibration *ranges;        /* while quantising: collects the network's activations; else NULL */
    reha_explainer *explainer;       /* from its last map on; NULL: explains nothing */
    float *last_map;                 /* then: its map for every picture of the last run, NCHW */
    float first_logits[REHA_GRADES]; /* of the last run's first picture, the one that is explained */
} knee_member;

struct reha_model {
    reha_knee_card card;
    int threads;
    int ranges_left; /* knees whose activations are still to be collected */
    int member_count;
    knee_member members[REHA_KNEE_NETWORKS_MAX];
    reha_knee_net finder, gate, landmarks; /* session NULL if the card has none */
    float *finder_output;
    float *windows; /* the views of the knee, each followed by its mirror image if the card says so, 0..1 */
    float *scaled;  /* the same as a member gets them */
    bool explains;  /* at least one member does */
    reha_cam cam;   /* how maps are made: the card's "explanation" */
    int map_width, map_height; /* of every member's map */
    char *folder;              /* that it was opened from */
};

/* One knee on its way through the analysis. Coordinates are those of `image`, the reduced working image. */
typedef struct knee_case {
    reha_model *model;
    const reha_gray *image;
    double reduction; /* input image pixels per pixel of `image` */
    reha_grey_scale grey;
    reha_spacing spacing; /* of `image` */
    reha_knee_candidate candidate;
    bool is_inverted;
    bool lateral_is_left;
    bool lateral_is_sure; /* lateral_is_left comes from the file, the film's layout or the fibula */
    bool has_points;      /* landmarks were found and are good enough to measure */
    reha_knee_first_look first;
    reha_knee_points points;
    reha_joint_space space;   /* of the mean landmarks */
    double width_sd_ratio[2]; /* spread of the minimum over the passes, per compartment */
    reha_knee_pose pose;      /* as the picture frames the knee; the explanation's window */
    reha_knee_pose plateau;   /* by the landmarks; the same as `pose` where there are none */
    double probabilities[REHA_GRADES];
    int grade;
    double evidence_medial; /* share of the positive evidence in the medial half; NaN if unknown */
} knee_case;

/* knee_model.c: opens all networks of a card and checks that their shapes are what the card says. */
REHA_MUST_USE reha_status reha_knee_model_open_(const reha_model_options *options, reha_model **out,
                                                reha_error *err);
void reha_knee_model_close_(reha_model *model);
/* A session for a grading network of the card with the given precision; ranges: for int8, else NULL. The file
 * lies in `folder`. */
REHA_MUST_USE reha_status reha_knee_member_session_(const reha_knee_card *card,
                                                    const reha_knee_network *network, const reha_graph *graph,
                                                    int threads, reha_precision precision,
                                                    const reha_calibration *ranges, reha_session **out,
                                                    reha_error *err);

/* knee_admit.c: the gate. *is_good: go on; else the region holds the refusal. */
REHA_MUST_USE reha_status reha_knee_admit_(knee_case *knee, reha_region *region, bool *is_good,
                                           reha_error *err);
/* Without a gate network (a freshly trained grader): turns inverted grey values over by statistics alone. */
REHA_MUST_USE reha_status reha_knee_repair_(knee_case *knee, reha_error *err);
/* No knee was found: what is it then? Asks the gate about the middle of the picture, to say it by name. */
REHA_MUST_USE reha_status reha_knee_name_unknown_(const knee_case *whole, const char **code, reha_error *err);
void reha_knee_refuse_(reha_region *region, const char *code);
/* The knee of a ready crop, where training images have it. */
reha_knee_candidate reha_knee_ready_candidate_(const reha_gray *image, const reha_knee_crop_spec *spec);

/* knee_grade.c: crop, ensemble, calibration; and the explanation of the grade. */
REHA_MUST_USE reha_status reha_knee_grade_(knee_case *knee, reha_error *err);
REHA_MUST_USE reha_status reha_knee_explain_(knee_case *knee, reha_region *region, reha_error *err);

/* knee_explain.c: the explanations of a labelled folder measured (recognition/explain_evaluate.h). New
 * reference. */
REHA_MUST_USE reha_status reha_knee_explain_measure_(reha_model *model, const reha_evaluate_options *options,
                                                     const reha_progress *progress, json_t **out,
                                                     reha_error *err);

/* knee_findings.c: what is known about the knee as findings, in the input image's coordinates. */
void reha_knee_findings_(const knee_case *knee, reha_region *region);
/* A point of the working image in the input image. */
reha_point_px reha_knee_to_input_(const knee_case *knee, double x_px, double y_px);

#endif
