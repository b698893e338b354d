/* Multipart bodies: parts come out as they went in, wherever the bytes are cut; what is broken is told; the
 * fuzz corpus is replayed, with what libFuzzer would do first with it. */
#include "support.h"

#include "base/file.h"

#include "../../../fuzz/fuzz_multipart.c"

#define CORPUS REHA_SOURCE_DIR "/fuzz/corpus/multipart"

typedef struct parts {
    char text[400]; /* "type:bytes|" of each */
    size_t length, count;
} parts;

static void put(parts *all, const char *bytes, size_t count)
{
    assert_true(all->length + count < sizeof all->text);
    memcpy(all->text + all->length, bytes, count);
    all->length += count;
    all->text[all->length] = '\0';
}

static reha_status begin_text(void *context, const char *type, reha_error *err)
{
    (void)err;
    put(context, type, strlen(type));
    put(context, ":", 1);
    return REHA_OK;
}

static reha_status add_text(void *context, const void *bytes, size_t count, reha_error *err)
{
    (void)err;
    put(context, bytes, count);
    return REHA_OK;
}

static reha_status end_text(void *context, reha_error *err)
{
    parts *all = context;
    put(all, "|", 1);
    all->count++;
    return all->count == 3 ? reha_fail(err, REHA_E_FULL, "no more") : REHA_OK;
}

static reha_status read_text(const char *boundary, const char *body, size_t step, parts *all, reha_error *err)
{
    const reha_multipart_taker taker = {begin_text, add_text, end_text, all};
    const size_t count = strlen(body);
    reha_multipart *parser = NULL;
    *all = (parts){.count = 0};
    reha_status status = reha_multipart_new(boundary, NULL, &taker, &parser, err);
    for (size_t at = 0; at < count && status == REHA_OK; at += step) {
        status = reha_multipart_feed(parser, body + at, count - at < step ? count - at : step, err);
    }
    if (status == REHA_OK) {
        status = reha_multipart_finish(parser, err);
    }
    reha_multipart_free(parser);
    return status;
}

static void test_parts_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const struct {
        const char *body, *text;
    } known[] = {
        {"--b\r\nContent-Type: a/b\r\n\r\none\r\n--b--", "a/b:one|"},
        {"\r\n--b\r\n\r\none\r\n--b\r\nX: y\r\ncontent-TYPE:\t c/d; e=\"f\"\r\n\r\n\r\ntwo\r\n\r\n--b--\r\n",
         ":one|c/d; e=\"f\":\r\ntwo\r\n|"},
        {"text before\r\n--b  \t\r\n\r\n\r\n--b--text after --b\r\n", ":|"},
        {"--b\r\nX: y\r\n\r\n--b--", ":|"},
        {"--b\r\n\r\n\r\r\n-\r\n--\r\n--a\r\n\r\n-- b\r\n--b--", ":\r\r\n-\r\n--\r\n--a\r\n\r\n-- b|"},
        {"--b--", ""}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        for (size_t step = 1; step <= strlen(known[i].body); step++) {
            parts all;
            reha_error err = REHA_ERROR_INIT;
            assert_ok(read_text("b", known[i].body, step, &all, &err), &err);
            assert_string_equal(all.text, known[i].text);
        }
    }
}

