/* The analysis as JSON: schema in docs/formats/analysis.md. One place writes the numbers: a value that is
 * not known is null, never 0 and never left out. */
#include "recognition/finding.h"

#include "recognition/muscle_us.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SCHEMA_VERSION = 1 };

/* json_object_set_new refuses NULL and bytes that are not UTF-8, so one check at the end catches both. */
typedef struct writer {
    bool failed;
} writer;

static json_t *object(writer *w)
{
    json_t *value = json_object();
    w->failed = w->failed || value == NULL;
    return value;
}

static json_t *array(writer *w)
{
    json_t *value = json_array();
    w->failed = w->failed || value == NULL;
    return value;
}

static void put(writer *w, json_t *to, const char *key, json_t *value)
{
    if (json_object_set_new(to, key, value) != 0) {
        w->failed = true;
    }
}

static void append(writer *w, json_t *to, json_t *value)
{
    if (json_array_append_new(to, value) != 0) {
        w->failed = true;
    }
}

/* Empty texts are null. Bytes that are not UTF-8 (a device name of a careless DICOM writer) become '?'. */
static json_t *text_or_null(const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return json_null();
    }
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    char clean[512];
    size_t used = 0;
    for (; text[used] != '\0' && used + 1 < sizeof clean; used++) {
        const unsigned char byte = (unsigned char)text[used];
        clean[used] = byte < 0x80U ? (char)byte : '?';
    }
    clean[used] = '\0';
    return json_string(clean);
}

static json_t *box_json(writer *w, reha_box_px box)
{
    json_t *to = object(w);
    put(w, to, "x_px", reha_json_real(box.x_px));
    put(w, to, "y_px", reha_json_real(box.y_px));
    put(w, to, "width_px", reha_json_real(box.width_px));
    put(w, to, "height_px", reha_json_real(box.height_px));
    return to;
}

static json_t *notes_json(writer *w, const reha_note *notes, int count)
{
    static const char *const levels[] = {"info", "repaired", "warning", "refused"};
    json_t *to = array(w);
    for (int i = 0; i < count; i++) {
        json_t *note = object(w);
        put(w, note, "level", json_string(levels[notes[i].level]));
        put(w, note, "code", text_or_null(notes[i].code));
        put(w, note, "text", text_or_null(notes[i].text));
        append(w, to, note);
    }
    return to;
}

static json_t *measure_json(writer *w, const reha_measure *measure)
{
    if (measure->unit == NULL || measure->unit[0] == '\0') {
        return json_null();
    }
    json_t *to = object(w);
    put(w, to, "value", reha_json_real(measure->value));
    put(w, to, "unit", json_string(measure->unit));
    put(w, to, "error_95", reha_json_real(measure->error));
    put(w, to, "error_source", text_or_null(measure->error_source));
    put(w, to, "source", text_or_null(measure->source));
    return to;
}

static json_t *code_json(writer *w, const reha_code *code)
{
    if (code->code == NULL || code->code[0] == '\0') {
        return json_null();
    }
    json_t *to = object(w);
    put(w, to, "system", text_or_null(code->system));
    put(w, to, "code", text_or_null(code->code));
    put(w, to, "display", text_or_null(code->display));
    return to;
}

static json_t *grading_json(writer *w, const reha_finding *finding)
{
    if (finding->class_count <= 0) {
        return json_null();
    }
    json_t *to = object(w);
    json_t *probabilities = array(w);
    for (int k = 0; k < finding->class_count && k < REHA_CLASSES_MAX; k++) {
        append(w, probabilities, reha_json_real(finding->class_probabilities[k]));
    }
    put(w, to, "grade", finding->grade >= 0 ? json_integer(finding->grade) : json_null());
    put(w, to, "probabilities", probabilities);
    put(w, to, "expected_grade", reha_json_real(finding->expected_grade));
    json_t *set = json_null();
    if (finding->set_low >= 0) {
        set = object(w);
        put(w, set, "low", json_integer(finding->set_low));
        put(w, set, "high", json_integer(finding->set_high));
        put(w, set, "coverage", reha_json_real(finding->set_coverage));
    }
    put(w, to, "prediction_set", set);
    return to;
}

