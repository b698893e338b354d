#!/usr/bin/env bash
# Signed reports go to the archive by themselves: DCMTK's storescp as the archive that is switched off, comes back, rejects,
# takes only a part, wants TLS; signed again, erased; kill -9 of the server while it sends (REHA_CRASH_ROUNDS=100 for a long
# run).
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
for tool in storescp dcmodify dcmdump dsrdump; do
    command -v $tool >/dev/null || { echo "skipped: $tool is absent (package dcmtk)"; exit 77; }
done
home=$work/home
archive= # process of storescp
trap 'for one in $archive $server; do kill -KILL "$one" 2>/dev/null; done; rm -rf "$work"' EXIT
port=$(free_port)
# start_archive OPTIONS...: storescp at $port, which keeps what comes in $work/kept.
start_archive() {
    mkdir -p "$work/kept"
    storescp -od "$work/kept" "$@" "$port" >>"$work/storescp" 2>&1 &
    archive=$!
    python3 - "$port" <<'PY' || fail "storescp does not listen"
import socket, sys, time
end = time.time() + 120
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5).close()
        break
    except OSError:
        assert time.time() < end
        time.sleep(0.1)
PY
}
end_archive() {
    kill "$archive"
    wait "$archive" 2>/dev/null
    archive=
}
# wait_outbox STATE COUNT: until so many are in it.
wait_outbox() {
    checks=$((checks + 1))
    for _ in $(seq 1200); do
        "$REHASCOPE" outbox list --json --home "$home" >"$work/outbox" 2>"$work/err"
        [ "$(jq ".counts[\"$1\"]" "$work/outbox")" = "$2" ] && return 0
        sleep 0.25
    done
    fail "there are not $2 $1: $(jq -c .counts "$work/outbox") $(jq -c '[.items[].reason]' "$work/outbox")"
}
# holds FILTER: what jq says of the outbox is true.
holds() {
    checks=$((checks + 1))
    [ "$(jq "$1" "$work/outbox")" = true ] || { fail "not true of the outbox: $1"; jq -c '.items[]' "$work/outbox" | head -n 3; }
}

# --- what a start refuses
run 1 serve --home "$home" --port 0 --dicom-send-to 127.0.0.1:104
says err 'is no AE@host:port'
run 2 serve --home "$home" --port 0 --dicom-send-tls-key "$work/none.key" --dicom-send-to "PACS@127.0.0.1:$port"
says err 'needed together'
run 2 serve --home "$home" --port 0 --dicom-send-tls-cert a --dicom-send-tls-key b --dicom-send-tls-ca c
says err 'Give --dicom-send-to'
run 2 outbox
run 2 outbox again
says err 'say list, again ID, again all or give-up ID'
run 2 outbox give-up

# --- a day: the archive is switched off when the first report is signed
run 0 phantom "$work/knees" --count 2 --dicom
run 0 phantom "$work/pictures" --count 1 --seed 5
for one in "$work"/knees/*.dcm; do
    dcmodify -nb -q -ma '(0010,0010)=ZZSECRET^Erna' -ma '(0010,0020)=H-4711' -ma '(0008,0050)=A-17' "$one" || fail "dcmodify"
done
start_server --dicom-send-to "PACS@127.0.0.1:$port" --dicom-ae CLINIC
checks=$((checks + 1))
grep -q "^Signed reports go to PACS at 127.0.0.1 port $port$" "$work/served" || fail "the start does not say where to"
day() { # STEP FILES...
    checks=$((checks + 1))
    python3 "$REHA_SOURCE/tests/e2e/archive_day.py" "$address" "$work" "$@" >"$work/day" 2>&1 || { fail "the day: $1"; tail -n 4 "$work/day"; }
}
first=$(ls "$work"/knees/*.dcm | head -n 1)
day begin "$first" "$(ls "$work"/pictures/*.png | head -n 1)"
wait_outbox waiting 1
for _ in $(seq 600); do
    [ "$(jq '[.items[] | select(.state == "waiting")][0].tries' "$work/outbox")" -ge 1 ] && break
    sleep 0.25
    "$REHASCOPE" outbox list --json --home "$home" >"$work/outbox"
done
holds '[.items[] | select(.state == "waiting")][0].reason | contains("cannot be reached")'
holds '.counts.dropped == 1 and ([.items[] | select(.state == "dropped")][0].reason | contains("as a picture"))'
run 0 outbox list --home "$home"
says out '^1 waiting, 0 sent, 0 failed, 1 dropped$'
says out 'after [0-9]+ tries: .*cannot be reached.* \(again at '
# It comes back.
start_archive
run 0 outbox again all --home "$home"
says out '^[01] reports are tried again' # it may have gone by itself meanwhile
wait_outbox sent 1
holds '.items[] | select(.state == "sent") | (.objects | length) >= 3 and (.destination | startswith("PACS@127.0.0.1:"))'
day arrived
verified=$(for one in "$work"/kept/*; do dcmdump +P 0008,0060 +P 0040,a493 "$one" 2>/dev/null | tr '\n' ' '; echo; done | grep -c '\[SR\].*\[VERIFIED\]')
checks=$((checks + 1))
[ "$verified" = 1 ] || fail "of the reports in the archive $verified are verified"
# Reopened, decided otherwise, signed again: both are in the archive, and the list says that one was withdrawn.
day again
wait_outbox sent 2
holds '[.items[] | select(.state == "sent" and .withdrawn_at != null)] | length == 1'
day arrived
run 0 outbox list --state sent --home "$home"
says out 'withdrawn since: tell the archive'
# A restart sends nothing twice.
end_server
kept=$(cat "$work/storescp"; ls -l --time-style=full-iso "$work/kept")
start_server --dicom-send-to "PACS@127.0.0.1:$port" --dicom-ae CLINIC
day quiet
checks=$((checks + 1))
[ "$kept" = "$(cat "$work/storescp"; ls -l --time-style=full-iso "$work/kept")" ] || fail "a restart sent something again"
end_archive

# --- it rejects us, then takes calls but pictures only, no PDF and no report
start_archive --refuse
day again
for _ in $(seq 600); do
    "$REHASCOPE" outbox list --json --state waiting --home "$home" >"$work/outbox"
    [ "$(jq '.items[0].tries' "$work/outbox")" -ge 1 ] && break
    sleep 0.25
done
holds '.items[0].reason | contains("rejects us")'
end_archive
printf '%s\n' '[[TransferSyntaxes]]' '[Plain]' 'TransferSyntax1 = 1.2.840.10008.1.2.1' '[[PresentationContexts]]' '[Pictures]' \
    'PresentationContext1 = 1.2.840.10008.5.1.4.1.1.7\Plain' '[[Profiles]]' '[Keeper]' 'PresentationContexts = Pictures' >"$work/storescp.cfg"
start_archive -xf "$work/storescp.cfg" Keeper
run 0 outbox again all --home "$home"
for _ in $(seq 600); do
    "$REHASCOPE" outbox list --json --state waiting --home "$home" >"$work/outbox"
    [ "$(jq '.items[0].reason // "" | contains("no presentation context")' "$work/outbox")" = true ] && break
    sleep 0.25
done
holds '.items[0].reason | contains("results.dcm: no presentation context")'
day partly
end_server
end_archive
run 0 audit verify --home "$home"

# --- TLS: the archive wants a certificate, and shows one
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout "$work/x.key" -out "$work/x.pem" 2>/dev/null
    for name in ours theirs; do
        openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$work/$name.key" -out "$work/$name.csr" 2>/dev/null
        openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 -out "$work/$name.pem" 2>/dev/null
    done
    start_archive +tls "$work/theirs.key" "$work/theirs.pem" +cf "$work/ca.pem"
    ours=(--dicom-send-tls-cert "$work/ours.pem" --dicom-send-tls-key "$work/ours.key")
    start_server --dicom-send-to "PACS@127.0.0.1:$port" "${ours[@]}" --dicom-send-tls-ca "$work/x.pem"
    run 0 outbox again all --home "$home"
    for _ in $(seq 600); do
        "$REHASCOPE" outbox list --json --state waiting --home "$home" >"$work/outbox"
        [ "$(jq '.items[0].reason // "" | contains("no TLS with it")' "$work/outbox")" = true ] && break
        sleep 0.25
    done
    holds '.items[0].reason | contains("no TLS with it")'
    end_server
    start_server --dicom-send-to "PACS@127.0.0.1:$port" "${ours[@]}" --dicom-send-tls-ca "$work/ca.pem"
    checks=$((checks + 1))
    grep -q 'with TLS$' "$work/served" || fail "the start does not tell of TLS"
    run 0 outbox again all --home "$home"
    wait_outbox sent 3
    end_server
    end_archive
else
    echo "without openssl: the part with TLS is left out"
fi

# --- erased: nothing of it is left here, and the command says that the archive has it
patient=$(python3 - "$home/records.db" <<'PY'
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT p.pseudonym FROM outbox o JOIN study s ON s.id = o.study_id JOIN patient p ON p.id = s.patient_id WHERE o.state = 'sent'").fetchone()[0])
PY
)
sent=$(jq -n --slurpfile all <("$REHASCOPE" outbox list --json --home "$home") '$all[0].counts.sent')
run 0 erase "$patient" --reason request --home "$home" <<<"$patient"
says out "^$sent signed reports of the patient went to the archive: ask there for their removal"
run 0 outbox list --json --home "$home"
checks=$((checks + 1))
[ "$(jq -c .counts.sent "$work/out")" = 0 ] || fail "the outbox knows the patient still"
checks=$((checks + 1))
if grep -rqa -e ZZSECRET "$home" "$work/serve-err" "$work/served"; then fail "the name is in $(grep -rla ZZSECRET "$home")"; fi
run 0 audit verify --home "$home"

# --- kill -9
rm -rf "$home" "$work/kept"
start_archive
checks=$((checks + 1))
python3 "$REHA_SOURCE/tests/e2e/archive_crash.py" "$REHASCOPE" "$home" "${REHA_CRASH_ROUNDS:-20}" "$port" "$work/kept" ||
    fail "a signed report was lost, or sent twice"
end_archive
run 0 audit verify --home "$home"
finish
