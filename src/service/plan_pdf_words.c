#include "service/plan_pdf_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 700, LANGUAGE_LENGTH_MAX = 8 };

/* ---- Words of the translation file ---- */

typedef struct writer {
    plan_page *page;
    char missing[100]; /* the first key that the translation has not; "": none */
} writer;

static const char *word(writer *w, const char *key)
{
    const char *text = json_string_value(json_object_get(w->page->words, key));
    if (text == NULL && w->missing[0] == '\0') {
        (void)snprintf(w->missing, sizeof w->missing, "%s", key[0] != '\0' ? key : "(no key)");
    }
    return text != NULL ? text : "";
}

static void put(writer *w, json_t *object, const char *key, json_t *value)
{
    w->page->failed = w->page->failed || json_object_set_new(object, key, value) != 0;
}

static void append(writer *w, json_t *array, json_t *value)
{
    w->page->failed = w->page->failed || json_array_append_new(array, value) != 0;
}

/* A template with "{name}" marks; `pairs` is name, value, name, value, ..., NULL. */
static void fill(const char *template, const char *const *pairs, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    while (*template != '\0' && used + 1 < out_bytes) {
        bool is_filled = false;
        for (size_t i = 0; *template == '{' && pairs[i] != NULL; i += 2) {
            const size_t length = strlen(pairs[i]);
            if (strncmp(template + 1, pairs[i], length) == 0 && template[1 + length] == '}') {
                (void)snprintf(out + used, out_bytes - used, "%s", pairs[i + 1]);
                used = strlen(out);
                template += length + 2;
                is_filled = true;
                break;
            }
        }
        if (!is_filled) {
            out[used++] = *template ++;
            out[used] = '\0';
        }
    }
}

/* "2026-05-01" as "1 May 2026" in the words of the translation. */
static void write_date(writer *w, const char *date, char *out, size_t out_bytes)
{
    int year = 0;
    int month = 0;
    int day = 0;
    char key[24];
    if (date == NULL || sscanf(date, "%4d-%2d-%2d", &year, &month, &day) != 3) {
        out[0] = '\0';
        return;
    }
    (void)snprintf(key, sizeof key, "month.%d", month);
    (void)snprintf(out, out_bytes, "%d %s %d", day, word(w, key), year);
}

/* ---- Blocks ---- */

static json_t *add_block(writer *w, const char *kind, const char *heading_key)
{
    json_t *block = json_object();
    put(w, block, "kind", json_string(kind));
    put(w, block, "heading", json_string(word(w, heading_key)));
    put(w, block, "lines", json_array());
    append(w, w->page->blocks, block);
    return block;
}

static void add_line(writer *w, json_t *block, const char *text)
{
    if (text[0] != '\0') {
        append(w, json_object_get(block, "lines"), reha_json_text(text));
    }
}

/* The patient's words of each line that has some; a clinician's own words go first. */
static void add_lines_of(writer *w, json_t *block, const json_t *lines)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        const char *key = json_string_value(json_object_get(line, "patient"));
        const bool is_edited = json_object_get(json_object_get(line, "generated"), "text") != NULL ||
                               json_object_get(line, "kept") != NULL;
        if (strcmp(reha_json_string(line, "state", "active"), "removed") == 0) {
            continue;
        }
        if (is_edited) {
            add_line(w, block, reha_json_string(line, "text", ""));
        } else if (key != NULL) {
            add_line(w, block, word(w, key));
        }
    }
}

static void drop_if_empty(writer *w, const json_t *block)
{
    const size_t last = json_array_size(w->page->blocks) - 1;
    if (json_array_size(json_object_get(block, "lines")) == 0 &&
        json_array_size(json_object_get(block, "cards")) == 0) {
        (void)json_array_remove(w->page->blocks, last);
    }
}

static const json_t *current_phase(const json_t *plan)
{
    const json_t *phases = json_object_get(plan, "phases");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        if (strcmp(reha_json_string(json_array_get(phases, i), "state", ""), "current") == 0) {
            return json_array_get(phases, i);
        }
    }
    return NULL;
}

