/* Parts of the table of fracture boxes that read label files. */
#ifndef REHA_RECOGNITION_FRACTURE_DATA_PRIV_H
#define REHA_RECOGNITION_FRACTURE_DATA_PRIV_H

#include "base/json.h"
#include "recognition/fracture_data.h"

/* Length of the file name without its last suffix; *stem points into path. */
size_t reha_fracture_stem_(const char *path, const char **stem);
/* The picture of that name, whatever its suffix and folder; NULL if there is none. */
reha_fracture_image *reha_fracture_find_(reha_fracture_data *data, const char *file_name);

/* classes.txt of the folder, one name per line; without it the classes are called "0", "1", ... */
REHA_MUST_USE reha_status reha_fracture_read_classes_(reha_fracture_data *data, const char *folder,
                                                      reha_error *err);
/* One "<stem>.txt" per picture in folder/labels. class_wanted -1: all classes. */
REHA_MUST_USE reha_status reha_fracture_read_yolo_(reha_fracture_data *data, const char *folder,
                                                   const char *labels, int class_wanted, reha_error *err);
REHA_MUST_USE reha_status reha_fracture_read_coco_(reha_fracture_data *data, const char *folder,
                                                   const char *name, reha_error *err);
/* The same from memory. YOLO: the lines of one picture's file, which are changed; *capacity of data->boxes,
 * 0 at first. */
REHA_MUST_USE reha_status reha_fracture_parse_yolo_(reha_fracture_data *data, size_t *capacity,
                                                    reha_fracture_image *image, char *text, int class_wanted,
                                                    reha_error *err);
REHA_MUST_USE reha_status reha_fracture_parse_coco_(reha_fracture_data *data, const json_t *document,
                                                    reha_error *err);

#endif
