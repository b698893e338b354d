/* Millimetres: what each combination of attributes means, and what is refused. */
#include "builder.h"
#include "support.h"

#include "dicom/dicom.h"

#include <math.h>
#include <string.h>

typedef struct spacing_case {
    const char *what;
    const char *modality;
    const char *pixel;       /* (0028,0030) */
    const char *calibration; /* (0028,0A02) */
    const char *imager;      /* (0018,1164) */
    const char *scanned;     /* (0018,2010) */
    const char *factor;      /* (0018,1114) */
    const char *detector;    /* (0018,1110) */
    const char *patient;     /* (0018,1111) */
    double x_mm;
    double y_mm;
    reha_spacing_source source;
    bool has_warning;
} spacing_case;

#define KNOWN(x, y, s) .x_mm = x, .y_mm = y, .source = REHA_SPACING_##s
#define NONE           .source = REHA_SPACING_UNKNOWN

static const spacing_case cases[] = {
    {.what = "nothing", .modality = "DX", NONE},
    {.what = "DX calibrated by fiducial",
     .modality = "DX",
     .pixel = "0.14\\0.13",
     .calibration = "FIDUCIAL",
     .imager = "0.148\\0.148",
     KNOWN(0.13, 0.14, CALIBRATED)},
    {.what = "DX calibrated by geometry, same value",
     .modality = "DX",
     .pixel = "0.148\\0.148",
     .calibration = "GEOMETRY",
     .imager = "0.148\\0.148",
     KNOWN(0.148, 0.148, CALIBRATED)},
    {.what = "DX detector only",
     .modality = "DX",
     .imager = "0.2\\0.1",
     KNOWN(0.1, 0.2, AT_DETECTOR),
     .has_warning = true},
    {.what = "pixel spacing copied from the detector",
     .modality = "CR",
     .pixel = "0.1\\0.1",
     .imager = "0.1\\0.1",
     KNOWN(0.1, 0.1, AT_DETECTOR),
     .has_warning = true},
    {.what = "copied with fewer digits, factor present",
     .modality = "CR",
     .pixel = "0.139\\0.139",
     .imager = "0.13901\\0.13901",
     .factor = "1.1",
     KNOWN(0.13901 / 1.1, 0.13901 / 1.1, MAGNIFICATION)},
    {.what = "magnification factor",
     .modality = "DX",
     .imager = "0.22\\0.11",
     .factor = "1.10",
     KNOWN(0.1, 0.2, MAGNIFICATION)},
    {.what = "source distances",
     .modality = "DX",
     .imager = "0.115\\0.115",
     .detector = "1150",
     .patient = "1000",
     KNOWN(0.1, 0.1, MAGNIFICATION)},
    {.what = "factor and distances agree",
     .modality = "DX",
     .imager = "0.115\\0.115",
     .factor = "1.15",
     .detector = "1150",
     .patient = "1000",
     KNOWN(0.1, 0.1, MAGNIFICATION)},
    {.what = "factor and distances disagree",
     .modality = "DX",
     .imager = "0.115\\0.115",
     .factor = "1.5",
     .detector = "1150",
     .patient = "1000",
     KNOWN(0.115, 0.115, AT_DETECTOR),
     .has_warning = true},
    {.what = "factor of exactly 1 is a default",
     .modality = "DX",
     .imager = "0.1\\0.1",
     .factor = "1",
     KNOWN(0.1, 0.1, AT_DETECTOR),
     .has_warning = true},
    {.what = "factor below 1",
     .modality = "DX",
     .imager = "0.1\\0.1",
     .factor = "0.5",
     KNOWN(0.1, 0.1, AT_DETECTOR),
     .has_warning = true},
    {.what = "object behind the detector",
     .modality = "DX",
     .imager = "0.1\\0.1",
     .detector = "1000",
     .patient = "1200",
     KNOWN(0.1, 0.1, AT_DETECTOR),
     .has_warning = true},
    {.what = "distance of zero",
     .modality = "DX",
     .imager = "0.1\\0.1",
     .detector = "1000",
     .patient = "0",
     KNOWN(0.1, 0.1, AT_DETECTOR),
     .has_warning = true},
    {.what = "pixel spacing alone in a radiograph",
     .modality = "CR",
     .pixel = "0.2\\0.2",
     KNOWN(0.2, 0.2, AT_DETECTOR),
     .has_warning = true},
    {.what = "pixel spacing alone is never divided",
     .modality = "CR",
     .pixel = "0.2\\0.2",
     .factor = "1.2",
     KNOWN(0.2, 0.2, AT_DETECTOR),
     .has_warning = true},
    {.what = "calibrated by unstated means",
     .modality = "DX",
     .pixel = "0.1\\0.1",
     .imager = "0.115\\0.115",
     KNOWN(0.1, 0.1, CALIBRATED)},
    {.what = "larger than the detector's",
     .modality = "DX",
     .pixel = "0.4\\0.4",
     .imager = "0.2\\0.2",
     NONE,
     .has_warning = true},
    {.what = "corrected along one axis only",
     .modality = "DX",
     .pixel = "0.1\\0.2",
     .imager = "0.2\\0.2",
     NONE,
     .has_warning = true},
    {.what = "digitised film",
     .modality = "CR",
     .scanned = "0.175\\0.175",
     KNOWN(0.175, 0.175, AT_DETECTOR),
     .has_warning = true},
    {.what = "CT", .modality = "CT", .pixel = "0.7\\0.6", KNOWN(0.6, 0.7, CALIBRATED)},
    {.what = "MR with blanks",
     .modality = "MR",
     .pixel = " 0.625 \\ 0.625 ",
     KNOWN(0.625, 0.625, CALIBRATED)},
    {.what = "MR with exponent",
     .modality = "MR",
     .pixel = "6.25e-1\\6.25E-01",
     KNOWN(0.625, 0.625, CALIBRATED)},
    {.what = "NaN", .modality = "CT", .pixel = "nan\\nan", NONE, .has_warning = true},
    {.what = "infinite", .modality = "CT", .pixel = "inf\\inf", NONE, .has_warning = true},
    {.what = "zero", .modality = "CT", .pixel = "0\\0", NONE, .has_warning = true},
    {.what = "negative", .modality = "MR", .pixel = "-0.5\\0.5", NONE, .has_warning = true},
    {.what = "absurdly small", .modality = "DX", .imager = "0.0001\\0.0001", NONE, .has_warning = true},
    {.what = "absurdly large", .modality = "DX", .imager = "25.4\\25.4", NONE, .has_warning = true},
    {.what = "one value", .modality = "CT", .pixel = "0.5", NONE, .has_warning = true},
    {.what = "decimal comma", .modality = "CT", .pixel = "0,5\\0,5", NONE, .has_warning = true},
    {.what = "text", .modality = "CT", .pixel = "half\\half", NONE, .has_warning = true},
    {.what = "bad pixel spacing, good detector",
     .modality = "DX",
     .pixel = "0\\0",
     .imager = "0.1\\0.1",
     .factor = "1.25",
     KNOWN(0.08, 0.08, MAGNIFICATION),
     .has_warning = true},
    {.what = "unknown modality is taken for a projection",
     .modality = "OT",
     .pixel = "1\\1",
     KNOWN(1, 1, AT_DETECTOR),
     .has_warning = true},
    {.what = "ultrasound without regions",
     .modality = "US",
     .pixel = "0.1\\0.1",
     KNOWN(0.1, 0.1, CALIBRATED),
     .has_warning = true},
};

