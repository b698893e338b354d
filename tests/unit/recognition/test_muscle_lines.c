/* Frame, ruler, lines, direction and lengths on drawn pictures and maps of known geometry. Needs no model. */
#include "muscle_picture.h"

#include "base/memory.h"
#include "recognition/muscle_measure.h"
#include "recognition/muscle_ruler.h"

#include <string.h>

enum { MAP = REHA_MUSCLE_MAP_PX };
static const double DEG = 180.0 / 3.14159265358979323846;
static float aponeurosis[MAP * MAP];
static float fascicle[MAP * MAP];
static const reha_muscle_frame frame = {
    .box = {100, 50, 480, 480}, .low = 0, .high = 255, .speckle = 1, .cover = 1};

static void assert_near(double value, double wanted, double within)
{
    if (!(fabs(value - wanted) <= within)) {
        fail_msg("%g, expected %g within %g", value, wanted, within);
    }
}

static void point_of(int cell, double *x, double *y)
{
    *x = frame.box.x_px + (cell % MAP + 0.5) / MAP * frame.box.width_px - 0.5;
    *y = frame.box.y_px + ((double)(cell / MAP) + 0.5) / MAP * frame.box.height_px - 0.5;
}

/* Soft bands 12 px thick whose facing edges are y = top + slope (x - 340) and y = bottom + slope (x - 340).
 */
static void draw_bands(double top, double top_slope, double bottom, double bottom_slope)
{
    memset(aponeurosis, 0, sizeof aponeurosis);
    for (int i = 0; i < MAP * MAP; i++) {
        double x = 0.0;
        double y = 0.0;
        point_of(i, &x, &y);
        const double above = top + top_slope * (x - 340.0) - y;
        const double below = y - bottom - bottom_slope * (x - 340.0);
        const double a = fmin(above, 12.0 - above);
        const double b = fmin(below, 12.0 - below);
        aponeurosis[i] = (float)(1.0 / (1.0 + exp(-fmax(a, b))));
    }
}

/* Lines every 40 px along y at `deep` degrees at the bottom and `shallow` at the top, broken into pieces. */
static void draw_fascicles(double deep_deg, double shallow_deg, double top, double bottom)
{
    memset(fascicle, 0, sizeof fascicle);
    for (int line = 0; line < 12; line++) {
        for (int piece = 0; piece < 3; piece++) {
            const double share = 0.15 + 0.35 * piece;
            const double angle = (deep_deg + (shallow_deg - deep_deg) * share) / DEG;
            const double cx = 130.0 + 40.0 * line;
            const double cy = bottom + share * (top - bottom);
            for (double t = -22.0; t <= 22.0; t += 0.5) {
                const double x = cx + t * cos(angle);
                const double y = cy - t * sin(angle);
                const int column = (int)((x + 0.5 - frame.box.x_px) / frame.box.width_px * MAP);
                const int row = (int)((y + 0.5 - frame.box.y_px) / frame.box.height_px * MAP);
                if (column >= 0 && column < MAP && row >= 0 && row < MAP) {
                    fascicle[row * MAP + column] = 0.9F;
                }
            }
        }
    }
}

static reha_muscle_measurement measure(void)
{
    reha_error err = REHA_ERROR_INIT;
    reha_muscle_measurement m;
    assert_ok(reha_muscle_measure(NULL, &frame, aponeurosis, fascicle, &m, &err), &err);
    return m;
}

static void tissue_is_found_and_drawings_are_not(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_muscle_frame found;
    const muscle_picture spec = muscle_picture_default();
    reha_gray *image = muscle_picture_draw(&spec);
    assert_ok(reha_muscle_frame_find(image, &found, &err), &err);
    assert_near(found.box.x_px, TISSUE_X, 9);
    assert_near(found.box.y_px, TISSUE_Y, 9);
    assert_near(found.box.x_px + found.box.width_px, TISSUE_X + TISSUE_W, 9);
    assert_near(found.box.y_px + found.box.height_px, TISSUE_Y + TISSUE_H, 9);
    assert_true(found.speckle > 0.9);
    for (int i = 0; i < PICTURE_W * PICTURE_H; i++) {
        image->pixels[i] = (float)(i % PICTURE_W / 5); /* a smooth wedge */
    }
    assert_ok(reha_muscle_frame_find(image, &found, &err), &err);
    assert_true(found.speckle < 0.5);
    memset(image->pixels, 0, sizeof(float) * PICTURE_W * PICTURE_H);
    assert_ok(reha_muscle_frame_find(image, &found, &err), &err);
    assert_true(found.speckle == 0.0 && found.sd == 0.0);
    reha_gray_free(image);
}

