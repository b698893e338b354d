#include "service/sandbox_child_priv.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "dicom/model.h"
#include "dicom/series.h"
#include "image/load.h"
#include "service/input.h"
#include "service/wrap.h"
#include "store/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DATE_BYTES = 11, PATIENT_BYTES = 256, KEY_CHARS = 12 };
static const double DEEP_MAX = 65535.0;
static const float BYTE_MAX = 255.0F;

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? reha_json_text(text) : json_null();
}

/* How a 16-bit grey picture stands for the values of a frame: value = slope * grey + intercept. */
static json_t *display_of(const reha_dicom *dicom, const reha_gray *values)
{
    reha_window window;
    const size_t count = (size_t)values->width_px * values->height_px;
    float low = INFINITY;
    float high = -INFINITY;
    bool is_whole = true;
    for (size_t i = 0; i < count; i++) {
        const float value = values->pixels[i];
        low = fminf(low, value);
        high = fmaxf(high, value);
        is_whole = is_whole && value == rintf(value);
    }
    const double span = (double)high - (double)low;
    double slope = is_whole && span <= DEEP_MAX ? 1.0 : span > 0.0 ? span / DEEP_MAX : 1.0;
    double intercept = (double)low;
    if (is_whole && low >= 0.0F && high <= BYTE_MAX) {
        intercept = 0.0;
    } else if (reha_dicom_frame_count(dicom) >
               1) { /* later frames may be darker or brighter: room on both sides */
        slope = is_whole && span <= DEEP_MAX ? 1.0 : 3.0 * slope;
        intercept -= floor(0.5 * (DEEP_MAX - span / slope)) * slope;
    }
    const bool has_window = reha_dicom_window(dicom, 0, &window);
    return json_pack("{s:o, s:o, s:o, s:o}", "slope", reha_json_real(slope), "intercept",
                     reha_json_real(intercept), "window_center",
                     reha_json_real(has_window ? window.center : 0.5 * ((double)low + (double)high)),
                     "window_width", reha_json_real(has_window ? window.width : fmax(span, 1.0)));
}

/* Which images of a study belong into one stack, and in which order. */
static json_t *stack_of(const reha_dicom *dicom)
{
    char key[REHA_DIGEST_TEXT_BYTES];
    reha_series_place place;
    if (!reha_series_place_of(dicom, 0, &place)) {
        return json_null();
    }
    reha_digest_bytes(place.group, strlen(place.group), key);
    return json_pack("{s:s%, s:o, s:o, s:o, s:o}", "key", key, (size_t)KEY_CHARS, "series_number",
                     place.series_number < 0 ? json_null() : json_integer(place.series_number),
                     "instance_number",
                     place.instance_number < 0 ? json_null() : json_integer(place.instance_number),
                     "along_mm", reha_json_real(place.along_mm), "echo_ms", reha_json_real(place.echo_ms));
}

static json_t *facts_of(const reha_dicom *dicom, const reha_gray *values, bool wrapped)
{
    const reha_acquisition *facts = reha_dicom_facts(dicom);
    const reha_spacing spacing = values->spacing;
    const bool is_known = reha_spacing_is_known(spacing);
    return json_pack(
        "{s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:s, s:b, s:{s:o, s:o, s:s}, s:o, s:o}", "width_px",
        (int)values->width_px, "height_px", (int)values->height_px, "frame_count",
        (int)reha_dicom_frame_count(dicom), "modality", text_or_null(facts->modality), "body_part",
        text_or_null(facts->body_part), "view_position", text_or_null(facts->view_position),
        "patient_position", text_or_null(facts->patient_position), "side", reha_side_text(facts->side),
        "wrapped", wrapped ? 1 : 0, "spacing", "x_mm", is_known ? reha_json_real(spacing.x_mm) : json_null(),
        "y_mm", is_known ? reha_json_real(spacing.y_mm) : json_null(), "source",
        reha_spacing_source_text(is_known ? spacing.source : REHA_SPACING_UNKNOWN), "display",
        display_of(dicom, values), "stack", wrapped ? json_null() : stack_of(dicom));
}

