/* A sheet of simulated pictures: whoever trains on simulations should look at them first. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_SHEET_H
#define REHA_RECOGNITION_MUSCLE_INJURY_SHEET_H

#include "recognition/muscle_injury_scene.h"

/* simulated.png in `folder`: a column for each kind of lesion and look-alike, pictures taken evenly from
 * those named by `usable`; white lines are drawn around what is injured. Nothing is written where no picture
 * is healthy. */
REHA_MUST_USE reha_status reha_injury_sheet_save(const reha_injury_scene *scenes, const size_t *usable,
                                                 size_t count, uint64_t seed, const char *folder,
                                                 reha_error *err);

#endif
