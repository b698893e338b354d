#include "rehab/plan_priv.h"

#include "base/hash.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const lists[] = {"exercises", "goals", "advice"};
enum { LIST_COUNT = sizeof lists / sizeof lists[0] };

/* Finds a change made by hand; it is no protection against malice (the audit chain is). */
void reha_plan_digest_(const json_t *line, char out[9])
{
    static const char *const keys[] = {"text", "dose", "state", "target", "by"};
    uint32_t hash = REHA_HASH32_START;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *value = json_object_get(line, keys[i]);
        char *text =
            value != NULL ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
        hash = text != NULL ? reha_hash32(hash, text, strlen(text)) : hash;
        free(text); /* allowed: the block is of jansson */
    }
    (void)snprintf(out, 9, "%08" PRIx32, hash);
}

/* ---- Loading ---- */

static reha_status check_line(const reha_place *place, const json_t *line, reha_error *err)
{
    char digest[9];
    const json_t *edited = json_object_get(line, "edited");
    const reha_place at = reha_place_key(place, "edited");
    if (!json_is_object(line)) {
        return reha_place_fail(place, err, "must be a line of a plan");
    }
    if (edited != NULL) {
        if (reha_json_string(edited, "reason", "")[0] == '\0') {
            return reha_place_fail(
                &at, err,
                "an edited line needs its reason: \"edited\": {\"reason\": \"...\", \"by\": \"...\"}");
        }
        return REHA_OK;
    }
    reha_plan_digest_(line, digest);
    if (strcmp(digest, reha_json_string(line, "check", "")) != 0) {
        return reha_place_fail(place, err,
                               "'%.60s' was changed without a reason; add \"edited\": {\"reason\": \"...\"}",
                               reha_json_string(line, "line", "a line"));
    }
    return REHA_OK;
}

static reha_status check_phase(const reha_place *place, const json_t *phase, reha_error *err)
{
    for (int k = 0; k < LIST_COUNT; k++) {
        const json_t *lines = json_object_get(phase, lists[k]);
        const reha_place at = reha_place_key(place, lists[k]);
        if (!json_is_array(lines)) {
            return reha_place_fail(&at, err, "must be a list");
        }
        for (size_t i = 0; i < json_array_size(lines); i++) {
            const reha_place item = reha_place_item(&at, i);
            REHA_TRY(check_line(&item, json_array_get(lines, i), err));
        }
    }
    return REHA_OK;
}

reha_status reha_plan_check(const reha_source_text *source, reha_error *err)
{
    const reha_place root = reha_place_root(source);
    const reha_place at = reha_place_key(&root, "phases");
    const json_t *phases = json_object_get(source->json, "phases");
    if (strcmp(reha_json_string(source->json, "schema", ""), "rehascope/plan/1") != 0) {
        return reha_place_fail(&root, err, "schema must be rehascope/plan/1: is this a plan?");
    }
    if (!json_is_array(phases) || !json_is_object(json_object_get(source->json, "current"))) {
        return reha_place_fail(&at, err, "a plan has 'phases' and 'current'");
    }
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const reha_place item = reha_place_item(&at, i);
        REHA_TRY(check_phase(&item, json_array_get(phases, i), err));
    }
    return REHA_OK;
}

reha_status reha_plan_load(const char *path, json_t **out, reha_error *err)
{
    reha_source_text source = {0};
    *out = NULL;
    REHA_TRY(reha_source_load(path, &source, err));
    const reha_status status = reha_plan_check(&source, err);
    if (status == REHA_OK) {
        *out = json_incref(source.json);
    }
    reha_source_clear(&source);
    return status;
}

/* ---- Edits ---- */

static json_t *find_phase(const json_t *plan, const char *id)
{
    const json_t *phases = json_object_get(plan, "phases");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        if (strcmp(reha_json_string(json_array_get(phases, i), "id", ""), id) == 0) {
            return json_array_get(phases, i);
        }
    }
    return NULL;
}

static json_t *find_line(const json_t *lines, const char *id)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        if (strcmp(reha_json_string(json_array_get(lines, i), "line", ""), id) == 0) {
            return json_array_get(lines, i);
        }
    }
    return NULL;
}

/* The edit stands in place of what the rules say; that is kept beside it. */
static void overwrite(plan_maker *m, json_t *line, const json_t *edited_line)
{
    static const char *const keys[] = {"text", "dose", "state", "target", "by"};
    json_t *generated = reha_plan_object_(m);
    const bool is_goal = json_object_get(line, "measure") != NULL;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *now = json_object_get(line, keys[i]);
        json_t *then = json_object_get(edited_line, keys[i]);
        const bool is_judged =
            is_goal && strcmp(keys[i], "state") == 0; /* open or reached: today's numbers decide */
        if (is_judged &&
            strcmp(json_string_value(then) != NULL ? json_string_value(then) : "", "removed") != 0) {
            continue;
        }
        if (now != NULL && then != NULL && !json_equal(now, then)) {
            reha_plan_put_(m, generated, keys[i], json_incref(now));
            reha_plan_put_(m, line, keys[i], json_incref(then));
        }
    }
    reha_plan_put_(m, line, "generated", generated);
    reha_plan_put_(m, line, "edited", json_incref(json_object_get(edited_line, "edited")));
}

