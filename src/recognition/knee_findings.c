/* What is known about a knee, as findings: numbers with unit, error and source, and the evidence in words
 * that a clinician uses. The words describe what was measured; they never promise more than that. */
#include "recognition/knee_oa_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double NORMAL_95 = 1.959964;
static const char SNOMED[] = "http://snomed.info/sct";
enum { DISEASE_GRADE = 2, NARROWED_GRADE = 3 };

reha_point_px reha_knee_to_input_(const knee_case *knee, double x_px, double y_px)
{
    const double shift = 0.5 * (knee->reduction - 1.0);
    return (reha_point_px){.x_px = x_px * knee->reduction + shift, .y_px = y_px * knee->reduction + shift};
}

/* A sentence that grows; what does not fit is left out as a whole. */
typedef struct sentence {
    char *text;
    size_t size, used;
} sentence;

static void say(sentence *to, const char *format, ...) REHA_PRINTF(2, 3);
static void say(sentence *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands right above */
    const int length = vsnprintf(to->text + to->used, to->size - to->used, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= to->size - to->used) {
        to->text[to->used] = '\0';
        return;
    }
    to->used += (size_t)length;
}

/* ---- Joint space ---- */

typedef struct width_scale {
    bool is_mm;
    double per_ratio; /* of the unit per plateau width */
} width_scale;

static width_scale scale_of(const knee_case *knee)
{
    const bool is_mm = reha_spacing_is_known(knee->spacing);
    return (width_scale){.is_mm = is_mm, .per_ratio = is_mm ? knee->space.plateau_width : 1.0};
}

/* 95 % half width of the minimum width: error of the cross-validation and this image's own spread. */
static double width_error(const knee_case *knee, width_scale scale, int side)
{
    const reha_knee_errors *errors = &knee->model->card.errors;
    const double known = scale.is_mm ? errors->jsw_sd_mm : errors->jsw_sd_ratio;
    const double own =
        isfinite(knee->width_sd_ratio[side]) ? knee->width_sd_ratio[side] * scale.per_ratio : 0.0;
    return NORMAL_95 * sqrt(known * known + own * own);
}

static void set_width(const knee_case *knee, reha_finding *finding, double ratio, double error)
{
    const width_scale scale = scale_of(knee);
    finding->measure.value = ratio * scale.per_ratio;
    finding->measure.unit = scale.is_mm ? "mm" : "1";
    finding->measure.error = error;
    (void)snprintf(finding->measure.error_source, sizeof finding->measure.error_source,
                   "95 %%: cross-validated error%s",
                   knee->points.pass_count > 1 ? " and spread over repeated looks" : "");
    (void)snprintf(finding->measure.source, sizeof finding->measure.source, "%s",
                   scale.is_mm ? reha_spacing_source_text(knee->spacing.source)
                               : "ratio to the tibial plateau width: the image states no pixel spacing");
}

static void place_of_width(const knee_case *knee, const reha_compartment *side, reha_finding *finding)
{
    const reha_point_px lateral = knee->points.points[0];
    const reha_point_px medial = knee->points.points[REHA_KNEE_TIBIA_POINTS - 1];
    const reha_point_px at =
        reha_knee_to_input_(knee, lateral.x_px + side->minimum_at * (medial.x_px - lateral.x_px),
                            lateral.y_px + side->minimum_at * (medial.y_px - lateral.y_px));
    const double size = 0.12 * knee->pose.plateau_width_px * knee->reduction;
    finding->has_region = true;
    finding->region = (reha_box_px){at.x_px - 0.5 * size, at.y_px - size, size, 1.5 * size};
}

