#include "recognition/muscle_injury_data.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { VAL_PARTS = 5, TUNE_PARTS = 6, GRADE_MAX = 3 };

typedef struct columns { /* -1: absent */
    int image, mask, grade, patient, structure, group, split;
} columns;

static reha_status find_columns(const reha_csv *table, columns *out, reha_error *err)
{
    REHA_TRY(reha_csv_need(table, "image", &out->image, err));
    REHA_TRY(reha_csv_need(table, "mask", &out->mask, err));
    out->grade = reha_csv_find(table, "grade");
    out->patient = reha_csv_find(table, "patient_id");
    out->structure = reha_csv_find(table, "structure");
    out->group = reha_csv_find(table, "similarity_group");
    out->split = reha_csv_find(table, "split");
    const bool has_labels = out->grade >= 0 && out->patient >= 0;
    const bool has_healthy = out->structure >= 0 && out->group >= 0;
    return has_labels || has_healthy
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT,
                           "needs the columns grade and patient_id (your own labels), or structure and "
                           "similarity_group (healthy pictures to simulate in)");
}

static const char *cell(const reha_csv *table, size_t row, int column)
{
    return column >= 0 ? reha_csv_get(table, row, column) : "";
}

static bool is_labelled(const reha_csv *table, const columns *at, size_t row)
{
    return cell(table, row, at->grade)[0] != '\0';
}

static const char *group_of(const reha_csv *table, const columns *at, size_t row)
{
    return cell(table, row, is_labelled(table, at, row) ? at->patient : at->group);
}

static const char *split_of(const reha_csv *table, const columns *at, size_t row)
{
    const uint32_t hash = reha_hash32_text(group_of(table, at, row));
    const char *word = cell(table, row, at->split);
    if (at->split < 0) {
        word = hash % VAL_PARTS == 0 ? "val" : "train";
    }
    if (strcmp(word, "train") == 0 && hash / VAL_PARTS % TUNE_PARTS == 0) {
        word = "tune";
    }
    return word;
}

static reha_status check_row(const reha_csv *table, const columns *at, size_t row, int64_t *grade,
                             reha_error *err)
{
    const size_t line = reha_csv_line(table, row);
    const char *image = cell(table, row, at->image);
    const char *mask = cell(table, row, at->mask);
    const char *word = cell(table, row, at->grade);
    *grade = 0;
    if (image[0] == '\0' || !reha_path_stays_inside(image) || !reha_path_stays_inside(mask)) {
        return reha_fail(err, REHA_E_FORMAT, "line %zu: image and mask must be paths inside the folder",
                         line);
    }
    if (is_labelled(table, at, row) && (!reha_parse_int64(word, grade) || *grade < 0 || *grade > GRADE_MAX)) {
        return reha_fail(err, REHA_E_FORMAT, "line %zu: grade '%.10s' is none of 0, 1, 2, 3", line, word);
    }
    if (group_of(table, at, row)[0] == '\0') {
        return reha_fail(err, REHA_E_FORMAT,
                         "line %zu: %s is empty, so it cannot be kept out of another split", line,
                         is_labelled(table, at, row) ? "patient_id" : "similarity_group");
    }
    if (mask[0] == '\0' && (*grade > 0 || !is_labelled(table, at, row))) {
        return reha_fail(err, REHA_E_FORMAT,
                         "line %zu: no mask; only a labelled image of grade 0 may go without", line);
    }
    return REHA_OK;
}

static reha_status read_row(const reha_csv *table, const columns *at, size_t row, const char *folder,
                            reha_injury_item *out, reha_error *err)
{
    int64_t grade = 0;
    const char *mask = cell(table, row, at->mask);
    REHA_TRY(check_row(table, at, row, &grade, err));
    out->line = reha_csv_line(table, row);
    (void)snprintf(out->split, sizeof out->split, "%s", split_of(table, at, row));
    out->is_labelled = is_labelled(table, at, row);
    out->grade = (int)grade;
    out->image = reha_strdup(cell(table, row, at->image));
    out->image_path = reha_path_join(folder, cell(table, row, at->image));
    out->mask_path = mask[0] != '\0' ? reha_path_join(folder, mask) : NULL;
    return out->image != NULL && out->image_path != NULL && (mask[0] == '\0' || out->mask_path != NULL)
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for a row");
}

/* rows: of the table, by item. */
static size_t group_number(const reha_csv *table, const columns *at, size_t row, const size_t *rows,
                           const reha_injury_data *data)
{
    const char *group = group_of(table, at, row);
    const size_t last = data->count - 1;
    for (size_t i = last; i-- > 0;) { /* pictures of one group stand together mostly */
        if (data->items[i].is_labelled == data->items[last].is_labelled &&
            strcmp(group_of(table, at, rows[i]), group) == 0) {
            return data->items[i].group_idx;
        }
    }
    return SIZE_MAX;
}

/* A healthy row counts if it shows the aponeuroses: the belly is what lies between them. */
static bool is_wanted(const reha_csv *table, const columns *at, size_t row, const char *split)
{
    return (split == NULL || strcmp(split_of(table, at, row), split) == 0) &&
           (is_labelled(table, at, row) || strcmp(cell(table, row, at->structure), "aponeurosis") == 0);
}

static reha_status read_rows(const reha_csv *table, const char *folder, const char *split,
                             reha_injury_data *out, reha_error *err)
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
        if (!is_wanted(table, &at, row, split)) {
            continue;
        }
        reha_injury_item *item = &out->items[out->count++];
        rows[out->count - 1] = row;
        REHA_CHECK(read_row(table, &at, row, folder, item, err));
        const size_t group = group_number(table, &at, row, rows, out);
        item->group_idx = group != SIZE_MAX ? group : out->group_count++;
        out->labelled_count += item->is_labelled ? 1 : 0;
    }
    if (out->count == 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "no usable rows%s%.40s%s",
                           split != NULL ? " of split '" : "", split != NULL ? split : "",
                           split != NULL ? "' (there are 'train', 'tune' and 'val')" : "");
    }
done:
    reha_free(rows);
    return status;
}

reha_status reha_injury_data_load(const char *folder, const char *split, reha_injury_data *out,
                                  reha_error *err)
{
    reha_status status = REHA_OK;
    reha_csv *table = NULL;
    *out = (reha_injury_data){0};
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
        reha_injury_data_clear(out);
    }
    reha_csv_free(table);
    reha_free(path);
    return status;
}

void reha_injury_data_clear(reha_injury_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        reha_free(data->items[i].image);
        reha_free(data->items[i].image_path);
        reha_free(data->items[i].mask_path);
    }
    reha_free(data->items);
    *data = (reha_injury_data){0};
}
