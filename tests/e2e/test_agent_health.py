"""`agent NAME`: what an administrator asks first when an agent is grey. Each state is made for real, and is the exit status."""

import json

import packets
import pytest
from world import MEMORY, policy, wait_for

@pytest.fixture(scope="module")
def own(world_of_session):
    """Keys of agents that are nobody else's: agent -> private key."""
    world, made = world_of_session, {}
    for agent in ("grey01", "grey02", "grey03", "grey04", "edge-*"):
        name = agent.replace("*", "x")
        made[agent] = world.new_key(f"health-{name}")
        world.gate("keys", "add", f"{made[agent]}.pub", "--agent", agent, "--id", f"health-{name}")
    yield made
    for agent in made:
        world.gate("keys", "remove", f"health-{agent.replace('*', 'x')}", "--reason", "the test is over", "--force", check=False)


def health(world, name, *options):
    done = world.gate("agent", name, "--json", *options, check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == {"healthy": 0, "warning": 1, "broken": 2}[answer["health"]]
    return answer


def send(world, key, tmp_path, file, agent, n=1):
    path = tmp_path / file
    path.write_bytes(packets.make(agent, 3000 + n))
    mark = world.mark()
    done = world.client(key).scp(path, options=["-O"])
    world.events_since(mark, "session.closed")
    return done.returncode


def test_a_life(world, own, tmp_path):
    key = own["grey01"]
    answer = health(world, "grey01")
    assert answer["health"] == "warning" and answer["last_drop"] is None and answer["last_login"] is None
    assert [f["what"] for f in answer["findings"]] == ["no drop is known"]

    assert send(world, key, tmp_path, "grey01.1.data", "grey01") == 0
    answer = health(world, "grey01")
    assert (answer["health"], answer["findings"]) == ("healthy", [])
    assert answer["last_login"]["address"] == "127.0.0.1"
    assert answer["last_drop_event"]["file"] == "grey01.1.data"
    assert (answer["keys"][0]["files"], answer["keys"][0]["bytes"]) == (1, 3001)
    assert answer["keys"][0]["state"] == "active"

    # Refused after its last drop: broken, with the remedy of the rule.
    assert send(world, key, tmp_path, "stranger.1.data", "stranger") == 1
    answer = health(world, "grey01")
    assert answer["health"] == "broken"
    assert answer["last_refusal"]["rule"] == "agent.name"
    assert answer["findings"][0]["remedy"] == answer["last_refusal"]["remedy"] != ""
    assert "ask the administrator to add the agent" in world.gate("agent", "grey01", check=False).stdout

    # It delivers again: the refusal is still told, and is no trouble any more.
    assert send(world, key, tmp_path, "grey01.2.data", "grey01", 2) == 0
    answer = health(world, "grey01")
    assert answer["health"] == "healthy" and answer["last_refusal"]["rule"] == "agent.name"


def test_quarantine_and_mismatch(world, own, tmp_path):
    key = own["grey02"]
    assert send(world, key, tmp_path, "grey02.1.data", "grey02") == 0
    assert send(world, key, tmp_path, "grey02.2.data", "somebody", 2) == 0
    answer = health(world, "grey02")
    assert answer["health"] == "warning"
    assert (answer["mismatches"], len(answer["quarantined"])) == (1, 1)
    listed = json.loads(world.gate("quarantine", "list", "--json", check=False).stdout)
    assert answer["quarantined"] == [e["quarantine"] for e in listed]


def test_keys(world, own, tmp_path):
    assert send(world, own["grey03"], tmp_path, "grey03.1.data", "grey03") == 0
    assert health(world, "grey03")["health"] == "healthy"
    world.gate("keys", "set", "health-grey03", "--expires", "20d")
    answer = health(world, "grey03")
    assert answer["health"] == "warning" and "expires on" in answer["findings"][0]["what"]
    world.gate("keys", "set", "health-grey03", "--expires", "40d")
    assert health(world, "grey03")["health"] == "healthy"
    world.gate("keys", "disable", "health-grey03", "--reason", "in repair")
    answer = health(world, "grey03")
    assert (answer["health"], answer["findings"][0]["what"]) == ("broken", "no key is active")
    world.gate("keys", "enable", "health-grey03", "--reason", "repaired")
    assert health(world, "grey03")["health"] == "healthy"


def test_a_login_that_is_refused(world, own, tmp_path):
    assert send(world, own["grey04"], tmp_path, "grey04.1.data", "grey04") == 0
    world.gate("keys", "disable", "health-grey04", "--reason", "in repair")
    mark = world.mark()
    assert world.client(own["grey04"]).ssh("exit").returncode != 0
    assert world.events_since(mark, "key.refused")
    answer = health(world, "grey04")
    assert answer["last_refusal"]["event"] == "key.refused" and answer["last_refusal"]["rule"] == "key.disabled"


def test_a_pattern_and_one_agent_of_several(world, own, tmp_path):
    """What a broker sends for one agent is no news of another."""
    key = own["edge-*"]
    assert send(world, key, tmp_path, "edge-7.1.data", "edge-7") == 0
    answer = health(world, "edge-7")
    assert answer["health"] == "healthy" and answer["keys"][0]["agent"] == "edge-*"
    answer = health(world, "edge-8")
    assert answer["last_drop"] is None and answer["health"] == "warning"


def test_silence(world, own, tmp_path):
    assert send(world, own["grey03"], tmp_path, "grey03.9.data", "grey03", 9) == 0
    assert wait_for(lambda: health(world, "grey03", "--silent-for", "1s")["health"] == "warning", 20)
    answer = health(world, "grey03", "--silent-for", "1s")
    assert answer["findings"][0]["what"].startswith("no drop since ")


def test_by_the_memory_where_the_audit_is_gone(world, own, tmp_path):
    assert send(world, own["grey03"], tmp_path, "grey03.8.data", "grey03", 8) == 0
    answer = health(world, "grey03", "--audit-file", "/nowhere/audit.jsonl")
    assert answer["health"] == "healthy" and answer["last_drop"] and answer["last_drop_event"] is None


def test_only_looks(world, own, tmp_path):
    assert send(world, own["grey03"], tmp_path, "grey03.7.data", "grey03", 7) == 0
    with policy(world, quota={"files": 5}):
        before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in MEMORY.iterdir()}
        mark = world.mark()
        for name in ("grey01", "grey03", "grey04"):
            answer = health(world, name)
            assert answer["keys"][0]["quota_files"] == 5
        assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in MEMORY.iterdir()} == before
        assert world.mark() == mark


def test_nobody_knows_it(world, own):
    done = world.gate("agent", "grey1", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('pandora-gate: no key may send for an agent "grey1"; did you mean "grey01"')
    done = world.gate("agent", "nothing-like-it", check=False)
    assert done.returncode == 1 and "keys list" in done.stderr
