/* Inference of three graphs, one process for one setting, driven by bench/infer_compare.js.
 *
 *     infer_bench export DIR                      NAME.onnx with random weights, NAME.ranges.json for int8
 *     infer_bench serve DIR NAME PRECISION BATCH THREADS
 *
 * `serve` loads a model, prints one JSON line, then for each line on standard input runs once and
 * prints the milliseconds it took, by the clock and of processor time. */
#include "base/clock.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "nn/quantize.h"
#include "nn/session.h"
#include "nn/zoo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALIBRATION_IMAGES = 8 };

static void must(reha_status status, const reha_error *err)
{
    if (status != REHA_OK) {
        fprintf(stderr, "infer_bench: %s\n", err->text);
        exit(3);
    }
}

static const struct {
    const char *name;
    int channels, side_px;
} nets[] = {{"resnet18", 3, 224}, {"mobilenetv2", 3, 224}, {"unet", 1, 256}};

/* Weights as after training: He, and batch-norms with statistics of their own. */
static void fill(reha_graph *graph)
{
    reha_random random = reha_random_init(1, 1);
    reha_graph_init_params(graph, &random);
    for (int p = 0; p < reha_graph_param_count(graph); p++) {
        reha_param *param = reha_graph_param_mutable(graph, p);
        const char *kind = strrchr(param->name, '.');
        for (size_t i = 0; i < reha_shape_count(param->shape); i++) {
            if (strcmp(kind, ".variance") == 0 || strcmp(kind, ".scale") == 0) {
                param->values[i] = (float)reha_random_range(&random, 0.7, 1.2);
            } else if (strcmp(kind, ".weight") != 0) {
                param->values[i] = (float)(0.1 * reha_random_normal(&random));
            }
        }
    }
}

static reha_graph *build(int which)
{
    reha_error err = REHA_ERROR_INIT;
    reha_graph *graph = NULL;
    reha_value_id x = -1;
    must(reha_graph_new(nets[which].name, &graph, &err), &err);
    must(reha_graph_add_input(graph, "image", nets[which].channels, nets[which].side_px, nets[which].side_px,
                              &x, &err),
         &err);
    switch (which) {
    case 0:
        must(reha_zoo_resnet18(graph, x, &x, &err), &err);
        must(reha_zoo_classifier(graph, "head", x, 1000, &x, &err), &err);
        break;
    case 1:
        must(reha_zoo_mobilenetv2(graph, x, &x, &err), &err);
        must(reha_zoo_classifier(graph, "head", x, 1000, &x, &err), &err);
        break;
    default:
        must(reha_zoo_unet(graph, x, 32, 4, 1, &x, &err), &err);
        must(reha_graph_add_unary(graph, "mask", REHA_OP_SIGMOID, x, &x, &err), &err);
        break;
    }
    must(reha_graph_mark_output(graph, x, "result", &err), &err);
    fill(graph);
    return graph;
}

static float *random_images(const reha_graph *graph, int batch)
{
    reha_random random = reha_random_init(7, 7);
    const size_t count =
        (size_t)batch * reha_shape_count(reha_graph_node(graph, reha_graph_input(graph, 0))->shape);
    float *values = reha_alloc_aligned(count * sizeof *values);
    for (size_t i = 0; values != NULL && i < count; i++) {
        values[i] = (float)reha_random_normal(&random);
    }
    return values;
}

static void export_all(const char *folder)
{
    for (int i = 0; i < (int)(sizeof nets / sizeof nets[0]); i++) {
        reha_error err = REHA_ERROR_INIT;
        char path[512];
        reha_calibration *calibration = NULL;
        reha_graph *graph = build(i);
        float *images = random_images(graph, CALIBRATION_IMAGES);
        const float *inputs[1] = {images};
        snprintf(path, sizeof path, "%s/%s.onnx", folder, nets[i].name);
        must(reha_onnx_save(graph, path, NULL, &err), &err);
        must(reha_calibration_new(graph, NULL, &calibration, &err), &err);
        must(reha_calibration_add(calibration, CALIBRATION_IMAGES, inputs, &err), &err);
        snprintf(path, sizeof path, "%s/%s.ranges.json", folder, nets[i].name);
        must(reha_calibration_save(calibration, path, &err), &err);
        printf("%s: %.2f GMAC\n", nets[i].name, reha_graph_macs(graph) / 1e9);
        reha_calibration_free(calibration);
        reha_free(images);
        reha_graph_free(graph);
    }
}

static reha_session *load(const char *folder, const char *name, const char *precision, int batch, int threads,
                          reha_graph **graph)
{
    reha_error err = REHA_ERROR_INIT;
    char path[512];
    reha_calibration *calibration = NULL;
    reha_session *session = NULL;
    reha_session_options options = reha_session_options_default();
    options.batch_max = batch;
    options.threads = threads;
    while (options.precision < REHA_INT8 && strcmp(reha_precision_name(options.precision), precision) != 0) {
        options.precision++;
    }
    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    must(reha_onnx_load(path, NULL, graph, &err), &err);
    if (options.precision == REHA_INT8) {
        snprintf(path, sizeof path, "%s/%s.ranges.json", folder, name);
        must(reha_calibration_load(*graph, path, &calibration, &err), &err);
        options.calibration = calibration;
    }
    must(reha_session_new(*graph, &options, &session, &err), &err);
    reha_calibration_free(calibration);
    return session;
}

/* Of all threads of this process: with one thread it is the time of a run on a busy machine too. */
static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void serve(char **args)
{
    reha_error err = REHA_ERROR_INIT;
    const int batch = atoi(args[3]);
    reha_graph *graph = NULL;
    char line[64];
    const double start_ms = reha_clock_ms();
    reha_session *session = load(args[0], args[1], args[2], batch, atoi(args[4]), &graph);
    const double load_ms = reha_clock_ms() - start_ms;
    float *images = random_images(graph, batch);
    const size_t count =
        (size_t)batch * reha_shape_count(reha_graph_node(graph, reha_graph_output(graph, 0))->shape);
    float *result = reha_alloc_aligned(count * sizeof *result);
    const float *inputs[1] = {images};
    float *outputs[1] = {result};
    reha_graph_free(graph);
    if (images == NULL || result == NULL) {
        exit(3);
    }
    printf("{\"load_ms\": %.1f, \"session_bytes\": %zu, \"isa\": \"%s\"}\n", load_ms,
           reha_session_memory_bytes(session), reha_nn_isa());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        const double before_ms = reha_clock_ms();
        const double cpu_before_ms = cpu_ms();
        must(reha_session_run(session, batch, inputs, outputs, &err), &err);
        const double after_ms = reha_clock_ms();
        printf("%.4f %.4f\n", after_ms - before_ms, cpu_ms() - cpu_before_ms);
        fflush(stdout);
    }
    reha_session_free(session);
    reha_free(images);
    reha_free(result);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "export") == 0) {
        export_all(argv[2]);
        return 0;
    }
    if (argc == 7 && strcmp(argv[1], "serve") == 0 && atoi(argv[5]) > 0) {
        serve(argv + 2);
        return 0;
    }
    fprintf(stderr, "usage: infer_bench export DIR | serve DIR NAME PRECISION BATCH THREADS\n");
    return 2;
}
