/* Training speed on three graphs: images per second, memory, and the time of the first step.
 *
 *     train_bench [--batch N] [--threads N] [--steps N] [--precision f32|bf16] [--only NAME]
 *
 * Prints one JSON line per graph. bench/torch_train.py runs the same graphs in PyTorch;
 * bench/train_compare.sh alternates the two. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "nn/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct net {
    reha_graph *graph;
    reha_value_id at;
    int serial;
    reha_error err;
} net;

static void must(reha_status status, const reha_error *err)
{
    if (status != REHA_OK) {
        fprintf(stderr, "train_bench: %s\n", err->text);
        exit(3);
    }
}

static const char *name_of(net *n, const char *what)
{
    static char name[REHA_NN_NAME_BYTES];
    snprintf(name, sizeof name, "%s%d", what, n->serial++);
    return name;
}

static reha_value_id conv(net *n, reha_value_id in, int out, int kernel, int stride, int groups)
{
    must(reha_graph_add_conv(n->graph, name_of(n, "conv"), in, out,
                             reha_window_square(kernel, stride, kernel / 2), groups, false, &in, &n->err),
         &n->err);
    must(reha_graph_add_batch_norm(n->graph, name_of(n, "bn"), in, 1e-5F, &in, &n->err), &n->err);
    return in;
}

static reha_value_id unary(net *n, reha_value_id in, reha_op op)
{
    must(reha_graph_add_unary(n->graph, name_of(n, "u"), op, in, &in, &n->err), &n->err);
    return in;
}

static reha_value_id add(net *n, reha_value_id a, reha_value_id b)
{
    must(reha_graph_add_binary(n->graph, name_of(n, "add"), REHA_OP_ADD, a, b, &a, &n->err), &n->err);
    return a;
}

static reha_value_id head(net *n, reha_value_id in, int classes)
{
    in = unary(n, unary(n, in, REHA_OP_GLOBAL_AVERAGE_POOL), REHA_OP_FLATTEN);
    must(reha_graph_add_fully_connected(n->graph, "fc", in, classes, &in, &n->err), &n->err);
    return in;
}

static reha_value_id resnet18(net *n, reha_value_id v)
{
    v = unary(n, conv(n, v, 64, 7, 2, 1), REHA_OP_RELU);
    must(reha_graph_add_pool(n->graph, "pool", REHA_OP_MAX_POOL, v, reha_window_square(3, 2, 1), &v, &n->err),
         &n->err);
    for (int stage = 0; stage < 4; stage++) {
        for (int unit = 0; unit < 2; unit++) {
            const int stride = stage > 0 && unit == 0 ? 2 : 1, width = 64 << stage;
            const reha_value_id side = stride > 1 ? conv(n, v, width, 1, stride, 1) : v;
            v = conv(n, unary(n, conv(n, v, width, 3, stride, 1), REHA_OP_RELU), width, 3, 1, 1);
            v = unary(n, add(n, v, side), REHA_OP_RELU);
        }
    }
    return head(n, v, 5);
}

static reha_value_id mobilenet(net *n, reha_value_id v)
{
    static const int rows[7][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                   {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int width = 32;
    v = unary(n, conv(n, v, 32, 3, 2, 1), REHA_OP_RELU6);
    for (int r = 0; r < 7; r++) {
        for (int unit = 0; unit < rows[r][2]; unit++) {
            const int stride = unit == 0 ? rows[r][3] : 1, inner = width * rows[r][0];
            reha_value_id t = v;
            if (inner != width) {
                t = unary(n, conv(n, t, inner, 1, 1, 1), REHA_OP_RELU6);
            }
            t = unary(n, conv(n, t, inner, 3, stride, inner), REHA_OP_RELU6);
            t = conv(n, t, rows[r][1], 1, 1, 1);
            v = stride == 1 && width == rows[r][1] ? add(n, v, t) : t;
            width = rows[r][1];
        }
    }
    return head(n, unary(n, conv(n, v, 1280, 1, 1, 1), REHA_OP_RELU6), 5);
}

static reha_value_id double_conv(net *n, reha_value_id v, int width)
{
    v = unary(n, conv(n, v, width, 3, 1, 1), REHA_OP_RELU);
    return unary(n, conv(n, v, width, 3, 1, 1), REHA_OP_RELU);
}

static reha_value_id unet(net *n, reha_value_id v)
{
    enum { LEVELS = 4, WIDTH = 32 };
    reha_value_id skips[LEVELS];
    for (int i = 0; i < LEVELS; i++) {
        skips[i] = v = double_conv(n, v, WIDTH << i);
        must(reha_graph_add_pool(n->graph, name_of(n, "pool"), REHA_OP_MAX_POOL, v,
                                 reha_window_square(2, 2, 0), &v, &n->err),
             &n->err);
    }
    v = double_conv(n, v, WIDTH << LEVELS);
    for (int i = LEVELS - 1; i >= 0; i--) {
        must(reha_graph_add_conv_transpose(n->graph, name_of(n, "up"), v, WIDTH << i,
                                           reha_window_square(2, 2, 0), true, &v, &n->err),
             &n->err);
        const reha_value_id both[2] = {skips[i], v};
        must(reha_graph_add_concat(n->graph, name_of(n, "cat"), both, 2, &v, &n->err), &n->err);
        v = double_conv(n, v, WIDTH << i);
    }
    must(reha_graph_add_conv(n->graph, "mask", v, 1, reha_window_square(1, 1, 0), 1, true, &v, &n->err),
         &n->err);
    return v;
}

typedef struct model {
    const char *name;
    reha_value_id (*build)(net *n, reha_value_id in);
    int channels, height, width;
    reha_loss_kind loss;
} model;

static const model models[] = {
    {"resnet18", resnet18, 3, 224, 224, REHA_LOSS_CROSS_ENTROPY},
    {"mobilenetv2", mobilenet, 3, 224, 224, REHA_LOSS_CROSS_ENTROPY},
    {"unet", unet, 1, 256, 256, REHA_LOSS_BCE},
};

typedef struct settings {
    int batch, threads, steps;
    reha_precision precision;
    const char *only;
} settings;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Processor time of all threads: what a step costs, even while others use the machine. */
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const model *m, const settings *s, reha_trainer *trainer, const float *input,
                    const float *target, double ready_s)
{
    const float *inputs[1] = {input}, *targets[1] = {target};
    double *times_s = reha_alloc((size_t)s->steps * sizeof *times_s), loss = 0.0, used_s = 0.0;
    reha_error err = REHA_ERROR_INIT;
    for (int i = -2; i < s->steps; i++) {
        const double start_s = now_s(), start_cpu_s = cpu_s();
        must(reha_trainer_step(trainer, inputs, targets, NULL, 1e-4F, &loss, &err), &err);
        if (i >= 0) {
            times_s[i] = now_s() - start_s;
            used_s += cpu_s() - start_cpu_s;
        }
    }
    qsort(times_s, (size_t)s->steps, sizeof *times_s, by_value);
    printf(
        "{\"engine\":\"rehascope\",\"graph\":\"%s\",\"precision\":\"%s\",\"batch\":%d,\"threads\":%d,"
        "\"images_per_s\":%.1f,\"best_images_per_s\":%.1f,\"images_per_cpu_s\":%.1f,\"create_ms\":%.0f,\"memory_mib\":%.0f,"
        "\"rss_mib\":%.0f,\"loss\":%.4f}\n",
        m->name, reha_precision_name(s->precision), s->batch, s->threads, s->batch / times_s[s->steps / 2],
        s->batch / times_s[0], s->batch * s->steps / used_s, ready_s * 1e3,
        (double)reha_trainer_memory_bytes(trainer) / 1048576.0, (double)reha_mem_peak_rss_bytes() / 1048576.0,
        loss);
    fflush(stdout);
    reha_free(times_s);
}

