# Shared by the end-to-end tests: the program, a scratch folder, and checks that say what failed. Whatever a test waits for, it
# waits for generously: no check may depend on how fast or busy the machine is.
set -uo pipefail
: "${REHASCOPE:?path of the program}" "${REHA_SOURCE:?path of the source tree}"
REHA_DATA=${REHA_DATA:-$REHA_SOURCE/../shared/data}
work=$(mktemp -d)
server= # process that start_server left running
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null; rm -rf "$work"' EXIT
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

# limited KIB CODE ARGS...: the same where no file can grow beyond KIB: the same calls fail as on a full disk.
limited() {
    ulimit -S -f "$1"
    run "${@:2}"
    ulimit -S -f unlimited
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

# start_server OPTIONS...: a clinic on the records of $work/home; its address lands in $address, its words in $work/served and
# (of all starts) in $work/serve-err. A test cannot go on without it.
start_server() {
    : >"$work/served"
    "$REHASCOPE" serve --home "$work/home" --port 0 "$@" >"$work/served" 2>>"$work/serve-err" &
    server=$!
    for _ in $(seq 1200); do
        address=$(sed -n 's/^Rehascope is at \([^ ]*\).*/\1/p' "$work/served")
        [ -n "$address" ] && return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    fail "the server did not start:"
    cat "$work/served" "$work/serve-err"
    finish
    exit 1
}

# A port that is free now; whoever takes it must be ready to find it taken.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start_peer LOG COMMAND...: a program of others that listens at a port, with @ in its arguments for the number; the port lands
# in $peer_port, the process in $peer. It is there as soon as somebody may connect.
start_peer() {
    local log=$1 try
    shift
    for try in 1 2 3 4 5; do
        peer_port=$(free_port)
        "${@//@/$peer_port}" >"$log" 2>&1 &
        peer=$!
        for _ in $(seq 1200); do
            kill -0 "$peer" 2>/dev/null || break # the port was taken meanwhile: another one
            (: <>"/dev/tcp/127.0.0.1/$peer_port") 2>/dev/null && return 0
            sleep 0.1
        done
    done
    fail "$1 did not start:"
    tail -n 5 "$log"
    finish
    exit 1
}

# SIGTERM must end it cleanly.
end_server() {
    checks=$((checks + 1))
    kill -TERM "$server"
    for _ in $(seq 1200); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -0 "$server" 2>/dev/null && { fail "the server did not stop within 120 s"; kill -KILL "$server"; }
    wait "$server" || fail "the server ended with exit code $?"
    server=
}

# As a crash or a power cut does: files are left as they are at this moment.
kill_server() {
    kill -KILL "$server"
    wait "$server" 2>/dev/null
    server=
}

# npm_packages FOLDER PACKAGE: the packages of FOLDER's lock file are there, PACKAGE among them; else it says why not.
npm_packages() {
    command -v node >/dev/null && command -v npm >/dev/null || { echo "node or npm is absent"; return 1; }
    (
        cd "$1" && flock 9 # tests that run side by side share the packages
        [ -d "node_modules/$2" ] && exit 0
        [ -w "${HOME:-/nowhere}" ] || export npm_config_cache="$work/npm-cache"
        npm ci --ignore-scripts --no-audit --no-fund >"$work/npm" 2>&1
    ) 9<"$1" || { head -n 4 "$work/npm"; echo "npm could not install $2"; return 1; }
}

# A browser that tests can drive, for tests/web; else the test is skipped.
need_browser() {
    command -v "${CHROMIUM:-/usr/bin/chromium}" >/dev/null || { echo "skipped: chromium is absent"; exit 77; }
    npm_packages "$REHA_SOURCE/tests/web" playwright-core || { echo "skipped: no browser that tests can drive"; exit 77; }
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
}
