#include "base/csv.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { CSV_BYTES_MAX = 1 << 30, HEADER_TOLD_BYTES = 100 };

struct reha_csv {
    char *text;      /* fields, each NUL-terminated, one after the other */
    size_t *offsets; /* of field i in text; row 0 is the header */
    size_t field_count;
    size_t column_count;
    size_t *lines; /* of row i in the file; row 0 is the header */
    size_t line_count;
    char separator;
};

typedef struct csv_parser {
    const char *in;
    const char *end;
    char *out;
    size_t line_no;
    char separator;
} csv_parser;

static bool ends_field(const csv_parser *parser)
{
    return *parser->in == parser->separator || *parser->in == '\r' || *parser->in == '\n';
}

/* Copies one field; leaves `in` on the separator, the line end, or the end. */
static reha_status parse_field(csv_parser *parser, reha_error *err)
{
    if (parser->in < parser->end && *parser->in == '"') {
        const size_t first_line_no = parser->line_no;
        parser->in++;
        for (;;) {
            if (parser->in >= parser->end) {
                return reha_fail(err, REHA_E_FORMAT, "line %zu: a quoted field has no end", first_line_no);
            }
            const char c = *parser->in++;
            if (c == '"') {
                if (parser->in >= parser->end || *parser->in != '"') {
                    break;
                }
                parser->in++;
            }
            if (c == '\0') {
                return reha_fail(err, REHA_E_FORMAT, "line %zu: a zero byte: not a text file",
                                 parser->line_no);
            }
            parser->line_no += c == '\n';
            *parser->out++ = c;
        }
        if (parser->in < parser->end && !ends_field(parser)) {
            return reha_fail(err, REHA_E_FORMAT, "line %zu: text after a closing quote", parser->line_no);
        }
    } else {
        while (parser->in < parser->end && !ends_field(parser)) {
            if (*parser->in == '\0') {
                return reha_fail(err, REHA_E_FORMAT, "line %zu: a zero byte: not a text file",
                                 parser->line_no);
            }
            *parser->out++ = *parser->in++;
        }
    }
    *parser->out++ = '\0';
    return REHA_OK;
}

static reha_status add_number(size_t **list, size_t *count, size_t number, reha_error *err)
{
    if ((*count & (*count - 1)) == 0) { /* 0 or a power of two: full */
        const size_t capacity = *count > 0 ? 2 * *count : 1;
        size_t *grown = reha_realloc(*list, capacity * sizeof *grown);
        if (grown == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a table");
        }
        *list = grown;
    }
    (*list)[(*count)++] = number;
    return REHA_OK;
}

static reha_status parse_row(reha_csv *csv, csv_parser *parser, reha_error *err)
{
    const size_t line_no = parser->line_no;
    size_t width = 0;
    REHA_TRY(add_number(&csv->lines, &csv->line_count, line_no, err));
    for (;;) {
        const size_t offset = (size_t)(parser->out - csv->text);
        REHA_TRY(parse_field(parser, err));
        REHA_TRY(add_number(&csv->offsets, &csv->field_count, offset, err));
        width++;
        if (parser->in >= parser->end || *parser->in != parser->separator) {
            break;
        }
        parser->in++;
    }
    if (parser->in < parser->end && *parser->in == '\r') {
        parser->in++;
    }
    if (parser->in < parser->end && *parser->in == '\n') {
        parser->in++;
    }
    parser->line_no++;
    if (csv->column_count == 0) {
        csv->column_count = width;
    } else if (width != csv->column_count) {
        return reha_fail(err, REHA_E_FORMAT, "line %zu: %zu fields where the header has %zu", line_no, width,
                         csv->column_count);
    }
    return REHA_OK;
}

/* What parts the header parts the table: spreadsheets write semicolons where the comma is the decimal mark,
 * and a name of a column ("age, years") may hold a comma then. */
static char separator_of(const char *text, const char *end)
{
    static const char known[] = ",;\t";
    size_t found[sizeof known - 1] = {0};
    bool is_quoted = false;
    for (; text < end && (is_quoted || (*text != '\n' && *text != '\r')); text++) {
        const char *at = strchr(known, *text);
        is_quoted = is_quoted != (*text == '"');
        if (!is_quoted && at != NULL && *at != '\0') {
            found[at - known]++;
        }
    }
    size_t best = 0;
    for (size_t i = 1; i < sizeof known - 1; i++) {
        best = found[i] > found[best] ? i : best;
    }
    return known[best];
}

