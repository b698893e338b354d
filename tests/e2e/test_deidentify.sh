# De-identification: a secret is planted wherever a name can hide, every byte of what comes out is searched, and the
# copies measure as their originals did.
. "$(dirname "$0")/lib.sh"

secret=ZZSECRET
plant() { python3 "$REHA_SOURCE/tests/e2e/plant_secret.py" "$@" "$secret"; }

# clean FOLDER WHAT: no byte of it, no name in it, and no line of the last run holds the secret.
clean() {
    checks=$((checks + 1))
    if grep -raq "$secret" "$1" "$work/out" "$work/err" || find "$1" | grep -q "$secret"; then
        fail "$2: the secret is still there"
    fi
}

# of_dicom FILE TAG: the value of an attribute, by DCMTK.
of_dicom() { dcmdump -q +P "$2" "$1" | sed -n 's/^[^[]*\[\(.*\)\].*/\1/p' | head -n 1; }
days() { date -u -d "$1" +%s | awk '{ print $1 / 86400 }'; }

# numbers FILE: what an analysis measured, without what is told of device, day, path and time.
numbers() {
    python3 - "$1" <<'PY'
import json, sys
rows = []
for result in json.load(open(sys.argv[1]))["results"]:
    analysis = result["analysis"]
    analysis.pop("analysis_ms", None)
    analysis["notes"] = [n for n in analysis["notes"] if n["code"] != "file"]  # of what was planted behind the end
    for key in ("acquired_on", "manufacturer", "device_model"):
        analysis["image"].pop(key, None)
    rows.append(json.dumps(analysis, sort_keys=True))
assert rows
print("\n".join(sorted(rows)))
PY
}

# --- generated knees: planted, de-identified, measured again ------------------------------------------------------
run 0 phantom "$work/kn" --dicom --count 2
mkdir -p "$work/in/$secret"
for f in "$work"/kn/*.dcm; do
    [ "$(plant --soft "$f" "$work/in/$secret/$secret-$(basename "$f")")" -gt 30 ] || fail "nothing was planted in $f"
done
run 0 analyse "$work/in" --threads 1 --json
cp "$work/out" "$work/before.json"
run 0 deidentify "$work/in" "$work/deid" --key "$work/key" --list "$work/list.csv"
says out '^2 de-identified \(1 patients\), 0 copies of those, 0 passed over, 0 refused: '
clean "$work/deid" knees
[ "$(find "$work/deid" -type f -name '2.25.*.dcm' | wc -l)" -eq 2 ] && [ "$(find "$work/deid" -type f | wc -l)" -eq 3 ] ||
    fail "there are other files than copies and report: $(find "$work/deid" -type f)"
[ "$(stat -c %a "$work/key" "$work/list.csv" | sort -u)" = 600 ] || fail "key or list can be read by others"
grep -q "^1,.*$secret.*,done,2\.25\." "$work/list.csv" || fail "the list does not say which file became what"
run 0 analyse "$work/deid" --threads 1 --json
numbers "$work/before.json" >"$work/before"
numbers "$work/out" | diff - "$work/before" >"$work/diff" || { fail "a copy measures differently:"; head -c 600 "$work/diff"; }

for f in "$work"/deid/*/*.dcm; do
    checks=$((checks + 1))
    dcmdump -q "$f" >"$work/dump" 2>"$work/dump-err" && [ ! -s "$work/dump-err" ] || fail "dcmdump does not read a copy"
    grep -q '(0012,0062) CS \[YES\]' "$work/dump" && grep -q 'SH \[113100\]' "$work/dump" || fail "the marks are missing"
    grep -Eq '^\(...[13579bdf],' "$work/dump" && fail "a private element is left"
    [ "$(of_dicom "$f" 0010,0010)" = "$(of_dicom "$f" 0010,0020)" ] || fail "name and number differ"
    [ "$(of_dicom "$f" 0008,0018)" = "$(basename "$f" .dcm)" ] || fail "the file's name is not its UID"
done

# --- a folder that is not empty, wrong usage, a list or key where it does not belong ------------------------------
run 1 deidentify "$work/in" "$work/deid"
says err 'not empty'
run 1 deidentify "$work/none" "$work/d0"
says err 'no such file or folder'
run 2 deidentify "$work/in"
run 2 deidentify "$work/in" "$work/d0" --blank 1,2,3
run 2 deidentify "$work/in" "$work/d0" --blank '1,2,3,4,5'
run 2 deidentify "$work/in" "$work/d0" --blank '1,2,x,4'
run 1 deidentify "$work/in" "$work/d1" --list "$work/d1/list.csv"
says err 'must not lie in the folder of the copies'
echo nonsense >"$work/bad-key" && chmod 600 "$work/bad-key"
run 1 deidentify "$work/in" "$work/d2" --key "$work/bad-key"
says err 'no key file'
cp "$work/key" "$work/open-key" && chmod 644 "$work/open-key"
run 1 deidentify "$work/in" "$work/d2" --key "$work/open-key"
says err 'chmod 600'

