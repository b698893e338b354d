/* `audit-data muscle-injury`: what would spoil a training or an evaluation on a clinic's own labels, or on
 * healthy pictures to simulate in. */
#include "recognition/muscle_injury_priv.h"

#include "base/memory.h"
#include "recognition/audit_priv.h"
#include "recognition/each.h"
#include "recognition/muscle_injury_card.h"
#include "recognition/muscle_injury_data.h"

#include <stdio.h>
#include <string.h>

enum { GRADE_IMAGES_MIN = 20 };
static const double SPECKLE_MIN = 0.5;
static const double MASK_MOST = 0.7; /* of the tissue: no focal injury is larger */

typedef enum problem {
    UNREADABLE,
    OTHER_SIZE,
    EMPTY_MASK,
    MASK_WITHOUT_INJURY,
    HUGE_MASK,
    NO_TISSUE,
    NO_BELLY,
    COPY_ACROSS,
    COPY_GRADES,
    NEAR_ACROSS,
    SPLIT_GROUP,
    RARE_GRADE,
    PROBLEMS
} problem;

static const reha_problem_text texts[PROBLEMS] = {
    {"unreadable", "error", "image or mask files cannot be read", "replace the files or take the rows out"},
    {"other-size", "error", "masks differ in size from their images",
     "export image and mask at the same size"},
    {"empty-mask", "error", "masks are empty though the grade is 1 or more",
     "draw the injury, or set the grade to 0"},
    {"contradiction", "error", "masks show an injury though the grade is 0", "correct the grade or the mask"},
    {"huge-mask", "warning", "masks cover most of the tissue",
     "look at them: the injury, not the muscle, should be drawn; or is the mask inverted?"},
    {"no-tissue", "warning", "images hold no ultrasound echo that was found",
     "look at them: cropped, blank or no B-mode"},
    {"no-belly", "warning", "healthy pictures in which nothing can be simulated",
     "draw both aponeuroses; without them the rows are passed over"},
    {"copy-across-groups", "error", "images are identical to one of another patient or group",
     "give copies one patient_id, else a split lets test images into training"},
    {"label-conflict", "error", "identical images have different grades",
     "settle which one holds, and keep one row"},
    {"near-copy-across-groups", "warning", "images look nearly the same as one of another patient or group",
     "look at them: frames of one sequence need one patient_id"},
    {"group-in-two-splits", "error", "images belong to a patient or group that stands in several splits",
     "keep each patient in one split"},
    {"rare-grade", "warning", "grades have fewer than 20 labelled images",
     "collect more: their figures will have wide intervals"}};

typedef struct copy_marks {
    bool is_copy, is_near; /* of a picture of another patient or group */
    bool is_conflict;      /* of one with another grade */
} copy_marks;

typedef struct audit {
    reha_injury_data data;
    reha_load_function load;
    reha_problem found[PROBLEMS];
    reha_look *looks; /* of each row's image, in its tissue */
    copy_marks *copies;
} audit;

static void report(audit *run, problem which, size_t index)
{
    reha_problem_add(&run->found[which], run->data.items[index].image, NULL);
}

static void look_at_mask(audit *run, size_t index, const reha_gray *mask, const reha_muscle_frame *frame)
{
    const reha_injury_item *item = &run->data.items[index];
    size_t drawn = 0;
    for (size_t i = 0; i < (size_t)mask->width_px * mask->height_px; i++) {
        drawn += mask->pixels[i] > 0.0F ? 1 : 0;
    }
    if (drawn == 0 && (item->grade > 0 || !item->is_labelled)) {
        report(run, item->is_labelled ? EMPTY_MASK : NO_BELLY, index);
    } else if (drawn > 0 && item->is_labelled && item->grade == 0) {
        report(run, MASK_WITHOUT_INJURY, index);
    } else if (item->is_labelled && (double)drawn > MASK_MOST * frame->box.width_px * frame->box.height_px) {
        report(run, HUGE_MASK, index);
    }
}

static reha_status look_at_belly(audit *run, size_t index, const reha_gray *image, const reha_gray *mask,
                                 const reha_muscle_frame *frame, reha_error *err)
{
    reha_injury_belly belly;
    reha_error fault = REHA_ERROR_INIT;
    const reha_status status = reha_injury_belly_from_mask(image, frame, mask, &belly, &fault);
    if (status == REHA_E_REFUSED) {
        report(run, NO_BELLY, index);
        return REHA_OK;
    }
    return status == REHA_OK ? REHA_OK : reha_fail(err, status, "%s", fault.text);
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
    const reha_injury_item *item = &run->data.items[index];
    REHA_CHECK(reha_load_readable(run->load, item->image_path, &image, &facts, err));
    if (item->mask_path != NULL) {
        REHA_CHECK(reha_load_readable(run->load, item->mask_path, &mask, &facts, err));
    }
    if (image == NULL || (item->mask_path != NULL && mask == NULL)) {
        report(run, UNREADABLE, index);
        goto done;
    }
    REHA_CHECK(reha_muscle_frame_find(image, &frame, err));
    reha_look_at(image, &frame.box, &run->looks[index]);
    if (frame.speckle < SPECKLE_MIN) {
        report(run, NO_TISSUE, index);
    }
    if (mask != NULL && (mask->width_px != image->width_px || mask->height_px != image->height_px)) {
        report(run, OTHER_SIZE, index);
    } else if (mask != NULL) {
        const size_t before = run->found[NO_BELLY].count;
        look_at_mask(run, index, mask, &frame);
        if (!item->is_labelled && run->found[NO_BELLY].count == before) {
            REHA_CHECK(look_at_belly(run, index, image, mask, &frame, err));
        }
    }
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    return status;
}

