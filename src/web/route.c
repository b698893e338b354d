#include "web/route.h"

#include <ctype.h>
#include <string.h>

static bool is_param_char(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

/* One segment of the path against {name}; copies it. Dots alone are no name: they would climb. */
static bool take_param(const char **path, char out[REHA_PARAM_BYTES])
{
    size_t length = 0;
    bool has_name = false;
    while (is_param_char((*path)[length])) {
        has_name = has_name || (*path)[length] != '.';
        length++;
    }
    if (!has_name || length >= REHA_PARAM_BYTES || ((*path)[length] != '/' && (*path)[length] != '\0')) {
        return false;
    }
    memcpy(out, *path, length);
    out[length] = '\0';
    *path += length;
    return true;
}

static bool fits(const char *pattern, const char *path, char params[REHA_PARAMS_MAX][REHA_PARAM_BYTES])
{
    int param = 0;
    while (*pattern != '\0') {
        if (*pattern == '{') {
            if (param == REHA_PARAMS_MAX || !take_param(&path, params[param++])) {
                return false;
            }
            pattern = strchr(pattern, '}') + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

reha_route_match reha_route_find(const reha_route *routes, size_t count, reha_http_method method,
                                 const char *path)
{
    reha_route_match match = {.route = NULL};
    for (size_t i = 0; i < count; i++) {
        char params[REHA_PARAMS_MAX][REHA_PARAM_BYTES] = {{0}};
        if (fits(routes[i].pattern, path, params)) {
            match.is_known_path = true;
            if (routes[i].method == method) {
                match.route = &routes[i];
                memcpy(match.params, params, sizeof params);
                return match; /* fixed names stand before {id} in the table */
            }
        }
    }
    return match;
}
