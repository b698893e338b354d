#include "dicom/dicom_priv.h"

#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void reha_dcm_warn(reha_dicom *dicom, const char *format, ...)
{
    if (dicom == NULL || dicom->warning_count == REHA_DICOM_WARNINGS_MAX) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(dicom->warnings[dicom->warning_count++], REHA_DICOM_WARNING_BYTES, format, args);
    va_end(args);
}

const reha_dcm_node *reha_dcm_frame_find(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag)
{
    const reha_dcm_dataset *set = &dicom->set;
    const reha_dcm_scope root = reha_dcm_root(set);
    const reha_dcm_node *node = NULL;
    reha_dcm_scope group;
    if (reha_dcm_item(set, reha_dcm_find(set, root, TAG_PER_FRAME_FUNCTIONAL_GROUPS), frame_idx, &group)) {
        node = reha_dcm_find_in_group(set, group, tag);
    }
    if (node == NULL &&
        reha_dcm_item(set, reha_dcm_find(set, root, TAG_SHARED_FUNCTIONAL_GROUPS), 0, &group)) {
        node = reha_dcm_find_in_group(set, group, tag);
    }
    return node != NULL ? node : reha_dcm_find(set, root, tag);
}

/* Things that are legal to read past but that the reader of a result should know. */
static void find_oddities(reha_dicom *dicom)
{
    static const uint32_t single[] = {
        TAG_ROWS,          TAG_COLUMNS,     TAG_PIXEL_SPACING,   TAG_IMAGER_PIXEL_SPACING,
        TAG_RESCALE_SLOPE, TAG_BITS_STORED, TAG_IMAGE_LATERALITY};
    const reha_dcm_dataset *set = &dicom->set;
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        const reha_dcm_node *node = reha_dcm_find(set, reha_dcm_root(set), single[i]);
        if (node != NULL && reha_dcm_has_twin(set, node)) {
            reha_dcm_warn(dicom, "element (%04x,%04x) is there twice; the first one is used",
                          (unsigned)(single[i] >> 16), (unsigned)(single[i] & 0xFFFF));
        }
    }
    if (set->has_trailing_garbage) {
        reha_dcm_warn(dicom, "unreadable bytes behind the pixel data were passed over");
    }
    const reha_dcm_node *groups = reha_dcm_find(set, reha_dcm_root(set), TAG_PER_FRAME_FUNCTIONAL_GROUPS);
    if (groups != NULL && reha_dcm_item_count(set, groups) != dicom->layout.frames) {
        reha_dcm_warn(dicom, "%u frames, but functional groups for %u", dicom->layout.frames,
                      reha_dcm_item_count(set, groups));
    }
}

static double read_aspect(reha_dicom *dicom, reha_spacing spacing)
{
    double vertical;
    double horizontal;
    const reha_dcm_node *node = reha_dcm_frame_find(dicom, 0, TAG_PIXEL_ASPECT_RATIO);
    const bool has_ratio = reha_dcm_number(&dicom->set, node, 0, &vertical) &&
                           reha_dcm_number(&dicom->set, node, 1, &horizontal) && vertical > 0.0 &&
                           horizontal > 0.0 && vertical / horizontal < 100.0 && horizontal / vertical < 100.0;
    const double ratio = has_ratio ? vertical / horizontal : 1.0;
    if (node != NULL && !has_ratio) {
        reha_dcm_warn(dicom, "Pixel Aspect Ratio is malformed and was ignored");
    }
    if (!reha_spacing_is_known(spacing)) {
        if (fabs(ratio - 1.0) > 0.01) {
            reha_dcm_warn(dicom, "pixels are not square (height to width %.4g)", ratio);
        }
        return ratio;
    }
    const double by_spacing = spacing.y_mm / spacing.x_mm;
    if (has_ratio && fabs(by_spacing / ratio - 1.0) > 0.01) {
        reha_dcm_warn(dicom, "Pixel Aspect Ratio contradicts the spacing, which is used");
    }
    return by_spacing;
}

