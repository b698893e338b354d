#include "recognition/muscle_sheet.h"

#include "base/memory.h"
#include "image/draw.h"
#include "recognition/muscle_us.h"

#include <math.h>
#include <stdio.h>

enum { COLUMNS = 6, TILE_W = 320, TILE_H = 250, PRINT_PX = 14, CURVE = REHA_MUSCLE_POINTS_DEEP };

struct reha_muscle_sheet {
    reha_canvas *canvas;
    size_t tiles, used;
};

reha_status reha_muscle_sheet_new(size_t tiles, reha_muscle_sheet **out, reha_error *err)
{
    *out = reha_alloc_zero(1, sizeof **out);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the sheet");
    }
    (*out)->tiles = tiles;
    const uint32_t rows = (uint32_t)((tiles + COLUMNS - 1) / COLUMNS);
    const reha_status status =
        reha_canvas_new_picture(COLUMNS * TILE_W, rows * TILE_H, reha_rgb(0x404040), &(*out)->canvas, err);
    if (status != REHA_OK) {
        reha_muscle_sheet_free(*out);
        *out = NULL;
    }
    return status;
}

void reha_muscle_sheet_free(reha_muscle_sheet *sheet)
{
    if (sheet != NULL) {
        reha_canvas_free(sheet->canvas);
        reha_free(sheet);
    }
}

static void draw_lines(reha_canvas *canvas, const reha_gray *image, reha_rect box, const reha_region *region)
{
    reha_spot spots[REHA_POINTS_MAX];
    for (int i = 0; i < region->point_count; i++) {
        spots[i] = reha_canvas_place(image, box, region->points[i]);
    }
    reha_canvas_clip(canvas, box);
    if (region->point_count >= REHA_MUSCLE_POINTS_FASCICLES) {
        const reha_stroke line = {reha_rgb(0x40c0ff), 1.5, 0.0};
        reha_canvas_polyline(canvas, spots + REHA_MUSCLE_POINTS_SUPERFICIAL, CURVE, false, line);
        reha_canvas_polyline(canvas, spots + REHA_MUSCLE_POINTS_DEEP, CURVE, false, line);
    }
    for (int i = REHA_MUSCLE_POINTS_FASCICLES; i + 1 < region->point_count; i += 4) {
        reha_canvas_line(canvas, spots[i], spots[i + 1], (reha_stroke){reha_rgb(0xffd040), 1.0, 0.0});
    }
    reha_canvas_unclip(canvas);
}

void reha_muscle_sheet_add(reha_muscle_sheet *sheet, const char *name, const reha_gray *image,
                           const reha_analysis *analysis)
{
    if (sheet->used >= sheet->tiles) {
        return;
    }
    const size_t row = sheet->used / COLUMNS;
    const double x = (double)(sheet->used % COLUMNS) * TILE_W;
    const double y = (double)row * TILE_H;
    const reha_rect frame = {x + 2.0, y + PRINT_PX + 6.0, TILE_W - 4.0, TILE_H - PRINT_PX - 8.0};
    const reha_rect box = reha_rect_fit(image, frame);
    char text[96];
    sheet->used++;
    reha_canvas_gray(sheet->canvas, image, box, 0.0F, 255.0F);
    if (analysis->is_accepted && analysis->region_count > 0) {
        const reha_region *region = &analysis->regions[0];
        const reha_finding *thickness = reha_region_find(region, "thickness");
        const reha_finding *pennation = reha_region_find(region, "pennation");
        draw_lines(sheet->canvas, image, box, region);
        (void)snprintf(text, sizeof text, "%s: %.1f, %.1f deg", name,
                       thickness != NULL ? thickness->measure.value : (double)NAN,
                       pennation != NULL ? pennation->measure.value : (double)NAN);
    } else {
        (void)snprintf(text, sizeof text, "%s: refused", name);
    }
    const reha_type type = {.size = PRINT_PX, .colour = reha_rgb(0xffffff)};
    (void)reha_canvas_text(sheet->canvas, (reha_spot){x + 4.0, y + 2.0}, text, &type);
}

reha_status reha_muscle_sheet_save(reha_muscle_sheet *sheet, const char *path, reha_error *err)
{
    return reha_canvas_save(sheet->canvas, path, err);
}
