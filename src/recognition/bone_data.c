#include "recognition/bone_data.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 30, NAME_BYTES = 64, NONE = -1 };
static const double AGE_MIN = 18.0, AGE_MAX = 100.0; /* the scores of younger people mean something else */
static const double SET_LIKENESS = 0.06;             /* sides of originals of one set differ by less */

const char *const reha_bone_class_names[REHA_BONE_CLASSES] = {"normal", "osteopenia", "osteoporosis"};

/* ---- Tables as people write them ---- */

/* Letters and digits only, small: "height  (meter)" is "heightmeter". */
static void plain_name(const char *text, char out[NAME_BYTES])
{
    size_t n = 0;
    for (; *text != '\0' && n + 1 < NAME_BYTES; text++) {
        if (isalnum((unsigned char)*text)) {
            out[n++] = (char)tolower((unsigned char)*text);
        }
    }
    out[n] = '\0';
}

static int find_column(const reha_csv *csv, const char *const *names)
{
    for (size_t c = 0; c < reha_csv_columns(csv); c++) {
        char plain[NAME_BYTES];
        plain_name(reha_csv_header(csv, c), plain);
        for (size_t n = 0; names[n] != NULL; n++) {
            if (strcmp(plain, names[n]) == 0) {
                return (int)c;
            }
        }
    }
    return NONE;
}

/* NaN for an empty cell; words are the table's fault. */
static reha_status number_at(const reha_csv *csv, size_t row, int column, const char *what, double *out,
                             reha_error *err)
{
    *out = (double)NAN;
    const char *text = column >= 0 ? reha_csv_get(csv, row, column) : "";
    if (text[strspn(text, " \t")] == '\0') {
        return REHA_OK;
    }
    return reha_parse_double(text, true, out)
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "line %zu: %s is not a number", reha_csv_line(csv, row), what);
}

static void trimmed(const char *text, char *out, size_t out_bytes)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    (void)snprintf(out, out_bytes, "%.*s", (int)(length < out_bytes ? length : out_bytes - 1), text);
}

/* ---- labels.csv ---- */

static int class_of(const char *text)
{
    char plain[NAME_BYTES];
    plain_name(text, plain);
    for (int k = 0; k < REHA_BONE_CLASSES; k++) {
        if (strcmp(plain, reha_bone_class_names[k]) == 0) {
            return k;
        }
    }
    return NONE;
}

/* The original's sum from the table, else of the file as it is (a missing one is told when it is looked at).
 */
static reha_status content_of(const reha_csv *csv, size_t row, int column, reha_bone_item *item,
                              reha_error *err)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    reha_error fault = REHA_ERROR_INIT;
    const char *stated = column >= 0 ? reha_csv_get(csv, row, column) : "";
    if (stated[0] != '\0') {
        (void)snprintf(item->content, sizeof item->content, "%s", stated);
        return REHA_OK;
    }
    const reha_status status = reha_file_load(item->full_path, FILE_BYTES_MAX, &bytes, &count, &fault);
    if (status != REHA_OK) {
        (void)snprintf(item->content, sizeof item->content, "row %zu", row);
        return reha_status_is_input_fault(status) ? REHA_OK : reha_fail(err, status, "%s", fault.text);
    }
    const uint64_t hash = reha_hash64(REHA_HASH64_START, bytes, count);
    reha_free(bytes);
    (void)snprintf(item->content, sizeof item->content, "%016" PRIx64, hash);
    return REHA_OK;
}

typedef struct label_columns {
    int path, patient, label, width, height, content;
} label_columns;

