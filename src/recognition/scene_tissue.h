/* The gate's second look at what may be ultrasound on a screen: menus, lists and white paper around the
 * tissue make a picture look like a page, and the recogniser never sees them. */
#ifndef REHA_RECOGNITION_SCENE_TISSUE_H
#define REHA_RECOGNITION_SCENE_TISSUE_H

#include "recognition/scene.h"

/* Asked after the gate ruled on the whole picture for `task` (NULL: none was named). *is_muscle: the picture
 * was refused (`is_refused`), muscle-us may be meant, and cut out of it its tissue is clearly an ultrasound
 * image of a muscle, which muscle-us may have. False where the picture has no tissue, or nothing around it.
 * `gate` as for reha_scene_look; `facts` may be NULL. About 10 ms of one core where it looks. */
REHA_MUST_USE reha_status reha_scene_look_at_tissue(reha_model *gate, const reha_gray *image,
                                                    const reha_acquisition *facts, const char *task,
                                                    bool is_refused, bool *is_muscle, reha_error *err);

#endif
