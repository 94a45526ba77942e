"""A whole login, from the client's start to its end: sshd asks the key helper, or reads through authorized_keys.

Two sshds that differ in nothing but where they look for keys; the client, the PAM stack and the forced command are the
same. Only inside a disposable copy of the machine.
"""

import base64
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from keys import make_keyring
from row import Row

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))

import world as harness  # noqa: E402

ROUNDS = {10: 9, 10_000: 9, 1_000_000: 5}       # keys -> logins of each side, taking turns
ED25519 = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"    # RFC 8709; 32 bytes follow, any of which are taken for a point
BLOCK = 10_000                                  # lines written at a time
SCAN_PORT = 2225


def write_lines(path, count, last=()):
    """An authorized_keys file of `count` random keys, each with its agent as the comment; these lines come last."""
    with open(path, "w", encoding="ascii") as file:
        for first in range(0, count - len(last), BLOCK):
            here = min(BLOCK, count - len(last) - first)
            points = os.urandom(32 * here)
            file.writelines(f"ssh-ed25519 {base64.b64encode(ED25519 + points[32 * i:32 * i + 32]).decode()} agent-{first + i}\n"
                            for i in range(here))
        file.writelines(last)


def scanning_sshd(world, lines):
    """The shipped drop-in, but that it names that file as the source of keys."""
    drop_in = world.dir / "scan.conf"
    text = harness.SSHD_DROP_IN.read_text()
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("AuthorizedKeys")]
    kept += [f"    AuthorizedKeysFile {lines}", "    AuthorizedKeysCommand none"]
    drop_in.write_text("\n".join(kept) + "\n")
    # sshd takes the first value that it sees: this one, and not that of the drop-in that is installed.
    config = f"Include {drop_in}\n" + pathlib.Path("/etc/ssh/sshd_config").read_text()
    return harness.Sshd(world, "scan", SCAN_PORT, config)


def login_seconds(client):
    """An SFTP session without a command, so that little but the login is in it."""
    start = time.monotonic()
    done = client.sftp()
    seconds = time.monotonic() - start
    if done.returncode != 0:
        raise RuntimeError(f"a login at port {client.sshd.port}: status {done.returncode}\n{done.stderr}{client.sshd.text()[-2000:]}")
    return seconds


def measure(build):
    if os.environ.get("PANDORA_GATE_COPY") != "1":
        raise RuntimeError("logins are measured in a disposable copy of the machine only")
    harness.BUILD = build
    with tempfile.TemporaryDirectory(prefix="gate-bench.") as name:
        world = harness.World(pathlib.Path(name) / "world")
        scan = None
        try:
            key = world.enrol("bench", "bench-agent")
            # sshd wants every directory above it to be root's.
            lines = harness.STATE / "authorized_keys"
            lines.touch(mode=0o644)
            scan = scanning_sshd(world, lines)
            ours, peer = world.client(key), harness.Client(scan, "pandora", key)
            found = {count: compare(build, count, key, lines, ours, peer) for count in ROUNDS}
        finally:
            if scan:
                scan.stop()
            world.stop()
    few = found[10]
    rows = []
    for count, (mine, scanned) in found.items():
        beyond = f"; beyond a login with 10 keys: ours {1000 * (mine - few[0]):+.0f} ms, the scan {1000 * (scanned - few[1]):+.0f} ms"
        rows.append(Row("keys.login" if count == 1_000_000 else f"keys.login_{count}", 1000 * mine, 1000 * scanned, "ms",
                        0.1 if count == 1_000_000 else None,
                        f"a whole login; sshd's scan of {count:,} lines, the key in the last" + (beyond if count > 10 else "")))
    return rows


def compare(build, count, key, lines, ours, peer):
    """The medians of the seconds of whole logins with so many keys: with the keyring, with the scan."""
    kind, blob = pathlib.Path(f"{key}.pub").read_text().split()[:2]
    fingerprint = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout.split()[1]
    make_keyring(build, harness.KEYRING, count, (fingerprint, kind, blob))
    write_lines(lines, count, [f"{kind} {blob} bench-agent\n"])
    seconds = ([], [])
    for client in (ours, peer):
        login_seconds(client)           # not counted
    for _ in range(ROUNDS[count]):
        for client, times in zip((ours, peer), seconds):
            times.append(login_seconds(client))
    return [statistics.median(times) for times in seconds]
