/* Hostile and broken files: an error or a correct decode, in bounded memory and time, without a
 * leak. The bounds are asserted, not hoped for. */
#include "builder.h"
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "dicom/dicom.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <zlib.h>

/* Processor time, so that a busy machine does not count. Each file takes a few milliseconds; a decoder that
 * can be made to work for minutes is what this finds, on a slow and sanitized machine, too. */
static const double FILE_TIME_MS = 60000.0;

static double processor_ms(void)
{
    return (double)clock() * 1000.0 / CLOCKS_PER_SEC;
}

/* Opens and reads up to 3 frames; whatever comes is fine if it keeps the contract. */
static reha_status try_file(const uint8_t *data, size_t size)
{
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    const size_t blocks = reha_mem_live_blocks();
    const double start_ms = processor_ms();
    reha_status status = reha_dicom_open(data, size, NULL, &dicom, &err);
    assert_true((status == REHA_OK) == (dicom != NULL));
    for (uint32_t f = 0; status == REHA_OK && f < reha_dicom_frame_count(dicom) && f < 3; f++) {
        reha_gray *image = NULL;
        status = reha_dicom_read_frame(dicom, f, &image, NULL, &err);
        assert_true((status == REHA_OK) == (image != NULL));
        for (size_t i = 0; image != NULL && i < (size_t)image->width_px * image->height_px; i++) {
            assert_true(isfinite(image->pixels[i]));
        }
        reha_gray_free(image);
    }
    reha_dicom_close(dicom);
    if (status != REHA_OK) {
        assert_int_equal(err.status, status);
        assert_true(err.text[0] != '\0');
        assert_null(strchr(err.text, '\n'));
        /* The file's fault, never ours. */
        assert_true(status == REHA_E_FORMAT || status == REHA_E_UNSUPPORTED || status == REHA_E_LIMIT);
    }
    assert_int_equal(reha_mem_live_blocks(), blocks);
    assert_true(processor_ms() - start_ms < FILE_TIME_MS);
    return status;
}

static uint8_t *load(const char *name, size_t *size)
{
    char path[512];
    uint8_t *data;
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(path, sizeof(path), "%s/dicom/%s", test_data_dir(), name);
    assert_ok(reha_file_load(path, 64 << 20, &data, size, &err), &err);
    return data;
}

static void test_malformed_set(void **state)
{
    char folder[512];
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    size_t decoded = 0;
    (void)state;
    TEST_NEED_DATA();
    (void)snprintf(folder, sizeof(folder), "%s/dicom/malformed", test_data_dir());
    assert_ok(reha_folder_list(folder, 10000, &files, &err), &err);
    assert_true(files.count > 100);
    const size_t peak_bytes = reha_mem_peak_rss_bytes();
    const double start_ms = processor_ms();
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *data;
        size_t size;
        assert_ok(reha_file_load(files.items[i], 64 << 20, &data, &size, &err), &err);
        decoded += try_file(data, size) == REHA_OK;
        reha_free(data);
    }
    print_message("%zu of %zu malformed files decode, %.0f ms, %zu MiB more at the peak\n", decoded,
                  files.count, processor_ms() - start_ms, (reha_mem_peak_rss_bytes() - peak_bytes) >> 20);
    assert_true(reha_mem_peak_rss_bytes() - peak_bytes < (size_t)128 << 20);
    reha_paths_clear(&files);
}

