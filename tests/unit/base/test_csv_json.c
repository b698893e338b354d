#include "support.h"

#include "base/csv.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static reha_csv *parse(const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    assert_ok(reha_csv_parse(text, strlen(text), &csv, &err), &err);
    return csv;
}

static void test_table(void **state)
{
    (void)state;
    reha_csv *csv = parse("\xEF\xBB\xBFpath,kl\r\na.png,3\r\n\"b,\"\"x\"\"\n.png\",0");
    assert_int_equal(reha_csv_rows(csv), 2);
    assert_int_equal(reha_csv_columns(csv), 2);
    assert_string_equal(reha_csv_header(csv, 0), "path");
    assert_int_equal(reha_csv_find(csv, "kl"), 1);
    assert_int_equal(reha_csv_find(csv, "nothing"), -1);
    assert_string_equal(reha_csv_get(csv, 0, 1), "3");
    assert_string_equal(reha_csv_get(csv, 1, 0), "b,\"x\"\n.png");
    assert_string_equal(reha_csv_get(csv, 9, 0), "");
    assert_string_equal(reha_csv_get(csv, 0, -1), "");
    reha_csv_free(csv);
}

/* Spreadsheets of countries with a decimal comma write semicolons, databases tabs. */
static void test_the_header_tells_the_separator(void **state)
{
    static const char *const tables[] = {"a;b;c\r\n1;2,5;\"x;y\"\r\n",
                                         "\xEF\xBB\xBF"
                                         "a\tb\tc\n1\t2,5\tx;y\n",
                                         "a,b,c\n1,\"2,5\",x;y\n", "\"a\";b;c\n1;2,5;\"x;y\"\n",
                                         "a;pain, 0 to 10;c\n1;2,5;\"x;y\"\n"};
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_csv *csv = NULL;
        assert_ok(reha_csv_parse(tables[i], strlen(tables[i]), &csv, &err), &err);
        assert_int_equal(reha_csv_columns(csv), 3);
        assert_int_equal(reha_csv_find(csv, "a"), 0);
        assert_string_equal(reha_csv_get(csv, 0, 1), "2,5");
        assert_string_equal(reha_csv_get(csv, 0, 2), "x;y");
        reha_csv_free(csv);
    }
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    assert_int_equal(reha_csv_parse("\xFF\xFE"
                                    "a\0",
                                    4, &csv, &err),
                     REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "UTF-16: save it as CSV in UTF-8"));
}

