#include "scratch.h"

#include "base/file.h"
#include "base/memory.h"
#include "service/input.h"
#include "store/digest.h"

#include <string.h>

static const char *put(const char *name, const void *bytes, size_t count)
{
    static char path[128];
    reha_error err = REHA_ERROR_INIT;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(reha_file_save(path, bytes, count, &err), &err);
    return path;
}

/* 3 x 2 grey pixels, uncompressed TIFF: the smallest image that needs no library to write. */
static const unsigned char tiny_tiff[] = {
    'I', 'I', 42, 0, 8,  0,  0,  0,  8,   0, /* header, 8 entries */
    0,   1,   3,  0, 1,  0,  0,  0,  3,   0, 0, 0,
    1,   1,   3,  0, 1,  0,  0,  0,  2,   0, 0, 0, /* width 3, height 2 */
    2,   1,   3,  0, 1,  0,  0,  0,  8,   0, 0, 0,
    3,   1,   3,  0, 1,  0,  0,  0,  1,   0, 0, 0, /* 8 bit, no compression */
    6,   1,   3,  0, 1,  0,  0,  0,  1,   0, 0, 0,
    17,  1,   4,  0, 1,  0,  0,  0,  110, 0, 0, 0, /* black is 0, data at 110 */
    22,  1,   3,  0, 1,  0,  0,  0,  2,   0, 0, 0,
    23,  1,   4,  0, 1,  0,  0,  0,  6,   0, 0, 0, /* rows per strip, bytes */
    0,   0,   0,  0, 10, 20, 30, 40, 50,  60};

static void test_reads_by_content_not_name(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_input input;
    const char *path = put("wrong-ending_left.png", tiny_tiff, sizeof tiny_tiff);
    assert_ok(reha_input_load(path, NULL, &input, &err), &err);
    assert_int_equal(input.image->width_px, 3);
    assert_int_equal(input.image->height_px, 2);
    assert_float_equal(input.image->pixels[5], 60.0, 0.0);
    assert_int_equal(input.side_hint, REHA_SIDE_LEFT);
    assert_int_equal(strlen(input.digest), 64);
    assert_false(reha_spacing_is_known(input.image->spacing));
    reha_input_clear(&input);
}

static void test_says_what_a_file_is_instead(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"%PDF-1.7", "a PDF document"},
                                         {"PK\3\4xxxx", "zip archive"},
                                         {"hello, this is a letter", "text file"},
                                         {"GIF89a", "GIF"},
                                         {"\1\2\3\4\5\6\7\x80", "no image format known"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_input input;
        const char *path = put("file.dcm", bad[i][0], strlen(bad[i][0]));
        assert_true(reha_status_is_input_fault(reha_input_load(path, NULL, &input, &err)));
        assert_non_null(strstr(err.text, bad[i][1]));
        assert_null(strstr(err.text, "file.dcm")); /* the caller names the place, once */
        assert_null(input.image);
    }
    reha_error err = REHA_ERROR_INIT;
    reha_input input;
    assert_int_equal(reha_input_load(put("zero.png", "", 0), NULL, &input, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "0 bytes"));
    assert_int_equal(reha_input_load("no/such.png", NULL, &input, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_input_load(folder, NULL, &input, &err), REHA_E_NOT_FOUND);
}

static void test_limits(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_input input;
    reha_image_limits limits = reha_image_limits_default();
    limits.pixels_max = 5;
    const char *path = put("a.tif", tiny_tiff, sizeof tiny_tiff);
    assert_int_equal(reha_input_load(path, &limits, &input, &err), REHA_E_LIMIT);
    limits = reha_image_limits_default();
    limits.file_bytes_max = 50;
    assert_int_equal(reha_input_load(path, &limits, &input, &err), REHA_E_LIMIT);
}

static void test_folders_give_their_images(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_paths paths = {0};
    char sub[64];
    (void)snprintf(sub, sizeof sub, "%s/sub", folder);
    assert_ok(reha_folder_make(sub, &err), &err);
    (void)put("sub/knee.tif", tiny_tiff, sizeof tiny_tiff);
    (void)put("sub/notes.txt", "text", 4);
    (void)put("sub/copied-half.JPG", "", 0); /* an image by its name: told as unreadable, never passed over */
    (void)put("sub/phone.heic", "ftypheic", 8);
    const char *given[] = {sub, "absent.png"};
    assert_ok(reha_input_expand(given, 2, &paths, &err), &err);
    assert_int_equal(paths.count, 4);
    assert_non_null(strstr(paths.items[0], "copied-half.JPG"));
    assert_non_null(strstr(paths.items[1], "knee.tif"));
    assert_non_null(strstr(paths.items[2], "phone.heic"));
    assert_string_equal(paths.items[3], "absent.png"); /* its error is told in its place */
    reha_paths_clear(&paths);
}

static void test_side_from_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        reha_side side;
    } cases[] = {{"a/9000099L.jpg", REHA_SIDE_LEFT},    {"9000099R.jpg", REHA_SIDE_RIGHT},
                 {"knee-right.dcm", REHA_SIDE_RIGHT},   {"L_knee.png", REHA_SIDE_LEFT},
                 {"LEFT/x.png", REHA_SIDE_UNKNOWN},     {"collar.png", REHA_SIDE_UNKNOWN},
                 {"left_right.png", REHA_SIDE_UNKNOWN}, {"", REHA_SIDE_UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(reha_side_from_name(cases[i].name), cases[i].side);
    }
}

static void test_digest(void **state)
{
    (void)state;
    char text[REHA_DIGEST_TEXT_BYTES];
    reha_digest_bytes("abc", 3, text); /* FIPS 180-4, example */
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    char other[REHA_DIGEST_TEXT_BYTES];
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_digest_file(put("abc", "abc", 3), other, &err), &err);
    assert_string_equal(text, other);
    assert_int_equal(reha_digest_file("no/such", other, &err), REHA_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_by_content_not_name),
                                       cmocka_unit_test(test_says_what_a_file_is_instead),
                                       cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_folders_give_their_images),
                                       cmocka_unit_test(test_side_from_name),
                                       cmocka_unit_test(test_digest)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
