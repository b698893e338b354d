#include "recognition/muscle_us_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/muscle_card.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = REHA_MUSCLE_INPUT_PX,
    INPUT_COUNT = SIDE * SIDE,
    MAP = REHA_MUSCLE_MAP_PX,
    MAP_COUNT = MAP * MAP
};

/* The network looks twice: at the tissue and at a framing a tenth wider. Their mean is better than either
 * (Dice on held-out pictures 0.846 to 0.850), and where they disagree neither is to be trusted. */
static const double WIDER[REHA_MUSCLE_FRAMINGS] = {1.0, 1.1};

void reha_muscle_model_close(reha_model *model)
{
    if (model != NULL) {
        json_decref(model->card);
        reha_session_free(model->session);
        reha_free(model->input);
        reha_free(model->output);
        reha_free(model->models_folder);
        reha_free(model);
    }
}

static void read_errors(const json_t *card, reha_muscle_errors *out)
{
    const json_t *errors = json_object_get(card, "measurement_error_95");
    out->fascicle_angle_deg = reha_json_number(errors, "fascicle_angle_deg", (double)NAN);
    out->fascicle_pieces_deg = fmax(0.0, reha_json_number(errors, "fascicle_pieces_deg", 0.0));
    out->aponeurosis_angle_deg = reha_json_number(errors, "aponeurosis_angle_deg", (double)NAN);
    out->thickness_ratio = reha_json_number(errors, "thickness_ratio", (double)NAN);
}

static reha_status open_all(reha_model *model, const char *folder, const reha_model_options *options,
                            reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *graph = NULL;
    char *path = reha_path_join(folder, "model.onnx");
    model->input = reha_alloc((size_t)REHA_MUSCLE_SIDES * INPUT_COUNT * sizeof(float));
    model->output = reha_alloc((size_t)REHA_MUSCLE_SIDES * REHA_MUSCLE_MAPS * MAP_COUNT * sizeof(float));
    if (path == NULL || model->input == NULL || model->output == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
        goto done;
    }
    reha_session_options how = reha_session_options_default();
    how.threads = options->threads;
    how.precision = REHA_BF16;
    how.batch_max = REHA_MUSCLE_SIDES;
    how.is_whole_batch = true;
    if (options->models_folder != NULL) {
        model->models_folder = reha_strdup(options->models_folder);
        if (model->models_folder == NULL) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
            goto done;
        }
    }
    REHA_CHECK(reha_muscle_card_load(folder, &model->card, err));
    read_errors(model->card, &model->errors);
    REHA_CHECK(reha_onnx_load(path, NULL, &graph, err));
    REHA_CHECK(reha_muscle_network_check(graph, path, err));
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

/* ---- Framings ---- */

/* Around the tissue, `wider` times as large. A picture much wider or taller than those of the training
 * (turned down or up in depth) would be stretched out of all likeness: it gets black below or beside instead.
 */
static reha_box_px framing_of(const reha_box_px *tissue, double wider)
{
    const double width = fmax(tissue->width_px, REHA_MUSCLE_ASPECT_MIN * tissue->height_px);
    const double height = fmax(tissue->height_px, tissue->width_px / REHA_MUSCLE_ASPECT_MAX);
    return (reha_box_px){tissue->x_px + 0.5 * tissue->width_px - 0.5 * wider * width,
                         tissue->y_px - 0.5 * (wider - 1.0) * height, wider * width, wider * height};
}

/* A framing's map, read at the cells of the tissue's box. */
static void read_at_tissue(const float *map, const reha_box_px *framing, const reha_box_px *tissue, float *to)
{
    for (int y = 0; y < MAP; y++) {
        for (int x = 0; x < MAP; x++) {
            const double px = tissue->x_px + (x + 0.5) / MAP * tissue->width_px;
            const double py = tissue->y_px + (y + 0.5) / MAP * tissue->height_px;
            const double u = fmin(MAP - 1.0, fmax(0.0, (px - framing->x_px) / framing->width_px * MAP - 0.5));
            const double v =
                fmin(MAP - 1.0, fmax(0.0, (py - framing->y_px) / framing->height_px * MAP - 0.5));
            const int ix = u < MAP - 1 ? (int)u : MAP - 2;
            const int iy = v < MAP - 1 ? (int)v : MAP - 2;
            const float fx = (float)(u - ix);
            const float fy = (float)(v - iy);
            const float *at = map + (ptrdiff_t)iy * MAP + ix;
            to[y * MAP + x] = (1.0F - fy) * ((1.0F - fx) * at[0] + fx * at[1]) +
                              fy * ((1.0F - fx) * at[MAP] + fx * at[MAP + 1]);
        }
    }
}

