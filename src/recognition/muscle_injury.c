/* The path of one image, readable from the bottom of this file upwards:
 *
 *   muscle-us (is it ultrasound of a muscle? where is its belly, what is the scale?) -> network (picture and
 * mirror image) -> regions with sizes -> grades with a prediction set -> findings.
 *
 * It answers only when it is asked by name, and says on every result what it was trained on. */
#include "recognition/muscle_injury.h"

#include "base/clock.h"
#include "base/memory.h"
#include "recognition/muscle_finding.h"
#include "recognition/muscle_injury_card.h"
#include "recognition/muscle_injury_figures.h"
#include "recognition/muscle_injury_priv.h"
#include "recognition/muscle_injury_train.h"
#include "recognition/muscle_us.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const grade_words[REHA_LESION_GRADES] = {"none", "oedema without disruption",
                                                            "partial tear", "complete or retracted tear"};

static const double NEARLY_ALL = 0.5; /* of the visible belly */

typedef struct injury_case {
    reha_model *model;
    const reha_gray *image;
    reha_muscle_frame frame;
    reha_injury_belly belly;
    reha_injury_reading reading;
    reha_injury_answer answer;
    float *maps; /* injured, torn */
    int *labels;
    double mm_per_px; /* NaN: unknown */
    char scale_source[96];
} injury_case;

/* ---- findings ---- */

static reha_finding *add(reha_region *region, const char *key, const char *label, const char *unit,
                         double value, double error, const char *source)
{
    return reha_muscle_finding_add(region, key, label, unit, value, error,
                                   "held-out simulated lesions that were found", source);
}

static void add_grade(const injury_case *work, reha_region *region)
{
    const reha_injury_answer *answer = &work->answer;
    const json_t *card = work->model->card;
    reha_finding *finding = reha_region_add(region, "muscle-injury-grade", "Muscle injury, grade proposal");
    if (finding == NULL) {
        return;
    }
    finding->research_only = true;
    finding->probability = answer->probability;
    finding->class_count = REHA_LESION_GRADES;
    finding->grade = answer->grade;
    finding->expected_grade = 0.0;
    for (int g = 0; g < REHA_LESION_GRADES; g++) {
        finding->class_probabilities[g] = answer->probabilities[g];
        finding->expected_grade += g * answer->probabilities[g];
    }
    finding->set_low = answer->set_low;
    finding->set_high = answer->set_high;
    finding->set_coverage = work->model->rule.calibration.coverage;
    (void)snprintf(finding->evidence, sizeof finding->evidence,
                   "Proposal: %d, %s. Probability of any injury %.0f %%, at the mix of pictures it was "
                   "calibrated on, not "
                   "in a clinic. Told from how sure, large and high the marked tissue is. Model: %s.",
                   answer->grade, grade_words[answer->grade], 100.0 * answer->probability,
                   reha_json_string(card, "trained_on", "research only"));
}

/* A length in millimetres, where there are any, and in pixels. */
static void add_length(const injury_case *work, reha_region *region, const reha_injury_found *found,
                       int number)
{
    char key[40];
    const double error_px = work->model->errors.along_ratio * found->along_px;
    (void)snprintf(key, sizeof key, "lesion-%d-length", number);
    (void)add(region, key, "Length along the fascicles", "mm", found->along_px * work->mm_per_px,
              error_px * work->mm_per_px, work->scale_source);
    (void)snprintf(key, sizeof key, "lesion-%d-length-px", number);
    (void)add(region, key, "Length along the fascicles in pixels", "px", found->along_px, error_px, "image");
}

