/* Deflated data sets (transfer syntax 1.2.840.10008.1.2.1.99). */
#ifndef REHA_DICOM_INFLATE_PRIV_H
#define REHA_DICOM_INFLATE_PRIV_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Gives a new block (reha_free) that holds bytes[0, from) unchanged and then the inflated rest.
 * The inflated size is counted before anything is allocated: beyond 256 MiB is REHA_E_LIMIT. */
REHA_MUST_USE reha_status reha_dcm_inflate(const uint8_t *bytes, size_t size_bytes, size_t from,
                                           uint8_t **out, size_t *out_bytes, reha_error *err);

#endif
