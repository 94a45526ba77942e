#!/bin/sh
# layer.sh - the layer of test programs: a squashfs image that copy.sh lays over the machine
#
#   tests/harness/layer.sh IMAGE       make IMAGE, or leave it if it is still right
#   tests/harness/layer.sh --in DIR    the same for DIR/<key>.squashfs; prints that name, drops older ones
#
# Servers and clients that only tests need must not be installed on the machine itself: that would
# start services there. So apt installs the list in debian/tests/control in a disposable copy, and
# what that changed is packed. This is the one step that needs the network (and apt's own settings:
# the environment, proxies included, is passed on).
#
# LAYER_CONTROL names another control file than that (absolute): tests/fuzz has a layer of its own.
#
# A layer carries a dpkg database and files of /etc that hide the machine's own, so it is good only
# for the machine it was made on. Its key is a hash of the list, this script, the machine's packages
# with their versions, and its accounts; when one of them changes, the layer is made again.

set -eu

here=$(dirname "$(realpath "$0")")
control=${LAYER_CONTROL:-$here/../../debian/tests/control}

die() { echo "layer.sh: $*" >&2; exit 1; }

key() {
    { cat "$control" "$here/layer.sh" "$here/depends.awk" /etc/passwd /etc/group
      dpkg-query -W -f '${Package}:${Architecture} ${Version} ${Status}\n'; } | sha256sum | cut -c1-16
}

# --- outside ---------------------------------------------------------------------------------------

make_layer() {
    image=$1 key=$2
    [ "$(id -u)" = 0 ] || die "needs root"
    command -v apt-get >/dev/null || die "needs apt-get: the layer is made of Debian packages"
    mkdir -p "$(dirname "$image")"
    work=$(mktemp -d "$image.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    if ! "$here/copy.sh" --network --upper --out "$work" -- "$here/layer.sh" --inside "$work" >"$work/log" 2>&1; then
        tail -n 30 "$work/log" >&2
        die "the layer could not be made"
    fi
    printf '%s\n' "$key" >"$work/key"
    mv "$work/image" "$image"           # key last: an image without it is made again
    mv "$work/key" "$image.key"
}

ensure() {
    image=$1 key=$(key)
    exec 9>"$image.lock"
    flock 9                             # two runs at a time: the second finds it made
    if [ ! -f "$image" ] || [ "$(cat "$image.key" 2>/dev/null)" != "$key" ]; then
        echo "layer.sh: installing the test programs into $image (once)" >&2
        ( make_layer "$image" "$key" 9>&- )
    fi
    exec 9>&-
}

# --- inside the copy -------------------------------------------------------------------------------

packages() {                            # the first alternative that this machine's archive knows
    awk -v field=Depends -v arch="$(dpkg --print-architecture)" -f "$here/depends.awk" "$control" |
        while read -r names; do
            chosen=
            for name in $names; do
                if apt-cache show "$name" >/dev/null 2>&1; then chosen=$name; break; fi
            done
            echo "${chosen:-${names%% *}}"
        done
}

install_packages() {
    # Unquoted on purpose: one word a package.
    apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
        -o Dpkg::Options::=--force-unsafe-io $(packages)
}

inside() {
    out=$1
    [ -e /run/pandora-gate-copy ] || die "--inside is for a copy only"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    # Nothing that is installed here may start: not even in the copy.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d

    set -- /var/lib/apt/lists/*_Packages*
    [ -e "$1" ] || apt-get update
    # Lists that are there may be old: then a file they name is gone from the archive.
    install_packages || { apt-get update; install_packages; }

    # -xattrs keeps trusted.overlay.opaque, and deletions are character devices 0/0: both must survive,
    # or what a package removed would shine through. gzip is what every kernel's squashfs can read.
    cd /run/pandora-gate-upper
    mksquashfs . "$out/image" -noappend -no-progress -xattrs -comp gzip -Xcompression-level 3 -e \
        tmp run dev proc sys var/cache/apt var/lib/apt/lists usr/sbin/policy-rc.d
}

case ${1-} in
    --inside) inside "$2" ;;
    --in)
        [ $# = 2 ] || die "usage: layer.sh --in DIR"
        mkdir -p "$2"
        set -- --in "$(cd "$2" && pwd)" # the copy has a working directory of its own
        name=$(key)
        ensure "$2/$name.squashfs"
        find "$2" -maxdepth 1 -type f -name '*.squashfs*' ! -name "$name.*" -delete
        echo "$2/$name.squashfs" ;;
    -* | '') die "usage: layer.sh IMAGE | --in DIR" ;;
    *)
        mkdir -p "$(dirname "$1")"
        ensure "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")" ;;
esac
