#include "dicom/query.h"

#include "base/memory.h"
#include "base/text.h"
#include "dicom/bridge_net_priv.h"
#include "dicom/dicom_priv.h"
#include "dicom/network_priv.h"

#include <stdio.h>
#include <string.h>

static const char FIND_CLASS[] = "1.2.840.10008.5.1.4.1.2.2.1"; /* study root, find */
static const char GET_CLASS[] = "1.2.840.10008.5.1.4.1.2.2.3";  /* study root, get */
static const char NO_INSTANCE[] = "2.25.0";                     /* an answer is no instance */
enum { KEYS_MAX = 16, VALUE_BYTES_MAX = 256 };
enum { /* PS3.4 C.4.1.1.4, C.4.3.1.4 */
       CODE_SUCCESS = 0x0000,
       CODE_NO_CLASS = 0x0122,
       CODE_NOT_AUTHORISED = 0x0124,
       CODE_NO_RESOURCES = 0xA700,
       CODE_NO_MATCHING = 0xA701,
       CODE_NO_SUBOPERATIONS = 0xA702,
       CODE_WRONG_CLASS = 0xA900,
       CODE_SOME_FAILED = 0xB000,
       CODE_CANCELLED = 0xFE00
};

reha_query_limits reha_query_limits_default(void)
{
    return (reha_query_limits){
        .found_max = 1000, .match_bytes = (size_t)64 << 10, .association = reha_association_limits_default()};
}

/* ---- the question ---- */

typedef struct question {
    reha_bridge_key keys[KEYS_MAX];
    size_t count;
} question;

static reha_status put(question *to, uint32_t tag, const char *value, const char *what, reha_error *err)
{
    value = value != NULL ? value : "";
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == '\\' || *at == 0x7f) {
            return reha_fail(err, REHA_E_ARG, "the %s to look for has a letter that DICOM does not allow",
                             what);
        }
    }
    if (strlen(value) > VALUE_BYTES_MAX) {
        return reha_fail(err, REHA_E_ARG, "the %s to look for is too long", what);
    }
    to->keys[to->count++] = (reha_bridge_key){tag, value};
    return REHA_OK;
}

/* What has no value is asked for. The character set comes first: else an archive may answer in any, and not
 * say which. Ascending tags. */
static reha_status make_find(const reha_study_query *query, question *out, reha_error *err)
{
    out->count = 0;
    REHA_TRY(put(out, TAG_SPECIFIC_CHARACTER_SET, "ISO_IR 192", "character set", err));
    REHA_TRY(put(out, TAG_STUDY_DATE, query->study_date, "date", err));
    REHA_TRY(put(out, TAG_STUDY_TIME, NULL, "time", err));
    REHA_TRY(put(out, TAG_ACCESSION_NUMBER, query->accession_number, "accession number", err));
    REHA_TRY(put(out, TAG_QUERY_RETRIEVE_LEVEL, "STUDY", "level", err));
    REHA_TRY(put(out, TAG_MODALITIES_IN_STUDY, query->modality, "modality", err));
    REHA_TRY(put(out, TAG_STUDY_DESCRIPTION, NULL, "description", err));
    REHA_TRY(put(out, TAG_PATIENT_NAME, query->patient_name, "name", err));
    REHA_TRY(put(out, TAG_PATIENT_ID, query->patient_id, "patient's number", err));
    REHA_TRY(put(out, TAG_PATIENT_BIRTH_DATE, NULL, "date of birth", err));
    REHA_TRY(put(out, TAG_STUDY_INSTANCE_UID, query->study_uid, "study UID", err));
    return put(out, TAG_NUMBER_OF_STUDY_RELATED_INSTANCES, NULL, "count", err);
}

static reha_status make_get(const char *study_uid, question *out, reha_error *err)
{
    out->count = 0;
    if (!network_uid_is_valid(study_uid)) {
        return reha_fail(err, REHA_E_ARG, "'%.70s' is no study UID: digits and points, as the list shows",
                         study_uid);
    }
    REHA_TRY(put(out, TAG_QUERY_RETRIEVE_LEVEL, "STUDY", "level", err));
    return put(out, TAG_STUDY_INSTANCE_UID, study_uid, "study UID", err);
}

/* ---- the answers ---- */

static const char *reason_of(uint16_t code)
{
    switch (code) {
    case CODE_NO_CLASS:
        return "it does not answer such questions";
    case CODE_NOT_AUTHORISED:
        return "we are not authorised";
    case CODE_NO_RESOURCES:
    case CODE_NO_MATCHING:
    case CODE_NO_SUBOPERATIONS:
        return "it is out of resources";
    case CODE_WRONG_CLASS:
        return "it does not understand the question";
    case CODE_CANCELLED:
        return "it broke off";
    default:
        return "it cannot process it";
    }
}

