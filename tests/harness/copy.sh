#!/bin/sh
# copy.sh - run one command, as root, in a disposable copy of this machine
#
#   tests/harness/copy.sh [--layer IMAGE] [--out DIR] -- COMMAND ARG...
#
#   --layer IMAGE  a squashfs image made by layer.sh, laid over the machine's own files: it brings
#                  the servers and clients that must never be installed on the machine itself
#   --out DIR      the one directory that is the real one and stays: reports, tables
#   --network      keep the machine's network (layer.sh needs it for apt; no test does)
#   --upper        show what the command changed in /run/pandora-gate-upper (layer.sh packs that)
#
# The copy has its own mount, pid, network, ipc and uts namespaces. Its root is an overlay over `/`
# whose upper layer is a tmpfs; /run, /tmp, /dev and /proc are its own, so there is no /dev/log, no
# pid file and no socket of the machine in it; lo is up with 127.0.0.1 and ::1, and nothing else is.
# When the command ends, the pid namespace is killed, and the mounts and the layer's loop device
# (autoclear) go with it. Ending copy.sh itself, by whatever signal, ends the copy as well.
#
# Exit status: the command's; 125 when the copy could not be made (one line on stderr says why).
#
# What it is not: a boundary against a hostile root. Loop devices and the kernel are shared. A test
# that attaches a loop device by hand uses `mount -o loop`, or detaches it: without autoclear it stays.
#
# Nested use: once (a kernel stacks two overlays, not three), and not at all where the machine's `/`
# is an overlay already. Several copies side by side, started from outside, share nothing.

set -eu

scratch=/mnt                    # covered by a tmpfs, in the copy's own mount namespace only
k_loops=64                      # nodes in the copy's /dev; the kernel makes the devices on demand

die() { trap - EXIT; echo "copy.sh: $*" >&2; exit 125; }

usage() { die "usage: copy.sh [--layer IMAGE] [--out DIR] -- COMMAND ARG..."; }

# --- outside: check, and enter the namespaces -------------------------------------------------------

outside() {
    layer= out= network= upper=
    while [ $# -gt 0 ]; do
        case $1 in
            --layer) [ $# -ge 2 ] || usage; layer=$2; shift 2 ;;
            --out) [ $# -ge 2 ] || usage; out=$2; shift 2 ;;
            --network) network=1; shift ;;
            --upper) upper=1; shift ;;
            --) shift; break ;;
            *) usage ;;
        esac
    done
    [ $# -gt 0 ] || usage
    [ "$(id -u)" = 0 ] || die "needs root"
    for tool in unshare setpriv pivot_root mount; do
        command -v $tool >/dev/null || die "$tool is missing (util-linux)"
    done
    # A module that is not loaded yet is not listed: let mount try then, its error is shown.
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
        die "this kernel has no overlay file system"
    if [ -n "$layer" ]; then
        [ -f "$layer" ] || die "no such layer: $layer"
        [ -e /dev/loop-control ] || die "no loop devices (/dev/loop-control)"
        layer=$(realpath "$layer")
    fi
    if [ -n "$out" ]; then
        [ -d "$out" ] || die "--out: no such directory: $out"
        out=$(realpath "$out")
    fi
    self=$(realpath "$0")
    repo=$(realpath "$(dirname "$self")/../..")
    cwd=$(pwd -P)

    # unshare blocks SIGTERM while it waits, and a pid 1 ignores it: so the signal is taken here, and
    # the namespace killed. If this shell dies of SIGKILL, --pdeathsig and --kill-child do the same.
    exec 3<&0
    setpriv --pdeathsig KILL \
        unshare --mount --pid --fork --kill-child --ipc --uts $([ -n "$network" ] || echo --net) \
        "$self" --inside "$repo" "$cwd" "$layer" "$out" "$upper" "$network" "$@" <&3 3<&- &
    child=$!
    trap 'kill -KILL $child 2>/dev/null' HUP INT TERM
    status=0
    wait $child || status=$?
    exit $status
}

# --- inside: build the copy ------------------------------------------------------------------------

covers() { [ "$2" = "$1" ] || [ "${2#"$1"/}" != "$2" ]; }       # covers DIR PATH: is PATH in DIR?

k_overlays=0
overlay() {                     # overlay TARGET LOWER...: a writable view of LOWER (first one on top) at TARGET
    target=$1; lower=$2
    k_overlays=$((k_overlays + 1))
    mkdir -p "$target" $scratch/up$k_overlays $scratch/work$k_overlays
    # The upper directory becomes the root of what is mounted: same owner and mode as what it covers.
    chown --reference="${lower##*:}" $scratch/up$k_overlays
    chmod --reference="${lower##*:}" $scratch/up$k_overlays
    # No redirects, no metacopy: the upper directory must make sense as a layer of its own.
    mount -t overlay overlay "$target" \
        -o "lowerdir=$lower,upperdir=$scratch/up$k_overlays,workdir=$scratch/work$k_overlays,redirect_dir=off,metacopy=off"
}

