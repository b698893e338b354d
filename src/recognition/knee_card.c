#include "recognition/knee_card.h"

#include "base/file.h"
#include "base/memory.h"
#include "recognition/knee_card_priv.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT_VERSION = 1 };
static const reha_knee_view FIRST_VIEW = {.by_plateau = false, .scale = 1.0};
static const char FORMAT_NAME[] = "rehascope-model-card";

const char *reha_knee_role_name(reha_knee_role role)
{
    static const char *const names[REHA_KNEE_ROLE_COUNT] = {"kl", "finder", "gate", "landmarks"};
    return (int)role >= 0 && role < REHA_KNEE_ROLE_COUNT ? names[role] : "?";
}

const char *reha_gate_class_name(reha_gate_class kind)
{
    static const char *const names[REHA_GATE_CLASS_COUNT] = {
        "knee_ok",     "knee_inverted", "knee_upside_down", "knee_rotated_90", "metal",
        "too_cropped", "other_xray",    "ultrasound",       "ct_mr",           "photo_text_other"};
    return (int)kind >= 0 && kind < REHA_GATE_CLASS_COUNT ? names[kind] : "?";
}

/* ---- Reading ---- */

/* A card comes from outside: it must not make us open files elsewhere. */
static bool is_plain_name(const char *name, size_t room)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL && strlen(name) < room;
}

/* Without ranges a network cannot run in int8. */
static reha_status parse_ranges(const json_t *item, reha_knee_network *out, reha_error *err)
{
    const char *ranges = reha_json_string(item, "ranges", "");
    if (ranges[0] != '\0' && !is_plain_name(ranges, sizeof out->ranges)) {
        return reha_fail(err, REHA_E_FORMAT, "ranges '%.60s' must be a plain file name beside the card",
                         ranges);
    }
    if ((out->precision == REHA_INT8) != (ranges[0] != '\0')) {
        return reha_fail(err, REHA_E_FORMAT, "'ranges' belongs to precision int8, and int8 needs it");
    }
    (void)snprintf(out->ranges, sizeof out->ranges, "%s", ranges);
    return REHA_OK;
}

static reha_status parse_network(const json_t *item, reha_knee_network *out, reha_error *err)
{
    const char *role = NULL;
    const char *file = NULL;
    REHA_TRY(reha_json_need_string(item, "role", &role, err));
    REHA_TRY(reha_json_need_string(item, "file", &file, err));
    out->role = REHA_KNEE_ROLE_COUNT;
    for (int r = 0; r < REHA_KNEE_ROLE_COUNT; r++) {
        if (strcmp(role, reha_knee_role_name((reha_knee_role)r)) == 0) {
            out->role = (reha_knee_role)r;
        }
    }
    if (out->role == REHA_KNEE_ROLE_COUNT) {
        return reha_fail(err, REHA_E_FORMAT, "role '%s' is none of kl, finder, gate, landmarks", role);
    }
    if (!is_plain_name(file, sizeof out->file)) {
        return reha_fail(err, REHA_E_FORMAT, "file '%.60s' must be a plain file name beside the card", file);
    }
    (void)snprintf(out->file, sizeof out->file, "%s", file);
    const char *precision = reha_json_string(item, "precision", "f32");
    bool is_known = false;
    for (int p = REHA_F32; p <= REHA_INT8; p++) {
        static const char *const names[] = {"f32", "bf16", "int8"};
        if (strcmp(precision, names[p]) == 0) {
            out->precision = (reha_precision)p;
            is_known = true;
        }
    }
    if (!is_known) {
        return reha_fail(err, REHA_E_FORMAT, "precision '%.20s' is none of f32, bf16, int8", precision);
    }
    REHA_TRY(parse_ranges(item, out, err));
    out->weight = reha_json_number(item, "weight", 1.0);
    if (!(out->weight > 0.0 && out->weight < 1e6)) {
        return reha_fail(err, REHA_E_FORMAT, "'weight' must be above 0");
    }
    out->input_offset = reha_json_number(item, "input_offset", 0.0);
    out->input_gain = reha_json_number(item, "input_gain", 1.0);
    if (!(fabs(out->input_gain) > 0.0) || !isfinite(out->input_gain) || !isfinite(out->input_offset)) {
        return reha_fail(err, REHA_E_FORMAT, "'input_gain' must not be 0");
    }
    (void)snprintf(out->explain_node, sizeof out->explain_node, "%s",
                   reha_json_string(item, "explain_node", ""));
    return REHA_OK;
}

