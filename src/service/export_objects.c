#include "service/export_objects_priv.h"

#include "base/memory.h"
#include "dicom/write.h"
#include "image/draw.h"
#include "service/clinic_report_priv.h"
#include "store/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES_MAX = 4096 };
static const char SOFTWARE[] = "rehascope " REHA_VERSION;

void reha_export_as_of(const json_t *record, char out[REHA_AS_OF_BYTES])
{
    char deeper[REHA_AS_OF_BYTES];
    const char *key = NULL;
    json_t *value = NULL;
    size_t i = 0;
    out[0] = '\0';
    if (json_is_array(record)) {
        json_array_foreach((json_t *)(uintptr_t)record, i, value)
        {
            reha_export_as_of(value, deeper);
            if (strcmp(deeper, out) > 0) {
                memcpy(out, deeper, sizeof deeper);
            }
        }
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)record, key, value)
    {
        const size_t length = strlen(key);
        deeper[0] = '\0';
        if (json_is_string(value)) {
            const bool is_time = length > 3 && strcmp(key + length - 3, "_at") == 0 &&
                                 json_string_length(value) == REHA_AS_OF_BYTES - 1;
            (void)snprintf(deeper, sizeof deeper, "%s", is_time ? json_string_value(value) : "");
        } else {
            reha_export_as_of(value, deeper);
        }
        if (strcmp(deeper, out) > 0) {
            memcpy(out, deeper, sizeof deeper);
        }
    }
}

/* ---- what every object says of itself ---- */

static void put_time(const char *as_of, reha_dicom_object *object)
{
    enum { DATE_CHARS = 8 };
    char local[REHA_LOCAL_BYTES];
    reha_export_local(as_of, local);
    (void)snprintf(object->content_date, sizeof object->content_date, "%.*s", DATE_CHARS, local);
    (void)snprintf(object->content_time, sizeof object->content_time, "%s",
                   local[0] != '\0' ? local + DATE_CHARS : "");
}

/* One series for each kind of object and signature: what was sent before a signature stays apart from what
 * was signed. */
static void put_series(const reha_export_source *source, const char *kind, reha_dicom_object *object)
{
    char text[300];
    char digest[REHA_DIGEST_TEXT_BYTES];
    const json_t *signature = json_object_get(source->study, "signature");
    (void)snprintf(text, sizeof text, "rehascope/series/%s/%.64s/%.64s", kind,
                   source->origins[0].ids.study_instance_uid,
                   reha_json_string(signature, "content_hash", "unsigned"));
    reha_digest_bytes(text, strlen(text), digest);
    reha_dicom_uid_of(digest, object->series_uid);
    (void)snprintf(object->instance_uid, sizeof object->instance_uid,
                   "2.25.0"); /* until its content is known */
}

reha_dicom_object export_begin(const reha_export_source *source, const char *as_of, const char *kind,
                               int series_number, const char *description)
{
    reha_dicom_object object = {.origin = &source->origins[0],
                                .series_number = series_number,
                                .instance_number = 1,
                                .series_description = description,
                                .software = SOFTWARE,
                                .is_verified = report_is_signed(source->study)};
    put_time(as_of, &object);
    put_series(source, kind, &object);
    return object;
}

/* Made from all images of the study; `out` stays the caller's. */
static reha_status put_images(const reha_export_source *source, const reha_dicom_origin ***out,
                              reha_dicom_object *object, reha_error *err)
{
    const size_t count = json_array_size(json_object_get(source->study, "images"));
    *out = NULL;
    if (count == 0 || count > IMAGES_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "a study of %zu images is not exported (1 to %d)", count,
                         IMAGES_MAX);
    }
    const reha_dicom_origin **images = reha_alloc(count * sizeof(const reha_dicom_origin *));
    if (images == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the images of an export");
    }
    for (size_t i = 0; i < count; i++) {
        images[i] = &source->origins[i];
    }
    object->images = *out = images;
    object->image_count = count;
    return REHA_OK;
}

int export_number(size_t image_idx, size_t result_idx)
{
    return (int)(100 * image_idx + result_idx + 1);
}

void export_uid_of(const char *what, const char *id, char out[EXPORT_UID_BYTES])
{
    char text[400];
    char digest[REHA_DIGEST_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "rehascope/%s/%s", what, id);
    reha_digest_bytes(text, strlen(text), digest);
    reha_dicom_uid_of(digest, out);
}

