#include "recognition/muscle_frame.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORK_SIDE_PX = 512, /* pictures are looked at at about this size */
    CELL_PX = 8,
    SHORTER_MIN_PX = 96, /* smaller pictures are not made smaller still */
    TONE_SAMPLES = 20000
};
static const double STEP_MIN = 0.008;    /* of the grey range: less is compression, not speckle */
static const double ACTIVE_SHARE = 0.45; /* of the pixels of a cell that must differ from a neighbour */
static const double EDGE_SHARE = 0.20;   /* of the full rows' (columns') tissue where the box ends */
static const double SPECKLE_LOW = 0.6; /* of the box's cells: with less, the picture is looked at once more */
static const double LINE_SHARE =
    0.05; /* of a line's pixels that must differ from the next one along it: else it is drawn */
static const double BRIGHTER =
    0.3; /* of the grey range: by how much a page beside the tissue is brighter than it */
static const double FULL_QUANTILE = 0.80; /* a "full" row has as much tissue as this quantile of all rows */
static const double TONE_PERCENTILES[2] = {1.0, 99.5};

typedef struct cells {
    int width, height; /* in cells */
    uint8_t *active;
    int *queue;
} cells;

static void find_range(const reha_gray *image, double *low, double *range)
{
    float least = image->pixels[0];
    float most = image->pixels[0];
    for (size_t i = 1; i < (size_t)image->width_px * image->height_px; i++) {
        least = fminf(least, image->pixels[i]);
        most = fmaxf(most, image->pixels[i]);
    }
    *low = (double)least;
    *range = (double)(most - least);
}

static bool cell_is_active(const reha_gray *image, int cell_x, int cell_y, float step)
{
    int differing = 0;
    for (int y = cell_y * CELL_PX; y < (cell_y + 1) * CELL_PX; y++) {
        const float *row = image->pixels + (size_t)y * image->width_px;
        const float *below = y + 1 < (int)image->height_px ? row + image->width_px : row;
        for (int x = cell_x * CELL_PX; x < (cell_x + 1) * CELL_PX; x++) {
            const int right = x + 1 < (int)image->width_px ? x + 1 : x;
            differing += fabsf(row[x] - row[right]) > step || fabsf(row[x] - below[x]) > step ? 1 : 0;
        }
    }
    return differing >= (int)(ACTIVE_SHARE * CELL_PX * CELL_PX);
}

/* Keeps the largest connected set of active cells; returns its size. */
static int keep_largest(cells *grid)
{
    const int count = grid->width * grid->height;
    int best = 0;
    uint8_t best_label = 0;
    uint8_t label = 1;
    for (int start = 0; start < count; start++) {
        if (grid->active[start] != 1) {
            continue;
        }
        int head = 0;
        int tail = 0;
        /* Two labels take turns: what is not the best so far is cleared as soon as it is known. */
        label = best_label == 2 ? 3 : 2;
        grid->queue[tail++] = start;
        grid->active[start] = label;
        while (head < tail) {
            const int at = grid->queue[head++];
            const int x = at % grid->width;
            const int y = at / grid->width;
            const int next[4] = {x > 0 ? at - 1 : -1, x + 1 < grid->width ? at + 1 : -1,
                                 y > 0 ? at - grid->width : -1, y + 1 < grid->height ? at + grid->width : -1};
            for (int k = 0; k < 4; k++) {
                if (next[k] >= 0 && grid->active[next[k]] == 1) {
                    grid->active[next[k]] = label;
                    grid->queue[tail++] = next[k];
                }
            }
        }
        const uint8_t lost = tail > best ? best_label : label;
        if (tail > best) {
            best = tail;
            best_label = label;
        }
        for (int i = 0; lost != 0 && i < count; i++) {
            grid->active[i] = grid->active[i] == lost ? 0 : grid->active[i];
        }
    }
    for (int i = 0; i < count; i++) {
        grid->active[i] = grid->active[i] != 0 ? 1 : 0;
    }
    return best;
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* First and one past the last line of cells whose sum is near that of full lines. */
static void find_extent(const int *sums, int count, int *sorted, int *from, int *to)
{
    memcpy(sorted, sums, (size_t)count * sizeof *sums);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_ints);
    int empty = 0;
    while (empty < count && sorted[empty] == 0) {
        empty++;
    }
    const int full = sorted[empty + (int)(FULL_QUANTILE * (count - 1 - empty))];
    const double needed = fmax(1.0, EDGE_SHARE * full);
    *from = 0;
    *to = count;
    while (*from < count - 1 && sums[*from] < needed) {
        (*from)++;
    }
    while (*to > *from + 1 && sums[*to - 1] < needed) {
        (*to)--;
    }
}

