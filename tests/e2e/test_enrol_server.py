"""The server's side of enrolment, against the real sshd and with real passwords: who is let in, what such a login may
hand over, and what is refused, each with its control. In place of drop stands a program that hands a key over
(harness/enrolment.py): what drop makes of a client is told elsewhere."""

import contextlib
import json
import os
import pwd
import socket
import stat
import subprocess

import pytest
from enrolment import GUESSES, SOCKET, with_enrolment, with_sender
from world import STATE, policy, run, wait_for

DENIED = 255    # ssh's status when it is not let in


@pytest.fixture(scope="module")
def enrolment(world_of_session):
    world_of_session.gate("publish")
    with with_enrolment(world_of_session) as e, with_sender(world_of_session):
        yield e


@pytest.fixture(autouse=True)
def no_guesses(enrolment):
    enrolment.forget_guesses()


def public(world, name, **kwargs):
    return world.new_key(name, **kwargs).with_suffix(".pub").read_text()


def hand_over(enrolment, typed, key, command="put", **kwargs):
    return enrolment.client(typed, **kwargs).ssh(command, input=key)


def refused_login(world, enrolment, typed, reason, **kwargs):
    mark = world.mark()
    done = hand_over(enrolment, typed, public(world, "nobodys"), **kwargs)
    assert done.returncode == DENIED and "Permission denied" in done.stderr, done
    refused = world.events_since(mark, "login.refused")
    assert [(e["rule"], e["phase"]) for e in refused] == [("enrol", "auth")], refused
    assert reason in refused[0]["reason"]
    assert not world.events_since(mark, "session.opened", count=0)
    assert wait_for(lambda: enrolment.tickets() == [])      # that of a login of another test goes, too


@contextlib.contextmanager
def window(world):
    """`enrol on` for the time of the block: the password that it made."""
    made = json.loads(world.gate("enrol", "on", "--for", "1h", "--json").stdout)
    try:
        yield made["password"]
    finally:
        world.gate("enrol", "off")


def codes(world):
    """id -> state"""
    return {c["id"]: c["state"] for c in json.loads(world.gate("enrol", "codes", "--json").stdout)}


def locked():
    return next(l for l in open("/etc/shadow") if l.startswith("pandora:")).split(":")[1] == "*"


# --- codes ------------------------------------------------------------------------------------------------------------

def test_a_code_lets_a_key_in(world, enrolment):
    code = enrolment.make("--agent", "web01")
    mark = world.mark()
    done = hand_over(enrolment, code["code"], public(world, "web01"))
    assert (done.returncode, done.stdout.split()[0]) == (0, "accepted"), done
    opened = world.events_since(mark, "session.opened")[0]
    assert (opened["auth"], opened["enrolment"], opened["code"]) == ("password", "code", code["id"])
    accepted = world.events_since(mark, "enrol.accepted")[0]
    assert (accepted["code"], accepted["session"], accepted["agents"]) == (code["id"], opened["session"], "web01")
    assert world.events_since(mark, "session.closed", session=opened["session"])
    assert enrolment.tickets() == []
    # It works at once, and the code does not any more.
    mark = world.mark()
    world.client(world.new_key("web01")).ssh("exit", input="")
    assert world.events_since(mark, "session.opened")[0]["key"] == accepted["key"]
    refused_login(world, enrolment, code["code"], "no enrolment code that is good now")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_no_good_code_is_refused(world, enrolment, host):
    good = enrolment.make("--agent", "web02")
    cancelled = enrolment.make("--agent", "web02")
    world.gate("enrol", "cancel", cancelled["id"])
    short = enrolment.make("--agent", "web02", "--for", "1s")
    for typed in (cancelled["code"], good["code"][:-1] + ("0" if good["code"][-1] != "0" else "1"), "password", " "):
        refused_login(world, enrolment, typed, "no enrolment code that is good now", host=host)
    wait_for(lambda: codes(world)[short["id"]] == "expired")
    refused_login(world, enrolment, short["code"], "no enrolment code that is good now", host=host)
    done = hand_over(enrolment, good["code"].lower().replace("-", ""), public(world, f"web02-{len(host)}"), host=host)
    assert done.returncode == 0, done       # the control


def test_a_code_admits_until_a_key_was_accepted(world, enrolment):
    code = enrolment.code("--agent", "web03")
    for key in ("no key\n", "", public(world, "web03-rsa", kind="rsa")[:100] + "\n"):
        done = hand_over(enrolment, code, key)
        assert done.returncode == 1 and "refused" in done.stdout, done
    assert hand_over(enrolment, code, public(world, "web03")).returncode == 0


