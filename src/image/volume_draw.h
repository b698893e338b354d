/* Measured values as colours over a picture: maps with a unit, as of T2. */
#ifndef REHA_IMAGE_VOLUME_DRAW_H
#define REHA_IMAGE_VOLUME_DRAW_H

#include "image/draw.h"

/* Every pixel in the colour of its value, from `low` to `high` in reha_heat_colour (even steps of lightness);
 * beyond them the end colours. NaN is left out: what lies below shows. No smoothing between pixels. */
void reha_canvas_values(reha_canvas *canvas, const reha_gray *map, reha_rect box, double low, double high);
/* Every pixel that is above 0 in one colour; for marks. */
void reha_canvas_mark(reha_canvas *canvas, const reha_gray *mask, reha_rect box, reha_colour colour);
/* An upright scale from `low` to `high` with five ticks and a title ("T2 (ms)") above; numbers right of it.
 */
void reha_canvas_value_bar(reha_canvas *canvas, reha_rect box, double low, double high, const char *title,
                           double size, reha_colour text_colour);

#endif