/* Whom else to see: the same day, or at some time. */
static void add_referrals(writer *w, json_t *block, const json_t *plan, bool is_today)
{
    const json_t *all = json_object_get(plan, "referrals");
    json_t *lines = json_array();
    w->page->failed |= lines == NULL;
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *line = json_array_get(all, i);
        if (json_is_true(json_object_get(line, "today")) == is_today) {
            append(w, lines, json_incref(line));
        }
    }
    add_lines_of(w, block, lines);
    json_decref(lines);
}

static void write_alarm(writer *w, const json_t *plan)
{
    const json_t *flags = json_object_get(plan, "red_flags");
    const bool is_stopped = strcmp(reha_json_string(plan, "status", ""), "doctor-today") == 0;
    json_t *block = NULL;
    if (is_stopped) {
        block = add_block(w, "alarm", "page.go-today");
        for (size_t i = 0; i < json_array_size(flags); i++) {
            const json_t *flag = json_array_get(flags, i);
            if (strcmp(reha_json_string(flag, "state", ""), "present") == 0) {
                add_line(w, block, word(w, reha_json_string(flag, "patient", "")));
            }
        }
        add_line(w, block, word(w, "page.no-exercises"));
    }
    if (!is_stopped) {
        block = add_block(w, "alarm", "page.go-today");
        add_referrals(w, block, plan, true);
        drop_if_empty(w, block);
    }
    block = add_block(w, is_stopped ? "section" : "alarm", "page.stop-if");
    for (size_t i = 0; i < json_array_size(flags); i++) {
        add_line(w, block, word(w, reha_json_string(json_array_get(flags, i), "patient", "")));
    }
}

/* Small numbers keep one digit behind the point where they have one; 56.3 points are 56 to a patient. */
static void write_number(double value, char *out, size_t out_bytes)
{
    const bool is_whole = fabs(value - round(value)) < 0.05 || fabs(value) >= 20.0;
    (void)snprintf(out, out_bytes, is_whole ? "%.0f" : "%.1f", value);
}

static void write_goals(writer *w, const json_t *plan, const json_t *phase)
{
    char text[LINE_BYTES];
    char date[40];
    json_t *block = add_block(w, "section", "page.goals");
    const json_t *own = json_object_get(plan, "own_goals");
    const json_t *goals = json_object_get(phase, "goals");
    for (size_t i = 0; i < json_array_size(own); i++) {
        const char *const pairs[] = {"activity", reha_json_string(json_array_get(own, i), "activity", ""),
                                     NULL};
        fill(word(w, "goal.activity"), pairs, text, sizeof text);
        add_line(w, block, text);
    }
    for (size_t i = 0; i < json_array_size(goals); i++) {
        const json_t *goal = json_array_get(goals, i);
        char target[24];
        char now[24] = "?";
        const char *key = json_string_value(json_object_get(goal, "patient"));
        if (strcmp(reha_json_string(goal, "state", ""), "removed") == 0) {
            continue;
        }
        if (json_object_get(goal, "kept") != NULL) { /* a clinician's own words */
            add_line(w, block, reha_json_string(goal, "text", ""));
            continue;
        }
        write_number(reha_json_number(goal, "target", 0.0), target, sizeof target);
        if (json_is_number(json_object_get(goal, "now"))) {
            write_number(reha_json_number(goal, "now", 0.0), now, sizeof now);
        }
        write_date(w, reha_json_string(goal, "by", ""), date, sizeof date);
        const char *const pairs[] = {"now", now, "target", target, "date", date, NULL};
        if (strcmp(reha_json_string(goal, "state", ""), "reached") == 0) {
            key = "goal.reached";
        }
        if (key != NULL) {
            fill(word(w, key), pairs, text, sizeof text);
            if (strcmp(reha_json_string(goal, "state", ""), "overdue") == 0) {
                const size_t used = strlen(text);
                (void)snprintf(text + used, sizeof text - used, " %s", word(w, "goal.late"));
            }
            add_line(w, block, text);
        }
    }
    drop_if_empty(w, block);
}