static void put_if(builder *b, uint32_t tag, const char *vr, const char *text)
{
    if (text != NULL) {
        b_text(b, tag, vr, text);
    }
}

static builder build(const spacing_case *c, const char *syntax)
{
    static const uint8_t pixels[4] = {1, 2, 3, 4};
    builder b = b_start(syntax);
    b_text(&b, 0x00080060, "CS", c->modality);
    put_if(&b, 0x00181110, "DS", c->detector);
    put_if(&b, 0x00181111, "DS", c->patient);
    put_if(&b, 0x00181114, "DS", c->factor);
    put_if(&b, 0x00181164, "DS", c->imager);
    put_if(&b, 0x00182010, "DS", c->scanned);
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
    put_if(&b, 0x00280030, "DS", c->pixel);
    put_if(&b, 0x00280A02, "CS", c->calibration);
    b_octets(&b, 0x7FE00010, "OB", pixels, sizeof(pixels));
    return b;
}

static void assert_spacing(const char *what, reha_spacing found, double x_mm, double y_mm,
                           reha_spacing_source source)
{
    if (found.source != source) {
        fail_msg("%s: source %d, expected %d", what, (int)found.source, (int)source);
    }
    if (source == REHA_SPACING_UNKNOWN) {
        assert_true(isnan(found.x_mm) && isnan(found.y_mm));
    } else if (fabs(found.x_mm - x_mm) > 1e-9 || fabs(found.y_mm - y_mm) > 1e-9) {
        fail_msg("%s: %.9g x %.9g mm, expected %.9g x %.9g", what, found.x_mm, found.y_mm, x_mm, y_mm);
    }
}

