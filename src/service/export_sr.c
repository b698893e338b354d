#include "service/export_sr_priv.h"

#include "base/memory.h"
#include "service/clinic_report_priv.h"
#include "service/export_objects_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES = 600, POINTS_MAX = 200, RUN_MIN = 2 };

static const reha_sr_concept COMMENT = {"121106", "DCM", "Comment"};

void reha_export_local(const char *time, char out[REHA_LOCAL_BYTES])
{
    enum { FIELDS = 6, YEAR_ZERO = 1900 };
    struct tm at = {.tm_isdst = 0};
    out[0] = '\0';
    if (sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour, &at.tm_min,
               &at.tm_sec) != FIELDS) {
        return;
    }
    at.tm_year -= YEAR_ZERO;
    at.tm_mon -= 1;
    const time_t when = timegm(&at);
    if (localtime_r(&when, &at) == NULL || strftime(out, REHA_LOCAL_BYTES, "%Y%m%d%H%M%S", &at) == 0) {
        out[0] = '\0';
    }
}

static void put_text(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        reha_sr_text(sr, relation, name, text);
        reha_sr_end(sr);
    }
}

static void put_code(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, reha_sr_concept value)
{
    reha_sr_code(sr, relation, name, value);
    reha_sr_end(sr);
}

/* ---- who and what (TID 1204, 1001, 1600) ---- */

static void put_observers(reha_sr *sr, const reha_export_source *source, const reha_dicom_object *object)
{
    char uid[EXPORT_UID_BYTES];
    const reha_sr_concept type = export_dcm("121005", "Observer Type");
    const json_t *signature = json_object_get(source->study, "signature");
    if (report_is_signed(source->study)) {
        put_code(sr, REHA_SR_HAS_OBS_CONTEXT, type, export_dcm("121006", "Person"));
        reha_sr_person(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("121008", "Person Observer Name"),
                       reha_json_string(signature, "user_name", ""));
        reha_sr_end(sr);
        put_text(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("121009", "Person Observer's Organization Name"),
                 source->clinic_name);
    }
    export_uid_of("device", object->software, uid);
    put_code(sr, REHA_SR_HAS_OBS_CONTEXT, type, export_dcm("121007", "Device"));
    reha_sr_uid(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("121012", "Device Observer UID"), uid);
    reha_sr_end(sr);
    put_text(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("121013", "Device Observer Name"), object->software);
    put_text(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("121014", "Device Observer Manufacturer"), "Rehascope");
    put_text(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("121015", "Device Observer Model Name"), "rehascope");
}

static const struct {
    const char *modality, *meaning, *procedure, *procedure_meaning; /* CID 29; SNOMED CT */
} MODALITIES[] = {{"CR", "Computed Radiography", "168537006", "Plain radiography"},
                  {"DX", "Digital Radiography", "168537006", "Plain radiography"},
                  {"RG", "Radiographic imaging", "168537006", "Plain radiography"},
                  {"US", "Ultrasound", "16310003", "Ultrasonography"},
                  {"MR", "Magnetic Resonance", "113091000", "Magnetic resonance imaging"},
                  {"CT", "Computed Tomography", "77477000", "Computed tomography"},
                  {"OT", "Other Modality", "363679005", "Imaging"}};
enum { MODALITY_COUNT = sizeof MODALITIES / sizeof MODALITIES[0] };

static size_t find_modality(const char *modality)
{
    for (size_t i = 0; i < MODALITY_COUNT; i++) {
        if (strcmp(MODALITIES[i].modality, modality) == 0) {
            return i;
        }
    }
    return MODALITY_COUNT - 1;
}

static reha_sr_concept laterality_of(const char *side)
{
    return strcmp(side, "right") == 0  ? export_sct("24028007", "Right")
           : strcmp(side, "left") == 0 ? export_sct("7771000", "Left")
                                       : export_sct("51440002", "Right and left");
}

static bool has_side(const char *side)
{
    return strcmp(side, "right") == 0 || strcmp(side, "left") == 0 || strcmp(side, "both") == 0;
}

