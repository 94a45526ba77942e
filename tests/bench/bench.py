#!/usr/bin/python3
"""Compares the programs with peers: one line a figure, and the table of doc/benchmarks.md.

    tests/bench/bench.py [--build DIR] [--only AREA] [--out FILE]

    bench <area>.<name> ours=<x unit> peer=<y unit> ratio=<ours / peer> bar=<bound> ok|MISS

Figures are medians of runs that take turns. The bound is the most that the ratio may be; of a rate (files/s) the
least. With --only, the other areas' rows of the table stay as they are. The exit status is 1 if a bound is missed, 2 if
something could not be measured: its rows are left out then, and the others are shown. Everything is measured in a
disposable copy of the machine, made here if this is none (root); what needs a disk in DIR/bench, which is the real one
there.

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
import keys_login  # noqa: E402
import keys_store  # noqa: E402
import pam  # noqa: E402
import row  # noqa: E402
import sink  # noqa: E402
import sink_durable  # noqa: E402

AREAS = {"keys": [keys.measure, keys_login.measure, keys_store.measure_many, keys_store.measure_add],
         "sink": [sink.measure, sink_durable.measure],
         "pam": [pam.measure]}
MISSED, BROKEN = 1, 2           # exit statuses


def measure_here(area, build):
    """The rows, one by one; None in place of those that could not be measured."""
    for measure in AREAS[area]:
        try:
            yield from measure(build)
        except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"bench: {area}: {measure.__module__}.{measure.__name__}: {error}", file=sys.stderr)
            for text in (getattr(error, "stdout", None), getattr(error, "stderr", None)):
                if text:
                    print(text, file=sys.stderr)
            yield None


def measure_in_copy(area, build):
    harness = TREE / "tests" / "harness"
    made = subprocess.run([harness / "layer.sh", "--in", build / "layer"], stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:           # it has said why
        yield None
        return
    disk = build / "bench"              # real in the copy, for what is measured on a disk
    disk.mkdir(exist_ok=True)
    with subprocess.Popen([harness / "copy.sh", "--layer", made.stdout.strip(), "--out", disk, "--",
                           "/usr/bin/python3", HERE / "bench.py", "--build", build, "--only", area, "--notes",
                           "--out", "/dev/null"], stdout=subprocess.PIPE, text=True) as copy:
        yield from filter(None, map(row.from_line, copy.stdout))
    if copy.returncode not in (0, MISSED):
        yield None


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
    measure = measure_here if os.environ.get("PANDORA_GATE_COPY") == "1" else measure_in_copy
    for area in areas:
        for one in measure(area, build):
            if one is None:
                broken = True
                continue
            one.date = datetime.date.today().isoformat()
            print(one.line() + (f" # {one.note}" if options.notes else ""), flush=True)
            rows.append(one)
    if rows and options.out != pathlib.Path("/dev/null"):
        options.out.write_text(table(merge(options.out, rows, {r.name.split(".")[0] for r in rows})))
    return BROKEN if broken else MISSED if any(not r.ok for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
