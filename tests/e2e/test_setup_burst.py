"""A gate of its own keeps the administrators' sshd out of what agents do: a fleet that comes at once through the port that
`setup --own-port --agents` has sized loses nothing, and an administrator logs in on port 22 meanwhile, at the first try.

As far as the kernel lets a test do it, the processor is shared as it would be: the own gate has the CPUWeight= of its unit,
the administrators' sshd the default; the agents, which are other machines, have no more than the gate."""

import contextlib
import json
import pathlib
import re
import socket
import threading
import time

import fleet
import pytest
from cpu_share import DEFAULT_WEIGHT, cpu_share
from world import SSHD, Client, Daemon, port_answers, wait_for

AGENTS = 300
KEYS = 20                       # each sends for AGENTS / KEYS agents
OWN_PORT = 2022
ADMIN_PORT = 22
UNIT = pathlib.Path("/etc/systemd/system/pandora-gate-sshd.service")
# Where agents wait for a peer's next step, a client that says nothing does so as well.
SILENT = 150
TRIES = 5


class Servers:
    def __init__(self, gate, administrators, log):
        self.gate, self.administrators, self.log = gate, administrators, log

    def has_turned_away(self):
        return "MaxStartups" in self.log.read_text()


class Port:
    def __init__(self, port):
        self.port = port


@contextlib.contextmanager
def daemon(argv, port):
    started = Daemon(*argv)
    try:
        assert wait_for(lambda: port_answers(port)), argv
        yield started
    finally:
        started.stop()


def weight_of_the_unit():
    return int(re.search(r"^CPUWeight=(\d+)$", UNIT.read_text(), re.M)[1])


@pytest.fixture
def two_servers(world):
    """setup's own gate, started as its unit does it, and the administrators' sshd on port 22."""
    log = world.dir / "sshd-admin.log"
    wanted = ("setup", "--own-port", str(OWN_PORT), "--agents", str(AGENTS))
    # What other tests left in the account's group, and jobs of at: each by its name.
    lives = json.loads(world.gate(*wanted, "--json").stdout)["lives"]
    yes = [word for life in lives if life["breaks"] for word in ("--yes-break", life["name"])]
    assert "member:badmember" in yes
    world.gate(*wanted, *yes, "--apply")
    try:
        own = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.M)[1].split()
        with daemon(own, OWN_PORT) as gate, daemon((SSHD, "-D", "-E", log), ADMIN_PORT) as administrators:
            yield Servers(gate.process.pid, administrators.process.pid, log)
    finally:
        world.gate("setup", "--remove")


@pytest.fixture
def admin(world):
    key = world.new_key("admin")
    world.authorize("admina", f"{key}.pub")
    return Client(Port(ADMIN_PORT), "admina", key)


class Administrator(threading.Thread):
    """Logs in again and again until told to stop."""

    def __init__(self, client, join):
        super().__init__()
        self.client, self.join_share = client, join
        self.ends, self.statuses, self.seconds = threading.Event(), [], []

    def run(self):
        self.join_share(threading.get_native_id())
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
    weight = weight_of_the_unit()
    with cpu_share(weight) as gate, cpu_share(weight) as others, cpu_share(DEFAULT_WEIGHT) as administrators:
        gate(two_servers.gate)
        administrators(two_servers.administrators)
        with Administrator(admin, administrators) as administrator:
            others(threading.get_native_id())           # what this thread starts
            start = fleet.start_all(agents)
            fleet.serve(agents)
            seconds = time.monotonic() - start
    assert wait_for(lambda: not world.drops_running(), 30)
    told, lost, doubled, partial = fleet.judge(agents, world.delivered())
    print(f"{AGENTS} agents in {seconds:.0f} s; {len(administrator.statuses)} logins of the administrator meanwhile, median "
          f"{middle(administrator.seconds) * 1000:.0f} ms, {middle(quiet) * 1000:.0f} ms without agents")
    assert (lost, doubled, partial) == ([], [], [])
    more_than_one_try = [a.said for a in agents if a.said[0][0] != 0]
    assert (len(told), more_than_one_try) == (AGENTS, [])
    assert len(world.delivered()) == AGENTS * fleet.PACKETS
    assert set(administrator.statuses) == {0}
    assert not two_servers.has_turned_away()


def test_who_stays_at_the_gate_locks_no_administrator_out(two_servers, admin):
    with silent_clients(OWN_PORT):
        assert [admin.ssh("true").returncode for _ in range(TRIES)] == [0] * TRIES
    # The control: the same at the administrators' own port.
    with silent_clients(ADMIN_PORT):
        assert wait_for(two_servers.has_turned_away)
        assert 255 in [admin.ssh("true").returncode for _ in range(TRIES)]
