#include "service/phantoms.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dicom/write.h"
#include "image/save.h"
#include "recognition/knee_phantom.h"

#include <stdio.h>
#include <string.h>

enum { GRADES = 5, FILM_BITS = 12 };

static reha_phantom_spec spec_of(const reha_phantoms_options *options, int index)
{
    const uint64_t seed = options->seed * 1000 + (uint64_t)index;
    const reha_side side = index % 2 == 0 ? REHA_SIDE_RIGHT : REHA_SIDE_LEFT;
    reha_phantom_spec spec = options->films ? reha_phantom_film_both(seed) : reha_phantom_crop(side, seed);
    if (options->films && options->mm_per_px > 0.0) {
        const double ratio = spec.mm_per_px / options->mm_per_px;
        spec.mm_per_px = options->mm_per_px;
        spec.width_px = (uint32_t)(spec.width_px * ratio);
        spec.height_px = (uint32_t)(spec.height_px * ratio);
        for (int k = 0; k < spec.knee_count; k++) {
            spec.knees[k].joint_px.x_px *= ratio;
            spec.knees[k].joint_px.y_px *= ratio;
        }
    }
    spec.bits = options->dicom ? FILM_BITS : 8;
    spec.is_spacing_known = options->dicom;
    for (int k = 0; k < spec.knee_count; k++) {
        reha_phantom_set_grade(&spec.knees[k], index % GRADES, seed + (uint64_t)k);
    }
    return spec;
}

static reha_status save_dicom(const reha_gray *image, const reha_phantom_spec *spec, const char *path,
                              reha_error *err)
{
    const size_t count = (size_t)image->width_px * image->height_px;
    uint16_t *pixels = reha_alloc(count * sizeof *pixels);
    if (pixels == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pixels", count);
    }
    for (size_t i = 0; i < count; i++) {
        pixels[i] = (uint16_t)(image->pixels[i] + 0.5F);
    }
    reha_dicom_image file = reha_dicom_image_empty();
    file.width_px = image->width_px;
    file.height_px = image->height_px;
    file.bits_stored = FILM_BITS;
    file.pixels = pixels;
    file.spacing = image->spacing;
    file.facts.side = spec->knee_count > 1 ? REHA_SIDE_BOTH : spec->knees[0].side;
    (void)snprintf(file.facts.modality, sizeof file.facts.modality, "DX");
    (void)snprintf(file.facts.body_part, sizeof file.facts.body_part, "KNEE");
    (void)snprintf(file.facts.view_position, sizeof file.facts.view_position, "AP");
    (void)snprintf(file.facts.manufacturer, sizeof file.facts.manufacturer, "Rehascope phantom");
    const reha_status status = reha_dicom_save_image(&file, path, err);
    reha_free(pixels);
    return status;
}

static reha_status write_one(const char *folder, const reha_phantoms_options *options, int index,
                             reha_text *labels, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    reha_phantom_truth truths[REHA_PHANTOM_KNEES_MAX];
    char name[48];
    const reha_phantom_spec spec = spec_of(options, index);
    const char *side = spec.knee_count > 1 ? "both" : spec.knees[0].side == REHA_SIDE_LEFT ? "L" : "R";
    (void)snprintf(name, sizeof name, "knee-%03d%s.%s", index, spec.knee_count > 1 ? "" : side,
                   options->dicom ? "dcm" : "png");
    char *path = reha_path_join(folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_phantom_draw(&spec, &image, truths, err));
    REHA_CHECK(options->dicom ? save_dicom(image, &spec, path, err)
                              : reha_image_save_png(image, 8, path, err));
    reha_text_addf(labels, "%s,phantom-%03d%s,phantom-%03d,%s,phantom,%d,%.3f,%.3f,%.2f\n", name, index, side,
                   index, side, index % GRADES, truths[0].medial_jsw_mm, truths[0].lateral_jsw_mm,
                   spec.mm_per_px);
done:
    reha_gray_free(image);
    reha_free(path);
    return status;
}

reha_status reha_phantoms_write(const char *folder, const reha_phantoms_options *options, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_text labels = {0};
    char *table = NULL;
    char *path = NULL;
    REHA_TRY(reha_folder_make(folder, err));
    reha_text_add(&labels, "path,knee_id,patient_id,side,split,kl,medial_jsw_mm,lateral_jsw_mm,mm_per_px\n");
    for (int i = 0; i < options->count; i++) {
        REHA_CHECK(write_one(folder, options, i, &labels, err));
    }
    REHA_CHECK(reha_text_take(&labels, &table, err));
    path = reha_path_join(folder, "labels.csv");
    if (path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    REHA_CHECK(reha_file_save(path, table, strlen(table), err));
done:
    reha_text_clear(&labels);
    reha_free(table);
    reha_free(path);
    return status;
}