static void put_library_entry(reha_sr *sr, const json_t *image, const reha_dicom_origin *origin)
{
    const size_t modality = find_modality(origin->modality);
    const reha_sr_concept pixels = {"{pixels}", "UCUM", "pixels"};
    const char *side = reha_json_string(image, "side", "unknown");
    reha_sr_image(sr, REHA_SR_CONTAINS, NULL, origin);
    put_code(sr, REHA_SR_HAS_ACQ_CONTEXT, export_dcm("121139", "Modality"),
             export_dcm(MODALITIES[modality].modality, MODALITIES[modality].meaning));
    if (has_side(side)) {
        put_code(sr, REHA_SR_HAS_ACQ_CONTEXT, export_dcm("111027", "Image Laterality"), laterality_of(side));
    }
    reha_sr_number(sr, REHA_SR_HAS_ACQ_CONTEXT, export_dcm("110910", "Pixel Data Rows"), origin->height_px,
                   pixels);
    reha_sr_end(sr);
    reha_sr_number(sr, REHA_SR_HAS_ACQ_CONTEXT, export_dcm("110911", "Pixel Data Columns"), origin->width_px,
                   pixels);
    reha_sr_end(sr);
    reha_sr_end(sr);
}

static void put_library(reha_sr *sr, const reha_export_source *source)
{
    const json_t *images = json_object_get(source->study, "images");
    reha_sr_container(sr, REHA_SR_CONTAINS, export_dcm("111028", "Image Library"), "1600");
    reha_sr_container(sr, REHA_SR_CONTAINS, export_dcm("126200", "Image Library Group"), NULL);
    for (size_t i = 0; i < json_array_size(images); i++) {
        put_library_entry(sr, json_array_get(images, i), &source->origins[i]);
    }
    reha_sr_end(sr);
    reha_sr_end(sr);
}

/* ---- where ---- */

static reha_point_px cut_to(double x_px, double y_px, const reha_dicom_origin *image)
{
    return (reha_point_px){fmin(fmax(x_px, -0.5), image->width_px - 0.5),
                           fmin(fmax(y_px, -0.5), image->height_px - 0.5)};
}

static void put_shape(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, reha_sr_shape shape,
                      const reha_point_px *points, size_t count, const reha_dicom_origin *image)
{
    reha_sr_coordinates(sr, relation, name, shape, points, count);
    reha_sr_image(sr, REHA_SR_SELECTED_FROM, NULL, image);
    reha_sr_end(sr);
    reha_sr_end(sr);
}

void export_sr_box(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const json_t *box,
                   const reha_dicom_origin *image)
{
    const double x = reha_json_number(box, "x_px", 0.0);
    const double y = reha_json_number(box, "y_px", 0.0);
    const reha_point_px low = cut_to(x, y, image);
    const reha_point_px high = cut_to(x + reha_json_number(box, "width_px", 0.0),
                                      y + reha_json_number(box, "height_px", 0.0), image);
    const reha_point_px corners[] = {low, {high.x_px, low.y_px}, high, {low.x_px, high.y_px}, low};
    if (high.x_px > low.x_px && high.y_px > low.y_px) {
        put_shape(sr, relation, name, REHA_SR_POLYLINE, corners, sizeof corners / sizeof corners[0], image);
    }
}

/* Runs of points without a gap, as lines of their own: [[x, y], null, ...]. */
static void put_line(reha_sr *sr, const char *code, const char *meaning, const json_t *line,
                     const reha_dicom_origin *image)
{
    reha_point_px points[POINTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i <= json_array_size(line); i++) {
        const json_t *at = json_array_get(line, i);
        if (json_array_size(at) == 2 && count < POINTS_MAX) {
            points[count++] = cut_to(json_number_value(json_array_get(at, 0)),
                                     json_number_value(json_array_get(at, 1)), image);
            continue;
        }
        if (count >= RUN_MIN) {
            put_shape(sr, REHA_SR_CONTAINS, export_own(code, meaning), REHA_SR_POLYLINE, points, count,
                      image);
        }
        count = 0;
    }
}

