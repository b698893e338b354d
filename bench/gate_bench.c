/* Do the gate and a recogniser's own admission keep wrong and spoilt images away, and let good ones in? Makes
 * 1,500 to 2,900 images from the shared data, always the same ones, and sends each through the gate and, if
 * let in, through the whole analysis, as `analyse --task TASK` does.
 *
 *     gate_bench TASK MODELS_FOLDER DATA_FOLDER [SPLIT [EVERY [LIST [PHOTOS [ONLY]]]]]
 *
 * TASK: knee-oa, muscle-us or fracture. SPLIT: val (default) or train, on which thresholds are chosen. EVERY:
 * only each n-th image, for a quick look. LIST: which files of the other data sets belong to which split
 * (research/knee-oa/gate/held_out.csv, from the root of the source tree). PHOTOS: a folder of photographs, ""
 * for none. ONLY: kinds with this in their name. Makes no claim about detection of real implants: the metal
 * is drawn. Intervals are Wilson's, of images taken as independent. Exits 0 unless something could not be
 * run. */
#include "base/clock.h"
#include "base/csv.h"
#include "base/memory.h"
#include "base/random.h"
#include "gate_bench_changes.h"
#include "gate_bench_pictures.h"
#include "image/statistics.h"
#include "recognition/recogniser.h"
#include "service/gatekeeper.h"
#include "service/input.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS_MAX = 64, REASONS_MAX = 16 };

/* EXPECT_NOTHING: told, not counted, where there is no right answer. */
typedef enum expectation {
    EXPECT_ACCEPTED,
    EXPECT_REFUSED,
    EXPECT_REFUSED_OR_CORRECTED,
    EXPECT_NOTHING
} expectation;

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

typedef struct sources {
    bench_source *items;
    size_t count;
} sources;

typedef struct bench {
    const char *task;
    reha_gatekeeper *keeper;
    const reha_recogniser *recogniser;
    reha_model *model;
    const char *data_folder;
    const char *split;
    size_t every;
    const char *only; /* part of the names of kinds to run */
    size_t made;      /* images asked for, run or not */
    reha_random random;
    int kind_count;
    kind kinds[KINDS_MAX];
    sources crops, suspected, films, fractures, ultrasounds, slices, photos;
} bench;

/* ---- Files ---- */

static reha_status add_source(sources *list, const char *folder, const char *path, reha_error *err)
{
    bench_source *grown = reha_realloc(list->items, (list->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the list of files");
    }
    list->items = grown;
    bench_source *item = &list->items[list->count++];
    *item = (bench_source){0};
    (void)snprintf(item->path, sizeof item->path, "%s/%s", folder, path);
    return REHA_OK;
}

static reha_status list_crops(bench *b, reha_error *err)
{
    char folder[BENCH_PATH_BYTES];
    char path[BENCH_PATH_BYTES + 16];
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
        sources *list = strcmp(reha_csv_get(csv, row, inverted), "1") == 0 ? &b->suspected : &b->crops;
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
                bench_source *item = &sets[s].list->items[sets[s].list->count - 1];
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

static reha_status list_photos(bench *b, const char *folder, reha_error *err)
{
    reha_paths files = {0};
    reha_status status = REHA_OK;
    if (folder[0] == '\0') {
        return REHA_OK;
    }
    REHA_TRY(reha_input_expand(&folder, 1, &files, err));
    for (size_t i = 0; i < files.count && status == REHA_OK; i++) {
        status = add_source(&b->photos, folder, reha_path_name(files.items[i]), err);
    }
    reha_paths_clear(&files);
    return status;
}

/* ---- One image through the analysis ---- */

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

static void judge(kind *k, const char *path, const reha_analysis *analysis)
{
    const reha_note *refusal = analysis->is_accepted ? NULL : refusal_of(analysis);
    const bool is_corrected = analysis->is_accepted && analysis->was_inverted;
    const bool is_right = k->expected == EXPECT_ACCEPTED  ? analysis->is_accepted
                          : k->expected == EXPECT_NOTHING ? true
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
    if (!is_right) {
        const char *name = strrchr(path, '/');
        const char *numbers = refusal != NULL ? strrchr(refusal->text, '(') : NULL;
        const double certainty = analysis->region_count > 0 ? analysis->regions[0].certainty : (double)NAN;
        (void)printf("    %s: %s: %s (gate %.2f) %s %s\n", k->name, name != NULL ? name + 1 : path,
                     analysis->is_accepted ? "accepted" : "refused", certainty,
                     refusal != NULL ? refusal->code : "", numbers != NULL ? numbers : "");
    }
}

/* Wilson's 95 % interval of hits of n, in percent. */
static void wilson(int hits, int n, double *low, double *high)
{
    const double z2 = 1.96 * 1.96;
    const double p = (double)hits / n;
    const double middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    const double half = 1.96 * sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n)) / (1.0 + z2 / n);
    *low = 100.0 * fmax(0.0, middle - half);
    *high = 100.0 * fmin(1.0, middle + half);
}

