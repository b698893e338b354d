#include "service/sandbox_talk_priv.h"

#include <math.h>
#include <unistd.h>

static const double FOREVER = (double)INFINITY;

reha_status talk_tell(json_t *message, const void *bytes, size_t count, reha_error *err)
{
    const reha_status status = message != NULL ? wire_send(STDIN_FILENO, message, bytes, count, FOREVER, err)
                                               : reha_fail(err, REHA_E_NOMEM, "out of memory for a message");
    json_decref(message);
    return status;
}

reha_status talk_receive(json_t **out, reha_error *err)
{
    wire_message message;
    *out = NULL;
    REHA_TRY(wire_receive(STDIN_FILENO, 0, FOREVER, &message, err));
    *out = json_incref(message.json);
    wire_clear(&message);
    return REHA_OK;
}

reha_status talk_tls(const json_t *settings, bool is_called, reha_tls **out, reha_error *err)
{
    const reha_tls_files files = {.certificate = reha_json_string(settings, "certificate", NULL),
                                  .key = reha_json_string(settings, "key", NULL),
                                  .authority = reha_json_string(settings, "authority", NULL)};
    *out = NULL;
    return files.key != NULL ? reha_tls_open(&files, is_called, out, err) : REHA_OK;
}
