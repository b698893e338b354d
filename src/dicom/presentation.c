#include "dicom/presentation.h"

#include "base/memory.h"
#include "dicom/colour_profile_priv.h"
#include "dicom/derived_priv.h"
#include "dicom/tags_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char CLASS_GREY[] = "1.2.840.10008.5.1.4.1.1.11.1";
static const char CLASS_COLOUR[] = "1.2.840.10008.5.1.4.1.1.11.2";

enum { LAYERS_MAX = 12, NAME_CHARS = 16, DESCRIPTION_CHARS = 64, POINTS_MAX = 512, TEXT_CHARS = 1024 };

/* Items of the sequences of words and lines, as they come. */
typedef struct layer {
    char name[NAME_CHARS + 1];
    char description[REHA_DICOM_LONG_BYTES];
    unsigned rgb;
    reha_dcm_writer texts, lines;
} layer;

struct reha_ps {
    const reha_dicom_origin *image;
    reha_error fault;
    reha_status status; /* of what is no writer's */
    layer layers[LAYERS_MAX];
    size_t count;
    layer *at; /* NULL: none is named yet */
};

reha_status reha_ps_new(const reha_dicom_origin *image, reha_ps **out, reha_error *err)
{
    const reha_dicom_shown *shown = &image->shown;
    *out = NULL;
    if (!shown->is_colour && (shown->has_modality_lut || !(shown->window.width > 0.0))) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "no presentation state of the image: %s",
                         shown->has_modality_lut ? "its grey values go through a table"
                                                 : "its pixels could not be read");
    }
    *out = reha_alloc_zero(1, sizeof **out);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a presentation state");
    }
    (*out)->image = image;
    return REHA_OK;
}

void reha_ps_free(reha_ps *ps)
{
    for (size_t i = 0; ps != NULL && i < ps->count; i++) {
        reha_free(ps->layers[i].texts.data);
        reha_free(ps->layers[i].lines.data);
    }
    reha_free(ps);
}

void reha_ps_layer(reha_ps *ps, const reha_ps_layer_look *look)
{
    for (size_t i = 0; i < ps->count; i++) {
        if (strcmp(ps->layers[i].name, look->name) == 0) {
            ps->at = &ps->layers[i];
            return;
        }
    }
    if (ps->count == LAYERS_MAX) {
        ps->status = ps->status == REHA_OK
                         ? reha_fail(&ps->fault, REHA_E_INTERNAL, "a presentation state has too many layers")
                         : ps->status;
        return;
    }
    ps->at = &ps->layers[ps->count++];
    *ps->at = (layer){.rgb = look->rgb, .texts.err = &ps->fault, .lines.err = &ps->fault};
    (void)snprintf(ps->at->name, sizeof ps->at->name, "%s", look->name);
    (void)snprintf(ps->at->description, sizeof ps->at->description, "%s", look->description);
}

static reha_point_px cut(const reha_ps *ps, reha_point_px at)
{
    return (reha_point_px){fmin(fmax(at.x_px, -0.5), ps->image->width_px - 0.5),
                           fmin(fmax(at.y_px, -0.5), ps->image->height_px - 0.5)};
}

static void put_line(reha_ps *ps, const reha_point_px *points, size_t count, bool is_closed)
{
    reha_dcm_writer *w = &ps->at->lines;
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00700005u, "CS", "PIXEL");
    reha_dcm_put_value_u16(w, 0x00700020u, 2);
    reha_dcm_put_value_u16(w, 0x00700021u, (uint32_t)count);
    reha_dcm_put_points(w, 0x00700022u, points, count);
    reha_dcm_put_text(w, 0x00700023u, "CS", count == 1 ? "POINT" : "POLYLINE");
    if (is_closed) {
        reha_dcm_put_text(w, 0x00700024u, "CS", "N"); /* not filled */
    }
    reha_dcm_close(w, item);
}

