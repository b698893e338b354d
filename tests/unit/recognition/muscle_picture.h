/* A drawn ultrasound screen with known geometry: tissue with speckle, two aponeuroses, fascicles, a ruler. */
#ifndef REHA_TESTS_MUSCLE_PICTURE_H
#define REHA_TESTS_MUSCLE_PICTURE_H

#include "support.h"

#include "base/random.h"
#include "image/gray.h"

#include <math.h>

enum { PICTURE_W = 660, PICTURE_H = 556, TISSUE_X = 96, TISSUE_Y = 40, TISSUE_W = 472, TISSUE_H = 512 };

typedef struct muscle_picture {
    double superficial_y, deep_y;         /* at the middle column */
    double superficial_slope, deep_slope; /* dy/dx */
    double fascicle_deg;                  /* positive rises to the right */
    double tick_step_px;                  /* 0: no ruler */
    bool ticks_alternate;
    int missing_tick; /* -1: none */
} muscle_picture;

static inline muscle_picture muscle_picture_default(void)
{
    return (muscle_picture){.superficial_y = 110,
                            .deep_y = 270,
                            .superficial_slope = 0.03,
                            .deep_slope = 0.10,
                            .fascicle_deg = 14,
                            .tick_step_px = 70,
                            .missing_tick = -1};
}

static inline double muscle_picture_top(const muscle_picture *p, double x)
{
    return p->superficial_y + p->superficial_slope * (x - PICTURE_W / 2.0);
}

static inline double muscle_picture_bottom(const muscle_picture *p, double x)
{
    return p->deep_y + p->deep_slope * (x - PICTURE_W / 2.0);
}

static inline double muscle_picture_echo(const muscle_picture *p, double x, double y)
{
    const double top = muscle_picture_top(p, x);
    const double bottom = muscle_picture_bottom(p, x);
    const double a = p->fascicle_deg * 3.14159265358979323846 / 180.0;
    const double across = x * sin(a) + y * cos(a);
    double echo = 45.0;
    if (y > top && y < bottom) {
        echo = 40.0 + 70.0 * pow(0.5 + 0.5 * sin(across / 2.6), 3.0);
    }
    /* The muscle's edges are where the bands begin: they lie outside of it. */
    echo +=
        170.0 * exp(-pow((y - (top - 5.0)) / 4.0, 2.0)) + 170.0 * exp(-pow((y - (bottom + 5.0)) / 4.0, 2.0));
    return echo;
}

static inline reha_gray *muscle_picture_draw(const muscle_picture *p)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_random random = reha_random_init(5, 1);
    assert_ok(reha_gray_new(PICTURE_W, PICTURE_H, &image, &err), &err);
    for (int y = 0; y < PICTURE_H; y++) {
        for (int x = 0; x < PICTURE_W; x++) {
            const bool is_tissue =
                x >= TISSUE_X && x < TISSUE_X + TISSUE_W && y >= TISSUE_Y && y < TISSUE_Y + TISSUE_H;
            double v = 50.0;
            if (is_tissue) {
                v = muscle_picture_echo(p, x, y) * (0.6 + 0.8 * reha_random_unit(&random)) +
                    8.0 * reha_random_unit(&random);
            }
            image->pixels[y * PICTURE_W + x] = (float)fmin(255.0, floor(v));
        }
    }
    for (int k = 0; p->tick_step_px > 0.0 && TISSUE_Y + k * p->tick_step_px < TISSUE_Y + TISSUE_H; k++) {
        const int y0 = (int)(TISSUE_Y + k * p->tick_step_px + 0.5);
        const int length = p->ticks_alternate && k % 2 == 1 ? 4 : 8;
        for (int y = y0; k != p->missing_tick && y < y0 + 2; y++) {
            for (int x = 590; x < 590 + length; x++) {
                image->pixels[y * PICTURE_W + x] = 220.0F;
            }
        }
    }
    return image;
}

#endif
