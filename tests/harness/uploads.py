"""Uploads by FTP without an FTP server: what vsftpd would leave in an upload directory, and the sweep that takes it."""

import contextlib
import os
import pathlib
import pwd
import subprocess

from world import DATA_IN, LIBEXEC, QUARANTINE, SPOOL, STAGING, Daemon, policy, run

FTP = SPOOL / "ftp"
SWEEP = LIBEXEC / "sweep"
GUEST = "_pandora-ftp"
ADDED = set()                   # users, by add_member()


def packet(agent="web01", text="x"):
    return f'<?xml version="1.0"?><agent_data agent_name="{agent}"><module>{text}</module></agent_data>'.encode()


DOCTYPE = b'<!DOCTYPE a><agent_data agent_name="web01"></agent_data>'


class Inbox:
    """The upload directory of a user."""

    def __init__(self, user, directory=None):
        self.user = user
        self.dir = pathlib.Path(directory or FTP / user)
        self.held = self.dir / ".held"

    def put(self, name, content, owner=GUEST, mode=0o640):
        """It is there at once, and complete."""
        made = self.dir.parent / ".of-a-test"
        made.write_bytes(content)
        made.chmod(mode)
        entry = pwd.getpwnam(owner)
        os.chown(made, entry.pw_uid, entry.pw_gid)
        made.rename(self.dir / name)
        return self.dir / name

    def names(self):
        return sorted(p.name for p in self.dir.iterdir() if p.name != ".held")

    def held_names(self):
        return sorted(p.name for p in self.held.iterdir())

    def clear(self):
        for path in (*self.held.iterdir(), *(p for p in self.dir.iterdir() if p.name != ".held")):
            run("rm", "-rf", path)


def add_member(user):
    """A user who may send by FTP."""
    if user not in {u.pw_name for u in pwd.getpwall()}:
        run("useradd", "-M", "-G", "pandora", "-s", "/usr/sbin/nologin", user)
        ADDED.add(user)


def remove_members():
    """And what they have uploaded."""
    for user in ADDED:
        run("userdel", user, check=False)
    ADDED.clear()
    run("rm", "-rf", FTP)


@contextlib.contextmanager
def ftp_policy(world, **settings):
    """As policy(), with FTP enabled. What is told and remembered is new."""
    ftp = {"enabled": True, **settings.pop("ftp", {})}
    with policy(world, ftp=ftp, **settings):
        world.forget()
        yield


def other_inbox(directory):
    """The inbox of another receiver than vsftpd, for `sweep --inbox`."""
    run("install", "-d", "-o", "pandora", "-g", GUEST, "-m", "1730", directory)
    run("install", "-d", "-o", "pandora", "-g", "pandora", "-m", "700", directory / ".held")
    return Inbox("other", directory)


def words_for(inbox, sender, owner=GUEST):
    return ["--inbox", str(inbox.dir), "--owner", owner, "--sender", sender]


def sweep(*words, timeout=60):
    """One pass over everything."""
    return subprocess.run([str(SWEEP), "--once", *words], capture_output=True, text=True, timeout=timeout)


class Watcher(Daemon):
    """The sweep as the service runs it."""

    def __init__(self, *words):
        super().__init__(SWEEP, *words)

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def quarantined():
    """id -> bytes."""
    if not QUARANTINE.is_dir():
        return {}
    return {p.name.removesuffix(".packet"): p.read_bytes() for p in QUARANTINE.iterdir() if p.suffix == ".packet"}


def staged_files():
    return sorted(str(p.relative_to(STAGING)) for p in STAGING.rglob("*") if p.is_file())


def in_data_in(content):
    """The names under which that content lies in data_in."""
    return [p.name for p in DATA_IN.iterdir() if p.is_file() and p.read_bytes() == content]
