#include "recognition/knee_gate.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

enum { PERCENTILE_SAMPLE = 1 << 16 };

reha_box_px reha_gate_box(const reha_gate_spec *spec, const reha_knee_candidate *knee)
{
    const double side = spec->box_scale * knee->width_px;
    const double x = knee->x_px + 0.5;
    const double y = knee->y_px + 0.5 - spec->box_up * knee->width_px;
    return (reha_box_px){.x_px = x - 0.5 * side, .y_px = y - 0.5 * side, .width_px = side, .height_px = side};
}

/* ---- Statistics of a box ---- */

typedef struct pixel_rect {
    uint32_t x0, y0, x1, y1; /* whole pixels of the image that the box touches */
} pixel_rect;

static pixel_rect clip_box(const reha_gray *image, reha_box_px box)
{
    const double right = box.x_px + box.width_px;
    const double bottom = box.y_px + box.height_px;
    const pixel_rect rect = {.x0 = (uint32_t)fmin(fmax(floor(box.x_px), 0.0), image->width_px),
                             .y0 = (uint32_t)fmin(fmax(floor(box.y_px), 0.0), image->height_px),
                             .x1 = (uint32_t)fmin(fmax(ceil(right), 0.0), image->width_px),
                             .y1 = (uint32_t)fmin(fmax(ceil(bottom), 0.0), image->height_px)};
    return rect;
}

static reha_status noise_of(const reha_gray *image, pixel_rect rect, double *out, reha_error *err)
{
    const uint32_t columns = (rect.x1 - rect.x0) / 2;
    const uint32_t rows = (rect.y1 - rect.y0) / 2;
    *out = 0.0;
    if (columns == 0 || rows == 0) {
        return REHA_OK;
    }
    float *diagonal = reha_alloc((size_t)columns * rows * sizeof(float));
    if (diagonal == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for grey statistics");
    }
    size_t used = 0;
    for (uint32_t r = 0; r < rows; r++) {
        const float *top = image->pixels + (size_t)(rect.y0 + 2 * r) * image->width_px + rect.x0;
        const float *bottom = top + image->width_px;
        for (uint32_t c = 0; c < columns; c++) {
            const size_t x = (size_t)2 * c;
            diagonal[used++] = 0.5f * fabsf(top[x] - top[x + 1] - bottom[x] + bottom[x + 1]);
        }
    }
    static const double half = 50.0;
    reha_select_percentiles(diagonal, used, &half, 1, out);
    *out /= 0.6745; /* of the normal distribution: median absolute value to standard deviation */
    reha_free(diagonal);
    return REHA_OK;
}

static reha_status box_statistics(const reha_gray *image, double reduction, reha_box_px box,
                                  const reha_grey_scale *scale, reha_quality *out, reha_error *err)
{
    const pixel_rect rect = clip_box(image, box);
    static const double percentiles[3] = {1.0, 50.0, 99.0};
    double p[3];
    REHA_TRY(reha_sample_percentiles(image, rect.x0, rect.y0, rect.x1, rect.y1, PERCENTILE_SAMPLE,
                                     percentiles, 3, p, err));
    double sum = 0.0;
    size_t white = 0;
    size_t black = 0;
    const float white_from = (float)((250.0 - scale->offset) / scale->gain);
    const float black_to = (float)((5.0 - scale->offset) / scale->gain);
    for (uint32_t y = rect.y0; y < rect.y1; y++) {
        const float *row = image->pixels + (size_t)y * image->width_px;
        for (uint32_t x = rect.x0; x < rect.x1; x++) {
            sum += row[x];
            white += row[x] >= white_from;
            black += row[x] <= black_to;
        }
    }
    const double count = (double)(rect.x1 - rect.x0) * (rect.y1 - rect.y0);
    double noise = 0.0;
    REHA_TRY(noise_of(image, rect, &noise, err));
    double *v = out->values;
    v[REHA_STAT_BOX_SIDE_PX] = box.width_px * reduction;
    v[REHA_STAT_OUTSIDE] = fmax(0.0, 1.0 - count / fmax(1.0, ceil(box.width_px) * ceil(box.height_px)));
    v[REHA_STAT_MEAN] = sum / count * scale->gain + scale->offset;
    v[REHA_STAT_P1] = p[0] * scale->gain + scale->offset;
    v[REHA_STAT_P50] = p[1] * scale->gain + scale->offset;
    v[REHA_STAT_P99] = p[2] * scale->gain + scale->offset;
    v[REHA_STAT_CONTRAST] = (p[2] - p[0]) * scale->gain;
    v[REHA_STAT_WHITE] = (double)white / count;
    v[REHA_STAT_BLACK] = (double)black / count;
    v[REHA_STAT_NOISE] = noise * scale->gain / fmax(1.0, v[REHA_STAT_CONTRAST]);
    return REHA_OK;
}

