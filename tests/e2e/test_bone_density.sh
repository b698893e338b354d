# Bone density from tables and generated knees to a card that switches itself on or off: audit, training with nested
# cross-validation, evaluation, the refusal while it is off, and clear words for bad tables. The classes are invented:
# that it runs and tells the truth about itself is tested here, not that it is good.
. "$(dirname "$0")/lib.sh"

run 0 phantom "$work/knees" --count 36
mkdir -p "$work/data/images"
echo "path,patient_id,bone_density_class,original_width_px,original_height_px,original_md5" >"$work/data/labels.csv"
echo "S.No,Patient Id,Gender,Age,height  (meter),Weight (KG),T-score Value,BMI" >"$work/data/patients.csv"
number=0
classes=(normal osteopenia osteoporosis)
ages=(35 55 70)
for picture in "$work"/knees/*/*.png "$work"/knees/*.png; do
    [ -f "$picture" ] || continue
    class=$((number % 3))
    cp "$picture" "$work/data/images/p$number.png"
    echo "images/p$number.png,P$number,${classes[class]},1000,$((1000 + number % 2 * 500)),sum$number" >>"$work/data/labels.csv"
    echo "$number,P$number,female,$((ages[class] + number % 11)),1.6,$((60 + number % 13)),-1.$number," >>"$work/data/patients.csv"
    number=$((number + 1))
done
[ "$number" -eq 36 ] || fail "$number pictures"
echo ",,,107,max,,," >>"$work/data/patients.csv"

# A copy under another patient, and an age that cannot be.
echo "images/p0.png,Q0,normal,1000,1000,sum0" >>"$work/data/labels.csv"
echo "99,Q0,male,150,1.7,70,-0.2," >>"$work/data/patients.csv"
run 0 audit-data bone-density --data "$work/data"
says out 'rows that repeat a picture of an earlier row \(1\)'
says out 'pictures that patients with different facts share \(1\)'
says out 'ages below 18 or above 100 \(1\)'
run 0 audit-data bone-density --data "$work/data" --json
says out '"groups": 36'

base=$REHA_SOURCE/models/knee-oa/1
train=(train bone-density --data "$work/data" --threads 1 --base "$base")
run 0 "${train[@]}" --out "$work/m"
grep -q '"status": "research only, switched off"' "$work/m/card.json" || fail "invented classes were believed"
grep -q '"copies_left_out": 1' "$work/m/card.json" || fail "the copy was not left out"
grep -q '"name": "acquisition"' "$work/m/card.json" || fail "no shortcut test"
run 1 train bone-density --data "$work/data" --base "$work/knees" --out "$work/n"
says err 'needs a knee-oa model'

# While it is off it says why and analyses nothing, except when asked twice.
mkdir -p "$work/models/bone-density/1"
cp "$work"/m/* "$work/models/bone-density/1/"
ln -s "$REHA_SOURCE/models/knee-oa" "$work/models/knee-oa"
run 1 analyse --task bone-density --models "$work/models" --threads 1 "$work/data/images/p1.png"
says out 'switched off'
run 0 analyse --task bone-density --models "$work/models" --threads 1 --switched-off "$work/data/images/p1.png" --json --report "$work/r.html"
says out '"low-bone-density"'
says out '"research-only"'
grep -q 'Research only' "$work/r.html" || fail "the report does not say: research only"
run 0 evaluate bone-density --models "$work/models" --data "$work/data" --threads 1 --rounds 50 --predictions "$work/p.csv" --json
says out '"seen_in_training": 36'
says out '"few": true'
[ "$(wc -l <"$work/p.csv")" -eq 37 ] || fail "not one prediction per picture"
run 1 evaluate bone-density --models "$work/models" --data "$work/data" --split val
says err 'no splits'
run 1 calibrate bone-density --data "$work/data" --model "$work/models/bone-density/1"

# Bad cards and tables.
sed -i 's/"enabled": false/"enabled": "no"/' "$work/models/bone-density/1/card.json"
run 1 analyse --task bone-density --models "$work/models" "$work/data/images/p1.png"
says err "'enabled'"
sed -i 's/^images\/p5.png,P5,osteoporosis/images\/p5.png,P5,brittle/' "$work/data/labels.csv"
run 1 "${train[@]}" --out "$work/n"
says err "line 7: 'bone_density_class' is 'brittle'"
finish
