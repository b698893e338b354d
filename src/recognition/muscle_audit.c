/* `audit-data muscle-us`: what would spoil a training on masks: broken files, masks of another size, empty
 * masks, pictures with two different masks of one structure, and equal or nearly equal pictures that stand in
 * different similarity groups, where a split by group would tear them apart. */
#include "recognition/muscle_us_priv.h"

#include "base/hash.h"
#include "base/memory.h"
#include "recognition/audit_priv.h"
#include "recognition/each.h"
#include "recognition/muscle_data.h"

#include <string.h>

typedef enum problem {
    UNREADABLE,
    OTHER_SIZE,
    EMPTY_MASK,
    NO_TISSUE,
    MASK_OUTSIDE,
    MASKS_DIFFER,
    COPY_ACROSS,
    NEAR_ACROSS,
    SAME_ROW,
    SPLIT_GROUP,
    PROBLEMS
} problem;

static const reha_problem_text texts[PROBLEMS] = {
    {"unreadable", "error", "image or mask files cannot be read", "replace the files or take the rows out"},
    {"other-size", "error", "masks differ in size from their images",
     "export image and mask at the same size"},
    {"empty-mask", "warning", "masks are empty",
     "take the rows out, unless nothing is to be seen on purpose"},
    {"no-tissue", "warning", "images hold no ultrasound echo that was found",
     "look at them: cropped, blank or no B-mode"},
    {"mask-outside", "warning", "masks lie partly outside of the tissue that was found",
     "look at them: the network cannot learn what it does not see"},
    {"label-conflict", "error", "identical images have different masks of one structure",
     "settle which one holds, and keep one row"},
    {"copy-across-groups", "error", "images are identical to one of another similarity group",
     "give copies one similarity_group, else a split lets test images into training"},
    {"near-copy-across-groups", "warning", "images look nearly the same as one of another similarity group",
     "look at them: frames of one sequence need one similarity_group"},
    {"duplicate", "warning", "identical images with the same mask stand there twice", "keep one row of each"},
    {"group-in-two-splits", "error", "images belong to a similarity group that stands in several splits",
     "keep each group in one split"}};

typedef struct audit {
    reha_muscle_data data;
    reha_load_function load;
    reha_problem found[PROBLEMS];
    reha_look *looks;      /* of each row's image, in its tissue */
    uint64_t *mask_hashes; /* 0: not read */
} audit;

static void report(audit *run, problem which, size_t index)
{
    reha_problem_add(&run->found[which], run->data.items[index].image, NULL);
}

static void look_at_mask(audit *run, size_t index, const reha_gray *image, const reha_gray *mask,
                         const reha_muscle_frame *frame)
{
    size_t drawn = 0;
    size_t outside = 0;
    run->mask_hashes[index] = reha_hash64(REHA_HASH64_START, mask->pixels,
                                          (size_t)mask->width_px * mask->height_px * sizeof *mask->pixels);
    if (mask->width_px != image->width_px || mask->height_px != image->height_px) {
        report(run, OTHER_SIZE, index);
        return;
    }
    for (uint32_t y = 0; y < mask->height_px; y++) {
        for (uint32_t x = 0; x < mask->width_px; x++) {
            const bool is_drawn = reha_gray_at(mask, x, y) > 0.0F;
            const bool is_inside = x >= frame->box.x_px && x < frame->box.x_px + frame->box.width_px &&
                                   y >= frame->box.y_px && y < frame->box.y_px + frame->box.height_px;
            drawn += is_drawn ? 1 : 0;
            outside += is_drawn && !is_inside ? 1 : 0;
        }
    }
    if (drawn == 0) {
        report(run, EMPTY_MASK, index);
    } else if (outside * 10 > drawn) {
        report(run, MASK_OUTSIDE, index);
    }
}

