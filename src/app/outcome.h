/* Outcome models on the command line: what train and evaluate do for them, beside the recognisers. */
#ifndef REHA_APP_OUTCOME_H
#define REHA_APP_OUTCOME_H

#include "service/outcome.h"

/* "knee-replacement", "hip-replacement", or "outcome": a model of a clinic's own table. */
bool app_is_outcome(const char *task);

typedef struct app_outcome_arguments {
    const char *task;
    const char *data;
    const char *out;
    const char *target;
    const char *predictions;
    const char *models;
    const char *model;
    const char *command; /* as typed */
    int bootstrap_rounds;
    int seed;
    bool json;
} app_outcome_arguments;

/* Both return the exit code. */
int app_outcome_train(const app_outcome_arguments *given);
int app_outcome_evaluate(const app_outcome_arguments *given);

/* Knee replacement within 9 years, from a radiograph: "knee-oa-progression". Both return the exit code. */
bool app_is_progression(const char *task);
int app_progression_train(const app_outcome_arguments *given);
int app_progression_predict(const char *models, const char *model, const char *input_path, bool with_json,
                            bool with_why);

/* The model named by --model, or the newest of the task; *card: new reference. */
REHA_MUST_USE reha_status app_outcome_open(const char *models, const char *model, const char *task,
                                           reha_outcome_model **out, json_t **card, char *hash,
                                           reha_error *err);

#endif
