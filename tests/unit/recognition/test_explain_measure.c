/* Explanations on a network whose evidence is known: it asks whether a place is bright, and nothing else. */
#include "support.h"

#include "base/memory.h"
#include "recognition/explain_evaluate.h"
#include "recognition/explain_measure.h"
#include "recognition/explain_target.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 96,
    HEIGHT = 64,
    AREA = WIDTH * HEIGHT,
    CHANNELS = 16,
    SPOT_X = 72,
    SPOT_Y = 16,
    SPOT = 12,
    NEAR = 16
};

static reha_error err;

/* A smoothing convolution to half size, ReLU, pooling: logit 1 grows with brightness above a level, logit 0
 * is constant. */
static reha_graph *make_network(void)
{
    reha_graph *graph = NULL;
    reha_value_id v;
    assert_ok(reha_graph_new("spot", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 1, HEIGHT, WIDTH, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "c1", v, CHANNELS, reha_window_square(3, 2, 1), 1, true, &v, &err),
              &err);
    assert_ok(reha_graph_add_unary(graph, "map", REHA_OP_RELU, v, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "pool", REHA_OP_GLOBAL_AVERAGE_POOL, v, &v, &err), &err);
    assert_ok(reha_graph_add_unary(graph, "flat", REHA_OP_FLATTEN, v, &v, &err), &err);
    assert_ok(reha_graph_add_fully_connected(graph, "fc", v, 2, &v, &err), &err);
    assert_ok(reha_graph_mark_output(graph, v, "logits", &err), &err);
    float *conv = reha_graph_param_mutable(graph, reha_graph_find_param(graph, "c1.weight"))->values;
    float *bias = reha_graph_param_mutable(graph, reha_graph_find_param(graph, "c1.bias"))->values;
    float *fc = reha_graph_param_mutable(graph, reha_graph_find_param(graph, "fc.weight"))->values;
    float *fc_bias = reha_graph_param_mutable(graph, reha_graph_find_param(graph, "fc.bias"))->values;
    reha_random random = reha_random_init(4, 1);
    for (int c = 0; c < CHANNELS; c++) {
        const bool is_reader = c % 4 == 0; /* the other channels are noise that nobody asks */
        for (int k = 0; k < 9; k++) {
            conv[c * 9 + k] = is_reader ? 1.0F / 9.0F : (float)reha_random_range(&random, -0.3, 0.3);
        }
        bias[c] = is_reader ? -0.5F : 0.1F;
        fc[CHANNELS + c] = is_reader ? 150.0F : 0.0F;
    }
    fc_bias[1] = -1.5F;
    return graph;
}

static void make_picture(float *picture, bool with_spot)
{
    reha_random random = reha_random_init(7, 2);
    for (int i = 0; i < AREA; i++) {
        const int x = i % WIDTH - SPOT_X;
        const int y = i / WIDTH - SPOT_Y;
        const bool is_in = with_spot && abs(x) <= SPOT / 2 && abs(y) <= SPOT / 2;
        picture[i] = (is_in ? 0.9F : 0.2F) + (float)reha_random_range(&random, -0.05, 0.05);
    }
}

static reha_explain_network of(const reha_graph *graph)
{
    return (reha_explain_network){.graph = graph,
                                  .node = "map",
                                  .input_gain = 1.0F,
                                  .weight = 1.0,
                                  .precision = REHA_F32,
                                  .threads = 1};
}

