/* Generated patients for the outcome tests: a known rule, two groups of different spread, whole scores 0
 * to 48. */
#ifndef REHA_TESTS_OUTCOME_SUPPORT_H
#define REHA_TESTS_OUTCOME_SUPPORT_H

#include "support.h"

#include "base/random.h"
#include "base/text.h"
#include "rehab/outcome_fit.h"

#include <math.h>
#include <string.h>

enum { MADE_FEATURES = 4, AGE = 0, ILL = 1, BEFORE = 2, NOISE = 3 };

static inline void made_features(reha_feature *out)
{
    static const char *const ages[] = {"young", "middle", "old"};
    memset(out, 0, MADE_FEATURES * sizeof *out);
    out[AGE] = (reha_feature){
        .key = "age", .title = "age", .kind = REHA_FEATURE_CATEGORY, .is_group = true, .level_count = 3};
    for (size_t k = 0; k < 3; k++) {
        (void)snprintf(out[AGE].levels[k], sizeof out[AGE].levels[k], "%s", ages[k]);
    }
    out[ILL] = (reha_feature){
        .key = "ill", .title = "illness", .kind = REHA_FEATURE_CATEGORY, .is_group = true, .level_count = 2};
    (void)snprintf(out[ILL].levels[0], sizeof out[ILL].levels[0], "no");
    (void)snprintf(out[ILL].levels[1], sizeof out[ILL].levels[1], "yes");
    out[BEFORE] = (reha_feature){.key = "before", .title = "score before", .kind = REHA_FEATURE_NUMBER};
    out[NOISE] =
        (reha_feature){.key = "noise", .title = "nothing to do with it", .kind = REHA_FEATURE_NUMBER};
}

/* score = 25 + 3 * age - 5 if ill + 0.5 * (before - 20) + noise; the ill spread twice as far. */
static inline reha_table *made_table(size_t rows, uint64_t seed)
{
    reha_error err = REHA_ERROR_INIT;
    reha_feature features[MADE_FEATURES];
    reha_table *table = NULL;
    made_features(features);
    assert_ok(reha_table_new(features, MADE_FEATURES, &table, &err), &err);
    for (size_t i = 0; i < rows; i++) {
        reha_random random = reha_random_init(seed, i);
        size_t row = 0;
        assert_ok(reha_table_add_row(table, &row, &err), &err);
        float *x = table->x + row * MADE_FEATURES;
        x[AGE] = (float)reha_random_below(&random, 3);
        x[ILL] = reha_random_unit(&random) < 0.3 ? 1.0F : 0.0F;
        x[BEFORE] = (float)round(reha_random_range(&random, 5.0, 35.0));
        x[NOISE] = i % 10 == 0 ? NAN : (float)reha_random_normal(&random);
        const double mean =
            25.0 + 3.0 * (double)x[AGE] - 5.0 * (double)x[ILL] + 0.5 * ((double)x[BEFORE] - 20.0);
        const double spread = x[ILL] == 1.0F ? 8.0 : 4.0;
        table->y[row] = round(fmin(48.0, fmax(0.0, mean + spread * reha_random_normal(&random))));
    }
    reha_table_count(table);
    return table;
}

static inline void made_design(reha_outcome_design *out)
{
    memset(out, 0, sizeof *out);
    (void)snprintf(out->task, sizeof out->task, "made");
    (void)snprintf(out->title, sizeof out->title, "made-up score");
    (void)snprintf(out->target, sizeof out->target, "score");
    (void)snprintf(out->unit, sizeof out->unit, "points");
    out->low = 0.0;
    out->high = 48.0;
    out->goal_count = 2;
    (void)snprintf(out->goals[0].name, sizeof out->goals[0].name, "seven more");
    (void)snprintf(out->goals[0].above, sizeof out->goals[0].above, "before");
    out->goals[0].points = 7.0;
    (void)snprintf(out->goals[1].name, sizeof out->goals[1].name, "thirty");
    out->goals[1].points = 30.0;
    out->axis_count = 2;
    out->axes[0] = (reha_outcome_axis){.feature = BEFORE, .cut_count = 2, .cuts = {15, 25}};
    out->axes[1] = (reha_outcome_axis){.feature = AGE};
}

static inline reha_outcome_model *made_model(const reha_table *table, reha_outcome_kind kind)
{
    reha_error err = REHA_ERROR_INIT;
    reha_outcome_design design;
    reha_outcome_model *model = NULL;
    reha_outcome_choice choice;
    reha_outcome_fit_options how = reha_outcome_fit_options_default();
    how.bootstrap_rounds = 100;
    how.rounds = kind == REHA_OUTCOME_TREES ? 50 : 0;
    how.kind = kind;
    made_design(&design);
    assert_ok(reha_outcome_fit(&design, table, &how, &model, &choice, &err), &err);
    return model;
}

#endif
