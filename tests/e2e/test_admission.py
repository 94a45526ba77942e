"""What is decided before the first byte, by what other sessions and the administrator have done: pause, quotas,
backlog, space, inodes. Each refusal keeps the file with its agent, and goes away with its cause."""

import os
import subprocess
import threading

import pytest
from world import DATA_IN, MEMORY, SPOOL, policy, run, wait_for

BOTH = pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])


def refused_early(gate, world, path, code, options):
    """The client hears of it; nothing is there; the audit has the code, and no byte had arrived."""
    mark = world.mark()
    before = world.delivered()
    done = gate.scp(path, options=options)
    assert done.returncode == 1, done.stderr
    assert "pandora-gate:" in done.stderr or not options        # OpenSSH's scp in SFTP mode keeps the words to itself
    assert world.delivered() == before
    refused = world.events_since(mark, "drop.refused", file=path.name)
    assert refused and refused[0]["reason"] == code, refused
    return done


@BOTH
def test_pause_and_resume(world, gate, packet, options):
    mark = world.mark()
    world.gate("pause", "--reason", "new disk")
    try:
        refused_early(gate, world, packet("test.1.data"), "spool.paused", options)
        # Logins go on.
        assert gate.ssh().returncode == 0
        status = world.gate("pause", "--status", "--json").stdout
        assert "new disk" in status
    finally:
        world.gate("resume")
    assert gate.scp(packet("test.1.data"), options=options).returncode == 0
    assert world.events_since(mark, "deliveries.paused", reason="new disk")
    assert world.events_since(mark, "deliveries.resumed")


def test_a_pause_ends_by_itself(world, gate, packet):
    # Long enough for a login on a machine that is busy with something else.
    world.gate("pause", "--for", "6s")
    try:
        assert gate.scp(packet("test.2.data")).returncode == 1
        assert wait_for(lambda: gate.scp(packet("test.2.data")).returncode == 0, 30)
    finally:
        world.gate("resume")


def test_a_session_that_runs_sees_the_pause(world, gate):
    """Legacy SCP by hand: one file, the pause, a second file in the same session."""
    import packets
    content = packets.make("test", 400)
    argv = gate.ssh_argv(f"{gate.user}@{gate.host}", "scp", "-t", str(DATA_IN))
    session = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(data):
        session.stdin.write(data)
        session.stdin.flush()
        return session.stdout.read(1)
    try:
        assert session.stdout.read(1) == b"\0"
        assert say(b"C0644 %d test.1.data\n" % len(content)) == b"\0"
        assert say(content + b"\0") == b"\0"
        world.gate("pause")
        assert say(b"C0644 %d test.2.data\n" % len(content)) == b"\1"
        assert b"paused" in session.stdout.readline()
        world.gate("resume")
        assert say(b"C0644 %d test.2.data\n" % len(content)) == b"\0"
        assert say(content + b"\0") == b"\0"
    finally:
        world.gate("resume")
        session.kill()
        session.communicate()
    assert sorted(world.delivered()) == ["test.1.data", "test.2.data"]


@BOTH
def test_quota_of_files_is_shared_by_sessions_and_outlives_them(world, gate, packet, options):
    with policy(world, quota={"files": 4}, audit={"repeat_window": 0}):
        files = [packet(f"test.{n}.data", 3000 + n) for n in range(6)]
        for path in files[:2]:
            assert gate.scp(path, options=options).returncode == 0
        done = gate.scp(*files[2:], options=options)
        assert done.returncode == 1
        assert sorted(world.delivered()) == [f.name for f in files[:4]]
        refused_early(gate, world, files[5], "quota.files", options)
        # Another key has its own.
        other = world.client(world.enrol("quota-other", "web01"))
        assert other.scp(packet("web01.1.data", agent="web01"), options=options).returncode == 0


