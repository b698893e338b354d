#!/usr/bin/env bash
# Installs what is missing from package lists (default: scripts/packages.txt), and says what it does.
# Does nothing where all is installed already. Uses sudo only when not root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lists=("$@")
[ $# -gt 0 ] || lists=("$here/packages.txt")
for list in "${lists[@]}"; do
    if [ ! -r "$list" ]; then
        echo "rehascope: there is no list of packages $list" >&2
        exit 1
    fi
done

mapfile -t names < <(grep -hv -e '^#' -e '^$' -- "${lists[@]}")
# Asked once for all: it reads the whole list of installed packages each time.
installed=$(dpkg-query -W -f '${Package} ${Status}\n' "${names[@]}" 2>/dev/null | sed -n 's/ install ok installed$//p') || true
missing=()
for name in "${names[@]}"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$name"$'\n'* ]] && continue
    # Node.js may come from elsewhere than Debian: a working program is enough.
    case $name in nodejs) command -v node >/dev/null && continue ;; npm) command -v npm >/dev/null && continue ;; esac
    missing+=("$name")
done

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "rehascope: these packages are missing and there is no apt-get to install them: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "rehascope: ${#missing[@]} Debian packages are missing, and without sudo only root can install them. As root (su -):" >&2
        echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "rehascope: installing ${#missing[@]} Debian packages (the first time this takes some minutes): ${missing[*]}" >&2
umask 022 # what packages write for everybody stays readable to everybody
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A list that cannot be fetched (one server of several, no network) does not matter where the packages are to be had all the
# same. A computer that was just started may be at its own updates: they are waited for.
if ! { "${as_root[@]}" apt-get update -q || echo "the lists of packages could not be renewed; going on with those that are there"
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
           apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "rehascope: the packages could not be installed (the last lines of apt-get are above)" >&2
    exit 1
fi
