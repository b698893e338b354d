#include "recognition/knee_mri_net.h"

#include "base/memory.h"
#include "image/resample.h"
#include "image/statistics.h"
#include "nn/npy.h"
#include "nn/zoo.h"

#include <math.h>
#include <string.h>

enum { BATCH = 8, SIDE_MAX_PX = 2048 };
static const char WEIGHT_PREFIX[] = "mobilenetv20_features_";
static const float MEAN[3] = {0.485F, 0.456F, 0.406F}; /* of ImageNet */
static const float DEVIATION[3] = {0.229F, 0.224F, 0.225F};

reha_status reha_knee_mri_trunk_new(int side_px, const char *backbone_folder, uint64_t seed, reha_graph **out,
                                    reha_error *err)
{
    reha_graph *graph = NULL;
    reha_value_id at = 0;
    int loaded = 0;
    reha_random random = reha_random_init(seed, 1);
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(reha_graph_new("knee-mri-trunk", &graph, err));
    REHA_CHECK(reha_graph_add_input(graph, "slice", 3, side_px, side_px, &at, err));
    REHA_CHECK(reha_zoo_mobilenetv2(graph, at, &at, err));
    REHA_CHECK(reha_graph_add_unary(graph, "pool", REHA_OP_GLOBAL_AVERAGE_POOL, at, &at, err));
    REHA_CHECK(reha_graph_add_unary(graph, "flat", REHA_OP_FLATTEN, at, &at, err));
    REHA_CHECK(reha_graph_mark_output(graph, at, "features", err));
    reha_graph_init_params(graph, &random);
    if (backbone_folder != NULL) {
        REHA_CHECK(reha_backbone_load(graph, backbone_folder, WEIGHT_PREFIX, &loaded, err));
    }
    *out = graph;
    graph = NULL;
done:
    reha_graph_free(graph);
    return status;
}

reha_status reha_knee_mri_head_new(int inputs, uint64_t seed, reha_graph **out, reha_error *err)
{
    reha_graph *graph = NULL;
    reha_value_id at = 0;
    reha_random random = reha_random_init(seed, 2);
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(reha_graph_new("knee-mri-head", &graph, err));
    REHA_CHECK(reha_graph_add_input(graph, "features", inputs, 1, 1, &at, err));
    REHA_CHECK(reha_graph_add_unary(graph, "flat", REHA_OP_FLATTEN, at, &at, err));
    REHA_CHECK(reha_graph_add_fully_connected(graph, "head", at, REHA_KNEE_MRI_LABELS, &at, err));
    REHA_CHECK(reha_graph_mark_output(graph, at, "logits", err));
    reha_graph_init_params(graph, &random);
    *out = graph;
    graph = NULL;
done:
    reha_graph_free(graph);
    return status;
}

reha_status reha_knee_mri_trunk_open(const reha_graph *graph, int side_px, int threads,
                                     reha_knee_mri_trunk *out, reha_error *err)
{
    reha_session_options options = reha_session_options_default();
    *out = (reha_knee_mri_trunk){.side_px = side_px};
    options.batch_max = BATCH;
    options.threads = threads;
    out->input = reha_alloc((size_t)BATCH * 3 * (size_t)side_px * (size_t)side_px * sizeof(float));
    if (out->input == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for slices of %d px", side_px);
    }
    const reha_status status = reha_session_new(graph, &options, &out->session, err);
    if (status != REHA_OK) {
        reha_knee_mri_trunk_close(out);
    }
    return status;
}

void reha_knee_mri_trunk_close(reha_knee_mri_trunk *trunk)
{
    reha_session_free(trunk->session);
    reha_free(trunk->input);
    *trunk = (reha_knee_mri_trunk){0};
}

