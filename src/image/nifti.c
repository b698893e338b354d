/* Reading. The writer is nifti_write.c. */
#include "image/nifti_priv.h"

#include "base/file.h"
#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { GZIP_RATIO_MAX = 1032, TO_SPATIAL_UNIT = 7 };

/* One header, whatever its version and byte order. */
typedef struct header {
    int version;
    bool is_swapped;
    int64_t dim[8];
    double pixdim[8];
    int data_type;
    int bits;
    double data_offset;
    double slope;
    double intercept;
    int units;
    int qform_code;
    int sform_code;
    double quaternion[3];
    double offset[3];
    double rows[3][4];
} header;

typedef struct voxel_type {
    int code;
    const char *name;
    unsigned bytes;
} voxel_type;

static const voxel_type voxel_types[] = {
    {DT_UINT8, "uint8", 1},     {DT_INT8, "int8", 1},       {DT_INT16, "int16", 2}, {DT_UINT16, "uint16", 2},
    {DT_INT32, "int32", 4},     {DT_UINT32, "uint32", 4},   {DT_INT64, "int64", 8}, {DT_UINT64, "uint64", 8},
    {DT_FLOAT32, "float32", 4}, {DT_FLOAT64, "float64", 8},
};

struct reha_nifti {
    uint8_t *owned; /* the file, or its unpacked bytes; NULL if the caller keeps them */
    const uint8_t *voxels;
    const voxel_type *type;
    bool is_swapped;
    double slope;
    double intercept;
    reha_nifti_facts facts;
};

static uint64_t read_uint(const uint8_t *p, unsigned bytes, bool is_big)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | p[is_big ? i : bytes - 1 - i];
    }
    return value;
}

