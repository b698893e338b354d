/* JSON: jansson with our errors. Jansson's own types are used directly (json_t, json_object_get,
 * json_decref, ...): wrapping them would only rename them. See docs/adr/0002. */
#ifndef REHA_BASE_JSON_H
#define REHA_BASE_JSON_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* New reference in *out (json_decref). Syntax errors name their place; duplicate keys are refused, and values
 * that would take more than 1 GiB of memory (before they take it). reha_json_load: no files over 64 MiB. */
REHA_MUST_USE reha_status reha_json_parse(const char *text, size_t length, json_t **out, reha_error *err);
/* The same of what is known to be small: values that would take more than memory_bytes_max are refused. */
REHA_MUST_USE reha_status reha_json_parse_within(const char *text, size_t length, size_t memory_bytes_max,
                                                 json_t **out, reha_error *err);
REHA_MUST_USE reha_status reha_json_load(const char *path, json_t **out, reha_error *err);
/* Indented text, sorted keys off, numbers with up to 9 significant digits; reha_free it. */
REHA_MUST_USE reha_status reha_json_format(const json_t *value, char **out, reha_error *err);
REHA_MUST_USE reha_status reha_json_save(const char *path, const json_t *value, reha_error *err);

/* Required members of an object; a missing or wrongly typed one is REHA_E_FORMAT with its name. */
REHA_MUST_USE reha_status reha_json_need_string(const json_t *object, const char *key, const char **out,
                                                reha_error *err); /* borrowed */
REHA_MUST_USE reha_status reha_json_need_number(const json_t *object, const char *key, double *out,
                                                reha_error *err);
REHA_MUST_USE reha_status reha_json_need_array(const json_t *object, const char *key, size_t count,
                                               const json_t **out,
                                               reha_error *err); /* count 0: any; borrowed */
/* Number of an array of numbers into out[count]. */
REHA_MUST_USE reha_status reha_json_need_numbers(const json_t *object, const char *key, size_t count,
                                                 double *out, reha_error *err);
/* Optional members: the fallback if absent or of another type. */
double reha_json_number(const json_t *object, const char *key, double fallback);
const char *reha_json_string(const json_t *object, const char *key, const char *fallback);

/* A text from outside (a file name, a device's name): JSON is UTF-8 only, so in a text that is not, every
 * byte beyond ASCII becomes '?'. NULL gives json_null. New reference. */
json_t *reha_json_text(const char *text);
/* Finite numbers become json_real, others json_null: JSON knows no NaN. New reference. */
json_t *reha_json_real(double value);

#endif
