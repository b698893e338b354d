#include "service/drift.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/statistics.h"
#include "service/input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    NAMED_MIN = 5, /* images that must name a device before it is a column */
    PERSON_BYTES = 1024
};

/* ---- results ---- */

/* Grey values of the picture, stretched so that only its look counts and not its range. */
static json_t *picture_of(const char *path)
{
    reha_error ignored = REHA_ERROR_INIT; /* the analysis has told it already */
    reha_input input = {0};
    json_t *picture = NULL;
    if (reha_input_load(path, NULL, &input, &ignored) == REHA_OK &&
        reha_gray_stretch(input.image, 0.01, 0.99, NULL, NULL, &ignored) == REHA_OK) {
        const reha_gray_summary grey = reha_gray_summarise(input.image);
        picture =
            json_pack("{s:o, s:o, s:o}", "mean", reha_json_real(grey.mean), "sd", reha_json_real(grey.sd),
                      "sharpness", reha_json_real(log10(reha_gray_gradient_energy(input.image) + 1e-9)));
    }
    reha_input_clear(&input);
    return picture;
}

static reha_status analyse_one(reha_analyser *analyser, const char *path, json_t *results, reha_error *err)
{
    reha_case one;
    json_t *object = NULL;
    reha_analyser_run(analyser, path, false, &one);
    const reha_status status = reha_case_to_json(&one, &object, err);
    if (status == REHA_OK && one.status == REHA_OK) {
        json_t *picture = picture_of(path);
        (void)json_object_set_new(object, "picture", picture != NULL ? picture : json_null());
    }
    reha_case_clear(&one);
    REHA_TRY(status);
    return json_array_append_new(results, object) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for a result");
}

static reha_status analyse_all(reha_analyser *analyser, const char *path, const reha_progress *progress,
                               json_t *results, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_paths paths = {0};
    REHA_TRY(reha_input_expand(&path, 1, &paths, err));
    for (size_t i = 0; i < paths.count; i++) {
        if (reha_progress_is_stopped(progress)) {
            status = reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu images", i, paths.count);
            goto done;
        }
        REHA_CHECK(analyse_one(analyser, paths.items[i], results, err));
        if (progress != NULL && progress->update != NULL) {
            progress->update(progress->context, (double)(i + 1), (double)paths.count, "images", 0.0, -1.0,
                             path);
        }
    }
done:
    reha_paths_clear(&paths);
    return status;
}

reha_status reha_drift_collect(reha_analyser *analyser, const char *path, const reha_progress *progress,
                               json_t **results, reha_error *err)
{
    json_t *document = NULL;
    *results = NULL;
    if (reha_str_ends_nocase(path, ".json")) {
        REHA_TRY(reha_json_load(path, &document, err));
        json_t *array = json_object_get(document, "results");
        if (json_is_array(array)) {
            *results = json_incref(array);
        }
        json_decref(document);
        return *results != NULL ? REHA_OK
                                : reha_fail(err, REHA_E_FORMAT,
                                            "%s: no results: a document of 'analyse --json' is needed", path);
    }
    if (!reha_path_is_folder(path)) {
        return reha_fail(err, REHA_E_NOT_FOUND,
                         "%s: no such folder; a folder of images or a .json of 'analyse --json' is needed",
                         path);
    }
    if (analyser == NULL) {
        return reha_fail(err, REHA_E_ARG, "%s: images need a model to be analysed", path);
    }
    json_t *array = json_array();
    if (array == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for results");
    }
    const reha_status status = analyse_all(analyser, path, progress, array, err);
    if (status == REHA_OK) {
        *results = array;
    } else {
        json_decref(array);
    }
    return status;
}

/* ---- columns ---- */

typedef struct layout { /* which column a name has; both tables share it */
    reha_drift_table *tables;
    json_t *index; /* name: column, or -1 for one that found no place */
    size_t left_out;
} layout;