/* ---- Sharpness of the stretched view ---- */

static void view_statistics(const float *view, int side, reha_quality *out)
{
    const int margin = side / 16;
    double gradient = 0.0;
    double laplace = 0.0;
    double count = 0.0;
    for (int y = margin + 1; y < side - margin - 1; y++) {
        for (int x = margin + 1; x < side - margin - 1; x++) {
            const float *at = view + (size_t)y * (size_t)side + (size_t)x;
            gradient += 0.5 * (double)hypotf(at[1] - at[-1], at[side] - at[-side]);
            laplace += (double)fabsf(4.0f * at[0] - at[-1] - at[1] - at[-side] - at[side]);
            count += 1.0;
        }
    }
    out->values[REHA_STAT_LAPLACE_RATIO] = laplace / count / fmax(gradient / count, 1e-4);
}

/* ---- The network ---- */

static double feature_distance(const reha_gate_spec *spec, const float *features)
{
    if (spec->feature_count == 0) {
        return (double)NAN;
    }
    double sum = 0.0;
    for (int r = 0; r < spec->feature_count; r++) {
        double component = 0.0;
        for (int c = 0; c < spec->feature_count; c++) {
            component += (double)spec->feature_precision[r * spec->feature_count + c] *
                         ((double)features[c] - spec->feature_mean[c]);
        }
        sum += component * ((double)features[r] - spec->feature_mean[r]);
    }
    return sqrt(fmax(sum, 0.0));
}

static void read_outputs(const reha_gate_spec *spec, const float *scores, const float *features,
                         reha_gate_view *out)
{
    double highest = -INFINITY;
    double sum = 0.0;
    double scaled[REHA_GATE_CLASS_COUNT];
    for (int i = 0; i < spec->class_count; i++) {
        const double score =
            spec->gives_probabilities ? log(fmax((double)scores[i], 1e-12)) : (double)scores[i];
        scaled[i] = score / spec->temperature;
        highest = fmax(highest, scaled[i]);
    }
    for (int i = 0; i < spec->class_count; i++) {
        scaled[i] = exp(scaled[i] - highest);
        sum += scaled[i];
    }
    for (int i = 0; i < spec->class_count; i++) {
        out->probabilities[spec->classes[i]] = scaled[i] / sum;
    }
    out->distance = feature_distance(spec, features);
}

reha_status reha_gate_look(const reha_gray *image, double reduction, const reha_knee_candidate *knee,
                           const reha_knee_net *net, const reha_gate_spec *spec, bool inverted,
                           const reha_grey_scale *scale, reha_quality *quality, reha_gate_view *out,
                           reha_error *err)
{
    *out = (reha_gate_view){.distance = (double)NAN, .is_inverted = inverted};
    const reha_box_px box = reha_gate_box(spec, knee);
    const pixel_rect rect = clip_box(image, box);
    if (rect.x0 >= rect.x1 || rect.y0 >= rect.y1) {
        return reha_fail(err, REHA_E_ARG, "the gate's box lies outside of the image");
    }
    const size_t count = (size_t)spec->input_px * (size_t)spec->input_px;
    float *view = reha_alloc(count * sizeof(float));
    float scores[REHA_GATE_CLASS_COUNT] = {0};
    float features[REHA_GATE_FEATURES_MAX] = {0};
    reha_status status = REHA_OK;
    if (view == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the gate");
    }
    const double percentiles[2] = {spec->low_percentile, spec->high_percentile};
    double limits[2];
    REHA_CHECK(reha_sample_percentiles(image, rect.x0, rect.y0, rect.x1, rect.y1, PERCENTILE_SAMPLE,
                                       percentiles, 2, limits, err));
    limits[1] = limits[0] + fmax(limits[1] - limits[0], 1e-6);
    const reha_tone tone = {.low = inverted ? limits[1] : limits[0],
                            .high = inverted ? limits[0] : limits[1]};
    REHA_CHECK(
        reha_sample_rect(image, box, REHA_BORDER_ZERO, tone, spec->input_px, spec->input_px, view, err));
    if (!inverted) {
        REHA_CHECK(box_statistics(image, reduction, box, scale, quality, err));
        view_statistics(view, spec->input_px, quality);
    }
    float *outputs[2] = {scores, features};
    REHA_CHECK(reha_knee_net_run(net, 1, view, count, outputs, err));
    read_outputs(spec, scores, features, out);
done:
    reha_free(view);
    return status;
}

reha_gate_class reha_gate_verdict(const reha_gate_view *view)
{
    int best = 0;
    for (int k = 1; k < REHA_GATE_CLASS_COUNT; k++) {
        if (view->probabilities[k] > view->probabilities[best]) {
            best = k;
        }
    }
    return (reha_gate_class)best;
}
