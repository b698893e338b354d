#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/nifti.h"
#include "service/t2_map_priv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const double SAME_GRID_VOX = 0.5;
static const double WHOLE = 1e-3; /* labels that were stored as floats */

/* Reads "x,y,w,h" or "x,y,w,h@k" into numbers; false if it is no such text. */
static bool parse_rectangle(const char *text, int64_t out[5])
{
    char copy[96];
    const size_t length = strlen(text);
    if (length >= sizeof copy || strspn(text, "0123456789,@ -") != length) {
        return false;
    }
    memcpy(copy, text, length + 1);
    char *at = strchr(copy, '@');
    out[4] = 0;
    if (at != NULL) {
        *at = '\0';
        if (!reha_parse_int64(at + 1, &out[4]) || out[4] < 1) {
            return false;
        }
    }
    char *next = copy;
    for (int i = 0; i < 4; i++) {
        char *comma = strchr(next, ',');
        if ((comma == NULL) != (i == 3)) {
            return false;
        }
        if (comma != NULL) {
            *comma = '\0';
        }
        if (!reha_parse_int64(next, &out[i])) {
            return false;
        }
        next = comma != NULL ? comma + 1 : next;
    }
    return true;
}

static reha_status fill_rectangle(const int64_t r[5], const reha_volume *grid, uint8_t *labels,
                                  reha_error *err)
{
    const uint32_t *size = grid->size;
    /* Each bound is checked before it is added to another: the numbers may be anything. */
    if (r[0] < 0 || r[1] < 0 || r[2] < 1 || r[3] < 1 || r[0] >= size[0] || r[1] >= size[1] ||
        r[2] > size[0] - r[0] || r[3] > size[1] - r[1] || r[4] > size[2]) {
        return reha_fail(err, REHA_E_ARG,
                         "--roi reaches beyond the images: they are %" PRIu32 " x %" PRIu32 " px in %" PRIu32
                         " slice(s)",
                         size[0], size[1], size[2]);
    }
    for (uint32_t k = 0; k < size[2]; k++) {
        if (r[4] > 0 && k + 1 != (uint32_t)r[4]) {
            continue;
        }
        for (int64_t y = r[1]; y < r[1] + r[3]; y++) {
            memset(labels + reha_volume_index(grid, (uint32_t)r[0], (uint32_t)y, k), 1, (size_t)r[2]);
        }
    }
    return REHA_OK;
}

static reha_status fill_mask(const char *path, const reha_volume *mask, const reha_volume *grid,
                             uint8_t *labels, reha_error *err)
{
    size_t inside = 0;
    if (!reha_volume_same_grid(grid, mask, SAME_GRID_VOX)) {
        return reha_fail(
            err, REHA_E_FORMAT,
            "%s: the mask lies on another grid (%" PRIu32 " x %" PRIu32 " x %" PRIu32
            ") than the series (%" PRIu32 " x %" PRIu32 " x %" PRIu32 "): draw or resample it on the series",
            path, mask->size[0], mask->size[1], mask->size[2], grid->size[0], grid->size[1], grid->size[2]);
    }
    for (size_t v = 0; v < reha_volume_count(mask); v++) {
        const double value = (double)mask->voxels[v];
        const double label = round(value);
        if (!(fabs(value - label) <= WHOLE && label >= 0.0 && label < REHA_T2_LABELS)) {
            return reha_fail(err, REHA_E_FORMAT,
                             "%s: a mask holds whole numbers from 0 to 255, and one voxel has %g", path,
                             value);
        }
        labels[v] = (uint8_t)label;
        inside += label > 0.0 ? 1 : 0;
    }
    return inside > 0 ? REHA_OK
                      : reha_fail(err, REHA_E_FORMAT, "%s: the mask is empty: no voxel is above 0", path);
}

static reha_status read_mask(const char *path, const reha_volume *grid, uint8_t *labels, reha_error *err)
{
    reha_nifti *nifti = NULL;
    reha_volume *mask = NULL;
    reha_status status = REHA_OK;
    REHA_TRY(reha_nifti_load(path, NULL, &nifti, err));
    if (reha_nifti_get_facts(nifti)->volume_count != 1) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: a mask is one volume, this file has %u", path,
                           reha_nifti_get_facts(nifti)->volume_count);
        goto done;
    }
    REHA_CHECK(reha_nifti_read(nifti, 0, &mask, err));
    REHA_CHECK(fill_mask(path, mask, grid, labels, err));
done:
    reha_volume_free(mask);
    reha_nifti_close(nifti);
    return status;
}

reha_status reha_t2_read_roi(const char *roi, const reha_volume *grid, uint8_t **out, reha_error *err)
{
    int64_t rectangle[5];
    *out = NULL;
    const bool is_rectangle = parse_rectangle(roi, rectangle);
    if (!is_rectangle && !reha_str_ends_nocase(roi, ".nii") && !reha_str_ends_nocase(roi, ".nii.gz")) {
        return reha_fail(
            err, REHA_E_ARG,
            "--roi: give x,y,w,h in pixels (with @slice for one slice), or a mask as .nii or .nii.gz");
    }
    uint8_t *labels = reha_alloc_zero(reha_volume_count(grid), 1);
    if (labels == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a region");
    }
    const reha_status status =
        is_rectangle ? fill_rectangle(rectangle, grid, labels, err) : read_mask(roi, grid, labels, err);
    if (status != REHA_OK) {
        reha_free(labels);
        return status;
    }
    *out = labels;
    return REHA_OK;
}
