"""The shipped pam.d lines under the real sshd: members with an allowed shell, members without, everybody else."""

import contextlib
import pathlib
import subprocess

import pytest
from world import LIBEXEC, TREE, run


@contextlib.contextmanager
def shell_of(user, shell):
    run("usermod", "-s", shell, user)
    try:
        yield
    finally:
        run("usermod", "-s", LIBEXEC / "drop" if user == "pandora" else "/bin/bash", user)


@contextlib.contextmanager
def pam_file(name, change):
    """/etc/pam.d/NAME as change(text) gives it, for the time of the block."""
    path = pathlib.Path("/etc/pam.d") / name
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    try:
        yield
    finally:
        path.write_text(text)


@pytest.fixture
def login(world):
    """login(user): does an ordinary user get a command run through the gate's own sshd?"""
    def attempt(user, host="127.0.0.1"):
        key = world.new_key(f"pam-{user}")
        if user not in world.keys:
            world.authorize(user, f"{key}.pub")
            world.keys[user] = key
        return world.client(key, user=user, host=host).ssh("id -un")
    return attempt


def test_account_with_drop_as_shell_gets_in(world, gate, packet):
    mark = world.mark()
    assert gate.scp(packet("test.1.data")).returncode == 0
    assert world.events_since(mark, "session.opened", user="pandora", service="sshd")


def test_member_with_bash_is_refused_and_the_audit_says_why(world, login):
    mark = world.mark()
    done = login("badmember")
    assert done.returncode == 255
    assert "badmember" not in done.stdout
    refused = world.events_since(mark, "login.refused", user="badmember")
    assert refused and refused[0]["rule"] and refused[0]["remedy"]


def test_member_without_the_pam_lines_gets_a_shell(world, login):
    """The control of the test above: it was the module that refused."""
    path = pathlib.Path("/etc/pam.d/sshd")
    text = path.read_text()
    path.write_text("\n".join(l for l in text.splitlines() if "pam_pandora" not in l) + "\n")
    try:
        done = login("badmember")
        assert (done.returncode, done.stdout) == (0, "badmember\n"), done.stderr
    finally:
        path.write_text(text)


def test_account_with_bash_is_refused_even_with_a_good_key(world, gate, packet):
    with shell_of("pandora", "/bin/bash"):
        assert gate.scp(packet("test.1.data")).returncode != 0
        assert gate.ssh("id").returncode == 255
    assert gate.ssh("exit").returncode == 0


@pytest.fixture
def member(world):
    """A member of the group with an allowed shell; a key of its own stands in its authorized_keys, and nowhere else."""
    if run("id", "byhand", check=False).returncode != 0:
        run("useradd", "-m", "-s", "/usr/sbin/nologin", "-G", "pandora", "byhand")
        run("usermod", "-p", "*", "byhand")
        world.authorize("byhand", f"{world.new_key('byhand')}.pub")
    return world.client(world.new_key("byhand"), user="byhand")


NOLOGIN = "This account is currently not available"


def test_key_written_by_hand_is_refused_and_the_audit_says_which(world, member):
    mark = world.mark()
    done = member.ssh("id")
    assert done.returncode != 0 and NOLOGIN not in done.stdout
    refused = world.events_since(mark, "login.refused", user="byhand", rule="key")
    assert refused and refused[0]["phase"] == "session" and refused[0]["fingerprint"].startswith("SHA256:")
    assert not world.events_since(mark, "session.opened", user="byhand", seconds=0.2)


def test_without_require_key_it_gets_to_its_shell(world, member):
    """The control: the shell, which is nologin, runs."""
    mark = world.mark()
    with pam_file("sshd", lambda text: text.replace(" require_key", "")):
        assert NOLOGIN in member.ssh("id").stdout
    opened = world.events_since(mark, "session.opened", user="byhand")
    assert opened and opened[0]["key_state"] == "unknown"


def test_enrolled_key_of_another_member_passes(world, member):
    """require_key is about the key, not about the account."""
    world.gate("keys", "add", f"{member.key}.pub", "--agent", "byhand")
    mark = world.mark()
    assert NOLOGIN in member.ssh("id").stdout
    key = world.events_since(mark, "session.opened", user="byhand", key_state="active")[0]["key"]
    world.gate("keys", "revoke", key, "--reason", "test")
    mark = world.mark()
    assert NOLOGIN not in member.ssh("id").stdout
    assert "revoked" in world.events_since(mark, "login.refused", user="byhand", rule="key")[0]["reason"]


