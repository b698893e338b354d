#include "gate_bench_changes.h"

#include "gate_bench_pictures.h"
#include "image/resample.h"
#include "image/statistics.h"

#include <math.h>

/* Where the joint lies in a ready crop of 224 px, on average. */
static const double joint_x_px = 111.5;
static const double joint_y_px = 138.0;
static const double plateau_px = 171.5;

static size_t pixel_count(const reha_gray *image)
{
    return (size_t)image->width_px * image->height_px;
}

static reha_status as_it_is(reha_random *random, const bench_source *from, const reha_gray *image,
                            reha_gray **out, reha_error *err)
{
    (void)random, (void)from;
    return reha_gray_copy(image, out, err);
}

static reha_status invert(reha_random *random, const bench_source *from, const reha_gray *image,
                          reha_gray **out, reha_error *err)
{
    (void)random, (void)from;
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] = 255.0f - image->pixels[i];
    }
    return REHA_OK;
}

static reha_status quarter_turn(reha_random *random, const bench_source *from, const reha_gray *image,
                                reha_gray **out, reha_error *err)
{
    (void)from;
    return reha_gray_rotate90(image, reha_random_unit(random) < 0.5 ? 1 : 3, out, err);
}

static reha_status upside_down(reha_random *random, const bench_source *from, const reha_gray *image,
                               reha_gray **out, reha_error *err)
{
    (void)random, (void)from;
    return reha_gray_rotate90(image, 2, out, err);
}

static reha_status cut(const reha_gray *image, double x0, double y0, double x1, double y1, reha_gray **out,
                       reha_error *err)
{
    const reha_fill fill = {.edge = REHA_EDGE_VALUE, .value = 0.0f};
    const double left = fmax(0.0, round(x0));
    const double top = fmax(0.0, round(y0));
    const double right = fmin(image->width_px, round(x1));
    const double bottom = fmin(image->height_px, round(y1));
    return reha_gray_crop(image, (int64_t)left, (int64_t)top, (uint32_t)fmax(1.0, right - left),
                          (uint32_t)fmax(1.0, bottom - top), fill, out, err);
}

static reha_status femur_only(reha_random *random, const bench_source *from, const reha_gray *image,
                              reha_gray **out, reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(random, 0.12, 0.30) * plateau_px;
    return cut(image, 0, 0, image->width_px, joint_y_px - gap, out, err);
}

static reha_status tibia_only(reha_random *random, const bench_source *from, const reha_gray *image,
                              reha_gray **out, reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(random, 0.06, 0.20) * plateau_px;
    return cut(image, 0, joint_y_px + gap, image->width_px, image->height_px, out, err);
}

static reha_status left_half(reha_random *random, const bench_source *from, const reha_gray *image,
                             reha_gray **out, reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(random, 0.05, 0.20) * plateau_px;
    return cut(image, 0, 0, joint_x_px - gap, image->height_px, out, err);
}

static reha_status right_half(reha_random *random, const bench_source *from, const reha_gray *image,
                              reha_gray **out, reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(random, 0.05, 0.20) * plateau_px;
    return cut(image, joint_x_px + gap, 0, image->width_px, image->height_px, out, err);
}

/* The longer of the two parts of a film that hold no joint. */
static reha_status shaft_only(reha_random *random, const bench_source *from, const reha_gray *image,
                              reha_gray **out, reha_error *err)
{
    (void)random;
    const double above = from->joint_top_px - 0.30 * from->width_px;
    const double below = from->joint_bottom_px + 0.35 * from->width_px;
    return above > image->height_px - below
               ? cut(image, 0, 0, image->width_px, above, out, err)
               : cut(image, 0, below, image->width_px, image->height_px, out, err);
}

static reha_status blur(reha_random *random, const bench_source *from, const reha_gray *image,
                        reha_gray **out, reha_error *err)
{
    /* Other pictures are blurred as much as ready crops of knees, in shares of their shorter side. */
    const double width_px =
        from->width_px > 0.0 ? from->width_px : plateau_px / 224.0 * fmin(image->width_px, image->height_px);
    return reha_gray_blur(image, reha_random_range(random, 3.0, 8.0) / 180.0 * width_px, out, err);
}