/* The part of a stretch that is in the image (Liang and Barsky); false: none is. */
static bool clip(const reha_ps *ps, reha_point_px *from, reha_point_px *to)
{
    const double dx = to->x_px - from->x_px;
    const double dy = to->y_px - from->y_px;
    const double step[4] = {-dx, dx, -dy, dy};
    const double room[4] = {from->x_px + 0.5, ps->image->width_px - 0.5 - from->x_px, from->y_px + 0.5,
                            ps->image->height_px - 0.5 - from->y_px};
    double first = 0.0;
    double last = 1.0;
    for (int i = 0; i < 4; i++) {
        if (step[i] < 0.0) {
            first = fmax(first, room[i] / step[i]);
        } else if (step[i] > 0.0) {
            last = fmin(last, room[i] / step[i]);
        } else if (room[i] < 0.0) {
            return false;
        }
    }
    *to = cut(ps, (reha_point_px){from->x_px + last * dx, from->y_px + last * dy});
    *from = cut(ps, (reha_point_px){from->x_px + first * dx, from->y_px + first * dy});
    return first < last;
}

/* Runs of stretches that go on where the last one ended: a line that leaves the image keeps its direction. */
static void put_clipped(reha_ps *ps, const reha_point_px *points, size_t count)
{
    reha_point_px run[POINTS_MAX];
    size_t used = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        reha_point_px from = points[i];
        reha_point_px to = points[i + 1];
        const bool is_seen = clip(ps, &from, &to);
        const bool goes_on = is_seen && used > 0 && used + 1 < POINTS_MAX &&
                             run[used - 1].x_px == from.x_px && run[used - 1].y_px == from.y_px;
        if (used > 0 && !goes_on) {
            put_line(ps, run, used, false);
            used = 0;
        }
        if (is_seen && !goes_on) {
            run[used++] = from;
        }
        if (is_seen) {
            run[used++] = to;
        }
    }
    if (used > 0) {
        put_line(ps, run, used, false);
    }
}

void reha_ps_line(reha_ps *ps, const reha_point_px *points, size_t count, bool is_closed)
{
    reha_point_px ring[POINTS_MAX + 1];
    size_t used = 0;
    if (ps->at == NULL || count == 0) {
        return;
    }
    if (count > 1 && !is_closed) {
        put_clipped(ps, points, count);
        return;
    }
    for (; used < count && used < POINTS_MAX; used++) {
        ring[used] = cut(ps, points[used]);
    }
    is_closed = is_closed && used > 2;
    if (is_closed) {
        ring[used++] = ring[0];
    }
    put_line(ps, ring, used, is_closed);
}

/* Lines end with CR LF there (PS3.5 6.2, ST); what does not fit is left out. */
static void put_lines(reha_dcm_writer *w, const char *text)
{
    char lines[4 * TEXT_CHARS];
    size_t used = 0;
    size_t chars = 0;
    for (const char *p = text; *p != '\0' && used + 3 < sizeof lines; p++) {
        const bool is_new = ((unsigned char)*p & 0xC0U) != 0x80U;
        chars += *p == '\n' ? 2 : is_new ? 1 : 0;
        if (chars > TEXT_CHARS) {
            break;
        }
        if (*p == '\n') {
            lines[used++] = '\r';
        }
        lines[used++] = *p == '\n' || (unsigned char)*p >= 0x20 ? *p : ' ';
    }
    lines[used] = '\0';
    reha_dcm_put_text(w, 0x00700006u, "ST", lines);
}

static void put_pair(reha_dcm_writer *w, uint32_t tag, double x, double y)
{
    /* Points are written half a pixel further, shares of the screen as they are. */
    const reha_point_px pair = {x - 0.5, y - 0.5};
    reha_dcm_put_points(w, tag, &pair, 1);
}

static void put_boxed(reha_ps *ps, const char *text, const char *units, const double corners[4])
{
    if (ps->at == NULL || text[0] == '\0') {
        return;
    }
    reha_dcm_writer *w = &ps->at->texts;
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00700003u, "CS", units);
    put_lines(w, text);
    put_pair(w, 0x00700010u, corners[0], corners[1]);
    put_pair(w, 0x00700011u, corners[2], corners[3]);
    reha_dcm_put_text(w, 0x00700012u, "CS", "LEFT");
    reha_dcm_close(w, item);
}

void reha_ps_text(reha_ps *ps, const char *text, reha_box_px box)
{
    const reha_point_px low = cut(ps, (reha_point_px){box.x_px, box.y_px});
    const reha_point_px high = cut(ps, (reha_point_px){box.x_px + box.width_px, box.y_px + box.height_px});
    const double corners[4] = {low.x_px + 0.5, low.y_px + 0.5, high.x_px + 0.5, high.y_px + 0.5};
    put_boxed(ps, text, "PIXEL", corners);
}

