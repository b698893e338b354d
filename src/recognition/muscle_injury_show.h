/* Every picture of a part of the data, shown to a loaded detector: what it said beside what is there.
 * Calibration and evaluation are made of these. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_SHOW_H
#define REHA_RECOGNITION_MUSCLE_INJURY_SHOW_H

#include "recognition/muscle_injury_data.h"
#include "recognition/muscle_injury_priv.h"

enum { REHA_INJURY_SHOWN_FOUND = REHA_INJURY_FOUND_MAX };

typedef struct reha_injury_shown {
    size_t item_idx, group_idx;
    reha_lesion_spec spec; /* kind NOTHING for a labelled picture */
    bool is_labelled;
    int grade;       /* the truth */
    bool is_refused; /* muscle-us saw no belly: no answer, features of an empty map */
    bool has_truth;  /* something is drawn within the belly */
    reha_injury_found truth;
    reha_injury_reading reading, plain; /* of the network; of the plain rule */
    bool hit[REHA_INJURY_FOUND_MAX],
        plain_hit[REHA_INJURY_FOUND_MAX]; /* a region's surest place is injured */
    double dice;                          /* NaN without a truth */
    double contrast; /* of the truth: |mean inside - mean of the belly outside| over the belly's SD; NaN */
} reha_injury_shown;

typedef struct reha_injury_show {
    reha_injury_data data;
    reha_injury_shown *items;
    size_t count;
    size_t picture_count; /* of the data that were shown: labelled ones, and one healthy one of each
                             similarity group */
    size_t unusable;      /* pictures in which nothing can be simulated */
} reha_injury_show;

/* Bellies come from muscle-us where the model has it, else from the masks (labelled pictures: the whole
 * tissue). Free with reha_injury_show_clear, also after a failure. */
REHA_MUST_USE reha_status reha_injury_show_run(reha_model *model, const reha_evaluate_options *options,
                                               const reha_progress *progress, reha_injury_show *out,
                                               reha_error *err);
void reha_injury_show_clear(reha_injury_show *show);

/* Pictures without a lesion: untouched, strength 0, look-alikes, labelled 0. */
bool reha_injury_is_free(const reha_injury_shown *one);

#endif
