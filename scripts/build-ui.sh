#!/usr/bin/env bash
# Builds the pages (ui/) into one C file. Arguments: folder of the sources, scratch folder, the C file. Where npm
# or its registry is absent, the C file holds one page that says so, and the next build tries again.
set -euo pipefail
source=$1
scratch=$2
out=$3
mkdir -p "$scratch" "$(dirname "$out")"

without() {
    echo "rehascope: the web pages are left out: $1" >&2
    rm -rf "$scratch/dist"
    mkdir -p "$scratch/dist"
    {
        echo '#include "web/assets.h"'
        echo 'static const uint8_t page[] = "<!doctype html><html lang=\"en\"><title>Rehascope</title><h1>The pages were left out of this build</h1><p>npm or its registry was absent when the program was built. Once they are there, run make again. The interface under /api/v1 works.</p></html>";'
        echo 'const reha_asset reha_assets[] = {{"/index.html", "text/html; charset=utf-8", "\"left-out\"", false, sizeof page - 1, page}};'
        echo 'const size_t reha_asset_count = 1;'
        echo 'const bool reha_assets_built = false;'
    } >"$out"
    touch -d '2000-01-01' "$out" # older than its sources: tried again next time
    exit 0
}

command -v node >/dev/null && command -v npm >/dev/null || without "node or npm is not installed"

# Two builds at once (Release and sanitizers) share the tools.
exec 9>"$source/.build-lock"
flock 9
# Where the home cannot be written (a build account, none at all), npm keeps its files here.
[ -w "${HOME:-/nowhere}" ] || export npm_config_cache=$scratch/npm-cache
stamp=$source/node_modules/.installed
if ! cmp -s "$source/package-lock.json" "$stamp"; then
    (cd "$source" && npm ci --include=dev --ignore-scripts --no-audit --no-fund \
        --prefer-offline --fetch-retries 1 --fetch-timeout 30000) \
        >"$scratch/npm.log" 2>&1 || without "npm could not fetch its packages ($(sed -n 's/^npm \(ERR!\|error\) //p' "$scratch/npm.log" | head -n 3 | paste -sd ' '))"
    cp "$source/package-lock.json" "$stamp"
fi
cd "$source"
node node_modules/typescript/bin/tsc --noEmit
node node_modules/vite/bin/vite.js build --outDir "$scratch/dist" --emptyOutDir
node embed.mjs "$scratch/dist" "$out"
