/* The hash that names a model exactly: SHA-256 over its .onnx and .json files in sorted order. */
#ifndef REHA_SERVICE_MODEL_HASH_H
#define REHA_SERVICE_MODEL_HASH_H

#include "store/digest.h"

REHA_MUST_USE reha_status reha_model_hash(const char *folder, char out[REHA_DIGEST_TEXT_BYTES],
                                          reha_error *err);

#endif
