"""pandora-gate-enrol, the script for agent machines, under four shells: this copy of the machine is the agent's machine as
well, and its root is the user that the agent runs as."""

import contextlib
import hashlib
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest
from enrolment import with_enrolment
from world import DATA_IN, TREE, Sshd, run, wait_for

SCRIPT = TREE / "conf/agent/pandora-gate-enrol"
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "mksh": ["mksh"], "ksh93": ["ksh93"]}
SSH_DIR = pathlib.Path("/root/.ssh")
CONF = pathlib.Path("/etc/pandora/pandora_agent.conf")
BACKUP = pathlib.Path(f"{CONF}.pandora-gate.bak")
INIT_SCRIPT = pathlib.Path("/etc/init.d/pandora_agent_daemon")
STOCK_DATA_IN = pathlib.Path("/var/spool/stocka/data_in")
PASSWORD_PORT = 2225
PASSWORD = "correct horse"
PATIENCE = 100                  # seconds for one run, a dozen logins at most, on a machine that has much else to do

pytestmark = pytest.mark.timeout(300)


# A case that says nothing about shells runs under one of them: a login takes its time.
def only(shell):
    return pytest.mark.parametrize("agent", [shell], indirect=True)


# Pandora's own, shortened: for the tentacle, with the port commented out.
A_CONF = """\
# Base config file for Pandora FMS agents
server_ip \tlocalhost
server_path \t/var/spool/pandora/data_in
temporal /tmp
interval    \t300
agent_name test

#server_port\t41121
# Transfer mode: tentacle, ftp, ssh or local
transfer_mode tentacle
#server_pwd mypassword

module_begin
module_name Load Average
module_exec echo server_port 1
module_end
"""
A_CONF_AFTER = A_CONF.replace("\tlocalhost", "\t127.0.0.1").replace("mode tentacle", "mode ssh").replace(
    "#server_port\t41121\n", "#server_port\t41121\nserver_port 2222\n")


def tree(*roots):
    """What is there: names, modes, owners, contents."""
    found = {}
    for root in roots:
        for path in [pathlib.Path(root), *pathlib.Path(root).rglob("*")]:
            if path.is_symlink() or path.exists():
                info = path.lstat()
                content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
                found[str(path)] = (info.st_mode, info.st_uid, info.st_gid, content)
    return found


class Agent:
    """The script under one shell, on a machine that has nothing of it yet."""

    def __init__(self, world, shell, tmp_path):
        self.world, self.shell, self.dir = world, SHELLS[shell], tmp_path
        self.temporary = tmp_path / "tmp"
        self.temporary.mkdir()
        self.path = [str(tmp_path / "first"), os.environ["PATH"]]
        (tmp_path / "first").mkdir()
        if shell == "busybox":      # its tools too: they are what an OpenWRT or ESXi machine has
            applets = tmp_path / "applets"
            applets.mkdir()
            run("busybox", "--install", "-s", applets)
            self.path.insert(1, str(applets))
        self.options = ["-p", world.PORT, "-F", fingerprint()]

    def environment(self, **more):
        return {"PATH": ":".join(self.path), "HOME": "/nonexistent", "TMPDIR": str(self.temporary), "LANG": "C.UTF-8", **more}

    def run(self, *args, host="127.0.0.1", password=None, **more):
        """It and nothing it left: no terminal, unless setsid is taken out."""
        if password:
            asked = self.program("askpass", f"echo '{password}'")
            more.update(SSH_ASKPASS=str(asked), SSH_ASKPASS_REQUIRE="force")
        argv = [*self.shell, SCRIPT, *args, *([host] if host else [])]
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, errors="replace", env=self.environment(**more), start_new_session=True, timeout=PATIENCE,
                              check=False, cwd=self.dir)
        assert list(self.temporary.iterdir()) == [], "temporary files are left"
        return done

    def enrol(self, *args, **more):
        return self.run(*self.options, *args, **more)

    def by_password(self, *args, **more):
        return self.run("-p", PASSWORD_PORT, "-F", fingerprint(), "-u", "stocka", "-d", STOCK_DATA_IN, *args, **more)

    def program(self, name, text):
        """A program of that name before every other one."""
        path = self.dir / "first" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def without(self, *names):
        """The same machine on which these programs are not installed."""
        kept = self.dir / "kept"
        kept.mkdir()
        for directory in reversed(":".join(self.path[1:]).split(":")):
            for path in pathlib.Path(directory).iterdir() if os.path.isdir(directory) else ():
                if path.name not in names:
                    (kept / path.name).unlink(missing_ok=True)
                    (kept / path.name).symlink_to(path)
        self.path[1:] = [str(kept)]

    def take_key(self, key):
        SSH_DIR.mkdir(mode=0o700, exist_ok=True)
        for suffix in ("", ".pub"):
            shutil.copy(f"{key}{suffix}", f"{SSH_DIR}/id_ed25519{suffix}")


