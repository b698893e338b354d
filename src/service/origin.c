#include "service/origin.h"

#include "service/sandbox_child_priv.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct member {
    const char *name;
    size_t offset, size;
    bool is_uid;
} member;

#define TEXT(field)                                                                                          \
    {                                                                                                        \
#field, offsetof(reha_dicom_origin, field), sizeof(((reha_dicom_origin *)0)->field), false           \
    }
#define UID(field)                                                                                           \
    {                                                                                                        \
#field, offsetof(reha_dicom_origin, ids.field), sizeof(((reha_dicom_origin *)0)->ids.field), true    \
    }
#define SHOWN(field)                                                                                         \
    {                                                                                                        \
#field, offsetof(reha_dicom_origin, shown.field), sizeof(((reha_dicom_origin *)0)->shown.field),     \
            false                                                                                            \
    }
static const member members[] = {TEXT(patient_name),
                                 TEXT(patient_id),
                                 TEXT(patient_id_issuer),
                                 TEXT(patient_birth_date),
                                 TEXT(patient_sex),
                                 TEXT(study_date),
                                 TEXT(study_time),
                                 TEXT(study_id),
                                 TEXT(study_description),
                                 TEXT(accession_number),
                                 TEXT(referring_physician),
                                 TEXT(modality),
                                 UID(study_instance_uid),
                                 UID(series_instance_uid),
                                 UID(sop_instance_uid),
                                 UID(sop_class_uid),
                                 SHOWN(lossy_ratio),
                                 SHOWN(lossy_method),
                                 SHOWN(position_mm),
                                 SHOWN(orientation),
                                 SHOWN(frame_of_reference_uid)};
#undef SHOWN
#undef TEXT
#undef UID
enum { MEMBERS = sizeof members / sizeof members[0] };

/* The numbers of how it is shown: names as in the struct, "window_" for those of the window. */
typedef struct number {
    const char *name;
    size_t offset;
} number;
#define NUMBER(name, field)                                                                                  \
    {                                                                                                        \
        name, offsetof(reha_dicom_origin, shown.field)                                                       \
    }
static const number numbers[] = {NUMBER("slope", slope),
                                 NUMBER("intercept", intercept),
                                 NUMBER("window_center", window.center),
                                 NUMBER("window_width", window.width),
                                 NUMBER("x_mm", x_mm),
                                 NUMBER("y_mm", y_mm),
                                 NUMBER("aspect", aspect)};
#undef NUMBER
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static bool shown_to_json(const reha_dicom_origin *origin, json_t *to)
{
    const reha_dicom_shown *shown = &origin->shown;
    bool is_whole = true;
    for (size_t i = 0; i < NUMBERS && is_whole; i++) {
        const double value = *(const double *)(const void *)((const char *)origin + numbers[i].offset);
        is_whole = json_object_set_new(to, numbers[i].name, json_real(value)) == 0;
    }
    json_t *rest =
        json_pack("{s:b, s:b, s:b, s:b, s:i}", "is_colour", shown->is_colour ? 1 : 0, "is_monochrome1",
                  shown->is_monochrome1 ? 1 : 0, "has_modality_lut", shown->has_modality_lut ? 1 : 0,
                  "is_lossy", shown->is_lossy ? 1 : 0, "window_shape", (int)shown->window.shape);
    is_whole = is_whole && rest != NULL && json_object_update(to, rest) == 0;
    json_decref(rest);
    return is_whole;
}

static void shown_from_json(const json_t *from, reha_dicom_origin *out)
{
    reha_dicom_shown *shown = &out->shown;
    const double shape = reha_json_number(from, "window_shape", 0.0);
    for (size_t i = 0; i < NUMBERS; i++) {
        *(double *)(void *)((char *)out + numbers[i].offset) = reha_json_number(from, numbers[i].name, 0.0);
    }
    shown->is_colour = json_is_true(json_object_get(from, "is_colour"));
    shown->is_monochrome1 = json_is_true(json_object_get(from, "is_monochrome1"));
    shown->has_modality_lut = json_is_true(json_object_get(from, "has_modality_lut"));
    shown->is_lossy = json_is_true(json_object_get(from, "is_lossy"));
    shown->window.shape = shape == REHA_WINDOW_SIGMOID        ? REHA_WINDOW_SIGMOID
                          : shape == REHA_WINDOW_LINEAR_EXACT ? REHA_WINDOW_LINEAR_EXACT
                                                              : REHA_WINDOW_LINEAR;
}

json_t *reha_origin_to_json(const reha_dicom_origin *origin)
{
    json_t *to = json_pack("{s:I, s:I, s:I}", "width_px", (json_int_t)origin->width_px, "height_px",
                           (json_int_t)origin->height_px, "frame_count", (json_int_t)origin->frame_count);
    bool is_whole = to != NULL;
    for (size_t i = 0; i < MEMBERS && is_whole; i++) {
        const char *text = (const char *)origin + members[i].offset;
        is_whole = json_object_set_new(to, members[i].name, json_string(text)) == 0;
    }
    if (!is_whole || !shown_to_json(origin, to)) {
        json_decref(to);
        return NULL;
    }
    return to;
}

/* 0: none, or more than there can be. */
static uint32_t count_from(const json_t *from, const char *name)
{
    const double count = reha_json_number(from, name, 0.0);
    return count >= 1.0 && count <= (double)UINT32_MAX ? (uint32_t)count : 0;
}

reha_status reha_origin_from_json(const json_t *from, reha_dicom_origin *out, reha_error *err)
{
    *out = (reha_dicom_origin){.width_px = count_from(from, "width_px"),
                               .height_px = count_from(from, "height_px"),
                               .frame_count = count_from(from, "frame_count")};
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *text = reha_json_string(from, members[i].name, "");
        const bool is_right =
            strlen(text) < members[i].size &&
            (!members[i].is_uid || (text[0] != '\0' && strspn(text, "0123456789.") == strlen(text)));
        if (!is_right) {
            return reha_fail(err, REHA_E_FORMAT, "the file does not say rightly whose image it is (%s)",
                             members[i].name);
        }
        (void)snprintf((char *)out + members[i].offset, members[i].size, "%s", text);
    }
    shown_from_json(from, out);
    return out->width_px > 0 && out->height_px > 0 && out->frame_count > 0
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "the file has no image");
}

reha_status sandbox_origin(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    reha_dicom *dicom = NULL;
    reha_dicom_origin origin;
    REHA_TRY(reha_dicom_open(request->bytes, request->count, NULL, &dicom, err));
    const reha_status status = reha_dicom_origin_of(dicom, &origin, err);
    reha_dicom_close(dicom);
    REHA_TRY(status);
    reply->done = reha_origin_to_json(&origin);
    return reply->done != NULL ? REHA_OK
                               : reha_fail(err, REHA_E_NOMEM, "out of memory for the origin of an image");
}
