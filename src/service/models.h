/* The models of an installation. */
#ifndef REHA_SERVICE_MODELS_H
#define REHA_SERVICE_MODELS_H

#include "base/json.h"

/* [{"task","title","accepts","kind","version","folder","status","offered","unasked","fault"?, "metrics"?}]:
 * one entry per task of the program, with its newest model; "version" is null where none is installed, and
 * where it cannot be read: then "fault" says why; "kind" is "recogniser", or "outcome" for what predicts
 * (their tasks begin with "outcome-"). "offered": an image can be given to it by name; "unasked": the program
 * chooses it by itself, too. New reference. */
REHA_MUST_USE reha_status reha_models_list(const char *models_folder, json_t **out, reha_error *err);
/* The card of a task's newest model; outcome models as "outcome-knee-replacement". New reference. */
REHA_MUST_USE reha_status reha_models_card(const char *models_folder, const char *task, json_t **out,
                                           reha_error *err);

/* Whether an image can be given to this task by name. REHA_E_ARG: there is no such task (the text lists those
 * there are); REHA_E_REFUSED: its model is not installed, or its own card switches it off; the text says
 * which and why. */
REHA_MUST_USE reha_status reha_models_ask(const char *models_folder, const char *task, reha_error *err);

/* Whether the images of a clinic can be analysed with this folder: it is there, holds a model of the default
 * task, its card and networks are whole, and every file of that can be read. The text says what to do.
 * Reads the networks whole and prepares none: half a second, once, when a clinic is opened. */
REHA_MUST_USE reha_status reha_models_check(const char *models_folder, reha_error *err);

/* What decides whether this machine can do the work: CPU, memory, models; and a self-test on a generated
 * image. {"checks":[{"name","ok","text"}],"ok"}; new reference. */
REHA_MUST_USE reha_status reha_doctor(const char *models_folder, json_t **out, reha_error *err);

#endif
