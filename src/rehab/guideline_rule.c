#include "rehab/guideline_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char CONVENTION[] = "clinical convention";
enum { PRIORITY_DEFAULT = 50, PRIORITY_MAX = 100, WEEKS_MAX = 104 };

static const char *const kind_names[REHA_RULE_KIND_COUNT] = {
    "refuse", "red-flag", "block",   "avoid",    "precaution", "exercise", "advice",
    "goal",   "ask",      "imaging", "reassess", "shift",      "refer"};

/* What each kind may hold beside the common members. */
static const char *const kind_members[REHA_RULE_KIND_COUNT] = {"",
                                                               " patient",
                                                               " forbids patient hold_if_unknown",
                                                               " forbids patient",
                                                               " patient",
                                                               " exercise dose patient",
                                                               " action patient",
                                                               " measure change reach weeks patient",
                                                               " measure",
                                                               " need patient",
                                                               " weeks patient",
                                                               " shift moment patient",
                                                               " today patient"};

const char *reha_rule_kind_name(reha_rule_kind kind)
{
    return (int)kind >= 0 && kind < REHA_RULE_KIND_COUNT ? kind_names[kind] : "?";
}

reha_status reha_basis_parse_(const reha_place *place, const json_t *json, const reha_guideline *guideline,
                              reha_basis *out, reha_error *err)
{
    const char *id = NULL;
    const json_t *source = json_object_get(json, "source");
    const reha_place at = reha_place_key(place, "source");
    REHA_TRY(reha_place_keys(&at, source, " id section ", err));
    REHA_TRY(reha_place_string(&at, source, "id", &id, err));
    *out = (reha_basis){.section = reha_json_string(source, "section", ""),
                        .strength = reha_json_string(json, "strength", NULL)};
    for (size_t i = 0; i < guideline->source_count; i++) {
        if (strcmp(guideline->sources[i].id, id) == 0) {
            out->source = &guideline->sources[i];
        }
    }
    if (out->source == NULL) {
        return reha_place_fail(&at, err, "'%.40s' is not in sources.json", id);
    }
    const bool is_convention = strcmp(out->source->read, "convention") == 0;
    const bool says_convention = out->strength != NULL && strcmp(out->strength, CONVENTION) == 0;
    if (is_convention != says_convention) {
        const reha_place strength_at = reha_place_key(place, "strength");
        return reha_place_fail(&strength_at, err,
                               "the source 'convention' and the strength '%s' go together only", CONVENTION);
    }
    if (!is_convention && out->section[0] == '\0') {
        return reha_place_fail(&at, err, "a source needs its section");
    }
    return REHA_OK;
}

static reha_status parse_whole(const reha_place *place, const json_t *json, const char *key, int low,
                               int high, int *out, reha_error *err)
{
    const json_t *value = json_object_get(json, key);
    const reha_place at = reha_place_key(place, key);
    if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high) {
        return reha_place_fail(&at, err, "must be a whole number from %d to %d", low, high);
    }
    *out = (int)json_integer_value(value);
    return REHA_OK;
}

static reha_status parse_word(const reha_place *place, const json_t *json, const char *key,
                              const char *const *words, int count, int *out, reha_error *err)
{
    const char *text = NULL;
    char known[120] = "";
    REHA_TRY(reha_place_string(place, json, key, &text, err));
    for (int i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return REHA_OK;
        }
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, " %s", words[i]);
    }
    const reha_place at = reha_place_key(place, key);
    return reha_place_fail(&at, err, "'%.40s' is none of:%s", text, known);
}

static reha_status parse_phases(const reha_place *place, const json_t *json, const reha_programme *programme,
                                reha_rule *out, reha_error *err)
{
    const json_t *phases = json_object_get(json, "phases");
    const reha_place at = reha_place_key(place, "phases");
    if (phases == NULL) {
        return REHA_OK;
    }
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const char *id = json_string_value(json_array_get(phases, i));
        for (int p = 0; id != NULL && p < programme->phase_count; p++) {
            out->phases |= strcmp(programme->phases[p].id, id) == 0 ? 1u << (unsigned)p : 0u;
        }
    }
    if (json_array_size(phases) == 0 || (size_t)__builtin_popcount(out->phases) != json_array_size(phases)) {
        return reha_place_fail(&at, err, "must be different phases of this file");
    }
    return REHA_OK;
}

