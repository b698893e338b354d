/* Finds knee joints in a radiograph: one look of a small network at the whole picture, shrunk to a square.
 *
 * The network gives, per cell of a coarse grid: 0 whether a joint's centre lies here (logit), 1 and 2 its
 * offset in cells, 3 ln(plateau width / unit), 4 whether the knee is not upright (logit); further channels
 * are ignored. A centre-point detector (after Zhou et al. 2019, "Objects as points"). */
#ifndef REHA_RECOGNITION_KNEE_FINDER_H
#define REHA_RECOGNITION_KNEE_FINDER_H

#include "image/gray.h"
#include "recognition/knee_card.h"
#include "recognition/knee_net.h"

enum { REHA_FINDER_CHANNELS = 5 };

typedef struct reha_knee_candidate {
    double x_px, y_px; /* middle of the tibial plateau, in the given image */
    double width_px;   /* of the plateau, edge to edge */
    double score;      /* 0 to 1 */
    double turned;     /* probability that the knee does not stand upright */
} reha_knee_candidate;

/* How an image was laid into the square: x_square = x_image * scale + left, in pixel-edge coordinates. */
typedef struct reha_letterbox {
    double scale;
    int left, top, width, height; /* of the picture in the square */
} reha_letterbox;
reha_letterbox reha_letterbox_make(uint32_t width_px, uint32_t height_px, int side_px);

/* Peaks of the network's output (channels x cells x cells), best first, at most spec->knees_max. Returns the
 * number written to `out` (room for spec->knees_max). Pure. */
int reha_finder_decode(const float *output, int cells, const reha_finder_spec *spec, reha_letterbox box,
                       reha_knee_candidate *out);

/* `scratch_output`: room for the network's output. One thread at a time per session. */
REHA_MUST_USE reha_status reha_knee_find(const reha_gray *image, const reha_knee_net *net,
                                         const reha_finder_spec *spec, float *scratch_output,
                                         reha_knee_candidate *out, int *count, reha_error *err);

#endif
