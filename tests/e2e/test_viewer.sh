# The viewer in a real browser: stacks, films, overlays, comparison, touch. REHA_SHOTS=folder keeps pictures.
. "$(dirname "$0")/lib.sh"

web=$REHA_SOURCE/tests/web
server=
stop() {
    [ -n "$server" ] && kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap stop EXIT

command -v node >/dev/null && command -v npm >/dev/null && command -v "${CHROMIUM:-/usr/bin/chromium}" >/dev/null ||
    { echo "skipped: node, npm or chromium is absent"; exit 77; }
if [ ! -d "$web/node_modules/playwright-core" ]; then
    (cd "$web" && npm ci --ignore-scripts --no-audit --no-fund >"$work/npm" 2>&1) ||
        { tail -n 3 "$work/npm"; echo "skipped: npm could not install playwright-core"; exit 77; }
fi

run 0 phantom "$work/phantoms" --count 2 --films --dicom
"$REHASCOPE" serve --home "$work/home" --port 0 >"$work/served" 2>"$work/serve-err" &
server=$!
address=
for _ in $(seq 300); do
    address=$(sed -n 's/^Rehascope is at \([^ ]*\).*/\1/p' "$work/served")
    [ -n "$address" ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if [ -z "$address" ]; then
    fail "the server did not start:"
    cat "$work/served" "$work/serve-err"
    finish
    exit 1
fi
if grep -q 'left out' "$work/served"; then
    echo "skipped: this build has no pages"
    exit 77
fi
checks=$((checks + 1))
node "$web/viewer.mjs" "$address" "$work/phantoms" ${REHA_SHOTS:+"$REHA_SHOTS"} || fail "the viewer"
checks=$((checks + 1))
grep -q 'route=/api/v1/images/{id}/comparison status=200' "$work/home/server.log" || fail "the comparison is not in the log"
finish