def fingerprint(kind="ed25519", form="sha256"):
    return run("ssh-keygen", "-l", "-E", form, "-f", f"/etc/ssh/ssh_host_{kind}_key.pub").stdout.split()[1]


def host_key(kind="ed25519"):
    return " ".join(pathlib.Path(f"/etc/ssh/ssh_host_{kind}_key.pub").read_text().split()[:2])


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "" or "ssh-copy-id" in done.stderr or done.stderr.startswith("the key is accepted"), done.stderr
    return done


def bad(done, status, *said):
    """That status, and one line that says why."""
    assert done.returncode == status, done.stdout + done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("pandora-gate-enrol: "), done.stderr
    for text in said:
        assert text in line
    return done


def clear():
    for directory in (SSH_DIR, CONF.parent):
        shutil.rmtree(directory, ignore_errors=True)
    INIT_SCRIPT.unlink(missing_ok=True)


@pytest.fixture(params=SHELLS)
def agent(request, world, tmp_path):
    clear()
    CONF.parent.mkdir()
    CONF.write_text(A_CONF)
    CONF.chmod(0o640)
    os.chown(CONF, 0, 12)
    yield Agent(world, request.param, tmp_path)
    clear()


@pytest.fixture
def enrolled(agent):
    """Its key is active already, and bound to the agent `test`."""
    agent.take_key(agent.world.key)
    return agent


@pytest.fixture(scope="module")
def password_sshd(world_of_session):
    """A stock sshd that takes a password for `stocka`."""
    world_of_session.stock_client("stocka")         # its authorized_keys are there
    run("usermod", "-p", run("openssl", "passwd", "-6", PASSWORD).stdout.strip(), "stocka")
    sshd = Sshd(world_of_session, "password", PASSWORD_PORT, "HostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM no\n"
                "AuthorizedKeysFile .ssh/authorized_keys\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n"
                "Subsystem sftp internal-sftp\n")
    yield sshd
    sshd.stop()
    run("usermod", "-p", "*", "stocka")


@pytest.fixture
def authorized(password_sshd):
    """stocka's authorized_keys, without the keys of other tests."""
    path = pathlib.Path("/home/stocka/.ssh/authorized_keys")
    before = path.read_bytes()
    path.write_bytes(b"")
    yield path
    path.write_bytes(before)
    for packet in STOCK_DATA_IN.iterdir():
        packet.unlink()


# --- the script itself ------------------------------------------------------------------------------------------------

def test_lint():
    run("shellcheck", "--shell=sh", "--severity=warning", SCRIPT)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_reads_it(shell):
    run(*SHELLS[shell], "-n", SCRIPT)


# --- from nothing to a packet ----------------------------------------------------------------------------------------

def test_one_run_does_everything_and_a_second_one_nothing(agent, authorized):
    log = agent.dir / "restarted"
    INIT_SCRIPT.write_text(f"#!/bin/sh\necho \"$@\" >>{log}\n")
    INIT_SCRIPT.chmod(0o755)
    done = good(agent.by_password("--restart", password=PASSWORD))
    assert (SSH_DIR / "id_ed25519").stat().st_mode & 0o777 == 0o600
    assert SSH_DIR.stat().st_mode & 0o777 == 0o700
    public = (SSH_DIR / "id_ed25519.pub").read_text()
    assert authorized.read_text() == public
    assert f"[127.0.0.1]:{PASSWORD_PORT} {host_key()}" in (SSH_DIR / "known_hosts").read_text().splitlines()
    packet, = STOCK_DATA_IN.iterdir()
    assert re.fullmatch(hashlib.md5(b"test").hexdigest() + r"\.\d+\.data", packet.name)
    assert f"server_port {PASSWORD_PORT}\n" in CONF.read_text() and "server_path \t/var/spool/stocka/data_in" in CONF.read_text()
    assert (CONF.stat().st_mode & 0o7777, CONF.stat().st_uid, CONF.stat().st_gid) == (0o640, 0, 12)
    assert BACKUP.read_text() == A_CONF and BACKUP.stat().st_mode & 0o7777 == 0o640
    assert log.read_text() == "restart\n"
    assert fingerprint() in done.stdout

    before = tree(SSH_DIR, CONF.parent, authorized.parent)
    again = good(agent.run("-p", PASSWORD_PORT, "-u", "stocka"))     # without the fingerprint: it is pinned
    assert "takes the key already" in again.stdout and "right already" in again.stdout
    assert tree(SSH_DIR, CONF.parent, authorized.parent) == before
    assert log.read_text() == "restart\n"


