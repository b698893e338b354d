/* The recipe: features once, then the head. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "nn/onnx.h"
#include "nn/trainer.h"
#include "recognition/knee_mri.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH_MAX = 16, EPOCHS = 80, SIDE_MIN_PX = 64, SIDE_MAX_PX = 512, TRAIN_MIN = 8 };
static const float PEAK_RATE = 2e-3F;
static const float WEIGHT_DECAY = 0.05F;
static const float UNKNOWN_TARGET = 0.5F; /* a label that is not given pulls its own output nowhere */

typedef struct recipe {
    const reha_train_options *options;
    const reha_progress *progress;
    reha_knee_mri_data data;
    int side_px;
    size_t inputs;
    float *features; /* [count][inputs], standardised while the head is trained */
    float *mean;     /* [inputs] of the training part */
    float *deviation;
    size_t *train; /* examinations of the training part */
    size_t train_count;
    reha_graph *trunk;
    reha_graph *head;
    double loss; /* of the last epoch */
} recipe;

static reha_status parse_network(const char *name, int *side_px, reha_error *err)
{
    static const char prefix[] = "mobilenetv2";
    int64_t side = REHA_KNEE_MRI_SIDE_PX;
    if (name != NULL && strcmp(name, prefix) != 0 &&
        (strncmp(name, "mobilenetv2-", sizeof prefix) != 0 ||
         !reha_parse_int64(name + sizeof prefix, &side) || side < SIDE_MIN_PX || side > SIDE_MAX_PX ||
         side % 32 != 0)) {
        return reha_fail(err, REHA_E_ARG,
                         "no network '%.40s': knee-mri knows mobilenetv2 and mobilenetv2-SIDE, a multiple of "
                         "32 from %d to %d",
                         name, SIDE_MIN_PX, SIDE_MAX_PX);
    }
    *side_px = (int)side;
    return REHA_OK;
}

static reha_status read_data(recipe *run, reha_error *err)
{
    size_t planes = 0;
    REHA_TRY(reha_knee_mri_data_load(run->options->data_folder, &run->data, err));
    for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
        planes += run->data.has_plane[p] ? 1 : 0;
    }
    run->inputs = planes * REHA_KNEE_MRI_FEATURES;
    run->train = reha_alloc_zero(run->data.count, sizeof *run->train);
    run->mean = reha_alloc_zero(run->inputs, sizeof *run->mean);
    run->deviation = reha_alloc_zero(run->inputs, sizeof *run->deviation);
    if (run->train == NULL || run->mean == NULL || run->deviation == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu examinations", run->data.count);
    }
    for (size_t i = 0; i < run->data.count; i++) {
        if (!run->data.exams[i].is_validation) {
            run->train[run->train_count++] = i;
        }
    }
    return run->train_count >= TRAIN_MIN
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "%s: %zu examinations to train on, at least %d are needed",
                           run->options->data_folder, run->train_count, TRAIN_MIN);
}

static reha_status read_features(recipe *run, reha_error *err)
{
    reha_knee_mri_trunk trunk = {0};
    REHA_TRY(reha_knee_mri_trunk_new(run->side_px, run->options->backbone_folder, run->options->seed,
                                     &run->trunk, err));
    REHA_TRY(reha_knee_mri_trunk_open(run->trunk, run->side_px, run->options->threads, &trunk, err));
    const reha_status status =
        reha_knee_mri_read_all(&trunk, &run->data, run->data.has_plane, run->progress, &run->features, err);
    reha_knee_mri_trunk_close(&trunk);
    return status;
}

/* Mean 0 and deviation 1 over the training part, so that one learning rate fits all features. */
static void standardise(recipe *run)
{
    for (size_t f = 0; f < run->inputs; f++) {
        double sum = 0.0;
        double squares = 0.0;
        for (size_t t = 0; t < run->train_count; t++) {
            const double value = (double)run->features[run->train[t] * run->inputs + f];
            sum += value;
            squares += value * value;
        }
        const double mean = sum / (double)run->train_count;
        const double variance = fmax(squares / (double)run->train_count - mean * mean, 0.0);
        run->mean[f] = (float)mean;
        run->deviation[f] = variance > 1e-12 ? (float)sqrt(variance) : 1.0F;
        for (size_t i = 0; i < run->data.count; i++) {
            float *at = &run->features[i * run->inputs + f];
            *at = (*at - run->mean[f]) / run->deviation[f];
        }
    }
}

