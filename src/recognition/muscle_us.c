/* The path of one image, readable from the bottom of this file upwards:
 *
 *   facts of the file -> square pixels -> tissue frame -> network (two framings, each mirrored too) ->
 * aponeuroses, thickness, direction, length, echo -> millimetres where the scale is known -> findings.
 *
 * A picture without tissue is refused; whatever else is wrong is flagged, and what can be measured is told.
 */
#include "recognition/muscle_us.h"

#include "base/clock.h"
#include "image/resample.h"
#include "recognition/muscle_finding.h"
#include "recognition/muscle_ruler.h"
#include "recognition/muscle_train.h"
#include "recognition/muscle_us_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CURVE_POINTS = 16, THICKNESS_LINES = 3, SIDE_MIN_PX = 64 };
static const double SPECKLE_MIN = 0.5;   /* of the frame: less is a drawing, a chart, a blank */
static const double CHROMA_MAX = 0.35;   /* more colour than a Doppler box: tinted echo, or a photograph */
static const double COVERAGE_WARN = 0.6; /* of the width in which an aponeurosis was seen */
/* Mean probability along the lines: below, nothing is told. Muscles have 0.8 to 1; of radiographs seven in
 * ten have less than 0.3, and hardly any shows two lines. */
static const double CERTAINTY_MIN = 0.30;
static const double CERTAINTY_MIN_ONE_LINE = 0.70; /* unless the file says that it is ultrasound */
static const double CERTAINTY_WARN = 0.6;
static const double PROBE_DEPTH = 0.02; /* of the tissue's height: skin and gel, never muscle */
static const double TEXTURE_DIFFERS_DEG = 10.0;
static const double OUTSIDE_WARN = 0.25;
static const double SQUARE_TOLERANCE = 0.02;
static const double VIEWS_DIFFER_RATIO = 0.05, VIEWS_DIFFER_DEG = 3.0; /* SD over the views */
static const double Z95 = 1.96;

const char *const reha_muscle_measurement_names[] = {"fascicle_angle_deg",
                                                     "superficial_aponeurosis_angle_deg",
                                                     "deep_aponeurosis_angle_deg",
                                                     "pennation_deg",
                                                     "thickness_mm",
                                                     "thickness_px",
                                                     "fascicle_length_mm",
                                                     "fascicle_length_px",
                                                     "fascicle_length_curved_mm",
                                                     "fascicle_length_curved_px",
                                                     "fascicle_length_extrapolated",
                                                     "echo_intensity",
                                                     NULL};

/* ---- Gate ---- */

static bool refuse(reha_analysis *analysis, const char *code, const char *text)
{
    reha_analysis_note(analysis, REHA_NOTE_REFUSED, code, "Not measured: %s.", text);
    return true;
}

static bool is_refused_by_facts(const reha_acquisition *facts, reha_analysis *analysis)
{
    if (facts->modality[0] != '\0' && strcmp(facts->modality, "US") != 0 &&
        strcmp(facts->modality, "OT") != 0 && strcmp(facts->modality, "SC") != 0) {
        char text[96];
        (void)snprintf(text, sizeof text, "the file says modality %s; give a B-mode ultrasound image",
                       facts->modality);
        return refuse(analysis, "wrong-modality", text);
    }
    return false;
}

static bool is_refused_by_frame(const reha_muscle_frame *frame, reha_analysis *analysis)
{
    if (frame->sd < 1e-6 || frame->speckle < SPECKLE_MIN) {
        return refuse(analysis, frame->sd < 1e-6 ? "blank" : "no-tissue",
                      "no ultrasound echo was found in the picture; give a B-mode image of a muscle");
    }
    if (frame->box.width_px < SIDE_MIN_PX || frame->box.height_px < SIDE_MIN_PX) {
        return refuse(analysis, "too-small",
                      "the tissue is smaller than 64 pixels; export the image at full size");
    }
    return false;
}

/* ---- Certainty ---- */

