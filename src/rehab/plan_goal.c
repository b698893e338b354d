#include "rehab/plan_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double OWN_GOAL_CHANGE = 2.0; /* of 10; see the rule general.goal.own */
static const double PSFS_MAX = 10.0;
/* Of one unit: 10.2 - 1.4 is 8.8 then, in the file as in the line's digest. */
static const double TARGET_STEPS = 1000.0;

static const json_t *find_line(const json_t *lines, const char *id)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        if (strcmp(reha_json_string(json_array_get(lines, i), "line", ""), id) == 0) {
            return json_array_get(lines, i);
        }
    }
    return NULL;
}

static const json_t *goal_of(const plan_maker *m, int phase, const char *id)
{
    const json_t *phases = json_object_get(m->previous, "phases");
    for (size_t i = 0; phase >= 0 && i < json_array_size(phases); i++) {
        const json_t *one = json_array_get(phases, i);
        if (strcmp(reha_json_string(one, "id", ""), m->programme->phases[phase].id) == 0) {
            return find_line(json_object_get(one, "goals"), id);
        }
    }
    return NULL;
}

static bool is_reached(double now, double target, bool at_most)
{
    return !isnan(now) && (at_most ? now <= target : now >= target);
}

bool reha_plan_goal_reached_(const plan_maker *m, const json_t *goal)
{
    const int fact = reha_fact_find(&m->g->facts, reha_json_string(goal, "measure", ""));
    const bool at_most = strcmp(reha_json_string(goal, "direction", ""), "at-most") == 0;
    return fact >= 0 &&
           is_reached(m->facts.values[fact], reha_json_number(goal, "target", (double)NAN), at_most);
}

/* The same goal in the last plan: a goal keeps the baseline and the date that were agreed, in the phase that
 * follows, too, unless it was reached. */
static const json_t *agreed(const plan_maker *m, int phase, const char *id)
{
    const json_t *same = goal_of(m, phase, id);
    if (same != NULL || phase != m->phase) {
        return same;
    }
    const json_t *open = goal_of(m, m->phase_before, id);
    return open != NULL && !reha_plan_goal_reached_(m, open) ? open : NULL;
}

void reha_plan_goal_text_(const reha_fact *fact, double baseline, double target, bool at_most, const char *by,
                          char *out, size_t out_bytes)
{
    char from[48] = "";
    if (!isnan(baseline)) {
        (void)snprintf(from, sizeof from, " from %.4g", baseline);
    }
    (void)snprintf(out, out_bytes, "%s%s to at %s %.4g%s%s by %s", fact->label, from,
                   at_most ? "most" : "least", target, fact->unit[0] != '\0' ? " " : "", fact->unit, by);
}

static json_t *goal_json(plan_maker *m, const reha_rule *rule, int phase)
{
    char text[200];
    char by[16];
    char digest[9];
    const reha_fact *fact = &m->g->facts.items[rule->fact];
    const double now = m->facts.values[rule->fact];
    const json_t *before = agreed(m, phase, rule->id);
    double baseline = before != NULL ? reha_json_number(before, "baseline", (double)NAN) : now;
    double target =
        isnan(rule->change) ? rule->reach : fmin(fmax(baseline + rule->change, fact->low), fact->high);
    (void)reha_date_after(m->in->date, 7 * rule->weeks, by, sizeof by);
    target = round(target * TARGET_STEPS) / TARGET_STEPS;
    if (before != NULL) {
        target = reha_json_number(before, "target", target);
        (void)snprintf(by, sizeof by, "%.10s", reha_json_string(before, "by", by));
    }
    int days_left = 0;
    (void)reha_date_days(m->in->date, by, &days_left);
    const bool reached = is_reached(now, target, rule->at_most);
    reha_plan_goal_text_(fact, baseline, target, rule->at_most, by, text, sizeof text);
    json_t *line = reha_plan_line_(m, rule);
    reha_plan_put_(m, line, "why", json_string(rule->text));
    reha_plan_put_(m, line, "text", reha_json_text(text));
    reha_plan_put_(m, line, "measure", json_string(fact->name));
    reha_plan_put_(m, line, "label", json_string(fact->label));
    reha_plan_put_(m, line, "unit", reha_plan_text_(fact->unit));
    reha_plan_put_(m, line, "baseline", reha_json_real(baseline));
    reha_plan_put_(m, line, "now", reha_json_real(now));
    reha_plan_put_(m, line, "target", reha_json_real(target));
    reha_plan_put_(m, line, "direction", json_string(rule->at_most ? "at-most" : "at-least"));
    reha_plan_put_(m, line, "by", json_string(by));
    reha_plan_put_(m, line, "state",
                   json_string(reached         ? "reached"
                               : isnan(now)    ? "not-measured"
                               : days_left < 0 ? "overdue"
                                               : "open"));
    reha_plan_digest_(line, digest);
    reha_plan_put_(m, line, "check", json_string(digest));
    return line;
}

