/* The card of a muscle-us model: card.json beside model.onnx. docs/formats/model-card.md. */
#ifndef REHA_RECOGNITION_MUSCLE_CARD_H
#define REHA_RECOGNITION_MUSCLE_CARD_H

#include "base/json.h"
#include "base/status.h"

/* Writes card.json for a network trained just now: the texts of the card in base_folder where there is one
 * (NULL: plain ones), with `training` (borrowed) in its place and without figures, which belong to the old
 * weights. */
REHA_MUST_USE reha_status reha_muscle_card_write(const char *base_folder, const char *out_folder,
                                                 json_t *training, reha_error *err);

/* Reads and checks it. New reference. */
REHA_MUST_USE reha_status reha_muscle_card_load(const char *folder, json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_muscle_card_save(const char *folder, const json_t *card, reha_error *err);

#endif
