#!/usr/bin/env bash
# The engine against ONNX Runtime and PyTorch, from `make bench`. Arguments: build folder, then options
# of infer_compare.js (--quick, --cpu, --json FILE).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
shift || true
if ! command -v node >/dev/null; then
    echo "== inference: skipped, node is absent"
    exit 0
fi
if [ ! -d tests/node_modules/onnxruntime-node ]; then
    (cd tests && npm ci --ignore-scripts --no-audit --no-fund >/dev/null 2>&1) ||
        echo "(ONNX Runtime could not be installed with npm)"
fi
echo "== inference, medians in ms; in brackets the share of ONNX Runtime's f32 time"
node bench/infer_compare.js "$build/bench/infer_bench" "$@"
if [ -x bench/train_compare.sh ]; then
    echo "== training"
    bench/train_compare.sh "$build"
fi
