#include "recognition/bone_picture.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/knee_oa_priv.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum {
    PATCH_PX = 64, /* a region as it is sampled */
    BANDS = 4,     /* differences of box blurs of radius 0, 1, 2, 4, 8 */
    SIDES = 2,
    BORDER_SHARE = 25, /* of a side: what counts as border */
    SAMPLE_MAX = 1 << 16
};
/* Centres and side of the regions in plateau widths: along the plateau from its lateral edge, and below it
 * (negative: above the femur's line). Chosen from anatomy, before any figure was seen. */
static const double ALONG[SIDES] = {0.22, 0.78};
static const double DEPTH[REHA_BONE_LEVELS] = {0.14, 0.34, -0.16};
static const double SIDE_RATIO = 0.18;

struct reha_bone_reader {
    reha_model *knee;
    reha_session *trunk; /* NULL: no embedding */
    int embedding_count;
    float *scaled; /* the trunk's input */
    float patch[PATCH_PX * PATCH_PX];
    float blurred[2][PATCH_PX * PATCH_PX];
    float scratch[PATCH_PX * PATCH_PX];
};

void reha_bone_reader_close(reha_bone_reader *reader)
{
    if (reader != NULL) {
        reha_recogniser_knee_oa.close(reader->knee);
        reha_session_free(reader->trunk);
        reha_free(reader->scaled);
        reha_free(reader);
    }
}

/* The grading network with the mean of its last map as a second output. */
static reha_status open_trunk(reha_bone_reader *reader, int threads, reha_error *err)
{
    reha_status status = REHA_OK;
    const reha_knee_network *network = NULL;
    reha_graph *graph = NULL;
    char *path = NULL;
    for (int i = 0; network == NULL && i < reader->knee->card.network_count; i++) {
        const reha_knee_network *one = &reader->knee->card.networks[i];
        network = one->role == REHA_KNEE_KL && one->explain_node[0] != '\0' ? one : NULL;
    }
    if (network == NULL) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the knee-oa model names no map of its grading network (explain_node)");
    }
    path = reha_path_join(reader->knee->folder, network->file);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_onnx_load(path, NULL, &graph, err));
    int node = reha_graph_find_node(graph, network->explain_node);
    if (node < 0) {
        REHA_CHECK(reha_fail(err, REHA_E_FORMAT, "%s: no map '%s'", path, network->explain_node));
    }
    REHA_CHECK(reha_graph_add_unary(graph, "bone_mean", REHA_OP_GLOBAL_AVERAGE_POOL, node, &node, err));
    REHA_CHECK(reha_graph_add_unary(graph, "bone_embedding", REHA_OP_FLATTEN, node, &node, err));
    REHA_CHECK(reha_graph_mark_output(graph, node, "embedding", err));
    reader->embedding_count = (int)reha_graph_node(graph, node)->shape.dims[1];
    if (reader->embedding_count > REHA_BONE_EMBEDDING_MAX) {
        REHA_CHECK(reha_fail(err, REHA_E_LIMIT, "%s: %d features, at most %d are read", path,
                             reader->embedding_count, REHA_BONE_EMBEDDING_MAX));
    }
    reha_session_options how = reha_session_options_default();
    how.threads = threads;
    REHA_CHECK(reha_session_new(graph, &how, &reader->trunk, err));
    const reha_knee_crop_spec *crop = &reader->knee->card.crop;
    reader->scaled = reha_alloc((size_t)crop->window_w_px * (size_t)crop->window_h_px * sizeof(float));
    if (reader->scaled == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for an embedding"));
    }
done:
    reha_graph_free(graph);
    reha_free(path);
    return status;
}

reha_status reha_bone_reader_open(const char *knee_folder, bool with_embedding, int threads,
                                  reha_bone_reader **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_bone_reader *reader = reha_alloc_zero(1, sizeof *reader);
    if (reader == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a reader");
    }
    const reha_model_options how = {.model_folder = knee_folder, .threads = threads};
    REHA_CHECK(reha_recogniser_knee_oa.open(&how, &reader->knee, err));
    if (reader->knee->landmarks.session == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_ARG,
                             "%s: this knee-oa model has no landmarks, which place the regions of bone",
                             knee_folder));
    }
    if (with_embedding) {
        REHA_CHECK(open_trunk(reader, threads, err));
    }
    *out = reader;
    reader = NULL;