static void add_width(const knee_case *knee, reha_region *region, int side, const char *key,
                      const char *label)
{
    reha_finding *finding = reha_region_add(region, key, label);
    if (finding == NULL) {
        return;
    }
    const reha_compartment *space = &knee->space.sides[side];
    set_width(knee, finding, space->minimum, width_error(knee, scale_of(knee), side));
    place_of_width(knee, space, finding);
    (void)snprintf(
        finding->evidence, sizeof finding->evidence,
        "Narrowest at %.0f %% of the plateau from its lateral edge; mean over the compartment %.*f%s.",
        100.0 * space->minimum_at, scale_of(knee).is_mm ? 1 : 3, space->mean * scale_of(knee).per_ratio,
        scale_of(knee).is_mm ? " mm" : " of the plateau width");
}

/* Compares with the grades whose average width lies about as near as the nearest does. Knees wider than every
 * average are simply not narrowed: a wide joint space is no finding. */
static void say_comparison(const knee_case *knee, sentence *to, double width_mm)
{
    const reha_knee_errors *errors = &knee->model->card.errors;
    const double tolerance = 0.3; /* mm: grades 0 to 2 differ by no more */
    double widest = 0.0;
    double nearest = INFINITY;
    for (int k = 0; k < REHA_GRADES; k++) {
        widest = fmax(widest, errors->reference_jsw_mm[k]);
    }
    const double width = fmin(width_mm, widest);
    for (int k = 0; k < REHA_GRADES; k++) {
        nearest = fmin(nearest, fabs(errors->reference_jsw_mm[k] - width));
    }
    int low = -1;
    int high = -1;
    double mean = 0.0;
    int count = 0;
    for (int k = 0; k < REHA_GRADES; k++) {
        if (fabs(errors->reference_jsw_mm[k] - width) <= nearest + tolerance) {
            low = low < 0 ? k : low;
            high = k;
            mean += errors->reference_jsw_mm[k];
            count++;
        }
    }
    mean /= count;
    const bool is_mm = reha_spacing_is_known(knee->spacing);
    char grades[24];
    if (low == high) {
        (void)snprintf(grades, sizeof grades, "KL %d", low);
    } else {
        (void)snprintf(grades, sizeof grades, "KL %d to %d", low, high);
    }
    say(to,
        width_mm >= widest ? " Not narrowed: %s knees average %.*f%s."
                           : " Closest to the average of %s knees (%.*f%s).",
        grades, is_mm ? 1 : 3, is_mm ? mean : mean / errors->plateau_width_mm, is_mm ? " mm" : "");
}

static double width_mm_like(const knee_case *knee, double ratio)
{
    return reha_spacing_is_known(knee->spacing) ? ratio * knee->space.plateau_width
                                                : ratio * knee->model->card.errors.plateau_width_mm;
}

static int narrower_side(const knee_case *knee)
{
    return knee->space.sides[REHA_MEDIAL].minimum <= knee->space.sides[REHA_LATERAL].minimum ? REHA_MEDIAL
                                                                                             : REHA_LATERAL;
}

static void say_widths(const knee_case *knee, sentence *to)
{
    const width_scale scale = scale_of(knee);
    const int narrow = narrower_side(knee);
    const reha_compartment *one = &knee->space.sides[narrow];
    const reha_compartment *other = &knee->space.sides[1 - narrow];
    static const char *const names[2] = {"lateral", "medial"};
    const int digits = scale.is_mm ? 1 : 3;
    if (knee->lateral_is_sure) {
        say(to, "Joint space narrowest in the %s compartment: %.*f%s (± %.*f), %s %.*f.", names[narrow],
            digits, one->minimum * scale.per_ratio, scale.is_mm ? " mm" : " of the plateau width", digits,
            width_error(knee, scale, narrow), names[1 - narrow], digits, other->minimum * scale.per_ratio);
    } else {
        say(to, "Joint space at its narrowest %.*f%s (± %.*f); which side is medial could not be told.",
            digits, one->minimum * scale.per_ratio, scale.is_mm ? " mm" : " of the plateau width", digits,
            width_error(knee, scale, narrow));
    }
    say_comparison(knee, to, width_mm_like(knee, one->minimum));
}

