/* Files for an archive, in memory: what an export gives. docs/formats/dicom-export.md. */
#ifndef REHA_SERVICE_EXPORT_H
#define REHA_SERVICE_EXPORT_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { REHA_EXPORT_NAME_BYTES = 48 };

typedef struct reha_export_file {
    char name[REHA_EXPORT_NAME_BYTES]; /* "results.dcm" */
    char instance_uid[65];             /* SOP Instance UID; "" if it is no DICOM object */
    uint8_t *bytes;                    /* owned */
    size_t count;
} reha_export_file;

typedef struct reha_export {
    reha_export_file *files; /* owned */
    size_t count;
} reha_export;

void reha_export_clear(reha_export *files);
/* Takes the bytes, also when it fails. */
REHA_MUST_USE reha_status reha_export_add(reha_export *files, const char *name, uint8_t *bytes, size_t count,
                                          reha_error *err);
/* One zip archive without times of its own: same files, same bytes. *out: reha_free. */
REHA_MUST_USE reha_status reha_export_zip(const reha_export *files, uint8_t **out, size_t *out_bytes,
                                          reha_error *err);
/* Into a folder, which is made; REHA_E_CONFLICT if there is anything in it. All files or none: after a fault
 * (a full disk) the folder is as it was. */
REHA_MUST_USE reha_status reha_export_save(const reha_export *files, const char *folder, reha_error *err);

#endif
