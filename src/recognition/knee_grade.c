#include "recognition/knee_oa_priv.h"

#include "base/memory.h"
#include "recognition/explain_maps.h"

#include <math.h>
#include <string.h>

/* A picture coded 0..1 (float TIFF) must not be flattened by a least span meant for grey values 0..255. */
static reha_knee_crop_spec spec_for(const knee_case *knee)
{
    reha_knee_crop_spec spec = knee->model->card.crop;
    spec.span_min *= fmin(1.0, 1.0 / knee->grey.gain);
    return spec;
}

static void add_softmax(const float *logits, double weight, double *sum)
{
    double highest = -INFINITY;
    double total = 0.0;
    double p[REHA_GRADES];
    for (int k = 0; k < REHA_GRADES; k++) {
        highest = fmax(highest, (double)logits[k]);
    }
    for (int k = 0; k < REHA_GRADES; k++) {
        p[k] = exp((double)logits[k] - highest);
        total += p[k];
    }
    for (int k = 0; k < REHA_GRADES; k++) {
        sum[k] += weight * p[k] / total;
    }
}

static void mirror_rows(const float *window, size_t width, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        const size_t row = i / width * width;
        out[row + (width - 1 - (i - row))] = window[i];
    }
}

/* Every view of the knee into model->windows. */
static reha_status take_views(knee_case *knee, const reha_knee_crop_spec *spec, reha_error *err)
{
    const reha_knee_card *card = &knee->model->card;
    const size_t width = (size_t)spec->window_w_px;
    const size_t count = width * (size_t)spec->window_h_px;
    float *next = knee->model->windows;
    for (int v = 0; v < card->view_count; v++) {
        reha_knee_pose pose = card->views[v].by_plateau ? knee->plateau : knee->pose;
        pose.plateau_width_px *= card->views[v].scale;
        REHA_TRY(reha_knee_canonical(knee->image, &pose, spec, knee->is_inverted, false, next, err));
        next += count;
        if (card->mirror_average) {
            mirror_rows(next - count, width, count, next);
            next += count;
        }
    }
    return REHA_OK;
}

/* A knee's grade depends neither on its side nor on how it was framed: the mean over mirror images and views
 * is a better one than that of a single look. */
reha_status reha_knee_grade_(knee_case *knee, reha_error *err)
{
    reha_model *model = knee->model;
    const reha_knee_card *card = &model->card;
    const reha_knee_crop_spec spec = spec_for(knee);
    const size_t window = (size_t)spec.window_w_px * (size_t)spec.window_h_px;
    const int pictures = reha_knee_card_pictures(card);
    REHA_TRY(take_views(knee, &spec, err));
    double mean[REHA_GRADES] = {0.0};
    double weight = 0.0;
    for (int m = 0; m < model->member_count; m++) {
        float logits[2 * REHA_KNEE_VIEWS_MAX * REHA_GRADES];
        const float *inputs[1] = {model->scaled};
        float *outputs[2] = {logits, model->members[m].last_map};
        reha_knee_net_scale(&model->members[m].net, model->windows, (size_t)pictures * window, model->scaled);
        if (model->ranges_left > 0 && model->members[m].ranges != NULL) {
            REHA_TRY(reha_calibration_add(model->members[m].ranges, pictures, inputs, err));
        }
        REHA_TRY(reha_session_run(model->members[m].net.session, pictures, inputs, outputs, err));
        memcpy(model->members[m].first_logits, logits, sizeof model->members[m].first_logits);
        for (int v = 0; v < pictures; v++) {
            add_softmax(logits + (size_t)v * REHA_GRADES, model->members[m].weight, mean);
            weight += model->members[m].weight;
        }
    }
    model->ranges_left -= model->ranges_left > 0 ? 1 : 0;
    double scores[REHA_GRADES];
    for (int k = 0; k < REHA_GRADES; k++) {
        scores[k] = log(fmax(mean[k] / weight, 1e-12));
    }
    reha_ordinal_probabilities(&card->calibration, scores, knee->probabilities);
    for (int k = 0; k < REHA_GRADES; k++) {
        if (!isfinite(knee->probabilities[k])) {
            return reha_fail(err, REHA_E_INTERNAL, "the grading network gave no number for grade %d", k);
        }
    }
    knee->grade = reha_ordinal_grade(knee->probabilities, REHA_GRADES);
    return REHA_OK;
}

/* ---- Explanation ---- */

/* Share of the positive evidence in the medial half of the joint. */
static double medial_share(const knee_case *knee, const float *map)
{
    const reha_model *model = knee->model;
    const reha_knee_crop_spec *spec = &model->card.crop;
    const double middle = (spec->joint_x_px - spec->window_x_px + 0.5) / spec->window_w_px * model->map_width;
    double left = 0.0;
    double right = 0.0;
    for (int y = 0; y < model->map_height; y++) {
        for (int x = 0; x < model->map_width; x++) {
            const double value = fmax(0.0, (double)map[y * model->map_width + x]);
            const double to_left =
                fmin(fmax(middle - x, 0.0), 1.0); /* a cell across the middle counts for both */
            left += to_left * value;
            right += (1.0 - to_left) * value;
        }
    }
    if (!(left + right > 0.0) || !knee->lateral_is_sure) {
        return (double)NAN;
    }
    return (knee->lateral_is_left ? right : left) / (left + right);
}

