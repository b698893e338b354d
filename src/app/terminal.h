/* What people see on a terminal: progress bars, results, errors. Progress goes to stderr, and only when
 * that is a terminal. */
#ifndef REHA_APP_TERMINAL_H
#define REHA_APP_TERMINAL_H

#include "recognition/recogniser.h"
#include "service/analyse.h"

/* A progress bar and Ctrl-C: the first one asks for an orderly stop, the second ends the program. */
reha_progress app_progress(void);
void app_progress_end(void); /* clears the bar */

/* "rehascope: text" on stderr; returns the exit code for the status. */
int app_fail(reha_status status, const reha_error *err);
/* JSON to stdout; returns an exit code. */
int app_print_json(const json_t *value);
/* What was asked for: a list (its "items") or a single one, as JSON or by print_one; returns an exit code. */
int app_print_items(const json_t *value, bool as_json, void (*print_one)(const json_t *one));
/* " (0.61 to 0.72)": the interval of {"value", "low", "high"}, or nothing where none was drawn (--rounds 0, a
 * figure that most draws do not have). */
void app_print_interval(const json_t *estimate, const char *before, int decimals);
/* A line: label, the estimate metrics[key] with its interval and count; where it is null, that the images do
 * not tell it. */
void app_print_estimate(const json_t *metrics, const char *key, const char *label);
/* One line for an image on stdout. */
void app_print_case(const reha_case *result);

#endif
