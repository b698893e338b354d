/* Picture files from outside: PNG, JPEG, TIFF. Beyond "no crash": a success has a picture of a permitted
 * size with finite values, a failure has none and says why. Small limits keep each run short. */
#include "image/load.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition) {
        abort();
    }
}

static void decode_one(const uint8_t *data, size_t size, uint32_t frame_idx)
{
    const reha_image_limits limits = {
        .pixels_max = 1 << 20,
        .side_max_px = 4096,
        .frames_max = 20,
        .file_bytes_max = 1 << 20,
        .decoded_bytes_max = 32 << 20,
    };
    reha_gray *image = NULL;
    reha_acquisition facts;
    reha_error err = REHA_ERROR_INIT;
    const reha_status status = reha_image_decode_frame(data, size, frame_idx, &limits, &image, &facts, &err);
    if (status != REHA_OK) {
        demand(image == NULL);
        demand(err.text[0] != '\0' && err.status == status);
        demand(status != REHA_E_INTERNAL && status != REHA_E_ARG);
        return;
    }
    demand(image->width_px >= 1 && image->width_px <= limits.side_max_px);
    demand(image->height_px >= 1 && image->height_px <= limits.side_max_px);
    demand(!reha_spacing_is_known(image->spacing));
    demand(facts.chroma_fraction >= 0.0 && facts.chroma_fraction <= 1.0);
    demand(reha_image_detect(data, size) != NULL &&
           strcmp(reha_image_detect(data, size), facts.container) == 0);
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        demand(isfinite(image->pixels[i]));
    }
    reha_gray_free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode_one(data, size, 0);
    decode_one(data, size, 1);
    return 0;
}
