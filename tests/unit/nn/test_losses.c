/* Losses against values worked out by hand, and their gradients against finite differences. */
#include "support.h"

#include "base/random.h"
#include "nn/loss_priv.h"

#include <math.h>
#include <string.h>

enum { IMAGES = 3, VALUES_MAX = 256 };

static reha_shape vector_shape(int64_t n, int64_t k)
{
    const reha_shape shape = {2, {n, k}};
    return shape;
}

static double loss_of(const reha_loss *loss, reha_shape shape, const float *logits, const float *target,
                      const float *weights, float *grad)
{
    float unused[VALUES_MAX] = {0};
    double value = NAN;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_loss_run(loss, shape, logits, target, weights, grad != NULL ? grad : unused, &value, &err),
              &err);
    return value;
}

static void check_gradient(const char *name, const reha_loss *loss, reha_shape shape, const float *target,
                           const float *weights, float spread)
{
    float logits[VALUES_MAX], grad[VALUES_MAX] = {0};
    const size_t count = reha_shape_count(shape);
    reha_random random = reha_random_init(11, (uint64_t)loss->kind);
    assert_true(count <= VALUES_MAX);
    for (size_t i = 0; i < count; i++) {
        logits[i] = (float)reha_random_range(&random, (double)-spread, (double)spread);
    }
    (void)loss_of(loss, shape, logits, target, weights, grad);
    for (size_t i = 0; i < count; i++) {
        const float old = logits[i], e = 1e-3F;
        logits[i] = old + e;
        const double up = loss_of(loss, shape, logits, target, weights, NULL), high = (double)logits[i];
        logits[i] = old - e;
        const double down = loss_of(loss, shape, logits, target, weights, NULL), low = (double)logits[i];
        logits[i] = old;
        const double measured = (up - down) / (high - low);
        if (fabs(measured - (double)grad[i]) > 1e-4 * (fabs(measured) + 0.1)) {
            fail_msg("%s, logit %zu: gradient %g, finite difference %g", name, i, (double)grad[i], measured);
        }
    }
}

static void test_gradients(void **state)
{
    const float image_weights[IMAGES] = {0.5F, 0.0F, 2.0F}, class_weights[4] = {1.0F, 2.0F, 0.5F, 3.0F};
    const float soft[IMAGES * 4] = {0, 1, 0, 0, 0.25F, 0.25F, 0.5F, 0, 0, 0, 0, 1};
    const float ranks[IMAGES] = {0, 2, 4};
    const reha_shape map = {4, {IMAGES, 2, 3, 5}};
    float values[IMAGES * 30], masks[IMAGES * 30], heat[IMAGES * 30];
    reha_random random = reha_random_init(3, 1);
    reha_loss loss = {.weight = 0.7F};
    (void)state;
    for (int i = 0; i < IMAGES * 30; i++) {
        values[i] = (float)reha_random_range(&random, -3, 3);
        masks[i] = (float)(i % 3 == 0);
        heat[i] = i / 15 == 1 ? 0.0F : 1.0F / 15.0F; /* the second map is unknown */
    }
    loss.label_smoothing = 0.1F;
    loss.class_weights = class_weights;
    check_gradient("cross-entropy", &loss, vector_shape(IMAGES, 4), soft, image_weights, 3);
    loss = (reha_loss){.kind = REHA_LOSS_EXPECTED_RANK, .weight = 0.3F};
    check_gradient("expected rank", &loss, vector_shape(IMAGES, 4), soft, image_weights, 3);
    loss = (reha_loss){.kind = REHA_LOSS_CORN, .weight = 1.5F};
    check_gradient("corn", &loss, vector_shape(IMAGES, 4), ranks, image_weights, 3);
    loss.kind = REHA_LOSS_CORAL;
    check_gradient("coral", &loss, vector_shape(IMAGES, 4), ranks, NULL, 3);
    loss.kind = REHA_LOSS_MSE;
    check_gradient("mse", &loss, map, values, image_weights, 3);
    loss.kind = REHA_LOSS_HUBER;
    check_gradient("huber", &loss, map, values, NULL, 3);
    loss.kind = REHA_LOSS_BCE;
    check_gradient("bce", &loss, map, masks, image_weights, 4);
    loss.kind = REHA_LOSS_BCE_DICE;
    check_gradient("bce and dice", &loss, map, masks, image_weights, 4);
    masks[15] = -1.0F; /* the first image's second map is not labelled */
    check_gradient("bce and dice, partly labelled", &loss, map, masks, image_weights, 4);
    loss.kind = REHA_LOSS_HEATMAP;
    check_gradient("heat map", &loss, map, heat, image_weights, 4);
    loss.kind = REHA_LOSS_CENTRE_FOCAL;
    masks[15] = 0.7F; /* beside a centre */
    check_gradient("centre focal", &loss, map, masks, image_weights, 4);
    loss.kind = REHA_LOSS_HUBER_KNOWN;
    values[7] = values[44] = NAN;
    check_gradient("huber, partly known", &loss, map, values, image_weights, 3);
}

