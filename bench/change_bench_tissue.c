#include "change_bench.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/load.h"
#include "image/resample.h"
#include "image/save.h"
#include "recognition/muscle_data.h"
#include "recognition/muscle_frame.h"
#include "recognition/muscle_measure.h"
#include "recognition/muscle_us.h"
#include "rehab/outcome_figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Changes that are known because they are rendered into real pictures, cut to their tissue:
 *
 *   again     nothing: a slightly other part of the field, another brightness curve, fresh noise
 *   thickened the tissue between the aponeuroses, in height; what lies below moves along
 *   squeezed  in width, as when a muscle shortens at a constant thickness: pennation and fascicle angle. The
 *             field stays: more tissue comes in (the first picture is then the middle of the second's), or
 *             goes out. The network sees every field in one square, so that a picture squeezed as a whole
 *             would be no change to it
 *   sheared   only the tissue between the aponeuroses, along them: they stay where they are
 *   turned    the whole picture, as a tilted probe: the fascicle angle changes, pennation does not
 *
 * Every second picture also gets what `again` does. The amount is BENCH_FACTOR of the smallest detectable
 * change that the unchanged pair was given. */

enum { CURVE = 16, TRIES = 5, MEASURES = 5, STILL = 0, UNTOLD = 2 };
enum { THICKNESS, PENNATION, FASCICLE, SUPERFICIAL, DEEP };
static const char *const keys[MEASURES] = {"thickness", "pennation", "fascicle-angle",
                                           "superficial-aponeurosis-angle", "deep-aponeurosis-angle"};
static const double DEG = 180.0 / 3.14159265358979323846;
static const double PENNATION_LEAST_DEG = 4.0; /* flatter than that is no muscle with a direction */
/* Smallest detectable change of an angle that takes 11 to 14 clear pieces; as in rehab/change_films.c. */
static const double CLEAR_DEG = 5.5;
static const double WIDTH_LEAST = 0.5;  /* of the picture, left after shearing or squeezing */
static const double MARGIN_MOST = 0.04; /* of the width, gone on either side in another recording */

typedef enum kind { AGAIN, THICKENED, SQUEEZED_PENNATION, SQUEEZED_FASCICLE, SHEARED, TURNED, KINDS } kind;
static const struct {
    const char *name;
    int aim;              /* which measure is changed by a known amount */
    bool still[MEASURES]; /* which ones must not be told as changed */
} kinds[KINDS] = {
    {"again", -1, {true, true, true, true, true}},
    {"thickened", THICKNESS, {false}},
    {"squeezed in width", PENNATION, {[THICKNESS] = true}},
    {"squeezed in width", FASCICLE, {[THICKNESS] = true}},
    {"sheared between the aponeuroses", PENNATION, {[THICKNESS] = true, [SUPERFICIAL] = true, [DEEP] = true}},
    {"turned", FASCICLE, {[THICKNESS] = true, [PENNATION] = true}},
};

typedef struct count {
    int hits, of;
} count;

typedef struct tally {
    int groups, used, refused, pairs, lost, impossible;
    count told[KINDS][2]; /* less, more */
    count wrong_way[KINDS];
    count clear[KINDS]; /* told, of pictures whose fascicles were seen well */
    count alarms[KINDS][MEASURES];
    count shear_fascicle; /* the fascicle angle's own change in the sheared pictures */
    double sdc_sum[MEASURES];
    int sdc_count[MEASURES];
    FILE *table; /* pairs.csv beside the kept pictures; NULL: none */
} tally;

typedef struct muscle {
    const reha_gray *image;
    const reha_acquisition *facts;
    const char *name;
    json_t *first; /* owned */
    reha_point_px superficial[CURVE], deep[CURVE];
    double values[MEASURES], sdc[MEASURES];
    double thickness_px;
} muscle;

/* ---- rendering ---- */

static double curve_y(const reha_point_px *curve, double x)
{
    int i = 0;
    while (i < CURVE - 2 && x > curve[i + 1].x_px) {
        i++;
    }
    const double along = (x - curve[i].x_px) / (curve[i + 1].x_px - curve[i].x_px);
    return curve[i].y_px + fmin(fmax(along, 0.0), 1.0) * (curve[i + 1].y_px - curve[i].y_px);
}

static float sample(const reha_gray *image, double x, double y)
{
    const double cx = fmin(fmax(x, 0.0), image->width_px - 1.0);
    const double cy = fmin(fmax(y, 0.0), image->height_px - 1.0);
    const size_t left = (size_t)cx;
    const size_t top = (size_t)cy;
    const size_t right = left + 1 < image->width_px ? left + 1 : left;
    const size_t bottom = top + 1 < image->height_px ? top + 1 : top;
    const double fx = cx - (double)left;
    const double fy = cy - (double)top;
    const float *p = image->pixels;
    const size_t w = image->width_px;
    return (float)((1.0 - fy) * ((1.0 - fx) * p[top * w + left] + fx * p[top * w + right]) +
                   fy * ((1.0 - fx) * p[bottom * w + left] + fx * p[bottom * w + right]));
}

/* The middle columns. */
static reha_status middle_of(const reha_gray *in, uint32_t width_px, reha_gray **out, reha_error *err)
{
    return reha_gray_crop(in, (in->width_px - width_px) / 2, 0, width_px, in->height_px,
                          (reha_fill){REHA_EDGE_REPEAT, 0.0F}, out, err);
}

/* Every point between the aponeuroses keeps its relative depth and moves aside by `slope` of the thickness
 * from one to the other, half of it to either side; what lies above and below moves with its border. The
 * columns that would show beyond the picture's edge are cut off. *out NULL: too little would be left. */
static reha_status shear(const muscle *m, double slope, reha_gray **out, reha_error *err)
{
    const reha_gray *in = m->image;
    const uint32_t margin = (uint32_t)ceil(0.5 * fabs(slope) * m->thickness_px) + 1;
    *out = NULL;
    if (in->width_px - 2.0 * margin < WIDTH_LEAST * in->width_px) {
        return REHA_OK;
    }
    REHA_TRY(reha_gray_new(in->width_px - 2 * margin, in->height_px, out, err));
    for (uint32_t y = 0; y < (*out)->height_px; y++) {
        for (uint32_t x = 0; x < (*out)->width_px; x++) {
            const double seen_x = x + (double)margin;
            const double top = curve_y(m->superficial, seen_x);
            const double bottom = curve_y(m->deep, seen_x);
            const double depth = (y - top) / (bottom - top);
            const double part = fmin(fmax(depth, 0.0), 1.0);
            const double from_x = seen_x - slope * (part - 0.5) * m->thickness_px;
            const double from_top = curve_y(m->superficial, from_x);
            const double from_bottom = curve_y(m->deep, from_x);
            const double from_y = depth < 0.0   ? y + from_top - top
                                  : depth > 1.0 ? y + from_bottom - bottom
                                                : from_top + depth * (from_bottom - from_top);
            (*out)->pixels[(size_t)y * (*out)->width_px + x] = sample(in, from_x, from_y);
        }
    }
    return REHA_OK;
}

/* Where a point between the aponeuroses comes to lie. */
static reha_point_px sheared(const muscle *m, double slope, double x, double y)
{
    const double top = curve_y(m->superficial, x);
    const double depth = (y - top) / (curve_y(m->deep, x) - top);
    const double to_x = x + slope * (depth - 0.5) * m->thickness_px;
    const double to_top = curve_y(m->superficial, to_x);
    return (reha_point_px){to_x, to_top + depth * (curve_y(m->deep, to_x) - to_top)};
}

/* Mean direction, over the middle of the belly, of fascicles that had the direction of this picture's. */
static double sheared_deg(const muscle *m, double slope)
{
    const double dx = cos(m->values[FASCICLE] / DEG);
    const double dy = -sin(m->values[FASCICLE] / DEG);
    double across = 0.0;
    double along = 0.0;
    for (int i = 0; i < 25; i++) {
        const double x = (0.3 + 0.1 * (i % 5)) * m->image->width_px;
        const double depth = 0.3 + 0.1 * (i / 5);
        const double top = curve_y(m->superficial, x);
        const double y = top + depth * (curve_y(m->deep, x) - top);
        const reha_point_px a = sheared(m, slope, x - 2.0 * dx, y - 2.0 * dy);
        const reha_point_px b = sheared(m, slope, x + 2.0 * dx, y + 2.0 * dy);
        const double angle = atan2(a.y_px - b.y_px, b.x_px - a.x_px);
        along += cos(2.0 * angle);
        across += sin(2.0 * angle);
    }
    return 0.5 * atan2(across, along) * DEG;
}

/* The belly `by` times as thick; the picture gets as much higher. */
static reha_status thicken(const muscle *m, double by, reha_gray **out, reha_error *err)
{
    const reha_gray *in = m->image;
    const double added = (by - 1.0) * m->thickness_px;
    *out = NULL;
    if (!(by > 0.3) || in->height_px + added < 0.5 * in->height_px) {
        return REHA_OK;
    }
    REHA_TRY(reha_gray_new(in->width_px, (uint32_t)floor(in->height_px + added), out, err));
    for (uint32_t x = 0; x < (*out)->width_px; x++) {
        const double top = curve_y(m->superficial, x);
        const double thickness = curve_y(m->deep, x) - top;
        for (uint32_t y = 0; y < (*out)->height_px; y++) {
            const double below = y - top;
            const double from = below <= 0.0              ? y
                                : below <= by * thickness ? top + below / by
                                                          : y - (by - 1.0) * thickness;
            (*out)->pixels[(size_t)y * (*out)->width_px + x] = sample(in, x, from);
        }
    }
    return REHA_OK;
}

/* In width by `x`, about the middle; what gets wider than it was is cut to its old width. */
static reha_status stretch(const reha_gray *in, double x, reha_gray **out, reha_error *err)
{
    const double width = fmin(floor(in->width_px * x), in->width_px);
    const reha_affine map = {1.0 / x, 0.0, 0.5 * (in->width_px - 1.0) - 0.5 * (width - 1.0) / x,
                             0.0,     1.0, 0.0};
    return reha_gray_warp(in, map, (uint32_t)width, in->height_px, REHA_SAMPLING_CUBIC,
                          (reha_fill){REHA_EDGE_REPEAT, 0.0F}, out, err);
}

static reha_status turn(const reha_gray *in, double angle_deg, reha_gray **out, reha_error *err)
{
    const reha_point_px middle = {0.5 * (in->width_px - 1.0), 0.5 * (in->height_px - 1.0)};
    return reha_gray_warp(in, reha_affine_similarity(1.0, angle_deg, middle, middle), in->width_px,
                          in->height_px, REHA_SAMPLING_CUBIC, (reha_fill){REHA_EDGE_REPEAT, 0.0F}, out, err);
}

/* What another recording of the same muscle changes at least. */
static reha_status again(reha_random *random, const reha_gray *in, reha_gray **out, reha_error *err)
{
    const double exponent = exp(reha_random_range(random, -0.25, 0.25));
    const double noise = reha_random_range(random, 0.0, 3.0);
    const double left = reha_random_range(random, 0.0, MARGIN_MOST) * in->width_px;
    const double right = reha_random_range(random, 0.0, MARGIN_MOST) * in->width_px;
    const reha_affine map = {1.0, 0.0, left, 0.0, 1.0, reha_random_range(random, -0.5, 0.5)};
    REHA_TRY(reha_gray_warp(in, map, (uint32_t)(in->width_px - left - right), in->height_px,
                            REHA_SAMPLING_CUBIC, (reha_fill){REHA_EDGE_REPEAT, 0.0F}, out, err));
    for (size_t i = 0; i < (size_t)(*out)->width_px * (*out)->height_px; i++) {
        const double share = fmin(fmax((double)(*out)->pixels[i] / 255.0, 0.0), 1.0);
        const double value = 255.0 * pow(share, exponent) + noise * reha_random_normal(random);
        (*out)->pixels[i] = (float)round(fmin(fmax(value, 0.0), 255.0));
    }
    (*out)->spacing = (reha_spacing){BENCH_MUSCLE_MM_PER_PX, BENCH_MUSCLE_MM_PER_PX, REHA_SPACING_USER};
    return REHA_OK;
}

/* ---- how much ---- */

/* A direction after the picture was stretched in width. */
static double stretched_deg(double angle_deg, double x)
{
    return atan(tan(angle_deg / DEG) / x) * DEG;
}

/* What a measure is after stretching in width by x. */
static double after_stretch(const muscle *m, int aim, double x)
{
    const double fascicle = stretched_deg(m->values[FASCICLE], x);
    return aim == FASCICLE ? fabs(fascicle)
                           : reha_muscle_angle_between(fascicle, stretched_deg(m->values[DEEP], x));
}

/* What pennation is after shearing. */
static double after_shear(const muscle *m, double slope)
{
    return reha_muscle_angle_between(sheared_deg(m, slope), m->values[DEEP]);
}

/* Between low and high, where `measure`, which falls from one to the other, is as wanted; NaN: nowhere. */
static double solve(const muscle *m, double wanted, double low, double high,
                    double (*measure)(const muscle *m, double at))
{
    if (measure(m, low) < wanted || measure(m, high) > wanted) {
        return (double)NAN;
    }
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        *(measure(m, middle) > wanted ? &low : &high) = middle;
    }
    return 0.5 * (low + high);
}

