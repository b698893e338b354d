#include "recognition/muscle_injury_augment.h"

#include "recognition/muscle_net.h"

#include <math.h>

enum { SIDE = REHA_MUSCLE_INPUT_PX, MAP = REHA_MUSCLE_MAP_PX, CELLS = MAP * MAP, CURVE_STEPS = 256 };
static const double DEG = 180.0 / 3.14159265358979323846;

typedef struct placement { /* from the network's square (-0.5..0.5) to the tissue box (same) */
    double xx, xy, yx, yy, x0, y0;
} placement;

static double symmetric(reha_random *random, double size)
{
    return reha_random_range(random, -size, size);
}

static placement place(reha_random *random, double aspect)
{
    if (random == NULL) {
        return (placement){1.0, 0.0, 0.0, 1.0, 0.0, 0.0};
    }
    const double turn = symmetric(random, 10.0) / DEG;
    const double scale = exp(symmetric(random, 0.2));
    const double stretch = exp(symmetric(random, 0.15));
    const double flip = reha_random_unit(random) < 0.5 ? -1.0 : 1.0;
    const double c = cos(turn) * scale;
    const double s = sin(turn) * scale;
    /* The turn happens in the picture, where both axes have one scale. */
    placement at = {
        flip * c * stretch, -s / aspect / stretch, flip * s * aspect * stretch, c / stretch, 0.0, 0.0};
    at.x0 = symmetric(random, 0.08);
    at.y0 = symmetric(random, 0.08);
    return at;
}

typedef struct corner { /* four pixels around a point and their weights */
    size_t at[4];
    float weight[4];
} corner;

static bool find_corner(const reha_gray *image, double x, double y, corner *out)
{
    const double fx = floor(x);
    const double fy = floor(y);
    if (!(fx >= 0.0 && fy >= 0.0 && fx + 1.0 < image->width_px && fy + 1.0 < image->height_px)) {
        return false;
    }
    const size_t first = (size_t)fy * image->width_px + (size_t)fx;
    const float tx = (float)(x - fx);
    const float ty = (float)(y - fy);
    *out = (corner){{first, first + 1, first + image->width_px, first + image->width_px + 1},
                    {(1 - tx) * (1 - ty), tx * (1 - ty), (1 - tx) * ty, tx * ty}};
    return true;
}

static void warp(const reha_injury_view *view, const reha_muscle_frame *frame, const placement *at,
                 float *input, float *targets)
{
    const float range = (float)fmax(1e-6, frame->high - frame->low);
    float *injured = targets + (size_t)REHA_INJURY_INJURED * CELLS;
    float *torn = targets + (size_t)REHA_INJURY_TORN * CELLS;
    for (int i = 0; i < REHA_INJURY_MAPS * CELLS; i++) {
        targets[i] = 0.0F;
    }
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const double u = (x + 0.5) / SIDE - 0.5;
            const double v = (y + 0.5) / SIDE - 0.5;
            const double sx =
                frame->box.x_px + (0.5 + at->xx * u + at->xy * v + at->x0) * frame->box.width_px - 0.5;
            const double sy =
                frame->box.y_px + (0.5 + at->yx * u + at->yy * v + at->y0) * frame->box.height_px - 0.5;
            const int cell = y / 2 * MAP + x / 2;
            float grey = 0.0F;
            corner near;
            if (find_corner(view->image, sx, sy, &near)) {
                for (int k = 0; k < 4; k++) {
                    const float w = 0.25F * near.weight[k] / 255.0F;
                    grey += near.weight[k] * (view->image->pixels[near.at[k]] - (float)frame->low) / range;
                    injured[cell] += w * (float)view->truth.injured[near.at[k]];
                    torn[cell] += w * (float)view->truth.torn[near.at[k]];
                }
            }
            input[y * SIDE + x] = fminf(1.0F, fmaxf(0.0F, grey));
        }
    }
}

/* Gamma by a table: a power for each pixel would cost more than the rest. */
static void change_tone(float *grey, reha_random *random)
{
    float curve[CURVE_STEPS + 1];
    const double gamma = exp(symmetric(random, 0.45));
    const double gain = exp(symmetric(random, 0.3));
    const float slope = (float)symmetric(random, 0.9); /* of the gain over depth */
    const float side_slope = (float)symmetric(random, 0.3);
    const double noise = reha_random_unit(random) < 0.4 ? reha_random_range(random, 0.0, 0.05) : 0.0;
    for (int k = 0; k <= CURVE_STEPS; k++) {
        curve[k] = (float)(gain * pow((double)k / CURVE_STEPS, gamma));
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int row = i / SIDE;
        const float depth = (float)row / SIDE - 0.5F;
        const float across = (float)(i % SIDE) / SIDE - 0.5F;
        float v = curve[(int)(grey[i] * CURVE_STEPS + 0.5F)] * (1.0F + slope * depth + side_slope * across);
        if (noise > 0.0) {
            v += (float)(noise * reha_random_normal(random));
        }
        grey[i] = fminf(1.0F, fmaxf(0.0F, v));
    }
}

/* A little of the sharpness goes, as with a coarser probe. */
static void blur(float *grey)
{
    for (int pass = 0; pass < 2; pass++) {
        const ptrdiff_t step = pass == 0 ? 1 : SIDE;
        const ptrdiff_t line = pass == 0 ? SIDE : 1;
        for (int l = 0; l < SIDE; l++) {
            float *at = grey + l * line;
            float before = *at;
            for (int i = 0; i < SIDE; i++, at += step) {
                const float here = *at;
                *at = 0.25F * before + 0.5F * here + 0.25F * (i + 1 < SIDE ? at[step] : here);
                before = here;
            }
        }
    }
}

void reha_injury_augment(const reha_injury_view *view, const reha_muscle_frame *frame, reha_random *random,
                         float *input, float *targets)
{
    const placement at = place(random, frame->box.width_px / frame->box.height_px);
    warp(view, frame, &at, input, targets);
    if (random != NULL) {
        change_tone(input, random);
        if (reha_random_unit(random) < 0.3) {
            blur(input);
        }
    }
    reha_muscle_standardise(input, (size_t)SIDE * SIDE);
}
