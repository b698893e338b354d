#include "recognition/muscle_us_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/muscle_card.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = REHA_MUSCLE_INPUT_PX,
    INPUT_COUNT = SIDE * SIDE,
    MAP = REHA_MUSCLE_MAP_PX,
    MAP_COUNT = MAP * MAP
};

/* The network looks twice: at the tissue box and at one a tenth wider. Their mean is better than either (Dice on
 * held-out pictures 0.846 to 0.850). */
static const double WIDER = 0.1;

void reha_muscle_model_close(reha_model *model)
{
    if (model != NULL) {
        json_decref(model->card);
        reha_session_free(model->session);
        reha_free(model->input);
        reha_free(model->output);
        reha_free(model);
    }
}

static reha_status check_shapes(const reha_graph *graph, const char *path, reha_error *err)
{
    bool fits = reha_graph_input_count(graph) == 1 && reha_graph_output_count(graph) == 1;
    if (fits) {
        const reha_shape in = reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
        const reha_shape out = reha_graph_node(graph, reha_graph_output(graph, 0))->shape;
        fits = in.rank == 4 && in.dims[1] == 1 && in.dims[2] == SIDE && in.dims[3] == SIDE && out.rank == 4 &&
               out.dims[1] == REHA_MUSCLE_MAPS && out.dims[2] == MAP && out.dims[3] == MAP;
    }
    return fits ? REHA_OK
                : reha_fail(err, REHA_E_FORMAT, "%s: is no muscle network [1, 1, %d, %d] -> [1, %d, %d, %d]", path, SIDE,
                            SIDE, REHA_MUSCLE_MAPS, MAP, MAP);
}

static void read_errors(const json_t *card, reha_muscle_errors *out)
{
    const json_t *errors = json_object_get(card, "measurement_error_95");
    out->fascicle_angle_deg = reha_json_number(errors, "fascicle_angle_deg", (double)NAN);
    out->fascicle_pieces_deg = fmax(0.0, reha_json_number(errors, "fascicle_pieces_deg", 0.0));
    out->aponeurosis_angle_deg = reha_json_number(errors, "aponeurosis_angle_deg", (double)NAN);
    out->thickness_ratio = reha_json_number(errors, "thickness_ratio", (double)NAN);
}

static reha_status open_all(reha_model *model, const char *folder, const reha_model_options *options, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *graph = NULL;
    char *path = reha_path_join(folder, "model.onnx");
    model->input = reha_alloc((size_t)REHA_MUSCLE_VIEWS * INPUT_COUNT * sizeof(float));
    model->output = reha_alloc((size_t)REHA_MUSCLE_VIEWS * REHA_MUSCLE_MAPS * MAP_COUNT * sizeof(float));
    if (path == NULL || model->input == NULL || model->output == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
        goto done;
    }
    reha_session_options how = reha_session_options_default();
    how.threads = options->threads;
    how.precision = REHA_BF16;
    how.batch_max = REHA_MUSCLE_VIEWS;
    REHA_CHECK(reha_muscle_card_load(folder, &model->card, err));
    read_errors(model->card, &model->errors);
    REHA_CHECK(reha_onnx_load(path, NULL, &graph, err));
    REHA_CHECK(check_shapes(graph, path, err));
    REHA_CHECK(reha_session_new(graph, &how, &model->session, err));
done:
    reha_graph_free(graph);
    reha_free(path);
    return status;
}

reha_status reha_muscle_model_open(const reha_model_options *options, reha_model **out, reha_error *err)
{
    *out = NULL;
    char *folder = NULL;
    REHA_TRY(reha_model_choose(options, "muscle-us", &folder, err));
    reha_status status = REHA_OK;
    reha_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
    } else {
        status = open_all(model, folder, options, err);
    }
    reha_free(folder);
    if (status != REHA_OK) {
        reha_muscle_model_close(model);
        return status;
    }
    *out = model;
    return REHA_OK;
}

static void mirror_square(const float *from, float *to)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            to[y * SIDE + x] = from[y * SIDE + SIDE - 1 - x];
        }
    }
}

static void read_map(const float *logits, bool is_mirrored, float *to)
{
    for (int y = 0; y < MAP; y++) {
        for (int x = 0; x < MAP; x++) {
            const float z = logits[y * MAP + (is_mirrored ? MAP - 1 - x : x)];
            to[y * MAP + x] = 1.0F / (1.0F + expf(-z));
        }
    }
}

