#include "service/analyse.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/finding_text.h"
#include "service/gatekeeper.h"
#include "service/model_hash.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char DEFAULT_TASK[] = "knee-oa";
static const char GATE_TASK[] = "gate";
static const char ULTRASOUND_TASK[] = "muscle-us";

struct reha_analyser {
    const reha_recogniser *recogniser;
    reha_model *model;
    reha_analyser_options options;
    char model_hash[REHA_DIGEST_TEXT_BYTES];
    reha_gatekeeper *keeper;   /* opened with the first image */
    bool is_gate_missing;      /* not installed: not tried again */
    reha_analyser *ultrasound; /* opened when the first such image comes; NULL before, or with a task given */
    bool is_ultrasound_missing; /* likewise */
};

reha_status reha_models_folder(char **out, reha_error *err)
{
    return reha_folder_beside_program("REHASCOPE_MODELS", "models", out, err);
}

/* What a training that was stopped leaves is no model yet. */
static reha_status check_finished(const char *folder, reha_error *err)
{
    char *card = reha_path_join(folder, "card.json");
    char *checkpoint = reha_path_join(folder, "checkpoint.json");
    const bool has_memory = card != NULL && checkpoint != NULL;
    const bool is_half = has_memory && !reha_path_is_file(card) && reha_path_is_file(checkpoint);
    reha_free(card);
    reha_free(checkpoint);
    return !has_memory ? reha_fail(err, REHA_E_NOMEM, "out of memory for a path")
           : is_half   ? reha_fail(err, REHA_E_NOT_FOUND,
                                   "%s: holds a training that was stopped, not a model: go on with the same "
                                     "'train' command and --resume",
                                   folder)
                       : REHA_OK;
}

reha_status reha_analyser_open(const reha_analyser_options *options, reha_analyser **out, reha_error *err)
{
    reha_status status = REHA_OK;
    char *folder = NULL;
    *out = NULL;
    reha_analyser *analyser = reha_alloc_zero(1, sizeof *analyser);
    if (analyser == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a recogniser");
    }
    const char *task = options->task != NULL ? options->task : DEFAULT_TASK;
    analyser->options = *options;
    analyser->recogniser = reha_recogniser_find(task);
    if (analyser->recogniser == NULL) {
        status = strcmp(task, "t2-map") == 0
                     ? reha_fail(err, REHA_E_NOT_FOUND,
                                 "T2 is measured in a whole series: use 'rehascope t2-map FOLDER'")
                     : reha_fail(err, REHA_E_NOT_FOUND, "no task '%.40s'; see 'rehascope model list'", task);
        goto done;
    }
    reha_model_options how = {.models_folder = options->models_folder,
                              .model_folder = options->model_folder,
                              .threads = options->threads,
                              .with_explanation = options->with_explanation};
    REHA_CHECK(reha_model_choose(&how, task, &folder, err));
    REHA_CHECK(check_finished(folder, err));
    REHA_CHECK(reha_model_hash(folder, analyser->model_hash, err));
    how.model_folder = folder; /* what was hashed is what is opened */
    REHA_CHECK(analyser->recogniser->open(&how, &analyser->model, err));
    *out = analyser;
    analyser = NULL;
done:
    reha_free(folder);
    reha_analyser_close(analyser);
    return status;
}

void reha_analyser_close(reha_analyser *analyser)
{
    if (analyser != NULL) {
        if (analyser->model != NULL) {
            analyser->recogniser->close(analyser->model);
        }
        reha_analyser_close(analyser->ultrasound);
        reha_gatekeeper_free(analyser->keeper);
        reha_free(analyser);
    }
}

const reha_recogniser *reha_analyser_recogniser(const reha_analyser *analyser)
{
    return analyser->recogniser;
}

reha_model *reha_analyser_model(reha_analyser *analyser)
{
    return analyser->model;
}

const char *reha_analyser_model_hash(const reha_analyser *analyser)
{
    return analyser->model_hash;
}

