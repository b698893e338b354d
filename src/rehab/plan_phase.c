#include "rehab/plan_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double DAYS_PER_WEEK = 7.0;

static int phase_index(const reha_programme *programme, const char *id)
{
    for (int i = 0; i < programme->phase_count; i++) {
        if (strcmp(programme->phases[i].id, id) == 0) {
            return i;
        }
    }
    return -1;
}

static void derive(plan_maker *m, const char *name, double value, const char *from)
{
    const int fact = reha_fact_find(&m->g->facts, name);
    if (fact >= 0) {
        m->facts.values[fact] = value;
        (void)snprintf(m->facts.from[fact], REHA_FACT_FROM_BYTES, "%s", from);
    }
}

void reha_plan_read_previous_(plan_maker *m)
{
    int days = 0;
    const json_t *current = json_object_get(m->previous, "current");
    m->level = REHA_LEVEL_START;
    m->level_before = REHA_LEVEL_START;
    derive(m, "goals_reached", 0.0, "no earlier plan");
    derive(m, "goals_overdue", 0.0, "no earlier plan");
    derive(m, "placed_by_time", 0.0, "the criteria of the phases");
    if (m->previous == NULL) {
        return;
    }
    m->phase_before = phase_index(m->programme, reha_json_string(current, "phase", ""));
    /* The file may have been edited: whatever it says, a level is one of ours. */
    m->level_before =
        (int)fmin(fmax(reha_json_number(current, "level", REHA_LEVEL_START), 0.0), REHA_LEVEL_MAX);
    derive(m, "goals_reached", reha_plan_goals_reached_(m) ? 1.0 : 0.0,
           "the goals of the last plan against the scores of now");
    derive(m, "goals_overdue", reha_plan_goals_overdue_(m) ? 1.0 : 0.0,
           "the goals of the last plan, their dates and the scores of now");
    if (reha_date_days(reha_json_string(m->previous, "date", ""), m->in->date, &days)) {
        derive(m, "weeks_since_plan", floor(10.0 * days / DAYS_PER_WEEK) / 10.0, "the dates of both plans");
    }
}

/* The shift rule that counts: the most careful one that applies now; -1: none. */
static int find_shift(const plan_maker *m, bool at_start)
{
    int best = -1;
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        if (rule->kind == REHA_RULE_SHIFT && m->concerns[i] && rule->at_start == at_start &&
            m->truths[i] == REHA_TRUE && (best < 0 || rule->shift < m->g->rules[best].shift)) {
            best = (int)i;
        }
    }
    return best;
}

/* A phase back may be the step, and the lowest dose be asked for as well. */
static bool must_be_lowest(const plan_maker *m)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        if (rule->kind == REHA_RULE_SHIFT && m->concerns[i] && !rule->at_start &&
            rule->shift == REHA_SHIFT_LOWEST && m->truths[i] == REHA_TRUE) {
            return true;
        }
    }
    return false;
}

static int dose_after(int level, int shift)
{
    const int next = shift <= REHA_SHIFT_LOWEST ? 0 : level + (shift > 0) - (shift < 0);
    return next < 0 ? 0 : next > REHA_LEVEL_MAX ? REHA_LEVEL_MAX : next;
}

static reha_truth advances(const plan_maker *m, int phase)
{
    const reha_guide_phase *p = &m->programme->phases[phase];
    return p->has_advance ? reha_condition_judge(&p->advance, &m->facts) : REHA_FALSE;
}

/* Somebody years after an operation is not in its first weeks because nobody has measured the joint: time
 * alone ends such a phase, unless a criterion is known to be not met. */
static bool leaves(plan_maker *m, int phase)
{
    const reha_guide_phase *p = &m->programme->phases[phase];
    const reha_truth truth = advances(m, phase);
    if (truth == REHA_UNKNOWN && p->has_by_time &&
        reha_condition_judge(&p->by_time, &m->facts) == REHA_TRUE) {
        reha_condition_missing(&p->advance, &m->facts, m->unmeasured);
        m->is_placed_by_time = true;
        return true;
    }
    return truth == REHA_TRUE;
}

/* The dose that somebody starts with in a phase. */
static void start_dose(plan_maker *m)
{
    if (m->is_placed_by_time) { /* rules may ask for it */
        derive(m, "placed_by_time", 1.0, "criteria of the phase that are not known");
        reha_plan_judge_(m);
    }
    m->level = REHA_LEVEL_START;
    m->moved_by = find_shift(m, true);
    if (m->moved_by >= 0) {
        m->level = dose_after(m->level, m->g->rules[m->moved_by].shift);
    }
}

static void first_plan(plan_maker *m)
{
    while (leaves(m, m->phase)) {
        m->phase++;
    }
    start_dose(m);
}