/* Three images of ranks 0, 1, 3 and the logits of three tasks. CORN: the first image is asked only task
 * 0, the second tasks 0 and 1, the third all three; six answers in all. */
static void test_corn_by_hand(void **state)
{
    const float logits[9] = {0.0F, 5.0F, -5.0F, 1.0F, -1.0F, 7.0F, 2.0F, 0.0F, -2.0F};
    const float ranks[3] = {0, 1, 3};
    const reha_loss loss = {.kind = REHA_LOSS_CORN, .weight = 1.0F};
    float grad[9] = {0};
    const double image0 = log(2.0);                                              /* "no" at logit 0 */
    const double image1 = log(1.0 + exp(-1.0)) + log(1.0 + exp(-1.0));           /* "yes" at 1, "no" at -1 */
    const double image2 = log(1.0 + exp(-2.0)) + log(2.0) + log(1.0 + exp(2.0)); /* three "yes" */
    (void)state;
    const double value = loss_of(&loss, vector_shape(3, 3), logits, ranks, NULL, grad);
    assert_true(fabs(value - (image0 + image1 + image2) / 6.0) < 1e-6);
    assert_true(fabs((double)grad[0] - 0.5 / 6.0) < 1e-6);
    assert_true(grad[1] == 0.0F && grad[2] == 0.0F && grad[5] == 0.0F); /* not asked */
}

/* CORAL: every image is asked all three questions; mean over images of the sum. */
static void test_coral_by_hand(void **state)
{
    const float logits[6] = {0.0F, 1.0F, -1.0F, 2.0F, 0.0F, 3.0F};
    const float ranks[2] = {0, 2};
    const reha_loss loss = {.kind = REHA_LOSS_CORAL, .weight = 1.0F};
    const double image0 = log(2.0) + log(1.0 + exp(1.0)) + log(1.0 + exp(-1.0));
    const double image1 = log(1.0 + exp(-2.0)) + log(2.0) + log(1.0 + exp(3.0));
    (void)state;
    assert_true(
        fabs(loss_of(&loss, vector_shape(2, 3), logits, ranks, NULL, NULL) - (image0 + image1) / 2.0) < 1e-6);
}

/* Probabilities 1/4, 1/4, 1/2 expect class 1.25; the target lies at 0.5. */
static void test_expected_rank_by_hand(void **state)
{
    const float logits[3] = {0.0F, 0.0F, logf(2.0F)}, target[3] = {0.5F, 0.5F, 0.0F};
    const reha_loss loss = {.kind = REHA_LOSS_EXPECTED_RANK, .weight = 1.0F};
    float grad[3] = {0};
    (void)state;
    assert_true(fabs(loss_of(&loss, vector_shape(1, 3), logits, target, NULL, grad) - 0.5625) < 1e-6);
    assert_true(fabs((double)grad[2] - 2.0 * 0.75 * 0.5 * (2.0 - 1.25)) < 1e-6);
}

/* One centre seen at p = 1/2, one cell beside it (target 1/2), one far away: (1/4 + 1/16 * 1/4 + 1/4) log 2.
 * An image without any centre still learns from its "no". */
