/* What of a study goes back to the archive that its images came from. */
#include "service/clinic_report_priv.h"

#include "base/memory.h"
#include "base/text.h"
#include "image/load.h"
#include "recognition/finding.h"
#include "service/export_objects.h"
#include "service/origin.h"
#include "store/secret.h"

#include <stdio.h>
#include <string.h>

static reha_status origin_of(reha_clinic *clinic, const json_t *image, size_t no, reha_dicom_origin *out,
                             reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_sandbox_answer answer = {.json = NULL};
    if (json_is_true(json_object_get(image, "wrapped"))) {
        return reha_fail(
            err, REHA_E_CONFLICT,
            "image %zu came as a picture, not as DICOM: no archive knows its study; use the report as "
            "PDF",
            no);
    }
    json_t *request = json_pack("{s:s}", "op", "origin");
    reha_status status = reha_blobs_get(clinic->blobs, reha_json_string(image, "digest", ""),
                                        clinic->limits.upload_bytes_max, &bytes, &count, err);
    REHA_CHECK(status);
    REHA_CHECK(clinic_view(clinic, request, bytes, count, &answer, err));
    REHA_CHECK(reha_origin_from_json(answer.json, out, err));
done:
    json_decref(request);
    reha_sandbox_answer_clear(&answer);
    reha_free(bytes);
    return status;
}

/* Whether every word of a name as DICOM writes it ("Müller^Ann=...") stands in a name as people write it. */
static bool names_agree(const char *dicom_name, const char *name)
{
    enum { WORD_BYTES = 64 };
    static const char gaps[] = "^ ,.-";
    char word[WORD_BYTES];
    for (const char *at = dicom_name + strspn(dicom_name, gaps); *at != '\0' && *at != '=';) {
        const size_t length = strcspn(at, "=^ ,.-");
        bool is_there = false;
        (void)snprintf(word, sizeof word, "%.*s", (int)length, at);
        for (const char *in = name + strspn(name, gaps); *in != '\0' && !is_there; in += strspn(in, gaps)) {
            char other[WORD_BYTES];
            const size_t other_length = strcspn(in, gaps);
            (void)snprintf(other, sizeof other, "%.*s", (int)other_length, in);
            is_there = reha_str_equal_nocase(word, other);
            in += other_length;
        }
        if (!is_there) {
            return false;
        }
        at += length;
        at += strspn(at, gaps);
    }
    return true;
}

/* Whether the record knows the images' number as that of somebody else, and calls its own patient by another
 * name than the images do. A study may be filed under a patient whom the clinic made: such a one has no
 * number. */
static bool is_somebody_else(reha_clinic *clinic, const json_t *study, const reha_dicom_origin *origin)
{
    char mac[REHA_MAC_TEXT_BYTES];
    json_t *row = NULL;
    const json_t *patient = json_object_get(study, "patient");
    const char *name = reha_json_string(patient, "name", NULL);
    if (origin->patient_id[0] == '\0' || name == NULL || names_agree(origin->patient_name, name)) {
        return false;
    }
    reha_mac(clinic->keys.pseudonyms, origin->patient_id, strlen(origin->patient_id), mac);
    const reha_status status =
        clinic_row(clinic, REHA_SQL_PATIENT_BY_EXTERNAL, REHA_BIND(reha_of_text(mac)), "patient", &row, NULL);
    const bool is_other = status == REHA_OK &&
                          strcmp(reha_json_string(row, "id", ""), reha_json_string(patient, "id", "")) != 0;
    json_decref(row);
    return is_other;
}

/* One study of one person: an archive must never file a report with one name under another. */
static reha_status check_person(reha_clinic *clinic, const json_t *study, const reha_dicom_origin *origins,
                                size_t count, reha_error *err)
{
    for (size_t i = 1; i < count; i++) {
        const bool is_same_name =
            origins[0].patient_id[0] != '\0' || strcmp(origins[i].patient_name, origins[0].patient_name) == 0;
        if (strcmp(origins[i].patient_id, origins[0].patient_id) != 0 || !is_same_name ||
            strcmp(origins[i].ids.study_instance_uid, origins[0].ids.study_instance_uid) != 0) {
            return reha_fail(err, REHA_E_CONFLICT,
                             "images 1 and %zu name different patients or studies: nothing is exported",
                             i + 1);
        }
    }
    return count > 0 && is_somebody_else(clinic, study, &origins[0])
               ? reha_fail(err, REHA_E_CONFLICT,
                           "the study is filed under another patient than its images name: file it under the "
                           "right one first")
               : REHA_OK;
}

static reha_status read_origins(reha_clinic *clinic, const json_t *study, reha_dicom_origin **out,
                                reha_error *err)
{
    const json_t *images = json_object_get(study, "images");
    const size_t count = json_array_size(images);
    *out = reha_alloc_zero(count + 1, sizeof **out);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an export");
    }
    for (size_t i = 0; i < count; i++) {
        REHA_TRY(origin_of(clinic, json_array_get(images, i), i + 1, &(*out)[i], err));
    }
    return check_person(clinic, study, *out, count, err);
}

