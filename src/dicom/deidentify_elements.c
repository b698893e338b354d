/* One pass over each level of the file: the first element of every tag on the list is judged by its rule and
 * written anew, in the order of the list. There is no other way into the copy. */
#include "dicom/deidentify_priv.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_VALUES_MAX_BYTES = 128, ITEMS_MAX = 0xFFFFFF };
#define NO_NODE UINT32_MAX

static const char METHOD[] = "Rehascope: what is known to be harmless is kept (PS3.15 E.1)";

/* ---- values ---- */

static const uint8_t *bytes_of(const deid_work *w, const reha_dcm_node *node)
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

bool reha_deid_is_standard_uid(const uint8_t *text, size_t count)
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

static bool passes(const deid_work *w, const reha_dcm_node *node, const deid_rule *rule, const char *vr)
{
    const uint8_t *text;
    size_t count;
    if (rule->check == DEID_BINARY || rule->check == DEID_TABLE) {
        const size_t width = rule->check == DEID_TABLE ? (strcmp(vr, "OB") == 0 ? 1 : 2) : vr_width(vr);
        /* A table in another byte order than the copy's would have to be turned. */
        return node->length > 0 && node->length % width == 0 &&
               node->little_endian == !w->out.is_big_endian &&
               (rule->check == DEID_TABLE
                    ? strcmp(vr, "OW") == 0 || strcmp(vr, "OB") == 0 || node->length < 0xFFFF
                    : node->length <= NUMBER_VALUES_MAX_BYTES);
    }
    if (!reha_deid_trim(w->dicom, node, &text, &count) || node->length >= 0xFFFE) {
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
        return reha_deid_is_standard_uid(text, count);
    case DEID_ANY:
    case DEID_BINARY:
    case DEID_TABLE:
        break;
    }
    return false;
}

static void mark(deid_work *w, const reha_dcm_node *node, uint32_t *counter)
{
    if (node != NULL) {
        w->is_handled[node - w->dicom->set.nodes] = true;
        (*counter)++;
    }
}

/* ---- actions ---- */

static void put_kept(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const uint8_t *text;
    size_t count;
    const char *vr = vr_for(node, rule);
    if (vr == NULL) {
        return;
    }
    if (!reha_deid_trim(w->dicom, node, &text, &count) && (node->length == 0 || rule->check < DEID_BINARY)) {
        reha_dcm_put_text(&w->out, rule->tag, vr, ""); /* that nothing was stated may have to be stated */
    } else if (!passes(w, node, rule, vr)) {
        return;
    } else if (rule->check >= DEID_BINARY) {
        reha_dcm_put_value(&w->out, rule->tag, vr, bytes_of(w, node), node->length);
    } else { /* without what may stand between blanks and zeros behind it */
        reha_dcm_put_value(&w->out, rule->tag, vr, text, count);
    }
    mark(w, node, &w->result->kept);
}

