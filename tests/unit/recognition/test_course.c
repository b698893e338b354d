/* The course of a training on a network of one layer: every picture once an epoch, the user's stop, going on,
 * the fit to the time, what the progress line counts. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/course.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 4, STEPS = 3, PICTURES = BATCH * STEPS, EPOCHS = 4 };

typedef struct lesson {
    reha_train_options options;
    reha_progress progress;
    reha_graph *graph;
    float inputs[BATCH], targets[BATCH];
    atomic_int fills[PICTURES];
    int begun, ended, stop_after_steps, told;
    double last_done, last_total;
    char last_text[160];
    double losses[EPOCHS];
} lesson;

static reha_error err;
static char folder[] = "/tmp/reha-course-XXXXXX";

static void begin(void *context, int epoch)
{
    lesson *l = context;
    l->begun += epoch == l->begun ? 1 : 100; /* in order, each once */
}

static reha_status fill(void *context, int epoch, size_t position, size_t place, reha_error *fill_err)
{
    lesson *l = context;
    (void)epoch;
    (void)fill_err;
    assert_int_equal(position % BATCH, place);
    atomic_fetch_add(&l->fills[position], 1);
    l->inputs[place] = (float)position / PICTURES;
    l->targets[place] = 2.0F * l->inputs[place];
    return REHA_OK;
}

static reha_status end(void *context, reha_course *course, double mean_loss, reha_error *end_err)
{
    lesson *l = context;
    l->losses[l->ended++] = mean_loss;
    course->best = mean_loss;
    reha_text_addf(&course->log, "%d\n", course->epoch);
    REHA_TRY(reha_course_save(course, end_err));
    return reha_course_save_log(course, end_err);
}

static void update(void *context, double done, double total, const char *unit, double rate, double left_s,
                   const char *text)
{
    lesson *l = context;
    assert_string_equal(unit, "images");
    assert_true(rate > 0.0);
    assert_true(left_s >= 0.0);
    l->told++;
    l->last_done = done;
    l->last_total = total;
    (void)snprintf(l->last_text, sizeof l->last_text, "%s", text);
}

static bool should_stop(void *context)
{
    const lesson *l = context;
    return l->stop_after_steps > 0 && l->told >= l->stop_after_steps;
}

static void describe(const void *context, char *out, size_t bytes)
{
    (void)context;
    (void)snprintf(out, bytes, "and well");
}

/* A course of l, ready to run; l->options may be changed before. */
static reha_course course_of(lesson *l)
{
    reha_course course;
    reha_value_id v;
    reha_random random = reha_random_init(1, 1);
    l->progress = (reha_progress){l, update, should_stop};
    l->options.data_folder = folder;
    l->options.out_folder = folder;
    l->options.threads = 1;
    l->options.force_f32 = true;
    assert_ok(reha_graph_new("line", &l->graph, &err), &err);
    assert_ok(reha_graph_add_input(l->graph, "x", 1, 1, 1, &v, &err), &err);
    assert_ok(reha_graph_add_unary(l->graph, "flat", REHA_OP_FLATTEN, v, &v, &err), &err);
    assert_ok(reha_graph_add_fully_connected(l->graph, "fc", v, 1, &v, &err), &err);
    assert_ok(reha_graph_mark_output(l->graph, v, "y", &err), &err);
    reha_graph_init_params(l->graph, &random);
    assert_ok(reha_course_start(&l->options, &l->progress, EPOCHS, "epoch\n", &course, &err), &err);
    reha_trainer_options how = reha_trainer_options_default();
    how.batch = BATCH;
    how.threads = 1;
    how.loss_count = 1;
    how.losses[0] = (reha_loss){.kind = REHA_LOSS_MSE, .weight = 1.0F};
    assert_ok(reha_trainer_new(l->graph, &how, &course.trainer, &err), &err);
    course.recipe = (reha_course_recipe){.batch = BATCH,
                                         .steps_per_epoch = STEPS,
                                         .picture_count = PICTURES,
                                         .peak_rate = 0.05F,
                                         .warmup_steps = 100,
                                         .probe_steps = 2,
                                         .rest_share = 1.0,
                                         .kept = "finished epochs are kept",
                                         .inputs = {l->inputs},
                                         .targets = {l->targets},
                                         .context = l,
                                         .begin = begin,
                                         .fill = fill,
                                         .end = end};
    return course;
}

static void leave(lesson *l, reha_course *course)
{
    reha_course_clear(course);
    reha_graph_free(l->graph);
    l->graph = NULL;
}

static void test_every_picture_once_an_epoch(void **state)
{
    (void)state;
    lesson l = {.options = reha_train_options_default()};
    reha_course course = course_of(&l);
    course.recipe.describe = describe;
    assert_ok(reha_course_run(&course, &err), &err);
    assert_int_equal(l.begun, EPOCHS);
    assert_int_equal(l.ended, EPOCHS);
    for (size_t i = 0; i < PICTURES; i++) {
        assert_int_equal(atomic_load(&l.fills[i]), EPOCHS);
    }
    assert_true(l.losses[EPOCHS - 1] < l.losses[0]);
    assert_true(l.last_done == l.last_total && l.last_total == (double)EPOCHS * PICTURES);
    assert_non_null(strstr(l.last_text, "epoch 4/4 loss "));
    assert_non_null(strstr(l.last_text, " and well"));
    assert_string_equal(course.log.data, "epoch\n1\n2\n3\n4\n");
    leave(&l, &course);
}

