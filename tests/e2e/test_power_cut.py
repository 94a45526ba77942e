"""What was acknowledged is there after a power cut: the file behind the loop device is copied while everything is
mounted and running, and what was not written to it is lost with that. The copy is mounted.

The write cache of a disk is not simulated: a loop device has none.
"""

import contextlib
import os
import pathlib
import pwd
import random
import signal
import subprocess
import time

import packets
import pytest
import volumes
from world import DATA_IN, LIBEXEC, SPOOL, policy, run, wait_for

# The journal is written when it is asked for, not by the clock; a rename or close makes nothing durable by itself.
FILE_SYSTEMS = {"ext4": "noauto_da_alloc,commit=600", "xfs": "", "btrfs": "commit=600"}
PACKETS = 20
CUTS = 8


@pytest.fixture(params=FILE_SYSTEMS)
def kind(request):
    return request.param


def after_the_cut(kind, image, directory):
    """What lies in data_in and in staging when the image is mounted. A file system is known by its UUID: the one that
    was cut must be gone."""
    at = directory / "after"
    volumes.mount_image(image, at, FILE_SYSTEMS[kind])
    try:
        return [{p.name: p.read_bytes() for p in (at / name).iterdir() if p.is_file()} for name in ("data_in", "staging")]
    finally:
        volumes.unmount(at)
        image.unlink()


def settle():
    """What was made so far (directories) is no part of what the cut takes."""
    run("sync", "-f", SPOOL)


def cut_after(world, kind, directory, durability, files, **spool):
    """All of them sent and acknowledged, then the cut. What is in data_in and in staging afterwards."""
    copy = directory / "copy"
    with policy(world, spool={"durability": durability, **spool}), \
            volumes.spool_on(world, kind, directory / "volume", FILE_SYSTEMS[kind]) as image:
        settle()
        world.forget()      # the same files have gone to a volume that is no more
        done = world.client(world.key).scp(*files)
        run("cp", "--sparse=always", image, copy)
        assert done.returncode == 0, done.stderr
        assert sorted(world.delivered()) == sorted(f.name for f in files)
    return after_the_cut(kind, copy, directory)


@pytest.mark.parametrize("method", ["automatic", "named"])
def test_acknowledged_is_there_after_a_power_cut(world, kind, packet, tmp_path, method):
    files = [packet(f"test.{n}.data", 2000 + 3000 * n) for n in range(PACKETS)]
    sent = {f.name: f.read_bytes() for f in files}
    data_in, _ = cut_after(world, kind, tmp_path, "full", files, staging_method=method)
    assert data_in == sent
    # The control: the cut takes what was not synced, or it is none.
    data_in, _ = cut_after(world, kind, tmp_path, "none", files, staging_method=method)
    lost = sum(data_in.get(name) != content for name, content in sent.items())
    print(f"{kind}, {method}: full lost 0 of {PACKETS}, none lost or emptied {lost}")
    assert lost >= PACKETS / 2, "the cut loses too little to show anything"


@pytest.mark.parametrize("durability", ["full", "file"])
def test_one_drop_and_an_immediate_cut(world, kind, packet, tmp_path, durability):
    path = packet("test.1.data", 7000)
    data_in, staging = cut_after(world, kind, tmp_path, durability, [path])
    whole = data_in == {path.name: path.read_bytes()}
    print(f"{kind}, {durability}: {'there' if whole else 'lost' if not data_in else 'TORN'}, {len(staging)} staged")
    assert whole or (durability == "file" and data_in == {})


class Stream:
    """Packets in legacy SCP, one after the other, straight to drop; `acknowledged` are those that were."""

    def __init__(self, key, sizes, names):
        user = pwd.getpwnam("pandora")
        kind, blob = pathlib.Path(f"{key}.pub").read_text().split()[:2]
        auth = pathlib.Path("/tmp/auth-stream")
        auth.write_text(f"publickey {kind} {blob}\n")
        auth.chmod(0o644)
        self.contents = {name: packets.make("test", size) for name, size in zip(names, sizes)}
        self.acknowledged = []
        self.drop = subprocess.Popen([LIBEXEC / "drop", "-c", LIBEXEC / "drop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, bufsize=0, user=user.pw_uid, group=user.pw_gid,
                                     extra_groups=[], cwd="/",
                                     env={"SSH_USER_AUTH": str(auth), "SSH_ORIGINAL_COMMAND": f"scp -t {DATA_IN}",
                                          "SSH_CONNECTION": "192.0.2.1 4711 192.0.2.2 22"})
        assert self.drop.stdout.read(1) == b"\0"

    def send(self, name):
        content = self.contents[name]
        for part in (f"C0644 {len(content)} {name}\n".encode(), content + b"\0"):
            self.drop.stdin.write(part)
            assert self.drop.stdout.read(1) == b"\0"
        self.acknowledged.append(name)

    def begin(self, name):
        """Sent, and no answer waited for."""
        content = self.contents[name]
        self.drop.stdin.write(f"C0644 {len(content)} {name}\n".encode() + content + b"\0")


def stop(pids):
    """None of them runs any more, nor waits for the disk."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    def stopped():
        return all(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZ" for pid in pids)
    assert wait_for(stopped)


def cut_in_the_middle(world, kind, directory, rng, cut):
    """A stream that is stopped at some moment, the disk as it is then: the stream, and what is there."""
    names = [f"test.{cut}{n:03}.data" for n in range(12)]
    copy = directory / "copy"
    with volumes.spool_on(world, kind, directory / "volume", FILE_SYSTEMS[kind]) as image:
        settle()
        stream = Stream(world.key, [rng.randrange(300, 60_000) for _ in names], names)
        for name in names[:rng.randrange(3, 11)]:
            stream.send(name)
        stream.begin(names[11])
        time.sleep(rng.random() * 0.004)
        pids = world.drops_running()
        stop(pids)
        run("cp", "--sparse=always", image, copy)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):       # the front goes with the publisher
                os.kill(pid, signal.SIGKILL)
        stream.drop.communicate()
    return stream, after_the_cut(kind, copy, directory)[0]


def test_cuts_in_the_middle_of_a_stream(world, kind, tmp_path):
    """At random moments of a delivery: what was acknowledged is there, and all that is there is whole."""
    rng = random.Random(7)
    acknowledged = present = 0
    with policy(world, spool={"durability": "full"}):
        for cut in range(CUTS):
            stream, data_in = cut_in_the_middle(world, kind, tmp_path, rng, cut)
            for name in stream.acknowledged:
                assert name in data_in, (cut, name)
            for name, content in data_in.items():
                assert content == stream.contents[name], (cut, name)
            acknowledged += len(stream.acknowledged)
            present += len(data_in)
    print(f"{kind}: {CUTS} cuts, {acknowledged} packets acknowledged, {present} there and whole")
