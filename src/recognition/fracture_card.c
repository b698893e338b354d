#include "recognition/fracture_card.h"

#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const point_names[REHA_FRACTURE_POINTS] = {"high_sensitivity", "high_specificity"};
static const double SCORE_EDGE = 1e-6;
enum { SIDE_MIN_PX = 64, SIDE_MAX_PX = 1024, BOXES_MAX = 22 };

const char *reha_fracture_point_name(reha_fracture_point point)
{
    return point_names[point];
}

double reha_fracture_probability(const reha_fracture_card *card, double score)
{
    const double p = fmin(fmax(score, SCORE_EDGE), 1.0 - SCORE_EDGE);
    return 1.0 / (1.0 + exp(-(card->slope * log(p / (1.0 - p)) + card->intercept)));
}

reha_status reha_fracture_card_init(reha_fracture_card *card, reha_error *err)
{
    *card = (reha_fracture_card){.name = "fracture",
                                 .version = "1",
                                 .file = "model.onnx",
                                 .precision = REHA_BF16,
                                 .view = reha_fracture_view_default(),
                                 .slope = 1.0,
                                 .iou_hit = 0.3};
    card->json = json_pack("{s:s, s:i, s:s}", "format", "rehascope-model-card", "format_version", 1, "task",
                           "fracture");
    return card->json != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a model card");
}

void reha_fracture_card_clear(reha_fracture_card *card)
{
    json_decref(card->json);
    *card = (reha_fracture_card){0};
}

/* ---- reading ---- */

static reha_status need_object(const json_t *parent, const char *key, const json_t **out, reha_error *err)
{
    *out = json_object_get(parent, key);
    return json_is_object(*out) ? REHA_OK
                                : reha_fail(err, REHA_E_FORMAT, "'%s' is missing or no object", key);
}

static reha_status need_text(const json_t *parent, const char *key, char *out, size_t out_bytes,
                             reha_error *err)
{
    const char *text = NULL;
    REHA_TRY(reha_json_need_string(parent, key, &text, err));
    if (text[0] == '\0' || strlen(text) >= out_bytes) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' is empty or longer than %zu bytes", key, out_bytes - 1);
    }
    (void)snprintf(out, out_bytes, "%s", text);
    return REHA_OK;
}

static reha_status need_in(const json_t *parent, const char *key, double low, double high, double *out,
                           reha_error *err)
{
    REHA_TRY(reha_json_need_number(parent, key, out, err));
    return *out >= low && *out <= high
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "'%s' is %g, expected %g to %g", key, *out, low, high);
}

static reha_status read_network(const json_t *json, reha_fracture_card *out, reha_error *err)
{
    char precision[16];
    REHA_TRY(need_text(json, "file", out->file, sizeof out->file, err));
    if (strchr(out->file, '/') != NULL) {
        return reha_fail(err, REHA_E_FORMAT, "'file' has a folder part: the network lies beside the card");
    }
    REHA_TRY(need_text(json, "precision", precision, sizeof precision, err));
    for (int p = REHA_F32; p <= REHA_BF16; p++) {
        if (strcmp(precision, reha_precision_name((reha_precision)p)) == 0) {
            out->precision = (reha_precision)p;
            return REHA_OK;
        }
    }
    return reha_fail(err, REHA_E_FORMAT, "'precision' is '%s', expected f32 or bf16", precision);
}

static reha_status read_view(const json_t *json, reha_fracture_view *out, reha_error *err)
{
    double side = 0.0;
    double boxes = 0.0;
    REHA_TRY(need_in(json, "input_px", SIDE_MIN_PX, SIDE_MAX_PX, &side, err));
    if (fmod(side, 32.0) != 0.0) {
        return reha_fail(err, REHA_E_FORMAT, "'input_px' is %g, expected a multiple of 32", side);
    }
    REHA_TRY(need_in(json, "low_percentile", 0.0, 49.0, &out->low_percentile, err));
    REHA_TRY(need_in(json, "high_percentile", 51.0, 100.0, &out->high_percentile, err));
    REHA_TRY(need_in(json, "size_unit_px", 1.0, SIDE_MAX_PX, &out->size_unit_px, err));
    out->size_gain = 1.0; /* of models that were trained before it was fitted */
    if (json_object_get(json, "size_gain") != NULL) {
        REHA_TRY(need_in(json, "size_gain", 0.5, 2.0, &out->size_gain, err));
    }
    REHA_TRY(need_in(json, "score_min", 0.001, 0.999, &out->score_min, err));
    REHA_TRY(need_in(json, "overlap_max", 0.0, 1.0, &out->overlap_max, err));
    REHA_TRY(need_in(json, "boxes_max", 1.0, BOXES_MAX, &boxes, err));
    out->side_px = (int)side;
    out->boxes_max = (int)boxes;
    out->mirror_average = json_is_true(json_object_get(json, "mirror_average"));
    return REHA_OK;
}

