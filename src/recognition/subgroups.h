/* Figures by subgroup: by side, by whether the grey values were inverted, by the device that the file names,
 * and by each grouping of the table of labels (sex, age, source, ...). Any thread. */
#ifndef REHA_RECOGNITION_SUBGROUPS_H
#define REHA_RECOGNITION_SUBGROUPS_H

#include "recognition/dataset.h"
#include "recognition/metrics.h"

enum {
    REHA_SUBGROUP_FEW = 20
}; /* below, figures are shown but marked: their intervals are wide and not to be trusted */

typedef struct reha_subgroup_facts { /* of one image */
    bool was_inverted;
    char device[REHA_GROUP_BYTES]; /* from the file; "" if it names none */
} reha_subgroup_facts;

typedef struct reha_subgroup_figures {
    int class_count, boundary, rounds; /* as in metrics.h */
    uint64_t seed;
} reha_subgroup_figures;

/* [{"by","group","n","few","refused", and if any was accepted
 * "patients","accuracy","kappa","mae","auc","coverage", "mean_set_size"}]; groupings with a single group are
 * left out. cases and facts: one per item. New reference. */
REHA_MUST_USE reha_status reha_subgroups_to_json(const reha_dataset *data, const reha_graded_case *cases,
                                                 const reha_subgroup_facts *facts,
                                                 const reha_subgroup_figures *how, json_t **out,
                                                 reha_error *err);

#endif
