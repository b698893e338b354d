#!/usr/bin/env bash
# `make bench`: the whole path of an image, then the engine against ONNX Runtime and PyTorch, each side by
# side in one run. Wants an otherwise idle machine. Figures are printed, never judged.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
scripts/install-packages.sh scripts/packages-dev.txt
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DREHA_BENCH=ON >/dev/null
ninja -C "$build" --quiet
echo "== from file to result"
data=${REHA_DATA:-../shared/data}
if [ -d "$data" ]; then
    "$build/bench/path_bench" "$build/rehascope" models "$data"
else
    "$build/bench/path_bench" "$build/rehascope" models
fi
if command -v node >/dev/null; then
    echo "== a full clinic"
    node bench/clinic_load.mjs "$build/rehascope"
fi
echo "== searching sealed names"
"$build/bench/search_bench"
if [ -x bench/run.sh ]; then
    bench/run.sh "$build"
fi
bench/ui_bench.sh "$build"
