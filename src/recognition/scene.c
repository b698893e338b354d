/* The gate as a model: its networks opened, one look at a picture, and what `analyse --task gate` tells. */
#include "recognition/scene.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/knee_gate.h"
#include "recognition/scene_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- names ---- */

static const struct {
    const char *name, *text;
} kinds[REHA_SCENE_KINDS] = {
    [REHA_SCENE_KNEE] = {"knee", "a frontal radiograph of the knee"},
    [REHA_SCENE_LIMB] = {"limb", "a radiograph of another part of the body (hand, forearm, foot, ...)"},
    [REHA_SCENE_MUSCLE] = {"muscle", "an ultrasound image of a muscle along its fibres"},
    [REHA_SCENE_ECHO] = {"ultrasound", "an ultrasound image, but not of a muscle along its fibres"},
    [REHA_SCENE_SLICE] = {"slice", "a CT or MR slice"},
    [REHA_SCENE_PHOTO] = {"photograph", "a photograph or painting"},
    [REHA_SCENE_PAGE] = {"page", "a page of text, a chart or a screen"},
    [REHA_SCENE_BLANK] = {"blank", "an empty picture or noise"},
};

const char *reha_scene_name(reha_scene_kind kind)
{
    return (int)kind >= 0 && kind < REHA_SCENE_KINDS ? kinds[kind].name : "?";
}

reha_scene_kind reha_scene_find(const char *name)
{
    int k = 0;
    while (k < REHA_SCENE_KINDS && strcmp(kinds[k].name, name) != 0) {
        k++;
    }
    return (reha_scene_kind)k;
}

const char *reha_scene_text(reha_scene_kind kind)
{
    return (int)kind >= 0 && kind < REHA_SCENE_KINDS ? kinds[kind].text : "something else";
}

const char *reha_scene_flaw_name(reha_scene_flaw flaw)
{
    static const char *const names[REHA_SCENE_FLAWS] = {"clear", "blurred", "noisy", "burnt-out", "part"};
    return (int)flaw >= 0 && flaw < REHA_SCENE_FLAWS ? names[flaw] : "?";
}

reha_scene_kind reha_scene_verdict(const reha_scene *scene)
{
    int best = 0;
    for (int k = 1; k < REHA_SCENE_KINDS; k++) {
        best = scene->kinds[k] > scene->kinds[best] ? k : best;
    }
    return (reha_scene_kind)best;
}

double reha_scene_modality_share(const reha_scene *scene, reha_scene_kind kind)
{
    switch (kind) {
    case REHA_SCENE_KNEE:
    case REHA_SCENE_LIMB:
        return scene->kinds[REHA_SCENE_KNEE] + scene->kinds[REHA_SCENE_LIMB];
    case REHA_SCENE_MUSCLE:
    case REHA_SCENE_ECHO:
        return scene->kinds[REHA_SCENE_MUSCLE] + scene->kinds[REHA_SCENE_ECHO];
    default:
        return scene->kinds[kind];
    }
}

/* ---- the network ---- */

static bool fits(const reha_graph *graph)
{
    if (reha_graph_input_count(graph) != 1 || reha_graph_output_count(graph) != REHA_SCENE_OUTPUTS) {
        return false;
    }
    const reha_shape in = reha_graph_node(graph, reha_graph_input(graph, 0))->shape;
    bool is_right = in.rank == 4 && in.dims[1] == REHA_SCENE_CHANNELS && in.dims[2] == REHA_SCENE_SIDE_PX &&
                    in.dims[3] == REHA_SCENE_SIDE_PX;
    for (int i = 0; i < REHA_SCENE_OUTPUTS; i++) {
        const reha_shape out = reha_graph_node(graph, reha_graph_output(graph, i))->shape;
        is_right = is_right && out.rank == 2 && out.dims[1] == reha_scene_output_size((reha_scene_output)i);
    }
    return is_right;
}

reha_status scene_eye_add(scene_eye *eye, const reha_graph *graph, int threads, reha_error *err)
{
    if (!fits(graph)) {
        return reha_fail(err, REHA_E_FORMAT, "no gate network: %d x %d x %d in, %d outputs expected",
                         REHA_SCENE_CHANNELS, REHA_SCENE_SIDE_PX, REHA_SCENE_SIDE_PX, REHA_SCENE_OUTPUTS);
    }
    if (eye->network_count == REHA_SCENE_NETWORKS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "a gate has at most %d networks", REHA_SCENE_NETWORKS_MAX);
    }
    reha_session_options how = reha_session_options_default();
    how.threads = threads;
    REHA_TRY(reha_session_new(graph, &how, &eye->sessions[eye->network_count], err));
    eye->network_count++;
    return REHA_OK;
}