/* Highest probability near a point of the curve: the curve runs along the band's edge. */
static double probability_near(const reha_muscle_case *work, double x, double y, int direction)
{
    double most = 0.0;
    const reha_box_px *box = &work->frame.box;
    const int column = (int)((x + 0.5 - box->x_px) / box->width_px * REHA_MUSCLE_MAP_PX);
    const int row = (int)((y + 0.5 - box->y_px) / box->height_px * REHA_MUSCLE_MAP_PX);
    for (int k = -1; k <= 4; k++) {
        const int at = row + direction * k;
        if (at >= 0 && at < REHA_MUSCLE_MAP_PX && column >= 0 && column < REHA_MUSCLE_MAP_PX) {
            most = fmax(most,
                        (double)work->maps.mean[REHA_MUSCLE_APONEUROSIS][at * REHA_MUSCLE_MAP_PX + column]);
        }
    }
    return most;
}

static double certainty_of(const reha_muscle_case *work)
{
    double sum = 0.0;
    int count = 0;
    for (int i = 0; i < 2 * CURVE_POINTS; i++) {
        const bool is_deep = i >= CURVE_POINTS;
        if (!(is_deep ? work->main.has_deep : work->main.has_superficial)) {
            continue;
        }
        const reha_muscle_curve *curve = is_deep ? &work->main.deep : &work->main.superficial;
        const double x =
            work->frame.box.x_px + work->frame.box.width_px * (i % CURVE_POINTS + 0.5) / CURVE_POINTS;
        sum += probability_near(work, x, reha_muscle_curve_at(curve, x), is_deep ? 1 : -1);
        count++;
    }
    return count > 0 ? sum / count : 0.0;
}

/* ---- Findings ---- */

typedef double value_of(const reha_muscle_measurement *m);

static double fascicle_of(const reha_muscle_measurement *m)
{
    return m->fascicle_angle_deg;
}
static double superficial_of(const reha_muscle_measurement *m)
{
    return m->superficial_angle_deg;
}
static double deep_of(const reha_muscle_measurement *m)
{
    return m->deep_angle_deg;
}
static double pennation_of(const reha_muscle_measurement *m)
{
    return m->pennation_deg;
}
static double thickness_of(const reha_muscle_measurement *m)
{
    return m->thickness_px;
}

/* Standard deviation over the views of the network: how little they agree. */
static double view_sd(const reha_muscle_case *work, value_of *value)
{
    double sum = 0.0;
    double squares = 0.0;
    int count = 0;
    for (int v = 0; v < REHA_MUSCLE_VIEWS; v++) {
        const double off = value(&work->views[v]) - value(&work->main);
        if (isfinite(off)) {
            sum += off;
            squares += off * off;
            count++;
        }
    }
    return count > 1 ? sqrt(fmax(0.0, squares / count - sum / count * (sum / count))) : 0.0;
}

/* The larger of what held-out pictures showed and what this picture shows. */
static double error_of(double held_out, double sd_a, double sd_b)
{
    const double here =
        Z95 * sqrt((isfinite(sd_a) ? sd_a * sd_a : 0.0) + (isfinite(sd_b) ? sd_b * sd_b : 0.0));
    return isfinite(held_out) ? fmax(held_out, here) : here > 0.0 ? here : (double)NAN;
}

static reha_finding *add(reha_region *region, const char *key, const char *label, const char *unit,
                         double value, double error, const char *error_source)
{
    return reha_muscle_finding_add(region, key, label, unit, value, error, error_source,
                                   isfinite(value) ? "image" : "not measured: see the notes");
}

/* A length twice: in millimetres, where there are any, and in pixels. */
static void add_length(const reha_muscle_case *work, reha_region *region, const char *key, const char *label,
                       double px, double error_px, const char *error_source)
{
    char px_key[40];
    char px_label[96];
    reha_finding *mm =
        add(region, key, label, "mm", px * work->mm_per_px, error_px * work->mm_per_px, error_source);
    if (mm != NULL && isfinite(px)) {
        (void)snprintf(mm->measure.source, sizeof mm->measure.source, "%s", work->scale_source);
    }
    (void)snprintf(px_key, sizeof px_key, "%s-px", key);
    (void)snprintf(px_label, sizeof px_label, "%s in pixels", label);
    (void)add(region, px_key, px_label, "px", px, error_px, error_source);
}

/* A picture with three clear pieces says far less of the direction than one with thirty. */
static double known_fascicle_error(const reha_muscle_case *work)
{
    const reha_muscle_errors *known = &work->model->errors;
    return hypot(known->fascicle_angle_deg, known->fascicle_pieces_deg / fmax(1.0, work->main.segment_count));
}

