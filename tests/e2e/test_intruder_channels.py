"""What else somebody with an agent's key may ask sshd for: terminals, environment, agents, displays, tunnels, other
subsystems, files that sshd runs or reads. Each try is made against the gate, and by the same code against an sshd that
allows everything, where it must succeed."""

import contextlib
import glob
import os
import pathlib
import pwd
import signal
import stat
import subprocess

import paramiko
import pytest
from tries import Try, Watch, drop_told, nothing_run, sshd_alone
from world import DATA_IN, STOCK_CONFIG, Client, Sshd, port_answers, run, wait_for

OPEN_PORT, FURNISHED_PORT = 2231, 2232
STOCK_DATA_IN = "/var/spool/stocka/data_in"
GENEROUS = """\
AcceptEnv *
PermitUserEnvironment yes
PermitTunnel yes
X11Forwarding yes
Subsystem other /bin/echo subsystem-$((40+2))
"""
MARK = "PANDORA_INTRUDER"
TUN_GATE, TUN_STOCK, TUN_CLIENT = 5, 6, 7


def home_of(client):
    return pathlib.Path(pwd.getpwnam(client.user).pw_dir)


@contextlib.contextmanager
def held_open(client, where, *options, env=None):
    """A session that waits for a file: what it was given can be looked at meanwhile."""
    argv = client.ssh_argv(*options, f"{client.user}@{client.host}", "scp", "-t", where)
    process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env={**os.environ, **(env or {})})
    try:
        assert process.stdout.read(1) == b"\0"      # it is there
        yield process
    finally:
        process.stdin.close()
        process.wait(20)


def environments(user):
    """What every process of that user was started with."""
    uid = pwd.getpwnam(user).pw_uid
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError):
            # sshd's own child has the uid as well; its environment is that of the daemon.
            status = pathlib.Path(path).with_name("status").read_text()
            if f"Uid:\t{uid}\t" in status:
                yield pathlib.Path(path).read_bytes().split(b"\0")


def has_variable(user, name):
    return any(v.startswith(f"{name}=".encode()) for one in environments(user) for v in one)


# --- tries: each returns what was gained, or nothing -----------------------------------------------------------------

def terminal(client, _where, _tmp):
    """A pty, asked for by a client that waits for the answer."""
    transport = paramiko.Transport(("127.0.0.1", client.sshd.port))
    try:
        transport.start_client(timeout=20)
        transport.auth_publickey(client.user, paramiko.Ed25519Key.from_private_key_file(str(client.key)))
        channel = transport.open_session(timeout=20)
        try:
            channel.get_pty()
        except paramiko.SSHException:
            return False
        return True
    finally:
        transport.close()


def shell_v6(client, _where, _tmp):
    """A shell, over ::1."""
    over = Client(client.sshd, client.user, client.key, host="::1")
    return "shell-42" in over.ssh(input="echo shell-$((40+2)); exit 0\n").stdout


def command_v6(client, _where, _tmp):
    """A command, over ::1."""
    return "uid=" in Client(client.sshd, client.user, client.key, host="::1").ssh("id").stdout


def variable(client, where, _tmp):
    """A variable that a loader obeys, with the request for a session."""
    with held_open(client, where, "-o", f"SetEnv=LD_{MARK}=1"):
        return has_variable(client.user, f"LD_{MARK}")


def environment_file(client, where, _tmp):
    """A variable in ~/.ssh/environment."""
    with planted(client, "environment", f"{MARK}=1\n"), held_open(client, where):
        return has_variable(client.user, MARK)


def user_rc(client, where, tmp):
    """~/.ssh/rc, which sshd runs in front of a session."""
    ran = pathlib.Path("/tmp/user-rc-ran")
    ran.unlink(missing_ok=True)
    with planted(client, "rc", f"touch {ran}\n"), held_open(client, where):
        return ran.exists()


@contextlib.contextmanager
def planted(client, name, text):
    """A file in the account's ~/.ssh, as it would have to be for sshd to take it."""
    directory = home_of(client) / ".ssh"
    made = not directory.exists()
    run("install", "-d", "-o", client.user, "-m", "755", directory)
    (directory / name).write_text(text)
    os.chown(directory / name, pwd.getpwnam(client.user).pw_uid, -1)
    try:
        yield
    finally:
        (directory / name).unlink()
        if made:
            directory.rmdir()


def agent_forwarding(client, where, tmp):
    """-A: a socket to the client's agent, for whoever else is on the server."""
    started = run("ssh-agent", "-a", tmp / "agent.sock", "-s").stdout
    pid = int(started.split("SSH_AGENT_PID=")[1].split(";")[0])
    try:
        with held_open(client, where, "-A", env={"SSH_AUTH_SOCK": str(tmp / "agent.sock")}):
            return bool(glob.glob("/tmp/ssh-*/agent.*"))
    finally:
        os.kill(pid, signal.SIGTERM)


