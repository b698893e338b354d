#include "image/volume.h"

#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const double VOXEL_MIN_MM = 1e-6;
static const double VOXEL_MAX_MM = 1000.0;
static const double POSITION_MAX_MM = 1e7;
static const double FLAT = 1e-4; /* volume of the unit steps' parallelepiped: below, they lie in a plane */
static const double OBLIQUE_COS = 0.9397; /* 20 degrees */

reha_point3_mm reha_affine3_to_mm(const reha_affine3 *map, reha_point3_vox at)
{
    double mm[3];
    for (int r = 0; r < 3; r++) {
        mm[r] = map->m[r][0] * at.i + map->m[r][1] * at.j + map->m[r][2] * at.k + map->m[r][3];
    }
    return (reha_point3_mm){mm[0], mm[1], mm[2]};
}

static double length_of(const reha_affine3 *map, int column)
{
    return sqrt(map->m[0][column] * map->m[0][column] + map->m[1][column] * map->m[1][column] +
                map->m[2][column] * map->m[2][column]);
}

static double determinant(const double m[3][4])
{
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
           m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

reha_status reha_affine3_check(const reha_affine3 *map, reha_error *err)
{
    double product = 1.0;
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 4; c++) {
            if (!(fabs(map->m[r][c]) <= POSITION_MAX_MM)) {
                return reha_fail(
                    err, REHA_E_FORMAT,
                    "the geometry is broken: row %d, column %d of the affine is not a finite length", r + 1,
                    c + 1);
            }
        }
    }
    for (int c = 0; c < 3; c++) {
        const double length_mm = length_of(map, c);
        if (!(length_mm >= VOXEL_MIN_MM && length_mm <= VOXEL_MAX_MM)) {
            return reha_fail(err, REHA_E_FORMAT, "the geometry is broken: a voxel of %g mm along axis %d",
                             length_mm, c + 1);
        }
        product *= length_mm;
    }
    if (!(fabs(determinant(map->m)) > FLAT * product)) {
        return reha_fail(err, REHA_E_FORMAT, "the geometry is broken: the three axes lie in one plane");
    }
    return REHA_OK;
}

reha_point3_vox reha_affine3_to_vox(const reha_affine3 *map, reha_point3_mm at)
{
    const double(*m)[4] = map->m;
    const double b[3] = {at.x_mm - m[0][3], at.y_mm - m[1][3], at.z_mm - m[2][3]};
    const double whole = determinant(m);
    double out[3];
    for (int c = 0; c < 3; c++) { /* Cramer's rule */
        double part[3][4];
        memcpy(part, map->m, sizeof part);
        for (int r = 0; r < 3; r++) {
            part[r][c] = b[r];
        }
        out[c] = determinant(part) / whole;
    }
    return (reha_point3_vox){out[0], out[1], out[2]};
}

reha_status reha_volume_check_size(const uint64_t size[3], uint64_t count, const reha_image_limits *limits,
                                   reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    const reha_image_limits *used = limits != NULL ? limits : &defaults;
    REHA_TRY(reha_image_check_size(size[0], size[1], used, err));
    if (size[2] == 0 || count == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the volume is empty: %" PRIu64 " slices, %" PRIu64 " volumes",
                         size[2], count);
    }
    const uint64_t slice_bytes = size[0] * size[1] * sizeof(float); /* within pixels_max: no overflow */
    if (size[2] > used->side_max_px || count > used->frames_max ||
        size[2] > used->decoded_bytes_max / slice_bytes ||
        count > used->decoded_bytes_max / (slice_bytes * size[2])) {
        return reha_fail(err, REHA_E_LIMIT,
                         "%" PRIu64 " volume(s) of %" PRIu64 " x %" PRIu64 " x %" PRIu64
                         " voxels are declared; at most %" PRIu64 " MiB are read: crop or split the file",
                         count, size[0], size[1], size[2], used->decoded_bytes_max >> 20);
    }
    return REHA_OK;
}

reha_status reha_volume_new(const uint32_t size[3], const reha_affine3 *to_mm, reha_volume **out,
                            reha_error *err)
{
    static const reha_affine3 plain = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    size_t count = 0;
    size_t bytes = 0;
    *out = NULL;
    if (size[0] == 0 || size[1] == 0 || size[2] == 0 || !reha_mul_size(size[0], size[1], &count) ||
        !reha_mul_size(count, size[2], &count) || !reha_mul_size(count, sizeof(float), &bytes)) {
        return reha_fail(err, REHA_E_ARG,
                         "a volume of %" PRIu32 " x %" PRIu32 " x %" PRIu32 " voxels cannot exist", size[0],
                         size[1], size[2]);
    }
    reha_volume *volume = reha_alloc_zero(1, sizeof *volume);
    float *voxels = volume != NULL ? reha_alloc_zero(count, sizeof *voxels) : NULL;
    if (voxels == NULL) {
        reha_free(volume);
        return reha_fail(err, REHA_E_NOMEM,
                         "out of memory for a volume of %" PRIu32 " x %" PRIu32 " x %" PRIu32 " voxels",
                         size[0], size[1], size[2]);
    }
    memcpy(volume->size, size, sizeof volume->size);
    volume->voxels = voxels;
    volume->to_mm = to_mm != NULL ? *to_mm : plain;
    *out = volume;
    return REHA_OK;
}

