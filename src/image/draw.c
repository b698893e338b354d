/* Canvas, images and shapes on cairo. Text is in draw_text.c. */
#include "image/draw.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/canvas_priv.h"
#include "image/resample.h"
#include "image/statistics.h"

#include <cairo-pdf.h>
#include <math.h>
#include <string.h>

enum { PICTURE_SIDE_MAX_PX = 20000 };
static const double PDF_SIDE_MAX_PT = 14400.0; /* what readers accept (PDF 1.7, annex C) */
static const double TURN_RAD = 2.0 * 3.14159265358979323846;

bool reha_canvas_is_usable(reha_canvas *canvas)
{
    return canvas->status == REHA_OK && !canvas->is_finished;
}

void reha_canvas_fail(reha_canvas *canvas, reha_status status, const char *text)
{
    if (canvas->status == REHA_OK) {
        canvas->status = status;
        canvas->text = text;
    }
}

static cairo_status_t on_write(void *context, const unsigned char *bytes, unsigned int count)
{
    reha_canvas *canvas = context;
    if (count > canvas->capacity - canvas->length) {
        size_t capacity = canvas->capacity > 0 ? canvas->capacity : 1 << 16;
        while (count > capacity - canvas->length) {
            if (!reha_mul_size(capacity, 2, &capacity)) {
                return CAIRO_STATUS_NO_MEMORY;
            }
        }
        uint8_t *grown = reha_realloc(canvas->bytes, capacity);
        if (grown == NULL) {
            return CAIRO_STATUS_NO_MEMORY;
        }
        canvas->bytes = grown;
        canvas->capacity = capacity;
    }
    memcpy(canvas->bytes + canvas->length, bytes, count);
    canvas->length += count;
    return CAIRO_STATUS_SUCCESS;
}

static void set_fact(cairo_surface_t *surface, cairo_pdf_metadata_t which, const char *text)
{
    if (text != NULL) {
        cairo_pdf_surface_set_metadata(surface, which, text);
    }
}

static reha_status open_context(reha_canvas *canvas, reha_canvas **out, reha_error *err)
{
    canvas->cairo = cairo_create(canvas->surface);
    if (cairo_status(canvas->cairo) != CAIRO_STATUS_SUCCESS) {
        const cairo_status_t why = cairo_status(canvas->cairo);
        reha_canvas_free(canvas);
        return reha_fail(err, why == CAIRO_STATUS_NO_MEMORY ? REHA_E_NOMEM : REHA_E_INTERNAL,
                         "cannot draw: %s", cairo_status_to_string(why));
    }
    canvas->page_count = 1;
    *out = canvas;
    return REHA_OK;
}

reha_status reha_canvas_new_picture(uint32_t width_px, uint32_t height_px, reha_colour background,
                                    reha_canvas **out, reha_error *err)
{
    *out = NULL;
    if (width_px == 0 || height_px == 0 || width_px > PICTURE_SIDE_MAX_PX ||
        height_px > PICTURE_SIDE_MAX_PX) {
        return reha_fail(err, REHA_E_ARG, "a canvas of %u x %u px", width_px, height_px);
    }
    reha_canvas *canvas = reha_alloc_zero(1, sizeof *canvas);
    if (canvas == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a canvas");
    }
    canvas->width = (double)width_px;
    canvas->height = (double)height_px;
    /* RGB24 has no alpha: whatever is drawn, the result is opaque. */
    canvas->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width_px, (int)height_px);
    REHA_TRY(open_context(canvas, out, err));
    background.alpha = 1.0;
    reha_canvas_fill_box(canvas, (reha_rect){0.0, 0.0, canvas->width, canvas->height}, 0.0, background);
    return REHA_OK;
}

