# The fracture recogniser from generated pictures to boxes: training with cross-validation, evaluation, analysis with
# picture and report, audit, and clear words for what is wrong. The pictures are knees without fractures and the boxes
# are invented: that it runs is tested here, not that it is good.
. "$(dirname "$0")/lib.sh"

run 0 phantom "$work/knees" --count 9
mkdir -p "$work/data/images" "$work/data/boxes"
number=0
for picture in "$work"/knees/*/*.png "$work"/knees/*.png; do
    [ -f "$picture" ] || continue
    name=p$number
    cp "$picture" "$work/data/images/$name.png"
    [ $((number % 4)) -eq 3 ] || echo "0 0.5$number 0.4 0.2 0.1" >"$work/data/boxes/$name.txt"
    number=$((number + 1))
done
[ "$number" -ge 9 ] || fail "only $number pictures"
train=(train fracture --data "$work/data" --threads 1 --seed 3 --epochs 1)

run 0 "${train[@]}" --out "$work/a"
for file in model.onnx card.json fold-1.onnx fold-3.onnx held_out.csv training_images.txt log.csv; do
    [ -s "$work/a/$file" ] || fail "training left no $file"
done
grep -q '"research only"' "$work/a/card.json" || fail "the card does not say: research only"
rm "$work/a/model.onnx"
cp -r "$work/a" "$work/b"
run 0 "${train[@]}" --out "$work/b" --resume
[ -s "$work/b/model.onnx" ] || fail "a resumed training left no model"
run 1 "${train[@]}" --out "$work/b" --resume --seed 4
says err 'seed 3'
cp "$work/b/model.onnx" "$work/a/model.onnx"
run 1 "${train[@]}" --out "$work/c" --network vgg
says err "no network 'vgg'"

run 0 evaluate fracture --data "$work/data" --model "$work/a" --rounds 50 --threads 1 --predictions "$work/p.csv"
says out 'mAP50 '
says out 'SEEN IN TRAINING'
grep -q '^images/p3.png,p3,0,' "$work/p.csv" || fail "a picture without boxes is not among the predictions"
run 0 evaluate fracture --data "$work/data" --model "$work/a" --rounds 20 --threads 1 --split held-out --json
says out '"seen_in_training": 9'
says out '"erasure"'
run 1 evaluate fracture --data "$work/data" --model "$work/a" --split val
says err "no split 'val'"

# The drawn pictures are no limbs: without a gate, and every result says so.
export REHASCOPE_MODELS=$work/ungated
mkdir "$REHASCOPE_MODELS"
run 0 analyse --task fracture --model "$work/a" --threads 1 "$work/data/images/p0.png" --json
says out '"no-gate"'
says out '"research-only"'
says out '"operating-points"'
run 0 analyse --task fracture --model "$work/a" --threads 1 "$work/data/images/p0.png" --overlay "$work/o.png" --report "$work/r.html"
says out 'research only'
[ -s "$work/o.png" ] || fail "no overlay"
grep -q 'Research only' "$work/r.html" || fail "the report does not say: research only"
run 0 analyse --task fracture --model "$work/a" --threads 1 "$work/data/images/p0.png" --report "$work/r.pdf"

run 0 audit-data fracture --data "$work/data"
says out 'nearly every picture has a fracture|without a box'
cp "$work/data/images/p0.png" "$work/data/images/q0.png"
run 1 audit-data fracture --data "$work/data" --json
says out '"copy-leak"'
says err '1 problem is an error'
echo "0 0.5 0.4 0.2" >"$work/data/boxes/p1.txt"
run 1 "${train[@]}" --out "$work/d"
says err 'boxes/p1.txt: line 1'
run 1 evaluate fracture --data "$work/knees" --model "$work/a"
says err 'no layout known'
finish
