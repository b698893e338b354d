/* False alarms and power of `compare`: looks at joints and muscles in which nothing changed (random turn,
 * enlargement, shift, exposure, noise), and at the same with a change of 1.5 times the smallest detectable
 * one.
 *
 *     change_bench real DATA/knee_xray [KNEES] [MODELS] [SCORES]
 *         real knees of split val, other ones than repeat_bench took; 5 looks each; the change is added to
 *         the reading
 *     change_bench phantom [KNEES] [MODELS] [SCORES]
 *         drawn knees: other texture, place and exposure; the change is drawn
 *     change_bench muscle [MUSCLES] [MODELS] [SCORES]
 *         drawn muscles: other fascicles and grain, other depth in the picture, other gain; thickness and the
 *         fascicles' direction are drawn changed
 *     change_bench tissue DATA/muscle_ultrasound [GROUPS] [MODELS] [SCORES] [PICTURES]
 *         real muscles, the first picture of each held-out group; the change is rendered into the picture
 *         (change_bench_tissue.c); PICTURES: a folder that keeps them
 *
 * "reading alone" leaves out the published error of positioning, which looks at one film cannot have.
 * Intervals are Wilson's. One thread. */
#include "change_bench.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/load.h"
#include "image/register.h"
#include "image/resample.h"
#include "recognition/knee_phantom.h"
#include "recognition/muscle_phantom.h"
#include "rehab/outcome_figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 5, MEASURES = 3 };
static const char *const knee_keys[MEASURES] = {"jsw-medial-min", "jsw-lateral-min", "kl-grade"};
static const char *const muscle_keys[MEASURES] = {"thickness", "pennation", "fascicle-angle"};

typedef struct tally {
    int pairs, refused;
    int count[MEASURES], alarms[MEASURES], alone[MEASURES], alone_count[MEASURES], found[MEASURES],
        found_of[MEASURES];
    double sdc_sum[MEASURES];
} tally;

typedef struct bench {
    const char *const *keys;
    bench_reader reader;
    tally stated, open;                         /* one set-up stated; nothing known */
    int laid, laid_unreliable, laid_bad_unseen; /* registrations */
    double laid_sum_px, laid_most_px, told_sum_px;
} bench;

/* ---- one pair ---- */

bool bench_is_real(const reha_compared *compared)
{
    const reha_verdict verdict = compared->change.verdict;
    return verdict == REHA_IMPROVED || verdict == REHA_WORSENED || verdict == REHA_DIFFERENT;
}

const reha_compared *bench_find(const reha_films *films, const char *key)
{
    for (int i = 0; films->pair_count > 0 && i < films->pairs[0].measure_count; i++) {
        if (strcmp(films->pairs[0].measures[i].key, key) == 0) {
            return &films->pairs[0].measures[i];
        }
    }
    return NULL;
}

reha_status bench_judge(const bench_reader *reader, json_t *first, json_t *second, bool is_setup_stated,
                        reha_films *out, reha_error *err)
{
    const reha_visit before = {first, "", "", "", ""};
    const reha_visit after = {second, "", "", "", ""};
    const reha_film_options how = {.is_setup_stated = is_setup_stated};
    return reha_films_compare(&before, &after, reader->scores, &how, out, err);
}

reha_status bench_read(const bench_reader *reader, const reha_gray *image, const reha_acquisition *facts,
                       reha_side side, json_t **out, reha_analysis **analysis, reha_error *err)
{
    reha_analysis *found = NULL;
    const reha_analyse_options how = {.side_hint = side, .side_source = "known"};
    REHA_TRY(reha_analyser_recogniser(reader->analyser)
                 ->analyse(reha_analyser_model(reader->analyser), image, facts, &how, &found, err));
    const reha_status status = reha_analysis_to_json(found, out, err);
    if (status == REHA_OK && analysis != NULL) {
        *analysis = found;
    } else {
        reha_analysis_free(found);
    }
    return status;
}

