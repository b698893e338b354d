#include "recognition/muscle_lesion_priv.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { LOOK_PX = 4, AROUND_PX = 12 };
static const double DEG = 180.0 / 3.14159265358979323846;
/* From here on a tear is called complete: type 4 of the Munich consensus is subtotal or complete
 * (Mueller-Wohlfahrt et al. 2013); the number for "subtotal" is our assumption. */
static const double COMPLETE_SHARE = 0.9;

const char *reha_lesion_name(reha_lesion_kind kind)
{
    static const char *const names[REHA_LESION_ALL_KINDS] = {
        "oedema", "disruption", "gap",    "haematoma", "retraction",
        "vessel", "anisotropy", "shadow", "gain-step", "nothing"};
    return names[kind];
}

/* ---- drawing one ---- */

/* Ranges. Sizes across the fascicles are shares of the thickness: the British Athletics classification parts
 * injuries at 10 % and 50 % of the cross-section (Pollock et al. 2014, on MRI), which for lesions of one
 * shape is 32 % and 71 % of the thickness; all three are covered. Every other number is an assumption, set by
 * eye on the pictures. */
typedef struct span {
    double low, high;
} span;
static const struct {
    span share;  /* across the fascicles, of the thickness; drawn evenly in its logarithm */
    span along;  /* along them, of the thickness */
    span change; /* grey */
    span level;  /* of the belly's darkest twentieth */
    span behind, disorder, rim;
    double halo; /* how often */
} ranges[REHA_LESION_ALL_KINDS] = {
    [REHA_LESION_OEDEMA] = {{0.25, 0.95}, {0.7, 2.6}, {0.06, 0.20}, {0, 0}, {0, 0}, {0.2, 0.7}, {0, 0}, 0.0},
    [REHA_LESION_DISRUPTION] =
        {{0.15, 0.85}, {0.25, 1.2}, {-0.14, 0.04}, {0, 0}, {0, 0}, {0.75, 1.0}, {0, 0}, 0.5},
    [REHA_LESION_GAP] =
        {{0.12, 1.0}, {0.07, 0.28}, {0.05, 0.14}, {0.2, 1.1}, {0, 0.03}, {0.4, 1.0}, {0.0, 0.16}, 0.5},
    [REHA_LESION_HAEMATOMA] =
        {{0.12, 0.85}, {0.25, 1.8}, {0.05, 0.14}, {0.0, 1.6}, {0.0, 0.10}, {1, 1}, {0.0, 0.12}, 0.5},
    [REHA_LESION_RETRACTION] =
        {{1.15, 1.3}, {0.15, 0.7}, {0.05, 0.14}, {0.1, 1.0}, {0, 0.06}, {0.6, 1.0}, {0.06, 0.22}, 0.6},
    [REHA_LESION_VESSEL] =
        {{0.05, 0.16}, {0.05, 0.8}, {0, 0}, {0.0, 0.5}, {0, 0.05}, {0, 0}, {0.06, 0.25}, 0.0},
    [REHA_LESION_ANISOTROPY] = {{0.5, 1.6}, {0.6, 2.5}, {-0.28, -0.08}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, 0.0},
    [REHA_LESION_SHADOW] = {{0, 0}, {0.08, 0.9}, {-0.35, -0.08}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, 0.0},
    [REHA_LESION_GAIN] = {{0, 0}, {0, 0}, {-0.2, 0.2}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, 0.0},
};
static const span soft_borders = {0.1, 0.55};
static const double DARK_OEDEMA = 0.25; /* share of oedemas that are darker, not brighter */
static const double LONG_VESSEL = 0.5;

static double pick(reha_random *random, span from)
{
    return reha_random_range(random, from.low, from.high);
}

