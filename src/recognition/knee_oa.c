/* The path of one image, readable from the bottom of this file upwards:
 *
 *   facts of the file -> statistics of the picture -> knees (finder) -> for each knee: gate, repair of
 *   inversion or refusal -> side -> landmarks -> crop -> grade, calibration, set -> joint space ->
 *   explanation -> findings.
 *
 * A refusal is a result. Every number used on the way comes from the model's card. */
#include "recognition/knee_oa_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "recognition/audit.h"
#include "recognition/evaluate.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WORK_SIDE_PX = 1024, /* working images are reduced to about this: finer than any network looks */
    GRADE_CLASSES = REHA_GRADES,
    DISEASE_GRADE = 2
};

/* ---- Steps for one knee ---- */

/* Which side is lateral? In this order: the file's or user's statement, the film's layout (of two knees the
 * fibulae lie outside), the fibula. A statement against the clear evidence of the fibula is reported. */
static reha_status find_side(knee_case *knee, reha_region *region, const reha_acquisition *facts,
                             const reha_analyse_options *options, int knee_count, bool is_left_in_image,
                             reha_error *err)
{
    const reha_landmark_spec *spec = &knee->model->card.landmarks;
    reha_side stated = REHA_SIDE_UNKNOWN;
    const char *source = "unknown";
    if (facts->side == REHA_SIDE_LEFT || facts->side == REHA_SIDE_RIGHT) {
        stated = facts->side;
        source = "DICOM";
    } else if (options->side_hint == REHA_SIDE_LEFT || options->side_hint == REHA_SIDE_RIGHT) {
        stated = options->side_hint;
        source = options->side_source != NULL ? options->side_source : "hint";
    }
    if (knee->model->landmarks.session != NULL) {
        REHA_TRY(reha_knee_landmarks_look(knee->image, &knee->candidate, knee->is_inverted,
                                          &knee->model->landmarks, spec, &knee->first, err));
    }
    const bool by_fibula = knee->first.lateral_is_left;
    const bool fibula_is_clear =
        knee->model->landmarks.session != NULL && knee->first.margin_px >= spec->side_margin_px;
    if (knee_count > 1) {
        /* One statement cannot be true of both knees; the layout still tells lateral from medial. */
        knee->lateral_is_left = is_left_in_image;
        knee->lateral_is_sure = true;
        region->side = REHA_SIDE_UNKNOWN;
        if (stated != REHA_SIDE_UNKNOWN) {
            reha_region_note(
                region, REHA_NOTE_WARNING, "side-ambiguous",
                "One side is stated (%s, %s), but %d knees are visible: tell them apart by the marker.",
                reha_side_text(stated), source, knee_count);
        }
        source = "unknown";
        reha_region_note(
            region, REHA_NOTE_INFO, "side-by-convention",
            "No marker read: shown in the usual way (patient facing the viewer) this is the %s knee.",
            is_left_in_image ? "right" : "left");
    } else if (stated != REHA_SIDE_UNKNOWN) {
        knee->lateral_is_left = stated == REHA_SIDE_RIGHT;
        knee->lateral_is_sure = true;
        region->side = stated;
        if (fibula_is_clear && by_fibula != knee->lateral_is_left) {
            knee->lateral_is_left = by_fibula;
            reha_region_note(region, REHA_NOTE_WARNING, "side-conflict",
                             "Stated as the %s knee (%s), but the fibula lies as in a %s knee: the image may "
                             "be mirrored or "
                             "mislabelled; check the marker.",
                             reha_side_text(stated), source, by_fibula ? "right" : "left");
        }
    } else if (fibula_is_clear) {
        knee->lateral_is_left = by_fibula;
        knee->lateral_is_sure = true;
        region->side = by_fibula ? REHA_SIDE_RIGHT : REHA_SIDE_LEFT;
        source = "fibula position";
    } else {
        knee->lateral_is_left = by_fibula;
        knee->lateral_is_sure = false;
        region->side = REHA_SIDE_UNKNOWN;
    }
    (void)snprintf(region->side_source, sizeof region->side_source, "%s", source);
    return REHA_OK;
}

