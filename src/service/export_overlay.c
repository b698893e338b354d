/* What is drawn over an image: the lines, boxes and words of a result, in layers that a viewer can switch
 * off. */
#include "service/export_objects_priv.h"

#include "dicom/presentation.h"
#include "recognition/muscle_us.h"
#include "service/clinic_report_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 600, TEXT_BYTES = 1600, POINTS_MAX = 128, TIBIA_POINTS = 9, CURVE_POINTS = 16 };

static const reha_ps_layer_look REGION = {"REGION", "What was looked at", 0xd5dbe1};
static const reha_ps_layer_look TIBIA = {"TIBIA", "Landmarks along the tibia", 0xffd23f};
static const reha_ps_layer_look FEMUR = {"FEMUR", "Landmarks along the femur", 0x35c2ff};
static const reha_ps_layer_look SPACE = {"JOINT SPACE", "Edges that the joint space lies between", 0x7ddc96};
static const reha_ps_layer_look WIDTHS = {"WIDTHS", "Narrowest places with width and error", 0xff5a3c};
static const reha_ps_layer_look LINES = {"APONEUROSES", "Facing edges of both aponeuroses", 0xffd23f};
static const reha_ps_layer_look THICKNESS = {"THICKNESS", "Where the thickness was measured", 0x7ddc96};
static const reha_ps_layer_look FASCICLES = {"FASCICLES", "Fascicles that were followed", 0x35c2ff};
static const reha_ps_layer_look SPECIFIC = {"HIGH SPECIFICITY",
                                            "Fracture boxes at the high specificity point", 0xff5a3c};
static const reha_ps_layer_look SENSITIVE = {"HIGH SENSITIVITY",
                                             "Further boxes at the high sensitivity point", 0xffc14d};
static const reha_ps_layer_look INJURY = {"INJURY", "Marked regions (research only)", 0xff5a3c};
static const reha_ps_layer_look PLACES = {"PLACES", "Places of findings", 0xffc14d};
static const reha_ps_layer_look MEASURES = {"MEASURES", "Values that stand, with their errors", 0xffffff};
static const reha_ps_layer_look REJECTED = {"REJECTED", "What a clinician rejected", 0x9aa5b1};
static const reha_ps_layer_look REVIEW = {"NOT REVIEWED", "Nobody has signed these findings", 0xffc14d};

typedef struct drawing {
    reha_ps *ps;
    const json_t *result;
    const json_t *region;
    size_t region_idx, region_count;
    uint32_t width_px, height_px;
} drawing;

/* ---- words ---- */

/* The value that stands: "Minimum joint space width, medial: 3.46 ± 0.43 mm". */
static void say(const report_row *row, char *out, size_t out_bytes)
{
    if (strncmp(row->human, "amended", 7) == 0) {
        (void)snprintf(out, out_bytes, "%s: %s (software: %s)", row->label, row->human, row->software);
    } else if (strncmp(row->human, "rejected", 8) == 0) {
        (void)snprintf(out, out_bytes, "%s: rejected", row->label);
    } else {
        (void)snprintf(out, out_bytes, "%s: %s", row->label, row->software);
    }
}

static bool is_rejected(const report_row *row)
{
    return strncmp(row->human, "rejected", 8) == 0;
}

/* Regions lie from left to right: so do their words, along the lower edge of the screen. */
static reha_box_px share_of(const drawing *on)
{
    const double height = 0.3;
    const double width = 1.0 / (double)on->region_count;
    return (reha_box_px){(double)on->region_idx * width, 1.0 - height, width, height};
}

static void append(char *text, const char *line)
{
    const size_t used = strlen(text);
    (void)snprintf(text + used, TEXT_BYTES - used, "%s%s", used > 0 ? "\n" : "", line);
}

