#include "dicom/segmentation.h"

#include "base/memory.h"
#include "dicom/derived_priv.h"
#include "dicom/tags_priv.h"

#include <stdio.h>
#include <string.h>

static const char CLASS_SEGMENTATION[] = "1.2.840.10008.5.1.4.1.1.66.4";

enum { LABEL_CHARS = 64, DESCRIPTION_CHARS = 64, WORDS_CHARS = 1000, SEGMENTS_MAX = 100, CELLS_A_BYTE = 8 };

static void put_number(reha_dcm_writer *w, uint32_t tag, size_t number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%zu", number);
    reha_dcm_put_text(w, tag, "IS", text);
}

/* ---- what a segment is ---- */

static void put_type(reha_dcm_writer *w, const reha_dicom_segment *segment)
{
    const reha_sr_concept *modifier = &segment->modifier;
    const size_t sequence = reha_dcm_open_sequence(w, 0x0062000Fu);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00080100u, "SH", segment->type.value);
    reha_dcm_put_text(w, 0x00080102u, "SH", segment->type.scheme);
    reha_dcm_put_words(w, TAG_CODE_MEANING, "LO", segment->type.meaning, LABEL_CHARS);
    if (modifier->value != NULL) {
        reha_dcm_put_code(w, 0x00620011u, modifier->value, modifier->scheme, modifier->meaning);
    }
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static void put_algorithm(reha_dcm_writer *w, const reha_dicom_segmentation *what)
{
    const size_t sequence = reha_dcm_open_sequence(w, 0x00620007u);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00240202u, "LO", "Rehascope");
    reha_dcm_put_code(w, 0x0066002Fu, "123109", "DCM", "Artificial Intelligence");
    reha_dcm_put_words(w, 0x00660031u, "LO", what->algorithm_version, LABEL_CHARS);
    reha_dcm_put_words(w, 0x00660032u, "LT", what->algorithm_parameters, WORDS_CHARS);
    reha_dcm_put_words(w, 0x00660036u, "LO", what->algorithm_name, LABEL_CHARS);
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static void put_segments(reha_dcm_writer *w, const reha_dicom_segmentation *what)
{
    const size_t sequence = reha_dcm_open_sequence(w, 0x00620002u);
    for (size_t i = 0; i < what->count; i++) {
        const reha_dicom_segment *segment = &what->segments[i];
        const size_t item = reha_dcm_open_item(w);
        reha_dcm_put_code(w, 0x00620003u, segment->category.value, segment->category.scheme,
                          segment->category.meaning);
        reha_dcm_put_value_u16(w, 0x00620004u, (uint32_t)(i + 1));
        reha_dcm_put_words(w, 0x00620005u, "LO", segment->label, LABEL_CHARS);
        reha_dcm_put_words(w, 0x00620006u, "ST", segment->description, WORDS_CHARS);
        put_algorithm(w, what);
        reha_dcm_put_text(w, 0x00620008u, "CS", "AUTOMATIC");
        reha_dcm_put_words(w, 0x00620009u, "LO", what->algorithm_name, LABEL_CHARS);
        reha_dcm_put_lab(w, 0x0062000Du, segment->rgb);
        put_type(w, segment);
        reha_dcm_put_words(w, 0x00620020u, "UT", segment->tracking, WORDS_CHARS);
        reha_dcm_put_text(w, 0x00620021u, "UI", segment->tracking_uid);
        reha_dcm_close(w, item);
    }
    reha_dcm_close(w, sequence);
}

/* ---- frames ---- */

static void put_pointer(reha_dcm_writer *w, uint32_t tag, uint32_t value)
{
    reha_dcm_put_header(w, tag, "AT", sizeof value);
    reha_dcm_put_u16(w, (uint16_t)(value >> 16));
    reha_dcm_put_u16(w, (uint16_t)value);
}

