/* Fracture detection: a research demonstration. It answers only when it is asked by name, shows boxes and no
 * verdict on the picture, and says on every result what it was trained on. */
#include "recognition/fracture.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/fracture_priv.h"
#include "recognition/fracture_train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double CHROMA_MAX = 0.02; /* share of coloured pixels: annotations yes, photographs no */
enum { SHORT_SIDE_MIN_PX = 96, FOUND_MAX = 24 };

/* ---- model ---- */

static reha_status check_graph(const reha_graph *graph, const reha_fracture_view *view, const char *file,
                               reha_error *err)
{
    static const int64_t channels[2] = {1, REHA_FRACTURE_MAPS};
    const int64_t cells = view->side_px / REHA_FRACTURE_STRIDE_PX;
    bool fits = reha_graph_input_count(graph) == 1 && reha_graph_output_count(graph) == 2;
    if (fits) {
        const reha_shape in = reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
        fits = in.rank == 4 && in.dims[1] == REHA_FRACTURE_CHANNELS && in.dims[2] == view->side_px &&
               in.dims[3] == view->side_px;
    }
    for (int i = 0; fits && i < 2; i++) {
        const reha_shape out = reha_graph_node(graph, reha_graph_output(graph, i))->shape;
        fits = out.rank == 4 && out.dims[1] == channels[i] && out.dims[2] == cells && out.dims[3] == cells;
    }
    return fits ? REHA_OK
                : reha_fail(err, REHA_E_FORMAT, "%s: not a detector of %d x %d px as the card says", file,
                            view->side_px, view->side_px);
}

reha_status reha_fracture_open_network_(const reha_model *model, const char *file,
                                        reha_fracture_detector *out, reha_error *err)
{
    reha_graph *graph = NULL;
    char *path = reha_path_join(model->folder, file);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_onnx_load(path, NULL, &graph, err);
    if (status == REHA_OK) {
        status = check_graph(graph, &model->card.view, file, err);
    }
    if (status == REHA_OK) {
        status = reha_fracture_detector_init(out, graph, &model->card.view, model->threads,
                                             model->card.precision, err);
    }
    reha_graph_free(graph);
    reha_free(path);
    return status;
}

static void close_model(reha_model *model)
{
    if (model != NULL) {
        reha_fracture_detector_clear(&model->detector);
        reha_fracture_card_clear(&model->card);
        reha_free(model->folder);
        reha_free(model);
    }
}

static reha_status open_model(const reha_model_options *options, reha_model **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_model *model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
    }
    model->threads = options->threads;
    REHA_CHECK(reha_model_choose(options, "fracture", &model->folder, err));
    REHA_CHECK(reha_fracture_card_load(model->folder, &model->card, err));
    status = reha_fracture_open_network_(model, model->card.file, &model->detector, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "model %s", model->folder);
        goto done;
    }
    *out = model;
    model = NULL;
done:
    close_model(model);
    return status;
}

static const json_t *card_of(const reha_model *model)
{
    return model->card.json;
}

/* ---- the gate: what cannot be a radiograph is refused; what lies outside of the training is named ---- */

