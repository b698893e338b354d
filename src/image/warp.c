/* Affine maps and warping. */
#include "image/resample.h"

#include <math.h>
#include <string.h>

static const double RAD_PER_DEG = 3.14159265358979323846 / 180.0;

/* Beyond one and a half input pixels per output step, bilinear taps would skip pixels visibly. */
static const double SHRINK_FIRST_STEP_PX = 1.5;

reha_affine reha_affine_identity(void)
{
    return (reha_affine){1.0, 0.0, 0.0, 0.0, 1.0, 0.0};
}

reha_affine reha_affine_similarity(double scale, double angle_deg, reha_point_px from, reha_point_px to)
{
    const double cosine = scale * cos(angle_deg * RAD_PER_DEG);
    const double sine = scale * sin(angle_deg * RAD_PER_DEG);
    return (reha_affine){
        cosine, -sine,  to.x_px - cosine * from.x_px + sine * from.y_px,
        sine,   cosine, to.y_px - sine * from.x_px - cosine * from.y_px,
    };
}

reha_affine reha_affine_then(reha_affine first, reha_affine second)
{
    return (reha_affine){
        second.a * first.a + second.b * first.d,
        second.a * first.b + second.b * first.e,
        second.a * first.c + second.b * first.f + second.c,
        second.d * first.a + second.e * first.d,
        second.d * first.b + second.e * first.e,
        second.d * first.c + second.e * first.f + second.f,
    };
}

bool reha_affine_invert(reha_affine map, reha_affine *out)
{
    *out = reha_affine_identity();
    const double determinant = map.a * map.e - map.b * map.d;
    const double size = fabs(map.a) + fabs(map.b) + fabs(map.d) + fabs(map.e);
    if (!isfinite(determinant) || !isfinite(map.c) || !isfinite(map.f) ||
        !(fabs(determinant) > 1e-14 * size * size)) {
        return false;
    }
    out->a = map.e / determinant;
    out->b = -map.b / determinant;
    out->d = -map.d / determinant;
    out->e = map.a / determinant;
    out->c = -(out->a * map.c + out->b * map.f);
    out->f = -(out->d * map.c + out->e * map.f);
    return true;
}

reha_point_px reha_affine_apply(reha_affine map, reha_point_px point)
{
    return (reha_point_px){map.a * point.x_px + map.b * point.y_px + map.c,
                           map.d * point.x_px + map.e * point.y_px + map.f};
}

reha_affine reha_affine_of_box(reha_box_px box, uint32_t width_px, uint32_t height_px)
{
    const double x_step = box.width_px / (double)width_px;
    const double y_step = box.height_px / (double)height_px;
    return (reha_affine){x_step, 0.0, box.x_px + 0.5 * x_step, 0.0, y_step, box.y_px + 0.5 * y_step};
}

static reha_point_px centroid(const reha_point_px *points, size_t count)
{
    reha_point_px sum = {0.0, 0.0};
    for (size_t i = 0; i < count; i++) {
        sum.x_px += points[i].x_px;
        sum.y_px += points[i].y_px;
    }
    return (reha_point_px){sum.x_px / (double)count, sum.y_px / (double)count};
}

reha_status reha_affine_fit_similarity(const reha_point_px *from, const reha_point_px *to, size_t count,
                                       reha_affine *out, reha_error *err)
{
    *out = reha_affine_identity();
    if (count < 2) {
        return reha_fail(err, REHA_E_ARG, "a similarity needs 2 pairs of points, %zu given", count);
    }
    const reha_point_px from_mid = centroid(from, count);
    const reha_point_px to_mid = centroid(to, count);
    double along = 0.0;
    double across = 0.0;
    double spread = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double x = from[i].x_px - from_mid.x_px;
        const double y = from[i].y_px - from_mid.y_px;
        const double u = to[i].x_px - to_mid.x_px;
        const double v = to[i].y_px - to_mid.y_px;
        along += x * u + y * v;
        across += x * v - y * u;
        spread += x * x + y * y;
    }
    if (!(spread > 1e-12) || !isfinite(along) || !isfinite(across)) {
        return reha_fail(err, REHA_E_ARG, "the points of a similarity lie in one place");
    }
    const double cosine = along / spread;
    const double sine = across / spread;
    out->a = cosine;
    out->b = -sine;
    out->d = sine;
    out->e = cosine;
    out->c = to_mid.x_px - cosine * from_mid.x_px + sine * from_mid.y_px;
    out->f = to_mid.y_px - sine * from_mid.x_px - cosine * from_mid.y_px;
    return REHA_OK;
}

