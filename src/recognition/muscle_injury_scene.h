/* One picture of the data, ready to be shown to a detector: a labelled one as it is, a healthy one with
 * something simulated in it. Training, calibration and evaluation all get their pictures here. */
#ifndef REHA_RECOGNITION_MUSCLE_INJURY_SCENE_H
#define REHA_RECOGNITION_MUSCLE_INJURY_SCENE_H

#include "recognition/muscle_injury_data.h"
#include "recognition/muscle_lesion.h"
#include "recognition/recogniser.h"

enum {
    REHA_INJURY_WORK_PX = 448
}; /* longer side of the tissue where lesions are simulated; labelled ones keep their size in evaluation */

typedef struct reha_injury_scene {
    bool is_labelled;
    int grade; /* of a labelled one */
    uint32_t width_px, height_px;
    uint16_t *pixels;        /* grey levels; owned */
    reha_lesion_truth truth; /* of a labelled one; owned */
    reha_muscle_frame frame;
    reha_injury_belly belly; /* of the drawn aponeuroses; a labelled one has none: thickness 0 */
    reha_speckle speckle;
} reha_injury_scene;

/* at_work_size: shrinks the picture for training. REHA_E_REFUSED: nothing can be simulated in it. */
REHA_MUST_USE reha_status reha_injury_scene_open(const reha_injury_item *item, reha_load_function load,
                                                 bool at_work_size, reha_injury_scene *out, reha_error *err);
void reha_injury_scene_clear(reha_injury_scene *scene);

typedef struct reha_injury_view { /* what the detector sees, and the truth; free with reha_injury_view_clear
                                   */
    reha_gray *image;
    reha_lesion_truth truth;
    reha_lesion_spec spec; /* kind NOTHING for a labelled picture */
    int grade;
} reha_injury_view;
void reha_injury_view_clear(reha_injury_view *view);

/* The picture with `spec` in it; spec NULL, or a labelled scene: as it is. */
REHA_MUST_USE reha_status reha_injury_scene_view(const reha_injury_scene *scene, const reha_lesion_spec *spec,
                                                 reha_injury_view *out, reha_error *err);

/* The fixed list that evaluation and calibration show of each healthy picture: untouched, a lesion of
 * strength 0, each kind of lesion twice at strengths from 0.45 to 1, each look-alike once. A labelled picture
 * has one view. */
enum { REHA_INJURY_VIEWS = 2 + 2 * REHA_LESION_KINDS + REHA_LESION_NOTHING - REHA_LESION_KINDS };
reha_lesion_spec reha_injury_listed(const reha_injury_scene *scene, int view, uint64_t seed, uint64_t stream);
/* What training shows: half lesions, the rest untouched, of strength 0, or look-alikes. */
reha_lesion_spec reha_injury_drawn(const reha_injury_scene *scene, reha_random *random);

#endif
