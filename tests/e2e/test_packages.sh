#!/usr/bin/env bash
# What `make` says and does where Debian packages or npm's are missing: with stand-ins of apt-get, dpkg-query, id, sudo and npm, so
# that nothing is installed here.
. "$(dirname "$0")/lib.sh"

install=$REHA_SOURCE/scripts/install-packages.sh
bin=$work/bin
mkdir "$bin"
for tool in bash cat cmp dirname env flock grep head mkdir mktemp paste rm sed tail touch; do
    ln -s "$(command -v $tool)" "$bin/$tool"
done
stand_in() { # NAME: what it does, on standard input
    { echo '#!/usr/bin/env bash'; cat; } >"$bin/$1"
    chmod +x "$bin/$1"
}
# ask CODE: installs the lists as a newcomer's `make` does.
ask() {
    local got=0
    checks=$((checks + 1))
    : >"$work/calls"
    (umask 077; CALLS=$work/calls PATH=$bin bash "$install" "${lists[@]}") >"$work/out" 2>"$work/err" || got=$?
    [ "$got" -eq "$1" ] || { fail "exit code $got instead of $1"; cat "$work/err"; }
}
printf '# what is needed\nhere\nmissing-a\n' >"$work/list"
printf '# for tests\n\nmissing-b\n' >"$work/second"
lists=("$work/list" "$work/second")

stand_in dpkg-query <<'X'
echo 'here install ok installed'
echo 'missing-a deinstall ok config-files'
[ "${*: -1}" = here ] # else one of them is unknown
X
ask 1
says err 'no apt-get to install them: missing-a missing-b$'

# An ordinary user without sudo is told the whole command; nothing is tried.
stand_in id <<<'echo 1000'
stand_in apt-get <<'X'
echo "apt-get $(umask) $*" >>"$CALLS"
X
ask 1
says err 'only root can install them'
says err '^    apt-get update && apt-get install --no-install-recommends missing-a missing-b$'
[ ! -s "$work/calls" ] || fail "apt-get was called without leave"

# With sudo, and as root: what is missing and nothing else, readable to everybody in spite of the umask.
stand_in sudo <<'X'
echo "sudo" >>"$CALLS"
exec "$@"
X
ask 0
says calls '^sudo$'
says calls '^apt-get 0022 install .*--no-install-recommends .*missing-a missing-b$'
says err 'installing 2 Debian packages .*: missing-a missing-b$'
stand_in id <<<'echo 0'
ask 0
grep -q sudo "$work/calls" && fail "sudo was asked by root"

# A list that cannot be fetched does not stop what can be installed; what cannot says so, with apt-get's own words.
stand_in apt-get <<'X'
[ "$1" != update ]
X
ask 0
stand_in apt-get <<'X'
echo "E: words of apt-get about $1"
exit 100
X
ask 1
says err 'E: words of apt-get about install'
says err 'could not be installed'

# Where all is there, nothing is said or done.
printf 'here\n' >"$work/list"
lists=("$work/list")
ask 0
[ ! -s "$work/err" ] || { fail "words about nothing"; cat "$work/err"; }
rm "$work/list"
ask 1
says err 'no list of packages'

# The pages: without npm, or without its registry, the program is built all the same, and says why it has none. npm is given a
# place for its files where the home has none.
mkdir "$work/ui"
touch "$work/ui/package-lock.json"
pages() { # HOME: builds the pages
    checks=$((checks + 1))
    CALLS=$work/calls HOME=$1 PATH=$bin bash "$REHA_SOURCE/scripts/build-ui.sh" "$work/ui" "$work/scratch" "$work/pages.c" \
        >"$work/out" 2>"$work/err" || fail "the build stops without its pages"
    grep -q 'reha_assets_built = false' "$work/pages.c" || fail "the program is not told that it has no pages"
    rm "$work/pages.c"
}
pages "$work"
says err 'left out: node or npm is not installed'
stand_in node <<<'exit 1'
stand_in npm <<'X'
echo "cache ${npm_config_cache:-of the home}" >"$CALLS"
printf 'npm ERR! code EAI_AGAIN\nnpm ERR! syscall getaddrinfo\nnpm ERR! A complete log of this run can be found in: x\n'
exit 1
X
pages "$work"
says err 'left out: npm could not fetch its packages .code EAI_AGAIN'
says calls '^cache of the home$'
pages "$work/nowhere"
says calls "^cache $work/scratch/"
finish
