#include "base/file.h"

#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_DEPTH_MAX = 32, COPY_BYTES = 1 << 20 };

static reha_status read_all(int fd, uint8_t *data, size_t size_bytes, const char *path, reha_error *err)
{
    size_t done = 0;
    while (done < size_bytes) {
        const ssize_t got = read(fd, data + done, size_bytes - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return reha_fail(err, REHA_E_IO, "%s: cannot be read: %s", path, strerror(errno));
        }
        if (got == 0) {
            return reha_fail(err, REHA_E_IO, "%s: became shorter while it was read", path);
        }
        done += (size_t)got;
    }
    return REHA_OK;
}

static reha_status open_regular(const char *path, size_t limit_bytes, int *out, size_t *out_bytes,
                                reha_error *err)
{
    reha_status status = REHA_OK;
    struct stat info;
    *out = -1;
    *out_bytes = 0;
    /* Non-blocking: opening a pipe or device by mistake must not hang. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return reha_fail(err, errno == ENOENT || errno == ENOTDIR ? REHA_E_NOT_FOUND : REHA_E_IO,
                         "%s: cannot be opened: %s", path, strerror(errno));
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: is not a regular file", path);
    } else if ((uint64_t)info.st_size > limit_bytes) {
        status = reha_fail(err, REHA_E_LIMIT, "%s: %lld bytes, more than the limit of %zu", path,
                           (long long)info.st_size, limit_bytes);
    }
    if (status != REHA_OK) {
        (void)close(fd);
        return status;
    }
    *out = fd;
    *out_bytes = (size_t)info.st_size;
    return REHA_OK;
}

reha_status reha_file_load(const char *path, size_t limit_bytes, uint8_t **out, size_t *out_bytes,
                           reha_error *err)
{
    reha_status status = REHA_OK;
    uint8_t *data = NULL;
    size_t size_bytes = 0;
    int fd = -1;
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(open_regular(path, limit_bytes, &fd, &size_bytes, err));
    data = reha_alloc(size_bytes + 1);
    if (data == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "%s: out of memory for %zu bytes", path, size_bytes);
        goto done;
    }
    REHA_CHECK(read_all(fd, data, size_bytes, path, err));
    data[size_bytes] = 0;
    *out = data;
    *out_bytes = size_bytes;
    data = NULL;
done:
    reha_free(data);
    (void)close(fd);
    return status;
}

reha_status reha_file_pieces(const char *path, size_t limit_bytes, reha_take_bytes take, void *context,
                             reha_error *err)
{
    reha_status status = REHA_OK;
    size_t left_bytes = 0;
    int fd = -1;
    REHA_TRY(open_regular(path, limit_bytes, &fd, &left_bytes, err));
    uint8_t *piece = reha_alloc(COPY_BYTES);
    if (piece == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "%s: out of memory for %d bytes", path, COPY_BYTES);
    }
    while (status == REHA_OK && left_bytes > 0) {
        const size_t count = left_bytes < COPY_BYTES ? left_bytes : COPY_BYTES;
        status = read_all(fd, piece, count, path, err);
        if (status == REHA_OK) {
            take(context, piece, count);
        }
        left_bytes -= count;
    }
    reha_free(piece);
    (void)close(fd);
    return status;
}

static reha_status write_all(int fd, const uint8_t *data, size_t size_bytes, const char *path,
                             reha_error *err)
{
    while (size_bytes > 0) {
        const ssize_t put = write(fd, data, size_bytes);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return reha_fail(err, REHA_E_IO, "%s: cannot be written: %s", path, strerror(errno));
        }
        data += put;
        size_bytes -= (size_t)put;
    }
    return REHA_OK;
}

/* A rename is on disk only once its folder is. */
static void sync_folder_of(const char *path)
{
    char *copy = reha_strdup(path);
    if (copy == NULL) {
        return;
    }
    const int fd = open(dirname(copy), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    reha_free(copy);
}

reha_status reha_file_save(const char *path, const void *data, size_t size_bytes, reha_error *err)
{
    reha_status status = REHA_OK;
    char *temporary = NULL;
    int fd = -1;
    reha_text name = {0};
    reha_text_addf(&name, "%s.XXXXXX", path);
    REHA_TRY(reha_text_take(&name, &temporary, err));
    fd = mkstemp(temporary);
    if (fd < 0) {
        const bool has_no_folder = errno == ENOENT || errno == ENOTDIR;
        status = reha_fail(err, has_no_folder ? REHA_E_NOT_FOUND : REHA_E_IO, "%s: cannot be created: %s",
                           path, has_no_folder ? "its folder does not exist" : strerror(errno));
        reha_free(temporary);
        return status;
    }
    REHA_CHECK(write_all(fd, data, size_bytes, path, err));
    if (fchmod(fd, 0644) != 0 || fsync(fd) != 0) {
        status = reha_fail(err, REHA_E_IO, "%s: cannot be flushed: %s", path, strerror(errno));
        goto done;
    }
    if (rename(temporary, path) != 0) {
        status = reha_fail(err, REHA_E_IO, "%s: cannot be replaced: %s", path, strerror(errno));
        goto done;
    }
    sync_folder_of(path);
done:
    (void)close(fd);
    if (status != REHA_OK) {
        (void)unlink(temporary);
    }
    reha_free(temporary);
    return status;
}

static reha_status copy_pieces(int in, int out, const char *from, const char *to, int64_t *bytes_done,
                               reha_error *err)
{
    reha_status status = REHA_OK;
    uint8_t *piece = reha_alloc(COPY_BYTES);
    if (piece == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "%s: out of memory for a copy", from);
    }
    for (;;) {
        const ssize_t got = read(in, piece, COPY_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = reha_fail(err, REHA_E_IO, "%s: cannot be read: %s", from, strerror(errno));
        }
        if (got <= 0) {
            break;
        }
        REHA_CHECK(write_all(out, piece, (size_t)got, to, err));
        *bytes_done += got;
    }
    if (status == REHA_OK && fsync(out) != 0) {
        status = reha_fail(err, REHA_E_IO, "%s: cannot be flushed to disk: %s", to, strerror(errno));
    }
done:
    reha_free(piece);
    return status;
}

reha_status reha_file_copy(const char *from, const char *to, int64_t *bytes_done, reha_error *err)
{
    int64_t count = 0;
    struct stat info;
    reha_status status = REHA_OK;
    const int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in < 0) {
        return reha_fail(err, errno == ENOENT || errno == ENOTDIR ? REHA_E_NOT_FOUND : REHA_E_IO,
                         "%s: cannot be opened: %s", from, strerror(errno));
    }
    if (fstat(in, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(in);
        return reha_fail(err, REHA_E_FORMAT, "%s: is not a regular file", from);
    }
    const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (out < 0) {
        status = reha_fail(err, errno == EEXIST ? REHA_E_CONFLICT : REHA_E_IO, "%s: cannot be made: %s", to,
                           strerror(errno));
        (void)close(in);
        return status;
    }
    status = copy_pieces(in, out, from, to, &count, err);
    (void)close(in);
    if (close(out) != 0 && status == REHA_OK) {
        status = reha_fail(err, REHA_E_IO, "%s: cannot be written: %s", to, strerror(errno));
    }
    if (status != REHA_OK) {
        (void)unlink(to);
        return status;
    }
    sync_folder_of(to);
    if (bytes_done != NULL) {
        *bytes_done += count;
    }
    return REHA_OK;
}

bool reha_path_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool reha_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

reha_status reha_folder_make(const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    char *partial = reha_strdup(path);
    if (partial == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    for (char *at = partial + 1;; at++) {
        const char kept = *at;
        if (kept != '/' && kept != '\0') {
            continue;
        }
        *at = '\0';
        if (mkdir(partial, 0777) != 0 && !reha_path_is_folder(partial)) {
            status = reha_fail(err, REHA_E_IO, "%s: cannot be made: %s", partial, strerror(errno));
            break;
        }
        *at = kept;
        if (kept == '\0' || at[1] == '\0') {
            break;
        }
    }
    reha_free(partial);
    return status;
}

reha_status reha_file_check_target(const char *path, reha_error *err)
{
    if (path == NULL) {
        return REHA_OK;
    }
    if (reha_path_is_folder(path)) {
        return reha_fail(err, REHA_E_ARG, "%s: is a folder: give the name of a file", path);
    }
    char *copy = reha_strdup(path);
    if (copy == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const bool has_folder = reha_path_is_folder(dirname(copy));
    reha_free(copy);
    return has_folder
               ? REHA_OK
               : reha_fail(err, REHA_E_NOT_FOUND, "%s: cannot be created: its folder does not exist", path);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static reha_status add_path(reha_paths *paths, char *take, size_t limit, reha_error *err)
{
    if (paths->count >= limit) {
        reha_free(take);
        return reha_fail(err, REHA_E_LIMIT, "more than %zu files in one folder", limit);
    }
    if ((paths->count & (paths->count - 1)) == 0) { /* 0 or a power of two: full */
        const size_t capacity = paths->count > 0 ? 2 * paths->count : 1;
        char **items = reha_realloc(paths->items, capacity * sizeof *items);
        if (items == NULL) {
            reha_free(take);
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu paths", capacity);
        }
        paths->items = items;
    }
    paths->items[paths->count++] = take;
    return REHA_OK;
}

static reha_status list_into(const char *folder, size_t limit, int depth, reha_paths *out, reha_error *err)
{
    reha_status status = REHA_OK;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return reha_fail(err, errno == ENOENT ? REHA_E_NOT_FOUND : REHA_E_IO, "%s: cannot be opened: %s",
                         folder, strerror(errno));
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct stat info;
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *path = reha_path_join(folder, entry->d_name);
        if (path == NULL) {
            status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
            break;
        }
        if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            status = depth < FOLDER_DEPTH_MAX ? list_into(path, limit, depth + 1, out, err) : REHA_OK;
            reha_free(path);
        } else if (reha_path_is_file(path)) {
            status = add_path(out, path, limit, err);
        } else {
            reha_free(path);
        }
        if (status != REHA_OK) {
            break;
        }
    }
    (void)closedir(dir);
    return status;
}

reha_status reha_folder_list(const char *path, size_t limit, reha_paths *out, reha_error *err)
{
    *out = (reha_paths){0};
    const reha_status status = list_into(path, limit, 0, out, err);
    if (status != REHA_OK) {
        reha_paths_clear(out);
        return status;
    }
    if (out->count > 1) {
        qsort(out->items, out->count, sizeof *out->items, compare_paths);
    }
    return REHA_OK;
}

void reha_paths_clear(reha_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        reha_free(paths->items[i]);
    }
    reha_free(paths->items);
    *paths = (reha_paths){0};
}

bool reha_path_stays_inside(const char *path)
{
    if (path[0] == '/') {
        return false;
    }
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/' ? 1 : 0;
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
            return false;
        }
    }
    return true;
}

