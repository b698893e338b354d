#include "recognition/audit.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/threads.h"
#include "recognition/audit_priv.h"
#include "recognition/dataset.h"
#include "recognition/knee_preprocess.h"
#include "recognition/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_SIDE_MIN_PX = 64 }; /* the analysis refuses smaller ones */
static const double RARE_GRADE_SHARE = 0.05;
static const double SHORTCUT_AUC = 0.65;

typedef struct audited {
    bool is_inverted;
    bool is_small;
} audited;

typedef struct audit {
    reha_dataset data;
    audited *items;
    reha_look *looks; /* known: the picture could be read */
    reha_load_function load;
    json_t *problems;
} audit;

static reha_status audit_one(audit *run, size_t index, reha_error *err)
{
    audited *out = &run->items[index];
    const reha_labelled *item = &run->data.items[index];
    const reha_knee_crop_spec spec = reha_knee_crop_spec_default();
    reha_acquisition facts;
    reha_gray *image = NULL;
    reha_status status = reha_load_readable(run->load, item->full_path, &image, &facts, err);
    if (status != REHA_OK || image == NULL) {
        return status;
    }
    out->is_small = image->width_px < SHORT_SIDE_MIN_PX || image->height_px < SHORT_SIDE_MIN_PX;
    reha_look_at(image, NULL, &run->looks[index]);
    const size_t square_count = (size_t)spec.size_px * (size_t)spec.size_px;
    float *square = reha_alloc(square_count * sizeof *square);
    if (square == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a crop");
    } else if (!run->looks[index].is_blank) {
        const reha_knee_pose pose = reha_knee_pose_whole(image, &spec);
        status = reha_knee_square(image, &pose, &spec, false, square, err);
        out->is_inverted = status == REHA_OK && reha_knee_looks_inverted(square, spec.size_px);
    }
    reha_free(square);
    reha_gray_free(image);
    return status;
}

static void find_bad_images(audit *run)
{
    reha_problem unreadable = reha_problem_new("unreadable", "error", "images that cannot be read",
                                               "remove their rows or restore the files");
    reha_problem blank =
        reha_problem_new("blank", "error", "images without any contrast", "remove their rows");
    reha_problem inverted =
        reha_problem_new("inverted", "warning", "images that look photometrically inverted",
                         "none needed: training and analysis turn them over; check the examples");
    reha_problem small = reha_problem_new("too-small", "warning", "images with a side below 64 pixels",
                                          "export them again in full size; the analysis refuses them");
    for (size_t i = 0; i < run->data.count; i++) {
        const audited *item = &run->items[i];
        const reha_look *look = &run->looks[i];
        const char *path = run->data.items[i].path;
        if (!look->is_known) {
            reha_problem_add(&unreadable, path, NULL);
        } else if (look->is_blank) {
            reha_problem_add(&blank, path, NULL);
        } else if (item->is_inverted) {
            reha_problem_add(&inverted, path, NULL);
        }
        if (item->is_small) {
            reha_problem_add(&small, path, NULL);
        }
    }
    reha_problem_close(run->problems, &unreadable);
    reha_problem_close(run->problems, &blank);
    reha_problem_close(run->problems, &inverted);
    reha_problem_close(run->problems, &small);
}

enum { EXACT_LEAK, EXACT_CONFLICT, NEAR_LEAK, NEAR_CONFLICT, EXACT, NEAR, COPIES };
static const reha_problem_text copy_texts[COPIES] = {
    {"copy-leak", "error", "copies that stand in two splits",
     "move all copies to one split: an evaluation would know its answers"},
    {"label-conflict", "error", "copies with different grades", "have a reader decide, or remove all copies"},
    {"near-copy-leak", "warning", "almost equal images that stand in two splits",
     "look at them: if they are one picture, move them to one split"},
    {"near-label-conflict", "warning", "almost equal images with different grades",
     "look at them: if they are one picture, have a reader decide"},
    {"duplicate", "warning", "identical images under several rows", "keep one row of each"},
    {"near-duplicate", "warning", "images that are almost the same picture",
     "look at them; keep one row of each, or give them one patient_id"},
};