static uint32_t spacing_warnings(const reha_dicom *dicom)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < reha_dicom_warning_count(dicom); i++) {
        count += strstr(reha_dicom_warning(dicom, i), "UID") == NULL;
    }
    return count;
}

static void test_table(void **state)
{
    static const char *const syntaxes[] = {TS_EXPLICIT, TS_IMPLICIT, TS_BIG_ENDIAN};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t s = 0; s < 3; s++) {
            reha_error err = REHA_ERROR_INIT;
            reha_dicom *dicom;
            reha_gray *image;
            builder b = build(&cases[i], syntaxes[s]);
            assert_ok(reha_dicom_open(b.data, b.length, NULL, &dicom, &err), &err);
            assert_spacing(cases[i].what, reha_dicom_spacing(dicom, 0), cases[i].x_mm, cases[i].y_mm,
                           cases[i].source);
            assert_ok(reha_dicom_read_frame(dicom, 0, &image, NULL, &err), &err);
            assert_spacing(cases[i].what, image->spacing, cases[i].x_mm, cases[i].y_mm, cases[i].source);
            if ((spacing_warnings(dicom) > 0) != cases[i].has_warning) {
                fail_msg("%s: %u warnings", cases[i].what, spacing_warnings(dicom));
            }
            reha_gray_free(image);
            reha_dicom_close(dicom);
            b_end(&b);
        }
    }
}

typedef struct region_spec {
    uint16_t format;
    uint16_t type;
    uint16_t unit;
    uint32_t x0;
    uint32_t x1;
    double delta_x;
    double delta_y;
} region_spec;

static void put_regions(builder *b, const region_spec *regions, size_t count)
{
    b_sequence(b, 0x00186011);
    for (size_t i = 0; i < count; i++) {
        b_item(b);
        b_u16(b, 0x00186012, regions[i].format);
        b_u16(b, 0x00186014, regions[i].type);
        b_u32(b, 0x00186018, regions[i].x0);
        b_u32(b, 0x0018601A, 1);
        b_u32(b, 0x0018601C, regions[i].x1);
        b_u32(b, 0x0018601E, 3);
        b_u16(b, 0x00186024, regions[i].unit);
        b_u16(b, 0x00186026, regions[i].unit);
        b_f64(b, 0x0018602C, regions[i].delta_x);
        b_f64(b, 0x0018602E, regions[i].delta_y);
        b_item_end(b);
    }
    b_sequence_end(b);
}

static reha_dicom *open_ultrasound(builder *b, const region_spec *regions, size_t count)
{
    static const uint8_t pixels[32];
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    *b = b_start(TS_EXPLICIT);
    b_text(b, 0x00080060, "CS", "US");
    put_regions(b, regions, count);
    b_pixel_module(b, (pixel_module){.columns = 8, .rows = 4, .bits_allocated = 8});
    b_octets(b, 0x7FE00010, "OB", pixels, sizeof(pixels));
    assert_ok(reha_dicom_open(b->data, b->length, NULL, &dicom, &err), &err);
    return dicom;
}