static json_t *finding_json(writer *w, const reha_finding *finding)
{
    json_t *to = object(w);
    put(w, to, "key", text_or_null(finding->key));
    put(w, to, "label", text_or_null(finding->label));
    put(w, to, "code", code_json(w, &finding->code));
    put(w, to, "probability", reha_json_real(finding->probability));
    put(w, to, "grading", grading_json(w, finding));
    put(w, to, "measure", measure_json(w, &finding->measure));
    put(w, to, "region", finding->has_region ? box_json(w, finding->region) : json_null());
    put(w, to, "evidence", text_or_null(finding->evidence));
    put(w, to, "research_only", json_boolean(finding->research_only));
    return to;
}

static json_t *point_json(writer *w, reha_point_px at)
{
    if (!isfinite(at.x_px) || !isfinite(at.y_px)) {
        return json_null();
    }
    json_t *point = array(w);
    append(w, point, reha_json_real(at.x_px));
    append(w, point, reha_json_real(at.y_px));
    return point;
}

static json_t *profile_json(writer *w, const reha_region *region)
{
    if (region->profile_count <= 0) {
        return json_null();
    }
    json_t *to = object(w);
    json_t *places = array(w);
    json_t *widths = array(w);
    for (int i = 0; i < region->profile_count && i < REHA_PROFILE_MAX; i++) {
        append(w, places, reha_json_real(region->profile_x_ratio[i]));
        append(w, widths, reha_json_real(region->profile_width[i]));
    }
    put(w, to, "unit", text_or_null(region->profile_unit));
    put(w, to, "x_ratio", places);
    put(w, to, "width", widths);
    if (region->has_profile_edges) {
        json_t *upper = array(w);
        json_t *lower = array(w);
        for (int i = 0; i < region->profile_count && i < REHA_PROFILE_MAX; i++) {
            append(w, upper, point_json(w, region->profile_upper[i]));
            append(w, lower, point_json(w, region->profile_lower[i]));
        }
        put(w, to, "upper_px", upper);
        put(w, to, "lower_px", lower);
    }
    return to;
}

static json_t *explanation_json(writer *w, const reha_region *region)
{
    if (region->explanation == NULL) {
        return json_null();
    }
    json_t *to = object(w);
    put(w, to, "box", box_json(w, region->explanation_box));
    put(w, to, "angle_deg", reha_json_real(region->explanation_angle_deg));
    put(w, to, "width_px", json_integer((json_int_t)region->explanation->width_px));
    put(w, to, "height_px", json_integer((json_int_t)region->explanation->height_px));
    return to;
}

static json_t *region_json(writer *w, const reha_region *region)
{
    json_t *to = object(w);
    put(w, to, "accepted", json_boolean(region->is_accepted));
    put(w, to, "side", json_string(reha_side_text(region->side)));
    put(w, to, "side_source", text_or_null(region->side_source));
    put(w, to, "box", box_json(w, region->box));
    put(w, to, "certainty", reha_json_real(region->certainty));
    put(w, to, "notes", notes_json(w, region->notes, region->note_count));
    json_t *findings = array(w);
    for (int i = 0; i < region->finding_count; i++) {
        append(w, findings, finding_json(w, &region->findings[i]));
    }
    put(w, to, "findings", findings);
    json_t *points = array(w);
    for (int i = 0; i < region->point_count && i < REHA_POINTS_MAX; i++) {
        append(w, points, point_json(w, region->points[i]));
    }
    put(w, to, "landmarks_px", points);
    put(w, to, "joint_space_profile", region->profile_is_thickness ? json_null() : profile_json(w, region));
    put(w, to, "thickness_profile", region->profile_is_thickness ? profile_json(w, region) : json_null());
    put(w, to, "explanation", explanation_json(w, region));
    return to;
}

/* "fascicle-angle" in degrees is fascicle_angle_deg; a key that ends with its unit, as thickness-px, keeps
 * it. */
static void measurement_name(const reha_finding *finding, char *name, size_t size)
{
    static const char *const suffixes[] = {"mm", "px", "deg", "mm2", "px2"};
    (void)snprintf(name, size, "%s", finding->key);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)(*c == '-' ? '_' : *c);
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const size_t length = strlen(name);
        const size_t added = strlen(suffixes[i]);
        const bool has_it = length > added && name[length - added - 1] == '_' &&
                            strcmp(name + length - added, suffixes[i]) == 0;
        if (strcmp(finding->measure.unit, suffixes[i]) == 0 && !has_it) {
            (void)snprintf(name + length, size - length, "_%s", suffixes[i]);
            return;
        }
    }
}

