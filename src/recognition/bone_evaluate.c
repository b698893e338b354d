#include "recognition/bone_density_priv.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/metrics.h"
#include "recognition/subgroups.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MODELS = 3, LIST_BYTES_MAX = 1 << 24 };
static const char *const names[MODELS] = {"baseline", "image", "both"};

typedef struct run {
    const reha_bone_models *models;
    const reha_evaluate_options *options;
    bone_sample sample;
    reha_graded_case *cases[MODELS];
} run;

static void predict(const run *of, int model, size_t i, double *probabilities)
{
    double columns[REHA_BONE_FACTS + REHA_BONE_TEXTURE];
    const reha_bone_row *row = &of->sample.rows[i];
    const reha_regression *const from[MODELS] = {&of->models->baseline, &of->models->image,
                                                 &of->models->both};
    memcpy(columns, row->facts, sizeof row->facts);
    memcpy(columns + REHA_BONE_FACTS, row->texture, sizeof row->texture);
    reha_regression_predict(from[model], model == 1 ? columns + REHA_BONE_FACTS : columns, probabilities);
}

static reha_status predict_all(run *of, reha_error *err)
{
    const size_t n = of->sample.count;
    for (int m = 0; m < MODELS; m++) {
        of->cases[m] = reha_alloc_zero(n, sizeof *of->cases[m]);
        if (of->cases[m] == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", n);
        }
        for (size_t i = 0; i < n; i++) {
            of->cases[m][i] = (reha_graded_case){.patient_idx = of->sample.rows[i].group_idx,
                                                 .grade = of->sample.rows[i].class_idx,
                                                 .set_low = -1,
                                                 .set_high = -1};
            predict(of, m, i, of->cases[m][i].probabilities);
        }
    }
    return REHA_OK;
}

static reha_status add_figures(const run *of, int model, json_t *to, reha_error *err)
{
    char key[64];
    reha_graded_metrics low;
    reha_graded_metrics ill;
    REHA_TRY(reha_graded_metrics_compute(of->cases[model], of->sample.count, REHA_BONE_CLASSES, 1,
                                         of->options->bootstrap_rounds, of->options->seed, &low, err));
    REHA_TRY(reha_graded_metrics_compute(of->cases[model], of->sample.count, REHA_BONE_CLASSES, 2,
                                         of->options->bootstrap_rounds, of->options->seed, &ill, err));
    (void)snprintf(key, sizeof key, "%s_auc_low_density", names[model]);
    (void)json_object_set_new(to, key, reha_estimate_to_json(&low.auc));
    (void)snprintf(key, sizeof key, "%s_auc_osteoporosis", names[model]);
    (void)json_object_set_new(to, key, reha_estimate_to_json(&ill.auc));
    (void)snprintf(key, sizeof key, "%s_kappa", names[model]);
    (void)json_object_set_new(to, key, reha_estimate_to_json(&low.kappa));
    return REHA_OK;
}

static const char *age_band(double age)
{
    return !isfinite(age) ? ""
           : age < 50.0   ? "below 50"
           : age < 60.0   ? "50 to 59"
           : age < 70.0   ? "60 to 69"
                          : "70 and above";
}

/* The picture's model by sex, age and acquisition set, through the table that all recognisers share. */
static reha_status add_subgroups(const run *of, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t n = of->sample.count;
    reha_dataset data = {.count = n, .grouping_count = 3, .groupings = {"sex", "age", "source"}};
    reha_subgroup_facts *facts = reha_alloc_zero(n, sizeof *facts);
    data.items = reha_alloc_zero(n, sizeof *data.items);
    *out = NULL;
    if (facts == NULL || data.items == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the subgroups"));
    }
    for (size_t i = 0; i < n; i++) {
        const double female = of->sample.rows[i].facts[1];
        char(*groups)[REHA_GROUP_BYTES] = data.items[i].groups;
        (void)snprintf(groups[0], REHA_GROUP_BYTES, "%s",
                       !isfinite(female) ? ""
                       : female > 0.5    ? "female"
                                         : "male");
        (void)snprintf(groups[1], REHA_GROUP_BYTES, "%s", age_band(of->sample.rows[i].facts[0]));
        (void)snprintf(groups[2], REHA_GROUP_BYTES, "%s", of->sample.data.sets[of->sample.rows[i].set_idx]);
    }
    const reha_subgroup_figures how = {REHA_BONE_CLASSES, 1, of->options->bootstrap_rounds,
                                       of->options->seed};
    REHA_CHECK(reha_subgroups_to_json(&data, of->cases[1], facts, &how, out, err));
done:
    reha_free(facts);
    reha_free(data.items);
    return status;
}