static reha_status refused(const reha_call *call, const reha_bridge_outcome *outcome, reha_error *err)
{
    return reha_fail(err, REHA_E_REFUSED, "%s refuses with status %04XH: %s%s%.64s", call->remote->ae_title,
                     (unsigned)outcome->code, reason_of(outcome->code),
                     outcome->comment[0] != '\0' ? ": " : "", outcome->comment);
}

typedef struct finding { /* the matches of one question */
    const reha_query_limits *limits;
    const char *modality; /* NULL: any */
    reha_found found;
    void *context;
    size_t count;
    bool is_cut;
    uint8_t *bytes; /* owned: of the match on its way */
    size_t byte_count;
} finding;

static reha_status begin_match(void *context, const reha_incoming *object, reha_error *err)
{
    finding *self = context;
    (void)object;
    (void)err;
    self->byte_count = 0;
    return REHA_OK;
}

static reha_status add_match(void *context, const void *bytes, size_t count, reha_error *err)
{
    finding *self = context;
    if (count > self->limits->match_bytes - self->byte_count) {
        return reha_fail(err, REHA_E_LIMIT, "an answer of the archive is larger than %zu bytes",
                         self->limits->match_bytes);
    }
    memcpy(self->bytes + self->byte_count, bytes, count);
    self->byte_count += count;
    return REHA_OK;
}

static void drop_match(void *context)
{
    finding *self = context;
    self->byte_count = 0;
}

static void read_whole(const reha_dcm_dataset *set, uint32_t tag, char *out, size_t out_bytes)
{
    if (!reha_dcm_text_whole(set, reha_dcm_find(set, reha_dcm_root(set), tag), out, out_bytes)) {
        out[0] = '\0';
    }
}

static void read_digits(const reha_dcm_dataset *set, uint32_t tag, char *out, size_t out_bytes)
{
    (void)reha_dcm_text(set, reha_dcm_find(set, reha_dcm_root(set), tag), 0, out, out_bytes);
    if (strspn(out, "0123456789.") != strlen(out)) {
        out[0] = '\0';
    }
}

/* Values apart by a backslash, as in the file. */
static void read_modalities(const reha_dcm_dataset *set, char *out, size_t out_bytes)
{
    const reha_dcm_node *node = reha_dcm_find(set, reha_dcm_root(set), TAG_MODALITIES_IN_STUDY);
    const uint32_t count = node != NULL ? reha_dcm_value_count(set, node) : 0;
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        char one[17];
        if (reha_dcm_text(set, node, i, one, sizeof one) && one[0] != '\0' &&
            at + strlen(one) + 2 < out_bytes) {
            at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", at > 0 ? "\\" : "", one);
        }
    }
}

static bool has_modality(const char *modalities, const char *wanted)
{
    const size_t length = strlen(wanted);
    for (const char *at = modalities; *at != '\0'; at += strcspn(at, "\\"), at += *at == '\\' ? 1 : 0) {
        if (strcspn(at, "\\") == length && strncmp(at, wanted, length) == 0) {
            return true;
        }
    }
    return false;
}

static reha_status read_match(const finding *self, reha_found_study *out, reha_error *err)
{
    reha_dcm_dataset set = {0};
    char count[17] = "";
    int64_t instances = -1;
    *out = (reha_found_study){.instances = -1};
    REHA_TRY(reha_dcm_parse(self->bytes, self->byte_count, &set, err));
    (void)reha_dcm_text(&set, reha_dcm_find(&set, reha_dcm_root(&set), TAG_STUDY_INSTANCE_UID), 0,
                        out->study_uid, sizeof out->study_uid);
    read_whole(&set, TAG_PATIENT_ID, out->patient_id, sizeof out->patient_id);
    read_whole(&set, TAG_PATIENT_NAME, out->patient_name, sizeof out->patient_name);
    read_whole(&set, TAG_STUDY_DESCRIPTION, out->description, sizeof out->description);
    read_whole(&set, TAG_ACCESSION_NUMBER, out->accession_number, sizeof out->accession_number);
    read_digits(&set, TAG_PATIENT_BIRTH_DATE, out->patient_birth_date, sizeof out->patient_birth_date);
    read_digits(&set, TAG_STUDY_DATE, out->study_date, sizeof out->study_date);
    read_digits(&set, TAG_STUDY_TIME, out->study_time, sizeof out->study_time);
    read_modalities(&set, out->modalities, sizeof out->modalities);
    if (reha_dcm_text(&set, reha_dcm_find(&set, reha_dcm_root(&set), TAG_NUMBER_OF_STUDY_RELATED_INSTANCES),
                      0, count, sizeof count) &&
        reha_parse_int64(count, &instances) && instances >= 0 && instances <= INT32_MAX) {
        out->instances = (int)instances;
    }
    reha_dcm_clear(&set);
    return network_uid_is_valid(out->study_uid)
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "the archive found a study and does not say which");
}

