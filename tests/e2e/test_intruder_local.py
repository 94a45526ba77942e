"""Becoming the account from inside the machine, by every service that could: su, login, cron, at. One line in
common-account (conf/pam.d/pandora-services.snippet) keeps it out of all but sshd and FTP; the control of each try is the
same without that line. The account has bash here, so that it is this rule alone that says no."""

import contextlib
import os
import pathlib
import pwd
import subprocess

import pytest
from tries import Try, Watch, patched, told
from world import BUILD, DATA_IN, LIBEXEC, TREE, Daemon, run, wait_for

COMMON_ACCOUNT = pathlib.Path("/etc/pam.d/common-account")
SNIPPET = TREE / "conf/pam.d/pandora-services.snippet"
PLACE = pathlib.Path("/var/tmp/local")          # where a job leaves its mark
PASSWORD = "right-and-long"
RECORD = b"C0644 1 test.1.data\nx\0"


def first_line(text):
    line = next(line for line in SNIPPET.read_text().splitlines() if line.startswith("account"))
    return f"{line}\n{text}"


@contextlib.contextmanager
def shell_of(user, shell):
    before = pwd.getpwnam(user).pw_shell
    run("usermod", "-s", shell, user)
    try:
        yield
    finally:
        run("usermod", "-s", before, user)


def said(argv, **kwargs):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, **kwargs)
    return done.stdout.decode(errors="replace")


def is_user(text, user):
    return f"uid={pwd.getpwnam(user).pw_uid}({user})" in text


# --- tries: each takes the user, so that others can be seen not to be affected ------------------------------------------

def su(user):
    """root: su."""
    return is_user(said(["su", user, "-c", "id"], stdin=subprocess.DEVNULL), user)


def su_login(user):
    """root: su -l, another service of PAM."""
    return is_user(said(["su", "-l", user, "-c", "id"], stdin=subprocess.DEVNULL), user)


def su_with_shell(user):
    """root: su -s, with a shell of his choice."""
    return is_user(said(["su", "-s", "/bin/sh", user, "-c", "id"], stdin=subprocess.DEVNULL), user)


def su_with_password(user):
    """Another local user who knows the account's password: su."""
    run("usermod", "-p", run("openssl", "passwd", "-6", PASSWORD).stdout.strip(), user)
    try:
        return is_user(said(["setpriv", "--reuid=badmember", "--regid=badmember", "--init-groups", "su", user, "-c", "id"],
                            input=f"{PASSWORD}\n".encode()), user)
    finally:
        run("usermod", "-p", "*", user)


def login(user):
    """root: login -f, as a getty with automatic login starts it."""
    return is_user(said(["script", "-qec", f"login -f {user}", "/dev/null"], input=b"id\nexit\n"), user)


def job_ran(user):
    """A job's mark: id(1) of who ran it."""
    path = PLACE / f"of-{user}"
    refused = user == "pandora" and "pam_pandora" in COMMON_ACCOUNT.read_text()
    done = wait_for(lambda: path.exists() and path.read_text().endswith("\n"), 4 if refused else 20)
    return bool(done) and is_user(path.read_text(), user)


def cron(user):
    """A line in /etc/cron.d. @reboot runs it when cron starts, in the way of every other line."""
    table = pathlib.Path("/etc/cron.d/local-test")
    table.write_text(f"@reboot {user} id >{PLACE}/of-{user}\n")
    return with_cron(user, table)


def crontab(user):
    """The account's own crontab."""
    table = pathlib.Path("/var/spool/cron/crontabs") / user
    table.write_text(f"@reboot id >{PLACE}/of-{user}\n")
    table.chmod(0o600)
    os.chown(table, pwd.getpwnam(user).pw_uid, -1)
    return with_cron(user, table)


def with_cron(user, table):
    pathlib.Path("/run/crond.reboot").unlink(missing_ok=True)
    daemon = Daemon("cron", "-f")
    try:
        return job_ran(user)
    finally:
        daemon.stop()
        table.unlink()


