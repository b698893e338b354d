/* The pages of a table of scores: HTML and PDF. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/compare_scores.h"
#include "service/page.h"
#include "service/paper_priv.h"

#include <math.h>
#include <stdio.h>

enum { PLOT_WIDTH_PX = 880, PLOT_HEIGHT_PX = 300 };

static const char STYLE[] = ".words{white-space:pre-line}";

/* ---- HTML ---- */

static void add_visits(reha_text *html, const reha_score_series *series)
{
    reha_text_add(
        html,
        "<table><thead><tr><th scope=col>Date<th scope=col>Value<th scope=col>Against the first<th scope=col>"
        "Verdict</tr></thead><tbody>\n");
    const reha_score_visit *first = NULL;
    for (size_t i = 0; i < series->count; i++) {
        const reha_score_visit *visit = &series->visits[i];
        reha_text_addf(html, "<tr><th scope=row>%s</th>", visit->date);
        if (isnan(visit->value)) {
            reha_text_add(html, "<td>-<td><td>");
        } else if (first == NULL) {
            first = visit;
            reha_text_addf(html, "<td>%.4g<td><td>first visit", visit->value);
        } else {
            reha_text_addf(html, "<td>%.4g<td>%+.4g<td class=%s>%s", visit->value, visit->change.difference,
                           reha_verdict_code(visit->change.verdict),
                           reha_verdict_text(visit->change.verdict));
        }
        if (visit->note[0] != '\0') {
            reha_text_add(html, "<br><small>");
            reha_text_add_html(html, visit->note);
            reha_text_add(html, "</small>");
        }
        reha_text_add(html, "</td></tr>\n");
    }
    reha_text_add(html, "</tbody></table>\n");
}

static reha_status add_plot(reha_text *html, const reha_score_series *series, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_canvas *canvas = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    REHA_CHECK(reha_canvas_new_picture(PLOT_WIDTH_PX, PLOT_HEIGHT_PX, reha_rgb(0xffffff), &canvas, err));
    reha_score_plot(canvas, (reha_rect){10.0, 8.0, PLOT_WIDTH_PX - 20.0, PLOT_HEIGHT_PX - 12.0}, series);
    REHA_CHECK(reha_canvas_encode(canvas, &png, &png_bytes, err));
    reha_page_add_picture(html, "The values of the table over time", "", png, png_bytes);
done:
    reha_free(png);
    reha_canvas_free(canvas);
    return status;
}

static reha_status add_series(reha_text *html, const reha_score_series *series, reha_error *err)
{
    reha_status status = REHA_OK;
    char *words = NULL;
    char *sources = NULL;
    REHA_CHECK(reha_score_series_text(series, &words, err));
    REHA_CHECK(reha_score_sources_text(series, false, &sources, err));
    reha_text_add(html, "<section class=card><h2>");
    reha_text_add_html(html, series->instrument->title);
    reha_text_addf(html, "%s%s</h2>\n", series->side[0] != '\0' ? ", " : "", series->side);
    if (series->scored > 0) {
        REHA_CHECK(add_plot(html, series, err));
    }
    reha_text_add(html, "<p class=words>");
    reha_text_add_html(html, words);
    reha_text_add(html, "</p>\n");
    add_visits(html, series);
    reha_text_add(html, "<p class=words><small>");
    reha_text_add_html(html, sources);
    reha_text_add(html, "</small></p></section>\n");
done:
    reha_free(words);
    reha_free(sources);
    return status;
}

reha_status reha_score_report_html(const reha_score_table *table, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_text html = {0};
    reha_page_begin(&html, "Progress over time", "For a clinician to check with the patient.", STYLE);
    for (size_t i = 0; i < table->count; i++) {
        REHA_CHECK(add_series(&html, &table->items[i], err));
    }
    char remark[240];
    reha_score_table_remark(table, remark, sizeof remark);
    reha_text_add(&html, "<p>");
    reha_text_add_html(&html, remark);
    reha_text_add(&html, "</p>\n");
    REHA_CHECK(reha_page_save(&html, path, err));
done:
    reha_text_clear(&html);
    return status;
}

/* ---- PDF ---- */

typedef struct page {
    reha_canvas *canvas;
    double y;
} page;

static void begin(page *at, const char *now)
{
    char text[160];
    const reha_type small = {.size = 7.5, .colour = reha_rgb(REHA_INK_SOFT)};
    const reha_type mark = {.size = 9.0, .bold = true, .colour = reha_rgb(REHA_INK_AMBER)};
    (void)snprintf(text, sizeof text, "Rehascope %s, %s. Not reviewed: no clinician has signed this.",
                   REHA_VERSION, now);
    (void)reha_canvas_text(at->canvas, (reha_spot){REHA_MARGIN_PT, REHA_A4_HEIGHT_PT - REHA_MARGIN_PT + 8.0},
                           text, &small);
    (void)reha_canvas_text(at->canvas, (reha_spot){REHA_MARGIN_PT, REHA_MARGIN_PT - 12.0}, "NOT REVIEWED",
                           &mark);
    at->y = REHA_MARGIN_PT + 4.0;
}

static void say(page *at, double size, unsigned colour, const char *text)
{
    const reha_type type = {
        .size = size, .colour = reha_rgb(colour), .wrap_width = REHA_A4_WIDTH_PT - 2.0 * REHA_MARGIN_PT};
    at->y += reha_canvas_text(at->canvas, (reha_spot){REHA_MARGIN_PT, at->y}, text, &type).y + 3.0;
}

static reha_status add_to_pdf(page *at, const reha_score_series *series, const char *now, reha_error *err)
{
    static const double plot_height = 190.0;
    static const double words_height = 110.0;
    reha_status status = REHA_OK;
    char *words = NULL;
    char *sources = NULL;
    REHA_CHECK(reha_score_series_text(series, &words, err));
    REHA_CHECK(reha_score_sources_text(series, false, &sources, err));
    if (at->y + plot_height + words_height > REHA_A4_HEIGHT_PT - REHA_MARGIN_PT) {
        reha_canvas_next_page(at->canvas);
        begin(at, now);
    }
    reha_score_plot(at->canvas,
                    (reha_rect){REHA_MARGIN_PT, at->y, REHA_A4_WIDTH_PT - 2.0 * REHA_MARGIN_PT, plot_height},
                    series);
    at->y += plot_height;
    say(at, 9.5, REHA_INK, words);
    say(at, 7.5, REHA_INK_SOFT, sources);
    at->y += 10.0;
done:
    reha_free(words);
    reha_free(sources);
    return status;
}

reha_status reha_score_report_pdf(const reha_score_table *table, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    char now[REHA_TIMESTAMP_BYTES];
    page at = {0};
    const reha_pdf_facts facts = {
        .title = "Rehascope progress", .author = "rehascope", .subject = "not reviewed"};
    reha_clock_timestamp(now);
    REHA_CHECK(reha_canvas_new_pdf(REHA_A4_WIDTH_PT, REHA_A4_HEIGHT_PT, &facts, &at.canvas, err));
    begin(&at, now);
    say(&at, 16.0, REHA_INK, "Progress over time");
    for (size_t i = 0; i < table->count; i++) {
        REHA_CHECK(add_to_pdf(&at, &table->items[i], now, err));
    }
    char remark[240];
    reha_score_table_remark(table, remark, sizeof remark);
    if (remark[0] != '\0') {
        say(&at, 9.0, REHA_INK_AMBER, remark);
    }
    REHA_CHECK(reha_canvas_save(at.canvas, path, err));
done:
    reha_canvas_free(at.canvas);
    return status;
}
