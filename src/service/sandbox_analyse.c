#include "service/sandbox_child_priv.h"

#include "base/memory.h"
#include "dicom/dicom.h"
#include "dicom/write.h"
#include "image/draw.h"
#include "image/save.h"
#include "recognition/knee_phantom.h"
#include "service/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WARM_SIDE_PX = 64, NAME_BYTES = 32 };

/* Positive evidence as grey, the strongest white; signs and scale are in the composed figure. */
static reha_status send_map(const reha_region *region, int index, sandbox_reply *reply, reha_error *err)
{
    reha_gray *map = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    char name[NAME_BYTES];
    reha_status status = REHA_OK;
    float peak = 0.0F;
    REHA_TRY(reha_gray_copy(region->explanation, &map, err));
    const size_t count = (size_t)map->width_px * map->height_px;
    for (size_t i = 0; i < count; i++) {
        peak = fmaxf(peak, map->pixels[i]);
    }
    for (size_t i = 0; i < count && peak > 0.0F; i++) {
        map->pixels[i] = 255.0F * fmaxf(map->pixels[i], 0.0F) / peak;
    }
    (void)snprintf(name, sizeof name, "map-%d", index);
    REHA_CHECK(reha_image_encode_png(map, 8, &png, &png_bytes, err));
    status = sandbox_part(reply, name, png, png_bytes, err);
done:
    reha_free(png);
    reha_gray_free(map);
    return status;
}

/* White inside, black outside. */
static reha_status send_mask(const reha_analysis *analysis, int region, const reha_mask *mask,
                             sandbox_reply *reply, reha_error *err)
{
    reha_gray *picture = NULL;
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    char name[NAME_BYTES + REHA_MASK_KEY_BYTES];
    reha_status status = REHA_OK;
    REHA_TRY(reha_gray_new(analysis->width_px, analysis->height_px, &picture, err));
    for (size_t i = 0; i < (size_t)picture->width_px * picture->height_px; i++) {
        picture->pixels[i] = mask->inside[i] != 0 ? 255.0F : 0.0F;
    }
    (void)snprintf(name, sizeof name, "mask-%d-%s", region, mask->key);
    REHA_CHECK(reha_image_encode_png(picture, 8, &png, &png_bytes, err));
    status = sandbox_part(reply, name, png, png_bytes, err);
done:
    reha_free(png);
    reha_gray_free(picture);
    return status;
}

static reha_status send_pictures(const reha_case *result, sandbox_reply *reply, reha_error *err)
{
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    REHA_TRY(reha_figure_png(result, &png, &png_bytes, err));
    const reha_status status = sandbox_part(reply, "overlay", png, png_bytes, err);
    reha_free(png);
    REHA_TRY(status);
    for (int i = 0; i < result->analysis->region_count; i++) {
        const reha_region *region = &result->analysis->regions[i];
        if (region->explanation != NULL) {
            REHA_TRY(send_map(region, i, reply, err));
        }
        for (int k = 0; k < region->mask_count; k++) {
            REHA_TRY(send_mask(result->analysis, i, &region->masks[k], reply, err));
        }
    }
    return REHA_OK;
}

reha_status sandbox_analyse(reha_analyser *analyser, const wire_message *request, sandbox_reply *reply,
                            reha_error *err)
{
    reha_case result;
    json_t *analysis = NULL;
    char *line = NULL;
    reha_status status = REHA_OK;
    reha_analyser_run_bytes(analyser, request->bytes, request->count,
                            reha_json_string(request->json, "name", ""), true, &result);
    if (result.status != REHA_OK) {
        status = reha_fail(err, result.status, "%s", result.error.text);
        goto done;
    }
    REHA_CHECK(send_pictures(&result, reply, err));
    if (reha_case_has_more_frames(&result)) {
        REHA_CHECK(sandbox_frames(analyser, request, result.frame_count, reply, err));
    }
    REHA_CHECK(reha_case_line(&result, &line, err));
    REHA_CHECK(reha_analysis_to_json(result.analysis, &analysis, err));
    reply->done = json_pack("{s:o, s:o, s:b}", "analysis", analysis, "headline", reha_json_text(line),
                            "accepted", reha_case_is_accepted(&result) ? 1 : 0);
    status = reply->done != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a result");
done:
    reha_free(line);
    reha_case_clear(&result);
    return status;
}

/* ---- before the lock ---- */

/* A generated knee as a DICOM file. */
static reha_status make_knee(uint8_t **out, size_t *out_bytes, reha_error *err)
{
    reha_gray *knee = NULL;
    reha_status status = REHA_OK;
    reha_dicom_image image = reha_dicom_image_empty();
    const reha_phantom_spec spec = reha_phantom_crop(REHA_SIDE_RIGHT, 1);
    *out = NULL;
    REHA_TRY(reha_phantom_draw(&spec, &knee, NULL, err));
    const size_t count = (size_t)knee->width_px * knee->height_px;
    uint8_t *pixels = reha_alloc(count);
    if (pixels == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a generated knee");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        pixels[i] = (uint8_t)fminf(fmaxf(knee->pixels[i], 0.0F), 255.0F);
    }
    image.width_px = knee->width_px;
    image.height_px = knee->height_px;
    image.bits_stored = 8;
    image.pixels = pixels;
    status = reha_dicom_write_image(&image, out, out_bytes, err);
done:
    reha_free(pixels);
    reha_gray_free(knee);
    return status;
}

static reha_status run_once(reha_analyser *analyser, reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_case result;
    REHA_TRY(make_knee(&bytes, &count, err));
    reha_analyser_run_bytes(analyser, bytes, count, "", true, &result);
    reha_status status =
        result.status != REHA_OK ? reha_fail(err, result.status, "%s", result.error.text) : REHA_OK;
    if (status == REHA_OK) {
        status = reha_analyser_warm(analyser, result.image, err); /* the other recognisers, too */
    }
    if (status == REHA_OK) {
        uint8_t *png = NULL;
        size_t png_bytes = 0;
        status = reha_figure_png(&result, &png, &png_bytes, err);
        reha_free(png);
    }
    reha_case_clear(&result);
    reha_free(bytes);
    return status;
}

/* A canvas with letters of both weights. While it lives, the graphics library keeps their font files open,
 * for all canvases: behind the lock they could not be opened again. */
static reha_status hold_letters(reha_canvas **out, reha_error *err)
{
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    REHA_TRY(reha_canvas_new_picture(WARM_SIDE_PX, WARM_SIDE_PX, reha_rgb(0xffffff), out, err));
    for (int bold = 0; bold <= 1; bold++) {
        const reha_type type = {.size = 12.0, .bold = bold == 1, .colour = reha_rgb(0)};
        (void)reha_canvas_text(*out, (reha_spot){0.0, 0.0}, "knee 0.9 \xc2\xb1", &type);
    }
    const reha_status status = reha_canvas_encode(*out, &png, &png_bytes, err);
    reha_free(png);
    return status;
}

reha_status sandbox_warm_up(reha_analyser *analyser, reha_canvas **letters, reha_error *err)
{
    REHA_TRY(hold_letters(letters, err));
    return run_once(analyser, err);
}
