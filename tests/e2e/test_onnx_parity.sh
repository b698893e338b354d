# Our ONNX files in ONNX Runtime: outputs agree with the engine's to 1e-4 relative.
. "$(dirname "$0")/lib.sh"

export_models=$(dirname "$REHASCOPE")/tests/nn_test_onnx
command -v node >/dev/null && command -v npm >/dev/null || { echo "skipped: node or npm is absent"; exit 77; }
[ -x "$export_models" ] || { echo "skipped: $export_models is not built"; exit 77; }
if [ ! -d "$REHA_SOURCE/tests/node_modules/onnxruntime-node" ]; then
    (cd "$REHA_SOURCE/tests" && npm ci --ignore-scripts --no-audit --no-fund >"$work/npm" 2>&1) ||
        { tail -n 3 "$work/npm"; echo "skipped: npm could not install onnxruntime-node"; exit 77; }
fi
mkdir "$work/models"
"$export_models" --export "$work/models" || fail "the models were not written"
checks=$((checks + 1))
node "$(dirname "$0")/onnx_parity.js" "$work/models" || fail "ONNX Runtime disagrees"
finish
