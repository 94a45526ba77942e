"""Shares of the processor, as systemd's CPUWeight= deals them out: groups of the kernel's cpu controller, of their own.

    with cpu_share(20) as join:
        join(pid)               # that process or thread, and what it starts from then on

Where the kernel shows no such controller (or another one has it), join() does nothing and says so by returning False.
"""

import contextlib
import pathlib
import subprocess
import tempfile
import time

DEFAULT_WEIGHT, DEFAULT_SHARES = 100, 1024      # systemd.resource-control(5); cpu.shares of version 1
# What else runs on the machine of the tests has the default share for each of its processes: next to nothing.
SCALE = 20


@contextlib.contextmanager
def mounted():
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(["mount", "-t", "cgroup", "-o", "cpu", "cgroup", directory], capture_output=True, check=False)
        if done.returncode != 0:
            yield None
            return
        try:
            yield pathlib.Path(directory)
        finally:
            subprocess.run(["umount", "-l", directory], check=False)


@contextlib.contextmanager
def cpu_share(weight):
    with mounted() as top:
        if top is None:
            yield lambda pid: False
            return
        group = pathlib.Path(tempfile.mkdtemp(prefix="pandora-gate-test-", dir=top))
        (group / "cpu.shares").write_text(str(weight * DEFAULT_SHARES * SCALE // DEFAULT_WEIGHT))

        def join(pid):
            (group / "tasks").write_text(str(pid))
            return True

        try:
            yield join
        finally:
            for pid in (group / "tasks").read_text().split():
                with contextlib.suppress(OSError):
                    (top / "tasks").write_text(pid)
            for _ in range(100):
                with contextlib.suppress(OSError):
                    group.rmdir()
                    break
                time.sleep(0.05)
