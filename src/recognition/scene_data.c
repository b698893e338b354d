#include "recognition/scene_data.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "recognition/sampling.h"
#include "recognition/scene_drawn.h"
#include "recognition/scene_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TONE_SAMPLES = 1 << 16, ITEMS_MAX = 200000, REPEAT_MAX = 100 };

typedef enum column { COLUMN_PATH, COLUMN_SCENE, COLUMN_SPLIT, COLUMN_GROUP, COLUMNS } column;

typedef struct table {
    reha_csv *csv;
    int at[COLUMNS], optional, repeat; /* the last two: -1 if absent */
    const char *folder;
} table;

static reha_status open_table(const char *folder, table *out, reha_error *err)
{
    static const char *const names[COLUMNS] = {"path", "scene", "split", "group"};
    reha_status status = REHA_OK;
    *out = (table){.folder = folder};
    char *path = reha_path_join(folder, "scenes.csv");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_csv_load(path, &out->csv, err));
    for (int i = 0; i < COLUMNS; i++) {
        status = reha_csv_need(out->csv, names[i], &out->at[i], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
            goto done;
        }
    }
    out->optional = reha_csv_find(out->csv, "optional");
    out->repeat = reha_csv_find(out->csv, "repeat");
done:
    reha_free(path);
    return status;
}

static bool is_wanted(const table *from, size_t row, const char *split)
{
    return strcmp(reha_csv_get(from->csv, row, from->at[COLUMN_SPLIT]), split) == 0;
}

typedef struct named {
    const char *group;
    size_t item;
} named;

static int by_group(const void *a, const void *b)
{
    const named *left = a;
    const named *right = b;
    const int order = strcmp(left->group, right->group);
    return order != 0 ? order : left->item < right->item ? -1 : 1;
}

/* Equal names become equal numbers. Until then group_idx holds the row. */
static reha_status number_groups(const table *from, reha_scene_data *data, reha_error *err)
{
    named *names = reha_alloc((data->count + 1) * sizeof *names);
    if (names == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the groups of pictures");
    }
    for (size_t i = 0; i < data->count; i++) {
        names[i] = (named){reha_csv_get(from->csv, data->items[i].group_idx, from->at[COLUMN_GROUP]), i};
    }
    qsort(names, data->count, sizeof *names, by_group);
    for (size_t i = 0; i < data->count; i++) {
        data->items[names[i].item].group_hash = reha_hash64_text(names[i].group);
        data->group_count += i == 0 || strcmp(names[i].group, names[i - 1].group) != 0 ? 1 : 0;
        data->items[names[i].item].group_idx = data->group_count - 1;
    }
    reha_free(names);
    return REHA_OK;
}

static reha_status add_row(const table *from, size_t row, reha_scene_data *out, reha_error *err)
{
    const char *scene = reha_csv_get(from->csv, row, from->at[COLUMN_SCENE]);
    const char *name = reha_csv_get(from->csv, row, from->at[COLUMN_PATH]);
    const reha_scene_kind kind = reha_scene_find(scene);
    if (kind == REHA_SCENE_KINDS) {
        return reha_fail(err, REHA_E_FORMAT,
                         "scenes.csv, line %zu: no scene '%.40s'; known: knee, limb, muscle, ultrasound, "
                         "slice, photograph, page, blank",
                         reha_csv_line(from->csv, row), scene);
    }
    int64_t repeat = 1;
    if ((from->repeat >= 0 && !reha_parse_int64(reha_csv_get(from->csv, row, from->repeat), &repeat)) ||
        repeat < 1 || repeat > REPEAT_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "scenes.csv, line %zu: repeat must be 1 to %d",
                         reha_csv_line(from->csv, row), REPEAT_MAX);
    }
    const bool is_optional =
        from->optional >= 0 && strcmp(reha_csv_get(from->csv, row, from->optional), "1") == 0;
    char *path = reha_path_join(from->folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    if (is_optional && !reha_path_is_file(path)) {
        reha_free(path);
        out->left_out++;
        return REHA_OK;
    }
    out->items[out->count++] =
        (reha_scene_item){.kind = kind, .path = path, .group_idx = row, .repeat = (size_t)repeat};
    return REHA_OK;
}

