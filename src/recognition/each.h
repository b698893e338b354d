/* Work on many things, one after the other, that somebody watches and may stop: the pictures of an audit or
 * an evaluation. */
#ifndef REHA_RECOGNITION_EACH_H
#define REHA_RECOGNITION_EACH_H

#include "recognition/recogniser.h"

typedef reha_status (*reha_each_function)(void *context, size_t index, reha_error *err);

/* work(context, 0) to work(context, count - 1), in the caller's thread; after each the progress is told in
 * `unit` ("images"), at the rate since the first. The first fault ends it; REHA_E_CANCELLED, with how many
 * were done, where progress (may be NULL) asks for a stop before one. */
REHA_MUST_USE reha_status reha_each(size_t count, const char *unit, const reha_progress *progress,
                                    reha_each_function work, void *context, reha_error *err);

#endif
