#include "dicom/write.h"

#include "base/file.h"
#include "base/memory.h"
#include "dicom/element_priv.h"
#include "dicom/tags_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char CLASS_SECONDARY_CAPTURE[] = "1.2.840.10008.5.1.4.1.1.7";
static const char CLASS_CR[] = "1.2.840.10008.5.1.4.1.1.1";
static const char CLASS_DX[] = "1.2.840.10008.5.1.4.1.1.1.1";

static void put_u128(uint32_t limbs[4], char out[40])
{
    char digits[40];
    size_t count = 0;
    do {
        uint64_t rest = 0;
        for (int i = 0; i < 4; i++) {
            const uint64_t part = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(part / 10);
            rest = part % 10;
        }
        digits[count++] = (char)('0' + rest);
    } while ((limbs[0] | limbs[1] | limbs[2] | limbs[3]) != 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = digits[count - 1 - i];
    }
    out[count] = '\0';
}

static void uid_of_bits(uint32_t limbs[4], uint32_t version, char out[65])
{
    char digits[40];
    limbs[1] = (limbs[1] & 0xFFFF0FFFu) | version << 12; /* as a UUID */
    limbs[2] = (limbs[2] & 0x3FFFFFFFu) | 0x80000000u;
    put_u128(limbs, digits);
    (void)snprintf(out, 65, "2.25.%s", digits);
}

reha_status reha_dicom_uid_new(char out[65], reha_error *err)
{
    enum { RANDOM = 4 };
    uint32_t limbs[4];
    out[0] = '\0';
    if (getrandom(limbs, sizeof(limbs), 0) != (ssize_t)sizeof(limbs)) {
        return reha_fail(err, REHA_E_IO, "the system gives no random numbers for a UID");
    }
    uid_of_bits(limbs, RANDOM, out);
    return REHA_OK;
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0);
}

void reha_dicom_uid_of(const char *digest, char out[65])
{
    enum { CUSTOM = 8, HEX_CHARS = 8 };
    uint32_t limbs[4] = {0};
    for (size_t i = 0; i < (size_t)4 * HEX_CHARS && digest[i] != '\0'; i++) {
        limbs[i / HEX_CHARS] = limbs[i / HEX_CHARS] << 4 | hex_digit(digest[i]);
    }
    uid_of_bits(limbs, CUSTOM, out);
}

static bool is_uid(const char *text)
{
    return text[0] != '\0' && strlen(text) <= 64 && strspn(text, "0123456789.") == strlen(text);
}

static reha_status complete_ids(const reha_dicom_image *image, reha_dicom_ids *ids, reha_error *err)
{
    *ids = image->ids;
    char *made[] = {ids->study_instance_uid, ids->series_instance_uid, ids->sop_instance_uid};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        if (made[i][0] == '\0') {
            REHA_TRY(reha_dicom_uid_new(made[i], err));
        }
    }
    if (ids->sop_class_uid[0] == '\0') {
        const char *modality = image->facts.modality;
        (void)snprintf(ids->sop_class_uid, sizeof(ids->sop_class_uid), "%s",
                       strcmp(modality, "DX") == 0   ? CLASS_DX
                       : strcmp(modality, "CR") == 0 ? CLASS_CR
                                                     : CLASS_SECONDARY_CAPTURE);
    }
    if (!is_uid(ids->study_instance_uid) || !is_uid(ids->series_instance_uid) ||
        !is_uid(ids->sop_instance_uid) || !is_uid(ids->sop_class_uid)) {
        return reha_fail(err, REHA_E_ARG, "a UID holds more than 64 digits and dots, or something else");
    }
    return REHA_OK;
}

static const char *side_code(reha_side side)
{
    return side == REHA_SIDE_RIGHT ? "R" : side == REHA_SIDE_LEFT ? "L" : side == REHA_SIDE_BOTH ? "B" : "U";
}

static void put_date(reha_dcm_writer *w, uint32_t tag, const char *iso)
{
    char text[9] = "";
    if (strlen(iso) == 10) {
        (void)snprintf(text, sizeof(text), "%.4s%.2s%.2s", iso, iso + 5, iso + 8);
    }
    reha_dcm_put_text(w, tag, "DA", text);
}

