#include "recognition/muscle_ruler.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum {
    TICKS_MAX = 128,
    TICKS_MIN = 5,
    TICK_HEIGHT_MAX = 5,
    TICK_WIDTH_MIN = 2,
    TICK_WIDTH_MAX = 40,
    STRIPS_MAX = 2
};
static const double CONTRAST =
    0.12; /* of the grey range: how much brighter than its surroundings a tick is */
static const double RESIDUAL_MAX_PX = 1.0;
static const double STEP_MIN_PX = 8.0;
static const double DEPTH_MIN_MM = 15.0, DEPTH_MAX_MM = 150.0;
static const double LONGER = 1.35; /* a long tick against a short one */

typedef struct tick {
    double y;
    int length; /* along x */
} tick;

/* Ticks that end (or begin) in column x: bright runs of at most TICK_HEIGHT_MAX rows in that column, with
 * dark above and below. */
static int ticks_in_column(const reha_gray *image, uint32_t x, float low, float step, tick *out)
{
    int count = 0;
    const uint32_t height = image->height_px;
    for (uint32_t y = 0; y < height && count < TICKS_MAX; y++) {
        if (reha_gray_at(image, x, y) < low + step) {
            continue;
        }
        const uint32_t first = y;
        while (y < height && reha_gray_at(image, x, y) >= low + step) {
            y++;
        }
        if (y - first > TICK_HEIGHT_MAX) {
            continue;
        }
        const uint32_t middle = (first + y - 1) / 2;
        uint32_t x0 = x;
        uint32_t x1 = x;
        while (x0 > 0 && reha_gray_at(image, x0 - 1, middle) >= low + step) {
            x0--;
        }
        while (x1 + 1 < image->width_px && reha_gray_at(image, x1 + 1, middle) >= low + step) {
            x1++;
        }
        const int length = (int)(x1 - x0 + 1);
        if (length >= TICK_WIDTH_MIN && length <= TICK_WIDTH_MAX) {
            out[count++] = (tick){0.5 * (double)(first + y - 1), length};
        }
    }
    return count;
}

/* The longest even row of ticks that starts with two of them; ticks between (letters, arrows) are passed
 * over. */
static int even_row(const tick *ticks, int count, int first, int second, int *members, double *step)
{
    int found = 0;
    *step = ticks[second].y - ticks[first].y;
    if (*step < STEP_MIN_PX) {
        return 0;
    }
    members[found++] = first;
    members[found++] = second;
    for (int i = second + 1; i < count && found < TICKS_MAX; i++) {
        const double next = ticks[first].y + found * *step;
        if (fabs(ticks[i].y - next) <= RESIDUAL_MAX_PX + 0.02 * *step) {
            members[found++] = i;
            *step = (ticks[i].y - ticks[first].y) / (found - 1);
        } else if (ticks[i].y > next + 0.5 * *step) {
            break; /* one is missing */
        }
    }
    return found;
}

/* Half of the ticks long, taking turns: centimetres and halves. */
static bool lengths_alternate(const tick *ticks, const int *members, int count)
{
    double sums[2] = {0.0, 0.0};
    int counts[2] = {0, 0};
    for (int i = 0; i < count; i++) {
        sums[i % 2] += ticks[members[i]].length;
        counts[i % 2]++;
    }
    const double even = sums[0] / counts[0];
    const double odd = sums[1] / counts[1];
    const bool long_first = even > odd;
    for (int i = 0; i < count; i++) {
        const bool is_long = ticks[members[i]].length > 0.5 * (even + odd);
        if (is_long != ((i % 2 == 0) == long_first)) {
            return false;
        }
    }
    return fmax(even, odd) > LONGER * fmin(even, odd);
}

static void consider(const reha_muscle_frame *frame, const tick *ticks, int count, reha_muscle_ruler *best)
{
    int members[TICKS_MAX];
    for (int first = 0; first + 1 < count; first++) {
        for (int second = first + 1; second < count && second < first + 4; second++) {
            reha_muscle_ruler now = {0};
            now.tick_count = even_row(ticks, count, first, second, members, &now.step_px);
            if (now.tick_count < 3 || now.tick_count <= best->tick_count) {
                continue;
            }
            for (int i = 0; i < now.tick_count; i++) {
                now.residual_px =
                    fmax(now.residual_px, fabs(ticks[members[i]].y - ticks[members[0]].y - i * now.step_px));
            }
            now.unit_mm = lengths_alternate(ticks, members, now.tick_count) ? 5.0 : 10.0;
            const double depth_mm = frame->box.height_px / now.step_px * now.unit_mm;
            const double seen = now.step_px * (now.tick_count - 1);
            now.is_certain = now.tick_count >= TICKS_MIN && now.residual_px <= RESIDUAL_MAX_PX &&
                             depth_mm >= DEPTH_MIN_MM && depth_mm <= DEPTH_MAX_MM &&
                             seen > 0.6 * frame->box.height_px && seen < 1.3 * frame->box.height_px;
            if (now.is_certain || !best->is_certain) {
                *best = now;
            }
        }
    }
}

reha_status reha_muscle_ruler_read(const reha_gray *image, const reha_muscle_frame *frame,
                                   reha_muscle_ruler *out, reha_error *err)
{
    *out = (reha_muscle_ruler){0};
    const uint32_t strips[STRIPS_MAX][2] = {
        {0, (uint32_t)frame->box.x_px}, {(uint32_t)(frame->box.x_px + frame->box.width_px), image->width_px}};
    tick *ticks = reha_alloc(TICKS_MAX * sizeof *ticks);
    if (ticks == NULL) {
        reha_free(ticks);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the ruler");
    }
    const float step = (float)(CONTRAST * fmax(frame->high - frame->low, 1.0));
    for (int s = 0; s < STRIPS_MAX; s++) {
        for (uint32_t x = strips[s][0]; x < strips[s][1]; x++) {
            /* The background of a strip is its darkest half of rows: their mean. */
            double sum = 0.0;
            double below = 0.0;
            int dark = 0;
            for (uint32_t y = 0; y < image->height_px; y++) {
                sum += (double)reha_gray_at(image, x, y);
            }
            const double mean = sum / image->height_px;
            for (uint32_t y = 0; y < image->height_px; y++) {
                const double v = (double)reha_gray_at(image, x, y);
                below += v <= mean ? v : 0.0;
                dark += v <= mean ? 1 : 0;
            }
            const int count = ticks_in_column(image, x, (float)(below / (dark > 0 ? dark : 1)), step, ticks);
            consider(frame, ticks, count, out);
        }
    }
    reha_free(ticks);
    return REHA_OK;
}
