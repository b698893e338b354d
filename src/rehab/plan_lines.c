#include "rehab/plan_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Doses ---- */

static long number_of(const json_t *level, const char *key)
{
    return (long)json_integer_value(json_object_get(level, key));
}

/* The value stands for "#". */
static void add_text(char *out, size_t out_bytes, const char *format, long value)
{
    const size_t used = strlen(out);
    (void)snprintf(out + used, out_bytes - used, "%s", used > 0 ? ", " : "");
    const size_t next = strlen(out);
    const char *mark = strchr(format, '#');
    if (mark == NULL) {
        (void)snprintf(out + next, out_bytes - next, "%s", format);
    } else {
        (void)snprintf(out + next, out_bytes - next, "%.*s%ld%s", (int)(mark - format), format, value,
                       mark + 1);
    }
}

/* "3 sets, 10 repetitions, 3 days a week, effort 6 of 10" */
void reha_plan_dose_text_(const json_t *level, char *out, size_t out_bytes)
{
    static const struct {
        const char *key, *many, *one;
    } parts[] = {{"sets", "# x", "# x"},
                 {"repetitions", "# repetitions", "# repetition"},
                 {"hold_s", "hold # s", "hold # s"},
                 {"minutes", "# minutes", "# minute"},
                 {"times_per_day", "# times a day", "once a day"},
                 {"days_per_week", "# days a week", "# day a week"},
                 {"effort_0_10", "effort # of 10", "effort # of 10"},
                 {"percent_1rm", "# % of the one-repetition maximum", "# % of the one-repetition maximum"}};
    out[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (json_object_get(level, parts[i].key) != NULL) {
            const long value = number_of(level, parts[i].key);
            add_text(out, out_bytes, value == 1 ? parts[i].one : parts[i].many, value);
        }
    }
}

static json_t *dose_json(plan_maker *m, const reha_dose *dose, int level)
{
    char text[200];
    const int count = (int)json_array_size(dose->levels);
    const int used = level < count ? level : count - 1;
    json_t *to = json_copy(json_array_get(dose->levels, (size_t)used));
    m->failed = m->failed || to == NULL;
    reha_plan_dose_text_(to, text, sizeof text);
    reha_plan_put_(m, to, "text", json_string(text));
    reha_plan_put_(m, to, "name", json_string(dose->id));
    reha_plan_put_(m, to, "type", json_string(dose->type));
    reha_plan_put_(m, to, "intensity", json_string(dose->intensity));
    reha_plan_put_(m, to, "level", json_integer(used));
    reha_plan_put_(m, to, "levels", json_integer(count));
    reha_plan_put_(m, to, "progression", json_string(dose->progression));
    reha_plan_put_(m, to, "regression", json_string(dose->regression));
    reha_plan_put_(m, to, "strength", reha_plan_text_(dose->basis.strength));
    reha_plan_put_(m, to, "source", reha_plan_basis_(m, &dose->basis));
    return to;
}

json_t *reha_plan_exercise_line_(plan_maker *m, const reha_rule *rule, int level)
{
    char digest[9];
    json_t *line = reha_plan_line_(m, rule);
    reha_plan_put_(m, line, "exercise", json_string(rule->exercise->id));
    reha_plan_put_(m, line, "title", json_string(rule->exercise->title));
    reha_plan_put_(m, line, "figure", json_string(rule->exercise->figure));
    reha_plan_put_(m, line, "dose", dose_json(m, rule->dose, level));
    reha_plan_put_(m, line, "state", json_string("active"));
    reha_plan_digest_(line, digest);
    reha_plan_put_(m, line, "check", json_string(digest));
    return line;
}

json_t *reha_plan_advice_line_(plan_maker *m, const reha_rule *rule)
{
    char digest[9];
    json_t *line = reha_plan_line_(m, rule);
    reha_plan_put_(m, line, "action", json_string(rule->action));
    reha_plan_put_(m, line, "state", json_string("active"));
    reha_plan_digest_(line, digest);
    reha_plan_put_(m, line, "check", json_string(digest));
    return line;
}

