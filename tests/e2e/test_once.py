"""Once: what arrives again is success and no second file; two sessions at a time; the same refusal is told once; and
a memory that cannot be used costs no delivery."""

import fcntl
import os
import pathlib
import subprocess
import threading

import pytest
from world import DATA_IN, MEMORY, STAGING, policy, wait_for

BOTH = pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])


def memory_files():
    return [p for p in MEMORY.iterdir() if p.name.startswith("k-")]


@BOTH
def test_the_same_file_again_is_success_and_no_second_file(world, gate, stock, packet, options):
    """The orphaned scp of an agent that gave up on it: both arrive, and the server may have taken the first by then."""
    path = packet("test.1.data")
    mark = world.mark()
    assert gate.scp(path, options=options).returncode == 0
    assert gate.scp(path, options=options).returncode == 0
    assert list(world.delivered()) == ["test.1.data"]
    (DATA_IN / "test.1.data").unlink()
    assert gate.scp(path, options=options).returncode == 0
    assert world.delivered() == {}
    assert list(STAGING.iterdir()) == []
    assert len(world.events_since(mark, "drop.resent", count=2, file="test.1.data")) == 2
    # The control: through a stock sshd the server reads it again.
    target = pathlib.Path("/var/spool/stocka/data_in")
    assert stock.scp(path, to=target, options=options).returncode == 0
    (target / "test.1.data").unlink()
    assert stock.scp(path, to=target, options=options).returncode == 0
    assert (target / "test.1.data").exists()
    (target / "test.1.data").unlink()


@BOTH
def test_other_content_under_the_same_name_survives(world, gate, packet, options):
    sizes = [3000, 4000, 5000]
    for size in sizes:
        assert gate.scp(packet("test.2.data", size), options=options).returncode == 0
    assert sorted(len(content) for content in world.delivered().values()) == sizes
    assert len(world.delivered()["test.2.data"]) == 3000


@pytest.mark.parametrize("same", [True, False], ids=["same content", "other content"])
def test_sessions_that_race_for_one_name(world, gate, tmp_path, same):
    """Eight sessions at once: of one content one file, of eight contents eight."""
    import packets
    paths = []
    for n in range(8):
        (tmp_path / str(n)).mkdir()
        paths.append(tmp_path / str(n) / "test.3.data")
        paths[-1].write_bytes(packets.make("test", 3000 if same else 3000 + n))
    done = []
    threads = [threading.Thread(target=lambda p=p: done.append(gate.scp(p, options=["-O"]))) for p in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [d.returncode for d in done] == [0] * 8, [d.stderr for d in done]
    assert sorted(world.delivered().values()) == sorted({p.read_bytes() for p in paths})


def test_it_is_sent_again_after_the_window(world, gate, packet):
    path = packet("test.4.data")
    with policy(world, spool={"resend_window": "1s"}):
        assert gate.scp(path).returncode == 0
        (DATA_IN / "test.4.data").unlink()
        import time
        time.sleep(1.2)
        assert gate.scp(path).returncode == 0
        assert list(world.delivered()) == ["test.4.data"]


def test_the_same_refusal_again_and_again_is_told_once(world, gate, tmp_path):
    """An agent with remote_config on asks for <md5>.md5 and sends <md5>.conf at each interval."""
    conf = tmp_path / ("ab" * 16 + ".conf")
    conf.write_text("x")
    mark = world.mark()
    for _ in range(4):
        assert gate.scp(conf).returncode != 0
        assert gate.fetch(DATA_IN / f"{'ab' * 16}.md5", tmp_path, options=["-O"]).returncode != 0
    summaries = world.events_since(mark, "session.summary", count=8)
    assert len(summaries) == 8
    assert len(world.events_since(mark, "drop.refused", file=conf.name)) == 1
    assert len(world.events_since(mark, "request.refused", reason="request.read")) == 1
    assert sum(s["refused"] for s in summaries) == 8 and sum(s.get("untold", 0) for s in summaries) == 6
    with policy(world, audit={"repeat_window": 0}):
        assert gate.scp(conf).returncode != 0
        assert len(world.events_since(mark, "drop.refused", file=conf.name, count=2)) == 2


def test_the_count_is_told_when_the_window_is_over(world, gate, tmp_path):
    conf = tmp_path / ("cd" * 16 + ".conf")
    conf.write_text("x")
    with policy(world, audit={"repeat_window": "2s"}):
        mark = world.mark()
        for _ in range(3):
            gate.scp(conf)
        def told():
            gate.scp(conf)
            return [e for e in world.events_since(mark, "drop.refused", file=conf.name) if e.get("repeated", 0) >= 2]
        assert wait_for(told, 20)


class Spoiled:
    """The memory of earlier drops, spoiled in one way for the time of a block; the cause that the audit tells."""

    def __init__(self, how):
        self.how = how
        self.lock = None

    def __enter__(self):
        path = memory_files()[0]
        if self.how == "missing directory":
            MEMORY.rename(MEMORY.with_name("away"))
        elif self.how == "not writable":
            path.unlink()
            os.chown(MEMORY, 0, 0)
        elif self.how == "locked":
            self.lock = open(path, "rb+")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        elif self.how == "garbage":
            path.write_bytes(b"x" * 5000)
        elif self.how == "a link":
            path.unlink()
            path.symlink_to("/etc/shadow")
        elif self.how == "full":
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,uid=%d,mode=700" % os.stat(MEMORY).st_uid, "tmpfs", MEMORY],
                           check=True)
            (MEMORY / "filler").write_bytes(b"x" * 4096)
        return {"missing directory": "missing", "not writable": "open", "locked": "locked", "garbage": "damaged", "a link": "link",
                "full": "write"}[self.how]

    def __exit__(self, *_):
        if self.how == "missing directory":
            MEMORY.with_name("away").rename(MEMORY)
        elif self.how == "not writable":
            import pwd
            os.chown(MEMORY, pwd.getpwnam("pandora").pw_uid, pwd.getpwnam("pandora").pw_gid)
        elif self.how == "full":
            subprocess.run(["umount", MEMORY], check=True)
        if self.lock:
            self.lock.close()


