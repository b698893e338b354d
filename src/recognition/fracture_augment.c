#include "recognition/fracture_augment.h"

#include "recognition/fracture_net.h"

#include <math.h>

static const double RAD_PER_DEG = 0.017453292519943295;
static const double SPREAD_SHARE = 1.0 / 6.0; /* SD of a centre's hill, in box sides */
static const double SPREAD_MIN_CELLS = 0.6;
static const double ASKED_MIN = 0.6; /* height of the hill from which sizes are asked */

reha_fracture_augment_spec reha_fracture_augment_spec_default(void)
{
    return (reha_fracture_augment_spec){.side_px = 256,
                                        .step_px = 1.25,
                                        .scale_log = 0.3,
                                        .rotate_deg = 10.0,
                                        .quarter_chance = 0.25,
                                        .flip_chance = 0.5,
                                        .towards_chance = 0.8,
                                        .contrast_log = 0.25,
                                        .brightness = 0.08,
                                        .gamma_log = 0.3,
                                        .noise_high = 0.03};
}

/* Part to picture: x' = cx + a u + b v, y' = cy + c u + d v, with u, v from the part's middle. */
typedef struct placement {
    double cx, cy, a, b, c, d;
} placement;

static placement draw_placement(const reha_fracture_picture *picture, const reha_fracture_augment_spec *spec,
                                reha_random *random)
{
    const double scale = spec->step_px * exp(reha_random_range(random, -spec->scale_log, spec->scale_log));
    const bool is_turned = reha_random_unit(random) < spec->quarter_chance;
    const double quarter = is_turned ? (reha_random_unit(random) < 0.5 ? 90.0 : -90.0) : 0.0;
    const double angle =
        (quarter + reha_random_range(random, -spec->rotate_deg, spec->rotate_deg)) * RAD_PER_DEG;
    const double flip = reha_random_unit(random) < spec->flip_chance ? -1.0 : 1.0;
    const bool is_towards = reha_random_unit(random) < spec->towards_chance;
    const double u = reha_random_unit(random);
    const double v = reha_random_unit(random);
    placement at = {u * picture->width_px, v * picture->height_px,    scale * flip * cos(angle),
                    -scale * sin(angle),   scale * flip * sin(angle), scale * cos(angle)};
    if (is_towards && picture->box_count > 0) {
        const reha_edges *box = &picture->boxes[reha_random_below(random, (uint32_t)picture->box_count)];
        const double reach = 0.8 * scale * spec->side_px; /* the box's centre stays inside of the part */
        at.cx = 0.5 * (box->x0 + box->x1) * picture->width_px + (u - 0.5) * reach;
        at.cy = 0.5 * (box->y0 + box->y1) * picture->height_px + (v - 0.5) * reach;
    }
    return at;
}

static float pixel_at(const reha_fracture_picture *picture, int x, int y)
{
    return x >= 0 && y >= 0 && x < picture->width_px && y < picture->height_px
               ? (float)picture->pixels[y * picture->width_px + x]
               : 0.0F;
}

static void warp(const reha_fracture_picture *picture, const placement *at, int side_px, float *out)
{
    for (int row = 0; row < side_px; row++) {
        const double v = row + 0.5 - 0.5 * side_px;
        for (int column = 0; column < side_px; column++) {
            const double u = column + 0.5 - 0.5 * side_px;
            const double x = at->cx + at->a * u + at->b * v - 0.5;
            const double y = at->cy + at->c * u + at->d * v - 0.5;
            const double left = floor(x);
            const double top = floor(y);
            float value = 0.0F;
            if (left >= -1.0 && top >= -1.0 && left < picture->width_px && top < picture->height_px) {
                const float fx = (float)(x - left);
                const float fy = (float)(y - top);
                const int x0 = (int)left;
                const int y0 = (int)top;
                const float upper =
                    pixel_at(picture, x0, y0) * (1.0F - fx) + pixel_at(picture, x0 + 1, y0) * fx;
                const float lower =
                    pixel_at(picture, x0, y0 + 1) * (1.0F - fx) + pixel_at(picture, x0 + 1, y0 + 1) * fx;
                value = (upper * (1.0F - fy) + lower * fy) / 255.0F;
            }
            out[row * side_px + column] = value;
        }
    }
}

static void change_tone(const reha_fracture_augment_spec *spec, reha_random *random, float *out, int count)
{
    const float contrast = (float)exp(reha_random_range(random, -spec->contrast_log, spec->contrast_log));
    const float brightness = (float)reha_random_range(random, -spec->brightness, spec->brightness);
    const float gamma = (float)exp(reha_random_range(random, -spec->gamma_log, spec->gamma_log));
    const float noise = (float)reha_random_range(random, 0.0, spec->noise_high);
    for (int i = 0; i < count; i++) {
        if (out[i] <= 0.0F) {
            continue; /* beside the picture, or black: stays so */
        }
        const float toned = contrast * powf(out[i], gamma) + brightness;
        /* The sum of two uniform values: near enough to normal, and cheap. */
        const float rough = (float)(reha_random_unit(random) + reha_random_unit(random) - 1.0);
        const float value = toned + 2.45F * noise * rough;
        out[i] = value < 0.0F ? 0.0F : value > 1.0F ? 1.0F : value;
    }
}

