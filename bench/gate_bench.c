/* Does the gate keep wrong and spoilt images away from the grading, and let good ones in? Makes about 1,900
 * images from the shared data, always the same ones, and sends each through the whole analysis.
 *
 *     gate_bench MODEL_FOLDER DATA_FOLDER [SPLIT [EVERY [LIST]]]
 *
 * SPLIT: val (default) or train, on which thresholds are chosen. EVERY: only each n-th image, for a quick
 * look. LIST: which files of the other data sets belong to which split
 * (research/knee-oa/gate/held_out.csv, from the root of the source tree). Makes no claim about detection of
 * real implants: the metal is drawn. Exits 0 unless something could not be run. */
#include "base/clock.h"
#include "base/csv.h"
#include "base/memory.h"
#include "base/random.h"
#include "gate_bench_pictures.h"
#include "image/resample.h"
#include "image/statistics.h"
#include "recognition/recogniser.h"
#include "service/input.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS_MAX = 64, REASONS_MAX = 12, FAILURES_MAX = 400, PATH_BYTES = 512 };

/* Where the joint lies in a ready crop of 224 px, on average. */
static const double joint_x_px = 111.5;
static const double joint_y_px = 138.0;
static const double plateau_px = 171.5;

typedef enum expectation { EXPECT_ACCEPTED, EXPECT_REFUSED, EXPECT_REFUSED_OR_CORRECTED } expectation;

typedef struct reason {
    char code[32];
    int count;
} reason;

typedef struct kind {
    const char *name;
    expectation expected;
    int count, right, corrected, warned;
    double total_ms;
    int reason_count;
    reason reasons[REASONS_MAX];
} kind;

typedef struct failure {
    char text[360];
} failure;

typedef struct source {
    char path[PATH_BYTES];
    double joint_top_px, joint_bottom_px, width_px;
} source;

typedef struct sources {
    source *items;
    size_t count;
} sources;

typedef struct bench {
    const reha_recogniser *recogniser;
    reha_model *model;
    const char *data_folder;
    const char *split;
    size_t every;
    size_t made; /* images asked for, run or not */
    reha_random random;
    int kind_count;
    kind kinds[KINDS_MAX];
    int failure_count;
    failure *failures;
    sources good, suspected, films, fractures, ultrasounds, slices;
} bench;

/* ---- Files ------------------------------------------------------------------------------------------- */

static reha_status add_source(sources *list, const char *folder, const char *path, reha_error *err)
{
    source *grown = reha_realloc(list->items, (list->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the list of files");
    }
    list->items = grown;
    source *item = &list->items[list->count++];
    *item = (source){0};
    (void)snprintf(item->path, sizeof item->path, "%s/%s", folder, path);
    return REHA_OK;
}

static reha_status list_crops(bench *b, reha_error *err)
{
    char folder[PATH_BYTES];
    char path[PATH_BYTES + 16];
    reha_csv *csv = NULL;
    reha_status status = REHA_OK;
    (void)snprintf(folder, sizeof folder, "%s/knee_xray", b->data_folder);
    (void)snprintf(path, sizeof path, "%s/labels.csv", folder);
    REHA_TRY(reha_csv_load(path, &csv, err));
    int file = 0;
    int split = 0;
    int inverted = 0;
    REHA_CHECK(reha_csv_need(csv, "path", &file, err));
    REHA_CHECK(reha_csv_need(csv, "split", &split, err));
    REHA_CHECK(reha_csv_need(csv, "inversion_suspected", &inverted, err));
    const bool is_val = strcmp(b->split, "val") == 0;
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        /* Of the many training images each seventh is as many as there are validation images. */
        if (strcmp(reha_csv_get(csv, row, split), b->split) != 0 || (!is_val && row % 7 != 0)) {
            continue;
        }
        sources *list = strcmp(reha_csv_get(csv, row, inverted), "1") == 0 ? &b->suspected : &b->good;
        REHA_CHECK(add_source(list, folder, reha_csv_get(csv, row, file), err));
    }
done:
    reha_csv_free(csv);
    return status;
}