static void test_centre_focal_by_hand(void **state)
{
    const float logits[3] = {0}, target[3] = {1.0F, 0.5F, 0.0F}, none[3] = {0};
    const reha_loss loss = {.kind = REHA_LOSS_CENTRE_FOCAL, .weight = 1.0F};
    float grad[3] = {0};
    (void)state;
    const double value = loss_of(&loss, vector_shape(1, 3), logits, target, NULL, grad);
    assert_true(fabs(value - (0.25 + 0.25 / 16.0 + 0.25) * log(2.0)) < 1e-6);
    assert_true(grad[0] < 0.0F && grad[1] > 0.0F && grad[2] > grad[1]);
    assert_true(fabs(loss_of(&loss, vector_shape(1, 3), logits, none, NULL, NULL) - 0.75 * log(2.0)) < 1e-6);
}

/* Only the known value counts; with none known there is no loss. */
static void test_huber_known_by_hand(void **state)
{
    const float logits[3] = {0.5F, 9.0F, -9.0F}, target[3] = {0.0F, NAN, NAN}, none[3] = {NAN, NAN, NAN};
    const reha_loss loss = {.kind = REHA_LOSS_HUBER_KNOWN, .weight = 1.0F};
    float grad[3] = {0};
    (void)state;
    assert_true(fabs(loss_of(&loss, vector_shape(1, 3), logits, target, NULL, grad) - 0.125) < 1e-6);
    assert_true(fabs((double)grad[0] - 0.5) < 1e-6 && grad[1] == 0.0F && grad[2] == 0.0F);
    assert_true(loss_of(&loss, vector_shape(1, 3), logits, none, NULL, NULL) == 0.0);
}

static void test_others_by_hand(void **state)
{
    const float logits[4] = {0.0F, 0.0F, 0.0F, 0.0F}, hot[4] = {1, 0, 0, 1}, far[2] = {3.0F, 0.5F};
    const float zero[2] = {0, 0}, far_logits[2] = {1e4F, -1e4F}, wrong[2] = {0, 1};
    const float image_weights[2] = {3.0F, 1.0F}, class_weights[2] = {4.0F, 1.0F};
    reha_loss loss = {.weight = 1.0F};
    (void)state;
    assert_true(fabs(loss_of(&loss, vector_shape(2, 2), logits, hot, NULL, NULL) - log(2.0)) < 1e-6);
    loss.class_weights = class_weights; /* classes 0 and 1, image weights 3 and 1 */
    assert_true(fabs(loss_of(&loss, vector_shape(2, 2), logits, hot, image_weights, NULL) -
                     (3.0 * 4.0 + 1.0 * 1.0) / 4.0 * log(2.0)) < 1e-6);
    loss = (reha_loss){.kind = REHA_LOSS_HUBER, .weight = 1.0F};
    assert_true(fabs(loss_of(&loss, vector_shape(1, 2), far, zero, NULL, NULL) - (2.5 + 0.125) / 2.0) < 1e-6);
    loss.kind = REHA_LOSS_MSE;
    assert_true(fabs(loss_of(&loss, vector_shape(1, 2), far, zero, NULL, NULL) - (9.0 + 0.25) / 2.0) < 1e-6);
    loss.kind = REHA_LOSS_BCE; /* no overflow far away from 0 */
    assert_true(fabs(loss_of(&loss, vector_shape(1, 2), far_logits, wrong, NULL, NULL) - 1e4) < 1.0);
}

static void expect_refused(reha_loss_kind kind, reha_shape shape, const float *target, const char *text)
{
    const reha_loss loss = {.kind = kind, .weight = 1.0F};
    const float logits[VALUES_MAX] = {0};
    float grad[VALUES_MAX] = {0};
    double value;
    reha_error err = REHA_ERROR_INIT;
    assert_int_equal(reha_loss_run(&loss, shape, logits, target, NULL, grad, &value, &err), REHA_E_ARG);
    assert_non_null(strstr(err.text, text));
    for (size_t i = 0; i < VALUES_MAX; i++) {
        assert_true(grad[i] == 0.0F);
    }
}