static reha_point_px scaled(reha_point_px point, double x, double y)
{
    return (reha_point_px){.x_px = point.x_px * x, .y_px = point.y_px * y};
}

/* Joint space of the mean landmarks, refined on edges, and its spread over the passes. */
static reha_status measure(knee_case *knee, reha_error *err)
{
    const reha_joint_space_spec *spec = &knee->model->card.joint_space;
    const bool is_mm = reha_spacing_is_known(knee->spacing);
    const double x = is_mm ? knee->spacing.x_mm : 1.0;
    const double y = is_mm ? knee->spacing.y_mm : 1.0;
    reha_point_px points[REHA_KNEE_POINTS];
    double sum[2] = {0.0, 0.0};
    double square_sum[2] = {0.0, 0.0};
    for (int p = 0; p < knee->points.pass_count; p++) {
        for (int i = 0; i < REHA_KNEE_POINTS; i++) {
            points[i] = scaled(knee->points.passes[p][i], x, y);
        }
        reha_joint_space_measure(points, spec, &knee->space);
        for (int side = 0; side < 2; side++) {
            sum[side] += knee->space.sides[side].minimum;
            square_sum[side] += knee->space.sides[side].minimum * knee->space.sides[side].minimum;
        }
    }
    const double n = knee->points.pass_count;
    for (int side = 0; side < 2; side++) {
        const double variance = (square_sum[side] - sum[side] * sum[side] / n) / fmax(n - 1.0, 1.0);
        knee->width_sd_ratio[side] = n > 1.0 ? sqrt(fmax(variance, 0.0)) : (double)NAN;
    }
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        points[i] = scaled(knee->points.points[i], x, y);
    }
    reha_joint_space_measure(points, spec, &knee->space);
    /* Edges are sought in pixels; where rows and columns are spaced differently the plain measure stays. */
    if (fabs(x / y - 1.0) < 0.01) {
        REHA_TRY(reha_joint_space_refine(knee->image, knee->points.points, knee->is_inverted, spec,
                                         &knee->space, err));
    }
    return REHA_OK;
}

static reha_status place_knee(knee_case *knee, reha_region *region, bool *is_good, reha_error *err)
{
    const reha_knee_card *card = &knee->model->card;
    knee->pose = (reha_knee_pose){.x_px = knee->candidate.x_px,
                                  .y_px = knee->candidate.y_px,
                                  .plateau_width_px = knee->candidate.width_px};
    if (knee->model->landmarks.session != NULL) {
        REHA_TRY(reha_knee_landmarks_find(knee->image, &knee->candidate, &knee->first, knee->lateral_is_left,
                                          knee->is_inverted, &knee->model->landmarks, &card->landmarks,
                                          &knee->points, err));
        if (!(knee->points.blur_px <= card->landmarks.blur_refuse_px) ||
            !(knee->points.shift_ratio <= card->landmarks.shift_refuse_ratio)) {
            reha_knee_refuse_(region, "no-joint-edges");
            *is_good = false;
            return REHA_OK;
        }
        knee->has_points = knee->points.blur_px <= card->landmarks.blur_warn_px;
        if (knee->has_points) {
            knee->pose = reha_knee_pose_of_points(knee->points.points, knee->lateral_is_left);
            REHA_TRY(measure(knee, err));
        } else {
            reha_region_note(region, REHA_NOTE_WARNING, "not-measured",
                             "Joint space not measured: the bone edges could not be placed reliably "
                             "(uncertain by %.1f %% of "
                             "the plateau width).",
                             100.0 * knee->points.blur_px / card->landmarks.first_width_px);
        }
    }
    knee->plateau = knee->pose;
    const reha_knee_pose whole = reha_knee_pose_whole(knee->image, &card->crop);
    if (!card->finder.is_present || reha_knee_pose_is_ready(knee->image, &knee->pose, &card->crop)) {
        knee->pose = whole; /* framed as the training images were: taken as it is */
        knee->plateau = knee->has_points ? knee->plateau : whole;
    }
    return REHA_OK;
}

