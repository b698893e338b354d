/* Tables (labels.csv) and JSON (cards, results): any bytes end in a status; what was read can be asked for
 * in every cell, and written again. */
#include "base/csv.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_table(const char *text, size_t length)
{
    reha_csv *csv = NULL;
    reha_csv *again = NULL;
    reha_text written = {0};
    char *copy = NULL;
    if (reha_csv_parse(text, length, &csv, NULL) != REHA_OK) {
        return;
    }
    const size_t columns = reha_csv_columns(csv);
    for (size_t c = 0; c < columns; c++) {
        reha_text_add(&written, c > 0 ? "," : "");
        reha_csv_add_field(&written, reha_csv_header(csv, c));
    }
    for (size_t r = 0; r < reha_csv_rows(csv); r++) {
        reha_text_add(&written, "\n");
        for (size_t c = 0; c < columns; c++) {
            reha_text_add(&written, c > 0 ? "," : "");
            reha_csv_add_field(&written, reha_csv_get(csv, r, (int)c));
        }
    }
    /* One column of empty fields is an empty line: the only table that writing cannot repeat. */
    if (reha_text_take(&written, &copy, NULL) == REHA_OK && columns > 1) {
        if (reha_csv_parse(copy, strlen(copy), &again, NULL) != REHA_OK ||
            reha_csv_rows(again) != reha_csv_rows(csv)) {
            abort();
        }
    }
    reha_free(copy);
    reha_csv_free(csv);
    reha_csv_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value = NULL;
    try_table((const char *)data, size);
    if (reha_json_parse((const char *)data, size, &value, NULL) == REHA_OK) {
        char *text = NULL;
        if (reha_json_format(value, &text, NULL) != REHA_OK) {
            abort();
        }
        reha_free(text);
        json_decref(value);
    }
    return 0;
}
