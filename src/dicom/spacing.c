/* Millimetres and where they come from. Wrong ones are worse than none. */
#include "dicom/dicom_priv.h"

#include <math.h>
#include <string.h>

static const double SPACING_MIN_MM = 0.001;
static const double SPACING_MAX_MM = 10.0;
/* The factor is source-detector over source-object distance. Exactly 1 would be a flat object on the
 * detector: files that say so have not measured it. */
static const double MAGNIFICATION_MIN = 1.001;
static const double MAGNIFICATION_MAX = 4.0;
static const double SAME = 0.001; /* relative: spacings written with a few digits less */

static bool is_sane(double mm)
{
    return isfinite(mm) && mm >= SPACING_MIN_MM && mm <= SPACING_MAX_MM;
}

static bool differs(double a, double b)
{
    return fabs(a - b) > SAME * fmax(fabs(a), fabs(b));
}

/* DICOM gives spacing between rows first (y), then between columns (x). */
static bool read_pair(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag, const char *name,
                      reha_spacing *out, reha_dicom *warn_to)
{
    const reha_dcm_node *node = reha_dcm_frame_find(dicom, frame_idx, tag);
    *out = reha_spacing_unknown();
    if (node == NULL || node->length == 0) {
        return false;
    }
    double x_mm;
    double y_mm;
    if (!reha_dcm_number(&dicom->set, node, 0, &y_mm) || !reha_dcm_number(&dicom->set, node, 1, &x_mm) ||
        !is_sane(x_mm) || !is_sane(y_mm)) {
        reha_dcm_warn(warn_to, "%s is malformed or outside %g to %g mm and was ignored", name, SPACING_MIN_MM,
                      SPACING_MAX_MM);
        return false;
    }
    out->x_mm = x_mm;
    out->y_mm = y_mm;
    return true;
}

static bool is_modality(const reha_dicom *dicom, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(dicom->facts.modality, *list) == 0) {
            return true;
        }
    }
    return false;
}

static double read_distance(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag)
{
    double value;
    return reha_dcm_number(&dicom->set, reha_dcm_frame_find(dicom, frame_idx, tag), 0, &value) ? value
                                                                                               : (double)NAN;
}

/* The magnification factor, or NaN. */
static double find_magnification(const reha_dicom *dicom, uint32_t frame_idx, reha_dicom *warn_to)
{
    const double stated = read_distance(dicom, frame_idx, TAG_ESTIMATED_MAGNIFICATION);
    const double detector_mm = read_distance(dicom, frame_idx, TAG_DISTANCE_SOURCE_TO_DETECTOR);
    const double object_mm = read_distance(dicom, frame_idx, TAG_DISTANCE_SOURCE_TO_PATIENT);
    const double by_distance = detector_mm > 0.0 && object_mm > 0.0 ? detector_mm / object_mm : (double)NAN;
    const bool stated_ok = stated >= MAGNIFICATION_MIN && stated <= MAGNIFICATION_MAX;
    const bool distance_ok = by_distance >= MAGNIFICATION_MIN && by_distance <= MAGNIFICATION_MAX;
    if (!isnan(stated) && !stated_ok) {
        reha_dcm_warn(warn_to, "magnification factor %.4g is not credible and was ignored", stated);
    }
    if (stated_ok && distance_ok && fabs(stated / by_distance - 1.0) > 0.05) {
        reha_dcm_warn(warn_to, "magnification factor %.3g contradicts the source distances (%.3g)", stated,
                      by_distance);
        return (double)NAN;
    }
    if (!isnan(by_distance) && !distance_ok && !stated_ok) {
        reha_dcm_warn(warn_to, "source distances give a magnification of %.4g, which is not credible",
                      by_distance);
    }
    return stated_ok ? stated : distance_ok ? by_distance : (double)NAN;
}

/* Detector or film plane spacing, brought to the patient where the file says how. */
static reha_spacing from_detector(const reha_dicom *dicom, uint32_t frame_idx, reha_spacing at_detector,
                                  reha_dicom *warn_to)
{
    const double magnification = find_magnification(dicom, frame_idx, warn_to);
    if (isnan(magnification)) {
        at_detector.source = REHA_SPACING_AT_DETECTOR;
        reha_dcm_warn(warn_to,
                      "spacing is that of the detector, magnification unknown: lengths read too long");
        return at_detector;
    }
    return (reha_spacing){.x_mm = at_detector.x_mm / magnification,
                          .y_mm = at_detector.y_mm / magnification,
                          .source = REHA_SPACING_MAGNIFICATION};
}

