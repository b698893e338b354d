/* Replays the corpus of the DICOM fuzzer, and what libFuzzer would do first with it: cut, flip,
 * splice. With REHA_WRITE_CORPUS=1 it first writes the corpus anew: synthetic files only (the
 * compressed ones need DCMTK's tools), so nothing in it comes from a person. */
#include "builder.h"
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "dicom/write.h"

#include <openjpeg.h>
#include <zlib.h>

#include "../../../fuzz/fuzz_dicom.c"

#define CORPUS REHA_SOURCE_DIR "/fuzz/corpus/dicom"
enum { SIDE = 24 };

static void save(const char *name, const builder *b)
{
    char path[512];
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(path, sizeof(path), CORPUS "/%s.dcm", name);
    assert_ok(reha_file_save(path, b->data, b->length, &err), &err);
}

static void save_end(const char *name, builder *b)
{
    save(name, b);
    b_end(b);
}

/* A slope with some texture: not constant, not noise. */
static void make_cells(uint16_t cells[SIDE * SIDE], uint32_t bits)
{
    reha_random random = reha_random_init(7, bits);
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        const uint32_t top = (1u << bits) - 1;
        const uint32_t slope = (i / SIDE + i % SIDE) * top / (2 * SIDE);
        const uint32_t value = slope + reha_random_below(&random, 1u << (bits - 4));
        cells[i] = (uint16_t)(value < top ? value : top);
    }
}