static bool is_radiograph(const char *modality)
{
    static const char *const kinds[] = {"", "CR", "DX", "RF", "RG", "XA", "OT", "SC"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(modality, kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_refused(const reha_gray *image, reha_analysis *analysis)
{
    const reha_acquisition *facts = &analysis->acquisition;
    const uint32_t shorter = image->width_px < image->height_px ? image->width_px : image->height_px;
    if (!is_radiograph(facts->modality)) {
        reha_analysis_note(analysis, REHA_NOTE_REFUSED, "not-a-radiograph",
                           "Not analysed: the file says modality %s; this recogniser reads radiographs only.",
                           facts->modality);
    } else if (facts->chroma_fraction > CHROMA_MAX) {
        reha_analysis_note(analysis, REHA_NOTE_REFUSED, "not-a-radiograph",
                           "Not analysed: %.0f %% of the picture is coloured, so it is no radiograph.",
                           100.0 * facts->chroma_fraction);
    } else if (shorter < SHORT_SIDE_MIN_PX) {
        reha_analysis_note(analysis, REHA_NOTE_REFUSED, "too-small",
                           "Not analysed: %u x %u px; at least %d px are needed to see a fracture line.",
                           image->width_px, image->height_px, SHORT_SIDE_MIN_PX);
    } else {
        return false;
    }
    return true;
}

static void note_limits(const reha_fracture_card *card, reha_analysis *analysis)
{
    const json_t *training = json_object_get(card->json, "training");
    const reha_operating_point *sensitive = &card->points[REHA_FRACTURE_SENSITIVE];
    const reha_operating_point *specific = &card->points[REHA_FRACTURE_SPECIFIC];
    reha_analysis_note(
        analysis, REHA_NOTE_WARNING, "research-only",
        "Research demonstration, trained on %.0f pictures: boxes for people who study detectors, for no "
        "decision about a patient. No box does not mean no fracture.",
        reha_json_number(training, "images", 0.0));
    reha_analysis_note(
        analysis, REHA_NOTE_INFO, "operating-points",
        "Solid (high specificity): score %.2f or more, found %.0f %% of drawn fractures at %.1f false boxes "
        "per picture. Dotted (high sensitivity): %.2f or more, %.0f %% at %.1f. Cross-validated.",
        specific->score_min, 100.0 * specific->sensitivity, specific->false_positives, sensitive->score_min,
        100.0 * sensitive->sensitivity, sensitive->false_positives);
    reha_analysis_note(
        analysis, REHA_NOTE_INFO, "boxes-only",
        "Probabilities are of single boxes. None is given for the picture as a whole: that would need "
        "normal radiographs from the same source.");
}

/* ---- findings ---- */

static void add_box(const reha_fracture_card *card, const reha_gray *image, const reha_found *found,
                    int number, reha_region *region)
{
    char key[40];
    const bool is_solid = found->score >= card->points[REHA_FRACTURE_SPECIFIC].score_min;
    const double probability = reha_fracture_probability(card, found->score);
    (void)snprintf(key, sizeof key, is_solid ? "fracture-%d" : "possible-fracture-%d", number);
    reha_finding *finding = reha_region_add(region, key,
                                            is_solid ? "Fracture, high specificity (solid box)"
                                                     : "Possible fracture, high sensitivity (dotted box)");
    if (finding == NULL) {
        return;
    }
    finding->code = (reha_code){"http://snomed.info/sct", "125605004", "Fracture of bone"};
    finding->probability = probability;
    finding->research_only = true;
    finding->has_region = true;
    finding->region = (reha_box_px){found->box.x0 * image->width_px, found->box.y0 * image->height_px,
                                    (found->box.x1 - found->box.x0) * image->width_px,
                                    (found->box.y1 - found->box.y0) * image->height_px};
    (void)snprintf(
        finding->evidence, sizeof finding->evidence,
        "Box %d, score %.2f: of boxes with such scores, %.0f in 100 overlapped a fracture that a reader had "
        "drawn. It reaches the %s threshold (%.2f).",
        number, found->score, 100.0 * probability, is_solid ? "high specificity" : "high sensitivity",
        card->points[is_solid ? REHA_FRACTURE_SPECIFIC : REHA_FRACTURE_SENSITIVE].score_min);
}

static void fill_region(const reha_fracture_card *card, const reha_gray *image, const reha_found *found,
                        size_t count, reha_analysis *analysis)
{
    reha_region *region = &analysis->regions[analysis->region_count++];
    int number = 0;
    region->is_accepted = true;
    region->certainty = (double)NAN; /* asked by name: no gate has judged what it is */
    region->side = analysis->acquisition.side;
    (void)snprintf(region->side_source, sizeof region->side_source, "%s",
                   region->side != REHA_SIDE_UNKNOWN ? "DICOM" : "unknown");
    region->profile_unit = "1";
    region->box = (reha_box_px){0.0, 0.0, image->width_px, image->height_px};
    for (size_t i = 0; i < count; i++) {
        if (found[i].score >= card->points[REHA_FRACTURE_SENSITIVE].score_min) {
            add_box(card, image, &found[i], ++number, region);
        }
    }
    if (number == 0) {
        reha_region_note(
            region, REHA_NOTE_INFO, "no-box",
            "No box reaches the high sensitivity threshold. That excludes nothing: in cross-validation "
            "%.0f %% of drawn fractures were missed there.",
            100.0 - 100.0 * card->points[REHA_FRACTURE_SENSITIVE].sensitivity);
    }
    analysis->is_accepted = true;
}

static reha_status run_analysis(reha_model *model, const reha_gray *image, reha_analysis *analysis,
                                reha_error *err)
{
    reha_found found[FOUND_MAX];
    size_t count = 0;
    reha_error fault = REHA_ERROR_INIT;
    if (is_refused(image, analysis)) {
        return REHA_OK;
    }
    const reha_status status = reha_fracture_detect(&model->detector, image, found, &count, &fault);
    if (status == REHA_E_REFUSED) {
        reha_analysis_note(analysis, REHA_NOTE_REFUSED, "blank", "Not analysed: %s.", fault.text);
        return REHA_OK;
    }
    if (status != REHA_OK) {
        return reha_fail(err, status, "%s", fault.text);
    }
    note_limits(&model->card, analysis);
    fill_region(&model->card, image, found, count, analysis);
    return REHA_OK;
}

static reha_status analyse(reha_model *model, const reha_gray *image, const reha_acquisition *acquisition,
                           const reha_analyse_options *options, reha_analysis **out, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    reha_analysis *analysis = NULL;
    (void)options;
    *out = NULL;
    REHA_TRY(reha_analysis_begin("fracture", model->card.name, model->card.version, image, acquisition,
                                 &analysis, err));
    const reha_status status = run_analysis(model, image, analysis, err);
    return reha_analysis_end(status, start_ms, analysis, out);
}

const reha_recogniser reha_recogniser_fracture = {
    .name = "fracture",
    .title = "Fractures: boxes on radiographs of the limbs (research only)",
    .accepts = "radiographs of the limbs, whole; only when asked for by name",
    .open = open_model,
    .close = close_model,
    .analyse = analyse,
    .card = card_of,
    .train = reha_fracture_train,
    .evaluate = reha_fracture_evaluate_,
    .calibrate = reha_fracture_calibrate_,
    .audit = reha_fracture_audit_,
};
