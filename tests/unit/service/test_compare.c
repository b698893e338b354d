/* Comparisons of results on disk and tables of scores: files in, pages out; every failing allocation is an
 * error, not a crash or a leak. Images are compared by tests/e2e/test_compare.sh. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "service/compare.h"
#include "service/compare_scores.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static char first_path[128], second_path[128], table_path[128], page_path[128];

static const char result_form[] =
    "{\"results\": [{\"path\": \"gone.png\", \"sha256\": \"%s\", \"ok\": true, \"analysis\": {\"task\": "
    "\"knee-oa\","
    "\"model\": {\"name\": \"knee-oa\", \"version\": \"1\", \"hash\": \"ab\"}, \"accepted\": true, "
    "\"notes\": [],"
    "\"image\": {\"modality\": \"DX\", \"view_position\": \"PA\", \"device_model\": \"D\", \"spacing\": "
    "{\"source\": \"calibrated\"}},"
    "\"regions\": [{\"accepted\": true, \"side\": \"left\", \"notes\": [], \"findings\": ["
    "{\"key\": \"jsw-medial-min\", \"label\": \"Medial <&>\", \"measure\": {\"value\": %g, \"unit\": \"mm\", "
    "\"error_95\": 1.02}},"
    "{\"key\": \"plateau-width\", \"label\": \"Plateau\", \"measure\": {\"value\": 79, \"unit\": \"mm\", "
    "\"error_95\": 2}}]}]}}]}";

static void save(const char *path, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_file_save(path, text, strlen(text), &err), &err);
}

static int open_folder(void **state)
{
    (void)state;
    char text[2048];
    (void)snprintf(folder, sizeof folder, "/tmp/reha-compare-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(first_path, sizeof first_path, "%s/first.json", folder);
    (void)snprintf(second_path, sizeof second_path, "%s/second.json", folder);
    (void)snprintf(table_path, sizeof table_path, "%s/table.csv", folder);
    (void)snprintf(page_path, sizeof page_path, "%s/page", folder);
    (void)snprintf(text, sizeof text, result_form, "aa", 4.2);
    save(first_path, text);
    (void)snprintf(text, sizeof text, result_form, "bb", 3.1);
    save(second_path, text);
    save(table_path, "date,oks,nrs-pain:left\n2026-01-01,20,7\n2026-02-01,24,\n2026-03-01,29,3\n2026-04-01,"
                     "33,\n2026-05-01,32,2\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(first_path);
    (void)unlink(second_path);
    (void)unlink(table_path);
    (void)unlink(page_path);
    return rmdir(folder);
}

static char *page(void)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_file_load(page_path, 1U << 24, &bytes, &count, &err), &err);
    return (char *)bytes;
}

static reha_compare_options usual(void)
{
    return (reha_compare_options){.guidelines_folder = REHA_SOURCE_DIR "/guidelines",
                                  .models_folder = "absent: results need no model",
                                  .with_pictures = true,
                                  .kind = REHA_REGISTER_SIMILARITY};
}

static void test_two_results(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_comparison *comparison = NULL;
    reha_compare_options how = usual();
    how.dates[0] = "2024-01-01";
    how.dates[1] = "2026-01-01";
    assert_ok(reha_compare(first_path, second_path, &how, &comparison, &err), &err);
    assert_int_equal(comparison->films.pair_count, 1);
    const reha_compared *medial = &comparison->films.pairs[0].measures[0];
    assert_int_equal(medial->change.verdict, REHA_WORSENED);
    assert_null(comparison->pictures[0].after);
    char text[200];
    reha_compared_text(medial, text, sizeof text);
    assert_non_null(strstr(text, "4.20 → 3.10 mm, -1.10"));
    reha_compared grey = *medial;
    grey.unit = "{grey}";
    reha_compared_text(&grey, text, sizeof text);
    assert_non_null(strstr(text, "4.20 → 3.10 grey levels, -1.10"));
    assert_ok(reha_comparison_html(comparison, page_path, &err), &err);
    char *html = page();
    assert_non_null(strstr(html, "Medial &lt;&amp;&gt;"));
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, folder));
    reha_free(html);
    assert_ok(reha_comparison_pdf(comparison, page_path, &err), &err);
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    assert_int_equal(reha_comparison_png(comparison, &png, &png_bytes, &err), REHA_E_NOT_FOUND);
    reha_comparison_free(comparison);
    how.dates[1] = "soon";
    assert_int_equal(reha_compare(first_path, second_path, &how, &comparison, &err), REHA_E_ARG);
    assert_null(comparison);
}

/* A stored result tells day and position itself: nobody has to find the film again. */
static void save_dated(const char *path, const char *digest, double value, const char *day,
                       const char *position)
{
    char text[2048];
    (void)snprintf(text, sizeof text, result_form, digest, value);
    json_t *document = json_loads(text, 0, NULL);
    json_t *image = json_object_get(
        json_object_get(json_array_get(json_object_get(document, "results"), 0), "analysis"), "image");
    (void)json_object_set_new(image, "acquired_on", json_string(day));
    (void)json_object_set_new(image, "patient_position", json_string(position));
    char *dated = json_dumps(document, 0);
    save(path, dated);
    free(dated); /* jansson's */
    json_decref(document);
}

