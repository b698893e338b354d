#include "recognition/muscle_augment.h"

#include <math.h>

enum { SIDE = REHA_MUSCLE_INPUT_PX, STORE = REHA_MUSCLE_STORE_PX, MAP = REHA_MUSCLE_MAP_PX, MARKS_MAX = 5 };
static const double PI = 3.14159265358979323846;
/* Lines of fascicles are a pixel or two wide: half a cell of the map is a whole one to learn from. */
static const double FASCICLE_GAIN = 2.5;

typedef struct placement { /* from the network's square (-0.5..0.5) to the box (same) */
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
    const double turn = symmetric(random, 12.0) * PI / 180.0;
    const double scale = exp(symmetric(random, 0.22));
    const double stretch = exp(symmetric(random, 0.18));
    const double flip = reha_random_unit(random) < 0.5 ? -1.0 : 1.0;
    const double c = cos(turn) * scale;
    const double s = sin(turn) * scale;
    /* The turn happens in the image, where both axes have one scale. */
    placement at = {
        flip * c * stretch, -s / aspect / stretch, flip * s * aspect * stretch, c / stretch, 0.0, 0.0};
    at.x0 = symmetric(random, 0.10);
    at.y0 = symmetric(random, 0.10);
    return at;
}

static double sample(const uint8_t *store, double x, double y)
{
    const double fx = floor(x);
    const double fy = floor(y);
    const int ix = (int)fx;
    const int iy = (int)fy;
    double sum = 0.0;
    for (int k = 0; k < 4; k++) {
        const int px = ix + (k & 1);
        const int py = iy + (k >> 1);
        if (px >= 0 && px < STORE && py >= 0 && py < STORE) {
            const double wx = (k & 1) != 0 ? x - fx : 1.0 - (x - fx);
            const double wy = (k >> 1) != 0 ? y - fy : 1.0 - (y - fy);
            sum += wx * wy * store[py * STORE + px];
        }
    }
    return sum / 255.0;
}

/* Into `grey` the picture, into `mask` the mean of 2 x 2 samples of the mask. */
static void warp(const reha_muscle_stored *stored, const placement *at, float *grey, float *mask)
{
    const double unit = STORE / (1.0 + 2.0 * REHA_MUSCLE_STORE_MARGIN);
    for (int i = 0; i < MAP * MAP; i++) {
        mask[i] = 0.0F;
    }
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const double u = (x + 0.5) / SIDE - 0.5;
            const double v = (y + 0.5) / SIDE - 0.5;
            const double sx = (at->xx * u + at->xy * v + at->x0) * unit + 0.5 * STORE - 0.5;
            const double sy = (at->yx * u + at->yy * v + at->y0) * unit + 0.5 * STORE - 0.5;
            grey[y * SIDE + x] = (float)sample(stored->grey, sx, sy);
            mask[y / 2 * MAP + x / 2] += 0.25F * (float)sample(stored->mask, sx, sy);
        }
    }
}

static void blur(float *grey)
{
    for (int pass = 0; pass < 2; pass++) {
        const int step = pass == 0 ? 1 : SIDE;
        const int line = pass == 0 ? SIDE : 1;
        for (int l = 0; l < SIDE; l++) {
            float before = grey[l * line];
            for (int i = 0; i < SIDE; i++) {
                float *at = grey + l * line + i * step;
                const float here = *at;
                const float after = i + 1 < SIDE ? at[step] : here;
                *at = 0.25F * before + 0.5F * here + 0.25F * after;
                before = here;
            }
        }
    }
}

/* Dark bands below a badly coupled piece of skin, boxes without signal, and bright marks of the screen. */
static void disturb(float *grey, reha_random *random)
{
    if (reha_random_unit(random) < 0.2) {
        const double centre = reha_random_range(random, 0.0, SIDE);
        const double width = reha_random_range(random, 8.0, 50.0);
        const double depth = reha_random_range(random, 0.3, 0.9);
        for (int i = 0; i < SIDE * SIDE; i++) {
            const double d = (i % SIDE - centre) / width;
            grey[i] *= (float)(1.0 - depth * exp(-d * d));
        }
    }
    const int marks = reha_random_unit(random) < 0.3 ? 1 + (int)reha_random_below(random, MARKS_MAX) : 0;
    for (int k = 0; k < marks; k++) {
        const int w = 2 + (int)reha_random_below(random, 24);
        const int h = 2 + (int)reha_random_below(random, 10);
        const int x0 = (int)reha_random_below(random, (uint32_t)(SIDE - w));
        const int y0 = (int)reha_random_below(random, (uint32_t)(SIDE - h));
        const float value = reha_random_unit(random) < 0.6 ? 1.0F : 0.0F;
        for (int y = y0; y < y0 + h; y++) {
            for (int x = x0; x < x0 + w; x++) {
                grey[y * SIDE + x] = value;
            }
        }
    }
}

static void change_tone(float *grey, reha_random *random)
{
    const double gamma = exp(symmetric(random, 0.55));
    const double floor_level = reha_random_unit(random) < 0.4 ? reha_random_range(random, 0.0, 0.15) : 0.0;
    const double slope = symmetric(random, 1.2); /* of the gain over depth */
    const double side_slope = symmetric(random, 0.4);
    const double speckle = reha_random_unit(random) < 0.5 ? reha_random_range(random, 0.0, 0.25) : 0.0;
    const double noise = reha_random_unit(random) < 0.4 ? reha_random_range(random, 0.0, 0.06) : 0.0;
    const double gain = exp(symmetric(random, 0.3));
    if (reha_random_unit(random) < 0.35) {
        blur(grey);
        if (reha_random_unit(random) < 0.4) {
            blur(grey);
        }
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double depth = (double)(i / SIDE) / SIDE - 0.5;
        const double across = (double)(i % SIDE) / SIDE - 0.5;
        double v = fmax(0.0, (double)grey[i] - floor_level) / (1.0 - floor_level);
        v = gain * pow(v, gamma) * exp(slope * depth + side_slope * across);
        if (speckle > 0.0) {
            v *= 1.0 + speckle * reha_random_normal(random);
        }
        if (noise > 0.0) {
            v += noise * reha_random_normal(random);
        }
        grey[i] = (float)fmin(1.0, fmax(0.0, v));
    }
}

void reha_muscle_augment(const reha_muscle_stored *stored, reha_random *random, float *input, float *targets)
{
    const placement at = place(random, stored->aspect);
    float *mask = targets + (size_t)stored->structure * MAP * MAP;
    for (int i = 0; i < REHA_MUSCLE_MAPS * MAP * MAP; i++) {
        targets[i] = -1.0F;
    }
    warp(stored, &at, input, mask);
    for (int i = 0; i < MAP * MAP; i++) {
        const double gain = stored->structure == REHA_MUSCLE_FASCICLE ? FASCICLE_GAIN : 1.0;
        mask[i] = (float)fmin(1.0, gain * (double)mask[i]);
    }
    if (random != NULL) {
        change_tone(input, random);
        disturb(input, random);
    }
    reha_muscle_standardise(input, (size_t)SIDE * SIDE);
}
