"""Words: each reason of lib/spool/reason.cpp that a client can provoke reaches it, the audit and the manual in the same
words; and no name reaches a terminal or a log as it was sent."""

import contextlib
import json
import pathlib
import re
import subprocess

import pytest
import wire
from wire import Sftp
from world import AUDIT, DATA_IN, STAGING, TREE, policy, wait_for

ROW = re.compile(r'\{"([a-z_.]+)",\s*"([^"]*)",\s*"([^"]*)",\s*Kind::(\w+)\}')
REASONS = {code: (what, remedy, kind)
           for code, what, remedy, kind in ROW.findall((TREE / "lib/spool/reason.cpp").read_text())}
STATUS_OF = {"policy": wire.PERMISSION_DENIED, "resource": wire.FAILURE, "unsupported": wire.OP_UNSUPPORTED}
STOCK_DATA_IN = pathlib.Path("/var/spool/stocka/data_in")


def sentence(code):
    what, remedy, _kind = REASONS[code]
    return f"pandora-gate: {what}; {remedy}"


def header(name, size=300):
    return b"C0644 %d %s\n" % (size, wire.raw(name))


def record(name, size=300):
    return header(name, size) + b"x" * size + b"\0"


def packet(name, content):
    return header(name, len(content)) + content + b"\0"


DOCTYPE = b"<!DOCTYPE agent_data><agent_data agent_name='test'/>"
# Room for two.
SMALL_QUARANTINE = {"quarantine": {"max_size": 17_000}, "drop": {"max_file_size": 1000}}

# --- how each is provoked: SCP (command, bytes, settings), SFTP (requests, settings) ------------------------------------

TO = f"scp -t {DATA_IN}"
REMOTE_CONFIG = "00112233445566778899aabbccddeeff.conf"

BY_SCP = {
    "name.form": (TO, header("nonsense.txt")),
    "name.byte": (TO, header("te\x1bst.1.data")),
    "name.length": (TO, header("x" * 250 + ".1.data")),
    "name.path": ("scp -t /etc/cron.d", b""),
    "name.remote_config": (TO, header(REMOTE_CONFIG)),
    "agent.name": (TO, header("stranger.1.data")),
    "size.file": (TO, header("test.1.data", 2_000_001)),
    "limit.session_files": (TO, record("test.1.data") + header("test.2.data"), {"drop": {"session_files": 1}}),
    "limit.session_bytes": (TO, record("test.1.data", 600) + header("test.2.data", 600),
                            {"drop": {"session_bytes": 1000, "max_file_size": 1000}}),
    "space.free": (TO, header("test.1.data"), {"spool": {"min_free": "900 GB"}}),
    "transfer.incomplete": (TO, b"C0644 10 test.1.data\n12345"),
    "transfer.client_error": (TO, b"C0644 3 test.1.data\nabc\1the disk is broken\n"),
    "transfer.protocol": (TO, b"hello\n"),
    "request.read": (f"scp -f {DATA_IN}/test.1.data", b"\0"),
    "request.command": ("id", b""),
    "request.command_text": (f"scp -t {DATA_IN} and more", b""),
    "request.recursive": (f"scp -r -t {DATA_IN}", b"D0755 0 directory\n"),
    "quota.files": (TO, record("test.1.data") + header("test.2.data"), {"quota": {"files": 1}}),
    "quota.bytes": (TO, record("test.1.data", 600) + header("test.2.data", 600),
                    {"quota": {"bytes": 1000}, "drop": {"max_file_size": 1000}}),
    "spool.backlog": (TO, record("test.1.data") + header("test.2.data"), {"spool": {"max_backlog": 1}}),
    "spool.paused": (TO, header("test.1.data"), "paused"),
    "audit.away": (TO, header("test.1.data"), "no logger"),
    "quarantine.full": (TO, b"".join(packet(f"test.{n}.data", DOCTYPE) for n in range(3)), SMALL_QUARANTINE),
    "agent.unbound": (TO, header("test.1.data"), "unbound"),
    "server.spool": (TO, header("test.1.data"), "spool unusable"),
}


def put(name, content):
    return Sftp().open(name).write(0, 0, content).close(0)


def writes(count, size):
    session = Sftp()
    for n in range(count):
        session.open(f"test.{n}.data")
    for n in range(count):
        session.write(n, size - 1, b"x")
    return session


