# Muscle ultrasound: measurements, choice of the recogniser, sequences, evaluation, audit, training. Needs the shared data.
. "$(dirname "$0")/lib.sh"
need_data
data=$REHA_DATA/muscle_ultrasound
mkdir "$work/set" "$work/frames"
ln -s "$data/aponeurosis" "$data/fascicle" "$work/set/"

# One result per image, whatever is in the folder; angles, thickness and length in each.
mkdir "$work/mixed"
n=0
for image in $(tr -d '\r' <"$data/index.csv" | awk -F, 'NR > 1 && NR % 90 == 2 { print $2 }'); do
    n=$((n + 1))
    cp "$data/$image" "$work/mixed/image_$n-a.jpg"
done
run 0 analyse --task muscle-us "$work/mixed" --json --threads 1
for name in fascicle_angle_deg superficial_aponeurosis_angle_deg deep_aponeurosis_angle_deg pennation_deg thickness_px \
    thickness_mm fascicle_length_px echo_intensity; do
    [ "$(grep -c "\"$name\": " "$work/out")" -eq "$n" ] || fail "$name is not in each of $n results"
done
[ "$(grep -c '"fascicle_angle_deg": null' "$work/out")" -eq 0 ] || fail "a fascicle angle is missing"

# Without a task the image decides; a named task is obeyed.
one=$work/mixed/image_1-a.jpg
run 0 analyse "$one" --threads 1
says out 'muscle: thickness .* pennation .* deg'
run 1 analyse --task knee-oa "$one" --threads 1
says out 'refused: .*ultrasound'
run 0 analyse "$(find "$REHA_DATA/knee_xray/images" -name '*.jpg' | sort | sed -n 5p)" --threads 1
says out 'knee.*KL [0-4]'

# Scale: stated by the user; the report and the picture.
run 0 analyse --task muscle-us "$one" --json --mm-per-px 0.1 --threads 1
says out '"source": "stated by the user"'
says out '"thickness_mm": [0-9]'
run 0 analyse --task muscle-us "$one" --threads 1 --overlay "$work/overlay.png" --report "$work/reports/"
head -c 8 "$work/overlay.png" | grep -q PNG || fail "the overlay is no PNG"
grep -q 'Deep aponeurosis' "$work/reports/report.html" || fail "the report has no measurements"
head -c 5 "$work/reports/report.pdf" | grep -q '%PDF-' || fail "the PDF report is no PDF"

# Numbered files are a sequence: raw and smoothed columns, nothing smoothed for a picture on its own.
for i in 1 2 3; do
    cp "$one" "$work/frames/scan_00$i.jpg"
done
cp "$work/mixed/image_2-a.jpg" "$work/frames/still.jpg"
run 0 analyse --task muscle-us "$work/frames" --table "$work/table.csv" --plot "$work/plot.png" --threads 1
head -c 8 "$work/plot.png" | grep -q PNG || fail "the plot is no PNG"
run 1 analyse --task muscle-us "$one" --plot "$work/none.png" --threads 1
says err 'nothing to plot'
head -n 1 "$work/table.csv" | grep -q '^path,frame,sequence,ok,fascicle_angle_deg,.*,thickness_px_smoothed,.*,notes$' ||
    fail "wrong columns in the table"
[ "$(grep -c 'scan_00[123].jpg,1,1,1,' "$work/table.csv")" -eq 3 ] || { fail "no sequence of three"; cat "$work/table.csv"; }
grep -q 'still.jpg,1,,1,' "$work/table.csv" || fail "a picture on its own is in a sequence"
if convert -version 2>/dev/null | grep -q '^Version: ImageMagick'; then
    convert "$work/frames/scan_001.jpg" "$work/frames/still.jpg" "$work/frames.tif"
    run 0 analyse --task muscle-us "$work/frames.tif" --json --threads 1
    [ "$(grep -c '"frame": ' "$work/out")" -eq 2 ] || fail "not one result per frame"
fi

# What is no ultrasound of a muscle is told so; its row of numbers stays.
run 1 analyse --task muscle-us "$REHA_DATA/dicom/examples/wrist_MR01.dcm" --threads 1
says out 'refused: .*modality MR'
run 1 analyse --task muscle-us "$REHA_DATA/dicom/examples/wrist_MR01.dcm" --threads 1 --json
says out '"pennation_deg": null'

# The area inside a drawn border; borders that are none.
echo '{"ellipse_px": {"centre": [250, 200], "radii": [100, 50]}}' >"$work/border.json"
run 0 analyse "$one" --outline "$work/border.json" --mm-per-px 0.1 --threads 1 --overlay "$work/border.png"
says out 'cross-sectional area 157\.[01] .* mm2'
run 0 analyse "$one" --outline "$work/border.json" --threads 1 --json
says out '"cross_sectional_area_mm2": null'
echo '{"ellipse_px": {"centre": [250, 200], "radii": [9000, 50]}}' >"$work/border.json"
run 1 analyse "$one" --outline "$work/border.json" --threads 1
run 1 analyse "$one" --outline "$work/none.json" --threads 1
says err 'none.json'
run 2 analyse "$one" "$one" --outline "$work/border.json" --threads 1

