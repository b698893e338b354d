#include "recognition/scene_drawn.h"

#include "base/memory.h"
#include "image/statistics.h"
#include "recognition/knee_phantom.h"
#include "recognition/scene_drawn_priv.h"

#include <math.h>

enum { OCTAVES = 5, LAYERS_MAX = 7 };
static const double TURN = 6.283185307179586;
static const double SMOOTH_SHARE = 0.6; /* of drawn scenes: what is smooth is most easily taken for a limb */

double scene_between(reha_random *random, double low, double high)
{
    return reha_random_range(random, low, high);
}

bool scene_happens(reha_random *random, double chance)
{
    return reha_random_unit(random) < chance;
}

/* ---- noise of a chosen coarseness ---- */

void scene_lattice_fill(scene_lattice *of, reha_random *random)
{
    for (int i = 0; i < SCENE_LATTICE * SCENE_LATTICE; i++) {
        of->values[i] = (float)reha_random_unit(random);
    }
}

static double lattice_at(const scene_lattice *of, double x, double y)
{
    const int x0 = (int)floor(x);
    const int y0 = (int)floor(y);
    const double fx = x - x0;
    const double fy = y - y0;
    const double sx = fx * fx * (3.0 - 2.0 * fx);
    const double sy = fy * fy * (3.0 - 2.0 * fy);
    const int xa = x0 & (SCENE_LATTICE - 1);
    const int xb = (x0 + 1) & (SCENE_LATTICE - 1);
    const float *row_a = of->values + (size_t)(y0 & (SCENE_LATTICE - 1)) * SCENE_LATTICE;
    const float *row_b = of->values + (size_t)((y0 + 1) & (SCENE_LATTICE - 1)) * SCENE_LATTICE;
    const double top = (double)row_a[xa] + sx * ((double)row_a[xb] - (double)row_a[xa]);
    const double bottom = (double)row_b[xa] + sx * ((double)row_b[xb] - (double)row_b[xa]);
    return top + sy * (bottom - top);
}

scene_texture scene_any_texture(const scene_lattice *grid, reha_random *random)
{
    const double cells = scene_between(random, 1.0, 9.0);
    const double fall = scene_between(random, 0.35, 0.85);
    const double squeeze = exp(scene_between(random, -0.9, 0.9));
    const double angle = scene_between(random, 0.0, TURN);
    return (scene_texture){.grid = grid,
                           .cells = cells,
                           .fall = fall,
                           .shift = scene_between(random, 0.0, 50.0),
                           .along_x = cos(angle) * squeeze,
                           .along_y = sin(angle) * squeeze,
                           .across_x = -sin(angle) / squeeze,
                           .across_y = cos(angle) / squeeze};
}

double scene_texture_at(const scene_texture *of, double x, double y)
{
    const double u = of->along_x * x + of->along_y * y;
    const double v = of->across_x * x + of->across_y * y;
    double sum = 0.0;
    double weight = 0.0;
    double strength = 1.0;
    double cells = of->cells;
    for (int i = 0; i < OCTAVES; i++) {
        sum += strength * lattice_at(of->grid, u * cells + of->shift, v * cells + 7.0 * i);
        weight += strength;
        strength *= of->fall;
        cells *= 2.0;
    }
    return sum / weight;
}

/* ---- scenes ---- */

/* Things before things: each layer covers where its own shape says so, with a brightness, a texture and
 * light. */
typedef struct layer {
    scene_texture shape, skin;
    double from, mean, contrast, light_x, light_y;
} layer;

static reha_status draw_scene(reha_random *random, reha_gray *image, reha_error *err)
{
    scene_lattice *grids = reha_alloc(2 * sizeof *grids);
    layer layers[LAYERS_MAX];
    if (grids == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a drawn scene");
    }
    scene_lattice_fill(&grids[0], random);
    scene_lattice_fill(&grids[1], random);
    const int count = 1 + (int)reha_random_below(random, LAYERS_MAX);
    for (int i = 0; i < count; i++) {
        layers[i] = (layer){scene_any_texture(&grids[0], random), scene_any_texture(&grids[1], random),
                            scene_between(random, 0.42, 0.62),    scene_between(random, 0.05, 0.95),
                            scene_between(random, 0.05, 1.2),     scene_between(random, -0.5, 0.5),
                            scene_between(random, -0.5, 0.5)};
        layers[i].shape.fall = scene_between(random, 0.1, 0.5);
        layers[i].from = i == 0 ? -1.0 : layers[i].from;
    }
    const double noise = scene_between(random, 0.0, 8.0);
    const double vignette = scene_happens(random, 0.5) ? scene_between(random, 0.0, 0.7) : 0.0;
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const double u = (double)x / image->width_px;
            const double v = (double)y / image->width_px;
            int top = count - 1;
            while (top > 0 && scene_texture_at(&layers[top].shape, u, v) < layers[top].from) {
                top--;
            }
            const layer *seen = &layers[top];
            double grey = seen->mean + seen->contrast * (scene_texture_at(&seen->skin, u, v) - 0.5) +
                          seen->light_x * (u - 0.5) + seen->light_y * (v - 0.5);
            grey *= 1.0 - vignette * ((u - 0.5) * (u - 0.5) + (v - 0.5) * (v - 0.5)) * 2.0;
            image->pixels[(size_t)y * image->width_px + x] =
                (float)(255.0 * grey + noise * reha_random_normal(random));
        }
    }
    reha_free(grids);
    return REHA_OK;
}

