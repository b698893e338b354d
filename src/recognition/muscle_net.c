#include "recognition/muscle_net.h"

#include "base/memory.h"
#include "nn/fold.h"
#include "nn/npy.h"
#include "nn/onnx.h"
#include "nn/zoo.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RGB = 3, SCALES = 5, SCALE_FINEST = 0 };
static const char WEIGHT_PREFIX[] = "mobilenetv20_features_";
static const float ENCODER_RATE_RATIO = 0.4F; /* it knows edges already; the decoder starts from nothing */
static const double SD_FLOOR = 1e-3;

/* The encoder's last map of each scale (strides 2 to 32), and the channels the decoder works with there. */
static const struct {
    const char *node;
    int channels;
} scales[SCALES] = {{"linearbottleneck0_batchnorm2", 32},
                    {"linearbottleneck2_add", 48},
                    {"linearbottleneck5_add", 64},
                    {"linearbottleneck12_add", 96},
                    {"linearbottleneck16_batchnorm2", 96}};

/* The colour stem reads (grey, grey, grey): its first convolution collapses to one channel. */
static reha_status add_stem(const reha_graph *colour, const reha_node *stem, reha_value_id input,
                            reha_graph *grey, reha_value_id *out, reha_error *err)
{
    REHA_TRY(reha_graph_add_conv(grey, stem->name, input, (int)stem->shape.dims[1], stem->window, 1, false,
                                 out, err));
    const float *from = reha_graph_param(colour, stem->params[0])->values;
    reha_param *weight = reha_graph_param_mutable(grey, reha_graph_node(grey, *out)->params[0]);
    const size_t area = (size_t)stem->window.kernel_h * (size_t)stem->window.kernel_w;
    for (size_t o = 0; o < (size_t)weight->shape.dims[0]; o++) {
        for (size_t i = 0; i < area; i++) {
            const float *colours = from + o * RGB * area + i;
            weight->values[o * area + i] = colours[0] + colours[area] + colours[2 * area];
        }
    }
    return REHA_OK;
}

/* Copies the colour encoder behind a grey input, up to its coarsest map that the decoder reads. */
static reha_status add_encoder(const reha_graph *colour, reha_graph *graph, reha_value_id *maps,
                               reha_error *err)
{
    reha_status status = REHA_OK;
    const int stem = reha_graph_find_node(colour, "conv0");
    const int last = reha_graph_find_node(colour, scales[SCALES - 1].node);
    reha_value_id *renamed = reha_alloc_zero((size_t)reha_graph_node_count(colour), sizeof *renamed);
    if (renamed == NULL || stem < 0 || last < 0) {
        status = reha_fail(err, renamed == NULL ? REHA_E_NOMEM : REHA_E_INTERNAL, "no encoder can be made");
        goto done;
    }
    REHA_CHECK(add_stem(colour, reha_graph_node(colour, stem), reha_graph_input(graph, 0), graph,
                        &renamed[stem], err));
    for (int i = stem + 1; i <= last; i++) {
        const reha_node *node = reha_graph_node(colour, i);
        reha_value_id inputs[REHA_NN_INPUTS_MAX];
        for (int k = 0; k < node->input_count; k++) {
            inputs[k] = renamed[node->inputs[k]];
        }
        REHA_CHECK(reha_graph_add_copy(graph, colour, node, inputs, &renamed[i], err));
    }
    for (int s = 0; s < SCALES; s++) {
        const int node = reha_graph_find_node(colour, scales[s].node);
        if (node < 0) {
            status = reha_fail(err, REHA_E_INTERNAL, "the encoder has no node '%s'", scales[s].node);
            goto done;
        }
        maps[s] = renamed[node];
    }
done:
    reha_free(renamed);
    return status;
}