static reha_status list_others(bench *b, const char *list_path, reha_error *err)
{
    const struct {
        const char *name;
        sources *list;
    } sets[] = {{"radiograph", &b->films},
                {"fracture", &b->fractures},
                {"ultrasound", &b->ultrasounds},
                {"slice", &b->slices}};
    static const char *const columns[6] = {"set",          "split",           "path",
                                           "joint_top_px", "joint_bottom_px", "width_px"};
    int at[6];
    reha_csv *csv = NULL;
    reha_status status = REHA_OK;
    REHA_TRY(reha_csv_load(list_path, &csv, err));
    for (int i = 0; i < 6; i++) {
        REHA_CHECK(reha_csv_need(csv, columns[i], &at[i], err));
    }
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
            if (strcmp(reha_csv_get(csv, row, at[0]), sets[s].name) == 0 &&
                strcmp(reha_csv_get(csv, row, at[1]), b->split) == 0) {
                REHA_CHECK(add_source(sets[s].list, b->data_folder, reha_csv_get(csv, row, at[2]), err));
                source *item = &sets[s].list->items[sets[s].list->count - 1];
                item->joint_top_px = atof(reha_csv_get(csv, row, at[3]));
                item->joint_bottom_px = atof(reha_csv_get(csv, row, at[4]));
                item->width_px = atof(reha_csv_get(csv, row, at[5]));
            }
        }
    }
done:
    reha_csv_free(csv);
    return status;
}

/* ---- One image through the analysis ------------------------------------------------------------------- */

static kind *kind_of(bench *b, const char *name, expectation expected)
{
    for (int i = 0; i < b->kind_count; i++) {
        if (strcmp(b->kinds[i].name, name) == 0) {
            return &b->kinds[i];
        }
    }
    if (b->kind_count == KINDS_MAX) {
        abort();
    }
    kind *added = &b->kinds[b->kind_count++];
    *added = (kind){.name = name, .expected = expected};
    return added;
}

static const reha_note *refusal_of(const reha_analysis *analysis)
{
    for (int i = 0; i < analysis->note_count; i++) {
        if (analysis->notes[i].level == REHA_NOTE_REFUSED) {
            return &analysis->notes[i];
        }
    }
    for (int r = 0; r < analysis->region_count; r++) {
        for (int i = 0; i < analysis->regions[r].note_count; i++) {
            if (analysis->regions[r].notes[i].level == REHA_NOTE_REFUSED) {
                return &analysis->regions[r].notes[i];
            }
        }
    }
    return NULL;
}

static bool is_warned(const reha_analysis *analysis)
{
    bool found = false;
    for (int r = 0; r < analysis->region_count; r++) {
        for (int i = 0; i < analysis->regions[r].note_count; i++) {
            found = found || strcmp(analysis->regions[r].notes[i].code, "unusual") == 0;
        }
    }
    return found;
}

static void count_reason(kind *k, const char *code)
{
    for (int i = 0; i < k->reason_count; i++) {
        if (strcmp(k->reasons[i].code, code) == 0) {
            k->reasons[i].count++;
            return;
        }
    }
    if (k->reason_count < REASONS_MAX) {
        reason *added = &k->reasons[k->reason_count++];
        (void)snprintf(added->code, sizeof added->code, "%s", code);
        added->count = 1;
    }
}

static void judge(bench *b, kind *k, const char *path, const reha_analysis *analysis)
{
    const reha_note *refusal = analysis->is_accepted ? NULL : refusal_of(analysis);
    const bool is_corrected = analysis->is_accepted && analysis->was_inverted;
    const bool is_right = k->expected == EXPECT_ACCEPTED  ? analysis->is_accepted
                          : k->expected == EXPECT_REFUSED ? !analysis->is_accepted
                                                          : !analysis->is_accepted || is_corrected;
    k->count++;
    k->right += is_right;
    k->corrected += is_corrected;
    k->warned += analysis->is_accepted && is_warned(analysis);
    k->total_ms += analysis->analysis_ms;
    if (refusal != NULL) {
        count_reason(k, refusal->code);
    }
    if (!is_right && b->failure_count < FAILURES_MAX) {
        const char *name = strrchr(path, '/');
        const double certainty = analysis->region_count > 0 ? analysis->regions[0].certainty : (double)NAN;
        (void)snprintf(b->failures[b->failure_count++].text, sizeof b->failures[0].text,
                       "%s: %s: %s (gate %.2f)%s%s", k->name, name != NULL ? name + 1 : path,
                       analysis->is_accepted ? "accepted" : "refused", certainty, refusal != NULL ? " " : "",
                       refusal != NULL ? refusal->code : "");
        if (refusal != NULL && strrchr(refusal->text, '(') != NULL) {
            char *end = b->failures[b->failure_count - 1].text;
            (void)snprintf(end + strlen(end), sizeof b->failures[0].text - strlen(end), " %s",
                           strrchr(refusal->text, '('));
        }
    }
}

