"""What somebody with an agent's key gets beside dropping packets: nothing. Each try is made against the gate, and as
its positive control, by the same code, against a stock sshd, where it must succeed."""

import contextlib
import pathlib
import socket
import subprocess
import time

import pytest
from tries import Try, Watch, drop_told, shown_nothing, sshd_alone
from world import DATA_IN, port_answers, wait_for

STOCK_DATA_IN = pathlib.Path("/var/spool/stocka/data_in")
MARKER = "written by somebody else"


@pytest.fixture
def victim(world):
    """A delivered file of another agent, on both sides."""
    for directory in (DATA_IN, STOCK_DATA_IN):
        path = directory / "victim.1.data"
        path.write_text(MARKER)
        path.chmod(0o666)
    yield "victim.1.data"
    (STOCK_DATA_IN / "victim.1.data").unlink(missing_ok=True)


# --- tries: each returns what was gained, or nothing -----------------------------------------------------------------

def shell(client, _where, _tmp):
    done = client.ssh(input="echo shell-$((40+2)); exit 0\n")
    return "shell-42" in done.stdout


def shell_with_pty(client, _where, _tmp):
    done = client.ssh(options=["-tt"], input="echo shell-$((40+2))\nexit\n")
    return "shell-42" in done.stdout


def run_id(client, _where, _tmp):
    return "uid=" in client.ssh("id").stdout


def run_through_scp_target(client, where, tmp):
    """CVE-2020-15778: the target of the legacy protocol reaches a shell."""
    source = tmp / "test.1.data"
    source.write_text("x")
    pathlib.Path("/tmp/injected").unlink(missing_ok=True)
    client.scp(source, to=f"`touch${{IFS}}/tmp/injected`{where}", options=["-O"])
    return pathlib.Path("/tmp/injected").exists()


def run_after_scp(client, where, _tmp):
    pathlib.Path("/tmp/injected").unlink(missing_ok=True)
    client.ssh(f"scp -t {where}; touch /tmp/injected", input="")
    return pathlib.Path("/tmp/injected").exists()


def list_etc(client, _where, _tmp):
    return "passwd" in client.sftp("ls /etc").stdout


def list_data_in(client, where, _tmp):
    return "victim" in client.sftp(f"ls {where}").stdout


def stat_file(client, where, _tmp):
    return client.sftp(f"ls -l {where}/victim.1.data").returncode == 0


def read_passwd(client, _where, tmp):
    client.fetch("/etc/passwd", tmp / "got")
    return (tmp / "got").exists()


def read_passwd_legacy(client, _where, tmp):
    client.fetch("/etc/passwd", tmp / "got", options=["-O"])
    return (tmp / "got").exists()


def read_passwd_sftp(client, _where, tmp):
    client.sftp(f"get /etc/passwd {tmp}/got")
    return (tmp / "got").exists()


def read_delivered(client, where, tmp):
    client.fetch(f"{where}/victim.1.data", tmp / "got")
    return (tmp / "got").exists()


def read_delivered_legacy(client, where, tmp):
    client.fetch(f"{where}/victim.1.data", tmp / "got", options=["-O"])
    return (tmp / "got").exists()


def overwrite(client, where, tmp):
    source = tmp / "victim.1.data"
    source.write_text("overwritten")
    client.scp(source, to=where)
    return (pathlib.Path(where) / "victim.1.data").read_text() != MARKER


def overwrite_legacy(client, where, tmp):
    source = tmp / "victim.1.data"
    source.write_text("overwritten")
    client.scp(source, to=where, options=["-O"])
    return (pathlib.Path(where) / "victim.1.data").read_text() != MARKER


def append(client, where, tmp):
    source = tmp / "longer"
    source.write_text(MARKER + " and more")
    client.sftp(f"reput {source} {where}/victim.1.data")
    return (pathlib.Path(where) / "victim.1.data").read_text() != MARKER


def remove(client, where, _tmp):
    client.sftp(f"rm {where}/victim.1.data")
    return not (pathlib.Path(where) / "victim.1.data").exists()


def rename(client, where, _tmp):
    client.sftp(f"rename {where}/victim.1.data {where}/victim.2.data")
    moved = (pathlib.Path(where) / "victim.2.data").exists()
    (pathlib.Path(where) / "victim.2.data").unlink(missing_ok=True)
    return moved


def change_mode(client, where, _tmp):
    # The stock account can do it to a file of its own only.
    import os
    os.chown(pathlib.Path(where) / "victim.1.data", pathlib.Path(where).stat().st_uid, -1)
    client.sftp(f"chmod 777 {where}/victim.1.data")
    return (pathlib.Path(where) / "victim.1.data").stat().st_mode & 0o777 == 0o777


