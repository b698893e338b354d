#include "rehab/facts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A machine's yes is taken from this probability on; between the two limits it says nothing. */
static const double YES_FROM = 0.5;
static const double NO_BELOW = 0.2;

/* The value that a finding gives to a fact; NaN: none. */
static double value_from(const reha_fact *fact, const json_t *finding, const char **how)
{
    const json_t *grading = json_object_get(finding, "grading");
    const double probability = reha_json_number(finding, "probability", (double)NAN);
    double value = (double)NAN;
    if (fact->type == REHA_FACT_BOOL) {
        *how = "probability";
        return isnan(probability)        ? value
               : probability >= YES_FROM ? 1.0
               : probability < NO_BELOW  ? 0.0
                                         : value;
    }
    if (fact->type == REHA_FACT_NUMBER && json_is_object(grading)) {
        *how = "most probable grade";
        value = reha_json_number(grading, "grade", (double)NAN);
    } else if (fact->type == REHA_FACT_NUMBER) {
        *how = "measured";
        value = reha_json_number(json_object_get(finding, "measure"), "value", (double)NAN);
    }
    return value >= fact->low && value <= fact->high ? value : (double)NAN;
}

/* Of two statements the worse one counts: findings only ever add caution. */
static void take(const reha_fact_list *list, reha_plan_input *input, size_t index, const json_t *finding)
{
    const reha_fact *fact = &list->items[index];
    reha_facts *facts = &input->facts;
    const char *how = "";
    const double value = value_from(fact, finding, &how);
    if (isnan(value)) {
        return;
    }
    if (!isnan(facts->values[index]) && facts->from[index][0] == '\0') {
        reha_plan_input_note(input, "finding '%s' is not used: %s is stated by the clinician", fact->finding,
                             fact->label);
        return;
    }
    if (isnan(facts->values[index]) || value > facts->values[index]) {
        facts->values[index] = value;
        (void)snprintf(facts->from[index], REHA_FACT_FROM_BYTES, "finding '%s' (%s%s)", fact->finding, how,
                       json_is_true(json_object_get(finding, "research_only")) ? ", research only" : "");
    }
}

static bool is_of_side(const reha_plan_input *input, const char *side)
{
    return strcmp(side, "unknown") == 0 || strcmp(input->side, "both") == 0 ||
           strcmp(input->side, "none") == 0 || strcmp(input->side, side) == 0;
}

static reha_status take_region(const reha_place *place, const json_t *region, const reha_fact_list *list,
                               reha_plan_input *input, reha_error *err)
{
    const json_t *findings = NULL;
    const char *side = reha_json_string(region, "side", "unknown");
    const reha_place at = reha_place_key(place, "findings");
    if (!json_is_object(region) || reha_json_need_array(region, "findings", 0, &findings, NULL) != REHA_OK) {
        return reha_place_fail(&at, err, "must be a list (docs/formats/analysis.md)");
    }
    if (!json_is_true(json_object_get(region, "accepted"))) {
        reha_plan_input_note(input, "a refused region of an analysis is not used");
        return REHA_OK;
    }
    if (!is_of_side(input, side)) {
        reha_plan_input_note(input, "findings of the %s side are not used: the plan is for the %s side", side,
                             input->side);
        return REHA_OK;
    }
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        const char *key = reha_json_string(finding, "key", "");
        for (size_t k = 0; k < list->count; k++) {
            if (list->items[k].finding != NULL && strcmp(list->items[k].finding, key) == 0) {
                take(list, input, k, finding);
            }
        }
    }
    return REHA_OK;
}

reha_status reha_facts_take_analysis(const reha_place *place, const json_t *analysis,
                                     const reha_fact_list *list, reha_plan_input *input, reha_error *err)
{
    const json_t *regions = NULL;
    const reha_place at = reha_place_key(place, "regions");
    if (!json_is_object(analysis) ||
        reha_json_need_array(analysis, "regions", 0, &regions, NULL) != REHA_OK) {
        return reha_place_fail(&at, err, "must be a list: is this an analysis (docs/formats/analysis.md)?");
    }
    if (json_array_size(regions) == 0) {
        reha_plan_input_note(input, "an analysis without regions is not used");
    }
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const reha_place item = reha_place_item(&at, i);
        REHA_TRY(take_region(&item, json_array_get(regions, i), list, input, err));
    }
    return REHA_OK;
}
