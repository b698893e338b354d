/* Any of the outcome models by its name: what it asks, and what it says. So that pages need no code for a
 * model. */
#ifndef REHA_SERVICE_OUTCOME_FORM_H
#define REHA_SERVICE_OUTCOME_FORM_H

#include "base/json.h"

/* The names that `outcome` may be, NULL at the end: "knee-replacement", "hip-replacement",
 * "knee-oa-progression". */
const char *const *reha_outcome_names(void);

/* {"outcome","title","target","status","intended_use","not_for","model":{...},"inputs":[{"key","title","kind","levels",
 * "low","high","may_be_unknown","item_of"}]}: docs/formats/outcome.md. New reference. */
REHA_MUST_USE reha_status reha_outcome_form(const char *models_folder, const char *outcome, json_t **out,
                                            reha_error *err);
/* The prediction as docs/formats/outcome.md. REHA_E_REFUSED: outside of what the model learnt from. New
 * reference. */
REHA_MUST_USE reha_status reha_outcome_run_named(const char *models_folder, const char *outcome,
                                                 const json_t *input, json_t **out, reha_error *err);

#endif
