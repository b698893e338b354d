#include "service/sequence.h"

#include "base/memory.h"
#include "image/draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH_PX = 900, PANEL_PX = 200, GAP_PX = 20, LEFT_PX = 60, TITLE_PX = 22, LABEL_SIZE = 12 };
static const unsigned INK = 0x1b2733;
static const unsigned SOFT = 0x6b7785;
static const unsigned RULE = 0xd5dbe1;
static const unsigned POINT = 0xd98c00;
static const unsigned LINE = 0x1f77b4;
static const unsigned FLAG = 0xc62828;

typedef struct series { /* one sequence */
    const reha_case *cases;
    size_t count;
    const int *numbers;
    size_t first, end;
} series;

static const struct {
    const char *key, *px_key, *title;
} panels[] = {{"pennation", NULL, "Pennation, deg"},
              {"thickness", "thickness-px", "Thickness"},
              {"fascicle-length", "fascicle-length-px", "Fascicle length"}};
enum { PANELS = sizeof panels / sizeof panels[0] };

static bool find_range(const series *of, const char *key, double *low, double *high)
{
    *low = (double)INFINITY;
    *high = -(double)INFINITY;
    for (size_t i = of->first; i < of->end; i++) {
        const double value = reha_sequence_value(&of->cases[i], key);
        if (isfinite(value)) {
            *low = fmin(*low, value);
            *high = fmax(*high, value);
        }
    }
    if (!isfinite(*low)) {
        return false;
    }
    /* Noise of a still muscle must not fill the panel. */
    const double least = 0.1 * fmax(1.0, fabs(*high));
    const double middle = 0.5 * (*low + *high);
    const double half = 0.55 * fmax(*high - *low, least);
    *low = middle - half;
    *high = middle + half;
    return true;
}

static void draw_axes(reha_canvas *canvas, reha_rect box, const char *title, double low, double high,
                      const series *of)
{
    char text[48];
    const reha_type name = {.size = LABEL_SIZE + 2, .colour = reha_rgb(INK)};
    const reha_type small = {.size = LABEL_SIZE, .colour = reha_rgb(SOFT)};
    reha_type right = small;
    right.align = REHA_ALIGN_RIGHT;
    (void)reha_canvas_text(canvas, (reha_spot){box.x, box.y - TITLE_PX}, title, &name);
    for (int tick = 0; tick <= 2; tick++) {
        const double y = box.y + box.height * (1.0 - tick / 2.0);
        reha_canvas_line(canvas, (reha_spot){box.x, y}, (reha_spot){box.x + box.width, y},
                         (reha_stroke){reha_rgb(RULE), 0.8, 0.0});
        (void)snprintf(text, sizeof text, "%.1f", low + (high - low) * tick / 2.0);
        (void)reha_canvas_text(canvas, (reha_spot){box.x - 8.0, y - 0.6 * LABEL_SIZE}, text, &right);
    }
    (void)snprintf(text, sizeof text, "%zu pictures", of->end - of->first);
    (void)reha_canvas_text(canvas, (reha_spot){box.x + box.width, box.y + box.height + 3.0}, text, &right);
}

