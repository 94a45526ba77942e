"""What somebody may try who has a code, the password of an open window, an agent's key, or a shell on the server: each row
is an attack, which is refused and told, beside a control that the same way works for who may.

The audit's event, or sshd's own log where sshd alone refuses, is part of each row."""

import contextlib
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess

import pytest
from copy_id import ADDED, AgentMachine
from enrolment import SOCKET, with_enrolment
from pidfd import unread
from world import DATA_IN, KEYRING, LIBEXEC, policy, run, wait_for

INSTALL = "umask 077; test -d .ssh || mkdir .ssh ; cat >> .ssh/authorized_keys"
ATTACKS = []


def attack(function):
    ATTACKS.append(function)
    return function


class Stage:
    """What the rows need."""

    def __init__(self, world, enrolment, packet):
        self.world, self.enrolment, self.packet = world, enrolment, packet
        self.mark = world.mark()

    def code(self, *args, agent="web01"):
        return self.enrolment.code("--agent", agent, *args)

    def machine(self):
        return AgentMachine(self.world)

    def login(self, code, **kwargs):
        return self.enrolment.client(code, **kwargs)

    def hand_over(self, code, line, command=INSTALL, **kwargs):
        return self.login(code, **kwargs).ssh(command, input=line)

    def lets_in(self, code, **kwargs):
        """The control: a new machine's key is let in with the code."""
        machine = self.machine()
        done = self.hand_over(code, machine.public(), **kwargs)
        assert done.returncode == 0 and "accepted for agent" in done.stderr, done.stderr
        assert machine.client().ssh("exit").returncode == 0
        return machine

    def refused(self, done, event, text=None, count=1, **fields):
        """The client heard no, and the audit heard of it."""
        assert done.returncode != 0, done
        assert ADDED not in done.stdout
        if text:
            assert text in done.stderr, done.stderr
        told = self.world.events_since(self.mark, event, count=count, **fields)
        assert len(told) >= count, [e for e in self.world.audit()[self.mark:]]
        return told

    def keys(self):
        return self.world.gate("keys", "list", "--json").stdout


@pytest.fixture(scope="module")
def enrolment(world_of_session):
    with with_enrolment(world_of_session) as e:
        yield e


@pytest.fixture
def stage(world, enrolment, packet):
    enrolment.forget_guesses()
    return Stage(world, enrolment, packet)


@contextlib.contextmanager
def window(stage):
    """Enrolment by password is on: the password."""
    try:
        yield json.loads(stage.world.gate("enrol", "on", "--json").stdout)["password"]
    finally:
        stage.world.gate("enrol", "off")
        for one in json.loads(stage.world.gate("keys", "pending", "--json", check=False).stdout):
            stage.world.gate("keys", "reject", one["id"])


# --- codes -----------------------------------------------------------------------------------------------------------

@attack
def a_code_is_used_again(s):
    code = s.code()
    s.lets_in(code)
    s.refused(s.machine().copy_id(code), "login.refused", "Permission denied", rule="enrol")


@attack
def a_code_that_has_expired(s):
    made = s.enrolment.make("--agent", "web01", "--for", "1s")
    assert wait_for(lambda: made["id"] not in [c["id"] for c in json.loads(
        s.world.gate("enrol", "codes", "--json").stdout) if c["state"] == "open"])
    s.refused(s.machine().copy_id(made["code"]), "login.refused", "Permission denied", rule="enrol")
    s.lets_in(s.code())


@attack
def a_code_that_was_cancelled(s):
    made = s.enrolment.make("--agent", "web01")
    s.world.gate("enrol", "cancel", made["id"])
    s.refused(s.machine().copy_id(made["code"]), "login.refused", "Permission denied", rule="enrol")
    s.lets_in(s.code())