static void add_angles(const reha_muscle_case *work, reha_region *region)
{
    static const char source[] = "held-out pictures by pieces seen, their spread, four views";
    const reha_muscle_measurement *m = &work->main;
    const reha_muscle_errors *known = &work->model->errors;
    reha_finding *finding =
        add(region, "fascicle-angle", "Fascicle angle against the horizontal", "deg", m->fascicle_angle_deg,
            error_of(known_fascicle_error(work), m->fascicle_error_deg, view_sd(work, fascicle_of)), source);
    if (finding != NULL && (m->direction_source == REHA_MUSCLE_DIRECTION_FASCICLES ||
                            m->direction_source == REHA_MUSCLE_DIRECTION_FAINT)) {
        (void)snprintf(
            finding->evidence, sizeof finding->evidence,
            "Main direction of what was marked as fascicle; %d clear pieces, spread %.1f deg. The grey texture "
            "runs at %.1f deg.",
            m->segment_count, isfinite(m->fascicle_spread_deg) ? m->fascicle_spread_deg : 0.0,
            m->texture_angle_deg);
    } else if (finding != NULL && m->direction_source == REHA_MUSCLE_DIRECTION_TEXTURE) {
        (void)snprintf(finding->evidence, sizeof finding->evidence,
                       "Direction of the grey texture of the belly (%.0f %% of it): no fascicle was marked.",
                       100.0 * m->texture_share);
    }
    (void)add(region, "superficial-aponeurosis-angle", "Superficial aponeurosis against the horizontal",
              "deg", m->superficial_angle_deg,
              error_of(known->aponeurosis_angle_deg, 0.0, view_sd(work, superficial_of)), source);
    (void)add(region, "deep-aponeurosis-angle", "Deep aponeurosis against the horizontal", "deg",
              m->deep_angle_deg, error_of(known->aponeurosis_angle_deg, 0.0, view_sd(work, deep_of)), source);
    const double both = hypot(known_fascicle_error(work), known->aponeurosis_angle_deg);
    (void)add(region, "pennation", "Pennation angle (fascicle against deep aponeurosis)", "deg",
              m->pennation_deg, error_of(both, m->fascicle_error_deg, view_sd(work, pennation_of)), source);
}

static void add_lengths(const reha_muscle_case *work, reha_region *region)
{
    const reha_muscle_measurement *m = &work->main;
    const double thickness_error =
        error_of(work->model->errors.thickness_ratio * m->thickness_px, 0.0, view_sd(work, thickness_of));
    add_length(work, region, "thickness", "Muscle thickness", m->thickness_px, thickness_error,
               "held-out pictures, four views");
    const reha_finding *pennation = reha_region_find(region, "pennation");
    /* L = T / sin(p): relative errors of thickness and of the sine add in squares. */
    const double radians = m->pennation_deg * 3.14159265358979323846 / 180.0;
    const double angle_part = pennation != NULL
                                  ? pennation->measure.error * 3.14159265358979323846 / 180.0 / tan(radians)
                                  : (double)NAN;
    const double relative = hypot(thickness_error / m->thickness_px, angle_part);
    static const char source[] = "errors of thickness and angle, spread along the muscle";
    const double error = hypot(m->length_px * relative, Z95 * m->length_sd_px / 3.0);
    add_length(work, region, "fascicle-length", "Fascicle length, straight", m->length_px, error, source);
    add_length(work, region, "fascicle-length-curved", "Fascicle length along its curve", m->length_curved_px,
               error, source);
    (void)add(region, "fascicle-length-extrapolated", "Share of the fascicle length outside of the image",
              "%", 100.0 * m->length_outside, (double)NAN, "");
    reha_finding *echo =
        add(region, "echo-intensity", "Echo intensity of the belly", "{grey}", m->echo_mean, (double)NAN, "");
    if (echo != NULL && isfinite(m->echo_sd)) {
        (void)snprintf(
            echo->evidence, sizeof echo->evidence,
            "Mean grey level between the aponeuroses, SD %.1f. Compare only pictures of one scanner with one setting.",
            m->echo_sd);
    }
}