static void count(const bench *b, tally *to, const reha_films *films, double added)
{
    to->pairs++;
    if (films->is_refused) {
        to->refused++;
        return;
    }
    for (int k = 0; k < MEASURES; k++) {
        const reha_compared *one = bench_find(films, b->keys[k]);
        if (one == NULL || (isnan(one->change.sdc) && one->change.verdict == REHA_CANNOT_TELL)) {
            continue;
        }
        to->count[k]++;
        to->alarms[k] += bench_is_real(one) ? 1 : 0;
        if (isfinite(one->change.sdc)) {
            to->sdc_sum[k] += one->change.sdc;
            to->alone_count[k]++;
            to->alone[k] += fabs(one->change.difference) > one->change.sdc_reading ? 1 : 0;
            to->found_of[k] += added > 0.0 ? 1 : 0;
            to->found[k] +=
                added > 0.0 && one->change.difference - added * one->change.sdc < -one->change.sdc ? 1 : 0;
        }
    }
}

/* ---- real knees ---- */

/* *map: where a pixel of the new look lies in `image`. */
static reha_status another_look(bench *b, const reha_gray *image, reha_gray **out, reha_affine *map,
                                reha_error *err)
{
    reha_random *r = &b->reader.random;
    const reha_point_px middle = {0.5 * (image->width_px - 1.0), 0.5 * (image->height_px - 1.0)};
    const reha_point_px moved = {middle.x_px + reha_random_range(r, -6.0, 6.0),
                                 middle.y_px + reha_random_range(r, -6.0, 6.0)};
    const double scale = reha_random_range(r, 0.94, 1.06);
    const double exponent = exp(reha_random_range(r, -0.3, 0.3));
    const double noise = reha_random_range(r, 0.0, 3.0);
    *map = reha_affine_similarity(1.0 / scale, reha_random_range(r, -5.0, 5.0), moved, middle);
    REHA_TRY(reha_gray_warp(image, *map, image->width_px, image->height_px, REHA_SAMPLING_CUBIC,
                            (reha_fill){REHA_EDGE_REPEAT, 0.0F}, out, err));
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        const double value = 255.0 * pow(fmin(fmax((double)(*out)->pixels[i] / 255.0, 0.0), 1.0), exponent);
        (*out)->pixels[i] = (float)round(fmin(fmax(value + noise * reha_random_normal(r), 0.0), 255.0));
    }
    return REHA_OK;
}

/* Registration by intensity against the known map: mean distance over the middle half of the picture. */
static reha_status lay_over(bench *b, const reha_gray *image, const reha_gray *seen, reha_affine truth,
                            reha_error *err)
{
    reha_registration found;
    double sum = 0.0;
    REHA_TRY(reha_register(seen, image, NULL, &found, err));
    for (int i = 0; i < 25; i++) {
        const reha_point_px at = {(0.25 + 0.125 * (i % 5)) * image->width_px,
                                  (0.25 + 0.125 * (i / 5)) * image->height_px};
        const reha_point_px a = reha_affine_apply(found.fixed_to_moving, at);
        const reha_point_px t = reha_affine_apply(truth, at);
        sum += hypot(a.x_px - t.x_px, a.y_px - t.y_px) / 25.0;
    }
    b->laid++;
    b->laid_sum_px += sum;
    b->laid_most_px = fmax(b->laid_most_px, sum);
    b->told_sum_px += found.residual_px;
    b->laid_unreliable += found.is_reliable ? 0 : 1;
    b->laid_bad_unseen += found.is_reliable && sum > 3.0 ? 1 : 0;
    return REHA_OK;
}

static reha_status real_knee(bench *b, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    json_t *first = NULL;
    reha_acquisition facts;
    REHA_TRY(reha_image_load(path, NULL, &image, &facts, err));
    REHA_CHECK(bench_read(&b->reader, image, &facts, reha_side_from_name(path), &first, NULL, err));
    for (int i = 0; i < LOOKS; i++) {
        reha_gray *seen = NULL;
        json_t *second = NULL;
        reha_films stated;
        reha_films open;
        reha_affine map;
        status = another_look(b, image, &seen, &map, err);
        status = status == REHA_OK && i == 0 ? lay_over(b, image, seen, map, err) : status;
        status = status == REHA_OK
                     ? bench_read(&b->reader, seen, &facts, reha_side_from_name(path), &second, NULL, err)
                     : status;
        status = status == REHA_OK ? bench_judge(&b->reader, first, second, true, &stated, err) : status;
        status = status == REHA_OK ? bench_judge(&b->reader, first, second, false, &open, err) : status;
        if (status == REHA_OK) {
            count(b, &b->stated, &stated, BENCH_FACTOR);
            count(b, &b->open, &open, BENCH_FACTOR);
        }
        reha_gray_free(seen);
        json_decref(second);
        REHA_CHECK(status);
    }
done:
    reha_gray_free(image);
    json_decref(first);
    return status;
}

