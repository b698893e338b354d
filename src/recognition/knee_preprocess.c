#include "recognition/knee_preprocess.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum { SIDE_MAX_PX = 1024 };

/* Measured on 478 training crops with expert landmarks: plateau 171 px wide (5 to 95 %: 158 to 184), its
 * middle in row 138 (128 to 150). The window is the recipe's: 128 rows around row 132. */
reha_knee_crop_spec reha_knee_crop_spec_default(void)
{
    return (reha_knee_crop_spec){.size_px = 224,
                                 .joint_x_px = 111.5,
                                 .joint_y_px = 138.0,
                                 .plateau_width_px = 171.5,
                                 .ready_scale_min = 0.8,
                                 .ready_scale_max = 1.2,
                                 .ready_shift_px = 30.0,
                                 .window_x_px = 0.0,
                                 .window_y_px = 68.5,
                                 .window_w_px = 224,
                                 .window_h_px = 128,
                                 .low_percentile = 1.0,
                                 .high_percentile = 99.0,
                                 .span_min = 8.0,
                                 .local_box_px = 41,
                                 .local_rounds = 2,
                                 .local_floor = 0.02,
                                 .local_centre = 0.45,
                                 .local_gain = 0.16,
                                 .local_share = 0.65,
                                 .quantise = true};
}

/* ---- Checks and JSON ---- */

reha_status reha_knee_crop_spec_check(const reha_knee_crop_spec *spec, reha_error *err)
{
    if (spec->size_px < 16 || spec->size_px > SIDE_MAX_PX) {
        return reha_fail(err, REHA_E_FORMAT, "crop: 'size_px' must be 16 to %d, not %d", SIDE_MAX_PX,
                         spec->size_px);
    }
    const double size = spec->size_px;
    const bool inside = spec->window_w_px >= 8 && spec->window_h_px >= 8 && spec->window_x_px >= 0.0 &&
                        spec->window_y_px >= 0.0 && spec->window_x_px + spec->window_w_px <= size &&
                        spec->window_y_px + spec->window_h_px <= size;
    if (!inside) {
        return reha_fail(
            err, REHA_E_FORMAT, "crop: the window (%g, %g, %d x %d) does not lie in the %d px square",
            spec->window_x_px, spec->window_y_px, spec->window_w_px, spec->window_h_px, spec->size_px);
    }
    if (!(spec->joint_x_px >= 0.0 && spec->joint_x_px <= size && spec->joint_y_px >= 0.0 &&
          spec->joint_y_px <= size) ||
        !(spec->plateau_width_px >= 8.0 && spec->plateau_width_px <= 4.0 * size)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "crop: joint (%g, %g) and plateau width %g do not fit the %d px square",
                         spec->joint_x_px, spec->joint_y_px, spec->plateau_width_px, spec->size_px);
    }
    if (!(spec->ready_scale_min >= 0.0 && spec->ready_scale_max >= spec->ready_scale_min &&
          spec->ready_shift_px >= 0.0)) {
        return reha_fail(err, REHA_E_FORMAT, "crop: 'ready_scale_min' to 'ready_scale_max' must be a range");
    }
    if (!(spec->low_percentile >= 0.0 && spec->low_percentile < spec->high_percentile &&
          spec->high_percentile <= 100.0) ||
        !(spec->span_min >= 0.0)) {
        return reha_fail(err, REHA_E_FORMAT, "crop: percentiles %g to %g are no range", spec->low_percentile,
                         spec->high_percentile);
    }
    if (spec->local_box_px < 0 || spec->local_box_px > spec->size_px || spec->local_rounds < 0 ||
        spec->local_rounds > 8 || !(spec->local_floor > 0.0) ||
        !(spec->local_share >= 0.0 && spec->local_share <= 1.0) || !isfinite(spec->local_centre) ||
        !isfinite(spec->local_gain)) {
        return reha_fail(err, REHA_E_FORMAT, "crop: the local contrast's numbers are out of range");
    }
    return REHA_OK;
}