/* Takes the image. Headers are not what is tested here: a slice must be known by its looks. */
static reha_status run_take(bench *b, const char *name, expectation expected, const char *path,
                            reha_gray *image, double chroma_fraction, reha_error *err)
{
    reha_acquisition facts = reha_acquisition_unknown();
    facts.bits_stored = 8;
    facts.chroma_fraction = chroma_fraction;
    const reha_analyse_options options = {.with_explanation = false};
    reha_analysis *analysis = NULL;
    reha_status status = REHA_OK;
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = roundf(fminf(fmaxf(image->pixels[i], 0.0f), 255.0f));
    }
    REHA_CHECK(b->recogniser->analyse(b->model, image, &facts, &options, &analysis, err));
    judge(b, kind_of(b, name, expected), path, analysis);
done:
    reha_analysis_free(analysis);
    reha_gray_free(image);
    return status;
}

/* True where the next image is one of those to run. */
static bool is_next(bench *b)
{
    return b->made++ % b->every == 0;
}

/* As 8 bit: other depths over their own range. */
static reha_status load(const char *path, reha_gray **out, reha_error *err)
{
    reha_acquisition facts;
    REHA_TRY(reha_input_load_gray(path, out, &facts, err));
    if (facts.bits_stored > 8 || strcmp(facts.container, "dicom") == 0) {
        const reha_status status = reha_gray_stretch(*out, 0.0, 1.0, NULL, NULL, err);
        if (status != REHA_OK) {
            reha_gray_free(*out);
            *out = NULL;
            return status;
        }
        for (size_t i = 0; i < (size_t)(*out)->width_px * (*out)->height_px; i++) {
            (*out)->pixels[i] *= 255.0f;
        }
    }
    return REHA_OK;
}

/* ---- What is done to images ------------------------------------------------------------------------- */

typedef struct change change;
typedef reha_status (*change_function)(bench *b, const source *from, reha_gray *image, reha_gray **out,
                                       reha_error *err);

struct change {
    const char *name;
    expectation expected;
    size_t count; /* of images; at most so many as there are */
    change_function make;
};

static size_t pixel_count(const reha_gray *image)
{
    return (size_t)image->width_px * image->height_px;
}

static reha_status as_it_is(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)b, (void)from;
    return reha_gray_copy(image, out, err);
}

static reha_status invert(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)b, (void)from;
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] = 255.0f - image->pixels[i];
    }
    return REHA_OK;
}

static reha_status quarter_turn(bench *b, const source *from, reha_gray *image, reha_gray **out,
                                reha_error *err)
{
    (void)from;
    return reha_gray_rotate90(image, reha_random_unit(&b->random) < 0.5 ? 1 : 3, out, err);
}

static reha_status upside_down(bench *b, const source *from, reha_gray *image, reha_gray **out,
                               reha_error *err)
{
    (void)b, (void)from;
    return reha_gray_rotate90(image, 2, out, err);
}

static reha_status cut(const reha_gray *image, double x0, double y0, double x1, double y1, reha_gray **out,
                       reha_error *err)
{
    const reha_fill fill = {.edge = REHA_EDGE_VALUE, .value = 0.0f};
    const double left = fmax(0.0, round(x0));
    const double top = fmax(0.0, round(y0));
    const double right = fmin(image->width_px, round(x1));
    const double bottom = fmin(image->height_px, round(y1));
    return reha_gray_crop(image, (int64_t)left, (int64_t)top, (uint32_t)fmax(1.0, right - left),
                          (uint32_t)fmax(1.0, bottom - top), fill, out, err);
}

static reha_status femur_only(bench *b, const source *from, reha_gray *image, reha_gray **out,
                              reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(&b->random, 0.12, 0.30) * plateau_px;
    return cut(image, 0, 0, image->width_px, joint_y_px - gap, out, err);
}

static reha_status tibia_only(bench *b, const source *from, reha_gray *image, reha_gray **out,
                              reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(&b->random, 0.06, 0.20) * plateau_px;
    return cut(image, 0, joint_y_px + gap, image->width_px, image->height_px, out, err);
}