BY_SFTP = {
    "name.form": Sftp().open("nonsense.txt"),
    "name.byte": Sftp().open("te\x1bst.1.data"),
    "name.length": Sftp().open("x" * 250 + ".1.data"),
    "name.path": Sftp().open("/etc/test.1.data"),
    "name.remote_config": Sftp().open(REMOTE_CONFIG),
    "agent.name": Sftp().open("stranger.1.data"),
    "size.file": writes(1, 2_000_001),
    "limit.session_files": (Sftp().open("test.1.data").write(0, 0, b"x").close(0).open("test.2.data"),
                            {"drop": {"session_files": 1}}),
    "limit.session_bytes": (Sftp().open("test.1.data").write(0, 0, b"x" * 600).close(0).open("test.2.data")
                            .write(0, 0, b"x" * 600).close(0), {"drop": {"session_bytes": 1000, "max_file_size": 1000}}),
    "limit.staged_bytes": writes(2, 1_500_000),
    "limit.open_files": writes(9, 1),
    "space.free": (Sftp().open("test.1.data"), {"spool": {"min_free": "900 GB"}}),
    "transfer.incomplete": Sftp().open("test.1.data").write(0, 5, b"x").close(0),
    "request.read": Sftp().open("test.1.data", wire.F_READ),
    "request.directory": Sftp().path(wire.MKDIR, "new", wire.NO_ATTRS),
    "request.foreign_file": Sftp().path(wire.REMOVE, "/etc/passwd"),
    "request.unsupported": Sftp().ask(21),
    "quota.files": (put("test.1.data", b"x").open("test.2.data"), {"quota": {"files": 1}}),
    "spool.backlog": (put("test.1.data", b"x").open("test.2.data"), {"spool": {"max_backlog": 1}}),
    "spool.paused": (Sftp().open("test.1.data"), "paused"),
    "audit.away": (Sftp().open("test.1.data"), "no logger"),
    "quarantine.full": (put("test.0.data", DOCTYPE).open("test.1.data").write(0, 0, DOCTYPE).close(0)
                        .open("test.2.data").write(0, 0, DOCTYPE).close(0), SMALL_QUARANTINE),
    "agent.unbound": (Sftp().open("test.1.data"), "unbound"),
    "server.spool": (Sftp().open("test.1.data"), "spool unusable"),
}

# Provoked below, in their own way.
TIMES = {"time.idle": {"drop": {"idle_timeout": "1s"}},
         "time.session": {"drop": {"idle_timeout": "1s", "session_timeout": "1s"}}}
# The client is gone, or asked for it, or hears success so that one packet does not hold up the next.
AUDIT_ONLY = {"content.doctype": put("test.1.data", DOCTYPE),
              "content.root": put("test.1.data", b"<other agent_name='test'/>"),
              "content.agent": put("test.1.data", b"<agent_data/>"),
              "content.complex": put("test.1.data", b"<agent_data agent_name='test'>" + b"<a>" * 60_000),
              "agent.mismatch": put("test.1.data", b"<agent_data agent_name='web01'/>"),
              "transfer.aborted": Sftp().open("test.1.data"),
              "transfer.removed": Sftp().open("test.1.data.part").close(0).path(wire.REMOVE, "test.1.data.part")}
# No client can: nothing has failed, or the server is broken.
NOT_BY_A_CLIENT = {"none", "server.internal"}
# Who asks for a shell is greeted.
GREETED = {"request.shell"}


# Heard of by the audit alone, of what was uploaded by FTP: test_sweep.py.
BY_SWEEP = ("ftp.incomplete", "ftp.sender", "ftp.unsafe", "ftp.large")

# Of logins that can only hand over a key: test_enrol.py, test_enrol_attacks.py.
BY_ENROLMENT = ("enrol.only", "enrol.no_key", "enrol.many_keys", "enrol.large", "enrol.bytes", "enrol.away")


def test_every_reason_is_provoked():
    assert len(REASONS) > 20
    assert set(REASONS) == {*BY_SCP, *BY_SFTP, *TIMES, *AUDIT_ONLY, *NOT_BY_A_CLIENT, *GREETED, *BY_SWEEP, *BY_ENROLMENT}


