/* A volume of grey values in the patient: what a series of slices (DICOM) or a NIfTI file becomes.
 *
 * Voxel (i, j, k): i along the columns of a slice, j along its rows, k from slice to slice; the centre of the
 * first voxel is (0, 0, 0). Patient coordinates are those of DICOM in millimetres: x to the patient's
 * left, y to the back, z to the head ("LPS"). NIfTI's are x right, y front, z head ("RAS"): its files
 * are turned when they are read and written, nowhere else.
 *
 * A voxel without a value (a slice that is missing, a fit that failed) is NaN, never 0. */
#ifndef REHA_IMAGE_VOLUME_H
#define REHA_IMAGE_VOLUME_H

#include "image/gray.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_point3_mm { /* in the patient, LPS */
    double x_mm;
    double y_mm;
    double z_mm;
} reha_point3_mm;
typedef struct reha_point3_vox {
    double i;
    double j;
    double k;
} reha_point3_vox;

/* mm = m * (i, j, k, 1). The columns are the steps of one voxel, the last one is the first voxel's centre. */
typedef struct reha_affine3 {
    double m[3][4];
} reha_affine3;

reha_point3_mm reha_affine3_to_mm(const reha_affine3 *map, reha_point3_vox at);
/* REHA_E_FORMAT: a value is not finite, a voxel is smaller than 1 nm or larger than 1 m a side, or the
 * three steps lie (almost) in one plane: such a geometry cannot be turned round. */
REHA_MUST_USE reha_status reha_affine3_check(const reha_affine3 *map, reha_error *err);
/* From millimetres to voxels; `map` must have passed the check. */
reha_point3_vox reha_affine3_to_vox(const reha_affine3 *map, reha_point3_mm at);

typedef struct reha_volume {
    uint32_t size[3]; /* voxels along i, j, k */
    float *voxels;    /* i fastest, then j, then k; owned */
    reha_affine3 to_mm;
} reha_volume; /* one thread at a time for writing; any thread for reading */

/* REHA_E_LIMIT where the sizes (of `count` such volumes together) are beyond the limits (NULL: defaults),
 * before anything is allocated; 0 sizes are REHA_E_FORMAT. */
REHA_MUST_USE reha_status reha_volume_check_size(const uint64_t size[3], uint64_t count,
                                                 const reha_image_limits *limits, reha_error *err);
/* Voxels 0; `to_mm` NULL: 1 mm, axes as LPS. */
REHA_MUST_USE reha_status reha_volume_new(const uint32_t size[3], const reha_affine3 *to_mm,
                                          reha_volume **out, reha_error *err);
void reha_volume_free(reha_volume *volume); /* NULL is fine */

static inline size_t reha_volume_count(const reha_volume *volume)
{
    return (size_t)volume->size[0] * volume->size[1] * volume->size[2];
}
static inline size_t reha_volume_index(const reha_volume *volume, uint32_t i, uint32_t j, uint32_t k)
{
    return ((size_t)k * volume->size[1] + j) * volume->size[0] + i;
}

/* Length of the step along each axis; along k from centre to centre of neighbouring slices. */
void reha_volume_spacing_mm(const reha_volume *volume, double out[3]);
/* Which way i, j and k run most, as letters (L R A P S I): "PSR" are sagittal slices. out has 4 bytes. */
void reha_volume_directions(const reha_volume *volume, char out[4]);
/* "axial", "coronal" or "sagittal" by the normal of the slices; "oblique ..." where it is more than 20
 * degrees off that axis. Static. */
const char *reha_volume_plane_name(const reha_volume *volume);

/* Slice k as an image with its spacing (calibrated). */
REHA_MUST_USE reha_status reha_volume_slice(const reha_volume *volume, uint32_t k, reha_gray **out,
                                            reha_error *err);

/* Trilinear. Up to half a voxel outside the outermost centres the edge value holds (voxels have a size);
 * beyond it, and where a voxel that would count is NaN, the result is NaN. */
float reha_volume_sample(const reha_volume *volume, reha_point3_vox at);

/* True if both have the same number of voxels and every corner of one lies within `tolerance_vox` voxels of
 * the same corner of the other. */
bool reha_volume_same_grid(const reha_volume *a, const reha_volume *b, double tolerance_vox);

#endif