static reha_status read_label(const reha_csv *csv, size_t row, const label_columns *at, const char *folder,
                              reha_bone_item *out, reha_error *err)
{
    const char *path = reha_csv_get(csv, row, at->path);
    *out = (reha_bone_item){
        .age = (double)NAN, .female = (double)NAN, .bmi = (double)NAN, .t_score = (double)NAN};
    if (path[0] == '\0' || !reha_path_stays_inside(path)) {
        return reha_fail(err, REHA_E_FORMAT, "line %zu: 'path' must be a file below the folder",
                         reha_csv_line(csv, row));
    }
    out->class_idx = class_of(reha_csv_get(csv, row, at->label));
    if (out->class_idx == NONE) {
        return reha_fail(err, REHA_E_FORMAT,
                         "line %zu: 'bone_density_class' is '%.20s', not normal, osteopenia or osteoporosis",
                         reha_csv_line(csv, row), reha_csv_get(csv, row, at->label));
    }
    trimmed(reha_csv_get(csv, row, at->patient), out->patient_id, sizeof out->patient_id);
    REHA_TRY(number_at(csv, row, at->width, "'original_width_px'", &out->original_width_px, err));
    REHA_TRY(number_at(csv, row, at->height, "'original_height_px'", &out->original_height_px, err));
    out->path = reha_strdup(path);
    out->full_path = reha_path_join(folder, path);
    if (out->path == NULL || out->full_path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a list of images");
    }
    return content_of(csv, row, at->content, out, err);
}

static reha_status read_labels(const char *folder, reha_bone_data *out, reha_error *err)
{
    reha_csv *csv = NULL;
    char *path = reha_path_join(folder, "labels.csv");
    reha_status status = REHA_OK;
    label_columns at = {.width = NONE, .height = NONE, .content = NONE};
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_CHECK(reha_csv_load(path, &csv, err));
    REHA_CHECK(reha_csv_need(csv, "path", &at.path, err));
    REHA_CHECK(reha_csv_need(csv, "patient_id", &at.patient, err));
    REHA_CHECK(reha_csv_need(csv, "bone_density_class", &at.label, err));
    at.width = reha_csv_find(csv, "original_width_px");
    at.height = reha_csv_find(csv, "original_height_px");
    at.content = reha_csv_find(csv, "original_md5");
    const size_t rows = reha_csv_rows(csv);
    if (rows == 0) {
        REHA_CHECK(reha_fail(err, REHA_E_NOT_FOUND, "the table has no rows"));
    }
    out->items = reha_alloc_zero(rows, sizeof *out->items);
    if (out->items == NULL) {
        REHA_CHECK(reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", rows));
    }
    for (size_t row = 0; row < rows; row++) {
        out->count++; /* first, so that a half-read row is freed too */
        REHA_CHECK(read_label(csv, row, &at, folder, &out->items[row], err));
    }
done:
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    reha_csv_free(csv);
    reha_free(path);
    return status;
}

/* ---- patients.csv ---- */

typedef struct patient_columns {
    int id, age, sex, height, weight, bmi, t_score;
} patient_columns;

static patient_columns find_patient_columns(const reha_csv *csv)
{
    static const char *const id[] = {"patientid", "id", NULL};
    static const char *const age[] = {"age", "ageyears", NULL};
    static const char *const sex[] = {"gender", "sex", NULL};
    static const char *const height[] = {"heightmeter", "heightm", NULL};
    static const char *const weight[] = {"weightkg", "weight", NULL};
    static const char *const bmi[] = {"bmi", NULL};
    static const char *const t_score[] = {"tscorevalue", "tscore", NULL};
    return (patient_columns){find_column(csv, id),     find_column(csv, age),    find_column(csv, sex),
                             find_column(csv, height), find_column(csv, weight), find_column(csv, bmi),
                             find_column(csv, t_score)};
}

static reha_status read_patient(const reha_csv *csv, size_t row, const patient_columns *at,
                                reha_bone_item *out, reha_error *err)
{
    double height = 0.0;
    double weight = 0.0;
    char sex[NAME_BYTES];
    REHA_TRY(number_at(csv, row, at->age, "the age", &out->age, err));
    REHA_TRY(number_at(csv, row, at->bmi, "the BMI", &out->bmi, err));
    REHA_TRY(number_at(csv, row, at->height, "the height", &height, err));
    REHA_TRY(number_at(csv, row, at->weight, "the weight", &weight, err));
    REHA_TRY(number_at(csv, row, at->t_score, "the T-score", &out->t_score, err));
    plain_name(at->sex >= 0 ? reha_csv_get(csv, row, at->sex) : "", sex);
    out->female = sex[0] == 'f' ? 1.0 : sex[0] == 'm' ? 0.0 : (double)NAN;
    out->has_patient = true;
    out->is_age_implausible = isfinite(out->age) && !(out->age >= AGE_MIN && out->age <= AGE_MAX);
    if (!isfinite(out->bmi) && height > 0.0) {
        out->bmi = weight / (height * height);
    }
    out->is_size_implausible = (isfinite(height) && !(height >= 1.2 && height <= 2.2)) ||
                               (isfinite(out->bmi) && !(out->bmi >= 12.0 && out->bmi <= 70.0));
    out->age = out->is_age_implausible ? (double)NAN : out->age;
    out->bmi = out->is_size_implausible ? (double)NAN : out->bmi;
    return REHA_OK;
}

/* Rows without an id (sums below the table) are nobody's. */
static reha_status join_patients(const reha_csv *csv, reha_bone_data *data, reha_error *err)
{
    const patient_columns at = find_patient_columns(csv);
    if (at.id == NONE) {
        return reha_fail(err, REHA_E_FORMAT, "no column for the patient's id ('patient_id' or 'Patient Id')");
    }
    for (size_t row = 0; row < reha_csv_rows(csv); row++) {
        char id[REHA_BONE_ID_BYTES];
        trimmed(reha_csv_get(csv, row, at.id), id, sizeof id);
        for (size_t i = 0; i < data->count && id[0] != '\0'; i++) {
            if (strcmp(data->items[i].patient_id, id) != 0) {
                continue;
            }
            if (data->items[i].has_patient) {
                return reha_fail(err, REHA_E_FORMAT, "line %zu: a second row for one patient id",
                                 reha_csv_line(csv, row));
            }
            REHA_TRY(read_patient(csv, row, &at, &data->items[i], err));
        }
    }
    return REHA_OK;
}

static reha_status read_patients(const char *folder, reha_bone_data *data, reha_error *err)
{
    reha_csv *csv = NULL;
    char *path = reha_path_join(folder, "patients.csv");
    reha_status status = REHA_OK;
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    if (reha_path_is_file(path)) {
        data->has_patients = true;
        status = reha_csv_load(path, &csv, err);
        if (status == REHA_OK) {
            status = join_patients(csv, data, err);
        }
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
        }
    }
    reha_csv_free(csv);
    reha_free(path);
    return status;
}

