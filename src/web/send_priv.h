/* Responses into libmicrohttpd, with the headers that every answer carries. */
#ifndef REHA_WEB_SEND_PRIV_H
#define REHA_WEB_SEND_PRIV_H

#include "web/http.h"

struct MHD_Connection;

/* Takes body and stream out of the response. False: the connection must be closed. */
bool reha_send(struct MHD_Connection *connection, reha_http_response *response, const char *request_id,
               bool is_secure);

#endif
