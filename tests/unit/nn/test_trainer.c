/* The trainer as its users see it: learning, repeatability, freezing, averages, checkpoints, refusals. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "nn/trainer_priv.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 8, SIDE = 12, CLASSES = 3, PIXELS = BATCH * SIDE * SIDE };

static reha_error err;

/* Stem, depth-wise unit with a residual, two strides, dropout: a small network of all common parts. */
static reha_graph *small_net(uint64_t seed)
{
    reha_graph *graph = NULL;
    reha_value_id v, side;
    reha_random random = reha_random_init(seed, 1);
    assert_ok(reha_graph_new("small", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 1, SIDE, SIDE, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "stem", v, 12, reha_window_square(3, 2, 1), 1, false, &v, &err),
              &err);
    assert_ok(reha_graph_add_batch_norm(graph, "bn1", v, 1e-5F, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "r1", REHA_OP_RELU, v, &side, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "deep", side, 12, reha_window_square(3, 1, 1), 12, false, &v, &err),
              &err);
    assert_ok(reha_graph_add_batch_norm(graph, "bn2", v, 1e-5F, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "r2", REHA_OP_RELU6, v, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "point", v, 12, reha_window_square(1, 1, 0), 1, true, &v, &err),
              &err);
    assert_ok(reha_graph_add_binary(graph, "add", REHA_OP_ADD, v, side, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "last", v, 20, reha_window_square(3, 2, 1), 1, false, &v, &err),
              &err);
    assert_ok(reha_graph_add_batch_norm(graph, "bn3", v, 1e-5F, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "r3", REHA_OP_RELU, v, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "pool", REHA_OP_GLOBAL_AVERAGE_POOL, v, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "flat", REHA_OP_FLATTEN, v, &v, &err), &err);
    assert_ok(reha_graph_add_dropout(graph, "drop", v, 0.1F, &v, &err), &err);
    assert_ok(reha_graph_add_fully_connected(graph, "fc", v, CLASSES, &v, &err), &err);
    assert_ok(reha_graph_mark_output(graph, v, "y", &err), &err);
    reha_graph_init_params(graph, &random);
    return graph;
}

static reha_trainer_options options_of(reha_precision precision)
{
    reha_trainer_options options = reha_trainer_options_default();
    options.batch = BATCH;
    options.threads = 2;
    options.precision = precision;
    options.seed = 5;
    options.loss_count = 1;
    options.losses[0] = (reha_loss){.kind = REHA_LOSS_CROSS_ENTROPY, .weight = 1.0F};
    return options;
}

static reha_trainer *trainer_of(const reha_graph *graph, const reha_trainer_options *options)
{
    reha_trainer *trainer = NULL;
    assert_ok(reha_trainer_new(graph, options, &trainer, &err), &err);
    return trainer;
}

/* Stripes along one of three directions, at a random place, in noise. */
static void draw_batch(reha_random *random, float *pixels, float *target)
{
    memset(target, 0, (size_t)(BATCH * CLASSES) * sizeof *target);
    for (int i = 0; i < BATCH; i++) {
        const uint32_t label = reha_random_below(random, CLASSES);
        const uint32_t phase = reha_random_below(random, 4);
        target[i * CLASSES + (int)label] = 1.0F;
        for (uint32_t y = 0; y < SIDE; y++) {
            for (uint32_t x = 0; x < SIDE; x++) {
                const uint32_t along = (label == 0 ? y : label == 1 ? x : x + y) + phase;
                pixels[((uint32_t)i * SIDE + y) * SIDE + x] =
                    (along / 2 % 2 == 0 ? 1.0F : -1.0F) + (float)(0.3 * reha_random_normal(random));
            }
        }
    }
}

/* Trains for `steps` batches of the sequence `seed` and returns the mean loss of the last ten. */
static double train(reha_trainer *trainer, uint64_t seed, int skip, int steps, float rate)
{
    float pixels[PIXELS], target[BATCH * CLASSES];
    const float *inputs[1] = {pixels}, *targets[1] = {target};
    reha_random random = reha_random_init(seed, 2);
    double late = 0.0;
    for (int i = 0; i < skip + steps; i++) {
        double loss = NAN;
        draw_batch(&random, pixels, target);
        if (i >= skip) {
            assert_ok(reha_trainer_step(trainer, inputs, targets, NULL, rate, &loss, &err), &err);
            late += i >= skip + steps - 10 ? loss / 10.0 : 0.0;
        }
    }
    return late;
}

