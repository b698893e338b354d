/* The course of a training: epochs of steps, with everything that does not depend on what is learnt - the
 * rate's schedule, the fit to the time that the user gives, the progress line, the user's stop, the log, and
 * checkpoints to go on from. A recipe (recipe.h) brings the network, its pictures and what an epoch's end
 * measures.
 *
 * Every epoch is a function of (seed, epoch) alone, so that a resumed training repeats what it would have
 * done. A course is used by one thread; `fill` alone is called from several at once. */
#ifndef REHA_RECOGNITION_COURSE_H
#define REHA_RECOGNITION_COURSE_H

#include "base/text.h"
#include "nn/trainer.h"
#include "recognition/recogniser.h"

typedef struct reha_course reha_course;

/* What a recipe brings; all stay its own and must outlive the course. */
typedef struct reha_course_recipe {
    int batch;              /* pictures of a step */
    size_t steps_per_epoch; /* at least 1 */
    size_t steps_elsewhere; /* of an epoch in the other courses of the same training, such as other folds: for
                             * progress and planning */
    size_t steps_before;    /* of an epoch in those of them that are through */
    size_t picture_count;   /* to learn from: a checkpoint of another number is not gone on from */
    float peak_rate;        /* cosine to least_rate_share of it after a linear warm-up */
    float least_rate_share; /* 0: to nothing */
    int warmup_steps;       /* at most a quarter of all steps */
    int probe_steps;        /* after so many the number of epochs is fitted to options->minutes_max */
    double rest_share;      /* time of an epoch with what follows it, against its steps: 1.1 */
    const char *name;       /* "fold 2/4": begins progress lines; NULL: nothing to tell */
    const char *kept;       /* what a stop leaves: "finished epochs are kept" */
    const float *inputs[1]; /* one batch, as reha_trainer_step takes it; written by fill (course->inputs) */
    const float *targets[REHA_LOSSES_MAX]; /* one per loss */

    void *context; /* handed to the functions */
    /* Before the steps of an epoch, such as for its order; NULL: nothing to do. */
    void (*begin)(void *context, int epoch);
    /* Writes picture `position` of the epoch (0 to steps * batch - 1) into place `place` of the batch. */
    reha_status (*fill)(void *context, int epoch, size_t position, size_t place, reha_error *err);
    /* After the steps of an epoch, which course->epoch counts already: measures, adds a line to course->log,
     * saves. */
    reha_status (*end)(void *context, reha_course *course, double mean_loss, reha_error *err);
    /* More words for the progress line, such as the best figure so far; NULL: none. */
    void (*describe)(const void *context, char *out, size_t bytes);
} reha_course_recipe;

struct reha_course {
    const reha_train_options *options;
    const reha_progress *progress; /* NULL: nobody to tell */
    reha_trainer *trainer;         /* owned; made by the recipe */
    reha_course_recipe recipe;
    float *inputs;                   /* owned, from reha_course_make_room: one batch for `fill` to write */
    float *targets[REHA_LOSSES_MAX]; /* the same, one per loss */
    int epochs;                      /* of the schedule */
    int epoch;                       /* finished ones */
    bool is_planned;                 /* the number of epochs stands: it is not fitted to the time any more */
    double best;       /* for recipes that keep the best epoch: its figure; kept in checkpoints */
    double start_ms;   /* reha_clock_ms of the training's start, data included */
    double steps_ms;   /* spent in steps, in this process */
    size_t steps_done; /* in this process */
    reha_text log;     /* log.csv */
};

/* As many epochs as the user asked for, else `epochs`; the clock starts, the log has its first line,
 * log_head. The recipe sets trainer and recipe later, when its data are there. REHA_E_ARG: the options lack a
 * folder. reha_course_clear it. */
REHA_MUST_USE reha_status reha_course_start(const reha_train_options *options, const reha_progress *progress,
                                            int epochs, const char *log_head, reha_course *out,
                                            reha_error *err);
/* course->inputs and course->targets for `batch` pictures of so many numbers each, all 0; a recipe names them
 * in course->recipe. `target_counts` holds target_count (at most REHA_LOSSES_MAX) of them. Once a course. */
REHA_MUST_USE reha_status reha_course_make_room(reha_course *course, int batch, size_t input_count,
                                                const size_t *target_counts, int target_count,
                                                reha_error *err);
void reha_course_clear(reha_course *course);

/* Goes on from out_folder's checkpoint if options->resume says so. More options->epochs than the checkpoint
 * had lengthen the schedule: the rate goes on at the share of the way that is done. REHA_E_CONFLICT: it was
 * made with another seed or from another number of pictures. */
REHA_MUST_USE reha_status reha_course_resume(reha_course *course, reha_error *err);
/* All epochs that are left. REHA_E_CANCELLED when the user stops. */
REHA_MUST_USE reha_status reha_course_run(reha_course *course, reha_error *err);
/* checkpoint.bin and checkpoint.json, from a recipe's `end`. */
REHA_MUST_USE reha_status reha_course_save(const reha_course *course, reha_error *err);
/* log.csv */
REHA_MUST_USE reha_status reha_course_save_log(const reha_course *course, reha_error *err);
/* The averaged weights in a copy of `graph`; reha_graph_free it. */
REHA_MUST_USE reha_status reha_course_averaged(const reha_course *course, const reha_graph *graph,
                                               reha_graph **out, reha_error *err);
/* Since the training's start, for the log. */
double reha_course_seconds(const reha_course *course);

#endif
