/* Volumes and planes through them, on volumes whose values are a known function of the millimetres. */
#include "support.h"

#include "base/memory.h"
#include "image/reformat.h"

#include <math.h>
#include <string.h>

/* Oblique, uneven voxels, as a knee scan has them: sagittal slices, tilted. */
static reha_affine3 tilted(void)
{
    const double a = 0.2;
    const double b = -0.15;
    const double step[3] = {0.7, 0.5, 3.0};
    /* columns: i mostly to the back, j mostly to the feet, k mostly to the left, then turned by a and b */
    const double base[3][3] = {{0, 0, 1}, {1, 0, 0}, {0, -1, 0}};
    reha_affine3 map = {{{0}}};
    for (int c = 0; c < 3; c++) {
        const double x = base[0][c] * cos(a) - base[1][c] * sin(a);
        const double y = base[0][c] * sin(a) + base[1][c] * cos(a);
        const double z = base[2][c];
        map.m[0][c] = step[c] * x;
        map.m[1][c] = step[c] * (y * cos(b) - z * sin(b));
        map.m[2][c] = step[c] * (y * sin(b) + z * cos(b));
    }
    map.m[0][3] = -31.0;
    map.m[1][3] = 12.5;
    map.m[2][3] = 140.0;
    return map;
}

static double ramp(reha_point3_mm at)
{
    return 5.0 + 0.3 * at.x_mm - 0.7 * at.y_mm + 1.1 * at.z_mm;
}

static reha_volume *ramp_volume(const uint32_t size[3], const reha_affine3 *map)
{
    reha_volume *volume = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_volume_new(size, map, &volume, &err), &err);
    for (uint32_t k = 0; k < size[2]; k++) {
        for (uint32_t j = 0; j < size[1]; j++) {
            for (uint32_t i = 0; i < size[0]; i++) {
                const reha_point3_vox at = {i, j, k};
                volume->voxels[reha_volume_index(volume, i, j, k)] = (float)ramp(reha_affine3_to_mm(map, at));
            }
        }
    }
    return volume;
}

static void points_go_there_and_back(void **state)
{
    (void)state;
    const reha_affine3 map = tilted();
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_affine3_check(&map, &err), &err);
    const reha_point3_vox at = {3.25, -7.5, 11.0};
    const reha_point3_vox back = reha_affine3_to_vox(&map, reha_affine3_to_mm(&map, at));
    assert_float_equal(back.i, at.i, 1e-9);
    assert_float_equal(back.j, at.j, 1e-9);
    assert_float_equal(back.k, at.k, 1e-9);
}

static void broken_geometry_is_refused(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    for (int kind = 0; kind < 5; kind++) {
        reha_affine3 map = tilted();
        switch (kind) {
        case 0:
            map.m[1][2] = (double)NAN;
            break;
        case 1:
            map.m[2][3] = (double)INFINITY;
            break;
        case 2:
            for (int r = 0; r < 3; r++) {
                map.m[r][1] = map.m[r][0];
            }
            break; /* two axes the same */
        case 3:
            for (int r = 0; r < 3; r++) {
                map.m[r][2] = 0.0;
            }
            break;
        default:
            map.m[0][0] = 1e6;
            break;
        }
        assert_int_equal(reha_affine3_check(&map, &err), REHA_E_FORMAT);
        assert_non_null(strstr(err.text, "geometry is broken"));
    }
}

static void sizes_are_checked_before_memory(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    const uint64_t huge[3] = {20000, 5000, 20000};
    const uint64_t many[3] = {256, 256, 10};
    const uint64_t none[3] = {256, 256, 0};
    const uint64_t fine[3] = {512, 512, 400};
    assert_int_equal(reha_volume_check_size(huge, 1, NULL, &err), REHA_E_LIMIT);
    assert_int_equal(reha_volume_check_size(many, 2000, NULL, &err), REHA_E_LIMIT);
    assert_int_equal(reha_volume_check_size(none, 1, NULL, &err), REHA_E_FORMAT);
    assert_ok(reha_volume_check_size(fine, 2, NULL, &err), &err);
    const uint32_t empty[3] = {4, 0, 4};
    reha_volume *volume = NULL;
    assert_int_equal(reha_volume_new(empty, NULL, &volume, &err), REHA_E_ARG);
    assert_null(volume);
}

static void directions_and_planes_are_named(void **state)
{
    (void)state;
    const uint32_t size[3] = {4, 4, 4};
    const reha_affine3 map = tilted();
    reha_volume *volume = ramp_volume(size, &map);
    char letters[4];
    double spacing_mm[3];
    reha_volume_directions(volume, letters);
    assert_string_equal(letters, "PIL");
    assert_string_equal(reha_volume_plane_name(volume), "sagittal");
    reha_volume_spacing_mm(volume, spacing_mm);
    assert_float_equal(spacing_mm[0], 0.7, 1e-9);
    assert_float_equal(spacing_mm[1], 0.5, 1e-9);
    assert_float_equal(spacing_mm[2], 3.0, 1e-9);
    reha_gray *slice = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_volume_slice(volume, 2, &slice, &err), &err);
    assert_float_equal(slice->spacing.x_mm, 0.7, 1e-9);
    assert_float_equal(slice->spacing.y_mm, 0.5, 1e-9);
    assert_true(reha_gray_at(slice, 3, 1) == volume->voxels[reha_volume_index(volume, 3, 1, 2)]);
    reha_gray_free(slice);
    assert_int_equal(reha_volume_slice(volume, 4, &slice, &err), REHA_E_NOT_FOUND);
    assert_null(slice);
    reha_volume_free(volume);
}

