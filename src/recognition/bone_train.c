/* `train bone-density`: measures the pictures, runs the study, and writes a card that says by its own figures
 * whether the recogniser is switched on. */
#include "recognition/bone_density_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 1000 };

static json_t *strings(const char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, json_string(texts[i]));
    }
    return list;
}

static json_t *limits(void)
{
    static const char *const texts[] = {
        "The classes are those of quantitative ultrasound at one hospital, not of DXA, which is the "
        "reference for osteoporosis.",
        "Few pictures of few people with knee pain, of whom few are normal: every figure has a wide "
        "interval.",
        "A picture that several patients share counts once, and their differing facts as unknown.",
        "Exposure, compression and the size of a pixel change texture; the pictures are reduced to 800 "
        "pixels and of "
        "several acquisition sets (see 'study', 'shortcuts').",
        "It never excludes osteoporosis: whom to send for DXA is decided by age, sex, fractures and risk "
        "scores."};
    return strings(texts, sizeof texts / sizeof texts[0]);
}

static json_t *verdict_of(bool adds)
{
    return json_string(adds ? "In nested cross-validation the picture improves on age, sex and BMI (lower "
                              "end of the 95 % interval of "
                              "the mean difference in AUC above 0). Research only all the same."
                            : "In nested cross-validation the picture adds nothing to age, sex and BMI that "
                              "could be told from "
                              "chance: switched off. Age, sex and BMI alone are the better sign.");
}

static json_t *sets_of(const bone_sample *sample)
{
    json_t *list = json_array();
    for (int s = 0; s < sample->data.set_count; s++) {
        int counts[REHA_BONE_CLASSES] = {0};
        for (size_t i = 0; i < sample->count; i++) {
            if (sample->rows[i].set_idx == s) {
                counts[sample->rows[i].class_idx]++;
            }
        }
        (void)json_array_append_new(list, json_pack("{s:i, s:s, s:i, s:i, s:i}", "set", s, "original_px",
                                                    sample->data.sets[s], reha_bone_class_names[0], counts[0],
                                                    reha_bone_class_names[1], counts[1],
                                                    reha_bone_class_names[2], counts[2]));
    }
    return list;
}

static json_t *training_of(const bone_sample *sample, const reha_train_options *options)
{
    size_t copies = 0;
    size_t ambiguous = 0;
    size_t implausible = 0;
    for (size_t i = 0; i < sample->data.count; i++) {
        const reha_bone_item *item = &sample->data.items[i];
        copies += item->copy_of != i ? 1 : 0;
        ambiguous += item->is_ambiguous && item->copy_of == i ? 1 : 0;
        implausible += item->is_age_implausible || item->is_size_implausible ? 1 : 0;
    }
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:s}", "rows", (json_int_t)sample->data.count,
        "pictures_used", (json_int_t)sample->count, "copies_left_out", (json_int_t)copies,
        "pictures_of_unclear_patient", (json_int_t)ambiguous, "implausible_age_or_size",
        (json_int_t)implausible, "refused_by_knee_gate", (json_int_t)sample->refused, "unreadable",
        (json_int_t)sample->unreadable, "groups", (json_int_t)sample->data.group_count, "acquisition_sets",
        sets_of(sample), "seed", (json_int_t)options->seed, "software", "rehascope " REHA_VERSION);
}

static reha_status models_to_json(const reha_bone_models *models, json_t **out, reha_error *err)
{
    json_t *parts[3] = {NULL, NULL, NULL};
    const reha_regression *const from[3] = {&models->baseline, &models->image, &models->both};
    reha_status status = REHA_OK;
    *out = NULL;
    for (int m = 0; m < 3; m++) {
        REHA_CHECK(reha_regression_to_json(from[m], &parts[m], err));
    }
    *out = json_pack("{s:O, s:O, s:O}", "baseline", parts[0], "image", parts[1], "both", parts[2]);
    if (*out == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    }
done:
    for (int m = 0; m < 3; m++) {
        json_decref(parts[m]);
    }
    return status;
}