static const float *values_of(const reha_graph *graph, const char *name)
{
    const int index = reha_graph_find_param(graph, name);
    assert_true(index >= 0);
    return reha_graph_param(graph, index)->values;
}

static bool same_params(const reha_graph *a, const reha_graph *b)
{
    for (int i = 0; i < reha_graph_param_count(a); i++) {
        const reha_param *p = reha_graph_param(a, i), *q = reha_graph_param(b, i);
        if (memcmp(p->values, q->values, reha_shape_count(p->shape) * sizeof(float)) != 0) {
            return false;
        }
    }
    return true;
}

static void learns(reha_precision precision, reha_optimizer optimizer, float rate)
{
    reha_graph *graph = small_net(1);
    reha_trainer_options options = options_of(precision);
    options.optimizer = optimizer;
    reha_trainer *trainer = trainer_of(graph, &options);
    const double early = train(trainer, 1, 0, 10, rate), late = train(trainer, 1, 10, 90, rate);
    if (!(late < 0.15 && late < early)) {
        fail_msg("%s: loss %g at first, %g in the end", reha_precision_name(precision), early, late);
    }
    assert_int_equal(reha_trainer_skipped(trainer), 0);
    assert_true(reha_trainer_memory_bytes(trainer) > 10000);
    reha_trainer_free(trainer);
    reha_graph_free(graph);
}

static void test_learns(void **state)
{
    (void)state;
    learns(REHA_F32, REHA_ADAMW, 0.01F);
    learns(REHA_BF16, REHA_ADAMW, 0.01F); /* f32 where bf16 is slow */
    learns(REHA_F32, REHA_SGD, 0.03F);
    learns(REHA_BF16, REHA_SGD, 0.03F);
}

static void repeats(reha_precision precision)
{
    reha_graph *first = small_net(1), *second = small_net(1);
    reha_trainer_options options = options_of(precision);
    options.ema_decay = 0.9F;
    options.clip_norm = 1.0F;
    reha_graph *graphs[2] = {first, second};
    for (int i = 0; i < 2; i++) {
        reha_trainer *trainer = trainer_of(graphs[i], &options);
        (void)train(trainer, 4, 0, 12, 0.01F);
        assert_ok(reha_trainer_read_params(trainer, graphs[i], true, &err), &err);
        reha_trainer_free(trainer);
    }
    assert_true(same_params(first, second));
    options.seed++; /* another dropout */
    reha_graph *third = small_net(1);
    reha_trainer *trainer = trainer_of(third, &options);
    (void)train(trainer, 4, 0, 12, 0.01F);
    assert_ok(reha_trainer_read_params(trainer, third, true, &err), &err);
    assert_false(same_params(first, third));
    reha_trainer_free(trainer);
    reha_graph_free(first);
    reha_graph_free(second);
    reha_graph_free(third);
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    repeats(REHA_F32);
    repeats(REHA_BF16);
}

/* Frozen parts keep every bit, what lies above learns, and nothing is kept for their gradients. */
static void test_frozen(void **state)
{
    reha_graph *graph = small_net(1), *before = small_net(1);
    reha_trainer_options options = options_of(REHA_F32);
    reha_trainer *whole = trainer_of(graph, &options);
    (void)state;
    for (int i = 0; i < reha_graph_param_count(graph); i++) {
        reha_param *param = reha_graph_param_mutable(graph, i);
        if (strncmp(param->name, "stem", 4) == 0 || strncmp(param->name, "bn1", 3) == 0 ||
            strncmp(param->name, "deep", 4) == 0 || strncmp(param->name, "bn2", 3) == 0) {
            param->is_trainable = false;
        }
    }
    reha_graph_node_mutable(graph, reha_graph_find_node(graph, "bn1"))->is_frozen = true;
    reha_graph_node_mutable(graph, reha_graph_find_node(graph, "bn2"))->is_frozen = true;
    reha_trainer *partly = trainer_of(graph, &options);
    assert_true(reha_trainer_memory_bytes(partly) < reha_trainer_memory_bytes(whole));
    (void)train(partly, 1, 0, 5, 0.01F);
    assert_ok(reha_trainer_read_params(partly, graph, false, &err), &err);
    const char *kept[] = {"stem.weight",  "bn1.scale",   "bn1.shift", "bn1.mean",
                          "bn1.variance", "deep.weight", "bn2.mean"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        const int index = reha_graph_find_param(graph, kept[i]);
        assert_memory_equal(values_of(graph, kept[i]), values_of(before, kept[i]),
                            reha_shape_count(reha_graph_param(graph, index)->shape) * sizeof(float));
    }
    assert_true(values_of(graph, "point.weight")[0] != values_of(before, "point.weight")[0]);
    assert_true(values_of(graph, "bn3.mean")[0] != values_of(before, "bn3.mean")[0]);
    float gradient[12 * 9];
    assert_int_equal(
        reha_trainer_read_gradient(partly, reha_graph_find_param(graph, "stem.weight"), gradient, &err),
        REHA_E_ARG);
    reha_trainer_free(whole);
    reha_trainer_free(partly);
    reha_graph_free(graph);
    reha_graph_free(before);
}

