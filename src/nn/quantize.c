#include "nn/quantize.h"

#include "base/json.h"
#include "base/memory.h"
#include "nn/session_priv.h"

#include <math.h>
#include <string.h>

enum { BINS = 2048 };

/* Magnitudes in equal bins from 0 to `reach`; the reach doubles, and bins merge, when needed. */
typedef struct value_range {
    float low, high;
    float reach;
    uint64_t total;
    uint64_t *bins;
    bool is_seen;
} value_range;

struct reha_calibration {
    char graph_name[REHA_NN_NAME_BYTES];
    int count;
    value_range *ranges; /* one per node */
    char (*names)[REHA_NN_NAME_BYTES];
    float percentile;
    reha_session *session; /* NULL if loaded from a file */
    float **outputs;       /* room that reha_session_run asks for, unread */
    int output_count;
    size_t input_counts[16];
    int input_count;
    bool out_of_memory;
};

reha_calibration_options reha_calibration_options_default(void)
{
    const reha_calibration_options options = {.threads = 0, .percentile = 0.99995F};
    return options;
}

static reha_status alloc_ranges(const reha_graph *graph, reha_calibration **out, reha_error *err)
{
    const size_t count = (size_t)reha_graph_node_count(graph);
    *out = NULL;
    reha_calibration *c = reha_alloc_zero(1, sizeof *c);
    if (c == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a calibration");
    }
    memcpy(c->graph_name, reha_graph_name(graph), strlen(reha_graph_name(graph)) + 1);
    c->ranges = reha_alloc_zero(count, sizeof *c->ranges);
    c->names = reha_alloc_zero(count, sizeof *c->names);
    if (c->ranges == NULL || c->names == NULL) {
        reha_calibration_free(c);
        return reha_fail(err, REHA_E_NOMEM, "no memory for the ranges of %zu nodes", count);
    }
    c->count = (int)count;
    for (size_t i = 0; i < count; i++) {
        memcpy(c->names[i], reha_graph_node(graph, (int)i)->name, REHA_NN_NAME_BYTES);
    }
    *out = c;
    return REHA_OK;
}

static reha_status alloc_ports(reha_calibration *c, const reha_graph *graph, reha_error *err)
{
    const int outputs = reha_graph_output_count(graph);
    c->outputs = reha_alloc_zero((size_t)outputs, sizeof *c->outputs);
    if (c->outputs == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a calibration");
    }
    c->output_count = outputs;
    for (int i = 0; i < outputs; i++) {
        const size_t count = reha_shape_count(reha_graph_node(graph, reha_graph_output(graph, i))->shape);
        c->outputs[i] = reha_alloc(count * sizeof(float));
        if (c->outputs[i] == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "no memory for a calibration");
        }
    }
    c->input_count = reha_graph_input_count(graph);
    for (int i = 0; i < c->input_count; i++) {
        c->input_counts[i] = reha_shape_count(reha_graph_node(graph, reha_graph_input(graph, i))->shape);
    }
    return REHA_OK;
}

reha_status reha_calibration_new(const reha_graph *graph, const reha_calibration_options *options,
                                 reha_calibration **out, reha_error *err)
{
    const reha_calibration_options defaults = reha_calibration_options_default();
    reha_session_options session = reha_session_options_default();
    reha_status status = REHA_OK;
    reha_calibration *c = NULL;
    *out = NULL;
    options = options != NULL ? options : &defaults;
    if (!(options->percentile > 0.5F && options->percentile <= 1.0F)) {
        return reha_fail(err, REHA_E_ARG, "a percentile of %g is outside 0.5 to 1",
                         (double)options->percentile);
    }
    REHA_CHECK(alloc_ranges(graph, &c, err));
    c->percentile = options->percentile;
    session.threads = options->threads;
    REHA_CHECK(reha_session_new_nhwc(graph, &session, &c->session, err));
    REHA_CHECK(alloc_ports(c, graph, err));
    *out = c;
    c = NULL; /* handed over */
done:
    reha_calibration_free(c);
    return status;
}

void reha_calibration_free(reha_calibration *calibration)
{
    if (calibration == NULL) {
        return;
    }
    for (int i = 0; i < calibration->count; i++) {
        reha_free(calibration->ranges[i].bins);
    }
    for (int i = 0; i < calibration->output_count; i++) {
        reha_free(calibration->outputs[i]);
    }
    reha_free(calibration->outputs);
    reha_free(calibration->ranges);
    reha_free(calibration->names);
    reha_session_free(calibration->session);
    reha_free(calibration);
}

static void widen(value_range *range, float reach)
{
    if (range->reach <= 0.0F) {
        range->reach = reach;
        return;
    }
    while (range->reach < reach) {
        for (int i = 0; i < BINS / 2; i++) {
            range->bins[i] = range->bins[2 * i] + range->bins[2 * i + 1];
        }
        memset(range->bins + BINS / 2, 0, BINS / 2 * sizeof *range->bins);
        range->reach *= 2.0F;
    }
}

static void add_row(value_range *range, const float *values, int64_t count)
{
    const float factor = range->reach > 0.0F ? (float)BINS / range->reach : 0.0F;
    for (int64_t i = 0; i < count; i++) {
        int bin = (int)(fabsf(values[i]) * factor);
        bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
        range->bins[bin]++;
    }
}

