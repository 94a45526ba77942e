"""`pandora-gate setup` on a machine that has the programs and nothing else: what it puts in place works with the real
sshd, what it takes back is as it was to the byte, and what fails is taken back by itself.

The cases run in a copy of their own inside the copy, one after the other (the world of the other tests is set up by hand
already): this file, run there with --inside, writes down how each case ended; the tests read that.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import time
import traceback

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/harness"), str(TREE / "tests/e2e")]

import bare  # noqa: E402
import fingerprint  # noqa: E402
import packets  # noqa: E402
from bare import snapshot  # noqa: E402
from world import AUDIT, DATA_IN, LIBEXEC, SSHD, STATE, Client, Daemon, port_answers, run, wait_for  # noqa: E402

GATE = "/usr/sbin/pandora-gate"
PORT = 2222
OWN_CONFIG = pathlib.Path("/etc/pandora-gate/sshd_config")
DROP_IN = pathlib.Path("/etc/ssh/sshd_config.d/00-pandora-gate.conf")
PAM_SSHD = pathlib.Path("/etc/pam.d/sshd")
SHIPPED = pathlib.Path("/usr/share/pandora-gate/sshd_config.d/00-pandora-gate.conf")
UNIT = pathlib.Path("/etc/systemd/system/pandora-gate-sshd.service")
DIRECTORY = pathlib.Path("/root/setup-test")
OWN = ("--own-port", PORT)


# --- the bare machine ------------------------------------------------------------------------------------------------

def make_bare():
    bare.make_bare()
    bare.install_programs()
    pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    DIRECTORY.mkdir()


def same(before):
    lines = fingerprint.differences(before, snapshot())
    assert lines == [], "\n".join(lines)


def do_setup(*args, status=0):
    done = run(GATE, "setup", *args, check=False)
    assert done.returncode == status, f"{args}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def plain():
    """--no-enrolment, as long as the module knows no enrolment: a word that it does not know refuses everybody."""
    module = next(pathlib.Path("/lib").glob("*/security/pam_pandora.so"))
    return () if b"enrol\0" in module.read_bytes() else ("--no-enrolment",)


class Where:
    """What a client is told: the port."""

    def __init__(self, port):
        self.port = port


class Server(Where):
    def __init__(self, argv, port):
        super().__init__(port)
        self.daemon = Daemon(*argv)
        if not wait_for(lambda: port_answers(port)):
            raise RuntimeError(f"{argv} does not answer on {port}: {run(argv[0], '-t', *argv[2:], check=False).stderr}")


@contextlib.contextmanager
def server(*argv, port):
    made = Server(argv, port)
    try:
        yield made
    finally:
        made.daemon.stop()


def administrators_sshd(port=22):
    return server(SSHD, "-D", "-E", DIRECTORY / "sshd.log", "-o", f"Port={port}", port=port)


def own_sshd():
    """As its unit starts it."""
    argv = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.M)[1].split()
    return server(*argv, port=PORT)


# What systemd does with units that start a daemon, and a log of what it was asked for. The next start of a unit in the file
# "mute" starts nothing, and says that all is well, as for a Type=simple that ends at once; while there is a file "broken", sshd
# cannot be reloaded.
SYSTEMCTL = """#!/usr/bin/python3
import os, pathlib, re, signal, subprocess, sys, time
here = pathlib.Path("{directory}")
with open(here / "systemctl.log", "a") as log:
    print(*sys.argv[1:], file=log)
verb, unit = sys.argv[1], sys.argv[-1]
pid_file, mute = here / (unit + ".pid"), here / "mute"
def runs():
    try:
        return b"pandora-sshd" in pathlib.Path("/proc", pid_file.read_text(), "cmdline").read_bytes()
    except OSError:
        return False
if verb == "is-active":
    sys.exit(0 if runs() else 3)
if unit != "{unit}":
    sys.exit(unit == "ssh.service" and (here / "broken").exists())
if verb in ("stop", "restart") and runs():
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    while runs():
        time.sleep(0.01)
