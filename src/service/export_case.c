#include "service/export_case.h"

#include "base/clock.h"
#include "service/export_objects.h"

#include <stdio.h>
#include <string.h>

/* The record of a clinic that holds this one result, which nobody has looked at. */
static json_t *study_of(const reha_case *one, const char *now, json_t *analysis)
{
    const reha_analysis *from = one->analysis;
    return json_pack(
        "{s:[{s:s, s:{s:s}, s:[{s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:[]}], s:[]}], "
        "s:n}",
        "images", "side", reha_side_text(from->acquisition.side), "job", "state", "done", "results", "id",
        one->digest, "task", from->task, "asked", 0, "model", from->model_name, "model_version",
        from->model_version, "model_hash", from->model_hash, "software", "rehascope " REHA_VERSION,
        "input_digest", one->digest, "created_at", now, "accepted", from->is_accepted ? 1 : 0, "analysis",
        analysis, "reviews", "set_aside", "signature");
}

static reha_status origin_of(const reha_case *one, reha_dicom_origin *out, reha_error *err)
{
    reha_dicom *dicom = NULL;
    if (one->status != REHA_OK) {
        return reha_fail(err, REHA_E_ARG, "%s: there is no result to write", one->path);
    }
    if (strcmp(one->analysis->acquisition.container, "dicom") != 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "%s: no DICOM file: no archive knows its study, so that no object is made",
                         one->path);
    }
    REHA_TRY(reha_dicom_load(one->path, NULL, &dicom, err));
    const reha_status status = reha_dicom_origin_of(dicom, out, err);
    reha_dicom_close(dicom);
    return status;
}

/* Borrows the masks. */
static reha_status add_masks(const reha_case *one, const reha_export_source *source, const char *now,
                             const char *name, reha_export *out, reha_error *err)
{
    reha_export_mask masks[REHA_REGIONS_MAX * REHA_MASKS_MAX];
    size_t count = 0;
    for (int i = 0; i < one->analysis->region_count; i++) {
        for (int k = 0; k < one->analysis->regions[i].mask_count; k++) {
            masks[count++] = (reha_export_mask){(size_t)i, one->analysis->regions[i].masks[k]};
        }
    }
    return reha_export_masks(source, now, 0, 0, masks, count, name, out, err);
}

static reha_status add_objects(const reha_case *one, const reha_export_source *source, const char *now,
                               size_t no, reha_export *out, reha_error *err)
{
    char name[REHA_EXPORT_NAME_BYTES];
    (void)snprintf(name, sizeof name, "results-%zu.dcm", no);
    REHA_TRY(reha_export_results(source, now, name, out, err));
    (void)snprintf(name, sizeof name, "overlay-%zu.dcm", no);
    REHA_TRY(reha_export_overlay(source, now, 0, 0, name, out, err));
    (void)snprintf(name, sizeof name, "masks-%zu.dcm", no);
    return add_masks(one, source, now, name, out, err);
}

reha_status reha_export_case(const reha_case *one, size_t no, reha_export *out, reha_error *err)
{
    char now[REHA_TIMESTAMP_BYTES];
    reha_dicom_origin origin;
    json_t *analysis = NULL;
    REHA_TRY(origin_of(one, &origin, err));
    REHA_TRY(reha_analysis_to_json(one->analysis, &analysis, err));
    reha_clock_timestamp(now);
    json_t *study = study_of(one, now, analysis); /* takes the analysis */
    if (study == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an export");
    }
    const reha_export_source source = {.study = study, .origins = &origin};
    const reha_status status = add_objects(one, &source, now, no, out, err);
    json_decref(study);
    return status;
}
