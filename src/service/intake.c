#include "service/intake_priv.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

void intake_word(const char *title, char out[REHA_AE_BYTES])
{
    (void)snprintf(out, REHA_AE_BYTES, "%s", reha_ae_title_is_valid(title) ? title : "?");
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == ' ' || *at == '=' || *at == '"' ? '_' : *at;
    }
}

void intake_drop(intake *self)
{
    reha_upload_close(self->upload);
    self->upload = NULL;
}

static void on_begin(intake *self, const json_t *object)
{
    const reha_upload_options how = {.from_ae_title = self->from,
                                     .sop_instance_uid = reha_json_string(object, "sop_instance_uid", "")};
    intake_drop(self);
    self->fault = (reha_error)REHA_ERROR_INIT;
    self->status = reha_upload_begin(self->clinic, &self->actor, &how, &self->upload, &self->fault);
}

static void on_add(intake *self, const wire_message *message)
{
    if (self->status == REHA_OK && self->upload != NULL) {
        self->status = reha_upload_write(self->upload, message->bytes, message->count, &self->fault);
    }
}

static reha_status on_end(intake *self, int link, double wait_ms, reha_error *err)
{
    char from[REHA_AE_BYTES];
    json_t *answer = NULL;
    if (self->upload == NULL && self->status == REHA_OK) {
        return reha_fail(err, REHA_E_FORMAT, "an object ends that did not begin");
    }
    if (self->status == REHA_OK) {
        self->status = reha_upload_finish(self->upload, &answer, &self->fault);
    }
    intake_drop(self);
    if (self->status == REHA_OK) {
        const json_t *item = json_array_get(json_object_get(answer, "items"), 0);
        const bool is_known = strcmp(reha_json_string(item, "outcome", ""), "duplicate") == 0;
        self->known += is_known ? 1 : 0;
        self->stored += is_known ? 0 : 1;
    } else {
        self->why = self->refused == 0 ? self->fault : self->why;
        self->refused++;
        intake_word(self->from, from);
        reha_log(REHA_LOG_WARN, "dicom.refused", "from=%s status=%s", from, reha_status_name(self->status));
    }
    json_decref(answer);
    json_t *reply = json_pack("{s:s, s:o}", "status", reha_status_name(self->status), "text",
                              reha_json_text(self->fault.text));
    const reha_status status = reply != NULL ? wire_send(link, reply, NULL, 0, reha_clock_ms() + wait_ms, err)
                                             : reha_fail(err, REHA_E_NOMEM, "out of memory for an answer");
    json_decref(reply);
    return status;
}

reha_status intake_handle(intake *self, int link, double wait_ms, const wire_message *message, bool *is_mine,
                          reha_error *err)
{
    const char *op = reha_json_string(message->json, "op", "");
    *is_mine = true;
    if (strcmp(op, "begin") == 0) {
        on_begin(self, message->json);
    } else if (strcmp(op, "add") == 0) {
        on_add(self, message);
    } else if (strcmp(op, "drop") == 0) {
        intake_drop(self);
    } else if (strcmp(op, "end") == 0) {
        return on_end(self, link, wait_ms, err);
    } else {
        *is_mine = false;
    }
    return REHA_OK;
}
