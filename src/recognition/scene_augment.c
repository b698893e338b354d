#include "recognition/scene_augment.h"

#include "image/resample.h"
#include "image/statistics.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum { NOISE_PICKS = 4096 };
static const double TURN_CHANCE = 0.45;
static const double UPSIDE_DOWN_SHARE = 0.5; /* of turns: the hardest to see */
static const double INVERT_CHANCE = 0.25;
static const double FLAW_CHANCE = 0.35;
static const double FRAME_CHANCE = 0.12;         /* shown small on a larger black sheet */
static const double FOREIGN_FRAME_CHANCE = 0.25; /* of what is no medical image */
static const double WINDOW_CHANCE = 0.3;         /* of the same: both ends of the grey values are lost */
static const double SOFT_CHANCE = 0.2;           /* of photographs: out of focus */
static const double GAMMA_RANGE = 0.5;           /* natural logarithm, either way */
static const double FOREIGN_GAMMA_RANGE = 1.0;
static const double SMALLEST_PX = 96.0;

static bool happens(reha_random *random, double chance)
{
    return reha_random_unit(random) < chance;
}

static bool is_radiograph(reha_scene_kind kind)
{
    return kind == REHA_SCENE_KNEE || kind == REHA_SCENE_LIMB;
}

static bool has_upright(reha_scene_kind kind)
{
    return kind == REHA_SCENE_KNEE || kind == REHA_SCENE_MUSCLE;
}

/* Kinds whose pictures are spoilt on purpose. */
static bool is_medical(reha_scene_kind kind)
{
    return is_radiograph(kind) || kind == REHA_SCENE_MUSCLE || kind == REHA_SCENE_ECHO;
}

/* Least share of width and height that a window shows. A part of a photograph is a photograph; of a limb, a
 * limb. */
static double least_part(reha_scene_kind kind)
{
    return !is_medical(kind) && kind != REHA_SCENE_SLICE ? 0.3 : kind == REHA_SCENE_LIMB ? 0.6 : 0.82;
}

/* ---- framing ---- */

/* A window of the picture, perhaps slightly turned, perhaps mirrored, at another size. */
static reha_status frame(const reha_gray *image, double share_low, double share_high, reha_random *random,
                         reha_gray **out, reha_error *err)
{
    const double width = image->width_px * reha_random_range(random, share_low, share_high);
    const double height = image->height_px * reha_random_range(random, share_low, share_high);
    const reha_point_px centre = {0.5 * (width - 1.0) + reha_random_unit(random) * (image->width_px - width),
                                  0.5 * (height - 1.0) +
                                      reha_random_unit(random) * (image->height_px - height)};
    const double longer = fmax(width, height);
    const double smallest = fmin(1.0, SMALLEST_PX / longer);
    const double scale = happens(random, 0.4) ? 1.0 : reha_random_range(random, fmax(smallest, 0.45), 1.0);
    const double angle = happens(random, 0.5) ? 0.0 : reha_random_range(random, -8.0, 8.0);
    const int to_width = (int)fmax(8.0, round(scale * width));
    const int to_height = (int)fmax(8.0, round(scale * height));
    REHA_TRY(reha_gray_new((uint32_t)to_width, (uint32_t)to_height, out, err));
    const reha_status status =
        reha_sample_turned(image, centre, width, height, angle, REHA_BORDER_NEAREST, (reha_tone){0.0, 0.0},
                           to_width, to_height, (*out)->pixels, err);
    if (status != REHA_OK) {
        reha_gray_free(*out);
        *out = NULL;
        return status;
    }
    if (happens(random, 0.5)) {
        reha_gray_flip_x(*out);
    }
    return REHA_OK;
}

