/* The detector's network: MobileNetV2 up to stride 32 (Sandler et al. 2018), a feature pyramid back to stride
 * 8 (Lin et al. 2017), and per cell of that grid a score "the centre of a fracture lies here" with the box's
 * size and offset (CenterNet: Zhou, Wang and Kraehenbuehl 2019). No anchors. */
#ifndef REHA_RECOGNITION_FRACTURE_NET_H
#define REHA_RECOGNITION_FRACTURE_NET_H

#include "image/gray.h"
#include "nn/graph.h"
#include "nn/session.h"
#include "recognition/boxes.h"

enum {
    REHA_FRACTURE_STRIDE_PX = 8,
    REHA_FRACTURE_CHANNELS = 3, /* of the input: one grey value, shown to all colours of the trunk */
    REHA_FRACTURE_MAPS = 4      /* per cell: log width, log height (in units), offset x, y (in cells) */
};

typedef struct reha_fracture_net_spec {
    int side_px;           /* square input, a multiple of 32 */
    float head_rate_ratio; /* learning rate of all that is new against the trunk's */
} reha_fracture_net_spec;

/* Outputs "centres" [n, 1, side/8, side/8] (logits) and "sizes" [n, 4, side/8, side/8]. backbone_folder: .npy
 * weights of MobileNetV2; NULL: random. Graphs of different side_px have the same parameters. */
REHA_MUST_USE reha_status reha_fracture_net_new(const reha_fracture_net_spec *spec,
                                                const char *backbone_folder, uint64_t seed, reha_graph **out,
                                                reha_error *err);

/* How a picture becomes input, and outputs become boxes: stands in the model card. */
typedef struct reha_fracture_view {
    int side_px;                            /* the picture's longer side fills it; black beside it */
    double low_percentile, high_percentile; /* of the picture's grey values: 0 and 1 */
    double size_unit_px;                    /* exp(size output) * unit = pixels of the input */
    double size_gain;    /* and the box is this much larger: of uncertain sizes a larger one overlaps
                          * better than a smaller; fitted on held-out boxes, 1: as the network says */
    double score_min;    /* boxes below are not worth a look */
    double overlap_max;  /* of two boxes that overlap more, the better one stays */
    int boxes_max;       /* the best ones per picture */
    bool mirror_average; /* mean of the picture and its mirror image */
} reha_fracture_view;
reha_fracture_view reha_fracture_view_default(void);

/* side_px^2 values in 0..1. */
REHA_MUST_USE reha_status reha_fracture_look(const reha_fracture_view *view, const reha_gray *image,
                                             float *out, reha_error *err);
/* Grey 0..1 to the network's three channels; `mirrored`: columns reversed. */
void reha_fracture_colour(const float *grey, int side_px, bool mirrored, float *out);

/* A network ready to run. One thread at a time. */
typedef struct reha_fracture_detector {
    reha_fracture_view view;
    reha_session *session;
    float *grey;    /* side^2 */
    float *inputs;  /* 2 * channels * side^2 */
    float *centres; /* 2 * cells */
    float *sizes;   /* 2 * maps * cells */
} reha_fracture_detector;

REHA_MUST_USE reha_status reha_fracture_detector_init(reha_fracture_detector *detector,
                                                      const reha_graph *graph, const reha_fracture_view *view,
                                                      int threads, reha_precision precision, reha_error *err);
void reha_fracture_detector_clear(reha_fracture_detector *detector); /* zeroed is fine */

/* Boxes by falling score, relative to the picture (0..1 across and down), image_idx 0. found: room for
 * view.boxes_max. */
REHA_MUST_USE reha_status reha_fracture_detect(reha_fracture_detector *detector, const reha_gray *image,
                                               reha_found *found, size_t *count, reha_error *err);

#endif
