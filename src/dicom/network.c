#include "dicom/network.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dicom/dicom_priv.h"
#include "dicom/network_priv.h"

#include <stdio.h>
#include <string.h>

enum { KINDS_MAX = 60, PORT_MAX = 65535, REMOTE_TEXT_BYTES = 300, PREAMBLE_BYTES = 128 };

/* Images that dicom.h reads. Reports, presentation states and waveforms are no pictures. */
static const char *const storage_classes[] = {
    "1.2.840.10008.5.1.4.1.1.1",      /* computed radiography */
    "1.2.840.10008.5.1.4.1.1.1.1",    /* digital X-ray, for presentation */
    "1.2.840.10008.5.1.4.1.1.1.1.1",  /* digital X-ray, for processing */
    "1.2.840.10008.5.1.4.1.1.2",      /* CT */
    "1.2.840.10008.5.1.4.1.1.2.1",    /* enhanced CT */
    "1.2.840.10008.5.1.4.1.1.3",      /* ultrasound, several frames (retired) */
    "1.2.840.10008.5.1.4.1.1.3.1",    /* ultrasound, several frames */
    "1.2.840.10008.5.1.4.1.1.4",      /* MR */
    "1.2.840.10008.5.1.4.1.1.4.1",    /* enhanced MR */
    "1.2.840.10008.5.1.4.1.1.4.3",    /* enhanced MR, colour */
    "1.2.840.10008.5.1.4.1.1.6",      /* ultrasound (retired) */
    "1.2.840.10008.5.1.4.1.1.6.1",    /* ultrasound */
    "1.2.840.10008.5.1.4.1.1.7",      /* secondary capture */
    "1.2.840.10008.5.1.4.1.1.7.1",    /* secondary capture, several frames: bits */
    "1.2.840.10008.5.1.4.1.1.7.2",    /* ... grey bytes */
    "1.2.840.10008.5.1.4.1.1.7.3",    /* ... grey words */
    "1.2.840.10008.5.1.4.1.1.7.4",    /* ... colour */
    "1.2.840.10008.5.1.4.1.1.12.1",   /* X-ray angiography */
    "1.2.840.10008.5.1.4.1.1.12.1.1", /* enhanced X-ray angiography */
    "1.2.840.10008.5.1.4.1.1.12.2",   /* fluoroscopy */
    "1.2.840.10008.5.1.4.1.1.12.2.1", /* enhanced fluoroscopy */
    "1.2.840.10008.5.1.4.1.1.20",     /* nuclear medicine */
    "1.2.840.10008.5.1.4.1.1.128",    /* PET */
};

bool reha_tls_files_are_partial(const reha_tls_files *files)
{
    return (files->certificate == NULL) != (files->key == NULL) ||
           (files->key == NULL) != (files->authority == NULL);
}

bool reha_ae_title_is_valid(const char *title)
{
    const size_t length = strlen(title);
    if (length == 0 || length >= REHA_AE_BYTES || title[0] == ' ' || title[length - 1] == ' ') {
        return false;
    }
    for (const char *at = title; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~' || *at == '\\') {
            return false;
        }
    }
    return true;
}

bool network_uid_is_valid(const char *uid)
{
    const size_t length = strlen(uid);
    return length > 0 && length < REHA_UID_BYTES && strspn(uid, "0123456789.") == length;
}

reha_status reha_tls_open(const reha_tls_files *files, bool is_called, reha_tls **out, reha_error *err)
{
    return reha_bridge_tls(files, is_called, out, err);
}

void reha_tls_close(reha_tls *tls)
{
    reha_bridge_tls_close(tls);
}

/* ---- the one who is called ---- */

reha_association_limits reha_association_limits_default(void)
{
    return (reha_association_limits){.pdu_bytes = 128U << 10,
                                     .request_bytes_max = (size_t)256 << 10,
                                     .object_bytes_max = (size_t)512 << 20,
                                     .request_s = 20.0,
                                     .idle_s = 60.0,
                                     .grace_s = 30.0,
                                     .rate_bytes_per_s = 16384.0};
}

const char *reha_association_end_name(reha_association_end end)
{
    static const char *const names[] = {"released", "rejected", "aborted", "lost", "broken"};
    return (size_t)end < sizeof names / sizeof names[0] ? names[end] : "broken";
}

