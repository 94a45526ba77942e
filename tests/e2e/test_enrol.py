"""Enrolment and rotation as an agent's administrator meets them: a real ssh-copy-id with a code or a password, in its
forms, to its own success message; the key delivers; a second run is harmless."""

import time

import pytest
from copy_id import ADDED, THERE, AgentMachine
from enrolment import SOCKET, with_enrolment
from world import DATA_IN, policy

OLD_FORMS = {
    "4.x": "umask 077 ; test -d .ssh || mkdir .ssh ; cat >> .ssh/authorized_keys",
    "5.9": 'sh -c "umask 077; test -d ~/.ssh || mkdir ~/.ssh ; cat >> ~/.ssh/authorized_keys && (test -x '
           '/sbin/restorecon && /sbin/restorecon ~/.ssh ~/.ssh/authorized_keys >/dev/null 2>&1 || true)"',
    "7.x": "exec sh -c 'cd ; umask 077 ; mkdir -p .ssh && cat >> .ssh/authorized_keys || exit 1 ; if type restorecon "
           ">/dev/null 2>&1 ; then restorecon -F .ssh .ssh/authorized_keys ; fi'",
    "by hand": "cat >> .ssh/authorized_keys",
    "by name": "enrol",
}


@pytest.fixture(scope="module")
def enrolment(world_of_session):
    with with_enrolment(world_of_session) as e:
        yield e


@pytest.fixture(autouse=True)
def no_guesses(enrolment, world):
    enrolment.forget_guesses()


def delivers(world, client, packet, agent):
    """A packet of that agent arrives."""
    mark = world.mark()
    name = f"{agent}.{time.monotonic_ns()}.data"
    done = client.scp(packet(name, agent=agent))
    assert done.returncode == 0, done.stderr
    assert world.events_since(mark, "drop.accepted", file=name)
    assert (DATA_IN / name).exists()
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("form", ["exec", "sftp"])
def test_ssh_copy_id_with_a_code(world, enrolment, packet, form, host):
    machine, options = AgentMachine(world), ["-s"] if form == "sftp" else []
    code = enrolment.make("--agent", "web01")
    mark = world.mark()
    done = machine.copy_id(code["code"], *options, host=host)
    assert done.returncode == 0, done.stderr
    assert ADDED in done.stdout
    accepted = world.events_since(mark, "enrol.accepted")
    assert [(e["code"], e["agents"], e["peer"]) for e in accepted] == [(code["id"], "web01", host)]
    assert not world.events_since(mark, "request.refused", seconds=0)
    if form == "exec":      # by SFTP nobody can be told
        assert 'the key is accepted for agent "web01"' in done.stderr
    # It works at once, as the key that it is.
    mark = world.mark()
    assert delivers(world, machine.client(host=host), packet, "web01")
    assert world.events_since(mark, "drop.accepted")[0]["key"] == accepted[0]["key"]
    # A second run finds it, and asks for nothing.
    mark = world.mark()
    again = machine.copy_id("nothing that would do", *options, host=host)
    assert again.returncode == 0, again.stderr
    assert THERE in again.stderr
    assert not world.events_since(mark, "login.refused", seconds=0.5)


def test_a_forced_second_run_is_harmless(world, enrolment, packet):
    """-f does not look before: the code is used up, and a new one for the same agent finds the key there."""
    machine = AgentMachine(world)
    code = enrolment.code("--agent", "web01")
    assert machine.copy_id(code).returncode == 0
    assert machine.copy_id(code, "-f").returncode != 0
    again = machine.copy_id(enrolment.code("--agent", "web01"), "-f")
    assert again.returncode == 0 and ADDED in again.stdout, again.stderr
    assert delivers(world, machine.client(), packet, "web01")


@pytest.mark.parametrize("form", OLD_FORMS)
def test_the_commands_of_older_versions(world, enrolment, packet, form):
    machine = AgentMachine(world)
    done = enrolment.client(enrolment.code("--agent", "web01")).ssh(OLD_FORMS[form], input="\n# mine\n" + machine.public())
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert 'accepted for agent "web01"' in done.stderr
    assert delivers(world, machine.client(), packet, "web01")


def test_the_keys_of_an_agent_program_are_more_than_one(world, enrolment):
    """ssh-copy-id without -i sends every key of ssh-agent: it is told what to do, and the code is still good."""
    machine = AgentMachine(world, "first", "second")
    under = ["ssh-agent", "sh", "-c", 'ssh-add -q "$HOME"/.ssh/id_first "$HOME"/.ssh/id_second && exec "$@"', "-"]
    code, mark = enrolment.code("--agent", "web01"), world.mark()
    done = machine.copy_id(code, under=under)
    assert done.returncode == 1
    assert "2 key(s) remain to be installed" in done.stderr
    assert "use ssh-copy-id -i KEY.pub" in done.stderr
    assert "added" not in done.stdout
    assert world.events_since(mark, "request.refused", reason="enrol.many_keys")
    done = machine.copy_id(code, "-i", machine.key.with_suffix(".pub"), under=under)
    assert done.returncode == 0 and ADDED in done.stdout, done.stderr


