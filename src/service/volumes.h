/* The use case `volume`: what a folder of slices or a NIfTI file holds; as NIfTI; as pictures of any plane.
 */
#ifndef REHA_SERVICE_VOLUMES_H
#define REHA_SERVICE_VOLUMES_H

#include "base/json.h"
#include "image/reformat.h"

typedef struct reha_volumes reha_volumes; /* an opened folder or file; one thread at a time */

/* A folder of DICOM files, one DICOM file, or one .nii / .nii.gz. Errors name the path. */
REHA_MUST_USE reha_status reha_volumes_open(const char *path, reha_volumes **out, reha_error *err);
void reha_volumes_close(reha_volumes *volumes); /* NULL is fine */

/* Lines for a terminal (reha_free), or {"schema":"rehascope/volumes/1",...} (a new reference). */
REHA_MUST_USE reha_status reha_volumes_lines(const reha_volumes *volumes, char **out, reha_error *err);
REHA_MUST_USE reha_status reha_volumes_to_json(const reha_volumes *volumes, json_t **out, reha_error *err);

/* One volume: `series` is a series number (negative: the only volume there is), `echo_no` from 1. For NIfTI
 * the series counts for nothing and echo_no is the number of the volume. REHA_E_NOT_FOUND lists what there
 * is. */
REHA_MUST_USE reha_status reha_volumes_load(const reha_volumes *volumes, int series, int echo_no,
                                            reha_volume **out, reha_error *err);
/* All echoes (volumes) of a series into one NIfTI file. */
REHA_MUST_USE reha_status reha_volumes_convert(const reha_volumes *volumes, int series, const char *path,
                                               reha_error *err);

/* The cut as a PNG picture with its directions and a bar of 10 mm to 5 cm; grey levels from the 1st to
 * the 99.5th percentile of the cut. */
REHA_MUST_USE reha_status reha_volumes_picture(const reha_volume *volume, const reha_cut *cut,
                                               const char *path, reha_error *err);

#endif
