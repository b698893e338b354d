#include "recognition/knee_augment.h"

#include <math.h>
#include <stddef.h>

static const double RAD_PER_DEG = 0.017453292519943295;
enum { BLUR_RADIUS_MAX = 3, LEVELS = 256 };

reha_knee_augment_spec reha_knee_augment_spec_default(void)
{
    return (reha_knee_augment_spec){.flip_chance = 0.5,
                                    .rotate_deg = 10.0,
                                    .scale_log = 0.13,
                                    .aspect_log = 0.05,
                                    .stretch_log = 0.3,
                                    .stretch_chance = 0.08,
                                    .shift_x_px = 9.0,
                                    .shift_y_px = 11.0,
                                    .contrast_log = 0.3,
                                    .brightness = 0.1,
                                    .gamma_log = 0.3,
                                    .gamma_chance = 0.5,
                                    .noise_low = 0.01,
                                    .noise_high = 0.05,
                                    .noise_chance = 0.25,
                                    .blur_low_px = 0.4,
                                    .blur_high_px = 1.0,
                                    .blur_chance = 0.15,
                                    .cut_chance = 0.25,
                                    .cut_h_min_px = 10,
                                    .cut_h_max_px = 40,
                                    .cut_w_min_px = 10,
                                    .cut_w_max_px = 56,
                                    .cut_grey = 0.45};
}

/* Wide windows as an archive of 300 x 162 px crops has them; tones as of a film printed hard or soft. */
reha_knee_reframe_spec reha_knee_reframe_spec_default(void)
{
    return (reha_knee_reframe_spec){.chance = 0.35,
                                    .height_min = 0.5,
                                    .height_max = 0.85,
                                    .joint_min = 0.3,
                                    .joint_max = 0.7,
                                    .side_max = 0.08,
                                    .gamma_log = 0.5,
                                    .low_percent_max = 12.0,
                                    .high_percent_max = 8.0};
}

static double draw(reha_random *random, double range)
{
    return reha_random_range(random, -range, range);
}

