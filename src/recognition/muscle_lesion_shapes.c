/* The shapes of simulated lesions: what each kind does at a place, in the belly's own axes. */
#include "recognition/muscle_lesion_priv.h"

#include <math.h>

static const double PI = 3.14159265358979323846;
enum { HARMONICS = 6 };
static const double FAR = 2.6; /* half sizes from the centre: nothing of a lesion reaches there */

/* ---- noise ---- */

static double lattice(uint64_t seed, int64_t x, int64_t y)
{
    uint64_t h =
        seed * 0x9e3779b97f4a7c15U ^ (uint64_t)x * 0xbf58476d1ce4e5b9U ^ (uint64_t)y * 0x94d049bb133111ebU;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9U;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebU;
    return (double)((h ^ (h >> 31)) >> 11) / 4503599627370496.0 - 1.0;
}

static double ease(double t)
{
    return t * t * (3.0 - 2.0 * t);
}

double reha_lesion_noise(uint64_t seed, double x, double y)
{
    const double fx = floor(x);
    const double fy = floor(y);
    const int64_t ix = (int64_t)fx;
    const int64_t iy = (int64_t)fy;
    const double tx = ease(x - fx);
    const double ty = ease(y - fy);
    const double above = lattice(seed, ix, iy) + tx * (lattice(seed, ix + 1, iy) - lattice(seed, ix, iy));
    const double below =
        lattice(seed, ix, iy + 1) + tx * (lattice(seed, ix + 1, iy + 1) - lattice(seed, ix, iy + 1));
    return above + ty * (below - above);
}

/* ---- building blocks ---- */

/* 1 inside, 0 outside, over a border of the width `soft` (in the unit of `inside`). */
static double soft_step(double inside, double soft)
{
    const double t = 0.5 + inside / fmax(1e-9, soft);
    return t <= 0.0 ? 0.0 : t >= 1.0 ? 1.0 : ease(t);
}

/* An injury ends at the fasciae: 0 at the aponeuroses, 1 a few pixels inside. */
static double in_belly(const reha_lesion_scene *scene, double x, double y)
{
    const double depth = reha_injury_depth(scene->belly, (reha_point_px){x, y});
    return soft_step(depth - 0.025 * scene->thickness_px, 0.03 * scene->thickness_px);
}

/* Distance inside an ellipse with an uneven border, as a share of its half size: 1 at the centre, 0 at the
 * border. */
static double blob(const reha_lesion_scene *scene, double u, double v, double grow, double uneven)
{
    const reha_lesion_spec *spec = scene->spec;
    const double a = fmax(1.0, 0.5 * spec->along_px * grow);
    const double b = fmax(1.0, 0.5 * spec->across_px * grow);
    const double r = hypot(u / a, v / b);
    double border = 1.0;
    if (r > FAR) {
        return 1.0 - r;
    }
    const double angle = atan2(v / b, u / a);
    for (int k = 2; k < 2 + HARMONICS; k++) {
        border += uneven / k * lattice(spec->seed, k, 1) * cos(k * angle + PI * lattice(spec->seed, k, 2));
    }
    border += 0.5 * uneven * reha_lesion_noise(spec->seed + 3, u / (0.35 * b + 2.0), v / (0.35 * b + 2.0));
    return 1.0 - r / fmax(0.3, border);
}

/* The feathery weight of oedema: streaks along the fascicles that run out at the ends. */
static double feather(const reha_lesion_scene *scene, double u, double v, double grow)
{
    const double t = scene->thickness_px;
    const double inside = blob(scene, u, v, grow, 0.5);
    const double streaks = reha_lesion_noise(scene->spec->seed + 5, u / (0.35 * t), v / (0.035 * t)) +
                           0.6 * reha_lesion_noise(scene->spec->seed + 6, u / (0.15 * t), v / (0.09 * t));
    return soft_step(inside - 0.25 + 0.22 * streaks, 0.7);
}

static void add_halo(const reha_lesion_scene *scene, double u, double v, double inside,
                     reha_lesion_effect *to)
{
    if (!scene->spec->has_halo) {
        return;
    }
    const double weight = inside * feather(scene, u, v, 1.9);
    to->injured = fmax(to->injured, weight);
    to->add += (1.0 - to->torn) * weight * 0.5 * fabs(scene->spec->change) *
               (scene->spec->seed % 4 == 0 ? -1.0 : 1.0);
    to->fade = fmax(to->fade, 0.4 * weight);
    to->redraw = fmax(to->redraw, 0.4 * weight);
}

static double dark_level(const reha_lesion_scene *scene)
{
    return scene->spec->level * fmax(0.0, scene->speckle->low);
}

/* ---- kinds ---- */

static reha_lesion_effect oedema(const reha_lesion_scene *scene, double u, double v, double inside)
{
    const reha_lesion_spec *spec = scene->spec;
    const double weight = inside * feather(scene, u, v, 1.25);
    return (reha_lesion_effect){.injured = inside * soft_step(blob(scene, u, v, 1.25, 0.5) - 0.22, 0.3) *
                                           (weight > 0.15 ? 1.0 : 0.0),
                                .fade = weight * spec->disorder,
                                .blotch = 0.3 * weight * spec->disorder,
                                .add = weight * spec->change,
                                .redraw = 0.5 * weight};
}

