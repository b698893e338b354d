/* A picture is placed into the network's square, then its grey goes the way of a scanner's: beam (blur,
 * pixels), gain and grey map, grain, what is written over it, compression; at the end the tone and the black
 * surroundings that the program gives to every picture (muscle_model.c). */
#include "recognition/muscle_augment.h"

#include "base/memory.h"
#include "image/load.h"
#include "image/resample.h"
#include "image/save.h"
#include "image/statistics.h"
#include "recognition/muscle_marks.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = REHA_MUSCLE_INPUT_PX,
    AREA = SIDE * SIDE,
    STORE = REHA_MUSCLE_STORE_PX,
    MAP = REHA_MUSCLE_MAP_PX,
    CURVE_STEPS = 1024,
    SLIDERS = 8,
    BLOCKS_MAX = 5
};
static const double PI = 3.14159265358979323846;
/* Lines of fascicles are a pixel or two wide: half a cell of the map is a whole one to learn from. */
static const double FASCICLE_GAIN = 2.5;
static const double RANGE_DB = 60.0;                    /* what a picture's grey scale is taken to span */
static const double TONE_LOW = 0.01, TONE_HIGH = 0.995; /* as in muscle_frame.c */
static const double GRAIN_PX = 0.8, GRAIN_SD = 0.35;    /* of unit noise after a blur of GRAIN_PX */

reha_muscle_looks reha_muscle_looks_default(void)
{
    return (reha_muscle_looks){.plain_share = 0.2,
                               .turn_deg = 12.0,
                               .scale_log = 0.22,
                               .stretch_log = 0.18,
                               .shift = 0.10,
                               .depth_share = 0.4,
                               .depth_least = 0.5,
                               .depth_most = 1.5,
                               .narrow_share = 0.25,
                               .narrow_most = 0.4,
                               .framed_share = 0.75,
                               .wider_most = 0.15,
                               .sector_share = 0.12,
                               .gamma_log = 0.6,
                               .gain_log = 0.4,
                               .slope_log = 1.2,
                               .side_slope_log = 0.4,
                               .cut_share = 0.35,
                               .cut_most = 0.2,
                               .range_share = 0.3,
                               .range_least_db = 35.0,
                               .range_most_db = 95.0,
                               .curve_share = 0.15,
                               .sliders_share = 0.25,
                               .sliders_db = 12.0,
                               .contact_share = 0.2,
                               .toned_share = 0.8,
                               .blur_share = 0.3,
                               .blur_most_px = 1.6,
                               .coarse_share = 0.25,
                               .coarse_most = 2.5,
                               .speckle_share = 0.5,
                               .speckle_most = 0.25,
                               .noise_share = 0.4,
                               .noise_most = 0.06,
                               .jpeg_share = 0.2,
                               .jpeg_least = 15,
                               .jpeg_most = 70,
                               .marks_share = 0.3,
                               .blocks_share = 0.15};
}

/* What a picture keeps when it gets only a place and a tone near its own. */
static reha_muscle_looks plain_looks(const reha_muscle_looks *looks)
{
    return (reha_muscle_looks){.turn_deg = looks->turn_deg,
                               .scale_log = looks->scale_log,
                               .stretch_log = looks->stretch_log,
                               .shift = looks->shift,
                               .framed_share = 1.0,
                               .wider_most = looks->wider_most,
                               .gamma_log = 0.25 * looks->gamma_log,
                               .gain_log = 0.25 * looks->gain_log,
                               .slope_log = 0.25 * looks->slope_log,
                               .toned_share = 1.0};
}

typedef struct work { /* one picture on its way */
    const reha_muscle_looks *looks;
    reha_random *random;
    float *grey;      /* AREA, 0..1; the caller's */
    uint8_t *outside; /* AREA: 1 where the scan shows nothing */
    bool is_framed;
} work;

static double between(const work *w, double low, double high)
{
    return reha_random_range(w->random, low, high);
}

