# Training from nothing on generated knees: a model that loads, the same weights from the same seed, going on
# after a stop, and clear words for what cannot be trained on.
. "$(dirname "$0")/lib.sh"

run 0 phantom "$work/knees" --count 60
awk -F, -v OFS=, 'NR > 1 { $5 = NR % 3 == 0 ? "val" : "train" } { print }' "$work/knees/labels.csv" >"$work/l" && mv "$work/l" "$work/knees/labels.csv"
train=(train knee-oa --data "$work/knees" --network mobilenetv2 --threads 2 --seed 7)

run 0 "${train[@]}" --epochs 2 --out "$work/a"
says err 'caution: without --backbone the network starts from random weights'
says out '^  kappa +(-?[0-9.]+|-) '
for file in model.onnx card.json log.csv checkpoint.bin; do
    [ -s "$work/a/$file" ] || fail "training left no $file"
done
[ "$(wc -l <"$work/a/log.csv")" -eq 3 ] || fail "the log has not a line for each of two epochs"
run 0 "${train[@]}" --epochs 2 --out "$work/b"
cmp -s "$work/a/model.onnx" "$work/b/model.onnx" || fail "the same seed gave other weights"
run 0 "${train[@]}" --epochs 1 --out "$work/c"
run 0 "${train[@]}" --epochs 2 --out "$work/c" --resume
[ "$(wc -l <"$work/c/log.csv")" -eq 3 ] || fail "a resumed training did not go on"
run 1 "${train[@]}" --seed 8 --epochs 3 --out "$work/c" --resume
says err 'seed 7'
run 1 "${train[@]}" --epochs 2 --out "$work/never" --resume
run 1 "${train[@]}" --epochs 1 --out "$work/d" --network vgg
says err "no network 'vgg'"
run 1 "${train[@]}" --epochs 1 --out "$work/d" --backbone "$work/knees"

# What cannot be learnt from is said before the first step, and leaves nothing; semicolons are no fault.
spoil() { mkdir -p "$work/spoilt" && ln -sf "$work/knees/"*.png "$work/spoilt/" && sed "$1" "$work/knees/labels.csv" >"$work/spoilt/labels.csv"; }
refused() { run 1 "${train[@]}" --data "$work/spoilt" --epochs 1 --out "$work/none"; says err "$1"; [ ! -e "$work/none/checkpoint.bin" ] || fail "half a training was left"; }
spoil '3s/phantom-001,/phantom-000,/;4s/phantom-002,/phantom-000,/'
refused "are of one patient"
spoil 's/,\(train\|val\),[0-4],/,\1,2,/'
refused "every image of split 'train' has grade 2"
spoil '20,$s/,val,/,train,/'
refused "images in split 'val': at least 10 are needed"
spoil 's/,/;/g'
run 0 audit-data knee-oa --data "$work/spoilt"
says out '60 images of 60 patients'
rm -r "$work/spoilt"

run 0 evaluate knee-oa --data "$work/knees" --split val --model "$work/a" --rounds 50 --predictions "$work/p.csv"
says out 'quadratic kappa'
[ "$(wc -l <"$work/p.csv")" -eq 21 ] || fail "not one prediction for each of 20 images"

# A second reader: predictions of the training images change what is learnt; rows that miss, lie or belong to
# other images are told.
run 0 evaluate knee-oa --data "$work/knees" --split train --model "$work/a" --rounds 0 --predictions "$work/teacher.csv"
run 0 "${train[@]}" --epochs 1 --out "$work/taught" --teacher "$work/teacher.csv"
cmp -s "$work/taught/model.onnx" "$work/c/model.onnx" && fail "a teacher changed nothing"
grep -q '"teacher_share": 0.5' "$work/taught/card.json" || fail "the card does not tell of the teacher"
grep -q '"teacher_share": 0.0' "$work/a/card.json" || fail "the card tells of a teacher that was not there"
run 1 "${train[@]}" --epochs 1 --out "$work/none" --teacher "$work/none.csv"
run 1 "${train[@]}" --epochs 1 --out "$work/none" --teacher "$work/p.csv"
says err 'p.csv: only 0 of 40 training images have a row'
awk -F, -v OFS=, 'NR == 3 { $4 = "1.5" } { print }' "$work/teacher.csv" >"$work/bad.csv"
run 1 "${train[@]}" --epochs 1 --out "$work/none" --teacher "$work/bad.csv"
says err 'bad.csv: line 3: the probabilities add up to'
awk -F, -v OFS=, 'NR == 3 { $4 = "-1" } { print }' "$work/teacher.csv" >"$work/bad.csv"
run 1 "${train[@]}" --epochs 1 --out "$work/none" --teacher "$work/bad.csv"
says err "bad.csv: line 3: 'p1' is no probability"

