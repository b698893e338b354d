/* One picture in all of its looks with what was measured in each, to be looked at by a person. */
#ifndef REHA_RECOGNITION_MUSCLE_SHEET_H
#define REHA_RECOGNITION_MUSCLE_SHEET_H

#include "recognition/finding.h"

typedef struct reha_muscle_sheet reha_muscle_sheet; /* one thread at a time */

REHA_MUST_USE reha_status reha_muscle_sheet_new(size_t tiles, reha_muscle_sheet **out, reha_error *err);
void reha_muscle_sheet_free(reha_muscle_sheet *sheet); /* NULL is fine */
/* The next tile; what fails is told by reha_muscle_sheet_save. More tiles than asked for are left out. */
void reha_muscle_sheet_add(reha_muscle_sheet *sheet, const char *name, const reha_gray *image,
                           const reha_analysis *analysis);
REHA_MUST_USE reha_status reha_muscle_sheet_save(reha_muscle_sheet *sheet, const char *path,
                                                 reha_error *err); /* PNG */

#endif
