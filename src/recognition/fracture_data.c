#include "recognition/fracture_data_priv.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 200000 };

static const char *const layout_names[] = {"yolo", "fracatlas", "grazpedwri-dx"};
static const char *const picture_suffixes[] = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm"};

const char *reha_fracture_layout_name(reha_fracture_layout layout)
{
    return layout_names[layout];
}

/* ---- pictures ---- */

static bool is_picture(const char *path)
{
    for (size_t i = 0; i < sizeof picture_suffixes / sizeof picture_suffixes[0]; i++) {
        if (reha_str_ends_nocase(path, picture_suffixes[i])) {
            return true;
        }
    }
    return false;
}

size_t reha_fracture_stem_(const char *path, const char **stem)
{
    *stem = reha_path_name(path);
    const char *dot = strrchr(*stem, '.');
    return dot != NULL ? (size_t)(dot - *stem) : strlen(*stem);
}

static int compare_stems(const char *a, const char *b)
{
    const char *left;
    const char *right;
    const size_t left_bytes = reha_fracture_stem_(a, &left);
    const size_t right_bytes = reha_fracture_stem_(b, &right);
    const int order = memcmp(left, right, left_bytes < right_bytes ? left_bytes : right_bytes);
    return order != 0 ? order : (left_bytes > right_bytes) - (left_bytes < right_bytes);
}

static int compare_images(const void *a, const void *b)
{
    const reha_fracture_image *left = a;
    const reha_fracture_image *right = b;
    const int order = compare_stems(left->path, right->path);
    return order != 0 ? order : strcmp(left->path, right->path);
}

static reha_status add_image(reha_fracture_data *data, const char *folder, const char *full_path,
                             reha_error *err)
{
    reha_fracture_image *image = &data->images[data->image_count++];
    const char *relative = full_path + strlen(folder);
    while (*relative == '/') {
        relative++;
    }
    image->path = reha_strdup(relative);
    image->full_path = reha_strdup(full_path);
    return image->path != NULL && image->full_path != NULL
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for a list of pictures");
}

/* All pictures below folder/part, sorted by their stems, which label files are found by. */
static reha_status list_pictures(reha_fracture_data *data, const char *folder, const char *part,
                                 reha_error *err)
{
    reha_status status = REHA_OK;
    reha_paths files = {0};
    char *place = reha_path_join(folder, part);
    if (place == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_folder_list(place, FILES_MAX, &files, err));
    data->images = reha_alloc_zero(files.count > 0 ? files.count : 1, sizeof *data->images);
    if (data->images == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", files.count);
        goto done;
    }
    for (size_t i = 0; i < files.count; i++) {
        if (is_picture(files.items[i])) {
            REHA_CHECK(add_image(data, folder, files.items[i], err));
        }
    }
    if (data->image_count == 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "no picture (png, jpg, tif, dcm) below %s", place);
        goto done;
    }
    qsort(data->images, data->image_count, sizeof *data->images, compare_images);
    for (size_t i = 1; i < data->image_count; i++) {
        if (compare_stems(data->images[i - 1].path, data->images[i].path) == 0) {
            status = reha_fail(err, REHA_E_FORMAT,
                               "%.90s and %.90s: two pictures of one name cannot share a label file",
                               data->images[i - 1].path, data->images[i].path);
            goto done;
        }
    }
done:
    reha_free(place);
    reha_paths_clear(&files);
    return status;
}