typedef struct copies {
    const reha_dataset *data;
    reha_problem found[COPIES];
} copies;

static void tell_copy(void *context, size_t first, size_t second, bool is_exact)
{
    copies *to = context;
    const reha_labelled *left = &to->data->items[first];
    const reha_labelled *right = &to->data->items[second];
    reha_problem_add(&to->found[is_exact ? EXACT : NEAR], left->path, right->path);
    if (left->grade != right->grade) {
        reha_problem_add(&to->found[is_exact ? EXACT_CONFLICT : NEAR_CONFLICT], left->path, right->path);
    }
    if (strcmp(left->split, right->split) != 0) {
        reha_problem_add(&to->found[is_exact ? EXACT_LEAK : NEAR_LEAK], left->path, right->path);
    }
}

static void find_copies(audit *run)
{
    copies to = {.data = &run->data};
    reha_problems_open(copy_texts, COPIES, to.found);
    reha_find_copies(run->looks, run->data.count, tell_copy, &to);
    reha_problems_close(run->problems, to.found, COPIES);
}

static reha_place place_of(const void *context, size_t row)
{
    const reha_labelled *item = &((const reha_dataset *)context)->items[row];
    return (reha_place){item->patient_idx, item->split, item->path};
}

static reha_status find_patient_leaks(audit *run, reha_error *err)
{
    reha_problem leak = reha_problem_new("patient-leak", "error", "patients whose images stand in two splits",
                                         "move all images of a patient to one split");
    const reha_status status = reha_find_parted_groups(run->data.count, run->data.patient_count, place_of,
                                                       &run->data, REHA_COUNT_GROUPS, &leak, err);
    reha_problem_close(status == REHA_OK ? run->problems : NULL, &leak);
    return status;
}

static void find_imbalance(audit *run, int class_count, json_t *splits)
{
    reha_problem rare =
        reha_problem_new("rare-grade", "warning", "grades that make up less than 5 % of a split",
                         "weigh them in training; read their figures with their intervals");
    reha_problem lopsided = reha_problem_new(
        "side-imbalance", "info", "splits in which one side is below 40 %", "check how images were chosen");
    for (size_t i = 0; i < run->data.count; i++) {
        const reha_labelled *item = &run->data.items[i];
        json_t *split = json_object_get(splits, item->split);
        if (split == NULL) {
            split = json_pack("{s:i, s:[], s:i, s:i}", "n", 0, "n_by_grade", "right", 0, "left", 0);
            for (int k = 0; k < class_count; k++) {
                (void)json_array_append_new(json_object_get(split, "n_by_grade"), json_integer(0));
            }
            (void)json_object_set_new(splits, item->split, split);
        }
        json_t *grade = json_array_get(json_object_get(split, "n_by_grade"), (size_t)item->grade);
        (void)json_integer_set(grade, json_integer_value(grade) + 1);
        json_t *count = json_object_get(split, "n");
        (void)json_integer_set(count, json_integer_value(count) + 1);
        json_t *side = json_object_get(split, item->side == REHA_SIDE_LEFT ? "left" : "right");
        if (item->side != REHA_SIDE_UNKNOWN) {
            (void)json_integer_set(side, json_integer_value(side) + 1);
        }
    }
    const char *name = NULL;
    json_t *split = NULL;
    json_object_foreach(splits, name, split)
    {
        const double n = (double)json_integer_value(json_object_get(split, "n"));
        for (int k = 0; k < class_count; k++) {
            const double of_grade =
                (double)json_integer_value(json_array_get(json_object_get(split, "n_by_grade"), (size_t)k));
            if (of_grade < RARE_GRADE_SHARE * n) {
                char text[80];
                (void)snprintf(text, sizeof text, "%.20s: grade %d, %.0f of %.0f", name, k, of_grade, n);
                reha_problem_add(&rare, text, NULL);
            }
        }
        const double right = (double)json_integer_value(json_object_get(split, "right"));
        const double left = (double)json_integer_value(json_object_get(split, "left"));
        if (right + left > 0.0 && fmin(right, left) < 0.4 * (right + left)) {
            reha_problem_add(&lopsided, name, NULL);
        }
    }
    reha_problem_close(run->problems, &rare);
    reha_problem_close(run->problems, &lopsided);
}