static void run(const model *m, const settings *s)
{
    net n = {0};
    reha_random random = reha_random_init(1, 1);
    reha_trainer_options options = reha_trainer_options_default();
    reha_trainer *trainer = NULL;
    reha_value_id v;
    must(reha_graph_new(m->name, &n.graph, &n.err), &n.err);
    must(reha_graph_add_input(n.graph, "x", m->channels, m->height, m->width, &v, &n.err), &n.err);
    v = m->build(&n, v);
    must(reha_graph_mark_output(n.graph, v, "y", &n.err), &n.err);
    reha_graph_init_params(n.graph, &random);
    options.batch = s->batch;
    options.threads = s->threads;
    options.precision = s->precision;
    options.loss_count = 1;
    options.losses[0] = (reha_loss){.kind = m->loss, .weight = 1.0F};
    const double start_s = now_s();
    must(reha_trainer_new(n.graph, &options, &trainer, &n.err), &n.err);
    const double ready_s = now_s() - start_s;
    const size_t pixels = (size_t)s->batch * (size_t)(m->channels * m->height * m->width);
    const size_t targets = (size_t)s->batch * reha_shape_count(reha_graph_node(n.graph, v)->shape);
    float *input = reha_alloc(pixels * sizeof *input), *target = reha_alloc_zero(targets, sizeof *target);
    for (size_t i = 0; i < pixels; i++) {
        input[i] = (float)reha_random_range(&random, -1.0, 1.0);
    }
    for (size_t i = 0; i < targets; i++) {
        target[i] = m->loss == REHA_LOSS_BCE ? (float)(i / 7 % 2) : (i % 5 == i / 5 % 5 ? 1.0F : 0.0F);
    }
    measure(m, s, trainer, input, target, ready_s);
    reha_free(input);
    reha_free(target);
    reha_trainer_free(trainer);
    reha_graph_free(n.graph);
}

int main(int argc, char **argv)
{
    settings s = {.batch = 16, .threads = 2, .steps = 8, .precision = REHA_BF16};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--batch") == 0) {
            s.batch = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--threads") == 0) {
            s.threads = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--steps") == 0) {
            s.steps = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--precision") == 0) {
            s.precision = strcmp(argv[i + 1], "f32") == 0 ? REHA_F32 : REHA_BF16;
        } else if (strcmp(argv[i], "--only") == 0) {
            s.only = argv[i + 1];
        }
    }
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (s.only == NULL || strcmp(s.only, models[i].name) == 0) {
            run(&models[i], &s);
        }
    }
    return 0;
}