reha_status reha_canvas_new_pdf(double width_pt, double height_pt, const reha_pdf_facts *facts,
                                reha_canvas **out, reha_error *err)
{
    *out = NULL;
    if (!(width_pt >= 1.0 && height_pt >= 1.0 && width_pt <= PDF_SIDE_MAX_PT &&
          height_pt <= PDF_SIDE_MAX_PT)) {
        return reha_fail(err, REHA_E_ARG, "a PDF page of %g x %g points", width_pt, height_pt);
    }
    reha_canvas *canvas = reha_alloc_zero(1, sizeof *canvas);
    if (canvas == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a canvas");
    }
    canvas->is_pdf = true;
    canvas->width = width_pt;
    canvas->height = height_pt;
    canvas->surface = cairo_pdf_surface_create_for_stream(on_write, canvas, width_pt, height_pt);
    cairo_pdf_surface_restrict_to_version(canvas->surface, CAIRO_PDF_VERSION_1_5);
    set_fact(canvas->surface, CAIRO_PDF_METADATA_CREATOR, "Rehascope " REHA_VERSION);
    if (facts != NULL) {
        set_fact(canvas->surface, CAIRO_PDF_METADATA_TITLE, facts->title);
        set_fact(canvas->surface, CAIRO_PDF_METADATA_AUTHOR, facts->author);
        set_fact(canvas->surface, CAIRO_PDF_METADATA_SUBJECT, facts->subject);
        set_fact(canvas->surface, CAIRO_PDF_METADATA_KEYWORDS, facts->keywords);
        set_fact(canvas->surface, CAIRO_PDF_METADATA_CREATE_DATE, facts->created);
    }
    return open_context(canvas, out, err);
}

void reha_canvas_free(reha_canvas *canvas)
{
    if (canvas == NULL) {
        return;
    }
    reha_canvas_close_text(canvas);
    cairo_destroy(canvas->cairo);
    cairo_surface_destroy(canvas->surface); /* an unfinished PDF is written to `bytes` here */
    reha_free(canvas->bytes);
    reha_free(canvas);
}

double reha_canvas_width(const reha_canvas *canvas)
{
    return canvas->width;
}

double reha_canvas_height(const reha_canvas *canvas)
{
    return canvas->height;
}

size_t reha_canvas_pages(const reha_canvas *canvas)
{
    return canvas->page_count;
}

void reha_canvas_next_page(reha_canvas *canvas)
{
    if (!reha_canvas_is_usable(canvas)) {
        return;
    }
    if (!canvas->is_pdf) {
        reha_canvas_fail(canvas, REHA_E_ARG, "a picture has one page");
        return;
    }
    cairo_show_page(canvas->cairo);
    canvas->page_count++;
}

static reha_status finish(reha_canvas *canvas, reha_error *err)
{
    if (canvas->status != REHA_OK) {
        return reha_fail(err, canvas->status, "cannot draw: %s", canvas->text);
    }
    cairo_status_t why = cairo_status(canvas->cairo);
    if (why == CAIRO_STATUS_SUCCESS && !canvas->is_finished) {
        if (canvas->is_pdf) {
            cairo_show_page(canvas->cairo);
            cairo_surface_finish(canvas->surface);
            why = cairo_surface_status(canvas->surface);
            canvas->is_finished = true;
        } else {
            canvas->length = 0;
            why = cairo_surface_write_to_png_stream(canvas->surface, on_write, canvas);
        }
    }
    if (why != CAIRO_STATUS_SUCCESS) {
        canvas->status = why == CAIRO_STATUS_NO_MEMORY ? REHA_E_NOMEM : REHA_E_INTERNAL;
        canvas->text = cairo_status_to_string(why);
        return reha_fail(err, canvas->status, "cannot draw: %s", canvas->text);
    }
    return REHA_OK;
}

reha_status reha_canvas_encode(reha_canvas *canvas, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(finish(canvas, err));
    uint8_t *copy = reha_alloc(canvas->length);
    if (copy == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a file of %zu bytes", canvas->length);
    }
    memcpy(copy, canvas->bytes, canvas->length);
    *out = copy;
    *out_bytes = canvas->length;
    return REHA_OK;
}

reha_status reha_canvas_save(reha_canvas *canvas, const char *path, reha_error *err)
{
    REHA_TRY(finish(canvas, err));
    return reha_file_save(path, canvas->bytes, canvas->length, err);
}

reha_status reha_canvas_pixels(reha_canvas *canvas, uint8_t **out, uint32_t *width_px, uint32_t *height_px,
                               reha_error *err)
{
    *out = NULL;
    if (canvas->is_pdf) {
        return reha_fail(err, REHA_E_ARG, "a PDF has no pixels");
    }
    if (canvas->status != REHA_OK) {
        return reha_fail(err, canvas->status, "%s", canvas->text);
    }
    cairo_surface_flush(canvas->surface);
    *width_px = (uint32_t)cairo_image_surface_get_width(canvas->surface);
    *height_px = (uint32_t)cairo_image_surface_get_height(canvas->surface);
    const size_t stride = (size_t)cairo_image_surface_get_stride(canvas->surface);
    const uint8_t *rows = cairo_image_surface_get_data(canvas->surface);
    uint8_t *to = reha_alloc((size_t)*width_px * *height_px * 3);
    if (to == NULL || rows == NULL) {
        reha_free(to);
        return reha_fail(err, REHA_E_NOMEM, "no memory for the pixels of a picture");
    }
    *out = to;
    for (uint32_t y = 0; y < *height_px; y++) {
        for (uint32_t x = 0; x < *width_px; x++) {
            uint32_t pixel; /* 0x00RRGGBB in host byte order */
            memcpy(&pixel, rows + y * stride + (size_t)x * sizeof pixel, sizeof pixel);
            *to++ = (uint8_t)(pixel >> 16);
            *to++ = (uint8_t)(pixel >> 8);
            *to++ = (uint8_t)pixel;
        }
    }
    return REHA_OK;
}