static void test_what_is_broken_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        reha_status status;
    } known[] = {{"", REHA_E_FORMAT},
                 {"no boundary at all", REHA_E_FORMAT},
                 {"--b\r\n\r\nhalf a part", REHA_E_FORMAT},
                 {"--b\r\n\r\na part and no end\r\n--b\r\n", REHA_E_FORMAT},
                 {"--b\r\n\r\nx\r\n--b-", REHA_E_FORMAT},
                 {"--bc\r\n\r\nx\r\n--b--", REHA_E_FORMAT},
                 {"--b -\r\n", REHA_E_FORMAT},
                 {"--b\rx", REHA_E_FORMAT},
                 {"--b\r\nno colon\r\n\r\nx\r\n--b--", REHA_E_FORMAT},
                 {"--b\r\nA: b\r\n folded: c\r\n\r\nx\r\n--b--", REHA_E_FORMAT},
                 {"--b\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--", REHA_E_FORMAT},
                 {"--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--", REHA_E_FULL}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        for (size_t step = 1; step <= strlen(known[i].body) + 1; step++) {
            parts all;
            reha_error err = REHA_ERROR_INIT;
            assert_int_equal(read_text("b", known[i].body, step, &all, &err), known[i].status);
            assert_true(err.text[0] != '\0');
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    parts all;
    reha_error err = REHA_ERROR_INIT;
    char body[8192];
    (void)snprintf(body, sizeof body, "--b\r\nA: %05000d\r\n\r\nx\r\n--b--", 0);
    assert_int_equal(read_text("b", body, 100, &all, &err), REHA_E_LIMIT);
    (void)snprintf(body, sizeof body, "--b\r\nContent-Type: %0300d\r\n\r\nx\r\n--b--", 0);
    assert_int_equal(read_text("b", body, 100, &all, &err), REHA_E_FORMAT);
    (void)snprintf(body, sizeof body, "--b%0100d\r\n", 0);
    assert_int_equal(read_text(body + 2, body, 100, &all, &err), REHA_E_ARG);
    assert_int_equal(read_text("", body, 100, &all, &err), REHA_E_ARG);
    assert_int_equal(read_text("a\rb", body, 100, &all, &err), REHA_E_ARG);
    assert_int_equal(read_text("a ", body, 100, &all, &err), REHA_E_ARG);
    taken counted;
    char *many = reha_alloc_zero(1, 4096);
    assert_non_null(many);
    for (int i = 0; i < 21; i++) {
        (void)strcat(many, "--b\r\n\r\nx\r\n");
    }
    (void)strcat(many, "--b--");
    assert_int_equal(parse("b", (const uint8_t *)many, strlen(many), 7, &counted), REHA_E_LIMIT);
    assert_int_equal(counted.ended, 20);
    reha_free(many);
}

static void test_media_types(void **state)
{
    (void)state;
    char value[REHA_BOUNDARY_BYTES];
    static const struct {
        const char *type, *boundary;
    } known[] = {
        {"multipart/related; boundary=abc", "abc"},
        {"multipart/related;type=\"application/dicom\" ; BOUNDARY=\"a b;c\"; x=y", "a b;c"},
        {"multipart/related; boundary=\"a\\\"b\"", "a\"b"},
        {"multipart/related; xboundary=no; boundary=yes", "yes"},
        {"multipart/related; type=\"x; boundary=no\"; boundary=yes", "yes"},
        {"multipart/related; type=\"open; boundary=no", ""},
        {"multipart/related; boundary", ""},
        {"multipart/related; boundary=", ""},
        {"multipart/related", ""},
        {"multipart/related; boundary=0123456789012345678901234567890123456789012345678901234567890123"
         "4567890",
         ""},
        {"", ""}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(reha_media_parameter(known[i].type, "boundary", value, sizeof value),
                         known[i].boundary[0] != '\0');
        assert_string_equal(value, known[i].boundary);
    }
    assert_true(reha_media_is("Multipart/Related; x=y", "multipart/related"));
    assert_false(reha_media_is("multipart/relatedx", "multipart/related"));
    assert_false(reha_media_is("", "multipart/related"));
}

static void test_no_memory(void **state)
{
    (void)state;
    const reha_multipart_taker taker = {begin_text, add_text, end_text, NULL};
    for (int n = 0; n < 2; n++) {
        reha_multipart *parser = NULL;
        reha_error err = REHA_ERROR_INIT;
        reha_mem_fail_after(n);
        const reha_status status = reha_multipart_new("b", NULL, &taker, &parser, &err);
        reha_mem_fail_after(-1);
        assert_int_equal(status, REHA_E_NOMEM);
        assert_null(parser);
    }
}

static void test_corpus(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_paths files = {0};
    uint64_t seed = 7;
    assert_ok(reha_folder_list(CORPUS, 1000, &files, &err), &err);
    assert_true(files.count >= 10);
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *bytes = NULL;
        size_t count = 0;
        assert_ok(reha_file_load(files.items[i], 1 << 20, &bytes, &count, &err), &err);
        (void)LLVMFuzzerTestOneInput(bytes, count);
        for (size_t cut = 0; cut < count; cut++) {
            (void)LLVMFuzzerTestOneInput(bytes, cut);
        }
        for (int flips = 0; flips < 2000; flips++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const size_t at = (size_t)(seed >> 33) % count;
            const uint8_t was = bytes[at];
            bytes[at] = (uint8_t)(seed >> 25);
            (void)LLVMFuzzerTestOneInput(bytes, count);
            bytes[at] = flips % 4 == 0 ? bytes[at] : was;
        }
        reha_free(bytes);
    }
    reha_paths_clear(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts_come_out_as_they_went_in),
                                       cmocka_unit_test(test_what_is_broken_is_told),
                                       cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_media_types),
                                       cmocka_unit_test(test_no_memory),
                                       cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