reha_status reha_network_prepare(reha_error *err)
{
    return reha_bridge_prepare(err);
}

static size_t put_element(uint8_t *out, uint16_t element, const char *vr, const void *value, size_t count)
{
    const bool is_long = strcmp(vr, "OB") == 0;
    const size_t padded = count + count % 2;
    size_t at = 0;
    out[at++] = 0x02;
    out[at++] = 0x00;
    out[at++] = (uint8_t)element;
    out[at++] = (uint8_t)(element >> 8);
    out[at++] = (uint8_t)vr[0];
    out[at++] = (uint8_t)vr[1];
    if (is_long) {
        memset(out + at, 0, 2);
        at += 2;
    }
    out[at++] = (uint8_t)padded;
    out[at++] = (uint8_t)(padded >> 8);
    if (is_long) {
        memset(out + at, 0, 2);
        at += 2;
    }
    memcpy(out + at, value, count);
    if (padded > count) {
        out[at + count] = strcmp(vr, "SH") == 0 || strcmp(vr, "AE") == 0 ? ' ' : 0;
    }
    return at + padded;
}

size_t network_file_head(const reha_incoming *object, const char *calling, uint8_t out[NETWORK_HEAD_BYTES])
{
    static const uint8_t version[] = {0, 1};
    static const uint8_t mark[] = {'D', 'I', 'C', 'M'};
    uint8_t group[NETWORK_HEAD_BYTES];
    size_t count = 0;
    count += put_element(group + count, 0x0001, "OB", version, sizeof version);
    count += put_element(group + count, 0x0002, "UI", object->sop_class_uid, strlen(object->sop_class_uid));
    count +=
        put_element(group + count, 0x0003, "UI", object->sop_instance_uid, strlen(object->sop_instance_uid));
    count += put_element(group + count, 0x0010, "UI", object->syntax_uid, strlen(object->syntax_uid));
    count += put_element(group + count, 0x0012, "UI", REHA_IMPLEMENTATION_CLASS_UID,
                         strlen(REHA_IMPLEMENTATION_CLASS_UID));
    count += put_element(group + count, 0x0016, "AE", calling, strlen(calling));
    const uint8_t length[] = {(uint8_t)count, (uint8_t)(count >> 8), 0, 0};
    size_t at = PREAMBLE_BYTES;
    memset(out, 0, PREAMBLE_BYTES);
    memcpy(out + at, mark, sizeof mark);
    at += sizeof mark;
    at += put_element(out + at, 0x0000, "UL", length, sizeof length);
    memcpy(out + at, group, count);
    return at + count;
}

static reha_association_verdict ask(void *context, const char *calling, const char *called)
{
    network_provision *self = context;
    if (!reha_ae_title_is_valid(calling)) {
        return REHA_ASSOCIATION_UNKNOWN_CALLER;
    }
    if (!reha_ae_title_is_valid(called)) {
        return REHA_ASSOCIATION_WRONG_NAME;
    }
    (void)snprintf(self->calling, sizeof self->calling, "%s", calling);
    return self->to->ask(self->to->context, calling, called);
}

static reha_status begin(void *context, const reha_incoming *object, reha_error *err)
{
    network_provision *self = context;
    uint8_t head[NETWORK_HEAD_BYTES];
    if (!network_uid_is_valid(object->sop_class_uid) || !network_uid_is_valid(object->sop_instance_uid) ||
        !network_uid_is_valid(object->syntax_uid)) {
        return reha_fail(err, REHA_E_FORMAT, "a UID of the command is none");
    }
    REHA_TRY(self->to->begin(self->to->context, object, err));
    const reha_status status =
        self->to->add(self->to->context, head, network_file_head(object, self->calling, head), err);
    if (status != REHA_OK) {
        self->to->drop(self->to->context);
    }
    return status;
}

static reha_status add(void *context, const void *bytes, size_t count, reha_error *err)
{
    const network_provision *self = context;
    return self->to->add(self->to->context, bytes, count, err);
}

static reha_status end_object(void *context, reha_error *err)
{
    const network_provision *self = context;
    return self->to->end(self->to->context, err);
}

static void drop(void *context)
{
    const network_provision *self = context;
    self->to->drop(self->to->context);
}