/* One dimension: the segment. Its organization is this object's alone and is named after its series. */
static void put_dimensions(reha_dcm_writer *w, const reha_dicom_object *object)
{
    size_t sequence = reha_dcm_open_sequence(w, 0x00209221u);
    size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00209164u, "UI", object->series_uid);
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
    sequence = reha_dcm_open_sequence(w, 0x00209222u);
    item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00209164u, "UI", object->series_uid);
    put_pointer(w, 0x00209165u, 0x0062000Bu);
    put_pointer(w, 0x00209167u, 0x0062000Au);
    reha_dcm_put_text(w, 0x00209421u, "LO", "Segment");
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static void put_derivation(reha_dcm_writer *w, const reha_dicom_origin *image)
{
    const size_t sequence = reha_dcm_open_sequence(w, 0x00089124u);
    const size_t item = reha_dcm_open_item(w);
    const size_t sources = reha_dcm_open_sequence(w, TAG_SOURCE_IMAGE_SEQUENCE);
    const size_t source = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00081150u, "UI", image->ids.sop_class_uid);
    reha_dcm_put_text(w, 0x00081155u, "UI", image->ids.sop_instance_uid);
    if (image->frame_count > 1) {
        reha_dcm_put_text(w, 0x00081160u, "IS", "1");
    }
    reha_dcm_put_text(w, 0x0028135Au, "CS", "YES");
    reha_dcm_put_code(w, 0x0040A170u, "121322", "DCM", "Source image for image processing operation");
    reha_dcm_close(w, source);
    reha_dcm_close(w, sources);
    reha_dcm_put_code(w, 0x00089215u, "113076", "DCM", "Segmentation");
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static void put_texts(reha_dcm_writer *w, uint32_t sequence_tag, uint32_t tag, const char *text)
{
    const size_t sequence = reha_dcm_open_sequence(w, sequence_tag);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, tag, "DS", text);
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

