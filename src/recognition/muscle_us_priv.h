/* A loaded muscle-us model: from an image to its tissue frame and maps. */
#ifndef REHA_RECOGNITION_MUSCLE_US_PRIV_H
#define REHA_RECOGNITION_MUSCLE_US_PRIV_H

#include "nn/session.h"
#include "recognition/muscle_measure.h"
#include "recognition/recogniser.h"

enum { REHA_MUSCLE_VIEWS = 2 }; /* the picture and its mirror image */

typedef struct reha_muscle_errors { /* 95 % half widths on held-out pictures, from the card; NaN: not measured */
    double fascicle_angle_deg, aponeurosis_angle_deg, thickness_ratio;
    double fascicle_pieces_deg; /* added in squares, over the number of clear pieces; 0: the same for all */
} reha_muscle_errors;

struct reha_model {
    json_t *card;
    reha_session *session;
    float *input;  /* REHA_MUSCLE_VIEWS squares */
    float *output; /* REHA_MUSCLE_VIEWS x REHA_MUSCLE_MAPS maps */
    reha_muscle_errors errors;
};

typedef struct reha_muscle_maps { /* probabilities, REHA_MUSCLE_MAP_PX squared each; owned */
    float *view[REHA_MUSCLE_VIEWS][REHA_MUSCLE_MAPS]; /* turned back to the picture's own orientation */
    float *mean[REHA_MUSCLE_MAPS];
} reha_muscle_maps;

REHA_MUST_USE reha_status reha_muscle_model_open(const reha_model_options *options, reha_model **out, reha_error *err);
void reha_muscle_model_close(reha_model *model); /* NULL is fine */

/* Free with reha_muscle_maps_clear, also after a failure. */
REHA_MUST_USE reha_status reha_muscle_model_run(reha_model *model, const reha_gray *image,
                                                const reha_muscle_frame *frame, reha_muscle_maps *out, reha_error *err);
void reha_muscle_maps_clear(reha_muscle_maps *maps);

/* `evaluate muscle-us` (muscle_evaluate.c). */
REHA_MUST_USE reha_status reha_muscle_evaluate(reha_model *model, const reha_evaluate_options *options,
                                               const reha_progress *progress, json_t **report, reha_error *err);
/* `audit-data muscle-us` (muscle_audit.c). */
REHA_MUST_USE reha_status reha_muscle_audit(const char *data_folder, reha_load_function load,
                                            const reha_progress *progress, json_t **out, reha_error *err);

/* `calibrate muscle-us`: the errors in the card become those on the user's own masks (muscle_evaluate.c). */
REHA_MUST_USE reha_status reha_muscle_calibrate(reha_model *model, const char *model_folder,
                                                const reha_evaluate_options *options, const reha_progress *progress,
                                                json_t **report, reha_error *err);

#endif