static reha_status left_half(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(&b->random, 0.05, 0.20) * plateau_px;
    return cut(image, 0, 0, joint_x_px - gap, image->height_px, out, err);
}

static reha_status right_half(bench *b, const source *from, reha_gray *image, reha_gray **out,
                              reha_error *err)
{
    (void)from;
    const double gap = reha_random_range(&b->random, 0.05, 0.20) * plateau_px;
    return cut(image, joint_x_px + gap, 0, image->width_px, image->height_px, out, err);
}

/* The longer of the two parts of a film that hold no joint. */
static reha_status shaft_only(bench *b, const source *from, reha_gray *image, reha_gray **out,
                              reha_error *err)
{
    (void)b;
    const double above = from->joint_top_px - 0.30 * from->width_px;
    const double below = from->joint_bottom_px + 0.35 * from->width_px;
    return above > image->height_px - below
               ? cut(image, 0, 0, image->width_px, above, out, err)
               : cut(image, 0, below, image->width_px, image->height_px, out, err);
}

static reha_status blur(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    const double width_px = from->width_px > 0.0 ? from->width_px : plateau_px;
    return reha_gray_blur(image, reha_random_range(&b->random, 3.0, 8.0) / 180.0 * width_px, out, err);
}

static reha_status scale_grey(const reha_gray *image, double gain, double offset, reha_gray **out,
                              reha_error *err)
{
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] = (float)(gain * (double)image->pixels[i] + offset);
    }
    return REHA_OK;
}

static reha_status far_too_dark(bench *b, const source *from, reha_gray *image, reha_gray **out,
                                reha_error *err)
{
    (void)from;
    return scale_grey(image, reha_random_range(&b->random, 0.03, 0.08), 0.0, out, err);
}

static reha_status flat(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)from;
    return scale_grey(image, reha_random_range(&b->random, 0.02, 0.07),
                      reha_random_range(&b->random, 40.0, 190.0), out, err);
}

/* Nearly all of the knee is white. */
static reha_status burnt_out(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)from;
    const double fractions[2] = {0.01, reha_random_range(&b->random, 0.08, 0.15)};
    float at[2];
    REHA_TRY(reha_percentiles(image->pixels, pixel_count(image), fractions, 2, at, err));
    const double gain = 255.0 / fmax(1.0, (double)(at[1] - at[0]));
    return scale_grey(image, gain, -gain * (double)at[0], out, err);
}

static reha_status heavy_noise(bench *b, const source *from, reha_gray *image, reha_gray **out,
                               reha_error *err)
{
    (void)from;
    const double sd = reha_random_range(&b->random, 0.5, 1.2);
    static const double fractions[2] = {0.01, 0.99};
    float at[2];
    REHA_TRY(reha_percentiles(image->pixels, pixel_count(image), fractions, 2, at, err));
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] += (float)(sd * (double)(at[1] - at[0]) * reha_random_normal(&b->random));
    }
    return REHA_OK;
}

static reha_status metal(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)from;
    const bench_joint joint = {joint_x_px, joint_y_px, plateau_px};
    return bench_draw_metal(image, joint, &b->random, out, err);
}

static reha_status preview(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)b, (void)from;
    return reha_gray_resize(image, 48, 48, REHA_FILTER_LINEAR, out, err);
}

static reha_status square_part(bench *b, const source *from, reha_gray *image, reha_gray **out,
                               reha_error *err)
{
    (void)from;
    const double shorter = fmin(image->width_px, image->height_px);
    const double side = shorter * reha_random_range(&b->random, 0.4, 0.9);
    const double x = reha_random_range(&b->random, 0.0, image->width_px - side);
    const double y = reha_random_range(&b->random, 0.0, image->height_px - side);
    return cut(image, x, y, x + side, y + side, out, err);
}

/* Good images ------------------------------------------------------------------------------------------ */