@pytest.mark.parametrize("how", ["missing directory", "not writable", "locked", "garbage", "a link", "full"])
@BOTH
def test_a_memory_that_cannot_be_used_costs_no_delivery(world, gate, packet, how, options):
    assert gate.scp(packet("test.5.data"), options=options).returncode == 0
    shadow = pathlib.Path("/etc/shadow").read_bytes()
    mark = world.mark()
    with Spoiled(how) as cause:
        done = gate.scp(packet("test.6.data", 4000), packet("test.7.data", 5000), options=options)
    assert done.returncode == 0, done.stderr
    assert sorted(world.delivered()) == ["test.5.data", "test.6.data", "test.7.data"]
    told = world.events_since(mark, "memory.unusable", part="memory")
    assert told and any(cause in e["cause"] for e in told), told
    assert pathlib.Path("/etc/shadow").read_bytes() == shadow


def test_a_clock_that_was_set_back(world, gate, packet):
    """What was written in the future does not count for the quota, is told, and holds nobody up."""
    import struct
    with policy(world, quota={"files": 2}):
        assert gate.scp(packet("test.1.data")).returncode == 0
        assert gate.scp(packet("test.2.data", 4000)).returncode == 0
        assert gate.scp(packet("test.3.data", 5000)).returncode != 0
        # As if the two had been written a day later than now: each entry and its checksum.
        path = memory_files()[0]
        data = bytearray(path.read_bytes())
        import ctypes
        import ctypes.util
        xxh3 = ctypes.CDLL(ctypes.util.find_library("xxhash")).XXH3_64bits
        xxh3.restype, xxh3.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
        for at in (4096, 4096 + 48):
            time_us, = struct.unpack_from("<q", data, at)
            struct.pack_into("<q", data, at, time_us + 86_400_000_000)
            struct.pack_into("<Q", data, at + 40, xxh3(bytes(data[at:at + 40]), 40))
        path.write_bytes(data)
        mark = world.mark()
        assert gate.scp(packet("test.4.data", 6000)).returncode == 0
        assert any("clock" in e["cause"] for e in world.events_since(mark, "memory.unusable"))
