"""A gate of its own keeps the administrators' sshd out of what agents do: a fleet that comes at once through the port that
`setup --own-port --agents` has sized loses nothing, and an administrator logs in on port 22 meanwhile, at the first try."""

import contextlib
import pathlib
import re
import socket
import threading
import time

import fleet
import pytest
from world import SSHD, Client, Daemon, port_answers, wait_for

AGENTS = 300
KEYS = 20                       # each sends for AGENTS / KEYS agents
OWN_PORT = 2222
ADMIN_PORT = 22
UNIT = pathlib.Path("/etc/systemd/system/pandora-gate-sshd.service")
# Where agents wait for a peer's next step, a client that says nothing does so as well.
SILENT = 150
TRIES = 5


class Port:
    def __init__(self, port):
        self.port = port


@contextlib.contextmanager
def daemon(argv, port):
    started = Daemon(*argv)
    try:
        assert wait_for(lambda: port_answers(port)), argv
        yield
    finally:
        started.stop()


@pytest.fixture
def two_servers(world):
    """setup's own gate, started as its unit does it, and the administrators' sshd on port 22. Gives the latter's log."""
    log = world.dir / "sshd-admin.log"
    world.gate("setup", "--own-port", str(OWN_PORT), "--agents", str(AGENTS), "--apply")
    try:
        own = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.M)[1].split()
        with daemon(own, OWN_PORT), daemon((SSHD, "-D", "-E", log), ADMIN_PORT):
            yield log
    finally:
        world.gate("setup", "--remove")


@pytest.fixture
def admin(world):
    key = world.new_key("admin")
    world.authorize("admina", f"{key}.pub")
    return Client(Port(ADMIN_PORT), "admina", key)


class Administrator(threading.Thread):
    """Logs in again and again until told to stop."""

    def __init__(self, client):
        super().__init__()
        self.client, self.ends, self.statuses, self.seconds = client, threading.Event(), [], []

    def run(self):
        while not self.ends.is_set():
            start = time.monotonic()
            self.statuses.append(self.client.ssh("true").returncode)
            self.seconds.append(time.monotonic() - start)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()


def middle(values):
    return sorted(values)[len(values) // 2]


@contextlib.contextmanager
def silent_clients(port):
    """Connections that never log in; those that sshd turns away are the point."""
    found = [socket.create_connection(("127.0.0.1", port)) for _ in range(SILENT)]
    try:
        yield
    finally:
        for one in found:
            one.close()


@pytest.mark.timeout(420)
def test_300_agents_at_once_and_an_administrator(world, two_servers, admin, tmp_path):
    each = AGENTS // KEYS
    keys = [world.enrol(f"burst-{k}", *(f"burst-{n}" for n in range(k * each, (k + 1) * each))) for k in range(KEYS)]
    agents = [fleet.Agent(tmp_path, n, Client(Port(OWN_PORT), "pandora", keys[n // each], options=fleet.OPTIONS))
              for n in range(AGENTS)]
    assert admin.ssh("true").returncode == 0
    quiet = []
    for _ in range(TRIES):
        start = time.monotonic()
        assert admin.ssh("true").returncode == 0
        quiet.append(time.monotonic() - start)
    with Administrator(admin) as administrator:
        start = fleet.start_all(agents)
        fleet.serve(agents)
        seconds = time.monotonic() - start
    assert wait_for(lambda: not world.drops_running(), 30)
    told, lost, doubled, partial = fleet.judge(agents, world.delivered())
    print(f"{AGENTS} agents in {seconds:.0f} s; {len(administrator.statuses)} logins of the administrator meanwhile, median "
          f"{middle(administrator.seconds) * 1000:.0f} ms, {middle(quiet) * 1000:.0f} ms without agents")
    assert (lost, doubled, partial) == ([], [], [])
    assert len(told) == AGENTS and max(len(a.said) for a in agents) == 1, "each at its first try"
    assert len(world.delivered()) == AGENTS * fleet.PACKETS
    assert set(administrator.statuses) == {0}
    assert "MaxStartups" not in two_servers.read_text()


def test_who_stays_at_the_gate_locks_no_administrator_out(two_servers, admin):
    with silent_clients(OWN_PORT):
        assert [admin.ssh("true").returncode for _ in range(TRIES)] == [0] * TRIES
    # The control: the same at the administrators' own port.
    with silent_clients(ADMIN_PORT):
        assert wait_for(lambda: "MaxStartups" in two_servers.read_text())
        assert 255 in [admin.ssh("true").returncode for _ in range(TRIES)]
