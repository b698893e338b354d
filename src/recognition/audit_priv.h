/* What the audits share: problems with a count, examples and what to do about them. */
#ifndef REHA_RECOGNITION_AUDIT_PRIV_H
#define REHA_RECOGNITION_AUDIT_PRIV_H

#include "base/json.h"
#include "recognition/dataset.h"

typedef struct reha_problem {
    const char *code;
    const char *severity; /* "error": do not train before it is mended; "warning"; "info" */
    const char *what;
    const char *remedy;
    size_t count;
    json_t *examples;
} reha_problem;

/* All texts static. */
reha_problem reha_problem_new(const char *code, const char *severity, const char *what, const char *remedy);
/* One more case of it; the first ones become examples, "first = second" where there are two. */
void reha_problem_add(reha_problem *found, const char *first, const char *second);
/* Appends it to `problems` if there was a case; ends it. */
void reha_problem_close(json_t *problems, reha_problem *found);

/* audit_groups.c: rows of one knee, subgroups that are rare, unstated, implausible or lopsided in disease.
 * *groups:
 * [{"by","group","n","disease"}], new reference. */
void reha_audit_groups(const reha_dataset *data, int boundary, json_t *problems, json_t **groups);

#endif
