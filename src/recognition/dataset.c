#include "recognition/dataset.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRADE_MAX = 4 };

typedef struct columns {
    int path, knee_id, patient_id, side, split, grade;
} columns;

static reha_status find_columns(const reha_csv *csv, columns *out, reha_error *err)
{
    REHA_TRY(reha_csv_need(csv, "path", &out->path, err));
    REHA_TRY(reha_csv_need(csv, "knee_id", &out->knee_id, err));
    REHA_TRY(reha_csv_need(csv, "patient_id", &out->patient_id, err));
    REHA_TRY(reha_csv_need(csv, "side", &out->side, err));
    REHA_TRY(reha_csv_need(csv, "split", &out->split, err));
    return reha_csv_need(csv, "kl", &out->grade, err);
}

static reha_side parse_side(const char *text)
{
    if (reha_str_equal_nocase(text, "R") || reha_str_equal_nocase(text, "right")) {
        return REHA_SIDE_RIGHT;
    }
    if (reha_str_equal_nocase(text, "L") || reha_str_equal_nocase(text, "left")) {
        return REHA_SIDE_LEFT;
    }
    return REHA_SIDE_UNKNOWN;
}

static reha_status read_row(const reha_csv *csv, size_t row, const columns *at, const char *folder,
                            reha_labelled *out, reha_error *err)
{
    const size_t line_no = reha_csv_line(csv, row);
    const char *path = reha_csv_get(csv, row, at->path);
    double grade = -1.0;
    if (path[0] == '\0' || !reha_path_stays_inside(path)) {
        return reha_fail(err, REHA_E_FORMAT, "line %zu: 'path' must be a file below the folder, not '%.100s'",
                         line_no, path);
    }
    if (!reha_parse_double(reha_csv_get(csv, row, at->grade), true, &grade) || grade != floor(grade) ||
        grade < 0.0 || grade > GRADE_MAX) { /* "2.0" is what tables of numbers write for 2 */
        return reha_fail(err, REHA_E_FORMAT, "line %zu: 'kl' is '%.20s', not a grade from 0 to %d", line_no,
                         reha_csv_get(csv, row, at->grade), GRADE_MAX);
    }
    out->path = reha_strdup(path);
    out->full_path = reha_path_join(folder, path);
    if (out->path == NULL || out->full_path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a list of images");
    }
    (void)snprintf(out->knee_id, sizeof out->knee_id, "%s", reha_csv_get(csv, row, at->knee_id));
    (void)snprintf(out->split, sizeof out->split, "%s", reha_csv_get(csv, row, at->split));
    out->side = parse_side(reha_csv_get(csv, row, at->side));
    out->grade = (int)grade;
    return REHA_OK;
}

typedef struct patient_ref {
    const char *id; /* borrowed from the table */
    size_t item_idx;
} patient_ref;

static int compare_patients(const void *a, const void *b)
{
    const patient_ref *left = a;
    const patient_ref *right = b;
    const int order = strcmp(left->id, right->id);
    return order != 0 ? order : (left->item_idx > right->item_idx) - (left->item_idx < right->item_idx);
}

/* Equal ids get equal numbers; an empty id is a patient of its own (the cautious reading). */
static void number_patients(patient_ref *refs, reha_dataset *dataset)
{
    qsort(refs, dataset->count, sizeof *refs, compare_patients);
    for (size_t i = 0; i < dataset->count; i++) {
        const bool is_same = i > 0 && refs[i].id[0] != '\0' && strcmp(refs[i].id, refs[i - 1].id) == 0;
        dataset->patient_count += is_same ? 0 : 1;
        dataset->items[refs[i].item_idx].patient_idx = dataset->patient_count - 1;
    }
}

static void list_splits(const reha_csv *csv, int column, char *out, size_t out_bytes)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        const char *split = reha_csv_get(csv, row, column);
        char quoted[REHA_SPLIT_BYTES + 3];
        (void)snprintf(quoted, sizeof quoted, "'%.20s'", split);
        if (strstr(out, quoted) == NULL && length + strlen(quoted) + 2 < out_bytes) {
            length +=
                (size_t)snprintf(out + length, out_bytes - length, "%s%s", length > 0 ? " " : "", quoted);
        }
    }
}