static void put_positive(reha_dcm_writer *w, uint32_t tag, double value)
{
    if (value > 0.0) {
        reha_dcm_put_decimals(w, tag, &value, 1);
    }
}

/* Groups 0008 to 0020. Empty texts are attributes that the standard wants present, if empty. */
static void put_identification(reha_dcm_writer *w, const reha_dicom_image *image, const reha_dicom_ids *ids)
{
    const reha_acquisition *facts = &image->facts;
    const reha_dicom_slice *slice = image->slice;
    char instance[16];
    const bool is_capture = strcmp(ids->sop_class_uid, CLASS_SECONDARY_CAPTURE) == 0;
    reha_dcm_put_text(w, TAG_SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192");
    reha_dcm_put_text(w, 0x00080008u, "CS", is_capture ? "DERIVED\\SECONDARY" : "ORIGINAL\\PRIMARY");
    reha_dcm_put_text(w, TAG_SOP_CLASS_UID, "UI", ids->sop_class_uid);
    reha_dcm_put_text(w, TAG_SOP_INSTANCE_UID, "UI", ids->sop_instance_uid);
    put_date(w, TAG_STUDY_DATE, ids->acquisition_date);
    put_date(w, TAG_ACQUISITION_DATE, ids->acquisition_date);
    reha_dcm_put_text(w, 0x00080030u, "TM", "");
    reha_dcm_put_text(w, 0x00080050u, "SH", "");
    reha_dcm_put_checked(w, TAG_MODALITY, "CS", facts->modality[0] != '\0' ? facts->modality : "OT", 16);
    if (is_capture) {
        reha_dcm_put_text(w, 0x00080064u, "CS", "WSD"); /* made on a workstation */
    }
    reha_dcm_put_checked(w, TAG_MANUFACTURER, "LO", facts->manufacturer, 64);
    reha_dcm_put_text(w, 0x00080090u, "PN", "");
    reha_dcm_put_checked(w, TAG_MANUFACTURER_MODEL_NAME, "LO", facts->device_model, 64);
    reha_dcm_put_checked(w, 0x00100010u, "PN", image->patient_name, 64);
    reha_dcm_put_checked(w, TAG_PATIENT_ID, "LO", image->patient_id, 64);
    reha_dcm_put_text(w, 0x00100030u, "DA", "");
    reha_dcm_put_text(w, 0x00100040u, "CS", "");
    reha_dcm_put_checked(w, TAG_BODY_PART_EXAMINED, "CS", facts->body_part, 16);
    if (slice != NULL) {
        reha_dcm_put_decimals(w, TAG_SLICE_THICKNESS, &slice->thickness_mm, 1);
        put_positive(w, TAG_REPETITION_TIME, slice->repetition_ms);
        put_positive(w, TAG_ECHO_TIME, slice->echo_ms);
        reha_dcm_put_decimals(w, TAG_SPACING_BETWEEN_SLICES, &slice->between_mm, 1);
    }
    if (image->spacing.source == REHA_SPACING_MAGNIFICATION) {
        reha_dcm_put_decimal(w, TAG_ESTIMATED_MAGNIFICATION, image->magnification, (double)NAN);
    }
    if (image->spacing.source == REHA_SPACING_MAGNIFICATION ||
        image->spacing.source == REHA_SPACING_AT_DETECTOR) {
        const double factor =
            image->spacing.source == REHA_SPACING_MAGNIFICATION ? image->magnification : 1.0;
        reha_dcm_put_decimal(w, TAG_IMAGER_PIXEL_SPACING, image->spacing.y_mm * factor,
                             image->spacing.x_mm * factor);
    }
    reha_dcm_put_checked(w, TAG_PATIENT_POSITION, "CS", facts->patient_position, 16);
    reha_dcm_put_checked(w, TAG_VIEW_POSITION, "CS", facts->view_position, 16);
    reha_dcm_put_text(w, TAG_STUDY_INSTANCE_UID, "UI", ids->study_instance_uid);
    reha_dcm_put_text(w, TAG_SERIES_INSTANCE_UID, "UI", ids->series_instance_uid);
    reha_dcm_put_text(w, 0x00200010u, "SH", "");
    reha_dcm_put_text(w, 0x00200011u, "IS", "1");
    (void)snprintf(instance, sizeof(instance), "%u", slice != NULL ? slice->instance_no : 1u);
    reha_dcm_put_text(w, TAG_INSTANCE_NUMBER, "IS", instance);
    reha_dcm_put_text(w, TAG_PATIENT_ORIENTATION, "CS", facts->orientation); /* has a separator of its own */
    if (slice != NULL) {
        double axes[6];
        memcpy(axes, slice->row, sizeof(slice->row));
        memcpy(axes + 3, slice->column, sizeof(slice->column));
        reha_dcm_put_decimals(w, TAG_IMAGE_POSITION_PATIENT, slice->position_mm, 3);
        reha_dcm_put_decimals(w, TAG_IMAGE_ORIENTATION_PATIENT, axes, 6);
    }
    reha_dcm_put_text(w, TAG_IMAGE_LATERALITY, "CS", side_code(facts->side));
}

static bool has_pixel_spacing(const reha_dicom_image *image)
{
    return image->spacing.source == REHA_SPACING_CALIBRATED || image->spacing.source == REHA_SPACING_USER;
}

static uint32_t frames_of(const reha_dicom_image *image)
{
    return image->frame_count > 0 ? image->frame_count : 1;
}

static void put_pixel_module(reha_dcm_writer *w, const reha_dicom_image *image)
{
    char frames[16];
    const uint32_t allocated = image->bits_stored <= 8 ? 8 : 16;
    reha_dcm_put_value_u16(w, TAG_SAMPLES_PER_PIXEL, 1);
    reha_dcm_put_text(w, TAG_PHOTOMETRIC_INTERPRETATION, "CS",
                      image->facts.was_monochrome1 ? "MONOCHROME1" : "MONOCHROME2");
    if (image->frame_count > 0) {
        (void)snprintf(frames, sizeof(frames), "%u", image->frame_count);
        reha_dcm_put_text(w, TAG_NUMBER_OF_FRAMES, "IS", frames);
    }
    reha_dcm_put_value_u16(w, TAG_ROWS, image->height_px);
    reha_dcm_put_value_u16(w, TAG_COLUMNS, image->width_px);
    if (has_pixel_spacing(image)) {
        reha_dcm_put_decimal(w, TAG_PIXEL_SPACING, image->spacing.y_mm, image->spacing.x_mm);
    }
    reha_dcm_put_value_u16(w, TAG_BITS_ALLOCATED, allocated);
    reha_dcm_put_value_u16(w, TAG_BITS_STORED, image->bits_stored);
    reha_dcm_put_value_u16(w, TAG_HIGH_BIT, image->bits_stored - 1);
    reha_dcm_put_value_u16(w, TAG_PIXEL_REPRESENTATION, 0);
    reha_dcm_put_text(w, TAG_BURNED_IN_ANNOTATION, "CS", image->facts.has_burned_in_text ? "YES" : "NO");
    if (has_pixel_spacing(image)) {
        reha_dcm_put_text(w, TAG_CALIBRATION_TYPE, "CS", "FIDUCIAL");
        reha_dcm_put_text(w, 0x00280A04u, "LO",
                          image->spacing.source == REHA_SPACING_USER ? "stated by the user" : "known size");
    }
    if (image->window_width > 0.0) {
        reha_dcm_put_decimal(w, TAG_WINDOW_CENTER, image->window_center, (double)NAN);
        reha_dcm_put_decimal(w, TAG_WINDOW_WIDTH, image->window_width, (double)NAN);
    }
    if (image->rescale_slope != 0.0) {
        reha_dcm_put_decimal(w, TAG_RESCALE_INTERCEPT, image->rescale_intercept, (double)NAN);
        reha_dcm_put_decimal(w, TAG_RESCALE_SLOPE, image->rescale_slope, (double)NAN);
        reha_dcm_put_text(w, 0x00281054u, "LO", "US"); /* unit of the result: unspecified */
    }
    reha_dcm_put_text(w, TAG_LOSSY_IMAGE_COMPRESSION, "CS", image->facts.is_lossy ? "01" : "00");
}

static void put_pixels(reha_dcm_writer *w, const reha_dicom_image *image)
{
    const size_t count = (size_t)image->width_px * image->height_px * frames_of(image);
    if (image->bits_stored <= 8) {
        reha_dcm_put_header(w, TAG_PIXEL_DATA, "OB", (uint32_t)(count + count % 2));
        reha_dcm_put_bytes(w, image->pixels, count);
        reha_dcm_put_bytes(w, "", count % 2);
        return;
    }
    reha_dcm_put_header(w, TAG_PIXEL_DATA, "OW", (uint32_t)(count * 2));
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        reha_dcm_put_bytes(w, image->pixels, count * 2);
        return;
    }
    const uint8_t *p = image->pixels;
    for (size_t i = 0; i < count; i++, p += 2) {
        uint16_t value;
        memcpy(&value, p, sizeof(value));
        reha_dcm_put_u16(w, value);
    }
}

