#include "recognition/bone_density_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/each.h"

#include <string.h>

void reha_bone_sample_clear_(bone_sample *sample)
{
    reha_bone_data_clear(&sample->data);
    reha_free(sample->rows);
    reha_free(sample->items);
    reha_free(sample->embeddings);
    *sample = (bone_sample){0};
}

typedef struct measuring {
    bone_sample *to;
    reha_load_function load;
    reha_bone_reader *reader;
    reha_bone_picture *picture; /* of the one at hand */
} measuring;

static reha_status measure_one(void *context, size_t index, reha_error *err)
{
    const measuring *run = context;
    bone_sample *to = run->to;
    const reha_bone_item *item = &to->data.items[index];
    const reha_bone_picture *picture = run->picture;
    reha_gray *image = NULL;
    reha_acquisition facts;
    if (!reha_bone_item_is_used(&to->data, index)) {
        return REHA_OK;
    }
    REHA_TRY(reha_load_readable(run->load, item->full_path, &image, &facts, err));
    if (image == NULL) {
        to->unreadable++;
        return REHA_OK;
    }
    const reha_status status = reha_bone_read(run->reader, image, &facts, run->picture, NULL, err);
    reha_gray_free(image);
    REHA_TRY(status);
    if (picture->knee_count == 0) {
        to->refused++;
        return REHA_OK;
    }
    if (to->embeddings == NULL && picture->embedding_count > 0) {
        to->embedding_count = picture->embedding_count;
        to->embeddings = reha_alloc(to->capacity * (size_t)picture->embedding_count * sizeof(float));
        if (to->embeddings == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the embeddings");
        }
    }
    float *embedding = NULL;
    if (to->embedding_count > 0) {
        embedding = to->embeddings + to->count * (size_t)to->embedding_count;
        memcpy(embedding, picture->embedding, (size_t)to->embedding_count * sizeof(float));
    }
    reha_bone_row *row = &to->rows[to->count];
    *row = (reha_bone_row){.class_idx = item->class_idx,
                           .group_idx = item->group_idx,
                           .set_idx = item->set_idx,
                           .facts = {item->age, item->female, item->bmi},
                           .embedding = embedding};
    memcpy(row->texture, picture->texture, sizeof row->texture);
    memcpy(row->background, picture->background, sizeof row->background);
    to->items[to->count++] = index;
    return REHA_OK;
}

reha_status reha_bone_sample_take_(const char *data_folder, reha_load_function load, reha_bone_reader *reader,
                                   const reha_progress *progress, bone_sample *out, reha_error *err)
{
    reha_status status = REHA_OK;
    measuring run = {.to = out, .load = load != NULL ? load : reha_load_picture, .reader = reader};
    *out = (bone_sample){0};
    REHA_TRY(reha_bone_data_load(data_folder, &out->data, err));
    out->capacity = out->data.count;
    out->rows = reha_alloc_zero(out->capacity, sizeof *out->rows);
    out->items = reha_alloc_zero(out->capacity, sizeof *out->items);
    run.picture = reha_alloc(sizeof *run.picture);
    if (out->rows == NULL || out->items == NULL || run.picture == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", out->capacity));
    }
    REHA_CHECK(reha_each(out->data.count, "images", progress, measure_one, &run, err));
done:
    reha_free(run.picture);
    return status;
}

static bool is_knee_model(const char *folder)
{
    json_t *card = NULL;
    char *path = reha_path_join(folder, "card.json");
    const bool is_one = path != NULL && reha_json_load(path, &card, NULL) == REHA_OK &&
                        strcmp(reha_json_string(card, "task", ""), "knee-oa") == 0;
    json_decref(card);
    reha_free(path);
    return is_one;
}

reha_status reha_bone_knee_folder_(const char *models_folder, const char *candidate, char **out,
                                   reha_error *err)
{
    *out = NULL;
    if (candidate != NULL && is_knee_model(candidate)) {
        *out = reha_strdup(candidate);
        return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    if (models_folder != NULL && reha_model_folder(models_folder, "knee-oa", out, NULL) == REHA_OK) {
        return REHA_OK;
    }
    char *above = candidate != NULL ? reha_path_join(candidate, "../..") : NULL;
    const reha_status status =
        above != NULL ? reha_model_folder(above, "knee-oa", out, NULL) : REHA_E_NOT_FOUND;
    reha_free(above);
    return status == REHA_OK
               ? REHA_OK
               : reha_fail(
                     err, REHA_E_NOT_FOUND,
                     "bone-density needs a knee-oa model, which finds and marks the knees: give its folder "
                     "(train: --base MODELS/knee-oa/1; else --models MODELS)");
}
