#include "rehab/rule.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 12 };

/* ---- Parsing ---- */

static reha_status parse_at(const reha_place *place, const json_t *json, const reha_fact_list *list,
                            int depth, reha_condition *out, reha_error *err);

static reha_status parse_list(const reha_place *place, const json_t *json, const reha_fact_list *list,
                              int depth, reha_condition *out, reha_error *err)
{
    if (!json_is_array(json) || json_array_size(json) == 0) {
        return reha_place_fail(place, err, "must be a list of conditions");
    }
    out->items = reha_alloc_zero(json_array_size(json), sizeof *out->items);
    if (out->items == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a condition");
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        const reha_place at = reha_place_item(place, i);
        out->count++; /* before it is parsed: what a failure leaves behind is cleared too */
        REHA_TRY(parse_at(&at, json_array_get(json, i), list, depth, &out->items[i], err));
    }
    return REHA_OK;
}

static reha_status parse_not(const reha_place *place, const json_t *json, const reha_fact_list *list,
                             int depth, reha_condition *out, reha_error *err)
{
    out->items = reha_alloc_zero(1, sizeof *out->items);
    if (out->items == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a condition");
    }
    out->count = 1;
    return parse_at(place, json, list, depth, &out->items[0], err);
}

static reha_status parse_set(const reha_place *place, const json_t *json, const reha_fact *fact,
                             reha_condition *out, reha_error *err)
{
    double value = 0.0;
    out->kind = REHA_WHEN_IN;
    if (fact->type == REHA_FACT_NUMBER) {
        return reha_place_fail(place, err, "'%s' is a number: use at_least, at_most, above or below",
                               fact->name);
    }
    if (!json_is_array(json)) {
        REHA_TRY(reha_fact_parse(fact, json, place, &value, err));
        out->mask = 1u << (unsigned)value;
        return REHA_OK;
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        const reha_place at = reha_place_item(place, i);
        REHA_TRY(reha_fact_parse(fact, json_array_get(json, i), &at, &value, err));
        out->mask |= 1u << (unsigned)value;
    }
    return REHA_OK;
}

static reha_status parse_comparison(const reha_place *place, const char *op, const json_t *json,
                                    const reha_fact *fact, reha_condition *out, reha_error *err)
{
    static const char *const names[] = {"at_least", "at_most", "above", "below"};
    if (strcmp(op, "is") == 0 || strcmp(op, "in") == 0) {
        return parse_set(place, json, fact, out, err);
    }
    if (strcmp(op, "known") == 0) {
        out->kind = REHA_WHEN_KNOWN;
        out->mask = json_is_true(json) ? 1u : 0u;
        return json_is_boolean(json) ? REHA_OK : reha_place_fail(place, err, "must be true or false");
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(op, names[i]) == 0) {
            out->kind = (reha_condition_kind)(REHA_WHEN_AT_LEAST + (int)i);
            if (fact->type != REHA_FACT_NUMBER) {
                return reha_place_fail(place, err, "'%s' is no number: use 'is' or 'in'", fact->name);
            }
            return reha_fact_parse(fact, json, place, &out->value, err);
        }
    }
    return reha_place_fail(place, err, "is none of is, in, known, at_least, at_most, above, below");
}

static reha_status parse_fact(const reha_place *place, const json_t *json, const reha_fact_list *list,
                              reha_condition *out, reha_error *err)
{
    const char *key = NULL;
    const char *name = NULL;
    json_t *value = NULL;
    REHA_TRY(reha_place_string(place, json, "fact", &name, err));
    out->fact = reha_fact_find(list, name);
    if (out->fact < 0) {
        const reha_place at = reha_place_key(place, "fact");
        const char *near = reha_fact_near(list, name);
        return reha_place_fail(&at, err, "no such fact: '%.40s'%s%s", name,
                               near != NULL ? "; did you mean " : "", near != NULL ? near : "");
    }
    if (json_object_size(json) != 2) {
        return reha_place_fail(place, err, "a comparison is 'fact' and one of is, in, known, at_least, ...");
    }
    json_object_foreach((json_t *)json, key, value)
    {
        if (strcmp(key, "fact") != 0) {
            const reha_place at = reha_place_key(place, key);
            return parse_comparison(&at, key, value, &list->items[out->fact], out, err);
        }
    }
    return REHA_OK;
}

