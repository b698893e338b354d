/* The pictures of a muscle ultrasound: what was measured, drawn over the image. See figure.h. */
#ifndef REHA_SERVICE_FIGURE_MUSCLE_PRIV_H
#define REHA_SERVICE_FIGURE_MUSCLE_PRIV_H

#include "service/figure.h"

/* The whole image with both aponeuroses, fascicles and thickness lines. */
void reha_figure_muscle(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                        const reha_region *region);
/* Thickness from left to right. */
void reha_figure_thickness(reha_canvas *canvas, reha_rect frame, const reha_region *region);
/* Both and the values as one picture; the analysis must have an accepted region. */
REHA_MUST_USE reha_status reha_figure_muscle_png(const reha_case *result, uint8_t **out, size_t *out_bytes,
                                                 reha_error *err);

#endif
