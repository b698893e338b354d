#include "rehab/guideline_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 200, PHASE_WEEKS_MAX = 520 };

reha_status reha_guidelines_folder(char **out, reha_error *err)
{
    return reha_folder_beside_program("REHASCOPE_GUIDELINES", "guidelines", out, err);
}

static reha_status load_part(const char *folder, const char *name, const char *schema, const char *member,
                             reha_source_text *out, json_t **items, reha_error *err)
{
    char *path = reha_path_join(folder, name);
    char allowed[64];
    *items = NULL;
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_source_load(path, out, err);
    reha_free(path);
    REHA_TRY(status);
    const reha_place root = reha_place_root(out);
    const reha_place at = reha_place_key(&root, member);
    (void)snprintf(allowed, sizeof allowed, " schema %s ", member);
    REHA_TRY(reha_place_keys(&root, out->json, allowed, err));
    if (strcmp(reha_json_string(out->json, "schema", ""), schema) != 0) {
        return reha_place_fail(&root, err, "schema must be %s", schema);
    }
    *items = json_object_get(out->json, member);
    return json_is_object(*items) ? REHA_OK : reha_place_fail(&at, err, "must be an object");
}

static reha_status load_sources(const char *folder, reha_guideline *g, reha_error *err)
{
    static const char *const reads[] = {"text", "abstract", "secondary", "convention"};
    json_t *items = NULL;
    const char *id = NULL;
    json_t *value = NULL;
    REHA_TRY(
        load_part(folder, "sources.json", "rehascope/sources/1", "sources", &g->sources_file, &items, err));
    const reha_place root = reha_place_root(&g->sources_file);
    const reha_place at = reha_place_key(&root, "sources");
    json_object_foreach(items, id, value)
    {
        const reha_place here = reha_place_key(&at, id);
        if (g->source_count >= REHA_GUIDE_SOURCES_MAX) {
            return reha_place_fail(&here, err, "more than %d sources", REHA_GUIDE_SOURCES_MAX);
        }
        reha_guide_source *to = &g->sources[g->source_count++];
        REHA_TRY(reha_place_keys(&here, value, " title year read ", err));
        to->id = id;
        REHA_TRY(reha_place_string(&here, value, "title", &to->title, err));
        REHA_TRY(reha_place_string(&here, value, "read", &to->read, err));
        const double year = reha_json_number(value, "year", 0.0);
        to->year = year >= 1980.0 && year <= 2100.0 ? (int)year : 0;
        bool is_known = false;
        for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
            is_known = is_known || strcmp(reads[i], to->read) == 0;
        }
        if (!is_known || (json_object_get(value, "year") != NULL && to->year == 0)) {
            return reha_place_fail(&here, err,
                                   "'read' is text, abstract, secondary or convention; 'year' 1980 to 2100");
        }
    }
    return REHA_OK;
}

static reha_status load_exercises(const char *folder, reha_guideline *g, reha_error *err)
{
    json_t *items = NULL;
    const char *id = NULL;
    json_t *value = NULL;
    REHA_TRY(load_part(folder, "exercises.json", "rehascope/exercises/1", "exercises", &g->exercises_file,
                       &items, err));
    const reha_place root = reha_place_root(&g->exercises_file);
    const reha_place at = reha_place_key(&root, "exercises");
    json_object_foreach(items, id, value)
    {
        const reha_place here = reha_place_key(&at, id);
        if (g->exercise_count >= REHA_EXERCISES_MAX) {
            return reha_place_fail(&here, err, "more than %d exercises", REHA_EXERCISES_MAX);
        }
        reha_exercise *to = &g->exercises[g->exercise_count++];
        REHA_TRY(reha_place_keys(&here, value, " title figure tags ", err));
        *to = (reha_exercise){.id = id, .tags = json_object_get(value, "tags")};
        REHA_TRY(reha_place_string(&here, value, "title", &to->title, err));
        REHA_TRY(reha_place_string(&here, value, "figure", &to->figure, err));
        for (size_t i = 0; i == 0 || i < json_array_size(to->tags); i++) {
            if (!json_is_string(json_array_get(to->tags, i))) {
                return reha_place_fail(&here, err, "'tags' must be a list of texts");
            }
        }
    }
    return REHA_OK;
}

static reha_status load_doses(const char *folder, reha_guideline *g, reha_error *err)
{
    json_t *items = NULL;
    const char *id = NULL;
    json_t *value = NULL;
    REHA_TRY(load_part(folder, "doses.json", "rehascope/doses/1", "doses", &g->doses_file, &items, err));
    const reha_place root = reha_place_root(&g->doses_file);
    const reha_place at = reha_place_key(&root, "doses");
    json_object_foreach(items, id, value)
    {
        const reha_place here = reha_place_key(&at, id);
        if (g->dose_count >= REHA_DOSES_MAX) {
            return reha_place_fail(&here, err, "more than %d doses", REHA_DOSES_MAX);
        }
        REHA_TRY(reha_dose_parse_(&here, id, value, g, &g->doses[g->dose_count], err));
        g->dose_count++;
    }
    return REHA_OK;
}

