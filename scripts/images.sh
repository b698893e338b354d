#!/usr/bin/env bash
# `make images`: analyses files on the command line. Arguments: the program, then images or folders. Without images: a
# sample of the shared radiographs where they are, else generated phantoms. Reports go to out/.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
shift
samples=../shared/data/knee_xray/images

if [ $# -eq 0 ]; then
    if [ -d "$samples" ]; then
        echo "rehascope: a sample of the shared knee radiographs (IMAGES=\"a.dcm folder/\" chooses others)"
        mapfile -t images < <(find "$samples" ../shared/data/knee_radiographs/images -name '*.jpg' 2>/dev/null | sort | awk 'NR % 900 == 1')
        set -- "${images[@]}"
    else
        echo "rehascope: no images given (IMAGES=\"a.dcm folder/\"): generating knee phantoms in out/phantoms"
        "$program" phantom out/phantoms >/dev/null
        set -- out/phantoms
    fi
fi
status=0
"$program" analyse "$@" --report out/ || status=$?
[ "$status" -le 1 ] || exit "$status"
echo "reports: out/report.html, out/report.pdf"
exit "$status"
