#include "recognition/bone_density.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "recognition/bone_density_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char TASK[] = "bone-density";

struct reha_model {
    json_t *card;
    char *folder;
    char version[32];
    bool is_enabled;
    reha_bone_models models;
    reha_bone_reader *reader;
};

static void close_model(reha_model *model)
{
    if (model != NULL) {
        reha_bone_reader_close(model->reader);
        json_decref(model->card);
        reha_free(model->folder);
        reha_free(model);
    }
}

static reha_status read_regression(const json_t *models, const char *name, int columns, reha_regression *out,
                                   reha_error *err)
{
    const reha_status status = reha_regression_from_json(json_object_get(models, name), out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "card.json: models.%s", name);
        return status;
    }
    return out->class_count == REHA_BONE_CLASSES && out->column_count == columns
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT,
                           "card.json: models.%s has %d classes and %d columns, not %d and %d", name,
                           out->class_count, out->column_count, REHA_BONE_CLASSES, columns);
}

static reha_status read_card(reha_model *model, reha_error *err)
{
    char *path = reha_path_join(model->folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_load(path, &model->card, err);
    reha_free(path);
    REHA_TRY(status);
    if (strcmp(reha_json_string(model->card, "task", ""), TASK) != 0) {
        return reha_fail(err, REHA_E_FORMAT, "%s: the card is not one of bone-density", model->folder);
    }
    const json_t *enabled = json_object_get(model->card, "enabled");
    if (!json_is_boolean(enabled)) {
        return reha_fail(err, REHA_E_FORMAT, "card.json: 'enabled' is missing or neither true nor false");
    }
    model->is_enabled = json_is_true(enabled);
    (void)snprintf(model->version, sizeof model->version, "%s", reha_json_string(model->card, "version", ""));
    const json_t *models = json_object_get(model->card, "models");
    REHA_TRY(read_regression(models, "baseline", REHA_BONE_FACTS, &model->models.baseline, err));
    REHA_TRY(read_regression(models, "image", REHA_BONE_TEXTURE, &model->models.image, err));
    return read_regression(models, "both", REHA_BONE_FACTS + REHA_BONE_TEXTURE, &model->models.both, err);
}

static reha_status open_model(const reha_model_options *options, reha_model **out, reha_error *err)
{
    reha_status status = REHA_OK;
    char *knee = NULL;
    *out = NULL;
    reha_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
    }
    REHA_CHECK(reha_model_choose(options, TASK, &model->folder, err));
    REHA_CHECK(read_card(model, err));
    REHA_CHECK(reha_bone_knee_folder_(options->models_folder, model->folder, &knee, err));
    REHA_CHECK(reha_bone_reader_open(knee, false, options->threads, &model->reader, err));
    *out = model;
    model = NULL;
done:
    reha_free(knee);
    close_model(model);
    return status;
}

static const json_t *card_of(const reha_model *model)
{
    return model->card;
}

/* ---- Analysis ---- */

static const json_t *model_figures(const reha_model *model, const char *name)
{
    size_t i = 0;
    const json_t *one = NULL;
    const json_t *list = json_object_get(json_object_get(model->card, "study"), "models");
    json_array_foreach(list, i, one)
    {
        if (strcmp(reha_json_string(one, "name", ""), name) == 0) {
            return one;
        }
    }
    return NULL;
}

static double auc_of(const reha_model *model, const char *name)
{
    return reha_json_number(json_object_get(model_figures(model, name), "auc_osteoporosis"), "value",
                            (double)NAN);
}

/* One box around all accepted knees: the finding is of the person, not of a side. */
static void frame_knees(const reha_analysis *knees, reha_region *region)
{
    double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    int count = 0;
    for (int i = 0; i < knees->region_count; i++) {
        const reha_region *knee = &knees->regions[i];
        if (knee->is_accepted) {
            x0 = fmin(x0, knee->box.x_px);
            y0 = fmin(y0, knee->box.y_px);
            x1 = fmax(x1, knee->box.x_px + knee->box.width_px);
            y1 = fmax(y1, knee->box.y_px + knee->box.height_px);
            region->side = ++count == 1 ? knee->side : REHA_SIDE_BOTH;
            (void)snprintf(region->side_source, sizeof region->side_source, "%s",
                           count == 1 ? knee->side_source : "two knees");
        }
    }
    region->box = (reha_box_px){x0, y0, x1 - x0, y1 - y0};
}

