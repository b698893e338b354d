/* `audit-data muscle-us`: what would spoil a training on masks: broken files, masks of another size, empty
 * masks, and identical pictures that stand in different similarity groups, where a split by group would tear
 * them apart. */
#include "recognition/muscle_us_priv.h"

#include "base/clock.h"
#include "base/memory.h"
#include "recognition/muscle_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXAMPLES_MAX = 5 };

typedef enum problem {
    UNREADABLE,
    OTHER_SIZE,
    EMPTY_MASK,
    NO_TISSUE,
    MASK_OUTSIDE,
    COPY_ACROSS,
    PROBLEMS
} problem;

static const struct {
    const char *code, *severity, *what, *advice;
} texts[PROBLEMS] = {
    {"unreadable", "error", "image or mask files cannot be read", "replace the files or take the rows out"},
    {"other-size", "error", "masks differ in size from their images",
     "export image and mask at the same size"},
    {"empty-mask", "warning", "masks are empty",
     "take the rows out, unless nothing is to be seen on purpose"},
    {"no-tissue", "warning", "images hold no ultrasound echo that was found",
     "look at them: cropped, blank or no B-mode"},
    {"mask-outside", "warning", "masks lie partly outside of the tissue that was found",
     "look at them: the network cannot learn what it does not see"},
    {"copy-across-groups", "error", "images are identical to one of another similarity group",
     "give copies one similarity_group, else a split lets test images into training"}};

typedef struct item_facts {
    uint64_t hash;
    size_t index;
} item_facts;

typedef struct audit {
    reha_muscle_data data;
    reha_load_function load;
    json_t *examples[PROBLEMS];
    int counts[PROBLEMS];
    item_facts *facts;
} audit;

static void report(audit *run, problem which, size_t index)
{
    if (run->counts[which]++ < EXAMPLES_MAX) {
        (void)json_array_append_new(run->examples[which], reha_json_text(run->data.items[index].image));
    }
}

static uint64_t hash_pixels(const reha_gray *image)
{
    uint64_t hash = 14695981039346656037U ^ image->width_px;
    for (size_t i = 0; i < (size_t)image->width_px * image->height_px; i++) {
        hash = (hash ^ (uint64_t)(int64_t)image->pixels[i]) * 1099511628211U;
    }
    return hash;
}

static void look_at_mask(audit *run, size_t index, const reha_gray *image, const reha_gray *mask,
                         const reha_muscle_frame *frame)
{
    size_t drawn = 0;
    size_t outside = 0;
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
static reha_status look_at(audit *run, size_t index, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_error fault = REHA_ERROR_INIT;
    reha_gray *image = NULL;
    reha_gray *mask = NULL;
    reha_acquisition facts;
    reha_muscle_frame frame;
    const reha_muscle_item *item = &run->data.items[index];
    run->facts[index] = (item_facts){0, index};
    if (run->load(item->image_path, &image, &facts, &fault) != REHA_OK ||
        run->load(item->mask_path, &mask, &facts, &fault) != REHA_OK) {
        report(run, UNREADABLE, index);
        goto done;
    }
    run->facts[index].hash = hash_pixels(image);
    REHA_CHECK(reha_muscle_frame_find(image, &frame, err));
    if (frame.speckle < 0.5) {
        report(run, NO_TISSUE, index);
    }
    look_at_mask(run, index, image, mask, &frame);
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    return status;
}

static int compare_facts(const void *a, const void *b)
{
    const item_facts *left = a;
    const item_facts *right = b;
    return left->hash != right->hash ? (left->hash > right->hash) - (left->hash < right->hash)
                                     : (left->index > right->index) - (left->index < right->index);
}

static void find_copies(audit *run)
{
    qsort(run->facts, run->data.count, sizeof *run->facts, compare_facts);
    for (size_t i = 1; i < run->data.count; i++) {
        const item_facts *before = &run->facts[i - 1];
        const item_facts *here = &run->facts[i];
        if (here->hash != 0 && here->hash == before->hash &&
            run->data.items[here->index].group_idx != run->data.items[before->index].group_idx) {
            report(run, COPY_ACROSS, here->index);
        }
    }
}

static json_t *make_report(const audit *run, const char *data_folder)
{
    json_t *problems = json_array();
    int by_structure[REHA_MUSCLE_MAPS] = {0};
    for (size_t i = 0; i < run->data.count; i++) {
        by_structure[run->data.items[i].structure]++;
    }
    for (int p = 0; p < PROBLEMS; p++) {
        if (run->counts[p] > 0) {
            (void)json_array_append_new(
                problems, json_pack("{s:s, s:s, s:i, s:s, s:s, s:O}", "code", texts[p].code, "severity",
                                    texts[p].severity, "count", run->counts[p], "what", texts[p].what, "do",
                                    texts[p].advice, "examples", run->examples[p]));
        }
    }
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
    const double start_ms = reha_clock_ms();
    *out = NULL;
    for (int p = 0; p < PROBLEMS; p++) {
        run.examples[p] = json_array();
    }
    REHA_CHECK(reha_muscle_data_load(data_folder, NULL, &run.data, err));
    run.facts = reha_alloc_zero(run.data.count, sizeof *run.facts);
    if (run.facts == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", run.data.count);
        goto done;
    }
    for (size_t i = 0; i < run.data.count; i++) {
        if (reha_progress_is_stopped(progress)) {
            status = reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu images", i, run.data.count);
            goto done;
        }
        REHA_CHECK(look_at(&run, i, err));
        reha_progress_tell(progress, i + 1, run.data.count, "images", start_ms);
    }
    find_copies(&run);
    *out = make_report(&run, data_folder);
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
done:
    for (int p = 0; p < PROBLEMS; p++) {
        json_decref(run.examples[p]);
    }
    reha_free(run.facts);
    reha_muscle_data_clear(&run.data);
    return status;
}
