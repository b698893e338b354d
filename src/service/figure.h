/* The pictures of a result: what was measured and why, drawn over the image. Used by the HTML and PDF
 * reports and by --overlay. */
#ifndef REHA_SERVICE_FIGURE_H
#define REHA_SERVICE_FIGURE_H

#include "image/draw.h"
#include "service/analyse.h"

/* All draw into `frame` of the canvas and leave its margins alone. `result` needs its image (keep_image). */

/* The whole image with a box around each region, named and coloured: accepted blue, refused dashed amber. */
void reha_figure_overview(reha_canvas *canvas, reha_rect frame, const reha_case *result);
/* The region enlarged, with landmarks, plateau and condyle lines and the narrowest place. */
void reha_figure_joint(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                       const reha_region *region);
/* The region enlarged, under the map of what spoke for the grade; nothing if there is no map. */
void reha_figure_explanation(reha_canvas *canvas, reha_rect frame, const reha_case *result,
                             const reha_region *region);
/* Probability of each grade; grades of the prediction set are solid, the others pale. */
void reha_figure_grades(reha_canvas *canvas, reha_rect frame, const reha_finding *finding);
/* Joint space width along the joint. */
void reha_figure_profile(reha_canvas *canvas, reha_rect frame, const reha_region *region);

/* One picture of a whole result (all of the above for each region), as PNG. */
REHA_MUST_USE reha_status reha_figure_png(const reha_case *result, uint8_t **out, size_t *out_bytes,
                                          reha_error *err);

#endif
