/* Direction of speckle by the structure tensor: where the network marks too little, the grey values
 * themselves still run along the fascicles. Works on an isotropic copy of the tissue box. */
#include "recognition/muscle_measure.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>

enum {
    WORK_SIDE_PX = 256,
    BINS = 180,
    BLUR_RADIUS_PX = 1,
    TENSOR_RADIUS_PX = 4,
    SMOOTH_BINS = 3,
    NEAR_DEG = 10
};
static const double DEG = 180.0 / 3.14159265358979323846;
static const double MARGIN = 0.12;             /* of the thickness: left out along both aponeuroses */
static const double FROM_MIDDLE_MIN_DEG = 4.0; /* flatter is the aponeurosis itself, or fat */
static const double FROM_MIDDLE_MAX_DEG = 60.0;

typedef struct texture {
    int width, height;
    float *grey, *xx, *xy, *yy, *scratch; /* one block */
} texture;

/* Smoothed products of the gradients. */
static void find_tensor(texture *t)
{
    reha_box_filter(t->grey, t->width, t->height, BLUR_RADIUS_PX, t->scratch, t->grey);
    for (int y = 0; y < t->height; y++) {
        for (int x = 0; x < t->width; x++) {
            const int at = y * t->width + x;
            const bool is_edge = x == 0 || y == 0 || x + 1 == t->width || y + 1 == t->height;
            const float gx = is_edge ? 0.0F : t->grey[at + 1] - t->grey[at - 1];
            const float gy = is_edge ? 0.0F : t->grey[at + t->width] - t->grey[at - t->width];
            t->xx[at] = gx * gx;
            t->xy[at] = gx * gy;
            t->yy[at] = gy * gy;
        }
    }
    reha_box_filter(t->xx, t->width, t->height, TENSOR_RADIUS_PX, t->scratch, t->xx);
    reha_box_filter(t->xy, t->width, t->height, TENSOR_RADIUS_PX, t->scratch, t->xy);
    reha_box_filter(t->yy, t->width, t->height, TENSOR_RADIUS_PX, t->scratch, t->yy);
}

static void fill_histogram(const texture *t, const reha_muscle_frame *frame,
                           const reha_muscle_measurement *belly, double *bins)
{
    const double step = frame->box.width_px / t->width;
    for (int i = 0; i < t->width * t->height; i++) {
        const int row = i / t->width;
        const reha_point_px at = {frame->box.x_px + (i % t->width + 0.5) * step - 0.5,
                                  frame->box.y_px + (row + 0.5) * step - 0.5};
        const double sum = (double)(t->xx[i] + t->yy[i]);
        const double difference = (double)(t->xx[i] - t->yy[i]);
        if (sum <= 1e-9 || !reha_muscle_well_in_belly(belly, at, MARGIN)) {
            continue;
        }
        const double coherence = hypot(difference, 2.0 * (double)t->xy[i]) / sum;
        /* The gradient stands across the texture: a quarter turn; y points down: the sign. */
        const double along = 0.5 * DEG * atan2(2.0 * (double)t->xy[i], difference) + 90.0;
        double angle = -along;
        angle -= 180.0 * floor((angle + 90.0) / 180.0);
        const int bin = (int)floor(angle + 90.0);
        bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin] += sqrt(sum) * coherence * coherence;
    }
}

static double middle_of(const reha_muscle_measurement *belly)
{
    const double sum = (belly->has_superficial ? belly->superficial_angle_deg : 0.0) +
                       (belly->has_deep ? belly->deep_angle_deg : 0.0);
    return belly->has_superficial && belly->has_deep ? 0.5 * sum : sum;
}

static double distance(double a, double b)
{
    const double d = a - b - 180.0 * floor((a - b + 90.0) / 180.0);
    return fabs(d);
}

/* The highest smoothed bin at a possible pennation, then the mean of what lies near it. */
static double find_peak(const double *bins, double middle_deg, double *share)
{
    double best = 0.0;
    int peak = -1;
    double total = 0.0;
    for (int i = 0; i < BINS; i++) {
        const double angle = i - 90 + 0.5;
        const double from_middle = distance(angle, middle_deg);
        total += bins[i];
        if (from_middle < FROM_MIDDLE_MIN_DEG || from_middle > FROM_MIDDLE_MAX_DEG) {
            continue;
        }
        double sum = 0.0;
        for (int k = -SMOOTH_BINS; k <= SMOOTH_BINS; k++) {
            sum += bins[(i + k + BINS) % BINS];
        }
        if (sum > best) {
            best = sum;
            peak = i;
        }
    }
    *share = 0.0;
    if (peak < 0) {
        return (double)NAN;
    }
    double near = 0.0;
    double moment = 0.0;
    for (int k = -NEAR_DEG; k <= NEAR_DEG; k++) {
        near += bins[(peak + k + BINS) % BINS];
        moment += k * bins[(peak + k + BINS) % BINS];
    }
    *share = near / total;
    return peak - 90 + 0.5 + moment / near;
}

reha_status reha_muscle_texture(const reha_gray *image, const reha_muscle_frame *frame,
                                const reha_muscle_measurement *belly, double *angle_deg, double *share,
                                reha_error *err)
{
    const double longer = fmax(frame->box.width_px, frame->box.height_px);
    const double scale = fmin(1.0, WORK_SIDE_PX / longer);
    texture t = {.width = (int)(scale * frame->box.width_px), .height = (int)(scale * frame->box.height_px)};
    double bins[BINS] = {0};
    const size_t count = (size_t)(t.width > 0 ? t.width : 0) * (size_t)(t.height > 0 ? t.height : 0);
    *angle_deg = (double)NAN;
    *share = 0.0;
    if (t.width < 3 || t.height < 3) {
        return REHA_OK;
    }
    t.grey = reha_alloc(5 * count * sizeof *t.grey);
    if (t.grey == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the texture of a picture");
    }
    t.xx = t.grey + count;
    t.xy = t.xx + count;
    t.yy = t.xy + count;
    t.scratch = t.yy + count;
    const reha_tone tone = {frame->low, frame->high};
    const reha_status status =
        reha_sample_rect(image, frame->box, REHA_BORDER_NEAREST, tone, t.width, t.height, t.grey, err);
    if (status == REHA_OK) {
        find_tensor(&t);
        fill_histogram(&t, frame, belly, bins);
        *angle_deg = find_peak(bins, middle_of(belly), share);
    }
    reha_free(t.grey);
    return status;
}
