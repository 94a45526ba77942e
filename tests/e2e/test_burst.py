"""A whole fleet on one clock: 500 logins within two seconds, through a real sshd with the drop-in as it is shipped."""

import collections
import re
import time

import fleet
import pytest
from world import SSHD_DROP_IN, TREE, wait_for

SESSIONS = 500
KEYS = 20                       # each sends for SESSIONS / KEYS agents, as a broker does


@pytest.fixture
def keys(world):
    each = SESSIONS // KEYS
    return [world.enrol(f"burst-{k}", *(f"burst-{n}" for n in range(k * each, (k + 1) * each))) for k in range(KEYS)]


@pytest.mark.timeout(420)
def test_500_logins_within_two_seconds(world, keys, tmp_path):
    assert SSHD_DROP_IN.read_bytes() == (TREE / "conf/sshd_config.d/00-pandora-gate.conf").read_bytes()
    agents = [fleet.Agent(tmp_path, n, world.client(keys[n * KEYS // SESSIONS], options=fleet.OPTIONS)) for n in range(SESSIONS)]
    log_before = len(world.sshd.text())
    start = fleet.start_all(agents)
    fleet.serve(agents)
    seconds = time.monotonic() - start
    failures = collections.Counter(said for agent in agents for said in agent.said[:-1])
    tries = collections.Counter(len(agent.said) for agent in agents)
    dropped = len(re.findall(r"past MaxStartups", world.sshd.text()[log_before:]))
    print(f"{SESSIONS} logins in {seconds:.0f} s; clients by tries: {dict(sorted(tries.items()))}; "
          f"dropped by MaxStartups: {dropped}")
    for (status, text), count in failures.most_common(5):
        print(f"  {count} times status {status}: {text}")

    assert wait_for(lambda: not world.drops_running(), 30)
    found = world.delivered()
    told, lost, doubled, partial = fleet.judge(agents, found)
    assert dropped == 0, "sshd has turned clients away before they could log in"
    assert (lost, doubled, partial) == ([], [], [])
    assert len(told) == SESSIONS
    assert len(found) == SESSIONS * fleet.PACKETS
