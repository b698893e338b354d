#!/usr/bin/env bash
# `make install`: program, models, guidelines, man page, guides, and the systemd service. Arguments: the build folder, then
# install or uninstall. PREFIX (default /usr/local), DESTDIR (in front of every path, for packages), UNITDIR, SYSUSERSDIR.
# Installs only: build first, as yourself.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
what=${2:-install}
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
case $prefix in
/*) ;;
*)
    echo "PREFIX must begin with /: $prefix" >&2
    exit 1
    ;;
esac
share=$root$prefix/share/rehascope
doc=$root$prefix/share/doc/rehascope
units=$root${UNITDIR:-/etc/systemd/system}
users=$root${SYSUSERSDIR:-/etc/sysusers.d}

if [ "$what" = uninstall ]; then
    rm -f "$root$prefix/bin/rehascope" "$root$prefix/share/man/man1/rehascope.1" "$units/rehascope.service" "$users/rehascope.conf"
    rm -rf "$share" "$doc"
    echo "removed from $root$prefix; the records in /var/lib/rehascope stay"
    exit 0
fi
if [ ! -x "$build/rehascope" ]; then
    echo "there is no $build/rehascope: run make first" >&2
    exit 1
fi

# Older models and rules would stay beside the new ones and might be chosen: a new tree takes the place of the old one.
install -d "$share"
for folder in models guidelines; do
    rm -rf "$share/$folder"
    find "$folder" -type f ! -path '*/.*' -exec install -D -m 644 {} "$share/{}" \;
done
install -D -m 755 "$build/rehascope" "$root$prefix/bin/rehascope.new"
mv "$root$prefix/bin/rehascope.new" "$root$prefix/bin/rehascope" # a running server keeps its own file
install -D -m 644 packaging/rehascope.1 "$root$prefix/share/man/man1/rehascope.1"
for file in README.md CHANGELOG.md LICENSE docs/clinician.md docs/administrator.md docs/researcher.md docs/privacy.md; do
    install -D -m 644 "$file" "$doc/${file##*/}"
done
find docs/formats -type f -exec sh -c 'install -D -m 644 "$1" "$2/${1#docs/}"' sh {} "$doc" \;
install -D -m 644 packaging/rehascope.sysusers "$users/rehascope.conf"
install -d "$units"
sed "s|@PREFIX@|$prefix|g" packaging/rehascope.service.in >"$units/rehascope.service"
chmod 644 "$units/rehascope.service"

echo "installed in $root$prefix"
if [ -z "$root" ]; then
    echo "as a service: systemd-sysusers && systemctl daemon-reload && systemctl enable --now rehascope"
fi