static reha_lesion_effect disruption(const reha_lesion_scene *scene, double u, double v, double inside)
{
    const reha_lesion_spec *spec = scene->spec;
    const double weight = inside * soft_step(blob(scene, u, v, 1.0, 0.45), 2.0 * spec->soft);
    reha_lesion_effect to = {.injured = weight,
                             .torn = weight,
                             .fade = weight * spec->disorder,
                             .blotch = weight * spec->disorder,
                             .add = weight * spec->change,
                             .redraw = weight};
    add_halo(scene, u, v, inside, &to);
    return to;
}

/* Half width of the cleft at a height v, and the wander of its middle line. */
static double cleft(const reha_lesion_scene *scene, double v, double *middle)
{
    const reha_lesion_spec *spec = scene->spec;
    const double t = scene->thickness_px;
    const double end = 2.0 * fabs(v) / spec->across_px;
    const double taper = spec->kind == REHA_LESION_RETRACTION ? 1.0 : sqrt(fmax(0.0, 1.0 - end * end));
    *middle = 0.16 * t * reha_lesion_noise(spec->seed + 7, v / (0.3 * t), 0.5) +
              0.03 * t * reha_lesion_noise(spec->seed + 8, v / (0.05 * t), 0.5);
    return 0.5 * spec->along_px * taper *
           (1.0 + 0.5 * reha_lesion_noise(spec->seed + 9, v / (0.22 * t), 0.5) +
            0.3 * reha_lesion_noise(spec->seed + 16, v / (0.07 * t), 0.5));
}

static reha_lesion_effect gap(const reha_lesion_scene *scene, double u, double v, double inside)
{
    const reha_lesion_spec *spec = scene->spec;
    const double t = scene->thickness_px;
    double middle = 0.0;
    const double half = cleft(scene, v, &middle);
    const double beyond = fabs(u - middle) - half; /* of the edge */
    const double weight = half < 0.5 ? 0.0 : inside * soft_step(-beyond, 0.5 * spec->soft * half + 1.5);
    const double clots = reha_lesion_noise(spec->seed + 10, u / (0.13 * t), v / (0.10 * t));
    const double grey = dark_level(scene) + 0.8 * spec->level * fmax(0.0, clots) * scene->speckle->middle;
    reha_lesion_effect to = {
        .injured = weight, .torn = weight, .pull = weight, .level = grey, .redraw = weight};
    to.fade = weight;
    to.blotch = 0.3 * weight;
    if (half >= 0.5 && beyond > 0.0) { /* stumps: bright, frayed, their pattern in disorder */
        const double fray = 0.6 + 0.8 * reha_lesion_noise(spec->seed + 11, u / (0.08 * t), v / (0.05 * t));
        const double near_edge = inside * exp(-beyond / (0.07 * t));
        to.add += spec->rim * near_edge * fmax(0.0, fray);
        to.fade = fmax(to.fade, spec->disorder * near_edge);
        to.blotch = fmax(to.blotch, spec->disorder * near_edge);
        to.redraw = fmax(to.redraw, near_edge);
        to.injured = fmax(to.injured, inside * soft_step(0.05 * t - beyond, 0.04 * t));
    }
    add_halo(scene, u - middle, v, inside, &to);
    return to;
}

/* From fresh (black, even) to organised (grey, with strands and layers). */
static reha_lesion_effect haematoma(const reha_lesion_scene *scene, double u, double v, double inside)
{
    const reha_lesion_spec *spec = scene->spec;
    const double t = scene->thickness_px;
    const double rest = blob(scene, u, v, 1.0, 0.55);
    const double weight = inside * soft_step(rest, spec->soft);
    const double strands = reha_lesion_noise(spec->seed + 12, u / (0.30 * t), v / (0.07 * t));
    const double clots = reha_lesion_noise(spec->seed + 13, u / (0.12 * t), v / (0.12 * t));
    const double inner =
        (0.1 + 0.7 * spec->level) * (fmax(0.0, strands) + fmax(0.0, clots)) * scene->speckle->middle;
    reha_lesion_effect to = {.injured = weight,
                             .torn = weight,
                             .fade = weight,
                             .pull = weight,
                             .level = dark_level(scene) + inner,
                             .redraw = weight};
    const double near_edge = rest < 0.0 ? inside * exp(6.0 * rest) : 0.0;
    to.add += spec->rim * near_edge *
              (0.6 + 0.6 * reha_lesion_noise(spec->seed + 14, u / (0.1 * t), v / (0.1 * t)));
    add_halo(scene, u, v, inside, &to);
    return to;
}

