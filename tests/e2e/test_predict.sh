# Outcome prediction: the shipped models on the documented examples, refusals by name, and a clinic's own table from
# training to prediction.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS=$REHA_SOURCE/models
examples=$REHA_SOURCE/docs/formats/examples

run 0 model list
says out '^outcome-knee-replacement +1 +Oxford Knee Score'
says out '^outcome-hip-replacement +1 '
says out '^outcome-knee-oa-progression +1 '
run 0 model show outcome-hip-replacement
says out '"not_for"'

for joint in knee hip; do
    input=$examples/$joint-replacement.json
    run 0 predict $joint-replacement --input "$input" --why
    says out 'points expected$'
    says out '5 in 10 such patients end between'
    says out 'improvement that matters'
    says out 'acceptable symptoms .*[0-9]+ %'
    says out 'about 3 years'
    says out 'plain group mean'
    says out 'similar patients fared'
    says out 'research only'
    says out '^Why: all patients'
    run 0 predict $joint-replacement --input "$input" --json
    says out '"expected": [0-9.]+'
    says out '"hash": "[0-9a-f]{64}"'
done

input=$examples/knee-replacement.json
grep -v '"depression"' "$input" >"$work/missing.json"
run 1 predict knee-replacement --input "$work/missing.json"
says err "'depression' .* is missing"
sed 's/"sex"/"gender"/' "$input" >"$work/unknown.json"
run 1 predict knee-replacement --input "$work/unknown.json"
says err "'gender' is no input"
sed 's/"60 to 69"/"20 to 29"/' "$input" >"$work/outside.json"
run 1 predict knee-replacement --input "$work/outside.json"
says err "outside the range of the model"
sed 's/"eq_vas": 70/"eq_vas": 170/' "$input" >"$work/vas.json"
run 1 predict knee-replacement --input "$work/vas.json"
says err "eq_vas 170: outside the range"
sed -E 's/"oks_(.*)": [0-9]/"oks_\1": 4/' "$input" >"$work/best.json"
run 0 predict knee-replacement --input "$work/best.json"
says out 'improvement that matters cannot be reached'
head -c 100 "$input" >"$work/cut.json"
run 1 predict knee-replacement --input "$work/cut.json"
says err 'JSON line'
run 1 predict knee-replacement --input "$work/none.json"
run 1 predict hip-replacement --input "$input"
says err 'oks_pain'
run 1 predict shoulder-replacement --input "$input"
says err "no outcome 'shoulder-replacement'"
run 1 predict hip-replacement --input "$input" --model "$REHA_SOURCE/models/outcome-knee-replacement/1"
says err "a model of 'knee-replacement'"
run 2 predict knee-replacement
says err '--input is needed'

# Progression of knee osteoarthritis: odds without a prior, a risk with one, the grade alone beside it.
# Who has hardly any room is told so, and is shown no others who had it; a first operation is no example for a second.
sed -E 's/"(oks_[a-z_]+)": [0-4]/"\1": 4/' "$REHA_SOURCE/docs/formats/examples/knee-replacement.json" >"$work/best.json"
run 0 predict knee-replacement --input "$work/best.json"
says out 'no improvement is expected: the score before is 48'
says out 'improvement that matters cannot be reached'
grep -q 'similar patients fared.*improvement that matters' "$work/out" && fail "others' chance of what this patient cannot reach"
sed 's/"primary"/"revision"/' "$REHA_SOURCE/docs/formats/examples/knee-replacement.json" >"$work/revision.json"
run 0 predict knee-replacement --input "$work/revision.json"
says out 'more than the 20 before'
grep -q 'similar patients' "$work/out" && fail "first operations shown as patients like one with a revision"

echo '{"kl": 3, "expected_grade": 3.1, "prior_9y_risk": null}' >"$work/oa.json"
run 0 predict knee-oa-progression --input "$work/oa.json" --why
says out 'no risk without a prior'
says out 'from the grade alone'
says out 'the picture adds to the grade in ranking|it is not shown'
says out 'research only'
says out 'log odds against the mean control  kl 3'
echo '{"kl": 3, "expected_grade": 3.1, "prior_9y_risk": 0.05}' >"$work/oa.json"
run 0 predict knee-oa-progression --input "$work/oa.json"
says out 'with the stated prior of 5 %'
run 0 predict knee-oa-progression --input "$work/oa.json" --json
says out '"likelihood_ratio"'
echo '{"kl": 3, "expected_grade": 3.1}' >"$work/oa.json"
run 1 predict knee-oa-progression --input "$work/oa.json"
says err "'prior_9y_risk' is missing"
echo '{"kl": 7, "expected_grade": 3.1, "prior_9y_risk": 0.05}' >"$work/oa.json"
run 1 predict knee-oa-progression --input "$work/oa.json"
says err 'kl 7: outside the range'
run 1 train knee-oa-progression --data "$work" --out "$work/oa"
says err 'analysis.json'