/* ---- Copies, groups, sets ---- */

static bool are_equal(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool have_same_facts(const reha_bone_item *a, const reha_bone_item *b)
{
    return are_equal(a->age, b->age) && are_equal(a->female, b->female) && are_equal(a->bmi, b->bmi) &&
           are_equal(a->t_score, b->t_score);
}

/* Equal in every fact, all of them known: in a table of some hundred, most likely one person entered twice.
 */
static bool may_be_one_person(const reha_bone_item *a, const reha_bone_item *b)
{
    const bool is_known = isfinite(a->age) && isfinite(a->female) && isfinite(a->bmi) && isfinite(a->t_score);
    return (a->patient_id[0] != '\0' && strcmp(a->patient_id, b->patient_id) == 0) ||
           strcmp(a->content, b->content) == 0 || (is_known && have_same_facts(a, b));
}

static void find_copies(reha_bone_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        data->items[i].copy_of = i;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(data->items[i].content, data->items[j].content) == 0) {
                data->items[i].copy_of = j;
                break;
            }
        }
    }
    for (size_t i = 0; i < data->count; i++) {
        reha_bone_item *copy = &data->items[i];
        reha_bone_item *first = &data->items[copy->copy_of];
        first->is_conflict = first->is_conflict || copy->class_idx != first->class_idx;
        first->is_ambiguous = first->is_ambiguous || !have_same_facts(copy, first);
    }
    for (size_t i = 0; i < data->count; i++) {
        reha_bone_item *item = &data->items[i];
        item->is_conflict = data->items[item->copy_of].is_conflict;
        item->is_ambiguous = data->items[item->copy_of].is_ambiguous;
    }
}

