#include "dicom/write.h"

#include "base/file.h"
#include "base/memory.h"
#include "dicom/tags_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char EXPLICIT_LITTLE[] = "1.2.840.10008.1.2.1";
static const char CLASS_SECONDARY_CAPTURE[] = "1.2.840.10008.5.1.4.1.1.7";
static const char CLASS_CR[] = "1.2.840.10008.5.1.4.1.1.1";
static const char CLASS_DX[] = "1.2.840.10008.5.1.4.1.1.1.1";
static const char IMPLEMENTATION_CLASS[] = "2.25.170325409213781540672943810562749031187";

/* Elements are appended in ascending order of their tags. The first failure sticks. */
typedef struct writer {
    uint8_t *data;
    size_t length;
    size_t capacity;
    reha_status status;
    reha_error *err;
} writer;

static void fail(writer *w, reha_status status, const char *what)
{
    if (w->status == REHA_OK) {
        w->status = reha_fail(w->err, status, "%s", what);
    }
}

static void put_bytes(writer *w, const void *bytes, size_t count)
{
    size_t needed;
    if (w->status != REHA_OK || count == 0) {
        return;
    }
    if (!reha_add_size(w->length, count, &needed)) {
        fail(w, REHA_E_LIMIT, "the DICOM file would be too large");
        return;
    }
    if (needed > w->capacity) {
        const size_t capacity = needed + needed / 2 + 1024;
        uint8_t *data = reha_realloc(w->data, capacity);
        if (data == NULL) {
            fail(w, REHA_E_NOMEM, "out of memory for a DICOM file");
            return;
        }
        w->data = data;
        w->capacity = capacity;
    }
    memcpy(w->data + w->length, bytes, count);
    w->length = needed;
}

static void put_u16(writer *w, uint16_t value)
{
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    put_bytes(w, bytes, sizeof(bytes));
}

static void put_u32(writer *w, uint32_t value)
{
    put_u16(w, (uint16_t)value);
    put_u16(w, (uint16_t)(value >> 16));
}

static void put_header(writer *w, uint32_t tag, const char *vr, uint32_t length)
{
    put_u16(w, (uint16_t)(tag >> 16));
    put_u16(w, (uint16_t)tag);
    put_bytes(w, vr, 2);
    if (strcmp(vr, "OB") == 0 || strcmp(vr, "OW") == 0) {
        put_u16(w, 0);
        put_u32(w, length);
    } else {
        put_u16(w, (uint16_t)length);
    }
}

static void put_value_u16(writer *w, uint32_t tag, uint32_t value)
{
    put_header(w, tag, "US", 2);
    put_u16(w, (uint16_t)value);
}

static void put_text(writer *w, uint32_t tag, const char *vr, const char *text)
{
    const size_t length = strlen(text);
    if (length > 1024) {
        fail(w, REHA_E_ARG, "a text is too long for its DICOM attribute");
        return;
    }
    put_header(w, tag, vr, (uint32_t)(length + length % 2));
    put_bytes(w, text, length);
    if (length % 2 != 0) {
        put_bytes(w, strcmp(vr, "UI") == 0 ? "" : " ", 1); /* UIDs end with NUL, texts with a blank */
    }
}

/* One value of at most max_length characters; the separator and control characters have no place. */
static void put_checked(writer *w, uint32_t tag, const char *vr, const char *text, size_t max_length)
{
    text = text != NULL ? text : "";
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F || *p == '\\') {
            fail(w, REHA_E_ARG, "a text for DICOM holds a backslash or control character");
        }
    }
    if (strlen(text) > max_length) {
        fail(w, REHA_E_ARG, "a text is too long for its DICOM attribute");
    }
    put_text(w, tag, vr, text);
}