/* ---- A condition's file ---- */

/* Time alone may end a phase of time (a wound, a cast), never one that asks for strength or control: so a
 * phase has it only where its file says so. */
static reha_status parse_by_time(const reha_place *place, const json_t *json, const reha_guideline *g,
                                 reha_guide_phase *out, reha_error *err)
{
    static const char *const times[] = {"weeks_since_surgery", "weeks_since_injury"};
    const json_t *by_time = json_object_get(json, "by_time");
    const reha_place at = reha_place_key(place, "by_time");
    bool is_time = false;
    if (by_time == NULL) {
        return REHA_OK;
    }
    REHA_TRY(reha_condition_parse(&at, by_time, &g->facts, &out->by_time, err));
    for (size_t i = 0; out->by_time.kind == REHA_WHEN_AT_LEAST && i < sizeof times / sizeof times[0]; i++) {
        is_time = is_time || strcmp(g->facts.items[out->by_time.fact].name, times[i]) == 0;
    }
    if (!is_time || !out->has_advance) {
        return reha_place_fail(
            &at, err,
            "must be weeks_since_surgery or weeks_since_injury \"at_least\", in a phase with "
            "'advance'");
    }
    out->has_by_time = true;
    return REHA_OK;
}

static reha_status parse_phase(const reha_place *place, const json_t *json, bool is_last,
                               const reha_guideline *g, reha_guide_phase *out, reha_error *err)
{
    double weeks[2];
    const reha_place advance_at = reha_place_key(place, "advance");
    const json_t *advance = json_object_get(json, "advance");
    REHA_TRY(
        reha_place_keys(place, json, " id title focus patient weeks advance by_time strength source ", err));
    REHA_TRY(reha_place_string(place, json, "id", &out->id, err));
    REHA_TRY(reha_place_string(place, json, "title", &out->title, err));
    REHA_TRY(reha_place_string(place, json, "focus", &out->focus, err));
    REHA_TRY(reha_place_string(place, json, "patient", &out->patient, err));
    if (reha_json_need_numbers(json, "weeks", 2, weeks, NULL) != REHA_OK ||
        !(weeks[0] >= 0.0 && weeks[1] >= weeks[0] && weeks[1] <= PHASE_WEEKS_MAX)) {
        const reha_place at = reha_place_key(place, "weeks");
        return reha_place_fail(&at, err, "must be [from, to], how long the phase lasts as a rule, at most %d",
                               PHASE_WEEKS_MAX);
    }
    out->weeks_low = (int)weeks[0];
    out->weeks_high = (int)weeks[1];
    out->has_advance = advance != NULL;
    if (out->has_advance == is_last) {
        return reha_place_fail(place, err, "every phase but the last has 'advance', the last has none");
    }
    REHA_TRY(reha_condition_parse(&advance_at, advance, &g->facts, &out->advance, err));
    REHA_TRY(parse_by_time(place, json, g, out, err));
    return reha_basis_parse_(place, json, g, &out->basis, err);
}

static reha_status parse_programme(reha_guideline *g, int index, reha_error *err)
{
    reha_programme *to = &g->programmes[index];
    const json_t *json = to->source.json;
    const reha_place root = reha_place_root(&to->source);
    const reha_place phases_at = reha_place_key(&root, "phases");
    const reha_place rules_at = reha_place_key(&root, "rules");
    const json_t *phases = json_object_get(json, "phases");
    const json_t *rules = json_object_get(json, "rules");
    REHA_TRY(reha_place_keys(&root, json, " schema condition title version phases rules ", err));
    if (strcmp(reha_json_string(json, "schema", ""), "rehascope/guideline/1") != 0) {
        return reha_place_fail(&root, err, "schema must be rehascope/guideline/1");
    }
    to->condition = reha_json_string(json, "condition", NULL);
    REHA_TRY(reha_place_string(&root, json, "title", &to->title, err));
    REHA_TRY(reha_place_string(&root, json, "version", &to->version, err));
    const size_t phase_count = json_array_size(phases);
    if (phase_count > REHA_PHASES_MAX || (to->condition != NULL) != (phase_count > 0)) {
        return reha_place_fail(&phases_at, err, "a condition has 1 to %d phases, general rules none",
                               REHA_PHASES_MAX);
    }
    for (size_t i = 0; i < phase_count; i++) {
        const reha_place at = reha_place_item(&phases_at, i);
        to->phase_count++;
        REHA_TRY(parse_phase(&at, json_array_get(phases, i), i + 1 == phase_count, g, &to->phases[i], err));
    }
    if (!json_is_array(rules) || g->rule_count + json_array_size(rules) > REHA_RULES_MAX) {
        return reha_place_fail(&rules_at, err, "must be a list; all files together have at most %d",
                               REHA_RULES_MAX);
    }
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const reha_place at = reha_place_item(&rules_at, i);
        REHA_TRY(reha_rule_parse_(&at, json_array_get(rules, i), g, index, &g->rules[g->rule_count], err));
        g->rule_count++;
    }
    return REHA_OK;
}