static bool tag_exists(const reha_guideline *guideline, const char *tag)
{
    for (size_t i = 0; i < guideline->exercise_count; i++) {
        for (size_t k = 0; k < json_array_size(guideline->exercises[i].tags); k++) {
            if (strcmp(json_string_value(json_array_get(guideline->exercises[i].tags, k)), tag) == 0) {
                return true;
            }
        }
    }
    return false;
}

static const reha_dose *find_dose(const reha_guideline *guideline, const char *id)
{
    for (size_t i = 0; i < guideline->dose_count; i++) {
        if (strcmp(guideline->doses[i].id, id) == 0) {
            return &guideline->doses[i];
        }
    }
    return NULL;
}

static reha_status parse_forbids(const reha_place *place, const json_t *json, const reha_guideline *guideline,
                                 reha_rule *out, reha_error *err)
{
    const reha_place at = reha_place_key(place, "forbids");
    out->forbids = json_object_get(json, "forbids");
    out->hold_if_unknown = json_is_true(json_object_get(json, "hold_if_unknown"));
    if (!json_is_array(out->forbids) || json_array_size(out->forbids) == 0) {
        return reha_place_fail(&at, err, "must be a list of exercise:ID, tag:TAG, dose:ID or advice:ACTION");
    }
    for (size_t i = 0; i < json_array_size(out->forbids); i++) {
        const char *what = json_string_value(json_array_get(out->forbids, i));
        const reha_place item = reha_place_item(&at, i);
        const bool is_fine =
            what != NULL &&
            ((strncmp(what, "exercise:", 9) == 0 && reha_guideline_exercise(guideline, what + 9) != NULL) ||
             (strncmp(what, "tag:", 4) == 0 && tag_exists(guideline, what + 4)) ||
             (strncmp(what, "dose:", 5) == 0 && find_dose(guideline, what + 5) != NULL) ||
             (strncmp(what, "advice:", 7) == 0 && what[7] != '\0'));
        if (!is_fine) {
            return reha_place_fail(&item, err, "no such exercise, tag or dose");
        }
    }
    return REHA_OK;
}

static reha_status parse_exercise(const reha_place *place, const json_t *json,
                                  const reha_guideline *guideline, reha_rule *out, reha_error *err)
{
    const char *exercise = NULL;
    const char *dose = NULL;
    REHA_TRY(reha_place_string(place, json, "exercise", &exercise, err));
    REHA_TRY(reha_place_string(place, json, "dose", &dose, err));
    out->exercise = reha_guideline_exercise(guideline, exercise);
    out->dose = find_dose(guideline, dose);
    const reha_place at = reha_place_key(place, out->exercise == NULL ? "exercise" : "dose");
    if (out->exercise == NULL || out->dose == NULL) {
        return reha_place_fail(&at, err, "'%.40s' is not in %s", out->exercise == NULL ? exercise : dose,
                               out->exercise == NULL ? "exercises.json" : "doses.json");
    }
    return REHA_OK;
}

static reha_status parse_measure(const reha_place *place, const json_t *json, const reha_guideline *guideline,
                                 reha_rule *out, reha_error *err)
{
    const char *measure = NULL;
    const reha_place at = reha_place_key(place, "measure");
    REHA_TRY(reha_place_string(place, json, "measure", &measure, err));
    out->fact = reha_fact_find(&guideline->facts, measure);
    return out->fact >= 0 ? REHA_OK : reha_place_fail(&at, err, "no such fact: '%.40s'", measure);
}

