#include "service/models.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "dicom/network.h"
#include "nn/onnx.h"
#include "nn/session.h"
#include "recognition/knee_phantom.h"
#include "recognition/scene.h"
#include "recognition/scene_admit.h"
#include "service/analyse.h"
#include "service/outcome_form.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char DEFAULT_TASK[] = "knee-oa"; /* what analyse.c starts with */
static const char OUTCOME[] = "outcome-";     /* the folders of outcome models are named so */

static reha_status load_card(const char *models_folder, const char *task, char **folder, json_t **card,
                             reha_error *err)
{
    *card = NULL;
    REHA_TRY(reha_model_folder(models_folder, task, folder, err));
    char *path = reha_path_join(*folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_load(path, card, err);
    reha_free(path);
    return status;
}

/* Every recogniser but the gate, which looks at each picture anyway. */
static bool can_be_named(const char *task)
{
    return reha_recogniser_find(task) != NULL && strcmp(task, reha_recogniser_gate.name) != 0;
}

static bool is_switched_off(const json_t *card)
{
    return json_is_false(json_object_get(card, "enabled"));
}

/* One line of the list; what its model says of itself where there is one. */
static reha_status add_model(const char *models_folder, const char *task, const char *title,
                             const char *accepts, const char *kind, json_t *list, reha_error *err)
{
    char *folder = NULL;
    json_t *card = NULL;
    reha_error fault = REHA_ERROR_INIT;
    json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:n, s:b, s:b}", "task", task, "title", title,
                              "accepts", accepts, "kind", kind, "version", "folder", "status", "offered", 0,
                              "unasked", reha_scene_is_unasked(task) ? 1 : 0);
    const reha_status found = load_card(models_folder, task, &folder, &card, &fault);
    if (found == REHA_OK) {
        (void)json_object_set_new(entry, "version", json_string(reha_json_string(card, "version", "")));
        (void)json_object_set_new(entry, "folder", json_string(folder));
        (void)json_object_set_new(entry, "status", json_string(reha_json_string(card, "status", "")));
        (void)json_object_set(entry, "metrics", json_object_get(card, "metrics"));
        (void)json_object_set_new(entry, "title", json_string(reha_json_string(card, "title", title)));
        (void)json_object_set_new(entry, "offered",
                                  json_boolean(can_be_named(task) && !is_switched_off(card)));
    } else if (found != REHA_E_NOT_FOUND) { /* that none is installed is no fault */
        (void)json_object_set_new(entry, "fault", json_string(fault.text));
    }
    json_decref(card);
    reha_free(folder);
    return json_array_append_new(list, entry) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the list of models");
}

reha_status reha_models_list(const char *models_folder, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *list = json_array();
    *out = NULL;
    for (size_t i = 0; reha_recogniser_at(i) != NULL; i++) {
        const reha_recogniser *one = reha_recogniser_at(i);
        REHA_CHECK(add_model(models_folder, one->name, one->title, one->accepts, "recogniser", list, err));
    }
    for (const char *const *name = reha_outcome_names(); *name != NULL; name++) {
        char task[64];
        (void)snprintf(task, sizeof task, "%s%.50s", OUTCOME, *name);
        REHA_CHECK(add_model(models_folder, task, *name, "facts of a patient before treatment", "outcome",
                             list, err));
    }
    *out = json_incref(list);
done:
    json_decref(list);
    return status;
}

static bool is_outcome(const char *task)
{
    for (const char *const *name = reha_outcome_names(); *name != NULL; name++) {
        if (strncmp(task, OUTCOME, strlen(OUTCOME)) == 0 && strcmp(task + strlen(OUTCOME), *name) == 0) {
            return true;
        }
    }
    return false;
}

reha_status reha_models_card(const char *models_folder, const char *task, json_t **out, reha_error *err)
{
    char *folder = NULL;
    *out = NULL;
    if (reha_recogniser_find(task) == NULL && !is_outcome(task)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "no task '%.40s'; see 'rehascope model list'", task);
    }
    const reha_status status = load_card(models_folder, task, &folder, out, err);
    reha_free(folder);
    return status;
}