reha_status reha_knee_crop_to_json(const reha_knee_crop_spec *s, json_t **out, reha_error *err)
{
    *out = json_pack(
        "{s:i, s:[f,f], s:f, s:[f,f], s:f, s:[f,f,i,i], s:[f,f], s:f, s:{s:i, s:i, s:f, s:f, s:f, s:f}, s:b}",
        "size_px", s->size_px, "joint_px", s->joint_x_px, s->joint_y_px, "plateau_width_px",
        s->plateau_width_px, "ready_scale", s->ready_scale_min, s->ready_scale_max, "ready_shift_px",
        s->ready_shift_px, "window_px", s->window_x_px, s->window_y_px, s->window_w_px, s->window_h_px,
        "percentiles", s->low_percentile, s->high_percentile, "span_min", s->span_min, "local_contrast",
        "box_px", s->local_box_px, "rounds", s->local_rounds, "floor", s->local_floor, "centre",
        s->local_centre, "gain", s->local_gain, "share", s->local_share, "quantise", s->quantise ? 1 : 0);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the crop's JSON");
}

/* Whole numbers only: -1 (refused by the check) for anything else. */
static int whole(double value)
{
    return value >= 0.0 && value < 1e6 && value == floor(value) ? (int)value : -1;
}

reha_status reha_knee_crop_from_json(const json_t *object, reha_knee_crop_spec *out, reha_error *err)
{
    double size = 0.0;
    double pair[2];
    double window[4];
    *out = reha_knee_crop_spec_default();
    REHA_TRY(reha_json_need_number(object, "size_px", &size, err));
    out->size_px = whole(size);
    REHA_TRY(reha_json_need_numbers(object, "joint_px", 2, pair, err));
    out->joint_x_px = pair[0];
    out->joint_y_px = pair[1];
    REHA_TRY(reha_json_need_number(object, "plateau_width_px", &out->plateau_width_px, err));
    REHA_TRY(reha_json_need_numbers(object, "ready_scale", 2, pair, err));
    out->ready_scale_min = pair[0];
    out->ready_scale_max = pair[1];
    REHA_TRY(reha_json_need_number(object, "ready_shift_px", &out->ready_shift_px, err));
    REHA_TRY(reha_json_need_numbers(object, "window_px", 4, window, err));
    out->window_x_px = window[0];
    out->window_y_px = window[1];
    out->window_w_px = whole(window[2]);
    out->window_h_px = whole(window[3]);
    REHA_TRY(reha_json_need_numbers(object, "percentiles", 2, pair, err));
    out->low_percentile = pair[0];
    out->high_percentile = pair[1];
    REHA_TRY(reha_json_need_number(object, "span_min", &out->span_min, err));
    out->quantise = json_is_true(json_object_get(object, "quantise"));
    const json_t *local = json_object_get(object, "local_contrast");
    if (!json_is_object(local)) {
        return reha_fail(err, REHA_E_FORMAT, "'local_contrast' must be an object");
    }
    double box = 0.0;
    double rounds = 0.0;
    REHA_TRY(reha_json_need_number(local, "box_px", &box, err));
    REHA_TRY(reha_json_need_number(local, "rounds", &rounds, err));
    REHA_TRY(reha_json_need_number(local, "floor", &out->local_floor, err));
    REHA_TRY(reha_json_need_number(local, "centre", &out->local_centre, err));
    REHA_TRY(reha_json_need_number(local, "gain", &out->local_gain, err));
    REHA_TRY(reha_json_need_number(local, "share", &out->local_share, err));
    out->local_box_px = whole(box);
    out->local_rounds = whole(rounds);
    return reha_knee_crop_spec_check(out, err);
}

/* ---- Poses ---- */

reha_knee_pose reha_knee_pose_whole(const reha_gray *image, const reha_knee_crop_spec *spec)
{
    const double longer = image->width_px > image->height_px ? image->width_px : image->height_px;
    const double scale = longer / spec->size_px; /* image pixels per square pixel */
    const double middle = 0.5 * (spec->size_px - 1);
    return (reha_knee_pose){.x_px = 0.5 * (image->width_px - 1.0) + (spec->joint_x_px - middle) * scale,
                            .y_px = 0.5 * (image->height_px - 1.0) + (spec->joint_y_px - middle) * scale,
                            .plateau_width_px = spec->plateau_width_px * scale};
}