static reha_point_px place(const reha_injury_belly *belly, double share, reha_random *random)
{
    const double x0 = belly->deep[0].x_px;
    const double width = belly->deep[REHA_INJURY_CURVE - 1].x_px - x0;
    const double x = x0 + width * reha_random_range(random, 0.15, 0.85);
    const double top = reha_injury_top(belly, x);
    const double half = fmin(0.45, 0.5 * share);
    const double depth = reha_random_range(random, half, 1.0 - half);
    return (reha_point_px){x, top + depth * (reha_injury_bottom(belly, x) - top)};
}

/* What is no injury and has its own way to lie in the picture. */
static void place_artefact(reha_lesion_spec *spec, const reha_muscle_frame *frame, double thickness,
                           reha_random *random)
{
    const double y0 = frame->box.y_px;
    if (spec->kind == REHA_LESION_SHADOW) {
        spec->across_px = 0.0;
        spec->centre.y_px = y0 + frame->box.height_px * reha_random_range(random, 0.0, 0.4);
    } else if (spec->kind == REHA_LESION_GAIN) {
        spec->across_px = reha_random_range(random, 0.02, 0.2) * thickness;
        spec->centre.y_px = y0 + frame->box.height_px * reha_random_range(random, 0.1, 0.8);
    } else if (spec->kind == REHA_LESION_VESSEL && reha_random_unit(random) < LONG_VESSEL) {
        spec->tilt_deg = reha_random_range(random, -60.0, 60.0);
    } else if (spec->kind == REHA_LESION_VESSEL) {
        spec->along_px = spec->across_px * reha_random_range(random, 1.0, 1.6);
    }
}

reha_lesion_spec reha_lesion_draw(reha_lesion_kind kind, const reha_injury_belly *belly,
                                  const reha_muscle_frame *frame, reha_random *random)
{
    reha_lesion_spec spec = {.kind = kind, .strength = 1.0};
    const double low = fmax(1e-3, ranges[kind].share.low);
    spec.share = low * pow(fmax(low, ranges[kind].share.high) / low, reha_random_unit(random));
    spec.centre = place(belly, spec.share, random);
    const double x = spec.centre.x_px;
    const double scale = (reha_injury_bottom(belly, x) - reha_injury_top(belly, x));
    spec.across_px = spec.share * scale;
    spec.along_px = pick(random, ranges[kind].along) * scale;
    if (kind == REHA_LESION_DISRUPTION || kind == REHA_LESION_HAEMATOMA) {
        spec.along_px = fmin(spec.along_px, 4.0 * spec.across_px);
    } else if (kind == REHA_LESION_GAP) {
        spec.along_px = fmin(spec.along_px, 0.8 * spec.across_px);
        spec.tilt_deg = reha_random_range(random, -25.0, 25.0);
    }
    spec.change = pick(random, ranges[kind].change);
    if (kind == REHA_LESION_OEDEMA && reha_random_unit(random) < DARK_OEDEMA) {
        spec.change *= -0.8;
    }
    spec.level = pick(random, ranges[kind].level);
    spec.behind = pick(random, ranges[kind].behind);
    spec.disorder = pick(random, ranges[kind].disorder);
    spec.rim = pick(random, ranges[kind].rim);
    spec.soft = pick(random, soft_borders);
    spec.has_halo = reha_random_unit(random) < ranges[kind].halo;
    spec.seed = reha_random_u32(random);
    place_artefact(&spec, frame, belly->thickness_px, random);
    return spec;
}

int reha_lesion_grade(const reha_lesion_spec *spec)
{
    if (spec->kind >= REHA_LESION_KINDS || spec->strength <= 0.0) {
        return 0;
    }
    if (spec->kind == REHA_LESION_OEDEMA) {
        return 1;
    }
    const bool is_cleft = spec->kind == REHA_LESION_GAP || spec->kind == REHA_LESION_RETRACTION;
    return is_cleft && spec->share >= COMPLETE_SHARE ? 3 : 2;
}

/* ---- applying it ---- */