static reha_lesion_effect vessel(const reha_lesion_scene *scene, double u, double v, double inside)
{
    const reha_lesion_spec *spec = scene->spec;
    const double bend =
        0.04 * scene->thickness_px * reha_lesion_noise(spec->seed + 15, u / scene->thickness_px, 0.5);
    const double r = hypot(u / (0.5 * spec->along_px), (v + bend) / (0.5 * spec->across_px));
    const double rest_px = (1.0 - r) * 0.5 * spec->across_px;
    const double weight = inside * soft_step(rest_px, 2.0);
    const double wall = inside * exp(-0.5 * pow((rest_px + 1.5) / 1.6, 2.0));
    return (reha_lesion_effect){.fade = weight,
                                .add = spec->rim * wall,
                                .pull = weight,
                                .level = dark_level(scene),
                                .redraw = weight};
}

static reha_lesion_effect anisotropy(const reha_lesion_scene *scene, double u, double v, double inside)
{
    const reha_lesion_spec *spec = scene->spec;
    const double r = hypot(2.0 * u / spec->along_px, 2.0 * v / spec->across_px);
    const double weight =
        inside * exp(-r * r) * (1.0 + 0.3 * reha_lesion_noise(spec->seed, u / 60.0, v / 60.0));
    return (reha_lesion_effect){.add = spec->change * fmin(1.0, weight), .fade = 0.2 * fmin(1.0, weight)};
}

static reha_lesion_effect shadow(const reha_lesion_scene *scene, double x, double y)
{
    const reha_lesion_spec *spec = scene->spec;
    const double soft = 0.15 * spec->along_px + 3.0;
    const double sideways = soft_step(0.5 * spec->along_px - fabs(x - spec->centre.x_px), soft);
    const double depth = y - (spec->centre.y_px - 0.5 * spec->across_px);
    const double weight = sideways * soft_step(depth, 0.1 * scene->thickness_px);
    return (reha_lesion_effect){.add = spec->change * weight, .fade = 0.4 * weight};
}

static reha_lesion_effect gain(const reha_lesion_scene *scene, double y)
{
    const reha_lesion_spec *spec = scene->spec;
    return (reha_lesion_effect){.add = spec->change * soft_step(y - spec->centre.y_px, spec->across_px)};
}

reha_lesion_effect reha_lesion_effect_at(const reha_lesion_scene *scene, double x_px, double y_px)
{
    const double u = reha_injury_along(&scene->axes, x_px, y_px);
    const double v = reha_injury_across(&scene->axes, x_px, y_px);
    const bool is_everywhere =
        scene->spec->kind == REHA_LESION_SHADOW || scene->spec->kind == REHA_LESION_GAIN;
    const double inside = is_everywhere ? 1.0 : in_belly(scene, x_px, y_px);
    if (inside <= 0.0) {
        return (reha_lesion_effect){0};
    }
    switch (scene->spec->kind) {
    case REHA_LESION_OEDEMA:
        return oedema(scene, u, v, inside);
    case REHA_LESION_DISRUPTION:
        return disruption(scene, u, v, inside);
    case REHA_LESION_GAP:
    case REHA_LESION_RETRACTION:
        return gap(scene, u, v, inside);
    case REHA_LESION_HAEMATOMA:
        return haematoma(scene, u, v, inside);
    case REHA_LESION_VESSEL:
        return vessel(scene, u, v, inside);
    case REHA_LESION_ANISOTROPY:
        return anisotropy(scene, u, v, inside);
    case REHA_LESION_SHADOW:
        return shadow(scene, x_px, y_px);
    case REHA_LESION_GAIN:
        return gain(scene, y_px);
    default:
        return (reha_lesion_effect){0};
    }
}

double reha_lesion_shift_px(const reha_lesion_scene *scene, double x_px, double y_px)
{
    const reha_lesion_spec *spec = scene->spec;
    double middle = 0.0;
    if (spec->kind != REHA_LESION_RETRACTION && spec->kind != REHA_LESION_GAP) {
        return 0.0;
    }
    const double v = reha_injury_across(&scene->axes, x_px, y_px);
    const double half = cleft(scene, v, &middle);
    const double u = reha_injury_along(&scene->axes, x_px, y_px) - middle;
    const double beyond = fmax(0.0, fabs(u) - half);
    const double drawn =
        0.8 * half * exp(-beyond / (0.35 * scene->thickness_px)) * in_belly(scene, x_px, y_px);
    return spec->strength * (u < 0.0 ? -drawn : drawn);
}

void reha_lesion_reach_px(const reha_lesion_scene *scene, double *sideways, double *above, double *below)
{
    const reha_lesion_spec *spec = scene->spec;
    const double t = scene->thickness_px;
    const bool is_everywhere = spec->kind == REHA_LESION_SHADOW || spec->kind == REHA_LESION_GAIN;
    const double grow = spec->has_halo ? 2.9 : spec->kind == REHA_LESION_ANISOTROPY ? 2.0 : 1.6;
    const double half = 0.5 * grow * hypot(spec->along_px, spec->across_px) + 0.3 * t;
    const bool is_drawn_apart = spec->kind == REHA_LESION_RETRACTION || spec->kind == REHA_LESION_GAP;
    *sideways = is_everywhere ? scene->frame->box.width_px : half + (is_drawn_apart ? 0.9 * t : 0.0);
    *above = is_everywhere ? scene->frame->box.height_px : half;
    *below = is_everywhere ? scene->frame->box.height_px : half + (spec->behind > 0.0 ? 1.2 * t : 0.0);
}