static void put_decimal(writer *w, uint32_t tag, double first, double second)
{
    enum { DECIMAL_MAX = 16 }; /* characters of one decimal string */
    char one[32];
    char two[32];
    char text[72];
    const int length_one = snprintf(one, sizeof(one), "%.10g", first);
    const int length_two = snprintf(two, sizeof(two), "%.10g", second);
    if (!isfinite(first) || length_one > DECIMAL_MAX || (!isnan(second) && length_two > DECIMAL_MAX)) {
        fail(w, REHA_E_ARG, "a number is too long or not finite for a DICOM decimal string");
        return;
    }
    (void)snprintf(text, sizeof(text), isnan(second) ? "%s" : "%s\\%s", one, two);
    put_text(w, tag, "DS", text);
}

static void put_decimals(writer *w, uint32_t tag, const double *values, size_t count)
{
    enum { DECIMAL_MAX = 16 }; /* characters of one decimal string */
    char text[128] = "";
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        char one[32];
        if (snprintf(one, sizeof(one), "%.9g", values[i]) > DECIMAL_MAX || !isfinite(values[i])) {
            fail(w, REHA_E_ARG, "a number is too long or not finite for a DICOM decimal string");
            return;
        }
        length += (size_t)snprintf(text + length, sizeof(text) - length, i > 0 ? "\\%s" : "%s", one);
    }
    put_text(w, tag, "DS", text);
}

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