static double stretched_fascicle(const muscle *m, double x)
{
    return after_stretch(m, FASCICLE, x);
}

static double stretched_pennation(const muscle *m, double x)
{
    return after_stretch(m, PENNATION, x);
}

/* sign: less or more of the measure aimed at. *out NULL: the change cannot be rendered into this picture.
 * *first NULL: the picture as it is. */
static reha_status render(const muscle *m, kind how, int sign, reha_gray **first, reha_gray **out,
                          reha_error *err)
{
    const int aim = kinds[how].aim;
    *first = NULL;
    *out = NULL;
    if (how == AGAIN) {
        return middle_of(m->image, m->image->width_px, out, err);
    }
    const double by = sign * BENCH_FACTOR * m->sdc[aim];
    const double wanted = fabs(m->values[aim]) + by;
    if (how == THICKENED) {
        return thicken(m, wanted / m->values[aim], out, err);
    }
    if (how == TURNED) { /* the picture is asked where a pixel comes from, and y points down */
        const double towards = m->values[FASCICLE] < 0.0 ? -1.0 : 1.0;
        return turn(m->image, towards * by, out, err);
    }
    if (wanted < PENNATION_LEAST_DEG) {
        return REHA_OK;
    }
    if (how == SHEARED) { /* towards the side to which the fascicles rise, they get flatter: y points down */
        const bool rises = reha_muscle_wrap(m->values[FASCICLE] - m->values[DEEP]) > 0.0;
        const double slope = solve(m, wanted, rises ? 3.0 : -3.0, rises ? -3.0 : 3.0, after_shear);
        return isfinite(slope) ? shear(m, slope, out, err) : REHA_OK;
    }
    const double x = solve(m, wanted, WIDTH_LEAST, 1.0 / WIDTH_LEAST,
                           aim == FASCICLE ? stretched_fascicle : stretched_pennation);
    if (isnan(x)) {
        return REHA_OK;
    }
    REHA_TRY(stretch(m->image, x, out, err));
    return x < 1.0 ? middle_of(m->image, (*out)->width_px, first, err) : REHA_OK;
}

