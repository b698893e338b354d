# What did not reach the archive, in the pages: the archive is switched off (one report waits, one failed for good), comes back,
# is tried again by hand, and the other report is given up. DCMTK's storescp as the archive, a real browser as the people.
# REHA_SHOTS=folder keeps pictures.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
for tool in storescp dcmodify; do
    command -v $tool >/dev/null || { echo "skipped: $tool is absent (package dcmtk)"; exit 77; }
done
need_browser
web=$REHA_SOURCE/tests/web
port=$(free_port)
run 0 phantom "$work/knees" --count 2 --dicom
number=0
for one in "$work"/knees/*.dcm; do
    number=$((number + 1))
    dcmodify -nb -q -ma "(0010,0010)=ZZSECRET^Nr$number" -ma "(0010,0020)=H-471$number" "$one" || fail "dcmodify"
done
start_server --dicom-send-to "PACS@127.0.0.1:$port" --dicom-ae CLINIC
if grep -q 'left out' "$work/served"; then
    echo "skipped: this build has no pages"
    exit 77
fi
day() { # STEP FILES...
    checks=$((checks + 1))
    python3 "$REHA_SOURCE/tests/e2e/archive_page.py" "$address" "$work" "$@" >"$work/day" 2>&1 || { fail "the day: $1"; tail -n 4 "$work/day"; }
}
day begin "$work"/knees/*.dcm
# A day's patience of the doctor: what failed just now is everyday work.
run 0 doctor --home "$work/home"
says out '^ok +archive +1 signed reports wait for the archive \(up to 0 h\), 1 failed \(up to 0 h ago\)$'
python3 - "$work/home/records.db" <<'PY' || fail "the time cannot be put back"
import sqlite3, sys
records = sqlite3.connect(sys.argv[1], timeout=600)
with records:
    records.execute("UPDATE outbox SET ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 hours', '-30 minutes') WHERE state = 'failed'")
records.close()
PY
run 1 doctor --home "$work/home"
says out '^FAULT archive .* 1 failed \(up to 25 h ago\): rehascope outbox list tells why$'
run 1 doctor --home "$work/nowhere"
says err 'is no home folder'
checks=$((checks + 1))
node "$web/archive.mjs" "$address" "$work" "$port" ${REHA_SHOTS:+"$REHA_SHOTS"} || fail "the archive in the pages"
day end
end_server
run 0 outbox list --json --state dropped --home "$work/home"
given_up=$(jq -r '.items[0].id' "$work/out")
run 1 outbox give-up "$given_up" --home "$work/home"
says err 'nothing of that id waits or has failed'
run 0 audit verify --home "$work/home"
checks=$((checks + 1))
if grep -aq SECRET "$work/home/server.log" "$work/served" "$work/serve-err"; then fail "a patient's name is in a log"; fi
finish