reha_status reha_csv_parse(const char *text, size_t length, reha_csv **out, reha_error *err)
{
    reha_status status = REHA_OK;
    *out = NULL;
    reha_csv *csv = reha_alloc_zero(1, sizeof *csv);
    if (csv == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a table");
    }
    /* A field's copy is never longer than the field and its separator, plus one end mark. */
    csv->text = reha_alloc(length + 2);
    if (csv->text == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a table of %zu bytes", length);
        goto done;
    }
    csv_parser parser = {text, text + length, csv->text, 1, ','};
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        parser.in += 3;
    }
    if (length >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
        status = reha_fail(err, REHA_E_FORMAT, "the text is UTF-16: save it as CSV in UTF-8");
        goto done;
    }
    parser.separator = separator_of(parser.in, parser.end);
    csv->separator = parser.separator;
    while (parser.in < parser.end) {
        if (csv->column_count > 1 && (*parser.in == '\n' || *parser.in == '\r')) {
            parser.line_no += *parser.in == '\n';
            parser.in++; /* an empty line is no row */
            continue;
        }
        REHA_CHECK(parse_row(csv, &parser, err));
    }
    if (csv->column_count == 0) {
        status = reha_fail(err, REHA_E_FORMAT, "empty: a header row is needed");
        goto done;
    }
    *out = csv;
    csv = NULL;
done:
    reha_csv_free(csv);
    return status;
}

reha_status reha_csv_load(const char *path, reha_csv **out, reha_error *err)
{
    uint8_t *data = NULL;
    size_t size_bytes = 0;
    *out = NULL;
    REHA_TRY(reha_file_load(path, CSV_BYTES_MAX, &data, &size_bytes, err));
    const reha_status status = reha_csv_parse((const char *)data, size_bytes, out, err);
    reha_free(data);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    return status;
}

void reha_csv_free(reha_csv *csv)
{
    if (csv != NULL) {
        reha_free(csv->text);
        reha_free(csv->offsets);
        reha_free(csv->lines);
        reha_free(csv);
    }
}

size_t reha_csv_rows(const reha_csv *csv)
{
    return csv->field_count / csv->column_count - 1;
}

size_t reha_csv_columns(const reha_csv *csv)
{
    return csv->column_count;
}

int reha_csv_find(const reha_csv *csv, const char *column)
{
    for (size_t i = 0; i < csv->column_count; i++) {
        if (strcmp(csv->text + csv->offsets[i], column) == 0) {
            return (int)i;
        }
    }
    return -1;
}

reha_status reha_csv_need(const reha_csv *csv, const char *column, int *out, reha_error *err)
{
    char there[HEADER_TOLD_BYTES];
    size_t length = 0;
    *out = reha_csv_find(csv, column);
    if (*out >= 0) {
        return REHA_OK;
    }
    there[0] = '\0';
    for (size_t i = 0; i < csv->column_count && length < sizeof there; i++) {
        length += (size_t)snprintf(there + length, sizeof there - length, "%s%s", i > 0 ? ", " : "",
                                   reha_csv_header(csv, i));
    }
    return reha_fail(err, REHA_E_FORMAT, "the column '%.60s' is missing; the header has: %s%s", column, there,
                     length < sizeof there ? "" : " ...");
}

const char *reha_csv_header(const reha_csv *csv, size_t column)
{
    return column < csv->column_count ? csv->text + csv->offsets[column] : "";
}

size_t reha_csv_line(const reha_csv *csv, size_t row)
{
    return row + 1 < csv->line_count ? csv->lines[row + 1] : 0;
}

const char *reha_csv_get(const reha_csv *csv, size_t row, int column)
{
    if (column < 0 || (size_t)column >= csv->column_count || row >= reha_csv_rows(csv)) {
        return "";
    }
    return csv->text + csv->offsets[(row + 1) * csv->column_count + (size_t)column];
}

bool reha_csv_number(const reha_csv *csv, size_t row, int column, double *out)
{
    const char *cell = reha_csv_get(csv, row, column);
    return reha_parse_double(cell, true, out) ||
           (csv->separator != ',' && reha_parse_decimal_comma(cell, out));
}

void reha_csv_add_field(reha_text *text, const char *field)
{
    if (strpbrk(field, ",\"\r\n") == NULL) {
        reha_text_add(text, field);
        return;
    }
    reha_text_add(text, "\"");
    for (const char *at = field; *at != '\0'; at++) {
        reha_text_add_n(text, at, 1);
        if (*at == '"') {
            reha_text_add(text, "\"");
        }
    }
    reha_text_add(text, "\"");
}
