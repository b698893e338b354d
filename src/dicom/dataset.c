#include "dicom/dataset_priv.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "dicom/inflate_priv.h"

#include <stdio.h>
#include <string.h>

enum {
    PREAMBLE_BYTES = 128,
    DEPTH_MAX = 64,              /* real structured reports stay below 25 */
    NODES_MAX = 2 * 1024 * 1024, /* an enhanced series of 2000 frames has about 500,000 */
    FRAGMENTS_MAX = 1024 * 1024,
    FIRST_NODES = 256
};
#define UNDEFINED_LENGTH 0xFFFFFFFFu

static const char EXPLICIT_LITTLE[] = "1.2.840.10008.1.2.1";
static const char IMPLICIT_LITTLE[] = "1.2.840.10008.1.2";
static const char EXPLICIT_BIG[] = "1.2.840.10008.1.2.2";
static const char DEFLATED[] = "1.2.840.10008.1.2.1.99";

/* One open level: the data set itself, a sequence or an item. */
typedef struct level {
    uint32_t node_idx; /* of the sequence or item; unused for the data set */
    size_t end;        /* where it must end, or the parent's end if its length is undefined */
    bool is_sequence;
    bool is_undefined;
    bool explicit_vr;
    bool big_endian;
} level;

typedef struct parser {
    reha_dcm_dataset *set;
    size_t at;
    level levels[DEPTH_MAX];
    uint32_t depth;
    uint32_t pixels_end_idx; /* first node behind the complete pixel data; 0 before */
} parser;

typedef struct header {
    uint32_t tag;
    uint16_t vr;
    uint32_t length;
} header;

static uint16_t read_u16(const uint8_t *p, bool big)
{
    return big ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

static uint32_t read_u32(const uint8_t *p, bool big)
{
    return big ? (uint32_t)read_u16(p, true) << 16 | read_u16(p + 2, true)
               : (uint32_t)read_u16(p + 2, false) << 16 | read_u16(p, false);
}

static uint16_t known_vr(uint32_t tag)
{
    switch (tag) {
#define KNOWN_VR(name, value, a, b)                                                                          \
    case value:                                                                                              \
        return REHA_VR(a, b);
        REHA_DICOM_TAGS(KNOWN_VR) // NOLINT(bugprone-branch-clone): many tags have one VR
#undef KNOWN_VR
    default:
        return REHA_VR('U', 'N');
    }
}

static bool is_vr_letters(const uint8_t *p)
{
    return p[0] >= 'A' && p[0] <= 'Z' && p[1] >= 'A' && p[1] <= 'Z';
}

/* VRs whose explicit form has a 16 bit length (PS3.5 7.1.2); all others, future ones too, have 32. */
static bool has_short_length(uint16_t vr)
{
    static const char *const short_vrs = "AEASATCSDADSDTFLFDISLOLTPNSHSLSSSTTMUIULUS";
    for (const char *p = short_vrs; *p != '\0'; p += 2) {
        if (vr == REHA_VR(p[0], p[1])) {
            return true;
        }
    }
    return false;
}

static reha_status add_node(reha_dcm_dataset *set, reha_dcm_node node, uint32_t *out_idx, reha_error *err)
{
    if (set->node_count == set->node_capacity) {
        if (set->node_count >= NODES_MAX) {
            return reha_fail(err, REHA_E_LIMIT, "the file has more than %d elements", NODES_MAX);
        }
        const uint32_t capacity = set->node_capacity > 0 ? set->node_capacity * 2 : FIRST_NODES;
        reha_dcm_node *nodes = reha_realloc(set->nodes, capacity * sizeof(*nodes));
        if (nodes == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the index of a DICOM file");
        }
        set->nodes = nodes;
        set->node_capacity = capacity;
    }
    *out_idx = set->node_count;
    node.end_idx = set->node_count + 1;
    set->nodes[set->node_count++] = node;
    return REHA_OK;
}

static reha_status add_fragment(reha_dcm_dataset *set, reha_dcm_span span, reha_error *err)
{
    if (set->fragment_count == set->fragment_capacity) {
        if (set->fragment_count >= FRAGMENTS_MAX) {
            return reha_fail(err, REHA_E_LIMIT, "the pixel data has more than %d fragments", FRAGMENTS_MAX);
        }
        const size_t capacity = set->fragment_capacity > 0 ? set->fragment_capacity * 2 : 16;
        reha_dcm_span *spans = reha_realloc(set->fragments, capacity * sizeof(*spans));
        if (spans == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the index of a DICOM file");
        }
        set->fragments = spans;
        set->fragment_capacity = capacity;
    }
    set->fragments[set->fragment_count++] = span;
    return REHA_OK;
}

/* Reads one element or item header below `end`; the position moves only on success. */
static reha_status read_header(const reha_dcm_dataset *set, size_t *at, size_t end, bool explicit_vr,
                               bool big, header *out, reha_error *err)
{
    const uint8_t *p = set->bytes + *at;
    const size_t left = end - *at;
    *out = (header){0};
    if (left < 8) {
        return reha_fail(err, REHA_E_FORMAT, "element at byte %zu: %zu bytes are left, a header needs 8", *at,
                         left);
    }
    const uint16_t group = read_u16(p, big);
    out->tag = (uint32_t)group << 16 | read_u16(p + 2, big);
    if (group == 0xFFFE || !explicit_vr) {
        out->vr = group == 0xFFFE ? 0 : known_vr(out->tag);
        out->length = read_u32(p + 4, big);
        *at += 8;
        return REHA_OK;
    }
    if (!is_vr_letters(p + 4)) {
        return reha_fail(err, REHA_E_FORMAT, "element (%04x,%04x) at byte %zu: no value representation",
                         group, (unsigned)(out->tag & 0xFFFF), *at);
    }
    out->vr = REHA_VR(p[4], p[5]);
    if (has_short_length(out->vr)) {
        out->length = read_u16(p + 6, big);
        *at += 8;
        return REHA_OK;
    }
    if (left < 12) {
        return reha_fail(err, REHA_E_FORMAT, "element at byte %zu: %zu bytes are left, a header needs 12",
                         *at, left);
    }
    out->length = read_u32(p + 8, big);
    *at += 12;
    return REHA_OK;
}

static reha_status need(const header *head, size_t at, size_t end, reha_error *err)
{
    if (head->length > end - at) {
        return reha_fail(err, REHA_E_FORMAT, "element (%04x,%04x) claims %u bytes, %zu are left",
                         (unsigned)(head->tag >> 16), (unsigned)(head->tag & 0xFFFF), (unsigned)head->length,
                         end - at);
    }
    return REHA_OK;
}

static reha_status push(parser *p, level next, reha_error *err)
{
    if (p->depth == DEPTH_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "sequences are nested deeper than %d levels (byte %zu)",
                         DEPTH_MAX, p->at);
    }
    p->levels[p->depth++] = next;
    return REHA_OK;
}