static reha_status put_on_sheet(reha_gray **image, reha_random *random, reha_error *err)
{
    const reha_gray *old = *image;
    const double more_x = old->width_px * reha_random_range(random, 0.0, 0.5);
    const double more_y = old->height_px * reha_random_range(random, 0.0, 0.5);
    const reha_fill sheet = {.edge = REHA_EDGE_VALUE,
                             .value =
                                 (float)(happens(random, 0.7) ? 0.0 : reha_random_range(random, 0.0, 90.0))};
    reha_gray *made = NULL;
    REHA_TRY(reha_gray_crop(old, -(int64_t)(more_x * reha_random_unit(random)),
                            -(int64_t)(more_y * reha_random_unit(random)), (uint32_t)(old->width_px + more_x),
                            (uint32_t)(old->height_px + more_y), sheet, &made, err));
    reha_gray_free(*image);
    *image = made;
    return REHA_OK;
}

/* ---- grey values ---- */

/* Adds noise. Drawn from so many normal numbers, picked at random: a normal number for every pixel is most of
 * the work of a training. */
static void add_noise(reha_gray *image, double sd, reha_random *random)
{
    float picks[NOISE_PICKS];
    for (size_t i = 0; i < NOISE_PICKS; i++) {
        picks[i] = (float)(sd * reha_random_normal(random));
    }
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] += picks[reha_random_u32(random) % NOISE_PICKS];
    }
}

static void clip(reha_gray *image)
{
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = fminf(255.0F, fmaxf(0.0F, image->pixels[i]));
    }
}

static void change_tone(reha_gray *image, double gamma_range, reha_random *random)
{
    const double gamma = exp(reha_random_range(random, -gamma_range, gamma_range));
    float table[256];
    for (int i = 0; i < 256; i++) {
        table[i] = (float)(255.0 * pow(i / 255.0, gamma));
    }
    clip(image);
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = table[(int)image->pixels[i]];
    }
    if (happens(random, 0.5)) {
        add_noise(image, reha_random_range(random, 0.0, 4.0), random);
    }
}

/* Grey values outside of two percentiles are lost. */
static reha_status stretch(reha_gray *image, double low_percent, double high_percent, reha_error *err)
{
    double ends[2];
    const double percentiles[2] = {low_percent, high_percent};
    REHA_TRY(reha_sample_percentiles(image, 0, 0, image->width_px, image->height_px, 0, percentiles, 2, ends,
                                     err));
    const double gain = 255.0 / fmax(6.0, ends[1] - ends[0]);
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = (float)fmin(255.0, fmax(0.0, gain * ((double)image->pixels[i] - ends[0])));
    }
    return REHA_OK;
}

static reha_status narrow_window(reha_gray *image, reha_random *random, reha_error *err)
{
    const double low_percent = reha_random_range(random, 0.0, 35.0);
    return stretch(image, low_percent, reha_random_range(random, 65.0, 100.0), err);
}

static void invert(reha_gray *image)
{
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = 255.0F - image->pixels[i];
    }
}

static reha_status blur(reha_gray **image, double sigma_px, reha_error *err)
{
    reha_gray *made = NULL;
    REHA_TRY(reha_gray_blur(*image, sigma_px, &made, err));
    reha_gray_free(*image);
    *image = made;
    return REHA_OK;
}

/* Most of what is not background becomes white. */
static reha_status burn(reha_gray *image, reha_random *random, reha_error *err)
{
    return stretch(image, 2.0, reha_random_range(random, 10.0, 45.0), err);
}

static reha_status spoil(reha_gray **image, reha_random *random, reha_scene_truth *truth, reha_error *err)
{
    const double shorter = fmin((*image)->width_px, (*image)->height_px);
    const reha_scene_flaw flaw = (reha_scene_flaw)(REHA_SCENE_BLURRED + reha_random_below(random, 3));
    truth->flaws[flaw] = 1.0F;
    if (flaw == REHA_SCENE_BLURRED) {
        return blur(image, shorter * exp(reha_random_range(random, log(0.012), log(0.05))), err);
    }
    if (flaw == REHA_SCENE_NOISY) {
        add_noise(*image, exp(reha_random_range(random, log(45.0), log(220.0))), random);
        clip(*image);
        return REHA_OK;
    }
    return burn(*image, random, err);
}

