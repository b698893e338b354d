/* Shared by the checks (change_checks.c) and the measuring (change_films.c). */
#ifndef REHA_REHAB_CHANGE_FILMS_PRIV_H
#define REHA_REHAB_CHANGE_FILMS_PRIV_H

#include "rehab/change_films.h"

void reha_films_check(reha_films *films, reha_check_level level, const char *code, const char *format, ...)
    REHA_PRINTF(4, 5);
/* All checks that need no measure; fills is_same_setup, is_same_model, is_mm, years. */
void reha_films_check_all(const reha_visit *before, const reha_visit *after, const reha_film_options *options,
                          reha_films *films);

#endif
