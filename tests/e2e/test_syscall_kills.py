"""drop itself under kill -9: its publisher dies at the 1st, 2nd, ... of each of its system calls, until a session
comes to its end. Whatever the moment: a file is whole or absent, and what was acknowledged is there.
"""

import itertools
import os
import pathlib
import signal
import subprocess

import packets
import pytest
from world import DATA_IN, LIBEXEC, STAGING, policy, wait_for

FILES = 4                       # the last ones are let in by a grant
SERIALS = itertools.count(1)
# Those by which a file is made, and those around them: the kill comes before the call is done.
CALLS = ("openat", "fallocate", "fchmod", "write", "pwrite64", "ftruncate", "fdatasync", "linkat", "fsync", "unlinkat", "fstatfs",
         "flock", "close", "recvmsg", "sendmsg", "sendto")
OF_EVERY_FILE = {"fchmod", "write", "fdatasync", "linkat", "fsync", "sendmsg"}
MORE_THAN_A_SESSION_MAKES = 80


class Session:
    """Sends its packets by legacy SCP without waiting, to a drop whose publisher is killed at its n-th such call."""

    def __init__(self, auth, call, n, trace):
        serials = list(itertools.islice(SERIALS, FILES))
        self.contents = {f"test.{s}.data": packets.make("test", 3000 + 9000 * i) for i, s in enumerate(serials)}
        upload = b"".join(f"C0644 {len(c)} {name}\n".encode() + c + b"\0" for name, c in self.contents.items())
        # Without -f only the process that strace has started is traced: the publisher.
        argv = ["strace", "-u", "pandora", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}",
                LIBEXEC / "drop", "-c", LIBEXEC / "drop"]
        done = subprocess.run(argv, input=upload, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30,
                              env={"SSH_USER_AUTH": str(auth), "SSH_ORIGINAL_COMMAND": f"scp -t {DATA_IN}",
                                   "SSH_CONNECTION": "192.0.2.1 4711 192.0.2.2 22", "PATH": "/usr/bin:/bin"})
        assert done.returncode in (0, -signal.SIGKILL), (call, n, done)
        self.killed = done.returncode != 0
        # One answer at the start, two for each file.
        answers = len(done.stdout) - len(done.stdout.lstrip(b"\0"))
        self.acknowledged = list(self.contents)[:max(0, answers - 1) // 2]


def auth_file(key):
    kind, blob = pathlib.Path(f"{key}.pub").read_text().split()[:2]
    auth = pathlib.Path(f"/tmp/auth-{key.name}")
    auth.write_text(f"publickey {kind} {blob}\n")
    auth.chmod(0o644)
    return auth


def check(world, session, method, where):
    """How many of its files are there."""
    assert wait_for(lambda: not world.drops_running()), where
    found = world.delivered()
    for name, content in found.items():
        assert content == session.contents[name], (where, name)
    assert set(session.acknowledged) <= set(found), where
    if method == "automatic" or not session.killed:
        assert list(STAGING.iterdir()) == [], where
    for name in found:
        os.unlink(DATA_IN / name)
    return len(found)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", ["automatic", "named"])
def test_killed_at_every_system_call(world, tmp_path, method):
    auth = auth_file(world.enrol(f"syscall-kills-{method}", "test"))
    killed = dict.fromkeys(CALLS, 0)
    absent = whole = acknowledged = leftovers = 0
    with policy(world, spool={"staging_method": method}):
        for call in CALLS:
            for n in range(1, MORE_THAN_A_SESSION_MAKES):
                session = Session(auth, call, n, tmp_path / "trace")
                left = len(list(STAGING.iterdir()))
                there = check(world, session, method, f"{method}, {call} {n}")
                if not session.killed:
                    break
                killed[call] += 1
                whole, absent = whole + there, absent + FILES - there
                acknowledged += len(session.acknowledged)
                leftovers += left > 0
            assert not session.killed, call
            assert len(session.acknowledged) == there == FILES
    print(f"{method}: {sum(killed.values())} kills, {absent} files absent, {whole} whole ({acknowledged} acknowledged), "
          f"0 partial; {leftovers} times something stayed in staging, until the next session")
    print("  " + ", ".join(f"{call} {n}" for call, n in killed.items()))
    assert absent > 0 and whole > 0
    assert all(killed[call] >= FILES for call in OF_EVERY_FILE), killed
    assert (leftovers > 0) == (method == "named")
