/* The tables, as steps that only ever go forward. A released step is never changed: a new one is appended. */
#ifndef REHA_STORE_SCHEMA_PRIV_H
#define REHA_STORE_SCHEMA_PRIV_H

int reha_schema_count(void);
const char *reha_schema_step(int from_version); /* SQL from version n to n + 1 */

#endif