static void step_back(plan_maker *m, int shift)
{
    if (shift == REHA_SHIFT_LOWEST || (shift == REHA_SHIFT_DOWN && m->level > 0)) {
        m->level = dose_after(m->level, shift);
    } else if (m->phase > 0) {
        m->phase--;
        m->level = must_be_lowest(m) ? 0 : REHA_LEVEL_START;
    } else {
        m->level = 0;
    }
}

/* Nothing goes up in a plan that a red flag stops, nor a dose in the one after it: nobody trained by it. */
static bool is_held(const plan_maker *m)
{
    return m->is_stopped || strcmp(reha_json_string(m->previous, "status", ""), "doctor-today") == 0;
}

/* One step at a visit: back if it was too much, on if the criteria are met, else a little more or the same.
 */
static void next_plan(plan_maker *m)
{
    m->phase = m->phase_before;
    m->level = m->level_before;
    m->moved_by = find_shift(m, false);
    const int shift = m->moved_by >= 0 ? m->g->rules[m->moved_by].shift : 0;
    if (shift < 0) {
        step_back(m, shift);
    } else if (!m->is_stopped && leaves(m, m->phase)) {
        m->phase++;
        m->level = REHA_LEVEL_START;
        m->moved_by = -1;
        m->has_advanced = !m->is_placed_by_time;
        if (m->is_placed_by_time) {
            start_dose(m);
        }
    } else if (shift > 0 && m->level < REHA_LEVEL_MAX && !is_held(m)) {
        m->level++;
    } else {
        m->moved_by = -1;
    }
}

/* The clinician chose the phase, not the dose: pain, swelling and the last weeks still decide that one. */
static void dose_in_stated_phase(plan_maker *m)
{
    if (m->phase != m->phase_before) {
        start_dose(m);
        return;
    }
    m->moved_by = find_shift(m, false);
    const int asked = m->moved_by >= 0 ? m->g->rules[m->moved_by].shift : 0;
    const int shift = asked > 0 && is_held(m) ? 0 : asked;
    m->level = shift == REHA_SHIFT_PHASE_BACK && !must_be_lowest(m)
                   ? dose_after(m->level_before, REHA_SHIFT_DOWN) /* the phase is the clinician's */
                   : dose_after(m->level_before, shift);
    m->moved_by = m->level != m->level_before ? m->moved_by : -1;
}

/* The clinician's phase stands; where the criteria of an earlier one are not met, the plan says so. */
static void note_stated_phase(plan_maker *m)
{
    for (int i = 0; i < m->phase; i++) {
        const reha_truth truth = advances(m, i);
        if (truth != REHA_TRUE) {
            (void)snprintf(m->phase_note, sizeof m->phase_note,
                           "the phase '%s' was stated by the clinician; the criteria to leave '%s' are %s",
                           m->programme->phases[m->phase].title, m->programme->phases[i].title,
                           truth == REHA_FALSE ? "not met" : "not all known");
            return;
        }
    }
}

static void add_note(plan_maker *m, const char *format, ...) REHA_PRINTF(2, 3);

static void add_note(plan_maker *m, const char *format, ...)
{
    va_list arguments;
    const size_t used = strlen(m->phase_note);
    va_start(arguments, format);
    (void)vsnprintf(m->phase_note + used, sizeof m->phase_note - used, format, arguments);
    va_end(arguments);
}

static const char *title_of(const plan_maker *m, int phase)
{
    return m->programme->phases[phase].title;
}

/* What a criterion of time says of this patient: "time since the operation: 300 weeks". */
static void add_time(plan_maker *m, const reha_condition *by_time)
{
    char value[64];
    const reha_fact *fact = &m->g->facts.items[by_time->fact];
    reha_fact_format(fact, m->facts.values[by_time->fact], value, sizeof value);
    add_note(m, "%s: %s", fact->label, value);
}

static void note_placed_by_time(plan_maker *m)
{
    const char *separator = "";
    add_note(m, "the phase '%s' was chosen by time alone (", title_of(m, m->phase));
    add_time(m, &m->programme->phases[m->phase - 1].by_time);
    add_note(m, "); not given, so measure or ask: ");
    for (size_t i = 0; i < m->g->facts.count; i++) {
        if (m->unmeasured[i] != 0) {
            add_note(m, "%s%s", separator, m->g->facts.items[i].label);
            separator = ", ";
        }
    }
}

/* Long after the time that the phase takes, but a criterion is known to be not met: which one. */
static void note_overdue(plan_maker *m)
{
    const reha_guide_phase *p = &m->programme->phases[m->phase];
    const char *separator = "";
    if (!p->has_by_time || reha_condition_judge(&p->by_time, &m->facts) != REHA_TRUE ||
        advances(m, m->phase) != REHA_FALSE || p->advance.kind != REHA_WHEN_ALL) {
        return;
    }
    add_note(m, "the phase '%s' stands late (", p->title);
    add_time(m, &p->by_time);
    add_note(m, "), since not met is: ");
    for (size_t i = 0; i < p->advance.count; i++) {
        char text[160];
        if (reha_condition_judge(&p->advance.items[i], &m->facts) == REHA_FALSE) {
            reha_condition_describe(&p->advance.items[i], &m->g->facts, text, sizeof text);
            add_note(m, "%s%s", separator, text);
            separator = ", ";
        }
    }
}

