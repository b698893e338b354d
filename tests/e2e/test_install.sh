#!/usr/bin/env bash
# `make install` into a DESTDIR: the installed program finds its models and guidelines, from any folder and without the source
# tree; the service starts it where it lies.
. "$(dirname "$0")/lib.sh"
root=$work/root

# has PATH MODE: it was installed, with this mode.
has() {
    checks=$((checks + 1))
    [ "$(stat -c %a "$root$1" 2>/dev/null)" = "$2" ] || fail "$1: mode $(stat -c %a "$root$1" 2>&1), not $2"
}

build=$(dirname "$REHASCOPE")
checks=$((checks + 1))
make -s -C "$REHA_SOURCE" install BUILD="$build" DESTDIR="$root" PREFIX=/usr >"$work/out" 2>&1 || { fail "make install"; cat "$work/out"; }
has /usr/bin/rehascope 755
has /usr/share/rehascope/models/knee-oa/1/model.onnx 644
has /usr/share/rehascope/guidelines/scores.json 644
has /usr/share/man/man1/rehascope.1 644
has /usr/share/doc/rehascope/administrator.md 644
has /usr/share/doc/rehascope/privacy.md 644
has /etc/systemd/system/rehascope.service 644
has /etc/sysusers.d/rehascope.conf 644
checks=$((checks + 1))
[ "$(find "$root" -type f ! -path '*/usr/*' ! -path '*/etc/*' | wc -l)" = 0 ] || fail "files outside of /usr and /etc"

# The program that was installed, alone in the world: no environment, another folder.
REHASCOPE=$root/usr/bin/rehascope
cd "$work" || exit 1
unset REHASCOPE_MODELS REHASCOPE_GUIDELINES REHASCOPE_HOME
export OMP_NUM_THREADS=1
run 0 version
run 0 model list
says out "knee-oa +1"
run 0 phantom "$work/knees" --count 1
run 0 analyse "$work/knees"
run 0 scores --list
run 0 serve --help
start_server
end_server

# The service names the program where it lies, and systemd understands it.
unit=$root/etc/systemd/system/rehascope.service
checks=$((checks + 1))
grep -q '^ExecStart=/usr/bin/rehascope serve --home %S/rehascope ' "$unit" || fail "the service starts another program"
checks=$((checks + 1))
grep -q '@PREFIX@' "$unit" && fail "the service still holds a placeholder"
if command -v systemd-analyze >/dev/null; then
    checks=$((checks + 1))
    sed "s|^ExecStart=/usr/bin|ExecStart=$root/usr/bin|; s|^User=.*|User=nobody|; s|^Group=.*|Group=nogroup|" "$unit" >"$work/rehascope.service"
    systemd-analyze verify --man=no "$work/rehascope.service" >"$work/out" 2>&1 || { fail "systemd refuses the service:"; cat "$work/out"; }
    checks=$((checks + 1))
    grep -i 'rehascope.*\(unknown\|ignoring\|failed\)' "$work/out" && fail "systemd does not know a setting of the service"
fi
# Every command has its place in the manual page.
for command in $("$REHASCOPE" --help | sed -n 's/^  \([a-z0-9-]*\) .*/\1/p'); do
    checks=$((checks + 1))
    grep -q -- "\(^\.BR\{0,1\} \|[\" ]\)$command\([ \",]\|\$\)" "$root/usr/share/man/man1/rehascope.1" || fail "the manual page does not name $command"
done
if command -v man >/dev/null; then
    checks=$((checks + 1))
    [ -z "$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$root/usr/share/man/man1/rehascope.1" 2>&1 >/dev/null)" ] || fail "the manual page has faults"
fi

# An update takes the place of what was there; uninstall removes it and leaves everything else.
mkdir -p "$root/usr/share/rehascope/models/knee-oa/99" "$root/var/lib/rehascope"
echo '{}' >"$root/usr/share/rehascope/models/knee-oa/99/card.json"
checks=$((checks + 1))
make -s -C "$REHA_SOURCE" install BUILD="$build" DESTDIR="$root" PREFIX=/usr >"$work/out" 2>&1 || fail "make install over an older one"
checks=$((checks + 1))
[ ! -e "$root/usr/share/rehascope/models/knee-oa/99" ] || fail "a model of a former version stays beside the new ones"
make -s -C "$REHA_SOURCE" uninstall DESTDIR="$root" PREFIX=/usr >"$work/out" 2>&1 || fail "make uninstall"
checks=$((checks + 1))
[ -z "$(find "$root" -type f)" ] && [ -d "$root/var/lib/rehascope" ] || fail "uninstall left files, or took records"
# What cannot be installed says so.
checks=$((checks + 1))
make -s -C "$REHA_SOURCE" install BUILD="$work/nothing" DESTDIR="$root" PREFIX=/usr >"$work/out" 2>&1 && fail "installing without a program"
says out "run make first"
checks=$((checks + 1))
make -s -C "$REHA_SOURCE" install BUILD="$build" DESTDIR="$root" PREFIX=usr >"$work/out" 2>&1 && fail "a relative PREFIX"
finish