/* A frozen batch-norm inside training uses its running statistics, as at inference. */
static void test_all_frozen_but_head(void **state)
{
    reha_graph *graph = small_net(1);
    reha_trainer_options options = options_of(REHA_BF16);
    (void)state;
    for (int i = 0; i < reha_graph_param_count(graph); i++) {
        reha_param *param = reha_graph_param_mutable(graph, i);
        param->is_trainable = strncmp(param->name, "fc", 2) == 0;
    }
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        reha_graph_node_mutable(graph, i)->is_frozen = true;
    }
    reha_trainer *trainer = trainer_of(graph, &options);
    const double early = train(trainer, 1, 0, 10, 0.05F), late = train(trainer, 1, 10, 100, 0.05F);
    assert_true(late < early);
    reha_trainer_free(trainer);
    reha_graph_free(graph);
}

/* y = w x + b on one number: every update rule can be followed by hand. */
static reha_graph *line_net(void)
{
    reha_graph *graph = NULL;
    reha_value_id v;
    assert_ok(reha_graph_new("line", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 1, 1, 1, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "flat", REHA_OP_FLATTEN, v, &v, &err), &err);
    assert_ok(reha_graph_add_fully_connected(graph, "fc", v, 1, &v, &err), &err);
    assert_ok(reha_graph_mark_output(graph, v, "y", &err), &err);
    reha_graph_param_mutable(graph, 0)->values[0] = 2.0F;
    return graph;
}

static void line_step(reha_trainer *trainer, reha_graph *graph, float rate, bool use_ema)
{
    const float x[1] = {3.0F}, t[1] = {5.0F}; /* y = 6, error 1, dL/dw = 2 * 3 = 6, dL/db = 2 */
    const float *inputs[1] = {x}, *targets[1] = {t};
    double loss;
    assert_ok(reha_trainer_step(trainer, inputs, targets, NULL, rate, &loss, &err), &err);
    assert_ok(reha_trainer_read_params(trainer, graph, use_ema, &err), &err);
}

static bool near(float a, double b)
{
    return fabs((double)a - b) < 1e-5;
}

static void test_updates_by_hand(void **state)
{
    reha_graph *graph = line_net();
    reha_trainer_options options = options_of(REHA_F32);
    (void)state;
    options.batch = 1;
    options.losses[0].kind = REHA_LOSS_MSE;
    options.optimizer = REHA_SGD;
    options.beta1 = 0.5F;
    options.weight_decay = 0.1F;
    reha_trainer *trainer = trainer_of(graph, &options);
    line_step(trainer, graph, 0.01F, false);
    assert_true(near(values_of(graph, "fc.weight")[0], 2.0 - 0.01 * 0.1 * 2.0 - 0.01 * 6.0));
    assert_true(near(values_of(graph, "fc.bias")[0], -0.01 * 2.0)); /* a bias does not decay */
    reha_trainer_free(trainer);
    reha_graph_free(graph);

    graph = line_net();
    options.optimizer = REHA_ADAMW;
    options.beta1 = 0.9F;
    options.clip_norm = 1.0F; /* the norm is sqrt(40): Adam's first step does not care */
    options.ema_decay = 0.99F;
    reha_graph_param_mutable(graph, 1)->learning_rate_ratio = 0.5F;
    trainer = trainer_of(graph, &options);
    line_step(trainer, graph, 0.01F, false);
    const double weight = 2.0 - 0.01 * 0.1 * 2.0 - 0.01;
    assert_true(near(values_of(graph, "fc.weight")[0], weight));
    assert_true(near(values_of(graph, "fc.bias")[0], -0.005));
    assert_ok(reha_trainer_read_params(trainer, graph, true, &err), &err);
    const double decay = 2.0 / 11.0; /* warm-up: min(0.99, (1 + t) / (10 + t)) at t = 1 */
    assert_true(near(values_of(graph, "fc.weight")[0], decay * 2.0 + (1.0 - decay) * weight));
    reha_trainer_free(trainer);
    reha_graph_free(graph);
}