/* ---- nothing to see ---- */

static reha_status draw_blank(reha_random *random, reha_gray *image, reha_error *err)
{
    (void)err;
    const uint32_t how = reha_random_below(random, 4);
    const double mean = scene_between(random, 0.0, 255.0);
    const double sd = how == 0 ? scene_between(random, 0.0, 3.0) : scene_between(random, 5.0, 90.0);
    const double angle = scene_between(random, 0.0, TURN);
    const double waves = scene_happens(random, 0.4) ? scene_between(random, 0.5, 15.0) : 0.0;
    const double x0 = reha_random_unit(random);
    const double share = scene_between(random, 0.05, 0.5);
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const double u = (double)x / image->width_px;
            const double v = (double)y / image->height_px;
            const double way = cos(angle) * (u - x0) + sin(angle) * v;
            double grey = mean;
            if (how == 1) {
                grey = waves > 0.0 ? 127.0 + 120.0 * sin(TURN * waves * way) : 255.0 * fabs(way);
            } else if (how == 2) {
                grey = scene_happens(random, share) ? 255.0 : 0.0;
            }
            grey += (how == 1 ? 0.03 : how == 2 ? 0.0 : 1.0) * sd * reha_random_normal(random);
            image->pixels[(size_t)y * image->width_px + x] = (float)grey;
        }
    }
    return REHA_OK;
}

/* ---- ultrasound ---- */

/* Echo of structures at (u, v), each 0..1 with the probe at the top: `arc`s are bones with their shadow or
 * borders of organs, `hole`s are vessels and fluid. */
typedef struct echoes {
    bool is_along; /* a muscle: straight fibres between two bright lines */
    bool is_sector;
    double fibre_angle, fibre_waves, line_top, line_bottom, slope;
    int arc_count, hole_count;
    double arcs[4][4];  /* x, y, radius, shadow */
    double holes[4][3]; /* x, y, radius */
    double fade, spot;
    scene_texture tissue, fine;
} echoes;

static double along_at(const echoes *of, double u, double v)
{
    const double tilt = of->slope * (u - 0.5);
    const double across = v - tan(of->fibre_angle) * u;
    const double inside = v > of->line_top + tilt && v < of->line_bottom - tilt ? 1.0 : 0.35;
    double echo = 0.2 + 0.5 * inside *
                            pow(0.5 + 0.5 * sin(TURN * (of->fibre_waves * across +
                                                        0.8 * scene_texture_at(&of->tissue, u, v))),
                                3.0);
    echo += 1.3 * exp(-pow((v - of->line_top - tilt) / 0.012, 2.0));
    echo += 1.3 * exp(-pow((v - of->line_bottom + tilt) / 0.014, 2.0));
    return echo;
}

static double across_at(const echoes *of, double u, double v)
{
    double echo = 0.15 + 0.9 * pow(scene_texture_at(&of->tissue, u, v), 1.5);
    for (int i = 0; i < of->hole_count; i++) {
        const double *hole = of->holes[i];
        const double away = hypot((u - hole[0]) / 1.4, v - hole[1]) / hole[2];
        echo *= away < 1.0 ? 0.08 : 1.0;
        echo += 0.7 * exp(-pow((away - 1.08) / 0.09, 2.0));
    }
    for (int i = 0; i < of->arc_count; i++) {
        const double *arc = of->arcs[i];
        const double away = hypot(u - arc[0], v - arc[1]) - arc[2];
        const bool is_below = fabs(u - arc[0]) < 0.75 * arc[2] &&
                              v > arc[1] - sqrt(fmax(0.0, arc[2] * arc[2] - (u - arc[0]) * (u - arc[0])));
        echo *= is_below ? 1.0 - arc[3] : 1.0;
        echo += v < arc[1] ? 1.6 * exp(-pow(away / 0.014, 2.0)) : 0.0;
    }
    return echo + (v < 0.05 ? 0.9 : 0.0);
}

