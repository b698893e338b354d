/* The two parts of registration by intensity that know nothing of turns and shifts: how well two pictures
 * agree, and the search for the best place. */
#include "image/register_priv.h"

#include "image/statistics.h"

#include <math.h>
#include <string.h>

static const double LOW_FRACTION = 0.01;
static const double HIGH_FRACTION = 0.99;

static uint32_t shrunk(uint32_t size_px, double factor)
{
    const double size = floor(size_px * factor + 0.5);
    return size < 8.0 ? 8 : (uint32_t)size;
}

static reha_status shrink(const reha_gray *image, double factor, reha_gray **out, reha_error *err)
{
    const uint32_t width = factor < 1.0 ? shrunk(image->width_px, factor) : image->width_px;
    const uint32_t height = factor < 1.0 ? shrunk(image->height_px, factor) : image->height_px;
    REHA_TRY(reha_gray_resize(image, width, height, REHA_FILTER_AREA, out, err));
    REHA_TRY(reha_gray_stretch(*out, LOW_FRACTION, HIGH_FRACTION, NULL, NULL, err));
    const float top = (float)(REHA_REGISTER_BINS - 1);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        (*out)->pixels[i] *= top;
    }
    return REHA_OK;
}

reha_status reha_register_level_make(const reha_gray *fixed, const reha_gray *moving, double factor_fixed,
                                     double factor_moving, reha_register_level *out, reha_error *err)
{
    *out = (reha_register_level){0};
    reha_status status = shrink(fixed, factor_fixed, &out->fixed, err);
    if (status == REHA_OK) {
        status = shrink(moving, factor_moving, &out->moving, err);
    }
    if (status != REHA_OK) {
        reha_register_level_clear(out);
        return status;
    }
    reha_affine moving_to_full =
        reha_affine_of_box(reha_gray_box(moving), out->moving->width_px, out->moving->height_px);
    out->fixed_to_full =
        reha_affine_of_box(reha_gray_box(fixed), out->fixed->width_px, out->fixed->height_px);
    (void)reha_affine_invert(moving_to_full, &out->full_to_moving); /* a scaling: always possible */
    return REHA_OK;
}

void reha_register_level_clear(reha_register_level *level)
{
    reha_gray_free(level->fixed);
    reha_gray_free(level->moving);
    *level = (reha_register_level){0};
}

/* Both values spread over their two nearest bins: without that the measure jumps and the search gets stuck.
 */
static void count_pair(double counts[REHA_REGISTER_BINS][REHA_REGISTER_BINS], double a, double b)
{
    const int i = a >= REHA_REGISTER_BINS - 1 ? REHA_REGISTER_BINS - 2 : (int)a;
    const int j = b >= REHA_REGISTER_BINS - 1 ? REHA_REGISTER_BINS - 2 : (int)b;
    const double u = a - i;
    const double v = b - j;
    counts[i][j] += (1.0 - u) * (1.0 - v);
    counts[i][j + 1] += (1.0 - u) * v;
    counts[i + 1][j] += u * (1.0 - v);
    counts[i + 1][j + 1] += u * v;
}

static double entropy_part(double count, double total)
{
    return count > 0.0 ? -count / total * log(count / total) : 0.0;
}

static double normalised(double counts[REHA_REGISTER_BINS][REHA_REGISTER_BINS], double total)
{
    double rows[REHA_REGISTER_BINS] = {0};
    double columns[REHA_REGISTER_BINS] = {0};
    double joint = 0.0;
    double apart = 0.0;
    for (int i = 0; i < REHA_REGISTER_BINS; i++) {
        for (int j = 0; j < REHA_REGISTER_BINS; j++) {
            rows[i] += counts[i][j];
            columns[j] += counts[i][j];
            joint += entropy_part(counts[i][j], total);
        }
    }
    for (int i = 0; i < REHA_REGISTER_BINS; i++) {
        apart += entropy_part(rows[i], total) + entropy_part(columns[i], total);
    }
    return joint > 1e-9 ? apart / joint : 1.0;
}

