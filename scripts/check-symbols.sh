#!/usr/bin/env bash
# Two rooms must not define one name: the linker would silently take either. Argument: the build folder.
set -euo pipefail
doubles=$(for library in "$1"/libreha_*.a; do nm --defined-only "$library" 2>/dev/null | awk '$2 ~ /^[TDBR]$/ { print $3 }' | sort -u; done | sort | uniq -d)
if [ -n "$doubles" ]; then
    echo "defined in more than one room:"
    echo "$doubles"
    exit 1
fi
echo "every name has one definition"