static void test_results_tell_day_and_position(void **state)
{
    (void)state;
    char text[2048];
    reha_error err = REHA_ERROR_INIT;
    reha_comparison *comparison = NULL;
    reha_compare_options how = usual();
    save_dated(first_path, "aa", 4.2, "2024-01-31", "HFS");
    save_dated(second_path, "bb", 3.1, "2026-01-31", "HFP");
    assert_ok(reha_compare(first_path, second_path, &how, &comparison, &err), &err);
    assert_string_equal(comparison->visits[0].date, "2024-01-31");
    assert_string_equal(comparison->visits[1].date, "2026-01-31");
    assert_string_equal(comparison->visits[0].position, "HFS");
    assert_string_equal(comparison->visits[1].position, "HFP");
    reha_comparison_free(comparison);
    how.dates[0] = "2023-05-05"; /* what somebody says comes first */
    assert_ok(reha_compare(first_path, second_path, &how, &comparison, &err), &err);
    assert_string_equal(comparison->visits[0].date, "2023-05-05");
    reha_comparison_free(comparison);
    how.dates[0] = NULL;
    save_dated(first_path, "aa", 4.2, "yesterday", "HFS"); /* no day: not known */
    assert_ok(reha_compare(first_path, second_path, &how, &comparison, &err), &err);
    assert_string_equal(comparison->visits[0].date, "");
    reha_comparison_free(comparison);
    (void)snprintf(text, sizeof text, result_form, "aa", 4.2);
    save(first_path, text);
    (void)snprintf(text, sizeof text, result_form, "bb", 3.1);
    save(second_path, text);
}

/* Whatever a foreign result says, it stays text. */
static void test_foreign_texts_stay_texts(void **state)
{
    (void)state;
    char text[2048];
    reha_error err = REHA_ERROR_INIT;
    reha_comparison *comparison = NULL;
    const reha_compare_options how = usual();
    (void)snprintf(text, sizeof text, result_form, "<b>x</b>", 4.2);
    save(first_path, text);
    assert_ok(reha_compare(first_path, second_path, &how, &comparison, &err), &err);
    assert_ok(reha_comparison_html(comparison, page_path, &err), &err);
    char *html = page();
    assert_null(strstr(html, "<b>x"));
    reha_free(html);
    reha_comparison_free(comparison);
    json_t *json = NULL;
    save(first_path,
         "{\"accepted\": true, \"regions\": [], \"image\": {}}"); /* hardly anything, and no model */
    assert_ok(reha_compare(first_path, second_path, &how, &comparison, &err), &err);
    assert_true(comparison->films.is_refused);
    assert_ok(reha_comparison_to_json(comparison, &json, &err), &err);
    assert_true(json_is_false(json_object_get(json, "comparable")));
    json_decref(json);
    reha_comparison_free(comparison);
    (void)snprintf(text, sizeof text, result_form, "aa", 4.2);
    save(first_path, text);
}

