#include "recognition/muscle_changes.h"

#include "base/memory.h"
#include "image/load.h"
#include "image/resample.h"
#include "image/save.h"
#include "image/statistics.h"
#include "recognition/muscle_screen.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum { GAIN_STEPS = 8 };
static const double WHITE = 255.0;
static const double RANGE_DB =
    60.0; /* what the grey scale of a picture is taken to span: presets have 50 to 70 */

static reha_status copy_both(const reha_muscle_scan *scan, reha_gray **image, reha_gray **mask,
                             reha_error *err)
{
    REHA_TRY(reha_gray_copy(scan->image, image, err));
    return reha_gray_copy(scan->mask, mask, err);
}

static reha_status as_it_is(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                            reha_gray **mask, reha_error *err)
{
    (void)random;
    return copy_both(scan, image, mask, err);
}

/* ---- Tone ---- */

typedef double tone_of(double grey, double depth, const double *how); /* grey and depth 0..1 */

static reha_status change_tone(const reha_muscle_scan *scan, tone_of *tone, const double *how,
                               reha_gray **image, reha_gray **mask, reha_error *err)
{
    REHA_TRY(copy_both(scan, image, mask, err));
    const uint32_t x1 = (uint32_t)(scan->box.x_px + scan->box.width_px);
    const uint32_t y1 = (uint32_t)(scan->box.y_px + scan->box.height_px);
    for (uint32_t y = (uint32_t)scan->box.y_px; y < y1; y++) {
        for (uint32_t x = (uint32_t)scan->box.x_px; x < x1; x++) {
            float *at = &(*image)->pixels[(size_t)y * (*image)->width_px + x];
            const double depth = (y - scan->box.y_px) / scan->box.height_px;
            *at = (float)(WHITE * fmin(1.0, fmax(0.0, tone((double)*at / WHITE, depth, how))));
        }
    }
    return REHA_OK;
}

static double by_gain(double grey, double depth, const double *how)
{
    (void)depth;
    return how[0] * grey;
}

static reha_status gain_low(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                            reha_gray **mask, reha_error *err)
{
    const double how[1] = {reha_random_range(random, 0.35, 0.6)};
    return change_tone(scan, by_gain, how, image, mask, err);
}

static reha_status gain_high(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                             reha_gray **mask, reha_error *err)
{
    const double how[1] = {reha_random_range(random, 1.6, 2.4)};
    return change_tone(scan, by_gain, how, image, mask, err);
}

/* Grey is proportional to decibels: another dynamic range spreads it about how[1], which keeps its grey.
 * Black, where nothing was received, stays black. */
static double by_range(double grey, double depth, const double *how)
{
    (void)depth;
    return grey > 0.0 ? how[1] + (grey - how[1]) * RANGE_DB / how[0] : 0.0;
}

static double mean_of_tissue(const reha_muscle_scan *scan)
{
    double sum = 0.0;
    for (uint32_t y = (uint32_t)scan->box.y_px; y < (uint32_t)(scan->box.y_px + scan->box.height_px); y++) {
        for (uint32_t x = (uint32_t)scan->box.x_px; x < (uint32_t)(scan->box.x_px + scan->box.width_px);
             x++) {
            sum += (double)reha_gray_at(scan->image, x, y);
        }
    }
    return sum / (scan->box.width_px * scan->box.height_px) / WHITE;
}

/* As a sonographer would do it: with the gain set so that the tissue is as bright as before. */
static reha_status range_40(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                            reha_gray **mask, reha_error *err)
{
    (void)random;
    const double how[2] = {40.0, mean_of_tissue(scan)};
    return change_tone(scan, by_range, how, image, mask, err);
}

static reha_status range_90(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                            reha_gray **mask, reha_error *err)
{
    (void)random;
    const double how[2] = {90.0, mean_of_tissue(scan)};
    return change_tone(scan, by_range, how, image, mask, err);
}

/* With the gain left where it was, a third of the grey scale, and in dark pictures most of the muscle, is cut
 * off. */
static reha_status blacks_cut(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                              reha_gray **mask, reha_error *err)
{
    (void)random;
    const double how[2] = {40.0, 1.0};
    return change_tone(scan, by_range, how, image, mask, err);
}