def test_another_agents_key_stays_what_it_is(world, enrolment):
    """The key of every test is for others; a code for web04 must not take it over."""
    mark = world.mark()
    done = hand_over(enrolment, enrolment.code("--agent", "web04"), world.key.with_suffix(".pub").read_text())
    assert done.returncode == 1 and "ask the administrator" in done.stdout and "agents" not in done.stdout
    assert "for other agents" in world.events_since(mark, "enrol.refused")[0]["reason"]


def test_two_at_once_one_wins(world, enrolment):
    code = enrolment.code("--agent", "web05")
    client = enrolment.client(code)
    keys = [public(world, f"web05-{i}") for i in range(4)]
    running = [subprocess.Popen([str(a) for a in client.ssh_argv("pandora@127.0.0.1", "put")], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=client.environment())
               for _ in keys]
    answers = [one.communicate(key, timeout=60)[0].split(" ")[0] for one, key in zip(running, keys)]
    assert answers.count("accepted") == 1, answers
    listed = json.loads(world.gate("keys", "list", "--json", "--agent", "web05").stdout)
    assert len([k for k in listed if [a["name"] for a in k["agents"]] == ["web05"]]) == 1


def test_guessing_ends_and_others_go_on(world, enrolment):
    code = enrolment.code("--agent", "web06")
    mark = world.mark()
    for _ in range(30):     # a login that a busy machine was too slow for is no guess
        if len(world.events_since(mark, "login.refused", rule="enrol", count=0)) >= 10:
            break
        hand_over(enrolment, "wrong", "")
    refused_login(world, enrolment, code, "too many wrong codes from this address")
    done = hand_over(enrolment, code, public(world, "web06"), host="::1")    # another source
    assert done.returncode == 0, done
    world.client(world.key).ssh("exit")         # keys are not counted
    assert hand_over(enrolment, enrolment.code("--agent", "web06"), "x").returncode == DENIED


def test_codes_and_counts_are_roots_alone(world, enrolment):
    enrolment.code("--agent", "web07")
    hand_over(enrolment, "wrong", "")
    for path, mode in ((STATE / "enrol", 0o700), (STATE / "enrol/codes", 0o600), (GUESSES, 0o700),
                       (GUESSES / "table", 0o600), (GUESSES.with_name("tickets"), 0o700)):
        st = os.stat(path)
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (0, mode), path
    st = os.stat(SOCKET)
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (0, pwd.getpwnam("pandora").pw_gid, 0o660)
    (STATE / "enrol/codes").chmod(0o640)
    try:
        mark = world.mark()
        assert hand_over(enrolment, enrolment.client("x").typed, "").returncode == DENIED
        assert "cannot be read" in world.events_since(mark, "login.refused")[0]["reason"]
    finally:
        (STATE / "enrol/codes").chmod(0o600)


# --- the window -------------------------------------------------------------------------------------------------------

def test_a_password_lets_a_key_wait(world, enrolment):
    key = public(world, "web08")
    assert locked()
    with window(world) as password:
        assert not locked()
        mark = world.mark()
        done = hand_over(enrolment, password, key)
        assert (done.returncode, done.stdout.split()[0]) == (0, "pending"), done
        opened = world.events_since(mark, "session.opened")[0]
        assert (opened["enrolment"], "code" in opened) == ("password", False)
        waiting = world.events_since(mark, "enrol.pending")[0]
        assert world.client(world.new_key("web08")).ssh("exit").returncode == DENIED
        assert hand_over(enrolment, password, key).returncode == 0      # a second one is harmless
        mark = world.mark()
        assert hand_over(enrolment, "a wrong password", key).returncode == DENIED
        assert not world.events_since(mark, "session.opened", count=0)
    assert locked()
    refused_login(world, enrolment, password, "no enrolment code that is good now")
    listed = world.gate("keys", "pending", "--json", check=False)
    assert listed.returncode == 3 and [k["id"] for k in json.loads(listed.stdout)] == [waiting["pending"]]
    world.gate("keys", "approve", waiting["pending"], "--agent", "web08")
    mark = world.mark()
    world.client(world.new_key("web08")).ssh("exit", input="")
    assert world.events_since(mark, "session.opened", auth="publickey")


