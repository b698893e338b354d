#include "recognition/knee_mri_data.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { EXAMS_MAX = 100000, HELD_OUT = 5 };

const char *const reha_knee_mri_planes[REHA_KNEE_MRI_PLANES] = {"axial", "coronal", "sagittal"};
const char *const reha_knee_mri_labels[REHA_KNEE_MRI_LABELS] = {"abnormal", "acl", "meniscus"};

static reha_status join(reha_error *err, char **out, const char *format, const char *a, const char *b,
                        const char *c, const char *d)
{
    char *text = NULL;
    reha_text path = {0};
    *out = NULL;
    const char *parts[4] = {a, b, c, d};
    size_t next = 0;
    for (const char *p = format; *p != '\0'; p++) {
        if (*p == '%') {
            reha_text_add(&path, parts[next++]);
        } else {
            reha_text_add_n(&path, p, 1);
        }
    }
    REHA_TRY(reha_text_take(&path, &text, err));
    *out = text;
    return REHA_OK;
}

static reha_status add_exam(reha_knee_mri_data *data, const char *id, bool is_validation,
                            reha_knee_mri_exam **out, reha_error *err)
{
    if (data->count == EXAMS_MAX || strlen(id) >= sizeof data->exams->id || id[0] == '\0' ||
        strchr(id, '/') != NULL) {
        return reha_fail(err, REHA_E_FORMAT,
                         "an examination's name is empty, too long or a path, or there are over %d",
                         EXAMS_MAX);
    }
    if ((data->count & (data->count + 1)) == 0) { /* 0, 1, 3, 7, ...: room for twice as many */
        reha_knee_mri_exam *grown = reha_realloc(data->exams, (2 * data->count + 2) * sizeof *grown);
        if (grown == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu examinations", data->count + 1);
        }
        data->exams = grown;
    }
    reha_knee_mri_exam *exam = &data->exams[data->count++];
    *exam = (reha_knee_mri_exam){.labels = {-1, -1, -1}, .is_validation = is_validation};
    (void)snprintf(exam->id, sizeof exam->id, "%s", id);
    *out = exam;
    return REHA_OK;
}

static reha_knee_mri_exam *find_exam(reha_knee_mri_data *data, const char *id, bool is_validation,
                                     size_t guess)
{
    if (guess < data->count && strcmp(data->exams[guess].id, id) == 0 &&
        data->exams[guess].is_validation == is_validation) {
        return &data->exams[guess]; /* the tables are usually in one order */
    }
    for (size_t i = 0; i < data->count; i++) {
        if (data->exams[i].is_validation == is_validation && strcmp(data->exams[i].id, id) == 0) {
            return &data->exams[i];
        }
    }
    return NULL;
}

/* Row 0 of the file is read as the header by the table reader: there is none. */
static const char *cell(const reha_csv *csv, size_t row, int column)
{
    return row == 0 ? reha_csv_header(csv, (size_t)column) : reha_csv_get(csv, row - 1, column);
}

static reha_status read_labels(reha_knee_mri_data *data, const char *path, int label, bool is_validation,
                               size_t first, reha_error *err)
{
    reha_csv *csv = NULL;
    reha_status status = REHA_OK;
    REHA_TRY(reha_csv_load(path, &csv, err));
    for (size_t r = 0; r < reha_csv_rows(csv) + 1 && reha_csv_columns(csv) == 2; r++) {
        const char *id = cell(csv, r, 0);
        const char *value = cell(csv, r, 1);
        if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) {
            status = reha_fail(err, REHA_E_FORMAT, "%s: line %zu: a label is 0 or 1", path, r + 1);
            goto done;
        }
        reha_knee_mri_exam *exam = find_exam(data, id, is_validation, first + r);
        if (exam == NULL) {
            REHA_CHECK(add_exam(data, id, is_validation, &exam, err));
        }
        exam->labels[label] = value[0] - '0';
    }
    if (reha_csv_columns(csv) != 2) {
        status = reha_fail(err, REHA_E_FORMAT,
                           "%s: two columns are expected, name and label, without a header", path);
    }
done:
    reha_csv_free(csv);
    return status;
}

static reha_status find_volumes(reha_knee_mri_data *data, const char *folder, const char *split, size_t first,
                                reha_error *err)
{
    for (size_t i = first; i < data->count; i++) {
        for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
            reha_knee_mri_exam *exam = &data->exams[i];
            if (!data->has_plane[p]) {
                continue;
            }
            REHA_TRY(
                join(err, &exam->paths[p], "%/%/%/%.npy", folder, split, reha_knee_mri_planes[p], exam->id));
            if (!reha_path_is_file(exam->paths[p])) {
                return reha_fail(err, REHA_E_NOT_FOUND, "%s is missing, though %s has labels", exam->paths[p],
                                 exam->id);
            }
        }
    }
    return REHA_OK;
}