def make_directory(client, where, _tmp):
    client.sftp(f"mkdir {where}/made")
    made = pathlib.Path(where) / "made"
    existed = made.exists()
    with contextlib.suppress(OSError):
        made.rmdir()
    return existed


def make_symlink(client, where, _tmp):
    client.sftp(f"ln -s /etc/passwd {where}/link.1.data")
    link = pathlib.Path(where) / "link.1.data"
    made = link.is_symlink()
    link.unlink(missing_ok=True)
    return made


def make_hard_link(client, where, _tmp):
    client.sftp(f"ln {where}/victim.1.data {where}/hard.1.data")
    link = pathlib.Path(where) / "hard.1.data"
    made = link.exists()
    link.unlink(missing_ok=True)
    return made


def write_above(client, where, tmp):
    """`..` in a path."""
    source = tmp / "up.1.data"
    source.write_text("x")
    client.sftp(f"put {source} {where}/../up.1.data")
    target = pathlib.Path(where).parent / "up.1.data"
    made = target.exists()
    target.unlink(missing_ok=True)
    return made


def write_etc_by_traversal(client, where, tmp):
    """../../etc/x: the stock account may not write /etc either, so /tmp stands for it."""
    source = tmp / "x.1.data"
    source.write_text("x")
    for options in ([], ["-O"]):
        client.scp(source, to=f"{where}/../../../../tmp/escaped.1.data", options=options)
    made = pathlib.Path("/tmp/escaped.1.data").exists()
    pathlib.Path("/tmp/escaped.1.data").unlink(missing_ok=True)
    return made


def write_subdirectory(client, where, tmp):
    source = tmp / "test.9.data"
    source.write_text("x")
    sub = pathlib.Path(where) / "sub"
    sub.mkdir(exist_ok=True)
    sub.chmod(0o777)
    for options in ([], ["-O"]):
        client.scp(source, to=sub, options=options)
    made = (sub / "test.9.data").exists()
    (sub / "test.9.data").unlink(missing_ok=True)
    sub.rmdir()
    return made


def traversal_in_record(client, where, _tmp):
    """A hand-made C record whose name climbs; scp's own sink refuses it too, so the control is a plain name."""
    target = pathlib.Path(where).parent / "climbed.1.data"
    name = "../climbed.1.data" if "pandora" in where else "climbed.1.data"
    client.ssh("scp", "-t", where, input=f"C0644 1 {name}\nx\0")
    made = target.exists() or (pathlib.Path(where) / "climbed.1.data").exists()
    for path in (target, pathlib.Path(where) / "climbed.1.data"):
        path.unlink(missing_ok=True)
    return made


def other_agent(client, where, tmp):
    """A packet under the name of an agent that the key is not bound to."""
    source = tmp / "stranger.1.data"
    source.write_text("x")
    for options in ([], ["-O"]):
        client.scp(source, to=where, options=options)
    target = pathlib.Path(where) / "stranger.1.data"
    made = target.exists()
    target.unlink(missing_ok=True)
    return made


def not_a_packet(client, where, tmp):
    for name in ("x.php", ".hidden.1.data", "0123456789abcdef0123456789abcdef.conf"):
        (tmp / name).write_text("x")
        for options in ([], ["-O"]):
            client.scp(tmp / name, to=where, options=options)
    made = [p for p in pathlib.Path(where).iterdir() if p.name.endswith((".php", ".conf", "hidden.1.data"))]
    for path in made:
        if path.is_file():
            path.unlink()
    return any(p.name != "conf" for p in made)


@contextlib.contextmanager
def tunnel(client, *options):
    argv = client.ssh_argv("-N", "-o", "ExitOnForwardFailure=yes", *options, f"{client.user}@{client.host}")
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def forward_local(client, _where, _tmp):
    """-L to sshd's own port: the banner comes back through the tunnel."""
    with tunnel(client, "-L", f"127.0.0.1:4711:127.0.0.1:{client.sshd.port}"):
        if not wait_for(lambda: port_answers(4711), 3):
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 4711), timeout=3) as s:
            return s.recv(4) == b"SSH-"
    return False


def forward_remote(client, _where, _tmp):
    with tunnel(client, "-R", f"127.0.0.1:4712:127.0.0.1:{client.sshd.port}"):
        return wait_for(lambda: port_answers(4712), 2)


def forward_stdio(client, _where, _tmp):
    done = client.ssh(options=["-W", f"127.0.0.1:{client.sshd.port}"], input="x\n", timeout=20)
    return "SSH-" in done.stdout


def forward_unix_socket(client, _where, tmp):
    path = "/tmp/forwarded.sock"
    pathlib.Path(path).unlink(missing_ok=True)
    with tunnel(client, "-R", f"{path}:127.0.0.1:{client.sshd.port}"):
        return wait_for(lambda: pathlib.Path(path).exists(), 2)


