#include "service/figure_boxes_priv.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PICTURE_PX = 760, LEGEND_PX = 64, GAP_PX = 16 };
static const char SOLID_KEY[] = "fracture-"; /* of findings above the high specificity threshold */
static const unsigned SOLID = 0xff5a3c;
static const unsigned DOTTED = 0xffd23f;
static const unsigned INK = 0x1b2733;
static const unsigned AMBER = 0x8a5800;

static bool is_solid(const reha_finding *finding)
{
    return strncmp(finding->key, SOLID_KEY, sizeof SOLID_KEY - 1) == 0;
}

static void draw_box(reha_canvas *canvas, reha_rect frame, reha_rect box, const reha_gray *image,
                     const reha_finding *finding)
{
    char label[32];
    const double scale = box.width / image->width_px;
    const reha_rect mark = {box.x + finding->region.x_px * scale, box.y + finding->region.y_px * scale,
                            finding->region.width_px * scale, finding->region.height_px * scale};
    const bool solid = is_solid(finding);
    const reha_type type = {
        .size = frame.width / 55.0, .bold = solid, .colour = reha_rgb(solid ? SOLID : DOTTED)};
    const char *number = strrchr(finding->key, '-');
    (void)snprintf(label, sizeof label, "%s: %.0f %%", number != NULL ? number + 1 : "",
                   100.0 * finding->probability);
    reha_canvas_box(canvas, mark, 1.0, (reha_stroke){type.colour, solid ? 2.0 : 1.4, solid ? 0.0 : 3.0});
    const double above = mark.y - 1.3 * type.size;
    (void)reha_canvas_text(canvas, (reha_spot){mark.x, above > box.y ? above : mark.y + mark.height + 2.0},
                           label, &type);
}

void reha_figure_boxes(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                       const reha_region *region)
{
    const double legend = frame.height * LEGEND_PX / (PICTURE_PX + LEGEND_PX);
    const reha_rect box =
        reha_rect_fit(result->image, (reha_rect){frame.x, frame.y, frame.width, frame.height - legend});
    const reha_type type = {.size = legend / 4.2, .colour = reha_rgb(INK), .wrap_width = frame.width};
    reha_type warning = type;
    warning.bold = true;
    warning.colour = reha_rgb(AMBER);
    reha_canvas_gray_stretched(canvas, result->image, box, 0.005, 0.995);
    reha_canvas_clip(canvas, box);
    for (int i = region->finding_count; i-- > 0;) { /* the surest on top */
        if (region->findings[i].has_region) {
            draw_box(canvas, frame, box, result->image, &region->findings[i]);
        }
    }
    reha_canvas_unclip(canvas);
    const double y = frame.y + frame.height - legend + 4.0;
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, y}, "RESEARCH ONLY: for no decision about a patient",
                           &warning);
    (void)reha_canvas_text(
        canvas, (reha_spot){frame.x, y + 1.4 * type.size},
        "Solid red: high specificity. Dotted yellow: high sensitivity, many are false. Number: "
        "probability that a reader would draw a fracture there. No box excludes nothing.",
        &type);
}

reha_status reha_figure_boxes_png(const reha_case *result, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    const uint32_t width = PICTURE_PX + 2 * GAP_PX;
    const uint32_t height = PICTURE_PX + LEGEND_PX + 2 * GAP_PX;
    reha_canvas *canvas = NULL;
    REHA_TRY(reha_canvas_new_picture(width, height, reha_rgb(0xffffff), &canvas, err));
    reha_figure_boxes(canvas, (reha_rect){GAP_PX, GAP_PX, PICTURE_PX, PICTURE_PX + LEGEND_PX}, result,
                      &result->analysis->regions[0]);
    const reha_status status = reha_canvas_encode(canvas, out, out_bytes, err);
    reha_canvas_free(canvas);
    return status;
}