static float map_at(const float *map, int width, int height, double x, double y)
{
    x = fmin(fmax(x, 0.0), width - 1.0);
    y = fmin(fmax(y, 0.0), height - 1.0);
    const int x0 = (int)x;
    const int y0 = (int)y;
    const int x1 = x0 + 1 < width ? x0 + 1 : x0;
    const int y1 = y0 + 1 < height ? y0 + 1 : y0;
    const float fx = (float)(x - x0);
    const float fy = (float)(y - y0);
    const float top = map[y0 * width + x0] + fx * (map[y0 * width + x1] - map[y0 * width + x0]);
    const float bottom = map[y1 * width + x0] + fx * (map[y1 * width + x1] - map[y1 * width + x0]);
    return top + fy * (bottom - top);
}

/* The window of the crop as a turned rectangle of the input image. */
static void place_map(const knee_case *knee, reha_region *region)
{
    const reha_knee_crop_spec *spec = &knee->model->card.crop;
    const double scale = knee->pose.plateau_width_px / spec->plateau_width_px;
    const double angle = knee->pose.angle_deg * (3.14159265358979323846 / 180.0);
    const double dx = (spec->window_x_px + 0.5 * (spec->window_w_px - 1) - spec->joint_x_px) * scale;
    const double dy = (spec->window_y_px + 0.5 * (spec->window_h_px - 1) - spec->joint_y_px) * scale;
    const reha_point_px centre =
        reha_knee_to_input_(knee, knee->pose.x_px + cos(angle) * dx - sin(angle) * dy,
                            knee->pose.y_px + sin(angle) * dx + cos(angle) * dy);
    const double width = spec->window_w_px * scale * knee->reduction;
    const double height = spec->window_h_px * scale * knee->reduction;
    region->explanation_box = (reha_box_px){.x_px = centre.x_px + 0.5 - 0.5 * width,
                                            .y_px = centre.y_px + 0.5 - 0.5 * height,
                                            .width_px = width,
                                            .height_px = height};
    region->explanation_angle_deg = knee->pose.angle_deg;
}

/* The members' maps for what each says of the first picture (as framed, not mirrored), added up: the gradient
 * of log p(grade) of their mean, so what speaks for this grade and against the others. */
static reha_status add_maps(knee_case *knee, float *map, float *one, reha_error *err)
{
    reha_model *model = knee->model;
    const size_t cells = (size_t)model->map_width * (size_t)model->map_height;
    float gradient[REHA_KNEE_NETWORKS_MAX][REHA_GRADES];
    double weights[REHA_KNEE_NETWORKS_MAX];
    float outputs[REHA_GRADES];
    for (int m = 0; m < model->member_count; m++) {
        double p[REHA_GRADES] = {0.0};
        add_softmax(model->members[m].first_logits, 1.0, p);
        weights[m] = model->members[m].explainer != NULL ? model->members[m].weight : 0.0;
        for (int k = 0; k < REHA_GRADES; k++) {
            gradient[m][k] = (float)p[k];
        }
    }
    reha_explain_vote_gradient(gradient[0], weights, model->member_count, REHA_GRADES, knee->grade,
                               gradient[0]);
    for (int m = 0; m < model->member_count; m++) {
        const knee_member *member = &model->members[m];
        const float *inputs[1] = {member->last_map};
        if (member->explainer == NULL) {
            continue;
        }
        REHA_TRY(reha_explainer_run(member->explainer, inputs, gradient[m], outputs, one, err));
        reha_explainer_read(member->explainer, model->cam, one);
        for (size_t i = 0; i < cells; i++) {
            map[i] += isfinite(one[i]) ? one[i] : 0.0f;
        }
    }
    return REHA_OK;
}

_Static_assert((int)REHA_KNEE_NETWORKS_MAX <= (int)REHA_EXPLAIN_NETWORKS_MAX, "members that explain");

enum { MAP_SHRINK = 2 }; /* the picture of the map has half of the window's pixels a side: it is smooth */

reha_status reha_knee_explain_(knee_case *knee, reha_region *region, reha_error *err)
{
    reha_model *model = knee->model;
    const reha_knee_crop_spec *spec = &model->card.crop;
    const size_t cells = (size_t)model->map_width * (size_t)model->map_height;
    knee->evidence_medial = (double)NAN;
    float *map = reha_alloc_zero(2 * cells, sizeof(float));
    reha_gray *picture = NULL;
    reha_status status = REHA_OK;
    if (map == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the explanation");
    }
    REHA_CHECK(add_maps(knee, map, map + cells, err));
    float largest = 0.0f;
    for (size_t i = 0; i < cells; i++) {
        largest = fmaxf(largest, fabsf(map[i]));
    }
    knee->evidence_medial = medial_share(knee, map);
    const int width = spec->window_w_px / MAP_SHRINK;
    const int height = spec->window_h_px / MAP_SHRINK;
    REHA_CHECK(reha_gray_new((uint32_t)width, (uint32_t)height, &picture, err));
    for (int y = 0; y < height && largest > 0.0f; y++) {
        for (int x = 0; x < width; x++) {
            const double u = (x + 0.5) * model->map_width / width - 0.5;
            const double v = (y + 0.5) * model->map_height / height - 0.5;
            picture->pixels[y * width + x] = map_at(map, model->map_width, model->map_height, u, v) / largest;
        }
    }
    region->explanation = picture;
    picture = NULL;
    place_map(knee, region);
done:
    reha_gray_free(picture);
    reha_free(map);
    return status;
}
