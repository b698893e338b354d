/* The data set of a DICOM file in the DICOM JSON Model (PS3.18 annex F): what DICOMweb speaks.
 *
 * In it: every attribute of the data set whose value is text or numbers, sequences with their items, as UTF-8
 * whatever the file's character set (which therefore says ISO_IR 192). Left out: bulk data (pixel data and
 * all other O* values, UN, and lists of more numbers than the limit), the group lengths, and 64-bit integers.
 * Attributes of files that carry no VR (implicit little endian) are there if their VR is known here: those
 * that this program reads or keeps in copies, and the common ones that say who, where and when.
 *
 * IDENTIFYING: the answer holds the patient's name and number where the file does. */
#ifndef REHA_DICOM_MODEL_H
#define REHA_DICOM_MODEL_H

#include "base/json.h"
#include "dicom/dicom.h"

typedef struct reha_dicom_model_limits {
    uint32_t attributes_max; /* of the whole answer: 100,000 */
    uint32_t depth_max;      /* sequences in sequences: 16 */
    uint32_t numbers_max;    /* in one value; above: bulk data: 1,024 */
    size_t text_bytes_max;   /* of all values together: 8 MiB */
} reha_dicom_model_limits;
reha_dicom_model_limits reha_dicom_model_limits_default(void);

/* The attributes of the data set itself that are wanted, in any order; `only` NULL: all. New reference.
 * `limits` NULL: defaults; REHA_E_LIMIT: the file has more. */
REHA_MUST_USE reha_status reha_dicom_model(const reha_dicom *dicom, const uint32_t *only, size_t only_count,
                                           const reha_dicom_model_limits *limits, json_t **out,
                                           reha_error *err);

/* What a search tells of an image: its study, series and instance, and its transfer syntax as Available
 * Transfer Syntax UID (0008,3002). */
REHA_MUST_USE reha_status reha_dicom_model_head(const reha_dicom *dicom, json_t **out, reha_error *err);

#endif
