#include "recognition/muscle_injury_detect.h"

#include "base/memory.h"
#include "recognition/muscle_injury.h"
#include "recognition/muscle_lines.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAP = REHA_MUSCLE_MAP_PX, COUNT = MAP * MAP, CELLS_MIN = 6, SURE_CELLS = 6, BASE_RADIUS = 4 };
static const double REGION_MIN = REHA_INJURY_REGION_MIN; /* probability from which cells make a region */
static const double BORDER_SHARE =
    0.02; /* of the thickness: cells this far outside of the belly still count */
static const double ODDS_FLOOR = 1e-3;
static const double AREA_FLOOR = 1e-3;

static reha_point_px place_of(const reha_muscle_frame *frame, double column, double row)
{
    return (reha_point_px){frame->box.x_px + (column + 0.5) * frame->box.width_px / MAP - 0.5,
                           frame->box.y_px + (row + 0.5) * frame->box.height_px / MAP - 0.5};
}

static reha_point_px place_of_cell(const reha_muscle_frame *frame, int cell)
{
    const int row = cell / MAP;
    return place_of(frame, cell % MAP, row);
}

/* 1 inside of the belly. Returns how many cells are. */
static size_t fill_belly(const reha_muscle_frame *frame, const reha_injury_belly *belly, uint8_t *inside)
{
    size_t count = 0;
    const double border = -BORDER_SHARE * belly->thickness_px;
    for (int column = 0; column < MAP; column++) {
        const double x = place_of(frame, column, 0.0).x_px;
        const double top = reha_injury_top(belly, x) + border;
        const double bottom = reha_injury_bottom(belly, x) - border;
        for (int row = 0; row < MAP; row++) {
            const double y = place_of(frame, 0.0, row).y_px;
            inside[row * MAP + column] = y >= top && y <= bottom ? 1 : 0;
            count += inside[row * MAP + column];
        }
    }
    return count;
}

/* ---- sizes ---- */

typedef struct extent {
    double column0, column1, row0, row1; /* cells */
    double depth0, depth1;               /* share of the belly's height, 0..1 */
    double along0, along1;
    size_t cells;
    double torn;
} extent;

static void extent_add(extent *to, const reha_muscle_frame *frame, const reha_injury_belly *belly,
                       const reha_injury_axes *axes, int at)
{
    const double half_row = 0.5 * frame->box.height_px / MAP;
    const reha_point_px p = place_of_cell(frame, at);
    const double top = reha_injury_top(belly, p.x_px);
    const double height = fmax(1.0, reha_injury_bottom(belly, p.x_px) - top);
    const double above = fmax(0.0, (p.y_px - half_row - top) / height);
    const double below = fmin(1.0, (p.y_px + half_row - top) / height);
    const double along = reha_injury_along(axes, p.x_px, p.y_px);
    const bool is_first = to->cells++ == 0;
    const int row = at / MAP;
    const int column = at % MAP;
    to->column0 = is_first ? column : fmin(to->column0, column);
    to->column1 = is_first ? column : fmax(to->column1, column);
    to->row0 = is_first ? row : fmin(to->row0, row);
    to->row1 = is_first ? row : fmax(to->row1, row);
    to->depth0 = is_first ? above : fmin(to->depth0, above);
    to->depth1 = is_first ? below : fmax(to->depth1, below);
    to->along0 = is_first ? along : fmin(to->along0, along);
    to->along1 = is_first ? along : fmax(to->along1, along);
}

static void extent_tell(const extent *from, const reha_muscle_frame *frame, size_t belly_cells,
                        reha_injury_found *out)
{
    const double column_px = frame->box.width_px / MAP;
    const double row_px = frame->box.height_px / MAP;
    out->box = (reha_box_px){
        frame->box.x_px + from->column0 * column_px, frame->box.y_px + from->row0 * row_px,
        (from->column1 - from->column0 + 1.0) * column_px, (from->row1 - from->row0 + 1.0) * row_px};
    out->share = fmax(0.0, from->depth1 - from->depth0);
    out->along_px = from->along1 - from->along0 + column_px;
    out->area_share = belly_cells > 0 ? (double)from->cells / (double)belly_cells : 0.0;
    out->torn_share = from->cells > 0 ? from->torn / (double)from->cells : 0.0;
}