static double by_gamma(double grey, double depth, const double *how)
{
    (void)depth;
    return pow(grey, how[0]);
}

static reha_status gamma_dark(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                              reha_gray **mask, reha_error *err)
{
    const double how[1] = {reha_random_range(random, 1.6, 2.0)};
    return change_tone(scan, by_gamma, how, image, mask, err);
}

static reha_status gamma_bright(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                                reha_gray **mask, reha_error *err)
{
    const double how[1] = {reha_random_range(random, 0.5, 0.65)};
    return change_tone(scan, by_gamma, how, image, mask, err);
}

static double by_s_curve(double grey, double depth, const double *how)
{
    (void)depth, (void)how;
    return grey * grey * (3.0 - 2.0 * grey);
}

static reha_status s_curve(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                           reha_gray **mask, reha_error *err)
{
    (void)random;
    return change_tone(scan, by_s_curve, NULL, image, mask, err);
}

/* Sliders of gain over depth, each moved on its own, blended like those of a scanner. */
static double by_sliders(double grey, double depth, const double *how)
{
    const double at = fmin(GAIN_STEPS - 1.0, fmax(0.0, depth * GAIN_STEPS - 0.5));
    const int i = at >= GAIN_STEPS - 1 ? GAIN_STEPS - 2 : (int)at;
    const double db = how[i] + (at - i) * (how[i + 1] - how[i]);
    return grey > 0.0 ? grey + db / RANGE_DB : 0.0;
}

static reha_status gain_steps(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                              reha_gray **mask, reha_error *err)
{
    double how[GAIN_STEPS];
    for (int i = 0; i < GAIN_STEPS; i++) {
        how[i] = reha_random_range(random, -12.0, 12.0);
    }
    return change_tone(scan, by_sliders, how, image, mask, err);
}

/* A part of the probe without contact: a dark strip from the skin down. */
static reha_status lost_contact(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                                reha_gray **mask, reha_error *err)
{
    const double width = scan->box.width_px * reha_random_range(random, 0.05, 0.12);
    const double centre = scan->box.x_px + scan->box.width_px * (reha_random_unit(random) < 0.5
                                                                     ? reha_random_range(random, 0.0, 0.25)
                                                                     : reha_random_range(random, 0.75, 1.0));
    REHA_TRY(copy_both(scan, image, mask, err));
    for (uint32_t y = (uint32_t)scan->box.y_px; y < (uint32_t)(scan->box.y_px + scan->box.height_px); y++) {
        for (uint32_t x = (uint32_t)scan->box.x_px; x < (uint32_t)(scan->box.x_px + scan->box.width_px);
             x++) {
            const double d = (x - centre) / width;
            (*image)->pixels[(size_t)y * (*image)->width_px + x] *= (float)(1.0 - 0.85 * exp(-d * d));
        }
    }
    return REHA_OK;
}

/* ---- Grain and storage ---- */

static reha_status resize_both(const reha_muscle_scan *scan, double ratio_x, double ratio_y,
                               reha_gray **image, reha_gray **mask, reha_error *err)
{
    const uint32_t width = (uint32_t)(ratio_x * scan->image->width_px + 0.5);
    const uint32_t height = (uint32_t)(ratio_y * scan->image->height_px + 0.5);
    REHA_TRY(reha_gray_resize(scan->image, width, height, REHA_FILTER_LINEAR, image, err));
    return reha_gray_resize(scan->mask, width, height, REHA_FILTER_LINEAR, mask, err);
}

static reha_status half_size(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                             reha_gray **mask, reha_error *err)
{
    (void)random;
    return resize_both(scan, 0.5, 0.5, image, mask, err);
}

static reha_status double_size(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                               reha_gray **mask, reha_error *err)
{
    (void)random;
    return resize_both(scan, 2.0, 2.0, image, mask, err);
}

/* The tissue of `shown` into a copy of the picture. */
static reha_status put_tissue(const reha_muscle_scan *scan, const reha_gray *shown, reha_gray **image,
                              reha_gray **mask, reha_error *err)
{
    REHA_TRY(copy_both(scan, image, mask, err));
    for (uint32_t y = (uint32_t)scan->box.y_px; y < (uint32_t)(scan->box.y_px + scan->box.height_px); y++) {
        const size_t at = (size_t)y * shown->width_px + (uint32_t)scan->box.x_px;
        memcpy((*image)->pixels + at, shown->pixels + at, (size_t)scan->box.width_px * sizeof *shown->pixels);
    }
    return REHA_OK;
}

