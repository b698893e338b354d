/* The table of recognisers: one const entry per task in a file of its own, one line in
 * recognisers.c. Everything the command line and the clinic can do with a task goes through it. */
#ifndef REHA_RECOGNITION_RECOGNISER_H
#define REHA_RECOGNITION_RECOGNISER_H

#include "recognition/finding.h"

#include <stdint.h>

/* A loaded model: networks compiled for this CPU, the card, thresholds. One thread at a time. */
typedef struct reha_model reha_model;

typedef struct reha_model_options {
    const char *models_folder; /* holds <task>/<version>/; or NULL with model_folder set */
    const char *model_folder;  /* exactly this version; may be NULL: the newest in models_folder */
    int threads;               /* 0: all processors */
    bool with_explanation;     /* compile what explanations need */
} reha_model_options;

typedef struct reha_analyse_options {
    bool with_explanation;   /* maps of what spoke for a result, and masks of what was marked */
    reha_side side_hint;     /* from the file name or the user; UNKNOWN if none */
    const char *side_source; /* where the hint is from; NULL if none */
    bool allow_switched_off; /* run a recogniser whose card says that it is not worth it: research */
} reha_analyse_options;

/* Progress of long work; NULL functions are allowed. Called from the thread that does the work. */
typedef struct reha_progress {
    void *context;
    /* done of total in `unit`; text: "epoch 3/12 loss 0.812 kappa 0.843". rate per second; left_s < 0:
     * unknown. */
    void (*update)(void *context, double done, double total, const char *unit, double rate, double left_s,
                   const char *text);
    /* True asks for an early, orderly stop: the work ends with REHA_E_CANCELLED, state saved. */
    bool (*should_stop)(void *context);
} reha_progress;
/* Somebody asked for the stop; false for NULL. */
bool reha_progress_is_stopped(const reha_progress *progress);
/* Tells that `done` (above 0) of `total` are through since start_ms (reha_clock_ms); NULL: nobody to tell. */
void reha_progress_tell(const reha_progress *progress, size_t done, size_t total, const char *unit,
                        double start_ms);

/* How an image file becomes pixels. Service passes a loader that reads DICOM too; NULL means pictures
 * only (image/load.h). Any thread. */
typedef reha_status (*reha_load_function)(const char *path, reha_gray **out, reha_acquisition *facts,
                                          reha_error *err);

/* The loader that stands for NULL. */
REHA_MUST_USE reha_status reha_load_picture(const char *path, reha_gray **out, reha_acquisition *facts,
                                            reha_error *err);
/* For audits and evaluations, which count files that cannot be read and go on: a fault of the file is
 * REHA_OK with *out NULL; ours (memory, a disk) are passed on, as they tell nothing of the file. */
REHA_MUST_USE reha_status reha_load_readable(reha_load_function load, const char *path, reha_gray **out,
                                             reha_acquisition *facts, reha_error *err);

typedef struct reha_train_options {
    reha_load_function load;
    const char *data_folder;
    const char *out_folder;      /* model.onnx, card.json, checkpoint, log.csv */
    const char *backbone_folder; /* pre-trained weights, or (muscles) a model to go on from; NULL:
                                  * random start */
    const char *network;         /* name of the architecture; NULL: the recipe's own */
    const char *teacher_path; /* knee-oa: probabilities of the training images by networks that did not learn
                               * from them, as `evaluate` writes them; NULL: the labels alone */
    const char
        *base_folder; /* an installed model of the task, whose other networks (finder, gate, landmarks),
                       * thresholds and texts the new one takes over; NULL: the new one has none */
    uint64_t seed;
    int threads;        /* 0: all */
    double minutes_max; /* plan the schedule to fit; 0: no limit */
    int epochs;         /* 0: the recipe's own */
    bool force_f32;
    bool resume;       /* go on from out_folder's checkpoint; more `epochs` lengthen the schedule */
    char command[512]; /* for the card: the exact command */
} reha_train_options;
reha_train_options reha_train_options_default(void);

typedef struct reha_evaluate_options {
    reha_load_function load;
    const char *data_folder;
    const char *split;            /* NULL: all rows */
    const char *predictions_path; /* CSV per image; NULL: none */
    int bootstrap_rounds;         /* 1000 */
    uint64_t seed;
    bool explain;        /* measure the explanations too */
    size_t explain_max;  /* on this many images, drawn with `seed`: 200; 0: all */
    bool save_card;      /* with `explain`: write explanation and subgroups into the model's card */
    const char *changes; /* measure the same images as other scanners would show them too: "all", or names of
                          * kinds with commas; NULL: do not */
    const char *sheet_path; /* with `changes`: one image in all of its looks, PNG; NULL: none */
} reha_evaluate_options;
reha_evaluate_options reha_evaluate_options_default(void);

typedef struct reha_recogniser {
    const char *name;    /* "knee-oa" */
    const char *title;   /* one line */
    const char *accepts; /* what images, for people */
    bool explains;       /* its evaluate measures explanations when asked (options->explain) */
    bool changes;        /* and changed images (options->changes) */
    REHA_MUST_USE reha_status (*open)(const reha_model_options *options, reha_model **out, reha_error *err);
    void (*close)(reha_model *model);
    /* A refusal is a result (is_accepted false, notes), not an error. Errors are faults only. */
    REHA_MUST_USE reha_status (*analyse)(reha_model *model, const reha_gray *image,
                                         const reha_acquisition *acquisition,
                                         const reha_analyse_options *options, reha_analysis **out,
                                         reha_error *err);
    const json_t *(*card)(const reha_model *model); /* borrowed */
    REHA_MUST_USE reha_status (*train)(const reha_train_options *options, const reha_progress *progress,
                                       reha_error *err);
    REHA_MUST_USE reha_status (*evaluate)(reha_model *model, const reha_evaluate_options *options,
                                          const reha_progress *progress, json_t **report, reha_error *err);
    /* Fits probabilities and prediction sets anew to labelled images and saves the card in model_folder;
     * *report: the figures, new reference. */
    REHA_MUST_USE reha_status (*calibrate)(reha_model *model, const char *model_folder,
                                           const reha_evaluate_options *options,
                                           const reha_progress *progress, json_t **report, reha_error *err);
    /* Lets the grading networks run in int8 if that costs labelled images no more than half a point of a
     * figure: ranges of activations go to model_folder and the card says so. *report: {"before", "after",
     * "kept", ...}, new reference. NULL: the task has no such thing. REHA_E_UNSUPPORTED: this CPU is not fast
     * in int8. */
    REHA_MUST_USE reha_status (*quantise)(reha_model *model, const char *model_folder,
                                          const reha_evaluate_options *options, const reha_progress *progress,
                                          json_t **report, reha_error *err);
    REHA_MUST_USE reha_status (*audit)(const char *data_folder, reha_load_function load,
                                       const reha_progress *progress, json_t **report, reha_error *err);
} reha_recogniser;

/* NULL past the end / if unknown. */
const reha_recogniser *reha_recogniser_at(size_t index);
const reha_recogniser *reha_recogniser_find(const char *name);

/* Newest version folder (by dotted number) of a task below models_folder; reha_free it. */
REHA_MUST_USE reha_status reha_model_folder(const char *models_folder, const char *task, char **out,
                                            reha_error *err);
/* The folder to open for these options: model_folder, else the newest version; reha_free it. REHA_E_ARG:
 * neither folder is given. */
REHA_MUST_USE reha_status reha_model_choose(const reha_model_options *options, const char *task, char **out,
                                            reha_error *err);

#endif
