/* Multi-planar reformat: any plane through a volume as an image with square pixels of true millimetres.
 *
 * Orientation follows radiological habit: axial images have the patient's left on the right side of the
 * picture and the back below; coronal ones the left on the right and the feet below; sagittal ones the back
 * on the right and the feet below. Values are trilinear (volume.h); outside the volume they are NaN. */
#ifndef REHA_IMAGE_REFORMAT_H
#define REHA_IMAGE_REFORMAT_H

#include "image/volume.h"

typedef enum reha_plane { REHA_PLANE_AXIAL, REHA_PLANE_CORONAL, REHA_PLANE_SAGITTAL } reha_plane;

const char *reha_plane_text(reha_plane plane); /* "axial", ... */
bool reha_plane_find(const char *text, reha_plane *out);

typedef struct reha_cut {
    reha_point3_mm corner; /* centre of the first pixel */
    double right[3];       /* unit vectors in the patient */
    double down[3];
    double step_mm; /* pixel size */
    double slab_mm; /* 0: a plane; else the mean over this thickness, centred on it */
    uint32_t width_px;
    uint32_t height_px;
} reha_cut;

/* The cut with this normal through a point of the patient, just large enough to show all of the volume.
 * `step_mm` 0: the smallest voxel side. REHA_E_ARG: a normal of no length; REHA_E_LIMIT: the picture would be
 * beyond the limits of images. */
REHA_MUST_USE reha_status reha_cut_oblique(const reha_volume *volume, reha_point3_mm through,
                                           const double normal[3], double step_mm, reha_cut *out,
                                           reha_error *err);
/* The same along an axis of the patient; `at_mm` is x (sagittal), y (coronal) or z (axial); NaN: the middle
 * of the volume. */
REHA_MUST_USE reha_status reha_cut_standard(const reha_volume *volume, reha_plane plane, double at_mm,
                                            double step_mm, reha_cut *out, reha_error *err);
/* Moves the cut along its normal (right x down). */
void reha_cut_move(reha_cut *cut, double along_mm);
/* Where a pixel of the cut lies in the patient. */
reha_point3_mm reha_cut_to_mm(const reha_cut *cut, reha_point_px at);

/* REHA_E_LIMIT where pixels times layers of the slab would take more than seconds. */
REHA_MUST_USE reha_status reha_reformat(const reha_volume *volume, const reha_cut *cut, reha_gray **out,
                                        reha_error *err);

#endif