static reha_status parse_networks(const json_t *json, reha_knee_card *out, reha_error *err)
{
    const json_t *list = NULL;
    int counts[REHA_KNEE_ROLE_COUNT] = {0};
    REHA_TRY(reha_json_need_array(json, "networks", 0, &list, err));
    if (json_array_size(list) > REHA_KNEE_NETWORKS_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "'networks' has more than %d items", REHA_KNEE_NETWORKS_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        reha_knee_network *network = &out->networks[out->network_count];
        const reha_status status = parse_network(json_array_get(list, i), network, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "networks[%zu]", i);
            return status;
        }
        counts[network->role]++;
        out->network_count++;
    }
    if (counts[REHA_KNEE_KL] < 1) {
        return reha_fail(err, REHA_E_FORMAT, "'networks' has none of role 'kl'");
    }
    for (int r = REHA_KNEE_FINDER; r < REHA_KNEE_ROLE_COUNT; r++) {
        if (counts[r] > 1) {
            return reha_fail(err, REHA_E_FORMAT, "'networks' has %d of role '%s', at most 1 is used",
                             counts[r], reha_knee_role_name((reha_knee_role)r));
        }
    }
    out->finder.is_present = counts[REHA_KNEE_FINDER] > 0;
    out->gate.is_present = counts[REHA_KNEE_GATE] > 0;
    out->landmarks.is_present = counts[REHA_KNEE_LANDMARKS] > 0;
    return REHA_OK;
}

typedef reha_status (*section_parser)(const json_t *section, reha_knee_card *out, reha_error *err);

static reha_status parse_crop(const json_t *section, reha_knee_card *out, reha_error *err)
{
    return reha_knee_crop_from_json(section, &out->crop, err);
}

static reha_status parse_view(const json_t *item, reha_knee_view *out, reha_error *err)
{
    const char *place = NULL;
    REHA_TRY(reha_json_need_string(item, "place", &place, err));
    REHA_TRY(reha_json_need_number(item, "scale", &out->scale, err));
    if (strcmp(place, "plateau") != 0 && strcmp(place, "framed") != 0) {
        return reha_fail(err, REHA_E_FORMAT, "'place' is \"framed\" or \"plateau\", not \"%.20s\"", place);
    }
    if (!(out->scale >= 0.5 && out->scale <= 2.0)) {
        return reha_fail(err, REHA_E_FORMAT, "'scale' must be 0.5 to 2");
    }
    out->by_plateau = strcmp(place, "plateau") == 0;
    return REHA_OK;
}

/* Cards without "views" are of models that looked once. */
static reha_status parse_views(const json_t *list, reha_knee_card *out, reha_error *err)
{
    out->view_count = 1;
    out->views[0] = FIRST_VIEW;
    if (list == NULL) {
        return REHA_OK;
    }
    const size_t count = json_array_size(list);
    if (count < 1 || count > REHA_KNEE_VIEWS_MAX) {
        return reha_fail(err, REHA_E_FORMAT, "'views' must be an array of 1 to %d", REHA_KNEE_VIEWS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const reha_status status = parse_view(json_array_get(list, i), &out->views[i], err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "views[%zu]", i);
            return status;
        }
    }
    out->view_count = (int)count;
    return REHA_OK;
}

static reha_status parse_calibration(const json_t *section, reha_knee_card *out, reha_error *err)
{
    REHA_TRY(reha_ordinal_from_json(section, &out->calibration, err));
    if (out->calibration.grade_count != REHA_GRADES) {
        return reha_fail(err, REHA_E_FORMAT, "'grades' must be %d", REHA_GRADES);
    }
    return REHA_OK;
}

