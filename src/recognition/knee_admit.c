/* Which knees are graded: the gate's view of each candidate, its repair or its refusal. */
#include "recognition/knee_oa_priv.h"

#include "base/memory.h"

#include <math.h>

void reha_knee_refuse_(reha_region *region, const char *code)
{
    reha_region_note(region, REHA_NOTE_REFUSED, code, "Not graded: %s.", reha_gate_advice(code));
}

reha_knee_candidate reha_knee_ready_candidate_(const reha_gray *image, const reha_knee_crop_spec *spec)
{
    const reha_knee_pose whole = reha_knee_pose_whole(image, spec);
    return (reha_knee_candidate){
        .x_px = whole.x_px, .y_px = whole.y_px, .width_px = whole.plateau_width_px, .score = (double)NAN};
}

/* The reason to refuse this view, or NULL. */
static const char *refusal_of(const reha_gate_spec *spec, const reha_quality *quality,
                              const reha_gate_view *view)
{
    const reha_gate_class verdict = reha_gate_verdict(view);
    for (int k = REHA_GATE_KNEE + 1; k < REHA_GATE_CLASS_COUNT; k++) {
        if (k != REHA_GATE_INVERTED && view->probabilities[k] >= spec->refuse_min[k] &&
            ((int)verdict == k || view->probabilities[k] > view->probabilities[REHA_GATE_KNEE])) {
            return reha_gate_code((reha_gate_class)k);
        }
    }
    if (view->probabilities[REHA_GATE_KNEE] < spec->accept_min) {
        return verdict == REHA_GATE_KNEE ? "uncertain" : reha_gate_code(verdict);
    }
    if (isfinite(view->distance) && view->distance > spec->distance_max &&
        !(quality->values[REHA_STAT_OUTSIDE] > spec->distance_outside_max)) {
        return "unlike-training";
    }
    return NULL;
}

/* One candidate as it is and, where the gate suspects inverted grey values, turned over. */
static reha_status look(knee_case *knee, const reha_knee_candidate *at, reha_quality *quality,
                        reha_gate_view *out, reha_error *err)
{
    const reha_model *model = knee->model;
    const reha_gate_spec *spec = &model->card.gate;
    for (int i = 0; i < REHA_STAT_COUNT; i++) {
        quality->values[i] = (double)NAN;
    }
    REHA_TRY(reha_gate_look(knee->image, knee->reduction, at, &model->gate, spec, false, &knee->grey, quality,
                            out, err));
    if (out->probabilities[REHA_GATE_INVERTED] < spec->invert_min) {
        return REHA_OK;
    }
    reha_gate_view turned;
    REHA_TRY(reha_gate_look(knee->image, knee->reduction, at, &model->gate, spec, true, &knee->grey, quality,
                            &turned, err));
    if (turned.probabilities[REHA_GATE_KNEE] > out->probabilities[REHA_GATE_KNEE] ||
        reha_gate_verdict(out) == REHA_GATE_INVERTED) {
        *out = turned;
    }
    return REHA_OK;
}

/* A ready crop has the joint at a known place. Where the view at the finder's place fails, the view at that
 * place may still be a good one: the finder need not be exact on a picture that it sees at one glance. Metal
 * is never looked away. */
static reha_status look_again(knee_case *knee, reha_quality *quality, reha_gate_view *view, reha_error *err)
{
    const reha_knee_crop_spec *crop = &knee->model->card.crop;
    const reha_knee_pose found = {.x_px = knee->candidate.x_px,
                                  .y_px = knee->candidate.y_px,
                                  .plateau_width_px = knee->candidate.width_px};
    if (refusal_of(&knee->model->card.gate, quality, view) == NULL ||
        reha_gate_verdict(view) == REHA_GATE_METAL || !reha_knee_pose_is_ready(knee->image, &found, crop)) {
        return REHA_OK;
    }
    const reha_knee_candidate ready = reha_knee_ready_candidate_(knee->image, crop);
    reha_quality second_quality;
    reha_gate_view second;
    REHA_TRY(look(knee, &ready, &second_quality, &second, err));
    if (second.probabilities[REHA_GATE_KNEE] > view->probabilities[REHA_GATE_KNEE] ||
        refusal_of(&knee->model->card.gate, &second_quality, &second) == NULL) {
        *view = second;
        *quality = second_quality;
        knee->candidate.x_px = ready.x_px;
        knee->candidate.y_px = ready.y_px;
        knee->candidate.width_px = ready.width_px;
    }
    return REHA_OK;
}

