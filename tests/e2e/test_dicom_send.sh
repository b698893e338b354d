#!/usr/bin/env bash
# Sending to an archive: DCMTK's storescp, and Orthanc as a real PACS (with an own configuration in a scratch folder), which
# also sends back to the clinic; and what is said when it does not work.
. "$(dirname "$0")/lib.sh"
need_data
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
syntaxes=$REHA_DATA/dicom/transfer_syntaxes
command -v storescp >/dev/null || { echo "skipped: storescp is absent (package dcmtk)"; exit 77; }
others=()
trap 'for one in "${others[@]}" $server; do kill -KILL "$one" 2>/dev/null; done; rm -rf "$work"' EXIT

# --- usage and places that are not there
run 2 send
says err 'Give --to AE@HOST:PORT'
run 2 send --to PACS@127.0.0.1:104
says err 'Give some, or --echo'
run 2 send --to PACS@127.0.0.1:104 --echo "$syntaxes/CTImage.dcm"
run 1 send --to 127.0.0.1:104 --echo
says err 'is no AE@host:port'
run 1 send --to PACS@127.0.0.1:0 --echo
says err 'is no port'
run 1 send --to A-TITLE-OF-17-CHAR@127.0.0.1:104 --echo
says err '1 to 16 characters'
closed=$(free_port)
run 3 send --to "PACS@127.0.0.1:$closed" --echo
says err "127.0.0.1 port $closed cannot be reached"
run 3 send --to "PACS@127.0.0.1:$closed" "$syntaxes/CTImage.dcm"
says out 'CTImage.dcm: failed: not sent'
says out '^0 of 1 sent to PACS$'
mkdir "$work/none"
run 1 send --to "PACS@127.0.0.1:$closed" "$work/none"
says err 'no files to send'

# --- storescp: our own objects and strangers' files in one sending
mkdir "$work/kept" "$work/own"
start_peer "$work/storescp" storescp -od "$work/kept" +xa @
port=$peer_port
others+=("$peer")
run 0 phantom "$work/own" --count 3 --dicom
rm -f "$work"/own/*.png "$work"/own/*.csv
run 0 send --echo --json --to "ANY@127.0.0.1:$port"
says out '"alive": true'
run 0 send --to "ANY@127.0.0.1:$port" "$work/own"
says out '^3 of 3 sent to ANY$'
echo "no DICOM" >"$work/own/notes.txt"
head -c 3000 "$work/own/knee-000R.dcm" >"$work/own/cut.dcm"
run 1 send --to "ANY@127.0.0.1:$port" "$work/own" "$syntaxes/CT_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm" \
    "$syntaxes/CT_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm" --json
checks=$((checks + 1))
python3 - "$work/out" <<'PY' || fail "the answer as JSON"
import json, os, sys
answer = json.load(open(sys.argv[1]))
fate = {os.path.basename(item["path"]): (item["outcome"], (item["error"] or {}).get("code")) for item in answer["items"]}
assert fate["notes.txt"] == ("failed", "format") and fate["cut.dcm"] == ("failed", "format"), fate
assert fate["knee-000R.dcm"] == ("sent", None), fate
assert fate["CT_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm"] == ("failed", "unsupported"), fate
assert answer["files"] == 7 and answer["sent"] == 4, answer
PY
checks=$((checks + 1))
python3 - "$REHA_SOURCE/tests/e2e" "$work/own/knee-000R.dcm" "$work/kept" <<'PY' || fail "storescp holds other pixels"
import os, sys
sys.path.insert(0, sys.argv[1])
import dicom_wire
uid, data = dicom_wire.split(open(sys.argv[2], "rb").read())
pixels = data[data.index(b"\xe0\x7f\x10\x00"):]
kept = {}
for name in os.listdir(sys.argv[3]):
    one, found = dicom_wire.split(open(os.path.join(sys.argv[3], name), "rb").read())
    kept[one] = found
assert kept[uid].endswith(pixels[12:]), "pixels"
PY
# One that never answers, and one that is no DICOM node.
python3 - "$work/silent" <<'PY' &
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
open(sys.argv[1], "w").write(str(s.getsockname()[1]))
peer, _ = s.accept()
time.sleep(3600)
PY
others+=($!)
for _ in $(seq 1200); do [ -s "$work/silent" ] && break; sleep 0.1; done
run 3 send --echo --timeout 2 --to "PACS@127.0.0.1:$(cat "$work/silent")"
says err 'took the call but gave no answer'

# --- a real archive: there and back
if command -v Orthanc >/dev/null; then
    port=$(free_port)
    web=$(free_port)
    back=$(free_port)
    cat >"$work/orthanc.json" <<JSON
{"Name": "T", "StorageDirectory": "$work/orthanc", "IndexDirectory": "$work/orthanc", "Plugins": [], "HttpPort": $web,
 "DicomPort": $port, "DicomAet": "ORTHANC", "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
 "DicomCheckCalledAet": true, "DicomAlwaysAllowStore": true, "DicomAlwaysAllowEcho": true,
 "DicomModalities": {"clinic": ["CLINIC", "127.0.0.1", $back]}}
JSON
    Orthanc "$work/orthanc.json" >"$work/orthanc.log" 2>&1 &
    others+=($!)
    for _ in $(seq 600); do "$REHASCOPE" send --echo --to "ORTHANC@127.0.0.1:$port" >/dev/null 2>&1 && break; sleep 0.2; done
    run 0 send --echo --to "ORTHANC@127.0.0.1:$port"
    run 1 send --echo --to "OTHER@127.0.0.1:$port"
    says err 'rejects us \(for good\): it has another AE title'
    run 0 send --to "ORTHANC@127.0.0.1:$port" "$syntaxes" "$work"/own/knee-*.dcm
    says out '^31 of 31 sent to ORTHANC$'
    # The archive sends on to the clinic what it got from us and from others; a report is not for us.
    cat >"$work/peers.json" <<'JSON'
{"peers": [{"ae_title": "ORTHANC", "address": "127.0.0.1"}]}
JSON
    start_server --dicom-port "$back" --dicom-ae CLINIC --dicom-peers "$work/peers.json"
    checks=$((checks + 1))
    python3 - "$web" "$work/home/records.db" <<'PY' || { fail "from the archive to the clinic"; tail -n 5 "$work/orthanc.log" "$work/home/server.log"; }
import json, sqlite3, sys, urllib.request
base = f"http://127.0.0.1:{sys.argv[1]}"
def ask(path, body=None):
    request = urllib.request.Request(base + path, data=None if body is None else json.dumps(body).encode())
    return json.load(urllib.request.urlopen(request, timeout=600))
assert ask("/modalities/clinic/echo", {}) == {}
wanted = {}
for one in ask("/instances"):
    tags = ask(f"/instances/{one}/simplified-tags")
    if tags["Modality"] != "SR":
        wanted[one] = tags["SOPInstanceUID"]
answer = ask("/modalities/clinic/store", {"Resources": list(wanted), "Synchronous": True})
assert answer["InstancesCount"] == len(wanted) and answer["FailedInstancesCount"] == 0, answer
held = {uid for (uid,) in sqlite3.connect(sys.argv[2]).execute("SELECT sop_uid FROM image")}
assert held == set(wanted.values()) and len(held) > 15, (len(held), len(wanted))
PY
    end_server
    run 0 audit verify --home "$work/home"
else
    echo "without Orthanc (package orthanc): the part with a real archive is left out"
fi
finish
