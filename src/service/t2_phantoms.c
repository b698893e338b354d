#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dicom/write.h"
#include "image/nifti.h"
#include "recognition/t2_phantom.h"
#include "service/phantoms.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BITS = 12 };
static const char CLASS_MR[] = "1.2.840.10008.5.1.4.1.1.4";

static void set_place(const reha_volume *volume, uint32_t k, reha_dicom_slice *out)
{
    double spacing_mm[3];
    reha_volume_spacing_mm(volume, spacing_mm);
    for (int a = 0; a < 3; a++) {
        out->row[a] = volume->to_mm.m[a][0] / spacing_mm[0];
        out->column[a] = volume->to_mm.m[a][1] / spacing_mm[1];
        out->position_mm[a] = volume->to_mm.m[a][3] + k * volume->to_mm.m[a][2];
    }
    out->thickness_mm = 0.75 * spacing_mm[2];
    out->between_mm = spacing_mm[2];
}

static reha_status write_slice(const char *folder, const reha_t2_phantom *phantom, const reha_volume *volume,
                               uint32_t k, size_t e, reha_dicom_image *image, uint16_t *pixels,
                               reha_error *err)
{
    char name[32];
    reha_dicom_slice slice = {.echo_ms = phantom->echo_ms[e], .repetition_ms = 2000.0};
    slice.instance_no = (uint32_t)(k * phantom->echo_count + e + 1);
    set_place(volume, k, &slice);
    const float *from = volume->voxels + reha_volume_index(volume, 0, 0, k);
    for (size_t p = 0; p < (size_t)image->width_px * image->height_px; p++) {
        pixels[p] = (uint16_t)(from[p] + 0.5F);
    }
    image->slice = &slice;
    image->ids.sop_instance_uid[0] = '\0'; /* a new one for each file */
    (void)snprintf(name, sizeof name, "mr-%04" PRIu32 ".dcm", slice.instance_no);
    char *path = reha_path_join(folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_dicom_save_image(image, path, err);
    image->slice = NULL;
    reha_free(path);
    return status;
}

static reha_status write_series(const char *folder, const reha_t2_phantom *phantom, reha_volume **echoes,
                                reha_error *err)
{
    reha_dicom_image image = reha_dicom_image_empty();
    reha_status status = REHA_OK;
    image.width_px = phantom->side_px;
    image.height_px = phantom->side_px;
    image.bits_stored = BITS;
    image.spacing = (reha_spacing){phantom->pixel_mm, phantom->pixel_mm, REHA_SPACING_CALIBRATED};
    (void)snprintf(image.facts.modality, sizeof image.facts.modality, "MR");
    (void)snprintf(image.facts.body_part, sizeof image.facts.body_part, "PHANTOM");
    (void)snprintf(image.facts.manufacturer, sizeof image.facts.manufacturer, "Rehascope phantom");
    (void)snprintf(image.ids.sop_class_uid, sizeof image.ids.sop_class_uid, "%s", CLASS_MR);
    REHA_TRY(reha_dicom_uid_new(image.ids.study_instance_uid, err));
    REHA_TRY(reha_dicom_uid_new(image.ids.series_instance_uid, err));
    uint16_t *pixels = reha_alloc((size_t)phantom->side_px * phantom->side_px * sizeof *pixels);
    if (pixels == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a slice");
    }
    image.pixels = pixels;
    for (uint32_t k = 0; k < phantom->slice_count && status == REHA_OK; k++) {
        for (size_t e = 0; e < phantom->echo_count && status == REHA_OK; e++) {
            status = write_slice(folder, phantom, echoes[e], k, e, &image, pixels, err);
        }
    }
    reha_free(pixels);
    return status;
}

static reha_status write_truth(const char *folder, const reha_t2_phantom *phantom, const reha_volume *labels,
                               reha_error *err)
{
    reha_text table = {0};
    char *text = NULL;
    char *mask_path = reha_path_join(folder, "labels.nii.gz");
    char *table_path = reha_path_join(folder, "tubes.csv");
    reha_status status = REHA_OK;
    if (mask_path == NULL || table_path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    reha_text_add(&table, "label,t2_ms\n");
    for (int t = 0; t < phantom->tube_count; t++) {
        reha_text_addf(&table, "%d,%g\n", t + 1, phantom->t2_ms[t]);
    }
    REHA_CHECK(reha_text_take(&table, &text, err));
    REHA_CHECK(reha_file_save(table_path, text, strlen(text), err));
    REHA_CHECK(reha_nifti_save(&labels, 1, "tubes of tubes.csv (rehascope phantom)", mask_path, err));
done:
    reha_text_clear(&table);
    reha_free(text);
    reha_free(mask_path);
    reha_free(table_path);
    return status;
}

reha_status reha_t2_phantoms_write(const char *folder, int slices, uint64_t seed, reha_error *err)
{
    reha_t2_phantom phantom = reha_t2_phantom_default();
    reha_volume *echoes[REHA_T2_ECHOES_MAX] = {NULL};
    reha_volume *labels = NULL;
    reha_status status = REHA_OK;
    phantom.slice_count = (uint32_t)slices;
    phantom.seed = seed;
    REHA_TRY(reha_folder_make(folder, err));
    REHA_CHECK(reha_t2_phantom_draw(&phantom, echoes, &labels, err));
    REHA_CHECK(write_series(folder, &phantom, echoes, err));
    REHA_CHECK(write_truth(folder, &phantom, labels, err));
done:
    for (size_t e = 0; e < phantom.echo_count; e++) {
        reha_volume_free(echoes[e]);
    }
    reha_volume_free(labels);
    return status;
}