reha_status reha_knee_admit_(knee_case *knee, reha_region *region, bool *is_good, reha_error *err)
{
    const reha_knee_card *card = &knee->model->card;
    reha_quality quality;
    reha_gate_view view;
    *is_good = false;
    REHA_TRY(look(knee, &knee->candidate, &quality, &view, err));
    REHA_TRY(look_again(knee, &quality, &view, err));
    knee->is_inverted = view.is_inverted;
    region->certainty = view.probabilities[REHA_GATE_KNEE];
    const char *refusal = refusal_of(&card->gate, &quality, &view);
    if (refusal == NULL && card->finder.is_present && knee->candidate.turned >= card->finder.turned_min) {
        refusal = "rotated";
    }
    if (refusal != NULL) {
        reha_knee_refuse_(region, refusal);
        return REHA_OK;
    }
    if (reha_quality_judge(card, &quality, false, region->notes, &region->note_count)) {
        return REHA_OK;
    }
    if (isfinite(view.distance) && view.distance > card->gate.distance_warn) {
        reha_region_note(region, REHA_NOTE_WARNING, "unusual",
                         "The image differs from most training images (distance %.1f, usual up to %.1f): "
                         "read the grade with "
                         "care.",
                         view.distance, card->gate.distance_warn);
    }
    *is_good = true;
    return REHA_OK;
}

/* Plain statistics on the ready crop. */
reha_status reha_knee_repair_(knee_case *knee, reha_error *err)
{
    const reha_knee_crop_spec *spec = &knee->model->card.crop;
    float *square = reha_alloc((size_t)spec->size_px * (size_t)spec->size_px * sizeof(float));
    if (square == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the knee crop");
    }
    const reha_knee_pose whole = reha_knee_pose_whole(knee->image, spec);
    const reha_status status = reha_knee_square(knee->image, &whole, spec, false, square, err);
    if (status == REHA_OK) {
        knee->is_inverted = reha_knee_looks_inverted(square, spec->size_px);
    }
    reha_free(square);
    return status;
}

reha_status reha_knee_name_unknown_(const knee_case *whole, const char **code, reha_error *err)
{
    *code = "no-knee";
    if (whole->model->gate.session == NULL) {
        return REHA_OK;
    }
    const reha_gate_spec *spec = &whole->model->card.gate;
    const double shorter = fmin(whole->image->width_px, whole->image->height_px);
    const double width = shorter / spec->box_scale;
    const reha_knee_candidate middle = {.x_px = 0.5 * (whole->image->width_px - 1.0),
                                        .y_px = 0.5 * (whole->image->height_px - 1.0) + spec->box_up * width,
                                        .width_px = width};
    reha_quality quality;
    reha_gate_view view;
    REHA_TRY(reha_gate_look(whole->image, whole->reduction, &middle, &whole->model->gate, spec, false,
                            &whole->grey, &quality, &view, err));
    const reha_gate_class verdict = reha_gate_verdict(&view);
    if (view.probabilities[verdict] >= spec->refuse_min[verdict] && verdict != REHA_GATE_KNEE &&
        verdict != REHA_GATE_INVERTED && verdict != REHA_GATE_METAL) {
        *code = reha_gate_code(verdict);
    }
    return REHA_OK;
}
