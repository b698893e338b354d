/* NIfTI-1 and NIfTI-2 files (.nii, .nii.gz; both byte orders) to volumes, and back.
 *
 * The header is parsed by a bounded parser of our own (docs/adr/0003 says why for DICOM, and the reasons are
 * the same); structures, codes and the quaternion geometry are those of the NIfTI library. Declared
 * sizes are compared with the limits and with the bytes that are there before anything is allocated.
 *
 * Integers of 8 to 64 bits and floats of 32 and 64 bits are read; scl_slope and scl_inter are applied. Values
 * that are not finite become NaN. Geometry: the sform where there is one, else the qform, else voxel sizes
 * only (then is_position_known is false and the axes are taken for L, P, S). NIfTI's RAS millimetres
 * become LPS (volume.h).
 *
 * Not read, and named in the error: pairs of .hdr and .img, Analyze 7.5, complex and colour voxels. */
#ifndef REHA_IMAGE_NIFTI_H
#define REHA_IMAGE_NIFTI_H

#include "image/volume.h"

typedef struct reha_nifti reha_nifti; /* immutable after opening: any thread, several at once */

typedef struct reha_nifti_facts {
    int version; /* 1 or 2 */
    uint32_t size[3];
    uint32_t volume_count; /* dimensions 4 to 7 together */
    reha_affine3 to_mm;    /* LPS */
    bool is_position_known;
    const char *geometry_source; /* "sform", "qform", "voxel sizes"; static */
    const char *data_type;       /* "int16", ...; static */
    bool is_compressed;
    bool has_unit; /* false: the file does not say that lengths are millimetres; they were taken for it */
} reha_nifti_facts;

/* True if the bytes look like NIfTI, compressed or not. */
bool reha_nifti_detect(const void *bytes, size_t count);

/* `bytes` are borrowed and must outlive *out. `limits` NULL: defaults. REHA_E_FORMAT: damaged, truncated,
 * impossible geometry; REHA_E_UNSUPPORTED; REHA_E_LIMIT. */
REHA_MUST_USE reha_status reha_nifti_open(const void *bytes, size_t count, const reha_image_limits *limits,
                                          reha_nifti **out, reha_error *err);
/* As above for a file, which *out then owns. Error texts begin with the path. */
REHA_MUST_USE reha_status reha_nifti_load(const char *path, const reha_image_limits *limits, reha_nifti **out,
                                          reha_error *err);
void reha_nifti_close(reha_nifti *nifti);                              /* NULL is fine */
const reha_nifti_facts *reha_nifti_get_facts(const reha_nifti *nifti); /* borrowed */
/* Volume volume_idx (from 0); REHA_E_NOT_FOUND beyond the last one. */
REHA_MUST_USE reha_status reha_nifti_read(const reha_nifti *nifti, uint32_t volume_idx, reha_volume **out,
                                          reha_error *err);

typedef struct reha_nifti_options {
    int version; /* 1 or 2; 0: 1 where the sizes allow it */
    bool is_compressed;
    const char *description; /* at most 79 characters, never of a patient; NULL: none */
} reha_nifti_options;

/* float32, little endian, sform and (where the axes are at right angles) qform, millimetres. Volumes must
 * have one size; the first one's geometry is written. The same input gives the same bytes. *out: reha_free.
 */
REHA_MUST_USE reha_status reha_nifti_encode(const reha_volume *const *volumes, size_t count,
                                            const reha_nifti_options *options, uint8_t **out,
                                            size_t *out_bytes, reha_error *err);
/* By the name: .nii, or .nii.gz (compressed); anything else is REHA_E_ARG. Atomic replace. */
REHA_MUST_USE reha_status reha_nifti_save(const reha_volume *const *volumes, size_t count,
                                          const char *description, const char *path, reha_error *err);

#endif
