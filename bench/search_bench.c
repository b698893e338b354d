/* What sealed names cost a search (docs/adr/0014): a home of generated patients, then the statements of the
 * list of patients and of the worklist, in processor time.
 *
 *     search_bench [PATIENTS]      10,000, each with an episode of care and a study */
#include "base/clock.h"
#include "base/memory.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATIENTS = 10000, ROUNDS = 5, PAGE = 51 };

static double cpu_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static reha_status add_one(reha_store *store, int number, reha_error *err)
{
    char id[16], pseudonym[16], name[40], study[16];
    (void)snprintf(id, sizeof id, "p%07d", number);
    (void)snprintf(pseudonym, sizeof pseudonym, "P-%06d", number);
    (void)snprintf(name, sizeof name, "Surname%d Firstname%d", number, number % 997);
    (void)snprintf(study, sizeof study, "s%07d", number);
    const reha_value none = reha_of_text(NULL);
    const reha_value now = reha_of_text("2026-01-31T12:00:00.000Z");
    REHA_TRY(reha_store_do(store, REHA_SQL_PATIENT_ADD,
                           REHA_BIND(reha_of_text(id), reha_of_text(pseudonym), reha_of_text(name),
                                     reha_of_int(1930 + number % 70), reha_of_text("f"),
                                     reha_of_text("A note of some forty characters about her."), none, now),
                           NULL, err));
    REHA_TRY(reha_store_do(store, REHA_SQL_EPISODE_ADD,
                           REHA_BIND(reha_of_text(id), reha_of_text(id), reha_of_text("knee osteoarthritis"),
                                     reha_of_text("right"), none, none, none, reha_of_text("walk 2 km"),
                                     reha_of_int(1), now),
                           NULL, err));
    return reha_store_do(store, REHA_SQL_STUDY_ADD,
                         REHA_BIND(reha_of_text(study), reha_of_text(id), reha_of_text(id),
                                   reha_of_text(study), reha_of_text("DX"), reha_of_text("KNEE"),
                                   reha_of_text("2026-01-31"), now),
                         NULL, err);
}

/* The list and its total, as a page asks for them; the median of some rounds. */
static reha_status time_lists(reha_store *store, const char *what, int identity, const char *text,
                              reha_error *err)
{
    double took[ROUNDS];
    double worklist = 0.0;
    int64_t found = 0;
    const reha_value none = reha_of_text(NULL);
    for (int i = 0; i < ROUNDS; i++) {
        json_t *rows = NULL;
        const double begin = cpu_ms();
        REHA_TRY(reha_store_rows(
            store, REHA_SQL_PATIENTS,
            REHA_BIND(reha_of_int(identity), reha_of_text(text), none, reha_of_int(PAGE)), &rows, err));
        REHA_TRY(reha_store_number(store, REHA_SQL_PATIENTS_COUNT,
                                   REHA_BIND(reha_of_int(identity), reha_of_text(text)), &found, err));
        took[i] = cpu_ms() - begin;
        json_decref(rows);
        const reha_value filters[] = {
            reha_of_int(identity), reha_of_text(text), none, none, none, none, none, reha_of_int(0), none,
            reha_of_int(PAGE)};
        const double again = cpu_ms();
        REHA_TRY(reha_store_rows(store, REHA_SQL_STUDIES, filters, 10, &rows, err));
        REHA_TRY(reha_store_number(store, REHA_SQL_STUDIES_COUNT, filters, 7, &found, err));
        worklist = i == 0 || cpu_ms() - again < worklist ? cpu_ms() - again : worklist;
        json_decref(rows);
    }
    double best = took[0];
    for (int i = 1; i < ROUNDS; i++) {
        best = took[i] < best ? took[i] : best;
    }
    (void)printf("%-42s patients %7.1f ms   worklist %7.1f ms   (%lld found)\n", what, best, worklist,
                 (long long)found);
    return REHA_OK;
}

static reha_status run(const char *path, int patients, reha_error *err)
{
    reha_store *store = NULL;
    reha_status status = REHA_OK;
    const reha_keys keys = {.records = {1, 2, 3}, .check = "bench"};
    REHA_TRY(reha_store_open(path, &keys, true, &store, err));
    const double begin = cpu_ms();
    REHA_CHECK(reha_store_begin(store, false, err));
    for (int i = 0; i < patients; i++) {
        REHA_CHECK(add_one(store, i, err));
    }
    REHA_CHECK(reha_store_commit(store, err));
    (void)printf("%d patients made in %.0f ms of processor time\n", patients, cpu_ms() - begin);
    REHA_CHECK(time_lists(store, "no search", 1, NULL, err));
    REHA_CHECK(time_lists(store, "a name, one patient has it", 1, "surname4711", err));
    REHA_CHECK(time_lists(store, "a name, ten have it", 1, "firstname123", err));
    REHA_CHECK(time_lists(store, "a name nobody has", 1, "nobody", err));
    REHA_CHECK(time_lists(store, "a condition, all have it", 1, "osteoarthritis", err));
    status = time_lists(store, "the same, by a reader who may know no names", 0, "nobody", err);
done:
    reha_store_close(store);
    return status;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/reha-search-XXXXXX";
    char path[64];
    char command[64];
    reha_error err = REHA_ERROR_INIT;
    const int patients = argc > 1 ? (int)strtol(argv[1], NULL, 10) : PATIENTS;
    if (mkdtemp(folder) == NULL || reha_secret_start(&err) != REHA_OK) {
        (void)fprintf(stderr, "search_bench: no scratch folder\n");
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/records.db", folder);
    const reha_status status = run(path, patients, &err);
    if (status != REHA_OK) {
        (void)fprintf(stderr, "search_bench: %s\n", err.text);
    }
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || status != REHA_OK ? 1 : 0;
}
