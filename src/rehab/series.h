/* More than two visits: trend, level shift, and when the smallest detectable change against the first visit
 * was reached. Robust methods, since a clinic's series is short and holds slips. Pure but for memory; any
 * thread. */
#ifndef REHA_REHAB_SERIES_H
#define REHA_REHAB_SERIES_H

#include "rehab/change.h"

enum {
    REHA_SERIES_MAX = 400,
    REHA_SLOPE_VISITS_MIN = 3,
    REHA_INTERVAL_VISITS_MIN = 5,
    REHA_SHIFT_VISITS_MIN = 8
};

typedef struct reha_series_point {
    double day;   /* days since any common origin, ascending */
    double value; /* finite */
    double sd;    /* of this reading, NaN: not known (then the spec's MDC counts) */
} reha_series_point;

typedef struct reha_series {
    reha_change latest;   /* last visit against the first */
    reha_change previous; /* last against the one before: "since last time" */
    /* Theil-Sen slope: median of the slopes of all pairs; 95 % interval by Sen (1968) from Kendall's S. NaN
     * below the least number of visits, or with all visits on one day. */
    double slope_per_day, slope_low, slope_high;
    double intercept; /* of the line at day 0 of the points: median of value - slope * day */
    /* Best split into two levels, at least two visits each, with the share of orders of the visits that split
     * as well (all 40,320 of 8 visits, else 4,999 at random, same seed). Below 8 visits no order can be rare
     * enough. A steady trend looks like a shift, too. */
    size_t shift_at; /* index of the first visit after the shift; 0: not looked for */
    double shift, shift_p;
    /* First visit beyond the SDC against the first one, and whether the next visit agrees. */
    size_t reached_at; /* index; 0: never */
    bool is_confirmed;
    bool is_back; /* reached and confirmed, but the latest is no longer beyond */
} reha_series;

/* 1 .. REHA_SERIES_MAX points. REHA_E_ARG: none, too many, not ascending, or not finite; REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_series_judge(const reha_series_point *points, size_t count,
                                            const reha_change_spec *spec, reha_series *out, reha_error *err);

#endif
