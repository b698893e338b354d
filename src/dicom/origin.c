/* Patient and study of an image, for what is made from it. */
#include "dicom/derived.h"
#include "dicom/dicom_priv.h"

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
    return REHA_OK;
}