def test_the_window(world, enrolment, packet):
    """The document's way: the account's password lets a key in, which waits for the administrator."""
    machine = AgentMachine(world)
    password = world.gate("enrol", "on").stdout.rsplit(": ", 1)[1].strip()
    try:
        mark = world.mark()
        done = machine.copy_id(password)
        assert done.returncode == 0 and ADDED in done.stdout, done.stderr
        assert "waits for the administrator" in done.stderr
        waiting = world.events_since(mark, "enrol.pending")
        assert [e["auth"] for e in waiting] == ["password"]
        assert machine.client().scp(packet("web01.1.data", agent="web01")).returncode != 0
        assert not world.delivered()
        # Once more: it waits already.
        assert ADDED in machine.copy_id(password).stdout
        world.gate("keys", "approve", waiting[0]["pending"], "--agent", "web01")
        assert delivers(world, machine.client(), packet, "web01")
        assert THERE in machine.copy_id(password).stderr
    finally:
        world.gate("enrol", "off")
    other = AgentMachine(world)
    mark = world.mark()
    assert "Permission denied" in other.copy_id(password).stderr
    assert world.events_since(mark, "login.refused")


def test_a_person_is_told_what_to_do(world, enrolment):
    mark = world.mark()
    done = enrolment.client(enrolment.code("--agent", "web01")).ssh()
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 3
    assert "ssh-copy-id -i KEY.pub pandora@SERVER" in done.stdout
    assert world.events_since(mark, "request.refused", reason="enrol.only")


# --- rotation --------------------------------------------------------------------------------------------------------

@pytest.fixture
def agent(world, enrolment, request):
    """An agent that has enrolled. Each test has its own: rotations of one are few at a time."""
    machine = AgentMachine(world)
    machine.name = request.node.name.replace("_", "-")
    assert machine.copy_id(enrolment.code("--agent", machine.name)).returncode == 0
    return machine


def test_rotation_by_the_agent(world, agent, packet):
    new = agent.new_key("new")
    with policy(world, keys={"rotation": "auto"}):
        mark = world.mark()
        done = agent.client().ssh("rotate", input=agent.public(new))
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert f'accepted for agent "{agent.name}"' in done.stderr
        accepted = world.events_since(mark, "rotation.accepted")
        assert [e["agents"] for e in accepted] == [agent.name]
        # Both deliver, for seven days.
        assert delivers(world, agent.client(new), packet, agent.name)
        assert delivers(world, agent.client(), packet, agent.name)
        keys = world.gate("keys", "list", "--json").stdout
        assert accepted[0]["key"] in keys
        # The same once more is no other rotation.
        assert agent.client().ssh("rotate", input=agent.public(new)).returncode == 0


def test_rotation_that_waits(world, agent, packet):
    new = agent.new_key("new")
    with policy(world, keys={"rotation": "pending"}):
        mark = world.mark()
        done = agent.client().ssh("rotate", input=agent.public(new))
        assert done.returncode == 0 and "waits for the administrator" in done.stderr
        waiting = world.events_since(mark, "rotation.pending")[0]["pending"]
        assert agent.client(new).ssh("exit").returncode == 255
        world.gate("keys", "approve", waiting)
        assert delivers(world, agent.client(new), packet, agent.name)
        assert delivers(world, agent.client(), packet, agent.name)


def test_rotation_that_is_off(world, agent, packet):
    new, mark = agent.new_key("new"), world.mark()
    done = agent.client().ssh("rotate", input=agent.public(new))
    assert done.returncode == 1 and "refused" in done.stderr
    assert world.events_since(mark, "rotation.refused")
    assert agent.client(new).ssh("exit").returncode == 255
    assert delivers(world, agent.client(), packet, agent.name)


# --- the service -----------------------------------------------------------------------------------------------------

def test_a_service_that_is_not_there(world, enrolment, packet):
    machine = AgentMachine(world)
    code, mark = enrolment.code("--agent", "web01"), world.mark()
    away = SOCKET.with_name("away.sock")
    SOCKET.rename(away)
    try:
        for options in ((), ("-s",)):
            done = machine.copy_id(code, *options)
            assert done.returncode != 0 and ADDED not in done.stdout
            if not options:
                assert done.stderr.splitlines()[-1] == "pandora-gate: enrolment is not possible now: the service " \
                    "pandora-gate-enrol does not answer; the administrator must start it"
        assert len(world.events_since(mark, "request.refused", count=2, reason="enrol.away")) == 2
        # Deliveries need none. And the code has lost nothing.
        assert delivers(world, world.client(world.key), packet, "test")
    finally:
        away.rename(SOCKET)
    assert machine.copy_id(code).returncode == 0