static double symmetric(const work *w, double size)
{
    return reha_random_range(w->random, -size, size);
}

static bool happens(const work *w, double share)
{
    return reha_random_unit(w->random) < share;
}

/* ---- Place ---- */

/* Lengths in heights of the tissue box, so that both axes have one scale. The window is what the probe shows
 * of the muscle, its top at the skin; the framing is the network's square around it. */
typedef struct placement {
    double aspect;                                     /* of the box */
    double width, height;                              /* of the window */
    double framing_width, framing_height, framing_top; /* the top above that of the window */
    double xx, xy, yx, yy, x0, y0; /* from the window's middle to that of the box, both in units of the box */
    bool is_framed;
    bool has_noise_below;
    int sector; /* 0 none, 1 convex, 2 steered outwards, 3 steered to a side */
    double apex, steepest, nearest, farthest;
} placement;

static placement as_it_is(void)
{
    return (placement){.aspect = 1.0,
                       .width = 1.0,
                       .height = 1.0,
                       .framing_width = 1.0,
                       .framing_height = 1.0,
                       .xx = 1.0,
                       .yy = 1.0};
}

static void choose_sector(const work *w, placement *at)
{
    at->sector = happens(w, w->looks->sector_share) ? 1 + (int)reha_random_below(w->random, 3) : 0;
    if (at->sector == 1) {
        at->apex = at->width * between(w, 0.5, 1.6);
        at->steepest = 0.5 * at->width * between(w, 0.85, 1.1) / (at->height + at->apex);
        at->nearest = hypot(0.5 * at->width * between(w, 0.4, 0.9), at->apex) - 0.02 * at->height;
        at->farthest = (at->apex + at->height) * (happens(w, 0.5) ? between(w, 0.97, 1.03) : 2.0);
    } else {
        at->steepest = tan(between(w, 4.0, 18.0) * PI / 180.0);
    }
}

static bool is_outside(const placement *at, double x, double y)
{
    if (fabs(x) > 0.5 * at->width || y < 0.0 || y > at->height) {
        return true;
    }
    if (at->sector == 1) {
        const double along = y + at->apex;
        const double reach = hypot(x, along);
        return fabs(x) / along > at->steepest || reach < at->nearest || reach > at->farthest;
    }
    if (at->sector == 2) {
        return fabs(x) > 0.5 * at->width - (at->height - y) * at->steepest;
    }
    return at->sector == 3 && x < -0.5 * at->width + y * at->steepest;
}

static placement place(const work *w, double aspect)
{
    const reha_muscle_looks *looks = w->looks;
    placement at = {.aspect = aspect, .width = aspect, .height = 1.0};
    double middle = 0.0; /* of the window, in units of the box */
    if (happens(w, looks->depth_share)) {
        at.height = exp(between(w, -log(looks->depth_most), -log(looks->depth_least)));
        at.has_noise_below = happens(w, 0.85);
    }
    if (happens(w, looks->narrow_share)) {
        const double left = 1.0 - between(w, 0.0, looks->narrow_most);
        at.width = left * aspect;
        middle = symmetric(w, 0.5 * (1.0 - left));
    }
    const double wider = happens(w, 0.5) ? 1.0 + between(w, 0.0, looks->wider_most) : 1.0;
    const double framing_height = fmax(at.height, at.width / REHA_MUSCLE_ASPECT_MAX);
    at.framing_width = wider * fmax(at.width, REHA_MUSCLE_ASPECT_MIN * at.height);
    at.framing_height = wider * framing_height;
    at.framing_top = 0.5 * (wider - 1.0) * framing_height;
    at.is_framed = happens(w, looks->framed_share);
    choose_sector(w, &at);

    const double turn = symmetric(w, looks->turn_deg) * PI / 180.0;
    const double scale = exp(symmetric(w, looks->scale_log));
    const double stretch = exp(symmetric(w, looks->stretch_log));
    const double flip = happens(w, 0.5) ? -1.0 : 1.0;
    const double c = cos(turn) * scale;
    const double s = sin(turn) * scale;
    at.xx = flip * c * stretch / aspect;
    at.xy = -s / aspect / stretch;
    at.yx = flip * s * stretch;
    at.yy = c / stretch;
    at.x0 = middle + symmetric(w, looks->shift);
    at.y0 = 0.5 * (at.height - 1.0) + symmetric(w, looks->shift);
    return at;
}

