"""Clients that no package brings: the raw exchanges of the Windows and the shell agents, an agent with remote_config on,
and what programs do with paramiko beside uploading."""

import contextlib
import hashlib
import io
import pathlib
import shutil
import stat
import time

import clients
import pytest
import wire
from world import DATA_IN, wait_for

STOCK_DATA_IN = pathlib.Path("/var/spool/stocka/data_in")
AGENT_MD5 = hashlib.md5(b"test").hexdigest()


def clear(directory):
    for path in directory.iterdir():
        if path.is_file() or path.is_symlink():
            path.unlink()


@pytest.fixture
def both(world, gate, stock):
    """(driver, data_in) of the gate and of the control."""
    yield (clients.Paramiko(gate, DATA_IN), DATA_IN), (clients.Paramiko(stock, STOCK_DATA_IN), STOCK_DATA_IN)
    clear(STOCK_DATA_IN)


# --- the Windows agent (libssh2) --------------------------------------------------------------------------------------

def windows_agent(driver, target, content, name):
    """exec, the header, the data, and away: no status byte, and nothing is read but the answer to the header. Then
    libssh2 waits until the server has closed the channel too, and drops the connection."""
    with driver.session() as client:
        channel = client.get_transport().open_session()
        channel.settimeout(20)
        channel.exec_command(f"scp -t {target}")
        assert channel.recv(1) == b"\0"
        channel.sendall(f"C0666 {len(content)} {name}\n".encode())
        answer = channel.recv(1)
        if answer == b"\0":
            channel.sendall(content)
        else:
            answer += channel.recv(1000)
        channel.close()
        transport = client.get_transport()
        assert wait_for(lambda: transport._channels.get(channel.get_id()) is None, 20)
    return answer


@pytest.mark.parametrize("size", [900, 2_000_000])
def test_windows_agent(world, both, packet, size):
    path = packet("test.12345.data", size)
    for driver, data_in in both:
        assert windows_agent(driver, data_in / path.name, path.read_bytes(), path.name) == b"\0"
        # sshd closes the channel when it cannot write to it any more, which the sink may outlive.
        assert wait_for(lambda: (data_in / path.name).exists() and (data_in / path.name).stat().st_size == size, 10)
        assert (data_in / path.name).read_bytes() == path.read_bytes()
    accepted, = world.events_since(0, "drop.accepted", file=path.name, bytes=size)
    assert stat.S_IMODE((DATA_IN / path.name).stat().st_mode) == 0o660


@pytest.mark.parametrize("name", ["nonsense.txt", "stranger.1.data"])
def test_windows_agent_hears_of_a_refused_name(world, both, packet, name):
    (gate, _), (stock, _) = both
    answer = windows_agent(gate, DATA_IN / name, b"x" * 300, name)
    assert answer.startswith(b"\1") and b"pandora-gate: " in answer
    assert world.delivered() == {}
    assert windows_agent(stock, STOCK_DATA_IN / name, b"x" * 300, name) == b"\0"


def test_windows_agent_cut_short_is_no_file(world, both, packet):
    """Its end of input is taken for a complete file only behind the last byte."""
    (gate, _), (stock, _) = both
    for driver, data_in in both:
        with driver.session() as client:
            channel = client.get_transport().open_session()
            channel.exec_command(f"scp -t {data_in}/test.1.data")
            assert channel.recv(1) == b"\0"
            channel.sendall(b"C0666 1000 test.1.data\n")
            assert channel.recv(1) == b"\0"
            channel.sendall(b"x" * 999)
            channel.close()
    assert wait_for(lambda: not world.drops_running())
    assert world.delivered() == {}
    assert (STOCK_DATA_IN / "test.1.data").exists(), "the control left nothing either"


# --- the shell agents (AIX, Solaris, HP-UX, BSD) ----------------------------------------------------------------------

@pytest.mark.parametrize("command", ["scp -d -t {}", "scp -t -d \"{}\"", "scp -dt {}/", "scp -p -d -t -- {}", "scp -rt {}"])
@pytest.mark.parametrize("size", [900, 2_000_000])
def test_shell_agent_sends_two_files_at_once(world, gate, stock, packet, command, size):
    content = packet("test.1.data", size).read_bytes()
    checksum = b"0123456789abcdef0123456789abcdef  test.21807.data\n"
    data = b"C0640 %d test.21807.checksum\n%s\0C0640 %d test.21807.data\n%s\0" % (len(checksum), checksum, size, content)
    assert wire.through_ssh(gate, command.format(DATA_IN), data) == (0, b"\0" * 5, b"")
    assert world.delivered() == {"test.21807.data": content}
    world.clear()
    # The control: the same bytes do the same to the stock sink, but for the checksum.
    assert wire.through_ssh(stock, command.format(STOCK_DATA_IN), data) == (0, b"\0" * 5, b"")
    assert sorted(p.name for p in STOCK_DATA_IN.iterdir()) == ["test.21807.checksum", "test.21807.data"]
    clear(STOCK_DATA_IN)


