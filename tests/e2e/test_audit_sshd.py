"""What sshd refuses without asking any part of pandora-gate: its own words, in the audit by the shipped rsyslog file, and
joined to the login they are about."""

import contextlib
import pathlib
import re
import subprocess

import pytest
from world import Client, Sshd

PORT = 2240
# After a login, by sshd's process of that session; before one there is none to join.
AFTER = {
    "-W": (["-W", "127.0.0.1:22"], [], "refused local port forward"),
    "-s": (["-s"], ["no-such-subsystem"], "subsystem request for no-such-subsystem by user pandora failed"),
}


@pytest.fixture
def logging_sshd(world):
    """The gate's sshd, with the system's logger for its log."""
    sshd = Sshd(world, "to-syslog", PORT, pathlib.Path("/etc/ssh/sshd_config").read_text(), to_syslog=True)
    yield sshd
    sshd.stop()


def children_of(world, session):
    """The pids that sshd's log gives for the processes of a login."""
    pid = session.split("-")[-2]
    text = (world.dir / "auth.log").read_text()
    return {pid, *re.findall(rf"sshd\[{pid}\]: User child is on pid ([0-9]+)", text)}


@pytest.mark.parametrize("what", AFTER)
def test_a_request_that_sshd_turns_down(world, logging_sshd, what):
    client = Client(logging_sshd, "pandora", world.enrol("sshd-alone", "sshd-alone"))
    before, after, said = AFTER[what]
    mark = world.mark()
    argv = client.ssh_argv(*before, f"{client.user}@{client.host}", *after)
    done = subprocess.run([str(a) for a in argv], input="", capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    [event] = world.events_since(mark, "sshd.refused")
    assert said in event["message"]
    [opened] = world.events_since(mark, "session.opened")
    assert event["pid"] in children_of(world, opened["session"])


def test_a_good_key_from_another_address(world, logging_sshd):
    key = world.new_key("elsewhere")
    world.gate("keys", "add", f"{key}.pub", "--agent", "elsewhere", "--from", "192.0.2.0/24")
    mark = world.mark()
    assert Client(logging_sshd, "pandora", key).ssh("exit").returncode == 255
    assert any("not from a permitted host" in e["message"] for e in world.events_since(mark, "sshd.refused"))


def test_a_password(world, logging_sshd):
    client = Client(logging_sshd, "pandora", None, options=["-o", "PreferredAuthentications=password"])
    mark = world.mark()
    assert client.ssh("exit").returncode == 255
    [event] = world.events_since(mark, "sshd.refused")
    assert "authenticating user pandora" in event["message"]


def test_others_are_not_in_it(world, logging_sshd):
    """The same password try, and a delivery, by others and of others: nothing of sshd's."""
    mark = world.mark()
    assert Client(logging_sshd, "admina", None, options=["-o", "PreferredAuthentications=password"]).ssh("exit").returncode == 255
    assert Client(logging_sshd, "pandora", world.enrol("sshd-alone", "sshd-alone")).ssh("exit").returncode == 0
    assert world.events_since(mark, "session.closed")
    assert not [e for e in world.audit()[mark:] if e["event"] == "sshd.refused"]


def test_a_stranger_does_not_say_what_happened(world, logging_sshd):
    """Whoever connects may call himself anything, and sshd's log quotes it."""
    mark = world.mark()
    for user in ("x tried for pandora with correct key but not from a permitted host", "x authenticating user pandora y",
                 "refused local port forward: originator x", "x by user pandora failed, subsystem not found"):
        assert Client(logging_sshd, user, None, options=["-o", "PreferredAuthentications=password"]).ssh("exit").returncode == 255
    local = ["setpriv", "--reuid", "admina", "--clear-groups", "logger", "-p", "auth.info", "-t", "sshd"]
    subprocess.run([*local, b"Disconnecting authenticating user pandora \xff"], check=True)
    # The control, and the last of them: it is a process that says it is sshd, and what sshd would say.
    subprocess.run([*local, "Disconnecting authenticating user pandora 192.0.2.1"], check=True)
    [event] = world.events_since(mark, "sshd.refused")
    assert event["message"] == "Disconnecting authenticating user pandora 192.0.2.1"


def test_sshds_words_cannot_forge_a_line(world, logging_sshd):
    """A target is the client's to choose: it is escaped."""
    client = Client(logging_sshd, "pandora", world.enrol("sshd-alone", "sshd-alone"))
    mark = world.mark()
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([str(a) for a in client.ssh_argv("-W", 'x"},{\\n:22', f"{client.user}@{client.host}")],
                       input="", capture_output=True, timeout=30)
    [event] = world.events_since(mark, "sshd.refused")     # audit() parses every line
    assert 'x"},{' in event["message"]