static void test_clipping(void **state)
{
    reha_graph *graph = line_net();
    reha_trainer_options options = options_of(REHA_F32);
    (void)state;
    options.batch = 1;
    options.losses[0].kind = REHA_LOSS_MSE;
    options.optimizer = REHA_SGD;
    options.weight_decay = 0.0F;
    options.clip_norm = 1.0F;
    reha_trainer *trainer = trainer_of(graph, &options);
    line_step(trainer, graph, 0.1F, false);
    assert_true(near(values_of(graph, "fc.weight")[0], 2.0 - 0.1 * 6.0 / sqrt(40.0)));
    reha_trainer_free(trainer);
    reha_graph_free(graph);
}

/* A batch with a NaN changes nothing: no weight, no running statistic, no average. */
static void skips_bad_batch(reha_precision precision)
{
    reha_graph *graph = small_net(1), *after = small_net(1);
    reha_trainer_options options = options_of(precision);
    float pixels[PIXELS] = {0}, target[BATCH * CLASSES];
    const float *inputs[1] = {pixels}, *targets[1] = {target};
    reha_random random = reha_random_init(1, 1);
    double loss;
    options.ema_decay = 0.5F;
    reha_trainer *trainer = trainer_of(graph, &options);
    (void)train(trainer, 1, 0, 2, 0.01F);
    assert_ok(reha_trainer_read_params(trainer, graph, false, &err), &err);
    draw_batch(&random, pixels, target);
    pixels[77] = NAN;
    assert_ok(reha_trainer_step(trainer, inputs, targets, NULL, 0.01F, &loss, &err), &err);
    assert_false(isfinite(loss));
    assert_int_equal(reha_trainer_skipped(trainer), 1);
    assert_ok(reha_trainer_read_params(trainer, after, false, &err), &err);
    assert_true(same_params(graph, after));
    (void)train(trainer, 1, 2, 2, 0.01F);
    assert_int_equal(reha_trainer_skipped(trainer), 1);
    reha_trainer_free(trainer);
    reha_graph_free(graph);
    reha_graph_free(after);
}

static void test_bad_batch(void **state)
{
    (void)state;
    skips_bad_batch(REHA_F32);
    skips_bad_batch(REHA_BF16);
}

/* After one step: running = 0.75 * old + 0.25 * batch's, variance unbiased. */
static void test_running_statistics(void **state)
{
    reha_graph *graph = NULL;
    reha_value_id v;
    reha_trainer_options options = options_of(REHA_F32);
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, t[8] = {0};
    const float *inputs[1] = {x}, *targets[1] = {t};
    double loss;
    (void)state;
    assert_ok(reha_graph_new("bn", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 1, 2, 2, &v, &err), &err);
    assert_ok(reha_graph_add_batch_norm(graph, "bn", v, 1e-5F, &v, &err), &err);
    assert_ok(reha_graph_mark_output(graph, v, "y", &err), &err);
    options.batch = 2;
    options.batch_norm_momentum = 0.25F;
    options.losses[0].kind = REHA_LOSS_MSE;
    reha_trainer *trainer = trainer_of(graph, &options);
    float y[8];
    assert_int_equal(reha_trainer_read_output(trainer, 0, y, &err), REHA_E_ARG); /* nothing has run */
    assert_ok(reha_trainer_step(trainer, inputs, targets, NULL, 0.0F, &loss, &err), &err);
    assert_ok(reha_trainer_read_params(trainer, graph, false, &err), &err);
    assert_true(near(values_of(graph, "bn.mean")[0], 0.25 * 4.5));
    assert_true(near(values_of(graph, "bn.variance")[0], 0.75 + 0.25 * 6.0));
    assert_ok(reha_trainer_read_output(trainer, 0, y, &err), &err);
    assert_true(fabs((double)y[7] - 3.5 / sqrt(5.25)) < 1e-4);
    assert_int_equal(reha_trainer_read_output(trainer, 1, y, &err), REHA_E_ARG);
    reha_trainer_free(trainer);
    reha_graph_free(graph);
}

