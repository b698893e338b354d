#include "service/report.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "recognition/finding_text.h"
#include "service/figure_boxes_priv.h"
#include "service/figure_injury_priv.h"
#include "service/figure_muscle_priv.h"
#include "service/paper_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct page { /* where the next line goes */
    reha_canvas *canvas;
    double y;
    const char *now;
    size_t page_no;
} page;

static double text_width(void)
{
    return REHA_A4_WIDTH_PT - 2.0 * REHA_MARGIN_PT;
}

static void write_at(page *at, double x, double width, double size, bool bold, unsigned colour,
                     const char *text)
{
    const reha_type type = {.size = size, .bold = bold, .colour = reha_rgb(colour), .wrap_width = width};
    const reha_spot taken = reha_canvas_text(at->canvas, (reha_spot){x, at->y}, text, &type);
    at->y += taken.y + 2.0;
}

static void write_line(page *at, double size, bool bold, unsigned colour, const char *text)
{
    write_at(at, REHA_MARGIN_PT, text_width(), size, bold, colour, text);
}

static void footer(page *at)
{
    char text[200];
    const reha_type type = {.size = 7.5, .colour = reha_rgb(REHA_INK_SOFT), .wrap_width = text_width()};
    (void)snprintf(
        text, sizeof text,
        "Rehascope %s, %s, page %zu. Not reviewed: no clinician has signed this. Decision support only; "
        "treatment follows symptoms and function, never the picture alone.",
        REHA_VERSION, at->now, at->page_no);
    (void)reha_canvas_text(at->canvas, (reha_spot){REHA_MARGIN_PT, REHA_A4_HEIGHT_PT - REHA_MARGIN_PT + 8.0},
                           text, &type);
}

static void header(page *at, const char *name)
{
    char text[160];
    at->y = REHA_MARGIN_PT;
    at->page_no++;
    footer(at);
    write_line(at, 9.0, true, REHA_INK_AMBER, "NOT REVIEWED");
    (void)snprintf(text, sizeof text, "%.120s", name);
    write_line(at, 15.0, true, REHA_INK, text);
    reha_canvas_line(at->canvas, (reha_spot){REHA_MARGIN_PT, at->y + 2.0},
                     (reha_spot){REHA_A4_WIDTH_PT - REHA_MARGIN_PT, at->y + 2.0},
                     (reha_stroke){reha_rgb(REHA_INK_LINE), 0.8, 0.0});
    at->y += 8.0;
}

static void next_page(page *at, const char *name)
{
    reha_canvas_next_page(at->canvas);
    header(at, name);
}

static void ensure_room(page *at, double height, const char *name)
{
    if (at->y + height > REHA_A4_HEIGHT_PT - REHA_MARGIN_PT) {
        next_page(at, name);
    }
}

static void write_notes(page *at, const reha_note *notes, int count, const char *name)
{
    static const char *const words[] = {"Note", "Repaired", "Caution", "Refused"};
    for (int i = 0; i < count; i++) {
        char text[300];
        ensure_room(at, 30.0, name);
        (void)snprintf(text, sizeof text, "%s: %s", words[notes[i].level], notes[i].text);
        write_line(at, 9.5, false,
                   notes[i].level == REHA_NOTE_REFUSED ? REHA_INK_RED
                   : notes[i].level == REHA_NOTE_INFO  ? REHA_INK_SOFT
                                                       : REHA_INK_AMBER,
                   text);
    }
}

static void value_text(const reha_finding *finding, char *out, size_t out_bytes)
{
    const reha_measure *measure = &finding->measure;
    out[0] = '\0';
    if (finding->grade >= 0) {
        char set[REHA_SET_BYTES];
        reha_set_text(finding->set_coverage, finding->set_low, finding->set_high, set);
        (void)snprintf(out, out_bytes, "%d  (%s)", finding->grade, set);
    } else if (measure->unit != NULL && measure->unit[0] != '\0' && isfinite(measure->value)) {
        reha_measure_text(measure->value, measure->error, measure->unit, out, out_bytes);
    } else if (isfinite(finding->probability)) {
        char percent[REHA_PERCENT_BYTES];
        reha_percent_text(finding->probability, percent);
        (void)snprintf(out, out_bytes, "%s", percent);
    } else {
        (void)snprintf(out, out_bytes, "not measured");
    }
}

