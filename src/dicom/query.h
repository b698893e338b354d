/* Asking an archive: which studies it has (C-FIND), and to give one (C-GET, over the same connection: nobody
 * has to be able to call us).
 *
 * What it answers are bytes from outside. They are read with DCMTK's upper layer, data sets by our own
 * parser: both functions are for a process that locks itself in (reha_call.connected). They use its alarm
 * (ITIMER_REAL), whose signal must be left as it is: it ends a process whose peer is too slow
 * (reha_association_limits).
 *
 * Source: DICOM PS3.4 annex C (study root), PS3.7 9.1.2 and 9.1.3. */
#ifndef REHA_DICOM_QUERY_H
#define REHA_DICOM_QUERY_H

#include "dicom/network.h"

/* What must agree, NULL: anything. UTF-8 (the caller's duty); `*` and `?` stand for letters in names and
 * numbers. The archive compares, and may leave a modality out of account. */
typedef struct reha_study_query {
    const char *patient_id;
    const char *patient_name; /* "Müller^Jörg", "Mül*" */
    const char *study_date;   /* "20260131", "20260101-20260131", "-20260131", "20260101-" */
    const char *modality;     /* of any series of it */
    const char *accession_number;
    const char *study_uid;
} reha_study_query;

typedef struct reha_found_study { /* UTF-8; "" where the archive says nothing, or in letters that are not read
                                   */
    char study_uid[REHA_UID_BYTES];
    char patient_id[260], patient_name[800];
    char patient_birth_date[9], study_date[9], study_time[17]; /* as DICOM writes them */
    char modalities[260];                                      /* "DX\\MR" */
    char description[260], accession_number[68];
    int instances; /* -1: the archive does not count */
} reha_found_study;

typedef struct reha_query_limits {
    size_t found_max;   /* further ones are not asked for: 1000 */
    size_t match_bytes; /* of one answer: 64 KiB */
    reha_association_limits association;
} reha_query_limits;
reha_query_limits reha_query_limits_default(void);

typedef void (*reha_found)(void *context, const reha_found_study *study);
/* `*is_cut`: there are more than found_max. Faults of the call as reha_remote_echo; REHA_E_REFUSED: it does
 * not answer such a question (the text says why); REHA_E_FORMAT: what it says makes no sense. */
REHA_MUST_USE reha_status reha_remote_find(const reha_call *call, const reha_study_query *query,
                                           const reha_query_limits *limits, reha_found found, void *context,
                                           bool *is_cut, reha_error *err);

typedef struct reha_got {
    int completed, failed, warned; /* objects, as the archive counts them */
} reha_got;
/* All objects of a study that dicom.h reads, in whichever transfer syntax the archive has them; `provider`
 * (whose `ask` is not asked) takes them as from a caller. REHA_OK: all of it came; REHA_E_REFUSED: not all of
 * it, or nothing; `*out` counts in any case. */
REHA_MUST_USE reha_status reha_remote_get(const reha_call *call, const char *study_uid,
                                          const reha_query_limits *limits, const reha_provider *provider,
                                          reha_got *out, reha_error *err);

#endif
