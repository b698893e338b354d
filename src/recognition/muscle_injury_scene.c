#include "recognition/muscle_injury_scene.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

static const double MARGIN = 0.125; /* of the tissue box, kept around it at work size */
static const double STRENGTH_MIN = 0.45;
static const double UNTOUCHED = 0.15, NULL_LESION = 0.10,
                    LOOK_ALIKE = 0.22; /* shares of the training pictures */

/* ---- opening ---- */

static reha_status to_work_size(const reha_gray *image, const reha_muscle_frame *frame, const reha_gray *mask,
                                reha_gray **small, reha_gray **small_mask, reha_error *err)
{
    const reha_box_px wide = {
        frame->box.x_px - MARGIN * frame->box.width_px, frame->box.y_px - MARGIN * frame->box.height_px,
        (1.0 + 2.0 * MARGIN) * frame->box.width_px, (1.0 + 2.0 * MARGIN) * frame->box.height_px};
    const double scale = fmin(1.0, REHA_INJURY_WORK_PX / fmax(frame->box.width_px, frame->box.height_px));
    const int width = (int)(wide.width_px * scale + 0.5);
    const int height = (int)(wide.height_px * scale + 0.5);
    float most = 1.0F;
    REHA_TRY(reha_gray_new((uint32_t)width, (uint32_t)height, small, err));
    REHA_TRY(reha_gray_new((uint32_t)width, (uint32_t)height, small_mask, err));
    for (size_t i = 0; mask != NULL && i < (size_t)mask->width_px * mask->height_px; i++) {
        most = fmaxf(most, mask->pixels[i]);
    }
    REHA_TRY(reha_sample_rect(image, wide, REHA_BORDER_ZERO, (reha_tone){frame->low, frame->high}, width,
                              height, (*small)->pixels, err));
    if (mask != NULL) {
        REHA_TRY(reha_sample_rect(mask, wide, REHA_BORDER_ZERO, (reha_tone){0.0, (double)most}, width, height,
                                  (*small_mask)->pixels, err));
    }
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
        (*small)->pixels[i] = roundf(255.0F * (*small)->pixels[i]);
        (*small_mask)->pixels[i] *= 255.0F;
    }
    return REHA_OK;
}

static reha_status take_truth(const reha_gray *mask, int grade, reha_lesion_truth *out, reha_error *err)
{
    const size_t count = (size_t)mask->width_px * mask->height_px;
    float most = 0.0F;
    out->injured = reha_alloc_zero(count, 1);
    out->torn = reha_alloc_zero(count, 1);
    if (out->injured == NULL || out->torn == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a mask");
    }
    for (size_t i = 0; i < count; i++) {
        most = fmaxf(most, mask->pixels[i]);
    }
    for (size_t i = 0; grade > 0 && i < count; i++) {
        out->injured[i] = mask->pixels[i] > 0.5F * most ? 255 : 0;
        out->torn[i] = grade >= 2 ? out->injured[i] : 0;
    }
    return REHA_OK;
}

static reha_status take_pixels(const reha_gray *image, reha_injury_scene *out, reha_error *err)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    out->width_px = image->width_px;
    out->height_px = image->height_px;
    out->pixels = reha_alloc(count * sizeof *out->pixels);
    if (out->pixels == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a picture");
    }
    for (size_t i = 0; i < count; i++) {
        out->pixels[i] = (uint16_t)fminf(65535.0F, fmaxf(0.0F, image->pixels[i] + 0.5F));
    }
    return REHA_OK;
}

static reha_status check_mask(const reha_gray *image, const reha_gray *mask, reha_error *err)
{
    return mask == NULL || (mask->width_px == image->width_px && mask->height_px == image->height_px)
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "the mask is %u x %u px, the image %u x %u", mask->width_px,
                           mask->height_px, image->width_px, image->height_px);
}

static reha_status fill(const reha_injury_item *item, const reha_gray *image, const reha_gray *mask,
                        reha_injury_scene *out, reha_error *err)
{
    REHA_TRY(take_pixels(image, out, err));
    if (item->is_labelled) {
        return take_truth(mask != NULL ? mask : image, item->grade, &out->truth, err);
    }
    REHA_TRY(reha_injury_belly_from_mask(image, &out->frame, mask, &out->belly, err));
    return reha_speckle_measure(image, &out->frame, &out->belly, &out->speckle, err);
}

