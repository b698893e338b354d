#include "service/clinic_report_priv.h"

#include "base/memory.h"
#include "base/text.h"
#include "service/page.h"

#include <stdio.h>
#include <string.h>

/* Kept in records and printed: it looks the same everywhere. */
static const char STYLE[] =
    ":root{color-scheme:light;--ink:#1b2733;--soft:#5b6875;--line:#d5dbe1;--page:#fff;--card:#f6f8fa;--warn:#8a5800;"
    "--stop:#a4262c;--good:#1d6b36}h2{margin:1.2em 0 .3em}.banner{border-width:2px;font-weight:bold}.aside{color:var(--warn)}"
    "@media print{section{break-inside:avoid}}";

static void add_pair(reha_text *html, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        reha_text_addf(html, "<tr><th scope=row>%s<td>", name);
        reha_text_add_html(html, value);
        reha_text_add(html, "\n");
    }
}

static void add_row(reha_text *html, const report_row *row)
{
    reha_text_add(html, "<tr><th scope=row>");
    reha_text_add_html(html, row->label);
    reha_text_add(html, row->research_only ? " <small>research only</small><td>" : "<td>");
    reha_text_add_html(html, row->software);
    if (row->evidence != NULL) {
        reha_text_add(html, "<br><small>");
        reha_text_add_html(html, row->evidence);
        reha_text_add(html, "</small>");
    }
    reha_text_add(html, "<td>");
    reha_text_add_html(html, row->human);
    if (row->reason != NULL) {
        reha_text_add(html, "<br><small>");
        reha_text_add_html(html, row->reason);
        reha_text_add(html, "</small>");
    }
    reha_text_add(html, "<td><small>");
    reha_text_add_html(html, row->who);
    reha_text_add(html, "</small>\n");
}

static void add_notes(reha_text *html, const json_t *notes)
{
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const json_t *note = json_array_get(notes, i);
        const char *level = reha_json_string(note, "level", "");
        reha_text_addf(html, "<p class=%s>", strcmp(level, "refused") == 0 ? "refused" : "soft");
        reha_text_add_html(html, reha_json_string(note, "text", ""));
        reha_text_add(html, "</p>\n");
    }
}

static void add_regions(reha_text *html, const json_t *result)
{
    char text[600];
    const json_t *analysis = json_object_get(result, "analysis");
    const json_t *regions = json_object_get(analysis, "regions");
    add_notes(html, json_object_get(analysis, "notes"));
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const json_t *region = json_array_get(regions, i);
        const json_t *findings = json_object_get(region, "findings");
        report_region_title(analysis, i, text, sizeof text);
        reha_text_add(html, "<h3>");
        reha_text_add_html(html, text);
        reha_text_add(html, "</h3>\n");
        add_notes(html, json_object_get(region, "notes"));
        if (json_array_size(findings) == 0) {
            continue;
        }
        reha_text_add(
            html,
            "<table><thead><tr><th scope=col>Finding<th scope=col>Software (\xc2\xb1 95 % error)<th scope=col>Clinician<th scope=col>By"
            "<tbody>\n");
        for (size_t k = 0; k < json_array_size(findings); k++) {
            const report_row row = report_make_row(result, (int)i, json_array_get(findings, k));
            if (row.is_measured) {
                add_row(html, &row);
            }
        }
        reha_text_add(html, "</table>\n");
        report_unmeasured(findings, text, sizeof text);
        if (text[0] != '\0') {
            reha_text_add(html, "<p class=soft>Not measured: ");
            reha_text_add_html(html, text);
            reha_text_add(html, ".</p>\n");
        }
    }
}

static void add_result(reha_text *html, const json_t *result, const report_picture *picture)
{
    char task[300];
    report_task(result, task, sizeof task);
    reha_text_add(html, "<p class=soft>Analysis: ");
    reha_text_add_html(html, task);
    reha_text_add(html, "</p>\n");
    if (picture->png != NULL) {
        reha_page_add_picture(html, "The image with what was measured; the findings are in the table", "",
                              picture->png, picture->png_bytes);
    }
    add_regions(html, result);
    reha_text_add(html, "<p><small>Model ");
    reha_text_add_html(html, reha_json_string(result, "model", ""));
    reha_text_addf(html, " %s <code>%.12s</code>; ", reha_json_string(result, "model_version", ""),
                   reha_json_string(result, "model_hash", ""));
    reha_text_add_html(html, reha_json_string(result, "software", ""));
    reha_text_addf(html, "; image <code>%.12s</code>; analysed %s</small></p>\n",
                   reha_json_string(result, "input_digest", ""), reha_json_string(result, "created_at", ""));
}

/* Takes the image's pictures off *pictures. */
static void add_image(reha_text *html, const json_t *image, const report_picture **pictures, size_t no)
{
    char text[REPORT_LINE_BYTES];
    const json_t *results = json_object_get(image, "results");
    const json_t *asides = json_object_get(image, "set_aside");
    reha_text_addf(html, "<section><h2>Image %zu</h2>\n", no);
    if (json_array_size(results) == 0) {
        report_no_result(image, text, sizeof text);
        reha_text_add(html, "<p class=refused>");
        reha_text_add_html(html, text);
        reha_text_add(html, "</p>");
    }
    for (size_t i = 0; i < json_array_size(results); i++) {
        add_result(html, json_array_get(results, i), (*pictures)++);
    }
    for (size_t i = 0; i < json_array_size(asides); i++) {
        report_set_aside(json_array_get(asides, i), text);
        reha_text_add(html, "<p class=aside>");
        reha_text_add_html(html, text);
        reha_text_add(html, "</p>\n");
    }
    reha_text_add(html, "</section>\n");
}

reha_status report_html(const report_source *source, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    reha_text html = {0};
    char banner[300];
    char patient[300];
    const json_t *images = json_object_get(source->study, "images");
    const report_picture *pictures = source->pictures;
    report_banner(source->study, banner, sizeof banner);
    report_patient(source->study, patient, sizeof patient);
    reha_page_open(&html,
                   report_is_signed(source->study) ? "Rehascope report" : "Rehascope report (not reviewed)",
                   STYLE);
    reha_text_add(&html, "<h1>");
    reha_text_add_html(&html, source->clinic_name != NULL ? source->clinic_name : "Rehascope report");
    reha_text_addf(&html, "</h1>\n<p class=\"banner%s\" role=note>",
                   report_is_signed(source->study) ? " signed" : "");
    reha_text_add_html(&html, banner);
    reha_text_add(&html, "</p>\n<table>\n");
    add_pair(&html, "Patient", patient);
    add_pair(&html, "Image date", reha_json_string(source->study, "image_date", NULL));
    add_pair(&html, "Body part", reha_json_string(source->study, "body_part", NULL));
    add_pair(&html, "Comment",
             reha_json_string(json_object_get(source->study, "signature"), "comment", NULL));
    add_pair(&html, "Signed content",
             reha_json_string(json_object_get(source->study, "signature"), "content_hash", NULL));
    reha_text_add(&html, "</table>\n");
    for (size_t i = 0; i < json_array_size(images); i++) {
        add_image(&html, json_array_get(images, i), &pictures, i + 1);
    }
    reha_text_addf(
        &html,
        "<p class=soft>Made %s by rehascope %s. Decision support: treatment follows symptoms and function, never "
        "the picture alone.</p>",
        source->made_at, REHA_VERSION);
    reha_page_close(&html);
    *out_bytes = html.length;
    return reha_text_take(&html, (char **)out, err);
}
