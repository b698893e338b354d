#include "recognition/scene_net.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/npy.h"
#include "nn/zoo.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdio.h>

enum { TONE_SAMPLES = 1 << 15, RGB = 3, TRUNK_UNITS = 13 };
#define WEIGHT_PREFIX "mobilenetv20_features_"
static const double TONE_PERCENTILES[2] = {1.0, 99.0};
static const float DETAIL_GAIN = 8.0F;
static const float CENTRE = 0.4F; /* both planes have about mean 0 and SD 1 after this */
static const float SPREAD = 3.0F;

/* ---- the network ---- */

int reha_scene_output_size(reha_scene_output output)
{
    static const int sizes[REHA_SCENE_OUTPUTS] = {REHA_SCENE_KINDS, REHA_SCENE_TURNS, 2, REHA_SCENE_FLAWS,
                                                  REHA_SCENE_FEATURES};
    return sizes[output];
}

/* MobileNetV2 up to stride 16, behind a stem that reads grey and detail. */
static reha_status add_trunk(reha_graph *graph, reha_value_id *value, reha_error *err)
{
    const reha_conv_norm stem = {"stem", "batchnorm0", 32, reha_window_square(3, 2, 1), 1, REHA_OP_RELU6};
    REHA_TRY(reha_zoo_conv_norm(graph, &stem, *value, value, err));
    return reha_zoo_mobilenetv2_units(graph, *value, TRUNK_UNITS, value, err);
}

/* The colour stem reads (grey, grey, grey); what it makes of the detail is learned from nothing. */
static reha_status load_stem(reha_graph *graph, const char *backbone_folder, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_npy colour = {0};
    char *path = reha_path_join(backbone_folder, WEIGHT_PREFIX "conv0_weight.npy");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_npy_load(path, &colour, err));
    const reha_node *stem = reha_graph_node(graph, reha_graph_find_node(graph, "stem"));
    reha_param *weight = reha_graph_param_mutable(graph, stem->params[0]);
    const size_t filters = (size_t)weight->shape.dims[0];
    const size_t area = (size_t)stem->window.kernel_h * (size_t)stem->window.kernel_w;
    if (reha_shape_count(colour.shape) != filters * RGB * area) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: not the first convolution of MobileNetV2", path);
        goto done;
    }
    for (size_t f = 0; f < filters; f++) {
        for (size_t i = 0; i < area; i++) {
            const float *from = colour.values + f * RGB * area + i;
            weight->values[f * REHA_SCENE_CHANNELS * area + i] = from[0] + from[area] + from[2 * area];
            weight->values[(f * REHA_SCENE_CHANNELS + 1) * area + i] = 0.0F;
        }
    }
done:
    reha_npy_clear(&colour);
    reha_free(path);
    return status;
}

static reha_status load_trunk(reha_graph *graph, const char *backbone_folder, reha_error *err)
{
    int loaded = 0;
    REHA_TRY(reha_backbone_load(graph, backbone_folder, WEIGHT_PREFIX, &loaded, err));
    return load_stem(graph, backbone_folder, err);
}

static reha_status add_heads(reha_graph *graph, reha_value_id trunk, reha_error *err)
{
    static const char *const names[REHA_SCENE_OUTPUTS] = {"kind", "turn", "tone", "flaw", "features"};
    reha_value_id pooled = 0;
    reha_value_id outputs[REHA_SCENE_OUTPUTS];
    REHA_TRY(reha_graph_add_unary(graph, "pool", REHA_OP_GLOBAL_AVERAGE_POOL, trunk, &pooled, err));
    REHA_TRY(reha_graph_add_unary(graph, "flat", REHA_OP_FLATTEN, pooled, &pooled, err));
    REHA_TRY(reha_graph_add_fully_connected(graph, names[REHA_SCENE_OUT_FEATURES], pooled,
                                            REHA_SCENE_FEATURES, &outputs[REHA_SCENE_OUT_FEATURES], err));
    reha_value_id active = 0;
    REHA_TRY(
        reha_graph_add_unary(graph, "active", REHA_OP_RELU, outputs[REHA_SCENE_OUT_FEATURES], &active, err));
    /* The kind is read from the features whose distance is measured; the rest needs more than what tells
     * kinds apart. */
    for (int i = 0; i < REHA_SCENE_OUT_FEATURES; i++) {
        REHA_TRY(reha_graph_add_fully_connected(graph, names[i], i == REHA_SCENE_OUT_KIND ? active : pooled,
                                                reha_scene_output_size((reha_scene_output)i), &outputs[i],
                                                err));
    }
    for (int i = 0; i < REHA_SCENE_OUTPUTS; i++) {
        REHA_TRY(reha_graph_mark_output(graph, outputs[i], names[i], err));
    }
    return REHA_OK;
}

reha_status reha_scene_network_new(const char *backbone_folder, uint64_t seed, reha_graph **out,
                                   reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *graph = NULL;
    reha_value_id value = 0;
    reha_random random = reha_random_init(seed, 0x67617465);
    *out = NULL;
    REHA_CHECK(reha_graph_new("gate", &graph, err));
    REHA_CHECK(reha_graph_add_input(graph, "picture", REHA_SCENE_CHANNELS, REHA_SCENE_SIDE_PX,
                                    REHA_SCENE_SIDE_PX, &value, err));
    REHA_CHECK(add_trunk(graph, &value, err));
    REHA_CHECK(add_heads(graph, value, err));
    reha_graph_init_params(graph, &random);
    REHA_CHECK(backbone_folder != NULL ? load_trunk(graph, backbone_folder, err) : REHA_OK);
    *out = graph;
    graph = NULL;
done:
    reha_graph_free(graph);
    return status;
}