/* ---- One knee ---- */

static void set_region_box(const knee_case *knee, reha_region *region)
{
    const double side = 1.3 * knee->candidate.width_px * knee->reduction;
    const reha_point_px centre = reha_knee_to_input_(knee, knee->candidate.x_px, knee->candidate.y_px);
    region->box = (reha_box_px){centre.x_px + 0.5 - 0.5 * side, centre.y_px + 0.5 - 0.5 * side, side, side};
}

static reha_status analyse_knee(knee_case *knee, reha_region *region, const reha_acquisition *facts,
                                const reha_analyse_options *options, int knee_count, bool is_left_in_image,
                                reha_error *err)
{
    bool is_good = true;
    region->profile_unit = "1";
    region->certainty = (double)NAN;
    knee->evidence_medial = (double)NAN;
    set_region_box(knee, region);
    if (knee->model->gate.session != NULL) {
        REHA_TRY(reha_knee_admit_(knee, region, &is_good, err));
    } else {
        REHA_TRY(reha_knee_repair_(knee, err));
    }
    if (!is_good) {
        return REHA_OK;
    }
    if (knee->is_inverted) {
        reha_region_note(region, REHA_NOTE_REPAIRED, "inverted",
                         "The grey values were inverted (bone dark); they were turned over before analysis.");
    }
    REHA_TRY(find_side(knee, region, facts, options, knee_count, is_left_in_image, err));
    REHA_TRY(place_knee(knee, region, &is_good, err));
    if (!is_good) {
        return REHA_OK;
    }
    REHA_TRY(reha_knee_grade_(knee, err));
    if (options->with_explanation && knee->model->explains) {
        REHA_TRY(reha_knee_explain_(knee, region, err));
    }
    region->is_accepted = true;
    reha_knee_findings_(knee, region);
    return REHA_OK;
}

/* ---- The whole image ---- */

typedef struct image_case {
    reha_model *model;
    reha_gray *reduced;     /* NULL where the input itself is small enough */
    const reha_gray *image; /* the working image */
    double reduction;
    reha_grey_scale grey;
} image_case;

/* Left to right in the image. */
static void sort_by_place(reha_knee_candidate *found, int count)
{
    for (int i = 1; i < count; i++) {
        for (int k = i; k > 0 && found[k].x_px < found[k - 1].x_px; k--) {
            const reha_knee_candidate swap = found[k];
            found[k] = found[k - 1];
            found[k - 1] = swap;
        }
    }
}

/* Where the finder sees nothing on a square picture, it may still be a ready crop: the gate decides. */
static reha_status find_knees(const image_case *work, reha_knee_candidate *found, int *count, bool *is_guess,
                              reha_error *err)
{
    const reha_knee_card *card = &work->model->card;
    *count = 0;
    *is_guess = false;
    if (work->model->finder.session != NULL) {
        REHA_TRY(reha_knee_find(work->image, &work->model->finder, &card->finder, work->model->finder_output,
                                found, count, err));
        sort_by_place(found, *count);
    }
    const reha_knee_pose whole = reha_knee_pose_whole(work->image, &card->crop);
    if (*count == 0 &&
        (work->model->finder.session == NULL || reha_knee_pose_is_ready(work->image, &whole, &card->crop))) {
        found[0] = reha_knee_ready_candidate_(work->image, &card->crop);
        *count = 1;
        *is_guess = work->model->finder.session != NULL;
    }
    return REHA_OK;
}