/* The same for all frames: from which image, and where and how large where that is known. */
static void put_shared(reha_dcm_writer *w, const reha_dicom_origin *image)
{
    const reha_dicom_shown *shown = &image->shown;
    const size_t sequence = reha_dcm_open_sequence(w, TAG_SHARED_FUNCTIONAL_GROUPS);
    const size_t item = reha_dcm_open_item(w);
    put_derivation(w, image);
    if (shown->frame_of_reference_uid[0] != '\0') {
        put_texts(w, TAG_PLANE_POSITION_SEQUENCE, TAG_IMAGE_POSITION_PATIENT, shown->position_mm);
        put_texts(w, TAG_PLANE_ORIENTATION_SEQUENCE, TAG_IMAGE_ORIENTATION_PATIENT, shown->orientation);
    }
    if (shown->x_mm > 0.0 && shown->y_mm > 0.0) {
        const size_t measures = reha_dcm_open_sequence(w, TAG_PIXEL_MEASURES_SEQUENCE);
        const size_t measure = reha_dcm_open_item(w);
        reha_dcm_put_decimal(w, TAG_PIXEL_SPACING, shown->y_mm, shown->x_mm);
        reha_dcm_close(w, measure);
        reha_dcm_close(w, measures);
    }
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static void put_frames(reha_dcm_writer *w, size_t count)
{
    const size_t sequence = reha_dcm_open_sequence(w, TAG_PER_FRAME_FUNCTIONAL_GROUPS);
    for (size_t i = 0; i < count; i++) {
        const size_t item = reha_dcm_open_item(w);
        const size_t contents = reha_dcm_open_sequence(w, TAG_FRAME_CONTENT_SEQUENCE);
        const size_t content = reha_dcm_open_item(w);
        reha_dcm_put_value_u32(w, 0x00209157u, (uint32_t)(i + 1));
        reha_dcm_close(w, content);
        reha_dcm_close(w, contents);
        const size_t segments = reha_dcm_open_sequence(w, 0x0062000Au);
        const size_t segment = reha_dcm_open_item(w);
        reha_dcm_put_value_u16(w, 0x0062000Bu, (uint32_t)(i + 1));
        reha_dcm_close(w, segment);
        reha_dcm_close(w, segments);
        reha_dcm_close(w, item);
    }
    reha_dcm_close(w, sequence);
}

/* ---- pixels ---- */

static void put_layout(reha_dcm_writer *w, const reha_dicom_segmentation *what,
                       const reha_dicom_origin *image)
{
    const reha_dicom_shown *shown = &image->shown;
    reha_dcm_put_value_u16(w, TAG_SAMPLES_PER_PIXEL, 1);
    reha_dcm_put_text(w, TAG_PHOTOMETRIC_INTERPRETATION, "CS", "MONOCHROME2");
    put_number(w, TAG_NUMBER_OF_FRAMES, what->count);
    reha_dcm_put_value_u16(w, TAG_ROWS, image->height_px);
    reha_dcm_put_value_u16(w, TAG_COLUMNS, image->width_px);
    reha_dcm_put_value_u16(w, TAG_BITS_ALLOCATED, 1);
    reha_dcm_put_value_u16(w, TAG_BITS_STORED, 1);
    reha_dcm_put_value_u16(w, TAG_HIGH_BIT, 0);
    reha_dcm_put_value_u16(w, TAG_PIXEL_REPRESENTATION, 0);
    reha_dcm_put_text(w, TAG_LOSSY_IMAGE_COMPRESSION, "CS", shown->is_lossy ? "01" : "00");
    if (shown->is_lossy && shown->lossy_ratio[0] != '\0') {
        reha_dcm_put_text(w, TAG_LOSSY_COMPRESSION_RATIO, "DS", shown->lossy_ratio);
        reha_dcm_put_text(w, TAG_LOSSY_COMPRESSION_METHOD, "CS", shown->lossy_method);
    }
}

/* Eight cells a byte, the first one lowest, frames without a gap (PS3.5 8.1.1). */
static void put_cells(reha_dcm_writer *w, const reha_dicom_segmentation *what, size_t cells)
{
    const size_t bytes = (what->count * cells + CELLS_A_BYTE - 1) / CELLS_A_BYTE;
    uint8_t *packed = reha_alloc_zero(bytes, 1);
    if (packed == NULL) {
        reha_dcm_write_failed(w, REHA_E_NOMEM, "out of memory for a segmentation");
        return;
    }
    for (size_t k = 0; k < what->count; k++) {
        for (size_t i = 0; i < cells; i++) {
            const size_t at = k * cells + i;
            if (what->segments[k].inside[i] != 0) {
                packed[at / CELLS_A_BYTE] |= (uint8_t)(1U << at % CELLS_A_BYTE);
            }
        }
    }
    reha_dcm_put_value(w, TAG_PIXEL_DATA, "OB", packed, bytes);
    reha_free(packed);
}

reha_status reha_dicom_write_segmentation(const reha_dicom_segmentation *what, uint8_t **out,
                                          size_t *out_bytes, reha_error *err)
{
    reha_dicom_object with_serial = *what->object;
    const reha_dicom_object *object = &with_serial;
    const reha_dicom_origin *image = object->images[0];
    const size_t cells = (size_t)image->width_px * image->height_px;
    reha_dcm_writer w = {.err = err};
    *out = NULL;
    *out_bytes = 0;
    if (what->count == 0 || what->count > SEGMENTS_MAX || image->width_px > UINT16_MAX ||
        image->height_px > UINT16_MAX || cells / CELLS_A_BYTE >= UINT32_MAX / what->count - 1) {
        return reha_fail(err, REHA_E_LIMIT, "%zu masks of %u x %u px are no segmentation object", what->count,
                         image->width_px, image->height_px);
    }
    with_serial.serial = "none"; /* enhanced equipment: it must say one */
    reha_dcm_put_meta(&w, CLASS_SEGMENTATION, object->instance_uid, NULL);
    reha_dcm_put_object_head(&w, object, CLASS_SEGMENTATION, "SEG");
    reha_dcm_put_source_series(&w, 0x0008114Au, image, false);
    reha_dcm_put_object_patient(&w, object);
    reha_dcm_put_object_place(&w, object);
    reha_dcm_put_text(&w, TAG_PATIENT_ORIENTATION, "CS", "");
    if (image->shown.frame_of_reference_uid[0] != '\0') {
        reha_dcm_put_text(&w, TAG_FRAME_OF_REFERENCE_UID, "UI", image->shown.frame_of_reference_uid);
        reha_dcm_put_text(&w, 0x00201040u, "LO", ""); /* position reference: none */
    }
    put_dimensions(&w, object);
    put_layout(&w, what, image);
    reha_dcm_put_text(&w, 0x00620001u, "CS", "BINARY");
    put_segments(&w, what);
    reha_dcm_put_text(&w, 0x00620013u, "CS", "YES"); /* fascicles lie in the belly */
    reha_dcm_put_text(&w, 0x00700080u, "CS", what->label);
    reha_dcm_put_words(&w, 0x00700081u, "LO", what->description, DESCRIPTION_CHARS);
    reha_dcm_put_person(&w, 0x00700084u, what->creator, "");
    put_shared(&w, image);
    put_frames(&w, what->count);
    put_cells(&w, what, cells);
    return reha_dcm_take(&w, out, out_bytes);
}
