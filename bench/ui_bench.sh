#!/usr/bin/env bash
# How fast the pages are, in a real browser on this machine: bench/ui_bench.sh [BUILD]. Needs node, npm and Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
for tool in node npm "${CHROMIUM:-/usr/bin/chromium}"; do
    command -v "$tool" >/dev/null || { echo "== pages: skipped, $tool is absent"; exit 0; }
done
[ -d tests/web/node_modules/playwright-core ] ||
    (cd tests/web && npm ci --ignore-scripts --no-audit --no-fund >/dev/null)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
"$build/rehascope" phantom "$work/phantoms" --count 1 --films --dicom >/dev/null
"$build/rehascope" serve --home "$work/home" --port 0 >"$work/served" 2>&1 &
server=$!
address=
for _ in $(seq 300); do
    address=$(sed -n 's/^Rehascope is at \([^ ]*\).*/\1/p' "$work/served")
    [ -n "$address" ] && break
    sleep 0.1
done
[ -n "$address" ] || { cat "$work/served"; exit 1; }
echo "== pages, in milliseconds"
node bench/ui_bench.mjs "$address" "$work/phantoms"
