/* What the files that make objects for an archive share. */
#ifndef REHA_SERVICE_EXPORT_OBJECTS_PRIV_H
#define REHA_SERVICE_EXPORT_OBJECTS_PRIV_H

#include "service/export_objects.h"

enum {
    EXPORT_SERIES_SR = 7001,
    EXPORT_SERIES_PDF,
    EXPORT_SERIES_PICTURE,
    EXPORT_SERIES_OVERLAY,
    EXPORT_SERIES_MASKS
};

/* What an object of this kind says of itself; its images are the caller's to fill in. */
reha_dicom_object export_begin(const reha_export_source *source, const char *as_of, const char *kind,
                               int series_number, const char *description);
/* Which object of its series: by image and result, from 0. */
int export_number(size_t image_idx, size_t result_idx);

typedef reha_status (*export_write)(const void *what, const reha_dicom_object *object, uint8_t **out,
                                    size_t *out_bytes, reha_error *err);
/* Written twice: once to know the content, from which its UID follows, and once with it. */
REHA_MUST_USE reha_status export_add_object(const char *name, reha_dicom_object *object, export_write write,
                                            const void *what, reha_export *out, reha_error *err);

/* The UID of what is called `id`, of this kind: the same wherever it is told of. */
enum { EXPORT_UID_BYTES = 65 };
void export_uid_of(const char *what, const char *id, char out[EXPORT_UID_BYTES]);
/* "knee-oa" as "KNEE OA": a label of DICOM, at most 16 characters. */
enum { EXPORT_LABEL_BYTES = 17 };
void export_label_of(const char *task, char out[EXPORT_LABEL_BYTES]);
/* Who stands for a content: who signed, else the program. */
const char *export_creator(const reha_export_source *source);

#endif