/* ---- images ---- */

reha_rect reha_rect_fit(const reha_gray *image, reha_rect frame)
{
    double aspect = (double)image->width_px / (double)image->height_px;
    if (reha_spacing_is_known(image->spacing)) {
        aspect *= image->spacing.x_mm / image->spacing.y_mm;
    }
    reha_rect box = frame;
    if (frame.width > frame.height * aspect) {
        box.width = frame.height * aspect;
        box.x += 0.5 * (frame.width - box.width);
    } else {
        box.height = frame.width / aspect;
        box.y += 0.5 * (frame.height - box.height);
    }
    return box;
}

reha_spot reha_canvas_place(const reha_gray *image, reha_rect box, reha_point_px pixel)
{
    return (reha_spot){box.x + (pixel.x_px + 0.5) * box.width / (double)image->width_px,
                       box.y + (pixel.y_px + 0.5) * box.height / (double)image->height_px};
}

static bool is_good_box(reha_canvas *canvas, reha_rect box)
{
    if (!isfinite(box.x) || !isfinite(box.y) || !isfinite(box.width) || !isfinite(box.height) ||
        box.width < 0.0 || box.height < 0.0) {
        reha_canvas_fail(canvas, REHA_E_ARG, "a box that is not finite or has a negative size");
        return false;
    }
    return true;
}

static bool is_good_spot(reha_canvas *canvas, reha_spot spot)
{
    if (!isfinite(spot.x) || !isfinite(spot.y)) {
        reha_canvas_fail(canvas, REHA_E_ARG, "a point that is not finite");
        return false;
    }
    return true;
}

/* Where the picture shown is finer than the canvas, drawing the full picture would be slow and make
 * large PDFs: it is brought to twice the canvas resolution first (four times for PDF, whose points are
 * coarser than what a printer shows). */
static reha_status fit_to_canvas(const reha_canvas *canvas, const reha_gray *image, reha_rect box,
                                 reha_gray **out)
{
    const double fineness = canvas->is_pdf ? 4.0 : 2.0;
    const double width = fmin((double)image->width_px, ceil(box.width * fineness));
    const double height = fmin((double)image->height_px, ceil(box.height * fineness));
    return reha_gray_resize(image, (uint32_t)fmax(width, 1.0), (uint32_t)fmax(height, 1.0), REHA_FILTER_AREA,
                            out, NULL);
}

static void paint_surface(reha_canvas *canvas, cairo_surface_t *surface, reha_rect box)
{
    cairo_t *cairo = canvas->cairo;
    cairo_save(cairo);
    cairo_rectangle(cairo, box.x, box.y, box.width, box.height);
    cairo_clip(cairo);
    cairo_translate(cairo, box.x, box.y);
    cairo_scale(cairo, box.width / (double)cairo_image_surface_get_width(surface),
                box.height / (double)cairo_image_surface_get_height(surface));
    cairo_set_source_surface(cairo, surface, 0.0, 0.0);
    /* PAD: without it the rim of an enlarged picture is blended with nothing. */
    cairo_pattern_set_extend(cairo_get_source(cairo), CAIRO_EXTEND_PAD);
    cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_BILINEAR);
    cairo_paint(cairo);
    cairo_restore(cairo);
}

