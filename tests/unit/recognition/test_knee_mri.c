/* The recipe of knee-mri on generated volumes in the published layouts, with a signal planted in one slice.
 */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "recognition/knee_mri.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 64, SLICES = 3 };
static char root[] = "/tmp/reha-knee-mri-XXXXXX";

static int begin(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/reha-knee-mri-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void save(const char *name, const void *bytes, size_t count)
{
    reha_error err = REHA_ERROR_INIT;
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_ok(reha_folder_make(path, &err), &err);
    *slash = '/';
    assert_ok(reha_file_save(path, bytes, count, &err), &err);
}

/* A grey noisy knee of sorts; `has_tear` puts bright stripes into one slice. */
static void save_volume(const char *name, bool has_tear, uint64_t seed)
{
    static const char head[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 64, 64), }      \n";
    uint8_t file[10 + sizeof head + SLICES * SIDE * SIDE];
    reha_random random = reha_random_init(seed, 5);
    const size_t start = 10 + strlen(head);
    const uint32_t torn = reha_random_below(&random, SLICES);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (uint8_t)strlen(head);
    file[9] = 0;
    memcpy(file + 10, head, strlen(head));
    for (uint32_t s = 0; s < SLICES; s++) {
        for (int p = 0; p < SIDE * SIDE; p++) {
            const double noise = 8.0 * reha_random_normal(&random);
            const bool is_stripe =
                has_tear && s == torn && p % SIDE / 4 % 2 == 0 && p / SIDE > 16 && p / SIDE < 48;
            file[start + s * SIDE * SIDE + (size_t)p] =
                (uint8_t)fmin(fmax(90.0 + noise + (is_stripe ? 120.0 : 0.0), 0.0), 255.0);
        }
    }
    save(name, file, start + sizeof(uint8_t) * SLICES * SIDE * SIDE);
}

/* MRNet's layout: abnormal follows the stripes in the sagittal plane, meniscus is never positive together
 * with acl. */
static void make_mrnet(int train, int valid)
{
    for (int part = 0; part < 2; part++) {
        const char *split = part == 0 ? "train" : "valid";
        char abnormal[4096] = "";
        char acl[4096] = "";
        for (int i = 0; i < (part == 0 ? train : valid); i++) {
            char name[64];
            char line[16];
            const bool has_tear = (i * 7 + part) % 3 == 0;
            (void)snprintf(name, sizeof name, "%s/sagittal/%04d.npy", split, i);
            save_volume(name, has_tear, (uint64_t)(1000 * part + i));
            (void)snprintf(line, sizeof line, "%04d,%d\n", i, has_tear ? 1 : 0);
            strcat(abnormal, line);
            (void)snprintf(line, sizeof line, "%04d,%d\n", i, i % 2);
            strcat(acl, line);
        }
        char name[64];
        (void)snprintf(name, sizeof name, "%s-abnormal.csv", split);
        save(name, abnormal, strlen(abnormal));
        (void)snprintf(name, sizeof name, "%s-acl.csv", split);
        save(name, acl, strlen(acl));
    }
}

static reha_train_options training(const char *out)
{
    reha_train_options how = reha_train_options_default();
    how.data_folder = root;
    how.out_folder = out;
    how.network = "mobilenetv2-64";
    how.threads = 1;
    how.epochs = 40;
    how.seed = 4;
    (void)snprintf(how.command, sizeof how.command, "rehascope train knee-mri");
    return how;
}

static void a_planted_signal_is_learned(void **state)
{
    (void)state;
    char out[96];
    char predictions[128];
    reha_error err = REHA_ERROR_INIT;
    reha_model *model = NULL;
    json_t *report = NULL;
    make_mrnet(30, 15);
    (void)snprintf(out, sizeof out, "%s/model", root);
    (void)snprintf(predictions, sizeof predictions, "%s/p.csv", root);
    const reha_train_options how = training(out);
    assert_ok(reha_recogniser_knee_mri.train(&how, NULL, &err), &err);
    const reha_model_options open = {.model_folder = out, .threads = 1};
    assert_ok(reha_recogniser_knee_mri.open(&open, &model, &err), &err);
    const json_t *card = reha_recogniser_knee_mri.card(model);
    assert_string_equal(reha_json_string(card, "status", ""), "research only");
    assert_non_null(
        strstr(json_string_value(json_array_get(json_object_get(card, "limits"), 0)), "generated volumes"));
    reha_evaluate_options judge = reha_evaluate_options_default();
    judge.data_folder = root;
    judge.split = "valid";
    judge.predictions_path = predictions;
    judge.bootstrap_rounds = 200;
    assert_ok(reha_recogniser_knee_mri.evaluate(model, &judge, NULL, &report, &err), &err);
    const json_t *metrics = json_object_get(report, "metrics");
    const double planted = reha_json_number(json_object_get(metrics, "abnormal_auc"), "value", 0.0);
    const double chance = reha_json_number(json_object_get(metrics, "acl_auc"), "value", 1.0);
    print_message("AUC of the planted label %.3f, of labels without a signal %.3f (15 examinations)\n",
                  planted, chance);
    assert_true(planted >= 0.9);
    assert_true(chance <= 0.85);
    assert_null(json_object_get(metrics, "meniscus_auc"));
    assert_true(reha_path_is_file(predictions));
    /* The card holds the same figure: training and evaluation see the same thing. */
    const json_t *told =
        json_object_get(json_object_get(json_object_get(card, "metrics"), "validation"), "abnormal_auc");
    assert_float_equal(reha_json_number(told, "value", 0.0), planted, 1e-6);
    json_decref(report);
    /* One image is no volume. */
    reha_gray *image = NULL;
    reha_analysis *analysis = NULL;
    const reha_acquisition facts = reha_acquisition_unknown();
    const reha_analyse_options options = {0};
    assert_ok(reha_gray_new(8, 8, &image, &err), &err);
    assert_ok(reha_recogniser_knee_mri.analyse(model, image, &facts, &options, &analysis, &err), &err);
    assert_false(analysis->is_accepted);
    assert_string_equal(analysis->notes[0].code, "not-a-volume");
    reha_analysis_free(analysis);
    reha_gray_free(image);
    reha_recogniser_knee_mri.close(model);
}

