/* What is written must read back as the same image, spacing and facts, here and by DCMTK. */
#include "support.h"

#include "base/memory.h"
#include "dicom/series.h"
#include "dicom/write.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static const uint16_t cells[] = {0, 1, 4095, 2048, 7, 3000};

static reha_dicom_image example(void)
{
    reha_dicom_image image = reha_dicom_image_empty();
    image.width_px = 3;
    image.height_px = 2;
    image.bits_stored = 12;
    image.pixels = cells;
    strcpy(image.facts.modality, "DX");
    strcpy(image.facts.body_part, "KNEE");
    strcpy(image.facts.view_position, "AP");
    strcpy(image.facts.orientation, "L\\F");
    strcpy(image.facts.manufacturer, "M\xC3\xBCller");
    image.facts.side = REHA_SIDE_LEFT;
    strcpy(image.ids.acquisition_date, "2024-02-29");
    image.patient_id = "P-1";
    return image;
}

static reha_dicom *written(const reha_dicom_image *image, uint8_t **bytes)
{
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    size_t size_bytes;
    assert_ok(reha_dicom_write_image(image, bytes, &size_bytes, &err), &err);
    assert_ok(reha_dicom_open(*bytes, size_bytes, NULL, &dicom, &err), &err);
    return dicom;
}

static void test_round_trip(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image;
    uint8_t *bytes;
    char id[65];
    (void)state;
    const reha_dicom_image source = example();
    reha_dicom *dicom = written(&source, &bytes);
    const reha_acquisition *facts = reha_dicom_facts(dicom);
    assert_string_equal(facts->modality, "DX");
    assert_string_equal(facts->body_part, "KNEE");
    assert_string_equal(facts->view_position, "AP");
    assert_string_equal(facts->orientation, "L\\F");
    assert_string_equal(facts->manufacturer, "M\xC3\xBCller");
    assert_true(facts->side == REHA_SIDE_LEFT && facts->bits_stored == 12 && !facts->is_lossy);
    assert_string_equal(reha_dicom_get_ids(dicom)->acquisition_date, "2024-02-29");
    assert_string_equal(reha_dicom_get_ids(dicom)->sop_class_uid, "1.2.840.10008.5.1.4.1.1.1.1");
    assert_true(strncmp(reha_dicom_get_ids(dicom)->study_instance_uid, "2.25.", 5) == 0);
    assert_true(reha_dicom_identifying_patient_id(dicom, id, sizeof(id)));
    assert_string_equal(id, "P-1");
    assert_int_equal(reha_dicom_warning_count(dicom), 0);
    assert_ok(reha_dicom_read_frame(dicom, 0, &image, NULL, &err), &err);
    for (size_t i = 0; i < 6; i++) {
        assert_true(image->pixels[i] == (float)cells[i]);
    }
    assert_false(reha_spacing_is_known(image->spacing));
    reha_gray_free(image);
    reha_dicom_close(dicom);
    reha_free(bytes);
}

static void test_frames_round_trip(void **state)
{
    static const uint8_t frames[3][6] = {
        {0, 1, 2, 3, 4, 5}, {10, 11, 12, 13, 14, 15}, {250, 251, 252, 253, 254, 255}};
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    uint8_t *bytes = NULL;
    (void)state;
    reha_dicom_image source = example();
    source.bits_stored = 8;
    source.frame_count = 3;
    source.pixels = frames;
    source.facts.was_monochrome1 = false;
    reha_dicom *dicom = written(&source, &bytes);
    assert_int_equal(reha_dicom_frame_count(dicom), 3);
    for (uint32_t k = 0; k < 3; k++) {
        assert_ok(reha_dicom_read_frame(dicom, k, &image, NULL, &err), &err);
        assert_true(image->pixels[0] == (float)frames[k][0] && image->pixels[5] == (float)frames[k][5]);
        reha_gray_free(image);
    }
    assert_int_equal(reha_dicom_read_frame(dicom, 3, &image, NULL, &err), REHA_E_NOT_FOUND);
    reha_dicom_close(dicom);
    reha_free(bytes);
    source.frame_count = UINT32_MAX;
    assert_int_equal(reha_dicom_write_image(&source, &bytes, &(size_t){0}, &err), REHA_E_LIMIT);
}