# Held-out groups through `evaluate`.
{ head -n 1 "$data/index.csv"; tr -d '\r' <"$data/index.csv" | awk -F, 'NR > 1 && NR % 9 == 0'; } >"$work/set/index.csv"
run 0 evaluate muscle-us --data "$work/set" --split val --threads 1 --rounds 50 --predictions "$work/p.csv" --json
says out '"dice_aponeurosis"'
dice=$(grep -A 2 '"dice_aponeurosis": {' "$work/out" | grep -m 1 '"value"' | tr -dc '0-9.')
awk -v d="$dice" 'BEGIN { exit !(d > 0.7) }' || fail "Dice $dice on held-out aponeuroses"
head -n 1 "$work/p.csv" | grep -q '^structure,image,width_px,height_px,group,dice,iou,fascicle_angle_deg,' || fail "wrong columns in the predictions"
run 0 evaluate muscle-us --data "$work/set" --split val --threads 1 --rounds 0
says out 'dice_aponeurosis'
says out '^    [0-9]+ x [0-9]+ px +n +[1-9]'
run 1 evaluate muscle-us --data "$work/set" --split none --threads 1
says err "no row has split 'none'"
run 0 audit-data muscle-us --data "$work/set"
says out 'images of [0-9]+ groups'

# The same pictures as other scanners would show them: every kind is measured, none is dropped, and what a screen writes
# over or around the tissue moves nothing beyond the stated errors.
{ head -n 1 "$data/index.csv"; tr -d '\r' <"$data/index.csv" | awk -F, 'NR > 1 && NR % 60 == 0'; } >"$work/set/index.csv"
run 0 evaluate muscle-us --data "$work/set" --split val --threads 1 --rounds 20 --changes all --sheet "$work/sheet.png" --json
head -c 8 "$work/sheet.png" | grep -q PNG || fail "the sheet of looks is no PNG"
python3 - "$work/out" <<'EOF' || fail "changed images"
import json, sys
report = json.load(open(sys.argv[1]))
rows = {row["name"]: row for row in report["changes"]}
value = lambda name, key: rows[name][key]["value"]
assert len(rows) == len(report["changes"]) >= 30
assert value("none", "thickness_change_ratio") == 0 and value("none", "pennation_change_deg") == 0
for name in ("mirror", "size-double", "pixels-wide", "pixels-tall"):
    assert value(name, "pennation_change_deg") < 3 and value(name, "thickness_change_ratio") < 0.05, name
for name in ("text-over", "ruler-over", "callipers", "screen", "desktop", "margin-black", "margin-white"):
    assert value(name, "measured") == 1 and value(name, "gate_refused") == 0, name
    assert value(name, "thickness_outside") == 0 and value(name, "pennation_outside") == 0, name
assert value("upside-down", "flagged") == 1
EOF
run 0 evaluate muscle-us --data "$work/set" --split val --threads 1 --rounds 0
grep -q 'changed images' "$work/out" && fail "changed images are measured unasked"
run 1 evaluate fracture --data "$work/set" --changes all
says err 'no changed images'
run 1 evaluate muscle-us --data "$work/set" --split val --threads 1 --rounds 0 --changes gain-low,gain-lower
says err "no look is called 'gain-lower'"
run 2 evaluate muscle-us --data "$work/set" --sheet "$work/none.png"
run 2 calibrate muscle-us --data "$work/set" --model "$work/none" --changes all

# Training writes a model that runs, and goes on where it stopped.
{ head -n 1 "$data/index.csv"; tr -d '\r' <"$data/index.csv" | awk -F, 'NR > 1 && NR % 40 == 0'; } >"$work/set/index.csv"
run 0 train muscle-us --data "$work/set" --out "$work/model" --epochs 1 --threads 1 --seed 3
for file in model.onnx card.json log.csv checkpoint.bin; do
    [ -s "$work/model/$file" ] || fail "training wrote no $file"
done
run 0 train muscle-us --data "$work/set" --out "$work/next" --backbone "$work/model" --epochs 1 --threads 1 --seed 3
[ -s "$work/next/model.onnx" ] || fail "training did not go on from a model"
run 1 train muscle-us --data "$work/set" --out "$work/next" --backbone "$REHA_SOURCE/models/muscle-injury/1" --epochs 1 --threads 1
says err 'is no model card of task muscle-us'
run 0 evaluate muscle-us --data "$work/set" --split val --model "$work/model" --threads 1 --rounds 0 --json
run 0 calibrate muscle-us --data "$work/set" --split val --model "$work/model" --threads 1 --rounds 0
grep -q '"measurement_error_95"' "$work/model/card.json" || fail "calibration left no errors in the card"
cp -r "$REHA_SOURCE/models/muscle-us/1" "$work/again"
run 0 calibrate muscle-us --data "$work/set" --split val --model "$work/again" --threads 1 --rounds 0
grep -q '"fascicle_pieces_deg": 25' "$work/again/card.json" || fail "calibration forgot that few fascicles say less"
echo "dice of held-out aponeuroses: $dice"
finish
