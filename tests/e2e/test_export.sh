#!/usr/bin/env bash
# Results go back to the hospital's archive: a day with the real server, of a film that names its patient in Latin 1; the
# objects are judged by dciodvfy and read by DCMTK's dsrdump, before and after the signature, from the page's address and the
# command line.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
for tool in dcmodify dsrdump dciodvfy; do
    command -v $tool >/dev/null || { echo "skipped: $tool is absent (scripts/packages.txt)"; exit 77; }
done
home=$work/home

# judged FOLDER: every object there is a correct one.
judged() {
    local file
    for file in "$1"/*.dcm; do
        checks=$((checks + 1))
        dciodvfy "$file" >"$work/judged" 2>&1
        if grep -q '^Error' "$work/judged"; then fail "dciodvfy $file: $(grep -m 3 '^Error' "$work/judged")"; fi
    done
}
# reads FILE: its content tree lands in $work/tree.
reads() {
    checks=$((checks + 1))
    dsrdump +Pl +Pc "$1" >"$work/tree" 2>"$work/tree-err" || fail "dsrdump $1: $(tail -n 1 "$work/tree-err")"
}

run 0 phantom "$work/knees" --count 2 --dicom
run 0 phantom "$work/pictures" --count 1 --seed 5
film=$(ls "$work"/knees/*.dcm | head -n 1)
other=$(ls "$work"/knees/*.dcm | tail -n 1)
for one in "$film" "$other"; do
    dcmodify -nb -q -ma '(0008,0005)=ISO_IR 100' -ma "(0010,0010)=$(printf 'M\374ller^J\366rg')" -ma '(0010,0020)=H-4711' -ma '(0010,0030)=19640229' \
        -ma '(0010,0040)=M' -ma '(0008,0020)=20260131' -ma '(0008,0030)=093000' -ma '(0020,0010)=S1' -ma '(0008,0050)=A-17' "$one" || fail "dcmodify"
done
dcmodify -nb -q -ma '(0010,0020)=H-4712' "$other"
run 0 phantom "$work/muscles" --muscle --count 1 --seed 3
muscle=$(ls "$work"/muscles/muscle-*.png | head -n 1)
python3 "$REHA_SOURCE/tests/e2e/ultrasound_dicom.py" "$muscle" "$work/grey.dcm"
run 0 user add admin --role administrator --home "$home" <<<"correct horse battery"
run 0 user add petra --role physiotherapist --display-name "Pétra Physio" --home "$home" <<<"correct horse battery"
run 0 user add rita --role researcher --home "$home" <<<"correct horse battery"
run 0 user add otto --role read-only --home "$home" <<<"correct horse battery"
start_server
checks=$((checks + 1))
python3 - "$address" "$film" "$other" "$(ls "$work"/pictures/*.png | head -n 1)" "$work" "$REHA_SOURCE/tests/e2e" <<'PY' >"$work/day" 2>&1 || { fail "the day of an export"; tail -n 3 "$work/day"; }
import io, json, os, sys, zipfile
address, film, other, picture, work, here = sys.argv[1:]
sys.path.insert(0, here)
from clinic_client import Client
admin, petra, rita, otto = [Client(address) for _ in range(4)]
for client, name in ((admin, "admin"), (petra, "petra"), (rita, "rita"), (otto, "otto")):
    client.sign_in(name, "correct horse battery")
study = petra.wait(petra.upload(open(film, "rb").read(), "film.dcm")["items"][0]["study_id"])
path = f"/studies/{study['id']}/export"

def export(client, folder):
    code, headers, data = client.raw("GET", path)
    assert code == 200 and headers["Content-Type"] == "application/zip", (code, data[:300])
    assert f'archive-{study["id"]}.zip' in headers["Content-Disposition"], headers["Content-Disposition"]
    zipfile.ZipFile(io.BytesIO(data)).extractall(os.path.join(work, folder))
    return data

before = export(petra, "before")
assert export(admin, "again") == before, "the same record gave other objects"
rita.ask("GET", path, expect=403)   # would see who it is
otto.ask("GET", path, expect=403)
Client(address).ask("GET", path, expect=401)
petra.ask("GET", "/studies/none/export", expect=404)

result = study["images"][0]["results"][0]
assert result["accepted"], result["headline"]
for place, region in enumerate(result["analysis"]["regions"]):
    for finding in region["findings"]:
        decision = {"region": place, "finding": finding["key"], "decision": "accept"}
        if finding["key"] == "kl-grade":
            decision.update(decision="amend", value=4, reason="Bone on bone")
        if finding["key"] == "plateau-width":
            decision.update(decision="reject", reason="Cut off")
        code, _, data = petra.raw("POST", f"/results/{result['id']}/reviews", decision, {"If-Match": f'"{study["version"]}"'})
        if code == 200:
            study = json.loads(data)
        else:
            assert code == 400 and b"not measured" in data, (code, data)
study = petra.ask("POST", f"/studies/{study['id']}/signature", {"comment": "Seen"}, version=study["version"])
assert export(petra, "signed") != before
event = admin.get("/audit?action=study.export")["items"][0]
assert event["user_name"] == "Pétra Physio" and event["entity_id"] == study["id"], event
assert event["detail"] == {"format": "dicom", "signed": True, "objects": ["results.dcm", "report.dcm", "picture-1-1.dcm", "overlay-1-1.dcm"]}, event
print(study["id"])

# A muscle has masks, too: those that the result keeps.
muscle = petra.wait(petra.upload(open(os.path.join(work, "grey.dcm"), "rb").read(), "muscle.dcm")["items"][0]["study_id"])
result = muscle["images"][0]["results"][0]
assert [n for n in result["pictures"] if n.startswith("mask-")] == ["mask-0-aponeurosis", "mask-0-belly", "mask-0-fascicle"], result["pictures"]
for key in ("belly", "aponeurosis", "fascicle"):
    open(os.path.join(work, key + ".png"), "wb").write(petra.raw("GET", f"/results/{result['id']}/pictures/mask-0-{key}")[2])
json.dump(result["analysis"], open(os.path.join(work, "muscle.json"), "w"))
code, _, data = petra.raw("GET", f"/studies/{muscle['id']}/export")
assert code == 200, data[:300]
zipfile.ZipFile(io.BytesIO(data)).extractall(os.path.join(work, "muscle"))

# A picture came from no archive; a study under another patient than its images name goes nowhere.
drawn = petra.wait(petra.upload(open(picture, "rb").read(), "knee.png")["items"][0]["study_id"])
assert "as a picture" in petra.ask("GET", f"/studies/{drawn['id']}/export", expect=409)["error"]["message"]
second = petra.wait(petra.upload(open(other, "rb").read(), "other.dcm")["items"][0]["study_id"])
path = f"/studies/{second['id']}/export"
assert petra.raw("GET", path)[0] == 200
second = petra.ask("PUT", f"/studies/{second['id']}/patient", {"patient_id": study["patient"]["id"]}, version=second["version"])
patient = petra.get("/patients/" + study["patient"]["id"])
patient = petra.ask("PUT", "/patients/" + patient["id"], {"name": "Jörg Müller"}, version=patient["version"])
assert petra.raw("GET", path)[0] == 200  # a record that was made twice is no other person
patient = petra.ask("PUT", "/patients/" + patient["id"], {"name": "Erna Else"}, version=patient["version"])
assert "another patient" in petra.ask("GET", path, expect=409)["error"]["message"]
petra.ask("PUT", "/patients/" + patient["id"], {"name": None}, version=patient["version"])
description = petra.get("/openapi.json")["paths"]["/api/v1/studies/{id}/export"]["get"]
assert description["x-permission"] == "export", description
PY
study=$(head -n 1 "$work/day")
end_server

for folder in before signed muscle; do
    judged "$work/$folder"
done
reads "$work/before/results.dcm"
says tree 'Verification Flag   : UNVERIFIED'
says tree 'Not reviewed: computer-made findings that no clinician has signed'
says tree 'Patient             : Müller\^Jörg \(M, 1964-02-29, #H-4711\)'
says tree 'decision.*\(not-reviewed,99REHA'
says tree 'Minimum joint space width.*\(mm,UCUM,"millimeter"\)'
says tree '371886008,SCT.*\(mm,UCUM'
says tree 'Finding Site"\)=\(49076000,SCT,"Knee joint"\)'
says tree 'Algorithm Parameters"\)="model sha256=[0-9a-f]{64}"'
says tree 'SCOORD:\(111030,DCM,"Image Region"\)=\(POLYLINE'
reads "$work/signed/results.dcm"
says tree 'Verification Flag   : VERIFIED'
says tree 'Verifying Observers : .*Pétra Physio'
says tree 'CODE:\(kl-grade,99REHA,"Kellgren-Lawrence grade"\)=\(kl-grade-4,99REHA'
says tree "Software's value"
says tree 'CODE:\(plateau-width,99REHA,"Width of the tibial plateau"\)=\(rejected,99REHA'
says tree 'Reason"\)="Bone on bone"'
checks=$((checks + 1))
if grep -q 'not-reviewed' "$work/tree"; then fail "a signed study holds something that nobody decided on"; fi

# One study of one person, as the film says; each object is a new instance.
for name in results report picture-1-1 overlay-1-1; do
    checks=$((checks + 1))
    for tag in 0020,000d 0010,0020 0008,0050 0008,0020; do
        [ "$(dcmdump +P $tag "$film" | head -n 1)" = "$(dcmdump -s +P $tag "$work/signed/$name.dcm" | head -n 1)" ] || fail "$name.dcm: $tag is not the film's"
    done
    [ "$(dcmdump +P 0008,0018 "$work/before/$name.dcm")" != "$(dcmdump +P 0008,0018 "$work/signed/$name.dcm")" ] || fail "$name.dcm has one UID before and after the signature"
done
checks=$((checks + 1))
if command -v dcm2pdf >/dev/null && command -v pdftotext >/dev/null; then
    dcm2pdf "$work/signed/report.dcm" "$work/report.pdf" && pdftotext "$work/report.pdf" - | grep -q 'Signed by Pétra Physio' || fail "the PDF inside of report.dcm"
fi

# The command line gives the same objects, into a new or empty folder only.
run 2 export "$study" --home "$home"
says err "out DIR is needed"
run 1 export none --home "$home" --out "$work/none"
says err "no such study"
run 0 export "$study" --home "$home" --out "$work/cli" --json
says out '"results.dcm"'
checks=$((checks + 1))
diff -r "$work/cli" "$work/signed" >/dev/null || fail "the command line gives other objects than the page"
run 1 export "$study" --home "$home" --out "$work/cli"
says err "new or an empty folder"
# A disk that is full before the last object is there leaves none, and no folder that would be in the way of the next try.
largest=$(stat -c %s "$work"/cli/*.dcm | sort -n | tail -n 1)
limited $((largest / 1024 - 1)) 3 export "$study" --home "$home" --out "$work/full/export"
says err 'full/export/.*\.dcm: cannot be written: File too large'
[ ! -e "$work/full/export" ] || fail "half an export was left: $(ls "$work/full/export")"
run 0 export "$study" --home "$home" --out "$work/full/export"

# What lies over the picture: every bit and every point, as DCMTK reads them.
layers() {
    checks=$((checks + 1))
    python3 "$REHA_SOURCE/tests/e2e/layers.py" "$@" >"$work/layers" 2>&1 || fail "layers $1 $2: $(tail -n 1 "$work/layers")"
}
layers masks "$work/muscle/masks-1-1.dcm" belly="$work/belly.png" aponeurosis="$work/aponeurosis.png" fascicle="$work/fascicle.png"
layers overlay "$work/muscle.json" "$work/muscle/overlay-1-1.dcm"
says layers 'APONEUROSES, THICKNESS, FASCICLES, MEASURES, NOT REVIEWED'
for folder in before signed; do
    dcmdump +L "$work/$folder/overlay-1-1.dcm" >"$work/overlay-$folder" 2>/dev/null
done
says overlay-before '\[NOT REVIEWED\]'
says overlay-signed '\[REJECTED\]'
says overlay-signed 'tibial plateau: rejected'
says overlay-signed 'amended to 4'
checks=$((checks + 1))
if grep -q 'NOT REVIEWED' "$work/overlay-signed"; then fail "a signed overlay says that nobody reviewed it"; fi
if command -v dcmpschk >/dev/null && command -v dcmp2pgm >/dev/null; then
    checks=$((checks + 1))
    dcmpschk "$work/signed/overlay-1-1.dcm" >"$work/checked" 2>&1 || fail "dcmpschk: $(tail -n 2 "$work/checked")"
    dcmp2pgm -p "$work/signed/overlay-1-1.dcm" "$film" "$work/shown.pgm" >"$work/checked" 2>&1 || fail "dcmp2pgm: $(tail -n 2 "$work/checked")"
fi

# Without a clinic: of a file that is DICOM.
run 0 analyse "$film" --dicom "$work/alone" --json
cp "$work/out" "$work/alone.json"
judged "$work/alone"
layers overlay "$work/alone.json" "$work/alone/overlay-1.dcm"
says layers 'TIBIA, FEMUR, JOINT SPACE, WIDTHS, MEASURES, NOT REVIEWED'
reads "$work/alone/results-1.dcm"
says tree 'Verification Flag   : UNVERIFIED'
says tree 'Minimum joint space width.*\(mm,UCUM'
run 1 analyse "$(ls "$work"/pictures/*.png | head -n 1)" --dicom "$work/of-a-picture"
says err 'no DICOM file'
checks=$((checks + 1))
if grep -aq -e 'H-4711' -e 'ller^J' "$home/server.log"; then fail "a patient's name is in the log"; fi
finish