/* A decimal comma is one only where no comma parts the columns. */
static void test_numbers_of_a_table(void **state)
{
    static const struct {
        const char *table;
        bool is_number;
        double value;
    } cases[] = {{"a;b\n1;2,5\n", true, 2.5},      {"a\tb\n1\t-0,125\n", true, -0.125},
                 {"a;b\n1; 2.5 \n", true, 2.5},    {"a;b\n1;7\n", true, 7.0},
                 {"a,b\n1,\"2,5\"\n", false, 0.0}, {"a;b\n1;1.234,5\n", false, 0.0},
                 {"a;b\n1;1,234,5\n", false, 0.0}, {"a;b\n1;,\n", false, 0.0},
                 {"a;b\n1;\n", false, 0.0},        {"a;b\n1;nan\n", false, 0.0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_csv *csv = NULL;
        double value = 99.0;
        assert_ok(reha_csv_parse(cases[i].table, strlen(cases[i].table), &csv, &err), &err);
        assert_int_equal(reha_csv_number(csv, 0, 1, &value), cases[i].is_number);
        assert_true(!cases[i].is_number || value == cases[i].value);
        assert_false(reha_csv_number(csv, 5, 1, &value) || reha_csv_number(csv, 0, -1, &value));
        reha_csv_free(csv);
    }
}

/* Empty lines and line ends inside of quotes: a row knows where it stands in the file. */
static void test_rows_know_their_line(void **state)
{
    static const char text[] = "a,b\n\n1,\"two\nlines\"\n\r\n\n3,4\n";
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    assert_ok(reha_csv_parse(text, strlen(text), &csv, &err), &err);
    assert_int_equal(reha_csv_rows(csv), 2);
    assert_int_equal(reha_csv_line(csv, 0), 3);
    assert_int_equal(reha_csv_line(csv, 1), 7);
    assert_int_equal(reha_csv_line(csv, 2), 0); /* no such row */
    reha_csv_free(csv);
}

static void test_bad_tables_name_their_line(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"", "empty"},
                                         {"a,b\n1,2\n3\n", "line 3: 1 fields where the header has 2"},
                                         {"a,b\n1,2,3\n", "line 2: 3 fields"},
                                         {"a,b\n\"open,2\n", "line 2: a quoted field has no end"},
                                         {"a,b\n\"x\"y,2\n", "line 2: text after a closing quote"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_csv *csv = NULL;
        assert_int_equal(reha_csv_parse(bad[i][0], strlen(bad[i][0]), &csv, &err), REHA_E_FORMAT);
        assert_null(csv);
        assert_non_null(strstr(err.text, bad[i][1]));
    }
    reha_error err = REHA_ERROR_INIT;
    reha_csv *csv = NULL;
    assert_int_equal(reha_csv_parse("a,b\n1\0,2", 8, &csv, &err), REHA_E_FORMAT);
    assert_int_equal(reha_csv_parse("a,b\n\"1\0x\",2", 11, &csv, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "line 2: a zero byte"));
    assert_int_equal(reha_csv_load("no/such/file.csv", &csv, &err), REHA_E_NOT_FOUND);
    csv = parse("a\n1\n");
    int column = 0;
    assert_int_equal(reha_csv_need(csv, "kl", &column, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "'kl' is missing; the header has: a"));
    reha_csv_free(csv);
    char wide[1000] = "";
    for (int i = 0; i < 100; i++) {
        (void)snprintf(wide + strlen(wide), sizeof wide - strlen(wide), "%scol%d", i > 0 ? "," : "", i);
    }
    csv = parse(wide);
    assert_int_equal(reha_csv_need(csv, "kl", &column, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "has: col0, col1, "));
    assert_string_equal(err.text + strlen(err.text) - 4, " ...");
    reha_csv_free(csv);
}

static void test_table_memory_failures(void **state)
{
    (void)state;
    static const char table[] = "a,b\n1,2\n3,4\n5,6\n";
    reha_status status = REHA_E_NOMEM;
    for (long round = 0; status != REHA_OK; round++) {
        reha_csv *csv = NULL;
        reha_mem_fail_after(round);
        status = reha_csv_parse(table, strlen(table), &csv, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_csv_free(csv);
        assert_int_equal(reha_mem_live_blocks(), 0);
    }
}

static void test_field_writing(void **state)
{
    (void)state;
    reha_text text = {0};
    char *out = NULL;
    reha_csv_add_field(&text, "plain");
    reha_text_add(&text, ",");
    reha_csv_add_field(&text, "with \"quotes\", and comma");
    assert_int_equal(reha_text_take(&text, &out, NULL), REHA_OK);
    assert_string_equal(out, "plain,\"with \"\"quotes\"\", and comma\"");
    reha_free(out);
}

static void test_json_needs(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    json_t *value = NULL;
    const char *text = NULL;
    double number = 0.0;
    double numbers[3];
    static const char source[] = "{\"name\": \"knee\", \"n\": 3, \"list\": [1, 2, 3], \"mixed\": [1, \"x\"]}";
    assert_ok(reha_json_parse(source, strlen(source), &value, &err), &err);
    assert_ok(reha_json_need_string(value, "name", &text, &err), &err);
    assert_string_equal(text, "knee");
    assert_ok(reha_json_need_number(value, "n", &number, &err), &err);
    assert_true(number > 2.5 && number < 3.5);
    assert_ok(reha_json_need_numbers(value, "list", 3, numbers, &err), &err);
    assert_int_equal(reha_json_need_numbers(value, "list", 2, numbers, &err), REHA_E_FORMAT);
    assert_int_equal(reha_json_need_numbers(value, "mixed", 2, numbers, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "'mixed[1]'"));
    assert_int_equal(reha_json_need_string(value, "n", &text, &err), REHA_E_FORMAT);
    assert_int_equal(reha_json_need_number(value, "absent", &number, &err), REHA_E_FORMAT);
    assert_true(isnan(number));
    json_decref(value);
}

static void test_json_faults_name_their_place(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "{\"a\": 1, \"a\": 2}", "[1,]", "{\"a\": nan}", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *value = NULL;
        assert_int_equal(reha_json_parse(bad[i], strlen(bad[i]), &value, &err), REHA_E_FORMAT);
        assert_null(value);
        assert_non_null(strstr(err.text, "line"));
    }
    json_t *text = reha_json_text("knee \xff.png");
    assert_string_equal(json_string_value(text), "knee ?.png");
    json_decref(text);
    text = reha_json_text("\xc3\xa9");
    assert_string_equal(json_string_value(text), "\xc3\xa9");
    json_decref(text);
    json_t *null = reha_json_real((double)NAN);
    assert_true(json_is_null(null));
    json_decref(null);
}

