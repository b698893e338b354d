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

/* ---- objects ---- */

/* Without the server there is nobody to store for. */
static void leave_if(reha_status status)
{
    if (status != REHA_OK) {
        _exit(1);
    }
}

static reha_status begin(void *context, const reha_incoming *object, reha_error *err)
{
    (void)context;
    leave_if(
        talk_tell(json_pack("{s:s, s:s, s:s, s:s}", "op", "begin", "sop_class_uid", object->sop_class_uid,
                            "sop_instance_uid", object->sop_instance_uid, "syntax_uid", object->syntax_uid),
                  NULL, 0, err));
    return REHA_OK;
}

static reha_status add(void *context, const void *bytes, size_t count, reha_error *err)
{
    (void)context;
    leave_if(talk_tell(json_pack("{s:s}", "op", "add"), bytes, count, err));
    return REHA_OK;
}

static reha_status end_object(void *context, reha_error *err)
{
    json_t *answer = NULL;
    reha_status status = REHA_E_INTERNAL;
    (void)context;
    leave_if(talk_tell(json_pack("{s:s}", "op", "end"), NULL, 0, err));
    leave_if(talk_receive(&answer, err));
    status = wire_status(reha_json_string(answer, "status", ""));
    if (status != REHA_OK) {
        (void)reha_fail(err, status, "%.200s", reha_json_string(answer, "text", ""));
    }
    json_decref(answer);
    return status;
}

static void drop(void *context)
{
    reha_error err;
    (void)context;
    leave_if(talk_tell(json_pack("{s:s}", "op", "drop"), NULL, 0, &err));
}

reha_provider talk_objects(void)
{
    return (reha_provider){.begin = begin, .add = add, .end = end_object, .drop = drop};
}