void reha_lesion_truth_clear(reha_lesion_truth *truth)
{
    reha_free(truth->injured);
    reha_free(truth->torn);
    *truth = (reha_lesion_truth){0};
}

typedef struct patch { /* the part of the picture that changes */
    int x0, y0, width, height;
    float *grey;      /* 0..1 as it was, drawn apart where stumps retract */
    float *structure; /* without grain */
    float *broad;     /* without fascicles */
    float *grain;     /* fresh */
    float *behind;    /* more echo behind what lets sound through */
    float *scratch;   /* two planes */
    float *block;
    reha_lesion_effect *effects;
    float *shift; /* of the tissue, along the fascicles */
} patch;

static bool is_changed(const reha_lesion_effect *to, double shift, double behind)
{
    return to->fade > 1e-3 || to->blotch > 1e-3 || fabs(to->add) > 1e-4 || to->pull > 1e-3 ||
           to->redraw > 1e-3 || fabs(shift) > 0.05 || behind > 1e-4;
}

/* What can change, looked at every few pixels: most of a lesion's reach is left alone. */
static void tighten(const reha_lesion_scene *scene, int *x0, int *y0, int *x1, int *y1)
{
    int near_x0 = *x1, near_y0 = *y1, near_x1 = *x0, near_y1 = *y0;
    for (int y = *y0; y < *y1; y += LOOK_PX) {
        for (int x = *x0; x < *x1; x += LOOK_PX) {
            const reha_lesion_effect to = reha_lesion_effect_at(scene, x, y);
            if (is_changed(&to, reha_lesion_shift_px(scene, x, y), 0.0)) {
                near_x0 = x < near_x0 ? x : near_x0;
                near_x1 = x > near_x1 ? x : near_x1;
                near_y0 = y < near_y0 ? y : near_y0;
                near_y1 = y > near_y1 ? y : near_y1;
            }
        }
    }
    const int behind = scene->spec->behind > 0.0 ? (int)(1.2 * scene->thickness_px) : 0;
    *x0 = near_x0 - AROUND_PX > *x0 ? near_x0 - AROUND_PX : *x0;
    *y0 = near_y0 - AROUND_PX > *y0 ? near_y0 - AROUND_PX : *y0;
    *x1 = near_x1 + AROUND_PX < *x1 ? near_x1 + AROUND_PX : *x1;
    *y1 = near_y1 + AROUND_PX + behind < *y1 ? near_y1 + AROUND_PX + behind : *y1;
}

static reha_status patch_new(const reha_gray *image, const reha_lesion_scene *scene, patch *p,
                             reha_error *err)
{
    enum { PLANES = 8 };
    double sideways = 0.0, above = 0.0, below = 0.0;
    const reha_box_px *box = &scene->frame->box;
    const reha_point_px at = scene->spec->centre;
    reha_lesion_reach_px(scene, &sideways, &above, &below);
    int x0 = (int)fmax(fmax(0.0, box->x_px), at.x_px - sideways);
    int y0 = (int)fmax(fmax(0.0, box->y_px), at.y_px - above);
    int x1 = (int)fmin(fmin(box->x_px + box->width_px, image->width_px), at.x_px + sideways);
    int y1 = (int)fmin(fmin(box->y_px + box->height_px, image->height_px), at.y_px + below);
    tighten(scene, &x0, &y0, &x1, &y1);
    p->x0 = x0;
    p->y0 = y0;
    p->width = x1 - x0;
    p->height = y1 - y0;
    if (p->width < 4 || p->height < 4) {
        return REHA_OK; /* too small a lesion for this picture: nothing changes */
    }
    const size_t count = (size_t)p->width * (size_t)p->height;
    p->block = reha_alloc_zero(PLANES * count, sizeof *p->block);
    p->effects = reha_alloc(count * sizeof *p->effects);
    if (p->block == NULL || p->effects == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a simulated lesion");
    }
    p->grey = p->block;
    p->structure = p->grey + count;
    p->broad = p->structure + count;
    p->grain = p->broad + count;
    p->behind = p->grain + count;
    p->shift = p->behind + count;
    p->scratch = p->shift + count;
    return REHA_OK;
}

