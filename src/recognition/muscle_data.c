#include "recognition/muscle_data.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { SPLIT_PARTS = 5 }; /* one of them is held out */

typedef struct columns {
    int structure, image, mask, group, split;
} columns;

static reha_status find_columns(const reha_csv *table, columns *out, reha_error *err)
{
    REHA_TRY(reha_csv_need(table, "structure", &out->structure, err));
    REHA_TRY(reha_csv_need(table, "image", &out->image, err));
    REHA_TRY(reha_csv_need(table, "mask", &out->mask, err));
    REHA_TRY(reha_csv_need(table, "similarity_group", &out->group, err));
    out->split = reha_csv_find(table, "split");
    return REHA_OK;
}

static const char *split_of(const reha_csv *table, const columns *at, size_t row)
{
    if (at->split >= 0) {
        return reha_csv_get(table, row, at->split);
    }
    return reha_hash32_text(reha_csv_get(table, row, at->group)) % SPLIT_PARTS == 0 ? "val" : "train";
}

static reha_status read_row(const reha_csv *table, const columns *at, size_t row, const char *folder,
                            reha_muscle_item *out, reha_error *err)
{
    const char *structure = reha_csv_get(table, row, at->structure);
    const char *image = reha_csv_get(table, row, at->image);
    const char *mask = reha_csv_get(table, row, at->mask);
    if (strcmp(structure, "aponeurosis") != 0 && strcmp(structure, "fascicle") != 0) {
        return reha_fail(err, REHA_E_FORMAT,
                         "line %zu: structure '%.30s' is neither aponeurosis nor fascicle",
                         reha_csv_line(table, row), structure);
    }
    if (image[0] == '\0' || mask[0] == '\0' || !reha_path_stays_inside(image) ||
        !reha_path_stays_inside(mask)) {
        const bool is_image = image[0] == '\0' || !reha_path_stays_inside(image);
        return reha_fail(err, REHA_E_FORMAT, "line %zu: '%s' must be a file below the folder, not '%.100s'",
                         reha_csv_line(table, row), is_image ? "image" : "mask", is_image ? image : mask);
    }
    out->structure = structure[0] == 'a' ? REHA_MUSCLE_APONEUROSIS : REHA_MUSCLE_FASCICLE;
    out->image = reha_strdup(image);
    out->image_path = reha_path_join(folder, image);
    out->mask_path = reha_path_join(folder, mask);
    return out->image != NULL && out->image_path != NULL && out->mask_path != NULL
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for a row");
}

static size_t group_number(const reha_csv *table, const columns *at, size_t row, const size_t *rows,
                           reha_muscle_data *data)
{
    const char *group = reha_csv_get(table, row, at->group);
    for (size_t i = 0; i + 1 < data->count; i++) {
        if (strcmp(reha_csv_get(table, rows[i], at->group), group) == 0) {
            return data->items[i].group_idx;
        }
    }
    return data->group_count++;
}

static reha_status read_rows(const reha_csv *table, const char *folder, const char *split,
                             reha_muscle_data *out, reha_error *err)
{
    columns at;
    reha_status status = REHA_OK;
    const size_t count = reha_csv_rows(table);
    REHA_TRY(find_columns(table, &at, err));
    size_t *rows = reha_alloc_zero(count + 1, sizeof *rows);
    out->items = reha_alloc_zero(count + 1, sizeof *out->items);
    if (out->items == NULL || rows == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu rows", count);
        goto done;
    }
    for (size_t row = 0; row < count; row++) {
        if (split != NULL && strcmp(split_of(table, &at, row), split) != 0) {
            continue;
        }
        reha_muscle_item *item = &out->items[out->count++];
        rows[out->count - 1] = row;
        REHA_CHECK(read_row(table, &at, row, folder, item, err));
        (void)snprintf(item->split, sizeof item->split, "%s", split_of(table, &at, row));
        item->group_idx = group_number(table, &at, row, rows, out);
    }
    if (out->count == 0) {
        status = split == NULL || count == 0
                     ? reha_fail(err, REHA_E_NOT_FOUND, "the table has no rows")
                     : reha_fail(err, REHA_E_NOT_FOUND, "no row has split '%.20s'; %s", split,
                                 at.split >= 0 ? "see the column 'split'"
                                               : "without a column 'split' there are 'train' and 'val'");
    }
done:
    reha_free(rows);
    return status;
}

reha_status reha_muscle_data_load(const char *folder, const char *split, reha_muscle_data *out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    reha_csv *table = NULL;
    *out = (reha_muscle_data){0};
    char *path = reha_path_join(folder, "index.csv");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_csv_load(path, &table, err));
    status = read_rows(table, folder, split, out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
done:
    if (status != REHA_OK) {
        reha_muscle_data_clear(out);
    }
    reha_csv_free(table);
    reha_free(path);
    return status;
}

void reha_muscle_data_clear(reha_muscle_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        reha_free(data->items[i].image);
        reha_free(data->items[i].image_path);
        reha_free(data->items[i].mask_path);
    }
    reha_free(data->items);
    *data = (reha_muscle_data){0};
}

reha_status reha_muscle_item_open(const reha_muscle_item *item, reha_load_function load, reha_gray **image,
                                  reha_gray **mask, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_acquisition facts;
    *image = *mask = NULL;
    REHA_CHECK(load(item->image_path, image, &facts, err));
    status = load(item->mask_path, mask, &facts, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "its mask");
        goto done;
    }
    if ((*mask)->width_px != (*image)->width_px || (*mask)->height_px != (*image)->height_px) {
        status = reha_fail(
            err, REHA_E_FORMAT,
            "the mask is %u x %u px, the image %u x %u: export both at one size; 'audit-data muscle-us' "
            "finds all such masks",
            (*mask)->width_px, (*mask)->height_px, (*image)->width_px, (*image)->height_px);
    }
done:
    if (status != REHA_OK) {
        reha_gray_free(*image);
        reha_gray_free(*mask);
        *image = *mask = NULL;
    }
    return status;
}
