#include "recognition/scene_tissue.h"

#include "image/resample.h"
#include "recognition/muscle_frame.h"
#include "recognition/scene_admit.h"

#include <string.h>

static const char MUSCLE_TASK[] = "muscle-us";
static const double COVER_MAX = 0.90;   /* of the picture: with more there is no screen around the tissue */
static const double COVER_MIN = 0.08;   /* with less it is a thumbnail */
static const double SPECKLE_MIN = 0.70; /* of the tissue's box */
static const double CLEAR = 0.90;       /* a second look must be sure */

reha_status reha_scene_look_at_tissue(reha_model *gate, const reha_gray *image, const reha_acquisition *facts,
                                      const char *task, bool is_refused, bool *is_muscle, reha_error *err)
{
    reha_muscle_frame frame;
    reha_gray *tissue = NULL;
    reha_scene scene;
    const reha_fill fill = {.edge = REHA_EDGE_REPEAT};
    *is_muscle = false;
    if (!is_refused || (task != NULL && strcmp(task, MUSCLE_TASK) != 0)) {
        return REHA_OK;
    }
    REHA_TRY(reha_muscle_frame_find(image, &frame, err));
    if (frame.cover > COVER_MAX || frame.cover < COVER_MIN || frame.speckle < SPECKLE_MIN) {
        return REHA_OK;
    }
    REHA_TRY(reha_gray_crop(image, (int64_t)frame.box.x_px, (int64_t)frame.box.y_px,
                            (uint32_t)frame.box.width_px, (uint32_t)frame.box.height_px, fill, &tissue, err));
    const reha_status status = reha_scene_look(gate, tissue, facts, false, &scene, err);
    reha_gray_free(tissue);
    if (status == REHA_OK) {
        const reha_scene_admission admission = reha_scene_admit(gate, MUSCLE_TASK, &scene, facts);
        *is_muscle =
            scene.kinds[REHA_SCENE_MUSCLE] >= CLEAR && !admission.is_refused && !admission.turns_over;
    }
    return status;
}
