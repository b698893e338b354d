#include "dicom/model.h"

#include "base/memory.h"
#include "dicom/deidentify_priv.h"
#include "dicom/dicom_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 9, PAIR_BYTES = 4, UTF8_PER_BYTE = 4, GROUPS_OF_NAME = 3 };
static const double WHOLE_MAX = 9007199254740992.0; /* 2^53: beyond it a double skips integers */

reha_dicom_model_limits reha_dicom_model_limits_default(void)
{
    return (reha_dicom_model_limits){
        .attributes_max = 100000, .depth_max = 16, .numbers_max = 1024, .text_bytes_max = (size_t)8 << 20};
}

/* One walk over a data set. */
typedef struct model {
    const reha_dcm_dataset *set;
    reha_dicom_model_limits limits;
    uint32_t attributes;
    size_t text_bytes;
} model;

/* Common attributes that neither reading nor copying needs, for files without VRs (PS3.6): times of making,
 * institution, station, people, the patient's age and size, device, protocol, comments, procedure,
 * calibration. */
static const struct {
    uint32_t tag;
    char vr[3];
} more_vrs[] = {{0x00080012, "DA"}, {0x00080013, "TM"}, {0x00080021, "DA"}, {0x00080031, "TM"},
                {0x00080032, "TM"}, {0x00080033, "TM"}, {0x00080080, "LO"}, {0x00080081, "ST"},
                {0x00081010, "SH"}, {0x0008103E, "LO"}, {0x00081048, "PN"}, {0x00081050, "PN"},
                {0x00081070, "PN"}, {0x00101010, "AS"}, {0x00101020, "DS"}, {0x00101030, "DS"},
                {0x00104000, "LT"}, {0x00181000, "LO"}, {0x00181020, "LO"}, {0x00181030, "LO"},
                {0x00204000, "LT"}, {0x00280A04, "LO"}, {0x00281055, "LO"}, {0x00321060, "LO"},
                {0x00400244, "DA"}, {0x00400245, "TM"}, {0x00400253, "SH"}, {0x00400254, "LO"}};

static uint16_t vr_of(const reha_dcm_dataset *set, const reha_dcm_node *node)
{
    if (node->end_idx > (uint32_t)(node - set->nodes) + 1) {
        return REHA_VR('S', 'Q'); /* it has items, whatever it says */
    }
    if (node->vr != REHA_VR('U', 'N')) {
        return node->vr;
    }
    const deid_rule *rule = reha_deid_find_rule(node->tag);
    if (rule != NULL) {
        return REHA_VR(rule->vr[0], rule->vr[1]);
    }
    for (size_t i = 0; i < sizeof more_vrs / sizeof more_vrs[0]; i++) {
        if (more_vrs[i].tag == node->tag) {
            return REHA_VR(more_vrs[i].vr[0], more_vrs[i].vr[1]);
        }
    }
    return node->vr;
}

static bool is_one_of(uint16_t vr, const char *list)
{
    for (; list[0] != '\0'; list += 2) {
        if (vr == REHA_VR(list[0], list[1])) {
            return true;
        }
    }
    return false;
}

static bool is_number(uint16_t vr)
{
    return is_one_of(vr, "USSSULSLFLFD");
}

static bool is_decimal(uint16_t vr)
{
    return is_one_of(vr, "DSIS");
}

/* Texts that a backslash does not divide. */
static bool is_long_text(uint16_t vr)
{
    return is_one_of(vr, "LTSTUTUR");
}

static bool is_text(uint16_t vr)
{
    return is_long_text(vr) || is_one_of(vr, "AEASCSDADTLOPNSHTMUCUI");
}

static json_t *number_json(double number)
{
    return number == rint(number) && fabs(number) < WHOLE_MAX ? json_integer((json_int_t)number)
                                                              : json_real(number);
}

/* "Alphabetic=Ideographic=Phonetic" */
static json_t *name_json(char *text)
{
    static const char *const groups[GROUPS_OF_NAME] = {"Alphabetic", "Ideographic", "Phonetic"};
    json_t *name = json_object();
    char *at = text;
    for (int i = 0; i < GROUPS_OF_NAME && at != NULL; i++) {
        char *next = strchr(at, '=');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (at[0] != '\0') {
            (void)json_object_set_new(name, groups[i], reha_json_text(at));
        }
        at = next;
    }
    return name;
}

static reha_status add_value(json_t *values, json_t *value, reha_error *err)
{
    return json_array_append_new(values, value) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_NOMEM, "out of memory for the attributes of an image");
}

