/* Painting of the drawn knee: distance maps of the outlines, a thickness model on top of them, then focus,
 * noise and grey levels as a radiography plant makes them. */
#include "recognition/knee_phantom.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "image/resample.h"
#include "image/statistics.h"
#include "recognition/knee_phantom_priv.h"

#include <math.h>
#include <string.h>

static const double GRID_STEP_MM = 0.35;
static const double BAND_MM = 15.0;      /* distances are known up to here, inside and outside */
static const double FINE_STEP_MM = 0.26; /* the picture is painted at least this fine, then averaged */

/* Signed distance to an outline (inside positive), clamped to the band, on a grid in knee coordinates. */
typedef struct distance_map {
    double x0_mm, y0_mm;
    int columns, rows;
    float *values;
} distance_map;

static void splat_piece(distance_map *map, reha_point_mm a, reha_point_mm b)
{
    const double x_low = fmin(a.x_mm, b.x_mm) - BAND_MM;
    const double x_high = fmax(a.x_mm, b.x_mm) + BAND_MM;
    const double y_low = fmin(a.y_mm, b.y_mm) - BAND_MM;
    const double y_high = fmax(a.y_mm, b.y_mm) + BAND_MM;
    const int first_c = (int)fmax(ceil((x_low - map->x0_mm) / GRID_STEP_MM), 0.0);
    const int last_c = (int)fmin(floor((x_high - map->x0_mm) / GRID_STEP_MM), map->columns - 1.0);
    const int first_r = (int)fmax(ceil((y_low - map->y0_mm) / GRID_STEP_MM), 0.0);
    const int last_r = (int)fmin(floor((y_high - map->y0_mm) / GRID_STEP_MM), map->rows - 1.0);
    const float dx = (float)(b.x_mm - a.x_mm);
    const float dy = (float)(b.y_mm - a.y_mm);
    const float length2 = fmaxf(dx * dx + dy * dy, 1e-12f);
    for (int r = first_r; r <= last_r; r++) {
        const float py = (float)(map->y0_mm + r * GRID_STEP_MM - a.y_mm);
        float *row = map->values + (size_t)r * (size_t)map->columns;
        for (int c = first_c; c <= last_c; c++) {
            const float px = (float)(map->x0_mm + c * GRID_STEP_MM - a.x_mm);
            float t = (px * dx + py * dy) / length2;
            t = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
            const float ex = px - t * dx;
            const float ey = py - t * dy;
            const float square = ex * ex + ey * ey;
            row[c] = square < row[c] ? square : row[c]; /* squared for now */
        }
    }
}

/* Inside or outside by the crossings of each grid row (even-odd). */
static void sign_row(const distance_map *map, const reha_outline *outline, int r, float *row)
{
    enum { CROSSINGS_MAX = 64 };
    double crossings[CROSSINGS_MAX];
    size_t count = 0;
    const double y = map->y0_mm + r * GRID_STEP_MM;
    for (size_t i = 0; i < outline->count && count < CROSSINGS_MAX; i++) {
        const reha_point_mm a = outline->points[i];
        const reha_point_mm b = outline->points[(i + 1) % outline->count];
        if ((a.y_mm <= y) != (b.y_mm <= y)) {
            crossings[count++] = a.x_mm + (y - a.y_mm) / (b.y_mm - a.y_mm) * (b.x_mm - a.x_mm);
        }
    }
    for (int c = 0; c < map->columns; c++) {
        const double x = map->x0_mm + c * GRID_STEP_MM;
        bool is_inside = false;
        for (size_t i = 0; i < count; i++) {
            is_inside = is_inside != (crossings[i] < x);
        }
        row[c] = is_inside ? sqrtf(row[c]) : -sqrtf(row[c]);
    }
}

static reha_status map_init(distance_map *map, const reha_outline *outline, reha_box_px region_mm,
                            reha_error *err)
{
    map->x0_mm = region_mm.x_px;
    map->y0_mm = region_mm.y_px;
    map->columns = 2 + (int)ceil(region_mm.width_px / GRID_STEP_MM);
    map->rows = 2 + (int)ceil(region_mm.height_px / GRID_STEP_MM);
    const size_t count = (size_t)map->columns * (size_t)map->rows;
    map->values = reha_alloc(count * sizeof *map->values);
    if (map->values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a phantom");
    }
    for (size_t i = 0; i < count; i++) {
        map->values[i] = (float)(BAND_MM * BAND_MM);
    }
    for (size_t i = 0; i < outline->count; i++) {
        splat_piece(map, outline->points[i], outline->points[(i + 1) % outline->count]);
    }
    for (int r = 0; r < map->rows; r++) {
        sign_row(map, outline, r, map->values + (size_t)r * (size_t)map->columns);
    }
    return REHA_OK;
}

