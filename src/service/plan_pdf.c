#include "service/plan_pdf.h"

#include "service/paper_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const unsigned GREEN = 0x2b6a3e;

enum { TEXT_BYTES = 600 };

typedef struct report {
    reha_canvas *canvas;
    const json_t *plan;
    double y;
    int page_no;
} report;

static double inner_width(void)
{
    return REHA_A4_WIDTH_PT - 2.0 * REHA_MARGIN_PT;
}

static void put_text(report *r, double indent, double size, bool bold, unsigned colour, const char *text)
{
    const double width = inner_width() - indent;
    const reha_type type = {.size = size, .bold = bold, .colour = reha_rgb(colour), .wrap_width = width};
    r->y += reha_canvas_text(r->canvas, (reha_spot){REHA_MARGIN_PT + indent, r->y}, text, &type).y + 1.5;
}

static bool is_reviewed(const json_t *plan)
{
    return json_is_true(json_object_get(plan, "reviewed"));
}

static void write_banner(const json_t *plan, char *out, size_t out_bytes)
{
    const json_t *review = json_object_get(plan, "review");
    if (is_reviewed(plan)) {
        (void)snprintf(out, out_bytes, "Confirmed by %.60s (%.30s) on %.10s.",
                       reha_json_string(review, "by", ""), reha_json_string(review, "role", ""),
                       reha_json_string(review, "at", ""));
    } else {
        (void)snprintf(out, out_bytes, "Not reviewed: no clinician has confirmed this.");
    }
}

static void new_page(report *r)
{
    char text[400];
    if (r->page_no > 0) {
        reha_canvas_next_page(r->canvas);
    }
    r->page_no++;
    const reha_type type = {.size = 7.5, .colour = reha_rgb(REHA_INK_SOFT), .wrap_width = inner_width()};
    char banner[160];
    write_banner(r->plan, banner, sizeof banner);
    (void)snprintf(
        text, sizeof text,
        "%s, plan of %s, page %d. %s Treatment follows symptoms and function, never the picture alone.",
        reha_json_string(r->plan, "software", ""), reha_json_string(r->plan, "date", ""), r->page_no, banner);
    (void)reha_canvas_text(r->canvas, (reha_spot){REHA_MARGIN_PT, REHA_A4_HEIGHT_PT - REHA_MARGIN_PT + 8.0},
                           text, &type);
    r->y = REHA_MARGIN_PT;
}

static void ensure(report *r, double height)
{
    if (r->y + height > REHA_A4_HEIGHT_PT - REHA_MARGIN_PT) {
        new_page(r);
    }
}

static void heading(report *r, const char *text, unsigned colour)
{
    ensure(r, 60.0);
    r->y += 6.0;
    put_text(r, 0.0, 12.0, true, colour, text);
    reha_canvas_line(r->canvas, (reha_spot){REHA_MARGIN_PT, r->y},
                     (reha_spot){REHA_A4_WIDTH_PT - REHA_MARGIN_PT, r->y},
                     (reha_stroke){reha_rgb(REHA_INK_LINE), 0.7, 0.0});
    r->y += 4.0;
}

/* "because pain in activity: 6 of 10. Rule knee-oa.x; strong; AAOS ..., section (2021)" */
static void write_cause(report *r, const json_t *line)
{
    char text[TEXT_BYTES] = "";
    const json_t *because = json_object_get(line, "because");
    const json_t *source = json_object_get(line, "source");
    const double year = reha_json_number(source, "year", 0.0);
    if (!json_is_object(source)) {
        return; /* a clinician's own line: its reason stands above */
    }
    for (size_t i = 0; i < json_array_size(because); i++) {
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "; " : "Because ",
                       reha_json_string(json_array_get(because, i), "text", ""));
    }
    size_t used = strlen(text);
    (void)snprintf(
        text + used, sizeof text - used, "%sRule %s. Strength: %s. Source: %s%s%s", used > 0 ? ". " : "",
        reha_json_string(line, "rule", ""), reha_json_string(line, "strength", "none printed by the source"),
        reha_json_string(source, "title", ""), reha_json_string(source, "section", NULL) != NULL ? ", " : "",
        reha_json_string(source, "section", ""));
    used = strlen(text);
    if (year > 0.0) {
        (void)snprintf(text + used, sizeof text - used, " (%.0f)", year);
    }
    used = strlen(text);
    if (strcmp(reha_json_string(source, "read", ""), "secondary") == 0) {
        (void)snprintf(text + used, sizeof text - used, "; read in a secondary source, verify");
    }
    put_text(r, 12.0, 7.5, false, REHA_INK_SOFT, text);
}

