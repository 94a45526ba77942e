"""The world of an end-to-end test: pandora-gate installed, its account, a real sshd and a real rsyslogd, and beside
them the peers that the controls run against. Only for a disposable copy of the machine (copy.sh).

Standard library only: the demo uses it as well as the tests.
"""

import contextlib
import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", TREE / "build"))
LIBEXEC = pathlib.Path("/usr/libexec/pandora-gate")
STATE = pathlib.Path("/var/lib/pandora-gate")
KEYRING = STATE / "keyring"
GATE_TOML = pathlib.Path("/etc/pandora-gate/gate.toml")
SPOOL = pathlib.Path("/var/spool/pandora")
DATA_IN = SPOOL / "data_in"
STAGING = SPOOL / "staging"
QUARANTINE = SPOOL / "quarantine"
MEMORY = STATE / "state"
PAUSE = STATE / "pause"
TOLD = pathlib.Path("/run/pandora-gate/authkeys")
AUDIT = pathlib.Path("/var/log/pandora-gate/audit.jsonl")
SSHD_DROP_IN = pathlib.Path("/etc/ssh/sshd_config.d/00-pandora-gate.conf")
FIXTURES = TREE / "tests" / "fixtures"

# What the Pandora server takes from data_in (facts: it opens and parses at once).
SERVER_PATTERN = re.compile(r"^.*[\._]\d+\.data$")

SSHD = os.environ.get("SSHD", "/usr/sbin/sshd")


