/* What the audits share: problems with a count, examples and what to do about them; copies among pictures;
 * groups that a split tears apart; subgroups. */
#ifndef REHA_RECOGNITION_AUDIT_PRIV_H
#define REHA_RECOGNITION_AUDIT_PRIV_H

#include "base/json.h"
#include "recognition/dataset.h"
#include "recognition/sampling.h"

/* All texts static. */
typedef struct reha_problem_text {
    const char *code;
    const char *severity; /* "error": do not train before it is mended; "warning"; "info" */
    const char *what;
    const char *remedy;
} reha_problem_text;

typedef struct reha_problem {
    reha_problem_text text;
    size_t count;
    json_t *examples;
} reha_problem;

reha_problem reha_problem_new(const char *code, const char *severity, const char *what, const char *remedy);
/* One more case of it; the first ones become examples, "first = second" where there are two. */
void reha_problem_add(reha_problem *found, const char *first, const char *second);
/* Appends it to `problems` if there was a case; ends it. `problems` NULL only ends it. */
void reha_problem_close(json_t *problems, reha_problem *found);

/* The same for a table of kinds; `out` and `found` hold `count`. */
void reha_problems_open(const reha_problem_text *texts, size_t count, reha_problem *out);
void reha_problems_close(json_t *problems, reha_problem *found, size_t count);

enum { REHA_LOOK_SIDE = 32 };

/* How a picture looks, to find its copies. All zero: not looked at, and never a copy. */
typedef struct reha_look {
    bool is_known;
    bool is_blank;          /* no contrast: a copy of nothing */
    uint64_t pixels_hash;   /* of the whole picture's size and values */
    uint64_t gradient_hash; /* which of two neighbours of a 9 x 8 miniature is brighter */
    uint64_t gradient_sure; /* where that is no matter of noise */
    double mean_level;      /* 0 to 1 of the type's range */
    float thumb[REHA_LOOK_SIDE * REHA_LOOK_SIDE]; /* miniature of mean 0 and norm 1 */
} reha_look;

/* `part`: what of the picture counts for its miniatures (the tissue without a screen around it); NULL: all.
 */
void reha_look_at(const reha_gray *image, const reha_box_px *part, reha_look *out);

/* Called for each pair of copies, first < second. Exact: every pixel is equal; else the gradient hashes
 * differ in at most 2 sure bits and the miniatures correlate with at least .995. */
typedef void (*reha_copy_function)(void *context, size_t first, size_t second, bool is_exact);
/* All pairs: 20,000 pictures are 2e8 comparisons of one word, about a second. */
void reha_find_copies(const reha_look *looks, size_t count, reha_copy_function tell, void *context);

/* Where a row of a data set belongs: its group (patient, source) of 0 to group_count - 1, and its split. Both
 * texts live as long as the search. */
typedef struct reha_place {
    size_t group_idx;
    const char *split;
    const char *name; /* of the row, as a report calls it */
} reha_place;

typedef reha_place (*reha_place_function)(const void *context, size_t row);
typedef enum reha_parted_count { REHA_COUNT_ROWS, REHA_COUNT_GROUPS } reha_parted_count;
/* Adds to `found` each row, in their order, that stands in another split than the first row of its group: an
 * evaluation would know its answers. REHA_COUNT_GROUPS: only the first such row of a group. */
REHA_MUST_USE reha_status reha_find_parted_groups(size_t row_count, size_t group_count,
                                                  reha_place_function place_of, const void *context,
                                                  reha_parted_count counted, reha_problem *found,
                                                  reha_error *err);

/* audit_groups.c: rows of one knee, subgroups that are rare, unstated, implausible or lopsided in disease.
 * *groups: [{"by","group","n","disease"}], new reference. */
void reha_audit_groups(const reha_dataset *data, int boundary, json_t *problems, json_t **groups);

#endif
