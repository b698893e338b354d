/* Scenes without hard outlines: skies, mist, folds of cloth, hills behind hills, lights out of focus, petals
 * and abstract wallpapers. Smooth bright shapes on an even ground are what a limb looks like at the size at
 * which the gate sees it, so that they are taught by themselves. */
#include "recognition/scene_drawn_priv.h"

#include "base/memory.h"

#include <math.h>

enum { HILLS_MAX = 6, DISCS_MAX = 24, RIBBONS_MAX = 6, FLOWERS_MAX = 3 };
static const double TURN = 6.283185307179586;

typedef enum ground_kind {
    GROUND_EVEN,
    GROUND_ROUND,
    GROUND_CLOUDS,
    GROUND_FOLDS,
    GROUND_HILLS,
    GROUNDS
} ground_kind;

typedef struct hill {
    double base, height, waves, phase, rough, edge, grey, fade;
} hill;

typedef struct disc {
    double x, y, radius, edge, strength, rim;
} disc;

typedef struct ribbon {
    double cosine, sine, base, bend, waves, phase, width, growth, strength;
    bool is_tube; /* bright in the middle with a sharp end, not a glow */
} ribbon;

typedef struct flower {
    double x, y, radius, depth, phase, edge, grey, shade;
    int petals;
} flower;

typedef struct smooth {
    ground_kind ground;
    scene_texture wide, fine;
    double angle, centre_x, centre_y, low, span, power, turns, skin;
    int hill_count, disc_count, ribbon_count, flower_count;
    hill hills[HILLS_MAX];
    disc discs[DISCS_MAX];
    ribbon ribbons[RIBBONS_MAX];
    flower flowers[FLOWERS_MAX];
} smooth;

/* 0 below -1, 1 above 1, smooth between. */
static double rise(double value)
{
    const double t = fmin(1.0, fmax(0.0, 0.5 + 0.5 * value));
    return t * t * (3.0 - 2.0 * t);
}

/* ---- what there is ---- */

static int any_count(reha_random *random, double chance, int most)
{
    return scene_happens(random, chance) ? 1 + (int)reha_random_below(random, (uint32_t)most) : 0;
}

/* From hardly more than a pixel to as wide as the thing itself. */
static double any_edge(reha_random *random)
{
    return exp(scene_between(random, log(0.004), log(0.4)));
}

static void add_hills(smooth *to, reha_random *random)
{
    to->hill_count = 1 + (int)reha_random_below(random, HILLS_MAX);
    for (int i = 0; i < to->hill_count; i++) {
        to->hills[i] = (hill){.base = scene_between(random, 0.1, 0.5) + 0.6 * i / to->hill_count,
                              .height = scene_between(random, 0.0, 0.2),
                              .waves = scene_between(random, 0.3, 3.0),
                              .phase = scene_between(random, 0.0, TURN),
                              .rough = scene_between(random, 0.0, 0.25),
                              .edge = any_edge(random),
                              .grey = scene_between(random, 0.0, 1.0),
                              .fade = scene_between(random, -1.0, 1.0)};
    }
}

static void add_discs(smooth *to, reha_random *random)
{
    const double least = exp(scene_between(random, log(0.01), log(0.2)));
    const double edge = any_edge(random);
    const double sign = scene_happens(random, 0.8) ? 1.0 : -1.0;
    to->disc_count = any_count(random, 0.35, DISCS_MAX);
    for (int i = 0; i < to->disc_count; i++) {
        to->discs[i] = (disc){.x = reha_random_unit(random),
                              .y = reha_random_unit(random),
                              .radius = least * scene_between(random, 0.5, 2.0),
                              .edge = edge,
                              .strength = sign * scene_between(random, 0.05, 0.5),
                              .rim = scene_happens(random, 0.3) ? scene_between(random, 0.0, 0.3) : 0.0};
    }
}

static void add_ribbons(smooth *to, reha_random *random)
{
    const double angle = scene_between(random, 0.0, TURN);
    to->ribbon_count = any_count(random, 0.4, RIBBONS_MAX);
    for (int i = 0; i < to->ribbon_count; i++) {
        const double own = angle + scene_between(random, -0.4, 0.4);
        to->ribbons[i] = (ribbon){.cosine = cos(own),
                                  .sine = sin(own),
                                  .base = scene_between(random, -0.4, 0.4),
                                  .bend = scene_between(random, 0.0, 0.25),
                                  .waves = scene_between(random, 0.2, 1.5),
                                  .phase = scene_between(random, 0.0, TURN),
                                  .width = exp(scene_between(random, log(0.005), log(0.15))),
                                  .growth = scene_between(random, -0.9, 0.9),
                                  .strength = scene_between(random, -0.3, 0.7),
                                  .is_tube = scene_happens(random, 0.4)};
    }
}

static void add_flowers(smooth *to, reha_random *random)
{
    to->flower_count = any_count(random, 0.25, FLOWERS_MAX);
    for (int i = 0; i < to->flower_count; i++) {
        to->flowers[i] = (flower){.x = reha_random_unit(random),
                                  .y = reha_random_unit(random),
                                  .radius = scene_between(random, 0.08, 0.5),
                                  .depth = scene_between(random, 0.1, 0.8),
                                  .phase = scene_between(random, 0.0, TURN),
                                  .edge = any_edge(random),
                                  .grey = scene_between(random, 0.1, 1.0),
                                  .shade = scene_between(random, -0.7, 0.7),
                                  .petals = 1 + (int)reha_random_below(random, 9)};
    }
}