static reha_status add_texts(model *m, const reha_dcm_node *node, json_t *values, reha_error *err)
{
    reha_status status = REHA_OK;
    const size_t room = (size_t)UTF8_PER_BYTE * node->length + 1;
    m->text_bytes += node->length;
    if (m->text_bytes > m->limits.text_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT, "the texts of the file have more than %zu KiB",
                         m->limits.text_bytes_max >> 10);
    }
    char *text = reha_alloc(room);
    if (text == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the attributes of an image");
    }
    const uint32_t count = reha_dcm_value_count(m->set, node);
    if (is_long_text(node->vr)) {
        size_t used = 0;
        for (uint32_t i = 0; i < count; i++) {
            used += i > 0 ? 1 : 0;
            (void)reha_dcm_text_utf8_at(m->set, node, i, text + used, room - used);
            if (i > 0) {
                text[used - 1] = '\\';
            }
            used += strlen(text + used);
        }
        REHA_CHECK(add_value(values, reha_json_text(text), err));
    } else {
        for (uint32_t i = 0; i < count; i++) {
            const bool has_any = reha_dcm_text_utf8_at(m->set, node, i, text, room);
            json_t *value = !has_any                        ? json_null()
                            : node->vr == REHA_VR('P', 'N') ? name_json(text)
                                                            : reha_json_text(text);
            REHA_CHECK(add_value(values, value, err));
        }
    }
done:
    reha_free(text);
    return status;
}

static reha_status add_numbers(const model *m, const reha_dcm_node *node, json_t *values, reha_error *err)
{
    const uint32_t count = reha_dcm_value_count(m->set, node);
    for (uint32_t i = 0; i < count; i++) {
        double number = 0.0;
        const bool is_any = reha_dcm_number(m->set, node, i, &number);
        REHA_TRY(add_value(values, is_any ? number_json(number) : json_null(), err));
    }
    return REHA_OK;
}

/* Attribute tags: pairs of group and element. */
static reha_status add_tags(const model *m, const reha_dcm_node *node, json_t *values, reha_error *err)
{
    for (uint32_t i = 0; i < node->length / PAIR_BYTES; i++) {
        char key[KEY_BYTES];
        (void)snprintf(key, sizeof key, "%04X%04X", reha_dcm_u16_at(m->set, node, 2 * i),
                       reha_dcm_u16_at(m->set, node, 2 * i + 1));
        REHA_TRY(add_value(values, json_string(key), err));
    }
    return REHA_OK;
}

static reha_status add_attributes(model *m, reha_dcm_scope scope, uint32_t depth, const uint32_t *only,
                                  size_t only_count, json_t *to, reha_error *err);

static reha_status add_items(model *m, const reha_dcm_node *node, uint32_t depth, json_t *values,
                             reha_error *err)
{
    const uint32_t self = (uint32_t)(node - m->set->nodes);
    if (depth == m->limits.depth_max) {
        return reha_fail(err, REHA_E_LIMIT, "sequences lie more than %u deep in each other",
                         m->limits.depth_max);
    }
    for (uint32_t i = self + 1; i < node->end_idx && m->set->nodes[i].tag == TAG_ITEM;
         i = m->set->nodes[i].end_idx) {
        json_t *item = json_object();
        REHA_TRY(add_value(values, item, err)); /* which holds it */
        REHA_TRY(add_attributes(m, (reha_dcm_scope){i + 1, m->set->nodes[i].end_idx}, depth + 1, NULL, 0,
                                item, err));
    }
    return REHA_OK;
}

/* Bulk data, and what nobody knows how to read. */
static bool is_left_out(const model *m, const reha_dcm_node *node, bool has_items)
{
    if ((node->tag & 0xFFFFu) == 0 || node->vr == REHA_VR('U', 'N')) {
        return true;
    }
    if (is_number(node->vr) || is_decimal(node->vr) || node->vr == REHA_VR('A', 'T')) {
        return reha_dcm_value_count(m->set, node) > m->limits.numbers_max ||
               node->length / PAIR_BYTES > 8 * m->limits.numbers_max;
    }
    const bool is_unread = node->vr == REHA_VR('S', 'Q') && !has_items && node->length > 0;
    return is_unread || node->tag == TAG_PIXEL_DATA ||
           (!is_text(node->vr) && node->vr != REHA_VR('S', 'Q') && node->length > 0);
}

