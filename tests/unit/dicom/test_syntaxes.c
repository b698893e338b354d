/* One CT slice in 15 transfer syntaxes, a colour pattern in 8, and real files of several devices:
 * lossless ones give exactly the pixels of the uncompressed twin, lossy ones stay within the error
 * stated here, and where DCMTK's tools are installed both must agree to the last bit. */
#include "support.h"

#include "base/memory.h"
#include "dicom/dicom.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static char *data_path(char *out, size_t out_bytes, const char *name)
{
    (void)snprintf(out, out_bytes, "%s/dicom/%s", test_data_dir(), name);
    return out;
}

static reha_dicom *load(const char *path)
{
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    assert_ok(reha_dicom_load(path, NULL, &dicom, &err), &err);
    return dicom;
}

static reha_dicom *load_data(const char *name)
{
    char path[512];
    return load(data_path(path, sizeof(path), name));
}

static reha_gray *read_frame(const reha_dicom *dicom, uint32_t frame_idx, reha_acquisition *facts)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image;
    assert_ok(reha_dicom_read_frame(dicom, frame_idx, &image, facts, &err), &err);
    return image;
}

static double largest_difference(const reha_gray *a, const reha_gray *b, double *mean)
{
    const size_t count = (size_t)a->width_px * a->height_px;
    double largest = 0.0;
    double sum = 0.0;
    assert_int_equal(a->width_px, b->width_px);
    assert_int_equal(a->height_px, b->height_px);
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)a->pixels[i] - (double)b->pixels[i]);
        largest = difference > largest ? difference : largest;
        sum += difference;
    }
    *mean = sum / (double)count;
    return largest;
}

typedef struct twin {
    const char *name;
    bool is_lossy;
    double largest; /* stated error in modality values */
    double mean;
} twin;

static void compare_twins(const char *reference_name, const twin *twins, size_t count)
{
    char name[256];
    reha_dicom *reference = load_data(reference_name);
    reha_gray *expected = read_frame(reference, 0, NULL);
    for (size_t i = 0; i < count; i++) {
        double mean;
        reha_acquisition facts;
        (void)snprintf(name, sizeof(name), "transfer_syntaxes/%s.dcm", twins[i].name);
        reha_dicom *dicom = load_data(name);
        reha_gray *image = read_frame(dicom, 0, &facts);
        const double largest = largest_difference(image, expected, &mean);
        if (largest > twins[i].largest || mean > twins[i].mean) {
            fail_msg("%s: largest difference %g, mean %g", twins[i].name, largest, mean);
        }
        assert_int_equal(facts.is_lossy, twins[i].is_lossy);
        assert_true(image->spacing.x_mm == expected->spacing.x_mm);
        assert_int_equal(image->spacing.source, expected->spacing.source);
        reha_gray_free(image);
        reha_dicom_close(dicom);
    }
    reha_gray_free(expected);
    reha_dicom_close(reference);
}

/* The lossy streams of 12 bits store 2 Hounsfield units a step, those of 8 bits 32. */
static void test_ct(void **state)
{
    static const twin twins[] = {
        {"CT_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2", false, 0, 0},
        {"CT_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1", false, 0, 0},
        {"CT_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99", false, 0, 0},
        {"CT_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2", false, 0, 0},
        {"CT_RLELosslessTransferSyntax_1.2.840.10008.1.2.5", false, 0, 0},
        {"CT_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57", false, 0, 0},
        {"CT_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70", false, 0, 0},
        {"CT_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80", false, 0, 0},
        {"CT_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90", false, 0, 0},
        {"CT_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81", true, 1, 0.7},
        {"CT_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91", true, 5, 0.6},
        {"CT_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51", true, 36, 4},
        {"CT_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53", true, 36, 4},
        {"CT_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55", true, 36, 4},
        {"CT_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50", true, 65, 20},
    };
    (void)state;
    TEST_NEED_DATA();
    compare_twins("transfer_syntaxes/CTImage.dcm", twins, sizeof(twins) / sizeof(twins[0]));
}

