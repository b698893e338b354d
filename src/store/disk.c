#include "store/disk_priv.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In parentheses: not the macro that the analyser sees. */
reha_status(reha_disk_fail)(reha_error *err, const char *path, const char *what)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG
               ? reha_fail(err, REHA_E_FULL, "the disk of the records is full: nothing was stored")
               : reha_fail(err, REHA_E_IO, "%s: %s: %s", path, what, strerror(errno));
}

reha_status reha_disk_write(int fd, const void *bytes, size_t count, const char *path, reha_error *err)
{
    const char *from = bytes;
    while (count > 0) {
        const ssize_t put = write(fd, from, count);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return reha_disk_fail(err, path, "cannot be written");
        }
        from += put;
        count -= (size_t)put;
    }
    return REHA_OK;
}

reha_status reha_disk_sync_folder(const char *folder, reha_error *err)
{
    const int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    const bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (!is_synced) {
        (void)reha_fail(err, REHA_E_IO, "%s: the folder cannot be flushed to disk: %s", folder,
                        strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced ? REHA_OK : REHA_E_IO;
}

static reha_status save(const char *path, const void *bytes, size_t count, bool flushed, reha_error *err)
{
    char temporary[PATH_MAX];
    reha_status status = REHA_OK;
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary) {
        return reha_fail(err, REHA_E_LIMIT, "%.60s...: the path is too long", path);
    }
    const int fd = mkstemp(temporary); /* made with mode 0600 */
    if (fd < 0) {
        return reha_disk_fail(err, path, "cannot be made");
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    REHA_CHECK(reha_disk_write(fd, bytes, count, path, err));
    if (flushed && fsync(fd) != 0) {
        status = reha_disk_fail(err, path, "cannot be flushed to disk");
        goto done;
    }
    if (rename(temporary, path) != 0) {
        status = reha_disk_fail(err, path, "cannot be replaced");
        goto done;
    }
    if (flushed) {
        char folder[PATH_MAX];
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(reha_path_name(path) - path), path);
        status = reha_disk_sync_folder(folder[0] != '\0' ? folder : ".", err);
    }
done:
    (void)close(fd);
    if (status != REHA_OK) {
        (void)unlink(temporary);
    }
    return status;
}

reha_status reha_disk_save(const char *path, const void *bytes, size_t count, reha_error *err)
{
    return save(path, bytes, count, true, err);
}

reha_status reha_disk_save_soon(const char *path, const void *bytes, size_t count, reha_error *err)
{
    return save(path, bytes, count, false, err);
}

reha_status reha_disk_make_folder(const char *folder, reha_error *err)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return reha_disk_fail(err, folder, "the folder cannot be made");
    }
    if (!reha_path_is_folder(folder)) {
        return reha_fail(err, REHA_E_IO, "%s: is no folder", folder);
    }
    return REHA_OK;
}
