#include "service/compare_scores.h"

#include <math.h>
#include <stdio.h>

static const unsigned INK = 0x1b2733;
static const unsigned SOFT = 0x5b6875;
static const unsigned BAND = 0xe4e9ee;
static const unsigned BLUE = 0x1f77b4;
static const unsigned GREEN = 0x1d6b36;
static const unsigned AMBER = 0xd98c00;
static const unsigned LINE = 0xd5dbe1;
enum { TICKS_AIM = 4 };

/* Days and values onto the canvas. */
typedef struct axes {
    reha_rect box;
    double day_low, day_high, low, high;
} axes;

static reha_spot place(const axes *at, double day, double value)
{
    return (reha_spot){at->box.x + at->box.width * (day - at->day_low) / (at->day_high - at->day_low),
                       at->box.y + at->box.height * (1.0 - (value - at->low) / (at->high - at->low))};
}

static void widen(axes *at, double value)
{
    if (isfinite(value)) {
        at->low = fmin(at->low, value);
        at->high = fmax(at->high, value);
    }
}

static axes axes_of(reha_rect box, const reha_score_series *series)
{
    const reha_change *latest = &series->series.latest;
    axes at = {box, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t i = 0; i < series->count; i++) {
        at.day_low = fmin(at.day_low, series->visits[i].day);
        at.day_high = fmax(at.day_high, series->visits[i].day);
        widen(&at, series->visits[i].value);
    }
    const double half = latest->sdc / sqrt(2.0);
    for (size_t i = 0; i < series->count; i++) {
        widen(&at, series->visits[i].value - half);
        widen(&at, series->visits[i].value + half);
    }
    widen(&at, latest->before + latest->sdc);
    widen(&at, latest->before - latest->sdc);
    widen(&at, latest->before + series->instrument->better * latest->mic);
    const double room = 0.08 * fmax(at.high - at.low, 1e-6);
    at.low = fmax(at.low - room, series->instrument->low - room);
    at.high = fmin(at.high + room, series->instrument->high + room); /* no room beyond the scale's ends */
    const double days = fmax(at.day_high - at.day_low, 1.0);
    at.day_low -= 0.04 * days;
    at.day_high += 0.04 * days;
    return at;
}

/* 1, 2 or 5 times a power of ten. */
static double round_step(double step)
{
    const double power = pow(10.0, floor(log10(step)));
    const double digit = step / power;
    return power * (digit < 1.5 ? 1.0 : digit < 3.5 ? 2.0 : digit < 7.5 ? 5.0 : 10.0);
}

static void draw_scale(reha_canvas *canvas, const axes *at, const reha_score_series *series, double size)
{
    char text[48];
    reha_type type = {.size = size, .colour = reha_rgb(SOFT), .align = REHA_ALIGN_RIGHT};
    const double step = round_step((at->high - at->low) / TICKS_AIM);
    for (double value = ceil(at->low / step) * step; value <= at->high; value += step) {
        const reha_spot spot = place(at, at->day_low, value);
        reha_canvas_line(canvas, spot, (reha_spot){at->box.x + at->box.width, spot.y},
                         (reha_stroke){reha_rgb(LINE), 0.5, 0.0});
        (void)snprintf(text, sizeof text, "%.4g", fabs(value) < 1e-9 * step ? 0.0 : value);
        (void)reha_canvas_text(canvas, (reha_spot){at->box.x - 0.4 * size, spot.y - 0.6 * size}, text, &type);
    }
    type.align = REHA_ALIGN_CENTRE;
    double free_from = -INFINITY;
    for (size_t i = 0; i < series->count; i++) { /* dates, as many as have room */
        const double x = place(at, series->visits[i].day, at->low).x;
        if (x >= free_from) {
            (void)reha_canvas_text(canvas, (reha_spot){x, at->box.y + at->box.height + 0.4 * size},
                                   series->visits[i].date, &type);
            free_from = x + 6.5 * size;
        }
    }
}