/* Fills an ARGB surface from the (reduced) image with `shade`, and paints it. */
static void paint_image(reha_canvas *canvas, const reha_gray *image, reha_rect box,
                        uint32_t (*shade)(float value, const float range[2]), const float range[2])
{
    if (!reha_canvas_is_usable(canvas) || !is_good_box(canvas, box) || box.width == 0.0 ||
        box.height == 0.0) {
        return;
    }
    reha_gray *shown = NULL;
    if (fit_to_canvas(canvas, image, box, &shown) != REHA_OK) {
        reha_canvas_fail(canvas, REHA_E_NOMEM, "no memory for an image");
        return;
    }
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)shown->width_px, (int)shown->height_px);
    if (cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS) {
        reha_canvas_fail(canvas, REHA_E_NOMEM, "no memory for an image");
    } else {
        cairo_surface_flush(surface);
        uint8_t *bytes = cairo_image_surface_get_data(surface);
        const size_t stride = (size_t)cairo_image_surface_get_stride(surface);
        for (uint32_t y = 0; y < shown->height_px; y++) {
            for (uint32_t x = 0; x < shown->width_px; x++) {
                const uint32_t pixel = shade(reha_gray_at(shown, x, y), range);
                memcpy(bytes + y * stride + 4 * (size_t)x, &pixel, sizeof pixel);
            }
        }
        cairo_surface_mark_dirty(surface);
        paint_surface(canvas, surface, box);
    }
    cairo_surface_destroy(surface);
    reha_gray_free(shown);
}

static uint32_t to_byte(double value)
{
    return value >= 1.0 ? 255u : value > 0.0 ? (uint32_t)(value * 255.0 + 0.5) : 0u;
}

static uint32_t shade_gray(float value, const float range[2])
{
    const double part = range[1] > range[0]
                            ? ((double)value - (double)range[0]) / ((double)range[1] - (double)range[0])
                        : value > range[0] ? 1.0
                                           : 0.0;
    return 0xff000000u | to_byte(part) * 0x010101u;
}

void reha_canvas_gray(reha_canvas *canvas, const reha_gray *image, reha_rect box, float low, float high)
{
    paint_image(canvas, image, box, shade_gray, (const float[2]){low, high});
}

void reha_canvas_gray_stretched(reha_canvas *canvas, const reha_gray *image, reha_rect box, double low_share,
                                double high_share)
{
    const double shares[2] = {low_share, high_share};
    float levels[2] = {0.0F, 255.0F};
    const size_t count = (size_t)image->width_px * image->height_px;
    if (reha_percentiles(image->pixels, count, shares, 2, levels, NULL) != REHA_OK ||
        levels[1] <= levels[0]) {
        levels[0] = 0.0F;
        levels[1] = 255.0F;
    }
    reha_canvas_gray(canvas, image, box, levels[0], levels[1]);
}

static cairo_status_t read_png(void *closure, unsigned char *data, unsigned int length)
{
    reha_bytes *left = closure;
    reha_bytes part;
    if (!reha_bytes_take(left, length, &part)) {
        return CAIRO_STATUS_READ_ERROR;
    }
    memcpy(data, part.data, length);
    return CAIRO_STATUS_SUCCESS;
}

reha_rect reha_canvas_png(reha_canvas *canvas, const uint8_t *png, size_t png_bytes, reha_rect frame)
{
    reha_bytes left = {png, png_bytes};
    reha_rect box = {frame.x, frame.y, 0.0, 0.0};
    if (!reha_canvas_is_usable(canvas)) {
        return box;
    }
    cairo_surface_t *picture = cairo_image_surface_create_from_png_stream(read_png, &left);
    const double width = cairo_image_surface_get_width(picture);
    const double height = cairo_image_surface_get_height(picture);
    if (cairo_surface_status(picture) != CAIRO_STATUS_SUCCESS || !(width >= 1.0 && height >= 1.0)) {
        reha_canvas_fail(canvas, REHA_E_FORMAT, "a picture of the page is no PNG");
        cairo_surface_destroy(picture);
        return box;
    }
    const double ratio = fmin(frame.width / width, frame.height / height);
    box = (reha_rect){frame.x + 0.5 * (frame.width - ratio * width),
                      frame.y + 0.5 * (frame.height - ratio * height), ratio * width, ratio * height};
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, box.x, box.y);
    cairo_scale(canvas->cairo, ratio, ratio);
    cairo_set_source_surface(canvas->cairo, picture, 0.0, 0.0);
    cairo_paint(canvas->cairo);
    cairo_restore(canvas->cairo);
    cairo_surface_destroy(picture);
    return box;
}

static uint32_t shade_heat(float value, const float range[2])
{
    const double part = value > 0.0f ? fmin((double)value, 1.0) : 0.0; /* NaN too gives 0 */
    const reha_colour colour = reha_heat_colour(part);
    /* Full opacity from one half on; the low end must not veil the image. */
    const double alpha = (double)range[0] * fmin(1.0, 2.0 * part);
    return to_byte(alpha) << 24 | to_byte(colour.red * alpha) << 16 | to_byte(colour.green * alpha) << 8 |
           to_byte(colour.blue * alpha);
}

