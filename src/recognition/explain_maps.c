#include "recognition/explain_maps.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum {
    BATCH = 8,
    PATH_STEPS = 8,   /* of integrated gradients, at midpoints */
    OCCLUDER_PX = 32, /* side of the blurred square, moved by its own size */
    SMOOTH_PX = 4,    /* radius of the box filter over pixel gradients, applied twice */
    BLUR_ROUNDS = 3,
    BLUR_SHARE = 14 /* radius: height / this */
};

struct reha_explain_maker {
    reha_session *session;
    reha_explainer *top;   /* of the last map */
    reha_explainer *whole; /* of the input; made when first asked for */
    const reha_graph *graph;
    int threads, classes;
    int width, height, map_width, map_height;
    float offset, gain;
    float *batch;   /* BATCH pictures, scaled */
    float *blurred; /* one picture */
    float *work;    /* one picture */
    float *raw;     /* one map as the explainer gives it, or one picture */
};

static const char *const names[REHA_EXPLAIN_METHODS] = {
    "hires-cam", "grad-cam", "grad-cam++", "integrated-gradients", "occlusion", "random", "centre"};

const char *reha_explain_method_name(reha_explain_method method)
{
    return names[method];
}

bool reha_explain_method_is_control(reha_explain_method method)
{
    return method == REHA_EXPLAIN_RANDOM || method == REHA_EXPLAIN_CENTRE;
}

bool reha_explain_method_cam(const char *name, reha_cam *out)
{
    static const reha_cam cams[] = {REHA_CAM_HIRES, REHA_CAM_MEAN, REHA_CAM_PLUS};
    for (int m = REHA_EXPLAIN_HIRES_CAM; m <= REHA_EXPLAIN_GRAD_CAM_PLUS; m++) {
        if (strcmp(name, names[m]) == 0) {
            *out = cams[m];
            return true;
        }
    }
    return false;
}

void reha_explain_maker_free(reha_explain_maker *maker)
{
    if (maker != NULL) {
        reha_session_free(maker->session);
        reha_explainer_free(maker->top);
        reha_explainer_free(maker->whole);
        reha_free(maker->batch);
        reha_free(maker->blurred);
        reha_free(maker->work);
        reha_free(maker->raw);
        reha_free(maker);
    }
}

static reha_status check_network(const reha_explain_network *network, int *node, reha_error *err)
{
    const reha_graph *graph = network->graph;
    if (reha_graph_input_count(graph) != 1 || reha_graph_output_count(graph) < 1) {
        return reha_fail(err, REHA_E_FORMAT, "explained are networks with one picture as their input");
    }
    const reha_shape *in = &reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
    const reha_shape *out = &reha_graph_node(graph, reha_graph_output(graph, 0))->shape;
    if (in->rank != 4 || in->dims[1] != 1 || out->rank != 2 || out->dims[1] < 2 ||
        out->dims[1] > REHA_EXPLAIN_CLASSES_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "explained are networks from one channel to 2 to %d classes",
                         REHA_EXPLAIN_CLASSES_MAX);
    }
    *node = reha_graph_find_node(graph, network->node);
    if (*node < 0 || reha_graph_node(graph, *node)->shape.rank != 4) {
        return reha_fail(err, REHA_E_FORMAT, "the network has no map '%.60s' to explain", network->node);
    }
    return REHA_OK;
}

reha_status reha_explain_maker_new(const reha_explain_network *network, reha_explain_maker **out,
                                   reha_error *err)
{
    reha_status status = REHA_OK;
    int node = -1;
    *out = NULL;
    REHA_TRY(check_network(network, &node, err));
    reha_explain_maker *maker = reha_alloc_zero(1, sizeof *maker);
    if (maker == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an explanation");
    }
    const reha_shape *in = &reha_graph_node(network->graph, reha_graph_input(network->graph, 0))->shape;
    const reha_shape *map = &reha_graph_node(network->graph, node)->shape;
    maker->graph = network->graph;
    maker->threads = network->threads;
    maker->offset = network->input_offset;
    maker->gain = network->input_gain;
    maker->height = (int)in->dims[2];
    maker->width = (int)in->dims[3];
    maker->map_height = (int)map->dims[2];
    maker->map_width = (int)map->dims[3];
    maker->classes =
        (int)reha_graph_node(network->graph, reha_graph_output(network->graph, 0))->shape.dims[1];
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    const size_t map_area = (size_t)maker->map_width * (size_t)maker->map_height;
    maker->batch = reha_alloc(BATCH * area * sizeof(float));
    maker->blurred = reha_alloc(area * sizeof(float));
    maker->work = reha_alloc(area * sizeof(float));
    maker->raw = reha_alloc((area > map_area ? area : map_area) * sizeof(float));
    if (maker->batch == NULL || maker->blurred == NULL || maker->work == NULL || maker->raw == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for an explanation"));
    }
    reha_session_options how = reha_session_options_default();
    how.batch_max = BATCH;
    how.threads = network->threads;
    how.precision = network->precision;
    REHA_CHECK(reha_session_new(network->graph, &how, &maker->session, err));
    REHA_CHECK(reha_explainer_new(network->graph, node, 0, network->threads, &maker->top, err));
    *out = maker;
    maker = NULL;
done:
    reha_explain_maker_free(maker);
    return status;
}

