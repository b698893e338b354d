/* `evaluate muscle-us`: the maps against masks, and what is measured from them against the same measurement
 * of the masks. Similarity groups, not pictures, are drawn for the intervals: frames of one video are not
 * independent. */
#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/each.h"
#include "recognition/muscle_card.h"
#include "recognition/muscle_change_measure.h"
#include "recognition/muscle_score.h"

#include <math.h>
#include <string.h>

enum { TIME = REHA_MUSCLE_FIGURES, FIGURES }; /* beside the figures of muscle_score.h */

static const char *const figure_names[FIGURES] = {[REHA_MUSCLE_DICE_APONEUROSIS] = "dice_aponeurosis",
                                                  [REHA_MUSCLE_IOU_APONEUROSIS] = "iou_aponeurosis",
                                                  [REHA_MUSCLE_DICE_FASCICLE] = "dice_fascicle",
                                                  [REHA_MUSCLE_IOU_FASCICLE] = "iou_fascicle",
                                                  [REHA_MUSCLE_SUPERFICIAL_ANGLE] =
                                                      "superficial_angle_error_deg",
                                                  [REHA_MUSCLE_DEEP_ANGLE] = "deep_angle_error_deg",
                                                  [REHA_MUSCLE_THICKNESS] = "thickness_error_ratio",
                                                  [REHA_MUSCLE_SAME_BELLY] = "same_belly",
                                                  [REHA_MUSCLE_FASCICLE_ANGLE] = "fascicle_angle_error_deg",
                                                  [REHA_MUSCLE_TEXTURE_ANGLE] = "texture_angle_error_deg",
                                                  [TIME] = "milliseconds"};

typedef struct evaluation {
    reha_model *model;
    const reha_evaluate_options *options;
    reha_muscle_data data;
    double *values;       /* count x FIGURES, NaN where it does not apply */
    uint32_t (*sizes)[2]; /* width and height of each picture, pixels */
    reha_text table;
    size_t refused;
} evaluation;

static void add_row(evaluation *run, const reha_muscle_item *item, const reha_muscle_measurement *m,
                    const uint32_t *size, const double *values)
{
    const bool is_fascicle = item->structure == REHA_MUSCLE_FASCICLE;
    reha_text_add(&run->table, is_fascicle ? "fascicle," : "aponeurosis,");
    reha_csv_add_field(&run->table, item->image);
    reha_text_addf(&run->table, ",%u,%u", size[0], size[1]);
    const double cells[] = {(double)item->group_idx,
                            values[is_fascicle ? REHA_MUSCLE_DICE_FASCICLE : REHA_MUSCLE_DICE_APONEUROSIS],
                            values[is_fascicle ? REHA_MUSCLE_IOU_FASCICLE : REHA_MUSCLE_IOU_APONEUROSIS],
                            m->fascicle_angle_deg,
                            m->superficial_angle_deg,
                            m->deep_angle_deg,
                            m->pennation_deg,
                            m->thickness_px,
                            m->length_px,
                            m->length_curved_px,
                            m->length_outside,
                            m->echo_mean,
                            m->texture_angle_deg,
                            values[REHA_MUSCLE_SUPERFICIAL_ANGLE],
                            values[REHA_MUSCLE_DEEP_ANGLE],
                            values[REHA_MUSCLE_THICKNESS],
                            values[REHA_MUSCLE_FASCICLE_ANGLE]};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        if (isfinite(cells[i])) {
            reha_text_addf(&run->table, ",%.4g", cells[i]);
        } else {
            reha_text_add(&run->table, ",");
        }
    }
    reha_text_add(&run->table, "\n");
}

