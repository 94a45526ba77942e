"""What an administrator waits for: importing, publishing and adding keys. Both sides on the same disk.

Only inside a disposable copy of the machine, with the build directory's bench/ in it for real (copy.sh --out).
"""

import contextlib
import itertools
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from keys_login import write_lines
from row import Row, run

MANY = int(os.environ.get("GATE_BENCH_KEYS", "1000000"))        # fewer only while one works on the benchmark
SOME = min(10_000, MANY)                # keys in the store to which one is added
ROUNDS = 3                              # of each of the long ones, taking turns
ADDS = 21                               # of each, taking turns
MEMORY = 512e6                          # bytes
NOT_IN_A_LINE = r"\001"                 # sqlite3's .import wants a separator of one byte


def timed(*argv):
    """(seconds, the most that was resident in bytes) of a command that must succeed."""
    with tempfile.TemporaryFile("w+") as said:
        start = time.monotonic()
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise RuntimeError(f"{' '.join(map(str, argv))}: status {process.returncode}\n{said.read(4000)}")
    return seconds, used.ru_maxrss * 1024


class Place:
    """A store, a keyring and the peer's files, on the disk."""

    def __init__(self, build, disk):
        self.program, self.dir = build / "pandora-gate", disk
        self.lines, self.peer, self.store = disk / "lines", disk / "peer.db", disk / "store" / "store.db"
        self.numbers = itertools.count()

    def gate(self, *argv):
        return timed(self.program, "--store", self.store, "--keyring", self.dir / "keyring", "--config", self.dir / "gate.toml",
                     *argv)

    def clear(self):
        shutil.rmtree(self.store.parent, ignore_errors=True)
        for path in self.dir.glob("keyring*"):
            path.unlink()

    def keys_in_store(self):
        return int(run("sqlite3", self.store, "SELECT count(*) FROM pubkey"))

    def import_ours(self, count):
        self.clear()
        settle()
        seconds, _ = self.gate("keys", "import", self.lines, "--agent-from", "comment")
        if self.keys_in_store() != count or not (self.dir / "keyring").stat().st_size:
            raise RuntimeError(f"{self.keys_in_store()} of {count} keys were imported")
        return seconds

    def import_peer(self, count):
        self.peer.unlink(missing_ok=True)
        run("sqlite3", self.peer, "CREATE TABLE pubkey (line TEXT)")
        settle()
        seconds, _ = timed("sqlite3", self.peer, f'.separator "{NOT_IN_A_LINE}" "\\n"', f".import {self.lines} pubkey")
        if int(run("sqlite3", self.peer, "SELECT count(*) FROM pubkey")) != count:
            raise RuntimeError("the peer did not import every line")
        return seconds

    def add_ours(self):
        file = self.dir / "one.pub"
        write_lines(file, 1)
        return self.gate("keys", "add", file, "--agent", f"added-{next(self.numbers)}")[0]

    def add_peer(self):
        write_lines(self.dir / "one.pub", 1)
        line = (self.dir / "one.pub").read_text().strip()
        return timed("sqlite3", self.peer, f"INSERT INTO pubkey VALUES ('{line}')")[0]


def settle():
    """What others have left to write is written now, and not while a clock runs."""
    os.sync()


def medians(rounds, *sides):
    """The median of each side's milliseconds, taking turns."""
    found = [[] for _ in sides]
    for _ in range(rounds):
        for side, times in zip(sides, found):
            times.append(side())
    return [1000 * statistics.median(times) for times in found]


@contextlib.contextmanager
def place(build):
    disk = build / "bench"
    if not os.path.ismount(disk):
        raise RuntimeError(f"the store's rows need the disk: copy.sh --out {disk}")
    with tempfile.TemporaryDirectory(prefix="keys.", dir=disk) as name:
        pathlib.Path(name, "gate.toml").touch(mode=0o600)
        kind = run("findmnt", "-n", "-o", "FSTYPE", "-T", disk).strip()
        yield Place(build, pathlib.Path(name)), f"both on {kind} on the disk"


def measure_many(build):
    """Import and publish of as many keys as there may be."""
    with place(build) as (at, where):
        write_lines(at.lines, MANY)
        imported = medians(ROUNDS, lambda: at.import_ours(MANY), lambda: at.import_peer(MANY))
        yield Row("keys.import", *imported, "ms", 6, f"`sqlite3 .import` of the same {MANY:,} lines into one column; "
                  f"ours is published at the end; {where}")
        yield from measure_publish(build, at, where)


def measure_publish(build, at, where):
    records, cdb = at.dir / "records", at.dir / "cdb"
    with open(records, "wb") as out:
        subprocess.run([build / "tests/bench/cdb_input", at.dir / "keyring"], check=True, stdout=out)
    peaks, syncs = [], []

    def ours():
        settle()
        seconds, peak = at.gate("publish")
        peaks.append(peak)
        return seconds

    def peer():
        cdb.unlink(missing_ok=True)
        settle()
        seconds, _ = timed("cdb", "-c", cdb, records)
        syncs.append(timed("sync", cdb)[0])             # not counted
        return seconds

    published = medians(ROUNDS, ours, peer)
    if f"{MANY}" not in run("cdb", "-s", cdb):
        raise RuntimeError(f"cdb does not have every record:\n{run('cdb', '-s', cdb)}")
    yield Row("keys.publish", *published, "ms", 3, f"`cdb -c` of the same {MANY:,} records, which it does not sync "
              f"(that would be {1000 * statistics.median(syncs):.0f} ms more); {where}")
    yield Row("keys.publish_memory", max(peaks) / 1e6, MEMORY / 1e6, "MB", 1, f"512 MB; the most that was resident, {MANY:,} keys")


def measure_add(build):
    with place(build) as (at, where):
        write_lines(at.lines, SOME)
        at.import_ours(SOME)
        at.import_peer(SOME)
        for side in (at.add_ours, at.add_peer):
            side()                      # not counted
        yield Row("keys.add", *medians(ADDS, at.add_ours, at.add_peer), "ms", 10,
                  f"`sqlite3`, which inserts one line into a table of {SOME:,}; ours with as many, and published; {where}")
