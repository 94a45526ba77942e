#!/bin/sh
# run.sh - run the fuzz targets under libFuzzer, AddressSanitizer and UBSan
#
#   tests/fuzz/run.sh SECONDS [TARGET...]     (make fuzz T=SECONDS ONLY=TARGET)
#
# clang-19 does not come onto the machine: it lies in a layer of its own (tests/fuzz/control), and all of this
# runs in a disposable copy. What is built, and each finding with its log, stays in $BUILD/fuzz. With KEEP=1
# the inputs that reached something new are merged into tests/fuzz/corpus.
#
# One line a target: executions, executions per second, edges covered, inputs, findings. Exit status: 0 if
# there was no finding, 1 if there was one, 125 if nothing could be run.

set -eu

here=$(dirname "$(realpath "$0")")
repo=$(realpath "$here/../..")
die() { echo "fuzz: $*" >&2; exit 125; }

outside() {
    [ $# -ge 1 ] || die "usage: run.sh SECONDS [TARGET...]"
    mkdir -p "${BUILD:=build}"
    BUILD=$(realpath "$BUILD")
    export BUILD
    mkdir -p "$BUILD/fuzz"
    LAYER_CONTROL=$here/control
    export LAYER_CONTROL
    image=$("$repo/tests/harness/layer.sh" --in "$BUILD/fuzz-layer") || die "the layer of clang-19 could not be made"
    status=0
    "$repo/tests/harness/copy.sh" --layer "$image" --out "$BUILD/fuzz" -- "$here/run.sh" --inside "$@" || status=$?
    [ "${KEEP:-0}" != 1 ] || cp -rn "$BUILD/fuzz/new/." "$here/corpus/"
    exit $status
}

# last WORD: the number behind WORD in libFuzzer's last line that has it
last() { sed -n "s/.*$1[: ] *\([0-9][0-9]*\).*/\1/p" "$log" | tail -n 1; }

run_target() {                          # run_target NAME SECONDS
    name=$1
    work=$BUILD/fuzz/work/$name log=$BUILD/fuzz/work/$name.log
    rm -rf "$work"
    mkdir -p "$work/corpus" "$BUILD/fuzz/findings"
    dictionary=$here/dict/$name
    set -- -max_total_time="$2" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="$BUILD/fuzz/findings/$name-" ${SEED:+-seed=$SEED}
    [ ! -f "$dictionary" ] || set -- "$@" -dict="$dictionary"
    found=0
    TMPDIR=/dev/shm UBSAN_OPTIONS=print_stacktrace=1 \
        "$BUILD/fuzz/bin/$name" "$@" "$work/corpus" "$here/corpus/$name" >"$log" 2>&1 || found=1
    printf '%-10s %9s executions, %6s/s, %5s edges, %4s new inputs, %s\n' "$name" \
        "$(last stat::number_of_executed_units)" "$(last stat::average_exec_per_sec)" "$(last cov)" \
        "$(ls "$work/corpus" | wc -l)" "$([ $found = 0 ] && echo 'no finding' || echo 'A FINDING')"
    if [ $found = 1 ]; then
        sed -n '/^FINDING/p; /^==[0-9]*== *ERROR/,/^SUMMARY/p; /runtime error/p; /Test unit written/p' "$log" | head -n 60
        return 1
    fi
    if [ "${KEEP:-0}" = 1 ]; then       # only what adds to the tree's own
        mkdir -p "$BUILD/fuzz/new/$name" "$work/merged"
        cp "$here/corpus/$name"/* "$work/merged/"
        "$BUILD/fuzz/bin/$name" -merge=1 "$work/merged" "$work/corpus" >>"$log" 2>&1
        cp "$work/merged"/* "$BUILD/fuzz/new/$name/"
    fi
}

inside() {
    seconds=$1
    shift
    cd "$repo"
    make -s -j"$(nproc)" BUILD="$BUILD" fuzz-programs >&2 || die "the targets do not build"
    [ $# -gt 0 ] || set -- $(ls "$here"/fuzz_*.cpp | sed 's/.*fuzz_\(.*\)\.cpp/\1/')
    rm -rf "$BUILD/fuzz/new" "$BUILD/fuzz/findings"
    failed=0
    for name; do
        [ -x "$BUILD/fuzz/bin/$name" ] || die "no such target: $name"
        run_target "$name" "$seconds" || failed=1
    done
    exit $failed
}

if [ "${1-}" = --inside ]; then
    shift
    inside "$@"
else
    outside "$@"
fi
