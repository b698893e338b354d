/* What the drawing of pages shares with that of other pictures. */
#ifndef REHA_RECOGNITION_SCENE_DRAWN_PRIV_H
#define REHA_RECOGNITION_SCENE_DRAWN_PRIV_H

#include "base/random.h"
#include "image/gray.h"

double scene_between(reha_random *random, double low, double high);
bool scene_happens(reha_random *random, double chance);
reha_status scene_draw_page(reha_random *random, reha_gray **out, reha_error *err);

#endif