static double distance_at(const distance_map *map, double x_mm, double y_mm)
{
    const double u = (x_mm - map->x0_mm) / GRID_STEP_MM;
    const double v = (y_mm - map->y0_mm) / GRID_STEP_MM;
    const int c = (int)fmin(fmax(u, 0.0), map->columns - 2.0);
    const int r = (int)fmin(fmax(v, 0.0), map->rows - 2.0);
    const float fx = (float)fmin(fmax(u - c, 0.0), 1.0);
    const float fy = (float)fmin(fmax(v - r, 0.0), 1.0);
    const float *at = map->values + (size_t)r * (size_t)map->columns + (size_t)c;
    const float upper = at[0] + fx * (at[1] - at[0]);
    const float lower = at[map->columns] + fx * (at[map->columns + 1] - at[map->columns]);
    return (double)(upper + fy * (lower - upper));
}

/* ---- texture: value noise in millimetres, so that it does not depend on the pixel size ---- */

static float lattice(int32_t x, int32_t y, uint32_t seed)
{
    uint32_t h = seed ^ (uint32_t)x * UINT32_C(0x9e3779b1) ^ (uint32_t)y * UINT32_C(0x85ebca77);
    h ^= h >> 15;
    h *= UINT32_C(0x2c1b3c6d);
    h ^= h >> 12;
    h *= UINT32_C(0x297a2d39);
    h ^= h >> 15;
    return (float)(h >> 8) * (2.0f / 16777216.0f) - 1.0f;
}

static double noise_at(double x, double y, uint32_t seed)
{
    const double left = floor(x);
    const double top = floor(y);
    const float fx = (float)(x - left);
    const float fy = (float)(y - top);
    const float u = fx * fx * (3.0f - 2.0f * fx);
    const float v = fy * fy * (3.0f - 2.0f * fy);
    const int32_t i = (int32_t)left;
    const int32_t j = (int32_t)top;
    const float upper = (1.0f - u) * lattice(i, j, seed) + u * lattice(i + 1, j, seed);
    const float lower = (1.0f - u) * lattice(i, j + 1, seed) + u * lattice(i + 1, j + 1, seed);
    return (double)((1.0f - v) * upper + v * lower);
}

/* Trabeculae: mostly along the load (up and down), some across, and patches of differing density. */
static double trabecular_at(double x_mm, double y_mm, uint32_t seed)
{
    const double sway = 0.9 * noise_at(x_mm / 9.0, y_mm / 9.0, seed + 5);
    return 0.42 * noise_at((x_mm + sway) / 0.62, y_mm / 4.2, seed + 1) +
           0.34 * noise_at((x_mm + sway) / 1.15, y_mm / 7.0, seed + 2) +
           0.22 * noise_at(x_mm / 0.8, y_mm / 0.8, seed + 3) +
           0.30 * noise_at(x_mm / 6.5, y_mm / 8.5, seed + 4);
}

/* ---- the thickness model ---- */

typedef struct knee_scene {
    const reha_phantom_knee *knee;
    double size;
    uint32_t seed;
    distance_map tibia, femur, fibula;
} knee_scene;

/* Path through a rounded body at distance d from its rim: 0 at the rim, 1 from `radius` on. */
static double path_at(double d_mm, double radius_mm)
{
    if (d_mm <= 0.0) {
        return 0.0;
    }
    const double left = 1.0 - d_mm / radius_mm;
    return left <= 0.0 ? 1.0 : sqrt(1.0 - left * left);
}

static double bell(double away_mm, double width_mm)
{
    const double t = away_mm / width_mm;
    return fabs(t) > 4.0 ? 0.0 : exp(-0.5 * t * t);
}

static double step_between(double value, double from, double to)
{
    const double t = fmin(fmax((value - from) / (to - from), 0.0), 1.0);
    return t * t * (3.0 - 2.0 * t);
}