static reha_status scale_grey(const reha_gray *image, double gain, double offset, reha_gray **out,
                              reha_error *err)
{
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] = (float)(gain * (double)image->pixels[i] + offset);
    }
    return REHA_OK;
}

static reha_status far_too_dark(reha_random *random, const bench_source *from, const reha_gray *image,
                                reha_gray **out, reha_error *err)
{
    (void)from;
    return scale_grey(image, reha_random_range(random, 0.03, 0.08), 0.0, out, err);
}

static reha_status flat(reha_random *random, const bench_source *from, const reha_gray *image,
                        reha_gray **out, reha_error *err)
{
    (void)from;
    return scale_grey(image, reha_random_range(random, 0.02, 0.07), reha_random_range(random, 40.0, 190.0),
                      out, err);
}

/* Nearly all of the knee is white. */
static reha_status burnt_out(reha_random *random, const bench_source *from, const reha_gray *image,
                             reha_gray **out, reha_error *err)
{
    (void)from;
    const double fractions[2] = {0.01, reha_random_range(random, 0.08, 0.15)};
    float at[2];
    REHA_TRY(reha_percentiles(image->pixels, pixel_count(image), fractions, 2, at, err));
    const double gain = 255.0 / fmax(1.0, (double)(at[1] - at[0]));
    return scale_grey(image, gain, -gain * (double)at[0], out, err);
}

static reha_status heavy_noise(reha_random *random, const bench_source *from, const reha_gray *image,
                               reha_gray **out, reha_error *err)
{
    (void)from;
    const double sd = reha_random_range(random, 0.5, 1.2);
    static const double fractions[2] = {0.01, 0.99};
    float at[2];
    REHA_TRY(reha_percentiles(image->pixels, pixel_count(image), fractions, 2, at, err));
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] += (float)(sd * (double)(at[1] - at[0]) * reha_random_normal(random));
    }
    return REHA_OK;
}

static reha_status metal(reha_random *random, const bench_source *from, const reha_gray *image,
                         reha_gray **out, reha_error *err)
{
    (void)from;
    const bench_joint joint = {joint_x_px, joint_y_px, plateau_px};
    return bench_draw_metal(image, joint, random, out, err);
}

static reha_status preview(reha_random *random, const bench_source *from, const reha_gray *image,
                           reha_gray **out, reha_error *err)
{
    (void)random, (void)from;
    return reha_gray_resize(image, 48, 48, REHA_FILTER_LINEAR, out, err);
}

static reha_status square_part(reha_random *random, const bench_source *from, const reha_gray *image,
                               reha_gray **out, reha_error *err)
{
    (void)from;
    const double shorter = fmin(image->width_px, image->height_px);
    const double side = shorter * reha_random_range(random, 0.4, 0.9);
    const double x = reha_random_range(random, 0.0, image->width_px - side);
    const double y = reha_random_range(random, 0.0, image->height_px - side);
    return cut(image, x, y, x + side, y + side, out, err);
}

static reha_status small_part(reha_random *random, const bench_source *from, const reha_gray *image,
                              reha_gray **out, reha_error *err)
{
    (void)from;
    const double side = fmin(image->width_px, image->height_px) * reha_random_range(random, 0.1, 0.2);
    const double x = reha_random_range(random, 0.0, image->width_px - side);
    const double y = reha_random_range(random, 0.0, image->height_px - side);
    return cut(image, x, y, x + side, y + side, out, err);
}

/* ---- Good images ---- */

/* As another hospital stores them: the width shows the knee, the height little more than half of it. */
static reha_status low_window(reha_random *random, const bench_source *from, const reha_gray *image,
                              reha_gray **out, reha_error *err)
{
    (void)from;
    const double width = fmin(image->width_px, plateau_px * reha_random_range(random, 1.06, 1.28));
    const double height = width * 162.0 / 300.0 * reha_random_range(random, 0.97, 1.06);
    const double x = fmin(fmax(0.0, joint_x_px - 0.5 * width), image->width_px - width);
    const double y = joint_y_px - height * reha_random_range(random, 0.44, 0.62);
    const reha_box_px box = {x - 0.5, fmax(0.0, y) - 0.5, width, height};
    return reha_gray_resize_box(image, box, 300, 162, REHA_FILTER_LINEAR, out, err);
}