reha_status scene_eye_init(scene_eye *eye, const reha_graph *graph, int threads, reha_error *err)
{
    size_t total = 0;
    *eye = (scene_eye){0};
    for (int i = 0; i < REHA_SCENE_OUTPUTS; i++) {
        total += (size_t)reha_scene_output_size((reha_scene_output)i);
    }
    eye->input = reha_alloc(REHA_SCENE_INPUT * sizeof *eye->input);
    eye->outputs[0] = reha_alloc_zero(total, sizeof *eye->outputs[0]);
    if (eye->input == NULL || eye->outputs[0] == NULL) {
        scene_eye_clear(eye);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the gate");
    }
    for (int i = 1; i < REHA_SCENE_OUTPUTS; i++) {
        eye->outputs[i] = eye->outputs[i - 1] + reha_scene_output_size((reha_scene_output)(i - 1));
    }
    const reha_status status = scene_eye_add(eye, graph, threads, err);
    if (status != REHA_OK) {
        scene_eye_clear(eye);
    }
    return status;
}

static reha_status add_file(scene_eye *eye, const char *folder, const char *file, int threads,
                            reha_error *err)
{
    reha_status status = REHA_OK;
    reha_graph *graph = NULL;
    char *path = reha_path_join(folder, file);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_onnx_load(path, NULL, &graph, err));
    status = eye->network_count == 0 ? scene_eye_init(eye, graph, threads, err)
                                     : scene_eye_add(eye, graph, threads, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
done:
    reha_graph_free(graph);
    reha_free(path);
    return status;
}

reha_status scene_eye_add_further(scene_eye *eye, const reha_scene_card *card, const char *folder,
                                  int threads, reha_error *err)
{
    for (size_t i = 0; i < card->further_count; i++) {
        REHA_TRY(add_file(eye, folder, card->further[i], threads, err));
    }
    return REHA_OK;
}

void scene_eye_clear(scene_eye *eye)
{
    for (size_t i = 0; i < eye->network_count; i++) {
        reha_session_free(eye->sessions[i]);
    }
    reha_free(eye->input);
    reha_free(eye->outputs[0]);
    *eye = (scene_eye){0};
}

/* Adds the probabilities, each with this weight. */
static void add_softened(const float *logits, int count, double weight, double *out)
{
    enum { COUNT_MAX = REHA_SCENE_KINDS };
    double shares[COUNT_MAX];
    double most = (double)logits[0];
    double sum = 0.0;
    for (int i = 1; i < count; i++) {
        most = fmax(most, (double)logits[i]);
    }
    for (int i = 0; i < count; i++) {
        shares[i] = exp((double)logits[i] - most);
        sum += shares[i];
    }
    for (int i = 0; i < count; i++) {
        out[i] += weight * (shares[i] / sum);
    }
}

reha_status scene_eye_look(scene_eye *eye, const reha_gray *work, bool inverted, reha_scene *out,
                           reha_error *err)
{
    double tones[2] = {0.0, 0.0};
    const double weight = 1.0 / (double)eye->network_count;
    *out = (reha_scene){0};
    const float *inputs[1] = {eye->input};
    REHA_TRY(reha_scene_view(work, inverted, eye->input, err));
    for (size_t n = eye->network_count; n-- > 0;) { /* the first comes last: its outputs stay */
        REHA_TRY(reha_session_run(eye->sessions[n], 1, inputs, eye->outputs, err));
        add_softened(eye->outputs[REHA_SCENE_OUT_KIND], REHA_SCENE_KINDS, weight, out->kinds);
        add_softened(eye->outputs[REHA_SCENE_OUT_TURN], REHA_SCENE_TURNS, weight, out->turns);
        add_softened(eye->outputs[REHA_SCENE_OUT_TONE], 2, weight, tones);
        add_softened(eye->outputs[REHA_SCENE_OUT_FLAW], REHA_SCENE_FLAWS, weight, out->flaws);
    }
    out->inverted = tones[1];
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        out->distances[k] = (double)NAN;
    }
    return REHA_OK;
}