def test_the_password_alone_opens_nothing(world, enrolment):
    """A password is on the account, and the window is not: nor is it a code."""
    run("chpasswd", input="pandora:of the administrator\n")
    try:
        refused_login(world, enrolment, "of the administrator", "no enrolment code that is good now")
        world.gate("enrol", "on")
        assert hand_over(enrolment, "of the administrator", public(world, "web09")).returncode == 0     # the control
        world.gate("enrol", "off")
        assert not locked()                     # it was not ours
        refused_login(world, enrolment, "of the administrator", "no enrolment code that is good now")
    finally:
        run("usermod", "-p", "*", "pandora")
        world.gate("keys", "reject", "p-")


def test_rejected(world, enrolment):
    with window(world) as password:
        assert hand_over(enrolment, password, public(world, "web10")).returncode == 0
    mark = world.mark()
    world.gate("keys", "reject", "p-")
    assert world.events_since(mark, "enrol.refused")[0]["reason"] == "an administrator rejected it"
    assert world.client(world.new_key("web10")).ssh("exit").returncode == DENIED


# --- rotation ---------------------------------------------------------------------------------------------------------

def test_an_agent_rotates_its_key(world, enrolment):
    old = world.enrol("web11", "web11")
    client = world.client(old)
    assert client.ssh("rotate", input=public(world, "web11-new")).returncode == 1    # off: no ticket
    with policy(world, keys={"rotation": "auto"}):
        mark = world.mark()
        done = client.ssh("rotate", input=public(world, "web11-new"))
        assert (done.returncode, done.stdout.split()[0]) == (0, "accepted"), done
        accepted = world.events_since(mark, "rotation.accepted")[0]
        assert accepted["agents"] == "web11" and accepted["old_fingerprint"] != accepted["fingerprint"]
        loop = world.client(world.new_key("web11-new")).ssh("rotate", input=public(world, "web11-third"))
        assert loop.returncode == 1, loop
        assert "within an hour" in world.events_since(mark, "rotation.refused")[0]["reason"]
        # A login by key enrols nothing.
        assert client.ssh("put", input=public(world, "web11-fourth")).returncode == 1
    listed = json.loads(world.gate("keys", "list", "--json", "--agent", "web11").stdout)
    ends = {k["fingerprint"]: k["expires"] for k in listed if k["agents"][0]["name"] == "web11"}
    assert ends[accepted["fingerprint"]] is None and ends[accepted["old_fingerprint"]]
    assert len(ends) == 2


def test_a_rotation_waits(world, enrolment):
    client = world.client(world.enrol("web12", "web12"))
    with policy(world, keys={"rotation": "pending"}):
        mark = world.mark()
        assert client.ssh("rotate", input=public(world, "web12-new")).returncode == 0
        waiting = world.events_since(mark, "rotation.pending")[0]
        assert world.client(world.new_key("web12-new")).ssh("exit").returncode == DENIED
        world.gate("keys", "approve", waiting["pending"])
        assert world.events_since(mark, "rotation.accepted")[0]["agents"] == "web12"


# --- the service ------------------------------------------------------------------------------------------------------

ASK = """\
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(20)
try:
    s.connect("/run/pandora-gate/enrol.sock")
except PermissionError:
    sys.exit("no way in")
s.send(sys.stdin.buffer.read()); print(s.recv(4096)[5:].decode())
"""


def ask(user, packet):
    entry = pwd.getpwnam(user)
    return subprocess.run(["/usr/bin/python3", "-c", ASK, str(entry.pw_gid), str(entry.pw_uid)], input=packet,
                          capture_output=True, timeout=60)


def test_who_has_no_ticket_is_refused(world, enrolment):
    key = public(world, "web13").encode().strip()
    mark = world.mark()
    assert b"refused" in ask("pandora", b"pgE1\x01" + key).stdout       # the account, but no login
    assert "no ticket" in world.events_since(mark, "enrol.refused")[0]["reason"]
    assert b"no way in" in ask("stocka", b"pgE1\x01" + key).stderr
    assert b"refused" in ask("root", b"pgE1\x01" + key).stdout
    for packet in (b"x", b"pgE1", b"pgE2\x01" + key, b"pgE1\x03" + key, b"pgE1\x01" + b"A" * 20000, b"\0" * 100):
        assert b"refused" in ask("pandora", packet).stdout, packet[:10]
    done = hand_over(enrolment, enrolment.code("--agent", "web13"), public(world, "web13"))
    assert done.returncode == 0, done       # the control: it still serves


def test_who_says_nothing_holds_nobody_up(world, enrolment):
    """More than may be served at once, all silent: the one behind them is served when they are sent away."""
    silent = []
    for _ in range(8):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(str(SOCKET))
        silent.append(s)
    try:
        assert hand_over(enrolment, enrolment.code("--agent", "web14"), public(world, "web14")).returncode == 0
    finally:
        for s in silent:
            s.close()
