#include "recognition/fracture_net.h"

#include "base/memory.h"
#include "nn/fold.h"
#include "nn/npy.h"
#include "nn/zoo.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PYRAMID_CHANNELS = 96,
    HEAD_CHANNELS = 64,
    VIEWS_MAX = 2,
    PERCENTILE_SAMPLES = 65536,
    CANDIDATES_MAX = 1024
};
/* Ends of the trunk's maps at strides 8, 16 and 32. */
static const char *const map_nodes[3] = {"linearbottleneck5_add", "linearbottleneck12_add",
                                         "linearbottleneck15_add"};
static const char weight_prefix[] = "mobilenetv20_features_";
static const float IMAGENET_MEAN[REHA_FRACTURE_CHANNELS] = {0.485F, 0.456F, 0.406F};
static const float IMAGENET_DEVIATION[REHA_FRACTURE_CHANNELS] = {0.229F, 0.224F, 0.225F};
static const float RARE_CENTRE_LOGIT = -3.5F; /* a cell is a centre in some 3 % before anything is learned */

/* ---- graph ---- */

/* The trunk up to stride 32, without the layers for classification behind it. */
static reha_status copy_trunk(const reha_graph *whole, int side_px, reha_graph **out, reha_value_id maps[3],
                              reha_error *err)
{
    reha_status status = REHA_OK;
    const int last = reha_graph_find_node(whole, map_nodes[2]);
    reha_value_id *renamed = reha_alloc_zero((size_t)reha_graph_node_count(whole), sizeof *renamed);
    if (renamed == NULL || last < 0) {
        status = reha_fail(err, renamed == NULL ? REHA_E_NOMEM : REHA_E_INTERNAL, "no trunk can be made");
        goto done;
    }
    REHA_CHECK(reha_graph_new("fracture", out, err));
    REHA_CHECK(
        reha_graph_add_input(*out, "image", REHA_FRACTURE_CHANNELS, side_px, side_px, &renamed[0], err));
    for (int i = 1; i <= last; i++) {
        const reha_node *node = reha_graph_node(whole, i);
        reha_value_id inputs[REHA_NN_INPUTS_MAX];
        for (int k = 0; k < node->input_count; k++) {
            inputs[k] = renamed[node->inputs[k]];
        }
        REHA_CHECK(reha_graph_add_copy(*out, whole, node, inputs, &renamed[i], err));
    }
    for (int i = 0; i < 3; i++) {
        maps[i] = renamed[reha_graph_find_node(whole, map_nodes[i])];
    }
done:
    reha_free(renamed);
    return status;
}

static reha_status conv(reha_graph *graph, const char *const names[2], int channels, int kernel,
                        reha_value_id input, reha_value_id *out, reha_error *err)
{
    const reha_conv_norm part = {names[0], names[1],    channels, reha_window_square(kernel, 1, kernel / 2),
                                 1,        REHA_OP_RELU};
    return reha_zoo_conv_norm(graph, &part, input, out, err);
}

/* Enlarges the coarse map twofold and adds the finer one. */
static reha_status add_level(reha_graph *graph, const char *const names[6], reha_value_id coarse,
                             reha_value_id fine, reha_value_id *out, reha_error *err)
{
    reha_value_id large = 0;
    reha_value_id side = 0;
    reha_value_id sum = 0;
    REHA_TRY(reha_graph_add_resize(graph, names[0], REHA_OP_RESIZE_NEAREST, coarse, 2, 2, &large, err));
    REHA_TRY(conv(graph, &names[1], PYRAMID_CHANNELS, 1, fine, &side, err));
    REHA_TRY(reha_graph_add_binary(graph, names[3], REHA_OP_ADD, large, side, &sum, err));
    return conv(graph, &names[4], PYRAMID_CHANNELS, 3, sum, out, err);
}