/* ---- Exercises ---- */

static void add_dose_part(writer *w, const json_t *dose, const char *member, const char *key, char *out,
                          size_t out_bytes)
{
    char number[24];
    char part[120];
    if (!json_is_number(json_object_get(dose, member))) {
        return;
    }
    (void)snprintf(number, sizeof number, "%.0f",
                   reha_json_number(dose, member, 0.0)); /* an edit may hold anything */
    const char *const pairs[] = {"n", number, NULL};
    fill(word(w, key), pairs, part, sizeof part);
    const size_t used = strlen(out);
    (void)snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? " " : "", part);
}

static void write_dose(writer *w, const json_t *dose, char *out, size_t out_bytes)
{
    const double days = reha_json_number(dose, "days_per_week", 0.0);
    const bool has_many_sets = reha_json_number(dose, "sets", 1.0) > 1.0;
    const bool has_one = reha_json_number(dose, "repetitions", 2.0) < 2.0;
    out[0] = '\0';
    add_dose_part(w, dose, "repetitions", has_one ? "dose.once" : "dose.times", out, out_bytes);
    add_dose_part(w, dose, "hold_s", "dose.hold", out, out_bytes);
    if (has_many_sets) {
        add_dose_part(w, dose, "sets", "dose.sets", out, out_bytes);
    }
    add_dose_part(w, dose, "minutes", "dose.minutes", out, out_bytes);
    if (reha_json_number(dose, "times_per_day", 1.0) > 1.0) {
        add_dose_part(w, dose, "times_per_day", "dose.per-day", out, out_bytes);
    }
    add_dose_part(w, dose, "days_per_week", days > 6.5 ? "dose.every-day" : "dose.per-week", out, out_bytes);
    add_dose_part(w, dose, "effort_0_10", "dose.effort", out, out_bytes);
    add_dose_part(w, dose, "percent_1rm", "dose.heavy", out, out_bytes);
}

static void add_card(writer *w, json_t *cards, const json_t *line)
{
    char key[100];
    char dose[LINE_BYTES];
    const char *exercise = json_string_value(json_object_get(line, "exercise"));
    const bool is_own_line =
        json_object_get(line, "kept") != NULL && /* more than the exercise's name */
        strcmp(reha_json_string(line, "text", ""), reha_json_string(line, "title", "")) != 0;
    const bool has_own_words = json_object_get(json_object_get(line, "generated"), "text") != NULL ||
                               exercise == NULL || is_own_line;
    json_t *card = json_object();
    if (exercise != NULL) {
        (void)snprintf(key, sizeof key, "exercise.%.60s.name", exercise);
        put(w, card, "name", json_string(word(w, key)));
        (void)snprintf(key, sizeof key, "exercise.%.60s.how", exercise);
        put(w, card, "how", json_string(word(w, key)));
    } else {
        put(w, card, "name", json_string(word(w, "page.from-therapist")));
        put(w, card, "how", json_string(""));
    }
    write_dose(w, json_object_get(line, "dose"), dose, sizeof dose);
    put(w, card, "figure", json_string(reha_json_string(line, "figure", "")));
    put(w, card, "dose", reha_json_text(dose));
    put(w, card, "note", reha_json_text(has_own_words ? reha_json_string(line, "text", "") : ""));
    append(w, cards, card);
}

static void write_exercises(writer *w, const json_t *phase)
{
    json_t *block = add_block(w, "cards", "page.exercises");
    json_t *cards = json_array();
    const json_t *lines = json_object_get(phase, "exercises");
    put(w, block, "cards", cards);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (strcmp(reha_json_string(line, "state", "active"), "removed") != 0) {
            add_card(w, cards, line);
        }
    }
    drop_if_empty(w, block);
}