reha_fracture_image *reha_fracture_find_(reha_fracture_data *data, const char *file_name)
{
    const reha_fracture_image key = {.path = (char *)file_name};
    size_t low = 0;
    size_t high = data->image_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_stems(key.path, data->images[middle].path);
        if (order == 0) {
            return &data->images[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* ---- groups ---- */

typedef struct group_ref {
    const char *name;
    size_t image_idx;
} group_ref;

static int compare_groups(const void *a, const void *b)
{
    const group_ref *left = a;
    const group_ref *right = b;
    const int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->image_idx > right->image_idx) - (left->image_idx < right->image_idx);
}

/* Equal names are one group; an empty name is a group of its own (the cautious reading would be one group
 * with all others, but then nothing could be split). */
static reha_status number_groups(reha_fracture_data *data, reha_error *err)
{
    group_ref *refs = reha_alloc_zero(data->image_count, sizeof *refs);
    if (refs == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", data->image_count);
    }
    for (size_t i = 0; i < data->image_count; i++) {
        refs[i] = (group_ref){data->images[i].group, i};
    }
    qsort(refs, data->image_count, sizeof *refs, compare_groups);
    for (size_t i = 0; i < data->image_count; i++) {
        const bool is_same = i > 0 && refs[i].name[0] != '\0' && strcmp(refs[i].name, refs[i - 1].name) == 0;
        data->group_count += is_same ? 0 : 1;
        data->images[refs[i].image_idx].group_idx = data->group_count - 1;
    }
    reha_free(refs);
    return REHA_OK;
}

static void copy_text(char *to, size_t to_bytes, const char *from, size_t count)
{
    (void)snprintf(to, to_bytes, "%.*s", (int)(count < to_bytes ? count : to_bytes - 1), from);
}

/* Names like "hand_12_jpg.rf.0a1b..." are augmented copies of one picture. */
static void group_by_name(reha_fracture_data *data)
{
    for (size_t i = 0; i < data->image_count; i++) {
        const char *stem;
        const size_t count = reha_fracture_stem_(data->images[i].path, &stem);
        const char *copy = strstr(stem, ".rf.");
        copy_text(data->images[i].group, sizeof data->images[i].group, stem,
                  copy != NULL && (size_t)(copy - stem) < count ? (size_t)(copy - stem) : count);
    }
    data->group_kind = "picture";
}

/* Table `name` of the folder: the group of each picture whose file name stands in `key`, by the first of the
 * (one or two) group_columns that is there. */
static reha_status group_by_table(reha_fracture_data *data, const char *folder, const char *name,
                                  const char *key, const char *const *group_columns, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_csv *csv = NULL;
    int key_column = -1;
    int group_column = -1;
    char *path = reha_path_join(folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_csv_load(path, &csv, err));
    REHA_CHECK(reha_csv_need(csv, key, &key_column, err));
    for (int i = 0; group_columns[i] != NULL && group_column < 0; i++) {
        group_column = reha_csv_find(csv, group_columns[i]);
        data->group_kind = strcmp(group_columns[i], "patient_id") == 0 ? "patient" : "source picture";
    }
    if (group_column < 0) {
        status =
            reha_fail(err, REHA_E_FORMAT, "line 1: the column '%s'%s%s%s is missing", group_columns[0],
                      group_columns[1] != NULL ? " or '" : "",
                      group_columns[1] != NULL ? group_columns[1] : "", group_columns[1] != NULL ? "'" : "");
        goto done;
    }
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        reha_fracture_image *image = reha_fracture_find_(data, reha_csv_get(csv, row, key_column));
        const char *group = reha_csv_get(csv, row, group_column);
        if (group[0] == '\0' || strlen(group) >= REHA_FRACTURE_GROUP_BYTES) {
            status = reha_fail(err, REHA_E_FORMAT, "line %zu: '%s' is empty or longer than %d bytes",
                               reha_csv_line(csv, row), reha_csv_header(csv, (size_t)group_column),
                               REHA_FRACTURE_GROUP_BYTES - 1);
            goto done;
        }
        if (image != NULL) {
            copy_text(image->group, sizeof image->group, group, strlen(group));
        }
    }
done:
    if (status == REHA_E_FORMAT) {
        reha_error_prefix(err, "%s", path);
    }
    reha_csv_free(csv);
    reha_free(path);
    return status;
}

/* ---- layouts ---- */

static bool has(const char *folder, const char *name, bool wants_folder)
{
    char *path = reha_path_join(folder, name);
    const bool found = path != NULL && (wants_folder ? reha_path_is_folder(path) : reha_path_is_file(path));
    reha_free(path);
    return found;
}

static const char *first_folder(const char *folder, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (has(folder, names[i], true)) {
            return names[i];
        }
    }
    return NULL;
}

