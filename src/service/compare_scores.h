/* The use case `scores`: questionnaires, tests and measures of one patient over time, with a verdict for
 * every visit. Table and JSON formats: docs/formats/scores.md. */
#ifndef REHA_SERVICE_COMPARE_SCORES_H
#define REHA_SERVICE_COMPARE_SCORES_H

#include "image/draw.h"
#include "rehab/change_films.h"
#include "rehab/series.h"

enum { REHA_SCORE_SERIES_MAX = 64, REHA_OWN_MDC_MAX = 16 };

typedef struct reha_score_visit {
    char date[11];
    size_t place;             /* the line of the table, or the number of the entry, that gave it */
    double day;               /* days since 1970-01-01 */
    double value;             /* NaN: could not be scored; then `note` says why */
    size_t answered, missing; /* of items; 0 and 0 for a value given directly */
    reha_change change;       /* against the first scored visit */
    char note[240];
} reha_score_visit;

typedef struct reha_score_series {
    const reha_instrument *instrument;
    char side[8]; /* "right", "left" or "" */
    size_t count;
    reha_score_visit *visits; /* by date */
    size_t scored;            /* visits with a value */
    reha_change_spec spec;
    reha_series series; /* over the scored visits; indices count those */
} reha_score_series;

typedef struct reha_score_options {
    const char *scores_path; /* guidelines/scores.json */
    const char *setting;     /* of published thresholds; NULL: the first */
    const char
        *own_mdc; /* the clinic's own MDC95: "nrs-pain=2,odi=9"; it goes before published ones; NULL: none */
} reha_score_options;

typedef struct reha_score_table {
    reha_scores *scores;
    size_t own_count;
    const reha_instrument *own_of[REHA_OWN_MDC_MAX];
    reha_threshold own[REHA_OWN_MDC_MAX];
    const char *place_word; /* "line" or "entry" of a file; NULL: of a record, which has none */
    size_t count;
    reha_score_series items[REHA_SCORE_SERIES_MAX];
} reha_score_table;

/* Reads and judges. Faults name file and line. One score given twice for one day counts once and its note
 * says so; two different values of one score on one day are a fault that names both lines. Image measures are
 * judged by the full error of their reading, since a table does not say how the images were taken. */
REHA_MUST_USE reha_status reha_score_table_load(const char *path, const reha_score_options *options,
                                                reha_score_table **out, reha_error *err);
/* The same from entries of a record, [{"date", "instrument", "value" | "items", "side"?}]; takes `scores` if
 * REHA_OK. A record is not refused: two different values on one day are both judged, and both notes say so.
 */
REHA_MUST_USE reha_status reha_score_table_read(const json_t *entries, reha_scores *scores,
                                                const char *setting, reha_score_table **out, reha_error *err);
void reha_score_table_free(reha_score_table *table); /* NULL is fine */
/* New reference. */
REHA_MUST_USE reha_status reha_score_table_to_json(const reha_score_table *table, json_t **out,
                                                   reha_error *err);

/* The instruments with range, direction, items and thresholds, in the order of the file: {"items": [...]}.
 * New reference. */
REHA_MUST_USE reha_status reha_scores_to_json(const reha_scores *scores, json_t **out, reha_error *err);

/* Words on the whole series ("+2.1 points per month, 95 % +1.0 to +3.2"), one sentence per line. reha_free
 * it. */
REHA_MUST_USE reha_status reha_score_series_text(const reha_score_series *series, char **out,
                                                 reha_error *err);
/* What to mind when many measures are judged at once; "" for few. */
void reha_score_table_remark(const reha_score_table *table, char *out, size_t out_bytes);
/* Where error and important change are from, one per line; `all`: every published entry. reha_free it. */
REHA_MUST_USE reha_status reha_score_sources_text(const reha_score_series *series, bool all, char **out,
                                                  reha_error *err);

/* The series over time: the band in which nothing but error happened, the important change, the trend. */
void reha_score_plot(reha_canvas *canvas, reha_rect frame, const reha_score_series *series);

REHA_MUST_USE reha_status reha_score_report_html(const reha_score_table *table, const char *path,
                                                 reha_error *err);
REHA_MUST_USE reha_status reha_score_report_pdf(const reha_score_table *table, const char *path,
                                                reha_error *err);

#endif
