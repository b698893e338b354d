/* NIfTI: what is written is read again, by us and by the NIfTI library; broken and hostile headers are
 * refused with a reason; the fuzz corpus is replayed. REHA_WRITE_CORPUS=1 writes the seeds anew. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "image/nifti.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include <nifti2_io.h>

#include "../../../fuzz/fuzz_nifti.c"

#define CORPUS REHA_SOURCE_DIR "/fuzz/corpus/nifti"

typedef struct file {
    uint8_t *bytes;
    size_t count;
} file;

static reha_affine3 turned(void)
{
    /* 0.8 x 0.6 x 2 mm, turned about two axes, left-handed k: everything that can go wrong with signs */
    return (reha_affine3){{{0.8 * 0.6, 0.6 * 0.8 * 0.28, 2.0 * 0.8 * 0.96, -12.0},
                           {-0.8 * 0.8, 0.6 * 0.6 * 0.28, 2.0 * 0.6 * 0.96, 30.5},
                           {0.0, 0.6 * 0.96, -2.0 * 0.28, 101.25}}};
}

static reha_volume *some_volume(uint64_t seed)
{
    const uint32_t size[3] = {7, 5, 3};
    const reha_affine3 map = turned();
    reha_volume *volume = NULL;
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(seed, 0);
    assert_ok(reha_volume_new(size, &map, &volume, &err), &err);
    for (size_t i = 0; i < reha_volume_count(volume); i++) {
        volume->voxels[i] = (float)reha_random_range(&random, -50.0, 900.0);
    }
    volume->voxels[11] = NAN;
    return volume;
}

static file encode(int version, bool is_compressed, size_t volumes)
{
    reha_volume *made[4] = {NULL};
    const reha_nifti_options options = {
        .version = version, .is_compressed = is_compressed, .description = "test"};
    reha_error err = REHA_ERROR_INIT;
    file out = {0};
    for (size_t v = 0; v < volumes; v++) {
        made[v] = some_volume(v + 1);
    }
    assert_ok(
        reha_nifti_encode((const reha_volume *const *)made, volumes, &options, &out.bytes, &out.count, &err),
        &err);
    for (size_t v = 0; v < volumes; v++) {
        reha_volume_free(made[v]);
    }
    return out;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    for (int version = 1; version <= 2; version++) {
        for (int packed = 0; packed < 2; packed++) {
            file made = encode(version, packed == 1, 3);
            reha_nifti *nifti = NULL;
            assert_true(reha_nifti_detect(made.bytes, made.count));
            assert_ok(reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err), &err);
            const reha_nifti_facts *facts = reha_nifti_get_facts(nifti);
            assert_int_equal(facts->version, version);
            assert_int_equal(facts->is_compressed, packed);
            assert_int_equal(facts->volume_count, 3);
            assert_string_equal(facts->geometry_source, "sform");
            assert_true(facts->is_position_known && facts->has_unit);
            for (uint32_t v = 0; v < 3; v++) {
                reha_volume *expected = some_volume(v + 1);
                reha_volume *got = NULL;
                assert_ok(reha_nifti_read(nifti, v, &got, &err), &err);
                assert_true(reha_volume_same_grid(expected, got, 1e-4));
                for (size_t i = 0; i < reha_volume_count(got); i++) {
                    assert_true(got->voxels[i] == expected->voxels[i] || (isnan(got->voxels[i]) && i == 11));
                }
                reha_volume_free(expected);
                reha_volume_free(got);
            }
            reha_volume *beyond = NULL;
            assert_int_equal(reha_nifti_read(nifti, 3, &beyond, &err), REHA_E_NOT_FOUND);
            assert_null(beyond);
            reha_nifti_close(nifti);
            reha_free(made.bytes);
        }
    }
}