static void test_image_weights(void **state)
{
    reha_graph *graph = line_net(), *alone = line_net();
    reha_trainer_options options = options_of(REHA_F32);
    const float x[2] = {3.0F, 100.0F}, t[2] = {5.0F, 0.0F}, weights[2] = {2.0F, 0.0F}, bad[2] = {1.0F, NAN};
    const float *inputs[1] = {x}, *targets[1] = {t};
    double loss;
    (void)state;
    options.losses[0].kind = REHA_LOSS_MSE;
    options.batch = 1;
    reha_trainer *one = trainer_of(alone, &options);
    line_step(one, alone, 0.01F, false);
    options.batch = 2;
    reha_trainer *two = trainer_of(graph, &options);
    assert_int_equal(reha_trainer_step(two, inputs, targets, bad, 0.01F, &loss, &err), REHA_E_ARG);
    assert_int_equal(reha_trainer_step(two, inputs, targets, weights, NAN, &loss, &err), REHA_E_ARG);
    assert_ok(reha_trainer_step(two, inputs, targets, weights, 0.01F, &loss, &err), &err);
    assert_true(fabs(loss - 1.0) < 1e-6); /* the second image does not count */
    assert_ok(reha_trainer_read_params(two, graph, false, &err), &err);
    assert_true(near(values_of(graph, "fc.weight")[0], (double)values_of(alone, "fc.weight")[0]));
    reha_trainer_free(one);
    reha_trainer_free(two);
    reha_graph_free(graph);
    reha_graph_free(alone);
}

/* ---- checkpoints ---- */

static void expect_load(const reha_graph *graph, const reha_trainer_options *options, const char *path,
                        reha_status expected, const char *text)
{
    reha_trainer *trainer = trainer_of(graph, options);
    reha_graph *before = NULL, *after = NULL;
    assert_ok(reha_graph_copy(graph, &before, &err), &err);
    assert_ok(reha_graph_copy(graph, &after, &err), &err);
    assert_ok(reha_trainer_read_params(trainer, before, false, &err), &err);
    err.text[0] = '\0';
    assert_int_equal(reha_trainer_load(trainer, path, &err), expected);
    if (strstr(err.text, text) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", text, err.text);
    }
    assert_ok(reha_trainer_read_params(trainer, after, false, &err), &err);
    assert_true(same_params(before, after)); /* a refused file changes nothing */
    reha_trainer_free(trainer);
    reha_graph_free(before);
    reha_graph_free(after);
}

static void damage(const char *path, const char *copy, size_t at, size_t keep)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    assert_ok(reha_file_load(path, 1 << 24, &bytes, &count, &err), &err);
    bytes[at % count] ^= 0x10U;
    assert_ok(reha_file_save(copy, bytes, keep < count ? keep : count, &err), &err);
    reha_free(bytes);
}

static void resumes(reha_precision precision, const char *path)
{
    reha_graph *graph = small_net(1), *straight = small_net(1), *resumed = small_net(1);
    reha_trainer_options options = options_of(precision);
    options.ema_decay = 0.9F;
    reha_trainer *first = trainer_of(graph, &options);
    (void)train(first, 6, 0, 4, 0.01F);
    assert_ok(reha_trainer_save(first, path, &err), &err);
    (void)train(first, 6, 4, 4, 0.01F);
    reha_trainer *second = trainer_of(graph, &options);
    assert_ok(reha_trainer_load(second, path, &err), &err);
    (void)train(second, 6, 4, 4, 0.01F);
    for (int ema = 0; ema < 2; ema++) {
        assert_ok(reha_trainer_read_params(first, straight, ema == 1, &err), &err);
        assert_ok(reha_trainer_read_params(second, resumed, ema == 1, &err), &err);
        assert_true(same_params(straight, resumed));
    }
    reha_trainer_free(first);
    reha_trainer_free(second);
    reha_graph_free(graph);
    reha_graph_free(straight);
    reha_graph_free(resumed);
}

