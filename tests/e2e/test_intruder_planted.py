"""What somebody with an agent's key and a login of his own on the server plants in data_in, and names and paths that no
client would send. Each try is made against the gate, and by the same code against a stock sshd, where it must succeed."""

import contextlib
import functools
import os
import pathlib
import pwd
import subprocess

import pytest
import wire
from tries import Try, Watch, drop_told, kept_apart
from wire import Sftp
from world import DATA_IN, wait_for

STOCK_DATA_IN = pathlib.Path("/var/spool/stocka/data_in")
OUTSIDE = pathlib.Path("/var/tmp/intruder")
MARKER = "not to be written"
NAME = "test.1.data"


@contextlib.contextmanager
def target_of(client):
    """A file outside data_in that the account could write if it could name it."""
    OUTSIDE.mkdir(exist_ok=True)
    os.chown(OUTSIDE, pwd.getpwnam(client.user).pw_uid, -1)
    path = OUTSIDE / "target"
    path.write_text(MARKER)
    os.chown(path, pwd.getpwnam(client.user).pw_uid, -1)
    try:
        yield path
    finally:
        for left in OUTSIDE.iterdir():
            left.unlink()


def source(tmp, name=NAME, text="x"):
    path = tmp / name
    path.write_text(text)
    return path


def send(client, where, tmp, legacy):
    client.scp(source(tmp), to=where, options=["-O"] if legacy else [])


def as_raw_sftp(client, session):
    """The answers. A stock server forgets what it has not answered when its input ends: so that stays open."""
    argv = client.ssh_argv("-s", f"{client.user}@{client.host}", "sftp")
    process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               bufsize=0)
    out = b""
    try:
        process.stdin.write(session.bytes)
        while len(wire.answers(out)) <= session.id:
            block = process.stdout.read(65536)
            if not block:
                break
            out += block
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(20)
    return wire.answers(out)


def taken(answers):
    """Was any of the requests behind INIT done?"""
    return any(kind in (wire.HANDLE, wire.DATA, wire.NAME, wire.ATTRS, wire.EXTENDED_REPLY) or code == wire.OK
               for number, kind, code, _text in answers if kind != wire.VERSION)


# --- planted in data_in: the write must not go where it leads -----------------------------------------------------------

def planted(client, where, tmp, legacy, plant):
    path = pathlib.Path(where) / NAME
    with target_of(client) as target:
        plant(target, path)
        try:
            send(client, where, tmp, legacy)
            return target.read_text() != MARKER
        finally:
            path.unlink(missing_ok=True)


def symlink(client, where, tmp, legacy):
    """A symlink under the name of a packet, to a file that the account may write."""
    return planted(client, where, tmp, legacy, lambda target, path: path.symlink_to(target))


def dangling_symlink(client, where, tmp, legacy):
    """A symlink to a file that is not there yet."""
    with target_of(client) as target:
        path = pathlib.Path(where) / NAME
        path.symlink_to(target.with_name("made"))
        try:
            send(client, where, tmp, legacy)
            return target.with_name("made").exists()
        finally:
            path.unlink(missing_ok=True)


def hard_link(client, where, tmp, legacy):
    """A hard link under the name of a packet."""
    return planted(client, where, tmp, legacy, lambda target, path: os.link(target, path))


def fifo(client, where, tmp, legacy):
    """A FIFO under the name of a packet: who reads it has what the agent sends."""
    path = pathlib.Path(where) / NAME
    os.mkfifo(path, 0o666)
    os.chmod(path, 0o666)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        send(client, where, tmp, legacy)

        def read():
            with contextlib.suppress(BlockingIOError):
                return os.read(reader, 100)
        return bool(wait_for(read, 0.5))
    finally:
        os.close(reader)
        path.unlink()


def directory_link(client, where, tmp, legacy):
    """A symlink to a directory, as the target."""
    with target_of(client):
        path = pathlib.Path(where) / "elsewhere"
        path.symlink_to(OUTSIDE)
        try:
            send(client, path, tmp, legacy)
            return (OUTSIDE / NAME).exists()
        finally:
            path.unlink()


# --- names --------------------------------------------------------------------------------------------------------------

def a_name(client, where, _tmp, name):
    """Sent raw: OpenSSH's own client would refuse some of them."""
    path = os.path.join(os.fsencode(where), name)
    as_raw_sftp(client, Sftp().open(path).write(0, 0, b"x").close(0))
    made = os.path.lexists(path)
    if made:
        os.unlink(path)
    return made


def newline_in_a_record(client, where, _tmp):
    """scp's record ends where the name does: what is behind a newline is a second record. Stock scp has both, too."""
    client.ssh("scp", "-t", where, input="C0644 1 test.1.data\nx\0C0644 1 x.sh\nx\0")
    made = (pathlib.Path(where) / "x.sh").exists()
    empty(pathlib.Path(where))
    return made


# --- traversal, in every protocol ---------------------------------------------------------------------------------------