/* The box of the turned box. A tilted rectangle's own bounding box is too large for what lies inside of it,
 * which seldom fills the corners: half of the growth is taken. */
static bool place_box(const reha_fracture_picture *picture, const placement *at, const reha_edges *relative,
                      int side_px, reha_edges *out)
{
    const double width = (relative->x1 - relative->x0) * picture->width_px;
    const double height = (relative->y1 - relative->y0) * picture->height_px;
    const double x = 0.5 * (relative->x0 + relative->x1) * picture->width_px - at->cx;
    const double y = 0.5 * (relative->y0 + relative->y1) * picture->height_px - at->cy;
    const double det = at->a * at->d - at->b * at->c;
    const double u = (at->d * x - at->b * y) / det + 0.5 * side_px;
    const double v = (at->a * y - at->c * x) / det + 0.5 * side_px;
    const double along = fabs(at->d / det) * width;
    const double across = fabs(at->b / det) * height;
    const double along_v = fabs(at->a / det) * height;
    const double across_v = fabs(at->c / det) * width;
    const double w = fmax(along, across) + 0.5 * fmin(along, across);
    const double h = fmax(along_v, across_v) + 0.5 * fmin(along_v, across_v);
    *out = (reha_edges){fmax(u - 0.5 * w, 0.0), fmax(v - 0.5 * h, 0.0), fmin(u + 0.5 * w, side_px),
                        fmin(v + 0.5 * h, side_px)};
    return u >= 0.0 && v >= 0.0 && u < side_px && v < side_px;
}

size_t reha_fracture_augment(const reha_fracture_picture *picture, const reha_fracture_augment_spec *spec,
                             reha_random *random, float *out, reha_edges *boxes)
{
    size_t count = 0;
    const placement at = draw_placement(picture, spec, random);
    warp(picture, &at, spec->side_px, out);
    change_tone(spec, random, out, spec->side_px * spec->side_px);
    for (size_t i = 0; i < picture->box_count && count < REHA_FRACTURE_PART_BOXES_MAX; i++) {
        count += place_box(picture, &at, &picture->boxes[i], spec->side_px, &boxes[count]) ? 1 : 0;
    }
    return count;
}

/* ---- targets ---- */

static void ask_size(const reha_edges *box, int side, int x, int y, double size_unit_px, float *sizes)
{
    const size_t cells = (size_t)side * (size_t)side;
    const size_t cell = (size_t)y * (size_t)side + (size_t)x;
    sizes[cell] = (float)log((box->x1 - box->x0) / size_unit_px);
    sizes[cells + cell] = (float)log((box->y1 - box->y0) / size_unit_px);
    sizes[2 * cells + cell] = (float)(0.5 * (box->x0 + box->x1) / REHA_FRACTURE_STRIDE_PX - x - 0.5);
    sizes[3 * cells + cell] = (float)(0.5 * (box->y0 + box->y1) / REHA_FRACTURE_STRIDE_PX - y - 0.5);
}

void reha_fracture_targets(const reha_edges *boxes, size_t count, int side_px, double size_unit_px,
                           float *centres, float *sizes)
{
    const int side = side_px / REHA_FRACTURE_STRIDE_PX;
    const size_t cells = (size_t)side * (size_t)side;
    for (size_t i = 0; i < cells; i++) {
        centres[i] = 0.0F;
    }
    for (size_t i = 0; i < REHA_FRACTURE_MAPS * cells; i++) {
        sizes[i] = NAN;
    }
    for (size_t i = 0; i < count; i++) {
        const reha_edges *box = &boxes[i];
        const double width = (box->x1 - box->x0) / REHA_FRACTURE_STRIDE_PX;
        const double height = (box->y1 - box->y0) / REHA_FRACTURE_STRIDE_PX;
        const int cx = (int)fmin(0.5 * (box->x0 + box->x1) / REHA_FRACTURE_STRIDE_PX, side - 1.0);
        const int cy = (int)fmin(0.5 * (box->y0 + box->y1) / REHA_FRACTURE_STRIDE_PX, side - 1.0);
        const double sx = fmax(width * SPREAD_SHARE, SPREAD_MIN_CELLS);
        const double sy = fmax(height * SPREAD_SHARE, SPREAD_MIN_CELLS);
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                const double dx = (x - cx) / sx;
                const double dy = (y - cy) / sy;
                const float hill = (float)exp(-0.5 * (dx * dx + dy * dy));
                float *centre = &centres[y * side + x];
                if (hill > *centre) {
                    *centre = hill;
                    if ((double)hill >= ASKED_MIN) {
                        ask_size(box, side, x, y, size_unit_px, sizes);
                    }
                }
            }
        }
    }
}
