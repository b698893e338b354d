#include "rehab/facts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const origin_names[] = {"person",   "symptom",  "function", "history",
                                           "red-flag", "response", "test",     "image"};
enum { ORIGIN_COUNT = sizeof origin_names / sizeof origin_names[0], NAME_LENGTH_MAX = 48 };

static reha_status parse_choices(const reha_place *place, const json_t *json, reha_fact *fact,
                                 reha_error *err)
{
    const json_t *choices = json_object_get(json, "choices");
    const reha_place at = reha_place_key(place, "choices");
    if (!json_is_array(choices) || json_array_size(choices) < 2 ||
        json_array_size(choices) > REHA_CHOICES_MAX) {
        return reha_place_fail(&at, err, "must be 2 to %d texts", REHA_CHOICES_MAX);
    }
    for (size_t i = 0; i < json_array_size(choices); i++) {
        fact->choices[i] = json_string_value(json_array_get(choices, i));
        if (fact->choices[i] == NULL) {
            return reha_place_fail(&at, err, "must be texts");
        }
    }
    fact->choice_count = (int)json_array_size(choices);
    return REHA_OK;
}

static reha_status parse_type(const reha_place *place, const json_t *json, reha_fact *fact, reha_error *err)
{
    const char *type = NULL;
    double range[2];
    REHA_TRY(reha_place_string(place, json, "type", &type, err));
    if (strcmp(type, "bool") == 0) {
        fact->type = REHA_FACT_BOOL;
        fact->high = 1.0;
        return REHA_OK;
    }
    if (strcmp(type, "choice") == 0) {
        fact->type = REHA_FACT_CHOICE;
        REHA_TRY(parse_choices(place, json, fact, err));
        fact->high = fact->choice_count - 1;
        return REHA_OK;
    }
    const reha_place at = reha_place_key(place, "range");
    if (strcmp(type, "number") != 0) {
        const reha_place type_at = reha_place_key(place, "type");
        return reha_place_fail(&type_at, err, "'%.20s' is none of number, bool, choice", type);
    }
    if (reha_json_need_numbers(json, "range", 2, range, NULL) != REHA_OK || !(range[0] < range[1])) {
        return reha_place_fail(&at, err, "must be [lowest, highest]");
    }
    fact->low = range[0];
    fact->high = range[1];
    return REHA_OK;
}

static reha_status parse_fact(const reha_place *place, const char *name, const json_t *json, reha_fact *fact,
                              reha_error *err)
{
    const char *origin = NULL;
    REHA_TRY(reha_place_keys(place, json, " label type unit range choices section origin finding instrument ",
                             err));
    REHA_TRY(reha_place_string(place, json, "label", &fact->label, err));
    REHA_TRY(reha_place_string(place, json, "origin", &origin, err));
    fact->name = name;
    fact->unit = reha_json_string(json, "unit", "");
    fact->section = reha_json_string(json, "section", "");
    fact->finding = reha_json_string(json, "finding", NULL);
    fact->instrument = reha_json_string(json, "instrument", NULL);
    int found = 0;
    while (found < ORIGIN_COUNT && strcmp(origin_names[found], origin) != 0) {
        found++;
    }
    if (found == ORIGIN_COUNT || strlen(name) > NAME_LENGTH_MAX) {
        return reha_place_fail(place, err, "origin '%.20s' is not known, or the name is too long", origin);
    }
    fact->origin = (reha_fact_origin)found;
    return parse_type(place, json, fact, err);
}

reha_status reha_fact_list_load(const char *path, reha_fact_list *out, reha_error *err)
{
    reha_status status = REHA_OK;
    const char *name = NULL;
    json_t *value = NULL;
    *out = (reha_fact_list){.count = 0};
    REHA_TRY(reha_source_load(path, &out->source, err));
    const reha_place root = reha_place_root(&out->source);
    const reha_place at = reha_place_key(&root, "facts");
    json_t *facts = json_object_get(out->source.json, "facts");
    REHA_CHECK(reha_place_keys(&root, out->source.json, " schema facts ", err));
    if (strcmp(reha_json_string(out->source.json, "schema", ""), "rehascope/facts/1") != 0) {
        status = reha_place_fail(&root, err, "schema must be rehascope/facts/1");
        goto done;
    }
    if (!json_is_object(facts) || json_object_size(facts) > REHA_FACTS_MAX) {
        status = reha_place_fail(&at, err, "must be an object of at most %d facts", REHA_FACTS_MAX);
        goto done;
    }
    json_object_foreach(facts, name, value)
    {
        const reha_place here = reha_place_key(&at, name);
        REHA_CHECK(parse_fact(&here, name, value, &out->items[out->count], err));
        out->count++;
    }
done:
    if (status != REHA_OK) {
        reha_fact_list_clear(out);
    }
    return status;
}

