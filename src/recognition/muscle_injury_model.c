#include "recognition/muscle_injury_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/muscle_injury_card.h"
#include "recognition/muscle_net.h"
#include "recognition/muscle_us.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = REHA_MUSCLE_INPUT_PX,
    INPUT_COUNT = SIDE * SIDE,
    MAP = REHA_MUSCLE_MAP_PX,
    VIEWS = 2 /* the picture and its mirror image */
};

void reha_injury_model_close_(reha_model *model)
{
    if (model != NULL) {
        if (model->muscle != NULL) {
            reha_recogniser_muscle_us.close(model->muscle);
        }
        json_decref(model->card);
        reha_session_free(model->session);
        reha_free(model->input);
        reha_free(model->output);
        reha_free(model);
    }
}

reha_status reha_injury_check_graph_(const reha_graph *graph, const char *path, reha_error *err)
{
    bool fits = reha_graph_input_count(graph) == 1 && reha_graph_output_count(graph) == 1;
    if (fits) {
        const reha_shape in = reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
        const reha_shape out = reha_graph_node(graph, reha_graph_output(graph, 0))->shape;
        fits = in.rank == 4 && in.dims[1] == 1 && in.dims[2] == SIDE && in.dims[3] == SIDE && out.rank == 4 &&
               out.dims[1] == REHA_INJURY_MAPS && out.dims[2] == MAP && out.dims[3] == MAP;
    }
    return fits ? REHA_OK
                : reha_fail(err, REHA_E_FORMAT, "%s: is no injury network [1, 1, %d, %d] -> [1, %d, %d, %d]",
                            path, SIDE, SIDE, REHA_INJURY_MAPS, MAP, MAP);
}

static reha_status read_card(reha_model *model, const char *folder, reha_error *err)
{
    REHA_TRY(reha_injury_card_load(folder, &model->card, err));
    const json_t *errors = json_object_get(model->card, "measurement_error_95");
    const json_t *rule = json_object_get(model->card, "rule");
    model->errors.share = reha_json_number(errors, "share_of_thickness", (double)NAN);
    model->errors.along_ratio = reha_json_number(errors, "length_ratio", (double)NAN);
    model->has_rule = rule != NULL;
    return rule != NULL ? reha_injury_rule_from_json(rule, &model->rule, err) : REHA_OK;
}

static reha_status open_network(reha_model *model, const char *folder, int threads, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *graph = NULL;
    char *path = reha_path_join(folder, REHA_INJURY_FILE);
    model->input = reha_alloc((size_t)VIEWS * INPUT_COUNT * sizeof(float));
    model->output = reha_alloc((size_t)VIEWS * REHA_INJURY_MAPS * REHA_INJURY_MAP_COUNT * sizeof(float));
    if (path == NULL || model->input == NULL || model->output == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
        goto done;
    }
    reha_session_options how = reha_session_options_default();
    how.threads = threads;
    how.precision = REHA_BF16;
    how.batch_max = VIEWS;
    how.is_whole_batch = true;
    REHA_CHECK(reha_onnx_load(path, NULL, &graph, err));
    REHA_CHECK(reha_injury_check_graph_(graph, path, err));
    REHA_CHECK(reha_session_new(graph, &how, &model->session, err));
done:
    reha_graph_free(graph);
    reha_free(path);
    return status;
}

static reha_status open_muscle(reha_model *model, const char *folder, int threads, reha_error *err)
{
    const reha_model_options how = {.model_folder = folder, .threads = threads};
    return reha_recogniser_muscle_us.open(&how, &model->muscle, err);
}

reha_status reha_injury_model_load_(const char *folder, const char *muscle_folder, int threads,
                                    reha_model **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
    }
    REHA_CHECK(read_card(model, folder, err));
    REHA_CHECK(open_network(model, folder, threads, err));
    if (muscle_folder != NULL) {
        REHA_CHECK(open_muscle(model, muscle_folder, threads, err));
    }
    *out = model;
    model = NULL;
done:
    reha_injury_model_close_(model);
    return status;
}

reha_status reha_injury_model_open_(const reha_model_options *options, reha_model **out, reha_error *err)
{
    reha_status status = REHA_OK;
    char *folder = NULL;
    char *models = NULL;
    char *muscle = NULL;
    *out = NULL;
    REHA_CHECK(reha_model_choose(options, REHA_INJURY_TASK, &folder, err));
    /* models/muscle-injury/1 -> models */
    models = options->models_folder != NULL ? reha_strdup(options->models_folder)
                                            : reha_path_join(folder, "../..");
    if (models == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    status = reha_model_folder(models, reha_recogniser_muscle_us.name, &muscle, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, REHA_INJURY_TASK " needs muscle-us, which finds the belly; give --models DIR");
        goto done;
    }
    REHA_CHECK(reha_injury_model_load_(folder, muscle, options->threads, out, err));
done:
    reha_free(folder);
    reha_free(models);
    reha_free(muscle);
    return status;
}

reha_status reha_injury_model_run_(reha_model *model, const reha_gray *image, const reha_muscle_frame *frame,
                                   float *maps, reha_error *err)
{
    const float *inputs[1] = {model->input};
    float *outputs[1] = {model->output};
    REHA_TRY(reha_muscle_square(image, frame, model->input, err));
    for (int i = 0; i < INPUT_COUNT; i++) {
        model->input[INPUT_COUNT + i] = model->input[i - i % SIDE + SIDE - 1 - i % SIDE];
    }
    REHA_TRY(reha_session_run(model->session, VIEWS, inputs, outputs, err));
    for (int m = 0; m < REHA_INJURY_MAPS; m++) {
        const float *straight = model->output + (size_t)m * REHA_INJURY_MAP_COUNT;
        const float *mirrored = straight + (size_t)REHA_INJURY_MAPS * REHA_INJURY_MAP_COUNT;
        for (int i = 0; i < REHA_INJURY_MAP_COUNT; i++) {
            const float other = mirrored[i - i % MAP + MAP - 1 - i % MAP];
            maps[m * REHA_INJURY_MAP_COUNT + i] =
                0.5F / (1.0F + expf(-straight[i])) + 0.5F / (1.0F + expf(-other));
        }
    }
    return REHA_OK;
}

reha_status reha_injury_find_belly_(reha_model *model, const reha_gray *image, const reha_acquisition *facts,
                                    reha_injury_belly *out, bool *found, reha_analysis **analysis,
                                    reha_error *err)
{
    const reha_analyse_options how = {.side_hint = REHA_SIDE_UNKNOWN};
    reha_analysis *muscle = NULL;
    *found = false;
    REHA_TRY(reha_recogniser_muscle_us.analyse(model->muscle, image, facts, &how, &muscle, err));
    *found = muscle->is_accepted && muscle->region_count == 1 &&
             reha_injury_belly_from_region(&muscle->regions[0], out);
    if (analysis != NULL) {
        *analysis = muscle;
    } else {
        reha_analysis_free(muscle);
    }
    return REHA_OK;
}
