/* Texts of HTTP requests that our own code takes apart: headers, and the parameters of a FHIR search. Lines
 * of "name value"; each is asked as everything. Beyond "no crash": what comes out fits, ends, and was in it.
 */
#include "base/json.h"
#include "base/memory.h"
#include "web/fhir_priv.h"
#include "web/http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition) {
        abort();
    }
}

static void try_header(const char *text)
{
    char out[64];
    const char *token = reha_http_bearer(text);
    demand(token == NULL || (token >= text && token <= text + strlen(text)));
    if (reha_http_cookie(text, "session", out, sizeof out)) {
        demand(strlen(out) < sizeof out && strstr(text, out) != NULL);
    }
    (void)reha_http_etag_matches(text, "\"7\"");
    (void)reha_http_is_loopback_host(text);
    (void)reha_http_is_same_origin(text, "127.0.0.1:8080", false);
    (void)reha_http_is_same_origin("https://127.0.0.1", text, true);
    char date[32];
    reha_http_date(text, date);
    demand(strlen(date) < sizeof date);
    (void)reha_http_method_parse(text);
}

static void try_search(const fhir_arguments *args, const json_t *resource)
{
    reha_error err = REHA_ERROR_INIT;
    bool fits = false;
    reha_status status = fhir_check_times(args, &err);
    demand(status == REHA_OK || (status == REHA_E_ARG && err.text[0] != '\0'));
    status = fhir_fits_changed(args, "2026-11-30T12:34:56.789Z", &fits, &err);
    demand(status == REHA_OK || (status == REHA_E_ARG && err.text[0] != '\0'));
    status = fhir_fits(args, resource, &fits, &err);
    demand(status == REHA_OK || (status == REHA_E_ARG && err.text[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *resource; /* lives as long as the fuzzer */
    const size_t blocks = reha_mem_live_blocks();
    fhir_arguments args = {.count = 0};
    char id[FHIR_ID_BYTES];
    char *text = reha_strndup((const char *)data, size);
    if (resource == NULL) {
        resource = json_pack("{s:s, s:s, s:s, s:{s:[{s:s, s:s}]}, s:{s:s}, s:{s:s}}", "resourceType",
                             "Observation", "status", "preliminary", "effectiveDateTime", "2026-03-01",
                             "code", "coding", "system", "http://loinc.org", "code", "1234-5", "subject",
                             "reference", "Patient/p1", "meta", "lastUpdated", "2026-11-30T12:34:56.789Z");
    }
    demand(text != NULL && resource != NULL);
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');
        if (value == NULL || args.count == FHIR_ARGUMENTS_MAX) {
            continue;
        }
        *value++ = '\0';
        args.items[args.count++] = (fhir_argument){line, value};
        try_header(value);
        demand(fhir_reference_id(value, "Patient", id, NULL) != REHA_OK || strlen(id) < sizeof id);
        demand(strstr(value, fhir_uid_of(value)) != NULL);
    }
    try_search(&args, resource);
    reha_free(text);
    demand(reha_mem_live_blocks() == blocks);
    return 0;
}