void reha_volume_free(reha_volume *volume)
{
    if (volume != NULL) {
        reha_free(volume->voxels);
        reha_free(volume);
    }
}

void reha_volume_spacing_mm(const reha_volume *volume, double out[3])
{
    for (int c = 0; c < 3; c++) {
        out[c] = length_of(&volume->to_mm, c);
    }
}

void reha_volume_directions(const reha_volume *volume, char out[4])
{
    static const char toward[3][2] = {{'R', 'L'}, {'A', 'P'}, {'I', 'S'}}; /* falling, rising coordinate */
    for (int c = 0; c < 3; c++) {
        int most = 0;
        for (int r = 1; r < 3; r++) {
            most = fabs(volume->to_mm.m[r][c]) > fabs(volume->to_mm.m[most][c]) ? r : most;
        }
        out[c] = toward[most][volume->to_mm.m[most][c] > 0.0];
    }
    out[3] = '\0';
}

const char *reha_volume_plane_name(const reha_volume *volume)
{
    static const char *const names[3] = {"sagittal", "coronal", "axial"};
    static const char *const oblique[3] = {"oblique, nearest sagittal", "oblique, nearest coronal",
                                           "oblique, nearest axial"};
    const double(*m)[4] = volume->to_mm.m;
    const double normal[3] = {m[1][0] * m[2][1] - m[2][0] * m[1][1], m[2][0] * m[0][1] - m[0][0] * m[2][1],
                              m[0][0] * m[1][1] - m[1][0] * m[0][1]};
    const double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
    int most = 0;
    for (int r = 1; r < 3; r++) {
        most = fabs(normal[r]) > fabs(normal[most]) ? r : most;
    }
    return fabs(normal[most]) >= OBLIQUE_COS * length ? names[most] : oblique[most];
}

reha_status reha_volume_slice(const reha_volume *volume, uint32_t k, reha_gray **out, reha_error *err)
{
    double spacing_mm[3];
    *out = NULL;
    if (k >= volume->size[2]) {
        return reha_fail(err, REHA_E_NOT_FOUND, "slice %" PRIu32 " of %" PRIu32, k + 1, volume->size[2]);
    }
    REHA_TRY(reha_gray_new(volume->size[0], volume->size[1], out, err));
    reha_volume_spacing_mm(volume, spacing_mm);
    memcpy((*out)->pixels, volume->voxels + reha_volume_index(volume, 0, 0, k),
           (size_t)volume->size[0] * volume->size[1] * sizeof(float));
    (*out)->spacing = (reha_spacing){spacing_mm[0], spacing_mm[1], REHA_SPACING_CALIBRATED};
    return REHA_OK;
}

/* Lower neighbour and the share of the upper one; false outside. */
static bool bracket(double at, uint32_t size, uint32_t *low, double *share)
{
    const double last = (double)size - 1.0;
    if (!(at >= -0.5 && at <= last + 0.5)) {
        return false;
    }
    at = fmin(fmax(at, 0.0), last);
    *low = (uint32_t)at;
    *share = at - (double)*low;
    return true;
}

float reha_volume_sample(const reha_volume *volume, reha_point3_vox at)
{
    const double where[3] = {at.i, at.j, at.k};
    uint32_t low[3];
    double share[3];
    double sum = 0.0;
    for (int a = 0; a < 3; a++) {
        if (!bracket(where[a], volume->size[a], &low[a], &share[a])) {
            return NAN;
        }
    }
    for (unsigned corner = 0; corner < 8; corner++) {
        uint32_t index[3];
        double weight = 1.0;
        for (unsigned a = 0; a < 3; a++) {
            const unsigned upper = corner >> a & 1u;
            weight *= upper != 0 ? share[a] : 1.0 - share[a];
            index[a] = low[a] + upper;
        }
        if (weight > 0.0) { /* so that a neighbour which does not count may be absent or NaN */
            sum += weight * (double)volume->voxels[reha_volume_index(volume, index[0], index[1], index[2])];
        }
    }
    return (float)sum;
}

bool reha_volume_same_grid(const reha_volume *a, const reha_volume *b, double tolerance_vox)
{
    if (memcmp(a->size, b->size, sizeof a->size) != 0) {
        return false;
    }
    for (unsigned corner = 0; corner < 8; corner++) {
        const reha_point3_vox at = {(corner & 1u) != 0 ? a->size[0] - 1.0 : 0.0,
                                    (corner & 2u) != 0 ? a->size[1] - 1.0 : 0.0,
                                    (corner & 4u) != 0 ? a->size[2] - 1.0 : 0.0};
        const reha_point3_vox there = reha_affine3_to_vox(&a->to_mm, reha_affine3_to_mm(&b->to_mm, at));
        if (!(fabs(there.i - at.i) <= tolerance_vox && fabs(there.j - at.j) <= tolerance_vox &&
              fabs(there.k - at.k) <= tolerance_vox)) {
            return false;
        }
    }
    return true;
}
