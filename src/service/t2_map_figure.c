/* The picture of a T2 map: every slice with its colours over the anatomy. */
#include "base/memory.h"
#include "image/statistics.h"
#include "image/volume_draw.h"
#include "service/t2_map_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
    PANELS_MAX = 36,
    COLUMNS_MAX = 6,
    GAP_PX = 14,
    HEAD_PX = 44,
    BAR_PX = 120,
    FOOT_PX = 30,
    TITLE_PX = 22
};
static const double TYPE_PX = 15.0;
static const unsigned PAGE = 0x10151a;
static const unsigned INK = 0xe6ebf0;
static const unsigned UNFITTED = 0x2fc6c6; /* no colour of the scale */

typedef struct layout {
    uint32_t panels;
    uint32_t first; /* slice of the first panel; then every `stride`-th */
    uint32_t stride;
    uint32_t columns;
    uint32_t rows;
    double panel_px;
    double panel_height_px;
} layout;

static layout plan(const reha_volume *grid)
{
    layout out = {.panels = grid->size[2]};
    double spacing_mm[3];
    reha_volume_spacing_mm(grid, spacing_mm);
    out.stride = (grid->size[2] + PANELS_MAX - 1) / PANELS_MAX;
    out.panels = (grid->size[2] + out.stride - 1) / out.stride;
    out.columns = (uint32_t)fmin(ceil(sqrt((double)out.panels)), COLUMNS_MAX);
    out.rows = (out.panels + out.columns - 1) / out.columns;
    out.panel_px = out.columns == 1 ? 640.0 : out.columns == 2 ? 512.0 : 320.0;
    const double shape = grid->size[1] * spacing_mm[1] / (grid->size[0] * spacing_mm[0]);
    out.panel_height_px = out.panel_px * fmin(fmax(shape, 0.2), 4.0);
    return out;
}

/* Grey levels of the whole anatomy, so that slices compare. */
static void window_of(const reha_volume *anatomy, float *low, float *high)
{
    const double fractions[2] = {0.01, 0.995};
    float levels[2] = {0.0F, 1.0F};
    const size_t count = reha_volume_count(anatomy);
    float *values = reha_alloc(count * sizeof *values);
    size_t used = 0;
    for (size_t v = 0; v < count && values != NULL; v++) {
        if (!isnan(anatomy->voxels[v])) {
            values[used++] = anatomy->voxels[v];
        }
    }
    if (used == 0 || reha_percentiles(values, used, fractions, 2, levels, NULL) != REHA_OK ||
        levels[1] <= levels[0]) {
        levels[0] = 0.0F;
        levels[1] = 1.0F;
    }
    reha_free(values);
    *low = levels[0];
    *high = levels[1];
}

static void draw_outline(reha_canvas *canvas, const reha_t2_result *result, uint32_t k, reha_rect box)
{
    const reha_volume *grid = result->map->t2_ms;
    const reha_stroke stroke = {reha_rgb(0xffffff), 1.6, 0.0};
    const double step_x = box.width / grid->size[0];
    const double step_y = box.height / grid->size[1];
    for (uint32_t y = 0; y < grid->size[1]; y++) {
        for (uint32_t x = 0; x < grid->size[0]; x++) {
            const size_t v = reha_volume_index(grid, x, y, k);
            const uint8_t left = x > 0 ? result->labels[v - 1] : 0;
            const uint8_t above = y > 0 ? result->labels[v - grid->size[0]] : 0;
            const reha_spot corner = {box.x + x * step_x, box.y + y * step_y};
            if (result->labels[v] != left) {
                reha_canvas_line(canvas, corner, (reha_spot){corner.x, corner.y + step_y}, stroke);
            }
            if (result->labels[v] != above) {
                reha_canvas_line(canvas, corner, (reha_spot){corner.x + step_x, corner.y}, stroke);
            }
        }
    }
}

