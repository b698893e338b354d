/* The picture of a muscle injury's marked regions over the ultrasound image. See figure.h. */
#ifndef REHA_SERVICE_FIGURE_INJURY_PRIV_H
#define REHA_SERVICE_FIGURE_INJURY_PRIV_H

#include "service/figure.h"

/* The whole image with both aponeuroses and the outline of every region that is told, numbered; below it what
 * the lines mean, and that it is for research. */
void reha_figure_injury(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                        const reha_region *region);
/* Probability of each proposed grade; those of the prediction set are solid. */
void reha_figure_injury_grades(reha_canvas *canvas, reha_rect frame, const reha_region *region);
/* Both as one picture; the analysis must have an accepted region. */
REHA_MUST_USE reha_status reha_figure_injury_png(const reha_case *result, uint8_t **out, size_t *out_bytes,
                                                 reha_error *err);

#endif
