/* Acquisition facts, identifiers, warnings; odd but legal structure. */
#include "builder.h"
#include "support.h"

#include "dicom/derived.h"
#include "dicom/dicom.h"

#include <string.h>

static void put_pixels(builder *b)
{
    static const uint8_t pixels[4];
    b_pixel_module(b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
    b_octets(b, 0x7FE00010, "OB", pixels, sizeof(pixels));
}

static reha_dicom *open_built(const builder *b)
{
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    assert_ok(reha_dicom_open(b->data, b->length, NULL, &dicom, &err), &err);
    return dicom;
}

static bool has_warning(const reha_dicom *dicom, const char *part)
{
    for (uint32_t i = 0; i < reha_dicom_warning_count(dicom); i++) {
        if (strstr(reha_dicom_warning(dicom, i), part) != NULL) {
            return true;
        }
    }
    return false;
}

static void test_all_facts(void **state)
{
    static const char *const syntaxes[] = {TS_EXPLICIT, TS_IMPLICIT, TS_BIG_ENDIAN};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        builder b = b_start(syntaxes[i]);
        b_text(&b, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.1.1");
        b_text(&b, 0x00080018, "UI", "1.2.3");
        b_text(&b, 0x00080020, "DA", "20200101");
        b_text(&b, 0x00080022, "DA", "20240229");
        b_text(&b, 0x00080060, "CS", "DX");
        b_text(&b, 0x00080070, "LO", "  Maker & Sons ");
        b_text(&b, 0x00081090, "LO", "Model 1");
        b_text(&b, 0x00100020, "LO", "ZZSECRET");
        b_text(&b, 0x00180015, "CS", "knee");
        b_text(&b, 0x00185100, "CS", "HFS");
        b_text(&b, 0x00185101, "CS", "AP");
        b_text(&b, 0x0020000D, "UI", "1.2.4");
        b_text(&b, 0x0020000E, "UI", "1.2.5");
        b_text(&b, 0x00200020, "CS", "L\\F");
        b_text(&b, 0x00200062, "CS", "R");
        b_text(&b, 0x00280301, "CS", "YES");
        put_pixels(&b);
        reha_dicom *dicom = open_built(&b);
        const reha_acquisition *facts = reha_dicom_facts(dicom);
        const reha_dicom_ids *ids = reha_dicom_get_ids(dicom);
        char id[65];
        assert_string_equal(facts->container, "dicom");
        assert_string_equal(facts->modality, "DX");
        assert_string_equal(facts->body_part, "KNEE");
        assert_string_equal(facts->view_position, "AP");
        assert_string_equal(facts->patient_position, "HFS");
        assert_string_equal(facts->acquired_on, ids->acquisition_date);
        assert_string_equal(facts->acquired_on, "2024-02-29");
        assert_string_equal(facts->manufacturer, "Maker & Sons");
        assert_string_equal(facts->device_model, "Model 1");
        assert_string_equal(facts->orientation, "L\\F");
        assert_string_equal(facts->transfer_syntax_uid, syntaxes[i]);
        assert_int_equal(facts->side, REHA_SIDE_RIGHT);
        assert_true(facts->has_burned_in_text && !facts->is_lossy && !facts->was_monochrome1);
        assert_true(facts->bits_stored == 8 && facts->frame_count == 1);
        assert_string_equal(ids->study_instance_uid, "1.2.4");
        assert_string_equal(ids->series_instance_uid, "1.2.5");
        assert_string_equal(ids->sop_instance_uid, "1.2.3");
        assert_string_equal(ids->sop_class_uid, "1.2.840.10008.5.1.4.1.1.1.1");
        assert_string_equal(ids->acquisition_date, "2024-02-29");
        assert_true(reha_dicom_identifying_patient_id(dicom, id, sizeof(id)));
        assert_string_equal(id, "ZZSECRET");
        assert_true(reha_dicom_identifying_patient_id(dicom, id, 5));
        assert_string_equal(id, "ZZSE");
        assert_int_equal(reha_dicom_warning_count(dicom), 0);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_nothing_but_pixels(void **state)
{
    char id[65];
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    put_pixels(&b);
    reha_dicom *dicom = open_built(&b);
    assert_string_equal(reha_dicom_facts(dicom)->modality, "");
    assert_string_equal(reha_dicom_get_ids(dicom)->acquisition_date, "");
    assert_false(reha_dicom_identifying_patient_id(dicom, id, sizeof(id)));
    assert_string_equal(id, "");
    assert_true(has_warning(dicom, "Study Instance UID is missing"));
    assert_string_equal(reha_dicom_warning(dicom, 99), "");
    reha_dicom_close(dicom);
    b_end(&b);
}

static void test_sides(void **state)
{
    static const struct {
        uint32_t tag;
        const char *code;
        reha_side expected;
    } table[] = {{0x00200060, "L", REHA_SIDE_LEFT},    {0x00200062, "B", REHA_SIDE_BOTH},
                 {0x00200062, "U", REHA_SIDE_UNKNOWN}, {0x00200060, "LEFT", REHA_SIDE_UNKNOWN},
                 {0x00200062, "r", REHA_SIDE_RIGHT},   {0x00200060, "", REHA_SIDE_UNKNOWN}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        b_text(&b, table[i].tag, "CS", table[i].code);
        put_pixels(&b);
        reha_dicom *dicom = open_built(&b);
        assert_int_equal(reha_dicom_facts(dicom)->side, table[i].expected);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_anatomy_of_enhanced_files(void **state)
{
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_sequence(&b, 0x52009229);
    b_item(&b);
    b_sequence(&b, 0x00209071);
    b_item(&b);
    b_text(&b, 0x00209072, "CS", "L");
    b_sequence(&b, 0x00082218);
    b_item(&b);
    b_text(&b, 0x00080104, "LO", "Knee");
    b_item_end(&b);
    b_sequence_end(&b);
    b_item_end(&b);
    b_sequence_end(&b);
    b_item_end(&b);
    b_sequence_end(&b);
    put_pixels(&b);
    reha_dicom *dicom = open_built(&b);
    assert_string_equal(reha_dicom_facts(dicom)->body_part, "KNEE");
    assert_int_equal(reha_dicom_facts(dicom)->side, REHA_SIDE_LEFT);
    reha_dicom_close(dicom);
    b_end(&b);
}

static void test_dates(void **state)
{
    static const char *const bad[] = {"20230231",   "20231301", "00000000", "99999999", "2023",
                                      "2023-01-01", "18000101", "abcdefgh", "20230100"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        b_text(&b, 0x00080020, "DA", "20220202"); /* the study's, used when the better ones are unusable */
        b_text(&b, 0x00080022, "DA", bad[i]);
        put_pixels(&b);
        reha_dicom *dicom = open_built(&b);
        assert_string_equal(reha_dicom_get_ids(dicom)->acquisition_date, "2022-02-02");
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_texts(void **state)
{
    static const struct {
        const char *charset;
        const char *stored;
        const char *expected;
    } table[] = {
        {NULL, "plain", "plain"},
        {"ISO_IR 100", "M\xFCller", "M\xC3\xBCller"},
        {"ISO_IR 192", "M\xC3\xBCller", "M\xC3\xBCller"},
        {"ISO_IR 192", "bad \xFF\xFE end", "bad "},
        {"ISO_IR 144", "\xBC\xD8\xE0", "\xD0\x9C\xD0\xB8\xD1\x80"},
        {NULL, "M\xFCller", "M?ller"},
        {"nonsense", "M\xFCller", "M?ller"},
        {NULL, "two\nlines\x1B[31m", "twolines[31m"},
        {NULL, "one\\two", "one"},
        {NULL, "   ", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        if (table[i].charset != NULL) {
            b_text(&b, 0x00080005, "CS", table[i].charset);
        }
        b_text(&b, 0x00080070, "LO", table[i].stored);
        put_pixels(&b);
        reha_dicom *dicom = open_built(&b);
        assert_string_equal(reha_dicom_facts(dicom)->manufacturer, table[i].expected);
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

/* Whose image it is: whole, or not at all; a mangled name must not go back to an archive. */
static void test_origin(void **state)
{
    static const struct {
        const char *charset;
        const char *name, *id;
        const char *expected_name;
        reha_status status;
    } table[] = {
        {NULL, "Miller^Ann", "7", "Miller^Ann", REHA_OK},
        {"ISO_IR 100", "M\xFCller^J\xF6rg", "7", "M\xC3\xBCller^J\xC3\xB6rg", REHA_OK},
        {"ISO_IR 192", "M\xC3\xBCller", "7", "M\xC3\xBCller", REHA_OK},
        {"ISO_IR 192", "bad \xFF\xFE end", "7", "", REHA_OK},
        {NULL, "M\xFCller", "7", "", REHA_OK},
        {"\\ISO 2022 IR 87", "Yamada^Tarou=\x1B$B;3ED\x1B(B", "7", "", REHA_OK}, /* escapes are not read */
        {NULL, "Miller", "7\xFC", NULL, REHA_E_UNSUPPORTED},
        {NULL, "", "", "", REHA_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_dicom_origin origin;
        builder b = b_start(TS_EXPLICIT);
        if (table[i].charset != NULL) {
            b_text(&b, 0x00080005, "CS", table[i].charset);
        }
        b_text(&b, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.1");
        b_text(&b, 0x00080018, "UI", "1.2.3");
        b_text(&b, 0x00080050, "SH", "A-1");
        b_text(&b, 0x00100010, "PN", table[i].name);
        b_text(&b, 0x00100020, "LO", table[i].id);
        b_text(&b, 0x00100030, "DA", "19640229");
        b_text(&b, 0x0020000D, "UI", "1.2.4");
        b_text(&b, 0x0020000E, "UI", "1.2.5");
        put_pixels(&b);
        reha_dicom *dicom = open_built(&b);
        assert_int_equal(reha_dicom_origin_of(dicom, &origin, &err), table[i].status);
        if (table[i].status == REHA_OK) {
            assert_string_equal(origin.patient_name, table[i].expected_name);
            assert_string_equal(origin.patient_id, table[i].id);
            assert_string_equal(origin.accession_number, "A-1");
            assert_string_equal(origin.patient_birth_date, "19640229");
            assert_string_equal(origin.ids.study_instance_uid, "1.2.4");
        } else {
            assert_null(strchr(err.text, '7')); /* no value of a patient in an error */
        }
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

static void test_bad_uids(void **state)
{
    static const char *const bad[] = {"../../etc/passwd", "1.2.a", "1.2 3",
                                      "1.2.3456789012345678901234567890123456789012345678901234567890123456"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        builder b = b_start(TS_EXPLICIT);
        b_text(&b, 0x00080018, "UI", bad[i]);
        put_pixels(&b);
        reha_dicom *dicom = open_built(&b);
        assert_string_equal(reha_dicom_get_ids(dicom)->sop_instance_uid, "");
        assert_true(has_warning(dicom, "SOP Instance UID is malformed"));
        reha_dicom_close(dicom);
        b_end(&b);
    }
}

/* Structure that real files have: no preamble, wrong order, padding behind the pixels, sequences
 * in elements of unknown representation, an icon with pixels of its own, twins. */
static void test_odd_structure(void **state)
{
    static const uint8_t pixels[4] = {9, 9, 9, 9};
    static const uint8_t zeros[32];
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_sequence(&b, 0x00880200); /* the icon comes first, encapsulated, and is not the image */
    b_item(&b);
    b_pixel_module(&b, (pixel_module){.columns = 64, .rows = 64, .bits_allocated = 8});
    b_header(&b, 0x7FE00010, "OB", 0xFFFFFFFFu);
    b_fragment(&b, "", 0);
    b_fragment(&b, pixels, 4);
    b_sequence_end(&b);
    b_item_end(&b);
    b_sequence_end(&b);
    b_header(&b, 0x00091001, "UN", 0xFFFFFFFFu); /* a private sequence, implicit inside */
    b_item(&b);
    b.is_implicit = true;
    b_text(&b, 0x00080060, "CS", "XX");
    b.is_implicit = false;
    b_item_end(&b);
    b_sequence_end(&b);
    b_octets(&b, 0x7FE00010, "OB", pixels, sizeof(pixels));
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
    b_u16(&b, 0x00280010, 99); /* a second Rows */
    b_text(&b, 0x00080060, "CS", "DX");
    b_bytes(&b, zeros, sizeof(zeros));
    builder bare = {0};
    b_bytes(&bare, b.data + 132, b.length - 132);
    const builder *both[] = {&b, &bare};
    for (size_t i = 0; i < 2; i++) {
        assert_true(reha_dicom_detect(both[i]->data, both[i]->length));
        /* What stands behind the first complete pixel data cannot be cut off here, for the image
         * attributes follow it. Zeros at the end then are an error of the place they stand at. */
        reha_dicom *dicom = NULL;
        reha_error err = REHA_ERROR_INIT;
        assert_int_equal(reha_dicom_open(both[i]->data, both[i]->length, NULL, &dicom, &err), REHA_E_FORMAT);
        assert_ok(reha_dicom_open(both[i]->data, both[i]->length - sizeof(zeros), NULL, &dicom, &err), &err);
        assert_int_equal(reha_dicom_width_px(dicom), 2);
        assert_int_equal(reha_dicom_height_px(dicom), 2);
        assert_string_equal(reha_dicom_facts(dicom)->modality, "DX");
        assert_true(has_warning(dicom, "(0028,0010) is there twice"));
        reha_dicom_close(dicom);
    }
    b_end(&bare);
    b_end(&b);

    b = b_start(TS_EXPLICIT);
    put_pixels(&b);
    b_bytes(&b, zeros, sizeof(zeros));
    reha_dicom *dicom = open_built(&b);
    assert_true(has_warning(dicom, "behind the pixel data"));
    reha_dicom_close(dicom);
    b_end(&b);
}

static void test_detect(void **state)
{
    uint8_t bytes[200] = {0};
    (void)state;
    assert_false(reha_dicom_detect(bytes, sizeof(bytes)));
    assert_false(reha_dicom_detect(bytes, 0));
    memcpy(bytes + 128, "DICM", 4);
    assert_true(reha_dicom_detect(bytes, sizeof(bytes)));
    assert_true(reha_dicom_detect(bytes, 132));
    assert_false(reha_dicom_detect(bytes, 131));
    assert_false(reha_dicom_detect("\x89PNG\r\n\x1A\n0000000000000000", 24));
    assert_false(reha_dicom_detect("\xFF\xD8\xFF\xE0\0\x10JFIF000000000", 20));
    assert_false(reha_dicom_detect("II*\0\x08\0\0\0\x0C\0\0\0000000000", 18));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_facts),     cmocka_unit_test(test_nothing_but_pixels),
        cmocka_unit_test(test_sides),         cmocka_unit_test(test_anatomy_of_enhanced_files),
        cmocka_unit_test(test_dates),         cmocka_unit_test(test_texts),
        cmocka_unit_test(test_origin),        cmocka_unit_test(test_bad_uids),
        cmocka_unit_test(test_odd_structure), cmocka_unit_test(test_detect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
