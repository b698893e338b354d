/* A softcopy presentation state: lines and words that lie over an image and can be switched off, layer by
 * layer, with the window that the image is shown in. Grey images get a Grayscale, colour ones a Color
 * Softcopy Presentation State. Written mark by mark, as dicom/report_sr.h:
 *
 *     reha_ps_new(&image, &ps, err);
 *     reha_ps_layer(ps, &layer);                  what follows is drawn in it
 *     reha_ps_line(ps, points, count, false);
 *     reha_ps_text(ps, "3.4 mm", place);
 *     reha_ps_encode(ps, &document, &bytes, &count, err);
 *
 * Calls return nothing: the first failure is kept, later calls do nothing, and encode reports it. Texts are
 * UTF-8 and copied. Same calls, same bytes. One thread at a time per presentation state.
 *
 * Of an image of several frames it is the first one's.
 *
 * Source: DICOM PS3.3 A.33.1, A.33.2, C.10.4, C.10.5, C.10.7, C.11.9, C.11.10, C.11.15. */
#ifndef REHA_DICOM_PRESENTATION_H
#define REHA_DICOM_PRESENTATION_H

#include "dicom/derived.h"

typedef struct reha_ps reha_ps;

typedef struct reha_ps_layer_look { /* borrowed */
    const char *name;               /* at most 16 of A-Z, 0-9, blank, underscore */
    const char *description;        /* for people */
    unsigned rgb;                   /* recommended colour, 0xRRGGBB of sRGB */
} reha_ps_layer_look;

/* Of this image (borrowed). REHA_E_UNSUPPORTED: its grey values go through a table, or its window is not
 * known, so that it would be shown wrongly. */
REHA_MUST_USE reha_status reha_ps_new(const reha_dicom_origin *image, reha_ps **out, reha_error *err);
void reha_ps_free(reha_ps *ps); /* NULL is fine */

/* What follows is in this layer; one that was named before goes on. Later layers lie above earlier ones. */
void reha_ps_layer(reha_ps *ps, const reha_ps_layer_look *look);
/* Points in the image, (0, 0) is the centre of its first pixel. What of a line is outside of the image is
 * left out; a closed one (back to the first point) is pressed to its edges. One point is a point. */
void reha_ps_line(reha_ps *ps, const reha_point_px *points, size_t count, bool is_closed);
/* Words beside a place in the image, with a line to it from wherever a viewer puts them. */
void reha_ps_label(reha_ps *ps, const char *text, reha_point_px at);
/* Words in a box of the image (left upper corner); lines end with "\n". */
void reha_ps_text(reha_ps *ps, const char *text, reha_box_px box);
/* The same in the part of the screen that shows the image: 0 to 1 from its left upper corner. */
void reha_ps_caption(reha_ps *ps, const char *text, reha_box_px share);
/* Nothing was drawn, and nothing failed. */
bool reha_ps_is_empty(const reha_ps *ps);

typedef struct reha_ps_document {
    const reha_dicom_object *object;
    const char *label; /* as a layer's name */
    const char *description;
    const char *creator; /* as people write it; "" for none */
} reha_ps_document;
/* May be called again with another object. *out: reha_free. */
REHA_MUST_USE reha_status reha_ps_encode(reha_ps *ps, const reha_ps_document *document, uint8_t **out,
                                         size_t *out_bytes, reha_error *err);

#endif
