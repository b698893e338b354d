/* `train fracture`: cross-validation by patient (or source picture), then the network on everything. */
#ifndef REHA_RECOGNITION_FRACTURE_TRAIN_H
#define REHA_RECOGNITION_FRACTURE_TRAIN_H

#include "recognition/fracture_data.h"
#include "recognition/recogniser.h"

enum { REHA_FRACTURE_FOLDS = 3, REHA_FRACTURE_FILE_BYTES = 32 };

/* "fold-1.onnx" of fold 0: the network that never saw the pictures of this fold. */
void reha_fracture_fold_file(int fold, char out[REHA_FRACTURE_FILE_BYTES]);

/* out_folder: model.onnx, card.json, training_images.txt (fingerprints: recognition/fracture_data.h),
 * fold-1.onnx .. (the networks that never saw the pictures of their fold), held_out.csv (their boxes),
 * log.csv. `resume` keeps the folds that are finished there. Calibration, operating points and figures of the
 * card come from the held-out boxes alone. */
REHA_MUST_USE reha_status reha_fracture_train(const reha_train_options *options,
                                              const reha_progress *progress, reha_error *err);

#endif