static reha_status measure_one(evaluation *run, const reha_muscle_item *item, const reha_gray *image,
                               const reha_gray *mask, double *values, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_muscle_case work = {.model = run->model, .image = image};
    const double start_ms = reha_clock_ms();
    REHA_CHECK(reha_muscle_case_read(&work, err));
    const double milliseconds = reha_clock_ms() - start_ms;
    REHA_CHECK(reha_muscle_score(&work, item->structure, mask, values, err));
    values[TIME] = milliseconds;
    run->refused += work.main.has_superficial || work.main.has_deep ? 0 : 1;
    add_row(run, item, &work.main, (const uint32_t[]){image->width_px, image->height_px}, values);
done:
    reha_muscle_case_clear(&work);
    return status;
}

static reha_status evaluate_one(void *context, size_t index, reha_error *err)
{
    evaluation *run = context;
    const reha_muscle_item *item = &run->data.items[index];
    const reha_load_function load = run->options->load != NULL ? run->options->load : reha_load_picture;
    double *values = run->values + index * FIGURES;
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    reha_gray *mask = NULL;
    REHA_CHECK(reha_muscle_item_open(item, load, &image, &mask, err));
    run->sizes[index][0] = image->width_px;
    run->sizes[index][1] = image->height_px;
    status = measure_one(run, item, image, mask, values, err);
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", item->image);
    }
    return status;
}

/* Mean of one figure over the pictures of one size, and how many they are. */
static json_t *mean_of_size(const evaluation *run, int which, const uint32_t *size)
{
    double sum = 0.0;
    int count = 0;
    for (size_t i = 0; i < run->data.count; i++) {
        const double value = run->values[i * FIGURES + (size_t)which];
        if (memcmp(run->sizes[i], size, sizeof run->sizes[i]) == 0 && isfinite(value)) {
            sum += value;
            count++;
        }
    }
    return json_pack("{s:o, s:i}", "value", reha_json_real(count > 0 ? sum / count : (double)NAN), "n",
                     count);
}

/* Neither device nor muscle is recorded: the size of the pictures is what tells one scanner's export from
 * another's. */
static json_t *by_size(const evaluation *run)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < run->data.count; i++) {
        size_t first = 0;
        int count = 0;
        char group[32];
        while (memcmp(run->sizes[first], run->sizes[i], sizeof run->sizes[i]) != 0) {
            first++;
        }
        if (first < i) {
            continue;
        }
        for (size_t k = i; k < run->data.count; k++) {
            count += memcmp(run->sizes[k], run->sizes[i], sizeof run->sizes[i]) == 0 ? 1 : 0;
        }
        (void)snprintf(group, sizeof group, "%u x %u px", (unsigned)run->sizes[i][0],
                       (unsigned)run->sizes[i][1]);
        json_t *one = json_pack("{s:s, s:s, s:i, s:i, s:i}", "by", "image size", "group", group, "n", count,
                                "width_px", (int)run->sizes[i][0], "height_px", (int)run->sizes[i][1]);
        for (int f = 0; f < FIGURES; f++) {
            (void)json_object_set_new(one, figure_names[f], mean_of_size(run, f, run->sizes[i]));
        }
        (void)json_array_append_new(groups, one);
    }
    return groups;
}

static reha_status make_report(const evaluation *run, json_t **out, reha_error *err)
{
    const reha_muscle_table table = {.data = &run->data,
                                     .values = run->values,
                                     .stride = FIGURES,
                                     .bootstrap_rounds = run->options->bootstrap_rounds,
                                     .seed = run->options->seed};
    json_t *metrics = json_pack("{s:i, s:i, s:i}", "n", (int)run->data.count, "groups",
                                (int)run->data.group_count, "refused", (int)run->refused);
    for (size_t f = 0; f < FIGURES; f++) {
        (void)json_object_set_new(metrics, figure_names[f], reha_muscle_estimate(&table, f));
    }
    *out = json_pack("{s:s, s:o, s:s, s:i, s:s, s:O, s:o}", "task", "muscle-us", "data",
                     reha_json_text(run->options->data_folder), "split",
                     run->options->split != NULL ? run->options->split : "all", "bootstrap_rounds",
                     run->options->bootstrap_rounds, "interval", "95 % by bootstrap over similarity groups",
                     "metrics", metrics, "subgroups", by_size(run));
    json_decref(metrics);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
}