/* Each of these is below the 64 MiB of a file; parsed, the first would take 5 GiB. */
static void test_json_that_would_fill_the_memory(void **state)
{
    (void)state;
    static const char *const small[] = {"{},", "[],", "0,", "[{\"a\":1}],"};
    enum { BYTES = 60 << 20 };
    char *text = reha_alloc(BYTES + 1);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        json_t *value = NULL;
        const size_t length = strlen(small[i]);
        const size_t count = BYTES / length;
        text[0] = '[';
        for (size_t k = 0; k < count; k++) {
            memcpy(text + 1 + k * length, small[i], length);
        }
        text[count * length] = ']'; /* in place of the last comma */
        const size_t peak_bytes = reha_mem_peak_rss_bytes();
        assert_int_equal(reha_json_parse(text, count * length + 1, &value, &err), REHA_E_LIMIT);
        assert_null(value);
        assert_non_null(strstr(err.text, "MiB of memory"));
        assert_true(reha_mem_peak_rss_bytes() - peak_bytes < (size_t)16 << 20);
    }
    /* In a string they are letters. */
    reha_error err = REHA_ERROR_INIT;
    json_t *value = NULL;
    memset(text, ',', BYTES);
    memcpy(text, "[\"\\\"", 4);
    memcpy(text + BYTES - 2, "\"]", 2);
    assert_ok(reha_json_parse(text, BYTES, &value, &err), &err);
    assert_int_equal(json_string_length(json_array_get(value, 0)), BYTES - 5);
    json_decref(value);
    reha_free(text);
}

/* Readers of small files allow less: the bound is theirs, and holds to the byte. */
static void test_json_within_a_bound(void **state)
{
    (void)state;
    static const char text[] = "[{\"a\": 1}, [2]]"; /* two arrays, an object, a member, a second value */
    const size_t bytes = sizeof text - 1 + 2 * 128 + 240 + 96 + 48;
    reha_error err = REHA_ERROR_INIT;
    json_t *value = NULL;
    assert_ok(reha_json_parse_within(text, sizeof text - 1, bytes, &value, &err), &err);
    assert_int_equal(json_array_size(value), 2);
    json_decref(value);
    assert_int_equal(reha_json_parse_within(text, sizeof text - 1, bytes - 1, &value, &err), REHA_E_LIMIT);
    assert_null(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_the_header_tells_the_separator),
                                       cmocka_unit_test(test_numbers_of_a_table),
                                       cmocka_unit_test(test_rows_know_their_line),
                                       cmocka_unit_test(test_bad_tables_name_their_line),
                                       cmocka_unit_test(test_table_memory_failures),
                                       cmocka_unit_test(test_field_writing),
                                       cmocka_unit_test(test_json_needs),
                                       cmocka_unit_test(test_json_faults_name_their_place),
                                       cmocka_unit_test(test_json_that_would_fill_the_memory),
                                       cmocka_unit_test(test_json_within_a_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
