#include "recognition/audit_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUPS_MAX = 24, GROUP_MIN = 20, BY_SIDE = -1 /* then the table's groupings */ };
static const double LOPSIDED_Z = 4.0; /* standard errors between the shares of disease of two groups */
static const double LOPSIDED_DIFFERENCE = 0.15; /* and at least this much */

typedef struct group {
    const char *name;
    size_t count, ill;
} group;

static const char *group_of(const reha_dataset *data, int by, size_t i)
{
    const char *name = by == BY_SIDE ? reha_side_text(data->items[i].side) : data->items[i].groups[by];
    return name[0] != '\0' ? name : "not stated";
}

/* -1: more than GROUPS_MAX, so no subgroups but identities. */
static int count_groups(const reha_dataset *data, int by, int boundary, group *out)
{
    int count = 0;
    for (size_t i = 0; i < data->count; i++) {
        const char *name = group_of(data, by, i);
        int g = 0;
        while (g < count && strcmp(out[g].name, name) != 0) {
            g++;
        }
        if (g == count && count == GROUPS_MAX) {
            return -1;
        }
        if (g == count) {
            out[count++] = (group){name, 0, 0};
        }
        out[g].count++;
        out[g].ill += data->items[i].grade >= boundary ? 1 : 0;
    }
    return count;
}

/* A difference that chance does not make and a network could use. */
static bool is_lopsided(const group *a, const group *b)
{
    if (a->count < GROUP_MIN || b->count < GROUP_MIN) {
        return false;
    }
    const double pa = (double)a->ill / (double)a->count;
    const double pb = (double)b->ill / (double)b->count;
    const double p = (double)(a->ill + b->ill) / (double)(a->count + b->count);
    const double error = sqrt(p * (1.0 - p) * (1.0 / (double)a->count + 1.0 / (double)b->count));
    return fabs(pa - pb) >= LOPSIDED_DIFFERENCE && fabs(pa - pb) >= LOPSIDED_Z * error;
}

typedef struct group_problems {
    reha_problem rare, unstated, implausible, lopsided;
} group_problems;

static void judge_grouping(const reha_dataset *data, int by, const group *found, int count,
                           group_problems *to, json_t *groups)
{
    const char *grouping = by == BY_SIDE ? "side" : data->groupings[by];
    for (int g = 0; g < count; g++) {
        char text[120];
        const group *one = &found[g];
        (void)json_array_append_new(groups, json_pack("{s:s, s:o, s:I, s:I}", "by", grouping, "group",
                                                      reha_json_text(one->name), "n", (json_int_t)one->count,
                                                      "disease", (json_int_t)one->ill));
        (void)snprintf(text, sizeof text, "%s %.32s: %zu of %zu", grouping, one->name, one->count,
                       data->count);
        if (strcmp(one->name, "not stated") == 0 || strcmp(one->name, "unknown") == 0) {
            reha_problem_add(&to->unstated, text, NULL);
        } else if (strcmp(one->name, "implausible") == 0) {
            reha_problem_add(&to->implausible, text, NULL);
        } else if (one->count < GROUP_MIN) {
            reha_problem_add(&to->rare, text, NULL);
        }
        for (int h = 0; h < g; h++) {
            if (is_lopsided(one, &found[h])) {
                (void)snprintf(text, sizeof text, "%s: disease in %.0f %% of %.32s, %.0f %% of %.32s",
                               grouping, 100.0 * (double)one->ill / (double)one->count, one->name,
                               100.0 * (double)found[h].ill / (double)found[h].count, found[h].name);
                reha_problem_add(&to->lopsided, text, NULL);
            }
        }
    }
}

/* Equal knees in one split are follow-ups or copies, and in any case not independent. */
static void find_repeated_knees(const reha_dataset *data, json_t *problems)
{
    reha_problem twice =
        reha_problem_new("knee-repeated", "warning", "rows that name a knee for a second time",
                         "follow-ups: keep them with one patient_id in one split; else remove them");
    for (size_t i = 0; i < data->count; i++) {
        for (size_t j = 0; j < i && data->items[i].knee_id[0] != '\0'; j++) {
            if (strcmp(data->items[i].knee_id, data->items[j].knee_id) == 0) {
                reha_problem_add(&twice, data->items[j].path, data->items[i].path);
                break;
            }
        }
    }
    reha_problem_close(problems, &twice);
}

void reha_audit_groups(const reha_dataset *data, int boundary, json_t *problems, json_t **groups)
{
    group_problems to = {
        reha_problem_new("group-few", "info", "subgroups of fewer than 20 images",
                         "do not conclude from their figures; add images of them"),
        reha_problem_new("group-unstated", "info", "subgroups whose images do not say which they belong to",
                         "fill the column, or read the subgroup tables with that in mind"),
        reha_problem_new("age-implausible", "warning", "groups of ages that cannot be",
                         "correct or empty these cells"),
        reha_problem_new(
            "group-lopsided", "warning", "pairs of subgroups with quite different shares of disease",
            "of device, source or view: a network may learn the group for the disease, so balance them and "
            "read the figures within each group; of age or sex: expected, but read them by group too")};
    group found[GROUPS_MAX];
    *groups = json_array();
    for (int by = BY_SIDE; by < data->grouping_count; by++) {
        const int count = count_groups(data, by, boundary, found);
        if (count > 1 || (count == 1 && by != BY_SIDE)) {
            judge_grouping(data, by, found, count, &to, *groups);
        }
    }
    reha_problem_close(problems, &to.implausible);
    reha_problem_close(problems, &to.lopsided);
    reha_problem_close(problems, &to.rare);
    reha_problem_close(problems, &to.unstated);
    find_repeated_knees(data, problems);
}
