#include "rehab/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static reha_status need_answers(const reha_instrument *instrument, const reha_score *score, reha_error *err)
{
    if (score->answered >= instrument->answered_min) {
        return REHA_OK;
    }
    return reha_fail(err, REHA_E_REFUSED,
                     "%s: %zu of %zu items answered, at least %zu are needed for a score (%s)",
                     instrument->key, score->answered, score->answered + score->missing,
                     instrument->answered_min, instrument->rule_source);
}

static reha_status check_items(const reha_instrument *instrument, const double *items, size_t count,
                               reha_score *out, reha_error *err)
{
    if (instrument->rule == REHA_RULE_NONE) {
        return reha_fail(err, REHA_E_ARG, "%s is a measured value, not a sum of items: give its value in %s",
                         instrument->key, instrument->unit);
    }
    if (count < instrument->item_count_min || count > instrument->item_count) {
        return reha_fail(err, REHA_E_ARG, "%s has %zu items, %zu were given (write a missing one as '-')",
                         instrument->key, instrument->item_count, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (isnan(items[i])) {
            out->missing++;
        } else if (!(items[i] >= instrument->item_low && items[i] <= instrument->item_high[i])) {
            return reha_fail(err, REHA_E_ARG, "%s, item %zu: %g is outside of %g to %g", instrument->key,
                             i + 1, items[i], instrument->item_low, instrument->item_high[i]);
        } else {
            out->answered++;
        }
    }
    return need_answers(instrument, out, err);
}

typedef struct totals { /* over the answered items */
    double sum, possible, mean;
    size_t answered;
} totals;

static totals total_of(const reha_instrument *instrument, const double *items, size_t first, size_t count)
{
    totals total = {0};
    for (size_t i = first; i < first + count; i++) {
        if (!isnan(items[i])) {
            total.sum += items[i];
            total.possible += instrument->item_high[i];
            total.answered++;
        }
    }
    total.mean = total.answered > 0 ? total.sum / (double)total.answered : (double)NAN;
    return total;
}

/* NaN if a whole group is missing. */
static double mean_of_groups(const reha_instrument *instrument, const double *items)
{
    double sum = 0.0;
    size_t first = 0;
    size_t groups = 0;
    for (; groups < 4 && instrument->groups[groups] > 0; groups++) {
        const totals total = total_of(instrument, items, first, instrument->groups[groups]);
        sum += 100.0 * total.sum / total.possible;
        first += instrument->groups[groups];
    }
    return sum / (double)groups;
}

static double ratio(const double *items)
{
    return items[1] > 0.0 ? 100.0 * items[0] / items[1] : (double)NAN;
}

reha_status reha_score_compute(const reha_instrument *instrument, const double *items, size_t count,
                               reha_score *out, reha_error *err)
{
    *out = (reha_score){.value = (double)NAN};
    REHA_TRY(check_items(instrument, items, count, out, err));
    const totals total = total_of(instrument, items, 0, count);
    const double span = instrument->item_high[0] - instrument->item_low;
    double value = (double)NAN;
    switch (instrument->rule) {
    case REHA_RULE_NONE:
        break;
    case REHA_RULE_SUM:
        value = total.sum;
        break;
    case REHA_RULE_SUM_PRORATED:
        value = total.sum + total.mean * (double)out->missing;
        break;
    case REHA_RULE_SUM_PERCENT:
        value = 100.0 * total.sum / total.possible;
        break;
    case REHA_RULE_MEAN:
        value = total.mean;
        break;
    case REHA_RULE_MEAN_PERCENT:
        value = 100.0 * (total.mean - instrument->item_low) / span;
        break;
    case REHA_RULE_MEAN_PERCENT_REVERSED:
        value = 100.0 - 100.0 * (total.mean - instrument->item_low) / span;
        break;
    case REHA_RULE_MEAN_OF_GROUPS:
        value = mean_of_groups(instrument, items);
        break;
    case REHA_RULE_RATIO_PERCENT:
        value = ratio(items);
        break;
    }
    if (!isfinite(value)) {
        return reha_fail(
            err, REHA_E_REFUSED, "%s cannot be calculated from these items (%s)", instrument->key,
            instrument->rule == REHA_RULE_RATIO_PERCENT ? "the other side is 0" : "a whole part is missing");
    }
    REHA_TRY(reha_score_check(instrument, value, err));
    out->value = value;
    return REHA_OK;
}

reha_status reha_score_check(const reha_instrument *instrument, double value, reha_error *err)
{
    if (value >= instrument->low && value <= instrument->high) {
        return REHA_OK;
    }
    return reha_fail(err, REHA_E_ARG, "%s: %g is outside of its range %g to %g %s", instrument->key, value,
                     instrument->low, instrument->high, instrument->unit);
}

bool reha_setting_is_known(const char *setting)
{
    static const char *const settings[] = {"any", "surgical", "non-surgical", "same-rater", "other-rater"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(settings[i], setting) == 0) {
            return true;
        }
    }
    return false;
}

const reha_threshold *reha_threshold_choose(const reha_threshold *items, size_t count, const char *setting)
{
    const reha_threshold *first = NULL;
    const reha_threshold *any = NULL;
    for (size_t i = 0; i < count; i++) {
        if (isnan(items[i].value)) {
            continue;
        }
        if (setting != NULL && strcmp(items[i].setting, setting) == 0) {
            return &items[i];
        }
        first = first == NULL ? &items[i] : first;
        any = any == NULL && strcmp(items[i].setting, "any") == 0 ? &items[i] : any;
    }
    return setting != NULL && any != NULL ? any : first;
}