/* A hollow bone: shell of cortical bone of a given wall, trabecular (or marrow) inside. */
static double bone_at(double d_mm, double radius_mm, double wall_mm, double core, double texture)
{
    if (d_mm <= 0.0) {
        return 0.0;
    }
    const double full = path_at(d_mm, radius_mm);
    const double inner_share = fmax(radius_mm - wall_mm, 0.0) / radius_mm;
    const double inner = inner_share * path_at(d_mm - wall_mm, radius_mm - wall_mm);
    const double cortical = 2.3;
    return cortical * (full - inner) + core * inner * (1.0 + 0.20 * texture);
}

static double tibia_at(const knee_scene *scene, double x, double y)
{
    const double d = distance_at(&scene->tibia, x, y);
    if (d <= 0.0) {
        return 0.0;
    }
    const double size = scene->size;
    const double u = x / size;
    const double v = y / size;
    const double shaft = step_between(v, 12.0, 95.0);
    const double wall = 0.75 + 3.6 * step_between(v, 25.0, 150.0);
    /* The plateau lies along the beam: its edge is sharp. The shaft is round. */
    const double radius = 6.0 + 6.6 * step_between(v, 0.0, 45.0);
    const double texture = trabecular_at(x, y, scene->seed);
    double value = bone_at(d, radius * size, wall, 1.0 - 0.42 * shaft, texture * (1.0 - 0.6 * shaft));

    /* Subchondral plate: thicker and denser on the concave medial side, more so with sclerosis. */
    const double depth = y - reha_phantom_tibia_y(x, size);
    const double medial = bell(u - 25.0, 7.5);
    const double lateral = bell(u + 26.0, 7.5);
    const double plate = 0.16 + 0.46 * medial + 0.24 * lateral;
    const double sclerosis =
        scene->knee->medial_sclerosis * medial + scene->knee->lateral_sclerosis * lateral;
    if (fabs(u) < 41.0 && depth < 25.0) {
        value += plate * bell(depth - 1.0, 0.75) + 0.24 * (medial + 0.5 * lateral) * bell(depth - 2.0, 2.6);
        value += sclerosis * (0.34 * bell(depth - 1.5, 2.8) + 0.14 * bell(depth - 3.0, 5.5));
        /* The far rim of the plateau, seen through the bone. */
        const double rim = 3.4 + 1.6 * bell(u - 20.0, 14.0) - 1.2 * bell(u, 9.0) + 0.4 * sin(0.21 * u);
        value += 0.17 * bell(depth - rim, 0.6) * step_between(38.0 - fabs(u), 0.0, 8.0);
    }
    /* Scar of the growth plate. */
    const double scar = 17.5 + 0.0035 * u * u + 0.9 * sin(0.19 * u + 1.0) - v;
    value += 0.08 * bell(scar, 0.7) * step_between(33.0 - fabs(u), 0.0, 6.0);
    return value;
}

static double femur_at(const knee_scene *scene, double x, double y)
{
    const double d = distance_at(&scene->femur, x, y);
    if (d <= 0.0) {
        return 0.0;
    }
    const double size = scene->size;
    const double u = x / size;
    const double v = y / size;
    const double shaft = step_between(-v, 45.0, 125.0);
    const double wall = 0.6 + 4.4 * step_between(-v, 55.0, 180.0);
    const double texture = trabecular_at(x, y, scene->seed + 100);
    const double radius = 7.0 + 6.5 * step_between(-v, 15.0, 60.0);
    double value = bone_at(d, radius * size, wall, 1.06 - 0.40 * shaft, texture * (1.0 - 0.6 * shaft));

    /* Subchondral plate of the condyles, the roof of the notch, and the inner walls of the condyles that
     * stand along the beam. */
    const double surface = bell(d - 0.7, 0.6) * step_between(v, -30.0, -16.0);
    value += 0.20 * surface;
    const double medial = bell(u - 25.0, 8.0);
    const double lateral = bell(u + 26.0, 8.0);
    const double sclerosis =
        scene->knee->medial_sclerosis * medial + scene->knee->lateral_sclerosis * lateral;
    if (v > -30.0) {
        value += sclerosis * (0.22 * bell(d - 1.5, 2.4) + 0.10 * bell(d - 3.0, 5.0));
    }
    const double lateral_wall = -12.5 - 0.09 * (v + 20.0) + 0.5 * sin(0.25 * v);
    const double medial_wall = 15.5 + 0.07 * (v + 20.0) + 0.5 * sin(0.21 * v + 2.0);
    value += 0.12 * bell(u - lateral_wall, 0.7) * bell(v + 31.0, 6.5);
    value += 0.22 * bell(u - medial_wall, 0.7) * bell(v + 31.0, 8.0);
    const double roof = -37.0 - 4.0 * bell(u - 1.0, 9.0) + 0.5 * sin(0.4 * u);
    value += 0.10 * bell(v - roof, 0.9) * bell(u - 1.0, 9.0);
    const double scar = -43.5 - 0.0028 * u * u + 1.1 * sin(0.17 * u + 0.4);
    value += 0.11 * bell(v - scar, 0.7) * step_between(38.0 - fabs(u), 0.0, 8.0);
    return value;
}

