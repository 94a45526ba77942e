"""The key helper: from its start to its exit, as sshd waits for it."""

import pathlib
import shutil
import sqlite3
import tempfile

from row import Row, run

RUNS = 3000                     # of each command, taking turns
MANY, FEW = 1_000_000, 10       # keys
ALLOWANCE_KB = 2048             # what ours may hold beyond a program that prints a line


def make_keyring(build, path, count, key=()):
    """Gives the fingerprint and the line of a key in its middle; `key`: which one that is to be."""
    return run(build / "tests/bench/make_keyring", path, count, *key).splitlines()


def make_database(path, count, fingerprint, line):
    """What a helper on SQLite would have: count keys, found by an index on the fingerprint."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE pubkey (fingerprint TEXT PRIMARY KEY NOT NULL, line TEXT NOT NULL)")
        db.executemany("INSERT INTO pubkey VALUES (?, ?)", ((f"SHA256:{i:043d}", line) for i in range(count - 1)))
        db.execute("INSERT INTO pubkey VALUES (?, ?)", (fingerprint, line))
    db.close()
    path.chmod(0o644)
    return path


def measure(build):
    # A directory that nobody can reach too: the helper refuses to run as root, so the loop becomes nobody.
    with tempfile.TemporaryDirectory(prefix="gate-bench.") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)
        program = {p: shutil.copy(build / p, work) for p in
                   ("authkeys", *(f"tests/bench/{b}" for b in ("print_line", "sqlite_line", "spawn_loop")))}

        def helper(count):
            path = work / f"keyring-{count}"
            fingerprint, line = make_keyring(build, path, count)
            command = [program["authkeys"], "--keyring", path, "--owner", path.stat().st_uid, "pandora", fingerprint]
            return command, fingerprint, line

        many, fingerprint, line = helper(MANY)
        few, _, few_line = helper(FEW)
        (work / "line").write_text(line + "\n")
        database = make_database(work / "keys.db", MANY, fingerprint, line)
        peer = [program["tests/bench/print_line"], work / "line"]
        sqlite = [program["tests/bench/sqlite_line"], database, fingerprint]
        said = run(program["tests/bench/spawn_loop"], RUNS, *many, "---", *peer, "---", *few, "---", *sqlite)
        found = []
        for text, expected in zip(said.splitlines(), (line, line, few_line, line), strict=True):
            median, p99, peak_kb, printed = text.split(" ", 3)
            if printed != expected:
                raise RuntimeError(f"expected {expected!r}, got {printed!r}")
            found.append((float(median), float(p99), int(peak_kb)))
    ours, peer, few, sqlite = found
    bare = "a C program that prints one line of a file"
    return [
        Row("keys.helper_c", ours[0], peer[0], "us", 1.3, f"{bare}; ours with {MANY:,} keys"),
        Row("keys.helper_flat", ours[0], few[0], "us", 1.1, f"ours with {FEW} keys"),
        Row("keys.helper_p99", ours[1], peer[1], "us", 3, f"{bare}; the 99th percentile of {RUNS:,} starts each"),
        Row("keys.helper_rss", ours[2], peer[2] + ALLOWANCE_KB, "kB", 1, f"{bare}, + 2 MB; the most that was resident"),
        Row("keys.helper_sqlite", ours[0], sqlite[0], "us", None,
            f"a C program that opens an SQLite file of {MANY:,} keys read-only and selects the line"),
    ]