/* Grey and mask of the store at a place in it, both 0..1. */
static void sample(const reha_muscle_stored *stored, double x, double y, float *grey, float *mask)
{
    const double fx = floor(x);
    const double fy = floor(y);
    const int ix = (int)fx;
    const int iy = (int)fy;
    *grey = *mask = 0.0F;
    for (int k = 0; k < 4; k++) {
        const int px = ix + (k & 1);
        const int py = iy + (k >> 1);
        if (px >= 0 && px < STORE && py >= 0 && py < STORE) {
            const double wx = (k & 1) != 0 ? x - fx : 1.0 - (x - fx);
            const double wy = (k >> 1) != 0 ? y - fy : 1.0 - (y - fy);
            const float weight = (float)(wx * wy / 255.0);
            *grey += weight * (float)stored->grey[py * STORE + px];
            *mask += weight * (float)stored->mask[py * STORE + px];
        }
    }
}

/* Depth from which nothing returns but noise: grains of the deepest tissue, shuffled and darker. */
static float noise_below(const reha_muscle_stored *stored, const work *w, double deeper, double x)
{
    float grey = 0.0F;
    float unused = 0.0F;
    const double unit = STORE / (1.0 + 2.0 * REHA_MUSCLE_STORE_MARGIN);
    const double from_y = 0.5 - between(w, 0.0, 0.12);
    const double from_x = fmin(0.5, fmax(-0.5, x + symmetric(w, 0.08)));
    sample(stored, from_x * unit + 0.5 * STORE - 0.5, from_y * unit + 0.5 * STORE - 0.5, &grey, &unused);
    return (float)(0.75 * exp(-2.0 * deeper)) * grey;
}

/* Into w->grey the picture, into `mask` the mean of 2 x 2 samples of the mask. */
static void warp(const reha_muscle_stored *stored, const placement *at, const work *w, float *mask)
{
    const double unit = STORE / (1.0 + 2.0 * REHA_MUSCLE_STORE_MARGIN);
    memset(mask, 0, (size_t)MAP * MAP * sizeof *mask);
    for (int i = 0; i < AREA; i++) {
        const int row = i / SIDE;
        const double x = ((i % SIDE + 0.5) / SIDE - 0.5) * at->framing_width;
        const double y = (row + 0.5) / SIDE * at->framing_height - at->framing_top;
        const double from_middle = y - 0.5 * at->height;
        const double bx = at->xx * x + at->xy * from_middle + at->x0;
        const double by = at->yx * x + at->yy * from_middle + at->y0;
        float seen = 0.0F;
        float marked = 0.0F;
        w->outside[i] = is_outside(at, x, y) ? 1 : 0;
        if (w->outside[i] != 0 && (at->is_framed || at->sector != 0)) {
            w->grey[i] = 0.0F;
            continue;
        }
        if (by > 0.5 && at->has_noise_below) {
            seen = noise_below(stored, w, by - 0.5, bx);
        } else if (!at->is_framed || (fabs(bx) <= 0.5 && fabs(by) <= 0.5)) {
            sample(stored, bx * unit + 0.5 * STORE - 0.5, by * unit + 0.5 * STORE - 0.5, &seen, &marked);
        }
        w->grey[i] = seen;
        mask[row / 2 * MAP + i % SIDE / 2] += 0.25F * marked;
    }
}

/* ---- Beam and pixels ---- */

static reha_gray picture_of(const work *w)
{
    return (reha_gray){SIDE, SIDE, w->grey, reha_spacing_unknown()};
}