/* ---- one muscle ---- */

static reha_status keep(const char *folder, const char *name, const reha_gray *image, reha_error *err)
{
    char file[96];
    if (folder == NULL) {
        return REHA_OK;
    }
    (void)snprintf(file, sizeof file, "%s.png", name);
    char *path = reha_path_join(folder, file);
    const reha_status status = reha_image_save_png(image, 8, path, err);
    reha_free(path);
    return status;
}

/* One line a pair, for whoever asks why something was not told. */
static void list_pair(FILE *table, const muscle *m, kind how, int sign, const reha_films *films)
{
    const int aim = kinds[how].aim;
    if (table == NULL || aim < 0) {
        return;
    }
    const reha_compared *one = bench_find(films, keys[aim]);
    (void)fprintf(table, "%s,%s,%s,%.3f,%.3f,%.3f,%.3f,%.3f,%d\n", m->name, kinds[how].name, keys[aim],
                  m->values[aim], m->sdc[aim], sign * BENCH_FACTOR * m->sdc[aim],
                  one != NULL ? one->change.difference : (double)NAN,
                  one != NULL ? one->change.sdc : (double)NAN, one != NULL && bench_is_real(one) ? 1 : 0);
}

static void count_pair(tally *t, const muscle *m, kind how, int sign, const reha_films *films)
{
    const int aim = kinds[how].aim;
    list_pair(t->table, m, how, sign, films);
    t->pairs++;
    t->lost += films->is_refused ? 1 : 0;
    for (int k = 0; k < MEASURES; k++) {
        const reha_compared *one = bench_find(films, keys[k]);
        const bool is_told = one != NULL && bench_is_real(one);
        if (kinds[how].still[k] && one != NULL && isfinite(one->change.sdc)) {
            t->alarms[how][k].of++;
            t->alarms[how][k].hits += is_told ? 1 : 0;
        }
        if (k == aim) { /* angles have a sign: steeper is away from level */
            const double rises = m->values[k] < 0.0 ? -1.0 : 1.0;
            const bool is_right = one != NULL && sign * rises * one->change.difference > 0.0;
            t->told[how][sign > 0 ? 1 : 0].of++;
            t->told[how][sign > 0 ? 1 : 0].hits += is_told && is_right ? 1 : 0;
            t->clear[how].of += m->sdc[k] <= CLEAR_DEG ? 1 : 0;
            t->clear[how].hits += m->sdc[k] <= CLEAR_DEG && is_told && is_right ? 1 : 0;
            t->wrong_way[how].of++;
            t->wrong_way[how].hits += is_told && !is_right ? 1 : 0;
        }
        if (how == SHEARED && k == FASCICLE) {
            t->shear_fascicle.of++;
            t->shear_fascicle.hits += is_told ? 1 : 0;
        }
    }
}