def services_line(text):
    line = (TREE / "conf/pam.d/pandora-services.snippet").read_text().splitlines()[-1]
    return f"{line}\n{text}"


@pytest.mark.parametrize("command", [["su", "-s", "/bin/sh", "pandora", "-c", "id -un"],
                                     ["su", "-", "-s", "/bin/sh", "pandora", "-c", "id -un"],
                                     ["env", "SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22", "SSH_USER_AUTH=/tmp/x", "su",
                                      "-s", "/bin/sh", "pandora", "-c", "id -un"],
                                     ["login", "-f", "pandora"]], ids=["su", "su-l", "su forged", "login"])
def test_confined_account_is_refused_elsewhere_also_for_root(world, command):
    command = ["script", "-qec", " ".join(f"'{word}'" for word in command), "/dev/null"]     # login wants a terminal
    with shell_of("pandora", "/bin/sh"):
        mark = world.mark()
        with pam_file("common-account", services_line):
            assert run(*command, check=False, stdin=subprocess.DEVNULL, timeout=60).returncode != 0
        refused = world.events_since(mark, "login.refused", user="pandora", rule="services")
        assert refused and refused[0]["phase"] == "account" and refused[0]["service"] in ("su", "su-l", "login")
        # The control: without the line it is a way in.
        mark = world.mark()
        done = run(*command, check=False, stdin=subprocess.DEVNULL, timeout=60)
        assert "refused" not in done.stdout and not world.events_since(mark, "login.refused", seconds=0.2)
        assert command[2].startswith("'login'") or "pandora" in done.stdout


def test_confined_account_and_everybody_else_log_in_as_before(world, gate, login):
    with pam_file("common-account", services_line):
        assert gate.ssh("exit").returncode == 0
        assert login("admina").stdout == "admina\n"
        assert run("su", "admina", "-c", "id -un").stdout == "admina\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_administrator_outside_the_group_is_unaffected(world, login, host):
    mark = world.mark()
    done = login("admina", host)
    assert (done.returncode, done.stdout) == (0, "admina\n"), done.stderr
    assert not [e for e in world.audit()[mark:] if e.get("user") == "admina"]


def test_two_spellings_of_nologin_are_one_file(world):
    """/sbin/nologin and /usr/sbin/nologin: the rule lets both in; what nologin then says is not PAM's business."""
    for spelling in ("/sbin/nologin", "/usr/sbin/nologin"):
        with shell_of("pandora", spelling):
            mark = world.mark()
            done = world.client(world.key).ssh("exit")
            assert done.returncode != 255
            assert world.events_since(mark, "session.opened", user="pandora")
            assert world.events_since(mark, "session.closed", user="pandora")


def test_session_events_join(world, gate, packet):
    """One id in what PAM and drop say of one login, and in what authkeys says of a refused one of it."""
    mark = world.mark()
    assert gate.scp(packet("test.5.data")).returncode == 0
    closed = world.events_since(mark, "session.closed")
    assert len(closed) == 1 and closed[0]["duration_ms"] > 0
    ids = {e["session"] for e in world.audit()[mark:]}
    assert len(ids) == 1
    assert [e["event"] for e in world.audit()[mark:]] == ["session.opened", "drop.accepted", "session.summary",
                                                          "session.closed"]


def test_key_refused_and_opened_join(world, packet):
    """A client that offers an unknown key first: the refusal carries the id of the session that follows."""
    unknown = world.new_key("unknown-first")
    mark = world.mark()
    done = world.client(world.key, options=["-i", str(unknown)]).scp(packet("test.6.data"))
    assert done.returncode == 0
    opened = world.events_since(mark, "session.opened")[0]
    done = world.client(unknown, options=["-i", str(world.key)]).scp(packet("test.7.data"))
    assert done.returncode == 0
    refused = world.events_since(mark, "key.refused")
    assert refused
    sessions = {e["session"] for e in world.events_since(mark, "session.opened", count=2)}
    assert refused[0]["session"] in sessions and opened["session"] in sessions
