/* Which recogniser a picture is for, and whether one may have it: the decision table over what the gate sees
 * (recognition/scene.h) and what the file says. Pure functions, any thread.
 *
 * What a recogniser needs is one line of the table in scene_admit.c. */
#ifndef REHA_RECOGNITION_SCENE_ADMIT_H
#define REHA_RECOGNITION_SCENE_ADMIT_H

#include "recognition/scene_card.h"

/* The recogniser that the picture is for when none was named: by the likeliest kind that the file allows;
 * where that is none's, the first that the file does not exclude, which then judges. A static string. */
const char *reha_scene_task(const reha_scene *scene, const reha_acquisition *facts);

/* Whether a task may be chosen where none was named; false for unknown ones. */
bool reha_scene_is_unasked(const char *task);

/* Why a picture that should be of this kind is not let in, as a code; NULL: it is. "uncertain",
 * "inverted" (may be repaired), "rotated", "upside-down", "blurred", "noisy", "burnt-out", "part",
 * "low-contrast", "too-small", "unlike-training". Checks what the card has limits for. */
const char *reha_scene_fault(const reha_scene_card *card, reha_scene_kind kind, const reha_scene *scene);

typedef struct reha_scene_admission {
    bool is_refused;
    bool turns_over;    /* the grey values are inverted: exchange bright and dark, look again */
    bool names_refusal; /* if the recogniser refuses by itself, this is the reason */
    bool has_warning;
    char code[32];  /* of the refusal or warning */
    char text[240]; /* one line: what, why, what to do */
} reha_scene_admission;

/* May `task` have this picture? `gate` is a model that reha_recogniser_gate opened. A task without a line in
 * the table gets everything. Recognisers with an admission of their own get every picture that the file
 * allows; of what they refuse the gate says what it is. */
reha_scene_admission reha_scene_admit(const reha_model *gate, const char *task, const reha_scene *scene,
                                      const reha_acquisition *facts);

#endif
