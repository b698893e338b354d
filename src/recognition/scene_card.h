/* The gate's card: what its network learned from, where its training pictures lie among the features, and
 * from where on a picture of a kind is refused. Format: docs/formats/model-card.md. */
#ifndef REHA_RECOGNITION_SCENE_CARD_H
#define REHA_RECOGNITION_SCENE_CARD_H

#include "base/json.h"
#include "recognition/scene.h"
#include "recognition/scene_net.h"

/* What good pictures of a kind reach, set on the split "cal". */
typedef struct reha_scene_limits {
    bool is_present;
    double share_min;    /* probability of the kind: below, it is something else */
    double modality_min; /* reha_scene_modality_share: below, it may be no radiograph at all; 0: not asked */
    double distance_max; /* squared Mahalanobis distance */
    double contrast_min;
    double shorter_px_min;
    double inverted_max;
    double turned_max; /* 1 - probability of being upright; 1: any way up is fine */
    double flaw_max[REHA_SCENE_FLAWS];
} reha_scene_limits;

enum { REHA_SCENE_NETWORKS_MAX = 4 };

typedef struct reha_scene_card {
    json_t *json;
    char name[64], version[32], file[64];
    size_t further_count;
    char further[REHA_SCENE_NETWORKS_MAX - 1][64]; /* files of networks that are asked, too */
    bool has_mean[REHA_SCENE_KINDS];
    double means[REHA_SCENE_KINDS][REHA_SCENE_FEATURES];
    double inverse[REHA_SCENE_FEATURES * REHA_SCENE_FEATURES]; /* of the covariance within kinds */
    reha_scene_limits limits[REHA_SCENE_KINDS];
} reha_scene_card;

/* REHA_E_FORMAT names the file and what is wrong with it. */
REHA_MUST_USE reha_status reha_scene_card_load(const char *folder, reha_scene_card *out, reha_error *err);
void reha_scene_card_clear(reha_scene_card *card);

/* Squared Mahalanobis distance of features to a kind's mean. */
double reha_scene_distance(const reha_scene_card *card, reha_scene_kind kind, const float *features);

/* Means, covariance and limits as JSON ("features", "limits"); new references. */
REHA_MUST_USE reha_status reha_scene_card_numbers(const reha_scene_card *card, json_t **features,
                                                  json_t **limits, reha_error *err);
/* A card of plain words around `training`, `features`, `limits` and what was `measured` (all borrowed), saved
 * in `out_folder`; texts come from `base_folder`'s card where there is one. */
REHA_MUST_USE reha_status reha_scene_card_write(const char *base_folder, const char *out_folder,
                                                json_t *training, json_t *features, json_t *limits,
                                                json_t *measured, reha_error *err);

#endif