# An overlay of `/` does not show what is mounted below it (a separate /usr, /var, /home; the single
# files that containers mount over /etc): each real one gets an overlay, or a copy, of its own.
other_mounts() {
    while IFS=' ' read -r _ at type _; do
        at=$(printf '%b' "$at")         # the kernel writes a blank as \040
        case $at in
            / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/* | /tmp | /tmp/* | $scratch | $scratch/*) continue ;;
        esac
        case $type in
            proc | sysfs | cgroup* | devpts | devtmpfs | mqueue | debugfs | tracefs | securityfs | bpf | pstore | \
            autofs | binfmt_misc | configfs | fusectl | hugetlbfs | efivarfs | nsfs | rpc_pipefs | swap) continue ;;
        esac
        if [ -f "$at" ]; then
            cp --remove-destination -p "$at" "$root$at"
        elif [ -d "$at" ]; then
            printf '%s\n' "$at"
        fi
    done </proc/self/mounts
}

make_dev() {
    mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
    while read -r name mode type major minor; do
        mknod -m "$mode" "$root/dev/$name" "$type" "$major" "$minor"
    done <<NODES
null 666 c 1 3
zero 666 c 1 5
full 666 c 1 7
random 666 c 1 8
urandom 666 c 1 9
tty 666 c 5 0
fuse 666 c 10 229
btrfs-control 600 c 10 234
loop-control 660 c 10 237
NODES
    n=0
    while [ $n -lt $k_loops ]; do
        mknod -m 660 "$root/dev/loop$n" b 7 $n
        n=$((n + 1))
    done
    mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5,nosuid,noexec devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
    mount -t mqueue -o nosuid,nodev,noexec mqueue "$root/dev/mqueue"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
}

make_proc() {
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    # Most sysctls belong to the machine, not to a namespace; those of the network are the copy's own.
    mount --bind "$root/proc/sys" "$root/proc/sys"
    [ -n "$network" ] || mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
    mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc/sys"
}

inside() {
    repo=$1 cwd=$2 layer=$3 out=$4 upper=$5 network=$6
    shift 6
    for path in "$repo" "$layer" "$out"; do
        covers /mnt "$path" && scratch=/media
    done
    root=$scratch/root
    trap 'echo "copy.sh: the copy could not be made" >&2; exit 125' EXIT

    resolv=$(realpath -q /etc/resolv.conf) || resolv=
    mount -t tmpfs -o mode=755 tmpfs $scratch
    mkdir $root $scratch/layer
    lower=/
    if [ -n "$layer" ]; then
        # -o loop sets autoclear: the device goes with the last mount.
        mount -t squashfs -o loop,ro "$layer" $scratch/layer || die "cannot mount the layer $layer"
        lower=$scratch/layer:/
    fi
    overlay $root $lower || die "cannot make an overlay over / (is / itself one, or is this a copy in a copy?)"
    [ -z "$upper" ] || upper=$scratch/up$k_overlays

    IFS='
'
    for mounted in $(other_mounts); do
        overlay "$root$mounted" "$mounted" 2>/dev/null || mount --bind -o ro "$mounted" "$root$mounted" ||
            die "cannot show $mounted in the copy"
    done
    unset IFS
    for at in run tmp; do
        mkdir -p "$root/$at"
        mount -t tmpfs -o nosuid,nodev,mode=$([ $at = tmp ] && echo 1777 || echo 755) tmpfs "$root/$at"
    done
    mkdir -p "$root/run/lock" "$root/dev" "$root/proc" "$root/sys"
    chmod 1777 "$root/run/lock"
    : >"$root/run/utmp"         # what an init would have made: without it each logout is an error in the log
    chgrp utmp "$root/run/utmp" 2>/dev/null && chmod 664 "$root/run/utmp"
    make_dev
    make_proc
    # A fresh sysfs, not a bind: it shows the copy's network interfaces, and no cgroups to change.
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"

    # A clone below /tmp, /run or a mount of its own would not be there: it gets an overlay too.
    [ -e "$root$repo/tests/harness/copy.sh" ] || overlay "$root$repo" "$repo" || die "cannot show $repo in the copy"
    # resolv.conf is often a link into /run, which is empty now.
    if covers /run "$resolv"; then
        mkdir -p "$root$(dirname "$resolv")"
        cp "$resolv" "$root$resolv"
    fi
    if [ -n "$out" ]; then
        mkdir -p "$root$out"
        mount --bind "$out" "$root$out"
    fi
    if [ -n "$upper" ]; then
        mkdir "$root/run/pandora-gate-upper"
        mount --bind "$upper" "$root/run/pandora-gate-upper"
    fi
    : >"$root/run/pandora-gate-copy"

    cd $root
    pivot_root . .              # new root over the old one; the old one is then the one to detach
    umount -l .
    cd /
    [ -n "$network" ] || lo_up || die "cannot bring up the loopback interface (ip, of iproute2, is missing?)"
    cd "$cwd" 2>/dev/null || cd "$repo"

    # The copy is the machine, not the caller's shell: no private tools in front of /usr/bin.
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    PANDORA_GATE_COPY=1
    export PATH PANDORA_GATE_COPY
    trap - EXIT
    unset TMPDIR XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS SSH_AUTH_SOCK

    # Not exec: this shell stays as pid 1 and collects the daemons' orphans, which a test would
    # otherwise take for living processes. Its end is the end of every process in the copy.
    status=0
    "$@" || status=$?
    exit $status
}

lo_up() {
    [ ! -e /proc/sys/net/ipv6/conf/lo/disable_ipv6 ] || echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6 || :
    ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null
}

if [ "${1-}" = --inside ]; then
    shift
    inside "$@"
else
    outside "$@"
fi
