#include "nn/npy.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "nn/half_priv.h"

#include <stdio.h>
#include <string.h>

enum { HEADER_BYTES_MAX = 1 << 16 };
static const size_t npy_file_bytes_max = (size_t)1 << 30;

/* The header is a Python dictionary, of which exactly three keys matter. */
typedef struct npy_header {
    char text[512];
} npy_header;

static reha_status read_header(reha_bytes *in, npy_header *header, reha_error *err)
{
    uint8_t major = 0;
    uint8_t minor = 0;
    uint16_t short_length = 0;
    uint32_t length = 0;
    reha_bytes text;
    if (!reha_bytes_starts(*in, "\x93NUMPY", 6)) {
        return reha_fail(err, REHA_E_FORMAT, "not an .npy file");
    }
    if (!reha_bytes_skip(in, 6) || !reha_bytes_u8(in, &major) || !reha_bytes_u8(in, &minor)) {
        return reha_fail(err, REHA_E_FORMAT, "the .npy header is cut off");
    }
    bool is_whole = false;
    if (major == 1) {
        is_whole = reha_bytes_u16le(in, &short_length);
        length = short_length;
    } else if (major == 2 || major == 3) {
        is_whole = reha_bytes_u32le(in, &length);
    } else {
        return reha_fail(err, REHA_E_UNSUPPORTED, ".npy version %d", major);
    }
    if (!is_whole || length > HEADER_BYTES_MAX || !reha_bytes_take(in, length, &text)) {
        return reha_fail(err, REHA_E_FORMAT, "the .npy header is cut off or too long");
    }
    if (length >= sizeof header->text || memchr(text.data, '\0', length) != NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "the .npy header of %u bytes describes no plain array",
                         length);
    }
    memcpy(header->text, text.data, length);
    header->text[length] = '\0';
    return REHA_OK;
}

static const char *after_key(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(key);
    while (*at == ' ' || *at == ':') {
        at++;
    }
    return at;
}

static reha_status parse_shape(const char *at, reha_shape *shape, reha_error *err)
{
    shape->rank = 0;
    if (*at != '(') {
        return reha_fail(err, REHA_E_FORMAT, "the .npy shape is no tuple");
    }
    at++;
    int64_t total = 1;
    for (;;) {
        while (*at == ' ' || *at == ',') {
            at++;
        }
        if (*at == ')') {
            return REHA_OK;
        }
        int64_t dim = 0;
        int digits = 0;
        for (; *at >= '0' && *at <= '9' && digits < 12; at++, digits++) {
            dim = dim * 10 + (*at - '0');
        }
        if (digits == 0 || dim < 1) {
            return reha_fail(err, REHA_E_FORMAT, "the .npy shape holds something else than positive numbers");
        }
        if (shape->rank == REHA_NN_DIMS_MAX) {
            return reha_fail(err, REHA_E_UNSUPPORTED, "an .npy array of more than %d dimensions",
                             REHA_NN_DIMS_MAX);
        }
        if (dim > ((int64_t)1 << 30) / total) {
            return reha_fail(err, REHA_E_LIMIT, "the .npy array is too large");
        }
        total *= dim;
        shape->dims[shape->rank++] = dim;
    }
}

typedef struct npy_type {
    const char *code; /* with its quotes: the whole type */
    char letter;
    size_t bytes;
} npy_type;

static const npy_type *find_type(const char *text)
{
    static const npy_type types[] = {
        {"'<f4'", 'f', 4}, {"'<f2'", 'f', 2}, {"'|u1'", 'u', 1}, {"'<i2'", 'i', 2}, {"'<u2'", 'u', 2}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strncmp(text, types[i].code, strlen(types[i].code)) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

static float value_of(const npy_type *type, const uint8_t *p)
{
    float value;
    if (type->bytes == 4) {
        memcpy(&value, p, sizeof value);
        return value;
    }
    if (type->bytes == 1) {
        return (float)p[0];
    }
    const uint16_t word = (uint16_t)(p[0] | p[1] << 8);
    return type->letter == 'f'   ? reha_half_to_float(word)
           : type->letter == 'i' ? (float)(int16_t)word
                                 : (float)word;
}

reha_status reha_npy_parse(const void *bytes, size_t count, reha_npy *out, reha_error *err)
{
    memset(out, 0, sizeof *out);
    npy_header header;
    reha_bytes in = {bytes, count};
    REHA_TRY(read_header(&in, &header, err));
    const char *type = after_key(header.text, "'descr'");
    const char *order = after_key(header.text, "'fortran_order'");
    const char *shape = after_key(header.text, "'shape'");
    if (type == NULL || order == NULL || shape == NULL) {
        return reha_fail(err, REHA_E_FORMAT, "the .npy header lacks descr, fortran_order or shape");
    }
    const npy_type *kind = find_type(type);
    if (kind == NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "the .npy type %.8s is none of float32, float16, uint8, int16 and uint16", type);
    }
    if (strncmp(order, "False", 5) != 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "an .npy array in Fortran order");
    }
    reha_npy array = {0};
    REHA_TRY(parse_shape(shape, &array.shape, err));
    const size_t values = reha_shape_count(array.shape);
    if (in.left != values * kind->bytes) {
        return reha_fail(err, REHA_E_FORMAT, "%zu bytes follow the .npy header, its shape asks for %zu",
                         in.left, values * kind->bytes);
    }
    array.values = reha_alloc(values * sizeof(float));
    if (array.values == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "no memory for %zu values", values);
    }
    for (size_t i = 0; i < values; i++) {
        array.values[i] = value_of(kind, in.data + i * kind->bytes);
    }
    *out = array;
    return REHA_OK;
}