static reha_status check(const reha_dicom_image *image, reha_error *err)
{
    const reha_spacing_source source = image->spacing.source;
    const bool needs_mm = source != REHA_SPACING_UNKNOWN;
    if (image->pixels == NULL || image->width_px < 1 || image->width_px > UINT16_MAX ||
        image->height_px < 1 || image->height_px > UINT16_MAX) {
        return reha_fail(err, REHA_E_ARG, "a DICOM image has 1 to 65535 rows and columns, not %u x %u",
                         image->width_px, image->height_px);
    }
    if (image->bits_stored < 1 || image->bits_stored > 16) {
        return reha_fail(err, REHA_E_ARG, "a DICOM image is written with 1 to 16 bits, not %u",
                         image->bits_stored);
    }
    if ((uint64_t)image->width_px * image->height_px > (UINT32_MAX - 1) / 2 / frames_of(image)) {
        return reha_fail(err, REHA_E_LIMIT, "a DICOM image of %u x %u pixels and %u frame(s) is too large",
                         image->width_px, image->height_px, frames_of(image));
    }
    if (needs_mm && !reha_spacing_is_known(image->spacing)) {
        return reha_fail(err, REHA_E_ARG, "a spacing with a source needs two lengths above zero");
    }
    if (source == REHA_SPACING_MAGNIFICATION &&
        !(image->magnification > 1.0 && image->magnification <= 4.0)) {
        return reha_fail(err, REHA_E_ARG, "a magnification of %g is not credible", image->magnification);
    }
    return REHA_OK;
}