def at(user):
    """A job that the account gave to at(1)."""
    said(["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "at", "now"],
         input=f"id >{PLACE}/of-{user}\n".encode(), cwd=PLACE)
    daemon = Daemon("atd", "-f")
    try:
        return job_ran(user)
    finally:
        daemon.stop()
        for job in pathlib.Path("/var/spool/cron/atjobs").glob("a*"):
            job.unlink()


def a_service_of_its_own(user):
    """A service that has no file in /etc/pam.d: PAM takes that of `other`."""
    done = run(BUILD / "tests/harness/pam_verdicts", "account", input=f"whatever {user}\n")
    return done.stdout == "0\n"


def forged_su(world, user):
    """su with variables that only sshd should set, and drop as the command: a delivery under another's key."""
    kind, blob = pathlib.Path(f"{world.key}.pub").read_text().split()[:2]
    auth = pathlib.Path("/tmp/forged-auth")
    auth.write_text(f"publickey {kind} {blob}\n")
    auth.chmod(0o644)
    with shell_of(user, LIBEXEC / "drop"):
        said(["su", user, "-c", LIBEXEC / "drop"], input=RECORD, env={
            "PATH": "/usr/bin", "SSH_USER_AUTH": str(auth), "SSH_ORIGINAL_COMMAND": f"scp -t {DATA_IN}",
            "SSH_CONNECTION": "127.0.0.1 4711 127.0.0.1 22"})
    return "test.1.data" in world.delivered()


def row(attempt, service):
    return Try(attempt, told("pam_pandora", "login.refused", rule="services", phase="account", service=service, user="pandora"))


TRIES = [row(su, "su"), row(su_login, "su-l"), row(su_with_shell, "su"), row(su_with_password, "su"), row(login, "login"),
         row(cron, "cron"), row(crontab, "cron"), row(at, "atd"), row(a_service_of_its_own, "whatever"), row(forged_su, "su")]


@pytest.fixture
def place():
    PLACE.mkdir(mode=0o777, exist_ok=True)
    PLACE.chmod(0o777)
    pathlib.Path("/var/spool/cron/crontabs").mkdir(parents=True, exist_ok=True)
    yield
    for path in PLACE.iterdir():
        path.unlink()


def attempt(world, which, user):
    for path in PLACE.iterdir():
        path.unlink()
    return which(world, user) if which is forged_su else which(user)


@pytest.mark.parametrize("one", TRIES, ids=lambda t: t.name)
def test_refused(world, place, one):
    with shell_of("pandora", "/bin/bash"):
        with patched(COMMON_ACCOUNT, first_line):
            watch = Watch(world)
            assert not attempt(world, one.attempt, "pandora")
            watch.expect(one.answer)
        world.clear()
        assert attempt(world, one.attempt, "pandora"), "the control did not succeed: the probe shows nothing"


@pytest.mark.parametrize("one", [t for t in TRIES if t.attempt is not forged_su], ids=lambda t: t.name)
@pytest.mark.parametrize("user", ["root", "admina"])
def test_others_are_not_affected(world, place, one, user):
    """Who is not in the group has what he had, and the audit says nothing of him."""
    if one.attempt is su_with_password and user == "root":
        user = "stocka"             # nobody changes root's password, not even here
    with patched(COMMON_ACCOUNT, first_line):
        mark = world.mark()
        assert attempt(world, one.attempt, user)
        assert not [e for e in world.audit()[mark:] if e["event"] == "login.refused"]


def test_sshd_and_ftp_are_in_the_list(world, gate, packet):
    """The same line, where a delivery comes by: sshd reads common-account, too."""
    with patched(COMMON_ACCOUNT, first_line):
        mark = world.mark()
        assert gate.scp(packet("test.1.data")).returncode == 0
        assert world.events_since(mark, "session.opened", user="pandora")


def test_member_with_bash_by_su(world, place):
    """The rule is the group's, not the account's alone."""
    with patched(COMMON_ACCOUNT, first_line):
        mark = world.mark()
        assert not su("badmember")
        assert world.events_since(mark, "login.refused", rule="services", user="badmember")
    assert su("badmember")