/* The first frame is decoded here, once: a file that cannot be shown is refused when it comes, not later. */
static reha_status describe(const reha_dicom *dicom, const char *kind, const char *image_date,
                            sandbox_reply *reply, reha_error *err)
{
    char patient[PATIENT_BYTES] = "";
    reha_gray *values = NULL;
    json_t *head = NULL;
    const reha_dicom_ids *ids = reha_dicom_get_ids(dicom);
    const bool is_wrapped = strcmp(kind, "wrapped") == 0;
    REHA_TRY(reha_dicom_model_head(dicom, &head, err));
    const reha_status status = reha_dicom_read_frame(dicom, 0, &values, NULL, err);
    if (status != REHA_OK) {
        json_decref(head);
        return status;
    }
    (void)reha_dicom_identifying_patient_id(dicom, patient, sizeof patient);
    const char *date = ids->acquisition_date[0] != '\0' ? ids->acquisition_date : image_date;
    reply->done =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", kind, "head", head, "facts",
                  facts_of(dicom, values, is_wrapped), "study_uid", text_or_null(ids->study_instance_uid),
                  "sop_uid", text_or_null(ids->sop_instance_uid), "patient_id", text_or_null(patient),
                  "image_date", text_or_null(date));
    reha_gray_free(values);
    return reply->done != NULL ? REHA_OK
                               : reha_fail(err, REHA_E_NOMEM, "out of memory for the facts of an image");
}

static reha_status inspect_picture(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    reha_input input;
    reha_dicom_ids ids = {0};
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_dicom *dicom = NULL;
    reha_status status = REHA_OK;
    REHA_TRY(reha_input_read(request->bytes, request->count, reha_json_string(request->json, "name", ""),
                             NULL, &input, err));
    (void)snprintf(ids.study_instance_uid, sizeof ids.study_instance_uid, "%s",
                   reha_json_string(request->json, "study_uid", ""));
    REHA_CHECK(reha_wrap_picture(&input, reha_json_number(request->json, "mm_per_px", 0.0), &ids, &bytes,
                                 &count, err));
    REHA_CHECK(reha_dicom_open(bytes, count, NULL, &dicom, err));
    REHA_CHECK(describe(dicom, "wrapped", reha_json_string(request->json, "image_date", ""), reply, err));
    REHA_CHECK(sandbox_part(reply, "dicom", bytes, count, err));
done:
    reha_dicom_close(dicom);
    reha_free(bytes);
    reha_input_clear(&input);
    return status;
}

reha_status sandbox_model(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    reha_dicom *dicom = NULL;
    json_t *made = NULL;
    REHA_TRY(reha_dicom_open(request->bytes, request->count, NULL, &dicom, err));
    const reha_status status = json_is_true(json_object_get(request->json, "head"))
                                   ? reha_dicom_model_head(dicom, &made, err)
                                   : reha_dicom_model(dicom, NULL, 0, NULL, &made, err);
    reha_dicom_close(dicom);
    REHA_TRY(status);
    reply->done = json_pack("{s:o}", "model", made);
    return reply->done != NULL ? REHA_OK
                               : reha_fail(err, REHA_E_NOMEM, "out of memory for the attributes of an image");
}

reha_status sandbox_inspect(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    static const char zip[] = "PK\3\4";
    reha_dicom *dicom = NULL;
    if (request->count >= sizeof zip - 1 && memcmp(request->bytes, zip, sizeof zip - 1) == 0) {
        reply->done = json_pack("{s:s}", "kind", "archive");
        return REHA_OK;
    }
    if (reha_image_detect(request->bytes, request->count) != NULL ||
        !reha_dicom_detect(request->bytes, request->count)) {
        return inspect_picture(request, reply, err); /* it also names what is no image at all */
    }
    REHA_TRY(reha_dicom_open(request->bytes, request->count, NULL, &dicom, err));
    const reha_status status = describe(dicom, "dicom", "", reply, err);
    reha_dicom_close(dicom);
    return status;
}
