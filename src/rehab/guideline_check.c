#include "rehab/guideline.h"

#include <stdio.h>
#include <string.h>

static bool has_tag(const reha_exercise *exercise, const char *tag)
{
    for (size_t i = 0; i < json_array_size(exercise->tags); i++) {
        if (strcmp(json_string_value(json_array_get(exercise->tags, i)), tag) == 0) {
            return true;
        }
    }
    return false;
}

bool reha_rule_forbids_exercise(const reha_rule *forbidding, const reha_exercise *exercise)
{
    for (size_t i = 0; i < json_array_size(forbidding->forbids); i++) {
        const char *what = json_string_value(json_array_get(forbidding->forbids, i));
        if ((strncmp(what, "tag:", 4) == 0 && has_tag(exercise, what + 4)) ||
            (strncmp(what, "exercise:", 9) == 0 && strcmp(what + 9, exercise->id) == 0)) {
            return true;
        }
    }
    return false;
}

/* "advice:" or "dose:" with exactly this name. */
static bool forbids_name(const reha_rule *forbidding, const char *prefix, const char *name)
{
    const size_t length = strlen(prefix);
    for (size_t i = 0; i < json_array_size(forbidding->forbids); i++) {
        const char *what = json_string_value(json_array_get(forbidding->forbids, i));
        if (strncmp(what, prefix, length) == 0 && strcmp(what + length, name) == 0) {
            return true;
        }
    }
    return false;
}

bool reha_rule_forbids(const reha_rule *forbidding, const reha_rule *recommending)
{
    if (recommending->kind == REHA_RULE_EXERCISE) {
        return reha_rule_forbids_exercise(forbidding, recommending->exercise) ||
               forbids_name(forbidding, "dose:", recommending->dose->id);
    }
    return recommending->kind == REHA_RULE_ADVICE &&
           forbids_name(forbidding, "advice:", recommending->action);
}

static reha_condition condition_leaf(const reha_guideline *g, const char *condition)
{
    const int fact = reha_fact_find(&g->facts, "condition");
    reha_condition leaf = {.kind = REHA_WHEN_ALWAYS, .fact = -1};
    for (int i = 0; fact >= 0 && condition != NULL && i < g->facts.items[fact].choice_count; i++) {
        if (strcmp(g->facts.items[fact].choices[i], condition) == 0) {
            leaf = (reha_condition){.kind = REHA_WHEN_IN, .fact = fact, .mask = 1u << (unsigned)i};
        }
    }
    return leaf;
}

static reha_status check_fireable(const reha_guideline *g, const reha_rule *rule, reha_error *err)
{
    const reha_condition leaf = condition_leaf(g, g->programmes[rule->programme].condition);
    const reha_condition *const both[] = {&leaf, &rule->when};
    if (!reha_conditions_can_hold(both, 2, &g->facts)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "%s line %d: rule '%s' can never apply: its criteria exclude each other", rule->file,
                         rule->line, rule->id);
    }
    return REHA_OK;
}

static int image_fact(const reha_guideline *g, const reha_condition *condition)
{
    unsigned char set[REHA_FACTS_MAX] = {0};
    reha_condition_facts(condition, set);
    for (size_t i = 0; i < g->facts.count; i++) {
        if (set[i] != 0 && g->facts.items[i].origin == REHA_FACT_IMAGE) {
            return (int)i;
        }
    }
    return -1;
}

/* Symptoms and function lead; findings may only add caution. */
static reha_status check_picture(const reha_guideline *g, const reha_rule *rule, reha_error *err)
{
    const bool may_use = rule->kind == REHA_RULE_REFUSE || rule->kind == REHA_RULE_RED_FLAG ||
                         rule->kind == REHA_RULE_BLOCK || rule->kind == REHA_RULE_AVOID ||
                         rule->kind == REHA_RULE_PRECAUTION || rule->kind == REHA_RULE_IMAGING ||
                         rule->kind == REHA_RULE_REFER;
    const int fact = image_fact(g, &rule->when);
    if (fact >= 0 && !may_use) {
        return reha_fail(
            err, REHA_E_FORMAT,
            "%s line %d: rule '%s' (%s) hangs on the image fact '%s': a picture may add caution, never "
            "exercises, doses, goals or advice",
            rule->file, rule->line, rule->id, reha_rule_kind_name(rule->kind), g->facts.items[fact].name);
    }
    return REHA_OK;
}

static bool phases_meet(const reha_rule *a, const reha_rule *b)
{
    return a->phases == 0 || b->phases == 0 || (a->phases & b->phases) != 0;
}

static reha_status check_pair(const reha_guideline *g, const reha_rule *yes, const reha_rule *no,
                              reha_error *err)
{
    const char *one = g->programmes[yes->programme].condition;
    const char *other = g->programmes[no->programme].condition;
    if ((one != NULL && other != NULL && yes->programme != no->programme) || yes->priority != no->priority ||
        !phases_meet(yes, no) || !reha_rule_forbids(no, yes)) {
        return REHA_OK;
    }
    const reha_condition leaf = condition_leaf(g, one != NULL ? one : other);
    const reha_condition *const all[] = {&leaf, &yes->when, &no->when};
    if (reha_conditions_can_hold(all, 3, &g->facts)) {
        return reha_fail(
            err, REHA_E_FORMAT,
            "%s line %d: rule '%s' forbids what '%s' (%s line %d) recommends for the same patient; give "
            "one of them a priority",
            no->file, no->line, no->id, yes->id, yes->file, yes->line);
    }
    return REHA_OK;
}

static reha_status check_programmes(const reha_guideline *g, reha_error *err)
{
    const int fact = reha_fact_find(&g->facts, "condition");
    if (fact < 0 || g->facts.items[fact].type != REHA_FACT_CHOICE) {
        return reha_fail(err, REHA_E_FORMAT, "%s: the choice 'condition' is missing", g->facts.source.name);
    }
    for (int i = 0; i < g->facts.items[fact].choice_count; i++) {
        if (reha_guideline_programme(g, g->facts.items[fact].choices[i]) < 0) {
            return reha_fail(err, REHA_E_FORMAT, "%s: the condition '%s' has no file in conditions/",
                             g->facts.source.name, g->facts.items[fact].choices[i]);
        }
    }
    for (size_t i = 0; i < g->programme_count; i++) {
        const reha_programme *p = &g->programmes[i];
        if (p->condition != NULL && condition_leaf(g, p->condition).kind == REHA_WHEN_ALWAYS) {
            return reha_fail(err, REHA_E_FORMAT, "%s: the condition '%s' is no choice of facts.json",
                             p->source.name, p->condition);
        }
        for (int k = 0; k < p->phase_count; k++) {
            if (image_fact(g, &p->phases[k].advance) >= 0) {
                return reha_fail(err, REHA_E_FORMAT,
                                 "%s: phase '%s' ends by an image fact: use a block instead", p->source.name,
                                 p->phases[k].id);
            }
        }
    }
    return REHA_OK;
}

reha_status reha_guideline_check(const reha_guideline *g, reha_error *err)
{
    REHA_TRY(check_programmes(g, err));
    for (size_t i = 0; i < g->rule_count; i++) {
        REHA_TRY(check_fireable(g, &g->rules[i], err));
        REHA_TRY(check_picture(g, &g->rules[i], err));
    }
    for (size_t i = 0; i < g->rule_count; i++) {
        for (size_t k = 0; k < g->rule_count && g->rules[i].forbids != NULL; k++) {
            REHA_TRY(check_pair(g, &g->rules[k], &g->rules[i], err));
        }
    }
    return REHA_OK;
}