def x11(client, where, _tmp):
    """-Y: a display, that is a port that listens on the server."""
    with held_open(client, where, "-Y", env={"DISPLAY": ":7"}):
        return port_answers(6010)


def tunnel(client, where, _tmp):
    """-w: a network interface."""
    number = TUN_STOCK if client.user == "stocka" else TUN_GATE
    argv = client.ssh_argv("-N", "-o", "ExitOnForwardFailure=yes", "-o", "Tunnel=point-to-point", "-w", f"{TUN_CLIENT}:{number}",
                           f"{client.user}@{client.host}")
    process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    run("ip", "link", "set", f"tun{number}", "up")
    try:
        carrier = pathlib.Path(f"/sys/class/net/tun{number}/carrier")
        return wait_for(lambda: carrier.read_text().strip() == "1", 3)
    finally:
        process.kill()
        process.wait()


def unknown_subsystem(client, _where, _tmp):
    """A subsystem that the gate's sshd does not have."""
    return "subsystem-42" in client.ssh("other", options=["-s"]).stdout


def netconf_subsystem(client, _where, _tmp):
    """A subsystem that the gate's sshd does have."""
    return "subsystem-42" in client.ssh("other", options=["-s"]).stdout


def many_sessions(client, where, _tmp):
    """A second and a third channel of one connection: each is a session of its own, and no freer."""
    control = pathlib.Path("/tmp/intruder.mux")
    master = subprocess.Popen([str(a) for a in client.ssh_argv("-N", "-M", "-S", control, f"{client.user}@{client.host}")],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(control.exists, 10)
        return any("uid=" in client.ssh("id", options=["-S", control]).stdout for _ in range(3))
    finally:
        master.terminate()
        master.wait()


TRIES = [
    Try(terminal, nothing_run("")),
    Try(shell_v6, drop_told("request.shell")),
    Try(command_v6, drop_told("request.command")),
    Try(variable, sshd_alone("")),
    Try(environment_file, sshd_alone("")),
    Try(user_rc, sshd_alone("")),
    Try(agent_forwarding, sshd_alone("")),
    Try(x11, sshd_alone("")),
    Try(tunnel, nothing_run("")),
    Try(unknown_subsystem, nothing_run("subsystem request for other by user pandora failed, subsystem not found")),
    Try(netconf_subsystem, drop_told("request.command")),
    Try(many_sessions, drop_told("request.command")),
]
FURNISHED = ("netconf_subsystem",)


@pytest.fixture(scope="module")
def furnished(world_of_session):
    """The gate's sshd, beside it one that has another subsystem too, and the one that allows everything."""
    world = world_of_session
    xauth = pathlib.Path("/usr/bin/xauth")          # sshd forwards no display without one
    made = not xauth.exists()
    if made:
        xauth.symlink_to("/bin/true")
    pathlib.Path("/dev/net").mkdir(exist_ok=True)
    if not pathlib.Path("/dev/net/tun").exists():
        os.mknod("/dev/net/tun", 0o666 | stat.S_IFCHR, os.makedev(10, 200))
        os.chmod("/dev/net/tun", 0o666)
    for number, user in ((TUN_GATE, "pandora"), (TUN_STOCK, "stocka")):
        run("ip", "tuntap", "add", "dev", f"tun{number}", "mode", "tun", "user", user)
    config = pathlib.Path("/etc/ssh/sshd_config").read_text()
    more = Sshd(world, "furnished", FURNISHED_PORT, "Subsystem other /bin/echo subsystem-$((40+2))\n" + config)
    everything = Sshd(world, "open", OPEN_PORT, STOCK_CONFIG + GENEROUS)
    yield more, everything
    more.stop()
    everything.stop()
    for number in (TUN_GATE, TUN_STOCK):
        run("ip", "tuntap", "del", "dev", f"tun{number}", "mode", "tun")
    if made:
        xauth.unlink()


@pytest.mark.parametrize("row", TRIES, ids=lambda t: t.name)
def test_refused(world, gate, stock, furnished, row, tmp_path):
    for name in ("gate", "stock"):
        (tmp_path / name).mkdir()
    more, everything = furnished
    if row.name in FURNISHED:
        gate.sshd = more
    stock.sshd = everything
    watch = Watch(world, gate.sshd)
    assert not row.attempt(gate, str(DATA_IN), tmp_path / "gate")
    watch.expect(row.answer)
    assert row.attempt(stock, STOCK_DATA_IN, tmp_path / "stock"), "the control did not succeed: the probe shows nothing"
