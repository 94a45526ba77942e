"""Enrolment in the test world: the lines that `setup` writes into sshd's and PAM's files, the service, and clients that
type a code or a password.

    with with_enrolment(world) as enrolment:
        code = enrolment.code("--agent", "web01")
        enrolment.client(code).ssh("exit")
"""

import contextlib
import json
import os
import pathlib
import subprocess

from world import (AUDIT, LIBEXEC, SSHD_DROP_IN, Client, Daemon, run, wait_for)  # noqa: F401

PAM_FILE = pathlib.Path("/etc/pam.d/sshd")
RUN = pathlib.Path("/run/pandora-gate")
SOCKET = RUN / "enrol.sock"
TICKETS = RUN / "tickets"
GUESSES = RUN / "guesses"
SHELLS = "shell=/usr/sbin/nologin,/sbin/nologin,/usr/libexec/pandora-gate/drop"
AUTH_LINE = ("auth  [success=done ignore=ignore default=die]  pam_pandora.so  group=pandora scope=members "
             f"{SHELLS} enrol\n")


def sshd_lines(text):
    """The Match block with passwords in it."""
    for before, after in (("AuthenticationMethods publickey\n", "AuthenticationMethods publickey password\n"),
                          ("PasswordAuthentication no\n", "PasswordAuthentication yes\n")):
        assert before in text, before
        text = text.replace(before, after)
    return text


def pam_lines(text):
    before = "@include common-auth"
    assert before in text and "pam_pandora.so" in text
    lines = [line + " enrol" if "pam_pandora.so" in line and line.startswith("session") else line
             for line in text.splitlines()]
    return "\n".join(lines).replace(before, AUTH_LINE + before, 1) + "\n"


class PasswordClient(Client):
    """OpenSSH's clients, which type `typed` when they are asked for a password, once."""

    def __init__(self, sshd, user, typed, directory, key=None, **kwargs):
        super().__init__(sshd, user, key, options=(
            "-o", "BatchMode=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1",
            "-o", "PubkeyAuthentication=no"), **kwargs)
        self.askpass = pathlib.Path(directory) / "askpass"
        if not self.askpass.exists():
            self.askpass.write_text('#!/bin/sh\nprintf "%s\\n" "$GATE_TEST_TYPED"\n')
            self.askpass.chmod(0o755)
        self.typed = typed

    def environment(self):
        return {**os.environ, "SSH_ASKPASS": str(self.askpass), "SSH_ASKPASS_REQUIRE": "force",
                "GATE_TEST_TYPED": self.typed, "DISPLAY": ":none"}

    def _run(self, argv, **kwargs):
        kwargs.setdefault("env", self.environment())
        return super()._run(argv, **kwargs)


class Enrolment:
    def __init__(self, world):
        self.world = world

    def make(self, *args):
        """`enrol code` with these options: what --json says of the one code."""
        return json.loads(self.world.gate("enrol", "code", "--json", *args).stdout)["codes"][0]

    def code(self, *args):
        return self.make(*args)["code"]

    def client(self, typed, user="pandora", **kwargs):
        return PasswordClient(self.world.sshd, user, typed, self.world.dir, **kwargs)

    def forget_guesses(self):
        (GUESSES / "table").unlink(missing_ok=True)

    @staticmethod
    def tickets():
        return sorted(p.name for p in TICKETS.iterdir())


@contextlib.contextmanager
def with_enrolment(world, service=True):
    """sshd and PAM as setup leaves them with enrolment, and (`service`) the service running."""
    saved = {path: path.read_text() for path in (SSHD_DROP_IN, PAM_FILE)}
    run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/pandora-gate.conf")
    serving = None
    try:
        SSHD_DROP_IN.write_text(sshd_lines(saved[SSHD_DROP_IN]))
        PAM_FILE.write_text(pam_lines(saved[PAM_FILE]))
        world.sshd.stop()
        world.start_sshd()
        if service:
            SOCKET.unlink(missing_ok=True)      # that of another test's service answers nobody
            serving = Daemon("/usr/sbin/pandora-gate", "enrol", "serve")
            if not wait_for(SOCKET.exists):
                raise RuntimeError("the enrolment service made no socket")
        yield Enrolment(world)
    finally:
        if serving:
            serving.stop()
        for path, text in saved.items():
            path.write_text(text)
        world.sshd.stop()
        world.start_sshd()


# In place of drop: hands standard input's line over, as drop does, and says what it is told.
SENDER = """\
#!/usr/bin/python3
import os, socket, sys
command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
wish = b"\\x02" if command == "rotate" else b"\\x01"
line = sys.stdin.buffer.readline(20000).rstrip(b"\\n")
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect("/run/pandora-gate/enrol.sock")
s.send(b"pgE1" + wish + line)
reply = s.recv(4096)
print(("accepted", "pending", "refused")[reply[4] - 1], reply[5:].decode("latin-1"))
sys.exit(0 if reply[4] < 3 else 1)
"""


@contextlib.contextmanager
def with_sender(world):
    """A program that hands a key over in place of drop (another_drop), for the service by itself."""
    program = world.dir / "sender"
    program.write_text(SENDER)
    program.chmod(0o755)
    with world.another_drop(program):
        yield
