#include "rehab/outcome_nhs.h"

#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct code {
    const char *code;
    const char *level;
} code;

static const code yes_no[] = {{"2", "no"}, {"1", "yes"}, {NULL, NULL}};
static const code ticked[] = {{"9", "no"}, {"1", "yes"}, {NULL, NULL}};
static const code procedure[] = {{"0", "primary"}, {"1", "revision"}, {NULL, NULL}};
static const code sex[] = {{"1", "male"}, {"2", "female"}, {NULL, NULL}};
static const code symptom_period[] = {{"1", "under 1 year"},
                                      {"2", "1 to 5 years"},
                                      {"3", "6 to 10 years"},
                                      {"4", "over 10 years"},
                                      {NULL, NULL}};
static const code living[] = {
    {"1", "with others"}, {"2", "alone"}, {"3", "care home"}, {"4", "other"}, {NULL, NULL}};
static const code three[] = {{"1", "1"}, {"2", "2"}, {"3", "3"}, {NULL, NULL}};
static const code age_band[] = {{"10 to 19", "10 to 19"},   {"20 to 29", "20 to 29"},
                                {"30 to 39", "30 to 39"},   {"40 to 49", "40 to 49"},
                                {"50 to 59", "50 to 59"},   {"60 to 69", "60 to 69"},
                                {"70 to 79", "70 to 79"},   {"80 to 89", "80 to 89"},
                                {"90 to 120", "90 to 120"}, {NULL, NULL}};

typedef struct column {
    const char *key;
    const char *title;
    const char *csv;   /* name in the file; an item's is behind the joint's prefix */
    const code *codes; /* NULL: a number */
    double low, high;  /* of numbers */
    bool is_group;
} column;

static const column general[] = {
    {"procedure", "procedure", "Revision Flag", procedure, 0, 0, true},
    {"age_band", "age band", "Age Band", age_band, 0, 0, true},
    {"sex", "sex", "Gender", sex, 0, 0, true},
    {"assisted", "had help with the questionnaire", "Pre-Op Q Assisted", yes_no, 0, 0, false},
    {"symptom_period", "time with symptoms", "Pre-Op Q Symptom Period", symptom_period, 0, 0, false},
    {"previous_surgery", "earlier surgery of this joint", "Pre-Op Q Previous Surgery", yes_no, 0, 0, false},
    {"living", "living", "Pre-Op Q Living Arrangements", living, 0, 0, false},
    {"disability", "considers to have a disability", "Pre-Op Q Disability", yes_no, 0, 0, false},
    {"heart_disease", "heart disease", "Heart Disease", ticked, 0, 0, true},
    {"high_blood_pressure", "high blood pressure", "High Bp", ticked, 0, 0, true},
    {"stroke", "stroke", "Stroke", ticked, 0, 0, true},
    {"circulation", "poor circulation of the legs", "Circulation", ticked, 0, 0, true},
    {"lung_disease", "lung disease", "Lung Disease", ticked, 0, 0, true},
    {"diabetes", "diabetes", "Diabetes", ticked, 0, 0, true},
    {"kidney_disease", "kidney disease", "Kidney Disease", ticked, 0, 0, true},
    {"nervous_system", "disease of the nervous system", "Nervous System", ticked, 0, 0, true},
    {"liver_disease", "liver disease", "Liver Disease", ticked, 0, 0, true},
    {"cancer", "cancer in the last 5 years", "Cancer", ticked, 0, 0, true},
    {"depression", "depression", "Depression", ticked, 0, 0, true},
    {"arthritis", "arthritis", "Arthritis", ticked, 0, 0, true},
    {"eq5d_mobility", "EQ-5D-3L mobility", "Pre-Op Q Mobility", three, 0, 0, false},
    {"eq5d_self_care", "EQ-5D-3L self-care", "Pre-Op Q Self-Care", three, 0, 0, false},
    {"eq5d_activity", "EQ-5D-3L usual activities", "Pre-Op Q Activity", three, 0, 0, false},
    {"eq5d_discomfort", "EQ-5D-3L pain or discomfort", "Pre-Op Q Discomfort", three, 0, 0, false},
    {"eq5d_anxiety", "EQ-5D-3L anxiety or depression", "Pre-Op Q Anxiety", three, 0, 0, false},
    {"eq_vas", "EQ VAS", "Pre-Op Q EQ VAS", NULL, 0, 100, false}};
enum {
    GENERAL = sizeof general / sizeof general[0],
    ITEMS = 12,
    FEATURES = GENERAL + ITEMS + 1,
    ITEM_MAX = 4
};

