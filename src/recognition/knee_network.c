#include "recognition/knee_network.h"

#include "base/memory.h"
#include "nn/fold.h"
#include "nn/npy.h"
#include "nn/zoo.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* By trunk. */
static const char *const trunk_names[] = {"resnet50", "mobilenetv2"};
static const char *const weight_prefixes[] = {"resnetv24_", "mobilenetv20_features_"};
static const char *const explained_nodes[] = {"stage4_batchnorm0_relu", "batchnorm1_relu"};

enum { TRUNK_STAGES = 3, RGB = 3 };

/* How 0..1 grey enters in place of ImageNet's normalised colour: centred on the knees' mean and spread
 * to about the same deviation, then shown to all three colours. */
static const double GREY_CENTRE = 0.53;
static const double GREY_GAIN = 1.35;
static const double IMAGENET_GREY = 0.449; /* mean of the three below */
static const double IMAGENET_MEAN[RGB] = {0.485, 0.456, 0.406};
static const double IMAGENET_DEVIATION[RGB] = {0.229, 0.224, 0.225};
#define HEAD_MEAN "head_mean_layer"
#define HEAD_MAX  "head_max_layer"
static const char *const HEAD_LAYERS[2] = {HEAD_MEAN, HEAD_MAX};

reha_knee_network_spec reha_knee_network_spec_default(void)
{
    return (reha_knee_network_spec){.height_px = 128,
                                    .width_px = 224,
                                    .grade_count = 5,
                                    .frozen_stages = 1,
                                    .head_rate_ratio = 5.0F,
                                    .dropout = 0.3F};
}

static reha_status need_param(const reha_graph *graph, const char *name, const float **values,
                              reha_error *err)
{
    const int index = reha_graph_find_param(graph, name);
    if (index < 0) {
        return reha_fail(err, REHA_E_INTERNAL, "the trunk has no parameter '%s'", name);
    }
    *values = reha_graph_param(graph, index)->values;
    return REHA_OK;
}

/* The colour stem reads (grey, grey, grey): its first convolution collapses to one channel and a bias.
 * Exact up to the border, where zero padding stands for another grey. */
static reha_status collapse_stem(const reha_graph *colour, reha_node *conv, reha_graph *grey, reha_error *err)
{
    /* scale, shift, mean, variance of the batch-norm on the data, where the trunk has one */
    static const float identity[4][RGB] = {{1.0F, 1.0F, 1.0F}, {0.0F}, {0.0F}, {1.0F, 1.0F, 1.0F}};
    const float *norm[4] = {identity[0], identity[1], identity[2], identity[3]};
    const float *weights = NULL;
    double epsilon = 0.0;
    REHA_TRY(need_param(colour, "conv0.weight", &weights, err));
    const int before = reha_graph_node(colour, reha_graph_find_node(colour, "conv0"))->inputs[0];
    const reha_node *data_norm = reha_graph_node(colour, before);
    if (data_norm->op == REHA_OP_BATCH_NORM) {
        epsilon = (double)data_norm->epsilon;
        for (int i = 0; i < 4; i++) {
            norm[i] = reha_graph_param(colour, data_norm->params[i])->values;
        }
    }
    reha_param *weight = reha_graph_param_mutable(grey, conv->params[0]);
    reha_param *bias = reha_graph_param_mutable(grey, conv->params[1]);
    const size_t area = (size_t)conv->window.kernel_h * (size_t)conv->window.kernel_w;
    for (size_t o = 0; o < (size_t)weight->shape.dims[0]; o++) {
        double sum = 0.0;
        for (size_t i = 0; i < area; i++) {
            double gray_weight = 0.0;
            for (size_t c = 0; c < RGB; c++) {
                const double gain = (double)norm[0][c] / sqrt((double)norm[3][c] + epsilon);
                const double slope = GREY_GAIN / IMAGENET_DEVIATION[c];
                const double offset = (IMAGENET_GREY - IMAGENET_MEAN[c]) / IMAGENET_DEVIATION[c];
                const double w = (double)weights[(o * RGB + c) * area + i];
                gray_weight += w * gain * slope;
                sum += w * ((offset - GREY_CENTRE * slope - (double)norm[2][c]) * gain + (double)norm[1][c]);
            }
            weight->values[o * area + i] = (float)gray_weight;
        }
        bias->values[o] = (float)sum;
    }
    return REHA_OK;
}