static reha_status lose_sharpness(const work *w, reha_error *err)
{
    reha_status status = REHA_OK;
    const reha_gray image = picture_of(w);
    reha_gray *blurred = NULL;
    reha_gray *small = NULL;
    reha_gray *large = NULL;
    if (happens(w, w->looks->blur_share)) {
        REHA_CHECK(reha_gray_blur(&image, between(w, 0.4, w->looks->blur_most_px), &blurred, err));
        memcpy(w->grey, blurred->pixels, AREA * sizeof *w->grey);
    }
    if (happens(w, w->looks->coarse_share)) { /* more across than along the beam */
        const double across = between(w, 1.0, w->looks->coarse_most);
        const double along = between(w, 1.0, across);
        REHA_CHECK(reha_gray_resize(&image, (uint32_t)(SIDE / across), (uint32_t)(SIDE / along),
                                    REHA_FILTER_LINEAR, &small, err));
        REHA_CHECK(reha_gray_resize(small, SIDE, SIDE, REHA_FILTER_LINEAR, &large, err));
        memcpy(w->grey, large->pixels, AREA * sizeof *w->grey);
    }
done:
    reha_gray_free(blurred);
    reha_gray_free(small);
    reha_gray_free(large);
    return status;
}

/* ---- Grey ---- */

static double mean_of(const work *w)
{
    double sum = 0.0;
    for (int i = 0; i < AREA; i++) {
        sum += (double)w->grey[i];
    }
    return sum / AREA;
}

/* The grey map, as a table: black, where nothing was received, stays black. */
static void make_curve(const work *w, float *curve)
{
    const reha_muscle_looks *looks = w->looks;
    const double gamma = exp(symmetric(w, looks->gamma_log));
    const double gain = exp(symmetric(w, looks->gain_log));
    const double cut = happens(w, looks->cut_share) ? between(w, 0.0, looks->cut_most) : 0.0;
    const double range =
        happens(w, looks->range_share) ? between(w, looks->range_least_db, looks->range_most_db) : RANGE_DB;
    const double bend = happens(w, looks->curve_share) ? between(w, -0.5, 1.0) : 0.0;
    const double mean = mean_of(w);
    curve[0] = 0.0F;
    for (int k = 1; k <= CURVE_STEPS; k++) {
        double v = (double)k / CURVE_STEPS;
        v = fmin(1.0, fmax(0.0, mean + (v - mean) * RANGE_DB / range));
        v = fmax(0.0, v - cut) / (1.0 - cut);
        v += bend * (v * v * (3.0 - 2.0 * v) - v);
        curve[k] = (float)(gain * pow(fmax(0.0, v), gamma));
    }
}

/* Gain by row and by column: factors, and what the sliders of gain over depth add. */
static void make_gains(const work *w, float *rows, float *columns, float *offsets)
{
    const double slope = symmetric(w, w->looks->slope_log);
    const double side_slope = symmetric(w, w->looks->side_slope_log);
    const bool has_contact_lost = happens(w, w->looks->contact_share);
    const double centre = between(w, 0.0, SIDE);
    const double width = between(w, 8.0, 50.0);
    const double lost = between(w, 0.3, 0.9);
    const double most = happens(w, w->looks->sliders_share) ? w->looks->sliders_db / RANGE_DB : 0.0;
    double sliders[SLIDERS];
    for (int k = 0; k < SLIDERS; k++) {
        sliders[k] = symmetric(w, most);
    }
    for (int i = 0; i < SIDE; i++) {
        const double share = (double)i / SIDE - 0.5;
        const double at = fmin(SLIDERS - 1.001, fmax(0.0, (double)i / SIDE * SLIDERS - 0.5));
        const int k = (int)at;
        const double d = (i - centre) / width;
        rows[i] = (float)exp(slope * share);
        columns[i] = (float)(exp(side_slope * share) * (has_contact_lost ? 1.0 - lost * exp(-d * d) : 1.0));
        offsets[i] = (float)(sliders[k] + (at - k) * (sliders[k + 1] - sliders[k]));
    }
}

