#!/usr/bin/env bash
# A new clinic as its administrator tries it: accounts, archives and folders, duplicates, the watched folder, one-time codes,
# lockout, sessions, settings, backup; and what is refused at the start.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1

run 0 phantom "$work/knees" --count 5 --dicom
rm -f "$work"/knees/*.png
# A CD as hospitals burn them: folders, an index, a viewer, notes.
mkdir -p "$work/cd/DICOM/PAT1/ST1" "$work/cd/VIEWER"
cp "$work/knees/knee-000R.dcm" "$work/cd/DICOM/PAT1/ST1/IM0001"
cp "$work/knees/knee-001L.dcm" "$work/cd/DICOM/PAT1/ST1/IM0002"
echo "start the viewer" >"$work/cd/VIEWER/README.TXT"
printf 'MZ fake program' >"$work/cd/VIEWER/VIEWER.EXE"
python3 - "$work/cd" "$work/cd.zip" <<'PY'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, files in os.walk(sys.argv[1]):
        for name in files:
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, sys.argv[1]))
PY
mkdir "$work/scans"
run 1 serve --home "$work/home" --inbox "$work/nowhere" --port 0
says err 'no folder that can be read and emptied'
run 1 serve --home "$work/home" --inbox "$work/scans" --inbox-task xray --port 0
says err "there is no 'xray'"
start_server --inbox "$work/scans" --inbox-task knee-oa
checks=$((checks + 1))
python3 "$REHA_SOURCE/tests/e2e/administrator_day.py" "$address" "$work/scans" "$work/cd.zip" "$work"/knees/*.dcm 2>"$work/day" ||
    { fail "the administrator's day"; tail -n 4 "$work/day"; cat "$work/served" "$work/serve-err"; }
# Folders by the command line, while the server runs.
run 1 import "$work/cd" --home "$work/home"
says out "IM0001: duplicate"
says out "README.TXT: refused"
run 0 import "$work/knees/knee-004R.dcm" --home "$work/home"
says out "stored"
# A second server on the same records would take the first one's jobs.
run 1 serve --home "$work/home" --port 0
says err "another process works"
end_server
# As root on the records of another user: refused before anything is made that he cannot read.
if [ "$(id -u)" = 0 ]; then
    chown -R nobody "$work/home"
    run 1 user list --home "$work/home"
    says err "belongs to another user"
    chown -R root "$work/home"
fi
run 0 audit verify --home "$work/home"
finish
