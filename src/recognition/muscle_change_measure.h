/* `evaluate muscle-us --changes`: how well what is measured stands another scanner's look (muscle_changes.h).
 */
#ifndef REHA_RECOGNITION_MUSCLE_CHANGE_MEASURE_H
#define REHA_RECOGNITION_MUSCLE_CHANGE_MEASURE_H

#include "recognition/muscle_data.h"
#include "recognition/recogniser.h"

/* Array, one object a kind of change: `name`, `text`, `n`, and as {value, low, high, n, p95} (see
 * muscle_score.h) what the changed picture gives against the picture's own result and against the drawn
 * masks. New reference. Where the model knows a folder of models with a gate, the gate is asked too. */
REHA_MUST_USE reha_status reha_muscle_measure_changes(reha_model *model, const reha_evaluate_options *options,
                                                      const reha_muscle_data *data,
                                                      const reha_progress *progress, json_t **out,
                                                      reha_error *err);

#endif