static void add_input_notes(const reha_input *input, reha_analysis *analysis)
{
    for (int i = 0; i < input->warning_count; i++) {
        reha_analysis_note(analysis, REHA_NOTE_WARNING, "file", "%s", input->warnings[i]);
    }
    if (input->frame_count > 1 && strcmp(analysis->task, ULTRASOUND_TASK) == 0) {
        reha_analysis_note(analysis, REHA_NOTE_INFO, "frames", "one of the %u frames of this file",
                           input->frame_count);
    } else if (input->frame_count > 1) {
        reha_analysis_note(analysis, REHA_NOTE_WARNING, "frames",
                           "the file has %u frames; only the first one was analysed", input->frame_count);
    }
}

/* The recogniser for a task that the gate chose: this one, or the one for ultrasound, which is then opened.
 * Where that is not installed this one refuses. */
static reha_status analyser_for(reha_analyser *analyser, const char *task, reha_analyser **out,
                                reha_error *err)
{
    *out = analyser;
    if (analyser->options.task != NULL || strcmp(task, analyser->recogniser->name) == 0) {
        return REHA_OK;
    }
    if (analyser->ultrasound == NULL && !analyser->is_ultrasound_missing) {
        reha_error fault = REHA_ERROR_INIT;
        reha_analyser_options how = analyser->options;
        how.task = task;
        how.model_folder = NULL;
        const reha_status status = reha_analyser_open(&how, &analyser->ultrasound, &fault);
        analyser->is_ultrasound_missing = status == REHA_E_NOT_FOUND;
        if (status != REHA_OK && !analyser->is_ultrasound_missing) {
            return reha_fail(err, status, "%s", fault.text);
        }
    }
    *out = analyser->ultrasound != NULL ? analyser->ultrasound : analyser;
    return REHA_OK;
}

/* By one recogniser; the model's hash is that of the one which answered. */
static reha_status analyse_by(const reha_analyser *analyser, const reha_gray *image, const reha_input *input,
                              reha_analysis **out, reha_error *err)
{
    const reha_analyse_options how = {.with_explanation = analyser->options.with_explanation,
                                      .side_hint = input->side_hint,
                                      .side_source =
                                          input->side_hint != REHA_SIDE_UNKNOWN ? "file name" : NULL,
                                      .allow_switched_off = analyser->options.allow_switched_off};
    REHA_TRY(analyser->recogniser->analyse(analyser->model, image, &input->facts, &how, out, err));
    memcpy((*out)->model_hash, analyser->model_hash, sizeof analyser->model_hash);
    return REHA_OK;
}

static reha_status open_gate(reha_analyser *analyser, reha_error *err)
{
    if (analyser->keeper == NULL && !analyser->is_gate_missing) {
        REHA_TRY(reha_gatekeeper_new(analyser->options.models_folder, analyser->options.threads,
                                     &analyser->keeper, err));
        analyser->is_gate_missing = analyser->keeper == NULL;
    }
    return REHA_OK;
}

/* Without the gate the recogniser's own admission is all there is: said with every result. */
static reha_status analyse_ungated(const reha_analyser *analyser, const reha_input *input,
                                   reha_analysis **out, reha_error *err)
{
    REHA_TRY(analyse_by(analyser, input->image, input, out, err));
    if (analyser->is_gate_missing) {
        reha_analysis_note(
            *out, REHA_NOTE_WARNING, "no-gate",
            "What the picture shows was not checked: the models folder holds no gate. Install models/gate.");
    }
    return REHA_OK;
}

/* What the gate clearly saw is the reason, whatever the recogniser took it for ("prosthesis" for a hand). */
static void name_refusal(reha_analysis *analysis, const reha_note *reason)
{
    int first = 0;
    if (analysis->is_accepted) {
        return;
    }
    analysis->region_count = 0;
    while (first < analysis->note_count && analysis->notes[first].level != REHA_NOTE_REFUSED) {
        first++;
    }
    if (first < analysis->note_count) {
        analysis->notes[first] = *reason;
    } else {
        reha_analysis_note(analysis, reason->level, reason->code, "%s", reason->text);
    }
}