static reha_status load_programmes(const char *folder, reha_guideline *g, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_paths paths = {0};
    char *conditions = reha_path_join(folder, "conditions");
    if (conditions == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_folder_list(conditions, FILES_MAX, &paths, err));
    for (size_t i = 0; i < paths.count; i++) {
        if (!reha_str_ends_nocase(paths.items[i], ".json")) {
            continue;
        }
        if (g->programme_count >= REHA_PROGRAMMES_MAX) {
            status = reha_fail(err, REHA_E_LIMIT, "%s: more than %d files", conditions, REHA_PROGRAMMES_MAX);
            goto done;
        }
        REHA_CHECK(reha_source_load(paths.items[i], &g->programmes[g->programme_count].source, err));
        g->programme_count++;
        REHA_CHECK(parse_programme(g, (int)g->programme_count - 1, err));
    }
    if (g->programme_count == 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "%s: no guideline files", conditions);
    }
done:
    reha_paths_clear(&paths);
    reha_free(conditions);
    return status;
}

reha_status reha_guideline_load(const char *folder, reha_guideline **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_guideline *g = reha_alloc_zero(1, sizeof *g);
    char *facts = reha_path_join(folder, "facts.json");
    if (g == NULL || facts == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the guidelines");
        goto done;
    }
    REHA_CHECK(reha_fact_list_load(facts, &g->facts, err));
    REHA_CHECK(load_sources(folder, g, err));
    REHA_CHECK(load_exercises(folder, g, err));
    REHA_CHECK(load_doses(folder, g, err));
    REHA_CHECK(load_programmes(folder, g, err));
    REHA_CHECK(reha_guideline_check(g, err));
    *out = g;
    g = NULL; /* handed over */
done:
    reha_guideline_free(g);
    reha_free(facts);
    return status;
}

void reha_guideline_free(reha_guideline *g)
{
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < REHA_RULES_MAX; i++) {
        reha_condition_clear(&g->rules[i].when);
    }
    for (size_t i = 0; i < REHA_PROGRAMMES_MAX; i++) {
        for (int p = 0; p < REHA_PHASES_MAX; p++) {
            reha_condition_clear(&g->programmes[i].phases[p].advance);
            reha_condition_clear(&g->programmes[i].phases[p].by_time);
        }
        reha_source_clear(&g->programmes[i].source);
    }
    reha_source_clear(&g->sources_file);
    reha_source_clear(&g->exercises_file);
    reha_source_clear(&g->doses_file);
    reha_fact_list_clear(&g->facts);
    reha_free(g);
}

int reha_guideline_programme(const reha_guideline *g, const char *condition)
{
    for (size_t i = 0; i < g->programme_count; i++) {
        if (g->programmes[i].condition != NULL && strcmp(g->programmes[i].condition, condition) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const reha_exercise *reha_guideline_exercise(const reha_guideline *g, const char *id)
{
    for (size_t i = 0; i < g->exercise_count; i++) {
        if (strcmp(g->exercises[i].id, id) == 0) {
            return &g->exercises[i];
        }
    }
    return NULL;
}

void reha_guideline_facts(const reha_guideline *guideline, int programme, unsigned char *set)
{
    for (size_t i = 0; i < guideline->rule_count; i++) {
        const reha_rule *rule = &guideline->rules[i];
        if (rule->programme != programme && guideline->programmes[rule->programme].condition != NULL) {
            continue;
        }
        reha_condition_facts(&rule->when, set);
        if (rule->fact >= 0) {
            set[rule->fact] = 1;
        }
    }
    for (int i = 0; i < guideline->programmes[programme].phase_count; i++) {
        const reha_guide_phase *phase = &guideline->programmes[programme].phases[i];
        if (phase->has_advance) {
            reha_condition_facts(&phase->advance, set);
        }
        if (phase->has_by_time) {
            reha_condition_facts(&phase->by_time, set);
        }
    }
    const int bmi = reha_fact_find(&guideline->facts, "bmi");
    for (size_t i = 0; bmi >= 0 && set[bmi] != 0 && i < guideline->facts.count;
         i++) { /* it is derived from both */
        const char *name = guideline->facts.items[i].name;
        set[i] |= strcmp(name, "height_cm") == 0 || strcmp(name, "weight_kg") == 0 ? 1 : 0;
    }
}
