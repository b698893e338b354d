/* Asks the gate (recognition/scene.h) before a recogniser gets a picture: which one it is for, whether it may
 * have it, and in which tones. One thread at a time. */
#ifndef REHA_SERVICE_GATEKEEPER_H
#define REHA_SERVICE_GATEKEEPER_H

#include "recognition/recogniser.h"

typedef struct reha_gatekeeper reha_gatekeeper;

/* The newest gate below models_folder (NULL: of this installation). *out NULL and REHA_OK: none is installed.
 */
REHA_MUST_USE reha_status reha_gatekeeper_new(const char *models_folder, int threads, reha_gatekeeper **out,
                                              reha_error *err);
void reha_gatekeeper_free(reha_gatekeeper *keeper); /* NULL is fine */

typedef struct reha_ruling {
    const char *task; /* whose picture it is; static or as given */
    bool is_refused;
    reha_gray *turned_over; /* bright and dark exchanged: what the recogniser shall see; owned; NULL: the
                               picture as it is */
    bool names_refusal;     /* if the recogniser refuses, `note` is the reason */
    bool has_note;          /* of a refusal, repair or contradiction */
    reha_note note;
} reha_ruling;

/* `task` NULL: chosen by what the picture is. */
REHA_MUST_USE reha_status reha_gatekeeper_ask(reha_gatekeeper *keeper, const reha_gray *image,
                                              const reha_acquisition *facts, const char *task,
                                              reha_ruling *out, reha_error *err);
void reha_ruling_clear(reha_ruling *ruling);

/* The refusal as a result that names the gate's model. */
REHA_MUST_USE reha_status reha_gatekeeper_refuse(const reha_gatekeeper *keeper, const reha_ruling *ruling,
                                                 const reha_gray *image, const reha_acquisition *facts,
                                                 reha_analysis **out, reha_error *err);

#endif