static void add_findings(const reha_model *model, const reha_bone_picture *picture,
                         const reha_analysis *knees, reha_analysis *analysis)
{
    double p[REHA_BONE_CLASSES];
    reha_region *region = &analysis->regions[analysis->region_count++];
    *region = (reha_region){.is_accepted = true, .certainty = (double)NAN, .profile_unit = "1"};
    frame_knees(knees, region);
    analysis->is_accepted = true;
    reha_regression_predict(&model->models.image, picture->texture, p);
    reha_finding *finding =
        reha_region_add(region, "low-bone-density", "Sign of low bone density (research)");
    if (finding == NULL) {
        return;
    }
    finding->probability = p[1] + p[2];
    finding->class_count = REHA_BONE_CLASSES;
    memcpy(finding->class_probabilities, p, sizeof p);
    finding->grade = p[0] >= p[1] && p[0] >= p[2] ? 0 : p[1] >= p[2] ? 1 : 2;
    finding->expected_grade = p[1] + 2.0 * p[2];
    finding->research_only = true;
    (void)snprintf(finding->evidence, sizeof finding->evidence,
                   "Texture of the bone in %d knee%s: normal %.0f, osteopenia %.0f, osteoporosis %.0f in "
                   "100. Told from age, sex "
                   "and BMI alone, osteoporosis has an AUC of %.2f; from the texture, %.2f.",
                   picture->knee_count, picture->knee_count == 1 ? "" : "s", 100.0 * p[0], 100.0 * p[1],
                   100.0 * p[2], auc_of(model, "baseline"), auc_of(model, "texture"));
    reha_analysis_note(
        analysis, REHA_NOTE_WARNING, "research-only",
        "Research only: neither diagnoses nor excludes osteoporosis. Whom to send for DXA is decided by age, "
        "sex, fractures and risk scores.");
}

static void refuse_as_off(const reha_model *model, reha_analysis *analysis)
{
    reha_analysis_note(analysis, REHA_NOTE_REFUSED, "switched-off",
                       "Not analysed: bone-density is switched off, since in its study the picture added "
                       "nothing to age, sex and "
                       "BMI (AUC of osteoporosis %.2f against %.2f alone). For research: --switched-off.",
                       auc_of(model, "baseline+texture"), auc_of(model, "baseline"));
}

static reha_status run_analysis(reha_model *model, const reha_gray *image, reha_analysis *analysis,
                                reha_error *err)
{
    reha_analysis *knees = NULL;
    reha_bone_picture *picture = reha_alloc(sizeof *picture);
    if (picture == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the analysis");
    }
    const reha_status status =
        reha_bone_read(model->reader, image, &analysis->acquisition, picture, &knees, err);
    if (status == REHA_OK && picture->knee_count > 0) {
        add_findings(model, picture, knees, analysis);
        analysis->was_inverted = knees->was_inverted;
    } else if (status == REHA_OK) {
        reha_analysis_note(
            analysis, REHA_NOTE_REFUSED, "no-knee",
            "Not analysed: no knee whose bone edges could be placed; analyse it as knee-oa to read why.");
    }
    reha_analysis_free(knees);
    reha_free(picture);
    return status;
}

static reha_status analyse(reha_model *model, const reha_gray *image, const reha_acquisition *acquisition,
                           const reha_analyse_options *options, reha_analysis **out, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    reha_analysis *analysis = NULL;
    reha_status status = REHA_OK;
    *out = NULL;
    REHA_TRY(reha_analysis_begin(TASK, TASK, model->version, image, acquisition, &analysis, err));
    if (!model->is_enabled && (options == NULL || !options->allow_switched_off)) {
        refuse_as_off(model, analysis);
    } else {
        status = run_analysis(model, image, analysis, err);
    }
    return reha_analysis_end(status, start_ms, analysis, out);
}

/* ---- The table entry ---- */

static reha_status evaluate(reha_model *model, const reha_evaluate_options *options,
                            const reha_progress *progress, json_t **report, reha_error *err)
{
    return reha_bone_evaluate_(&model->models, model->version, model->folder, model->reader, options,
                               progress, report, err);
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
                     "bone-density is not calibrated to other data: train it on them, which takes a minute");
}

const reha_recogniser reha_recogniser_bone_density = {
    .name = "bone-density",
    .title = "Sign of low bone density on knee radiographs (research only)",
    .accepts = "frontal radiographs of one or both knees; only when asked for by name",
    .open = open_model,
    .close = close_model,
    .analyse = analyse,
    .card = card_of,
    .train = reha_bone_train_,
    .evaluate = evaluate,
    .calibrate = calibrate,
    .audit = reha_bone_audit_,
};
