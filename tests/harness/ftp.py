"""A real vsftpd in the world of an end-to-end test: with the shipped configuration, and beside it, as the control, with
the one of the vendor's document. Users with passwords, their upload directories, and a client that says any command."""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import ssl
import subprocess

from world import GATE_TOML, LIBEXEC, SPOOL, TREE, Daemon, port_answers, run, wait_for

VSFTPD = os.environ.get("VSFTPD", "/usr/sbin/vsftpd")
SHIPPED = TREE / "conf/vsftpd/vsftpd.conf"
UNIT = TREE / "conf/systemd/pandora-gate-ftp.service"
CERTIFICATE = pathlib.Path("/etc/pandora-gate/ftp.pem")
FTPUSERS = pathlib.Path("/etc/ftpusers")
NOCHROOT = pathlib.Path("/etc/vsftpd.nochroot_list")
UPLOADS = SPOOL / "ftp"
HOMES = pathlib.Path("/srv/document")       # where the document's configuration puts files: the home
SWEEP = LIBEXEC / "sweep"
GUEST = "_pandora-ftp"
PASSWORD = "secret"

# What doc/ftp.md says for agents that cannot do TLS.
PLAIN = "force_local_logins_ssl=NO\nforce_anon_data_ssl=NO\n"

# The document's own, as far as it starts and takes uploads on a kernel of today (allow_writeable_chroot, seccomp_sandbox).
DOCUMENT = """\
listen_ipv6=YES
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
pam_service_name=document-ftp
chroot_local_user=YES
allow_writeable_chroot=YES
chroot_list_enable=YES
chroot_list_file=/etc/vsftpd.nochroot_list
dirlist_enable=NO
download_enable=NO
seccomp_sandbox=NO
secure_chroot_dir=/run/pandora-gate/empty
"""
# Its PAM file: pam_listfile and pam_succeed_if, the module names put back.
DOCUMENT_PAM = """\
auth    required   pam_listfile.so item=user sense=deny file=/etc/ftpusers onerr=succeed
@include common-account
@include common-session
@include common-auth
auth    required   pam_succeed_if.so quiet user ingroup pandora
auth    required   pam_succeed_if.so quiet shell = /sbin/nologin
"""
# A stock service without rules: a password is enough.
STOCK_PAM = "auth required pam_unix.so\naccount required pam_unix.so\n"