static reha_status analyse_ruled(reha_analyser *analyser, const reha_input *input, const reha_ruling *ruling,
                                 reha_analysis **out, reha_error *err)
{
    reha_analyser *chosen = NULL;
    if (ruling->is_refused) {
        return reha_gatekeeper_refuse(analyser->keeper, ruling, input->image, &input->facts, out, err);
    }
    const reha_gray *image = ruling->turned_over != NULL ? ruling->turned_over : input->image;
    REHA_TRY(analyser_for(analyser, ruling->task, &chosen, err));
    REHA_TRY(analyse_by(chosen, image, input, out, err));
    (*out)->was_inverted = (*out)->was_inverted || (ruling->turned_over != NULL && (*out)->is_accepted);
    if (ruling->names_refusal) {
        name_refusal(*out, &ruling->note);
    } else if (ruling->has_note) {
        reha_analysis_note(*out, ruling->note.level, ruling->note.code, "%s", ruling->note.text);
    }
    return REHA_OK;
}

/* By what the image is, as the gate sees it and the file says; a named task decides whom the gate is asked
 * for. */
static reha_status analyse_input(reha_analyser *analyser, const reha_input *input, reha_analysis **out,
                                 reha_error *err)
{
    reha_ruling ruling = {0};
    const bool asks_gate = strcmp(analyser->recogniser->name, GATE_TASK) == 0;
    REHA_TRY(asks_gate ? REHA_OK : open_gate(analyser, err));
    if (analyser->keeper == NULL) {
        return analyse_ungated(analyser, input, out, err);
    }
    REHA_TRY(reha_gatekeeper_ask(analyser->keeper, input->image, &input->facts, analyser->options.task,
                                 &ruling, err));
    const reha_status status = analyse_ruled(analyser, input, &ruling, out, err);
    reha_ruling_clear(&ruling);
    return status;
}

reha_status reha_analyser_warm(reha_analyser *analyser, const reha_gray *image, reha_error *err)
{
    reha_ruling ruling = {0};
    reha_analyser *each[2] = {analyser, NULL};
    const reha_input input = {.facts = reha_acquisition_unknown()};
    REHA_TRY(open_gate(analyser, err));
    if (analyser->keeper != NULL) {
        REHA_TRY(reha_gatekeeper_ask(analyser->keeper, image, &input.facts, NULL, &ruling, err));
        reha_ruling_clear(&ruling);
    }
    REHA_TRY(analyser_for(analyser, ULTRASOUND_TASK, &each[1], err));
    const size_t count =
        each[1] != analyser ? 2 : 1; /* with a task, or without ultrasound, it is all there is */
    for (size_t i = 0; i < count; i++) {
        reha_analysis *analysis = NULL;
        REHA_TRY(analyse_by(each[i], image, &input, &analysis, err));
        reha_analysis_free(analysis);
    }
    return REHA_OK;
}

/* `input` was read with out->status; its image moves to *out if it is to be kept. */
static void run_input(reha_analyser *analyser, reha_input *input, bool keep_image, reha_case *out)
{
    if (out->status == REHA_OK) {
        if (analyser->options.mm_per_px > 0.0 && !reha_spacing_is_known(input->image->spacing)) {
            input->image->spacing =
                (reha_spacing){analyser->options.mm_per_px, analyser->options.mm_per_px, REHA_SPACING_USER};
        }
        memcpy(out->digest, input->digest, sizeof out->digest);
        out->frame_count = input->frame_count;
        out->status = analyse_input(analyser, input, &out->analysis, &out->error);
    }
    if (out->status == REHA_OK) {
        add_input_notes(input, out->analysis);
        if (keep_image) {
            out->image = input->image;
            input->image = NULL;
        }
    }
    reha_input_clear(input);
}

static bool begin_case(const char *name, reha_case *out)
{
    *out = (reha_case){.error = REHA_ERROR_INIT};
    out->path = reha_strdup(name);
    if (out->path == NULL) {
        out->status = reha_fail(&out->error, REHA_E_NOMEM, "out of memory for a path");
    }
    return out->path != NULL;
}

void reha_analyser_run(reha_analyser *analyser, const char *path, bool keep_image, reha_case *out)
{
    reha_analyser_run_frame(analyser, path, 0, keep_image, out);
}