# --- visits: linked by the key, by nothing else; intervals stay ---------------------------------------------------
mkdir "$work/visits"
first=$(ls "$work"/kn/*.dcm | head -n 1)
visit() { # NAME NUMBER DATE
    cp "$first" "$work/visits/$1.dcm"
    dcmodify -nb -i "0010,0020=$2" -i "0010,0010=$secret^JANE" -m "0008,0020=$3" -m "0008,0022=$3" -gse -gin -gst \
        "$work/visits/$1.dcm" 2>/dev/null
}
visit a "$secret-1" 20251230
visit b "$secret-1" 20260228
visit c "$secret-2" 20251230
for v in a b c; do
    run 0 deidentify "$work/visits/$v.dcm" "$work/v_$v" --key "$work/key" --shift-dates --keep-device
    clean "$work/v_$v" "visit $v"
done
run 0 deidentify "$work/visits/a.dcm" "$work/v_again" --key "$work/key" --shift-dates --keep-device
run 0 deidentify "$work/visits/a.dcm" "$work/v_none" --shift-dates
says out 'Without --key nothing links'
copy() { echo "$work/v_$1"/*/*.dcm; }
cmp -s "$(copy a)" "$(copy again)" || fail "the same file and key give another copy"
[ "$(of_dicom "$(copy a)" 0010,0020)" = "$(of_dicom "$(copy b)" 0010,0020)" ] || fail "two visits of one patient are not linked"
[ "$(of_dicom "$(copy a)" 0010,0020)" != "$(of_dicom "$(copy c)" 0010,0020)" ] || fail "two patients are one"
[ "$(of_dicom "$(copy a)" 0010,0020)" != "$(of_dicom "$(copy none)" 0010,0020)" ] || fail "another key gives the same pseudonym"
a=$(of_dicom "$(copy a)" 0008,0020) b=$(of_dicom "$(copy b)" 0008,0020)
[ "$a" != 20251230 ] && [ "$(($(days "$b") - $(days "$a")))" -eq 60 ] || fail "the interval of 60 days became $a to $b"
[ "$(of_dicom "$(copy a)" 0008,0070)" = "Rehascope phantom" ] || fail "--keep-device did not keep the manufacturer"
[ -z "$(of_dicom "$(copy none)" 0008,0070)" ] || fail "the manufacturer stayed without being asked for"

# --- what is refused does not stop the others; nothing is half-written --------------------------------------------
mkdir "$work/mixed"
cp "$work/visits/a.dcm" "$work/mixed/1.dcm"
head -c 20000 "$work/visits/b.dcm" >"$work/mixed/2.dcm"
echo "$secret" >"$work/mixed/3.txt"
cp "$work/visits/c.dcm" "$work/mixed/4.dcm"
dcmodify -nb -m "0028,0301=YES" "$work/mixed/4.dcm"
cp "$work/visits/a.dcm" "$work/mixed/5.dcm"
(cd "$work/mixed" && dcmmkdir +id . +D DICOMDIR -Nxc 1.dcm) >/dev/null 2>&1
run 1 deidentify "$work/mixed" "$work/d3"
says out '^1 de-identified \(1 patients\), 1 copies of those, [12] passed over, 2 refused: '
says err 'file [0-9]: the file is damaged'
says err 'text is burned into the pixels: .*--accept-burned-in'
clean "$work/d3" "mixed folder"
[ "$(find "$work/d3" -type f | wc -l)" -eq 2 ] || fail "something was left: $(find "$work/d3" -type f)"
run 1 deidentify "$work/mixed" "$work/d4" --blank 0,0,40,20 --json
says out '"pixels": "blanked"'
run 1 deidentify "$work/mixed/1.dcm" "$work/d5" --blank 9000,0,40,20
says err 'outside of the picture'
[ "$(find "$work/d5" -name '*.dcm' | wc -l)" -eq 0 ] || fail "a refused file left a copy"

# --- pictures: refused, then wrapped without what stood in them ---------------------------------------------------
run 0 phantom "$work/mus" --muscle --count 1
picture=$(find "$work/mus" -name '*.png' -o -name '*.tif' | sort | head -n 1)
mkdir "$work/pictures"
python3 - "$picture" "$work/pictures/$secret.png" <<'PY'
import struct, sys, zlib
data = open(sys.argv[1], "rb").read()
text = b"tEXtAuthor\0ZZSECRET"
chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
open(sys.argv[2], "wb").write(data[:33] + chunk + data[33:] + b"ZZSECRET")
PY
run 1 deidentify "$work/pictures" "$work/d6"
says err 'a picture does not say whether text is burned'
run 0 deidentify "$work/pictures" "$work/d7" --accept-burned-in --key "$work/key"
clean "$work/d7" "a picture"
[ -z "$(of_dicom "$work"/d7/*/*.dcm 0028,0301)" ] || fail "a picture of which nobody knows is said to hold no text"
run 0 deidentify "$work/pictures" "$work/d8" --accept-burned-in --key "$work/key"
diff -r -x deidentified.json "$work/d7" "$work/d8" >/dev/null || fail "the same picture and key give another copy"

