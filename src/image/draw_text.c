/* Text by pango. */
#include "image/canvas_priv.h"

#include <math.h>
#include <string.h>

#include <pango/pangocairo.h>

/* A font map per canvas, not pango's per-thread default one: nothing outlives the canvas, and no two
 * threads share a cache. */
static bool open_text(reha_canvas *canvas)
{
    if (canvas->context != NULL) {
        return true;
    }
    /* The thread's own: fonts are opened once, not once for each canvas. */
    PangoFontMap *fonts = pango_cairo_font_map_get_default();
    PangoContext *context = fonts != NULL ? pango_font_map_create_context(fonts) : NULL;
    if (context == NULL) {
        reha_canvas_fail(canvas, REHA_E_INTERNAL, "no fonts can be used");
        return false;
    }
    /* No hinting and grey smoothing, whatever the desktop's settings: the same picture everywhere. */
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(context, options);
    cairo_font_options_destroy(options);
    pango_context_set_round_glyph_positions(context, FALSE);
    canvas->fonts = g_object_ref(fonts);
    canvas->context = context;
    return true;
}

void reha_canvas_close_text(reha_canvas *canvas)
{
    if (canvas->context != NULL) {
        g_object_unref(canvas->context);
        g_object_unref(canvas->fonts);
        canvas->context = NULL;
        canvas->fonts = NULL;
    }
}

static PangoLayout *make_layout(reha_canvas *canvas, const char *text, const reha_type *type)
{
    if (!reha_canvas_is_usable(canvas)) {
        return NULL;
    }
    if (!(type->size > 0.0 && type->size < 2000.0) || !(type->wrap_width >= 0.0 && type->wrap_width < 1e5)) {
        reha_canvas_fail(canvas, REHA_E_ARG, "a text size or width out of range");
        return NULL;
    }
    if (!open_text(canvas)) {
        return NULL;
    }
    PangoLayout *layout = pango_layout_new(canvas->context);
    PangoFontDescription *font = pango_font_description_new();
    /* The generic families: fontconfig picks what the machine has. */
    pango_font_description_set_family_static(font, type->mono ? "monospace" : "sans-serif");
    pango_font_description_set_weight(font, type->bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_style(font, type->italic ? PANGO_STYLE_ITALIC : PANGO_STYLE_NORMAL);
    pango_font_description_set_absolute_size(font, type->size * PANGO_SCALE);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    /* pango prints a warning for broken UTF-8: it gets repaired text only. */
    char *valid = g_utf8_make_valid(text, (gssize)strlen(text));
    pango_layout_set_text(layout, valid, -1);
    g_free(valid);
    if (type->wrap_width > 0.0) {
        pango_layout_set_width(layout, (int)lround(type->wrap_width * PANGO_SCALE));
        pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
        if (type->lines_max > 0) {
            pango_layout_set_height(layout, -(int)type->lines_max);
            pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
        }
    }
    pango_layout_set_alignment(layout, type->align == REHA_ALIGN_LEFT     ? PANGO_ALIGN_LEFT
                                       : type->align == REHA_ALIGN_CENTRE ? PANGO_ALIGN_CENTER
                                                                          : PANGO_ALIGN_RIGHT);
    return layout;
}

static reha_spot size_of(PangoLayout *layout)
{
    PangoRectangle logical;
    pango_layout_get_extents(layout, NULL, &logical);
    return (reha_spot){(double)logical.width / PANGO_SCALE, (double)logical.height / PANGO_SCALE};
}

reha_spot reha_canvas_measure(reha_canvas *canvas, const char *text, const reha_type *type)
{
    PangoLayout *layout = make_layout(canvas, text, type);
    if (layout == NULL) {
        return (reha_spot){0.0, 0.0};
    }
    const reha_spot size = size_of(layout);
    g_object_unref(layout);
    return size;
}

size_t reha_canvas_fit(reha_canvas *canvas, const char *text, const reha_type *type, double height)
{
    if (g_utf8_validate(text, -1, NULL) ==
        FALSE) { /* its repaired form has other places to break at: all or nothing */
        return reha_canvas_measure(canvas, text, type).y <= height ? strlen(text) : 0;
    }
    PangoLayout *layout = make_layout(canvas, text, type);
    if (layout == NULL) {
        return 0;
    }
    PangoLayoutIter *at = pango_layout_get_iter(layout);
    size_t fits = 0;
    bool is_all = false;
    do {
        PangoRectangle line;
        pango_layout_iter_get_line_extents(at, NULL, &line);
        if ((double)(line.y + line.height) / PANGO_SCALE > height) {
            break;
        }
        const PangoLayoutLine *shown = pango_layout_iter_get_line_readonly(at);
        fits = (size_t)shown->start_index + (size_t)shown->length;
        is_all = pango_layout_iter_at_last_line(at);
    } while (pango_layout_iter_next_line(at));
    pango_layout_iter_free(at);
    g_object_unref(layout);
    return is_all ? strlen(text) : fits;
}

reha_spot reha_canvas_text(reha_canvas *canvas, reha_spot at, const char *text, const reha_type *type)
{
    if (!isfinite(at.x) || !isfinite(at.y)) {
        reha_canvas_fail(canvas, REHA_E_ARG, "a text at a point that is not finite");
        return (reha_spot){0.0, 0.0};
    }
    PangoLayout *layout = make_layout(canvas, text, type);
    if (layout == NULL) {
        return (reha_spot){0.0, 0.0};
    }
    const reha_spot size = size_of(layout);
    double x = at.x;
    if (type->wrap_width <= 0.0) {
        x -= type->align == REHA_ALIGN_CENTRE ? 0.5 * size.x : type->align == REHA_ALIGN_RIGHT ? size.x : 0.0;
    }
    cairo_set_source_rgba(canvas->cairo, type->colour.red, type->colour.green, type->colour.blue,
                          type->colour.alpha);
    cairo_move_to(canvas->cairo, x, at.y);
    pango_cairo_show_layout(canvas->cairo, layout);
    cairo_new_path(canvas->cairo);
    g_object_unref(layout);
    return size;
}
