#include "rehab/plan_edit.h"

#include "rehab/plan_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const list_names[] = {"exercises", "goals", "advice"};
static const char *const kind_names[] = {"exercise", "goal", "advice"};
enum { EXERCISES, GOALS, ADVICE, LIST_COUNT, OWN_LINES_MAX = 50 };

static const struct {
    const char *name;
    double high;
} dose_parts[] = {{"sets", 20.0},        {"repetitions", 200.0},  {"hold_s", 600.0},
                  {"minutes", 600.0},    {"times_per_day", 24.0}, {"days_per_week", 7.0},
                  {"effort_0_10", 10.0}, {"percent_1rm", 100.0}};
enum { DOSE_PARTS = sizeof dose_parts / sizeof dose_parts[0] };

typedef struct editor {
    const reha_guideline *guideline;
    json_t *plan;
    const json_t *edit;
    const char *by, *date;
    int list;
    json_t *lines; /* borrowed: of the phase */
    bool failed;   /* memory ran out */
} editor;

static void put(editor *e, json_t *object, const char *key, json_t *value) /* steals */
{
    e->failed = json_object_set_new(object, key, value) != 0 || e->failed;
}

static const char *text_of(const editor *e, const char *key)
{
    return reha_json_string(e->edit, key, NULL);
}

/* ---- Finding ---- */

static json_t *find(const json_t *items, const char *key, const char *value)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        if (strcmp(reha_json_string(json_array_get(items, i), key, ""), value) == 0) {
            return json_array_get(items, i);
        }
    }
    return NULL;
}

static reha_status find_list(editor *e, reha_error *err)
{
    const char *list = text_of(e, "list");
    const char *phase = text_of(e, "phase");
    e->list = 0;
    while (list != NULL && e->list < LIST_COUNT && strcmp(list, list_names[e->list]) != 0) {
        e->list++;
    }
    if (list == NULL || e->list == LIST_COUNT) {
        return reha_fail(err, REHA_E_ARG, "'list' must be exercises, goals or advice");
    }
    const json_t *found = phase != NULL ? find(json_object_get(e->plan, "phases"), "id", phase) : NULL;
    e->lines = json_object_get(found, list);
    return json_is_array(e->lines) ? REHA_OK
                                   : reha_fail(err, REHA_E_ARG, "'phase' must be a phase of the plan");
}

static reha_status check_members(const editor *e, reha_error *err)
{
    static const char members[] =
        " phase list line reason text state dose exercise target by measure direction restore ";
    static const char *const texts[] = {"line",     "reason", "text",    "state",
                                        "exercise", "by",     "measure", "direction"};
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)e->edit, key, value)
    {
        char word[64];
        (void)snprintf(word, sizeof word, " %.60s ", key);
        if (strstr(members, word) == NULL) {
            return reha_fail(err, REHA_E_ARG, "'%.40s' is no member of an edit", key);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        value = json_object_get(e->edit, texts[i]);
        if (value != NULL && !json_is_null(value) &&
            (!json_is_string(value) || json_string_length(value) > REHA_EDIT_TEXT_MAX)) {
            return reha_fail(err, REHA_E_ARG, "'%s' must be a text of at most %d bytes", texts[i],
                             REHA_EDIT_TEXT_MAX);
        }
    }
    const char *reason = text_of(e, "reason");
    return reason != NULL && reason[strspn(reason, " \t\n")] != '\0'
               ? REHA_OK
               : reha_fail(err, REHA_E_ARG, "'reason' is needed: why is the line changed?");
}

/* ---- Safety ---- */

static const reha_rule *find_rule(const reha_guideline *guideline, const char *id)
{
    for (size_t i = 0; i < guideline->rule_count; i++) {
        if (strcmp(guideline->rules[i].id, id) == 0) {
            return &guideline->rules[i];
        }
    }
    return NULL;
}

