#include "recognition/course.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/threads.h"
#include "recognition/recipe.h"

#include <stdio.h>

reha_status reha_course_start(const reha_train_options *options, const reha_progress *progress, int epochs,
                              const char *log_head, reha_course *out, reha_error *err)
{
    *out = (reha_course){.options = options,
                         .progress = progress,
                         .epochs = options->epochs > 0 ? options->epochs : epochs,
                         .is_planned = options->minutes_max <= 0.0,
                         .best = -1.0,
                         .start_ms = reha_clock_ms()};
    if (options->data_folder == NULL || options->out_folder == NULL) {
        return reha_fail(err, REHA_E_ARG, "training needs a data folder and an output folder");
    }
    reha_text_add(&out->log, log_head);
    return REHA_OK;
}

reha_status reha_course_make_room(reha_course *course, int batch, size_t input_count,
                                  const size_t *target_counts, int target_count, reha_error *err)
{
    course->inputs = reha_alloc_zero((size_t)batch * input_count, sizeof *course->inputs);
    bool has_room = course->inputs != NULL;
    for (int i = 0; i < target_count; i++) {
        course->targets[i] = reha_alloc_zero((size_t)batch * target_counts[i], sizeof *course->targets[i]);
        has_room = has_room && course->targets[i] != NULL;
    }
    return has_room ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for training");
}

void reha_course_clear(reha_course *course)
{
    reha_trainer_free(course->trainer);
    reha_free(course->inputs);
    for (int i = 0; i < REHA_LOSSES_MAX; i++) {
        reha_free(course->targets[i]);
    }
    reha_text_clear(&course->log);
    *course = (reha_course){0};
}

double reha_course_seconds(const reha_course *course)
{
    return 1e-3 * (reha_clock_ms() - course->start_ms);
}

/* ---- files ---- */

reha_status reha_course_save(const reha_course *course, reha_error *err)
{
    json_t *state =
        json_pack("{s:i, s:i, s:I, s:I, s:f, s:s}", "epoch", course->epoch, "epochs", course->epochs, "seed",
                  (json_int_t)course->options->seed, "pictures", (json_int_t)course->recipe.picture_count,
                  "best", course->best, "log", course->log.data != NULL ? course->log.data : "");
    return reha_recipe_take_checkpoint(course->options, course->trainer, state, err);
}

reha_status reha_course_save_log(const reha_course *course, reha_error *err)
{
    return reha_recipe_save_log(course->options, &course->log, err);
}

reha_status reha_course_resume(reha_course *course, reha_error *err)
{
    enum { EPOCH, EPOCHS, SEED, PICTURES, BEST, COUNT };
    static const char *const keys[COUNT] = {"epoch", "epochs", "seed", "pictures", "best"};
    const reha_train_options *options = course->options;
    reha_status status = REHA_OK;
    char *path = NULL;
    char *state_path = NULL;
    json_t *state = NULL;
    double numbers[COUNT];

    if (!options->resume) {
        return REHA_OK;
    }
    REHA_CHECK(reha_recipe_path(options, "checkpoint.bin", &path, err));
    REHA_CHECK(reha_recipe_path(options, "checkpoint.json", &state_path, err));
    REHA_CHECK(reha_json_load(state_path, &state, err));
    for (int i = 0; i < COUNT; i++) {
        REHA_CHECK(reha_json_need_number(state, keys[i], &numbers[i], err));
    }
    if ((uint64_t)numbers[SEED] != options->seed ||
        (size_t)numbers[PICTURES] != course->recipe.picture_count) {
        status = reha_fail(
            err, REHA_E_CONFLICT,
            "%s: was started with seed %.0f on %.0f pictures; resume with the same, or take another --out",
            state_path, numbers[SEED], numbers[PICTURES]);
        goto done;
    }
    REHA_CHECK(reha_trainer_load(course->trainer, path, err));
    course->epoch = (int)numbers[EPOCH];
    course->epochs = options->epochs > (int)numbers[EPOCHS] ? options->epochs : (int)numbers[EPOCHS];
    course->is_planned = course->is_planned || course->epoch > 0;
    course->best = numbers[BEST];
    reha_text_clear(&course->log);
    reha_text_add(&course->log, reha_json_string(state, "log", ""));
done:
    json_decref(state);
    reha_free(path);
    reha_free(state_path);
    return status;
}

