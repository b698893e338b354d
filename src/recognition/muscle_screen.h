/* What screens show around and over an ultrasound picture: drawn for the measurement of muscle_changes.h. */
#ifndef REHA_RECOGNITION_MUSCLE_SCREEN_H
#define REHA_RECOGNITION_MUSCLE_SCREEN_H

#include "base/random.h"
#include "image/gray.h"

typedef enum reha_muscle_screen_kind {
    REHA_MUSCLE_SCREEN_BLACK, /* margins only */
    REHA_MUSCLE_SCREEN_WHITE,
    REHA_MUSCLE_SCREEN_SCANNER,  /* patient line, settings, logo, grey wedge, ruler, soft keys */
    REHA_MUSCLE_SCREEN_DESKTOP,  /* window of a viewer: light menus, tool bar, file list */
    REHA_MUSCLE_SCREEN_RULER,    /* ruler with numbers inside of the tissue's edge */
    REHA_MUSCLE_SCREEN_TEXT,     /* labels over the belly */
    REHA_MUSCLE_SCREEN_CALLIPERS /* two crosses, a dotted line between them, a result */
} reha_muscle_screen_kind;

typedef struct reha_muscle_screen_spec {
    reha_muscle_screen_kind kind;
    uint32_t tissue_width_px, tissue_height_px;
    double belly_middle_px, belly_height_px; /* rows of the tissue */
} reha_muscle_screen_spec;

/* Grey 0..255. The tissue's place, from (*x_px, *y_px) on, is black but for what is drawn over it. *out:
 * reha_gray_free. Names and numbers are made up. Any thread. */
REHA_MUST_USE reha_status reha_muscle_screen_draw(const reha_muscle_screen_spec *spec, reha_random *random,
                                                  reha_gray **out, uint32_t *x_px, uint32_t *y_px,
                                                  reha_error *err);

#endif