static void pop(parser *p)
{
    const level *top = &p->levels[--p->depth];
    p->set->nodes[top->node_idx].end_idx = p->set->node_count;
}

/* The items of encapsulated pixel data: first the offset table, then the fragments. */
static reha_status read_fragments(parser *p, bool keep, size_t end, reha_error *err)
{
    reha_dcm_dataset *set = p->set;
    bool is_first = true;
    for (;;) {
        header head;
        REHA_TRY(read_header(set, &p->at, end, false, false, &head, err));
        if (head.tag == TAG_SEQUENCE_END) {
            return REHA_OK;
        }
        if (head.tag != TAG_ITEM) {
            return reha_fail(err, REHA_E_FORMAT, "encapsulated pixel data: no item at byte %zu", p->at - 8);
        }
        REHA_TRY(need(&head, p->at, end, err));
        const reha_dcm_span span = {.offset = p->at, .length = head.length};
        p->at += head.length;
        if (keep && is_first) {
            set->offset_table = span;
        } else if (keep) {
            REHA_TRY(add_fragment(set, span, err));
        }
        is_first = false;
    }
}

static reha_status read_item(parser *p, const level *top, reha_error *err)
{
    header head;
    REHA_TRY(read_header(p->set, &p->at, top->end, top->explicit_vr, top->big_endian, &head, err));
    if (head.tag == TAG_SEQUENCE_END && top->is_undefined) {
        pop(p);
        return REHA_OK;
    }
    if (head.tag != TAG_ITEM) {
        return reha_fail(err, REHA_E_FORMAT, "sequence: no item at byte %zu", p->at - 8);
    }
    const bool undefined = head.length == UNDEFINED_LENGTH;
    if (!undefined) {
        REHA_TRY(need(&head, p->at, top->end, err));
    }
    level next = *top;
    next.is_sequence = false;
    next.is_undefined = undefined;
    next.end = undefined ? top->end : p->at + head.length;
    const reha_dcm_node node = {.tag = TAG_ITEM, .offset = p->at, .little_endian = !top->big_endian};
    REHA_TRY(add_node(p->set, node, &next.node_idx, err));
    return push(p, next, err);
}

