#include "image/nifti_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CODE_SCANNER = 1, DIM_1_MAX = INT16_MAX };
static const double RIGHT_ANGLE = 1e-4; /* cosine between axes; the qform can express only right angles */

static void put_uint(uint8_t *p, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

static void put_float(uint8_t *p, double value)
{
    const float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    put_uint(p, 4, bits);
}

static void put_double(uint8_t *p, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_uint(p, 8, bits);
}

/* What both versions hold. */
typedef struct fields {
    uint64_t dim[8];
    double pixdim[8];
    bool has_qform;
    double quaternion[3];
    double offset[3];
    reha_affine3 ras;
    const char *description;
} fields;

static bool has_right_angles(const reha_affine3 *map, const double spacing_mm[3])
{
    for (int a = 0; a < 3; a++) {
        const int b = (a + 1) % 3;
        double sum = 0.0;
        for (int r = 0; r < 3; r++) {
            sum += map->m[r][a] * map->m[r][b];
        }
        if (fabs(sum) > RIGHT_ANGLE * spacing_mm[a] * spacing_mm[b]) {
            return false;
        }
    }
    return true;
}

static void fill(const reha_volume *volume, size_t count, const char *description, fields *out)
{
    double spacing_mm[3];
    nifti_dmat44 map = {{{0}}};
    double step[3];
    double qfac = 1.0;
    *out = (fields){.ras = reha_nifti_turn(&volume->to_mm),
                    .description = description != NULL ? description : ""};
    reha_volume_spacing_mm(volume, spacing_mm);
    out->dim[0] = count > 1 ? 4 : 3;
    for (int a = 0; a < 3; a++) {
        out->dim[a + 1] = volume->size[a];
        out->pixdim[a + 1] = spacing_mm[a];
        memcpy(map.m[a], out->ras.m[a], sizeof out->ras.m[a]);
    }
    map.m[3][3] = 1.0;
    for (int d = 4; d < 8; d++) {
        out->dim[d] = d == 4 ? count : 1;
        out->pixdim[d] = 1.0;
    }
    out->has_qform = has_right_angles(&out->ras, spacing_mm);
    nifti_dmat44_to_quatern(map, &out->quaternion[0], &out->quaternion[1], &out->quaternion[2],
                            &out->offset[0], &out->offset[1], &out->offset[2], &step[0], &step[1], &step[2],
                            &qfac);
    out->pixdim[0] = qfac;
}

static void write_1(uint8_t *bytes, const fields *from)
{
    put_uint(bytes + offsetof(nifti_1_header, sizeof_hdr), 4, NIFTI_1_BYTES);
    for (size_t i = 0; i < 8; i++) {
        put_uint(bytes + offsetof(nifti_1_header, dim) + 2 * i, 2, from->dim[i]);
        put_float(bytes + offsetof(nifti_1_header, pixdim) + 4 * i, from->pixdim[i]);
    }
    put_uint(bytes + offsetof(nifti_1_header, datatype), 2, DT_FLOAT32);
    put_uint(bytes + offsetof(nifti_1_header, bitpix), 2, 32);
    put_float(bytes + offsetof(nifti_1_header, vox_offset), NIFTI_1_DATA);
    put_float(bytes + offsetof(nifti_1_header, scl_slope), 1.0);
    bytes[offsetof(nifti_1_header, xyzt_units)] = NIFTI_UNITS_MM;
    (void)snprintf((char *)bytes + offsetof(nifti_1_header, descrip), 80, "%s", from->description);
    put_uint(bytes + offsetof(nifti_1_header, qform_code), 2, from->has_qform ? CODE_SCANNER : 0);
    put_uint(bytes + offsetof(nifti_1_header, sform_code), 2, CODE_SCANNER);
    for (size_t i = 0; i < 3; i++) {
        put_float(bytes + offsetof(nifti_1_header, quatern_b) + 4 * i, from->quaternion[i]);
        put_float(bytes + offsetof(nifti_1_header, qoffset_x) + 4 * i, from->offset[i]);
        for (size_t c = 0; c < 4; c++) {
            put_float(bytes + offsetof(nifti_1_header, srow_x) + 16 * i + 4 * c, from->ras.m[i][c]);
        }
    }
    static const char magic[4] = {'n', '+', '1', '\0'};
    memcpy(bytes + offsetof(nifti_1_header, magic), magic, sizeof magic);
}

static void write_2(uint8_t *bytes, const fields *from)
{
    put_uint(bytes + offsetof(nifti_2_header, sizeof_hdr), 4, NIFTI_2_BYTES);
    static const char magic[8] = {'n', '+', '2', '\0', '\r', '\n', '\032', '\n'};
    memcpy(bytes + offsetof(nifti_2_header, magic), magic, sizeof magic);
    for (size_t i = 0; i < 8; i++) {
        put_uint(bytes + offsetof(nifti_2_header, dim) + 8 * i, 8, from->dim[i]);
        put_double(bytes + offsetof(nifti_2_header, pixdim) + 8 * i, from->pixdim[i]);
    }
    put_uint(bytes + offsetof(nifti_2_header, datatype), 2, DT_FLOAT32);
    put_uint(bytes + offsetof(nifti_2_header, bitpix), 2, 32);
    put_uint(bytes + offsetof(nifti_2_header, vox_offset), 8, NIFTI_2_DATA);
    put_double(bytes + offsetof(nifti_2_header, scl_slope), 1.0);
    put_uint(bytes + offsetof(nifti_2_header, xyzt_units), 4, NIFTI_UNITS_MM);
    (void)snprintf((char *)bytes + offsetof(nifti_2_header, descrip), 80, "%s", from->description);
    put_uint(bytes + offsetof(nifti_2_header, qform_code), 4, from->has_qform ? CODE_SCANNER : 0);
    put_uint(bytes + offsetof(nifti_2_header, sform_code), 4, CODE_SCANNER);
    for (size_t i = 0; i < 3; i++) {
        put_double(bytes + offsetof(nifti_2_header, quatern_b) + 8 * i, from->quaternion[i]);
        put_double(bytes + offsetof(nifti_2_header, qoffset_x) + 8 * i, from->offset[i]);
        for (size_t c = 0; c < 4; c++) {
            put_double(bytes + offsetof(nifti_2_header, srow_x) + 32 * i + 8 * c, from->ras.m[i][c]);
        }
    }
}

static reha_status check(const reha_volume *const *volumes, size_t count, const reha_nifti_options *options,
                         bool needs_2, reha_error *err)
{
    if (count == 0) {
        return reha_fail(err, REHA_E_ARG, "a NIfTI file needs a volume");
    }
    for (size_t v = 1; v < count; v++) {
        if (memcmp(volumes[v]->size, volumes[0]->size, sizeof volumes[0]->size) != 0) {
            return reha_fail(err, REHA_E_ARG, "the volumes of one NIfTI file must have one size");
        }
    }
    if (options->version < 0 || options->version > 2 || (options->version == 1 && needs_2)) {
        return reha_fail(err, REHA_E_ARG, "NIfTI version %d cannot hold this volume", options->version);
    }
    if (options->description != NULL && strlen(options->description) > 79) {
        return reha_fail(err, REHA_E_ARG, "the description of a NIfTI file has at most 79 characters");
    }
    return reha_affine3_check(&volumes[0]->to_mm, err);
}

reha_status reha_nifti_encode(const reha_volume *const *volumes, size_t count,
                              const reha_nifti_options *options, uint8_t **out, size_t *out_bytes,
                              reha_error *err)
{
    fields from;
    size_t data_bytes = 0;
    bool needs_2 = count > DIM_1_MAX;
    *out = NULL;
    *out_bytes = 0;
    for (int a = 0; a < 3 && count > 0; a++) {
        needs_2 = needs_2 || volumes[0]->size[a] > DIM_1_MAX;
    }
    REHA_TRY(check(volumes, count, options, needs_2, err));
    const bool is_2 = options->version == 2 || needs_2;
    const size_t start = is_2 ? NIFTI_2_DATA : NIFTI_1_DATA;
    const size_t voxels = reha_volume_count(volumes[0]);
    size_t total = 0;
    uint8_t *bytes =
        reha_mul_size(voxels * sizeof(float), count, &data_bytes) && reha_add_size(data_bytes, start, &total)
            ? reha_alloc(total)
            : NULL;
    if (bytes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a NIfTI file of %zu volumes", count);
    }
    memset(bytes, 0, start);
    fill(volumes[0], count, options->description, &from);
    if (is_2) {
        write_2(bytes, &from);
    } else {
        write_1(bytes, &from);
    }
    for (size_t v = 0; v < count; v++) {
        for (size_t i = 0; i < voxels; i++) {
            put_float(bytes + start + (v * voxels + i) * sizeof(float), (double)volumes[v]->voxels[i]);
        }
    }
    reha_status status = REHA_OK;
    if (options->is_compressed) {
        status = reha_gzip(bytes, total, out, out_bytes, err);
        reha_free(bytes);
    } else {
        *out = bytes;
        *out_bytes = total;
    }
    return status;
}

reha_status reha_nifti_save(const reha_volume *const *volumes, size_t count, const char *description,
                            const char *path, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t size_bytes = 0;
    const reha_nifti_options options = {.is_compressed = reha_str_ends_nocase(path, ".nii.gz"),
                                        .description = description};
    if (!options.is_compressed && !reha_str_ends_nocase(path, ".nii")) {
        return reha_fail(err, REHA_E_ARG, "%s: a NIfTI file ends in .nii or .nii.gz", path);
    }
    REHA_TRY(reha_nifti_encode(volumes, count, &options, &bytes, &size_bytes, err));
    const reha_status status = reha_file_save(path, bytes, size_bytes, err);
    reha_free(bytes);
    return status;
}