static double patella_at(const knee_scene *scene, double x, double y)
{
    const double u = x / scene->size - 1.5;
    const double v = y / scene->size + 53.0;
    const double turn = atan2(v, u);
    /* Broad above, blunt tip below, a little uneven. */
    const double radius = 22.0 * (1.0 + 0.04 * cos(2.0 * turn) - 0.05 * sin(3.0 * turn) +
                                  0.02 * noise_at(4.0 * cos(turn), 4.0 * sin(turn), scene->seed + 301));
    const double d = radius - hypot(u, v);
    return d <= 0.0 ? 0.0 : bone_at(d, 13.0, 0.35, 1.0, 0.0);
}

static double fibula_at(const knee_scene *scene, double x, double y)
{
    const double d = distance_at(&scene->fibula, x, y);
    const double shaft = step_between(y / scene->size, 30.0, 110.0);
    const double texture = d > 0.0 ? trabecular_at(x, y, scene->seed + 200) : 0.0;
    return bone_at(d, 8.0 * scene->size, 0.45 + 1.5 * shaft, 0.62, texture);
}

/* Half width of the leg at this height. */
static double leg_half_width(double v, bool is_lateral)
{
    static const double heights[] = {-260.0, -180.0, -110.0, -60.0, -20.0, 15.0, 60.0, 110.0, 180.0, 260.0};
    static const double lateral[] = {88.0, 82.0, 74.0, 66.0, 62.0, 61.0, 63.0, 68.0, 64.0, 54.0};
    static const double medial[] = {96.0, 90.0, 80.0, 69.0, 63.0, 60.0, 64.0, 71.0, 66.0, 52.0};
    const double *widths = is_lateral ? lateral : medial;
    size_t i = 0;
    while (i < 8 && heights[i + 1] < v) {
        i++;
    }
    const double t = step_between(v, heights[i], heights[i + 1]);
    return widths[i] + t * (widths[i + 1] - widths[i]);
}

static double tissue_at(const knee_scene *scene, double x, double y)
{
    const double u = x / scene->size;
    const double v = y / scene->size;
    const double half = leg_half_width(v, u < 0.0) + 1.2 * noise_at(3.0, v / 30.0, scene->seed + 400);
    const double skin = path_at(half - fabs(u), half);
    if (skin <= 0.0) {
        return 0.0;
    }
    const double fat_mm = 8.0 + 1.5 * noise_at(7.0, v / 25.0, scene->seed + 401);
    const double muscle = path_at(half - fat_mm - fabs(u), half - fat_mm);
    const double strands =
        noise_at(u / 7.0, v / 45.0, scene->seed + 402) + 0.4 * noise_at(u / 2.2, v / 30.0, scene->seed + 403);
    return 0.55 * skin + 0.45 * muscle * (1.0 + 0.035 * strands);
}

/* Everything of one knee at a point: share of soft tissue and of bone. */
static double knee_at(const knee_scene *scene, reha_point_mm at)
{
    const double tissue = tissue_at(scene, at.x_mm, at.y_mm);
    if (tissue <= 0.0) {
        return 0.0;
    }
    const double bone = 0.235 * (tibia_at(scene, at.x_mm, at.y_mm) + femur_at(scene, at.x_mm, at.y_mm)) +
                        0.11 * fibula_at(scene, at.x_mm, at.y_mm) +
                        0.042 * patella_at(scene, at.x_mm, at.y_mm);
    return 0.47 * tissue + scene->knee->density * bone;
}

/* ---- the film ---- */