static reha_status read_element(parser *p, const level *top, reha_error *err)
{
    header head;
    REHA_TRY(read_header(p->set, &p->at, top->end, top->explicit_vr, top->big_endian, &head, err));
    if (head.tag == TAG_ITEM_END && top->is_undefined) {
        pop(p);
        return REHA_OK;
    }
    if (head.tag >> 16 == 0xFFFE) {
        return reha_fail(err, REHA_E_FORMAT, "a delimiter stands where an element should (byte %zu)",
                         p->at - 8);
    }
    const bool undefined = head.length == UNDEFINED_LENGTH;
    const bool is_unknown = head.vr == REHA_VR('U', 'N');
    /* UN of undefined length is a sequence in implicit little endian whatever the file is (PS3.5
     * 6.2.2, note 4). A known tag that lost its VR on the way gets it back for reading the value. */
    const bool is_pixels = head.tag == TAG_PIXEL_DATA && undefined;
    const bool is_sequence =
        !is_pixels && (head.vr == REHA_VR('S', 'Q') ||
                       (is_unknown && (undefined || known_vr(head.tag) == REHA_VR('S', 'Q'))));
    if (!undefined) {
        REHA_TRY(need(&head, p->at, top->end, err));
    }
    reha_dcm_node node = {.tag = head.tag,
                          .vr = is_unknown ? known_vr(head.tag) : head.vr,
                          .offset = p->at,
                          .length = undefined ? 0 : head.length,
                          .little_endian = !top->big_endian};
    level next = *top;
    REHA_TRY(add_node(p->set, node, &next.node_idx, err));
    if (is_pixels) {
        const bool keep = p->depth == 1 && !p->set->is_encapsulated;
        p->set->is_encapsulated = p->set->is_encapsulated || keep;
        REHA_TRY(read_fragments(p, keep, top->end, err));
        p->pixels_end_idx = keep ? p->set->node_count : p->pixels_end_idx;
        return REHA_OK;
    }
    if (!is_sequence) {
        if (undefined) {
            return reha_fail(err, REHA_E_FORMAT, "element (%04x,%04x) has no length",
                             (unsigned)(head.tag >> 16), (unsigned)(head.tag & 0xFFFF));
        }
        p->at += head.length;
        if (p->depth == 1 && head.tag == TAG_PIXEL_DATA && p->pixels_end_idx == 0) {
            p->pixels_end_idx = p->set->node_count;
        }
        return REHA_OK;
    }
    next.is_sequence = true;
    next.is_undefined = undefined;
    next.end = undefined ? top->end : p->at + head.length;
    if (is_unknown) {
        next.explicit_vr = false;
        next.big_endian = false;
    }
    return push(p, next, err);
}

static reha_status walk(parser *p, reha_error *err)
{
    while (p->depth > 0) {
        const level top = p->levels[p->depth - 1];
        if (p->at == top.end && !top.is_undefined) {
            if (p->depth == 1) {
                return REHA_OK;
            }
            pop(p);
            continue;
        }
        REHA_TRY(top.is_sequence ? read_item(p, &top, err) : read_element(p, &top, err));
    }
    return REHA_OK;
}

/* Group 2 is always explicit little endian and ends where the group ends: its own length field
 * (0002,0000) is wrong in too many files to be of use. */
static reha_status read_meta(reha_dcm_dataset *set, size_t *at, reha_error *err)
{
    while (set->size_bytes - *at >= 8 && read_u16(set->bytes + *at, false) == 0x0002) {
        header head;
        uint32_t node_idx;
        REHA_TRY(read_header(set, at, set->size_bytes, true, false, &head, err));
        REHA_TRY(need(&head, *at, set->size_bytes, err));
        const reha_dcm_node node = {
            .tag = head.tag, .vr = head.vr, .offset = *at, .length = head.length, .little_endian = true};
        REHA_TRY(add_node(set, node, &node_idx, err));
        *at += head.length;
    }
    return REHA_OK;
}

/* Some old files have no preamble and begin with group 2 or 8. */
static bool is_bare(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < 16) {
        return false;
    }
    const uint16_t group = read_u16(bytes, false);
    const uint16_t element = read_u16(bytes + 2, false);
    if (group == 0x0002) {
        return element <= 0x0018 && is_vr_letters(bytes + 4);
    }
    return group == 0x0008 && element <= 0x0018 &&
           (is_vr_letters(bytes + 4) || read_u32(bytes + 4, false) < size_bytes);
}

static bool has_preamble(const uint8_t *bytes, size_t size_bytes)
{
    return size_bytes >= PREAMBLE_BYTES + 4 && memcmp(bytes + PREAMBLE_BYTES, "DICM", 4) == 0;
}

bool reha_dcm_detect(const uint8_t *bytes, size_t size_bytes)
{
    return has_preamble(bytes, size_bytes) || is_bare(bytes, size_bytes);
}

