/* The loaded fracture model, shared by analysis, evaluation and calibration. */
#ifndef REHA_RECOGNITION_FRACTURE_PRIV_H
#define REHA_RECOGNITION_FRACTURE_PRIV_H

#include "recognition/fracture_card.h"
#include "recognition/fracture_net.h"
#include "recognition/recogniser.h"

struct reha_model {
    reha_fracture_card card;
    reha_fracture_detector detector;
    char *folder; /* owned */
    int threads;
};

/* Loads the network `file` of the model's folder, whose shapes must be those of the card. */
REHA_MUST_USE reha_status reha_fracture_open_network_(const reha_model *model, const char *file,
                                                      reha_fracture_detector *out, reha_error *err);

REHA_MUST_USE reha_status reha_fracture_evaluate_(reha_model *model, const reha_evaluate_options *options,
                                                  const reha_progress *progress, json_t **report,
                                                  reha_error *err);
REHA_MUST_USE reha_status reha_fracture_calibrate_(reha_model *model, const char *model_folder,
                                                   const reha_evaluate_options *options,
                                                   const reha_progress *progress, json_t **report,
                                                   reha_error *err);
REHA_MUST_USE reha_status reha_fracture_audit_(const char *data_folder, reha_load_function load,
                                               const reha_progress *progress, json_t **report,
                                               reha_error *err);

#endif
