/* `train muscle-injury`. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_TRAIN_H
#define REHA_RECOGNITION_MUSCLE_INJURY_TRAIN_H

#include "recognition/recogniser.h"

/* Writes simulated.png (examples to look at, where lesions are simulated), model.onnx, card.json, log.csv and
 * the checkpoint of --resume into the output folder. backbone_folder: .npy weights, or a folder with the
 * model.onnx of muscle-us or of this task, from which training goes on. With labelled rows only and no
 * backbone it goes on from the network in base_folder, if there is one. */
REHA_MUST_USE reha_status reha_injury_train(const reha_train_options *options, const reha_progress *progress,
                                            reha_error *err);

#endif
