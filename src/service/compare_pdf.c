#include "base/clock.h"
#include "base/file.h"
#include "service/compare_figure_priv.h"
#include "service/paper_priv.h"

#include <stdio.h>

static const unsigned GREEN = 0x1d6b36;

typedef struct page {
    reha_canvas *canvas;
    double y;
    const char *now;
    size_t number;
} page;

static double inner_width(void)
{
    return REHA_A4_WIDTH_PT - 2.0 * REHA_MARGIN_PT;
}

static void begin(page *at)
{
    char text[200];
    const reha_type type = {.size = 7.5, .colour = reha_rgb(REHA_INK_SOFT), .wrap_width = inner_width()};
    at->y = REHA_MARGIN_PT;
    at->number++;
    (void)snprintf(
        text, sizeof text,
        "Rehascope %s, %s, page %zu. Not reviewed: no clinician has signed this. A change in a picture is no "
        "change in pain or function.",
        REHA_VERSION, at->now, at->number);
    (void)reha_canvas_text(at->canvas, (reha_spot){REHA_MARGIN_PT, REHA_A4_HEIGHT_PT - REHA_MARGIN_PT + 8.0},
                           text, &type);
}

static void need(page *at, double height)
{
    if (at->y + height > REHA_A4_HEIGHT_PT - REHA_MARGIN_PT) {
        reha_canvas_next_page(at->canvas);
        begin(at);
    }
}

static void say(page *at, double indent, double size, bool bold, unsigned colour, const char *text)
{
    const reha_type type = {
        .size = size, .bold = bold, .colour = reha_rgb(colour), .wrap_width = inner_width() - indent};
    need(at, reha_canvas_measure(at->canvas, text, &type).y);
    at->y += reha_canvas_text(at->canvas, (reha_spot){REHA_MARGIN_PT + indent, at->y}, text, &type).y + 2.0;
}

static unsigned colour_of(reha_verdict verdict)
{
    static const unsigned colours[] = {0x5b6875, 0x1b2733, 0x1d6b36, 0xa4262c, 0x8a5800};
    return colours[verdict];
}

static void add_measure(page *at, const reha_compared *measure)
{
    char numbers[160];
    char text[300];
    reha_compared_text(measure, numbers, sizeof numbers);
    (void)snprintf(text, sizeof text, "%s: %s", measure->label, numbers);
    say(at, 0.0, 10.0, true, REHA_INK, text);
    say(at, 10.0, 10.0, true, colour_of(measure->change.verdict), reha_verdict_text(measure->change.verdict));
    if (measure->remark[0] != '\0') {
        say(at, 10.0, 9.0, false, REHA_INK, measure->remark);
    }
    say(at, 10.0, 8.0, false, REHA_INK_SOFT, measure->basis);
    at->y += 4.0;
}

static void add_joint(page *at, const reha_comparison *comparison, int index)
{
    const reha_joint_pictures *pictures = &comparison->pictures[index];
    char text[200];
    (void)snprintf(text, sizeof text, "Side: %s", comparison->films.pairs[index].side);
    at->y += 6.0;
    say(at, 0.0, 12.0, true, REHA_INK, text);
    for (int k = 0; k < comparison->films.pairs[index].measure_count; k++) {
        add_measure(at, &comparison->films.pairs[index].measures[k]);
    }
    if (pictures->after != NULL) {
        const double height = reha_compare_row_height_(inner_width(), 8.0);
        need(at, height + 14.0);
        reha_compare_draw_row_(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y, inner_width(), height},
                               pictures, 8.0);
        at->y += height + 4.0;
        reha_registration_text(pictures, text, sizeof text);
        say(at, 0.0, 8.0, false, pictures->registration.is_reliable ? REHA_INK_SOFT : REHA_INK_RED, text);
    }
}

static void add_checks(page *at, const reha_films *films)
{
    static const unsigned colours[] = {GREEN, REHA_INK_SOFT, REHA_INK_AMBER, REHA_INK_RED, REHA_INK_RED};
    static const char *const words[] = {"In order", "Not checked", "Caution", "Cannot be measured",
                                        "Refused"};
    say(at, 0.0, 12.0, true, REHA_INK, "May they be compared?");
    for (int i = 0; i < films->check_count; i++) {
        char text[300];
        (void)snprintf(text, sizeof text, "%s: %s", words[films->checks[i].level], films->checks[i].text);
        say(at, 0.0, 9.0, false, colours[films->checks[i].level], text);
    }
}

reha_status reha_comparison_pdf(const reha_comparison *comparison, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    char now[REHA_TIMESTAMP_BYTES];
    page at = {.now = now};
    const reha_pdf_facts facts = {
        .title = "Rehascope comparison", .author = "rehascope", .subject = "not reviewed"};
    reha_clock_timestamp(now);
    REHA_CHECK(reha_canvas_new_pdf(REHA_A4_WIDTH_PT, REHA_A4_HEIGHT_PT, &facts, &at.canvas, err));
    begin(&at);
    say(&at, 0.0, 9.0, true, REHA_INK_AMBER, "NOT REVIEWED");
    say(&at, 0.0, 16.0, true, REHA_INK, "Two visits compared");
    for (int i = 0; i < 2; i++) {
        const reha_compare_visit *visit = &comparison->visits[i];
        char text[300];
        (void)snprintf(text, sizeof text, "%s: %.150s, %s, file %.12s", i == 0 ? "Before" : "After",
                       reha_path_name(visit->path), visit->date[0] != '\0' ? visit->date : "date not known",
                       visit->digest);
        say(&at, 0.0, 9.5, false, REHA_INK, text);
    }
    at.y += 6.0;
    add_checks(&at, &comparison->films);
    for (int i = 0; i < comparison->films.pair_count && !comparison->films.is_refused; i++) {
        add_joint(&at, comparison, i);
    }
    REHA_CHECK(reha_canvas_save(at.canvas, path, err));
done:
    reha_canvas_free(at.canvas);
    return status;
}