static void each_method_finds_the_spot(void **state)
{
    (void)state;
    static float picture[AREA], map[AREA], other[AREA];
    static bool target[AREA];
    reha_graph *graph = make_network();
    const reha_explain_network network = of(graph);
    reha_explain_maker *maker = NULL;
    assert_ok(reha_explain_maker_new(&network, 1, &maker, &err), &err);
    assert_int_equal(reha_explain_maker_width(maker), WIDTH);
    assert_int_equal(reha_explain_maker_height(maker), HEIGHT);
    make_picture(picture, true);
    for (int i = 0; i < AREA; i++) {
        target[i] = abs(i % WIDTH - SPOT_X) <= NEAR && abs(i / WIDTH - SPOT_Y) <= NEAR;
    }
    reha_explain_curves random;
    assert_ok(reha_explain_map(maker, REHA_EXPLAIN_RANDOM, picture, 1, 3, map, &err), &err);
    assert_ok(reha_explain_curves_of(maker, picture, map, 1, &random, &err), &err);
    for (int m = REHA_EXPLAIN_HIRES_CAM; m < REHA_EXPLAIN_RANDOM; m++) {
        reha_explain_curves found;
        reha_explain_curves turned;
        assert_ok(reha_explain_map(maker, (reha_explain_method)m, picture, 1, 0, map, &err), &err);
        assert_ok(reha_explain_curves_of(maker, picture, map, 1, &found, &err), &err);
        for (int i = 0; i < AREA; i++) {
            other[i] = -map[i];
        }
        assert_ok(reha_explain_curves_of(maker, picture, other, 1, &turned, &err), &err);
        if (!(found.insertion - found.deletion > random.insertion - random.deletion + 0.1) ||
            !(turned.insertion - turned.deletion < -0.1)) {
            fail_msg("%s: %.3f %.3f", reha_explain_method_name((reha_explain_method)m), found.insertion,
                     found.deletion);
        }
        const reha_explain_pointing at = reha_explain_point(map, target, WIDTH, HEIGHT);
        if (!at.is_hit || !(at.mass > 0.2)) {
            fail_msg("%s: hit %d, mass %.3f", reha_explain_method_name((reha_explain_method)m), at.is_hit,
                     at.mass);
        }
    }
    const reha_explain_pointing nowhere = reha_explain_point(other, target, WIDTH, HEIGHT);
    assert_false(nowhere.is_hit);
    assert_int_equal(reha_explain_map(maker, REHA_EXPLAIN_HIRES_CAM, picture, 2, 0, map, &err), REHA_E_ARG);
    assert_int_equal(reha_explain_map(maker, REHA_EXPLAIN_HIRES_CAM, picture, -1, 0, map, &err), REHA_E_ARG);
    reha_explain_maker_free(maker);
    reha_graph_free(graph);
    reha_explain_maker_free(NULL);
}

/* Explained is the mean of the voters: its gradient against finite differences of log of the mean. */
static void the_gradient_is_that_of_the_vote(void **state)
{
    enum { VOTERS = 3, CLASSES = 4 };
    (void)state;
    reha_random random = reha_random_init(8, 1);
    const double weights[VOTERS] = {1.0, 0.5, 2.0};
    double logits[VOTERS][CLASSES];
    float p[VOTERS][CLASSES], gradient[VOTERS][CLASSES];
    for (int i = 0; i < VOTERS * CLASSES; i++) {
        logits[i / CLASSES][i % CLASSES] = reha_random_normal(&random);
    }
    for (int class_idx = 0; class_idx < CLASSES; class_idx++) {
        for (int i = -1; i < VOTERS * CLASSES; i++) {
            double log_mean[2];
            for (int side = 0; side < 2; side++) {
                double sum = 0.0;
                for (int v = 0; v < VOTERS; v++) {
                    double total = 0.0, e[CLASSES];
                    for (int k = 0; k < CLASSES; k++) {
                        const double moved = v * CLASSES + k == i ? (side == 0 ? -1e-5 : 1e-5) : 0.0;
                        e[k] = exp(logits[v][k] + moved);
                        total += e[k];
                    }
                    for (int k = 0; k < CLASSES && i < 0; k++) {
                        p[v][k] = (float)(e[k] / total);
                    }
                    sum += weights[v] * e[class_idx] / total;
                }
                log_mean[side] = log(sum);
            }
            if (i < 0) {
                reha_explain_vote_gradient(p[0], weights, VOTERS, CLASSES, class_idx, gradient[0]);
            } else {
                const double expected = (log_mean[1] - log_mean[0]) / 2e-5;
                assert_true(fabs((double)gradient[i / CLASSES][i % CLASSES] - expected) < 1e-5);
            }
        }
    }
}

