#include "store/blob.h"

#include "base/file.h"
#include "base/memory.h"
#include "store/disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[] = "RHBLOB01";
enum {
    MAGIC_BYTES = 8,
    HEAD_BYTES = MAGIC_BYTES + crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    PIECE_BYTES = 1 << 16,
    TAG_BYTES = crypto_secretstream_xchacha20poly1305_ABYTES,
    SEALED_BYTES = PIECE_BYTES + TAG_BYTES,
    INCOMING_MAX = 100000,
    PART_MAX = 1000000
};

struct reha_blobs {
    char blobs[PATH_MAX - 128];
    char incoming[PATH_MAX - 128];
    uint8_t key[REHA_KEY_BYTES];
};

struct reha_blob_writer {
    const reha_blobs *blobs;
    char path[PATH_MAX];
    int fd;
    bool ended;
    crypto_secretstream_xchacha20poly1305_state seal;
    reha_digest hash;
    char digest[REHA_DIGEST_TEXT_BYTES];
    size_t total_bytes;
    size_t held_bytes;
    uint8_t held[PIECE_BYTES]; /* the last piece is known only at the end */
    uint8_t sealed[SEALED_BYTES];
};

/* The header's random bytes are half of what opens the pieces (libsodium derives their key from both halves).
 */
static reha_status spoil(const char *path, reha_error *err)
{
    static const uint8_t nothing[HEAD_BYTES];
    const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? REHA_OK : reha_disk_fail(err, path, "cannot be overwritten");
    }
    reha_status status = reha_disk_write(fd, nothing, sizeof nothing, path, err);
    if (status == REHA_OK && fsync(fd) != 0) {
        status = reha_disk_fail(err, path, "cannot be flushed to disk");
    }
    (void)close(fd);
    return status;
}

static reha_status remove_file(const char *path, reha_error *err)
{
    REHA_TRY(spoil(path, err));
    return unlink(path) == 0 || errno == ENOENT ? REHA_OK : reha_disk_fail(err, path, "cannot be removed");
}

/* First away from its place and then overwritten: a blob that lies in its place is whole, so who copies blobs
 * meanwhile sees afterwards, by the name, whether the copy is. */
static reha_status remove_blob(const reha_blobs *blobs, const char *path, reha_error *err)
{
    char away[PATH_MAX];
    (void)snprintf(away, sizeof away, "%s/%s", blobs->incoming, reha_path_name(path));
    if (rename(path, away) != 0) {
        return errno == ENOENT ? REHA_OK : reha_disk_fail(err, path, "cannot be moved away");
    }
    return remove_file(away, err);
}

/* A living writer holds a lock on its file; the lock of a dead one is gone. */
static void remove_leftovers(const reha_blobs *blobs)
{
    reha_paths files = {0};
    if (reha_folder_list(blobs->incoming, INCOMING_MAX, &files, NULL) != REHA_OK) {
        return;
    }
    for (size_t i = 0; i < files.count; i++) {
        const int fd = open(files.items[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
                if (remove_file(files.items[i], NULL) != REHA_OK) {
                    (void)unlink(files.items[i]);
                }
            }
            (void)close(fd);
        }
    }
    reha_paths_clear(&files);
}

reha_status reha_blobs_open(const char *home, const uint8_t key[REHA_KEY_BYTES], reha_blobs **out,
                            reha_error *err)
{
    reha_status status = REHA_OK;
    reha_blobs *blobs = reha_alloc_zero(1, sizeof *blobs);
    *out = NULL;
    if (blobs == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the blobs");
    }
    memcpy(blobs->key, key, sizeof blobs->key);
    if (snprintf(blobs->blobs, sizeof blobs->blobs, "%s/blobs", home) >= (int)sizeof blobs->blobs - 128) {
        status = reha_fail(err, REHA_E_LIMIT, "%.60s...: the path is too long", home);
        goto done;
    }
    (void)snprintf(blobs->incoming, sizeof blobs->incoming, "%s/incoming", home);
    REHA_CHECK(reha_disk_make_folder(blobs->incoming, err));
    if (!reha_path_is_folder(blobs->blobs)) {
        REHA_CHECK(reha_disk_make_folder(blobs->blobs, err));
        REHA_CHECK(reha_disk_sync_folder(home, err));
    }
    remove_leftovers(blobs);
    *out = blobs;
    blobs = NULL;
done:
    reha_blobs_close(blobs);
    return status;
}

