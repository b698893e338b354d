#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double reha_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

void reha_timestamp_of(int64_t unix_s, int milliseconds, char out[REHA_TIMESTAMP_BYTES])
{
    const time_t at = (time_t)unix_s;
    struct tm parts;
    out[0] = '\0';
    if (gmtime_r(&at, &parts) == NULL) {
        return;
    }
    const size_t length = strftime(out, REHA_TIMESTAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out + length, REHA_TIMESTAMP_BYTES - length, ".%03dZ", milliseconds % 1000);
}

void reha_clock_timestamp(char out[REHA_TIMESTAMP_BYTES])
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    reha_timestamp_of(now.tv_sec, (int)(now.tv_nsec / 1000000), out);
}

long reha_days_from_civil(int year, int month, int day)
{
    year -= month <= 2;
    const long era = (year >= 0 ? year : year - 399) / 400;
    const int year_of_era = year - (int)era * 400;
    const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void reha_civil_from_days(long days, int *year, int *month, int *day)
{
    days += 719468;
    const long era = (days >= 0 ? days : days - 146096) / 146097;
    const int day_of_era = (int)(days - era * 146097);
    const int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int month_index = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * month_index + 2) / 5 + 1;
    *month = month_index < 10 ? month_index + 3 : month_index - 9;
    *year = year_of_era + (int)era * 400 + (*month <= 2);
}

bool reha_day_parse_compact(const char *text, long *out_days)
{
    *out_days = 0;
    if (strlen(text) != 8 || strspn(text, "0123456789") != 8) {
        return false;
    }
    const long number = strtol(text, NULL, 10);
    const int year = (int)(number / 10000);
    const int month = (int)(number / 100 % 100);
    const int day = (int)(number % 100);
    if (year < 1800 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 31) {
        return false;
    }
    int year_back;
    int month_back;
    int day_back;
    *out_days = reha_days_from_civil(year, month, day);
    reha_civil_from_days(*out_days, &year_back, &month_back, &day_back);
    return year_back == year && month_back == month && day_back == day; /* no 30 February */
}

void reha_day_format_compact(long days, char out[9])
{
    int year;
    int month;
    int day;
    reha_civil_from_days(days, &year, &month, &day);
    (void)snprintf(out, 9, "%04u%02u%02u", (unsigned)year % 10000, (unsigned)month % 100,
                   (unsigned)day % 100);
}