static double grey_at(const reha_gray *image, double x, double y)
{
    const double sx = fmin(image->width_px - 1.001, fmax(0.0, x));
    const double sy = fmin(image->height_px - 1.001, fmax(0.0, y));
    const uint32_t ix = (uint32_t)sx;
    const uint32_t iy = (uint32_t)sy;
    const double fx = sx - ix;
    const double fy = sy - iy;
    return (1.0 - fy) * ((1.0 - fx) * (double)reha_gray_at(image, ix, iy) +
                         fx * (double)reha_gray_at(image, ix + 1, iy)) +
           fy * ((1.0 - fx) * (double)reha_gray_at(image, ix, iy + 1) +
                 fx * (double)reha_gray_at(image, ix + 1, iy + 1));
}

static void fill_planes(const reha_gray *image, const reha_lesion_scene *scene, patch *p)
{
    const double range = fmax(1e-6, scene->frame->high - scene->frame->low);
    const double broad = fmin(0.12 * scene->thickness_px, 9.0);
    for (int y = 0; y < p->height; y++) {
        for (int x = 0; x < p->width; x++) {
            const double px = p->x0 + x;
            const double py = p->y0 + y;
            const size_t at = (size_t)y * (size_t)p->width + (size_t)x;
            const double shift = reha_lesion_shift_px(scene, px, py);
            p->effects[at] = reha_lesion_effect_at(scene, px, py);
            p->shift[at] = (float)shift;
            const double grey = fabs(shift) > 0.01 ? grey_at(image, px - shift * scene->axes.cosine,
                                                             py + shift * scene->axes.sine)
                                                   : (double)reha_gray_at(image, (uint32_t)px, (uint32_t)py);
            p->grey[at] = (float)((grey - scene->frame->low) / range);
        }
    }
    reha_speckle_smooth_along(p->grey, p->width, p->height, scene->belly->fascicle_deg,
                              scene->speckle->along_px, p->structure);
    reha_speckle_smooth(p->structure, p->width, p->height, broad, broad, p->scratch, p->broad);
}

/* Fluid weakens sound less than muscle: below it the echo is brighter, the more fluid lies above, and fading
 * with depth. */
static void fill_behind(const reha_lesion_scene *scene, patch *p)
{
    const double t = scene->thickness_px;
    for (int x = 0; scene->spec->behind > 0.0 && x < p->width; x++) {
        double fluid = 0.0;
        double depth = 0.0;
        for (int y = 0; y < p->height; y++) {
            const double pull = p->effects[(size_t)y * (size_t)p->width + (size_t)x].pull;
            fluid += pull;
            depth = pull > 0.5 ? 0.0 : depth + 1.0;
            p->behind[(size_t)y * (size_t)p->width + (size_t)x] =
                (float)((1.0 - pull) * scene->spec->behind * fmin(1.0, fluid / (0.25 * t)) *
                        exp(-depth / (0.6 * t)));
        }
    }
    if (scene->spec->behind > 0.0) {
        reha_speckle_smooth(p->behind, p->width, p->height, 3.0, 0.6, p->scratch, p->behind);
    }
}