static void print_kind(const bench *b, const char *name)
{
    double low = 0.0;
    double high = 0.0;
    for (int i = 0; i < b->kind_count; i++) {
        const kind *k = &b->kinds[i];
        if (strcmp(k->name, name) != 0) {
            continue;
        }
        wilson(k->right, k->count, &low, &high);
        (void)printf("%-32s n %4d  right %4d (%5.1f %%, %.1f to %.1f)  %6.1f ms", k->name, k->count, k->right,
                     100.0 * k->right / k->count, low, high, k->total_ms / k->count);
        if (k->expected == EXPECT_NOTHING) {
            (void)printf("  not counted");
        }
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
    }
    (void)fflush(stdout);
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
    reha_ruling ruling = {0};
    reha_status status = REHA_OK;
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        image->pixels[i] = roundf(fminf(fmaxf(image->pixels[i], 0.0f), 255.0f));
    }
    REHA_CHECK(reha_gatekeeper_ask(b->keeper, image, &facts, b->task, &ruling, err));
    if (ruling.is_refused) {
        REHA_CHECK(reha_gatekeeper_refuse(b->keeper, &ruling, image, &facts, &analysis, err));
    } else {
        const reha_gray *seen = ruling.turned_over != NULL ? ruling.turned_over : image;
        REHA_CHECK(b->recogniser->analyse(b->model, seen, &facts, &options, &analysis, err));
        analysis->was_inverted = analysis->was_inverted || ruling.turned_over != NULL;
    }
    judge(kind_of(b, name, expected), path, analysis);
done:
    reha_ruling_clear(&ruling);
    reha_analysis_free(analysis);
    reha_gray_free(image);
    return status;
}

/* True where the next image is one of those to run. */
static bool is_next(bench *b, const char *name)
{
    return b->made++ % b->every == 0 && strstr(name, b->only) != NULL;
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

typedef struct change {
    const char *name;
    expectation expected;
    size_t count; /* of images; at most so many as there are */
    bench_change_kind how;
} change;

/* ---- All of them ---- */

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
        const bench_source *from = &list->items[order[i]];
        if (!is_next(b, how->name)) {
            continue;
        }
        reha_gray *image = NULL;
        reha_gray *made = NULL;
        status = load(from->path, &image, err);
        if (status == REHA_OK) {
            status = bench_change(how->how, &b->random, from, image, &made, err);
        }
        reha_gray_free(image);
        if (status == REHA_OK) {
            status = run_take(b, how->name, how->expected, from->path, made, 0.0, err);
        }
        if (status != REHA_OK) {
            break;
        }
    }
    print_kind(b, how->name);
    reha_free(order);
    return status;
}