void reha_muscle_maps_clear(reha_muscle_maps *maps)
{
    reha_free(maps->view[0][0]); /* one block */
    *maps = (reha_muscle_maps){0};
}

static reha_status maps_new(reha_muscle_maps *out, reha_error *err)
{
    *out = (reha_muscle_maps){0};
    float *block = reha_alloc((size_t)(REHA_MUSCLE_VIEWS + 1) * REHA_MUSCLE_MAPS * MAP_COUNT * sizeof *block);
    if (block == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the maps of a picture");
    }
    for (int m = 0; m < REHA_MUSCLE_MAPS; m++) {
        for (int v = 0; v < REHA_MUSCLE_VIEWS; v++) {
            out->view[v][m] = block + (size_t)(v * REHA_MUSCLE_MAPS + m) * MAP_COUNT;
        }
        out->mean[m] = block + (size_t)(REHA_MUSCLE_VIEWS * REHA_MUSCLE_MAPS + m) * MAP_COUNT;
    }
    return REHA_OK;
}

/* A map of the wider framing, read at the cells of the narrow one and averaged into `to`. */
static void add_wide_map(const float *wide, float *to)
{
    for (int y = 0; y < MAP; y++) {
        for (int x = 0; x < MAP; x++) {
            const double u = ((x + 0.5) + 0.5 * WIDER * MAP) / (1.0 + WIDER) - 0.5;
            const double v = ((y + 0.5) + 0.5 * WIDER * MAP) / (1.0 + WIDER) - 0.5;
            const int ix = (int)u;
            const int iy = (int)v;
            const float fx = (float)(u - ix);
            const float fy = (float)(v - iy);
            const float *at = wide + iy * MAP + ix;
            const float value = (1.0F - fy) * ((1.0F - fx) * at[0] + fx * at[1]) +
                                fy * ((1.0F - fx) * at[MAP] + fx * at[MAP + 1]);
            to[y * MAP + x] = 0.5F * (to[y * MAP + x] + value);
        }
    }
}

/* The picture and its mirror image in one framing; logits land in model->output. */
static reha_status run_framing(reha_model *model, const reha_gray *image, const reha_muscle_frame *frame, reha_error *err)
{
    const float *inputs[1] = {model->input};
    float *outputs[1] = {model->output};
    REHA_TRY(reha_muscle_square(image, frame, model->input, err));
    mirror_square(model->input, model->input + INPUT_COUNT);
    return reha_session_run(model->session, REHA_MUSCLE_VIEWS, inputs, outputs, err);
}

static const float *logits_of(const reha_model *model, int view, int map)
{
    return model->output + (size_t)(view * REHA_MUSCLE_MAPS + map) * MAP_COUNT;
}

reha_status reha_muscle_model_run(reha_model *model, const reha_gray *image, const reha_muscle_frame *frame,
                                  reha_muscle_maps *out, reha_error *err)
{
    reha_muscle_frame wide = *frame;
    wide.box.x_px -= 0.5 * WIDER * frame->box.width_px;
    wide.box.y_px -= 0.5 * WIDER * frame->box.height_px;
    wide.box.width_px *= 1.0 + WIDER;
    wide.box.height_px *= 1.0 + WIDER;
    REHA_TRY(maps_new(out, err));
    REHA_TRY(run_framing(model, image, frame, err));
    for (int m = 0; m < REHA_MUSCLE_MAPS; m++) {
        for (int v = 0; v < REHA_MUSCLE_VIEWS; v++) {
            read_map(logits_of(model, v, m), v == 1, out->view[v][m]);
        }
    }
    REHA_TRY(run_framing(model, image, &wide, err));
    for (int m = 0; m < REHA_MUSCLE_MAPS; m++) {
        for (int v = 0; v < REHA_MUSCLE_VIEWS; v++) {
            read_map(logits_of(model, v, m), v == 1, out->mean[m]); /* for a moment: the wide map */
            add_wide_map(out->mean[m], out->view[v][m]);
        }
        for (int i = 0; i < MAP_COUNT; i++) {
            out->mean[m][i] = 0.5F * (out->view[0][m][i] + out->view[1][m][i]);
        }
    }
    return REHA_OK;
}