/* The grey of one place from its structure and its grain, both changed as the effect says. */
static double compose(const reha_lesion_scene *scene, const patch *p, size_t at, double x, double y,
                      const reha_lesion_effect *to)
{
    const double strength = scene->spec->strength;
    const double t = scene->thickness_px;
    const double fascicles = (double)(p->structure[at] - p->broad[at]);
    const double noise =
        to->blotch <= 0.0
            ? 0.0
            : reha_lesion_noise(scene->spec->seed + 20, x / (0.045 * t), y / (0.03 * t)) +
                  0.7 * reha_lesion_noise(scene->spec->seed + 21, y / (0.10 * t), x / (0.07 * t));
    const double kept = (double)p->broad[at] + fascicles * (1.0 - strength * to->fade) +
                        strength * (to->blotch * 1.6 * scene->speckle->structure_sd * noise + to->add +
                                    (double)p->behind[at]);
    const double mean = kept + strength * to->pull * (to->level - kept);
    const double before = reha_speckle_sd(scene->speckle, (double)p->structure[at]);
    const double after = reha_speckle_sd(scene->speckle, mean);
    const double old_grain = (double)(p->grey[at] - p->structure[at]) / before;
    /* Weights whose squares add up to one keep the spread. */
    const double grain = sqrt(1.0 - to->redraw) * old_grain + sqrt(to->redraw) * (double)p->grain[at];
    return mean + after * grain;
}

static void write_patch(reha_gray *image, const reha_lesion_scene *scene, const patch *p,
                        reha_lesion_truth *truth)
{
    const reha_muscle_frame *frame = scene->frame;
    const double range = frame->high - frame->low;
    const bool is_injury = scene->spec->kind < REHA_LESION_KINDS && scene->spec->strength > 0.0;
    const double most = frame->high > 255.0 ? frame->high : 255.0;
    for (int y = 0; y < p->height; y++) {
        for (int x = 0; x < p->width; x++) {
            const double px = p->x0 + x;
            const double py = p->y0 + y;
            const size_t at = (size_t)y * (size_t)p->width + (size_t)x;
            const size_t out = (size_t)py * image->width_px + (size_t)px;
            const reha_lesion_effect *to = &p->effects[at];
            if (is_changed(to, (double)p->shift[at], (double)p->behind[at])) {
                const double grey = frame->low + range * compose(scene, p, at, px, py, to);
                image->pixels[out] = (float)fmin(most, fmax(fmin(0.0, frame->low), round(grey)));
            }
            if (truth != NULL && is_injury) {
                truth->injured[out] = to->injured > 0.5 ? 255 : 0;
                truth->torn[out] = to->torn > 0.5 ? 255 : 0;
            }
        }
    }
}

reha_status reha_lesion_apply(reha_gray *image, const reha_muscle_frame *frame,
                              const reha_injury_belly *belly, const reha_speckle *speckle,
                              const reha_lesion_spec *spec, reha_lesion_truth *truth, reha_error *err)
{
    reha_status status = REHA_OK;
    patch p = {0};
    const size_t count = (size_t)image->width_px * image->height_px;
    reha_lesion_scene scene = {
        spec, frame, belly, speckle, reha_injury_axes_at(belly, spec->centre), belly->thickness_px};
    const double turn = (belly->fascicle_deg + spec->tilt_deg) / DEG;
    scene.axes.cosine = cos(turn);
    scene.axes.sine = sin(turn);
    if (truth != NULL) {
        *truth = (reha_lesion_truth){reha_alloc_zero(count, 1), reha_alloc_zero(count, 1)};
        if (truth->injured == NULL || truth->torn == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for a mask");
        }
    }
    if (spec->kind == REHA_LESION_NOTHING) {
        return REHA_OK;
    }
    REHA_CHECK(patch_new(image, &scene, &p, err));
    if (p.block == NULL) {
        goto done;
    }
    fill_planes(image, &scene, &p);
    if (spec->kind < REHA_LESION_KINDS || spec->kind == REHA_LESION_VESSEL) { /* the others redraw no grain */
        reha_random random = reha_random_init(spec->seed, 0x6c65736e);
        reha_speckle_field(speckle, p.width, p.height, &random, p.scratch, p.grain);
    }
    fill_behind(&scene, &p);
    write_patch(image, &scene, &p, truth);
done:
    reha_free(p.block);
    reha_free(p.effects);
    return status;
}