reha_provider network_provider(network_provision *self, const char *calling)
{
    (void)snprintf(self->calling, sizeof self->calling, "%s", calling);
    return (reha_provider){
        .context = self, .ask = ask, .begin = begin, .add = add, .end = end_object, .drop = drop};
}

reha_bridge_offer network_offer(const char *syntaxes[NETWORK_SYNTAXES_MAX])
{
    size_t count = 0;
    for (const reha_dcm_syntax *syntax = reha_dcm_syntax_at(0);
         syntax != NULL && count < NETWORK_SYNTAXES_MAX; syntax = reha_dcm_syntax_at(count)) {
        syntaxes[count++] = syntax->uid;
    }
    return (reha_bridge_offer){storage_classes, sizeof storage_classes / sizeof storage_classes[0], syntaxes,
                               count};
}

reha_status reha_association_provide(int socket, reha_tls *tls, const reha_association_limits *limits,
                                     const reha_provider *provider, reha_association_end *end,
                                     reha_error *err)
{
    const char *syntaxes[NETWORK_SYNTAXES_MAX];
    network_provision self = {.to = provider};
    const reha_bridge_offer offer = network_offer(syntaxes);
    const reha_provider checked = network_provider(&self, "");
    return reha_bridge_provide(socket, tls, &offer, limits, &checked, end, err);
}

/* ---- the one who calls ---- */

reha_status reha_remote_parse(const char *text, reha_remote *out, reha_error *err)
{
    char copy[REMOTE_TEXT_BYTES];
    int64_t port = 0;
    *out = (reha_remote){.port = 0};
    (void)snprintf(copy, sizeof copy, "%s", text);
    char *host = strchr(copy, '@');
    char *colon = strrchr(copy, ':');
    if (strlen(text) >= sizeof copy || host == NULL || colon == NULL || colon < host) {
        return reha_fail(err, REHA_E_ARG, "'%.60s' is no AE@host:port, such as PACS@192.168.1.5:104", text);
    }
    *host++ = '\0';
    *colon++ = '\0';
    if (!reha_ae_title_is_valid(copy)) {
        return reha_fail(err, REHA_E_ARG, "'%.60s': an AE title has 1 to 16 characters", copy);
    }
    if (host[0] == '\0' || strlen(host) >= sizeof out->host || strpbrk(host, ":[] ") != NULL) {
        return reha_fail(err, REHA_E_ARG, "'%.60s' is no name or IPv4 address of a host", host);
    }
    if (!reha_parse_int64(colon, &port) || port < 1 || port > PORT_MAX) {
        return reha_fail(err, REHA_E_ARG, "'%.20s' is no port: 1 to 65535, often 104 or 11112", colon);
    }
    (void)snprintf(out->ae_title, sizeof out->ae_title, "%s", copy);
    (void)snprintf(out->host, sizeof out->host, "%s", host);
    out->port = (int)port;
    return REHA_OK;
}

reha_status reha_remote_echo(const reha_call *call, reha_error *err)
{
    reha_bridge_caller *caller = NULL;
    const reha_bridge_proposal verification = {.kinds = NULL};
    REHA_TRY(reha_bridge_call(call, &verification, &caller, err));
    const reha_status status = reha_bridge_echo(caller, err);
    reha_bridge_hang_up(caller);
    return status;
}

/* What a file is, by our own bounded parser. */
typedef struct sending {
    reha_status status;
    reha_error fault;
    size_t kind_idx;
    char sop_instance_uid[REHA_UID_BYTES];
} sending;