/* Images of one stack share a group and are told apart by their place along it. */
static void test_places_in_a_stack(void **state)
{
    reha_dicom_slice slice = {
        .row = {0, 1, 0}, .column = {0, 0, -1}, .thickness_mm = 3, .between_mm = 4, .echo_ms = 12.5};
    reha_series_place places[2];
    (void)state;
    reha_dicom_image source = example();
    (void)snprintf(source.facts.modality, sizeof source.facts.modality, "MR");
    (void)snprintf(source.ids.series_instance_uid, sizeof source.ids.series_instance_uid, "2.25.77");
    source.spacing = (reha_spacing){0.5, 0.5, REHA_SPACING_CALIBRATED};
    source.slice = &slice;
    for (int i = 0; i < 2; i++) {
        uint8_t *bytes = NULL;
        slice.position_mm[0] = 10.0 + 4.0 * i;
        slice.instance_no = (uint32_t)i + 5;
        reha_dicom *dicom = written(&source, &bytes);
        assert_true(reha_series_place_of(dicom, 0, &places[i]));
        reha_dicom_close(dicom);
        reha_free(bytes);
    }
    assert_string_equal(places[0].group, places[1].group);
    assert_int_equal(places[1].instance_number, 6);
    assert_true(fabs(places[0].echo_ms - 12.5) < 1e-6);
    assert_true(fabs(fabs(places[1].along_mm - places[0].along_mm) - 4.0) < 1e-6);
    /* Without a place there is still a series; another direction is another stack. */
    uint8_t *bytes = NULL;
    reha_series_place other;
    source.slice = NULL;
    reha_dicom *dicom = written(&source, &bytes);
    assert_true(reha_series_place_of(dicom, 0, &other));
    assert_true(isnan(other.along_mm) && strcmp(other.group, places[0].group) != 0);
    reha_dicom_close(dicom);
    reha_free(bytes);
}

static void test_spacing_round_trip(void **state)
{
    static const struct {
        reha_spacing spacing;
        double magnification;
        reha_spacing_source read_as;
    } table[] = {
        {{0.143, 0.144, REHA_SPACING_CALIBRATED}, 0, REHA_SPACING_CALIBRATED},
        {{0.143, 0.144, REHA_SPACING_USER}, 0, REHA_SPACING_CALIBRATED},
        {{0.143, 0.144, REHA_SPACING_AT_DETECTOR}, 0, REHA_SPACING_AT_DETECTOR},
        {{0.143, 0.144, REHA_SPACING_MAGNIFICATION}, 1.12, REHA_SPACING_MAGNIFICATION},
    };
    static const char *const modalities[] = {"DX", "CR", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (size_t m = 0; m < 3; m++) {
            uint8_t *bytes;
            reha_dicom_image source = example();
            strcpy(source.facts.modality, modalities[m]);
            source.spacing = table[i].spacing;
            source.magnification = table[i].magnification;
            reha_dicom *dicom = written(&source, &bytes);
            const reha_spacing found = reha_dicom_spacing(dicom, 0);
            assert_int_equal(found.source, table[i].read_as);
            assert_true(fabs(found.x_mm - 0.143) < 1e-9 && fabs(found.y_mm - 0.144) < 1e-9);
            reha_dicom_close(dicom);
            reha_free(bytes);
        }
    }
}

static void test_eight_bits_window_and_inversion(void **state)
{
    static const uint8_t small[] = {0, 100, 255};
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image;
    reha_window window;
    uint8_t *bytes;
    (void)state;
    reha_dicom_image source = example();
    source.width_px = 3;
    source.height_px = 1;
    source.bits_stored = 8;
    source.pixels = small;
    source.facts.was_monochrome1 = true;
    source.facts.is_lossy = true;
    source.window_center = 128;
    source.window_width = 200;
    source.rescale_slope = 2;
    source.rescale_intercept = 1;
    reha_dicom *dicom = written(&source, &bytes);
    assert_true(reha_dicom_facts(dicom)->was_monochrome1 && reha_dicom_facts(dicom)->is_lossy);
    assert_true(reha_dicom_window(dicom, 0, &window));
    assert_true(window.center == 128.0 && window.width == 200.0);
    assert_ok(reha_dicom_read_frame(dicom, 0, &image, NULL, &err), &err);
    assert_true(image->pixels[0] == 511.0f && image->pixels[1] == 311.0f && image->pixels[2] == 1.0f);
    reha_gray_free(image);
    reha_dicom_close(dicom);
    reha_free(bytes);
}