/* Pictures that the model has learnt from: its figures on them are no evidence. */
static size_t seen_in_training(const run *of, const char *model_folder)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    size_t seen = 0;
    char *path = reha_path_join(model_folder, "training_images.txt");
    if (path != NULL && reha_file_load(path, LIST_BYTES_MAX, &bytes, &count, NULL) == REHA_OK) {
        for (size_t i = 0; i < of->sample.count; i++) {
            seen += strstr((const char *)bytes, of->sample.data.items[of->sample.items[i]].content) != NULL
                        ? 1
                        : 0;
        }
    }
    reha_free(bytes);
    reha_free(path);
    return seen;
}

static reha_status write_predictions(const run *of, reha_error *err)
{
    reha_text text = {0};
    char *written = NULL;
    reha_text_add(&text, "path,group,class,image_p0,image_p1,image_p2,baseline_p0,baseline_p1,baseline_p2\n");
    for (size_t i = 0; i < of->sample.count; i++) {
        const reha_bone_item *item = &of->sample.data.items[of->sample.items[i]];
        reha_csv_add_field(&text, item->path);
        reha_text_addf(&text, ",%zu,%s", item->group_idx, reha_bone_class_names[item->class_idx]);
        for (int m = 1; m >= 0; m--) {
            const double *p = of->cases[m][i].probabilities;
            reha_text_addf(&text, ",%.6f,%.6f,%.6f", p[0], p[1], p[2]);
        }
        reha_text_add(&text, "\n");
    }
    REHA_TRY(reha_text_take(&text, &written, err));
    const reha_status status = reha_file_save(of->options->predictions_path, written, strlen(written), err);
    reha_free(written);
    return status;
}

reha_status reha_bone_evaluate_(const reha_bone_models *models, const char *version, const char *model_folder,
                                reha_bone_reader *reader, const reha_evaluate_options *options,
                                const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    run of = {.models = models, .options = options};
    json_t *metrics = json_object();
    json_t *subgroups = NULL;
    *report = NULL;
    if (options->split != NULL) {
        REHA_CHECK(
            reha_fail(err, REHA_E_ARG, "a table of bone-density classes has no splits: leave --split out"));
    }
    REHA_CHECK(
        reha_bone_sample_take_(options->data_folder, options->load, reader, progress, &of.sample, err));
    if (of.sample.count == 0) {
        REHA_CHECK(reha_fail(err, REHA_E_FORMAT,
                             "no picture could be measured: %zu unreadable, %zu without an accepted knee",
                             of.sample.unreadable, of.sample.refused));
    }
    REHA_CHECK(predict_all(&of, err));
    (void)json_object_set_new(metrics, "n", json_integer((json_int_t)of.sample.count));
    (void)json_object_set_new(metrics, "groups", json_integer((json_int_t)of.sample.data.group_count));
    (void)json_object_set_new(metrics, "refused", json_integer((json_int_t)of.sample.refused));
    for (int m = 0; m < MODELS; m++) {
        REHA_CHECK(add_figures(&of, m, metrics, err));
    }
    REHA_CHECK(add_subgroups(&of, &subgroups, err));
    if (options->predictions_path != NULL) {
        REHA_CHECK(write_predictions(&of, err));
    }
    *report = json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:O, s:O}", "task", "bone-density", "model_version",
                        version, "data", reha_json_text(options->data_folder), "split", "all", "unreadable",
                        (json_int_t)of.sample.unreadable, "seen_in_training",
                        (json_int_t)seen_in_training(&of, model_folder), "metrics", metrics, "subgroups",
                        subgroups);
    if (*report == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
done:
    json_decref(metrics);
    json_decref(subgroups);
    for (int m = 0; m < MODELS; m++) {
        reha_free(of.cases[m]);
    }
    reha_bone_sample_clear_(&of.sample);
    return status;
}