static void set_points(const reha_muscle_case *work, reha_region *region)
{
    const reha_muscle_measurement *m = &work->main;
    if (!m->has_superficial || !m->has_deep) {
        return;
    }
    for (int i = 0; i < CURVE_POINTS; i++) {
        const double x = work->frame.box.x_px + work->frame.box.width_px * i / (CURVE_POINTS - 1.0) - 0.5;
        region->points[REHA_MUSCLE_POINTS_SUPERFICIAL + i] =
            (reha_point_px){x, reha_muscle_curve_at(&m->superficial, x)};
        region->points[REHA_MUSCLE_POINTS_DEEP + i] = (reha_point_px){x, reha_muscle_curve_at(&m->deep, x)};
    }
    for (int i = 0; i < THICKNESS_LINES; i++) {
        const int at = (2 * i + 1) * REHA_MUSCLE_PROFILE / (2 * THICKNESS_LINES);
        const double slope = 0.5 * (reha_muscle_curve_slope_at(&m->superficial, m->profile_x_px[at]) +
                                    reha_muscle_curve_slope_at(&m->deep, m->profile_x_px[at]));
        const double half =
            0.5 * (isfinite(m->profile_px[at]) ? m->profile_px[at] : 0.0) / sqrt(1.0 + slope * slope);
        region->points[REHA_MUSCLE_POINTS_THICKNESS + 2 * i] =
            (reha_point_px){m->profile_x_px[at] + slope * half, m->profile_y_px[at] - half};
        region->points[REHA_MUSCLE_POINTS_THICKNESS + 2 * i + 1] =
            (reha_point_px){m->profile_x_px[at] - slope * half, m->profile_y_px[at] + half};
    }
    region->point_count = REHA_MUSCLE_POINTS_FASCICLES;
    for (int i = 0; i < m->shown_count && region->point_count + 2 <= REHA_POINTS_MAX; i++) {
        region->points[region->point_count++] = m->shown[i][0];
        region->points[region->point_count++] = m->shown[i][1];
    }
}

static void set_profile(const reha_muscle_case *work, reha_region *region)
{
    const bool is_mm = isfinite(work->mm_per_px);
    if (!isfinite(work->main.thickness_px)) {
        return;
    }
    region->profile_is_thickness = true;
    region->profile_unit = is_mm ? "mm" : "px";
    region->profile_count = REHA_MUSCLE_PROFILE;
    for (int i = 0; i < REHA_MUSCLE_PROFILE; i++) {
        region->profile_x_ratio[i] =
            (work->main.profile_x_px[i] - work->frame.box.x_px) / work->frame.box.width_px;
        region->profile_width[i] = work->main.profile_px[i] * (is_mm ? work->mm_per_px : 1.0);
    }
}

/* ---- Warnings ---- */

static void warn_about_lines(const reha_muscle_case *work, reha_region *region)
{
    const reha_muscle_measurement *m = &work->main;
    if (!m->has_superficial || !m->has_deep) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "one-aponeurosis",
            "Only the %s aponeurosis was found: no thickness, no fascicle length. Show both in the image.",
            m->has_superficial ? "superficial" : "deep");
    } else if (fmin(m->superficial.coverage, m->deep.coverage) < COVERAGE_WARN) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "partly-seen",
            "An aponeurosis was seen in %.0f %% of the width only; the rest of its line is extrapolated.",
            100.0 * fmin(m->superficial.coverage, m->deep.coverage));
    }
    if (m->band_count > 2) {
        reha_region_note(
            region, REHA_NOTE_INFO, "several-muscles",
            "%d aponeuroses are visible; the belly with the most visible fascicles was measured.",
            m->band_count);
    }
    if (m->has_superficial && reha_muscle_curve_at(&m->superficial, m->superficial.x_middle) <
                                  work->frame.box.y_px + PROBE_DEPTH * work->frame.box.height_px) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "at-probe",
            "The superficial line lies at the probe's face, not on an aponeurosis: check it on the picture.");
    }
    const double thickness_sd = view_sd(work, thickness_of) / m->thickness_px;
    const double pennation_sd = view_sd(work, pennation_of);
    if (thickness_sd > VIEWS_DIFFER_RATIO || pennation_sd > VIEWS_DIFFER_DEG) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "views-differ",
            "Seen mirrored and in two framings, the picture gives thicknesses that differ by %.0f %% and pennations "
            "by %.1f deg (SD): check the lines on the picture.",
            100.0 * (isfinite(thickness_sd) ? thickness_sd : 0.0), pennation_sd);
    }
    if (region->certainty < CERTAINTY_WARN) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "uncertain",
            "The network is unsure of these lines (%.2f of 1): check them on the picture before use.",
            region->certainty);
    }
}