static double read_float(const uint8_t *p, bool is_big)
{
    const uint32_t bits = (uint32_t)read_uint(p, 4, is_big);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double read_double(const uint8_t *p, bool is_big)
{
    const uint64_t bits = read_uint(p, 8, is_big);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define AT1(member) (bytes + offsetof(nifti_1_header, member))
#define AT2(member) (bytes + offsetof(nifti_2_header, member))

static void parse_1(const uint8_t *bytes, bool big, header *out)
{
    for (size_t i = 0; i < 8; i++) {
        out->dim[i] = (int16_t)read_uint(AT1(dim) + 2 * i, 2, big);
        out->pixdim[i] = read_float(AT1(pixdim) + 4 * i, big);
    }
    out->data_type = (int16_t)read_uint(AT1(datatype), 2, big);
    out->bits = (int16_t)read_uint(AT1(bitpix), 2, big);
    out->data_offset = read_float(AT1(vox_offset), big);
    out->slope = read_float(AT1(scl_slope), big);
    out->intercept = read_float(AT1(scl_inter), big);
    out->units = *AT1(xyzt_units);
    out->qform_code = (int16_t)read_uint(AT1(qform_code), 2, big);
    out->sform_code = (int16_t)read_uint(AT1(sform_code), 2, big);
    for (size_t i = 0; i < 3; i++) {
        out->quaternion[i] = read_float(AT1(quatern_b) + 4 * i, big);
        out->offset[i] = read_float(AT1(qoffset_x) + 4 * i, big);
        for (size_t c = 0; c < 4; c++) {
            out->rows[i][c] = read_float(AT1(srow_x) + 16 * i + 4 * c, big);
        }
    }
}

static void parse_2(const uint8_t *bytes, bool big, header *out)
{
    for (size_t i = 0; i < 8; i++) {
        out->dim[i] = (int64_t)read_uint(AT2(dim) + 8 * i, 8, big);
        out->pixdim[i] = read_double(AT2(pixdim) + 8 * i, big);
    }
    out->data_type = (int16_t)read_uint(AT2(datatype), 2, big);
    out->bits = (int16_t)read_uint(AT2(bitpix), 2, big);
    out->data_offset = (double)(int64_t)read_uint(AT2(vox_offset), 8, big);
    out->slope = read_double(AT2(scl_slope), big);
    out->intercept = read_double(AT2(scl_inter), big);
    out->units = (int)(read_uint(AT2(xyzt_units), 4, big) & 0xFF);
    out->qform_code = (int32_t)read_uint(AT2(qform_code), 4, big);
    out->sform_code = (int32_t)read_uint(AT2(sform_code), 4, big);
    for (size_t i = 0; i < 3; i++) {
        out->quaternion[i] = read_double(AT2(quatern_b) + 8 * i, big);
        out->offset[i] = read_double(AT2(qoffset_x) + 8 * i, big);
        for (size_t c = 0; c < 4; c++) {
            out->rows[i][c] = read_double(AT2(srow_x) + 32 * i + 8 * c, big);
        }
    }
}

/* 1 or 2, and the byte order; 0: no NIfTI. Analyze 7.5 has the size of version 1 but no magic: -1. */
static int version_of(const uint8_t *bytes, size_t count, bool *is_big)
{
    for (int big = 0; big < 2 && count >= 4; big++) {
        const uint64_t size = read_uint(bytes, 4, big == 1);
        *is_big = big == 1;
        if (size == NIFTI_1_BYTES && count >= NIFTI_1_BYTES) {
            return memcmp(AT1(magic), "n+1", 4) == 0 || memcmp(AT1(magic), "ni1", 4) == 0 ? 1 : -1;
        }
        if (size == NIFTI_2_BYTES && count >= NIFTI_2_BYTES) {
            return memcmp(AT2(magic), "n+2", 4) == 0 || memcmp(AT2(magic), "ni2", 4) == 0 ? 2 : 0;
        }
    }
    return 0;
}

static bool is_gzip(const uint8_t *bytes, size_t count)
{
    return count > 18 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

bool reha_nifti_detect(const void *bytes, size_t count)
{
    uint8_t head[NIFTI_2_BYTES];
    size_t got = 0;
    bool is_big = false;
    if (is_gzip(bytes, count)) {
        return reha_gunzip(bytes, count, head, sizeof head, &got, NULL) == REHA_OK &&
               version_of(head, got, &is_big) > 0;
    }
    return version_of(bytes, count, &is_big) > 0;
}

static reha_status parse_header(const uint8_t *bytes, size_t count, header *out, reha_error *err)
{
    bool is_big = false;
    *out = (header){0};
    const int version = version_of(bytes, count, &is_big);
    if (version < 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "an Analyze 7.5 header, which has no patient geometry: convert it to NIfTI");
    }
    if (version == 0) {
        return reha_fail(err, REHA_E_FORMAT,
                         "no NIfTI header in the first %zu bytes: give a .nii or .nii.gz file",
                         count < NIFTI_2_BYTES ? count : (size_t)NIFTI_2_BYTES);
    }
    if (memcmp(version == 1 ? AT1(magic) : AT2(magic), "ni", 2) == 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "a header of a pair of .hdr and .img files: convert it to one .nii file");
    }
    if (version == 1) {
        parse_1(bytes, is_big, out);
    } else {
        parse_2(bytes, is_big, out);
    }
    out->version = version;
    out->is_swapped = is_big;
    return REHA_OK;
}

static reha_status read_sizes(const header *head, const reha_image_limits *limits, reha_nifti_facts *facts,
                              reha_error *err)
{
    uint64_t size[3] = {1, 1, 1};
    uint64_t count = 1;
    const int64_t rank = head->dim[0];
    if (rank < 2 || rank > 7) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the NIfTI header says %" PRId64 " dimensions (dim[0]), not 2 to 7", rank);
    }
    for (int64_t d = 1; d <= rank; d++) {
        const int64_t length = head->dim[d];
        if (length < 1) {
            return reha_fail(err, REHA_E_FORMAT,
                             "the NIfTI header says %" PRId64 " voxels along dimension %" PRId64, length, d);
        }
        if (length > INT32_MAX || (d > 3 && count > UINT32_MAX / (uint64_t)length)) {
            return reha_fail(err, REHA_E_LIMIT,
                             "the NIfTI header says %" PRId64 " voxels along dimension %" PRId64, length, d);
        }
        if (d <= 3) {
            size[d - 1] = (uint64_t)length;
        } else {
            count *= (uint64_t)length;
        }
    }
    REHA_TRY(reha_volume_check_size(size, count, limits, err));
    for (int a = 0; a < 3; a++) {
        facts->size[a] = (uint32_t)size[a];
    }
    facts->volume_count = (uint32_t)count;
    return REHA_OK;
}