/* A second voter that answers the same everywhere halves the probabilities' distance to it and adds nothing
 * to the map; twice the same network is that network. */
static void networks_are_explained_together(void **state)
{
    (void)state;
    static float picture[AREA], alone[AREA], together[AREA];
    float p[2], q[2], r[2];
    reha_graph *graph = make_network();
    reha_graph *deaf = make_network();
    memset(reha_graph_param_mutable(deaf, reha_graph_find_param(deaf, "fc.weight"))->values, 0,
           (size_t)2 * CHANNELS * sizeof(float));
    reha_explain_network networks[3] = {of(graph), of(graph), of(deaf)};
    networks[1].weight = 3.0;
    reha_explain_maker *one = NULL, *both = NULL, *same = NULL;
    assert_ok(reha_explain_maker_new(networks, 1, &one, &err), &err);
    assert_ok(reha_explain_maker_new(networks, 2, &same, &err), &err);
    assert_ok(reha_explain_maker_new(networks + 1, 2, &both, &err), &err);
    make_picture(picture, true);
    assert_ok(reha_explain_scores(one, picture, 1, p, &err), &err);
    assert_ok(reha_explain_scores(same, picture, 1, q, &err), &err);
    assert_ok(reha_explain_scores(both, picture, 1, r, &err), &err);
    const double of_deaf = 1.0 / (1.0 + exp(1.5));
    assert_true(fabs((double)p[1] - (double)q[1]) < 1e-6);
    assert_true(fabs((double)r[1] - (0.75 * (double)p[1] + 0.25 * of_deaf)) < 1e-5);
    for (int m = REHA_EXPLAIN_HIRES_CAM; m <= REHA_EXPLAIN_INTEGRATED; m++) {
        double difference = 0.0, largest = 0.0;
        const double share = 0.75 * (double)p[1] / (double)r[1];
        assert_ok(reha_explain_map(one, (reha_explain_method)m, picture, 1, 0, alone, &err), &err);
        assert_ok(reha_explain_map(same, (reha_explain_method)m, picture, 1, 0, together, &err), &err);
        for (int i = 0; i < AREA; i++) {
            difference = fmax(difference, fabs((double)alone[i] - (double)together[i]));
            largest = fmax(largest, fabs((double)alone[i]));
        }
        assert_true(m == REHA_EXPLAIN_GRAD_CAM_PLUS || difference < 1e-4 * largest);
        assert_ok(reha_explain_map(both, (reha_explain_method)m, picture, 1, 0, together, &err), &err);
        for (int i = 0; i < AREA && m <= REHA_EXPLAIN_GRAD_CAM; i++) {
            assert_true(fabs(share * (double)alone[i] - (double)together[i]) < 1e-3 * largest);
        }
    }
    reha_explain_maker_free(one);
    reha_explain_maker_free(both);
    reha_explain_maker_free(same);
    reha_graph_free(graph);
    reha_graph_free(deaf);
}

