/* Generated knee radiographs on disk: to try the program without any patient's image, and as the
 * known-truth input of benches. */
#ifndef REHA_SERVICE_PHANTOMS_H
#define REHA_SERVICE_PHANTOMS_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct reha_phantoms_options {
    int count; /* images; grades 0 to 4 in turn */
    uint64_t seed;
    bool films;       /* whole films with both knees instead of crops */
    bool dicom;       /* DX images with their spacing instead of PNG without */
    double mm_per_px; /* of films; 0: 0.2 */
} reha_phantoms_options;

/* Writes knee-000R.png ... and labels.csv (with the true joint space widths in further columns) into the
 * folder, which is made if absent. */
REHA_MUST_USE reha_status reha_phantoms_write(const char *folder, const reha_phantoms_options *options,
                                              reha_error *err);

/* Writes a multi-echo MR series of tubes of known T2 into the folder: DICOM files (`slices` x 8 echoes), the
 * tubes as labels (labels.nii.gz) and their truth (tubes.csv: label,t2_ms). */
REHA_MUST_USE reha_status reha_t2_phantoms_write(const char *folder, int slices, uint64_t seed,
                                                 reha_error *err);

/* Writes generated ultrasound pictures of muscle and index.csv into the folder: healthy with masks of the
 * aponeuroses (the layout of muscle-us), or, with `injured`, nothing and each simulated injury in turn with
 * masks of the injury and its grade (the layout of muscle-injury). */
REHA_MUST_USE reha_status reha_muscle_phantoms_write(const char *folder, int count, uint64_t seed,
                                                     bool injured, reha_error *err);

#endif
