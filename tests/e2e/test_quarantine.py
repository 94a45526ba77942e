"""The quarantine: who can see it, how full it gets, and how a human takes packets out of it."""

import json
import os
import stat
import subprocess
import time

import pytest
from world import DATA_IN, MEMORY, QUARANTINE, STAGING, policy

DOCTYPE = b"<!DOCTYPE agent_data><agent_data agent_name='test'><module/></agent_data>"


@pytest.fixture
def bad(world, gate, tmp_path):
    """bad(n): sends the n-th packet that goes to quarantine; gives its id there."""
    def send(n=1, content=DOCTYPE, agent="test", client=gate):
        path = tmp_path / f"{agent}.{n}.data"
        path.write_bytes(content + b" " * n)
        mark = world.mark()
        assert client.scp(path).returncode == 0
        return world.events_since(mark, "drop.quarantined")[0]["quarantine"]
    return send


def listed(world):
    done = world.gate("quarantine", "list", "--json", check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (3 if found else 0), done.stderr
    return found


def test_list_show_release(world, gate, bad):
    assert listed(world) == []
    first, second = bad(1), bad(2)
    found = listed(world)
    assert len(found) == 2
    assert {f.get("quarantine") or f.get("id") for f in found} == {first, second}
    table = world.gate("quarantine", "list", check=False)
    assert table.returncode == 3 and first[:12] in table.stdout
    shown = world.gate("quarantine", "show", first).stdout
    for part in (first, "test.1.data", "content.doctype", "DOCTYPE"):
        assert part in shown
    raw = subprocess.run(["/usr/sbin/pandora-gate", "quarantine", "show", first, "--raw"], capture_output=True, check=True)
    assert raw.stdout == DOCTYPE + b" "
    mark = world.mark()
    world.gate("quarantine", "release", first)
    assert world.delivered() == {"test.1.data": DOCTYPE + b" "}
    info = os.stat(DATA_IN / "test.1.data")
    import pwd
    assert info.st_uid == pwd.getpwnam("pandora").pw_uid and stat.S_IMODE(info.st_mode) == 0o660
    event = world.events_since(mark, "quarantine.released")[0]
    assert event["operator"] == "root" and event["file"] == "test.1.data" and event["rule"] == "content.doctype"
    assert len(listed(world)) == 1
    assert world.gate("quarantine", "release", first, check=False).returncode == 1
    assert list(STAGING.iterdir()) == []


def test_release_is_held_against_the_other_rules(world, gate, bad):
    """Less the rule that failed, and no other: a DOCTYPE was released, but it names another agent as well."""
    quarantine = bad(1, b"<!DOCTYPE agent_data><agent_data agent_name='stranger'/>")
    done = world.gate("quarantine", "release", quarantine, check=False)
    assert done.returncode != 0 and done.stderr.count("\n") == 1
    assert world.delivered() == {} and len(listed(world)) == 1


def test_release_rebind(world, bad):
    key = world.enrol("rebind", "test")
    client = world.client(key)
    quarantine = bad(1, b"<agent_data agent_name='moved01'/>", client=client)
    world.gate("quarantine", "release", quarantine, "--rebind")
    assert len(world.delivered()) == 1
    shown = json.loads(world.gate("keys", "list", "--json").stdout)
    mine = next(k for k in shown if any(a["name"] == "moved01" for a in k["agents"]))
    assert {a["name"] for a in mine["agents"]} == {"test", "moved01"}
    world.gate("keys", "revoke", mine["id"], "--reason", "end of the test")


def test_a_packet_that_was_changed_is_not_released(world, bad):
    quarantine = bad(1)
    path = QUARANTINE / f"{quarantine}.packet"
    path.write_bytes(b"<agent_data agent_name='test'/>")
    done = world.gate("quarantine", "release", quarantine, check=False)
    assert done.returncode == 65
    assert world.delivered() == {}


def test_purge(world, bad):
    ids = [bad(n) for n in range(3)]
    world.gate("quarantine", "purge")       # nothing is old
    assert len(listed(world)) == 3
    mark = world.mark()
    world.gate("quarantine", "purge", ids[0])
    assert len(listed(world)) == 2
    assert world.events_since(mark, "quarantine.purged")
    with policy(world, quarantine={"max_age": "1s"}):
        time.sleep(2.1)
        world.gate("quarantine", "purge")
    assert listed(world) == [] and list(QUARANTINE.iterdir()) == []


def test_the_account_can_neither_list_nor_read_it(world, bad):
    quarantine = bad(1)
    as_account = ["setpriv", "--reuid=pandora", "--regid=pandora", "--init-groups"]
    assert subprocess.run([*as_account, "ls", QUARANTINE], capture_output=True).returncode != 0
    assert subprocess.run([*as_account, "cat", QUARANTINE / f"{quarantine}.packet"], capture_output=True).returncode != 0
    # The control: what is delivered it can read, and root can list.
    assert subprocess.run([*as_account, "ls", DATA_IN], capture_output=True).returncode == 0
    assert subprocess.run(["ls", QUARANTINE], capture_output=True).returncode == 0
    info = os.stat(QUARANTINE)
    assert info.st_uid == 0 and stat.S_IMODE(info.st_mode) == 0o1730


def test_a_full_quarantine_refuses_and_good_packets_go_on(world, gate, packet, bad, tmp_path):
    with policy(world, drop={"max_file_size": 3500}, quarantine={"max_size": 17_000}, audit={"repeat_window": 0}):
        bad(1)
        bad(2)
        path = tmp_path / "test.3.data"
        path.write_bytes(DOCTYPE + b"   ")
        mark = world.mark()
        assert gate.scp(path, options=["-O"]).returncode == 1
        assert gate.scp(path).returncode == 1
        assert world.events_since(mark, "drop.refused", reason="quarantine.full")
        assert len(listed(world)) == 2
        assert gate.scp(packet("test.4.data")).returncode == 0
        world.gate("quarantine", "purge", "--all")
        assert gate.scp(path).returncode == 0
        assert len(listed(world)) == 1


def test_the_sum_is_set_right_when_root_looks(world, gate, bad, tmp_path):
    """A count that is too high - a session was killed in between - refuses until then, never the other way."""
    with policy(world, drop={"max_file_size": 3500}, quarantine={"max_size": 17_000}, audit={"repeat_window": 0}):
        for n in range(2):
            os.unlink(QUARANTINE / f"{bad(n)}.packet")
        path = tmp_path / "test.7.data"
        path.write_bytes(DOCTYPE + b"       ")
        assert gate.scp(path).returncode == 1
        time.sleep(0.1)
        for left in QUARANTINE.iterdir():
            os.utime(left, (1, 1))
        world.gate("publish")
        assert gate.scp(path).returncode == 0
    assert (MEMORY / "quarantine").exists()