def test_without_ssh_copy_id(agent, authorized):
    authorized.write_text("# no newline")
    agent.without("ssh-copy-id")
    good(agent.by_password(password=PASSWORD))
    assert authorized.read_text() == "# no newline\n" + (SSH_DIR / "id_ed25519.pub").read_text()
    assert len(list(STOCK_DATA_IN.iterdir())) == 1


@only("ksh93")
def test_an_ssh_copy_id_that_takes_no_port(agent, authorized):
    agent.program("ssh-copy-id", "echo 'Usage: ssh-copy-id [-i [identity_file]] [user@]machine' >&2; exit 1")
    good(agent.by_password("--no-test", password=PASSWORD))
    assert authorized.read_text() == (SSH_DIR / "id_ed25519.pub").read_text()


@only("dash")
@pytest.mark.parametrize("how", ["with ssh-copy-id", "without"])
def test_a_wrong_password_hands_nothing_over(agent, authorized, how):
    if how == "without":
        agent.without("ssh-copy-id")
    bad(agent.by_password(password="wrong"), 6, "handed over")
    assert authorized.read_text() == ""
    assert tree(CONF.parent) == {str(CONF.parent): tree(CONF.parent)[str(CONF.parent)], str(CONF): tree(CONF)[str(CONF)]}
    assert CONF.read_text() == A_CONF


@only("mksh")
def test_a_key_that_waits_is_pending(agent, authorized):
    """What `enrol on` does: the hand-over succeeds, the key opens nothing yet."""
    agent.program("ssh-copy-id", "echo '[-p port]'")
    bad(agent.by_password(password=PASSWORD), 3, "pending", "approve")
    assert CONF.read_text() == A_CONF and not BACKUP.exists() and list(STOCK_DATA_IN.iterdir()) == []
    authorized.write_text((SSH_DIR / "id_ed25519.pub").read_text())
    good(agent.by_password())
    assert "transfer_mode ssh" in CONF.read_text()


@only("dash")
def test_rsa_where_ssh_keygen_knows_no_ed25519(agent, authorized):
    agent.program("ssh-keygen", 'case " $* " in *" ed25519 "*) echo "unknown key type ed25519" >&2; exit 1 ;; esac\n'
                  'exec /usr/bin/ssh-keygen "$@"')
    good(agent.by_password("--no-test", "--no-conf", password=PASSWORD))
    assert sorted(p.name for p in SSH_DIR.iterdir() if p.name.startswith("id")) == ["id_rsa", "id_rsa.pub"]
    assert run("ssh-keygen", "-lf", SSH_DIR / "id_rsa.pub").stdout.split()[0] == "3072"


# --- the host key ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("agent, kind, form", [*((shell, "ed25519", "sha256") for shell in SHELLS), ("dash", "rsa", "sha256"),
                                               ("busybox", "ed25519", "md5")], indirect=["agent"])
def test_the_fingerprint_is_compared(enrolled, kind, form):
    known = SSH_DIR / "known_hosts"
    right = fingerprint(kind, form)
    digit = right[10]
    wrong = right[:10] + ("1" if digit == "0" else "0") + right[11:]
    before = tree(SSH_DIR, CONF.parent)
    mark = enrolled.world.mark()
    bad(enrolled.run("-p", "2222", "--yes", "-F", wrong), 5, "nothing was sent", wrong)
    assert tree(SSH_DIR, CONF.parent) == before
    assert enrolled.world.events_since(mark, "login.opened", seconds=0) == []
    if form == "md5" or kind == "rsa":
        right = right.partition(":")[2]             # without its first word
    good(enrolled.run("-p", "2222", "--yes", "-F", right, "--no-test", "--no-conf"))
    assert known.read_text().splitlines()[0] == f"[127.0.0.1]:2222 {host_key(kind)}"


@only("busybox")
@pytest.mark.parametrize("lacks", ["ssh-keyscan", "-E", "ssh-keyscan and accept-new"])
def test_older_programs_pin_the_same_key(enrolled, lacks):
    if "ssh-keyscan" in lacks:
        enrolled.without("ssh-keyscan")
    if "accept-new" in lacks:
        enrolled.program("ssh", 'case "$*" in *accept-new* | *rsa-sha2*) echo "bad option" >&2; exit 255 ;; esac\n'
                         'exec /usr/bin/ssh "$@"')
    if lacks == "-E":
        enrolled.program("ssh-keygen", 'case " $* " in *" -E "*) echo "illegal option -- E" >&2; exit 1 ;; esac\n'
                         'exec /usr/bin/ssh-keygen "$@"')
    bad(enrolled.run("-p", "2222", "-F", "A" * 43), 5)
    assert not (SSH_DIR / "known_hosts").exists()
    good(enrolled.enrol("--no-test", "--no-conf"))
    assert (SSH_DIR / "known_hosts").read_text().splitlines()[0] == f"[127.0.0.1]:2222 {host_key()}"


