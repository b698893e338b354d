#include "service/sandbox_unpack_priv.h"

#include "base/file.h"
#include "base/memory.h"
#include "dicom/dicom.h"
#include "image/load.h"

#include <string.h>
#include <zip.h>

enum { RATIO_FREE_BYTES = 132 * 1024 }; /* smaller entries may be packed as tightly as they like */

static bool may_be_image(const uint8_t *bytes, size_t count)
{
    return reha_dicom_detect(bytes, count) || reha_image_detect(bytes, count) != NULL;
}

/* What an archive says about itself decides whether it is opened at all; libzip then never writes beyond it.
 */
static reha_status check_entry(const zip_stat_t *entry, const unpack_limits *limits, double *total_bytes,
                               reha_error *err)
{
    *total_bytes += (double)entry->size;
    if (*total_bytes > limits->bytes_max) {
        return reha_fail(err, REHA_E_LIMIT, "the archive unpacks to more than %.0f MiB; send it in parts",
                         limits->bytes_max / 1048576.0);
    }
    if (entry->size > RATIO_FREE_BYTES &&
        (double)entry->size > limits->ratio_max * (double)(entry->comp_size + 1)) {
        return reha_fail(err, REHA_E_LIMIT,
                         "entry %llu of the archive unpacks to more than %.0f times its size",
                         (unsigned long long)entry->index + 1, limits->ratio_max);
    }
    if (entry->encryption_method != ZIP_EM_NONE) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "the archive is encrypted; unpack it first");
    }
    return REHA_OK;
}

static reha_status unpack_entry(zip_t *archive, const zip_stat_t *entry, unpack_take take, void *context,
                                int *skipped, reha_error *err)
{
    reha_status status = REHA_OK;
    uint8_t *bytes = reha_alloc((size_t)entry->size + 1);
    zip_file_t *file = zip_fopen_index(archive, entry->index, 0);
    if (bytes == NULL || file == NULL) {
        status =
            reha_fail(err, bytes == NULL ? REHA_E_NOMEM : REHA_E_FORMAT,
                      "entry %llu of the archive cannot be opened", (unsigned long long)entry->index + 1);
        goto done;
    }
    const zip_int64_t got = zip_fread(file, bytes, entry->size);
    /* The checksum is compared when the end is met: one byte more is asked for. */
    uint8_t beyond = 0;
    if (got < 0 || (zip_uint64_t)got != entry->size || zip_fread(file, &beyond, 1) != 0) {
        status = reha_fail(err, REHA_E_FORMAT, "entry %llu of the archive is damaged",
                           (unsigned long long)entry->index + 1);
        goto done;
    }
    if (may_be_image(bytes, (size_t)got)) {
        status = take(context, entry->name, bytes, (size_t)got, err);
    } else {
        (*skipped)++; /* viewers, index files, notes: archives of hospitals are full of them */
    }
done:
    if (file != NULL) {
        (void)zip_fclose(file);
    }
    reha_free(bytes);
    return status;
}

static reha_status unpack_all(zip_t *archive, const unpack_limits *limits, unpack_take take, void *context,
                              int *skipped, reha_error *err)
{
    double total_bytes = 0.0;
    const zip_int64_t entries = zip_get_num_entries(archive, 0);
    if ((double)entries > limits->entries_max) {
        return reha_fail(err, REHA_E_LIMIT, "the archive has %lld entries, more than %.0f; send it in parts",
                         (long long)entries, limits->entries_max);
    }
    for (int pass = 0; pass < 2; pass++) { /* all is checked before anything is unpacked */
        for (zip_int64_t i = 0; i < entries; i++) {
            zip_stat_t entry;
            zip_stat_init(&entry);
            if (zip_stat_index(archive, (zip_uint64_t)i, 0, &entry) != 0 ||
                (entry.valid & ZIP_STAT_SIZE) == 0 || (entry.valid & ZIP_STAT_COMP_SIZE) == 0 ||
                entry.name == NULL) {
                return reha_fail(err, REHA_E_FORMAT, "entry %lld of the archive is damaged",
                                 (long long)i + 1);
            }
            const bool is_file = entry.size > 0 && reha_path_name(entry.name)[0] != '\0';
            if (is_file) {
                REHA_TRY(pass == 0 ? check_entry(&entry, limits, &total_bytes, err)
                                   : unpack_entry(archive, &entry, take, context, skipped, err));
            }
        }
    }
    return REHA_OK;
}

reha_status unpack_archive(const void *bytes, size_t count, const unpack_limits *limits, unpack_take take,
                           void *context, int *skipped, reha_error *err)
{
    zip_error_t fault;
    *skipped = 0;
    zip_error_init(&fault);
    zip_source_t *source = zip_source_buffer_create(bytes, count, 0, &fault);
    zip_t *archive = source != NULL ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &fault) : NULL;
    if (archive == NULL) {
        zip_source_free(source);
        (void)reha_fail(err, REHA_E_FORMAT, "the zip archive is damaged: %s", zip_error_strerror(&fault));
        zip_error_fini(&fault);
        return REHA_E_FORMAT;
    }
    zip_error_fini(&fault);
    const reha_status status = unpack_all(archive, limits, take, context, skipped, err);
    zip_discard(archive);
    return status;
}

static reha_status reply_with(void *context, const char *name, const void *bytes, size_t count,
                              reha_error *err)
{
    return sandbox_part(context, name, bytes, count, err);
}

reha_status sandbox_unpack(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    const unpack_limits limits = {.entries_max = reha_json_number(request->json, "entries_max", 1.0),
                                  .bytes_max = reha_json_number(request->json, "bytes_max", 1.0),
                                  .ratio_max = reha_json_number(request->json, "ratio_max", 1.0)};
    int skipped = 0;
    REHA_TRY(unpack_archive(request->bytes, request->count, &limits, reply_with, reply, &skipped, err));
    reply->done = json_pack("{s:i}", "skipped", skipped);
    return REHA_OK;
}
