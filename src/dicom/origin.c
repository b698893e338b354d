/* Patient and study of an image, for what is made from it. */
#include "dicom/derived.h"
#include "dicom/dicom_priv.h"
#include "dicom/voi_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const reha_dcm_node *root_find(const reha_dicom *dicom, uint32_t tag)
{
    return reha_dcm_find(&dicom->set, reha_dcm_root(&dicom->set), tag);
}

static bool read_whole(const reha_dicom *dicom, uint32_t tag, char *out, size_t out_bytes)
{
    return reha_dcm_text_whole(&dicom->set, root_find(dicom, tag), out, out_bytes);
}

/* Digits (and a point) only: a date or time that is none is left out. */
static void read_digits(const reha_dicom *dicom, uint32_t tag, size_t chars_min, char *out, size_t out_bytes)
{
    (void)reha_dcm_text(&dicom->set, root_find(dicom, tag), 0, out, out_bytes);
    if (strlen(out) < chars_min || strspn(out, "0123456789.") != strlen(out)) {
        out[0] = '\0';
    }
}

/* `count` decimal strings of an attribute of the first frame, as they are; "" unless they are all there. */
static bool read_decimals(const reha_dicom *dicom, uint32_t tag, uint32_t count, char *out, size_t out_bytes)
{
    const reha_dcm_node *node = reha_dcm_frame_find(dicom, 0, tag);
    char one[17];
    double number;
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        if (!reha_dcm_text(&dicom->set, node, i, one, sizeof(one)) ||
            !reha_dcm_number(&dicom->set, node, i, &number) || used + strlen(one) + 2 > out_bytes) {
            out[0] = '\0';
            return false;
        }
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", i > 0 ? "\\" : "", one);
    }
    return true;
}

static void read_place(const reha_dicom *dicom, reha_dicom_shown *out)
{
    enum { POSITION_VALUES = 3, ORIENTATION_VALUES = 6 };
    const reha_spacing spacing = reha_dicom_spacing(dicom, 0);
    const bool is_in_patient = reha_spacing_is_known(spacing) && spacing.source != REHA_SPACING_AT_DETECTOR;
    out->x_mm = is_in_patient ? spacing.x_mm : 0.0;
    out->y_mm = is_in_patient ? spacing.y_mm : 0.0;
    out->aspect = reha_dicom_pixel_aspect(dicom);
    if (!reha_dcm_text(&dicom->set, root_find(dicom, TAG_FRAME_OF_REFERENCE_UID), 0,
                       out->frame_of_reference_uid, sizeof(out->frame_of_reference_uid)) ||
        strspn(out->frame_of_reference_uid, "0123456789.") != strlen(out->frame_of_reference_uid) ||
        !read_decimals(dicom, TAG_IMAGE_POSITION_PATIENT, POSITION_VALUES, out->position_mm,
                       sizeof(out->position_mm)) ||
        !read_decimals(dicom, TAG_IMAGE_ORIENTATION_PATIENT, ORIENTATION_VALUES, out->orientation,
                       sizeof(out->orientation)) ||
        !is_in_patient) {
        out->frame_of_reference_uid[0] = out->position_mm[0] = out->orientation[0] = '\0';
    }
}

static void read_shown(const reha_dicom *dicom, reha_dicom_shown *out)
{
    const reha_dcm_modality modality = reha_dcm_find_modality(dicom, 0);
    *out = (reha_dicom_shown){.is_colour = dicom->layout.colour != REHA_DCM_GREY,
                              .is_monochrome1 = dicom->layout.is_monochrome1,
                              .has_modality_lut = modality.has_lut,
                              .slope = modality.slope,
                              .intercept = modality.intercept,
                              .is_lossy = reha_dicom_facts(dicom)->is_lossy};
    if (!out->is_colour) {
        out->window = reha_dcm_shown_window(dicom, 0);
    }
    if (!read_decimals(dicom, TAG_LOSSY_COMPRESSION_RATIO, 1, out->lossy_ratio, sizeof(out->lossy_ratio)) ||
        !reha_dcm_text(&dicom->set, root_find(dicom, TAG_LOSSY_COMPRESSION_METHOD), 0, out->lossy_method,
                       sizeof(out->lossy_method))) {
        out->lossy_ratio[0] = out->lossy_method[0] = '\0';
    }
    read_place(dicom, out);
}

reha_status reha_dicom_origin_of(const reha_dicom *dicom, reha_dicom_origin *out, reha_error *err)
{
    enum { DATE_CHARS = 8, TIME_CHARS_MIN = 2 };
    *out = (reha_dicom_origin){.ids = *reha_dicom_get_ids(dicom)};
    if (!read_whole(dicom, TAG_PATIENT_ID, out->patient_id, sizeof(out->patient_id))) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "the patient's number in the file is in a character set that is not read");
    }
    if (out->ids.study_instance_uid[0] == '\0' || out->ids.series_instance_uid[0] == '\0' ||
        out->ids.sop_instance_uid[0] == '\0' || out->ids.sop_class_uid[0] == '\0') {
        return reha_fail(err, REHA_E_FORMAT, "the file does not say which image of which study it is");
    }
    (void)read_whole(dicom, TAG_PATIENT_NAME, out->patient_name, sizeof(out->patient_name));
    (void)read_whole(dicom, TAG_ISSUER_OF_PATIENT_ID, out->patient_id_issuer, sizeof(out->patient_id_issuer));
    (void)read_whole(dicom, TAG_STUDY_ID, out->study_id, sizeof(out->study_id));
    (void)read_whole(dicom, TAG_STUDY_DESCRIPTION, out->study_description, sizeof(out->study_description));
    (void)read_whole(dicom, TAG_ACCESSION_NUMBER, out->accession_number, sizeof(out->accession_number));
    (void)read_whole(dicom, TAG_REFERRING_PHYSICIAN_NAME, out->referring_physician,
                     sizeof(out->referring_physician));
    (void)reha_dcm_text(&dicom->set, root_find(dicom, TAG_PATIENT_SEX), 0, out->patient_sex,
                        sizeof(out->patient_sex));
    read_digits(dicom, TAG_PATIENT_BIRTH_DATE, DATE_CHARS, out->patient_birth_date,
                sizeof(out->patient_birth_date));
    read_digits(dicom, TAG_STUDY_DATE, DATE_CHARS, out->study_date, sizeof(out->study_date));
    read_digits(dicom, TAG_STUDY_TIME, TIME_CHARS_MIN, out->study_time, sizeof(out->study_time));
    (void)snprintf(out->modality, sizeof(out->modality), "%.16s", reha_dicom_facts(dicom)->modality);
    out->width_px = reha_dicom_width_px(dicom);
    out->height_px = reha_dicom_height_px(dicom);
    out->frame_count = reha_dicom_frame_count(dicom);
    read_shown(dicom, &out->shown);
    return REHA_OK;
}