static reha_status add_head(reha_graph *graph, const reha_value_id maps[3], reha_error *err)
{
    static const char *const top[2] = {"head_top", "head_top_norm"};
    static const char *const middle[6] = {"head_up16",  "head_side16", "head_side16_norm",
                                          "head_sum16", "head_mix16",  "head_mix16_norm"};
    static const char *const fine[6] = {"head_up8",  "head_side8", "head_side8_norm",
                                        "head_sum8", "head_mix8",  "head_mix8_norm"};
    static const char *const tower[2] = {"head_tower", "head_tower_norm"};
    const reha_window point = reha_window_square(1, 1, 0);
    reha_value_id value = 0;
    reha_value_id centres = 0;
    reha_value_id sizes = 0;
    REHA_TRY(conv(graph, top, PYRAMID_CHANNELS, 1, maps[2], &value, err));
    REHA_TRY(add_level(graph, middle, value, maps[1], &value, err));
    REHA_TRY(add_level(graph, fine, value, maps[0], &value, err));
    REHA_TRY(conv(graph, tower, HEAD_CHANNELS, 3, value, &value, err));
    REHA_TRY(reha_graph_add_conv(graph, "head_centres", value, 1, point, 1, true, &centres, err));
    REHA_TRY(
        reha_graph_add_conv(graph, "head_sizes", value, REHA_FRACTURE_MAPS, point, 1, true, &sizes, err));
    REHA_TRY(reha_graph_mark_output(graph, centres, "centres", err));
    return reha_graph_mark_output(graph, sizes, "sizes", err);
}

static void fill_param(reha_param *param, double deviation, reha_random *random)
{
    for (size_t i = 0; i < reha_shape_count(param->shape); i++) {
        param->values[i] = (float)(deviation * reha_random_normal(random));
    }
}

static void init_head(reha_graph *graph, const reha_fracture_net_spec *spec, reha_random *random)
{
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        if (strncmp(node->name, "head_", 5) != 0) {
            continue;
        }
        for (int k = 0; k < node->param_count; k++) {
            reha_param *param = reha_graph_param_mutable(graph, node->params[k]);
            param->learning_rate_ratio = spec->head_rate_ratio;
            if (node->op == REHA_OP_CONV && k == 0) {
                const double fan_in = (double)reha_shape_count(param->shape) / (double)param->shape.dims[0];
                fill_param(param, param->shape.dims[0] < 16 ? 0.01 : sqrt(2.0 / fan_in), random);
            }
        }
    }
    const reha_node *centres = reha_graph_node(graph, reha_graph_find_node(graph, "head_centres"));
    reha_graph_param_mutable(graph, centres->params[1])->values[0] = RARE_CENTRE_LOGIT;
}

/* Pre-trained edges and textures serve bones as they are: the layers down to stride 4 keep their weights,
 * which also spares the costliest part of each backward pass. */
static void freeze_stem(reha_graph *graph)
{
    static const char *const kept[] = {"conv0", "batchnorm0", "linearbottleneck0_", "linearbottleneck1_",
                                       "linearbottleneck2_"};
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        const reha_node *node = reha_graph_node(graph, i);
        for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++) {
            for (int p = 0; strncmp(node->name, kept[k], strlen(kept[k])) == 0 && p < node->param_count;
                 p++) {
                reha_graph_param_mutable(graph, node->params[p])->is_trainable = false;
            }
        }
    }
}

reha_status reha_fracture_net_new(const reha_fracture_net_spec *spec, const char *backbone_folder,
                                  uint64_t seed, reha_graph **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *whole = NULL;
    reha_graph *graph = NULL;
    reha_value_id value = 0;
    reha_value_id maps[3];
    reha_random random = reha_random_init(seed, 0x66726163);
    *out = NULL;
    REHA_CHECK(reha_graph_new("trunk", &whole, err));
    REHA_CHECK(reha_graph_add_input(whole, "image", REHA_FRACTURE_CHANNELS, spec->side_px, spec->side_px,
                                    &value, err));
    REHA_CHECK(reha_zoo_mobilenetv2(whole, value, &value, err));
    reha_graph_init_params(whole, &random);
    if (backbone_folder != NULL) {
        int loaded = 0;
        REHA_CHECK(reha_backbone_load(whole, backbone_folder, weight_prefix, &loaded, err));
    }
    REHA_CHECK(copy_trunk(whole, spec->side_px, &graph, maps, err));
    REHA_CHECK(add_head(graph, maps, err));
    init_head(graph, spec, &random);
    if (backbone_folder != NULL) {
        freeze_stem(graph);
    }
    *out = graph;
    graph = NULL;
done:
    reha_graph_free(whole);
    reha_graph_free(graph);
    return status;
}

/* ---- input ---- */