def run(*argv, check=True, **kwargs):
    """A command that is expected to work; its output in the error when it does not."""
    kwargs.setdefault("timeout", 60)
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kwargs)
    if check and done.returncode != 0:
        raise RuntimeError(f"{argv}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_for(what, seconds=10.0):
    """The first true value of what(), or what it gives after that time."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


def port_answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Daemon:
    """A server in the foreground, ended with its object."""

    def __init__(self, *argv):
        self.argv = [str(a) for a in argv]
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Sshd:
    """A real sshd on 127.0.0.1 and ::1."""

    def __init__(self, world, name, port, config, under=(), to_syslog=False):
        """`under`: a program, with its arguments, that starts sshd. `to_syslog`: it logs as an installed one does, and
        text() has nothing."""
        self.port = port
        self.log = world.dir / f"sshd-{name}.log"
        self.config = world.dir / f"sshd-{name}.conf"
        self.config.write_text(config)
        where = [] if to_syslog else ["-E", self.log]
        argv = [SSHD, "-D", "-f", self.config, *where, "-o", f"Port={port}", "-o", f"PidFile={world.dir}/sshd-{name}.pid",
                "-o", "ListenAddress=127.0.0.1", "-o", "ListenAddress=::1"]
        run(*argv, "-t")
        self.daemon = Daemon(*under, *argv)
        if not wait_for(lambda: port_answers(port)):
            raise RuntimeError(f"sshd {name} does not answer: {self.log.read_text()}")

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        self.daemon.stop()


class Client:
    """OpenSSH's clients with one key against one sshd."""

    def __init__(self, sshd, user, key=None, host="127.0.0.1", options=()):
        self.sshd, self.user, self.key, self.host = sshd, user, key, host
        self.target = f"{user}@{'[' + host + ']' if ':' in host else host}"
        # ssh takes the first value it sees: the caller's options come before these.
        self.common = [*options, "-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no",
                       "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        if key:
            self.common += ["-i", str(key), "-o", "IdentitiesOnly=yes"]

    def _run(self, argv, **kwargs):
        kwargs.setdefault("timeout", 60)
        kwargs.setdefault("stdin", subprocess.DEVNULL if "input" not in kwargs else None)
        if kwargs["stdin"] is None:
            del kwargs["stdin"]
        return subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", **kwargs)

    def ssh_argv(self, *args):
        return ["ssh", *self.common, "-p", str(self.sshd.port), *args]

    def ssh(self, *command, options=(), **kwargs):
        return self._run(self.ssh_argv(*options, f"{self.user}@{self.host}", *command), **kwargs)

    def scp_argv(self, *files, to=None, options=()):
        to = DATA_IN if to is None else to
        return ["scp", *self.common, "-P", str(self.sshd.port), *options, *files, f"{self.target}:{to}"]

    def scp(self, *files, to=None, options=(), **kwargs):
        return self._run(self.scp_argv(*files, to=to, options=options), **kwargs)

    def fetch(self, path, into, options=(), **kwargs):
        return self._run(["scp", *self.common, "-P", self.sshd.port, *options, f"{self.target}:{path}", into], **kwargs)

    def sftp(self, *commands, **kwargs):
        """A batch: the first failing command ends it with status 1."""
        batch = "".join(c + "\n" for c in commands)
        argv = ["sftp", *self.common, "-P", self.sshd.port, "-b", "-", self.target]
        return self._run(argv, input=batch, **kwargs)


class World:
    PORT = 2222
    STOCK_PORT = 2223

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.keys = {}
        self.daemons = []
        self.audit_head, self.audit_end, self.audit_events = b"", 0, []
        self.install()
        self.make_account()
        self.make_stock_accounts()
        self.rsyslog = None
        self.start_rsyslog()
        self.sshd = None
        self.start_sshd()
        self.stock = self._start(Sshd(self, "stock", self.STOCK_PORT, STOCK_CONFIG))

    # --- set-up ---------------------------------------------------------------------------------------------------

    def install(self):
        if os.environ.get("PANDORA_GATE_INSTALLED") != "1":
            run("make", "-C", TREE, f"BUILD={BUILD}", "install", timeout=120)
        if "_pandora-gate" not in {u.pw_name for u in pwd.getpwall()}:
            run("systemd-sysusers", TREE / "conf/sysusers.d/pandora-gate.conf")
        run("systemd-tmpfiles", "--create", TREE / "conf/tmpfiles.d/pandora-gate.conf")
        shutil.copy(TREE / "conf/sshd_config.d/00-pandora-gate.conf", SSHD_DROP_IN)
        shutil.copy(TREE / "conf/rsyslog.d/pandora-gate.conf", "/etc/rsyslog.d/pandora-gate.conf")
        self.insert_pam_lines()

    def insert_pam_lines(self):
        """The shipped lines of conf/pam.d, where its comment says that they belong."""
        snippet = (TREE / "conf/pam.d/pandora-gate.snippet").read_text().splitlines()
        lines = {kind: next(l for l in snippet if l.startswith(kind)) for kind in ("account", "session")}
        path = pathlib.Path("/etc/pam.d/sshd")
        text = path.read_text()
        if "pam_pandora" in text:
            return
        for kind, line in lines.items():
            before = f"@include common-{kind}"
            assert before in text
            text = text.replace(before, f"{line}\n{before}", 1)
        path.write_text(text)

    def make_account(self):
        if "pandora" not in {g.gr_name for g in grp.getgrall()}:
            run("groupadd", "--system", "pandora")
        if "pandora" not in {u.pw_name for u in pwd.getpwall()}:
            run("useradd", "--system", "-g", "pandora", "-M", "-d", STATE / "home", "-s", LIBEXEC / "drop", "pandora")
        run("usermod", "-p", "*", "pandora")
        run("install", "-d", "-o", "pandora", "-g", "www-data", "-m", "2770", DATA_IN)
        run("install", "-d", "-o", "pandora", "-g", "www-data", "-m", "2770", STAGING)
        for sub in ("conf", "md5", "collections"):
            run("install", "-d", "-o", "root", "-g", "root", "-m", "755", DATA_IN / sub)

    def make_stock_accounts(self):
        """`vendora` is the vendor's recipe (nologin, internal-sftp, authorized_keys); `stocka` has a shell, for what
        only a stock scp or shell can show; `badmember` is in the group and has /bin/bash; `admina` administers."""
        for name, shell, groups in (("vendora", "/usr/sbin/nologin", ""), ("stocka", "/bin/bash", ""),
                                    ("badmember", "/bin/bash", "pandora"), ("admina", "/bin/bash", "")):
            if name not in {u.pw_name for u in pwd.getpwall()}:
                run("useradd", "-m", "-s", shell, *(["-G", groups] if groups else []), name)
                run("usermod", "-p", "*", name)
        for name in ("vendora", "stocka"):
            run("install", "-d", "-o", name, "-g", name, "-m", "755", f"/var/spool/{name}", f"/var/spool/{name}/data_in")

    def authorize(self, name, public):
        """The stock way: a line in the user's authorized_keys."""
        ssh_dir = pathlib.Path(pwd.getpwnam(name).pw_dir) / ".ssh"
        run("install", "-d", "-o", name, "-g", name, "-m", "700", ssh_dir)
        with open(ssh_dir / "authorized_keys", "a") as file:
            file.write(pathlib.Path(public).read_text())
        run("chown", f"{name}:{name}", ssh_dir / "authorized_keys")

    @contextlib.contextmanager
    def another_drop(self, program):
        """That program in place of drop, for the time of the block."""
        installed, kept = LIBEXEC / "drop", self.dir / "drop.kept"
        shutil.copy2(installed, kept)
        run("install", "-m", "755", program, f"{installed}.new")
        os.rename(f"{installed}.new", installed)        # one that runs is not written to
        try:
            yield
        finally:
            shutil.copy2(kept, f"{installed}.new")
            os.rename(f"{installed}.new", installed)

    def start_rsyslog(self):
        config = self.dir / "rsyslog.conf"
        config.write_text('module(load="imuxsock")\ninclude(file="/etc/rsyslog.d/pandora-gate.conf")\n'
                          f'auth,authpriv.* {self.dir}/auth.log\n')
        pathlib.Path("/dev/log").unlink(missing_ok=True)
        self.rsyslog = self._start(Daemon("rsyslogd", "-n", "-f", config, "-i", self.dir / "rsyslog.pid"))
        if not wait_for(lambda: os.path.exists("/dev/log")):
            raise RuntimeError("rsyslogd made no /dev/log")

    def stop_rsyslog(self):
        self.rsyslog.stop()

    def start_sshd(self, extra=""):
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = pathlib.Path("/etc/ssh/sshd_config").read_text()
        self.sshd = self._start(Sshd(self, "gate", self.PORT, config + extra))

    def _start(self, daemon):
        self.daemons.append(daemon)
        return daemon

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.stop()

    # --- keys and clients ---------------------------------------------------------------------------------------------

    def new_key(self, name, kind="ed25519"):
        path = self.dir / f"key-{name}"
        if not path.exists():
            run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", path)
        return path

    def gate(self, *args, check=True, **kwargs):
        return run("/usr/sbin/pandora-gate", *args, check=check, **kwargs)

    def enrol(self, name, *agents, kind="ed25519"):
        """A new key for these agents, in the store and published. Returns the private key's path."""
        key = self.new_key(name, kind)
        self.gate("keys", "add", f"{key}.pub", *(a for agent in agents for a in ("--agent", agent)))
        return key

    @contextlib.contextmanager
    def edited(self, keys, *fields):
        """The published keyring with these fields ("state=disabled", see edit_keyring.cpp) of these keys (ids), for the
        time of the block."""
        saved = KEYRING.read_bytes()
        try:
            self.edit(keys, *fields)
            yield
        finally:
            self.put_keyring(saved)

    def edit(self, keys, *fields):
        edited = self.dir / "edited"
        run(BUILD / "tests/harness/edit_keyring", KEYRING, edited, ",".join(keys), *fields)
        self.put_keyring(edited.read_bytes())

    def put_keyring(self, content):
        """In place at once, as publish does it."""
        new = KEYRING.with_name("keyring.of-a-test")
        new.write_bytes(content)
        new.chmod(0o644)
        new.rename(KEYRING)

    def client(self, key, user="pandora", **kwargs):
        return Client(self.sshd, user, key, **kwargs)

    def stock_client(self, user="stocka", **kwargs):
        key = self.new_key(f"stock-{user}")
        if user not in self.keys:
            self.authorize(user, f"{key}.pub")
            self.keys[user] = key
        return Client(self.stock, user, key, **kwargs)

    # --- what happened ------------------------------------------------------------------------------------------------

    def delivered(self):
        """The files in data_in: name -> bytes."""
        return {p.name: p.read_bytes() for p in sorted(DATA_IN.iterdir()) if p.is_file()}

    def clear(self):
        """Nothing in the spool, and nothing remembered of earlier drops: a test begins anew."""
        for directory in (DATA_IN, STAGING, QUARANTINE, MEMORY, TOLD):   # two of them are made by the first publish
            for path in directory.iterdir() if directory.is_dir() else ():
                if path.is_file():
                    path.unlink()
        shutil.rmtree(STAGING / "sweep", ignore_errors=True)

    def forget(self):
        """What is known of earlier drops: the same file is a new one, the same refusal is told again."""
        for path in (*MEMORY.iterdir(), *TOLD.iterdir()):
            path.unlink(missing_ok=True)

    def audit(self):
        """All events. It grows to tens of thousands and is asked for again and again: what was read is remembered, as long
        as the file begins as it did (a test may have emptied it)."""
        if not AUDIT.exists():
            return []
        with AUDIT.open("rb") as file:
            head = file.read(512)
            if head[:len(self.audit_head)] != self.audit_head or file.seek(0, os.SEEK_END) < self.audit_end:
                self.audit_head, self.audit_end, self.audit_events = b"", 0, []
            if len(self.audit_head) < 512:
                self.audit_head = head[:head.rfind(b"\n") + 1] if len(head) < 512 else head
            file.seek(self.audit_end)
            fresh = file.read()
        fresh = fresh[:fresh.rfind(b"\n") + 1]
        self.audit_end += len(fresh)
        self.audit_events += [json.loads(line) for line in fresh.decode(errors="replace").splitlines()]
        return list(self.audit_events)

    def mark(self):
        """A place in the audit trail, for events_since()."""
        return len(self.audit())

    def events_since(self, mark, event=None, count=1, seconds=10.0, **fields):
        """The events after the mark of that code and with those fields; waits until there are `count`."""
        def matching():
            return [e for e in self.audit()[mark:] if event in (None, e["event"]) and
                    all(e.get(k) == v for k, v in fields.items())]
        wait_for(lambda: len(matching()) >= count, seconds)
        return matching()

    def drops_running(self):
        """The pids of every `drop` process."""
        found = []
        for path in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if path.name.isdigit() and os.readlink(path / "exe") == str(LIBEXEC / "drop"):
                    found.append(int(path.name))
        return sorted(found)


# The vendor's document: a stock sshd whose SFTP subsystem is internal-sftp, keys in the user's home.
STOCK_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM no
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
LogLevel VERBOSE
"""


@contextlib.contextmanager
def policy(world, **settings):
    """policy(world, spool={"durability": "none"}): published for the time of the block."""
    def value(v):
        return str(v).lower() if isinstance(v, (bool, int)) else json.dumps(v)
    before = GATE_TOML.read_text()
    GATE_TOML.write_text("".join(f"[{table}]\n" + "".join(f"{k} = {value(v)}\n" for k, v in fields.items())
                                 for table, fields in settings.items()))
    try:
        world.gate("publish")
        yield
    finally:
        GATE_TOML.write_text(before)
        world.gate("publish")