/* Files whose damage must be found: these must not decode. */
static void test_malformed_refused(void **state)
{
    static const char *const names[] = {
        "cat04_pixel_data__TC0291_buf_zero.dcm",
        "cat04_pixel_data__TC0293_buf_one_byte.dcm",
        "cat04_pixel_data__TC0299_bits_bsstored_gt_ba.dcm",
        "cat04_pixel_data__TC0329_rgb_spp1.dcm",
        "cat04_pixel_data__TC0331_pi_invalid.dcm",
        "cat11_cve_2025_11266__TC0713_encap_frag_len_2gb.dcm",
        "cat11_cve_2025_11266__TC0723_encap_wrapping_lengths.dcm",
        "cat11_cve_2025_11266__TC0727_encap_no_delim.dcm",
        "cat13_cve_microdicom__TC0829_px_giant_dims.dcm",
        "cat15_cve_2019_1010228__TC0851_rle_seg_expand_bomb.dcm",
        "cat16_cve_dcmtk_null_pathtraversal__TC0877_missing_cols.dcm",
        "cat18_cve_dcmtk_minmax_voi__TC0933_minmax_ba8_bs0.dcm",
        "cat19_cve_dcmtk_ect_jpegls__TC0955_jpegls_zero_comp.dcm",
        "cat19_cve_dcmtk_ect_jpegls__TC0957_jpegls_huge_near.dcm",
        "cat20_cve_dcmtk_dimse_segfault__TC0969_midvalue_truncation.dcm",
        "cat21_cve_santesoft_oob__TC0973_px_1024sq_64b.dcm",
        "cat24_cve_orthanc_osirix__TC1185_dim_org_mismatch.dcm",
    };
    (void)state;
    TEST_NEED_DATA();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[256];
        size_t size;
        (void)snprintf(name, sizeof(name), "malformed/%s", names[i]);
        uint8_t *data = load(name, &size);
        if (try_file(data, size) == REHA_OK) {
            fail_msg("%s decodes", names[i]);
        }
        reha_free(data);
    }
}

static const char *const good_files[] = {
    "transfer_syntaxes/CTImage.dcm",
    "transfer_syntaxes/CT_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm",
    "transfer_syntaxes/CT_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm",
    "transfer_syntaxes/CT_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm",
    "transfer_syntaxes/CT_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm",
    "transfer_syntaxes/CT_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
    "transfer_syntaxes/CT_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm",
    "transfer_syntaxes/CT_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm",
    "transfer_syntaxes/CT_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm",
    "transfer_syntaxes/TestPattern_Palette.dcm",
    "examples/dcm4che_YBR_422.dcm",
    "knee_mr_t2/E3655S8I049.MR.dcm",
};
enum { GOOD_FILES = sizeof(good_files) / sizeof(good_files[0]) };

/* No prefix of these files is a whole image, so each must be refused. */
static void test_truncations(void **state)
{
    enum { HEADER_BYTES = 32768 };
    (void)state;
    TEST_NEED_DATA();
    for (size_t i = 0; i < GOOD_FILES; i++) {
        size_t size;
        uint8_t *data = load(good_files[i], &size);
        const size_t step = strstr(good_files[i], "Deflated") != NULL ? 97 * 13 : 97; /* inflates each time */
        for (size_t cut = 0; cut + 400 < size; cut += step) {
            /* In the header, in a block of exactly that size: a sanitizer sees one byte too many. Behind
             * it only the length of the pixel data is left to check, and copies would take minutes. */
            uint8_t *copy = malloc(cut > 0 ? cut : 1);
            const bool is_header = cut < HEADER_BYTES;
            assert_non_null(copy);
            memcpy(copy, data, is_header ? cut : 0);
            if (try_file(is_header ? copy : data, cut) == REHA_OK) {
                fail_msg("%s cut to %zu of %zu bytes decodes", good_files[i], cut, size);
            }
            free(copy);
        }
        reha_free(data);
    }
}

/* The compressed stream cut, its container whole: the decoders must notice themselves. */
static builder cut_stream(const uint8_t *data, size_t size, double fraction)
{
    builder b = {0};
    builder stream = {0};
    size_t at = size - 3;
    while (at > 0 && memcmp(data + at - 1, "\xE0\x7F\x10\x00", 4) != 0) {
        at--;
    }
    assert_true(at > 0);
    at += 11; /* tag, VR, reserved, length */
    b_bytes(&b, data, at);
    bool is_table = true;
    while (at + 8 <= size && memcmp(data + at, "\xFE\xFF\x00\xE0", 4) == 0) {
        const size_t length = (size_t)data[at + 4] | (size_t)data[at + 5] << 8 | (size_t)data[at + 6] << 16;
        if (!is_table) {
            b_bytes(&stream, data + at + 8, length);
        }
        is_table = false;
        at += 8 + length;
    }
    b_fragment(&b, "", 0);
    b_fragment(&b, stream.data, (size_t)((double)stream.length * fraction));
    b_sequence_end(&b);
    b_end(&stream);
    return b;
}