# Explanations are measured, and their figures go into the card; the card's method is the one used.
run 0 evaluate knee-oa --data "$work/knees" --split val --model "$work/a" --rounds 20 --threads 1 --explain --explain-images 3 --save-card
says out 'used by the program: (hires-cam|grad-cam)'
says out 'by side'
says out 'random .*control'
grep -q '"n_shuffled"' "$work/a/card.json" || fail "the card has no measured explanation"
grep -q '"few": true' "$work/a/card.json" || fail "the card does not mark small subgroups"
run 0 analyse --model "$work/a" --threads 1 "$work/knees/$(awk -F, 'NR == 2 { print $1 }' "$work/knees/labels.csv")"
sed 's/"method": "[a-z+-]*"/"method": "divination"/' "$work/a/card.json" >"$work/card.json"
cp -r "$work/a" "$work/odd" && mv "$work/card.json" "$work/odd/card.json"
run 1 analyse --model "$work/odd" --threads 1 "$work/knees/$(awk -F, 'NR == 2 { print $1 }' "$work/knees/labels.csv")"
says err "explanation.method is 'divination'"
awk -F, 'NR == 1 { print "knee_id,tibia_xy9_roi466,femur_xy7_roi466" } NR > 1 { print $2 ",\"1,2,x\",\"1,2\"" }' "$work/knees/labels.csv" >"$work/knees/landmarks.csv"
run 1 evaluate knee-oa --data "$work/knees" --split val --model "$work/a" --rounds 0 --threads 1 --explain --explain-images 1
says err 'landmarks.csv, line [0-9]+: not 9 and 7 points'
echo "knee_id,femur" >"$work/knees/landmarks.csv"
run 1 evaluate knee-oa --data "$work/knees" --split val --model "$work/a" --rounds 0 --threads 1 --explain --explain-images 1
says err "landmarks.csv.*'tibia_xy9_roi466' is missing"
rm "$work/knees/landmarks.csv"
run 2 evaluate knee-oa --data "$work/knees" --model "$work/a" --save-card
run 2 calibrate knee-oa --data "$work/knees" --model "$work/a" --explain
before=$(cksum <"$work/a/card.json")
run 0 calibrate knee-oa --data "$work/knees" --split train --model "$work/a" --rounds 50
says out '"coverage"'
[ "$(cksum <"$work/a/card.json")" != "$before" ] || fail "calibration did not change the card"
run 0 evaluate knee-oa --data "$work/knees" --split val --model "$work/a" --rounds 0
run 1 calibrate knee-oa --data "$work/knees" --split nothing --model "$work/a"
run 2 quantise knee-oa --data "$work/knees"
run 1 quantise muscle-us --data "$work/knees" --model "$REHA_SOURCE/models/muscle-us/1"
says err 'no networks that can run in int8'
before=$(cksum <"$work/b/card.json")
if "$REHASCOPE" doctor | grep -q 'int8 fast'; then
    run 0 quantise knee-oa --data "$work/knees" --split val --model "$work/b" --threads 1
    if [ -e "$work/b/model.onnx.ranges.json" ]; then
        says out '^kept'
        run 0 evaluate knee-oa --data "$work/knees" --split val --model "$work/b" --rounds 0
        run 1 quantise knee-oa --data "$work/knees" --split val --model "$work/b"
        says err 'int8 already'
        rm "$work/b/model.onnx.ranges.json"
        run 1 evaluate knee-oa --data "$work/knees" --split val --model "$work/b" --rounds 0
        says err 'model.onnx.ranges.json'
    else
        says out '^not kept'
        [ "$(cksum <"$work/b/card.json")" = "$before" ] || fail "what was not kept changed the card"
    fi
else
    run 1 quantise knee-oa --data "$work/knees" --split val --model "$work/b"
    says err 'VNNI'
fi
run 0 audit-data knee-oa --data "$work/knees" --json
says out '"patients": 60'

# A file that is absent is told apart from an image that was refused; with no image left, why is said. What images do not tell
# is no "nan", and what cannot be written is said before the work.
cp -r "$work/knees" "$work/gaps"
rm "$work/gaps/$(awk -F, '$5 == "val" { print $1; exit }' "$work/gaps/labels.csv")"
run 1 evaluate knee-oa --data "$work/gaps" --split val --model "$work/a" --rounds 0
says out 'refused \(1 of them could not be read\)'
says err ': not measured: cannot be opened'
grep -q nan "$work/out" && fail "a figure is not a number"
run 1 evaluate knee-oa --data "$work/gaps" --split val --model "$work/a" --rounds 0 --json
says out '"unreadable": 1'
says out '"text": "cannot be opened'
awk -F, 'NR == 1 || $5 == "val" { $1 = NR == 1 ? $1 : "gone/" $1; print }' OFS=, "$work/knees/labels.csv" >"$work/gaps/labels.csv"
run 1 evaluate knee-oa --data "$work/gaps" --split val --model "$work/a" --rounds 0
says err 'none of [0-9]+ images was accepted.*cannot be read, the first is gone/.*: cannot be opened'
run 1 evaluate knee-oa --data "$work/knees" --split val --model "$work/a" --predictions "$work/no/p.csv"
says err 'cannot be created: its folder does not exist'

# What a stopped training leaves is told as such.
mkdir "$work/half"
cp "$work/a/model.onnx" "$work/a/checkpoint.json" "$work/a/checkpoint.bin" "$work/half/"
run 1 analyse --model "$work/half" "$work/knees/$(awk -F, 'NR == 2 { print $1 }' "$work/knees/labels.csv")"
says err 'half: holds a training that was stopped.*--resume'

# A damaged checkpoint and a damaged image are named.
head -c 1000 "$work/a/checkpoint.bin" >"$work/x" && mv "$work/x" "$work/a/checkpoint.bin"
run 1 "${train[@]}" --epochs 3 --out "$work/a" --resume
says err 'checkpoint'
: >"$work/knees/$(awk -F, 'NR == 5 { print $1 }' "$work/knees/labels.csv")"
run 1 "${train[@]}" --epochs 1 --out "$work/e"
says err 'knee-003'
run 1 audit-data knee-oa --data "$work/knees"
says out 'error: images that cannot be read \(1\)'
says err '1 problem is an error: train and evaluate when it is mended'
run 1 audit-data knee-oa --data "$work/knees" --json
says out '"code": "unreadable"'
says err '1 problem is an error'
finish