reha_dicom_image reha_dicom_image_empty(void)
{
    return (reha_dicom_image){.facts = reha_acquisition_unknown(), .spacing = reha_spacing_unknown()};
}

reha_status reha_dicom_write_image(const reha_dicom_image *image, uint8_t **out, size_t *out_bytes,
                                   reha_error *err)
{
    reha_dcm_writer w = {.status = REHA_OK, .err = err};
    reha_dicom_ids ids;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(check(image, err));
    REHA_TRY(complete_ids(image, &ids, err));
    reha_dcm_put_meta(&w, ids.sop_class_uid, ids.sop_instance_uid, NULL);
    put_identification(&w, image, &ids);
    put_pixel_module(&w, image);
    put_pixels(&w, image);
    if (w.status != REHA_OK) {
        reha_free(w.data);
        return w.status;
    }
    *out = w.data;
    *out_bytes = w.length;
    return REHA_OK;
}

reha_status reha_dicom_save_image(const reha_dicom_image *image, const char *path, reha_error *err)
{
    uint8_t *bytes;
    size_t size_bytes;
    REHA_TRY(reha_dicom_write_image(image, &bytes, &size_bytes, err));
    const reha_status status = reha_file_save(path, bytes, size_bytes, err);
    reha_free(bytes);
    return status;
}