@pytest.mark.parametrize("code", REASONS)
def test_the_manual_has_the_same_words(code):
    if code == "none":
        return
    what, remedy, _kind = REASONS[code]
    page = "sweep" if code in BY_SWEEP else "drop"
    manual = " ".join((TREE / f"doc/man/pandora-gate-{page}.8").read_text().split())
    trail = (TREE / "doc/audit.md").read_text()
    assert f"{what}; {remedy}" in manual
    assert f"| `{code}` | {what} | {remedy} |" in trail


@contextlib.contextmanager
def settings_of(world, entry, position):
    settings = entry[position] if isinstance(entry, tuple) and len(entry) > position else {}
    if settings == "spool unusable":
        STAGING.rename(STAGING.with_name("away"))
        try:
            yield
        finally:
            STAGING.with_name("away").rename(STAGING)
    elif settings == "paused":
        world.gate("pause")
        try:
            yield
        finally:
            world.gate("resume")
    elif settings == "no logger":
        with policy(world, audit={"mode": "required"}):
            world.stop_rsyslog()
            try:
                yield
            finally:
                world.start_rsyslog()
    elif settings == "unbound":
        key = world.new_key("words-unbound")
        world.gate("keys", "add", f"{key}.pub")
        with policy(world, binding={"unbound_keys": "refuse"}):
            yield
    elif settings:
        with policy(world, **settings):
            yield
    else:
        yield


def client_for(world, gate, code):
    """For one of them it takes a key without agents: settings_of() has added it."""
    return world.client(world.new_key("words-unbound")) if code == "agent.unbound" else gate


def check_audit(world, mark, code):
    if code == "audit.away":
        return      # nobody was there to be told
    what, remedy, _kind = REASONS[code]
    events = world.events_since(mark, reason=code)
    assert events, [(e["event"], e.get("reason")) for e in world.events_since(mark)]
    assert all((e["why"], e["remedy"]) == (what, remedy) for e in events)


@pytest.mark.parametrize("code", BY_SCP)
def test_scp_says_why(world, gate, code):
    command, data = BY_SCP[code][:2]
    with settings_of(world, BY_SCP[code], 2):
        mark = world.mark()
        status, out, err = wire.through_ssh(client_for(world, gate, code), command, data)
        check_audit(world, mark, code)
    assert status == 1
    if code == "request.command":   # no protocol: for a person
        assert (out, err) == (b"", f"{sentence(code)}\n".encode())
        return
    assert err == b""
    line = out.lstrip(b"\0").decode("ascii")
    assert line.startswith("\1") and line.endswith(f"{sentence(code)}\n") and line.count("\n") == 1
    assert len(world.delivered()) <= 1


@pytest.mark.parametrize("code", BY_SFTP)
def test_sftp_says_why(world, gate, code):
    session = BY_SFTP[code][0] if isinstance(BY_SFTP[code], tuple) else BY_SFTP[code]
    with settings_of(world, BY_SFTP[code], 1):
        mark = world.mark()
        _status, out, _err = wire.sftp_through_ssh(client_for(world, gate, code), session)
        check_audit(world, mark, code)
    said = {(code_, text) for _id, kind, code_, text in wire.answers(out) if kind == wire.STATUS and code_ != wire.OK}
    assert (STATUS_OF[REASONS[code][2]], sentence(code)) in said
    assert len(wire.answers(out)) == session.id + 1


@pytest.mark.parametrize("code", GREETED)
def test_who_asks_for_a_shell_is_greeted_and_the_audit_says_so(world, gate, code):
    mark = world.mark()
    done = gate.ssh()
    assert (done.returncode, done.stderr) == (0, "")
    check_audit(world, mark, code)


