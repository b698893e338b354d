#!/usr/bin/env bash
# Earlier images from an archive: DCMTK's dcmqrscp as a real one (lists by number, name, date and modality; C-GET into the
# records; duplicates; what it cannot give), and one that misbehaves: ten thousand matches, breaking off, silence, nonsense.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
for tool in dcmqrscp storescp dcmodify dcmdump; do
    command -v $tool >/dev/null || { echo "skipped: $tool is absent (package dcmtk)"; exit 77; }
done
home=$work/home
archive= # process of an archive
trap 'for one in $archive $server; do kill -KILL "$one" 2>/dev/null; done; rm -rf "$work"' EXIT
port=$(free_port)
start_archive() { # OPTIONS...
    dcmqrscp -c "$work/dcmqrscp.cfg" "$@" >>"$work/dcmqrscp" 2>&1 &
    archive=$!
    for _ in $(seq 600); do
        "$REHASCOPE" send --echo --to "ARCHIVE@127.0.0.1:$port" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    fail "dcmqrscp does not answer"
}
end_archive() {
    kill "$archive"
    wait "$archive" 2>/dev/null
    archive=
}
# holds FILTER: what jq says of the last answer is true.
holds() {
    checks=$((checks + 1))
    [ "$(jq "$1" "$work/out")" = true ] || { fail "not true of the answer: $1"; jq -c . "$work/out" | head -c 600; }
}
from=(--archive "ARCHIVE@127.0.0.1:$port")

# --- usage, and an archive that is not there
run 2 fetch --patient H-1
says err 'Give --archive AE@HOST:PORT'
run 2 fetch "${from[@]}"
says err 'whose\? Give --patient'
run 2 fetch "${from[@]}" --patient H-1 1.2.3
says err 'either list studies, or name'
run 1 fetch "${from[@]}" --since yesterday
says err 'written as 2024-01-31'
run 3 fetch "${from[@]}" --patient H-1
says err 'cannot be reached'

# --- a real archive
mkdir -p "$work/archive"
cat >"$work/dcmqrscp.cfg" <<CFG
NetworkTCPPort  = $port
MaxPDUSize      = 16384
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ARCHIVE  $work/archive  RW (200, 1024mb)  ANY
AETable END
CFG
run 0 phantom "$work/knees" --count 3 --dicom
number=0
for one in "$work"/knees/*.dcm; do
    number=$((number + 1))
    dcmodify -nb -q -ma '(0008,0005)=ISO_IR 100' -ma "(0010,0010)=$(printf 'M\374ller^J\366rg')" -ma '(0010,0020)=H-4711' -ma "(0008,0020)=202${number}0131" \
        -ma '(0008,0050)=A-17' "$one" || fail "dcmodify"
done
last=$(ls "$work"/knees/*.dcm | tail -n 1)
dcmodify -nb -q -ma '(0010,0020)=H-4712' -ma '(0010,0010)=Other^Person' "$last"
start_archive
run 0 send --to "ARCHIVE@127.0.0.1:$port" "$work"/knees/*.dcm
run 0 fetch "${from[@]}" --patient H-4711 --json
holds '.cut == false and (.items | length) == 2 and .items[0].date == "20220131" and .items[1].date == "20210131"'
holds '[.items[].patient_id] | unique == ["H-4711"]'
holds '[.items[].patient_name] | unique == ["Müller^Jörg"]'
run 0 fetch "${from[@]}" --patient H-4711
says out '^2022-01-31 .* H-4711  Müller\^Jörg'
says out '^2 studies at ARCHIVE$'
run 0 fetch "${from[@]}" --name 'Other*' --json
holds '(.items | length) == 1 and .items[0].patient_id == "H-4712"'
run 0 fetch "${from[@]}" --since 2022-01-01 --until 2022-12-31 --json
holds '(.items | length) == 1 and .items[0].date == "20220131"'
run 0 fetch "${from[@]}" --patient NOBODY
says out '^0 studies at ARCHIVE$'
run 1 fetch --archive "OTHER@127.0.0.1:$port" --patient H-4711
says err 'rejects us'

# Into the records, once.
run 0 fetch "${from[@]}" --patient H-4711 --json
first=$(jq -r '.items[0].study_uid' "$work/out")
second=$(jq -r '.items[1].study_uid' "$work/out")
run 1 fetch "${from[@]}" "$first" --home "$home"
says err 'is no home folder'
run 0 user add admin --role administrator --home "$home" <<<"correct horse battery"
run 0 fetch "${from[@]}" "$first" "$second" --home "$home"
says out "^$first: 1 stored, 0 known already$"
run 0 fetch "${from[@]}" "$first" --home "$home" --json
holds '.items == [{"stored": 0, "known": 1, "refused": 0, "failed": 0, "study_uid": "'"$first"'", "error": null}]'
run 1 fetch "${from[@]}" 1.2.3.4.5 --home "$home"
says out 'not complete: ARCHIVE gave nothing'
run 1 fetch "${from[@]}" study --home "$home"
says out 'is no study UID'
run 0 audit export --home "$home" --out "$work/audit.jsonl"
checks=$((checks + 1))
grep -c '"from_ae_title":"ARCHIVE"\|from_ae_title.*ARCHIVE' "$work/audit.jsonl" | grep -qx 2 || fail "the audit log does not say whom the images came from"
checks=$((checks + 1))
python3 - "$home/records.db" "$first" "$second" <<'PY' || fail "the records hold something else"
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
held = database.execute("SELECT s.uid, s.image_count, s.patient_id FROM study s").fetchall()
assert {uid for uid, _, _ in held} == set(sys.argv[2:]) and all(count == 1 for _, count, _ in held), held
assert len({patient for _, _, patient in held}) == 1 and held[0][2], held
PY
# The archive has lost the file of one: it says so, and so do we.
uid=$(dcmdump +P 0020,000d "$last" | sed 's/.*\[\(.*\)\].*/\1/')
for one in "$work"/archive/*; do
    [ "$(dcmdump +P 0020,000d "$one" 2>/dev/null | sed 's/.*\[\(.*\)\].*/\1/')" = "$uid" ] && rm -f "$one"
