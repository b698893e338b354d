#include "recognition/muscle_injury_sheet.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/save.h"
#include "recognition/sampling.h"

#include <math.h>

enum {
    TILE_W = 320,
    TILE_H = 240,
    ROWS = 4,
    COLUMNS = REHA_LESION_NOTHING,
    TILES = ROWS * COLUMNS,
    GAP_PX = 4,
    DASH_PX = 5
};
static const double HEIGHT_RATIO = 2.0; /* of the muscle's thickness: what a tile shows */

static void draw_border(reha_gray *image, const uint8_t *mask)
{
    for (uint32_t y = 0; y + 1 < image->height_px; y++) {
        for (uint32_t x = 0; x + 1 < image->width_px; x++) {
            const size_t at = (size_t)y * image->width_px + x;
            if ((mask[at] != mask[at + 1] || mask[at] != mask[at + image->width_px]) &&
                (x + y) / DASH_PX % 2 == 0) {
                image->pixels[at] = 255.0F;
            }
        }
    }
}

static reha_status draw_tile(const reha_injury_scene *scene, const reha_lesion_spec *spec, bool with_border,
                             reha_gray *sheet, int column, int row, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_injury_view view = {0};
    float *tile = reha_alloc((size_t)TILE_W * TILE_H * sizeof *tile);
    if (tile == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the sheet");
    }
    REHA_CHECK(reha_injury_scene_view(scene, spec, &view, err));
    if (with_border) {
        draw_border(view.image, view.truth.injured);
    }
    const double height = fmin(scene->frame.box.height_px, HEIGHT_RATIO * scene->belly.thickness_px);
    const double width = height * TILE_W / TILE_H;
    const double x = spec->centre.x_px;
    const double y = 0.5 * (reha_injury_top(&scene->belly, x) + reha_injury_bottom(&scene->belly, x));
    REHA_CHECK(reha_sample_rect(view.image, (reha_box_px){x - 0.5 * width, y - 0.5 * height, width, height},
                                REHA_BORDER_ZERO, (reha_tone){scene->frame.low, scene->frame.high}, TILE_W,
                                TILE_H, tile, err));
    for (int i = 0; i < TILE_W * TILE_H; i++) {
        const size_t at = (size_t)(row * (TILE_H + GAP_PX) + i / TILE_W) * sheet->width_px +
                          (size_t)(column * (TILE_W + GAP_PX) + i % TILE_W);
        sheet->pixels[at] = 255.0F * tile[i];
    }
done:
    reha_injury_view_clear(&view);
    reha_free(tile);
    return status;
}

reha_status reha_injury_sheet_save(const reha_injury_scene *scenes, const size_t *usable, size_t count,
                                   uint64_t seed, const char *folder, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *sheet = NULL;
    size_t healthy = 0;
    for (size_t i = 0; i < count; i++) {
        healthy += scenes[usable[i]].is_labelled ? 0 : 1;
    }
    if (healthy == 0) {
        return REHA_OK;
    }
    char *path = reha_path_join(folder, "simulated.png");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_gray_new(COLUMNS * (TILE_W + GAP_PX), ROWS * (TILE_H + GAP_PX), &sheet, err));
    reha_random random = reha_random_init(seed, 0x7368656574);
    for (int tile = 0; tile < TILES; tile++) {
        size_t at = (size_t)tile * count / TILES;
        while (scenes[usable[at]].is_labelled) {
            at = (at + 1) % count;
        }
        const reha_injury_scene *scene = &scenes[usable[at]];
        const reha_lesion_spec spec =
            reha_lesion_draw((reha_lesion_kind)(tile % COLUMNS), &scene->belly, &scene->frame, &random);
        const int row = tile / COLUMNS;
        REHA_CHECK(draw_tile(scene, &spec, row % 2 == 1, sheet, tile % COLUMNS, row, err));
    }
    REHA_CHECK(reha_image_save_png(sheet, 8, path, err));
done:
    reha_gray_free(sheet);
    reha_free(path);
    return status;
}