static void put_ids(builder *b)
{
    b_text(b, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7");
    b_text(b, 0x00080018, "UI", "1.2.3.4");
    b_text(b, 0x00080060, "CS", "OT");
    b_text(b, 0x0020000D, "UI", "1.2.3");
    b_text(b, 0x0020000E, "UI", "1.2.3.1");
}

static builder grey(const char *syntax, uint16_t bits, const uint16_t *cells)
{
    builder b = b_start(syntax);
    put_ids(&b);
    b_pixel_module(&b,
                   (pixel_module){.columns = SIDE, .rows = SIDE, .bits_allocated = 16, .bits_stored = bits});
    if (cells != NULL) {
        b_words(&b, 0x7FE00010, cells, (size_t)SIDE * SIDE);
    }
    return b;
}

static void write_plain_seeds(const uint16_t *cells)
{
    builder b = grey(TS_EXPLICIT, 12, cells);
    save("plain-explicit", &b);
    builder start = b_start(TS_EXPLICIT);
    builder d = b_start(TS_DEFLATED);
    uint8_t packed[8192];
    z_stream stream = {.next_in = b.data + start.length, .avail_in = (uInt)(b.length - start.length)};
    stream.next_out = packed;
    stream.avail_out = sizeof(packed);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    b_bytes(&d, packed, sizeof(packed) - stream.avail_out);
    (void)deflateEnd(&stream);
    save_end("plain-deflated", &d);
    b_end(&start);
    b_end(&b);
    b = grey(TS_IMPLICIT, 12, cells);
    save_end("plain-implicit", &b);
    b = grey(TS_BIG_ENDIAN, 12, cells);
    save_end("plain-big-endian", &b);
}

static void write_feature_seeds(const uint16_t *cells)
{
    static const uint16_t entries[256];
    builder b = b_start(TS_IMPLICIT); /* palette */
    b_pixel_module(
        &b, (pixel_module){.columns = 4, .rows = 4, .bits_allocated = 8, .photometric = "PALETTE COLOR"});
    for (uint32_t c = 1; c <= 3; c++) {
        b_u16x3(&b, 0x00281100 + c, 256, 0, 16);
        b_words(&b, 0x00281200 + c, entries, 256);
    }
    b_words(&b, 0x7FE00010, cells, 8);
    save_end("palette", &b);

    b = b_start(TS_EXPLICIT); /* ultrasound, two frames with regions of their own */
    b_text(&b, 0x00080060, "CS", "US");
    b_pixel_module(
        &b, (pixel_module){
                .columns = 4, .rows = 4, .samples = 3, .bits_allocated = 8, .photometric = "YBR_FULL_422"});
    b_text(&b, 0x00280008, "IS", "2");
    b_sequence(&b, 0x52009230);
    for (uint32_t f = 0; f < 2; f++) {
        b_item(&b);
        b_sequence(&b, 0x00186011);
        b_item(&b);
        b_u16(&b, 0x00186012, 1);
        b_u16(&b, 0x00186014, 1);
        b_u32(&b, 0x00186018, 0);
        b_u32(&b, 0x0018601A, 0);
        b_u32(&b, 0x0018601C, 3);
        b_u32(&b, 0x0018601E, 3);
        b_u16(&b, 0x00186024, 3);
        b_u16(&b, 0x00186026, 3);
        b_f64(&b, 0x0018602C, 0.01);
        b_f64(&b, 0x0018602E, 0.01);
        b_item_end(&b);
        b_sequence_end(&b);
        b_item_end(&b);
    }
    b_sequence_end(&b);
    b_words(&b, 0x7FE00010, cells, 32);
    save_end("ultrasound", &b);

    b = b_start(TS_EXPLICIT); /* MONOCHROME1 with every spacing, tables, padding */
    b_text(&b, 0x00080005, "CS", "ISO_IR 100");
    b_text(&b, 0x00080060, "CS", "DX");
    b_text(&b, 0x00080070, "LO", "M\xFCller");
    b_text(&b, 0x00181110, "DS", "1150");
    b_text(&b, 0x00181111, "DS", "1000");
    b_text(&b, 0x00181114, "DS", "1.15");
    b_text(&b, 0x00181164, "DS", "0.14\\0.14");
    b_pixel_module(&b, (pixel_module){.columns = 4,
                                      .rows = 4,
                                      .bits_allocated = 16,
                                      .bits_stored = 12,
                                      .is_signed = 1,
                                      .photometric = "MONOCHROME1"});
    b_text(&b, 0x00280030, "DS", "0.12\\0.12");
    b_text(&b, 0x00280034, "IS", "1\\1");
    b_u16(&b, 0x00280120, 3);
    b_text(&b, 0x00281050, "DS", "100");
    b_text(&b, 0x00281051, "DS", "200");
    b_text(&b, 0x00281056, "CS", "SIGMOID");
    b_sequence(&b, 0x00283000);
    b_item(&b);
    b_u16x3(&b, 0x00283002, 16, 0, 16);
    b_words(&b, 0x00283006, cells, 16);
    b_item_end(&b);
    b_sequence_end(&b);
    b_sequence(&b, 0x00283010);
    b_item(&b);
    b_u16x3(&b, 0x00283002, 16, 0, 12);
    b_words(&b, 0x00283006, cells, 16);
    b_item_end(&b);
    b_sequence_end(&b);
    b_words(&b, 0x7FE00010, cells, 16);
    save_end("monochrome1", &b);
}

/* Compressed by DCMTK's tools from a file of ours. */
static void write_tool_seeds(void)
{
    static const struct {
        const char *tool;
        const char *from;
        const char *to;
    } table[] = {
        {"dcmcrle", "plain-explicit", "rle"},
        {"dcmcjpeg +un +e1", "plain-explicit", "jpeg-lossless-sv1"},
        {"dcmcjpeg +un +el +sv 4 +fs 1", "plain-explicit", "jpeg-lossless-fragments"},
        {"dcmcjpeg +un +eb", "plain-explicit", "jpeg-baseline"},
        {"dcmcjpeg +un +ee +bt", "plain-explicit", "jpeg-extended-12"},
        {"dcmcjpeg +un +ep +bt", "plain-explicit", "jpeg-progressive-12"},
        {"dcmcjpls +un +el", "plain-explicit", "jpeg-ls"},
        {"dcmcjpls +un +en +md 3", "plain-explicit", "jpeg-ls-near"},
    };
    char command[1200];
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        (void)snprintf(command, sizeof(command), "%s %s/%s.dcm %s/%s.dcm", table[i].tool, CORPUS,
                       table[i].from, CORPUS, table[i].to);
        assert_int_equal(system(command), 0);
    }
}

typedef struct sink {
    uint8_t data[16384];
    size_t at;
    size_t end;
} sink;

static OPJ_SIZE_T sink_write(void *bytes, OPJ_SIZE_T count, void *context)
{
    sink *to = context;
    assert_true(to->at + count <= sizeof(to->data));
    memcpy(to->data + to->at, bytes, count);
    to->at += count;
    to->end = to->at > to->end ? to->at : to->end;
    return count;
}

static OPJ_BOOL sink_seek(OPJ_OFF_T at, void *context)
{
    ((sink *)context)->at = (size_t)at;
    return OPJ_TRUE;
}

static OPJ_OFF_T sink_skip(OPJ_OFF_T count, void *context)
{
    ((sink *)context)->at += (size_t)count;
    return count;
}