/* ---- what it sees ---- */

reha_status reha_scene_reduce(const reha_gray *image, reha_gray **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *halved = NULL;
    reha_gray *made = NULL;
    *out = NULL;
    uint32_t longer = image->width_px > image->height_px ? image->width_px : image->height_px;
    const uint32_t shorter = image->width_px > image->height_px ? image->height_px : image->width_px;
    if (longer <= REHA_SCENE_WORK_PX) {
        return REHA_OK;
    }
    uint32_t factor = longer / REHA_SCENE_WORK_PX;
    factor = factor > shorter ? shorter : factor;
    const reha_gray *from = image;
    if (factor > 1) {
        REHA_CHECK(reha_sample_reduce(image, factor, &halved, err));
        from = halved;
        longer = from->width_px > from->height_px ? from->width_px : from->height_px;
    }
    const double scale = fmin(1.0, (double)REHA_SCENE_WORK_PX / longer);
    const uint32_t width = (uint32_t)fmax(1.0, round(scale * from->width_px));
    const uint32_t height = (uint32_t)fmax(1.0, round(scale * from->height_px));
    REHA_CHECK(reha_gray_new(width, height, &made, err));
    REHA_CHECK(reha_sample_rect(from, (reha_box_px){0, 0, from->width_px, from->height_px},
                                REHA_BORDER_NEAREST, (reha_tone){0.0, 0.0}, (int)width, (int)height,
                                made->pixels, err));
    *out = made;
    made = NULL;
done:
    reha_gray_free(halved);
    reha_gray_free(made);
    return status;
}

/* |4-neighbour Laplacian| of the toned grey; 0 at the edges. */
static reha_status make_detail(const reha_gray *work, reha_tone tone, reha_gray **out, reha_error *err)
{
    const float gain = (float)(1.0 / fabs(tone.high - tone.low));
    const size_t width = work->width_px;
    REHA_TRY(reha_gray_new(work->width_px, work->height_px, out, err));
    for (size_t y = 1; y + 1 < work->height_px; y++) {
        const float *at = work->pixels + y * width;
        float *to = (*out)->pixels + y * width;
        for (size_t x = 1; x + 1 < width; x++) {
            const float bend = 4.0F * at[x] - at[x - 1] - at[x + 1] - at[x - width] - at[x + width];
            to[x] = fminf(1.0F, gain * fabsf(bend));
        }
    }
    return REHA_OK;
}

/* The whole picture in the middle of the square; beside it the value 0 of the network. */
static reha_status place(const reha_gray *picture, reha_tone tone, float *plane, reha_error *err)
{
    const uint32_t longer = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    const double scale = (double)REHA_SCENE_SIDE_PX / longer;
    const int width = (int)fmax(1.0, round(scale * picture->width_px));
    const int height = (int)fmax(1.0, round(scale * picture->height_px));
    float *small = reha_alloc((size_t)width * (size_t)height * sizeof *small);
    if (small == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the gate's view");
    }
    const reha_status status =
        reha_sample_rect(picture, (reha_box_px){0, 0, picture->width_px, picture->height_px},
                         REHA_BORDER_NEAREST, tone, width, height, small, err);
    const int left = (REHA_SCENE_SIDE_PX - width) / 2;
    const int top = (REHA_SCENE_SIDE_PX - height) / 2;
    for (int y = 0; y < height && status == REHA_OK; y++) {
        for (int x = 0; x < width; x++) {
            plane[(top + y) * REHA_SCENE_SIDE_PX + left + x] = small[y * width + x];
        }
    }
    reha_free(small);
    return status;
}

reha_status reha_scene_view(const reha_gray *work, bool inverted, float *input, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *detail = NULL;
    double ends[2];
    float *const planes[REHA_SCENE_CHANNELS] = {input, input + REHA_SCENE_PLANE};
    for (size_t i = 0; i < REHA_SCENE_INPUT; i++) {
        input[i] = i < REHA_SCENE_PLANE ? CENTRE : 0.0F;
    }
    REHA_CHECK(reha_sample_percentiles(work, 0, 0, work->width_px, work->height_px, TONE_SAMPLES,
                                       TONE_PERCENTILES, 2, ends, err));
    if (!(ends[1] > ends[0])) {
        ends[1] = ends[0] + 1.0;
    }
    const reha_tone tone = inverted ? (reha_tone){ends[1], ends[0]} : (reha_tone){ends[0], ends[1]};
    REHA_CHECK(make_detail(work, tone, &detail, err));
    REHA_CHECK(place(work, tone, planes[0], err));
    REHA_CHECK(place(detail, (reha_tone){0.0, 1.0}, planes[1], err));
    for (size_t i = 0; i < REHA_SCENE_PLANE; i++) {
        planes[0][i] = SPREAD * (planes[0][i] - CENTRE);
        planes[1][i] = SPREAD * (fminf(1.5F, sqrtf(DETAIL_GAIN * planes[1][i])) - CENTRE);
    }
done:
    reha_gray_free(detail);
    return status;
}