static void write_scale(writer *w)
{
    json_t *block = add_block(w, "scale", "page.pain-scale");
    add_line(w, block, word(w, "scale.green"));
    add_line(w, block, word(w, "scale.yellow"));
    add_line(w, block, word(w, "scale.red"));
}

/* ---- The page ---- */

static void write_next(writer *w, const json_t *plan)
{
    char text[LINE_BYTES];
    char date[40];
    const json_t *phases = json_object_get(plan, "phases");
    const json_t *imaging = json_object_get(plan, "imaging");
    const json_t *again = json_object_get(plan, "reassess");
    json_t *block = add_block(w, "section", "page.next");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const json_t *phase = json_array_get(phases, i);
        if (strcmp(reha_json_string(phase, "state", ""), "later") == 0) {
            add_line(w, block, word(w, reha_json_string(phase, "patient", "")));
            break;
        }
    }
    if (json_is_object(imaging) && json_string_value(json_object_get(imaging, "patient")) != NULL) {
        add_line(w, block, word(w, reha_json_string(imaging, "patient", "")));
    }
    write_date(w, reha_json_string(again, "date", ""), date, sizeof date);
    if (date[0] != '\0') {
        const char *const pairs[] = {"date", date, NULL};
        fill(word(w, "page.see-again"), pairs, text, sizeof text);
        add_line(w, block, text);
    }
    drop_if_empty(w, block);
}

static void write_facts(writer *w, const json_t *plan, const json_t *phase, bool is_stopped)
{
    char key[80];
    char text[LINE_BYTES];
    char date[40];
    const char *side = reha_json_string(plan, "side", "none");
    (void)snprintf(key, sizeof key, "condition.%.48s", reha_json_string(plan, "condition", ""));
    const char *condition = word(w, key);
    (void)snprintf(key, sizeof key, "side.%.16s", side);
    write_date(w, reha_json_string(plan, "date", ""), date, sizeof date);
    const char *const pairs[] = {"condition", condition, "side", word(w, key), "date", date, NULL};
    fill(word(w, "page.subtitle"), pairs, text, sizeof text);
    put(w, w->page->facts, "title", json_string(word(w, is_stopped ? "page.title-stop" : "page.title")));
    put(w, w->page->facts, "subtitle", reha_json_text(text));
    const char *moved = json_string_value(json_object_get(json_object_get(plan, "current"), "patient"));
    (void)snprintf(text, sizeof text, "%s%s%s",
                   word(w, is_stopped ? "page.intro-stop" : reha_json_string(phase, "patient", "")),
                   moved != NULL && !is_stopped ? " " : "",
                   moved != NULL && !is_stopped ? word(w, moved) : "");
    put(w, w->page->facts, "intro", reha_json_text(text));
    put(w, w->page->facts, "footer", json_string(word(w, "page.footer")));
    const bool is_reviewed = json_is_true(json_object_get(plan, "reviewed"));
    put(w, w->page->facts, "draft", json_string(is_reviewed ? "" : word(w, "page.draft")));
}

/* What to mind and what to leave, and where else help comes from. */
static void write_cautions(writer *w, const json_t *plan)
{
    json_t *block = add_block(w, "section", "page.care");
    add_lines_of(w, block, json_object_get(plan, "blocks"));
    add_lines_of(w, block, json_object_get(plan, "precautions"));
    drop_if_empty(w, block);
    block = add_block(w, "section", "page.better-not");
    add_lines_of(w, block, json_object_get(plan, "avoid"));
    drop_if_empty(w, block);
    block = add_block(w, "section", "page.other-help");
    add_referrals(w, block, plan, false);
    drop_if_empty(w, block);
}