/* What the data set's encoding is, by the file meta information or, without it, by its look. */
static void choose_encoding(reha_dcm_dataset *set, size_t at)
{
    const reha_dcm_node *node = reha_dcm_find(set, reha_dcm_root(set), TAG_TRANSFER_SYNTAX_UID);
    if (!reha_dcm_text(set, node, 0, set->transfer_syntax_uid, sizeof(set->transfer_syntax_uid))) {
        const bool looks_explicit = set->size_bytes - at >= 8 && is_vr_letters(set->bytes + at + 4);
        (void)snprintf(set->transfer_syntax_uid, sizeof(set->transfer_syntax_uid), "%s",
                       looks_explicit ? EXPLICIT_LITTLE : IMPLICIT_LITTLE);
    }
    set->explicit_vr = strcmp(set->transfer_syntax_uid, IMPLICIT_LITTLE) != 0;
    set->big_endian = strcmp(set->transfer_syntax_uid, EXPLICIT_BIG) == 0;
}

static reha_status parse(reha_dcm_dataset *set, reha_error *err)
{
    size_t at = 0;
    if (has_preamble(set->bytes, set->size_bytes)) {
        at = PREAMBLE_BYTES + 4;
    } else if (!is_bare(set->bytes, set->size_bytes)) {
        return reha_fail(err, REHA_E_FORMAT, "not a DICOM file: no DICM mark at byte 128");
    }
    REHA_TRY(read_meta(set, &at, err));
    choose_encoding(set, at);
    if (strcmp(set->transfer_syntax_uid, DEFLATED) == 0) {
        REHA_TRY(reha_dcm_inflate(set->bytes, set->size_bytes, at, &set->inflated, &set->size_bytes, err));
        set->bytes = set->inflated;
    }
    parser p = {.set = set, .at = at};
    p.levels[p.depth++] =
        (level){.end = set->size_bytes, .explicit_vr = set->explicit_vr, .big_endian = set->big_endian};
    const reha_status status = walk(&p, err);
    if (status == REHA_E_FORMAT && p.pixels_end_idx > 0) {
        /* Everything up to and with the pixel data was sound: what follows (padding, the rest of a
         * disk block) is cut off and cannot change it. */
        set->node_count = p.pixels_end_idx;
        set->has_trailing_garbage = true;
        return REHA_OK;
    }
    return status;
}

reha_status reha_dcm_parse(const uint8_t *bytes, size_t size_bytes, reha_dcm_dataset *out, reha_error *err)
{
    *out = (reha_dcm_dataset){.bytes = bytes, .size_bytes = size_bytes};
    const reha_status status = parse(out, err);
    if (status != REHA_OK) {
        reha_dcm_clear(out);
    }
    return status;
}

void reha_dcm_clear(reha_dcm_dataset *set)
{
    reha_free(set->inflated);
    reha_free(set->nodes);
    reha_free(set->fragments);
    *set = (reha_dcm_dataset){0};
}

reha_dcm_scope reha_dcm_root(const reha_dcm_dataset *set)
{
    return (reha_dcm_scope){0, set->node_count};
}

const reha_dcm_node *reha_dcm_find(const reha_dcm_dataset *set, reha_dcm_scope scope, uint32_t tag)
{
    for (uint32_t i = scope.first_idx; i < scope.end_idx; i = set->nodes[i].end_idx) {
        if (set->nodes[i].tag == tag) {
            return &set->nodes[i];
        }
    }
    return NULL;
}

bool reha_dcm_has_twin(const reha_dcm_dataset *set, const reha_dcm_node *node)
{
    const reha_dcm_scope behind = {node->end_idx, set->node_count};
    return reha_dcm_find(set, behind, node->tag) != NULL;
}

bool reha_dcm_item(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t item_idx,
                   reha_dcm_scope *out)
{
    *out = (reha_dcm_scope){0, 0};
    if (node == NULL) {
        return false;
    }
    const uint32_t self = (uint32_t)(node - set->nodes);
    for (uint32_t i = self + 1; i < node->end_idx; i = set->nodes[i].end_idx) {
        if (set->nodes[i].tag != TAG_ITEM) {
            return false;
        }
        if (item_idx-- == 0) {
            *out = (reha_dcm_scope){i + 1, set->nodes[i].end_idx};
            return true;
        }
    }
    return false;
}

uint32_t reha_dcm_item_count(const reha_dcm_dataset *set, const reha_dcm_node *node)
{
    uint32_t count = 0;
    if (node != NULL) {
        const uint32_t self = (uint32_t)(node - set->nodes);
        for (uint32_t i = self + 1; i < node->end_idx; i = set->nodes[i].end_idx) {
            count++;
        }
    }
    return count;
}

const reha_dcm_node *reha_dcm_find_in_group(const reha_dcm_dataset *set, reha_dcm_scope group, uint32_t tag)
{
    const reha_dcm_node *node = reha_dcm_find(set, group, tag);
    for (uint32_t i = group.first_idx; node == NULL && i < group.end_idx; i = set->nodes[i].end_idx) {
        reha_dcm_scope macro;
        if (reha_dcm_item(set, &set->nodes[i], 0, &macro)) {
            node = reha_dcm_find(set, macro, tag);
        }
    }
    return node;
}