static reha_status slight_turn(reha_random *random, const bench_source *from, const reha_gray *image,
                               reha_gray **out, reha_error *err)
{
    (void)from;
    const reha_point_px centre = {0.5 * (image->width_px - 1.0), 0.5 * (image->height_px - 1.0)};
    const reha_affine map = reha_affine_similarity(1.0, reha_random_range(random, -7.0, 7.0), centre, centre);
    static const double fraction = 0.01;
    float value = 0.0f;
    REHA_TRY(reha_percentiles(image->pixels, pixel_count(image), &fraction, 1, &value, err));
    const reha_fill fill = {.edge = REHA_EDGE_VALUE, .value = value};
    return reha_gray_warp(image, map, image->width_px, image->height_px, REHA_SAMPLING_LINEAR, fill, out,
                          err);
}

static reha_status other_exposure(reha_random *random, const bench_source *from, const reha_gray *image,
                                  reha_gray **out, reha_error *err)
{
    (void)from;
    const uint32_t how = reha_random_below(random, 3);
    if (how == 0) {
        return scale_grey(image, reha_random_range(random, 0.5, 0.9), 0.0, out, err);
    }
    if (how == 1) {
        const double gain = reha_random_range(random, 0.55, 0.9);
        return scale_grey(image, gain, 128.0 * (1.0 - gain) + reha_random_range(random, -20.0, 20.0), out,
                          err);
    }
    const double gamma = exp(reha_random_range(random, -0.5, 0.5));
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] = (float)(255.0 * pow((double)image->pixels[i] / 255.0, gamma));
    }
    return REHA_OK;
}

static reha_status mirror(reha_random *random, const bench_source *from, const reha_gray *image,
                          reha_gray **out, reha_error *err)
{
    (void)random, (void)from;
    REHA_TRY(reha_gray_copy(image, out, err));
    reha_gray_flip_x(*out);
    return REHA_OK;
}

/* ---- Their names ---- */

reha_status bench_change(bench_change_kind how, reha_random *random, const bench_source *from,
                         const reha_gray *image, reha_gray **out, reha_error *err)
{
    static const struct {
        bench_change_kind how;
        reha_status (*make)(reha_random *random, const bench_source *from, const reha_gray *image,
                            reha_gray **out, reha_error *err);
    } table[] = {
        {BENCH_AS_IT_IS, as_it_is},
        {BENCH_INVERT, invert},
        {BENCH_QUARTER_TURN, quarter_turn},
        {BENCH_UPSIDE_DOWN, upside_down},
        {BENCH_FEMUR_ONLY, femur_only},
        {BENCH_TIBIA_ONLY, tibia_only},
        {BENCH_LEFT_HALF, left_half},
        {BENCH_RIGHT_HALF, right_half},
        {BENCH_SHAFT_ONLY, shaft_only},
        {BENCH_BLUR, blur},
        {BENCH_FAR_TOO_DARK, far_too_dark},
        {BENCH_FLAT, flat},
        {BENCH_BURNT_OUT, burnt_out},
        {BENCH_HEAVY_NOISE, heavy_noise},
        {BENCH_METAL, metal},
        {BENCH_PREVIEW, preview},
        {BENCH_SQUARE_PART, square_part},
        {BENCH_SMALL_PART, small_part},
        {BENCH_LOW_WINDOW, low_window},
        {BENCH_SLIGHT_TURN, slight_turn},
        {BENCH_OTHER_EXPOSURE, other_exposure},
        {BENCH_MIRROR, mirror},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].how == how) {
            return table[i].make(random, from, image, out, err);
        }
    }
    return reha_fail(err, REHA_E_ARG, "no such change of an image");
}