reha_status reha_injury_scene_open(const reha_injury_item *item, reha_load_function load, bool at_work_size,
                                   reha_injury_scene *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *image = NULL, *mask = NULL, *small = NULL, *small_mask = NULL;
    reha_acquisition facts;
    *out = (reha_injury_scene){.is_labelled = item->is_labelled, .grade = item->grade};
    REHA_CHECK(load(item->image_path, &image, &facts, err));
    if (item->mask_path != NULL) {
        REHA_CHECK(load(item->mask_path, &mask, &facts, err));
    }
    REHA_CHECK(check_mask(image, mask, err));
    REHA_CHECK(reha_muscle_frame_find(image, &out->frame, err));
    if (!at_work_size) {
        REHA_CHECK(fill(item, image, mask, out, err));
        goto done;
    }
    REHA_CHECK(to_work_size(image, &out->frame, mask, &small, &small_mask, err));
    const double width = small->width_px / (1.0 + 2.0 * MARGIN);
    const double height = small->height_px / (1.0 + 2.0 * MARGIN);
    out->frame.box = (reha_box_px){MARGIN * width, MARGIN * height, width, height};
    out->frame.low = 0.0;
    out->frame.high = 255.0;
    REHA_CHECK(fill(item, small, mask != NULL ? small_mask : NULL, out, err));
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    reha_gray_free(small);
    reha_gray_free(small_mask);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", item->image);
        reha_injury_scene_clear(out);
    }
    return status;
}

void reha_injury_scene_clear(reha_injury_scene *scene)
{
    reha_free(scene->pixels);
    reha_lesion_truth_clear(&scene->truth);
    *scene = (reha_injury_scene){0};
}

/* ---- views ---- */

void reha_injury_view_clear(reha_injury_view *view)
{
    reha_gray_free(view->image);
    reha_lesion_truth_clear(&view->truth);
    *view = (reha_injury_view){0};
}

static reha_status copy_truth(const reha_injury_scene *scene, reha_lesion_truth *out, reha_error *err)
{
    const size_t count = (size_t)scene->width_px * scene->height_px;
    *out = (reha_lesion_truth){reha_alloc_zero(count, 1), reha_alloc_zero(count, 1)};
    if (out->injured == NULL || out->torn == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a mask");
    }
    if (scene->is_labelled) {
        memcpy(out->injured, scene->truth.injured, count);
        memcpy(out->torn, scene->truth.torn, count);
    }
    return REHA_OK;
}

reha_status reha_injury_scene_view(const reha_injury_scene *scene, const reha_lesion_spec *spec,
                                   reha_injury_view *out, reha_error *err)
{
    const bool is_simulated = spec != NULL && !scene->is_labelled;
    *out = (reha_injury_view){.spec = {.kind = REHA_LESION_NOTHING},
                              .grade = scene->is_labelled ? scene->grade : 0};
    REHA_TRY(reha_gray_new(scene->width_px, scene->height_px, &out->image, err));
    for (size_t i = 0; i < (size_t)scene->width_px * scene->height_px; i++) {
        out->image->pixels[i] = scene->pixels[i];
    }
    if (!is_simulated) {
        return copy_truth(scene, &out->truth, err);
    }
    out->spec = *spec;
    out->grade = reha_lesion_grade(spec);
    return reha_lesion_apply(out->image, &scene->frame, &scene->belly, &scene->speckle, spec, &out->truth,
                             err);
}

/* ---- what is shown ---- */

reha_lesion_spec reha_injury_listed(const reha_injury_scene *scene, int view, uint64_t seed, uint64_t stream)
{
    reha_random random = reha_random_init(seed * 1009 + stream, 0x6c697374U + (uint64_t)view);
    if (view == 0 || scene->is_labelled) {
        return (reha_lesion_spec){.kind = REHA_LESION_NOTHING};
    }
    if (view == 1) {
        const reha_lesion_kind kind = (reha_lesion_kind)reha_random_below(&random, REHA_LESION_KINDS);
        reha_lesion_spec none = reha_lesion_draw(kind, &scene->belly, &scene->frame, &random);
        none.strength = 0.0;
        return none;
    }
    const int lesion = view - 2;
    const int kind = lesion < 2 * REHA_LESION_KINDS ? lesion % REHA_LESION_KINDS : lesion - REHA_LESION_KINDS;
    reha_lesion_spec spec = reha_lesion_draw((reha_lesion_kind)kind, &scene->belly, &scene->frame, &random);
    spec.strength = reha_random_range(&random, STRENGTH_MIN, 1.0);
    return spec;
}

reha_lesion_spec reha_injury_drawn(const reha_injury_scene *scene, reha_random *random)
{
    const double dice = reha_random_unit(random);
    const bool is_null = dice >= UNTOUCHED && dice < UNTOUCHED + NULL_LESION;
    const bool is_look_alike = dice >= UNTOUCHED + NULL_LESION && dice < UNTOUCHED + NULL_LESION + LOOK_ALIKE;
    uint32_t kind = reha_random_below(random, REHA_LESION_KINDS);
    if (dice < UNTOUCHED) {
        return (reha_lesion_spec){.kind = REHA_LESION_NOTHING};
    }
    if (is_look_alike) {
        kind = REHA_LESION_KINDS + reha_random_below(random, REHA_LESION_NOTHING - REHA_LESION_KINDS);
    }
    reha_lesion_spec spec = reha_lesion_draw((reha_lesion_kind)kind, &scene->belly, &scene->frame, random);
    spec.strength = is_null ? 0.0 : reha_random_range(random, STRENGTH_MIN, 1.0);
    return spec;
}