static reha_muscle_ruler ruler_of(const muscle_picture *spec)
{
    reha_error err = REHA_ERROR_INIT;
    reha_muscle_frame found;
    reha_muscle_ruler ruler;
    reha_gray *image = muscle_picture_draw(spec);
    assert_ok(reha_muscle_frame_find(image, &found, &err), &err);
    assert_ok(reha_muscle_ruler_read(image, &found, &ruler, &err), &err);
    reha_gray_free(image);
    return ruler;
}

static void rulers_are_read_only_when_clear(void **state)
{
    (void)state;
    muscle_picture spec = muscle_picture_default();
    reha_muscle_ruler ruler = ruler_of(&spec);
    assert_true(ruler.is_certain);
    assert_int_equal(ruler.tick_count, 8);
    assert_near(ruler.step_px, 70.0, 0.15);
    assert_true(ruler.unit_mm == 10.0);
    spec.ticks_alternate = true;
    spec.tick_step_px = 39;
    ruler = ruler_of(&spec);
    assert_true(ruler.is_certain);
    assert_near(ruler.step_px, 39.0, 0.15);
    assert_true(ruler.unit_mm == 5.0);
    spec = muscle_picture_default();
    spec.missing_tick = 4;
    assert_false(ruler_of(&spec).is_certain);
    spec.missing_tick = -1;
    spec.tick_step_px = 0;
    assert_false(ruler_of(&spec).is_certain);
}

static void angles_and_thickness_are_those_drawn(void **state)
{
    (void)state;
    draw_bands(140.0, -0.05, 260.0, 0.10);
    draw_fascicles(15.0, 15.0, 140.0, 260.0);
    const reha_muscle_measurement m = measure();
    assert_true(m.has_superficial && m.has_deep);
    assert_near(m.superficial_angle_deg, DEG * atan(0.05), 0.15); /* rises to the right: positive */
    assert_near(m.deep_angle_deg, -DEG * atan(0.10), 0.15);
    assert_near(m.fascicle_angle_deg, 15.0, 1.0);
    assert_near(m.pennation_deg, 15.0 + DEG * atan(0.10), 1.1);
    assert_near(m.thickness_px, 120.0 * cos(atan(0.025)), 2.5);
    assert_int_equal(m.direction_source, REHA_MUSCLE_DIRECTION_FASCICLES);
    /* Not bent: the curved length is the straight one. */
    if (isfinite(m.length_curved_px)) {
        assert_near(m.length_curved_px / m.length_px, 1.0, 0.08);
    }
    assert_true(m.length_px > m.thickness_px && m.length_outside > 0.0 && m.length_outside < 1.0);
}

static void length_is_thickness_over_sine_between_parallels(void **state)
{
    (void)state;
    draw_bands(140.0, 0.0, 260.0, 0.0);
    draw_fascicles(20.0, 20.0, 140.0, 260.0);
    const reha_muscle_measurement m = measure();
    assert_near(m.length_px, 120.0 / sin(20.0 / DEG), 16.0);
    assert_near(m.length_sd_px, 0.0, 1.0);
    /* Mirrored, everything stays but the sign. */
    draw_fascicles(-20.0, -20.0, 140.0, 260.0);
    const reha_muscle_measurement mirrored = measure();
    assert_near(mirrored.fascicle_angle_deg, -m.fascicle_angle_deg, 1.0);
    assert_near(mirrored.pennation_deg, m.pennation_deg, 1.0);
    assert_near(mirrored.length_px, m.length_px, 12.0);
}