static void samples_are_trilinear_and_nan_outside(void **state)
{
    (void)state;
    const uint32_t size[3] = {5, 6, 4};
    const reha_affine3 map = tilted();
    reha_volume *volume = ramp_volume(size, &map);
    const reha_point3_vox at = {1.3, 4.9, 2.75};
    assert_float_equal(reha_volume_sample(volume, at), ramp(reha_affine3_to_mm(&map, at)), 1e-3);
    assert_false(isnan(reha_volume_sample(volume, (reha_point3_vox){-0.5, 0.0, 0.0})));
    assert_true(isnan(reha_volume_sample(volume, (reha_point3_vox){-0.51, 0.0, 0.0})));
    assert_true(isnan(reha_volume_sample(volume, (reha_point3_vox){0.0, 5.6, 0.0})));
    assert_true(isnan(reha_volume_sample(volume, (reha_point3_vox){0.0, (double)NAN, 0.0})));
    volume->voxels[reha_volume_index(volume, 2, 2, 2)] = NAN;
    assert_true(isnan(reha_volume_sample(volume, (reha_point3_vox){1.9, 2.0, 2.0})));
    assert_false(isnan(reha_volume_sample(volume, (reha_point3_vox){1.0, 2.0, 2.0})));
    reha_volume_free(volume);
}

/* Every pixel of every cut that shows a value shows the value of that place. */
static void check_cut(const reha_volume *volume, const reha_cut *cut, double inside_share)
{
    reha_gray *image = NULL;
    reha_error err = REHA_ERROR_INIT;
    size_t seen = 0;
    assert_ok(reha_reformat(volume, cut, &image, &err), &err);
    assert_float_equal(image->spacing.x_mm, cut->step_mm, 0);
    for (uint32_t y = 0; y < image->height_px; y++) {
        for (uint32_t x = 0; x < image->width_px; x++) {
            const reha_point3_mm mm = reha_cut_to_mm(cut, (reha_point_px){x, y});
            const reha_point3_vox vox = reha_affine3_to_vox(&volume->to_mm, mm);
            const bool is_inside = vox.i >= 0 && vox.i <= volume->size[0] - 1.0 && vox.j >= 0 &&
                                   vox.j <= volume->size[1] - 1.0 && vox.k >= 0 &&
                                   vox.k <= volume->size[2] - 1.0;
            if (is_inside) {
                assert_float_equal(reha_gray_at(image, x, y), ramp(mm), 2e-3);
                seen++;
            }
        }
    }
    assert_true((double)seen > inside_share * image->width_px * image->height_px);
    reha_gray_free(image);
}

static void planes_show_true_millimetres(void **state)
{
    (void)state;
    const uint32_t size[3] = {40, 50, 12};
    const reha_affine3 map = tilted();
    reha_volume *volume = ramp_volume(size, &map);
    reha_error err = REHA_ERROR_INIT;
    reha_cut cut;
    for (int plane = 0; plane < 3; plane++) {
        assert_ok(reha_cut_standard(volume, (reha_plane)plane, (double)NAN, 0.0, &cut, &err), &err);
        assert_float_equal(cut.step_mm, 0.5, 1e-9);
        check_cut(volume, &cut, 0.3);
        reha_plane same;
        assert_true(reha_plane_find(reha_plane_text((reha_plane)plane), &same) && same == (reha_plane)plane);
    }
    const reha_point3_mm through = reha_affine3_to_mm(&map, (reha_point3_vox){20, 25, 6});
    const double normal[3] = {0.4, -0.8, 0.45};
    assert_ok(reha_cut_oblique(volume, through, normal, 0.8, &cut, &err), &err);
    check_cut(volume, &cut, 0.2);
    /* A slab of a linear ramp has the ramp's value in its middle. */
    cut.slab_mm = 2.0;
    reha_cut_move(&cut, 0.5);
    reha_gray *image = NULL;
    assert_ok(reha_reformat(volume, &cut, &image, &err), &err);
    const uint32_t x = image->width_px / 2;
    const uint32_t y = image->height_px / 2;
    assert_float_equal(reha_gray_at(image, x, y), ramp(reha_cut_to_mm(&cut, (reha_point_px){x, y})), 2e-3);
    reha_gray_free(image);
    cut.slab_mm = 2000.0;
    cut.width_px = cut.height_px = 5000;
    assert_int_equal(reha_reformat(volume, &cut, &image, &err), REHA_E_LIMIT);
    assert_null(image);
    reha_volume_free(volume);
}