/* Value by value, so that the ones behind keep their places. */
static void put_cleaned(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    static const char other[] = "OTHER";
    const uint8_t *text;
    size_t count;
    char clean[256];
    size_t length = 0;
    bool is_changed = false;
    if (vr_for(node, rule) == NULL || !reha_deid_trim(w->dicom, node, &text, &count)) {
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
    reha_dcm_put_value(&w->out, rule->tag, rule->vr, clean, length);
    mark(w, node, is_changed ? &w->result->cleaned : &w->result->kept);
}

static void put_uid(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    char uid[65];
    reha_deid_new_uid(w, node, rule->tag, uid);
    reha_dcm_put_text(&w->out, rule->tag, "UI", uid);
    mark(w, node, &w->result->replaced);
}

static void put_empty(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    if (rule->is_required || (rule->action == DEID_EMPTY && node != NULL)) {
        reha_dcm_put_text(&w->out, rule->tag, rule->vr, "");
        mark(w, node, &w->result->emptied);
    }
}

/* The day alone: a time of the second finds its line in any log of the hospital. */
static void put_date(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const uint8_t *text;
    size_t count;
    char day[9];
    long days;
    if (w->options->shifts_dates && reha_deid_trim(w->dicom, node, &text, &count) && count >= 8 &&
        (rule->vr[1] == 'T' || count == 8)) {
        memcpy(day, text, 8);
        day[8] = '\0';
        if (reha_day_parse_compact(day, &days)) {
            reha_day_format_compact(days - w->shift_days, day);
            reha_dcm_put_text(&w->out, rule->tag, rule->vr, day);
            mark(w, node, &w->result->cleaned);
            return;
        }
    }
    put_empty(w, node, rule);
}

/* What devices write: short, plain, and no word of the patient's name or number. */
static bool is_device_text(const deid_work *w, const uint8_t *text, size_t count)
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
        (void)reha_deid_trim(w->dicom, reha_deid_find(w->dicom, secrets[s]), &secret, &secret_bytes);
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

static void put_device(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const uint8_t *text;
    size_t count;
    if (w->options->keeps_device && node != NULL && vr_for(node, rule) != NULL &&
        reha_deid_trim(w->dicom, node, &text, &count) && is_device_text(w, text, count)) {
        reha_dcm_put_value(&w->out, rule->tag, rule->vr, text, count);
        mark(w, node, &w->result->kept);
        return;
    }
    put_empty(w, node, rule);
}

/* A sequence of one code each: its meaning only in known words. */
static bool read_coded(const deid_work *w, reha_dcm_scope item, char code[17], char scheme[17],
                       char meaning[65])
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

static void put_coded_item(reha_dcm_writer *out, const char *code, const char *scheme, const char *meaning)
{
    reha_dcm_put_mark(out, TAG_ITEM, REHA_DCM_UNDEFINED_LENGTH);
    reha_dcm_put_text(out, 0x00080100u, "SH", code);
    reha_dcm_put_text(out, 0x00080102u, "SH", scheme);
    reha_dcm_put_text(out, TAG_CODE_MEANING, "LO", meaning);
    reha_dcm_put_mark(out, 0xFFFEE00Du, 0);
}

static void put_coded(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    char code[17];
    char scheme[17];
    char meaning[65];
    reha_dcm_scope item;
    if (!reha_dcm_item(&w->dicom->set, node, 0, &item) || !read_coded(w, item, code, scheme, meaning)) {
        return;
    }
    reha_dcm_put_header(&w->out, rule->tag, "SQ", REHA_DCM_UNDEFINED_LENGTH);
    put_coded_item(&w->out, code, scheme, meaning);
    reha_dcm_put_mark(&w->out, TAG_SEQUENCE_END, 0);
    mark(w, node, &w->result->cleaned);
    for (uint32_t i = item.first_idx; i < item.end_idx; i = w->dicom->set.nodes[i].end_idx) {
        const reha_dcm_node *part = &w->dicom->set.nodes[i];
        if (part->tag == 0x00080100u || part->tag == 0x00080102u || part->tag == TAG_CODE_MEANING) {
            mark(w, part, &w->result->cleaned);
        }
    }
}

bool reha_deid_has_word(const reha_dicom *dicom, uint32_t tag, uint32_t value_idx, const char *word)
{
    char text[33];
    return reha_dcm_text(&dicom->set, reha_deid_find(dicom, tag), value_idx, text, sizeof text) &&
           strcmp(text, word) == 0;
}

/* A person looked and said where the text is. */
static bool is_clean(const deid_work *w)
{
    return w->pixels.is_blanked && w->options->blank_count > 0;
}

static void put_marks(deid_work *w, const deid_rule *rule)
{
    if (rule->tag == 0x00120062u) {
        reha_dcm_put_text(&w->out, rule->tag, "CS", "YES");
    } else if (rule->tag == 0x00120063u) {
        reha_dcm_put_text(&w->out, rule->tag, "LO", METHOD);
    } else if (rule->tag == 0x00280303u) {
        reha_dcm_put_text(&w->out, rule->tag, "CS", w->options->shifts_dates ? "MODIFIED" : "REMOVED");
    } else {
        reha_dcm_put_header(&w->out, rule->tag, "SQ", REHA_DCM_UNDEFINED_LENGTH);
        put_coded_item(&w->out, "113100", "DCM", "Basic Application Confidentiality Profile");
        if (is_clean(w)) {
            put_coded_item(&w->out, "113101", "DCM", "Clean Pixel Data Option");
        }
        if (w->options->shifts_dates) {
            put_coded_item(&w->out, "113107", "DCM",
                           "Retain Longitudinal Temporal Information Modified Dates Option");
        }
        reha_dcm_put_mark(&w->out, TAG_SEQUENCE_END, 0);
    }
}

/* What decoded or blanked pixels change in the attributes that describe them. */
static bool put_changed(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const deid_pixels *pixels = &w->pixels;
    const bool is_burned_in = rule->tag == TAG_BURNED_IN_ANNOTATION;
    const bool is_unknown =
        w->options->is_picture || (pixels->is_blanked && !reha_deid_has_word(w->dicom, rule->tag, 0, "NO"));
    if (is_burned_in && is_unknown && !is_clean(w)) {
        return true; /* nobody knows: within the regions there may be text, too */
    }
    if (is_burned_in && is_clean(w)) {
        reha_dcm_put_text(&w->out, rule->tag, "CS", "NO");
    } else if (rule->tag == TAG_SOP_CLASS_UID &&
               !reha_deid_is_standard_uid((const uint8_t *)w->dicom->ids.sop_class_uid,
                                          strlen(w->dicom->ids.sop_class_uid))) {
        reha_dcm_put_text(&w->out, rule->tag, "UI", REHA_DEID_SECONDARY_CAPTURE);
    } else if (!pixels->is_decoded) {
        return false;
    } else if (rule->tag == TAG_PHOTOMETRIC_INTERPRETATION && pixels->colour == REHA_DCM_RGB) {
        reha_dcm_put_text(&w->out, rule->tag, "CS", "RGB");
    } else if (rule->tag == TAG_PHOTOMETRIC_INTERPRETATION && pixels->colour == REHA_DCM_YBR) {
        reha_dcm_put_text(&w->out, rule->tag, "CS", "YBR_FULL");
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
                reha_dcm_put_header(&w->out, rule->tag, "US", 2);
                reha_dcm_put_u16(&w->out, numbers[i].value);
                mark(w, node, &w->result->kept);
                return true;
            }
        }
        return false;
    }
    mark(w, node, &w->result->cleaned);
    return true;
}

