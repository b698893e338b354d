/* A film as grey values: whole, reduced, kept, refused. */
#include "caller.h"
#include "values.h"

#include "dicom/write.h"
#include "image/resample.h"

#include <math.h>

enum { WIDTH = 1700, HEIGHT = 1300, DARKEST = 11, BRIGHTEST = 3999 };

typedef struct film {
    char path[96]; /* /api/v1/images/{id} */
    uint16_t *pixels;
    double slope, intercept; /* of the study's JSON: value = slope * grey + intercept */
} film;

/* Grey that changes everywhere, one pixel darker and one brighter than all others. */
static film add_film(const bench *b, uint32_t seed)
{
    const size_t count = (size_t)WIDTH * HEIGHT;
    film out = {.pixels = reha_alloc(count * sizeof(uint16_t))};
    reha_error err = REHA_ERROR_INIT;
    reha_dicom_image image = reha_dicom_image_empty();
    reha_upload *upload = NULL;
    uint8_t *file = NULL;
    size_t file_bytes = 0;
    json_t *json = NULL;
    const reha_actor local = reha_actor_local();
    assert_non_null(out.pixels);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525U + 1013904223U;
        out.pixels[i] = (uint16_t)(500 + i % WIDTH + (seed >> 24));
    }
    out.pixels[count / 3] = DARKEST;
    out.pixels[count / 2] = BRIGHTEST;
    image.width_px = WIDTH;
    image.height_px = HEIGHT;
    image.bits_stored = 12;
    image.pixels = out.pixels;
    (void)snprintf(image.facts.modality, sizeof image.facts.modality, "DX");
    assert_ok(reha_dicom_write_image(&image, &file, &file_bytes, &err), &err);
    const reha_upload_options options = {.file_name = "film.dcm"};
    assert_ok(reha_upload_begin(b->clinic, &local, &options, &upload, &err), &err);
    assert_ok(reha_upload_write(upload, file, file_bytes, &err), &err);
    assert_ok(reha_upload_finish(upload, &json, &err), &err);
    json_t *study = NULL;
    assert_ok(
        reha_clinic_study(b->clinic, &local,
                          reha_json_string(json_array_get(json_object_get(json, "items"), 0), "study_id", ""),
                          &study, &err),
        &err);
    const json_t *display = json_object_get(json_array_get(json_object_get(study, "images"), 0), "display");
    out.slope = reha_json_number(display, "slope", NAN);
    out.intercept = reha_json_number(display, "intercept", NAN);
    json_decref(study);
    (void)snprintf(out.path, sizeof out.path, "/api/v1/images/%s",
                   reha_json_string(json_array_get(json_object_get(json, "items"), 0), "image_id", ""));
    reha_upload_close(upload);
    json_decref(json);
    reha_free(file);
    return out;
}

typedef struct answer {
    int code;
    uint8_t *bytes;
    size_t count;
    char etag[96];
} answer;

/* GET of a part of the image; `name` and `value`: of the query, `known`: If-None-Match; may be NULL. */
static answer get(const bench *b, const account *who, const film *one, const char *part, const char *name,
                  const char *value, const char *known)
{
    char path[128];
    sent what = as(who);
    what.headers[6][0] = known != NULL ? "If-None-Match" : NULL;
    what.headers[6][1] = known;
    what.headers[5][0] = "X-Fifth"; /* the list ends with the first gap */
    what.headers[5][1] = "";
    what.query[0][0] = name;
    what.query[0][1] = value;
    (void)snprintf(path, sizeof path, "%s/%s", one->path, part);
    const reha_http_request request = {.method = REHA_HTTP_GET,
                                       .path = path,
                                       .id = "0123456789abcdef",
                                       .header = sent_header,
                                       .query = sent_query,
                                       .context = &what};
    reha_call *call = reha_call_open(b->web, &request);
    assert_non_null(call);
    reha_http_response *response = reha_call_finish(call);
    answer out = {.code = response->code, .bytes = response->body, .count = response->body_bytes};
    (void)snprintf(out.etag, sizeof out.etag, "%s", response->etag);
    if (out.code == 200) {
        assert_string_equal(response->type,
                            strcmp(part, "values") == 0 ? "application/octet-stream" : "image/png");
        assert_non_null(strstr(response->cache, "private"));
        assert_non_null(strstr(response->cache, "immutable"));
    }
    response->body = NULL; /* taken */
    reha_call_close(call);
    return out;
}

static void test_values_are_those_of_the_file(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    film one = add_film(b, 1);
    values_head head;
    answer whole = get(b, who, &one, "values", NULL, NULL, NULL);
    assert_int_equal(whole.code, 200);
    reha_gray *image = read_values(whole.bytes, whole.count, &head);
    assert_int_equal(head.width_px, WIDTH);
    assert_int_equal(head.height_px, HEIGHT);
    assert_int_equal(head.bits, 16);
    assert_float_equal(one.slope * head.low + one.intercept, DARKEST, 1e-6);
    assert_float_equal(one.slope * head.high + one.intercept, BRIGHTEST, 1e-6);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        assert_float_equal(one.slope * image->pixels[i] + one.intercept, one.pixels[i], 1e-6);
    }
    answer again = get(b, who, &one, "values", NULL, NULL, whole.etag);
    assert_int_equal(again.code, 304);
    assert_null(again.bytes);
    reha_gray_free(image);
    reha_free(whole.bytes);
    reha_free(one.pixels);
}

