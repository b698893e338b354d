#include "service/clinic_report_priv.h"

#include "base/memory.h"
#include "base/text.h"
#include "image/draw.h"
#include "service/paper_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DATE_CHARS = 10 };

static const double PICTURE_PT = 270.0;
static const unsigned GREEN = 0x1d6b36;

typedef struct sheet {
    reha_canvas *canvas;
    const report_source *source;
    double y;
    int page_no;
} sheet;

static double text_width(void)
{
    return REHA_A4_WIDTH_PT - 2.0 * REHA_MARGIN_PT;
}

static void write_at(sheet *at, double x, double width, double size, bool bold, unsigned colour,
                     const char *text)
{
    const reha_type type = {.size = size, .bold = bold, .colour = reha_rgb(colour), .wrap_width = width};
    at->y += reha_canvas_text(at->canvas, (reha_spot){x, at->y}, text, &type).y + 2.0;
}

static void write_line(sheet *at, double size, bool bold, unsigned colour, const char *text)
{
    write_at(at, REHA_MARGIN_PT, text_width(), size, bold, colour, text);
}

static void rule(sheet *at, unsigned colour, double width)
{
    reha_canvas_line(at->canvas, (reha_spot){REHA_MARGIN_PT, at->y},
                     (reha_spot){REHA_A4_WIDTH_PT - REHA_MARGIN_PT, at->y},
                     (reha_stroke){reha_rgb(colour), width, 0.0});
}

/* What every page says: the state of the review above, the origin below. */
static void head_and_foot(sheet *at)
{
    char text[400];
    const double pad = 6.0;
    const bool is_signed = report_is_signed(at->source->study);
    const unsigned colour = is_signed ? GREEN : REHA_INK_AMBER;
    const reha_type small = {.size = 7.5, .colour = reha_rgb(REHA_INK_SOFT), .wrap_width = text_width()};
    at->page_no++;
    (void)snprintf(
        text, sizeof text,
        "Rehascope %s, %.10s %.5s UTC, page %d.%s Decision support; treatment follows symptoms and "
        "function.",
        REHA_VERSION, at->source->made_at, at->source->made_at + DATE_CHARS + 1, at->page_no,
        is_signed ? "" : " Not reviewed.");
    (void)reha_canvas_text(at->canvas, (reha_spot){REHA_MARGIN_PT, REHA_A4_HEIGHT_PT - REHA_MARGIN_PT + 8.0},
                           text, &small);
    at->y = REHA_MARGIN_PT;
    const double top = at->y - pad;
    report_banner(at->source->study, text, sizeof text);
    write_at(at, REHA_MARGIN_PT + pad, text_width() - 2.0 * pad, 10.0, true, colour, text);
    reha_canvas_box(at->canvas, (reha_rect){REHA_MARGIN_PT, top, text_width(), at->y + pad - 2.0 - top}, 3.0,
                    (reha_stroke){reha_rgb(colour), 1.2, 0.0});
    at->y += pad + 4.0;
}

static void ensure_room(sheet *at, double height)
{
    if (at->y + height > REHA_A4_HEIGHT_PT - REHA_MARGIN_PT) {
        reha_canvas_next_page(at->canvas);
        head_and_foot(at);
    }
}

/* --- texts that may be longer than a page --- */

typedef struct piece {
    const char *text; /* NULL or "": nothing */
    double size;
    bool bold;
    unsigned colour;
} piece;

enum { PIECES = 2, COLUMNS = 3 };
static const double PIECE_GAP_PT = 2.0;
static const double LINES_MIN_PT = 52.0; /* below this a row begins on the next page */

typedef struct flow { /* one column of texts */
    double x, width;
    piece pieces[PIECES]; /* what is still to be written */
} flow;

static reha_type type_of(const flow *in, const piece *what)
{
    return (reha_type){
        .size = what->size, .bold = what->bold, .colour = reha_rgb(what->colour), .wrap_width = in->width};
}

static bool is_written(const piece *what)
{
    return what->text == NULL || what->text[0] == '\0';
}

static double height_of(const sheet *at, const flow *in)
{
    double height = 0.0;
    for (int i = 0; i < PIECES; i++) {
        const reha_type type = type_of(in, &in->pieces[i]);
        height += is_written(&in->pieces[i])
                      ? 0.0
                      : reha_canvas_measure(at->canvas, in->pieces[i].text, &type).y + PIECE_GAP_PT;
    }
    return height;
}

/* As much as stands above `bottom`; the rest stays in the piece. False: there is a rest. */
static bool write_piece(sheet *at, const flow *in, piece *what, double bottom)
{
    const reha_type type = type_of(in, what);
    const size_t count = strlen(what->text);
    const size_t fits = reha_canvas_fit(at->canvas, what->text, &type, bottom - at->y);
    char *part = fits > 0 ? reha_strndup(what->text, fits) : NULL;
    if (part != NULL) {
        at->y += reha_canvas_text(at->canvas, (reha_spot){in->x, at->y}, part, &type).y + PIECE_GAP_PT;
        reha_free(part);
    }
    what->text += fits;
    what->text += fits > 0 && fits < count ? strspn(what->text, " \r\n") : 0;
    return is_written(what);
}

