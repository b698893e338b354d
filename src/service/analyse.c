#include "service/analyse.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/digest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char DEFAULT_TASK[] = "knee-oa";
enum { PATH_BYTES = 4096, MODEL_FILES_MAX = 64 };

/* Which recogniser an image is handed to when no task was named and the knee's gate says what it is instead. */
static const char ULTRASOUND_TASK[] = "muscle-us";
static const char ULTRASOUND_CODE[] = "ultrasound";
static const char ULTRASOUND_MODALITY[] = "US";
static const double CLEAR_MUSCLE = 0.8; /* muscles have more; of other pictures hardly any */

struct reha_analyser {
    const reha_recogniser *recogniser;
    reha_model *model;
    reha_analyser_options options;
    char model_hash[REHA_DIGEST_TEXT_BYTES];
    reha_analyser *ultrasound;  /* opened when the first such image comes; NULL before, or with a task given */
    bool is_ultrasound_missing; /* its model is not installed: not tried again */
};

reha_status reha_models_folder(char **out, reha_error *err)
{
    static const char *const beside[] = {"../models", "../share/rehascope/models", "models"};
    char program[PATH_BYTES];
    const char *chosen = getenv("REHASCOPE_MODELS");
    *out = NULL;
    if (chosen != NULL && chosen[0] != '\0') {
        *out = reha_strdup(chosen);
        return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        char *folder = reha_path_join(program, beside[i]);
        if (folder != NULL && reha_path_is_folder(folder)) {
            *out = folder;
            return REHA_OK;
        }
        reha_free(folder);
    }
    return reha_fail(err, REHA_E_NOT_FOUND,
                     "no models folder beside the program: set REHASCOPE_MODELS or give --models DIR");
}

/* Files of the model in sorted order: the hash names the model exactly. */
static reha_status hash_model(const char *folder, char out[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    const char *names[MODEL_FILES_MAX];
    size_t count = 0;
    reha_paths files = {0};
    REHA_TRY(reha_folder_list(folder, MODEL_FILES_MAX, &files, err));
    for (size_t i = 0; i < files.count; i++) {
        const char *name = files.items[i] + strlen(folder);
        name += *name == '/' ? 1 : 0;
        if (reha_str_ends_nocase(name, ".onnx") || reha_str_ends_nocase(name, ".json")) {
            names[count++] = name;
        }
    }
    const reha_status status = reha_digest_files(folder, names, count, out, err);
    reha_paths_clear(&files);
    return status;
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
                     ? reha_fail(err, REHA_E_NOT_FOUND, "T2 is measured in a whole series: use 'rehascope t2-map FOLDER'")
                     : reha_fail(err, REHA_E_NOT_FOUND, "no task '%.40s'; see 'rehascope model list'", task);
        goto done;
    }
    reha_model_options how = {.models_folder = options->models_folder,
                              .model_folder = options->model_folder,
                              .threads = options->threads,
                              .with_explanation = options->with_explanation};
    REHA_CHECK(reha_model_choose(&how, task, &folder, err));
    REHA_CHECK(hash_model(folder, analyser->model_hash, err));
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
        reha_analysis_note(analysis, REHA_NOTE_INFO, "frames", "one of the %u frames of this file", input->frame_count);
    } else if (input->frame_count > 1) {
        reha_analysis_note(analysis, REHA_NOTE_WARNING, "frames",
                           "the file has %u frames; only the first one was analysed", input->frame_count);
    }
}