void reha_ps_caption(reha_ps *ps, const char *text, reha_box_px share)
{
    const double corners[4] = {share.x_px, share.y_px, share.x_px + share.width_px,
                               share.y_px + share.height_px};
    put_boxed(ps, text, "DISPLAY", corners);
}

void reha_ps_label(reha_ps *ps, const char *text, reha_point_px at)
{
    if (ps->at == NULL || text[0] == '\0') {
        return;
    }
    reha_dcm_writer *w = &ps->at->texts;
    const reha_point_px anchor = cut(ps, at);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_text(w, 0x00700004u, "CS", "PIXEL");
    put_lines(w, text);
    reha_dcm_put_points(w, 0x00700014u, &anchor, 1);
    reha_dcm_put_text(w, 0x00700015u, "CS", "Y");
    reha_dcm_close(w, item);
}

static bool is_empty(const layer *at)
{
    return at->texts.length == 0 && at->lines.length == 0;
}

static reha_status status_of(const reha_ps *ps)
{
    reha_status status = ps->status;
    for (size_t i = 0; i < ps->count && status == REHA_OK; i++) {
        status =
            ps->layers[i].texts.status != REHA_OK ? ps->layers[i].texts.status : ps->layers[i].lines.status;
    }
    return status;
}

bool reha_ps_is_empty(const reha_ps *ps)
{
    if (status_of(ps) != REHA_OK) {
        return false; /* encode says why */
    }
    for (size_t i = 0; i < ps->count; i++) {
        if (!is_empty(&ps->layers[i])) {
            return false;
        }
    }
    return true;
}

/* ---- the object ---- */

