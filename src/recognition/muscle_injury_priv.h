/* A loaded muscle-injury model, shared by analysis, calibration and evaluation. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_PRIV_H
#define REHA_RECOGNITION_MUSCLE_INJURY_PRIV_H

#include "nn/session.h"
#include "recognition/muscle_injury_augment.h"
#include "recognition/muscle_injury_rule.h"
#include "recognition/muscle_net.h"
#include "recognition/recogniser.h"

enum { REHA_INJURY_MAP_COUNT = REHA_MUSCLE_MAP_PX * REHA_MUSCLE_MAP_PX };

typedef struct reha_injury_errors { /* 95 % half widths from the card; NaN: not measured */
    double share, along_ratio;
} reha_injury_errors;

struct reha_model {
    json_t *card;
    reha_session *session;
    float *input;  /* the picture and its mirror image */
    float *output; /* two maps of each */
    struct reha_model
        *muscle; /* of muscle-us, which finds the belly; opaque here; NULL: bellies come from masks */
    bool has_rule;
    reha_injury_rule rule;
    reha_injury_errors errors;
};

/* Shapes of the network; `path` is for the message. */
REHA_MUST_USE reha_status reha_injury_check_graph_(const reha_graph *graph, const char *path,
                                                   reha_error *err);

/* muscle_folder NULL: without muscle-us. A card without a rule is accepted: calibration fits one. */
REHA_MUST_USE reha_status reha_injury_model_load_(const char *folder, const char *muscle_folder, int threads,
                                                  reha_model **out, reha_error *err);
REHA_MUST_USE reha_status reha_injury_model_open_(const reha_model_options *options, reha_model **out,
                                                  reha_error *err);
void reha_injury_model_close_(reha_model *model); /* NULL is fine */

/* maps: REHA_INJURY_MAPS x REHA_INJURY_MAP_COUNT probabilities, mean of the picture and its mirror image. */
REHA_MUST_USE reha_status reha_injury_model_run_(reha_model *model, const reha_gray *image,
                                                 const reha_muscle_frame *frame, float *maps,
                                                 reha_error *err);

/* The belly as muscle-us finds it. *analysis (if not NULL): its whole answer, owned by the caller. *found
 * false: it refused, or saw only one aponeurosis. */
REHA_MUST_USE reha_status reha_injury_find_belly_(reha_model *model, const reha_gray *image,
                                                  const reha_acquisition *facts, reha_injury_belly *out,
                                                  bool *found, reha_analysis **analysis, reha_error *err);

REHA_MUST_USE reha_status reha_injury_fit_after_training_(const reha_train_options *options,
                                                          const reha_progress *progress, reha_error *err);
REHA_MUST_USE reha_status reha_injury_calibrate_(reha_model *model, const char *model_folder,
                                                 const reha_evaluate_options *options,
                                                 const reha_progress *progress, json_t **report,
                                                 reha_error *err);
REHA_MUST_USE reha_status reha_injury_evaluate_(reha_model *model, const reha_evaluate_options *options,
                                                const reha_progress *progress, json_t **report,
                                                reha_error *err);
REHA_MUST_USE reha_status reha_injury_audit_(const char *data_folder, reha_load_function load,
                                             const reha_progress *progress, json_t **out, reha_error *err);

#endif