static void note_spacing(reha_analysis *analysis)
{
    if (!reha_spacing_is_known(analysis->spacing)) {
        reha_analysis_note(
            analysis, REHA_NOTE_INFO, "no-millimetres",
            "The file states no pixel spacing, so lengths are ratios to the tibial plateau width.");
    } else if (analysis->spacing.source == REHA_SPACING_AT_DETECTOR) {
        reha_analysis_note(
            analysis, REHA_NOTE_WARNING, "at-detector",
            "Pixel spacing is that of the detector and the magnification is unknown: lengths read too long, "
            "for a knee usually by 5 to 20 %%.");
    }
}

static void start_case(const image_case *work, const reha_knee_candidate *candidate, knee_case *knee)
{
    memset(knee, 0, sizeof *knee);
    knee->model = work->model;
    knee->image = work->image;
    knee->reduction = work->reduction;
    knee->grey = work->grey;
    knee->spacing = work->image->spacing;
    knee->candidate = *candidate;
}

static reha_status refuse_image(const image_case *work, knee_case *knee, reha_analysis *analysis,
                                reha_error *err)
{
    const char *code = NULL;
    const reha_knee_candidate none = {0};
    start_case(work, &none, knee);
    REHA_TRY(reha_knee_name_unknown_(knee, &code, err));
    reha_analysis_note(analysis, REHA_NOTE_REFUSED, code, "Not graded: %s.", reha_gate_advice(code));
    return REHA_OK;
}

static reha_status analyse_each(const image_case *work, knee_case *knee, const reha_analyse_options *options,
                                reha_analysis *analysis, reha_error *err)
{
    reha_knee_candidate found[REHA_REGIONS_MAX];
    int count = 0;
    bool is_guess = false;
    REHA_TRY(find_knees(work, found, &count, &is_guess, err));
    for (int i = 0; i < count; i++) {
        reha_region *region = &analysis->regions[analysis->region_count++];
        start_case(work, &found[i], knee);
        REHA_TRY(analyse_knee(knee, region, &analysis->acquisition, options, count, i == 0, err));
        analysis->is_accepted = analysis->is_accepted || region->is_accepted;
        analysis->was_inverted = analysis->was_inverted || (region->is_accepted && knee->is_inverted);
        if (is_guess && !region->is_accepted) { /* nobody saw a knee there: not a refused knee, but none */
            *region = (reha_region){0};
            analysis->region_count = 0;
            count = 0;
        }
    }
    return count > 0 ? REHA_OK : refuse_image(work, knee, analysis, err);
}

static reha_status analyse_knees(const image_case *work, const reha_analyse_options *options,
                                 reha_analysis *analysis, reha_error *err)
{
    /* Large: arrays of landmarks per pass; kept off the stack of small threads. */
    knee_case *knee = reha_alloc(sizeof *knee);
    if (knee == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the analysis");
    }
    const reha_status status = analyse_each(work, knee, options, analysis, err);
    reha_free(knee);
    return status;
}

static reha_status prepare(const reha_gray *image, image_case *work, reha_error *err)
{
    const uint32_t longer = image->width_px > image->height_px ? image->width_px : image->height_px;
    const uint32_t shorter = image->width_px < image->height_px ? image->width_px : image->height_px;
    uint32_t factor = longer / WORK_SIDE_PX;
    factor = factor < 1 ? 1 : factor > shorter ? shorter : factor;
    work->image = image;
    work->reduction = factor;
    if (factor > 1) {
        REHA_TRY(reha_sample_reduce(image, factor, &work->reduced, err));
        work->image = work->reduced;
    }
    return REHA_OK;
}