/* Which pictures it has learnt from, so that `evaluate` can say when it is shown them again. */
static reha_status save_list(const bone_sample *sample, const char *folder, reha_error *err)
{
    reha_text text = {0};
    char *path = reha_path_join(folder, "training_images.txt");
    char *written = NULL;
    for (size_t i = 0; i < sample->count; i++) {
        reha_text_addf(&text, "%s\n", sample->data.items[sample->items[i]].content);
    }
    reha_status status = reha_text_take(&text, &written, err);
    if (status == REHA_OK && path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    if (status == REHA_OK) {
        status = reha_file_save(path, written, strlen(written), err);
    }
    reha_free(written);
    reha_free(path);
    return status;
}

static reha_status save_card(const bone_sample *sample, const reha_train_options *options,
                             const reha_bone_models *models, json_t *study, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *regressions = NULL;
    json_t *card = NULL;
    char *path = reha_path_join(options->out_folder, "card.json");
    const bool adds = json_is_true(json_object_get(study, "adds"));
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(models_to_json(models, &regressions, err));
    card = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:s, s:[{s:s, s:s}], s:o, s:s, "
                     "s:o, s:O, s:O}",
                     "format", "rehascope-model-card", "format_version", 1, "name", "bone-density", "version",
                     "1", "task", "bone-density", "title", "Sign of low bone density on knee radiographs",
                     "status", adds ? "research only" : "research only, switched off", "enabled",
                     adds ? 1 : 0, "verdict", verdict_of(adds), "intended_use",
                     "Research on opportunistic signs of low bone density (normal, osteopenia, osteoporosis "
                     "by quantitative "
                     "ultrasound) in knee radiographs that were made for another reason.",
                     "not_for",
                     "Diagnosing or excluding osteoporosis; deciding who gets DXA or treatment; children. No "
                     "certified medical device.",
                     "licence", "Numbers: Apache-2.0, with the attribution under data.", "data", "set",
                     "Knee X-ray Osteoporosis Database, Wani and Arora 2021, doi:10.17632/fxjm8fb6mw.2, CC "
                     "BY 4.0 (unless trained on others: see 'command')",
                     "use", "training and nested cross-validation", "limits", limits(), "command",
                     options->command, "training", training_of(sample, options), "study", study, "models",
                     regressions);
    if (card == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the card"));
    }
    REHA_CHECK(save_list(sample, options->out_folder, err));
    REHA_CHECK(reha_json_save(path, card, err));
done:
    json_decref(card);
    json_decref(regressions);
    reha_free(path);
    return status;
}

reha_status reha_bone_train_(const reha_train_options *options, const reha_progress *progress,
                             reha_error *err)
{
    reha_status status = REHA_OK;
    reha_bone_reader *reader = NULL;
    reha_bone_models *models = NULL;
    bone_sample sample = {0};
    json_t *study = NULL;
    char *knee = NULL;
    if (options->data_folder == NULL || options->out_folder == NULL) {
        return reha_fail(err, REHA_E_ARG, "training needs a data folder and an output folder");
    }
    REHA_CHECK(reha_bone_knee_folder_(NULL, options->base_folder, &knee, err));
    REHA_CHECK(reha_folder_make(options->out_folder, err));
    REHA_CHECK(reha_bone_reader_open(knee, true, options->threads, &reader, err));
    REHA_CHECK(reha_bone_sample_take_(options->data_folder, options->load, reader, progress, &sample, err));
    models = reha_alloc_zero(1, sizeof *models);
    if (models == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for the models"));
    }
    const reha_bone_table table = {sample.rows, sample.count, sample.embedding_count, sample.data.set_count};
    REHA_CHECK(reha_bone_study(&table, ROUNDS, options->seed, progress, models, &study, err));
    REHA_CHECK(save_card(&sample, options, models, study, err));
done:
    json_decref(study);
    reha_free(models);
    reha_bone_sample_clear_(&sample);
    reha_bone_reader_close(reader);
    reha_free(knee);
    return status;
}
