"""The shipped pam.d lines under the real sshd: members with an allowed shell, members without, everybody else."""

import contextlib
import pathlib

import pytest
from world import LIBEXEC, run


@contextlib.contextmanager
def shell_of(user, shell):
    run("usermod", "-s", shell, user)
    try:
        yield
    finally:
        run("usermod", "-s", LIBEXEC / "drop" if user == "pandora" else "/bin/bash", user)


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
