#!/usr/bin/env bash
# A patient with a whole day in the clinic is erased, from the page and from the command line, also by a process that is killed:
# the chain is whole, the other patient is there, and no byte of the erased one is left.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
home=$work/home

# gone HOME PATIENT: nothing is left there of whom the copy $work/before still knows.
gone() {
    checks=$((checks + 1))
    python3 "$REHA_SOURCE/tests/traces.py" "$work/before" "$1" "$2" 10 >"$work/traces" 2>&1 || { fail "traces in $1"; tail -n 1 "$work/traces"; }
}

run 0 phantom "$work/knees" --count 4 --dicom
set -- "$work"/knees/*.dcm
start_server
checks=$((checks + 1))
ids=$(python3 "$REHA_SOURCE/tests/e2e/secret_day.py" "$address" "$1" "$2" 2>"$work/day") || { fail "the day in the clinic"; tail -n 3 "$work/day"; }
patient=${ids%% *}
mv "$home/backups" "$work/backups" # a backup still holds the patient, as the guides say
checks=$((checks + 1))
python3 - "$address" "$patient" "$3" "$work/before" "$home" "$REHA_SOURCE/tests/e2e" <<'PY' >"$work/erased" 2>&1 || { fail "erasing from the page"; tail -n 3 "$work/erased"; }
import shutil, sys
address, patient, image, before, home, here = sys.argv[1:]
sys.path.insert(0, here)
from clinic_client import Client
admin, petra = Client(address), Client(address)
admin.sign_in("admin", "correct horse battery")
petra.sign_in("petra", "correct horse battery")
other = petra.ask("POST", "/patients", {"pseudonym": "P-OTHER", "name": "Bert ZZOTHER"})
study = petra.upload(open(image, "rb").read(), "other.dcm", patient_id=other["id"])["items"][0]["study_id"]
petra.wait(study)
found = admin.get("/patients/" + patient)
films = admin.get("/studies?patient_id=" + patient)["items"]
pictures = [f"/images/{films[0]['first_image_id']}/{part}" for part in ("picture.png?side_max_px=96", "values?side_max_px=1024", "values")]
assert all(admin.raw("GET", picture)[0] == 200 for picture in pictures)
here, yes = "/patients/" + patient, {"pseudonym": found["pseudonym"], "reason": "request"}
petra.ask("DELETE", here, yes, version=found["version"], expect=403)
admin.ask("DELETE", here, yes, expect=428)
admin.ask("DELETE", here, yes, version=found["version"] + 1, expect=412)
admin.ask("DELETE", here, {**yes, "pseudonym": "P-OTHER"}, version=found["version"], expect=400)
admin.ask("DELETE", here, {**yes, "reason": "Erna asked for it"}, version=found["version"], expect=400)
admin.ask("DELETE", here, {"reason": "request"}, version=found["version"], expect=400)
assert admin.get(here)["version"] == found["version"]
shutil.copytree(home, before)
report = admin.ask("DELETE", here, yes, version=found["version"])
assert report["studies"] == len(films) and report["images"] == len(films) and report["wiped"], report
admin.ask("DELETE", here, yes, version=found["version"], expect=404)
assert all(admin.raw("GET", picture)[0] == 404 for picture in pictures)
for path in (here, here + "/series", "/studies/" + films[0]["id"], f"/images/{films[0]['first_image_id']}/file.dcm"):
    code, _, body = admin.raw("GET", path)
    assert code == 404 or body.count(b"[]") >= 2, (path, code, body)
assert admin.get("/patients?text=zzsecret")["total"] == 0
event = admin.get("/audit?action=patient.erase")["items"][0]
assert event["entity_id"] == patient and event["user_name"] == "Admin", event
assert event["detail"] == {"reason": "request", "studies": len(films), "images": len(films), "sent": 0}, event
assert admin.get("/studies/" + study)["patient"]["name"] == "Bert ZZOTHER"
description = admin.get("/openapi.json")["paths"]["/api/v1/patients/{id}"]["delete"]
assert description["requestBody"] and {"404", "409", "412", "428"} <= set(description["responses"]), description
PY
gone "$home" "$patient" # while the server runs,
kill_server
gone "$home" "$patient" # after it was killed,
run 0 audit verify --home "$home"
says out "^whole: "
gone "$home" "$patient" # and after a start

# The command line.
run 2 erase P-OTHER --home "$home" <<<"P-OTHER"
says err "reason is needed"
run 1 erase P-OTHER --reason request --home "$home" <<<"P-OTHEr"
says err "nothing was erased"
run 1 erase P-NOBODY --reason request --home "$home" <<<"P-NOBODY"
says err "no such patient"
run 1 erase P-OTHER --reason because --home "$home" <<<"P-OTHER"
says err "must be one of: request keeping-over no-basis mistake"
run 1 erase P-OTHER --reason request --home "$work/nowhere" <<<"P-OTHER"
run 1 erase P-OTHER --reason request --home "$home" </dev/null
says err "on standard input"
other=$(python3 -c "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT id FROM patient').fetchone()[0])" "$home/records.db")

# Killed at any instant: the patient is whole, or erased when the records are opened next.
rm -rf "$work/before" && cp -a "$home" "$work/before"
for ms in 0 20 60 150 400; do
    rm -rf "$work/killed" && cp -a "$home" "$work/killed"
    "$REHASCOPE" erase P-OTHER --reason mistake --home "$work/killed" <<<"P-OTHER" >/dev/null 2>&1 &
    victim=$!
    sleep "$(printf '0.%03d' "$ms")"
    kill -KILL "$victim" 2>/dev/null
    wait "$victim" 2>/dev/null
    run 0 audit verify --home "$work/killed"
    if ! python3 -c "import sqlite3, sys; sys.exit(sqlite3.connect(sys.argv[1]).execute('SELECT COUNT(*) FROM patient').fetchone()[0] != 1)" "$work/killed/records.db"; then
        gone "$work/killed" "$other"
    fi
done
run 0 erase P-OTHER --reason keeping-over --home "$home" <<<"P-OTHER"
says out "erased, with 1 studies and 1 images"
says out "Backups made before now still hold the patient"
gone "$home" "$other"
run 0 audit verify --home "$home"
says out "^whole: [0-9]+ audit records, 0 files$"

# Nothing of what happened brings the name into the log; a backup of before still knows the patient.
checks=$((checks + 1))
if grep -rqa -e ZZSECRET -e ZZOTHER "$home"; then fail "a name is in the home folder"; fi
run 0 restore "$work"/backups/* --home "$work/again"
checks=$((checks + 1))
grep -qa "$patient" "$work/again/records.db" || fail "the backup does not hold the patient"
finish
