/* Scanning and loading. Grouping and geometry are in series_sort.c. */
#include "dicom/series_priv.h"

#include "base/memory.h"
#include "dicom/dicom_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 50000, IMAGES_MAX = 100000 };
static const double ANGLE_TOLERANCE = 0.01; /* of unit length and right angle; files have 3 to 6 digits */
static const double POSITION_MAX_MM = 1e6;
static const double ECHO_MAX_MS = 10000.0;

void reha_series_add_note(reha_series_set *set, const char *format, ...)
{
    if (set->note_count == REHA_SERIES_NOTES_MAX - 1) { /* the last place is for the number of the others */
        set->notes_dropped++;
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(set->notes[set->note_count++], sizeof set->notes[0], format, args);
    va_end(args);
}

const char *reha_series_name(const reha_series_set *set, const reha_series_image *image)
{
    return reha_path_name(set->files.items[image->file_idx]);
}

static double number_of(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag, double low, double high)
{
    double value;
    return reha_dcm_number(&dicom->set, reha_dcm_frame_find(dicom, frame_idx, tag), 0, &value) &&
                   value >= low && value <= high
               ? value
               : (double)NAN;
}

static int64_t whole_of(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag)
{
    const double value = number_of(dicom, frame_idx, tag, 0.0, 2147483647.0);
    return isnan(value) ? -1 : (int64_t)value;
}

static bool numbers_of(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag, uint32_t count, double *out)
{
    const reha_dcm_node *node = reha_dcm_frame_find(dicom, frame_idx, tag);
    for (uint32_t i = 0; i < count; i++) {
        if (!reha_dcm_number(&dicom->set, node, i, &out[i]) || fabs(out[i]) > POSITION_MAX_MM) {
            return false;
        }
    }
    return true;
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Position and orientation; false where they are absent or no rotation. */
static bool read_place(const reha_dicom *dicom, uint32_t frame_idx, reha_series_image *image)
{
    double axes[6];
    if (!numbers_of(dicom, frame_idx, TAG_IMAGE_POSITION_PATIENT, 3, image->position) ||
        !numbers_of(dicom, frame_idx, TAG_IMAGE_ORIENTATION_PATIENT, 6, axes)) {
        return false;
    }
    memcpy(image->row, axes, sizeof image->row);
    memcpy(image->column, axes + 3, sizeof image->column);
    const double row_length = sqrt(dot(image->row, image->row));
    const double column_length = sqrt(dot(image->column, image->column));
    if (!(fabs(row_length - 1.0) < ANGLE_TOLERANCE && fabs(column_length - 1.0) < ANGLE_TOLERANCE &&
          fabs(dot(image->row, image->column)) < ANGLE_TOLERANCE)) {
        return false;
    }
    for (int a = 0; a < 3; a++) { /* exactly at right angles, so that slices and normal agree */
        image->row[a] /= row_length;
    }
    const double along = dot(image->row, image->column);
    for (int a = 0; a < 3; a++) {
        image->column[a] -= along * image->row[a];
    }
    const double left = sqrt(dot(image->column, image->column));
    for (int a = 0; a < 3; a++) {
        image->column[a] /= left;
    }
    return true;
}

static void read_kind(const reha_dicom *dicom, uint32_t frame_idx, char *out, size_t out_bytes)
{
    const reha_dcm_node *node = reha_dcm_frame_find(dicom, frame_idx, TAG_FRAME_TYPE);
    node = node != NULL ? node : reha_dcm_frame_find(dicom, frame_idx, TAG_IMAGE_TYPE);
    const uint32_t count = reha_dcm_value_count(&dicom->set, node);
    size_t length = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        char value[17];
        (void)reha_dcm_text(&dicom->set, node, i, value, sizeof value);
        const int added = snprintf(out + length, out_bytes - length, "%s%s", i > 0 ? "/" : "", value);
        length += added > 0 ? (size_t)added : 0;
        if (length >= out_bytes) {
            break;
        }
    }
}

static void read_image(const reha_dicom *dicom, uint32_t file_idx, uint32_t frame_idx, reha_series_image *out)
{
    const reha_spacing spacing = reha_dicom_spacing(dicom, frame_idx);
    *out = (reha_series_image){.file_idx = file_idx,
                               .frame_idx = frame_idx,
                               .series_number = whole_of(dicom, frame_idx, TAG_SERIES_NUMBER),
                               .instance_number = whole_of(dicom, frame_idx, TAG_INSTANCE_NUMBER),
                               .time_no = whole_of(dicom, frame_idx, TAG_TEMPORAL_POSITION_IDENTIFIER),
                               .width_px = dicom->layout.columns,
                               .height_px = dicom->layout.rows,
                               .x_mm = spacing.x_mm,
                               .y_mm = spacing.y_mm,
                               .facts = dicom->facts};
    memcpy(out->series_uid, dicom->ids.series_instance_uid, sizeof out->series_uid);
    memcpy(out->sop_uid, dicom->ids.sop_instance_uid, sizeof out->sop_uid);
    read_kind(dicom, frame_idx, out->kind, sizeof out->kind);
    out->has_place = read_place(dicom, frame_idx, out) && spacing.source == REHA_SPACING_CALIBRATED &&
                     reha_spacing_is_known(spacing) && dicom->layout.colour == REHA_DCM_GREY;
    out->echo_ms = number_of(dicom, frame_idx, TAG_EFFECTIVE_ECHO_TIME, 1e-3, ECHO_MAX_MS);
    if (isnan(out->echo_ms)) {
        out->echo_ms = number_of(dicom, frame_idx, TAG_ECHO_TIME, 1e-3, ECHO_MAX_MS);
    }
    out->thickness_mm = number_of(dicom, frame_idx, TAG_SLICE_THICKNESS, 1e-3, 1000.0);
    out->between_mm = number_of(dicom, frame_idx, TAG_SPACING_BETWEEN_SLICES, 1e-3, 1000.0);
    out->repetition_ms = number_of(dicom, frame_idx, TAG_REPETITION_TIME, 1e-3, 1e6);
    out->field_tesla = number_of(dicom, frame_idx, TAG_MAGNETIC_FIELD_STRENGTH, 1e-3, 30.0);
}

bool reha_series_place_of(const reha_dicom *dicom, uint32_t frame_idx, reha_series_place *out)
{
    reha_series_image image;
    read_image(dicom, 0, frame_idx, &image);
    *out = (reha_series_place){.series_number = image.series_number,
                               .instance_number = image.instance_number,
                               .along_mm = (double)NAN,
                               .echo_ms = image.echo_ms};
    if (image.series_uid[0] == '\0') {
        return false;
    }
    if (image.has_place) {
        const double *r = image.row;
        const double *c = image.column;
        out->along_mm = image.position[0] * (r[1] * c[2] - r[2] * c[1]) +
                        image.position[1] * (r[2] * c[0] - r[0] * c[2]) +
                        image.position[2] * (r[0] * c[1] - r[1] * c[0]);
        (void)snprintf(out->group, sizeof out->group, "%s|%ux%u|%.2f %.2f %.2f %.2f %.2f %.2f|%.40s",
                       image.series_uid, image.width_px, image.height_px, r[0], r[1], r[2], c[0], c[1], c[2],
                       image.kind);
    } else {
        (void)snprintf(out->group, sizeof out->group, "%s|%ux%u|%.40s", image.series_uid, image.width_px,
                       image.height_px, image.kind);
    }
    return true;
}

static reha_status add_images(reha_series_set *set, const reha_dicom *dicom, uint32_t file_idx,
                              reha_error *err)
{
    const uint32_t frames = reha_dicom_frame_count(dicom);
    if (frames > IMAGES_MAX - set->image_count) {
        return reha_fail(err, REHA_E_LIMIT, "more than %d images: give the folder of one examination",
                         IMAGES_MAX);
    }
    if (set->image_count + frames > set->image_capacity) {
        const size_t capacity = 2 * (set->image_count + frames) + 64;
        reha_series_image *grown = reha_realloc(set->images, capacity * sizeof *grown);
        if (grown == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", capacity);
        }
        set->images = grown;
        set->image_capacity = capacity;
    }
    uint32_t placeless = 0;
    for (uint32_t f = 0; f < frames; f++) {
        reha_series_image *image = &set->images[set->image_count];
        read_image(dicom, file_idx, f, image);
        if (image->has_place) {
            set->image_count++;
        } else {
            placeless++;
        }
    }
    if (placeless > 0) {
        reha_series_add_note(
            set,
            "%s: %u of %u image(s) have no usable place in the patient (position, orientation, pixel "
            "size) or are in colour, and belong to no volume",
            reha_path_name(set->files.items[file_idx]), placeless, frames);
    }
    return REHA_OK;
}

static reha_status add_file(reha_series_set *set, uint32_t file_idx, size_t *others, reha_error *err)
{
    const char *path = set->files.items[file_idx];
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_dicom *dicom = NULL;
    reha_error fault = REHA_ERROR_INIT;
    reha_status status = reha_file_load(path, set->limits.file_bytes_max, &bytes, &count, &fault);
    if (status == REHA_OK && !reha_dicom_detect(bytes, count)) {
        (*others)++;
        reha_free(bytes);
        return REHA_OK;
    }
    if (status == REHA_OK) {
        status = reha_dicom_open(bytes, count, &set->limits, &dicom, &fault);
    }
    if (status == REHA_OK) {
        status = add_images(set, dicom, file_idx, err);
    } else if (status != REHA_E_NOMEM) {
        reha_series_add_note(set, "%s was passed over: %s", reha_path_name(path), fault.text);
        status = REHA_OK;
    } else {
        status = reha_fail(err, status, "%s", fault.text);
    }
    reha_dicom_close(dicom);
    reha_free(bytes);
    return status;
}

static reha_status list_files(const char *path, reha_paths *out, reha_error *err)
{
    if (reha_path_is_folder(path)) {
        return reha_folder_list(path, FILES_MAX, out, err);
    }
    if (!reha_path_is_file(path)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s: no such file or folder", path);
    }
    out->items = reha_alloc_zero(1, sizeof *out->items);
    if (out->items == NULL || (out->items[0] = reha_strdup(path)) == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    out->count = 1;
    return REHA_OK;
}

static reha_status scan_into(reha_series_set *set, const char *path, reha_error *err)
{
    size_t others = 0;
    REHA_TRY(list_files(path, &set->files, err));
    for (size_t f = 0; f < set->files.count; f++) {
        REHA_TRY(add_file(set, (uint32_t)f, &others, err));
    }
    if (others > 0) {
        reha_series_add_note(set, "%zu file(s) are not DICOM and were passed over", others);
    }
    if (set->image_count == 0) {
        const char *why = set->note_count > 0 ? set->notes[0] : "no file is there";
        return reha_fail(
            err, REHA_E_NOT_FOUND,
            "%s: no DICOM image with a place in the patient (%s); give the folder of an MR series", path,
            why);
    }
    REHA_TRY(reha_series_sort(set, err));
    if (set->notes_dropped > 0) {
        (void)snprintf(set->notes[set->note_count++], sizeof set->notes[0], "and %zu more of such notes",
                       set->notes_dropped);
    }
    return REHA_OK;
}

reha_status reha_series_scan(const char *path, const reha_image_limits *limits, reha_series_set **out,
                             reha_error *err)
{
    *out = NULL;
    reha_series_set *set = reha_alloc_zero(1, sizeof *set);
    if (set == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a series");
    }
    set->limits = limits != NULL ? *limits : reha_image_limits_default();
    const reha_status status = scan_into(set, path, err);
    if (status != REHA_OK) {
        reha_series_free(set);
        return status;
    }
    *out = set;
    return REHA_OK;
}

void reha_series_free(reha_series_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t s = 0; s < set->stack_count; s++) {
        reha_free(set->stacks[s].members);
        reha_free(set->stacks[s].places);
    }
    reha_free(set->stacks);
    reha_free(set->images);
    reha_paths_clear(&set->files);
    reha_free(set);
}

size_t reha_series_count(const reha_series_set *set)
{
    return set->stack_count;
}

const reha_stack *reha_series_get(const reha_series_set *set, size_t stack_idx)
{
    return &set->stacks[stack_idx].told;
}

size_t reha_series_note_count(const reha_series_set *set)
{
    return set->note_count;
}

const char *reha_series_note(const reha_series_set *set, size_t idx)
{
    return idx < set->note_count ? set->notes[idx] : "";
}

static const reha_series_image *image_at(const reha_series_set *set, const reha_series_stack *stack,
                                         uint32_t echo_idx, uint32_t slice_idx)
{
    const uint32_t place = stack->places[(size_t)echo_idx * stack->told.slice_count + slice_idx];
    return place > 0 ? &set->images[place - 1] : NULL;
}

const char *reha_series_file(const reha_series_set *set, size_t stack_idx, uint32_t echo_idx,
                             uint32_t slice_idx)
{
    const reha_series_stack *stack = stack_idx < set->stack_count ? &set->stacks[stack_idx] : NULL;
    if (stack == NULL || stack->places == NULL || echo_idx >= stack->told.echo_count ||
        slice_idx >= stack->told.slice_count) {
        return NULL;
    }
    const reha_series_image *image = image_at(set, stack, echo_idx, slice_idx);
    return image != NULL ? reha_series_name(set, image) : NULL;
}

/* Frames of one file are neighbours: keeping the last one open spares reading a large file per frame. */
typedef struct open_file {
    reha_dicom *dicom;
    uint32_t file_idx;
} open_file;

static reha_status load_slice(const reha_series_set *set, const reha_series_image *image, open_file *open,
                              float *out, reha_error *err)
{
    reha_gray *frame = NULL;
    if (open->dicom == NULL || open->file_idx != image->file_idx) {
        reha_dicom_close(open->dicom);
        open->dicom = NULL;
        REHA_TRY(reha_dicom_load(set->files.items[image->file_idx], &set->limits, &open->dicom, err));
        open->file_idx = image->file_idx;
    }
    const reha_status status = reha_dicom_read_frame(open->dicom, image->frame_idx, &frame, NULL, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", reha_series_name(set, image));
        return status;
    }
    if (frame->width_px != image->width_px || frame->height_px != image->height_px) {
        reha_gray_free(frame);
        return reha_fail(err, REHA_E_CONFLICT, "%s changed while it was read", reha_series_name(set, image));
    }
    memcpy(out, frame->pixels, (size_t)frame->width_px * frame->height_px * sizeof *out);
    reha_gray_free(frame);
    return REHA_OK;
}

reha_status reha_series_load(const reha_series_set *set, size_t stack_idx, uint32_t echo_idx,
                             reha_volume **out, reha_error *err)
{
    *out = NULL;
    if (stack_idx >= set->stack_count || echo_idx >= set->stacks[stack_idx].told.echo_count) {
        return reha_fail(err, REHA_E_NOT_FOUND, "no stack %zu with echo %u in this folder", stack_idx + 1,
                         echo_idx + 1);
    }
    const reha_series_stack *stack = &set->stacks[stack_idx];
    if (!stack->told.is_volume) {
        return reha_fail(err, REHA_E_FORMAT, "%s", stack->why_not);
    }
    const uint32_t size[3] = {stack->told.width_px, stack->told.height_px, stack->told.slice_count};
    const size_t slice_voxels = (size_t)size[0] * size[1];
    reha_volume *volume = NULL;
    open_file open = {0};
    REHA_TRY(reha_volume_new(size, &stack->told.to_mm, &volume, err));
    reha_status status = REHA_OK;
    for (uint32_t k = 0; k < size[2] && status == REHA_OK; k++) {
        const reha_series_image *image = image_at(set, stack, echo_idx, k);
        float *slice = volume->voxels + k * slice_voxels;
        if (image != NULL) {
            status = load_slice(set, image, &open, slice, err);
            continue;
        }
        for (size_t v = 0; v < slice_voxels; v++) {
            slice[v] = NAN;
        }
    }
    reha_dicom_close(open.dicom);
    if (status != REHA_OK) {
        reha_volume_free(volume);
        return status;
    }
    *out = volume;
    return REHA_OK;
}
