/* `audit-data fracture`: what would spoil a detector or its evaluation. */
#include "recognition/audit_priv.h"
#include "recognition/fracture_priv.h"

#include "base/memory.h"
#include "recognition/each.h"
#include "recognition/fracture_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double TINY_SIDE = 0.012; /* shares of the picture */
static const double HUGE_AREA = 0.5;
static const double SAME_BOX_IOU = 0.85;
static const double MANY_WITHOUT = 0.2; /* share of pictures without boxes from which they can be normals */

static void check_boxes(const reha_fracture_data *data, json_t *problems)
{
    reha_problem tiny =
        reha_problem_new("tiny-box", "warning", "boxes with a side below 1.2 % of the picture",
                         "check them: a slip of the mouse, or too small to be seen after reduction");
    reha_problem large = reha_problem_new("huge-box", "warning", "boxes over half of the picture",
                                          "check them: they point nowhere");
    reha_problem twice = reha_problem_new("double-box", "warning", "fractures that are drawn twice",
                                          "remove one of the two boxes");
    reha_problem without =
        reha_problem_new("without-boxes", "info", "pictures without a box",
                         "make sure that they are normal: an unlabelled fracture teaches the wrong thing");
    for (size_t i = 0; i < data->image_count; i++) {
        const reha_fracture_image *image = &data->images[i];
        if (image->box_count == 0) {
            reha_problem_add(&without, image->path, NULL);
        }
        for (size_t b = 0; b < image->box_count; b++) {
            const reha_edges *box = &data->boxes[image->first_box + b].edges;
            const double width = box->x1 - box->x0;
            const double height = box->y1 - box->y0;
            if (width < TINY_SIDE || height < TINY_SIDE) {
                reha_problem_add(&tiny, image->path, NULL);
            }
            if (width * height > HUGE_AREA) {
                reha_problem_add(&large, image->path, NULL);
            }
            for (size_t k = 0; k < b; k++) {
                if (reha_edges_iou(box, &data->boxes[image->first_box + k].edges) > SAME_BOX_IOU) {
                    reha_problem_add(&twice, image->path, NULL);
                }
            }
        }
    }
    reha_problem_close(problems, &tiny);
    reha_problem_close(problems, &large);
    reha_problem_close(problems, &twice);
    reha_problem_close(problems, &without);
}

static void check_balance(const reha_fracture_data *data, json_t *classes, json_t *problems)
{
    reha_problem rare = reha_problem_new("rare-class", "warning", "classes with less than 10 % of the boxes",
                                         "read their figures with their counts beside them");
    reha_problem normals = reha_problem_new(
        "no-normals", "warning", "data set in which nearly every picture has a fracture",
        "add normal radiographs FROM THE SAME SOURCE: normals from elsewhere teach a detector "
        "whose pictures these are");
    reha_problem unmarked = reha_problem_new(
        "fracture-without-box", "error", "pictures that the table calls fractured, without a box",
        "draw their boxes or remove them: as they are they teach that a fracture is normal");
    size_t without = 0;
    for (int c = 0; c < data->class_count; c++) {
        json_int_t count = 0;
        for (size_t b = 0; b < data->box_count; b++) {
            count += data->boxes[b].class_idx == c ? 1 : 0;
        }
        if (count > 0) {
            (void)json_object_set_new(classes, data->classes[c], json_integer(count));
        }
        if (count > 0 && 10 * (size_t)count < data->box_count) {
            reha_problem_add(&rare, data->classes[c], NULL);
        }
    }
    for (size_t i = 0; i < data->image_count; i++) {
        without += data->images[i].box_count == 0 ? 1 : 0;
        if (data->images[i].box_count == 0 && data->images[i].is_called_fractured) {
            reha_problem_add(&unmarked, data->images[i].path, NULL);
        }
    }
    if ((double)without < MANY_WITHOUT * (double)data->image_count) {
        char text[96];
        (void)snprintf(text, sizeof text, "%zu of %zu pictures without a box", without, data->image_count);
        reha_problem_add(&normals, text, NULL);
    }
    reha_problem_close(problems, &unmarked);
    reha_problem_close(problems, &rare);
    reha_problem_close(problems, &normals);
}

/* ---- copies ---- */

