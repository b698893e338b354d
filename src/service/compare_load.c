/* A visit from whatever the user names: an image, or a result of `analyse --json`. */
#include "base/file.h"
#include "base/memory.h"
#include "dicom/dicom.h"
#include "service/analyse.h"
#include "service/compare_priv.h"
#include "store/digest.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HEAD_BYTES = 64 };

static bool begins_like_json(const char *path)
{
    FILE *file = fopen(path, "rb");
    char head[HEAD_BYTES];
    if (file == NULL) {
        return false; /* its error is told where it is read */
    }
    const size_t got = fread(head, 1, sizeof head, file);
    (void)fclose(file);
    for (size_t i = 0; i < got; i++) {
        if (!isspace((unsigned char)head[i])) {
            return head[i] == '{' || head[i] == '[';
        }
    }
    return false;
}

/* The patient's number leaves this function as a hash only; it is compared and never shown. */
static void read_dicom_facts(const char *path, reha_compare_visit *visit)
{
    reha_dicom *dicom = NULL;
    char number[128];
    if (reha_dicom_load(path, NULL, &dicom, NULL) != REHA_OK) {
        return; /* a plain picture states none of this */
    }
    if (reha_dicom_identifying_patient_id(dicom, number, sizeof number)) {
        reha_digest_bytes(number, strlen(number), visit->patient);
    }
    if (visit->date[0] == '\0') {
        (void)snprintf(visit->date, sizeof visit->date, "%s", reha_dicom_get_ids(dicom)->acquisition_date);
    }
    (void)snprintf(visit->position, sizeof visit->position, "%s", reha_dicom_facts(dicom)->patient_position);
    reha_dicom_close(dicom);
}

static reha_status load_image(reha_analyser *analyser, reha_compare_visit *visit, reha_error *err)
{
    reha_case result = {0};
    reha_status status = REHA_OK;
    reha_analyser_run(analyser, visit->path, true, &result);
    if (result.status != REHA_OK) {
        status = reha_fail(err, result.status, "%s: %s", visit->path, result.error.text);
        goto done;
    }
    REHA_CHECK(reha_analysis_to_json(result.analysis, &visit->analysis, err));
    visit->image = result.image;
    result.image = NULL;
    memcpy(visit->digest, result.digest, sizeof visit->digest);
    read_dicom_facts(visit->path, visit);
done:
    reha_case_clear(&result);
    return status;
}

/* Any of: a document of results with one result, one result, one analysis. */
static reha_status find_analysis(json_t *document, const char *path, json_t **result, json_t **analysis,
                                 reha_error *err)
{
    json_t *results = json_object_get(document, "results");
    *result = NULL;
    *analysis = NULL;
    if (json_is_array(results) && json_array_size(results) != 1) {
        return reha_fail(err, REHA_E_ARG,
                         "%s holds %zu results: compare takes one image or one result per visit", path,
                         json_array_size(results));
    }
    json_t *one = json_is_array(results) ? json_array_get(results, 0) : document;
    if (json_is_object(json_object_get(one, "error"))) {
        return reha_fail(err, REHA_E_REFUSED, "%s: that image was not analysed: %.160s", path,
                         reha_json_string(json_object_get(one, "error"), "text", "no reason was kept"));
    }
    json_t *inner = json_object_get(one, "analysis");
    *result = one;
    *analysis = json_is_object(inner) ? inner : one;
    if (!json_is_array(json_object_get(*analysis, "regions"))) {
        return reha_fail(err, REHA_E_FORMAT, "%s is JSON, but no result of 'rehascope analyse --json'", path);
    }
    return REHA_OK;
}

/* A digest of a foreign result ends up in pages: nothing but hexadecimal digits does. */
static bool is_digest(const char *text)
{
    const size_t length = strlen(text);
    return length > 0 && length <= 64 && strspn(text, "0123456789abcdef") == length;
}

/* The picture belongs to the result only while its bytes are the same. */
static void load_picture_of(const json_t *result, reha_compare_visit *visit)
{
    reha_input input;
    const char *path = reha_json_string(result, "path", "");
    const char *digest = reha_json_string(result, "sha256", "");
    if (!is_digest(digest)) {
        return;
    }
    (void)snprintf(visit->digest, sizeof visit->digest, "%s", digest);
    if (path[0] == '\0' || !reha_path_is_file(path) || reha_input_load(path, NULL, &input, NULL) != REHA_OK) {
        return;
    }
    if (strcmp(input.digest, digest) == 0) {
        visit->image = input.image;
        input.image = NULL;
        read_dicom_facts(path, visit);
    }
    reha_input_clear(&input);
}

static reha_status load_result(reha_compare_visit *visit, reha_error *err)
{
    json_t *document = NULL;
    json_t *result = NULL;
    json_t *analysis = NULL;
    REHA_TRY(reha_json_load(visit->path, &document, err));
    const reha_status status = find_analysis(document, visit->path, &result, &analysis, err);
    if (status == REHA_OK) {
        visit->analysis = json_incref(analysis);
        const char *day = reha_json_string(json_object_get(analysis, "image"), "acquired_on", "");
        if (visit->date[0] == '\0' && !isnan(reha_days_between(day, day))) {
            (void)snprintf(visit->date, sizeof visit->date, "%s", day);
        }
        if (visit->position[0] == '\0') {
            (void)snprintf(visit->position, sizeof visit->position, "%s",
                           reha_json_string(json_object_get(analysis, "image"), "patient_position", ""));
        }
        load_picture_of(result, visit);
    }
    json_decref(document);
    return status;
}

reha_status reha_compare_load_(const char *const paths[2], const reha_compare_options *options,
                               reha_comparison *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_analyser *analyser = NULL;
    for (int i = 0; i < 2; i++) {
        reha_compare_visit *visit = &out->visits[i];
        visit->path = reha_strdup(paths[i]);
        if (visit->path == NULL) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
            goto done;
        }
        (void)snprintf(visit->date, sizeof visit->date, "%s",
                       options->dates[i] != NULL ? options->dates[i] : "");
        if (begins_like_json(paths[i])) {
            REHA_CHECK(load_result(visit, err));
            continue;
        }
        if (analyser == NULL) {
            const reha_analyser_options how = {.task = options->task,
                                               .models_folder = options->models_folder,
                                               .model_folder = options->model_folder,
                                               .threads = options->threads,
                                               .mm_per_px = options->mm_per_px};
            REHA_CHECK(reha_analyser_open(&how, &analyser, err));
        }
        REHA_CHECK(load_image(analyser, visit, err));
    }
done:
    reha_analyser_close(analyser);
    return status;
}
