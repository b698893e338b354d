#include "rehab/plan_priv.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- JSON ---- */

json_t *reha_plan_object_(plan_maker *m)
{
    json_t *value = json_object();
    m->failed = m->failed || value == NULL;
    return value;
}

json_t *reha_plan_array_(plan_maker *m)
{
    json_t *value = json_array();
    m->failed = m->failed || value == NULL;
    return value;
}

void reha_plan_put_(plan_maker *m, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) {
        m->failed = true;
    }
}

void reha_plan_append_(plan_maker *m, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0) {
        m->failed = true;
    }
}

json_t *reha_plan_text_(const char *text)
{
    return text != NULL && text[0] != '\0' ? reha_json_text(text) : json_null();
}

/* ---- Parts of a line ---- */

bool reha_plan_in_phase_(const reha_rule *rule, int phase)
{
    return rule->phases == 0 || (rule->phases >> (unsigned)phase & 1u) != 0;
}

json_t *reha_plan_because_(plan_maker *m, const reha_condition *when)
{
    unsigned char set[REHA_FACTS_MAX] = {0};
    json_t *list = reha_plan_array_(m);
    reha_condition_because(when, &m->facts, set);
    const int condition = reha_fact_find(&m->g->facts, "condition");
    bool is_empty = true;
    for (size_t i = 0; i < m->g->facts.count; i++) {
        is_empty = is_empty && set[i] == 0;
    }
    if (is_empty && condition >= 0) {
        set[condition] = 1; /* a rule without criteria holds for the condition as such */
    }
    for (size_t i = 0; i < m->g->facts.count; i++) {
        const reha_fact *fact = &m->g->facts.items[i];
        char value[64];
        char text[160];
        if (set[i] == 0) {
            continue;
        }
        json_t *one = reha_plan_object_(m);
        reha_fact_format(fact, m->facts.values[i], value, sizeof value);
        (void)snprintf(text, sizeof text, "%s: %s", fact->label, value);
        reha_plan_put_(m, one, "fact", json_string(fact->name));
        reha_plan_put_(m, one, "value", reha_fact_json(fact, m->facts.values[i]));
        reha_plan_put_(m, one, "text", json_string(text));
        reha_plan_put_(m, one, "from",
                       reha_plan_text_(m->facts.from[i][0] != '\0' ? m->facts.from[i] : "stated"));
        reha_plan_append_(m, list, one);
    }
    return list;
}

json_t *reha_plan_basis_(plan_maker *m, const reha_basis *basis)
{
    json_t *to = reha_plan_object_(m);
    reha_plan_put_(m, to, "id", json_string(basis->source->id));
    reha_plan_put_(m, to, "title", json_string(basis->source->title));
    reha_plan_put_(m, to, "year", basis->source->year > 0 ? json_integer(basis->source->year) : json_null());
    reha_plan_put_(m, to, "section", reha_plan_text_(basis->section));
    reha_plan_put_(m, to, "read", json_string(basis->source->read));
    return to;
}

json_t *reha_plan_line_(plan_maker *m, const reha_rule *rule)
{
    json_t *line = reha_plan_object_(m);
    reha_plan_put_(m, line, "line", json_string(rule->id));
    reha_plan_put_(m, line, "rule", json_string(rule->id));
    reha_plan_put_(m, line, "kind", json_string(reha_rule_kind_name(rule->kind)));
    reha_plan_put_(m, line, "text", json_string(rule->text));
    reha_plan_put_(m, line, "patient", reha_plan_text_(rule->patient));
    reha_plan_put_(m, line, "strength", reha_plan_text_(rule->basis.strength));
    reha_plan_put_(m, line, "source", reha_plan_basis_(m, &rule->basis));
    reha_plan_put_(m, line, "because", reha_plan_because_(m, &rule->when));
    if (rule->is_today) {
        reha_plan_put_(m, line, "today", json_true());
    }
    return line;
}

static bool is_withholding(const plan_maker *m, size_t index, int phase)
{
    const reha_rule *rule = &m->g->rules[index];
    return m->concerns[index] && rule->forbids != NULL && reha_plan_in_phase_(rule, phase) &&
           (m->truths[index] == REHA_TRUE || (m->truths[index] == REHA_UNKNOWN && rule->hold_if_unknown));
}