void export_label_of(const char *task, char out[EXPORT_LABEL_BYTES])
{
    size_t used = 0;
    for (; task[used] != '\0' && used + 1 < EXPORT_LABEL_BYTES; used++) {
        const char c = task[used];
        out[used] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c >= '0' && c <= '9' ? c : ' ';
    }
    out[used] = '\0';
}

const char *export_creator(const reha_export_source *source)
{
    return report_is_signed(source->study)
               ? reha_json_string(json_object_get(source->study, "signature"), "user_name", "")
               : "Rehascope";
}

/* ---- the objects ---- */

reha_status export_add_object(const char *name, reha_dicom_object *object, export_write write,
                              const void *what, reha_export *out, reha_error *err)
{
    char digest[REHA_DIGEST_TEXT_BYTES];
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(write(what, object, &bytes, &count, err));
    reha_digest_bytes(bytes, count, digest);
    reha_free(bytes);
    reha_dicom_uid_of(digest, object->instance_uid);
    REHA_TRY(write(what, object, &bytes, &count, err));
    REHA_TRY(reha_export_add(out, name, bytes, count, err));
    (void)snprintf(out->files[out->count - 1].instance_uid, sizeof out->files[0].instance_uid, "%s",
                   object->instance_uid);
    return REHA_OK;
}

static reha_status write_results(const void *what, const reha_dicom_object *object, uint8_t **out,
                                 size_t *out_bytes, reha_error *err)
{
    return reha_export_sr(what, object, out, out_bytes, err);
}

reha_status reha_export_results(const reha_export_source *source, const char *as_of, const char *name,
                                reha_export *out, reha_error *err)
{
    const reha_dicom_origin **images = NULL;
    const bool is_signed = report_is_signed(source->study);
    reha_dicom_object object =
        export_begin(source, as_of, "results", EXPORT_SERIES_SR,
                     is_signed ? "Rehascope results" : "Rehascope results (not reviewed)");
    REHA_TRY(put_images(source, &images, &object, err));
    const reha_status status = export_add_object(name, &object, write_results, source, out, err);
    reha_free(images);
    return status;
}

typedef struct pdf_page {
    const uint8_t *bytes;
    size_t count;
    const char *title;
} pdf_page;

static reha_status write_report(const void *what, const reha_dicom_object *object, uint8_t **out,
                                size_t *out_bytes, reha_error *err)
{
    const pdf_page *pdf = what;
    return reha_dicom_write_pdf(object, pdf->title, pdf->bytes, pdf->count, out, out_bytes, err);
}

reha_status reha_export_report(const reha_export_source *source, const char *as_of, const uint8_t *pdf,
                               size_t pdf_bytes, reha_export *out, reha_error *err)
{
    const reha_dicom_origin **images = NULL;
    const bool is_signed = report_is_signed(source->study);
    const pdf_page page = {pdf, pdf_bytes,
                           is_signed ? "Rehascope report" : "Rehascope report (not reviewed)"};
    reha_dicom_object object = export_begin(source, as_of, "report", EXPORT_SERIES_PDF, page.title);
    REHA_TRY(put_images(source, &images, &object, err));
    const reha_status status = export_add_object("report.dcm", &object, write_report, &page, out, err);
    reha_free(images);
    return status;
}

/* ---- a picture with what was decided above it ---- */

typedef struct rgb_picture {
    uint8_t *pixels; /* owned */
    uint32_t width_px, height_px;
    char description[200];
} rgb_picture;

static reha_status write_picture(const void *what, const reha_dicom_object *object, uint8_t **out,
                                 size_t *out_bytes, reha_error *err)
{
    const rgb_picture *picture = what;
    return reha_dicom_write_capture(object, picture->description, picture->pixels, picture->width_px,
                                    picture->height_px, out, out_bytes, err);
}

/* Of the header that every PNG begins with; zero if it is none. */
static void png_size(const uint8_t *png, size_t count, uint32_t size[2])
{
    enum { SIDES_AT = 16, HEAD_BYTES = 24 };
    size[0] = size[1] = 0;
    for (size_t i = 0; i < 8 && count >= HEAD_BYTES; i++) {
        size[i / 4] = size[i / 4] << 8 | png[SIDES_AT + i];
    }
}

typedef struct legend {
    reha_canvas *canvas;
    double y, width;
} legend;

static void write_line(legend *at, unsigned colour, const char *text)
{
    const reha_type type = {.size = 14.0, .colour = reha_rgb(colour), .wrap_width = at->width - 16.0};
    at->y += reha_canvas_text(at->canvas, (reha_spot){8.0, at->y}, text, &type).y + 3.0;
}