done:
    reha_bone_reader_close(reader);
    return status;
}

/* ---- Texture ---- */

static double mean_of(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i];
    }
    return sum / (double)count;
}

/* Log of the spread in each band, log of the spread across against along the bone, brightness. Grey values
 * come stretched between the region's surroundings' darkest and brightest, so exposure is divided out. */
static void measure_patch(reha_bone_reader *reader, double values[REHA_BONE_LEVEL_VALUES])
{
    enum { COUNT = PATCH_PX * PATCH_PX };
    const float *before = reader->patch;
    for (int band = 0; band < BANDS; band++) {
        float *after = reader->blurred[band % 2];
        double square = 0.0;
        reha_box_filter(before, PATCH_PX, PATCH_PX, 1 << band, reader->scratch, after);
        for (int i = 0; i < COUNT; i++) {
            square += (double)(before[i] - after[i]) * (double)(before[i] - after[i]);
        }
        values[band] = log(sqrt(square / COUNT) + 1e-4);
        before = after;
    }
    double across = 0.0;
    double along = 0.0;
    for (int y = 1; y < PATCH_PX; y++) {
        for (int x = 1; x < PATCH_PX; x++) {
            const float here = reader->patch[y * PATCH_PX + x];
            const double dx = (double)(here - reader->patch[y * PATCH_PX + x - 1]);
            const double dy = (double)(here - reader->patch[(y - 1) * PATCH_PX + x]);
            across += dx * dx;
            along += dy * dy;
        }
    }
    values[BANDS] = log((across + 1e-6) / (along + 1e-6));
    values[BANDS + 1] = mean_of(reader->patch, COUNT);
}

typedef struct frame { /* of one knee */
    reha_point_px lateral, medial, femur_lateral, femur_medial;
    double width_px, angle_deg;
    reha_tone tone;
} frame;

static reha_point_px between(reha_point_px a, reha_point_px b, double share)
{
    return (reha_point_px){a.x_px + share * (b.x_px - a.x_px), a.y_px + share * (b.y_px - a.y_px)};
}

/* The tone: percentiles 2 and 98 around the knee. */
static reha_status make_frame(const reha_gray *image, const reha_region *region, frame *out, reha_error *err)
{
    static const double percentiles[2] = {2.0, 98.0};
    double levels[2];
    const reha_point_px *p = region->points;
    *out = (frame){.lateral = p[0],
                   .medial = p[REHA_KNEE_TIBIA_POINTS - 1],
                   .femur_lateral = p[REHA_KNEE_TIBIA_POINTS],
                   .femur_medial = p[REHA_KNEE_POINTS - 1]};
    const double dx = out->medial.x_px - out->lateral.x_px;
    const double dy = out->medial.y_px - out->lateral.y_px;
    out->width_px = hypot(dx, dy);
    /* Level rows whichever side is lateral. */
    out->angle_deg = atan2(dx < 0.0 ? -dy : dy, fabs(dx)) * (180.0 / 3.14159265358979323846);
    const reha_point_px middle = between(out->lateral, out->medial, 0.5);
    const double half = 0.8 * out->width_px;
    const double right = fmin(middle.x_px + half, image->width_px);
    const double bottom = fmin(middle.y_px + half, image->height_px);
    const uint32_t x0 = (uint32_t)fmax(middle.x_px - half, 0.0);
    const uint32_t y0 = (uint32_t)fmax(middle.y_px - half, 0.0);
    const uint32_t x1 = (uint32_t)fmax(right, (double)x0 + 1.0);
    const uint32_t y1 = (uint32_t)fmax(bottom, (double)y0 + 1.0);
    REHA_TRY(reha_sample_percentiles(image, x0, y0, x1, y1, SAMPLE_MAX, percentiles, 2, levels, err));
    out->tone = (reha_tone){levels[0], levels[1] > levels[0] ? levels[1] : levels[0] + 1.0};
    return REHA_OK;
}

