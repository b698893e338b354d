#include "recognition/knee_teacher.h"

#include "base/csv.h"
#include "base/memory.h"
#include "base/text.h"
#include "recognition/knee_card.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = REHA_GRADES + 1 }; /* path, p0 to p4 */

static reha_status read_row(const reha_csv *csv, size_t row, const int columns[COLUMNS], float *out,
                            reha_error *err)
{
    double sum = 0.0;
    if (reha_csv_get(csv, row, columns[1])[0] == '\0') {
        return REHA_OK; /* refused: the teacher says nothing */
    }
    double values[REHA_GRADES];
    for (int k = 0; k < REHA_GRADES; k++) {
        if (!reha_parse_double(reha_csv_get(csv, row, columns[1 + k]), true, &values[k]) ||
            !(values[k] >= 0.0)) {
            return reha_fail(err, REHA_E_FORMAT, "line %zu: 'p%d' is no probability", reha_csv_line(csv, row),
                             k);
        }
        sum += values[k];
    }
    if (!(fabs(sum - 1.0) < 0.01)) {
        return reha_fail(err, REHA_E_FORMAT, "line %zu: the probabilities add up to %g, not to 1",
                         reha_csv_line(csv, row), sum);
    }
    for (int k = 0; k < REHA_GRADES; k++) {
        out[k] = (float)(values[k] / sum);
    }
    return REHA_OK;
}

/* Rows stand mostly in the order of the images: each search goes on behind the last one's find. */
static size_t find_row(const reha_csv *csv, int column, const char *path, size_t from)
{
    const size_t rows = reha_csv_rows(csv);
    for (size_t i = 0; i < rows; i++) {
        const size_t row = (from + i) % rows;
        if (strcmp(reha_csv_get(csv, row, column), path) == 0) {
            return row;
        }
    }
    return rows;
}

reha_status reha_knee_teacher_load(const char *path, const reha_dataset *data, float **out, reha_error *err)
{
    static const char *const names[COLUMNS] = {"path", "p0", "p1", "p2", "p3", "p4"};
    reha_status status = REHA_OK;
    reha_csv *csv = NULL;
    int columns[COLUMNS];
    size_t taught_count = 0;
    size_t next = 0;
    float *teacher = NULL;
    *out = NULL;
    REHA_CHECK(reha_csv_load(path, &csv, err));
    for (int i = 0; i < COLUMNS; i++) {
        REHA_CHECK(reha_csv_need(csv, names[i], &columns[i], err));
    }
    teacher = reha_alloc_zero(data->count * REHA_GRADES, sizeof *teacher);
    if (teacher == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a teacher of %zu images", data->count);
        goto done;
    }
    for (size_t i = 0; i < data->count; i++) {
        float *says = teacher + i * REHA_GRADES;
        says[0] = -1.0F;
        const size_t row = find_row(csv, columns[0], data->items[i].path, next);
        if (row < reha_csv_rows(csv)) {
            next = row + 1;
            REHA_CHECK(read_row(csv, row, columns, says, err));
        }
        taught_count += says[0] >= 0.0F ? 1 : 0;
    }
    if (taught_count * 2 < data->count) {
        status = reha_fail(err, REHA_E_FORMAT,
                           "only %zu of %zu training images have a row with probabilities: the column 'path' "
                           "must be as in labels.csv",
                           taught_count, data->count);
        goto done;
    }
    *out = teacher;
    teacher = NULL;
done:
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    reha_free(teacher);
    reha_csv_free(csv);
    return status;
}
