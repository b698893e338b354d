#include "recognition/mask.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>

static const double HALF = 0.5; /* what is more likely inside than outside */

reha_status reha_mask_new(const char *key, uint32_t width_px, uint32_t height_px, reha_mask *out,
                          reha_error *err)
{
    *out = (reha_mask){.inside = reha_alloc_zero((size_t)width_px * height_px, 1)};
    if (out->inside == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a mask of %u x %u px", width_px, height_px);
    }
    (void)snprintf(out->key, sizeof out->key, "%s", key);
    return REHA_OK;
}

void reha_mask_clear(reha_mask *mask)
{
    reha_free(mask->inside);
    *mask = (reha_mask){.inside = NULL};
}

static double clamped(double value, double most)
{
    return fmin(fmax(value, 0.0), most);
}

static double bilinear(const float *map, int side, double u, double v)
{
    const double cu = clamped(u, side - 1.0);
    const double cv = clamped(v, side - 1.0);
    const int x = cu < side - 1 ? (int)cu : side - 2;
    const int y = cv < side - 1 ? (int)cv : side - 2;
    const double fx = cu - x;
    const double fy = cv - y;
    const float *at = map + (size_t)y * (size_t)side + x;
    return (1.0 - fy) * ((1.0 - fx) * (double)at[0] + fx * (double)at[1]) +
           fy * ((1.0 - fx) * (double)at[side] + fx * (double)at[side + 1]);
}

/* The first and the first one behind the pixels whose centres lie between two places of an axis. */
static void covered(double from, double size, uint32_t count, uint32_t out[2])
{
    const double most = count;
    out[0] = (uint32_t)clamped(ceil(from), most);
    out[1] = (uint32_t)clamped(floor(from + size) + 1.0, most);
}

void reha_mask_from_map(const float *map, int side, reha_box_px box, uint32_t width_px, uint32_t height_px,
                        reha_mask *mask)
{
    uint32_t columns[2];
    uint32_t rows[2];
    if (!(box.width_px > 0.0 && box.height_px > 0.0) || side < 2) {
        return;
    }
    covered(box.x_px, box.width_px, width_px, columns);
    covered(box.y_px, box.height_px, height_px, rows);
    for (uint32_t y = rows[0]; y < rows[1]; y++) {
        const double v = (y - box.y_px) / box.height_px * side - 0.5;
        for (uint32_t x = columns[0]; x < columns[1]; x++) {
            const double u = (x - box.x_px) / box.width_px * side - 0.5;
            mask->inside[(size_t)y * width_px + x] = bilinear(map, side, u, v) > HALF ? 1 : 0;
        }
    }
}