static reha_status real_knees(bench *b, const char *folder, size_t knees, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_csv *labels = NULL;
    char *table = reha_path_join(folder, "labels.csv");
    size_t seen = 0;
    size_t rows = 0;
    REHA_CHECK(reha_csv_load(table, &labels, err));
    const int split = reha_csv_find(labels, "split");
    for (size_t i = 0; i < reha_csv_rows(labels); i++) {
        rows += strcmp(reha_csv_get(labels, i, split), "val") == 0 ? 1 : 0;
    }
    const size_t step = rows / knees > 0 ? 5 * ((rows / knees + 4) / 5)
                                         : 5; /* repeat_bench took every fifth, from the first */
    for (size_t i = 0; i < reha_csv_rows(labels); i++) {
        if (strcmp(reha_csv_get(labels, i, split), "val") != 0 || seen++ % step != 3) {
            continue;
        }
        char *path = reha_path_join(folder, reha_csv_get(labels, i, reha_csv_find(labels, "path")));
        status = real_knee(b, path, err);
        reha_free(path);
        REHA_CHECK(status);
    }
done:
    reha_csv_free(labels);
    reha_free(table);
    return status;
}

/* ---- drawn knees ---- */

static reha_status drawn(bench *b, double medial_mm, double lateral_mm, uint64_t seed, bool as_first,
                         json_t **out, reha_error *err)
{
    reha_gray *image = NULL;
    reha_random *r = &b->reader.random;
    reha_acquisition facts = reha_acquisition_unknown();
    reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, seed);
    spec.is_spacing_known = true;
    spec.knees[0].medial_jsw_mm = medial_mm;
    spec.knees[0].lateral_jsw_mm = lateral_mm;
    if (!as_first) {
        spec.knees[0].angle_deg = reha_random_range(r, -4.0, 4.0);
        spec.knees[0].joint_px.x_px += reha_random_range(r, -6.0, 6.0);
        spec.knees[0].joint_px.y_px += reha_random_range(r, -6.0, 6.0);
        spec.exposure = reha_random_range(r, -0.3, 0.3);
        spec.contrast *= reha_random_range(r, 0.8, 1.2);
    }
    REHA_TRY(reha_phantom_draw(&spec, &image, NULL, err));
    const reha_status status = bench_read(&b->reader, image, &facts, REHA_SIDE_RIGHT, out, NULL, err);
    reha_gray_free(image);
    return status;
}

/* The knee again, unchanged; and again, its medial space narrower by 1.5 of the SDC that the first pair got.
 */
static reha_status drawn_knee(bench *b, uint64_t seed, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *first = NULL;
    json_t *still = NULL;
    json_t *less = NULL;
    reha_films films;
    const double medial_mm = reha_random_range(&b->reader.random, 3.0, 5.5);
    const double lateral_mm = reha_random_range(&b->reader.random, 4.0, 6.5);
    REHA_CHECK(drawn(b, medial_mm, lateral_mm, seed, true, &first, err));
    REHA_CHECK(drawn(b, medial_mm, lateral_mm, seed + 1, false, &still, err));
    REHA_CHECK(bench_judge(&b->reader, first, still, true, &films, err));
    count(b, &b->stated, &films, 0.0);
    const reha_compared *medial = bench_find(&films, b->keys[0]);
    if (medial != NULL && isfinite(medial->change.sdc) && strcmp(medial->unit, "mm") == 0) {
        REHA_CHECK(drawn(b, fmax(medial_mm - BENCH_FACTOR * medial->change.sdc, 0.2), lateral_mm, seed + 2,
                         false, &less, err));
        REHA_CHECK(bench_judge(&b->reader, first, less, true, &films, err));
        medial = bench_find(&films, b->keys[0]);
        b->stated.found_of[0]++;
        b->stated.found[0] += medial != NULL && medial->change.verdict == REHA_WORSENED ? 1 : 0;
    }
done:
    json_decref(first);
    json_decref(still);
    json_decref(less);
    return status;
}

