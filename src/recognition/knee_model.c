#include "recognition/knee_oa_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "nn/fold.h"
#include "nn/onnx.h"
#include "recognition/explain_maps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void reha_knee_model_close_(reha_model *model)
{
    if (model == NULL) {
        return;
    }
    for (int i = 0; i < model->member_count; i++) {
        reha_knee_net_clear(&model->members[i].net);
        reha_calibration_free(model->members[i].ranges);
        reha_explainer_free(model->members[i].explainer);
        reha_free(model->members[i].last_map);
    }
    reha_knee_net_clear(&model->finder);
    reha_knee_net_clear(&model->gate);
    reha_knee_net_clear(&model->landmarks);
    reha_free(model->folder);
    reha_free(model->finder_output);
    reha_free(model->windows);
    reha_free(model->scaled);
    reha_knee_card_clear(&model->card);
    reha_free(model);
}

/* dims: channels, height, width; 0: any number. rank 2: features only (dims[0]). */
static bool has_shape(const reha_graph *graph, reha_value_id value, int rank, const int64_t *dims)
{
    const reha_shape *shape = &reha_graph_node(graph, value)->shape;
    if (shape->rank != rank) {
        return false;
    }
    for (int i = 1; i < rank; i++) {
        if (dims[i - 1] != 0 && shape->dims[i] != dims[i - 1]) {
            return false;
        }
    }
    return true;
}

static reha_status check_shapes(const reha_knee_card *card, const reha_knee_network *network,
                                const reha_graph *graph, reha_error *err)
{
    int64_t in[3] = {1, 0, 0};
    int64_t out[3] = {0, 0, 0};
    int out_rank = 4;
    int outputs = 1;
    switch (network->role) {
    case REHA_KNEE_KL:
        in[1] = card->crop.window_h_px;
        in[2] = card->crop.window_w_px;
        out_rank = 2;
        out[0] = REHA_GRADES;
        break;
    case REHA_KNEE_FINDER:
        in[1] = in[2] = card->finder.input_px;
        out[1] = out[2] = card->finder.input_px / card->finder.stride_px;
        break;
    case REHA_KNEE_GATE:
        in[1] = in[2] = card->gate.input_px;
        out_rank = 2;
        out[0] = card->gate.class_count;
        outputs = card->gate.feature_count > 0 ? 2 : 1;
        break;
    case REHA_KNEE_LANDMARKS:
        in[1] = in[2] = card->landmarks.input_px;
        out[0] = REHA_KNEE_POINTS;
        out[1] = out[2] = card->landmarks.input_px / card->landmarks.stride_px;
        break;
    case REHA_KNEE_ROLE_COUNT:
        break;
    }
    if (reha_graph_input_count(graph) != 1 || !has_shape(graph, reha_graph_input(graph, 0), 4, in)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "%s: the '%s' network's input is not [1, 1, %" PRId64 ", %" PRId64
                         "] as the card says",
                         network->file, reha_knee_role_name(network->role), in[1], in[2]);
    }
    if (reha_graph_output_count(graph) < outputs ||
        !has_shape(graph, reha_graph_output(graph, 0), out_rank, out)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "%s: the '%s' network's output has not the shape that the card asks for",
                         network->file, reha_knee_role_name(network->role));
    }
    if (network->role == REHA_KNEE_FINDER &&
        reha_graph_node(graph, reha_graph_output(graph, 0))->shape.dims[1] < REHA_FINDER_CHANNELS) {
        return reha_fail(err, REHA_E_FORMAT, "%s: the finder needs %d output channels", network->file,
                         REHA_FINDER_CHANNELS);
    }
    const int64_t features = card->gate.feature_count;
    if (network->role == REHA_KNEE_GATE && outputs == 2 &&
        !has_shape(graph, reha_graph_output(graph, 1), 2, &features)) {
        return reha_fail(err, REHA_E_FORMAT, "%s: the gate's second output has not %" PRId64 " features",
                         network->file, features);
    }
    return REHA_OK;
}

static reha_status check_map(reha_model *model, const reha_knee_network *network, const reha_shape *shape,
                             reha_error *err)
{
    const char *method =
        reha_json_string(json_object_get(model->card.json, "explanation"), "method", "hires-cam");
    if (!reha_explain_method_cam(method, &model->cam)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "card.json: explanation.method is '%.40s', not a method of one pass", method);
    }
    if (model->explains && (model->map_height != shape->dims[2] || model->map_width != shape->dims[3])) {
        return reha_fail(err, REHA_E_FORMAT, "%s: its map '%s' has another size than the network's before it",
                         network->file, network->explain_node);
    }
    model->map_height = (int)shape->dims[2];
    model->map_width = (int)shape->dims[3];
    model->explains = true;
    return REHA_OK;
}

/* Explained is the vote, so every member gives its map: as a second output, from which only what lies behind
 * it is compiled for gradients; a second copy of the network would cost 70 MiB and a quarter of the start. */
static reha_status open_explainer(reha_model *model, const reha_knee_network *network, reha_graph *graph,
                                  int threads, knee_member *member, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *tail = NULL;
    if (network->explain_node[0] == '\0') {
        return REHA_OK;
    }
    const int node = reha_graph_find_node(graph, network->explain_node);
    if (node < 0 || reha_graph_node(graph, node)->shape.rank != 4) {
        return reha_fail(err, REHA_E_FORMAT, "%s: the network has no map '%s' to explain", network->file,
                         network->explain_node);
    }
    const reha_shape shape = reha_graph_node(graph, node)->shape;
    const size_t pictures = (size_t)reha_knee_card_pictures(&model->card);
    REHA_TRY(check_map(model, network, &shape, err));
    REHA_CHECK(reha_graph_tail(graph, node, &tail, err));
    REHA_CHECK(reha_explainer_new(tail, reha_graph_input(tail, 0), 0, threads, &member->explainer, err));
    REHA_CHECK(reha_graph_mark_output(graph, node, "last_map", err));
    member->last_map = reha_alloc(pictures * reha_shape_count(shape) * sizeof(float));
    if (member->last_map == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the explanation");
    }
done:
    reha_graph_free(tail);
    return status;
}