/* ---- regions ---- */

typedef struct sure_cells { /* the highest values, falling */
    double values[SURE_CELLS];
    int at;
    int count;
} sure_cells;

static void sure_add(sure_cells *to, double value, int at)
{
    if (to->count == SURE_CELLS && value <= to->values[SURE_CELLS - 1]) {
        return;
    }
    to->at = to->count == 0 || value > to->values[0] ? at : to->at;
    int place = to->count < SURE_CELLS ? to->count++ : SURE_CELLS - 1;
    for (; place > 0 && to->values[place - 1] < value; place--) {
        to->values[place] = to->values[place - 1];
    }
    to->values[place] = value;
}

static double sure_mean(const sure_cells *from)
{
    double sum = 0.0;
    for (int i = 0; i < from->count; i++) {
        sum += from->values[i];
    }
    return from->count > 0 ? sum / from->count : 0.0;
}

typedef struct work {                /* one block each */
    float *injured, *torn, *scratch; /* within the belly, smoothed over 3 x 3 cells */
    int *labels, *queue;
    uint8_t *inside;
    float *floats;
    int *ints;
} work;

static reha_status work_new(work *w, reha_error *err)
{
    w->floats = reha_alloc_zero((size_t)3 * COUNT, sizeof *w->floats);
    w->ints = reha_alloc_zero((size_t)2 * COUNT, sizeof *w->ints);
    w->inside = reha_alloc_zero(COUNT, 1);
    if (w->floats == NULL || w->ints == NULL || w->inside == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the regions of a picture");
    }
    w->injured = w->floats;
    w->torn = w->injured + COUNT;
    w->scratch = w->torn + COUNT;
    w->labels = w->ints;
    w->queue = w->labels + COUNT;
    return REHA_OK;
}

static void work_clear(work *w)
{
    reha_free(w->floats);
    reha_free(w->ints);
    reha_free(w->inside);
}

static void smooth_within(const float *map, const uint8_t *inside, float *scratch, float *out)
{
    for (int i = 0; i < COUNT; i++) {
        out[i] = inside[i] != 0 ? map[i] : 0.0F;
    }
    reha_box_filter(out, MAP, MAP, 1, scratch, out);
    for (int i = 0; i < COUNT; i++) {
        out[i] = inside[i] != 0 ? out[i] : 0.0F;
    }
}

static int by_score(const void *a, const void *b)
{
    const double left = ((const reha_injury_found *)a)->score;
    const double right = ((const reha_injury_found *)b)->score;
    return (left < right) - (left > right);
}

static void keep(reha_injury_reading *out, const reha_injury_found *found)
{
    if (out->count < REHA_INJURY_FOUND_MAX) {
        out->found[out->count++] = *found;
    } else if (found->score > out->found[out->count - 1].score) {
        out->found[out->count - 1] = *found;
    }
    qsort(out->found, (size_t)out->count, sizeof *out->found, by_score);
}

static void find_regions(const work *w, const reha_muscle_frame *frame, const reha_injury_belly *belly,
                         reha_injury_reading *out)
{
    int label_count = 0;
    const reha_injury_axes axes = reha_injury_axes_at(belly, (reha_point_px){0.0, 0.0});
    reha_muscle_label(w->injured, MAP, MAP, REGION_MIN, w->labels, w->queue, &label_count);
    for (int label = 1; label <= label_count; label++) {
        extent size = {0};
        sure_cells sure = {0};
        for (int i = 0; i < COUNT; i++) {
            if (w->labels[i] == label) {
                extent_add(&size, frame, belly, &axes, i);
                size.torn += w->torn[i] > 0.5F ? 1.0 : 0.0;
                sure_add(&sure, (double)w->injured[i], i);
            }
        }
        if (size.cells < CELLS_MIN) {
            continue;
        }
        reha_injury_found found = {.score = sure_mean(&sure), .label = label};
        found.at = place_of_cell(frame, sure.at);
        extent_tell(&size, frame, out->belly_cells, &found);
        keep(out, &found);
    }
}

static double log_odds(double p)
{
    const double inside = fmin(1.0 - ODDS_FLOOR, fmax(ODDS_FLOOR, p));
    return log(inside / (1.0 - inside));
}