/* Flatten, dropout, one layer of the head. */
static reha_status add_layer(reha_graph *graph, const reha_knee_network_spec *spec,
                             const char *const names[3], reha_value_id input, reha_value_id *out,
                             reha_error *err)
{
    reha_value_id value = input;
    REHA_TRY(reha_graph_add_unary(graph, names[0], REHA_OP_FLATTEN, value, &value, err));
    if (spec->dropout > 0.0F) {
        REHA_TRY(reha_graph_add_dropout(graph, names[1], value, spec->dropout, &value, err));
    }
    return reha_graph_add_fully_connected(graph, names[2], value, spec->grade_count, out, err);
}

static reha_status add_head(reha_graph *graph, const reha_knee_network_spec *spec, reha_value_id map,
                            reha_error *err)
{
    static const char *const mean_names[3] = {"head_mean_flatten", "head_mean_dropout", HEAD_MEAN};
    static const char *const max_names[3] = {"head_max_flatten", "head_max_dropout", HEAD_MAX};
    const reha_node *node = reha_graph_node(graph, map);
    const reha_window whole = {.kernel_h = (int)node->shape.dims[2],
                               .kernel_w = (int)node->shape.dims[3],
                               .stride_h = 1,
                               .stride_w = 1,
                               .dilation_h = 1,
                               .dilation_w = 1};
    reha_value_id mean = 0;
    reha_value_id most = 0;
    reha_value_id logits = 0;
    REHA_TRY(reha_graph_add_unary(graph, "head_mean", REHA_OP_GLOBAL_AVERAGE_POOL, map, &mean, err));
    REHA_TRY(reha_graph_add_pool(graph, "head_max", REHA_OP_MAX_POOL, map, whole, &most, err));
    REHA_TRY(add_layer(graph, spec, mean_names, mean, &mean, err));
    REHA_TRY(add_layer(graph, spec, max_names, most, &most, err));
    REHA_TRY(reha_graph_add_binary(graph, "head_sum", REHA_OP_ADD, mean, most, &logits, err));
    return reha_graph_mark_output(graph, logits, "logits", err);
}

/* Copies the colour trunk behind a grey input: everything after its first convolution. */
static reha_status build_grey(const reha_graph *colour, const reha_knee_network_spec *spec, reha_graph **out,
                              reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *graph = NULL;
    const int count = reha_graph_node_count(colour);
    const int stem = reha_graph_find_node(colour, "conv0");
    reha_value_id *renamed = reha_alloc_zero((size_t)count, sizeof *renamed);
    if (renamed == NULL || stem < 0) {
        status =
            reha_fail(err, renamed == NULL ? REHA_E_NOMEM : REHA_E_INTERNAL, "no grey trunk can be made");
        goto done;
    }
    REHA_CHECK(reha_graph_new("knee-oa", &graph, err));
    reha_value_id value = 0;
    REHA_CHECK(reha_graph_add_input(graph, "image", 1, spec->height_px, spec->width_px, &value, err));
    const reha_node *conv = reha_graph_node(colour, stem);
    REHA_CHECK(reha_graph_add_conv(graph, conv->name, value, (int)conv->shape.dims[1], conv->window, 1, true,
                                   &renamed[stem], err));
    REHA_CHECK(collapse_stem(colour, reha_graph_node_mutable(graph, renamed[stem]), graph, err));
    for (int i = stem + 1; i < count; i++) {
        const reha_node *node = reha_graph_node(colour, i);
        reha_value_id inputs[REHA_NN_INPUTS_MAX];
        for (int k = 0; k < node->input_count; k++) {
            inputs[k] = renamed[node->inputs[k]];
        }
        REHA_CHECK(reha_graph_add_copy(graph, colour, node, inputs, &renamed[i], err));
    }
    REHA_CHECK(add_head(graph, spec, renamed[count - 1], err));
    *out = graph;
    graph = NULL;
done:
    reha_free(renamed);
    reha_graph_free(graph);
    return status;
}