/* PS3.3 10.7.1.3: what Pixel Spacing means in a projection depends on what stands beside it. */
static reha_spacing projection_spacing(const reha_dicom *dicom, uint32_t frame_idx, reha_dicom *warn_to)
{
    reha_spacing pixel;
    reha_spacing plane;
    char type[17];
    const bool has_pixel = read_pair(dicom, frame_idx, TAG_PIXEL_SPACING, "Pixel Spacing", &pixel, warn_to);
    const bool has_plane =
        read_pair(dicom, frame_idx, TAG_IMAGER_PIXEL_SPACING, "Imager Pixel Spacing", &plane, warn_to) ||
        read_pair(dicom, frame_idx, TAG_NOMINAL_SCANNED_PIXEL_SPACING, "Nominal Scanned Pixel Spacing",
                  &plane, warn_to);
    const reha_dcm_node *type_node = reha_dcm_frame_find(dicom, frame_idx, TAG_CALIBRATION_TYPE);
    const bool is_calibrated = reha_dcm_text(&dicom->set, type_node, 0, type, sizeof(type)) &&
                               (strcmp(type, "GEOMETRY") == 0 || strcmp(type, "FIDUCIAL") == 0);
    if (has_pixel && is_calibrated) {
        pixel.source = REHA_SPACING_CALIBRATED;
        return pixel;
    }
    if (has_pixel && has_plane && (differs(pixel.x_mm, plane.x_mm) || differs(pixel.y_mm, plane.y_mm))) {
        /* Calibrated by unstated means; only towards the source can an object lie. */
        const double ratio_x = plane.x_mm / pixel.x_mm;
        const double ratio_y = plane.y_mm / pixel.y_mm;
        if (ratio_x >= 1.0 && ratio_y >= 1.0 && ratio_x <= MAGNIFICATION_MAX &&
            ratio_y <= MAGNIFICATION_MAX && fabs(ratio_x / ratio_y - 1.0) < 0.02) {
            pixel.source = REHA_SPACING_CALIBRATED;
            return pixel;
        }
        reha_dcm_warn(warn_to, "Pixel Spacing and detector spacing contradict each other: no millimetres");
        return reha_spacing_unknown();
    }
    if (has_plane) {
        return from_detector(dicom, frame_idx, plane, warn_to);
    }
    if (has_pixel) {
        /* Without the detector's spacing beside it nobody can tell whether it was corrected, so a
         * magnification factor must not be applied to it either. */
        pixel.source = REHA_SPACING_AT_DETECTOR;
        reha_dcm_warn(warn_to,
                      "nothing says whether Pixel Spacing was calibrated: lengths may read too long");
        return pixel;
    }
    return reha_spacing_unknown();
}

static double frame_u32(const reha_dicom *dicom, reha_dcm_scope item, uint32_t tag)
{
    double value;
    return reha_dcm_number(&dicom->set, reha_dcm_find(&dicom->set, item, tag), 0, &value) ? value : -1.0;
}

static double region_delta_mm(const reha_dicom *dicom, reha_dcm_scope item, uint32_t unit_tag,
                              uint32_t delta_tag)
{
    enum { UNIT_CM = 3 };
    double delta;
    if (frame_u32(dicom, item, unit_tag) != UNIT_CM ||
        !reha_dcm_number(&dicom->set, reha_dcm_find(&dicom->set, item, delta_tag), 0, &delta)) {
        return (double)NAN;
    }
    return delta * 10.0;
}

static const reha_dcm_node *find_regions(const reha_dicom *dicom, uint32_t frame_idx)
{
    return reha_dcm_frame_find(dicom, frame_idx, TAG_SEQUENCE_OF_ULTRASOUND_REGIONS);
}

uint32_t reha_dicom_region_count(const reha_dicom *dicom, uint32_t frame_idx)
{
    return reha_dcm_item_count(&dicom->set, find_regions(dicom, frame_idx));
}

