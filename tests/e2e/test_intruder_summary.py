"""How many tries the tables of test_intruder*.py hold, and what answered each: printed, and held against the number that
was promised. That each was refused, answered so and succeeds against its control is asserted where the tables are."""

import inspect

import pytest
import test_intruder
import test_intruder_channels
import test_intruder_local
import test_intruder_login
import test_intruder_planted

TABLES = {"requests": test_intruder, "channels": test_intruder_channels, "logins": test_intruder_login,
          "planted, names, paths": test_intruder_planted, "from inside": test_intruder_local}
AT_LEAST = 40
# Without a reason in the audit, and why: anything else without one is a hole.
SSHD_ALONE = {
    # sshd says it in its own log, as its LogLevel is shipped
    "forward_local", "forward_stdio", "forward_dynamic", "unknown_subsystem", "from_elsewhere_v4", "from_elsewhere_v6",
    "password", "root", "administrator",
    # it says it to the client only (keyboard_interactive: in the log of an sshd that is the test's own)
    "forward_remote", "forward_unix_socket", "shell_with_pty", "terminal", "variable", "environment_file", "user_rc",
    "agent_forwarding", "x11", "tunnel", "keyboard_interactive",
}
SHOWN_NOTHING = {"list_data_in", "stat_file", "read_delivered", "append", "make_hard_link"}


def rows():
    return [(name, t) for name, module in TABLES.items() for t in module.TRIES]


def test_the_tables(capsys):
    names = [t.name for _table, t in rows()]
    assert len(names) == len(set((table, t.name) for table, t in rows())) >= AT_LEAST
    with capsys.disabled():
        print(f"\n{len(names)} tries, each refused, each of which succeeds where what refuses it is not there:")
        for table, module in TABLES.items():
            print(f"  {table}: {len(module.TRIES)}")
            for t in module.TRIES:
                print(f"    {t.name}: {t.answer.text()}")


def test_what_has_no_reason_in_the_audit_is_listed():
    without = {t.name for _table, t in rows() if not t.answer.event}
    assert without == SSHD_ALONE | SHOWN_NOTHING
    assert all(t.answer.why_no_reason for _table, t in rows() if not t.answer.event)
    assert len(without) < len(rows()) / 3


@pytest.mark.parametrize("table", TABLES)
def test_every_try_says_what_it_is(table):
    for t in TABLES[table].TRIES:
        assert t.name
        assert callable(t.attempt)
        assert inspect.getmodule(getattr(t.attempt, "func", t.attempt)) is TABLES[table]