reha_status reha_knee_member_session_(const reha_knee_card *card, const reha_knee_network *network,
                                      const reha_graph *graph, int threads, reha_precision precision,
                                      const reha_calibration *ranges, reha_session **out, reha_error *err)
{
    reha_session_options how = reha_session_options_default();
    how.threads = threads;
    how.precision = precision;
    how.calibration = ranges;
    how.batch_max = network->role == REHA_KNEE_KL ? reha_knee_card_pictures(card) : 1;
    how.is_whole_batch = true; /* a knee is always seen in all views: two thirds of the compiling saved */
    return reha_session_new(graph, &how, out, err);
}

/* Of a network in int8, from the file beside it. */
static reha_status load_ranges(const reha_knee_network *network, const char *path, const reha_graph *graph,
                               reha_calibration **out, reha_error *err)
{
    *out = NULL;
    if (network->precision != REHA_INT8) {
        return REHA_OK;
    }
    reha_text beside = {0};
    reha_text_addf(&beside, "%.*s%s", (int)(strlen(path) - strlen(network->file)), path, network->ranges);
    const reha_status status = beside.data == NULL
                                   ? reha_fail(err, REHA_E_NOMEM, "out of memory for the model")
                                   : reha_calibration_load(graph, beside.data, out, err);
    reha_text_clear(&beside);
    return status;
}

static reha_status open_network(reha_model *model, const reha_knee_network *network, const char *path,
                                const reha_model_options *options, reha_error *err)
{
    const reha_knee_card *card = &model->card;
    reha_graph *graph = NULL;
    reha_knee_net net = {.input_offset = (float)network->input_offset,
                         .input_gain = (float)network->input_gain};
    reha_calibration *ranges = NULL;
    knee_member member = {.weight = network->weight};
    reha_status status;
    REHA_CHECK(reha_onnx_load(path, NULL, &graph, err));
    REHA_CHECK(check_shapes(card, network, graph, err));
    REHA_CHECK(load_ranges(network, path, graph, &ranges, err));
    if (network->role == REHA_KNEE_KL && options->with_explanation) {
        REHA_CHECK(open_explainer(model, network, graph, options->threads, &member, err));
    }
    REHA_CHECK(reha_knee_member_session_(card, network, graph, options->threads, network->precision, ranges,
                                         &net.session, err));
    switch (network->role) {
    case REHA_KNEE_KL:
        member.net = net;
        model->members[model->member_count++] = member;
        member = (knee_member){0}; /* handed over */
        net.session = NULL;
        break;
    case REHA_KNEE_FINDER: {
        const reha_shape shape = reha_graph_node(graph, reha_graph_output(graph, 0))->shape;
        model->finder = net;
        net.session = NULL;
        model->finder_output = reha_alloc(reha_shape_count(shape) * sizeof(float));
        if (model->finder_output == NULL) {
            REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the model"));
        }
        break;
    }
    case REHA_KNEE_GATE:
        model->gate = net;
        net.session = NULL;
        break;
    case REHA_KNEE_LANDMARKS:
        model->landmarks = net;
        net.session = NULL;
        break;
    case REHA_KNEE_ROLE_COUNT:
        break;
    }
done:
    reha_explainer_free(member.explainer);
    reha_free(member.last_map);
    reha_knee_net_clear(&net);
    reha_calibration_free(ranges);
    reha_graph_free(graph);
    return status;
}

static reha_status open_all(reha_model *model, const char *folder, const reha_model_options *options,
                            reha_error *err)
{
    model->threads = options->threads;
    REHA_TRY(reha_knee_card_load(folder, &model->card, err));
    const size_t pictures = (size_t)reha_knee_card_pictures(&model->card);
    const size_t window = (size_t)model->card.crop.window_w_px * (size_t)model->card.crop.window_h_px;
    model->windows = reha_alloc(pictures * window * sizeof(float));
    model->scaled = reha_alloc(pictures * window * sizeof(float));
    if (model->windows == NULL || model->scaled == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
    }
    for (int i = 0; i < model->card.network_count; i++) {
        char *path = reha_path_join(folder, model->card.networks[i].file);
        if (path == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
        }
        const reha_status status = open_network(model, &model->card.networks[i], path, options, err);
        reha_free(path);
        if (status != REHA_OK) {
            reha_error_prefix(err, "model %s", folder);
            return status;
        }
    }
    return REHA_OK;
}

reha_status reha_knee_model_open_(const reha_model_options *options, reha_model **out, reha_error *err)
{
    *out = NULL;
    char *folder = NULL;
    REHA_TRY(reha_model_choose(options, "knee-oa", &folder, err));
    reha_status status = REHA_OK;
    reha_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
    } else {
        status = open_all(model, folder, options, err);
    }
    if (status == REHA_OK) {
        model->folder = folder;
        folder = NULL;
    }
    reha_free(folder);
    if (status != REHA_OK) {
        reha_knee_model_close_(model);
        return status;
    }
    *out = model;
    return REHA_OK;
}
