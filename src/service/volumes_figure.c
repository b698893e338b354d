#include "base/file.h"
#include "base/memory.h"
#include "image/draw.h"
#include "image/statistics.h"
#include "service/volumes.h"

#include <math.h>
#include <stdio.h>

enum { SIDE_MIN_PX = 512, SIDE_MAX_PX = 4096, TYPE_PX = 16 };
static const unsigned INK = 0xffe680;

/* Grey levels of what the cut shows; outside of the volume becomes black. */
static void prepare(reha_gray *image, float levels[2])
{
    const double fractions[2] = {0.01, 0.995};
    const size_t count = (size_t)image->width_px * image->height_px;
    float *values = reha_alloc(count * sizeof *values);
    size_t used = 0;
    for (size_t p = 0; p < count && values != NULL; p++) {
        if (!isnan(image->pixels[p])) {
            values[used++] = image->pixels[p];
        }
    }
    levels[0] = 0.0F;
    levels[1] = 1.0F;
    if (used > 0 &&
        (reha_percentiles(values, used, fractions, 2, levels, NULL) != REHA_OK || levels[1] <= levels[0])) {
        levels[1] = levels[0] + 1.0F;
    }
    reha_free(values);
    for (size_t p = 0; p < count; p++) {
        image->pixels[p] = isnan(image->pixels[p]) ? levels[0] : image->pixels[p];
    }
}

static char letter_of(const double direction[3], double sign)
{
    static const char letters[3][2] = {{'R', 'L'}, {'A', 'P'}, {'I', 'S'}};
    int most = 0;
    for (int a = 1; a < 3; a++) {
        most = fabs(direction[a]) > fabs(direction[most]) ? a : most;
    }
    return letters[most][sign * direction[most] > 0.0];
}

static void draw_words(reha_canvas *canvas, const reha_cut *cut, double px_per_mm)
{
    const double width = reha_canvas_width(canvas);
    const double height = reha_canvas_height(canvas);
    const reha_type type = {.size = TYPE_PX, .bold = true, .colour = reha_rgb(INK)};
    const reha_spot places[4] = {{6.0, 0.5 * height - 9.0},
                                 {width - 20.0, 0.5 * height - 9.0},
                                 {0.5 * width - 6.0, 4.0},
                                 {0.5 * width - 6.0, height - 24.0}};
    for (int i = 0; i < 4; i++) {
        const char text[2] = {letter_of(i < 2 ? cut->right : cut->down, i % 2 == 0 ? -1.0 : 1.0), '\0'};
        (void)reha_canvas_text(canvas, places[i], text, &type);
    }
    const double bar_mm = 50.0 * px_per_mm < 0.5 * width ? 50.0 : 10.0;
    const reha_stroke stroke = {reha_rgb(INK), 2.0, 0.0};
    char text[16];
    (void)snprintf(text, sizeof text, "%.0f mm", bar_mm);
    reha_canvas_line(canvas, (reha_spot){12.0, height - 14.0},
                     (reha_spot){12.0 + bar_mm * px_per_mm, height - 14.0}, stroke);
    (void)reha_canvas_text(canvas, (reha_spot){12.0, height - 38.0}, text, &type);
}

reha_status reha_volumes_picture(const reha_volume *volume, const reha_cut *cut, const char *path,
                                 reha_error *err)
{
    reha_gray *image = NULL;
    reha_canvas *canvas = NULL;
    float levels[2];
    reha_status status = REHA_OK;
    REHA_TRY(reha_reformat(volume, cut, &image, err));
    prepare(image, levels);
    const double larger = fmax(image->width_px, image->height_px);
    const double scale = larger < SIDE_MIN_PX ? ceil(SIDE_MIN_PX / larger) : fmin(1.0, SIDE_MAX_PX / larger);
    const double width = fmax(image->width_px * scale, 64.0);
    const double height = fmax(image->height_px * scale, 64.0);
    REHA_CHECK(reha_canvas_new_picture((uint32_t)width, (uint32_t)height, reha_rgb(0x000000), &canvas, err));
    reha_canvas_gray(canvas, image, reha_rect_fit(image, (reha_rect){0.0, 0.0, floor(width), floor(height)}),
                     levels[0], levels[1]);
    draw_words(canvas, cut, scale / cut->step_mm);
    REHA_CHECK(reha_canvas_save(canvas, path, err));
done:
    reha_canvas_free(canvas);
    reha_gray_free(image);
    return status;
}