static void draw_letters(reha_canvas *canvas, const reha_volume *grid, reha_rect box)
{
    char toward[4];
    const char *pairs = "LRRLAPPASIIS"; /* each letter, then its opposite */
    char text[2] = "";
    reha_type type = {.size = TYPE_PX, .bold = true, .colour = reha_rgb(INK)};
    reha_volume_directions(grid, toward);
    for (int axis = 0; axis < 2; axis++) {
        for (int end = 0; end < 2; end++) {
            text[0] = toward[axis];
            for (int i = 0; i < 12 && end == 0; i += 2) {
                if (pairs[i] == toward[axis]) {
                    text[0] = pairs[i + 1];
                    break;
                }
            }
            const reha_spot at = axis == 0 ? (reha_spot){end == 0 ? box.x + 5.0 : box.x + box.width - 17.0,
                                                         box.y + 0.5 * box.height - 9.0}
                                           : (reha_spot){box.x + 0.5 * box.width - 5.0,
                                                         end == 0 ? box.y + 3.0 : box.y + box.height - 21.0};
            reha_canvas_fill_box(canvas, (reha_rect){at.x - 3.0, at.y, 18.0, 19.0}, 3.0,
                                 (reha_colour){0.0, 0.0, 0.0, 0.6});
            (void)reha_canvas_text(canvas, at, text, &type);
        }
    }
}

/* Tissue that has no T2, as a mask. */
static void keep_unfitted(const reha_t2_map *map, uint32_t k, reha_gray *out)
{
    const size_t from = reha_volume_index(map->t2_ms, 0, 0, k);
    for (size_t p = 0; p < (size_t)out->width_px * out->height_px; p++) {
        const uint8_t state = map->states[from + p];
        out->pixels[p] =
            state != REHA_T2_FITTED && state != REHA_T2_BACKGROUND && state != REHA_T2_NO_DATA ? 1.0F : 0.0F;
    }
}

static reha_status draw_panel(reha_canvas *canvas, const reha_t2_result *result, uint32_t k, reha_rect box,
                              const double range_ms[2], const float window[2], reha_error *err)
{
    reha_gray *anatomy = NULL;
    reha_gray *t2 = NULL;
    reha_status status = REHA_OK;
    char title[64];
    REHA_CHECK(reha_volume_slice(result->anatomy, k, &anatomy, err));
    REHA_CHECK(reha_volume_slice(result->map->t2_ms, k, &t2, err));
    for (size_t p = 0; p < (size_t)anatomy->width_px * anatomy->height_px; p++) {
        anatomy->pixels[p] = isnan(anatomy->pixels[p]) ? 0.0F : anatomy->pixels[p];
    }
    const reha_rect place = reha_rect_fit(anatomy, box);
    reha_canvas_gray(canvas, anatomy, place, window[0], window[1]);
    reha_canvas_values(canvas, t2, place, range_ms[0], range_ms[1]);
    keep_unfitted(result->map, k, t2);
    reha_canvas_mark(canvas, t2, place, reha_rgb(UNFITTED));
    if (result->labels != NULL) {
        draw_outline(canvas, result, k, place);
    }
    if (result->facts.container[0] == 'd') { /* a DICOM series knows its directions */
        draw_letters(canvas, result->map->t2_ms, place);
    }
    const reha_t2_statistics *s = &result->tissue.slices[k];
    const reha_type type = {.size = TYPE_PX, .colour = reha_rgb(INK)};
    if (s->fitted > 0) {
        (void)snprintf(title, sizeof title, "slice %" PRIu32 ": median %.1f ms", k + 1, s->median_ms);
    } else {
        (void)snprintf(title, sizeof title, "slice %" PRIu32 ": not measured", k + 1);
    }
    (void)reha_canvas_text(canvas, (reha_spot){box.x, box.y - TITLE_PX + 1.0}, title, &type);
done:
    reha_gray_free(anatomy);
    reha_gray_free(t2);
    return status;
}

