/* What is no picture, and what the user is told about it; loading by path. */
#include "unit/image/pictures.h"

#include "base/file.h"

#include <unistd.h>

static void expect_text(const void *bytes, size_t count, reha_status wanted, const char *part)
{
    reha_gray *image = (reha_gray *)1;
    reha_acquisition facts;
    reha_error err = REHA_ERROR_INIT;
    const reha_status status = decode_part(bytes, count, &image, &facts, &err);
    if (status != wanted || strstr(err.text, part) == NULL) {
        fail_msg("wanted '%s': %s: %s", part, reha_status_name(status), err.text);
    }
    assert_null(image);
    assert_null(strchr(err.text, '\n')); /* one line */
    assert_string_equal(facts.container, "");
    assert_null(reha_image_detect(bytes, count));
}

static void test_what_is_said_about_other_files(void **state)
{
    (void)state;
    uint8_t dicom[200] = {0};
    memcpy(dicom + 128, "DICM", 4);
    uint8_t nifti[352] = {0};
    memcpy(nifti + 344, "n+1", 4);
    expect_text("", 0, REHA_E_FORMAT, "0 bytes");
    expect_text("Name: see letter\nKnee pain\n", 26, REHA_E_FORMAT, "text");
    expect_text("{\"a\": 1}", 8, REHA_E_FORMAT, "text");
    expect_text("<html><body>404</body></html>", 29, REHA_E_FORMAT, "text");
    expect_text("BMI 31, left knee", 17, REHA_E_FORMAT, "text");
    expect_text("\xef\xbb\xbfGr\xc3\xb6\xc3\x9f"
                "e",
                10, REHA_E_FORMAT, "text");
    expect_text(dicom, sizeof dicom, REHA_E_UNSUPPORTED, "DICOM");
    expect_text(nifti, sizeof nifti, REHA_E_UNSUPPORTED, "NIfTI");
    expect_text("%PDF-1.7\n%\xe2\xe3", 11, REHA_E_UNSUPPORTED, "PDF");
    expect_text("GIF89a\x01\x00", 8, REHA_E_UNSUPPORTED, "GIF");
    expect_text("BM\x46\x00\x00\x00\x00\x00", 8, REHA_E_UNSUPPORTED, "BMP");
    expect_text("RIFF\x01\x02\x03\x04WEBPVP8 ", 16, REHA_E_UNSUPPORTED, "WebP");
    expect_text("\x00\x00\x00\x18"
                "ftypheic",
                12, REHA_E_UNSUPPORTED, "HEIC");
    expect_text("\x00\x00\x00\x18"
                "ftypmp42",
                12, REHA_E_UNSUPPORTED, "video");
    expect_text("\x00\x00\x00\x0cjP  \r\n\x87\n", 12, REHA_E_UNSUPPORTED, "JPEG 2000");
    expect_text("PK\x03\x04\x14\x00", 6, REHA_E_UNSUPPORTED, "ZIP");
    expect_text("\x7f"
                "ELF\x02",
                5, REHA_E_UNSUPPORTED, "program");
    expect_text("\x00\x01\x02\x03", 4, REHA_E_FORMAT, "no image");
    expect_text("\x89PNG", 4, REHA_E_FORMAT, "no image"); /* cut inside the signature */
    expect_text("\xff\xd8", 2, REHA_E_FORMAT, "no image");
    expect_text("II*", 3, REHA_E_FORMAT, "");
}

static void test_the_text_never_quotes_the_content(void **state)
{
    (void)state;
    const char *note = "ZZSECRET, born 1950-01-01, left knee";
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_image_decode(note, strlen(note), NULL, &image, NULL, &err), REHA_E_FORMAT);
    assert_null(strstr(err.text, "ZZSECRET"));
}

static void test_detect(void **state)
{
    (void)state;
    assert_string_equal(reha_image_detect("\x89PNG\r\n\x1a\n", 8), "png");
    assert_string_equal(reha_image_detect("\xff\xd8\xff\xe0", 4), "jpeg");
    assert_string_equal(reha_image_detect("II*\0", 4), "tiff");
    assert_string_equal(reha_image_detect("MM\0+", 4), "tiff");
    assert_null(reha_image_detect("II*\1", 4));
    assert_null(reha_image_detect(NULL, 0));
}

static void test_load_by_path(void **state)
{
    (void)state;
    char folder[] = "/tmp/reha-image-XXXXXX";
    assert_non_null(mkdtemp(folder));
    reha_error err = REHA_ERROR_INIT;
    const uint8_t row[] = {1, 2, 3};
    const png_spec spec = {.width = 3, .height = 1, .depth = 8, .colour = PNG_COLOR_TYPE_GRAY};
    buffer file = png_make(&spec, row);

    /* The content decides: a PNG under a foreign name is read. */
    char *path = reha_path_join(folder, "knee.jpg");
    assert_ok(reha_file_save(path, file.data, file.size, &err), &err);
    reha_gray *image = NULL;
    reha_acquisition facts;
    assert_ok(reha_image_load(path, NULL, &image, &facts, &err), &err);
    assert_true(image->pixels[2] == 3.0f);
    assert_string_equal(facts.container, "png");
    reha_gray_free(image);

    /* Too large for the caller's limit. */
    reha_image_limits limits = reha_image_limits_default();
    limits.file_bytes_max = file.size - 1;
    assert_int_equal(reha_image_load(path, &limits, &image, &facts, &err), REHA_E_LIMIT);
    assert_null(image);
    unlink(path);
    reha_free(path);

    /* A text named .png: the message has the path and what to do. */
    path = reha_path_join(folder, "note.png");
    assert_ok(reha_file_save(path, "hello", 5, &err), &err);
    err = (reha_error)REHA_ERROR_INIT;
    assert_int_equal(reha_image_load(path, NULL, &image, &facts, &err), REHA_E_FORMAT);
    assert_null(image);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "text"));
    assert_non_null(strstr(err.text, "export"));
    unlink(path);

    err = (reha_error)REHA_ERROR_INIT;
    assert_int_equal(reha_image_load(path, NULL, &image, NULL, &err), REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "note.png"));
    assert_true(reha_image_load(folder, NULL, &image, NULL, &err) != REHA_OK);
    assert_null(image);
    reha_free(path);
    rmdir(folder);
    buffer_free(&file);
}

static void test_real_radiographs(void **state)
{
    (void)state;
    TEST_NEED_DATA();
    char *folder = reha_path_join(test_data_dir(), "knee_radiographs/images");
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_folder_list(folder, 10000, &files, &err), &err);
    assert_true(files.count > 10);
    for (size_t i = 0; i < files.count; i += 20) {
        reha_gray *image = NULL;
        reha_acquisition facts;
        assert_ok(reha_image_load(files.items[i], NULL, &image, &facts, &err), &err);
        assert_true(image->width_px >= 100 && image->height_px >= 100);
        assert_true(facts.chroma_fraction < 0.05);
        reha_gray_free(image);
    }
    reha_paths_clear(&files);
    reha_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said_about_other_files),
        cmocka_unit_test(test_the_text_never_quotes_the_content),
        cmocka_unit_test(test_detect),
        cmocka_unit_test(test_load_by_path),
        cmocka_unit_test(test_real_radiographs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