static reha_status one_change(bench_reader *reader, const muscle *m, kind how, int sign, const char *folder,
                              tally *t, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *cut = NULL;
    reha_gray *changed = NULL;
    reha_gray *seen = NULL;
    json_t *first = json_incref(m->first);
    json_t *second = NULL;
    reha_films films;
    char name[80];
    REHA_CHECK(render(m, how, sign, &cut, &changed, err));
    if (changed == NULL) {
        t->impossible++;
        goto done;
    }
    if (cut != NULL) {
        json_decref(first);
        first = NULL;
        (void)snprintf(name, sizeof name, "%s-%dfirst", m->name, (int)how);
        REHA_CHECK(keep(folder, name, cut, err));
        REHA_CHECK(bench_read(reader, cut, m->facts, REHA_SIDE_UNKNOWN, &first, NULL, err));
    }
    REHA_CHECK(again(&reader->random, changed, &seen, err));
    (void)snprintf(name, sizeof name, "%s-%d%s", m->name, (int)how, sign > 0 ? "more" : "less");
    REHA_CHECK(keep(folder, name, seen, err));
    REHA_CHECK(bench_read(reader, seen, m->facts, REHA_SIDE_UNKNOWN, &second, NULL, err));
    REHA_CHECK(bench_judge(reader, first, second, true, &films, err));
    count_pair(t, m, how, sign, &films);
done:
    reha_gray_free(cut);
    reha_gray_free(changed);
    reha_gray_free(seen);
    json_decref(first);
    json_decref(second);
    return status;
}