void reha_blobs_close(reha_blobs *blobs)
{
    if (blobs != NULL) {
        sodium_memzero(blobs->key, sizeof blobs->key);
        reha_free(blobs);
    }
}

static bool is_digest(const char *digest)
{
    return strlen(digest) == REHA_DIGEST_TEXT_BYTES - 1 &&
           strspn(digest, "0123456789abcdef") == REHA_DIGEST_TEXT_BYTES - 1;
}

static reha_status blob_path(const reha_blobs *blobs, const char *digest, char out[PATH_MAX], reha_error *err)
{
    if (!is_digest(digest)) {
        return reha_fail(err, REHA_E_ARG, "'%.20s...' is no digest", digest);
    }
    (void)snprintf(out, PATH_MAX, "%s/%.2s/%s", blobs->blobs, digest, digest);
    return REHA_OK;
}

char *reha_blobs_path(const reha_blobs *blobs, const char *digest)
{
    char path[PATH_MAX];
    return blob_path(blobs, digest, path, NULL) == REHA_OK ? reha_strdup(path) : NULL;
}

bool reha_blobs_has(const reha_blobs *blobs, const char *digest)
{
    char path[PATH_MAX];
    return blob_path(blobs, digest, path, NULL) == REHA_OK && reha_path_is_file(path);
}

static reha_status sync_part(const reha_blobs *blobs, const char *part, reha_error *err)
{
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s/%.2s", blobs->blobs, part);
    return reha_path_is_folder(folder) ? reha_disk_sync_folder(folder, err) : REHA_OK;
}

reha_status reha_blobs_remove(const reha_blobs *blobs, const char *digest, reha_error *err)
{
    char path[PATH_MAX];
    REHA_TRY(blob_path(blobs, digest, path, err));
    REHA_TRY(remove_blob(blobs, path, err));
    return sync_part(blobs, digest, err);
}

static reha_status sweep_part(const reha_blobs *blobs, const char *part, reha_blob_is_named *is_named,
                              void *context, reha_error *err)
{
    char folder[PATH_MAX];
    reha_paths files = {0};
    reha_status status = REHA_OK;
    bool has_removed = false;
    (void)snprintf(folder, sizeof folder, "%s/%s", blobs->blobs, part);
    if (!reha_path_is_folder(folder)) {
        return REHA_OK;
    }
    REHA_TRY(reha_folder_list(folder, PART_MAX, &files, err));
    for (size_t i = 0; i < files.count; i++) {
        bool stays = true;
        const char *digest = reha_path_name(files.items[i]);
        if (is_digest(digest)) { /* what is none, somebody else put there */
            REHA_CHECK(is_named(context, digest, &stays, err));
        }
        if (!stays) {
            REHA_CHECK(remove_blob(blobs, files.items[i], err));
            has_removed = true;
        }
    }
    status = has_removed ? sync_part(blobs, part, err) : REHA_OK;
done:
    reha_paths_clear(&files);
    return status;
}

reha_status reha_blobs_sweep(const reha_blobs *blobs, reha_blob_is_named *is_named, void *context,
                             reha_error *err)
{
    remove_leftovers(blobs);
    for (unsigned i = 0; i < 256; i++) {
        char part[4];
        (void)snprintf(part, sizeof part, "%02x", i);
        REHA_TRY(sweep_part(blobs, part, is_named, context, err));
    }
    return REHA_OK;
}

reha_status reha_blob_writer_new(const reha_blobs *blobs, reha_blob_writer **out, reha_error *err)
{
    uint8_t head[HEAD_BYTES];
    reha_status status = REHA_OK;
    *out = NULL;
    reha_blob_writer *writer = reha_alloc_zero(1, sizeof *writer);
    if (writer == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a blob");
    }
    writer->blobs = blobs;
    (void)snprintf(writer->path, sizeof writer->path, "%s/XXXXXX", blobs->incoming);
    writer->fd = mkstemp(writer->path);
    if (writer->fd < 0) {
        writer->path[0] = '\0';
        status = reha_disk_fail(err, blobs->incoming, "no file can be made");
        goto done;
    }
    (void)fcntl(writer->fd, F_SETFD, FD_CLOEXEC);
    (void)flock(writer->fd, LOCK_EX | LOCK_NB);
    memcpy(head, MAGIC, MAGIC_BYTES);
    (void)crypto_secretstream_xchacha20poly1305_init_push(&writer->seal, head + MAGIC_BYTES, blobs->key);
    reha_digest_init(&writer->hash);
    REHA_CHECK(reha_disk_write(writer->fd, head, sizeof head, writer->path, err));
    *out = writer;
    writer = NULL;
done:
    reha_blob_writer_free(writer);
    return status;
}