static reha_status fill(const reha_csv *csv, const char *folder, const char *split, reha_dataset *out,
                        reha_error *err)
{
    reha_status status = REHA_OK;
    columns at = {0};
    REHA_TRY(find_columns(csv, &at, err));
    reha_dataset_find_groupings(csv, out);
    const size_t rows = reha_csv_rows(csv);
    patient_ref *refs = reha_alloc_zero(rows, sizeof *refs);
    out->items = reha_alloc_zero(rows, sizeof *out->items);
    if (refs == NULL || out->items == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", rows);
        goto done;
    }
    for (size_t row = 0; row < rows; row++) {
        if (split != NULL && strcmp(reha_csv_get(csv, row, at.split), split) != 0) {
            continue;
        }
        refs[out->count] = (patient_ref){reha_csv_get(csv, row, at.patient_id), out->count};
        out->count++; /* first, so that a half-read row is freed too */
        REHA_CHECK(read_row(csv, row, &at, folder, &out->items[out->count - 1], err));
        reha_dataset_read_groups(csv, row, out, &out->items[out->count - 1]);
    }
    if (out->count == 0) {
        char splits[120];
        list_splits(csv, at.split, splits, sizeof splits);
        status =
            split != NULL && rows > 0
                ? reha_fail(err, REHA_E_NOT_FOUND, "no row has split '%.20s'; there are: %s", split, splits)
                : reha_fail(err, REHA_E_NOT_FOUND, "the table has no rows");
        goto done;
    }
    number_patients(refs, out);
done:
    reha_free(refs);
    return status;
}

reha_status reha_dataset_load(const char *folder, const char *split, reha_dataset *out, reha_error *err)
{
    reha_csv *csv = NULL;
    *out = (reha_dataset){0};
    if (!reha_path_is_folder(folder)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s: no such folder", folder);
    }
    char *path = reha_path_join(folder, "labels.csv");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_csv_load(path, &csv, err);
    if (status == REHA_OK) {
        status = fill(csv, folder, split, out, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
            reha_dataset_clear(out);
        }
    }
    reha_csv_free(csv);
    reha_free(path);
    return status;
}

static int compare_items_by_patient(const void *a, const void *b)
{
    const reha_labelled *left = *(const reha_labelled *const *)a;
    const reha_labelled *right = *(const reha_labelled *const *)b;
    return left->patient_idx != right->patient_idx ? (left->patient_idx < right->patient_idx ? -1 : 1)
                                                   : (left > right) - (left < right);
}

static reha_status check_patients(const reha_dataset *all, const char *folder, reha_error *err)
{
    reha_status status = REHA_OK;
    const reha_labelled **sorted = reha_alloc(all->count * sizeof *sorted);
    if (sorted == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", all->count);
    }
    for (size_t i = 0; i < all->count; i++) {
        sorted[i] = &all->items[i];
    }
    qsort(sorted, all->count, sizeof *sorted, compare_items_by_patient);
    for (size_t i = 1; status == REHA_OK && i < all->count; i++) {
        const reha_labelled *one = sorted[i - 1];
        const reha_labelled *other = sorted[i];
        if (one->patient_idx == other->patient_idx && strcmp(one->split, other->split) != 0) {
            status = reha_fail(
                err, REHA_E_FORMAT,
                "%s/labels.csv: %s (split '%s') and %s (split '%s') are of one patient: the figures "
                "would flatter; move all images of a patient to one split",
                folder, one->path, one->split, other->path, other->split);
        }
    }
    reha_free(sorted);
    return status;
}

static reha_status check_grades(const reha_dataset *all, const char *folder, const char *split,
                                reha_error *err)
{
    int first = -1;
    for (size_t i = 0; i < all->count; i++) {
        const reha_labelled *one = &all->items[i];
        if (strcmp(one->split, split) == 0 && first >= 0 && one->grade != first) {
            return REHA_OK;
        }
        first = strcmp(one->split, split) == 0 ? one->grade : first;
    }
    return first < 0
               ? REHA_OK /* that it is empty is said where it is loaded */
               : reha_fail(err, REHA_E_FORMAT,
                           "%s/labels.csv: every image of split '%s' has grade %d: there is nothing to tell "
                           "apart; add other grades",
                           folder, split, first);
}

reha_status reha_dataset_check_splits(const char *folder, reha_error *err)
{
    reha_dataset all;
    reha_status status = reha_dataset_load(folder, NULL, &all, err);
    if (status == REHA_OK) {
        status = check_patients(&all, folder, err);
    }
    if (status == REHA_OK) {
        status = check_grades(&all, folder, "train", err);
    }
    if (status == REHA_OK) {
        status = check_grades(&all, folder, "val", err);
    }
    reha_dataset_clear(&all);
    return status;
}

void reha_dataset_clear(reha_dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        reha_free(dataset->items[i].path);
        reha_free(dataset->items[i].full_path);
    }
    reha_free(dataset->items);
    *dataset = (reha_dataset){0};
}