static void add_joint_space(const knee_case *knee, reha_region *region)
{
    if (!knee->has_points) {
        reha_finding *finding = reha_region_add(region, "jsw-min", "Minimum joint space width");
        if (finding != NULL) {
            finding->measure.unit = reha_spacing_is_known(knee->spacing) ? "mm" : "1";
            (void)snprintf(finding->measure.source, sizeof finding->measure.source,
                           "not measured: the bone edges could not be placed reliably in this image");
        }
        return;
    }
    const int narrow = narrower_side(knee);
    add_width(knee, region, narrow, "jsw-min", "Minimum joint space width");
    if (knee->lateral_is_sure) {
        add_width(knee, region, REHA_MEDIAL, "jsw-medial-min", "Minimum joint space width, medial");
        add_width(knee, region, REHA_LATERAL, "jsw-lateral-min", "Minimum joint space width, lateral");
    }
    reha_finding *plateau = reha_region_add(region, "plateau-width", "Width of the tibial plateau");
    if (plateau != NULL) {
        const bool is_mm = reha_spacing_is_known(knee->spacing);
        const double spread = isfinite(knee->points.spread_ratio) ? knee->points.spread_ratio : 0.0;
        const double width =
            is_mm ? knee->space.plateau_width : knee->pose.plateau_width_px * knee->reduction;
        const double mm_share =
            knee->model->card.errors.landmark_mean_mm / knee->model->card.errors.plateau_width_mm;
        plateau->measure.value = width;
        plateau->measure.unit = is_mm ? "mm" : "px";
        plateau->measure.error = NORMAL_95 * width * hypot(mm_share, spread);
        (void)snprintf(plateau->measure.error_source, sizeof plateau->measure.error_source,
                       "95 %%: cross-validated landmark error and spread over repeated looks");
        (void)snprintf(plateau->measure.source, sizeof plateau->measure.source, "%s",
                       is_mm ? reha_spacing_source_text(knee->spacing.source)
                             : "pixels: no pixel spacing is stated");
    }
}

/* A place along the plateau and a depth below it, as a point of the whole image. */
static reha_point_px edge_point(const knee_case *knee, double x_ratio, double depth)
{
    const reha_point_px lateral = knee->points.points[0];
    const reha_point_px medial = knee->points.points[REHA_KNEE_TIBIA_POINTS - 1];
    const double ux = medial.x_px - lateral.x_px;
    const double uy = medial.y_px - lateral.y_px;
    const double down = ux < 0.0 ? -depth : depth;
    return reha_knee_to_input_(knee, lateral.x_px + x_ratio * ux - down * uy,
                               lateral.y_px + x_ratio * uy + down * ux);
}

static void add_geometry(const knee_case *knee, reha_region *region)
{
    if (!knee->has_points) {
        return;
    }
    const width_scale scale = scale_of(knee);
    for (int i = 0; i < REHA_KNEE_POINTS; i++) {
        region->points[i] =
            reha_knee_to_input_(knee, knee->points.points[i].x_px, knee->points.points[i].y_px);
    }
    region->point_count = REHA_KNEE_POINTS;
    region->profile_unit = scale.is_mm ? "mm" : "1";
    int n = 0;
    for (int side = REHA_LATERAL; side <= REHA_MEDIAL; side++) {
        const reha_compartment *space = &knee->space.sides[side];
        for (int i = 0; i < space->count && n < REHA_PROFILE_MAX; i++, n++) {
            region->profile_x_ratio[n] = space->x_ratio[i];
            region->profile_width[n] = space->width[i] * scale.per_ratio;
            region->profile_upper[n] = edge_point(knee, space->x_ratio[i], space->femur[i]);
            region->profile_lower[n] = edge_point(knee, space->x_ratio[i], space->tibia[i]);
        }
        if (side == REHA_LATERAL && n < REHA_PROFILE_MAX) { /* the notch has no joint space */
            region->profile_x_ratio[n] =
                0.5 * (space->x_ratio[space->count - 1] + knee->space.sides[REHA_MEDIAL].x_ratio[0]);
            region->profile_upper[n] = region->profile_lower[n] = (reha_point_px){(double)NAN, (double)NAN};
            region->profile_width[n++] = (double)NAN;
        }
    }
    region->profile_count = n;
    region->has_profile_edges = true;
}