static bool has_note(const reha_note *notes, int count, const char *code)
{
    for (int i = 0; i < count; i++) {
        if (notes[i].level == REHA_NOTE_REFUSED && strcmp(notes[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_refused_as_ultrasound(const reha_analysis *analysis)
{
    bool found = has_note(analysis->notes, analysis->note_count, ULTRASOUND_CODE);
    for (int i = 0; i < analysis->region_count; i++) {
        found = found || has_note(analysis->regions[i].notes, analysis->regions[i].note_count, ULTRASOUND_CODE);
    }
    return found && !analysis->is_accepted;
}

/* Both aponeuroses beyond doubt: what the knee's gate took for something else, a picture with much text around it say,
 * is an ultrasound image all the same. */
static bool is_clear_muscle(const reha_analysis *analysis)
{
    return analysis->is_accepted && analysis->region_count == 1 && analysis->regions[0].profile_is_thickness &&
           analysis->regions[0].certainty >= CLEAR_MUSCLE;
}

/* The recogniser for ultrasound, or NULL where its model is not installed or a task was named. */
static reha_analyser *ultrasound_analyser(reha_analyser *analyser)
{
    if (analyser->options.task != NULL || analyser->options.model_folder != NULL || analyser->is_ultrasound_missing) {
        return NULL;
    }
    if (analyser->ultrasound == NULL) {
        reha_analyser_options how = analyser->options;
        how.task = ULTRASOUND_TASK;
        analyser->is_ultrasound_missing = reha_analyser_open(&how, &analyser->ultrasound, NULL) != REHA_OK;
    }
    return analyser->ultrasound;
}

/* By one recogniser; the model's hash is that of the one which answered. */
static reha_status analyse_by(const reha_analyser *analyser, const reha_input *input, reha_analysis **out,
                              reha_error *err)
{
    const reha_analyse_options how = {.with_explanation = analyser->options.with_explanation,
                                      .side_hint = input->side_hint,
                                      .side_source = input->side_hint != REHA_SIDE_UNKNOWN ? "file name" : NULL,
                                      .allow_switched_off = analyser->options.allow_switched_off};
    REHA_TRY(analyser->recogniser->analyse(analyser->model, input->image, &input->facts, &how, out, err));
    memcpy((*out)->model_hash, analyser->model_hash, sizeof analyser->model_hash);
    return REHA_OK;
}

/* By what the image is: the file's modality first, then the picture as the gate sees it. */
static reha_status analyse_input(reha_analyser *analyser, const reha_input *input, reha_analysis **out, reha_error *err)
{
    const bool says_ultrasound = strcmp(input->facts.modality, ULTRASOUND_MODALITY) == 0;
    const reha_analyser *other = says_ultrasound ? ultrasound_analyser(analyser) : NULL;
    if (other != NULL) {
        return analyse_by(other, input, out, err);
    }
    REHA_TRY(analyse_by(analyser, input, out, err));
    if ((*out)->is_accepted || (other = ultrasound_analyser(analyser)) == NULL) {
        return REHA_OK;
    }
    reha_analysis *second = NULL;
    REHA_TRY(analyse_by(other, input, &second, err));
    const bool takes_second = is_refused_as_ultrasound(*out) || is_clear_muscle(second);
    reha_analysis_free(takes_second ? *out : second);
    *out = takes_second ? second : *out;
    return REHA_OK;
}

/* `input` was read with out->status; its image moves to *out if it is to be kept. */
static void run_input(reha_analyser *analyser, reha_input *input, bool keep_image, reha_case *out)
{
    if (out->status == REHA_OK) {
        if (analyser->options.mm_per_px > 0.0 && !reha_spacing_is_known(input->image->spacing)) {
            input->image->spacing = (reha_spacing){analyser->options.mm_per_px, analyser->options.mm_per_px,
                                                   REHA_SPACING_USER};
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

void reha_analyser_run_bytes(reha_analyser *analyser, const void *bytes, size_t count, const char *name, bool keep_image,
                             reha_case *out)
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
    return first->status == REHA_OK && first->frame_count > 1 && strcmp(first->analysis->task, ULTRASOUND_TASK) == 0;
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
        reha_text_addf(line, "%s knee refused: %s", reha_side_text(region->side), why != NULL ? why->text : "no reason");
        return;
    }
    if (region->side == REHA_SIDE_UNKNOWN) {
        reha_text_add(line, "knee (side unknown): ");
    } else {
        reha_text_addf(line, "%s knee: ", reha_side_text(region->side));
    }
    const reha_finding *grade = reha_region_find(region, "kl-grade");
    if (grade != NULL && grade->grade >= 0) {
        reha_text_addf(line, "KL %d (%.0f %%", grade->grade, 100.0 * grade->class_probabilities[grade->grade]);
        if (grade->set_low == grade->set_high) {
            reha_text_addf(line, "; %.0f %% set: %d)", 100.0 * grade->set_coverage, grade->set_low);
        } else {
            reha_text_addf(line, "; %.0f %% set: %d to %d)", 100.0 * grade->set_coverage, grade->set_low,
                           grade->set_high);
        }
    }
    const reha_finding *oa = reha_region_find(region, "oa");
    if (oa != NULL) {
        reha_text_addf(line, ", osteoarthritis %.0f %%", 100.0 * oa->probability);
    }
    add_measure(line, region, "jsw-min", "narrowest joint space");
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
        reha_text_addf(line, "%d region%s marked (the surest: %.0f %% of the thickness)", count, count == 1 ? "" : "s",
                       first->measure.value);
    }
    if (grade != NULL && grade->grade >= 0) {
        reha_text_addf(line, ", any injury %.0f %%, grade proposal %d (%.0f %% set: %d to %d)", 100.0 * grade->probability,
                       grade->grade, 100.0 * grade->set_coverage, grade->set_low, grade->set_high);
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
                         reha_case_is_accepted(result) ? 1 : 0, "total_ms", result->total_ms, "analysis", analysis);
    }
    return *out != NULL ? REHA_OK
                        : reha_fail(err, REHA_E_NOMEM, "%s: the result cannot be written as JSON", result->path);
}