struct reha_nhs_layout {
    const char *task;
    const char *joint;     /* prefix of the file's columns */
    const char *prefix;    /* of the items' keys */
    const char *score;     /* "Oxford Knee Score" */
    const char *predicted; /* name of the NHS's own prediction, behind the joint */
    const char *items[ITEMS];
    double mic_points, pass_points;
    const char *mic_source, *pass_source;
};

static const reha_nhs_layout layouts[] = {
    {.task = "knee-replacement",
     .joint = "Knee Replacement",
     .prefix = "oks",
     .score = "Oxford Knee Score",
     .predicted = "OKS Post-Op Q Predicted",
     .items = {"Pain", "Night Pain", "Washing", "Transport", "Walking", "Standing", "Limping", "Kneeling",
               "Work", "Confidence", "Shopping", "Stairs"},
     .mic_points = 7.0,
     .pass_points = 37.0,
     .mic_source =
         "Beard et al. 2015, J Clin Epidemiol 68:73-9: MIC of an individual, 94,015 knee replacements",
     .pass_source =
         "Keurentjes et al. 2014, Bone Joint Res 3:7-13: found at about 3 years, used here at 6 months"},
    {.task = "hip-replacement",
     .joint = "Hip Replacement",
     .prefix = "ohs",
     .score = "Oxford Hip Score",
     .predicted = "OHS Post-Op Q Predicted",
     .items = {"Pain", "Sudden Pain", "Night Pain", "Washing", "Transport", "Dressing", "Shopping", "Walking",
               "Limping", "Stairs", "Standing", "Work"},
     .mic_points = 8.0,
     .pass_points = 42.0,
     .mic_source =
         "Beard et al. 2015, J Clin Epidemiol 68:73-9: MIC of an individual, 82,415 hip replacements",
     .pass_source =
         "Keurentjes et al. 2014, Bone Joint Res 3:7-13: found at about 3 years, used here at 6 months"}};

const reha_nhs_layout *reha_nhs_layout_at(size_t index)
{
    return index < sizeof layouts / sizeof layouts[0] ? &layouts[index] : NULL;
}

const reha_nhs_layout *reha_nhs_layout_find(const char *task)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (strcmp(layouts[i].task, task) == 0) {
            return &layouts[i];
        }
    }
    return NULL;
}

const char *reha_nhs_task(const reha_nhs_layout *layout)
{
    return layout->task;
}

/* Years differ in blanks, case and punctuation of their headers: only letters and digits count. */
static bool is_same_name(const char *a, const char *b)
{
    for (;;) {
        while (*a != '\0' && !isalnum((unsigned char)*a)) {
            a++;
        }
        while (*b != '\0' && !isalnum((unsigned char)*b)) {
            b++;
        }
        if (*a == '\0' || *b == '\0') {
            return *a == *b;
        }
        if (tolower((unsigned char)*a++) != tolower((unsigned char)*b++)) {
            return false;
        }
    }
}

static int find_column(const reha_csv *csv, const char *name)
{
    const int exact = reha_csv_find(csv, name);
    for (size_t c = 0; exact < 0 && c < reha_csv_columns(csv); c++) {
        if (is_same_name(reha_csv_header(csv, c), name)) {
            return (int)c;
        }
    }
    return exact;
}

static reha_status need_column(const reha_csv *csv, const char *name, int *out, reha_error *err)
{
    *out = find_column(csv, name);
    return *out >= 0 ? REHA_OK : reha_fail(err, REHA_E_FORMAT, "the column '%s' is missing", name);
}

static void item_column(const reha_nhs_layout *layout, const char *when, const char *item, char *out,
                        size_t out_bytes)
{
    (void)snprintf(out, out_bytes, "%s %s Q %s", layout->joint, when, item);
}

bool reha_nhs_accepts(const reha_nhs_layout *layout, const reha_csv *csv)
{
    char name[96];
    item_column(layout, "Pre-Op", layout->items[0], name, sizeof name);
    return find_column(csv, name) >= 0;
}

static void make_general(const column *from, reha_feature *out)
{
    (void)snprintf(out->key, sizeof out->key, "%s", from->key);
    (void)snprintf(out->title, sizeof out->title, "%s", from->title);
    out->kind = from->codes != NULL ? REHA_FEATURE_CATEGORY : REHA_FEATURE_NUMBER;
    out->is_group = from->is_group;
    for (const code *one = from->codes; one != NULL && one->code != NULL; one++) {
        (void)snprintf(out->levels[out->level_count++], sizeof out->levels[0], "%s", one->level);
    }
}

