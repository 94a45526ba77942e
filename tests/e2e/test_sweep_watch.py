"""The sweep as a service: it hears of uploads, of new upload directories and of new keyrings; what ends it; and what its
processes could do if somebody took them over.
"""

import contextlib
import os
import pathlib
import pwd
import signal
import subprocess
import time

import pytest
import uploads
from test_sweep import alice, bob, members  # noqa: F401  (fixtures)
from uploads import DOCTYPE, Inbox, Watcher, add_member, ftp_policy, packet, quarantined, staged_files
from world import DATA_IN, LIBEXEC, policy, run, wait_for


def children(pid):
    """The pids of its children, theirs, ...: in this order."""
    found = []
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *children(int(child))]
    return found


def sweeps():
    """The pids of every process of it."""
    found = []
    for path in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit() and os.readlink(path / "exe") == str(LIBEXEC / "sweep"):
                found.append(int(path.name))
    return sorted(found)


def is_waiting(pid):
    with contextlib.suppress(OSError):
        return "poll" in pathlib.Path(f"/proc/{pid}/wchan").read_text()


@pytest.fixture
def watcher(alice):  # noqa: F811
    with Watcher() as made:
        assert wait_for(lambda: is_waiting(made.pid))
        yield made
    assert wait_for(lambda: sweeps() == [])


def comes(world, content, seconds=10):
    """How long it takes (s) until that is in data_in."""
    start = time.monotonic()
    assert wait_for(lambda: uploads.in_data_in(content), seconds)
    return time.monotonic() - start


def test_an_upload_is_taken_at_once(world, alice, watcher):  # noqa: F811
    took = []
    for n in range(20):
        content = packet(text=f"at once {n}")
        alice.put(f"web01.{n}.data", content)
        took.append(comes(world, content))
        time.sleep(0.05)
    took.sort()
    print(f"upload to data_in: median {took[10] * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms")
    assert took[10] < 0.5 and took[-1] < 2