/* One slice into its place of the batch: grey levels of the whole volume, three equal channels. */
static reha_status fill_slice(const reha_knee_mri_trunk *trunk, const reha_npy *volume, int64_t slice,
                              const float levels[2], float *out, reha_error *err)
{
    const size_t plane = (size_t)trunk->side_px * (size_t)trunk->side_px;
    const uint32_t rows = (uint32_t)volume->shape.dims[1];
    const uint32_t columns = (uint32_t)volume->shape.dims[2];
    reha_gray *shown = NULL;
    /* Borrowed pixels: the resampler only reads them. */
    const reha_gray image = {.width_px = columns,
                             .height_px = rows,
                             .pixels = volume->values + (size_t)slice * rows * columns,
                             .spacing = reha_spacing_unknown()};
    REHA_TRY(reha_gray_resize(&image, (uint32_t)trunk->side_px, (uint32_t)trunk->side_px, REHA_FILTER_AREA,
                              &shown, err));
    for (size_t p = 0; p < plane; p++) {
        const float value =
            fminf(fmaxf((shown->pixels[p] - levels[0]) / (levels[1] - levels[0]), 0.0F), 1.0F);
        for (size_t c = 0; c < 3; c++) {
            out[c * plane + p] = (value - MEAN[c]) / DEVIATION[c];
        }
    }
    reha_gray_free(shown);
    return REHA_OK;
}

static reha_status check_volume(const reha_npy *volume, reha_error *err)
{
    const reha_shape *shape = &volume->shape;
    if (shape->rank != 3 || shape->dims[1] < 8 || shape->dims[2] < 8 || shape->dims[1] > SIDE_MAX_PX ||
        shape->dims[2] > SIDE_MAX_PX) {
        return reha_fail(err, REHA_E_FORMAT,
                         "a volume has slices, rows and columns (8 to %d), not %d dimension(s)", SIDE_MAX_PX,
                         shape->rank);
    }
    for (size_t i = 0; i < reha_shape_count(*shape); i++) {
        if (!isfinite(volume->values[i])) {
            return reha_fail(err, REHA_E_FORMAT, "voxel %zu is no number", i);
        }
    }
    return REHA_OK;
}

static reha_status pool_slices(reha_knee_mri_trunk *trunk, const reha_npy *volume, float *out,
                               reha_error *err)
{
    static const double fractions[2] = {0.01, 0.995};
    const int64_t slices = volume->shape.dims[0];
    const int64_t used = slices < REHA_KNEE_MRI_SLICES_MAX ? slices : REHA_KNEE_MRI_SLICES_MAX;
    const size_t image = 3 * (size_t)trunk->side_px * (size_t)trunk->side_px;
    float levels[2];
    float got[BATCH * REHA_KNEE_MRI_FEATURES];
    REHA_TRY(reha_percentiles(volume->values, reha_shape_count(volume->shape), fractions, 2, levels, err));
    if (!(levels[1] > levels[0])) {
        return reha_fail(err, REHA_E_FORMAT, "the volume is empty: all voxels have one value");
    }
    for (size_t f = 0; f < REHA_KNEE_MRI_FEATURES; f++) {
        out[f] = -INFINITY;
    }
    for (int64_t s = 0; s < used; s += BATCH) {
        const int batch = used - s < BATCH ? (int)(used - s) : BATCH;
        for (int b = 0; b < batch; b++) {
            REHA_TRY(fill_slice(trunk, volume, (s + b) * slices / used, levels,
                                trunk->input + (size_t)b * image, err));
        }
        REHA_TRY(reha_session_run(trunk->session, batch, (const float *const[]){trunk->input},
                                  (float *const[]){got}, err));
        for (size_t i = 0; i < (size_t)batch * REHA_KNEE_MRI_FEATURES; i++) {
            const size_t f = i % REHA_KNEE_MRI_FEATURES;
            out[f] = fmaxf(out[f], got[i]);
        }
    }
    return REHA_OK;
}

reha_status reha_knee_mri_read_features(reha_knee_mri_trunk *trunk, const char *path, float *out,
                                        reha_error *err)
{
    reha_npy volume;
    REHA_TRY(reha_npy_load(path, &volume, err));
    reha_status status = check_volume(&volume, err);
    if (status == REHA_OK) {
        status = pool_slices(trunk, &volume, out, err);
    }
    reha_npy_clear(&volume);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    return status;
}