static reha_status add_report(const reha_export_source *source, const char *as_of,
                              const report_picture *pictures, reha_export *out, reha_error *err)
{
    uint8_t *pdf = NULL;
    size_t count = 0;
    const report_source report = {
        .study = source->study, .pictures = pictures, .clinic_name = source->clinic_name, .made_at = as_of};
    REHA_TRY(report_pdf(&report, &pdf, &count, err));
    const reha_status status = reha_export_report(source, as_of, pdf, count, out, err);
    reha_free(pdf);
    return status;
}

static reha_status add_pictures(const reha_export_source *source, const char *as_of,
                                const report_picture *pictures, reha_export *out, reha_error *err)
{
    const json_t *images = json_object_get(source->study, "images");
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *results = json_object_get(json_array_get(images, i), "results");
        for (size_t k = 0; k < json_array_size(results); k++, pictures++) {
            if (pictures->png != NULL) {
                REHA_TRY(
                    reha_export_picture(source, as_of, i, k, pictures->png, pictures->png_bytes, out, err));
            }
        }
    }
    return REHA_OK;
}

/* ---- overlays and masks ---- */

typedef struct mask_list {
    reha_export_mask items[REHA_REGIONS_MAX * REHA_MASKS_MAX];
    size_t count;
} mask_list;

static void clear_masks(mask_list *masks)
{
    for (size_t i = 0; i < masks->count; i++) {
        reha_mask_clear(&masks->items[i].mask);
    }
    masks->count = 0;
}

static reha_status read_mask(const uint8_t *png, size_t png_bytes, const char *key,
                             const reha_dicom_origin *image, reha_mask *out, reha_error *err)
{
    reha_gray *picture = NULL;
    REHA_TRY(reha_image_decode(png, png_bytes, NULL, &picture, NULL, err));
    const size_t count = (size_t)picture->width_px * picture->height_px;
    reha_status status = REHA_OK;
    if (picture->width_px != image->width_px || picture->height_px != image->height_px) {
        status = reha_fail(err, REHA_E_FORMAT, "a mask of %u x %u px belongs to an image of %u x %u px",
                           picture->width_px, picture->height_px, image->width_px, image->height_px);
    } else {
        status = reha_mask_new(key, image->width_px, image->height_px, out, err);
    }
    for (size_t i = 0; i < count && status == REHA_OK; i++) {
        out->inside[i] = picture->pixels[i] > 0.0F ? 1 : 0;
    }
    reha_gray_free(picture);
    return status;
}

/* Those among a result's pictures that are called "mask-<region>-<key>". */
static reha_status load_masks(reha_clinic *clinic, const json_t *result, const reha_dicom_origin *image,
                              mask_list *out, reha_error *err)
{
    enum { PICTURE_BYTES_MAX = 64 << 20 };
    const json_t *names = json_object_get(result, "pictures");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        json_t *row = NULL;
        uint8_t *png = NULL;
        size_t png_bytes = 0;
        unsigned region_idx = 0;
        int key_at = 0;
        if (name == NULL || sscanf(name, "mask-%1u-%n", &region_idx, &key_at) != 1 || key_at == 0 ||
            region_idx >= REHA_REGIONS_MAX || out->count == sizeof out->items / sizeof out->items[0]) {
            continue;
        }
        REHA_TRY(clinic_row(clinic, REHA_SQL_PICTURE,
                            REHA_BIND(reha_of_text(reha_json_string(result, "id", "")), reha_of_text(name)),
                            "mask", &row, err));
        reha_status status = reha_blobs_get(clinic->blobs, reha_json_string(row, "digest", ""),
                                            PICTURE_BYTES_MAX, &png, &png_bytes, err);
        json_decref(row);
        if (status == REHA_OK) {
            reha_export_mask *mask = &out->items[out->count];
            status = read_mask(png, png_bytes, name + key_at, image, &mask->mask, err);
            mask->region_idx = region_idx;
            out->count += status == REHA_OK ? 1 : 0;
        }
        reha_free(png);
        REHA_TRY(status);
    }
    return REHA_OK;
}

static reha_status add_layers_of(reha_clinic *clinic, const reha_export_source *source, const char *as_of,
                                 size_t image_idx, size_t result_idx, reha_export *out, reha_error *err)
{
    char name[REHA_EXPORT_NAME_BYTES];
    const json_t *image = json_array_get(json_object_get(source->study, "images"), image_idx);
    const json_t *result = json_array_get(json_object_get(image, "results"), result_idx);
    (void)snprintf(name, sizeof name, "overlay-%zu-%zu.dcm", image_idx + 1, result_idx + 1);
    REHA_TRY(reha_export_overlay(source, as_of, image_idx, result_idx, name, out, err));
    mask_list masks = {.count = 0};
    reha_status status = load_masks(clinic, result, &source->origins[image_idx], &masks, err);
    if (status == REHA_OK) {
        (void)snprintf(name, sizeof name, "masks-%zu-%zu.dcm", image_idx + 1, result_idx + 1);
        status =
            reha_export_masks(source, as_of, image_idx, result_idx, masks.items, masks.count, name, out, err);
    }
    clear_masks(&masks);
    return status;
}

