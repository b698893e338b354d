/* Shared by the files of outcome prediction in this room. */
#ifndef REHA_SERVICE_OUTCOME_PRIV_H
#define REHA_SERVICE_OUTCOME_PRIV_H

#include "rehab/outcome_fit.h"
#include "service/outcome.h"
#include "service/outcome_tables.h"

/* The rows of a file, archive or folder in the layout of NHS England; *counts: new reference. */
REHA_MUST_USE reha_status reha_outcome_read_nhs(const char *task, const char *data, reha_table **out,
                                                json_t **counts, reha_error *err);
/* Predicts and measures a table that has the model's features. */
REHA_MUST_USE reha_status reha_outcome_measure(reha_outcome_model *model, const reha_table *table,
                                               const reha_outcome_options *options, json_t **report,
                                               reha_error *err);

#endif
