# The muscle-injury recogniser from generated pictures to outlines: the shipped model on phantoms, training on simulated
# and on labelled pictures, evaluation, calibration, audit, reports, and clear words for what is wrong. That it runs is
# tested here, not that it is good; labels of real injuries do not exist in the open.
. "$(dirname "$0")/lib.sh"

run 0 phantom "$work/injured" --injured --count 36 --seed 3
run 0 phantom "$work/healthy" --muscle --count 18 --seed 4
head -n 1 "$work/injured/index.csv" | grep -q '^image,mask,grade,patient_id$' || fail "wrong columns of the labelled phantoms"
for data in injured healthy; do
    run 0 audit-data muscle-injury --data "$work/$data"
    says out 'images of [0-9]+ groups'
done

# The shipped model: a retraction over the whole thickness is outlined, and everything says what it is.
torn=$work/injured/muscle-0005.png
run 0 analyse --task muscle-injury "$torn" --threads 1 --overlay "$work/o.png" --report "$work/reports/"
says out 'research only, simulated-lesion detector: .*region.* marked .* grade proposal [0-3] \(90 % set'
head -c 8 "$work/o.png" | grep -q PNG || fail "the overlay is no PNG"
grep -q 'trained on simulated lesions' "$work/reports/report.html" || fail "the report does not say what it was trained on"
head -c 5 "$work/reports/report.pdf" | grep -q '%PDF-' || fail "the PDF report is no PDF"
if command -v pdftotext >/dev/null; then
    pdftotext "$work/reports/report.pdf" - | grep -qi 'simulated' || fail "the PDF does not say what it was trained on"
fi
run 0 analyse --task muscle-injury "$torn" --json --threads 1 --mm-per-px 0.1
says out '"key": "lesion-1"'
says out '"key": "muscle-injury-grade"'
says out '"research_only": true'
says out 'trained on simulated lesions, research only'
says out '"lesion_1_length_mm": [0-9]'
says out '"prediction_set"'
run 0 analyse --task muscle-injury "$torn" --json --threads 1
says out '"lesion_1_length_mm": null'

# Never unasked: what the image is does not choose this recogniser.
run 0 analyse "$torn" --threads 1
grep -q 'simulated' "$work/out" && fail "muscle-injury answered without being asked"

# What is no muscle ultrasound is refused in the words of muscle-us.
run 0 phantom "$work/knee" --count 1
run 1 analyse --task muscle-injury "$work"/knee/*.png --threads 1
says out 'refused: '

run 0 model list
says out 'muscle-injury'
run 0 model show muscle-injury
says out 'simulated'

# Training where lesions are simulated, then on labels alone, going on from what it made.
train=(train muscle-injury --threads 1 --seed 3 --epochs 1)
run 0 "${train[@]}" --data "$work/healthy" --out "$work/a" --backbone "$REHA_SOURCE/models/muscle-us/1"
for file in model.onnx card.json log.csv checkpoint.bin simulated.png; do
    [ -s "$work/a/$file" ] || fail "training left no $file"
done
grep -q '"trained on simulated lesions, research only"' "$work/a/card.json" || fail "the card does not say what it was trained on"
grep -q '"rule"' "$work/a/card.json" || fail "the card has no rule"
run 1 "${train[@]}" --data "$work/healthy" --out "$work/a" --backbone "$REHA_SOURCE/models/muscle-us/1" --resume --seed 4
says err 'seed 3'
run 1 "${train[@]}" --data "$work/healthy" --out "$work/c" --network vgg
says err "no network 'vgg'"
run 1 "${train[@]}" --data "$work/injured" --out "$work/b" --backbone "$work/a"
says err 'grades could not be fitted|too few'
[ -s "$work/b/model.onnx" ] || fail "a training without enough to calibrate on lost its network"
run 1 analyse --task muscle-injury --model "$work/b" "$torn" --threads 1
says out 'no rule for grades'
run 0 calibrate muscle-injury --data "$work/injured" --model "$work/b" --threads 1
says out '"rule"'
grep -q 'simulated lesions and on the labelled images' "$work/b/card.json" || fail "the card hides where its start came from"
run 0 analyse --task muscle-injury --model "$work/b" "$torn" --threads 1
run 0 evaluate muscle-injury --data "$work/injured" --model "$work/b" --threads 1 --rounds 20 --predictions "$work/p.csv"
says out 'sensitivity_at_0.1_fp '
head -n 1 "$work/p.csv" | grep -q '^image,group,shown,strength,grade,refused,told_grade,' || fail "wrong columns in the predictions"
[ "$(grep -c ',labelled,' "$work/p.csv")" -eq 36 ] || fail "not every labelled picture is among the predictions"

# Bad data.
cp -r "$work/injured" "$work/bad"
sed -i '3s/,1,/,9,/' "$work/bad/index.csv"
run 1 audit-data muscle-injury --data "$work/bad"
says err "index.csv: line 3: grade '9'"
run 1 train muscle-injury --data "$work/bad" --out "$work/d"
says err "line 3: grade '9'"
run 1 evaluate muscle-injury --data "$work/knee" --threads 1
says err 'index.csv'
run 1 evaluate muscle-injury --data "$work/injured" --split nothing --threads 1
says err "no usable rows of split 'nothing'"
printf 'image,mask\na.png,b.png\n' >"$work/bad/index.csv"
run 1 audit-data muscle-injury --data "$work/bad"
says err 'grade and patient_id'
finish
