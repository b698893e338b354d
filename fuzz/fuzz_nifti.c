/* NIfTI files from outside. Beyond "no crash": a success has a geometry that can be turned round and voxels
 * that are finite or NaN, and writing and reading it again gives the same; a failure says why. Small
 * limits keep each run short. */
#include "base/memory.h"
#include "image/nifti.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition) {
        abort();
    }
}

static void write_again(const reha_volume *volume)
{
    const reha_volume *volumes[] = {volume};
    const reha_nifti_options options = {.version = 2}; /* doubles: the affine comes back exactly */
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_nifti *nifti = NULL;
    reha_volume *again = NULL;
    demand(reha_nifti_encode(volumes, 1, &options, &bytes, &count, NULL) == REHA_OK);
    demand(reha_nifti_open(bytes, count, NULL, &nifti, NULL) == REHA_OK);
    demand(reha_nifti_read(nifti, 0, &again, NULL) == REHA_OK);
    demand(reha_volume_same_grid(volume, again, 1e-3));
    for (size_t i = 0; i < reha_volume_count(volume); i++) {
        demand(volume->voxels[i] == again->voxels[i] ||
               (isnan(volume->voxels[i]) && isnan(again->voxels[i])));
    }
    reha_volume_free(again);
    reha_nifti_close(nifti);
    reha_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const reha_image_limits limits = {
        .pixels_max = 1 << 16,
        .side_max_px = 1024,
        .frames_max = 16,
        .file_bytes_max = 1 << 20,
        .decoded_bytes_max = 1 << 20,
    };
    reha_nifti *nifti = NULL;
    reha_error err = REHA_ERROR_INIT;
    const reha_status status = reha_nifti_open(data, size, &limits, &nifti, &err);
    if (status != REHA_OK) {
        demand(nifti == NULL && err.text[0] != '\0' && err.status == status);
        demand(status != REHA_E_INTERNAL && status != REHA_E_ARG);
        return 0;
    }
    const reha_nifti_facts *facts = reha_nifti_get_facts(nifti);
    demand(reha_nifti_detect(data, size));
    demand(reha_affine3_check(&facts->to_mm, NULL) == REHA_OK);
    for (uint32_t v = 0; v <= facts->volume_count; v++) {
        reha_volume *volume = NULL;
        const reha_status got = reha_nifti_read(nifti, v, &volume, &err);
        demand(v < facts->volume_count ? got == REHA_OK : got == REHA_E_NOT_FOUND && volume == NULL);
        for (size_t i = 0; volume != NULL && i < reha_volume_count(volume); i++) {
            demand(isfinite(volume->voxels[i]) || isnan(volume->voxels[i]));
        }
        if (v == 0) {
            write_again(volume);
        }
        reha_volume_free(volume);
    }
    reha_nifti_close(nifti);
    return 0;
}