/* Whether a goal of this rule would be set in the phase, if the scale has room for its change. */
static bool is_wanted(const plan_maker *m, size_t index, int phase)
{
    const reha_rule *rule = &m->g->rules[index];
    return rule->kind == REHA_RULE_GOAL && m->concerns[index] && m->truths[index] == REHA_TRUE &&
           reha_plan_in_phase_(rule, phase) && (rule->phases != 0 || phase == m->phase);
}

/* A target beyond the end of the scale would ask for less than the change that the rule's source calls
 * important. What was agreed before stands. */
static bool has_room(const plan_maker *m, const reha_rule *rule, int phase)
{
    const reha_fact *fact = &m->g->facts.items[rule->fact];
    const double target = m->facts.values[rule->fact] + rule->change;
    return isnan(target) || agreed(m, phase, rule->id) != NULL ||
           (target >= fact->low && target <= fact->high);
}

json_t *reha_plan_goals_(plan_maker *m, int phase)
{
    json_t *list = reha_plan_array_(m);
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        if (!is_wanted(m, i, phase) || !has_room(m, rule, phase)) {
            continue;
        }
        const bool has_baseline = !isnan(m->facts.values[rule->fact]) || agreed(m, phase, rule->id) != NULL;
        if (has_baseline ||
            isnan(rule->change)) { /* a change needs something to change from; it is asked for */
            reha_plan_append_(m, list, goal_json(m, rule, phase));
        }
    }
    return list;
}

void reha_plan_goal_notes_(plan_maker *m, json_t *list)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        char text[REHA_PLAN_NOTE_BYTES];
        if (is_wanted(m, i, m->phase) && !has_room(m, rule, m->phase)) {
            const reha_fact *fact = &m->g->facts.items[rule->fact];
            (void)snprintf(text, sizeof text,
                           "no goal on %s: at %.4g the scale (%.4g to %.4g) has no room for a change of %.4g",
                           fact->label, m->facts.values[rule->fact], fact->low, fact->high,
                           fabs(rule->change));
            reha_plan_append_(m, list, reha_json_text(text));
        }
    }
}

/* Goals of the last plan's current phase. */
static const json_t *last_goals(const plan_maker *m)
{
    const json_t *phases = json_object_get(m->previous, "phases");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        if (strcmp(reha_json_string(json_array_get(phases, i), "state", ""), "current") == 0) {
            return json_object_get(json_array_get(phases, i), "goals");
        }
    }
    return NULL;
}

/* Neither left out by a clinician, nor words without a number. */
static bool counts(const json_t *goal)
{
    return strcmp(reha_json_string(goal, "state", ""), "removed") != 0 &&
           reha_json_string(goal, "measure", NULL) != NULL;
}

bool reha_plan_goals_reached_(const plan_maker *m)
{
    int known = 0;
    const json_t *goals = last_goals(m);
    for (size_t i = 0; i < json_array_size(goals); i++) {
        const json_t *goal = json_array_get(goals, i);
        if (counts(goal) && !reha_plan_goal_reached_(m, goal)) {
            return false;
        }
        known += counts(goal) ? 1 : 0;
    }
    return known > 0;
}

bool reha_plan_goals_overdue_(const plan_maker *m)
{
    const json_t *goals = last_goals(m);
    for (size_t i = 0; i < json_array_size(goals); i++) {
        const json_t *goal = json_array_get(goals, i);
        const int fact = reha_fact_find(&m->g->facts, reha_json_string(goal, "measure", ""));
        int days_left = 0;
        if (counts(goal) && fact >= 0 && !isnan(m->facts.values[fact]) && !reha_plan_goal_reached_(m, goal) &&
            reha_date_days(m->in->date, reha_json_string(goal, "by", ""), &days_left) && days_left < 0) {
            return true;
        }
    }
    return false;
}

json_t *reha_plan_own_goals_(plan_maker *m)
{
    json_t *list = reha_plan_array_(m);
    for (int i = 0; i < m->in->own_goal_count; i++) {
        const reha_own_goal *goal = &m->in->own_goals[i];
        json_t *one = reha_plan_object_(m);
        reha_plan_put_(m, one, "activity", reha_json_text(goal->activity));
        reha_plan_put_(m, one, "now", reha_json_real(goal->psfs));
        reha_plan_put_(m, one, "target", reha_json_real(fmin(goal->psfs + OWN_GOAL_CHANGE, PSFS_MAX)));
        reha_plan_append_(m, list, one);
    }
    return list;
}