static void draw_scale(reha_canvas *canvas, const layout *shape, double top, double width,
                       const double range_ms[2])
{
    const double height = shape->rows * (shape->panel_height_px + TITLE_PX + GAP_PX) - GAP_PX;
    const reha_type type = {.size = TYPE_PX - 2.0, .colour = reha_rgb(INK)};
    const double x = width - BAR_PX + 8.0;
    reha_canvas_value_bar(canvas, (reha_rect){x, top + 34.0, 26.0, fmin(height - 90.0, 360.0)}, range_ms[0],
                          range_ms[1], "T2 (ms)", TYPE_PX, reha_rgb(INK));
    const double foot = top + 34.0 + fmin(height - 90.0, 360.0) + 24.0;
    reha_canvas_fill_box(canvas, (reha_rect){x, foot, 14.0, 14.0}, 0.0, reha_rgb(UNFITTED));
    (void)reha_canvas_text(canvas, (reha_spot){x + 20.0, foot - 2.0}, "not fitted", &type);
}

static void draw_words(reha_canvas *canvas, const reha_t2_result *result, const layout *shape, double height)
{
    char text[160];
    const reha_type head = {.size = TYPE_PX + 4.0, .bold = true, .colour = reha_rgb(INK)};
    const reha_type foot = {.size = TYPE_PX - 2.0, .colour = reha_rgb(INK)};
    const reha_t2_statistics *s = &result->tissue.all;
    (void)snprintf(text, sizeof text, "T2 map: tissue median %.1f ms, quartiles %.1f to %.1f", s->median_ms,
                   s->q1_ms, s->q3_ms);
    (void)reha_canvas_text(canvas, (reha_spot){GAP_PX, 12.0}, text, &head);
    (void)snprintf(text, sizeof text, "%zu echoes, %.1f to %.1f ms%s. Research only, not reviewed.%s",
                   result->map->echo_count, result->map->echo_ms[0],
                   result->map->echo_ms[result->map->echo_count - 1],
                   result->map->options.skip_first ? ", first one left out" : "",
                   shape->stride > 1 ? " Not all slices are shown." : "");
    (void)reha_canvas_text(canvas, (reha_spot){GAP_PX, height - FOOT_PX + 4.0}, text, &foot);
}

reha_status reha_t2_picture(const reha_t2_result *result, double low_ms, double high_ms, uint8_t **out,
                            size_t *out_bytes, reha_error *err)
{
    const layout shape = plan(result->map->t2_ms);
    const double range_ms[2] = {low_ms, high_ms};
    const double width = fmax(GAP_PX + shape.columns * (shape.panel_px + GAP_PX) + BAR_PX, 640.0);
    const double height =
        HEAD_PX + fmax(shape.rows * (shape.panel_height_px + TITLE_PX + GAP_PX), 260.0) + FOOT_PX;
    float window[2];
    reha_canvas *canvas = NULL;
    *out = NULL;
    *out_bytes = 0;
    if (!(high_ms > low_ms)) {
        return reha_fail(err, REHA_E_ARG, "the range of colours must rise, not go from %g to %g ms", low_ms,
                         high_ms);
    }
    REHA_TRY(reha_canvas_new_picture((uint32_t)width, (uint32_t)height, reha_rgb(PAGE), &canvas, err));
    window_of(result->anatomy, &window[0], &window[1]);
    reha_status status = REHA_OK;
    for (uint32_t p = 0; p < shape.panels && status == REHA_OK; p++) {
        const uint32_t column = p % shape.columns;
        const uint32_t row = p / shape.columns;
        const reha_rect box = {GAP_PX + column * (shape.panel_px + GAP_PX),
                               HEAD_PX + TITLE_PX + row * (shape.panel_height_px + TITLE_PX + GAP_PX),
                               shape.panel_px, shape.panel_height_px};
        status = draw_panel(canvas, result, p * shape.stride, box, range_ms, window, err);
    }
    draw_scale(canvas, &shape, HEAD_PX, width, range_ms);
    draw_words(canvas, result, &shape, height);
    if (status == REHA_OK) {
        status = reha_canvas_encode(canvas, out, out_bytes, err);
    }
    reha_canvas_free(canvas);
    return status;
}