static reha_status parse_section(const json_t *json, const char *name, section_parser parse,
                                 reha_knee_card *out, reha_error *err)
{
    const json_t *section = json_object_get(json, name);
    if (!json_is_object(section)) {
        return reha_fail(err, REHA_E_FORMAT, "'%s' must be an object", name);
    }
    const reha_status status = parse(section, out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", name);
    }
    return status;
}

static reha_status parse_sections(const json_t *json, reha_knee_card *out, reha_error *err)
{
    REHA_TRY(parse_section(json, "crop", parse_crop, out, err));
    REHA_TRY(parse_section(json, "calibration", parse_calibration, out, err));
    if (json_object_get(json, "quality") != NULL) {
        REHA_TRY(parse_section(json, "quality", reha_card_parse_quality_, out, err));
    }
    if (out->finder.is_present) {
        REHA_TRY(parse_section(json, "finder", reha_card_parse_finder_, out, err));
    }
    if (out->gate.is_present) {
        REHA_TRY(parse_section(json, "gate", reha_card_parse_gate_, out, err));
    }
    if (out->landmarks.is_present) {
        REHA_TRY(parse_section(json, "landmarks", reha_card_parse_landmarks_, out, err));
        REHA_TRY(parse_section(json, "joint_space", reha_card_parse_joint_space_, out, err));
        REHA_TRY(parse_section(json, "measurement", reha_card_parse_measurement_, out, err));
    }
    return REHA_OK;
}

static reha_status parse_all(const json_t *json, reha_knee_card *out, reha_error *err)
{
    const char *format = NULL;
    const char *name = NULL;
    const char *version = NULL;
    double format_version = 0.0;
    if (!json_is_object(json)) {
        return reha_fail(err, REHA_E_FORMAT, "a model card must be a JSON object");
    }
    REHA_TRY(reha_json_need_string(json, "format", &format, err));
    REHA_TRY(reha_json_need_number(json, "format_version", &format_version, err));
    if (strcmp(format, FORMAT_NAME) != 0) {
        return reha_fail(err, REHA_E_FORMAT, "'format' is not \"%s\"", FORMAT_NAME);
    }
    if (format_version != FORMAT_VERSION) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "card format version %g; this program reads version %d",
                         format_version, FORMAT_VERSION);
    }
    REHA_TRY(reha_json_need_string(json, "name", &name, err));
    REHA_TRY(reha_json_need_string(json, "version", &version, err));
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    (void)snprintf(out->version, sizeof out->version, "%s", version);
    out->mirror_average = json_is_true(json_object_get(json, "mirror_average"));
    REHA_TRY(parse_networks(json, out, err));
    REHA_TRY(parse_views(json_object_get(json, "views"), out, err));
    return parse_sections(json, out, err);
}

reha_status reha_knee_card_parse(const json_t *json, reha_knee_card *out, reha_error *err)
{
    memset(out, 0, sizeof *out);
    const reha_status status = parse_all(json, out, err);
    if (status != REHA_OK) {
        reha_knee_card_clear(out);
        return status;
    }
    out->json = json_deep_copy(json);
    if (out->json == NULL) {
        reha_knee_card_clear(out);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model card");
    }
    return REHA_OK;
}

reha_status reha_knee_card_load(const char *folder, reha_knee_card *out, reha_error *err)
{
    memset(out, 0, sizeof *out);
    json_t *json = NULL;
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model card");
    }
    reha_status status = reha_json_load(path, &json, err);
    if (status == REHA_OK) {
        status = reha_knee_card_parse(json, out, err);
        if (status != REHA_OK) {
            reha_error_prefix(err, "%s", path);
        }
    }
    json_decref(json);
    reha_free(path);
    return status;
}

void reha_knee_card_clear(reha_knee_card *card)
{
    json_decref(card->json);
    reha_free(card->gate.feature_precision);
    memset(card, 0, sizeof *card);
}

