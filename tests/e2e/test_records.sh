#!/usr/bin/env bash
# The records of a clinic on the command line: accounts, import, analysis, proof, backup, restore.
source "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1
home="$work/home"

run 1 user list --home "$home"
says err "is no home folder"
run 2 user add anna --home "$home"
says err "role is needed"
run 1 user add anna --role reviewer --home "$home" <<<"correct horse battery"
says err "first account must be an administrator"
run 1 user add anna --role administrator --home "$home" <<<"short"
says err "at least 10"
run 0 user add anna --role administrator --home "$home" <<<"correct horse battery"
run 0 user add berta --role physiotherapist --display-name "Berta B." --home "$home" <<<"correct horse battery"
run 1 user add berta --role physiotherapist --home "$home" <<<"correct horse battery"
says err "already"
run 0 user off berta --home "$home"
run 0 user list --home "$home"
says out "^berta +physiotherapist +off +Berta B\.$"
run 1 user off anna --home "$home"
says err "last active administrator"
[ "$(stat -c %a "$home")" = 700 ] && [ "$(stat -c %a "$home/key")" = 600 ] || fail "others may read the home folder"

run 0 phantom "$work/knees" --count 2
run 1 import "$work/knees" --home "$home"
says out "knee-000R.png: stored"
says out "labels.csv: refused: this is a text file"
run 0 import "$work/knees/knee-000R.png" --home "$home"
says out "duplicate"
# A task by name: one that there is not stores nothing.
run 0 phantom "$work/more" --count 1 --seed 99
run 1 import "$work/more/knee-000R.png" --home "$home" --task fractures
says err "there is no 'fractures'; there are: knee-oa, "
run 1 import "$work/more/knee-000R.png" --home "$home" --task bone-density
says err "switched off by its own model card"
run 0 import "$work/more/knee-000R.png" --home "$home" --task muscle-us
says out "stored"
run 0 worker --once --home "$home"
run 0 audit verify --home "$home"
says out "^whole: [0-9]+ audit records, ([6-9]|1[0-2]) files$" # three images and the pictures of three results
checks=$((checks + 1))
python3 -c "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); got = sorted(d.execute('SELECT task, asked FROM result').fetchall())
assert got == [('knee-oa', 0), ('knee-oa', 0), ('muscle-us', 1)], got" "$home/records.db" || fail "the results do not tell their tasks"
run 0 audit export --home "$home"
says out '"action":"job.done"'

run 0 backup "$work/backup" --home "$home"
run 1 backup "$work/backup" --home "$home"
says err "not empty"
run 0 restore "$work/backup" --home "$work/again"
run 0 audit verify --home "$work/again"
run 1 restore "$work/backup" --home "$work/again"
run 1 restore "$work/knees" --home "$work/third"
says err "is no backup"

# A home that has lost its records is never opened as a new clinic, which whoever comes first would set up.
cp -r "$work/again" "$work/lost"
rm "$work/lost/records.db"*
run 1 serve --home "$work/lost" --port 0
says err 'lost: records.db is gone or empty.*restore'
run 1 user add eve --role administrator --home "$work/lost" <<<"correct horse battery"
: >"$work/lost/records.db"
run 1 user list --home "$work/lost"
says err 'lost: records.db is gone or empty'
[ ! -s "$work/lost/records.db" ] || fail "a new clinic was made in the place of a lost one"

# A clock that stands before the newest record gives false times: told at the start, and by doctor.
run 0 doctor --home "$home"
says out '^ok +clock '
python3 - "$home/records.db" <<'PY'
import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
d.executescript("DROP TRIGGER audit_keep; UPDATE audit SET at = '2999-01-31T00:00:00.000Z' WHERE no = (SELECT MAX(no) FROM audit);")
PY
run 1 doctor --home "$home"
says out "^FAULT clock .*the newest record is of 2999-01-31T00:00: set the clock right"
start_server
end_server
says serve-err "caution: this machine's clock says .*the newest record is of 2999-01-31"

# Truncating the log is found, also when the chain that is left is whole.
python3 - "$work/again/records.db" <<'PY'
import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
d.executescript("DROP TRIGGER audit_stay; DELETE FROM audit WHERE no > 3;")
PY
run 1 audit verify --home "$work/again"
says out "^ALTERED: "
finish