static void add_lesion(const injury_case *work, reha_region *region, const reha_injury_found *found,
                       int number)
{
    char key[40];
    char label[64];
    (void)snprintf(key, sizeof key, "lesion-%d", number);
    (void)snprintf(label, sizeof label, "Marked region %d (simulated-lesion detector)", number);
    reha_finding *finding =
        add(region, key, label, "%", 100.0 * found->share, 100.0 * work->model->errors.share,
            "height in the belly, share of the muscle's thickness");
    if (finding != NULL) {
        finding->has_region = true;
        finding->region = found->box;
        (void)snprintf(
            finding->evidence, sizeof finding->evidence,
            "Score %.2f (told from %.2f on, at most one false region in ten pictures without a lesion). "
            "Covers %.0f %% of the thickness and %.1f %% of the visible belly; in %.0f %% of it the fibres "
            "look "
            "interrupted. The share of the cross-section cannot be told from a longitudinal picture.",
            found->score, work->model->rule.score_min, 100.0 * found->share, 100.0 * found->area_share,
            100.0 * found->torn_share);
    }
    (void)snprintf(key, sizeof key, "lesion-%d-area", number);
    (void)add(region, key, "Share of the visible belly", "%", 100.0 * found->area_share, (double)NAN,
              "image");
    add_length(work, region, found, number);
}

static int add_lesions(const injury_case *work, reha_region *region)
{
    int number = 0;
    for (int k = 0; k < work->reading.count; k++) {
        if (work->reading.found[k].score >= work->model->rule.score_min) {
            add_lesion(work, region, &work->reading.found[k], ++number);
        }
    }
    return number;
}

/* ---- what was drawn on ---- */

static void set_points(const injury_case *work, reha_region *region)
{
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        region->points[REHA_MUSCLE_POINTS_SUPERFICIAL + i] = work->belly.superficial[i];
        region->points[REHA_MUSCLE_POINTS_DEEP + i] = work->belly.deep[i];
    }
    region->point_count = REHA_INJURY_POINTS_OUTLINE;
    if (work->reading.count > 0 && work->reading.found[0].score >= work->model->rule.score_min) {
        region->point_count += reha_injury_outline(work->labels, work->reading.found[0].label, &work->frame,
                                                   region->points + REHA_INJURY_POINTS_OUTLINE);
    }
}

/* The map of what was taken for injured, only where a region is told: a picture should not show more than the
 * text. */
static reha_status set_map(const injury_case *work, reha_region *region, reha_error *err)
{
    REHA_TRY(reha_gray_new(REHA_MUSCLE_MAP_PX, REHA_MUSCLE_MAP_PX, &region->explanation, err));
    for (int i = 0; i < REHA_INJURY_MAP_COUNT; i++) {
        for (int k = 0; k < work->reading.count; k++) {
            const reha_injury_found *found = &work->reading.found[k];
            if (work->labels[i] == found->label && found->score >= work->model->rule.score_min) {
                region->explanation->pixels[i] = work->maps[i];
            }
        }
    }
    region->explanation_box = (reha_box_px){work->frame.box.x_px - 0.5, work->frame.box.y_px - 0.5,
                                            work->frame.box.width_px, work->frame.box.height_px};
    return REHA_OK;
}

/* The belly, and each region that is told by its number, as masks over the image. */
static void mark_belly(const injury_case *work, const reha_region *region, reha_mask *mask)
{
    const reha_box_px *box = &region->box;
    const uint32_t width_px = work->image->width_px;
    for (uint32_t y = 0; y < work->image->height_px; y++) {
        for (uint32_t x = 0; x < width_px; x++) {
            const bool is_tissue = x >= box->x_px && x <= box->x_px + box->width_px && y >= box->y_px &&
                                   y <= box->y_px + box->height_px;
            mask->inside[(size_t)y * width_px + x] =
                is_tissue && reha_injury_depth(&work->belly, (reha_point_px){x, y}) >= 0.0 ? 1 : 0;
        }
    }
}

static reha_status set_masks(const injury_case *work, reha_analysis *analysis, reha_error *err)
{
    reha_region *region = &analysis->regions[0];
    reha_mask *mask = NULL;
    int number = 0;
    REHA_TRY(reha_region_add_mask(analysis, region, "belly", &mask, err));
    mark_belly(work, region, mask);
    float *cells = reha_alloc(REHA_INJURY_MAP_COUNT * sizeof *cells);
    if (cells == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the masks of a picture");
    }
    reha_status status = REHA_OK;
    for (int k = 0; k < work->reading.count && status == REHA_OK; k++) {
        char key[REHA_MASK_KEY_BYTES];
        const reha_injury_found *found = &work->reading.found[k];
        if (found->score < work->model->rule.score_min) {
            continue;
        }
        for (int i = 0; i < REHA_INJURY_MAP_COUNT; i++) {
            cells[i] = work->labels[i] == found->label ? 1.0F : 0.0F;
        }
        (void)snprintf(key, sizeof key, "lesion-%d", ++number);
        status = reha_region_add_mask(analysis, region, key, &mask, err);
        if (status == REHA_OK) {
            reha_mask_from_map(cells, REHA_MUSCLE_MAP_PX, region->explanation_box, analysis->width_px,
                               analysis->height_px, mask);
        }
    }
    reha_free(cells);
    return status;
}

