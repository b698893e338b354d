/* `predict knee-oa-progression`: knee replacement within 9 years from a graded radiograph; research only. */
#ifndef REHA_SERVICE_OUTCOME_PROGRESSION_H
#define REHA_SERVICE_OUTCOME_PROGRESSION_H

#include "service/outcome.h"

/* Input and result: docs/formats/outcome.md. *out: new reference. */
REHA_MUST_USE reha_status reha_progression_run(const char *models_folder, const char *model_folder,
                                               const json_t *input, json_t **out, reha_error *err);

/* What the model asks, as reha_outcome_form gives it ("inputs"); its card and hash. New references. */
REHA_MUST_USE reha_status reha_progression_form(const char *models_folder, json_t **inputs, json_t **card,
                                                char *hash, reha_error *err);

/* Trains from options->data, a folder with analysis.json (of `rehascope analyse --json`; a file's name
 * without its ending is the knee's id) and a CSV with knee_id, kl, tkr_within_9y, strata_matched_pair; rows
 * of one person share the id but for its last letter, the side. *card: new reference. */
REHA_MUST_USE reha_status reha_progression_train(const reha_outcome_options *options, json_t **card,
                                                 reha_error *err);

#endif
