/* The inside of a canvas, shared by draw.c and draw_text.c. */
#ifndef REHA_IMAGE_CANVAS_PRIV_H
#define REHA_IMAGE_CANVAS_PRIV_H

#include "image/draw.h"

#include <cairo.h>

struct reha_canvas {
    cairo_surface_t *surface;
    cairo_t *cairo;
    void *fonts;   /* PangoFontMap, made with the first text */
    void *context; /* PangoContext */
    bool is_pdf;
    bool is_finished;
    double width;
    double height;
    size_t page_count;
    uint8_t *bytes; /* the encoded file */
    size_t length;
    size_t capacity;
    reha_status status; /* the first failure */
    const char *text;   /* what it was; static */
};

bool reha_canvas_is_usable(reha_canvas *canvas);
void reha_canvas_fail(reha_canvas *canvas, reha_status status, const char *text); /* `text`: static */
void reha_canvas_close_text(reha_canvas *canvas);

#endif
