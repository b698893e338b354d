/* Distributions and intervals from and to JSON. */
#include "rehab/outcome_spread.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

static json_t *numbers(const double *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, reha_json_real(values[i]));
    }
    return array;
}

reha_status reha_spread_to_json(const reha_spread *spread, const reha_feature *features, json_t **out,
                                reha_error *err)
{
    json_t *groups = json_array();
    json_t *nodes = json_array();
    json_t *widen = json_array();
    for (size_t g = 0; g < spread->group_count; g++) {
        const reha_feature *feature = &features[spread->groups[g].feature];
        const reha_spread_group *group = &spread->groups[g];
        const bool is_known = group->first >= 0;
        (void)json_array_append_new(
            groups, json_pack("{s:s, s:o, s:o}", "feature", feature->key, "from",
                              is_known ? json_string(feature->levels[group->first]) : json_null(), "to",
                              is_known ? json_string(feature->levels[group->last]) : json_null()));
    }
    for (size_t k = 0; k < spread->node_count; k++) {
        (void)json_array_append_new(
            nodes, json_pack("{s:f, s:o}", "expected", spread->nodes[k], "cumulative",
                             numbers(spread->cdf + k * spread->cell_count, spread->cell_count)));
    }
    for (size_t l = 0; l < REHA_INTERVALS; l++) {
        (void)json_array_append_new(widen, json_pack("{s:f, s:o}", "level", reha_interval_levels[l], "widen",
                                                     numbers(spread->widen[l], spread->group_count + 1)));
    }
    *out =
        json_pack("{s:b, s:f, s:f, s:f, s:f, s:I, s:o, s:o, s:o}", "whole", spread->is_whole ? 1 : 0, "low",
                  spread->low, "high", spread->high, "edge", spread->edge, "width", spread->width, "cells",
                  (json_int_t)spread->cell_count, "nodes", nodes, "groups", groups, "intervals", widen);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
}

static reha_status read_nodes(const json_t *object, reha_spread *spread, reha_error *err)
{
    const json_t *nodes = NULL;
    REHA_TRY(reha_json_need_array(object, "nodes", 0, &nodes, err));
    spread->node_count = json_array_size(nodes);
    if (spread->node_count == 0 || spread->node_count > REHA_SPREAD_NODES_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "'nodes' must have 1 to %d items", REHA_SPREAD_NODES_MAX);
    }
    spread->cdf = reha_alloc_zero(spread->node_count * spread->cell_count, sizeof *spread->cdf);
    if (spread->cdf == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a model");
    }
    for (size_t k = 0; k < spread->node_count; k++) {
        const json_t *node = json_array_get(nodes, k);
        double *row = spread->cdf + k * spread->cell_count;
        REHA_TRY(reha_json_need_number(node, "expected", &spread->nodes[k], err));
        REHA_TRY(reha_json_need_numbers(node, "cumulative", spread->cell_count, row, err));
        double before = 0.0;
        for (size_t c = 0; c < spread->cell_count; c++) {
            if (!(row[c] >= before && row[c] <= 1.0 + 1e-6)) {
                return reha_fail(err, REHA_E_FORMAT, "'nodes[%zu]': cumulative shares must rise from 0 to 1",
                                 k);
            }
            before = row[c];
        }
        if (k > 0 && !(spread->nodes[k] > spread->nodes[k - 1])) {
            return reha_fail(err, REHA_E_FORMAT, "'nodes' must rise");
        }
    }
    return REHA_OK;
}

static reha_status read_groups(const json_t *object, const reha_feature *features, size_t count,
                               reha_spread *spread, reha_error *err)
{
    const json_t *groups = NULL;
    REHA_TRY(reha_json_need_array(object, "groups", 0, &groups, err));
    if (json_array_size(groups) > REHA_SPREAD_GROUPS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "'groups' has more than %d items", REHA_SPREAD_GROUPS_MAX);
    }
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g);
        const char *from = json_string_value(json_object_get(group, "from"));
        const char *to = json_string_value(json_object_get(group, "to"));
        const int j = reha_feature_find(features, count, reha_json_string(group, "feature", ""));
        const int first = j >= 0 && from != NULL ? reha_feature_level(&features[j], from) : -1;
        const int last = j >= 0 && to != NULL ? reha_feature_level(&features[j], to) : -1;
        if (j < 0 || (from != NULL && first < 0) || (to != NULL && last < 0) || last < first ||
            (first < 0) != (last < 0)) {
            return reha_fail(err, REHA_E_FORMAT, "'groups[%zu]': no such feature or levels", g);
        }
        spread->groups[spread->group_count++] =
            (reha_spread_group){.feature = (uint32_t)j, .first = first, .last = last};
    }
    return REHA_OK;
}

static reha_status read_spread(const json_t *object, const reha_feature *features, size_t count,
                               reha_spread *spread, reha_error *err)
{
    const json_t *intervals = NULL;
    double cells = 0.0;
    spread->is_whole = json_is_true(json_object_get(object, "whole"));
    REHA_TRY(reha_json_need_number(object, "low", &spread->low, err));
    REHA_TRY(reha_json_need_number(object, "high", &spread->high, err));
    REHA_TRY(reha_json_need_number(object, "edge", &spread->edge, err));
    REHA_TRY(reha_json_need_number(object, "width", &spread->width, err));
    REHA_TRY(reha_json_need_number(object, "cells", &cells, err));
    if (!(cells >= 1.0 && cells <= REHA_SPREAD_CELLS_MAX && cells == floor(cells) && spread->width > 0.0 &&
          spread->low < spread->high)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "'cells', 'width' and the bounds do not describe a distribution");
    }
    spread->cell_count = (size_t)cells;
    REHA_TRY(read_nodes(object, spread, err));
    REHA_TRY(read_groups(object, features, count, spread, err));
    REHA_TRY(reha_json_need_array(object, "intervals", REHA_INTERVALS, &intervals, err));
    for (size_t l = 0; l < REHA_INTERVALS; l++) {
        REHA_TRY(reha_json_need_numbers(json_array_get(intervals, l), "widen", spread->group_count + 1,
                                        spread->widen[l], err));
    }
    return REHA_OK;
}

reha_status reha_spread_from_json(const json_t *object, const reha_feature *features, size_t count,
                                  reha_spread *out, reha_error *err)
{
    reha_spread spread = {0};
    *out = spread;
    const reha_status status = read_spread(object, features, count, &spread, err);
    if (status != REHA_OK) {
        reha_spread_clear(&spread);
        return status;
    }
    *out = spread;
    return REHA_OK;
}