static reha_status put_piece(reha_blob_writer *writer, bool last, reha_error *err)
{
    unsigned long long sealed_bytes = 0;
    (void)crypto_secretstream_xchacha20poly1305_push(
        &writer->seal, writer->sealed, &sealed_bytes, writer->held, writer->held_bytes, NULL, 0,
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
             : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
    writer->held_bytes = 0;
    return reha_disk_write(writer->fd, writer->sealed, (size_t)sealed_bytes, writer->path, err);
}

reha_status reha_blob_writer_add(reha_blob_writer *writer, const void *bytes, size_t count, reha_error *err)
{
    const uint8_t *from = bytes;
    reha_digest_add(&writer->hash, from, count);
    writer->total_bytes += count;
    while (count > 0) {
        if (writer->held_bytes == PIECE_BYTES) {
            REHA_TRY(put_piece(writer, false, err));
        }
        const size_t room = PIECE_BYTES - writer->held_bytes;
        const size_t part = count < room ? count : room;
        memcpy(writer->held + writer->held_bytes, from, part);
        writer->held_bytes += part;
        from += part;
        count -= part;
    }
    return REHA_OK;
}

size_t reha_blob_writer_bytes(const reha_blob_writer *writer)
{
    return writer->total_bytes;
}

static reha_status read_exactly(int fd, uint8_t *out, size_t count, const char *path, reha_error *err)
{
    while (count > 0) {
        const ssize_t got = read(fd, out, count);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return reha_fail(err, REHA_E_IO, "%s: cannot be read: %s", path,
                             got < 0 ? strerror(errno) : "it ends too early");
        }
        out += got;
        count -= (size_t)got;
    }
    return REHA_OK;
}

/* The pieces of a sealed file, one after the other. */
typedef struct pieces {
    int fd;
    size_t left; /* bytes of the file */
    unsigned char tag;
    crypto_secretstream_xchacha20poly1305_state state;
    uint8_t sealed[SEALED_BYTES];
} pieces;

static reha_status fail_seal(const char *path, reha_error *err)
{
    return reha_fail(err, REHA_E_TAMPERED, "%s: does not match its seal: altered, cut, or of another key",
                     path);
}

static reha_status begin_pieces(pieces *all, int fd, size_t file_bytes, const uint8_t *key, const char *path,
                                reha_error *err)
{
    uint8_t head[HEAD_BYTES];
    all->fd = fd;
    all->left = file_bytes - sizeof head;
    all->tag = 0;
    REHA_TRY(read_exactly(fd, head, sizeof head, path, err));
    return memcmp(head, MAGIC, MAGIC_BYTES) == 0 &&
                   crypto_secretstream_xchacha20poly1305_init_pull(&all->state, head + MAGIC_BYTES, key) == 0
               ? REHA_OK
               : fail_seal(path, err);
}

/* At most PIECE_BYTES into out; *count is 0 behind the last one. */
static reha_status next_piece(pieces *all, uint8_t *out, size_t *count, const char *path, reha_error *err)
{
    unsigned long long opened_bytes = 0;
    *count = 0;
    if (all->left > 0) {
        const size_t part = all->left < SEALED_BYTES ? all->left : SEALED_BYTES;
        REHA_TRY(read_exactly(all->fd, all->sealed, part, path, err));
        if (part < TAG_BYTES || all->tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL ||
            crypto_secretstream_xchacha20poly1305_pull(&all->state, out, &opened_bytes, &all->tag,
                                                       all->sealed, part, NULL, 0) != 0) {
            return fail_seal(path, err);
        }
        all->left -= part;
        *count = (size_t)opened_bytes;
    }
    return *count > 0 || (all->left == 0 && all->tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL)
               ? REHA_OK
               : fail_seal(path, err);
}

static reha_status open_pieces(int fd, size_t file_bytes, const uint8_t *key, uint8_t *out, const char *path,
                               reha_error *err)
{
    size_t count = 1;
    reha_status status = REHA_OK;
    pieces *all = reha_alloc(sizeof *all);
    if (all == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "%s: out of memory", path);
    }
    REHA_CHECK(begin_pieces(all, fd, file_bytes, key, path, err));
    while (count > 0) {
        REHA_CHECK(next_piece(all, out, &count, path, err));
        out += count;
    }