static void withhold_edit(plan_maker *m, const json_t *line, const reha_rule *by)
{
    json_t *one = reha_plan_object_(m);
    reha_plan_put_(m, one, "rule", json_string(reha_json_string(line, "line", "")));
    reha_plan_put_(m, one, "text", json_string(reha_json_string(line, "text", "")));
    reha_plan_put_(m, one, "by", json_string(by != NULL ? by->id : "red flag"));
    reha_plan_put_(m, one, "why", json_string(by != NULL ? by->text : "a red flag is present"));
    reha_plan_put_(m, one, "because", by != NULL ? reha_plan_because_(m, &by->when) : reha_plan_array_(m));
    reha_plan_put_(m, one, "edited", json_incref(json_object_get(line, "edited")));
    reha_plan_append_(m, json_object_get(m->plan, "withheld"), one);
}

/* A clinician's word is never lost; but an exercise that is now unsafe is shown as withheld, not done. */
static void keep_line(plan_maker *m, json_t *to_list, int phase, const json_t *line)
{
    json_t *now = find_line(to_list, reha_json_string(line, "line", ""));
    const reha_exercise *exercise = reha_guideline_exercise(m->g, reha_json_string(line, "exercise", ""));
    const reha_rule *by = exercise != NULL ? reha_plan_withholds_exercise_(m, exercise, phase) : NULL;
    const bool is_action = json_object_get(line, "measure") == NULL;
    if (now != NULL) {
        overwrite(m, now, line);
    } else if (by != NULL || (m->is_stopped && is_action)) {
        withhold_edit(m, line, by);
    } else {
        json_t *copy = json_deep_copy(line);
        m->failed = m->failed || copy == NULL;
        reha_plan_put_(m, copy, "kept",
                       json_string("no rule makes this line now; kept because a clinician edited it"));
        reha_plan_append_(m, to_list, copy);
    }
}

