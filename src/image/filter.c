/* Blur, sharpness and local contrast (statistics.h). */
#include "image/statistics.h"

#include "base/memory.h"
#include "image/resample.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double SIGMA_MAX_PX = 1000.0;
static const double DIRECT_SIGMA_MAX_PX = 10.0;
static const double KERNEL_CUT_SIGMAS = 4.0;

double reha_gray_gradient_energy(const reha_gray *image)
{
    const uint32_t width = image->width_px;
    const uint32_t height = image->height_px;
    if (width < 3 || height < 3) {
        return 0.0;
    }
    double total = 0.0;
    for (uint32_t y = 1; y + 1 < height; y++) {
        const float *row = image->pixels + (size_t)y * width;
        const float *above = row - width;
        const float *below = row + width;
        enum { LANES = 8 };
        float sums[LANES] = {0.0f};
        uint32_t x = 1;
        for (; x + LANES < width; x += LANES) {
            for (uint32_t k = 0; k < LANES; k++) {
                const float dx = 0.5f * (row[x + k + 1] - row[x + k - 1]);
                const float dy = 0.5f * (below[x + k] - above[x + k]);
                sums[k] += dx * dx + dy * dy;
            }
        }
        for (; x + 1 < width; x++) {
            const float dx = 0.5f * (row[x + 1] - row[x - 1]);
            const float dy = 0.5f * (below[x] - above[x]);
            sums[0] += dx * dx + dy * dy;
        }
        for (uint32_t k = 0; k < LANES; k++) {
            total += (double)sums[k];
        }
    }
    return total / ((double)(width - 2) * (double)(height - 2));
}

double reha_gray_laplacian_variance(const reha_gray *image)
{
    const uint32_t width = image->width_px;
    const uint32_t height = image->height_px;
    if (width < 3 || height < 3) {
        return 0.0;
    }
    double total = 0.0;
    double squares = 0.0;
    for (uint32_t y = 1; y + 1 < height; y++) {
        const float *row = image->pixels + (size_t)y * width;
        const float *above = row - width;
        const float *below = row + width;
        enum { LANES = 8 };
        float sums[LANES] = {0.0f};
        float square_sums[LANES] = {0.0f};
        uint32_t x = 1;
        for (; x + LANES < width; x += LANES) {
            for (uint32_t k = 0; k < LANES; k++) {
                const float value =
                    (row[x + k - 1] + row[x + k + 1]) + (above[x + k] + below[x + k]) - 4.0f * row[x + k];
                sums[k] += value;
                square_sums[k] += value * value;
            }
        }
        for (; x + 1 < width; x++) {
            const float value = (row[x - 1] + row[x + 1]) + (above[x] + below[x]) - 4.0f * row[x];
            sums[0] += value;
            square_sums[0] += value * value;
        }
        for (uint32_t k = 0; k < LANES; k++) {
            total += (double)sums[k];
            squares += (double)square_sums[k];
        }
    }
    const double count = (double)(width - 2) * (double)(height - 2);
    const double mean = total / count;
    return squares / count - mean * mean;
}

/* One half of the symmetric kernel: weights[0] is the middle one. */
static void make_kernel(double sigma_px, uint32_t radius, float *weights)
{
    double sum = 0.0;
    for (uint32_t i = 0; i <= radius; i++) {
        const double t = (double)i / sigma_px;
        const double weight = exp(-0.5 * t * t);
        weights[i] = (float)weight;
        sum += i == 0 ? weight : 2.0 * weight;
    }
    for (uint32_t i = 0; i <= radius; i++) {
        weights[i] = (float)((double)weights[i] / sum);
    }
}

static void blur_columns(const reha_gray *image, uint32_t y, const float *weights, uint32_t radius,
                         float *restrict out)
{
    const uint32_t width = image->width_px;
    const float *middle = image->pixels + (size_t)y * width;
    for (uint32_t x = 0; x < width; x++) {
        out[x] = weights[0] * middle[x];
    }
    for (uint32_t i = 1; i <= radius; i++) {
        const uint32_t up = y > i ? y - i : 0;
        const uint32_t down = y + i < image->height_px ? y + i : image->height_px - 1;
        const float *restrict above = image->pixels + (size_t)up * width;
        const float *restrict below = image->pixels + (size_t)down * width;
        const float weight = weights[i];
        for (uint32_t x = 0; x < width; x++) {
            out[x] += weight * (above[x] + below[x]);
        }
    }
}

/* `padded` holds the row with `radius` repeated edge values on both sides. */
static void blur_row(const float *padded, uint32_t width, const float *weights, uint32_t radius,
                     float *restrict out)
{
    const float *middle = padded + radius;
    for (uint32_t x = 0; x < width; x++) {
        out[x] = weights[0] * middle[x];
    }
    for (uint32_t i = 1; i <= radius; i++) {
        const float *restrict left = middle - i;
        const float *restrict right = middle + i;
        const float weight = weights[i];
        for (uint32_t x = 0; x < width; x++) {
            out[x] += weight * (left[x] + right[x]);
        }
    }
}