reha_affine3 reha_nifti_turn(const reha_affine3 *map)
{
    reha_affine3 turned = *map;
    for (int c = 0; c < 4; c++) {
        turned.m[0][c] = -turned.m[0][c];
        turned.m[1][c] = -turned.m[1][c];
    }
    return turned;
}

/* A voxel size of 0 in the header means "not said"; a thin third axis is common in 2D files. */
static double voxel_size(const header *head, int axis)
{
    const double size = fabs(head->pixdim[axis]);
    return size > 0.0 ? size : 1.0;
}

static void from_quaternion(const header *head, reha_affine3 *out)
{
    const nifti_dmat44 map =
        nifti_quatern_to_dmat44(head->quaternion[0], head->quaternion[1], head->quaternion[2],
                                head->offset[0], head->offset[1], head->offset[2], voxel_size(head, 1),
                                voxel_size(head, 2), voxel_size(head, 3), head->pixdim[0] < 0.0 ? -1.0 : 1.0);
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 4; c++) {
            out->m[r][c] = map.m[r][c];
        }
    }
}

static reha_status check_quaternion(const header *head, reha_error *err)
{
    double sum = 0.0;
    for (int i = 0; i < 3; i++) {
        sum += head->quaternion[i] * head->quaternion[i];
    }
    if (!(sum <= 1.0 + 1e-3)) { /* b, c, d of a unit quaternion */
        return reha_fail(err, REHA_E_FORMAT, "the geometry is broken: the qform's quaternion is no rotation");
    }
    return REHA_OK;
}

static reha_status read_geometry(const header *head, reha_nifti_facts *facts, reha_error *err)
{
    static const double per_mm[] = {[NIFTI_UNITS_UNKNOWN] = 1.0,
                                    [NIFTI_UNITS_METER] = 1000.0,
                                    [NIFTI_UNITS_MM] = 1.0,
                                    [NIFTI_UNITS_MICRON] = 1e-3};
    reha_affine3 map = {{{0}}};
    const int unit = head->units & TO_SPATIAL_UNIT;
    if (unit > NIFTI_UNITS_MICRON) {
        return reha_fail(err, REHA_E_FORMAT, "the NIfTI header names no known unit of length (xyzt_units %d)",
                         head->units);
    }
    facts->has_unit = unit != NIFTI_UNITS_UNKNOWN;
    facts->is_position_known = true;
    if (head->sform_code > 0) {
        memcpy(map.m, head->rows, sizeof map.m);
        facts->geometry_source = "sform";
    } else if (head->qform_code > 0) {
        REHA_TRY(check_quaternion(head, err));
        from_quaternion(head, &map);
        facts->geometry_source = "qform";
    } else {
        for (int a = 0; a < 3; a++) {
            map.m[a][a] = a < 2 ? -voxel_size(head, a + 1) : voxel_size(head, a + 1); /* LPS after the turn */
        }
        facts->geometry_source = "voxel sizes";
        facts->is_position_known = false;
    }
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 4; c++) {
            map.m[r][c] *= per_mm[unit];
        }
    }
    facts->to_mm = reha_nifti_turn(&map);
    return reha_affine3_check(&facts->to_mm, err);
}