static int column_of(layout *to, const char *name, bool is_share)
{
    const json_t *known = json_object_get(to->index, name);
    if (known != NULL) {
        return (int)json_integer_value(known);
    }
    size_t *count = &to->tables[0].column_count;
    int column = -1;
    if (*count < REHA_DRIFT_COLUMNS_MAX) {
        column = (int)*count;
        for (int side = 0; side < 2; side++) {
            (void)snprintf(to->tables[side].names[column], REHA_DRIFT_NAME_BYTES, "%s", name);
            to->tables[side].is_share[column] = is_share;
        }
        to->tables[1].column_count = ++*count;
    } else {
        to->left_out++;
    }
    (void)json_object_set_new(to->index, name, json_integer(column));
    return column;
}

static void put(layout *to, double *row, const char *name, bool is_share, double value)
{
    const int column = column_of(to, name, is_share);
    if (column >= 0) {
        row[column] = value;
    }
}

static double number_of(const json_t *object, const char *key)
{
    return reha_json_number(object, key, (double)NAN);
}

static void put_finding(layout *to, double *row, const json_t *finding)
{
    char name[REHA_DRIFT_NAME_BYTES];
    const char *key = reha_json_string(finding, "key", "");
    const json_t *measure = json_object_get(finding, "measure");
    const json_t *grading = json_object_get(finding, "grading");
    if (json_is_object(measure)) {
        (void)snprintf(name, sizeof name, "%.40s, %.16s", key, reha_json_string(measure, "unit", "?"));
        put(to, row, name, false, number_of(measure, "value"));
        (void)snprintf(name, sizeof name, "%.40s, error, %.16s", key, reha_json_string(measure, "unit", "?"));
        put(to, row, name, false, number_of(measure, "error_95"));
    }
    if (json_is_number(json_object_get(finding, "probability"))) {
        (void)snprintf(name, sizeof name, "%.40s, probability", key);
        put(to, row, name, false, number_of(finding, "probability"));
    }
    const json_t *probabilities = json_object_get(grading, "probabilities");
    double entropy = 0.0;
    for (size_t k = 0; k < json_array_size(probabilities); k++) {
        const double p = json_number_value(json_array_get(probabilities, k));
        entropy -= p > 0.0 ? p * log2(p) : 0.0;
    }
    if (json_array_size(probabilities) > 0) {
        (void)snprintf(name, sizeof name, "%.40s, entropy, bit", key);
        put(to, row, name, false, entropy);
    }
}

/* The first region that was analysed speaks for the image. */
static void put_region(layout *to, double *row, const json_t *analysis)
{
    size_t i = 0;
    json_t *region = NULL;
    json_array_foreach(json_object_get(analysis, "regions"), i, region)
    {
        if (json_is_true(json_object_get(region, "accepted"))) {
            size_t f = 0;
            json_t *finding = NULL;
            put(to, row, "certainty of the gate", false, number_of(region, "certainty"));
            json_array_foreach(json_object_get(region, "findings"), f, finding)
            {
                put_finding(to, row, finding);
            }
            return;
        }
    }
}

static const char *const facts[] = {"container",     "modality",     "body_part",
                                    "view_position", "manufacturer", "device_model"};
enum { FACT_COUNT = sizeof facts / sizeof facts[0], FACT_BYTES = 90 };

static void fact_name(const json_t *image, const char *key, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "%s: %.64s", key, reha_json_string(image, key, "not stated"));
}

/* How many images name each device and the like. New reference. */
static json_t *count_facts(const json_t *reference, const json_t *fresh)
{
    json_t *counts = json_object();
    const json_t *both[2] = {reference, fresh};
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < json_array_size(both[side]); i++) {
            const json_t *image =
                json_object_get(json_object_get(json_array_get(both[side], i), "analysis"), "image");
            for (int f = 0; f < FACT_COUNT && json_is_object(image); f++) {
                char name[FACT_BYTES];
                fact_name(image, facts[f], name, sizeof name);
                const json_int_t so_far = json_integer_value(json_object_get(counts, name));
                (void)json_object_set_new(counts, name, json_integer(so_far + 1));
            }
        }
    }
    return counts;
}