static reha_status conv_norm(reha_graph *graph, const char *stem, int scale, int channels, int kernel,
                             reha_op activation, reha_value_id *value, reha_error *err)
{
    char conv[32];
    char norm[32];
    (void)snprintf(conv, sizeof conv, "%s%d_conv", stem, scale);
    (void)snprintf(norm, sizeof norm, "%s%d_norm", stem, scale);
    const reha_conv_norm part = {conv, norm,      channels, reha_window_square(kernel, 1, kernel / 2),
                                 1,    activation};
    return reha_zoo_conv_norm(graph, &part, *value, value, err);
}

static reha_status add_decoder(reha_graph *graph, const reha_value_id *maps, reha_error *err)
{
    char name[32];
    reha_value_id value = maps[SCALES - 1];
    REHA_TRY(conv_norm(graph, "side", SCALES - 1, scales[SCALES - 1].channels, 1, REHA_OP_RELU, &value, err));
    for (int s = SCALES - 2; s >= SCALE_FINEST; s--) {
        reha_value_id side = maps[s];
        (void)snprintf(name, sizeof name, "up%d", s);
        REHA_TRY(conv_norm(graph, "side", s, scales[s].channels, 1, REHA_OP_INPUT, &side, err));
        REHA_TRY(reha_graph_add_resize(graph, name, REHA_OP_RESIZE_NEAREST, value, 2, 2, &value, err));
        (void)snprintf(name, sizeof name, "sum%d", s);
        REHA_TRY(reha_graph_add_binary(graph, name, REHA_OP_ADD, value, side, &value, err));
        const int next = s > SCALE_FINEST ? scales[s - 1].channels : scales[s].channels;
        REHA_TRY(conv_norm(graph, "mix", s, next, 3, REHA_OP_RELU, &value, err));
    }
    REHA_TRY(
        conv_norm(graph, "fine", SCALE_FINEST, scales[SCALE_FINEST].channels, 3, REHA_OP_RELU, &value, err));
    REHA_TRY(reha_graph_add_conv(graph, "head", value, REHA_MUSCLE_MAPS, reha_window_square(1, 1, 0), 1, true,
                                 &value, err));
    return reha_graph_mark_output(graph, value, "maps", err);
}

/* Slower for the encoder. Its batch-norms keep their statistics: they were fitted to a million pictures. */
static void set_rates(reha_graph *graph)
{
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        reha_node *node = reha_graph_node_mutable(graph, i);
        const bool is_encoder = strncmp(node->name, "linearbottleneck", 16) == 0 ||
                                strcmp(node->name, "conv0") == 0 || strcmp(node->name, "batchnorm0") == 0;
        if (!is_encoder) {
            continue;
        }
        node->is_frozen = node->op == REHA_OP_BATCH_NORM;
        for (int k = 0; k < node->param_count; k++) {
            reha_param *param = reha_graph_param_mutable(graph, node->params[k]);
            param->is_trainable = param->is_trainable && !node->is_frozen;
            param->learning_rate_ratio = ENCODER_RATE_RATIO;
        }
    }
}

static reha_status build_colour(const char *backbone_folder, reha_random *random, reha_graph **out,
                                reha_error *err)
{
    reha_value_id value = 0;
    int loaded = 0;
    REHA_TRY(reha_graph_new("encoder", out, err));
    REHA_TRY(
        reha_graph_add_input(*out, "image", RGB, REHA_MUSCLE_INPUT_PX, REHA_MUSCLE_INPUT_PX, &value, err));
    REHA_TRY(reha_zoo_mobilenetv2(*out, value, &value, err));
    reha_graph_init_params(*out, random);
    return backbone_folder != NULL ? reha_backbone_load(*out, backbone_folder, WEIGHT_PREFIX, &loaded, err)
                                   : REHA_OK;
}

/* He weights for the decoder only: initialising the whole graph would wipe the encoder. */
static void init_decoder(reha_graph *graph, reha_random *random)
{
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        static const char *const stems[] = {"side", "mix", "fine", "head"};
        bool is_decoder = false;
        for (size_t k = 0; k < sizeof stems / sizeof stems[0]; k++) {
            is_decoder = is_decoder || strncmp(node->name, stems[k], strlen(stems[k])) == 0;
        }
        if (!is_decoder || node->op != REHA_OP_CONV) {
            continue;
        }
        reha_param *weight = reha_graph_param_mutable(graph, node->params[0]);
        const size_t count = reha_shape_count(weight->shape);
        const double fan_in = (double)count / (double)weight->shape.dims[0];
        for (size_t w = 0; w < count; w++) {
            weight->values[w] = (float)(sqrt(2.0 / fan_in) * reha_random_normal(random));
        }
    }
}

