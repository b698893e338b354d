#include "image/reformat.h"

#include <math.h>
#include <string.h>

static const double SAMPLES_PER_VOXEL = 2.0; /* through a slab */
static const double SAMPLES_MAX = 2e8;       /* of one cut: about ten seconds */

const char *reha_plane_text(reha_plane plane)
{
    static const char *const texts[] = {"axial", "coronal", "sagittal"};
    return texts[plane];
}

bool reha_plane_find(const char *text, reha_plane *out)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, reha_plane_text((reha_plane)i)) == 0) {
            *out = (reha_plane)i;
            return true;
        }
    }
    return false;
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross(const double a[3], const double b[3], double out[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static bool normalise(double v[3])
{
    const double length = sqrt(dot(v, v));
    if (!(length > 1e-9 && length < 1e9)) {
        return false;
    }
    for (int a = 0; a < 3; a++) {
        v[a] /= length;
    }
    return true;
}

/* Picture axes: "down" is the way to the feet, or to the back where the plane is nearest axial. */
static bool find_axes(const double normal[3], double right[3], double down[3])
{
    double n[3] = {normal[0], normal[1], normal[2]};
    if (!normalise(n)) {
        return false;
    }
    const bool is_axial = fabs(n[2]) >= fabs(n[0]) && fabs(n[2]) >= fabs(n[1]);
    const double want[3] = {0.0, is_axial ? 1.0 : 0.0, is_axial ? 0.0 : -1.0};
    const double along = dot(want, n);
    for (int a = 0; a < 3; a++) {
        down[a] = want[a] - along * n[a];
    }
    if (!normalise(down)) {
        return false;
    }
    cross(down, n, right);
    /* Left or back on the right side of the picture, whichever way the normal points. */
    if (right[fabs(right[0]) >= fabs(right[1]) ? 0 : 1] < 0.0) {
        for (int a = 0; a < 3; a++) {
            right[a] = -right[a];
        }
    }
    return true;
}

/* Span of the volume's corners along a direction, from the point `from`. */
static void span_along(const reha_volume *volume, const double from[3], const double direction[3],
                       double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (unsigned corner = 0; corner < 8; corner++) {
        const reha_point3_vox at = {(corner & 1u) != 0 ? volume->size[0] - 1.0 : 0.0,
                                    (corner & 2u) != 0 ? volume->size[1] - 1.0 : 0.0,
                                    (corner & 4u) != 0 ? volume->size[2] - 1.0 : 0.0};
        const reha_point3_mm mm = reha_affine3_to_mm(&volume->to_mm, at);
        const double offset[3] = {mm.x_mm - from[0], mm.y_mm - from[1], mm.z_mm - from[2]};
        *low = fmin(*low, dot(offset, direction));
        *high = fmax(*high, dot(offset, direction));
    }
}

static double smallest_side(const reha_volume *volume)
{
    double side_mm[3];
    reha_volume_spacing_mm(volume, side_mm);
    return fmin(side_mm[0], fmin(side_mm[1], side_mm[2]));
}

reha_status reha_cut_oblique(const reha_volume *volume, reha_point3_mm through, const double normal[3],
                             double step_mm, reha_cut *out, reha_error *err)
{
    const double from[3] = {through.x_mm, through.y_mm, through.z_mm};
    double low[2];
    double high[2];
    *out = (reha_cut){.step_mm = step_mm > 0.0 ? step_mm : smallest_side(volume)};
    if (!find_axes(normal, out->right, out->down)) {
        return reha_fail(err, REHA_E_ARG, "the normal of a cut has no direction");
    }
    span_along(volume, from, out->right, &low[0], &high[0]);
    span_along(volume, from, out->down, &low[1], &high[1]);
    /* The small allowance keeps rounding from adding a row where the volume's own grid is met exactly. */
    const double width = ceil((high[0] - low[0]) / out->step_mm - 1e-6) + 1.0;
    const double height = ceil((high[1] - low[1]) / out->step_mm - 1e-6) + 1.0;
    if (!(width >= 1.0 && height >= 1.0 && width < 1e9 && height < 1e9)) {
        return reha_fail(err, REHA_E_LIMIT, "a cut of %g x %g px", width, height);
    }
    REHA_TRY(reha_image_check_size((uint64_t)width, (uint64_t)height, NULL, err));
    out->width_px = (uint32_t)width;
    out->height_px = (uint32_t)height;
    double corner[3];
    for (int a = 0; a < 3; a++) {
        corner[a] = from[a] + low[0] * out->right[a] + low[1] * out->down[a];
    }
    out->corner = (reha_point3_mm){corner[0], corner[1], corner[2]};
    return REHA_OK;
}

reha_status reha_cut_standard(const reha_volume *volume, reha_plane plane, double at_mm, double step_mm,
                              reha_cut *out, reha_error *err)
{
    const int axis = plane == REHA_PLANE_SAGITTAL ? 0 : plane == REHA_PLANE_CORONAL ? 1 : 2;
    double normal[3] = {0.0, 0.0, 0.0};
    normal[axis] = 1.0;
    const reha_point3_vox middle = {0.5 * (volume->size[0] - 1.0), 0.5 * (volume->size[1] - 1.0),
                                    0.5 * (volume->size[2] - 1.0)};
    reha_point3_mm through = reha_affine3_to_mm(&volume->to_mm, middle);
    if (isfinite(at_mm)) {
        double *const coordinate[3] = {&through.x_mm, &through.y_mm, &through.z_mm};
        *coordinate[axis] = at_mm;
    }
    return reha_cut_oblique(volume, through, normal, step_mm, out, err);
}

void reha_cut_move(reha_cut *cut, double along_mm)
{
    double normal[3];
    cross(cut->right, cut->down, normal);
    cut->corner.x_mm += along_mm * normal[0];
    cut->corner.y_mm += along_mm * normal[1];
    cut->corner.z_mm += along_mm * normal[2];
}

reha_point3_mm reha_cut_to_mm(const reha_cut *cut, reha_point_px at)
{
    const double right_mm = at.x_px * cut->step_mm;
    const double down_mm = at.y_px * cut->step_mm;
    return (reha_point3_mm){cut->corner.x_mm + right_mm * cut->right[0] + down_mm * cut->down[0],
                            cut->corner.y_mm + right_mm * cut->right[1] + down_mm * cut->down[1],
                            cut->corner.z_mm + right_mm * cut->right[2] + down_mm * cut->down[2]};
}

static float sample_at(const reha_volume *volume, const reha_cut *cut, const double normal[3], int layers,
                       reha_point_px at)
{
    const reha_point3_mm centre = reha_cut_to_mm(cut, at);
    double sum = 0.0;
    int count = 0;
    for (int s = 0; s < layers; s++) {
        const double along_mm = layers > 1 ? cut->slab_mm * ((s + 0.5) / layers - 0.5) : 0.0;
        const reha_point3_mm point = {centre.x_mm + along_mm * normal[0], centre.y_mm + along_mm * normal[1],
                                      centre.z_mm + along_mm * normal[2]};
        const float value = reha_volume_sample(volume, reha_affine3_to_vox(&volume->to_mm, point));
        if (!isnan(value)) { /* a slab that sticks out of the volume is the mean of what it holds */
            sum += (double)value;
            count++;
        }
    }
    return count > 0 ? (float)(sum / count) : NAN;
}

reha_status reha_reformat(const reha_volume *volume, const reha_cut *cut, reha_gray **out, reha_error *err)
{
    double normal[3];
    *out = NULL;
    REHA_TRY(reha_affine3_check(&volume->to_mm, err));
    REHA_TRY(reha_image_check_size(cut->width_px, cut->height_px, NULL, err));
    const double layers = ceil(SAMPLES_PER_VOXEL * cut->slab_mm / smallest_side(volume));
    if (!(cut->step_mm > 0.0 && layers >= 0.0 && layers <= 10000.0)) {
        return reha_fail(err, REHA_E_ARG, "a cut with pixels of %g mm and a slab of %g mm", cut->step_mm,
                         cut->slab_mm);
    }
    if (fmax(layers, 1.0) * cut->width_px * cut->height_px > SAMPLES_MAX) {
        return reha_fail(
            err, REHA_E_LIMIT,
            "a cut of %u x %u px with a slab of %g mm is too large: take larger pixels or a thinner slab",
            cut->width_px, cut->height_px, cut->slab_mm);
    }
    REHA_TRY(reha_gray_new(cut->width_px, cut->height_px, out, err));
    cross(cut->right, cut->down, normal);
    for (uint32_t y = 0; y < cut->height_px; y++) {
        for (uint32_t x = 0; x < cut->width_px; x++) {
            (*out)->pixels[(size_t)y * cut->width_px + x] =
                sample_at(volume, cut, normal, layers > 1.0 ? (int)layers : 1, (reha_point_px){x, y});
        }
    }
    (*out)->spacing = (reha_spacing){cut->step_mm, cut->step_mm, REHA_SPACING_CALIBRATED};
    return REHA_OK;
}