static reha_status keep_pixels(reha_scene_item *item, const reha_gray *image, bool is_8_bit, reha_error *err)
{
    static const double percentiles[4] = {0.1, 1.0, 99.0, 99.9};
    double ends[4];
    reha_status status = REHA_OK;
    reha_gray *reduced = NULL;
    REHA_CHECK(reha_sample_percentiles(image, 0, 0, image->width_px, image->height_px, TONE_SAMPLES,
                                       percentiles, 4, ends, err));
    const double low = is_8_bit ? 0.0 : ends[0];
    const double gain = is_8_bit ? 1.0 : ends[3] > ends[0] ? 255.0 / (ends[3] - ends[0]) : 1.0;
    REHA_CHECK(reha_scene_reduce(image, &reduced, err));
    const reha_gray *work = reduced != NULL ? reduced : image;
    const size_t count = (size_t)work->width_px * work->height_px;
    item->pixels = reha_alloc(count);
    if (item->pixels == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a picture");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        item->pixels[i] = (uint8_t)fmin(255.0, fmax(0.0, gain * ((double)work->pixels[i] - low) + 0.5));
    }
    item->contrast = gain * (ends[2] - ends[1]);
    item->width_px = (uint16_t)work->width_px;
    item->height_px = (uint16_t)work->height_px;
    item->shorter_px = image->width_px < image->height_px ? image->width_px : image->height_px;
done:
    reha_gray_free(reduced);
    return status;
}

typedef struct loading {
    reha_scene_data *data;
    reha_load_function load;
} loading;

static reha_status load_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const loading *job = context;
    reha_scene_item *item = &job->data->items[index];
    reha_gray *image = NULL;
    reha_acquisition facts;
    (void)thread_idx;
    reha_status status = job->load(item->path, &image, &facts, err);
    if (status == REHA_OK) {
        const bool is_8_bit = facts.bits_stored <= 8 && strcmp(facts.container, "dicom") != 0;
        status = keep_pixels(item, image, is_8_bit, err);
    }
    reha_gray_free(image);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", item->path);
    }
    return status;
}

reha_status reha_scene_data_load(const char *folder, const char *split, reha_load_function load, int threads,
                                 reha_scene_data *out, reha_error *err)
{
    reha_status status = REHA_OK;
    table from = {0};
    *out = (reha_scene_data){0};
    REHA_CHECK(open_table(folder, &from, err));
    if (reha_csv_rows(from.csv) > ITEMS_MAX) {
        status = reha_fail(err, REHA_E_LIMIT, "scenes.csv has more than %d rows", ITEMS_MAX);
        goto done;
    }
    out->items = reha_alloc_zero(reha_csv_rows(from.csv) + 1, sizeof *out->items);
    if (out->items == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the list of pictures");
        goto done;
    }
    for (size_t row = 0; row < reha_csv_rows(from.csv); row++) {
        if (is_wanted(&from, row, split)) {
            REHA_CHECK(add_row(&from, row, out, err));
        }
    }
    REHA_CHECK(number_groups(&from, out, err));
    if (out->count == 0) {
        status =
            reha_fail(err, REHA_E_NOT_FOUND, "%s/scenes.csv has no picture of split '%.20s'", folder, split);
        goto done;
    }
    loading job = {out, load != NULL ? load : reha_load_picture};
    REHA_CHECK(reha_parallel_for(out->count, (size_t)threads, load_one, &job, err));
done:
    reha_csv_free(from.csv);
    if (status != REHA_OK) {
        reha_scene_data_clear(out);
    }
    return status;
}

reha_status reha_scene_data_draw(reha_scene_data *data, reha_scene_kind kind, size_t count, uint64_t seed,
                                 reha_error *err)
{
    reha_scene_item *grown = reha_realloc(data->items, (data->count + count + 1) * sizeof *grown);
    if (grown == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu drawn pictures", count);
    }
    data->items = grown;
    for (size_t i = 0; i < count; i++) {
        reha_gray *image = NULL;
        reha_random random = reha_random_init(seed * 1000003 + i, 500 + (uint64_t)kind);
        reha_scene_item *item = &data->items[data->count];
        REHA_TRY(reha_scene_draw(kind, &random, &image, err));
        *item = (reha_scene_item){.kind = kind, .group_idx = data->group_count, .repeat = 1};
        const reha_status status = keep_pixels(item, image, true, err);
        reha_gray_free(image);
        data->count += status == REHA_OK ? 1 : 0;
        data->group_count += status == REHA_OK ? 1 : 0;
        REHA_TRY(status);
    }
    return REHA_OK;
}

void reha_scene_data_clear(reha_scene_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        reha_free(data->items[i].path);
        reha_free(data->items[i].pixels);
    }
    reha_free(data->items);
    *data = (reha_scene_data){0};
}

reha_status reha_scene_item_gray(const reha_scene_item *item, reha_gray **out, reha_error *err)
{
    REHA_TRY(reha_gray_new(item->width_px, item->height_px, out, err));
    for (size_t i = 0; i < (size_t)item->width_px * item->height_px; i++) {
        (*out)->pixels[i] = (float)item->pixels[i];
    }
    return REHA_OK;
}
