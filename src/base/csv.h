/* RFC 4180 tables with a header row, held in memory. The header also tells the separator: comma,
 * semicolon or tab, whichever it has most often outside of quotes. */
#ifndef REHA_BASE_CSV_H
#define REHA_BASE_CSV_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct reha_text;

typedef struct reha_csv reha_csv; /* immutable after loading: any thread */

/* Quoted fields, CRLF or LF, UTF-8 with or without BOM. Rows of another width than the header are
 * REHA_E_FORMAT (the text names the line). */
REHA_MUST_USE reha_status reha_csv_parse(const char *text, size_t length, reha_csv **out, reha_error *err);
REHA_MUST_USE reha_status reha_csv_load(const char *path, reha_csv **out, reha_error *err);
void reha_csv_free(reha_csv *csv);

size_t reha_csv_rows(const reha_csv *csv); /* without the header */
size_t reha_csv_columns(const reha_csv *csv);
/* Index of a column, or -1. */
int reha_csv_find(const reha_csv *csv, const char *column);
/* As find, but an absent column is REHA_E_FORMAT and the text names it and those that are there. */
REHA_MUST_USE reha_status reha_csv_need(const reha_csv *csv, const char *column, int *out, reha_error *err);
const char *reha_csv_header(const reha_csv *csv, size_t column);       /* borrowed */
size_t reha_csv_line(const reha_csv *csv, size_t row);                 /* of the file, from 1 */
const char *reha_csv_get(const reha_csv *csv, size_t row, int column); /* borrowed, never NULL */

/* The cell as a finite number (reha_parse_double). In tables that no comma parts, one comma is a decimal
 * mark, as spreadsheets of many countries write it. False: no number; *out is then as reha_parse_double
 * leaves it. */
bool reha_csv_number(const reha_csv *csv, size_t row, int column, double *out);

/* Appends one field to `text`, quoted where RFC 4180 asks for it. */
void reha_csv_add_field(struct reha_text *text, const char *field);

#endif
