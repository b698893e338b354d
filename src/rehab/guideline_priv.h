/* Shared by the files that load the rule base. */
#ifndef REHA_REHAB_GUIDELINE_PRIV_H
#define REHA_REHAB_GUIDELINE_PRIV_H

#include "rehab/guideline.h"

/* "strength" and "source": {"id", "section"} of an object. */
REHA_MUST_USE reha_status reha_basis_parse_(const reha_place *place, const json_t *json,
                                            const reha_guideline *guideline, reha_basis *out,
                                            reha_error *err);
REHA_MUST_USE reha_status reha_rule_parse_(const reha_place *place, const json_t *json,
                                           reha_guideline *guideline, int programme, reha_rule *out,
                                           reha_error *err);
REHA_MUST_USE reha_status reha_dose_parse_(const reha_place *place, const char *id, const json_t *json,
                                           const reha_guideline *guideline, reha_dose *out, reha_error *err);

#endif
