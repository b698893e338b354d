/* Status codes and error texts: how every fallible function of the project reports.
 *
 * A function that can fail returns a reha_status and takes a `reha_error *err` as its last
 * parameter (NULL is allowed). The text is written once, by the function that found the fault, and
 * says what and where in one line; everyone above only passes it on with REHA_TRY. Texts never hold
 * the value of a patient's tag or name. */
#ifndef REHA_BASE_STATUS_H
#define REHA_BASE_STATUS_H

#include <stddef.h>

#if defined(__GNUC__)
#define REHA_MUST_USE                    __attribute__((warn_unused_result))
#define REHA_PRINTF(format_no, first_no) __attribute__((format(printf, format_no, first_no)))
#else
#define REHA_MUST_USE
#define REHA_PRINTF(format_no, first_no)
#endif

typedef enum reha_status {
    REHA_OK = 0,
    REHA_E_ARG,         /* an argument or option out of its range */
    REHA_E_FORMAT,      /* bytes that break their own format */
    REHA_E_UNSUPPORTED, /* well formed, but a feature that we do not read */
    REHA_E_LIMIT,       /* larger than a limit allows */
    REHA_E_IO,          /* the operating system refused to read or write */
    REHA_E_FULL,        /* there is no room left on the disk, or it refuses to be written */
    REHA_E_NOT_FOUND,   /* no such file, record, model or task */
    REHA_E_REFUSED,     /* readable, but must not be analysed (wrong view, quality, ...) */
    REHA_E_CONFLICT,    /* it exists already, or its state does not allow this */
    REHA_E_STALE,  /* somebody changed it first: what the caller read is not the newest version any more */
    REHA_E_DENIED, /* not allowed for this user */
    REHA_E_SIGNED_OUT, /* nobody is signed in, the session ended, or name and password do not match */
    REHA_E_BUSY,       /* too many tries or too much at once: later again */
    REHA_E_TAMPERED,   /* stored data do not match their seal: altered, cut off, or of another key */
    REHA_E_CANCELLED,  /* stopped on request */
    REHA_E_NOMEM,      /* out of memory */
    REHA_E_INTERNAL,   /* our own fault */
    REHA_STATUS_COUNT
} reha_status;

enum { REHA_ERROR_TEXT_BYTES = 240 };

/* Lives in the caller; no heap. Initialise with REHA_ERROR_INIT. */
typedef struct reha_error {
    reha_status status;
    char text[REHA_ERROR_TEXT_BYTES];
} reha_error;

#define REHA_ERROR_INIT                                                                                      \
    {                                                                                                        \
        REHA_OK, ""                                                                                          \
    }

/* Writes status and text into *err (if not NULL; too long a text is cut) and returns `status`. */
reha_status reha_fail(reha_error *err, reha_status status, const char *format, ...) REHA_PRINTF(3, 4);

/* Puts "prefix: " before the text already in *err: for callers that know the place (a file name)
 * which the finder of the fault could not know. */
void reha_error_prefix(reha_error *err, const char *format, ...) REHA_PRINTF(2, 3);

/* Stable lower-case name, such as "format"; never NULL. */
const char *reha_status_name(reha_status status);

/* True where the fault lies with the input (exit code 1, HTTP 4xx), false where it is ours. */
int reha_status_is_input_fault(reha_status status);

/* Returns early with the status of `call` if it failed. For functions that have nothing to undo. */
#define REHA_TRY(call)                                                                                       \
    do {                                                                                                     \
        const reha_status reha_try_status_ = (call);                                                         \
        if (reha_try_status_ != REHA_OK) {                                                                   \
            return reha_try_status_;                                                                         \
        }                                                                                                    \
    } while (0)

/* Jumps to the label `done` if `call` failed; needs a local `reha_status status`. */
#define REHA_CHECK(call)                                                                                     \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status != REHA_OK) {                                                                             \
            goto done;                                                                                       \
        }                                                                                                    \
    } while (0)

#ifdef __clang_analyzer__ /* it sees one file at a time, and must know that a failure is never REHA_OK */
#define reha_fail(err, status, ...) ((void)reha_fail((err), (status), __VA_ARGS__), (status))
#endif

#endif
