#include "dicom/voi_priv.h"

#include <math.h>
#include <string.h>

static double frame_number(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag, double fallback)
{
    double value;
    return reha_dcm_number(&dicom->set, reha_dcm_frame_find(dicom, frame_idx, tag), 0, &value) ? value
                                                                                               : fallback;
}

static bool sequence_lut(const reha_dicom *dicom, uint32_t frame_idx, uint32_t sequence_tag, bool is_signed,
                         reha_dcm_lut *out)
{
    reha_dcm_scope item;
    const reha_dcm_dataset *set = &dicom->set;
    return reha_dcm_item(set, reha_dcm_frame_find(dicom, frame_idx, sequence_tag), 0, &item) &&
           reha_dcm_lut_read(set, reha_dcm_find(set, item, TAG_LUT_DESCRIPTOR),
                             reha_dcm_find(set, item, TAG_LUT_DATA), is_signed, out);
}

reha_dcm_modality reha_dcm_find_modality(const reha_dicom *dicom, uint32_t frame_idx)
{
    reha_dcm_modality modality = {.slope = 1.0};
    modality.has_lut =
        sequence_lut(dicom, frame_idx, TAG_MODALITY_LUT_SEQUENCE, dicom->layout.is_signed, &modality.lut);
    if (!modality.has_lut) {
        const double slope = frame_number(dicom, frame_idx, TAG_RESCALE_SLOPE, 1.0);
        modality.intercept = frame_number(dicom, frame_idx, TAG_RESCALE_INTERCEPT, 0.0);
        /* A slope of zero would make every pixel equal; values beyond float would make them infinite. */
        if (slope != 0.0 && fabs(slope) < 1e12 && fabs(modality.intercept) < 1e12) {
            modality.slope = slope;
        } else {
            modality.intercept = 0.0;
        }
    }
    return modality;
}

double reha_dcm_modality_value(const reha_dcm_modality *modality, double stored)
{
    return modality->has_lut ? (double)reha_dcm_lut_at(&modality->lut, (int64_t)stored)
                             : stored * modality->slope + modality->intercept;
}

bool reha_dicom_window(const reha_dicom *dicom, uint32_t frame_idx, reha_window *out)
{
    char shape[17];
    *out = (reha_window){0};
    out->center = frame_number(dicom, frame_idx, TAG_WINDOW_CENTER, (double)NAN);
    out->width = frame_number(dicom, frame_idx, TAG_WINDOW_WIDTH, (double)NAN);
    const reha_dcm_node *function = reha_dcm_frame_find(dicom, frame_idx, TAG_VOI_LUT_FUNCTION);
    if (reha_dcm_text(&dicom->set, function, 0, shape, sizeof(shape))) {
        out->shape = strcmp(shape, "SIGMOID") == 0        ? REHA_WINDOW_SIGMOID
                     : strcmp(shape, "LINEAR_EXACT") == 0 ? REHA_WINDOW_LINEAR_EXACT
                                                          : REHA_WINDOW_LINEAR;
    }
    const double least = out->shape == REHA_WINDOW_LINEAR ? 1.0 : 0.0;
    return isfinite(out->center) && out->width >= least && out->width > 0.0 && out->width < 1e12 &&
           fabs(out->center) < 1e12;
}

static double clamp01(double value)
{
    return value < 0.0 ? 0.0 : value > 1.0 ? 1.0 : value;
}

static double window_value(const reha_window *window, double x)
{
    const double c = window->center;
    const double w = window->width;
    switch (window->shape) {
    case REHA_WINDOW_SIGMOID:
        return 1.0 / (1.0 + exp(-4.0 * (x - c) / w));
    case REHA_WINDOW_LINEAR_EXACT:
        return clamp01((x - c) / w + 0.5);
    case REHA_WINDOW_LINEAR:
        break;
    }
    if (w <= 1.0) {
        return x > c - 0.5 ? 1.0 : 0.0;
    }
    return clamp01((x - (c - 0.5)) / (w - 1.0) + 0.5);
}

static void span_of(const reha_gray *image, double *low, double *high)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        const double value = image->pixels[i];
        *low = value < *low ? value : *low; /* NaN compares false */
        *high = value > *high ? value : *high;
    }
}

void reha_dcm_apply_voi(const reha_dicom *dicom, uint32_t frame_idx, const reha_window *window,
                        reha_gray *image)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    reha_window own;
    reha_dcm_lut lut;
    double low;
    double high;
    float *p = image->pixels;
    span_of(image, &low, &high);
    if (window == NULL && low <= high &&
        sequence_lut(dicom, frame_idx, TAG_VOI_LUT_SEQUENCE, low < 0.0, &lut)) {
        const double full_scale = ldexp(1.0, (int)lut.bits) - 1.0;
        for (size_t i = 0; i < count; i++) {
            p[i] = isnan(p[i])
                       ? p[i]
                       : (float)clamp01((double)reha_dcm_lut_at(&lut, llround((double)p[i])) / full_scale);
        }
        return;
    }
    if (window == NULL && reha_dicom_window(dicom, frame_idx, &own)) {
        window = &own;
    }
    for (size_t i = 0; i < count; i++) {
        const double x = p[i];
        if (isnan(x)) {
            continue;
        }
        p[i] = (float)(window != NULL ? window_value(window, x)
                       : high > low   ? (x - low) / (high - low)
                                      : 0.0);
    }
}

/* Black at and below `low`, white from `high` on (the linear function of C.11.2.1.2.1). */
static reha_window window_between(double low, double high)
{
    return (reha_window){0.5 * (low + high + 1.0), high - low + 1.0, REHA_WINDOW_LINEAR};
}

/* Through the inputs where a table of rising values passes a tenth and nine tenths of its range. */
static bool window_of_lut(const reha_dcm_lut *lut, reha_window *out)
{
    const double full_scale = ldexp(1.0, (int)lut->bits) - 1.0;
    const double marks[2] = {0.1, 0.9};
    double at[2] = {(double)NAN, (double)NAN};
    for (int k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < lut->count && isnan(at[k]); i++) {
            if ((double)reha_dcm_lut_entry(lut, i) >= marks[k] * full_scale) {
                at[k] = (double)lut->first + (double)i;
            }
        }
    }
    if (!(at[1] > at[0])) {
        return false; /* falling, flat, or a step */
    }
    const double reach = 0.5 * (at[1] - at[0]) / (marks[1] - marks[0]);
    const double middle = 0.5 * (at[0] + at[1]);
    *out = window_between(middle - reach, middle + reach);
    return true;
}

reha_window reha_dcm_shown_window(const reha_dicom *dicom, uint32_t frame_idx)
{
    reha_window window;
    reha_dcm_lut lut;
    double low;
    double high;
    const bool is_signed =
        dicom->layout.is_signed || reha_dcm_find_modality(dicom, frame_idx).intercept < 0.0;
    if ((sequence_lut(dicom, frame_idx, TAG_VOI_LUT_SEQUENCE, is_signed, &lut) &&
         window_of_lut(&lut, &window)) ||
        reha_dicom_window(dicom, frame_idx, &window)) {
        return window;
    }
    if (!reha_dcm_frame_span(dicom, frame_idx, &low, &high)) {
        return (reha_window){.width = 0.0};
    }
    return window_between(low, high);
}