/* What is known of the picture as it is; false: it shows no muscle with all that is to be changed. */
static bool take(muscle *m, const reha_analysis *analysis)
{
    if (!analysis->is_accepted || analysis->regions[0].point_count <= REHA_MUSCLE_POINTS_DEEP + CURVE) {
        return false;
    }
    const reha_region *region = &analysis->regions[0];
    for (int k = 0; k < MEASURES; k++) {
        const reha_finding *finding = reha_region_find(region, keys[k]);
        m->values[k] = finding != NULL ? finding->measure.value : (double)NAN;
        if (!isfinite(m->values[k])) {
            return false;
        }
    }
    memcpy(m->superficial, region->points + REHA_MUSCLE_POINTS_SUPERFICIAL, sizeof m->superficial);
    memcpy(m->deep, region->points + REHA_MUSCLE_POINTS_DEEP, sizeof m->deep);
    m->thickness_px = m->values[THICKNESS] / BENCH_MUSCLE_MM_PER_PX;
    return true;
}

/* The unchanged pair first: its smallest detectable changes are what the others are changed by. */
static reha_status learn_sdc(bench_reader *reader, muscle *m, tally *t, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *seen = NULL;
    json_t *second = NULL;
    reha_films films;
    REHA_CHECK(again(&reader->random, m->image, &seen, err));
    REHA_CHECK(bench_read(reader, seen, m->facts, REHA_SIDE_UNKNOWN, &second, NULL, err));
    REHA_CHECK(bench_judge(reader, m->first, second, true, &films, err));
    for (int k = 0; k < MEASURES; k++) {
        const reha_compared *one = bench_find(&films, keys[k]);
        m->sdc[k] = one != NULL ? one->change.sdc : (double)NAN;
        if (isfinite(m->sdc[k])) {
            t->sdc_sum[k] += m->sdc[k];
            t->sdc_count[k]++;
        }
    }
    count_pair(t, m, AGAIN, 1, &films);
done:
    reha_gray_free(seen);
    json_decref(second);
    return status;
}