static reha_status add_knee(reha_bone_reader *reader, const reha_gray *image, const reha_region *region,
                            bool is_inverted, double *sums, reha_error *err)
{
    frame knee;
    REHA_TRY(make_frame(image, region, &knee, err));
    if (is_inverted) {
        knee.tone = (reha_tone){knee.tone.high, knee.tone.low};
    }
    const double angle = knee.angle_deg * (3.14159265358979323846 / 180.0);
    const double side_px = SIDE_RATIO * knee.width_px;
    for (int level = 0; level < REHA_BONE_LEVELS; level++) {
        const bool is_femur = DEPTH[level] < 0.0;
        for (int s = 0; s < SIDES; s++) {
            double values[REHA_BONE_LEVEL_VALUES];
            const reha_point_px on_line = is_femur ? between(knee.femur_lateral, knee.femur_medial, ALONG[s])
                                                   : between(knee.lateral, knee.medial, ALONG[s]);
            const double down = DEPTH[level] * knee.width_px;
            const reha_point_px centre = {on_line.x_px - sin(angle) * down, on_line.y_px + cos(angle) * down};
            REHA_TRY(reha_sample_turned(image, centre, side_px, side_px, knee.angle_deg, REHA_BORDER_NEAREST,
                                        knee.tone, PATCH_PX, PATCH_PX, reader->patch, err));
            measure_patch(reader, values);
            for (int v = 0; v < REHA_BONE_LEVEL_VALUES; v++) {
                sums[level * REHA_BONE_LEVEL_VALUES + v] += values[v] / SIDES;
            }
        }
    }
    return REHA_OK;
}

/* ---- What is not bone ---- */

static reha_status measure_background(const reha_gray *image, double *out, reha_error *err)
{
    static const double percentiles[3] = {1.0, 50.0, 99.0};
    const uint32_t margin_x = image->width_px / BORDER_SHARE + 1;
    const uint32_t margin_y = image->height_px / BORDER_SHARE + 1;
    double sum = 0.0;
    double square = 0.0;
    double count = 0.0;
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            if (x < margin_x || x + margin_x >= image->width_px || y < margin_y ||
                y + margin_y >= image->height_px) {
                const double value = (double)reha_gray_at(image, x, y);
                sum += value;
                square += value * value;
                count += 1.0;
            }
        }
    }
    out[0] = sum / count;
    out[1] = sqrt(fmax(square / count - out[0] * out[0], 0.0));
    REHA_TRY(reha_sample_percentiles(image, 0, 0, image->width_px, image->height_px, SAMPLE_MAX, percentiles,
                                     3, out + 2, err));
    out[5] = (double)image->height_px / image->width_px;
    return REHA_OK;
}

static reha_status embed(reha_bone_reader *reader, reha_bone_picture *out, reha_error *err)
{
    float logits[REHA_GRADES];
    const reha_knee_crop_spec *crop = &reader->knee->card.crop;
    const float *inputs[1] = {reader->scaled};
    float *outputs[2] = {logits, out->embedding};
    reha_knee_net_scale(&reader->knee->members[0].net, reader->knee->windows,
                        (size_t)crop->window_w_px * (size_t)crop->window_h_px, reader->scaled);
    REHA_TRY(reha_session_run(reader->trunk, 1, inputs, outputs, err));
    out->embedding_count = reader->embedding_count;
    return REHA_OK;
}

reha_status reha_bone_read(reha_bone_reader *reader, const reha_gray *image, const reha_acquisition *facts,
                           reha_bone_picture *out, reha_analysis **knees, reha_error *err)
{
    static const reha_analyse_options how = {0};
    reha_status status = REHA_OK;
    reha_analysis *analysis = NULL;
    memset(out, 0, sizeof *out);
    if (knees != NULL) {
        *knees = NULL;
    }
    REHA_CHECK(reha_recogniser_knee_oa.analyse(reader->knee, image, facts, &how, &analysis, err));
    REHA_CHECK(measure_background(image, out->background, err));
    for (int i = 0; i < analysis->region_count; i++) {
        const reha_region *region = &analysis->regions[i];
        if (region->is_accepted && region->point_count == REHA_KNEE_POINTS) {
            REHA_CHECK(add_knee(reader, image, region, analysis->was_inverted, out->texture, err));
            out->knee_count++;
        }
    }
    for (int v = 0; v < REHA_BONE_TEXTURE && out->knee_count > 0; v++) {
        out->texture[v] /= out->knee_count;
    }
    if (reader->trunk != NULL && out->knee_count > 0) {
        REHA_CHECK(embed(reader, out, err));
    }
    if (knees != NULL) {
        *knees = analysis;
        analysis = NULL;
    }
done:
    reha_analysis_free(analysis);
    return status;
}