/* If the mean brightness alone separates the ill from the healthy, so will a network, wrongly. */
static reha_status find_shortcut(audit *run, int boundary, double *auc, reha_error *err)
{
    double *scores = reha_alloc_zero(run->data.count, sizeof *scores);
    int *labels = reha_alloc_zero(run->data.count, sizeof *labels);
    reha_status status = REHA_OK;
    size_t count = 0;
    if (scores == NULL || labels == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the shortcut check");
        goto done;
    }
    for (size_t i = 0; i < run->data.count; i++) {
        if (run->looks[i].is_known) {
            scores[count] = run->looks[i].mean_level;
            labels[count++] = run->data.items[i].grade >= boundary;
        }
    }
    REHA_CHECK(reha_auc(scores, labels, count, auc, err));
    if (fmax(*auc, 1.0 - *auc) > SHORTCUT_AUC) {
        reha_problem shortcut = reha_problem_new(
            "exposure-shortcut", "warning", "the exposure alone tells the grade",
            "normalise exposure; check whether ill and healthy come from different machines");
        reha_problem_add(&shortcut, "mean brightness against disease", NULL);
        reha_problem_close(run->problems, &shortcut);
    }
done:
    reha_free(scores);
    reha_free(labels);
    return status;
}

enum { CHUNK = 64 };

typedef struct chunk {
    audit *run;
    size_t first;
} chunk;

static reha_status audit_in_chunk(void *context, size_t index, size_t thread_idx, reha_error *err)
{
    const chunk *part = context;
    (void)thread_idx;
    return audit_one(part->run, part->first + index, err);
}

/* In chunks, so that progress is told and a stop is heard on the caller's thread. */
static reha_status audit_chunks(audit *run, const reha_progress *progress, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    for (size_t first = 0; first < run->data.count; first += CHUNK) {
        const size_t left = run->data.count - first;
        const size_t count = left < CHUNK ? left : CHUNK;
        chunk part = {run, first};
        REHA_TRY(reha_parallel_for(count, 0, audit_in_chunk, &part, err));
        if (reha_progress_is_stopped(progress)) {
            return reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu images", first + count,
                             run->data.count);
        }
        reha_progress_tell(progress, first + count, run->data.count, "images", start_ms);
    }
    return REHA_OK;
}

reha_status reha_audit_graded(const char *task, int class_count, int boundary, const char *data_folder,
                              reha_load_function load, const reha_progress *progress, json_t **report,
                              reha_error *err)
{
    reha_status status = REHA_OK;
    audit run = {.load = load != NULL ? load : reha_load_picture};
    json_t *splits = json_object();
    json_t *groups = NULL;
    double auc = (double)NAN;
    *report = NULL;
    run.problems = json_array();
    REHA_CHECK(reha_dataset_load(data_folder, NULL, &run.data, err));
    run.items = reha_alloc_zero(run.data.count, sizeof *run.items);
    run.looks = reha_alloc_zero(run.data.count, sizeof *run.looks);
    if (run.items == NULL || run.looks == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", run.data.count);
        goto done;
    }
    REHA_CHECK(audit_chunks(&run, progress, err));
    REHA_CHECK(find_patient_leaks(&run, err));
    find_copies(&run);
    find_bad_images(&run);
    find_imbalance(&run, class_count, splits);
    reha_audit_groups(&run.data, boundary, run.problems, &groups);
    REHA_CHECK(find_shortcut(&run, boundary, &auc, err));
    *report = json_pack("{s:s, s:o, s:I, s:I, s:O, s:O, s:o, s:O}", "task", task, "data",
                        reha_json_text(data_folder), "n", (json_int_t)run.data.count, "patients",
                        (json_int_t)run.data.patient_count, "splits", splits, "subgroups", groups,
                        "brightness_auc", reha_json_real(auc), "problems", run.problems);
    if (*report == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
done:
    json_decref(splits);
    json_decref(groups);
    json_decref(run.problems);
    reha_free(run.items);
    reha_free(run.looks);
    reha_dataset_clear(&run.data);
    return status;
}