const reha_rule *reha_plan_withheld_by_(const plan_maker *m, const reha_rule *rule, int phase)
{
    const reha_rule *best = NULL;
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *other = &m->g->rules[i];
        if (is_withholding(m, i, phase) && other->priority > rule->priority &&
            reha_rule_forbids(other, rule) && (best == NULL || other->priority > best->priority)) {
            best = other;
        }
    }
    return best;
}

const reha_rule *reha_plan_withholds_exercise_(const plan_maker *m, const reha_exercise *exercise, int phase)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        if (is_withholding(m, i, phase) && m->g->rules[i].kind == REHA_RULE_BLOCK &&
            reha_rule_forbids_exercise(&m->g->rules[i], exercise)) {
            return &m->g->rules[i];
        }
    }
    return NULL;
}

/* ---- The plan ---- */

/* Whether the condition has words of its own for a red flag that the general rules also know. */
static bool condition_names_it(const plan_maker *m, const reha_rule *general)
{
    unsigned char of_general[REHA_FACTS_MAX] = {0};
    reha_condition_facts(&general->when, of_general);
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        unsigned char of_rule[REHA_FACTS_MAX] = {0};
        if (rule->kind == REHA_RULE_RED_FLAG && rule->programme == m->programme_index) {
            reha_condition_facts(&rule->when, of_rule);
            if (memcmp(of_general, of_rule, sizeof of_rule) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool concerns(const plan_maker *m, const reha_rule *rule)
{
    if (m->g->programmes[rule->programme].condition != NULL) {
        return rule->programme == m->programme_index;
    }
    return rule->kind != REHA_RULE_RED_FLAG || !condition_names_it(m, rule);
}

void reha_plan_judge_(plan_maker *m)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        const reha_rule *rule = &m->g->rules[i];
        m->concerns[i] = concerns(m, rule);
        m->truths[i] = reha_condition_judge(&rule->when, &m->facts);
        m->is_stopped = m->is_stopped ||
                        (m->concerns[i] && rule->kind == REHA_RULE_RED_FLAG && m->truths[i] == REHA_TRUE);
    }
}

/* A plan goes on from one of the same problem, and never backwards in time. */
static reha_status check_previous(const plan_maker *m, reha_error *err)
{
    int days = 0;
    const char *condition = reha_json_string(m->previous, "condition", "");
    const char *side = reha_json_string(m->previous, "side", "");
    const char *date = reha_json_string(m->previous, "date", "");
    if (m->previous == NULL) {
        return REHA_OK;
    }
    if (strcmp(condition, m->in->condition) != 0 || strcmp(side, m->in->side) != 0) {
        return reha_fail(err, REHA_E_ARG,
                         "the last plan is for %.40s (%.10s), this input for %s (%s): wrong file?", condition,
                         side, m->in->condition, m->in->side);
    }
    if (!reha_date_days(date, m->in->date, &days) || days < 0) {
        return reha_fail(err, REHA_E_ARG, "the last plan (%.12s) is later than this one (%s)", date,
                         m->in->date);
    }
    return REHA_OK;
}

static reha_status refuse_contradictions(const plan_maker *m, reha_error *err)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        if (m->concerns[i] && m->g->rules[i].kind == REHA_RULE_REFUSE && m->truths[i] == REHA_TRUE) {
            return reha_fail(err, REHA_E_REFUSED, "%s (rule %s)", m->g->rules[i].text, m->g->rules[i].id);
        }
    }
    return REHA_OK;
}

static json_t *notes_json(plan_maker *m)
{
    json_t *list = reha_plan_array_(m);
    for (int i = 0; i < m->in->note_count; i++) {
        reha_plan_append_(m, list, reha_json_text(m->in->notes[i]));
    }
    if (m->phase_note[0] != '\0') {
        reha_plan_append_(m, list, reha_json_text(m->phase_note));
    }
    reha_plan_goal_notes_(m, list);
    return list;
}