static reha_status open_bytes(const uint8_t *bytes, size_t count, const reha_image_limits *limits,
                              uint8_t *file, reha_dicom **out, reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    const reha_image_limits *used = limits != NULL ? limits : &defaults;
    if (count > used->file_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT, "a file of %zu MiB, the limit is %llu", count >> 20,
                         (unsigned long long)(used->file_bytes_max >> 20));
    }
    reha_dicom *dicom = reha_alloc_zero(1, sizeof(*dicom));
    if (dicom == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a DICOM file");
    }
    dicom->limits = *used;
    reha_status status = reha_dcm_parse(bytes, count, &dicom->set, err);
    if (status == REHA_OK) {
        status = reha_dcm_read_layout(dicom, err);
    }
    if (status != REHA_OK) {
        reha_dicom_close(dicom);
        return status;
    }
    reha_dcm_read_facts(dicom);
    dicom->pixel_aspect = read_aspect(dicom, reha_dcm_find_spacing(dicom, 0, dicom));
    find_oddities(dicom);
    dicom->file = file; /* from here on its owner */
    *out = dicom;
    return REHA_OK;
}

bool reha_dicom_detect(const void *bytes, size_t count)
{
    return reha_dcm_detect(bytes, count);
}

reha_status reha_dicom_open(const void *bytes, size_t count, const reha_image_limits *limits,
                            reha_dicom **out, reha_error *err)
{
    *out = NULL;
    return open_bytes(bytes, count, limits, NULL, out, err);
}

reha_status reha_dicom_load(const char *path, const reha_image_limits *limits, reha_dicom **out,
                            reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    uint8_t *bytes = NULL;
    size_t count;
    *out = NULL;
    REHA_TRY(reha_file_load(path, limits != NULL ? limits->file_bytes_max : defaults.file_bytes_max, &bytes,
                            &count, err));
    const reha_status status = open_bytes(bytes, count, limits, bytes, out, err);
    if (status != REHA_OK) {
        reha_free(bytes);
        reha_error_prefix(err, "%s", path);
    }
    return status;
}

void reha_dicom_close(reha_dicom *dicom)
{
    if (dicom != NULL) {
        reha_dcm_clear(&dicom->set);
        reha_free(dicom->frame_fragments);
        reha_free(dicom->file);
        reha_free(dicom);
    }
}

const reha_acquisition *reha_dicom_facts(const reha_dicom *dicom)
{
    return &dicom->facts;
}

uint32_t reha_dicom_frame_count(const reha_dicom *dicom)
{
    return dicom->layout.frames;
}

uint32_t reha_dicom_width_px(const reha_dicom *dicom)
{
    return dicom->layout.columns;
}

uint32_t reha_dicom_height_px(const reha_dicom *dicom)
{
    return dicom->layout.rows;
}

double reha_dicom_pixel_aspect(const reha_dicom *dicom)
{
    return dicom->pixel_aspect;
}

uint32_t reha_dicom_warning_count(const reha_dicom *dicom)
{
    return dicom->warning_count;
}

const char *reha_dicom_warning(const reha_dicom *dicom, uint32_t idx)
{
    return idx < dicom->warning_count ? dicom->warnings[idx] : "";
}

const reha_dicom_ids *reha_dicom_get_ids(const reha_dicom *dicom)
{
    return &dicom->ids;
}

bool reha_dicom_identifying_patient_id(const reha_dicom *dicom, char *out, size_t out_bytes)
{
    const reha_dcm_dataset *set = &dicom->set;
    return reha_dcm_text_utf8(set, reha_dcm_find(set, reha_dcm_root(set), TAG_PATIENT_ID), out, out_bytes);
}

reha_spacing reha_dicom_spacing(const reha_dicom *dicom, uint32_t frame_idx)
{
    return reha_dcm_find_spacing(dicom, frame_idx, NULL);
}
