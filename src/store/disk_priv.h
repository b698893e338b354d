/* Files of the home folder: readable by their owner only, and on disk before a function returns. */
#ifndef REHA_STORE_DISK_PRIV_H
#define REHA_STORE_DISK_PRIV_H

#include "base/status.h"

#include <stddef.h>

/* What errno says of a write: REHA_E_FULL (also beyond a quota), else REHA_E_IO with path and `what`. */
reha_status reha_disk_fail(reha_error *err, const char *path, const char *what);
/* Atomic, mode 0600, file and folder flushed. */
REHA_MUST_USE reha_status reha_disk_save(const char *path, const void *bytes, size_t count, reha_error *err);
/* As above but not flushed: for what may be older after a power cut. */
REHA_MUST_USE reha_status reha_disk_save_soon(const char *path, const void *bytes, size_t count,
                                              reha_error *err);
REHA_MUST_USE reha_status reha_disk_write(int fd, const void *bytes, size_t count, const char *path,
                                          reha_error *err);
REHA_MUST_USE reha_status reha_disk_sync_folder(const char *folder, reha_error *err);
/* Mode 0700; existing is fine. */
REHA_MUST_USE reha_status reha_disk_make_folder(const char *folder, reha_error *err);

#ifdef __clang_analyzer__ /* as reha_fail: never REHA_OK */
#define reha_disk_fail(err, path, what) ((void)reha_disk_fail((err), (path), (what)), REHA_E_IO)
#endif

#endif
