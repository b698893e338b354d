/* The pictures of a comparison: drawn once, used by the PNG and the PDF. */
#include "base/memory.h"
#include "image/draw.h"
#include "service/compare_figure_priv.h"

#include <stdio.h>

enum { PANEL_PX = 384, GAP_PX = 16, CAPTION_PX = 26 };
static const unsigned INK = 0x1b2733;
static const float FULL = 255.0F;

void reha_compare_draw_row_(reha_canvas *canvas, reha_rect frame, const reha_joint_pictures *pictures,
                            double size)
{
    static const char *const captions[] = {"Before", "After, laid over Before",
                                           "Difference: white = denser now"};
    const reha_gray *const grays[] = {pictures->before, pictures->after, pictures->difference};
    const double gap = 0.5 * size;
    const double side = (frame.width - 2.0 * gap) / 3.0;
    for (int i = 0; i < 3; i++) {
        const double x = frame.x + i * (side + gap);
        const reha_type type = {.size = size, .colour = reha_rgb(INK), .wrap_width = side, .lines_max = 1};
        (void)reha_canvas_text(canvas, (reha_spot){x, frame.y}, captions[i], &type);
        reha_canvas_gray(canvas, grays[i], (reha_rect){x, frame.y + 1.6 * size, side, side}, 0.0F, FULL);
    }
}

double reha_compare_row_height_(double width, double size)
{
    return (width - size) / 3.0 + 1.6 * size;
}

reha_status reha_comparison_png(const reha_comparison *comparison, uint8_t **out, size_t *out_bytes,
                                reha_error *err)
{
    reha_status status = REHA_OK;
    reha_canvas *canvas = NULL;
    uint32_t rows = 0;
    *out = NULL;
    *out_bytes = 0;
    for (int i = 0; i < comparison->films.pair_count; i++) {
        rows += comparison->pictures[i].after != NULL ? 1 : 0;
    }
    if (rows == 0) {
        return reha_fail(err, REHA_E_NOT_FOUND,
                         "there is no picture to draw: the results' image files are not at hand");
    }
    const double size = 15.0;
    const uint32_t width = 3 * PANEL_PX + 4 * GAP_PX;
    const double inner = width - 2.0 * GAP_PX;
    const double row = reha_compare_row_height_(inner, size) + CAPTION_PX;
    REHA_CHECK(
        reha_canvas_new_picture(width, (uint32_t)(rows * row) + GAP_PX, reha_rgb(0xffffff), &canvas, err));
    double y = GAP_PX / 2.0;
    for (int i = 0; i < comparison->films.pair_count; i++) {
        const reha_joint_pictures *pictures = &comparison->pictures[i];
        char text[256];
        char how[200];
        if (pictures->after == NULL) {
            continue;
        }
        reha_registration_text(pictures, how, sizeof how);
        (void)snprintf(text, sizeof text, "%s side, %s", comparison->films.pairs[i].side, how);
        const reha_type type = {
            .size = size, .bold = true, .colour = reha_rgb(INK), .wrap_width = inner, .lines_max = 1};
        (void)reha_canvas_text(canvas, (reha_spot){GAP_PX, y}, text, &type);
        reha_compare_draw_row_(canvas, (reha_rect){GAP_PX, y + CAPTION_PX, inner, row}, pictures, size);
        y += row;
    }
    REHA_CHECK(reha_canvas_encode(canvas, out, out_bytes, err));
done:
    reha_canvas_free(canvas);
    return status;
}