/* As another hospital stores them: the width shows the knee, the height little more than half of it. */
static reha_status low_window(bench *b, const source *from, reha_gray *image, reha_gray **out,
                              reha_error *err)
{
    (void)from;
    const double width = fmin(image->width_px, plateau_px * reha_random_range(&b->random, 1.06, 1.28));
    const double height = width * 162.0 / 300.0 * reha_random_range(&b->random, 0.97, 1.06);
    const double x = fmin(fmax(0.0, joint_x_px - 0.5 * width), image->width_px - width);
    const double y = joint_y_px - height * reha_random_range(&b->random, 0.44, 0.62);
    const reha_box_px box = {x - 0.5, fmax(0.0, y) - 0.5, width, height};
    return reha_gray_resize_box(image, box, 300, 162, REHA_FILTER_LINEAR, out, err);
}

static reha_status slight_turn(bench *b, const source *from, reha_gray *image, reha_gray **out,
                               reha_error *err)
{
    (void)from;
    const reha_point_px centre = {0.5 * (image->width_px - 1.0), 0.5 * (image->height_px - 1.0)};
    const reha_affine map =
        reha_affine_similarity(1.0, reha_random_range(&b->random, -7.0, 7.0), centre, centre);
    static const double fraction = 0.01;
    float value = 0.0f;
    REHA_TRY(reha_percentiles(image->pixels, pixel_count(image), &fraction, 1, &value, err));
    const reha_fill fill = {.edge = REHA_EDGE_VALUE, .value = value};
    return reha_gray_warp(image, map, image->width_px, image->height_px, REHA_SAMPLING_LINEAR, fill, out,
                          err);
}

static reha_status other_exposure(bench *b, const source *from, reha_gray *image, reha_gray **out,
                                  reha_error *err)
{
    (void)from;
    const uint32_t how = reha_random_below(&b->random, 3);
    if (how == 0) {
        return scale_grey(image, reha_random_range(&b->random, 0.5, 0.9), 0.0, out, err);
    }
    if (how == 1) {
        const double gain = reha_random_range(&b->random, 0.55, 0.9);
        return scale_grey(image, gain, 128.0 * (1.0 - gain) + reha_random_range(&b->random, -20.0, 20.0), out,
                          err);
    }
    const double gamma = exp(reha_random_range(&b->random, -0.5, 0.5));
    REHA_TRY(reha_gray_copy(image, out, err));
    for (size_t i = 0; i < pixel_count(image); i++) {
        (*out)->pixels[i] = (float)(255.0 * pow((double)image->pixels[i] / 255.0, gamma));
    }
    return REHA_OK;
}

static reha_status mirror(bench *b, const source *from, reha_gray *image, reha_gray **out, reha_error *err)
{
    (void)b, (void)from;
    REHA_TRY(reha_gray_copy(image, out, err));
    reha_gray_flip_x(*out);
    return REHA_OK;
}

/* ---- All of them ------------------------------------------------------------------------------------- */

static reha_status run_change(bench *b, const sources *list, const change *how, reha_error *err)
{
    size_t *order = reha_alloc((list->count + 1) * sizeof *order);
    if (order == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the order of files");
    }
    for (size_t i = 0; i < list->count; i++) {
        order[i] = i;
    }
    /* Each change has random numbers of its own: another count elsewhere changes nothing here. */
    uint64_t stream = 1;
    for (const char *letter = how->name; *letter != '\0'; letter++) {
        stream = stream * 31 + (uint64_t)(unsigned char)*letter;
    }
    b->random = reha_random_init(2026, stream);
    reha_random_shuffle(&b->random, order, list->count);
    reha_status status = REHA_OK;
    for (size_t i = 0; i < list->count && i < how->count; i++) {
        const source *from = &list->items[order[i]];
        if (!is_next(b)) {
            continue;
        }
        reha_gray *image = NULL;
        reha_gray *made = NULL;
        status = load(from->path, &image, err);
        if (status == REHA_OK) {
            status = how->make(b, from, image, &made, err);
        }
        reha_gray_free(image);
        if (status == REHA_OK) {
            status = run_take(b, how->name, how->expected, from->path, made, 0.0, err);
        }
        if (status != REHA_OK) {
            break;
        }
    }
    reha_free(order);
    return status;
}

static reha_status run_drawn(bench *b, const char *name, bench_picture_kind what, int count, reha_error *err)
{
    for (int i = 0; i < count; i++) {
        if (!is_next(b)) {
            continue;
        }
        char path[32];
        reha_gray *image = NULL;
        double chroma_fraction = 0.0;
        reha_random random = reha_random_init(2026 + (uint64_t)i, 100 + (uint64_t)what);
        (void)snprintf(path, sizeof path, "number %d", i);
        REHA_TRY(bench_draw_picture(what, &random, &image, &chroma_fraction, err));
        REHA_TRY(run_take(b, name, EXPECT_REFUSED, path, image, chroma_fraction, err));
    }
    return REHA_OK;
}