static reha_status add_layers(reha_clinic *clinic, const reha_export_source *source, const char *as_of,
                              reha_export *out, reha_error *err)
{
    const json_t *images = json_object_get(source->study, "images");
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *results = json_object_get(json_array_get(images, i), "results");
        for (size_t k = 0; k < json_array_size(results); k++) {
            REHA_TRY(add_layers_of(clinic, source, as_of, i, k, out, err));
        }
    }
    return REHA_OK;
}

static reha_status check_ready(const json_t *study, reha_error *err)
{
    const char *state = reha_json_string(study, "status", "");
    if (strcmp(state, "waiting") == 0) {
        return reha_fail(err, REHA_E_CONFLICT, "an analysis of this study has not ended: wait for it");
    }
    return REHA_OK;
}

static reha_status note_export(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                               const json_t *study, const reha_export *files, reha_error *err)
{
    clinic_write write;
    REHA_TRY(clinic_begin(clinic, true, &write, err));
    json_t *names = json_array();
    for (size_t i = 0; i < files->count; i++) {
        (void)json_array_append_new(names, json_string(files->files[i].name));
    }
    return clinic_end(&write,
                      clinic_note(&write, actor, "study.export", "study", study_id,
                                  json_pack("{s:s, s:b, s:o}", "format", "dicom", "signed",
                                            report_is_signed(study) ? 1 : 0, "objects", names),
                                  err),
                      err);
}

/* Whether this signature is the one in force. */
static reha_status check_signature(const json_t *study, const char *signature_id, reha_error *err)
{
    const json_t *signature = json_object_get(study, "signature");
    return strcmp(reha_json_string(signature, "id", ""), signature_id) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_STALE, "the signature was withdrawn");
}

/* `signature_id` NULL: whatever state it is in. The study as it was exported stays in *study. */
static reha_status make_export(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                               const char *signature_id, reha_export *out, json_t **study_out,
                               reha_error *err)
{
    json_t *study = NULL;
    json_t *state = NULL;
    reha_dicom_origin *origins = NULL;
    report_picture *pictures = NULL;
    size_t picture_count = 0;
    char as_of[REHA_AS_OF_BYTES];
    reha_status status = REHA_OK;
    *out = (reha_export){.files = NULL};
    *study_out = NULL;
    reha_store *store = clinic_read(clinic);
    status = clinic_study_read(store, actor, study_id, &study, err);
    clinic_read_end(clinic, store);
    REHA_CHECK(status);
    if (signature_id != NULL) {
        REHA_CHECK(check_signature(study, signature_id, err));
    }
    REHA_CHECK(check_ready(study, err));
    REHA_CHECK(reha_clinic_state(clinic, &state, err));
    REHA_CHECK(read_origins(clinic, study, &origins, err));
    REHA_CHECK(report_load_pictures(clinic, study, &pictures, &picture_count, err));
    const reha_export_source source = {
        .study = study, .origins = origins, .clinic_name = reha_json_string(state, "clinic_name", NULL)};
    reha_export_as_of(study, as_of);
    REHA_CHECK(reha_export_results(&source, as_of, "results.dcm", out, err));
    REHA_CHECK(add_report(&source, as_of, pictures, out, err));
    REHA_CHECK(add_pictures(&source, as_of, pictures, out, err));
    REHA_CHECK(add_layers(clinic, &source, as_of, out, err));
    *study_out = json_incref(study);
done:
    if (status != REHA_OK) {
        reha_export_clear(out);
    }
    report_free_pictures(pictures, picture_count);
    reha_free(origins);
    json_decref(study);
    json_decref(state);
    return status;
}

reha_status clinic_export_signed(reha_clinic *clinic, const char *study_id, const char *signature_id,
                                 reha_export *out, reha_error *err)
{
    json_t *study = NULL;
    const reha_actor system = clinic_system_actor();
    const reha_status status = make_export(clinic, &system, study_id, signature_id, out, &study, err);
    json_decref(study);
    return status;
}

reha_status reha_clinic_export(reha_clinic *clinic, const reha_actor *actor, const char *study_id,
                               reha_export *out, reha_error *err)
{
    json_t *study = NULL;
    *out = (reha_export){.files = NULL};
    REHA_TRY(clinic_may(actor, REHA_MAY_EXPORT, err));
    REHA_TRY(clinic_may(actor, REHA_MAY_IDENTITY, err)); /* the objects name the patient */
    REHA_TRY(make_export(clinic, actor, study_id, NULL, out, &study, err));
    const reha_status status = note_export(clinic, actor, study_id, study, out, err);
    if (status != REHA_OK) {
        reha_export_clear(out);
    }
    json_decref(study);
    return status;
}
