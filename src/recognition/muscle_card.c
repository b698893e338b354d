#include "recognition/muscle_card.h"

#include "base/file.h"
#include "base/memory.h"

#include <string.h>

static const char TASK[] = "muscle-us";

static json_t *plain_card(void)
{
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format", "rehascope-model-card", "format_version",
        1, "name", TASK, "version", "1", "task", TASK, "title",
        "Muscle architecture from longitudinal B-mode ultrasound", "status", "research only", "intended_use",
        "Measures the architecture of skeletal muscle on longitudinal B-mode ultrasound for a clinician "
        "or researcher who looks at every picture.",
        "not_for", "Transverse images; diagnosis on its own. No certified medical device.");
}

reha_status reha_muscle_card_load(const char *folder, json_t **out, reha_error *err)
{
    *out = NULL;
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    json_t *card = NULL;
    reha_status status = reha_json_load(path, &card, err);
    if (status == REHA_OK && (strcmp(reha_json_string(card, "format", ""), "rehascope-model-card") != 0 ||
                              strcmp(reha_json_string(card, "task", ""), TASK) != 0)) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: is no model card of task %s", path, TASK);
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

reha_status reha_muscle_card_save(const char *folder, const json_t *card, reha_error *err)
{
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_save(path, card, err);
    reha_free(path);
    return status;
}

reha_status reha_muscle_card_write(const char *base_folder, const char *out_folder, json_t *training,
                                   reha_error *err)
{
    json_t *card = NULL;
    if (base_folder == NULL) {
        card = plain_card();
    } else {
        REHA_TRY(reha_muscle_card_load(base_folder, &card, err));
    }
    (void)json_object_del(card, "metrics");
    (void)json_object_del(card, "measurement_error_95");
    reha_status status = REHA_OK;
    if (card == NULL || json_object_set(card, "training", training) != 0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    } else {
        status = reha_muscle_card_save(out_folder, card, err);
    }
    json_decref(card);
    return status;
}