def forward_dynamic(client, _where, _tmp):
    with tunnel(client, "-D", "127.0.0.1:4713"):
        if not wait_for(lambda: port_answers(4713), 3):
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 4713), timeout=3) as s:
            s.sendall(b"\x05\x01\x00")
            if s.recv(2) != b"\x05\x00":
                return False
            s.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + client.sshd.port.to_bytes(2, "big"))
            if s.recv(10)[1:2] != b"\x00":
                return False
            return s.recv(4) == b"SSH-"
    return False


def environment(client, _where, _tmp):
    """LANG and LC_* are accepted by Debian's sshd_config: they must not reach anything that shows them."""
    done = client.ssh("env", options=["-o", "SetEnv=LC_PANDORA=leaks"])
    return "leaks" in done.stdout or "PATH=" in done.stdout


NOT_THERE = "a client asks for the name that it is about to send, too"
TRIES = [
    Try(shell, drop_told("request.shell")),
    Try(run_id, drop_told("request.command")),
    Try(run_through_scp_target, drop_told("request.command_text")),
    Try(run_after_scp, drop_told("request.command_text")),
    Try(list_etc, drop_told("name.form")),
    Try(list_data_in, shown_nothing("clients list the directory that they send to")),
    Try(stat_file, shown_nothing(NOT_THERE)),
    Try(read_passwd, drop_told("name.path")),
    Try(read_passwd_legacy, drop_told("request.read")),
    Try(read_passwd_sftp, drop_told("name.path")),
    Try(read_delivered, shown_nothing(NOT_THERE)),
    Try(read_delivered_legacy, drop_told("request.read")),
    Try(overwrite, drop_told("agent.name", "drop.refused")),
    Try(overwrite_legacy, drop_told("agent.name", "drop.refused")),
    Try(append, shown_nothing(NOT_THERE)),
    Try(remove, drop_told("request.foreign_file")),
    Try(rename, drop_told("request.foreign_file")),
    Try(change_mode, drop_told("request.foreign_file")),
    Try(make_directory, drop_told("request.directory")),
    Try(make_symlink, drop_told("request.foreign_file")),
    Try(make_hard_link, shown_nothing("the client does not ask a server that does not offer it")),
    Try(write_above, drop_told("name.path")),
    Try(write_etc_by_traversal, drop_told("name.path")),
    Try(write_subdirectory, drop_told("name.form", "drop.refused")),
    Try(traversal_in_record, drop_told("name.form", "drop.refused")),
    Try(other_agent, drop_told("agent.name", "drop.refused")),
    Try(not_a_packet, drop_told("name.form", "drop.refused")),
    Try(forward_local, sshd_alone("refused local port forward: originator .* target 127.0.0.1 port")),
    Try(forward_remote, sshd_alone("")),
    Try(forward_stdio, sshd_alone("refused local port forward: originator .* target 127.0.0.1 port")),
    Try(forward_unix_socket, sshd_alone("")),
    Try(forward_dynamic, sshd_alone("refused local port forward: originator .* target 127.0.0.1 port")),
    Try(environment, drop_told("request.command")),
    # The client gives up when it is refused the terminal, most often before its request for a shell is answered.
    Try(shell_with_pty, sshd_alone("", may=("request.shell",))),
]


@pytest.mark.parametrize("row", TRIES, ids=lambda t: t.name)
def test_refused(world, gate, stock, victim, row, tmp_path):
    (tmp_path / "gate").mkdir()
    (tmp_path / "stock").mkdir()
    watch = Watch(world)
    assert not row.attempt(gate, str(DATA_IN), tmp_path / "gate")
    watch.expect(row.answer)
    assert row.attempt(stock, str(STOCK_DATA_IN), tmp_path / "stock"), "the control did not succeed: the probe shows nothing"
    assert (DATA_IN / victim).read_text() == MARKER


def test_greeting_says_who_what_how(world, gate):
    done = gate.ssh()
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    fingerprint = world.gate("keys", "list", "--json").stdout
    assert lines[0].split()[4] in fingerprint
    assert "web01" in lines[0]
    assert "only receives" in lines[1]
    assert str(DATA_IN) in lines[2]


def test_exit_is_silent(gate):
    done = gate.ssh("exit")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_slow_loris_in_front_of_a_greeting_does_not_hold_others(world, gate, packet):
    """A session that says nothing does not keep another from delivering."""
    idle = subprocess.Popen(gate.ssh_argv(f"{gate.user}@{gate.host}", "scp", "-t", str(DATA_IN)),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert idle.stdout.read(1) == b"\0"
        start = time.monotonic()
        assert gate.scp(packet("test.1.data")).returncode == 0
        assert time.monotonic() - start < 10
    finally:
        idle.kill()
        idle.wait()
