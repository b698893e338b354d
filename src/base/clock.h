/* Time. */
#ifndef REHA_BASE_CLOCK_H
#define REHA_BASE_CLOCK_H

#include <stddef.h>

double reha_clock_ms(void); /* monotonic */
enum { REHA_TIMESTAMP_BYTES = 25 };
/* UTC now as "2026-01-31T12:34:56.789Z". */
void reha_clock_timestamp(char out[REHA_TIMESTAMP_BYTES]);

#endif
