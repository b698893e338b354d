/* A picture (PNG, JPEG, TIFF) as a DICOM secondary capture: its grey values and nothing else of the file. */
#ifndef REHA_SERVICE_WRAP_H
#define REHA_SERVICE_WRAP_H

#include "dicom/dicom.h"
#include "service/input.h"

#include <stddef.h>
#include <stdint.h>

/* Whole numbers of 8 or 16 bits stay as they are, others are spread over 16 bits with a rescale slope; colour
 * became luma when it was read. `mm_per_px` 0: no scale. Empty `ids` are made. *out: reha_free. */
REHA_MUST_USE reha_status reha_wrap_picture(const reha_input *input, double mm_per_px,
                                            const reha_dicom_ids *ids, uint8_t **out, size_t *out_bytes,
                                            reha_error *err);

#endif
