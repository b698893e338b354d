#include "recognition/recogniser.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/load.h"
#include "recognition/bone_density.h"
#include "recognition/fracture.h"
#include "recognition/knee_mri.h"
#include "recognition/knee_oa.h"
#include "recognition/muscle_injury.h"
#include "recognition/muscle_us.h"
#include "recognition/scene.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

bool reha_progress_is_stopped(const reha_progress *progress)
{
    return progress != NULL && progress->should_stop != NULL && progress->should_stop(progress->context);
}

void reha_progress_tell(const reha_progress *progress, size_t done, size_t total, const char *unit,
                        double start_ms)
{
    if (progress == NULL || progress->update == NULL) {
        return;
    }
    const double rate = (double)done / (1e-3 * (reha_clock_ms() - start_ms) + 1e-9);
    progress->update(progress->context, (double)done, (double)total, unit, rate,
                     (double)(total - done) / rate, "");
}

/* One line per task. */
static const reha_recogniser *const recognisers[] = {
    &reha_recogniser_knee_oa,       &reha_recogniser_muscle_us, &reha_recogniser_fracture,
    &reha_recogniser_muscle_injury, &reha_recogniser_knee_mri,  &reha_recogniser_bone_density,
    &reha_recogniser_gate,
};

const reha_recogniser *reha_recogniser_at(size_t index)
{
    return index < sizeof recognisers / sizeof recognisers[0] ? recognisers[index] : NULL;
}

const reha_recogniser *reha_recogniser_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof recognisers / sizeof recognisers[0]; i++) {
        if (strcmp(recognisers[i]->name, name) == 0) {
            return recognisers[i];
        }
    }
    return NULL;
}

/* Digits and dots only: "1", "1.2", "2026.11.3". */
static bool is_version(const char *name)
{
    bool was_digit = false;
    for (const char *c = name; *c != '\0'; c++) {
        const bool is_digit = *c >= '0' && *c <= '9';
        if (!is_digit && !(*c == '.' && was_digit)) {
            return false;
        }
        was_digit = is_digit;
    }
    return was_digit;
}

/* Number by number, so that 1.10 is newer than 1.9. Longer numbers (without leading zeros) are larger. */
static int compare_versions(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        while (*a == '0' && a[1] >= '0' && a[1] <= '9') {
            a++;
        }
        while (*b == '0' && b[1] >= '0' && b[1] <= '9') {
            b++;
        }
        const size_t a_digits = strspn(a, "0123456789");
        const size_t b_digits = strspn(b, "0123456789");
        if (a_digits != b_digits) {
            return a_digits > b_digits ? 1 : -1;
        }
        const int order = memcmp(a, b, a_digits);
        if (order != 0) {
            return order;
        }
        a += a_digits;
        b += b_digits;
        a += *a == '.';
        b += *b == '.';
    }
    return 0;
}

/* The folder is a model only if it holds a card: half-written versions are passed over. */
static bool has_card(const char *folder)
{
    char *card = reha_path_join(folder, "card.json");
    const bool is_there = card != NULL && reha_path_is_file(card);
    reha_free(card);
    return is_there;
}

static reha_status newest_version(const char *task_folder, char **out, reha_error *err)
{
    DIR *listing = opendir(task_folder);
    if (listing == NULL) {
        return reha_fail(err, REHA_E_NOT_FOUND, "no model folder %s", task_folder);
    }
    char *best = NULL;
    reha_status status = REHA_OK;
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (!is_version(entry->d_name) ||
            (best != NULL && compare_versions(entry->d_name, reha_path_name(best)) <= 0)) {
            continue;
        }
        char *folder = reha_path_join(task_folder, entry->d_name);
        if (folder == NULL) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory while looking for models");
            break;
        }
        if (has_card(folder)) {
            reha_free(best);
            best = folder;
        } else {
            reha_free(folder);
        }
    }
    (void)closedir(listing);
    if (status == REHA_OK && best == NULL) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "no version folder with a card.json in %s", task_folder);
    }
    if (status != REHA_OK) {
        reha_free(best);
        return status;
    }
    *out = best;
    return REHA_OK;
}

reha_status reha_model_folder(const char *models_folder, const char *task, char **out, reha_error *err)
{
    *out = NULL;
    char *task_folder = reha_path_join(models_folder, task);
    if (task_folder == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory while looking for models");
    }
    const reha_status status = newest_version(task_folder, out, err);
    reha_free(task_folder);
    return status;
}

reha_status reha_model_choose(const reha_model_options *options, const char *task, char **out,
                              reha_error *err)
{
    *out = NULL;
    if (options->model_folder != NULL) {
        *out = reha_strdup(options->model_folder);
        return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    return options->models_folder != NULL
               ? reha_model_folder(options->models_folder, task, out, err)
               : reha_fail(err, REHA_E_ARG, "neither a model folder nor a folder of models is given");
}

reha_status reha_load_picture(const char *path, reha_gray **out, reha_acquisition *facts, reha_error *err)
{
    return reha_image_load(path, NULL, out, facts, err);
}

reha_status reha_load_readable(reha_load_function load, const char *path, reha_gray **out,
                               reha_acquisition *facts, reha_error *err)
{
    reha_error fault = REHA_ERROR_INIT;
    *out = NULL;
    *facts = reha_acquisition_unknown();
    const reha_status status = load(path, out, facts, &fault);
    if (status == REHA_OK || reha_status_is_input_fault(status)) {
        return REHA_OK;
    }
    return reha_fail(err, status, "%s", fault.text);
}