reha_status reha_scene_look(reha_model *gate, const reha_gray *image, const reha_acquisition *facts,
                            bool inverted, reha_scene *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *reduced = NULL;
    reha_quality quality;
    reha_grey_scale scale;
    *out = (reha_scene){0};
    REHA_CHECK(reha_scene_reduce(image, &reduced, err));
    const reha_gray *work = reduced != NULL ? reduced : image;
    REHA_CHECK(reha_quality_of_image(work, facts, &quality, &scale, err));
    REHA_CHECK(scene_eye_look(&gate->eye, work, inverted, out, err));
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        out->distances[k] =
            reha_scene_distance(&gate->card, (reha_scene_kind)k, gate->eye.outputs[REHA_SCENE_OUT_FEATURES]);
    }
    out->contrast = quality.values[REHA_STAT_IMAGE_CONTRAST];
    out->shorter_px = image->width_px < image->height_px ? image->width_px : image->height_px;
done:
    reha_gray_free(reduced);
    return status;
}

/* ---- model ---- */

static void close_model(reha_model *model)
{
    if (model != NULL) {
        scene_eye_clear(&model->eye);
        reha_scene_card_clear(&model->card);
        reha_free(model);
    }
}

static reha_status open_model(const reha_model_options *options, reha_model **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_model *model = NULL;
    char *folder = NULL;
    *out = NULL;
    REHA_TRY(reha_model_choose(options, "gate", &folder, err));
    model = reha_alloc_zero(1, sizeof *model);
    if (model == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the model");
        goto done;
    }
    REHA_CHECK(reha_scene_card_load(folder, &model->card, err));
    REHA_CHECK(add_file(&model->eye, folder, model->card.file, options->threads, err));
    REHA_CHECK(scene_eye_add_further(&model->eye, &model->card, folder, options->threads, err));
    *out = model;
    model = NULL;
done:
    reha_free(folder);
    close_model(model);
    return status;
}

/* ---- analyse --task gate ---- */

static void tell(const reha_scene *scene, const reha_gray *image, reha_analysis *analysis)
{
    const reha_scene_kind kind = reha_scene_verdict(scene);
    reha_region *region = &analysis->regions[analysis->region_count++];
    region->is_accepted = true;
    region->certainty = scene->kinds[kind];
    region->profile_unit = "1";
    region->box = (reha_box_px){0.0, 0.0, image->width_px, image->height_px};
    (void)snprintf(region->side_source, sizeof region->side_source, "unknown");
    reha_finding *finding = reha_region_add(region, "picture", "What the picture shows");
    if (finding != NULL) {
        finding->probability = scene->kinds[kind];
        finding->research_only = true;
        (void)snprintf(
            finding->evidence, sizeof finding->evidence,
            "This looks like %s (%.0f %%). Inverted: %.0f %%; upright: %.0f %%; flawless: %.0f %%.",
            reha_scene_text(kind), 100.0 * scene->kinds[kind], 100.0 * scene->inverted,
            100.0 * scene->turns[REHA_SCENE_UPRIGHT], 100.0 * scene->flaws[REHA_SCENE_CLEAR]);
    }
    analysis->is_accepted = true;
}

static reha_status analyse(reha_model *model, const reha_gray *image, const reha_acquisition *acquisition,
                           const reha_analyse_options *options, reha_analysis **out, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    reha_analysis *analysis = NULL;
    reha_scene scene;
    (void)options;
    *out = NULL;
    REHA_TRY(reha_analysis_begin("gate", model->card.name, model->card.version, image, acquisition, &analysis,
                                 err));
    const reha_status status = reha_scene_look(model, image, acquisition, false, &scene, err);
    if (status == REHA_OK) {
        tell(&scene, image, analysis);
    }
    return reha_analysis_end(status, start_ms, analysis, out);
}

static const json_t *card_of(const reha_model *model)
{
    return model->card.json;
}

const reha_recogniser reha_recogniser_gate = {
    .name = "gate",
    .title = "What a picture shows: kind, way up, inversion, flaws; chooses the recogniser",
    .accepts = "any picture",
    .open = open_model,
    .close = close_model,
    .analyse = analyse,
    .card = card_of,
    .train = scene_train,
    .evaluate = scene_evaluate,
    .audit = scene_audit,
};