done:
    reha_free(all);
    return status;
}

/* How many bytes the pieces of a sealed file of this size hold; false: no such size exists. */
static bool opened_size(size_t file_bytes, size_t *out)
{
    *out = 0;
    if (file_bytes < HEAD_BYTES + TAG_BYTES) {
        return false;
    }
    const size_t body = file_bytes - HEAD_BYTES;
    const size_t piece_count = (body + SEALED_BYTES - 1) / SEALED_BYTES;
    if (body - (piece_count - 1) * SEALED_BYTES < TAG_BYTES) {
        return false; /* cut inside of a tag: the sum below would be too small for the pieces before */
    }
    *out = body - piece_count * TAG_BYTES;
    return true;
}

/* *fd is the caller's to close even after a fault; -1: none. */
static reha_status open_sealed(const char *path, int *fd, size_t *file_bytes, size_t *count, reha_error *err)
{
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &info) != 0) {
        return reha_fail(err, errno == ENOENT ? REHA_E_NOT_FOUND : REHA_E_IO, "%s: cannot be opened: %s",
                         path, strerror(errno));
    }
    *file_bytes = (size_t)info.st_size;
    return opened_size(*file_bytes, count) ? REHA_OK
                                           : reha_fail(err, REHA_E_TAMPERED, "%s: is cut off", path);
}

static reha_status load(const reha_blobs *blobs, const char *path, size_t limit_bytes, uint8_t **out,
                        size_t *out_bytes, reha_error *err)
{
    size_t file_bytes = 0;
    size_t count = 0;
    reha_status status = REHA_OK;
    uint8_t *bytes = NULL;
    int fd = -1;
    REHA_CHECK(open_sealed(path, &fd, &file_bytes, &count, err));
    if (count > limit_bytes) {
        status = reha_fail(err, REHA_E_LIMIT, "%s: %zu bytes, more than %zu", path, count, limit_bytes);
        goto done;
    }
    bytes = reha_alloc(count + 1);
    if (bytes == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "%s: out of memory for %zu bytes", path, count);
        goto done;
    }
    REHA_CHECK(open_pieces(fd, file_bytes, blobs->key, bytes, path, err));
    bytes[count] = 0;
    *out = bytes;
    *out_bytes = count;
    bytes = NULL;
done:
    if (fd >= 0) {
        (void)close(fd);
    }
    reha_free(bytes);
    return status;
}

reha_status reha_blob_writer_end(reha_blob_writer *writer, char digest[REHA_DIGEST_TEXT_BYTES], uint8_t **out,
                                 size_t *out_bytes, reha_error *err)
{
    if (out != NULL) {
        *out = NULL;
        *out_bytes = 0;
    }
    if (!writer->ended) {
        REHA_TRY(put_piece(writer, true, err));
        reha_digest_end(&writer->hash, writer->digest);
        writer->ended = true;
    }
    if (digest != NULL) {
        memcpy(digest, writer->digest, sizeof writer->digest);
    }
    return out != NULL ? load(writer->blobs, writer->path, writer->total_bytes, out, out_bytes, err)
                       : REHA_OK;
}

reha_status reha_blob_writer_keep(reha_blob_writer *writer, reha_error *err)
{
    char path[PATH_MAX];
    char folder[PATH_MAX];
    REHA_TRY(blob_path(writer->blobs, writer->digest, path, err));
    (void)snprintf(folder, sizeof folder, "%s/%.2s", writer->blobs->blobs, writer->digest);
    if (!reha_path_is_folder(folder)) {
        REHA_TRY(reha_disk_make_folder(folder, err));
        REHA_TRY(reha_disk_sync_folder(writer->blobs->blobs, err));
    }
    if (fsync(writer->fd) != 0) {
        return reha_disk_fail(err, path, "cannot be flushed to disk");
    }
    if (rename(writer->path, path) != 0) {
        return reha_disk_fail(err, path, "cannot be made");
    }
    writer->path[0] = '\0';
    return reha_disk_sync_folder(folder, err);
}

void reha_blob_writer_free(reha_blob_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->path[0] != '\0') {
        (void)unlink(writer->path);
    }
    if (writer->fd >= 0) {
        (void)close(writer->fd);
    }
    sodium_memzero(writer->held, sizeof writer->held);
    reha_free(writer);
}

