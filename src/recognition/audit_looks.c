#include "recognition/audit_priv.h"

#include "base/hash.h"

#include <math.h>

enum {
    HASH_COLUMNS = 9, /* 8 differences a row */
    HASH_ROWS = 8,
    NEAR_BITS_MAX = 2,
    PIXELS = REHA_LOOK_SIDE * REHA_LOOK_SIDE
};
static const double GRADIENT_SURE = 0.1; /* standard deviations of the miniature */
static const double NEAR_CORRELATION_MIN = 0.995;
static const double BLANK_SD_MIN = 1e-3; /* of the miniature, relative to its range of values */

static uint64_t hash_pixels(const reha_gray *image)
{
    const uint32_t size[2] = {image->width_px, image->height_px};
    const uint64_t hash = reha_hash64(REHA_HASH64_START, size, sizeof size);
    return reha_hash64(hash, image->pixels, (size_t)size[0] * size[1] * sizeof *image->pixels);
}

typedef struct window { /* whole pixels inside the picture */
    uint32_t x, y, width, height;
} window;

static window window_of(const reha_gray *image, const reha_box_px *part)
{
    window out = {0, 0, image->width_px, image->height_px};
    if (part != NULL && part->width_px >= 1.0 && part->height_px >= 1.0) {
        out.x = (uint32_t)fmin(fmax(part->x_px, 0.0), image->width_px - 1.0);
        out.y = (uint32_t)fmin(fmax(part->y_px, 0.0), image->height_px - 1.0);
        out.width = (uint32_t)fmin(part->width_px, (double)image->width_px - out.x);
        out.height = (uint32_t)fmin(part->height_px, (double)image->height_px - out.y);
    }
    return out;
}

/* Mean over the cell (column, row) of a columns x rows grid laid over the window. */
static double cell_mean(const reha_gray *image, const window *part, int column, int columns, int row,
                        int rows)
{
    const uint32_t x0 = part->x + (uint32_t)((uint64_t)column * part->width / (uint64_t)columns);
    const uint32_t y0 = part->y + (uint32_t)((uint64_t)row * part->height / (uint64_t)rows);
    uint32_t x1 = part->x + (uint32_t)((uint64_t)(column + 1) * part->width / (uint64_t)columns);
    uint32_t y1 = part->y + (uint32_t)((uint64_t)(row + 1) * part->height / (uint64_t)rows);
    double sum = 0.0;
    x1 = x1 > x0 ? x1 : x0 + 1;
    y1 = y1 > y0 ? y1 : y0 + 1;
    for (uint32_t y = y0; y < y1; y++) {
        for (uint32_t x = x0; x < x1; x++) {
            sum += (double)reha_gray_at(image, x, y);
        }
    }
    return sum / ((double)(x1 - x0) * (double)(y1 - y0));
}

/* Layers of tissue hardly change from left to right: there the sign of a difference is noise. */
static void look_at_gradients(const reha_gray *image, const window *part, double noise, reha_look *out)
{
    for (int row = 0; row < HASH_ROWS; row++) {
        double left = cell_mean(image, part, 0, HASH_COLUMNS, row, HASH_ROWS);
        for (int column = 1; column < HASH_COLUMNS; column++) {
            const double right = cell_mean(image, part, column, HASH_COLUMNS, row, HASH_ROWS);
            out->gradient_hash = out->gradient_hash << 1 | (right > left ? 1U : 0U);
            out->gradient_sure = out->gradient_sure << 1 | (fabs(right - left) > noise ? 1U : 0U);
            left = right;
        }
    }
}

void reha_look_at(const reha_gray *image, const reha_box_px *part, reha_look *out)
{
    const window shown = window_of(image, part);
    double sum = 0.0;
    double squares = 0.0;
    double most = 1.0;
    *out = (reha_look){.is_known = true, .pixels_hash = hash_pixels(image)};
    for (int i = 0; i < PIXELS; i++) {
        const double level =
            cell_mean(image, &shown, i % REHA_LOOK_SIDE, REHA_LOOK_SIDE, i / REHA_LOOK_SIDE, REHA_LOOK_SIDE);
        out->thumb[i] = (float)level;
        sum += level;
        most = fmax(most, fabs(level));
    }
    const double mean = sum / PIXELS;
    for (int i = 0; i < PIXELS; i++) {
        out->thumb[i] -= (float)mean;
        squares += (double)out->thumb[i] * (double)out->thumb[i];
    }
    out->is_blank = sqrt(squares / PIXELS) < BLANK_SD_MIN * most;
    for (int i = 0; i < PIXELS && squares > 0.0; i++) {
        out->thumb[i] /= (float)sqrt(squares);
    }
    look_at_gradients(image, &shown, GRADIENT_SURE * sqrt(squares / PIXELS), out);
    out->mean_level = mean / (most > 255.0 ? 65535.0 : 255.0);
}

static double correlation(const reha_look *a, const reha_look *b)
{
    double sum = 0.0;
    for (int i = 0; i < PIXELS; i++) {
        sum += (double)a->thumb[i] * (double)b->thumb[i];
    }
    return sum;
}

static bool has_a_look(const reha_look *look)
{
    return look->is_known && !look->is_blank;
}

void reha_find_copies(const reha_look *looks, size_t count, reha_copy_function tell, void *context)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count && has_a_look(&looks[i]); j++) {
            const uint64_t sure = looks[i].gradient_sure & looks[j].gradient_sure;
            const uint64_t differ = (looks[i].gradient_hash ^ looks[j].gradient_hash) & sure;
            if (!has_a_look(&looks[j]) || __builtin_popcountll(differ) > NEAR_BITS_MAX) {
                continue;
            }
            const bool is_exact = looks[i].pixels_hash == looks[j].pixels_hash;
            if (is_exact || correlation(&looks[i], &looks[j]) >= NEAR_CORRELATION_MIN) {
                tell(context, i, j, is_exact);
            }
        }
    }
}