# --- a series stays a volume --------------------------------------------------------------------------------------
run 0 phantom "$work/mr" --t2 --count 2
run 0 t2-map "$work/mr" --threads 1 --roi 40,40,12,12@1
grep region "$work/out" >"$work/t2"
run 0 deidentify "$work/mr" "$work/mr2" --key "$work/key"
run 0 t2-map "$work/mr2" --threads 1 --roi 40,40,12,12@1
grep region "$work/out" | diff - "$work/t2" || fail "T2 of the copies differs"

# --- real files: every transfer syntax, planted to the full -------------------------------------------------------
# A disk that is full when the list of names is written (here: a limit on the size of a file) leaves no half of it.
deep=$work/deep
for i in $(seq 14); do deep=$deep/$(printf 'x%.0s' $(seq 220)); done
run 0 phantom "$work/one" --count 1 --dicom
mkdir -p "$deep"
for i in $(seq 60); do ln "$work"/one/*.dcm "$deep/$i.dcm" || cp "$work"/one/*.dcm "$deep/$i.dcm"; done
limit=$(($(stat -c %s "$work"/one/*.dcm) / 1024 + 8))
[ "$limit" -lt 180 ] || fail "the picture is larger than the list: nothing would be tried"
limited "$limit" 3 deidentify "$work/deep" "$work/limited" --key "$work/limited.key" --list "$work/limited.csv"
says err 'limited.csv: could not be written: .*the copies are whole'
[ ! -e "$work/limited.csv" ] || fail "half a list of names was left"
# One that is full before: no half copy, no report of what is not there.
mkdir "$work/two"
cp "$(find "$work/mr" -name '*.dcm' | sort | head -n 1)" "$work/two/a.dcm"
cp "$work"/one/*.dcm "$work/two/b.dcm"
limited $(($(stat -c %s "$work/two/b.dcm") / 1024 - 4)) 3 deidentify "$work/two" "$work/halted" --key "$work/limited.key"
says err 'stopped at file 2 \(whole copies: 1, no report\): .*cannot be written: File too large'
[ "$(find "$work/halted" -type f | wc -l)" -eq 1 ] || fail "half a copy or a report was left: $(find "$work/halted" -type f)"

if [ -d "$REHA_DATA/dicom" ]; then
    syntaxes=0
    for f in "$REHA_DATA"/dicom/transfer_syntaxes/*.dcm "$REHA_DATA"/dicom/examples/*.dcm; do
        name=$(basename "$f")
        [ "$name" = no-pixel-data.dcm ] && continue
        planted=$(plant "$f" "$work/planted.dcm")
        [ "$planted" -gt 30 ] || fail "$name: planted only $planted times"
        run 0 deidentify "$work/planted.dcm" "$work/real/$name" --accept-burned-in --keep-device --shift-dates
        clean "$work/real/$name" "$name"
        syntaxes=$((syntaxes + 1))
    done
    dcmdump -q "$work"/real/*/*/*.dcm >"$work/dump" 2>"$work/dump-err" && [ ! -s "$work/dump-err" ] ||
        fail "dcmdump does not read a copy: $(head -n 1 "$work/dump-err")"
    [ "$syntaxes" -ge 34 ] || fail "only $syntaxes real files were tried"
    run 1 deidentify "$REHA_DATA/dicom/transfer_syntaxes/no-pixel-data.dcm" "$work/d10"
    says err 'structured report'
    run 1 deidentify "$REHA_DATA/dicom/examples/dcm4che_YBR_FULL-RLE.dcm" "$work/d11"
    says err 'ultrasound whose Burned In Annotation'
    run 0 deidentify "$REHA_DATA/dicom/examples/dcm4che_YBR_FULL-RLE.dcm" "$work/d12" --blank-outside-regions
    says out 'Text inside of ultrasound regions stays'
    [ -z "$(of_dicom "$work"/d12/*/*.dcm 0028,0301)" ] || fail "blanking outside of regions claims that no text is left"
    run 1 deidentify "$REHA_DATA/dicom/malformed" "$work/d13" --accept-burned-in
    says out '[0-9]+ de-identified'
    run 0 t2-map "$REHA_DATA/dicom/knee_mr_t2" --threads 1 --roi 100,100,40,40@2
    grep region "$work/out" >"$work/t2"
    run 0 deidentify "$REHA_DATA/dicom/knee_mr_t2" "$work/mr3"
    run 0 t2-map "$work/mr3" --threads 1 --roi 100,100,40,40@2
    grep region "$work/out" | diff - "$work/t2" || fail "T2 of a real knee's copies differs"
fi
finish
