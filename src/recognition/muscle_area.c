#include "recognition/muscle_area.h"

#include "recognition/muscle_finding.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ELLIPSE_POINTS = 128, SHOWN_POINTS = 32 };
static const double PI = 3.14159265358979323846;
static const double AREA_MIN_PX2 = 100.0;
static const double HAND_PX = 1.0; /* the error told: a border that lies this far out all around */

/* ---- The border ---- */

static double turn(reha_point_px a, reha_point_px b, reha_point_px c)
{
    return (b.x_px - a.x_px) * (c.y_px - a.y_px) - (b.y_px - a.y_px) * (c.x_px - a.x_px);
}

static bool cross(reha_point_px a, reha_point_px b, reha_point_px c, reha_point_px d)
{
    return turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0;
}

static bool crosses_itself(const reha_outline *outline)
{
    const reha_point_px *p = outline->points;
    for (int i = 0; i < outline->count; i++) {
        for (int k = i + 1; k < outline->count; k++) {
            if (cross(p[i], p[(i + 1) % outline->count], p[k], p[(k + 1) % outline->count])) {
                return true;
            }
        }
    }
    return false;
}

static bool read_pair(const json_t *pair, double *a, double *b)
{
    const json_t *first = json_array_get(pair, 0);
    const json_t *second = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_number(first) || !json_is_number(second)) {
        return false;
    }
    *a = json_number_value(first);
    *b = json_number_value(second);
    return isfinite(*a) && isfinite(*b);
}

static reha_status read_polygon(const json_t *points, reha_outline *out, reha_error *err)
{
    const size_t count = json_array_size(points);
    if (count < 3 || count > REHA_OUTLINE_POINTS_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "polygon_px has %zu points; give 3 to %d, each [x, y] in pixels",
                         count, REHA_OUTLINE_POINTS_MAX);
    }
    out->count = (int)count;
    for (size_t i = 0; i < count; i++) {
        if (!read_pair(json_array_get(points, i), &out->points[i].x_px, &out->points[i].y_px)) {
            return reha_fail(err, REHA_E_FORMAT, "point %zu of polygon_px is not [x, y]", i + 1);
        }
    }
    return crosses_itself(out)
               ? reha_fail(err, REHA_E_FORMAT, "the border crosses itself; give its points in order")
               : REHA_OK;
}

static reha_status read_ellipse(const json_t *ellipse, reha_outline *out, reha_error *err)
{
    double x = 0.0, y = 0.0, a = 0.0, b = 0.0;
    const double angle = reha_json_number(ellipse, "angle_deg", 0.0) * PI / 180.0;
    if (!read_pair(json_object_get(ellipse, "centre"), &x, &y) ||
        !read_pair(json_object_get(ellipse, "radii"), &a, &b) || !(a > 0.0) || !(b > 0.0) ||
        !isfinite(angle)) {
        return reha_fail(err, REHA_E_FORMAT,
                         "ellipse_px needs centre [x, y], radii [a, b] above 0 and angle_deg");
    }
    /* Corners a little outside, so that the polygon has the ellipse's own area. */
    const double step = 2.0 * PI / ELLIPSE_POINTS;
    const double grow = sqrt(step / sin(step));
    out->count = ELLIPSE_POINTS;
    for (int i = 0; i < ELLIPSE_POINTS; i++) {
        const double u = grow * a * cos(i * step);
        const double v = grow * b * sin(i * step);
        /* angle_deg positive rises to the right, as all angles here; y points down. */
        out->points[i] =
            (reha_point_px){x + u * cos(angle) + v * sin(angle), y - u * sin(angle) + v * cos(angle)};
    }
    return REHA_OK;
}