# --- remote_config ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_agent_with_remote_config(world, gate, stock, packet, tmp_path, options):
    """Each interval it reads its .md5; when that fails it sends .conf and .md5, and then the packet."""
    def timed(what):
        start = time.monotonic()
        done = what()
        return done, time.monotonic() - start

    _, login = timed(lambda: gate.ssh("exit"))
    stored = DATA_IN / "md5" / f"{AGENT_MD5}.md5"
    stored.write_text("0" * 32)                         # a server that has one
    (DATA_IN / f"{AGENT_MD5}.md5").write_text("0" * 32)
    (STOCK_DATA_IN / f"{AGENT_MD5}.md5").write_text("0" * 32)
    try:
        got = tmp_path / "got"
        done, seconds = timed(lambda: gate.fetch(DATA_IN / f"{AGENT_MD5}.md5", got, options=options))
        assert done.returncode != 0 and not got.exists()
        assert seconds - login < 2
        assert stock.fetch(STOCK_DATA_IN / f"{AGENT_MD5}.md5", got, options=options).returncode == 0
        (DATA_IN / f"{AGENT_MD5}.md5").unlink()
        (STOCK_DATA_IN / f"{AGENT_MD5}.md5").unlink()

        for suffix in ("conf", "md5"):
            path = tmp_path / f"{AGENT_MD5}.{suffix}"
            path.write_text("server_ip 127.0.0.1\n")
            mark = world.mark()
            done, seconds = timed(lambda: gate.scp(path, options=options))
            assert done.returncode != 0
            assert seconds - login < 2
            assert done.stderr.strip(), "its log says nothing"
            refused, *_ = world.events_since(mark, reason="name.remote_config")
            assert "remote_config" in refused["remedy"]
            assert stock.scp(path, to=STOCK_DATA_IN, options=options).returncode == 0
        assert world.delivered() == {}

        path = packet(f"{AGENT_MD5}.1795370700.data")
        assert gate.scp(path, options=options).returncode == 0
        assert world.delivered() == {path.name: path.read_bytes()}
    finally:
        stored.unlink(missing_ok=True)
        clear(STOCK_DATA_IN)


# --- paramiko, beside put and get -------------------------------------------------------------------------------------

PACKET = b"<agent_data agent_name='test'/>"
MARKER = "sent by somebody else"
VICTIM = "test.1.data"                                  # of this key's agent, but from another session

# What must fail: a function of (sftp, data_in as the server names it), and the error's words; None: any.
DENIED = {
    "stat": (lambda s, d: s.stat(f"{d}/{VICTIM}"), FileNotFoundError),
    "lstat": (lambda s, d: s.lstat(f"{d}/{VICTIM}"), FileNotFoundError),
    "stat /etc/passwd": (lambda s, d: s.stat("/etc/passwd"), FileNotFoundError),
    "listdir /etc": (lambda s, d: s.listdir("/etc"), OSError),
    "open r": (lambda s, d: s.open(f"{d}/{VICTIM}", "r").read(), PermissionError),
    "getfo": (lambda s, d: s.getfo(f"{d}/{VICTIM}", io.BytesIO()), OSError),
    "remove": (lambda s, d: s.remove(f"{d}/{VICTIM}"), FileNotFoundError),
    "rename": (lambda s, d: s.rename(f"{d}/{VICTIM}", f"{d}/test.2.data"), FileNotFoundError),
    "posix_rename": (lambda s, d: s.posix_rename(f"{d}/{VICTIM}", f"{d}/test.2.data"), FileNotFoundError),
    "chmod": (lambda s, d: s.chmod(f"{d}/{VICTIM}", 0o777), FileNotFoundError),
    "utime": (lambda s, d: s.utime(f"{d}/{VICTIM}", (1, 1)), FileNotFoundError),
    "truncate": (lambda s, d: s.truncate(f"{d}/{VICTIM}", 1), FileNotFoundError),
    "mkdir": (lambda s, d: s.mkdir(f"{d}/new"), PermissionError),
    "rmdir": (lambda s, d: s.rmdir(f"{d}/old"), PermissionError),
    "symlink": (lambda s, d: s.symlink("/etc/passwd", f"{d}/test.3.data"), PermissionError),
    "readlink": (lambda s, d: s.readlink(f"{d}/link"), OSError),
    "read what one writes": (lambda s, d: readable(s, f"{d}/test.4.data"), OSError),
}