/* ---- Grade ---- */

static void say_evidence(const knee_case *knee, sentence *to)
{
    if (knee->has_points) {
        say_widths(knee, to);
        const double narrow = width_mm_like(knee, knee->space.sides[narrower_side(knee)].minimum);
        const double *reference = knee->model->card.errors.reference_jsw_mm;
        if (knee->grade >= NARROWED_GRADE &&
            narrow > 0.5 * (reference[DISEASE_GRADE] + reference[NARROWED_GRADE])) {
            say(to, " That is not narrow for this grade: check it on the image.");
        }
    }
    if (isfinite(knee->evidence_medial)) {
        const double medial = 100.0 * knee->evidence_medial;
        if (medial >= 60.0 || medial <= 40.0) {
            say(to, " %.0f %% of what moved the model towards KL %d lies in the %s half.",
                medial >= 60.0 ? medial : 100.0 - medial, knee->grade, medial >= 60.0 ? "medial" : "lateral");
        } else {
            say(to, " What moved the model towards KL %d lies in both halves.", knee->grade);
        }
    }
    say(to, " Osteophytes and sclerosis are not measured.");
}

static void add_grade(const knee_case *knee, reha_region *region)
{
    const reha_ordinal_calibration *calibration = &knee->model->card.calibration;
    reha_finding *finding = reha_region_add(region, "kl-grade", "Kellgren-Lawrence grade");
    if (finding == NULL) {
        return;
    }
    double expected = 0.0;
    double square = 0.0;
    finding->class_count = REHA_GRADES;
    for (int k = 0; k < REHA_GRADES; k++) {
        finding->class_probabilities[k] = knee->probabilities[k];
        expected += k * knee->probabilities[k];
        square += (double)k * k * knee->probabilities[k];
    }
    finding->grade = knee->grade;
    finding->probability = knee->probabilities[knee->grade];
    finding->expected_grade = expected;
    if (calibration->fitted_on > 0) {
        reha_ordinal_set(calibration, knee->probabilities, &finding->set_low, &finding->set_high);
        finding->set_coverage = calibration->coverage;
    }
    finding->measure.value = expected;
    finding->measure.unit = "{grade}";
    finding->measure.error = NORMAL_95 * sqrt(fmax(square - expected * expected, 0.0));
    (void)snprintf(finding->measure.error_source, sizeof finding->measure.error_source,
                   "95 %%: spread of the calibrated probabilities");
    (void)snprintf(finding->measure.source, sizeof finding->measure.source,
                   "expected grade of the network's distribution");
    finding->has_region = true;
    finding->region = region->box;
    sentence evidence = {.text = finding->evidence, .size = sizeof finding->evidence};
    say_evidence(knee, &evidence);
}

static void add_disease(const knee_case *knee, reha_region *region)
{
    reha_finding *finding =
        reha_region_add(region, "oa", "Radiographic osteoarthritis of the knee (KL 2 or more)");
    if (finding == NULL) {
        return;
    }
    finding->code = (reha_code){SNOMED, "239873007", "Osteoarthritis of knee"};
    finding->probability = 0.0;
    for (int k = DISEASE_GRADE; k < REHA_GRADES; k++) {
        finding->probability += knee->probabilities[k];
    }
    finding->probability = fmin(finding->probability, 1.0);
    finding->has_region = true;
    finding->region = region->box;
    (void)snprintf(
        finding->evidence, sizeof finding->evidence,
        "Sum of the calibrated probabilities of KL 2, 3 and 4. A picture alone is no diagnosis: treatment "
        "follows symptoms and function.");
}

void reha_knee_findings_(const knee_case *knee, reha_region *region)
{
    add_grade(knee, region);
    add_disease(knee, region);
    add_joint_space(knee, region);
    add_geometry(knee, region);
}
