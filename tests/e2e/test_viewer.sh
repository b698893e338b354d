# The viewer in a real browser: stacks, films, overlays, comparison, touch. REHA_SHOTS=folder keeps pictures.
. "$(dirname "$0")/lib.sh"

web=$REHA_SOURCE/tests/web

need_browser
run 0 phantom "$work/phantoms" --count 2 --films --dicom
start_server
if grep -q 'left out' "$work/served"; then
    echo "skipped: this build has no pages"
    exit 77
fi
checks=$((checks + 1))
node "$web/viewer.mjs" "$address" "$work/phantoms" ${REHA_SHOTS:+"$REHA_SHOTS"} || fail "the viewer"
checks=$((checks + 1))
grep -q 'route=/api/v1/images/{id}/comparison status=200' "$work/home/server.log" || fail "the comparison is not in the log"
finish
