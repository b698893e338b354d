#include "service/report.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/finding_text.h"
#include "service/figure.h"
#include "service/page.h"

#include <math.h>
#include <string.h>

static const char STYLE[] = "td.n{white-space:nowrap}";

static void add_measure(reha_text *html, const reha_measure *measure)
{
    if (measure->unit == NULL || measure->unit[0] == '\0') {
        return;
    }
    char text[96];
    reha_measure_text(measure->value, measure->error, measure->unit, text, sizeof text);
    reha_text_add_html(html, text);
}

static void add_finding(reha_text *html, const reha_finding *finding)
{
    reha_text_add(html, "<tr><th scope=row>");
    reha_text_add_html(html, finding->label);
    reha_text_add(html, finding->research_only ? " <small>research only</small></th><td class=n>"
                                               : "</th><td class=n>");
    if (finding->grade >= 0) {
        reha_text_addf(html, "<b>%d</b>", finding->grade);
        if (finding->set_low >= 0) {
            char set[REHA_SET_BYTES];
            reha_set_text(finding->set_coverage, finding->set_low, finding->set_high, set);
            reha_text_addf(html, "<br><small>%s</small>", set);
        }
    } else {
        add_measure(html, &finding->measure);
    }
    reha_text_add(html, "</td><td class=n>");
    if (isfinite(finding->probability)) {
        char percent[REHA_PERCENT_BYTES];
        reha_percent_text(finding->probability, percent);
        reha_text_add_html(html, percent);
    }
    reha_text_add(html, "</td><td>");
    reha_text_add_html(html, finding->evidence);
    char sources[REHA_SOURCES_BYTES];
    reha_measure_sources(&finding->measure, sources, sizeof sources);
    if (sources[0] != '\0') {
        reha_text_add(html, finding->evidence[0] != '\0' ? "<br><small>" : "<small>");
        reha_text_add_html(html, sources);
        reha_text_add(html, "</small>");
    }
    reha_text_add(html, "</td></tr>\n");
}

static void add_notes(reha_text *html, const reha_note *notes, int count)
{
    static const char *const classes[] = {"soft", "warning", "warning", "refused"};
    static const char *const words[] = {"Note", "Repaired", "Caution", "Refused"};
    for (int i = 0; i < count; i++) {
        reha_text_addf(html, "<p class=%s><b>%s:</b> ", classes[notes[i].level], words[notes[i].level]);
        reha_text_add_html(html, notes[i].text);
        reha_text_add(html, "</p>\n");
    }
}

/* What a page says of a task: heading of a region around its side, text in place of the picture, words below
 * it. */
typedef struct task_words {
    const char *task, *before_side, *after_side, *picture, *caption;
} task_words;

static const task_words words[] = {
    {"knee-oa", "", " knee <small>(side: ",
     "The knee with landmarks and joint space, the map of what spoke for the grade, and the charts described "
     "in the table",
     "<p><small>Left: tibial plateau (yellow) and femoral condyles (blue), the narrowest place circled. "
     "Middle: where the "
     "network found evidence for its grade (bright = more). Right: probability of each grade (dark = in the "
     "prediction set) "
     "and the joint space width along the joint.</small></p>"},
    {"muscle-us", "Muscle, side ", " <small>(", "The ultrasound image with what was measured",
     "<p><small>Superficial aponeurosis (yellow), deep aponeurosis (blue), direction of the fascicles from "
     "one to the other "
     "(green), thickness (red, dashed). Dashed grey: the tissue that was looked at.</small></p>"},
    {"fracture", "Fractures (research only), side ", " <small>(",
     "The radiograph with the boxes of the table",
     "<p class=warning><b>Research only.</b> Solid: high specificity. Dotted: high sensitivity, many are "
     "false. No box "
     "excludes nothing.</p>"},
    {"bone-density", "Bone density (research only), side ", " <small>(",
     "The radiograph, and the probability of each class",
     "<p class=warning><b>Research only.</b> Classes 0 to 2: normal, osteopenia, osteoporosis. It neither "
     "diagnoses nor "
     "excludes osteoporosis.</p>"},
    {"muscle-injury", "Muscle injury (research only, trained on simulated lesions), side ", " <small>(",
     "The ultrasound image with the regions of the table, and the probability of each grade",
     "<p class=warning><b>Research only, trained on simulated lesions.</b> Red: what looks like them. No red "
     "line excludes "
     "nothing.</p>"}};