static reha_status load_yolo(const char *folder, const char *labels, reha_fracture_data *data,
                             reha_error *err)
{
    /* A patient may have several source pictures, which no split may tear apart. */
    static const char *const columns[] = {"patient_id", "source_picture", NULL};
    REHA_TRY(list_pictures(data, folder, "images", err));
    group_by_name(data);
    if (has(folder, "index.csv", false)) {
        REHA_TRY(group_by_table(data, folder, "index.csv", "name", columns, err));
    }
    REHA_TRY(reha_fracture_read_classes_(data, folder, err));
    return reha_fracture_read_yolo_(data, folder, labels, -1, err);
}

static reha_status note_subgroups(reha_fracture_data *data, const reha_csv *csv, int key, const int *columns,
                                  const char *const *names)
{
    const int fractured = reha_csv_find(csv, "fractured");
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        reha_fracture_image *image = reha_fracture_find_(data, reha_csv_get(csv, row, key));
        for (int i = 0; image != NULL && names[i] != NULL; i++) {
            if (columns[i] >= 0 && strcmp(reha_csv_get(csv, row, columns[i]), "1") == 0) {
                copy_text(image->subgroup, sizeof image->subgroup, names[i], strlen(names[i]));
            }
        }
        if (image != NULL) {
            image->is_called_fractured = strcmp(reha_csv_get(csv, row, fractured), "1") == 0;
        }
    }
    return REHA_OK;
}

static reha_status load_fracatlas(const char *folder, const reha_csv *csv, reha_fracture_data *data,
                                  reha_error *err)
{
    static const char *const parts[] = {"hand", "leg", "hip", "shoulder", "mixed", NULL};
    int columns[5];
    int key = -1;
    REHA_TRY(list_pictures(data, folder, "images", err));
    group_by_name(data);
    REHA_TRY(reha_csv_need(csv, "image_id", &key, err));
    for (int i = 0; i < 5; i++) {
        columns[i] = reha_csv_find(csv, parts[i]);
    }
    data->subgroup_kind = "body part";
    REHA_TRY(note_subgroups(data, csv, key, columns, parts));
    data->class_count = 1;
    (void)snprintf(data->classes[0], sizeof data->classes[0], "fractured");
    if (has(folder, "Annotations/COCO JSON/COCO_fracture_masks.json", false)) {
        return reha_fracture_read_coco_(data, folder, "Annotations/COCO JSON/COCO_fracture_masks.json", err);
    }
    if (!has(folder, "Annotations/YOLO", true)) {
        return reha_fail(
            err, REHA_E_FORMAT,
            "%.80s: below Annotations/ is neither 'COCO JSON/COCO_fracture_masks.json' nor YOLO/: "
            "one of them is needed (FracAtlas holds both; PASCAL VOC is not read)",
            folder);
    }
    return reha_fracture_read_yolo_(data, folder, "Annotations/YOLO", -1, err);
}

static reha_status load_grazpedwri(const char *folder, const char *labels, const reha_csv *csv,
                                   reha_fracture_data *data, reha_error *err)
{
    /* The order of the set's own meta.yaml. */
    static const char *const classes[] = {"boneanomaly",  "bonelesion", "foreignbody",
                                          "fracture",     "metal",      "periostealreaction",
                                          "pronatorsign", "softtissue", "text"};
    static const char *const columns[] = {"patient_id", NULL};
    enum { FRACTURE = 3, CLASSES = 9 };
    REHA_TRY(list_pictures(data, folder, "", err));
    REHA_TRY(group_by_table(data, folder, "dataset.csv", "filestem", columns, err));
    const int key = reha_csv_find(csv, "filestem");
    const int sex = reha_csv_find(csv, "gender");
    for (size_t row = 0; sex >= 0 && row < reha_csv_rows(csv); row++) {
        reha_fracture_image *image = reha_fracture_find_(data, reha_csv_get(csv, row, key));
        if (image != NULL) {
            const char *value = reha_csv_get(csv, row, sex);
            copy_text(image->subgroup, sizeof image->subgroup, value, strlen(value));
        }
    }
    data->subgroup_kind = "sex";
    data->class_count = CLASSES;
    for (int i = 0; i < CLASSES; i++) {
        (void)snprintf(data->classes[i], sizeof data->classes[i], "%s", classes[i]);
    }
    return reha_fracture_read_yolo_(data, folder, labels, FRACTURE, err);
}