int reha_knee_card_pictures(const reha_knee_card *card)
{
    return card->view_count * (card->mirror_average ? 2 : 1);
}

/* ---- Writing ---- */

reha_status reha_knee_card_init(reha_knee_card *card, const char *version, reha_error *err)
{
    memset(card, 0, sizeof *card);
    card->json = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "format", FORMAT_NAME, "format_version",
                           FORMAT_VERSION, "name", "knee-oa", "version", version, "task", "knee-oa", "title",
                           "Kellgren-Lawrence grade of knee osteoarthritis on frontal radiographs");
    if (card->json == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model card");
    }
    (void)snprintf(card->name, sizeof card->name, "knee-oa");
    (void)snprintf(card->version, sizeof card->version, "%s", version);
    card->network_count = 1;
    card->networks[0] =
        (reha_knee_network){.role = REHA_KNEE_KL, .precision = REHA_F32, .input_gain = 1.0, .weight = 1.0};
    (void)snprintf(card->networks[0].file, sizeof card->networks[0].file, "model.onnx");
    card->crop = reha_knee_crop_spec_default();
    card->view_count = 1;
    card->views[0] = FIRST_VIEW;
    card->mirror_average = true;
    card->calibration = reha_ordinal_calibration_none(REHA_GRADES);
    return REHA_OK;
}

reha_status reha_knee_card_set_take(reha_knee_card *card, const char *key, json_t *value, reha_error *err)
{
    if (value == NULL || json_object_set_new(card->json, key, value) != 0) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model card");
    }
    return REHA_OK;
}

static json_t *networks_json(const reha_knee_card *card)
{
    static const char *const precisions[] = {"f32", "bf16", "int8"};
    json_t *list = json_array();
    for (int i = 0; list != NULL && i < card->network_count; i++) {
        const reha_knee_network *network = &card->networks[i];
        json_t *item = json_pack("{s:s, s:s, s:s, s:f, s:f}", "role", reha_knee_role_name(network->role),
                                 "file", network->file, "precision", precisions[network->precision],
                                 "input_offset", network->input_offset, "input_gain", network->input_gain);
        if (item != NULL && network->role == REHA_KNEE_KL) {
            (void)json_object_set_new(item, "weight", json_real(network->weight));
            (void)json_object_set_new(item, "explain_node", json_string(network->explain_node));
            if (network->ranges[0] != '\0') {
                (void)json_object_set_new(item, "ranges", json_string(network->ranges));
            }
        }
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *views_json(const reha_knee_card *card)
{
    json_t *list = json_array();
    for (int i = 0; list != NULL && i < card->view_count; i++) {
        json_t *item = json_pack("{s:s, s:f}", "place", card->views[i].by_plateau ? "plateau" : "framed",
                                 "scale", card->views[i].scale);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

reha_status reha_knee_card_save(reha_knee_card *card, const char *folder, reha_error *err)
{
    json_t *crop = NULL;
    json_t *calibration = NULL;
    REHA_TRY(reha_knee_card_set_take(card, "name", json_string(card->name), err));
    REHA_TRY(reha_knee_card_set_take(card, "version", json_string(card->version), err));
    REHA_TRY(reha_knee_card_set_take(card, "networks", networks_json(card), err));
    REHA_TRY(reha_knee_card_set_take(card, "views", views_json(card), err));
    REHA_TRY(reha_knee_card_set_take(card, "mirror_average", json_boolean(card->mirror_average), err));
    REHA_TRY(reha_knee_crop_to_json(&card->crop, &crop, err));
    REHA_TRY(reha_knee_card_set_take(card, "crop", crop, err));
    REHA_TRY(reha_ordinal_to_json(&card->calibration, &calibration, err));
    REHA_TRY(reha_knee_card_set_take(card, "calibration", calibration, err));
    char *path = reha_path_join(folder, "card.json");
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the model card");
    }
    const reha_status status = reha_json_save(path, card->json, err);
    reha_free(path);
    return status;
}