/* False: goes on on the next page. at->y: below what was written. */
static bool write_flow(sheet *at, flow *in, double bottom)
{
    for (int i = 0; i < PIECES; i++) {
        if (!is_written(&in->pieces[i]) && !write_piece(at, in, &in->pieces[i], bottom)) {
            return false;
        }
    }
    return true;
}

typedef void (*page_head)(sheet *at, const void *context); /* what stands above the rest of a row */

/* Columns beside each other, over as many pages as they need; a row that is whole on one page stays whole. */
static void write_flows(sheet *at, flow *columns, int count, page_head head, const void *context)
{
    const double bottom = REHA_A4_HEIGHT_PT - REHA_MARGIN_PT;
    double height = 0.0;
    for (int i = 0; i < count; i++) {
        height = fmax(height, height_of(at, &columns[i]));
    }
    ensure_room(at, height < 0.6 * (bottom - REHA_MARGIN_PT) ? height : LINES_MIN_PT);
    for (bool is_done = false; !is_done;) {
        const double top = at->y;
        double low = top;
        is_done = true;
        for (int i = 0; i < count; i++) {
            at->y = top;
            is_done = write_flow(at, &columns[i], bottom) && is_done;
            low = fmax(low, at->y);
        }
        at->y = low;
        if (!is_done && !(low > top)) { /* no room for one line on a fresh page, or the canvas has failed */
            return;
        }
        if (!is_done) {
            reha_canvas_next_page(at->canvas);
            head_and_foot(at);
            if (head != NULL) {
                head(at, context);
            }
        }
    }
}

static void write_text(sheet *at, double size, unsigned colour, const char *text)
{
    flow whole = {.x = REHA_MARGIN_PT, .width = text_width(), .pieces = {{text, size, false, colour}}};
    write_flows(at, &whole, 1, NULL, NULL);
}

static void write_pair(sheet *at, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }
    reha_text text = {.data = NULL};
    reha_text_addf(&text, "%s: %s", name, value);
    if (!text.failed) {
        write_text(at, 9.5, REHA_INK, text.data);
    }
    reha_text_clear(&text);
}

static double column_at(int column)
{
    static const double shares[] = {0.0, 0.42, 0.68};
    return REHA_MARGIN_PT + shares[column] * text_width();
}

static void write_columns(sheet *at)
{
    static const char *const names[] = {"Finding", "Software (\xc2\xb1 95 % error)", "Clinician"};
    const double top = at->y;
    for (int i = 0; i < 3; i++) {
        at->y = top;
        write_at(at, column_at(i), 0.3 * text_width(), 8.0, false, REHA_INK_SOFT, names[i]);
    }
    rule(at, REHA_INK_SOFT, 0.8);
    at->y += 3.0;
}

/* Above the rest of a row that goes on. */
static void head_of_rest(sheet *at, const void *context)
{
    const report_row *row = context;
    char text[160];
    write_columns(at);
    (void)snprintf(text, sizeof text, "%s, continued", row->label);
    write_at(at, column_at(0), text_width(), 8.0, false, REHA_INK_SOFT, text);
}

static void write_row(sheet *at, const report_row *row)
{
    char text[400];
    const double gap = 8.0;
    const bool is_decided = row->who[0] != '\0';
    (void)snprintf(text, sizeof text, "%s%s%s", row->human, is_decided ? " by " : "", row->who);
    flow columns[COLUMNS] = {
        {.x = column_at(0),
         .width = column_at(1) - column_at(0) - gap,
         .pieces = {{row->label, 9.0, true, REHA_INK}, {row->evidence, 7.5, false, REHA_INK_SOFT}}},
        {.x = column_at(1),
         .width = column_at(2) - column_at(1) - gap,
         .pieces = {{row->software, 9.5, true, REHA_INK},
                    {row->research_only ? "research only" : NULL, 7.5, false, REHA_INK_SOFT}}},
        {.x = column_at(2),
         .width = REHA_A4_WIDTH_PT - REHA_MARGIN_PT - column_at(2),
         .pieces = {{text, 9.0, is_decided, is_decided ? REHA_INK : REHA_INK_AMBER},
                    {row->reason, 8.0, false, REHA_INK}}}};
    ensure_room(at, LINES_MIN_PT);
    write_flows(at, columns, COLUMNS, head_of_rest, row);
    at->y += 1.0;
    rule(at, REHA_INK_LINE, 0.5);
    at->y += 3.0;
}

static void write_findings(sheet *at, const json_t *result, size_t region_idx, const json_t *findings)
{
    char missing[500];
    char text[600];
    if (json_array_size(findings) > 0) {
        write_columns(at);
    }
    for (size_t k = 0; k < json_array_size(findings); k++) {
        const report_row row = report_make_row(result, (int)region_idx, json_array_get(findings, k));
        if (row.is_measured) {
            write_row(at, &row);
        }
    }
    report_unmeasured(findings, missing, sizeof missing);
    if (missing[0] != '\0') {
        (void)snprintf(text, sizeof text, "Not measured: %s.", missing);
        write_text(at, 8.0, REHA_INK_SOFT, text);
    }
    at->y += 6.0;
}