@attack
def a_code_is_guessed(s):
    """Ten wrong ones, and the address is heard no more, not even with a right one; others are."""
    code = s.code()
    for guess in range(10):
        s.login(f"{code[:-1]}{'ABCDEFGHJK'[guess]}" if code[-1] != 'ABCDEFGHJK'[guess] else code[::-1]).ssh("exit")
    told = s.refused(s.hand_over(code, s.machine().public()), "login.refused", "Permission denied", count=11, rule="enrol")
    assert told[-1]["reason"] == "too many wrong codes from this address"
    s.lets_in(code, host="::1")


@attack
def a_code_from_an_address_that_it_is_not_for(s):
    s.refused(s.hand_over(s.code("--from", "192.0.2.0/24"), s.machine().public()), "enrol.refused", "refused")
    s.lets_in(s.code("--from", "127.0.0.0/8"))


@attack
def two_at_once_with_one_code(s):
    code, machines = s.code(), [s.machine() for _ in range(3)]
    clients = [s.login(code) for _ in machines]
    running = [subprocess.Popen([str(a) for a in c.ssh_argv("pandora@127.0.0.1", INSTALL)], env=c.environment(),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for c in clients]
    # All are in before one of them says which key.
    assert wait_for(lambda: len(s.world.drops_running()) == len(machines))
    for one, machine in zip(running, machines):
        one.stdin.write(machine.public())
        one.stdin.flush()
    for one in running:
        one.stdin.close()
    ended = [one.wait(60) for one in running]
    assert sorted(ended) == [0, 1, 1]
    for one in running:
        one.stdout.close()
        one.stderr.close()
    assert len(s.world.events_since(s.mark, "enrol.accepted")) == 1
    assert len(s.world.events_since(s.mark, "enrol.refused", count=2)) == 2
    assert [m.client().ssh("exit").returncode == 0 for m in machines] == [status == 0 for status in ended]


@attack
def a_password_while_the_window_is_shut(s):
    with window(s) as password:
        assert ADDED in s.machine().copy_id(password).stdout
    s.mark = s.world.mark()
    s.refused(s.machine().copy_id(password), "login.refused", "Permission denied", rule="enrol")


# --- keys ------------------------------------------------------------------------------------------------------------

@attack
def the_key_of_another_agent(s):
    """A public key is no secret: who has a code for one agent cannot make another agent's key his."""
    code, victim = s.code(), s.world.key.with_suffix(".pub").read_text()
    before = s.keys()
    s.refused(s.hand_over(code, victim), "enrol.refused", "refused")
    assert s.keys() == before
    assert s.world.client(s.world.key).scp(s.packet("test.1.data")).returncode == 0
    s.lets_in(code)


@attack
def a_code_takes_no_other_keys_place(s):
    """A second key for an agent leaves the first one as it is: only a code that was made to replace says otherwise."""
    first = s.lets_in(s.code(agent="test"))
    s.lets_in(s.code(agent="test"))
    assert s.world.client(s.world.key).ssh("exit").returncode == first.client().ssh("exit").returncode == 0
    s.refused(s.hand_over(s.code(agent="web01"), first.public()), "enrol.refused", "refused")


@attack
def a_revoked_key_comes_back(s):
    machine = s.lets_in(s.code())
    accepted = s.world.events_since(s.mark, "enrol.accepted")[0]
    s.world.gate("keys", "revoke", accepted["key"], "--reason", "stolen")
    code = s.code()
    s.refused(s.hand_over(code, machine.public()), "enrol.refused", "refused")
    assert machine.client().ssh("exit").returncode == 255
    s.lets_in(code)


@attack
def options_in_front_of_the_key(s):
    code, machine = s.code(), s.machine()
    for option in ('command="/bin/sh"', 'from="0.0.0.0/0",agent-forwarding,pty', "cert-authority", 'environment="A=B"'):
        s.refused(s.hand_over(code, f"{option} {machine.public()}"), "enrol.refused", "refused")
    s.lets_in(code)


@attack
def two_keys_in_one(s):
    code, one, other = s.code(), s.machine(), s.machine()
    before = s.keys()
    for text in (one.public() + other.public(), one.public().strip() + "\r\n" + other.public(), one.public() + "x"):
        s.refused(s.hand_over(code, text), "request.refused", "use ssh-copy-id -i KEY.pub", reason="enrol.many_keys")
    # CR alone ends no line, here or there.
    s.refused(s.hand_over(code, one.public().strip() + "\r" + other.public()), "request.refused", reason="enrol.bytes")
    assert s.keys() == before
    s.lets_in(code)


@attack
def weak_keys(s):
    code, machine = s.code(), s.machine()
    weak = machine.new_key("weak", "rsa", "-b", "1024")
    s.refused(s.hand_over(code, machine.public(weak)), "enrol.refused", "refused")
    s.refused(s.hand_over(code, "ssh-dss AAAAB3NzaC1kc3MAAAAA x"), "enrol.refused", "refused", count=2)
    strong = machine.new_key("strong", "rsa", "-b", "3072")
    assert s.hand_over(code, machine.public(strong)).returncode == 0


@attack
def what_is_no_key(s):
    code, machine = s.code(), s.machine()
    for text, reason in (("", "enrol.no_key"), ("# nothing\n", "enrol.no_key"), (machine.key.read_text(), "enrol.no_key"),
                         ("ssh-ed25519 AAAA\0\n", "enrol.bytes"), ("ssh-ed25519 \x1b[2J\n", "enrol.bytes")):
        s.refused(s.hand_over(code, text), "request.refused", reason=reason)
    for text in ("hello\n", "ssh-ed25519 AAAA\n", "ssh-ed25519\n"):
        s.refused(s.hand_over(code, text), "enrol.refused", "refused")
    s.lets_in(code)


# --- what such a login may do ----------------------------------------------------------------------------------------

@attack
def a_packet_by_scp(s):
    client = s.login(s.code())
    for options in ([], ["-O"]):
        s.mark = s.world.mark()
        s.refused(client.scp(s.packet("web01.1.data", agent="web01"), options=options), "request.refused",
                  reason="enrol.only")
    assert not s.world.delivered()
    assert s.world.client(s.world.key).scp(s.packet("test.1.data")).returncode == 0


@attack
def a_packet_by_sftp(s):
    client, packet = s.login(s.code()), s.packet("web01.1.data", agent="web01")
    for path in (DATA_IN / packet.name, packet.name, f".ssh/{packet.name}", f".ssh/authorized_keys/../{packet.name}"):
        s.mark = s.world.mark()
        s.refused(sftp(client, f"put {packet} {path}"), "request.refused", reason="enrol.only")
    s.mark = s.world.mark()
    s.refused(sftp(client, f"put {packet} .ssh/authorized_keys"), "request.refused", reason="enrol.many_keys")
    assert not s.world.delivered()
    assert s.world.client(s.world.key).sftp(f"put {s.packet('test.1.data')}").returncode == 0


def sftp(client, *commands):
    """As Client.sftp, but -b alone would mean that nobody types anything."""
    argv = ["sftp", "-o", "BatchMode=no", *client.common, "-P", client.sshd.port, "-b", "-", client.target]
    return client._run(argv, input="".join(c + "\n" for c in commands))


@attack
def a_shell_or_a_command(s):
    client = s.login(s.code())
    for command in ("id", "bash -i", "sh -c 'id'", "exit", "cat /etc/passwd", "rsync --server . /", "scp -f /etc/passwd",
                    f"cat > {DATA_IN}/web01.1.data"):
        s.mark = s.world.mark()
        done = client.ssh(command, input="x")
        s.refused(done, "request.refused", reason="enrol.only", request=command)
        assert "uid=" not in done.stdout + done.stderr and "root:" not in done.stdout
    assert not s.world.delivered()
    # Named as an install, it is none: nothing is run, and nothing is shown.
    done = client.ssh("id; cat /etc/passwd; rm -rf .ssh/authorized_keys", input="")
    assert done.stdout == "" and "uid=" not in done.stderr
    assert s.world.events_since(s.mark, "request.refused", reason="enrol.no_key")


@attack
def forwarding(s):
    """sshd alone refuses it, and says so in its own log; the audit has the login."""
    client = s.login(s.code())
    target = f"127.0.0.1:{s.world.STOCK_PORT}"
    done = client.ssh(options=["-W", target])
    assert done.returncode != 0 and "SSH-" not in done.stdout
    assert wait_for(lambda: "refused local port forward" in s.world.sshd.text())
    assert s.world.events_since(s.mark, "session.opened", enrolment="code")
    stock = s.world.stock_client().ssh(options=["-W", target], input="")
    assert "SSH-" in stock.stdout


@attack
def reading_by_sftp(s):
    with window(s) as password:
        assert ADDED in s.machine().copy_id(password).stdout            # it waits: nobody may see that
        client = s.login(s.code())
        for command, seen in (("get .ssh/authorized_keys /tmp/stolen", "not found"), ("ls -la .ssh", None),
                              ("ls -la /", None)):
            done = sftp(client, command)
            assert "ssh-ed25519" not in done.stdout
            assert [line for line in done.stdout.splitlines() if not line.startswith("sftp>")] == []
            assert seen is None or seen in done.stderr
        for path in ("/etc/passwd", KEYRING, "/run/pandora-gate/enrol.sock", "/home", ".ssh/id_rsa"):
            s.mark = s.world.mark()
            s.refused(sftp(client, f"get {path} /tmp/stolen"), "request.refused", reason="enrol.only")
    assert not os.path.exists("/tmp/stolen")
    assert s.world.stock_client().sftp("get /etc/hostname /tmp/not-stolen").returncode == 0


@attack
def more_than_any_key(s):
    code = s.code()
    done = s.hand_over(code, "#" * 1_000_000)
    s.refused(done, "request.refused", "larger than any public key", reason="enrol.large")
    big = pathlib.Path(s.world.dir) / "big"
    big.write_text("\n" * 200_000)
    s.mark = s.world.mark()
    s.refused(sftp(s.login(code), f"put {big} .ssh/authorized_keys"), "request.refused", reason="enrol.large")
    # A line that a message to the service cannot hold.
    s.mark = s.world.mark()
    s.refused(s.hand_over(code, "ssh-ed25519 " + "A" * 9000), "request.refused", reason="enrol.large")
    s.lets_in(code)


@attack
def what_never_ends(s):
    code, client = s.code(), None
    client = s.login(code)
    with open("/dev/zero", "rb") as zero:
        s.refused(client.ssh(INSTALL, stdin=zero), "request.refused", reason="enrol.large")
    s.lets_in(code)


@attack
def who_says_nothing(s):
    code = s.code()
    with policy(s.world, drop={"idle_timeout": 1}):
        client = s.login(code)
        waiting = subprocess.Popen([str(a) for a in client.ssh_argv("pandora@127.0.0.1", INSTALL)], env=client.environment(),
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert waiting.wait(30) == 1
        waiting.stdin.close()
    assert s.world.events_since(s.mark, "request.refused", reason="time.idle")
    s.lets_in(code)


@attack
def the_list_of_keys_that_wait_is_filled(s):
    with window(s) as password:
        for _ in range(5):
            assert s.hand_over(password, s.machine().public()).returncode == 0
        s.refused(s.hand_over(password, s.machine().public()), "enrol.refused", "refused")
        # Others are heard, and codes are.
        assert s.hand_over(password, s.machine().public(), host="::1").returncode == 0
        s.lets_in(s.code())


# --- rotation --------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def rotating(s, mode="auto"):
    """An agent that may rotate its key."""
    # An agent of its own: rotations of one are few at a time.
    with policy(s.world, keys={"rotation": mode}):
        machine = s.lets_in(s.code(agent=f"rotator{len(s.world.audit())}"))
        s.key_id = s.world.events_since(s.mark, "enrol.accepted")[-1]["key"]
        s.mark = s.world.mark()
        yield machine


def rotate(machine, line, key=None):
    return machine.client(key).ssh("rotate", input=line)


@attack
def rotation_by_a_revoked_key(s):
    with rotating(s) as machine:
        s.world.gate("keys", "revoke", s.key_id, "--reason", "stolen")
        done = rotate(machine, machine.public(machine.new_key("new")))
        s.refused(done, "key.refused", "Permission denied")
    with rotating(s) as machine:
        assert rotate(machine, machine.public(machine.new_key("new"))).returncode == 0


@attack
def rotation_by_a_key_that_is_disabled_meanwhile(s):
    """It was active when it logged in."""
    with rotating(s) as machine:
        new = machine.new_key("new")
        client = machine.client()
        waiting = subprocess.Popen([str(a) for a in client.ssh_argv("pandora@127.0.0.1", "rotate")], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert wait_for(lambda: s.world.drops_running())
        s.world.gate("keys", "disable", s.key_id, "--reason", "lost")
        said = waiting.communicate(machine.public(new), timeout=60)
        assert waiting.returncode == 1 and "refused" in said[1]
        assert s.world.events_since(s.mark, "rotation.refused")
        assert machine.client(new).ssh("exit").returncode == 255


@attack
def rotation_to_another_agents_key(s):
    with rotating(s) as machine:
        s.refused(rotate(machine, s.world.key.with_suffix(".pub").read_text()), "rotation.refused", "refused")
        assert s.world.client(s.world.key).scp(s.packet("test.1.data")).returncode == 0
        assert rotate(machine, machine.public(machine.new_key("new"))).returncode == 0


@attack
def rotation_again_and_again(s):
    """Who has taken over an agent does not get a stock of keys."""
    with rotating(s) as machine:
        new = machine.new_key("new")
        assert rotate(machine, machine.public(new)).returncode == 0
        for key in (machine.key, new):
            s.refused(rotate(machine, machine.public(machine.new_key(f"next-{key.name}")), key), "rotation.refused", "refused")


@attack
def rotation_with_options_or_two_keys(s):
    with rotating(s) as machine:
        new = machine.public(machine.new_key("new"))
        s.refused(rotate(machine, f'command="/bin/sh" {new}'), "rotation.refused", "refused")
        s.refused(rotate(machine, new + machine.public()), "request.refused", reason="enrol.many_keys")
        s.refused(rotate(machine, "x" * 100_000), "request.refused", reason="enrol.large")
        s.refused(machine.client().ssh("rotate now", input=new), "request.refused", reason="request.command")
        assert rotate(machine, new).returncode == 0


@attack
def rotation_by_a_login_without_a_key(s):
    with rotating(s) as machine:
        new = machine.public(machine.new_key("new"))
        code = s.code()
        s.refused(s.hand_over(code, new, "rotate"), "request.refused", reason="enrol.only")
        assert rotate(machine, new).returncode == 0


# --- from inside the server ------------------------------------------------------------------------------------------

def as_user(name, *argv, group=None, **kwargs):
    account = pwd.getpwnam(name)
    return subprocess.run([str(a) for a in argv], user=account.pw_uid, group=account.pw_gid if group is None else group,
                          extra_groups=[], capture_output=True, text=True, timeout=60, **kwargs)


@attack
def drop_is_run_by_hand(s):
    """Whoever can run a program as the account can forge what sshd says of a login: there is no ticket of it."""
    forged = pathlib.Path("/tmp/forged")
    key = s.world.key.with_suffix(".pub").read_text().split()
    with policy(s.world, keys={"rotation": "auto"}):
        for auth, command, event in (("password\n", "enrol", "enrol.refused"),
                                     (f"publickey {key[0]} {key[1]}\n", "rotate", "rotation.refused")):
            forged.write_text(auth)
            forged.chmod(0o644)
            environment = {"SSH_USER_AUTH": str(forged), "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 22",
                           "SSH_ORIGINAL_COMMAND": command}
            done = as_user("pandora", LIBEXEC / "drop", "-c", LIBEXEC / "drop", env=environment,
                           input=s.machine().public())
            s.refused(done, event, "refused: this login may not hand over a key")
    s.lets_in(s.code())


TALK = """\
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect(sys.argv[1])
s.send(b"pgE1\\1" + sys.stdin.buffer.readline().strip())
reply = s.recv(1000)
print(reply[4], reply[5:].decode())
"""


@attack
def another_user_asks_the_service(s):
    line = s.machine().public()
    # A stranger does not get that far: the file system says no, to which there is no event.
    done = as_user("nobody", "/usr/bin/python3", "-c", TALK, SOCKET, input=line)
    assert done.returncode != 0 and "Permission denied" in done.stderr
    # One of its group does, and the service knows him; so does it root.
    group = pwd.getpwnam("pandora").pw_gid
    for count, (name, its_group) in enumerate((("badmember", group), ("root", 0)), 1):
        done = as_user(name, "/usr/bin/python3", "-c", TALK, SOCKET, group=its_group, input=line)
        assert done.stdout.startswith("3 refused"), done
        assert len(s.world.events_since(s.mark, "enrol.refused", count=count)) == count
    s.lets_in(s.code())


@attack
def a_login_that_is_over(s):
    """A drop that outlives its login finds no ticket: what it hands over then is refused."""
    code, machine = s.code(), s.machine()
    client = s.login(code)
    started = subprocess.Popen([str(a) for a in client.ssh_argv("pandora@127.0.0.1", INSTALL)], env=client.environment(),
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    assert wait_for(lambda: len(s.world.drops_running()) == 1)
    drop = s.world.drops_running()[0]
    assert wait_for(lambda: "Seccomp:\t2" in pathlib.Path(f"/proc/{drop}/status").read_text())
    assert wait_for(lambda: len(s.enrolment.tickets()) == 1)      # that of a login of another test goes, too
    session, = s.enrolment.tickets()
    os.kill(drop, signal.SIGSTOP)
    started.stdin.write(machine.public())
    started.stdin.close()
    # A client that is killed before it has sent the key hands nothing over.
    assert wait_for(lambda: unread(drop, 0) >= len(machine.public()))
    assert s.world.events_since(s.mark, "session.opened", session=session)
    started.kill()
    started.wait()
    assert s.world.events_since(s.mark, "session.closed", session=session)
    assert s.enrolment.tickets() == []
    os.kill(drop, signal.SIGCONT)
    assert s.world.events_since(s.mark, "enrol.refused")
    assert machine.client().ssh("exit").returncode == 255
    s.lets_in(code)


@attack
def a_service_that_is_none(s):
    """Somebody else at the service's address, were he able to be there, is told no key."""
    away = SOCKET.with_name("away.sock")
    SOCKET.rename(away)
    theirs, heard = pathlib.Path("/run/theirs"), None
    run("install", "-d", "-o", "pandora", theirs)
    try:
        account = pwd.getpwnam("pandora")
        listener = subprocess.Popen(
            ["/usr/bin/python3", "-c", "import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET);"
             "s.bind(sys.argv[1]); s.listen(); print('up', flush=True); print(s.accept()[0].recv(100), flush=True)",
             theirs / "sock"], stdout=subprocess.PIPE, text=True, user=account.pw_uid, group=account.pw_gid)
        assert listener.stdout.readline() == "up\n"
        (theirs / "sock").rename(SOCKET)
        s.refused(s.hand_over(s.code(), s.machine().public()), "request.refused", "does not answer", reason="enrol.away")
        heard = listener.communicate(timeout=20)[0]
    finally:
        SOCKET.unlink(missing_ok=True)
        away.rename(SOCKET)
        theirs.rmdir()
    assert heard == "b''\n"
    s.lets_in(s.code())


@pytest.mark.parametrize("row", ATTACKS, ids=lambda f: f.__name__)
def test_attack(stage, row):
    before = len([f for f in DATA_IN.rglob("*") if f.name.startswith("web01")])
    row(stage)
    assert len([f for f in DATA_IN.rglob("*") if f.name.startswith("web01")]) == before
    assert not wait_for(lambda: not stage.world.drops_running()) or not stage.world.drops_running()


def test_there_are_enough_of_them():
    assert len(ATTACKS) >= 15
    assert len({f.__name__ for f in ATTACKS}) == len(ATTACKS)
