#include "recognition/subgroups.h"

#include "base/memory.h"

#include <string.h>

enum { GROUPS_MAX = 24, BY_SIDE = -3, BY_INVERSION = -2, BY_DEVICE = -1 /* then the table's groupings */ };

typedef struct table {
    const reha_dataset *data;
    const reha_graded_case *cases;
    const reha_subgroup_facts *facts;
    const reha_subgroup_figures *how;
    reha_graded_case *part; /* room for all cases */
    json_t *list;
} table;

static const char *name_of(const table *of, int by)
{
    return by == BY_SIDE        ? "side"
           : by == BY_INVERSION ? "grey values"
           : by == BY_DEVICE    ? "device (file)"
                                : of->data->groupings[by];
}

static const char *group_of(const table *of, int by, size_t i)
{
    if (by == BY_SIDE) {
        return reha_side_text(of->data->items[i].side);
    }
    if (by == BY_INVERSION) {
        return of->facts[i].was_inverted ? "inverted" : "as usual";
    }
    const char *group = by == BY_DEVICE ? of->facts[i].device : of->data->items[i].groups[by];
    return group[0] != '\0' ? group : "not stated";
}

static reha_status add_group(const table *of, int by, const char *group, reha_error *err)
{
    static const char *const kept[] = {"patients", "accuracy", "kappa",        "mae",
                                       "auc",      "coverage", "mean_set_size"};
    size_t count = 0;
    size_t refused = 0;
    for (size_t i = 0; i < of->data->count; i++) {
        if (strcmp(group_of(of, by, i), group) == 0) {
            refused += of->cases[i].is_refused ? 1 : 0;
            of->part[count++] = of->cases[i];
        }
    }
    json_t *row = json_pack("{s:s, s:o, s:I, s:b, s:I}", "by", name_of(of, by), "group",
                            reha_json_text(group), "n", (json_int_t)count, "few",
                            count - refused < REHA_SUBGROUP_FEW ? 1 : 0, "refused", (json_int_t)refused);
    if (row == NULL || json_array_append_new(of->list, row) != 0) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the subgroups");
    }
    if (count == refused) {
        return REHA_OK;
    }
    reha_graded_metrics metrics;
    json_t *figures = NULL;
    REHA_TRY(reha_graded_metrics_compute(of->part, count, of->how->class_count, of->how->boundary,
                                         of->how->rounds, of->how->seed, &metrics, err));
    REHA_TRY(reha_graded_metrics_to_json(&metrics, &figures, err));
    for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++) {
        (void)json_object_set(row, kept[k], json_object_get(figures, kept[k]));
    }
    json_decref(figures);
    return REHA_OK;
}

/* Each group once, in the order of first appearance; more than GROUPS_MAX are no subgroups but identities. */
static reha_status add_grouping(const table *of, int by, reha_error *err)
{
    const char *seen[GROUPS_MAX];
    int count = 0;
    for (size_t i = 0; i < of->data->count; i++) {
        const char *group = group_of(of, by, i);
        int g = 0;
        while (g < count && strcmp(seen[g], group) != 0) {
            g++;
        }
        if (g == count && count == GROUPS_MAX) {
            return REHA_OK;
        }
        if (g == count) {
            seen[count++] = group;
        }
    }
    for (int g = 0; g < count && count > 1; g++) {
        REHA_TRY(add_group(of, by, seen[g], err));
    }
    return REHA_OK;
}

reha_status reha_subgroups_to_json(const reha_dataset *data, const reha_graded_case *cases,
                                   const reha_subgroup_facts *facts, const reha_subgroup_figures *how,
                                   json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    table of = {data, cases, facts, how, reha_alloc(data->count * sizeof *of.part), json_array()};
    *out = NULL;
    if (of.part == NULL || of.list == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the subgroups"));
    }
    for (int by = BY_SIDE; by < data->grouping_count; by++) {
        REHA_CHECK(add_grouping(&of, by, err));
    }
    *out = json_incref(of.list);
done:
    json_decref(of.list);
    reha_free(of.part);
    return status;
}