void reha_canvas_heat(reha_canvas *canvas, const reha_gray *map, reha_rect box, double opacity)
{
    const double part = opacity > 0.0 ? fmin(opacity, 1.0) : 0.0;
    paint_image(canvas, map, box, shade_heat, (const float[2]){(float)part, 0.0f});
}

static double srgb_of_linear(double value)
{
    const double part = value > 0.0 ? fmin(value, 1.0) : 0.0;
    return part <= 0.0031308 ? 12.92 * part : 1.055 * pow(part, 1.0 / 2.4) - 0.055;
}

reha_colour reha_heat_colour(double value)
{
    const double t = value > 0.0 ? fmin(value, 1.0) : 0.0;
    /* A path in OKLab (Ottosson 2020): lightness rises evenly, hue goes from violet (300 degrees) over
     * red to yellow (105), chroma is largest in the middle, where sRGB has room for it. */
    const double lightness = 0.28 + 0.68 * t;
    const double hue = (300.0 + 165.0 * t) * TURN_RAD / 360.0;
    const double chroma = 0.11 + 0.10 * sin(0.5 * TURN_RAD * fmin(1.0, 0.15 + 0.85 * t)) - 0.01 * t;
    const double a = chroma * cos(hue);
    const double b = chroma * sin(hue);
    const double l_root = lightness + 0.3963377774 * a + 0.2158037573 * b;
    const double m_root = lightness - 0.1055613458 * a - 0.0638541728 * b;
    const double s_root = lightness - 0.0894841775 * a - 1.2914855480 * b;
    const double l = l_root * l_root * l_root;
    const double m = m_root * m_root * m_root;
    const double s = s_root * s_root * s_root;
    return (reha_colour){
        srgb_of_linear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
        srgb_of_linear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
        srgb_of_linear(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s),
        1.0,
    };
}

void reha_canvas_heat_legend(reha_canvas *canvas, reha_rect box)
{
    enum { STEPS = 64 };
    for (int i = 0; i < STEPS; i++) {
        const double from = box.width * (double)i / STEPS;
        /* Each step reaches to the end, so that no seams show between neighbours. */
        reha_canvas_fill_box(canvas, (reha_rect){box.x + from, box.y, box.width - from, box.height}, 0.0,
                             reha_heat_colour((i + 0.5) / STEPS));
    }
}

/* ---- shapes ---- */

static void set_colour(reha_canvas *canvas, reha_colour colour)
{
    cairo_set_source_rgba(canvas->cairo, colour.red, colour.green, colour.blue, colour.alpha);
}

static void stroke_path(reha_canvas *canvas, reha_stroke stroke)
{
    cairo_t *cairo = canvas->cairo;
    set_colour(canvas, stroke.colour);
    cairo_set_line_width(cairo, stroke.width > 0.0 ? stroke.width : 1.0);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(cairo, stroke.dash > 0.0 ? CAIRO_LINE_CAP_BUTT : CAIRO_LINE_CAP_ROUND);
    const double dash = stroke.dash;
    cairo_set_dash(cairo, &dash, dash > 0.0 ? 1 : 0, 0.0);
    cairo_stroke(cairo);
}

static bool add_path(reha_canvas *canvas, const reha_spot *spots, size_t count, bool closed)
{
    if (!reha_canvas_is_usable(canvas) || count == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_good_spot(canvas, spots[i])) {
            return false;
        }
    }
    cairo_new_path(canvas->cairo);
    for (size_t i = 0; i < count; i++) {
        cairo_line_to(canvas->cairo, spots[i].x, spots[i].y);
    }
    if (closed) {
        cairo_close_path(canvas->cairo);
    }
    return true;
}