static reha_status read_points(const json_t *json, reha_fracture_card *out, reha_error *err)
{
    for (int i = 0; i < REHA_FRACTURE_POINTS; i++) {
        const json_t *point = NULL;
        REHA_TRY(need_object(json, point_names[i], &point, err));
        REHA_TRY(need_in(point, "score_min", 0.0, 1.0, &out->points[i].score_min, err));
        out->points[i].sensitivity = reha_json_number(point, "sensitivity", (double)NAN);
        out->points[i].false_positives = reha_json_number(point, "false_positives_per_image", (double)NAN);
        out->points[i].precision = reha_json_number(point, "precision", (double)NAN);
    }
    if (out->points[REHA_FRACTURE_SENSITIVE].score_min > out->points[REHA_FRACTURE_SPECIFIC].score_min) {
        return reha_fail(err, REHA_E_FORMAT,
                         "'high_sensitivity' asks for a higher score than 'high_specificity'");
    }
    return REHA_OK;
}

reha_status reha_fracture_card_parse(const json_t *json, reha_fracture_card *out, reha_error *err)
{
    reha_status status = REHA_OK;
    const json_t *part = NULL;
    double edges[4];
    *out = (reha_fracture_card){0};
    REHA_CHECK(need_text(json, "name", out->name, sizeof out->name, err));
    REHA_CHECK(need_text(json, "version", out->version, sizeof out->version, err));
    REHA_CHECK(need_object(json, "network", &part, err));
    REHA_CHECK(read_network(part, out, err));
    REHA_CHECK(need_object(json, "view", &part, err));
    REHA_CHECK(read_view(part, &out->view, err));
    REHA_CHECK(need_object(json, "calibration", &part, err));
    REHA_CHECK(need_in(part, "slope", 0.0, 100.0, &out->slope, err));
    REHA_CHECK(need_in(part, "intercept", -100.0, 100.0, &out->intercept, err));
    REHA_CHECK(need_in(part, "iou_hit", 0.05, 0.95, &out->iou_hit, err));
    REHA_CHECK(need_object(json, "operating_points", &part, err));
    REHA_CHECK(read_points(part, out, err));
    REHA_CHECK(reha_json_need_numbers(json, "usual_box", 4, edges, err));
    out->usual_box = (reha_edges){edges[0], edges[1], edges[2], edges[3]};
    out->json = json_deep_copy(json);
    if (out->json == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a model card");
    }
done:
    if (status != REHA_OK) {
        reha_fracture_card_clear(out);
    }
    return status;
}

reha_status reha_fracture_card_load(const char *folder, reha_fracture_card *out, reha_error *err)
{
    json_t *json = NULL;
    *out = (reha_fracture_card){0};
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    reha_status status = reha_json_load(path, &json, err);
    if (status == REHA_OK) {
        status = reha_fracture_card_parse(json, out, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
        }
    }
    json_decref(json);
    reha_free(path);
    return status;
}

/* ---- writing ---- */

reha_status reha_fracture_card_set_take(reha_fracture_card *card, const char *key, json_t *value,
                                        reha_error *err)
{
    return value != NULL && json_object_set_new(card->json, key, value) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the card's '%s'", key);
}

static json_t *point_json(const reha_operating_point *point)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "score_min", reha_json_real(fmin(point->score_min, 1.0)),
                     "sensitivity", reha_json_real(point->sensitivity), "false_positives_per_image",
                     reha_json_real(point->false_positives), "precision", reha_json_real(point->precision));
}

reha_status reha_fracture_card_save(reha_fracture_card *card, const char *folder, reha_error *err)
{
    const reha_fracture_view *view = &card->view;
    const reha_edges *box = &card->usual_box;
    REHA_TRY(reha_fracture_card_set_take(card, "name", json_string(card->name), err));
    REHA_TRY(reha_fracture_card_set_take(card, "version", json_string(card->version), err));
    REHA_TRY(reha_fracture_card_set_take(
        card, "network",
        json_pack("{s:s, s:s}", "file", card->file, "precision", reha_precision_name(card->precision)), err));
    REHA_TRY(reha_fracture_card_set_take(
        card, "view",
        json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:b}", "input_px", view->side_px,
                  "low_percentile", view->low_percentile, "high_percentile", view->high_percentile,
                  "size_unit_px", view->size_unit_px, "size_gain", view->size_gain, "score_min",
                  view->score_min, "overlap_max", view->overlap_max, "boxes_max", view->boxes_max,
                  "mirror_average", view->mirror_average ? 1 : 0),
        err));
    REHA_TRY(reha_fracture_card_set_take(card, "calibration",
                                         json_pack("{s:f, s:f, s:f}", "slope", card->slope, "intercept",
                                                   card->intercept, "iou_hit", card->iou_hit),
                                         err));
    REHA_TRY(reha_fracture_card_set_take(card, "operating_points",
                                         json_pack("{s:o, s:o}", point_names[0], point_json(&card->points[0]),
                                                   point_names[1], point_json(&card->points[1])),
                                         err));
    REHA_TRY(reha_fracture_card_set_take(card, "usual_box",
                                         json_pack("[f, f, f, f]", box->x0, box->y0, box->x1, box->y1), err));
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_json_save(path, card->json, err);
    reha_free(path);
    return status;
}