reha_fracture_view reha_fracture_view_default(void)
{
    return (reha_fracture_view){.side_px = 512,
                                .low_percentile = 0.5,
                                .high_percentile = 99.5,
                                .size_unit_px = 32.0,
                                .size_gain = 1.0,
                                .score_min = 0.02,
                                .overlap_max = 0.3,
                                .boxes_max = 20,
                                .mirror_average = true};
}

reha_status reha_fracture_look(const reha_fracture_view *view, const reha_gray *image, float *out,
                               reha_error *err)
{
    const double percentiles[2] = {view->low_percentile, view->high_percentile};
    double levels[2];
    const double side = image->width_px > image->height_px ? image->width_px : image->height_px;
    REHA_TRY(reha_sample_percentiles(image, 0, 0, image->width_px, image->height_px, PERCENTILE_SAMPLES,
                                     percentiles, 2, levels, err));
    if (!(levels[1] > levels[0])) {
        return reha_fail(err, REHA_E_REFUSED, "the picture is blank: all grey values are about %.4g",
                         levels[0]);
    }
    const reha_box_px square = {0.0, 0.0, side, side};
    return reha_sample_rect(image, square, REHA_BORDER_ZERO, (reha_tone){levels[0], levels[1]}, view->side_px,
                            view->side_px, out, err);
}

void reha_fracture_colour(const float *grey, int side_px, bool mirrored, float *out)
{
    const size_t side = (size_t)side_px;
    for (size_t c = 0; c < REHA_FRACTURE_CHANNELS; c++) {
        for (size_t y = 0; y < side; y++) {
            for (size_t x = 0; x < side; x++) {
                const float value = grey[y * side + (mirrored ? side - 1 - x : x)];
                out[(c * side + y) * side + x] = (value - IMAGENET_MEAN[c]) / IMAGENET_DEVIATION[c];
            }
        }
    }
}

/* ---- detector ---- */

reha_status reha_fracture_detector_init(reha_fracture_detector *detector, const reha_graph *graph,
                                        const reha_fracture_view *view, int threads, reha_precision precision,
                                        reha_error *err)
{
    const size_t area = (size_t)view->side_px * (size_t)view->side_px;
    const size_t cells = area / ((size_t)REHA_FRACTURE_STRIDE_PX * REHA_FRACTURE_STRIDE_PX);
    reha_session_options how = reha_session_options_default();
    how.batch_max = view->mirror_average ? VIEWS_MAX : 1;
    how.is_whole_batch = true;
    how.threads = threads;
    how.precision = precision;
    *detector = (reha_fracture_detector){.view = *view};
    detector->grey = reha_alloc_zero(area, sizeof(float));
    detector->inputs = reha_alloc_zero((size_t)VIEWS_MAX * REHA_FRACTURE_CHANNELS * area, sizeof(float));
    detector->centres = reha_alloc_zero(VIEWS_MAX * cells, sizeof(float));
    detector->sizes = reha_alloc_zero((size_t)VIEWS_MAX * REHA_FRACTURE_MAPS * cells, sizeof(float));
    reha_status status = REHA_OK;
    if (detector->grey == NULL || detector->inputs == NULL || detector->centres == NULL ||
        detector->sizes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the fracture detector");
    } else {
        status = reha_session_new(graph, &how, &detector->session, err);
    }
    if (status != REHA_OK) {
        reha_fracture_detector_clear(detector);
    }
    return status;
}

void reha_fracture_detector_clear(reha_fracture_detector *detector)
{
    reha_session_free(detector->session);
    reha_free(detector->grey);
    reha_free(detector->inputs);
    reha_free(detector->centres);
    reha_free(detector->sizes);
    *detector = (reha_fracture_detector){0};
}

/* Turns logits into probabilities and averages the mirror image's maps into the first ones. */
static void join_views(reha_fracture_detector *detector)
{
    const size_t side = (size_t)detector->view.side_px / REHA_FRACTURE_STRIDE_PX;
    const size_t cells = side * side;
    const size_t views = detector->view.mirror_average ? VIEWS_MAX : 1;
    for (size_t i = 0; i < views * cells; i++) {
        detector->centres[i] = 1.0F / (1.0F + expf(-detector->centres[i]));
    }
    for (size_t i = 0; views > 1 && i < cells; i++) {
        const size_t mirror = (i / side) * side + side - 1 - i % side;
        detector->centres[i] = 0.5F * (detector->centres[i] + detector->centres[cells + mirror]);
        for (size_t m = 0; m < REHA_FRACTURE_MAPS; m++) {
            const float other = detector->sizes[(REHA_FRACTURE_MAPS + m) * cells + mirror];
            float *mine = &detector->sizes[m * cells + i];
            *mine = 0.5F * (*mine + (m == 2 ? -other : other)); /* offsets to the right point left */
        }
    }
}

