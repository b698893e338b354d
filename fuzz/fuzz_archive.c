/* Zip archives that people upload. Beyond "no crash": together no more than the limit comes out, all of it
 * looks like an image, the same twice; a failure says why. */
#include "base/memory.h"
#include "dicom/dicom.h"
#include "image/load.h"
#include "service/sandbox_unpack_priv.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unpack_limits limits = {.entries_max = 50.0, .bytes_max = 1 << 20, .ratio_max = 200.0};

typedef struct contents {
    double bytes;
    int files;
} contents;

static void demand(int condition)
{
    if (!condition) {
        abort();
    }
}

static reha_status add_up(void *context, const char *name, const void *bytes, size_t count, reha_error *err)
{
    contents *all = context;
    (void)err;
    all->bytes += (double)count;
    all->files++;
    demand(name != NULL && name[0] != '\0' && count >= 1);
    demand(reha_dicom_detect(bytes, count) || reha_image_detect(bytes, count) != NULL);
    return REHA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t blocks = reha_mem_live_blocks();
    contents seen[2] = {{.files = 0}, {.files = 0}};
    reha_status status[2];
    for (int i = 0; i < 2; i++) {
        reha_error err = REHA_ERROR_INIT;
        int skipped = 0;
        status[i] = unpack_archive(data, size, &limits, add_up, &seen[i], &skipped, &err);
        demand(skipped >= 0 && seen[i].files + skipped <= (int)limits.entries_max);
        demand(seen[i].bytes <= limits.bytes_max);
        demand(status[i] == REHA_OK || (err.text[0] != '\0' && reha_status_is_input_fault(status[i])));
    }
    demand(status[0] == status[1] && seen[0].files == seen[1].files);
    demand(reha_mem_live_blocks() == blocks);
    return 0;
}