/* An exercise that the plan withholds now cannot come in by the back door. */
static reha_status check_safe(const editor *e, const char *exercise_id, reha_error *err)
{
    const json_t *blocks = json_object_get(e->plan, "blocks");
    const reha_exercise *exercise =
        exercise_id != NULL ? reha_guideline_exercise(e->guideline, exercise_id) : NULL;
    if (e->list == EXERCISES && strcmp(reha_json_string(e->plan, "status", ""), "doctor-today") == 0) {
        return reha_fail(err, REHA_E_REFUSED,
                         "a red flag is present: no exercise is added before a doctor has looked");
    }
    for (size_t i = 0; exercise != NULL && i < json_array_size(blocks); i++) {
        const reha_rule *rule =
            find_rule(e->guideline, reha_json_string(json_array_get(blocks, i), "rule", ""));
        if (rule != NULL && reha_rule_forbids_exercise(rule, exercise)) {
            return reha_fail(err, REHA_E_REFUSED, "%s is withheld now: %s (rule %s)", exercise->title,
                             rule->text, rule->id);
        }
    }
    return REHA_OK;
}

/* ---- Changing a line ---- */

/* What the rules said stays beside the first edit; later edits do not touch it. */
static void change(editor *e, json_t *line, const char *key, json_t *value) /* steals value */
{
    json_t *generated = json_object_get(line, "generated");
    json_t *before = json_object_get(line, key);
    if (generated == NULL) {
        generated = json_object();
        put(e, line, "generated", generated);
    }
    if (before != NULL && json_object_get(generated, key) == NULL) {
        put(e, generated, key, json_deep_copy(before));
    }
    put(e, line, key, value);
}

static reha_status change_dose(editor *e, json_t *line, const json_t *dose, reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    char text[200];
    json_t *before = json_object_get(line, "dose");
    if (e->list != EXERCISES || !json_is_object(dose)) {
        return reha_fail(err, REHA_E_ARG, "'dose' belongs to exercises, and is an object of numbers");
    }
    json_t *after = json_is_object(before) ? json_deep_copy(before) : json_object();
    for (size_t i = 0; i < DOSE_PARTS;
         i++) { /* the whole dose is stated: what is left out is not part of it */
        (void)json_object_del(after, dose_parts[i].name);
    }
    json_object_foreach((json_t *)dose, key, value)
    {
        size_t i = 0;
        while (i < DOSE_PARTS && strcmp(dose_parts[i].name, key) != 0) {
            i++;
        }
        const double number = json_number_value(value);
        if (i == DOSE_PARTS || !json_is_integer(value) || number < 1.0 || number > dose_parts[i].high) {
            json_decref(after);
            return i == DOSE_PARTS
                       ? reha_fail(err, REHA_E_ARG, "'dose' has no member '%.40s'", key)
                       : reha_fail(err, REHA_E_ARG, "'dose': %s must be a whole number from 1 to %g", key,
                                   dose_parts[i].high);
        }
        put(e, after, key, json_incref(value));
    }
    reha_plan_dose_text_(after, text, sizeof text);
    put(e, after, "text", json_string(text));
    change(e, line, "dose", after);
    return REHA_OK;
}

static const reha_fact *measure_of(const editor *e, const json_t *line)
{
    const int fact = reha_fact_find(&e->guideline->facts, reha_json_string(line, "measure", ""));
    return fact >= 0 ? &e->guideline->facts.items[fact] : NULL;
}

/* The words and the state of a goal follow its numbers. */
static void rewrite_goal(editor *e, json_t *line)
{
    char text[200];
    const reha_fact *fact = measure_of(e, line);
    const double now = reha_json_number(line, "now", (double)NAN);
    const double target = reha_json_number(line, "target", (double)NAN);
    const bool at_most = strcmp(reha_json_string(line, "direction", ""), "at-most") == 0;
    if (fact == NULL) {
        return;
    }
    reha_plan_goal_text_(fact, reha_json_number(line, "baseline", (double)NAN), target, at_most,
                         reha_json_string(line, "by", ""), text, sizeof text);
    change(e, line, "text", json_string(text));
    change(e, line, "state",
           json_string(isnan(now)                                  ? "not-measured"
                       : (at_most ? now <= target : now >= target) ? "reached"
                                                                   : "open"));
}

static reha_status change_goal(editor *e, json_t *line, reha_error *err)
{
    int days = 0;
    const json_t *target = json_object_get(e->edit, "target");
    const char *by = text_of(e, "by");
    const reha_fact *fact = measure_of(e, line);
    if (target == NULL && by == NULL) {
        return REHA_OK;
    }
    if (e->list != GOALS || fact == NULL) {
        return reha_fail(err, REHA_E_ARG, "'target' and 'by' belong to goals with a measure");
    }
    if (target != NULL) {
        const double value = json_number_value(target);
        if (!json_is_number(target) || value < fact->low || value > fact->high) {
            return reha_fail(err, REHA_E_ARG, "'target' of %s must be a number from %g to %g", fact->label,
                             fact->low, fact->high);
        }
        change(e, line, "target", json_real(value));
    }
    if (by != NULL) {
        if (!reha_date_days(reha_json_string(e->plan, "date", ""), by, &days) || days < 0) {
            return reha_fail(err, REHA_E_ARG, "'by' must be a date such as 2026-05-01, not before the plan");
        }
        change(e, line, "by", json_string(by));
    }
    rewrite_goal(e, line);
    return REHA_OK;
}