static void networks_that_cannot_be_explained_are_named(void **state)
{
    (void)state;
    reha_graph *graph = make_network();
    reha_explain_network network = of(graph);
    reha_explain_maker *maker = (reha_explain_maker *)&err;
    network.node = "nothing";
    assert_int_equal(reha_explain_maker_new(&network, 1, &maker, &err), REHA_E_FORMAT);
    assert_null(maker);
    assert_non_null(strstr(err.text, "'nothing'"));
    assert_int_equal(reha_explain_maker_new(&network, 0, &maker, &err), REHA_E_ARG);
    assert_int_equal(reha_explain_maker_new(&network, 9, &maker, &err), REHA_E_ARG);
    network.node = "fc"; /* no map */
    assert_int_equal(reha_explain_maker_new(&network, 1, &maker, &err), REHA_E_FORMAT);
    reha_graph_free(graph);
    reha_value_id v;
    assert_ok(reha_graph_new("colour", &graph, &err), &err);
    assert_ok(reha_graph_add_input(graph, "x", 3, HEIGHT, WIDTH, &v, &err), &err);
    assert_ok(reha_graph_add_conv(graph, "map", v, CHANNELS, reha_window_square(3, 2, 1), 1, true, &v, &err),
              &err);
    assert_ok(reha_graph_mark_output(graph, v, "y", &err), &err);
    network = of(graph);
    assert_int_equal(reha_explain_maker_new(&network, 1, &maker, &err), REHA_E_FORMAT);
    reha_graph_free(graph);
    reha_graph *small = NULL;
    graph = make_network();
    assert_ok(reha_graph_new("small", &small, &err), &err);
    assert_ok(reha_graph_add_input(small, "x", 1, HEIGHT, WIDTH / 2, &v, &err), &err);
    assert_ok(reha_graph_add_conv(small, "map", v, CHANNELS, reha_window_square(3, 2, 1), 1, true, &v, &err),
              &err);
    assert_ok(reha_graph_add_unary(small, "pool", REHA_OP_GLOBAL_AVERAGE_POOL, v, &v, &err), &err);
    assert_ok(reha_graph_add_unary(small, "flat", REHA_OP_FLATTEN, v, &v, &err), &err);
    assert_ok(reha_graph_add_fully_connected(small, "fc", v, 2, &v, &err), &err);
    assert_ok(reha_graph_mark_output(small, v, "logits", &err), &err);
    const reha_explain_network unlike[2] = {of(graph), of(small)};
    assert_int_equal(reha_explain_maker_new(unlike, 2, &maker, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "differ"));
    reha_graph_free(small);
    reha_graph_free(graph);
    reha_cam cam;
    assert_true(reha_explain_method_cam("grad-cam++", &cam) && cam == REHA_CAM_PLUS);
    assert_false(reha_explain_method_cam("occlusion", &cam));
    assert_false(reha_explain_method_cam("", &cam));
}

static void shuffling_keeps_the_values_and_the_other_layers(void **state)
{
    (void)state;
    reha_graph *graph = make_network();
    reha_graph *shuffled = NULL;
    reha_graph *again = NULL;
    const int fc = reha_graph_find_param(graph, "fc.weight");
    const int conv = reha_graph_find_param(graph, "c1.weight");
    assert_ok(reha_explain_randomised(graph, 1e-6, 1, &shuffled, &err), &err);
    assert_memory_equal(reha_graph_param(graph, conv)->values, reha_graph_param(shuffled, conv)->values,
                        CHANNELS * 9 * sizeof(float));
    double sums[2] = {0.0, 0.0};
    for (int i = 0; i < 2 * CHANNELS; i++) {
        sums[0] += (double)reha_graph_param(graph, fc)->values[i];
        sums[1] += (double)reha_graph_param(shuffled, fc)->values[i];
    }
    assert_true(fabs(sums[0] - sums[1]) < 1e-3);
    assert_memory_not_equal(reha_graph_param(graph, fc)->values, reha_graph_param(shuffled, fc)->values,
                            2 * CHANNELS * sizeof(float));
    reha_graph_free(shuffled);
    assert_ok(reha_explain_randomised(graph, 1.0, 1, &shuffled, &err), &err);
    assert_ok(reha_explain_randomised(graph, 1.0, 1, &again, &err), &err);
    assert_memory_not_equal(reha_graph_param(graph, conv)->values, reha_graph_param(shuffled, conv)->values,
                            CHANNELS * 9 * sizeof(float));
    assert_memory_equal(reha_graph_param(again, conv)->values, reha_graph_param(shuffled, conv)->values,
                        CHANNELS * 9 * sizeof(float));
    reha_graph_free(shuffled);
    reha_graph_free(again);
    reha_graph_free(graph);
}

