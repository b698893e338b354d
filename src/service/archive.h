/* Signed reports go to the hospital's archive (PACS) by themselves.
 *
 * A signature puts its report into the outbox of the records, in its own transaction (clinic_outbox.c). A
 * thread takes what is due, makes the objects (structured report, PDF, pictures:
 * docs/formats/dicom-export.md) and hands them to a process of its own (`rehascope worker --call`), which
 * calls the archive, locks itself in before it reads the first byte of it, and says what became of each
 * object. A report is sent when the archive has acknowledged all of its objects; until then all of them are
 * sent again, with the same UIDs. What fails is tried again after a pause that doubles; what is refused, or
 * cannot be delivered for a week, is given up, and stands in the outbox as failed until somebody asks for it
 * again. docs/adr/0032-archive.md. */
#ifndef REHA_SERVICE_ARCHIVE_H
#define REHA_SERVICE_ARCHIVE_H

#include "dicom/network.h"
#include "service/clinic.h"

typedef struct reha_archive reha_archive;

typedef struct reha_archive_limits {
    int refusals_max;    /* the archive rejects us, or takes an object not: given up after 8 */
    int tries_max;       /* of any kind: 200, about a week */
    int pause_first_s;   /* after the first that failed, then twice as long: 30 ... */
    int pause_max_s;     /* ... up to 3600 */
    double connect_s;    /* 10 */
    double answer_s;     /* for each message: 60 */
    double call_s;       /* for all of one report: 600 */
    size_t memory_bytes; /* RLIMIT_AS of the process that calls: 1 GiB */
    double cpu_s;        /* RLIMIT_CPU of it: 120 */
} reha_archive_limits;
reha_archive_limits reha_archive_limits_default(void);

typedef struct reha_archive_options {
    const char *program;        /* the rehascope program; NULL: this one */
    reha_remote remote;         /* the archive */
    const char *own_title;      /* our AE title; NULL: REHASCOPE */
    const reha_tls_files *tls;  /* NULL: in clear. Read anew for each call */
    reha_archive_limits limits; /* tries_max 0: defaults */
} reha_archive_options;

/* From here on signatures fill the outbox, and a thread empties it. Open it before anybody can sign; one for
 * a clinic, which must be the one that works on jobs (with_workers). `clinic` is borrowed. REHA_E_ARG: the
 * title or the files of TLS do not do. */
REHA_MUST_USE reha_status reha_archive_open(reha_clinic *clinic, const reha_archive_options *options,
                                            reha_archive **out, reha_error *err);
/* Ends a running call at once: it is tried again when the archive is opened next. NULL is fine. */
void reha_archive_close(reha_archive *archive);

/* The process of one call: standard input is the link to the server. */
int reha_archive_main(void);

#endif