def on_a_terminal(agent, answer, *args):
    """(status, what it showed); the answer is typed at the first question."""
    argv = [str(a) for a in (*agent.shell, SCRIPT, *args, "127.0.0.1")]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, agent.environment())
    shown, end = b"", time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):              # the end of a terminal is an error
        while time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 4096)
            if answer is not None and shown.rstrip().endswith(b")?"):
                os.write(terminal, answer.encode() + b"\n")
                answer = None
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.parametrize("agent, answer", [*((shell, "yes") for shell in SHELLS), ("busybox", "the fingerprint")], indirect=["agent"])
def test_a_host_key_confirmed_on_the_terminal(enrolled, answer):
    status, shown = on_a_terminal(enrolled, fingerprint() if answer != "yes" else "yes", "-p", "2222")
    assert status == 0 and fingerprint() in shown, shown
    assert (SSH_DIR / "known_hosts").read_text().splitlines()[0] == f"[127.0.0.1]:2222 {host_key()}"


@pytest.mark.parametrize("agent, answer", [*((shell, "no") for shell in SHELLS), ("dash", ""), ("mksh", "y"),
                                           ("ksh93", "SHA256:" + "A" * 43)], indirect=["agent"])
def test_a_host_key_that_is_not_confirmed(enrolled, answer):
    before = tree(SSH_DIR, CONF.parent)
    status, shown = on_a_terminal(enrolled, answer, "-p", "2222")
    assert status == 5 and "not confirmed" in shown
    assert tree(SSH_DIR, CONF.parent) == before


def test_without_a_terminal_nothing_is_confirmed(enrolled):
    before = tree(SSH_DIR, CONF.parent)
    bad(enrolled.run("-p", "2222"), 5, "-F FINGERPRINT")
    assert tree(SSH_DIR, CONF.parent) == before


@pytest.mark.parametrize("agent, hashed", [*((shell, False) for shell in SHELLS), ("mksh", True)], indirect=["agent"])
def test_another_key_that_is_pinned_is_not_replaced(enrolled, hashed):
    known = SSH_DIR / "known_hosts"
    another = run("ssh-keygen", "-y", "-f", enrolled.world.new_key("another-host")).stdout.strip()
    known.write_text(f"[127.0.0.1]:2222 {another}\nother.example {host_key()}\n")
    if hashed:
        run("ssh-keygen", "-H", "-f", known)
        pathlib.Path(f"{known}.old").unlink()
    before = tree(SSH_DIR, CONF.parent)
    done = bad(enrolled.enrol(), 5, "another host key is pinned", fingerprint())
    bad(enrolled.run("-p", "2222"), 5, "another host key is pinned")
    assert tree(SSH_DIR, CONF.parent) == before
    run("sh", "-c", re.search(r"ssh-keygen -R .*", done.stderr)[0])     # the remedy it names
    good(enrolled.enrol())
    assert f"[127.0.0.1]:2222 {host_key()}" in known.read_text()
    assert run("ssh-keygen", "-F", "other.example", "-f", known).stdout


@only("ksh93")
def test_a_revoked_host_key(enrolled):
    known = SSH_DIR / "known_hosts"
    known.write_text(f"@revoked [127.0.0.1]:2222 {host_key()}\n")
    bad(enrolled.enrol(), 5, "@revoked")
    assert known.read_text() == f"@revoked [127.0.0.1]:2222 {host_key()}\n"


@only("busybox")
def test_a_line_without_its_end_is_not_continued(enrolled):
    known = SSH_DIR / "known_hosts"
    known.write_text(f"other.example {host_key()}")
    good(enrolled.enrol("--no-test", "--no-conf"))
    assert known.read_text().splitlines()[:2] == [f"other.example {host_key()}", f"[127.0.0.1]:2222 {host_key()}"]


@only("mksh")
def test_nobody_answers(enrolled):
    before = tree(SSH_DIR, CONF.parent)
    bad(enrolled.run("-p", "9", "-F", fingerprint()), 4, "[127.0.0.1]:9")
    assert tree(SSH_DIR, CONF.parent) == before


# --- the key ---------------------------------------------------------------------------------------------------------

@only("busybox")
def test_a_key_that_is_there_is_used_and_kept(agent, authorized):
    SSH_DIR.mkdir(mode=0o700)
    run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", SSH_DIR / "id_ecdsa")
    before = {name: content for name, content in tree(SSH_DIR).items() if "id_" in name}
    good(agent.by_password("--no-test", "--no-conf", password=PASSWORD))
    assert {name: content for name, content in tree(SSH_DIR).items() if "id_" in name} == before
    assert authorized.read_text() == (SSH_DIR / "id_ecdsa.pub").read_text()