/* A record is shown whatever it holds; what cannot both be true says so. */
static void test_one_day_twice_in_a_record(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_scores *scores = NULL;
    reha_score_table *table = NULL;
    json_t *entries = json_pack("[{s:s,s:s,s:f},{s:s,s:s,s:f},{s:s,s:s,s:f},{s:s,s:s,s:f}]", "date",
                                "2026-01-05", "instrument", "oks", "value", 22.0, "date", "2026-01-05",
                                "instrument", "oks", "value", 22.0, "date", "2026-02-05", "instrument", "oks",
                                "value", 30.0, "date", "2026-02-05", "instrument", "oks", "value", 12.0);
    assert_ok(reha_scores_load(REHA_SOURCE_DIR "/guidelines/scores.json", &scores, &err), &err);
    assert_ok(reha_score_table_read(entries, scores, NULL, &table, &err), &err);
    const reha_score_series *series = &table->items[0];
    assert_int_equal(series->count, 3);
    assert_int_equal(series->scored, 3);
    assert_string_equal(series->visits[0].note, "given twice on this day: counted once");
    assert_string_equal(series->visits[1].note, "another value on this day: 12; withdraw the wrong one");
    assert_string_equal(series->visits[2].note, "another value on this day: 30; withdraw the wrong one");
    reha_score_table_free(table);
    json_decref(entries);
}

static void test_scores_and_pages(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_score_table *table = NULL;
    const reha_score_options how = {.scores_path = REHA_SOURCE_DIR "/guidelines/scores.json",
                                    .own_mdc = "nrs-pain=2"};
    assert_ok(reha_score_table_load(table_path, &how, &table, &err), &err);
    assert_int_equal(table->count, 2);
    assert_int_equal(table->items[0].scored, 5);
    assert_int_equal(table->items[0].series.latest.verdict, REHA_IMPROVED);
    assert_int_equal(table->items[1].count, 3);
    assert_string_equal(table->items[1].side, "left");
    assert_int_equal(table->items[1].series.latest.verdict, REHA_IMPROVED);
    assert_ok(reha_score_report_html(table, page_path, &err), &err);
    char *html = page();
    assert_non_null(strstr(html, "Not reviewed"));
    assert_non_null(strstr(html, "this clinic"));
    reha_free(html);
    assert_ok(reha_score_report_pdf(table, page_path, &err), &err);
    char *pdf = page();
    assert_memory_equal(pdf, "%PDF-", 5);
    reha_free(pdf);
    reha_score_table_free(table);
}

/* The n-th of our allocations fails, for each n, until everything works. */
static void test_every_failing_allocation_is_reported(void **state)
{
    (void)state;
    const size_t before = reha_mem_live_blocks();
    const reha_compare_options how = usual();
    const reha_score_options scoring = {.scores_path = REHA_SOURCE_DIR "/guidelines/scores.json"};
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK; n++) {
        reha_error err = REHA_ERROR_INIT;
        reha_comparison *comparison = NULL;
        reha_mem_fail_after(n);
        status = reha_compare(first_path, second_path, &how, &comparison, &err);
        status = status == REHA_OK ? reha_comparison_html(comparison, page_path, &err) : status;
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_comparison_free(comparison);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(n < 1000);
    }
    status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK; n++) {
        reha_error err = REHA_ERROR_INIT;
        reha_score_table *table = NULL;
        reha_mem_fail_after(n);
        status = reha_score_table_load(table_path, &scoring, &table, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_score_table_free(table);
        assert_int_equal(reha_mem_live_blocks(), before);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_results),
        cmocka_unit_test(test_results_tell_day_and_position),
        cmocka_unit_test(test_foreign_texts_stay_texts),
        cmocka_unit_test(test_one_day_twice_in_a_record),
        cmocka_unit_test(test_scores_and_pages),
        cmocka_unit_test(test_every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
