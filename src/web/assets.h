/* The pages, compiled into the program (ui/, built by cmake/generated.cmake). */
#ifndef REHA_WEB_ASSETS_H
#define REHA_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_asset {
    const char *path;  /* "/index.html" */
    const char *type;  /* "text/html; charset=utf-8" */
    const char *etag;  /* with its quotes: names the content */
    bool is_immutable; /* the name holds a digest of the content */
    size_t count;
    const uint8_t *bytes;
} reha_asset;

/* "/" is the first page. NULL if there is none of this path. */
const reha_asset *reha_asset_find(const char *path);
/* False: built without the pages (npm was absent); "/" then says so. */
bool reha_assets_complete(void);

/* Generated. */
extern const reha_asset reha_assets[];
extern const size_t reha_asset_count;
extern const bool reha_assets_built;

#endif
