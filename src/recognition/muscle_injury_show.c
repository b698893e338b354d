#include "recognition/muscle_injury_show.h"

#include "base/memory.h"
#include "recognition/each.h"
#include "recognition/muscle_injury_scene.h"

#include <math.h>
#include <string.h>

enum { MAP = REHA_MUSCLE_MAP_PX, COUNT = REHA_INJURY_MAP_COUNT };

typedef struct maps {                       /* one block */
    float *found, *drawn, *plain, *scratch; /* two maps, one, one, three */
} maps;

typedef struct showing {
    reha_model *model;
    const reha_evaluate_options *options;
    reha_load_function load;
    reha_injury_show *out;
    maps m;
} showing;

bool reha_injury_is_free(const reha_injury_shown *one)
{
    return one->grade == 0;
}

/* For pictures in which no belly is known: all of the tissue. */
static void whole_tissue(const reha_muscle_frame *frame, reha_injury_belly *out)
{
    for (int i = 0; i < REHA_INJURY_CURVE; i++) {
        const double x = frame->box.x_px + frame->box.width_px * i / (REHA_INJURY_CURVE - 1.0) - 0.5;
        out->superficial[i] = (reha_point_px){x, frame->box.y_px - 0.5};
        out->deep[i] = (reha_point_px){x, frame->box.y_px + frame->box.height_px - 0.5};
    }
    out->thickness_px = frame->box.height_px;
    out->fascicle_deg = 0.0;
}

static reha_status choose_belly(const showing *run, const reha_injury_scene *scene, const reha_gray *image,
                                reha_injury_belly *belly, bool *found, reha_error *err)
{
    if (run->model->muscle != NULL) {
        const reha_acquisition facts = reha_acquisition_unknown();
        return reha_injury_find_belly_(run->model, image, &facts, belly, found, NULL, err);
    }
    *found = true;
    *belly = scene->belly;
    if (scene->is_labelled) {
        whole_tissue(&scene->frame, belly);
    }
    return REHA_OK;
}

static void mark_hits(const reha_injury_reading *reading, const reha_injury_view *view, bool *hit)
{
    for (int k = 0; k < reading->count; k++) {
        const double x = fmin(view->image->width_px - 1.0, fmax(0.0, round(reading->found[k].at.x_px)));
        const double y = fmin(view->image->height_px - 1.0, fmax(0.0, round(reading->found[k].at.y_px)));
        hit[k] = view->truth.injured[(size_t)y * view->image->width_px + (size_t)x] != 0;
    }
}

/* How much a lesion differs from its belly, for people who want to know how hard it was. */
static double contrast_of(const reha_injury_view *view, const reha_injury_belly *belly)
{
    double sums[2] = {0}, counts[2] = {0}, squares = 0.0;
    for (uint32_t x = 0; x < view->image->width_px; x++) {
        const uint32_t from = (uint32_t)fmax(0.0, ceil(reha_injury_top(belly, x)));
        const double to = fmin(view->image->height_px - 1.0, reha_injury_bottom(belly, x));
        for (uint32_t y = from; y <= to; y++) {
            const double grey = (double)reha_gray_at(view->image, x, y);
            const int is_injured = view->truth.injured[(size_t)y * view->image->width_px + x] != 0 ? 1 : 0;
            sums[is_injured] += grey;
            counts[is_injured] += 1.0;
            squares += is_injured == 0 ? grey * grey : 0.0;
        }
    }
    const double mean = sums[0] / fmax(1.0, counts[0]);
    const double sd = sqrt(fmax(1e-9, squares / fmax(1.0, counts[0]) - mean * mean));
    return counts[0] > 0.0 && counts[1] > 0.0 ? fabs(sums[1] / counts[1] - mean) / sd : (double)NAN;
}

static reha_status read_view(showing *run, const reha_injury_scene *scene, const reha_injury_view *view,
                             reha_injury_shown *to, reha_error *err)
{
    reha_injury_belly belly;
    reha_muscle_frame frame;
    bool found = false;
    REHA_TRY(reha_muscle_frame_find(view->image, &frame, err));
    REHA_TRY(choose_belly(run, scene, view->image, &belly, &found, err));
    to->is_refused = !found;
    if (!found) { /* its truth is still told, within the drawn belly */
        belly = scene->belly;
        if (scene->is_labelled) {
            whole_tissue(&frame, &belly);
        }
        memset(run->m.found, 0, (size_t)2 * COUNT * sizeof(float));
        memset(run->m.plain, 0, COUNT * sizeof(float));
    } else {
        REHA_TRY(reha_injury_model_run_(run->model, view->image, &frame, run->m.found, err));
        REHA_TRY(reha_injury_darkness(view->image, &frame, &belly, run->m.scratch, run->m.plain, err));
    }
    REHA_TRY(reha_injury_read(run->m.found, run->m.found + COUNT, &frame, &belly, NULL, &to->reading, err));
    REHA_TRY(reha_injury_read(run->m.plain, run->m.plain, &frame, &belly, NULL, &to->plain, err));
    REHA_TRY(reha_injury_mask_map(view->truth.injured, scene->width_px, scene->height_px, &frame,
                                  run->m.drawn, err));
    to->has_truth = reha_injury_extent(run->m.drawn, &frame, &belly, &to->truth);
    to->dice = to->has_truth ? reha_injury_dice(run->m.found, run->m.drawn, &frame, &belly) : (double)NAN;
    to->contrast = to->has_truth ? contrast_of(view, &belly) : (double)NAN;
    mark_hits(&to->reading, view, to->hit);
    mark_hits(&to->plain, view, to->plain_hit);
    return REHA_OK;
}