/* The part of the knee's plane that the image shows, cut to what is drawn at all. */
static reha_box_px seen_region(const reha_phantom_spec *spec, const reha_phantom_knee *knee)
{
    double low_x = INFINITY, low_y = INFINITY, high_x = -INFINITY, high_y = -INFINITY;
    for (int corner = 0; corner < 4; corner++) {
        const reha_point_mm at =
            reha_phantom_to_mm(knee, spec->mm_per_px,
                               (reha_point_px){(corner & 1) != 0 ? (double)spec->width_px : -1.0,
                                               (corner & 2) != 0 ? (double)spec->height_px : -1.0});
        low_x = fmin(low_x, at.x_mm);
        low_y = fmin(low_y, at.y_mm);
        high_x = fmax(high_x, at.x_mm);
        high_y = fmax(high_y, at.y_mm);
    }
    low_x = fmin(fmax(low_x - 1.0, -110.0), 100.0);
    low_y = fmin(fmax(low_y - 1.0, -250.0), 240.0);
    high_x = fmax(fmin(high_x + 1.0, 110.0), low_x + 1.0);
    high_y = fmax(fmin(high_y + 1.0, 250.0), low_y + 1.0);
    return (reha_box_px){low_x, low_y, high_x - low_x, high_y - low_y};
}

static void scene_clear(knee_scene *scene)
{
    reha_free(scene->tibia.values);
    reha_free(scene->femur.values);
    reha_free(scene->fibula.values);
}

static reha_status scene_init(knee_scene *scene, const reha_phantom_spec *spec, int idx, reha_error *err)
{
    const reha_phantom_knee *knee = &spec->knees[idx];
    scene->knee = knee;
    scene->seed = (uint32_t)((spec->seed * UINT64_C(0x9e3779b97f4a7c15)) >> 32) + (uint32_t)idx * 7919u;
    reha_knee_shape *shape = reha_alloc_zero(1, sizeof *shape);
    if (shape == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for a phantom");
    }
    reha_status status = REHA_OK;
    reha_knee_shape_make(knee, shape);
    scene->size = shape->size;
    const reha_box_px region = seen_region(spec, knee);
    REHA_CHECK(map_init(&scene->tibia, &shape->tibia, region, err));
    REHA_CHECK(map_init(&scene->femur, &shape->femur, region, err));
    REHA_CHECK(map_init(&scene->fibula, &shape->fibula, region, err));
done:
    reha_free(shape);
    return status;
}

typedef struct paint_job {
    const knee_scene *scene;
    double mm_per_px;
    double factor; /* fine pixels per pixel */
    reha_gray *fine;
} paint_job;

static reha_status paint_row(void *context, size_t y, size_t thread_idx, reha_error *err)
{
    (void)thread_idx;
    (void)err;
    const paint_job *work = context;
    float *row = work->fine->pixels + y * work->fine->width_px;
    for (uint32_t x = 0; x < work->fine->width_px; x++) {
        /* Centre of the fine pixel in coordinates of the final image. */
        const reha_point_px at = {((double)x + 0.5) / work->factor - 0.5,
                                  ((double)y + 0.5) / work->factor - 0.5};
        const double value = knee_at(work->scene, reha_phantom_to_mm(work->scene->knee, work->mm_per_px, at));
        row[x] = fmaxf(row[x], (float)value);
    }
    return REHA_OK;
}

/* Lead letters are opaque: 5 x 7 cells beside the joint, on the lateral side. */
static void paint_marker(const reha_phantom_spec *spec, const reha_phantom_knee *knee, reha_gray *image)
{
    static const char *const letters[2] = {"####.#...##...#####.#.#..#..#.#...#",
                                           "#....#....#....#....#....#....#####"};
    const char *letter = letters[knee->side == REHA_SIDE_LEFT ? 1 : 0];
    const double cell_px = 1.7 / spec->mm_per_px;
    const double away_px = 88.0 / spec->mm_per_px;
    const double x0 =
        knee->joint_px.x_px + (knee->side == REHA_SIDE_LEFT ? away_px : -away_px) - 2.5 * cell_px;
    const double y0 = knee->joint_px.y_px + 55.0 / spec->mm_per_px;
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const double c = floor(((double)x - x0) / cell_px);
            const double r = floor(((double)y - y0) / cell_px);
            if (c >= 0.0 && c < 5.0 && r >= 0.0 && r < 7.0 && letter[(int)r * 5 + (int)c] == '#') {
                image->pixels[(size_t)y * image->width_px + x] = 1.25f;
            }
        }
    }
}