const char *reha_injury_feature_name(int feature)
{
    static const char *const names[REHA_INJURY_FEATURES] = {
        "log odds of the surest injured cells",   "log10 of the injured share of the belly",
        "share of the thickness that is injured", "log odds of the surest torn cells",
        "log10 of the torn share of the belly",   "share of the thickness that is torn"};
    return names[feature];
}

/* Three figures of a map: how sure, how large, how high. */
static void describe(const float *map, const reha_muscle_frame *frame, const reha_injury_belly *belly,
                     size_t belly_cells, double *features)
{
    extent size = {0};
    sure_cells sure = {0};
    const reha_injury_axes axes = reha_injury_axes_at(belly, (reha_point_px){0.0, 0.0});
    for (int i = 0; i < COUNT; i++) {
        sure_add(&sure, (double)map[i], i);
        if (map[i] > 0.5F) {
            extent_add(&size, frame, belly, &axes, i);
        }
    }
    features[0] = log_odds(sure_mean(&sure));
    features[1] = log10(AREA_FLOOR + (belly_cells > 0 ? (double)size.cells / (double)belly_cells : 0.0));
    features[2] = fmax(0.0, size.depth1 - size.depth0);
}

reha_status reha_injury_read(const float *injured, const float *torn, const reha_muscle_frame *frame,
                             const reha_injury_belly *belly, int *labels, reha_injury_reading *out,
                             reha_error *err)
{
    reha_status status = REHA_OK;
    work w = {0};
    *out = (reha_injury_reading){0};
    REHA_CHECK(work_new(&w, err));
    out->belly_cells = fill_belly(frame, belly, w.inside);
    smooth_within(injured, w.inside, w.scratch, w.injured);
    smooth_within(torn, w.inside, w.scratch, w.torn);
    find_regions(&w, frame, belly, out);
    describe(w.injured, frame, belly, out->belly_cells, out->features);
    describe(w.torn, frame, belly, out->belly_cells, out->features + REHA_INJURY_FEATURES / 2);
    if (labels != NULL) {
        memcpy(labels, w.labels, COUNT * sizeof *labels);
    }
done:
    work_clear(&w);
    return status;
}

/* ---- drawn masks ---- */

reha_status reha_injury_mask_map(const uint8_t *mask, uint32_t width_px, uint32_t height_px,
                                 const reha_muscle_frame *frame, float *map, reha_error *err)
{
    reha_gray *grey = NULL;
    REHA_TRY(reha_gray_new(width_px, height_px, &grey, err));
    for (size_t i = 0; i < (size_t)width_px * height_px; i++) {
        grey->pixels[i] = mask[i];
    }
    const reha_status status =
        reha_sample_rect(grey, frame->box, REHA_BORDER_ZERO, (reha_tone){0.0, 255.0}, MAP, MAP, map, err);
    reha_gray_free(grey);
    return status;
}

bool reha_injury_extent(const float *drawn, const reha_muscle_frame *frame, const reha_injury_belly *belly,
                        reha_injury_found *out)
{
    extent size = {0};
    size_t belly_cells = 0;
    const reha_injury_axes axes = reha_injury_axes_at(belly, (reha_point_px){0.0, 0.0});
    const double border = -BORDER_SHARE * belly->thickness_px;
    *out = (reha_injury_found){.score = 1.0};
    for (int i = 0; i < COUNT; i++) {
        const bool is_inside = reha_injury_depth(belly, place_of_cell(frame, i)) >= border;
        belly_cells += is_inside ? 1 : 0;
        if (is_inside && drawn[i] > 0.5F) {
            extent_add(&size, frame, belly, &axes, i);
        }
    }
    if (size.cells > 0) {
        extent_tell(&size, frame, belly_cells, out);
        out->at = (reha_point_px){out->box.x_px + 0.5 * out->box.width_px,
                                  out->box.y_px + 0.5 * out->box.height_px};
    }
    return size.cells > 0;
}

double reha_injury_dice(const float *injured, const float *drawn, const reha_muscle_frame *frame,
                        const reha_injury_belly *belly)
{
    double both = 0.0, sum = 0.0;
    const double border = -BORDER_SHARE * belly->thickness_px;
    for (int i = 0; i < COUNT; i++) {
        const bool is_inside = reha_injury_depth(belly, place_of_cell(frame, i)) >= border;
        const double found = is_inside && injured[i] > 0.5F ? 1.0 : 0.0;
        const double truth = drawn[i] > 0.5F ? 1.0 : 0.0;
        both += found * truth;
        sum += found + truth;
    }
    return sum > 0.0 ? 2.0 * both / sum : (double)NAN;
}

