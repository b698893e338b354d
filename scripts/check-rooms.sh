#!/usr/bin/env bash
# Checks the order of the rooms (docs/ARCHITECTURE.md): a file includes only rooms below its own, a
# private header stays in its room, a library's headers are included only by the room that owns it,
# and the dangerous parts of libc are used only where they are wrapped. Exit 1 names each fault.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

awk '
BEGIN {
    split("base image nn store dicom recognition rehab service web app", order, " ")
    level["base"] = 0; level["image"] = 1; level["nn"] = 1; level["store"] = 1
    level["dicom"] = 2; level["recognition"] = 2; level["rehab"] = 2
    level["service"] = 3; level["web"] = 4; level["app"] = 5
    owner["png.h"] = "image"; owner["jpeglib.h"] = "image"; owner["tiffio.h"] = "image"; owner["cairo"] = "image"
    owner["pango"] = "image"; owner["nifti"] = "image"; owner["dnnl"] = "nn"; owner["oneapi"] = "nn"
    owner["onnx/"] = "nn"; owner["protobuf"] = "nn"; owner["sqlite3.h"] = "store"; owner["libpq"] = "store"
    owner["sodium"] = "store"; owner["dcmtk"] = "dicom"; owner["openjpeg"] = "dicom"; owner["xgboost"] = "rehab"
    owner["seccomp.h"] = "service"; owner["zip.h"] = "service"; owner["microhttpd.h"] = "web"; owner["jansson.h"] = "base"; owner["pthread.h"] = "base"
}
function fault(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; faults++ }
{
    split(FILENAME, parts, "/"); room = parts[2]
    if (!(room in level)) { if (!(room in unknown)) { fault("the folder src/" room " is no room"); unknown[room] = 1 } next }
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\""); path = quoted[2]; n = split(path, p, "/"); target = p[1]
    if (n < 2 || !(target in level)) {
        for (key in owner) if (index(path, key) == 1 && owner[key] == room) next
        fault("\"" path "\": includes start at src/, as \"room/file.h\""); next
    }
    if (target != room && level[target] >= level[room]) fault(room " (level " level[room] ") may not include " target " (level " level[target] ")")
    if (target != room && path ~ /_priv\.h$/) fault("\"" path "\" is private to " target)
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, angled, /[<>]/); path = angled[2]
    for (key in owner) if (index(path, key) == 1 && owner[key] != room) fault("<" path "> belongs to the room " owner[key])
}
{
    code = $0 # without its comments
    if (code ~ /^[ \t]*\*/) next
    sub(/\/[*\/].*$/, "", code)
}
code ~ /(^|[^A-Za-z0-9_])(malloc|calloc|realloc|free|strdup|strndup)[ \t]*\(/ && FILENAME !~ /base\/memory\.c$/ && !/allowed:/ {
    fault("memory comes from base/memory.h (a block of a library: say /* allowed: whose */)")
}
code ~ /(^|[^A-Za-z0-9_])(sprintf|strcpy|strcat|gets|atoi|atof|strtok)[ \t]*\(/ { fault("banned function: use base/text.h") }
END { if (faults > 0) { printf "%d faults\n", faults; exit 1 } }
' $(find src -name '*.c' -o -name '*.h' -o -name '*.cc' | sort)

cxx=$(find src -name '*.cc' | grep -Ev '^src/dicom/bridge(_net)?\.cc$' || true)
if [ -n "$cxx" ]; then
    echo "C++ outside the DCMTK bridge: $cxx"
    exit 1
fi
echo "rooms are in order"