static void test_checkpoint(void **state)
{
    char folder[] = "/tmp/reha-checkpoint-XXXXXX", path[64], copy[64];
    reha_graph *graph = small_net(1), *other = line_net();
    reha_trainer_options options = options_of(REHA_F32), line_options = options;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(copy, sizeof copy, "%s/b", folder);
    resumes(REHA_F32, path);
    resumes(REHA_BF16, path);
    expect_load(graph, &options, path, REHA_E_CONFLICT, "another network"); /* it has averages */
    options.ema_decay = 0.9F;
    for (size_t at = 0; at < 100000; at += 997) { /* header, weights, moments, checksum */
        damage(path, copy, at, SIZE_MAX);
        expect_load(graph, &options, copy, REHA_E_FORMAT, at == 0 ? "no checkpoint" : "damaged");
    }
    for (size_t keep = 0; keep < 200; keep += 13) {
        damage(path, copy, 0, keep);
        expect_load(graph, &options, copy, REHA_E_FORMAT, "no checkpoint");
    }
    damage(path, copy, 8, SIZE_MAX);
    expect_load(graph, &options, copy, REHA_E_UNSUPPORTED, "version");
    options.optimizer = REHA_SGD;
    expect_load(graph, &options, path, REHA_E_CONFLICT, "another network");
    line_options.losses[0].kind = REHA_LOSS_MSE;
    expect_load(other, &line_options, path, REHA_E_CONFLICT, "another network");
    expect_load(other, &line_options, folder, REHA_E_FORMAT, "");
    expect_load(other, &line_options, "/nowhere/x", REHA_E_NOT_FOUND, "");
    unlink(path);
    unlink(copy);
    rmdir(folder);
    reha_graph_free(graph);
    reha_graph_free(other);
}

/* ---- refusals ---- */

static void expect_new(const reha_graph *graph, const reha_trainer_options *options, const char *text)
{
    reha_trainer *trainer = (reha_trainer *)&err;
    err.text[0] = '\0';
    const reha_status status = reha_trainer_new(graph, options, &trainer, &err);
    assert_true(status == REHA_E_ARG || status == REHA_E_UNSUPPORTED);
    assert_null(trainer);
    if (strstr(err.text, text) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", text, err.text);
    }
}

static void test_bad_options(void **state)
{
    reha_graph *graph = small_net(1), *empty = NULL;
    const reha_trainer_options good = options_of(REHA_F32);
    reha_trainer_options o = good;
    (void)state;
    assert_ok(reha_graph_new("empty", &empty, &err), &err);
#define EXPECT(change, text)                                                                                 \
    o = good;                                                                                                \
    o.change;                                                                                                \
    expect_new(graph, &o, text)
    EXPECT(batch = 0, "batch 0");
    EXPECT(batch = 1 << 20, "batch");
    EXPECT(threads = -1, "threads");
    EXPECT(precision = REHA_INT8, "int8");
    EXPECT(beta1 = 1.0F, "beta1");
    EXPECT(beta2 = NAN, "beta2");
    EXPECT(epsilon = 0.0F, "epsilon");
    EXPECT(weight_decay = -1.0F, "weight_decay");
    EXPECT(clip_norm = INFINITY, "clip_norm");
    EXPECT(ema_decay = 1.0F, "ema_decay");
    EXPECT(batch_norm_momentum = 1.5F, "momentum");
    EXPECT(loss_count = 0, "0 losses");
    EXPECT(loss_count = 5, "5 losses");
    EXPECT(losses[0].output = 1, "output 1");
    EXPECT(losses[0].output = -1, "output -1");
    EXPECT(losses[0].weight = -1.0F, "weight of a loss");
    EXPECT(losses[0].label_smoothing = 1.0F, "label_smoothing");
    EXPECT(losses[0].kind = REHA_LOSS_HEATMAP, "does not fit");
    EXPECT(losses[0].kind = (reha_loss_kind)99, "does not fit");
#undef EXPECT
    expect_new(empty, &good, "output");
    reha_graph_free(graph);
    reha_graph_free(empty);
}

static void test_other_graph(void **state)
{
    reha_graph *graph = small_net(1), *line = line_net();
    const reha_trainer_options options = options_of(REHA_F32);
    reha_trainer *trainer = trainer_of(graph, &options);
    float unused[8];
    (void)state;
    assert_int_equal(reha_trainer_read_params(trainer, line, false, &err), REHA_E_CONFLICT);
    assert_int_equal(reha_trainer_read_gradient(trainer, 999, unused, &err), REHA_E_ARG);
    assert_int_equal(reha_trainer_read_gradient(trainer, -1, unused, &err), REHA_E_ARG);
    reha_trainer_free(trainer);
    reha_trainer_free(NULL);
    reha_graph_free(graph);
    reha_graph_free(line);
}

