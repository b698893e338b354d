/* The use case `deidentify`: a file or folder becomes a folder of copies that may be handed to research, with
 * a report of what was done. The rules are those of dicom/deidentify.h; here are key, files and names. */
#ifndef REHA_SERVICE_DEIDENTIFY_H
#define REHA_SERVICE_DEIDENTIFY_H

#include "base/json.h"
#include "dicom/deidentify.h"
#include "recognition/recogniser.h"

typedef struct reha_deidentify_options {
    /* A key file of store/secret.h, made if absent; whoever has it and a patient's number can tell the
     * pseudonym. NULL: a key that nobody ever sees, gone at the end. */
    const char *key_path;
    /* IDENTIFYING: which file became what, as CSV of mode 0600, for the clinic alone; NULL: none is written.
     * Never below the folder of the copies. */
    const char *list_path;
    reha_deid_options rules; /* its mac is ours */
    const reha_progress *progress;
} reha_deidentify_options;

/* Copies go to `out`/<series UID>/<SOP Instance UID>.dcm and the report to `out`/deidentified.json, which is
 * also *report (a new reference); neither holds a name, path or value of the input: files are told by their
 * number in the sorted list of paths. `out` is made; one that holds anything is REHA_E_CONFLICT.
 *
 * Pictures become secondary captures of their grey values. What is neither DICOM nor picture, and a
 * DICOMDIR, is passed over; hidden files are not looked at. What is refused or damaged is told in the report,
 * and the others are done: REHA_OK then, too. Files are written whole or not at all. Any thread. */
REHA_MUST_USE reha_status reha_deidentify(const char *in, const char *out,
                                          const reha_deidentify_options *options, json_t **report,
                                          reha_error *err);

#endif