static smooth any_smooth(const scene_lattice *grids, reha_random *random)
{
    smooth made = {.ground = (ground_kind)reha_random_below(random, GROUNDS),
                   .wide = scene_any_texture(&grids[0], random),
                   .fine = scene_any_texture(&grids[1], random),
                   .angle = scene_between(random, 0.0, TURN),
                   .centre_x = reha_random_unit(random),
                   .centre_y = reha_random_unit(random),
                   .low = scene_between(random, 0.0, 0.6),
                   .span = scene_between(random, 0.1, 0.9),
                   .power = exp(scene_between(random, -1.0, 1.2)),
                   .turns = scene_between(random, 0.5, 5.0),
                   .skin = scene_happens(random, 0.5) ? scene_between(random, 0.0, 0.2) : 0.0};
    made.wide.cells = scene_between(random, 0.8, 4.0);
    made.wide.fall = scene_between(random, 0.1, 0.6);
    add_hills(&made, random);
    add_discs(&made, random);
    add_ribbons(&made, random);
    add_flowers(&made, random);
    if (made.ground <= GROUND_ROUND && made.disc_count + made.ribbon_count + made.flower_count == 0) {
        made.ground = GROUND_CLOUDS; /* a mere gradient is an empty picture */
    }
    return made;
}

/* ---- what it looks like at (u, v), each about 0..1 ---- */

static double hills_at(const smooth *of, double u, double v)
{
    double grey = of->low + of->span * v;
    for (int i = 0; i < of->hill_count; i++) {
        const hill *at = &of->hills[i];
        const double top = at->base + at->height * sin(TURN * at->waves * u + at->phase) +
                           at->rough * (scene_texture_at(&of->wide, u, 0.3 * i) - 0.5);
        const double inside = rise((v - top) / at->edge);
        grey += inside * (at->grey + at->fade * (v - top) - grey);
    }
    return grey;
}

static double ground_at(const smooth *of, double u, double v)
{
    const double along = cos(of->angle) * (u - of->centre_x) + sin(of->angle) * (v - of->centre_y);
    switch (of->ground) {
    case GROUND_EVEN:
        return of->low + of->span * pow(fabs(along), of->power);
    case GROUND_ROUND:
        return of->low +
               of->span * exp(-pow(3.0 * hypot(u - of->centre_x, v - of->centre_y), 2.0 * of->power));
    case GROUND_CLOUDS:
        return of->low + 1.4 * of->span * pow(scene_texture_at(&of->wide, u, v), 2.0 * of->power);
    case GROUND_FOLDS:
        return of->low +
               of->span * (0.5 + 0.5 * sin(TURN * of->turns * (scene_texture_at(&of->wide, u, v) + along)));
    default:
        return hills_at(of, u, v);
    }
}

static double grey_at(const smooth *of, double u, double v)
{
    double grey = ground_at(of, u, v);
    for (int i = 0; i < of->ribbon_count; i++) {
        const ribbon *at = &of->ribbons[i];
        const double along = at->cosine * (u - 0.5) + at->sine * (v - 0.5);
        const double across = -at->sine * (u - 0.5) + at->cosine * (v - 0.5) - at->base -
                              at->bend * sin(TURN * at->waves * along + at->phase);
        const double away = fabs(across) / (at->width * (1.0 + at->growth * along));
        grey += at->strength * (at->is_tube ? sqrt(fmax(0.0, 1.0 - away * away)) : exp(-away * away));
    }
    for (int i = 0; i < of->flower_count; i++) {
        const flower *at = &of->flowers[i];
        const double angle = atan2(v - at->y, u - at->x);
        const double wave = 0.5 + 0.5 * cos(at->petals * angle + at->phase);
        const double away = hypot(u - at->x, v - at->y) / (at->radius * (1.0 - at->depth * wave));
        grey += rise((1.0 - away) / at->edge) * (at->grey + at->shade * (away - 0.5) * wave - grey);
    }
    for (int i = 0; i < of->disc_count; i++) {
        const disc *at = &of->discs[i];
        const double away = hypot(u - at->x, v - at->y) / at->radius;
        grey += at->strength * rise((1.0 - away) / at->edge) + at->rim * exp(-pow((away - 0.95) / 0.06, 2.0));
    }
    return grey + of->skin * (scene_texture_at(&of->fine, u, v) - 0.5);
}

reha_status scene_draw_smooth(reha_random *random, reha_gray *image, reha_error *err)
{
    scene_lattice *grids = reha_alloc(2 * sizeof *grids);
    if (grids == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a drawn scene");
    }
    scene_lattice_fill(&grids[0], random);
    scene_lattice_fill(&grids[1], random);
    const smooth scene = any_smooth(grids, random);
    const double noise = scene_happens(random, 0.5) ? scene_between(random, 0.0, 5.0) : 0.0;
    const double vignette = scene_happens(random, 0.4) ? scene_between(random, 0.0, 1.2) : 0.0;
    const double longer = fmax(image->width_px, image->height_px);
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const double u = (double)x / longer;
            const double v = (double)y / longer;
            const double away = (u - 0.5) * (u - 0.5) + (v - 0.5) * (v - 0.5);
            image->pixels[(size_t)y * image->width_px + x] =
                (float)(255.0 * grey_at(&scene, u, v) * fmax(0.0, 1.0 - vignette * away) +
                        noise * reha_random_normal(random));
        }
    }
    reha_free(grids);
    return REHA_OK;
}