static reha_status blur_direct(const reha_gray *image, double sigma_px, reha_gray **out, reha_error *err)
{
    const uint32_t width = image->width_px;
    const uint32_t radius = (uint32_t)ceil(KERNEL_CUT_SIGMAS * sigma_px);
    reha_gray *result = NULL;
    REHA_TRY(reha_gray_new(width, image->height_px, &result, err));
    float *weights = reha_alloc((radius + 1) * sizeof *weights);
    float *padded = reha_alloc(((size_t)width + 2 * (size_t)radius) * sizeof *padded);
    if (weights == NULL || padded == NULL) {
        reha_free(weights);
        reha_free(padded);
        reha_gray_free(result);
        return reha_fail(err, REHA_E_NOMEM, "no memory to blur");
    }
    make_kernel(sigma_px, radius, weights);
    for (uint32_t y = 0; y < image->height_px; y++) {
        blur_columns(image, y, weights, radius, padded + radius);
        for (uint32_t i = 0; i < radius; i++) {
            padded[i] = padded[radius];
            padded[radius + width + i] = padded[radius + width - 1];
        }
        blur_row(padded, width, weights, radius, result->pixels + (size_t)y * width);
    }
    reha_free(weights);
    reha_free(padded);
    result->spacing = image->spacing;
    *out = result;
    return REHA_OK;
}

reha_status reha_gray_blur(const reha_gray *image, double sigma_px, reha_gray **out, reha_error *err)
{
    *out = NULL;
    if (!(sigma_px > 0.0 && sigma_px <= SIGMA_MAX_PX)) {
        return reha_fail(err, REHA_E_ARG, "a blur of %g px is outside (0, %g]", sigma_px, SIGMA_MAX_PX);
    }
    if (sigma_px <= DIRECT_SIGMA_MAX_PX) {
        return blur_direct(image, sigma_px, out, err);
    }
    /* A wide blur leaves nothing that a smaller picture could not hold. Shrinking by k (a box of k
     * pixels, variance k^2 / 12) and linear enlarging (a triangle, k^2 / 6) blur on their own: their
     * variance is taken off. */
    const double wanted = sigma_px / 5.0;
    const double factor = floor(wanted);
    const uint32_t width = (uint32_t)fmax(1.0, round((double)image->width_px / factor));
    const uint32_t height = (uint32_t)fmax(1.0, round((double)image->height_px / factor));
    const double own = factor * factor * (1.0 / 12.0 + 1.0 / 6.0);
    reha_gray *small = NULL;
    reha_gray *blurred = NULL;
    reha_status status = REHA_OK;
    REHA_CHECK(reha_gray_resize(image, width, height, REHA_FILTER_AREA, &small, err));
    REHA_CHECK(blur_direct(small, sqrt(sigma_px * sigma_px - own) / factor, &blurred, err));
    REHA_CHECK(reha_gray_resize(blurred, image->width_px, image->height_px, REHA_FILTER_LINEAR, out, err));
    (*out)->spacing = image->spacing; /* not the product of two roundings */
done:
    reha_gray_free(small);
    reha_gray_free(blurred);
    return status;
}

reha_status reha_gray_local_contrast(const reha_gray *image, double sigma_px, double sd_floor,
                                     reha_gray **out, reha_error *err)
{
    *out = NULL;
    if (!(sd_floor > 0.0) || !isfinite(sd_floor)) {
        return reha_fail(err, REHA_E_ARG, "the floor of the local contrast must be above 0");
    }
    reha_gray *mean = NULL;
    reha_gray *square = NULL;
    reha_gray *variance = NULL;
    reha_status status = REHA_OK;
    const size_t count = (size_t)image->width_px * image->height_px;
    REHA_CHECK(reha_gray_blur(image, sigma_px, &mean, err));
    REHA_CHECK(reha_gray_new(image->width_px, image->height_px, &square, err));
    assert(mean != NULL && square != NULL);
    for (size_t i = 0; i < count; i++) {
        const float part = image->pixels[i] - mean->pixels[i];
        square->pixels[i] = part * part;
    }
    REHA_CHECK(reha_gray_blur(square, sigma_px, &variance, err));
    const float floor_square = (float)(sd_floor * sd_floor);
    for (size_t i = 0; i < count; i++) {
        square->pixels[i] =
            (image->pixels[i] - mean->pixels[i]) / sqrtf(fmaxf(variance->pixels[i], 0.0f) + floor_square);
    }
    square->spacing = image->spacing;
    *out = square;
    square = NULL;
done:
    reha_gray_free(mean);
    reha_gray_free(square);
    reha_gray_free(variance);
    return status;
}