bool reha_knee_pose_is_ready(const reha_gray *image, const reha_knee_pose *pose,
                             const reha_knee_crop_spec *spec)
{
    const reha_knee_pose whole_pose = reha_knee_pose_whole(image, spec);
    const double scale = whole_pose.plateau_width_px / spec->plateau_width_px;
    const double ratio = pose->plateau_width_px / whole_pose.plateau_width_px;
    /* Training crops are square; a wide or tall picture was framed by somebody else. */
    const double aspect = (double)image->width_px / (double)image->height_px;
    return aspect > 0.9 && aspect < 1.11 && ratio >= spec->ready_scale_min &&
           ratio <= spec->ready_scale_max &&
           hypot(pose->x_px - whole_pose.x_px, pose->y_px - whole_pose.y_px) <= spec->ready_shift_px * scale;
}

/* ---- Square, normalisation, window ---- */

reha_status reha_knee_square(const reha_gray *image, const reha_knee_pose *pose,
                             const reha_knee_crop_spec *spec, bool inverted, float *square, reha_error *err)
{
    const double scale = pose->plateau_width_px / spec->plateau_width_px;
    const double side = scale * spec->size_px;
    const double angle = pose->angle_deg * (3.14159265358979323846 / 180.0);
    const double middle = 0.5 * (spec->size_px - 1);
    const double dx = (middle - spec->joint_x_px) * scale;
    const double dy = (middle - spec->joint_y_px) * scale;
    const reha_point_px centre = {.x_px = pose->x_px + cos(angle) * dx - sin(angle) * dy,
                                  .y_px = pose->y_px + sin(angle) * dx + cos(angle) * dy};
    if (!isfinite(centre.x_px) || !isfinite(centre.y_px) || !(side > 1.0) || !(side < 1e6) ||
        centre.x_px < -side || centre.y_px < -side || centre.x_px > image->width_px + side ||
        centre.y_px > image->height_px + side) {
        return reha_fail(err, REHA_E_ARG,
                         "the knee's place (%g, %g), width %g px is outside of the %u x %u px image",
                         pose->x_px, pose->y_px, pose->plateau_width_px, image->width_px, image->height_px);
    }
    REHA_TRY(reha_sample_turned(image, centre, side, side, pose->angle_deg, REHA_BORDER_NEAREST,
                                (reha_tone){0.0, 0.0}, spec->size_px, spec->size_px, square, err));
    if (inverted) {
        const size_t count = (size_t)spec->size_px * (size_t)spec->size_px;
        for (size_t i = 0; i < count; i++) {
            square[i] = -square[i];
        }
    }
    return REHA_OK;
}

/* l = (g - mean) / spread, both over a wide box: what a film shows of structure, whatever the exposure. */
static void mix_local_contrast(const reha_knee_crop_spec *spec, float *square, float *mean, float *square_dev,
                               float *scratch)
{
    const int n = spec->size_px;
    const size_t count = (size_t)n * (size_t)n;
    const int radius = spec->local_box_px / 2;
    memcpy(mean, square, count * sizeof(float));
    for (int round = 0; round < spec->local_rounds; round++) {
        reha_box_filter(mean, n, n, radius, scratch, mean);
    }
    for (size_t i = 0; i < count; i++) {
        mean[i] = square[i] - mean[i]; /* from here on: the deviation */
        square_dev[i] = mean[i] * mean[i];
    }
    for (int round = 0; round < spec->local_rounds; round++) {
        reha_box_filter(square_dev, n, n, radius, scratch, square_dev);
    }
    const float floor_square = (float)(spec->local_floor * spec->local_floor);
    const float share = (float)spec->local_share;
    for (size_t i = 0; i < count; i++) {
        float local = (float)spec->local_centre +
                      (float)spec->local_gain * mean[i] / sqrtf(fmaxf(square_dev[i], 0.0f) + floor_square);
        local = local < 0.0f ? 0.0f : local > 1.0f ? 1.0f : local;
        square[i] = (1.0f - share) * square[i] + share * local;
    }
}

