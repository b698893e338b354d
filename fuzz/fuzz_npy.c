/* NumPy arrays from outside (volumes to train on, weights). Beyond "no crash": a success has exactly the
 * values that its shape tells, none of them from behind the file; a failure has none and says why. */
#include "base/memory.h"
#include "nn/npy.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reha_npy array;
    reha_error err = REHA_ERROR_INIT;
    const size_t blocks = reha_mem_live_blocks();
    const reha_status status = reha_npy_parse(data, size, &array, &err);
    if (status == REHA_OK) {
        volatile float sum = 0.0F; /* reads every value */
        demand(array.values != NULL && array.shape.rank <= REHA_NN_DIMS_MAX);
        const size_t count = reha_shape_count(array.shape);
        demand(count >= 1 && count <= size);
        for (size_t i = 0; i < count; i++) {
            sum += array.values[i];
        }
    } else {
        demand(array.values == NULL && err.text[0] != '\0' && err.status == status);
        demand(reha_status_is_input_fault(status));
    }
    reha_npy_clear(&array);
    demand(reha_mem_live_blocks() == blocks);
    return 0;
}