static void bending_is_followed(void **state)
{
    (void)state;
    draw_bands(140.0, 0.0, 260.0, 0.0);
    draw_fascicles(26.0, 12.0, 140.0, 260.0); /* flatter towards the superficial aponeurosis */
    const reha_muscle_measurement m = measure();
    assert_true(isfinite(m.length_curved_px));
    assert_near(m.bending_deg, -14.0, 3.5);
    double wanted = 0.0; /* integral of dy / sin(angle(y)) */
    for (int i = 0; i < 1000; i++) {
        wanted += 0.12 / sin((26.0 - 14.0 * (i + 0.5) / 1000.0) / DEG);
    }
    assert_near(m.length_curved_px / wanted, 1.0, 0.10);
}

static void gaps_are_bridged_and_one_line_is_not_two(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_muscle_band bands[REHA_MUSCLE_CURVES_MAX];
    int count = 0;
    draw_bands(140.0, 0.08, 300.0, 0.02);
    for (int i = 0; i < MAP * MAP; i++) {
        if (i % MAP > 60 && i % MAP < 80) {
            aponeurosis[i] = 0.0F;
        }
    }
    assert_ok(reha_muscle_find_bands(aponeurosis, frame.box, 0.5, bands, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_true(bands[0].y_middle_px < bands[1].y_middle_px);
    assert_near(bands[0].edges[REHA_MUSCLE_LOWER_EDGE].slope, 0.08, 0.005);
    assert_near(bands[0].edges[REHA_MUSCLE_LOWER_EDGE].coverage, 1.0 - 19.0 / MAP, 0.02);
    memset(aponeurosis, 0, sizeof aponeurosis);
    assert_ok(reha_muscle_find_bands(aponeurosis, frame.box, 0.5, bands, &count, &err), &err);
    assert_int_equal(count, 0);
}

static void nothing_to_see_is_no_number(void **state)
{
    (void)state;
    memset(aponeurosis, 0, sizeof aponeurosis);
    memset(fascicle, 0, sizeof fascicle);
    const reha_muscle_measurement m = measure();
    assert_false(m.has_superficial || m.has_deep);
    assert_true(isnan(m.thickness_px) && isnan(m.fascicle_angle_deg) && isnan(m.length_px) &&
                isnan(m.pennation_deg));
    assert_int_equal(m.direction_source, REHA_MUSCLE_DIRECTION_NONE);
}

static void texture_tells_the_direction(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    for (int sign = -1; sign <= 1; sign += 2) {
        muscle_picture spec = muscle_picture_default();
        spec.fascicle_deg = sign * 17.0;
        reha_gray *image = muscle_picture_draw(&spec);
        reha_muscle_frame found;
        double angle = 0.0;
        double share = 0.0;
        reha_muscle_measurement belly = {.has_superficial = true, .has_deep = true};
        belly.superficial = (reha_muscle_curve){.coefficients = {110, 0, 0}, .x_middle = 330, .x_half = 236};
        belly.deep = (reha_muscle_curve){.coefficients = {262, 0, 0}, .x_middle = 330, .x_half = 236};
        assert_ok(reha_muscle_frame_find(image, &found, &err), &err);
        assert_ok(reha_muscle_texture(image, &found, &belly, &angle, &share, &err), &err);
        assert_near(angle, sign * 17.0, 2.0);
        assert_true(share > 0.4);
        reha_gray_free(image);
    }
}

static void medians_of_directions(void **state)
{
    (void)state;
    double spread = 0.0;
    const reha_muscle_segment around[4] = {{.angle_deg = 89, .length_px = 10},
                                           {.angle_deg = -89, .length_px = 10},
                                           {.angle_deg = 88, .length_px = 30},
                                           {.angle_deg = 0, .length_px = 1}};
    assert_near(fabs(reha_muscle_median_angle(around, 4, &spread)), 88.0,
                1.1); /* not 0: 89 and -89 are neighbours */
    assert_true(spread < 3.0);
    assert_true(isnan(reha_muscle_median_angle(around, 0, &spread)) && isnan(spread));
}

static void memory_may_run_out(void **state)
{
    (void)state;
    draw_bands(140.0, 0.0, 260.0, 0.0);
    draw_fascicles(20.0, 20.0, 140.0, 260.0);
    const muscle_picture spec = muscle_picture_default();
    reha_gray *image = muscle_picture_draw(&spec);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 100; n++) {
        reha_muscle_measurement m;
        reha_muscle_frame found;
        reha_muscle_ruler ruler;
        reha_mem_fail_after(n);
        status = reha_muscle_frame_find(image, &found, NULL);
        status = status == REHA_OK ? reha_muscle_ruler_read(image, &found, &ruler, NULL) : status;
        status =
            status == REHA_OK ? reha_muscle_measure(image, &frame, aponeurosis, fascicle, &m, NULL) : status;
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    assert_int_equal(status, REHA_OK);
    reha_gray_free(image);
}

/* Where a deep aponeurosis forks, the belly ends at the upper arm, wherever the stronger one goes. */
static void forks_are_followed_along_the_belly(void **state)
{
    (void)state;
    draw_bands(150.0, 0.0, 300.0, 0.0);
    draw_fascicles(15.0, 15.0, 150.0, 300.0);
    for (int i = 0; i < MAP * MAP; i++) { /* a second, thicker arm that leaves at the middle, downwards */
        double x = 0.0;
        double y = 0.0;
        point_of(i, &x, &y);
        const double below = y - 304.0 - 0.25 * fmax(0.0, x - 340.0);
        aponeurosis[i] = fmaxf(aponeurosis[i], (float)(1.0 / (1.0 + exp(-fmin(below, 16.0 - below)))));
    }
    const reha_muscle_measurement m = measure();
    assert_near(m.deep_angle_deg, 0.0, 0.3);
    assert_near(m.thickness_px, 150.0, 2.0);
}

/* A third of a line between two whole ones is passed over; a whole one is the border. */
static void a_line_hardly_seen_is_no_border(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        draw_bands(150.0, 0.0, 400.0, 0.0);
        memset(fascicle, 0, sizeof fascicle);
        draw_fascicles(15.0, 15.0, 150.0, 400.0);
        for (int i = 0; i < MAP * MAP; i++) {
            double x = 0.0;
            double y = 0.0;
            point_of(i, &x, &y);
            if (fabs(y - 260.0) < 6.0 && (whole == 1 || fabs(x - 340.0) < 80.0)) {
                aponeurosis[i] = 0.9F;
            }
        }
        const reha_muscle_measurement m = measure();
        assert_true(m.has_superficial && m.has_deep);
        if (whole == 0) {
            assert_near(m.thickness_px, 250.0, 3.0);
        } else {
            assert_true(m.thickness_px < 150.0);
        }
    }
}

/* Pieces too faint to be cut out still tell the direction, and the result says that they are faint. */
static void faint_traces_tell_the_direction(void **state)
{
    (void)state;
    static const double angles[] = {18.0, -18.0};
    for (int k = 0; k < 2; k++) {
        draw_bands(150.0, 0.0, 300.0, 0.0);
        draw_fascicles(angles[k], angles[k], 150.0, 300.0);
        for (int i = 0; i < MAP * MAP; i++) {
            fascicle[i] *= 0.25F;
        }
        const reha_muscle_measurement m = measure();
        assert_int_equal(m.direction_source, REHA_MUSCLE_DIRECTION_FAINT);
        assert_near(m.fascicle_angle_deg, angles[k], 2.0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tissue_is_found_and_drawings_are_not),
        cmocka_unit_test(rulers_are_read_only_when_clear),
        cmocka_unit_test(angles_and_thickness_are_those_drawn),
        cmocka_unit_test(length_is_thickness_over_sine_between_parallels),
        cmocka_unit_test(bending_is_followed),
        cmocka_unit_test(gaps_are_bridged_and_one_line_is_not_two),
        cmocka_unit_test(forks_are_followed_along_the_belly),
        cmocka_unit_test(a_line_hardly_seen_is_no_border),
        cmocka_unit_test(faint_traces_tell_the_direction),
        cmocka_unit_test(nothing_to_see_is_no_number),
        cmocka_unit_test(texture_tells_the_direction),
        cmocka_unit_test(medians_of_directions),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("muscle lines", tests, NULL, NULL);
}
