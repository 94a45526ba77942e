"""What answers an intruder's try, and how a test looks it up: in the audit, and where nothing of ours was asked, in
sshd's own log. A table of tries is a list of Try; tests/e2e/test_intruder_summary.py counts them all."""

import contextlib
import dataclasses
import re
import time
import typing

from world import wait_for

LOGIN = ("session.opened", "session.closed")
SESSION = ("session.opened", "session.summary", "session.closed")


@dataclasses.dataclass(frozen=True)
class Answer:
    who: str                    # who says no
    events: tuple = ()          # all of these, of one login
    none: tuple = ()            # none of these
    event: str = ""             # the one with the reason
    fields: dict = dataclasses.field(default_factory=dict)
    log: str = ""               # a pattern: a line of sshd's own log, as its LogLevel is shipped
    may: tuple = ()             # reasons that may be told besides, or not
    why_no_reason: str = ""     # of an answer without a reason in the audit: what its row of the table says

    def text(self):
        fields = " ".join(f"{k}={v.pattern if isinstance(v, re.Pattern) else v}" for k, v in self.fields.items())
        said = [f"{self.event} {fields}"] if self.event else list(self.events)
        if self.log:
            said.append(f"sshd's log: {self.log}")
        return f"{self.who}: {', '.join(said) or 'nothing'}" + (f" ({self.why_no_reason})" if self.why_no_reason else "")


def kept_apart():
    """Not refused: the packet is in data_in under a name of its own, and the audit says that its name was taken."""
    return Answer("drop", events=SESSION, event="drop.accepted", fields={"published_as": re.compile("test\\.1[0-9]+\\.data")},
                  why_no_reason="what was planted is left as it is, the packet is published beside it")


def told(who, event, **fields):
    """The audit has an event with a reason."""
    return Answer(who, event=event, fields=fields)


def drop_told(reason, event="request.refused"):
    return Answer("drop", events=SESSION, event=event, fields={"reason": reason})


def sshd_alone(log, why="sshd asks nobody about it", may=()):
    """Of a login that is good: sshd itself turns the request down. The audit has the login and its end, not more;
    `log` is what sshd says of it at the LogLevel of the drop-in (""; nothing)."""
    return Answer("sshd", events=LOGIN, log=log, may=may, why_no_reason=why)


def sshd_before(log, why):
    """sshd refuses the login before anything of ours is asked: the audit knows of no login at all."""
    return Answer("sshd", none=LOGIN, log=log, why_no_reason=why)


def shown_nothing(why):
    """Answered, as every client is that looks before it sends: with an empty directory, or "no such file"."""
    return Answer("drop", events=SESSION, none=("drop.accepted",), why_no_reason=why)


@dataclasses.dataclass(frozen=True)
class Try:
    attempt: typing.Callable    # its name and its first words are the row of the table
    answer: Answer

    @property
    def name(self):
        return self.attempt.__name__


def fits(value, wanted):
    return bool(wanted.fullmatch(value or "")) if isinstance(wanted, re.Pattern) else value == wanted


class Watch:
    """What is said from here on: in the audit, and by the sshd of that client."""

    def __init__(self, world, sshd=None):
        self.world, self.sshd = world, sshd or world.sshd
        wait_for(self.quiet, 5)
        self.audit_mark, self.log_mark = world.mark(), len(self.sshd.text())

    def quiet(self):
        """What went before has been told to its end."""
        codes = [e["event"] for e in self.world.audit()]
        return codes.count("session.opened") == codes.count("session.closed")

    def log(self):
        return self.sshd.text()[self.log_mark:]

    def events(self):
        return self.world.audit()[self.audit_mark:]

    def expect(self, answer):
        """Asserts that this answer, and no other, is what was said."""
        def have():
            codes = {e["event"] for e in self.events()}
            return set(answer.events) <= codes and (not answer.event or self.reasons(answer))
        wait_for(have, 10)
        codes = [e["event"] for e in self.events()]
        missing = [code for code in answer.events if code not in codes]
        assert not missing, f"{missing} not among {codes}"
        assert not set(answer.none) & set(codes), codes
        if answer.event:
            found = self.reasons(answer)
            assert found, f"no {answer.event} {answer.fields} among {self.events()}"
            if not answer.why_no_reason:
                assert all(e.get("reason") and e.get("remedy") and e.get("session") for e in found), found
        else:
            refused = [e for e in self.events() if e.get("reason") and e["reason"] not in answer.may]
            assert not refused, f"the table says that there is no reason to be had: {refused}"
        if answer.log:
            assert wait_for(lambda: re.search(answer.log, self.log()), 5), self.log()

    def reasons(self, answer):
        return [e for e in self.events() if e["event"] == answer.event and
                all(fits(e.get(k), v) for k, v in answer.fields.items())]


@contextlib.contextmanager
def patched(path, edit):
    """A file as edit(text) makes it, for the time of the block."""
    before = path.read_text()
    path.write_text(edit(before))
    try:
        yield
    finally:
        path.write_text(before)


def settle(seconds=0.3):
    """Time for something that must not happen to happen."""
    time.sleep(seconds)