@only("mksh")
def test_keys_that_an_agent_cannot_use(enrolled):
    key, public = SSH_DIR / "id_ed25519", SSH_DIR / "id_ed25519.pub"
    text = public.read_text()
    public.write_text(pathlib.Path(f"{enrolled.world.new_key('of-another')}.pub").read_text())
    bad(enrolled.enrol(), 2, "does not belong")
    public.unlink()
    good(enrolled.enrol("--no-conf"))
    assert public.read_text().split()[:2] == text.split()[:2]
    run("ssh-keygen", "-p", "-q", "-P", "", "-N", "secret", "-f", key)
    before = key.read_bytes()
    bad(enrolled.enrol(), 2, "passphrase")
    assert key.read_bytes() == before


@only("ksh93")
def test_a_key_of_another_name(agent):
    """It is handed over and works, but the agent's scp would not take it: the test packet shows that."""
    shutil.copy(agent.world.key, agent.dir / "key")
    bad(agent.enrol("-i", "key"), 7, "IdentityFile", "Permission denied")
    assert CONF.read_text() == A_CONF
    SSH_DIR.joinpath("config").write_text(f"Host 127.0.0.1\nIdentityFile {agent.dir}/key\n")
    good(agent.enrol("-i", "key"))


# --- the test packet --------------------------------------------------------------------------------------------------

# All that a shell, printf, sed, awk or XML could take for something of its own.
ODD = "web 01 größe $(touch canary) `touch canary` it's \"q\"; touch canary & a<b>&amp;|d *?[x] \\slash\\n ${IFS}x 100%s #"


@pytest.fixture(scope="module")
def odd_key(world_of_session):
    return world_of_session.enrol("odd", ODD)


def test_an_odd_name_is_data(agent, odd_key):
    name = ODD
    agent.take_key(odd_key)
    CONF.write_text(A_CONF.replace("agent_name test", f"agent_name {name} ") + f"description {name}\ngroup {name}\n")
    good(agent.enrol())
    delivered, = agent.world.delivered().items()
    assert re.fullmatch(hashlib.md5(name.encode()).hexdigest() + r"\.\d+\.data", delivered[0])
    told = ET.fromstring(delivered[1]).attrib
    assert told["agent_name"] == told["description"] == told["group"] == name
    assert told["interval"] == "300" and re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", told["timestamp"])
    assert not (agent.dir / "canary").exists() and f"agent_name {name} \n" in CONF.read_text()


def test_the_packet_is_what_the_server_expects(enrolled):
    CONF.write_text("agent_name other\n" + A_CONF + "agent_name test\r\nencoding iso-8859-15\n#agent_alias x\n")
    good(enrolled.enrol())
    packet, = enrolled.world.delivered().values()
    root = ET.fromstring(packet)
    assert root.tag == "agent_data" and list(root) == [] and packet.startswith(b"<?xml version='1.0' encoding='iso-8859-15'?>\n")
    assert root.get("agent_name") == "test" and root.get("agent_alias") == os.uname().nodename


@only("dash")
@pytest.mark.parametrize("command, said", [("__rand__", "first start"), ("touch /canary", "not run")])
def test_a_name_that_only_the_agent_knows(enrolled, command, said):
    CONF.write_text(A_CONF.replace("agent_name test", f"agent_name_cmd {command}"))
    bad(enrolled.enrol(), 2, said)
    assert not (SSH_DIR / "known_hosts").exists() and not os.path.exists("/canary")
    good(enrolled.enrol("-a", "test"))
    packet, = enrolled.world.delivered().values()
    assert ET.fromstring(packet).get("agent_name") == "test"


def test_a_refused_packet_leaves_the_agent_as_it_was(enrolled):
    CONF.write_text(A_CONF.replace("agent_name test", "agent_name stranger"))
    bad(enrolled.enrol(), 7, "stranger", "denied")
    assert enrolled.world.delivered() == {} and "tentacle" in CONF.read_text() and not BACKUP.exists()
    assert [p.name for p in CONF.parent.iterdir()] == [CONF.name]


@only("busybox")
def test_without_a_program_for_md5(enrolled):
    enrolled.without("md5sum", "openssl", "md5", "digest", "csum")
    good(enrolled.enrol())
    name, = enrolled.world.delivered()
    assert re.fullmatch(r"test\.\d+\.data", name)