/* Speckle twice as large: half of the resolution is gone, the picture is as large as before. */
static reha_status coarse_grain(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                                reha_gray **mask, reha_error *err)
{
    (void)random;
    reha_status status = REHA_OK;
    reha_gray *small = NULL;
    reha_gray *large = NULL;
    REHA_CHECK(reha_gray_resize(scan->image, scan->image->width_px / 2, scan->image->height_px / 2,
                                REHA_FILTER_LINEAR, &small, err));
    REHA_CHECK(reha_gray_resize(small, scan->image->width_px, scan->image->height_px, REHA_FILTER_LINEAR,
                                &large, err));
    status = put_tissue(scan, large, image, mask, err);
done:
    reha_gray_free(small);
    reha_gray_free(large);
    return status;
}

/* Speckle reduction or persistence of the scanner. */
static reha_status smooth_grain(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                                reha_gray **mask, reha_error *err)
{
    reha_gray *blurred = NULL;
    const double sigma_px = scan->box.width_px / 500.0 * reha_random_range(random, 1.2, 2.0);
    REHA_TRY(reha_gray_blur(scan->image, sigma_px, &blurred, err));
    const reha_status status = put_tissue(scan, blurred, image, mask, err);
    reha_gray_free(blurred);
    return status;
}

/* Speckle of the scanner's own: grains of about two pixels, 12 to 18 % of the grey. */
static reha_status strong_grain(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                                reha_gray **mask, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *noise = NULL;
    reha_gray *grains = NULL;
    const double share = reha_random_range(random, 0.12, 0.18);
    REHA_CHECK(reha_gray_copy(scan->image, &noise, err));
    for (size_t i = 0; i < (size_t)noise->width_px * noise->height_px; i++) {
        noise->pixels[i] = (float)reha_random_normal(random);
    }
    REHA_CHECK(reha_gray_blur(noise, 0.8, &grains, err)); /* leaves an SD of 0.35 */
    for (size_t i = 0; i < (size_t)noise->width_px * noise->height_px; i++) {
        const double grey = (double)scan->image->pixels[i] * (1.0 + share / 0.35 * (double)grains->pixels[i]);
        grains->pixels[i] = (float)fmin(WHITE, fmax(0.0, grey));
    }
    status = put_tissue(scan, grains, image, mask, err);
done:
    reha_gray_free(noise);
    reha_gray_free(grains);
    return status;
}

static reha_status through_jpeg(const reha_gray *image, int quality, reha_gray **out, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    REHA_TRY(reha_image_encode_jpeg(image, quality, &bytes, &length, err));
    const reha_status status = reha_image_decode(bytes, length, NULL, out, NULL, err);
    reha_free(bytes);
    if (status == REHA_OK) {
        (*out)->spacing = image->spacing;
    }
    return status;
}

static reha_status jpeg(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                        reha_gray **mask, reha_error *err)
{
    (void)random;
    REHA_TRY(through_jpeg(scan->image, 15, image, err));
    return reha_gray_copy(scan->mask, mask, err);
}

/* A frame of a compressed film, taken off a screen: two thirds of the resolution, coarse blocks, enlarged
 * again. */
static reha_status video(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                         reha_gray **mask, reha_error *err)
{
    (void)random;
    reha_status status = REHA_OK;
    reha_gray *small = NULL;
    reha_gray *stored = NULL;
    REHA_CHECK(reha_gray_resize(scan->image, 2 * scan->image->width_px / 3, 2 * scan->image->height_px / 3,
                                REHA_FILTER_LINEAR, &small, err));
    REHA_CHECK(through_jpeg(small, 20, &stored, err));
    REHA_CHECK(reha_gray_resize(stored, scan->image->width_px, scan->image->height_px, REHA_FILTER_LINEAR,
                                image, err));
    status = reha_gray_copy(scan->mask, mask, err);
done:
    reha_gray_free(small);
    reha_gray_free(stored);
    return status;
}

