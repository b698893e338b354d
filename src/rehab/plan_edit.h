/* A clinician's change of one line of a plan (docs/formats/plan.md, "Edits"): changed, left out, added, or
 * put back to what the rules say. Every change has a reason; what the rules said stays beside it. Pure; any
 * thread. */
#ifndef REHA_REHAB_PLAN_EDIT_H
#define REHA_REHAB_PLAN_EDIT_H

#include "rehab/plan.h"

enum { REHA_EDIT_TEXT_MAX = 600 };

/* `edit`: {"phase", "list": "exercises" | "goals" | "advice", "line", "reason", and what changes}.
 * Without "line" a new line is made. What changes: "text", "state" ("removed", "active"), of exercises "dose"
 * (numbers by name) and "exercise" (of a new line, from the library), of goals "target", "by", and "measure"
 * with "direction" (of a new line); or "restore": true. `plan` is changed in place and is not reviewed any
 * more; on a fault it may be half changed: throw it away. REHA_E_ARG names the member; REHA_E_REFUSED: a
 * safety rule forbids it now. */
REHA_MUST_USE reha_status reha_plan_edit(const reha_guideline *guideline, json_t *plan, const json_t *edit,
                                         const char *by, const char *date, reha_error *err);

#endif
