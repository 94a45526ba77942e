"""Complete, or not there at all: what a reader of data_in sees, and what hard ends of either side leave behind."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree

import paramiko
import pytest
from world import DATA_IN, SERVER_PATTERN, STAGING, policy, wait_for

STOCK_DATA_IN = pathlib.Path("/var/spool/stocka/data_in")


class Poller:
    """The Pandora server: takes what matches, opens and parses it at once, removes it."""

    def __init__(self, directory):
        self.directory = directory
        self.whole, self.torn = [], []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.look()

    def run(self):
        while not self.stopping.is_set():
            self.look()

    def look(self):
        for entry in os.scandir(self.directory):
            if not SERVER_PATTERN.match(entry.name) or not entry.is_file():
                continue
            path = pathlib.Path(entry.path)
            try:
                ElementTree.fromstring(path.read_bytes())
                self.whole.append(entry.name)
            except ElementTree.ParseError:
                self.torn.append(entry.name)
            path.unlink()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_a_polling_server_never_sees_a_torn_file(world, gate, stock, packet, options):
    files = [packet(f"test.{n}.data", 20_000 + 500 * n) for n in range(200)]
    with Poller(DATA_IN) as poller:
        done = gate.scp(*files, options=options, timeout=120)
    assert done.returncode == 0, done.stderr
    assert poller.torn == []
    assert sorted(poller.whole) == sorted(f.name for f in files)
    # The control: the same reader against stock scp.
    with Poller(STOCK_DATA_IN) as poller:
        stock.scp(*files, to=STOCK_DATA_IN, options=options, timeout=120)
    print(f"torn files seen: gate 0 of 200, stock scp {len(poller.torn)} of 200")
    assert poller.torn


class HalfSent:
    """A legacy upload that stops in the middle: the header, and half of the bytes."""

    def __init__(self, client, name, size=100_000, target=DATA_IN):
        self.process = subprocess.Popen(client.ssh_argv(f"{client.user}@{client.host}", "scp", "-t", str(target)),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.acks = self.process.stdout.read(1)
        self.process.stdin.write(f"C0644 {size} {name}\n".encode())
        self.process.stdin.flush()
        self.acks += self.process.stdout.read(1)
        self.process.stdin.write(b"x" * (size // 2))
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def stock_half_file(stock):
    """The control: what is there while, and after, a stock upload is cut in the middle."""
    with HalfSent(stock, "test.9.data", target=STOCK_DATA_IN) as half:
        assert half.acks == b"\0\0"
        path = STOCK_DATA_IN / "test.9.data"
        assert wait_for(lambda: path.exists() and path.stat().st_size > 0, 5)
    time.sleep(0.3)
    left = path.exists()
    path.unlink(missing_ok=True)
    return left


def test_killed_client_leaves_nothing(world, gate, stock):
    mark = world.mark()
    with HalfSent(gate, "test.1.data") as half:
        assert half.acks == b"\0\0"
        assert world.drops_running()
    assert wait_for(lambda: not world.drops_running())
    assert world.delivered() == {}
    assert list(STAGING.iterdir()) == []
    aborted = world.events_since(mark, "drop.aborted", file="test.1.data")
    assert aborted and aborted[0]["reason"] == "transfer.incomplete"
    assert stock_half_file(stock), "the control left nothing either"


@pytest.mark.parametrize("which", ["publisher", "front", "both"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_killed_drop_leaves_nothing(world, gate, which, number):
    mark = world.mark()
    with HalfSent(gate, "test.2.data") as half:
        assert half.acks == b"\0\0"
        publisher, front = sorted(world.drops_running())
        for pid in {"publisher": [publisher], "front": [front], "both": [publisher, front]}[which]:
            with contextlib.suppress(ProcessLookupError):   # the front goes with its publisher
                os.kill(pid, number)
        assert half.process.wait(10) != 0
    assert wait_for(lambda: not world.drops_running())
    assert world.delivered() == {}
    assert list(STAGING.iterdir()) == []
    if number != signal.SIGKILL or which == "front":
        assert world.events_since(mark, "drop.aborted", file="test.2.data")
        assert world.events_since(mark, "session.summary")


def test_killed_drop_with_named_staging_leaves_nothing_in_data_in(world, gate, packet):
    """The fallback's named file stays in the staging directory, and is removed by the next session."""
    with policy(world, spool={"staging_method": "named"}):
        with HalfSent(gate, "test.3.data") as half:
            assert half.acks == b"\0\0"
            assert len(list(STAGING.iterdir())) == 1
            # A second session must not take the file of a living one for a left-over.
            assert gate.scp(packet("test.4.data")).returncode == 0
            assert len(list(STAGING.iterdir())) == 1
            for pid in world.drops_running():
                os.kill(pid, signal.SIGKILL)
        assert wait_for(lambda: not world.drops_running())
        assert list(world.delivered()) == ["test.4.data"]
        assert len(list(STAGING.iterdir())) == 1
        mark = world.mark()
        assert gate.scp(packet("test.5.data")).returncode == 0
        assert list(STAGING.iterdir()) == []
        assert world.events_since(mark, "session.summary", leftovers_removed=1)


