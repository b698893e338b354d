#!/usr/bin/env bash
# A patient named ZZSECRET through everything: no log line, no audit line, no byte of the database, its journal or a backup
# tells the name, whatever way it came in.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
home=$work/home

# silent PATH...: nothing there holds the name.
silent() {
    checks=$((checks + 1))
    if grep -rqa -e ZZSECRET -e 'Erna' -e 19510203 "$@"; then
        fail "the name is in: $(grep -rla -e ZZSECRET -e Erna -e 19510203 "$@" | sed "s|$work/||" | tr '\n' ' ')"
    fi
}

run 0 phantom "$work/knees" --count 3 --dicom
set -- "$work"/knees/*.dcm
for file in "$@"; do
    dcmodify -nb -i "PatientName=ZZSECRET^Erna" -i "PatientID=ZZSECRET-4711" -i "PatientBirthDate=19510203" \
        -i "StudyDescription=ZZSECRET knee" -i "ImageComments=ZZSECRET" "$file" 2>/dev/null || fail "dcmodify"
done
checks=$((checks + 1))
grep -qa ZZSECRET "$1" || fail "the test's own files hold no name"

start_server
checks=$((checks + 1))
ids=$(python3 "$REHA_SOURCE/tests/e2e/secret_day.py" "$address" "$1" "$2" 2>"$work/day") || { fail "the day in the clinic"; tail -n 3 "$work/day"; }
silent "$home" "$work/served" "$work/serve-err"
kill_server # the journal is left as it is at this moment
silent "$home"
checks=$((checks + 1))
grep -q 'event=http.request .*route=/api/v1/patients status=201' "$home/server.log" || fail "the log tells nothing at all"

# The same by the command line, and a watched folder's refusal. Names of files and folders are the user's own.
mkdir -p "$work/cd/ZZSECRET"
cp "$1" "$work/cd/ZZSECRET/ZZSECRET.dcm"
run 0 import "$work/cd" --home "$home"
says out "duplicate"
run 0 worker --once --home "$home"
silent "$work/err" "$home"
run 0 audit verify --home "$home"
run 0 audit export --home "$home" --out "$work/audit.jsonl"
checks=$((checks + 1))
[ "$(wc -l <"$work/audit.jsonl")" -gt 25 ] || fail "the audit log is short"
silent "$work/audit.jsonl"
run 0 compare "$1" "$3" --json
silent "$work/out" "$work/err"
run 0 analyse "$1" --json
silent "$work/err"
checks=$((checks + 1))
if grep -a 'ZZSECRET\^\|ZZSECRET-4711\|ZZSECRET knee\|19510203' "$work/out"; then fail "an analysis tells who it is"; fi

# Backups from the page and from the command line, and what is restored from them.
run 0 backup "$work/backup" --home "$home"
silent "$work/backup" "$home/backups"
run 0 restore "$work/backup" --home "$work/again"
silent "$work/again"
run 0 audit verify --home "$work/again"

# It was there all the time, for whoever may know: the restored clinic finds the patient by name.
home=$work/again
start_server
checks=$((checks + 1))
python3 - "$address" ${ids:-none none} "$REHA_SOURCE/tests/e2e" <<'PY' || fail "the patient is not found by name in the restored clinic"
import sys
sys.path.insert(0, sys.argv[4])
from clinic_client import Client
petra = Client(sys.argv[1])
petra.sign_in("petra", "correct horse battery")
found = petra.get("/patients?text=zzsecret%20erna")["items"]
assert [p["id"] for p in found] == [sys.argv[2]] and found[0]["birth_year"] == 1951, found
assert petra.get("/patients/" + sys.argv[2])["episodes"][0]["goals"] == "other goals ZZSECRET"
assert petra.get("/studies/" + sys.argv[3])["signature"]["comment"] == "again ZZSECRET"
PY
end_server
finish