static void fill_batch(const recipe *run, const size_t *order, size_t first, size_t batch, float *inputs,
                       float *targets)
{
    for (size_t b = 0; b < batch; b++) {
        const size_t i = order[(first + b) % run->train_count];
        memcpy(inputs + b * run->inputs, run->features + i * run->inputs, run->inputs * sizeof *inputs);
        for (size_t k = 0; k < REHA_KNEE_MRI_LABELS; k++) {
            const int label = run->data.exams[i].labels[k];
            targets[b * REHA_KNEE_MRI_LABELS + k] = label < 0 ? UNKNOWN_TARGET : (float)label;
        }
    }
}

static reha_status run_epochs(recipe *run, reha_trainer *trainer, size_t batch, float *inputs, float *targets,
                              reha_error *err)
{
    const int epochs = run->options->epochs > 0 ? run->options->epochs : EPOCHS;
    const size_t steps = (run->train_count + batch - 1) / batch;
    reha_random random = reha_random_init(run->options->seed, 3);
    for (int e = 0; e < epochs; e++) {
        if (reha_progress_is_stopped(run->progress)) {
            return reha_fail(err, REHA_E_CANCELLED,
                             "stopped in epoch %d of %d; features are read anew next time", e + 1, epochs);
        }
        reha_random_shuffle(&random, run->train, run->train_count);
        run->loss = 0.0;
        for (size_t s = 0; s < steps; s++) {
            double loss = 0.0;
            const long step = (long)((size_t)e * steps + s);
            fill_batch(run, run->train, s * batch, batch, inputs, targets);
            REHA_TRY(reha_trainer_step(
                trainer, (const float *const[]){inputs}, (const float *const[]){targets}, NULL,
                reha_cosine_rate(PEAK_RATE, step, (long)steps, (long)steps * epochs), &loss, err));
            run->loss += loss / (double)steps;
        }
    }
    return REHA_OK;
}

static reha_status train_head(recipe *run, reha_error *err)
{
    const size_t batch = run->train_count < BATCH_MAX ? run->train_count : BATCH_MAX;
    reha_trainer_options how = reha_trainer_options_default();
    reha_trainer *trainer = NULL;
    reha_status status = REHA_OK;
    float *inputs = reha_alloc(batch * run->inputs * sizeof *inputs);
    float *targets = reha_alloc(batch * REHA_KNEE_MRI_LABELS * sizeof *targets);
    if (inputs == NULL || targets == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a batch");
        goto done;
    }
    how.batch = (int)batch;
    how.threads = run->options->threads;
    how.precision = REHA_F32;
    how.weight_decay = WEIGHT_DECAY;
    how.seed = run->options->seed;
    how.loss_count = 1;
    how.losses[0] = (reha_loss){.kind = REHA_LOSS_BCE, .output = 0, .weight = 1.0F};
    REHA_CHECK(reha_knee_mri_head_new((int)run->inputs, run->options->seed, &run->head, err));
    REHA_CHECK(reha_trainer_new(run->head, &how, &trainer, err));
    REHA_CHECK(run_epochs(run, trainer, batch, inputs, targets, err));
    REHA_CHECK(reha_trainer_read_params(trainer, run->head, false, err));
done:
    reha_trainer_free(trainer);
    reha_free(inputs);
    reha_free(targets);
    return status;
}

/* The head that is saved reads plain features: the standardisation goes into its weights. */
static void fold(recipe *run)
{
    reha_param *weight = reha_graph_param_mutable(run->head, reha_graph_find_param(run->head, "head.weight"));
    reha_param *bias = reha_graph_param_mutable(run->head, reha_graph_find_param(run->head, "head.bias"));
    for (size_t k = 0; k < REHA_KNEE_MRI_LABELS; k++) {
        double shift = 0.0;
        for (size_t f = 0; f < run->inputs; f++) {
            float *w = &weight->values[k * run->inputs + f];
            *w /= run->deviation[f];
            shift += (double)*w * (double)run->mean[f];
        }
        bias->values[k] -= (float)shift;
    }
    for (size_t i = 0; i < run->data.count * run->inputs; i++) {
        run->features[i] = run->features[i] * run->deviation[i % run->inputs] + run->mean[i % run->inputs];
    }
}