static void write_finding(page *at, const reha_finding *finding, const char *name)
{
    char value[96];
    const double left_width = 150.0;
    const double top = at->y;
    double low = 0.0;
    value_text(finding, value, sizeof value);
    ensure_room(at, 40.0, name);
    const double start = at->y < top ? at->y : top;
    at->y = start;
    write_at(at, REHA_MARGIN_PT, left_width - 8.0, 9.5, true, REHA_INK, finding->label);
    low = at->y;
    at->y = start;
    write_at(at, REHA_MARGIN_PT + left_width, text_width() - left_width, 9.5, true, REHA_INK, value);
    if (finding->evidence[0] != '\0') {
        write_at(at, REHA_MARGIN_PT + left_width, text_width() - left_width, 8.5, false, REHA_INK,
                 finding->evidence);
    }
    char text[REHA_SOURCES_BYTES];
    reha_measure_sources(&finding->measure, text, sizeof text);
    if (text[0] != '\0') {
        write_at(at, REHA_MARGIN_PT + left_width, text_width() - left_width, 7.5, false, REHA_INK_SOFT, text);
    }
    at->y = fmax(at->y, low) + 2.0;
    reha_canvas_line(at->canvas, (reha_spot){REHA_MARGIN_PT, at->y},
                     (reha_spot){REHA_A4_WIDTH_PT - REHA_MARGIN_PT, at->y},
                     (reha_stroke){reha_rgb(REHA_INK_LINE), 0.5, 0.0});
    at->y += 3.0;
}

static void write_muscle(page *at, const reha_case *result, const reha_region *region, const char *name)
{
    const double picture = 330.0;
    ensure_room(at, region->is_accepted ? picture + 150.0 : 60.0, name);
    write_line(at, 12.0, true, REHA_INK, "Muscle architecture");
    write_notes(at, region->notes, region->note_count, name);
    if (!region->is_accepted || result->image == NULL) {
        return;
    }
    reha_figure_muscle(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y, text_width(), picture}, result, region);
    at->y += picture + 8.0;
    reha_figure_thickness(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y, text_width(), 105.0}, region);
    at->y += 115.0;
    for (int i = 0; i < region->finding_count; i++) {
        write_finding(at, &region->findings[i], name);
    }
}

static void write_fractures(page *at, const reha_case *result, const reha_region *region, const char *name)
{
    const double picture = 420.0;
    ensure_room(at, picture + 60.0, name);
    write_line(at, 12.0, true, REHA_INK, "Fractures (research only)");
    write_notes(at, region->notes, region->note_count, name);
    if (result->image == NULL) {
        return;
    }
    reha_figure_boxes(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y, text_width(), picture}, result, region);
    at->y += picture + 8.0;
    for (int i = 0; i < region->finding_count; i++) {
        write_finding(at, &region->findings[i], name);
    }
}

static void write_injury(page *at, const reha_case *result, const reha_region *region, const char *name)
{
    const double picture = 330.0;
    ensure_room(at, region->is_accepted ? picture + 200.0 : 60.0, name);
    write_line(at, 12.0, true, REHA_INK, "Muscle injury (research only, trained on simulated lesions)");
    write_notes(at, region->notes, region->note_count, name);
    if (!region->is_accepted || result->image == NULL) {
        return;
    }
    reha_figure_injury(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y, text_width(), picture}, result, region);
    at->y += picture + 8.0;
    reha_figure_injury_grades(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y, 0.6 * text_width(), 130.0},
                              region);
    at->y += 154.0;
    for (int i = 0; i < region->finding_count; i++) {
        write_finding(at, &region->findings[i], name);
    }
}