static reha_status run_drawn(bench *b, const char *name, bench_picture_kind what, int count, reha_error *err)
{
    for (int i = 0; i < count; i++) {
        if (!is_next(b, name)) {
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
    print_kind(b, name);
    return REHA_OK;
}

static reha_status run_tinted(bench *b, size_t count, reha_error *err)
{
    b->random = reha_random_init(2026, 77);
    for (size_t i = 0; i < count && i < b->crops.count; i++) {
        if (!is_next(b, "knee in colour")) {
            continue;
        }
        const bench_source *from = &b->crops.items[(i * 37) % b->crops.count];
        reha_gray *image = NULL;
        reha_gray *made = NULL;
        double chroma_fraction = 0.0;
        REHA_TRY(load(from->path, &image, err));
        const reha_status status = bench_draw_tinted(image, &b->random, &made, &chroma_fraction, err);
        reha_gray_free(image);
        REHA_TRY(status);
        REHA_TRY(run_take(b, "knee in colour", EXPECT_REFUSED, from->path, made, chroma_fraction, err));
    }
    print_kind(b, "knee in colour");
    return REHA_OK;
}

typedef struct step {
    const sources *list;
    change how;
} step;

static reha_status run_steps(bench *b, const step *steps, size_t count, reha_error *err)
{
    for (size_t i = 0; i < count; i++) {
        REHA_TRY(run_change(b, steps[i].list, &steps[i].how, err));
    }
    return REHA_OK;
}

/* What no recogniser may take. */
static reha_status run_foreign(bench *b, reha_error *err)
{
    REHA_TRY(run_drawn(b, "colour picture", BENCH_COLOUR, 50, err));
    REHA_TRY(run_drawn(b, "photograph-like, grey", BENCH_SCENE, 50, err));
    REHA_TRY(run_drawn(b, "text page", BENCH_TEXT, 50, err));
    REHA_TRY(run_drawn(b, "chart", BENCH_CHART, 40, err));
    REHA_TRY(run_drawn(b, "gradient", BENCH_GRADIENT, 30, err));
    REHA_TRY(run_drawn(b, "noise", BENCH_NOISE, 30, err));
    REHA_TRY(run_drawn(b, "blank", BENCH_BLANK, 10, err));
    const step steps[] = {
        {&b->slices, {"CT or MR slice", EXPECT_REFUSED, 60, BENCH_AS_IT_IS}},
        {&b->photos, {"photograph, made grey", EXPECT_REFUSED, 100, BENCH_AS_IT_IS}},
        {&b->photos, {"photograph, grey, inverted", EXPECT_REFUSED, 100, BENCH_INVERT}},
        {&b->photos, {"photograph, grey, square part", EXPECT_REFUSED, 100, BENCH_SQUARE_PART}},
    };
    return run_steps(b, steps, sizeof steps / sizeof steps[0], err);
}

/* Good pictures of one kind spoilt in every way that has a right answer for that kind. */
static reha_status run_spoilt(bench *b, const sources *good, bool has_upright, reha_error *err)
{
    const expectation turned = has_upright ? EXPECT_REFUSED : EXPECT_NOTHING;
    const step steps[] = {
        {good, {"GOOD as it is", EXPECT_ACCEPTED, 200, BENCH_AS_IT_IS}},
        {good, {"GOOD mirrored", EXPECT_ACCEPTED, 60, BENCH_MIRROR}},
        {good, {"GOOD turned up to 7 deg", EXPECT_ACCEPTED, 60, BENCH_SLIGHT_TURN}},
        {good, {"GOOD other exposure", EXPECT_ACCEPTED, 60, BENCH_OTHER_EXPOSURE}},
        {good, {"inverted", EXPECT_REFUSED_OR_CORRECTED, 100, BENCH_INVERT}},
        {good, {"quarter turn", turned, 100, BENCH_QUARTER_TURN}},
        {good, {"upside down", turned, 100, BENCH_UPSIDE_DOWN}},
        {good, {"blurred", EXPECT_REFUSED, 100, BENCH_BLUR}},
        {good, {"far too dark", EXPECT_REFUSED, 60, BENCH_FAR_TOO_DARK}},
        {good, {"burnt out", EXPECT_REFUSED, 60, BENCH_BURNT_OUT}},
        {good, {"flat", EXPECT_REFUSED, 60, BENCH_FLAT}},
        {good, {"heavy noise", EXPECT_REFUSED, 60, BENCH_HEAVY_NOISE}},
        {good, {"preview of 48 px", EXPECT_REFUSED, 40, BENCH_PREVIEW}},
        {good, {"cut to a tenth to a fifth", EXPECT_REFUSED, 80, BENCH_SMALL_PART}},
    };
    return run_steps(b, steps, sizeof steps / sizeof steps[0], err);
}

static reha_status run_fracture(bench *b, reha_error *err)
{
    const step steps[] = {
        {&b->crops, {"other part: knee, ready crop", EXPECT_REFUSED, 200, BENCH_AS_IT_IS}},
        {&b->films, {"other part: knees, whole film", EXPECT_REFUSED, 60, BENCH_AS_IT_IS}},
        {&b->ultrasounds, {"ultrasound", EXPECT_REFUSED, 100, BENCH_AS_IT_IS}},
    };
    REHA_TRY(run_steps(b, steps, sizeof steps / sizeof steps[0], err));
    REHA_TRY(run_foreign(b, err));
    return run_spoilt(b, &b->fractures, false, err); /* limbs are laid on the plate as it suits */
}

static reha_status run_muscle(bench *b, reha_error *err)
{
    const step steps[] = {
        {&b->crops, {"knee, ready crop", EXPECT_REFUSED, 100, BENCH_AS_IT_IS}},
        {&b->films, {"knees, whole film", EXPECT_REFUSED, 60, BENCH_AS_IT_IS}},
        {&b->fractures, {"hand or wrist", EXPECT_REFUSED, 100, BENCH_AS_IT_IS}},
        {&b->fractures, {"hand or wrist, square part", EXPECT_REFUSED, 60, BENCH_SQUARE_PART}},
    };
    REHA_TRY(run_steps(b, steps, sizeof steps / sizeof steps[0], err));
    REHA_TRY(run_foreign(b, err));
    return run_spoilt(b, &b->ultrasounds, true, err);
}

static reha_status run_knee(bench *b, reha_error *err)
{
    const step steps[] = {
        {&b->films, {"GOOD whole radiograph", EXPECT_ACCEPTED, 200, BENCH_AS_IT_IS}},
        {&b->crops, {"GOOD low window 300x162", EXPECT_ACCEPTED, 200, BENCH_LOW_WINDOW}},
        {&b->crops, {"GOOD turned up to 7 deg", EXPECT_ACCEPTED, 100, BENCH_SLIGHT_TURN}},
        {&b->crops, {"GOOD other exposure", EXPECT_ACCEPTED, 100, BENCH_OTHER_EXPOSURE}},
        {&b->crops, {"GOOD mirrored", EXPECT_ACCEPTED, 50, BENCH_MIRROR}},
        {&b->suspected, {"inverted, as in the data", EXPECT_REFUSED_OR_CORRECTED, 100, BENCH_AS_IT_IS}},
        {&b->crops, {"inverted crop", EXPECT_REFUSED_OR_CORRECTED, 90, BENCH_INVERT}},
        {&b->films, {"inverted radiograph", EXPECT_REFUSED_OR_CORRECTED, 40, BENCH_INVERT}},
        {&b->crops, {"quarter turn, crop", EXPECT_REFUSED, 90, BENCH_QUARTER_TURN}},
        {&b->films, {"quarter turn, radiograph", EXPECT_REFUSED, 40, BENCH_QUARTER_TURN}},
        {&b->crops, {"upside down, crop", EXPECT_REFUSED, 90, BENCH_UPSIDE_DOWN}},
        {&b->films, {"upside down, radiograph", EXPECT_REFUSED, 40, BENCH_UPSIDE_DOWN}},
        {&b->crops, {"cut off: femur only", EXPECT_REFUSED, 40, BENCH_FEMUR_ONLY}},
        {&b->crops, {"cut off: tibia only", EXPECT_REFUSED, 40, BENCH_TIBIA_ONLY}},
        {&b->crops, {"cut off: left half", EXPECT_REFUSED, 40, BENCH_LEFT_HALF}},
        {&b->crops, {"cut off: right half", EXPECT_REFUSED, 40, BENCH_RIGHT_HALF}},
        {&b->films, {"cut off: shaft of a radiograph", EXPECT_REFUSED, 40, BENCH_SHAFT_ONLY}},
        {&b->crops, {"blurred, crop", EXPECT_REFUSED, 80, BENCH_BLUR}},
        {&b->films, {"blurred, radiograph", EXPECT_REFUSED, 30, BENCH_BLUR}},
        {&b->crops, {"far too dark", EXPECT_REFUSED, 40, BENCH_FAR_TOO_DARK}},
        {&b->crops, {"burnt out", EXPECT_REFUSED, 40, BENCH_BURNT_OUT}},
        {&b->crops, {"flat", EXPECT_REFUSED, 40, BENCH_FLAT}},
        {&b->crops, {"heavy noise", EXPECT_REFUSED, 50, BENCH_HEAVY_NOISE}},
        {&b->crops, {"metal, drawn", EXPECT_REFUSED, 120, BENCH_METAL}},
        {&b->crops, {"preview of 48 px", EXPECT_REFUSED, 10, BENCH_PREVIEW}},
        {&b->fractures, {"hand or wrist, whole", EXPECT_REFUSED, 100, BENCH_AS_IT_IS}},
        {&b->fractures, {"hand or wrist, square part", EXPECT_REFUSED, 60, BENCH_SQUARE_PART}},
        {&b->ultrasounds, {"ultrasound", EXPECT_REFUSED, 80, BENCH_AS_IT_IS}},
    };
    REHA_TRY(run_steps(b, steps, sizeof steps / sizeof steps[0], err));
    REHA_TRY(run_tinted(b, 40, err));
    REHA_TRY(run_foreign(b, err));
    const change crops = {"GOOD crop", EXPECT_ACCEPTED, 1000,
                          BENCH_AS_IT_IS}; /* the longest part comes last */
    return run_change(b, &b->crops, &crops, err);
}

static const struct {
    const char *task;
    reha_status (*run)(bench *b, reha_error *err);
} plans[] = {{"knee-oa", run_knee}, {"muscle-us", run_muscle}, {"fracture", run_fracture}};

static reha_status run_all(bench *b, reha_error *err)
{
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        if (strcmp(plans[i].task, b->task) == 0) {
            return plans[i].run(b, err);
        }
    }
    return reha_fail(err, REHA_E_ARG, "no plan for task '%s'", b->task);
}

/* ---- Report ---- */

static void print_report(const bench *b)
{
    int wrong = 0;
    int stopped = 0;
    int good = 0;
    int let_in = 0;
    for (int i = 0; i < b->kind_count; i++) {
        const kind *k = &b->kinds[i];
        good += k->expected == EXPECT_ACCEPTED ? k->count : 0;
        let_in += k->expected == EXPECT_ACCEPTED ? k->right : 0;
        const bool is_wrong = k->expected != EXPECT_ACCEPTED && k->expected != EXPECT_NOTHING;
        wrong += is_wrong ? k->count : 0;
        stopped += is_wrong ? k->right : 0;
    }
    double low = 0.0;
    double high = 0.0;
    wilson(stopped, wrong > 0 ? wrong : 1, &low, &high);
    (void)printf("%s: wrong or spoilt: %d of %d refused or corrected (%.2f %%, %.2f to %.2f; target 99)\n",
                 b->task, stopped, wrong, 100.0 * stopped / (wrong > 0 ? wrong : 1), low, high);
    wilson(good - let_in, good > 0 ? good : 1, &low, &high);
    (void)printf("%s: good: %d of %d refused (%.2f %%, %.2f to %.2f; target 2)\n", b->task, good - let_in,
                 good, 100.0 * (good - let_in) / (good > 0 ? good : 1), low, high);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 9) {
        (void)fprintf(
            stderr,
            "usage: gate_bench TASK MODELS_FOLDER DATA_FOLDER [SPLIT [EVERY [LIST [PHOTOS [ONLY]]]]]\n");
        return 2;
    }
    reha_error err = REHA_ERROR_INIT;
    bench *b = reha_alloc_zero(1, sizeof *b);
    reha_status status = REHA_E_NOMEM;
    if (b == NULL) {
        goto done;
    }
    b->task = argv[1];
    b->data_folder = argv[3];
    b->split = argc > 4 ? argv[4] : "val";
    b->every = argc > 5 ? (size_t)strtoul(argv[5], NULL, 10) : 1;
    b->every = b->every < 1 ? 1 : b->every;
    b->only = argc > 8 ? argv[8] : "";
    b->recogniser = reha_recogniser_find(b->task);
    if (b->recogniser == NULL) {
        status = reha_fail(&err, REHA_E_ARG, "no task '%s'", b->task);
        goto done;
    }
    const reha_model_options options = {.models_folder = argv[2], .threads = 1};
    REHA_CHECK(reha_gatekeeper_new(argv[2], 1, &b->keeper, &err));
    if (b->keeper == NULL) {
        status = reha_fail(&err, REHA_E_NOT_FOUND, "no gate in %s", argv[2]);
        goto done;
    }
    REHA_CHECK(b->recogniser->open(&options, &b->model, &err));
    REHA_CHECK(list_crops(b, &err));
    REHA_CHECK(list_others(b, argc > 6 ? argv[6] : "research/knee-oa/gate/held_out.csv", &err));
    REHA_CHECK(list_photos(b, argc > 7 ? argv[7] : "", &err));
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
        reha_gatekeeper_free(b->keeper);
        sources *const lists[] = {&b->crops,       &b->suspected, &b->films, &b->fractures,
                                  &b->ultrasounds, &b->slices,    &b->photos};
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
            reha_free(lists[i]->items);
        }
    }
    reha_free(b);
    return status == REHA_OK ? 0 : 1;
}
