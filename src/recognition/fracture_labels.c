#include "recognition/fracture_data_priv.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_BYTES_MAX = 1 << 20, BOXES_PER_IMAGE_MAX = 1000, YOLO_FIELDS = 5 };
static const double ID_MAX = 9007199254740992.0; /* 2^53: larger ones are not all doubles */
static const double OVERSHOOT = 2e-3;            /* rounding at the edge of a picture; more is a fault */

static reha_status add_box(reha_fracture_data *data, size_t *capacity, const reha_fracture_box *box,
                           reha_error *err)
{
    if (data->box_count == *capacity) {
        const size_t more = *capacity > 0 ? 2 * *capacity : 256;
        reha_fracture_box *grown = reha_realloc(data->boxes, more * sizeof *grown);
        if (grown == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", more);
        }
        data->boxes = grown;
        *capacity = more;
    }
    data->boxes[data->box_count++] = *box;
    return REHA_OK;
}

/* Clips to the picture; false for a box that is empty or lies outside. */
static bool settle(reha_edges *box)
{
    const bool is_inside = box->x0 >= -OVERSHOOT && box->y0 >= -OVERSHOOT && box->x1 <= 1.0 + OVERSHOOT &&
                           box->y1 <= 1.0 + OVERSHOOT;
    box->x0 = fmax(box->x0, 0.0);
    box->y0 = fmax(box->y0, 0.0);
    box->x1 = fmin(box->x1, 1.0);
    box->y1 = fmin(box->y1, 1.0);
    return is_inside && box->x1 > box->x0 && box->y1 > box->y0;
}

/* ---- YOLO ---- */

reha_status reha_fracture_read_classes_(reha_fracture_data *data, const char *folder, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    char *path = reha_path_join(folder, "classes.txt");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = REHA_OK;
    if (!reha_path_is_file(path)) {
        data->class_count = REHA_FRACTURE_CLASSES_MAX;
        for (int i = 0; i < REHA_FRACTURE_CLASSES_MAX; i++) {
            (void)snprintf(data->classes[i], sizeof data->classes[i], "%d", i);
        }
        goto done;
    }
    REHA_CHECK(reha_file_load(path, LABEL_BYTES_MAX, &bytes, &count, err));
    char *save = NULL;
    for (char *line = strtok_r((char *)bytes, "\r\n", &save); line != NULL;
         line = strtok_r(NULL, "\r\n", &save)) {
        if (data->class_count == REHA_FRACTURE_CLASSES_MAX || strlen(line) >= REHA_FRACTURE_NAME_BYTES) {
            status = reha_fail(
                err, REHA_E_FORMAT, "%s: line %d: more than %d classes, or a name longer than %d bytes", path,
                data->class_count + 1, REHA_FRACTURE_CLASSES_MAX, REHA_FRACTURE_NAME_BYTES - 1);
            goto done;
        }
        (void)snprintf(data->classes[data->class_count++], REHA_FRACTURE_NAME_BYTES, "%s", line);
    }
done:
    reha_free(bytes);
    reha_free(path);
    return status;
}

/* One line; fields are separated by blanks. False: not "class cx cy w h". */
static bool parse_row(char *line, double values[YOLO_FIELDS])
{
    int count = 0;
    char *save = NULL;
    for (char *field = strtok_r(line, " \t", &save); field != NULL; field = strtok_r(NULL, " \t", &save)) {
        if (count == YOLO_FIELDS || !reha_parse_double(field, true, &values[count])) {
            return false;
        }
        count++;
    }
    return count == YOLO_FIELDS;
}