static reha_status parse_at(const reha_place *place, const json_t *json, const reha_fact_list *list,
                            int depth, reha_condition *out, reha_error *err)
{
    static const char *const words[] = {"all", "any", "not"};
    out->fact = -1;
    if (!json_is_object(json) || depth >= DEPTH_MAX) {
        return reha_place_fail(place, err, "must be a condition, nested at most %d deep", DEPTH_MAX);
    }
    if (json_object_get(json, "fact") != NULL) {
        return parse_fact(place, json, list, out, err);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const json_t *inner = json_object_get(json, words[i]);
        if (inner != NULL && json_object_size(json) == 1) {
            const reha_place at = reha_place_key(place, words[i]);
            out->kind = (reha_condition_kind)(REHA_WHEN_ALL + (int)i);
            return out->kind == REHA_WHEN_NOT ? parse_not(&at, inner, list, depth + 1, out, err)
                                              : parse_list(&at, inner, list, depth + 1, out, err);
        }
    }
    return reha_place_fail(place, err, "must be one of {all: [...]}, {any: [...]}, {not: ...}, {fact: ...}");
}

reha_status reha_condition_parse(const reha_place *place, const json_t *json, const reha_fact_list *list,
                                 reha_condition *out, reha_error *err)
{
    *out = (reha_condition){.kind = REHA_WHEN_ALWAYS, .fact = -1};
    if (json == NULL) {
        return REHA_OK;
    }
    const reha_status status = parse_at(place, json, list, 0, out, err);
    if (status != REHA_OK) {
        reha_condition_clear(out);
    }
    return status;
}

void reha_condition_clear(reha_condition *condition)
{
    for (size_t i = 0; condition->items != NULL && i < condition->count; i++) {
        reha_condition_clear(&condition->items[i]);
    }
    reha_free(condition->items);
    *condition = (reha_condition){.kind = REHA_WHEN_ALWAYS, .fact = -1};
}

/* ---- Judging ---- */

static reha_truth truth_of(bool is_true)
{
    return is_true ? REHA_TRUE : REHA_FALSE;
}

static reha_truth judge_list(const reha_condition *condition, const reha_facts *facts)
{
    const bool is_all = condition->kind == REHA_WHEN_ALL;
    reha_truth result = is_all ? REHA_TRUE : REHA_FALSE;
    for (size_t i = 0; i < condition->count; i++) {
        const reha_truth one = reha_condition_judge(&condition->items[i], facts);
        result = is_all ? (one < result ? one : result) : (one > result ? one : result);
    }
    return result;
}

reha_truth reha_condition_judge(const reha_condition *condition, const reha_facts *facts)
{
    const double value = condition->fact >= 0 ? facts->values[condition->fact] : 0.0;
    switch (condition->kind) {
    case REHA_WHEN_ALWAYS:
        return REHA_TRUE;
    case REHA_WHEN_ALL:
    case REHA_WHEN_ANY:
        return judge_list(condition, facts);
    case REHA_WHEN_NOT:
        return (reha_truth)(REHA_TRUE - reha_condition_judge(&condition->items[0], facts));
    case REHA_WHEN_KNOWN:
        return truth_of((condition->mask != 0) == !isnan(value));
    default:
        break;
    }
    if (isnan(value)) {
        return REHA_UNKNOWN;
    }
    switch (condition->kind) {
    case REHA_WHEN_AT_LEAST:
        return truth_of(value >= condition->value);
    case REHA_WHEN_AT_MOST:
        return truth_of(value <= condition->value);
    case REHA_WHEN_ABOVE:
        return truth_of(value > condition->value);
    case REHA_WHEN_BELOW:
        return truth_of(value < condition->value);
    default:
        return truth_of((condition->mask >> (unsigned)value & 1u) != 0);
    }
}

