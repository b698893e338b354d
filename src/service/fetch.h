/* Earlier images come from the hospital's archive (PACS): which studies it has of somebody, and one of them
 * into the records.
 *
 * The question is asked by a process of its own (`rehascope worker --call`), which locks itself in before it
 * reads the first byte of the archive; objects take the path of those that a modality sends (service/node.h),
 * so what is counted as stored is on disk, and what is known is not stored twice. docs/adr/0032-archive.md.
 */
#ifndef REHA_SERVICE_FETCH_H
#define REHA_SERVICE_FETCH_H

#include "dicom/query.h"
#include "service/clinic.h"

typedef struct reha_fetch_limits {
    reha_query_limits query;
    double connect_s;    /* 10 */
    size_t memory_bytes; /* RLIMIT_AS of the process: 1 GiB */
    double cpu_s;        /* RLIMIT_CPU of it: 600 */
} reha_fetch_limits;
reha_fetch_limits reha_fetch_limits_default(void);

typedef struct reha_fetch_options {
    const char *program;       /* the rehascope program; NULL: this one */
    reha_remote remote;        /* the archive */
    const char *own_title;     /* our AE title; NULL: REHASCOPE */
    const reha_tls_files *tls; /* NULL: in clear */
    reha_fetch_limits limits;  /* memory_bytes 0: defaults */
} reha_fetch_options;

/* {"items": [{"study_uid", "patient_id", "patient_name", "patient_birth_date", "date", "time", "modalities"
 * (array), "description", "accession_number", "instances" (or null)}], "cut": true if there are more}; newest
 * first. Faults as reha_remote_find. Texts of the archive: they name patients. */
REHA_MUST_USE reha_status reha_fetch_find(const reha_fetch_options *options, const reha_study_query *query,
                                          json_t **out, reha_error *err);
/* All objects of a study that can be read here, into the records (REHA_MAY_UPLOAD). Out, also where it fails:
 * {"stored", "known", "refused" (by us, or not what was announced), "failed" (the archive could not give
 * them)}. REHA_OK: all of it is in the records. REHA_E_NOT_FOUND: the archive gave nothing. */
REHA_MUST_USE reha_status reha_fetch_study(reha_clinic *clinic, const reha_actor *actor,
                                           const reha_fetch_options *options, const char *study_uid,
                                           json_t **out, reha_error *err);

#endif