/* ---- Red flags and questions ---- */

/* Whether the condition asks for this flag: one whose rule says no as long as nothing is known counts where
 * it is present, and takes no room where it is not. */
static bool is_asked_for(const reha_rule *rule)
{
    reha_facts nothing = {0};
    for (size_t i = 0; i < REHA_FACTS_MAX; i++) {
        nothing.values[i] = (double)NAN;
    }
    return reha_condition_judge(&rule->when, &nothing) != REHA_FALSE;
}

json_t *reha_plan_red_flags_(plan_maker *m)
{
    static const char *const states[] = {"absent", "not-asked", "present"};
    json_t *list = reha_plan_array_(m);
    for (int wanted = REHA_TRUE; wanted >= REHA_FALSE; wanted--) { /* present ones first */
        for (size_t i = 0; i < m->g->rule_count; i++) {
            const reha_rule *rule = &m->g->rules[i];
            if (rule->kind == REHA_RULE_RED_FLAG && m->concerns[i] && (int)m->truths[i] == wanted &&
                (wanted != REHA_FALSE || is_asked_for(rule))) {
                json_t *line = reha_plan_line_(m, rule);
                reha_plan_put_(m, line, "state", json_string(states[wanted]));
                if (wanted != REHA_TRUE) {
                    reha_plan_put_(m, line, "because", reha_plan_array_(m));
                }
                reha_plan_append_(m, list, line);
            }
        }
    }
    return list;
}

typedef struct questions {
    unsigned char wanted[REHA_FACTS_MAX]; /* 1: useful, 2: needed for safety */
    const char *rule[REHA_FACTS_MAX];     /* the first that hangs on it */
} questions;

static void want(questions *q, const unsigned char *set, unsigned char weight, const char *rule)
{
    for (size_t i = 0; i < REHA_FACTS_MAX; i++) {
        if (set[i] != 0 && q->wanted[i] < weight) {
            q->wanted[i] = weight;
            q->rule[i] = rule;
        }
    }
}

static bool is_asked_now(const plan_maker *m, const reha_rule *rule)
{
    if (rule->kind == REHA_RULE_SHIFT) {
        return rule->at_start == (m->phase_before < 0);
    }
    return rule->kind != REHA_RULE_REFUSE && reha_plan_in_phase_(rule, m->phase);
}

/* Whether a block that waits for its facts withholds anything in this phase: only then safety hangs on it. */
static bool holds_something(const plan_maker *m, const reha_rule *block)
{
    for (size_t i = 0; block->hold_if_unknown && i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        if (m->concerns[i] && m->truths[i] == REHA_TRUE && reha_plan_in_phase_(rule, m->phase) &&
            block->priority > rule->priority && reha_rule_forbids(block, rule)) {
            return true;
        }
    }
    return false;
}

static void collect_questions(plan_maker *m, questions *q)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        unsigned char set[REHA_FACTS_MAX] = {0};
        if (!m->concerns[i] || !is_asked_now(m, rule)) {
            continue;
        }
        const bool needs_measure = rule->kind == REHA_RULE_GOAL || rule->kind == REHA_RULE_ASK;
        if (m->truths[i] == REHA_UNKNOWN) {
            const bool is_safety = rule->kind == REHA_RULE_RED_FLAG || holds_something(m, rule);
            reha_condition_missing(&rule->when, &m->facts, set);
            want(q, set, is_safety ? 2 : 1, rule->id);
        } else if (m->truths[i] == REHA_TRUE && needs_measure) {
            const double value = m->facts.values[rule->fact];
            set[rule->fact] = isnan(value) ? 1 : 0;
            want(q, set, 1, rule->id);
        }
    }
    const reha_guide_phase *phase = &m->programme->phases[m->phase];
    if (phase->has_advance && reha_condition_judge(&phase->advance, &m->facts) == REHA_UNKNOWN) {
        unsigned char set[REHA_FACTS_MAX] = {0};
        reha_condition_missing(&phase->advance, &m->facts, set);
        want(q, set, 1, "end of the phase");
    }
    want(q, m->unmeasured, 1, "phase by time");
}

