/* Maps of what moved a classifying network, or several that vote, by several methods, on one picture size;
 * and controls that look at nothing, so that the figures of explain_evaluate.h have something to be compared
 * with.
 *
 * Explained is log p of one class, p being the weighted mean of the networks' probabilities: what speaks for
 * it and against the others. Maps have the picture's size,
 * larger = more important; only their order and shape mean something. Pictures: one channel, 0..1. */
#ifndef REHA_RECOGNITION_EXPLAIN_MAPS_H
#define REHA_RECOGNITION_EXPLAIN_MAPS_H

#include "nn/explain.h"
#include "nn/session.h"

typedef enum reha_explain_method {
    REHA_EXPLAIN_HIRES_CAM,     /* activation * gradient of the last map (Draelos and Carin 2020) */
    REHA_EXPLAIN_GRAD_CAM,      /* Selvaraju et al. 2017 */
    REHA_EXPLAIN_GRAD_CAM_PLUS, /* Grad-CAM++, Chattopadhay et al. 2018 */
    REHA_EXPLAIN_INTEGRATED,    /* integrated gradients (Sundararajan et al. 2017) from the blurred picture,
                                   smoothed */
    REHA_EXPLAIN_OCCLUSION,     /* fall of log p when a square is blurred (Zeiler and Fergus 2014) */
    REHA_EXPLAIN_RANDOM,        /* control: smooth noise of the same grain */
    REHA_EXPLAIN_CENTRE,        /* control: always the middle of the picture */
    REHA_EXPLAIN_METHODS
} reha_explain_method;

const char *reha_explain_method_name(reha_explain_method method); /* "hires-cam"; static */
/* By name, one that the program can ship: of the last map's gradients (one pass). False if it is none. */
bool reha_explain_method_cam(const char *name, reha_cam *out);
bool reha_explain_method_is_control(reha_explain_method method);

enum { REHA_EXPLAIN_CELL_PX = 16, REHA_EXPLAIN_CLASSES_MAX = 8, REHA_EXPLAIN_NETWORKS_MAX = 8 };

typedef struct reha_explain_network {
    const reha_graph
        *graph;       /* one input [n,1,h,w], output 0 logits [n, classes]; borrowed while the maker lives */
    const char *node; /* its last map; copied */
    float input_offset, input_gain;
    double weight;            /* of its vote, above 0 */
    reha_precision precision; /* of the scores; gradients are f32 */
    int threads;
} reha_explain_network;

/* d(log p[class]) / d(logits of each voter), p the weighted mean of the voters' probabilities: a voter that
 * gives the class nothing has no say in it. probabilities, out: [voters][classes], may be the same. */
void reha_explain_vote_gradient(const float *probabilities, const double *weights, int voters, int classes,
                                int class_idx, float *out);

typedef struct reha_explain_maker reha_explain_maker; /* one thread at a time */
/* 1 to REHA_EXPLAIN_NETWORKS_MAX networks. REHA_E_FORMAT: another shape of network, or not the first one's
 * shapes; no such node. */
REHA_MUST_USE reha_status reha_explain_maker_new(const reha_explain_network *networks, int count,
                                                 reha_explain_maker **out, reha_error *err);
void reha_explain_maker_free(reha_explain_maker *maker); /* NULL is fine */
int reha_explain_maker_width(const reha_explain_maker *maker);
int reha_explain_maker_height(const reha_explain_maker *maker);
int reha_explain_maker_classes(const reha_explain_maker *maker);

/* pictures: count * height * width; probabilities: count * classes. */
REHA_MUST_USE reha_status reha_explain_scores(reha_explain_maker *maker, const float *pictures, int count,
                                              float *probabilities, reha_error *err);
/* `seed` makes the random map another one for each picture. map: height * width. */
REHA_MUST_USE reha_status reha_explain_map(reha_explain_maker *maker, reha_explain_method method,
                                           const float *picture, int class_idx, uint64_t seed, float *map,
                                           reha_error *err);

/* Three box filters of a seventh of the height: what is left when detail is taken away. REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_explain_blur(const float *picture, int width, int height, float *out,
                                            reha_error *err);

#endif
