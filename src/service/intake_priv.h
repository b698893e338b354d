/* Objects that a locked-in process hands over, one after the other, on the path of an upload: "begin" (with
 * "sop_instance_uid"), "add" (with bytes), "drop", and "end", which is answered with "status" and "text" once
 * the object is in the records. Nothing that it says is believed. */
#ifndef REHA_SERVICE_INTAKE_PRIV_H
#define REHA_SERVICE_INTAKE_PRIV_H

#include "dicom/network.h"
#include "service/clinic.h"
#include "service/sandbox_wire_priv.h"

enum { INTAKE_PIECE_BYTES = 1 << 20 };

typedef struct intake {
    reha_clinic *clinic;
    reha_actor actor;
    char from[REHA_AE_BYTES]; /* the AE title that objects come from */
    reha_upload *upload;      /* the object on its way; NULL: none */
    reha_status status;       /* of that object */
    reha_error fault;
    int stored, known, refused;
    reha_error why; /* of the first that was refused */
} intake;

/* *is_mine false: the message is none of these. `wait_ms`: for the process to take an answer. A failure is
 * the process's or the link's, not the object's.
 */
REHA_MUST_USE reha_status intake_handle(intake *self, int link, double wait_ms, const wire_message *message,
                                        bool *is_mine, reha_error *err);
void intake_drop(intake *self); /* what did not come to its end */

/* For a log line: titles may have blanks. */
void intake_word(const char *title, char out[REHA_AE_BYTES]);

#endif
