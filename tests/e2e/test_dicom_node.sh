#!/usr/bin/env bash
# The clinic as a DICOM node, with DCMTK's programs as modalities: who is let in, every transfer syntax bit for bit, duplicates,
# objects that are refused, hostile peers, TLS, kill -9 while a modality sends (REHA_CRASH_ROUNDS=300 for a long run).
. "$(dirname "$0")/lib.sh"
need_data
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
home=$work/home
syntaxes=$REHA_DATA/dicom/transfer_syntaxes
for tool in echoscu storescu storescp dcmsend dcmodify; do
    command -v $tool >/dev/null || { echo "skipped: $tool is absent (package dcmtk)"; exit 77; }
done

# expect CODE COMMAND...: a foreign program's exit code; its words land in $work/said.
expect() {
    local code=$1 got
    shift
    checks=$((checks + 1))
    "$@" >"$work/said" 2>&1
    got=$?
    [ "$got" -eq "$code" ] || { fail "exit code $got instead of $code: $*"; head -n 5 "$work/said"; }
}

# --- what a start refuses
run 2 serve --home "$home" --port 0 --dicom-ae CLINIC
says err 'needs its --dicom-port'
run 1 serve --home "$home" --port 0 --dicom-port 0 --dicom-address 0.0.0.0
says err 'say who may send, with --dicom-peers'
run 1 serve --home "$home" --port 0 --dicom-port 0 --dicom-ae A-TITLE-OF-17-CHAR
says err 'is no AE title'
echo '{"peers":[{"ae_title":"CT1","adress":"127.0.0.1"}]}' >"$work/peers.json"
run 1 serve --home "$home" --port 0 --dicom-port 0 --dicom-peers "$work/peers.json"
says err "peers.json: peer 1: there is no 'adress'"
echo '{"peers":[]}' >"$work/peers.json"
run 1 serve --home "$home" --port 0 --dicom-port 0 --dicom-peers "$work/peers.json"
says err "peers.json: 'peers' must have 1 to"

# --- who is let in
cat >"$work/peers.json" <<'JSON'
{"peers": [{"ae_title": "MODALITY1", "address": "127.0.0.1", "note": "X-ray, room 2"}, {"ae_title": "AWAY", "address": "192.0.2.7"},
           {"ae_title": "PACS"}]}
JSON
start_server --dicom-port 0 --dicom-address 0.0.0.0 --dicom-ae CLINIC --dicom-peers "$work/peers.json"
port=$(sed -n 's/^DICOM node CLINIC at port //p' "$work/served")
node=(127.0.0.1 "$port")
expect 0 echoscu -v -aet MODALITY1 -aec CLINIC "${node[@]}"
expect 0 echoscu -aet PACS -aec CLINIC "${node[@]}"
for stranger in STRANGER AWAY modality1; do
    expect 1 echoscu -aet $stranger -aec CLINIC "${node[@]}"
    grep -q 'Calling AE Title Not Recognized' "$work/said" || fail "$stranger was not refused by its name"
done
expect 1 storescu -aet MODALITY1 -aec OTHER "${node[@]}" "$syntaxes/CTImage.dcm"
grep -q 'Called AE Title Not Recognized' "$work/said" || fail "a wrong called title"
expect 0 "$REHASCOPE" send --echo --to "CLINIC@127.0.0.1:$port" --from PACS
run 1 send --echo --to "CLINIC@127.0.0.1:$port" --from STRANGER
says err 'rejects us \(for good\): it does not know our AE title'
checks=$((checks + 1))
grep -q 'event=dicom.rejected from=STRANGER peer=127.0.0.1 reason=unknown-caller' "$home/server.log" || fail "the log does not tell the stranger"

