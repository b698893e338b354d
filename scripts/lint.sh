#!/usr/bin/env bash
# clang-format (no change allowed) and clang-tidy (no finding of its list allowed).
set -euo pipefail
cd "$(dirname "$0")/.."
CC=clang CXX=clang++ cmake -S . -B build-lint -G Ninja -DCMAKE_BUILD_TYPE=Debug -DREHA_WERROR=ON >/dev/null
ninja -C build-lint --quiet
# One file a process: after the first file the analyser (14) takes every va_list for uninitialised.
git ls-files -z 'src/*.c' | xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build-lint --quiet --warnings-as-errors='*'
mapfile -t all < <(git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'tests/*.c' 'tests/*.h' 'bench/*.c' 'fuzz/*.c')
clang-format --dry-run --Werror "${all[@]}"
