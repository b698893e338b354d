/* Did it really change, and does it matter? Two readings of one measure, judged against the smallest
 * detectable change (SDC, 95 %) and, apart from that, against what patients call important (MIC).
 *
 * SDC of a difference: the own errors of both readings and the error that the acquisition adds are
 * independent, so they add in quadrature: 1.96 * sqrt(sd_before^2 + sd_after^2 + 2 * acquisition_sd^2). A
 * published MDC is of the whole measurement; where both exist the larger one counts. Pure functions; any
 * thread. */
#ifndef REHA_REHAB_CHANGE_H
#define REHA_REHAB_CHANGE_H

#include "base/json.h"
#include "rehab/score.h"

typedef enum reha_verdict {
    REHA_CANNOT_TELL, /* a value or every error is unknown, or the two are not comparable */
    REHA_NO_CHANGE,   /* within the measurement error: also for a change that looks large */
    REHA_IMPROVED,
    REHA_WORSENED,
    REHA_DIFFERENT /* a real change of a measure that has no better side */
} reha_verdict;
typedef enum reha_importance { REHA_IMPORTANCE_UNKNOWN, REHA_NOT_IMPORTANT, REHA_IMPORTANT } reha_importance;

typedef struct reha_reading {
    double value; /* NaN: not measured */
    double sd;    /* of this reading, repeated on the same patient; NaN: not known */
} reha_reading;

typedef struct reha_change_spec {
    int better;                /* as reha_instrument */
    double low, high;          /* of the scale; NaN: no end */
    double acquisition_sd;     /* of each visit, in the unit of the readings; NaN: none known */
    const reha_threshold *mdc; /* may be NULL */
    const reha_threshold *mic; /* may be NULL */
} reha_change_spec;

typedef struct reha_change {
    double before, after;
    double difference; /* after - before */
    double sdc;        /* half width of the 95 % interval of the difference; NaN: not known */
    double sdc_reading, sdc_acquisition, sdc_published; /* its parts; NaN where there is none */
    reha_verdict verdict;
    double mic; /* in the unit of the readings; NaN: not known */
    reha_importance importance;
    bool is_mic_below_sdc; /* a change that matters can hide in the error of one patient */
    bool has_no_room;      /* the scale leaves less room than SDC (or MIC) in the better direction */
} reha_change;

/* Two-sided z of a confidence in percent: 95 -> 1.95996; [50, 100). */
double reha_z_of_confidence(double confidence_percent);
/* A threshold in the unit of the readings: absolute, or a share of `before` or of the range. NaN: not a
 * number. */
double reha_threshold_value(const reha_threshold *threshold, double before, double low, double high);
/* An MDC as 95 %: times 1.96 / z. One that does not state its level is taken for 90 %, the more cautious
 * reading. */
double reha_mdc_95(const reha_threshold *mdc, double before, double low, double high);

reha_change reha_change_judge(reha_reading before, reha_reading after, const reha_change_spec *spec);
/* The spec of an instrument for a setting (reha_threshold_choose). */
reha_change_spec reha_change_spec_of(const reha_instrument *instrument, const char *setting);

/* "real improvement", "no change beyond measurement error", "real worsening", "cannot be told", "real
 * change". */
const char *reha_verdict_text(reha_verdict verdict);
/* "improved", "no-change", "worsened", "cannot-tell", "different": for JSON. */
const char *reha_verdict_code(reha_verdict verdict);
/* One sentence on importance and room; empty if there is nothing to say. */
void reha_change_remark(const reha_change *change, char *out, size_t out_bytes);
/* {"before","after","difference","sdc_95","sdc_parts":{...},"verdict","mic","matters",...}; new reference,
 * NULL if memory is out. */
json_t *reha_change_to_json(const reha_change *change);

#endif
