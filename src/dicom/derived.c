#include "dicom/derived.h"

#include "base/memory.h"
#include "dicom/derived_priv.h"
#include "dicom/tags_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char CLASS_PDF[] = "1.2.840.10008.5.1.4.1.1.104.1";
static const char CLASS_CAPTURE[] = "1.2.840.10008.5.1.4.1.1.7";
static const char CLASS_SEGMENTATION[] = "1.2.840.10008.5.1.4.1.1.66.4";

enum { SH_CHARS = 16, LO_CHARS = 64, PN_CHARS = 194, CODE_CHARS = 16, ST_CHARS = 1024 };

void reha_dcm_put_code(reha_dcm_writer *w, uint32_t tag, const char *value, const char *scheme,
                       const char *meaning)
{
    const size_t sequence = reha_dcm_open_sequence(w, tag);
    const size_t item = reha_dcm_open_item(w);
    const bool is_long = strlen(value) > CODE_CHARS;
    if (!is_long) {
        reha_dcm_put_checked(w, 0x00080100u, "SH", value, CODE_CHARS);
    }
    reha_dcm_put_checked(w, 0x00080102u, "SH", scheme, SH_CHARS);
    reha_dcm_put_words(w, TAG_CODE_MEANING, "LO", meaning, LO_CHARS);
    if (is_long) {
        reha_dcm_put_checked(w, 0x00080119u, "UC", value, LO_CHARS);
    }
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

void reha_dcm_put_source(reha_dcm_writer *w, const reha_dicom_origin *image)
{
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00081150u, "UI", image->ids.sop_class_uid);
    reha_dcm_put_text(w, 0x00081155u, "UI", image->ids.sop_instance_uid);
    reha_dcm_close(w, item);
}

void reha_dcm_put_sources(reha_dcm_writer *w, uint32_t tag, const reha_dicom_object *object)
{
    const size_t sequence = reha_dcm_open_sequence(w, tag);
    for (size_t i = 0; i < object->image_count; i++) {
        reha_dcm_put_source(w, object->images[i]);
    }
    reha_dcm_close(w, sequence);
}

void reha_dcm_put_source_frame(reha_dcm_writer *w, const reha_dicom_origin *image)
{
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00081150u, "UI", image->ids.sop_class_uid);
    reha_dcm_put_text(w, 0x00081155u, "UI", image->ids.sop_instance_uid);
    if (image->frame_count > 1) {
        reha_dcm_put_text(w, 0x00081160u, "IS", "1");
    }
    reha_dcm_close(w, item);
}