/* ---- notes ---- */

static void note_limits(const reha_model *model, reha_analysis *analysis)
{
    reha_analysis_note(
        analysis, REHA_NOTE_WARNING, "research-only",
        "Research only: %s. Never measured on a real injury unless the card says so; for no decision about a "
        "patient. No marked region does not mean no injury.",
        reha_json_string(model->card, "trained_on", "research only"));
}

/* A focal injury is smaller: a network that marks everything sees a kind of picture it does not know. */
static bool marks_nearly_all(const injury_case *work)
{
    for (int k = 0; k < work->reading.count; k++) {
        if (work->reading.found[k].score >= work->model->rule.score_min &&
            work->reading.found[k].area_share > NEARLY_ALL) {
            return true;
        }
    }
    return false;
}

static void note_findings(const injury_case *work, int told, reha_region *region)
{
    if (marks_nearly_all(work)) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "unlike-training",
            "More than half of the visible belly is marked: more likely the picture is unlike those of "
            "training (another scanner, preset or muscle) than injured. Do not use the result.");
    }
    if (told == 0) {
        reha_region_note(region, REHA_NOTE_INFO, "no-region",
                         "No region reaches the threshold. That excludes nothing: see the card for what is "
                         "missed even among "
                         "simulated lesions.");
    } else if (work->answer.grade == 0) {
        reha_region_note(region, REHA_NOTE_WARNING, "grade-and-region-differ",
                         "A region is marked, yet the grade proposal is 0: look at the picture yourself.");
    }
}

/* ---- the path ---- */

/* What muscle-us refused is refused here, in its words. */
static void pass_refusal_on(const reha_analysis *muscle, reha_analysis *analysis)
{
    bool has_reason = false;
    for (int i = 0; i < muscle->note_count; i++) {
        if (muscle->notes[i].level == REHA_NOTE_REFUSED) {
            reha_analysis_note(analysis, REHA_NOTE_REFUSED, muscle->notes[i].code, "%s",
                               muscle->notes[i].text);
            has_reason = true;
        }
    }
    if (!has_reason) {
        reha_analysis_note(analysis, REHA_NOTE_REFUSED, "one-aponeurosis",
                           "Not analysed: only one aponeurosis was found, so the belly is not known; show "
                           "both in the image.");
    }
}

/* Scale, side and the worth of the lines as muscle-us tells them. */
static void take_muscle(const reha_analysis *muscle, injury_case *work, reha_analysis *analysis)
{
    const reha_region *from = &muscle->regions[0];
    const reha_finding *mm = reha_region_find(from, "thickness");
    const reha_finding *px = reha_region_find(from, "thickness-px");
    const bool is_known = mm != NULL && px != NULL && isfinite(mm->measure.value) && px->measure.value > 0.0;
    reha_region *region = &analysis->regions[analysis->region_count++];
    work->mm_per_px = is_known ? mm->measure.value / px->measure.value : (double)NAN;
    (void)snprintf(work->scale_source, sizeof work->scale_source, "%s",
                   is_known ? mm->measure.source : "not measured: no scale is known");
    region->box = from->box;
    region->side = from->side;
    (void)snprintf(region->side_source, sizeof region->side_source, "%s", from->side_source);
    region->certainty = from->certainty;
    region->profile_unit = "1";
    region->is_accepted = true;
    analysis->is_accepted = true;
    for (int i = 0; i < muscle->note_count; i++) {
        reha_analysis_note(analysis, muscle->notes[i].level, muscle->notes[i].code, "%s",
                           muscle->notes[i].text);
    }
    for (int i = 0; i < from->note_count; i++) { /* of the lines; those of fascicles do not matter here */
        if (strcmp(from->notes[i].code, "uncertain") == 0 || strcmp(from->notes[i].code, "at-probe") == 0 ||
            strcmp(from->notes[i].code, "partly-seen") == 0) {
            reha_region_note(region, from->notes[i].level, from->notes[i].code, "%s", from->notes[i].text);
        }
    }
}