static void make_item(const reha_nhs_layout *layout, size_t i, reha_feature *out)
{
    (void)snprintf(out->key, sizeof out->key, "%s_%s", layout->prefix, layout->items[i]);
    for (char *at = out->key; *at != '\0'; at++) {
        *at = *at == ' ' ? '_' : *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    }
    (void)snprintf(out->title, sizeof out->title, "%s before: %s", layout->score, layout->items[i]);
    out->kind = REHA_FEATURE_CATEGORY;
    for (int k = 0; k <= ITEM_MAX; k++) {
        (void)snprintf(out->levels[out->level_count++], sizeof out->levels[0], "%d", k);
    }
}

reha_status reha_nhs_table_new(const reha_nhs_layout *layout, reha_table **out, reha_error *err)
{
    reha_feature features[FEATURES];
    reha_table *table = NULL;
    *out = NULL;
    memset(features, 0, sizeof features);
    for (size_t j = 0; j < GENERAL; j++) {
        make_general(&general[j], &features[j]);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        make_item(layout, i, &features[GENERAL + i]);
    }
    reha_feature *score = &features[GENERAL + ITEMS];
    (void)snprintf(score->key, sizeof score->key, "%s_before", layout->prefix);
    (void)snprintf(score->title, sizeof score->title, "%s before surgery", layout->score);
    score->kind = REHA_FEATURE_SUM;
    score->sum_first = GENERAL;
    score->sum_count = ITEMS;
    score->sum_unknown_max = 2;
    REHA_TRY(reha_table_new(features, FEATURES, &table, err));
    *out = table;
    return REHA_OK;
}

/* Where each of the layout's columns is in a file. */
typedef struct places {
    int feature[GENERAL + ITEMS];
    int before, after, predicted, year;
} places;

static reha_status find_columns(const reha_nhs_layout *layout, const reha_csv *csv, places *out,
                                reha_error *err)
{
    char name[96];
    for (size_t j = 0; j < GENERAL; j++) {
        REHA_TRY(need_column(csv, general[j].csv, &out->feature[j], err));
    }
    for (size_t i = 0; i < ITEMS; i++) {
        item_column(layout, "Pre-Op", layout->items[i], name, sizeof name);
        REHA_TRY(need_column(csv, name, &out->feature[GENERAL + i], err));
    }
    item_column(layout, "Pre-Op", "Score", name, sizeof name);
    REHA_TRY(need_column(csv, name, &out->before, err));
    item_column(layout, "Post-Op", "Score", name, sizeof name);
    REHA_TRY(need_column(csv, name, &out->after, err));
    (void)snprintf(name, sizeof name, "%s %s", layout->joint, layout->predicted);
    out->predicted = find_column(csv, name); /* may be absent: then nothing to compare with */
    out->year = find_column(csv, "Year");
    return REHA_OK;
}

static bool is_unknown(const char *cell)
{
    return cell[0] == '\0' || strcmp(cell, "*") == 0 || reha_str_equal_nocase(cell, "NULL");
}

/* False if the cell is no value of the column. */
static bool read_cell(const column *from, const reha_feature *feature, const char *cell, float *out)
{
    *out = NAN;
    if (is_unknown(cell)) {
        /* A box that was not ticked is 9 or left empty; an asterisk hides whether it was. */
        if (from != NULL && from->codes == ticked && cell[0] == '\0') {
            *out = 0.0F;
        }
        return true;
    }
    if (from != NULL && from->codes == NULL) {
        double value = 0.0;
        if (!reha_parse_double(cell, true, &value) ||
            (value != 999.0 && (value < from->low || value > from->high))) {
            return false;
        }
        *out = value == 999.0 ? NAN : (float)value;
        return true;
    }
    if (from == NULL) { /* an item: its code is its level */
        const int level = reha_feature_level(feature, cell);
        *out = level >= 0 ? (float)level : NAN;
        return level >= 0 || strcmp(cell, "9") == 0;
    }
    for (size_t k = 0; from->codes[k].code != NULL; k++) {
        if (strcmp(from->codes[k].code, cell) == 0) {
            *out = (float)k;
            return true;
        }
    }
    return strcmp(cell, "9") == 0;
}

