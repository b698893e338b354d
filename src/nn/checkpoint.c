/* Checkpoints. Layout, all little-endian (docs/formats/checkpoint.md):
 *   8  magic "RHCKPT\r\n"        4  version 1           4  reserved 0
 *   8  fingerprint of graph and optimiser               8  steps, 8 batches, 8 skipped
 *   8  weight count   8  gradient count   4  flags: 1 second moment, 2 average   4  reserved 0
 *   then f32: weights, first moments, [second moments], [average]
 *   8  checksum (FNV-1a, 64 bit) of everything before it */
#include "nn/trainer_priv.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

enum { HEADER_BYTES = 72, CHECKSUM_BYTES = 8, HAS_SECOND = 1, HAS_AVERAGE = 2 };
static const char magic[8] = {'R', 'H', 'C', 'K', 'P', 'T', '\r', '\n'};
static const uint32_t version = 1;

/* Names, sizes and which of them train; and the optimiser, whose moments mean different things. */
static uint64_t fingerprint(const reha_trainer *trainer)
{
    const reha_net *net = trainer->net;
    uint64_t hash = REHA_HASH64_START;
    for (int i = 0; i < net->param_count; i++) {
        const reha_net_param *param = &net->params[i];
        const uint64_t facts[2] = {param->count, param->train_offset};
        hash = reha_hash64(hash, param->name, strlen(param->name));
        hash = reha_hash64(hash, facts, sizeof facts);
    }
    const uint32_t optimizer = (uint32_t)trainer->options.optimizer;
    return reha_hash64(hash, &optimizer, sizeof optimizer);
}

static uint32_t flags_of(const reha_trainer *trainer)
{
    return (trainer->second != NULL ? HAS_SECOND : 0U) | (trainer->average != NULL ? HAS_AVERAGE : 0U);
}

typedef struct section {
    float *values;
    size_t count;
} section;

enum { SECTION_COUNT = 4 };

static void list_sections(const reha_trainer *trainer, section out[SECTION_COUNT])
{
    const reha_net *net = trainer->net;
    out[0] = (section){net->weights, net->weight_count};
    out[1] = (section){trainer->first, net->grad_count};
    out[2] = (section){trainer->second, trainer->second != NULL ? net->grad_count : 0};
    out[3] = (section){trainer->average, trainer->average != NULL ? net->weight_count : 0};
}

static size_t file_bytes(const section sections[SECTION_COUNT])
{
    size_t bytes = HEADER_BYTES + CHECKSUM_BYTES;
    for (int i = 0; i < SECTION_COUNT; i++) {
        bytes += sections[i].count * sizeof(float);
    }
    return bytes;
}

static void fill_header(const reha_trainer *trainer, uint8_t *out)
{
    const uint64_t numbers[6] = {fingerprint(trainer),       trainer->steps,
                                 trainer->batches,           trainer->skipped,
                                 trainer->net->weight_count, trainer->net->grad_count};
    const uint32_t flags = flags_of(trainer);
    memset(out, 0, HEADER_BYTES);
    memcpy(out, magic, sizeof magic);
    memcpy(out + 8, &version, sizeof version);
    memcpy(out + 16, numbers, sizeof numbers);
    memcpy(out + 64, &flags, sizeof flags);
}

reha_status reha_trainer_save(const reha_trainer *trainer, const char *path, reha_error *err)
{
    section sections[SECTION_COUNT];
    size_t at = HEADER_BYTES;

    list_sections(trainer, sections);
    const size_t bytes = file_bytes(sections);
    uint8_t *file = reha_alloc(bytes);
    if (file == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a checkpoint of %zu bytes", bytes);
    }
    fill_header(trainer, file);
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (sections[i].count > 0) {
            memcpy(file + at, sections[i].values, sections[i].count * sizeof(float));
            at += sections[i].count * sizeof(float);
        }
    }
    const uint64_t checksum = reha_hash64(REHA_HASH64_START, file, at);
    memcpy(file + at, &checksum, sizeof checksum);
    const reha_status status = reha_file_save(path, file, bytes, err);
    reha_free(file);
    return status;
}

static reha_status check_file(const reha_trainer *trainer, const uint8_t *file, size_t bytes, size_t expected,
                              reha_error *err)
{
    uint8_t wanted[HEADER_BYTES];
    uint32_t file_version;
    uint64_t checksum;

    if (bytes < HEADER_BYTES + CHECKSUM_BYTES || memcmp(file, magic, sizeof magic) != 0) {
        return reha_fail(err, REHA_E_FORMAT, "this is no checkpoint");
    }
    memcpy(&file_version, file + 8, sizeof file_version);
    if (file_version != version) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "checkpoint version %u, this program reads %u",
                         file_version, version);
    }
    memcpy(&checksum, file + bytes - CHECKSUM_BYTES, sizeof checksum);
    if (checksum != reha_hash64(REHA_HASH64_START, file, bytes - CHECKSUM_BYTES)) {
        return reha_fail(err, REHA_E_FORMAT, "the checkpoint is damaged: its checksum does not match");
    }
    fill_header(trainer, wanted);
    if (bytes != expected || memcmp(file + 16, wanted + 16, 8) != 0 ||
        memcmp(file + 48, wanted + 48, HEADER_BYTES - 48) != 0) {
        return reha_fail(err, REHA_E_CONFLICT, "the checkpoint belongs to another network or optimiser");
    }
    return REHA_OK;
}

reha_status reha_trainer_load(reha_trainer *trainer, const char *path, reha_error *err)
{
    reha_status status;
    section sections[SECTION_COUNT];
    uint8_t *file = NULL;
    size_t bytes = 0, at = HEADER_BYTES;
    uint64_t counters[3];

    list_sections(trainer, sections);
    /* A file of another network is larger or smaller: read it anyway, to say so. */
    REHA_CHECK(reha_file_load(path, file_bytes(sections) + ((size_t)1 << 30), &file, &bytes, err));
    status = check_file(trainer, file, bytes, file_bytes(sections), err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s: ", path);
        goto done;
    }
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (sections[i].count > 0) {
            memcpy(sections[i].values, file + at, sections[i].count * sizeof(float));
            at += sections[i].count * sizeof(float);
        }
    }
    memcpy(counters, file + 24, sizeof counters);
    trainer->steps = counters[0];
    trainer->batches = counters[1];
    trainer->skipped = (size_t)counters[2];
    reha_net_weights_restored(trainer->net);
done:
    reha_free(file);
    return status;
}
