#!/usr/bin/env bash
# `make run`: the clinic at http://127.0.0.1:8080. Argument: the program. CLINIC: folder of the records (default
# out/clinic); PORT: another port; DEMO=1: a clinic of generated patients in out/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
options=(--port "${PORT:-8080}")
if [ -n "${DEMO:-}" ]; then
    options+=(--home "${CLINIC:-out/demo}" --demo)
else
    options+=(--home "${CLINIC:-out/clinic}")
fi
mkdir -p out
exec "$program" serve "${options[@]}"