def setting(name):
    """What the shipped unit says."""
    return [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{name}=")][-1]


def as_the_unit(world, limit=None):
    """A program that starts another as the shipped unit would, as far as that can be had without systemd. `limit`: of a
    file's size, in bytes, in place of the unit's."""
    path = world.dir / f"as-the-unit-{limit}"
    capabilities = ",".join("+" + c.lower().removeprefix("cap_") for c in setting("CapabilityBoundingSet").split())
    size = limit or int(setting("LimitFSIZE").removesuffix("M")) << 20
    assert setting("ProtectSystem") == "strict" and setting("NoNewPrivileges") == "yes"
    uploads = setting("ReadWritePaths").removeprefix("-")
    # Every mount but those of the kernel becomes read-only, as ProtectSystem=strict has it.
    path.write_text(f"""#!/bin/sh -e
[ "$1" = --inside ] || exec unshare --mount --propagation private "$0" --inside "$@"
shift
mount --rbind {uploads} {uploads}
while read -r _ at _; do
    case $at in /proc* | /sys* | /dev* | {uploads}*) ;; *) mount -o remount,bind,ro "$at" ;; esac
done </proc/self/mounts
export {setting("Environment")}
exec prlimit --fsize={size} -- setpriv --no-new-privs --bounding-set=-all,{capabilities} -- "$@"
""")
    path.chmod(0o755)
    return (path,)


class Vsftpd:
    """A vsftpd on [::], for IPv4 too. `under`: a program, with its arguments, that starts it."""

    def __init__(self, world, name, port, config, under=()):
        self.port = port
        self.config = world.dir / f"vsftpd-{name}.conf"
        self.config.write_text(f"{config}\nlisten_port={port}\n")      # of two lines the last counts
        self.daemon = Daemon(*under, VSFTPD, self.config)
        if not wait_for(lambda: port_answers(port), 5):
            raise RuntimeError(f"vsftpd {name} does not answer: {run(VSFTPD, self.config, check=False).stdout}")

    def stop(self):
        self.daemon.stop()

    def processes(self):
        """Of all its sessions: what is below it in the process tree."""
        parents = {}
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                parents[int(path.parent.name)] = int(fields[1])
        found = {self.daemon.process.pid}
        for pid, parent in sorted(parents.items()):
            if parent in found:
                found.add(pid)
        return sorted(found - {self.daemon.process.pid})


class Ftp:
    """The FTP side of a world: servers by name, users, directories."""
    PORTS = {"gate": 2121, "plain": 2122, "document": 2123}

    def __init__(self, world, agents):
        """`agents`: for whom the users may send."""
        self.world = world
        self.servers = {}
        self.next_port = 2130
        self.before = {path: path.read_text() for path in (GATE_TOML, FTPUSERS)}
        self.install()
        for name, groups, shell in (("ftpa", "pandora", "/sbin/nologin"), ("ftpb", "pandora", "/sbin/nologin"),
                                    ("ftplisted", "pandora", "/sbin/nologin"), ("ftpdenied", "pandora", "/sbin/nologin"),
                                    ("ftpbash", "pandora", "/bin/bash"), ("ftpstranger", "", "/sbin/nologin")):
            self.add_user(name, groups, shell)
        set_password("pandora", PASSWORD)
        NOCHROOT.write_text("ftplisted\n")
        FTPUSERS.write_text(self.before[FTPUSERS] + "ftpdenied\n")
        GATE_TOML.write_text(self.before[GATE_TOML].replace("[ftp]\n", "[ftp]\nenabled = true\n"))
        self.publish()
        for name in ("ftpa", "ftpb", "ftplisted", "pandora"):
            world.gate("keys", "add", "--ftp", name, *(word for agent in agents for word in ("--agent", agent)))
        self.unit = as_the_unit(world)
        self.start("gate", SHIPPED.read_text(), self.unit)
        self.start("plain", SHIPPED.read_text() + PLAIN, self.unit)
        self.start("document", DOCUMENT)

    def install(self):
        run("systemd-sysusers", TREE / "conf/sysusers.d/pandora-gate.conf")
        run("systemd-tmpfiles", "--create", TREE / "conf/tmpfiles.d/pandora-gate.conf")
        shutil.copy(TREE / "conf/vsftpd.nochroot_list", NOCHROOT)
        shutil.copy(TREE / "conf/vsftpd/openssl.cnf", "/etc/pandora-gate/vsftpd-openssl.cnf")
        shutil.copy(TREE / "conf/pam.d/pandora-ftp", "/etc/pam.d/pandora-ftp")
        pathlib.Path("/etc/pam.d/document-ftp").write_text(DOCUMENT_PAM)
        self.ca = self.world.dir / "ftp-ca.pem"
        key = self.world.dir / "ftp-key.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1", "-keyout", key, "-out", self.ca)
        CERTIFICATE.write_text(key.read_text() + self.ca.read_text())
        CERTIFICATE.chmod(0o600)

    def start(self, name, config, under=()):
        port = self.PORTS.get(name)
        if port is None:
            port, self.next_port = self.next_port, self.next_port + 1
        server = self.servers[name] = Vsftpd(self.world, name, port, config, under)
        return server

    @contextlib.contextmanager
    def server(self, name, config, under=()):
        """One more, for the time of the block."""
        made = self.start(name, config, under)
        try:
            yield made
        finally:
            made.stop()
            del self.servers[name]

    def publish(self):
        """Makes the upload directories, too."""
        self.world.gate("publish")

    def stop(self):
        for server in self.servers.values():
            server.stop()
        for path, text in self.before.items():
            path.write_text(text)
        run("usermod", "-p", "*", "pandora")
        for name in ("ftpa", "ftpb", "ftplisted", "pandora"):
            self.world.gate("keys", "remove", f"ftp:{name}", "--reason", "the test is over", check=False)
        self.publish()

    @contextlib.contextmanager
    def document_pam(self, text):
        """Another PAM file for the document's service, for the time of the block."""
        path = pathlib.Path("/etc/pam.d/document-ftp")
        path.write_text(text)
        try:
            yield
        finally:
            path.write_text(DOCUMENT_PAM)

    def add_user(self, name, groups, shell):
        home = HOMES / name
        HOMES.mkdir(exist_ok=True)
        if name not in {u.pw_name for u in pwd.getpwall()}:
            run("useradd", "-M", "-d", home, "-s", shell, *(["-G", groups] if groups else []), name)
        run("install", "-d", "-o", name, "-m", "755", home)
        run("install", "-d", "-o", name, "-m", "755", home / ".held")
        set_password(name, PASSWORD)

    def clear(self):
        for root in (*UPLOADS.glob("*"), *UPLOADS.glob("*/.held"), *HOMES.glob("*"), *HOMES.glob("*/.held")):
            for path in root.iterdir() if root.is_dir() else ():
                if path.is_symlink() or not path.is_dir():
                    path.unlink()
                elif path.name != ".held":
                    shutil.rmtree(path)

    def login(self, server, user="ftpa", password=PASSWORD, **kwargs):
        """A Session that is logged in, or PermissionError with what the server said."""
        session = Session(self.servers[server].port, ca=self.ca, **kwargs)
        answer = session.authenticate(user, password)
        if not answer.startswith("230"):
            session.close()
            raise PermissionError(answer)
        if session.tls:
            session.command("PBSZ 0")
            session.command("PROT P")
        session.command("TYPE I")
        return session

    def may_login(self, server, user, password=PASSWORD, **kwargs):
        with contextlib.suppress(PermissionError, OSError, EOFError):
            self.login(server, user, password, **kwargs).close()
            return True
        return False


