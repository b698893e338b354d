#!/bin/sh
# Writes scenes.csv: which pictures teach the gate ("train"), set its limits ("cal") and measure it ("val").
#   sh list.sh > scenes.csv        # in this folder; DATA: the folder of the data sets
# No person, sequence or source stands in two splits. Photographs are optional: photos.sh fetches them. `repeat`: how many
# times as often as others of its kind a picture teaches; few films stand beside many crops.
set -eu
DATA=${DATA:-../../../shared/data}
held_out=../knee-oa/gate/held_out.csv
echo path,scene,split,group,optional,repeat

# Knees, ready crops: persons of the validation split measure; every fourth other person teaches, every sixteenth sets
# limits. Pictures suspected to be inverted are left out.
tr -d '\r' <"$DATA/knee_xray/labels.csv" | awk -F, -v data="$DATA" '
    NR > 1 && $7 == 0 {
        if (!($3 in number)) number[$3] = count++
        split_name = $5 == "val" ? "val" : number[$3] % 4 == 0 ? "train" : number[$3] % 16 == 1 ? "cal" : ""
        if (split_name != "") print data "/knee_xray/" $1 ",knee," split_name ",knee-" $3 ",0,1"
    }'

# Whole films and other limbs, by the split of the knee gate. 87d538ef1c shows a knee from the front.
awk -F, -v data="$DATA" '
    $1 == "radiograph" {
        n++
        print data "/" $3 ",knee," ($2 == "val" ? "val" : n % 5 == 0 ? "cal" : "train") "," $3 ",0,8"
    }' "$held_out"
for file in "$DATA"/fracture_xray/images/*.jpg; do
    name=fracture_xray/images/$(basename "$file")
    if grep -q "fracture,val,$name" "$held_out"; then echo "val $name"; else echo "other $name"; fi
done | grep -v 87d538ef1c | awk -v data="$DATA" '
    $1 == "val" { print data "/" $2 ",limb,val," $2 ",0,1" }
    $1 == "other" { n++; print data "/" $2 ",limb," (n % 4 == 0 ? "cal" : "train") "," $2 ",0,1" }'

# Muscles: a similarity group with a picture of the validation list measures as a whole.
tr -d '\r' <"$DATA/muscle_ultrasound/index.csv" | awk -F, -v data="$DATA" -v list="$held_out" '
    BEGIN { while ((getline line < list) > 0) { split(line, f, ","); if (f[1] == "ultrasound" && f[2] == "val") val[f[3]] = 1 } }
    NR > 1 { path[++n] = $2; group[n] = $4; if (("muscle_ultrasound/" $2) in val) is_val[$4] = 1 }
    END {
        for (i = 1; i <= n; i++)
            print data "/muscle_ultrasound/" path[i] ",muscle," \
                (group[i] in is_val ? "val" : group[i] % 5 == 1 ? "cal" : "train") ",muscle-" group[i] ",0,1"
    }'

# Slices: two of the four positions of one knee teach; the others, other bodies and all CT measure.
awk -F, -v data="$DATA" '$1 == "slice" {
    group = $3; sub(/.*\//, "", group)
    if (group ~ /^E3655/) group = "knee-mr-" int((substr(group, 9, 3) - 49) / 24)
    else if (group ~ /^CT/) group = "ct"
    print data "/" $3 ",slice," $2 "," group ",0,1" }' "$held_out"
for name in dicom/examples/dcm4che_YBR_422.dcm dicom/transfer_syntaxes/US-YBR_FULL_422-EVRLE.dcm; do
    echo "$DATA/$name,ultrasound,val,$(basename "$name"),0,1"
done

# Photographs, screens and charts of Debian packages; which ones teach, help to choose and measure is decided by package.
# Abstract and other smooth wallpapers teach more often: they are few and the most easily taken for limbs.
[ -d photos ] || exit 0
find -L photos -type f \( -iname '*.jpg' -o -name '*.jpeg' -o -name '*.png' \) -size +20k | LC_ALL=C sort | awk '
    /cartoon|screenshot|symbols|registration|gcompris|Elephants_|images_dark/ { next }
    /logo/ && !/lxqt/ { next }
    /plasma-workspace/ && !/\/(1280x800|2560x1600)\./ { next }
    /python3-skimage/ && !/\/(astronaut|brick|camera|cell|chelsea|coffee|grass|gravel|hubble_deep_field|ihc|moon|retina|rocket)\./ { next }
    /opencv-doc/ && !/examples\/data\/|html\/.*png$/ { next }
    /gimp-help/ && (!/images\/(dialogs|menus|toolbox|preferences|tool-options|filters)\// || /menus\/colors\/ColorToAlpha/) { next }
    /lxqt-themes|lxde-common/ && !/\/wallpapers\// { next }
    /krita-data/ && !/\/patterns\// { next }
    /desktop-base/ && !/-theme\/wallpaper\/.*svg\.png$/ { next }
    /photos\/breeze/ && !/Next\/contents\/images\/1280x800/ { next }
    /sway-backgrounds/ && !/1920x1080/ { next }
    /foobillardplus/ && !/data\/((pos|neg)[xyz]|skyline|carpet|camin)\.png$/ { next }
    /stellarium/ && (!/\/(nebulae|textures|landscapes)\// || /textures\/moon/) { next }
    /stellarium.*\/nebulae\// && nebulae++ % 4 > 0 { next }
    { kind = /python-skimage-doc|opencv-doc.*html|gimp-help/ && !/filters\/examples/ ? "page" : "photograph" }
    { group = $0; sub(/\/contents\/.*/, "", group); sub(/.*\//, "", group) }
    /plasma-workspace/ && group in seen { next }
    { seen[group] = 1 }
    /photos\/(mate-backgrounds|plasma-workspace|python3-skimage|python-skimage-doc)/ { split_name = "val" }
    /photos\/(breeze|xfdesktop4|sway|lxde|foobillardplus)/ { split_name = "cal" }
    /photos\/(tuxpaint|lomiri|ukui|extremetuxracer|opencv|gimp|stellarium|mypaint|krita)/ { split_name = "train"; repeat = 1 }
    /photos\/(lomiri|ukui|lxqt|propaganda|gnome|desktop-base)/ { split_name = "train"; repeat = 3 }
    { print $0 "," kind "," split_name ",photo-" group ",1," (split_name == "train" ? repeat : 1) }'
