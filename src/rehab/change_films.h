/* Two results of `analyse` of one patient: may they be compared, and what has really changed between them?
 *
 * Sees results (docs/formats/analysis.md), never pixels. First the checks: whatever makes two pictures
 * incomparable (another person, side, view, kind of device) refuses; what spoils only the measuring
 * (position, scale) blocks the measures or their millimetres and says so. Then each measure with its smallest
 * detectable change.
 *
 * Which error counts: if both films are known to come from one set-up and one model read them, what differs
 * between readings is the model's measured repeatability (its constant error cancels) and the repeated
 * positioning; otherwise the full error of each reading against experts, and the positioning. Pure; any
 * thread. */
#ifndef REHA_REHAB_CHANGE_FILMS_H
#define REHA_REHAB_CHANGE_FILMS_H

#include "rehab/change.h"

enum { REHA_CHECKS_MAX = 32, REHA_PAIRS_MAX = 4, REHA_MEASURES_MAX = 16 };

typedef struct reha_visit {
    const json_t *analysis; /* borrowed */
    const char *patient;    /* a pseudonym or hash, never a name; "" if not known */
    const char *date;       /* "2026-01-31" or "" */
    const char *digest;     /* of the file, "" if not known */
    const char *position;   /* patient position, "" if not known */
} reha_visit;

typedef enum reha_check_level {
    REHA_CHECK_OK,
    REHA_CHECK_NOTE,    /* could not be checked: the user must know it */
    REHA_CHECK_WARNING, /* the comparison stands, with care */
    REHA_CHECK_BLOCKS,  /* pictures may be shown, no change of a measure can be told */
    REHA_CHECK_REFUSED  /* no comparison */
} reha_check_level;
typedef struct reha_check {
    reha_check_level level;
    char code[24]; /* "side", "view", "device", "spacing", ...: docs/formats/comparison.md */
    char text[240];
} reha_check;

typedef struct reha_compared {
    char key[40], label[96];
    const char *unit; /* of the change: "mm", "1", "deg", "{grade}" */
    reha_change change;
    int grade_before, grade_after;     /* graded findings, else -1 */
    int set_before[2], set_after[2];   /* their prediction sets; -1: none */
    const reha_instrument *instrument; /* NULL: a measure that scores.json does not know */
    char basis[240];                   /* how the error was made up */
    char remark[400];                  /* importance, plausibility, rate */
} reha_compared;

typedef struct reha_film_pair {   /* one joint in both pictures */
    const char *side;             /* "right", "left", "unknown"; static */
    size_t before_idx, after_idx; /* of the regions */
    int measure_count;
    reha_compared measures[REHA_MEASURES_MAX];
} reha_film_pair;

typedef struct reha_films {
    int check_count;
    reha_check checks[REHA_CHECKS_MAX];
    bool is_refused, is_blocked, is_mm;
    bool is_same_setup; /* shown by the files or stated by the user */
    bool is_same_model;
    double years; /* between the dates; NaN: not known */
    int pair_count;
    reha_film_pair pairs[REHA_PAIRS_MAX];
} reha_films;

typedef struct reha_film_options {
    bool is_setup_stated; /* the user says: same machine, view, position, distance */
    const char *setting;  /* of published thresholds; NULL: the first */
} reha_film_options;

/* A refusal is a result (is_refused, and a check that says why), not an error. REHA_E_FORMAT: an analysis
 * that is not of the documented form. */
REHA_MUST_USE reha_status reha_films_compare(const reha_visit *before, const reha_visit *after,
                                             const reha_scores *scores, const reha_film_options *options,
                                             reha_films *out, reha_error *err);

/* "ok", "note", "warning", "blocks", "refused". */
const char *reha_check_level_text(reha_check_level level);
/* {"comparable","unit_policy","checks","joints":[{"side","measures"}]}; new reference, NULL if memory is out.
 */
json_t *reha_films_to_json(const reha_films *films);
/* Days between two ISO dates (after - before); NaN if one is none. */
double reha_days_between(const char *before, const char *after);

#endif