static void test_stopped_courses_go_on_where_they_were(void **state)
{
    (void)state;
    lesson whole = {.options = reha_train_options_default()};
    reha_course course = course_of(&whole);
    assert_ok(reha_course_run(&course, &err), &err);
    leave(&whole, &course);

    lesson l = {.options = reha_train_options_default(), .stop_after_steps = 2 * STEPS + 1};
    course = course_of(&l);
    course.recipe.name = "fold 1/2";
    assert_int_equal(reha_course_run(&course, &err), REHA_E_CANCELLED);
    assert_string_equal(err.text,
                        "stopped in epoch 3 of fold 1/2; finished epochs are kept: go on with --resume");
    leave(&l, &course);

    l.stop_after_steps = 0;
    l.options.resume = true;
    l.begun = 2;
    course = course_of(&l);
    assert_ok(reha_course_resume(&course, &err), &err);
    assert_int_equal(course.epoch, 2);
    assert_float_equal(course.best, whole.losses[1], 1e-5 * whole.losses[1]); /* JSON rounds */
    assert_ok(reha_course_run(&course, &err), &err);
    assert_true(l.losses[EPOCHS - 1] == whole.losses[EPOCHS - 1]); /* as if it had never been stopped */
    assert_string_equal(course.log.data, "epoch\n1\n2\n3\n4\n");
    leave(&l, &course);

    course = course_of(&l);
    course.recipe.picture_count++;
    assert_int_equal(reha_course_resume(&course, &err), REHA_E_CONFLICT);
    assert_non_null(strstr(err.text, "on 12 pictures"));
    leave(&l, &course);
    l.options.seed = 99;
    course = course_of(&l);
    assert_int_equal(reha_course_resume(&course, &err), REHA_E_CONFLICT);
    leave(&l, &course);
}

static void test_more_epochs_lengthen_a_resumed_course(void **state)
{
    (void)state;
    lesson l = {.options = reha_train_options_default()};
    l.options.epochs = 1;
    reha_course course = course_of(&l);
    assert_ok(reha_course_run(&course, &err), &err);
    assert_int_equal(l.ended, 1);
    leave(&l, &course);
    l.options.epochs = 3;
    l.options.resume = true;
    course = course_of(&l);
    assert_ok(reha_course_resume(&course, &err), &err);
    assert_ok(reha_course_run(&course, &err), &err);
    assert_int_equal(l.ended, 3);
    leave(&l, &course);
}

static void test_no_time_left_makes_one_epoch(void **state)
{
    (void)state;
    lesson l = {.options = reha_train_options_default()};
    l.options.minutes_max = 1e-9;
    reha_course course = course_of(&l);
    assert_ok(reha_course_run(&course, &err), &err);
    assert_int_equal(l.ended, 1);
    assert_int_equal(course.epochs, 1);
    leave(&l, &course);
}

static void test_progress_counts_the_other_courses(void **state)
{
    (void)state;
    lesson l = {.options = reha_train_options_default()};
    reha_course course = course_of(&l);
    course.recipe.name = "fold 2/3";
    course.recipe.steps_elsewhere = 7;
    course.recipe.steps_before = 2;
    assert_ok(reha_course_run(&course, &err), &err);
    assert_true(l.last_done == (double)EPOCHS * BATCH * (STEPS + 2));
    assert_true(l.last_total == (double)EPOCHS * BATCH * (STEPS + 7));
    assert_int_equal(strncmp(l.last_text, "fold 2/3, epoch 4/4 loss ", 25), 0);
    leave(&l, &course);
}

static void test_folders_are_needed(void **state)
{
    (void)state;
    reha_course course;
    const reha_train_options options = reha_train_options_default();
    assert_int_equal(reha_course_start(&options, NULL, EPOCHS, "epoch\n", &course, &err), REHA_E_ARG);
    reha_course_clear(&course);
}

/* A batch for every loss, all 0; where memory ends there is a status and nothing is lost. */
static void test_room_for_a_batch(void **state)
{
    (void)state;
    static const size_t counts[] = {2, 5};
    reha_train_options options = reha_train_options_default();
    reha_course course;
    options.data_folder = folder;
    options.out_folder = folder;
    const size_t before = reha_mem_live_blocks();
    for (long n = -1; n < 3; n++) { /* three blocks are wanted */
        assert_ok(reha_course_start(&options, NULL, 1, "epoch\n", &course, &err), &err);
        reha_mem_fail_after(n);
        const reha_status status = reha_course_make_room(&course, BATCH, 3, counts, 2, &err);
        reha_mem_fail_after(-1);
        assert_int_equal(status, n < 0 ? REHA_OK : REHA_E_NOMEM);
        for (int i = 0; n < 0 && i < BATCH * 5; i++) {
            assert_true(course.targets[1][i] == 0.0F);
            assert_true(i >= BATCH * 2 || course.targets[0][i] == 0.0F);
            assert_true(i >= BATCH * 3 || course.inputs[i] == 0.0F);
        }
        reha_course_clear(&course);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? 1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"checkpoint.bin", "checkpoint.json", "log.csv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = reha_path_join(folder, names[i]);
        (void)unlink(path);
        reha_free(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_picture_once_an_epoch),
        cmocka_unit_test(test_stopped_courses_go_on_where_they_were),
        cmocka_unit_test(test_more_epochs_lengthen_a_resumed_course),
        cmocka_unit_test(test_no_time_left_makes_one_epoch),
        cmocka_unit_test(test_progress_counts_the_other_courses),
        cmocka_unit_test(test_folders_are_needed),
        cmocka_unit_test(test_room_for_a_batch),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
