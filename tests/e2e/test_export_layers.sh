#!/usr/bin/env bash
# Overlays and masks of every recogniser that draws, of grey, coloured and moving pictures, from the command line: correct
# objects to dciodvfy, and point by point what the analysis says, as DCMTK reads them. Those of a clinic are in test_export.sh.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
for tool in dcm2json dcmdump dciodvfy; do
    command -v $tool >/dev/null || { echo "skipped: $tool is absent (scripts/packages.txt)"; exit 77; }
done

# made NAME FILE [TASK]: the objects of a file, judged; the overlay against the analysis. What it said lands in $work/layers.
made() {
    local object
    run 0 analyse "$2" ${3:+--task "$3"} --threads 1 --dicom "$work/$1" --json
    cp "$work/out" "$work/analysis.json"
    for object in "$work/$1"/*.dcm; do
        checks=$((checks + 1))
        dciodvfy "$object" >"$work/judged" 2>&1
        if grep -q '^Error' "$work/judged"; then fail "dciodvfy $object: $(grep -m 3 '^Error' "$work/judged")"; fi
    done
    if [ ! -e "$work/$1/overlay-1.dcm" ]; then # nothing to draw: a fracture film without a box
        checks=$((checks + 1))
        grep -q '"findings": \[\]' "$work/analysis.json" || fail "$1 has findings, but no overlay"
        return
    fi
    checks=$((checks + 1))
    python3 "$REHA_SOURCE/tests/e2e/layers.py" overlay "$work/analysis.json" "$work/$1/overlay-1.dcm" >"$work/layers" 2>&1 ||
        fail "the overlay of $1: $(tail -n 1 "$work/layers")"
}
# holds FILE WORDS: DCMTK's dump of it has them.
holds() {
    checks=$((checks + 1))
    dcmdump +L "$work/$1" >"$work/dump" 2>/dev/null
    grep -Eq -- "$2" "$work/dump" || fail "$1 does not hold $2"
}

run 0 phantom "$work/films" --films --count 1 --dicom
run 0 phantom "$work/muscles" --muscle --count 1 --seed 3
run 0 phantom "$work/injured" --injured --count 6 --seed 3
muscle=$(ls "$work"/muscles/muscle-*.png | head -n 1)
wrap() { python3 "$REHA_SOURCE/tests/e2e/ultrasound_dicom.py" "$@" || fail "ultrasound_dicom.py $2"; }
wrap "$muscle" "$work/grey.dcm"
wrap "$muscle" "$work/colour.dcm" rgb
wrap "$muscle" "$work/cine.dcm" frames=2
wrap "$work/injured/muscle-0005.png" "$work/injury.dcm"

# A film with both knees: words of each, and no masks.
made film "$(ls "$work"/films/*.dcm | head -n 1)"
says layers 'TIBIA, FEMUR, JOINT SPACE, WIDTHS, MEASURES, NOT REVIEWED'
holds film/overlay-1.dcm '=GrayscaleSoftcopyPresentationState'
holds film/overlay-1.dcm 'Joint 1 from the left' # the drawn film does not tell sides
holds film/overlay-1.dcm 'Joint 2 from the left'
checks=$((checks + 1))
[ ! -e "$work/film/masks-1.dcm" ] || fail "a knee has masks"

made grey "$work/grey.dcm"
says layers 'APONEUROSES, THICKNESS, FASCICLES, MEASURES, NOT REVIEWED'
holds grey/masks-1.dcm 'Muscle belly'
checks=$((checks + 1)) # neither mirrored nor moved: as the picture was drawn
python3 "$REHA_SOURCE/tests/e2e/layers.py" truth "$work/grey/masks-1.dcm" Aponeuroses "${muscle/muscle-0/mask-0}" 0.8 >"$work/truth" 2>&1 ||
    fail "the masks and the drawn ones: $(tail -n 1 "$work/truth")"
holds grey/masks-1.dcm '\(0028,0030\) DS \[0\.1\\0\.1\]'
holds grey/masks-1.dcm '\(0028,135a\) CS \[YES\]'
holds grey/masks-1.dcm 'model sha256=[0-9a-f]{64}'
made colour "$work/colour.dcm"
holds colour/overlay-1.dcm '=ColorSoftcopyPresentationState'
holds colour/overlay-1.dcm '\(0028,2000\) OB'
made cine "$work/cine.dcm" muscle-us
holds cine/masks-1.dcm '\(0008,1160\) IS \[1\]'
holds cine/overlay-1.dcm '\(0008,1160\) IS \[1\]'
made injury "$work/injury.dcm" muscle-injury
says layers 'INJURY'
holds injury/masks-1.dcm 'Marked region 1'
holds injury/masks-1.dcm '52988006'

# What is refused has nothing to draw.
run 1 analyse "$work/grey.dcm" --task knee-oa --threads 1 --dicom "$work/refused"
checks=$((checks + 1))
[ -e "$work/refused/results-1.dcm" ] && [ ! -e "$work/refused/overlay-1.dcm" ] || fail "a refusal has an overlay"

# A real radiograph, in a compressed syntax, with boxes or without.
hand=$REHA_DATA/dicom/examples/RG2_JPLL.dcm
if [ -f "$hand" ]; then
    made hand "$hand" fracture
fi
finish