static void put_sequence(deid_work *w, const reha_dcm_node *node, const deid_rule *rule)
{
    const reha_dcm_dataset *set = &w->dicom->set;
    const uint32_t self = (uint32_t)(node - set->nodes);
    const bool has_items = node->end_idx > self + 1;
    if (!has_items || !(is_vr(node->vr, "SQ") || is_vr(node->vr, "UN"))) {
        return; /* also what an unknown encoding hides: bytes that were not understood are not passed on */
    }
    reha_dcm_put_header(&w->out, rule->tag, "SQ", REHA_DCM_UNDEFINED_LENGTH);
    mark(w, node, &w->result->kept);
    for (uint32_t i = self + 1; i < node->end_idx; i = set->nodes[i].end_idx) {
        reha_dcm_put_mark(&w->out, TAG_ITEM, REHA_DCM_UNDEFINED_LENGTH);
        reha_deid_put_elements(w, (reha_dcm_scope){i + 1, set->nodes[i].end_idx}, false);
        reha_dcm_put_mark(&w->out, 0xFFFEE00Du, 0);
    }
    reha_dcm_put_mark(&w->out, TAG_SEQUENCE_END, 0);
}

static void put_by_rule(deid_work *w, const reha_dcm_node *node, const deid_rule *rule, bool is_root)
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
        reha_dcm_put_text(&w->out, rule->tag, rule->vr, w->result->pseudonym);
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

void reha_deid_put_elements(deid_work *w, reha_dcm_scope scope, bool is_root)
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