/* The library is the judge: the same voxel must lie at the same place, by sform and by qform. */
static void the_library_agrees(void **state)
{
    (void)state;
    char path[] = "/tmp/reha-nifti-XXXXXX.nii";
    const int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    (void)close(fd);
    for (int version = 1; version <= 2; version++) {
        reha_error err = REHA_ERROR_INIT;
        file made = encode(version, false, 2);
        assert_ok(reha_file_save(path, made.bytes, made.count, &err), &err);
        nifti_image *image = nifti_image_read(path, 1);
        assert_non_null(image);
        assert_int_equal(image->nx, 7);
        assert_int_equal(image->nz, 3);
        assert_int_equal(image->nt, 2);
        const reha_affine3 map = turned();
        for (int r = 0; r < 3; r++) {
            const double sign = r < 2 ? -1.0 : 1.0; /* LPS to RAS */
            for (int c = 0; c < 4; c++) {
                assert_float_equal(image->sto_xyz.m[r][c], sign * map.m[r][c], 1e-4);
                assert_float_equal(image->qto_xyz.m[r][c], sign * map.m[r][c], 1e-4);
            }
        }
        reha_volume *first = some_volume(1);
        const float *voxels = image->data;
        assert_true(voxels[reha_volume_index(first, 4, 3, 2)] ==
                    first->voxels[reha_volume_index(first, 4, 3, 2)]);
        reha_volume_free(first);
        nifti_image_free(image);
        reha_free(made.bytes);
    }
    (void)unlink(path);
}

static void put16(uint8_t *p, int value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void putf(uint8_t *p, float value)
{
    memcpy(p, &value, sizeof value); /* the tests run on little-endian machines, as the library's twin does */
}

static void without_sform_the_qform_counts(void **state)
{
    (void)state;
    file made = encode(1, false, 1);
    reha_nifti *nifti = NULL;
    reha_error err = REHA_ERROR_INIT;
    put16(made.bytes + 254, 0); /* sform_code */
    assert_ok(reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err), &err);
    const reha_nifti_facts *facts = reha_nifti_get_facts(nifti);
    const reha_affine3 map = turned();
    assert_string_equal(facts->geometry_source, "qform");
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 4; c++) {
            assert_float_equal(facts->to_mm.m[r][c], map.m[r][c], 1e-4);
        }
    }
    reha_nifti_close(nifti);
    put16(made.bytes + 252, 0); /* qform_code: only voxel sizes are left */
    made.bytes[123] = 0;        /* and no unit */
    assert_ok(reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err), &err);
    facts = reha_nifti_get_facts(nifti);
    assert_false(facts->is_position_known);
    assert_false(facts->has_unit);
    assert_float_equal(facts->to_mm.m[1][1], 0.6, 1e-6);
    reha_nifti_close(nifti);
    reha_free(made.bytes);
}

/* Integers in both byte orders with a scale, and microns. */
static void integers_are_scaled(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        uint8_t bytes[352 + 4] = {0};
        nifti_1_header *head = (nifti_1_header *)(void *)bytes;
        head->sizeof_hdr = 348;
        head->dim[0] = 3;
        head->dim[1] = 2;
        head->dim[2] = head->dim[3] = 1;
        head->datatype = DT_INT16;
        head->bitpix = 16;
        head->pixdim[1] = head->pixdim[2] = head->pixdim[3] = 500.0F;
        head->vox_offset = 352.0F;
        head->scl_slope = 0.5F;
        head->scl_inter = -3.0F;
        head->xyzt_units = NIFTI_UNITS_MICRON;
        memcpy(head->magic, "n+1", 4);
        put16(bytes + 352, -200);
        put16(bytes + 354, 1000);
        if (big == 1) {
            swap_nifti_header(head, 1);
            nifti_swap_2bytes(2, bytes + 352);
        }
        reha_nifti *nifti = NULL;
        reha_volume *volume = NULL;
        reha_error err = REHA_ERROR_INIT;
        assert_ok(reha_nifti_open(bytes, sizeof bytes, NULL, &nifti, &err), &err);
        assert_ok(reha_nifti_read(nifti, 0, &volume, &err), &err);
        assert_float_equal(volume->voxels[0], -103.0, 0);
        assert_float_equal(volume->voxels[1], 497.0, 0);
        double spacing_mm[3];
        reha_volume_spacing_mm(volume, spacing_mm);
        assert_float_equal(spacing_mm[2], 0.5, 1e-9);
        reha_volume_free(volume);
        reha_nifti_close(nifti);
    }
}

