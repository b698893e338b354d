#include "recognition/muscle_change_measure.h"

#include "base/memory.h"
#include "recognition/each.h"
#include "recognition/muscle_changes.h"
#include "recognition/muscle_score.h"
#include "recognition/muscle_sheet.h"
#include "recognition/scene.h"
#include "recognition/scene_admit.h"
#include "recognition/scene_tissue.h"

#include <math.h>
#include <string.h>

enum {
    KINDS_MAX = 64,
    RULE_RATIO_PERCENT = 10,
    RULE_DEG = 5
}; /* a change that misleads: thickness, pennation */
static const char TASK[] = "muscle-us";

typedef enum column {
    DICE,             /* aponeuroses, against the mask; a refused picture has none */
    THICKNESS_CHANGE, /* ratio, against the picture's own result; the next three degrees */
    APONEUROSIS_CHANGE,
    FASCICLE_CHANGE,
    PENNATION_CHANGE,
    THICKNESS_ERROR, /* against the mask */
    APONEUROSIS_ERROR,
    FASCICLE_ERROR,
    MEASURED, /* 1: thickness and pennation are there. Shares from here on */
    GATE_REFUSED,
    REFUSED,           /* by the recogniser */
    FLAGGED,           /* a warning about lines or fascicles, or refused by either */
    OUTSIDE_THICKNESS, /* changed by more than both stated errors together */
    OUTSIDE_PENNATION,
    SILENT, /* misleads, and nothing warns */
    COLUMNS
} column;

static const char *const column_names[COLUMNS] = {"dice_aponeurosis",
                                                  "thickness_change_ratio",
                                                  "aponeurosis_change_deg",
                                                  "fascicle_change_deg",
                                                  "pennation_change_deg",
                                                  "thickness_error_ratio",
                                                  "aponeurosis_error_deg",
                                                  "fascicle_error_deg",
                                                  "measured",
                                                  "gate_refused",
                                                  "refused",
                                                  "flagged",
                                                  "thickness_outside",
                                                  "pennation_outside",
                                                  "silent"};

typedef struct outcome { /* of one analysis; NaN: not measured */
    double thickness_mm, thickness_error_mm;
    double superficial_deg, deep_deg, fascicle_deg, pennation_deg, pennation_error_deg,
        pennation_superficial_deg;
    bool is_refused, is_flagged;
} outcome;

typedef struct changes {
    reha_model *model;
    reha_model *gate; /* NULL: none */
    const reha_evaluate_options *options;
    const reha_muscle_data *data;
    double *values; /* kinds x data->count x COLUMNS */
    const reha_muscle_change *kinds[KINDS_MAX];
    size_t kind_count, table_count; /* chosen; that there are */
    reha_muscle_sheet *sheet;       /* NULL: none is asked for */
} changes;

/* Warnings about the fascicle length say nothing of the lines. */
static bool is_about_lines(const reha_note *note)
{
    return note->level == REHA_NOTE_WARNING && strcmp(note->code, "extrapolated") != 0 &&
           strcmp(note->code, "parallel") != 0;
}

static void take(const reha_region *region, const char *key, double *value, double *error)
{
    const reha_finding *finding = reha_region_find(region, key);
    if (finding != NULL) {
        *value = finding->measure.value;
        if (error != NULL) {
            *error = finding->measure.error;
        }
    }
}

static outcome outcome_of(const reha_analysis *analysis, const reha_muscle_case *work)
{
    const double none = (double)NAN;
    outcome out = {
        none, none, none, none, none, none, none, none, !analysis->is_accepted, !analysis->is_accepted};
    if (analysis->is_accepted) {
        const reha_region *region = &analysis->regions[0];
        take(region, "thickness", &out.thickness_mm, &out.thickness_error_mm);
        take(region, "superficial-aponeurosis-angle", &out.superficial_deg, NULL);
        take(region, "deep-aponeurosis-angle", &out.deep_deg, NULL);
        take(region, "fascicle-angle", &out.fascicle_deg, NULL);
        take(region, "pennation", &out.pennation_deg, &out.pennation_error_deg);
        out.pennation_superficial_deg = work->main.pennation_superficial_deg;
        for (int i = 0; i < region->note_count; i++) {
            out.is_flagged = out.is_flagged || is_about_lines(&region->notes[i]);
        }
    }
    return out;
}