reha_status reha_dicom_uid_new(char out[65], reha_error *err)
{
    uint32_t limbs[4];
    char digits[40];
    out[0] = '\0';
    if (getrandom(limbs, sizeof(limbs), 0) != (ssize_t)sizeof(limbs)) {
        return reha_fail(err, REHA_E_IO, "the system gives no random numbers for a UID");
    }
    limbs[1] = (limbs[1] & 0xFFFF0FFFu) | 0x4000u; /* as a version 4 UUID */
    limbs[2] = (limbs[2] & 0x3FFFFFFFu) | 0x80000000u;
    put_u128(limbs, digits);
    (void)snprintf(out, 65, "2.25.%s", digits);
    return REHA_OK;
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

static void put_meta(writer *w, const reha_dicom_ids *ids)
{
    static const uint8_t preamble[128];
    static const uint8_t version[2] = {0, 1};
    put_bytes(w, preamble, sizeof(preamble));
    put_bytes(w, "DICM", 4);
    put_header(w, 0x00020000u, "UL", 4);
    const size_t length_at = w->length;
    put_u32(w, 0);
    put_header(w, 0x00020001u, "OB", sizeof(version));
    put_bytes(w, version, sizeof(version));
    put_text(w, 0x00020002u, "UI", ids->sop_class_uid);
    put_text(w, 0x00020003u, "UI", ids->sop_instance_uid);
    put_text(w, TAG_TRANSFER_SYNTAX_UID, "UI", EXPLICIT_LITTLE);
    put_text(w, 0x00020012u, "UI", IMPLEMENTATION_CLASS);
    put_text(w, 0x00020013u, "SH", "REHASCOPE");
    if (w->status == REHA_OK) {
        const size_t length = w->length - length_at - 4;
        w->data[length_at] = (uint8_t)length;
        w->data[length_at + 1] = (uint8_t)(length >> 8);
    }
}

static const char *side_code(reha_side side)
{
    return side == REHA_SIDE_RIGHT ? "R" : side == REHA_SIDE_LEFT ? "L" : side == REHA_SIDE_BOTH ? "B" : "U";
}

static void put_date(writer *w, uint32_t tag, const char *iso)
{
    char text[9] = "";
    if (strlen(iso) == 10) {
        (void)snprintf(text, sizeof(text), "%.4s%.2s%.2s", iso, iso + 5, iso + 8);
    }
    put_text(w, tag, "DA", text);
}

static void put_positive(writer *w, uint32_t tag, double value)
{
    if (value > 0.0) {
        put_decimals(w, tag, &value, 1);
    }
}

/* Groups 0008 to 0020. Empty texts are attributes that the standard wants present, if empty. */
static void put_identification(writer *w, const reha_dicom_image *image, const reha_dicom_ids *ids)
{
    const reha_acquisition *facts = &image->facts;
    const reha_dicom_slice *slice = image->slice;
    char instance[16];
    const bool is_capture = strcmp(ids->sop_class_uid, CLASS_SECONDARY_CAPTURE) == 0;
    put_text(w, TAG_SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192");
    put_text(w, 0x00080008u, "CS", is_capture ? "DERIVED\\SECONDARY" : "ORIGINAL\\PRIMARY");
    put_text(w, TAG_SOP_CLASS_UID, "UI", ids->sop_class_uid);
    put_text(w, TAG_SOP_INSTANCE_UID, "UI", ids->sop_instance_uid);
    put_date(w, TAG_STUDY_DATE, ids->acquisition_date);
    put_date(w, TAG_ACQUISITION_DATE, ids->acquisition_date);
    put_text(w, 0x00080030u, "TM", "");
    put_text(w, 0x00080050u, "SH", "");
    put_checked(w, TAG_MODALITY, "CS", facts->modality[0] != '\0' ? facts->modality : "OT", 16);
    if (is_capture) {
        put_text(w, 0x00080064u, "CS", "WSD"); /* made on a workstation */
    }
    put_checked(w, TAG_MANUFACTURER, "LO", facts->manufacturer, 64);
    put_text(w, 0x00080090u, "PN", "");
    put_checked(w, TAG_MANUFACTURER_MODEL_NAME, "LO", facts->device_model, 64);
    put_checked(w, 0x00100010u, "PN", image->patient_name, 64);
    put_checked(w, TAG_PATIENT_ID, "LO", image->patient_id, 64);
    put_text(w, 0x00100030u, "DA", "");
    put_text(w, 0x00100040u, "CS", "");
    put_checked(w, TAG_BODY_PART_EXAMINED, "CS", facts->body_part, 16);
    if (slice != NULL) {
        put_decimals(w, TAG_SLICE_THICKNESS, &slice->thickness_mm, 1);
        put_positive(w, TAG_REPETITION_TIME, slice->repetition_ms);
        put_positive(w, TAG_ECHO_TIME, slice->echo_ms);
        put_decimals(w, TAG_SPACING_BETWEEN_SLICES, &slice->between_mm, 1);
    }
    if (image->spacing.source == REHA_SPACING_MAGNIFICATION) {
        put_decimal(w, TAG_ESTIMATED_MAGNIFICATION, image->magnification, (double)NAN);
    }
    if (image->spacing.source == REHA_SPACING_MAGNIFICATION ||
        image->spacing.source == REHA_SPACING_AT_DETECTOR) {
        const double factor =
            image->spacing.source == REHA_SPACING_MAGNIFICATION ? image->magnification : 1.0;
        put_decimal(w, TAG_IMAGER_PIXEL_SPACING, image->spacing.y_mm * factor, image->spacing.x_mm * factor);
    }
    put_checked(w, TAG_PATIENT_POSITION, "CS", facts->patient_position, 16);
    put_checked(w, TAG_VIEW_POSITION, "CS", facts->view_position, 16);
    put_text(w, TAG_STUDY_INSTANCE_UID, "UI", ids->study_instance_uid);
    put_text(w, TAG_SERIES_INSTANCE_UID, "UI", ids->series_instance_uid);
    put_text(w, 0x00200010u, "SH", "");
    put_text(w, 0x00200011u, "IS", "1");
    (void)snprintf(instance, sizeof(instance), "%u", slice != NULL ? slice->instance_no : 1u);
    put_text(w, TAG_INSTANCE_NUMBER, "IS", instance);
    put_text(w, TAG_PATIENT_ORIENTATION, "CS", facts->orientation); /* has a separator of its own */
    if (slice != NULL) {
        double axes[6];
        memcpy(axes, slice->row, sizeof(slice->row));
        memcpy(axes + 3, slice->column, sizeof(slice->column));
        put_decimals(w, TAG_IMAGE_POSITION_PATIENT, slice->position_mm, 3);
        put_decimals(w, TAG_IMAGE_ORIENTATION_PATIENT, axes, 6);
    }
    put_text(w, TAG_IMAGE_LATERALITY, "CS", side_code(facts->side));
}

static bool has_pixel_spacing(const reha_dicom_image *image)
{
    return image->spacing.source == REHA_SPACING_CALIBRATED || image->spacing.source == REHA_SPACING_USER;
}

static uint32_t frames_of(const reha_dicom_image *image)
{
    return image->frame_count > 0 ? image->frame_count : 1;
}

static void put_pixel_module(writer *w, const reha_dicom_image *image)
{
    char frames[16];
    const uint32_t allocated = image->bits_stored <= 8 ? 8 : 16;
    put_value_u16(w, TAG_SAMPLES_PER_PIXEL, 1);
    put_text(w, TAG_PHOTOMETRIC_INTERPRETATION, "CS",
             image->facts.was_monochrome1 ? "MONOCHROME1" : "MONOCHROME2");
    if (image->frame_count > 0) {
        (void)snprintf(frames, sizeof(frames), "%u", image->frame_count);
        put_text(w, TAG_NUMBER_OF_FRAMES, "IS", frames);
    }
    put_value_u16(w, TAG_ROWS, image->height_px);
    put_value_u16(w, TAG_COLUMNS, image->width_px);
    if (has_pixel_spacing(image)) {
        put_decimal(w, TAG_PIXEL_SPACING, image->spacing.y_mm, image->spacing.x_mm);
    }
    put_value_u16(w, TAG_BITS_ALLOCATED, allocated);
    put_value_u16(w, TAG_BITS_STORED, image->bits_stored);
    put_value_u16(w, TAG_HIGH_BIT, image->bits_stored - 1);
    put_value_u16(w, TAG_PIXEL_REPRESENTATION, 0);
    put_text(w, TAG_BURNED_IN_ANNOTATION, "CS", image->facts.has_burned_in_text ? "YES" : "NO");
    if (has_pixel_spacing(image)) {
        put_text(w, TAG_CALIBRATION_TYPE, "CS", "FIDUCIAL");
        put_text(w, 0x00280A04u, "LO",
                 image->spacing.source == REHA_SPACING_USER ? "stated by the user" : "known size");
    }
    if (image->window_width > 0.0) {
        put_decimal(w, TAG_WINDOW_CENTER, image->window_center, (double)NAN);
        put_decimal(w, TAG_WINDOW_WIDTH, image->window_width, (double)NAN);
    }
    if (image->rescale_slope != 0.0) {
        put_decimal(w, TAG_RESCALE_INTERCEPT, image->rescale_intercept, (double)NAN);
        put_decimal(w, TAG_RESCALE_SLOPE, image->rescale_slope, (double)NAN);
        put_text(w, 0x00281054u, "LO", "US"); /* unit of the result: unspecified */
    }
    put_text(w, TAG_LOSSY_IMAGE_COMPRESSION, "CS", image->facts.is_lossy ? "01" : "00");
}

static void put_pixels(writer *w, const reha_dicom_image *image)
{
    const size_t count = (size_t)image->width_px * image->height_px * frames_of(image);
    if (image->bits_stored <= 8) {
        put_header(w, TAG_PIXEL_DATA, "OB", (uint32_t)(count + count % 2));
        put_bytes(w, image->pixels, count);
        put_bytes(w, "", count % 2);
        return;
    }
    put_header(w, TAG_PIXEL_DATA, "OW", (uint32_t)(count * 2));
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        put_bytes(w, image->pixels, count * 2);
        return;
    }
    const uint8_t *p = image->pixels;
    for (size_t i = 0; i < count; i++, p += 2) {
        uint16_t value;
        memcpy(&value, p, sizeof(value));
        put_u16(w, value);
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
    writer w = {.status = REHA_OK, .err = err};
    reha_dicom_ids ids;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(check(image, err));
    REHA_TRY(complete_ids(image, &ids, err));
    put_meta(&w, &ids);
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