/* Healthy pictures of one similarity group are nearly one picture: the first that can be used stands for
 * them. */
static bool is_shown_already(const reha_injury_show *show, size_t index)
{
    const reha_injury_item *item = &show->data.items[index];
    for (size_t i = show->count; !item->is_labelled && i-- > 0;) {
        if (!show->items[i].is_labelled && show->items[i].group_idx == item->group_idx) {
            return true;
        }
    }
    return false;
}

static reha_status show_item(showing *run, size_t index, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_injury_scene scene;
    reha_injury_view view = {0};
    reha_error fault = REHA_ERROR_INIT;
    const reha_injury_item *item = &run->out->data.items[index];
    /* Simulating at full size costs ten times as much and shows the network nothing more: it sees 320 pixels.
     */
    status = reha_injury_scene_open(item, run->load, !item->is_labelled, &scene, &fault);
    if (status == REHA_E_REFUSED) {
        run->out->unusable++;
        run->out->picture_count--;
        return REHA_OK;
    }
    if (status != REHA_OK) {
        return reha_fail(err, status, "%s", fault.text);
    }
    const int views = item->is_labelled ? 1 : REHA_INJURY_VIEWS;
    for (int v = 0; v < views; v++) {
        reha_injury_shown *to = &run->out->items[run->out->count];
        const reha_lesion_spec spec = reha_injury_listed(&scene, v, run->options->seed, index);
        *to = (reha_injury_shown){
            .item_idx = index, .group_idx = item->group_idx, .is_labelled = item->is_labelled};
        REHA_CHECK(reha_injury_scene_view(&scene, &spec, &view, err));
        to->spec = view.spec;
        to->grade = view.grade;
        REHA_CHECK(read_view(run, &scene, &view, to, err));
        reha_injury_view_clear(&view);
        run->out->count++;
    }
done:
    reha_injury_view_clear(&view);
    reha_injury_scene_clear(&scene);
    return status;
}

static reha_status start(showing *run, reha_error *err)
{
    reha_injury_show *out = run->out;
    REHA_TRY(reha_injury_data_load(run->options->data_folder, run->options->split, &out->data, err));
    out->items = reha_alloc_zero(out->data.count, REHA_INJURY_VIEWS * sizeof *out->items);
    run->m.found = reha_alloc_zero((size_t)7 * COUNT, sizeof(float));
    if (out->items == NULL || run->m.found == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu pictures", out->data.count);
    }
    run->m.drawn = run->m.found + (size_t)2 * COUNT;
    run->m.plain = run->m.drawn + COUNT;
    run->m.scratch = run->m.plain + COUNT;
    return REHA_OK;
}

static reha_status show_new(void *context, size_t index, reha_error *err)
{
    showing *run = context;
    if (is_shown_already(run->out, index)) {
        return REHA_OK;
    }
    run->out->picture_count++;
    return show_item(run, index, err);
}

reha_status reha_injury_show_run(reha_model *model, const reha_evaluate_options *options,
                                 const reha_progress *progress, reha_injury_show *out, reha_error *err)
{
    reha_status status = REHA_OK;
    showing run = {.model = model,
                   .options = options,
                   .load = options->load != NULL ? options->load : reha_load_picture,
                   .out = out};
    *out = (reha_injury_show){0};
    REHA_CHECK(start(&run, err));
    REHA_CHECK(reha_each(out->data.count, "pictures", progress, show_new, &run, err));
    if (out->count == 0) {
        status = reha_fail(err, REHA_E_NOT_FOUND, "%s: none of %zu pictures can be used",
                           options->data_folder, out->data.count);
    }
done:
    reha_free(run.m.found);
    return status;
}

void reha_injury_show_clear(reha_injury_show *show)
{
    reha_injury_data_clear(&show->data);
    reha_free(show->items);
    *show = (reha_injury_show){0};
}
