"""The sweep is ended, or let down by the kernel, at the 1st, 2nd, ... of all the system calls that a pass makes. A server
reads data_in meanwhile and leaves nothing there, and nothing is remembered of what was delivered: so only the journal can
know what was taken. Afterwards each upload has been taken exactly once, whole, and is gone.
"""

import collections
import errno
import itertools
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
import uploads
import volumes
from test_volumes import full_volume
from test_sweep import QUIET, members  # noqa: F401  (a fixture)
from uploads import DOCTYPE, SPOOL, ftp_policy, packet, quarantined, staged_files, sweep
from world import BUILD, DATA_IN, MEMORY, QUARANTINE, STAGING, run

STOP_AT = BUILD / "tests/harness/stop_at"
INBOXES = SPOOL / "inboxes"
PASS, CHECKER = 1, 2            # how deep they are forked
NEVER = 10**9
RENAMEAT2, UNLINKAT = 316, 263  # by which an upload is taken, and removed (x86_64; stop_at knows no other)
HOLD = 2


class Server:
    """Consumes what is in data_in at once."""

    def __init__(self):
        self.read = collections.Counter()
        self.go_on = True
        self.thread = threading.Thread(target=self.serve)

    def look(self):
        for path in DATA_IN.glob("*.data"):
            content = path.read_bytes()
            path.unlink()
            self.read[content] += 1

    def serve(self):
        while self.go_on:
            self.look()
            time.sleep(0.0005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.go_on = False
        self.thread.join()
        self.look()


class Uploads:
    """An upload directory with one of each kind."""

    SERIALS = itertools.count(1)
    ALL = set()                 # contents of every one that a test has made

    def __init__(self, n):
        self.inbox = uploads.other_inbox(INBOXES / str(n))
        n = next(self.SERIALS)
        self.words = uploads.words_for(self.inbox, f"sender{n % 10}")
        self.contents = {"web01.1.data": packet(text=f"good {n}"), "web01.2.data": DOCTYPE.replace(b"web01", f"web{n}".encode()),
                         "web01.3.data": packet(text=f"incomplete {n}")[:-3], "evil.php": f"evil {n}".encode()}
        for name, content in self.contents.items():
            self.inbox.put(name, content)
        self.inbox.put("web01.4.checksum", b"no matter")
        self.contents["held"] = packet(text=f"held {n}")[:-3]
        self.ALL.update(self.contents.values())
        self.inbox.put("web01.5.data", self.contents["held"]).rename(self.inbox.held / "web01.5.data")

    def is_empty(self):
        return self.inbox.names() == self.inbox.held_names() == []


def prepare(count):
    run("rm", "-rf", INBOXES)
    run("install", "-d", "-m", "755", INBOXES)
    made = [Uploads(n) for n in range(count)]
    time.sleep(QUIET)
    return made


class Stopped:
    """A pass that was met at its n-th call."""

    def __init__(self, depth, n, how, words):
        done = subprocess.run([STOP_AT, str(depth), str(n), str(how), uploads.SWEEP, "--once", *words],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        self.calls, self.call, self.status = map(int, done.stdout.split("\n")[-2].split())

    @property
    def met(self):
        return self.call >= 0


def finish(made):
    """Sweeps until all is done; gives how many of them."""
    for each in made:
        for _ in range(5):
            if sweep(*each.words).returncode == 0:
                break
    time.sleep(HOLD + 0.1)
    for each in made:
        done = sweep(*each.words)
        assert done.returncode == 0, (each.inbox.dir, done, each.inbox.names(), each.inbox.held_names())


def count_of(server, made):
    """Each content is in data_in or in quarantine, once."""
    put_away = collections.Counter(quarantined().values())
    for each in (*QUARANTINE.iterdir(), *MEMORY.iterdir()):
        each.unlink()
    total = server.read + put_away
    ends = collections.Counter()
    for each in made:
        assert each.is_empty(), (each.inbox.dir, each.inbox.names(), each.inbox.held_names())
        for kind, content in each.contents.items():
            assert total[content] == 1, (each.inbox.dir, kind, server.read[content], put_away[content])
            ends[kind, "delivered" if server.read[content] else "quarantined"] += 1
    assert set(total) <= Uploads.ALL, set(total) - Uploads.ALL    # nothing partial
    assert staged_files() == []
    return ends


@pytest.fixture
def place(world, members):  # noqa: F811
    # No memory of what was sent: what the journal forgets would be delivered twice.
    with ftp_policy(world, spool={"resend_window": 0}, ftp={"incomplete_hold": f"{HOLD}s"}, quota={"files": 100_000}):
        yield world
    run("rm", "-rf", INBOXES)


def calls_of(place, depth):
    """How many a pass makes over one such directory."""
    each, = prepare(1)
    whole = Stopped(depth, NEVER, "kill", each.words)
    assert not whole.met and whole.status == 1, whole.__dict__
    finish([each])
    place.clear()
    return whole.calls


def meet_all(place, depth, how):
    """A pass for each call; the numbers of the calls, and how the sweeps ended."""
    # Not every pass makes the same: the memory of the sender grows, a lock is waited for.
    made = prepare(calls_of(place, depth) + 40)
    met, statuses = [], collections.Counter()
    for n, each in enumerate(made, 1):
        stopped = Stopped(depth, n, how, each.words)
        met.append(stopped.call)
        statuses[stopped.status] += stopped.met
    return made, met, statuses


@pytest.mark.timeout(600)
@pytest.mark.parametrize("depth", [PASS, CHECKER], ids=["pass", "checker"])
def test_killed_at_every_system_call(place, depth):
    with Server() as server:
        made, met, statuses = meet_all(place, depth, "kill")
        finish(made)
    ends = count_of(server, made)
    assert met[-1] == -1, "more calls than expected"
    killed = sum(call >= 0 for call in met)
    print(f"{killed} kills; the sweep ended with {dict(statuses)}; then {dict(ends)}")
    assert killed > 20 and (depth == CHECKER or killed > 200)
    assert ends["web01.1.data", "delivered"] > 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_let_down_at_every_system_call(place, error):
    with Server() as server:
        made, met, statuses = meet_all(place, PASS, getattr(errno, error))
        finish(made)
    ends = count_of(server, made)
    failed = sum(call >= 0 for call in met)
    print(f"{failed} calls failed with {error}; the sweep ended with {dict(statuses)}; then {dict(ends)}")
    assert failed > 200 and ends["web01.1.data", "delivered"] > 0


@pytest.mark.timeout(600)
def test_killed_again_while_it_recovers(place):
    """Ended right after something was taken; then the pass that finds the journal is ended as well."""
    step, most = 3, 48          # of some 140 calls of a pass until it has recovered, and more: each third
    calls = calls_of(place, PASS)
    made = prepare(calls)
    renames = [n for n, each in enumerate(made, 1) if Stopped(PASS, n, "kill", each.words).call == RENAMEAT2]
    finish(made)
    place.clear()
    points = renames[:3]        # which give names: one delivers; two are of a packet in quarantine
    kills = recovered = 0
    for point in points:
        made = prepare(most)
        mark = place.mark()
        with Server() as server:
            for m, each in zip(range(1, step * most, step), made):
                first = Stopped(PASS, point + 1, "kill", each.words)
                assert first.met
                kills += Stopped(PASS, m, "kill", each.words).met
            finish(made)
        count_of(server, made)
        place.events_since(mark, "upload.recovered", count=0)
        recovered += len([e for e in place.audit()[mark:] if e["event"] == "upload.recovered"])
    print(f"after {len(points)} renames: {kills} kills of a recovery, {recovered} recovered")
    assert recovered > most


# Where one thing is done and the next is not: a name given (in data_in; beside a packet in quarantine; to it), an upload
# removed.
MOMENTS = [f"{call}:{nth}{after}" for call in (RENAMEAT2, UNLINKAT) for nth in (1, 2, 3) for after in ("", "+")]


def test_killed_at_the_moments_that_count(place):
    made = prepare(len(MOMENTS))
    with Server() as server:
        for moment, each in zip(MOMENTS, made):
            assert Stopped(PASS, moment, "kill", each.words).met, moment
        finish(made)
    count_of(server, made)


def test_a_recovery_that_fails_is_made_again(place):
    """What was taken cannot be removed at first: nor may it be taken again then."""
    made = prepare(2)
    mark = place.mark()
    with Server() as server:
        for each in made:
            assert Stopped(PASS, f"{UNLINKAT}:1", "kill", each.words).met
            assert Stopped(PASS, f"{UNLINKAT}:1", errno.EIO, each.words).status == 70
        finish(made)
    count_of(server, made)
    assert len(place.events_since(mark, "upload.recovered", count=2)) == 2


def test_two_directories_of_one_sender(place):
    """What was being taken from one of them is not looked for in the other."""
    made = prepare(4)
    for each in made:
        each.words = uploads.words_for(each.inbox, "alice")
    with Server() as server:
        for moment, each in zip((f"{RENAMEAT2}:1", f"{RENAMEAT2}:1+", f"{UNLINKAT}:1"), made):
            assert Stopped(PASS, moment, "kill", each.words).met
            sweep(*made[-1].words)
            sweep()             # alice's own
        finish(made)
    count_of(server, made)


def test_another_staging_directory(place):
    """Killed before it was taken; then the staging directory is a new one. What is not there has not been taken for that."""
    made = prepare(2)
    with Server() as server:
        for each in made:
            assert Stopped(PASS, f"{RENAMEAT2}:1", "kill", each.words).met
            assert staged_files()
            run("rm", "-rf", STAGING / "sweep")
        finish(made)
    count_of(server, made)


def test_main_process_killed(place):
    """The pass goes with it, whatever it is at."""
    each, *rest = prepare(6)
    with Server() as server:
        for n, each in enumerate([each, *rest]):
            process = subprocess.Popen([uploads.SWEEP, "--once", *each.words], stderr=subprocess.DEVNULL)
            time.sleep(0.002 * n)
            process.send_signal(signal.SIGKILL)
            process.wait()
        finish([each, *rest])
    count_of(server, rest)


@pytest.mark.timeout(300)
def test_a_full_disk(place):
    """Nothing is left for the account: uploads wait, and come when there is room."""
    world = place
    with volumes.spool_on(world, "tmpfs", pathlib.Path("/tmp/volume")):
        world.gate("publish")
        run("install", "-d", "-m", "755", INBOXES)
        made = prepare(3)
        with ftp_policy(world, spool={"resend_window": 0, "min_free": 0, "min_free_percent": 0}, ftp={"incomplete_hold": f"{HOLD}s"}):
            with Server() as server:
                with full_volume():
                    for each in made:
                        assert sweep(*each.words).returncode in (1, 70)
                    # A checksum that was swallowed makes room for one or the other.
                    taken = sum(server.read.values()) + len(quarantined())
                    assert taken < 12 and sum(len(each.inbox.names()) for each in made) > 2
                    assert staged_files() == []
                finish(made)
            count_of(server, made)
    world.gate("publish")


def test_a_full_state_directory(place):
    world = place
    made = prepare(2)
    run("mount", "-t", "tmpfs", "-o", "size=16k,mode=0700,uid=" + str(os.stat(MEMORY).st_uid), "tmpfs", MEMORY)
    try:
        (MEMORY / "filler").write_bytes(b"")
        run("sh", "-c", f"dd if=/dev/zero of={MEMORY}/filler bs=4k", check=False)
        for each in made:
            assert sweep(*each.words).returncode == 70
        assert world.delivered() == {} and quarantined() == {}
    finally:
        run("umount", MEMORY)
    with Server() as server:
        finish(made)
    count_of(server, made)
