/* Zip archives, apart from the wire. */
#ifndef REHA_SERVICE_SANDBOX_UNPACK_PRIV_H
#define REHA_SERVICE_SANDBOX_UNPACK_PRIV_H

#include "service/sandbox_child_priv.h"

typedef struct unpack_limits {
    double entries_max; /* files and folders of the archive */
    double bytes_max;   /* of all files together, unpacked */
    double ratio_max;   /* a large file's size over what it takes in the archive */
} unpack_limits;

/* One file; `name` as the archive has it, with its folders: never a path to write to. All borrowed. */
typedef reha_status (*unpack_take)(void *context, const char *name, const void *bytes, size_t count,
                                   reha_error *err);

/* Gives each file that may be an image, in order; *skipped counts the others. What the archive says of its
 * sizes is checked before anything is unpacked, and nothing is unpacked beyond it. */
REHA_MUST_USE reha_status unpack_archive(const void *bytes, size_t count, const unpack_limits *limits,
                                         unpack_take take, void *context, int *skipped, reha_error *err);

#endif
