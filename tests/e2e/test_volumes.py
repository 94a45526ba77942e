"""Publishing on every file system at hand, with unnamed files in the staging directory and with named ones.

What is mounted here all has O_TMPFILE (Linux 6.18: overlayfs and ramfs too); how a file system without it is served
is shown with the seam, in tests/unit/test_spool_faults.cpp.
"""

import contextlib
import grp
import os
import re
import signal
import stat

import pytest
import volumes
from test_whole import HalfSent
from world import DATA_IN, SPOOL, STAGING, policy, run, wait_for

METHODS = ("automatic", "named")


@pytest.fixture(params=volumes.KINDS)
def volume(request, world, tmp_path):
    with volumes.spool_on(world, request.param, tmp_path / "volume"):
        yield request.param


def staged():
    return sorted(p.name for p in STAGING.iterdir())


def is_as_configured(path):
    """The configured mode, the group of the directory, and no more blocks than the content needs."""
    found = path.stat()
    return (stat.S_IMODE(found.st_mode) == 0o660 and found.st_gid == grp.getgrnam("www-data").gr_gid and
            found.st_nlink == 1 and found.st_blocks * 512 <= found.st_size + 8192)


@pytest.mark.parametrize("method", METHODS)
def test_delivers_whole_files_and_replaces_none(world, volume, gate, packet, method):
    with policy(world, spool={"staging_method": method}):
        # The method is what it is meant to be.
        with HalfSent(gate, "test.1.data") as half:
            assert half.acks == b"\0\0"
            assert len(staged()) == (1 if method == "named" else 0)
            assert world.delivered() == {}
        assert wait_for(lambda: not world.drops_running())
        assert staged() == [] and world.delivered() == {}

        sent = {}
        for options, first, size in ((["-O"], 2, 3000), ([], 4, 40_000)):
            files = [packet(f"test.{n}.data", size) for n in (first, first + 1)]
            assert gate.scp(*files, options=options).returncode == 0
            sent.update({f.name: f.read_bytes() for f in files})
        assert world.delivered() == sent
        # The same names with other contents: what is there stays, the later ones get more digits.
        later = [packet(name, 5000 + n) for n, name in enumerate(sent)]
        done = gate.scp(*later)
        assert done.returncode == 0, done.stderr
        found = world.delivered()
        assert {name: found[name] for name in sent} == sent
        for path in later:
            with_digits = re.compile(re.escape(path.name.removesuffix(".data")) + r"\d+\.data")
            assert [c for n, c in found.items() if n not in sent and with_digits.fullmatch(n)] == [path.read_bytes()]
        assert len(found) == 2 * len(sent)
        assert all(is_as_configured(DATA_IN / name) for name in found)
        assert staged() == []


@contextlib.contextmanager
def full_volume():
    """Not a byte is left to the account."""
    filler = SPOOL / "filler"
    run("install", "-o", "pandora", "-m", "600", "/dev/null", filler)
    fill = f"dd if=/dev/zero of={filler} bs=1M; dd if=/dev/zero of={filler} bs=4k oflag=append conv=notrunc; sync {filler}"
    run("setpriv", "--reuid", "pandora", "--regid", "pandora", "--init-groups", "sh", "-c", fill, check=False)
    try:
        yield
    finally:
        filler.unlink()
        run("sync", "-f", SPOOL)            # btrfs gives it back with the transaction


@pytest.mark.parametrize("min_free", ["64 MB", 0], ids=["kept-free", "to-the-end"])
@pytest.mark.parametrize("method", METHODS)
def test_a_full_volume_refuses(world, volume, gate, packet, method, min_free):
    path = packet("test.6.data", 1_500_000)
    with policy(world, spool={"staging_method": method, "min_free": min_free, "min_free_percent": 0}, audit={"repeat_window": 0}):
        mark = world.mark()
        with full_volume():
            for options in (["-O"], []):
                done = gate.scp(path, options=options)
                assert done.returncode == 1, (volume, method, options, done.stderr)
                assert world.delivered() == {}
                assert staged() == []
        assert len(world.events_since(mark, "drop.refused", count=2, file=path.name, reason="space.free")) == 2
        done = gate.scp(path)
        assert done.returncode == 0, done.stderr
        assert world.delivered() == {path.name: path.read_bytes()}


def test_leftovers_are_removed_and_counted(world, volume, gate, packet):
    with policy(world, spool={"staging_method": "named"}):
        for count in (1, 2):
            with contextlib.ExitStack() as stack:
                for n in range(count):
                    half = stack.enter_context(HalfSent(gate, f"test.{n}.data"))
                    assert half.acks == b"\0\0"
                assert len(staged()) == count
                for pid in world.drops_running():
                    with contextlib.suppress(ProcessLookupError):       # a front goes with its publisher
                        os.kill(pid, signal.SIGKILL)
                assert wait_for(lambda: not world.drops_running())
            assert len(staged()) == count and world.delivered() == {}
            mark = world.mark()
            assert gate.scp(packet(f"test.{70 + count}.data")).returncode == 0
            assert staged() == [] and list(world.delivered()) == [f"test.{70 + count}.data"]
            assert world.events_since(mark, "session.summary", leftovers_removed=count)
            world.clear()