enum { LEAK, NEAR_LEAK, COPY, COPIES };
static const reha_problem_text copy_texts[COPIES] = {
    {"copy-leak", "error", "identical pictures of two patients or sources",
     "give them one patient_id or source_picture: else training and test share them"},
    {"near-copy-leak", "warning", "almost equal pictures of two patients or sources",
     "look at them: if they are one picture, give them one patient_id or source_picture"},
    {"duplicate", "warning", "identical pictures", "keep one of each"},
};

typedef struct copies {
    const reha_fracture_data *data;
    reha_problem found[COPIES];
} copies;

/* Almost equal pictures of one source are what its augmentation left: nothing to be said. */
static void tell_copy(void *context, size_t first, size_t second, bool is_exact)
{
    copies *to = context;
    const reha_fracture_image *left = &to->data->images[first];
    const reha_fracture_image *right = &to->data->images[second];
    if (left->group_idx != right->group_idx) {
        reha_problem_add(&to->found[is_exact ? LEAK : NEAR_LEAK], left->path, right->path);
    } else if (is_exact) {
        reha_problem_add(&to->found[COPY], left->path, right->path);
    }
}

static void check_copies(const reha_fracture_data *data, const reha_look *looks, json_t *problems)
{
    copies to = {.data = data};
    reha_problems_open(copy_texts, COPIES, to.found);
    reha_find_copies(looks, data->image_count, tell_copy, &to);
    reha_problems_close(problems, to.found, COPIES);
}

typedef struct files {
    const reha_fracture_data *data;
    reha_load_function load;
    reha_look *looks;
    reha_problem unreadable, blank;
} files;

static reha_status check_file(void *context, size_t index, reha_error *err)
{
    files *to = context;
    const reha_fracture_image *item = &to->data->images[index];
    reha_gray *image = NULL;
    reha_acquisition facts;
    REHA_TRY(reha_load_readable(to->load, item->full_path, &image, &facts, err));
    if (image == NULL) {
        reha_problem_add(&to->unreadable, item->path, NULL);
        return REHA_OK;
    }
    reha_look_at(image, NULL, &to->looks[index]);
    if (to->looks[index].is_blank) {
        reha_problem_add(&to->blank, item->path, NULL);
    }
    reha_gray_free(image);
    return REHA_OK;
}

static reha_status check_files(const reha_fracture_data *data, reha_load_function load,
                               const reha_progress *progress, json_t *problems, reha_error *err)
{
    files checked = {.data = data, .load = load};
    checked.looks = reha_alloc_zero(data->image_count, sizeof *checked.looks);
    if (checked.looks == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", data->image_count);
    }
    checked.unreadable =
        reha_problem_new("unreadable", "error", "pictures that cannot be read", "repair or remove them");
    checked.blank = reha_problem_new("blank", "error", "pictures without any contrast", "remove them");
    const reha_status status = reha_each(data->image_count, "pictures", progress, check_file, &checked, err);
    reha_problem_close(problems, &checked.unreadable);
    reha_problem_close(problems, &checked.blank);
    if (status == REHA_OK) {
        check_copies(data, checked.looks, problems);
    }
    reha_free(checked.looks);
    return status;
}

reha_status reha_fracture_audit_(const char *data_folder, reha_load_function load,
                                 const reha_progress *progress, json_t **report, reha_error *err)
{
    reha_fracture_data data;
    json_t *problems = json_array();
    json_t *classes = json_object();
    *report = NULL;
    reha_status status = reha_fracture_data_load(data_folder, &data, err);
    if (status == REHA_OK) {
        check_boxes(&data, problems);
        check_balance(&data, classes, problems);
        status = check_files(&data, load != NULL ? load : reha_load_picture, progress, problems, err);
    }
    if (status == REHA_OK) {
        *report = json_pack("{s:s, s:o, s:s, s:I, s:I, s:s, s:I, s:O, s:O}", "task", "fracture", "data",
                            reha_json_text(data_folder), "layout", reha_fracture_layout_name(data.layout),
                            "n", (json_int_t)data.image_count, "groups", (json_int_t)data.group_count,
                            "grouped_by", data.group_kind, "boxes", (json_int_t)data.box_count,
                            "boxes_by_class", classes, "problems", problems);
        status = *report != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
    json_decref(problems);
    json_decref(classes);
    reha_fracture_data_clear(&data);
    return status;
}