static bool is_outside(double change, double error_a, double error_b)
{
    return change > hypot(error_a, error_b);
}

/* What the untouched picture's result is after this change. */
static outcome expected_of(const outcome *own, const reha_muscle_change *change)
{
    outcome out = *own;
    if (change->is_upside_down) {
        out.superficial_deg = own->deep_deg;
        out.deep_deg = own->superficial_deg;
        out.pennation_deg = own->pennation_superficial_deg;
    }
    if (change->is_mirrored || change->is_upside_down) {
        out.superficial_deg = -out.superficial_deg;
        out.deep_deg = -out.deep_deg;
        out.fascicle_deg = -out.fascicle_deg;
    }
    return out;
}

static void compare_outcomes(const outcome *wanted, const outcome *got, bool gate_refused, double *row)
{
    row[THICKNESS_CHANGE] = fabs(got->thickness_mm / wanted->thickness_mm - 1.0);
    row[APONEUROSIS_CHANGE] =
        0.5 * (reha_muscle_angle_between(got->superficial_deg, wanted->superficial_deg) +
               reha_muscle_angle_between(got->deep_deg, wanted->deep_deg));
    row[FASCICLE_CHANGE] = reha_muscle_angle_between(got->fascicle_deg, wanted->fascicle_deg);
    row[PENNATION_CHANGE] = fabs(got->pennation_deg - wanted->pennation_deg);
    const bool has_thickness = isfinite(row[THICKNESS_CHANGE]);
    const bool has_pennation = isfinite(row[PENNATION_CHANGE]);
    row[MEASURED] = isfinite(got->thickness_mm) && isfinite(got->pennation_deg) ? 1.0 : 0.0;
    row[GATE_REFUSED] = gate_refused ? 1.0 : 0.0;
    row[REFUSED] = got->is_refused ? 1.0 : 0.0;
    row[FLAGGED] = got->is_flagged || gate_refused ? 1.0 : 0.0;
    if (has_thickness) {
        const double change = fabs(got->thickness_mm - wanted->thickness_mm);
        row[OUTSIDE_THICKNESS] =
            is_outside(change, got->thickness_error_mm, wanted->thickness_error_mm) ? 1.0 : 0.0;
    }
    if (has_pennation) {
        row[OUTSIDE_PENNATION] =
            is_outside(row[PENNATION_CHANGE], got->pennation_error_deg, wanted->pennation_error_deg) ? 1.0
                                                                                                     : 0.0;
    }
    const bool misleads = (has_thickness && row[THICKNESS_CHANGE] > RULE_RATIO_PERCENT / 100.0) ||
                          (has_pennation && row[PENNATION_CHANGE] > RULE_DEG);
    row[SILENT] = misleads && row[FLAGGED] < 0.5 ? 1.0 : 0.0;
}

/* As service/gatekeeper.h rules; what it would turn over counts as refused: echo is never dark on bright. */
static reha_status is_refused_at_gate(const changes *run, const reha_gray *image, bool *out, reha_error *err)
{
    reha_scene scene;
    bool is_muscle = false;
    *out = false;
    if (run->gate != NULL) {
        const reha_acquisition facts = reha_acquisition_unknown();
        REHA_TRY(reha_scene_look(run->gate, image, &facts, false, &scene, err));
        const reha_scene_admission admission = reha_scene_admit(run->gate, TASK, &scene, &facts);
        const bool is_refused = admission.is_refused || admission.turns_over;
        REHA_TRY(reha_scene_look_at_tissue(run->gate, image, &facts, TASK, is_refused, &is_muscle, err));
        *out = is_refused && !is_muscle;
    }
    return REHA_OK;
}