/* Broken files are findings of the audit; only our own faults end it. */
static reha_status look_at(void *context, size_t index, reha_error *err)
{
    audit *run = context;
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    reha_gray *mask = NULL;
    reha_acquisition facts;
    reha_muscle_frame frame;
    const reha_muscle_item *item = &run->data.items[index];
    REHA_CHECK(reha_load_readable(run->load, item->image_path, &image, &facts, err));
    REHA_CHECK(reha_load_readable(run->load, item->mask_path, &mask, &facts, err));
    if (image == NULL || mask == NULL) {
        report(run, UNREADABLE, index);
        goto done;
    }
    REHA_CHECK(reha_muscle_frame_find(image, &frame, err));
    reha_look_at(image, &frame.box, &run->looks[index]);
    if (frame.speckle < 0.5) {
        report(run, NO_TISSUE, index);
    }
    look_at_mask(run, index, image, mask, &frame);
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    return status;
}

static void tell_copy(void *context, size_t first, size_t second, bool is_exact)
{
    audit *run = context;
    const reha_muscle_item *left = &run->data.items[first];
    const reha_muscle_item *right = &run->data.items[second];
    const bool is_foreign = left->group_idx != right->group_idx;
    if (is_foreign) {
        reha_problem_add(&run->found[is_exact ? COPY_ACROSS : NEAR_ACROSS], left->image, right->image);
    }
    if (is_exact && left->structure == right->structure && run->mask_hashes[first] != 0 &&
        run->mask_hashes[second] != 0) {
        const bool is_same = run->mask_hashes[first] == run->mask_hashes[second];
        if (!is_same || !is_foreign) { /* of two groups: told already */
            reha_problem_add(&run->found[is_same ? SAME_ROW : MASKS_DIFFER], left->image, right->image);
        }
    }
}

static reha_place place_of(const void *context, size_t row)
{
    const reha_muscle_item *item = &((const reha_muscle_data *)context)->items[row];
    return (reha_place){item->group_idx, item->split, item->image};
}

static json_t *make_report(audit *run, const char *data_folder)
{
    json_t *problems = json_array();
    int by_structure[REHA_MUSCLE_MAPS] = {0};
    for (size_t i = 0; i < run->data.count; i++) {
        by_structure[run->data.items[i].structure]++;
    }
    reha_problems_close(problems, run->found, PROBLEMS);
    return json_pack("{s:s, s:o, s:i, s:i, s:{s:i, s:i}, s:o}", "task", "muscle-us", "data",
                     reha_json_text(data_folder), "n", (int)run->data.count, "groups",
                     (int)run->data.group_count, "masks", "aponeurosis",
                     by_structure[REHA_MUSCLE_APONEUROSIS], "fascicle", by_structure[REHA_MUSCLE_FASCICLE],
                     "problems", problems);
}

reha_status reha_muscle_audit(const char *data_folder, reha_load_function load, const reha_progress *progress,
                              json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    audit run = {.load = load != NULL ? load : reha_load_picture};
    *out = NULL;
    reha_problems_open(texts, PROBLEMS, run.found);
    REHA_CHECK(reha_muscle_data_load(data_folder, NULL, &run.data, err));
    run.looks = reha_alloc_zero(run.data.count, sizeof *run.looks);
    run.mask_hashes = reha_alloc_zero(run.data.count, sizeof *run.mask_hashes);
    if (run.looks == NULL || run.mask_hashes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", run.data.count);
        goto done;
    }
    REHA_CHECK(reha_each(run.data.count, "images", progress, look_at, &run, err));
    reha_find_copies(run.looks, run.data.count, tell_copy, &run);
    REHA_CHECK(reha_find_parted_groups(run.data.count, run.data.group_count, place_of, &run.data,
                                       REHA_COUNT_ROWS, &run.found[SPLIT_GROUP], err));
    *out = make_report(&run, data_folder);
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
done:
    reha_problems_close(NULL, run.found, PROBLEMS);
    reha_free(run.looks);
    reha_free(run.mask_hashes);
    reha_muscle_data_clear(&run.data);
    return status;
}