static void test_bad_targets(void **state)
{
    const float half[2] = {0, 1.5F}, negative[2] = {-1, 0}, high[2] = {1, 5}, nan_rank[2] = {0, NAN};
    const float probability[8] = {0.5F, 0.5F, 0, 0, 2.0F, 0, 0, 0};
    (void)state;
    expect_refused(REHA_LOSS_CORN, vector_shape(2, 4), half, "image 1");
    expect_refused(REHA_LOSS_CORN, vector_shape(2, 4), negative, "image 0");
    expect_refused(REHA_LOSS_CORAL, vector_shape(2, 4), high, "image 1");
    expect_refused(REHA_LOSS_CORAL, vector_shape(2, 4), nan_rank, "image 1");
    expect_refused(REHA_LOSS_CROSS_ENTROPY, vector_shape(2, 4), probability, "image 1");
    expect_refused(REHA_LOSS_BCE, vector_shape(2, 4), probability, "image 1");
}

static void test_shapes(void **state)
{
    const reha_shape map = {4, {1, 3, 8, 6}}, pooled = {4, {1, 3, 1, 1}};
    (void)state;
    assert_int_equal(reha_loss_target_count(REHA_LOSS_CROSS_ENTROPY, vector_shape(1, 5)), 5);
    assert_int_equal(reha_loss_target_count(REHA_LOSS_CROSS_ENTROPY, map), 0);
    assert_int_equal(reha_loss_target_count(REHA_LOSS_CORN, pooled), 1);
    assert_int_equal(reha_loss_target_count(REHA_LOSS_CORN, map), 0);
    assert_int_equal(reha_loss_target_count(REHA_LOSS_HEATMAP, map), 144);
    assert_int_equal(reha_loss_target_count(REHA_LOSS_BCE_DICE, vector_shape(1, 5)), 0);
    assert_int_equal(reha_loss_target_count(REHA_LOSS_MSE, map), 144);
}

/* A batch of unknown heat maps or of weightless images says nothing, and does not divide by zero. */
static void test_nothing_known(void **state)
{
    const reha_loss loss = {.kind = REHA_LOSS_HEATMAP, .weight = 1.0F}, plain = {.weight = 1.0F};
    const reha_shape map = {4, {2, 1, 2, 2}};
    const float logits[8] = {1, 2, 3, 4, 5, 6, 7, 8}, target[8] = {0}, none[2] = {0, 0};
    float grad[8] = {0};
    (void)state;
    assert_true(loss_of(&loss, map, logits, target, NULL, grad) == 0.0);
    assert_true(loss_of(&plain, vector_shape(2, 4), logits, target, none, grad) == 0.0);
    for (int i = 0; i < 8; i++) {
        assert_true(grad[i] == 0.0F);
    }
}

/* A map that nobody labelled neither counts nor pulls: the rest is the mean over what is labelled. */
static void test_unlabelled_maps(void **state)
{
    const reha_loss loss = {.kind = REHA_LOSS_BCE_DICE, .weight = 1.0F};
    const reha_shape one = {4, {1, 1, 1, 2}}, two = {4, {1, 2, 1, 2}};
    const float logits[4] = {1.0F, -2.0F, 3.0F, 0.5F}, target[4] = {1.0F, 0.0F, -1.0F, 0.0F};
    float grad[4] = {0}, grad_alone[2] = {0};
    (void)state;
    const double both = loss_of(&loss, two, logits, target, NULL, grad);
    const double alone = loss_of(&loss, one, logits, target, NULL, grad_alone);
    assert_true(alone > 0.0);
    assert_true(fabs(both - alone) < 1e-12);
    assert_true(grad[0] == grad_alone[0] && grad[1] == grad_alone[1]);
    assert_true(grad[2] == 0.0F && grad[3] == 0.0F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_corn_by_hand),
        cmocka_unit_test(test_coral_by_hand),
        cmocka_unit_test(test_expected_rank_by_hand),
        cmocka_unit_test(test_centre_focal_by_hand),
        cmocka_unit_test(test_huber_known_by_hand),
        cmocka_unit_test(test_others_by_hand),
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_unlabelled_maps),
    };
    return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}
