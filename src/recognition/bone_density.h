/* A sign of low bone density on knee radiographs: normal, osteopenia or osteoporosis by the texture of the
 * bone. A research recogniser that is switched off where its own study says that the picture adds nothing to
 * age, sex and BMI; docs/adr/0016. It needs a knee-oa model beside it, which finds the knees. */
#ifndef REHA_RECOGNITION_BONE_DENSITY_H
#define REHA_RECOGNITION_BONE_DENSITY_H

#include "recognition/recogniser.h"

extern const reha_recogniser reha_recogniser_bone_density;

#endif