static reha_status fail_unknown(const char *task, reha_error *err)
{
    char names[160] = "";
    size_t used = 0;
    for (size_t i = 0; reha_recogniser_at(i) != NULL; i++) {
        const char *name = reha_recogniser_at(i)->name;
        if (can_be_named(name) && used < sizeof names) {
            const int added = snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", name);
            used += added > 0 ? (size_t)added : 0;
        }
    }
    return reha_fail(err, REHA_E_ARG, "'task': there is no '%.40s'; there are: %s", task, names);
}

reha_status reha_models_ask(const char *models_folder, const char *task, reha_error *err)
{
    char *folder = NULL;
    json_t *card = NULL;
    reha_error fault = REHA_ERROR_INIT;
    if (!can_be_named(task)) {
        return fail_unknown(task, err);
    }
    reha_status status = load_card(models_folder, task, &folder, &card, &fault);
    if (status == REHA_E_NOT_FOUND) {
        status = reha_fail(err, REHA_E_REFUSED,
                           "no model of '%s' is installed: the models page shows those that are", task);
    } else if (status != REHA_OK) {
        status = reha_fail(err, status, "%s", fault.text);
    } else if (is_switched_off(card)) {
        status = reha_fail(err, REHA_E_REFUSED, "'%s' is switched off by its own model card: %.160s", task,
                           reha_json_string(card, "verdict", "it is not worth it"));
    }
    json_decref(card);
    reha_free(folder);
    return status;
}

/* A network's file that broke off when it was copied is found here, not at the first patient. */
static reha_status check_network_file(const char *path, reha_error *err)
{
    reha_graph *graph = NULL;
    if (access(path, R_OK) != 0) {
        return reha_fail(err, REHA_E_IO, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (!reha_str_ends_nocase(path, ".onnx")) {
        return REHA_OK;
    }
    const reha_status status = reha_onnx_load(path, NULL, &graph, err);
    reha_graph_free(graph);
    return status;
}

reha_status reha_models_check(const char *models_folder, reha_error *err)
{
    enum { FILES_MAX = 64 };
    char *folder = NULL;
    reha_paths files = {0};
    reha_status status = REHA_OK;
    size_t networks = 0;
    if (!reha_path_is_folder(models_folder)) {
        return reha_fail(err, REHA_E_NOT_FOUND,
                         "%s: there is no folder of models: install them, or name theirs with --models DIR",
                         models_folder);
    }
    json_t *card = NULL;
    REHA_CHECK(load_card(models_folder, DEFAULT_TASK, &folder, &card, err));
    REHA_CHECK(reha_folder_list(folder, FILES_MAX, &files, err));
    for (size_t i = 0; i < files.count; i++) {
        REHA_CHECK(check_network_file(files.items[i], err));
        networks += reha_str_ends_nocase(files.items[i], ".onnx") ? 1 : 0;
    }
    if (networks == 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "%s: holds no network (.onnx): install the models again",
                           folder);
    }
done:
    json_decref(card);
    reha_paths_clear(&files);
    reha_free(folder);
    return status;
}

static bool add_check(json_t *checks, const char *name, bool is_ok, const char *text)
{
    (void)json_array_append_new(
        checks, json_pack("{s:s, s:b, s:s}", "name", name, "ok", is_ok ? 1 : 0, "text", text));
    return is_ok;
}

static bool check_cpu(json_t *checks)
{
    char text[200];
    (void)snprintf(text, sizeof text, "%zu processors, %s; bf16 %s, int8 %s", reha_threads_available(),
                   reha_nn_isa(), reha_precision_is_fast(REHA_BF16) ? "fast" : "not used",
                   reha_precision_is_fast(REHA_INT8) ? "fast" : "not used");
    return add_check(checks, "cpu", true, text);
}

/* A generated knee through the whole path: proves models, engine and memory together. */
static bool check_analysis(json_t *checks, const char *models_folder)
{
    char text[300];
    reha_error err = REHA_ERROR_INIT;
    reha_analyser *analyser = NULL;
    reha_gray *phantom = NULL;
    reha_analysis *analysis = NULL;
    const double start_ms = reha_clock_ms();
    const reha_analyser_options how = {.models_folder = models_folder};
    const reha_analyse_options plain = {0};
    const reha_acquisition facts = reha_acquisition_unknown();
    reha_status status = reha_analyser_open(&how, &analyser, &err);
    const double opened_ms = reha_clock_ms();
    if (status == REHA_OK) {
        const reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 1);
        status = reha_phantom_draw(&spec, &phantom, NULL, &err);
    }
    const double drawn_ms = reha_clock_ms();
    if (status == REHA_OK) {
        status = reha_analyser_recogniser(analyser)->analyse(reha_analyser_model(analyser), phantom, &facts,
                                                             &plain, &analysis, &err);
    }
    if (status == REHA_OK) {
        (void)snprintf(text, sizeof text,
                       "models loaded in %.0f ms, a generated knee analysed in %.0f ms, peak memory %zu MiB",
                       opened_ms - start_ms, reha_clock_ms() - drawn_ms, reha_mem_peak_rss_bytes() >> 20);
    } else {
        (void)snprintf(text, sizeof text, "%s", err.text);
    }
    reha_analysis_free(analysis);
    reha_gray_free(phantom);
    reha_analyser_close(analyser);
    return add_check(checks, "analysis", status == REHA_OK, text);
}