@pytest.mark.parametrize("code", TIMES)
@pytest.mark.parametrize("protocol", ["scp", "sftp"])
def test_time_is_up(world, gate, code, protocol):
    with policy(world, **TIMES[code]):
        mark = world.mark()
        where = ["-s", f"{gate.user}@{gate.host}", "sftp"] if protocol == "sftp" else [f"{gate.user}@{gate.host}", TO]
        begun = Sftp().open("test.1.data").bytes if protocol == "sftp" else b"C0644 10 test.1.data\n"
        process = subprocess.Popen([str(a) for a in gate.ssh_argv(*where)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(begun)
        process.stdin.flush()
        assert process.wait(20) == 1
        said = process.stdout.read().decode("ascii", "replace")
        check_audit(world, mark, code)
        if protocol == "scp":           # no SFTP answer without a request
            assert f"\1{sentence(code)}\n" in said
        process.communicate()


@pytest.mark.parametrize("code", AUDIT_ONLY)
def test_only_the_audit_is_told(world, gate, code):
    mark = world.mark()
    wire.sftp_through_ssh(gate, AUDIT_ONLY[code])
    check_audit(world, mark, code)
    assert world.delivered() == {}


# --- untrusted names --------------------------------------------------------------------------------------------------

NAMES = {
    "escape": b"\x1b]0;owned\x07\x1b[2Jtest.1.data",
    "newline": b"test.1.data\n{\"event\":\"drop.accepted\"}",
    "carriage return": b"nonsense\rtest.1.data",
    "c1 control": b"\x9b31mtest.1.data",
    "invalid UTF-8": b"\xff\xfe\xc3(\x80.1.data",
    "quotes": b"\"}\\u0000\\\".1.data",
    "300 bytes": b"x" * 293 + b".1.data",
    "300 escapes": b"\x1b" * 300,
    "format": b"%s%n%d.1.data",
}
SHOWN_BYTES = 300                       # at most this much of a name, four characters a byte


def is_plain(data):
    return all(0x20 <= byte <= 0x7e for byte in data)


def audited(world, offset, name):
    """The lines written since then, as bytes: each plain ASCII, and one that holds the name."""
    def lines():
        with open(AUDIT, "rb") as file:
            file.seek(offset)
            return file.read().splitlines()
    assert wait_for(lambda: any(b"session.summary" in line for line in lines()))
    found = lines()
    assert all(is_plain(line) and len(line) < 8192 for line in found)
    shown = [v for e in map(json.loads, found) for k, v in e.items() if k in ("file", "request")]
    assert shown
    for text in shown:
        whole = text.removesuffix("...").encode("latin-1")
        assert whole in (name[:len(whole)], b"%s/%s" % (str(DATA_IN).encode(), name[:len(whole) - len(str(DATA_IN)) - 1]))
        assert len(whole) <= SHOWN_BYTES and (len(whole) >= len(name) or text.endswith("...") or len(whole) == SHOWN_BYTES)


@pytest.mark.parametrize("which", NAMES)
def test_names_are_shown_escaped_by_scp(world, gate, stock, which):
    name = NAMES[which]
    offset = AUDIT.stat().st_size
    if b"\n" in name:                   # a record ends there: only the command can carry it
        data, command = header("test.1.data"), f"scp -t '{DATA_IN}/{name.decode()}'"
    else:
        data, command = header(name), TO
    status, out, err = wire.through_ssh(gate, command, data)
    assert status == 1 and err == b""
    line = out.lstrip(b"\0")
    assert line[:1] == b"\1" and line[-1:] == b"\n" and is_plain(line[1:-1])
    assert len(line) < 4 * SHOWN_BYTES + 300
    audited(world, offset, name)
    assert world.delivered() == {}


@pytest.mark.parametrize("which", NAMES)
def test_names_are_shown_escaped_by_sftp(world, gate, which):
    name = NAMES[which]
    path = str(DATA_IN).encode() + b"/" + name
    for session in (Sftp().open(path), Sftp().path(wire.MKDIR, path, wire.NO_ATTRS), Sftp().path(wire.REMOVE, path),
                    Sftp().two(wire.SYMLINK, path, path), Sftp().open(path, wire.F_READ)):
        world.forget()      # else what was refused before is not told again
        offset = AUDIT.stat().st_size
        _status, out, _err = wire.sftp_through_ssh(gate, session)
        (_id, kind, code, text), = wire.answers(out)[1:]
        assert kind == wire.STATUS and code != wire.OK
        assert is_plain(text.encode())
        audited(world, offset, name)


def test_stock_scp_shows_names_as_they_are(stock):
    """The control: these bytes reach whoever looks."""
    name = b"/" + NAMES["escape"]
    _status, out, _err = wire.through_ssh(stock, f"scp -t {STOCK_DATA_IN}", header(name))
    assert b"\x1b]0;owned" in out