static reha_status load_split(reha_knee_mri_data *data, const char *folder, const char *split,
                              bool is_validation, reha_error *err)
{
    const size_t first = data->count;
    char *path = NULL;
    for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
        REHA_TRY(join(err, &path, "%/%/%", folder, split, reha_knee_mri_planes[p], ""));
        const bool is_there = reha_path_is_folder(path);
        reha_free(path);
        data->has_plane[p] = is_validation ? data->has_plane[p] : is_there;
    }
    for (int label = 0; label < REHA_KNEE_MRI_LABELS; label++) {
        REHA_TRY(join(err, &path, "%/%-%.csv", folder, split, reha_knee_mri_labels[label], ""));
        const bool is_there = reha_path_is_file(path);
        const reha_status status =
            is_there ? read_labels(data, path, label, is_validation, first, err) : REHA_OK;
        reha_free(path);
        REHA_TRY(status);
        data->has_label[label] = data->has_label[label] || is_there;
    }
    if (data->count == first) {
        return is_validation
                   ? REHA_OK
                   : reha_fail(err, REHA_E_NOT_FOUND,
                               "%s: no train-abnormal.csv, train-acl.csv or train-meniscus.csv, "
                               "and no metadata.csv: give a folder in the layout of MRNet or KneeMRI",
                               folder);
    }
    return find_volumes(data, folder, split, first, err);
}

static reha_status load_knee_mri_row(reha_knee_mri_data *data, const char *folder, const char *file,
                                     const char *diagnosis, size_t row, reha_error *err)
{
    reha_knee_mri_exam *exam = NULL;
    char id[64];
    char *pickle = NULL;
    const char *dot = strrchr(file, '.');
    const size_t length = dot != NULL ? (size_t)(dot - file) : strlen(file);
    if (strlen(diagnosis) != 1 || diagnosis[0] < '0' || diagnosis[0] > '2' || length == 0 ||
        length >= sizeof id) {
        return reha_fail(err, REHA_E_FORMAT,
                         "metadata.csv: line %zu: aclDiagnosis is 0, 1 or 2, and volumeFilename a short name",
                         row + 2);
    }
    memcpy(id, file, length);
    id[length] = '\0';
    REHA_TRY(add_exam(data, id, row % HELD_OUT == HELD_OUT - 1, &exam, err));
    exam->labels[1] = diagnosis[0] > '0' ? 1 : 0;
    REHA_TRY(join(err, &exam->paths[2], "%/%.npy", folder, id, "", ""));
    if (reha_path_is_file(exam->paths[2])) {
        return REHA_OK;
    }
    REHA_TRY(join(err, &pickle, "%/%.pck", folder, id, "", ""));
    const bool is_pickle = reha_path_is_file(pickle);
    reha_free(pickle);
    return reha_fail(
        err, is_pickle ? REHA_E_UNSUPPORTED : REHA_E_NOT_FOUND, "%s is missing%s", exam->paths[2],
        is_pickle ? "; the .pck beside it is a Python pickle, which can run code: convert it with numpy.save"
                  : "");
}

static reha_status load_knee_mri(reha_knee_mri_data *data, const char *folder, const char *table,
                                 reha_error *err)
{
    reha_csv *csv = NULL;
    int diagnosis = -1;
    int file = -1;
    reha_status status = REHA_OK;
    data->layout = "KneeMRI";
    data->has_plane[2] = true;
    data->has_label[1] = true;
    REHA_TRY(reha_csv_load(table, &csv, err));
    REHA_CHECK(reha_csv_need(csv, "aclDiagnosis", &diagnosis, err));
    REHA_CHECK(reha_csv_need(csv, "volumeFilename", &file, err));
    for (size_t r = 0; r < reha_csv_rows(csv); r++) {
        REHA_CHECK(load_knee_mri_row(data, folder, reha_csv_get(csv, r, file),
                                     reha_csv_get(csv, r, diagnosis), r, err));
    }
done:
    reha_csv_free(csv);
    return status;
}

reha_status reha_knee_mri_data_load(const char *folder, reha_knee_mri_data *out, reha_error *err)
{
    char *table = NULL;
    *out = (reha_knee_mri_data){.layout = "MRNet"};
    REHA_TRY(join(err, &table, "%/metadata.csv", folder, "", "", ""));
    reha_status status = REHA_OK;
    if (reha_path_is_file(table)) {
        status = load_knee_mri(out, folder, table, err);
    } else {
        status = load_split(out, folder, "train", false, err);
        if (status == REHA_OK) {
            status = load_split(out, folder, "valid", true, err);
        }
    }
    reha_free(table);
    if (status == REHA_OK && !out->has_plane[0] && !out->has_plane[1] && !out->has_plane[2]) {
        status = reha_fail(err, REHA_E_NOT_FOUND,
                           "%s: no folder train/axial, train/coronal or train/sagittal", folder);
    }
    if (status != REHA_OK) {
        reha_knee_mri_data_clear(out);
    }
    return status;
}

void reha_knee_mri_data_clear(reha_knee_mri_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        for (int p = 0; p < REHA_KNEE_MRI_PLANES; p++) {
            reha_free(data->exams[i].paths[p]);
        }
    }
    reha_free(data->exams);
    *data = (reha_knee_mri_data){0};
}