static void pictures_stand_as_radiologists_hang_them(void **state)
{
    (void)state;
    const uint32_t size[3] = {10, 12, 14};
    reha_volume *volume = ramp_volume(size, &(reha_affine3){{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}});
    reha_error err = REHA_ERROR_INIT;
    reha_cut cut;
    assert_ok(reha_cut_standard(volume, REHA_PLANE_AXIAL, 3.0, 0.0, &cut, &err), &err);
    assert_int_equal(cut.width_px, 10);
    assert_int_equal(cut.height_px, 12);
    assert_float_equal(cut.right[0], 1.0, 1e-12); /* the patient's left */
    assert_float_equal(cut.down[1], 1.0, 1e-12);  /* the back */
    assert_float_equal(cut.corner.z_mm, 3.0, 1e-12);
    assert_ok(reha_cut_standard(volume, REHA_PLANE_CORONAL, (double)NAN, 0.0, &cut, &err), &err);
    assert_int_equal(cut.width_px, 10);
    assert_int_equal(cut.height_px, 14);
    assert_float_equal(cut.right[0], 1.0, 1e-12);
    assert_float_equal(cut.down[2], -1.0, 1e-12); /* the feet */
    assert_ok(reha_cut_standard(volume, REHA_PLANE_SAGITTAL, (double)NAN, 0.0, &cut, &err), &err);
    assert_float_equal(cut.right[1], 1.0, 1e-12); /* the back */
    assert_float_equal(cut.down[2], -1.0, 1e-12);
    const double nothing[3] = {0, 0, 0};
    assert_int_equal(reha_cut_oblique(volume, cut.corner, nothing, 1.0, &cut, &err), REHA_E_ARG);
    const double up[3] = {0, 0, 1};
    assert_int_equal(reha_cut_oblique(volume, (reha_point3_mm){0, 0, 0}, up, 1e-6, &cut, &err), REHA_E_LIMIT);
    reha_volume_free(volume);
}

static void a_sphere_keeps_its_size_in_every_plane(void **state)
{
    (void)state;
    const uint32_t size[3] = {60, 60, 30};
    const reha_affine3 map = {{{1.0, 0, 0, -29.5}, {0, 1.0, 0, -29.5}, {0, 0, 2.0, -29.0}}};
    const double radius_mm = 18.0;
    reha_volume *volume = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_volume_new(size, &map, &volume, &err), &err);
    for (uint32_t k = 0; k < size[2]; k++) {
        for (uint32_t j = 0; j < size[1]; j++) {
            for (uint32_t i = 0; i < size[0]; i++) {
                const reha_point3_mm mm = reha_affine3_to_mm(&map, (reha_point3_vox){i, j, k});
                const double r = sqrt(mm.x_mm * mm.x_mm + mm.y_mm * mm.y_mm + mm.z_mm * mm.z_mm);
                volume->voxels[reha_volume_index(volume, i, j, k)] =
                    (float)fmin(fmax(radius_mm - r + 0.5, 0.0), 1.0);
            }
        }
    }
    const double normals[4][3] = {{0, 0, 1}, {0, 1, 0}, {1, 0, 0}, {1, 1, 1}};
    for (int n = 0; n < 4; n++) {
        reha_cut cut;
        reha_gray *image = NULL;
        double area_mm2 = 0.0;
        assert_ok(reha_cut_oblique(volume, (reha_point3_mm){0, 0, 0}, normals[n], 0.5, &cut, &err), &err);
        assert_ok(reha_reformat(volume, &cut, &image, &err), &err);
        for (size_t p = 0; p < (size_t)image->width_px * image->height_px; p++) {
            area_mm2 += isnan(image->pixels[p]) ? 0.0 : (double)image->pixels[p] * 0.25;
        }
        assert_float_equal(sqrt(area_mm2 / 3.14159265358979), radius_mm, 0.15); /* mm */
        reha_gray_free(image);
    }
    reha_volume_free(volume);
}

static void grids_are_compared_by_their_corners(void **state)
{
    (void)state;
    const uint32_t size[3] = {20, 20, 5};
    reha_affine3 map = tilted();
    reha_volume *a = ramp_volume(size, &map);
    map.m[0][3] += 0.2;
    reha_volume *b = ramp_volume(size, &map);
    map.m[2][0] += 0.1;
    reha_volume *c = ramp_volume(size, &map);
    assert_true(reha_volume_same_grid(a, a, 1e-9));
    assert_true(reha_volume_same_grid(a, b, 0.5));
    assert_false(reha_volume_same_grid(a, b, 0.05));
    assert_false(reha_volume_same_grid(a, c, 0.5));
    reha_volume_free(a);
    reha_volume_free(b);
    reha_volume_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_go_there_and_back),
        cmocka_unit_test(broken_geometry_is_refused),
        cmocka_unit_test(sizes_are_checked_before_memory),
        cmocka_unit_test(directions_and_planes_are_named),
        cmocka_unit_test(samples_are_trilinear_and_nan_outside),
        cmocka_unit_test(planes_show_true_millimetres),
        cmocka_unit_test(pictures_stand_as_radiologists_hang_them),
        cmocka_unit_test(a_sphere_keeps_its_size_in_every_plane),
        cmocka_unit_test(grids_are_compared_by_their_corners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