static void likeness_is_a_rank_correlation(void **state)
{
    (void)state;
    static float a[AREA], b[AREA];
    double alike = 0.0;
    for (int i = 0; i < AREA; i++) {
        a[i] = (float)(i % WIDTH) + 0.1F * (float)(i / WIDTH);
        b[i] = expf(0.05F * a[i]); /* another scale, the same order */
    }
    assert_ok(reha_explain_alike(a, b, WIDTH, HEIGHT, &alike, &err), &err);
    assert_true(fabs(alike - 1.0) < 1e-9);
    for (int i = 0; i < AREA; i++) {
        b[i] = -a[i];
    }
    assert_ok(reha_explain_alike(a, b, WIDTH, HEIGHT, &alike, &err), &err);
    assert_true(fabs(alike + 1.0) < 1e-9);
    memset(b, 0, sizeof b);
    assert_ok(reha_explain_alike(a, b, WIDTH, HEIGHT, &alike, &err), &err);
    assert_true(alike == 0.0);
}

/* ---- Targets ---- */

static const reha_point_px knee[REHA_KNEE_POINTS] = {
    {20, 60}, {32, 59}, {44, 58}, {54, 52}, {60, 52}, {66, 52}, {76, 58}, {88, 59}, {100, 60}, /* tibia */
    {20, 48}, {34, 52}, {46, 48}, {60, 38}, {74, 48}, {86, 52}, {100, 48}};                    /* femur */

static void the_target_is_the_joint_and_its_margins(void **state)
{
    (void)state;
    static bool mask[120 * 100];
    const double share = reha_explain_joint_target(knee, 120, 100, mask);
    size_t marked = 0;
    for (size_t i = 0; i < sizeof mask; i++) {
        marked += mask[i] ? 1 : 0;
    }
    assert_true(fabs(share - (double)marked / (120.0 * 100.0)) < 1e-12);
    assert_true(share > 0.1 && share < 0.3);
    assert_true(mask[55 * 120 + 38]);  /* lateral joint space */
    assert_true(mask[55 * 120 + 82]);  /* medial */
    assert_true(mask[61 * 120 + 15]);  /* margin of the tibia */
    assert_true(mask[43 * 120 + 103]); /* margin of the femur */
    assert_false(mask[80 * 120 + 60]); /* shaft of the tibia */
    assert_false(mask[10 * 120 + 60]); /* femur */
    assert_false(mask[55 * 120 + 5]);  /* beside the knee */
}

static void expert_points_find_their_place(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        reha_point_px expert[REHA_KNEE_POINTS];
        reha_point_px out[REHA_KNEE_POINTS];
        double residual = 1.0;
        for (int i = 0; i < REHA_KNEE_POINTS; i++) {
            const int from = way < 2 ? i : i < REHA_KNEE_TIBIA_POINTS ? 8 - i : 15 - (i - 9);
            const double sign = way % 2 == 0 ? 1.0 : -1.0;
            expert[i] = (reha_point_px){300.0 + sign * 2.5 * knee[from].x_px, 40.0 + 2.5 * knee[from].y_px};
        }
        assert_ok(reha_explain_place_points(expert, knee, out, &residual, &err), &err);
        assert_true(residual < 1e-9);
        for (int i = 0; i < REHA_KNEE_POINTS; i++) {
            assert_true(fabs(out[i].x_px - knee[i].x_px) < 1e-6 && fabs(out[i].y_px - knee[i].y_px) < 1e-6);
        }
    }
    const reha_point_px flat[REHA_KNEE_POINTS] = {{0}};
    reha_point_px out[REHA_KNEE_POINTS];
    double residual = 0.0;
    assert_int_equal(reha_explain_place_points(flat, knee, out, &residual, &err), REHA_E_FORMAT);
    assert_true(isnan(residual));
}

/* ---- The study ---- */

static json_t *find(const json_t *report, const char *name)
{
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(report, "methods"), i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
            return one;
        }
    }
    return NULL;
}

static double figure(const json_t *method, const char *key)
{
    return json_number_value(json_object_get(json_object_get(method, key), "value"));
}