static void assert_refused(const reha_dicom_image *image, reha_status expected)
{
    reha_error err = REHA_ERROR_INIT;
    uint8_t *bytes;
    size_t size_bytes;
    assert_int_equal(reha_dicom_write_image(image, &bytes, &size_bytes, &err), expected);
    assert_null(bytes);
    assert_int_equal(size_bytes, 0);
    assert_true(err.text[0] != '\0');
}

static void test_refusals(void **state)
{
    const size_t blocks = reha_mem_live_blocks();
    reha_dicom_image image;
    (void)state;
    image = example();
    image.width_px = 0;
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.height_px = 65536;
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.pixels = NULL;
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.bits_stored = 17;
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.bits_stored = 0;
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.spacing = (reha_spacing){0.0, 0.1, REHA_SPACING_CALIBRATED};
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.spacing = (reha_spacing){0.1, 0.1, REHA_SPACING_MAGNIFICATION};
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.patient_id = "a\\b";
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.patient_name = "line\nbreak";
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.patient_id = "12345678901234567890123456789012345678901234567890123456789012345";
    assert_refused(&image, REHA_E_ARG);
    image = example();
    strcpy(image.ids.sop_instance_uid, "1.2.x");
    assert_refused(&image, REHA_E_ARG);
    image = example();
    image.window_width = 1;
    image.window_center = (double)NAN;
    assert_refused(&image, REHA_E_ARG);
    assert_int_equal(reha_mem_live_blocks(), blocks);
}

static void test_out_of_memory(void **state)
{
    const reha_dicom_image image = example();
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    (void)state;
    for (long n = 0; status != REHA_OK; n++) {
        reha_error err = REHA_ERROR_INIT;
        uint8_t *bytes;
        size_t size_bytes;
        reha_mem_fail_after(n);
        status = reha_dicom_write_image(&image, &bytes, &size_bytes, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_free(bytes);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
}

static void test_uids(void **state)
{
    char a[65];
    char b[65];
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_ok(reha_dicom_uid_new(a, &err), &err);
        assert_ok(reha_dicom_uid_new(b, &err), &err);
        assert_true(strcmp(a, b) != 0);
        assert_true(strncmp(a, "2.25.", 5) == 0 && a[5] != '0' &&
                    strspn(a + 5, "0123456789") == strlen(a) - 5);
        assert_true(strlen(a) <= 44); /* 2^128 has 39 digits */
    }
}

static void test_dcmtk_reads_it(void **state)
{
    char path[] = "/tmp/reha-dicom-write-XXXXXX";
    char command[256];
    reha_error err = REHA_ERROR_INIT;
    reha_dicom_image image = example();
    (void)state;
    if (system("command -v dcmftest dcmdump > /dev/null 2>&1") != 0) {
        print_message("skipped: DCMTK's tools are not installed\n");
        skip();
    }
    const int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    image.spacing = (reha_spacing){0.143, 0.144, REHA_SPACING_CALIBRATED};
    assert_ok(reha_dicom_save_image(&image, path, &err), &err);
    (void)snprintf(command, sizeof(command),
                   "dcmftest %s > /dev/null && dcmdump -q +P 0028,0030 %s | grep -q '0.144.0.143'", path,
                   path);
    assert_int_equal(system(command), 0);
    /* Nothing that DCMTK warns about: order, padding, lengths. */
    (void)snprintf(command, sizeof(command), "dcmdump %s 2>&1 | grep -qE '^[WE]:'", path);
    assert_int_not_equal(system(command), 0);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_frames_round_trip),
        cmocka_unit_test(test_places_in_a_stack),
        cmocka_unit_test(test_spacing_round_trip),
        cmocka_unit_test(test_eight_bits_window_and_inversion),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_uids),
        cmocka_unit_test(test_dcmtk_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
