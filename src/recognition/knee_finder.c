#include "recognition/knee_finder.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <math.h>
#include <string.h>

/* Percentiles need no more pixels than this; reading 5 megapixels for them would cost as much as the network.
 */
enum { PERCENTILE_SAMPLE = 1 << 17, CANDIDATES_MAX = 32 };

reha_letterbox reha_letterbox_make(uint32_t width_px, uint32_t height_px, int side_px)
{
    const uint32_t longer = width_px > height_px ? width_px : height_px;
    reha_letterbox box = {.scale = side_px / (double)longer};
    box.width = (int)nearbyint(width_px * box.scale);
    box.height = (int)nearbyint(height_px * box.scale);
    box.width = box.width < 1 ? 1 : box.width;
    box.height = box.height < 1 ? 1 : box.height;
    box.left = (side_px - box.width) / 2;
    box.top = (side_px - box.height) / 2;
    return box;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static bool is_peak(const float *heat, int cells, int row, int column)
{
    const float here = heat[row * cells + column];
    for (int r = row - 1; r <= row + 1; r++) {
        for (int c = column - 1; c <= column + 1; c++) {
            if (r >= 0 && r < cells && c >= 0 && c < cells && heat[r * cells + c] > here) {
                return false;
            }
        }
    }
    return true;
}

static reha_knee_candidate read_cell(const float *output, int cells, int row, int column,
                                     const reha_finder_spec *spec, reha_letterbox box)
{
    const size_t plane = (size_t)cells * (size_t)cells;
    const size_t at = (size_t)row * (size_t)cells + (size_t)column;
    const double x = (column + 0.5 + (double)output[plane + at]) * spec->stride_px;
    const double y = (row + 0.5 + (double)output[2 * plane + at]) * spec->stride_px;
    const double log_width = fmin(fmax((double)output[3 * plane + at], -3.0), 2.0);
    return (reha_knee_candidate){.x_px = (x - box.left) / box.scale - 0.5,
                                 .y_px = (y - box.top) / box.scale - 0.5,
                                 .width_px = spec->width_unit_px * exp(log_width) / box.scale,
                                 .score = sigmoid((double)output[at]),
                                 .turned = sigmoid((double)output[4 * plane + at])};
}

int reha_finder_decode(const float *output, int cells, const reha_finder_spec *spec, reha_letterbox box,
                       reha_knee_candidate *out)
{
    reha_knee_candidate peaks[CANDIDATES_MAX];
    int peak_count = 0;
    for (int row = 0; row < cells; row++) {
        for (int column = 0; column < cells; column++) {
            if (!(sigmoid((double)output[row * cells + column]) >= spec->score_min) ||
                !is_peak(output, cells, row, column)) {
                continue;
            }
            const reha_knee_candidate peak = read_cell(output, cells, row, column, spec, box);
            if (!isfinite(peak.x_px) || !isfinite(peak.y_px)) {
                continue;
            }
            int place = peak_count; /* sorted by score, best first; the worst falls off */
            while (place > 0 && peaks[place - 1].score < peak.score) {
                place--;
            }
            if (place >= CANDIDATES_MAX) {
                continue;
            }
            const int last = peak_count < CANDIDATES_MAX ? peak_count : CANDIDATES_MAX - 1;
            memmove(peaks + place + 1, peaks + place, (size_t)(last - place) * sizeof *peaks);
            peaks[place] = peak;
            peak_count = last + 1;
        }
    }
    int count = 0;
    for (int i = 0; i < peak_count && count < spec->knees_max; i++) {
        bool is_apart = true;
        for (int k = 0; k < count; k++) {
            const double distance = hypot(peaks[i].x_px - out[k].x_px, peaks[i].y_px - out[k].y_px);
            is_apart = is_apart && distance > spec->separation * fmax(peaks[i].width_px, out[k].width_px);
        }
        if (is_apart) {
            out[count++] = peaks[i];
        }
    }
    return count;
}

reha_status reha_knee_find(const reha_gray *image, const reha_knee_net *net, const reha_finder_spec *spec,
                           float *scratch_output, reha_knee_candidate *out, int *count, reha_error *err)
{
    *count = 0;
    const int side = spec->input_px;
    const reha_letterbox box = reha_letterbox_make(image->width_px, image->height_px, side);
    float *picture = reha_alloc((size_t)box.width * (size_t)box.height * sizeof(float));
    float *square = reha_alloc_zero((size_t)side * (size_t)side, sizeof(float));
    reha_status status = REHA_OK;
    if (picture == NULL || square == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the knee finder");
        goto done;
    }
    const double percentiles[2] = {spec->low_percentile, spec->high_percentile};
    double limits[2];
    REHA_CHECK(reha_sample_percentiles(image, 0, 0, image->width_px, image->height_px, PERCENTILE_SAMPLE,
                                       percentiles, 2, limits, err));
    const reha_tone tone = {.low = limits[0], .high = limits[0] + fmax(limits[1] - limits[0], 1e-6)};
    const reha_box_px edges = {0.0, 0.0, image->width_px, image->height_px};
    REHA_CHECK(reha_sample_rect(image, edges, REHA_BORDER_ZERO, tone, box.width, box.height, picture, err));
    for (int y = 0; y < box.height; y++) {
        memcpy(square + (size_t)(box.top + y) * (size_t)side + (size_t)box.left,
               picture + (size_t)y * (size_t)box.width, (size_t)box.width * sizeof(float));
    }
    float *outputs[1] = {scratch_output};
    REHA_CHECK(reha_knee_net_run(net, 1, square, (size_t)side * (size_t)side, outputs, err));
    *count = reha_finder_decode(scratch_output, side / spec->stride_px, spec, box, out);
done:
    reha_free(square);
    reha_free(picture);
    return status;
}
