#include "app/terminal.h"

#include "app/options.h"
#include "base/memory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 24 };

static volatile sig_atomic_t stop_asked;
static bool bar_shown;

static void on_interrupt(int number)
{
    if (stop_asked) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
    stop_asked = 1;
}

static bool should_stop(void *context)
{
    (void)context;
    return stop_asked != 0;
}

static void format_left(double left_s, char *out, size_t out_bytes)
{
    if (left_s < 0.0) {
        out[0] = '\0';
    } else if (left_s < 90.0) {
        (void)snprintf(out, out_bytes, "%.0f s left", left_s);
    } else {
        (void)snprintf(out, out_bytes, "%.0f min left", left_s / 60.0);
    }
}

static void update(void *context, double done, double total, const char *unit, double rate, double left_s,
                   const char *text)
{
    char left[32];
    char bar[BAR_CELLS + 1];
    (void)context;
    const int filled = total > 0.0 ? (int)(BAR_CELLS * done / total) : 0;
    for (int i = 0; i < BAR_CELLS; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_CELLS] = '\0';
    format_left(left_s, left, sizeof left);
    (void)fprintf(stderr, "\r[%s] %3.0f %%  %.1f %s/s  %s  %s\033[K", bar,
                  total > 0.0 ? 100.0 * done / total : 0.0, rate, unit, left, text != NULL ? text : "");
    (void)fflush(stderr);
    bar_shown = true;
}

reha_progress app_progress(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return (reha_progress){.update = isatty(STDERR_FILENO) ? update : NULL, .should_stop = should_stop};
}

void app_progress_end(void)
{
    if (bar_shown) {
        (void)fprintf(stderr, "\r\033[K");
        (void)fflush(stderr);
        bar_shown = false;
    }
}

int app_fail(reha_status status, const reha_error *err)
{
    app_progress_end();
    (void)fprintf(stderr, "rehascope: %s\n", err->text[0] != '\0' ? err->text : reha_status_name(status));
    return reha_status_is_input_fault(status) ? EXIT_INPUT : EXIT_OURS;
}

int app_print_json(const json_t *value)
{
    reha_error err = REHA_ERROR_INIT;
    char *text = NULL;
    const reha_status status = reha_json_format(value, &text, &err);
    if (status != REHA_OK) {
        return app_fail(status, &err);
    }
    const bool is_written = puts(text) >= 0 && fflush(stdout) == 0;
    reha_free(text);
    if (!is_written) {
        (void)fprintf(stderr, "rehascope: the result could not be written to standard output\n");
        return EXIT_OURS;
    }
    return EXIT_DONE;
}

int app_print_items(const json_t *value, bool as_json, void (*print_one)(const json_t *one))
{
    const json_t *items = json_object_get(value, "items");
    if (as_json) {
        return app_print_json(value);
    }
    if (items == NULL) {
        print_one(value);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        print_one(json_array_get(items, i));
    }
    return EXIT_DONE;
}

static bool is_known(const json_t *estimate, const char *key)
{
    return json_is_number(json_object_get(estimate, key));
}

void app_print_interval(const json_t *estimate, const char *before, int decimals)
{
    if (is_known(estimate, "low") && is_known(estimate, "high")) {
        (void)printf("%s(%.*f to %.*f)", before, decimals, reha_json_number(estimate, "low", 0.0), decimals,
                     reha_json_number(estimate, "high", 0.0));
    }
}

void app_print_estimate(const json_t *metrics, const char *key, const char *label)
{
    const json_t *one = json_object_get(metrics, key);
    if (!is_known(one, "value")) {
        (void)printf("  %-28s      -   these images do not tell\n", label);
        return;
    }
    (void)printf("  %-28s %6.3f", label, reha_json_number(one, "value", 0.0));
    app_print_interval(one, "   ", 3);
    if (is_known(one, "n")) {
        (void)printf("   n %lld", (long long)reha_json_number(one, "n", 0.0));
    }
    (void)printf("\n");
}

void app_print_case(const reha_case *result)
{
    reha_error err = REHA_ERROR_INIT;
    char *line = NULL;
    app_progress_end();
    if (reha_case_line(result, &line, &err) == REHA_OK) {
        (void)printf("%s: %s\n", result->path, line);
        (void)fflush(stdout);
    }
    reha_free(line);
}