def test_written_in_place_as_vsftpd_does(world, alice, watcher):  # noqa: F811
    """Slowly, under its lock; the event is that of its end."""
    import fcntl
    guest = pwd.getpwnam(uploads.GUEST)
    fd = os.open(alice.dir / "web01.1.data", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.fchown(fd, guest.pw_uid, guest.pw_gid)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    content = packet(text="slow")
    for byte in content:
        os.write(fd, bytes([byte]))
        time.sleep(0.01)
    assert world.delivered() == {}
    os.close(fd)
    assert comes(world, content) < 2


def test_a_new_upload_directory(world, alice, watcher):  # noqa: F811
    add_member("newcomer")
    world.gate("publish")
    inbox = Inbox("newcomer")
    try:
        time.sleep(0.3)
        inbox.put("web01.1.data", packet(text="new"))
        assert comes(world, packet(text="new")) < 3
    finally:
        run("userdel", "newcomer")
        run("rm", "-rf", inbox.dir)
    assert watcher.process.poll() is None


def test_a_new_keyring_counts_from_the_next_upload_on(world, alice, watcher):  # noqa: F811
    add_member("carol")
    world.gate("keys", "add", "--ftp", "carol", "--agent", "db*")
    carol = Inbox("carol")
    try:
        carol.put("web01.1.data", packet(text="bound"))
        carol.put("db7.1.data", packet("db7"))
        assert comes(world, packet("db7")) < 3
        assert wait_for(lambda: len(quarantined()) == 1) and len(world.delivered()) == 1
        # What waits is looked at when the keyring changes, not before.
        with world.edited(["ftp:carol"], "state=disabled"):
            time.sleep(0.3)
            carol.put("db7.2.data", packet("db7", "later"))
            time.sleep(1)
            assert carol.names() == ["db7.2.data"]
        # That is an event too, but no directory is due for it: the next one, or 15 s.
        assert comes(world, packet("db7", "later"), 20) < 20
    finally:
        with contextlib.suppress(RuntimeError):
            world.gate("keys", "revoke", "ftp:carol", "--reason", "end of the test")


def test_a_broken_keyring_does_not_stop_it(world, alice, watcher):  # noqa: F811
    from world import KEYRING
    kept = KEYRING.read_bytes()
    try:
        world.put_keyring(b"no keyring at all")
        time.sleep(0.3)
        alice.put("web01.1.data", packet(text="last good"))
        assert comes(world, packet(text="last good")) < 3
    finally:
        world.put_keyring(kept)
    assert watcher.process.poll() is None


@pytest.mark.parametrize("change", [{"enabled": False}, {"directory": "/var/spool/pandora/ftp2"}, {"user": "daemon"}])
def test_other_settings_end_it(world, alice, watcher, change):  # noqa: F811
    try:
        with ftp_policy(world, ftp=change):
            assert wait_for(lambda: watcher.process.poll() is not None)
            assert watcher.process.returncode == 75
    finally:
        run("rm", "-rf", "/var/spool/pandora/ftp2")
        world.gate("publish")


def test_a_setting_of_the_policy_does_not_end_it(world, alice, watcher):  # noqa: F811
    with ftp_policy(world, drop={"max_file_size": 1000}):
        time.sleep(0.3)
        alice.put("web01.1.data", packet(text="x" * 2000))
        assert wait_for(lambda: len(quarantined()) == 1)
    assert watcher.process.poll() is None


def test_it_waits_for_others_and_comes_back(world, alice, watcher):  # noqa: F811
    world.gate("pause")
    try:
        alice.put("web01.1.data", packet(text="paused"))
        time.sleep(1)
        assert world.delivered() == {}
    finally:
        world.gate("resume")
    assert comes(world, packet(text="paused"), 20) < 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_no_pass_outlives_it(world, alice, number):  # noqa: F811
    """Ended in the middle of a pass, which goes with its checker; nothing is lost."""
    contents = {f"web01.{n}.data": packet(text=f"{number} {n}") for n in range(200)}
    for name, content in contents.items():
        alice.put(name, content)
    watcher = Watcher()
    assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) > 3)
    assert len(children(watcher.pid)) == 2
    watcher.process.send_signal(number)
    assert watcher.process.wait(5) == -number
    assert wait_for(lambda: sweeps() == [], 5)
    assert len(world.delivered()) < len(contents)
    assert uploads.sweep().returncode == 0
    assert world.delivered() == contents and staged_files() == []


def test_a_killed_pass_is_told_and_made_up_for(world, alice, watcher):  # noqa: F811
    contents = {f"web01.{n}.data": packet(text=f"pass {n}") for n in range(100)}
    mark = world.mark()
    for name, content in contents.items():
        alice.put(name, content)
    assert wait_for(lambda: children(watcher.pid))
    os.kill(children(watcher.pid)[0], signal.SIGKILL)
    alice.put("web01.999.data", packet(text="after"))
    assert wait_for(lambda: len(world.delivered()) == 101, 30)
    assert {n: c for n, c in world.delivered().items() if n != "web01.999.data"} == contents
    event, = world.events_since(mark, "sweep.failed")
    assert event["key"] == "ftp:alice"


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def descriptors(pid):
    return {int(p.name): os.readlink(p) for p in pathlib.Path(f"/proc/{pid}/fd").iterdir()}


def confined(pid):
    return status_of(pid).get("Seccomp", "").strip() == "2"