static reha_status change_line(editor *e, json_t *line, reha_error *err)
{
    const char *text = text_of(e, "text");
    const char *state = text_of(e, "state");
    const json_t *dose = json_object_get(e->edit, "dose");
    if (state != NULL && strcmp(state, "removed") != 0 && strcmp(state, "active") != 0) {
        return reha_fail(err, REHA_E_ARG, "'state' must be removed or active");
    }
    if (state != NULL && strcmp(state, "active") == 0) {
        REHA_TRY(check_safe(e, reha_json_string(line, "exercise", NULL), err));
    }
    REHA_TRY(change_goal(e, line, err));
    if (dose != NULL) {
        REHA_TRY(change_dose(e, line, dose, err));
    }
    if (text != NULL && text[0] == '\0') {
        return reha_fail(err, REHA_E_ARG, "'text' must not be empty; leave the line out instead");
    }
    if (text != NULL) {
        change(e, line, "text", json_string(text));
    }
    if (state != NULL) {
        change(e, line, "state", json_string(state));
    }
    return REHA_OK;
}

/* ---- A new line ---- */

static reha_status new_id(const editor *e, char out[32], reha_error *err)
{
    for (int i = 1; i <= OWN_LINES_MAX; i++) {
        const json_t *phases = json_object_get(e->plan, "phases");
        bool is_taken = false;
        (void)snprintf(out, 32, "clinician.%d", i);
        for (size_t p = 0; p < json_array_size(phases); p++) {
            for (int k = 0; k < LIST_COUNT; k++) {
                is_taken = is_taken || find(json_object_get(json_array_get(phases, p), list_names[k]), "line",
                                            out) != NULL;
            }
        }
        if (!is_taken) {
            return REHA_OK;
        }
    }
    return reha_fail(err, REHA_E_LIMIT, "more than %d lines of a clinician in one plan", OWN_LINES_MAX);
}

static reha_status fill_exercise(editor *e, json_t *line, reha_error *err)
{
    const char *id = text_of(e, "exercise");
    const reha_exercise *exercise = id != NULL ? reha_guideline_exercise(e->guideline, id) : NULL;
    if (id != NULL && exercise == NULL) {
        return reha_fail(err, REHA_E_ARG, "'exercise': there is no '%.40s' in the library", id);
    }
    REHA_TRY(check_safe(e, id, err));
    if (exercise != NULL) {
        put(e, line, "exercise", json_string(exercise->id));
        put(e, line, "title", json_string(exercise->title));
        put(e, line, "figure", json_string(exercise->figure));
        put(e, line, "text", json_string(exercise->title));
    }
    return REHA_OK;
}

static reha_status fill_goal(editor *e, json_t *line, reha_error *err)
{
    const char *measure = text_of(e, "measure");
    const char *direction = text_of(e, "direction");
    const int index = measure != NULL ? reha_fact_find(&e->guideline->facts, measure) : -1;
    if (measure == NULL) {
        return REHA_OK;
    }
    if (index < 0 || e->guideline->facts.items[index].type != REHA_FACT_NUMBER) {
        return reha_fail(err, REHA_E_ARG, "'measure': '%.40s' is no number that a goal can be about",
                         measure);
    }
    if (direction == NULL || (strcmp(direction, "at-least") != 0 && strcmp(direction, "at-most") != 0)) {
        return reha_fail(err, REHA_E_ARG, "'direction' must be at-least or at-most");
    }
    if (!json_is_number(json_object_get(e->edit, "target")) || text_of(e, "by") == NULL) {
        return reha_fail(err, REHA_E_ARG, "a goal needs its 'target' and the date 'by' which to reach it");
    }
    const reha_fact *fact = &e->guideline->facts.items[index];
    const json_t *section = json_object_get(json_object_get(e->plan, "input"), fact->section);
    const json_t *now = json_object_get(section, fact->name);
    put(e, line, "measure", json_string(fact->name));
    put(e, line, "label", json_string(fact->label));
    put(e, line, "unit", reha_plan_text_(fact->unit));
    put(e, line, "baseline", json_is_number(now) ? json_incref((json_t *)now) : json_null());
    put(e, line, "now", json_is_number(now) ? json_incref((json_t *)now) : json_null());
    put(e, line, "direction", json_string(direction));
    return REHA_OK;
}

