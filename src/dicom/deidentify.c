/* De-identified copies: what stands for who it was, what is refused, the file around the elements. */
#include "dicom/deidentify_priv.h"

#include "base/memory.h"
#include "dicom/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYED_BYTES_MAX = 1024 };

static const char IMPLICIT_LITTLE[] = "1.2.840.10008.1.2";
static const char EXPLICIT_BIG[] = "1.2.840.10008.1.2.2";
static const char DIRECTORY_CLASS[] = "1.2.840.10008.1.3.10";

/* ---- keyed values ---- */

/* The kind stands in front, so that a number of a patient and a UID of the same digits give nothing alike. */
static void keyed(const reha_deid_options *options, const char *kind, const void *bytes, size_t count,
                  char out[REHA_DEID_TEXT_BYTES])
{
    uint8_t input[KEYED_BYTES_MAX];
    char inner[REHA_DEID_TEXT_BYTES];
    if (count > KEYED_BYTES_MAX / 2) { /* by its hash */
        options->mac(options->mac_context, bytes, count, inner);
        bytes = inner;
        count = sizeof inner - 1;
    }
    const int head = snprintf((char *)input, sizeof input, "rehascope deidentify 1 %s:", kind);
    memcpy(input + head, bytes, count);
    options->mac(options->mac_context, input, (size_t)head + count, out);
}

static uint32_t hex_u32(const char *digits)
{
    char text[9];
    memcpy(text, digits, 8);
    text[8] = '\0';
    return (uint32_t)strtoul(text, NULL, 16);
}

/* Without the blanks around it; false if nothing is left. */
bool reha_deid_trim(const reha_dicom *dicom, const reha_dcm_node *node, const uint8_t **out,
                    size_t *out_bytes)
{
    *out = NULL;
    *out_bytes = 0;
    if (node == NULL) {
        return false;
    }
    const uint8_t *p = dicom->set.bytes + node->offset;
    size_t count = node->length;
    while (count > 0 && (p[count - 1] == ' ' || p[count - 1] == '\0')) {
        count--;
    }
    while (count > 0 && (*p == ' ' || *p == '\0')) {
        p++;
        count--;
    }
    *out = p;
    *out_bytes = count;
    return count > 0;
}

const reha_dcm_node *reha_deid_find(const reha_dicom *dicom, uint32_t tag)
{
    return reha_dcm_find(&dicom->set, reha_dcm_root(&dicom->set), tag);
}

void reha_deid_new_uid(const deid_work *w, const reha_dcm_node *node, uint32_t tag, char out[65])
{
    const uint8_t *text;
    size_t count;
    char mac[REHA_DEID_TEXT_BYTES];
    char kind[16];
    if (reha_deid_trim(w->dicom, node, &text, &count)) {
        keyed(w->options, "uid", text, count, mac);
    } else { /* the file names none: one of its own, the same whenever it comes again */
        (void)snprintf(kind, sizeof kind, "no %08x", (unsigned)tag);
        keyed(w->options, kind, w->file, w->file_bytes, mac);
    }
    reha_dicom_uid_of(mac, out);
}