static void write_edit(report *r, const json_t *line)
{
    char text[TEXT_BYTES];
    const json_t *edited = json_object_get(line, "edited");
    if (!json_is_object(edited)) {
        return;
    }
    (void)snprintf(text, sizeof text, "Edited by %s%s: %s%s", reha_json_string(edited, "by", "a clinician"),
                   strcmp(reha_json_string(line, "state", ""), "removed") == 0 ? " (left out)" : "",
                   reha_json_string(edited, "reason", ""),
                   json_object_get(line, "kept") != NULL ? " (no rule makes this line)" : "");
    put_text(r, 12.0, 8.5, true, REHA_INK_AMBER, text);
}

static void write_line(report *r, const json_t *line)
{
    char text[TEXT_BYTES];
    const json_t *dose = json_object_get(line, "dose");
    ensure(r, json_is_object(dose) ? 66.0 : 40.0);
    reha_canvas_fill_circle(r->canvas, (reha_spot){REHA_MARGIN_PT + 3.0, r->y + 6.0}, 1.8,
                            reha_rgb(REHA_INK));
    put_text(r, 12.0, 9.5, false, REHA_INK, reha_json_string(line, "text", ""));
    if (json_is_object(dose) && json_object_get(dose, "levels") == NULL) { /* a clinician's own */
        put_text(r, 12.0, 9.0, true, REHA_INK, reha_json_string(dose, "text", ""));
    } else if (json_is_object(dose)) {
        (void)snprintf(text, sizeof text, "%s (%s; level %.0f of %.0f)", reha_json_string(dose, "text", ""),
                       reha_json_string(dose, "type", ""), reha_json_number(dose, "level", 0.0) + 1.0,
                       reha_json_number(dose, "levels", 0.0));
        put_text(r, 12.0, 9.0, true, REHA_INK, text);
        (void)snprintf(text, sizeof text, "Intensity: %s. On: %s. Back: %s.",
                       reha_json_string(dose, "intensity", ""), reha_json_string(dose, "progression", ""),
                       reha_json_string(dose, "regression", ""));
        put_text(r, 12.0, 8.0, false, REHA_INK_SOFT, text);
    }
    if (json_object_get(line, "measure") != NULL) { /* a goal: where it stands, and why this much */
        char now[32] = "";
        if (json_is_number(json_object_get(line, "now"))) {
            (void)snprintf(now, sizeof now, ", now %.4g", reha_json_number(line, "now", 0.0));
        }
        (void)snprintf(text, sizeof text, "State: %s%s. %s", reha_json_string(line, "state", ""), now,
                       reha_json_string(line, "why", ""));
        put_text(r, 12.0, 8.0, false, REHA_INK_SOFT, text);
    }
    write_edit(r, line);
    write_cause(r, line);
    r->y += 3.0;
}

static void write_list(report *r, const char *title, unsigned colour, const json_t *lines)
{
    if (json_array_size(lines) > 0) {
        heading(r, title, colour);
    }
    for (size_t i = 0; i < json_array_size(lines); i++) {
        write_line(r, json_array_get(lines, i));
    }
}

/* Every red flag with its state; what is absent in a few words, what is present in full. */
static void write_red_flags(report *r)
{
    static const char *const states[] = {"present", "not-asked", "absent"};
    static const char *const words[] = {"PRESENT", "NOT ASKED", "absent"};
    const unsigned colours[] = {REHA_INK_RED, REHA_INK_AMBER, GREEN};
    const json_t *flags = json_object_get(r->plan, "red_flags");
    heading(r, "Red flags", REHA_INK_RED);
    for (int s = 0; s < 3; s++) {
        for (size_t i = 0; i < json_array_size(flags); i++) {
            const json_t *flag = json_array_get(flags, i);
            char text[TEXT_BYTES];
            if (strcmp(reha_json_string(flag, "state", ""), states[s]) == 0) {
                ensure(r, 16.0);
                (void)snprintf(text, sizeof text, "%s: %s", words[s], reha_json_string(flag, "text", ""));
                put_text(r, 0.0, s == 2 ? 8.0 : 9.5, s == 0, colours[s], text);
            }
        }
    }
}

static void write_questions(report *r)
{
    const json_t *questions = json_object_get(r->plan, "questions");
    if (json_array_size(questions) > 0) {
        heading(r, "To ask or measure", REHA_INK_AMBER);
    }
    for (size_t i = 0; i < json_array_size(questions); i++) {
        const json_t *one = json_array_get(questions, i);
        char text[TEXT_BYTES];
        ensure(r, 14.0);
        (void)snprintf(text, sizeof text, "%s (for %s)%s", reha_json_string(one, "text", ""),
                       reha_json_string(one, "for", ""),
                       json_is_true(json_object_get(one, "safety")) ? ": needed for safety" : "");
        put_text(r, 0.0, 9.0, json_is_true(json_object_get(one, "safety")), REHA_INK, text);
    }
}