char *reha_path_join(const char *folder, const char *name)
{
    reha_text joined = {0};
    char *out = NULL;
    const size_t length = strlen(folder);
    if (name[0] != '/') {
        reha_text_add(&joined, folder);
        if (length > 0 && folder[length - 1] != '/') {
            reha_text_add(&joined, "/");
        }
    }
    reha_text_add(&joined, name);
    return reha_text_take(&joined, &out, NULL) == REHA_OK ? out : NULL;
}

const char *reha_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

reha_status reha_program_path(char **out, reha_error *err)
{
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    *out = NULL;
    if (length <= 0) {
        return reha_fail(err, REHA_E_INTERNAL, "/proc/self/exe: the program's own path cannot be read");
    }
    path[length] = '\0';
    *out = reha_strdup(path);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
}

reha_status reha_folder_beside_program(const char *variable, const char *name, char **out, reha_error *err)
{
    static const char *const beside[] = {"/../", "/../share/rehascope/", "/"};
    const char *chosen = getenv(variable);
    char *program = NULL;
    *out = NULL;
    if (chosen != NULL && chosen[0] != '\0') {
        *out = reha_strdup(chosen);
        return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    REHA_TRY(reha_program_path(&program, err));
    *strrchr(program, '/') = '\0'; /* an absolute path */
    for (size_t i = 0; i < sizeof beside / sizeof beside[0] && *out == NULL; i++) {
        reha_text path = {0};
        reha_text_add(&path, program);
        reha_text_add(&path, beside[i]);
        reha_text_add(&path, name);
        if (!path.failed && reha_path_is_folder(path.data)) {
            *out = reha_strdup(path.data);
        }
        reha_text_clear(&path);
    }
    reha_free(program);
    return *out != NULL
               ? REHA_OK
               : reha_fail(err, REHA_E_NOT_FOUND, "no %s folder beside the program: set %s or give --%s DIR",
                           name, variable, name);
}