static reha_status find_box(const cells *grid, reha_box_px *box, reha_error *err)
{
    const int longer = grid->width > grid->height ? grid->width : grid->height;
    int *sums = reha_alloc_zero((size_t)longer, 2 * sizeof *sums);
    int x0 = 0;
    int x1 = 0;
    int y0 = 0;
    int y1 = 0;
    if (sums == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the search of the tissue");
    }
    for (int i = 0; i < grid->width * grid->height; i++) {
        sums[i % grid->width] += grid->active[i];
    }
    find_extent(sums, grid->width, sums + longer, &x0, &x1);
    memset(sums, 0, (size_t)longer * sizeof *sums);
    for (int y = 0; y < grid->height; y++) {
        for (int x = x0; x < x1; x++) {
            sums[y] += grid->active[y * grid->width + x];
        }
    }
    find_extent(sums, grid->height, sums + longer, &y0, &y1);
    reha_free(sums);
    *box = (reha_box_px){x0, y0, x1 - x0, y1 - y0};
    return REHA_OK;
}

/* ---- Edges within a cell ---- */

typedef struct side { /* of a box in pixels of the reduced picture */
    bool is_column;
    int step; /* inwards: 1 or -1 */
} side;

/* Of the box's line at `at` along one of its sides. */
static void look_at_line(const reha_gray *image, const int *box, bool is_column, int at, double step,
                         double *mean, double *share)
{
    const int from = box[is_column ? 1 : 0];
    const int to = box[is_column ? 3 : 2];
    double sum = 0.0;
    int differing = 0;
    for (int i = from; i < to; i++) {
        const int x = is_column ? at : i;
        const int y = is_column ? i : at;
        const int next_x = is_column ? x : i + 1 < to ? i + 1 : i;
        const int next_y = is_column ? (i + 1 < to ? i + 1 : i) : y;
        const double here = (double)reha_gray_at(image, (uint32_t)x, (uint32_t)y);
        sum += here;
        differing +=
            fabs(here - (double)reha_gray_at(image, (uint32_t)next_x, (uint32_t)next_y)) > step ? 1 : 0;
    }
    *mean = sum / (to - from);
    *share = (double)differing / (to - from);
}

/* A cell at the edge may hold a piece of the page or menu beside the tissue: the box shrinks to the lines of
 * speckle. One more line goes where that page is bright, as it mixes into the tissue's first line. box: x0,
 * y0, x1, y1. */
static void trim_box(const reha_gray *image, double range, int *box)
{
    static const side sides[4] = {{true, 1}, {false, 1}, {true, -1}, {false, -1}};
    for (int k = 0; k < 4; k++) {
        const bool is_column = sides[k].is_column;
        const int limit = is_column ? (int)image->width_px : (int)image->height_px;
        double mean = 0.0;
        double share = 0.0;
        double outside = 0.0;
        for (int moved = 0;
             moved <= CELL_PX && box[2] - box[0] > 4 * CELL_PX && box[3] - box[1] > 4 * CELL_PX; moved++) {
            const int at = sides[k].step > 0 ? box[k] : box[k] - 1;
            const int before = at - sides[k].step;
            look_at_line(image, box, is_column, at, STEP_MIN * range, &mean, &share);
            outside = mean;
            if (before >= 0 && before < limit) {
                double unused = 0.0;
                look_at_line(image, box, is_column, before, STEP_MIN * range, &outside, &unused);
            }
            if (share >= LINE_SHARE && outside - mean < BRIGHTER * range) {
                break;
            }
            box[k] += sides[k].step;
        }
    }
}