static void put_landmarks(reha_sr *sr, const json_t *region, const reha_dicom_origin *image)
{
    const json_t *landmarks = json_object_get(region, "landmarks_px");
    reha_point_px points[POINTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(landmarks) && count < POINTS_MAX; i++) {
        const json_t *at = json_array_get(landmarks, i);
        if (json_array_size(at) == 2) {
            points[count++] = cut_to(json_number_value(json_array_get(at, 0)),
                                     json_number_value(json_array_get(at, 1)), image);
        }
    }
    if (count > 0) {
        put_shape(sr, REHA_SR_CONTAINS, export_own("landmarks", "Landmarks"), REHA_SR_MULTIPOINT, points,
                  count, image);
    }
}

static void put_places(reha_sr *sr, const json_t *region, const reha_dicom_origin *image)
{
    const json_t *joint = json_object_get(region, "joint_space_profile");
    const json_t *muscle = json_object_get(region, "thickness_profile");
    put_landmarks(sr, region, image);
    put_line(sr, "joint-line-upper", "Joint space, upper edge", json_object_get(joint, "upper_px"), image);
    put_line(sr, "joint-line-lower", "Joint space, lower edge", json_object_get(joint, "lower_px"), image);
    put_line(sr, "muscle-upper", "Muscle, upper edge", json_object_get(muscle, "upper_px"), image);
    put_line(sr, "muscle-lower", "Muscle, lower edge", json_object_get(muscle, "lower_px"), image);
}

/* ---- measurement groups (TID 1410 where there is a region, else TID 1501) ---- */

static void put_tracking(reha_sr *sr, const char *title, const char *id)
{
    char uid[EXPORT_UID_BYTES];
    export_uid_of("tracking", id, uid);
    put_text(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("112039", "Tracking Identifier"), title);
    reha_sr_uid(sr, REHA_SR_HAS_OBS_CONTEXT, export_dcm("112040", "Tracking Unique Identifier"), uid);
    reha_sr_end(sr);
}

/* TID 4019: which network, and exactly which one. */
static void put_algorithm(reha_sr *sr, const json_t *result)
{
    char text[LINE_BYTES];
    put_text(sr, REHA_SR_HAS_CONCEPT_MOD, export_dcm("111001", "Algorithm Name"),
             reha_json_string(result, "model", reha_json_string(result, "task", "unknown")));
    put_text(sr, REHA_SR_HAS_CONCEPT_MOD, export_dcm("111003", "Algorithm Version"),
             reha_json_string(result, "model_version", "unknown"));
    (void)snprintf(text, sizeof text, "model sha256=%.64s",
                   reha_json_string(result, "model_hash", "unknown"));
    put_text(sr, REHA_SR_HAS_CONCEPT_MOD, export_dcm("111002", "Algorithm Parameters"), text);
    (void)snprintf(text, sizeof text, "task=%.39s; asked for by name=%s; software=%.60s; image sha256=%.64s",
                   reha_json_string(result, "task", ""),
                   json_is_true(json_object_get(result, "asked")) ? "yes" : "no",
                   reha_json_string(result, "software", ""), reha_json_string(result, "input_digest", ""));
    put_text(sr, REHA_SR_HAS_CONCEPT_MOD, export_dcm("111002", "Algorithm Parameters"), text);
}

static void put_site(reha_sr *sr, const json_t *result, const json_t *region)
{
    const char *task = reha_json_string(result, "task", "");
    const char *side = reha_json_string(region, "side", "unknown");
    const bool is_knee = strncmp(task, "knee", 4) == 0 || strcmp(task, "bone-density") == 0;
    const bool is_muscle = strncmp(task, "muscle", 6) == 0;
    reha_sr_code(sr, REHA_SR_HAS_CONCEPT_MOD, export_sct("363698007", "Finding Site"),
                 is_knee     ? export_sct("49076000", "Knee joint")
                 : is_muscle ? export_sct("91727004", "Skeletal muscle")
                             : export_sct("26107004", "Musculoskeletal system"));
    if (has_side(side)) {
        put_code(sr, REHA_SR_HAS_CONCEPT_MOD, export_sct("272741003", "Laterality"), laterality_of(side));
    }
    reha_sr_end(sr);
}