@only("ksh93")
def test_a_date_without_seconds_since_1970(enrolled):
    enrolled.program("date", 'case "$1" in +%s) echo s ;; *) exec /usr/bin/date "$@" ;; esac')
    good(enrolled.enrol())
    name, = enrolled.world.delivered()
    assert re.fullmatch(r"[0-9a-f]{32}\.\d{12}\.data", name)


@only("busybox")
def test_an_address_with_colons(enrolled):
    for host in ("::1", "[::1]"):
        good(enrolled.enrol(host=host))
    assert "server_ip \t[::1]\n" in CONF.read_text()
    assert (SSH_DIR / "known_hosts").read_text().count(f"[::1]:2222 {host_key()}") == 1
    assert enrolled.world.delivered()


# --- a gate that enrols --------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def enrolment_of_module(world_of_session):
    world_of_session.gate("publish")
    with with_enrolment(world_of_session) as enrolment:
        yield enrolment


@pytest.fixture
def enrolment(enrolment_of_module):
    enrolment_of_module.forget_guesses()
    yield enrolment_of_module
    enrolment_of_module.forget_guesses()


def is_called(name):
    CONF.write_text(A_CONF.replace("agent_name test", f"agent_name {name}"))
    return name


@pytest.mark.parametrize("agent, how", [*((shell, "with ssh-copy-id") for shell in SHELLS), ("busybox", "without")],
                         indirect=["agent"])
def test_a_code_is_all_it_takes(agent, enrolment, how):
    """From a machine with nothing to a packet in data_in; the next run needs no code."""
    if how == "without":
        agent.without("ssh-copy-id")
    name = is_called(f"{how.replace(' ', '-')}.{agent.shell[0]}")
    mark = agent.world.mark()
    done = good(agent.enrol(password=enrolment.code("--agent", name)))
    accepted, = agent.world.events_since(mark, "enrol.accepted")
    assert accepted["agents"] == name
    packet, = agent.world.delivered().values()
    assert ET.fromstring(packet).get("agent_name") == name and "test packet" in done.stdout
    assert CONF.read_text() == A_CONF_AFTER.replace("agent_name test", f"agent_name {name}")
    before = tree(SSH_DIR, CONF.parent)
    good(agent.run("-p", "2222"))
    assert tree(SSH_DIR, CONF.parent) == before
    assert len(agent.world.events_since(mark, "enrol.accepted")) == 1


@only("dash")
def test_a_code_that_is_wrong(agent, enrolment):
    code = enrolment.code("--agent", is_called(f"wrong.{agent.shell[0]}"))
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    bad(agent.enrol(password=wrong), 6, "handed over")
    assert "tentacle" in CONF.read_text() and agent.world.delivered() == {}
    enrolment.forget_guesses()
    good(agent.enrol(password=code))


@only("mksh")
def test_a_key_that_must_be_approved(agent, enrolment):
    name = is_called(f"pending.{agent.shell[0]}")
    run("usermod", "-p", run("openssl", "passwd", "-6", PASSWORD).stdout.strip(), "pandora")
    enrolment.world.gate("enrol", "on", "--for", "1h")
    try:
        bad(agent.enrol(password=PASSWORD), 3, "pending")
        assert "tentacle" in CONF.read_text() and agent.world.delivered() == {}
    finally:
        enrolment.world.gate("enrol", "off")
        run("usermod", "-p", "*", "pandora")
    enrolment.world.gate("keys", "approve", "--agent", name)
    good(agent.enrol())
    assert len(agent.world.delivered()) == 1


# --- the configuration ------------------------------------------------------------------------------------------------

