#include "recognition/muscle_phantom.h"

#include "base/memory.h"
#include "base/random.h"
#include "recognition/muscle_lesion_priv.h"
#include "recognition/muscle_speckle.h"

#include <math.h>

enum { W = REHA_MUSCLE_PHANTOM_W, H = REHA_MUSCLE_PHANTOM_H, PIXELS = W * H };
static const double DEG = 180.0 / 3.14159265358979323846;
static const double APONEUROSIS_PX = 9.0;
static const double PULSE_X_PX = 2.0, PULSE_Y_PX = 1.1; /* SD of the scanner's pulse */
static const double GRAIN = 0.08;                       /* grey a neper of envelope squared */
static const double NOISE_FLOOR = 0.15; /* of the mean power: the dark seams between grains fill up */

reha_muscle_phantom reha_muscle_phantom_of(uint64_t seed)
{
    reha_random random = reha_random_init(seed, 0x6d757068);
    reha_muscle_phantom p = {.seed = seed};
    p.top_y_px = reha_random_range(&random, 85.0, 110.0);
    p.bottom_y_px = p.top_y_px + reha_random_range(&random, 130.0, 190.0);
    p.top_slope = reha_random_range(&random, -0.03, 0.05);
    p.bottom_slope = p.top_slope + reha_random_range(&random, -0.02, 0.06);
    p.fascicle_deg = reha_random_range(&random, 10.0, 20.0);
    return p;
}

static double top_at(const reha_muscle_phantom *p, double x)
{
    return p->top_y_px + p->top_slope * (x - 0.5 * W);
}

static double bottom_at(const reha_muscle_phantom *p, double x)
{
    return p->bottom_y_px + p->bottom_slope * (x - 0.5 * W);
}

/* 1 in the middle of a band of connective tissue, falling off to its edges. */
static double band(double y, double middle)
{
    const double d = (y - middle) / (0.5 * APONEUROSIS_PX);
    return exp(-d * d * d * d);
}

/* The echo without grain, 0..1. */
static double echo_at(const reha_muscle_phantom *p, double x, double y)
{
    const double top = top_at(p, x);
    const double bottom = bottom_at(p, x);
    const double a = p->fascicle_deg / DEG;
    const double along = x * cos(a) - y * sin(a);
    const double across = x * sin(a) + y * cos(a);
    const double streaks = reha_lesion_noise(p->seed, along / 120.0, across / 5.0) +
                           0.6 * reha_lesion_noise(p->seed + 1, along / 70.0, across / 2.8);
    const double layers = reha_lesion_noise(p->seed + 2, x / 160.0, y / 6.0);
    double grey = 0.30 + 0.10 * layers; /* fat above, the next muscle below */
    if (y > top && y < bottom) {
        grey = 0.20 + 0.42 * fmax(0.0, streaks) + 0.05 * reha_lesion_noise(p->seed + 3, x / 60.0, y / 50.0);
    }
    grey += 0.6 * band(y, top - 0.5 * APONEUROSIS_PX) + 0.6 * band(y, bottom + 0.5 * APONEUROSIS_PX);
    return grey * (1.0 - 0.15 * y / H);
}

/* Logarithm of the squared envelope, mean about 0. planes: three of them. */
static void draw_grain(uint64_t seed, float *planes)
{
    reha_random random = reha_random_init(seed, 0x677261);
    float *real = planes, *imaginary = real + PIXELS, *scratch = imaginary + PIXELS;
    double power = 0.0;
    for (int i = 0; i < PIXELS; i++) {
        real[i] = (float)reha_random_normal(&random);
        imaginary[i] = (float)reha_random_normal(&random);
    }
    reha_speckle_smooth(real, W, H, PULSE_X_PX, PULSE_Y_PX, scratch, real);
    reha_speckle_smooth(imaginary, W, H, PULSE_X_PX, PULSE_Y_PX, scratch, imaginary);
    for (int i = 0; i < PIXELS; i++) {
        real[i] = real[i] * real[i] + imaginary[i] * imaginary[i];
        power += (double)real[i] / PIXELS;
    }
    for (int i = 0; i < PIXELS; i++) {
        real[i] = (float)(log((double)real[i] / power + NOISE_FLOOR) + 0.36);
    }
}

reha_status reha_muscle_phantom_draw(const reha_muscle_phantom *phantom, reha_gray **image, reha_gray **mask,
                                     reha_error *err)
{
    reha_status status = REHA_OK;
    *image = NULL;
    if (mask != NULL) {
        *mask = NULL;
    }
    float *planes = reha_alloc((size_t)3 * PIXELS * sizeof *planes);
    if (planes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a generated picture");
    }
    REHA_CHECK(reha_gray_new(W, H, image, err));
    if (mask != NULL) {
        REHA_CHECK(reha_gray_new(W, H, mask, err));
    }
    draw_grain(phantom->seed, planes);
    for (int i = 0; i < PIXELS; i++) {
        const int row = i / W;
        const double x = i % W;
        const double y = row;
        const double grey = echo_at(phantom, x, y) + GRAIN * (double)planes[i];
        (*image)->pixels[i] = (float)round(255.0 * fmin(1.0, fmax(0.004, grey)));
        const bool is_band = (y > top_at(phantom, x) - APONEUROSIS_PX && y < top_at(phantom, x)) ||
                             (y > bottom_at(phantom, x) && y < bottom_at(phantom, x) + APONEUROSIS_PX);
        if (mask != NULL) {
            (*mask)->pixels[i] = is_band ? 255.0F : 0.0F;
        }
    }
done:
    reha_free(planes);
    if (status != REHA_OK) {
        reha_gray_free(*image);
        *image = NULL;
    }
    return status;
}

reha_injury_belly reha_muscle_phantom_belly(const reha_muscle_phantom *phantom)
{
    reha_injury_belly belly = {.fascicle_deg = phantom->fascicle_deg};
    const double slope = 0.5 * (phantom->top_slope + phantom->bottom_slope);
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        const double x = (W - 1.0) * i / (REHA_INJURY_CURVE - 1.0);
        belly.superficial[i] = (reha_point_px){x, top_at(phantom, x)};
        belly.deep[i] = (reha_point_px){x, bottom_at(phantom, x)};
        belly.thickness_px +=
            (bottom_at(phantom, x) - top_at(phantom, x)) / REHA_INJURY_CURVE / sqrt(1.0 + slope * slope);
    }
    return belly;
}