/* One change of a good NIfTI-1 file each, and what the error must say. */
static void hostile_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t at;
        int bytes; /* 2: int16, 4: float */
        double value;
        reha_status status;
        const char *says;
    } cases[] = {
        {"no dimensions", 40, 2, 0, REHA_E_FORMAT, "dimensions"},
        {"too many dimensions", 40, 2, 8, REHA_E_FORMAT, "dimensions"},
        {"negative size", 42, 2, -5, REHA_E_FORMAT, "along dimension 1"},
        {"zero size", 46, 2, 0, REHA_E_FORMAT, "along dimension 3"},
        {"huge size", 42, 2, 32767, REHA_E_LIMIT, "at most"},
        {"more than there is", 44, 2, 900, REHA_E_FORMAT, "cut"},
        {"unknown type", 70, 2, 77, REHA_E_UNSUPPORTED, "data type 77"},
        {"colour", 70, 2, DT_RGB24, REHA_E_UNSUPPORTED, "data type 128"},
        {"bits and type differ", 72, 2, 8, REHA_E_FORMAT, "bits"},
        {"voxels inside the header", 108, 4, 12, REHA_E_FORMAT, "begin at byte"},
        {"offset is no number", 108, 4, (double)NAN, REHA_E_FORMAT, "begin at byte"},
        {"offset beyond the file", 108, 4, 1e30, REHA_E_FORMAT, "begin at byte"},
        {"offset behind the end", 108, 4, 5000, REHA_E_FORMAT, "cut"},
        {"affine is no number", 280, 4, (double)NAN, REHA_E_FORMAT, "geometry is broken"},
        {"affine is infinite", 292, 4, (double)INFINITY, REHA_E_FORMAT, "geometry is broken"},
        {"unit of length", 122, 2, 7 << 8, REHA_E_FORMAT, "unit of length"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        file made = encode(1, false, 1);
        reha_nifti *nifti = NULL;
        reha_error err = REHA_ERROR_INIT;
        if (cases[i].bytes == 2) {
            put16(made.bytes + cases[i].at, (int)cases[i].value);
        } else {
            putf(made.bytes + cases[i].at, (float)cases[i].value);
        }
        const reha_status status = reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err);
        if (status != cases[i].status || strstr(err.text, cases[i].says) == NULL) {
            fail_msg("%s: %s: %s", cases[i].what, reha_status_name(status), err.text);
        }
        assert_null(nifti);
        reha_free(made.bytes);
    }
}

static void other_faults_are_named(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_nifti *nifti = NULL;
    file made = encode(1, false, 1);
    memcpy(made.bytes + 344, "ni1", 4);
    assert_int_equal(reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err), REHA_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, ".img"));
    memset(made.bytes + 344, 0, 4);
    assert_int_equal(reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err), REHA_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "Analyze"));
    assert_int_equal(reha_nifti_open("no image at all", 15, NULL, &nifti, &err), REHA_E_FORMAT);
    assert_int_equal(reha_nifti_open("", 0, NULL, &nifti, &err), REHA_E_FORMAT);
    reha_free(made.bytes);
    /* A bad quaternion where it counts. */
    made = encode(1, false, 1);
    put16(made.bytes + 254, 0);
    putf(made.bytes + 256, 3.0F);
    assert_int_equal(reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "no rotation"));
    reha_free(made.bytes);
    /* A small gzip that declares gigabytes must not make us ask for them. */
    made = encode(2, false, 1);
    const int64_t side = 20000;
    memcpy(made.bytes + 16 + 8, &side, 8);
    memcpy(made.bytes + 16 + 16, &(int64_t){5000}, 8);
    const reha_image_limits limits = {.pixels_max = 1u << 30,
                                      .side_max_px = 1 << 20,
                                      .frames_max = 10,
                                      .file_bytes_max = 1u << 30,
                                      .decoded_bytes_max = UINT64_C(1) << 40};
    assert_int_equal(reha_nifti_open(made.bytes, made.count, &limits, &nifti, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "cut"));
    reha_free(made.bytes);
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        file made = encode(1, packed == 1, 1);
        for (size_t count = 0; count + (packed == 1 ? 8 : 0) < made.count;
             count++) { /* the gzip tail holds no voxel */
            reha_nifti *nifti = NULL;
            reha_error err = REHA_ERROR_INIT;
            uint8_t *copy = malloc(count + 1); /* an exact block, so that a sanitizer sees reads behind it */
            assert_non_null(copy);
            memcpy(copy, made.bytes, count);
            const reha_status status = reha_nifti_open(copy, count, NULL, &nifti, &err);
            assert_true(status == REHA_E_FORMAT ||
                        (packed == 1 && status == REHA_OK && count + 16 > made.count));
            assert_true(status == REHA_OK || err.text[0] != '\0');
            reha_nifti_close(nifti);
            free(copy);
        }
        reha_free(made.bytes);
    }
}