static void write_values(const drawing *on)
{
    const json_t *findings = json_object_get(on->region, "findings");
    char stands[TEXT_BYTES] = "";
    char rejected[TEXT_BYTES] = "";
    char line[LINE_BYTES];
    bool is_research = false;
    report_region_title(json_object_get(on->result, "analysis"), on->region_idx, line, sizeof line);
    append(stands, line);
    append(rejected, line);
    const size_t bare = strlen(rejected);
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const report_row row = report_make_row(on->result, (int)on->region_idx, json_array_get(findings, i));
        if (row.is_measured) {
            say(&row, line, sizeof line);
            append(is_rejected(&row) ? rejected : stands, line);
            is_research = is_research || row.research_only;
        }
    }
    if (strlen(stands) > bare) {
        if (is_research) {
            append(stands, "Research only: for no decision about a patient");
        }
        reha_ps_layer(on->ps, &MEASURES);
        reha_ps_caption(on->ps, stands, share_of(on));
    }
    if (strlen(rejected) > bare) {
        reha_ps_layer(on->ps, &REJECTED);
        reha_ps_caption(on->ps, rejected, (reha_box_px){share_of(on).x_px, 0.1, share_of(on).width_px, 0.2});
    }
}

/* ---- lines ---- */

static bool point_of(const json_t *at, reha_point_px *out)
{
    *out =
        (reha_point_px){json_number_value(json_array_get(at, 0)), json_number_value(json_array_get(at, 1))};
    return json_array_size(at) == 2;
}

/* Landmarks from `first` on, `count` of them or all that are left. */
static void draw_landmarks(const drawing *on, const reha_ps_layer_look *layer, size_t first, size_t count,
                           bool is_closed)
{
    const json_t *landmarks = json_object_get(on->region, "landmarks_px");
    reha_point_px points[POINTS_MAX];
    size_t used = 0;
    for (size_t i = first; i < json_array_size(landmarks) && i - first < count && used < POINTS_MAX; i++) {
        used += point_of(json_array_get(landmarks, i), &points[used]) ? 1 : 0;
    }
    reha_ps_layer(on->ps, layer);
    reha_ps_line(on->ps, points, used, is_closed);
}

static void draw_pairs(const drawing *on, const reha_ps_layer_look *layer, size_t first, size_t end)
{
    for (size_t i = first; i + 1 < end; i += 2) {
        draw_landmarks(on, layer, i, 2, false);
    }
}

/* Runs of points without a gap, as lines of their own: [[x, y], null, ...]. */
static void draw_edge(const drawing *on, const json_t *line)
{
    reha_point_px points[POINTS_MAX];
    size_t used = 0;
    reha_ps_layer(on->ps, &SPACE);
    for (size_t i = 0; i <= json_array_size(line); i++) {
        if (used < POINTS_MAX && i < json_array_size(line) &&
            point_of(json_array_get(line, i), &points[used])) {
            used++;
            continue;
        }
        reha_ps_line(on->ps, points, used, false);
        used = 0;
    }
}

static void draw_box(const drawing *on, const json_t *box)
{
    const double x = reha_json_number(box, "x_px", 0.0);
    const double y = reha_json_number(box, "y_px", 0.0);
    const double right = x + reha_json_number(box, "width_px", 0.0);
    const double bottom = y + reha_json_number(box, "height_px", 0.0);
    const reha_point_px corners[] = {{x, y}, {right, y}, {right, bottom}, {x, bottom}};
    if (right > x && bottom > y) {
        reha_ps_line(on->ps, corners, sizeof corners / sizeof corners[0], true);
    }
}

/* ---- the narrowest places of a joint ---- */

/* The place of the profile, below the box that the finding names, whose width is nearest to the one that is
 * told. */
static bool find_narrowest(const drawing *on, const json_t *finding, reha_point_px ends[2])
{
    const json_t *profile = json_object_get(on->region, "joint_space_profile");
    const json_t *widths = json_object_get(profile, "width");
    const json_t *box = json_object_get(finding, "region");
    const double told = reha_json_number(json_object_get(finding, "measure"), "value", (double)NAN);
    const double left = reha_json_number(box, "x_px", (double)NAN);
    const double right = left + reha_json_number(box, "width_px", 0.0);
    double nearest = INFINITY;
    for (size_t i = 0; i < json_array_size(widths); i++) {
        reha_point_px at[2];
        const json_t *width = json_array_get(widths, i);
        const double off = fabs(json_number_value(width) - told);
        if (json_is_number(width) &&
            point_of(json_array_get(json_object_get(profile, "upper_px"), i), &at[0]) &&
            point_of(json_array_get(json_object_get(profile, "lower_px"), i), &at[1]) && at[1].x_px >= left &&
            at[1].x_px <= right && off < nearest) {
            nearest = off;
            memcpy(ends, at, sizeof at);
        }
    }
    return isfinite(nearest);
}

