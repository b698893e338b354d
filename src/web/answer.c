/* What handlers share: answers and list queries. */
#include "web/call_priv.h"

#include "base/memory.h"
#include "store/digest.h"

#include <stdio.h>
#include <string.h>

/* "version-content": an edit sends it back and the version counts; a reader compares the whole. */
static void set_etag(reha_http_response *response, json_int_t version)
{
    char digest[REHA_DIGEST_TEXT_BYTES];
    reha_digest_bytes(response->body, response->body_bytes, digest);
    (void)snprintf(response->etag, sizeof response->etag, "\"%lld-%.16s\"", (long long)version, digest);
}

reha_status reha_call_json(reha_call *call, int code, json_t *value, reha_error *err)
{
    const json_t *version = json_object_get(value, "version");
    const json_int_t number = json_is_integer(version) ? json_integer_value(version) : 0;
    REHA_TRY(reha_http_respond_json(&call->response, code, value, err));
    set_etag(&call->response, number);
    call->response.cache = "private, no-cache";
    return REHA_OK;
}

void reha_call_bytes(reha_call *call, const char *type, uint8_t *bytes, size_t count)
{
    reha_free(call->response.body);
    call->response.body = bytes;
    call->response.body_bytes = count;
    call->response.type = type;
    call->response.code = 200;
}

reha_status reha_call_list_query(const reha_call *call, reha_query *out, reha_error *err)
{
    int64_t limit = 0;
    *out = (reha_query){.text = reha_call_query(call, "text"),
                        .status = reha_call_query(call, "status"),
                        .patient_id = reha_call_query(call, "patient_id"),
                        .modality = reha_call_query(call, "modality"),
                        .from = reha_call_query(call, "from"),
                        .to = reha_call_query(call, "to"),
                        .user_id = reha_call_query(call, "user_id"),
                        .action = reha_call_query(call, "action"),
                        .cursor = reha_call_query(call, "cursor")};
    REHA_TRY(reha_http_query_integer(call->request, "limit", 1, 200, 50, &limit, err));
    out->limit = (int)limit;
    return REHA_OK;
}
