/* What the files of de-identification share: rules, elements, pixels. */
#ifndef REHA_DICOM_DEIDENTIFY_PRIV_H
#define REHA_DICOM_DEIDENTIFY_PRIV_H

#include "dicom/deidentify.h"
#include "dicom/dicom_priv.h"
#include "dicom/element_priv.h"

/* The standard's actions (PS3.15 table E.1-1a) for what is on the list; everything else is X. */
typedef enum deid_action {
    DEID_KEEP,     /* K, if the value passes its check; else X */
    DEID_CLEAN,    /* C: unknown words become OTHER */
    DEID_UID,      /* U */
    DEID_EMPTY,    /* Z; X inside of sequences */
    DEID_DUMMY,    /* D: the pseudonym; X inside of sequences */
    DEID_DATE,     /* C with shifted dates, else Z or X; X inside of sequences */
    DEID_DEVICE,   /* K on request, else Z or X; X inside of sequences */
    DEID_SEQUENCE, /* K: the rules for each of its items */
    DEID_CODED,    /* C: items of code, scheme and a meaning of known words */
    DEID_MARK,     /* written by us */
    DEID_PIXELS
} deid_action;

typedef enum deid_check {
    DEID_ANY,
    DEID_NUMBER,      /* decimal or integer strings */
    DEID_WORDS,       /* of reha_deid_is_known_word */
    DEID_ORIENTATION, /* letters of directions */
    DEID_CLASS,       /* a UID that the standard gives */
    DEID_BINARY,      /* a few numbers of the VR's width */
    DEID_TABLE        /* many of them: look-up tables */
} deid_check;

typedef struct deid_rule {
    uint32_t tag;
    char vr[3];
    bool is_required; /* in the data set itself: written even if the file lacks it */
    deid_action action;
    deid_check check;
} deid_rule;

enum { DEID_RULES_MAX = 256 };
extern const deid_rule reha_deid_rules[]; /* ascending */
extern const size_t reha_deid_rule_count;
/* NULL: not on the list. */
const deid_rule *reha_deid_find_rule(uint32_t tag);
/* Every word of letters and digits is one that standards and devices use; case does not count. */
bool reha_deid_are_known_words(const char *text, size_t length);
/* "T-D9200", "72696002", "113100": codes that are no texts. */
bool reha_deid_is_code(const char *text);
bool reha_deid_is_scheme(const char *text);
/* Classes of images that are copied. */
bool reha_deid_is_image_class(const char *uid);
/* Ultrasound, secondary capture and photographs: their pixels often hold names. */
bool reha_deid_is_risky_class(const char *uid);

/* The pixel data of the copy, ready before its other elements are written. */
typedef struct deid_pixels {
    uint8_t *owned;      /* NULL: those of the file, unchanged */
    size_t size_bytes;   /* native: of all frames, without what lies behind them */
    const uint8_t *data; /* native pixel data; NULL: encapsulated ones of the file */
    bool is_decoded;     /* was compressed, is explicit little endian now; then the following hold */
    reha_dcm_colour colour;
    uint32_t bits_allocated;
    uint32_t bits_stored;
    uint32_t high_bit;
    bool is_planar;
    bool is_blanked;
    bool has_cleared_overlay;
    uint32_t cleared_segments;
    uint8_t *fragments; /* encapsulated: their bytes one behind the other, cleaned */
} deid_pixels;

REHA_MUST_USE reha_status reha_deid_prepare_pixels(const reha_dicom *dicom, const reha_deid_options *options,
                                                   deid_pixels *out, reha_error *err);
void reha_deid_put_pixels(reha_dcm_writer *out, const reha_dicom *dicom, const deid_pixels *pixels);
void reha_deid_pixels_clear(deid_pixels *pixels);

/* Fills comments, application segments and what lies behind the end of a compressed frame with zeros.
 * False: its structure cannot be followed. */
bool reha_deid_clean_stream(const char *transfer_syntax_uid, uint8_t *stream, size_t size_bytes,
                            uint32_t *cleared);

#define REHA_DEID_SECONDARY_CAPTURE "1.2.840.10008.5.1.4.1.1.7" /* what stands for a class of nobody's */

typedef struct deid_work { /* one file on its way */
    const reha_dicom *dicom;
    const reha_deid_options *options;
    const uint8_t *file; /* as it came, for what has to stand for a missing UID */
    size_t file_bytes;
    deid_pixels pixels;
    reha_dcm_writer out; /* in the encoding of the copy */
    bool *is_handled;    /* [nodes]: in the copy, or replaced by something there */
    bool is_new_syntax;  /* inflated or decoded: explicit little endian now */
    long shift_days;
    char patient_mac[REHA_DEID_TEXT_BYTES]; /* names the patient, or the study where no number does */
    reha_deid_result *result;
} deid_work;

/* deidentify.c: the first element of the data set itself; NULL: none. */
const reha_dcm_node *reha_deid_find(const reha_dicom *dicom, uint32_t tag);
/* A value without the blanks around it; false if nothing is left, or `node` is NULL. */
bool reha_deid_trim(const reha_dicom *dicom, const reha_dcm_node *node, const uint8_t **out,
                    size_t *out_bytes);
/* What stands for a UID: the same for the same one under one key. */
void reha_deid_new_uid(const deid_work *w, const reha_dcm_node *node, uint32_t tag, char out[65]);

/* deidentify_elements.c: all elements of a level by their rules. */
void reha_deid_put_elements(deid_work *w, reha_dcm_scope scope, bool is_root);
bool reha_deid_is_standard_uid(const uint8_t *text, size_t count);
bool reha_deid_has_word(const reha_dicom *dicom, uint32_t tag, uint32_t value_idx, const char *word);

#endif
