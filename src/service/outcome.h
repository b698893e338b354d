/* Outcome prediction as the command line and the clinic use it: find the model, read tables, predict,
 * measure, train. */
#ifndef REHA_SERVICE_OUTCOME_H
#define REHA_SERVICE_OUTCOME_H

#include "base/json.h"
#include "recognition/recogniser.h"

typedef struct reha_outcome_model reha_outcome_model;

/* True if `task` is "knee-replacement" or "hip-replacement". */
bool reha_outcome_is_task(const char *task);

/* The newest model <models_folder>/outcome-<task>/<version>/, or the one in `model_folder` if that is not
 * NULL. *card: the model card (new reference); model_hash: 65 bytes, SHA-256 over the model's files. */
REHA_MUST_USE reha_status reha_outcome_open(const char *models_folder, const char *model_folder,
                                            const char *task, reha_outcome_model **model, json_t **card,
                                            char *model_hash, reha_error *err);
void reha_outcome_close(reha_outcome_model *model);

/* docs/formats/outcome.md; new reference. Missing, unknown and out-of-range inputs are told by name. */
REHA_MUST_USE reha_status reha_outcome_run(reha_outcome_model *model, const json_t *card,
                                           const char *model_hash, const json_t *input, json_t **out,
                                           reha_error *err);

typedef struct reha_outcome_options {
    const char *task;
    const char *data;             /* CSV, zip or folder */
    const char *predictions_path; /* NULL: none */
    const char *out_folder;       /* training */
    const char *target;           /* a clinic's own table: the column to predict */
    int bootstrap_rounds;
    uint64_t seed;
    int rounds;          /* trees; 0: chosen */
    const char *command; /* for the card */
} reha_outcome_options;

/* Figures on tables in the layout of NHS England's record-level files. New reference. */
REHA_MUST_USE reha_status reha_outcome_evaluate(reha_outcome_model *model,
                                                const reha_outcome_options *options, json_t **report,
                                                reha_error *err);

/* The same on a table with the columns of a model that was trained on a clinic's own table. */
REHA_MUST_USE reha_status reha_outcome_evaluate_own(reha_outcome_model *model,
                                                    const reha_outcome_options *options, json_t **report,
                                                    reha_error *err);

/* Trains a model of an NHS task: learnt from all years but the last and checked on that one, then learnt
 * again from all; writes model.json, trees.ubj and card.json. *card: new reference. */
REHA_MUST_USE reha_status reha_outcome_train(const reha_outcome_options *options,
                                             const reha_progress *progress, json_t **card, reha_error *err);

/* The same from a clinic's own table: four fifths of the patients are learnt from, one fifth is kept for the
 * figures. The card holds the cleaning report. */
REHA_MUST_USE reha_status reha_outcome_train_own(const reha_outcome_options *options,
                                                 const reha_progress *progress, json_t **card,
                                                 reha_error *err);

#endif
