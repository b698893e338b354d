/* The loaded gate, shared by its analysis, training and evaluation. */
#ifndef REHA_RECOGNITION_SCENE_PRIV_H
#define REHA_RECOGNITION_SCENE_PRIV_H

#include "nn/session.h"
#include "recognition/scene_card.h"
#include "recognition/scene_data.h"

/* Networks ready to look, all at the same view. One thread at a time. */
typedef struct scene_eye {
    size_t network_count;
    reha_session *sessions[REHA_SCENE_NETWORKS_MAX];
    float *input;                       /* REHA_SCENE_INPUT */
    float *outputs[REHA_SCENE_OUTPUTS]; /* of the first network; all in one block that outputs[0] begins */
} scene_eye;

struct reha_model {
    reha_scene_card card;
    scene_eye eye;
};

/* Compiles a network with the right input and outputs; REHA_E_FORMAT otherwise. */
REHA_MUST_USE reha_status scene_eye_init(scene_eye *eye, const reha_graph *graph, int threads,
                                         reha_error *err);
/* One more network beside those of an initialised eye: each has the same say, distances are the first's. */
REHA_MUST_USE reha_status scene_eye_add(scene_eye *eye, const reha_graph *graph, int threads,
                                        reha_error *err);
/* All further networks of a card, from files in `folder`. */
REHA_MUST_USE reha_status scene_eye_add_further(scene_eye *eye, const reha_scene_card *card,
                                                const char *folder, int threads, reha_error *err);
void scene_eye_clear(scene_eye *eye);
/* Probabilities of a picture at the size that is looked at, means over the networks; distances NaN, the first
 * network's features in eye->outputs. */
REHA_MUST_USE reha_status scene_eye_look(scene_eye *eye, const reha_gray *work, bool inverted,
                                         reha_scene *out, reha_error *err);

REHA_MUST_USE reha_status scene_train(const reha_train_options *options, const reha_progress *progress,
                                      reha_error *err);
/* The base model's further networks, if there are any, go with the new one and are asked beside it. */
REHA_MUST_USE reha_status scene_take_over_further(const reha_train_options *options, scene_eye *eye,
                                                  reha_error *err);
/* Means and covariance of the features of `train`, limits from good pictures of `cal`, into `card`. */
REHA_MUST_USE reha_status scene_fit(scene_eye *eye, const reha_scene_data *train, const reha_scene_data *cal,
                                    uint64_t seed, reha_scene_card *card, reha_error *err);
/* Recall of each kind with intervals by group, what else it was taken for, refusals of good pictures. New
 * reference. */
REHA_MUST_USE reha_status scene_measure(scene_eye *eye, const reha_scene_card *card,
                                        const reha_scene_data *data, int rounds, uint64_t seed, json_t **out,
                                        reha_error *err);
REHA_MUST_USE reha_status scene_evaluate(reha_model *model, const reha_evaluate_options *options,
                                         const reha_progress *progress, json_t **report, reha_error *err);
REHA_MUST_USE reha_status scene_audit(const char *data_folder, reha_load_function load,
                                      const reha_progress *progress, json_t **report, reha_error *err);

#endif