reha_status reha_fracture_parse_yolo_(reha_fracture_data *data, size_t *capacity, reha_fracture_image *image,
                                      char *text, int class_wanted, reha_error *err)
{
    int line_no = 0;
    for (char *line = text; line != NULL;) {
        char *next = strchr(line, '\n');
        double v[YOLO_FIELDS];
        if (next != NULL) {
            *next++ = '\0';
        }
        line_no++;
        line[strcspn(line, "\r")] = '\0';
        if (line[strspn(line, " \t")] == '\0') {
            line = next;
            continue;
        }
        if (!parse_row(line, v)) {
            return reha_fail(err, REHA_E_FORMAT, "line %d: not five numbers 'class cx cy w h'", line_no);
        }
        if (v[0] != floor(v[0]) || v[0] < 0.0 || v[0] >= data->class_count) {
            return reha_fail(err, REHA_E_FORMAT, "line %d: class %g, expected a whole number 0 to %d",
                             line_no, v[0], data->class_count - 1);
        }
        reha_fracture_box box = {{v[1] - 0.5 * v[3], v[2] - 0.5 * v[4], v[1] + 0.5 * v[3], v[2] + 0.5 * v[4]},
                                 (int)v[0]};
        if (!(v[3] > 0.0) || !(v[4] > 0.0) || !settle(&box.edges)) {
            return reha_fail(
                err, REHA_E_FORMAT,
                "line %d: the box is empty or leaves the picture (centre and size are shares 0 to 1)",
                line_no);
        }
        if (class_wanted < 0 || box.class_idx == class_wanted) {
            REHA_TRY(add_box(data, capacity, &box, err));
            image->box_count++;
        }
        if (image->box_count > BOXES_PER_IMAGE_MAX) {
            return reha_fail(err, REHA_E_LIMIT, "line %d: more than %d boxes", line_no, BOXES_PER_IMAGE_MAX);
        }
        line = next;
    }
    return REHA_OK;
}

static reha_status read_label_file(reha_fracture_data *data, size_t *capacity, reha_fracture_image *image,
                                   const char *path, int class_wanted, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    if (!reha_path_is_file(path)) {
        return REHA_OK; /* no box */
    }
    REHA_TRY(reha_file_load(path, LABEL_BYTES_MAX, &bytes, &count, err));
    const reha_status status =
        reha_fracture_parse_yolo_(data, capacity, image, (char *)bytes, class_wanted, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    reha_free(bytes);
    return status;
}

reha_status reha_fracture_read_yolo_(reha_fracture_data *data, const char *folder, const char *labels,
                                     int class_wanted, reha_error *err)
{
    size_t capacity = 0;
    reha_status status = REHA_OK;
    for (size_t i = 0; i < data->image_count && status == REHA_OK; i++) {
        reha_fracture_image *image = &data->images[i];
        const char *stem;
        const size_t stem_bytes = reha_fracture_stem_(image->path, &stem);
        reha_text path = {0};
        reha_text_addf(&path, "%s/%s/%.*s.txt", folder, labels, (int)stem_bytes, stem);
        image->first_box = data->box_count;
        status = path.failed ? reha_fail(err, REHA_E_NOMEM, "out of memory for a path")
                             : read_label_file(data, &capacity, image, path.data, class_wanted, err);
        reha_text_clear(&path);
    }
    return status;
}

/* ---- COCO ---- */

typedef struct coco_image {
    json_int_t id;
    size_t image_idx; /* SIZE_MAX: not among the pictures */
    double width, height;
} coco_image;

typedef struct coco_box {
    size_t image_idx;
    reha_fracture_box box;
} coco_box;

static int compare_ids(const void *a, const void *b)
{
    const coco_image *left = a;
    const coco_image *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static int compare_coco_boxes(const void *a, const void *b)
{
    const coco_box *left = a;
    const coco_box *right = b;
    return (left->image_idx > right->image_idx) - (left->image_idx < right->image_idx);
}

/* A number that names something: whole, and not so large that two of them look alike. */
static reha_status need_id(const json_t *item, const char *key, json_int_t *out, reha_error *err)
{
    double id = 0.0;
    REHA_TRY(reha_json_need_number(item, key, &id, err));
    if (!(fabs(id) <= ID_MAX) || id != floor(id)) {
        return reha_fail(err, REHA_E_FORMAT, "%s %g is no whole number below 2^53", key, id);
    }
    *out = (json_int_t)id;
    return REHA_OK;
}

static reha_status read_coco_images(reha_fracture_data *data, const json_t *list, coco_image *out,
                                    reha_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = NULL;
        reha_status status = need_id(item, "id", &out[i].id, err);
        status = status == REHA_OK ? reha_json_need_string(item, "file_name", &name, err) : status;
        status = status == REHA_OK ? reha_json_need_number(item, "width", &out[i].width, err) : status;
        status = status == REHA_OK ? reha_json_need_number(item, "height", &out[i].height, err) : status;
        if (status == REHA_OK && !(out[i].width > 0.0 && out[i].height > 0.0)) {
            status = reha_fail(err, REHA_E_FORMAT, "a size of 0");
        }
        if (status != REHA_OK) {
            reha_error_prefix(err, "images[%zu]", i);
            return status;
        }
        const reha_fracture_image *image = reha_fracture_find_(data, name);
        out[i].image_idx = image != NULL ? (size_t)(image - data->images) : SIZE_MAX;
    }
    qsort(out, json_array_size(list), sizeof *out, compare_ids);
    for (size_t i = 1; i < json_array_size(list); i++) {
        if (out[i].id == out[i - 1].id) {
            return reha_fail(err, REHA_E_FORMAT, "images: two have the id %lld", (long long)out[i].id);
        }
    }
    return REHA_OK;
}

static reha_status read_coco_box(const json_t *item, const coco_image *images, size_t image_count,
                                 coco_box *out, reha_error *err)
{
    double box[4];
    coco_image key = {.id = 0};
    REHA_TRY(need_id(item, "image_id", &key.id, err));
    REHA_TRY(reha_json_need_numbers(item, "bbox", 4, box, err));
    const coco_image *image = bsearch(&key, images, image_count, sizeof *images, compare_ids);
    if (image == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "image_id %lld stands for no image of the list",
                         (long long)key.id);
    }
    out->image_idx = image->image_idx;
    out->box.class_idx = 0;
    out->box.edges = (reha_edges){box[0] / image->width, box[1] / image->height,
                                  (box[0] + box[2]) / image->width, (box[1] + box[3]) / image->height};
    if (!settle(&out->box.edges)) {
        return reha_fail(err, REHA_E_FORMAT, "the box is empty or leaves the picture");
    }
    return REHA_OK;
}