def climbing(client, where, tmp, how):
    """`..` in the path of an upload."""
    with target_of(client):
        to = f"{where}/../../../../..{OUTSIDE}/{NAME}"
        if how == "scp":
            client.scp(source(tmp), to=to)
        elif how == "scp_O":
            client.scp(source(tmp), to=to, options=["-O"])
        elif how == "sftp":
            client.sftp(f"put {source(tmp)} {to}")
        elif how == "raw":
            as_raw_sftp(client, Sftp().open(to).write(0, 0, b"x").close(0))
        elif how == "absolute":
            client.scp(source(tmp), to=OUTSIDE / NAME)
        elif how == "absolute_O":
            client.scp(source(tmp), to=OUTSIDE / NAME, options=["-O"])
        else:
            as_raw_sftp(client, Sftp().open(f"{where}/{NAME}").write(0, 0, b"x").close(0).two(
                wire.RENAME, f"{where}/{NAME}", to))
            (pathlib.Path(where) / NAME).unlink(missing_ok=True)
        return (OUTSIDE / NAME).exists()


# --- requests that OpenSSH's client does not send when it is told that nothing is there -----------------------------------

def delivered(where):
    path = pathlib.Path(where) / NAME
    path.write_text(MARKER)
    path.chmod(0o666)
    os.chown(path, path.parent.stat().st_uid, -1)
    return path


def raw_read(client, where, _tmp):
    """OPEN for reading."""
    return taken(as_raw_sftp(client, Sftp().open(delivered(where), wire.F_READ)))


def raw_append(client, where, _tmp):
    """OPEN for appending, of a file that another session has sent."""
    path = delivered(where)
    os.rename(path, path.with_name("web02.1.data"))
    path = path.with_name("web02.1.data")
    as_raw_sftp(client, Sftp().open(path, wire.F_WRITE | wire.F_APPEND).write(0, len(MARKER), b"more").close(0))
    gained = path.read_text() != MARKER
    path.unlink()
    return gained


def raw_hard_link(client, where, _tmp):
    """The extension that OpenSSH has for it."""
    path = delivered(where)
    made = path.with_name("hard.1.data")
    as_raw_sftp(client, Sftp().extended("hardlink@openssh.com", wire.string(path), wire.string(made)))
    gained = made.exists()
    made.unlink(missing_ok=True)
    return gained


def raw_space(client, where, _tmp):
    """How full the disk is."""
    return taken(as_raw_sftp(client, Sftp().extended("statvfs@openssh.com", wire.string(where))))


def raw_read_link(client, where, _tmp):
    """Where a link leads."""
    link = pathlib.Path(where) / "link"
    link.symlink_to("/etc/passwd")
    gained = taken(as_raw_sftp(client, Sftp().path(wire.READLINK, link)))
    link.unlink()
    return gained


def in_protocols(attempt, answer):
    for legacy in (False, True):
        bound = functools.partial(attempt, legacy=legacy)
        bound.__name__ = attempt.__name__ + ("_legacy" if legacy else "")
        bound.__doc__ = attempt.__doc__
        yield Try(bound, answer)


def with_value(attempt, case, answer, **value):
    bound = functools.partial(attempt, **value)
    bound.__name__ = f"{attempt.__name__}_{case}"
    bound.__doc__ = attempt.__doc__
    return Try(bound, answer)


TRIES = [
    *in_protocols(symlink, kept_apart()),
    *in_protocols(dangling_symlink, kept_apart()),
    *in_protocols(hard_link, kept_apart()),
    # Legacy only: a stock sftp-server writes at offsets, which no FIFO has, so the control would fail.
    *(t for t in in_protocols(fifo, kept_apart()) if t.name == "fifo_legacy"),
    *in_protocols(directory_link, drop_told("name.form", "drop.refused")),
    with_value(a_name, "escape", drop_told("name.byte", "drop.refused"), name=b"te\x1b]0;owned\x07st.1.data"),
    with_value(a_name, "newline", drop_told("name.byte", "drop.refused"), name=b"test\nC0644 1 x.1.data"),
    with_value(a_name, "quote", drop_told("agent.name", "drop.refused"), name=b"$(id)';\"`id`.1.data"),
    with_value(a_name, "dots", drop_told("name.form", "drop.refused"), name=b".htaccess"),
    with_value(a_name, "long", drop_told("name.length", "drop.refused"), name=b"x" * 245 + b".1.data"),
    Try(newline_in_a_record, drop_told("name.form", "drop.refused")),
    *(with_value(climbing, how, drop_told("name.path"), how=how)
      for how in ("scp", "scp_O", "sftp", "raw", "absolute", "absolute_O")),
    with_value(climbing, "rename", drop_told("request.foreign_file"), how="rename"),
    Try(raw_read, drop_told("request.read")),
    Try(raw_append, drop_told("agent.name", "drop.refused")),
    Try(raw_hard_link, drop_told("request.unsupported")),
    Try(raw_space, drop_told("request.unsupported")),
    Try(raw_read_link, drop_told("request.read")),
]


def empty(directory):
    for path in directory.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink()


@pytest.mark.parametrize("row", TRIES, ids=lambda t: t.name)
def test_refused(world, gate, stock, row, tmp_path):
    for name in ("gate", "stock"):
        (tmp_path / name).mkdir()
    watch = Watch(world)
    assert not row.attempt(gate, str(DATA_IN), tmp_path / "gate")
    watch.expect(row.answer)
    empty(STOCK_DATA_IN)
    try:
        assert row.attempt(stock, str(STOCK_DATA_IN), tmp_path / "stock"), "the control did not succeed: the probe shows nothing"
    finally:
        empty(STOCK_DATA_IN)
