/* Time. */
#ifndef REHA_BASE_CLOCK_H
#define REHA_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

double reha_clock_ms(void); /* monotonic */
enum { REHA_TIMESTAMP_BYTES = 25 };
/* UTC now as "2026-01-31T12:34:56.789Z". */
void reha_clock_timestamp(char out[REHA_TIMESTAMP_BYTES]);
/* The same of any time, in seconds since 1970; "" beyond what the system's calendar knows. */
void reha_timestamp_of(int64_t unix_s, int milliseconds, char out[REHA_TIMESTAMP_BYTES]);

/* Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's algorithm). */
long reha_days_from_civil(int year, int month, int day);
void reha_civil_from_days(long days, int *year, int *month, int *day);
/* "20260131"; false if it is no day of the years 1800 to 2200. */
bool reha_day_parse_compact(const char *text, long *out_days);
void reha_day_format_compact(long days, char out[9]);

#endif
