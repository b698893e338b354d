/* What our statements call inside of SQLite: the search, and the seal of columns that tell who a patient is.
 */
#ifndef REHA_STORE_FUNCTIONS_PRIV_H
#define REHA_STORE_FUNCTIONS_PRIV_H

#include "store/secret.h"

#include <sqlite3.h>

/* On this connection:
 *   has_words(text, words)      whether each word occurs in the text, whatever its case
 *   seal(value, id, column)     what is stored: "s1" and base 64 of nonce, XChaCha20-Poly1305 cipher text and
 * tag, bound to "column|id": a value that is moved to another record or column does not open. NULL stays NULL
 *   unseal(value, id, column)   the text again; a value that does not open ends the statement with
 * SQLITE_CORRUPT `key` must outlive the connection. */
REHA_MUST_USE reha_status reha_functions_add(sqlite3 *db, const uint8_t key[REHA_KEY_BYTES], reha_error *err);

#endif