static reha_status look_at_cells(const reha_gray *image, reha_muscle_frame *out, reha_error *err)
{
    cells grid = {.width = (int)image->width_px / CELL_PX, .height = (int)image->height_px / CELL_PX};
    const size_t count = (size_t)grid.width * (size_t)grid.height;
    double low = 0.0;
    double range = 0.0;
    reha_status status = REHA_OK;
    out->box = (reha_box_px){0, 0, image->width_px, image->height_px};
    find_range(image, &low, &range);
    if (count == 0 || !(range > 0.0)) {
        return REHA_OK;
    }
    grid.active = reha_alloc_zero(count, 1);
    grid.queue = reha_alloc(count * sizeof *grid.queue);
    if (grid.active == NULL || grid.queue == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the search of the tissue");
        goto done;
    }
    for (int y = 0; y < grid.height; y++) {
        for (int x = 0; x < grid.width; x++) {
            grid.active[y * grid.width + x] = cell_is_active(image, x, y, (float)(STEP_MIN * range)) ? 1 : 0;
        }
    }
    if (keep_largest(&grid) == 0) {
        goto done;
    }
    reha_box_px found = {0};
    REHA_CHECK(find_box(&grid, &found, err));
    int inside = 0;
    for (int y = (int)found.y_px; y < (int)(found.y_px + found.height_px); y++) {
        for (int x = (int)found.x_px; x < (int)(found.x_px + found.width_px); x++) {
            inside += grid.active[y * grid.width + x];
        }
    }
    out->speckle = inside / (found.width_px * found.height_px);
    int edges[4] = {(int)found.x_px * CELL_PX, (int)found.y_px * CELL_PX,
                    (int)(found.x_px + found.width_px) * CELL_PX,
                    (int)(found.y_px + found.height_px) * CELL_PX};
    trim_box(image, range, edges);
    out->box = (reha_box_px){edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1]};
done:
    reha_free(grid.active);
    reha_free(grid.queue);
    return status;
}

/* Percentiles, then mean and SD of the toned grey. */
static reha_status measure_tone(const reha_gray *image, reha_muscle_frame *out, reha_error *err)
{
    const uint32_t x0 = (uint32_t)out->box.x_px;
    const uint32_t y0 = (uint32_t)out->box.y_px;
    const uint32_t x1 = (uint32_t)(out->box.x_px + out->box.width_px);
    const uint32_t y1 = (uint32_t)(out->box.y_px + out->box.height_px);
    double tones[2];
    REHA_TRY(reha_sample_percentiles(image, x0, y0, x1, y1, TONE_SAMPLES, TONE_PERCENTILES, 2, tones, err));
    out->low = tones[0];
    out->high = tones[1] > tones[0] ? tones[1] : tones[0] + 1.0;
    double sum = 0.0;
    double squares = 0.0;
    for (uint32_t y = y0; y < y1; y++) {
        for (uint32_t x = x0; x < x1; x++) {
            const double v =
                fmin(1.0, fmax(0.0, ((double)reha_gray_at(image, x, y) - out->low) / (out->high - out->low)));
            sum += v;
            squares += v * v;
        }
    }
    const double n = (double)(x1 - x0) * (double)(y1 - y0);
    out->mean = sum / n;
    out->sd = sqrt(fmax(0.0, squares / n - out->mean * out->mean));
    return REHA_OK;
}

/* At the size that is `factor` times smaller. */
static reha_status look_reduced(const reha_gray *image, uint32_t factor, reha_muscle_frame *out,
                                reha_error *err)
{
    reha_gray *reduced = NULL;
    *out = (reha_muscle_frame){.box = {0, 0, image->width_px, image->height_px}};
    if (factor > 1) {
        REHA_TRY(reha_sample_reduce(image, factor, &reduced, err));
    }
    const reha_status status = look_at_cells(reduced != NULL ? reduced : image, out, err);
    reha_gray_free(reduced);
    if (factor > 1) {
        out->box = (reha_box_px){out->box.x_px * factor, out->box.y_px * factor, out->box.width_px * factor,
                                 out->box.height_px * factor};
    }
    return status;
}

reha_status reha_muscle_frame_find(const reha_gray *image, reha_muscle_frame *out, reha_error *err)
{
    const uint32_t longer = image->width_px > image->height_px ? image->width_px : image->height_px;
    const uint32_t shorter = image->width_px > image->height_px ? image->height_px : image->width_px;
    uint32_t factor = (longer + WORK_SIDE_PX / 2) / WORK_SIDE_PX;
    factor = factor > shorter ? shorter : factor;
    factor = factor < 1 ? 1 : factor;
    REHA_TRY(look_reduced(image, factor, out, err));
    if (out->speckle < SPECKLE_LOW && shorter / factor > 2 * SHORTER_MIN_PX) {
        /* Smoothed by the scanner, or dark: neighbours differ more at half the size. */
        reha_muscle_frame half;
        REHA_TRY(look_reduced(image, 2 * factor, &half, err));
        *out = half.speckle > out->speckle ? half : *out;
    }
    out->cover = out->box.width_px * out->box.height_px / ((double)image->width_px * image->height_px);
    return measure_tone(image, out, err);
}
