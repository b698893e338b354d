/* Subgroups that a table of labels may name, under the names that people give such columns. */
#include "recognition/dataset.h"

#include "base/csv.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 5 };
static const double AGE_MAX = 110.0;

typedef struct grouping {
    const char *name;
    const char *columns[NAMES_MAX];
} grouping;

static const grouping known[REHA_GROUPINGS_MAX] = {
    {"sex", {"sex", "gender"}},
    {"age", {"age", "age_years"}},
    {"device", {"device", "device_model", "scanner", "manufacturer"}},
    {"source", {"source", "site", "hospital", "centre", "center"}},
    {"ethnicity", {"ethnicity", "race"}},
    {"view", {"view", "view_position", "projection"}},
};

void reha_dataset_find_groupings(const reha_csv *csv, reha_dataset *out)
{
    out->grouping_count = 0;
    for (int g = 0; g < REHA_GROUPINGS_MAX; g++) {
        int column = -1;
        for (int n = 0; n < NAMES_MAX && known[g].columns[n] != NULL && column < 0; n++) {
            for (size_t c = 0; c < reha_csv_columns(csv) && column < 0; c++) {
                column = reha_str_equal_nocase(reha_csv_header(csv, c), known[g].columns[n]) ? (int)c : -1;
            }
        }
        if (column >= 0) {
            out->groupings[out->grouping_count] = known[g].name;
            out->grouping_columns[out->grouping_count++] = column;
        }
    }
}

static const char *age_band(const char *text)
{
    double age = (double)NAN;
    if (!reha_parse_double(text, true, &age) || age < 0.0 || age > AGE_MAX) {
        return "implausible";
    }
    return age < 50.0 ? "below 50" : age < 60.0 ? "50 to 59" : age < 70.0 ? "60 to 69" : "70 and above";
}

static const char *sex_of(const char *text)
{
    if (reha_str_equal_nocase(text, "f") || reha_str_equal_nocase(text, "female")) {
        return "female";
    }
    return reha_str_equal_nocase(text, "m") || reha_str_equal_nocase(text, "male") ? "male" : text;
}

void reha_dataset_read_groups(const reha_csv *csv, size_t row, const reha_dataset *dataset,
                              reha_labelled *out)
{
    for (int g = 0; g < dataset->grouping_count; g++) {
        const char *value = reha_csv_get(csv, row, dataset->grouping_columns[g]);
        if (value[0] != '\0' && strcmp(dataset->groupings[g], "age") == 0) {
            value = age_band(value);
        } else if (strcmp(dataset->groupings[g], "sex") == 0) {
            value = sex_of(value);
        }
        (void)snprintf(out->groups[g], sizeof out->groups[g], "%s", value);
    }
}