static reha_status measure_changed(changes *run, const reha_muscle_item *item,
                                   const reha_muscle_change *change, const reha_gray *image,
                                   const reha_gray *mask, outcome *own, double *row, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_analysis *analysis = NULL;
    bool gate_refused = false;
    double scores[REHA_MUSCLE_FIGURES];
    const reha_acquisition facts = reha_acquisition_unknown();
    reha_muscle_case work = {.model = run->model, .image = image};
    REHA_CHECK(is_refused_at_gate(run, image, &gate_refused, err));
    REHA_CHECK(reha_muscle_case_analyse(&work, &facts, NULL, &analysis, err));
    const outcome got = outcome_of(analysis, &work);
    if (change == reha_muscle_changes) {
        *own = got;
    }
    const outcome wanted = expected_of(own, change);
    compare_outcomes(&wanted, &got, gate_refused, row);
    if (!got.is_refused) {
        REHA_CHECK(reha_muscle_score(&work, item->structure, mask, scores, err));
        row[DICE] = scores[REHA_MUSCLE_DICE_APONEUROSIS];
        row[THICKNESS_ERROR] = scores[REHA_MUSCLE_THICKNESS];
        row[APONEUROSIS_ERROR] =
            0.5 * (scores[REHA_MUSCLE_SUPERFICIAL_ANGLE] + scores[REHA_MUSCLE_DEEP_ANGLE]);
        row[FASCICLE_ERROR] = scores[REHA_MUSCLE_FASCICLE_ANGLE];
    }
    if (run->sheet != NULL) {
        reha_muscle_sheet_add(run->sheet, change->name, image, analysis);
    }
done:
    reha_muscle_case_clear(&work);
    reha_analysis_free(analysis);
    return status;
}

/* The tissue and the belly's rows in the untouched picture, in whole pixels. */
static reha_status describe_scan(const changes *run, const reha_gray *image, const reha_gray *mask,
                                 reha_muscle_scan *out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_muscle_case work = {.model = run->model, .image = image};
    REHA_CHECK(reha_muscle_case_read(&work, err));
    const double left = floor(fmax(0.0, work.frame.box.x_px));
    const double top = floor(fmax(0.0, work.frame.box.y_px));
    const double right = floor(fmin(image->width_px, work.frame.box.x_px + work.frame.box.width_px));
    const double bottom = floor(fmin(image->height_px, work.frame.box.y_px + work.frame.box.height_px));
    *out = (reha_muscle_scan){.image = image, .mask = mask, .box = {left, top, right - left, bottom - top}};
    const double middle = left + 0.5 * (right - left);
    out->top_px = work.main.has_superficial ? reha_muscle_curve_at(&work.main.superficial, middle) : top;
    out->bottom_px = top + 0.7 * (bottom - top);
    if (work.main.has_deep) { /* at its lowest place, so that a cut depth keeps all of it */
        out->bottom_px = fmax(
            reha_muscle_curve_at(&work.main.deep, middle),
            fmax(reha_muscle_curve_at(&work.main.deep, left), reha_muscle_curve_at(&work.main.deep, right)));
    }
done:
    reha_muscle_case_clear(&work);
    return status;
}

static reha_status load_pair(const changes *run, const reha_muscle_item *item, reha_gray **image,
                             reha_gray **mask, reha_error *err)
{
    const reha_load_function load = run->options->load != NULL ? run->options->load : reha_load_picture;
    REHA_TRY(reha_muscle_item_open(item, load, image, mask, err));
    if (!reha_spacing_is_known((*image)->spacing)) {
        (*image)->spacing = (reha_spacing){1.0, 1.0, REHA_SPACING_USER};
    }
    (*mask)->spacing = (*image)->spacing;
    return REHA_OK;
}

static reha_status measure_item(void *context, size_t index, reha_error *err)
{
    changes *run = context;
    reha_status status = REHA_OK;
    const reha_muscle_item *item = &run->data->items[index];
    reha_gray *image = NULL;
    reha_gray *mask = NULL;
    reha_gray *changed = NULL;
    reha_gray *changed_mask = NULL;
    reha_muscle_scan scan;
    outcome own = {0};
    REHA_CHECK(load_pair(run, item, &image, &mask, err));
    REHA_CHECK(describe_scan(run, image, mask, &scan, err));
    for (size_t k = 0; k < run->kind_count; k++) {
        double *row = run->values + (k * run->data->count + index) * COLUMNS;
        reha_random random = reha_random_init(
            run->options->seed, index * run->table_count + (size_t)(run->kinds[k] - reha_muscle_changes) + 1);
        for (int c = 0; c < COLUMNS; c++) {
            row[c] = (double)NAN;
        }
        REHA_CHECK(reha_muscle_change_make(run->kinds[k], &scan, &random, &changed, &changed_mask, err));
        REHA_CHECK(measure_changed(run, item, run->kinds[k], changed, changed_mask, &own, row, err));
        reha_gray_free(changed);
        reha_gray_free(changed_mask);
        changed = changed_mask = NULL;
    }
    if (run->sheet != NULL) { /* the first picture's */
        status = reha_muscle_sheet_save(run->sheet, run->options->sheet_path, err);
        reha_muscle_sheet_free(run->sheet);
        run->sheet = NULL;
    }
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    reha_gray_free(changed);
    reha_gray_free(changed_mask);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", item->image);
    }
    return status;
}

