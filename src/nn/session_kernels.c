/* Our own kernels, for what oneDNN does slowly or not at all. They only move bytes or sum in a fixed
 * order, so results do not depend on the number of threads. */
#include "nn/session_priv.h"

#include <string.h>

static float bf16_to_float(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static uint16_t float_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 | 0x40u); /* keep NaN a NaN */
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static int64_t bytes_of(dnnl_data_type_t type)
{
    return type == dnnl_f32 ? 4 : type == dnnl_bf16 ? 2 : 1;
}

void reha_kernel_copy(const reha_op_run *run)
{
    const int64_t pixels = run->batch * run->height * run->width;
    const size_t bytes = (size_t)(run->channels * bytes_of(run->src_type));
    const uint8_t *src = run->src;
    uint8_t *dst = run->dst;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < pixels; i++) {
        memcpy(dst + i * run->dst_stride, src + i * run->src_stride, bytes);
    }
}

/* height, width and src_stride are those of the smaller source. */
void reha_kernel_shuffle(const reha_op_run *run)
{
    const int64_t rows = run->batch * run->height * run->window_h;
    const int64_t bytes = run->channels * bytes_of(run->src_type);
    const uint8_t *src = run->src;
    uint8_t *dst = run->dst;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t y = row / run->window_h;
        const int64_t ky = row % run->window_h;
        for (int64_t x = 0; x < run->width; x++) {
            const uint8_t *from = src + (y * run->width + x) * run->src_stride + ky * run->window_w * bytes;
            uint8_t *to = dst + (row * run->width + x) * run->window_w * run->dst_stride;
            for (int kx = 0; kx < run->window_w; kx++) {
                memcpy(to + kx * run->dst_stride, from + kx * bytes, (size_t)bytes);
            }
        }
    }
}

enum { BLOCK = 16 };
static const size_t block_bytes = BLOCK * sizeof(float);

void reha_kernel_copy_blocked(const reha_op_run *run)
{
    const int64_t blocks = run->channels / BLOCK;
    const int64_t src_blocks = run->src_stride / (int64_t)block_bytes;
    const int64_t dst_blocks = run->dst_stride / (int64_t)block_bytes;
    const size_t plane = (size_t)(run->height * run->width) * block_bytes;
#pragma omp parallel for schedule(static)
    for (int64_t job = 0; job < run->batch * blocks; job++) {
        const int64_t image = job / blocks;
        const int64_t block = job % blocks;
        memcpy((uint8_t *)run->dst + (size_t)(image * dst_blocks + block) * plane,
               (const uint8_t *)run->src + (size_t)(image * src_blocks + block) * plane, plane);
    }
}

/* channels: of the result; the source has window_h * window_w times as many. */
void reha_kernel_shuffle_blocked(const reha_op_run *run)
{
    const int64_t blocks = run->channels / BLOCK;
    const int64_t taps = (int64_t)run->window_h * run->window_w;
    const int64_t dst_blocks = run->dst_stride / (int64_t)block_bytes;
    const int64_t rows = run->height * run->window_h;
#pragma omp parallel for schedule(static)
    for (int64_t job = 0; job < run->batch * blocks * rows; job++) {
        const int64_t image = job / (blocks * rows);
        const int64_t block = job / rows % blocks;
        const int64_t row = job % rows;
        const int64_t y = row / run->window_h;
        float *to = (float *)run->dst +
                    (((image * dst_blocks + block) * rows + row) * run->width * run->window_w) * BLOCK;
        for (int kx = 0; kx < run->window_w; kx++) {
            const int64_t tap = row % run->window_h * run->window_w + kx;
            const float *from =
                (const float *)run->src +
                (((image * taps + tap) * blocks + block) * run->height + y) * run->width * BLOCK;
            for (int64_t x = 0; x < run->width; x++) {
                memcpy(to + (x * run->window_w + kx) * BLOCK, from + x * BLOCK, block_bytes);
            }
        }
    }
}

enum { SUM_CHANNELS = 64 };

static void add_row(dnnl_data_type_t type, const void *src, int64_t first, int count, float *sums)
{
    if (type == dnnl_f32) {
        const float *values = (const float *)src + first;
        for (int c = 0; c < count; c++) {
            sums[c] += values[c];
        }
    } else if (type == dnnl_bf16) {
        const uint16_t *values = (const uint16_t *)src + first;
        for (int c = 0; c < count; c++) {
            sums[c] += bf16_to_float(values[c]);
        }
    } else if (type == dnnl_u8) {
        const uint8_t *values = (const uint8_t *)src + first;
        for (int c = 0; c < count; c++) {
            sums[c] += (float)values[c];
        }
    } else {
        const int8_t *values = (const int8_t *)src + first;
        for (int c = 0; c < count; c++) {
            sums[c] += (float)values[c];
        }
    }
}

/* Means over the image; dst: [batch, channels] floats or bf16. */
void reha_kernel_global_pool(const reha_op_run *run)
{
    const int64_t pixels = run->height * run->width;
    const int64_t blocks = (run->channels + SUM_CHANNELS - 1) / SUM_CHANNELS;
    const float factor = run->scale / (float)pixels;
#pragma omp parallel for schedule(static)
    for (int64_t job = 0; job < run->batch * blocks; job++) {
        const int64_t image = job / blocks;
        const int64_t first = job % blocks * SUM_CHANNELS;
        const int count = (int)(run->channels - first < SUM_CHANNELS ? run->channels - first : SUM_CHANNELS);
        float sums[SUM_CHANNELS] = {0};
        for (int64_t i = 0; i < pixels; i++) {
            const uint8_t *pixel = (const uint8_t *)run->src + (image * pixels + i) * run->src_stride;
            add_row(run->src_type, pixel, first, count, sums);
        }
        for (int c = 0; c < count; c++) {
            const int64_t at = image * run->channels + first + c;
            if (run->dst_type == dnnl_f32) {
                ((float *)run->dst)[at] = sums[c] * factor;
            } else {
                ((uint16_t *)run->dst)[at] = float_to_bf16(sums[c] * factor);
            }
        }
    }
}

void reha_kernel_global_pool_blocked(const reha_op_run *run)
{
    const int64_t pixels = run->height * run->width;
    const int64_t blocks = (run->channels + BLOCK - 1) / BLOCK;
    const float factor = run->scale / (float)pixels;
#pragma omp parallel for schedule(static)
    for (int64_t job = 0; job < run->batch * blocks; job++) {
        const int64_t image = job / blocks;
        const int64_t first = job % blocks * BLOCK;
        const float *src = (const float *)run->src + job * pixels * BLOCK;
        float sums[BLOCK] = {0};
        for (int64_t i = 0; i < pixels; i++) {
            for (int c = 0; c < BLOCK; c++) {
                sums[c] += src[i * BLOCK + c];
            }
        }
        for (int c = 0; c < BLOCK && first + c < run->channels; c++) {
            ((float *)run->dst)[image * run->channels + first + c] = sums[c] * factor;
        }
    }
}
