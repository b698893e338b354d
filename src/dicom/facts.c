/* Acquisition facts and identifiers. */
#include "dicom/dicom_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const reha_dcm_node *root_find(const reha_dicom *dicom, uint32_t tag)
{
    return reha_dcm_find(&dicom->set, reha_dcm_root(&dicom->set), tag);
}

static void read_text(const reha_dicom *dicom, uint32_t tag, char *out, size_t out_bytes)
{
    (void)reha_dcm_text_utf8(&dicom->set, reha_dcm_frame_find(dicom, 0, tag), out, out_bytes);
}

static void read_code(const reha_dicom *dicom, uint32_t tag, char *out, size_t out_bytes)
{
    (void)reha_dcm_text(&dicom->set, reha_dcm_frame_find(dicom, 0, tag), 0, out, out_bytes);
    for (char *p = out; *p != '\0'; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
}

/* A UID is digits and dots; anything else must not end up in a file name or a query. */
static void read_uid(reha_dicom *dicom, uint32_t tag, const char *name, char *out, size_t out_bytes)
{
    const reha_dcm_node *node = root_find(dicom, tag);
    if (reha_dcm_text(&dicom->set, node, 0, out, out_bytes) && strspn(out, "0123456789.") == strlen(out)) {
        return;
    }
    out[0] = '\0';
    reha_dcm_warn(dicom, "%s is %s", name, node == NULL || node->length == 0 ? "missing" : "malformed");
}

static bool read_date(const reha_dicom *dicom, uint32_t tag, char out[11])
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    char text[33];
    out[0] = '\0';
    if (!reha_dcm_text(&dicom->set, root_find(dicom, tag), 0, text, sizeof(text)) ||
        strspn(text, "0123456789") < 8) {
        return false;
    }
    const int month = (text[4] - '0') * 10 + text[5] - '0';
    const int day = (text[6] - '0') * 10 + text[7] - '0';
    if (memcmp(text, "1896", 4) < 0 || memcmp(text, "2200", 4) > 0 || month < 1 || month > 12 || day < 1 ||
        day > days[month - 1]) {
        return false;
    }
    (void)snprintf(out, 11, "%.4s-%.2s-%.2s", text, text + 4, text + 6);
    return true;
}

static reha_side read_side(const reha_dicom *dicom)
{
    static const uint32_t tags[] = {TAG_FRAME_LATERALITY, TAG_IMAGE_LATERALITY, TAG_LATERALITY};
    char code[17];
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        read_code(dicom, tags[i], code, sizeof(code));
        if (strcmp(code, "R") == 0) {
            return REHA_SIDE_RIGHT;
        }
        if (strcmp(code, "L") == 0) {
            return REHA_SIDE_LEFT;
        }
        if (strcmp(code, "B") == 0) {
            return REHA_SIDE_BOTH;
        }
    }
    return REHA_SIDE_UNKNOWN;
}

static void read_body_part(reha_dicom *dicom)
{
    reha_dcm_scope item;
    char *out = dicom->facts.body_part;
    read_code(dicom, TAG_BODY_PART_EXAMINED, out, sizeof(dicom->facts.body_part));
    if (out[0] == '\0' &&
        reha_dcm_item(&dicom->set, reha_dcm_frame_find(dicom, 0, TAG_ANATOMIC_REGION_SEQUENCE), 0, &item)) {
        (void)reha_dcm_text(&dicom->set, reha_dcm_find(&dicom->set, item, TAG_CODE_MEANING), 0, out,
                            sizeof(dicom->facts.body_part));
        for (char *p = out; *p != '\0'; p++) {
            *p = (char)toupper((unsigned char)*p);
        }
    }
}

static void read_orientation(const reha_dicom *dicom, char *out, size_t out_bytes)
{
    char row[9];
    char column[9];
    const reha_dcm_node *node = root_find(dicom, TAG_PATIENT_ORIENTATION);
    out[0] = '\0';
    if (reha_dcm_text(&dicom->set, node, 0, row, sizeof(row)) &&
        reha_dcm_text(&dicom->set, node, 1, column, sizeof(column))) {
        (void)snprintf(out, out_bytes, "%s\\%s", row, column);
    }
}

static bool was_lossy(const reha_dicom *dicom)
{
    char code[17];
    read_code(dicom, TAG_LOSSY_IMAGE_COMPRESSION, code, sizeof(code));
    if (strcmp(code, "00") == 0 || strcmp(code, "01") == 0) {
        /* "00" with a process that only exists as a lossy one is a mistake of the file. */
        const bool may_be_lossless = strcmp(dicom->syntax->uid, "1.2.840.10008.1.2.4.81") == 0 ||
                                     strcmp(dicom->syntax->uid, "1.2.840.10008.1.2.4.91") == 0;
        return code[1] == '1' || (dicom->syntax->is_lossy && !may_be_lossless);
    }
    return dicom->syntax->is_lossy;
}

void reha_dcm_read_facts(reha_dicom *dicom)
{
    reha_acquisition *facts = &dicom->facts;
    reha_dicom_ids *ids = &dicom->ids;
    char code[17];
    *facts = reha_acquisition_unknown();
    memcpy(facts->container, "dicom", sizeof("dicom"));
    read_code(dicom, TAG_MODALITY, facts->modality, sizeof(facts->modality));
    read_body_part(dicom);
    read_code(dicom, TAG_VIEW_POSITION, facts->view_position, sizeof(facts->view_position));
    read_code(dicom, TAG_PATIENT_POSITION, facts->patient_position, sizeof(facts->patient_position));
    read_text(dicom, TAG_MANUFACTURER, facts->manufacturer, sizeof(facts->manufacturer));
    read_text(dicom, TAG_MANUFACTURER_MODEL_NAME, facts->device_model, sizeof(facts->device_model));
    read_orientation(dicom, facts->orientation, sizeof(facts->orientation));
    memcpy(facts->transfer_syntax_uid, dicom->set.transfer_syntax_uid, sizeof(facts->transfer_syntax_uid));
    facts->side = read_side(dicom);
    facts->was_monochrome1 = dicom->layout.is_monochrome1;
    facts->is_lossy = was_lossy(dicom);
    read_code(dicom, TAG_BURNED_IN_ANNOTATION, code, sizeof(code));
    facts->has_burned_in_text = strcmp(code, "YES") == 0;
    facts->bits_stored = dicom->layout.bits_stored;
    facts->frame_count = dicom->layout.frames;

    read_uid(dicom, TAG_STUDY_INSTANCE_UID, "Study Instance UID", ids->study_instance_uid,
             sizeof(ids->study_instance_uid));
    read_uid(dicom, TAG_SERIES_INSTANCE_UID, "Series Instance UID", ids->series_instance_uid,
             sizeof(ids->series_instance_uid));
    read_uid(dicom, TAG_SOP_INSTANCE_UID, "SOP Instance UID", ids->sop_instance_uid,
             sizeof(ids->sop_instance_uid));
    read_uid(dicom, TAG_SOP_CLASS_UID, "SOP Class UID", ids->sop_class_uid, sizeof(ids->sop_class_uid));
    (void)(read_date(dicom, TAG_ACQUISITION_DATE, ids->acquisition_date) ||
           read_date(dicom, TAG_ACQUISITION_DATE_TIME, ids->acquisition_date) ||
           read_date(dicom, TAG_CONTENT_DATE, ids->acquisition_date) ||
           read_date(dicom, TAG_STUDY_DATE, ids->acquisition_date));
    memcpy(facts->acquired_on, ids->acquisition_date, sizeof(facts->acquired_on));
}