json_t *reha_plan_questions_(plan_maker *m, bool *asks_safety)
{
    questions q = {{0}, {0}};
    json_t *list = reha_plan_array_(m);
    collect_questions(m, &q);
    *asks_safety = false;
    for (unsigned char weight = 2; weight >= 1; weight--) {
        for (size_t i = 0; i < m->g->facts.count; i++) {
            const reha_fact *fact = &m->g->facts.items[i];
            if (q.wanted[i] != weight) {
                continue;
            }
            json_t *one = reha_plan_object_(m);
            reha_plan_put_(m, one, "fact", json_string(fact->name));
            reha_plan_put_(m, one, "text", json_string(fact->label));
            reha_plan_put_(m, one, "section", reha_plan_text_(fact->section));
            reha_plan_put_(m, one, "safety", json_boolean(weight == 2));
            reha_plan_put_(m, one, "for", json_string(q.rule[i]));
            reha_plan_append_(m, list, one);
            *asks_safety = *asks_safety || weight == 2;
        }
    }
    return list;
}

/* An "avoid" that a recommendation of higher priority overrules for this patient would contradict the plan.
 */
static bool is_overruled(const plan_maker *m, const reha_rule *avoid)
{
    for (size_t i = 0; avoid->kind == REHA_RULE_AVOID && i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        if (m->concerns[i] && m->truths[i] == REHA_TRUE && reha_plan_in_phase_(rule, m->phase) &&
            rule->priority > avoid->priority && reha_rule_forbids(avoid, rule)) {
            return true;
        }
    }
    return false;
}

/* ---- Lists of one kind ---- */

json_t *reha_plan_of_kind_(plan_maker *m, reha_rule_kind kind)
{
    json_t *list = reha_plan_array_(m);
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        const bool is_held = m->truths[i] == REHA_UNKNOWN && m->concerns[i] && holds_something(m, rule);
        if (rule->kind == kind && m->concerns[i] && (m->truths[i] == REHA_TRUE || is_held) &&
            reha_plan_in_phase_(rule, m->phase) && !is_overruled(m, rule)) {
            json_t *line = reha_plan_line_(m, rule);
            if (is_held) {
                reha_plan_put_(m, line, "held_until_known", json_true());
            }
            reha_plan_append_(m, list, line);
        }
    }
    return list;
}

json_t *reha_plan_imaging_(plan_maker *m)
{
    static const char *const needs[] = {"not-needed", "consider", "needed"};
    const reha_rule *best = NULL;
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        if (rule->kind == REHA_RULE_IMAGING && m->concerns[i] && m->truths[i] == REHA_TRUE &&
            reha_plan_in_phase_(rule, m->phase) &&
            (best == NULL || rule->priority > best->priority ||
             (rule->priority == best->priority && rule->need > best->need))) {
            best = rule;
        }
    }
    if (best == NULL) {
        return json_null();
    }
    json_t *line = reha_plan_line_(m, best);
    reha_plan_put_(m, line, "need", json_string(needs[best->need]));
    return line;
}

json_t *reha_plan_reassess_(plan_maker *m)
{
    char date[16];
    const reha_rule *best = NULL;
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        if (rule->kind == REHA_RULE_REASSESS && m->concerns[i] && m->truths[i] == REHA_TRUE &&
            reha_plan_in_phase_(rule, m->phase) && (best == NULL || rule->weeks < best->weeks)) {
            best = rule;
        }
    }
    if (best == NULL) {
        return json_null();
    }
    json_t *line = reha_plan_line_(m, best);
    const int weeks = m->is_stopped ? 0 : best->weeks;
    (void)reha_date_after(m->in->date, 7 * weeks, date, sizeof date);
    reha_plan_put_(m, line, "weeks", json_integer(weeks));
    reha_plan_put_(m, line, "date", json_string(date));
    return line;
}