@BOTH
def test_quota_of_bytes_by_the_declared_size(world, gate, packet, options):
    with policy(world, drop={"max_file_size": 50_000, "session_bytes": 60_000}, quota={"bytes": 60_000}):
        assert gate.scp(packet("test.1.data", 40_000), options=options).returncode == 0
        if options:     # SFTP says no size beforehand
            refused_early(gate, world, packet("test.2.data", 30_000), "quota.bytes", options)
        assert gate.scp(packet("test.3.data", 19_000), options=options).returncode == 0
        assert gate.scp(packet("test.4.data", 3_000), options=["-O"]).returncode == 1


def test_the_window_slides(world, gate, packet):
    import time
    with policy(world, quota={"files": 1, "window": "2s"}):
        assert gate.scp(packet("test.1.data")).returncode == 0
        assert gate.scp(packet("test.2.data", 4000)).returncode == 1
        time.sleep(2.1)
        assert gate.scp(packet("test.2.data", 4000)).returncode == 0


def test_sessions_at_once_share_a_quota(world, gate, tmp_path):
    """Each session that is already let in may bring what it has open: no more than that over the quota."""
    import packets
    paths = []
    for n in range(12):
        paths.append(tmp_path / f"test.{n}.data")
        paths[-1].write_bytes(packets.make("test", 3000 + n))
    with policy(world, quota={"files": 5}):
        done = []
        threads = [threading.Thread(target=lambda p=p: done.append((p, gate.scp(p, options=["-O"])))) for p in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    delivered = set(world.delivered())
    assert delivered == {p.name for p, d in done if d.returncode == 0}
    assert 5 <= len(delivered) < 12


@BOTH
def test_a_full_backlog_refuses_until_the_server_has_read(world, gate, packet, options):
    with policy(world, spool={"max_backlog": 10}):
        for n in range(10):
            (DATA_IN / f"old.{n}.data").write_text("x")
        world.forget()
        refused_early(gate, world, packet("test.1.data"), "spool.backlog", options)
        for n in range(10):
            (DATA_IN / f"old.{n}.data").unlink()
        # Counted again after 5 s; here the count is thrown away instead of waiting.
        (MEMORY / "backlog").unlink()
        assert gate.scp(packet("test.1.data"), options=options).returncode == 0


def test_a_backlog_is_believed_for_five_seconds(world, gate, packet):
    with policy(world, spool={"max_backlog": 3}):
        assert gate.scp(packet("test.1.data")).returncode == 0
        for n in range(5):
            (DATA_IN / f"old.{n}.data").write_text("x")
        assert gate.scp(packet("test.2.data", 4000)).returncode == 0     # the directory is not read for each upload
        import time
        time.sleep(5.2)
        assert gate.scp(packet("test.3.data", 5000)).returncode == 1


@BOTH
def test_no_inodes_left(world, gate, packet, options):
    """A volume with blocks and no inodes: refused before the first byte, and taken when there are some again."""
    image = world.dir / "few-inodes"
    run("truncate", "-s", "64M", image)
    run("mkfs.ext4", "-q", "-N", "32", image)
    SPOOL.mkdir(exist_ok=True)
    saved = world.dir / "spool-covered"
    run("mount", "-o", "loop", image, "/mnt")
    try:
        for name in ("data_in", "staging", "quarantine"):
            run("install", "-d", "-o", "pandora", "-g", "pandora", "-m", "2770", f"/mnt/{name}")
        with policy(world, spool={"directory": "/mnt/data_in", "staging": "/mnt/staging", "quarantine": "/mnt/quarantine",
                                  "min_free": 0, "min_free_percent": 0}):
            filler, n = [], 0
            try:
                while True:
                    path = f"/mnt/filler{n}"
                    open(path, "w").close()
                    filler.append(path)
                    n += 1
            except OSError as error:
                assert error.errno == 28
            mark = world.mark()
            assert gate.scp(packet("test.1.data"), to="/mnt/data_in", options=options).returncode == 1
            assert world.events_since(mark, "drop.refused", file="test.1.data", reason="space.free")
            for path in filler[:8]:
                os.unlink(path)
            assert gate.scp(packet("test.1.data"), to="/mnt/data_in", options=options).returncode == 0
            assert os.path.exists("/mnt/data_in/test.1.data")
    finally:
        run("umount", "/mnt")
        assert not saved.exists()