static void put_notes(reha_sr *sr, const json_t *notes)
{
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const json_t *note = json_array_get(notes, i);
        char text[LINE_BYTES];
        (void)snprintf(text, sizeof text, "%.20s: %.500s", reha_json_string(note, "level", "note"),
                       reha_json_string(note, "text", ""));
        put_text(sr, REHA_SR_CONTAINS, COMMENT, text);
    }
}

static void open_group(reha_sr *sr, const char *title, const char *id, bool has_region)
{
    reha_sr_container(sr, REHA_SR_CONTAINS, export_dcm("125007", "Measurement Group"),
                      has_region ? "1410" : "1501");
    put_tracking(sr, title, id);
}

static void put_source_image(reha_sr *sr, const reha_dicom_origin *image)
{
    const reha_sr_concept name = export_sct("260753009", "Source");
    reha_sr_image(sr, REHA_SR_CONTAINS, &name, image);
    reha_sr_end(sr);
}

static void put_region(reha_sr *sr, const json_t *result, size_t region_idx, const reha_dicom_origin *image)
{
    char title[LINE_BYTES];
    char task[LINE_BYTES];
    char id[100];
    const json_t *analysis = json_object_get(result, "analysis");
    const json_t *region = json_array_get(json_object_get(analysis, "regions"), region_idx);
    const json_t *findings = json_object_get(region, "findings");
    const json_t *box = json_object_get(region, "box");
    const bool has_box =
        reha_json_number(box, "width_px", 0.0) > 0.0 && reha_json_number(box, "height_px", 0.0) > 0.0;
    report_region_title(analysis, region_idx, title, sizeof title);
    report_task(result, task, sizeof task);
    (void)snprintf(title + strlen(title), sizeof title - strlen(title), ": %.300s", task);
    (void)snprintf(id, sizeof id, "%.64s/%zu", reha_json_string(result, "id", ""), region_idx);
    open_group(sr, title, id, has_box);
    put_algorithm(sr, result);
    put_site(sr, result, region);
    if (has_box) {
        export_sr_box(sr, REHA_SR_CONTAINS, export_dcm("111030", "Image Region"), box, image);
    } else {
        put_source_image(sr, image);
    }
    if (!json_is_true(json_object_get(region, "accepted"))) {
        put_code(sr, REHA_SR_CONTAINS, export_own("gate", "Judgement of the image"),
                 export_own("refused", "Refused: not analysed"));
    }
    for (size_t i = 0; i < json_array_size(findings); i++) {
        export_sr_finding(sr, result, (int)region_idx, json_array_get(findings, i), image);
    }
    put_places(sr, region, image);
    put_notes(sr, json_object_get(region, "notes"));
    reha_sr_end(sr);
}

/* What is said of the image as a whole: a refusal, above all. */
static void put_whole(reha_sr *sr, const json_t *result, const reha_dicom_origin *image)
{
    char title[LINE_BYTES];
    const json_t *analysis = json_object_get(result, "analysis");
    const bool is_accepted = json_is_true(json_object_get(analysis, "accepted"));
    const json_t *notes = json_object_get(analysis, "notes");
    if (is_accepted && json_array_size(notes) == 0) {
        return;
    }
    report_task(result, title, sizeof title);
    open_group(sr, title, reha_json_string(result, "id", ""), false);
    put_algorithm(sr, result);
    put_source_image(sr, image);
    put_code(sr, REHA_SR_CONTAINS, export_own("gate", "Judgement of the image"),
             is_accepted ? export_own("analysed", "Analysed")
                         : export_own("refused", "Refused: not analysed"));
    put_notes(sr, notes);
    reha_sr_end(sr);
}

static void put_set_aside(reha_sr *sr, const json_t *aside, const reha_dicom_origin *image)
{
    char text[REPORT_LINE_BYTES];
    report_set_aside(aside, text);
    open_group(sr, "Set aside", reha_json_string(aside, "result_id", ""), false);
    put_source_image(sr, image);
    put_code(sr, REHA_SR_CONTAINS, export_own("standing", "Standing of a result"),
             export_own("set-aside", "Set aside: asked for by mistake, of no effect"));
    put_text(sr, REHA_SR_CONTAINS, COMMENT, text);
    reha_sr_end(sr);
}

