/* libFuzzer entry for the DICOM reader: not only "no crash", but what must hold of every file that
 * opens. tests/unit/dicom/test_corpus.c replays fuzz/corpus/dicom through it. */
#include "base/memory.h"
#include "dicom/derived.h"
#include "dicom/dicom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_spacing(reha_spacing spacing)
{
    if (spacing.source == REHA_SPACING_UNKNOWN) {
        must(!reha_spacing_is_known(spacing));
        return;
    }
    /* The lower bound is that of the file divided by the largest magnification. */
    must(spacing.x_mm >= 0.001 / 4.0 && spacing.x_mm <= 10.0);
    must(spacing.y_mm >= 0.001 / 4.0 && spacing.y_mm <= 10.0);
}

static void check_image(const reha_dicom *dicom, const reha_gray *image, float low, float high)
{
    must(image->width_px == reha_dicom_width_px(dicom) && image->height_px == reha_dicom_height_px(dicom));
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        must(isfinite(image->pixels[i]) && image->pixels[i] >= low && image->pixels[i] <= high);
    }
    check_spacing(image->spacing);
}

static void check_regions(const reha_dicom *dicom, uint32_t frame_idx)
{
    const double width = reha_dicom_width_px(dicom);
    const double height = reha_dicom_height_px(dicom);
    const uint32_t count = reha_dicom_region_count(dicom, frame_idx);
    for (uint32_t i = 0; i < count && i < 16; i++) {
        reha_dicom_region region;
        must(reha_dicom_get_region(dicom, frame_idx, i, &region));
        must(region.box.x_px >= 0.0 && region.box.x_px + region.box.width_px <= width);
        must(region.box.y_px >= 0.0 && region.box.y_px + region.box.height_px <= height);
        check_spacing(region.spacing);
    }
}

static void check_frame(const reha_dicom *dicom, uint32_t frame_idx)
{
    reha_error err = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_acquisition facts;
    reha_status status = reha_dicom_read_frame(dicom, frame_idx, &image, &facts, &err);
    must((status == REHA_OK) == (image != NULL));
    must(status == REHA_OK || (err.status == status && err.text[0] != '\0'));
    if (status == REHA_OK) {
        check_image(dicom, image, -1e18f, 1e18f);
        must(facts.chroma_fraction >= 0.0 && facts.chroma_fraction <= 1.0);
        reha_gray_free(image);
        must(reha_dicom_read_display(dicom, frame_idx, NULL, &image, &err) == REHA_OK);
        check_image(dicom, image, -0.01f, 1.01f);
        reha_gray_free(image);
    }
    check_regions(dicom, frame_idx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Small limits keep a run short; the sizes are checked by the same code. */
    reha_image_limits limits = reha_image_limits_default();
    limits.pixels_max = 1024 * 1024;
    limits.frames_max = 64;
    limits.decoded_bytes_max = 64 * 1024 * 1024;
    const size_t blocks = reha_mem_live_blocks();
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom = NULL;
    const reha_status status = reha_dicom_open(data, size, &limits, &dicom, &err);
    must((status == REHA_OK) == (dicom != NULL));
    must(status == REHA_OK || (err.status == status && err.text[0] != '\0'));
    if (status == REHA_OK) {
        const uint32_t frames = reha_dicom_frame_count(dicom);
        char id[65];
        reha_dicom_origin origin;
        (void)reha_dicom_identifying_patient_id(dicom, id, sizeof(id));
        if (reha_dicom_origin_of(dicom, &origin, &err) == REHA_OK) {
            must(strspn(origin.ids.study_instance_uid, "0123456789.") ==
                 strlen(origin.ids.study_instance_uid));
            must(memchr(origin.patient_name, 0, sizeof(origin.patient_name)) != NULL);
        }
        must(strlen(id) < sizeof(id) && frames >= 1 && frames <= limits.frames_max);
        must(isfinite(reha_dicom_pixel_aspect(dicom)) && reha_dicom_pixel_aspect(dicom) > 0.0);
        for (uint32_t f = 0; f < frames && f < 3; f++) {
            check_frame(dicom, f);
        }
    }
    reha_dicom_close(dicom);
    must(reha_mem_live_blocks() == blocks);
    return 0;
}
