/* What would spoil the gate's training: one source or one picture in two splits, one picture as two kinds,
 * kinds without pictures. */
#include "base/memory.h"
#include "recognition/scene_priv.h"

#include <stdlib.h>

typedef enum problem { SOURCE_ACROSS, COPY_ACROSS, TWO_KINDS, NO_PICTURES, LEFT_OUT, PROBLEMS } problem;
enum { SPLITS = 3, EXAMPLES_MAX = 5 };

static const struct {
    const char *code, *severity, *what, *advice;
} texts[PROBLEMS] = {
    {"group-in-two-splits", "error", "pictures of one person or source stand in two splits",
     "move the whole group to one split"},
    {"copies-across-splits", "error", "one picture stands in two splits", "remove one of them"},
    {"conflicting-kinds", "error", "one picture has two kinds", "correct the kind"},
    {"kind-without-pictures", "warning", "a kind has no real picture in a split (drawn ones stand in)",
     "add pictures, or read the card's figures of drawn ones with care"},
    {"left-out", "info", "optional pictures are not there", "fetch them if they shall teach"},
};

typedef struct entry {
    uint64_t key;
    int split;
    const reha_scene_item *item;
} entry;

static uint64_t hash_pixels(const reha_scene_item *item)
{
    uint64_t hash = 1469598103934665603u ^ item->width_px ^ ((uint64_t)item->height_px << 32);
    for (size_t i = 0; i < (size_t)item->width_px * item->height_px; i++) {
        hash = (hash ^ item->pixels[i]) * 1099511628211u;
    }
    return hash;
}

static int by_key(const void *a, const void *b)
{
    const entry *left = a;
    const entry *right = b;
    return left->key != right->key ? (left->key > right->key) - (left->key < right->key)
                                   : left->split - right->split;
}

typedef struct audit {
    reha_scene_data splits[SPLITS];
    entry *entries;
    size_t count;
    int counts[PROBLEMS];
    json_t *examples[PROBLEMS];
} audit;

static void report(audit *run, problem what, const char *example)
{
    run->counts[what]++;
    if (json_array_size(run->examples[what]) < EXAMPLES_MAX) {
        (void)json_array_append_new(run->examples[what], reha_json_text(example));
    }
}

static void fill_entries(audit *run, bool by_group)
{
    run->count = 0;
    for (int s = 0; s < SPLITS; s++) {
        for (size_t i = 0; i < run->splits[s].count; i++) {
            const reha_scene_item *item = &run->splits[s].items[i];
            run->entries[run->count++] = (entry){by_group ? item->group_hash : hash_pixels(item), s, item};
        }
    }
    qsort(run->entries, run->count, sizeof *run->entries, by_key);
}

static void compare_neighbours(audit *run)
{
    fill_entries(run, true);
    for (size_t i = 1; i < run->count; i++) {
        const entry *a = &run->entries[i - 1];
        const entry *b = &run->entries[i];
        if (a->key == b->key && a->split != b->split) {
            report(run, SOURCE_ACROSS, b->item->path);
        }
    }
    fill_entries(run, false);
    for (size_t i = 1; i < run->count; i++) {
        const entry *a = &run->entries[i - 1];
        const entry *b = &run->entries[i];
        if (a->key == b->key && a->split != b->split) {
            report(run, COPY_ACROSS, b->item->path);
        }
        if (a->key == b->key && a->item->kind != b->item->kind) {
            report(run, TWO_KINDS, b->item->path);
        }
    }
}

static json_t *count_kinds(audit *run, const char *const *names)
{
    json_t *out = json_object();
    for (int s = 0; s < SPLITS; s++) {
        json_t *kinds = json_object();
        for (int k = 0; k < REHA_SCENE_KINDS; k++) {
            int n = 0;
            for (size_t i = 0; i < run->splits[s].count; i++) {
                n += run->splits[s].items[i].kind == (reha_scene_kind)k ? 1 : 0;
            }
            (void)json_object_set_new(kinds, reha_scene_name((reha_scene_kind)k), json_integer(n));
            if (n == 0) {
                report(run, NO_PICTURES, reha_scene_name((reha_scene_kind)k));
            }
        }
        run->counts[LEFT_OUT] += (int)run->splits[s].left_out;
        (void)json_object_set_new(out, names[s], kinds);
    }
    return out;
}

static json_t *make_report(audit *run, const char *const *names, const char *data_folder)
{
    json_t *kinds = count_kinds(run, names);
    json_t *problems = json_array();
    for (int p = 0; p < PROBLEMS; p++) {
        if (run->counts[p] > 0) {
            (void)json_array_append_new(
                problems, json_pack("{s:s, s:s, s:i, s:s, s:s, s:O}", "code", texts[p].code, "severity",
                                    texts[p].severity, "count", run->counts[p], "what", texts[p].what, "do",
                                    texts[p].advice, "examples", run->examples[p]));
        }
    }
    return json_pack("{s:s, s:o, s:i, s:o, s:o}", "task", "gate", "data", reha_json_text(data_folder), "n",
                     (int)run->count, "kinds", kinds, "problems", problems);
}

reha_status scene_audit(const char *data_folder, reha_load_function load, const reha_progress *progress,
                        json_t **out, reha_error *err)
{
    static const char *const names[SPLITS] = {"train", "cal", "val"};
    reha_status status = REHA_OK;
    audit run = {0};
    size_t total = 0;
    (void)progress;
    *out = NULL;
    for (int p = 0; p < PROBLEMS; p++) {
        run.examples[p] = json_array();
    }
    for (int s = 0; s < SPLITS; s++) {
        REHA_CHECK(reha_scene_data_load(data_folder, names[s], load, 1, &run.splits[s], err));
        total += run.splits[s].count;
    }
    run.entries = reha_alloc_zero(total + 1, sizeof *run.entries);
    if (run.entries == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", total);
        goto done;
    }
    compare_neighbours(&run);
    *out = make_report(&run, names, data_folder);
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
done:
    for (int p = 0; p < PROBLEMS; p++) {
        json_decref(run.examples[p]);
    }
    for (int s = 0; s < SPLITS; s++) {
        reha_scene_data_clear(&run.splits[s]);
    }
    reha_free(run.entries);
    return status;
}
