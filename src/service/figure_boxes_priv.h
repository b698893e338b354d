/* The picture of a detector's boxes over the image. See figure.h. */
#ifndef REHA_SERVICE_FIGURE_BOXES_PRIV_H
#define REHA_SERVICE_FIGURE_BOXES_PRIV_H

#include "service/figure.h"

/* The whole image; boxes of high specificity solid, those of high sensitivity only dotted, each with its
 * number and probability; below it what the strokes mean, and that it is for research. */
void reha_figure_boxes(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                       const reha_region *region);
/* The same as a picture of its own; the analysis must have an accepted region. */
REHA_MUST_USE reha_status reha_figure_boxes_png(const reha_case *result, uint8_t **out, size_t *out_bytes,
                                                reha_error *err);

#endif