reha_status reha_course_averaged(const reha_course *course, const reha_graph *graph, reha_graph **out,
                                 reha_error *err)
{
    REHA_TRY(reha_graph_copy(graph, out, err));
    const reha_status status = reha_trainer_read_params(course->trainer, *out, true, err);
    if (status != REHA_OK) {
        reha_graph_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- the steps ---- */

static float rate_at(const reha_course *course, size_t step)
{
    const reha_course_recipe *recipe = &course->recipe;
    const long steps = (long)course->epochs * (long)recipe->steps_per_epoch;
    const long global = (long)course->epoch * (long)recipe->steps_per_epoch + (long)step;
    const long warmup = steps / 4 < recipe->warmup_steps ? steps / 4 : recipe->warmup_steps;
    const float cosine = reha_cosine_rate(recipe->peak_rate, global, warmup, steps);
    return global < warmup
               ? cosine
               : recipe->least_rate_share * recipe->peak_rate + (1.0F - recipe->least_rate_share) * cosine;
}

typedef struct batch_job {
    const reha_course *course;
    size_t first; /* position in the epoch */
} batch_job;

static reha_status fill_one(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const batch_job *job = context;
    const reha_course_recipe *recipe = &job->course->recipe;
    (void)thread_idx;
    return recipe->fill(recipe->context, job->course->epoch, job->first + index, index, err);
}

static reha_status take_step(reha_course *course, size_t step, double *loss, reha_error *err)
{
    const reha_course_recipe *recipe = &course->recipe;
    batch_job job = {course, step * (size_t)recipe->batch};
    if (reha_progress_is_stopped(course->progress)) {
        return reha_fail(err, REHA_E_CANCELLED, "stopped in epoch %d%s%s; %s: go on with --resume",
                         course->epoch + 1, recipe->name != NULL ? " of " : "",
                         recipe->name != NULL ? recipe->name : "", recipe->kept);
    }
    const double start_ms = reha_clock_ms();
    REHA_TRY(reha_parallel_for((size_t)recipe->batch, (size_t)course->options->threads, fill_one, &job, err));
    REHA_TRY(reha_trainer_step(course->trainer, recipe->inputs, recipe->targets, NULL, rate_at(course, step),
                               loss, err));
    course->steps_ms += reha_clock_ms() - start_ms;
    course->steps_done++;
    return REHA_OK;
}

static void tell(const reha_course *course, size_t step, double loss)
{
    const reha_course_recipe *recipe = &course->recipe;
    const reha_progress *progress = course->progress;
    char more[64] = "";
    char text[160];
    if (progress == NULL || progress->update == NULL) {
        return;
    }
    const double total = (double)course->epochs * (double)(recipe->steps_per_epoch + recipe->steps_elsewhere);
    const double done = (double)course->epochs * (double)recipe->steps_before +
                        (double)course->epoch * (double)recipe->steps_per_epoch + (double)step;
    const double per_ms = (double)course->steps_done / course->steps_ms;
    if (recipe->describe != NULL) {
        recipe->describe(recipe->context, more, sizeof more);
    }
    (void)snprintf(text, sizeof text, "%s%sepoch %d/%d loss %.3f%s%s",
                   recipe->name != NULL ? recipe->name : "", recipe->name != NULL ? ", " : "",
                   course->epoch + 1, course->epochs, loss, more[0] != '\0' ? " " : "", more);
    progress->update(progress->context, done * recipe->batch, total * recipe->batch, "images",
                     1e3 * recipe->batch * per_ms, 1e-3 * (total - done) / per_ms, text);
}

/* Fits the number of epochs to the time that the user gives, by the speed of the first steps. */
static void plan_epochs(reha_course *course)
{
    const reha_course_recipe *recipe = &course->recipe;
    const double budget_ms = 60e3 * course->options->minutes_max - (reha_clock_ms() - course->start_ms);
    const double epoch_ms = recipe->rest_share * course->steps_ms / (double)course->steps_done *
                            (double)(recipe->steps_per_epoch + recipe->steps_elsewhere);
    const int fitting = (int)(budget_ms / epoch_ms);
    if (fitting < course->epochs) {
        course->epochs = fitting > 1 ? fitting : 1;
    }
    course->is_planned = true;
}

reha_status reha_course_run(reha_course *course, reha_error *err)
{
    const reha_course_recipe *recipe = &course->recipe;
    const size_t steps = recipe->steps_per_epoch;
    while (course->epoch < course->epochs) {
        double sum = 0.0;
        if (recipe->begin != NULL) {
            recipe->begin(recipe->context, course->epoch);
        }
        for (size_t step = 0; step < steps; step++) {
            double loss = 0.0;
            REHA_TRY(take_step(course, step, &loss, err));
            sum += loss;
            if (!course->is_planned && (step + 1 == (size_t)recipe->probe_steps || step + 1 == steps)) {
                plan_epochs(course);
            }
            tell(course, step + 1, sum / (double)(step + 1));
        }
        course->epoch++;
        REHA_TRY(recipe->end(recipe->context, course, sum / (double)steps, err));
    }
    return REHA_OK;
}