/* Groups grow until no pair across two of them may be one person. Hundreds of rows: the square is small. */
static void find_groups(reha_bone_data *data)
{
    bool is_changed = true;
    for (size_t i = 0; i < data->count; i++) {
        data->items[i].group_idx = i;
    }
    while (is_changed) {
        is_changed = false;
        for (size_t i = 0; i < data->count; i++) {
            for (size_t j = 0; j < i; j++) {
                reha_bone_item *a = &data->items[i];
                reha_bone_item *b = &data->items[j];
                if (a->group_idx != b->group_idx && may_be_one_person(a, b)) {
                    const size_t low = a->group_idx < b->group_idx ? a->group_idx : b->group_idx;
                    a->group_idx = b->group_idx = low;
                    is_changed = true;
                }
            }
        }
    }
    data->group_count = 0;
    for (size_t i = 0; i < data->count; i++) { /* numbers without gaps, in order of appearance */
        if (data->items[i].group_idx == i) {
            data->items[i].group_idx = data->group_count++;
        } else {
            data->items[i].group_idx = data->items[data->items[i].group_idx].group_idx;
        }
    }
}

static void find_sets(reha_bone_data *data)
{
    double longer[REHA_BONE_SETS_MAX];
    double shorter[REHA_BONE_SETS_MAX];
    for (size_t i = 0; i < data->count; i++) {
        reha_bone_item *item = &data->items[i];
        const double a = fmax(item->original_width_px, item->original_height_px);
        const double b = fmin(item->original_width_px, item->original_height_px);
        int set = 0;
        while (set < data->set_count &&
               !(fabs(a / longer[set] - 1.0) < SET_LIKENESS && fabs(b / shorter[set] - 1.0) < SET_LIKENESS)) {
            set++;
        }
        if (!isfinite(a) || !isfinite(b)) {
            set = 0;
        }
        if (set == data->set_count && set < REHA_BONE_SETS_MAX) {
            longer[set] = isfinite(a) ? a : 0.0;
            shorter[set] = isfinite(b) ? b : 0.0;
            (void)snprintf(data->sets[set], sizeof data->sets[set], "%.0fx%.0f", longer[set], shorter[set]);
            data->set_count++;
        }
        item->set_idx = set < REHA_BONE_SETS_MAX ? set : REHA_BONE_SETS_MAX - 1;
    }
}

static void forget_ambiguous(reha_bone_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        reha_bone_item *item = &data->items[i];
        if (item->is_ambiguous) {
            item->age = item->female = item->bmi = item->t_score = (double)NAN;
        }
    }
}

reha_status reha_bone_data_load(const char *folder, reha_bone_data *out, reha_error *err)
{
    *out = (reha_bone_data){0};
    if (!reha_path_is_folder(folder)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s: no such folder", folder);
    }
    reha_status status = read_labels(folder, out, err);
    if (status == REHA_OK) {
        status = read_patients(folder, out, err);
    }
    if (status != REHA_OK) {
        reha_bone_data_clear(out);
        return status;
    }
    find_copies(out);
    find_groups(out);
    find_sets(out);
    forget_ambiguous(out);
    return REHA_OK;
}

void reha_bone_data_clear(reha_bone_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        reha_free(data->items[i].path);
        reha_free(data->items[i].full_path);
    }
    reha_free(data->items);
    *data = (reha_bone_data){0};
}

bool reha_bone_item_is_used(const reha_bone_data *data, size_t index)
{
    return data->items[index].copy_of == index && !data->items[index].is_conflict;
}
