/* The networks of knee-mri: MobileNetV2 features of every slice, their maximum over the slices of a plane,
 * and one layer with an output for each label over the planes together (as MRNet, Bien et al. 2018, with a
 * smaller trunk and one head for all labels). The trunk is not trained: a thousand examinations are too few
 * to change it without spoiling it on a small machine; only the head is. */
#ifndef REHA_RECOGNITION_KNEE_MRI_NET_H
#define REHA_RECOGNITION_KNEE_MRI_NET_H

#include "nn/session.h"
#include "recognition/knee_mri_data.h"

enum { REHA_KNEE_MRI_FEATURES = 1280, REHA_KNEE_MRI_SLICES_MAX = 128 };

/* Input "slice" [n, 3, side, side], ImageNet's normalisation; output "features" [n, 1280]. backbone_folder:
 * .npy weights of MobileNetV2; NULL: random ones, for tests. side_px is a multiple of 32. */
REHA_MUST_USE reha_status reha_knee_mri_trunk_new(int side_px, const char *backbone_folder, uint64_t seed,
                                                  reha_graph **out, reha_error *err);
/* Input "features" [n, inputs]; output "logits" [n, REHA_KNEE_MRI_LABELS]. */
REHA_MUST_USE reha_status reha_knee_mri_head_new(int inputs, uint64_t seed, reha_graph **out,
                                                 reha_error *err);

typedef struct reha_knee_mri_trunk { /* one thread at a time */
    reha_session *session;
    int side_px;
    float *input; /* scratch */
} reha_knee_mri_trunk;

REHA_MUST_USE reha_status reha_knee_mri_trunk_open(const reha_graph *graph, int side_px, int threads,
                                                   reha_knee_mri_trunk *out, reha_error *err);
void reha_knee_mri_trunk_close(reha_knee_mri_trunk *trunk);

/* The pooled features of one volume file ([slices, rows, columns] .npy) into out[REHA_KNEE_MRI_FEATURES].
 * More than REHA_KNEE_MRI_SLICES_MAX slices are thinned evenly. Error texts begin with the path. */
REHA_MUST_USE reha_status reha_knee_mri_read_features(reha_knee_mri_trunk *trunk, const char *path,
                                                      float *out, reha_error *err);

#endif
