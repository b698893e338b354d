/* The card of a muscle-injury model: card.json beside model.onnx. docs/formats/model-card.md. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_CARD_H
#define REHA_RECOGNITION_MUSCLE_INJURY_CARD_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>

#define REHA_INJURY_TASK "muscle-injury"
#define REHA_INJURY_FILE "model.onnx"

/* Writes card.json for a network trained just now, without grades and figures, which come from calibration.
 * `training` is borrowed. What it was trained on decides what the card says of it. */
REHA_MUST_USE reha_status reha_injury_card_write(const char *out_folder, json_t *training, bool has_labelled,
                                                 bool has_simulated, reha_error *err);

/* Reads and checks it. New reference. */
REHA_MUST_USE reha_status reha_injury_card_load(const char *folder, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_injury_card_save(const char *folder, const json_t *card, reha_error *err);

#endif