reha_status reha_npy_load(const char *path, reha_npy *out, reha_error *err)
{
    memset(out, 0, sizeof *out);
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_file_load(path, npy_file_bytes_max, &bytes, &count, err));
    const reha_status status = reha_npy_parse(bytes, count, out, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    reha_free(bytes);
    return status;
}

void reha_npy_clear(reha_npy *array)
{
    reha_free(array->values);
    memset(array, 0, sizeof *array);
}

static const char *file_suffix(const char *param_name)
{
    static const char *const pairs[][2] = {{".weight", "_weight"},     {".bias", "_bias"},
                                           {".scale", "_gamma"},       {".shift", "_beta"},
                                           {".mean", "_running_mean"}, {".variance", "_running_var"}};
    const char *dot = strrchr(param_name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(dot, pairs[i][0]) == 0) {
            return pairs[i][1];
        }
    }
    return "";
}

static reha_status param_path(const char *folder, const char *prefix, const reha_node *node,
                              const reha_param *param, char **out, reha_error *err)
{
    reha_text text = {0};
    reha_text_addf(&text, "%s/%s%s%s.npy", folder, prefix, node->name, file_suffix(param->name));
    return reha_text_take(&text, out, err);
}

static reha_status load_param(const char *path, reha_param *param, reha_error *err)
{
    reha_npy array;
    REHA_TRY(reha_npy_load(path, &array, err));
    bool fits = array.shape.rank == param->shape.rank;
    for (int i = 0; fits && i < array.shape.rank; i++) {
        fits = array.shape.dims[i] == param->shape.dims[i];
    }
    reha_status status = REHA_OK;
    if (fits) {
        memcpy(param->values, array.values, reha_shape_count(array.shape) * sizeof(float));
    } else {
        status =
            reha_fail(err, REHA_E_FORMAT, "%s: the shape is not that of parameter %s", path, param->name);
    }
    reha_npy_clear(&array);
    return status;
}

static reha_status load_node(reha_graph *graph, const reha_node *node, const char *folder, const char *prefix,
                             int *loaded, reha_error *err)
{
    int present = 0;
    for (int pass = 0; pass < 2; pass++) { /* count first: a node is loaded whole or not at all */
        for (int i = 0; i < node->param_count; i++) {
            reha_param *param = reha_graph_param_mutable(graph, node->params[i]);
            char *path = NULL;
            reha_status status = param_path(folder, prefix, node, param, &path, err);
            if (status == REHA_OK && pass == 0) {
                present += reha_path_is_file(path) ? 1 : 0;
            } else if (status == REHA_OK) {
                status = load_param(path, param, err);
                *loaded += 1;
            }
            reha_free(path);
            REHA_TRY(status);
        }
        if (present == 0) {
            return REHA_OK;
        }
        if (present < node->param_count) {
            return reha_fail(err, REHA_E_FORMAT, "%s: only %d of the %d files of node %s are there", folder,
                             present, node->param_count, node->name);
        }
    }
    return REHA_OK;
}

reha_status reha_backbone_load(reha_graph *graph, const char *folder, const char *file_prefix, int *loaded,
                               reha_error *err)
{
    *loaded = 0;
    for (int i = 0; i < reha_graph_node_count(graph); i++) {
        REHA_TRY(load_node(graph, reha_graph_node(graph, i), folder, file_prefix, loaded, err));
    }
    if (*loaded == 0) {
        return reha_fail(err, REHA_E_NOT_FOUND, "%s holds no weights \"%s*.npy\" of this graph", folder,
                         file_prefix);
    }
    return REHA_OK;
}