reha_status reha_outline_load(const char *path, reha_outline *out, reha_error *err)
{
    json_t *file = NULL;
    *out = (reha_outline){0};
    REHA_TRY(reha_json_load(path, &file, err));
    const json_t *polygon = json_object_get(file, "polygon_px");
    const json_t *ellipse = json_object_get(file, "ellipse_px");
    reha_status status = REHA_OK;
    if ((polygon != NULL) == (ellipse != NULL)) {
        status =
            reha_fail(err, REHA_E_FORMAT, "give either polygon_px or ellipse_px (docs/formats/outline.md)");
    } else {
        status = polygon != NULL ? read_polygon(polygon, out, err) : read_ellipse(ellipse, out, err);
    }
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
        *out = (reha_outline){0};
    }
    json_decref(file);
    return status;
}

double reha_outline_area_px2(const reha_outline *outline)
{
    double sum = 0.0;
    for (int i = 0; i < outline->count; i++) {
        const reha_point_px a = outline->points[i];
        const reha_point_px b = outline->points[(i + 1) % outline->count];
        sum += a.x_px * b.y_px - b.x_px * a.y_px;
    }
    return 0.5 * fabs(sum);
}

double reha_outline_perimeter_px(const reha_outline *outline)
{
    double sum = 0.0;
    for (int i = 0; i < outline->count; i++) {
        const reha_point_px a = outline->points[i];
        const reha_point_px b = outline->points[(i + 1) % outline->count];
        sum += hypot(b.x_px - a.x_px, b.y_px - a.y_px);
    }
    return sum;
}

/* Even-odd rule. */
static bool is_inside(const reha_outline *outline, double x, double y)
{
    bool inside = false;
    for (int i = 0; i < outline->count; i++) {
        const reha_point_px a = outline->points[i];
        const reha_point_px b = outline->points[(i + 1) % outline->count];
        if ((a.y_px > y) != (b.y_px > y) &&
            x < a.x_px + (y - a.y_px) / (b.y_px - a.y_px) * (b.x_px - a.x_px)) {
            inside = !inside;
        }
    }
    return inside;
}

/* ---- The result ---- */

static reha_box_px box_of(const reha_outline *outline)
{
    double x0 = outline->points[0].x_px, x1 = x0, y0 = outline->points[0].y_px, y1 = y0;
    for (int i = 1; i < outline->count; i++) {
        x0 = fmin(x0, outline->points[i].x_px);
        x1 = fmax(x1, outline->points[i].x_px);
        y0 = fmin(y0, outline->points[i].y_px);
        y1 = fmax(y1, outline->points[i].y_px);
    }
    return (reha_box_px){x0, y0, x1 - x0, y1 - y0};
}

static void measure_echo(const reha_gray *image, const reha_outline *outline, reha_box_px box, double *mean,
                         double *sd)
{
    double sum = 0.0, squares = 0.0, count = 0.0;
    for (uint32_t y = (uint32_t)ceil(box.y_px);
         y <= (uint32_t)(box.y_px + box.height_px) && y < image->height_px; y++) {
        for (uint32_t x = (uint32_t)ceil(box.x_px);
             x <= (uint32_t)(box.x_px + box.width_px) && x < image->width_px; x++) {
            if (is_inside(outline, x, y)) {
                const double v = (double)reha_gray_at(image, x, y);
                sum += v;
                squares += v * v;
                count += 1.0;
            }
        }
    }
    *mean = count > 0.0 ? sum / count : (double)NAN;
    *sd = count > 0.0 ? sqrt(fmax(0.0, squares / count - *mean * *mean)) : (double)NAN;
}

static reha_finding *add(reha_region *region, const char *key, const char *label, const char *unit,
                         double value, double error, const char *source)
{
    return reha_muscle_finding_add(region, key, label, unit, value, error,
                                   "the border one pixel further out or in, all around", source);
}

