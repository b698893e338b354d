/* Radiographs with fracture boxes, as three publishers lay them out, read into one table:
 *
 * - YOLO folders: images/, boxes/ or labels/ with one text file per picture ("class cx cy w h", relative),
 *   classes.txt (optional), index.csv (optional: name, and patient_id, else source_picture). Every class
 *   counts as a fracture. Without index.csv, pictures "x.rf.<hash>" (augmented copies) are one group per x.
 * - FracAtlas (Abedeen et al. 2023): images/, dataset.csv with image_id, and below Annotations/ the file
 *   "COCO JSON/COCO_fracture_masks.json" or the folder YOLO/; with neither it is refused, since every
 *   fracture would pass for a normal picture. It has no patient ids: every picture is a group.
 * - GRAZPEDWRI-DX (Nagy et al. 2022): dataset.csv with filestem and patient_id, yolov5/labels/ (also below
 *   folder_structure/, or labels/), pictures in any folder. Of its nine classes only "fracture" counts.
 *
 * A picture without a label file has no box (YOLO's own rule): whether it is normal nobody says. */
#ifndef REHA_RECOGNITION_FRACTURE_DATA_H
#define REHA_RECOGNITION_FRACTURE_DATA_H

#include "base/status.h"
#include "recognition/boxes.h"

#include <stddef.h>
#include <stdint.h>

enum { REHA_FRACTURE_CLASSES_MAX = 16, REHA_FRACTURE_NAME_BYTES = 24, REHA_FRACTURE_GROUP_BYTES = 64 };

typedef enum reha_fracture_layout {
    REHA_FRACTURE_YOLO,
    REHA_FRACTURE_FRACATLAS,
    REHA_FRACTURE_GRAZPEDWRI
} reha_fracture_layout;
const char *reha_fracture_layout_name(reha_fracture_layout layout); /* "yolo", "fracatlas", "grazpedwri-dx" */

typedef struct reha_fracture_box {
    reha_edges edges; /* relative: 0..1 across and down the picture */
    int class_idx;
} reha_fracture_box;

typedef struct reha_fracture_image {
    char *path;                              /* relative to the folder; owned */
    char *full_path;                         /* owned */
    char group[REHA_FRACTURE_GROUP_BYTES];   /* patient or source picture */
    size_t group_idx;                        /* equal for one group */
    char subgroup[REHA_FRACTURE_NAME_BYTES]; /* body part (FracAtlas), sex (GRAZPEDWRI-DX), or "" */
    bool is_called_fractured; /* by the table (FracAtlas: fractured), whatever boxes there are */
    size_t first_box, box_count;
} reha_fracture_image;

typedef struct reha_fracture_data {
    reha_fracture_layout layout;
    const char *group_kind;      /* "patient", "source picture", "picture"; static */
    const char *subgroup_kind;   /* "body part", "sex" or ""; static */
    reha_fracture_image *images; /* sorted by path */
    size_t image_count;
    size_t group_count;
    reha_fracture_box *boxes; /* of image 0, then image 1, ... */
    size_t box_count;
    int class_count;
    char classes[REHA_FRACTURE_CLASSES_MAX][REHA_FRACTURE_NAME_BYTES];
} reha_fracture_data;

/* REHA_E_FORMAT names the file and line (or annotation) at fault; REHA_E_NOT_FOUND says which layouts were
 * looked for. */
REHA_MUST_USE reha_status reha_fracture_data_load(const char *folder, reha_fracture_data *out,
                                                  reha_error *err);
void reha_fracture_data_clear(reha_fracture_data *data); /* zeroed is fine */

/* Gives every group a fold in [0, folds), by its name and the seed alone, about equally many groups each.
 * fold_of_group: group_count values. */
REHA_MUST_USE reha_status reha_fracture_folds(const reha_fracture_data *data, int folds, uint64_t seed,
                                              int *fold_of_group, reha_error *err);

/* Names a picture file by its content (FNV-1a, 64 bits, as 16 hexadecimal digits): to tell whether a model
 * has seen it. No protection against intent. */
enum { REHA_FRACTURE_FINGERPRINT_BYTES = 17 };
REHA_MUST_USE reha_status reha_fracture_fingerprint(const char *path,
                                                    char out[REHA_FRACTURE_FINGERPRINT_BYTES],
                                                    reha_error *err);

#endif