reha_status reha_knee_normalise(const reha_knee_crop_spec *spec, float *square, reha_error *err)
{
    const size_t count = (size_t)spec->size_px * (size_t)spec->size_px;
    float *work = reha_alloc(3 * count * sizeof(float));
    if (work == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the knee crop");
    }
    memcpy(work, square, count * sizeof(float));
    const double percentiles[2] = {spec->low_percentile, spec->high_percentile};
    double limits[2];
    reha_select_percentiles(work, count, percentiles, 2, limits);
    /* A picture of few grey levels (a blank film) must not be blown up to full contrast. Deep pictures
     * (12 or 16 bit) have wide spans anyway, so the 8-bit minimum does not touch them. */
    const double span = fmax(limits[1] - limits[0], fmax(spec->span_min, 1e-6));
    for (size_t i = 0; i < count; i++) {
        const float g = (float)((square[i] - limits[0]) / span);
        square[i] = g > 0.0f ? (g < 1.0f ? g : 1.0f) : 0.0f; /* NaN becomes 0 */
    }
    if (spec->local_box_px > 1 && spec->local_rounds > 0 && spec->local_share > 0.0) {
        mix_local_contrast(spec, square, work, work + count, work + 2 * count);
    }
    if (spec->quantise) {
        for (size_t i = 0; i < count; i++) {
            const float level = floorf(square[i] * 255.0f + 0.5f);
            square[i] = (level < 0.0f ? 0.0f : level > 255.0f ? 255.0f : level) / 255.0f;
        }
    }
    reha_free(work);
    return REHA_OK;
}

void reha_knee_window(const reha_knee_crop_spec *spec, const float *square, bool mirror, float *out)
{
    const int n = spec->size_px;
    const int x0 = (int)floor(spec->window_x_px);
    const int y0 = (int)floor(spec->window_y_px);
    const float fx = (float)(spec->window_x_px - x0);
    const float fy = (float)(spec->window_y_px - y0);
    for (int y = 0; y < spec->window_h_px; y++) {
        const int top = y0 + y;
        const int bottom = top + 1 < n ? top + 1 : n - 1;
        for (int x = 0; x < spec->window_w_px; x++) {
            const int left = x0 + x;
            const int right = left + 1 < n ? left + 1 : n - 1;
            const float a = square[(size_t)top * (size_t)n + (size_t)left];
            float value = a;
            if (fx > 0.0f || fy > 0.0f) {
                const float b = square[(size_t)top * (size_t)n + (size_t)right];
                const float c = square[(size_t)bottom * (size_t)n + (size_t)left];
                const float d = square[(size_t)bottom * (size_t)n + (size_t)right];
                const float upper = a + fx * (b - a);
                const float lower = c + fx * (d - c);
                value = upper + fy * (lower - upper);
            }
            const int to = mirror ? spec->window_w_px - 1 - x : x;
            out[(size_t)y * (size_t)spec->window_w_px + (size_t)to] = value;
        }
    }
}

reha_status reha_knee_canonical(const reha_gray *image, const reha_knee_pose *pose,
                                const reha_knee_crop_spec *spec, bool inverted, bool mirror, float *out,
                                reha_error *err)
{
    const reha_knee_pose whole_pose = reha_knee_pose_whole(image, spec);
    float *square = reha_alloc((size_t)spec->size_px * (size_t)spec->size_px * sizeof(float));
    if (square == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the knee crop");
    }
    reha_status status;
    REHA_CHECK(reha_knee_square(image, pose != NULL ? pose : &whole_pose, spec, inverted, square, err));
    REHA_CHECK(reha_knee_normalise(spec, square, err));
    reha_knee_window(spec, square, mirror, out);
done:
    reha_free(square);
    return status;
}

/* ---- Inversion ---- */

static double mean_of(const float *square, int size_px, double x0, double y0, double x1, double y1)
{
    const int left = (int)(x0 * size_px);
    const int top = (int)(y0 * size_px);
    const int right = (int)(x1 * size_px);
    const int bottom = (int)(y1 * size_px);
    double sum = 0.0;
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            sum += square[(size_t)y * (size_t)size_px + (size_t)x];
        }
    }
    return sum / fmax(1.0, (double)(right - left) * (bottom - top));
}

/* Femoral shaft and condyles, tibial shaft against both lower borders. On the 6,604 training crops this
 * statistic leaves a gap of 3.2 standard deviations between the two kinds. */
bool reha_knee_looks_inverted(const float *square, int size_px)
{
    const double part = 1.0 / 56.0;
    const double femur = mean_of(square, size_px, 14 * part, 6 * part, 42 * part, 22 * part);
    const double tibia = mean_of(square, size_px, 16 * part, 38 * part, 40 * part, 54 * part);
    const double left = mean_of(square, size_px, 0.0, 36 * part, 3 * part, 1.0);
    const double right = mean_of(square, size_px, 1.0 - 3 * part, 36 * part, 1.0, 1.0);
    return 0.5 * (femur + tibia) < 0.5 * (left + right);
}
