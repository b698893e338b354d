/* Constants of ONNX files. */
#include "nn/half_priv.h"
#include "nn/onnx_priv.h"

#include <math.h>
#include <string.h>

enum { TYPE_FLOAT = 1, TYPE_INT32 = 6, TYPE_INT64 = 7, TYPE_FLOAT16 = 10, TYPE_DOUBLE = 11 };

static const char *tensor_name(const Onnx__TensorProto *tensor)
{
    return tensor->name != NULL && tensor->name[0] != '\0' ? tensor->name : "without name";
}

/* Elements that the message really holds, in whichever field. */
static size_t held_count(const Onnx__TensorProto *tensor)
{
    size_t bytes = 0;
    size_t typed = 0;
    switch (tensor->data_type) {
    case TYPE_FLOAT:
        bytes = 4;
        typed = tensor->n_float_data;
        break;
    case TYPE_INT32:
        bytes = 4;
        typed = tensor->n_int32_data;
        break;
    case TYPE_INT64:
        bytes = 8;
        typed = tensor->n_int64_data;
        break;
    case TYPE_FLOAT16:
        bytes = 2;
        typed = tensor->n_int32_data;
        break;
    default:
        bytes = 8;
        typed = tensor->n_double_data;
        break;
    }
    if (!tensor->has_raw_data) {
        return typed;
    }
    return tensor->raw_data.len % bytes == 0 ? tensor->raw_data.len / bytes : SIZE_MAX;
}

reha_status reha_onnx_tensor_count(const Onnx__TensorProto *tensor, size_t limit, size_t *out,
                                   reha_error *err)
{
    size_t count = 1;
    *out = 0;
    if (tensor->has_data_location && tensor->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "tensor %.80s: its values lie in another file",
                         tensor_name(tensor));
    }
    const int type = tensor->has_data_type ? tensor->data_type : 0;
    if ((type != TYPE_FLOAT && type != TYPE_INT32 && type != TYPE_INT64 && type != TYPE_FLOAT16 &&
         type != TYPE_DOUBLE) ||
        tensor->segment != NULL) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "tensor %.80s: data type %d", tensor_name(tensor), type);
    }
    if (tensor->n_dims > REHA_ONNX_DIMS_MAX) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "tensor %.80s: %zu dimensions", tensor_name(tensor),
                         tensor->n_dims);
    }
    for (size_t i = 0; i < tensor->n_dims; i++) {
        const int64_t dim = tensor->dims[i];
        if (dim < 0) {
            return reha_fail(err, REHA_E_FORMAT, "tensor %.80s: dimension %zu is %lld", tensor_name(tensor),
                             i, (long long)dim);
        }
        if (dim > 0 && count > limit / (size_t)dim) {
            return reha_fail(err, REHA_E_LIMIT, "tensor %.80s: more than %zu values", tensor_name(tensor),
                             limit);
        }
        count *= (size_t)dim;
    }
    if (held_count(tensor) != count) {
        return reha_fail(err, REHA_E_FORMAT, "tensor %.80s: its shape asks for %zu values, it holds %s",
                         tensor_name(tensor), count, held_count(tensor) < count ? "fewer" : "more");
    }
    *out = count;
    return REHA_OK;
}

static double element(const Onnx__TensorProto *tensor, size_t i)
{
    const uint8_t *raw = tensor->has_raw_data ? tensor->raw_data.data : NULL;
    float single;
    double twofold;
    int32_t word;
    int64_t longer;
    uint16_t half;
    switch (tensor->data_type) {
    case TYPE_FLOAT:
        if (raw == NULL) {
            return (double)tensor->float_data[i];
        }
        memcpy(&single, raw + 4 * i, sizeof single);
        return (double)single;
    case TYPE_FLOAT16:
        if (raw == NULL) {
            return (double)reha_half_to_float((uint16_t)tensor->int32_data[i]);
        }
        memcpy(&half, raw + 2 * i, sizeof half);
        return (double)reha_half_to_float(half);
    case TYPE_INT32:
        if (raw == NULL) {
            return (double)tensor->int32_data[i];
        }
        memcpy(&word, raw + 4 * i, sizeof word);
        return (double)word;
    case TYPE_INT64:
        if (raw == NULL) {
            return (double)tensor->int64_data[i];
        }
        memcpy(&longer, raw + 8 * i, sizeof longer);
        return (double)longer;
    default:
        if (raw == NULL) {
            return tensor->double_data[i];
        }
        memcpy(&twofold, raw + 8 * i, sizeof twofold);
        return twofold;
    }
}

reha_status reha_onnx_tensor_floats(const Onnx__TensorProto *tensor, size_t count, float *out,
                                    reha_error *err)
{
    if (tensor->data_type != TYPE_FLOAT && tensor->data_type != TYPE_FLOAT16 &&
        tensor->data_type != TYPE_DOUBLE) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "tensor %.80s: data type %d where floats are expected",
                         tensor_name(tensor), tensor->data_type);
    }
    if (tensor->data_type == TYPE_FLOAT) {
        memcpy(out, tensor->has_raw_data ? (const void *)tensor->raw_data.data : tensor->float_data,
               count * sizeof(float));
        return REHA_OK;
    }
    if (tensor->data_type == TYPE_FLOAT16 && tensor->has_raw_data) { /* how the shipped weights are stored */
        for (size_t i = 0; i < count; i++) {
            uint16_t half;
            memcpy(&half, tensor->raw_data.data + 2 * i, sizeof half);
            out[i] = reha_half_to_float(half);
        }
        return REHA_OK;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)element(tensor, i);
    }
    return REHA_OK;
}

reha_status reha_onnx_tensor_ints(const Onnx__TensorProto *tensor, int64_t *out, int *out_count,
                                  reha_error *err)
{
    size_t count = 0;
    *out_count = 0;
    REHA_TRY(reha_onnx_tensor_count(tensor, REHA_ONNX_INTS_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        double value = element(tensor, i);
        if (tensor->data_type == TYPE_INT64 && (value > 4e15 || value < -4e15)) {
            value = value > 0 ? 4e15 : -4e15; /* "to the end" of Slice */
        }
        if (!(fabs(value) <= 4e15) || value != floor(value)) {
            return reha_fail(err, REHA_E_UNSUPPORTED, "tensor %.80s: %g is no whole number",
                             tensor_name(tensor), value);
        }
        out[i] = (int64_t)value;
    }
    *out_count = (int)count;
    return REHA_OK;
}