EDITS = {
    "as shipped": (A_CONF, A_CONF_AFTER),
    "right already": (A_CONF_AFTER, A_CONF_AFTER),
    "empty": ("", "server_ip 127.0.0.1\nserver_path /var/spool/pandora/data_in\nserver_port 2222\ntransfer_mode ssh\n"),
    "one line without its end": ("interval 300", "interval 300\nserver_ip 127.0.0.1\nserver_path /var/spool/pandora/data_in\n"
                                 "server_port 2222\ntransfer_mode ssh\n"),
    "the last line without its end": ("server_ip a\nserver_path /d\nserver_port 1\ntransfer_mode ssh",
                                      "server_ip 127.0.0.1\nserver_path /d\nserver_port 2222\ntransfer_mode ssh"),
    "duplicates": ("server_ip a\nserver_ip b\nserver_path /d\nserver_port 1\nserver_port 2222\ntransfer_mode ftp\ntransfer_mode ssh\n",
                   "server_ip 127.0.0.1\nserver_ip 127.0.0.1\nserver_path /d\nserver_port 2222\nserver_port 2222\n"
                   "transfer_mode ssh\ntransfer_mode ssh\n"),
    "blanks before, which the shell agents do not take": (
        "  server_ip 127.0.0.1\n\tserver_path /d\nserver_port 2222 \ntransfer_mode\tssh\n",
        "server_ip 127.0.0.1\nserver_path /d\nserver_port 2222 \ntransfer_mode\tssh\n"),
    "names without a value": ("server_ip\nserver_path\t\nserver_port\ntransfer_mode\n",
                              "server_ip 127.0.0.1\nserver_path /var/spool/pandora/data_in\nserver_port 2222\ntransfer_mode ssh\n"),
    "carriage returns": ("server_ip a\r\nserver_path /d\r\n#server_port 1\r\n\r\nagent_name a b\r\n",
                         "server_ip 127.0.0.1\r\nserver_path /d\r\n#server_port 1\r\nserver_port 2222\r\ntransfer_mode ssh\r\n\r\n"
                         "agent_name a b\r\n"),
    "comments that only mention them": (
        "# server_port is not used\n#transfer_mode tentacle\n ## server_ip x\nserver_path /d \n",
        "# server_port is not used\n#transfer_mode tentacle\ntransfer_mode ssh\n ## server_ip x\nserver_ip 127.0.0.1\n"
        "server_path /d \nserver_port 2222\n"),
    "names that begin or end the same": (
        "server_ip_x 1\nsecondary_server_ip b\nsecondary_transfer_mode tentacle\nserver_path_md5 md5\nxserver_port 1\n"
        "server_ip a\nserver_path /d\nserver_port 1\ntransfer_mode_user apache\ntransfer_mode local\nserver_pwd a  b\\n&$x'\"\n",
        "server_ip_x 1\nsecondary_server_ip b\nsecondary_transfer_mode tentacle\nserver_path_md5 md5\nxserver_port 1\n"
        "server_ip 127.0.0.1\nserver_path /d\nserver_port 2222\ntransfer_mode_user apache\ntransfer_mode ssh\nserver_pwd a  b\\n&$x'\"\n"),
    "bytes that are no UTF-8": ("# a\xf1o\nserver_ip a\nserver_path /d\nserver_port 1\ntransfer_mode ssh\nagent_name \xff\xe9\n",
                                "# a\xf1o\nserver_ip 127.0.0.1\nserver_path /d\nserver_port 2222\ntransfer_mode ssh\n"
                                "agent_name \xff\xe9\n"),
    "the AIX agent's": ("server_ip    192.0.2.1\nserver_path  /var/spool/pandora/data_in\n# By default is 22 (for ssh)\n"
                        "#server_port    22\n\n# ftp, ssh or local\ntransfer_mode ssh\n",
                        "server_ip    127.0.0.1\nserver_path  /var/spool/pandora/data_in\n# By default is 22 (for ssh)\n"
                        "#server_port    22\nserver_port 2222\n\n# ftp, ssh or local\ntransfer_mode ssh\n"),
}


@pytest.mark.parametrize("case", EDITS)
def test_the_configuration_is_edited(agent, case):
    before, after = (text.encode("latin-1") for text in EDITS[case])
    CONF.write_bytes(before)
    good(agent.run("--conf-only", "-p", "2222"))
    assert CONF.read_bytes() == after
    assert (CONF.stat().st_mode & 0o7777, CONF.stat().st_gid) == (0o640, 12)
    if before == after:
        assert not BACKUP.exists()
    else:
        assert BACKUP.read_bytes() == before
    seen = tree(CONF.parent)
    good(agent.run("--conf-only", "-p", "2222"))
    assert tree(CONF.parent) == seen
    assert not SSH_DIR.exists()


@only("mksh")
def test_the_first_backup_stays(agent):
    good(agent.run("--conf-only", "-p", "2222"))
    good(agent.run("--conf-only", "-p", "2223", "-d", "/srv/in"))
    assert BACKUP.read_text() == A_CONF
    assert CONF.read_text() == A_CONF_AFTER.replace("port 2222", "port 2223").replace("/var/spool/pandora/data_in", "/srv/in")
    assert sorted(p.name for p in CONF.parent.iterdir()) == [CONF.name, BACKUP.name]


def test_a_link_stays_one(agent):
    real = agent.dir / "real.conf"
    shutil.move(CONF, real)
    (CONF.parent / "link").symlink_to(real)
    CONF.symlink_to("link")
    good(agent.run("--conf-only", "-p", "2222"))
    assert CONF.is_symlink() and real.read_text() == A_CONF_AFTER and pathlib.Path(f"{real}.pandora-gate.bak").exists()


@only("dash")
def test_no_configuration(enrolled):
    CONF.unlink()
    bad(enrolled.enrol(), 2, str(CONF), "-c", "--no-conf")
    assert not (SSH_DIR / "known_hosts").exists()
    good(enrolled.enrol("--no-conf", "-a", "test"))
    CONF.symlink_to(CONF.name)
    bad(enrolled.enrol(), 2, str(CONF))


