/* Repeatability of the knee recogniser: the same real knee, looked at again after what a second exposure
 * changes without changing the joint (a turn, another enlargement, exposure, noise). Prints one CSV row per
 * look; the within-knee SD of each measure is the `repeatability` of guidelines/scores.json.
 *
 *     repeat_bench DATA/knee_xray [KNEES] [MODELS]      40 knees of split val, one thread */
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "image/load.h"
#include "image/resample.h"
#include "service/analyse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 6, MEASURES = 5, KNEES_MAX = 1000 };

/* exponent < 1 brightens; noise in grey values of 255 */
typedef struct look {
    const char *name;
    double angle_deg, scale, shift_x_px, shift_y_px, exponent, noise;
} look;
static const look looks[LOOKS] = {{"as stored", 0, 1, 0, 0, 1, 0},
                                  {"turned 4 deg", 4, 1, 0, 0, 1, 0},
                                  {"turned -3 deg and moved", -3, 1, 6, -4, 1, 0},
                                  {"enlarged 6 %", 0, 1.06, -3, 3, 1, 0},
                                  {"overexposed with noise", 0, 1, 0, 0, 0.75, 4},
                                  {"underexposed and smaller and turned", 2, 0.95, 2, 2, 1.35, 2}};
static const char *const keys[MEASURES] = {"jsw-medial-min", "jsw-lateral-min", "jsw-min", "kl-grade",
                                           "plateau-width"};

static reha_status second_look(const reha_gray *image, const look *how, uint64_t seed, reha_gray **out,
                               reha_error *err)
{
    reha_random random = reha_random_init(seed, 7);
    const reha_point_px middle = {0.5 * (image->width_px - 1.0), 0.5 * (image->height_px - 1.0)};
    const reha_point_px moved = {middle.x_px + how->shift_x_px, middle.y_px + how->shift_y_px};
    const reha_affine map = reha_affine_similarity(1.0 / how->scale, -how->angle_deg, moved, middle);
    REHA_TRY(reha_gray_warp(image, map, image->width_px, image->height_px, REHA_SAMPLING_CUBIC,
                            (reha_fill){REHA_EDGE_REPEAT, 0.0F}, out, err));
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        const double value = fmin(fmax((double)(*out)->pixels[i] / 255.0, 0.0), 1.0);
        const double made = 255.0 * pow(value, how->exponent) + how->noise * reha_random_normal(&random);
        (*out)->pixels[i] = (float)round(fmin(fmax(made, 0.0), 255.0));
    }
    return REHA_OK;
}

static void print_row(const char *knee, const look *how, const reha_analysis *analysis)
{
    (void)printf("%s,%s", knee, how->name);
    const bool is_read = analysis->is_accepted && analysis->region_count == 1;
    for (int k = 0; k < MEASURES; k++) {
        const reha_finding *finding = is_read ? reha_region_find(&analysis->regions[0], keys[k]) : NULL;
        (void)printf(finding != NULL && isfinite(finding->measure.value) ? ",%.6f,%.6f" : ",,",
                     finding != NULL ? finding->measure.value : 0.0,
                     finding != NULL ? finding->measure.error : 0.0);
    }
    const reha_finding *grade = is_read ? reha_region_find(&analysis->regions[0], "kl-grade") : NULL;
    if (grade != NULL) {
        (void)printf(",%d,%d,%d\n", grade->grade, grade->set_low, grade->set_high);
    } else {
        (void)printf(",,,\n");
    }
}

static reha_status look_at(reha_analyser *analyser, const char *path, const char *knee, uint64_t seed,
                           reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    reha_acquisition facts;
    const reha_analyse_options how = {.side_hint = reha_side_from_name(path), .side_source = "file name"};
    REHA_TRY(reha_image_load(path, NULL, &image, &facts, err));
    for (int i = 0; i < LOOKS; i++) {
        reha_gray *seen = NULL;
        reha_analysis *analysis = NULL;
        status = second_look(image, &looks[i], seed, &seen, err);
        if (status == REHA_OK) {
            status = reha_analyser_recogniser(analyser)->analyse(reha_analyser_model(analyser), seen, &facts,
                                                                 &how, &analysis, err);
        }
        if (status == REHA_OK) {
            print_row(knee, &looks[i], analysis);
        }
        reha_analysis_free(analysis);
        reha_gray_free(seen);
        REHA_CHECK(status);
    }
done:
    reha_gray_free(image);
    return status;
}

static reha_status look_at_all(const char *folder, int knees, const char *models, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_csv *labels = NULL;
    reha_analyser *analyser = NULL;
    char *table = reha_path_join(folder, "labels.csv");
    const reha_analyser_options options = {.models_folder = models, .threads = 1};
    REHA_CHECK(reha_analyser_open(&options, &analyser, err));
    REHA_CHECK(reha_csv_load(table, &labels, err));
    const int path_column = reha_csv_find(labels, "path");
    const int split_column = reha_csv_find(labels, "split");
    size_t rows = 0;
    for (size_t i = 0; i < reha_csv_rows(labels); i++) {
        rows += strcmp(reha_csv_get(labels, i, split_column), "val") == 0 ? 1 : 0;
    }
    const size_t step = rows > (size_t)knees ? rows / (size_t)knees : 1; /* spread over the whole split */
    size_t seen = 0;
    (void)printf("knee,look");
    for (int k = 0; k < MEASURES; k++) {
        (void)printf(",%s,%s-error", keys[k], keys[k]);
    }
    (void)printf(",grade,set_low,set_high\n");
    for (size_t i = 0; i < reha_csv_rows(labels); i++) {
        if (strcmp(reha_csv_get(labels, i, split_column), "val") != 0 || seen++ % step != 0) {
            continue;
        }
        char *path = reha_path_join(folder, reha_csv_get(labels, i, path_column));
        status = look_at(analyser, path, reha_csv_get(labels, i, 1), (uint64_t)i, err);
        reha_free(path);
        REHA_CHECK(status);
    }
done:
    reha_analyser_close(analyser);
    reha_csv_free(labels);
    reha_free(table);
    return status;
}

int main(int argc, char **argv)
{
    reha_error err = REHA_ERROR_INIT;
    const int knees = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 40;
    if (argc < 2 || knees < 1 || knees > KNEES_MAX) {
        (void)fprintf(stderr, "usage: repeat_bench DATA/knee_xray [KNEES] [MODELS]\n");
        return 2;
    }
    const reha_status status = look_at_all(argv[1], knees, argc > 3 ? argv[3] : "models", &err);
    if (status != REHA_OK) {
        (void)fprintf(stderr, "repeat_bench: %s\n", err.text);
        return 1;
    }
    return 0;
}