/* Of an unknown task: the first. */
static const task_words *words_of(const char *task)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].task, task) == 0) {
            return &words[i];
        }
    }
    return &words[0];
}

static reha_status add_picture(reha_text *html, const reha_case *result, reha_error *err)
{
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    if (result->image == NULL) {
        return REHA_OK;
    }
    REHA_TRY(reha_figure_png(result, &png, &png_bytes, err));
    const task_words *said = words_of(result->analysis->task);
    reha_page_add_picture(html, said->picture, "", png, png_bytes);
    reha_text_addf(html, "%s\n", said->caption);
    reha_free(png);
    return REHA_OK;
}

static void add_region(reha_text *html, const reha_region *region, const char *task)
{
    const task_words *said = words_of(task);
    reha_text_addf(html, "<h3>%s%s%s", said->before_side, reha_side_text(region->side), said->after_side);
    reha_text_add_html(html, region->side_source);
    reha_text_add(html, ")</small></h3>\n");
    add_notes(html, region->notes, region->note_count);
    if (region->finding_count == 0) {
        return;
    }
    reha_text_add(html, "<table><thead><tr><th scope=col>Finding<th scope=col>Result<th scope=col>Probability"
                        "<th scope=col>Why, and how it was measured</tr></thead><tbody>\n");
    for (int i = 0; i < region->finding_count; i++) {
        add_finding(html, &region->findings[i]);
    }
    reha_text_add(html, "</tbody></table>\n");
}

static reha_status add_case(reha_text *html, const reha_case *result, size_t index, reha_error *err)
{
    reha_text_addf(html, "<section class=card id=case%zu><h2>", index + 1);
    reha_text_add_html(html, reha_path_name(result->path));
    reha_text_add(html, "</h2>\n");
    if (result->status != REHA_OK) {
        reha_text_add(html, "<p class=refused><b>Not analysed:</b> ");
        reha_text_add_html(html, result->error.text);
        reha_text_add(html, "</p></section>\n");
        return REHA_OK;
    }
    const reha_analysis *analysis = result->analysis;
    add_notes(html, analysis->notes, analysis->note_count);
    REHA_TRY(add_picture(html, result, err));
    for (int i = 0; i < analysis->region_count; i++) {
        add_region(html, &analysis->regions[i], analysis->task);
    }
    reha_text_addf(html, "<p><small>%u × %u px; scale: ", analysis->width_px, analysis->height_px);
    reha_text_add_html(html, reha_analysis_scale_text(analysis));
    reha_text_add(html, "; model ");
    reha_text_add_html(html, analysis->model_name);
    reha_text_addf(html, " %s <code>%.12s</code>; file <code>%.12s</code>; %.0f ms</small></p></section>\n",
                   analysis->model_version, analysis->model_hash, result->digest, result->total_ms);
    return REHA_OK;
}

static reha_status add_summary(reha_text *html, const reha_case *cases, size_t count, reha_error *err)
{
    reha_text_add(html, "<table><thead><tr><th scope=col>Image<th scope=col>Result</tr></thead><tbody>\n");
    for (size_t i = 0; i < count; i++) {
        char *line = NULL;
        REHA_TRY(reha_case_line(&cases[i], &line, err));
        reha_text_addf(html, "<tr><th scope=row><a href=#case%zu>", i + 1);
        reha_text_add_html(html, reha_path_name(cases[i].path));
        reha_text_addf(html, "</a></th><td class=%s>", reha_case_is_accepted(&cases[i]) ? "ok" : "refused");
        reha_text_add_html(html, line);
        reha_text_add(html, "</td></tr>\n");
        reha_free(line);
    }
    reha_text_add(html, "</tbody></table>\n");
    return REHA_OK;
}

reha_status reha_report_html(const reha_case *cases, size_t count, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_text html = {0};
    reha_page_begin(&html, "Rehascope report",
                    "Computer-made findings for a clinician to check. They support a decision and make none; "
                    "treatment follows symptoms and function, never the picture alone.",
                    STYLE);
    REHA_CHECK(add_summary(&html, cases, count, err));
    for (size_t i = 0; i < count; i++) {
        REHA_CHECK(add_case(&html, &cases[i], i, err));
    }
    REHA_CHECK(reha_page_save(&html, path, err));
done:
    reha_text_clear(&html);
    return status;
}