static reha_status one_muscle(bench_reader *reader, const char *path, size_t group, const char *folder,
                              tally *t, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *screen = NULL;
    reha_gray *image = NULL;
    reha_analysis *analysis = NULL;
    reha_acquisition facts;
    reha_muscle_frame frame;
    char name[32];
    muscle m = {.facts = &facts, .name = name};
    (void)snprintf(name, sizeof name, "%03zu", group);
    REHA_TRY(reha_image_load(path, NULL, &screen, &facts, err));
    REHA_CHECK(reha_muscle_frame_find(screen, &frame, err));
    REHA_CHECK(reha_gray_crop(screen, (int64_t)ceil(frame.box.x_px), (int64_t)ceil(frame.box.y_px),
                              (uint32_t)floor(frame.box.width_px), (uint32_t)floor(frame.box.height_px),
                              (reha_fill){REHA_EDGE_REPEAT, 0.0F}, &image, err));
    image->spacing = (reha_spacing){BENCH_MUSCLE_MM_PER_PX, BENCH_MUSCLE_MM_PER_PX, REHA_SPACING_USER};
    m.image = image;
    t->groups++;
    REHA_CHECK(bench_read(reader, image, &facts, REHA_SIDE_UNKNOWN, &m.first, &analysis, err));
    if (!take(&m, analysis)) {
        t->refused++;
        goto done;
    }
    t->used++;
    REHA_CHECK(keep(folder, name, image, err));
    REHA_CHECK(learn_sdc(reader, &m, t, err));
    for (int i = 1; i < TRIES; i++) {
        REHA_CHECK(one_change(reader, &m, AGAIN, 1, folder, t, err));
    }
    for (int how = AGAIN + 1; how < KINDS; how++) {
        if (isfinite(m.sdc[kinds[how].aim])) {
            REHA_CHECK(one_change(reader, &m, (kind)how, -1, folder, t, err));
            REHA_CHECK(one_change(reader, &m, (kind)how, 1, folder, t, err));
        }
    }
done:
    reha_gray_free(screen);
    reha_gray_free(image);
    reha_analysis_free(analysis);
    json_decref(m.first);
    return status;
}

