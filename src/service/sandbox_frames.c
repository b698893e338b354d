/* Every frame of an ultrasound sequence measured: docs/formats/frames.md. */
#include "service/sandbox_child_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "service/sequence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRAMES_MAX = 240 };
static const char PART[] = "frames.json";
static const char *const keys[] = {"thickness",       "thickness-px",       "pennation",     "fascicle-angle",
                                   "fascicle-length", "fascicle-length-px", "echo-intensity"};
enum { KEYS = sizeof keys / sizeof keys[0] };

typedef struct sequence {
    reha_case *cases; /* owned, with all that is in them */
    int *numbers;     /* owned: all 1, for one file is one sequence */
    size_t count;
    uint32_t step; /* of the file's frames every so many */
    bool is_whole;
} sequence;

static void clear(sequence *at)
{
    for (size_t i = 0; i < at->count; i++) {
        reha_case_clear(&at->cases[i]);
    }
    reha_free(at->cases);
    reha_free(at->numbers);
}

/* Stops early where time runs out: what was measured until then is worth more than a job that was killed. */
static reha_status measure(reha_analyser *analyser, const wire_message *request, uint32_t frame_count,
                           sequence *out, reha_error *err)
{
    const double budget_s = reha_json_number(request->json, "frames_s", 0.0);
    const double end_ms = reha_clock_ms() + 2000.0 * budget_s;
    out->step = (frame_count + FRAMES_MAX - 1) / FRAMES_MAX;
    out->cases = reha_alloc_zero(FRAMES_MAX, sizeof *out->cases);
    out->numbers = reha_alloc_zero(FRAMES_MAX, sizeof *out->numbers);
    if (out->cases == NULL || out->numbers == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %u frames", frame_count);
    }
    for (uint32_t frame_idx = 0; frame_idx < frame_count; frame_idx += out->step) {
        if ((double)clock() / CLOCKS_PER_SEC > budget_s || reha_clock_ms() > end_ms) {
            return REHA_OK;
        }
        reha_analyser_run_bytes_frame(analyser, request->bytes, request->count, "", frame_idx,
                                      &out->cases[out->count]);
        out->numbers[out->count++] = 1;
    }
    out->is_whole = true;
    return REHA_OK;
}

static const reha_finding *find(const reha_case *one, const char *key)
{
    return one->status == REHA_OK && one->analysis->region_count > 0
               ? reha_region_find(&one->analysis->regions[0], key)
               : NULL;
}

/* One measure over all frames; NULL where no frame has it. */
static json_t *measure_json(const sequence *at, const char *key)
{
    const reha_finding *named = NULL;
    json_t *values = json_array();
    json_t *errors = json_array();
    json_t *smoothed = json_array();
    for (size_t i = 0; i < at->count; i++) {
        const reha_finding *finding = find(&at->cases[i], key);
        const double value = finding != NULL ? finding->measure.value : (double)NAN;
        named = isfinite(value) ? finding : named;
        (void)json_array_append_new(values, reha_json_real(value));
        (void)json_array_append_new(errors,
                                    reha_json_real(finding != NULL ? finding->measure.error : (double)NAN));
        (void)json_array_append_new(
            smoothed, reha_json_real(reha_sequence_smoothed(at->cases, at->count, at->numbers, i, key)));
    }
    if (named == NULL) {
        json_decref(values);
        json_decref(errors);
        json_decref(smoothed);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "key", key, "label", named->label, "unit",
                     named->measure.unit, "value", values, "error_95", errors, "smoothed", smoothed);
}

static json_t *frame_json(const reha_case *one)
{
    json_t *points = json_array();
    json_t *notes = json_array();
    const reha_region *region =
        one->status == REHA_OK && one->analysis->region_count > 0 ? &one->analysis->regions[0] : NULL;
    for (int i = 0; region != NULL && i < region->point_count; i++) {
        (void)json_array_append_new(points, json_pack("[f, f]", rint(10.0 * region->points[i].x_px) / 10.0,
                                                      rint(10.0 * region->points[i].y_px) / 10.0));
    }
    for (int i = 0; region != NULL && i < region->note_count; i++) {
        (void)json_array_append_new(notes, reha_json_text(region->notes[i].text));
    }
    for (int i = 0; one->status == REHA_OK && i < one->analysis->note_count; i++) {
        if (one->analysis->notes[i].level >= REHA_NOTE_WARNING) {
            (void)json_array_append_new(notes, reha_json_text(one->analysis->notes[i].text));
        }
    }
    if (one->status != REHA_OK) {
        (void)json_array_append_new(notes, reha_json_text(one->error.text));
    }
    return json_pack("{s:i, s:b, s:o, s:o}", "frame", (int)one->frame_idx + 1, "accepted",
                     reha_case_is_accepted(one) ? 1 : 0, "landmarks_px", points, "notes", notes);
}

static json_t *sequence_json(const sequence *at, uint32_t frame_count)
{
    json_t *measures = json_array();
    json_t *frames = json_array();
    for (size_t k = 0; k < KEYS; k++) {
        json_t *measure = measure_json(at, keys[k]);
        if (measure != NULL) {
            (void)json_array_append_new(measures, measure);
        }
    }
    for (size_t i = 0; i < at->count; i++) {
        (void)json_array_append_new(frames, frame_json(&at->cases[i]));
    }
    return json_pack("{s:s, s:i, s:i, s:b, s:o, s:o}", "schema", "rehascope/frames/1", "frame_count",
                     (int)frame_count, "step", (int)at->step, "complete", at->is_whole ? 1 : 0, "measures",
                     measures, "frames", frames);
}

reha_status sandbox_frames(reha_analyser *analyser, const wire_message *request, uint32_t frame_count,
                           sandbox_reply *reply, reha_error *err)
{
    sequence at = {0};
    json_t *document = NULL;
    char *text = NULL;
    reha_status status = REHA_OK;
    REHA_CHECK(measure(analyser, request, frame_count, &at, err));
    document = sequence_json(&at, frame_count);
    if (document == NULL || (text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(6))) == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the results of %u frames", frame_count);
        goto done;
    }
    status = sandbox_part(reply, PART, text, strlen(text), err);
done:
    free(text); /* allowed: jansson's */
    json_decref(document);
    clear(&at);
    return status;
}
