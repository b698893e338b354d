#include "app/commands.h"
#include "app/terminal.h"
#include "base/memory.h"
#include "rehab/plan.h"
#include "service/plan_pdf.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct plan_arguments {
    const char *input;
    const char *previous;
    const char *report;
    const char *patient;
    const char *guidelines;
    const char *language;
    bool json;
    bool why;
} plan_arguments;

static const app_option plan_options[] = {
    {"input", APP_TEXT, "F.json", "the patient's facts (docs/formats/plan.md)",
     offsetof(plan_arguments, input), 0, 0},
    {"previous", APP_TEXT, "P.json",
     "the last plan, with a clinician's edits: they are kept, changes are shown",
     offsetof(plan_arguments, previous), 0, 0},
    {"json", APP_FLAG, NULL, "the plan as JSON on standard output", offsetof(plan_arguments, json), 0, 0},
    {"why", APP_FLAG, NULL, "every line with its rule, source and facts; all rules that were judged",
     offsetof(plan_arguments, why), 0, 0},
    {"report", APP_TEXT, "F.pdf", "write the plan for the clinician", offsetof(plan_arguments, report), 0, 0},
    {"patient", APP_TEXT, "F.pdf", "write the page for the patient", offsetof(plan_arguments, patient), 0, 0},
    {"language", APP_TEXT, "L", "of the patient's page (default: en)", offsetof(plan_arguments, language), 0,
     0},
    {"guidelines", APP_TEXT, "DIR", "the rule base (default: beside the program)",
     offsetof(plan_arguments, guidelines), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

/* ---- On the terminal ---- */

static void print_cause(const json_t *line, const char *indent)
{
    const json_t *source = json_object_get(line, "source");
    const json_t *because = json_object_get(line, "because");
    const double year = reha_json_number(source, "year", 0.0);
    (void)printf("%srule %s; %s", indent, reha_json_string(line, "rule", ""),
                 reha_json_string(line, "strength", "no strength printed"));
    (void)printf("; %s%s%s", reha_json_string(source, "title", ""),
                 reha_json_string(source, "section", NULL) != NULL ? ", " : "",
                 reha_json_string(source, "section", ""));
    if (year > 0.0) {
        (void)printf(" (%.0f)", year);
    }
    if (strcmp(reha_json_string(source, "read", ""), "secondary") == 0) {
        (void)printf("; read in a secondary source, verify");
    }
    (void)printf("\n%sbecause", indent);
    for (size_t i = 0; i < json_array_size(because); i++) {
        (void)printf("%s %s", i > 0 ? ";" : "", reha_json_string(json_array_get(because, i), "text", ""));
    }
    (void)printf("\n");
}

/* What became of a line: left out by a clinician; a goal that has moved, was reached or is overdue. */
static void print_standing(const json_t *line)
{
    const char *state = reha_json_string(line, "state", "");
    const double now = reha_json_number(line, "now", (double)NAN);
    const bool has_moved = now != reha_json_number(line, "baseline", now);
    if (strcmp(state, "removed") == 0) {
        (void)printf(" (left out)");
    } else if (json_object_get(line, "measure") != NULL && (strcmp(state, "open") != 0 || has_moved)) {
        if (isfinite(now)) {
            (void)printf(" (now %.4g; %s)", now, state);
        } else {
            (void)printf(" (%s)", state);
        }
    }
}

static void print_line(const json_t *line, bool why)
{
    const char *dose = reha_json_string(json_object_get(line, "dose"), "text", "");
    const char *reason = reha_json_string(json_object_get(line, "edited"), "reason", NULL);
    (void)printf("  - %s%s%s", reha_json_string(line, "text", ""), dose[0] != '\0' ? " " : "", dose);
    print_standing(line);
    (void)printf("\n");
    if (reason != NULL) {
        (void)printf("      edited by %s: %s\n",
                     reha_json_string(json_object_get(line, "edited"), "by", "a clinician"), reason);
    }
    if (why && reha_json_string(line, "why", NULL) != NULL) {
        (void)printf("      %s (%s)\n", reha_json_string(line, "why", ""),
                     reha_json_string(line, "state", ""));
    }
    if (why) {
        print_cause(line, "      ");
    }
}

static void print_list(const json_t *lines, const char *title, bool why)
{
    if (json_array_size(lines) > 0) {
        (void)printf("%s\n", title);
    }
    for (size_t i = 0; i < json_array_size(lines); i++) {
        print_line(json_array_get(lines, i), why);
    }
}

static void print_red_flags(const json_t *flags, bool why)
{
    (void)printf("Red flags\n");
    for (size_t i = 0; i < json_array_size(flags); i++) {
        const json_t *flag = json_array_get(flags, i);
        const char *state = reha_json_string(flag, "state", "");
        (void)printf("  [%s] %s\n", state, reha_json_string(flag, "text", ""));
        if (why && strcmp(state, "present") == 0) {
            print_cause(flag, "      ");
        }
    }
}

static void print_questions(const json_t *questions)
{
    if (json_array_size(questions) > 0) {
        (void)printf("To ask or measure\n");
    }
    for (size_t i = 0; i < json_array_size(questions); i++) {
        const json_t *one = json_array_get(questions, i);
        (void)printf("  - %s (%s.%s)%s, for %s\n", reha_json_string(one, "text", ""),
                     reha_json_string(one, "section", ""), reha_json_string(one, "fact", ""),
                     json_is_true(json_object_get(one, "safety")) ? ": needed for safety" : "",
                     reha_json_string(one, "for", ""));
    }
}

static const json_t *find_current(const json_t *phases)
{
    for (size_t i = 0; i < json_array_size(phases); i++) {
        if (strcmp(reha_json_string(json_array_get(phases, i), "state", ""), "current") == 0) {
            return json_array_get(phases, i);
        }
    }
    return NULL;
}

/* Of a later phase, what it adds to the current one. */
static void print_new(const json_t *phase, const json_t *current, const char *list, const char *title,
                      bool why)
{
    const json_t *lines = json_object_get(phase, list);
    const json_t *known = phase != current ? json_object_get(current, list) : NULL;
    bool has_title = false;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        bool is_known = false;
        for (size_t k = 0; k < json_array_size(known); k++) {
            is_known = is_known || strcmp(reha_json_string(json_array_get(known, k), "line", ""),
                                          reha_json_string(line, "line", "")) == 0;
        }
        if (!is_known) {
            (void)printf("%s%s", has_title ? "" : title, has_title ? "" : "\n");
            has_title = true;
            print_line(line, why);
        }
    }
}

static void print_phase(const json_t *phase, const json_t *current, bool why)
{
    const json_t *criteria = json_object_get(json_object_get(phase, "advance"), "all_of");
    const char *state = reha_json_string(phase, "state", "");
    (void)printf("\nPhase: %s (%s)\n", reha_json_string(phase, "title", ""), state);
    if (strcmp(state, "done") == 0) {
        return;
    }
    print_new(phase, current, "goals", " Goals", why);
    print_new(phase, current, "exercises", " Exercises", why);
    print_new(phase, current, "advice", " Advice", why);
    if (json_array_size(criteria) > 0) {
        (void)printf(" Next phase when\n");
    }
    for (size_t i = 0; i < json_array_size(criteria); i++) {
        const json_t *one = json_array_get(criteria, i);
        (void)printf("  - %s (%s)\n", reha_json_string(one, "text", ""), reha_json_string(one, "state", ""));
    }
}

static void print_withheld(const json_t *withheld)
{
    if (json_array_size(withheld) > 0) {
        (void)printf("\nWithheld\n");
    }
    for (size_t i = 0; i < json_array_size(withheld); i++) {
        const json_t *one = json_array_get(withheld, i);
        (void)printf("  - %s\n      %s (rule %s)\n", reha_json_string(one, "text", ""),
                     reha_json_string(one, "why", ""), reha_json_string(one, "by", ""));
    }
}

static void print_judgements(const json_t *list)
{
    (void)printf("\nRules that were judged\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        (void)printf("  %-9s %-44s %s\n", reha_json_string(one, "met", ""), reha_json_string(one, "rule", ""),
                     reha_json_string(one, "criteria", ""));
    }
}