static void write_region(page *at, const reha_case *result, const reha_region *region, const char *name)
{
    char text[160];
    const double panel = (text_width() - 12.0) / 2.0;
    const double side = panel - 44.0; /* a knee with all its measures fits one page then */
    const double inset = 0.5 * (panel - side);
    ensure_room(at, region->is_accepted ? side + 150.0 : 60.0, name);
    (void)snprintf(text, sizeof text, "%s knee (side: %s)",
                   region->side == REHA_SIDE_RIGHT  ? "Right"
                   : region->side == REHA_SIDE_LEFT ? "Left"
                                                    : "Unknown side:",
                   region->side_source);
    write_line(at, 12.0, true, REHA_INK, text);
    write_notes(at, region->notes, region->note_count, name);
    if (!region->is_accepted) {
        return;
    }
    const reha_finding *grade = reha_region_find(region, "kl-grade");
    reha_figure_joint(at->canvas, (reha_rect){REHA_MARGIN_PT + inset, at->y, side, side}, result, region);
    reha_figure_explanation(at->canvas, (reha_rect){REHA_MARGIN_PT + panel + 12.0 + inset, at->y, side, side},
                            result, region);
    at->y += side + 8.0;
    if (grade != NULL && grade->class_count > 0) {
        reha_figure_grades(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y, panel, 105.0}, grade);
    }
    reha_figure_profile(at->canvas, (reha_rect){REHA_MARGIN_PT + panel + 12.0, at->y, panel, 105.0}, region);
    at->y += 115.0;
    for (int i = 0; i < region->finding_count; i++) {
        write_finding(at, &region->findings[i], name);
    }
}

static void write_case(page *at, const reha_case *result)
{
    char text[300];
    const char *name = reha_path_name(result->path);
    header(at, name);
    if (result->status != REHA_OK) {
        (void)snprintf(text, sizeof text, "Not analysed: %s", result->error.text);
        write_line(at, 10.5, false, REHA_INK_RED, text);
        return;
    }
    const reha_analysis *analysis = result->analysis;
    (void)snprintf(text, sizeof text, "%u x %u px; scale: %s; model %s %s (%.12s); file %.12s; %.0f ms",
                   analysis->width_px, analysis->height_px, reha_analysis_scale_text(analysis),
                   analysis->model_name, analysis->model_version, analysis->model_hash, result->digest,
                   result->total_ms);
    write_line(at, 7.5, false, REHA_INK_SOFT, text);
    write_notes(at, analysis->notes, analysis->note_count, name);
    if (result->image != NULL && (analysis->region_count != 1 || !analysis->is_accepted)) {
        reha_figure_overview(at->canvas, (reha_rect){REHA_MARGIN_PT, at->y + 4.0, text_width(), 200.0},
                             result);
        at->y += 212.0;
    }
    for (int i = 0; i < analysis->region_count; i++) {
        if (i > 0) {
            next_page(at, name);
        }
        if (strcmp(analysis->task, "muscle-us") == 0) {
            write_muscle(at, result, &analysis->regions[i], name);
        } else if (strcmp(analysis->task, "fracture") == 0) {
            write_fractures(at, result, &analysis->regions[i], name);
        } else if (strcmp(analysis->task, "muscle-injury") == 0) {
            write_injury(at, result, &analysis->regions[i], name);
        } else {
            write_region(at, result, &analysis->regions[i], name);
        }
    }
}

reha_status reha_report_pdf(const reha_case *cases, size_t count, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now);
    const reha_pdf_facts facts = {.title = "Rehascope report (not reviewed)",
                                  .author = "rehascope " REHA_VERSION,
                                  .subject = "Computer-made findings for a clinician to check",
                                  .created = now};
    page at = {.now = now};
    REHA_CHECK(reha_canvas_new_pdf(REHA_A4_WIDTH_PT, REHA_A4_HEIGHT_PT, &facts, &at.canvas, err));
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            reha_canvas_next_page(at.canvas);
        }
        write_case(&at, &cases[i]);
    }
    REHA_CHECK(reha_canvas_save(at.canvas, path, err));
done:
    reha_canvas_free(at.canvas);
    return status;
}