reha_status reha_muscle_network_new(const char *backbone_folder, uint64_t seed, reha_graph **out,
                                    reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *colour = NULL;
    reha_graph *graph = NULL;
    reha_value_id value = 0;
    reha_value_id maps[SCALES];
    reha_random random = reha_random_init(seed, 0x6d757363);
    *out = NULL;
    REHA_CHECK(build_colour(backbone_folder, &random, &colour, err));
    REHA_CHECK(reha_graph_new("muscle-us", &graph, err));
    REHA_CHECK(
        reha_graph_add_input(graph, "image", 1, REHA_MUSCLE_INPUT_PX, REHA_MUSCLE_INPUT_PX, &value, err));
    REHA_CHECK(add_encoder(colour, graph, maps, err));
    REHA_CHECK(add_decoder(graph, maps, err));
    init_decoder(graph, &random);
    if (backbone_folder != NULL) {
        set_rates(graph);
    }
    *out = graph;
    graph = NULL;
done:
    reha_graph_free(colour);
    reha_graph_free(graph);
    return status;
}

reha_status reha_muscle_network_check(const reha_graph *graph, const char *path, reha_error *err)
{
    enum { SIDE = REHA_MUSCLE_INPUT_PX, MAP = REHA_MUSCLE_MAP_PX };
    bool fits = reha_graph_input_count(graph) == 1 && reha_graph_output_count(graph) == 1;
    if (fits) {
        const reha_shape in = reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
        const reha_shape out = reha_graph_node(graph, reha_graph_output(graph, 0))->shape;
        fits = in.rank == 4 && in.dims[1] == 1 && in.dims[2] == SIDE && in.dims[3] == SIDE && out.rank == 4 &&
               out.dims[1] == REHA_MUSCLE_MAPS && out.dims[2] == MAP && out.dims[3] == MAP;
    }
    return fits ? REHA_OK
                : reha_fail(err, REHA_E_FORMAT, "%s: is no muscle network [1, 1, %d, %d] -> [1, %d, %d, %d]",
                            path, SIDE, SIDE, REHA_MUSCLE_MAPS, MAP, MAP);
}

reha_status reha_muscle_network_go_on(const char *path, reha_graph **out, reha_error *err)
{
    REHA_TRY(reha_onnx_load(path, NULL, out, err));
    const reha_status status = reha_muscle_network_check(*out, path, err);
    if (status != REHA_OK) {
        reha_graph_free(*out);
        *out = NULL;
        return status;
    }
    set_rates(*out);
    return REHA_OK;
}

void reha_muscle_standardise(float *square, size_t count)
{
    double sum = 0.0;
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)square[i];
        squares += (double)square[i] * (double)square[i];
    }
    const double mean = sum / (double)count;
    const double sd = fmax(SD_FLOOR, sqrt(fmax(0.0, squares / (double)count - mean * mean)));
    for (size_t i = 0; i < count; i++) {
        square[i] = (float)(((double)square[i] - mean) / sd);
    }
}

reha_status reha_muscle_square(const reha_gray *image, const reha_muscle_frame *frame, float *out,
                               reha_error *err)
{
    const reha_tone tone = {frame->low, frame->high};
    REHA_TRY(reha_sample_rect(image, frame->box, REHA_BORDER_ZERO, tone, REHA_MUSCLE_INPUT_PX,
                              REHA_MUSCLE_INPUT_PX, out, err));
    reha_muscle_standardise(out, (size_t)REHA_MUSCLE_INPUT_PX * REHA_MUSCLE_INPUT_PX);
    return REHA_OK;
}
