"""A key belongs to agents: exact names, MD5 names, patterns; enforce, observe, off; and keys that learn whose they are."""

import hashlib
import json

import pytest
from world import QUARANTINE, policy


def md5(name):
    return hashlib.md5(name.encode()).hexdigest()


@pytest.fixture
def key_of(world):
    """key_of("web1", "--binding", "observe") -> a client with a new key, its id in .key_id."""
    count = iter(range(1000))
    made = []

    def make(*agents, options=()):
        key = world.new_key(f"binding-{len(world.keys)}-{next(count)}-{id(made)}")
        done = world.gate("keys", "add", f"{key}.pub", *(a for agent in agents for a in ("--agent", agent)), *options)
        client = world.client(key)
        client.key_id = done.stdout.split()[1]
        made.append(client.key_id)
        return client
    yield make
    for key_id in made:
        world.gate("keys", "revoke", key_id, "--reason", "end of the test")


@pytest.fixture
def send(tmp_path):
    import packets

    def make(client, file_agent, packet_agent, n=1, size=3000, **kwargs):
        path = tmp_path / f"{file_agent}.{n}.data"
        path.write_bytes(packets.make(packet_agent, size + n))
        return client.scp(path, **kwargs)
    return make


def in_quarantine():
    return sorted(p.name for p in QUARANTINE.iterdir() if p.name.endswith(".packet"))


EXACT = [
    ("web1", "web1", "delivered"), (md5("web1"), "web1", "delivered"),
    ("web1", "web2", "quarantined"), (md5("web1"), "web2", "quarantined"), ("web1", "other", "quarantined"),
    ("other", "other", "refused"), (md5("other"), "other", "refused"), ("web", "web", "refused"),
]


@pytest.mark.parametrize("file_agent, packet_agent, outcome", EXACT)
@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_exact_names(world, key_of, send, file_agent, packet_agent, outcome, options):
    client = key_of("web1", "web2")
    mark = world.mark()
    done = send(client, file_agent, packet_agent, options=options)
    assert done.returncode == (1 if outcome == "refused" else 0)
    assert len(world.delivered()) == (outcome == "delivered")
    assert len(in_quarantine()) == (outcome == "quarantined")
    if outcome == "quarantined":
        assert world.events_since(mark, "drop.quarantined")[0]["packet_agent"] == packet_agent
        assert world.events_since(mark, "agent.mismatch", outcome="quarantined")
    if outcome == "refused":
        assert world.events_since(mark, "drop.refused", reason="agent.name")


PATTERN = [
    ("edge-7", "edge-7", "delivered"), (md5("edge-7"), "edge-7", "delivered"),
    (md5("edge-7"), "edge-8", "quarantined"), ("edge-7", "edge-8", "quarantined"), (md5("core"), "core", "quarantined"),
    ("core", "core", "refused"),
]


@pytest.mark.parametrize("file_agent, packet_agent, outcome", PATTERN)
def test_patterns(world, key_of, send, file_agent, packet_agent, outcome):
    client = key_of("edge-*")
    done = send(client, file_agent, packet_agent)
    assert done.returncode == (1 if outcome == "refused" else 0)
    assert len(world.delivered()) == (outcome == "delivered")
    assert len(in_quarantine()) == (outcome == "quarantined")


@pytest.mark.parametrize("mode", ["observe", "off"])
def test_observe_and_off_deliver(world, key_of, send, mode):
    client = key_of("web1", options=["--binding", mode])
    mark = world.mark()
    for n, (file_agent, packet_agent) in enumerate([("web1", "web2"), ("other", "other"), (md5("other"), "other")]):
        assert send(client, file_agent, packet_agent, n).returncode == 0
    assert len(world.delivered()) == 3 and in_quarantine() == []
    world.events_since(mark, "session.summary", count=3)
    told = world.events_since(mark, "agent.mismatch", seconds=1, count=0)
    assert len(told) == (1 if mode == "observe" else 0)        # once a key and hour
    if told:
        assert told[0]["outcome"] == "delivered" and told[0]["packet_agent"] == "web2"


def test_the_default_of_the_policy(world, key_of, send):
    client = key_of("web1")
    assert send(client, "web1", "web2").returncode == 0
    assert len(in_quarantine()) == 1
    for n, mode in enumerate(("observe", "off"), 2):
        with policy(world, binding={"default": mode}):
            assert send(client, "web1", "web2", n).returncode == 0
    assert len(world.delivered()) == 2 and len(in_quarantine()) == 1
    # A key's own comes before it.
    strict = key_of("web1", options=["--binding", "enforce"])
    with policy(world, binding={"default": "off"}):
        assert send(strict, "web1", "web2", 9).returncode == 0
    assert len(in_quarantine()) == 2


def test_a_key_without_agents_learns_and_is_bound(world, key_of, send):
    client = key_of()
    mark = world.mark()
    for n in range(2):
        assert send(client, md5("new01"), "new01", n).returncode == 0
    assert json.loads(world.gate("keys", "learned", "--json").stdout)[0].get("proposes") in (None, False, "")
    assert send(client, md5("new01"), "new01", 2).returncode == 0
    assert world.events_since(mark, "agent.proposed", agent="new01")
    assert "new01" in world.gate("keys", "learned").stdout
    # Until it is accepted everything is delivered, and what differs is told.
    assert send(client, "stranger", "stranger", 3).returncode == 0
    assert world.events_since(mark, "agent.mismatch", packet_agent="stranger", outcome="delivered")
    assert len(world.delivered()) == 4
    out = world.gate("keys", "bind", "--learned")
    assert "new01" in out.stdout
    assert send(client, "stranger", "stranger", 4).returncode == 1
    assert send(client, md5("new01"), "new01", 5).returncode == 0
    assert send(client, "new01", "stranger", 6).returncode == 0
    assert len(world.delivered()) == 5 and len(in_quarantine()) == 1


@pytest.mark.parametrize("unbound", ["learn", "allow", "refuse"])
def test_unbound_keys(world, key_of, send, unbound):
    client = key_of()
    mark = world.mark()
    with policy(world, binding={"unbound_keys": unbound}):
        for n in range(3):
            assert send(client, "any", "any", n).returncode == (1 if unbound == "refuse" else 0)
    assert len(world.delivered()) == (0 if unbound == "refuse" else 3)
    if unbound == "refuse":
        assert world.events_since(mark, "drop.refused", reason="agent.unbound")
    world.events_since(mark, "session.summary", count=3)
    assert len(world.events_since(mark, "agent.proposed", seconds=0.5, count=0)) == (1 if unbound == "learn" else 0)


def test_bind_adds_an_agent(world, key_of, send):
    client = key_of("web1")
    assert send(client, "web2", "web2").returncode == 1
    world.gate("keys", "bind", client.key_id, "--agent", "web2")
    assert send(client, "web2", "web2").returncode == 0
    assert send(client, "web1", "web1").returncode == 0
    assert len(world.delivered()) == 2
