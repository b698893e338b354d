/* `train gate`: from a folder with scenes.csv to the gate's network and card. Split "train" teaches, with
 * drawn pictures of the kinds that have few real ones; "cal" sets the limits of the card; "val" is measured
 * once, at the end. Every batch has each kind in a fixed share; the weights kept are the average at the end
 * of the schedule. */
#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/course.h"
#include "recognition/recipe.h"
#include "recognition/scene_augment.h"
#include "recognition/scene_priv.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH = 32,
    DEFAULT_EPOCHS = 32,
    STEPS_PER_EPOCH = 50,
    WARMUP_STEPS = 60,
    PROBE_STEPS = 10,
    BOOTSTRAP_ROUNDS = 1000,
    HEADS = 4,
    CAL_SEED = 7,
    VAL_SEED = 11
};
static const float PEAK_RATE = 1.0e-3F;
static const double REST_SHARE = 1.1; /* time of an epoch with what follows it, against its steps */

/* Share of a batch, and drawn pictures to train with (a third as many again for limits and measurement each).
 */
static const struct {
    double share;
    size_t drawn;
} plan[REHA_SCENE_KINDS] = {
    [REHA_SCENE_KNEE] = {0.17, 18},  [REHA_SCENE_LIMB] = {0.21, 0},    [REHA_SCENE_MUSCLE] = {0.15, 30},
    [REHA_SCENE_ECHO] = {0.08, 150}, [REHA_SCENE_SLICE] = {0.07, 120}, [REHA_SCENE_PHOTO] = {0.18, 600},
    [REHA_SCENE_PAGE] = {0.08, 150}, [REHA_SCENE_BLANK] = {0.06, 90},
};

static const reha_loss losses[HEADS] = {
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_KIND, .weight = 1.0F, .label_smoothing = 0.0F},
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_TURN, .weight = 0.6F},
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_TONE, .weight = 0.5F},
    {.kind = REHA_LOSS_CROSS_ENTROPY, .output = REHA_SCENE_OUT_FLAW, .weight = 0.6F},
};

typedef struct training {
    const reha_train_options *options;
    reha_scene_data train, cal, val;
    size_t *by_kind[REHA_SCENE_KINDS];     /* items of a kind, each as often as it repeats */
    size_t ticket_count[REHA_SCENE_KINDS]; /* of by_kind */
    size_t kind_count[REHA_SCENE_KINDS];   /* of items */
    reha_graph *graph;
    reha_course course;
} training;

/* ---- data ---- */

static reha_status draw_all(reha_scene_data *data, size_t divisor, uint64_t seed, reha_error *err)
{
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        if (plan[k].drawn > 0) {
            REHA_TRY(reha_scene_data_draw(data, (reha_scene_kind)k, plan[k].drawn / divisor, seed, err));
        }
    }
    return REHA_OK;
}

static reha_status load_all(training *run, reha_error *err)
{
    const reha_train_options *how = run->options;
    const uint64_t seed = how->seed;
    REHA_TRY(reha_scene_data_load(how->data_folder, "train", how->load, how->threads, &run->train, err));
    REHA_TRY(reha_scene_data_load(how->data_folder, "cal", how->load, how->threads, &run->cal, err));
    REHA_TRY(reha_scene_data_load(how->data_folder, "val", how->load, how->threads, &run->val, err));
    REHA_TRY(draw_all(&run->train, 1, seed, err));
    REHA_TRY(draw_all(&run->cal, 3, seed + CAL_SEED, err));
    return draw_all(&run->val, 3, seed + VAL_SEED, err);
}

static reha_status sort_by_kind(training *run, reha_error *err)
{
    for (size_t i = 0; i < run->train.count; i++) {
        run->kind_count[run->train.items[i].kind]++;
        run->ticket_count[run->train.items[i].kind] += run->train.items[i].repeat;
    }
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        if (run->kind_count[k] == 0) {
            return reha_fail(err, REHA_E_ARG, "no training picture of kind '%s': one of each is needed",
                             reha_scene_name((reha_scene_kind)k));
        }
        run->by_kind[k] = reha_alloc(run->ticket_count[k] * sizeof *run->by_kind[k]);
        if (run->by_kind[k] == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the order of pictures");
        }
        size_t ticket = 0;
        for (size_t i = 0; i < run->train.count; i++) {
            for (size_t r = 0;
                 run->train.items[i].kind == (reha_scene_kind)k && r < run->train.items[i].repeat; r++) {
                run->by_kind[k][ticket++] = i;
            }
        }
    }
    return REHA_OK;
}