static void warn_about_fascicles(const reha_muscle_case *work, reha_region *region)
{
    const reha_muscle_measurement *m = &work->main;
    if (m->direction_source == REHA_MUSCLE_DIRECTION_NONE) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "no-fascicles",
            "No fascicle and no direction of the texture was found: no angle, no fascicle length. A transverse image? "
            "Give the muscle's border with --outline.");
    } else if (m->direction_source == REHA_MUSCLE_DIRECTION_TEXTURE) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "by-texture",
            "No fascicle was seen: the angle is that of the grey texture. Check it on the picture.");
    } else if (m->direction_source == REHA_MUSCLE_DIRECTION_FAINT) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "few-fascicles",
            "Hardly any fascicle was seen: the angle rests on faint traces. Check it on the picture.");
    } else if (isfinite(m->texture_angle_deg) &&
               fabs(m->texture_angle_deg - m->fascicle_angle_deg) > TEXTURE_DIFFERS_DEG) {
        reha_region_note(region, REHA_NOTE_WARNING, "texture-differs",
                         "Marked fascicles (%.0f deg) and grey texture (%.0f deg) disagree: check the angle.",
                         m->fascicle_angle_deg, m->texture_angle_deg);
    }
    if (m->has_superficial && m->has_deep && isfinite(m->fascicle_angle_deg) && isnan(m->length_px)) {
        reha_region_note(region, REHA_NOTE_WARNING, "parallel",
                         "The fascicles run nearly parallel to the deep aponeurosis: no fascicle length.");
    }
    if (m->length_outside > OUTSIDE_WARN) {
        reha_region_note(
            region, REHA_NOTE_WARNING, "extrapolated",
            "%.0f %% of the fascicle length lies outside of the image and is extrapolated along straight lines.",
            100.0 * m->length_outside);
    }
    if (isfinite(m->length_curved_px)) {
        reha_region_note(
            region, REHA_NOTE_INFO, "curved",
            "The fascicles turn by %.1f deg from deep to superficial; the curved length follows that.",
            m->bending_deg);
    }
}

/* ---- Scale ---- */

static reha_status find_scale(reha_muscle_case *work, reha_analysis *analysis, reha_error *err)
{
    const reha_spacing *known = &work->image->spacing;
    work->mm_per_px = (double)NAN;
    if (reha_spacing_is_known(*known)) {
        work->mm_per_px =
            work->squared != NULL ? fmin(known->x_mm, known->y_mm) : sqrt(known->x_mm * known->y_mm);
        (void)snprintf(work->scale_source, sizeof work->scale_source, "%s",
                       reha_spacing_source_text(known->source));
        if (work->squared != NULL) {
            reha_analysis_note(
                analysis, REHA_NOTE_REPAIRED, "not-square",
                "The pixels are not square (%.4f x %.4f mm): measured in a copy with pixels of %.4f mm, to "
                "which lengths in pixels refer.",
                known->x_mm, known->y_mm, work->mm_per_px);
        }
        return REHA_OK;
    }
    reha_muscle_ruler ruler;
    REHA_TRY(reha_muscle_ruler_read(work->image, &work->frame, &ruler, err));
    if (ruler.is_certain) {
        work->mm_per_px = ruler.unit_mm / ruler.step_px;
        (void)snprintf(work->scale_source, sizeof work->scale_source,
                       "ruler, %d ticks, taken as %.0f mm each (assumed)", ruler.tick_count, ruler.unit_mm);
        reha_analysis_note(
            analysis, REHA_NOTE_WARNING, "scale-by-ruler",
            "Millimetres come from %d ticks of the ruler in the picture, %.2f px apart, taken as %.0f mm and "
            "as square pixels: check, or state the scale (--mm-per-px, or when uploading).",
            ruler.tick_count, ruler.step_px, ruler.unit_mm);
    } else {
        (void)snprintf(work->scale_source, sizeof work->scale_source,
                       "no scale in the file and no clear ruler: pixels only");
        reha_analysis_note(
            analysis, REHA_NOTE_INFO, "no-millimetres",
            "The file has no scale and no ruler could be read for certain: lengths are in pixels. Give "
            "the scale if you know it (--mm-per-px, or when uploading).");
    }
    return REHA_OK;
}

