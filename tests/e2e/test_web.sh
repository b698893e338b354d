# The clinic in a real browser: first account, sign in, upload, analysis, review, signature, comparison, audit.
# REHA_SHOTS=folder keeps pictures of every page.
. "$(dirname "$0")/lib.sh"

web=$REHA_SOURCE/tests/web
server=
stop() {
    [ -n "$server" ] && kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap stop EXIT

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
[ ! -e "$work/bare/records.db" ] || fail "a home was made without models"

command -v node >/dev/null && command -v npm >/dev/null && command -v "${CHROMIUM:-/usr/bin/chromium}" >/dev/null ||
    { echo "skipped: node, npm or chromium is absent"; exit 77; }
if [ ! -d "$web/node_modules/playwright-core" ]; then
    (cd "$web" && npm ci --ignore-scripts --no-audit --no-fund >"$work/npm" 2>&1) ||
        { tail -n 3 "$work/npm"; echo "skipped: npm could not install playwright-core"; exit 77; }
fi

start() { # options...: starts the server, its address lands in $address
    "$REHASCOPE" serve --home "$work/home" --port 0 "$@" >"$work/served" 2>"$work/serve-err" &
    server=$!
    for _ in $(seq 200); do
        address=$(sed -n 's/^Rehascope is at \([^ ]*\).*/\1/p' "$work/served")
        [ -n "$address" ] && return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    fail "the server did not start:"
    cat "$work/served" "$work/serve-err"
    finish
    exit 1
}

end() { # SIGTERM must end it cleanly and soon
    checks=$((checks + 1))
    kill -TERM "$server"
    for _ in $(seq 100); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -0 "$server" 2>/dev/null && { fail "the server did not stop within 10 s"; kill -KILL "$server"; }
    wait "$server" || fail "the server ended with exit code $?"
    server=
}

run 0 phantom "$work/phantoms" --count 3 --films --dicom
start
if grep -q 'left out' "$work/served"; then
    end
    echo "skipped: this build has no pages"
    exit 77
fi
checks=$((checks + 1))
node "$web/clinic.mjs" "$address" "$work/phantoms" ${REHA_SHOTS:+"$REHA_SHOTS"} || fail "the day in the clinic"
end

checks=$((checks + 1))
if grep -aq ZZSECRET "$work/home/server.log" "$work/served" "$work/serve-err"; then fail "a patient's name is in a log"; fi
checks=$((checks + 1))
grep -q 'event=http.request .*route=/api/v1/uploads status=201' "$work/home/server.log" || fail "the upload is not in the log"
checks=$((checks + 1))
[ "$(stat -c %a "$work/home/server.log")" = 600 ] || fail "others can read the log"

# With a certificate: the same pages, the cookie for TLS only.
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    start --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
    checks=$((checks + 1))
    NODE_TLS_REJECT_UNAUTHORIZED=0 node --no-warnings -e '
        const r = await fetch(process.argv[1] + "/api/v1/session", { method: "POST", headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ name: "petra", password: "a long sentence for tests" }) });
        const ok = r.status === 201 && /; Secure/.test(r.headers.get("set-cookie")) && r.headers.get("strict-transport-security");
        if (!ok) { console.log(r.status, r.headers.get("set-cookie")); process.exit(1); }' --input-type=module "$address" ||
        fail "signing in by TLS"
    end
fi
finish