static void even_tone(const reha_muscle_frame *frame, float *square)
{
    const double mean = fmin(0.9, fmax(0.02, frame->mean));
    const float gamma = (float)fmin(REHA_MUSCLE_GAMMA_MAX,
                                    fmax(REHA_MUSCLE_GAMMA_MIN, log(REHA_MUSCLE_TONE_MEAN) / log(mean)));
    for (int i = 0; i < INPUT_COUNT; i++) {
        square[i] = powf(square[i], gamma);
    }
}

/* What lies beside the tissue - paper, menus, another picture - is black to the network. */
static void blacken_around(const reha_box_px *framing, const reha_box_px *tissue, float *square)
{
    for (int y = 0; y < SIDE; y++) {
        const double py = framing->y_px + (y + 0.5) / SIDE * framing->height_px - tissue->y_px;
        for (int x = 0; x < SIDE; x++) {
            const double px = framing->x_px + (x + 0.5) / SIDE * framing->width_px - tissue->x_px;
            if (px < 0.0 || py < 0.0 || px > tissue->width_px || py > tissue->height_px) {
                square[y * SIDE + x] = 0.0F;
            }
        }
    }
}

/* The picture and its mirror image in one framing; logits land in model->output. */
static reha_status run_framing(reha_model *model, const reha_gray *image, const reha_muscle_frame *frame,
                               const reha_box_px *framing, reha_error *err)
{
    const float *inputs[1] = {model->input};
    float *outputs[1] = {model->output};
    const reha_tone tone = {frame->low, frame->high};
    REHA_TRY(reha_sample_rect(image, *framing, REHA_BORDER_ZERO, tone, SIDE, SIDE, model->input, err));
    even_tone(frame, model->input);
    blacken_around(framing, &frame->box, model->input);
    reha_muscle_standardise(model->input, INPUT_COUNT);
    mirror_square(model->input, model->input + INPUT_COUNT);
    return reha_session_run(model->session, REHA_MUSCLE_SIDES, inputs, outputs, err);
}

static const float *logits_of(const reha_model *model, int side, int map)
{
    return model->output + (size_t)(side * REHA_MUSCLE_MAPS + map) * MAP_COUNT;
}

reha_status reha_muscle_model_run(reha_model *model, const reha_gray *image, const reha_muscle_frame *frame,
                                  reha_muscle_maps *out, reha_error *err)
{
    REHA_TRY(maps_new(out, err));
    for (int f = 0; f < REHA_MUSCLE_FRAMINGS; f++) {
        const reha_box_px framing = framing_of(&frame->box, WIDER[f]);
        REHA_TRY(run_framing(model, image, frame, &framing, err));
        for (int side = 0; side < REHA_MUSCLE_SIDES; side++) {
            for (int m = 0; m < REHA_MUSCLE_MAPS; m++) {
                float *whole = out->mean[m]; /* free until the end */
                read_map(logits_of(model, side, m), side == 1, whole);
                read_at_tissue(whole, &framing, &frame->box, out->view[f * REHA_MUSCLE_SIDES + side][m]);
            }
        }
    }
    for (int m = 0; m < REHA_MUSCLE_MAPS; m++) {
        for (int i = 0; i < MAP_COUNT; i++) {
            float sum = 0.0F;
            for (int v = 0; v < REHA_MUSCLE_VIEWS; v++) {
                sum += out->view[v][m][i];
            }
            out->mean[m][i] = sum / REHA_MUSCLE_VIEWS;
        }
    }
    return REHA_OK;
}