static void test_rates(void **state)
{
    (void)state;
    assert_true(near(reha_cosine_rate(1.0F, 0, 4, 20), 0.25));
    assert_true(near(reha_cosine_rate(1.0F, 3, 4, 20), 1.0));
    assert_true(near(reha_cosine_rate(1.0F, 4, 4, 20), 1.0));
    assert_true(near(reha_cosine_rate(1.0F, 12, 4, 20), 0.5));
    assert_true(reha_cosine_rate(1.0F, 19, 4, 20) < 0.02F && reha_cosine_rate(1.0F, 19, 4, 20) > 0.0F);
    assert_true(reha_cosine_rate(1.0F, 20, 4, 20) == 0.0F);
    assert_true(reha_cosine_rate(1.0F, -1, 4, 20) == 0.0F);
    assert_true(near(reha_cosine_rate(2.0F, 0, 0, 1), 2.0));
}

/* Down, up again by a transposed convolution, and joined: what U-Nets are made of. */
static reha_graph *ladder_net(void)
{
    reha_graph *graph = NULL;
    reha_value_id v, parts[2];
    reha_random random = reha_random_init(3, 1);
    assert_ok(reha_graph_new("ladder", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 1, SIDE, SIDE, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "a", v, 4, reha_window_square(3, 1, 1), 1, true, &parts[0], &err),
              &err);
    assert_ok(
        reha_graph_add_pool(graph, "p", REHA_OP_MAX_POOL, parts[0], reha_window_square(2, 2, 0), &v, &err),
        &err);
    assert_ok(
        reha_graph_add_conv_transpose(graph, "t", v, 4, reha_window_square(2, 2, 0), true, &parts[1], &err),
        &err);
    assert_ok(reha_graph_add_concat(graph, "j", parts, 2, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "m", v, 1, reha_window_square(1, 1, 0), 1, true, &v, &err), &err);
    assert_ok(reha_graph_mark_output(graph, v, "y", &err), &err);
    reha_graph_init_params(graph, &random);
    return graph;
}

/* Learns to mark the bright pixels, in each precision. */
static void test_learns_masks(void **state)
{
    float pixels[PIXELS], mask[PIXELS];
    const float *inputs[1] = {pixels}, *targets[1] = {mask};
    reha_random random = reha_random_init(8, 1);
    (void)state;
    for (int i = 0; i < PIXELS; i++) {
        pixels[i] = (float)reha_random_range(&random, -1, 1);
        mask[i] = (float)(pixels[i] > 0.0F);
    }
    for (int half = 0; half < 2; half++) {
        reha_graph *graph = ladder_net();
        reha_trainer_options options = options_of(half ? REHA_BF16 : REHA_F32);
        double loss = NAN;
        options.losses[0].kind = REHA_LOSS_BCE_DICE;
        reha_trainer *trainer = trainer_of(graph, &options);
        for (int i = 0; i < 150; i++) {
            assert_ok(reha_trainer_step(trainer, inputs, targets, NULL, 0.03F, &loss, &err), &err);
        }
        assert_true(loss < 0.5); /* 1.2 at first */
        reha_trainer_free(trainer);
        reha_graph_free(graph);
    }
}

/* Every allocation of the creation fails once; nothing stays behind. */
static void runs_out(reha_graph *graph, reha_loss_kind kind)
{
    reha_trainer_options options = options_of(REHA_F32);
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    long rounds = 0;
    options.losses[0].kind = kind;
    options.ema_decay = 0.9F;
    options.threads = 1;
    while (status != REHA_OK) {
        reha_trainer *trainer = NULL;
        reha_mem_fail_after(rounds++);
        status = reha_trainer_new(graph, &options, &trainer, NULL);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_true((trainer != NULL) == (status == REHA_OK));
        reha_trainer_free(trainer);
        assert_int_equal(reha_mem_live_blocks(), blocks);
    }
    assert_true(rounds > 100);
    reha_graph_free(graph);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    runs_out(small_net(1), REHA_LOSS_CROSS_ENTROPY);
    runs_out(ladder_net(), REHA_LOSS_BCE_DICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),          cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_frozen),          cmocka_unit_test(test_all_frozen_but_head),
        cmocka_unit_test(test_updates_by_hand), cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_bad_batch),       cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_image_weights),   cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_bad_options),     cmocka_unit_test(test_other_graph),
        cmocka_unit_test(test_rates),           cmocka_unit_test(test_learns_masks),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
}
