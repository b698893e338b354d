/* The structure of one DICOM file: an index of its elements over borrowed bytes.
 *
 * Parsing copies no value and allocates only the index, whose size is bounded; no declared length
 * is believed before it was compared with the bytes that are left. Nesting is kept on an explicit
 * stack, so that a hostile file cannot exhaust ours. This is the only parser of element headers in
 * the tree: DCMTK never sees the structure of a foreign file (bridge_priv.h).
 *
 * Source: DICOM PS3.5 sections 7 (data set) and A.4 (encapsulation), PS3.10 section 7 (file). */
#ifndef REHA_DICOM_DATASET_PRIV_H
#define REHA_DICOM_DATASET_PRIV_H

#include "base/status.h"
#include "dicom/tags_priv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_dcm_node {
    uint32_t tag;
    uint32_t end_idx;   /* first node behind this one and all that it holds */
    size_t offset;      /* of the value */
    uint32_t length;    /* of the value in bytes; 0 where undefined */
    uint16_t vr;        /* as written, or from the table for known tags, or "UN" */
    bool little_endian; /* of the value */
} reha_dcm_node;

typedef struct reha_dcm_span {
    size_t offset;
    size_t length;
} reha_dcm_span;

/* Brothers: the elements of the data set or of one item, or the items of a sequence. */
typedef struct reha_dcm_scope {
    uint32_t first_idx;
    uint32_t end_idx;
} reha_dcm_scope;

typedef struct reha_dcm_dataset { /* immutable after parsing: any thread */
    const uint8_t *bytes;         /* borrowed, but for `inflated` */
    size_t size_bytes;
    uint8_t *inflated; /* the whole file again, its data set decompressed; NULL if it was not deflated */
    reha_dcm_node *nodes;
    uint32_t node_count;
    uint32_t node_capacity;
    char transfer_syntax_uid[65];
    bool explicit_vr;
    bool big_endian;
    /* Encapsulated pixel data of the data set itself (not of an icon). */
    bool is_encapsulated;
    reha_dcm_span offset_table;
    reha_dcm_span *fragments;
    size_t fragment_count;
    size_t fragment_capacity;
    bool has_trailing_garbage; /* after the pixel data; passed over */
} reha_dcm_dataset;

/* True if the bytes look like DICOM: "DICM" behind a preamble, or a bare data set. */
bool reha_dcm_detect(const uint8_t *bytes, size_t size_bytes);

/* `bytes` must outlive the data set. REHA_E_FORMAT names the offset of what is broken;
 * REHA_E_LIMIT: more elements, depth or inflated bytes than allowed. */
REHA_MUST_USE reha_status reha_dcm_parse(const uint8_t *bytes, size_t size_bytes, reha_dcm_dataset *out,
                                         reha_error *err);
void reha_dcm_clear(reha_dcm_dataset *set);

reha_dcm_scope reha_dcm_root(const reha_dcm_dataset *set);
/* The first element with this tag, or NULL. */
const reha_dcm_node *reha_dcm_find(const reha_dcm_dataset *set, reha_dcm_scope scope, uint32_t tag);
bool reha_dcm_has_twin(const reha_dcm_dataset *set, const reha_dcm_node *node);
/* Item item_idx of the sequence `node` (NULL: no). */
bool reha_dcm_item(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t item_idx,
                   reha_dcm_scope *out);
uint32_t reha_dcm_item_count(const reha_dcm_dataset *set, const reha_dcm_node *node);
/* Looks for `tag` in the scope, then one level down in the first item of each of its sequences: how
 * attributes lie in a functional group. */
const reha_dcm_node *reha_dcm_find_in_group(const reha_dcm_dataset *set, reha_dcm_scope group, uint32_t tag);

/* Values. All accept node NULL (false, and the output is harmless). value_idx counts from 0. */

/* One value without its padding blanks, ASCII as stored; false if absent, empty or cut. */
bool reha_dcm_text(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx, char *out,
                   size_t out_bytes);
/* As above, any value that fits: made UTF-8 by the file's character set, control characters
 * removed, cut at a whole character. */
bool reha_dcm_text_utf8(const reha_dcm_dataset *set, const reha_dcm_node *node, char *out, size_t out_bytes);
/* As above, the value at value_idx. */
bool reha_dcm_text_utf8_at(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx,
                           char *out, size_t out_bytes);
/* As reha_dcm_text_utf8, but all of it: false (and "") if a byte cannot be made UTF-8 or it does not fit.
 * Nothing is whole. */
bool reha_dcm_text_whole(const reha_dcm_dataset *set, const reha_dcm_node *node, char *out, size_t out_bytes);
/* Any numeric VR and decimal strings; not finite is false. */
bool reha_dcm_number(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx, double *out);
/* Exactly one unsigned value of 16 (or 32) bits. */
bool reha_dcm_u32(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t *out);
/* How many values of that kind lie in it (backslashes counted in strings). */
uint32_t reha_dcm_value_count(const reha_dcm_dataset *set, const reha_dcm_node *node);
uint16_t reha_dcm_u16_at(const reha_dcm_dataset *set, const reha_dcm_node *node, uint32_t value_idx);

#endif