static void test_cut_streams(void **state)
{
    static const double fractions[] = {0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.998};
    (void)state;
    TEST_NEED_DATA();
    for (size_t i = 0; i < GOOD_FILES; i++) {
        if (strstr(good_files[i], "RLE") == NULL && strstr(good_files[i], "JPEG") == NULL) {
            continue;
        }
        size_t size;
        uint8_t *data = load(good_files[i], &size);
        for (size_t f = 0; f < sizeof(fractions) / sizeof(fractions[0]); f++) {
            builder b = cut_stream(data, size, fractions[f]);
            if (try_file(b.data, b.length) == REHA_OK) {
                fail_msg("%s with %g of its stream decodes", good_files[i], fractions[f]);
            }
            b_end(&b);
        }
        builder whole = cut_stream(data, size, 1.0);
        assert_int_equal(try_file(whole.data, whole.length), REHA_OK);
        b_end(&whole);
        reha_free(data);
    }
}

static void test_bit_flips(void **state)
{
    enum { ROUNDS = 150, HEADER_BYTES = 2048 };
    reha_random random = reha_random_init(20240229, 1);
    (void)state;
    TEST_NEED_DATA();
    for (size_t i = 0; i < GOOD_FILES; i++) {
        size_t size;
        size_t decoded = 0;
        uint8_t *data = load(good_files[i], &size);
        for (int round = 0; round < ROUNDS; round++) {
            /* Half of the flips hit the header, where the dangerous numbers are. */
            const uint32_t range = (uint32_t)(round % 2 == 0 && size > HEADER_BYTES ? HEADER_BYTES : size);
            uint32_t at[4];
            uint8_t kept[4];
            for (int k = 0; k < 4; k++) {
                at[k] = reha_random_below(&random, range);
                kept[k] = data[at[k]];
                data[at[k]] ^= (uint8_t)(1u << reha_random_below(&random, 8));
            }
            decoded += try_file(data, size) == REHA_OK;
            for (int k = 3; k >= 0; k--) {
                data[at[k]] = kept[k];
            }
        }
        assert_true(decoded < ROUNDS);
        assert_int_equal(try_file(data, size), REHA_OK);
        reha_free(data);
    }
}

static void test_deep_nesting(void **state)
{
    (void)state;
    for (uint32_t depth = 8; depth <= 100000; depth *= 5) {
        builder b = b_start(TS_EXPLICIT);
        for (uint32_t i = 0; i < depth; i++) {
            b_sequence(&b, 0x00081115);
            b_item(&b);
        }
        assert_int_equal(try_file(b.data, b.length), depth < 32 ? REHA_E_FORMAT : REHA_E_LIMIT);
        b_end(&b);
    }
}

static void put_image(builder *b)
{
    static const uint8_t pixels[4];
    b_pixel_module(b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
    b_octets(b, 0x7FE00010, "OB", pixels, sizeof(pixels));
}

static void test_element_flood(void **state)
{
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    for (uint32_t i = 0; i < 2200000; i++) {
        b_text(&b, 0x00091000, "LO", "");
    }
    put_image(&b);
    assert_int_equal(try_file(b.data, b.length), REHA_E_LIMIT);
    b_end(&b);
}

/* Lengths that lie: beyond the file, beyond their sequence, wrapping, odd delimiters. */
static void test_lying_lengths(void **state)
{
    static const uint32_t lengths[] = {1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFF0};
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int k = 0; k < 4; k++) {
            builder b = b_start(TS_EXPLICIT);
            if (k == 0) {
                b_header(&b, 0x00091001, "UN", lengths[i]);
            } else if (k == 1) {
                b_header(&b, 0x00081115, "SQ", lengths[i]);
            } else if (k == 2) {
                b_sequence(&b, 0x00081115);
                b_mark(&b, 0xE000, lengths[i]);
            } else {
                b_header(&b, 0x7FE00010, "OB", lengths[i]);
            }
            put_image(&b);
            assert_int_equal(try_file(b.data, b.length), REHA_E_FORMAT);
            b_end(&b);
        }
    }
    builder inner = b_start(TS_EXPLICIT); /* an element longer than the item that holds it */
    b_header(&inner, 0x00081115, "SQ", 24);
    b_mark(&inner, 0xE000, 16);
    b_header(&inner, 0x00080060, "CS", 40);
    b_bytes(&inner, "12345678", 8);
    put_image(&inner);
    assert_int_equal(try_file(inner.data, inner.length), REHA_E_FORMAT);
    b_end(&inner);
    builder stray = b_start(TS_EXPLICIT);
    b_item_end(&stray);
    put_image(&stray);
    assert_int_equal(try_file(stray.data, stray.length), REHA_E_FORMAT);
    b_end(&stray);
}

