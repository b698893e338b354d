/* `rehascope deidentify`: copies for research. Nothing is printed that names a person: files by number. */
#include "app/commands.h"
#include "app/terminal.h"
#include "base/text.h"
#include "service/deidentify.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct deidentify_arguments {
    const char *key;
    const char *list;
    const char *blank;
    bool shift_dates;
    bool keep_device;
    bool accept_burned_in;
    bool blank_outside_regions;
    bool json;
} deidentify_arguments;

static const app_option deidentify_options[] = {
    {"key", APP_TEXT, "FILE",
     "keeps pseudonyms, UIDs and shifts the same from run to run; made if absent; stays in the clinic",
     offsetof(deidentify_arguments, key), 0, 0},
    {"shift-dates", APP_FLAG, NULL, "days moved back, by one number per patient (default: removed)",
     offsetof(deidentify_arguments, shift_dates), 0, 0},
    {"keep-device", APP_FLAG, NULL, "manufacturer and model stay",
     offsetof(deidentify_arguments, keep_device), 0, 0},
    {"blank", APP_TEXT, "X,Y,W,H", "paint these pixels black in every frame; several boxes: X,Y,W,H;X,Y,W,H",
     offsetof(deidentify_arguments, blank), 0, 0},
    {"blank-outside-regions", APP_FLAG, NULL, "ultrasound: black outside of the regions that the file names",
     offsetof(deidentify_arguments, blank_outside_regions), 0, 0},
    {"accept-burned-in", APP_FLAG, NULL, "take pixels as they are: somebody looked and saw no name",
     offsetof(deidentify_arguments, accept_burned_in), 0, 0},
    {"list", APP_TEXT, "F.csv", "IDENTIFYING: which file became which copy; for the clinic alone",
     offsetof(deidentify_arguments, list), 0, 0},
    {"json", APP_FLAG, NULL, "the report as JSON on standard output", offsetof(deidentify_arguments, json), 0,
     0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

/* "x,y,w,h;x,y,w,h" */
static bool parse_boxes(const char *text, reha_deid_options *rules)
{
    while (*text != '\0') {
        double numbers[4];
        for (int i = 0; i < 4; i++) {
            char one[16];
            const size_t length = strcspn(text, ",;");
            if (length == 0 || length >= sizeof one || (i < 3 && text[length] != ',')) {
                return false;
            }
            memcpy(one, text, length);
            one[length] = '\0';
            if (!reha_parse_double(one, true, &numbers[i]) || numbers[i] < 0.0) {
                return false;
            }
            text += length;
            if (i < 3) {
                text++;
            }
        }
        if (rules->blank_count == REHA_DEID_BLANKS_MAX || *text == ',') {
            return false;
        }
        rules->blanks[rules->blank_count++] = (reha_box_px){numbers[0], numbers[1], numbers[2], numbers[3]};
        text += *text == ';' ? 1 : 0;
    }
    return rules->blank_count > 0;
}

static int count_of(const json_t *report, const char *name)
{
    return (int)reha_json_number(json_object_get(report, "counts"), name, 0.0);
}

static void print_refused(const json_t *report)
{
    const json_t *files = json_object_get(report, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        if (strcmp(reha_json_string(file, "outcome", ""), "refused") == 0) {
            (void)fprintf(stderr, "rehascope deidentify: file %d: %s\n",
                          (int)reha_json_number(file, "no", 0.0), reha_json_string(file, "reason", ""));
        }
    }
}

static int print_report(const deidentify_arguments *given, const json_t *report, const char *out)
{
    const int done = count_of(report, "done");
    const int refused = count_of(report, "refused");
    print_refused(report);
    if (given->json) {
        const int code = app_print_json(report);
        return code != EXIT_DONE ? code : refused > 0 || done == 0 ? EXIT_INPUT : EXIT_DONE;
    }
    (void)printf(
        "%d de-identified (%d patients), %d copies of those, %d passed over, %d refused: %s/deidentified.json\n",
        done, count_of(report, "patients"), count_of(report, "duplicates"), count_of(report, "passed_over"),
        refused, out);
    if (given->key == NULL && done > 0) {
        (void)printf("Without --key nothing links these copies to earlier or later ones.\n");
    }
    if (given->blank_outside_regions && given->blank == NULL && done > 0) {
        (void)printf(
            "Text inside of ultrasound regions stays: look at the copies before they are handed out.\n");
    }
    if (refused > 0 && given->list == NULL) {
        (void)printf(
            "Files are numbered in the order of their sorted paths; --list F.csv writes which is which.\n");
    }
    return refused > 0 || done == 0 ? EXIT_INPUT : EXIT_DONE;
}

static int run_deidentify(const app_command *command, int argc, char **argv)
{
    deidentify_arguments given = {0};
    const char *words[2];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    json_t *report = NULL;
    int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    const reha_progress progress = app_progress();
    reha_deidentify_options options = {.key_path = given.key,
                                       .list_path = given.list,
                                       .rules = {.shifts_dates = given.shift_dates,
                                                 .keeps_device = given.keep_device,
                                                 .accepts_burned_in = given.accept_burned_in,
                                                 .blanks_outside_regions = given.blank_outside_regions},
                                       .progress = &progress};
    if (given.blank != NULL && !parse_boxes(given.blank, &options.rules)) {
        return app_wrong_use(command,
                             "--blank: boxes are X,Y,W,H in pixels, up to %d of them with ';' "
                             "between",
                             REHA_DEID_BLANKS_MAX);
    }
    const reha_status status = reha_deidentify(words[0], words[1], &options, &report, &err);
    app_progress_end();
    code = status != REHA_OK ? app_fail(status, &err) : print_report(&given, report, words[1]);
    json_decref(report);
    return code;
}

const app_command app_deidentify = {
    .name = "deidentify",
    .arguments = "IN OUT",
    .summary = "copies for research: no names, new numbers, pixels unchanged",
    .example = "rehascope deidentify /media/cdrom study/ --key clinic.key --shift-dates",
    .options = deidentify_options,
    .words_min = 2,
    .words_max = 2,
    .run = run_deidentify};
