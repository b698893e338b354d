#!/usr/bin/env bash
# What `make test` runs: a Release build with warnings as errors for the end-to-end tests, and a
# build with AddressSanitizer and UndefinedBehaviorSanitizer for the unit tests.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)

configure() { # folder, options...
    local folder=$1
    shift
    cmake -S . -B "$folder" -G Ninja "$@" >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
    rm -f "$folder.log"
}

launcher=()
if command -v ccache >/dev/null; then
    # Where the home cannot be written (a build account, none at all), the compiled files are kept here.
    [ -n "${CCACHE_DIR:-}" ] || [ -w "${HOME:-/nowhere}" ] || export CCACHE_DIR=$PWD/build/ccache
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi

echo "== build: Release, warnings are errors"
configure build -DCMAKE_BUILD_TYPE=Release -DREHA_WERROR=ON "${launcher[@]}"
ninja -C build -j "$jobs" --quiet
echo "== build: sanitizers"
# Instrumented code makes gcc guess at faults that are none: warnings are judged in the build above.
configure build-san -DCMAKE_BUILD_TYPE=RelWithDebInfo -DREHA_SANITIZE=ON "${launcher[@]}"
ninja -C build-san -j "$jobs" --quiet

echo "== unit tests under the sanitizers"
ctest --test-dir build-san --no-tests=error --output-on-failure -j "$jobs" -E '^(e2e_|rooms$|symbols$)' -LE release
echo "== end-to-end tests, Release"
ctest --test-dir build --no-tests=error --output-on-failure -j "$jobs" -R '^(e2e_|rooms$|symbols$|nn_)'