static const reha_rule *red_flag_present(const plan_maker *m)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        if (m->g->rules[i].kind == REHA_RULE_RED_FLAG && m->concerns[i] && m->truths[i] == REHA_TRUE) {
            return &m->g->rules[i];
        }
    }
    return NULL;
}

/* What would be recommended in this phase, and which rule holds it back. */
json_t *reha_plan_withheld_(plan_maker *m)
{
    json_t *list = reha_plan_array_(m);
    const reha_rule *flag = red_flag_present(m);
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        const bool is_wanted = rule->kind == REHA_RULE_EXERCISE || rule->kind == REHA_RULE_ADVICE;
        if (!is_wanted || !m->concerns[i] || m->truths[i] != REHA_TRUE ||
            !reha_plan_in_phase_(rule, m->phase)) {
            continue;
        }
        const reha_rule *by = flag != NULL ? flag : reha_plan_withheld_by_(m, rule, m->phase);
        if (by != NULL) {
            json_t *one = reha_plan_object_(m);
            reha_plan_put_(m, one, "rule", json_string(rule->id));
            reha_plan_put_(m, one, "text", json_string(rule->text));
            reha_plan_put_(m, one, "by", json_string(by->id));
            reha_plan_put_(m, one, "why", json_string(by->text));
            reha_plan_put_(m, one, "because", reha_plan_because_(m, &by->when));
            reha_plan_append_(m, list, one);
        }
    }
    return list;
}

/* ---- Which rules spoke ---- */

static bool fires(const plan_maker *m, size_t index)
{
    const reha_rule *rule = &m->g->rules[index];
    if (!m->concerns[index] || m->truths[index] != REHA_TRUE || !reha_plan_in_phase_(rule, m->phase)) {
        return false;
    }
    if (rule->kind == REHA_RULE_SHIFT) {
        return rule->at_start == (m->phase_before < 0);
    }
    const bool is_wanted = rule->kind == REHA_RULE_EXERCISE || rule->kind == REHA_RULE_ADVICE;
    return (!is_wanted && !is_overruled(m, rule)) ||
           (is_wanted && !m->is_stopped && reha_plan_withheld_by_(m, rule, m->phase) == NULL);
}

json_t *reha_plan_rules_(plan_maker *m)
{
    json_t *to = reha_plan_object_(m);
    json_t *fired = reha_plan_array_(m);
    json_t *unknown = reha_plan_array_(m);
    for (size_t i = 0; i < m->g->rule_count; i++) {
        if (fires(m, i)) {
            reha_plan_append_(m, fired, json_string(m->g->rules[i].id));
        } else if (m->concerns[i] && m->truths[i] == REHA_UNKNOWN && is_asked_now(m, &m->g->rules[i])) {
            reha_plan_append_(m, unknown, json_string(m->g->rules[i].id));
        }
    }
    reha_plan_put_(m, to, "fired", fired);
    reha_plan_put_(m, to, "unknown", unknown);
    return to;
}

json_t *reha_plan_why_(plan_maker *m)
{
    static const char *const words[] = {"no", "not known", "yes"};
    json_t *list = reha_plan_array_(m);
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        char text[240];
        if (!m->concerns[i]) {
            continue;
        }
        json_t *one = reha_plan_object_(m);
        reha_condition_describe(&rule->when, &m->g->facts, text, sizeof text);
        reha_plan_put_(m, one, "rule", json_string(rule->id));
        reha_plan_put_(m, one, "kind", json_string(reha_rule_kind_name(rule->kind)));
        reha_plan_put_(m, one, "criteria", reha_json_text(text));
        reha_plan_put_(m, one, "met", json_string(words[m->truths[i]]));
        reha_plan_put_(m, one, "in_phase", json_boolean(reha_plan_in_phase_(rule, m->phase)));
        reha_plan_put_(m, one, "fired", json_boolean(fires(m, i)));
        reha_plan_put_(m, one, "stands_in", json_sprintf("%s line %d", rule->file, rule->line));
        reha_plan_append_(m, list, one);
    }
    return list;
}
