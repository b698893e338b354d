/* Instruments of progress monitoring (guidelines/scores.json, docs/formats/scores.md): questionnaires, tests
 * and measures with their range, direction, scoring rule, measurement error (MDC) and important change (MIC),
 * each with population and source. Holds scores only, never the wording of a questionnaire.
 *
 * A reha_scores is immutable after loading: any thread. Everything in it is borrowed and dies with it. */
#ifndef REHA_REHAB_SCORE_H
#define REHA_REHAB_SCORE_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { REHA_THRESHOLDS_MAX = 8, REHA_ITEMS_MAX = 64, REHA_REPEATS_MAX = 8 };

/* A published change: MDC (error of a difference) or MIC (important to patients). */
typedef enum reha_threshold_kind {
    REHA_ABSOLUTE,        /* in the instrument's unit */
    REHA_PERCENT,         /* of the value before */
    REHA_PERCENT_OF_RANGE /* of high - low */
} reha_threshold_kind;
typedef struct reha_threshold {
    double value;                 /* NaN: only a range is published */
    double range_low, range_high; /* NaN without a range */
    reha_threshold_kind kind;
    double confidence;   /* percent: 90, 95; NaN: not stated (always so for a MIC) */
    const char *setting; /* "surgical", "non-surgical", "same-rater", "other-rater", "any" */
    const char *population, *source;
    const char *sure; /* "A", "B", "C", "K" as in docs/formats/scores.md */
    const char *note; /* "" without one */
} reha_threshold;

/* Within-subject SD of one reading of this software's model, measured on the same film looked at again. */
typedef struct reha_repeat {
    const char *task, *version;
    const char *unit; /* "1" (ratio), "mm", ... */
    double sd;
    const char *population, *source;
} reha_repeat;

typedef enum reha_score_rule {
    REHA_RULE_NONE,                  /* a measured value: no items */
    REHA_RULE_SUM,                   /* sum, all items needed */
    REHA_RULE_SUM_PRORATED,          /* sum; missing items take the mean of the others */
    REHA_RULE_SUM_PERCENT,           /* sum over what the answered items could give, in percent */
    REHA_RULE_MEAN,                  /* mean of the answered items */
    REHA_RULE_MEAN_PERCENT,          /* mean as percent of the items' range: (mean - low) / (high - low) */
    REHA_RULE_MEAN_PERCENT_REVERSED, /* 100 minus that */
    REHA_RULE_MEAN_OF_GROUPS,        /* mean over groups of items of their percent */
    REHA_RULE_RATIO_PERCENT          /* first over second, in percent */
} reha_score_rule;

typedef struct reha_instrument {
    const char *key, *title, *family, *body, *unit, *note;
    double low, high;
    int better; /* +1: higher is better, -1: lower, 0: neither */
    reha_score_rule rule;
    size_t item_count;     /* of a full form; 0: a measured value */
    size_t item_count_min; /* fewer items may be on the form (PSFS); else item_count */
    size_t answered_min;
    double item_low;
    double item_high[REHA_ITEMS_MAX];
    size_t groups[4]; /* sizes of the groups, 0-ended */
    const char *rule_source;
    size_t mdc_count, mic_count, repeat_count;
    reha_threshold mdc[REHA_THRESHOLDS_MAX], mic[REHA_THRESHOLDS_MAX];
    reha_repeat repeats[REHA_REPEATS_MAX];
    reha_threshold
        acceptable;        /* a score that patients call acceptable, or recovered; value NaN: none known */
    double acquisition_sd; /* SD of one repeated acquisition, in acquisition_unit; NaN: not known */
    const char *acquisition_unit, *acquisition_source;
    double acquisition_scale;          /* divides it to give a ratio: mean length that ratios refer to; NaN */
    double method_sd, method_sd_ratio; /* of the reading against experts, part of its error_95; NaN */
    bool is_image;                     /* measured by this software on images */
    const char *finding;               /* the key under which `analyse` reports it; "": the same as `key` */
    bool cannot_improve; /* does not get better by nature (joint space, grade): then look for another position
                          */
} reha_instrument;

typedef struct reha_scores reha_scores;

/* REHA_E_FORMAT names the instrument and the member at fault. `document` is kept (a new reference). */
REHA_MUST_USE reha_status reha_scores_parse(json_t *document, reha_scores **out, reha_error *err);
REHA_MUST_USE reha_status reha_scores_load(const char *path, reha_scores **out, reha_error *err);
void reha_scores_free(reha_scores *scores); /* NULL is fine */
size_t reha_scores_count(const reha_scores *scores);
const reha_instrument *reha_scores_at(const reha_scores *scores, size_t index);
const reha_instrument *reha_scores_find(const reha_scores *scores,
                                        const char *key); /* any case; NULL if unknown */
/* The image measure that a finding of `analyse` is; NULL if there is none. */
const reha_instrument *reha_scores_find_measure(const reha_scores *scores, const char *finding_key);

/* True for a word that thresholds may carry: so that a slip is told instead of passed over. */
bool reha_setting_is_known(const char *setting);
/* The threshold for a setting: the first of that setting, else the first of "any", else the first; entries
 * that have only a range are passed over. `setting` NULL: the first. NULL if none has a number. */
const reha_threshold *reha_threshold_choose(const reha_threshold *items, size_t count, const char *setting);

typedef struct reha_score {
    double value; /* NaN if it could not be calculated */
    size_t answered, missing;
} reha_score;

/* From items as answered (NaN: missing), by the published rule. REHA_E_REFUSED: too many are missing;
 * REHA_E_ARG: a wrong number of items, or one outside of its range (the text names it by its number). */
REHA_MUST_USE reha_status reha_score_compute(const reha_instrument *instrument, const double *items,
                                             size_t count, reha_score *out, reha_error *err);
/* A total given directly: REHA_E_ARG outside of the instrument's range. */
REHA_MUST_USE reha_status reha_score_check(const reha_instrument *instrument, double value, reha_error *err);

#endif
