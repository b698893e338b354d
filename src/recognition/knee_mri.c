#include "recognition/knee_mri.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "nn/npy.h"
#include "nn/onnx.h"
#include "recognition/audit_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct reha_model {
    json_t *card;
    reha_graph *head;
    reha_knee_mri_trunk trunk;
    bool planes[REHA_KNEE_MRI_PLANES];
    bool labels[REHA_KNEE_MRI_LABELS];
    size_t inputs;
};

static void close_model(reha_model *model)
{
    if (model != NULL) {
        reha_knee_mri_trunk_close(&model->trunk);
        reha_graph_free(model->head);
        json_decref(model->card);
        reha_free(model);
    }
}

/* Marks the names of a list of the card; each must be known. */
static reha_status read_names(const json_t *network, const char *key, const char *const *names, bool *out,
                              reha_error *err)
{
    const json_t *list = json_object_get(network, key);
    size_t known = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        for (size_t n = 0; n < 3 && name != NULL; n++) {
            if (strcmp(name, names[n]) == 0 && !out[n]) {
                out[n] = true;
                known++;
            }
        }
    }
    return known > 0 && known == json_array_size(list)
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "card.json: '%s' is missing or names something unknown", key);
}

static reha_status read_card(reha_model *model, const char *folder, int *side_px, reha_error *err)
{
    double side = 0.0;
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_load(path, &model->card, err);
    reha_free(path);
    REHA_TRY(status);
    const json_t *network = json_object_get(model->card, "network");
    if (strcmp(reha_json_string(model->card, "task", ""), "knee-mri") != 0 || !json_is_object(network)) {
        return reha_fail(err, REHA_E_FORMAT, "%s: the card is not one of knee-mri", folder);
    }
    REHA_TRY(reha_json_need_number(network, "input_px", &side, err));
    if (!(side >= 32.0 && side <= 1024.0 && fmod(side, 32.0) == 0.0)) {
        return reha_fail(err, REHA_E_FORMAT, "card.json: 'input_px' is %g", side);
    }
    *side_px = (int)side;
    REHA_TRY(read_names(network, "planes", reha_knee_mri_planes, model->planes, err));
    for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
        model->inputs += model->planes[p] ? REHA_KNEE_MRI_FEATURES : 0;
    }
    return read_names(network, "labels", reha_knee_mri_labels, model->labels, err);
}

static reha_status load_graph(const char *folder, const char *name, size_t inputs, size_t outputs,
                              reha_graph **out, reha_error *err)
{
    char *path = reha_path_join(folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_onnx_load(path, NULL, out, err);
    if (status == REHA_OK) {
        const bool fits =
            reha_graph_input_count(*out) == 1 && reha_graph_output_count(*out) == 1 &&
            reha_shape_count(reha_graph_node(*out, reha_graph_input(*out, 0))->shape) == inputs &&
            reha_shape_count(reha_graph_node(*out, reha_graph_output(*out, 0))->shape) == outputs;
        status = fits ? REHA_OK
                      : reha_fail(err, REHA_E_FORMAT, "%s: not the network that the card describes", path);
    }
    reha_free(path);
    return status;
}

static reha_status open_model(const reha_model_options *options, reha_model **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *trunk = NULL;
    char *folder = NULL;
    int side_px = 0;
    *out = NULL;
    reha_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
    }
    REHA_CHECK(reha_model_choose(options, "knee-mri", &folder, err));
    REHA_CHECK(read_card(model, folder, &side_px, err));
    REHA_CHECK(load_graph(folder, "trunk.onnx", (size_t)3 * (size_t)side_px * (size_t)side_px,
                          REHA_KNEE_MRI_FEATURES, &trunk, err));
    REHA_CHECK(load_graph(folder, "model.onnx", model->inputs, REHA_KNEE_MRI_LABELS, &model->head, err));
    REHA_CHECK(reha_knee_mri_trunk_open(trunk, side_px, options->threads, &model->trunk, err));
    *out = model;
    model = NULL;
done:
    reha_graph_free(trunk);
    reha_free(folder);
    close_model(model);
    return status;
}

static const json_t *card_of(const reha_model *model)
{
    return model->card;
}

static reha_status analyse(reha_model *model, const reha_gray *image, const reha_acquisition *acquisition,
                           const reha_analyse_options *options, reha_analysis **out, reha_error *err)
{
    (void)options;
    REHA_TRY(reha_analysis_begin("knee-mri", reha_json_string(model->card, "name", ""),
                                 reha_json_string(model->card, "version", ""), image, acquisition, out, err));
    reha_analysis_note(*out, REHA_NOTE_REFUSED, "not-a-volume",
                       "Not analysed: knee-mri judges whole volumes and this is one image; 'rehascope "
                       "evaluate knee-mri' reads "
                       "folders of volumes.");
    return REHA_OK;
}

