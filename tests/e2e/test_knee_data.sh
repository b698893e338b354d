# Real images: grading, refusals, repairs, evaluation. Needs the shared data.
. "$(dirname "$0")/lib.sh"
need_data
knees=$REHA_DATA/knee_xray/images

# Two knees on one film; a hand, an ultrasound and a colour test pattern are refused.
run 0 analyse "$REHA_DATA/knee_radiographs/images/N10.jpg"
says out 'KL [0-4]'
hand=$(find "$REHA_DATA/fracture_xray/images" -name '*.jpg' | sort | head -n 1)
ultrasound=$(find "$REHA_DATA/muscle_ultrasound/aponeurosis/images" -name '*.jpg' | sort | head -n 1)
run 1 analyse --task knee-oa "$hand" "$ultrasound" "$REHA_DATA/dicom/examples/RG2_JPLL.dcm" \
    "$REHA_DATA/dicom/examples/dcm4che_YBR_422.dcm" "$REHA_DATA/dicom/transfer_syntaxes/TestPattern_RGB.dcm" "$REHA_DATA/dicom/examples/wrist_MR01.dcm"
[ "$(grep -c 'refused: ' "$work/out")" -eq 6 ] || { fail "not all of six wrong images were refused"; cat "$work/out"; }

# 80 validation knees through `evaluate`.
mkdir "$work/set"
ln -s "$knees" "$work/set/images"
head -n 1 "$REHA_DATA/knee_xray/labels.csv" >"$work/set/labels.csv"
grep ',val,' "$REHA_DATA/knee_xray/labels.csv" | awk 'NR % 10 == 1' >>"$work/set/labels.csv"
run 0 evaluate knee-oa --data "$work/set" --split val --threads 1 --predictions "$work/predictions.csv" --json
says out '"kappa"'
rows=$(($(wc -l <"$work/set/labels.csv") - 1))
[ "$(($(wc -l <"$work/predictions.csv") - 1))" -eq "$rows" ] || fail "not one prediction per image"
head -n 1 "$work/predictions.csv" | grep -qx 'path,kl,p0,p1,p2,p3,p4,set_low,set_high,refused,reason' || fail "wrong columns"
awk -F, 'NR > 1 && $10 == 0 { s = $3 + $4 + $5 + $6 + $7; if (s < 0.999 || s > 1.001) bad++ } END { exit bad > 0 }' \
    "$work/predictions.csv" || fail "probabilities that do not sum to 1"
refused=$(awk -F, 'NR > 1 { n += $10 } END { print n + 0 }' "$work/predictions.csv")
[ "$((refused * 100))" -le "$((rows * 4))" ] || fail "$refused of $rows good images refused"
kappa=$(grep -A 3 '"kappa": {' "$work/out" | grep -m 1 '"value"' | tr -dc '0-9.')
awk -v k="$kappa" 'BEGIN { exit !(k > 0.7) }' || fail "kappa $kappa on validation knees"
echo "kappa on $rows validation knees: $kappa, refused $refused"
finish