static void put_grey_values(reha_dcm_writer *w, const reha_dicom_shown *shown)
{
    static const char *const shapes[] = {"LINEAR", "LINEAR_EXACT", "SIGMOID"};
    if (shown->slope != 1.0 || shown->intercept != 0.0) {
        reha_dcm_put_decimal(w, TAG_RESCALE_INTERCEPT, shown->intercept, (double)NAN);
        reha_dcm_put_decimal(w, TAG_RESCALE_SLOPE, shown->slope, (double)NAN);
        reha_dcm_put_text(w, 0x00281054u, "LO", "US"); /* unspecified */
    }
    const size_t sequence = reha_dcm_open_sequence(w, 0x00283110u);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_decimal(w, TAG_WINDOW_CENTER, shown->window.center, (double)NAN);
    reha_dcm_put_decimal(w, TAG_WINDOW_WIDTH, shown->window.width, (double)NAN);
    if (shown->window.shape != REHA_WINDOW_LINEAR) {
        reha_dcm_put_text(w, TAG_VOI_LUT_FUNCTION, "CS", shapes[shown->window.shape]);
    }
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static void put_annotations(reha_dcm_writer *w, const reha_ps *ps)
{
    const size_t sequence = reha_dcm_open_sequence(w, 0x00700001u);
    for (size_t i = 0; i < ps->count; i++) {
        const layer *from = &ps->layers[i];
        if (is_empty(from)) {
            continue;
        }
        const size_t item = reha_dcm_open_item(w);
        reha_dcm_put_text(w, 0x00700002u, "CS", from->name);
        if (from->texts.length > 0) {
            const size_t texts = reha_dcm_open_sequence(w, 0x00700008u);
            reha_dcm_put_bytes(w, from->texts.data, from->texts.length);
            reha_dcm_close(w, texts);
        }
        if (from->lines.length > 0) {
            const size_t lines = reha_dcm_open_sequence(w, 0x00700009u);
            reha_dcm_put_bytes(w, from->lines.data, from->lines.length);
            reha_dcm_close(w, lines);
        }
        reha_dcm_close(w, item);
    }
    reha_dcm_close(w, sequence);
}

static void put_i32_pair(reha_dcm_writer *w, uint32_t tag, uint32_t x, uint32_t y)
{
    reha_dcm_put_header(w, tag, "SL", 2 * sizeof(uint32_t));
    reha_dcm_put_u32(w, x);
    reha_dcm_put_u32(w, y);
}

/* The whole image: here pixels count from 1. */
static void put_area(reha_dcm_writer *w, const reha_dicom_origin *image)
{
    enum { ASPECT_STEPS = 1000 };
    const reha_dicom_shown *shown = &image->shown;
    char ratio[32];
    const size_t sequence = reha_dcm_open_sequence(w, 0x0070005Au);
    const size_t item = reha_dcm_open_item(w);
    put_i32_pair(w, 0x00700052u, 1, 1);
    put_i32_pair(w, 0x00700053u, image->width_px, image->height_px);
    reha_dcm_put_text(w, 0x00700100u, "CS", "SCALE TO FIT");
    if (shown->x_mm > 0.0 && shown->y_mm > 0.0) {
        reha_dcm_put_decimal(w, 0x00700101u, shown->y_mm, shown->x_mm);
    } else if (shown->aspect > 0.0 && lround(shown->aspect * ASPECT_STEPS) != ASPECT_STEPS) {
        (void)snprintf(ratio, sizeof ratio, "%ld\\%d", lround(shown->aspect * ASPECT_STEPS), ASPECT_STEPS);
        reha_dcm_put_text(w, 0x00700102u, "IS", ratio);
    } else {
        reha_dcm_put_text(w, 0x00700102u, "IS", "1\\1");
    }
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static void put_layers(reha_dcm_writer *w, const reha_ps *ps)
{
    char order[16];
    int count = 0;
    const size_t sequence = reha_dcm_open_sequence(w, 0x00700060u);
    for (size_t i = 0; i < ps->count; i++) {
        if (is_empty(&ps->layers[i])) {
            continue;
        }
        const size_t item = reha_dcm_open_item(w);
        (void)snprintf(order, sizeof order, "%d", ++count);
        reha_dcm_put_text(w, 0x00700002u, "CS", ps->layers[i].name);
        reha_dcm_put_text(w, 0x00700062u, "IS", order);
        reha_dcm_put_value_u16(w, 0x00700066u, UINT16_MAX);
        reha_dcm_put_words(w, 0x00700068u, "LO", ps->layers[i].description, DESCRIPTION_CHARS);
        reha_dcm_put_lab(w, 0x00700401u, ps->layers[i].rgb);
        reha_dcm_close(w, item);
    }
    reha_dcm_close(w, sequence);
}

reha_status reha_ps_encode(reha_ps *ps, const reha_ps_document *document, uint8_t **out, size_t *out_bytes,
                           reha_error *err)
{
    const reha_dicom_object *object = document->object;
    const bool is_colour = ps->image->shown.is_colour;
    const char *class_uid = is_colour ? CLASS_COLOUR : CLASS_GREY;
    reha_dcm_writer w = {.err = err};
    *out = NULL;
    *out_bytes = 0;
    reha_status status = ps->status;
    for (size_t i = 0; i < ps->count && status == REHA_OK; i++) {
        status =
            ps->layers[i].texts.status != REHA_OK ? ps->layers[i].texts.status : ps->layers[i].lines.status;
    }
    if (status != REHA_OK) {
        return reha_fail(err, status, "%s", ps->fault.text);
    }
    reha_dcm_put_meta(&w, class_uid, object->instance_uid, NULL);
    reha_dcm_put_object_head(&w, object, class_uid, "PR");
    reha_dcm_put_source_series(&w, TAG_REFERENCED_IMAGE_SEQUENCE, ps->image, true);
    reha_dcm_put_object_patient(&w, object);
    reha_dcm_put_object_place(&w, object);
    reha_dcm_put_text(&w, TAG_LATERALITY, "CS", ""); /* known of each region, not of the series */
    if (is_colour) {
        reha_dcm_put_srgb_profile(&w, 0x00282000u);
    } else {
        put_grey_values(&w, &ps->image->shown);
    }
    if (!reha_ps_is_empty(ps)) {
        put_annotations(&w, ps);
    }
    put_area(&w, ps->image);
    if (!reha_ps_is_empty(ps)) {
        put_layers(&w, ps);
    }
    reha_dcm_put_text(&w, 0x00700080u, "CS", document->label);
    reha_dcm_put_words(&w, 0x00700081u, "LO", document->description, DESCRIPTION_CHARS);
    reha_dcm_put_text(&w, 0x00700082u, "DA", object->content_date);
    reha_dcm_put_text(&w, 0x00700083u, "TM", object->content_time);
    reha_dcm_put_person(&w, 0x00700084u, document->creator, "");
    if (!is_colour) {
        reha_dcm_put_text(&w, 0x20500020u, "CS", ps->image->shown.is_monochrome1 ? "INVERSE" : "IDENTITY");
    }
    return reha_dcm_take(&w, out, out_bytes);
}
