#include "nn/zoo.h"

#include <stdio.h>

static const float gluon_epsilon = 1e-5F;

reha_status reha_zoo_conv_norm(reha_graph *graph, const reha_conv_norm *spec, reha_value_id input,
                               reha_value_id *out, reha_error *err)
{
    char name[REHA_NN_NAME_BYTES];
    REHA_TRY(reha_graph_add_conv(graph, spec->conv_name, input, spec->channels, spec->window, spec->groups,
                                 false, out, err));
    REHA_TRY(reha_graph_add_batch_norm(graph, spec->norm_name, *out, gluon_epsilon, out, err));
    if (spec->activation == REHA_OP_INPUT) {
        return REHA_OK;
    }
    snprintf(name, sizeof name, "%.80s_relu", spec->norm_name);
    return reha_graph_add_unary(graph, name, spec->activation, *out, out, err);
}

reha_status reha_zoo_classifier(reha_graph *graph, const char *name, reha_value_id input, int outputs,
                                reha_value_id *out, reha_error *err)
{
    char part[REHA_NN_NAME_BYTES];
    snprintf(part, sizeof part, "%.60s_pool", name);
    REHA_TRY(reha_graph_add_unary(graph, part, REHA_OP_GLOBAL_AVERAGE_POOL, input, out, err));
    snprintf(part, sizeof part, "%.60s_flatten", name);
    REHA_TRY(reha_graph_add_unary(graph, part, REHA_OP_FLATTEN, *out, out, err));
    return reha_graph_add_fully_connected(graph, name, *out, outputs, out, err);
}

/* ---- ResNet-50 v2 ---- */

static reha_status norm_relu(reha_graph *graph, const char *name, reha_value_id *value, reha_error *err)
{
    char relu[REHA_NN_NAME_BYTES];
    REHA_TRY(reha_graph_add_batch_norm(graph, name, *value, gluon_epsilon, value, err));
    snprintf(relu, sizeof relu, "%.80s_relu", name);
    return reha_graph_add_unary(graph, relu, REHA_OP_RELU, *value, value, err);
}

typedef struct gluon_stage { /* running numbers of the names inside one stage */
    int stage, next_norm, next_conv;
} gluon_stage;

static reha_status stage_norm_relu(reha_graph *graph, gluon_stage *at, reha_value_id *value, reha_error *err)
{
    char name[REHA_NN_NAME_BYTES];
    snprintf(name, sizeof name, "stage%d_batchnorm%d", at->stage, at->next_norm++);
    return norm_relu(graph, name, value, err);
}

static reha_status stage_conv(reha_graph *graph, const gluon_stage *at, int conv, reha_value_id input,
                              int channels, reha_window window, reha_value_id *out, reha_error *err)
{
    char name[REHA_NN_NAME_BYTES];
    snprintf(name, sizeof name, "stage%d_conv%d", at->stage, conv);
    return reha_graph_add_conv(graph, name, input, channels, window, 1, false, out, err);
}

static reha_status bottleneck_v2(reha_graph *graph, gluon_stage *at, int channels, int stride, bool resample,
                                 reha_value_id *value, reha_error *err)
{
    char name[REHA_NN_NAME_BYTES];
    reha_value_id shortcut = *value;
    reha_value_id x = *value;
    const int first = at->next_conv;
    at->next_conv += resample ? 4 : 3;
    REHA_TRY(stage_norm_relu(graph, at, &x, err));
    if (resample) { /* on the rectified map, unlike the plain shortcut */
        REHA_TRY(
            stage_conv(graph, at, first + 3, x, channels, reha_window_square(1, stride, 0), &shortcut, err));
    }
    REHA_TRY(stage_conv(graph, at, first, x, channels / 4, reha_window_square(1, 1, 0), &x, err));
    REHA_TRY(stage_norm_relu(graph, at, &x, err));
    REHA_TRY(stage_conv(graph, at, first + 1, x, channels / 4, reha_window_square(3, stride, 1), &x, err));
    REHA_TRY(stage_norm_relu(graph, at, &x, err));
    REHA_TRY(stage_conv(graph, at, first + 2, x, channels, reha_window_square(1, 1, 0), &x, err));
    snprintf(name, sizeof name, "stage%d_add%d", at->stage, first / 3);
    return reha_graph_add_binary(graph, name, REHA_OP_ADD, x, shortcut, value, err);
}