/* The later one of each pair, once however many copies it has. */
static void tell_copy(void *context, size_t first, size_t second, bool is_exact)
{
    audit *run = context;
    const reha_injury_item *left = &run->data.items[first];
    const reha_injury_item *right = &run->data.items[second];
    copy_marks *marks = &run->copies[second];
    const bool is_foreign = left->group_idx != right->group_idx;
    marks->is_copy = marks->is_copy || (is_exact && is_foreign);
    marks->is_near = marks->is_near || (!is_exact && is_foreign);
    marks->is_conflict = marks->is_conflict ||
                         (is_exact && left->is_labelled && right->is_labelled && left->grade != right->grade);
}

static void compare_pictures(audit *run)
{
    reha_find_copies(run->looks, run->data.count, tell_copy, run);
    for (size_t i = 1; i < run->data.count; i++) {
        const copy_marks *marks = &run->copies[i];
        if (marks->is_copy) {
            report(run, COPY_ACROSS, i);
        }
        if (marks->is_conflict) {
            report(run, COPY_GRADES, i);
        }
        if (marks->is_near && !marks->is_copy) {
            report(run, NEAR_ACROSS, i);
        }
    }
}

/* "tune" is taken out of "train" by the group's name, so that pair cannot part a group. */
static reha_place place_of(const void *context, size_t row)
{
    const reha_injury_item *item = &((const reha_injury_data *)context)->items[row];
    return (reha_place){item->group_idx, item->split, item->image};
}

static void count_grades(audit *run, int *by_grade)
{
    size_t example[REHA_LESION_GRADES] = {0};
    for (size_t i = 0; i < run->data.count; i++) {
        if (run->data.items[i].is_labelled) {
            by_grade[run->data.items[i].grade]++;
            example[run->data.items[i].grade] = i;
        }
    }
    for (int g = 0; run->data.labelled_count > 0 && g < REHA_LESION_GRADES; g++) {
        if (by_grade[g] < GRADE_IMAGES_MIN) {
            char text[80];
            if (by_grade[g] == 0) {
                (void)snprintf(text, sizeof text, "grade %d: no image", g);
            } else {
                (void)snprintf(text, sizeof text, "grade %d: %d, such as line %zu", g, by_grade[g],
                               run->data.items[example[g]].line);
            }
            reha_problem_add(&run->found[RARE_GRADE], text, NULL);
        }
    }
}

static json_t *splits_json(const audit *run)
{
    json_t *splits = json_object();
    for (size_t i = 0; i < run->data.count; i++) {
        const reha_injury_item *item = &run->data.items[i];
        json_t *one = json_object_get(splits, item->split);
        if (one == NULL) {
            one = json_pack("{s:i, s:i, s:[i, i, i, i]}", "n", 0, "healthy", 0, "n_by_grade", 0, 0, 0, 0);
            if (one == NULL || json_object_set_new(splits, item->split, one) != 0) {
                continue;
            }
        }
        json_t *counter = item->is_labelled
                              ? json_array_get(json_object_get(one, "n_by_grade"), (size_t)item->grade)
                              : json_object_get(one, "healthy");
        json_t *n = json_object_get(one, "n");
        (void)json_integer_set(counter, json_integer_value(counter) + 1);
        (void)json_integer_set(n, json_integer_value(n) + 1);
    }
    return splits;
}

static json_t *make_report(audit *run, const char *data_folder, const int *by_grade)
{
    json_t *problems = json_array();
    reha_problems_close(problems, run->found, PROBLEMS);
    return json_pack("{s:s, s:o, s:i, s:i, s:i, s:[i, i, i, i], s:o, s:o}", "task", REHA_INJURY_TASK, "data",
                     reha_json_text(data_folder), "n", (int)run->data.count, "groups",
                     (int)run->data.group_count, "labelled", (int)run->data.labelled_count,
                     "labelled_by_grade", by_grade[0], by_grade[1], by_grade[2], by_grade[3], "splits",
                     splits_json(run), "problems", problems);
}

reha_status reha_injury_audit_(const char *data_folder, reha_load_function load,
                               const reha_progress *progress, json_t **out, reha_error *err)
{
    reha_status status = REHA_OK;
    audit run = {.load = load != NULL ? load : reha_load_picture};
    int by_grade[REHA_LESION_GRADES] = {0};
    *out = NULL;
    reha_problems_open(texts, PROBLEMS, run.found);
    REHA_CHECK(reha_injury_data_load(data_folder, NULL, &run.data, err));
    run.looks = reha_alloc_zero(run.data.count, sizeof *run.looks);
    run.copies = reha_alloc_zero(run.data.count, sizeof *run.copies);
    if (run.looks == NULL || run.copies == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", run.data.count);
        goto done;
    }
    REHA_CHECK(reha_each(run.data.count, "images", progress, look_at, &run, err));
    compare_pictures(&run);
    REHA_CHECK(reha_find_parted_groups(run.data.count, run.data.group_count, place_of, &run.data,
                                       REHA_COUNT_ROWS, &run.found[SPLIT_GROUP], err));
    count_grades(&run, by_grade);
    *out = make_report(&run, data_folder, by_grade);
    status = *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
done:
    reha_problems_close(NULL, run.found, PROBLEMS);
    reha_free(run.looks);
    reha_free(run.copies);
    reha_injury_data_clear(&run.data);
    return status;
}