static void only_fitting_volumes_are_written(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t count = 0;
    const uint32_t other_size[3] = {2, 2, 2};
    reha_volume *one = some_volume(1);
    reha_volume *other = NULL;
    assert_ok(reha_volume_new(other_size, NULL, &other, &err), &err);
    const reha_volume *both[] = {one, other};
    const reha_nifti_options plain = {0};
    const reha_nifti_options version_3 = {.version = 3};
    assert_int_equal(reha_nifti_encode(both, 2, &plain, &bytes, &count, &err), REHA_E_ARG);
    assert_int_equal(reha_nifti_encode(both, 0, &plain, &bytes, &count, &err), REHA_E_ARG);
    assert_int_equal(reha_nifti_encode(both, 1, &version_3, &bytes, &count, &err), REHA_E_ARG);
    one->to_mm.m[0][0] = (double)NAN;
    assert_int_equal(reha_nifti_encode(both, 1, &plain, &bytes, &count, &err), REHA_E_FORMAT);
    assert_int_equal(reha_nifti_save(both, 1, NULL, "/tmp/volume.png", &err), REHA_E_ARG);
    assert_null(bytes);
    reha_volume_free(one);
    reha_volume_free(other);
}

static void memory_that_runs_out_leaves_nothing(void **state)
{
    (void)state;
    file made = encode(1, true, 2);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 50; n++) {
        reha_nifti *nifti = NULL;
        reha_volume *volume = NULL;
        reha_error err = REHA_ERROR_INIT;
        reha_mem_fail_after(n);
        status = reha_nifti_open(made.bytes, made.count, NULL, &nifti, &err);
        if (status == REHA_OK) {
            status = reha_nifti_read(nifti, 1, &volume, &err);
        }
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_volume_free(volume);
        reha_nifti_close(nifti);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    assert_int_equal(status, REHA_OK);
    reha_free(made.bytes);
}

static void write_seed(const char *name, file made)
{
    char *path = reha_path_join(CORPUS, name);
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_file_save(path, made.bytes, made.count, &err), &err);
    reha_free(path);
    reha_free(made.bytes);
}

static void corpus_is_replayed(void **state)
{
    (void)state;
    reha_paths paths = {0};
    reha_error err = REHA_ERROR_INIT;
    if (getenv("REHA_WRITE_CORPUS") != NULL) {
        write_seed("one.nii", encode(1, false, 1));
        write_seed("two.nii.gz", encode(1, true, 2));
        write_seed("version2.nii", encode(2, false, 1));
        file qform = encode(1, false, 1);
        put16(qform.bytes + 254, 0);
        write_seed("qform.nii", qform);
    }
    assert_ok(reha_folder_list(CORPUS, 1000, &paths, &err), &err);
    assert_true(paths.count >= 4);
    for (size_t i = 0; i < paths.count; i++) {
        uint8_t *bytes = NULL;
        size_t count = 0;
        reha_random random = reha_random_init(5, i);
        assert_ok(reha_file_load(paths.items[i], 1 << 20, &bytes, &count, &err), &err);
        (void)LLVMFuzzerTestOneInput(bytes, count);
        for (int round = 0; round < 300;
             round++) { /* what libFuzzer does first: flip bytes, mostly of the header */
            const uint32_t within = (uint32_t)(count < 560 ? count : 560);
            uint8_t *changed = malloc(count);
            assert_non_null(changed);
            memcpy(changed, bytes, count);
            for (uint32_t flips = 1 + reha_random_below(&random, 3); flips > 0; flips--) {
                changed[reha_random_below(&random, within)] = (uint8_t)reha_random_below(&random, 256);
            }
            (void)LLVMFuzzerTestOneInput(changed, count);
            free(changed);
        }
        reha_free(bytes);
    }
    reha_paths_clear(&paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_library_agrees),
        cmocka_unit_test(without_sform_the_qform_counts),
        cmocka_unit_test(integers_are_scaled),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(other_faults_are_named),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(only_fitting_volumes_are_written),
        cmocka_unit_test(memory_that_runs_out_leaves_nothing),
        cmocka_unit_test(corpus_is_replayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
