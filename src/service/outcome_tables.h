/* Tables from wherever they lie: a CSV file, CSV files in a zip archive, or a folder of both. */
#ifndef REHA_SERVICE_OUTCOME_TABLES_H
#define REHA_SERVICE_OUTCOME_TABLES_H

#include "base/csv.h"

/* `name` is for people: "file.zip: entry.csv". A failure ends the visit. */
typedef reha_status (*reha_table_visit)(void *context, const char *name, const reha_csv *csv,
                                        reha_error *err);

/* Visits the tables in the order of their names. A folder without any, an archive that is damaged, encrypted
 * or unpacks to more than 1 GiB are errors that name the file. */
REHA_MUST_USE reha_status reha_tables_visit(const char *path, reha_table_visit visit, void *context,
                                            reha_error *err);

#endif
