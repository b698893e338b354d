/* The use case `drift`: from images, or results that were saved, to the comparison of recognition/drift.h. */
#ifndef REHA_SERVICE_DRIFT_H
#define REHA_SERVICE_DRIFT_H

#include "recognition/drift.h"
#include "service/analyse.h"

/* path: a document of `analyse --json`, or a folder of images, which are then analysed: *results is an array
 * of result objects (docs/formats/results.md), those of images with a further member `picture` of grey value
 * statistics. Unreadable files count as results without analysis. `analyser` may be NULL for documents.
 * New reference. REHA_E_ARG: images without an analyser; REHA_E_NOT_FOUND: no such folder; REHA_E_FORMAT: no
 * such document. */
REHA_MUST_USE reha_status reha_drift_collect(reha_analyser *analyser, const char *path,
                                             const reha_progress *progress, json_t **results,
                                             reha_error *err);

/* The two tables with the columns that both results hold: size, depth and maker of the images, share of
 * refusals, certainty, and every finding's value, error, probability, expected grade and entropy. Devices and
 * the like become columns if at least 5 images name them; at most REHA_DRIFT_COLUMNS_MAX columns, the others
 * are left out and *left_out counts them. Files of one folder whose names differ in the side alone
 * ("17L.png", "17R.png") are taken for one person's. Clear both tables. */
REHA_MUST_USE reha_status reha_drift_tables(const json_t *reference, const json_t *fresh,
                                            reha_drift_table tables[2], size_t *left_out, reha_error *err);

#endif