/* The facts below `condition` whose comparison is judged as `wanted`, along the way that decides. */
static void collect(const reha_condition *condition, const reha_facts *facts, reha_truth wanted,
                    unsigned char *set)
{
    if (reha_condition_judge(condition, facts) != wanted) {
        return;
    }
    if (condition->kind == REHA_WHEN_NOT) {
        collect(&condition->items[0], facts, (reha_truth)(REHA_TRUE - wanted), set);
    } else if (condition->count > 0) {
        for (size_t i = 0; i < condition->count; i++) {
            collect(&condition->items[i], facts, wanted, set);
        }
    } else if (condition->fact >= 0) {
        set[condition->fact] = 1;
    }
}

void reha_condition_because(const reha_condition *condition, const reha_facts *facts, unsigned char *set)
{
    collect(condition, facts, REHA_TRUE, set);
}

void reha_condition_missing(const reha_condition *condition, const reha_facts *facts, unsigned char *set)
{
    collect(condition, facts, REHA_UNKNOWN, set);
}

void reha_condition_facts(const reha_condition *condition, unsigned char *set)
{
    if (condition->fact >= 0) {
        set[condition->fact] = 1;
    }
    for (size_t i = 0; i < condition->count; i++) {
        reha_condition_facts(&condition->items[i], set);
    }
}

/* ---- In words ---- */

static void describe_set(const reha_condition *condition, const reha_fact *fact, char *out, size_t out_bytes)
{
    if (fact->type == REHA_FACT_BOOL) {
        (void)snprintf(out, out_bytes, "%s%s", (condition->mask & 1u) != 0 ? "not: " : "", fact->label);
        return;
    }
    int used = snprintf(out, out_bytes, "%s: ", fact->label);
    const char *join = "";
    for (int i = 0; i < fact->choice_count && used > 0 && (size_t)used < out_bytes; i++) {
        if ((condition->mask >> (unsigned)i & 1u) != 0) {
            used += snprintf(out + used, out_bytes - (size_t)used, "%s%s", join, fact->choices[i]);
            join = " or ";
        }
    }
}

void reha_condition_describe(const reha_condition *condition, const reha_fact_list *list, char *out,
                             size_t out_bytes)
{
    static const char *const ops[] = {"at least", "at most", "above", "below"};
    out[0] = '\0';
    if (condition->kind == REHA_WHEN_ALWAYS) {
        (void)snprintf(out, out_bytes, "always");
    } else if (condition->kind == REHA_WHEN_IN) {
        describe_set(condition, &list->items[condition->fact], out, out_bytes);
    } else if (condition->kind == REHA_WHEN_KNOWN) {
        (void)snprintf(out, out_bytes, "%s is%s known", list->items[condition->fact].label,
                       condition->mask != 0 ? "" : " not");
    } else if (condition->count == 0) {
        const reha_fact *fact = &list->items[condition->fact];
        (void)snprintf(out, out_bytes, "%s %s %g%s%s", fact->label, ops[condition->kind - REHA_WHEN_AT_LEAST],
                       condition->value, fact->unit[0] != '\0' ? " " : "", fact->unit);
    } else {
        const char *join = condition->kind == REHA_WHEN_ALL ? " and " : " or ";
        size_t used = 0;
        if (condition->kind == REHA_WHEN_NOT) {
            used = (size_t)snprintf(out, out_bytes, "not ");
        }
        for (size_t i = 0; i < condition->count && used + 1 < out_bytes; i++) {
            const bool is_nested = condition->items[i].count > 1;
            (void)snprintf(out + used, out_bytes - used, "%s%s", i > 0 ? join : "", is_nested ? "(" : "");
            used = strlen(out);
            reha_condition_describe(&condition->items[i], list, out + used, out_bytes - used);
            used = strlen(out);
            (void)snprintf(out + used, out_bytes - used, "%s", is_nested ? ")" : "");
            used = strlen(out);
        }
    }
}
