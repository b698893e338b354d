/* Drawing shared by the parts of compare.h. */
#ifndef REHA_SERVICE_COMPARE_FIGURE_PRIV_H
#define REHA_SERVICE_COMPARE_FIGURE_PRIV_H

#include "image/draw.h"
#include "service/compare.h"

/* Before, after and difference side by side with captions; `pictures` has all three. */
void reha_compare_draw_row_(reha_canvas *canvas, reha_rect frame, const reha_joint_pictures *pictures,
                            double size);
double reha_compare_row_height_(double width, double size);

#endif
