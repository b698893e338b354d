/* Look-up tables: modality, VOI and palette (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5). */
#ifndef REHA_DICOM_LUT_PRIV_H
#define REHA_DICOM_LUT_PRIV_H

#include "dicom/dataset_priv.h"

typedef struct reha_dcm_lut {
    const uint8_t *data; /* borrowed from the file */
    uint32_t count;
    int32_t first; /* input value of entry 0 */
    uint32_t bits; /* of an entry */
    bool is_bytes; /* one byte an entry, else words */
    bool is_little_endian;
    bool swaps_bytes;
} reha_dcm_lut;

/* False if either element is absent, empty, inconsistent or shorter than it says. */
bool reha_dcm_lut_read(const reha_dcm_dataset *set, const reha_dcm_node *descriptor,
                       const reha_dcm_node *data, bool input_is_signed, reha_dcm_lut *out);
/* The entry for an input value; the first and last one hold beyond the ends. */
uint16_t reha_dcm_lut_at(const reha_dcm_lut *lut, int64_t input);
uint16_t reha_dcm_lut_entry(const reha_dcm_lut *lut, uint32_t idx);

#endif