reha_status reha_blobs_put(const reha_blobs *blobs, const void *bytes, size_t count,
                           char digest[REHA_DIGEST_TEXT_BYTES], reha_error *err)
{
    reha_blob_writer *writer = NULL;
    reha_status status = REHA_OK;
    reha_digest_bytes(bytes, count, digest);
    if (reha_blobs_has(blobs, digest)) {
        /* Another thread may have renamed it a moment ago, and not flushed the folder yet. */
        char folder[PATH_MAX];
        (void)snprintf(folder, sizeof folder, "%s/%.2s", blobs->blobs, digest);
        return reha_disk_sync_folder(folder, err);
    }
    REHA_CHECK(reha_blob_writer_new(blobs, &writer, err));
    REHA_CHECK(reha_blob_writer_add(writer, bytes, count, err));
    REHA_CHECK(reha_blob_writer_end(writer, digest, NULL, NULL, err));
    REHA_CHECK(reha_blob_writer_keep(writer, err));
done:
    reha_blob_writer_free(writer);
    return status;
}

reha_status reha_blobs_get(const reha_blobs *blobs, const char *digest, size_t limit_bytes, uint8_t **out,
                           size_t *out_bytes, reha_error *err)
{
    char path[PATH_MAX];
    char found[REHA_DIGEST_TEXT_BYTES];
    *out = NULL;
    *out_bytes = 0;
    REHA_TRY(blob_path(blobs, digest, path, err));
    REHA_TRY(load(blobs, path, limit_bytes, out, out_bytes, err));
    reha_digest_bytes(*out, *out_bytes, found);
    if (strcmp(found, digest) != 0) {
        reha_free(*out);
        *out = NULL;
        *out_bytes = 0;
        return reha_fail(err, REHA_E_TAMPERED, "%s: holds other content than its name says", path);
    }
    return REHA_OK;
}

/* ---- piece by piece ---- */

struct reha_blob_reader {
    char path[PATH_MAX];
    char digest[REHA_DIGEST_TEXT_BYTES];
    size_t total_bytes;
    bool is_over;
    reha_digest hash;
    pieces pieces;
    uint8_t piece[PIECE_BYTES];
};

reha_status reha_blob_reader_new(const reha_blobs *blobs, const char *digest, reha_blob_reader **out,
                                 reha_error *err)
{
    size_t file_bytes = 0;
    int fd = -1;
    reha_status status = REHA_OK;
    *out = NULL;
    reha_blob_reader *reader = reha_alloc_zero(1, sizeof *reader);
    if (reader == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a blob");
    }
    reader->pieces.fd = -1;
    REHA_CHECK(blob_path(blobs, digest, reader->path, err));
    (void)snprintf(reader->digest, sizeof reader->digest, "%s", digest);
    reha_digest_init(&reader->hash);
    status = open_sealed(reader->path, &fd, &file_bytes, &reader->total_bytes, err);
    reader->pieces.fd = fd;
    REHA_CHECK(status);
    REHA_CHECK(begin_pieces(&reader->pieces, fd, file_bytes, blobs->key, reader->path, err));
    *out = reader;
    reader = NULL;
done:
    reha_blob_reader_free(reader);
    return status;
}

size_t reha_blob_reader_bytes(const reha_blob_reader *reader)
{
    return reader->total_bytes;
}

reha_status reha_blob_reader_next(reha_blob_reader *reader, const uint8_t **out, size_t *count,
                                  reha_error *err)
{
    char found[REHA_DIGEST_TEXT_BYTES];
    *out = reader->piece;
    *count = 0;
    if (reader->is_over) {
        return REHA_OK;
    }
    REHA_TRY(next_piece(&reader->pieces, reader->piece, count, reader->path, err));
    reha_digest_add(&reader->hash, reader->piece, *count);
    if (*count > 0) {
        return REHA_OK;
    }
    reader->is_over = true;
    reha_digest_end(&reader->hash, found);
    return strcmp(found, reader->digest) == 0
               ? REHA_OK
               : reha_fail(err, REHA_E_TAMPERED, "%s: holds other content than its name says", reader->path);
}

void reha_blob_reader_free(reha_blob_reader *reader)
{
    if (reader != NULL) {
        if (reader->pieces.fd >= 0) {
            (void)close(reader->pieces.fd);
        }
        sodium_memzero(reader->piece, sizeof reader->piece);
        reha_free(reader);
    }
}