static void write_page(writer *w, const json_t *plan)
{
    const json_t *phase = current_phase(plan);
    const char *status = reha_json_string(plan, "status", "");
    const bool is_stopped = strcmp(status, "doctor-today") == 0;
    json_t *block = NULL;
    write_facts(w, plan, phase, is_stopped);
    write_alarm(w, plan);
    if (is_stopped) {
        return; /* the doctor comes first; all the rest would only distract */
    }
    if (strcmp(status, "ask-first") == 0) {
        block = add_block(w, "section", "page.before");
        add_line(w, block, word(w, "page.before-ask"));
    }
    write_goals(w, plan, phase);
    write_exercises(w, phase);
    write_scale(w);
    block = add_block(w, "section", "page.good");
    add_lines_of(w, block, json_object_get(phase, "advice"));
    drop_if_empty(w, block);
    write_cautions(w, plan);
    write_next(w, plan);
}

static reha_status load_member(const char *folder, const char *name, const char *member, json_t **out,
                               reha_error *err)
{
    json_t *file = NULL;
    char *path = reha_path_join(folder, name);
    *out = NULL;
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_load(path, &file, err);
    reha_free(path);
    REHA_TRY(status);
    *out = json_incref(json_object_get(file, member));
    json_decref(file);
    return json_is_object(*out) ? REHA_OK
                                : reha_fail(err, REHA_E_FORMAT, "%s: '%s' must be an object", name, member);
}

static reha_status check_language(const char *language, reha_error *err)
{
    const size_t length = strspn(language, "abcdefghijklmnopqrstuvwxyz-");
    if (length < 2 || length > LANGUAGE_LENGTH_MAX || language[length] != '\0') {
        return reha_fail(err, REHA_E_ARG, "language '%.20s' must be a code like en or pt-br", language);
    }
    return REHA_OK;
}

reha_status reha_plan_page_make_(const json_t *plan, const char *guidelines_folder, const char *language,
                                 plan_page *out, reha_error *err)
{
    reha_status status = REHA_OK;
    char name[40];
    writer w = {.page = out};
    *out = (plan_page){.words = NULL};
    REHA_TRY(check_language(language, err));
    (void)snprintf(name, sizeof name, "text/%s.json", language);
    REHA_CHECK(load_member(guidelines_folder, name, "text", &out->words, err));
    REHA_CHECK(load_member(guidelines_folder, "figures.json", "figures", &out->figures, err));
    out->blocks = json_array();
    out->facts = json_object();
    out->failed = out->blocks == NULL || out->facts == NULL;
    write_page(&w, plan);
    if (w.missing[0] != '\0') {
        status = reha_fail(err, REHA_E_FORMAT, "%s: the text '%s' is missing", name, w.missing);
    } else if (out->failed) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the patient's page");
    }
done:
    if (status != REHA_OK) {
        reha_plan_page_clear_(out);
    }
    return status;
}

void reha_plan_page_clear_(plan_page *page)
{
    json_decref(page->words);
    json_decref(page->figures);
    json_decref(page->blocks);
    json_decref(page->facts);
    *page = (plan_page){.words = NULL};
}

reha_status reha_plan_patient_text(const json_t *plan, const char *guidelines_folder, const char *language,
                                   char **out, reha_error *err)
{
    plan_page page;
    reha_text text = {0};
    *out = NULL;
    REHA_TRY(reha_plan_page_make_(plan, guidelines_folder, language, &page, err));
    reha_text_addf(&text, "%s\n", reha_json_string(page.facts, "intro", ""));
    for (size_t i = 0; i < json_array_size(page.blocks); i++) {
        const json_t *block = json_array_get(page.blocks, i);
        const json_t *lines = json_object_get(block, "lines");
        const json_t *cards = json_object_get(block, "cards");
        for (size_t k = 0; k < json_array_size(lines); k++) {
            reha_text_addf(&text, "%s\n", json_string_value(json_array_get(lines, k)));
        }
        for (size_t k = 0; k < json_array_size(cards); k++) {
            const json_t *card = json_array_get(cards, k);
            reha_text_addf(&text, "%s\n%s\n%s\n", reha_json_string(card, "how", ""),
                           reha_json_string(card, "dose", ""), reha_json_string(card, "note", ""));
        }
    }
    reha_plan_page_clear_(&page);
    return reha_text_take(&text, out, err);
}