/* ---- evaluate ---- */

static reha_status choose(const reha_knee_mri_data *data, const char *split, bool *use, reha_error *err)
{
    const bool all = split == NULL;
    const bool validation = !all && (strcmp(split, "valid") == 0 || strcmp(split, "val") == 0);
    size_t count = 0;
    if (!all && !validation && strcmp(split, "train") != 0) {
        return reha_fail(err, REHA_E_ARG, "no split '%.40s': train or valid", split);
    }
    for (size_t i = 0; i < data->count; i++) {
        use[i] = all || data->exams[i].is_validation == validation;
        count += use[i] ? 1 : 0;
    }
    return count > 0 ? REHA_OK
                     : reha_fail(err, REHA_E_NOT_FOUND, "the split '%.40s' has no examination", split);
}

static reha_status write_predictions(const reha_model *model, const reha_knee_mri_data *data, const bool *use,
                                     const double *probabilities, const char *path, reha_error *err)
{
    reha_text text = {0};
    char *table = NULL;
    reha_text_add(&text, "id,split");
    for (int k = 0; k < REHA_KNEE_MRI_LABELS; k++) {
        if (model->labels[k]) {
            reha_text_addf(&text, ",%s", reha_knee_mri_labels[k]);
        }
    }
    for (size_t i = 0; i < data->count; i++) {
        if (!use[i]) {
            continue;
        }
        reha_text_add(&text, "\n");
        reha_csv_add_field(&text, data->exams[i].id);
        reha_text_add(&text, data->exams[i].is_validation ? ",valid" : ",train");
        for (size_t k = 0; k < REHA_KNEE_MRI_LABELS; k++) {
            if (model->labels[k]) {
                reha_text_addf(&text, ",%.6f", probabilities[i * REHA_KNEE_MRI_LABELS + k]);
            }
        }
    }
    reha_text_add(&text, "\n");
    REHA_TRY(reha_text_take(&text, &table, err));
    const reha_status status = reha_file_save(path, table, strlen(table), err);
    reha_free(table);
    return status;
}

static reha_status check_planes(const reha_model *model, const reha_knee_mri_data *data, reha_error *err)
{
    for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
        if (model->planes[p] && !data->has_plane[p]) {
            return reha_fail(err, REHA_E_FORMAT,
                             "the model was trained on %s volumes and the folder has none",
                             reha_knee_mri_planes[p]);
        }
    }
    return REHA_OK;
}

static reha_status evaluate(reha_model *model, const reha_evaluate_options *options,
                            const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_knee_mri_data data = {0};
    float *features = NULL;
    double *probabilities = NULL;
    bool *use = NULL;
    json_t *figures = NULL;
    reha_status status = REHA_OK;
    *report = NULL;
    REHA_TRY(reha_knee_mri_data_load(options->data_folder, &data, err));
    REHA_CHECK(check_planes(model, &data, err));
    use = reha_alloc_zero(data.count, sizeof *use);
    REHA_CHECK(use != NULL ? REHA_OK
                           : reha_fail(err, REHA_E_NOMEM, "out of memory for %zu examinations", data.count));
    REHA_CHECK(choose(&data, options->split, use, err));
    REHA_CHECK(reha_knee_mri_read_all(&model->trunk, &data, model->planes, progress, &features, err));
    REHA_CHECK(reha_knee_mri_score(model->head, features, data.count, model->inputs, &probabilities, err));
    for (int k = 0; k < REHA_KNEE_MRI_LABELS; k++) { /* an output that was never trained is not judged */
        data.has_label[k] = data.has_label[k] && model->labels[k];
    }
    REHA_CHECK(reha_knee_mri_measure(&data, probabilities, use, options->bootstrap_rounds, options->seed,
                                     &figures, err));
    if (options->predictions_path != NULL) {
        REHA_CHECK(write_predictions(model, &data, use, probabilities, options->predictions_path, err));
    }
    *report = json_pack("{s:s, s:o, s:s, s:s, s:O}", "task", "knee-mri", "data",
                        reha_json_text(options->data_folder), "layout", data.layout, "split",
                        options->split != NULL ? options->split : "all", "metrics", figures);
    REHA_CHECK(*report != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a report"));
done:
    json_decref(figures);
    reha_free(use);
    reha_free(features);
    reha_free(probabilities);
    reha_knee_mri_data_clear(&data);
    return status;
}

static reha_status calibrate(reha_model *model, const char *model_folder,
                             const reha_evaluate_options *options, const reha_progress *progress,
                             json_t **report, reha_error *err)
{
    (void)model;
    (void)model_folder;
    (void)options;
    (void)progress;
    *report = NULL;
    return reha_fail(err, REHA_E_UNSUPPORTED,
                     "knee-mri is not calibrated: train it on the labelled examinations instead");
}

/* ---- audit ---- */

static reha_status hash_files(const reha_knee_mri_data *data, int plane, uint64_t *out, reha_error *err)
{
    for (size_t i = 0; i < data->count; i++) {
        uint8_t *bytes = NULL;
        size_t count = 0;
        REHA_TRY(reha_file_load(data->exams[i].paths[plane], (size_t)1 << 30, &bytes, &count, err));
        out[i] = reha_hash64(REHA_HASH64_START, bytes, count);
        reha_free(bytes);
    }
    return REHA_OK;
}

enum { COPY, LEAK, KINDS };
static const reha_problem_text audit_texts[KINDS] = {
    {"copy", "warning", "volumes that are there twice", "remove one of each pair"},
    {"leak", "error", "volumes of the training part that are in the validation part too",
     "remove them from one of the parts: figures on them mean nothing"},
};

static void find_copies(const reha_knee_mri_data *data, int plane, const uint64_t *hashes,
                        reha_problem kinds[KINDS])
{
    for (size_t i = 0; i < data->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (hashes[i] == hashes[j]) {
                char text[160];
                reha_problem *kind =
                    &kinds[data->exams[i].is_validation != data->exams[j].is_validation ? LEAK : COPY];
                (void)snprintf(text, sizeof text, "%.60s and %.60s (%s)", data->exams[j].id,
                               data->exams[i].id, reha_knee_mri_planes[plane]);
                reha_problem_add(kind, text, NULL);
                break;
            }
        }
    }
}