# Its training: an analysis and a list of matched cases, joined by the name of the image.
mkdir "$work/pairs"
awk 'BEGIN { srand(5); print "{\"results\": ["
    for (i = 0; i < 120; i++) { g = 1.5 + (i % 2) + 2 * rand(); if (g > 4) g = 4
        printf "%s{\"path\": \"images/K%dL.jpg\", \"analysis\": {\"regions\": [{\"findings\": [{\"key\": \"kl-grade\", \"grading\": {\"expected_grade\": %.3f}}, {\"key\": \"jsw-min\", \"measure\": {\"value\": %.4f, \"unit\": \"1\"}}]}]}}\n", i ? "," : "", i, g, 0.05 + 0.03 * rand() }
    print "]}" }' >"$work/pairs/analysis.json"
awk 'BEGIN { srand(6); print "knee_id,kl,tkr_within_9y,strata_matched_pair"
    for (i = 0; i < 122; i++) printf "K%dL,%d,%d,%d\n", i, 1 + (i % 2) + int(2 * rand()), i % 2, int(i / 2) }' >"$work/pairs/cases.csv"
run 0 train knee-oa-progression --data "$work/pairs" --out "$work/oa"
says out '^60 matched pairs'
says out 'KL grade alone +AUC 0\.[0-9]+'
says out 'kept: KL grade'
grep -q '"without_a_graded_picture": 2' "$work/oa/card.json" || fail "knees without a picture are not counted"
echo '{"kl": 2, "expected_grade": 2.5, "jsw_min_ratio": 0.06, "prior_9y_risk": 0.1}' >"$work/oa.json"
run 0 predict knee-oa-progression --input "$work/oa.json" --model "$work/oa"
sed 's/K3L,./K3L,two/' "$work/pairs/cases.csv" >"$work/x" && mv "$work/x" "$work/pairs/cases.csv"
run 1 train knee-oa-progression --data "$work/pairs" --out "$work/oa"
says err "line 5: 'kl' must be a whole number"

# A clinic's own table: walking distance from age, pain and walking aid; two visits per patient.
awk 'BEGIN { srand(3); print "patient_id,age,pain,aid,ward,surname,distance"
    for (i = 0; i < 600; i++) { age = 40 + int(rand() * 40); pain = int(rand() * 11); aid = rand() < 0.3 ? "stick" : "none"
        d = 600 - 3 * age - 15 * pain - (aid == "stick" ? 60 : 0) + 40 * (rand() + rand() + rand() - 1.5)
        printf "P%d,%s,%d,%s,one,Person%d,%s\n", i / 2, i % 40 ? age : "*", pain, aid, i, i % 100 ? sprintf("%.1f", d) : "" } }' >"$work/own.csv"
run 0 train outcome --data "$work/own.csv" --target distance --out "$work/model"
says out 'age +used as number; not known 15 \(suppressed 15\)'
says out 'ward +left out: constant'
says out 'surname +left out: text with more than 24 values'
says out 'R2 of the model'
for file in model.json card.json; do
    [ -s "$work/model/$file" ] || fail "training left no $file"
done
grep -q 'Person' "$work/model/model.json" "$work/model/card.json" && fail "a name is in the model"
run 0 train outcome --data "$work/own.csv" --target distance --out "$work/again"
cmp -s "$work/model/model.json" "$work/again/model.json" || fail "the same seed gave another model"
printf '{"age": 60, "pain": 5, "aid": "stick"}' >"$work/own.json"
run 0 predict outcome --model "$work/model" --input "$work/own.json" --why
says out '^distance: [0-9.]+ units of the table expected'
says out 'pain: 5'
run 1 predict outcome --input "$work/own.json"
says err '--model DIR'
printf '{"age": 99, "pain": 5, "aid": "stick"}' >"$work/own.json"
run 1 predict outcome --model "$work/model" --input "$work/own.json"
says err 'age 99: outside the range'
run 0 evaluate outcome --model "$work/model" --data "$work/own.csv" --rounds 20 --predictions "$work/p.csv"
says out '^  all +[0-9]+'
[ "$(wc -l <"$work/p.csv")" -eq 595 ] || fail "not one prediction for each of 594 rows with an outcome"
run 2 train outcome --data "$work/own.csv" --out "$work/model"
says err '--target'
run 1 train outcome --data "$work/own.csv" --target speed --out "$work/model"
says err "'speed' is missing"
head -50 "$work/own.csv" >"$work/few.csv"
run 1 train outcome --data "$work/few.csv" --target distance --out "$work/few"
says err 'at least'
printf 'a,distance\n1,2\n3\n' >"$work/bad.csv"
run 1 train outcome --data "$work/bad.csv" --target distance --out "$work/bad"
says err 'bad.csv: line 3: 1 fields'
run 2 evaluate knee-replacement --data "$work/own.csv" --split val
run 1 evaluate knee-replacement --data "$work/own.csv"
says err 'no table with the columns'

if [ -d "$REHA_DATA/outcomes_nhs_proms" ]; then
    run 0 evaluate knee-replacement --data "$REHA_DATA/outcomes_nhs_proms/knee_2017-18.csv.zip" --rounds 20
    says out 'R2 of the model, same rows +0\.2'
    says out 'procedure: revision'
else
    echo "the shared data are absent: evaluation on a year of the NHS is left out"
fi
finish
