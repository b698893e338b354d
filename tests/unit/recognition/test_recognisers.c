#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/recogniser.h"

#include <string.h>
#include <unistd.h>

static void the_table_is_complete_and_searchable(void **state)
{
    (void)state;
    size_t count = 0;
    for (; reha_recogniser_at(count) != NULL; count++) {
        const reha_recogniser *one = reha_recogniser_at(count);
        assert_ptr_equal(reha_recogniser_find(one->name), one);
        assert_true(one->title[0] != '\0' && one->accepts[0] != '\0');
        assert_true(one->open != NULL && one->close != NULL && one->analyse != NULL && one->card != NULL);
        assert_true(one->train != NULL && one->evaluate != NULL && one->audit != NULL);
        one->close(NULL); /* fine */
    }
    assert_true(count >= 1);
    assert_non_null(reha_recogniser_find("knee-oa"));
    assert_null(reha_recogniser_find("knee"));
    assert_null(reha_recogniser_find(""));
    assert_null(reha_recogniser_find(NULL));
    assert_null(reha_recogniser_at((size_t)-1));
}

static char root[] = "/tmp/reha-models-XXXXXX";

static void make_version(const char *name, int with_card)
{
    reha_error err = REHA_ERROR_INIT;
    char path[160];
    (void)snprintf(path, sizeof path, "%s/knee-oa/%s", root, name);
    assert_ok(reha_folder_make(path, &err), &err);
    (void)snprintf(path, sizeof path, "%s/knee-oa/%s/card.json", root, name);
    if (with_card != 0) {
        assert_ok(reha_file_save(path, "{}", 2, &err), &err);
    }
}

static void assert_newest(const char *wanted)
{
    reha_error err = REHA_ERROR_INIT;
    char *folder = NULL;
    assert_ok(reha_model_folder(root, "knee-oa", &folder, &err), &err);
    assert_string_equal(reha_path_name(folder), wanted);
    reha_free(folder);
}

static void the_newest_version_with_a_card_wins(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char *folder = NULL;
    assert_non_null(mkdtemp(root));
    assert_int_equal(reha_model_folder(root, "knee-oa", &folder, &err), REHA_E_NOT_FOUND);
    assert_null(folder);
    make_version("draft", 1); /* no version number: never taken */
    make_version("1..2", 1);
    make_version(".9", 1);
    make_version("7.", 1);
    assert_int_equal(reha_model_folder(root, "knee-oa", &folder, &err), REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "card.json"));
    make_version("1", 1);
    assert_newest("1");
    make_version("1.9", 1);
    assert_newest("1.9");
    make_version("1.10", 1);
    assert_newest("1.10");
    make_version("01.9", 1);
    assert_newest("1.10");
    make_version("2", 0); /* half written: no card yet */
    assert_newest("1.10");
    make_version("2.0.1", 1);
    assert_newest("2.0.1");
    make_version("10", 1);
    assert_newest("10");
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void a_model_needs_a_folder(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_model *model = NULL;
    const reha_recogniser *knee = reha_recogniser_find("knee-oa");
    reha_model_options options = {0};
    assert_int_equal(knee->open(&options, &model, &err), REHA_E_ARG);
    options.models_folder = "/nonexistent/models";
    assert_int_equal(knee->open(&options, &model, &err), REHA_E_NOT_FOUND);
    options.model_folder = "/nonexistent/models/1";
    assert_int_equal(knee->open(&options, &model, &err), REHA_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/models/1/card.json"));
    assert_null(model);
}

static reha_status load_as_told(const char *path, reha_gray **out, reha_acquisition *facts, reha_error *err)
{
    const reha_status status = strcmp(path, "whole") == 0    ? REHA_OK
                               : strcmp(path, "broken") == 0 ? REHA_E_FORMAT
                               : strcmp(path, "gone") == 0   ? REHA_E_NOT_FOUND
                               : strcmp(path, "disk") == 0   ? REHA_E_IO
                                                             : REHA_E_NOMEM;
    *facts = reha_acquisition_unknown();
    return status == REHA_OK ? reha_gray_new(3, 2, out, err) : reha_fail(err, status, "%s: no", path);
}

static void only_the_files_own_faults_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        reha_status status;
    } cases[] = {{"whole", REHA_OK},
                 {"broken", REHA_OK},
                 {"gone", REHA_OK},
                 {"disk", REHA_E_IO},
                 {"memory", REHA_E_NOMEM}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_gray *image = NULL;
        reha_acquisition facts;
        assert_int_equal(reha_load_readable(load_as_told, cases[i].path, &image, &facts, &err),
                         cases[i].status);
        assert_int_equal(image != NULL, i == 0);
        if (cases[i].status == REHA_OK) {
            assert_string_equal(err.text, "");
        } else {
            assert_memory_equal(err.text, cases[i].path, strlen(cases[i].path));
        }
        reha_gray_free(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_complete_and_searchable),
        cmocka_unit_test(the_newest_version_with_a_card_wins),
        cmocka_unit_test(a_model_needs_a_folder),
        cmocka_unit_test(only_the_files_own_faults_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