static json_t *balance(const reha_knee_mri_data *data, int label)
{
    int counts[2][2] = {{0, 0}, {0, 0}};
    for (size_t i = 0; i < data->count; i++) {
        if (data->exams[i].labels[label] >= 0) {
            counts[data->exams[i].is_validation ? 1 : 0][data->exams[i].labels[label]]++;
        }
    }
    return json_pack("{s:{s:i, s:i}, s:{s:i, s:i}}", "train", "negative", counts[0][0], "positive",
                     counts[0][1], "valid", "negative", counts[1][0], "positive", counts[1][1]);
}

static reha_status audit(const char *data_folder, reha_load_function load, const reha_progress *progress,
                         json_t **report, reha_error *err)
{
    reha_knee_mri_data data = {0};
    json_t *labels = json_object();
    json_t *problems = json_array();
    uint64_t *hashes = NULL;
    reha_status status = REHA_OK;
    reha_problem kinds[KINDS];
    (void)load;
    (void)progress;
    *report = NULL;
    reha_problems_open(audit_texts, KINDS, kinds);
    REHA_CHECK(reha_knee_mri_data_load(data_folder, &data, err));
    hashes = reha_alloc_zero(data.count, sizeof *hashes);
    REHA_CHECK(hashes != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for an audit"));
    for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
        if (data.has_plane[p]) {
            REHA_CHECK(hash_files(&data, p, hashes, err));
            find_copies(&data, p, hashes, kinds);
        }
        if (data.has_label[p]) {
            (void)json_object_set_new(labels, reha_knee_mri_labels[p], balance(&data, p));
        }
    }
    reha_problems_close(problems, kinds, KINDS);
    *report = json_pack("{s:s, s:o, s:s, s:I, s:I, s:O, s:O}", "task", "knee-mri", "data",
                        reha_json_text(data_folder), "layout", data.layout, "n", (json_int_t)data.count,
                        "groups", (json_int_t)data.count, "labels", labels, "problems", problems);
    REHA_CHECK(*report != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a report"));
done:
    reha_problems_close(NULL, kinds, KINDS);
    json_decref(labels);
    json_decref(problems);
    reha_free(hashes);
    reha_knee_mri_data_clear(&data);
    return status;
}

const reha_recogniser reha_recogniser_knee_mri = {
    .name = "knee-mri",
    .title = "Knee MR: abnormal, ACL tear, meniscus tear (a recipe to train; no model is installed)",
    .accepts = "folders of volumes in the layout of MRNet or KneeMRI (.npy)",
    .open = open_model,
    .close = close_model,
    .analyse = analyse,
    .card = card_of,
    .train = reha_knee_mri_train,
    .evaluate = evaluate,
    .calibrate = calibrate,
    .audit = audit,
};