def readable(sftp, path):
    with sftp.open(path, "w+") as file:
        file.write(b"x" * 100)
        file.flush()
        file.seek(0)
        if file.read(10) != b"x" * 10:
            raise OSError("nothing comes back")


@contextlib.contextmanager
def planted(data_in, owner):
    (data_in / VICTIM).write_text(MARKER)
    (data_in / "link").symlink_to("/etc/passwd")
    (data_in / "old").mkdir()
    for name in (VICTIM, "old"):
        shutil.chown(data_in / name, owner)
    try:
        yield
    finally:
        for name in ("old", "new"):
            with contextlib.suppress(OSError):
                (data_in / name).rmdir()
        clear(data_in)


@pytest.mark.parametrize("what", DENIED)
def test_paramiko_is_refused(world, both, what):
    attempt, error = DENIED[what]
    for (driver, data_in), owner in zip(both, ("pandora", "stocka")):
        with planted(data_in, owner), driver.session() as client:
            sftp = client.open_sftp()
            if data_in == STOCK_DATA_IN:
                attempt(sftp, data_in)
                continue
            with pytest.raises(error):
                attempt(sftp, data_in)
            assert (data_in / VICTIM).read_text() == MARKER
            assert (data_in / "old").is_dir() and not (data_in / "new").exists()
            # The session goes on.
            sftp.putfo(io.BytesIO(PACKET), f"{data_in}/test.77.data")
            assert (data_in / "test.77.data").read_bytes() == PACKET


def test_paramiko_sees_its_own_session_and_nothing_else(world, both):
    (driver, data_in), _ = both
    with planted(data_in, "pandora"), driver.session() as client:
        sftp = client.open_sftp()
        assert sftp.normalize(".") == str(data_in)
        assert sftp.listdir(".") == sftp.listdir_attr(str(data_in)) == sftp.listdir("/") == []
        assert stat.S_ISDIR(sftp.stat(".").st_mode) and stat.S_ISDIR(sftp.stat("/var/spool").st_mode)
        sftp.chdir(str(data_in))
        with sftp.open("test.5.data", "wb") as file:
            file.write(PACKET)
            assert file.stat().st_size == len(PACKET)
            file.chmod(0o777)
            file.utime((1, 1))
        for look in (sftp.stat, sftp.lstat):
            assert look("test.5.data").st_size == len(PACKET)
        sftp.chmod("test.5.data", 0o777)                # ignored, and successful: many clients need that
        sftp.utime("test.5.data", None)
        # The server consumes it: to the session it is still what it was.
        (data_in / "test.5.data").unlink()
        assert sftp.stat("test.5.data").st_size == len(PACKET)
        with pytest.raises(PermissionError, match="only files of this session"):
            sftp.remove("test.5.data")


def test_paramiko_append_is_a_new_file(world, both):
    """An agent that appends: what is there stays, and what it has sent is beside it."""
    for (driver, data_in), owner in zip(both, ("pandora", "stocka")):
        with planted(data_in, owner), driver.session() as client:
            with client.open_sftp().open(f"{data_in}/{VICTIM}", "a") as file:
                file.write(b"more")
            found = {p.name: p.read_text() for p in data_in.iterdir() if p.is_file() and not p.is_symlink()}
            assert (found[VICTIM] == MARKER) == (data_in == DATA_IN)
            assert sorted(found.values()) == (["more", MARKER] if data_in == DATA_IN else [MARKER + "more"])


def test_paramiko_sends_a_temporary_name_twice(world, both, packet):
    """The first try is given up; what is renamed is the second. It published the first."""
    for driver, data_in in both:
        with driver.session() as client:
            sftp = client.open_sftp()
            for size in (5000, 4000):
                path = packet("test.6.data", size)
                sftp.put(str(path), f"{data_in}/test.6.data.part")
            sftp.posix_rename(f"{data_in}/test.6.data.part", f"{data_in}/test.6.data")
        assert (data_in / "test.6.data").read_bytes() == path.read_bytes()
    assert list(world.delivered()) == ["test.6.data"]
