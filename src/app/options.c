#include "app/options.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void app_command_help(const app_command *command)
{
    (void)printf("rehascope %s %s\n\n%s\n", command->name, command->arguments, command->summary);
    if (command->options != NULL) {
        (void)printf("\nOptions:\n");
        for (const app_option *option = command->options; option->name != NULL; option++) {
            char left[64];
            (void)snprintf(left, sizeof left, "--%s%s%s", option->name, option->value != NULL ? " " : "",
                           option->value != NULL ? option->value : "");
            (void)printf("  %-22s %s\n", left, option->help);
        }
    }
    (void)printf("\nExample:\n  %s\n\nExit codes: 0 done, 1 the input's fault, 2 wrong usage, 3 our fault.\n",
                 command->example);
}

int app_wrong_use(const app_command *command, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)fprintf(stderr, "rehascope %s: ", command->name);
    (void)vfprintf(stderr, format, values);
    (void)fprintf(stderr, "\nSee: rehascope %s --help\n", command->name);
    va_end(values);
    return EXIT_USAGE;
}

static bool store(const app_option *option, const char *value, void *target)
{
    char *member = (char *)target + option->offset;
    int64_t whole = 0;
    double number = 0.0;
    switch (option->kind) {
    case APP_FLAG:
        *(bool *)(void *)member = true;
        return true;
    case APP_TEXT:
        *(const char **)(void *)member = value;
        return value[0] != '\0';
    case APP_INTEGER:
        if (!reha_parse_int64(value, &whole) || (double)whole < option->low || (double)whole > option->high) {
            return false;
        }
        *(int *)(void *)member = (int)whole;
        return true;
    case APP_NUMBER:
        if (!reha_parse_double(value, true, &number) || number < option->low || number > option->high) {
            return false;
        }
        *(double *)(void *)member = number;
        return true;
    }
    return false;
}

static int refuse_value(const app_command *command, const app_option *option, const char *value)
{
    if (option->kind == APP_TEXT) {
        return app_wrong_use(command, "--%s: %s is needed, not nothing", option->name, option->value);
    }
    return app_wrong_use(command, "--%s: '%s' is no %snumber from %.10g to %.10g", option->name, value,
                         option->kind == APP_INTEGER ? "whole " : "", option->low, option->high);
}

static const app_option *find(const app_command *command, const char *name, size_t length)
{
    for (const app_option *option = command->options; option != NULL && option->name != NULL; option++) {
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0) {
            return option;
        }
    }
    return NULL;
}

int app_parse(const app_command *command, int argc, char **argv, void *target, const char **words,
              int *word_count)
{
    bool only_words = false;
    *word_count = 0;
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i];
        if (only_words || argument[0] != '-' || argument[1] == '\0') {
            if (*word_count >= command->words_max) {
                return app_wrong_use(command, "too many arguments: %s", argument);
            }
            words[(*word_count)++] = argument;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            only_words = true;
            continue;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            app_command_help(command);
            return EXIT_DONE;
        }
        const char *name = argument[1] == '-' ? argument + 2 : argument + 1;
        const char *equals = strchr(name, '=');
        const app_option *option =
            argument[1] == '-' ? find(command, name, equals != NULL ? (size_t)(equals - name) : strlen(name))
                               : NULL;
        if (option == NULL) {
            return app_wrong_use(command, "no such option: %s", argument);
        }
        const char *value = equals != NULL ? equals + 1 : NULL;
        if (option->kind == APP_FLAG && value != NULL) {
            return app_wrong_use(command, "this option takes no value: %s", argument);
        }
        if (option->kind != APP_FLAG && value == NULL) {
            if (i + 1 >= argc) {
                return app_wrong_use(command, "this option needs a value: %s", argument);
            }
            value = argv[++i];
        }
        if (!store(option, value, target)) {
            return refuse_value(command, option, value);
        }
    }
    if (*word_count < command->words_min) {
        return app_wrong_use(command, "missing: %s", command->arguments);
    }
    return -1;
}
