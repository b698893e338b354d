/* A DICOM file becomes a copy that may be handed to research: PS3.15 Annex E, Basic Application Level
 * Confidentiality Profile, by a list of what is kept.
 *
 * What is not on the list (deidentify_rules.c) does not reach the copy: private elements, unknown ones and
 * what a later edition of the standard adds, at any depth of sequences; preamble, file meta information and
 * everything behind the pixel data are written anew. What is on the list is kept only if its value is what
 * it should be: a number, a known word, a UID of the standard. Nothing is copied because it looks harmless.
 *
 * The pixel data stay bit for bit as they are, but for comments and application segments inside of
 * compressed frames (filled with zeros: no pixel changes), overlays hidden in unused bits (cleared) and what
 * is blanked on request. A picture can still hold a name in its pixels: kinds of images that often do are
 * refused unless the file itself, a blanking or the caller says otherwise.
 *
 * Decision and limits: docs/adr/0026-deidentification.md, docs/privacy.md. */
#ifndef REHA_DICOM_DEIDENTIFY_H
#define REHA_DICOM_DEIDENTIFY_H

#include "image/gray.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REHA_DEID_TEXT_BYTES = 65, REHA_DEID_BLANKS_MAX = 16, REHA_DEID_PSEUDONYM_BYTES = 16 };

/* A keyed hash of the bytes as 64 hexadecimal digits. It must be one that cannot be computed without the
 * key: new UIDs, pseudonyms and shifts of dates come from it, the same ones for the same input. */
typedef void (*reha_deid_mac)(const void *context, const void *bytes, size_t count,
                              char out[REHA_DEID_TEXT_BYTES]);

typedef struct reha_deid_options {
    reha_deid_mac mac;
    const void *mac_context;
    bool shifts_dates; /* days moved back by 30 to 3650 days, the same number for all of one patient; else
                          days go. Times of day and birth dates go in either case */
    bool keeps_device; /* manufacturer and model, as a recogniser may want to know them */
    bool accepts_burned_in;      /* take pixels as they are, whatever may be written in them */
    bool blanks_outside_regions; /* black outside of the ultrasound regions; other files are left alone. Text
                                    inside of them stays, so the copy does not say that it holds none */
    reha_box_px blanks[REHA_DEID_BLANKS_MAX]; /* black in every frame: somebody looked, these are all */
    size_t blank_count;
    bool is_picture; /* wrapped for this from a picture, of whose pixels nobody knows anything */
} reha_deid_options;

typedef struct reha_deid_result { /* reha_deid_clear */
    uint8_t *bytes;
    size_t size_bytes;
    char pseudonym[REHA_DEID_PSEUDONYM_BYTES]; /* Patient ID and Patient's Name of the copy */
    char series_uid[65];                       /* new ones: fit for file names */
    char sop_uid[65];
    bool has_patient_number; /* false: the copies of this study are linked to each other, to nothing else */
    bool is_blanked;
    bool has_cleared_overlay;  /* hidden in unused bits of the pixel cells */
    uint32_t cleared_segments; /* comments and the like in compressed frames */
    /* Elements of the file, at any depth, by what became of them (the standard's letters). */
    uint32_t kept;            /* K */
    uint32_t replaced;        /* U, D */
    uint32_t emptied;         /* Z */
    uint32_t cleaned;         /* C */
    uint32_t removed;         /* X */
    uint32_t removed_private; /* of the removed ones */
    uint32_t *removed_tags;   /* standard ones, ascending, each once */
    size_t removed_tag_count;
} reha_deid_result;

/* REHA_E_REFUSED: must not be handed out like this (burned-in text possible, a report or document, an
 * overlay hidden in compressed pixels); REHA_E_FORMAT, _UNSUPPORTED, _LIMIT as for reha_dicom_open;
 * REHA_E_ARG: a box beyond the picture. Texts hold no value of the file, whatever its elements say.
 * The result is checked: it opens, with as many frames of the same size. Any thread. */
REHA_MUST_USE reha_status reha_dicom_deidentify(const void *bytes, size_t count,
                                                const reha_deid_options *options, reha_deid_result *out,
                                                reha_error *err);
void reha_deid_clear(reha_deid_result *result); /* {0} is fine */

/* True for a DICOMDIR: a table of contents, made of names. */
bool reha_dicom_is_directory(const void *bytes, size_t count);

#endif