/* REHA_E_LIMIT: enough. */
static reha_status end_match(void *context, reha_error *err)
{
    finding *self = context;
    reha_found_study study;
    REHA_TRY(read_match(self, &study, err));
    /* It need not compare modalities; if it tells them, we can. */
    if (self->modality != NULL && study.modalities[0] != '\0' &&
        !has_modality(study.modalities, self->modality)) {
        return REHA_OK;
    }
    if (self->count == self->limits->found_max) {
        self->is_cut = true;
        return reha_fail(err, REHA_E_LIMIT, "there are more than %zu", self->limits->found_max);
    }
    self->count++;
    self->found(self->context, &study);
    return REHA_OK;
}

reha_status reha_remote_find(const reha_call *call, const reha_study_query *query,
                             const reha_query_limits *limits, reha_found found, void *context, bool *is_cut,
                             reha_error *err)
{
    question keys;
    reha_bridge_caller *caller = NULL;
    reha_bridge_outcome outcome = {.code = CODE_SUCCESS};
    finding all = {.limits = limits, .modality = query->modality, .found = found, .context = context};
    const reha_provider taker = {
        .context = &all, .begin = begin_match, .add = add_match, .end = end_match, .drop = drop_match};
    network_provision self = {.to = &taker};
    const reha_provider checked = network_provider(&self, call->remote->ae_title);
    const reha_bridge_proposal proposal = {.question_class = FIND_CLASS};
    reha_status status = REHA_OK;
    *is_cut = false;
    REHA_TRY(make_find(query, &keys, err));
    all.bytes = reha_alloc(limits->match_bytes);
    if (all.bytes == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the answers of an archive");
    }
    REHA_CHECK(reha_bridge_call(call, &proposal, &caller, err));
    const reha_bridge_question asked = {
        .class_uid = FIND_CLASS, .instance_uid = NO_INSTANCE, .keys = keys.keys, .key_count = keys.count};
    status = reha_bridge_ask(caller, &asked, &limits->association, &checked, &outcome, err);
    *is_cut = all.is_cut;
    if (all.is_cut) {
        status = REHA_OK;
    } else if (status == REHA_OK && outcome.code != CODE_SUCCESS) {
        status = refused(call, &outcome, err);
    }
done:
    reha_bridge_hang_up(caller);
    reha_free(all.bytes);
    return status;
}

reha_status reha_remote_get(const reha_call *call, const char *study_uid, const reha_query_limits *limits,
                            const reha_provider *provider, reha_got *out, reha_error *err)
{
    question keys;
    reha_bridge_caller *caller = NULL;
    reha_bridge_outcome outcome = {.code = CODE_SUCCESS};
    network_provision self = {.to = provider};
    const reha_provider checked = network_provider(&self, call->remote->ae_title);
    const char *syntaxes[NETWORK_SYNTAXES_MAX];
    const reha_bridge_offer offer = network_offer(syntaxes);
    const reha_bridge_proposal proposal = {.question_class = GET_CLASS, .offer = &offer};
    *out = (reha_got){.completed = 0};
    REHA_TRY(make_get(study_uid, &keys, err));
    REHA_TRY(reha_bridge_call(call, &proposal, &caller, err));
    const reha_bridge_question asked = {
        .is_get = true, .class_uid = GET_CLASS, .keys = keys.keys, .key_count = keys.count};
    reha_status status = reha_bridge_ask(caller, &asked, &limits->association, &checked, &outcome, err);
    reha_bridge_hang_up(caller);
    *out = (reha_got){outcome.completed, outcome.failed, outcome.warned};
    if (status == REHA_OK &&
        (outcome.code == CODE_SOME_FAILED || (outcome.code == CODE_SUCCESS && outcome.failed > 0))) {
        status = reha_fail(err, REHA_E_REFUSED, "%s gave %d objects and could not give %d%s%.64s",
                           call->remote->ae_title, outcome.completed + outcome.warned, outcome.failed,
                           outcome.comment[0] != '\0' ? ": " : "", outcome.comment);
        return outcome.failed > 0 ? status : REHA_OK; /* warnings alone: everything is there */
    }
    return status == REHA_OK && outcome.code != CODE_SUCCESS ? refused(call, &outcome, err) : status;
}