static bool is_of_a_rule(const plan_maker *m, const char *id)
{
    for (size_t i = 0; i < m->g->rule_count; i++) {
        if (strcmp(m->g->rules[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Goals that the phase before leaves open come along, and what a clinician said of them. */
static void keep_open_goals(plan_maker *m)
{
    const char *id = m->programme->phases[m->phase].id;
    json_t *now = json_object_get(find_phase(m->plan, id), "goals");
    const json_t *same = json_object_get(find_phase(m->previous, id), "goals");
    const json_t *before = m->phase_before >= 0 && m->phase_before != m->phase
                               ? find_phase(m->previous, m->programme->phases[m->phase_before].id)
                               : NULL;
    const json_t *goals = json_object_get(before, "goals");
    for (size_t i = 0; i < json_array_size(goals); i++) {
        const json_t *goal = json_array_get(goals, i);
        const char *line = reha_json_string(goal, "line", "");
        const bool has_place = find_line(now, line) != NULL || !is_of_a_rule(m, line);
        if (json_is_object(json_object_get(goal, "edited")) && find_line(same, line) == NULL && has_place &&
            !reha_plan_goal_reached_(m, goal)) {
            keep_line(m, now, m->phase, goal);
        }
    }
}

void reha_plan_keep_edits_(plan_maker *m)
{
    if (m->previous != NULL) {
        keep_open_goals(m);
    }
    for (int p = m->phase; m->previous != NULL && p < m->programme->phase_count; p++) {
        const char *id = m->programme->phases[p].id;
        const json_t *before = find_phase(m->previous, id);
        json_t *now = find_phase(m->plan, id);
        for (int k = 0; k < LIST_COUNT; k++) {
            const json_t *lines = json_object_get(before, lists[k]);
            for (size_t i = 0; i < json_array_size(lines); i++) {
                const json_t *line = json_array_get(lines, i);
                if (json_is_object(json_object_get(line, "edited"))) {
                    keep_line(m, json_object_get(now, lists[k]), p, line);
                }
            }
        }
    }
}

/* ---- Changes ---- */

static void add_change(plan_maker *m, json_t *list, const char *what, const char *text, const char *rule)
{
    json_t *one = reha_plan_object_(m);
    reha_plan_put_(m, one, "what", json_string(what));
    reha_plan_put_(m, one, "text", reha_json_text(text));
    reha_plan_put_(m, one, "rule", reha_plan_text_(rule));
    reha_plan_append_(m, list, one);
}

/* What the last plan stopped for and this one does not: the doctor's answer is what lies between them. */
static void changes_of_flags(plan_maker *m, json_t *list)
{
    char text[300];
    const json_t *before = json_object_get(m->previous, "red_flags");
    const json_t *now = json_object_get(m->plan, "red_flags");
    for (size_t i = 0; i < json_array_size(before); i++) {
        const json_t *flag = json_array_get(before, i);
        const char *id = reha_json_string(flag, "line", "");
        if (strcmp(reha_json_string(flag, "state", ""), "present") == 0 &&
            strcmp(reha_json_string(find_line(now, id), "state", ""), "present") != 0) {
            (void)snprintf(
                text, sizeof text,
                "no longer present: '%.160s' Ask what the doctor found and allows, and write it down",
                reha_json_string(flag, "text", ""));
            add_change(m, list, "flag-gone", text, id);
        }
    }
}

static void change_of_phase(plan_maker *m, json_t *list)
{
    char text[300];
    const char *rule = m->moved_by >= 0 ? m->g->rules[m->moved_by].id : NULL;
    const char *why = m->moved_by >= 0          ? m->g->rules[m->moved_by].text
                      : m->has_advanced         ? "its criteria are met"
                      : m->in->phase[0] != '\0' ? "stated by the clinician"
                                                : "";
    if (m->phase_before >= 0 && m->phase != m->phase_before) {
        (void)snprintf(text, sizeof text, "phase: from '%s' %s to '%s': %s",
                       m->programme->phases[m->phase_before].title,
                       m->phase > m->phase_before ? "on" : "back", m->programme->phases[m->phase].title, why);
        add_change(m, list, "phase", text, rule);
    } else if (m->level != m->level_before) {
        (void)snprintf(text, sizeof text, "dose: from level %d %s to level %d: %s", m->level_before,
                       m->level > m->level_before ? "up" : "down", m->level, why);
        add_change(m, list, "dose-level", text, rule);
    }
}

static void changes_of_lines(plan_maker *m, json_t *list, const json_t *before, const json_t *now)
{
    char text[400];
    for (size_t i = 0; i < json_array_size(now); i++) {
        const json_t *line = json_array_get(now, i);
        const char *id = reha_json_string(line, "line", "");
        const char *title = reha_json_string(line, "title", reha_json_string(line, "text", ""));
        const json_t *old = find_line(before, id);
        const char *dose = reha_json_string(json_object_get(line, "dose"), "text", "");
        const char *old_dose = reha_json_string(json_object_get(old, "dose"), "text", "");
        if (old == NULL) {
            (void)snprintf(text, sizeof text, "new: %.120s%s%s", title, dose[0] != '\0' ? ": " : "", dose);
            add_change(m, list, "added", text, id);
        } else if (strcmp(dose, old_dose) != 0) {
            (void)snprintf(text, sizeof text, "%.80s: from %.120s to %.120s", title, old_dose, dose);
            add_change(m, list, "dose", text, id);
        }
    }
    for (size_t i = 0; i < json_array_size(before); i++) {
        const json_t *line = json_array_get(before, i);
        const char *id = reha_json_string(line, "line", "");
        if (find_line(now, id) == NULL) {
            (void)snprintf(text, sizeof text, "left out: %.200s",
                           reha_json_string(line, "title", reha_json_string(line, "text", "")));
            add_change(m, list, "removed", text, id);
        }
    }
}

static void changes_of_goals(plan_maker *m, json_t *list, const json_t *before)
{
    char text[300];
    for (size_t i = 0; i < json_array_size(before); i++) {
        const json_t *goal = json_array_get(before, i);
        const int fact = reha_fact_find(&m->g->facts, reha_json_string(goal, "measure", ""));
        const char *state = reha_json_string(goal, "state", "");
        if (fact < 0 || strcmp(state, "reached") == 0 || strcmp(state, "removed") == 0) {
            continue;
        }
        const double now = m->facts.values[fact];
        if (reha_plan_goal_reached_(m, goal)) {
            (void)snprintf(text, sizeof text, "goal reached: %.200s (now %.4g)",
                           reha_json_string(goal, "text", ""), now);
            add_change(m, list, "goal-reached", text, reha_json_string(goal, "line", ""));
        }
    }
}

json_t *reha_plan_changes_(plan_maker *m)
{
    char text[160];
    json_t *list = reha_plan_array_(m);
    if (m->previous == NULL) {
        return list;
    }
    const char *old_status = reha_json_string(m->previous, "status", "");
    const char *status = reha_json_string(m->plan, "status", "");
    if (strcmp(old_status, status) != 0) {
        (void)snprintf(text, sizeof text, "status: from %.30s to %.30s", old_status, status);
        add_change(m, list, "status", text, NULL);
    }
    changes_of_flags(m, list);
    change_of_phase(m, list);
    const json_t *before =
        m->phase_before >= 0 ? find_phase(m->previous, m->programme->phases[m->phase_before].id) : NULL;
    const json_t *now = find_phase(m->plan, m->programme->phases[m->phase].id);
    changes_of_goals(m, list, json_object_get(before, "goals"));
    changes_of_lines(m, list, json_object_get(before, "exercises"), json_object_get(now, "exercises"));
    changes_of_lines(m, list, json_object_get(before, "advice"), json_object_get(now, "advice"));
    return list;
}