static reha_status run_tinted(bench *b, size_t count, reha_error *err)
{
    b->random = reha_random_init(2026, 77);
    for (size_t i = 0; i < count && i < b->good.count; i++) {
        if (!is_next(b)) {
            continue;
        }
        const source *from = &b->good.items[(i * 37) % b->good.count];
        reha_gray *image = NULL;
        reha_gray *made = NULL;
        double chroma_fraction = 0.0;
        REHA_TRY(load(from->path, &image, err));
        const reha_status status = bench_draw_tinted(image, &b->random, &made, &chroma_fraction, err);
        reha_gray_free(image);
        REHA_TRY(status);
        REHA_TRY(run_take(b, "knee in colour", EXPECT_REFUSED, from->path, made, chroma_fraction, err));
    }
    return REHA_OK;
}

static reha_status run_all(bench *b, reha_error *err)
{
    const struct {
        const sources *list;
        change how;
    } changes[] = {
        {&b->good, {"GOOD crop", EXPECT_ACCEPTED, 1000, as_it_is}},
        {&b->films, {"GOOD whole radiograph", EXPECT_ACCEPTED, 200, as_it_is}},
        {&b->good, {"GOOD low window 300x162", EXPECT_ACCEPTED, 200, low_window}},
        {&b->good, {"GOOD turned up to 7 deg", EXPECT_ACCEPTED, 100, slight_turn}},
        {&b->good, {"GOOD other exposure", EXPECT_ACCEPTED, 100, other_exposure}},
        {&b->good, {"GOOD mirrored", EXPECT_ACCEPTED, 50, mirror}},
        {&b->suspected, {"inverted, as in the data", EXPECT_REFUSED_OR_CORRECTED, 100, as_it_is}},
        {&b->good, {"inverted crop", EXPECT_REFUSED_OR_CORRECTED, 90, invert}},
        {&b->films, {"inverted radiograph", EXPECT_REFUSED_OR_CORRECTED, 40, invert}},
        {&b->good, {"quarter turn, crop", EXPECT_REFUSED, 90, quarter_turn}},
        {&b->films, {"quarter turn, radiograph", EXPECT_REFUSED, 40, quarter_turn}},
        {&b->good, {"upside down, crop", EXPECT_REFUSED, 90, upside_down}},
        {&b->films, {"upside down, radiograph", EXPECT_REFUSED, 40, upside_down}},
        {&b->good, {"cut off: femur only", EXPECT_REFUSED, 40, femur_only}},
        {&b->good, {"cut off: tibia only", EXPECT_REFUSED, 40, tibia_only}},
        {&b->good, {"cut off: left half", EXPECT_REFUSED, 40, left_half}},
        {&b->good, {"cut off: right half", EXPECT_REFUSED, 40, right_half}},
        {&b->films, {"cut off: shaft of a radiograph", EXPECT_REFUSED, 40, shaft_only}},
        {&b->good, {"blurred, crop", EXPECT_REFUSED, 80, blur}},
        {&b->films, {"blurred, radiograph", EXPECT_REFUSED, 30, blur}},
        {&b->good, {"far too dark", EXPECT_REFUSED, 40, far_too_dark}},
        {&b->good, {"burnt out", EXPECT_REFUSED, 40, burnt_out}},
        {&b->good, {"flat", EXPECT_REFUSED, 40, flat}},
        {&b->good, {"heavy noise", EXPECT_REFUSED, 50, heavy_noise}},
        {&b->good, {"metal, drawn", EXPECT_REFUSED, 120, metal}},
        {&b->good, {"preview of 48 px", EXPECT_REFUSED, 10, preview}},
        {&b->fractures, {"hand or wrist, whole", EXPECT_REFUSED, 100, as_it_is}},
        {&b->fractures, {"hand or wrist, square part", EXPECT_REFUSED, 60, square_part}},
        {&b->ultrasounds, {"ultrasound", EXPECT_REFUSED, 80, as_it_is}},
        {&b->slices, {"CT or MR slice", EXPECT_REFUSED, 60, as_it_is}},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        REHA_TRY(run_change(b, changes[i].list, &changes[i].how, err));
    }
    REHA_TRY(run_tinted(b, 40, err));
    REHA_TRY(run_drawn(b, "colour picture", BENCH_COLOUR, 40, err));
    REHA_TRY(run_drawn(b, "photograph-like, grey", BENCH_SCENE, 50, err));
    REHA_TRY(run_drawn(b, "text page", BENCH_TEXT, 50, err));
    REHA_TRY(run_drawn(b, "chart", BENCH_CHART, 40, err));
    REHA_TRY(run_drawn(b, "gradient", BENCH_GRADIENT, 30, err));
    REHA_TRY(run_drawn(b, "noise", BENCH_NOISE, 30, err));
    return run_drawn(b, "blank", BENCH_BLANK, 10, err);
}