static void print_plan(const json_t *plan, bool why)
{
    const json_t *phases = json_object_get(plan, "phases");
    const char *side = reha_json_string(plan, "side", "none");
    const bool has_side = strcmp(side, "none") != 0;
    (void)printf("Plan of %s: %s%s%s%s. Status: %s. Not reviewed: a clinician decides.\n",
                 reha_json_string(plan, "date", ""),
                 reha_json_string(json_object_get(plan, "guideline"), "title", ""), has_side ? ", " : "",
                 has_side ? side : "",
                 !has_side                   ? ""
                 : strcmp(side, "both") == 0 ? " sides"
                                             : " side",
                 reha_json_string(plan, "status", ""));
    print_red_flags(json_object_get(plan, "red_flags"), why);
    print_questions(json_object_get(plan, "questions"));
    print_list(json_object_get(plan, "changes"), "Changed since the last plan", false);
    for (size_t i = 0; i < json_array_size(phases); i++) {
        print_phase(json_array_get(phases, i), find_current(phases), why);
    }
    print_withheld(json_object_get(plan, "withheld"));
    (void)printf("\n");
    print_list(json_object_get(plan, "precautions"), "Take care", why);
    print_list(json_object_get(plan, "blocks"), "Blocked", why);
    print_list(json_object_get(plan, "avoid"), "What not to do", why);
    print_list(json_object_get(plan, "referrals"), "Referral", why);
    (void)printf("Imaging (%s)\n", reha_json_string(json_object_get(plan, "imaging"), "need", "no advice"));
    print_line(json_object_get(plan, "imaging"), why);
    (void)printf("Next visit: %s\n", reha_json_string(json_object_get(plan, "reassess"), "date", ""));
    for (size_t i = 0; i < json_array_size(json_object_get(plan, "notes")); i++) {
        (void)printf("Note: %s\n", json_string_value(json_array_get(json_object_get(plan, "notes"), i)));
    }
    if (why) {
        print_judgements(json_object_get(plan, "why"));
    }
}