done
run 1 fetch "${from[@]}" "$uid" --home "$home" --json
holds '.items[0].stored == 0 and .items[0].error != null'
end_archive
start_archive --disable-get
run 1 fetch "${from[@]}" "$first" --home "$home"
says out 'does not offer that'
end_archive
run 0 audit verify --home "$home"
checks=$((checks + 1))
if grep -rqa -e ller "$home"/server.log "$home"/records.db 2>/dev/null; then fail "a name is in clear"; fi

# --- one that misbehaves
fake() { # MANNER
    rm -f "$work/port"
    python3 "$REHA_SOURCE/tests/e2e/archive_fake.py" "$1" "$work/port" >"$work/fake" 2>&1 &
    archive=$!
    for _ in $(seq 600); do [ -s "$work/port" ] && break; sleep 0.1; done
    from=(--archive "ARCHIVE@127.0.0.1:$(cat "$work/port")")
}
end_fake() { # it ends by itself once it is hung up on
    wait "$archive" 2>/dev/null
    archive=
}
fake many
run 0 fetch "${from[@]}" --name '*' --json
says err 'There are more: the archive was stopped after 1000'
holds '.cut == true and (.items | length) == 1000'
end_fake
fake letters
run 0 fetch "${from[@]}" --name '*' --json
holds '[.items[].patient_name] == ["Müller^Jörg", "Čapek^Karel", "Ἀθηνᾶ", ""]'
end_fake
for pair in 'abort:3:broke off before its answer was whole' 'hangup:3:broke off before its answer was whole' 'status:1:refuses with status A700H: it is out of resources: no room' \
    'nonsense:1:' 'huge:1:larger than 65536 bytes' 'nameless:1:does not say which' 'wrong:1:makes no sense' 'silent:3:'; do
    manner=${pair%%:*}
    code=${pair#*:}
    fake "$manner"
    run "${code%%:*}" fetch "${from[@]}" --name '*' --timeout 2
    says err "${code#*:}"
    end_fake
done
finish