static bool is_width(const char *key)
{
    return strcmp(key, "jsw-medial-min") == 0 || strcmp(key, "jsw-lateral-min") == 0;
}

static void draw_width(const drawing *on, const json_t *finding, const report_row *row)
{
    reha_point_px ends[2];
    char line[LINE_BYTES];
    if (!find_narrowest(on, finding, ends)) {
        return;
    }
    reha_ps_layer(on->ps, is_rejected(row) ? &REJECTED : &WIDTHS);
    reha_ps_line(on->ps, ends, 2, false);
    say(row, line, sizeof line);
    reha_ps_label(on->ps, line,
                  (reha_point_px){0.5 * (ends[0].x_px + ends[1].x_px), 0.5 * (ends[0].y_px + ends[1].y_px)});
}

/* ---- findings with a place ---- */

static const reha_ps_layer_look *layer_of(const char *key)
{
    static const struct {
        const char *beginning;
        const reha_ps_layer_look *layer;
    } known[] = {{"fracture-", &SPECIFIC}, {"possible-fracture-", &SENSITIVE}, {"lesion-", &INJURY}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(key, known[i].beginning, strlen(known[i].beginning)) == 0) {
            return known[i].layer;
        }
    }
    return &PLACES;
}

/* A box that is no more than what the region's own says tells nothing. */
static bool is_whole_region(const drawing *on, const json_t *box)
{
    return json_equal(box, json_object_get(on->region, "box")) == 1;
}

static void draw_place(const drawing *on, const json_t *finding, const report_row *row)
{
    const char *key = reha_json_string(finding, "key", "");
    const json_t *box = json_object_get(finding, "region");
    char line[LINE_BYTES];
    if (is_width(key)) {
        draw_width(on, finding, row);
    }
    if (!json_is_object(box) || strncmp(key, "jsw-", 4) == 0 || is_whole_region(on, box)) {
        return;
    }
    reha_ps_layer(on->ps, is_rejected(row) ? &REJECTED : layer_of(key));
    draw_box(on, box);
    say(row, line, sizeof line);
    reha_ps_label(on->ps, line,
                  (reha_point_px){reha_json_number(box, "x_px", 0.0), reha_json_number(box, "y_px", 0.0)});
}

static void draw_findings(const drawing *on)
{
    const json_t *findings = json_object_get(on->region, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        const report_row row = report_make_row(on->result, (int)on->region_idx, finding);
        if (row.is_measured) {
            draw_place(on, finding, &row);
        }
    }
}

/* ---- a region ---- */

static void draw_region_box(const drawing *on)
{
    const json_t *box = json_object_get(on->region, "box");
    const bool is_image = reha_json_number(box, "width_px", 0.0) >= on->width_px - 1.0 &&
                          reha_json_number(box, "height_px", 0.0) >= on->height_px - 1.0;
    if (!is_image) {
        reha_ps_layer(on->ps, &REGION);
        draw_box(on, box);
    }
}