/* ---- Geometry ---- */

static reha_status mirrored(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                            reha_gray **mask, reha_error *err)
{
    (void)random;
    REHA_TRY(copy_both(scan, image, mask, err));
    reha_gray_flip_x(*image);
    reha_gray_flip_x(*mask);
    return REHA_OK;
}

static reha_status upside_down(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                               reha_gray **mask, reha_error *err)
{
    (void)random;
    REHA_TRY(copy_both(scan, image, mask, err));
    reha_gray_flip_y(*image);
    reha_gray_flip_y(*mask);
    return REHA_OK;
}

static reha_status cut_tissue(const reha_muscle_scan *scan, uint32_t height_px, reha_gray **image,
                              reha_gray **mask, reha_error *err)
{
    const reha_fill fill = {.edge = REHA_EDGE_VALUE, .value = 0.0F};
    const int64_t x = (int64_t)scan->box.x_px;
    const int64_t y = (int64_t)scan->box.y_px;
    const uint32_t width_px = (uint32_t)scan->box.width_px;
    REHA_TRY(reha_gray_crop(scan->image, x, y, width_px, height_px, fill, image, err));
    return reha_gray_crop(scan->mask, x, y, width_px, height_px, fill, mask, err);
}

/* Depth where nothing returns but noise: grains of the deepest tissue, shuffled and darker. */
static reha_status fill_below(reha_gray *image, uint32_t first_y, reha_random *random, reha_error *err)
{
    reha_gray *grains = NULL;
    const uint32_t deepest = first_y / 8 > 0 ? first_y / 8 : 1;
    for (uint32_t y = first_y; y < image->height_px; y++) {
        const double left = 0.75 * exp(-2.0 * (y - first_y) / (double)first_y);
        for (uint32_t x = 0; x < image->width_px; x++) {
            const uint32_t from_y = first_y - 1 - reha_random_below(random, deepest);
            const uint32_t from_x =
                (x + reha_random_below(random, image->width_px / 6 + 1)) % image->width_px;
            image->pixels[(size_t)y * image->width_px + x] =
                (float)left * reha_gray_at(image, from_x, from_y);
        }
    }
    REHA_TRY(reha_gray_blur(image, 1.2, &grains, err));
    const size_t from = (size_t)first_y * image->width_px;
    memcpy(image->pixels + from, grains->pixels + from,
           ((size_t)image->width_px * image->height_px - from) * sizeof *image->pixels);
    reha_gray_free(grains);
    return REHA_OK;
}

/* ratio: size of the muscle in the picture's height against before. */
static reha_status other_depth(const reha_muscle_scan *scan, reha_random *random, double ratio,
                               reha_gray **image, reha_gray **mask, reha_error *err)
{
    const double needed =
        fmin(scan->box.height_px, scan->bottom_px - scan->box.y_px + 0.05 * scan->box.height_px);
    const double height = fmax(scan->box.height_px / ratio, ratio > 1.0 ? needed : 0.0);
    REHA_TRY(cut_tissue(scan, (uint32_t)height, image, mask, err));
    const uint32_t first_y = (uint32_t)scan->box.height_px;
    if ((*image)->height_px <= first_y) {
        return REHA_OK;
    }
    for (uint32_t y = first_y; y < (*mask)->height_px; y++) {
        memset((*mask)->pixels + (size_t)y * (*mask)->width_px, 0,
               (*mask)->width_px * sizeof *(*mask)->pixels);
    }
    return fill_below(*image, first_y, random, err);
}

static reha_status depth_060(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                             reha_gray **mask, reha_error *err)
{
    return other_depth(scan, random, 0.6, image, mask, err);
}

static reha_status depth_080(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                             reha_gray **mask, reha_error *err)
{
    return other_depth(scan, random, 0.8, image, mask, err);
}

static reha_status depth_125(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                             reha_gray **mask, reha_error *err)
{
    return other_depth(scan, random, 1.25, image, mask, err);
}

static reha_status depth_160(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                             reha_gray **mask, reha_error *err)
{
    return other_depth(scan, random, 1.6, image, mask, err);
}

static reha_status wide_pixels(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                               reha_gray **mask, reha_error *err)
{
    (void)random;
    return resize_both(scan, 0.7, 1.0, image, mask, err);
}

