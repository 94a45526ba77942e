"""The sink with durability full, on a volume that lies on the disk: how much is left of what the disk can do.

Only inside a disposable copy of the machine, with the build directory's bench/ in it for real (copy.sh --out).
"""

import itertools
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from row import Row
from sink import ACCOUNT, AGENT, DATA_IN, DROP, PEER, SFTP_SERVER, SIZE, SPOOL, STAGING, forget, install, run, write

import packets  # noqa: E402  (sink has put tests/harness on the path)

SESSIONS = 16
FILES = 600                     # packets of one session alone
FILES_EACH = 250                # packets of each of many sessions
CLIENT_FILES = 300              # packets of OpenSSH's client
ROUNDS = (3, 9)                 # of each side, taking turns: at least, at most
PATIENCE = 30                   # seconds for a figure, once it has had the least: a busy disk has no end
SERIALS = itertools.count(1_700_000_000, 10_000)
AS_ACCOUNT = ("setpriv", "--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups")
AGENTS = [AGENT] + [f"{AGENT}-{i}" for i in range(SESSIONS)]


def take_away(directory, expected):
    """What has arrived, checked by number and size, and removed."""
    arrived = list(directory.glob("*.data"))
    whole = sum(p.stat().st_size == SIZE for p in arrived)
    if not len(arrived) == whole == expected:
        raise RuntimeError(f"{directory}: {len(arrived)} packets, {whole} whole, of {expected}")
    for path in arrived:
        path.unlink()
    # The removal is no part of what the next run writes.
    run("sync", "-f", directory)


class Bare:
    """The C peer: O_TMPFILE, write, fdatasync, linkat, fsync of the directory."""

    def __init__(self, build, work, sessions, files):
        self.program = shutil.copy(build / "tests/bench/sync_loop", work)
        self.sessions, self.files = sessions, files

    def seconds(self):
        done = run(*AS_ACCOUNT, self.program, self.sessions, self.files, SIZE, next(SERIALS), STAGING, PEER)
        take_away(PEER, self.sessions * self.files)
        return float(done)


class Drop:
    """drop, fed ahead of its answers. `auth`: the keys of the sessions."""

    def __init__(self, build, work, sessions, files, auth):
        self.program = shutil.copy(build / "tests/bench/send_ahead", work)
        self.sessions, self.files, self.auth = sessions, files, auth

    def seconds(self):
        forget()
        environment = [f"SSH_ORIGINAL_COMMAND=scp -t {DATA_IN}", "SSH_CONNECTION=127.0.0.1 40000 127.0.0.1 22"]
        done = run("env", "-i", *environment, *AS_ACCOUNT, self.program, self.sessions, self.files, SIZE, next(SERIALS),
                   AGENT, *self.auth, "--", DROP, "-c", DROP)
        take_away(DATA_IN, self.sessions * self.files)
        return float(done)


class Client:
    """OpenSSH's sftp; with -f it asks for an fsync of each file, without which sftp-server makes nothing durable."""

    def __init__(self, work, program, directory, options):
        self.work, self.program, self.directory, self.options = work, program, directory, options

    def seconds(self):
        first = next(SERIALS)
        out = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        content = packets.make(AGENT, SIZE)
        for i in range(CLIENT_FILES):
            (out / f"{AGENT}.{first + i}.data").write_bytes(content)
        batch = write(self.work / "batch", f"put {out}/*.data {self.directory}/\n", 0o644)
        start = time.monotonic()
        run("sftp", "-q", *self.options, "-b", batch, "-S", self.program, "x@y")
        seconds = time.monotonic() - start
        take_away(self.directory, CLIENT_FILES)
        shutil.rmtree(out)
        return seconds


def rates(files, *sides, rounds=ROUNDS):
    """The medians of their files/s, taking turns."""
    for side in sides:
        side.seconds()                  # not counted
    least, most = rounds
    end = time.monotonic() + PATIENCE
    seconds = [[] for _ in sides]
    while len(seconds[0]) < least or (len(seconds[0]) < most and time.monotonic() < end):
        for side, found in zip(sides, seconds):
            found.append(side.seconds())
    return [files / statistics.median(found) for found in seconds]


def disk_directory(build):
    directory = build / "bench"
    if not os.path.ismount(directory):
        raise RuntimeError(f"the durable rows need the disk: copy.sh --out {directory}")
    return directory


def measure(build):
    disk = disk_directory(build)
    with tempfile.TemporaryDirectory(prefix="gate-bench.") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)
        auth = install(build, work, "full", SESSIONS, AGENTS, disk)
        try:
            alone = rates(FILES, Drop(build, work, 1, FILES, auth), Bare(build, work, 1, FILES))
            many = rates(SESSIONS * FILES_EACH, Drop(build, work, SESSIONS, FILES_EACH, auth),
                         Bare(build, work, SESSIONS, FILES_EACH))
            one_key = rates(SESSIONS * FILES_EACH, Drop(build, work, SESSIONS, FILES_EACH, auth[:1]), rounds=(3, 3))
            client = rates(CLIENT_FILES, *clients(work, auth[0]))
        finally:
            run("umount", SPOOL)
    print(f"sink.sixteen: with one key for all sessions {one_key[0]:.0f} files/s, with one for each {many[0]:.0f}",
          file=sys.stderr)
    version = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.split(",")[0].split()[0]
    loop = "a C loop of O_TMPFILE, write, fdatasync, linkat, fsync of the directory"
    return [
        Row("sink.durable_loop", *alone, "files/s", 0.85, f"{loop}; ours fed ahead of its answers"),
        Row("sink.sixteen", *many, "files/s", 0.7, "sixteen such loops; ours with sixteen sessions, each with its key"),
        Row("sink.durable_client", *client, "files/s", 3, f"`sftp -f` of {version} into its sftp-server; ours with `sftp`"),
    ]


def clients(work, auth):
    def server(name, command, *environment):
        words = " ".join(f'"{e}"' for e in environment)
        return write(work / name, f"#!/bin/sh\nexec env -i {words} {' '.join(AS_ACCOUNT)} {command}\n", 0o755)
    ours = server("ours", f"{DROP} -c {DROP}", f"SSH_ORIGINAL_COMMAND={SFTP_SERVER}", f"SSH_USER_AUTH={auth}",
                  "SSH_CONNECTION=127.0.0.1 40000 127.0.0.1 22")
    return Client(work, ours, DATA_IN, []), Client(work, server("peer", SFTP_SERVER), PEER, ["-f"])