int reha_explain_maker_width(const reha_explain_maker *maker)
{
    return maker->width;
}

int reha_explain_maker_height(const reha_explain_maker *maker)
{
    return maker->height;
}

int reha_explain_maker_classes(const reha_explain_maker *maker)
{
    return maker->classes;
}

static void softmax(const float *logits, int count, float *out)
{
    double highest = -INFINITY;
    double total = 0.0;
    for (int k = 0; k < count; k++) {
        highest = fmax(highest, (double)logits[k]);
    }
    for (int k = 0; k < count; k++) {
        total += exp((double)logits[k] - highest);
    }
    for (int k = 0; k < count; k++) {
        out[k] = (float)(exp((double)logits[k] - highest) / total);
    }
}

reha_status reha_explain_scores(reha_explain_maker *maker, const float *pictures, int count,
                                float *probabilities, reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    float logits[BATCH * REHA_EXPLAIN_CLASSES_MAX];
    for (int done = 0; done < count; done += BATCH) {
        const int n = count - done < BATCH ? count - done : BATCH;
        for (size_t i = 0; i < (size_t)n * area; i++) {
            maker->batch[i] = (pictures[(size_t)done * area + i] - maker->offset) * maker->gain;
        }
        const float *inputs[1] = {maker->batch};
        float *outputs[1] = {logits};
        REHA_TRY(reha_session_run(maker->session, n, inputs, outputs, err));
        for (int i = 0; i < n; i++) {
            softmax(logits + (size_t)(i * maker->classes), maker->classes,
                    probabilities + (size_t)(done + i) * (size_t)maker->classes);
        }
    }
    return REHA_OK;
}

/* ---- Filters ---- */

reha_status reha_explain_blur(const float *picture, int width, int height, float *out, reha_error *err)
{
    const size_t area = (size_t)width * (size_t)height;
    float *work = reha_alloc(area * sizeof(float));
    if (work == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a blurred picture");
    }
    memcpy(out, picture, area * sizeof(float));
    const int radius = height / BLUR_SHARE > 1 ? height / BLUR_SHARE : 1;
    for (int i = 0; i < BLUR_ROUNDS; i++) {
        reha_box_filter(out, width, height, radius, work, out);
    }
    reha_free(work);
    return REHA_OK;
}

/* A coarse map (cells over the whole picture) between its cells' centres. */
static void enlarge(const float *coarse, int columns, int rows, int width, int height, float *out)
{
    for (int y = 0; y < height; y++) {
        const double v = fmin(fmax((y + 0.5) * rows / height - 0.5, 0.0), rows - 1.0);
        const int y0 = (int)v;
        const int y1 = y0 + 1 < rows ? y0 + 1 : y0;
        for (int x = 0; x < width; x++) {
            const double u = fmin(fmax((x + 0.5) * columns / width - 0.5, 0.0), columns - 1.0);
            const int x0 = (int)u;
            const int x1 = x0 + 1 < columns ? x0 + 1 : x0;
            const double top = (double)coarse[y0 * columns + x0] * (1.0 - (u - x0)) +
                               (double)coarse[y0 * columns + x1] * (u - x0);
            const double low = (double)coarse[y1 * columns + x0] * (1.0 - (u - x0)) +
                               (double)coarse[y1 * columns + x1] * (u - x0);
            out[(size_t)y * (size_t)width + (size_t)x] = (float)(top * (1.0 - (v - y0)) + low * (v - y0));
        }
    }
}

/* ---- Methods ---- */

/* d(log p of the class) / d(logits) at a picture. */
static reha_status log_gradient(reha_explain_maker *maker, const float *picture, int class_idx,
                                float *weights, reha_error *err)
{
    REHA_TRY(reha_explain_scores(maker, picture, 1, weights, err));
    for (int k = 0; k < maker->classes; k++) {
        weights[k] = (k == class_idx ? 1.0F : 0.0F) - weights[k];
    }
    return REHA_OK;
}

static void scale(const reha_explain_maker *maker, const float *picture, float *out)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    for (size_t i = 0; i < area; i++) {
        out[i] = (picture[i] - maker->offset) * maker->gain;
    }
}

static reha_status cam_map(reha_explain_maker *maker, reha_cam cam, const float *picture, int class_idx,
                           float *map, reha_error *err)
{
    float weights[REHA_EXPLAIN_CLASSES_MAX];
    float outputs[REHA_EXPLAIN_CLASSES_MAX];
    REHA_TRY(log_gradient(maker, picture, class_idx, weights, err));
    scale(maker, picture, maker->work);
    const float *inputs[1] = {maker->work};
    REHA_TRY(reha_explainer_run(maker->top, inputs, weights, outputs, maker->raw, err));
    reha_explainer_read(maker->top, cam, maker->raw);
    enlarge(maker->raw, maker->map_width, maker->map_height, maker->width, maker->height, map);
    return REHA_OK;
}

