#!/usr/bin/env bash
# Fuzzes every parser of foreign bytes for SECONDS each (default 60), starting from the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
CC=clang CXX=clang++ cmake -S . -B build-fuzz -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DREHA_SANITIZE=ON -DREHA_FUZZ=ON >/dev/null
ninja -C build-fuzz --quiet
for target in build-fuzz/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    corpus=fuzz/corpus/${name#fuzz_}
    work=build-fuzz/corpus-$name
    mkdir -p "$work"
    leaks=1 # of associations DCMTK's own would be looked for after each input; ours are counted by the target
    [ "$name" = fuzz_association ] && leaks=0
    echo "== $name, $seconds s"
    LSAN_OPTIONS=suppressions=tests/lsan.supp "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=600 -detect_leaks=$leaks \
        -print_final_stats=1 "$work" "$corpus" 2>&1 | grep -E '^(stat::|==|SUMMARY)' || true
    if ls crash-* oom-* timeout-* leak-* >/dev/null 2>&1; then
        echo "fuzz: $name found a fault; the input lies here:" && ls crash-* oom-* timeout-* leak-* 2>/dev/null
        exit 1
    fi
done