static reha_status tall_pixels(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                               reha_gray **mask, reha_error *err)
{
    (void)random;
    return resize_both(scan, 1.0, 0.7, image, mask, err);
}

/* The outline of a convex probe's picture; its tissue is not bent along with it. */
static reha_status sector(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,
                          reha_gray **mask, reha_error *err)
{
    REHA_TRY(cut_tissue(scan, (uint32_t)scan->box.height_px, image, mask, err));
    const double half = 0.5 * (*image)->width_px;
    const double apex = -reha_random_range(random, 0.9, 1.3) * (*image)->width_px;
    const double nearest = hypot(half * 0.72, apex) - 0.02 * (*image)->height_px;
    const double steepest = 1.02 * half / ((*image)->height_px - apex) * 1.06;
    for (uint32_t y = 0; y < (*image)->height_px; y++) {
        for (uint32_t x = 0; x < (*image)->width_px; x++) {
            const double across = fabs(x + 0.5 - half);
            const double along = y + 0.5 - apex;
            if (across / along > steepest || hypot(across, along) < nearest) {
                (*image)->pixels[(size_t)y * (*image)->width_px + x] = 0.0F;
                (*mask)->pixels[(size_t)y * (*image)->width_px + x] = 0.0F;
            }
        }
    }
    return REHA_OK;
}

/* ---- Screens ---- */

/* The tissue on a larger screen; what the screen draws over the tissue is brighter than it. */
static reha_status on_screen(const reha_muscle_scan *scan, reha_muscle_screen_kind kind, reha_random *random,
                             reha_gray **image, reha_gray **mask, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *screen = NULL;
    const double middle_px = 0.5 * (scan->top_px + scan->bottom_px) - scan->box.y_px;
    const reha_muscle_screen_spec spec = {.kind = kind,
                                          .tissue_width_px = (uint32_t)scan->box.width_px,
                                          .tissue_height_px = (uint32_t)scan->box.height_px,
                                          .belly_middle_px = middle_px,
                                          .belly_height_px = scan->bottom_px - scan->top_px};
    uint32_t x0 = 0;
    uint32_t y0 = 0;
    REHA_CHECK(reha_muscle_screen_draw(&spec, random, &screen, &x0, &y0, err));
    REHA_CHECK(reha_gray_new(screen->width_px, screen->height_px, mask, err));
    for (uint32_t y = 0; y < spec.tissue_height_px; y++) {
        for (uint32_t x = 0; x < spec.tissue_width_px; x++) {
            const size_t to = (size_t)(y0 + y) * screen->width_px + x0 + x;
            const uint32_t from_x = (uint32_t)scan->box.x_px + x;
            const uint32_t from_y = (uint32_t)scan->box.y_px + y;
            screen->pixels[to] = fmaxf(screen->pixels[to], reha_gray_at(scan->image, from_x, from_y));
            (*mask)->pixels[to] = reha_gray_at(scan->mask, from_x, from_y);
        }
    }
    screen->spacing = scan->image->spacing;
    (*mask)->spacing = scan->image->spacing;
    *image = screen;
    screen = NULL;
done:
    reha_gray_free(screen);
    return status;
}

#define SCREEN(name, kind)                                                                                   \
    static reha_status name(const reha_muscle_scan *scan, reha_random *random, reha_gray **image,            \
                            reha_gray **mask, reha_error *err)                                               \
    {                                                                                                        \
        return on_screen(scan, kind, random, image, mask, err);                                              \
    }
SCREEN(dark_margin, REHA_MUSCLE_SCREEN_BLACK)
SCREEN(white_margin, REHA_MUSCLE_SCREEN_WHITE)
SCREEN(scanner_screen, REHA_MUSCLE_SCREEN_SCANNER)
SCREEN(desktop, REHA_MUSCLE_SCREEN_DESKTOP)
SCREEN(ruler_over, REHA_MUSCLE_SCREEN_RULER)
SCREEN(text_over, REHA_MUSCLE_SCREEN_TEXT)
SCREEN(callipers, REHA_MUSCLE_SCREEN_CALLIPERS)
#undef SCREEN

/* ---- Their names ---- */