void reha_analyser_run_frame(reha_analyser *analyser, const char *path, uint32_t frame_idx, bool keep_image,
                             reha_case *out)
{
    const double start_ms = reha_clock_ms();
    reha_input input = {0};
    if (begin_case(path, out)) {
        out->frame_idx = frame_idx;
        out->status = reha_input_load_frame(path, frame_idx, NULL, &input, &out->error);
        run_input(analyser, &input, keep_image, out);
        out->total_ms = reha_clock_ms() - start_ms;
    }
}

void reha_analyser_run_bytes(reha_analyser *analyser, const void *bytes, size_t count, const char *name,
                             bool keep_image, reha_case *out)
{
    const double start_ms = reha_clock_ms();
    reha_input input = {0};
    if (begin_case(name, out)) {
        out->status = reha_input_read(bytes, count, name, NULL, &input, &out->error);
        run_input(analyser, &input, keep_image, out);
        out->total_ms = reha_clock_ms() - start_ms;
    }
}

void reha_analyser_run_bytes_frame(reha_analyser *analyser, const void *bytes, size_t count, const char *name,
                                   uint32_t frame_idx, reha_case *out)
{
    const double start_ms = reha_clock_ms();
    reha_input input = {0};
    if (begin_case(name, out)) {
        out->frame_idx = frame_idx;
        out->status = reha_input_read_frame(bytes, count, name, frame_idx, NULL, &input, &out->error);
        run_input(analyser, &input, false, out);
        out->total_ms = reha_clock_ms() - start_ms;
    }
}

void reha_case_clear(reha_case *result)
{
    reha_free(result->path);
    reha_analysis_free(result->analysis);
    reha_gray_free(result->image);
    *result = (reha_case){.error = REHA_ERROR_INIT};
}

bool reha_case_has_more_frames(const reha_case *first)
{
    return first->status == REHA_OK && first->frame_count > 1 &&
           strcmp(first->analysis->task, ULTRASOUND_TASK) == 0;
}

void reha_case_measure_area(reha_case *one, const reha_outline *outline)
{
    reha_analysis *area = NULL;
    if (one->status != REHA_OK || one->image == NULL) {
        return;
    }
    one->status = reha_muscle_area(one->image, &one->analysis->acquisition, outline, &area, &one->error);
    reha_analysis_free(one->analysis);
    one->analysis = area;
}

bool reha_case_is_accepted(const reha_case *result)
{
    return result->status == REHA_OK && result->analysis->is_accepted;
}

static const reha_note *first_refusal(const reha_note *notes, int count)
{
    for (int i = 0; i < count; i++) {
        if (notes[i].level == REHA_NOTE_REFUSED) {
            return &notes[i];
        }
    }
    return NULL;
}

static void add_measure(reha_text *line, const reha_region *region, const char *key, const char *name)
{
    const reha_finding *finding = reha_region_find(region, key);
    if (finding == NULL || !isfinite(finding->measure.value)) {
        return;
    }
    const bool is_mm = strcmp(finding->measure.unit, "mm") == 0;
    reha_text_addf(line, is_mm ? ", %s %.1f" : ", %s %.3f", name, finding->measure.value);
    if (isfinite(finding->measure.error)) {
        reha_text_addf(line, is_mm ? " ± %.1f" : " ± %.3f", finding->measure.error);
    }
    reha_text_add(line, is_mm ? " mm" : " of plateau width");
}

/* " (scale: calibrated)": no millimetre without where it comes from. */
static void add_scale(reha_text *line, const reha_region *region, const char *key)
{
    const reha_finding *finding = reha_region_find(region, key);
    if (finding != NULL && isfinite(finding->measure.value) && strcmp(finding->measure.unit, "mm") == 0) {
        reha_text_addf(line, " (scale: %s)", finding->measure.source);
    }
}