static bool add_box(reha_canvas *canvas, reha_rect box, double corner_radius)
{
    if (!reha_canvas_is_usable(canvas) || !is_good_box(canvas, box)) {
        return false;
    }
    cairo_t *cairo = canvas->cairo;
    const double radius = fmin(corner_radius, 0.5 * fmin(box.width, box.height));
    cairo_new_path(cairo);
    if (!(radius > 0.0)) {
        cairo_rectangle(cairo, box.x, box.y, box.width, box.height);
        return true;
    }
    const double quarter = 0.25 * TURN_RAD;
    const double right = box.x + box.width - radius;
    const double bottom = box.y + box.height - radius;
    cairo_arc(cairo, right, box.y + radius, radius, -quarter, 0.0);
    cairo_arc(cairo, right, bottom, radius, 0.0, quarter);
    cairo_arc(cairo, box.x + radius, bottom, radius, quarter, 2.0 * quarter);
    cairo_arc(cairo, box.x + radius, box.y + radius, radius, 2.0 * quarter, 3.0 * quarter);
    cairo_close_path(cairo);
    return true;
}

static bool add_circle(reha_canvas *canvas, reha_spot centre, double radius)
{
    if (!reha_canvas_is_usable(canvas) || !is_good_spot(canvas, centre) || !(radius > 0.0) ||
        !isfinite(radius)) {
        return false;
    }
    cairo_new_path(canvas->cairo);
    cairo_arc(canvas->cairo, centre.x, centre.y, radius, 0.0, TURN_RAD);
    return true;
}

void reha_canvas_line(reha_canvas *canvas, reha_spot from, reha_spot to, reha_stroke stroke)
{
    const reha_spot spots[2] = {from, to};
    reha_canvas_polyline(canvas, spots, 2, false, stroke);
}

void reha_canvas_polyline(reha_canvas *canvas, const reha_spot *spots, size_t count, bool closed,
                          reha_stroke stroke)
{
    if (add_path(canvas, spots, count, closed)) {
        stroke_path(canvas, stroke);
    }
}

void reha_canvas_box(reha_canvas *canvas, reha_rect box, double corner_radius, reha_stroke stroke)
{
    if (add_box(canvas, box, corner_radius)) {
        stroke_path(canvas, stroke);
    }
}

void reha_canvas_circle(reha_canvas *canvas, reha_spot centre, double radius, reha_stroke stroke)
{
    if (add_circle(canvas, centre, radius)) {
        stroke_path(canvas, stroke);
    }
}

void reha_canvas_fill_box(reha_canvas *canvas, reha_rect box, double corner_radius, reha_colour colour)
{
    if (add_box(canvas, box, corner_radius)) {
        set_colour(canvas, colour);
        cairo_fill(canvas->cairo);
    }
}

void reha_canvas_fill_circle(reha_canvas *canvas, reha_spot centre, double radius, reha_colour colour)
{
    if (add_circle(canvas, centre, radius)) {
        set_colour(canvas, colour);
        cairo_fill(canvas->cairo);
    }
}

void reha_canvas_fill_polygon(reha_canvas *canvas, const reha_spot *spots, size_t count, reha_colour colour)
{
    if (add_path(canvas, spots, count, true)) {
        set_colour(canvas, colour);
        cairo_fill(canvas->cairo);
    }
}

void reha_canvas_clip(reha_canvas *canvas, reha_rect box)
{
    if (add_box(canvas, box, 0.0)) {
        cairo_clip(canvas->cairo);
    }
}

void reha_canvas_unclip(reha_canvas *canvas)
{
    if (reha_canvas_is_usable(canvas)) {
        cairo_reset_clip(canvas->cairo);
    }
}

void reha_canvas_bars(reha_canvas *canvas, reha_rect box, const reha_bar *bars, size_t count, double top,
                      double size, reha_colour text_colour)
{
    if (count == 0 || !(top > 0.0)) {
        return;
    }
    const double slot = box.width / (double)count;
    const double label_height = 1.5 * size;
    const double room = fmax(box.height - label_height, 0.0);
    const reha_type type = {.size = size, .align = REHA_ALIGN_CENTRE, .colour = text_colour};
    for (size_t i = 0; i < count; i++) {
        const double part = bars[i].value > 0.0 ? fmin(bars[i].value / top, 1.0) : 0.0;
        const double height = part * room;
        const double left = box.x + slot * (double)i;
        reha_canvas_fill_box(canvas,
                             (reha_rect){left + 0.15 * slot, box.y + room - height, 0.7 * slot, height}, 0.0,
                             bars[i].colour);
        if (bars[i].label != NULL) {
            (void)reha_canvas_text(canvas, (reha_spot){left + 0.5 * slot, box.y + room + 0.2 * size},
                                   bars[i].label, &type);
        }
    }
    reha_canvas_line(canvas, (reha_spot){box.x, box.y + room}, (reha_spot){box.x + box.width, box.y + room},
                     (reha_stroke){.colour = text_colour, .width = size / 12.0});
}