# --- every transfer syntax, bit for bit: the same sending to storescp, which keeps what comes, and to us
mkdir "$work/sent" "$work/kept"
for file in "$syntaxes"/*.dcm; do
    name=$(basename "$file")
    case $name in no-pixel-data.dcm) continue ;; esac # a report
    cp "$file" "$work/sent/$name"
    chmod u+w "$work/sent/$name"
    dcmodify -nb -gin -i "PatientName=ZZSECRET^Erna" -i "PatientID=ZZSECRET-4711" -ma "PatientBirthDate=19510203" "$work/sent/$name" \
        >"$work/said" 2>&1 || { fail "dcmodify $name"; cat "$work/said"; }
done
count=$(ls "$work/sent" | wc -l)
{
    printf '[[TransferSyntaxes]]\n[Any]\n'
    number=0
    for syntax in 1 "" 1.99 4.90 4.80 4.70 4.57 5 2 4.91 4.81 4.51 4.50 4.55 4.53; do
        number=$((number + 1))
        echo "TransferSyntax$number = 1.2.840.10008.1.2${syntax:+.$syntax}"
    done
    printf '[[PresentationContexts]]\n[All]\n'
    number=0
    for class in 1 1.1 2 2.1 4 3.1 6.1 7; do
        number=$((number + 1))
        printf 'PresentationContext%d = 1.2.840.10008.5.1.4.1.1.%s\\Any\n' $number $class
    done
    printf '[[Profiles]]\n[Keeper]\nPresentationContexts = All\n'
} >"$work/storescp.cfg"
start_peer "$work/keeper" storescp -B -xf "$work/storescp.cfg" Keeper -od "$work/kept" @
for file in "$work"/sent/*.dcm; do
    expect 0 dcmsend --decompress-never -aet MODALITY1 -aec CLINIC "${node[@]}" "$file"
    expect 0 dcmsend --decompress-never 127.0.0.1 "$peer_port" "$file"
done
kill "$peer"
wait "$peer" 2>/dev/null
checks=$((checks + 1))
[ "$(ls "$work/kept" | wc -l)" -eq "$count" ] && [ "$count" -ge 25 ] || fail "of $count files storescp kept $(ls "$work/kept" | wc -l)"
checks=$((checks + 1))
python3 "$REHA_SOURCE/tests/e2e/dicom_stored.py" "$address" "$work/kept" >"$work/compared" 2>"$work/err" ||
    { fail "what is held is not what was sent"; tail -n 3 "$work/err"; }
grep -q "^$count the same, from MODALITY1$" "$work/compared" || { fail "not all $count were compared"; cat "$work/compared"; }
# Known ones are acknowledged again and not stored twice, whoever sends them.
expect 0 dcmsend --decompress-never -aet PACS -aec CLINIC "${node[@]}" "$work/sent/CTImage.dcm"
checks=$((checks + 1))
grep -q 'event=dicom.association from=PACS .*end=released stored=0 known=1 refused=0' "$home/server.log" || fail "a duplicate was not told"
# A report is no picture: no context for it. One association for all others, in the syntaxes that storescu proposes.
expect 1 storescu -aet PACS -aec CLINIC "${node[@]}" "$syntaxes/no-pixel-data.dcm"
expect 0 storescu -aet PACS -aec CLINIC "${node[@]}" "$syntaxes"/TestPattern_RGB.dcm "$syntaxes"/TestPattern_Palette.dcm "$syntaxes/CTImage.dcm"
# Our own sending, to ourselves.
run 1 send --to "CLINIC@127.0.0.1:$port" --from PACS "$syntaxes"
says out 'no-pixel-data.dcm: failed: no presentation context'
says out '^27 of 28 sent to CLINIC$'
end_server
run 0 audit verify --home "$home"

# --- hostile peers, on loopback, where everybody of this machine may send
rm -rf "$home"
start_server --dicom-port 0
port=$(sed -n 's/^DICOM node REHASCOPE at port //p' "$work/served")
checks=$((checks + 1))
python3 "$REHA_SOURCE/tests/e2e/dicom_hostile.py" "$port" "$server" 2>"$work/hostile" || { fail "hostile peers"; tail -n 5 "$work/hostile"; }
for word in end=slow end=broken end=aborted reason=too-many-connections reason=busy; do
    checks=$((checks + 1))
    grep -q "$word" "$home/server.log" || fail "the log tells nothing of $word"
done
checks=$((checks + 1))
grep -q 'end=crashed' "$home/server.log" && fail "a process crashed: $(grep -c end=crashed "$home/server.log") times"
checks=$((checks + 1))
[ -z "$(pgrep -P "$server" -f -- --association)" ] || fail "processes of associations are left over"
end_server
run 0 audit verify --home "$home"
checks=$((checks + 1))
if grep -rqa -e ZZSECRET -e Erna -e 19510203 "$home" "$work/serve-err" "$work/served"; then
    fail "the name is in: $(grep -rla -e ZZSECRET -e Erna -e 19510203 "$home" "$work/serve-err" "$work/served")"
fi

# --- TLS: who shows a certificate of our authority is heard, others are not
authority() { # NAME: a certificate that signs itself
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}
signed() { # NAME: by the clinic's authority
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
    openssl x509 -req -in "$work/$1.csr" -CA "$work/clinic-ca.pem" -CAkey "$work/clinic-ca.key" -CAcreateserial -days 2 \
        -out "$work/$1.pem" 2>/dev/null
}
if command -v openssl >/dev/null; then
    authority clinic-ca
    authority stranger
    signed node
    signed modality
    run 2 serve --home "$home" --dicom-port 0 --dicom-tls-key "$work/node.key"
    says err 'needed together'
    run 1 serve --home "$home" --port 0 --dicom-port 0 --dicom-tls-cert "$work/node.pem" --dicom-tls-key "$work/modality.key" \
        --dicom-tls-ca "$work/clinic-ca.pem"
    says err 'modality.key: is not the key of that certificate'
    run 1 serve --home "$home" --port 0 --dicom-port 0 --dicom-tls-cert "$work/node.pem" --dicom-tls-key "$work/node.key" \
        --dicom-tls-ca "$work/nowhere.pem"
    says err 'nowhere.pem: is no certificate of an authority'
    start_server --dicom-port 0 --dicom-tls-cert "$work/node.pem" --dicom-tls-key "$work/node.key" --dicom-tls-ca "$work/clinic-ca.pem"
    port=$(sed -n 's/^DICOM node REHASCOPE at port \(.*\) with TLS$/\1/p' "$work/served")
    node=(127.0.0.1 "$port")
    own=(+tls "$work/modality.key" "$work/modality.pem" +cf "$work/clinic-ca.pem")
    expect 0 echoscu "${own[@]}" -aec REHASCOPE "${node[@]}"
    expect 0 storescu "${own[@]}" -aec REHASCOPE "${node[@]}" "$syntaxes/CTImage.dcm"
    expect 1 echoscu +tls "$work/stranger.key" "$work/stranger.pem" +cf "$work/clinic-ca.pem" -aec REHASCOPE "${node[@]}"
    expect 1 echoscu -ic +tla -aec REHASCOPE "${node[@]}"
    expect 1 echoscu -aec REHASCOPE "${node[@]}"
    ours=(--tls-cert "$work/modality.pem" --tls-key "$work/modality.key")
    run 0 send --echo --to "REHASCOPE@127.0.0.1:$port" "${ours[@]}" --tls-ca "$work/clinic-ca.pem"
    run 0 send --to "REHASCOPE@127.0.0.1:$port" "${ours[@]}" --tls-ca "$work/clinic-ca.pem" "$syntaxes/TestPattern_RGB.dcm"
    run 1 send --echo --to "REHASCOPE@127.0.0.1:$port" "${ours[@]}" --tls-ca "$work/stranger.pem"
    says err 'no TLS with it'
    run 3 send --echo --to "REHASCOPE@127.0.0.1:$port"
    says err 'does it want TLS'
    run 2 send --echo --to "REHASCOPE@127.0.0.1:$port" "${ours[@]}"
    end_server
else
    echo "without openssl: the part with TLS is left out"
fi

# --- kill -9
rm -rf "$home"
mkdir "$work/modality"
checks=$((checks + 1))
python3 "$REHA_SOURCE/tests/e2e/dicom_crash.py" "$REHASCOPE" "$home" "${REHA_CRASH_ROUNDS:-20}" "$work/modality" ||
    fail "what was acknowledged is lost"
run 0 audit verify --home "$home"
finish
