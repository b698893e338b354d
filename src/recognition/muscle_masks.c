/* What muscle-us marked, as masks over the image that was given. */
#include "recognition/muscle_us_priv.h"

/* The belly lies between the two lines, inside of the tissue that was looked at. */
static void mark_belly(const reha_muscle_case *work, const reha_region *region, reha_mask *mask)
{
    const reha_gray *given = work->image;
    const reha_gray *seen = reha_muscle_case_seen(work);
    const double scale_x = (double)seen->width_px / given->width_px;
    const double scale_y = (double)seen->height_px / given->height_px;
    const reha_box_px *box = &region->box;
    for (uint32_t y = 0; y < given->height_px; y++) {
        for (uint32_t x = 0; x < given->width_px; x++) {
            const bool is_tissue = x >= box->x_px && x <= box->x_px + box->width_px && y >= box->y_px &&
                                   y <= box->y_px + box->height_px;
            const reha_point_px at = {(x + 0.5) * scale_x - 0.5, (y + 0.5) * scale_y - 0.5};
            mask->inside[(size_t)y * given->width_px + x] =
                is_tissue && reha_muscle_in_belly(&work->main, at) ? 1 : 0;
        }
    }
}

reha_status reha_muscle_case_mask(const reha_muscle_case *work, reha_analysis *analysis, reha_error *err)
{
    static const char *const keys[REHA_MUSCLE_MAPS] = {
        [REHA_MUSCLE_APONEUROSIS] = "aponeurosis", [REHA_MUSCLE_FASCICLE] = "fascicle"};
    reha_region *region = &analysis->regions[0];
    reha_mask *mask = NULL;
    if (work->main.has_superficial && work->main.has_deep) {
        REHA_TRY(reha_region_add_mask(analysis, region, "belly", &mask, err));
        mark_belly(work, region, mask);
    }
    for (int m = 0; m < REHA_MUSCLE_MAPS; m++) {
        REHA_TRY(reha_region_add_mask(analysis, region, keys[m], &mask, err));
        reha_mask_from_map(work->maps.mean[m], REHA_MUSCLE_MAP_PX, region->box, analysis->width_px,
                           analysis->height_px, mask);
    }
    return REHA_OK;
}