/* "change": signed points from the baseline; or "reach": {"at_least" | "at_most": value}. */
static reha_status parse_goal(const reha_place *place, const json_t *json, const reha_guideline *guideline,
                              reha_rule *out, reha_error *err)
{
    const json_t *reach = json_object_get(json, "reach");
    const json_t *change = json_object_get(json, "change");
    REHA_TRY(parse_measure(place, json, guideline, out, err));
    REHA_TRY(parse_whole(place, json, "weeks", 1, WEEKS_MAX, &out->weeks, err));
    const reha_fact *fact = &guideline->facts.items[out->fact];
    const bool by_change = json_is_number(change) && fabs(json_number_value(change)) > 0.0;
    if (fact->type != REHA_FACT_NUMBER || by_change == json_is_object(reach)) {
        return reha_place_fail(place, err, "a goal has a measured number, and either 'change' or 'reach'");
    }
    if (by_change) {
        out->change = json_number_value(change);
        out->at_most = out->change < 0.0;
        return REHA_OK;
    }
    const reha_place at = reha_place_key(place, "reach");
    REHA_TRY(reha_place_keys(&at, reach, " at_least at_most ", err));
    out->at_most = json_object_get(reach, "at_most") != NULL;
    return reha_fact_parse(fact, json_object_get(reach, out->at_most ? "at_most" : "at_least"), &at,
                           &out->reach, err);
}

static reha_status parse_today(const reha_place *place, const json_t *json, reha_rule *out, reha_error *err)
{
    const json_t *today = json_object_get(json, "today");
    const reha_place at = reha_place_key(place, "today");
    if (today != NULL && !json_is_true(today)) {
        return reha_place_fail(&at, err, "must be true; left out, it means soon");
    }
    out->is_today = today != NULL;
    return REHA_OK;
}

static reha_status parse_kind(const reha_place *place, const json_t *json, const reha_guideline *guideline,
                              reha_rule *out, reha_error *err)
{
    static const char *const needs[] = {"not-needed", "consider", "needed"};
    static const char *const shifts[] = {"phase-back", "lowest", "down", "up"};
    static const int steps[] = {REHA_SHIFT_PHASE_BACK, REHA_SHIFT_LOWEST, REHA_SHIFT_DOWN, REHA_SHIFT_UP};
    static const char *const moments[] = {"start", "review"};
    int word = 0;
    switch (out->kind) {
    case REHA_RULE_BLOCK:
    case REHA_RULE_AVOID:
        return parse_forbids(place, json, guideline, out, err);
    case REHA_RULE_EXERCISE:
        return parse_exercise(place, json, guideline, out, err);
    case REHA_RULE_ADVICE:
        return reha_place_string(place, json, "action", &out->action, err);
    case REHA_RULE_GOAL:
        return parse_goal(place, json, guideline, out, err);
    case REHA_RULE_ASK:
        return parse_measure(place, json, guideline, out, err);
    case REHA_RULE_IMAGING:
        return parse_word(place, json, "need", needs, 3, &out->need, err);
    case REHA_RULE_REASSESS:
        return parse_whole(place, json, "weeks", 0, WEEKS_MAX, &out->weeks, err);
    case REHA_RULE_SHIFT:
        REHA_TRY(parse_word(place, json, "shift", shifts, 4, &word, err));
        out->shift = steps[word];
        REHA_TRY(parse_word(place, json, "moment", moments, 2, &word, err));
        out->at_start = word == 0;
        return REHA_OK;
    case REHA_RULE_REFER:
        return parse_today(place, json, out, err);
    default:
        return REHA_OK;
    }
}