reha_status reha_affine_fit(const reha_point_px *from, const reha_point_px *to, size_t count,
                            reha_affine *out, reha_error *err)
{
    *out = reha_affine_identity();
    if (count < 3) {
        return reha_fail(err, REHA_E_ARG, "an affine map needs 3 pairs of points, %zu given", count);
    }
    const reha_point_px from_mid = centroid(from, count);
    const reha_point_px to_mid = centroid(to, count);
    double xx = 0.0, xy = 0.0, yy = 0.0;
    double xu = 0.0, yu = 0.0, xv = 0.0, yv = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double x = from[i].x_px - from_mid.x_px;
        const double y = from[i].y_px - from_mid.y_px;
        const double u = to[i].x_px - to_mid.x_px;
        const double v = to[i].y_px - to_mid.y_px;
        xx += x * x;
        xy += x * y;
        yy += y * y;
        xu += x * u;
        yu += y * u;
        xv += x * v;
        yv += y * v;
    }
    const double determinant = xx * yy - xy * xy;
    if (!(determinant > 1e-9 * (xx + yy) * (xx + yy)) || !isfinite(xu + yu + xv + yv)) {
        return reha_fail(err, REHA_E_ARG, "the points of an affine map lie on one line");
    }
    out->a = (yy * xu - xy * yu) / determinant;
    out->b = (xx * yu - xy * xu) / determinant;
    out->d = (yy * xv - xy * yv) / determinant;
    out->e = (xx * yv - xy * xv) / determinant;
    out->c = to_mid.x_px - out->a * from_mid.x_px - out->b * from_mid.y_px;
    out->f = to_mid.y_px - out->d * from_mid.x_px - out->e * from_mid.y_px;
    return REHA_OK;
}

static float tap(const reha_gray *image, int64_t x, int64_t y, const reha_fill *fill)
{
    const int64_t last_x = (int64_t)image->width_px - 1;
    const int64_t last_y = (int64_t)image->height_px - 1;
    if (x < 0 || y < 0 || x > last_x || y > last_y) {
        if (fill->edge == REHA_EDGE_VALUE) {
            return fill->value;
        }
        x = x < 0 ? 0 : x > last_x ? last_x : x;
        y = y < 0 ? 0 : y > last_y ? last_y : y;
    }
    return image->pixels[(size_t)y * image->width_px + (size_t)x];
}

static float sample_linear(const reha_gray *image, double x, double y, const reha_fill *fill)
{
    const double left = floor(x);
    const double top = floor(y);
    const float fx = (float)(x - left);
    const float fy = (float)(y - top);
    const int64_t ix = (int64_t)left;
    const int64_t iy = (int64_t)top;
    float v00, v10, v01, v11;
    if (ix >= 0 && iy >= 0 && ix + 1 < (int64_t)image->width_px && iy + 1 < (int64_t)image->height_px) {
        const float *at = image->pixels + (size_t)iy * image->width_px + (size_t)ix;
        v00 = at[0];
        v10 = at[1];
        v01 = at[image->width_px];
        v11 = at[image->width_px + 1];
    } else {
        v00 = tap(image, ix, iy, fill);
        v10 = tap(image, ix + 1, iy, fill);
        v01 = tap(image, ix, iy + 1, fill);
        v11 = tap(image, ix + 1, iy + 1, fill);
    }
    const float upper = v00 + fx * (v10 - v00);
    const float lower = v01 + fx * (v11 - v01);
    return upper + fy * (lower - upper);
}

