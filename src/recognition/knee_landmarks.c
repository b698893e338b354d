#include "recognition/knee_landmarks.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

static const double RADIANS = 3.14159265358979323846 / 180.0;
enum { PERCENTILE_SAMPLE = 1 << 16 };

/* ---- Decoding ---- */

/* Returns the RMS distance of the mass from the mean, in pixels. */
static double decode_map(const float *logits, int cells, int stride_px, reha_point_px *out)
{
    float highest = logits[0];
    for (int i = 1; i < cells * cells; i++) {
        highest = logits[i] > highest ? logits[i] : highest;
    }
    double sum = 0.0;
    double x = 0.0;
    double y = 0.0;
    double square = 0.0;
    for (int r = 0; r < cells; r++) {
        for (int c = 0; c < cells; c++) {
            const double p = (double)expf(logits[r * cells + c] - highest);
            sum += p;
            x += p * c;
            y += p * r;
            square += p * (c * c + r * r);
        }
    }
    x /= sum;
    y /= sum;
    const double middle = 0.5 * (stride_px - 1); /* of a cell, in pixels */
    *out = (reha_point_px){.x_px = x * stride_px + middle, .y_px = y * stride_px + middle};
    return stride_px * sqrt(fmax(square / sum - x * x - y * y, 0.0));
}

void reha_heatmap_decode(const float *logits, int count, int cells, int stride_px, reha_point_px *out,
                         double *blur_px)
{
    double total = 0.0;
    for (int i = 0; i < count; i++) {
        total += decode_map(logits + (size_t)i * (size_t)cells * (size_t)cells, cells, stride_px, &out[i]);
    }
    *blur_px = total / count;
}

/* ---- Views: how the network's input lies in the image ---- */

typedef struct knee_view {
    double x_px, y_px; /* image point at the middle of the input */
    double scale;      /* image pixels per input pixel */
    double angle_deg;
    bool is_mirrored;
} knee_view;

static reha_point_px to_image(const knee_view *view, int input_px, reha_point_px at)
{
    const double middle = 0.5 * (input_px - 1);
    const double dx = (at.x_px - middle) * (view->is_mirrored ? -1.0 : 1.0) * view->scale;
    const double dy = (at.y_px - middle) * view->scale;
    const double c = cos(view->angle_deg * RADIANS);
    const double s = sin(view->angle_deg * RADIANS);
    return (reha_point_px){.x_px = view->x_px + c * dx - s * dy, .y_px = view->y_px + s * dx + c * dy};
}

/* Places the view so that `anchor` (image) appears at (x, y) of the input. */
static void anchor_view(knee_view *view, int input_px, reha_point_px anchor, double x_px, double y_px)
{
    view->x_px = 0.0;
    view->y_px = 0.0;
    const reha_point_px offset = to_image(view, input_px, (reha_point_px){x_px, y_px});
    view->x_px = anchor.x_px - offset.x_px;
    view->y_px = anchor.y_px - offset.y_px;
}

typedef struct landmark_run {
    const reha_gray *image;
    const reha_knee_net *net;
    const reha_landmark_spec *spec;
    reha_tone tone;
    float *input;  /* input_px^2 */
    float *output; /* points x cells^2 */
} landmark_run;

static void run_clear(landmark_run *run)
{
    reha_free(run->input);
    reha_free(run->output);
    run->input = NULL;
    run->output = NULL;
}