static json_t *current_json(plan_maker *m)
{
    json_t *to = reha_plan_object_(m);
    reha_plan_put_(m, to, "phase", json_string(m->programme->phases[m->phase].id));
    reha_plan_put_(m, to, "title", json_string(m->programme->phases[m->phase].title));
    reha_plan_put_(m, to, "level", json_integer(m->level));
    reha_plan_put_(m, to, "moved_by",
                   m->moved_by >= 0 ? json_string(m->g->rules[m->moved_by].id) : json_null());
    const char *words = m->moved_by >= 0  ? m->g->rules[m->moved_by].patient
                        : m->has_advanced ? "page.moved-on"
                                          : NULL;
    reha_plan_put_(m, to, "patient", reha_plan_text_(words));
    return to;
}

static void write_head(plan_maker *m)
{
    json_t *plan = m->plan;
    reha_plan_put_(m, plan, "schema", json_string("rehascope/plan/1"));
    reha_plan_put_(m, plan, "software", json_string("rehascope " REHA_VERSION));
    reha_plan_put_(m, plan, "guideline",
                   json_pack("{s:s, s:s}", "title", m->programme->title, "version", m->programme->version));
    reha_plan_put_(m, plan, "date", json_string(m->in->date));
    reha_plan_put_(m, plan, "condition", json_string(m->in->condition));
    reha_plan_put_(m, plan, "side", json_string(m->in->side));
}

static void write_plan(plan_maker *m, bool why)
{
    json_t *plan = m->plan;
    bool asks_safety = false;
    write_head(m);
    json_t *flags = reha_plan_red_flags_(m);
    json_t *questions = reha_plan_questions_(m, &asks_safety);
    reha_plan_put_(m, plan, "status",
                   json_string(m->is_stopped ? "doctor-today"
                               : asks_safety ? "ask-first"
                                             : "ready"));
    reha_plan_put_(m, plan, "reviewed", json_false());
    reha_plan_put_(m, plan, "red_flags", flags);
    reha_plan_put_(m, plan, "questions", questions);
    reha_plan_put_(m, plan, "current", current_json(m));
    reha_plan_put_(m, plan, "own_goals", reha_plan_own_goals_(m));
    reha_plan_put_(m, plan, "phases", reha_plan_phases_(m));
    reha_plan_put_(m, plan, "withheld", reha_plan_withheld_(m));
    reha_plan_put_(m, plan, "precautions", reha_plan_of_kind_(m, REHA_RULE_PRECAUTION));
    reha_plan_put_(m, plan, "avoid", reha_plan_of_kind_(m, REHA_RULE_AVOID));
    reha_plan_put_(m, plan, "blocks", reha_plan_of_kind_(m, REHA_RULE_BLOCK));
    reha_plan_put_(m, plan, "referrals", reha_plan_of_kind_(m, REHA_RULE_REFER));
    reha_plan_put_(m, plan, "imaging", reha_plan_imaging_(m));
    reha_plan_put_(m, plan, "reassess", reha_plan_reassess_(m));
    reha_plan_keep_edits_(m);
    reha_plan_put_(m, plan, "changes", reha_plan_changes_(m));
    reha_plan_put_(m, plan, "notes", notes_json(m));
    reha_plan_put_(m, plan, "rules", reha_plan_rules_(m));
    if (why) {
        reha_plan_put_(m, plan, "why", reha_plan_why_(m));
    }
}

reha_status reha_plan_make(const reha_plan_request *request, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    plan_maker *m = reha_alloc_zero(1, sizeof *m);
    if (m == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the plan");
    }
    m->g = request->guideline;
    m->in = request->input;
    m->previous = request->previous;
    m->facts = request->input->facts;
    m->moved_by = -1;
    m->phase_before = -1;
    m->programme_index = reha_guideline_programme(m->g, m->in->condition);
    if (m->programme_index < 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "no guideline for the condition '%s'", m->in->condition);
        goto done;
    }
    m->programme = &m->g->programmes[m->programme_index];
    REHA_CHECK(check_previous(m, err));
    reha_plan_read_previous_(m);
    reha_plan_judge_(m);
    REHA_CHECK(refuse_contradictions(m, err));
    REHA_CHECK(reha_plan_find_phase_(m, err));
    m->plan = reha_plan_object_(m);
    write_plan(m, request->why);
    if (m->failed) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory while writing the plan");
        goto done;
    }
    *out = m->plan;
    m->plan = NULL; /* handed over */
done:
    json_decref(m->plan);
    reha_free(m);
    return status;
}
