#include "base/clock.h"

#include <stdio.h>
#include <time.h>

double reha_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

void reha_clock_timestamp(char out[REHA_TIMESTAMP_BYTES])
{
    struct timespec now;
    struct tm parts;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts) == NULL) {
        out[0] = '\0';
        return;
    }
    const size_t length = strftime(out, REHA_TIMESTAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out + length, REHA_TIMESTAMP_BYTES - length, ".%03dZ",
                   (int)(now.tv_nsec / 1000000) % 1000);
}
