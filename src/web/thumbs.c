#include "web/thumbs_priv.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/sync.h"

#include <string.h>

enum { SLOTS = 4096, MAKERS = 16 };

typedef struct slot {
    char *key; /* owned; NULL: free */
    uint8_t *bytes;
    size_t count;
    uint64_t used; /* time of the last use, counted in uses */
} slot;

struct reha_thumbs {
    reha_mutex *lock;           /* guards all below */
    reha_mutex *makers[MAKERS]; /* each for a part of the keys */
    size_t bytes, bytes_max;
    uint64_t uses;
    slot slots[SLOTS];
};

reha_status reha_thumbs_new(size_t bytes_max, reha_thumbs **out, reha_error *err)
{
    *out = NULL;
    reha_thumbs *thumbs = reha_alloc_zero(1, sizeof *thumbs);
    if (thumbs == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for small pictures");
    }
    thumbs->bytes_max = bytes_max;
    reha_status status = reha_mutex_new(&thumbs->lock, err);
    for (size_t i = 0; i < MAKERS && status == REHA_OK; i++) {
        status = reha_mutex_new(&thumbs->makers[i], err);
    }
    if (status != REHA_OK) {
        reha_thumbs_free(thumbs);
        return status;
    }
    *out = thumbs;
    return REHA_OK;
}

static reha_mutex *maker_of(reha_thumbs *thumbs, const char *key)
{
    return thumbs->makers[reha_hash32_text(key) % MAKERS];
}

void reha_thumbs_make_begin(reha_thumbs *thumbs, const char *key)
{
    reha_mutex_lock(maker_of(thumbs, key));
}

void reha_thumbs_make_end(reha_thumbs *thumbs, const char *key)
{
    reha_mutex_unlock(maker_of(thumbs, key));
}

static void empty(reha_thumbs *thumbs, slot *at)
{
    thumbs->bytes -= at->count;
    reha_free(at->key);
    reha_free(at->bytes);
    *at = (slot){.key = NULL};
}

static void empty_all(reha_thumbs *thumbs)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (thumbs->slots[i].key != NULL) {
            empty(thumbs, &thumbs->slots[i]);
        }
    }
}

void reha_thumbs_clear(reha_thumbs *thumbs)
{
    reha_mutex_lock(thumbs->lock);
    empty_all(thumbs);
    reha_mutex_unlock(thumbs->lock);
}

void reha_thumbs_free(reha_thumbs *thumbs)
{
    if (thumbs == NULL) {
        return;
    }
    empty_all(thumbs);
    for (size_t i = 0; i < MAKERS; i++) {
        reha_mutex_free(thumbs->makers[i]);
    }
    reha_mutex_free(thumbs->lock);
    reha_free(thumbs);
}

static slot *find(reha_thumbs *thumbs, const char *key)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (thumbs->slots[i].key != NULL && strcmp(thumbs->slots[i].key, key) == 0) {
            return &thumbs->slots[i];
        }
    }
    return NULL;
}

bool reha_thumbs_get(reha_thumbs *thumbs, const char *key, uint8_t **out, size_t *out_bytes)
{
    bool is_found = false;
    *out = NULL;
    *out_bytes = 0;
    reha_mutex_lock(thumbs->lock);
    slot *at = find(thumbs, key);
    if (at != NULL && (*out = reha_alloc(at->count)) != NULL) {
        memcpy(*out, at->bytes, at->count);
        *out_bytes = at->count;
        at->used = ++thumbs->uses;
        is_found = true;
    }
    reha_mutex_unlock(thumbs->lock);
    return is_found;
}

static slot *find_oldest(reha_thumbs *thumbs)
{
    slot *oldest = NULL;
    for (size_t i = 0; i < SLOTS; i++) {
        slot *at = &thumbs->slots[i];
        if (at->key != NULL && (oldest == NULL || at->used < oldest->used)) {
            oldest = at;
        }
    }
    return oldest;
}

static slot *find_free(reha_thumbs *thumbs)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (thumbs->slots[i].key == NULL) {
            return &thumbs->slots[i];
        }
    }
    return NULL;
}

void reha_thumbs_put(reha_thumbs *thumbs, const char *key, const uint8_t *bytes, size_t count)
{
    if (count == 0 || count > thumbs->bytes_max / 8) {
        return;
    }
    slot fresh = {.key = reha_strdup(key), .bytes = reha_alloc(count), .count = count};
    if (fresh.key == NULL || fresh.bytes == NULL) {
        reha_free(fresh.key);
        reha_free(fresh.bytes);
        return;
    }
    memcpy(fresh.bytes, bytes, count);
    reha_mutex_lock(thumbs->lock);
    slot *at = find(thumbs, key);
    if (at != NULL) {
        empty(thumbs, at);
    }
    while (thumbs->bytes + count > thumbs->bytes_max || find_free(thumbs) == NULL) {
        empty(thumbs, find_oldest(thumbs));
    }
    at = find_free(thumbs);
    fresh.used = ++thumbs->uses;
    *at = fresh;
    thumbs->bytes += count;
    reha_mutex_unlock(thumbs->lock);
}