static reha_status find_type(const header *head, const voxel_type **out, reha_error *err)
{
    for (size_t i = 0; i < sizeof voxel_types / sizeof voxel_types[0]; i++) {
        if (voxel_types[i].code == head->data_type) {
            *out = &voxel_types[i];
            return head->bits == 0 || head->bits == (int)voxel_types[i].bytes * 8
                       ? REHA_OK
                       : reha_fail(err, REHA_E_FORMAT, "the NIfTI header says %s voxels of %d bits",
                                   voxel_types[i].name, head->bits);
        }
    }
    return reha_fail(
        err, REHA_E_UNSUPPORTED,
        "voxels of NIfTI data type %d (complex, colour or 128 bits) are not read: convert them to float32",
        head->data_type);
}

/* Bytes that the file must have in all. Sizes were checked: 2 GiB as float32 at most. */
static reha_status find_extent(const header *head, const reha_nifti *nifti, const reha_image_limits *limits,
                               size_t *from, size_t *needed, reha_error *err)
{
    const reha_nifti_facts *facts = &nifti->facts;
    const double earliest = head->version == 1 ? NIFTI_1_DATA : NIFTI_2_DATA;
    const uint64_t data_bytes =
        (uint64_t)facts->size[0] * facts->size[1] * facts->size[2] * facts->volume_count * nifti->type->bytes;
    if (!(head->data_offset >= earliest && head->data_offset <= (double)limits->file_bytes_max &&
          head->data_offset == floor(head->data_offset))) {
        return reha_fail(err, REHA_E_FORMAT, "the NIfTI header says that voxels begin at byte %g",
                         head->data_offset);
    }
    *from = (size_t)head->data_offset;
    if (data_bytes + *from > limits->decoded_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT,
                         "%" PRIu64 " MiB of voxels are declared, at most %" PRIu64 " are read",
                         data_bytes >> 20, limits->decoded_bytes_max >> 20);
    }
    *needed = *from + (size_t)data_bytes;
    return REHA_OK;
}

static reha_status cut_file(size_t needed, size_t got, reha_error *err)
{
    return reha_fail(err, REHA_E_FORMAT,
                     "the file is cut: %zu of %zu bytes are there; copy or export it again", got, needed);
}

static reha_status unpack(const uint8_t *bytes, size_t count, size_t needed, reha_nifti *nifti,
                          reha_error *err)
{
    size_t got = 0;
    if (needed / GZIP_RATIO_MAX > count) { /* no gzip stream of this length can hold so much */
        return cut_file(needed, count, err);
    }
    nifti->owned = reha_alloc(needed);
    if (nifti->owned == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a NIfTI file of %zu bytes", needed);
    }
    REHA_TRY(reha_gunzip(bytes, count, nifti->owned, needed, &got, err));
    return got == needed ? REHA_OK : cut_file(needed, got, err);
}

static reha_status open_into(const uint8_t *bytes, size_t count, const reha_image_limits *limits,
                             reha_nifti *nifti, reha_error *err)
{
    uint8_t unpacked[NIFTI_2_BYTES];
    const uint8_t *first = bytes;
    size_t first_bytes = count;
    header head;
    size_t from = 0;
    size_t needed = 0;
    if (count > limits->file_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT, "a file of %zu MiB, the limit is %" PRIu64, count >> 20,
                         limits->file_bytes_max >> 20);
    }
    nifti->facts.is_compressed = is_gzip(bytes, count);
    if (nifti->facts.is_compressed) {
        REHA_TRY(reha_gunzip(bytes, count, unpacked, sizeof unpacked, &first_bytes, err));
        first = unpacked;
    }
    REHA_TRY(parse_header(first, first_bytes, &head, err));
    nifti->facts.version = head.version;
    REHA_TRY(read_sizes(&head, limits, &nifti->facts, err));
    REHA_TRY(find_type(&head, &nifti->type, err));
    nifti->facts.data_type = nifti->type->name;
    REHA_TRY(read_geometry(&head, &nifti->facts, err));
    REHA_TRY(find_extent(&head, nifti, limits, &from, &needed, err));
    if (nifti->facts.is_compressed) {
        REHA_TRY(unpack(bytes, count, needed, nifti, err));
        bytes = nifti->owned;
    } else if (count < needed) {
        return cut_file(needed, count, err);
    }
    nifti->voxels = bytes + from;
    nifti->is_swapped = head.is_swapped;
    const bool has_scale = isfinite(head.slope) && head.slope != 0.0 && isfinite(head.intercept);
    nifti->slope = has_scale ? head.slope : 1.0;
    nifti->intercept = has_scale ? head.intercept : 0.0;
    return REHA_OK;
}

