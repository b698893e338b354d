/* The joints of both visits in one frame, so that the eye sees only what changed. */
#include "image/statistics.h"
#include "service/compare_priv.h"

#include <math.h>
#include <string.h>

enum { PICTURE_PX = 384, TIBIA_POINTS = 9, POINTS_MAX = 64 };
static const float FULL = 255.0F;

/* One visit's joint, cut out square. */
typedef struct cut {
    reha_gray *picture; /* owned by the caller of cut_out */
    reha_box_px box;
    size_t point_count;
    reha_point_px points[POINTS_MAX]; /* in pixels of the cut */
} cut;

/* Square, and inside of the image where it has room for it. */
static reha_box_px box_of(const json_t *region, const reha_gray *image)
{
    const json_t *box = json_object_get(region, "box");
    const double width = reha_json_number(box, "width_px", 0.0);
    const double height = reha_json_number(box, "height_px", 0.0);
    const double side = fmin(fmax(width, height), fmin(image->width_px, image->height_px));
    const double x = reha_json_number(box, "x_px", 0.0) + 0.5 * (width - side);
    const double y = reha_json_number(box, "y_px", 0.0) + 0.5 * (height - side);
    return (reha_box_px){fmin(fmax(x, -0.5), image->width_px - 0.5 - side),
                         fmin(fmax(y, -0.5), image->height_px - 0.5 - side), side, side};
}

static reha_status cut_out(const reha_compare_visit *visit, size_t region_idx, cut *out, reha_error *err)
{
    const json_t *region = json_array_get(json_object_get(visit->analysis, "regions"), region_idx);
    const json_t *points = json_object_get(region, "landmarks_px");
    reha_affine to_cut;
    *out = (cut){.box = box_of(region, visit->image)};
    REHA_TRY(reha_gray_resize_box(visit->image, out->box, PICTURE_PX, PICTURE_PX, REHA_FILTER_LINEAR,
                                  &out->picture, err));
    if (json_is_true(json_object_get(json_object_get(visit->analysis, "image"), "was_inverted"))) {
        reha_gray_invert(out->picture);
    }
    (void)reha_affine_invert(reha_affine_of_box(out->box, PICTURE_PX, PICTURE_PX), &to_cut);
    const bool is_knee =
        strcmp(reha_json_string(visit->analysis, "task", ""), "knee-oa") == 0; /* tibia first */
    for (size_t i = 0; is_knee && i < json_array_size(points) && i < POINTS_MAX; i++, out->point_count++) {
        const json_t *at = json_array_get(points, i);
        const reha_point_px point = {json_number_value(json_array_get(at, 0)),
                                     json_number_value(json_array_get(at, 1))};
        out->points[i] = reha_affine_apply(to_cut, point);
    }
    return REHA_OK;
}

/* The tibia is held still: what changed between the bones is then seen at the femur. */
static reha_status lay_over(const cut *before, const cut *after, const reha_compare_options *options,
                            reha_joint_pictures *out, reha_error *err)
{
    const bool has_points = before->point_count >= TIBIA_POINTS && after->point_count == before->point_count;
    /* Points of a result from elsewhere may lie all in one place: then the grey values decide. */
    out->is_by_landmarks =
        has_points && !options->by_intensity &&
        reha_register_points(before->points, after->points, TIBIA_POINTS, REHA_REGISTER_SIMILARITY,
                             before->picture->spacing, &out->registration, NULL) == REHA_OK;
    if (out->is_by_landmarks) {
        REHA_TRY(reha_mutual_information(before->picture, after->picture, out->registration.fixed_to_moving,
                                         &out->registration.information, err));
    }
    if (!out->is_by_landmarks || !out->registration.is_reliable) {
        reha_register_options how = reha_register_options_default();
        how.kind = options->kind;
        out->is_by_landmarks = false;
        REHA_TRY(reha_register(before->picture, after->picture, &how, &out->registration, err));
    }
    out->registration.residual_px *=
        before->box.width_px / PICTURE_PX; /* of the picture as the user has it */
    reha_affine to_cut;
    (void)reha_affine_invert(reha_affine_of_box(before->box, PICTURE_PX, PICTURE_PX), &to_cut);
    out->before_to_after = reha_affine_then(reha_affine_then(to_cut, out->registration.fixed_to_moving),
                                            reha_affine_of_box(after->box, PICTURE_PX, PICTURE_PX));
    return REHA_OK;
}

/* Both in the window of the first; the difference is grey where they agree. */
static reha_status show(const cut *before, const cut *after, reha_joint_pictures *out, reha_error *err)
{
    const double fractions[2] = {0.01, 0.995};
    const size_t count = (size_t)PICTURE_PX * PICTURE_PX;
    float levels[2];
    REHA_TRY(reha_register_apply(before->picture, after->picture, out->registration.fixed_to_moving,
                                 &out->after, err));
    REHA_TRY(reha_gray_copy(before->picture, &out->before, err));
    REHA_TRY(reha_gray_copy(before->picture, &out->difference, err));
    REHA_TRY(reha_percentiles(before->picture->pixels, count, fractions, 2, levels, err));
    reha_gray_window(out->before, levels[0], levels[1]);
    reha_gray_window(out->after, levels[0], levels[1]);
    for (size_t i = 0; i < count; i++) {
        out->difference->pixels[i] = FULL * (0.5F + 0.5F * (out->after->pixels[i] - out->before->pixels[i]));
        out->before->pixels[i] *= FULL;
        out->after->pixels[i] *= FULL;
    }
    return REHA_OK;
}

reha_status reha_compare_register_(const reha_compare_options *options, reha_comparison *comparison,
                                   reha_error *err)
{
    const reha_compare_visit *visits = comparison->visits;
    if (visits[0].image == NULL || visits[1].image == NULL) {
        return REHA_OK;
    }
    for (int i = 0; i < comparison->films.pair_count; i++) {
        const reha_film_pair *pair = &comparison->films.pairs[i];
        reha_status status = REHA_OK;
        cut before = {0};
        cut after = {0};
        REHA_CHECK(cut_out(&visits[0], pair->before_idx, &before, err));
        REHA_CHECK(cut_out(&visits[1], pair->after_idx, &after, err));
        REHA_CHECK(lay_over(&before, &after, options, &comparison->pictures[i], err));
        REHA_CHECK(show(&before, &after, &comparison->pictures[i], err));
    done:
        reha_gray_free(before.picture);
        reha_gray_free(after.picture);
        REHA_TRY(status);
    }
    return REHA_OK;
}
