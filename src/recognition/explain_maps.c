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

typedef struct voter { /* one network */
    reha_session *session;
    reha_explainer *top;   /* of the last map */
    reha_explainer *whole; /* of the input; made when first asked for */
    const reha_graph *graph;
    float offset, gain;
} voter;

struct reha_explain_maker {
    voter voters[REHA_EXPLAIN_NETWORKS_MAX];
    double weights[REHA_EXPLAIN_NETWORKS_MAX];
    int voter_count;
    int threads, classes;
    int width, height, map_width, map_height;
    float *batch;   /* BATCH pictures, scaled */
    float *blurred; /* one picture */
    float *work;    /* one picture */
    float *scaled;  /* one picture as a network gets it */
    float *raw;     /* one map as the explainer gives it, or one picture */
    float *sum;     /* of the networks' maps */
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
        for (int v = 0; v < maker->voter_count; v++) {
            reha_session_free(maker->voters[v].session);
            reha_explainer_free(maker->voters[v].top);
            reha_explainer_free(maker->voters[v].whole);
        }
        reha_free(maker->batch);
        reha_free(maker->blurred);
        reha_free(maker->work);
        reha_free(maker->scaled);
        reha_free(maker->raw);
        reha_free(maker->sum);
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

static void take_sizes(reha_explain_maker *maker, const reha_explain_network *network, int node)
{
    const reha_graph *graph = network->graph;
    const reha_shape *in = &reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
    const reha_shape *map = &reha_graph_node(graph, node)->shape;
    maker->threads = network->threads;
    maker->height = (int)in->dims[2];
    maker->width = (int)in->dims[3];
    maker->map_height = (int)map->dims[2];
    maker->map_width = (int)map->dims[3];
    maker->classes = (int)reha_graph_node(graph, reha_graph_output(graph, 0))->shape.dims[1];
}

static bool has_same_sizes(const reha_explain_maker *a, const reha_explain_maker *b)
{
    return a->height == b->height && a->width == b->width && a->map_height == b->map_height &&
           a->map_width == b->map_width && a->classes == b->classes;
}

static reha_status allocate(reha_explain_maker *maker, reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    const size_t map_area = (size_t)maker->map_width * (size_t)maker->map_height;
    const size_t larger = area > map_area ? area : map_area;
    maker->batch = reha_alloc(BATCH * area * sizeof(float));
    maker->blurred = reha_alloc(area * sizeof(float));
    maker->work = reha_alloc(area * sizeof(float));
    maker->scaled = reha_alloc(area * sizeof(float));
    maker->raw = reha_alloc(larger * sizeof(float));
    maker->sum = reha_alloc(larger * sizeof(float));
    return maker->batch != NULL && maker->blurred != NULL && maker->work != NULL && maker->scaled != NULL &&
                   maker->raw != NULL && maker->sum != NULL
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for an explanation");
}

/* Counts as a voter from its first allocation on, so that a fault frees it. */
static reha_status add_voter(reha_explain_maker *maker, const reha_explain_network *network, reha_error *err)
{
    reha_explain_maker sizes = {0};
    int node = -1;
    REHA_TRY(check_network(network, &node, err));
    take_sizes(maker->voter_count == 0 ? maker : &sizes, network, node);
    if (maker->voter_count > 0 && !has_same_sizes(maker, &sizes)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the networks that vote differ in the size of picture or map, or in their classes");
    }
    maker->weights[maker->voter_count] = network->weight;
    voter *added = &maker->voters[maker->voter_count++];
    added->graph = network->graph;
    added->offset = network->input_offset;
    added->gain = network->input_gain;
    reha_session_options how = reha_session_options_default();
    how.batch_max = BATCH;
    how.threads = network->threads;
    how.precision = network->precision;
    REHA_TRY(reha_session_new(network->graph, &how, &added->session, err));
    return reha_explainer_new(network->graph, node, 0, network->threads, &added->top, err);
}

reha_status reha_explain_maker_new(const reha_explain_network *networks, int count, reha_explain_maker **out,
                                   reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    if (count < 1 || count > REHA_EXPLAIN_NETWORKS_MAX) {
        return reha_fail(err, REHA_E_ARG, "%d networks: 1 to %d can be explained together", count,
                         REHA_EXPLAIN_NETWORKS_MAX);
    }
    reha_explain_maker *maker = reha_alloc_zero(1, sizeof *maker);
    if (maker == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an explanation");
    }
    for (int i = 0; i < count; i++) {
        REHA_CHECK(add_voter(maker, &networks[i], err));
    }
    REHA_CHECK(allocate(maker, err));
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

/* of[i]: (picture - offset) * gain */
static void scale(const voter *network, const float *pictures, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (pictures[i] - network->offset) * network->gain;
    }
}

/* Probabilities of one voter; at most BATCH pictures. */
static reha_status ask(reha_explain_maker *maker, const voter *network, const float *pictures, int count,
                       float *probabilities, reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    float logits[BATCH * REHA_EXPLAIN_CLASSES_MAX];
    const float *inputs[1] = {maker->batch};
    float *outputs[1] = {logits};
    scale(network, pictures, (size_t)count * area, maker->batch);
    REHA_TRY(reha_session_run(network->session, count, inputs, outputs, err));
    for (int i = 0; i < count; i++) {
        softmax(logits + (size_t)(i * maker->classes), maker->classes,
                probabilities + (size_t)i * (size_t)maker->classes);
    }
    return REHA_OK;
}

static double total_of(const double *weights, int count)
{
    double total = 0.0;
    for (int v = 0; v < count; v++) {
        total += weights[v];
    }
    return total;
}

reha_status reha_explain_scores(reha_explain_maker *maker, const float *pictures, int count,
                                float *probabilities, reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    const size_t classes = (size_t)maker->classes;
    const double total = total_of(maker->weights, maker->voter_count);
    float one[BATCH * REHA_EXPLAIN_CLASSES_MAX];
    memset(probabilities, 0, (size_t)count * classes * sizeof *probabilities);
    for (int done = 0; done < count; done += BATCH) {
        const int n = count - done < BATCH ? count - done : BATCH;
        for (int v = 0; v < maker->voter_count; v++) {
            REHA_TRY(ask(maker, &maker->voters[v], pictures + (size_t)done * area, n, one, err));
            for (size_t i = 0; i < (size_t)n * classes; i++) {
                probabilities[(size_t)done * classes + i] +=
                    (float)(maker->weights[v] / total * (double)one[i]);
            }
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

void reha_explain_vote_gradient(const float *probabilities, const double *weights, int voters, int classes,
                                int class_idx, float *out)
{
    double mean = 1e-12;
    double shares[REHA_EXPLAIN_NETWORKS_MAX];
    for (int v = 0; v < voters; v++) {
        shares[v] = weights[v] * (double)probabilities[v * classes + class_idx];
        mean += shares[v];
    }
    for (int v = 0; v < voters; v++) {
        for (int k = 0; k < classes; k++) {
            const double to_class = k == class_idx ? 1.0 : 0.0;
            out[v * classes + k] =
                (float)(shares[v] / mean * (to_class - (double)probabilities[v * classes + k]));
        }
    }
}

/* d(log p of the class) / d(logits of each voter) at a picture. */
static reha_status log_gradient(reha_explain_maker *maker, const float *picture, int class_idx,
                                float *weights, reha_error *err)
{
    for (int v = 0; v < maker->voter_count; v++) {
        REHA_TRY(
            ask(maker, &maker->voters[v], picture, 1, weights + (size_t)v * (size_t)maker->classes, err));
    }
    reha_explain_vote_gradient(weights, maker->weights, maker->voter_count, maker->classes, class_idx,
                               weights);
    return REHA_OK;
}

static reha_status cam_map(reha_explain_maker *maker, reha_cam cam, const float *picture, int class_idx,
                           float *map, reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    const size_t map_area = (size_t)maker->map_width * (size_t)maker->map_height;
    float weights[REHA_EXPLAIN_NETWORKS_MAX * REHA_EXPLAIN_CLASSES_MAX];
    float outputs[REHA_EXPLAIN_CLASSES_MAX];
    REHA_TRY(log_gradient(maker, picture, class_idx, weights, err));
    memset(maker->sum, 0, map_area * sizeof(float));
    for (int v = 0; v < maker->voter_count; v++) {
        const float *inputs[1] = {maker->scaled};
        scale(&maker->voters[v], picture, area, maker->scaled);
        REHA_TRY(reha_explainer_run(maker->voters[v].top, inputs,
                                    weights + (size_t)v * (size_t)maker->classes, outputs, maker->raw, err));
        reha_explainer_read(maker->voters[v].top, cam, maker->raw);
        for (size_t i = 0; i < map_area; i++) {
            maker->sum[i] += maker->raw[i];
        }
    }
    enlarge(maker->sum, maker->map_width, maker->map_height, maker->width, maker->height, map);
    return REHA_OK;
}

/* One step of the way from the blurred picture: gradients of all voters, times the way, added to the map. */
static reha_status integrate_step(reha_explain_maker *maker, const float *picture, int class_idx, float at,
                                  float *map, reha_error *err)
{
    const size_t area = (size_t)maker->width * (size_t)maker->height;
    float weights[REHA_EXPLAIN_NETWORKS_MAX * REHA_EXPLAIN_CLASSES_MAX];
    float outputs[REHA_EXPLAIN_CLASSES_MAX];
    for (size_t i = 0; i < area; i++) {
        maker->work[i] = maker->blurred[i] + at * (picture[i] - maker->blurred[i]);
    }
    REHA_TRY(log_gradient(maker, maker->work, class_idx, weights, err));
    for (int v = 0; v < maker->voter_count; v++) {
        voter *network = &maker->voters[v];
        const float *inputs[1] = {maker->scaled};
        if (network->whole == NULL) {
            REHA_TRY(reha_explainer_new(network->graph, reha_graph_input(network->graph, 0), 0,
                                        maker->threads, &network->whole, err));
        }
        scale(network, maker->work, area, maker->scaled);
        REHA_TRY(reha_explainer_run(network->whole, inputs, weights + (size_t)v * (size_t)maker->classes,
                                    outputs, maker->raw, err));
        reha_explainer_read(network->whole, REHA_CAM_GRADIENT, maker->raw);
        for (size_t i = 0; i < area; i++) {
            map[i] += maker->raw[i] * (picture[i] - maker->blurred[i]) * network->gain / PATH_STEPS;
        }
    }
    return REHA_OK;
}

static reha_status integrated_map(reha_explain_maker *maker, const float *picture, int class_idx, float *map,
                                  reha_error *err)
{
    REHA_TRY(reha_explain_blur(picture, maker->width, maker->height, maker->blurred, err));
    memset(map, 0, (size_t)maker->width * (size_t)maker->height * sizeof(float));
    for (int step = 0; step < PATH_STEPS; step++) {
        const float at = ((float)step + 0.5F) / PATH_STEPS;
        REHA_TRY(integrate_step(maker, picture, class_idx, at, map, err));
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
