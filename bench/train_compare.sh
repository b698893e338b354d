#!/usr/bin/env bash
# Training speed against PyTorch on the same three graphs, the two in turn, from `make bench`. Arguments: build
# folder, rounds (default 2); some minutes, nearly all PyTorch's. Prints medians of images per second and their ratio.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
rounds=${2:-2}
if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    echo "skipped: python3-torch is absent"
    exit 0
fi

rate() { sed -n 's/.*"images_per_s": *\([0-9.]*\).*/\1/p'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

for graph in resnet18 mobilenetv2 unet; do
    batch=16 steps=5
    if [ "$graph" = unet ]; then batch=4 steps=3; fi
    for precision in f32 bf16; do
        options=(--batch "$batch" --threads 2 --steps "$steps" --precision "$precision" --only "$graph")
        ours='' theirs=''
        for _ in $(seq "$rounds"); do
            ours+="$("$build/bench/train_bench" "${options[@]}" | rate)"$'\n'
            sleep 0.5
            theirs+="$(/usr/bin/python3 bench/torch_train.py "${options[@]}" | rate)"$'\n'
            sleep 0.5
        done
        a=$(printf '%s' "$ours" | median) b=$(printf '%s' "$theirs" | median)
        awk -v g="$graph" -v p="$precision" -v n="$batch" -v a="$a" -v b="$b" \
            'BEGIN { printf "%-12s %-5s batch %d threads 2:  %6.1f images/s   PyTorch %6.1f   (%.2fx)\n", g, p, n, a, b, a / b }'
    done
done
