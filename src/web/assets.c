#include "web/assets.h"

#include <string.h>

const reha_asset *reha_asset_find(const char *path)
{
    const char *name = strcmp(path, "/") == 0 ? "/index.html" : path;
    for (size_t i = 0; i < reha_asset_count; i++) {
        if (strcmp(reha_assets[i].path, name) == 0) {
            return &reha_assets[i];
        }
    }
    return NULL;
}

bool reha_assets_complete(void)
{
    return reha_assets_built;
}
