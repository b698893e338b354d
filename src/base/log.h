/* Log: one sink, set once by the application. Events are machine readable: a dotted name and
 * key=value pairs. Internal ids only: never a name, birth date or other value of a patient. */
#ifndef REHA_BASE_LOG_H
#define REHA_BASE_LOG_H

#include "base/status.h"

typedef enum reha_log_level { REHA_LOG_DEBUG, REHA_LOG_INFO, REHA_LOG_WARN, REHA_LOG_ERROR } reha_log_level;
typedef void (*reha_log_sink)(void *context, reha_log_level level, const char *event, const char *fields);

/* Until called, nothing is logged. Not thread safe: call before threads start. */
void reha_log_set_sink(reha_log_sink sink, void *context, reha_log_level least);
void reha_log(reha_log_level level, const char *event, const char *format, ...) REHA_PRINTF(3, 4);

#endif