/* ---- Report ------------------------------------------------------------------------------------------ */

static void print_report(const bench *b)
{
    int wrong = 0;
    int stopped = 0;
    int good = 0;
    int let_in = 0;
    for (int i = 0; i < b->kind_count; i++) {
        const kind *k = &b->kinds[i];
        (void)printf("%-32s n %4d  right %4d (%5.1f %%)  %6.1f ms", k->name, k->count, k->right,
                     100.0 * k->right / k->count, k->total_ms / k->count);
        if (k->expected == EXPECT_REFUSED_OR_CORRECTED) {
            (void)printf("  corrected %d", k->corrected);
        }
        if (k->expected == EXPECT_ACCEPTED) {
            (void)printf("  refused %.2f %%, warned %d", 100.0 * (k->count - k->right) / k->count, k->warned);
        }
        (void)printf(" ");
        for (int r = 0; r < k->reason_count; r++) {
            (void)printf(" %s %d", k->reasons[r].code, k->reasons[r].count);
        }
        (void)printf("\n");
        good += k->expected == EXPECT_ACCEPTED ? k->count : 0;
        let_in += k->expected == EXPECT_ACCEPTED ? k->right : 0;
        wrong += k->expected != EXPECT_ACCEPTED ? k->count : 0;
        stopped += k->expected != EXPECT_ACCEPTED ? k->right : 0;
    }
    (void)printf("wrong or spoilt: %d of %d refused or corrected (%.2f %%, target 99)\n", stopped, wrong,
                 100.0 * stopped / wrong);
    (void)printf("good: %d of %d refused (%.2f %%, target 2)\n", good - let_in, good,
                 100.0 * (good - let_in) / good);
    for (int i = 0; i < b->failure_count; i++) {
        (void)printf("  %s\n", b->failures[i].text);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 6) {
        (void)fprintf(stderr, "usage: gate_bench MODEL_FOLDER DATA_FOLDER [SPLIT [EVERY [LIST]]]\n");
        return 2;
    }
    reha_error err = REHA_ERROR_INIT;
    bench *b = reha_alloc_zero(1, sizeof *b);
    failure *failures = reha_alloc_zero(FAILURES_MAX, sizeof *failures);
    reha_status status = REHA_E_NOMEM;
    if (b == NULL || failures == NULL) {
        goto done;
    }
    b->failures = failures;
    b->data_folder = argv[2];
    b->split = argc > 3 ? argv[3] : "val";
    b->every = argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : 1;
    b->every = b->every < 1 ? 1 : b->every;
    b->recogniser = reha_recogniser_find("knee-oa");
    const reha_model_options options = {.model_folder = argv[1], .threads = 1};
    REHA_CHECK(b->recogniser->open(&options, &b->model, &err));
    REHA_CHECK(list_crops(b, &err));
    REHA_CHECK(list_others(b, argc > 5 ? argv[5] : "research/knee-oa/gate/held_out.csv", &err));
    status = run_all(b, &err);
    print_report(b);
done:
    if (status != REHA_OK) {
        (void)fprintf(stderr, "gate_bench: %s\n", err.text);
    }
    if (b != NULL) {
        if (b->model != NULL) {
            b->recogniser->close(b->model);
        }
        sources *const lists[] = {&b->good,      &b->suspected,   &b->films,
                                  &b->fractures, &b->ultrasounds, &b->slices};
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
            reha_free(lists[i]->items);
        }
    }
    reha_free(failures);
    reha_free(b);
    return status == REHA_OK ? 0 : 1;
}
