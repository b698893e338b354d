#include "image/volume_draw.h"

#include "image/canvas_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BAR_STEPS = 128, TICKS = 5 };

typedef uint32_t (*shader)(float value, const void *context);

typedef struct range {
    double low;
    double high;
} range;

static uint32_t pixel_of(reha_colour colour)
{
    const double parts[3] = {colour.red, colour.green, colour.blue};
    uint32_t pixel = (uint32_t)(fmin(fmax(colour.alpha, 0.0), 1.0) * 255.0 + 0.5);
    for (int c = 0; c < 3; c++) { /* cairo wants them multiplied by the opacity */
        pixel = pixel << 8 | (uint32_t)(fmin(fmax(parts[c] * colour.alpha, 0.0), 1.0) * 255.0 + 0.5);
    }
    return pixel;
}

static uint32_t shade_value(float value, const void *context)
{
    const range *span = context;
    return isnan(value) ? 0u
                        : pixel_of(reha_heat_colour(((double)value - span->low) / (span->high - span->low)));
}

static uint32_t shade_mark(float value, const void *context)
{
    const uint32_t *pixel = context;
    return value > 0.0F ? *pixel : 0u;
}

static void paint(reha_canvas *canvas, const reha_gray *image, reha_rect box, shader shade,
                  const void *context)
{
    if (!reha_canvas_is_usable(canvas) || !(box.width > 0.0) || !(box.height > 0.0)) {
        return;
    }
    cairo_t *cairo = canvas->cairo;
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)image->width_px, (int)image->height_px);
    if (cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS) {
        reha_canvas_fail(canvas, REHA_E_NOMEM, "no memory for a map");
        cairo_surface_destroy(surface);
        return;
    }
    cairo_surface_flush(surface);
    uint8_t *bytes = cairo_image_surface_get_data(surface);
    const size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const uint32_t pixel = shade(reha_gray_at(image, x, y), context);
            memcpy(bytes + y * stride + 4 * (size_t)x, &pixel, sizeof pixel);
        }
    }
    cairo_surface_mark_dirty(surface);
    cairo_save(cairo);
    cairo_translate(cairo, box.x, box.y);
    cairo_scale(cairo, box.width / image->width_px, box.height / image->height_px);
    cairo_set_source_surface(cairo, surface, 0.0, 0.0);
    cairo_pattern_set_filter(cairo_get_source(cairo),
                             CAIRO_FILTER_NEAREST); /* a value is never mixed with none */
    cairo_rectangle(cairo, 0.0, 0.0, image->width_px, image->height_px);
    cairo_fill(cairo);
    cairo_restore(cairo);
    cairo_surface_destroy(surface);
}

void reha_canvas_values(reha_canvas *canvas, const reha_gray *map, reha_rect box, double low, double high)
{
    if (!(high > low)) {
        reha_canvas_fail(canvas, REHA_E_ARG, "a range of colours that does not rise");
        return;
    }
    paint(canvas, map, box, shade_value, &(range){low, high});
}

void reha_canvas_mark(reha_canvas *canvas, const reha_gray *mask, reha_rect box, reha_colour colour)
{
    const uint32_t pixel = pixel_of(colour);
    paint(canvas, mask, box, shade_mark, &pixel);
}

void reha_canvas_value_bar(reha_canvas *canvas, reha_rect box, double low, double high, const char *title,
                           double size, reha_colour text_colour)
{
    const reha_type type = {.size = size, .colour = text_colour};
    const reha_stroke stroke = {text_colour, 1.0, 0.0};
    for (int i = 0; i < BAR_STEPS;
         i++) { /* from the top; each step reaches to the end, so that no seams show */
        const double from = box.height * i / BAR_STEPS;
        reha_canvas_fill_box(canvas, (reha_rect){box.x, box.y + from, box.width, box.height - from}, 0.0,
                             reha_heat_colour(1.0 - (i + 0.5) / BAR_STEPS));
    }
    reha_canvas_box(canvas, box, 0.0, stroke);
    for (int t = 0; t < TICKS; t++) {
        char text[32];
        const double part = (double)t / (TICKS - 1);
        const double y = box.y + box.height * (1.0 - part);
        (void)snprintf(text, sizeof text, "%.4g", low + part * (high - low));
        reha_canvas_line(canvas, (reha_spot){box.x + box.width, y}, (reha_spot){box.x + box.width + 4.0, y},
                         stroke);
        (void)reha_canvas_text(canvas, (reha_spot){box.x + box.width + 7.0, y - 0.65 * size}, text, &type);
    }
    (void)reha_canvas_text(canvas, (reha_spot){box.x, box.y - 2.0 * size}, title, &type);
}
