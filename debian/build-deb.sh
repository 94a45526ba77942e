#!/bin/sh
# build-deb.sh - the Debian packages of this tree
#
#   debian/build-deb.sh DIR        builds them out of the tree, and leaves them in DIR
#
# The packages hold what git tracks, as it is in the working tree (without git: everything but build/). The tree itself is
# not written to. DEB_BUILD_OPTIONS is honoured: nocheck, parallel=N, noautodbgsym.
# GATE_BUILD=DIR: what is compiled in that build directory already is taken as it is.

set -eu

die() { echo "build-deb.sh: $*" >&2; exit 1; }

[ $# = 1 ] || die "usage: debian/build-deb.sh DIR"
command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null || die "needs dpkg-dev and debhelper"
cd "$(dirname "$0")/.."

version=$(dpkg-parsechangelog -S Version)
upstream=$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
[ "${version%-*}" = "$upstream" ] || die "debian/changelog says $version, CHANGELOG.md says $upstream"

mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

source=$work/pandora-gate-$upstream
mkdir "$source"
files() {
    if [ -e .git ] && git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -z
    else
        find . -path ./build -prune -o -path ./.git -prune -o '(' -type f -o -type l ')' -print0
    fi
}
# One that git tracks may be deleted in the working tree.
files | xargs -0 sh -c 'for f do [ ! -e "$f" ] && [ ! -L "$f" ] || printf "%s\0" "$f"; done' sh |
    tar --null --no-recursion -T - -cf - | tar -C "$source" -xf -

log=$out/build.log
echo "build-deb.sh: building pandora-gate $version (log: $log)"
# make's own variables and flags are not for the package's make.
if ! ( cd "$source" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u SAN -u STATIC -u DESTDIR -u O \
        dpkg-buildpackage -us -uc -b ) >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "the packages could not be built"
fi
rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
for made in "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo; do
    mv "$made" "$out/"
done
ls -1 "$out"/*.deb
