/* What a sandboxed child can be asked to do. */
#ifndef REHA_SERVICE_SANDBOX_CHILD_PRIV_H
#define REHA_SERVICE_SANDBOX_CHILD_PRIV_H

#include "image/draw.h"
#include "service/analyse.h"
#include "service/sandbox_wire_priv.h"

typedef struct sandbox_reply {
    int fd;
    json_t *done; /* of the end message; taken; NULL: null */
} sandbox_reply;
REHA_MUST_USE reha_status sandbox_part(sandbox_reply *reply, const char *name, const void *bytes,
                                       size_t count, reha_error *err);

/* Whether the process goes on talking over a connection that it was given. */
typedef enum sandbox_reach { SANDBOX_ALONE = 0, SANDBOX_CONNECTED } sandbox_reach;
/* From here on this process cannot open files or sockets, start programs, or use more memory or time. For
 * ever. */
REHA_MUST_USE reha_status sandbox_lock_down(size_t memory_bytes, double cpu_s, sandbox_reach reach,
                                            reha_error *err);

/* Before the lock: every library once, on images of our own. *letters keeps the fonts open:
 * reha_canvas_free it at the very end. */
REHA_MUST_USE reha_status sandbox_warm_up(reha_analyser *analyser, reha_canvas **letters, reha_error *err);

/* {"name","study_uid"?,"image_date"?,"mm_per_px"?} and a file:
 * {"kind":"dicom"|"wrapped"|"archive","head" (reha_dicom_model_head),"facts","study_uid",
 * "sop_uid","patient_id"?,"image_date"}; part
 * "dicom" where a picture was wrapped. */
REHA_MUST_USE reha_status sandbox_inspect(const wire_message *request, sandbox_reply *reply, reha_error *err);
/* A DICOM file: done is whose it is and of which study, the members of reha_dicom_origin (IDENTIFYING). */
REHA_MUST_USE reha_status sandbox_origin(const wire_message *request, sandbox_reply *reply, reha_error *err);
/* {"head"?} and a DICOM file: {"model"}, all of reha_dicom_model, or its head where "head" is true
 * (IDENTIFYING). */
REHA_MUST_USE reha_status sandbox_model(const wire_message *request, sandbox_reply *reply, reha_error *err);
/* {"frame","frames","center","width","modality_values","slope","intercept","side_max_px","values_side_max_px"?}
 * and a DICOM file: part "values" (docs/formats/values.md) where modality_values is true, else "png";
 * values_side_max_px: a part "values" of the (first) frame, so reduced, beside the "png". */
REHA_MUST_USE reha_status sandbox_render(const wire_message *request, sandbox_reply *reply, reha_error *err);
/* {"before_bytes","analyses":[2],"pairs":[{"before","after"}],"by_intensity"} and two DICOM files, one after
 * the other: the joints of both laid over each other; done: {"joints":[registration,
 * docs/formats/comparison.md]}. */
REHA_MUST_USE reha_status sandbox_register(const wire_message *request, sandbox_reply *reply,
                                           reha_error *err);
/* {"entries_max","bytes_max","ratio_max"} and a zip: a part for each file that may be an image; done:
 * {"skipped"}. */
REHA_MUST_USE reha_status sandbox_unpack(const wire_message *request, sandbox_reply *reply, reha_error *err);
/* {"name","frames_s"} and a DICOM file: {"analysis","headline","accepted"}; parts "overlay", "map-0", ...,
 * and "frames.json" of an ultrasound sequence, for which frames_s seconds of processor time may be used. */
REHA_MUST_USE reha_status sandbox_analyse(reha_analyser *analyser, const wire_message *request,
                                          sandbox_reply *reply, reha_error *err);
/* The part "frames.json" of sandbox_analyse. */
REHA_MUST_USE reha_status sandbox_frames(reha_analyser *analyser, const wire_message *request,
                                         uint32_t frame_count, sandbox_reply *reply, reha_error *err);

#endif