/* 600 MiB of zeros in less than 3 MiB: refused before any of it is kept. */
static void test_deflate_bomb(void **state)
{
    enum { STEPS = 600 };
    static uint8_t zeros[1 << 20];
    builder b = b_start(TS_DEFLATED);
    z_stream stream = {0};
    uint8_t packed[65536];
    (void)state;
    assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    for (int step = 1; step <= STEPS; step++) {
        stream.next_in = zeros;
        stream.avail_in = sizeof(zeros);
        do {
            stream.next_out = packed;
            stream.avail_out = sizeof(packed);
            (void)deflate(&stream, step == STEPS ? Z_FINISH : Z_NO_FLUSH);
            b_bytes(&b, packed, sizeof(packed) - stream.avail_out);
        } while (stream.avail_out == 0);
    }
    (void)deflateEnd(&stream);
    assert_true(b.length < (size_t)3 << 20);
    const size_t peak_bytes = reha_mem_peak_rss_bytes();
    assert_int_equal(try_file(b.data, b.length), REHA_E_LIMIT);
    assert_true(reha_mem_peak_rss_bytes() - peak_bytes < (size_t)16 << 20);
    b_end(&b);
}

static builder encapsulated(const char *syntax, uint16_t columns, uint16_t rows, const void *stream,
                            size_t count)
{
    builder b = b_start(syntax);
    b_pixel_module(&b, (pixel_module){.columns = columns, .rows = rows, .bits_allocated = 16});
    b_header(&b, 0x7FE00010, "OB", 0xFFFFFFFFu);
    b_fragment(&b, "", 0);
    b_fragment(&b, stream, count);
    b_sequence_end(&b);
    return b;
}

static void assert_stream_refused(const char *syntax, uint16_t columns, uint16_t rows, const void *stream,
                                  size_t count)
{
    builder b = encapsulated(syntax, columns, rows, stream, count);
    const size_t peak_bytes = reha_mem_peak_rss_bytes();
    const reha_status status = try_file(b.data, b.length);
    assert_true(status == REHA_E_FORMAT || status == REHA_E_LIMIT || status == REHA_E_UNSUPPORTED);
    assert_true(reha_mem_peak_rss_bytes() - peak_bytes < (size_t)32 << 20);
    b_end(&b);
}