static void put_no_result(reha_sr *sr, const json_t *image, const reha_dicom_origin *origin)
{
    char text[LINE_BYTES];
    report_no_result(image, text, sizeof text);
    open_group(sr, "No result", origin->ids.sop_instance_uid, false);
    put_source_image(sr, origin);
    put_code(sr, REHA_SR_CONTAINS, export_own("gate", "Judgement of the image"),
             export_own("no-result", "No result stands"));
    put_text(sr, REHA_SR_CONTAINS, COMMENT, text);
    reha_sr_end(sr);
}

static void put_image(reha_sr *sr, const json_t *image, const reha_dicom_origin *origin)
{
    const json_t *results = json_object_get(image, "results");
    const json_t *asides = json_object_get(image, "set_aside");
    if (json_array_size(results) == 0) {
        put_no_result(sr, image, origin);
    }
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
        put_whole(sr, result, origin);
        for (size_t k = 0; k < json_array_size(regions); k++) {
            put_region(sr, result, k, origin);
        }
    }
    for (size_t i = 0; i < json_array_size(asides); i++) {
        put_set_aside(sr, json_array_get(asides, i), origin);
    }
}

/* ---- the document ---- */

static void put_tree(reha_sr *sr, const reha_export_source *source, const reha_dicom_object *object)
{
    char banner[LINE_BYTES];
    const json_t *images = json_object_get(source->study, "images");
    const size_t modality = find_modality(object->origin->modality);
    put_code(sr, REHA_SR_HAS_CONCEPT_MOD, export_dcm("121049", "Language of Content Item and Descendants"),
             (reha_sr_concept){"en", "RFC5646", "English"});
    put_observers(sr, source, object);
    put_code(sr, REHA_SR_HAS_CONCEPT_MOD, export_dcm("121058", "Procedure reported"),
             export_sct(MODALITIES[modality].procedure, MODALITIES[modality].procedure_meaning));
    put_library(sr, source);
    reha_sr_container(sr, REHA_SR_CONTAINS, export_dcm("126010", "Imaging Measurements"), NULL);
    for (size_t i = 0; i < json_array_size(images); i++) {
        put_image(sr, json_array_get(images, i), &source->origins[i]);
    }
    reha_sr_end(sr);
    report_banner(source->study, banner, sizeof banner);
    put_text(sr, REHA_SR_CONTAINS, COMMENT, banner);
    put_text(sr, REHA_SR_CONTAINS, COMMENT,
             reha_json_string(json_object_get(source->study, "signature"), "comment", NULL));
    put_text(sr, REHA_SR_CONTAINS, COMMENT,
             "Decision support: treatment follows symptoms and function, never the picture alone.");
}

reha_status reha_export_sr(const reha_export_source *source, const reha_dicom_object *object, uint8_t **out,
                           size_t *out_bytes, reha_error *err)
{
    reha_sr *sr = NULL;
    const bool is_signed = report_is_signed(source->study);
    char signed_at[REHA_LOCAL_BYTES];
    const json_t *signature = json_object_get(source->study, "signature");
    reha_export_local(reha_json_string(signature, "signed_at", ""), signed_at);
    const reha_sr_document document = {
        .object = object,
        .verifier_name = is_signed ? reha_json_string(signature, "user_name", "") : NULL,
        .verifier_organization =
            source->clinic_name != NULL && source->clinic_name[0] != '\0' ? source->clinic_name : "unknown",
        .verified_at = signed_at,
        .completeness = is_signed ? NULL : "Not reviewed: no clinician has signed this"};
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(reha_sr_new(export_dcm("126000", "Imaging Measurement Report"), "1500", &sr, err));
    put_tree(sr, source, object);
    const reha_status status = reha_sr_encode(sr, &document, out, out_bytes, err);
    reha_sr_free(sr);
    return status;
}
