/* Fracture detection on radiographs of the limbs: a research demonstration. */
#ifndef REHA_RECOGNITION_FRACTURE_H
#define REHA_RECOGNITION_FRACTURE_H

#include "recognition/recogniser.h"

extern const reha_recogniser reha_recogniser_fracture;

#endif
