/* The DICOM JSON Model: values of every kind, character sets, what is left out, limits. */
#include "builder.h"
#include "support.h"

#include "dicom/model.h"

#include <string.h>

static void put_pixels(builder *b)
{
    static const uint8_t pixels[4];
    b_pixel_module(b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
    b_octets(b, 0x7FE00010, "OB", pixels, sizeof(pixels));
}

static json_t *model_of(const builder *b, const reha_dicom_model_limits *limits, reha_status expected)
{
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom = NULL;
    json_t *model = NULL;
    assert_ok(reha_dicom_open(b->data, b->length, NULL, &dicom, &err), &err);
    assert_int_equal(reha_dicom_model(dicom, NULL, 0, limits, &model, &err), expected);
    reha_dicom_close(dicom);
    return model;
}

/* The attribute as text, "" if it is not there. */
static const char *attribute(const json_t *model, const char *tag)
{
    static char text[600];
    char *dumped = json_dumps(json_object_get(model, tag), JSON_COMPACT | JSON_REAL_PRECISION(15));
    (void)snprintf(text, sizeof text, "%s", dumped != NULL ? dumped : "");
    free(dumped); /* allowed: jansson's */
    return text;
}

static void test_values(void **state)
{
    static const char *const syntaxes[] = {TS_EXPLICIT, TS_IMPLICIT, TS_BIG_ENDIAN};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        builder b = b_start(syntaxes[i]);
        b_text(&b, 0x00080005, "CS", "ISO_IR 100");
        b_text(&b, 0x00080008, "CS", "ORIGINAL\\\\PRIMARY ");
        b_text(&b, 0x00080050, "SH", "");
        b_sequence(&b, 0x00081140);
        b_item(&b);
        b_text(&b, 0x00080104, "LO", "in");
        b_item_end(&b);
        b_item(&b);
        b_item_end(&b);
        b_sequence_end(&b);
        b_text(&b, 0x00100010, "PN", "M\xFCller^Erna==y");
        b_text(&b, 0x00104000, "LT", "one\\two");
        b_f64(&b, 0x00189082, 0.1);
        b_text(&b, 0x00200013, "IS", " 7 ");
        b_text(&b, 0x00280030, "DS", "0.139\\1e-3");
        put_pixels(&b);
        json_t *model = model_of(&b, NULL, REHA_OK);
        assert_string_equal(attribute(model, "00080005"), "{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]}");
        assert_string_equal(attribute(model, "00080008"),
                            "{\"vr\":\"CS\",\"Value\":[\"ORIGINAL\",null,\"PRIMARY\"]}");
        assert_string_equal(attribute(model, "00080050"), "{\"vr\":\"SH\"}");
        assert_string_equal(
            attribute(model, "00081140"),
            "{\"vr\":\"SQ\",\"Value\":[{\"00080104\":{\"vr\":\"LO\",\"Value\":[\"in\"]}},{}]}");
        assert_string_equal(
            attribute(model, "00100010"),
            "{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"M\xC3\xBCller^Erna\",\"Phonetic\":\"y\"}]}");
        assert_string_equal(attribute(model, "00104000"), "{\"vr\":\"LT\",\"Value\":[\"one\\\\two\"]}");
        assert_string_equal(attribute(model, "00189082"), "{\"vr\":\"FD\",\"Value\":[0.1]}");
        assert_string_equal(attribute(model, "00200013"), "{\"vr\":\"IS\",\"Value\":[7]}");
        assert_string_equal(attribute(model, "00280030"), "{\"vr\":\"DS\",\"Value\":[0.139,0.001]}");
        assert_string_equal(attribute(model, "00280010"), "{\"vr\":\"US\",\"Value\":[2]}");
        assert_string_equal(attribute(model, "7FE00010"), "");
        assert_string_equal(attribute(model, "00020010"), "");
        json_decref(model);
        b_end(&b);
    }
}

static void test_what_is_left_out(void **state)
{
    (void)state;
    uint16_t many[1025] = {0};
    const uint16_t tag[] = {0x0018, 0x1063};
    builder b = b_start(TS_EXPLICIT);
    b_text(&b, 0x00090010, "LO", "PRIVATE");
    b_octets(&b, 0x00091001, "UN", "abcd", 4);
    b_octets(&b, 0x00091002, "OB", "abcd", 4);
    b_octets(&b, 0x00091003, "OB", "", 0);
    b_octets(&b, 0x00091004, "US", many, 2 * 1025);
    b_octets(&b, 0x00091005, "US", many, 2 * 1024);
    b_octets(&b, 0x00280009, "AT", tag, sizeof tag);
    b_octets(&b, 0x0009100A, "SQ", "", 0);
    put_pixels(&b);
    json_t *model = model_of(&b, NULL, REHA_OK);
    assert_string_equal(attribute(model, "00090010"), "{\"vr\":\"LO\",\"Value\":[\"PRIVATE\"]}");
    assert_string_equal(attribute(model, "00091001"), "");
    assert_string_equal(attribute(model, "00091002"), "");
    assert_string_equal(attribute(model, "00091003"), "{\"vr\":\"OB\"}");
    assert_string_equal(attribute(model, "00091004"), "");
    assert_int_equal(json_array_size(json_object_get(json_object_get(model, "00091005"), "Value")), 1024);
    assert_string_equal(attribute(model, "00280009"), "{\"vr\":\"AT\",\"Value\":[\"00181063\"]}");
    assert_string_equal(attribute(model, "0009100A"), "{\"vr\":\"SQ\"}");
    json_decref(model);
    b_end(&b);
}

static void test_limits(void **state)
{
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    for (int depth = 0; depth < 3; depth++) {
        b_sequence(&b, 0x00081140);
        b_item(&b);
    }
    b_text(&b, 0x00080104, "LO", "0123456789");
    for (int depth = 0; depth < 3; depth++) {
        b_item_end(&b);
        b_sequence_end(&b);
    }
    put_pixels(&b);
    reha_dicom_model_limits limits = reha_dicom_model_limits_default();
    json_decref(model_of(&b, &limits, REHA_OK));
    limits.depth_max = 2;
    assert_null(model_of(&b, &limits, REHA_E_LIMIT));
    limits = reha_dicom_model_limits_default();
    limits.attributes_max = 5;
    assert_null(model_of(&b, &limits, REHA_E_LIMIT));
    limits = reha_dicom_model_limits_default();
    limits.text_bytes_max = 9;
    assert_null(model_of(&b, &limits, REHA_E_LIMIT));
    b_end(&b);
}

static void test_head(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom = NULL;
    json_t *head = NULL;
    builder b = b_start(TS_EXPLICIT);
    b_text(&b, 0x00080018, "UI", "1.2.3");
    b_text(&b, 0x00100010, "PN", "ZZSECRET");
    b_text(&b, 0x00100020, "LO", "ZZSECRET");
    b_text(&b, 0x0020000E, "UI", "1.2.5");
    put_pixels(&b);
    assert_ok(reha_dicom_open(b.data, b.length, NULL, &dicom, &err), &err);
    assert_ok(reha_dicom_model_head(dicom, &head, &err), &err);
    assert_string_equal(attribute(head, "0020000E"), "{\"vr\":\"UI\",\"Value\":[\"1.2.5\"]}");
    assert_string_equal(attribute(head, "00083002"), "{\"vr\":\"UI\",\"Value\":[\"" TS_EXPLICIT "\"]}");
    assert_string_equal(attribute(head, "00100010"), "");
    assert_string_equal(attribute(head, "00100020"), "");
    json_decref(head);
    reha_dicom_close(dicom);
    b_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_what_is_left_out),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_head)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