static void test_ultrasound_regions(void **state)
{
    static const region_spec one[] = {{1, 1, 3, 2, 7, 0.006, 0.005}};
    static const region_spec with_spectrum[] = {{1, 1, 3, 0, 3, 0.006, 0.005}, {3, 4, 4, 4, 7, 0.1, 2.0}};
    static const region_spec same[] = {{1, 1, 3, 0, 3, 0.006, 0.006}, {1, 2, 3, 4, 7, 0.006, 0.006}};
    static const region_spec different[] = {{1, 1, 3, 0, 3, 0.006, 0.006}, {1, 1, 3, 4, 7, 0.012, 0.012}};
    static const region_spec seconds[] = {{1, 1, 4, 0, 7, 0.006, 0.006}};
    static const region_spec negative[] = {{1, 1, 3, 0, 7, -0.006, 0.006}};
    static const region_spec zero[] = {{1, 1, 3, 0, 7, 0.0, 0.006}};
    static const region_spec huge[] = {{1, 1, 3, 0, 7, 0.006, 5.0}};
    static const region_spec spectrum[] = {{3, 4, 4, 0, 7, 0.1, 2.0}};
    static const struct {
        const char *what;
        const region_spec *regions;
        size_t count;
        double x_mm;
        double y_mm;
        reha_spacing_source source;
    } table[] = {
        {"one", one, 1, 0.06, 0.05, REHA_SPACING_CALIBRATED},
        {"2D and spectrum", with_spectrum, 2, 0.06, 0.05, REHA_SPACING_CALIBRATED},
        {"two of one scale", same, 2, 0.06, 0.06, REHA_SPACING_CALIBRATED},
        {"two scales", different, 2, 0, 0, REHA_SPACING_UNKNOWN},
        {"not a length", seconds, 1, 0, 0, REHA_SPACING_UNKNOWN},
        {"negative", negative, 1, 0, 0, REHA_SPACING_UNKNOWN},
        {"zero", zero, 1, 0, 0, REHA_SPACING_UNKNOWN},
        {"5 cm a pixel", huge, 1, 0, 0, REHA_SPACING_UNKNOWN},
        {"spectrum only", spectrum, 1, 0, 0, REHA_SPACING_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b;
        reha_dicom *dicom = open_ultrasound(&b, table[i].regions, table[i].count);
        assert_spacing(table[i].what, reha_dicom_spacing(dicom, 0), table[i].x_mm, table[i].y_mm,
                       table[i].source);
        assert_int_equal(reha_dicom_region_count(dicom, 0), table[i].count);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_region_boxes(void **state)
{
    static const region_spec regions[] = {
        {1, 1, 3, 2, 8, 0.006, 0.005}, {1, 1, 3, 4, 4000000000u, 0.01, 0.01}, {3, 4, 4, 6, 5, 0.1, 2.0}};
    reha_dicom_region region;
    builder b;
    (void)state;
    reha_dicom *dicom = open_ultrasound(&b, regions, 3);
    assert_true(reha_dicom_get_region(dicom, 0, 0, &region));
    assert_true(region.is_tissue_2d);
    assert_true(region.box.x_px == 2.0 && region.box.y_px == 1.0);
    assert_true(region.box.width_px == 6.0 && region.box.height_px == 3.0); /* 8 is clipped to 7 */
    assert_spacing("region", region.spacing, 0.06, 0.05, REHA_SPACING_CALIBRATED);
    assert_true(reha_dicom_get_region(dicom, 0, 1, &region));
    assert_true(region.box.width_px == 4.0);
    assert_true(reha_dicom_get_region(dicom, 0, 2, &region));
    assert_false(region.is_tissue_2d);
    assert_true(region.box.width_px == 0.0);
    assert_spacing("spectrum", region.spacing, 0, 0, REHA_SPACING_UNKNOWN);
    assert_false(reha_dicom_get_region(dicom, 0, 3, &region));
    reha_dicom_close(dicom);
    b_end(&b);
}

/* Two frames with scales of their own, in functional groups. */
static void test_per_frame(void **state)
{
    static const region_spec first[] = {{1, 1, 3, 0, 7, 0.01, 0.01}};
    static const region_spec second[] = {{1, 1, 3, 0, 7, 0.02, 0.02}};
    static const uint8_t pixels[64];
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_text(&b, 0x00080060, "CS", "US");
    b_pixel_module(&b, (pixel_module){.columns = 8, .rows = 4, .bits_allocated = 8});
    b_text(&b, 0x00280008, "IS", "2");
    b_sequence(&b, 0x52009230);
    b_item(&b);
    put_regions(&b, first, 1);
    b_item_end(&b);
    b_item(&b);
    b_sequence(&b, 0x00189807); /* one level deeper, as a macro */
    b_item(&b);
    put_regions(&b, second, 1);
    b_item_end(&b);
    b_sequence_end(&b);
    b_item_end(&b);
    b_sequence_end(&b);
    b_octets(&b, 0x7FE00010, "OB", pixels, sizeof(pixels));
    assert_ok(reha_dicom_open(b.data, b.length, NULL, &dicom, &err), &err);
    assert_spacing("frame 1", reha_dicom_spacing(dicom, 0), 0.1, 0.1, REHA_SPACING_CALIBRATED);
    assert_spacing("frame 2", reha_dicom_spacing(dicom, 1), 0.2, 0.2, REHA_SPACING_CALIBRATED);
    reha_dicom_close(dicom);
    b_end(&b);
}

static void put_measures(builder *b, const char *spacing)
{
    b_item(b);
    b_sequence(b, 0x00289110);
    b_item(b);
    b_text(b, 0x00280030, "DS", spacing);
    b_item_end(b);
    b_sequence_end(b);
    b_item_end(b);
}

static void test_enhanced(void **state)
{
    static const uint8_t pixels[8];
    static const char *const syntaxes[] = {TS_EXPLICIT, TS_IMPLICIT, TS_BIG_ENDIAN};
    (void)state;
    for (size_t s = 0; s < 3; s++) {
        reha_error err = REHA_ERROR_INIT;
        reha_dicom *dicom;
        builder b = b_start(syntaxes[s]);
        b_text(&b, 0x00080060, "CS", "MR");
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
        b_text(&b, 0x00280008, "IS", "2");
        b_sequence(&b, 0x52009229);
        put_measures(&b, "0.5\\0.4");
        b_sequence_end(&b);
        b_sequence(&b, 0x52009230);
        b_item(&b);
        b_item_end(&b);
        put_measures(&b, "0.3\\0.3");
        b_sequence_end(&b);
        b_octets(&b, 0x7FE00010, "OB", pixels, sizeof(pixels));
        assert_ok(reha_dicom_open(b.data, b.length, NULL, &dicom, &err), &err);
        assert_spacing("shared", reha_dicom_spacing(dicom, 0), 0.4, 0.5, REHA_SPACING_CALIBRATED);
        assert_spacing("per frame", reha_dicom_spacing(dicom, 1), 0.3, 0.3, REHA_SPACING_CALIBRATED);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_aspect(void **state)
{
    static const struct {
        const char *ratio;
        const char *pixel;
        double expected;
        uint32_t warnings;
    } table[] = {
        {"2\\1", NULL, 2.0, 1},     {"1\\1", NULL, 1.0, 0},       {"0\\1", NULL, 1.0, 1},
        {"abc", NULL, 1.0, 1},      {"2\\1", "0.4\\0.2", 2.0, 0}, {"2\\1", "0.2\\0.2", 1.0, 1},
        {NULL, "0.3\\0.2", 1.5, 0}, {"1\\1000", NULL, 1.0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        static const uint8_t pixels[4];
        reha_error err = REHA_ERROR_INIT;
        reha_dicom *dicom;
        builder b = b_start(TS_EXPLICIT);
        b_text(&b, 0x00080060, "CS", "CT");
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
        put_if(&b, 0x00280030, "DS", table[i].pixel);
        put_if(&b, 0x00280034, "IS", table[i].ratio);
        b_octets(&b, 0x7FE00010, "OB", pixels, sizeof(pixels));
        assert_ok(reha_dicom_open(b.data, b.length, NULL, &dicom, &err), &err);
        assert_true(fabs(reha_dicom_pixel_aspect(dicom) - table[i].expected) < 1e-9);
        assert_int_equal(spacing_warnings(dicom), table[i].warnings);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_ultrasound_regions),
        cmocka_unit_test(test_region_boxes), cmocka_unit_test(test_per_frame),
        cmocka_unit_test(test_enhanced),     cmocka_unit_test(test_aspect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
