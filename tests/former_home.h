/* A home folder as a former version of the program made it (tests/golden/home-vN: its tables as SQL, key,
 * head of the audit chain; without the stored files). Every text that somebody typed there holds the word
 * ZZSECRET. Its newest image was analysed twice (v2), by the program's choice; or by it, for
 * fractures and as a knee by name (v4); or of that the fracture was set aside, and the study signed, reopened
 * and signed (v5, and v6 with an access token). */
#ifndef REHA_TESTS_FORMER_HOME_H
#define REHA_TESTS_FORMER_HOME_H

#include "support.h"

#include <stdio.h>
#include <stdlib.h>

/* `folder` must exist. `copies` more patients and reviews make the migration last. */
static inline void make_former_home(const char *folder, int version, int copies)
{
    char command[1200];
    (void)snprintf(command, sizeof command,
                   "cd '%s' && cp '" REHA_SOURCE_DIR "/tests/golden/home-v%d/key' '" REHA_SOURCE_DIR
                   "/tests/golden/home-v%d/audit.head' . && chmod 600 key audit.head && python3 -c \"\n"
                   "import sqlite3\n"
                   "d = sqlite3.connect('records.db')\n"
                   "d.execute('PRAGMA journal_mode = WAL')\n"
                   "d.executescript(open('" REHA_SOURCE_DIR "/tests/golden/home-v%d/records.sql').read())\n"
                   "for i in range(%d):\n"
                   " d.execute('INSERT INTO patient SELECT id || ?, version, pseudonym || ?, name, "
                   "birth_year, sex, note, NULL, created_at "
                   "FROM patient LIMIT 1', (i, i))\n"
                   "d.commit()\n"
                   "d.close()\"",
                   folder, version, version, version, copies);
    assert_int_equal(system(command), 0);
}

#endif