reha_status reha_zoo_resnet50v2_trunk(reha_graph *graph, reha_value_id input, int stages, reha_value_id *out,
                                      reha_error *err)
{
    static const int units[4] = {3, 4, 6, 3};
    *out = -1;
    if (stages < 1 || stages > 4) {
        return reha_fail(err, REHA_E_ARG, "a ResNet-50 has 1 to 4 stages, not %d", stages);
    }
    reha_value_id x = input;
    REHA_TRY(reha_graph_add_batch_norm(graph, "batchnorm0", x, gluon_epsilon, &x, err));
    REHA_TRY(reha_graph_add_conv(graph, "conv0", x, 64, reha_window_square(7, 2, 3), 1, false, &x, err));
    REHA_TRY(norm_relu(graph, "batchnorm1", &x, err));
    REHA_TRY(reha_graph_add_pool(graph, "pool0", REHA_OP_MAX_POOL, x, reha_window_square(3, 2, 1), &x, err));
    for (int s = 0; s < stages; s++) {
        gluon_stage at = {s + 1, 0, 0};
        for (int unit = 0; unit < units[s]; unit++) {
            const int stride = s > 0 && unit == 0 ? 2 : 1;
            REHA_TRY(bottleneck_v2(graph, &at, 256 << s, stride, unit == 0, &x, err));
        }
    }
    if (stages < 4) {
        gluon_stage next = {stages + 1, 0, 0};
        REHA_TRY(stage_norm_relu(graph, &next, &x, err));
    } else {
        REHA_TRY(norm_relu(graph, "batchnorm2", &x, err));
    }
    *out = x;
    return REHA_OK;
}

/* ---- MobileNetV2 ---- */

static reha_status inverted_residual(reha_graph *graph, int index, int in_channels, int channels, int expand,
                                     int stride, reha_value_id *value, reha_error *err)
{
    const int middle = in_channels * expand;
    const reha_conv_norm parts[3] = {
        {NULL, NULL, middle, reha_window_square(1, 1, 0), 1, REHA_OP_RELU6},
        {NULL, NULL, middle, reha_window_square(3, stride, 1), middle, REHA_OP_RELU6},
        {NULL, NULL, channels, reha_window_square(1, 1, 0), 1, REHA_OP_INPUT}};
    char conv[REHA_NN_NAME_BYTES];
    char norm[REHA_NN_NAME_BYTES];
    reha_value_id x = *value;
    for (int i = 0; i < 3; i++) {
        reha_conv_norm part = parts[i];
        snprintf(conv, sizeof conv, "linearbottleneck%d_conv%d", index, i);
        snprintf(norm, sizeof norm, "linearbottleneck%d_batchnorm%d", index, i);
        part.conv_name = conv;
        part.norm_name = norm;
        REHA_TRY(reha_zoo_conv_norm(graph, &part, x, &x, err));
    }
    if (stride == 1 && in_channels == channels) {
        snprintf(conv, sizeof conv, "linearbottleneck%d_add", index);
        REHA_TRY(reha_graph_add_binary(graph, conv, REHA_OP_ADD, x, *value, &x, err));
    }
    *value = x;
    return REHA_OK;
}

reha_status reha_zoo_mobilenetv2_units(reha_graph *graph, reha_value_id stem, int units, reha_value_id *out,
                                       reha_error *err)
{
    static const struct {
        int channels, units, stride;
    } groups[7] = {{16, 1, 1}, {24, 2, 2}, {32, 3, 2}, {64, 4, 2}, {96, 3, 1}, {160, 3, 2}, {320, 1, 1}};
    int in_channels = 32;
    int index = 0;
    *out = stem;
    if (units < 1 || units > REHA_MOBILENETV2_UNITS) {
        return reha_fail(err, REHA_E_ARG, "MobileNetV2 with %d units (1 to %d)", units,
                         REHA_MOBILENETV2_UNITS);
    }
    for (int g = 0; g < 7; g++) {
        for (int unit = 0; unit < groups[g].units && index < units; unit++, index++) {
            REHA_TRY(inverted_residual(graph, index, in_channels, groups[g].channels, index == 0 ? 1 : 6,
                                       unit == 0 ? groups[g].stride : 1, out, err));
            in_channels = groups[g].channels;
        }
    }
    return REHA_OK;
}

reha_status reha_zoo_mobilenetv2(reha_graph *graph, reha_value_id input, reha_value_id *out, reha_error *err)
{
    const reha_conv_norm first = {"conv0", "batchnorm0", 32, reha_window_square(3, 2, 1), 1, REHA_OP_RELU6};
    const reha_conv_norm last = {"conv1", "batchnorm1", 1280, reha_window_square(1, 1, 0), 1, REHA_OP_RELU6};
    reha_value_id x = -1;
    *out = -1;
    REHA_TRY(reha_zoo_conv_norm(graph, &first, input, &x, err));
    REHA_TRY(reha_zoo_mobilenetv2_units(graph, x, REHA_MOBILENETV2_UNITS, &x, err));
    return reha_zoo_conv_norm(graph, &last, x, out, err);
}

/* ---- ResNet-18 ---- */