static reha_status fill(model *m, const reha_dcm_node *node, const reha_dcm_node *found, uint32_t depth,
                        json_t *values, reha_error *err)
{
    if (node->tag == TAG_SPECIFIC_CHARACTER_SET) {
        return add_value(values, json_string("ISO_IR 192"), err);
    }
    if (node->vr == REHA_VR('S', 'Q')) {
        return add_items(m, found, depth, values, err);
    }
    if (node->length == 0) {
        return REHA_OK;
    }
    if (node->vr == REHA_VR('A', 'T')) {
        return add_tags(m, node, values, err);
    }
    return is_text(node->vr) ? add_texts(m, node, values, err) : add_numbers(m, node, values, err);
}

static reha_status add_attribute(model *m, const reha_dcm_node *found, uint32_t depth, json_t *to,
                                 reha_error *err)
{
    char key[KEY_BYTES];
    reha_dcm_node node = *found;
    node.vr = vr_of(m->set, found);
    if (is_left_out(m, &node, found->end_idx > (uint32_t)(found - m->set->nodes) + 1)) {
        return REHA_OK;
    }
    if (++m->attributes > m->limits.attributes_max) {
        return reha_fail(err, REHA_E_LIMIT, "the file has more than %u attributes", m->limits.attributes_max);
    }
    const char vr[] = {(char)(node.vr >> 8), (char)(node.vr & 0xFF), '\0'};
    json_t *values = json_array();
    reha_status status = fill(m, &node, found, depth, values, err);
    (void)snprintf(key, sizeof key, "%08X", (unsigned)node.tag);
    json_t *attribute = status != REHA_OK             ? NULL
                        : json_array_size(values) > 0 ? json_pack("{s:s, s:O}", "vr", vr, "Value", values)
                                                      : json_pack("{s:s}", "vr", vr);
    if (status == REHA_OK && json_object_set_new(to, key, attribute) != 0) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for the attributes of an image");
    }
    json_decref(values);
    return status;
}

static bool is_wanted(uint32_t tag, const uint32_t *only, size_t only_count)
{
    bool is_listed = only == NULL;
    for (size_t i = 0; i < only_count && !is_listed; i++) {
        is_listed = only[i] == tag;
    }
    return is_listed && tag >> 16 != 0x0002; /* of the file, not of the data set */
}

static reha_status add_attributes(model *m, reha_dcm_scope scope, uint32_t depth, const uint32_t *only,
                                  size_t only_count, json_t *to, reha_error *err)
{
    for (uint32_t i = scope.first_idx; i < scope.end_idx; i = m->set->nodes[i].end_idx) {
        const reha_dcm_node *node = &m->set->nodes[i];
        if (is_wanted(node->tag, only, only_count)) {
            REHA_TRY(add_attribute(m, node, depth, to, err));
        }
    }
    return REHA_OK;
}

reha_status reha_dicom_model(const reha_dicom *dicom, const uint32_t *only, size_t only_count,
                             const reha_dicom_model_limits *limits, json_t **out, reha_error *err)
{
    model m = {.set = &dicom->set, .limits = limits != NULL ? *limits : reha_dicom_model_limits_default()};
    *out = json_object();
    const reha_status status =
        *out != NULL ? add_attributes(&m, reha_dcm_root(m.set), 0, only, only_count, *out, err)
                     : reha_fail(err, REHA_E_NOMEM, "out of memory for the attributes of an image");
    if (status != REHA_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

reha_status reha_dicom_model_head(const reha_dicom *dicom, json_t **out, reha_error *err)
{
    static const uint32_t tags[] = {/* study */
                                    0x00080020, 0x00080030, 0x00080050, 0x00080090, 0x00081030, 0x0020000D,
                                    0x00200010,
                                    /* series */
                                    0x00080021, 0x00080031, 0x00080060, 0x0008103E, 0x00180015, 0x0020000E,
                                    0x00200011, 0x00200060, 0x00400244, 0x00400245,
                                    /* instance */
                                    0x00080008, 0x00080016, 0x00080018, 0x00200013, 0x00280004, 0x00280008,
                                    0x00280010, 0x00280011, 0x00280100};
    REHA_TRY(reha_dicom_model(dicom, tags, sizeof tags / sizeof tags[0], NULL, out, err));
    json_t *syntax = json_pack("{s:s, s:[s]}", "vr", "UI", "Value", dicom->set.transfer_syntax_uid);
    if (json_object_set_new(*out, "00083002", syntax) == 0) {
        return REHA_OK;
    }
    json_decref(*out);
    *out = NULL;
    return reha_fail(err, REHA_E_NOMEM, "out of memory for the attributes of an image");
}
