/* One pass over each level of the file: the first element of every tag on the list is judged by its rule and
 * written anew, in the order of the list. There is no other way into the copy. */
#include "dicom/deidentify_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "dicom/write.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYED_BYTES_MAX = 1024, NUMBER_VALUES_MAX_BYTES = 128, ITEMS_MAX = 0xFFFFFF };
#define UNDEFINED_LENGTH 0xFFFFFFFFu
#define NO_NODE          UINT32_MAX

static const char EXPLICIT_LITTLE[] = "1.2.840.10008.1.2.1";
static const char IMPLICIT_LITTLE[] = "1.2.840.10008.1.2";
static const char EXPLICIT_BIG[] = "1.2.840.10008.1.2.2";
static const char DIRECTORY_CLASS[] = "1.2.840.10008.1.3.10";
static const char SECONDARY_CAPTURE[] = "1.2.840.10008.5.1.4.1.1.7";
static const char METHOD[] = "Rehascope: what is known to be harmless is kept (PS3.15 E.1)";

typedef struct work {
    const reha_dicom *dicom;
    const reha_deid_options *options;
    const uint8_t *file; /* as it came, for what has to stand for a missing UID */
    size_t file_bytes;
    deid_pixels pixels;
    deid_out out;
    bool *is_handled;   /* [nodes]: in the copy, or replaced by something there */
    bool is_new_syntax; /* inflated or decoded: explicit little endian now */
    long shift_days;
    char patient_mac[REHA_DEID_TEXT_BYTES]; /* names the patient, or the study where no number does */
    reha_deid_result *result;
} work;

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
static bool trimmed(const reha_dicom *dicom, const reha_dcm_node *node, const uint8_t **out,
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

static const reha_dcm_node *root_find(const reha_dicom *dicom, uint32_t tag)
{
    return reha_dcm_find(&dicom->set, reha_dcm_root(&dicom->set), tag);
}

static void new_uid(const work *w, const reha_dcm_node *node, uint32_t tag, char out[65])
{
    const uint8_t *text;
    size_t count;
    char mac[REHA_DEID_TEXT_BYTES];
    char kind[16];
    if (trimmed(w->dicom, node, &text, &count)) {
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

static void name_patient(work *w)
{
    enum { SHIFT_MIN_DAYS = 30, SHIFT_MAX_DAYS = 3650 };
    char mac[REHA_DEID_TEXT_BYTES];
    char study[65];
    const uint8_t *number;
    size_t count;
    w->result->has_patient_number = trimmed(w->dicom, root_find(w->dicom, TAG_PATIENT_ID), &number, &count);
    if (w->result->has_patient_number) {
        keyed(w->options, "patient", number, count, w->patient_mac);
    } else { /* not by the name: two people can have the same one */
        new_uid(w, root_find(w->dicom, TAG_STUDY_INSTANCE_UID), TAG_STUDY_INSTANCE_UID, study);
        keyed(w->options, "patient of study", study, strlen(study), w->patient_mac);
    }
    pseudonym_of(w->patient_mac, w->result->pseudonym);
    keyed(w->options, "shift", w->patient_mac, strlen(w->patient_mac), mac);
    w->shift_days = SHIFT_MIN_DAYS + (long)(hex_u32(mac) % (SHIFT_MAX_DAYS - SHIFT_MIN_DAYS + 1));
}

/* ---- values ---- */

static const uint8_t *bytes_of(const work *w, const reha_dcm_node *node)
{
    return w->dicom->set.bytes + node->offset;
}

static size_t vr_width(const char *vr)
{
    return strcmp(vr, "FD") == 0                            ? 8
           : strcmp(vr, "US") == 0 || strcmp(vr, "SS") == 0 ? 2
                                                            : 4; /* UL SL FL AT */
}

static bool is_vr(uint16_t vr, const char *name)
{
    return vr == REHA_VR(name[0], name[1]);
}

/* The VR in which the element is written, or NULL where the file's own says that it is something else. */
static const char *vr_for(const reha_dcm_node *node, const deid_rule *rule)
{
    static const char *const shorts[] = {"US", "SS"};
    static const char *const tables[] = {"OW", "US", "SS", "OB"};
    const bool is_table = rule->check == DEID_TABLE;
    const bool is_short = rule->check == DEID_BINARY && vr_width(rule->vr) == 2;
    const char *const *others = is_table ? tables : shorts;
    if (is_vr(node->vr, rule->vr) || is_vr(node->vr, "UN")) {
        return rule->vr;
    }
    for (size_t i = 0; (is_table || is_short) && i < (is_table ? 4u : 2u); i++) {
        if (is_vr(node->vr, others[i])) {
            return others[i];
        }
    }
    return NULL;
}

static bool is_numbers(const uint8_t *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isdigit(text[i]) && (text[i] == '\0' || strchr("+-.eE\\ ", text[i]) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool is_orientation(const uint8_t *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text[i] == '\0' || strchr("RLAPHF\\ ", text[i]) == NULL) {
            return false;
        }
    }
    return count <= 16;
}

static bool is_standard_uid(const uint8_t *text, size_t count)
{
    static const char root[] = "1.2.840.10008.";
    if (count < sizeof root || count > 64 || memcmp(text, root, sizeof root - 1) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!isdigit(text[i]) && text[i] != '.') {
            return false;
        }
    }
    return true;
}

static bool passes(const work *w, const reha_dcm_node *node, const deid_rule *rule, const char *vr)
{
    const uint8_t *text;
    size_t count;
    if (rule->check == DEID_BINARY || rule->check == DEID_TABLE) {
        const size_t width = rule->check == DEID_TABLE ? (strcmp(vr, "OB") == 0 ? 1 : 2) : vr_width(vr);
        /* A table in another byte order than the copy's would have to be turned. */
        return node->length > 0 && node->length % width == 0 && node->little_endian == !w->out.big_endian &&
               (rule->check == DEID_TABLE
                    ? strcmp(vr, "OW") == 0 || strcmp(vr, "OB") == 0 || node->length < 0xFFFF
                    : node->length <= NUMBER_VALUES_MAX_BYTES);
    }
    if (!trimmed(w->dicom, node, &text, &count) || node->length >= 0xFFFE) {
        return false;
    }
    switch (rule->check) {
    case DEID_NUMBER:
        return is_numbers(text, count);
    case DEID_WORDS:
        return reha_deid_are_known_words((const char *)text, count);
    case DEID_ORIENTATION:
        return is_orientation(text, count);
    case DEID_CLASS:
        return is_standard_uid(text, count);
    case DEID_ANY:
    case DEID_BINARY:
    case DEID_TABLE:
        break;
    }
    return false;
}

static void mark(work *w, const reha_dcm_node *node, uint32_t *counter)
{
    if (node != NULL) {
        w->is_handled[node - w->dicom->set.nodes] = true;
        (*counter)++;
    }
}

/* ---- actions ---- */

static void put_kept(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const uint8_t *text;
    size_t count;
    const char *vr = vr_for(node, rule);
    if (vr == NULL) {
        return;
    }
    if (!trimmed(w->dicom, node, &text, &count) && (node->length == 0 || rule->check < DEID_BINARY)) {
        reha_deid_put_text(&w->out, rule->tag, vr, ""); /* that nothing was stated may have to be stated */
    } else if (!passes(w, node, rule, vr)) {
        return;
    } else if (rule->check >= DEID_BINARY) {
        reha_deid_put_value(&w->out, rule->tag, vr, bytes_of(w, node), node->length);
    } else { /* without what may stand between blanks and zeros behind it */
        reha_deid_put_value(&w->out, rule->tag, vr, text, count);
    }
    mark(w, node, &w->result->kept);
}

/* Value by value, so that the ones behind keep their places. */
static void put_cleaned(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    static const char other[] = "OTHER";
    const uint8_t *text;
    size_t count;
    char clean[256];
    size_t length = 0;
    bool is_changed = false;
    if (vr_for(node, rule) == NULL || !trimmed(w->dicom, node, &text, &count)) {
        return;
    }
    for (size_t at = 0; at <= count;) {
        const uint8_t *end = memchr(text + at, '\\', count - at);
        const size_t value_bytes = (end != NULL ? (size_t)(end - text) : count) - at;
        const bool is_known =
            value_bytes <= 16 && reha_deid_are_known_words((const char *)text + at, value_bytes);
        const size_t used = is_known ? value_bytes : sizeof other - 1;
        if (length + used + 1 > sizeof clean) {
            is_changed = true;
            break;
        }
        if (at > 0) {
            clean[length++] = '\\';
        }
        memcpy(clean + length, is_known ? (const char *)text + at : other, used);
        length += used;
        is_changed = is_changed || !is_known;
        at += value_bytes + 1;
    }
    reha_deid_put_value(&w->out, rule->tag, rule->vr, clean, length);
    mark(w, node, is_changed ? &w->result->cleaned : &w->result->kept);
}

static void put_uid(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    char uid[65];
    new_uid(w, node, rule->tag, uid);
    reha_deid_put_text(&w->out, rule->tag, "UI", uid);
    mark(w, node, &w->result->replaced);
}

static void put_empty(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    if (rule->is_required || (rule->action == DEID_EMPTY && node != NULL)) {
        reha_deid_put_text(&w->out, rule->tag, rule->vr, "");
        mark(w, node, &w->result->emptied);
    }
}

/* The day alone: a time of the second finds its line in any log of the hospital. */
static void put_date(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const uint8_t *text;
    size_t count;
    char day[9];
    long days;
    if (w->options->shifts_dates && trimmed(w->dicom, node, &text, &count) && count >= 8 &&
        (rule->vr[1] == 'T' || count == 8)) {
        memcpy(day, text, 8);
        day[8] = '\0';
        if (reha_day_parse_compact(day, &days)) {
            reha_day_format_compact(days - w->shift_days, day);
            reha_deid_put_text(&w->out, rule->tag, rule->vr, day);
            mark(w, node, &w->result->cleaned);
            return;
        }
    }
    put_empty(w, node, rule);
}

/* What devices write: short, plain, and no word of the patient's name or number. */
static bool is_device_text(const work *w, const uint8_t *text, size_t count)
{
    static const uint32_t secrets[] = {0x00100010u, TAG_PATIENT_ID};
    for (size_t i = 0; i < count; i++) {
        if (text[i] < 0x20 || text[i] > 0x7E || text[i] == '\\') {
            return false;
        }
    }
    for (size_t s = 0; s < 2; s++) {
        const uint8_t *secret;
        size_t secret_bytes;
        (void)trimmed(w->dicom, root_find(w->dicom, secrets[s]), &secret, &secret_bytes);
        for (size_t at = 0; at < secret_bytes;) {
            size_t end = at;
            while (end < secret_bytes && isalnum(secret[end])) {
                end++;
            }
            for (size_t i = 0; end - at >= 3 && i + (end - at) <= count; i++) {
                size_t same = 0;
                while (same < end - at && tolower(text[i + same]) == tolower(secret[at + same])) {
                    same++;
                }
                if (same == end - at) {
                    return false;
                }
            }
            at = end + 1;
        }
    }
    return count <= 64;
}

static void put_device(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const uint8_t *text;
    size_t count;
    if (w->options->keeps_device && node != NULL && vr_for(node, rule) != NULL &&
        trimmed(w->dicom, node, &text, &count) && is_device_text(w, text, count)) {
        reha_deid_put_value(&w->out, rule->tag, rule->vr, text, count);
        mark(w, node, &w->result->kept);
        return;
    }
    put_empty(w, node, rule);
}

/* A sequence of one code each: its meaning only in known words. */
static bool read_coded(const work *w, reha_dcm_scope item, char code[17], char scheme[17], char meaning[65])
{
    const reha_dcm_dataset *set = &w->dicom->set;
    if (!reha_dcm_text(set, reha_dcm_find(set, item, 0x00080100u), 0, code, 17) ||
        !reha_dcm_text(set, reha_dcm_find(set, item, 0x00080102u), 0, scheme, 17) ||
        !reha_deid_is_code(code) || !reha_deid_is_scheme(scheme)) {
        return false;
    }
    if (!reha_dcm_text(set, reha_dcm_find(set, item, TAG_CODE_MEANING), 0, meaning, 65) ||
        !reha_deid_are_known_words(meaning, strlen(meaning))) {
        (void)snprintf(meaning, 65, "removed");
    }
    return true;
}

static void put_coded_item(deid_out *out, const char *code, const char *scheme, const char *meaning)
{
    reha_deid_put_mark(out, TAG_ITEM, UNDEFINED_LENGTH);
    reha_deid_put_text(out, 0x00080100u, "SH", code);
    reha_deid_put_text(out, 0x00080102u, "SH", scheme);
    reha_deid_put_text(out, TAG_CODE_MEANING, "LO", meaning);
    reha_deid_put_mark(out, 0xFFFEE00Du, 0);
}

static void put_coded(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    char code[17];
    char scheme[17];
    char meaning[65];
    reha_dcm_scope item;
    if (!reha_dcm_item(&w->dicom->set, node, 0, &item) || !read_coded(w, item, code, scheme, meaning)) {
        return;
    }
    reha_deid_put_header(&w->out, rule->tag, "SQ", UNDEFINED_LENGTH);
    put_coded_item(&w->out, code, scheme, meaning);
    reha_deid_put_mark(&w->out, TAG_SEQUENCE_END, 0);
    mark(w, node, &w->result->cleaned);
    for (uint32_t i = item.first_idx; i < item.end_idx; i = w->dicom->set.nodes[i].end_idx) {
        const reha_dcm_node *part = &w->dicom->set.nodes[i];
        if (part->tag == 0x00080100u || part->tag == 0x00080102u || part->tag == TAG_CODE_MEANING) {
            mark(w, part, &w->result->cleaned);
        }
    }
}

static bool has_word(const reha_dicom *dicom, uint32_t tag, uint32_t value_idx, const char *word)
{
    char text[33];
    return reha_dcm_text(&dicom->set, root_find(dicom, tag), value_idx, text, sizeof text) &&
           strcmp(text, word) == 0;
}

/* A person looked and said where the text is. */
static bool is_clean(const work *w)
{
    return w->pixels.is_blanked && w->options->blank_count > 0;
}

static void put_marks(work *w, const deid_rule *rule)
{
    if (rule->tag == 0x00120062u) {
        reha_deid_put_text(&w->out, rule->tag, "CS", "YES");
    } else if (rule->tag == 0x00120063u) {
        reha_deid_put_text(&w->out, rule->tag, "LO", METHOD);
    } else if (rule->tag == 0x00280303u) {
        reha_deid_put_text(&w->out, rule->tag, "CS", w->options->shifts_dates ? "MODIFIED" : "REMOVED");
    } else {
        reha_deid_put_header(&w->out, rule->tag, "SQ", UNDEFINED_LENGTH);
        put_coded_item(&w->out, "113100", "DCM", "Basic Application Confidentiality Profile");
        if (is_clean(w)) {
            put_coded_item(&w->out, "113101", "DCM", "Clean Pixel Data Option");
        }
        if (w->options->shifts_dates) {
            put_coded_item(&w->out, "113107", "DCM",
                           "Retain Longitudinal Temporal Information Modified Dates Option");
        }
        reha_deid_put_mark(&w->out, TAG_SEQUENCE_END, 0);
    }
}

/* What decoded or blanked pixels change in the attributes that describe them. */
static bool put_changed(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const deid_pixels *pixels = &w->pixels;
    const bool is_burned_in = rule->tag == TAG_BURNED_IN_ANNOTATION;
    const bool is_unknown =
        w->options->is_picture || (pixels->is_blanked && !has_word(w->dicom, rule->tag, 0, "NO"));
    if (is_burned_in && is_unknown && !is_clean(w)) {
        return true; /* nobody knows: within the regions there may be text, too */
    }
    if (is_burned_in && is_clean(w)) {
        reha_deid_put_text(&w->out, rule->tag, "CS", "NO");
    } else if (rule->tag == TAG_SOP_CLASS_UID &&
               !is_standard_uid((const uint8_t *)w->dicom->ids.sop_class_uid,
                                strlen(w->dicom->ids.sop_class_uid))) {
        reha_deid_put_text(&w->out, rule->tag, "UI", SECONDARY_CAPTURE);
    } else if (!pixels->is_decoded) {
        return false;
    } else if (rule->tag == TAG_PHOTOMETRIC_INTERPRETATION && pixels->colour == REHA_DCM_RGB) {
        reha_deid_put_text(&w->out, rule->tag, "CS", "RGB");
    } else if (rule->tag == TAG_PHOTOMETRIC_INTERPRETATION && pixels->colour == REHA_DCM_YBR) {
        reha_deid_put_text(&w->out, rule->tag, "CS", "YBR_FULL");
    } else {
        const struct {
            uint32_t tag;
            uint32_t value;
        } numbers[] = {{TAG_PLANAR_CONFIGURATION, pixels->is_planar ? 1 : 0},
                       {TAG_BITS_ALLOCATED, pixels->bits_allocated},
                       {TAG_BITS_STORED, pixels->bits_stored},
                       {TAG_HIGH_BIT, pixels->high_bit}};
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            if (numbers[i].tag == rule->tag && (i > 0 || w->dicom->layout.samples > 1)) {
                reha_deid_put_header(&w->out, rule->tag, "US", 2);
                reha_deid_put_u16(&w->out, numbers[i].value);
                mark(w, node, &w->result->kept);
                return true;
            }
        }
        return false;
    }
    mark(w, node, &w->result->cleaned);
    return true;
}

static void put_scope(work *w, reha_dcm_scope scope, bool is_root);

static void put_sequence(work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const reha_dcm_dataset *set = &w->dicom->set;
    const uint32_t self = (uint32_t)(node - set->nodes);
    const bool has_items = node->end_idx > self + 1;
    if (!has_items || !(is_vr(node->vr, "SQ") || is_vr(node->vr, "UN"))) {
        return; /* also what an unknown encoding hides: bytes that were not understood are not passed on */
    }
    reha_deid_put_header(&w->out, rule->tag, "SQ", UNDEFINED_LENGTH);
    mark(w, node, &w->result->kept);
    for (uint32_t i = self + 1; i < node->end_idx; i = set->nodes[i].end_idx) {
        reha_deid_put_mark(&w->out, TAG_ITEM, UNDEFINED_LENGTH);
        put_scope(w, (reha_dcm_scope){i + 1, set->nodes[i].end_idx}, false);
        reha_deid_put_mark(&w->out, 0xFFFEE00Du, 0);
    }
    reha_deid_put_mark(&w->out, TAG_SEQUENCE_END, 0);
}

static void put_by_rule(work *w, const reha_dcm_node *node, const deid_rule *rule, bool is_root)
{
    if (is_root && put_changed(w, node, rule)) {
        return;
    }
    switch (rule->action) {
    case DEID_KEEP:
        if (node != NULL) {
            put_kept(w, node, rule);
        }
        break;
    case DEID_CLEAN:
        if (node != NULL) {
            put_cleaned(w, node, rule);
        }
        break;
    case DEID_UID:
        if (node != NULL || rule->is_required) {
            put_uid(w, node, rule);
        }
        break;
    case DEID_SEQUENCE:
        if (node != NULL) {
            put_sequence(w, node, rule);
        }
        break;
    case DEID_CODED:
        put_coded(w, node, rule);
        break;
    case DEID_EMPTY:
        put_empty(w, node, rule);
        break;
    case DEID_DUMMY:
        reha_deid_put_text(&w->out, rule->tag, rule->vr, w->result->pseudonym);
        mark(w, node, &w->result->replaced);
        break;
    case DEID_DATE:
        put_date(w, node, rule);
        break;
    case DEID_DEVICE:
        put_device(w, node, rule);
        break;
    case DEID_MARK:
        put_marks(w, rule);
        break;
    case DEID_PIXELS:
        reha_deid_put_pixels(&w->out, w->dicom, &w->pixels);
        mark(w, node,
             w->pixels.is_blanked || w->pixels.cleared_segments > 0 ? &w->result->cleaned : &w->result->kept);
        break;
    }
}

static bool is_for_items(deid_action action)
{
    return action == DEID_KEEP || action == DEID_CLEAN || action == DEID_UID || action == DEID_SEQUENCE ||
           action == DEID_CODED;
}

static void put_scope(work *w, reha_dcm_scope scope, bool is_root)
{
    const reha_dcm_dataset *set = &w->dicom->set;
    uint32_t first[DEID_RULES_MAX];
    for (size_t r = 0; r < reha_deid_rule_count; r++) {
        first[r] = NO_NODE;
    }
    for (uint32_t i = scope.first_idx; i < scope.end_idx; i = set->nodes[i].end_idx) {
        const deid_rule *rule = reha_deid_find_rule(set->nodes[i].tag);
        if (rule != NULL &&
            first[rule - reha_deid_rules] == NO_NODE) { /* as readers do: the first one counts */
            first[rule - reha_deid_rules] = i;
        }
    }
    for (size_t r = 0; r < reha_deid_rule_count && w->out.status == REHA_OK; r++) {
        const reha_dcm_node *node = first[r] != NO_NODE ? &set->nodes[first[r]] : NULL;
        const deid_rule *rule = &reha_deid_rules[r];
        if (is_root || (node != NULL && is_for_items(rule->action))) {
            put_by_rule(w, node, rule, is_root);
        }
    }
}

/* ---- the file ---- */

/* Everything of it is ours: the standard asks for that (E.1.1, 7). */
static void put_meta(work *w)
{
    static const uint8_t preamble[128];
    static const uint8_t version[2] = {0, 1};
    const char *class_uid = w->dicom->ids.sop_class_uid;
    const bool is_standard = is_standard_uid((const uint8_t *)class_uid, strlen(class_uid));
    deid_out *out = &w->out;
    const bool explicit_vr = out->explicit_vr;
    const bool big_endian = out->big_endian;
    reha_deid_put_bytes(out, preamble, sizeof preamble);
    reha_deid_put_bytes(out, "DICM", 4);
    out->explicit_vr = true;
    out->big_endian = false;
    reha_deid_put_header(out, 0x00020000u, "UL", 4);
    const size_t length_at = out->length;
    reha_deid_put_u32(out, 0);
    reha_deid_put_value(out, 0x00020001u, "OB", version, sizeof version);
    reha_deid_put_text(out, 0x00020002u, "UI", is_standard ? class_uid : SECONDARY_CAPTURE);
    reha_deid_put_text(out, 0x00020003u, "UI", w->result->sop_uid);
    reha_deid_put_text(out, TAG_TRANSFER_SYNTAX_UID, "UI",
                       w->is_new_syntax ? EXPLICIT_LITTLE : w->dicom->syntax->uid);
    reha_deid_put_text(out, 0x00020012u, "UI", REHA_IMPLEMENTATION_CLASS_UID);
    reha_deid_put_text(out, 0x00020013u, "SH", "REHASCOPE");
    if (out->status == REHA_OK) {
        const size_t length = out->length - length_at - 4;
        out->data[length_at] = (uint8_t)length;
        out->data[length_at + 1] = (uint8_t)(length >> 8);
    }
    out->explicit_vr = explicit_vr;
    out->big_endian = big_endian;
}

static int compare_tags(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static reha_status tell_removed(work *w, reha_error *err)
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
    const bool is_ultrasound =
        has_word(dicom, TAG_MODALITY, 0, "US") || has_word(dicom, TAG_MODALITY, 0, "IVUS");
    const bool is_risky =
        options->is_picture || class_uid[0] == '\0' || reha_deid_is_risky_class(class_uid) || is_ultrasound ||
        has_word(dicom, TAG_MODALITY, 0, "OT") || has_word(dicom, TAG_IMAGE_TYPE, 1, "SECONDARY") ||
        has_word(dicom, TAG_RECOGNIZABLE_VISUAL_FEATURES, 0, "YES") ||
        root_find(dicom, TAG_CONVERSION_TYPE) != NULL;
    if (options->accepts_burned_in || is_blanked) {
        return REHA_OK;
    }
    if (has_word(dicom, TAG_BURNED_IN_ANNOTATION, 0, "YES")) {
        return reha_fail(err, REHA_E_REFUSED, "the file says that text is burned into the pixels: %s",
                         advice);
    }
    if (has_word(dicom, TAG_RECOGNIZABLE_VISUAL_FEATURES, 0, "YES")) {
        return reha_fail(err, REHA_E_REFUSED,
                         "the file says that somebody can be recognised by the picture, as by a face: %s",
                         advice);
    }
    if (options->is_picture) {
        return reha_fail(err, REHA_E_REFUSED,
                         "a picture does not say whether text is burned into its pixels: %s", advice);
    }
    if (is_risky && !has_word(dicom, TAG_BURNED_IN_ANNOTATION, 0, "NO")) {
        return reha_fail(
            err, REHA_E_REFUSED,
            "%s whose Burned In Annotation (0028,0301) is not NO may hold a name in its pixels: %s",
            is_ultrasound ? "ultrasound" : "a secondary or derived picture", advice);
    }
    return REHA_OK;
}

/* A reader of ours must open it and find the same frames, or it is not handed out. */
static reha_status check_copy(const work *w, reha_error *err)
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

static reha_status write_copy(work *w, reha_error *err)
{
    const reha_dicom *dicom = w->dicom;
    const char *syntax = dicom->syntax->uid;
    reha_deid_result *result = w->result;
    w->is_new_syntax = w->pixels.is_decoded || dicom->set.inflated != NULL;
    w->out = (deid_out){.explicit_vr = w->is_new_syntax || strcmp(syntax, IMPLICIT_LITTLE) != 0,
                        .big_endian = strcmp(syntax, EXPLICIT_BIG) == 0,
                        .err = err};
    w->is_handled = reha_alloc_zero(dicom->set.node_count > 0 ? dicom->set.node_count : 1, sizeof(bool));
    if (w->is_handled == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a copy");
    }
    name_patient(w);
    new_uid(w, root_find(dicom, TAG_SERIES_INSTANCE_UID), TAG_SERIES_INSTANCE_UID, result->series_uid);
    new_uid(w, root_find(dicom, TAG_SOP_INSTANCE_UID), TAG_SOP_INSTANCE_UID, result->sop_uid);
    result->is_blanked = w->pixels.is_blanked;
    result->has_cleared_overlay = w->pixels.has_cleared_overlay;
    result->cleared_segments = w->pixels.cleared_segments;
    put_meta(w);
    put_scope(w, reha_dcm_root(&dicom->set), true);
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
    work w = {.options = options, .file = bytes, .file_bytes = count, .result = out};
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