/* "thickness 21.3 ± 0.9 mm, fascicles 18.2 ± 3.1 deg, ..." */
static void add_muscle(reha_text *line, const reha_region *region)
{
    static const char *const figures[][2] = {{"cross-sectional-area", "cross-sectional area"},
                                             {"thickness", "thickness"},
                                             {"pennation", "pennation"},
                                             {"fascicle-length", "fascicle length"}};
    const char *comma = "";
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        char px_key[40];
        (void)snprintf(px_key, sizeof px_key, "%s-px%s", figures[i][0], i == 0 ? "2" : "");
        const reha_finding *finding = reha_region_find(region, figures[i][0]);
        if (finding != NULL && !isfinite(finding->measure.value)) {
            finding = reha_region_find(region, px_key);
        }
        if (finding != NULL && isfinite(finding->measure.value)) {
            reha_text_addf(line, "%s%s %.1f", comma, figures[i][1], finding->measure.value);
            if (isfinite(finding->measure.error)) {
                reha_text_addf(line, " ± %.1f", finding->measure.error);
            }
            reha_text_addf(line, " %s", finding->measure.unit);
            comma = ", ";
        }
    }
    reha_text_add(line, comma[0] != '\0' ? "" : "nothing could be measured");
    add_scale(line, region, "thickness");
    for (int i = 0; i < region->note_count; i++) {
        if (region->notes[i].level == REHA_NOTE_WARNING) {
            reha_text_addf(line, " [%s]", region->notes[i].code);
        }
    }
}

static void add_region(reha_text *line, const reha_region *region)
{
    if (!region->is_accepted) {
        const reha_note *why = first_refusal(region->notes, region->note_count);
        reha_text_addf(line, "%s knee refused: %s", reha_side_text(region->side),
                       why != NULL ? why->text : "no reason");
        return;
    }
    if (region->side == REHA_SIDE_UNKNOWN) {
        reha_text_add(line, "knee (side unknown): ");
    } else {
        reha_text_addf(line, "%s knee: ", reha_side_text(region->side));
    }
    const reha_finding *grade = reha_region_find(region, "kl-grade");
    char set[REHA_SET_BYTES];
    if (grade != NULL && grade->grade >= 0) {
        reha_text_addf(line, "KL %d (%.0f %%", grade->grade,
                       100.0 * grade->class_probabilities[grade->grade]);
        reha_set_text(grade->set_coverage, grade->set_low, grade->set_high, set);
        reha_text_addf(line, "; %s)", set);
    }
    const reha_finding *oa = reha_region_find(region, "oa");
    if (oa != NULL) {
        char percent[REHA_PERCENT_BYTES];
        reha_percent_text(oa->probability, percent);
        reha_text_addf(line, ", osteoarthritis %s", percent);
    }
    add_measure(line, region, "jsw-min", "narrowest joint space");
    add_scale(line, region, "jsw-min");
}

/* "2 boxes of high specificity (best 41 %), 3 more of high sensitivity" */
static void add_fractures(reha_text *line, const reha_region *region)
{
    int solid = 0;
    double best = 0.0;
    for (int i = 0; i < region->finding_count; i++) {
        solid += strncmp(region->findings[i].key, "fracture-", 9) == 0 ? 1 : 0;
        best = fmax(best, region->findings[i].probability);
    }
    if (region->finding_count == 0) {
        reha_text_add(line, "no box; that excludes nothing");
    } else {
        reha_text_addf(line, "%d of high specificity, %d more of high sensitivity; the surest %.0f %%", solid,
                       region->finding_count - solid, 100.0 * best);
    }
}

static void add_bone(reha_text *line, const reha_region *region)
{
    const reha_finding *bone = reha_region_find(region, "low-bone-density");
    if (bone != NULL) {
        reha_text_addf(line, "normal %.0f %%, osteopenia %.0f %%, osteoporosis %.0f %%; excludes nothing",
                       100.0 * bone->class_probabilities[0], 100.0 * bone->class_probabilities[1],
                       100.0 * bone->class_probabilities[2]);
    }
}