static void put_facts(layout *to, double *row, const json_t *counts, const json_t *image, json_int_t images)
{
    const char *name = NULL;
    json_t *count = NULL;
    json_object_foreach((json_t *)counts, name, count)
    {
        const json_int_t n = json_integer_value(count);
        if (n >= NAMED_MIN && n < images) { /* what all images have in common tells nothing */
            put(to, row, name, true, 0.0);
        }
    }
    for (int f = 0; f < FACT_COUNT; f++) {
        char own[FACT_BYTES];
        fact_name(image, facts[f], own, sizeof own);
        const json_int_t n = json_integer_value(json_object_get(counts, own));
        if (n >= NAMED_MIN && n < images) {
            put(to, row, own, true, 1.0);
        }
    }
}

static void put_image(layout *to, double *row, const json_t *result, const json_t *counts, json_int_t images)
{
    const json_t *analysis = json_object_get(result, "analysis");
    const json_t *image = json_object_get(analysis, "image");
    const json_t *picture = json_object_get(result, "picture");
    put(to, row, "not readable", true, json_is_object(analysis) ? 0.0 : 1.0);
    if (!json_is_object(analysis)) {
        return;
    }
    put(to, row, "refused", true, json_is_true(json_object_get(analysis, "accepted")) ? 0.0 : 1.0);
    put(to, row, "inverted", true, json_is_true(json_object_get(image, "was_inverted")) ? 1.0 : 0.0);
    put(to, row, "without pixel spacing", true,
        json_is_number(json_object_get(json_object_get(image, "spacing"), "x_mm")) ? 0.0 : 1.0);
    put(to, row, "image width, px", false, number_of(image, "width_px"));
    put(to, row, "image height, px", false, number_of(image, "height_px"));
    put(to, row, "bits stored", false, number_of(image, "bits_stored"));
    put_facts(to, row, counts, image, images);
    if (json_is_object(picture)) {
        put(to, row, "mean grey value (stretched)", false, number_of(picture, "mean"));
        put(to, row, "spread of grey values (stretched)", false, number_of(picture, "sd"));
        put(to, row, "sharpness (log10 of the gradient's energy)", false, number_of(picture, "sharpness"));
    }
    put_region(to, row, analysis);
}

/* The path without its side: "knees/17L.png" and "knees/17R.png" both give "knees/17". */
static void person_of(const char *path, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "%s", path);
    char *dot = strrchr(out, '.');
    if (dot != NULL && strchr(dot, '/') == NULL) {
        *dot = '\0';
    }
    const size_t length = strlen(out);
    if (length > 1 && strchr("LlRr", out[length - 1]) != NULL &&
        reha_side_from_name(path) != REHA_SIDE_UNKNOWN) {
        out[length - 1] = '\0';
    }
}

static void join_persons(const json_t *results, reha_drift_table *table)
{
    char person[PERSON_BYTES];
    json_t *seen = json_object();
    for (size_t i = 0; i < json_array_size(results) && seen != NULL; i++) {
        person_of(reha_json_string(json_array_get(results, i), "path", ""), person, sizeof person);
        const json_t *first = person[0] != '\0' ? json_object_get(seen, person) : NULL;
        if (first != NULL) {
            table->groups[i] = (size_t)json_integer_value(first);
        } else {
            (void)json_object_set_new(seen, person, json_integer((json_int_t)i));
        }
    }
    json_decref(seen);
}

reha_status reha_drift_tables(const json_t *reference, const json_t *fresh, reha_drift_table tables[2],
                              size_t *left_out, reha_error *err)
{
    reha_status status = REHA_OK;
    const json_t *both[2] = {reference, fresh};
    tables[0] = (reha_drift_table){0};
    tables[1] = (reha_drift_table){0};
    layout to = {.tables = tables, .index = json_object()};
    json_t *counts = count_facts(reference, fresh);
    const json_int_t images = (json_int_t)json_array_size(reference) + (json_int_t)json_array_size(fresh);
    if (to.index == NULL || counts == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for columns");
        goto done;
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < json_array_size(both[side]); i++) {
            double *row = NULL;
            REHA_CHECK(reha_drift_table_add(&tables[side], &row, err));
            put_image(&to, row, json_array_get(both[side], i), counts, images);
        }
        join_persons(both[side], &tables[side]);
    }
    *left_out = to.left_out;
done:
    json_decref(counts);
    json_decref(to.index);
    return status;
}
