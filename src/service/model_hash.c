#include "service/model_hash.h"

#include "base/file.h"
#include "base/text.h"

#include <string.h>

enum { MODEL_FILES_MAX = 64 };

reha_status reha_model_hash(const char *folder, char out[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    const char *names[MODEL_FILES_MAX];
    size_t count = 0;
    reha_paths files = {0};
    REHA_TRY(reha_folder_list(folder, MODEL_FILES_MAX, &files, err));
    for (size_t i = 0; i < files.count; i++) {
        const char *name = files.items[i] + strlen(folder);
        name += *name == '/' ? 1 : 0;
        if (reha_str_ends_nocase(name, ".onnx") || reha_str_ends_nocase(name, ".json")) {
            names[count++] = name;
        }
    }
    const reha_status status = reha_digest_files(folder, names, count, out, err);
    reha_paths_clear(&files);
    return status;
}
