"""Every client that agents and administrators use, behind one face: put, list, read. What a client says goes into an
Outcome, so that the same test can be made of all of them, against the gate and against a stock sshd.

A driver sends one file to one account of one sshd: its methods are all that the tests know.
"""

import dataclasses
import os
import pathlib
import shlex
import subprocess

import paramiko
from world import run

TIMEOUT = 40


@dataclasses.dataclass
class Outcome:
    status: int     # 0 = the client says that everything worked
    text: str       # all that it said


def said(argv, **kwargs):
    kwargs.setdefault("stdin", None if "input" in kwargs else subprocess.DEVNULL)
    if kwargs["stdin"] is None:
        del kwargs["stdin"]
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=TIMEOUT, **kwargs)
    return Outcome(done.returncode, done.stdout)


def result(done):
    return Outcome(done.returncode, done.stdout + done.stderr)


def made(path, *argv, **kwargs):
    """A key in another client's format, made once."""
    if not path.exists():
        run(*argv, **kwargs)
    return path


class Driver:
    """client: a world.Client (which key, which sshd, whose account); where: data_in as that side knows it."""
    # How this client's user learns that a name is refused: the status always; the server's words where it shows them.
    shows_words = False
    # What it asks for beside its upload, and goes on without: reasons in the audit.
    asks = frozenset()

    def __init__(self, client, where):
        self.client, self.where = client, str(where)

    @property
    def url_host(self):
        return f"[{self.client.host}]" if ":" in self.client.host else self.client.host

    def remote(self, name):
        return f"{self.where}/{name}"


# --- OpenSSH ----------------------------------------------------------------------------------------------------------

class Scp(Driver):
    options = ()

    def put(self, path):
        return result(self.client.scp(path, to=self.where, options=self.options))

    def read(self, name, into):
        return result(self.client.fetch(self.remote(name), into, options=self.options))

    def list(self, into):
        """scp lists nothing: what it can is fetch the directory."""
        done = self.client.fetch(self.where, into, options=[*self.options, "-r"])
        found = [p.name for p in pathlib.Path(into).rglob("*")] if pathlib.Path(into).exists() else []
        return Outcome(done.returncode, "\n".join(found))


class ScpLegacy(Scp):
    options = ("-O",)
    shows_words = True


class ScpP(Scp):
    options = ("-p",)


class ScpLegacyP(ScpLegacy):
    options = ("-O", "-p")


class Sftp(Driver):
    def commands(self, path):
        return [f"put {path} {self.remote(path.name)}"]

    def put(self, path):
        return result(self.client.sftp(*self.commands(path)))

    def read(self, name, into):
        return result(self.client.sftp(f"get {self.remote(name)} {into}"))

    def list(self, _into):
        return result(self.client.sftp(f"ls -la {self.where}"))


class SftpP(Sftp):
    def commands(self, path):
        return [f"cd {self.where}", f"put -p {path}"]


class SftpF(Sftp):
    def commands(self, path):
        return [f"put -f {path} {self.remote(path.name)}"]


class SftpRename(Sftp):
    def commands(self, path):
        return [f"cd {self.where}", f"put {path} {path.name}.filepart", f"rename {path.name}.filepart {path.name}"]


