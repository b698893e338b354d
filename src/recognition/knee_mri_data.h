/* Labelled knee MR examinations on disk, in the layouts of two published collections.
 *
 * MRNet (Bien et al. 2018): <split>/axial|coronal|sagittal/NNNN.npy with [slices, rows, columns] for the
 * splits "train" and "valid", and beside them <split>-abnormal.csv, <split>-acl.csv, <split>-meniscus.csv of
 * "NNNN,0" or "NNNN,1", without a header. KneeMRI (Stajduhar et al. 2017): metadata.csv with aclDiagnosis (0
 * healthy, 1 partial, 2 complete) and volumeFilename. Its volumes are Python pickles, which run code when
 * they are read, so they are not: convert each NAME.pck to NAME.npy beside it. One plane (sagittal), one
 * label (acl), a fifth of the examinations kept for validation by their number. */
#ifndef REHA_RECOGNITION_KNEE_MRI_DATA_H
#define REHA_RECOGNITION_KNEE_MRI_DATA_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { REHA_KNEE_MRI_PLANES = 3, REHA_KNEE_MRI_LABELS = 3 };

extern const char *const reha_knee_mri_planes[REHA_KNEE_MRI_PLANES]; /* "axial", "coronal", "sagittal" */
extern const char *const reha_knee_mri_labels[REHA_KNEE_MRI_LABELS]; /* "abnormal", "acl", "meniscus" */

typedef struct reha_knee_mri_exam {
    char id[64];
    char *paths[REHA_KNEE_MRI_PLANES]; /* owned; NULL: this plane is not of the collection */
    int labels[REHA_KNEE_MRI_LABELS];  /* 0, 1, or -1: not labelled */
    bool is_validation;
} reha_knee_mri_exam;

typedef struct reha_knee_mri_data {
    const char *layout; /* "MRNet" or "KneeMRI"; static */
    bool has_plane[REHA_KNEE_MRI_PLANES];
    bool has_label[REHA_KNEE_MRI_LABELS];
    reha_knee_mri_exam *exams; /* owned */
    size_t count;
} reha_knee_mri_data;

/* Only paths and labels are read. Errors name the file: a table or volume that is missing, a label that is
 * neither 0 nor 1, a volume that is still a pickle. */
REHA_MUST_USE reha_status reha_knee_mri_data_load(const char *folder, reha_knee_mri_data *out,
                                                  reha_error *err);
void reha_knee_mri_data_clear(reha_knee_mri_data *data);

#endif
