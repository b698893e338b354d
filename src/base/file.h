/* Files and folders. Paths are UTF-8 byte strings as the system knows them. */
#ifndef REHA_BASE_FILE_H
#define REHA_BASE_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a whole regular file of at most `limit_bytes` (REHA_E_LIMIT above, REHA_E_NOT_FOUND if
 * absent, REHA_E_FORMAT for a folder or device). *out ends with an extra NUL; free with reha_free. */
REHA_MUST_USE reha_status reha_file_load(const char *path, size_t limit_bytes, uint8_t **out,
                                         size_t *out_bytes, reha_error *err);

/* The same file and faults, a piece of at most 1 MiB after the other: what is only to be looked at once need
 * not lie in memory. After a fault `take` may have seen the beginning. */
typedef void (*reha_take_bytes)(void *context, const uint8_t *bytes, size_t count);
REHA_MUST_USE reha_status reha_file_pieces(const char *path, size_t limit_bytes, reha_take_bytes take,
                                           void *context, reha_error *err);

/* Writes atomically: a temporary file beside it, fsync, rename, fsync of the folder. REHA_E_NOT_FOUND if the
 * folder does not exist. */
REHA_MUST_USE reha_status reha_file_save(const char *path, const void *data, size_t size_bytes,
                                         reha_error *err);

/* A new file of mode 0600 with the same bytes, on disk when it returns; in pieces, so of any size.
 * REHA_E_CONFLICT if `to` is there; after a fault it is not. `bytes_done` (may be NULL) grows by its size. */
REHA_MUST_USE reha_status reha_file_copy(const char *from, const char *to, int64_t *bytes_done,
                                         reha_error *err);

bool reha_path_is_file(const char *path);
bool reha_path_is_folder(const char *path);
/* Creates the folder and its parents; existing is fine. */
REHA_MUST_USE reha_status reha_folder_make(const char *path, reha_error *err);

/* Can a file be written at `path` (NULL: none is asked for)? For commands that work long before they write:
 * REHA_E_NOT_FOUND where its folder does not exist, REHA_E_ARG where a folder has that name. */
REHA_MUST_USE reha_status reha_file_check_target(const char *path, reha_error *err);

/* Sorted paths of all regular files below `path` (recursive; hidden names and links to folders are
 * passed over). REHA_E_LIMIT beyond `limit` entries. */
typedef struct reha_paths {
    char **items; /* each owned */
    size_t count;
} reha_paths;
REHA_MUST_USE reha_status reha_folder_list(const char *path, size_t limit, reha_paths *out, reha_error *err);
void reha_paths_clear(reha_paths *paths);

/* "a" + "b" -> "a/b" (an absolute b gives b); free with reha_free, NULL if memory is out. */
char *reha_path_join(const char *folder, const char *name);
/* Whether `path`, taken from a folder, stays in it: it is relative and has no part "..". Links are not
 * followed: a folder's own links are its owner's choice. */
bool reha_path_stays_inside(const char *path);
/* Borrowed: the part after the last '/'. */
const char *reha_path_name(const char *path);

/* The file of the running program. *out: reha_free. */
REHA_MUST_USE reha_status reha_program_path(char **out, reha_error *err);
/* A folder of the installation: what the environment variable says (unchecked), else ../name,
 * ../share/rehascope/name or name beside the program. REHA_E_NOT_FOUND, whose text names variable and
 * option (--name): none. *out: reha_free. */
REHA_MUST_USE reha_status reha_folder_beside_program(const char *variable, const char *name, char **out,
                                                     reha_error *err);

#endif