static reha_status load_layout(const char *folder, reha_fracture_data *data, reha_error *err)
{
    static const char *const yolo[] = {"boxes", "labels", NULL};
    static const char *const graz[] = {"yolov5/labels", "folder_structure/yolov5/labels", "labels", NULL};
    reha_csv *csv = NULL;
    data->subgroup_kind = "";
    char *path = reha_path_join(folder, "dataset.csv");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = REHA_OK;
    if (reha_path_is_file(path)) {
        REHA_CHECK(reha_csv_load(path, &csv, err));
    }
    if (csv != NULL && reha_csv_find(csv, "filestem") >= 0 && first_folder(folder, graz) != NULL) {
        data->layout = REHA_FRACTURE_GRAZPEDWRI;
        status = load_grazpedwri(folder, first_folder(folder, graz), csv, data, err);
    } else if (csv != NULL && reha_csv_find(csv, "image_id") >= 0 && has(folder, "Annotations", true)) {
        data->layout = REHA_FRACTURE_FRACATLAS;
        status = load_fracatlas(folder, csv, data, err);
    } else if (first_folder(folder, yolo) != NULL && has(folder, "images", true)) {
        data->layout = REHA_FRACTURE_YOLO;
        status = load_yolo(folder, first_folder(folder, yolo), data, err);
    } else {
        status = reha_fail(err, REHA_E_NOT_FOUND,
                           "%.80s: no layout known: images/ with boxes/ or labels/ (YOLO), dataset.csv with "
                           "Annotations/ (FracAtlas), or dataset.csv with yolov5/labels/ (GRAZPEDWRI-DX)",
                           folder);
    }
done:
    reha_csv_free(csv);
    reha_free(path);
    return status;
}

reha_status reha_fracture_data_load(const char *folder, reha_fracture_data *out, reha_error *err)
{
    *out = (reha_fracture_data){0};
    if (!reha_path_is_folder(folder)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s: no such folder", folder);
    }
    reha_status status = load_layout(folder, out, err);
    if (status == REHA_OK) {
        status = number_groups(out, err);
    }
    if (status != REHA_OK) {
        reha_fracture_data_clear(out);
    }
    return status;
}

void reha_fracture_data_clear(reha_fracture_data *data)
{
    for (size_t i = 0; i < data->image_count; i++) {
        reha_free(data->images[i].path);
        reha_free(data->images[i].full_path);
    }
    reha_free(data->images);
    reha_free(data->boxes);
    *data = (reha_fracture_data){0};
}

reha_status reha_fracture_folds(const reha_fracture_data *data, int folds, uint64_t seed, int *fold_of_group,
                                reha_error *err)
{
    reha_random random = reha_random_init(seed, 0xf01d);
    if (folds < 2 || (size_t)folds > data->group_count) {
        return reha_fail(err, REHA_E_ARG, "%d folds of %zu %ss: at least 2, and one %s each", folds,
                         data->group_count, data->group_kind, data->group_kind);
    }
    size_t *order = reha_alloc_zero(data->group_count, sizeof *order);
    if (order == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu groups", data->group_count);
    }
    for (size_t i = 0; i < data->group_count; i++) {
        order[i] = i;
    }
    reha_random_shuffle(&random, order, data->group_count);
    for (size_t i = 0; i < data->group_count; i++) {
        fold_of_group[order[i]] = (int)(i % (size_t)folds);
    }
    reha_free(order);
    return REHA_OK;
}

reha_status reha_fracture_fingerprint(const char *path, char out[REHA_FRACTURE_FINGERPRINT_BYTES],
                                      reha_error *err)
{
    enum { PICTURE_BYTES_MAX = 1 << 30 };
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_file_load(path, PICTURE_BYTES_MAX, &bytes, &count, err));
    const uint64_t hash = reha_hash64(REHA_HASH64_START, bytes, count);
    reha_free(bytes);
    (void)snprintf(out, REHA_FRACTURE_FINGERPRINT_BYTES, "%016llx", (unsigned long long)hash);
    return REHA_OK;
}