/* Every model that is installed opens; without a gate nobody asks what a picture shows. */
static bool check_models(json_t *checks, const char *models_folder)
{
    char text[300];
    size_t opened = 0;
    bool has_gate = false;
    reha_error err = REHA_ERROR_INIT;
    json_t *list = NULL;
    reha_status status = reha_models_list(models_folder, &list, &err);
    for (size_t i = 0; status == REHA_OK && i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *task = reha_json_string(one, "task", "");
        const char *fault = reha_json_string(one, "fault", NULL);
        const bool is_installed = json_is_string(json_object_get(one, "version"));
        if (fault != NULL) {
            status = reha_fail(&err, REHA_E_FORMAT, "%s", fault);
        } else if (is_installed && reha_recogniser_find(task) != NULL) {
            const reha_analyser_options how = {
                .task = task, .models_folder = models_folder, .allow_switched_off = true};
            reha_analyser *analyser = NULL;
            status = reha_analyser_open(&how, &analyser, &err);
            reha_analyser_close(analyser);
        }
        opened += status == REHA_OK && is_installed ? 1 : 0;
        has_gate = has_gate || (is_installed && strcmp(task, reha_recogniser_gate.name) == 0);
    }
    const bool is_ok = status == REHA_OK && has_gate;
    if (status != REHA_OK) {
        (void)snprintf(text, sizeof text, "%s: install the models again", err.text);
    } else {
        (void)snprintf(text, sizeof text, "%zu are installed and open%s", opened,
                       has_gate ? "" : "; that of the gate is absent: nobody checks what a picture shows");
    }
    json_decref(list);
    return add_check(checks, "models", is_ok, text);
}

static bool check_network(json_t *checks)
{
    reha_error err = REHA_ERROR_INIT;
    const bool is_ok = reha_network_prepare(&err) == REHA_OK;
    return add_check(checks, "DICOM network", is_ok,
                     is_ok ? "DCMTK and its data dictionary are there" : err.text);
}

reha_status reha_doctor(const char *models_folder, json_t **out, reha_error *err)
{
    json_t *checks = json_array();
    bool is_ok = check_cpu(checks);
    is_ok = add_check(checks, "models folder", reha_path_is_folder(models_folder), models_folder) && is_ok;
    is_ok = check_analysis(checks, models_folder) && is_ok;
    is_ok = check_models(checks, models_folder) && is_ok;
    is_ok = check_network(checks) && is_ok;
    *out = json_pack("{s:o, s:b}", "checks", checks, "ok", is_ok ? 1 : 0);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}
