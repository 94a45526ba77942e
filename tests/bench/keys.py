"""The key helper: from its start to its exit, as sshd waits for it."""

import pathlib
import shutil
import subprocess
import tempfile

from row import Row

RUNS = 3000                     # of each command, taking turns
MANY, FEW = 100_000, 10         # keys


def measure(build):
    # A directory that nobody can reach too: the helper refuses to run as root, so the loop becomes nobody.
    with tempfile.TemporaryDirectory(prefix="gate-bench.") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)
        programs = {p.name: shutil.copy(p, work) for p in (
            build / "authkeys", build / "tests/bench/print_line", build / "tests/bench/spawn_loop")}

        def keyring(count):
            path = work / f"keyring-{count}"
            made = subprocess.run([build / "tests/bench/make_keyring", path, str(count)], check=True, capture_output=True, text=True)
            fingerprint, line = made.stdout.splitlines()
            command = [programs["authkeys"], "--keyring", str(path), "--owner", str(path.stat().st_uid), "pandora", fingerprint]
            return command, line

        many, line = keyring(MANY)
        few, few_line = keyring(FEW)
        (work / "line").write_text(line + "\n")
        peer = [programs["print_line"], str(work / "line")]
        done = subprocess.run([programs["spawn_loop"], str(RUNS), *many, "---", *peer, "---", *few],
                              check=True, capture_output=True, text=True)
        times = []
        for text, expected in zip(done.stdout.splitlines(), (line, line, few_line), strict=True):
            microseconds, said = text.split(" ", 1)
            if said != expected:
                raise RuntimeError(f"expected {expected!r}, got {said!r}")
            times.append(float(microseconds))
    return [
        Row("keys.helper_c", times[0], times[1], "us", 1.5, f"a C program that prints one line of a file; ours with {MANY:,} keys"),
        Row("keys.helper_flat", times[0], times[2], "us", 1.1, f"ours with {FEW} keys"),
    ]