static void draw_region(const drawing *on)
{
    const char *task = reha_json_string(on->result, "task", "");
    const json_t *joint = json_object_get(on->region, "joint_space_profile");
    const size_t landmarks = json_array_size(json_object_get(on->region, "landmarks_px"));
    draw_region_box(on);
    if (strncmp(task, "muscle-", 7) == 0) {
        draw_landmarks(on, &LINES, REHA_MUSCLE_POINTS_SUPERFICIAL, CURVE_POINTS, false);
        draw_landmarks(on, &LINES, REHA_MUSCLE_POINTS_DEEP, CURVE_POINTS, false);
        if (strcmp(task, "muscle-us") == 0) {
            draw_pairs(on, &THICKNESS, REHA_MUSCLE_POINTS_THICKNESS, REHA_MUSCLE_POINTS_FASCICLES);
            draw_pairs(on, &FASCICLES, REHA_MUSCLE_POINTS_FASCICLES, landmarks);
        } else {
            draw_landmarks(on, &INJURY, REHA_MUSCLE_POINTS_THICKNESS, POINTS_MAX, true);
        }
    } else if (landmarks > 0) {
        draw_landmarks(on, &TIBIA, 0, TIBIA_POINTS, false);
        draw_landmarks(on, &FEMUR, TIBIA_POINTS, POINTS_MAX, false);
    }
    draw_edge(on, json_object_get(joint, "upper_px"));
    draw_edge(on, json_object_get(joint, "lower_px"));
    draw_findings(on);
    write_values(on);
}

static void draw(reha_ps *ps, const reha_export_source *source, const json_t *result,
                 const reha_dicom_origin *image)
{
    const json_t *regions = json_object_get(json_object_get(result, "analysis"), "regions");
    char banner[LINE_BYTES];
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const drawing on = {.ps = ps,
                            .result = result,
                            .region = json_array_get(regions, i),
                            .region_idx = i,
                            .region_count = json_array_size(regions),
                            .width_px = image->width_px,
                            .height_px = image->height_px};
        if (json_is_true(json_object_get(on.region, "accepted"))) {
            draw_region(&on);
        }
    }
    if (!reha_ps_is_empty(ps) && !report_is_signed(source->study)) {
        report_banner(source->study, banner, sizeof banner);
        reha_ps_layer(ps, &REVIEW);
        reha_ps_caption(ps, banner, (reha_box_px){0.0, 0.0, 1.0, 0.1});
    }
}

/* ---- the object ---- */

typedef struct overlay {
    reha_ps *ps;
    char label[EXPORT_LABEL_BYTES], description[LINE_BYTES];
    const char *creator;
} overlay;

static reha_status write_overlay(const void *what, const reha_dicom_object *object, uint8_t **out,
                                 size_t *out_bytes, reha_error *err)
{
    const overlay *from = what;
    const reha_ps_document document = {
        .object = object, .label = from->label, .description = from->description, .creator = from->creator};
    return reha_ps_encode(from->ps, &document, out, out_bytes, err);
}

reha_status reha_export_overlay(const reha_export_source *source, const char *as_of, size_t image_idx,
                                size_t result_idx, const char *name, reha_export *out, reha_error *err)
{
    const json_t *image = json_array_get(json_object_get(source->study, "images"), image_idx);
    const json_t *result = json_array_get(json_object_get(image, "results"), result_idx);
    const reha_dicom_origin *const images[] = {&source->origins[image_idx]};
    const bool is_signed = report_is_signed(source->study);
    overlay from = {.creator = export_creator(source)};
    reha_status status = reha_ps_new(images[0], &from.ps, err);
    if (status == REHA_E_UNSUPPORTED) {
        return REHA_OK; /* the report has the coordinates */
    }
    REHA_TRY(status);
    draw(from.ps, source, result, images[0]);
    if (!reha_ps_is_empty(from.ps)) {
        export_label_of(reha_json_string(result, "task", ""), from.label);
        (void)snprintf(from.description, sizeof from.description, "Findings of %.40s%s",
                       reha_json_string(result, "task", ""), is_signed ? "" : " (not reviewed)");
        reha_dicom_object object =
            export_begin(source, as_of, "overlays", EXPORT_SERIES_OVERLAY,
                         is_signed ? "Rehascope overlays" : "Rehascope overlays (not reviewed)");
        object.images = images;
        object.image_count = 1;
        object.instance_number = export_number(image_idx, result_idx);
        status = export_add_object(name, &object, write_overlay, &from, out, err);
    }
    reha_ps_free(from.ps);
    return status;
}
