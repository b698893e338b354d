/* Places in a JSON file, so that a fault of the rule base or of a patient's file is told with its line.
 *
 * jansson forgets where a value stood. A reader of ours therefore carries the way that it went (a chain of
 * places on the stack: "rules" > 3 > "when"), and only when something is wrong the text is walked again. */
#ifndef REHA_REHAB_RULE_PLACE_H
#define REHA_REHAB_RULE_PLACE_H

#include "base/json.h"

typedef struct reha_source_text { /* a loaded file; immutable after loading */
    char *name;                   /* as errors call it; owned */
    char *text;                   /* owned, NUL-terminated */
    json_t *json;                 /* owned */
} reha_source_text;

/* A file of at most 16 MiB whose values take at most 128 MiB of memory (counted before they take it). */
REHA_MUST_USE reha_status reha_source_load(const char *path, reha_source_text *out, reha_error *err);
/* The same of a text in memory, of any length. */
REHA_MUST_USE reha_status reha_source_parse(const char *name, const char *text, reha_source_text *out,
                                            reha_error *err);
void reha_source_clear(reha_source_text *source); /* {0} is fine */

typedef struct reha_place {
    const struct reha_place *up; /* NULL: the root */
    const char *key;             /* a member, or NULL: an item */
    size_t index;
    const reha_source_text *file; /* of the root */
} reha_place;

static inline reha_place reha_place_root(const reha_source_text *file)
{
    return (reha_place){.file = file};
}
static inline reha_place reha_place_key(const reha_place *up, const char *key)
{
    return (reha_place){.up = up, .key = key};
}
static inline reha_place reha_place_item(const reha_place *up, size_t index)
{
    return (reha_place){.up = up, .index = index};
}

/* The line (from 1) on which the place's value begins; of the nearest place above it that exists. */
int reha_place_line(const reha_place *place);
/* REHA_E_FORMAT: "name line 12, rules[3].when: text". */
reha_status reha_place_fail(const reha_place *place, reha_error *err, const char *format, ...)
    REHA_PRINTF(3, 4);

/* Every key of the object must be in `allowed` (blank separated, with a blank at both ends). */
REHA_MUST_USE reha_status reha_place_keys(const reha_place *place, const json_t *object, const char *allowed,
                                          reha_error *err);
/* A member that must be a text; borrowed. */
REHA_MUST_USE reha_status reha_place_string(const reha_place *place, const json_t *object, const char *key,
                                            const char **out, reha_error *err);

#endif
