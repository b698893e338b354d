/* Drawn pictures for the gate's training, of kinds for which no or few real ones are at hand: scenes full of
 * things and smooth ones, pages, empty pictures, other ultrasound, slices, and a few generated knees and
 * muscles, so that the program knows its own examples. They teach what a picture is not; what real pictures
 * of these kinds do is measured apart (the model card). */
#ifndef REHA_RECOGNITION_SCENE_DRAWN_H
#define REHA_RECOGNITION_SCENE_DRAWN_H

#include "base/random.h"
#include "recognition/scene.h"

/* A picture of about 200 to 380 px a side, grey values 0..255. REHA_E_ARG for REHA_SCENE_LIMB, of which none
 * can be drawn. The same for a given state of `random`. */
REHA_MUST_USE reha_status reha_scene_draw(reha_scene_kind kind, reha_random *random, reha_gray **out,
                                          reha_error *err);

#endif