static void add_findings(const reha_gray *image, const reha_outline *outline, reha_region *region)
{
    double mean = 0.0, sd = 0.0;
    const bool is_mm = reha_spacing_is_known(image->spacing);
    const double mm2 = is_mm ? image->spacing.x_mm * image->spacing.y_mm : (double)NAN;
    const double area = reha_outline_area_px2(outline);
    const double perimeter = reha_outline_perimeter_px(outline);
    reha_finding *finding =
        add(region, "cross-sectional-area", "Cross-sectional area inside the drawn border", "mm2", area * mm2,
            HAND_PX * perimeter * mm2,
            is_mm ? reha_spacing_source_text(image->spacing.source)
                  : "no scale in the file: pixels only; give --mm-per-px");
    if (finding != NULL) {
        (void)snprintf(
            finding->evidence, sizeof finding->evidence,
            "A person drew the border. One pixel all around is %.1f %% of the area; how well the border was "
            "drawn is not known: draw it twice.",
            100.0 * HAND_PX * perimeter / area);
    }
    (void)add(region, "cross-sectional-area-px2", "Cross-sectional area in pixels", "px2", area,
              HAND_PX * perimeter, "drawn border");
    (void)add(region, "perimeter-px", "Length of the border in pixels", "px", perimeter, (double)NAN,
              "drawn border");
    measure_echo(image, outline, region->box, &mean, &sd);
    finding = add(region, "echo-intensity", "Echo intensity inside the border", "{grey}", mean, (double)NAN,
                  "image");
    if (finding != NULL && isfinite(sd)) {
        (void)snprintf(
            finding->evidence, sizeof finding->evidence,
            "Mean grey level inside, SD %.1f. Compare only pictures of one scanner with one setting.", sd);
    }
}

static void set_points(const reha_outline *outline, reha_region *region)
{
    region->point_count = outline->count < SHOWN_POINTS ? outline->count : SHOWN_POINTS;
    for (int i = 0; i < region->point_count; i++) {
        region->points[i] = outline->points[(size_t)i * (size_t)outline->count / (size_t)region->point_count];
    }
}

reha_status reha_muscle_area(const reha_gray *image, const reha_acquisition *facts,
                             const reha_outline *outline, reha_analysis **out, reha_error *err)
{
    const reha_box_px box = box_of(outline);
    reha_analysis *analysis = NULL;
    *out = NULL;
    if (box.x_px < -0.5 || box.y_px < -0.5 || box.x_px + box.width_px > image->width_px - 0.5 ||
        box.y_px + box.height_px > image->height_px - 0.5) {
        return reha_fail(err, REHA_E_ARG, "the border leaves the image of %u x %u px", image->width_px,
                         image->height_px);
    }
    if (reha_outline_area_px2(outline) < AREA_MIN_PX2) {
        return reha_fail(err, REHA_E_ARG, "the border holds less than %.0f square pixels", AREA_MIN_PX2);
    }
    REHA_TRY(
        reha_analysis_begin("muscle-us", "", "", image, facts, &analysis, err)); /* a person drew: no model */
    if (facts->modality[0] != '\0' && strcmp(facts->modality, "US") != 0 &&
        strcmp(facts->modality, "OT") != 0 && strcmp(facts->modality, "SC") != 0) {
        reha_analysis_note(analysis, REHA_NOTE_REFUSED, "wrong-modality",
                           "Not measured: the file says modality %s; give a transverse ultrasound image.",
                           facts->modality);
    } else {
        reha_region *region = &analysis->regions[analysis->region_count++];
        region->side = facts->side;
        (void)snprintf(region->side_source, sizeof region->side_source, "%s",
                       region->side != REHA_SIDE_UNKNOWN ? "DICOM" : "unknown");
        region->box = box;
        region->certainty = (double)NAN;
        region->is_accepted = analysis->is_accepted = true;
        reha_region_note(
            region, REHA_NOTE_INFO, "drawn-border",
            "The area is that of a border which a person drew; angles, thickness and fascicles are not "
            "measured on a transverse image.");
        add_findings(image, outline, region);
        set_points(outline, region);
    }
    *out = analysis;
    return REHA_OK;
}
