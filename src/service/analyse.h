/* The use case `analyse`: files in, results out, one bad file never stops the others. */
#ifndef REHA_SERVICE_ANALYSE_H
#define REHA_SERVICE_ANALYSE_H

#include "recognition/muscle_area.h"
#include "recognition/recogniser.h"
#include "service/input.h"

typedef struct reha_analyser reha_analyser; /* a loaded recogniser; one thread at a time */

typedef struct reha_analyser_options {
    const char *task; /* NULL: by what the image is: "knee-oa", or "muscle-us" for ultrasound. The gate keeps
                       * away what is clearly something else (service/gatekeeper.h) */
    const char *models_folder; /* holds <task>/<version>/ */
    const char *model_folder;  /* exactly this model; NULL: the newest */
    int threads;               /* 0: all processors */
    bool with_explanation;
    bool allow_switched_off; /* run a recogniser that its own card switches off: research */
    double mm_per_px;        /* the user's scale; 0: none. Only where the file has none. */
} reha_analyser_options;

REHA_MUST_USE reha_status reha_analyser_open(const reha_analyser_options *options, reha_analyser **out,
                                             reha_error *err);
void reha_analyser_close(reha_analyser *analyser);
/* The task's own; without a task the one that is asked first. An analysis names the model that made it. */
const reha_recogniser *reha_analyser_recogniser(const reha_analyser *analyser);
reha_model *reha_analyser_model(reha_analyser *analyser); /* borrowed */
const char *reha_analyser_model_hash(const reha_analyser *analyser);

/* Opens and runs once, on any picture, all that images without a named task may need: for a process that can
 * open nothing later. */
REHA_MUST_USE reha_status reha_analyser_warm(reha_analyser *analyser, const reha_gray *image,
                                             reha_error *err);

typedef struct reha_case {
    char *path;           /* owned */
    char digest[65];      /* of the file */
    uint32_t frame_idx;   /* of a file with several */
    uint32_t frame_count; /* of the file; 0 if it could not be read */
    reha_status status;   /* REHA_OK: there is an analysis (perhaps a refusal) */
    reha_error error;
    reha_analysis *analysis; /* owned; NULL on error */
    reha_gray *image;        /* kept for the report if asked for; owned; NULL otherwise */
    double total_ms;         /* file to result */
} reha_case;

/* Never fails as a whole: faults of the file are in out->status and out->error, and REHA_E_NOMEM or
 * REHA_E_INTERNAL stand there too. */
void reha_analyser_run(reha_analyser *analyser, const char *path, bool keep_image, reha_case *out);
/* As above for a file in memory; `name` stands for its path. */
void reha_analyser_run_bytes(reha_analyser *analyser, const void *bytes, size_t count, const char *name,
                             bool keep_image, reha_case *out);
/* As reha_analyser_run, for one frame (from 0) of a file with several. */
void reha_analyser_run_frame(reha_analyser *analyser, const char *path, uint32_t frame_idx, bool keep_image,
                             reha_case *out);
/* As reha_analyser_run_bytes, for one frame; without a digest. */
void reha_analyser_run_bytes_frame(reha_analyser *analyser, const void *bytes, size_t count, const char *name,
                                   uint32_t frame_idx, reha_case *out);
/* True if every further frame is worth its own result: an ultrasound sequence of a muscle. */
bool reha_case_has_more_frames(const reha_case *first);
void reha_case_clear(reha_case *result);

/* Puts the cross-sectional area inside a drawn border in the place of what the recogniser said of the
 * picture, which must have been kept. Faults go to one->status and one->error, as those of the file do. */
void reha_case_measure_area(reha_case *one, const reha_outline *outline);

/* True if the image was read, accepted and analysed. */
bool reha_case_is_accepted(const reha_case *result);
/* One line for people: the findings, the refusal, or the error with its remedy. reha_free it. */
REHA_MUST_USE reha_status reha_case_line(const reha_case *result, char **out, reha_error *err);
/* {"path","frame","sha256","ok","error"|"analysis"}; new reference. */
REHA_MUST_USE reha_status reha_case_to_json(const reha_case *result, json_t **out, reha_error *err);

/* The models folder of this installation: $REHASCOPE_MODELS, else models/ beside the build folder, else
 * ../share/rehascope/models. REHA_E_NOT_FOUND names where it looked. reha_free it. */
REHA_MUST_USE reha_status reha_models_folder(char **out, reha_error *err);

#endif