double reha_register_information(const reha_register_level *level, reha_affine fixed_to_moving,
                                 double *overlap)
{
    double counts[REHA_REGISTER_BINS][REHA_REGISTER_BINS] = {{0}};
    const reha_gray *fixed = level->fixed;
    const reha_gray *moving = level->moving;
    const reha_affine map =
        reha_affine_then(reha_affine_then(level->fixed_to_full, fixed_to_moving), level->full_to_moving);
    const double x_max = moving->width_px - 1.0;
    const double y_max = moving->height_px - 1.0;
    double total = 0.0;
    for (uint32_t y = 0; y < fixed->height_px; y++) {
        for (uint32_t x = 0; x < fixed->width_px; x++) {
            const double mx = map.a * x + map.b * y + map.c;
            const double my = map.d * x + map.e * y + map.f;
            if (!(mx >= 0.0 && my >= 0.0 && mx < x_max && my < y_max)) {
                continue;
            }
            const uint32_t i = (uint32_t)mx;
            const uint32_t j = (uint32_t)my;
            const double u = mx - i;
            const double v = my - j;
            const float *at = &moving->pixels[(size_t)j * moving->width_px + i];
            const float *below = at + moving->width_px;
            const double value = (1.0 - v) * ((1.0 - u) * (double)at[0] + u * (double)at[1]) +
                                 v * ((1.0 - u) * (double)below[0] + u * (double)below[1]);
            count_pair(counts, (double)reha_gray_at(fixed, x, y), value);
            total += 1.0;
        }
    }
    *overlap = total / ((double)fixed->width_px * fixed->height_px);
    return total > 0.0 ? normalised(counts, total) : 1.0;
}

/* ---- simplex ---- */

typedef struct vertex {
    double place[REHA_REGISTER_PARAMETERS];
    double cost;
} vertex;

typedef struct simplex {
    size_t count;
    vertex at[REHA_REGISTER_PARAMETERS + 1];
} simplex;

static void sort(simplex *s)
{
    for (size_t i = 1; i <= s->count; i++) {
        const vertex moved = s->at[i];
        size_t k = i;
        for (; k > 0 && moved.cost < s->at[k - 1].cost; k--) {
            s->at[k] = s->at[k - 1];
        }
        s->at[k] = moved;
    }
}

/* centre + factor * (centre - worst) */
static double try_place(const simplex *s, const double *centre, double factor, reha_cost_function cost,
                        void *context, double *place)
{
    for (size_t i = 0; i < s->count; i++) {
        place[i] = centre[i] + factor * (centre[i] - s->at[s->count].place[i]);
    }
    return cost(context, place);
}

static size_t step(simplex *s, reha_cost_function cost, void *context)
{
    const size_t n = s->count;
    double centre[REHA_REGISTER_PARAMETERS] = {0};
    double place[REHA_REGISTER_PARAMETERS];
    double further[REHA_REGISTER_PARAMETERS];
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < n; i++) {
            centre[i] += s->at[k].place[i] / (double)n;
        }
    }
    const double reflected = try_place(s, centre, 1.0, cost, context, place);
    double best = reflected;
    size_t used = 1;
    if (reflected < s->at[0].cost) {
        const double expanded = try_place(s, centre, 2.0, cost, context, further);
        used++;
        if (expanded < reflected) {
            best = expanded;
            memcpy(place, further, sizeof place);
        }
    } else if (reflected >= s->at[n - 1].cost) {
        best = try_place(s, centre, reflected < s->at[n].cost ? 0.5 : -0.5, cost, context, place);
        used++;
    }
    if (best < s->at[n].cost) {
        s->at[n].cost = best;
        memcpy(s->at[n].place, place, sizeof place);
        return used;
    }
    for (size_t k = 1; k <= n; k++) { /* shrink towards the best */
        for (size_t i = 0; i < n; i++) {
            s->at[k].place[i] = 0.5 * (s->at[k].place[i] + s->at[0].place[i]);
        }
        s->at[k].cost = cost(context, s->at[k].place);
    }
    return used + n;
}

double reha_simplex(reha_cost_function cost, void *context, size_t count, double *start, const double *steps,
                    size_t evaluations_max, double tolerance)
{
    simplex s = {.count = count};
    size_t used = count + 1;
    for (size_t k = 0; k <= count; k++) {
        memcpy(s.at[k].place, start, count * sizeof *start);
        if (k > 0) {
            s.at[k].place[k - 1] += steps[k - 1];
        }
        s.at[k].cost = cost(context, s.at[k].place);
    }
    sort(&s);
    while (used < evaluations_max && s.at[count].cost - s.at[0].cost > tolerance) {
        used += step(&s, cost, context);
        sort(&s);
    }
    memcpy(start, s.at[0].place, count * sizeof *start);
    return s.at[0].cost;
}
