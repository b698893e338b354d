# The clinic in a real browser: first account, sign in, upload, analysis, review, signature, comparison, audit.
# REHA_SHOTS=folder keeps pictures of every page.
. "$(dirname "$0")/lib.sh"

web=$REHA_SOURCE/tests/web

# What is refused before anything listens.
run 1 serve --home "$work/none" --address 0.0.0.0 --port 0
says err 'plain HTTP is for 127.0.0.1 only'
run 2 serve --home "$work/none" --tls-cert only.pem
run 1 serve --home "$work/none" --address nowhere --port 0
run 1 serve --home "$work/none" --address 0.0.0.0 --port 0 --demo
says err 'demo'

# Without models no image could be analysed: said at once, and nothing is made.
run 1 serve --home "$work/bare" --models "$work/no-models" --port 0
says err 'no folder of models.*--models DIR'
mkdir -p "$work/models/knee-oa/1"
run 1 serve --home "$work/bare" --models "$work/models" --port 0
says err 'no version folder with a card.json'
echo '{}' >"$work/models/knee-oa/1/card.json"
run 1 serve --home "$work/bare" --models "$work/models" --port 0
says err 'holds no network'
head -c 1000 "$REHA_SOURCE/models/knee-oa/1/model.onnx" >"$work/models/knee-oa/1/model.onnx" # a copy that broke off
run 1 serve --home "$work/bare" --models "$work/models" --port 0
says err 'model.onnx: not an ONNX file, or cut off'
[ ! -e "$work/bare/records.db" ] || fail "a home was made without models"

# A port in use is said with the way out, and leaves nothing by which a later start would take a demonstration for filled.
start_server
run 1 serve --home "$work/demo" --port "${address##*:}" --demo
says err "port ${address##*:} of 127.0.0.1 is in use.*choose another port"
run 0 user list --home "$work/demo"
checks=$((checks + 1))
grep -q admin "$work/out" && fail "a demonstration that was never served has accounts"
end_server
rm -rf "$work/home"

need_browser
run 0 phantom "$work/phantoms" --count 3 --films --dicom
start_server
if grep -q 'left out' "$work/served"; then
    end_server
    echo "skipped: this build has no pages"
    exit 77
fi
checks=$((checks + 1))
node "$web/clinic.mjs" "$address" "$work/phantoms" ${REHA_SHOTS:+"$REHA_SHOTS"} || fail "the day in the clinic"
end_server

checks=$((checks + 1))
if grep -aq ZZSECRET "$work/home/server.log" "$work/served" "$work/serve-err"; then fail "a patient's name is in a log"; fi
checks=$((checks + 1))
grep -q 'event=http.request .*route=/api/v1/uploads status=201' "$work/home/server.log" || fail "the upload is not in the log"
checks=$((checks + 1))
[ "$(stat -c %a "$work/home/server.log")" = 600 ] || fail "others can read the log"

# With a certificate: the same pages, the cookie for TLS only.
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    start_server --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
    checks=$((checks + 1))
    NODE_TLS_REJECT_UNAUTHORIZED=0 node --no-warnings -e '
        const r = await fetch(process.argv[1] + "/api/v1/session", { method: "POST", headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ name: "petra", password: "a long sentence for tests" }) });
        const ok = r.status === 201 && /; Secure/.test(r.headers.get("set-cookie")) && r.headers.get("strict-transport-security");
        if (!ok) { console.log(r.status, r.headers.get("set-cookie")); process.exit(1); }' --input-type=module "$address" ||
        fail "signing in by TLS"
    end_server
fi
finish