def set_password(user, password):
    run("usermod", "-p", run("openssl", "passwd", "-6", password).stdout.strip(), user)


class Session:
    """A control connection that says what it is told, and its data connections."""

    def __init__(self, port, host="127.0.0.1", tls=False, ca=None, context=None):
        self.host, self.tls = host, tls
        self.context = context or ssl.create_default_context(cafile=ca)
        self.socket = socket.create_connection((host, port), timeout=20)
        self.file = self.socket.makefile("rb")
        self.greeting = self.answer()
        if tls:
            assert self.command("AUTH TLS").startswith("234")
            self.socket = self.context.wrap_socket(self.socket, server_hostname=host)
            self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for what in (self.file, self.socket):
            with contextlib.suppress(OSError):
                what.close()

    def answer(self):
        said = []
        while True:
            line = self.file.readline().decode("latin-1")
            if not line:
                raise EOFError("".join(said))
            said.append(line)
            if line[:3].isdigit() and line[3:4] == " ":
                return "".join(said).strip()

    def send(self, line):
        self.socket.sendall(line.encode("latin-1") + b"\r\n")

    def command(self, line):
        self.send(line)
        return self.answer()

    def authenticate(self, user, password):
        answer = self.command(f"USER {user}")
        return self.command(f"PASS {password}") if answer.startswith("331") else answer

    def passive(self, source=None):
        """A data connection, as soon as the server has said where; `source`: from that address."""
        answer = self.command("EPSV")
        if not answer.startswith("229"):
            raise PermissionError(answer)
        address = (self.host, int(answer.split("|||")[1].split("|")[0]))
        return socket.create_connection(address, timeout=10, source_address=(source, 0) if source else None)

    def encrypted(self, data):
        return self.context.wrap_socket(data, server_hostname=self.host) if self.tls else data

    def transfer(self, line, content=None, source=None):
        """A command with a data connection. Gives the last answer, and what came."""
        data = self.passive(source)
        try:
            answer = self.command(line)
            if not answer.startswith(("150", "125")):
                return answer, b""
            data = self.encrypted(data)
            came = b""
            if content is not None:
                with contextlib.suppress(OSError):      # a server that ends it in the middle says why in its answer
                    data.sendall(content)
            else:
                while block := data.recv(65536):
                    came += block
            if self.tls:
                with contextlib.suppress(OSError):
                    data.unwrap()
            data.close()
            return self.answer(), came
        finally:
            data.close()

    def store(self, name, content=b"x", command="STOR", **kwargs):
        return self.transfer(f"{command} {name}", content, **kwargs)[0]

    def fetch(self, line, **kwargs):
        return self.transfer(line, **kwargs)[1]


def swept(world):
    """One pass of the sweep. Gives what is then in data_in: name -> bytes."""
    done = run(SWEEP, "--once", check=False)
    if done.returncode not in (0, 1):           # 1: something has to wait
        raise RuntimeError(f"sweep: status {done.returncode}\n{done.stderr}")
    return world.delivered()


def kill_hard(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def tool(*argv, stdin="", timeout=60, **kwargs):
    return subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True, errors="replace",
                          timeout=timeout, **kwargs)
