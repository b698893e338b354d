#!/usr/bin/env bash
# DICOMweb: files of several transfer syntaxes are stored, found and retrieved by another program; DCMTK says what is in them.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
home=$work/home

run 0 phantom "$work/knees" --count 5 --dicom
mkdir "$work/files"
i=0
for name in one two implicit jpeg other; do
    i=$((i + 1))
    cp "$(ls "$work"/knees/*.dcm | sed -n ${i}p)" "$work/files/$name.dcm"
done
study=$(dcmdump +P 0020,000d "$work/files/one.dcm" | sed 's/.*\[\(.*\)\].*/\1/')
set_values() { dcmodify -nb "$@" 2>>"$work/dcmodify" || fail "dcmodify $*"; }
umlaut=$(printf '\374')
set_values -i "SpecificCharacterSet=ISO_IR 100" -i "PatientID=WARD-4711" -i "PatientName=Person^Erna" -i "AccessionNumber=A-0815" -i "StudyDate=20260131" \
    -i "StudyDescription=Knie $umlaut" -i "(0008,1140)[0].(0008,1155)=1.2.3.4" -i "(0018,1164)=0.14\\0.143" -i "(0028,1055)=soft\\hard" \
    -i "(0028,0009)=(0018,1063)" "$work/files/one.dcm"
set_values -i "PatientID=WARD-4711" -i "StudyInstanceUID=$study" "$work/files/two.dcm"
set_values -i "PatientID=WARD-4712" "$work/files/implicit.dcm"
dcmconv +ti "$work/files/implicit.dcm" "$work/files/converted" && mv "$work/files/converted" "$work/files/implicit.dcm" || fail "dcmconv"
dcmcjpeg "$work/files/jpeg.dcm" "$work/files/converted" && mv "$work/files/converted" "$work/files/jpeg.dcm" || fail "dcmcjpeg"
for name in one two implicit jpeg; do
    dcmconv +U8 "$work/files/$name.dcm" "$work/utf8" 2>/dev/null || cp "$work/files/$name.dcm" "$work/utf8"
    set_values -ea "(7fe0,0010)" "$work/utf8" # dcm2json does not write compressed pixels
    dcm2json "$work/utf8" "$work/files/$name.json" || fail "dcm2json $name"
done

start_server
checks=$((checks + 1))
study=$(python3 "$REHA_SOURCE/tests/e2e/dicomweb_day.py" "$address" "$work/files" 2>"$work/day") || { fail "the day of another system"; tail -n 5 "$work/day"; finish; exit 1; }
checks=$((checks + 1))
grep -q 'event=http.request .*route=/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata status=200' "$home/server.log" ||
    fail "the log does not tell of DICOMweb"
checks=$((checks + 1))
if grep -aq -e WARD-4711 -e A-0815 -e "$study" "$home/server.log"; then fail "the log tells a number or a UID"; fi
checks=$((checks + 1))
if grep -rqa -e WARD-4711 -e A-0815 -e Knie "$home"; then fail "the records tell a number in clear"; fi
kill_server # what was acknowledged is there after a power cut
run 0 audit verify --home "$home"
checks=$((checks + 1))
[ "$(find "$home/blobs" -type f | wc -l)" -ge 4 ] || fail "files are missing"

# A home of a former version, whose images have no heads yet: they are read when they are asked for, and by themselves.
python3 - "$home/records.db" <<'PY'
import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
d.execute("UPDATE image SET head = NULL")
d.commit()
PY
start_server
checks=$((checks + 1))
python3 - "$address" "$study" "$REHA_SOURCE/tests/e2e" <<'PY' || fail "images of a former version"
import sys, time
sys.path.insert(0, sys.argv[3])
from clinic_client import Client, PASSWORD
from dicomweb_day import Dicomweb
petra = Client(sys.argv[1])
petra.sign_in("petra", PASSWORD)
web = Dicomweb(petra)
assert len(web.json(f"/studies/{sys.argv[2]}/series")) == 2
end = time.time() + 300
while web.ask("GET", "/studies", expect=200) and any("00201206" not in s for s in web.json("/studies")):
    assert time.time() < end, "heads are not read"
    time.sleep(0.2)
assert len(web.json("/studies?AccessionNumber=A-0815")) == 1
PY
end_server
finish
