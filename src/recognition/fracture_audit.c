/* `audit-data fracture`: what would spoil a detector or its evaluation. */
#include "recognition/fracture_priv.h"

#include "base/memory.h"
#include "recognition/fracture_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXAMPLES_MAX = 5 };
static const double TINY_SIDE = 0.012; /* shares of the picture */
static const double HUGE_AREA = 0.5;
static const double SAME_BOX_IOU = 0.85;
static const double MANY_WITHOUT = 0.2; /* share of pictures without boxes from which they can be normals */

typedef struct problem {
    const char *code, *severity, *what, *remedy;
    json_int_t count;
    json_t *examples;
} problem;

static problem problem_new(const char *code, const char *severity, const char *what, const char *remedy)
{
    return (problem){code, severity, what, remedy, 0, json_array()};
}

static void problem_add(problem *found, const char *first, const char *second)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%.240s%s%.240s", first, second != NULL ? " and " : "",
                   second != NULL ? second : "");
    if (found->count++ < EXAMPLES_MAX) {
        (void)json_array_append_new(found->examples, reha_json_text(text));
    }
}

static void problem_close(json_t *problems, problem *found)
{
    if (found->count > 0) {
        (void)json_array_append_new(problems,
                                    json_pack("{s:s, s:s, s:I, s:s, s:s, s:O}", "code", found->code,
                                              "severity", found->severity, "count", found->count, "what",
                                              found->what, "do", found->remedy, "examples", found->examples));
    }
    json_decref(found->examples);
}

static void check_boxes(const reha_fracture_data *data, json_t *problems)
{
    problem tiny = problem_new("tiny-box", "warning", "boxes with a side below 1.2 % of the picture",
                               "check them: a slip of the mouse, or too small to be seen after reduction");
    problem large = problem_new("huge-box", "warning", "boxes over half of the picture",
                                "check them: they point nowhere");
    problem twice =
        problem_new("double-box", "warning", "fractures that are drawn twice", "remove one of the two boxes");
    problem without =
        problem_new("without-boxes", "info", "pictures without a box",
                    "make sure that they are normal: an unlabelled fracture teaches the wrong thing");
    for (size_t i = 0; i < data->image_count; i++) {
        const reha_fracture_image *image = &data->images[i];
        if (image->box_count == 0) {
            problem_add(&without, image->path, NULL);
        }
        for (size_t b = 0; b < image->box_count; b++) {
            const reha_edges *box = &data->boxes[image->first_box + b].edges;
            const double width = box->x1 - box->x0;
            const double height = box->y1 - box->y0;
            if (width < TINY_SIDE || height < TINY_SIDE) {
                problem_add(&tiny, image->path, NULL);
            }
            if (width * height > HUGE_AREA) {
                problem_add(&large, image->path, NULL);
            }
            for (size_t k = 0; k < b; k++) {
                if (reha_edges_iou(box, &data->boxes[image->first_box + k].edges) > SAME_BOX_IOU) {
                    problem_add(&twice, image->path, NULL);
                }
            }
        }
    }
    problem_close(problems, &tiny);
    problem_close(problems, &large);
    problem_close(problems, &twice);
    problem_close(problems, &without);
}

static void check_balance(const reha_fracture_data *data, json_t *classes, json_t *problems)
{
    problem rare = problem_new("rare-class", "warning", "classes with less than 10 % of the boxes",
                               "read their figures with their counts beside them");
    problem normals =
        problem_new("no-normals", "warning", "data set in which nearly every picture has a fracture",
                    "add normal radiographs FROM THE SAME SOURCE: normals from elsewhere teach a detector "
                    "whose pictures these are");
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
            problem_add(&rare, data->classes[c], NULL);
        }
    }
    for (size_t i = 0; i < data->image_count; i++) {
        without += data->images[i].box_count == 0 ? 1 : 0;
    }
    if ((double)without < MANY_WITHOUT * (double)data->image_count) {
        char text[96];
        (void)snprintf(text, sizeof text, "%zu of %zu pictures without a box", without, data->image_count);
        problem_add(&normals, text, NULL);
    }
    problem_close(problems, &rare);
    problem_close(problems, &normals);
}

/* ---- copies ---- */

typedef struct print_ref {
    char print[REHA_FRACTURE_FINGERPRINT_BYTES];
    size_t image_idx;
} print_ref;

static int compare_prints(const void *a, const void *b)
{
    const print_ref *left = a;
    const print_ref *right = b;
    const int order = strcmp(left->print, right->print);
    return order != 0 ? order : (left->image_idx > right->image_idx) - (left->image_idx < right->image_idx);
}

static void check_copies(const reha_fracture_data *data, print_ref *prints, size_t count, json_t *problems)
{
    problem copies = problem_new("duplicate", "warning", "byte-identical pictures", "keep one of each");
    problem leak =
        problem_new("copy-leak", "error", "byte-identical pictures of two patients or sources",
                    "give them one patient_id or source_picture: else training and test share them");
    qsort(prints, count, sizeof *prints, compare_prints);
    for (size_t i = 1; i < count; i++) {
        const reha_fracture_image *left = &data->images[prints[i - 1].image_idx];
        const reha_fracture_image *right = &data->images[prints[i].image_idx];
        if (strcmp(prints[i - 1].print, prints[i].print) == 0) {
            problem_add(left->group_idx == right->group_idx ? &copies : &leak, left->path, right->path);
        }
    }
    problem_close(problems, &leak);
    problem_close(problems, &copies);
}

static reha_status check_files(const reha_fracture_data *data, reha_load_function load,
                               const reha_progress *progress, json_t *problems, reha_error *err)
{
    reha_status status = REHA_OK;
    size_t count = 0;
    problem unreadable =
        problem_new("unreadable", "error", "pictures that cannot be read", "repair or remove them");
    problem blank = problem_new("blank", "error", "pictures without any contrast", "remove them");
    print_ref *prints = reha_alloc_zero(data->image_count, sizeof *prints);
    if (prints == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", data->image_count);
    }
    for (size_t i = 0; i < data->image_count && status == REHA_OK; i++) {
        reha_gray *image = NULL;
        reha_acquisition facts = reha_acquisition_unknown();
        const reha_fracture_image *item = &data->images[i];
        if (reha_progress_is_stopped(progress)) {
            status =
                reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu pictures", i, data->image_count);
            break;
        }
        if (load(item->full_path, &image, &facts, NULL) != REHA_OK ||
            reha_fracture_fingerprint(item->full_path, prints[count].print, NULL) != REHA_OK) {
            problem_add(&unreadable, item->path, NULL);
            reha_gray_free(image);
            continue;
        }
        float low = image->pixels[0];
        float high = image->pixels[0];
        for (size_t p = 0; p < (size_t)image->width_px * image->height_px; p++) {
            low = fminf(low, image->pixels[p]);
            high = fmaxf(high, image->pixels[p]);
        }
        if (!(high > low)) {
            problem_add(&blank, item->path, NULL);
        }
        prints[count++].image_idx = i;
        reha_gray_free(image);
    }
    problem_close(problems, &unreadable);
    problem_close(problems, &blank);
    if (status == REHA_OK) {
        check_copies(data, prints, count, problems);
    }
    reha_free(prints);
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