static echoes any_echoes(bool is_along, const scene_lattice *grid, reha_random *random)
{
    echoes made = {.is_along = is_along,
                   .is_sector = !is_along && scene_happens(random, 0.4),
                   .fibre_angle = scene_between(random, -0.5, 0.5),
                   .fibre_waves = scene_between(random, 12.0, 30.0),
                   .line_top = scene_between(random, 0.08, 0.28),
                   .line_bottom = scene_between(random, 0.45, 0.85),
                   .slope = scene_between(random, -0.15, 0.15),
                   .arc_count = (int)reha_random_below(random, 4),
                   .hole_count = (int)reha_random_below(random, 4),
                   .fade = scene_between(random, 0.3, 1.4),
                   .spot = scene_between(random, 0.5, 1.0),
                   .tissue = scene_any_texture(grid, random),
                   .fine = scene_any_texture(grid, random)};
    for (int i = 0; i < 4; i++) {
        made.arcs[i][0] = reha_random_unit(random);
        made.arcs[i][2] = scene_between(random, 0.1, 0.6);
        made.arcs[i][1] = scene_between(random, 0.25, 0.8) + 0.5 * made.arcs[i][2];
        made.arcs[i][3] = scene_between(random, 0.5, 0.95);
        made.holes[i][0] = reha_random_unit(random);
        made.holes[i][1] = scene_between(random, 0.2, 0.9);
        made.holes[i][2] = scene_between(random, 0.03, 0.16);
    }
    return made;
}

static reha_status draw_ultrasound(bool is_along, reha_random *random, reha_gray *image, reha_error *err)
{
    scene_lattice *grid = reha_alloc(sizeof *grid);
    if (grid == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a drawn ultrasound");
    }
    scene_lattice_fill(grid, random);
    const echoes tissue = any_echoes(is_along, grid, random);
    const double screen = scene_happens(random, 0.4) ? scene_between(random, 0.05, 0.2) : 0.0;
    const double around = scene_happens(random, 0.3) ? scene_between(random, 20.0, 70.0) : 0.0;
    float speckle = 1.0F;
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const double u = ((double)x / image->width_px - screen) / (1.0 - 2.0 * screen);
            const double v = ((double)y / image->height_px - 0.5 * screen) / (1.0 - screen);
            /* Envelope of many small echoes: Rayleigh, wider than deep. */
            const double a = reha_random_normal(random);
            const double b = reha_random_normal(random);
            speckle = 0.5F * speckle + 0.5F * (float)hypot(a, b);
            const bool is_out = u < 0.0 || u > 1.0 || v < 0.0 || v > 1.0 ||
                                (tissue.is_sector && fabs(u - 0.5) > 0.12 + 0.42 * v);
            const double echo = is_along ? along_at(&tissue, u, v) : across_at(&tissue, u, v);
            const double grey = 105.0 * pow(fmax(0.0, echo) * (double)speckle, tissue.spot) *
                                exp(-tissue.fade * fmax(0.0, v));
            image->pixels[(size_t)y * image->width_px + x] = (float)(is_out ? around : fmin(255.0, grey));
        }
    }
    reha_free(grid);
    return REHA_OK;
}

/* ---- slices ---- */

static double oval(double u, double v, const double *at)
{
    const double c = cos(at[4]);
    const double s = sin(at[4]);
    const double x = (c * (u - at[0]) + s * (v - at[1])) / at[2];
    const double y = (-s * (u - at[0]) + c * (v - at[1])) / at[3];
    return hypot(x, y);
}