/* ---- one batch ---- */

static reha_scene_kind draw_kind(reha_random *random)
{
    double left = reha_random_unit(random);
    int k = 0;
    while (k + 1 < REHA_SCENE_KINDS && left >= plan[k].share) {
        left -= plan[k].share;
        k++;
    }
    return (reha_scene_kind)k;
}

static reha_status fill(void *context, int epoch, size_t position, size_t place, reha_error *err)
{
    training *run = context;
    reha_gray *image = NULL;
    reha_scene_truth truth;
    reha_random random = reha_recipe_random(run->options, epoch, REHA_STREAM_AUGMENT + (uint64_t)position);
    const reha_scene_kind kind = draw_kind(&random);
    const size_t which = run->by_kind[kind][reha_random_below(&random, (uint32_t)run->ticket_count[kind])];
    REHA_TRY(reha_scene_vary(&run->train.items[which], false, &random, &image, &truth, err));
    const reha_status status =
        reha_scene_view(image, false, run->course.inputs + place * REHA_SCENE_INPUT, err);
    reha_gray_free(image);
    memcpy(run->course.targets[0] + place * REHA_SCENE_KINDS, truth.kinds, sizeof truth.kinds);
    memcpy(run->course.targets[1] + place * REHA_SCENE_TURNS, truth.turns, sizeof truth.turns);
    memcpy(run->course.targets[2] + place * 2, truth.tones, sizeof truth.tones);
    memcpy(run->course.targets[3] + place * REHA_SCENE_FLAWS, truth.flaws, sizeof truth.flaws);
    return status;
}

static reha_status end_epoch(void *context, reha_course *course, double mean_loss, reha_error *err)
{
    (void)context;
    reha_text_addf(&course->log, "%d,%.4f,%.1f\n", course->epoch, mean_loss, reha_course_seconds(course));
    REHA_TRY(reha_course_save(course, err));
    return reha_course_save_log(course, err);
}

/* ---- start and end ---- */

static reha_status start(training *run, reha_error *err)
{
    static const size_t sizes[HEADS] = {REHA_SCENE_KINDS, REHA_SCENE_TURNS, 2, REHA_SCENE_FLAWS};
    REHA_TRY(reha_folder_make(run->options->out_folder, err));
    REHA_TRY(load_all(run, err));
    REHA_TRY(sort_by_kind(run, err));
    REHA_TRY(reha_course_make_room(&run->course, BATCH, REHA_SCENE_INPUT, sizes, HEADS, err));
    REHA_TRY(reha_scene_network_new(run->options->backbone_folder, run->options->seed, &run->graph, err));
    reha_trainer_options how = reha_recipe_trainer(run->options, BATCH);
    how.weight_decay = 0.02F;
    how.clip_norm = 2.0F;
    how.ema_decay = 0.99F;
    how.loss_count = HEADS;
    memcpy(how.losses, losses, sizeof losses);
    float *const *targets = run->course.targets;
    run->course.recipe = (reha_course_recipe){.batch = BATCH,
                                              .steps_per_epoch = STEPS_PER_EPOCH,
                                              .picture_count = run->train.count,
                                              .peak_rate = PEAK_RATE,
                                              .warmup_steps = WARMUP_STEPS,
                                              .probe_steps = PROBE_STEPS,
                                              .rest_share = REST_SHARE,
                                              .kept = "finished epochs are kept",
                                              .inputs = {run->course.inputs},
                                              .targets = {targets[0], targets[1], targets[2], targets[3]},
                                              .context = run,
                                              .fill = fill,
                                              .end = end_epoch};
    return reha_trainer_new(run->graph, &how, &run->course.trainer, err);
}