static void see(void *context, reha_value_id value, const float *values, int64_t pixels, int64_t channels,
                int64_t stride)
{
    reha_calibration *c = context;
    value_range *range = &c->ranges[value];
    if (range->bins == NULL) {
        range->bins = reha_alloc_zero(BINS, sizeof *range->bins);
        if (range->bins == NULL) {
            c->out_of_memory = true;
            return;
        }
    }
    float low = range->low;
    float high = range->high;
    for (int64_t p = 0; p < pixels; p++) {
        for (int64_t k = 0; k < channels; k++) {
            const float x = values[p * stride + k];
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
    }
    const float largest = fmaxf(-low, high);
    if (!isfinite(largest)) {
        return; /* such a network is broken anyway; keep the ranges of the good images */
    }
    range->low = low;
    range->high = high;
    widen(range, largest);
    for (int64_t p = 0; p < pixels; p++) {
        add_row(range, values + p * stride, channels);
    }
    range->total += (uint64_t)(pixels * channels);
    range->is_seen = true;
}

reha_status reha_calibration_add(reha_calibration *calibration, int batch, const float *const *inputs,
                                 reha_error *err)
{
    reha_calibration *c = calibration;
    const float *image[16];
    if (c->session == NULL) {
        return reha_fail(err, REHA_E_ARG, "a calibration from a file takes no more images");
    }
    for (int n = 0; n < batch; n++) {
        for (int i = 0; i < c->input_count; i++) {
            image[i] = inputs[i] + (size_t)n * c->input_counts[i];
        }
        REHA_TRY(reha_session_observe(c->session, 1, image, c->outputs, see, c, err));
        if (c->out_of_memory) {
            c->out_of_memory = false;
            return reha_fail(err, REHA_E_NOMEM, "no memory for the ranges of a calibration");
        }
    }
    return REHA_OK;
}

bool reha_calibration_range(const reha_calibration *calibration, reha_value_id value, float *low, float *high)
{
    *low = 0.0F;
    *high = 0.0F;
    if (value < 0 || value >= calibration->count || !calibration->ranges[value].is_seen) {
        return false;
    }
    const value_range *range = &calibration->ranges[value];
    *low = range->low;
    *high = range->high;
    if (range->bins == NULL || calibration->percentile >= 1.0F) {
        return true;
    }
    const uint64_t wanted = (uint64_t)ceil((double)range->total * (double)calibration->percentile);
    uint64_t sum = 0;
    int bin = 0;
    for (; bin < BINS && sum < wanted; bin++) {
        sum += range->bins[bin];
    }
    const float limit = range->reach * (float)bin / (float)BINS;
    *low = fmaxf(*low, -limit);
    *high = fminf(*high, limit);
    return true;
}

reha_status reha_calibration_save(const reha_calibration *calibration, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *root = json_object();
    json_t *ranges = json_object();
    bool is_whole = root != NULL && ranges != NULL;
    is_whole = is_whole && json_object_set_new(root, "format", json_string("rehascope-calibration")) == 0 &&
               json_object_set_new(root, "version", json_integer(1)) == 0 &&
               json_object_set_new(root, "graph", json_string(calibration->graph_name)) == 0;
    for (int i = 0; is_whole && i < calibration->count; i++) {
        float low;
        float high;
        if (reha_calibration_range(calibration, i, &low, &high)) {
            json_t *pair = json_pack("[f,f]", (double)low, (double)high);
            is_whole = pair != NULL && json_object_set_new(ranges, calibration->names[i], pair) == 0;
        }
    }
    is_whole = is_whole && json_object_set(root, "ranges", ranges) == 0;
    if (is_whole) {
        status = reha_json_save(path, root, err);
    } else {
        status = reha_fail(err, REHA_E_NOMEM, "no memory to write a calibration");
    }
    json_decref(ranges);
    json_decref(root);
    return status;
}

static reha_status read_ranges(reha_calibration *c, const reha_graph *graph, json_t *ranges, reha_error *err)
{
    const char *name;
    json_t *pair;
    json_object_foreach(ranges, name, pair)
    {
        const int node = reha_graph_find_node(graph, name);
        const double low = json_number_value(json_array_get(pair, 0));
        const double high = json_number_value(json_array_get(pair, 1));
        if (node < 0) {
            return reha_fail(err, REHA_E_CONFLICT, "the calibration is for another network: no node %.80s",
                             name);
        }
        if (json_array_size(pair) != 2 || !(low <= 0.0) || !(high >= 0.0) || !isfinite(low) ||
            !isfinite(high)) {
            return reha_fail(err, REHA_E_FORMAT, "calibration of node %.80s: not [low <= 0, high >= 0]",
                             name);
        }
        c->ranges[node].low = (float)low;
        c->ranges[node].high = (float)high;
        c->ranges[node].is_seen = true;
    }
    return REHA_OK;
}

reha_status reha_calibration_load(const reha_graph *graph, const char *path, reha_calibration **out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    reha_calibration *c = NULL;
    json_t *root = NULL;
    *out = NULL;
    REHA_CHECK(reha_json_load(path, &root, err));
    json_t *ranges = json_object_get(root, "ranges");
    if (strcmp(reha_json_string(root, "format", ""), "rehascope-calibration") != 0 ||
        json_integer_value(json_object_get(root, "version")) != 1 || !json_is_object(ranges)) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: not a calibration file of version 1", path);
        goto done;
    }
    REHA_CHECK(alloc_ranges(graph, &c, err));
    c->percentile = 1.0F;
    REHA_CHECK(read_ranges(c, graph, ranges, err));
    *out = c;
    c = NULL; /* handed over */
done:
    reha_calibration_free(c);
    json_decref(root);
    return status;
}