/* The numbers of a region at a glance, for tables: name with unit to value. */
static json_t *measurements_json(writer *w, const reha_region *region)
{
    char name[64];
    json_t *to = object(w);
    for (int i = 0; i < region->finding_count; i++) {
        const reha_finding *finding = &region->findings[i];
        if (finding->measure.unit != NULL && finding->measure.unit[0] != '\0') {
            measurement_name(finding, name, sizeof name);
            put(w, to, name, reha_json_real(finding->measure.value));
        }
    }
    return to;
}

/* A refused picture of a muscle keeps its row in a table: every number is there, and null. */
static json_t *no_measurements_json(writer *w, const reha_analysis *analysis)
{
    if (strcmp(analysis->task, "muscle-us") != 0) {
        return json_null();
    }
    json_t *to = object(w);
    for (const char *const *name = reha_muscle_measurement_names; *name != NULL; name++) {
        put(w, to, *name, json_null());
    }
    return to;
}

static json_t *image_json(writer *w, const reha_analysis *analysis)
{
    const reha_acquisition *facts = &analysis->acquisition;
    const bool is_known = reha_spacing_is_known(analysis->spacing);
    json_t *to = object(w);
    put(w, to, "width_px", json_integer((json_int_t)analysis->width_px));
    put(w, to, "height_px", json_integer((json_int_t)analysis->height_px));
    json_t *spacing = object(w);
    put(w, spacing, "x_mm", is_known ? reha_json_real(analysis->spacing.x_mm) : json_null());
    put(w, spacing, "y_mm", is_known ? reha_json_real(analysis->spacing.y_mm) : json_null());
    put(w, spacing, "source",
        json_string(reha_spacing_source_text(is_known ? analysis->spacing.source : REHA_SPACING_UNKNOWN)));
    put(w, to, "spacing", spacing);
    put(w, to, "container", text_or_null(facts->container));
    put(w, to, "modality", text_or_null(facts->modality));
    put(w, to, "body_part", text_or_null(facts->body_part));
    put(w, to, "view_position", text_or_null(facts->view_position));
    put(w, to, "patient_position", text_or_null(facts->patient_position));
    put(w, to, "side", json_string(reha_side_text(facts->side)));
    put(w, to, "acquired_on", text_or_null(facts->acquired_on));
    put(w, to, "manufacturer", text_or_null(facts->manufacturer));
    put(w, to, "device_model", text_or_null(facts->device_model));
    put(w, to, "transfer_syntax_uid", text_or_null(facts->transfer_syntax_uid));
    put(w, to, "lossy", json_boolean(facts->is_lossy));
    put(w, to, "bits_stored", json_integer((json_int_t)facts->bits_stored));
    put(w, to, "frame_count", json_integer((json_int_t)facts->frame_count));
    put(w, to, "was_inverted", json_boolean(analysis->was_inverted));
    return to;
}

reha_status reha_analysis_to_json(const reha_analysis *analysis, json_t **out, reha_error *err)
{
    writer w = {.failed = false};
    json_t *to = object(&w);
    put(&w, to, "schema", json_integer(SCHEMA_VERSION));
    put(&w, to, "task", text_or_null(analysis->task));
    json_t *model = object(&w);
    put(&w, model, "name", text_or_null(analysis->model_name));
    put(&w, model, "version", text_or_null(analysis->model_version));
    put(&w, model, "hash", text_or_null(analysis->model_hash));
    put(&w, to, "model", model);
    put(&w, to, "image", image_json(&w, analysis));
    put(&w, to, "accepted", json_boolean(analysis->is_accepted));
    put(&w, to, "notes", notes_json(&w, analysis->notes, analysis->note_count));
    json_t *regions = array(&w);
    for (int i = 0; i < analysis->region_count; i++) {
        append(&w, regions, region_json(&w, &analysis->regions[i]));
    }
    put(&w, to, "regions", regions);
    const bool is_single = analysis->region_count == 1 && analysis->regions[0].is_accepted;
    put(&w, to, "measurements",
        is_single ? measurements_json(&w, &analysis->regions[0]) : no_measurements_json(&w, analysis));
    put(&w, to, "analysis_ms", reha_json_real(analysis->analysis_ms));
    *out = to;
    if (w.failed) {
        json_decref(to);
        *out = NULL;
        return reha_fail(err, REHA_E_NOMEM, "out of memory while writing the analysis as JSON");
    }
    return REHA_OK;
}