/* ---- The command ---- */

static reha_status make_plan(const plan_arguments *given, const char *folder, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_guideline *guideline = NULL;
    json_t *previous = NULL;
    reha_plan_input *input = reha_alloc_zero(1, sizeof *input);
    if (input == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the input");
    }
    REHA_CHECK(reha_guideline_load(folder, &guideline, err));
    REHA_CHECK(reha_plan_input_load(given->input, &guideline->facts, input, err));
    if (given->previous != NULL) {
        REHA_CHECK(reha_plan_load(given->previous, &previous, err));
    }
    const reha_plan_request request = {
        .guideline = guideline, .input = input, .previous = previous, .why = given->why};
    status = reha_plan_make(&request, out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", given->input);
    }
done:
    json_decref(previous);
    reha_guideline_free(guideline);
    reha_free(input);
    return status;
}

static reha_status write_pages(const plan_arguments *given, const char *folder, const json_t *plan,
                               reha_error *err)
{
    if (given->report != NULL) {
        REHA_TRY(reha_plan_report_pdf(plan, given->report, err));
    }
    if (given->patient != NULL) {
        REHA_TRY(reha_plan_patient_pdf(plan, folder, given->language != NULL ? given->language : "en",
                                       given->patient, err));
    }
    return REHA_OK;
}

static int run_plan(const app_command *command, int argc, char **argv)
{
    plan_arguments given = {0};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    json_t *plan = NULL;
    char *folder = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.input == NULL) {
        return app_wrong_use(command, "--input is needed");
    }
    reha_status status = given.guidelines == NULL ? reha_guidelines_folder(&folder, &err) : REHA_OK;
    const char *rules = given.guidelines != NULL ? given.guidelines : folder;
    if (status == REHA_OK) {
        status = make_plan(&given, rules, &plan, &err);
    }
    if (status == REHA_OK) {
        status = write_pages(&given, rules, plan, &err);
    }
    if (status != REHA_OK) {
        code = app_fail(status, &err);
    } else if (given.json) {
        code = app_print_json(plan);
    } else {
        print_plan(plan, given.why);
        code = EXIT_DONE;
    }
    json_decref(plan);
    reha_free(folder);
    return code;
}

const app_command app_plan = {.name = "plan",
                              .arguments = "--input F.json",
                              .summary = "a rehabilitation plan with reasons and sources",
                              .example = "rehascope plan --input patient.json --patient page.pdf --why",
                              .options = plan_options,
                              .words_min = 0,
                              .words_max = 0,
                              .run = run_plan};
