/* A loaded muscle-us model: from an image to its tissue frame and maps. */
#ifndef REHA_RECOGNITION_MUSCLE_US_PRIV_H
#define REHA_RECOGNITION_MUSCLE_US_PRIV_H

#include "nn/session.h"
#include "recognition/muscle_measure.h"
#include "recognition/recogniser.h"

enum {
    REHA_MUSCLE_FRAMINGS = 2, /* the tissue's box, and one a tenth wider */
    REHA_MUSCLE_SIDES = 2,    /* the picture and its mirror image, in one batch */
    REHA_MUSCLE_VIEWS = REHA_MUSCLE_FRAMINGS * REHA_MUSCLE_SIDES
};

typedef struct reha_muscle_errors { /* 95 % half widths on held-out pictures, from the card; NaN: not measured
                                     */
    double fascicle_angle_deg, aponeurosis_angle_deg, thickness_ratio;
    double fascicle_pieces_deg; /* added in squares, over the number of clear pieces; 0: the same for all */
} reha_muscle_errors;

struct reha_model {
    json_t *card;
    reha_session *session;
    float *input;  /* REHA_MUSCLE_SIDES squares */
    float *output; /* REHA_MUSCLE_SIDES x REHA_MUSCLE_MAPS maps */
    reha_muscle_errors errors;
    char *models_folder; /* where other models lie; NULL: not told */
};

typedef struct reha_muscle_maps { /* probabilities, REHA_MUSCLE_MAP_PX squared each; owned */
    float *view[REHA_MUSCLE_VIEWS][REHA_MUSCLE_MAPS]; /* over the frame's box, in the picture's orientation */
    float *mean[REHA_MUSCLE_MAPS];
} reha_muscle_maps;

REHA_MUST_USE reha_status reha_muscle_model_open(const reha_model_options *options, reha_model **out,
                                                 reha_error *err);
void reha_muscle_model_close(reha_model *model); /* NULL is fine */

/* Free with reha_muscle_maps_clear, also after a failure. */
REHA_MUST_USE reha_status reha_muscle_model_run(reha_model *model, const reha_gray *image,
                                                const reha_muscle_frame *frame, reha_muscle_maps *out,
                                                reha_error *err);
void reha_muscle_maps_clear(reha_muscle_maps *maps);

typedef struct reha_muscle_case { /* one picture on its way; begin with {.model, .image}, borrowed */
    reha_model *model;
    const reha_gray *image;
    reha_gray *squared; /* a copy with square pixels, where the image's are not; owned. What is measured is in
                         * its pixels then */
    reha_muscle_frame frame;
    reha_muscle_maps maps;
    reha_muscle_measurement main;
    reha_muscle_measurement views[REHA_MUSCLE_VIEWS];
    double mm_per_px;      /* NaN: unknown */
    char scale_source[96]; /* or why there is none */
} reha_muscle_case;

/* Frame, maps and measurements; whether to believe them is not asked. Clear the case, also after a failure.
 */
REHA_MUST_USE reha_status reha_muscle_case_read(reha_muscle_case *work, reha_error *err);
/* The same and everything that a result tells of it; maps stay empty where the picture was refused before. */
REHA_MUST_USE reha_status reha_muscle_case_analyse(reha_muscle_case *work,
                                                   const reha_acquisition *acquisition,
                                                   const reha_analyse_options *options, reha_analysis **out,
                                                   reha_error *err);
/* Adds the masks of an accepted analysis: belly (where both lines were found), aponeurosis, fascicle
 * (muscle_masks.c). */
REHA_MUST_USE reha_status reha_muscle_case_mask(const reha_muscle_case *work, reha_analysis *analysis,
                                                reha_error *err);
void reha_muscle_case_clear(reha_muscle_case *work);
/* The picture that was measured: the image or its copy with square pixels. Borrowed. */
const reha_gray *reha_muscle_case_seen(const reha_muscle_case *work);

/* `evaluate muscle-us` (muscle_evaluate.c). */
REHA_MUST_USE reha_status reha_muscle_evaluate(reha_model *model, const reha_evaluate_options *options,
                                               const reha_progress *progress, json_t **report,
                                               reha_error *err);
/* `audit-data muscle-us` (muscle_audit.c). */
REHA_MUST_USE reha_status reha_muscle_audit(const char *data_folder, reha_load_function load,
                                            const reha_progress *progress, json_t **out, reha_error *err);

/* `calibrate muscle-us`: the errors in the card become those on the user's own masks (muscle_evaluate.c). */
REHA_MUST_USE reha_status reha_muscle_calibrate(reha_model *model, const char *model_folder,
                                                const reha_evaluate_options *options,
                                                const reha_progress *progress, json_t **report,
                                                reha_error *err);

#endif