static void expect(reha_status wanted, const char *says)
{
    reha_knee_mri_data data;
    reha_error err = REHA_ERROR_INIT;
    const reha_status status = reha_knee_mri_data_load(root, &data, &err);
    if (status != wanted || strstr(err.text, says) == NULL) {
        fail_msg("%s: %s", reha_status_name(status), err.text);
    }
    assert_null(data.exams);
}

static void wrong_folders_are_told(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    expect(REHA_E_NOT_FOUND, "layout of MRNet or KneeMRI");
    save("train-acl.csv", "0000,1\n0001,0\n", 14);
    expect(REHA_E_NOT_FOUND, "no folder train/axial");
    save_volume("train/axial/0000.npy", false, 1);
    expect(REHA_E_NOT_FOUND, "0001.npy is missing");
    save("train-acl.csv", "0000,1\n0001,2\n", 14);
    expect(REHA_E_FORMAT, "line 2: a label is 0 or 1");
    save("train-acl.csv", "0000\n", 5);
    expect(REHA_E_FORMAT, "two columns");
    save("train-acl.csv", "../../etc/passwd,1\n", 19);
    expect(REHA_E_FORMAT, "or a path");
    /* Too few to train on; a volume that is none. */
    save("train-acl.csv", "0000,1\n", 7);
    const reha_train_options how = training(root);
    assert_int_equal(reha_recogniser_knee_mri.train(&how, NULL, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "at least 8"));
    reha_train_options other = training(root);
    other.network = "resnet50";
    assert_int_equal(reha_recogniser_knee_mri.train(&other, NULL, &err), REHA_E_ARG);
}

static void broken_volumes_are_named(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    make_mrnet(9, 2);
    save("train/sagittal/0004.npy", "\x93NUMPY and no more", 18);
    const reha_train_options how = training(root);
    assert_int_equal(reha_recogniser_knee_mri.train(&how, NULL, &err), REHA_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "0004.npy"));
    json_t *report = NULL;
    save_volume("train/sagittal/0004.npy", false, 0); /* in place again, */
    save_volume("valid/sagittal/0001.npy", false, 0); /* and once more in the other part */
    assert_ok(reha_recogniser_knee_mri.audit(root, NULL, NULL, &report, &err), &err);
    const json_t *problems = json_object_get(report, "problems");
    assert_int_equal(json_array_size(problems), 1);
    assert_string_equal(reha_json_string(json_array_get(problems, 0), "code", ""), "leak");
    assert_float_equal(reha_json_number(report, "n", 0.0), 11.0, 0.0);
    json_decref(report);
}

static void knee_mri_tables_are_read_and_pickles_refused(void **state)
{
    (void)state;
    reha_knee_mri_data data;
    reha_error err = REHA_ERROR_INIT;
    static const char table[] = "examId,seriesNo,aclDiagnosis,volumeFilename\n1,2,0,1-2.pck\n3,4,2,3-4.pck\n";
    save("metadata.csv", table, strlen(table));
    save("1-2.pck", "x", 1);
    expect(REHA_E_UNSUPPORTED, "pickle");
    save_volume("1-2.npy", false, 1);
    save_volume("3-4.npy", true, 2);
    assert_ok(reha_knee_mri_data_load(root, &data, &err), &err);
    assert_string_equal(data.layout, "KneeMRI");
    assert_int_equal(data.count, 2);
    assert_int_equal(data.exams[0].labels[1], 0);
    assert_int_equal(data.exams[1].labels[1], 1);
    assert_int_equal(data.exams[1].labels[0], -1);
    assert_true(data.has_plane[2] && !data.has_plane[0] && data.has_label[1] && !data.has_label[2]);
    reha_knee_mri_data_clear(&data);
    static const char wrong[] = "examId,seriesNo,aclDiagnosis,volumeFilename\n1,2,7,1-2.pck\n";
    save("metadata.csv", wrong, strlen(wrong));
    expect(REHA_E_FORMAT, "line 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_planted_signal_is_learned, begin, end),
        cmocka_unit_test_setup_teardown(wrong_folders_are_told, begin, end),
        cmocka_unit_test_setup_teardown(broken_volumes_are_named, begin, end),
        cmocka_unit_test_setup_teardown(knee_mri_tables_are_read_and_pickles_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
