#include "base/multipart.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LEAD_BYTES = 4, DELIMITER_BYTES = LEAD_BYTES + REHA_BOUNDARY_BYTES, BLANKS_MAX = 64 };

typedef enum place {
    IN_PREAMBLE,  /* before the first delimiter: passed over */
    IN_DELIMITER, /* behind its boundary: a line end, or "--" and the end of all */
    IN_HEAD,
    IN_BODY,
    IN_EPILOGUE /* passed over */
} place;

struct reha_multipart {
    reha_multipart_limits limits;
    reha_multipart_taker taker;
    place at;
    size_t part_count;
    /* CR LF "--" boundary. What has come of it so far is not kept: it is the delimiter's own beginning. */
    char delimiter[DELIMITER_BYTES];
    size_t delimiter_bytes;
    size_t matched;
    size_t ghosts; /* of the matched: a line end that belongs to what stood before */
    char tail;     /* the last byte behind the boundary; 0: none */
    size_t blanks;
    char *head;
    size_t head_bytes;
};

reha_multipart_limits reha_multipart_limits_default(void)
{
    return (reha_multipart_limits){.parts_max = 2000, .head_bytes_max = 4096};
}

/* The characters of RFC 2046, and a few that programs use all the same; none can be part of a line end. */
static bool is_boundary(const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return length > 0 && length < REHA_BOUNDARY_BYTES && text[length - 1] != ' ';
}

/* The line end of a delimiter has come already, as the end of a head or as the beginning of everything. */
static void expect_delimiter(reha_multipart *parser, place at)
{
    parser->at = at;
    parser->matched = parser->ghosts = 2;
}

reha_status reha_multipart_new(const char *boundary, const reha_multipart_limits *limits,
                               const reha_multipart_taker *taker, reha_multipart **out, reha_error *err)
{
    *out = NULL;
    if (!is_boundary(boundary)) {
        return reha_fail(err, REHA_E_ARG, "the boundary of a multipart body must have 1 to %d characters",
                         REHA_BOUNDARY_BYTES - 1);
    }
    reha_multipart *parser = reha_alloc_zero(1, sizeof *parser);
    if (parser == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a multipart body");
    }
    parser->limits = limits != NULL ? *limits : reha_multipart_limits_default();
    parser->taker = *taker;
    parser->head = reha_alloc(parser->limits.head_bytes_max + 1);
    if (parser->head == NULL) {
        reha_free(parser);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a multipart body");
    }
    parser->delimiter_bytes =
        (size_t)snprintf(parser->delimiter, sizeof parser->delimiter, "\r\n--%s", boundary);
    expect_delimiter(parser, IN_PREAMBLE);
    *out = parser;
    return REHA_OK;
}

void reha_multipart_free(reha_multipart *parser)
{
    if (parser != NULL) {
        reha_free(parser->head);
        reha_free(parser);
    }
}

/* Bytes that are none of a delimiter. */
static reha_status give(reha_multipart *parser, const char *bytes, size_t count, reha_error *err)
{
    return parser->at == IN_BODY && count > 0 ? parser->taker.add(parser->taker.context, bytes, count, err)
                                              : REHA_OK;
}

/* The matched bytes are no delimiter after all. None of them but the first is a CR, so no other delimiter can
 * have begun among them. */
static reha_status give_back(reha_multipart *parser, reha_error *err)
{
    const size_t count = parser->matched - parser->ghosts;
    const char *bytes = parser->delimiter + parser->ghosts;
    parser->matched = parser->ghosts = 0;
    return give(parser, bytes, count, err);
}

static reha_status end_part(reha_multipart *parser, reha_error *err)
{
    const bool is_part = parser->at == IN_BODY;
    parser->at = IN_DELIMITER;
    parser->tail = '\0';
    parser->blanks = parser->matched = parser->ghosts = 0;
    return is_part ? parser->taker.end(parser->taker.context, err) : REHA_OK;
}

/* How many bytes it used: up to the end of a delimiter, or all. */
static reha_status feed_body(reha_multipart *parser, const char *bytes, size_t count, size_t *used,
                             reha_error *err)
{
    size_t i = 0;
    while (i < count) {
        if (parser->matched == 0) {
            const char *next = memchr(bytes + i, '\r', count - i);
            const size_t plain = next != NULL ? (size_t)(next - (bytes + i)) : count - i;
            REHA_TRY(give(parser, bytes + i, plain, err));
            i += plain;
            if (next == NULL) {
                break;
            }
        }
        if (bytes[i] != parser->delimiter[parser->matched]) {
            REHA_TRY(give_back(parser, err));
            continue; /* it may begin a delimiter itself */
        }
        i++;
        if (++parser->matched == parser->delimiter_bytes) {
            *used = i;
            return end_part(parser, err);
        }
    }
    *used = count;
    return REHA_OK;
}

static reha_status feed_delimiter(reha_multipart *parser, char byte, reha_error *err)
{
    const char before = parser->tail;
    parser->tail = byte;
    if (before == '-' && byte == '-') {
        parser->at = IN_EPILOGUE;
        return REHA_OK;
    }
    if (before == '\r' && byte == '\n') {
        if (parser->part_count == parser->limits.parts_max) {
            return reha_fail(err, REHA_E_LIMIT, "the body has more than %zu parts", parser->limits.parts_max);
        }
        parser->at = IN_HEAD;
        parser->head_bytes = 0;
        return REHA_OK;
    }
    const bool is_blank = byte == ' ' || byte == '\t';
    const bool may_follow = before == '\0' || before == ' ' || before == '\t';
    if (may_follow &&
        (byte == '\r' || (byte == '-' && before == '\0') || (is_blank && parser->blanks++ < BLANKS_MAX))) {
        return REHA_OK;
    }
    return reha_fail(err, REHA_E_FORMAT, "a boundary of the multipart body is followed by something else");
}

