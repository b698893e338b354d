/* A labelled folder of muscle ultrasound: `index.csv` with the columns structure,image,mask,similarity_group
 * (others are ignored), paths relative to the folder. structure: "aponeurosis" or "fascicle"; a picture may
 * have a row for each. */
#ifndef REHA_RECOGNITION_MUSCLE_DATA_H
#define REHA_RECOGNITION_MUSCLE_DATA_H

#include "recognition/muscle_net.h"
#include "recognition/recogniser.h"

typedef struct reha_muscle_item {
    char *image;      /* as in the table; owned */
    char *image_path; /* owned */
    char *mask_path;  /* owned */
    reha_muscle_map structure;
    size_t group_idx; /* equal for pictures that must not be split, in order of first appearance */
    char split[16];   /* "train", "val", or the table's own word (cut) */
} reha_muscle_item;

typedef struct reha_muscle_data {
    reha_muscle_item *items;
    size_t count;
    size_t group_count;
} reha_muscle_data;

/* split: NULL takes all rows; "train" and "val" part whole similarity groups four to one by a hash of the
 * group's name, the same on every machine; with a column `split` in the table, its words. A split without
 * rows is REHA_E_NOT_FOUND, an unreadable row REHA_E_FORMAT with its line; a path that leaves the folder is
 * refused. */
REHA_MUST_USE reha_status reha_muscle_data_load(const char *folder, const char *split, reha_muscle_data *out,
                                                reha_error *err);
void reha_muscle_data_clear(reha_muscle_data *data);

/* The picture of a row and its mask, of one size: else REHA_E_FORMAT. Both NULL on failure; the caller frees
 * them. */
REHA_MUST_USE reha_status reha_muscle_item_open(const reha_muscle_item *item, reha_load_function load,
                                                reha_gray **image, reha_gray **mask, reha_error *err);

#endif
