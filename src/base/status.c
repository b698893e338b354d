#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In parentheses: not the macro that the analyser sees. */
reha_status(reha_fail)(reha_error *err, reha_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        err->status = status;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

void reha_error_prefix(reha_error *err, const char *format, ...)
{
    if (err == NULL) {
        return;
    }
    char prefix[REHA_ERROR_TEXT_BYTES];
    char joined[2 * REHA_ERROR_TEXT_BYTES + 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    (void)snprintf(joined, sizeof joined, "%s: %s", prefix, err->text);
    (void)snprintf(err->text, sizeof err->text, "%.*s", (int)sizeof err->text - 1, joined);
}

const char *reha_status_name(reha_status status)
{
    static const char *const names[REHA_STATUS_COUNT] = {
        [REHA_OK] = "ok",
        [REHA_E_ARG] = "argument",
        [REHA_E_FORMAT] = "format",
        [REHA_E_UNSUPPORTED] = "unsupported",
        [REHA_E_LIMIT] = "limit",
        [REHA_E_IO] = "io",
        [REHA_E_FULL] = "disk-full",
        [REHA_E_NOT_FOUND] = "not-found",
        [REHA_E_REFUSED] = "refused",
        [REHA_E_CONFLICT] = "conflict",
        [REHA_E_STALE] = "stale",
        [REHA_E_DENIED] = "denied",
        [REHA_E_SIGNED_OUT] = "signed-out",
        [REHA_E_BUSY] = "busy",
        [REHA_E_TAMPERED] = "tampered",
        [REHA_E_CANCELLED] = "cancelled",
        [REHA_E_NOMEM] = "out-of-memory",
        [REHA_E_INTERNAL] = "internal",
    };
    const int index = (int)status;
    return index >= 0 && index < REHA_STATUS_COUNT ? names[index] : "unknown";
}

int reha_status_is_input_fault(reha_status status)
{
    switch (status) {
    case REHA_E_ARG:
    case REHA_E_FORMAT:
    case REHA_E_UNSUPPORTED:
    case REHA_E_LIMIT:
    case REHA_E_NOT_FOUND:
    case REHA_E_REFUSED:
    case REHA_E_CONFLICT:
    case REHA_E_STALE:
    case REHA_E_DENIED:
    case REHA_E_SIGNED_OUT:
    case REHA_E_BUSY:
    case REHA_E_TAMPERED:
    case REHA_E_CANCELLED:
        return 1;
    default:
        return 0;
    }
}
