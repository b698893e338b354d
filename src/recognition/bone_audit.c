/* `audit-data bone-density`: what would spoil a study of such a folder, and what to do about it. */
#include "recognition/audit_priv.h"
#include "recognition/bone_density_priv.h"

#include "base/memory.h"
#include "recognition/each.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NORMAL_FEW = 50 };
static const double SET_DIFFERENCE = 0.15; /* of a class's share between two acquisition sets */

typedef struct counts {
    int by_class[REHA_BONE_CLASSES];
    int by_set[REHA_BONE_SETS_MAX][REHA_BONE_CLASSES];
    int of_set[REHA_BONE_SETS_MAX];
} counts;

static void count_rows(const reha_bone_data *data, counts *out)
{
    *out = (counts){0};
    for (size_t i = 0; i < data->count; i++) {
        if (reha_bone_item_is_used(data, i)) {
            out->by_class[data->items[i].class_idx]++;
            out->by_set[data->items[i].set_idx][data->items[i].class_idx]++;
            out->of_set[data->items[i].set_idx]++;
        }
    }
}

static void find_copies(const reha_bone_data *data, json_t *problems)
{
    reha_problem copy =
        reha_problem_new("duplicate", "warning", "rows that repeat a picture of an earlier row",
                         "none needed: a picture counts once, in one group; better find out whose it is");
    reha_problem conflict =
        reha_problem_new("label-conflict", "error", "pictures whose copies have different classes",
                         "find the right class, or remove all copies: none of them is used");
    reha_problem unclear =
        reha_problem_new("patient-unclear", "warning", "pictures that patients with different facts share",
                         "find out whose they are; until then age, sex and BMI count as unknown");
    reha_problem person = reha_problem_new(
        "person-repeated", "info", "rows whose facts equal those of another row to the last digit",
        "none needed: they are kept in one group; check whether it is one person");
    for (size_t i = 0; i < data->count; i++) {
        const reha_bone_item *item = &data->items[i];
        if (item->copy_of != i) {
            reha_problem_add(&copy, data->items[item->copy_of].path, item->path);
        } else if (item->is_conflict) {
            reha_problem_add(&conflict, item->path, NULL);
        } else if (item->is_ambiguous) {
            reha_problem_add(&unclear, item->path, NULL);
        }
        for (size_t j = 0; j < i; j++) {
            if (data->items[j].group_idx == item->group_idx && item->copy_of != data->items[j].copy_of) {
                reha_problem_add(&person, data->items[j].path, item->path);
                break;
            }
        }
    }
    reha_problem_close(problems, &conflict);
    reha_problem_close(problems, &copy);
    reha_problem_close(problems, &unclear);
    reha_problem_close(problems, &person);
}

static void find_bad_facts(const reha_bone_data *data, json_t *problems)
{
    reha_problem age = reha_problem_new("age-implausible", "warning", "ages below 18 or above 100",
                                        "correct or empty these cells; until then the age counts as unknown");
    reha_problem size =
        reha_problem_new("size-implausible", "warning", "heights or BMIs that cannot be",
                         "correct or empty these cells; until then the BMI counts as unknown");
    reha_problem missing =
        reha_problem_new("patient-missing", "warning", "pictures without a row in patients.csv",
                         "add it: without age, sex and BMI nobody can tell what the picture adds");
    for (size_t i = 0; i < data->count; i++) {
        const reha_bone_item *item = &data->items[i];
        if (item->is_age_implausible) {
            reha_problem_add(&age, item->path, NULL);
        }
        if (item->is_size_implausible) {
            reha_problem_add(&size, item->path, NULL);
        }
        if (!item->has_patient) {
            reha_problem_add(&missing, item->path, NULL);
        }
    }
    reha_problem_close(problems, &missing);
    reha_problem_close(problems, &age);
    reha_problem_close(problems, &size);
}