/* Luma of 0..255. The palettes hold 256 colours of a picture that has more. */
static void test_colour_pattern(void **state)
{
    static const twin twins[] = {
        {"TestPattern_JPEG-LS-Lossless", false, 0, 0},
        {"TestPattern_JPEG-Lossless_RGB", false, 0, 0},
        {"TestPattern_JPEG-LS-NearLossless", true, 2.001, 0.8},
        {"TestPattern_JPEG-Baseline_YBRFull", true, 15, 0.6},
        {"TestPattern_JPEG-Baseline_YBR422", true, 15, 0.6},
        {"TestPattern_Palette", true, 43, 0.34},
        {"TestPattern_Palette_16", true, 43, 0.34},
    };
    (void)state;
    TEST_NEED_DATA();
    for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
        char name[256];
        (void)snprintf(name, sizeof(name), "transfer_syntaxes/%s.dcm", twins[i].name);
        reha_dicom *reference = load_data("transfer_syntaxes/TestPattern_RGB.dcm");
        reha_dicom *dicom = load_data(name);
        reha_acquisition facts;
        double mean;
        reha_gray *expected = read_frame(reference, 0, NULL);
        reha_gray *image = read_frame(dicom, 0, &facts);
        const double largest = largest_difference(image, expected, &mean);
        if (largest > twins[i].largest || mean > twins[i].mean) {
            fail_msg("%s: largest difference %g, mean %g", twins[i].name, largest, mean);
        }
        assert_true(facts.chroma_fraction > 0.19 && facts.chroma_fraction < 0.21);
        reha_gray_free(image);
        reha_gray_free(expected);
        reha_dicom_close(dicom);
        reha_dicom_close(reference);
    }
}

/* What DCMTK's own tools make of the same files, bit for bit and frame by frame. */
static void test_against_dcmtk_tools(void **state)
{
    static const struct {
        const char *tool;
        const char *name;
    } table[] = {
        {"dcmdjpeg", "transfer_syntaxes/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm"},
        {"dcmdjpeg", "transfer_syntaxes/CT_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm"},
        {"dcmdjpeg", "transfer_syntaxes/CT_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm"},
        {"dcmdjpeg", "transfer_syntaxes/CT_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm"},
        {"dcmdjpeg", "transfer_syntaxes/CT_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm"},
        {"dcmdjpeg", "examples/RG2_JPLL.dcm"},
        {"dcmdjpls", "transfer_syntaxes/CT_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm"},
        {"dcmdrle", "examples/dcm4che_YBR_FULL-RLE.dcm"},
        {"dcmdrle", "transfer_syntaxes/no-pixel-spacing.dcm"},
        {"dcmconv +ti", "knee_mr_t2/E3655S8I049.MR.dcm"},
        {"dcmconv +tb", "examples/wrist_MR01.dcm"},
        {"dcmconv +td", "examples/dcm4che_test16signed.dcm"},
    };
    char path[512];
    char output[] = "/tmp/reha-dicom-test-XXXXXX";
    char command[1200];
    (void)state;
    TEST_NEED_DATA();
    if (system("command -v dcmdjpeg dcmdjpls dcmdrle dcmconv > /dev/null 2>&1") != 0) {
        print_message("skipped: DCMTK's tools are not installed\n");
        skip();
    }
    const int file = mkstemp(output);
    assert_true(file >= 0);
    (void)close(file);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        (void)snprintf(command, sizeof(command), "%s '%s' '%s' > /dev/null 2>&1", table[i].tool,
                       data_path(path, sizeof(path), table[i].name), output);
        assert_int_equal(system(command), 0);
        reha_dicom *ours = load(path);
        reha_dicom *theirs = load(output);
        assert_int_equal(reha_dicom_frame_count(ours), reha_dicom_frame_count(theirs));
        for (uint32_t f = 0; f < reha_dicom_frame_count(ours); f++) {
            double mean;
            reha_gray *a = read_frame(ours, f, NULL);
            reha_gray *b = read_frame(theirs, f, NULL);
            assert_true(largest_difference(a, b, &mean) == 0.0);
            reha_gray_free(a);
            reha_gray_free(b);
        }
        reha_dicom_close(theirs);
        reha_dicom_close(ours);
    }
    (void)unlink(output);
}

