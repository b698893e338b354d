#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static reha_log_sink current_sink;
static void *current_context;
static reha_log_level current_least;

void reha_log_set_sink(reha_log_sink sink, void *context, reha_log_level least)
{
    current_sink = sink;
    current_context = context;
    current_least = least;
}

void reha_log(reha_log_level level, const char *event, const char *format, ...)
{
    if (current_sink == NULL || level < current_least) {
        return;
    }
    char fields[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fields, sizeof fields, format, args);
    va_end(args);
    /* One event is one line, whatever the fields hold. */
    for (char *at = fields; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ') {
            *at = ' ';
        }
    }
    current_sink(current_context, level, event, fields);
}