/* ---- all ---- */

static void print_share(const char *what, count c)
{
    double low = 0.0;
    double high = 0.0;
    if (c.of > 0) {
        reha_outcome_wilson((size_t)c.hits, (size_t)c.of, &low, &high);
        (void)printf("  %-44s %3d of %3d (%.1f %%, %.1f to %.1f)\n", what, c.hits, c.of,
                     100.0 * c.hits / c.of, 100.0 * fmax(low, 0.0), 100.0 * high);
    }
}

static void print_tally(const tally *t)
{
    char line[96];
    (void)printf(
        "real muscles: %d groups, %d used, %d refused or without all lines; %d pairs, %d of them not "
        "compared, %d changes could not be rendered\nmean SDC:",
        t->groups, t->used, t->refused, t->pairs, t->lost, t->impossible);
    for (int k = 0; k < MEASURES; k++) {
        (void)printf(" %s %.2f", keys[k], t->sdc_count[k] > 0 ? t->sdc_sum[k] / t->sdc_count[k] : 0.0);
    }
    (void)printf("\n");
    for (int how = 0; how < KINDS; how++) {
        const int aim = kinds[how].aim;
        (void)printf("%s%s%s\n", kinds[how].name, aim >= 0 ? ", for " : "", aim >= 0 ? keys[aim] : "");
        if (aim >= 0) {
            const count *told = t->told[how];
            print_share("told", (count){told[0].hits + told[1].hits, told[0].of + told[1].of});
            print_share("  less of it", told[0]);
            print_share("  more of it", told[1]);
            if (aim != THICKNESS) {
                print_share("  where an SDC of 5.5 degrees or less was stated", t->clear[how]);
            }
            print_share("told the wrong way", t->wrong_way[how]);
        }
        for (int k = 0; k < MEASURES; k++) {
            (void)snprintf(line, sizeof line, "false alarms, %s", keys[k]);
            print_share(line, t->alarms[how][k]);
        }
        if (how == SHEARED) {
            print_share("fascicle-angle told too", t->shear_fascicle);
        }
    }
}

reha_status bench_tissue(bench_reader *reader, const char *data_folder, size_t groups_max,
                         const char *pictures_folder, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_muscle_data data = {0};
    tally t = {0};
    size_t next = 0; /* rows of a group may lie apart: only the first row of a new group counts */
    bool *is_seen = NULL;
    char *path = NULL;
    REHA_CHECK(reha_muscle_data_load(data_folder, "val", &data, err));
    is_seen = reha_alloc_zero(data.group_count, sizeof *is_seen);
    status = is_seen != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory");
    REHA_CHECK(status);
    if (pictures_folder != NULL) {
        path = reha_path_join(pictures_folder, "pairs.csv");
        t.table = path != NULL ? fopen(path, "w") : NULL;
        status = t.table != NULL ? REHA_OK : reha_fail(err, REHA_E_IO, "%s: cannot be written", path);
        REHA_CHECK(status);
        (void)fprintf(t.table, "picture,change,measure,value,sdc,rendered,read,sdc_of_pair,told\n");
    }
    for (size_t i = 0; i < data.count && next < groups_max; i++) {
        const reha_muscle_item *item = &data.items[i];
        if (is_seen[item->group_idx]) {
            continue;
        }
        is_seen[item->group_idx] = true;
        REHA_CHECK(one_muscle(reader, item->image_path, next++, pictures_folder, &t, err));
    }
    print_tally(&t);
done:
    if (t.table != NULL) {
        (void)fclose(t.table);
    }
    reha_free(path);
    reha_free(is_seen);
    reha_muscle_data_clear(&data);
    return status;
}