/* Still a good picture: what exports and older devices leave. */
static reha_status age(reha_gray **image, reha_random *random, reha_error *err)
{
    const double shorter = fmin((*image)->width_px, (*image)->height_px);
    if (happens(random, 0.2)) {
        return blur(image, fmax(0.3, shorter * reha_random_range(random, 0.0005, 0.003)), err);
    }
    if (happens(random, 0.2)) {
        add_noise(*image, reha_random_range(random, 2.0, 12.0), random);
        clip(*image);
    }
    return REHA_OK;
}

/* ---- all together ---- */

static reha_status turn(reha_gray **image, int quarter_turns, reha_error *err)
{
    reha_gray *made = NULL;
    REHA_TRY(reha_gray_rotate90(*image, quarter_turns, &made, err));
    reha_gray_free(*image);
    *image = made;
    return REHA_OK;
}

/* In quarters, clockwise: 1 to 3. */
static int any_turn(reha_random *random)
{
    return happens(random, UPSIDE_DOWN_SHARE) ? 2 : 1 + 2 * (int)reha_random_below(random, 2);
}

static reha_status change(reha_gray **image, reha_scene_kind kind, bool is_mild, reha_random *random,
                          reha_scene_truth *truth, reha_error *err)
{
    const bool is_foreign = !is_medical(kind) && kind != REHA_SCENE_SLICE;
    if (!is_mild && is_foreign && happens(random, WINDOW_CHANCE)) {
        REHA_TRY(narrow_window(*image, random, err));
    }
    if (happens(random, is_mild ? 0.0 : is_foreign ? FOREIGN_FRAME_CHANCE : FRAME_CHANCE)) {
        REHA_TRY(put_on_sheet(image, random, err));
    }
    if (!is_mild && kind == REHA_SCENE_PHOTO && happens(random, SOFT_CHANCE)) {
        const double shorter = fmin((*image)->width_px, (*image)->height_px);
        REHA_TRY(blur(image, shorter * exp(reha_random_range(random, log(0.005), log(0.06))), err));
    }
    change_tone(*image, is_foreign ? FOREIGN_GAMMA_RANGE : GAMMA_RANGE, random);
    if (!is_mild && is_medical(kind) && happens(random, FLAW_CHANCE)) {
        REHA_TRY(spoil(image, random, truth, err));
    } else {
        REHA_TRY(age(image, random, err));
        truth->flaws[REHA_SCENE_CLEAR] = is_medical(kind) ? 1.0F : 0.0F;
    }
    const bool is_inverted = !is_mild && happens(random, INVERT_CHANCE);
    if (is_inverted) {
        invert(*image);
    }
    if (is_medical(kind)) {
        truth->tones[is_inverted ? 1 : 0] = 1.0F;
    }
    const bool is_turned = !is_mild && happens(random, TURN_CHANCE);
    const int quarter_turns = is_turned ? any_turn(random) : 0;
    if (is_turned) {
        REHA_TRY(turn(image, quarter_turns, err));
    }
    if (has_upright(kind)) {
        truth->turns[quarter_turns] = 1.0F;
    }
    return REHA_OK;
}

reha_status reha_scene_vary(const reha_scene_item *item, bool is_mild, reha_random *random, reha_gray **out,
                            reha_scene_truth *truth, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *stored = NULL;
    reha_gray *image = NULL;
    *out = NULL;
    *truth = (reha_scene_truth){0};
    REHA_CHECK(reha_scene_item_gray(item, &stored, err));
    const bool is_part = !is_mild && is_medical(item->kind) && happens(random, 0.07);
    if (is_part) {
        REHA_CHECK(frame(stored, 0.10, 0.28, random, &image, err));
        change_tone(image, GAMMA_RANGE, random);
        truth->flaws[REHA_SCENE_PART] = 1.0F; /* what it is a part of need not be told */
    } else {
        REHA_CHECK(frame(stored, is_mild ? 0.9 : least_part(item->kind), 1.0, random, &image, err));
        truth->kinds[item->kind] = 1.0F;
        REHA_CHECK(change(&image, item->kind, is_mild, random, truth, err));
    }
    *out = image;
    image = NULL;
done:
    reha_gray_free(stored);
    reha_gray_free(image);
    return status;
}