bool reha_dicom_get_region(const reha_dicom *dicom, uint32_t frame_idx, uint32_t region_idx,
                           reha_dicom_region *out)
{
    enum { FORMAT_2D = 1, TYPE_TISSUE = 1, TYPE_COLOUR_FLOW = 2 };
    reha_dcm_scope item;
    *out = (reha_dicom_region){.spacing = reha_spacing_unknown()};
    if (!reha_dcm_item(&dicom->set, find_regions(dicom, frame_idx), region_idx, &item)) {
        return false;
    }
    const double width = dicom->layout.columns;
    const double height = dicom->layout.rows;
    const double x0 = fmin(fmax(frame_u32(dicom, item, TAG_REGION_MIN_X0), 0.0), width);
    const double y0 = fmin(fmax(frame_u32(dicom, item, TAG_REGION_MIN_Y0), 0.0), height);
    /* The corners are pixels of the region: the far one counts. Some devices write the size. */
    const double x1 = fmin(frame_u32(dicom, item, TAG_REGION_MAX_X1) + 1.0, width);
    const double y1 = fmin(frame_u32(dicom, item, TAG_REGION_MAX_Y1) + 1.0, height);
    out->box = (reha_box_px){x0, y0, fmax(x1 - x0, 0.0), fmax(y1 - y0, 0.0)};
    const double type = frame_u32(dicom, item, TAG_REGION_DATA_TYPE);
    out->is_tissue_2d = frame_u32(dicom, item, TAG_REGION_SPATIAL_FORMAT) == FORMAT_2D &&
                        (type == TYPE_TISSUE || type == TYPE_COLOUR_FLOW);
    const double x_mm = region_delta_mm(dicom, item, TAG_PHYSICAL_UNITS_X, TAG_PHYSICAL_DELTA_X);
    const double y_mm = region_delta_mm(dicom, item, TAG_PHYSICAL_UNITS_Y, TAG_PHYSICAL_DELTA_Y);
    if (is_sane(x_mm) && is_sane(y_mm)) {
        out->spacing = (reha_spacing){x_mm, y_mm, REHA_SPACING_CALIBRATED};
    }
    return true;
}

/* One scale for the frame only if every 2D region has it; a caller who crops uses the regions. */
static reha_spacing ultrasound_spacing(const reha_dicom *dicom, uint32_t frame_idx, reha_dicom *warn_to)
{
    reha_spacing found = reha_spacing_unknown();
    uint32_t regions_2d = 0;
    reha_dicom_region region;
    for (uint32_t i = 0; reha_dicom_get_region(dicom, frame_idx, i, &region); i++) {
        if (!region.is_tissue_2d) {
            continue;
        }
        regions_2d++;
        if (!reha_spacing_is_known(region.spacing)) {
            reha_dcm_warn(warn_to, "ultrasound region %u has no credible scale: no millimetres", i + 1);
            return reha_spacing_unknown();
        }
        if (regions_2d > 1 &&
            (differs(region.spacing.x_mm, found.x_mm) || differs(region.spacing.y_mm, found.y_mm))) {
            reha_dcm_warn(warn_to,
                          "the ultrasound regions have different scales: crop to one for millimetres");
            return reha_spacing_unknown();
        }
        found = region.spacing;
    }
    if (regions_2d > 0) {
        return found;
    }
    if (read_pair(dicom, frame_idx, TAG_PIXEL_SPACING, "Pixel Spacing", &found, warn_to)) {
        reha_dcm_warn(warn_to, "ultrasound without calibrated regions: Pixel Spacing is used");
        found.source = REHA_SPACING_CALIBRATED;
    }
    return found;
}

reha_spacing reha_dcm_find_spacing(const reha_dicom *dicom, uint32_t frame_idx, reha_dicom *warn_to)
{
    static const char *const tomographic[] = {"CT", "MR", "PT", "NM", NULL};
    static const char *const ultrasound[] = {"US", "IVUS", NULL};
    reha_spacing spacing;
    if (is_modality(dicom, tomographic)) {
        if (read_pair(dicom, frame_idx, TAG_PIXEL_SPACING, "Pixel Spacing", &spacing, warn_to)) {
            spacing.source = REHA_SPACING_CALIBRATED;
        }
        return spacing;
    }
    if (is_modality(dicom, ultrasound) || find_regions(dicom, frame_idx) != NULL) {
        return ultrasound_spacing(dicom, frame_idx, warn_to);
    }
    return projection_spacing(dicom, frame_idx, warn_to);
}
