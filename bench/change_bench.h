/* What the parts of change_bench share: reading a picture, judging two readings. */
#ifndef REHA_BENCH_CHANGE_BENCH_H
#define REHA_BENCH_CHANGE_BENCH_H

#include "base/random.h"
#include "rehab/change_films.h"
#include "service/analyse.h"

/* In units of the smallest detectable change. */
static const double BENCH_FACTOR = 1.5;
/* Of drawn muscles, and stated for real ones: compare judges no pixels. */
static const double BENCH_MUSCLE_MM_PER_PX = 0.1;

typedef struct bench_reader {
    reha_analyser *analyser;
    reha_scores *scores;
    reha_random random;
} bench_reader;

/* The result's JSON as `analyse` writes it, a new reference; analysis (may be NULL): the caller frees it. */
REHA_MUST_USE reha_status bench_read(const bench_reader *reader, const reha_gray *image,
                                     const reha_acquisition *facts, reha_side side, json_t **out,
                                     reha_analysis **analysis, reha_error *err);
REHA_MUST_USE reha_status bench_judge(const bench_reader *reader, json_t *first, json_t *second,
                                      bool is_setup_stated, reha_films *out, reha_error *err);
/* Of the first joint; NULL: not compared. Borrowed. */
const reha_compared *bench_find(const reha_films *films, const char *key);
/* The verdict says that something changed. */
bool bench_is_real(const reha_compared *compared);

/* Real muscle pictures with known changes rendered into them; prints its own report. pictures_folder: NULL,
 * or where every picture is kept as PNG. */
REHA_MUST_USE reha_status bench_tissue(bench_reader *reader, const char *data_folder, size_t groups_max,
                                       const char *pictures_folder, reha_error *err);

#endif
