/* Drawing for reports: an opaque canvas that becomes a PNG picture or a PDF of one or more pages.
 *
 * Units are canvas units: pixels for pictures, points (1/72 inch) for PDF; x right, y down, and here
 * (0, 0) is the top left CORNER of the canvas, as in every drawing program. To draw something at pixel
 * (i, j) of an image that reha_canvas_gray shows in a box, use reha_canvas_place.
 *
 * Drawing functions return nothing: the first failure (memory, a point that is not finite) is kept,
 * later calls do nothing, and encode or save reports it. So callers check once, at the end. Texts are
 * UTF-8 (a broken sequence is shown as a replacement mark). Same calls, same fonts, same libraries: same
 * bytes (give a PDF its creation time to make that true of PDF too).
 *
 * One thread at a time per canvas; different canvases in different threads are fine. */
#ifndef REHA_IMAGE_DRAW_H
#define REHA_IMAGE_DRAW_H

#include "base/status.h"
#include "image/gray.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_canvas reha_canvas;

typedef struct reha_colour { /* each 0..1, sRGB; alpha 1 is opaque */
    double red;
    double green;
    double blue;
    double alpha;
} reha_colour;

static inline reha_colour reha_rgb(unsigned hex) /* 0xRRGGBB */
{
    const double full = 255.0;
    return (reha_colour){(double)(hex >> 16 & 0xff) / full, (double)(hex >> 8 & 0xff) / full,
                         (double)(hex & 0xff) / full, 1.0};
}

typedef struct reha_rect {
    double x;
    double y;
    double width;
    double height;
} reha_rect;

typedef struct reha_spot {
    double x;
    double y;
} reha_spot;

/* Texts may be NULL. `created` is ISO 8601 ("2026-01-31T12:34:56Z"); NULL takes the time of now. */
typedef struct reha_pdf_facts {
    const char *title;
    const char *author;
    const char *subject;
    const char *keywords;
    const char *created;
} reha_pdf_facts;

/* A picture of 1..20000 px a side, filled with an opaque colour. */
REHA_MUST_USE reha_status reha_canvas_new_picture(uint32_t width_px, uint32_t height_px,
                                                  reha_colour background, reha_canvas **out, reha_error *err);
/* A PDF with its first page open. A4 is 595.28 x 841.89 points. */
REHA_MUST_USE reha_status reha_canvas_new_pdf(double width_pt, double height_pt, const reha_pdf_facts *facts,
                                              reha_canvas **out, reha_error *err);
void reha_canvas_free(reha_canvas *canvas); /* NULL is fine */

double reha_canvas_width(const reha_canvas *canvas);
double reha_canvas_height(const reha_canvas *canvas);
/* Ends the PDF page and begins the next one; on a picture a failure (REHA_E_ARG). */
void reha_canvas_next_page(reha_canvas *canvas);
size_t reha_canvas_pages(const reha_canvas *canvas);

/* The encoded file in memory; free *out with reha_free. A PDF is complete after the first call, and
 * takes no more drawing. */
REHA_MUST_USE reha_status reha_canvas_encode(reha_canvas *canvas, uint8_t **out, size_t *out_bytes,
                                             reha_error *err);
REHA_MUST_USE reha_status reha_canvas_save(reha_canvas *canvas, const char *path, reha_error *err);

/* The pixels of a picture, three bytes each (red, green, blue), row by row; reha_free. REHA_E_ARG for a PDF.
 */
REHA_MUST_USE reha_status reha_canvas_pixels(reha_canvas *canvas, uint8_t **out, uint32_t *width_px,
                                             uint32_t *height_px, reha_error *err);

/* ---- images ---- */

/* The largest box with the image's shape (true to its spacing where that is known and uneven) in the
 * middle of `frame`. */
reha_rect reha_rect_fit(const reha_gray *image, reha_rect frame);
/* Where the centre of a pixel lies on the canvas when the image is shown in `box`. */
reha_spot reha_canvas_place(const reha_gray *image, reha_rect box, reha_point_px pixel);

