/* FNV-1a (Fowler, Noll, Vo): short, fast, the same on every machine. It finds equal things, chance damage and
 * slots of tables. It keeps no secret and stands against no malice: for that see store/digest.h. */
#ifndef REHA_BASE_HASH_H
#define REHA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define REHA_HASH32_START 2166136261U
#define REHA_HASH64_START 14695981039346656037ULL

/* `hash`: the start, or the hash of what came before. */
uint32_t reha_hash32(uint32_t hash, const void *bytes, size_t count);
uint64_t reha_hash64(uint64_t hash, const void *bytes, size_t count);

/* Of a whole string, without its end. */
uint32_t reha_hash32_text(const char *text);
uint64_t reha_hash64_text(const char *text);

#endif
