# Our ONNX files in ONNX Runtime: outputs agree with the engine's to 1e-4 relative.
. "$(dirname "$0")/lib.sh"

export_models=$(dirname "$REHASCOPE")/tests/nn_test_onnx
[ -x "$export_models" ] || { echo "skipped: $export_models is not built"; exit 77; }
npm_packages "$REHA_SOURCE/tests" onnxruntime-node || { echo "skipped: no ONNX Runtime"; exit 77; }
mkdir "$work/models"
"$export_models" --export "$work/models" || fail "the models were not written"
checks=$((checks + 1))
node "$(dirname "$0")/onnx_parity.js" "$work/models" || fail "ONNX Runtime disagrees"
finish
