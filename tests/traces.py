"""Whether anything of an erased patient can still be found: traces.py BEFORE AFTER PATIENT LEAST

BEFORE is a copy of the home folder from before the erasing, AFTER the home now. What the records held then and do not hold now
(sealed texts, ids, hashes, findings; at least LEAST values, so that a search for nothing is no proof) must not be in any byte of
any file of AFTER: database with its free pages, journal, stored files, log. Ids and hashes that the audit chain names stay there
on purpose, and so does what two patients have in common (a headline, the size of a picture). No record may name the patient, and every stored file must be named by a record."""
import os
import re
import sqlite3
import sys

KEPT = ("audit", "audit_head", "user", "session", "setting", "erasing")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")  # the log has its own
SHORT, PIECE, STEP = 16, 48, 200  # a long value lies in several pages: it is looked for in pieces


def rows(home):
    base = sqlite3.connect(f"file:{home}/records.db?mode=ro", uri=True)
    tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
    found = {table: base.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    base.close()
    return found


def values(tables):
    return {v for table, lines in tables.items() if table not in KEPT for line in lines for v in line
            if isinstance(v, str) and len(v) >= SHORT}


def pieces(value):
    data = value.encode()
    if len(data) <= PIECE:
        return [data]
    return [data[at:at + PIECE] for at in range(0, len(data) - PIECE + 1, STEP)] + [data[-PIECE:]]


def files(home):
    return [os.path.join(folder, name) for folder, _, names in os.walk(home) for name in names if name != "key"]


def main(before, after, patient, least):
    then, now = rows(before), rows(after)
    left = "\n".join(str(v) for lines in now.values() for line in lines for v in line).encode()
    gone = {v for v in values(then) - values(now) if v.encode() not in left and not TIME.fullmatch(v)}
    sealed = [v for v in gone if v.startswith("s1")]
    assert len(gone) >= least and len(sealed) >= 1, f"only {len(gone)} values are gone, {len(sealed)} of them sealed"
    assert any(patient in line for line in then["patient"]), "the copy from before does not know the patient"
    for table, lines in now.items():
        assert table in KEPT or not any(patient in line for line in lines), f"{table} still names the patient"
    for (no, at, user, role, action, entity, entity_id, *_) in now["audit"]:
        if action == "patient.erase" and entity_id == patient:
            break
    else:
        raise AssertionError("the audit log does not tell of it")
    named = {line[0] for line in sqlite3.connect(f"{after}/records.db").execute("SELECT digest FROM image UNION SELECT digest FROM result_picture")}
    for path in files(after + "/blobs") + files(after + "/incoming"):
        assert os.path.basename(path) in named, f"{path} is nobody's"
    # The stored files as they lay there: what is gone, no other file holds.
    for path in files(before + "/blobs"):
        if os.path.basename(path) not in named:
            with open(path, "rb") as file:
                file.seek(40)
                gone.add(file.read(PIECE))
    wanted = [(v, p) for v in gone for p in (pieces(v) if isinstance(v, str) else [v]) if p not in left]
    for path in files(after):
        with open(path, "rb") as file:
            data = file.read()
        for value, piece in wanted:
            assert piece not in data, f"{path} holds a piece of {value[:60]!r}"
    seen = b"".join(open(path, "rb").read() for path in files(before) if "records.db" in path)
    there = sum(p in seen for _, p in wanted)
    assert there > len(wanted) * 0.8, f"the search finds only {there} of {len(wanted)} pieces in the files from before"
    print(f"{len(gone)} values in {len(wanted)} pieces: none is left")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