static void find_imbalance(const reha_bone_data *data, const counts *n, json_t *problems)
{
    reha_problem few = reha_problem_new("rare-class", "warning", "classes of fewer than 50 pictures",
                                        "read their figures with their intervals; add pictures of them");
    reha_problem shortcut =
        reha_problem_new("acquisition-shortcut", "warning",
                         "classes that are much more frequent in one acquisition set than in another",
                         "balance the sets, or read the figures within sets: 'train' tests whether the "
                         "class can be told from the acquisition alone");
    for (int k = 0; k < REHA_BONE_CLASSES; k++) {
        char text[120];
        if (n->by_class[k] < NORMAL_FEW) {
            (void)snprintf(text, sizeof text, "%s: %d", reha_bone_class_names[k], n->by_class[k]);
            reha_problem_add(&few, text, NULL);
        }
        for (int a = 0; a < data->set_count; a++) {
            for (int b = 0; b < a; b++) {
                const double in_a = n->of_set[a] >= 20 ? (double)n->by_set[a][k] / n->of_set[a] : (double)NAN;
                const double in_b = n->of_set[b] >= 20 ? (double)n->by_set[b][k] / n->of_set[b] : (double)NAN;
                if (fabs(in_a - in_b) > SET_DIFFERENCE) {
                    (void)snprintf(text, sizeof text, "%s: %.0f %% of %s, %.0f %% of %s",
                                   reha_bone_class_names[k], 100.0 * in_a, data->sets[a], 100.0 * in_b,
                                   data->sets[b]);
                    reha_problem_add(&shortcut, text, NULL);
                }
            }
        }
    }
    reha_problem_close(problems, &shortcut);
    reha_problem_close(problems, &few);
}

typedef struct files {
    const reha_bone_data *data;
    reha_load_function load;
    reha_problem unreadable;
} files;

static reha_status check_file(void *context, size_t index, reha_error *err)
{
    files *to = context;
    const reha_bone_item *item = &to->data->items[index];
    reha_gray *image = NULL;
    reha_acquisition facts;
    REHA_TRY(reha_load_readable(to->load, item->full_path, &image, &facts, err));
    if (image == NULL) {
        reha_problem_add(&to->unreadable, item->path, NULL);
    }
    reha_gray_free(image);
    return REHA_OK;
}

static reha_status find_unreadable(const reha_bone_data *data, reha_load_function load,
                                   const reha_progress *progress, json_t *problems, reha_error *err)
{
    files checked = {.data = data,
                     .load = load,
                     .unreadable = reha_problem_new("unreadable", "error", "images that cannot be read",
                                                    "remove their rows or restore the files")};
    const reha_status status = reha_each(data->count, "images", progress, check_file, &checked, err);
    reha_problem_close(problems, &checked.unreadable);
    return status;
}

reha_status reha_bone_audit_(const char *data_folder, reha_load_function load, const reha_progress *progress,
                             json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_bone_data data = {0};
    counts n;
    json_t *problems = json_array();
    json_t *classes = json_object();
    *report = NULL;
    REHA_CHECK(reha_bone_data_load(data_folder, &data, err));
    REHA_CHECK(find_unreadable(&data, load != NULL ? load : reha_load_picture, progress, problems, err));
    count_rows(&data, &n);
    find_copies(&data, problems);
    find_bad_facts(&data, problems);
    find_imbalance(&data, &n, problems);
    for (int k = 0; k < REHA_BONE_CLASSES; k++) {
        (void)json_object_set_new(classes, reha_bone_class_names[k], json_integer(n.by_class[k]));
    }
    *report = json_pack("{s:s, s:o, s:I, s:I, s:O, s:O}", "task", "bone-density", "data",
                        reha_json_text(data_folder), "n", (json_int_t)data.count, "groups",
                        (json_int_t)data.group_count, "classes", classes, "problems", problems);
    if (*report == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
done:
    json_decref(problems);
    json_decref(classes);
    reha_bone_data_clear(&data);
    return status;
}