class SftpReput(Sftp):
    """A part, and then the rest: reput refuses to begin a file, against any server."""
    def commands(self, path):
        content = path.read_bytes()
        half = path.with_name(path.name + ".half")
        half.write_bytes(content[:len(content) // 2])
        part = f"{path.name}.part"
        return [f"cd {self.where}", f"put {half} {part}", f"reput {path} {part}", f"rename {part} {path.name}"]


# --- Dropbear ---------------------------------------------------------------------------------------------------------

class Dbclient(ScpLegacy):
    """Dropbear's scp is OpenSSH's of old, which starts dbclient; Debian packages only the latter, so that today's stands
    for it."""
    def program(self):
        key = made(pathlib.Path(f"{self.client.key}.dropbear"), "dropbearconvert", "openssh", "dropbear",
                   self.client.key, f"{self.client.key}.dropbear")
        path = pathlib.Path(f"{self.client.key}.{self.client.sshd.port}.sh")
        # What dbclient does not know of scp's options is left out: Dropbear's own scp does not pass it.
        path.write_text("#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in -o|-F|-i|-l|-p) shift 2;; -*) shift;; "
                        f"*) break;; esac; done\nexec dbclient -y -y -T -i {key} -p {self.client.sshd.port} "
                        f"-l {self.client.user} \"$@\"\n")
        path.chmod(0o755)
        return path

    @property
    def options(self):
        return ("-O", "-S", str(self.program()))


# --- PuTTY ------------------------------------------------------------------------------------------------------------

class Putty(Driver):
    def common(self):
        key = made(pathlib.Path(f"{self.client.key}.ppk"), "puttygen", self.client.key, "-o", f"{self.client.key}.ppk",
                   "-O", "private")
        host_key = run("ssh-keygen", "-l", "-f", "/etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[1]
        return ["-batch", "-hostkey", host_key, "-i", key, "-P", self.client.sshd.port, "-noagent"]


class Pscp(Putty):
    protocol = "-sftp"

    def argv(self, *args):
        return ["pscp", *self.common(), self.protocol, "-q", *args]

    def at(self, path):
        return f"{self.client.user}@{self.url_host}:{path}"

    def put(self, path):
        return said(self.argv(path, self.at(self.where)))

    def read(self, name, into):
        return said(self.argv(self.at(self.remote(name)), into))

    def list(self, _into):
        return said(self.argv("-ls", self.at(self.where)))


class PscpP(Pscp):
    def put(self, path):
        return said(self.argv("-p", path, self.at(self.where)))


class PscpScp(Pscp):
    protocol = "-scp"
    shows_words = True


class Psftp(Putty):
    def batch(self, *commands):
        script = pathlib.Path(f"{self.client.key}.psftp")
        script.write_text("".join(c + "\n" for c in commands))
        return said(["psftp", *self.common(), "-b", script, f"{self.client.user}@{self.url_host}"])

    def put(self, path):
        return self.batch(f"cd {self.where}", f"put {path} {path.name}")

    def read(self, name, into):
        return self.batch(f"get {self.remote(name)} {into}")

    def list(self, _into):
        return self.batch(f"ls {self.where}")


# --- curl -------------------------------------------------------------------------------------------------------------

class Curl(Driver):
    scheme = "sftp"

    def argv(self, *args):
        return ["curl", "-sS", "-k", "--connect-timeout", "10", "-u", f"{self.client.user}:", "--key", self.client.key,
                "--pubkey", f"{self.client.key}.pub", *args]

    def url(self, path):
        return f"{self.scheme}://{self.url_host}:{self.client.sshd.port}{path}"

    def put(self, path):
        return said(self.argv("-T", path, self.url(f"{self.where}/")))

    def read(self, name, into):
        return said(self.argv("-o", into, self.url(self.remote(name))))

    def list(self, _into):
        return said(self.argv(self.url(f"{self.where}/")))


class CurlFile(Curl):
    def put(self, path):
        return said(self.argv("-T", path, "--ftp-create-dirs", self.url(self.remote(path.name))))


class CurlQuote(Curl):
    """Under another name first; what curl sends as quotes before and after is what scripts do with it."""
    def put(self, path):
        part = self.remote(path.name + ".part")
        return said(self.argv("-T", path, "-Q", "pwd", "-Q", f"-chmod 640 {part}",
                              "-Q", f"-rename {part} {self.remote(path.name)}", self.url(part)))


class CurlScp(Curl):
    scheme = "scp"

    def list(self, into):
        """No way to ask: the directory is read as if it were a file."""
        return said(self.argv("-o", into, self.url(self.where)))


# --- lftp -------------------------------------------------------------------------------------------------------------

class Lftp(Driver):
    shows_words = True
    settings = ()
    verb = "put"

    def run(self, command):
        ssh = " ".join(shlex.quote(a) for a in ["ssh", "-a", "-x", *self.client.common])
        script = "; ".join([f'set sftp:connect-program "{ssh}"', "set net:max-retries 1", "set net:timeout 10",
                            "set cmd:fail-exit true", *self.settings,
                            f"open -u {self.client.user}, -p {self.client.sshd.port} sftp://{self.url_host}", command])
        return said(["lftp", "--norc", "-c", script], env={**os.environ, "HOME": str(self.client.key.parent)})

    def put(self, path):
        return self.run(f"{self.verb} -O {self.where} {path}")

    def read(self, name, into):
        return self.run(f"get {self.remote(name)} -o {into}")

    def list(self, _into):
        return self.run(f"ls {self.where}")


class LftpTemp(Lftp):
    """Removes the final name before it renames to it."""
    settings = ("set xfer:use-temp-file true",)
    asks = frozenset({"request.foreign_file"})


class LftpFullPath(Lftp):
    settings = ("set sftp:use-full-path true",)


class LftpContinue(Lftp):
    verb = "put -c"


class LftpMirror(Lftp):
    """mirror -R makes the target's directories and lists it first, and sets modes and times after."""
    asks = frozenset({"request.directory"})

    def put(self, path):
        return self.run(f"mirror -R --no-recursion -f {path} -O {self.where}")


# --- paramiko ---------------------------------------------------------------------------------------------------------

class Paramiko(Driver):
    shows_words = True

    def session(self):
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(self.client.host, port=self.client.sshd.port, username=self.client.user,
                       key_filename=str(self.client.key), look_for_keys=False, allow_agent=False, timeout=20)
        return client

    def attempt(self, what):
        with self.session() as client:
            try:
                text = what(client.open_sftp())
            except (OSError, paramiko.SSHException) as error:
                return Outcome(1, str(error))
        return Outcome(0, text or "")

    def put(self, path):
        return self.attempt(lambda sftp: str(sftp.put(str(path), self.remote(path.name), confirm=True)))

    def read(self, name, into):
        return self.attempt(lambda sftp: sftp.get(self.remote(name), str(into)))

    def list(self, _into):
        return self.attempt(lambda sftp: "\n".join([*sftp.listdir(self.where), *map(str, sftp.listdir_attr(self.where)),
                                                    *map(str, sftp.listdir_iter(self.where))]))


class ParamikoOpen(Paramiko):
    """As a program writes: pipelined, with a seek, and a look at what is there."""
    def put(self, path):
        def send(sftp):
            sftp.chdir(self.where)
            content = path.read_bytes()
            with sftp.open(path.name, "wb", bufsize=4096) as file:
                file.set_pipelined(True)
                file.write(b"\0" * len(content))
                file.seek(0)
                file.write(content)
                file.flush()
                if file.stat().st_size != len(content):
                    raise OSError("another size")
        return self.attempt(send)


class ParamikoRename(Paramiko):
    def put(self, path):
        def send(sftp):
            temporary = self.remote(path.name + ".tmp")
            sftp.put(str(path), temporary)
            sftp.chmod(temporary, 0o600)
            sftp.utime(temporary, (1, 1))
            sftp.posix_rename(temporary, self.remote(path.name))
        return self.attempt(send)


DRIVERS = [Scp, ScpLegacy, ScpP, ScpLegacyP, Sftp, SftpP, SftpF, SftpRename, SftpReput, Dbclient, Pscp, PscpP, PscpScp,
           Psftp, Curl, CurlFile, CurlQuote, CurlScp, Lftp, LftpTemp, LftpFullPath, LftpContinue, LftpMirror, Paramiko,
           ParamikoOpen, ParamikoRename]
