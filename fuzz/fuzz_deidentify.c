/* libFuzzer entry for de-identification: whatever the file is, a copy holds nothing that is not on the list,
 * opens, and shows the pixels of the file. The first byte chooses options. tests/unit/dicom/test_deidentify.c
 * replays fuzz/corpus/deidentify through it. */
#include "base/clock.h"
#include "base/memory.h"
#include "dicom/deidentify.h"
#include "dicom/deidentify_priv.h"
#include "store/secret.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_hold(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void fuzz_mac(const void *context, const void *bytes, size_t count, char out[REHA_DEID_TEXT_BYTES])
{
    static const uint8_t key[REHA_KEY_BYTES] = {9};
    (void)context;
    reha_mac(key, bytes, count, out);
}

static bool is_on_list(uint32_t tag)
{
    return tag == TAG_ITEM || tag >> 16 == 2 || tag == 0x00080100 || tag == 0x00080102 || tag == 0x00080104 ||
           reha_deid_find_rule(tag) != NULL;
}

static void check_elements(const reha_deid_result *copy)
{
    reha_dcm_dataset set;
    uint32_t last = 0;
    must_hold(reha_dcm_parse(copy->bytes, copy->size_bytes, &set, NULL) == REHA_OK &&
              !set.has_trailing_garbage);
    for (uint32_t i = 0; i < set.node_count; i++) {
        must_hold(is_on_list(set.nodes[i].tag));
    }
    for (uint32_t i = 0; i < set.node_count; i = set.nodes[i].end_idx) { /* ascending, each once */
        must_hold(set.nodes[i].tag > last);
        last = set.nodes[i].tag;
    }
    reha_dcm_clear(&set);
}

/* Only where nothing was blanked or cleared. */
static void check_pixels(const uint8_t *data, size_t size, const reha_deid_result *copy)
{
    reha_dicom *from = NULL;
    reha_dicom *to = NULL;
    reha_gray *a = NULL;
    reha_gray *b = NULL;
    must_hold(reha_dicom_open(data, size, NULL, &from, NULL) == REHA_OK);
    must_hold(reha_dicom_open(copy->bytes, copy->size_bytes, NULL, &to, NULL) == REHA_OK);
    const bool is_small = (uint64_t)from->layout.rows * from->layout.columns <= 1 << 18;
    const reha_status status = is_small ? reha_dicom_read_stored(from, 0, &a, NULL) : REHA_E_LIMIT;
    if (status == REHA_OK && !copy->is_blanked && !copy->has_cleared_overlay &&
        from->layout.colour != REHA_DCM_PALETTE) {
        must_hold(reha_dicom_read_stored(to, 0, &b, NULL) == REHA_OK);
        must_hold(memcmp(a->pixels, b->pixels, sizeof(float) * a->width_px * a->height_px) == 0);
    }
    reha_gray_free(a);
    reha_gray_free(b);
    reha_dicom_close(from);
    reha_dicom_close(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t blocks = reha_mem_live_blocks();
    reha_error err = REHA_ERROR_INIT;
    reha_deid_result copy;
    if (size < 1) {
        return 0;
    }
    reha_deid_options options = {.mac = fuzz_mac,
                                 .shifts_dates = (data[0] & 1) != 0,
                                 .keeps_device = (data[0] & 2) != 0,
                                 .accepts_burned_in = (data[0] & 4) != 0,
                                 .blanks_outside_regions = (data[0] & 8) != 0};
    if ((data[0] & 16) != 0) {
        options.blanks[options.blank_count++] = (reha_box_px){0, 0, 2, 2};
    }
    const reha_status status = reha_dicom_deidentify(data + 1, size - 1, &options, &copy, &err);
    must_hold((status == REHA_OK) == (copy.bytes != NULL));
    must_hold(status == REHA_OK || (err.status == status && err.text[0] != '\0'));
    if (status == REHA_OK) {
        must_hold(copy.size_bytes % 2 == 0 && copy.pseudonym[0] == 'D' &&
                  copy.removed_private <= copy.removed);
        check_elements(&copy);
        check_pixels(data + 1, size - 1, &copy);
    }
    reha_deid_clear(&copy);
    must_hold(reha_mem_live_blocks() == blocks);
    return 0;
}