@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_named_staging_delivers_the_same(world, gate, packet, options):
    with policy(world, spool={"staging_method": "named"}):
        path = packet("test.6.data", 50_000)
        first = path.read_bytes()
        assert gate.scp(path, options=options).returncode == 0
        path = packet("test.6.data", 60_000)
        assert gate.scp(path, options=options).returncode == 0
        assert sorted(len(b) for b in world.delivered().values()) == [50_000, 60_000]
        assert world.delivered()["test.6.data"] == first
        assert (DATA_IN / "test.6.data").stat().st_mode & 0o7777 == 0o660
        assert list(STAGING.iterdir()) == []


@pytest.mark.timeout(300)
def test_killed_at_random_moments(world, gate, packet):
    """kill -9 of everything at 40 random moments of a stream of files: what is there is whole."""
    rng = random.Random(4)
    files = [packet(f"test.{n}.data", 30_000 + n) for n in range(300)]
    contents = {f.name: f.read_bytes() for f in files}
    delivered = killed = 0
    for _ in range(40):
        world.clear()
        process = subprocess.Popen(gate.scp_argv(*files, options=rng.choice([["-O"], []])),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        wait_for(world.drops_running, 5)
        time.sleep(rng.random() * 0.15)
        pids = world.drops_running()
        killed += bool(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(30)
        wait_for(lambda: not world.drops_running())
        for name, content in world.delivered().items():
            assert content == contents[name]
            delivered += 1
    print(f"killed {killed} of 40 sessions; {delivered} files were whole, 0 partial")
    assert killed >= 20 and delivered >= 20


def paramiko_client(world, gate):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(gate.host, port=gate.sshd.port, username="pandora", key_filename=str(world.key), look_for_keys=False,
                   allow_agent=False)
    return client


def test_sftp_upload_that_is_never_closed(world, gate):
    mark = world.mark()
    client = paramiko_client(world, gate)
    sftp = client.open_sftp()
    file = sftp.open(f"{DATA_IN}/test.7.data", "w")
    file.write(b"x" * 5000)
    file.flush()
    assert sftp.stat(f"{DATA_IN}/test.7.data").st_size == 5000
    assert world.delivered() == {}
    client.get_transport().sock.close()
    assert wait_for(lambda: not world.drops_running())
    assert world.delivered() == {}
    assert world.events_since(mark, "drop.aborted", file="test.7.data", reason="transfer.aborted")


def test_sftp_hole_is_no_file(world, gate):
    mark = world.mark()
    with paramiko_client(world, gate) as client:
        sftp = client.open_sftp()
        file = sftp.open(f"{DATA_IN}/test.8.data", "w")
        file.seek(4000)
        file.write(b"x" * 1000)
        file.close()  # paramiko does not look at the answer; the stat that its put() sends afterwards is how it hears
        with pytest.raises(FileNotFoundError):
            sftp.stat(f"{DATA_IN}/test.8.data")
    assert world.delivered() == {}
    assert world.events_since(mark, "drop.aborted", file="test.8.data", reason="transfer.incomplete")


def test_idle_and_session_timeouts(world, gate):
    with policy(world, drop={"idle_timeout": "1s", "session_timeout": "3s"}):
        mark = world.mark()
        start = time.monotonic()
        with HalfSent(gate, "test.1.data") as half:
            assert half.process.wait(10) == 1
            assert time.monotonic() - start < 6
            assert b"idle_timeout" in half.process.stdout.read()
        assert world.events_since(mark, "drop.aborted", reason="time.idle")
        # One byte every 0.5 s is not idle; the session as a whole is limited.
        start = time.monotonic()
        with HalfSent(gate, "test.2.data") as half:
            while half.process.poll() is None and time.monotonic() - start < 15:
                try:
                    half.process.stdin.write(b"x")
                    half.process.stdin.flush()
                except BrokenPipeError:
                    break
                time.sleep(0.5)
            assert half.process.wait(10) == 1
            assert 2 < time.monotonic() - start < 8
        assert world.events_since(mark, "drop.aborted", reason="time.session")
    assert world.delivered() == {}