static reha_status make_report(const changes *run, json_t **out, reha_error *err)
{
    *out = json_array();
    for (size_t k = 0; k < run->kind_count; k++) {
        const reha_muscle_table table = {.data = run->data,
                                         .values = run->values + k * run->data->count * COLUMNS,
                                         .stride = COLUMNS,
                                         .bootstrap_rounds = run->options->bootstrap_rounds,
                                         .seed = run->options->seed};
        json_t *one = json_pack("{s:s, s:s, s:i}", "name", run->kinds[k]->name, "text", run->kinds[k]->text,
                                "n", (int)run->data->count);
        for (size_t c = 0; c < COLUMNS; c++) {
            if (c != GATE_REFUSED || run->gate != NULL) {
                (void)json_object_set_new(one, column_names[c], reha_muscle_estimate(&table, c));
            }
        }
        if (json_array_append_new(*out, one) != 0) {
            json_decref(*out);
            *out = NULL;
            return reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
        }
    }
    return REHA_OK;
}

/* A clinic's own model without a gate beside it is measured without one. */
static reha_status open_gate(changes *run, reha_error *err)
{
    char *folder = NULL;
    if (run->model->models_folder == NULL ||
        reha_model_folder(run->model->models_folder, reha_recogniser_gate.name, &folder, NULL) != REHA_OK) {
        return REHA_OK;
    }
    const reha_model_options how = {.model_folder = folder, .threads = 1};
    const reha_status status = reha_recogniser_gate.open(&how, &run->gate, err);
    reha_free(folder);
    return status;
}

/* The first always: what the others are compared with. */
static reha_status choose_kinds(changes *run, reha_error *err)
{
    const char *rest = run->options->changes;
    const bool takes_all = strcmp(rest, "all") == 0;
    for (const reha_muscle_change *c = reha_muscle_changes; c->name != NULL && run->kind_count < KINDS_MAX;
         c++) {
        if (takes_all || c == reha_muscle_changes) {
            run->kinds[run->kind_count++] = c;
        }
        run->table_count++;
    }
    while (!takes_all && *rest != '\0') {
        const size_t length = strcspn(rest, ",");
        const reha_muscle_change *c = reha_muscle_changes;
        while (c->name != NULL && (strlen(c->name) != length || strncmp(c->name, rest, length) != 0)) {
            c++;
        }
        if (c->name == NULL || run->kind_count == KINDS_MAX) {
            return reha_fail(err, REHA_E_ARG,
                             "no look is called '%.*s': give 'all', or names like gain-low,screen,depth-0.6",
                             (int)(length < 40 ? length : 40), rest);
        }
        if (c != reha_muscle_changes) {
            run->kinds[run->kind_count++] = c;
        }
        rest += length + (rest[length] == ',' ? 1 : 0);
    }
    return REHA_OK;
}

reha_status reha_muscle_measure_changes(reha_model *model, const reha_evaluate_options *options,
                                        const reha_muscle_data *data, const reha_progress *progress,
                                        json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    changes run = {.model = model, .options = options, .data = data};
    *out = NULL;
    REHA_TRY(choose_kinds(&run, err));
    run.values = reha_alloc(run.kind_count * data->count * COLUMNS * sizeof *run.values);
    if (run.values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu results", run.kind_count * data->count);
    }
    REHA_CHECK(open_gate(&run, err));
    if (options->sheet_path != NULL) {
        REHA_CHECK(reha_muscle_sheet_new(run.kind_count, &run.sheet, err));
    }
    REHA_CHECK(reha_each(data->count, "changed images", progress, measure_item, &run, err));
    status = make_report(&run, out, err);
done:
    reha_muscle_sheet_free(run.sheet);
    reha_recogniser_gate.close(run.gate);
    reha_free(run.values);
    return status;
}