static reha_status look_at(const reha_outgoing *file, reha_bridge_kind *kind, char instance[REHA_UID_BYTES],
                           reha_error *err)
{
    uint8_t *loaded = NULL;
    const uint8_t *bytes = file->bytes;
    size_t count = file->count;
    reha_dcm_dataset set = {0};
    reha_status status = REHA_OK;
    if (file->path != NULL) {
        REHA_CHECK(
            reha_file_load(file->path, reha_image_limits_default().file_bytes_max, &loaded, &count, err));
        bytes = loaded;
    }
    if (!reha_dcm_detect(bytes, count)) {
        status = reha_fail(err, REHA_E_FORMAT, "it is no DICOM file");
        goto done;
    }
    REHA_CHECK(reha_dcm_parse(bytes, count, &set, err));
    const reha_dcm_scope root = reha_dcm_root(&set);
    if (!reha_dcm_text(&set, reha_dcm_find(&set, root, TAG_SOP_CLASS_UID), 0, kind->sop_class_uid,
                       sizeof kind->sop_class_uid) ||
        !reha_dcm_text(&set, reha_dcm_find(&set, root, TAG_SOP_INSTANCE_UID), 0, instance, REHA_UID_BYTES) ||
        !network_uid_is_valid(kind->sop_class_uid) || !network_uid_is_valid(instance)) {
        status = reha_fail(err, REHA_E_FORMAT, "it names no SOP class or no instance");
        goto done;
    }
    const reha_dcm_syntax *syntax = reha_dcm_find_syntax(set.transfer_syntax_uid);
    (void)snprintf(kind->syntax_uid, sizeof kind->syntax_uid, "%s", set.transfer_syntax_uid);
    kind->is_plain = syntax != NULL && syntax->decode == NULL;
done:
    reha_dcm_clear(&set);
    reha_free(loaded);
    return status;
}

static bool is_same_kind(const reha_bridge_kind *a, const reha_bridge_kind *b)
{
    return strcmp(a->sop_class_uid, b->sop_class_uid) == 0 && strcmp(a->syntax_uid, b->syntax_uid) == 0;
}

/* Looks at files from `first` on, until their kinds fill an association; how many. */
static size_t gather(const reha_outgoing *files, size_t first, size_t count, sending *sendings,
                     reha_bridge_kind *kinds, size_t *kind_count)
{
    *kind_count = 0;
    for (size_t i = first; i < count; i++) {
        reha_bridge_kind kind = {.is_plain = false};
        sending *one = &sendings[i];
        one->fault = (reha_error)REHA_ERROR_INIT;
        one->status = look_at(&files[i], &kind, one->sop_instance_uid, &one->fault);
        if (one->status != REHA_OK) {
            continue;
        }
        one->kind_idx = 0;
        while (one->kind_idx < *kind_count && !is_same_kind(&kinds[one->kind_idx], &kind)) {
            one->kind_idx++;
        }
        if (one->kind_idx == KINDS_MAX) {
            return i - first;
        }
        if (one->kind_idx == *kind_count) {
            kinds[(*kind_count)++] = kind;
        }
    }
    return count - first;
}

/* One association; `status`: of those before. A failed call is the fate of every file that is left. */
static reha_status store_some(const reha_call *call, const reha_outgoing *files, sending *sendings,
                              size_t count, const reha_bridge_kind *kinds, size_t kind_count,
                              reha_status status, reha_error *err)
{
    reha_bridge_caller *caller = NULL;
    if (status == REHA_OK && kind_count > 0) {
        const reha_bridge_proposal storage = {.kinds = kinds, .kind_count = kind_count};
        status = reha_bridge_call(call, &storage, &caller, err);
    }
    for (size_t i = 0; i < count; i++) {
        sending *one = &sendings[i];
        bool is_lost = false;
        if (one->status != REHA_OK) {
            continue;
        }
        if (status != REHA_OK) {
            one->status = reha_fail(&one->fault, REHA_E_CANCELLED, "not sent");
            continue;
        }
        one->status = reha_bridge_store(caller, &files[i], &kinds[one->kind_idx], one->sop_instance_uid,
                                        &is_lost, &one->fault);
        if (is_lost) {
            status = reha_fail(err, one->status, "%s", one->fault.text);
        }
    }
    reha_bridge_hang_up(caller);
    return status;
}

reha_status reha_remote_store(const reha_call *call, const reha_outgoing *files, size_t count, reha_sent sent,
                              void *context, reha_error *err)
{
    reha_bridge_kind kinds[KINDS_MAX];
    reha_status status = REHA_OK;
    sending *sendings = reha_alloc_zero(count, sizeof *sendings);
    if (sendings == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a list of files");
    }
    for (size_t first = 0; first < count;) {
        size_t kind_count = 0;
        const size_t some = gather(files, first, count, sendings, kinds, &kind_count);
        status = store_some(call, files + first, sendings + first, some, kinds, kind_count, status, err);
        for (size_t i = first; i < first + some; i++) {
            sent(context, i, sendings[i].status, sendings[i].fault.text);
        }
        first += some;
    }
    reha_free(sendings);
    return status;
}