/* ---- outline ---- */

/* Follows the border by the left hand (Moore neighbours, clockwise on the screen) until it comes back. */
static int trace(const int *labels, int label, int *border, int border_max)
{
    static const int dx[8] = {1, 1, 0, -1, -1, -1, 0, 1};
    static const int dy[8] = {0, 1, 1, 1, 0, -1, -1, -1};
    int start = 0;
    int count = 0;
    while (start < COUNT && labels[start] != label) {
        start++;
    }
    int at = start;
    int direction = 0;
    while (start < COUNT && count < border_max) {
        bool has_next = false;
        border[count++] = at;
        for (int k = 0; k < 8 && !has_next; k++) {
            const int turn = (direction + 6 + k) % 8; /* from the left of where it came from */
            const int x = at % MAP + dx[turn];
            const int y = at / MAP + dy[turn];
            if (x >= 0 && x < MAP && y >= 0 && y < MAP && labels[y * MAP + x] == label) {
                at = y * MAP + x;
                direction = turn;
                has_next = true;
            }
        }
        if (!has_next || at == start) {
            break;
        }
    }
    return count;
}

int reha_injury_outline(const int *labels, int label, const reha_muscle_frame *frame, reha_point_px *out)
{
    enum { BORDER_MAX = 4 * MAP };
    int border[BORDER_MAX];
    const int count = trace(labels, label, border, BORDER_MAX);
    const int kept = count < REHA_INJURY_OUTLINE ? count : REHA_INJURY_OUTLINE;
    for (int i = 0; i < kept; i++) {
        const int at = border[i * count / kept];
        out[i] = place_of_cell(frame, at);
    }
    return kept;
}

/* ---- the plain rule ---- */

reha_status reha_injury_darkness(const reha_gray *image, const reha_muscle_frame *frame,
                                 const reha_injury_belly *belly, float *scratch, float *out, reha_error *err)
{
    float *mean = scratch;
    float *square = mean + COUNT;
    float *filtered = square + COUNT;
    uint8_t *inside = reha_alloc_zero(COUNT, 1);
    double sums[4] = {0};
    double n = 0.0;
    if (inside == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the plain rule");
    }
    const reha_status status = reha_sample_rect(image, frame->box, REHA_BORDER_ZERO,
                                                (reha_tone){frame->low, frame->high}, MAP, MAP, mean, err);
    for (int i = 0; status == REHA_OK && i < COUNT; i++) {
        square[i] = mean[i] * mean[i];
    }
    if (status == REHA_OK) {
        reha_box_filter(mean, MAP, MAP, BASE_RADIUS, filtered, mean);
        reha_box_filter(square, MAP, MAP, BASE_RADIUS, filtered, square);
        (void)fill_belly(frame, belly, inside);
    }
    for (int i = 0; status == REHA_OK && i < COUNT; i++) {
        square[i] = sqrtf(fmaxf(0.0F, square[i] - mean[i] * mean[i])); /* local SD */
        if (inside[i] != 0) {
            sums[0] += (double)mean[i];
            sums[1] += (double)mean[i] * (double)mean[i];
            sums[2] += (double)square[i];
            sums[3] += (double)square[i] * (double)square[i];
            n += 1.0;
        }
    }
    const double mean0 = sums[0] / fmax(1.0, n),
                 sd0 = sqrt(fmax(1e-8, sums[1] / fmax(1.0, n) - mean0 * mean0));
    const double mean1 = sums[2] / fmax(1.0, n),
                 sd1 = sqrt(fmax(1e-8, sums[3] / fmax(1.0, n) - mean1 * mean1));
    for (int i = 0; status == REHA_OK && i < COUNT; i++) {
        const double z = 0.5 * ((mean0 - (double)mean[i]) / sd0 + (mean1 - (double)square[i]) / sd1);
        out[i] = (float)(1.0 / (1.0 + exp(-2.5 * (z - 1.5))));
    }
    reha_free(inside);
    return status;
}