/* The value of one header line "Name: value" if it is Content-Type; folded lines are not read: they are
 * obsolete. */
static reha_status read_line(const char *line, size_t length, char type[REHA_MULTIPART_TYPE_BYTES],
                             reha_error *err)
{
    static const char name[] = "Content-Type:";
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || line[0] == ' ' || line[0] == '\t' || memchr(line, '\0', length) != NULL) {
        return reha_fail(err, REHA_E_FORMAT, "a part of the multipart body has a broken header line");
    }
    if (length < sizeof name - 1 || strncasecmp(line, name, sizeof name - 1) != 0) {
        return REHA_OK;
    }
    line += sizeof name - 1;
    length -= sizeof name - 1;
    while (length > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    if (type[0] != '\0' || length >= REHA_MULTIPART_TYPE_BYTES) {
        return reha_fail(err, REHA_E_FORMAT, "a part of the multipart body has %s",
                         type[0] != '\0' ? "two content types" : "a content type that is too long");
    }
    memcpy(type, line, length);
    type[length] = '\0';
    return REHA_OK;
}

static reha_status begin_part(reha_multipart *parser, reha_error *err)
{
    char type[REHA_MULTIPART_TYPE_BYTES] = "";
    const char *line = parser->head;
    const char *end = parser->head + parser->head_bytes - 2; /* the empty line */
    while (line < end) {
        const char *stop = strstr(line, "\r\n"); /* there is one: the head ends so */
        stop = stop != NULL ? stop : end;
        REHA_TRY(read_line(line, (size_t)(stop - line), type, err));
        line = stop + 2;
    }
    parser->part_count++;
    expect_delimiter(parser, IN_BODY);
    return parser->taker.begin(parser->taker.context, type, err);
}

static reha_status feed_head(reha_multipart *parser, char byte, reha_error *err)
{
    if (parser->head_bytes == parser->limits.head_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT, "the headers of a part have more than %zu bytes",
                         parser->limits.head_bytes_max);
    }
    if (byte == '\0') {
        return reha_fail(err, REHA_E_FORMAT, "a part of the multipart body has a broken header line");
    }
    parser->head[parser->head_bytes++] = byte;
    parser->head[parser->head_bytes] = '\0';
    const size_t count = parser->head_bytes;
    const bool is_over =
        (count == 2 && memcmp(parser->head, "\r\n", 2) == 0) ||
        (count >= LEAD_BYTES && memcmp(parser->head + count - LEAD_BYTES, "\r\n\r\n", LEAD_BYTES) == 0);
    return is_over ? begin_part(parser, err) : REHA_OK;
}

reha_status reha_multipart_feed(reha_multipart *parser, const void *bytes, size_t count, reha_error *err)
{
    const char *at = bytes;
    while (count > 0) {
        size_t used = 1;
        switch (parser->at) {
        case IN_PREAMBLE:
        case IN_BODY:
            REHA_TRY(feed_body(parser, at, count, &used, err));
            break;
        case IN_DELIMITER:
            REHA_TRY(feed_delimiter(parser, *at, err));
            break;
        case IN_HEAD:
            REHA_TRY(feed_head(parser, *at, err));
            break;
        case IN_EPILOGUE:
            return REHA_OK;
        }
        at += used;
        count -= used;
    }
    return REHA_OK;
}

reha_status reha_multipart_finish(reha_multipart *parser, reha_error *err)
{
    return parser->at == IN_EPILOGUE
               ? REHA_OK
               : reha_fail(err, REHA_E_FORMAT, "the multipart body ends before its closing boundary");
}

/* ---- media types ---- */

/* One value behind '=': quoted, with backslashes before quotes, or plain. NULL if it is broken. */
static const char *take_value(const char *at, char *out, size_t room, bool *fits)
{
    size_t used = 0;
    const bool is_quoted = *at == '"';
    at += is_quoted ? 1 : 0;
    while (*at != '\0' && (is_quoted ? *at != '"' : strchr("; \t,", *at) == NULL)) {
        at += is_quoted && at[0] == '\\' && at[1] != '\0' ? 1 : 0;
        if (used + 1 < room) {
            out[used] = *at;
        }
        used++;
        at++;
    }
    *fits = used < room;
    out[*fits ? used : 0] = '\0';
    return !is_quoted ? at : *at == '"' ? at + 1 : NULL;
}

bool reha_media_parameter(const char *media_type, const char *name, char *out, size_t room)
{
    const char *at = strchr(media_type, ';');
    while (at != NULL && *at == ';') {
        at += 1 + strspn(at + 1, " \t");
        const size_t length = strcspn(at, "=; \t");
        const bool is_it = length == strlen(name) && strncasecmp(at, name, length) == 0;
        bool fits = false;
        at += length;
        at = *at == '=' ? take_value(at + 1, out, room, &fits) : strchr(at, ';');
        if (is_it && at != NULL) {
            return fits && out[0] != '\0';
        }
        at = at != NULL ? at + strspn(at, " \t") : NULL;
    }
    out[0] = '\0';
    return false;
}

bool reha_media_is(const char *media_type, const char *wanted)
{
    const size_t length = strcspn(media_type, "; \t");
    return length == strlen(wanted) && strncasecmp(media_type, wanted, length) == 0;
}
