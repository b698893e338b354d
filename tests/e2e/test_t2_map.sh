# T2 maps: tubes of known T2 through the whole program, wrong input told, and a real knee where the data are.
. "$(dirname "$0")/lib.sh"

ph=$work/mr
run 0 phantom "$ph" --t2 --count 2 --seed 7
run 0 t2-map "$ph" --roi "$ph/labels.nii.gz" --threads 1 --map "$work/map.png" --report "$work/r.html" --nifti "$work/t2.nii.gz"
says out 'sagittal, 2 slices of 96 x 96, 8 echoes of 6\.3 to 50\.5 ms'
cp "$work/out" "$work/tubes"
# Each tube's median lies within 2 % of its truth, and nearly every voxel of it was fitted.
while IFS=, read -r label truth; do
    [ "$label" = label ] && continue
    checks=$((checks + 1))
    awk -v l="$label" -v t="$truth" '$1 == "region" && $2 == l { m = $4; share = $(NF - 1); found = 1 }
        END { exit !(found && m > 0.98 * t && m < 1.02 * t && share < 2) }' "$work/tubes" ||
        fail "tube $label of $truth ms: $(grep "region $label " "$work/tubes")"
done <"$ph/tubes.csv"
head -c 8 "$work/map.png" | grep -q PNG || fail "the map is no PNG"
grep -q 'Not reviewed\.</b> Research only' "$work/r.html" || fail "the report has no banner"
grep -q '<th scope=row>Region 6</th>' "$work/r.html" || fail "the report lacks region 6"
[ "$(grep -c '<script\|src="http\|href="http' "$work/r.html")" -eq 0 ] || fail "the report asks for something outside"
[ -s "$work/t2.nii.gz" ] && [ -s "$work/t2_error.nii.gz" ] || fail "the NIfTI files are missing"

run 0 t2-map "$ph" --json --threads 1 --roi 40,40,12,12@2
says out '"schema": "rehascope/t2-map/1"'
says out '"research_only": true'
says out '"fitted": '
run 0 t2-map "$ph" --skip-first-echo --threads 1
says out '7 echoes of 12\.6 to 50\.5 ms'
run 0 t2-map "$ph" --no-noise-floor --threads 1
says out 'the noise is unknown'

# A NIfTI file does not know its echo times, and the T2 map itself is one volume only.
run 1 t2-map "$work/t2.nii.gz"
says err 'give them with --echo-times'
run 1 t2-map "$work/t2.nii.gz" --echo-times 10,20,30
says err '1 volumes, but 3 echo times'
run 1 t2-map "$work/t2.nii.gz" --echo-times 10,x
says err "'x' is no number"

# Wrong input: what, where, why, what to do.
mkdir "$work/empty" "$work/text" "$work/two"
echo hello >"$work/text/readme.txt"
run 1 t2-map "$work/none"
says err 'none: no such file or folder'
run 1 t2-map "$work/empty"
says err 'empty: no DICOM image'
run 1 t2-map "$work/text"
says err 'text: no DICOM image .*not DICOM'
run 0 phantom "$work/films" --dicom --count 2
run 1 t2-map "$work/films"
says err 'no usable place in the patient'
cp "$ph"/mr-0001.dcm "$ph"/mr-0002.dcm "$ph"/mr-0009.dcm "$ph"/mr-0010.dcm "$work/two"
run 1 t2-map "$work/two"
says err 'no MR series with 3 echo times or more \(series 1: MR, 2 echo time'
run 1 t2-map "$ph" --series 99
says err 'no MR series with 3 echo times'
run 1 t2-map "$ph" --roi 90,90,20,20
says err 'reaches beyond the images: they are 96 x 96 px in 2 slice'
run 1 t2-map "$ph" --roi 10,10,5,5@3
says err 'reaches beyond'
run 1 t2-map "$ph" --roi 10,10
says err 'give x,y,w,h'
run 1 t2-map "$ph" --roi "$work/none.nii"
says err 'none\.nii'
run 0 phantom "$work/other" --t2 --count 3
run 1 t2-map "$ph" --roi "$work/other/labels.nii.gz"
says err 'lies on another grid \(96 x 96 x 3\)'
run 1 t2-map "$ph" --roi "$work/t2.nii.gz"
says err 'whole numbers from 0 to 255'
head -c 300 "$ph/labels.nii.gz" >"$work/cut.nii.gz"
run 1 t2-map "$ph" --roi "$work/cut.nii.gz"
says err 'cut\.nii\.gz: '
run 2 t2-map "$ph" --map "$work/map.jpg"
run 2 t2-map "$ph" --range 50,20
run 2 t2-map "$ph" --report "$work/r.txt"
run 2 t2-map
run 1 t2-map "$ph" --map "$work/no/such/folder/map.png"

# Gaps, copies and damage are told; the rest is measured.
rm "$ph/mr-0004.dcm"
cp "$ph/mr-0006.dcm" "$ph/a-copy.dcm"
head -c 700 "$ph/mr-0001.dcm" >"$ph/cut.dcm"
run 0 t2-map "$ph" --threads 1
says out 'note: .*slice 1 \(.*\) has no image of echo time 25\.25 ms'
says out 'note: mr-0006\.dcm is a copy of a-copy\.dcm'
says out 'note: cut\.dcm was passed over'

if [ -d "$REHA_DATA/dicom/knee_mr_t2" ]; then
    run 0 t2-map "$REHA_DATA/dicom/knee_mr_t2" --threads 1
    says out 'series 8 \(sagittal, 4 slices of 256 x 256, 8 echoes of 6\.3 to 50\.5 ms\), noise 2[5-9]|noise 3[0-3]'
    says out 'only every 3\. slice'
    # A muscle belly behind the femur: published T2 of muscle at rest is about 30 to 40 ms.
    run 0 t2-map "$REHA_DATA/dicom/knee_mr_t2" --threads 1 --roi 190,150,20,30@1
    awk '$1 == "region" { m = $4; found = 1 } END { exit !(found && m > 25 && m < 45) }' "$work/out" ||
        fail "muscle: $(grep region "$work/out")"
else
    echo "the real series was left out: $REHA_DATA/dicom/knee_mr_t2 is absent"
fi
finish