static void test_facts_of_real_files(void **state)
{
    reha_dicom_region region;
    (void)state;
    TEST_NEED_DATA();
    reha_dicom *dicom = load_data("examples/RG2_JPLL.dcm");
    const reha_acquisition *facts = reha_dicom_facts(dicom);
    assert_string_equal(facts->container, "dicom");
    assert_string_equal(facts->modality, "CR");
    assert_string_equal(facts->body_part, "HIP");
    assert_string_equal(facts->manufacturer, "Fuji Photo Film Co.,Ltd.");
    assert_string_equal(facts->transfer_syntax_uid, "1.2.840.10008.1.2.4.70");
    assert_string_equal(reha_dicom_get_ids(dicom)->acquisition_date, "1997-03-14");
    assert_string_equal(reha_dicom_get_ids(dicom)->sop_class_uid, "1.2.840.10008.5.1.4.1.1.1");
    assert_true(facts->bits_stored == 10 && !facts->is_lossy && !facts->was_monochrome1);
    assert_int_equal(reha_dicom_spacing(dicom, 0).source, REHA_SPACING_AT_DETECTOR);
    reha_dicom_close(dicom);

    dicom = load_data("examples/dcm4che_YBR_422.dcm");
    assert_string_equal(reha_dicom_facts(dicom)->modality, "US");
    assert_true(reha_dicom_facts(dicom)->is_lossy); /* says so itself */
    assert_int_equal(reha_dicom_region_count(dicom, 0), 1);
    assert_true(reha_dicom_get_region(dicom, 0, 0, &region));
    assert_true(region.is_tissue_2d && region.box.x_px == 184.0 && region.box.width_px == 616.0);
    assert_true(fabs(reha_dicom_spacing(dicom, 0).x_mm - 0.0616) < 1e-6);
    reha_dicom_close(dicom);

    dicom = load_data("knee_mr_t2/E3655S8I049.MR.dcm");
    assert_string_equal(reha_dicom_facts(dicom)->transfer_syntax_uid, "1.2.840.10008.1.2.2");
    assert_true(reha_dicom_spacing(dicom, 0).y_mm == 0.625);
    assert_int_equal(reha_dicom_spacing(dicom, 0).source, REHA_SPACING_CALIBRATED);
    reha_dicom_close(dicom);
}

/* Two overlay planes live in bits 14 and 15 of this file's pixel cells. */
static void test_embedded_overlays(void **state)
{
    (void)state;
    TEST_NEED_DATA();
    reha_dicom *dicom = load_data("examples/dcm4che_ovly_p01.dcm");
    reha_gray *image = read_frame(dicom, 0, NULL);
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        assert_true(image->pixels[i] >= 0.0f && image->pixels[i] <= 4095.0f);
    }
    reha_gray_free(image);
    reha_dicom_close(dicom);
}

static void test_no_image(void **state)
{
    char path[512];
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    (void)state;
    TEST_NEED_DATA();
    assert_int_equal(reha_dicom_load(data_path(path, sizeof(path), "transfer_syntaxes/no-pixel-data.dcm"),
                                     NULL, &dicom, &err),
                     REHA_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "no image"));
    assert_int_equal(reha_dicom_load("/nonexistent.dcm", NULL, &dicom, &err), REHA_E_NOT_FOUND);
    assert_null(dicom);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ct),
        cmocka_unit_test(test_colour_pattern),
        cmocka_unit_test(test_against_dcmtk_tools),
        cmocka_unit_test(test_facts_of_real_files),
        cmocka_unit_test(test_embedded_overlays),
        cmocka_unit_test(test_no_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