/* The stretch is that of the first view, for all views: what is bright stays equally bright. */
static reha_status run_init(landmark_run *run, const reha_gray *image, const reha_knee_candidate *knee,
                            bool inverted, const reha_knee_net *net, const reha_landmark_spec *spec,
                            reha_error *err)
{
    const size_t cells = (size_t)(spec->input_px / spec->stride_px);
    *run = (landmark_run){.image = image, .net = net, .spec = spec};
    const double half = 0.5 * spec->input_px * knee->width_px / spec->first_width_px;
    const double percentiles[2] = {spec->low_percentile, spec->high_percentile};
    const double y_px = knee->y_px - spec->first_up_ratio * knee->width_px;
    double limits[2];
    const reha_status status = reha_sample_percentiles(
        image, (uint32_t)fmax(0.0, knee->x_px - half), (uint32_t)fmax(0.0, y_px - half),
        (uint32_t)fmax(0.0, knee->x_px + half + 1.0), (uint32_t)fmax(0.0, y_px + half + 1.0),
        PERCENTILE_SAMPLE, percentiles, 2, limits, err);
    if (status != REHA_OK) {
        return status;
    }
    limits[1] = limits[0] + fmax(limits[1] - limits[0], 1e-6);
    run->tone =
        (reha_tone){.low = inverted ? limits[1] : limits[0], .high = inverted ? limits[0] : limits[1]};
    run->input = reha_alloc((size_t)spec->input_px * (size_t)spec->input_px * sizeof(float));
    run->output = reha_alloc(REHA_KNEE_POINTS * cells * cells * sizeof(float));
    if (run->input == NULL || run->output == NULL) {
        run_clear(run);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the landmarks");
    }
    return REHA_OK;
}

static reha_status look(landmark_run *run, const knee_view *view, reha_point_px *points, double *blur_px,
                        reha_error *err)
{
    const int n = run->spec->input_px;
    const double side = n * view->scale;
    const reha_point_px centre = {view->x_px, view->y_px};
    REHA_TRY(reha_sample_turned(run->image, centre, side, side, view->angle_deg, REHA_BORDER_NEAREST,
                                run->tone, n, n, run->input, err));
    if (view->is_mirrored) {
        for (int y = 0; y < n; y++) {
            float *row = run->input + (size_t)y * (size_t)n;
            for (int x = 0; x < n / 2; x++) {
                const float swap = row[x];
                row[x] = row[n - 1 - x];
                row[n - 1 - x] = swap;
            }
        }
    }
    float *outputs[1] = {run->output};
    REHA_TRY(reha_knee_net_run(run->net, 1, run->input, (size_t)n * (size_t)n, outputs, err));
    reha_heatmap_decode(run->output, REHA_KNEE_POINTS, n / run->spec->stride_px, run->spec->stride_px, points,
                        blur_px);
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        points[i] = to_image(view, n, points[i]);
    }
    return REHA_OK;
}

static knee_view first_view(const reha_knee_candidate *knee, const reha_landmark_spec *spec,
                            bool lateral_is_left)
{
    knee_view view = {.scale = knee->width_px / spec->first_width_px, .is_mirrored = !lateral_is_left};
    const reha_point_px centre = {knee->x_px, knee->y_px - spec->first_up_ratio * knee->width_px};
    anchor_view(&view, spec->input_px, centre, spec->centre_x_px, spec->centre_y_px);
    return view;
}

static reha_point_px mean_point(const reha_point_px *points)
{
    reha_point_px mean = {0.0, 0.0};
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        mean.x_px += points[i].x_px / REHA_KNEE_POINTS;
        mean.y_px += points[i].y_px / REHA_KNEE_POINTS;
    }
    return mean;
}

reha_knee_pose reha_knee_pose_of_points(const reha_point_px *points, bool lateral_is_left)
{
    const reha_point_px lateral = points[0];
    const reha_point_px medial = points[REHA_KNEE_TIBIA_POINTS - 1];
    const double direction = lateral_is_left ? 1.0 : -1.0; /* so that the vector points to the right */
    const double dx = (medial.x_px - lateral.x_px) * direction;
    const double dy = (medial.y_px - lateral.y_px) * direction;
    return (reha_knee_pose){.x_px = 0.5 * (lateral.x_px + medial.x_px),
                            .y_px = 0.5 * (lateral.y_px + medial.y_px),
                            .plateau_width_px = hypot(dx, dy),
                            .angle_deg = atan2(dy, dx) / RADIANS};
}

/* ---- Side and points ---- */