static void draw_band(reha_canvas *canvas, const axes *at, const reha_score_series *series)
{
    const reha_change *latest = &series->series.latest;
    const reha_spot right = {at->box.x + at->box.width, 0.0};
    if (isfinite(latest->sdc)) {
        const double top = fmax(place(at, 0.0, latest->before + latest->sdc).y, at->box.y);
        const double bottom =
            fmin(place(at, 0.0, latest->before - latest->sdc).y, at->box.y + at->box.height);
        reha_canvas_fill_box(canvas, (reha_rect){at->box.x, top, at->box.width, bottom - top}, 0.0,
                             reha_rgb(BAND));
    }
    const double aim = latest->before + series->instrument->better * latest->mic;
    if (isfinite(latest->mic) && aim >= at->low && aim <= at->high) {
        const double y = place(at, 0.0, aim).y;
        reha_canvas_line(canvas, (reha_spot){at->box.x, y}, (reha_spot){right.x, y},
                         (reha_stroke){reha_rgb(GREEN), 1.0, 4.0});
    }
}

static void draw_visits(reha_canvas *canvas, const axes *at, const reha_score_series *series, double size)
{
    const double half = series->series.latest.sdc / sqrt(2.0); /* of one visit */
    for (size_t i = 0; i < series->count; i++) {
        const reha_score_visit *visit = &series->visits[i];
        if (isnan(visit->value)) {
            continue;
        }
        const reha_spot spot = place(at, visit->day, visit->value);
        if (isfinite(half)) {
            reha_canvas_line(canvas, place(at, visit->day, fmin(visit->value + half, at->high)),
                             place(at, visit->day, fmax(visit->value - half, at->low)),
                             (reha_stroke){reha_rgb(BLUE), 1.0, 0.0});
        }
        reha_canvas_fill_circle(canvas, spot, 0.4 * size, reha_rgb(BLUE));
    }
    const reha_series *judged = &series->series;
    if (isfinite(judged->slope_per_day)) {
        const double first = series->visits[0].day;
        const double last = series->visits[series->count - 1].day;
        reha_canvas_line(canvas, place(at, first, judged->intercept + judged->slope_per_day * first),
                         place(at, last, judged->intercept + judged->slope_per_day * last),
                         (reha_stroke){reha_rgb(AMBER), 1.2, 0.0});
    }
}

void reha_score_plot(reha_canvas *canvas, reha_rect frame, const reha_score_series *series)
{
    const double size = fmin(frame.height / 20.0, frame.width / 70.0);
    const reha_type title = {
        .size = 1.1 * size, .bold = true, .colour = reha_rgb(INK), .wrap_width = frame.width, .lines_max = 1};
    const reha_type legend = {
        .size = size, .colour = reha_rgb(SOFT), .wrap_width = frame.width, .lines_max = 1};
    char text[160];
    if (series->scored == 0) {
        return;
    }
    (void)snprintf(text, sizeof text, "%s%s%s, %s (%s is better)", series->instrument->title,
                   series->side[0] != '\0' ? ", " : "", series->side, series->instrument->unit,
                   series->instrument->better > 0   ? "higher"
                   : series->instrument->better < 0 ? "lower"
                                                    : "neither");
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, frame.y}, text, &title);
    const reha_rect box = {frame.x + 4.0 * size, frame.y + 2.0 * size, frame.width - 5.0 * size,
                           frame.height - 6.0 * size};
    const axes at = axes_of(box, series);
    draw_band(canvas, &at, series);
    draw_scale(canvas, &at, series, size);
    reha_canvas_clip(canvas, box);
    draw_visits(canvas, &at, series, size);
    reha_canvas_unclip(canvas);
    (void)snprintf(text, sizeof text, "%s%s%s",
                   isfinite(series->series.latest.sdc)
                       ? "grey: no change beyond measurement error; bars: 95 % of one visit"
                       : "the measurement error is not known",
                   isfinite(series->series.latest.mic) ? "; green: important to patients" : "",
                   isfinite(series->series.slope_per_day) ? "; amber: trend" : "");
    (void)reha_canvas_text(canvas, (reha_spot){frame.x, frame.y + frame.height - 2.0 * size}, text, &legend);
}