def test_what_its_processes_may_do(world, alice):  # noqa: F811
    """As the kernel tells it, in the middle of a pass."""
    for n in range(200):
        alice.put(f"web01.{n}.data", packet(text=str(n)))
    account, guest = pwd.getpwnam("pandora"), pwd.getpwnam(uploads.GUEST)
    with Watcher() as watcher:
        assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) > 3)
        sweeping, checker = children(watcher.pid)
        os.kill(sweeping, signal.SIGSTOP)
        try:
            for pid in (watcher.pid, sweeping, checker):
                status = status_of(pid)
                assert set(status["Uid"].split()) == {str(account.pw_uid)} and set(status["Gid"].split()) == {str(account.pw_gid)}
                assert str(guest.pw_gid) in status["Groups"].split()
                for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    assert int(status[kind], 16) == 0, (pid, kind)
            for pid in (sweeping, checker):
                status = status_of(pid)
                assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
            # The control: the watcher reads nothing of strangers, and starts processes.
            assert status_of(watcher.pid)["Seccomp"].strip() == "0"
            assert set(descriptors(checker)) == {0, 1, 2}
            assert all(descriptors(checker)[n].startswith("socket:") for n in (0, 1))
            places = {path for fd, path in descriptors(sweeping).items() if fd > 2 and path.startswith("/")}
            of_packets = {p for p in places if pathlib.Path(p).name.startswith(("web01.", "drop-"))}
            expected = {str(DATA_IN), "/var/spool/pandora/quarantine", "/var/spool/pandora/staging/sweep/alice", str(alice.dir),
                        str(alice.held)}
            state = "/var/lib/pandora-gate/"
            assert {p for p in places - of_packets if not p.startswith(state)} == expected
            assert {p.removeprefix(state).split("/")[-1].split("-")[0] for p in places if p.startswith(state)} <= {
                "sweep", "k", "backlog", "quarantine", "pause"}
        finally:
            os.kill(sweeping, signal.SIGCONT)
        assert wait_for(lambda: len(world.delivered()) == 200, 30)


def test_a_checker_that_is_killed_is_told(world, alice):  # noqa: F811
    """One upload is put away for a human; the others are delivered."""
    contents = {f"web01.{n}.data": packet(text=f"checker {n}") for n in range(100)}
    mark = world.mark()
    for name, content in contents.items():
        alice.put(name, content)
    with Watcher() as watcher:
        assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) > 3)
        os.kill(children(watcher.pid)[1], signal.SIGKILL)
        assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) + len(quarantined()) == 100, 20)
    assert sorted([*world.delivered().values(), *quarantined().values()]) == sorted(contents.values())
    assert len(quarantined()) == 1
    event, = world.events_since(mark, "sandbox.breach")
    assert event["process"] == "checker" and event["key"] == "ftp:alice"


def test_a_checker_that_never_answers(world, alice):  # noqa: F811
    """Stopped, as one is that was made to loop: after a while it is ended, and its upload put away."""
    contents = {f"web01.{n}.data": packet(text=f"silent {n}") for n in range(100)}
    mark = world.mark()
    for name, content in contents.items():
        alice.put(name, content)
    with Watcher() as watcher:
        assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) > 3)
        os.kill(children(watcher.pid)[1], signal.SIGSTOP)
        assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) + len(quarantined()) == 100, 40)
    assert sorted([*world.delivered().values(), *quarantined().values()]) == sorted(contents.values())
    assert len(quarantined()) == 1
    assert world.events_since(mark, "sandbox.breach", process="checker")


def test_one_sender_holds_nobody_up(world, alice, bob, watcher):  # noqa: F811
    """A flood of one, and all that is odd: the other's packet does not wait for it."""
    for n in range(1500):
        alice.put(f"web01.{n}.data", packet(text=f"flood {n}"))
    os.mkfifo(alice.dir / "web01.f.data")
    (alice.dir / "bad.php").write_bytes(b"x")
    start = time.monotonic()
    bob.put("web01.1.data", packet(text="bob's"))
    comes(world, packet(text="bob's"), 30)
    print(f"bob's packet, beside a flood of 1500: {time.monotonic() - start:.1f} s")
    assert len(list(DATA_IN.glob("*.data"))) < 1501
    assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) == 1501, 60)
    assert len(world.delivered()) == 1501


def test_a_doctype_is_put_away_by_the_service(world, alice, watcher):  # noqa: F811
    alice.put("web01.1.data", DOCTYPE)
    assert wait_for(lambda: list(quarantined().values()) == [DOCTYPE])
    assert subprocess.run(["pandora-gate", "quarantine", "list"], capture_output=True).returncode == 3