reha_status reha_plan_find_phase_(plan_maker *m, reha_error *err)
{
    if (m->in->phase[0] != '\0') {
        m->phase = phase_index(m->programme, m->in->phase);
        if (m->phase < 0) {
            char known[120] = "";
            for (int i = 0; i < m->programme->phase_count; i++) {
                const size_t used = strlen(known);
                (void)snprintf(known + used, sizeof known - used, " %s", m->programme->phases[i].id);
            }
            return reha_fail(err, REHA_E_ARG, "phase '%s' is no phase of %s:%s", m->in->phase,
                             m->in->condition, known);
        }
        dose_in_stated_phase(m);
        note_stated_phase(m);
        return REHA_OK;
    }
    if (m->phase_before >= 0) {
        next_plan(m);
    } else {
        first_plan(m);
    }
    if (m->is_placed_by_time) {
        note_placed_by_time(m);
    } else {
        note_overdue(m);
    }
    return REHA_OK;
}

/* ---- The phases as JSON ---- */

static json_t *criterion_json(plan_maker *m, const reha_condition *condition)
{
    static const char *const words[] = {"not met", "not known", "met"};
    char text[240];
    json_t *to = reha_plan_object_(m);
    reha_condition_describe(condition, &m->g->facts, text, sizeof text);
    reha_plan_put_(m, to, "text", reha_json_text(text));
    reha_plan_put_(m, to, "state", json_string(words[reha_condition_judge(condition, &m->facts)]));
    return to;
}

static json_t *advance_json(plan_maker *m, const reha_guide_phase *phase)
{
    if (!phase->has_advance) {
        return json_null();
    }
    json_t *to = reha_plan_object_(m);
    json_t *criteria = reha_plan_array_(m);
    if (phase->advance.kind == REHA_WHEN_ALL) {
        for (size_t i = 0; i < phase->advance.count; i++) {
            reha_plan_append_(m, criteria, criterion_json(m, &phase->advance.items[i]));
        }
    } else {
        reha_plan_append_(m, criteria, criterion_json(m, &phase->advance));
    }
    reha_plan_put_(m, to, "all_of", criteria);
    reha_plan_put_(m, to, "strength", reha_plan_text_(phase->basis.strength));
    reha_plan_put_(m, to, "source", reha_plan_basis_(m, &phase->basis));
    return to;
}

static void add_lines(plan_maker *m, int phase, json_t *exercises, json_t *advice)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        const bool is_wanted = rule->kind == REHA_RULE_EXERCISE || rule->kind == REHA_RULE_ADVICE;
        if (!is_wanted || !m->concerns[i] || m->truths[i] != REHA_TRUE || !reha_plan_in_phase_(rule, phase) ||
            m->is_stopped || reha_plan_withheld_by_(m, rule, phase) != NULL) {
            continue;
        }
        if (rule->kind == REHA_RULE_ADVICE) {
            reha_plan_append_(m, advice, reha_plan_advice_line_(m, rule));
        } else {
            reha_plan_append_(
                m, exercises,
                reha_plan_exercise_line_(m, rule, phase == m->phase ? m->level : REHA_LEVEL_START));
        }
    }
}

json_t *reha_plan_phases_(plan_maker *m)
{
    json_t *list = reha_plan_array_(m);
    for (int i = 0; i < m->programme->phase_count; i++) {
        const reha_guide_phase *phase = &m->programme->phases[i];
        json_t *to = reha_plan_object_(m);
        json_t *exercises = reha_plan_array_(m);
        json_t *advice = reha_plan_array_(m);
        const bool is_done = i < m->phase;
        reha_plan_put_(m, to, "id", json_string(phase->id));
        reha_plan_put_(m, to, "title", json_string(phase->title));
        reha_plan_put_(m, to, "focus", json_string(phase->focus));
        reha_plan_put_(m, to, "patient", json_string(phase->patient));
        reha_plan_put_(m, to, "state", json_string(is_done ? "done" : i == m->phase ? "current" : "later"));
        reha_plan_put_(m, to, "weeks", json_pack("[i, i]", phase->weeks_low, phase->weeks_high));
        reha_plan_put_(m, to, "goals", is_done ? reha_plan_array_(m) : reha_plan_goals_(m, i));
        if (!is_done) {
            add_lines(m, i, exercises, advice);
        }
        reha_plan_put_(m, to, "exercises", exercises);
        reha_plan_put_(m, to, "advice", advice);
        reha_plan_put_(m, to, "advance", advance_json(m, phase));
        reha_plan_append_(m, list, to);
    }
    return list;
}