static reha_status add_line(editor *e, json_t **out, reha_error *err)
{
    char id[32];
    REHA_TRY(new_id(e, id, err));
    json_t *line = json_pack("{s:s, s:n, s:s, s:s, s:n, s:n, s:n, s:[], s:s}", "line", id, "rule", "kind",
                             kind_names[e->list], "text", "", "patient", "strength", "source", "because",
                             "state", e->list == GOALS ? "open" : "active");
    if (json_array_append_new(e->lines, line) != 0) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a line");
    }
    if (e->list == EXERCISES) {
        REHA_TRY(fill_exercise(e, line, err));
    } else if (e->list == GOALS) {
        REHA_TRY(fill_goal(e, line, err));
    }
    REHA_TRY(change_line(e, line, err));
    (void)json_object_del(line, "generated"); /* no rule says anything of it */
    put(e, line, "kept", json_string("written by a clinician; no rule makes this line"));
    *out = line;
    return reha_json_string(line, "text", "")[0] != '\0'
               ? REHA_OK
               : reha_fail(err, REHA_E_ARG, "a new line needs its 'text'");
}

/* ---- Back to the rules ---- */

static reha_status restore(editor *e, json_t *line, reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_t *generated = json_object_get(line, "generated");
    if (!json_is_object(json_object_get(line, "edited"))) {
        return reha_fail(err, REHA_E_ARG, "the line is as the rules made it");
    }
    if (json_object_get(line, "kept") !=
        NULL) { /* no rule makes it: without the edit there is no such line */
        for (size_t i = json_array_size(e->lines); i-- > 0;) {
            if (json_array_get(e->lines, i) == line) {
                (void)json_array_remove(e->lines, i);
            }
        }
        return REHA_OK;
    }
    json_object_foreach(generated, key, value)
    {
        put(e, line, key, json_incref(value));
    }
    (void)json_object_del(line, "generated");
    (void)json_object_del(line, "edited");
    char digest[9];
    reha_plan_digest_(line, digest);
    put(e, line, "check",
        json_string(digest)); /* after a new plan the rules may say something else than at first */
    return REHA_OK;
}

reha_status reha_plan_edit(const reha_guideline *guideline, json_t *plan, const json_t *edit, const char *by,
                           const char *date, reha_error *err)
{
    editor e = {.guideline = guideline, .plan = plan, .edit = edit, .by = by, .date = date};
    json_t *line = NULL;
    if (!json_is_object(edit)) {
        return reha_fail(err, REHA_E_ARG, "an edit must be an object");
    }
    REHA_TRY(check_members(&e, err));
    REHA_TRY(find_list(&e, err));
    const char *id = text_of(&e, "line");
    const bool is_restored = json_is_true(json_object_get(edit, "restore"));
    if (id != NULL) {
        line = find(e.lines, "line", id);
        if (line == NULL) {
            return reha_fail(err, REHA_E_NOT_FOUND, "the phase has no such line");
        }
    } else if (is_restored) {
        return reha_fail(err, REHA_E_ARG, "'line' is needed: which line is put back?");
    }
    if (is_restored) {
        REHA_TRY(restore(&e, line, err));
    } else {
        const size_t members = json_object_size(edit);
        if (id != NULL && members < 5) { /* phase, list, line, reason */
            return reha_fail(err, REHA_E_ARG, "nothing is changed: give text, dose, target, by or state");
        }
        REHA_TRY(id != NULL ? change_line(&e, line, err) : add_line(&e, &line, err));
        put(&e, line, "edited",
            json_pack("{s:s, s:s, s:s}", "reason", text_of(&e, "reason"), "by", by, "date", date));
    }
    put(&e, plan, "reviewed", json_false());
    (void)json_object_del(plan, "review");
    return e.failed ? reha_fail(err, REHA_E_NOMEM, "out of memory for an edit") : REHA_OK;
}
