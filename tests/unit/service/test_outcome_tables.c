/* Tables from files, archives and folders. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "service/outcome_tables.h"

#include <string.h>
#include <unistd.h>
#include <zip.h>

typedef struct seen {
    size_t tables;
    size_t rows;
    char last[256];
} seen;

static reha_status look(void *context, const char *name, const reha_csv *csv, reha_error *err)
{
    seen *all = context;
    (void)err;
    all->tables++;
    all->rows += reha_csv_rows(csv);
    (void)snprintf(all->last, sizeof all->last, "%s", name);
    return REHA_OK;
}

static reha_status refuse(void *context, const char *name, const reha_csv *csv, reha_error *err)
{
    (void)context;
    (void)name;
    (void)csv;
    return reha_fail(err, REHA_E_REFUSED, "not this one");
}

static void in_folder(const char *folder, const char *name, char *out)
{
    (void)snprintf(out, 128, "%s/%s", folder, name);
}

static void save(const char *path, const char *text)
{
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_file_save(path, text, strlen(text), &err), &err);
}

static void zip_up(const char *path, const char *const (*entries)[2], size_t count)
{
    int fault = 0;
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &fault);
    assert_non_null(archive);
    for (size_t i = 0; i < count; i++) {
        zip_source_t *source = zip_source_buffer(archive, entries[i][1], strlen(entries[i][1]), 0);
        assert_true(zip_file_add(archive, entries[i][0], source, 0) >= 0);
    }
    assert_int_equal(zip_close(archive), 0);
}

static void test_tables(void **state)
{
    static const char *const entries[][2] = {
        {"a.csv", "x,y\n1,2\n3,4\n"}, {"read me.txt", "no table"}, {"__MACOSX/._a.csv", "\x01\x02shadow"}};
    static const char *const bad[][2] = {{"b.csv", "x,y\n1\n"}};
    static const char *const none[][2] = {{"notes.txt", "nothing"}};
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-tables-XXXXXX";
    char csv[128];
    char zip[128];
    seen all = {0};
    assert_non_null(mkdtemp(folder));
    in_folder(folder, "b.csv", csv);
    in_folder(folder, "a.zip", zip);
    assert_int_equal(reha_tables_visit(folder, look, &all, &err), REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "no .csv or .zip file"));

    save(csv, "x\n7\n");
    zip_up(zip, entries, 3);
    assert_ok(reha_tables_visit(csv, look, &all, &err), &err);
    assert_ok(reha_tables_visit(zip, look, &all, &err), &err);
    assert_int_equal(all.tables, 2);
    assert_int_equal(all.rows, 3);
    assert_non_null(strstr(all.last, "a.zip: a.csv"));
    assert_ok(reha_tables_visit(folder, look, &all, &err), &err);
    assert_int_equal(all.tables, 4);
    assert_string_equal(all.last, csv); /* by name: the archive first */
    assert_int_equal(reha_tables_visit(zip, refuse, &all, &err), REHA_E_REFUSED);
    assert_non_null(strstr(err.text, "a.zip: a.csv: not this one"));

    zip_up(zip, bad, 1);
    assert_int_equal(reha_tables_visit(zip, look, &all, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "b.csv: line 2: 1 fields"));
    zip_up(zip, none, 1);
    assert_int_equal(reha_tables_visit(zip, look, &all, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "no .csv file in this archive"));
    save(zip, "PK\x03\x04 and then nothing of the kind");
    assert_int_equal(reha_tables_visit(zip, look, &all, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "not a readable zip archive"));
    (void)unlink(zip);
    (void)unlink(csv);
    (void)rmdir(folder);
    assert_int_equal(reha_tables_visit(zip, look, &all, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_tables_visit(csv, look, &all, &err), REHA_E_NOT_FOUND);
}

/* Every byte of an archive turned over: read, or refused with a text. */
static void test_damaged_archives(void **state)
{
    static const char *const entries[][2] = {{"a.csv", "x,y\n1,2\n3,4\n5,6\n7,8\n9,10\n11,12\n"}};
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-tables-XXXXXX";
    char path[128];
    uint8_t *good = NULL;
    size_t count = 0;
    assert_non_null(mkdtemp(folder));
    in_folder(folder, "a.zip", path);
    zip_up(path, entries, 1);
    assert_ok(reha_file_load(path, 1 << 20, &good, &count, &err), &err);
    size_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        seen all = {0};
        reha_error fault = REHA_ERROR_INIT;
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        good[i] ^= 0xff;
        assert_int_equal(fwrite(good, 1, count, file), count);
        good[i] ^= 0xff;
        assert_int_equal(fclose(file), 0);
        if (reha_tables_visit(path, look, &all, &fault) != REHA_OK) {
            assert_true(fault.text[0] != '\0');
            refused++;
        } else {
            assert_int_equal(all.rows, 6); /* unimportant bytes, such as the time */
        }
    }
    assert_true(refused > count / 3);
    (void)unlink(path);
    (void)rmdir(folder);
    reha_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables),
                                       cmocka_unit_test(test_damaged_archives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
