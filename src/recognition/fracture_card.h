/* The model card of the fracture detector (card.json): what the analysis needs beside the weights, and what a
 * reader needs to judge the model. Kept as JSON with its numbers in a checked struct. */
#ifndef REHA_RECOGNITION_FRACTURE_CARD_H
#define REHA_RECOGNITION_FRACTURE_CARD_H

#include "base/json.h"
#include "recognition/boxes.h"
#include "recognition/fracture_net.h"

enum { REHA_FRACTURE_POINTS = 2 };
typedef enum reha_fracture_point {
    REHA_FRACTURE_SENSITIVE = 0, /* shown dotted */
    REHA_FRACTURE_SPECIFIC       /* shown solid */
} reha_fracture_point;
const char *reha_fracture_point_name(reha_fracture_point point); /* "high_sensitivity", "high_specificity" */

typedef struct reha_fracture_card {
    json_t *json; /* the document; owned */
    char name[64];
    char version[32];
    char file[96]; /* beside the card; no folder part */
    reha_precision precision;
    reha_fracture_view view;
    double slope, intercept; /* probability = sigmoid(slope * logit(score) + intercept) */
    double iou_hit;          /* overlap from which a box counts as right: for probabilities and points */
    reha_operating_point points[REHA_FRACTURE_POINTS]; /* cross-validated */
    reha_edges usual_box; /* mean place and size of the training boxes: the naive baseline */
} reha_fracture_card;     /* immutable after loading: any thread */

/* A card for a new model, all numbers at their defaults. */
REHA_MUST_USE reha_status reha_fracture_card_init(reha_fracture_card *card, reha_error *err);
/* Every fault names the file and the member. The network's file is not opened. */
REHA_MUST_USE reha_status reha_fracture_card_load(const char *folder, reha_fracture_card *out,
                                                  reha_error *err);
REHA_MUST_USE reha_status reha_fracture_card_parse(const json_t *json, reha_fracture_card *out,
                                                   reha_error *err);
/* Writes the struct's numbers into `json` (all else stays) and saves <folder>/card.json. */
REHA_MUST_USE reha_status reha_fracture_card_save(reha_fracture_card *card, const char *folder,
                                                  reha_error *err);
/* Sets a part that people read; takes the reference. */
REHA_MUST_USE reha_status reha_fracture_card_set_take(reha_fracture_card *card, const char *key,
                                                      json_t *value, reha_error *err);
void reha_fracture_card_clear(reha_fracture_card *card); /* zeroed is fine */

/* Calibrated probability that a drawn fracture overlaps a box of this score by iou_hit. */
double reha_fracture_probability(const reha_fracture_card *card, double score);

#endif
