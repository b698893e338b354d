/* Hostile files: protobuf's own reader follows nested messages without a limit and allocates some
 * hundred bytes for a message of two. So the bytes are walked first (fixed depth, nothing allocated),
 * and unpacking draws on a budget. */
#include "nn/onnx_priv.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <string.h>

typedef enum message_kind { MODEL, GRAPH, NODE, ATTRIBUTE, VALUE_INFO, TYPE, FLAT } message_kind;

typedef struct field_rule {
    message_kind parent;
    uint32_t field;
    message_kind child;
    const char *refusal; /* not NULL: we read no file that has it */
} field_rule;

static const field_rule rules[] = {
    {MODEL, 7, GRAPH, NULL},
    {MODEL, 20, FLAT, "training information"},
    {MODEL, 25, FLAT, "model-local functions"},
    {GRAPH, 1, NODE, NULL},
    {GRAPH, 5, FLAT, NULL},
    {GRAPH, 11, VALUE_INFO, NULL},
    {GRAPH, 12, VALUE_INFO, NULL},
    {GRAPH, 13, VALUE_INFO, NULL},
    {GRAPH, 15, FLAT, "sparse initialisers"},
    {NODE, 5, ATTRIBUTE, NULL},
    {ATTRIBUTE, 6, FLAT, "sub-graphs (If, Loop, Scan)"},
    {ATTRIBUTE, 11, FLAT, "sub-graphs (If, Loop, Scan)"},
    {ATTRIBUTE, 14, FLAT, "type attributes"},
    {ATTRIBUTE, 15, FLAT, "type attributes"},
    {VALUE_INFO, 2, TYPE, NULL},
    {TYPE, 4, FLAT, "sequences"},
    {TYPE, 5, FLAT, "maps"},
    {TYPE, 8, FLAT, "sparse tensors"},
    {TYPE, 9, FLAT, "optional values"},
};

typedef struct scan {
    const reha_onnx_limits *limits;
    size_t nodes;
    reha_error *err;
} scan;

static bool take_varint(reha_bytes *in, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        if (!reha_bytes_u8(in, &byte)) {
            return false;
        }
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

/* One field: its number, and its bytes if it has a length. */
static bool take_field(reha_bytes *in, uint32_t *field, reha_bytes *body, bool *has_body)
{
    uint64_t key;
    uint64_t value;
    *has_body = false;
    if (!take_varint(in, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff) {
        return false;
    }
    *field = (uint32_t)(key >> 3);
    switch (key & 7) {
    case 0:
        return take_varint(in, &value);
    case 1:
        return reha_bytes_skip(in, 8);
    case 2:
        *has_body = true;
        return take_varint(in, &value) && value <= in->left && reha_bytes_take(in, (size_t)value, body);
    case 5:
        return reha_bytes_skip(in, 4);
    default:
        return false;
    }
}

static const field_rule *find_rule(message_kind kind, uint32_t field)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].parent == kind && rules[i].field == field) {
            return &rules[i];
        }
    }
    return NULL;
}

/* At most five deep: model, graph, node or value, attribute or type. */
static reha_status scan_message(scan *s, message_kind kind, reha_bytes in)
{
    while (in.left > 0) {
        uint32_t field;
        reha_bytes body;
        bool has_body;
        if (!take_field(&in, &field, &body, &has_body)) {
            return reha_fail(s->err, REHA_E_FORMAT, "not an ONNX file, or cut off (%zu bytes before the end)",
                             in.left);
        }
        const field_rule *rule = has_body ? find_rule(kind, field) : NULL;
        if (rule == NULL) {
            continue;
        }
        if (rule->refusal != NULL) {
            return reha_fail(s->err, REHA_E_UNSUPPORTED, "the ONNX file uses %s", rule->refusal);
        }
        if (rule->child == NODE && ++s->nodes > s->limits->nodes_max) {
            return reha_fail(s->err, REHA_E_LIMIT, "more than %zu nodes", s->limits->nodes_max);
        }
        if (rule->child != FLAT) {
            REHA_TRY(scan_message(s, rule->child, body));
        }
    }
    return REHA_OK;
}

static void *budget_alloc(void *context, size_t bytes)
{
    reha_onnx_message *message = context;
    if (bytes > message->left_bytes) {
        message->is_over = true;
        return NULL;
    }
    message->left_bytes -= bytes;
    void *block = reha_alloc(bytes);
    message->is_out_of_memory = message->is_out_of_memory || block == NULL;
    return block;
}

static void budget_free(void *context, void *block)
{
    (void)context;
    reha_free(block);
}

reha_status reha_onnx_unpack(const void *bytes, size_t count, const reha_onnx_limits *limits,
                             reha_onnx_message *out, reha_error *err)
{
    static const size_t least_bytes = (size_t)16 << 20;
    memset(out, 0, sizeof *out);
    if (count > limits->file_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT, "an ONNX file of %zu bytes: the limit is %zu", count,
                         limits->file_bytes_max);
    }
    if (count == 0) {
        return reha_fail(err, REHA_E_FORMAT, "not an ONNX file: it is empty");
    }
    scan s = {limits, 0, err};
    REHA_TRY(scan_message(&s, MODEL, (reha_bytes){bytes, count}));
    out->left_bytes = least_bytes + 3 * count + 512 * s.nodes;
    ProtobufCAllocator allocator = {budget_alloc, budget_free, out};
    out->model = onnx__model_proto__unpack(&allocator, count, bytes);
    if (out->model != NULL) {
        return REHA_OK;
    }
    if (out->is_out_of_memory) {
        return reha_fail(err, REHA_E_NOMEM, "no memory to read an ONNX file of %zu bytes", count);
    }
    if (out->is_over) {
        return reha_fail(err, REHA_E_LIMIT, "the ONNX file asks for far more memory than its size");
    }
    return reha_fail(err, REHA_E_FORMAT, "not an ONNX file: its fields have the wrong types");
}

void reha_onnx_message_clear(reha_onnx_message *message)
{
    if (message->model != NULL) {
        ProtobufCAllocator allocator = {budget_alloc, budget_free, message};
        onnx__model_proto__free_unpacked(message->model, &allocator);
        message->model = NULL;
    }
}