/* ---- drawn muscles ---- */

static reha_status drawn_muscle(bench *b, reha_muscle_phantom phantom, bool as_first, json_t **out,
                                reha_error *err)
{
    reha_gray *image = NULL;
    reha_random *r = &b->reader.random;
    reha_acquisition facts = reha_acquisition_unknown();
    double exponent = 1.0;
    if (!as_first) {
        const double moved_px = reha_random_range(r, -8.0, 8.0);
        phantom.top_y_px += moved_px;
        phantom.bottom_y_px += moved_px;
        exponent = exp(reha_random_range(r, -0.25, 0.25));
    }
    REHA_TRY(reha_muscle_phantom_draw(&phantom, &image, NULL, err));
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = (float)(255.0 * pow((double)image->pixels[i] / 255.0, exponent));
    }
    image->spacing = (reha_spacing){BENCH_MUSCLE_MM_PER_PX, BENCH_MUSCLE_MM_PER_PX, REHA_SPACING_USER};
    const reha_status status = bench_read(&b->reader, image, &facts, REHA_SIDE_UNKNOWN, out, NULL, err);
    reha_gray_free(image);
    return status;
}

/* The muscle again with `phantom` changed in what `key` measures: is that told? */
static reha_status look_for(bench *b, const json_t *first, reha_muscle_phantom phantom, int k,
                            reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *changed = NULL;
    reha_films films;
    REHA_CHECK(drawn_muscle(b, phantom, false, &changed, err));
    REHA_CHECK(bench_judge(&b->reader, (json_t *)first, changed, true, &films, err));
    const reha_compared *one = bench_find(&films, b->keys[k]);
    b->stated.found_of[k]++;
    b->stated.found[k] += one != NULL && bench_is_real(one) && one->change.difference > 0.0 ? 1 : 0;
done:
    json_decref(changed);
    return status;
}

/* Unchanged but for grain, fascicles' course, depth and gain; then thicker, then steeper, by 1.5 of the SDC
 * that the unchanged pair got. */
static reha_status one_muscle(bench *b, uint64_t seed, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *first = NULL;
    json_t *still = NULL;
    reha_films films;
    const reha_muscle_phantom phantom = reha_muscle_phantom_of(seed);
    reha_muscle_phantom other = phantom;
    REHA_CHECK(drawn_muscle(b, phantom, true, &first, err));
    other.seed = seed + 1;
    REHA_CHECK(drawn_muscle(b, other, false, &still, err));
    REHA_CHECK(bench_judge(&b->reader, first, still, true, &films, err));
    count(b, &b->stated, &films, 0.0);
    for (int k = 0; k < 2; k++) {
        const reha_compared *one = bench_find(&films, b->keys[k]);
        if (one == NULL || !isfinite(one->change.sdc)) {
            continue;
        }
        reha_muscle_phantom changed = phantom;
        changed.seed = seed + 2 + (uint64_t)k;
        changed.bottom_y_px += k == 0 ? BENCH_FACTOR * one->change.sdc / BENCH_MUSCLE_MM_PER_PX : 0.0;
        changed.fascicle_deg += k == 1 ? BENCH_FACTOR * one->change.sdc : 0.0;
        REHA_CHECK(look_for(b, first, changed, k, err));
    }
done:
    json_decref(first);
    json_decref(still);
    return status;
}

/* ---- report ---- */

static void print_share(const char *what, int hits, int of)
{
    double low = 0.0;
    double high = 0.0;
    if (of > 0) {
        reha_outcome_wilson((size_t)hits, (size_t)of, &low, &high);
        (void)printf("; %s %d of %d (%.1f %%, %.1f to %.1f)", what, hits, of, 100.0 * hits / of,
                     100.0 * fmax(low, 0.0), 100.0 * high);
    }
}