/* Shows an image: values <= low are black, >= high white. */
void reha_canvas_gray(reha_canvas *canvas, const reha_gray *image, reha_rect box, float low, float high);
/* The same between two percentiles of the image, as shares in [0, 1]; 0 to 255 where they do not differ. */
void reha_canvas_gray_stretched(reha_canvas *canvas, const reha_gray *image, reha_rect box, double low_share,
                                double high_share);
/* Draws a PNG picture, in its colours, as large as fits into the middle of `frame`; gives the box that it
 * took (empty on a failure). */
reha_rect reha_canvas_png(reha_canvas *canvas, const uint8_t *png, size_t png_bytes, reha_rect frame);
/* Lays a map of 0..1 over it in the colours of reha_heat_colour. Opacity grows with the value up to
 * `opacity`, so that where there is nothing to see the image stays as it was. */
void reha_canvas_heat(reha_canvas *canvas, const reha_gray *map, reha_rect box, double opacity);

/* Value 0..1 (clamped) to a colour: dark violet over red and orange to light yellow. Lightness rises
 * evenly, so the order survives colour blindness and grey printing. */
reha_colour reha_heat_colour(double value);
/* A horizontal strip of these colours, for a legend. */
void reha_canvas_heat_legend(reha_canvas *canvas, reha_rect box);

/* ---- shapes ---- */

typedef struct reha_stroke {
    reha_colour colour;
    double width;
    double dash; /* length of dashes and gaps; 0: solid */
} reha_stroke;

void reha_canvas_line(reha_canvas *canvas, reha_spot from, reha_spot to, reha_stroke stroke);
void reha_canvas_polyline(reha_canvas *canvas, const reha_spot *spots, size_t count, bool closed,
                          reha_stroke stroke);
void reha_canvas_box(reha_canvas *canvas, reha_rect box, double corner_radius, reha_stroke stroke);
void reha_canvas_circle(reha_canvas *canvas, reha_spot centre, double radius, reha_stroke stroke);
void reha_canvas_fill_box(reha_canvas *canvas, reha_rect box, double corner_radius, reha_colour colour);
void reha_canvas_fill_circle(reha_canvas *canvas, reha_spot centre, double radius, reha_colour colour);
void reha_canvas_fill_polygon(reha_canvas *canvas, const reha_spot *spots, size_t count, reha_colour colour);

/* Restricts drawing to a box until reha_canvas_unclip. Does not nest. */
void reha_canvas_clip(reha_canvas *canvas, reha_rect box);
void reha_canvas_unclip(reha_canvas *canvas);

typedef struct reha_bar {
    double value;
    const char *label; /* below or left of the bar; NULL: none */
    reha_colour colour;
} reha_bar;

/* Upright bars from 0 to `top` over the width of `box`, with their labels below (font of `size`). */
void reha_canvas_bars(reha_canvas *canvas, reha_rect box, const reha_bar *bars, size_t count, double top,
                      double size, reha_colour text_colour);

/* ---- text ---- */

typedef enum reha_align { REHA_ALIGN_LEFT, REHA_ALIGN_CENTRE, REHA_ALIGN_RIGHT } reha_align;

typedef struct reha_type {
    double size; /* height of the font in canvas units */
    bool bold;
    bool italic;
    bool mono;
    reha_align align;
    reha_colour colour;
    double wrap_width;  /* 0: one line per line of text; else lines are broken at words */
    unsigned lines_max; /* 0: all; else cut with an ellipsis (needs wrap_width) */
} reha_type;

/* Draws text with its top left corner at `at` (with wrap_width 0, `at` is the left, middle or right of
 * the top edge, as `align` says). Returns the space taken; {0, 0} after a failure. */
reha_spot reha_canvas_text(reha_canvas *canvas, reha_spot at, const char *text, const reha_type *type);
/* The space it would take. */
reha_spot reha_canvas_measure(reha_canvas *canvas, const char *text, const reha_type *type);
/* How many bytes of the text, from its beginning, stand in lines that are whole within `height`: where a long
 * text is broken that goes on on the next page. All of it (strlen) if it fits; 0 if not even one line does,
 * or after a failure. Never ends within a letter; the next part may begin with blanks, which begin no line.
 */
size_t reha_canvas_fit(reha_canvas *canvas, const char *text, const reha_type *type, double height);

#endif