static bool is_peak(const float *map, int side, int x, int y)
{
    const float value = map[y * side + x];
    for (int dy = -1; dy <= 1; dy++) {
        for (int dx = -1; dx <= 1; dx++) {
            const int nx = x + dx;
            const int ny = y + dy;
            if (nx >= 0 && ny >= 0 && nx < side && ny < side && map[ny * side + nx] > value) {
                return false;
            }
        }
    }
    return true;
}

/* The box of a cell, in input pixels from the corner. */
static reha_edges box_of_cell(const reha_fracture_detector *detector, int side, int x, int y)
{
    const size_t cells = (size_t)side * (size_t)side;
    const size_t cell = (size_t)y * (size_t)side + (size_t)x;
    const double unit = detector->view.size_unit_px * detector->view.size_gain;
    const double limit = log((double)detector->view.side_px / unit);
    const double width = unit * exp(fmin((double)detector->sizes[cell], limit));
    const double height = unit * exp(fmin((double)detector->sizes[cells + cell], limit));
    const double cx = (x + 0.5 + (double)detector->sizes[2 * cells + cell]) * REHA_FRACTURE_STRIDE_PX;
    const double cy = (y + 0.5 + (double)detector->sizes[3 * cells + cell]) * REHA_FRACTURE_STRIDE_PX;
    return (reha_edges){cx - 0.5 * width, cy - 0.5 * height, cx + 0.5 * width, cy + 0.5 * height};
}

/* Peaks of the score map inside the picture, as relative boxes clipped to it. */
static size_t collect(const reha_fracture_detector *detector, const reha_gray *image, reha_found *out)
{
    const int side = detector->view.side_px / REHA_FRACTURE_STRIDE_PX;
    const double longer = image->width_px > image->height_px ? image->width_px : image->height_px;
    const double scale = (double)detector->view.side_px / longer;
    const double width = scale * image->width_px; /* of the picture, in input pixels */
    const double height = scale * image->height_px;
    size_t count = 0;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            const double score = (double)detector->centres[y * side + x];
            if (score < detector->view.score_min || !is_peak(detector->centres, side, x, y)) {
                continue;
            }
            const reha_edges box = box_of_cell(detector, side, x, y);
            const reha_found found = {0,
                                      {fmax(box.x0 / width, 0.0), fmax(box.y0 / height, 0.0),
                                       fmin(box.x1 / width, 1.0), fmin(box.y1 / height, 1.0)},
                                      score};
            if (found.box.x1 > found.box.x0 && found.box.y1 > found.box.y0 && count < CANDIDATES_MAX) {
                out[count++] = found;
            }
        }
    }
    return count;
}

reha_status reha_fracture_detect(reha_fracture_detector *detector, const reha_gray *image, reha_found *found,
                                 size_t *count, reha_error *err)
{
    const int side_px = detector->view.side_px;
    const size_t view_count = (size_t)REHA_FRACTURE_CHANNELS * (size_t)side_px * (size_t)side_px;
    reha_found candidates[CANDIDATES_MAX];
    const int views = detector->view.mirror_average ? VIEWS_MAX : 1;
    *count = 0;
    REHA_TRY(reha_fracture_look(&detector->view, image, detector->grey, err));
    for (int v = 0; v < views; v++) {
        reha_fracture_colour(detector->grey, side_px, v == 1, detector->inputs + (size_t)v * view_count);
    }
    const float *inputs[1] = {detector->inputs};
    float *outputs[2] = {detector->centres, detector->sizes};
    REHA_TRY(reha_session_run(detector->session, views, inputs, outputs, err));
    join_views(detector);
    const size_t kept =
        reha_boxes_suppress(candidates, collect(detector, image, candidates), detector->view.overlap_max);
    *count = kept < (size_t)detector->view.boxes_max ? kept : (size_t)detector->view.boxes_max;
    memcpy(found, candidates, *count * sizeof *found);
    return REHA_OK;
}