/* "1 region (43 % of the thickness), any injury 88 %, grade proposal 2 (90 % set: 2 to 3)" */
static void add_injury(reha_text *line, const reha_region *region)
{
    const reha_finding *first = reha_region_find(region, "lesion-1");
    const reha_finding *grade = reha_region_find(region, "muscle-injury-grade");
    int count = 0;
    for (int i = 0; i < region->finding_count; i++) {
        count += region->findings[i].has_region ? 1 : 0;
    }
    if (first == NULL) {
        reha_text_add(line, "no region marked; that excludes nothing");
    } else {
        reha_text_addf(line, "%d region%s marked (the surest: %.0f %% of the thickness)", count,
                       count == 1 ? "" : "s", first->measure.value);
    }
    if (grade != NULL && grade->grade >= 0) {
        char set[REHA_SET_BYTES];
        reha_set_text(grade->set_coverage, grade->set_low, grade->set_high, set);
        reha_text_addf(line, ", any injury %.0f %%, grade proposal %d (%s)", 100.0 * grade->probability,
                       grade->grade, set);
    }
    for (int i = 0; i < region->note_count; i++) {
        if (region->notes[i].level == REHA_NOTE_WARNING) {
            reha_text_addf(line, " [%s]", region->notes[i].code);
        }
    }
}

reha_status reha_case_line(const reha_case *result, char **out, reha_error *err)
{
    reha_text line = {0};
    if (reha_case_has_more_frames(result)) {
        reha_text_addf(&line, "frame %u: ", result->frame_idx + 1);
    }
    if (result->status != REHA_OK) {
        reha_text_addf(&line, "not analysed: %s", result->error.text);
        return reha_text_take(&line, out, err);
    }
    const reha_analysis *analysis = result->analysis;
    const reha_note *refusal = first_refusal(analysis->notes, analysis->note_count);
    if (analysis->region_count == 0 || (!analysis->is_accepted && refusal != NULL)) {
        reha_text_addf(&line, "refused: %s", refusal != NULL ? refusal->text : "nothing was recognised");
        return reha_text_take(&line, out, err);
    }
    for (int i = 0; i < analysis->region_count; i++) {
        reha_text_add(&line, i > 0 ? "; " : "");
        if (strcmp(analysis->task, ULTRASOUND_TASK) == 0) {
            reha_text_add(&line, "muscle: ");
            add_muscle(&line, &analysis->regions[i]);
        } else if (strcmp(analysis->task, "fracture") == 0) {
            reha_text_add(&line, "research only, fracture boxes: ");
            add_fractures(&line, &analysis->regions[i]);
        } else if (strcmp(analysis->task, "bone-density") == 0) {
            reha_text_add(&line, "research only, bone density by texture: ");
            add_bone(&line, &analysis->regions[i]);
        } else if (strcmp(analysis->task, "muscle-injury") == 0) {
            reha_text_add(&line, "research only, simulated-lesion detector: ");
            add_injury(&line, &analysis->regions[i]);
        } else if (strcmp(analysis->task, GATE_TASK) == 0) {
            const reha_finding *picture = reha_region_find(&analysis->regions[i], "picture");
            reha_text_add(&line, picture != NULL ? picture->evidence : "nothing to tell");
        } else {
            add_region(&line, &analysis->regions[i]);
        }
    }
    if (analysis->was_inverted) {
        reha_text_add(&line, " [photometric inversion corrected]");
    }
    return reha_text_take(&line, out, err);
}

reha_status reha_case_to_json(const reha_case *result, json_t **out, reha_error *err)
{
    json_t *analysis = NULL;
    *out = NULL;
    if (result->status != REHA_OK) {
        *out = json_pack("{s:o, s:i, s:b, s:{s:s, s:o}}", "path", reha_json_text(result->path), "frame",
                         (int)result->frame_idx + 1, "ok", 0, "error", "code",
                         reha_status_name(result->status), "text", reha_json_text(result->error.text));
    } else {
        REHA_TRY(reha_analysis_to_json(result->analysis, &analysis, err));
        *out = json_pack("{s:o, s:i, s:s, s:b, s:f, s:o}", "path", reha_json_text(result->path), "frame",
                         (int)result->frame_idx + 1, "sha256", result->digest, "ok",
                         reha_case_is_accepted(result) ? 1 : 0, "total_ms", result->total_ms, "analysis",
                         analysis);
    }
    return *out != NULL
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "%s: the result cannot be written as JSON", result->path);
}