reha_status reha_muscle_evaluate(reha_model *model, const reha_evaluate_options *options,
                                 const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    evaluation run = {.model = model, .options = options};
    json_t *changes = NULL;
    *report = NULL;
    REHA_TRY(reha_muscle_data_load(options->data_folder, options->split, &run.data, err));
    reha_text_add(
        &run.table,
        "structure,image,width_px,height_px,group,dice,iou,fascicle_angle_deg,superficial_aponeurosis_angle_deg,"
        "deep_aponeurosis_angle_deg,pennation_deg,thickness_px,fascicle_length_px,"
        "fascicle_length_curved_px,fascicle_length_extrapolated,echo_intensity,texture_angle_deg,"
        "superficial_angle_error_deg,deep_angle_error_deg,thickness_error_ratio,"
        "fascicle_angle_error_deg\n");
    run.values = reha_alloc(run.data.count * FIGURES * sizeof *run.values);
    run.sizes = reha_alloc_zero(run.data.count, sizeof *run.sizes);
    if (run.values == NULL || run.sizes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu results", run.data.count);
        goto done;
    }
    if (options->changes != NULL) {
        REHA_CHECK(reha_muscle_measure_changes(model, options, &run.data, progress, &changes, err));
    }
    REHA_CHECK(reha_each(run.data.count, "images", progress, evaluate_one, &run, err));
    if (options->predictions_path != NULL) {
        REHA_CHECK(reha_file_save(options->predictions_path, run.table.data, run.table.length, err));
    }
    REHA_CHECK(make_report(&run, report, err));
    if (changes != NULL) {
        (void)json_object_set(*report, "changes", changes);
    }
done:
    json_decref(changes);
    reha_text_clear(&run.table);
    reha_free(run.values);
    reha_free(run.sizes);
    reha_muscle_data_clear(&run.data);
    return status;
}

static double p95_of(const json_t *metrics, const char *key)
{
    return reha_json_number(json_object_get(metrics, key), "p95", (double)NAN);
}

reha_status reha_muscle_calibrate(reha_model *model, const char *model_folder,
                                  const reha_evaluate_options *options, const reha_progress *progress,
                                  json_t **report, reha_error *err)
{
    REHA_TRY(reha_muscle_evaluate(model, options, progress, report, err));
    json_t *metrics = json_object_get(*report, "metrics");
    const double aponeurosis = fmax(p95_of(metrics, figure_names[REHA_MUSCLE_SUPERFICIAL_ANGLE]),
                                    p95_of(metrics, figure_names[REHA_MUSCLE_DEEP_ANGLE]));
    json_t *errors = json_pack("{s:o, s:o, s:o}", "fascicle_angle_deg",
                               reha_json_real(p95_of(metrics, figure_names[REHA_MUSCLE_FASCICLE_ANGLE])),
                               "aponeurosis_angle_deg", reha_json_real(aponeurosis), "thickness_ratio",
                               reha_json_real(p95_of(metrics, figure_names[REHA_MUSCLE_THICKNESS])));
    const double pieces =
        reha_json_number(json_object_get(model->card, "measurement_error_95"), "fascicle_pieces_deg", 0.0);
    reha_status status = REHA_OK;
    if (pieces > 0.0) { /* not fitted here: how the error grows where few fascicles are seen */
        (void)json_object_set_new(errors, "fascicle_pieces_deg", json_real(pieces));
    }
    if (json_object_set_new(model->card, "measurement_error_95", errors) != 0 ||
        json_object_set(model->card, "metrics", metrics) != 0 ||
        json_object_set_new(metrics, "split", json_string(options->split != NULL ? options->split : "all")) !=
            0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the card");
    } else {
        status = reha_muscle_card_save(model_folder, model->card, err);
    }
    if (status != REHA_OK) {
        json_decref(*report);
        *report = NULL;
    }
    return status;
}