static bool read_features(const reha_csv *csv, size_t row, const places *at, const reha_table *table,
                          float *x, reha_nhs_counts *counts)
{
    for (size_t j = 0; j < GENERAL + ITEMS; j++) {
        const char *cell = reha_csv_get(csv, row, at->feature[j]);
        if (!read_cell(j < GENERAL ? &general[j] : NULL, &table->features[j], cell, &x[j])) {
            if (counts->unreadable++ == 0) {
                (void)snprintf(counts->fault, sizeof counts->fault,
                               "line %zu: '%.60s' is '%.20s', which is no code of it",
                               reha_csv_line(csv, row), reha_csv_header(csv, (size_t)at->feature[j]), cell);
            }
            return false;
        }
    }
    reha_table_add_sums(table->features, table->feature_count, x);
    return true;
}

static bool read_score(const char *cell, double *out)
{
    *out = (double)NAN;
    return !is_unknown(cell) && reha_parse_double(cell, true, out) && *out >= 0.0 && *out <= 48.0;
}

static reha_status read_row(const reha_csv *csv, size_t row, const places *at, reha_table *table,
                            reha_nhs_counts *counts, reha_error *err)
{
    float x[FEATURES];
    double after = 0.0;
    double before = 0.0;
    double predicted = 0.0;
    size_t made = 0;
    counts->rows++;
    if (!read_score(reha_csv_get(csv, row, at->after), &after)) {
        counts->no_outcome++;
        return REHA_OK;
    }
    if (!read_score(reha_csv_get(csv, row, at->before), &before)) {
        counts->no_score++;
        return REHA_OK;
    }
    for (size_t j = 0; j < FEATURES; j++) {
        x[j] = NAN;
    }
    if (!read_features(csv, row, at, table, x, counts)) {
        return REHA_OK;
    }
    REHA_TRY(reha_table_add_row(table, &made, err));
    memcpy(table->x + made * table->feature_count, x, sizeof x);
    table->y[made] = after;
    table->line_no[made] = (uint32_t)(reha_csv_line(csv, row));
    const char *year = reha_csv_get(csv, row, at->year);
    table->period[made] = strlen(year) >= 4 ? (uint32_t)strtoul(year, NULL, 10) : 0;
    if (at->predicted >= 0 && reha_parse_double(reha_csv_get(csv, row, at->predicted), true, &predicted)) {
        table->benchmark[made] = predicted;
    }
    return REHA_OK;
}

reha_status reha_nhs_read(const reha_nhs_layout *layout, const reha_csv *csv, reha_table *table,
                          reha_nhs_counts *counts, reha_error *err)
{
    places at;
    const size_t before = counts->unreadable;
    REHA_TRY(find_columns(layout, csv, &at, err));
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        REHA_TRY(read_row(csv, row, &at, table, counts, err));
    }
    if ((counts->unreadable - before) * 20 > reha_csv_rows(csv)) {
        return reha_fail(err, REHA_E_FORMAT, "%zu rows cannot be read; the first: %s", counts->unreadable,
                         counts->fault);
    }
    return REHA_OK;
}

void reha_nhs_design(const reha_nhs_layout *layout, reha_outcome_design *out)
{
    memset(out, 0, sizeof *out);
    (void)snprintf(out->task, sizeof out->task, "%s", layout->task);
    (void)snprintf(out->title, sizeof out->title, "%s 6 months after %s", layout->score,
                   layout == &layouts[0] ? "knee replacement" : "hip replacement");
    (void)snprintf(out->target, sizeof out->target, "%s, 6 months after surgery", layout->score);
    (void)snprintf(out->unit, sizeof out->unit, "points");
    out->low = 0.0;
    out->high = 48.0;
    out->goal_count = 2;
    out->goals[0].points = layout->mic_points;
    (void)snprintf(out->goals[0].name, sizeof out->goals[0].name, "improvement that matters");
    (void)snprintf(out->goals[0].above, sizeof out->goals[0].above, "%s_before", layout->prefix);
    (void)snprintf(out->goals[0].source, sizeof out->goals[0].source, "%s", layout->mic_source);
    out->goals[1].points = layout->pass_points;
    (void)snprintf(out->goals[1].name, sizeof out->goals[1].name, "acceptable symptoms");
    (void)snprintf(out->goals[1].source, sizeof out->goals[1].source, "%s", layout->pass_source);
    out->axis_count = 3;
    out->axes[0] = (reha_outcome_axis){.feature = GENERAL + ITEMS, .cut_count = 4, .cuts = {10, 15, 20, 25}};
    out->axes[1] = (reha_outcome_axis){.feature = 1};
    out->axes[2] = (reha_outcome_axis){.feature = 2};
}