static reha_status parse_common(const reha_place *place, const json_t *json, const reha_guideline *guideline,
                                reha_rule *out, reha_error *err)
{
    const reha_programme *programme = &guideline->programmes[out->programme];
    const char *prefix = programme->condition != NULL ? programme->condition : "general";
    int kind = 0;
    char allowed[160];
    REHA_TRY(reha_place_string(place, json, "id", &out->id, err));
    REHA_TRY(parse_word(place, json, "kind", kind_names, REHA_RULE_KIND_COUNT, &kind, err));
    out->kind = (reha_rule_kind)kind;
    (void)snprintf(allowed, sizeof allowed, " id kind phases when text strength source priority%s ",
                   kind_members[kind]);
    REHA_TRY(reha_place_keys(place, json, allowed, err));
    const reha_place id_at = reha_place_key(place, "id");
    if (strncmp(out->id, prefix, strlen(prefix)) != 0 || out->id[strlen(prefix)] != '.') {
        return reha_place_fail(&id_at, err, "must begin with '%s.'", prefix);
    }
    for (size_t i = 0; i < guideline->rule_count; i++) {
        if (strcmp(guideline->rules[i].id, out->id) == 0) {
            return reha_place_fail(&id_at, err, "'%s' stands in %s line %d already", out->id,
                                   guideline->rules[i].file, guideline->rules[i].line);
        }
    }
    REHA_TRY(reha_place_string(place, json, "text", &out->text, err));
    out->patient = reha_json_string(json, "patient", NULL);
    out->has_priority = json_object_get(json, "priority") != NULL;
    if (out->has_priority) {
        REHA_TRY(parse_whole(place, json, "priority", 1, PRIORITY_MAX, &out->priority, err));
    }
    REHA_TRY(parse_phases(place, json, programme, out, err));
    return reha_basis_parse_(place, json, guideline, &out->basis, err);
}

reha_status reha_rule_parse_(const reha_place *place, const json_t *json, reha_guideline *guideline,
                             int programme, reha_rule *out, reha_error *err)
{
    const reha_place when_at = reha_place_key(place, "when");
    *out = (reha_rule){.programme = programme,
                       .priority = PRIORITY_DEFAULT,
                       .fact = -1,
                       .change = (double)NAN,
                       .reach = (double)NAN,
                       .file = guideline->programmes[programme].source.name,
                       .line = reha_place_line(place)};
    if (!json_is_object(json)) {
        return reha_place_fail(place, err, "must be a rule");
    }
    REHA_TRY(parse_common(place, json, guideline, out, err));
    REHA_TRY(parse_kind(place, json, guideline, out, err));
    return reha_condition_parse(&when_at, json_object_get(json, "when"), &guideline->facts, &out->when, err);
}

/* ---- Doses ---- */

static reha_status check_level(const reha_place *place, const json_t *level, reha_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    REHA_TRY(reha_place_keys(
        place, level, " sets repetitions hold_s minutes times_per_day days_per_week effort_0_10 percent_1rm ",
        err));
    json_object_foreach((json_t *)level, key, value)
    {
        const reha_place at = reha_place_key(place, key);
        if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 100) {
            return reha_place_fail(&at, err, "must be a whole number from 1 to 100");
        }
    }
    if (json_object_get(level, "days_per_week") == NULL ||
        (json_object_get(level, "minutes") == NULL && json_object_get(level, "repetitions") == NULL)) {
        return reha_place_fail(place, err,
                               "a dose says how often (days_per_week) and how much (minutes or repetitions)");
    }
    return REHA_OK;
}

reha_status reha_dose_parse_(const reha_place *place, const char *id, const json_t *json,
                             const reha_guideline *guideline, reha_dose *out, reha_error *err)
{
    const reha_place levels_at = reha_place_key(place, "levels");
    REHA_TRY(
        reha_place_keys(place, json, " type intensity levels progression regression strength source ", err));
    *out = (reha_dose){.id = id, .levels = json_object_get(json, "levels")};
    REHA_TRY(reha_place_string(place, json, "type", &out->type, err));
    REHA_TRY(reha_place_string(place, json, "intensity", &out->intensity, err));
    REHA_TRY(reha_place_string(place, json, "progression", &out->progression, err));
    REHA_TRY(reha_place_string(place, json, "regression", &out->regression, err));
    if (!json_is_array(out->levels) || json_array_size(out->levels) < 1 ||
        json_array_size(out->levels) > REHA_DOSE_LEVELS_MAX) {
        return reha_place_fail(&levels_at, err, "must be 1 to %d levels", REHA_DOSE_LEVELS_MAX);
    }
    for (size_t i = 0; i < json_array_size(out->levels); i++) {
        const reha_place at = reha_place_item(&levels_at, i);
        REHA_TRY(check_level(&at, json_array_get(out->levels, i), err));
    }
    return reha_basis_parse_(place, json, guideline, &out->basis, err);
}