reha_status reha_nifti_open(const void *bytes, size_t count, const reha_image_limits *limits,
                            reha_nifti **out, reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    *out = NULL;
    reha_nifti *nifti = reha_alloc_zero(1, sizeof *nifti);
    if (nifti == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a NIfTI file");
    }
    const reha_status status = open_into(bytes, count, limits != NULL ? limits : &defaults, nifti, err);
    if (status != REHA_OK) {
        reha_nifti_close(nifti);
        return status;
    }
    *out = nifti;
    return REHA_OK;
}

reha_status reha_nifti_load(const char *path, const reha_image_limits *limits, reha_nifti **out,
                            reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = NULL;
    REHA_TRY(reha_file_load(path, limits != NULL ? limits->file_bytes_max : defaults.file_bytes_max, &bytes,
                            &count, err));
    const reha_status status = reha_nifti_open(bytes, count, limits, out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    } else if ((*out)->owned == NULL) {
        (*out)->owned = bytes; /* not compressed: read from where it lies */
        return REHA_OK;
    }
    reha_free(bytes);
    return status;
}

void reha_nifti_close(reha_nifti *nifti)
{
    if (nifti != NULL) {
        reha_free(nifti->owned);
        reha_free(nifti);
    }
}

const reha_nifti_facts *reha_nifti_get_facts(const reha_nifti *nifti)
{
    return &nifti->facts;
}

static double voxel_value(const reha_nifti *nifti, const uint8_t *p)
{
    const bool big = nifti->is_swapped;
    switch (nifti->type->code) {
    case DT_UINT8:
        return (double)p[0];
    case DT_INT8:
        return (double)(int8_t)p[0];
    case DT_INT16:
        return (double)(int16_t)read_uint(p, 2, big);
    case DT_UINT16:
        return (double)read_uint(p, 2, big);
    case DT_INT32:
        return (double)(int32_t)read_uint(p, 4, big);
    case DT_UINT32:
        return (double)read_uint(p, 4, big);
    case DT_INT64:
        return (double)(int64_t)read_uint(p, 8, big);
    case DT_UINT64:
        return (double)read_uint(p, 8, big);
    case DT_FLOAT32:
        return read_float(p, big);
    default: /* DT_FLOAT64: find_type let nothing else through */
        return read_double(p, big);
    }
}

reha_status reha_nifti_read(const reha_nifti *nifti, uint32_t volume_idx, reha_volume **out, reha_error *err)
{
    *out = NULL;
    if (volume_idx >= nifti->facts.volume_count) {
        return reha_fail(err, REHA_E_NOT_FOUND, "volume %" PRIu32 " of %" PRIu32, volume_idx + 1,
                         nifti->facts.volume_count);
    }
    REHA_TRY(reha_volume_new(nifti->facts.size, &nifti->facts.to_mm, out, err));
    const size_t count = reha_volume_count(*out);
    const uint8_t *p = nifti->voxels + (size_t)volume_idx * count * nifti->type->bytes;
    for (size_t v = 0; v < count; v++, p += nifti->type->bytes) {
        const float value = (float)(voxel_value(nifti, p) * nifti->slope + nifti->intercept);
        (*out)->voxels[v] = isfinite(value) ? value : NAN;
    }
    return REHA_OK;
}