static bool belongs_to(const char *name, int stages)
{
    if (strncmp(name, "stage", 5) != 0) {
        return strncmp(name, "head", 4) != 0 && stages > 0; /* the stem */
    }
    return name[5] - '0' <= stages;
}

/* Batch-norms learn from the batches of knees, also those before the frozen weights: ImageNet's statistics
 * kept fixed cost a third of the first epochs' progress and some of the last one's (docs/adr/0006). They are
 * not folded before training: that would enlarge the weights two- to fourfold and unevenly, and one learning
 * rate would no longer suit them all. */
static void freeze(reha_graph *graph, const reha_knee_network_spec *spec)
{
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        const bool is_early =
            spec->trunk == REHA_KNEE_RESNET50 && belongs_to(node->name, spec->frozen_stages);
        for (int k = 0; is_early && k < node->param_count; k++) {
            reha_graph_param_mutable(graph, node->params[k])->is_trainable = false;
        }
    }
}

static void init_head(reha_graph *graph, const reha_knee_network_spec *spec, reha_random *random)
{
    /* Maxima are some four times larger than means: smaller weights and steps give both the same say. */
    static const double sizes[2] = {0.01, 0.0025};
    for (int layer = 0; layer < 2; layer++) {
        const reha_node *node = reha_graph_node(graph, reha_graph_find_node(graph, HEAD_LAYERS[layer]));
        reha_param *weight = reha_graph_param_mutable(graph, node->params[0]);
        reha_param *bias = reha_graph_param_mutable(graph, node->params[1]);
        for (size_t i = 0; i < reha_shape_count(weight->shape); i++) {
            weight->values[i] = (float)(sizes[layer] * reha_random_normal(random));
        }
        for (size_t i = 0; i < reha_shape_count(bias->shape); i++) {
            bias->values[i] = 0.0F;
        }
        weight->learning_rate_ratio = spec->head_rate_ratio * (float)(sizes[layer] / sizes[0]);
        bias->learning_rate_ratio = spec->head_rate_ratio;
    }
}

reha_status reha_knee_network_new(const reha_knee_network_spec *spec, const char *backbone_folder,
                                  uint64_t seed, reha_graph **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *colour = NULL;
    reha_graph *grey = NULL;
    reha_value_id value = 0;
    reha_random random = reha_random_init(seed, 0x6b6e6565);
    *out = NULL;
    REHA_CHECK(reha_graph_new("trunk", &colour, err));
    REHA_CHECK(reha_graph_add_input(colour, "image", RGB, spec->height_px, spec->width_px, &value, err));
    if (spec->trunk == REHA_KNEE_RESNET50) {
        REHA_CHECK(reha_zoo_resnet50v2_trunk(colour, value, TRUNK_STAGES, &value, err));
    } else {
        REHA_CHECK(reha_zoo_mobilenetv2(colour, value, &value, err));
    }
    reha_graph_init_params(colour, &random);
    if (backbone_folder != NULL) {
        int loaded = 0;
        REHA_CHECK(reha_backbone_load(colour, backbone_folder, weight_prefixes[spec->trunk], &loaded, err));
    }
    REHA_CHECK(build_grey(colour, spec, &grey, err));
    init_head(grey, spec, &random);
    if (backbone_folder != NULL) {
        freeze(grey, spec);
    }
    *out = grey;
    grey = NULL;
done:
    reha_graph_free(colour);
    reha_graph_free(grey);
    return status;
}

const char *reha_knee_network_explained(reha_knee_trunk trunk)
{
    return explained_nodes[trunk];
}

bool reha_knee_trunk_parse(const char *name, reha_knee_trunk *out)
{
    for (int i = 0; i < 2; i++) {
        if (strcmp(name, trunk_names[i]) == 0) {
            *out = (reha_knee_trunk)i;
            return true;
        }
    }
    return false;
}