static reha_status basic_block(reha_graph *graph, int stage, int block, int channels, int stride,
                               bool resample, reha_value_id *value, reha_error *err)
{
    char names[3][2][REHA_NN_NAME_BYTES];
    char name[REHA_NN_NAME_BYTES];
    for (int i = 0; i < 3; i++) {
        snprintf(names[i][0], sizeof names[i][0], "stage%d_block%d_conv%d", stage, block, i);
        snprintf(names[i][1], sizeof names[i][1], "stage%d_block%d_batchnorm%d", stage, block, i);
    }
    const reha_conv_norm parts[3] = {
        {names[0][0], names[0][1], channels, reha_window_square(3, stride, 1), 1, REHA_OP_RELU},
        {names[1][0], names[1][1], channels, reha_window_square(3, 1, 1), 1, REHA_OP_INPUT},
        {names[2][0], names[2][1], channels, reha_window_square(1, stride, 0), 1, REHA_OP_INPUT}};
    reha_value_id x = *value;
    reha_value_id shortcut = *value;
    REHA_TRY(reha_zoo_conv_norm(graph, &parts[0], x, &x, err));
    REHA_TRY(reha_zoo_conv_norm(graph, &parts[1], x, &x, err));
    if (resample) {
        REHA_TRY(reha_zoo_conv_norm(graph, &parts[2], shortcut, &shortcut, err));
    }
    snprintf(name, sizeof name, "stage%d_block%d_add", stage, block);
    REHA_TRY(reha_graph_add_binary(graph, name, REHA_OP_ADD, x, shortcut, &x, err));
    snprintf(name, sizeof name, "stage%d_block%d_relu", stage, block);
    return reha_graph_add_unary(graph, name, REHA_OP_RELU, x, value, err);
}

reha_status reha_zoo_resnet18(reha_graph *graph, reha_value_id input, reha_value_id *out, reha_error *err)
{
    const reha_conv_norm stem = {"conv0", "batchnorm0", 64, reha_window_square(7, 2, 3), 1, REHA_OP_RELU};
    reha_value_id x = -1;
    *out = -1;
    REHA_TRY(reha_zoo_conv_norm(graph, &stem, input, &x, err));
    REHA_TRY(reha_graph_add_pool(graph, "pool0", REHA_OP_MAX_POOL, x, reha_window_square(3, 2, 1), &x, err));
    for (int stage = 0; stage < 4; stage++) {
        for (int block = 0; block < 2; block++) {
            const bool resample = stage > 0 && block == 0;
            REHA_TRY(basic_block(graph, stage + 1, block, 64 << stage, resample ? 2 : 1, resample, &x, err));
        }
    }
    *out = x;
    return REHA_OK;
}

/* ---- U-Net ---- */

enum { UNET_DEPTH_MAX = 6 };

static reha_status double_conv(reha_graph *graph, const char *name, int channels, reha_value_id *value,
                               reha_error *err)
{
    char conv[REHA_NN_NAME_BYTES];
    char norm[REHA_NN_NAME_BYTES];
    for (int i = 0; i < 2; i++) {
        snprintf(conv, sizeof conv, "%s_conv%d", name, i);
        snprintf(norm, sizeof norm, "%s_batchnorm%d", name, i);
        const reha_conv_norm part = {conv, norm, channels, reha_window_square(3, 1, 1), 1, REHA_OP_RELU};
        REHA_TRY(reha_zoo_conv_norm(graph, &part, *value, value, err));
    }
    return REHA_OK;
}

reha_status reha_zoo_unet(reha_graph *graph, reha_value_id input, int base, int depth, int channels,
                          reha_value_id *out, reha_error *err)
{
    reha_value_id skips[UNET_DEPTH_MAX];
    char name[32];
    reha_value_id x = input;
    *out = -1;
    if (depth < 1 || depth > UNET_DEPTH_MAX || base < 1 || base > 1024) {
        return reha_fail(err, REHA_E_ARG, "a U-Net of depth %d (1 to %d) and %d base channels (1 to 1024)",
                         depth, UNET_DEPTH_MAX, base);
    }
    for (int level = 0; level < depth; level++) {
        snprintf(name, sizeof name, "down%d", level);
        REHA_TRY(double_conv(graph, name, base << level, &x, err));
        skips[level] = x;
        snprintf(name, sizeof name, "down%d_pool", level);
        REHA_TRY(reha_graph_add_pool(graph, name, REHA_OP_MAX_POOL, x, reha_window_square(2, 2, 0), &x, err));
    }
    REHA_TRY(double_conv(graph, "middle", base << depth, &x, err));
    for (int level = depth - 1; level >= 0; level--) {
        snprintf(name, sizeof name, "up%d_transpose", level);
        REHA_TRY(reha_graph_add_conv_transpose(graph, name, x, base << level, reha_window_square(2, 2, 0),
                                               true, &x, err));
        snprintf(name, sizeof name, "up%d_concat", level);
        const reha_value_id pair[2] = {skips[level], x};
        REHA_TRY(reha_graph_add_concat(graph, name, pair, 2, &x, err));
        snprintf(name, sizeof name, "up%d", level);
        REHA_TRY(double_conv(graph, name, base << level, &x, err));
    }
    return reha_graph_add_conv(graph, "head", x, channels, reha_window_square(1, 1, 0), 1, true, out, err);
}
