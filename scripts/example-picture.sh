#!/usr/bin/env bash
# Draws docs/images/example.png anew: a generated knee through the program. Argument: the program.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p docs/images
"$1" phantom "$work" --count 4 --seed 3 >/dev/null
"$1" analyse "$work/knee-003L.png" --mm-per-px 0.45 --overlay docs/images/example.png