/* Why this phase, what of the input was not used: not only on the screen. */
static void write_notes(report *r)
{
    const json_t *notes = json_object_get(r->plan, "notes");
    if (json_array_size(notes) > 0) {
        heading(r, "Notes", REHA_INK_AMBER);
    }
    for (size_t i = 0; i < json_array_size(notes); i++) {
        ensure(r, 14.0);
        put_text(r, 0.0, 9.0, false, REHA_INK, json_string_value(json_array_get(notes, i)));
    }
}

static void write_criteria(report *r, const json_t *phase)
{
    const json_t *criteria = json_object_get(json_object_get(phase, "advance"), "all_of");
    if (json_array_size(criteria) == 0) {
        return;
    }
    ensure(r, 30.0);
    put_text(r, 0.0, 9.5, true, REHA_INK, "Next phase when");
    for (size_t i = 0; i < json_array_size(criteria); i++) {
        const json_t *one = json_array_get(criteria, i);
        char text[TEXT_BYTES];
        (void)snprintf(text, sizeof text, "%s: %s", reha_json_string(one, "state", ""),
                       reha_json_string(one, "text", ""));
        ensure(r, 14.0);
        put_text(r, 12.0, 9.0, false, REHA_INK, text);
    }
}

static bool is_in_current(const report *r, const char *list, const char *id)
{
    const json_t *phases = json_object_get(r->plan, "phases");
    for (size_t p = 0; p < json_array_size(phases); p++) {
        const json_t *phase = json_array_get(phases, p);
        const json_t *lines = json_object_get(phase, list);
        if (strcmp(reha_json_string(phase, "state", ""), "current") != 0) {
            continue;
        }
        for (size_t i = 0; i < json_array_size(lines); i++) {
            if (strcmp(reha_json_string(json_array_get(lines, i), "line", ""), id) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Of a later phase only what it adds, a line each: its time has not come. */
static void write_outlook(report *r, const json_t *phase)
{
    static const char *const lists[] = {"goals", "exercises", "advice"};
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
        const json_t *lines = json_object_get(phase, lists[k]);
        for (size_t i = 0; i < json_array_size(lines); i++) {
            const json_t *line = json_array_get(lines, i);
            char text[TEXT_BYTES];
            if (is_in_current(r, lists[k], reha_json_string(line, "line", ""))) {
                continue;
            }
            (void)snprintf(text, sizeof text, "%s %s (rule %s)", reha_json_string(line, "text", ""),
                           reha_json_string(json_object_get(line, "dose"), "text", ""),
                           reha_json_string(line, "rule", ""));
            ensure(r, 26.0);
            reha_canvas_fill_circle(r->canvas, (reha_spot){REHA_MARGIN_PT + 3.0, r->y + 5.5}, 1.5,
                                    reha_rgb(REHA_INK_SOFT));
            put_text(r, 12.0, 8.5, false, REHA_INK, text);
            write_edit(r, line);
        }
    }
}

static void write_phase(report *r, const json_t *phase)
{
    char text[TEXT_BYTES];
    const json_t *weeks = json_object_get(phase, "weeks");
    const char *state = reha_json_string(phase, "state", "");
    (void)snprintf(text, sizeof text, "Phase: %s (%s; as a rule weeks %.0f to %.0f)",
                   reha_json_string(phase, "title", ""), state, json_number_value(json_array_get(weeks, 0)),
                   json_number_value(json_array_get(weeks, 1)));
    heading(r, text, REHA_INK);
    if (strcmp(state, "done") == 0) {
        return;
    }
    put_text(r, 0.0, 9.0, false, REHA_INK_SOFT, reha_json_string(phase, "focus", ""));
    if (strcmp(state, "later") == 0) {
        write_outlook(r, phase);
        write_criteria(r, phase);
        return;
    }
    write_list(r, "Goals", REHA_INK, json_object_get(phase, "goals"));
    write_list(r, "Exercises", REHA_INK, json_object_get(phase, "exercises"));
    write_list(r, "Advice", REHA_INK, json_object_get(phase, "advice"));
    write_criteria(r, phase);
}

static void write_withheld(report *r)
{
    const json_t *withheld = json_object_get(r->plan, "withheld");
    if (json_array_size(withheld) > 0) {
        heading(r, "Withheld", REHA_INK_RED);
    }
    for (size_t i = 0; i < json_array_size(withheld); i++) {
        const json_t *one = json_array_get(withheld, i);
        char text[TEXT_BYTES];
        ensure(r, 16.0);
        (void)snprintf(text, sizeof text, "%s Why: %s (rule %s)", reha_json_string(one, "text", ""),
                       reha_json_string(one, "why", ""), reha_json_string(one, "by", ""));
        put_text(r, 0.0, 9.0, false, REHA_INK, text);
        write_edit(r, one);
    }
}

static void write_changes(report *r)
{
    const json_t *changes = json_object_get(r->plan, "changes");
    if (json_array_size(changes) > 0) {
        heading(r, "Changed since the last plan", REHA_INK);
    }
    for (size_t i = 0; i < json_array_size(changes); i++) {
        ensure(r, 14.0);
        put_text(r, 0.0, 9.5, false, REHA_INK, reha_json_string(json_array_get(changes, i), "text", ""));
    }
}

static void write_head(report *r)
{
    char text[TEXT_BYTES];
    const char *status = reha_json_string(r->plan, "status", "");
    const bool is_stopped = strcmp(status, "doctor-today") == 0;
    char banner[160];
    write_banner(r->plan, banner, sizeof banner);
    put_text(r, 0.0, 9.0, true, is_reviewed(r->plan) ? GREEN : REHA_INK_AMBER,
             is_reviewed(r->plan) ? banner : "NOT REVIEWED");
    (void)snprintf(text, sizeof text, "Rehabilitation plan: %s",
                   reha_json_string(json_object_get(r->plan, "guideline"), "title", ""));
    put_text(r, 0.0, 16.0, true, REHA_INK, text);
    (void)snprintf(text, sizeof text, "Date %s. Side: %s. Rules of %s.",
                   reha_json_string(r->plan, "date", ""), reha_json_string(r->plan, "side", ""),
                   reha_json_string(json_object_get(r->plan, "guideline"), "version", ""));
    put_text(r, 0.0, 9.0, false, REHA_INK_SOFT, text);
    put_text(r, 0.0, 11.0, true,
             is_stopped                     ? REHA_INK_RED
             : strcmp(status, "ready") == 0 ? GREEN
                                            : REHA_INK_AMBER,
             is_stopped ? "To a doctor today: no exercises in this plan."
             : strcmp(status, "ready") == 0
                 ? "Ready for review."
                 : "Safety questions are open: ask them before the first session.");
}

static void write_report(report *r)
{
    const json_t *phases = json_object_get(r->plan, "phases");
    const json_t *imaging = json_object_get(r->plan, "imaging");
    const json_t *again = json_object_get(r->plan, "reassess");
    new_page(r);
    write_head(r);
    write_red_flags(r);
    write_questions(r);
    write_notes(r);
    write_changes(r);
    write_withheld(r);
    write_list(r, "Blocked", REHA_INK_RED, json_object_get(r->plan, "blocks"));
    write_list(r, "Take care", REHA_INK_AMBER, json_object_get(r->plan, "precautions"));
    write_list(r, "Referral", REHA_INK_AMBER, json_object_get(r->plan, "referrals"));
    for (size_t i = 0; i < json_array_size(phases); i++) {
        write_phase(r, json_array_get(phases, i));
    }
    write_list(r, "What not to do", REHA_INK, json_object_get(r->plan, "avoid"));
    if (json_is_object(imaging)) {
        heading(r, "Imaging", REHA_INK);
        write_line(r, imaging);
    }
    if (json_is_object(again)) {
        heading(r, "Next visit", REHA_INK);
        write_line(r, again);
    }
}

static reha_status draw_report(const json_t *plan, reha_canvas **out, reha_error *err)
{
    report r = {.plan = plan};
    const reha_pdf_facts facts = {.title = is_reviewed(plan) ? "Rehabilitation plan"
                                                             : "Rehabilitation plan (not reviewed)",
                                  .author = "rehascope " REHA_VERSION,
                                  .subject = "Made from rules for a clinician to check"};
    *out = NULL;
    REHA_TRY(reha_canvas_new_pdf(REHA_A4_WIDTH_PT, REHA_A4_HEIGHT_PT, &facts, &r.canvas, err));
    write_report(&r);
    *out = r.canvas;
    return REHA_OK;
}

reha_status reha_plan_report_pdf(const json_t *plan, const char *path, reha_error *err)
{
    reha_canvas *canvas = NULL;
    REHA_TRY(draw_report(plan, &canvas, err));
    const reha_status status = reha_canvas_save(canvas, path, err);
    reha_canvas_free(canvas);
    return status;
}

reha_status reha_plan_report_pdf_encode(const json_t *plan, uint8_t **out, size_t *out_bytes, reha_error *err)
{
    reha_canvas *canvas = NULL;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(draw_report(plan, &canvas, err));
    const reha_status status = reha_canvas_encode(canvas, out, out_bytes, err);
    reha_canvas_free(canvas);
    return status;
}
