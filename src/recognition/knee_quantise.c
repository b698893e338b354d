/* int8 for the grading networks. The ranges of their activations come from the first knees of a labelled
 * split; then the whole split goes through the deployed path in the card's precision and in int8, and int8
 * stays only if no figure falls by more than half a point. Probabilities and sets stay as calibrated: int8
 * must not need others. */
#include "recognition/knee_oa_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "nn/onnx.h"
#include "recognition/evaluate.h"
#include "recognition/metrics.h"

#include <stdio.h>
#include <string.h>

enum { RANGE_KNEES = 100, DISEASE_GRADE = 2 };
static const double LOSS_MAX = 0.005; /* of accuracy, kappa and AUC */
static const char RANGES_SUFFIX[] = ".ranges.json";

typedef struct quantising {
    reha_model *model;
    const char *folder;
    const reha_evaluate_options *options;
    const reha_progress *progress;
    reha_graded_metrics before, after;
} quantising;

/* The member's network, by its place among the card's. */
static reha_knee_network *network_of(reha_knee_card *card, int member)
{
    for (int i = 0; i < card->network_count; i++) {
        if (card->networks[i].role == REHA_KNEE_KL && member-- == 0) {
            return &card->networks[i];
        }
    }
    return NULL;
}

static reha_status load_graph(const quantising *job, int member, reha_graph **out, reha_error *err)
{
    char *path = reha_path_join(job->folder, network_of(&job->model->card, member)->file);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_onnx_load(path, NULL, out, err);
    reha_free(path);
    return status;
}

static reha_status measure(const quantising *job, reha_graded_metrics *out, reha_error *err)
{
    static const reha_graded_task task = {"kl-grade", REHA_GRADES, DISEASE_GRADE};
    reha_graded_case *cases = NULL;
    size_t count = 0;
    reha_status status;
    REHA_CHECK(reha_evaluate_cases(&reha_recogniser_knee_oa, job->model, &task, job->options, job->progress,
                                   &cases, &count, err));
    REHA_CHECK(reha_graded_metrics_compute(cases, count, REHA_GRADES, DISEASE_GRADE,
                                           job->options->bootstrap_rounds, job->options->seed, out, err));
done:
    reha_free(cases);
    return status;
}

static reha_status start_ranges(const quantising *job, reha_error *err)
{
    for (int m = 0; m < job->model->member_count; m++) {
        reha_graph *graph = NULL;
        reha_calibration_options how = reha_calibration_options_default();
        how.threads = job->model->threads;
        reha_status status = load_graph(job, m, &graph, err);
        if (status == REHA_OK) {
            status = reha_calibration_new(graph, &how, &job->model->members[m].ranges, err);
        }
        reha_graph_free(graph);
        if (status != REHA_OK) {
            return status;
        }
    }
    job->model->ranges_left = RANGE_KNEES;
    return REHA_OK;
}

static reha_status switch_to_int8(const quantising *job, reha_error *err)
{
    for (int m = 0; m < job->model->member_count; m++) {
        knee_member *member = &job->model->members[m];
        reha_graph *graph = NULL;
        reha_session *session = NULL;
        reha_status status = load_graph(job, m, &graph, err);
        if (status == REHA_OK) {
            status = reha_knee_member_session_(&job->model->card, network_of(&job->model->card, m), graph,
                                               job->model->threads, REHA_INT8, member->ranges, &session, err);
        }
        reha_graph_free(graph);
        if (status != REHA_OK) {
            return status;
        }
        reha_session_free(member->net.session);
        member->net.session = session;
    }
    return REHA_OK;
}

static bool is_kept(const quantising *job)
{
    return job->after.accuracy.value >= job->before.accuracy.value - LOSS_MAX &&
           job->after.kappa.value >= job->before.kappa.value - LOSS_MAX &&
           job->after.auc.value >= job->before.auc.value - LOSS_MAX;
}

static reha_status name_ranges(reha_knee_network *network, reha_error *err)
{
    char name[sizeof network->ranges];
    const int length = snprintf(name, sizeof name, "%s%s", network->file, RANGES_SUFFIX);
    if (length < 0 || (size_t)length >= sizeof name) {
        return reha_fail(err, REHA_E_ARG, "the name of the file %s is too long", network->file);
    }
    memcpy(network->ranges, name, sizeof name);
    return REHA_OK;
}

/* The ranges first: a card must not name a file that is not there. */
static reha_status save(const quantising *job, json_t *figures, reha_error *err)
{
    reha_knee_card *card = &job->model->card;
    for (int m = 0; m < job->model->member_count; m++) {
        reha_knee_network *network = network_of(card, m);
        REHA_TRY(name_ranges(network, err));
        char *path = reha_path_join(job->folder, network->ranges);
        const reha_status status = path == NULL
                                       ? reha_fail(err, REHA_E_NOMEM, "out of memory for a path")
                                       : reha_calibration_save(job->model->members[m].ranges, path, err);
        reha_free(path);
        REHA_TRY(status);
        network->precision = REHA_INT8;
    }
    (void)json_object_set_new(figures, "split",
                              json_sprintf("%s (int8, chosen on it: optimistic)",
                                           job->options->split != NULL ? job->options->split : "all"));
    REHA_TRY(reha_knee_card_set_take(card, "metrics", json_incref(figures), err));
    return reha_knee_card_save(card, job->folder, err);
}

static reha_status tell(const quantising *job, json_t **report, reha_error *err)
{
    reha_status status = REHA_OK;
    json_t *before = NULL;
    json_t *after = NULL;
    REHA_CHECK(reha_graded_metrics_to_json(&job->before, &before, err));
    REHA_CHECK(reha_graded_metrics_to_json(&job->after, &after, err));
    if (is_kept(job)) {
        REHA_CHECK(save(job, after, err));
    }
    *report =
        json_pack("{s:O, s:O, s:b, s:f, s:i}", "before", before, "after", after, "kept", is_kept(job) ? 1 : 0,
                  "loss_max", LOSS_MAX, "range_knees", RANGE_KNEES - job->model->ranges_left);
    if (*report == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the report");
    }
done:
    json_decref(before);
    json_decref(after);
    return status;
}

reha_status reha_knee_quantise(reha_model *model, const char *model_folder,
                               const reha_evaluate_options *options, const reha_progress *progress,
                               json_t **report, reha_error *err)
{
    quantising job = {.model = model, .folder = model_folder, .options = options, .progress = progress};
    *report = NULL;
    if (!reha_precision_is_fast(REHA_INT8)) {
        return reha_fail(
            err, REHA_E_UNSUPPORTED,
            "this processor (%s) is not fast in int8, so nothing can be measured; do it on one with VNNI",
            reha_nn_isa());
    }
    if (network_of(&model->card, 0)->precision == REHA_INT8) {
        return reha_fail(err, REHA_E_CONFLICT, "the model runs in int8 already; nothing was changed");
    }
    REHA_TRY(start_ranges(&job, err));
    REHA_TRY(measure(&job, &job.before, err));
    if (model->ranges_left == RANGE_KNEES) {
        return reha_fail(err, REHA_E_ARG, "no image was graded, so there are no ranges");
    }
    REHA_TRY(switch_to_int8(&job, err));
    REHA_TRY(measure(&job, &job.after, err));
    return tell(&job, report, err);
}