static void write_notes(sheet *at, const json_t *notes)
{
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const json_t *note = json_array_get(notes, i);
        const bool is_refusal = strcmp(reha_json_string(note, "level", ""), "refused") == 0;
        write_text(at, 8.5, is_refusal ? REHA_INK_RED : REHA_INK_SOFT, reha_json_string(note, "text", ""));
    }
}

static void write_result(sheet *at, const json_t *result, const report_picture *picture)
{
    char text[400];
    const json_t *analysis = json_object_get(result, "analysis");
    const json_t *regions = json_object_get(analysis, "regions");
    char task[300];
    report_task(result, task, sizeof task);
    (void)snprintf(text, sizeof text, "Analysis: %s", task);
    ensure_room(at, picture->png != NULL ? PICTURE_PT + 40.0 : 40.0);
    write_line(at, 8.5, false, REHA_INK_SOFT, text);
    if (picture->png != NULL) {
        const reha_rect box = reha_canvas_png(at->canvas, picture->png, picture->png_bytes,
                                              (reha_rect){REHA_MARGIN_PT, at->y, text_width(), PICTURE_PT});
        at->y = box.y + box.height + 6.0;
    }
    write_notes(at, json_object_get(analysis, "notes"));
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const json_t *region = json_array_get(regions, i);
        const json_t *findings = json_object_get(region, "findings");
        ensure_room(at, 90.0);
        report_region_title(analysis, i, text, sizeof text);
        write_line(at, 11.0, true, REHA_INK, text);
        write_notes(at, json_object_get(region, "notes"));
        write_findings(at, result, i, findings);
    }
    (void)snprintf(text, sizeof text, "Model %.60s %.30s (%.12s); %.40s; image %.12s; analysed %.10s",
                   reha_json_string(result, "model", ""), reha_json_string(result, "model_version", ""),
                   reha_json_string(result, "model_hash", ""), reha_json_string(result, "software", ""),
                   reha_json_string(result, "input_digest", ""), reha_json_string(result, "created_at", ""));
    ensure_room(at, 20.0);
    write_line(at, 7.5, false, REHA_INK_SOFT, text);
    at->y += 6.0;
}

static void write_set_aside(sheet *at, const json_t *aside)
{
    char text[REPORT_LINE_BYTES];
    report_set_aside(aside, text);
    write_text(at, 8.5, REHA_INK_AMBER, text);
    at->y += 4.0;
}

static bool has_picture(const json_t *image, const report_picture *pictures)
{
    return json_array_size(json_object_get(image, "results")) > 0 && pictures->png != NULL;
}

/* Takes the image's pictures off *pictures. */
static void write_image(sheet *at, const json_t *image, const report_picture **pictures, size_t no)
{
    char text[400];
    const json_t *results = json_object_get(image, "results");
    const json_t *asides = json_object_get(image, "set_aside");
    ensure_room(at, has_picture(image, *pictures) ? PICTURE_PT + 60.0 : 60.0);
    (void)snprintf(text, sizeof text, "Image %zu", no);
    write_line(at, 12.0, true, REHA_INK, text);
    if (json_array_size(results) == 0) {
        report_no_result(image, text, sizeof text);
        write_line(at, 9.5, false, REHA_INK_RED, text);
    }
    for (size_t i = 0; i < json_array_size(results); i++) {
        write_result(at, json_array_get(results, i), (*pictures)++);
    }
    for (size_t i = 0; i < json_array_size(asides); i++) {
        write_set_aside(at, json_array_get(asides, i));
    }
}

reha_status report_pdf(const report_source *source, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    char patient[300];
    const json_t *study = source->study;
    const json_t *images = json_object_get(study, "images");
    const report_picture *pictures = source->pictures;
    const bool is_signed = report_is_signed(study);
    const reha_pdf_facts facts = {.title = is_signed ? "Rehascope report" : "Rehascope report (not reviewed)",
                                  .author = "rehascope " REHA_VERSION,
                                  .subject = "Findings of images and a clinician's decisions",
                                  .created = source->made_at};
    sheet at = {.source = source};
    REHA_TRY(reha_canvas_new_pdf(REHA_A4_WIDTH_PT, REHA_A4_HEIGHT_PT, &facts, &at.canvas, err));
    head_and_foot(&at);
    write_line(&at, 15.0, true, REHA_INK,
               source->clinic_name != NULL ? source->clinic_name : "Rehascope report");
    report_patient(study, patient, sizeof patient);
    write_pair(&at, "Patient", patient);
    write_pair(&at, "Image date", reha_json_string(study, "image_date", NULL));
    write_pair(&at, "Body part", reha_json_string(study, "body_part", NULL));
    write_pair(&at, "Comment", reha_json_string(json_object_get(study, "signature"), "comment", NULL));
    for (size_t i = 0; i < json_array_size(images); i++) {
        write_image(&at, json_array_get(images, i), &pictures, i + 1);
    }
    const reha_status status = reha_canvas_encode(at.canvas, out, out_bytes, err);
    reha_canvas_free(at.canvas);
    return status;
}
