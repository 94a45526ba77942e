"""The server's side of enrolment, against the real sshd: who is let in with a code or a password, what such a login may
hand over, and what is refused, each with its control."""

import pytest
from enrolment import with_enrolment, with_sender


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


def hand_over(enrolment, typed, key, command="put"):
    return enrolment.client(typed).ssh(command, input=key)


def test_a_code_lets_a_key_in(world, enrolment):
    code = enrolment.make("--agent", "web01")
    mark = world.mark()
    done = hand_over(enrolment, code["code"], public(world, "web01"))
    assert (done.returncode, done.stdout.split()[0]) == (0, "accepted"), done
    opened = world.events_since(mark, "session.opened")[0]
    assert (opened["auth"], opened["enrolment"], opened["code"]) == ("password", "code", code["id"])
    accepted = world.events_since(mark, "enrol.accepted")[0]
    assert (accepted["code"], accepted["session"], accepted["agents"]) == (code["id"], opened["session"], "web01")
    world.events_since(mark, "session.closed")
    assert enrolment.tickets() == []
    # It works at once, and the code does not any more.
    key = world.client(world.new_key("web01"))
    mark = world.mark()
    key.ssh("exit", input="")
    assert world.events_since(mark, "session.opened")[0]["key"] == accepted["key"]
    again = hand_over(enrolment, code["code"], public(world, "another"))
    assert again.returncode == 255 and "Permission denied" in again.stderr