static reha_status draw_slice(reha_random *random, reha_gray *image, reha_error *err)
{
    scene_lattice *grid = reha_alloc(sizeof *grid);
    if (grid == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a drawn slice");
    }
    scene_lattice_fill(grid, random);
    const scene_texture flesh = scene_any_texture(grid, random);
    const bool is_ct = scene_happens(random, 0.5);
    const double body[5] = {0.5, 0.5, scene_between(random, 0.28, 0.47), scene_between(random, 0.24, 0.47),
                            scene_between(random, 0.0, TURN)};
    const double fat = scene_between(random, 0.75, 0.95);
    double parts[9][7]; /* an oval, its rim's grey, its inner grey */
    const int count = 1 + (int)reha_random_below(random, 9);
    for (int i = 0; i < count; i++) {
        const double far = scene_between(random, 0.0, 0.8);
        const double way = scene_between(random, 0.0, TURN);
        parts[i][0] = 0.5 + far * body[2] * cos(way);
        parts[i][1] = 0.5 + far * body[3] * sin(way);
        parts[i][2] = scene_between(random, 0.02, 0.16);
        parts[i][3] = parts[i][2] * scene_between(random, 0.6, 1.6);
        parts[i][4] = way;
        parts[i][5] = is_ct ? scene_between(random, 0.5, 1.0) : scene_between(random, 0.0, 0.2);
        parts[i][6] = scene_between(random, 0.05, 0.95);
    }
    const double fat_grey = is_ct ? scene_between(random, 0.1, 0.3) : scene_between(random, 0.4, 1.0);
    const double flesh_grey = scene_between(random, 0.2, 0.6);
    const double noise = scene_between(random, 0.005, 0.05);
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const double u = (double)x / image->width_px;
            const double v = (double)y / image->height_px;
            const double wave = scene_texture_at(&flesh, u, v) - 0.5;
            const double away = oval(u, v, body) + 0.12 * wave;
            double grey = away > 1.0 ? 0.0 : away > fat ? fat_grey : flesh_grey + 0.5 * wave;
            for (int i = 0; i < count && away < fat; i++) {
                const double in = oval(u, v, parts[i]) + 0.2 * wave;
                grey = in > 1.0 ? grey : in > 0.85 ? parts[i][5] : parts[i][6] + 0.25 * wave;
            }
            image->pixels[(size_t)y * image->width_px + x] =
                (float)(255.0 * (grey + noise * reha_random_normal(random)));
        }
    }
    reha_free(grid);
    return REHA_OK;
}

/* ---- generated knees ---- */

static reha_status draw_knee(reha_random *random, reha_gray **out, reha_error *err)
{
    const uint64_t seed = reha_random_u32(random);
    const reha_side side = scene_happens(random, 0.5) ? REHA_SIDE_LEFT : REHA_SIDE_RIGHT;
    const uint32_t how = reha_random_below(random, 4);
    reha_phantom_spec spec = how < 2    ? reha_phantom_crop(side, seed)
                             : how == 2 ? reha_phantom_film(side, seed)
                                        : reha_phantom_film_both(seed);
    const double ratio = how < 2 ? 1.0 : fmin(1.0, spec.mm_per_px / 0.9);
    spec.mm_per_px /= ratio;
    spec.width_px = (uint32_t)(spec.width_px * ratio);
    spec.height_px = (uint32_t)(spec.height_px * ratio);
    spec.bits = 8;
    for (int k = 0; k < spec.knee_count; k++) {
        spec.knees[k].joint_px.x_px *= ratio;
        spec.knees[k].joint_px.y_px *= ratio;
        reha_phantom_set_grade(&spec.knees[k], (int)reha_random_below(random, 5), seed + (uint64_t)k);
    }
    return reha_phantom_draw(&spec, out, NULL, err);
}

reha_status reha_scene_draw(reha_scene_kind kind, reha_random *random, reha_gray **out, reha_error *err)
{
    *out = NULL;
    if (kind == REHA_SCENE_KNEE) {
        return draw_knee(random, out, err);
    }
    if (kind == REHA_SCENE_PAGE) {
        return scene_draw_page(random, out, err);
    }
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    const uint32_t width = 200 + reha_random_below(random, 180);
    const uint32_t height = (uint32_t)(width * scene_between(random, 0.65, 1.2));
    REHA_CHECK(reha_gray_new(width, height, &image, err));
    switch (kind) {
    case REHA_SCENE_PHOTO:
        status = scene_happens(random, SMOOTH_SHARE) ? scene_draw_smooth(random, image, err)
                                                     : draw_scene(random, image, err);
        break;
    case REHA_SCENE_BLANK:
        status = draw_blank(random, image, err);
        break;
    case REHA_SCENE_SLICE:
        status = draw_slice(random, image, err);
        break;
    case REHA_SCENE_ECHO:
        status = draw_ultrasound(false, random, image, err);
        break;
    case REHA_SCENE_MUSCLE:
        status = draw_ultrasound(true, random, image, err);
        break;
    default:
        status = reha_fail(err, REHA_E_ARG, "no picture of this kind can be drawn");
        break;
    }
    for (size_t i = 0; status == REHA_OK && i < (size_t)width * height; i++) {
        image->pixels[i] = fminf(255.0F, fmaxf(0.0F, image->pixels[i]));
    }
    if (status == REHA_OK) {
        *out = image;
        image = NULL;
    }
done:
    reha_gray_free(image);
    return status;
}
