#!/usr/bin/python3
"""Compares the programs with peers: one line a figure, and the table of doc/benchmarks.md.

    tests/bench/bench.py [--build DIR] [--only AREA] [--out FILE]

    bench <area>.<name> ours=<x unit> peer=<y unit> ratio=<ours / peer> bar=<bound> ok|MISS

Figures are medians of runs that take turns. The bound is the most that the ratio may be; of a rate (files/s) the
least. With --only, the other areas' rows of the table stay as they are. The exit status is 1 if a bound is missed.
The area `sink` is measured in a disposable copy of the machine, made here if this is none (root); its durable rows
on a volume in DIR/bench, which is the real one there.

Standard library only.
"""

import argparse
import datetime
import os
import pathlib
import platform
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parents[1]
sys.path.insert(0, str(HERE))

import keys  # noqa: E402
import row  # noqa: E402
import sink  # noqa: E402
import sink_durable  # noqa: E402

AREAS = {"keys": [keys.measure], "sink": [sink.measure, sink_durable.measure]}
IN_A_COPY = {"sink"}


def measure_in_copy(area, build):
    harness = TREE / "tests" / "harness"
    image = subprocess.run([harness / "layer.sh", "--in", build / "layer"], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.strip()
    disk = build / "bench"              # real in the copy, for what is measured on a disk
    disk.mkdir(exist_ok=True)
    done = subprocess.run([harness / "copy.sh", "--layer", image, "--out", disk, "--",
                           "/usr/bin/python3", HERE / "bench.py", "--build", build, "--only", area, "--notes",
                           "--out", "/dev/null"], stdout=subprocess.PIPE, text=True)
    rows = [r for r in map(row.from_line, done.stdout.splitlines()) if r]
    if not rows:
        raise RuntimeError(f"no figure of {area}: status {done.returncode}")
    return rows


def table(rows):
    head = """# Benchmarks

Made by `make bench`. Medians of runs that take turns on one machine; what counts is the ratio, ours / peer. Its bound is
the most that it may be; of a rate (files/s), the least. The peers are C programs of `tests/bench/peers` (-O2) and installed
programs.

"""
    kernel = '.'.join(platform.release().split('.')[:2])
    kind = f"Machine: {os.cpu_count()} cores, {platform.machine()}, Linux {kernel}.\n\n"
    columns = "| figure | ours | peer | ratio | bound | | peer is | date |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    return head + kind + columns + "".join(r.markdown() + "\n" for r in rows)


def merge(out, rows, areas):
    """The rows, and those of other areas that the table had before; in the order of the areas."""
    old = [row.from_markdown(text) for text in out.read_text().splitlines()] if out.is_file() else []
    kept = [r for r in old if r and r.name.split(".")[0] not in areas]
    order = list(AREAS)
    return sorted(kept + rows, key=lambda r: order.index(r.name.split(".")[0]) if r.name.split(".")[0] in order else len(order))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("BUILD", "build")))
    parser.add_argument("--only", choices=AREAS)
    parser.add_argument("--out", type=pathlib.Path, default=TREE / "doc" / "benchmarks.md")
    parser.add_argument("--notes", action="store_true", help="say behind each figure what the peer is")
    options = parser.parse_args()
    build = options.build.resolve()
    areas = [options.only] if options.only else list(AREAS)
    rows, broken = [], False
    for area in areas:
        try:
            here = area not in IN_A_COPY or os.environ.get("PANDORA_GATE_COPY") == "1"
            found = [r for measure in AREAS[area] for r in measure(build)] if here else measure_in_copy(area, build)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            print(f"bench: {area}: {error}", file=sys.stderr)
            for text in (getattr(error, "stdout", None), getattr(error, "stderr", None)):
                if text:
                    print(text, file=sys.stderr)
            broken = True
            continue
        for one in found:
            one.date = datetime.date.today().isoformat()
            print(one.line() + (f" # {one.note}" if options.notes else ""), flush=True)
        rows += found
    if rows and options.out != pathlib.Path("/dev/null"):
        options.out.write_text(table(merge(options.out, rows, {r.name.split(".")[0] for r in rows})))
    return 1 if broken or any(not r.ok for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
