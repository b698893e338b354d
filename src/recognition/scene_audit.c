/* What would spoil the gate's training: one source or one picture in two splits, one picture as two kinds,
 * kinds without pictures. */
#include "base/hash.h"
#include "base/memory.h"
#include "recognition/audit_priv.h"
#include "recognition/scene_priv.h"

#include <stdlib.h>

typedef enum problem { SOURCE_ACROSS, COPY_ACROSS, TWO_KINDS, NO_PICTURES, LEFT_OUT, PROBLEMS } problem;
enum { SPLITS = 3 };

static const reha_problem_text texts[PROBLEMS] = {
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
    const uint32_t size[2] = {item->width_px, item->height_px};
    const uint64_t hash = reha_hash64(REHA_HASH64_START, size, sizeof size);
    return reha_hash64(hash, item->pixels, (size_t)size[0] * size[1] * sizeof *item->pixels);
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
    reha_problem found[PROBLEMS];
} audit;

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
            reha_problem_add(&run->found[SOURCE_ACROSS], b->item->path, NULL);
        }
    }
    fill_entries(run, false);
    for (size_t i = 1; i < run->count; i++) {
        const entry *a = &run->entries[i - 1];
        const entry *b = &run->entries[i];
        if (a->key == b->key && a->split != b->split) {
            reha_problem_add(&run->found[COPY_ACROSS], b->item->path, NULL);
        }
        if (a->key == b->key && a->item->kind != b->item->kind) {
            reha_problem_add(&run->found[TWO_KINDS], b->item->path, NULL);
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
                reha_problem_add(&run->found[NO_PICTURES], reha_scene_name((reha_scene_kind)k), NULL);
            }
        }
        run->found[LEFT_OUT].count += run->splits[s].left_out;
        (void)json_object_set_new(out, names[s], kinds);
    }
    return out;
}

static json_t *make_report(audit *run, const char *const *names, const char *data_folder)
{
    json_t *kinds = count_kinds(run, names);
    json_t *problems = json_array();
    reha_problems_close(problems, run->found, PROBLEMS);
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
    reha_problems_open(texts, PROBLEMS, run.found);
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
    reha_problems_close(NULL, run.found, PROBLEMS);
    for (int s = 0; s < SPLITS; s++) {
        reha_scene_data_clear(&run.splits[s]);
    }
    reha_free(run.entries);
    return status;
}