static float clamped(float v)
{
    return fminf(1.0F, fmaxf(0.0F, v));
}

static void change_tone(const work *w)
{
    float curve[CURVE_STEPS + 1];
    float rows[SIDE];
    float columns[SIDE];
    float offsets[SIDE];
    make_curve(w, curve);
    make_gains(w, rows, columns, offsets);
    for (int i = 0; i < AREA; i++) {
        const float v = w->grey[i] > 0.0F ? clamped(w->grey[i] + offsets[i / SIDE]) : 0.0F;
        w->grey[i] = clamped(curve[(int)(v * CURVE_STEPS + 0.5F)] * rows[i / SIDE] * columns[i % SIDE]);
    }
}

static reha_status add_grain(const work *w, reha_error *err)
{
    reha_status status = REHA_OK;
    const double speckle =
        happens(w, w->looks->speckle_share) ? between(w, 0.0, w->looks->speckle_most) : 0.0;
    const double noise = happens(w, w->looks->noise_share) ? between(w, 0.0, w->looks->noise_most) : 0.0;
    const bool is_coarse = happens(w, 0.5);
    reha_gray *grains = NULL;
    reha_gray *blurred = NULL;
    if (speckle > 0.0) {
        REHA_CHECK(reha_gray_new(SIDE, SIDE, &grains, err));
        for (int i = 0; i < AREA; i++) {
            grains->pixels[i] = (float)reha_random_normal(w->random);
        }
        if (is_coarse) {
            REHA_CHECK(reha_gray_blur(grains, GRAIN_PX, &blurred, err));
        }
        const float *from = is_coarse ? blurred->pixels : grains->pixels;
        const float share = (float)(is_coarse ? speckle / GRAIN_SD : speckle);
        for (int i = 0; i < AREA; i++) {
            w->grey[i] = clamped(w->grey[i] * (1.0F + share * from[i]));
        }
    }
    for (int i = 0; noise > 0.0 && i < AREA; i++) {
        w->grey[i] = clamped(w->grey[i] + (float)(noise * reha_random_normal(w->random)));
    }
done:
    reha_gray_free(grains);
    reha_gray_free(blurred);
    return status;
}

/* ---- What is written over it, and the file ---- */

static void draw_blocks(const work *w)
{
    const int count =
        happens(w, w->looks->blocks_share) ? 1 + (int)reha_random_below(w->random, BLOCKS_MAX) : 0;
    for (int k = 0; k < count; k++) {
        const int width = 2 + (int)reha_random_below(w->random, 24);
        const int height = 2 + (int)reha_random_below(w->random, 10);
        const int x0 = (int)reha_random_below(w->random, (uint32_t)(SIDE - width));
        const int y0 = (int)reha_random_below(w->random, (uint32_t)(SIDE - height));
        const float value = happens(w, 0.6) ? 1.0F : 0.0F;
        for (int i = 0; i < width * height; i++) {
            w->grey[(y0 + i / width) * SIDE + x0 + i % width] = value;
        }
    }
}

static reha_status compress(const work *w, reha_error *err)
{
    reha_status status = REHA_OK;
    const reha_gray image = picture_of(w);
    reha_gray *decoded = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    const int span = w->looks->jpeg_most - w->looks->jpeg_least + 1;
    const int quality = w->looks->jpeg_least + (int)reha_random_below(w->random, (uint32_t)span);
    for (int i = 0; i < AREA; i++) {
        w->grey[i] *= 255.0F;
    }
    REHA_CHECK(reha_image_encode_jpeg(&image, quality, &bytes, &length, err));
    REHA_CHECK(reha_image_decode(bytes, length, NULL, &decoded, NULL, err));
    for (int i = 0; i < AREA; i++) {
        w->grey[i] = decoded->pixels[i] / 255.0F;
    }
done:
    reha_gray_free(decoded);
    reha_free(bytes);
    return status;
}

