#include "service/sequence.h"

#include "base/csv.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_HALF = 2, SEQUENCE_MIN = 3, DIGITS_MAX = 15 };

static const char *const columns[] = {"fascicle-angle",
                                      "superficial-aponeurosis-angle",
                                      "deep-aponeurosis-angle",
                                      "pennation",
                                      "thickness-px",
                                      "thickness",
                                      "fascicle-length-px",
                                      "fascicle-length",
                                      "fascicle-length-extrapolated",
                                      "echo-intensity"};
static const char *const headers[] = {"fascicle_angle_deg",
                                      "superficial_aponeurosis_angle_deg",
                                      "deep_aponeurosis_angle_deg",
                                      "pennation_deg",
                                      "thickness_px",
                                      "thickness_mm",
                                      "fascicle_length_px",
                                      "fascicle_length_mm",
                                      "fascicle_length_extrapolated",
                                      "echo_intensity"};
enum { COLUMNS = sizeof columns / sizeof columns[0], SMOOTHED = 8 /* the first ones */ };

/* "scan_012.png": the number before the extension and where its digits begin; false if there is none. */
static bool number_of(const char *path, size_t *digits_at, long long *number)
{
    const char *name = reha_path_name(path);
    const char *dot = strrchr(name, '.');
    const char *end = dot != NULL ? dot : name + strlen(name);
    const char *first = end;
    while (first > name && isdigit((unsigned char)first[-1])) {
        first--;
    }
    if (first == end || end - first > DIGITS_MAX) {
        return false;
    }
    *digits_at = (size_t)(first - path);
    *number = strtoll(first, NULL, 10);
    return true;
}

static bool is_measured(const reha_case *one)
{
    return one->status == REHA_OK && strcmp(one->analysis->task, "muscle-us") == 0;
}

static bool follows(const reha_case *before, const reha_case *here)
{
    size_t at[2];
    long long number[2];
    if (!is_measured(before) || !is_measured(here) ||
        before->analysis->width_px != here->analysis->width_px ||
        before->analysis->height_px != here->analysis->height_px) {
        return false;
    }
    if (strcmp(before->path, here->path) == 0) {
        return here->frame_idx == before->frame_idx + 1;
    }
    return number_of(before->path, &at[0], &number[0]) && number_of(here->path, &at[1], &number[1]) &&
           at[0] == at[1] && strncmp(before->path, here->path, at[0]) == 0 && number[1] == number[0] + 1;
}

void reha_sequence_number(const reha_case *cases, size_t count, int *numbers)
{
    int sequence = 0;
    for (size_t first = 0; first < count;) {
        size_t end = first + 1;
        while (end < count && follows(&cases[end - 1], &cases[end])) {
            end++;
        }
        const bool is_one = end - first >= SEQUENCE_MIN;
        sequence += is_one ? 1 : 0;
        for (size_t i = first; i < end; i++) {
            numbers[i] = is_one ? sequence : 0;
        }
        first = end;
    }
}

double reha_sequence_value(const reha_case *one, const char *key)
{
    if (!is_measured(one) || one->analysis->region_count == 0) {
        return (double)NAN;
    }
    const reha_finding *finding = reha_region_find(&one->analysis->regions[0], key);
    return finding != NULL ? finding->measure.value : (double)NAN;
}

/* Median of what was measured in up to five neighbours of the same sequence. */
double reha_sequence_smoothed(const reha_case *cases, size_t count, const int *numbers, size_t index,
                              const char *key)
{
    double values[2 * WINDOW_HALF + 1];
    size_t used = 0;
    if (numbers[index] == 0) {
        return (double)NAN;
    }
    for (int k = -WINDOW_HALF; k <= WINDOW_HALF; k++) {
        const size_t at = index + (size_t)k;
        if ((k < 0 && index < (size_t)-k) || at >= count || numbers[at] != numbers[index]) {
            continue;
        }
        const double value = reha_sequence_value(&cases[at], key);
        size_t place = used;
        if (!isfinite(value)) {
            continue;
        }
        for (; place > 0 && values[place - 1] > value; place--) {
            values[place] = values[place - 1];
        }
        values[place] = value;
        used++;
    }
    return used == 0 ? (double)NAN : 0.5 * (values[(used - 1) / 2] + values[used / 2]);
}

static void add_number(reha_text *table, double value)
{
    if (isfinite(value)) {
        reha_text_addf(table, ",%.6g", value);
    } else {
        reha_text_add(table, ",");
    }
}

static void add_notes(reha_text *table, const reha_case *one)
{
    reha_text notes = {0};
    if (one->status == REHA_OK) {
        const reha_analysis *analysis = one->analysis;
        for (int i = 0; i < analysis->note_count; i++) {
            reha_text_addf(&notes, "%s%s", notes.length > 0 ? " " : "", analysis->notes[i].code);
        }
        for (int r = 0; r < analysis->region_count; r++) {
            for (int i = 0; i < analysis->regions[r].note_count; i++) {
                reha_text_addf(&notes, "%s%s", notes.length > 0 ? " " : "",
                               analysis->regions[r].notes[i].code);
            }
        }
    } else {
        reha_text_add(&notes, one->error.text);
    }
    reha_text_add(table, ",");
    reha_csv_add_field(table, notes.data != NULL ? notes.data : "");
    table->failed = table->failed || notes.failed;
    reha_text_clear(&notes);
}

static void add_row(reha_text *table, const reha_case *cases, size_t count, const int *numbers, size_t index)
{
    const reha_case *one = &cases[index];
    reha_csv_add_field(table, one->path);
    reha_text_addf(table, ",%u,", one->frame_idx + 1);
    if (numbers[index] > 0) {
        reha_text_addf(table, "%d", numbers[index]);
    }
    reha_text_add(table, reha_case_is_accepted(one) ? ",1" : ",0");
    for (size_t c = 0; c < COLUMNS; c++) {
        add_number(table, reha_sequence_value(one, columns[c]));
    }
    for (size_t c = 0; c < SMOOTHED; c++) {
        add_number(table, reha_sequence_smoothed(cases, count, numbers, index, columns[c]));
    }
    add_notes(table, one);
    reha_text_add(table, "\n");
}

reha_status reha_sequence_table(const reha_case *cases, size_t count, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_text table = {0};
    char *written = NULL;
    int *numbers = reha_alloc_zero(count + 1, sizeof *numbers);
    if (numbers == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu results", count);
    }
    reha_sequence_number(cases, count, numbers);
    reha_text_add(&table, "path,frame,sequence,ok");
    for (size_t c = 0; c < COLUMNS; c++) {
        reha_text_addf(&table, ",%s", headers[c]);
    }
    for (size_t c = 0; c < SMOOTHED; c++) {
        reha_text_addf(&table, ",%s_smoothed", headers[c]);
    }
    reha_text_add(&table, ",notes\n");
    for (size_t i = 0; i < count; i++) {
        add_row(&table, cases, count, numbers, i);
    }
    REHA_CHECK(reha_text_take(&table, &written, err));
    status = reha_file_save(path, written, strlen(written), err);
done:
    reha_text_clear(&table);
    reha_free(written);
    reha_free(numbers);
    return status;
}