reha_status reha_knee_landmarks_look(const reha_gray *image, const reha_knee_candidate *knee, bool inverted,
                                     const reha_knee_net *net, const reha_landmark_spec *spec,
                                     reha_knee_first_look *out, reha_error *err)
{
    landmark_run run;
    memset(out, 0, sizeof *out);
    REHA_TRY(run_init(&run, image, knee, inverted, net, spec, err));
    reha_status status = REHA_OK;
    for (int side = 0; side < 2 && status == REHA_OK; side++) {
        const knee_view view = first_view(knee, spec, side == 0);
        status = look(&run, &view, out->points[side], &out->blur_px[side], err);
    }
    run_clear(&run);
    out->lateral_is_left = out->blur_px[0] <= out->blur_px[1];
    out->margin_px = fabs(out->blur_px[0] - out->blur_px[1]);
    return status;
}

static void average_passes(reha_knee_points *out)
{
    const double width = fmax(reha_knee_pose_of_points(out->passes[0], true).plateau_width_px, 1.0);
    double square_sum = 0.0;
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        reha_point_px mean = {0.0, 0.0};
        for (int p = 0; p < out->pass_count; p++) {
            mean.x_px += out->passes[p][i].x_px / out->pass_count;
            mean.y_px += out->passes[p][i].y_px / out->pass_count;
        }
        for (int p = 0; p < out->pass_count; p++) {
            square_sum +=
                pow(out->passes[p][i].x_px - mean.x_px, 2) + pow(out->passes[p][i].y_px - mean.y_px, 2);
        }
        out->points[i] = mean;
    }
    const int freedom = (out->pass_count - 1) * REHA_KNEE_POINTS;
    out->spread_ratio = freedom > 0 ? sqrt(square_sum / freedom) / width : (double)NAN;
}

reha_status reha_knee_landmarks_find(const reha_gray *image, const reha_knee_candidate *knee,
                                     const reha_knee_first_look *first, bool lateral_is_left, bool inverted,
                                     const reha_knee_net *net, const reha_landmark_spec *spec,
                                     reha_knee_points *out, reha_error *err)
{
    landmark_run run;
    const reha_point_px *points = first->points[lateral_is_left ? 0 : 1];
    const reha_knee_pose pose = reha_knee_pose_of_points(points, lateral_is_left);
    memset(out, 0, sizeof *out);
    out->lateral_is_left = lateral_is_left;
    out->blur_px = first->blur_px[lateral_is_left ? 0 : 1];
    REHA_TRY(run_init(&run, image, knee, inverted, net, spec, err));
    reha_status status = REHA_OK;
    /* A first pass that collapsed (all points in one place) gives no frame for a second look. */
    const bool is_usable =
        pose.plateau_width_px > 0.3 * knee->width_px && pose.plateau_width_px < 3.0 * knee->width_px;
    const reha_point_px centre = mean_point(points);
    for (int p = 0; p < spec->pass_count && status == REHA_OK && is_usable; p++) {
        const reha_landmark_pass *pass = &spec->passes[p];
        knee_view view = {.scale = pose.plateau_width_px / pass->plateau_width_px,
                          .angle_deg = pose.angle_deg + pass->turn_deg,
                          .is_mirrored = !lateral_is_left};
        anchor_view(&view, spec->input_px, centre, spec->centre_x_px + pass->shift_x_px,
                    spec->centre_y_px + pass->shift_y_px);
        double blur_px = 0.0;
        status = look(&run, &view, out->passes[p], &blur_px, err);
        out->pass_count++;
    }
    run_clear(&run);
    REHA_TRY(status);
    if (out->pass_count == 0) {
        memcpy(out->passes[0], points, sizeof out->passes[0]);
        out->pass_count = 1;
        average_passes(out);
        out->shift_ratio = INFINITY; /* makes the caller refuse */
        return REHA_OK;
    }
    average_passes(out);
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        out->shift_ratio +=
            hypot(out->points[i].x_px - points[i].x_px, out->points[i].y_px - points[i].y_px) /
            (REHA_KNEE_POINTS * pose.plateau_width_px);
    }
    return REHA_OK;
}