/* ---- What the program does to every picture ---- */

/* Percentiles of the tissue to 0 and 1, its mean by a power near the usual one. */
static void even_tone(const work *w)
{
    int counts[CURVE_STEPS + 1] = {0};
    int n = 0;
    for (int i = 0; i < AREA; i++) {
        if (w->outside[i] == 0) {
            counts[(int)(w->grey[i] * CURVE_STEPS + 0.5F)]++;
            n++;
        }
    }
    int low = 0;
    int high = 0;
    int below = 0;
    for (int k = 0; k <= CURVE_STEPS; k++) {
        low = below <= TONE_LOW * n ? k : low;
        high = below < TONE_HIGH * n ? k : high;
        below += counts[k];
    }
    const double range = high > low ? high - low : 1.0;
    double sum = 0.0;
    for (int k = 0; k <= CURVE_STEPS; k++) {
        sum += counts[k] * fmin(1.0, fmax(0.0, (k - low) / range));
    }
    const double mean = fmin(0.9, fmax(0.02, n > 0 ? sum / n : REHA_MUSCLE_TONE_MEAN));
    const double wanted = REHA_MUSCLE_TONE_MEAN * exp(symmetric(w, 0.3));
    const double gamma = fmin(REHA_MUSCLE_GAMMA_MAX, fmax(REHA_MUSCLE_GAMMA_MIN, log(wanted) / log(mean)));
    float curve[CURVE_STEPS + 1];
    for (int k = 0; k <= CURVE_STEPS; k++) {
        curve[k] = (float)pow(fmin(1.0, fmax(0.0, (k - low) / range)), gamma);
    }
    for (int i = 0; i < AREA; i++) {
        w->grey[i] = curve[(int)(w->grey[i] * CURVE_STEPS + 0.5F)];
    }
}

static reha_status change(const work *w, reha_error *err)
{
    REHA_TRY(lose_sharpness(w, err));
    change_tone(w);
    REHA_TRY(add_grain(w, err));
    draw_blocks(w);
    if (happens(w, w->looks->marks_share)) {
        REHA_TRY(reha_muscle_marks_draw(w->grey, SIDE, w->random, err));
    }
    if (happens(w, w->looks->jpeg_share)) {
        REHA_TRY(compress(w, err));
    }
    if (happens(w, w->looks->toned_share)) {
        even_tone(w);
    }
    for (int i = 0; w->is_framed && i < AREA; i++) {
        w->grey[i] = w->outside[i] != 0 ? 0.0F : w->grey[i];
    }
    return REHA_OK;
}

reha_status reha_muscle_augment(const reha_muscle_stored *stored, const reha_muscle_looks *looks,
                                reha_random *random, float *input, float *targets, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_muscle_looks chosen;
    float *mask = targets + (size_t)stored->structure * MAP * MAP;
    work w = {.looks = &chosen, .random = random, .grey = input, .outside = reha_alloc(AREA)};
    if (w.outside == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a picture");
    }
    for (int i = 0; i < REHA_MUSCLE_MAPS * MAP * MAP; i++) {
        targets[i] = -1.0F;
    }
    placement at = as_it_is();
    if (looks != NULL) {
        chosen = reha_random_unit(random) < looks->plain_share ? plain_looks(looks) : *looks;
        at = place(&w, stored->aspect);
        w.is_framed = at.is_framed;
    }
    warp(stored, &at, &w, mask);
    for (int i = 0; i < MAP * MAP; i++) {
        const double gain = stored->structure == REHA_MUSCLE_FASCICLE ? FASCICLE_GAIN : 1.0;
        mask[i] = (float)fmin(1.0, gain * (double)mask[i]);
    }
    if (looks != NULL) {
        REHA_CHECK(change(&w, err));
    }
    reha_muscle_standardise(input, AREA);
done:
    reha_free(w.outside);
    return status;
}