/* Streams whose own header says something else than the file, or asks for absurd work. */
static void test_lying_streams(void **state)
{
    static const uint8_t jpeg_huge[] = {0xFF, 0xD8, 0xFF, 0xC2, 0, 11,   8, 0xFF,
                                        0xFF, 0xFF, 0xFF, 1,    1, 0x11, 0};
    static const uint8_t jpeg_small[] = {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0};
    static const uint8_t jpeg_arithmetic[] = {0xFF, 0xD8, 0xFF, 0xC9, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0};
    static const uint8_t jpeg_sampling[] = {0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x00, 0};
    static const uint8_t jpeg_bits[] = {0xFF, 0xD8, 0xFF, 0xC1, 0, 11, 16, 0, 8, 0, 8, 1, 1, 0x11, 0};
    static const uint8_t jpeg_short[] = {0xFF, 0xD8, 0xFF, 0xC0, 0xFF, 0xFF, 8};
    static const uint8_t jpeg_fill[] = {0xFF, 0xD8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const uint8_t ls_components[] = {0xFF, 0xD8, 0xFF, 0xF7, 0, 8, 8, 0, 8, 0, 8, 0};
    static const struct {
        const char *syntax;
        const uint8_t *stream;
        size_t count;
    } table[] = {
        {TS_JPEG, jpeg_huge, sizeof(jpeg_huge)},
        {TS_JPEG, jpeg_small, sizeof(jpeg_small)},
        {TS_JPEG, jpeg_arithmetic, sizeof(jpeg_arithmetic)},
        {TS_JPEG, jpeg_sampling, sizeof(jpeg_sampling)},
        {TS_JPEG, jpeg_bits, sizeof(jpeg_bits)},
        {TS_JPEG, jpeg_short, sizeof(jpeg_short)},
        {TS_JPEG, jpeg_fill, sizeof(jpeg_fill)},
        {TS_JPEG, NULL, 0},
        {TS_JPEG_LS, jpeg_small, sizeof(jpeg_small)},
        {TS_JPEG_LS, ls_components, sizeof(ls_components)},
        {TS_JPEG_2000, jpeg_small, sizeof(jpeg_small)},
        {TS_JPEG_2000, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_stream_refused(table[i].syntax, 8, 8, table[i].stream, table[i].count);
    }
}

static void test_jpeg_scan_bomb(void **state)
{
    static const uint8_t head[] = {0xFF, 0xD8, 0xFF, 0xC2, 0, 11, 8, 0x20, 0, 0x20, 0, 1, 1, 0x11, 0};
    static const uint8_t scan[] = {0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0};
    (void)state;
    builder stream = {0};
    b_bytes(&stream, head, sizeof(head));
    for (int i = 0; i < 100000; i++) {
        b_bytes(&stream, scan, sizeof(scan));
    }
    assert_stream_refused(TS_JPEG, 0x2000, 0x2000, stream.data, stream.length);
    b_end(&stream);
}

/* A main header of JPEG 2000 with the tile and block sizes given; no data. */
static size_t jpeg2000_header(uint8_t out[128], uint32_t side, uint32_t tile, uint8_t levels,
                              uint8_t precinct)
{
    builder b = {.is_big_endian = true};
    b_raw16(&b, 0xFF4F);
    b_raw16(&b, 0xFF51);
    b_raw16(&b, 41);
    b_raw16(&b, 0);
    const uint32_t sizes[] = {side, side, 0, 0, tile, tile, 0, 0};
    for (size_t i = 0; i < 8; i++) {
        b_raw32(&b, sizes[i]);
    }
    b_raw16(&b, 1);
    b_bytes(&b, "\x0B\x01\x01", 3);
    b_raw16(&b, 0xFF52);
    b_raw16(&b, (uint16_t)(12 + levels + 1));
    const uint8_t style[] = {1, 0, 0, 1, 0, levels, 0, 0, 0, 1};
    b_bytes(&b, style, sizeof(style));
    for (int i = 0; i <= levels; i++) {
        b_bytes(&b, &precinct, 1);
    }
    b_bytes(&b, "\xFF\x90\x00\x0A\x00\x00\x00\x00\x00\x00\x00\x01\xFF\x93", 14);
    const size_t length = b.length;
    assert_true(length <= 128);
    memcpy(out, b.data, length);
    b_end(&b);
    return length;
}

static void test_jpeg2000_bombs(void **state)
{
    static const struct {
        uint16_t columns;
        uint32_t side;
        uint32_t tile;
        uint8_t levels;
        uint8_t precinct;
    } table[] = {
        {8192, 8192, 1, 5, 0xFF},                                    /* 67 million tiles */
        {8192, 8192, 8192, 5, 0x00},                                 /* precincts of one pixel */
        {8192, 8192, 8192, 32, 0xFF},                                /* more levels than pixels */
        {8192, 8192, 8192, 33, 0xFF}, {8192, 60000, 60000, 5, 0xFF}, /* not the file's size */
        {8, 8, 0, 1, 0xFF},                                          /* tiles of no size */
        {8, 0, 8, 1, 0xFF},
    };
    uint8_t stream[128];
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const size_t length =
            jpeg2000_header(stream, table[i].side, table[i].tile, table[i].levels, table[i].precinct);
        assert_stream_refused(TS_JPEG_2000, table[i].columns, table[i].columns, stream, length);
    }
}

/* Frames and fragments that do not match. */
static void test_fragment_riddles(void **state)
{
    static const uint8_t soi[] = {0xFF, 0xD8, 0xFF, 0xC0};
    static const uint8_t other[] = {1, 2, 3, 4};
    static const struct {
        const char *frames;
        const char *pattern; /* s: starts an image, o: does not */
        reha_status expected;
    } table[] = {
        {"2", "s", REHA_E_FORMAT},   {"2", "sss", REHA_E_FORMAT}, {"2", "oss", REHA_E_FORMAT},
        {"2", "ooo", REHA_E_FORMAT}, {"3", "so", REHA_E_FORMAT},  {"2000", "sso", REHA_E_FORMAT},
        {"1", "", REHA_E_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b = b_start(TS_JPEG);
        b_pixel_module(&b, (pixel_module){.columns = 8, .rows = 8, .bits_allocated = 8});
        b_text(&b, 0x00280008, "IS", table[i].frames);
        b_header(&b, 0x7FE00010, "OB", 0xFFFFFFFFu);
        b_fragment(&b, "\x07\0\0\0\xFF\xFF\xFF\xFF", 8); /* offsets that point nowhere */
        for (const char *p = table[i].pattern; *p != '\0'; p++) {
            b_fragment(&b, *p == 's' ? soi : other, 4);
        }
        b_sequence_end(&b);
        assert_int_equal(try_file(b.data, b.length), table[i].expected);
        b_end(&b);
    }
}

/* Every allocation fails once; nothing leaks and nothing but "out of memory" is said. */
static void test_out_of_memory(void **state)
{
    (void)state;
    builder b = b_start(TS_RLE);
    b_text(&b, 0x00080060, "CS", "MR");
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
    uint8_t stream[70] = {1, 0, 0, 0, 64};
    memcpy(stream + 64, "\xFD\x09", 2);
    b_header(&b, 0x7FE00010, "OB", 0xFFFFFFFFu);
    b_fragment(&b, "", 0);
    b_fragment(&b, stream, 40); /* two fragments are joined */
    b_fragment(&b, stream + 40, 26);
    b_sequence_end(&b);
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    long rounds = 0;
    for (; status != REHA_OK; rounds++) {
        reha_error err = REHA_ERROR_INIT;
        reha_dicom *dicom = NULL;
        reha_gray *image = NULL;
        reha_mem_fail_after(rounds);
        status = reha_dicom_open(b.data, b.length, NULL, &dicom, &err);
        if (status == REHA_OK) {
            status = reha_dicom_read_frame(dicom, 0, &image, NULL, &err);
        }
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_gray_free(image);
        reha_dicom_close(dicom);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_true(rounds > 5);
    b_end(&b);
}

static void test_limits(void **state)
{
    static const uint8_t pixels[64];
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_pixel_module(&b, (pixel_module){.columns = 4, .rows = 4, .bits_allocated = 8});
    b_text(&b, 0x00280008, "IS", "4");
    b_octets(&b, 0x7FE00010, "OB", pixels, sizeof(pixels));
    for (int k = 0; k < 6; k++) {
        reha_image_limits limits = reha_image_limits_default();
        if (k == 0) {
            limits.pixels_max = 15;
        } else if (k == 1) {
            limits.side_max_px = 3;
        } else if (k == 2) {
            limits.frames_max = 3;
        } else if (k == 3) {
            limits.file_bytes_max = 100;
        } else if (k == 4) {
            limits.decoded_bytes_max = 4 * 16 * 4 - 1;
        }
        const reha_status status = reha_dicom_open(b.data, b.length, &limits, &dicom, &err);
        assert_int_equal(status, k == 5 ? REHA_OK : REHA_E_LIMIT);
        reha_dicom_close(dicom);
    }
    b_end(&b);
}

static void test_not_dicom(void **state)
{
    static const uint8_t png[256] = "\x89PNG\r\n\x1A\n";
    (void)state;
    assert_int_equal(try_file((const uint8_t *)"", 0), REHA_E_FORMAT);
    assert_int_equal(try_file(png, 8), REHA_E_FORMAT);
    assert_int_equal(try_file(png, sizeof(png)), REHA_E_FORMAT);
    assert_int_equal(try_file((const uint8_t *)"just a text, quite a long one", 29), REHA_E_FORMAT);
    builder b = b_start(TS_EXPLICIT); /* nothing behind the meta information */
    assert_int_equal(try_file(b.data, b.length), REHA_E_UNSUPPORTED);
    assert_int_equal(try_file(b.data, 132), REHA_E_UNSUPPORTED);
    b_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_set),    cmocka_unit_test(test_malformed_refused),
        cmocka_unit_test(test_truncations),      cmocka_unit_test(test_cut_streams),
        cmocka_unit_test(test_bit_flips),        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_element_flood),    cmocka_unit_test(test_lying_lengths),
        cmocka_unit_test(test_deflate_bomb),     cmocka_unit_test(test_lying_streams),
        cmocka_unit_test(test_jpeg_scan_bomb),   cmocka_unit_test(test_jpeg2000_bombs),
        cmocka_unit_test(test_fragment_riddles), cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_not_dicom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