static int clamp_int(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Grey value below which `percent` of the pixels lie. */
static int percentile(const size_t histogram[LEVELS], size_t count, double percent)
{
    const double wanted = percent / 100.0 * (double)count;
    size_t below = 0;
    int level = 0;
    while (level < LEVELS - 1 && (double)(below + histogram[level]) <= wanted) {
        below += histogram[level++];
    }
    return level;
}

/* What becomes of each grey value: what lies outside of the limits is black or white, the rest curved. */
static void draw_tones(const uint8_t *raw, size_t count, const reha_knee_reframe_spec *spec,
                       reha_random *random, float tones[LEVELS])
{
    size_t histogram[LEVELS] = {0};
    for (size_t i = 0; i < count; i++) {
        histogram[raw[i]]++;
    }
    const int low = percentile(histogram, count, reha_random_range(random, 0.0, spec->low_percent_max));
    const int high =
        percentile(histogram, count, 100.0 - reha_random_range(random, 0.0, spec->high_percent_max));
    const double gamma = exp(draw(random, spec->gamma_log));
    for (int level = 0; level < LEVELS; level++) {
        const double share = (double)(level - low) / (high > low ? high - low : 1);
        tones[level] = (float)floor((LEVELS - 1) * pow(fmin(fmax(share, 0.0), 1.0), gamma) + 0.5);
    }
}

void reha_knee_reframe(const uint8_t *raw, const reha_knee_crop_spec *crop,
                       const reha_knee_reframe_spec *spec, reha_random *random, float *square)
{
    const int size = crop->size_px;
    float tones[LEVELS];
    draw_tones(raw, (size_t)size * (size_t)size, spec, random, tones);
    const double height_px = size * reha_random_range(random, spec->height_min, spec->height_max);
    const double above_px = height_px * reha_random_range(random, spec->joint_min, spec->joint_max);
    const int top = clamp_int((int)(crop->joint_y_px - above_px), 0, (int)(size - height_px));
    const int bottom = clamp_int(top + (int)height_px, top + 1, size) - 1;
    const int left = (int)(size * reha_random_range(random, 0.0, spec->side_max));
    const int right = size - 1 - (int)(size * reha_random_range(random, 0.0, spec->side_max));
    for (int y = 0; y < size; y++) {
        const uint8_t *row = raw + (size_t)clamp_int(y, top, bottom) * (size_t)size;
        for (int x = 0; x < size; x++) {
            square[(size_t)y * (size_t)size + (size_t)x] = tones[row[clamp_int(x, left, right)]];
        }
    }
}

static float bilinear(const uint8_t *square, int size_px, double x_px, double y_px)
{
    const double x = fmin(fmax(x_px, 0.0), size_px - 1.0);
    const double y = fmin(fmax(y_px, 0.0), size_px - 1.0);
    const int x0 = clamp_int((int)x, 0, size_px - 2);
    const int y0 = clamp_int((int)y, 0, size_px - 2);
    const float fx = (float)(x - x0);
    const float fy = (float)(y - y0);
    const uint8_t *row = square + (size_t)y0 * (size_t)size_px + (size_t)x0;
    const float top = (float)row[0] + fx * (float)(row[1] - row[0]);
    const float bottom = (float)row[size_px] + fx * (float)(row[size_px + 1] - row[size_px]);
    return (top + fy * (bottom - top)) / 255.0F;
}

static void warp(const uint8_t *square, const reha_knee_crop_spec *crop, const reha_knee_augment_spec *spec,
                 reha_random *random, float *out)
{
    const double angle = draw(random, spec->rotate_deg) * RAD_PER_DEG;
    const double scale = exp(draw(random, spec->scale_log));
    const bool stretched = reha_random_unit(random) < spec->stretch_chance;
    const double aspect = exp(draw(random, stretched ? spec->stretch_log : spec->aspect_log));
    const double shift_x_px = draw(random, spec->shift_x_px);
    const double shift_y_px = draw(random, spec->shift_y_px);
    const double mirror = reha_random_unit(random) < spec->flip_chance ? -1.0 : 1.0;
    const double middle_x_px = crop->window_x_px + (crop->window_w_px - 1) / 2.0;
    const double middle_y_px = crop->window_y_px + (crop->window_h_px - 1) / 2.0;
    const double c = cos(angle);
    const double s = sin(angle);
    for (int row = 0; row < crop->window_h_px; row++) {
        const double y = row - (crop->window_h_px - 1) / 2.0;
        for (int column = 0; column < crop->window_w_px; column++) {
            const double x = mirror * (column - (crop->window_w_px - 1) / 2.0);
            const double source_x_px = middle_x_px + shift_x_px + (c * x - s * y) * scale * aspect;
            const double source_y_px = middle_y_px + shift_y_px + (s * x + c * y) * scale / aspect;
            out[row * crop->window_w_px + column] = bilinear(square, crop->size_px, source_x_px, source_y_px);
        }
    }
}

/* One pass of a small symmetric kernel along rows (step 1) or columns (step = width). */
static void smooth_line(float *line, int count, int step, const float *kernel, int radius, float *copy)
{
    for (int i = 0; i < count; i++) {
        copy[i] = line[(ptrdiff_t)i * step];
    }
    for (int i = 0; i < count; i++) {
        float sum = kernel[0] * copy[i];
        for (int r = 1; r <= radius; r++) {
            sum += kernel[r] * (copy[clamp_int(i - r, 0, count - 1)] + copy[clamp_int(i + r, 0, count - 1)]);
        }
        line[(ptrdiff_t)i * step] = sum;
    }
}

static void blur(float *out, int width, int height, double sd_px)
{
    enum { LINE_MAX_PX = 1024 };
    float kernel[BLUR_RADIUS_MAX + 1];
    float copy[LINE_MAX_PX];
    double sum = 0.0;
    if (width > LINE_MAX_PX || height > LINE_MAX_PX) {
        return;
    }
    for (int r = 0; r <= BLUR_RADIUS_MAX; r++) {
        kernel[r] = (float)exp(-0.5 * r * r / (sd_px * sd_px));
        sum += (r == 0 ? 1.0 : 2.0) * (double)kernel[r];
    }
    for (int r = 0; r <= BLUR_RADIUS_MAX; r++) {
        kernel[r] = (float)((double)kernel[r] / sum);
    }
    for (int row = 0; row < height; row++) {
        smooth_line(out + (ptrdiff_t)row * width, width, 1, kernel, BLUR_RADIUS_MAX, copy);
    }
    for (int column = 0; column < width; column++) {
        smooth_line(out + column, height, width, kernel, BLUR_RADIUS_MAX, copy);
    }
}

static void change_tone(const reha_knee_augment_spec *spec, reha_random *random, float *out, int count)
{
    const float contrast = (float)exp(draw(random, spec->contrast_log));
    const float brightness = (float)draw(random, spec->brightness);
    const float gamma = (float)exp(draw(random, spec->gamma_log));
    const bool with_gamma = reha_random_unit(random) < spec->gamma_chance;
    float mean = 0.0F;
    for (int i = 0; i < count; i++) {
        mean += out[i];
    }
    mean /= (float)count;
    for (int i = 0; i < count; i++) {
        const float value = (out[i] - mean) * contrast + mean + brightness;
        out[i] = value < 0.0F ? 0.0F : value > 1.0F ? 1.0F : value;
        if (with_gamma) {
            out[i] = powf(out[i], gamma);
        }
    }
}

static void cut_out(const reha_knee_augment_spec *spec, const reha_knee_crop_spec *crop, reha_random *random,
                    float *out)
{
    const int height =
        spec->cut_h_min_px +
        (int)reha_random_below(random, (uint32_t)(spec->cut_h_max_px - spec->cut_h_min_px + 1));
    const int width = spec->cut_w_min_px +
                      (int)reha_random_below(random, (uint32_t)(spec->cut_w_max_px - spec->cut_w_min_px + 1));
    const int top = (int)(reha_random_unit(random) * (crop->window_h_px - height));
    const int left = (int)(reha_random_unit(random) * (crop->window_w_px - width));
    for (int row = top < 0 ? 0 : top; row < top + height && row < crop->window_h_px; row++) {
        for (int column = left < 0 ? 0 : left; column < left + width && column < crop->window_w_px;
             column++) {
            out[row * crop->window_w_px + column] = (float)spec->cut_grey;
        }
    }
}

void reha_knee_augment(const uint8_t *square, const reha_knee_crop_spec *crop,
                       const reha_knee_augment_spec *spec, reha_random *random, float *out)
{
    const int count = crop->window_w_px * crop->window_h_px;
    warp(square, crop, spec, random, out);
    if (reha_random_unit(random) < spec->blur_chance) {
        blur(out, crop->window_w_px, crop->window_h_px,
             reha_random_range(random, spec->blur_low_px, spec->blur_high_px));
    }
    change_tone(spec, random, out, count);
    if (reha_random_unit(random) < spec->noise_chance) {
        const double sd = reha_random_range(random, spec->noise_low, spec->noise_high);
        for (int i = 0; i < count; i++) {
            out[i] += (float)(sd * reha_random_normal(random));
        }
    }
    if (reha_random_unit(random) < spec->cut_chance) {
        cut_out(spec, crop, random, out);
    }
}