const reha_muscle_change reha_muscle_changes[] = {
    {"none", "the picture as it is", false, false, as_it_is},
    {"gain-low", "gain turned down to 35-60 %", false, false, gain_low},
    {"gain-high", "gain turned up to 160-240 %, bright echoes clipped", false, false, gain_high},
    {"range-40", "dynamic range of 40 dB (the picture taken for 60), tissue as bright as before", false,
     false, range_40},
    {"range-90", "dynamic range of 90 dB, tissue as bright as before", false, false, range_90},
    {"blacks-cut", "dynamic range of 40 dB, gain not set again: the dark third of the grey is lost", false,
     false, blacks_cut},
    {"gamma-dark", "grey map that darkens: gamma 1.6-2.0", false, false, gamma_dark},
    {"gamma-bright", "grey map that brightens: gamma 0.5-0.65", false, false, gamma_bright},
    {"s-curve", "S-shaped grey map", false, false, s_curve},
    {"gain-steps", "eight sliders of gain over depth, each moved by up to 12 dB", false, false, gain_steps},
    {"lost-contact", "a dark strip where the probe has no contact", false, false, lost_contact},
    {"grain-coarse", "half the resolution, same size: speckle twice as large", false, false, coarse_grain},
    {"grain-smooth", "speckle reduction of the scanner", false, false, smooth_grain},
    {"grain-strong", "speckle of 12-18 % on top", false, false, strong_grain},
    {"size-half", "exported at half the size", false, false, half_size},
    {"size-double", "exported at twice the size", false, false, double_size},
    {"jpeg", "JPEG of quality 15", false, false, jpeg},
    {"video", "frame of a compressed film", false, false, video},
    {"mirror", "probe held the other way round", true, false, mirrored},
    {"upside-down", "skin at the bottom", false, true, upside_down},
    {"depth-0.6", "depth turned up: the muscle fills 0.6 of what it did", false, false, depth_060},
    {"depth-0.8", "depth turned up: 0.8", false, false, depth_080},
    {"depth-1.25", "depth turned down: 1.25, or as far as the belly stays in", false, false, depth_125},
    {"depth-1.6", "depth turned down: 1.6, or as far as the belly stays in", false, false, depth_160},
    {"pixels-wide", "columns 1.43 times as far apart as rows, stated in the file", false, false, wide_pixels},
    {"pixels-tall", "rows 1.43 times as far apart as columns, stated in the file", false, false, tall_pixels},
    {"sector", "outline of a convex probe's picture", false, false, sector},
    {"margin-black", "black margins", false, false, dark_margin},
    {"margin-white", "on a white page", false, false, white_margin},
    {"screen", "scanner's screen: patient line, settings, logo, grey wedge, ruler on either side", false,
     false, scanner_screen},
    {"desktop", "screenshot of a viewer: light menus, tool bar, file list", false, false, desktop},
    {"ruler-over", "ruler with numbers and focus marks over the tissue's edge", false, false, ruler_over},
    {"text-over", "bright labels written over the muscle", false, false, text_over},
    {"callipers", "a measured distance drawn over the muscle, its result in a corner", false, false,
     callipers},
    {NULL, NULL, false, false, NULL},
};

reha_status reha_muscle_change_make(const reha_muscle_change *change, const reha_muscle_scan *scan,
                                    reha_random *random, reha_gray **image, reha_gray **mask, reha_error *err)
{
    const reha_box_px *box = &scan->box;
    *image = NULL;
    *mask = NULL;
    if (!(box->x_px >= 0.0 && box->y_px >= 0.0 && box->width_px >= 16.0 && box->height_px >= 16.0 &&
          box->x_px + box->width_px <= scan->image->width_px &&
          box->y_px + box->height_px <= scan->image->height_px)) {
        return reha_fail(err, REHA_E_ARG,
                         "the tissue (%g, %g, %g x %g px) does not lie in the picture of %u x %u px",
                         box->x_px, box->y_px, box->width_px, box->height_px, scan->image->width_px,
                         scan->image->height_px);
    }
    const reha_status status = change->make(scan, random, image, mask, err);
    if (status != REHA_OK) {
        reha_gray_free(*image);
        reha_gray_free(*mask);
        *image = *mask = NULL;
    }
    return status;
}