void reha_dcm_put_source_series(reha_dcm_writer *w, uint32_t references_tag, const reha_dicom_origin *image,
                                bool with_frame)
{
    const size_t sequence = reha_dcm_open_sequence(w, 0x00081115u);
    const size_t item = reha_dcm_open_item(w);
    const size_t references = reha_dcm_open_sequence(w, references_tag);
    if (with_frame) {
        reha_dcm_put_source_frame(w, image);
    } else {
        reha_dcm_put_source(w, image);
    }
    reha_dcm_close(w, references);
    reha_dcm_put_text(w, TAG_SERIES_INSTANCE_UID, "UI", image->ids.series_instance_uid);
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

void reha_dcm_put_points(reha_dcm_writer *w, uint32_t tag, const reha_point_px *points, size_t count)
{
    enum { VALUES_MAX = 8000 }; /* of a short value */
    if (count > VALUES_MAX) {
        reha_dcm_write_failed(w, REHA_E_LIMIT, "a line has too many points for a DICOM attribute");
        return;
    }
    reha_dcm_put_header(w, tag, "FL", (uint32_t)(count * 2 * sizeof(float)));
    for (size_t i = 0; i < count; i++) {
        const float pair[2] = {(float)(points[i].x_px + 0.5), (float)(points[i].y_px + 0.5)};
        for (int k = 0; k < 2; k++) {
            uint32_t bits;
            memcpy(&bits, &pair[k], sizeof(bits));
            reha_dcm_put_u32(w, bits);
        }
    }
}

static double linear_of(unsigned channel)
{
    const double c = channel / 255.0;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double lab_curve(double t)
{
    return t > 216.0 / 24389.0 ? cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0;
}

void reha_dcm_put_lab(reha_dcm_writer *w, uint32_t tag, unsigned rgb)
{
    /* sRGB to XYZ under D50, as ICC profiles of sRGB have it; rows over their white. */
    static const double to_xyz[3][3] = {{0.4360747, 0.3850649, 0.1430804},
                                        {0.2225045, 0.7168786, 0.0606169},
                                        {0.0139322, 0.0971045, 0.7141733}};
    static const double white[3] = {0.96422, 1.0, 0.82521};
    const double channels[3] = {linear_of(rgb >> 16 & 0xFFU), linear_of(rgb >> 8 & 0xFFU),
                                linear_of(rgb & 0xFFU)};
    double f[3];
    for (int i = 0; i < 3; i++) {
        f[i] =
            lab_curve((to_xyz[i][0] * channels[0] + to_xyz[i][1] * channels[1] + to_xyz[i][2] * channels[2]) /
                      white[i]);
    }
    const double values[3] = {(116.0 * f[1] - 16.0) / 100.0, (500.0 * (f[0] - f[1]) + 128.0) / 255.0,
                              (200.0 * (f[1] - f[2]) + 128.0) / 255.0};
    reha_dcm_put_header(w, tag, "US", 3 * sizeof(uint16_t));
    for (int i = 0; i < 3; i++) {
        reha_dcm_put_u16(w, (uint16_t)lround(fmin(fmax(values[i], 0.0), 1.0) * UINT16_MAX));
    }
}

void reha_dcm_put_person(reha_dcm_writer *w, uint32_t tag, const char *person, const char *none)
{
    enum { PERSON_CHARS = 64 };
    char name[REHA_DICOM_NAME_BYTES];
    size_t used = 0;
    for (; person[used] != '\0' && used + 1 < sizeof(name); used++) {
        name[used] = person[used] == '^' || person[used] == '=' ? ' ' : person[used];
    }
    name[used] = '\0';
    reha_dcm_put_words(w, tag, "PN", name[0] != '\0' ? name : none, PERSON_CHARS);
}

/* Whose codes are behind the designator that is not of the standard (C.12.1.1.3.1). */
static void put_own_scheme(reha_dcm_writer *w)
{
    const size_t sequence = reha_dcm_open_sequence(w, 0x00080110u);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00080102u, "SH", REHA_DICOM_OWN_SCHEME);
    reha_dcm_put_text(w, 0x00080115u, "ST", "Codes of Rehascope (docs/formats/dicom-export.md)");
    reha_dcm_put_text(w, 0x00080116u, "ST", "Rehascope");
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

void reha_dcm_put_object_head(reha_dcm_writer *w, const reha_dicom_object *object, const char *class_uid,
                              const char *modality)
{
    const reha_dicom_origin *origin = object->origin;
    const bool is_capture = strcmp(class_uid, CLASS_CAPTURE) == 0;
    const bool is_workstation = is_capture || strcmp(class_uid, CLASS_PDF) == 0;
    const bool is_segmentation = strcmp(class_uid, CLASS_SEGMENTATION) == 0;
    const bool is_presentation = strcmp(modality, "PR") == 0; /* it has times of its own */
    reha_dcm_put_text(w, TAG_SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192");
    if (is_capture) {
        reha_dcm_put_text(w, TAG_IMAGE_TYPE, "CS", "DERIVED\\SECONDARY");
    } else if (is_segmentation) {
        reha_dcm_put_text(w, TAG_IMAGE_TYPE, "CS", "DERIVED\\PRIMARY");
    }
    reha_dcm_put_text(w, 0x00080012u, "DA", object->content_date);
    reha_dcm_put_text(w, 0x00080013u, "TM", object->content_time);
    reha_dcm_put_text(w, TAG_SOP_CLASS_UID, "UI", class_uid);
    reha_dcm_put_text(w, TAG_SOP_INSTANCE_UID, "UI", object->instance_uid);
    reha_dcm_put_text(w, TAG_STUDY_DATE, "DA", origin->study_date);
    if (!is_presentation) {
        reha_dcm_put_text(w, TAG_CONTENT_DATE, "DA", object->content_date);
    }
    if (strcmp(class_uid, CLASS_PDF) == 0) {
        reha_dcm_put_text(w, TAG_ACQUISITION_DATE_TIME, "DT", ""); /* of several images: none */
    }
    reha_dcm_put_text(w, TAG_STUDY_TIME, "TM", origin->study_time);
    if (!is_presentation) {
        reha_dcm_put_text(w, 0x00080033u, "TM", object->content_time);
    }
    reha_dcm_put_words(w, TAG_ACCESSION_NUMBER, "SH", origin->accession_number, SH_CHARS);
    reha_dcm_put_text(w, TAG_MODALITY, "CS", modality);
    if (is_workstation) {
        reha_dcm_put_text(w, 0x00080064u, "CS", "WSD");
    }
    reha_dcm_put_text(w, TAG_MANUFACTURER, "LO", "Rehascope");
    reha_dcm_put_words(w, TAG_REFERRING_PHYSICIAN_NAME, "PN", origin->referring_physician, PN_CHARS);
    if (is_segmentation || strcmp(modality, "SR") == 0) {
        put_own_scheme(w);
    }
    reha_dcm_put_words(w, TAG_STUDY_DESCRIPTION, "LO", origin->study_description, LO_CHARS);
    reha_dcm_put_words(w, 0x0008103Eu, "LO", object->series_description, LO_CHARS);
    reha_dcm_put_text(w, TAG_MANUFACTURER_MODEL_NAME, "LO", "rehascope");
}

void reha_dcm_put_object_patient(reha_dcm_writer *w, const reha_dicom_object *object)
{
    static const char *const sexes[] = {"M", "F", "O"};
    const reha_dicom_origin *origin = object->origin;
    const char *sex = "";
    for (size_t i = 0; i < sizeof(sexes) / sizeof(sexes[0]); i++) {
        sex = strcmp(origin->patient_sex, sexes[i]) == 0 ? sexes[i] : sex;
    }
    reha_dcm_put_checked(w, TAG_PATIENT_NAME, "PN", origin->patient_name, PN_CHARS);
    reha_dcm_put_checked(w, TAG_PATIENT_ID, "LO", origin->patient_id, LO_CHARS);
    if (origin->patient_id_issuer[0] != '\0') {
        reha_dcm_put_checked(w, TAG_ISSUER_OF_PATIENT_ID, "LO", origin->patient_id_issuer, LO_CHARS);
    }
    reha_dcm_put_text(w, TAG_PATIENT_BIRTH_DATE, "DA", origin->patient_birth_date);
    reha_dcm_put_text(w, TAG_PATIENT_SEX, "CS", sex);
    if (object->serial != NULL) {
        reha_dcm_put_words(w, 0x00181000u, "LO", object->serial, LO_CHARS);
    }
    reha_dcm_put_words(w, 0x00181020u, "LO", object->software, LO_CHARS);
}

void reha_dcm_put_object_place(reha_dcm_writer *w, const reha_dicom_object *object)
{
    char number[16];
    reha_dcm_put_text(w, TAG_STUDY_INSTANCE_UID, "UI", object->origin->ids.study_instance_uid);
    reha_dcm_put_text(w, TAG_SERIES_INSTANCE_UID, "UI", object->series_uid);
    reha_dcm_put_words(w, TAG_STUDY_ID, "SH", object->origin->study_id, SH_CHARS);
    (void)snprintf(number, sizeof(number), "%d", object->series_number);
    reha_dcm_put_text(w, TAG_SERIES_NUMBER, "IS", number);
    (void)snprintf(number, sizeof(number), "%d", object->instance_number);
    reha_dcm_put_text(w, TAG_INSTANCE_NUMBER, "IS", number);
}

reha_status reha_dcm_take(reha_dcm_writer *w, uint8_t **out, size_t *out_bytes)
{
    *out = NULL;
    *out_bytes = 0;
    if (w->status != REHA_OK) {
        reha_free(w->data);
        w->data = NULL;
        return w->status;
    }
    *out = w->data;
    *out_bytes = w->length;
    return REHA_OK;
}

reha_status reha_dicom_write_pdf(const reha_dicom_object *object, const char *title, const uint8_t *pdf,
                                 size_t pdf_bytes, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    reha_dcm_writer w = {.err = err};
    *out = NULL;
    *out_bytes = 0;
    if (pdf_bytes == 0 || pdf_bytes > UINT32_MAX - 2) {
        return reha_fail(err, REHA_E_LIMIT, "a PDF of %zu bytes is too large for a DICOM object", pdf_bytes);
    }
    reha_dcm_put_meta(&w, CLASS_PDF, object->instance_uid, NULL);
    reha_dcm_put_object_head(&w, object, CLASS_PDF, "DOC");
    reha_dcm_put_object_patient(&w, object);
    reha_dcm_put_object_place(&w, object);
    reha_dcm_put_text(&w, TAG_BURNED_IN_ANNOTATION, "CS", "YES"); /* it says whose it is */
    reha_dcm_put_code(&w, 0x0040A043u, "18748-4", "LN", "Diagnostic imaging report");
    reha_dcm_put_text(&w, 0x0040A493u, "CS", object->is_verified ? "VERIFIED" : "UNVERIFIED");
    reha_dcm_put_words(&w, 0x00420010u, "ST", title, ST_CHARS);
    reha_dcm_put_header(&w, 0x00420011u, "OB", (uint32_t)(pdf_bytes + pdf_bytes % 2));
    reha_dcm_put_bytes(&w, pdf, pdf_bytes);
    reha_dcm_put_bytes(&w, "", pdf_bytes % 2);
    reha_dcm_put_text(&w, 0x00420012u, "LO", "application/pdf");
    reha_dcm_put_sources(&w, 0x00420013u, object);
    reha_dcm_put_value_u32(&w, 0x00420015u, (uint32_t)pdf_bytes);
    return reha_dcm_take(&w, out, out_bytes);
}

static void put_colour_pixels(reha_dcm_writer *w, const uint8_t *rgb, uint32_t width_px, uint32_t height_px)
{
    const size_t count = (size_t)width_px * height_px * 3;
    reha_dcm_put_value_u16(w, TAG_SAMPLES_PER_PIXEL, 3);
    reha_dcm_put_text(w, TAG_PHOTOMETRIC_INTERPRETATION, "CS", "RGB");
    reha_dcm_put_value_u16(w, TAG_PLANAR_CONFIGURATION, 0);
    reha_dcm_put_value_u16(w, TAG_ROWS, height_px);
    reha_dcm_put_value_u16(w, TAG_COLUMNS, width_px);
    reha_dcm_put_value_u16(w, TAG_BITS_ALLOCATED, 8);
    reha_dcm_put_value_u16(w, TAG_BITS_STORED, 8);
    reha_dcm_put_value_u16(w, TAG_HIGH_BIT, 7);
    reha_dcm_put_value_u16(w, TAG_PIXEL_REPRESENTATION, 0);
    reha_dcm_put_text(w, TAG_BURNED_IN_ANNOTATION, "CS", "YES");
    reha_dcm_put_header(w, TAG_PIXEL_DATA, "OB", (uint32_t)(count + count % 2));
    reha_dcm_put_bytes(w, rgb, count);
    reha_dcm_put_bytes(w, "", count % 2);
}

reha_status reha_dicom_write_capture(const reha_dicom_object *object, const char *description,
                                     const uint8_t *rgb, uint32_t width_px, uint32_t height_px, uint8_t **out,
                                     size_t *out_bytes, reha_error *err)
{
    reha_dcm_writer w = {.err = err};
    *out = NULL;
    *out_bytes = 0;
    if (width_px < 1 || width_px > UINT16_MAX || height_px < 1 || height_px > UINT16_MAX ||
        (uint64_t)width_px * height_px > (UINT32_MAX - 2) / 3) {
        return reha_fail(err, REHA_E_LIMIT, "a picture of %u x %u px is too large for a DICOM object",
                         width_px, height_px);
    }
    reha_dcm_put_meta(&w, CLASS_CAPTURE, object->instance_uid, NULL);
    reha_dcm_put_object_head(&w, object, CLASS_CAPTURE, "OT");
    reha_dcm_put_words(&w, 0x00082111u, "ST", description, ST_CHARS);
    reha_dcm_put_sources(&w, 0x00082112u, object);
    reha_dcm_put_object_patient(&w, object);
    reha_dcm_put_object_place(&w, object);
    reha_dcm_put_text(&w, TAG_PATIENT_ORIENTATION, "CS", "");
    reha_dcm_put_text(&w, TAG_LATERALITY, "CS", ""); /* of the series: it may show both sides */
    put_colour_pixels(&w, rgb, width_px, height_px);
    return reha_dcm_take(&w, out, out_bytes);
}