void reha_fact_list_clear(reha_fact_list *list)
{
    reha_source_clear(&list->source);
    list->count = 0;
}

int reha_fact_find(const reha_fact_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Levenshtein distance of two short names. */
static int distance(const char *a, const char *b)
{
    int row[NAME_LENGTH_MAX + 2];
    const int columns = (int)strlen(b);
    if (columns > NAME_LENGTH_MAX || strlen(a) > NAME_LENGTH_MAX) {
        return NAME_LENGTH_MAX;
    }
    for (int j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= columns; j++) {
            const int above = row[j];
            int least = diagonal + (a[i - 1] != b[j - 1]);
            least = above + 1 < least ? above + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            row[j] = least;
            diagonal = above;
        }
    }
    return row[columns];
}

const char *reha_fact_near(const reha_fact_list *list, const char *name)
{
    const char *best = NULL;
    int best_distance = 1 + (int)strlen(name) / 3;
    for (size_t i = 0; i < list->count; i++) {
        const int d = distance(name, list->items[i].name);
        if (d < best_distance) {
            best_distance = d;
            best = list->items[i].name;
        }
    }
    return best;
}

static reha_status parse_choice(const reha_fact *fact, const json_t *json, const reha_place *place,
                                double *out, reha_error *err)
{
    static const char more[] = ", ... (all: guidelines/facts.json)";
    char known[160] = "";
    int left_out = 0;
    const char *text = json_string_value(json);
    for (int i = 0; i < fact->choice_count; i++) {
        if (text != NULL && strcmp(text, fact->choices[i]) == 0) {
            *out = i;
            return REHA_OK;
        }
        const size_t used = strlen(known);
        if (left_out == 0 && used + strlen(fact->choices[i]) + sizeof more + 2 < sizeof known) {
            (void)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", fact->choices[i]);
        } else if (left_out++ == 0) { /* whole words only, and that there are more */
            (void)snprintf(known + used, sizeof known - used, "%s", more);
        }
    }
    return reha_place_fail(place, err, "must be one of: %s", known);
}

reha_status reha_fact_parse(const reha_fact *fact, const json_t *json, const reha_place *place, double *out,
                            reha_error *err)
{
    *out = (double)NAN;
    switch (fact->type) {
    case REHA_FACT_BOOL:
        if (!json_is_boolean(json)) {
            return reha_place_fail(place, err, "must be true or false");
        }
        *out = json_is_true(json) ? 1.0 : 0.0;
        return REHA_OK;
    case REHA_FACT_CHOICE:
        return parse_choice(fact, json, place, out, err);
    case REHA_FACT_NUMBER:
        break;
    }
    const double value = json_number_value(json);
    if (!json_is_number(json) || !(value >= fact->low && value <= fact->high)) {
        return reha_place_fail(place, err, "must be a number from %g to %g%s%s", fact->low, fact->high,
                               fact->unit[0] != '\0' ? " " : "", fact->unit);
    }
    *out = value;
    return REHA_OK;
}

void reha_fact_format(const reha_fact *fact, double value, char *out, size_t out_bytes)
{
    if (isnan(value)) {
        (void)snprintf(out, out_bytes, "not known");
    } else if (fact->type == REHA_FACT_BOOL) {
        (void)snprintf(out, out_bytes, "%s", value > 0.5 ? "yes" : "no");
    } else if (fact->type == REHA_FACT_CHOICE) {
        (void)snprintf(out, out_bytes, "%s", fact->choices[(int)value]);
    } else {
        (void)snprintf(out, out_bytes, "%.4g%s%s", value, fact->unit[0] != '\0' ? " " : "", fact->unit);
    }
}

json_t *reha_fact_json(const reha_fact *fact, double value)
{
    if (isnan(value)) {
        return json_null();
    }
    if (fact->type == REHA_FACT_BOOL) {
        return json_boolean(value > 0.5);
    }
    return fact->type == REHA_FACT_CHOICE ? json_string(fact->choices[(int)value]) : reha_json_real(value);
}
