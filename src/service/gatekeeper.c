#include "service/gatekeeper.h"

#include "base/clock.h"
#include "base/memory.h"
#include "image/statistics.h"
#include "recognition/scene.h"
#include "recognition/scene_admit.h"
#include "recognition/scene_tissue.h"
#include "service/analyse.h"
#include "service/model_hash.h"

#include <stdio.h>
#include <string.h>

static const char MUSCLE_TASK[] = "muscle-us";

struct reha_gatekeeper {
    reha_model *gate;
    char hash[REHA_DIGEST_TEXT_BYTES];
};

reha_status reha_gatekeeper_new(const char *models_folder, int threads, reha_gatekeeper **out,
                                reha_error *err)
{
    reha_status status = REHA_OK;
    reha_error fault = REHA_ERROR_INIT;
    char *models = NULL;
    char *folder = NULL;
    reha_gatekeeper *keeper = NULL;
    *out = NULL;
    if (models_folder == NULL) {
        status = reha_models_folder(&models, &fault);
        models_folder = models;
    }
    if (status == REHA_OK) {
        status = reha_model_folder(models_folder, reha_recogniser_gate.name, &folder, &fault);
    }
    if (status != REHA_OK) {
        status = status == REHA_E_NOT_FOUND ? REHA_OK : reha_fail(err, status, "%s", fault.text);
        goto done;
    }
    keeper = reha_alloc_zero(1, sizeof *keeper);
    if (keeper == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the gate");
        goto done;
    }
    const reha_model_options how = {.model_folder = folder, .threads = threads};
    REHA_CHECK(reha_model_hash(folder, keeper->hash, err));
    REHA_CHECK(reha_recogniser_gate.open(&how, &keeper->gate, err));
    *out = keeper;
    keeper = NULL;
done:
    reha_gatekeeper_free(keeper);
    reha_free(models);
    reha_free(folder);
    return status;
}

void reha_gatekeeper_free(reha_gatekeeper *keeper)
{
    if (keeper != NULL) {
        reha_recogniser_gate.close(keeper->gate);
        reha_free(keeper);
    }
}

static void note(reha_ruling *out, reha_note_level level, const char *code, const char *lead,
                 const char *text)
{
    out->has_note = true;
    out->note.level = level;
    (void)snprintf(out->note.code, sizeof out->note.code, "%s", code);
    (void)snprintf(out->note.text, sizeof out->note.text, "%s%s%s", lead, text, lead[0] != '\0' ? "." : "");
}

static void apply(const reha_scene_admission *admission, reha_ruling *out)
{
    if (admission->is_refused || admission->turns_over) {
        out->is_refused = true;
        note(out, REHA_NOTE_REFUSED, admission->code, "Not analysed: ", admission->text);
    } else if (admission->names_refusal) {
        out->names_refusal = true;
        note(out, REHA_NOTE_REFUSED, admission->code, "Not analysed: ", admission->text);
    } else if (admission->has_warning) {
        note(out, REHA_NOTE_WARNING, admission->code, "", admission->text);
    }
}

/* Bright and dark exchanged, then asked again: what still looks inverted or wrong is refused. */
static reha_status turn_over(reha_gatekeeper *keeper, const reha_gray *image, const reha_acquisition *facts,
                             reha_ruling *out, reha_error *err)
{
    reha_scene scene;
    REHA_TRY(reha_gray_copy(image, &out->turned_over, err));
    reha_gray_invert(out->turned_over);
    REHA_TRY(reha_scene_look(keeper->gate, out->turned_over, facts, false, &scene, err));
    const reha_scene_admission again = reha_scene_admit(keeper->gate, out->task, &scene, facts);
    if (!again.is_refused && !again.turns_over) {
        note(out, REHA_NOTE_REPAIRED, "inverted", "",
             "The grey values were inverted (bone or echo dark); they were turned over before analysis.");
        return REHA_OK;
    }
    apply(&again, out);
    reha_gray_free(out->turned_over);
    out->turned_over = NULL;
    return REHA_OK;
}

/* What was refused may be the screen around a muscle: the tissue alone is looked at, where muscle-us may be
 * meant. */
static reha_status look_inside(reha_gatekeeper *keeper, const reha_gray *image, const reha_acquisition *facts,
                               const char *task, reha_ruling *out, reha_error *err)
{
    bool is_muscle = false;
    REHA_TRY(reha_scene_look_at_tissue(keeper->gate, image, facts, task, out->is_refused, &is_muscle, err));
    if (is_muscle) {
        *out = (reha_ruling){.task = MUSCLE_TASK};
        note(out, REHA_NOTE_REPAIRED, "screen-around", "",
             "Beside the ultrasound image the picture shows a screen or page; only the tissue was judged and "
             "measured.");
    }
    return REHA_OK;
}

reha_status reha_gatekeeper_ask(reha_gatekeeper *keeper, const reha_gray *image,
                                const reha_acquisition *facts, const char *task, reha_ruling *out,
                                reha_error *err)
{
    reha_scene scene;
    *out = (reha_ruling){.task = task};
    REHA_TRY(reha_scene_look(keeper->gate, image, facts, false, &scene, err));
    if (task == NULL) {
        out->task = reha_scene_task(&scene, facts);
    }
    const reha_scene_admission admission = reha_scene_admit(keeper->gate, out->task, &scene, facts);
    reha_status status = REHA_OK;
    if (admission.turns_over) {
        status = turn_over(keeper, image, facts, out, err);
    } else {
        apply(&admission, out);
    }
    if (status == REHA_OK) {
        status = look_inside(keeper, image, facts, task, out, err);
    }
    if (status != REHA_OK) {
        reha_ruling_clear(out);
    }
    return status;
}

void reha_ruling_clear(reha_ruling *ruling)
{
    reha_gray_free(ruling->turned_over);
    *ruling = (reha_ruling){0};
}

reha_status reha_gatekeeper_refuse(const reha_gatekeeper *keeper, const reha_ruling *ruling,
                                   const reha_gray *image, const reha_acquisition *facts, reha_analysis **out,
                                   reha_error *err)
{
    const json_t *card = reha_recogniser_gate.card(keeper->gate);
    REHA_TRY(reha_analysis_new(ruling->task, out, err));
    (void)snprintf((*out)->model_name, sizeof(*out)->model_name, "%s",
                   reha_json_string(card, "name", "gate"));
    (void)snprintf((*out)->model_version, sizeof(*out)->model_version, "%s",
                   reha_json_string(card, "version", ""));
    memcpy((*out)->model_hash, keeper->hash, sizeof keeper->hash);
    (*out)->width_px = image->width_px;
    (*out)->height_px = image->height_px;
    (*out)->spacing = image->spacing;
    (*out)->acquisition = *facts;
    reha_analysis_note(*out, ruling->note.level, ruling->note.code, "%s", ruling->note.text);
    return REHA_OK;
}