/* Thickness to grey levels: exposure, contrast, noise (a little correlated, as detectors make it), whole
 * numbers. */
static void develop(const reha_phantom_spec *spec, const reha_gray *noise, reha_gray *image)
{
    const double full = ldexp(1.0, (int)spec->bits) - 1.0;
    const size_t count = (size_t)image->width_px * image->height_px;
    for (size_t i = 0; i < count; i++) {
        const double thickness = (double)image->pixels[i];
        /* The curve of the film: steep in the middle, flat at both ends. */
        const double tone = 0.5 + spec->contrast * (thickness - 0.61) + 0.45 * spec->exposure;
        const double curved = tone <= 0.15   ? 0.15 * exp((tone - 0.15) / 0.15)
                              : tone >= 0.85 ? 1.0 - 0.15 * exp((0.85 - tone) / 0.15)
                                             : tone;
        double value = curved + spec->noise_sd * (double)noise->pixels[i];
        value = fmin(fmax(value, 0.0), 1.0);
        image->pixels[i] = (float)round(full * (spec->is_inverted ? 1.0 - value : value));
    }
}

static reha_status make_noise(const reha_phantom_spec *spec, reha_gray **out, reha_error *err)
{
    reha_gray *white = NULL;
    REHA_TRY(reha_gray_new(spec->width_px, spec->height_px, &white, err));
    reha_random random = reha_random_init(spec->seed, 0x6e6f697365);
    const size_t count = (size_t)spec->width_px * spec->height_px;
    for (size_t i = 0; i < count && spec->noise_sd > 0.0; i++) {
        white->pixels[i] = (float)reha_random_normal(&random);
    }
    const double sigma_px = 0.6;
    const reha_status status = reha_gray_blur(white, sigma_px, out, err);
    reha_gray_free(white);
    REHA_TRY(status);
    /* A blur of sigma takes white noise down by 1 / (2 sqrt(pi) sigma): put it back. */
    for (size_t i = 0; i < count; i++) {
        (*out)->pixels[i] *= (float)(2.0 * 1.7724538509 * sigma_px);
    }
    return REHA_OK;
}

reha_status reha_phantom_paint(const reha_phantom_spec *spec, reha_gray **out, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *fine = NULL;
    reha_gray *image = NULL;
    reha_gray *blurred = NULL;
    reha_gray *noise = NULL;
    const uint32_t factor = (uint32_t)fmax(1.0, ceil(spec->mm_per_px / FINE_STEP_MM));
    REHA_CHECK(reha_gray_new(spec->width_px * factor, spec->height_px * factor, &fine, err));
    for (int i = 0; i < spec->knee_count; i++) {
        knee_scene scene = {0};
        status = scene_init(&scene, spec, i, err);
        if (status == REHA_OK) {
            paint_job work = {&scene, spec->mm_per_px, (double)factor, fine};
            status = reha_parallel_for(fine->height_px, 0, paint_row, &work, err);
        }
        scene_clear(&scene);
        if (status != REHA_OK) {
            goto done;
        }
    }
    REHA_CHECK(reha_gray_resize(fine, spec->width_px, spec->height_px, REHA_FILTER_AREA, &image, err));
    const double sigma_px = spec->blur_mm / spec->mm_per_px;
    if (sigma_px > 0.2) {
        REHA_CHECK(reha_gray_blur(image, sigma_px, &blurred, err));
        reha_gray_free(image);
        image = blurred;
        blurred = NULL;
    }
    for (int i = 0; spec->has_marker && i < spec->knee_count; i++) {
        paint_marker(spec, &spec->knees[i], image);
    }
    REHA_CHECK(make_noise(spec, &noise, err));
    develop(spec, noise, image);
    image->spacing = spec->is_spacing_known
                         ? (reha_spacing){spec->mm_per_px, spec->mm_per_px, REHA_SPACING_CALIBRATED}
                         : reha_spacing_unknown();
    *out = image;
    image = NULL;
done:
    reha_gray_free(fine);
    reha_gray_free(image);
    reha_gray_free(blurred);
    reha_gray_free(noise);
    return status;
}