def test_a_read_only_file_system_is_found_before_anything_is_done(enrolled):
    run("mount", "--bind", CONF.parent, CONF.parent)
    try:
        run("mount", "-o", "remount,bind,ro", CONF.parent)
        bad(enrolled.enrol(), 2, str(CONF), "writable")
        assert not (SSH_DIR / "known_hosts").exists() and enrolled.world.delivered() == {}
    finally:
        run("umount", CONF.parent)
    good(enrolled.enrol())


@only("busybox")
def test_a_change_by_somebody_else_meanwhile(enrolled):
    enrolled.program("scp", f'echo "interval 60" >>{CONF}')
    bad(enrolled.enrol(), 2, "meanwhile")
    assert CONF.read_text() == A_CONF + "interval 60\n"
    assert [p.name for p in CONF.parent.iterdir()] == [CONF.name]


@only("ksh93")
def test_an_agent_that_runs_as_another_user(enrolled):
    CONF.write_text(A_CONF + "pandora_user nobody\n")
    bad(enrolled.enrol(), 2, "nobody", "--conf-only")
    good(enrolled.enrol("--conf-only"))
    assert "transfer_mode ssh" in CONF.read_text()


# --- nothing, and all of it --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("agent, state", [*((shell, "nothing is there") for shell in SHELLS), ("dash", "a key is there")],
                         indirect=["agent"])
def test_a_dry_run_changes_nothing(agent, state):
    if state != "nothing is there":
        agent.take_key(agent.world.key)
        (SSH_DIR / "id_ed25519.pub").unlink()
    INIT_SCRIPT.write_text("#!/bin/sh\ntouch /canary\n")
    INIT_SCRIPT.chmod(0o755)
    places = (SSH_DIR, CONF.parent, "/etc/init.d", DATA_IN, agent.dir)
    before = tree(*places)
    done = good(agent.enrol("--dry-run", "--restart"))
    assert tree(*places) == before and not os.path.exists("/canary")
    for text in (fingerprint(), "would pin", "would hand", "would send a test packet for agent 'test'", "\n-transfer_mode tentacle\n",
                 "\n+transfer_mode ssh\n", "\n+server_port 2222\n", "would restart"):
        assert text in done.stdout
    agent.take_key(agent.world.key)
    good(agent.enrol())                             # the control
    assert CONF.read_text() == A_CONF_AFTER


@only("mksh")
def test_a_restart_that_fails(enrolled):
    bad(enrolled.enrol("--restart"), 8, "restart it yourself")
    INIT_SCRIPT.write_text("#!/bin/sh\nexit 3\n")
    INIT_SCRIPT.chmod(0o755)
    bad(enrolled.enrol("--restart"), 8, f"{INIT_SCRIPT} restart")


def test_a_run_that_is_ended_leaves_nothing(enrolled):
    started = enrolled.dir / "started"
    enrolled.program("scp", f"touch {started}\nexec sleep 60")
    argv = [str(a) for a in (*enrolled.shell, SCRIPT, *enrolled.options, "127.0.0.1")]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=enrolled.environment(), start_new_session=True)
    assert wait_for(started.exists, PATIENCE)
    os.killpg(process.pid, 15)
    assert process.wait(PATIENCE) == 143
    assert list(enrolled.temporary.iterdir()) == [] and [p.name for p in CONF.parent.iterdir()] == [CONF.name]
    assert CONF.read_text() == A_CONF


NONSENSE = [
    (), ("a", "b"), ("-p",), ("-p", "0", "h"), ("-p", "65536", "h"), ("-p", "2x", "h"), ("-u", "a b", "h"), ("-u", "-x", "h"),
    ("-x", "h"), ("--", "-h"), ("-oProxyCommand=touch /canary",), ("h;touch /canary",), ("h\n",), ("$(touch /canary)",), ("",),
    ("-d", "relative", "h"), ("-d", "/a b", "h"), ("-d", "/$(touch /canary)", "h"), ("-d", "/a\n", "h"), ("--yes", "h"),
    ("-F", "SHA256:short", "h"), ("-F", "MD5:zz", "h"), ("--no-conf", "--conf-only", "h")]


def test_what_is_not_understood_is_refused(agent):
    before = tree(SSH_DIR, CONF.parent)
    for args in NONSENSE:
        bad(agent.run(*args, host=None), 1)
    assert tree(SSH_DIR, CONF.parent) == before and not os.path.exists("/canary")


def test_help(agent):
    assert "usage: pandora-gate-enrol" in good(agent.run("-h", host=None)).stdout
