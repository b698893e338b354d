#include "recognition/t2_phantom.h"

#include "base/random.h"

#include <math.h>

static const double TURN_RAD = 6.283185307179586;

reha_t2_phantom reha_t2_phantom_default(void)
{
    reha_t2_phantom phantom = {.side_px = 96,
                               .slice_count = 3,
                               .pixel_mm = 0.6,
                               .step_mm = 4.0,
                               .echo_count = 8,
                               .tube_count = 6,
                               .t2_ms = {10.0, 20.0, 30.0, 40.0, 60.0, 90.0},
                               .s0 = 1000.0,
                               .sigma = 20.0,
                               .seed = 1};
    for (size_t e = 0; e < phantom.echo_count; e++) {
        phantom.echo_ms[e] = 6.312 * (double)(e + 1);
    }
    return phantom;
}

/* Number of the tube at a pixel, from 1; 0: air. */
static int tube_at(const reha_t2_phantom *phantom, uint32_t x, uint32_t y)
{
    const double middle = 0.5 * (phantom->side_px - 1.0);
    const double ring = 0.29 * phantom->side_px;
    const double radius = fmin(0.10 * phantom->side_px, 0.45 * TURN_RAD * ring / phantom->tube_count);
    for (int t = 0; t < phantom->tube_count; t++) {
        const double angle = TURN_RAD * t / phantom->tube_count;
        if (hypot(x - middle - ring * cos(angle), y - middle - ring * sin(angle)) <= radius) {
            return t + 1;
        }
    }
    return 0;
}

static void draw_echo(const reha_t2_phantom *phantom, size_t e, reha_volume *volume)
{
    reha_random random = reha_random_init(phantom->seed, e);
    const double share = e == 0 ? 1.0 - phantom->first_loss : 1.0;
    size_t v = 0;
    for (uint32_t k = 0; k < phantom->slice_count; k++) {
        for (uint32_t y = 0; y < phantom->side_px; y++) {
            for (uint32_t x = 0; x < phantom->side_px; x++, v++) {
                const int tube = tube_at(phantom, x, y);
                const double signal =
                    tube > 0 ? share * phantom->s0 * exp(-phantom->echo_ms[e] / phantom->t2_ms[tube - 1])
                             : 0.0;
                const double real = signal + phantom->sigma * reha_random_normal(&random);
                const double imaginary = phantom->sigma * reha_random_normal(&random);
                volume->voxels[v] = (float)hypot(real, imaginary);
            }
        }
    }
}

reha_status reha_t2_phantom_draw(const reha_t2_phantom *phantom, reha_volume **out, reha_volume **labels,
                                 reha_error *err)
{
    const uint32_t size[3] = {phantom->side_px, phantom->side_px, phantom->slice_count};
    const double middle_mm = 0.5 * (phantom->side_px - 1.0) * phantom->pixel_mm;
    /* Sagittal: columns to the back, rows to the feet, slices to the right. */
    const reha_affine3 map = {
        {{0.0, 0.0, -phantom->step_mm, 0.5 * (phantom->slice_count - 1.0) * phantom->step_mm},
         {phantom->pixel_mm, 0.0, 0.0, -middle_mm},
         {0.0, -phantom->pixel_mm, 0.0, middle_mm}}};
    reha_status status = REHA_OK;
    for (size_t e = 0; e < phantom->echo_count; e++) {
        out[e] = NULL;
    }
    if (labels != NULL) {
        *labels = NULL;
    }
    for (size_t e = 0; e < phantom->echo_count && status == REHA_OK; e++) {
        status = reha_volume_new(size, &map, &out[e], err);
        if (status == REHA_OK) {
            draw_echo(phantom, e, out[e]);
        }
    }
    if (status == REHA_OK && labels != NULL) {
        status = reha_volume_new(size, &map, labels, err);
        for (size_t v = 0; status == REHA_OK && v < reha_volume_count(*labels); v++) {
            (*labels)->voxels[v] =
                (float)tube_at(phantom, (uint32_t)(v % size[0]), (uint32_t)(v / size[0] % size[1]));
        }
    }
    for (size_t e = 0; e < phantom->echo_count && status != REHA_OK; e++) {
        reha_volume_free(out[e]);
        out[e] = NULL;
    }
    return status;
}
