/* A second reader of the training images, beside their labels: what networks that did not learn from an image
 * say of it (docs/adr/0033). */
#ifndef REHA_RECOGNITION_KNEE_TEACHER_H
#define REHA_RECOGNITION_KNEE_TEACHER_H

#include "recognition/dataset.h"

/* Reads predictions as `evaluate --predictions` writes them (columns path and p0 to p4, others ignored; paths
 * as in labels.csv). *out: data->count * REHA_GRADES probabilities in the order of the images, reha_free it;
 * the first of an image is negative where the teacher says nothing: no row, or refused. REHA_E_FORMAT, with
 * the line: no probabilities; also if fewer than half of the images have any. */
REHA_MUST_USE reha_status reha_knee_teacher_load(const char *path, const reha_dataset *data, float **out,
                                                 reha_error *err);

#endif