static void print(const bench *b, const char *name, const tally *t)
{
    (void)printf("%s: %d pairs, %d refused\n", name, t->pairs, t->refused);
    for (int k = 0; k < MEASURES; k++) {
        if (t->count[k] == 0) {
            continue;
        }
        (void)printf("  %-16s", b->keys[k]);
        print_share("false alarms", t->alarms[k], t->count[k]);
        print_share("reading alone", t->alone[k], t->alone_count[k]);
        print_share("1.5 SDC found", t->found[k], t->found_of[k]);
        if (t->alone_count[k] > 0) {
            (void)printf("; mean SDC %.4f", t->sdc_sum[k] / t->alone_count[k]);
        }
        (void)printf("\n");
    }
}

static reha_status run(bench *b, const char *mode, const char *data, size_t count_max, const char *pictures,
                       reha_error *err)
{
    if (strcmp(mode, "tissue") == 0) {
        return bench_tissue(&b->reader, data, count_max, pictures, err);
    }
    if (strcmp(mode, "real") == 0) {
        REHA_TRY(real_knees(b, data, count_max, err));
        print(b, "same set-up stated", &b->stated);
        print(b, "nothing known of the set-up", &b->open);
        (void)printf("registration by intensity: %d, error mean %.2f px, most %.2f px; told mean %.2f px; %d "
                     "told to be unreliable, %d off by more than 3 px and not told\n",
                     b->laid, b->laid_sum_px / b->laid, b->laid_most_px, b->told_sum_px / b->laid,
                     b->laid_unreliable, b->laid_bad_unseen);
        return REHA_OK;
    }
    for (size_t i = 0; i < count_max; i++) {
        REHA_TRY(strcmp(mode, "muscle") == 0 ? one_muscle(b, 1000 + 10 * i, err)
                                             : drawn_knee(b, 1000 + 10 * i, err));
    }
    print(b,
          strcmp(mode, "muscle") == 0 ? "drawn muscles, same set-up stated"
                                      : "drawn knees, same set-up stated",
          &b->stated);
    return REHA_OK;
}

int main(int argc, char **argv)
{
    reha_error err = REHA_ERROR_INIT;
    reha_status status = REHA_OK;
    const char *mode = argc > 1 ? argv[1] : "";
    const bool is_of_data = strcmp(mode, "real") == 0 || strcmp(mode, "tissue") == 0;
    const bool is_muscle = strcmp(mode, "muscle") == 0 || strcmp(mode, "tissue") == 0;
    const int at = is_of_data ? 3 : 2;
    if (argc < at || (!is_of_data && !is_muscle && strcmp(mode, "phantom") != 0)) {
        (void)fprintf(stderr, "usage: change_bench real DATA/knee_xray | phantom | muscle | tissue "
                              "DATA/muscle_ultrasound [COUNT] [MODELS] [SCORES] [PICTURES]\n");
        return 2;
    }
    const size_t count_max = argc > at ? (size_t)strtoul(argv[at], NULL, 10) : 40;
    const reha_analyser_options options = {.task = is_muscle ? "muscle-us" : NULL,
                                           .models_folder = argc > at + 1 ? argv[at + 1] : "models",
                                           .threads = 1};
    bench *b = reha_alloc_zero(1, sizeof *b);
    if (b == NULL || count_max == 0) {
        return 2;
    }
    b->reader.random = reha_random_init(77, 1);
    b->keys = is_muscle ? muscle_keys : knee_keys;
    REHA_CHECK(reha_analyser_open(&options, &b->reader.analyser, &err));
    REHA_CHECK(
        reha_scores_load(argc > at + 2 ? argv[at + 2] : "guidelines/scores.json", &b->reader.scores, &err));
    REHA_CHECK(
        run(b, mode, is_of_data ? argv[2] : NULL, count_max, argc > at + 3 ? argv[at + 3] : NULL, &err));
done:
    if (status != REHA_OK) {
        (void)fprintf(stderr, "change_bench: %s\n", err.text);
    }
    reha_analyser_close(b->reader.analyser);
    reha_scores_free(b->reader.scores);
    reha_free(b);
    return status == REHA_OK ? 0 : 1;
}