static reha_status integrated_map(reha_explain_maker *maker, const float *picture, int class_idx, float *map,
                                  reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    float weights[REHA_EXPLAIN_CLASSES_MAX];
    float outputs[REHA_EXPLAIN_CLASSES_MAX];
    if (maker->whole == NULL) {
        REHA_TRY(reha_explainer_new(maker->graph, reha_graph_input(maker->graph, 0), 0, maker->threads,
                                    &maker->whole, err));
    }
    REHA_TRY(reha_explain_blur(picture, maker->width, maker->height, maker->blurred, err));
    memset(map, 0, area * sizeof(float));
    for (int step = 0; step < PATH_STEPS; step++) {
        const float at = ((float)step + 0.5F) / PATH_STEPS;
        for (size_t i = 0; i < area; i++) {
            maker->work[i] = maker->blurred[i] + at * (picture[i] - maker->blurred[i]);
        }
        REHA_TRY(log_gradient(maker, maker->work, class_idx, weights, err));
        scale(maker, maker->work, maker->work);
        const float *inputs[1] = {maker->work};
        REHA_TRY(reha_explainer_run(maker->whole, inputs, weights, outputs, maker->raw, err));
        reha_explainer_read(maker->whole, REHA_CAM_GRADIENT, maker->raw);
        for (size_t i = 0; i < area; i++) {
            map[i] += maker->raw[i] * (picture[i] - maker->blurred[i]) * maker->gain / PATH_STEPS;
        }
    }
    reha_box_filter(map, maker->width, maker->height, SMOOTH_PX, maker->work, map);
    reha_box_filter(map, maker->width, maker->height, SMOOTH_PX, maker->work, map);
    return REHA_OK;
}

static reha_status occlusion_map(reha_explain_maker *maker, const float *picture, int class_idx, float *map,
                                 reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    const int columns = (maker->width + OCCLUDER_PX - 1) / OCCLUDER_PX;
    const int rows = (maker->height + OCCLUDER_PX - 1) / OCCLUDER_PX;
    float whole[REHA_EXPLAIN_CLASSES_MAX];
    float part[REHA_EXPLAIN_CLASSES_MAX];
    REHA_TRY(reha_explain_blur(picture, maker->width, maker->height, maker->blurred, err));
    REHA_TRY(reha_explain_scores(maker, picture, 1, whole, err));
    for (int cell = 0; cell < columns * rows; cell++) {
        const int left = cell % columns * OCCLUDER_PX;
        const int top = cell / columns * OCCLUDER_PX;
        memcpy(maker->work, picture, area * sizeof(float));
        for (int y = top; y < top + OCCLUDER_PX && y < maker->height; y++) {
            for (int x = left; x < left + OCCLUDER_PX && x < maker->width; x++) {
                const size_t at = (size_t)y * (size_t)maker->width + (size_t)x;
                maker->work[at] = maker->blurred[at];
            }
        }
        REHA_TRY(reha_explain_scores(maker, maker->work, 1, part, err));
        maker->raw[cell] =
            (float)(log(fmax((double)whole[class_idx], 1e-12)) - log(fmax((double)part[class_idx], 1e-12)));
    }
    enlarge(maker->raw, columns, rows, maker->width, maker->height, map);
    return REHA_OK;
}

static void random_map(const reha_explain_maker *maker, uint64_t seed, float *map)
{
    reha_random random = reha_random_init(seed, 77);
    for (int i = 0; i < maker->map_width * maker->map_height; i++) {
        maker->raw[i] = (float)reha_random_normal(&random);
    }
    enlarge(maker->raw, maker->map_width, maker->map_height, maker->width, maker->height, map);
}

static void centre_map(const reha_explain_maker *maker, float *map)
{
    for (int y = 0; y < maker->height; y++) {
        for (int x = 0; x < maker->width; x++) {
            const double u = (x + 0.5) / maker->width - 0.5;
            const double v = (y + 0.5) / maker->height - 0.5;
            map[(size_t)y * (size_t)maker->width + (size_t)x] = (float)exp(-8.0 * (u * u + v * v));
        }
    }
}

reha_status reha_explain_map(reha_explain_maker *maker, reha_explain_method method, const float *picture,
                             int class_idx, uint64_t seed, float *map, reha_error *err)
{
    if (class_idx < 0 || class_idx >= maker->classes) {
        return reha_fail(err, REHA_E_ARG, "class %d of %d", class_idx, maker->classes);
    }
    reha_cam cam = REHA_CAM_HIRES;
    if (reha_explain_method_cam(names[method], &cam)) {
        return cam_map(maker, cam, picture, class_idx, map, err);
    }
    switch (method) {
    case REHA_EXPLAIN_INTEGRATED:
        return integrated_map(maker, picture, class_idx, map, err);
    case REHA_EXPLAIN_OCCLUSION:
        return occlusion_map(maker, picture, class_idx, map, err);
    case REHA_EXPLAIN_RANDOM:
        random_map(maker, seed, map);
        return REHA_OK;
    default:
        centre_map(maker, map);
        return REHA_OK;
    }
}