static void a_study_ranks_methods_above_controls(void **state)
{
    (void)state;
    static float picture[AREA];
    static bool target[AREA];
    reha_graph *graph = make_network();
    const reha_explain_network network = of(graph);
    reha_explain_study *study = NULL;
    json_t *report = NULL;
    for (int i = 0; i < AREA; i++) {
        target[i] = abs(i % WIDTH - SPOT_X) <= NEAR && abs(i / WIDTH - SPOT_Y) <= NEAR;
    }
    assert_ok(reha_explain_study_new(&network, 1, 3, 2, &study, &err), &err);
    assert_int_equal(reha_explain_study_finish(study, 10, 1, NULL, &report, &err),
                     REHA_E_ARG); /* nothing yet */
    make_picture(picture, true);
    for (size_t i = 0; i < 3; i++) {
        const reha_explain_case one = {picture, 1, i, i > 0, i == 2 ? NULL : target, 0.1};
        assert_ok(reha_explain_study_add(study, &one, &err), &err);
    }
    const reha_explain_case more = {picture, 1, 4, false, NULL, 0.0};
    assert_int_equal(reha_explain_study_add(study, &more, &err), REHA_E_ARG);
    assert_ok(reha_explain_study_finish(study, 50, 1, NULL, &report, &err), &err);
    assert_int_equal(json_integer_value(json_object_get(report, "n")), 3);
    assert_int_equal(json_integer_value(json_object_get(report, "n_disease")), 2);
    assert_int_equal(json_integer_value(json_object_get(report, "n_pointing")), 2);
    assert_int_equal(json_integer_value(json_object_get(report, "n_shuffled")), 2);
    assert_int_equal(json_array_size(json_object_get(report, "methods")), REHA_EXPLAIN_METHODS);
    const json_t *hires = find(report, "hires-cam");
    const json_t *random = find(report, "random");
    assert_true(figure(hires, "gain") > figure(random, "gain") + 0.1);
    assert_true(fabs(figure(hires, "gain") - figure(hires, "insertion") + figure(hires, "deletion")) < 1e-6);
    assert_true(figure(hires, "pointing") == 1.0);
    assert_true(json_is_true(json_object_get(random, "control")));
    assert_null(json_object_get(random, "shuffled"));
    const json_t *levels = json_object_get(hires, "shuffled");
    assert_int_equal(json_array_size(levels), 5);
    reha_cam cam;
    assert_true(reha_explain_method_cam(json_string_value(json_object_get(report, "method")), &cam));
    json_decref(report);
    reha_explain_study_free(study);
    reha_explain_study_free(NULL);
    reha_graph_free(graph);
}

static void no_allocation_failure_hurts(void **state)
{
    (void)state;
    static float picture[AREA];
    reha_graph *graph = make_network();
    const reha_explain_network network = of(graph);
    make_picture(picture, true);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status == REHA_E_NOMEM; n += n < 60 ? 1 : 37) {
        reha_explain_study *study = NULL;
        json_t *report = NULL;
        reha_mem_fail_after(n);
        status = reha_explain_study_new(&network, 1, 1, 1, &study, NULL);
        const reha_explain_case one = {picture, 1, 0, true, NULL, 0.0};
        if (status == REHA_OK) {
            status = reha_explain_study_add(study, &one, NULL);
        }
        if (status == REHA_OK) {
            status = reha_explain_study_finish(study, 5, 1, NULL, &report, NULL);
        }
        reha_mem_fail_after(-1);
        json_decref(report);
        reha_explain_study_free(study);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    assert_int_equal(status, REHA_OK);
    reha_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_method_finds_the_spot),
        cmocka_unit_test(the_gradient_is_that_of_the_vote),
        cmocka_unit_test(networks_are_explained_together),
        cmocka_unit_test(networks_that_cannot_be_explained_are_named),
        cmocka_unit_test(shuffling_keeps_the_values_and_the_other_layers),
        cmocka_unit_test(likeness_is_a_rank_correlation),
        cmocka_unit_test(the_target_is_the_joint_and_its_margins),
        cmocka_unit_test(expert_points_find_their_place),
        cmocka_unit_test(a_study_ranks_methods_above_controls),
        cmocka_unit_test(no_allocation_failure_hurts),
    };
    return cmocka_run_group_tests_name("explain_measure", tests, NULL, NULL);
}
