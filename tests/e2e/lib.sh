# Shared by the end-to-end tests: the program, a scratch folder, and checks that say what failed.
set -uo pipefail
: "${REHASCOPE:?path of the program}" "${REHA_SOURCE:?path of the source tree}"
REHA_DATA=${REHA_DATA:-$REHA_SOURCE/../shared/data}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
checks=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# run CODE ARGS...: runs the program; its output lands in $work/out and $work/err.
run() {
    local expected=$1 got
    shift
    checks=$((checks + 1))
    "$REHASCOPE" "$@" >"$work/out" 2>"$work/err"
    got=$?
    if [ "$got" -ne "$expected" ]; then
        fail "exit code $got instead of $expected: rehascope $*"
        head -n 5 "$work/out" "$work/err"
    fi
}

# says FILE PATTERN: the last run's output has a line that matches.
says() {
    checks=$((checks + 1))
    grep -Eq -- "$2" "$work/$1" || { fail "no line matches '$2' in $1:"; head -n 8 "$work/$1"; }
}

need_data() {
    if [ ! -d "$REHA_DATA" ]; then
        echo "skipped: the shared data are absent (set REHA_DATA)"
        exit 77
    fi
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
}
