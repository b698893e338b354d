/* The pictures that teach and check the gate: a folder with scenes.csv
 * (path,scene,split,group[,optional[,repeat]]), as described in docs/researcher.md. Splits: "train" teaches,
 * "cal" sets thresholds, "val" measures. */
#ifndef REHA_RECOGNITION_SCENE_DATA_H
#define REHA_RECOGNITION_SCENE_DATA_H

#include "recognition/scene.h"

typedef struct reha_scene_item {
    reha_scene_kind kind;
    size_t group_idx;    /* equal for pictures of one person, sequence or source; below group_count */
    uint64_t group_hash; /* of its name: the same in other splits */
    size_t repeat;       /* how many times as often as others of its kind it teaches; 1 or more */
    char *path;          /* as in the table; NULL: drawn; owned */
    uint16_t width_px, height_px;
    uint8_t *pixels; /* at the size that is looked at (reha_scene_reduce), 0..255; owned */
    double contrast; /* of the file itself */
    uint32_t shorter_px;
} reha_scene_item;

typedef struct reha_scene_data {
    size_t count, group_count;
    size_t left_out; /* optional pictures that are not there */
    reha_scene_item *items;
} reha_scene_data;

/* All pictures of a split, in memory, in the order of the table. REHA_E_FORMAT names row and fault. */
REHA_MUST_USE reha_status reha_scene_data_load(const char *folder, const char *split, reha_load_function load,
                                               int threads, reha_scene_data *out, reha_error *err);
/* Appends `count` drawn pictures of a kind, each a group of its own. */
REHA_MUST_USE reha_status reha_scene_data_draw(reha_scene_data *data, reha_scene_kind kind, size_t count,
                                               uint64_t seed, reha_error *err);
void reha_scene_data_clear(reha_scene_data *data);

/* A picture of the item; reha_gray_free it. */
REHA_MUST_USE reha_status reha_scene_item_gray(const reha_scene_item *item, reha_gray **out, reha_error *err);

#endif