/* The picture itself warns that this number needs a look. */
static bool is_flagged(const reha_case *one)
{
    static const char *const codes[] = {"few-fascicles", "by-texture", "uncertain", "one-aponeurosis",
                                        "partly-seen"};
    const reha_region *region = &one->analysis->regions[0];
    for (int i = 0; i < region->note_count; i++) {
        for (size_t k = 0; k < sizeof codes / sizeof codes[0]; k++) {
            if (strcmp(region->notes[i].code, codes[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A measured point with its 95 % error, red where the picture was flagged; a cross at the foot where nothing
 * was. */
static void draw_point(reha_canvas *canvas, reha_rect box, const reha_case *one, const char *key, double x,
                       double low, double high)
{
    const double value = reha_sequence_value(one, key);
    const double per_unit = box.height / (high - low);
    const double foot = box.y + box.height;
    if (!isfinite(value)) {
        const reha_stroke stroke = {reha_rgb(FLAG), 1.5, 0.0};
        reha_canvas_line(canvas, (reha_spot){x - 4.0, foot - 8.0}, (reha_spot){x + 4.0, foot}, stroke);
        reha_canvas_line(canvas, (reha_spot){x - 4.0, foot}, (reha_spot){x + 4.0, foot - 8.0}, stroke);
        return;
    }
    const unsigned colour = is_flagged(one) ? FLAG : POINT;
    const double y = box.y + (high - value) * per_unit;
    const double error = reha_region_find(&one->analysis->regions[0], key)->measure.error * per_unit;
    if (isfinite(error)) {
        reha_canvas_line(canvas, (reha_spot){x, fmax(box.y, y - error)},
                         (reha_spot){x, fmin(foot, y + error)}, (reha_stroke){reha_rgb(colour), 0.8, 0.0});
    }
    reha_canvas_fill_circle(canvas, (reha_spot){x, y}, 3.0, reha_rgb(colour));
}

static void draw_series(reha_canvas *canvas, reha_rect box, const char *key, double low, double high,
                        const series *of)
{
    reha_spot before = {0.0, 0.0};
    bool has_before = false;
    for (size_t i = of->first; i < of->end; i++) {
        const double x = box.x + box.width * ((double)(i - of->first) + 0.5) / (double)(of->end - of->first);
        const double raw = reha_sequence_value(&of->cases[i], key);
        const double smooth = reha_sequence_smoothed(of->cases, of->count, of->numbers, i, key);
        /* The median of its neighbours is no measurement of a frame without one: the line stops there. */
        const bool is_drawn = isfinite(smooth) && isfinite(raw);
        if (is_drawn) {
            const reha_spot here = {x, box.y + box.height * (high - smooth) / (high - low)};
            if (has_before) {
                reha_canvas_line(canvas, before, here, (reha_stroke){reha_rgb(LINE), 2.0, 0.0});
            }
            before = here;
        }
        has_before = is_drawn;
        draw_point(canvas, box, &of->cases[i], key, x, low, high);
    }
}

static void draw_panel(reha_canvas *canvas, reha_rect box, size_t panel, const series *of)
{
    char title[96];
    double low = 0.0;
    double high = 0.0;
    const char *key = panels[panel].key;
    const char *unit = panels[panel].px_key != NULL ? ", mm" : "";
    bool found = find_range(of, key, &low, &high);
    if (!found && panels[panel].px_key != NULL) {
        key = panels[panel].px_key;
        unit = ", px";
        found = find_range(of, key, &low, &high);
    }
    (void)snprintf(title, sizeof title, "%s%s%s", panels[panel].title, unit,
                   found ? " (points with 95 % error, red: flagged; line: running median of 5)"
                         : ": not measured");
    draw_axes(canvas, box, title, found ? low : 0.0, found ? high : 1.0, of);
    if (found) {
        draw_series(canvas, box, key, low, high, of);
    }
}

reha_status reha_sequence_plot(const reha_case *cases, size_t count, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_canvas *canvas = NULL;
    int *numbers = reha_alloc_zero(count + 1, sizeof *numbers);
    if (numbers == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu results", count);
    }
    reha_sequence_number(cases, count, numbers);
    series of = {.cases = cases, .count = count, .numbers = numbers};
    while (of.first < count && numbers[of.first] == 0) {
        of.first++;
    }
    of.end = of.first;
    while (of.end < count && numbers[of.end] == numbers[of.first]) {
        of.end++;
    }
    if (of.first == of.end) {
        status = reha_fail(
            err, REHA_E_ARG,
            "%s: nothing to plot: give one file with several frames, or three numbered files of muscle "
            "ultrasound",
            path);
        goto done;
    }
    REHA_CHECK(reha_canvas_new_picture(WIDTH_PX, PANELS * (PANEL_PX + TITLE_PX + 2 * GAP_PX) + GAP_PX,
                                       reha_rgb(0xffffff), &canvas, err));
    for (size_t p = 0; p < PANELS; p++) {
        const double y = GAP_PX + TITLE_PX + (double)p * (PANEL_PX + TITLE_PX + 2.0 * GAP_PX);
        draw_panel(canvas, (reha_rect){LEFT_PX, y, WIDTH_PX - LEFT_PX - GAP_PX, PANEL_PX}, p, &of);
    }
    status = reha_canvas_save(canvas, path, err);
done:
    reha_canvas_free(canvas);
    reha_free(numbers);
    return status;
}