static json_t *facts_of(const training *run)
{
    json_t *kinds = json_object();
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        (void)json_object_set_new(kinds, reha_scene_name((reha_scene_kind)k),
                                  json_pack("{s:i, s:i}", "real", (int)(run->kind_count[k] - plan[k].drawn),
                                            "drawn", (int)plan[k].drawn));
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:I, s:f, s:o, s:i, s:i, s:i, s:f, s:s}", "command",
                     run->options->command, "epochs", run->course.epochs, "steps_per_epoch", STEPS_PER_EPOCH,
                     "batch", BATCH, "seed", (json_int_t)run->options->seed, "peak_rate", (double)PEAK_RATE,
                     "train_pictures", kinds, "cal_pictures", (int)run->cal.count, "val_pictures",
                     (int)run->val.count, "optional_pictures_left_out",
                     (int)(run->train.left_out + run->cal.left_out + run->val.left_out), "seconds",
                     reha_course_seconds(&run->course), "software", "rehascope " REHA_VERSION);
}

reha_status scene_take_over_further(const reha_train_options *options, scene_eye *eye, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_scene_card base;
    if (options->base_folder == NULL) {
        return REHA_OK;
    }
    REHA_TRY(reha_scene_card_load(options->base_folder, &base, err));
    for (size_t i = 0; i < base.further_count; i++) {
        REHA_CHECK(reha_recipe_take_over(options, base.further[i], err));
    }
    REHA_CHECK(scene_eye_add_further(eye, &base, options->out_folder, options->threads, err));
done:
    reha_scene_card_clear(&base);
    return status;
}

/* The averaged network as a file, its features and limits, what `val` shows, the card. */
static reha_status finish(training *run, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *folded = NULL;
    char *path = NULL;
    scene_eye eye = {0};
    json_t *features = NULL;
    json_t *limits = NULL;
    json_t *metrics = NULL;
    json_t *facts = facts_of(run);
    reha_scene_card *card = reha_alloc_zero(1, sizeof *card);
    if (card == NULL || facts == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
        goto done;
    }
    REHA_CHECK(reha_trainer_read_params(run->course.trainer, run->graph, true, err));
    REHA_CHECK(reha_recipe_save_network(run->options, run->graph, "model.onnx", err));
    REHA_CHECK(reha_recipe_path(run->options, "model.onnx", &path, err));
    REHA_CHECK(reha_onnx_load(path, NULL, &folded, err)); /* limits of the weights as they are stored */
    REHA_CHECK(scene_eye_init(&eye, folded, run->options->threads, err));
    REHA_CHECK(scene_take_over_further(run->options, &eye, err));
    REHA_CHECK(scene_fit(&eye, &run->train, &run->cal, run->options->seed, card, err));
    REHA_CHECK(scene_measure(&eye, card, &run->val, BOOTSTRAP_ROUNDS, 1, &metrics, err));
    REHA_CHECK(reha_scene_card_numbers(card, &features, &limits, err));
    REHA_CHECK(reha_scene_card_write(run->options->base_folder, run->options->out_folder, facts, features,
                                     limits, metrics, err));
done:
    json_decref(facts);
    json_decref(features);
    json_decref(limits);
    json_decref(metrics);
    scene_eye_clear(&eye);
    reha_graph_free(folded);
    reha_free(path);
    reha_free(card);
    return status;
}

reha_status scene_train(const reha_train_options *options, const reha_progress *progress, reha_error *err)
{
    reha_status status = REHA_OK;
    training run = {.options = options};
    REHA_CHECK(
        reha_course_start(options, progress, DEFAULT_EPOCHS, "epoch,loss,seconds\n", &run.course, err));
    REHA_CHECK(start(&run, err));
    REHA_CHECK(reha_course_resume(&run.course, err));
    REHA_CHECK(reha_course_run(&run.course, err));
    REHA_CHECK(finish(&run, err));
done:
    reha_course_clear(&run.course);
    reha_graph_free(run.graph);
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        reha_free(run.by_kind[k]);
    }
    reha_scene_data_clear(&run.train);
    reha_scene_data_clear(&run.cal);
    reha_scene_data_clear(&run.val);
    return status;
}