if verb in ("start", "restart"):
    if mute.exists():
        mute.unlink()
        sys.exit(0)
    argv = re.search("^ExecStart=(.*)$", pathlib.Path("/etc/systemd/system", unit).read_text(), re.M)[1].split()
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    pid_file.write_text(str(subprocess.Popen(argv, start_new_session=True, **quiet).pid))
"""


class Systemd:
    """As far as setup asks it."""

    def __enter__(self):
        self.log, self.mute, self.broken = (DIRECTORY / name for name in ("systemctl.log", "mute", "broken"))
        self.program = pathlib.Path("/usr/sbin/systemctl")
        assert not self.program.exists()
        self.program.write_text(SYSTEMCTL.format(directory=DIRECTORY, unit=UNIT.name))
        self.program.chmod(0o755)
        os.makedirs("/run/systemd/system", exist_ok=True)
        return self

    def asked(self):
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return [line for line in lines if not line.startswith("is-active")]

    def __exit__(self, *_):
        run(self.program, "stop", UNIT.name, check=False)
        self.program.unlink()
        os.rmdir("/run/systemd/system")


@contextlib.contextmanager
def rsyslog():
    config = DIRECTORY / "rsyslog.conf"
    config.write_text('module(load="imuxsock")\ninclude(file="/etc/rsyslog.d/pandora-gate.conf")\n')
    pathlib.Path("/dev/log").unlink(missing_ok=True)
    daemon = Daemon("rsyslogd", "-n", "-f", config, "-i", DIRECTORY / "rsyslog.pid")
    try:
        assert wait_for(lambda: os.path.exists("/dev/log"))
        yield
    finally:
        daemon.stop()
        shutil.rmtree(AUDIT.parent, ignore_errors=True)


def events(event):
    return [e for e in map(json.loads, AUDIT.read_text().splitlines() if AUDIT.exists() else ()) if e["event"] == event]


def agent_key(name="web01"):
    key = DIRECTORY / f"key-{name}"
    if not key.exists():
        run("ssh-keygen", "-q", "-t", "rsa" if "rsa" in name else "ed25519", "-N", "", "-C", name, "-f", key)
    run(GATE, "keys", "add", f"{key}.pub", "--agent", name)
    return key


def packet(name="web01", count=iter(range(1, 1000))):
    """Each is a new one: the same again would not be delivered twice."""
    number = next(count)
    path = DIRECTORY / f"{name}.{number}.data"
    path.write_bytes(packets.make(name, 3000 + number))
    return path


def runs_something():
    uid = pwd.getpwnam("pandora").pw_uid
    return [p for p in pathlib.Path("/proc").glob("[0-9]*") if p.exists() and p.stat().st_uid == uid]


def deliver(where, key, name="web01", options=()):
    """A packet by scp, in data_in as it was sent; then it is taken away, as the server does."""
    path = packet(name)
    done = Client(where, "pandora", key, options=options).scp(path)
    assert done.returncode == 0, done.stderr
    assert (DATA_IN / path.name).read_bytes() == path.read_bytes()
    (DATA_IN / path.name).unlink()
    assert wait_for(lambda: not runs_something())


def forget_deliveries():
    """What keys add and deliveries leave: the store, the keyring, the memory. Not setup's to take away."""
    for path in STATE.iterdir():
        if path.name not in ("setup", "home", "revoked_keys"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if DROP_IN.exists():
        (STATE / "revoked_keys").write_text("")
    else:
        (STATE / "revoked_keys").unlink(missing_ok=True)


# --- the cases -------------------------------------------------------------------------------------------------------

def case_a_dry_run_changes_nothing():
    before = snapshot()
    for args in ((), ("--dry-run",), OWN, (*OWN, "--json"), ("--remove", "--dry-run")):
        text = do_setup(*args)
        assert "--json" in args or "dry run: nothing was changed" in text or "nothing to do" in text
        same(before)
    assert json.loads(do_setup(*OWN, "--json"))["dry_run"] is True


def case_the_drop_in_delivers_and_goes_again():
    before = snapshot()
    text = do_setup("--apply", *plain())
    assert "try-reload-or-restart ssh.service" in text
    shadow = pathlib.Path("/etc/shadow").read_text()
    assert re.search(r"^pandora:\*:", shadow, re.M)
    assert pwd.getpwnam("pandora").pw_shell == str(LIBEXEC / "drop")
    assert str(LIBEXEC / "drop") not in pathlib.Path("/etc/shells").read_text()
    home = os.stat(pwd.getpwnam("pandora").pw_dir)
    assert (home.st_uid, home.st_mode & 0o7777, os.listdir(STATE / "home")) == (0, 0o755, [])
    with_setup = snapshot()
    assert "nothing to do" in do_setup("--apply", *plain())
    same(with_setup)
    key = agent_key()
    with administrators_sshd(PORT) as sshd:
        deliver(sshd, key)
        assert Client(sshd, "pandora", key).ssh("id").returncode != 0
    su = run("su", "pandora", "-s", "/bin/sh", "-c", "id", check=False)
    assert su.returncode != 0 and "uid=" not in su.stdout
    forget_deliveries()
    do_setup("--remove")
    same(before)
    assert "nothing to do" in do_setup("--remove")


def case_with_enrolment_sshd_says_so():
    before = snapshot()
    do_setup("--apply")
    said = run(SSHD, "-T", "-C", "user=pandora,host=x,addr=127.0.0.1").stdout.lower()
    assert "\nauthenticationmethods publickey password\n" in said and "\npasswordauthentication yes\n" in said
    other = run(SSHD, "-T", "-C", "user=root,host=x,addr=127.0.0.1").stdout.lower()
    assert "\nauthenticationmethods any\n" in other
    do_setup("--apply", "--no-enrolment")
    said = run(SSHD, "-T", "-C", "user=pandora,host=x,addr=127.0.0.1").stdout.lower()
    assert "\nauthenticationmethods publickey\n" in said
    assert "enrol" not in PAM_SSHD.read_text()
    assert not os.path.lexists("/etc/systemd/system/pandora-gate-enrol.service")
    assert not os.path.lexists("/etc/systemd/system/multi-user.target.wants/pandora-gate-enrol.service")
    assert "--no-enrolment (or say --enrolment)" in do_setup("--apply")
    assert "enrol" not in PAM_SSHD.read_text()
    do_setup("--apply", "--enrolment")
    assert " enrol" in PAM_SSHD.read_text()
    do_setup("--remove")
    same(before)


def case_an_sshd_of_its_own():
    before = snapshot()
    run("useradd", "-m", "-s", "/bin/bash", "admina")
    run("usermod", "-p", "*", "admina")
    admin_key = DIRECTORY / "key-admina"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", admin_key)
    ssh = pathlib.Path("/home/admina/.ssh")
    run("install", "-d", "-o", "admina", "-m", "700", ssh)
    shutil.copy(f"{admin_key}.pub", ssh / "authorized_keys")
    with_admin = snapshot()
    do_setup("--apply", *OWN, "--agents", "300", "--interval", "300", *plain())
    modes = {p.name: os.stat(p).st_mode & 0o7777 for p in OWN_CONFIG.parent.glob("ssh_host_*_key")}
    assert modes == dict.fromkeys(("ssh_host_ed25519_key", "ssh_host_ecdsa_key", "ssh_host_rsa_key"), 0o600)
    assert OWN_CONFIG.with_name("ssh_host_ed25519_key").read_text() != pathlib.Path("/etc/ssh/ssh_host_ed25519_key").read_text()
    assert sorted(p.name for p in (STATE / "setup").iterdir()) == ["files", "manifest.json"]
    assert "MaxStartups 400:30:800" in OWN_CONFIG.read_text()
    with_setup = snapshot()
    assert "nothing to do" in do_setup("--apply", *OWN, "--agents", "300", *plain())
    same(with_setup)
    # What it was told before holds for one that says less.
    text = do_setup("--apply", *OWN, *plain())
    assert "kept from the setup before: --agents 300" in text and "nothing to do" in text
    same(with_setup)
    # Other values: those, and no other keys.
    do_setup("--apply", *OWN, "--agents", "600", *plain())
    assert "MaxStartups 750:30:1500" in OWN_CONFIG.read_text()
    do_setup("--apply", *OWN, "--agents", "300", *plain())
    same(with_setup)
    # Without its port it would be the other form: not by an oversight.
    assert "--own-port again" in do_setup("--apply", *plain(), status=1)
    same(with_setup)
    key = agent_key()
    with rsyslog(), administrators_sshd(), own_sshd() as own:
        deliver(own, key)
        # The account does not get in at the administrators' port; they do.
        at_22 = Where(22)
        refused = Client(at_22, "pandora", key).scp(packet())
        assert refused.returncode != 0 and "Permission denied" in refused.stderr
        assert "User pandora from 127.0.0.1 not allowed" in (DIRECTORY / "sshd.log").read_text()
        assert Client(at_22, "admina", admin_key).ssh("id", "-un").stdout == "admina\n"
        assert Client(own, "admina", admin_key).ssh("id", "-un").returncode != 0
        # Its PAM service is its own.
        opened = wait_for(lambda: events("session.opened"))
        assert {e["service"] for e in opened} == {"pandora-sshd"}
        service = pathlib.Path("/etc/pam.d/pandora-sshd")
        text = service.read_text()
        service.write_text("auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n")
        assert Client(own, "pandora", key).scp(packet()).returncode != 0
        assert Client(at_22, "admina", admin_key).ssh("id", "-un").stdout == "admina\n"
        service.write_text(text)
        deliver(own, key)
    # From the own form to the other and back to nothing.
    forget_deliveries()
    do_setup("--remove")
    same(with_admin)
    run("userdel", "-r", "admina", check=False)
    same(before)


def case_from_the_drop_in_to_an_sshd_of_its_own():
    before = snapshot()
    do_setup("--apply", *plain())
    assert "pam_pandora.so" in PAM_SSHD.read_text()
    do_setup("--apply", *OWN, *plain())
    assert "pam_pandora.so" not in PAM_SSHD.read_text()
    assert "DenyUsers pandora" in DROP_IN.read_text() and "ForceCommand" not in DROP_IN.read_text()
    key = agent_key()
    with own_sshd() as own:
        deliver(own, key)
    forget_deliveries()
    do_setup("--remove")
    same(before)


def case_its_own_sshd_answers_before_anybody_is_sent_to_it():
    with Systemd() as systemd:
        before = snapshot()
        systemd.mute.touch()
        text = do_setup("--apply", *OWN, *plain(), status=1)
        assert "no sshd answers within 5 s" in text and f"journalctl -u {UNIT.name}" in text and "everything was taken back" in text
        same(before)
        asked = systemd.asked()
        assert f"restart {UNIT.name}" in asked and f"stop {UNIT.name}" in asked
        assert not [line for line in asked if line.endswith(" ssh.service")]     # nobody was denied
        do_setup("--apply", *OWN, *plain())
        asked = systemd.asked()
        assert f"restart {UNIT.name}" in asked and asked[-1] == "try-reload-or-restart ssh.service"
        key = agent_key()
        deliver(Where(PORT), key)
        # Another port, on which nobody answers: the sshd of before runs again, as before.
        with_setup = snapshot()
        systemd.mute.touch()
        assert f"port {PORT + 1} no sshd answers" in do_setup("--apply", "--own-port", PORT + 1, *plain(), status=1)
        same(with_setup)
        assert wait_for(lambda: port_answers(PORT))
        deliver(Where(PORT), key)
        # A removal that fails: what it has stopped runs again.
        forget_deliveries()
        with_setup = snapshot()
        systemd.asked()
        run("mount", "--bind", OWN_CONFIG, OWN_CONFIG)      # cannot be removed
        text = do_setup("--remove", status=74)
        run("umount", OWN_CONFIG)
        assert "everything was taken back" in text and "but a service" not in text
        asked = systemd.asked()
        assert asked[0] == f"stop {UNIT.name}" and f"start {UNIT.name}" in asked
        same(with_setup)
        assert wait_for(lambda: port_answers(PORT))
        # The last command fails, and the account is gone already: it comes back with its numbers.
        systemd.broken.touch()
        text = do_setup("--remove", status=74)
        systemd.broken.unlink()
        assert "everything was taken back" in text and "but a service does not run as before: systemctl try-reload-or-restart" in text
        same(with_setup)
        assert wait_for(lambda: port_answers(PORT))
        systemd.asked()
        do_setup("--remove")
        asked = systemd.asked()
        assert asked[0] == f"stop {UNIT.name}" and asked[-1] == "try-reload-or-restart ssh.service"
        assert not port_answers(PORT)
        same(before)


def case_one_setup_at_a_time_and_each_in_the_audit():
    before = snapshot()
    do_setup("--apply", *OWN, *plain())
    with_setup = snapshot()
    fd = os.open(STATE / "setup", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    for args in (("--apply", *OWN, "--agents", "300", *plain()), ("--remove",)):
        assert "another setup is running: nothing was changed" in do_setup(*args, status=75)
    do_setup("--remove", "--dry-run")                       # who only looks waits for nobody
    os.close(fd)
    same(with_setup)
    with rsyslog():
        do_setup("--apply", *OWN, "--agents", "300", *plain())
        do_setup("--apply", *OWN, *plain())                 # nothing to do, nothing to tell
        do_setup("--remove")
        assert wait_for(lambda: events("setup.removed"))
        told = [(e["parts"], e.get("form"), e.get("port"), e["operator"]) for e in events("setup.applied")]
        assert told == [("ssh", "own", PORT, events("setup.removed")[0]["operator"])]
        assert events("setup.removed")[0]["parts"] == "account, ssh" and events("setup.removed")[0]["changes"] > 15
    same(before)


def case_old_clients_on_its_own_port_only():
    """AIX, ESX: a key exchange of SHA-1 and an ssh-rsa host key."""
    before = snapshot()
    old = ("-o", "KexAlgorithms=diffie-hellman-group14-sha1", "-o", "HostKeyAlgorithms=ssh-rsa", "-o", "Ciphers=aes128-cbc",
           "-o", "PubkeyAcceptedAlgorithms=ssh-rsa", "-o", "MACs=hmac-sha1", "-o", "LogLevel=INFO")
    do_setup("--apply", *OWN, "--legacy-clients", *plain())
    key = agent_key("oldrsa")
    with administrators_sshd(), own_sshd() as own:
        deliver(own, key, "oldrsa", options=old)
        deliver(own, key, "oldrsa")                         # and what is better is still there
        at_22 = Where(22)
        said = Client(at_22, "pandora", key, options=old).ssh("id")
        assert said.returncode == 255 and "no matching" in said.stderr, said
    do_setup("--apply", *OWN, *plain())
    assert "ssh-rsa" in OWN_CONFIG.read_text()              # kept, until the opposite is said
    do_setup("--apply", *OWN, "--no-legacy-clients", *plain())
    with own_sshd() as own:
        assert "no matching" in Client(own, "pandora", key, options=old).ssh("id").stderr
        deliver(own, key, "oldrsa")
    forget_deliveries()
    do_setup("--remove")
    same(before)


def case_what_sshd_does_not_take_is_taken_back():
    before = snapshot()
    shipped = SHIPPED.read_text()
    for form in ((), OWN):
        SHIPPED.write_text(shipped + "    NoSuchKeyword yes\n")
        text = do_setup("--apply", *form, *plain(), status=1)
        SHIPPED.write_text(shipped)
        assert "NoSuchKeyword" in text and "everything was taken back" in text
        same(before)
    # sshd takes it, but somebody's file comes before.
    first = DROP_IN.with_name("00-earlier.conf")
    first.write_text("Match User pandora\n    ForceCommand /bin/false\n")
    with_other = snapshot()
    text = do_setup("--apply", *plain(), status=1)
    assert "forcecommand" in text and "/bin/false" in text and "everything was taken back" in text
    same(with_other)
    assert not (STATE / "setup").exists()
    first.unlink()
    same(before)
    # A broken sshd_config is not setup's doing, and it says so before it begins.
    config = pathlib.Path("/etc/ssh/sshd_config")
    text = config.read_text()
    config.write_text(text + "Nonsense yes\n")
    broken = snapshot()
    assert "Nonsense" in do_setup("--apply", *plain(), status=1)
    same(broken)
    config.write_text(text)


def case_what_lives_as_the_account_is_asked_for():
    before = snapshot()
    run("groupadd", "--system", "pandora")
    run("useradd", "--system", "-g", "pandora", "-m", "-d", "/home/pandora", "-s", "/bin/bash", "pandora")
    run("chpasswd", input="pandora:secret\n")
    run("chage", "-d", "20000", "pandora")
    made = []

    def put(path, text):
        path = pathlib.Path(path)
        made.append(path)
        path.write_text(text)
    put("/etc/cron.d/pandora", "# x\n*/5 * * * * pandora /usr/bin/true\n")
    put("/etc/init.d/legacy", "#!/bin/sh\nsu - pandora -c '/usr/bin/x'\n")
    put("/etc/init.d/direct", "#!/bin/sh\nsudo -u pandora /usr/bin/x\n")
    put("/etc/systemd/system/poller.service", "[Service]\nUser=pandora\nExecStart=/usr/bin/x\n")
    pathlib.Path("/etc/pandora").mkdir()
    put("/etc/pandora/pandora_server.conf", "ha_sshuser pandora\n")
    with_life = snapshot()
    process = subprocess.Popen(["setpriv", "--reuid=pandora", "--clear-groups", "sleep", "600"])
    try:
        assert wait_for(lambda: os.stat(f"/proc/{process.pid}").st_uid != 0)
        found = {life["name"]: life for life in json.loads(do_setup("--json"))["lives"]}
    finally:
        process.kill()
        process.wait()
    breaks = {"cron:/etc/cron.d/pandora", "script:/etc/init.d/legacy", "ha:ha_sshuser"}
    assert {name for name, life in found.items() if life["breaks"]} == breaks
    assert {name for name, life in found.items() if not life["breaks"]} == {"script:/etc/init.d/direct", "unit:poller.service", "process:sleep"}
    text = do_setup("--apply", *plain(), status=1)
    assert all(f"--yes-break {name}" in text for name in breaks)
    same(with_life)
    some = [w for name in sorted(breaks)[1:] for w in ("--yes-break", name)]
    text = do_setup("--apply", *plain(), *some, status=1)
    assert f"--yes-break {sorted(breaks)[0]}" in text and f"--yes-break {sorted(breaks)[1]}" not in text
    same(with_life)
    do_setup("--apply", *plain(), *some, "--yes-break", sorted(breaks)[0])
    account = pwd.getpwnam("pandora")
    assert (account.pw_shell, account.pw_dir) == (str(LIBEXEC / "drop"), str(STATE / "home"))
    # Consent is remembered: other values need no second one.
    do_setup("--apply", *plain(), "--agents", "50")
    # usermod does not change the home of a user who runs something: that alone waits.
    process = subprocess.Popen(["setpriv", "--reuid=pandora", "--clear-groups", "sleep", "600"])
    try:
        assert wait_for(lambda: os.stat(f"/proc/{process.pid}").st_uid != 0)
        assert "the home of pandora, of which processes run" in " ".join(do_setup("--remove", status=1).split())
    finally:
        process.kill()
        process.wait()
    account = pwd.getpwnam("pandora")
    assert (account.pw_shell, account.pw_dir) == ("/bin/bash", str(STATE / "home")) and not DROP_IN.exists()
    do_setup("--remove")
    same(with_life)                                         # the shell, the home, the hash and its day
    for path in made:
        path.unlink()
    os.rmdir("/etc/pandora")
    run("userdel", "-r", "pandora", check=False)
    run("groupdel", "pandora", check=False)
    same(before)


def case_what_was_changed_since_is_left():
    before = snapshot()
    do_setup("--apply", *plain())
    PAM_SSHD.write_text(PAM_SSHD.read_text() + "# mine\n")
    text = do_setup("--remove", status=1)
    assert "/etc/pam.d/sshd was changed since" in text
    assert PAM_SSHD.read_text().endswith("# mine\n") and "pam_pandora.so" in PAM_SSHD.read_text()
    # Lines that name the group are still there: so is the group, or nobody could log in.
    assert pwd.getpwnam("pandora") and not DROP_IN.exists()
    do_setup("--remove", "--force")
    same(before)


def case_ftp_as_the_manual_has_it():
    before = snapshot()
    assert "there is no account pandora yet" in do_setup("ftp", "--apply", status=1)
    do_setup("account", "--apply")
    text = do_setup("ftp", "--user", "site1", "--apply")
    password = re.search(r"the password of site1, shown this once: (\S+)", text)[1]
    assert len(password) >= 20 and pwd.getpwnam("site1").pw_shell == "/usr/sbin/nologin"
    assert password not in do_setup("ftp", "--user", "site1", "--apply")
    assert os.stat("/etc/pandora-gate/ftp.pem").st_mode & 0o7777 == 0o600
    assert not os.path.lexists("/etc/systemd/system/multi-user.target.wants/vsftpd.service")
    run(GATE, "keys", "add", "--ftp", "site1", "--agent", "web01")
    run(GATE, "publish")
    with server("/usr/sbin/vsftpd", "/etc/pandora-gate/vsftpd.conf", port=21):
        path = packet()
        done = run("curl", "-sS", "--ssl-reqd", "--cacert", "/etc/pandora-gate/ftp-ca.pem", "--resolve", f"{host()}:21:127.0.0.1",
                   "-u", f"site1:{password}", "-T", path, f"ftp://{host()}/", check=False)
        assert done.returncode == 0, done.stderr
        assert run("curl", "-sS", "--ssl-reqd", "--cacert", "/etc/pandora-gate/ftp-ca.pem", "--resolve", f"{host()}:21:127.0.0.1",
                   "-u", "site1:wrong", "-T", packet(), f"ftp://{host()}/", check=False).returncode == 67
    assert (pathlib.Path("/var/spool/pandora/ftp/site1") / path.name).read_bytes() == path.read_bytes()
    shutil.rmtree("/var/spool/pandora/ftp")
    forget_deliveries()
    assert "remove that first" in do_setup("account", "--remove", status=1)
    do_setup("--remove")
    same(before)


def host():
    return pathlib.Path("/etc/hostname").read_text().strip()


CASES = {name.removeprefix("case_"): function for name, function in list(globals().items()) if name.startswith("case_")}


def inside(out, wanted):
    make_bare()
    seen = {}
    for name in wanted:
        begun = time.monotonic()
        try:
            CASES[name]()
            seen[name] = None
            print(f"{name}: {time.monotonic() - begun:.1f} s", flush=True)
        except Exception:
            seen[name] = traceback.format_exc()
            # The next one begins bare all the same.
            run(GATE, "setup", "--remove", "--force", check=False)
            forget_deliveries()
    pathlib.Path(out).write_text(json.dumps(seen))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--inside"] or os.environ.get("PANDORA_GATE_COPY") != "1":
        sys.exit("this is run by pytest, in a copy of the machine")
    inside(sys.argv[2], sys.argv[3:])
    sys.exit(0)


# --- the tests -------------------------------------------------------------------------------------------------------

import pytest  # noqa: E402  (the part above needs the standard library only)

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def seen(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("setup")
    wanted = [i.callspec.params["case"] for i in request.session.items if i.path == request.path and hasattr(i, "callspec")]
    done = subprocess.run([TREE / "tests/harness/copy.sh", "--out", directory, "--", "/usr/bin/python3", "-B", __file__, "--inside",
                           directory / "seen.json", *wanted], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((directory / "seen.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_on_a_bare_machine(seen, case):
    assert seen[case] is None, seen[case]