/* ---- Square pixels ---- */

const reha_gray *reha_muscle_case_seen(const reha_muscle_case *work)
{
    return work->squared != NULL ? work->squared : work->image;
}

/* Angles are true only where a pixel is as high as it is wide: the coarser axis is enlarged. */
static reha_status square_up(reha_muscle_case *work, reha_error *err)
{
    const reha_spacing *known = &work->image->spacing;
    if (!reha_spacing_is_known(*known) || fabs(known->x_mm / known->y_mm - 1.0) <= SQUARE_TOLERANCE) {
        return REHA_OK;
    }
    const double side_mm = fmin(known->x_mm, known->y_mm);
    const double width = fmax(1.0, round(work->image->width_px * known->x_mm / side_mm));
    const double height = fmax(1.0, round(work->image->height_px * known->y_mm / side_mm));
    REHA_TRY(reha_image_check_size((uint64_t)fmin(width, 1e9), (uint64_t)fmin(height, 1e9), NULL, err));
    return reha_gray_resize(work->image, (uint32_t)width, (uint32_t)height, REHA_FILTER_LINEAR,
                            &work->squared, err);
}

/* From the picture that was measured to the image that was given. */
static reha_point_px given_point(const reha_muscle_case *work, reha_point_px at)
{
    if (work->squared == NULL) {
        return at;
    }
    return (reha_point_px){(at.x_px + 0.5) * work->image->width_px / work->squared->width_px - 0.5,
                           (at.y_px + 0.5) * work->image->height_px / work->squared->height_px - 0.5};
}

/* ---- The path ---- */

static reha_status measure_all(reha_muscle_case *work, reha_error *err)
{
    const reha_gray *seen = reha_muscle_case_seen(work);
    float *const *mean = work->maps.mean;
    REHA_TRY(reha_muscle_model_run(work->model, seen, &work->frame, &work->maps, err));
    REHA_TRY(reha_muscle_measure(seen, &work->frame, mean[REHA_MUSCLE_APONEUROSIS],
                                 mean[REHA_MUSCLE_FASCICLE], &work->main, err));
    for (int v = 0; v < REHA_MUSCLE_VIEWS; v++) {
        float *const *view = work->maps.view[v];
        REHA_TRY(reha_muscle_measure(NULL, &work->frame, view[REHA_MUSCLE_APONEUROSIS],
                                     view[REHA_MUSCLE_FASCICLE], &work->views[v], err));
    }
    return REHA_OK;
}

static void add_region(const reha_muscle_case *work, double certainty, reha_analysis *analysis)
{
    reha_region *region = &analysis->regions[analysis->region_count++];
    region->side = analysis->acquisition.side;
    (void)snprintf(region->side_source, sizeof region->side_source, "%s",
                   region->side != REHA_SIDE_UNKNOWN ? "DICOM" : "unknown");
    const reha_box_px *box = &work->frame.box;
    const reha_point_px corner = given_point(work, (reha_point_px){box->x_px - 0.5, box->y_px - 0.5});
    const reha_point_px end =
        given_point(work, (reha_point_px){box->x_px + box->width_px - 0.5, box->y_px + box->height_px - 0.5});
    region->box = (reha_box_px){corner.x_px, corner.y_px, end.x_px - corner.x_px, end.y_px - corner.y_px};
    region->certainty = certainty;
    region->is_accepted = true;
    analysis->is_accepted = true;
    warn_about_lines(work, region);
    warn_about_fascicles(work, region);
    add_angles(work, region);
    add_lengths(work, region);
    set_points(work, region);
    for (int i = 0; i < region->point_count; i++) {
        region->points[i] = given_point(work, region->points[i]);
    }
    set_profile(work, region);
}

