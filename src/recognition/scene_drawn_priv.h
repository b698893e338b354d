/* What the drawing of pages and of smooth scenes shares with that of other pictures. */
#ifndef REHA_RECOGNITION_SCENE_DRAWN_PRIV_H
#define REHA_RECOGNITION_SCENE_DRAWN_PRIV_H

#include "base/random.h"
#include "image/gray.h"

enum { SCENE_LATTICE = 64 };

typedef struct scene_lattice {
    float values[SCENE_LATTICE * SCENE_LATTICE];
} scene_lattice;

/* Noise in octaves from `cells` cells over the picture upwards, each `fall` times as strong; 0..1, stretched
 * along an axis. */
typedef struct scene_texture {
    const scene_lattice *grid;
    double cells, fall, shift;
    double along_x, along_y, across_x, across_y; /* turned and squeezed axes */
} scene_texture;

double scene_between(reha_random *random, double low, double high);
bool scene_happens(reha_random *random, double chance);
void scene_lattice_fill(scene_lattice *of, reha_random *random);
/* `grid` must outlive it. */
scene_texture scene_any_texture(const scene_lattice *grid, reha_random *random);
double scene_texture_at(const scene_texture *of, double x, double y);
reha_status scene_draw_page(reha_random *random, reha_gray **out, reha_error *err);
/* Into an image of any size; grey values may lie outside of 0..255. */
reha_status scene_draw_smooth(reha_random *random, reha_gray *image, reha_error *err);

#endif