/* Crockford's base 32: no letters that are mistaken for digits. 50 bits. */
static void pseudonym_of(const char *mac, char out[REHA_DEID_PSEUDONYM_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t bits = (uint64_t)hex_u32(mac) << 32 | hex_u32(mac + 8);
    out[0] = 'D';
    out[1] = '-';
    for (size_t i = 2; i < 12; i++) {
        out[i] = digits[bits & 31];
        bits >>= 5;
    }
    out[12] = '\0';
}

static void name_patient(deid_work *w)
{
    enum { SHIFT_MIN_DAYS = 30, SHIFT_MAX_DAYS = 3650 };
    char mac[REHA_DEID_TEXT_BYTES];
    char study[65];
    const uint8_t *number;
    size_t count;
    w->result->has_patient_number =
        reha_deid_trim(w->dicom, reha_deid_find(w->dicom, TAG_PATIENT_ID), &number, &count);
    if (w->result->has_patient_number) {
        keyed(w->options, "patient", number, count, w->patient_mac);
    } else { /* not by the name: two people can have the same one */
        reha_deid_new_uid(w, reha_deid_find(w->dicom, TAG_STUDY_INSTANCE_UID), TAG_STUDY_INSTANCE_UID, study);
        keyed(w->options, "patient of study", study, strlen(study), w->patient_mac);
    }
    pseudonym_of(w->patient_mac, w->result->pseudonym);
    keyed(w->options, "shift", w->patient_mac, strlen(w->patient_mac), mac);
    w->shift_days = SHIFT_MIN_DAYS + (long)(hex_u32(mac) % (SHIFT_MAX_DAYS - SHIFT_MIN_DAYS + 1));
}

/* ---- the file ---- */

/* Everything of it is ours: the standard asks for that (E.1.1, 7). */
static void put_meta(deid_work *w)
{
    const char *class_uid = w->dicom->ids.sop_class_uid;
    const bool is_standard = reha_deid_is_standard_uid((const uint8_t *)class_uid, strlen(class_uid));
    reha_dcm_put_meta(&w->out, is_standard ? class_uid : REHA_DEID_SECONDARY_CAPTURE, w->result->sop_uid,
                      w->is_new_syntax ? NULL : w->dicom->syntax->uid);
}

static int compare_tags(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static reha_status tell_removed(deid_work *w, reha_error *err)
{
    const reha_dcm_dataset *set = &w->dicom->set;
    reha_deid_result *result = w->result;
    size_t count = 0;
    result->removed_tags = reha_alloc((set->node_count > 0 ? set->node_count : 1) * sizeof(uint32_t));
    if (result->removed_tags == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for what was removed");
    }
    for (uint32_t i = 0; i < set->node_count; i++) {
        const uint32_t tag = set->nodes[i].tag;
        if (w->is_handled[i] || tag == TAG_ITEM || tag >> 16 == 0x0002) {
            continue;
        }
        result->removed++;
        if ((tag >> 16) % 2 == 1) {
            result->removed_private++;
        } else {
            result->removed_tags[count++] = tag;
        }
    }
    qsort(result->removed_tags, count, sizeof(uint32_t), compare_tags);
    for (size_t i = 0; i < count; i++) {
        const size_t kept = result->removed_tag_count;
        if (kept == 0 || result->removed_tags[kept - 1] != result->removed_tags[i]) {
            result->removed_tags[result->removed_tag_count++] = result->removed_tags[i];
        }
    }
    return REHA_OK;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* What the class says is not an image, in words that help. */
static const char *other_object(const char *uid)
{
    static const struct {
        const char *start;
        const char *what;
    } kinds[] = {{"1.2.840.10008.5.1.4.1.1.88.", "a structured report"},
                 {"1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"},
                 {"1.2.840.10008.5.1.4.1.1.11.", "a presentation state with annotations"},
                 {"1.2.840.10008.5.1.4.1.1.9.", "a recording of signals"},
                 {"1.2.840.10008.5.1.4.1.1.66", "raw data, a segmentation or a registration"},
                 {"1.2.840.10008.5.1.4.1.1.481.", "an object of radiotherapy"},
                 {"1.2.840.10008.1.3.10", "a table of contents (DICOMDIR)"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (starts_with(uid, kinds[i].start)) {
            return kinds[i].what;
        }
    }
    return NULL;
}

static reha_status check_class(const char *uid, reha_error *err)
{
    const char *what = other_object(uid);
    if (what != NULL) {
        return reha_fail(err, REHA_E_REFUSED, "this is %s: only images are de-identified", what);
    }
    if (uid[0] != '\0' && !reha_deid_is_image_class(uid)) {
        return reha_fail(err, REHA_E_REFUSED,
                         "the file's SOP class is none of the images that are de-identified here");
    }
    return REHA_OK;
}

/* Can names stand in the pixels? By the file's own word, its class, and how it came to be. */
static reha_status check_burned_in(const reha_dicom *dicom, const reha_deid_options *options, bool is_blanked,
                                   reha_error *err)
{
    static const char advice[] = "look at it; then --blank X,Y,W,H, --blank-outside-regions or "
                                 "--accept-burned-in";
    const char *class_uid = dicom->ids.sop_class_uid;
    const bool is_ultrasound = reha_deid_has_word(dicom, TAG_MODALITY, 0, "US") ||
                               reha_deid_has_word(dicom, TAG_MODALITY, 0, "IVUS");
    const bool is_risky = options->is_picture || class_uid[0] == '\0' ||
                          reha_deid_is_risky_class(class_uid) || is_ultrasound ||
                          reha_deid_has_word(dicom, TAG_MODALITY, 0, "OT") ||
                          reha_deid_has_word(dicom, TAG_IMAGE_TYPE, 1, "SECONDARY") ||
                          reha_deid_has_word(dicom, TAG_RECOGNIZABLE_VISUAL_FEATURES, 0, "YES") ||
                          reha_deid_find(dicom, TAG_CONVERSION_TYPE) != NULL;
    if (options->accepts_burned_in || is_blanked) {
        return REHA_OK;
    }
    if (reha_deid_has_word(dicom, TAG_BURNED_IN_ANNOTATION, 0, "YES")) {
        return reha_fail(err, REHA_E_REFUSED, "the file says that text is burned into the pixels: %s",
                         advice);
    }
    if (reha_deid_has_word(dicom, TAG_RECOGNIZABLE_VISUAL_FEATURES, 0, "YES")) {
        return reha_fail(err, REHA_E_REFUSED,
                         "the file says that somebody can be recognised by the picture, as by a face: %s",
                         advice);
    }
    if (options->is_picture) {
        return reha_fail(err, REHA_E_REFUSED,
                         "a picture does not say whether text is burned into its pixels: %s", advice);
    }
    if (is_risky && !reha_deid_has_word(dicom, TAG_BURNED_IN_ANNOTATION, 0, "NO")) {
        return reha_fail(
            err, REHA_E_REFUSED,
            "%s whose Burned In Annotation (0028,0301) is not NO may hold a name in its pixels: %s",
            is_ultrasound ? "ultrasound" : "a secondary or derived picture", advice);
    }
    return REHA_OK;
}

/* A reader of ours must open it and find the same frames, or it is not handed out. */
static reha_status check_copy(const deid_work *w, reha_error *err)
{
    reha_dicom *copy = NULL;
    reha_error fault = REHA_ERROR_INIT;
    const reha_dicom *from = w->dicom;
    const reha_status status = reha_dicom_open(w->out.data, w->out.length, &from->limits, &copy, &fault);
    const bool is_same = status == REHA_OK && copy->layout.rows == from->layout.rows &&
                         copy->layout.columns == from->layout.columns &&
                         copy->layout.frames == from->layout.frames &&
                         copy->layout.is_signed == from->layout.is_signed &&
                         copy->layout.is_monochrome1 == from->layout.is_monochrome1;
    reha_dicom_close(copy);
    if (status == REHA_E_NOMEM) {
        return reha_fail(err, status, "out of memory for checking a copy");
    }
    return is_same
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT,
                           "the elements that describe the pixels are damaged: the copy could not be read");
}

static reha_status write_copy(deid_work *w, reha_error *err)
{
    const reha_dicom *dicom = w->dicom;
    const char *syntax = dicom->syntax->uid;
    reha_deid_result *result = w->result;
    w->is_new_syntax = w->pixels.is_decoded || dicom->set.inflated != NULL;
    w->out = (reha_dcm_writer){.is_implicit = !w->is_new_syntax && strcmp(syntax, IMPLICIT_LITTLE) == 0,
                               .is_big_endian = strcmp(syntax, EXPLICIT_BIG) == 0,
                               .err = err};
    w->is_handled = reha_alloc_zero(dicom->set.node_count > 0 ? dicom->set.node_count : 1, sizeof(bool));
    if (w->is_handled == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a copy");
    }
    name_patient(w);
    reha_deid_new_uid(w, reha_deid_find(dicom, TAG_SERIES_INSTANCE_UID), TAG_SERIES_INSTANCE_UID,
                      result->series_uid);
    reha_deid_new_uid(w, reha_deid_find(dicom, TAG_SOP_INSTANCE_UID), TAG_SOP_INSTANCE_UID, result->sop_uid);
    result->is_blanked = w->pixels.is_blanked;
    result->has_cleared_overlay = w->pixels.has_cleared_overlay;
    result->cleared_segments = w->pixels.cleared_segments;
    put_meta(w);
    reha_deid_put_elements(w, reha_dcm_root(&dicom->set), true);
    REHA_TRY(w->out.status);
    REHA_TRY(check_copy(w, err));
    REHA_TRY(tell_removed(w, err));
    result->bytes = w->out.data;
    result->size_bytes = w->out.length;
    w->out.data = NULL;
    return REHA_OK;
}

/* The reader's own words may hold what stands in the file; ours don't. */
static reha_status open_quietly(const void *bytes, size_t count, reha_dicom **out, reha_error *err)
{
    reha_error fault = REHA_ERROR_INIT;
    const reha_status status = reha_dicom_open(bytes, count, NULL, out, &fault);
    return status == REHA_OK
               ? REHA_OK
               : reha_fail(
                     err, status,
                     status == REHA_E_NOMEM   ? "out of memory for a DICOM file"
                     : status == REHA_E_LIMIT ? "the file is larger than the limits allow"
                     : status == REHA_E_UNSUPPORTED
                         ? "the file holds no image, or one of a kind that is not read ('rehascope analyse' says more)"
                         : "the file is damaged ('rehascope analyse' says more)");
}

reha_status reha_dicom_deidentify(const void *bytes, size_t count, const reha_deid_options *options,
                                  reha_deid_result *out, reha_error *err)
{
    reha_dicom *dicom = NULL;
    char class_uid[65];
    reha_dcm_dataset set;
    deid_work w = {.options = options, .file = bytes, .file_bytes = count, .result = out};
    reha_status status = REHA_OK;
    *out = (reha_deid_result){0};
    /* First what it is: objects without pixels have a better word to be refused with. */
    if (reha_dcm_parse(bytes, count, &set, NULL) == REHA_OK) {
        (void)reha_dcm_text(&set, reha_dcm_find(&set, reha_dcm_root(&set), TAG_SOP_CLASS_UID), 0, class_uid,
                            sizeof class_uid);
        reha_dcm_clear(&set);
        REHA_TRY(check_class(class_uid, err));
    }
    REHA_TRY(open_quietly(bytes, count, &dicom, err));
    w.dicom = dicom;
    REHA_CHECK(reha_deid_prepare_pixels(dicom, options, &w.pixels, err));
    REHA_CHECK(check_burned_in(dicom, options, w.pixels.is_blanked, err));
    REHA_CHECK(write_copy(&w, err));
done:
    reha_deid_pixels_clear(&w.pixels);
    reha_free(w.is_handled);
    reha_free(w.out.data);
    reha_dicom_close(dicom);
    if (status != REHA_OK) {
        reha_deid_clear(out);
    }
    return status;
}

void reha_deid_clear(reha_deid_result *result)
{
    reha_free(result->bytes);
    reha_free(result->removed_tags);
    *result = (reha_deid_result){0};
}

bool reha_dicom_is_directory(const void *bytes, size_t count)
{
    reha_dcm_dataset set;
    char class_uid[65] = "";
    if (reha_dcm_parse(bytes, count, &set, NULL) != REHA_OK) {
        return false;
    }
    (void)reha_dcm_text(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00020002u), 0, class_uid,
                        sizeof class_uid);
    reha_dcm_clear(&set);
    return strcmp(class_uid, DIRECTORY_CLASS) == 0;
}