static reha_status run_path(image_case *work, const reha_gray *image, const reha_analyse_options *options,
                            reha_analysis *analysis, reha_error *err)
{
    char what[64];
    const char *refusal = reha_gate_by_facts(&analysis->acquisition, what);
    if (refusal != NULL) {
        reha_analysis_note(analysis, REHA_NOTE_REFUSED, refusal, "Not graded: %s: %s.", what,
                           reha_gate_advice(refusal));
        return REHA_OK;
    }
    reha_quality quality;
    REHA_TRY(prepare(image, work, err));
    REHA_TRY(reha_quality_of_image(work->image, &analysis->acquisition, &quality, &work->grey, err));
    quality.values[REHA_STAT_IMAGE_SHORT_SIDE_PX] =
        image->width_px < image->height_px ? image->width_px : image->height_px;
    if (reha_quality_judge(&work->model->card, &quality, true, analysis->notes, &analysis->note_count)) {
        return REHA_OK;
    }
    REHA_TRY(analyse_knees(work, options, analysis, err));
    if (analysis->is_accepted) {
        note_spacing(analysis);
    }
    return REHA_OK;
}

static reha_status analyse(reha_model *model, const reha_gray *image, const reha_acquisition *acquisition,
                           const reha_analyse_options *options, reha_analysis **out, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    static const reha_analyse_options defaults = {.with_explanation = false};
    reha_analysis *analysis = NULL;
    *out = NULL;
    REHA_TRY(reha_analysis_begin("knee-oa", model->card.name, model->card.version, image, acquisition,
                                 &analysis, err));
    image_case work = {.model = model};
    const reha_status status = run_path(&work, image, options != NULL ? options : &defaults, analysis, err);
    reha_gray_free(work.reduced);
    return reha_analysis_end(status, start_ms, analysis, out);
}

/* ---- The table entry ---- */

static const json_t *card(const reha_model *model)
{
    return model->card.json;
}

/* Into the card of the model that was measured: its explanations' figures and its subgroups. The other
 * figures stay, since they belong to the split that the card names. */
static reha_status save_explanation(reha_model *model, const json_t *report, json_t *explanation,
                                    reha_error *err)
{
    REHA_TRY(reha_knee_card_set_take(&model->card, "subgroups",
                                     json_incref(json_object_get(report, "subgroups")), err));
    REHA_TRY(reha_knee_card_set_take(&model->card, "explanation", json_incref(explanation), err));
    return reha_knee_card_save(&model->card, model->folder, err);
}

static reha_status evaluate(reha_model *model, const reha_evaluate_options *options,
                            const reha_progress *progress, json_t **report, reha_error *err)
{
    const reha_graded_task task = {
        .finding_key = "kl-grade", .class_count = GRADE_CLASSES, .boundary = DISEASE_GRADE};
    json_t *explanation = NULL;
    REHA_TRY(reha_evaluate_graded(&reha_recogniser_knee_oa, model, &task, options, progress, report, err));
    if (!options->explain) {
        return REHA_OK;
    }
    reha_status status = reha_knee_explain_measure_(model, options, progress, &explanation, err);
    if (status == REHA_OK && options->save_card) {
        status = save_explanation(model, *report, explanation, err);
    }
    (void)json_object_set_new(*report, "explanation", explanation);
    if (status != REHA_OK) {
        json_decref(*report);
        *report = NULL;
    }
    return status;
}

static reha_status audit(const char *data_folder, reha_load_function load, const reha_progress *progress,
                         json_t **report, reha_error *err)
{
    return reha_audit_graded("knee-oa", GRADE_CLASSES, DISEASE_GRADE, data_folder, load, progress, report,
                             err);
}

const reha_recogniser reha_recogniser_knee_oa = {
    .name = "knee-oa",
    .title = "Knee osteoarthritis: Kellgren-Lawrence grade and joint space width",
    .accepts = "frontal (AP or PA) radiographs of one or both knees, whole or cropped to the joint",
    .explains = true,
    .open = reha_knee_model_open_,
    .close = reha_knee_model_close_,
    .analyse = analyse,
    .card = card,
    .train = reha_knee_train,
    .evaluate = evaluate,
    .calibrate = reha_knee_calibrate,
    .quantise = reha_knee_quantise,
    .audit = audit,
};