/* The means over areas of the file's own values, with the range of the whole file: whether it was made on its
 * own or together with a thumbnail. */
static void test_a_reduced_copy(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    reha_error err = REHA_ERROR_INIT;
    for (uint32_t with_thumbnail = 0; with_thumbnail < 2; with_thumbnail++) {
        film one = add_film(b, 2 + with_thumbnail);
        reha_gray *film_itself = NULL;
        reha_gray *wanted = NULL;
        values_head head;
        assert_ok(reha_gray_new(WIDTH, HEIGHT, &film_itself, &err), &err);
        for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
            film_itself->pixels[i] = one.pixels[i];
        }
        const uint32_t height_px = (uint32_t)lrint(1024.0 * HEIGHT / WIDTH);
        assert_ok(reha_gray_resize(film_itself, 1024, height_px, REHA_FILTER_AREA, &wanted, &err), &err);
        if (with_thumbnail == 1) {
            answer thumbnail = get(b, who, &one, "picture.png", "side_max_px", "96", NULL);
            assert_int_equal(thumbnail.code, 200);
            answer known = get(b, who, &one, "picture.png", "side_max_px", "96", thumbnail.etag);
            assert_int_equal(known.code, 304);
            reha_free(thumbnail.bytes);
        }
        answer small = get(b, who, &one, "values", "side_max_px", "1024", NULL);
        assert_int_equal(small.code, 200);
        reha_gray *image = read_values(small.bytes, small.count, &head);
        assert_int_equal(head.width_px, 1024);
        assert_int_equal(head.height_px, height_px);
        assert_int_equal(head.bits, 16);
        assert_float_equal(one.slope * head.low + one.intercept, DARKEST, 1e-6);
        assert_float_equal(one.slope * head.high + one.intercept, BRIGHTEST, 1e-6);
        for (size_t i = 0; i < (size_t)1024 * height_px; i++) {
            assert_float_equal(one.slope * image->pixels[i] + one.intercept, wanted->pixels[i],
                               0.51 * one.slope);
        }
        answer again = get(b, who, &one, "values", "side_max_px", "1024", NULL); /* kept */
        assert_int_equal(again.code, 200);
        assert_int_equal(again.count, small.count);
        assert_memory_equal(again.bytes, small.bytes, small.count);
        answer known = get(b, who, &one, "values", "side_max_px", "1024", small.etag);
        assert_int_equal(known.code, 304);
        answer other = get(b, who, &one, "values", "side_max_px", "300", NULL); /* any size, not kept */
        assert_int_equal(other.code, 200);
        assert_string_not_equal(other.etag, small.etag);
        reha_gray_free(image);
        image = read_values(other.bytes, other.count, &head);
        assert_int_equal(head.width_px, 300);
        answer larger = get(b, who, &one, "values", "side_max_px", "20000", NULL); /* never enlarged */
        reha_gray_free(image);
        image = read_values(larger.bytes, larger.count, &head);
        assert_int_equal(head.width_px, WIDTH);
        reha_gray_free(image);
        reha_gray_free(wanted);
        reha_gray_free(film_itself);
        reha_free(small.bytes);
        reha_free(again.bytes);
        reha_free(other.bytes);
        reha_free(larger.bytes);
        reha_free(one.pixels);
    }
}

static void test_what_cannot_be_is_refused(void **state)
{
    const bench *b = *state;
    const account *who = &b->accounts[REHA_ROLE_ADMINISTRATOR];
    film one = add_film(b, 9);
    static const struct {
        const char *name, *value;
        int code;
    } cases[] = {{"side_max_px", "0", 400},
                 {"side_max_px", "15", 400},
                 {"side_max_px", "20001", 400},
                 {"side_max_px", "-1024", 400},
                 {"side_max_px", "large", 400},
                 {"side_max_px", "1e3", 400},
                 {"side_max_px", "1024.5", 400},
                 {"side_max_px", "0x400", 400},
                 {"side_max_px", "99999999999999999999", 400},
                 {"frame", "0", 400},
                 {"frame", "2", 404},
                 {"frames", "0", 400},
                 {"frames", "2", 404},
                 {"frames", "65", 400}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer refused = get(b, who, &one, "values", cases[i].name, cases[i].value, NULL);
        if (refused.code != cases[i].code) {
            fail_msg("%s=%s: %d", cases[i].name, cases[i].value, refused.code);
        }
        reha_free(refused.bytes);
    }
    answer kept = get(b, who, &one, "values", "side_max_px", "1024", NULL);
    assert_int_equal(kept.code, 200);
    reha_free(kept.bytes);
    answer nobody = get(b, &b->accounts[REHA_ROLE_NONE], &one, "values", "side_max_px", "1024", NULL);
    assert_int_equal(nobody.code, 401); /* kept for those who may only */
    reha_free(nobody.bytes);
    film none = {.path = "/api/v1/images/none"};
    answer absent = get(b, who, &none, "values", "side_max_px", "1024", NULL);
    assert_int_equal(absent.code, 404);
    reha_free(absent.bytes);
    reha_free(one.pixels);
}

static int open_alone(void **state)
{
    return open_bench_with(state, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values_are_those_of_the_file),
                                       cmocka_unit_test(test_a_reduced_copy),
                                       cmocka_unit_test(test_what_cannot_be_is_refused)};
    return cmocka_run_group_tests(tests, open_alone, close_bench);
}