static void write_jpeg2000_seed(const uint16_t *cells)
{
    opj_cparameters_t parameters;
    opj_image_cmptparm_t component = {.dx = 1, .dy = 1, .w = SIDE, .h = SIDE, .prec = 12, .bpp = 12};
    sink to = {.at = 0};
    opj_set_default_encoder_parameters(&parameters);
    parameters.tcp_numlayers = 1;
    parameters.cp_disto_alloc = 1;
    parameters.numresolution = 3;
    opj_image_t *image = opj_image_create(1, &component, OPJ_CLRSPC_GRAY);
    assert_non_null(image);
    image->x1 = SIDE;
    image->y1 = SIDE;
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        image->comps[0].data[i] = cells[i];
    }
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_J2K);
    opj_stream_t *stream = opj_stream_create(4096, OPJ_FALSE);
    opj_stream_set_user_data(stream, &to, NULL);
    opj_stream_set_write_function(stream, sink_write);
    opj_stream_set_seek_function(stream, sink_seek);
    opj_stream_set_skip_function(stream, sink_skip);
    assert_true(opj_setup_encoder(codec, &parameters, image) && opj_start_compress(codec, image, stream) &&
                opj_encode(codec, stream) && opj_end_compress(codec, stream));
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    opj_image_destroy(image);
    builder b = grey(TS_JPEG_2000, 12, NULL);
    b_header(&b, 0x7FE00010, "OB", 0xFFFFFFFFu);
    b_fragment(&b, "", 0);
    b_fragment(&b, to.data, to.end);
    b_sequence_end(&b);
    save_end("jpeg-2000", &b);
}

static void test_write_corpus(void **state)
{
    uint16_t cells[SIDE * SIDE];
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    if (getenv("REHA_WRITE_CORPUS") == NULL) {
        return;
    }
    assert_ok(reha_folder_make(CORPUS, &err), &err);
    make_cells(cells, 12);
    write_plain_seeds(cells);
    write_feature_seeds(cells);
    write_jpeg2000_seed(cells);
    write_tool_seeds();
}

static reha_gray *load_stored(const char *name)
{
    char path[512];
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    reha_gray *image;
    (void)snprintf(path, sizeof(path), CORPUS "/%s.dcm", name);
    assert_ok(reha_dicom_load(path, NULL, &dicom, &err), &err);
    assert_ok(reha_dicom_read_stored(dicom, 0, &image, &err), &err);
    reha_dicom_close(dicom);
    return image;
}

/* The corpus holds one picture in all its syntaxes: a test of the decoders without other data. */
static void test_twins(void **state)
{
    static const struct {
        const char *name;
        float largest;
    } table[] = {
        {"plain-implicit", 0},    {"plain-big-endian", 0},        {"plain-deflated", 0}, {"rle", 0},
        {"jpeg-lossless-sv1", 0}, {"jpeg-lossless-fragments", 0}, {"jpeg-ls", 0},        {"jpeg-2000", 0},
        {"jpeg-ls-near", 3}};
    (void)state;
    reha_gray *expected = load_stored("plain-explicit");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        reha_gray *image = load_stored(table[i].name);
        for (size_t p = 0; p < (size_t)SIDE * SIDE; p++) {
            if (fabsf(image->pixels[p] - expected->pixels[p]) > table[i].largest) {
                fail_msg("%s: pixel %zu is %g, expected %g", table[i].name, p, (double)image->pixels[p],
                         (double)expected->pixels[p]);
            }
        }
        reha_gray_free(image);
    }
    reha_gray_free(expected);
}

/* From a block of exactly that size, so that the address sanitizer sees the first byte too many. */
static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void test_replay(void **state)
{
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    reha_random random = reha_random_init(1, 2);
    uint8_t *previous = NULL;
    size_t previous_bytes = 0;
    (void)state;
    const size_t blocks = reha_mem_live_blocks();
    assert_ok(reha_folder_list(CORPUS, 10000, &files, &err), &err);
    assert_true(files.count >= 14);
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *data;
        size_t size;
        assert_ok(reha_file_load(files.items[i], 1 << 20, &data, &size, &err), &err);
        run_exact(data, size);
        for (size_t count = 0; count < size; count += 1 + size / 128) {
            run_exact(data, count);
        }
        for (int round = 0; round < 400; round++) {
            const size_t at = reha_random_below(&random, (uint32_t)size);
            const uint8_t kept = data[at];
            data[at] = (uint8_t)(round % 2 == 0 ? reha_random_u32(&random)
                                                : (uint32_t)kept ^ 1u << reha_random_below(&random, 8));
            run_exact(data, size);
            data[at] = kept;
        }
        if (previous_bytes > 0) { /* the head of one file on the tail of another */
            memcpy(previous, data, (size < previous_bytes ? size : previous_bytes) / 2);
            run_exact(previous, previous_bytes);
        }
        reha_free(previous);
        previous = data;
        previous_bytes = size;
    }
    reha_free(previous);
    reha_paths_clear(&files);
    assert_int_equal(reha_mem_live_blocks(), blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_corpus),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
