#include "recognition/muscle_injury_card.h"

#include "base/file.h"
#include "base/memory.h"

#include <string.h>

static const char SIMULATED[] = "trained on simulated lesions, research only";
static const char MIXED[] =
    "trained on simulated lesions and on the labelled images of one clinic, research only";
static const char LABELLED[] = "trained on the labelled images of one clinic, research only";

static json_t *limits(void)
{
    return json_pack(
        "[s, s, s, s, s, s]",
        "No real injury was seen in training, and none in the figures of this card: all are simulated in "
        "pictures of "
        "healthy muscle. How well it finds real injuries is not known; expect less.",
        "No finding does not mean no injury: ultrasound itself misses early oedema and deep tears, and the "
        "simulation "
        "knows only what its authors thought of.",
        "Probabilities hold at the mix that was shown in calibration (ten of sixteen pictures with a "
        "lesion), not in a "
        "clinic.",
        "The grade (0 none, 1 oedema without disruption, 2 partial, 3 complete or retracted) is a proposal "
        "in the words "
        "of readers; sizes at which a tear counts as complete are an assumption.",
        "Longitudinal B-mode pictures with both aponeuroses only; the share of the cross-section cannot be "
        "told from "
        "them, so sizes are shares of the thickness and of the visible belly.",
        "Healthy pictures of one collection: gastrocnemius medialis, soleus, tibialis anterior and vastus "
        "lateralis on "
        "four scanners; subjects are not recorded, so one person may stand on both sides of the split.");
}

static json_t *method(void)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s}", "input",
        "tissue box of the picture, stretched to 320 x 320, mean 0, SD 1; the picture and its mirror image, "
        "averaged",
        "output",
        "two maps of 160 x 160: injured tissue, interrupted fibres; inside the belly that muscle-us finds; "
        "grades by "
        "logistic regression on six figures of the maps",
        "network",
        "MobileNetV2 encoder, additive decoder as for muscle-us; recipe in "
        "src/recognition/muscle_injury_train.c",
        "simulation",
        "oedema, fibre disruption, gap, haematoma, retraction; look-alikes (vessel, anisotropy, shadow, step "
        "of the gain) "
        "and lesions of strength 0 as negatives; src/recognition/muscle_lesion.c, docs/muscle-injury.md");
}

static json_t *plain_card(void)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format", "rehascope-model-card",
                     "format_version", 1, "name", REHA_INJURY_TASK, "version", "1", "task", REHA_INJURY_TASK,
                     "title", "Focal muscle injury on longitudinal B-mode ultrasound", "intended_use",
                     "For research on detectors, and as the start of a training on real labelled images. "
                     "Shows a person who reads the "
                     "picture where it looks like the simulated injuries.",
                     "not_for",
                     "Any decision about a patient: it has never been measured on a real injury. Excluding "
                     "an injury. Transverse "
                     "images, tendons, panoramic pictures. No certified medical device.",
                     "licence", "Weights: Apache-2.0, with the attributions under data.");
}

static json_t *data_of(bool has_simulated)
{
    return has_simulated
               ? json_pack("[{s:s, s:s}, {s:s, s:s}]", "set",
                           "DL_Track, Cronin N, Finni T, Seynnes O, arXiv:2009.04790, Apache-2.0: pictures "
                           "with aponeurosis "
                           "masks, healthy muscle",
                           "use",
                           "lesions are simulated in them; groups whose name hashes to 'val' are held out, "
                           "one in six of the "
                           "others ('tune') fits grades, probabilities and the threshold, the rest teaches",
                           "set", "ImageNet-1k MobileNetV2 1.0 weights, ONNX model zoo (MXNet), Apache-2.0",
                           "use", "start of the encoder, directly or through muscle-us")
               : json_pack("[{s:s, s:s}]", "set", "the user's own labelled images", "use",
                           "patients whose id hashes to 'val' are held out, one in six of the others "
                           "('tune') fits grades, "
                           "probabilities and the threshold, the rest teaches");
}

reha_status reha_injury_card_save(const char *folder, const json_t *card, reha_error *err)
{
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_save(path, card, err);
    reha_free(path);
    return status;
}

reha_status reha_injury_card_write(const char *out_folder, json_t *training, bool has_labelled,
                                   bool has_simulated, reha_error *err)
{
    json_t *card = plain_card();
    const char *words = has_labelled ? has_simulated ? MIXED : LABELLED : SIMULATED;
    reha_status status = REHA_OK;
    if (card == NULL || json_object_set_new(card, "status", json_string("research only")) != 0 ||
        json_object_set_new(card, "trained_on", json_string(words)) != 0 ||
        json_object_set_new(card, "data", data_of(has_simulated)) != 0 ||
        (has_simulated && json_object_set_new(card, "limits", limits()) != 0) ||
        json_object_set_new(card, "method", method()) != 0 ||
        json_object_set(card, "training", training) != 0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    } else {
        status = reha_injury_card_save(out_folder, card, err);
    }
    json_decref(card);
    return status;
}

reha_status reha_injury_card_load(const char *folder, json_t **out, reha_error *err)
{
    *out = NULL;
    json_t *card = NULL;
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_json_load(path, &card, err);
    if (status == REHA_OK && (strcmp(reha_json_string(card, "format", ""), "rehascope-model-card") != 0 ||
                              strcmp(reha_json_string(card, "task", ""), REHA_INJURY_TASK) != 0)) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: is no model card of task " REHA_INJURY_TASK, path);
    }
    if (status == REHA_OK && reha_json_number(card, "format_version", 0.0) != 1.0) {
        status = reha_fail(err, REHA_E_UNSUPPORTED, "%s: format_version is not 1", path);
    }
    reha_free(path);
    if (status != REHA_OK) {
        json_decref(card);
        return status;
    }
    *out = card;
    return REHA_OK;
}