static reha_status run_path(reha_muscle_case *work, reha_analysis *analysis, reha_error *err)
{
    if (is_refused_by_facts(&analysis->acquisition, analysis)) {
        return REHA_OK;
    }
    REHA_TRY(square_up(work, err));
    REHA_TRY(reha_muscle_frame_find(reha_muscle_case_seen(work), &work->frame, err));
    if (is_refused_by_frame(&work->frame, analysis)) {
        return REHA_OK;
    }
    REHA_TRY(measure_all(work, err));
    const double certainty = certainty_of(work);
    const bool is_sure_to_be_ultrasound = strcmp(analysis->acquisition.modality, "US") == 0;
    const bool has_both = work->main.has_superficial && work->main.has_deep;
    const double needed = has_both || is_sure_to_be_ultrasound ? CERTAINTY_MIN : CERTAINTY_MIN_ONE_LINE;
    const bool is_colour = !is_sure_to_be_ultrasound && analysis->acquisition.chroma_fraction > CHROMA_MAX;
    if (is_colour && (!has_both || certainty < CERTAINTY_MIN_ONE_LINE)) {
        (void)refuse(analysis, "colour-picture",
                     "this is a colour picture; give a grey B-mode ultrasound image");
        return REHA_OK;
    }
    if (!(work->main.has_superficial || work->main.has_deep) || certainty < needed) {
        (void)refuse(
            analysis, "no-aponeurosis",
            "no aponeurosis was found; give a longitudinal B-mode image with both aponeuroses, or for a transverse "
            "one the muscle's border with --outline");
        return REHA_OK;
    }
    if (is_colour) {
        reha_analysis_note(
            analysis, REHA_NOTE_WARNING, "colour-picture",
            "The picture is in colour; its brightness was measured. Echo intensity means little.");
    }
    REHA_TRY(find_scale(work, analysis, err));
    add_region(work, certainty, analysis);
    return REHA_OK;
}

reha_status reha_muscle_case_read(reha_muscle_case *work, reha_error *err)
{
    REHA_TRY(square_up(work, err));
    REHA_TRY(reha_muscle_frame_find(reha_muscle_case_seen(work), &work->frame, err));
    return measure_all(work, err);
}

void reha_muscle_case_clear(reha_muscle_case *work)
{
    reha_muscle_maps_clear(&work->maps);
    reha_gray_free(work->squared);
    work->squared = NULL;
}

reha_status reha_muscle_case_analyse(reha_muscle_case *work, const reha_acquisition *acquisition,
                                     const reha_analyse_options *options, reha_analysis **out,
                                     reha_error *err)
{
    const double start_ms = reha_clock_ms();
    reha_analysis *analysis = NULL;
    *out = NULL;
    const json_t *facts = work->model->card;
    REHA_TRY(reha_analysis_begin("muscle-us", reha_json_string(facts, "name", ""),
                                 reha_json_string(facts, "version", ""), work->image, acquisition, &analysis,
                                 err));
    if (analysis->acquisition.side == REHA_SIDE_UNKNOWN && options != NULL) {
        analysis->acquisition.side = options->side_hint;
    }
    reha_status status = run_path(work, analysis, err);
    if (status == REHA_OK && analysis->is_accepted && options != NULL && options->with_explanation) {
        status = reha_muscle_case_mask(work, analysis, err);
    }
    return reha_analysis_end(status, start_ms, analysis, out);
}

static reha_status analyse(reha_model *model, const reha_gray *image, const reha_acquisition *acquisition,
                           const reha_analyse_options *options, reha_analysis **out, reha_error *err)
{
    reha_muscle_case work = {.model = model, .image = image};
    const reha_status status = reha_muscle_case_analyse(&work, acquisition, options, out, err);
    reha_muscle_case_clear(&work);
    return status;
}

/* ---- The table entry ---- */

static const json_t *card(const reha_model *model)
{
    return model->card;
}

const reha_recogniser reha_recogniser_muscle_us = {
    .name = "muscle-us",
    .title = "Muscle architecture: thickness, pennation and fascicle length on B-mode ultrasound",
    .accepts = "longitudinal B-mode ultrasound images of skeletal muscle with its aponeuroses",
    .changes = true,
    .open = reha_muscle_model_open,
    .close = reha_muscle_model_close,
    .analyse = analyse,
    .card = card,
    .train = reha_muscle_train,
    .evaluate = reha_muscle_evaluate,
    .calibrate = reha_muscle_calibrate,
    .audit = reha_muscle_audit,
};