/* The figure shows what the software said. So what was decided stands above it, finding by finding. */
static void write_legend(legend *at, const reha_export_source *source, const json_t *result)
{
    enum { INK = 0xffffff, AMBER = 0xffc14d, GREEN = 0x7ddc96 };
    char text[700];
    const json_t *analysis = json_object_get(result, "analysis");
    const json_t *regions = json_object_get(analysis, "regions");
    report_banner(source->study, text, sizeof text);
    write_line(at, report_is_signed(source->study) ? GREEN : AMBER, text);
    for (size_t i = 0; i < json_array_size(regions); i++) {
        const json_t *findings = json_object_get(json_array_get(regions, i), "findings");
        char title[200];
        report_region_title(analysis, i, title, sizeof title);
        for (size_t k = 0; k < json_array_size(findings); k++) {
            const report_row row = report_make_row(result, (int)i, json_array_get(findings, k));
            const bool is_changed =
                strncmp(row.human, "amended", 7) == 0 || strncmp(row.human, "rejected", 8) == 0;
            if (row.is_measured && is_changed) {
                (void)snprintf(text, sizeof text, "%s, %s: software %s; %s by %s", title, row.label,
                               row.software, row.human, row.who);
                write_line(at, AMBER, text);
            }
        }
    }
    write_line(at, INK, "Below: the software's own figure, made before any decision.");
}

static reha_status draw_picture(const reha_export_source *source, const json_t *result, const uint8_t *png,
                                size_t png_bytes, rgb_picture *out, reha_error *err)
{
    uint32_t size[2];
    const double width_min = 640.0;
    legend measured = {.y = 8.0};
    reha_status status = REHA_OK;
    reha_canvas *canvas = NULL;
    png_size(png, png_bytes, size);
    if (size[0] == 0 || size[1] == 0 || size[0] > 16384 || size[1] > 16384) {
        return reha_fail(err, REHA_E_FORMAT, "the picture of a result is damaged");
    }
    const double width = fmax(size[0], width_min);
    /* Once on a scratch canvas, to know how tall the words are. */
    REHA_TRY(reha_canvas_new_picture((uint32_t)width, 64, reha_rgb(0), &measured.canvas, err));
    measured.width = width;
    write_legend(&measured, source, result);
    reha_canvas_free(measured.canvas);
    const double top = ceil(measured.y) + 8.0;
    REHA_TRY(reha_canvas_new_picture((uint32_t)width, (uint32_t)(top + size[1]), reha_rgb(0), &canvas, err));
    legend at = {.canvas = canvas, .y = 8.0, .width = width};
    write_legend(&at, source, result);
    (void)reha_canvas_png(canvas, png, png_bytes, (reha_rect){0.0, top, width, size[1]});
    status = reha_canvas_pixels(canvas, &out->pixels, &out->width_px, &out->height_px, err);
    reha_canvas_free(canvas);
    return status;
}

reha_status reha_export_picture(const reha_export_source *source, const char *as_of, size_t image_idx,
                                size_t result_idx, const uint8_t *png, size_t png_bytes, reha_export *out,
                                reha_error *err)
{
    char name[REHA_EXPORT_NAME_BYTES];
    const json_t *image = json_array_get(json_object_get(source->study, "images"), image_idx);
    const json_t *result = json_array_get(json_object_get(image, "results"), result_idx);
    const reha_dicom_origin *const images[] = {&source->origins[image_idx]};
    rgb_picture picture = {.pixels = NULL};
    REHA_TRY(draw_picture(source, result, png, png_bytes, &picture, err));
    reha_dicom_object object = export_begin(
        source, as_of, "pictures", EXPORT_SERIES_PICTURE,
        report_is_signed(source->study) ? "Rehascope pictures" : "Rehascope pictures (not reviewed)");
    object.images = images;
    object.image_count = 1;
    object.instance_number = export_number(image_idx, result_idx);
    (void)snprintf(picture.description, sizeof picture.description,
                   "Findings of %.60s %.30s drawn over the image", reha_json_string(result, "model", ""),
                   reha_json_string(result, "model_version", ""));
    (void)snprintf(name, sizeof name, "picture-%zu-%zu.dcm", image_idx + 1, result_idx + 1);
    const reha_status status = export_add_object(name, &object, write_picture, &picture, out, err);
    reha_free(picture.pixels);
    return status;
}