static reha_status detect(injury_case *work, bool with_masks, reha_analysis *analysis, reha_error *err)
{
    reha_region *region = &analysis->regions[0];
    REHA_TRY(reha_muscle_frame_find(work->image, &work->frame, err));
    REHA_TRY(reha_injury_model_run_(work->model, work->image, &work->frame, work->maps, err));
    REHA_TRY(reha_injury_read(work->maps, work->maps + REHA_INJURY_MAP_COUNT, &work->frame, &work->belly,
                              work->labels, &work->reading, err));
    work->answer = reha_injury_answer_of(&work->model->rule, work->reading.features);
    add_grade(work, region);
    note_findings(work, add_lesions(work, region), region);
    set_points(work, region);
    REHA_TRY(set_map(work, region, err));
    return with_masks ? set_masks(work, analysis, err) : REHA_OK;
}

static reha_status run_path(injury_case *work, bool with_masks, reha_analysis *analysis, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_analysis *muscle = NULL;
    bool found = false;
    REHA_CHECK(reha_injury_find_belly_(work->model, work->image, &analysis->acquisition, &work->belly, &found,
                                       &muscle, err));
    if (!found) {
        pass_refusal_on(muscle, analysis);
        goto done;
    }
    work->maps = reha_alloc((size_t)REHA_INJURY_MAPS * REHA_INJURY_MAP_COUNT * sizeof *work->maps);
    work->labels = reha_alloc_zero(REHA_INJURY_MAP_COUNT, sizeof *work->labels);
    if (work->maps == NULL || work->labels == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the maps of a picture");
        goto done;
    }
    note_limits(work->model, analysis);
    take_muscle(muscle, work, analysis);
    REHA_CHECK(detect(work, with_masks, analysis, err));
done:
    reha_free(work->maps);
    reha_free(work->labels);
    reha_analysis_free(muscle);
    return status;
}

static reha_status analyse(reha_model *model, const reha_gray *image, const reha_acquisition *acquisition,
                           const reha_analyse_options *options, reha_analysis **out, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    reha_analysis *analysis = NULL;
    *out = NULL;
    if (!model->has_rule) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the model's card has no rule for grades: run 'rehascope calibrate' first");
    }
    REHA_TRY(reha_analysis_begin(REHA_INJURY_TASK, reha_json_string(model->card, "name", ""),
                                 reha_json_string(model->card, "version", ""), image, acquisition, &analysis,
                                 err));
    if (analysis->acquisition.side == REHA_SIDE_UNKNOWN && options != NULL) {
        analysis->acquisition.side = options->side_hint;
    }
    injury_case work = {.model = model, .image = image};
    const bool with_masks = options != NULL && options->with_explanation;
    const reha_status status = run_path(&work, with_masks, analysis, err);
    return reha_analysis_end(status, start_ms, analysis, out);
}

/* ---- the table entry ---- */

static const json_t *card(const reha_model *model)
{
    return model->card;
}

const reha_recogniser reha_recogniser_muscle_injury = {
    .name = REHA_INJURY_TASK,
    .title = "Focal muscle injury on B-mode ultrasound (trained on simulated lesions, research only)",
    .accepts = "longitudinal B-mode ultrasound of skeletal muscle with both aponeuroses; only when asked "
               "for by name",
    .open = reha_injury_model_open_,
    .close = reha_injury_model_close_,
    .analyse = analyse,
    .card = card,
    .train = reha_injury_train,
    .evaluate = reha_injury_evaluate_,
    .calibrate = reha_injury_calibrate_,
    .audit = reha_injury_audit_,
};