static reha_status measure(const recipe *run, json_t **out, reha_error *err)
{
    double *probabilities = NULL;
    bool *use = reha_alloc_zero(run->data.count, sizeof *use);
    reha_status status = use != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for figures");
    for (size_t i = 0; i < run->data.count && status == REHA_OK; i++) {
        use[i] = run->data.exams[i].is_validation;
    }
    if (status == REHA_OK) {
        status =
            reha_knee_mri_score(run->head, run->features, run->data.count, run->inputs, &probabilities, err);
    }
    if (status == REHA_OK) {
        status = reha_knee_mri_measure(&run->data, probabilities, use, 1000, run->options->seed, out, err);
    }
    reha_free(use);
    reha_free(probabilities);
    return status;
}

static json_t *card_json(const recipe *run, json_t *metrics)
{
    json_t *planes = json_array();
    json_t *labels = json_array();
    for (int i = 0; i < REHA_KNEE_MRI_PLANES; i++) {
        if (run->data.has_plane[i]) {
            (void)json_array_append_new(planes, json_string(reha_knee_mri_planes[i]));
        }
        if (run->data.has_label[i]) {
            (void)json_array_append_new(labels, json_string(reha_knee_mri_labels[i]));
        }
    }
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:i, s:o, s:o}, s:{s:s, s:I, s:I, s:I, s:f, s:b, "
        "s:o}, s:{s:o}, s:[s,s,s,s]}",
        "format", "rehascope-model-card", "format_version", 1, "task", "knee-mri", "name", "knee-mri",
        "version", "1", "status", "research only", "intended_use",
        "research: sorting of knee MR examinations by the probability of an abnormality, an ACL tear, a "
        "meniscus tear",
        "network", "trunk", "trunk.onnx", "head", "model.onnx", "input_px", run->side_px, "planes", planes,
        "labels", labels, "training", "layout", run->data.layout, "examinations",
        (json_int_t)run->train_count, "validation", (json_int_t)(run->data.count - run->train_count), "seed",
        (json_int_t)run->options->seed, "last_loss", run->loss, "pretrained_trunk",
        run->options->backbone_folder != NULL ? 1 : 0, "command", reha_json_text(run->options->command),
        "metrics", "validation", metrics, "limits",
        "The recipe was proven on generated volumes with a planted signal only, never on real examinations: "
        "its figures on yours "
        "are the first.",
        "The trunk was trained on photographs and is not adapted; the maximum over slices keeps no place.",
        "Probabilities are not calibrated; there is no gate against other joints or sequences, and no "
        "explanation.",
        "Patients with several examinations are not known to the program: keep them in one split.");
}

static reha_status save(const recipe *run, const char *name, const reha_graph *graph, reha_error *err)
{
    const reha_onnx_save_options how = {.producer = "rehascope " REHA_VERSION};
    char *path = reha_path_join(run->options->out_folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_onnx_save(graph, path, &how, err);
    reha_free(path);
    return status;
}

static reha_status save_all(const recipe *run, reha_error *err)
{
    json_t *metrics = NULL;
    json_t *card = NULL;
    char *path = reha_path_join(run->options->out_folder, "card.json");
    reha_status status = REHA_OK;
    REHA_CHECK(path != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path"));
    REHA_CHECK(measure(run, &metrics, err));
    REHA_CHECK(reha_folder_make(run->options->out_folder, err));
    REHA_CHECK(save(run, "trunk.onnx", run->trunk, err));
    REHA_CHECK(save(run, "model.onnx", run->head, err));
    card = card_json(run, json_incref(metrics));
    REHA_CHECK(card != NULL ? reha_json_save(path, card, err)
                            : reha_fail(err, REHA_E_NOMEM, "out of memory for a card"));
done:
    json_decref(metrics);
    json_decref(card);
    reha_free(path);
    return status;
}

reha_status reha_knee_mri_train(const reha_train_options *options, const reha_progress *progress,
                                reha_error *err)
{
    recipe run = {.options = options, .progress = progress};
    reha_status status = REHA_OK;
    REHA_CHECK(options->resume ? reha_fail(err, REHA_E_ARG, "knee-mri trains in one go: leave out --resume")
                               : REHA_OK);
    REHA_CHECK(parse_network(options->network, &run.side_px, err));
    REHA_CHECK(read_data(&run, err));
    REHA_CHECK(read_features(&run, err));
    standardise(&run);
    REHA_CHECK(train_head(&run, err));
    fold(&run);
    REHA_CHECK(save_all(&run, err));
done:
    reha_knee_mri_data_clear(&run.data);
    reha_graph_free(run.trunk);
    reha_graph_free(run.head);
    reha_free(run.features);
    reha_free(run.mean);
    reha_free(run.deviation);
    reha_free(run.train);
    return status;
}