static reha_status keep_coco_boxes(reha_fracture_data *data, coco_box *boxes, size_t count, reha_error *err)
{
    size_t capacity = 0;
    size_t at = 0;
    if (count > 1) {
        qsort(boxes, count, sizeof *boxes, compare_coco_boxes);
    }
    for (size_t i = 0; i < data->image_count; i++) {
        data->images[i].first_box = data->box_count;
        for (; at < count && boxes[at].image_idx == i; at++) {
            REHA_TRY(add_box(data, &capacity, &boxes[at].box, err));
            data->images[i].box_count++;
        }
    }
    return REHA_OK;
}

reha_status reha_fracture_parse_coco_(reha_fracture_data *data, const json_t *document, reha_error *err)
{
    reha_status status = REHA_OK;
    const json_t *list = NULL;
    const json_t *annotations = NULL;
    REHA_TRY(reha_json_need_array(document, "images", 0, &list, err));
    REHA_TRY(reha_json_need_array(document, "annotations", 0, &annotations, err));
    const size_t image_count = json_array_size(list);
    const size_t box_count = json_array_size(annotations);
    coco_image *images = reha_alloc_zero(image_count + 1, sizeof *images);
    coco_box *boxes = reha_alloc_zero(box_count + 1, sizeof *boxes);
    if (images == NULL || boxes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu boxes", box_count);
        goto done;
    }
    REHA_CHECK(read_coco_images(data, list, images, err));
    for (size_t i = 0; i < box_count; i++) {
        status = read_coco_box(json_array_get(annotations, i), images, image_count, &boxes[i], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "annotations[%zu]", i);
            goto done;
        }
    }
    REHA_CHECK(keep_coco_boxes(data, boxes, box_count, err));
done:
    reha_free(images);
    reha_free(boxes);
    return status;
}

reha_status reha_fracture_read_coco_(reha_fracture_data *data, const char *folder, const char *name,
                                     reha_error *err)
{
    json_t *document = NULL;
    char *path = reha_path_join(folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_json_load(path, &document, err);
    if (status == REHA_OK) {
        status = reha_fracture_parse_coco_(data, document, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
        }
    }
    json_decref(document);
    reha_free(path);
    return status;
}