static void cubic_weights(float t, float weights[4])
{
    const float t2 = t * t;
    const float t3 = t2 * t;
    weights[0] = -0.5f * t3 + t2 - 0.5f * t;
    weights[1] = 1.5f * t3 - 2.5f * t2 + 1.0f;
    weights[2] = -1.5f * t3 + 2.0f * t2 + 0.5f * t;
    weights[3] = 0.5f * t3 - 0.5f * t2;
}

static float sample_cubic(const reha_gray *image, double x, double y, const reha_fill *fill)
{
    const double left = floor(x);
    const double top = floor(y);
    float wx[4];
    float wy[4];
    cubic_weights((float)(x - left), wx);
    cubic_weights((float)(y - top), wy);
    const int64_t ix = (int64_t)left - 1;
    const int64_t iy = (int64_t)top - 1;
    const bool is_inside =
        ix >= 0 && iy >= 0 && ix + 3 < (int64_t)image->width_px && iy + 3 < (int64_t)image->height_px;
    float sum = 0.0f;
    for (int r = 0; r < 4; r++) {
        float line = 0.0f;
        if (is_inside) {
            const float *at = image->pixels + (size_t)(iy + r) * image->width_px + (size_t)ix;
            line = (wx[0] * at[0] + wx[1] * at[1]) + (wx[2] * at[2] + wx[3] * at[3]);
        } else {
            for (int c = 0; c < 4; c++) {
                line += wx[c] * tap(image, ix + c, iy + r, fill);
            }
        }
        sum += wy[r] * line;
    }
    return sum;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* The input region that the output looks at, with a margin for the taps, cut to the picture. Its width
 * is 0 if the output shows nothing but fill. */
static reha_box_px seen_region(const reha_gray *image, reha_affine map, uint32_t width_px, uint32_t height_px,
                               double margin_x_px, double margin_y_px)
{
    const reha_box_px whole = reha_gray_box(image);
    double low_x = INFINITY, low_y = INFINITY, high_x = -INFINITY, high_y = -INFINITY;
    for (int corner = 0; corner < 4; corner++) {
        const reha_point_px at =
            reha_affine_apply(map, (reha_point_px){(corner & 1) != 0 ? (double)width_px - 1.0 : 0.0,
                                                   (corner & 2) != 0 ? (double)height_px - 1.0 : 0.0});
        low_x = fmin(low_x, at.x_px);
        low_y = fmin(low_y, at.y_px);
        high_x = fmax(high_x, at.x_px);
        high_y = fmax(high_y, at.y_px);
    }
    low_x = clamp(floor(low_x - margin_x_px) - 0.5, whole.x_px, whole.x_px + whole.width_px);
    low_y = clamp(floor(low_y - margin_y_px) - 0.5, whole.y_px, whole.y_px + whole.height_px);
    high_x = clamp(ceil(high_x + margin_x_px) + 0.5, whole.x_px, whole.x_px + whole.width_px);
    high_y = clamp(ceil(high_y + margin_y_px) + 0.5, whole.y_px, whole.y_px + whole.height_px);
    if (high_x - low_x < 1.0 || high_y - low_y < 1.0) {
        return (reha_box_px){0.0, 0.0, 0.0, 0.0};
    }
    return (reha_box_px){low_x, low_y, high_x - low_x, high_y - low_y};
}

/* Where output steps are long: a smaller picture of the seen region, and the map into it. */
static reha_status shrink_first(const reha_gray *image, reha_affine *map, uint32_t width_px,
                                uint32_t height_px, reha_gray **out, reha_error *err)
{
    *out = NULL;
    const double step_x_px = hypot(map->a, map->b);
    const double step_y_px = hypot(map->d, map->e);
    if (step_x_px <= SHRINK_FIRST_STEP_PX && step_y_px <= SHRINK_FIRST_STEP_PX) {
        return REHA_OK;
    }
    const reha_box_px box =
        seen_region(image, *map, width_px, height_px, 3.0 * fmax(step_x_px, 1.0), 3.0 * fmax(step_y_px, 1.0));
    if (box.width_px <= 0.0) {
        return REHA_OK;
    }
    /* Whole pixels per pixel: their mean lies exactly in their middle, where a mean over parts of pixels
     * would be off by up to a tenth of a pixel. At the right and lower rim a few pixels are repeated. */
    const double x_pixels = fmin(ceil(step_x_px / SHRINK_FIRST_STEP_PX), box.width_px);
    const double y_pixels = fmin(ceil(step_y_px / SHRINK_FIRST_STEP_PX), box.height_px);
    const double columns = ceil(box.width_px / x_pixels);
    const double rows = ceil(box.height_px / y_pixels);
    const reha_box_px whole = {box.x_px, box.y_px, columns * x_pixels, rows * y_pixels};
    REHA_TRY(
        reha_gray_resize_box(image, whole, (uint32_t)columns, (uint32_t)rows, REHA_FILTER_AREA, out, err));
    const double x_factor = 1.0 / x_pixels;
    const double y_factor = 1.0 / y_pixels;
    const reha_affine into = {x_factor, 0.0,      -box.x_px * x_factor - 0.5,
                              0.0,      y_factor, -box.y_px * y_factor - 0.5};
    *map = reha_affine_then(*map, into);
    return REHA_OK;
}

static reha_spacing warped_spacing(reha_spacing spacing, reha_affine map)
{
    if (!reha_spacing_is_known(spacing)) {
        return spacing;
    }
    return (reha_spacing){hypot(map.a * spacing.x_mm, map.d * spacing.y_mm),
                          hypot(map.b * spacing.x_mm, map.e * spacing.y_mm), spacing.source};
}

reha_status reha_gray_warp(const reha_gray *image, reha_affine out_to_in, uint32_t width_px,
                           uint32_t height_px, reha_sampling sampling, reha_fill fill, reha_gray **out,
                           reha_error *err)
{
    *out = NULL;
    reha_affine inverse;
    if (!reha_affine_invert(out_to_in, &inverse)) {
        return reha_fail(err, REHA_E_ARG, "a warp that cannot be inverted");
    }
    reha_affine map = out_to_in;
    reha_gray *shrunk = NULL;
    REHA_TRY(shrink_first(image, &map, width_px, height_px, &shrunk, err));
    const reha_gray *source = shrunk != NULL ? shrunk : image;
    const reha_status status = reha_gray_new(width_px, height_px, out, err);
    if (status != REHA_OK) {
        reha_gray_free(shrunk);
        return status;
    }
    /* Far coordinates all see the same fill; clamping keeps the conversion to integers defined. */
    const double most_x = (double)source->width_px + 8.0;
    const double most_y = (double)source->height_px + 8.0;
    for (uint32_t y = 0; y < height_px; y++) {
        float *row = (*out)->pixels + (size_t)y * width_px;
        const double x0 = map.b * (double)y + map.c;
        const double y0 = map.e * (double)y + map.f;
        for (uint32_t x = 0; x < width_px; x++) {
            const double at_x = clamp(map.a * (double)x + x0, -8.0, most_x);
            const double at_y = clamp(map.d * (double)x + y0, -8.0, most_y);
            row[x] = sampling == REHA_SAMPLING_CUBIC ? sample_cubic(source, at_x, at_y, &fill)
                                                     : sample_linear(source, at_x, at_y, &fill);
        }
    }
    (*out)->spacing = warped_spacing(image->spacing, out_to_in);
    reha_gray_free(shrunk);
    return REHA_OK;
}
