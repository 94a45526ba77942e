"""Logging in without a key that is good now, from there, for that account. Each try says what was gained: against the gate
as it is shipped, and as its control by the same code where that one thing is different."""

import contextlib
import functools
import pathlib
import re

import pytest
from tries import Try, Watch, patched, sshd_before, told
from world import SSHD_DROP_IN, STATE, STOCK_CONFIG, Client, Sshd, run

LOOSE_PORT, CA_PORT = 2233, 2234
FAR = 4102444800        # 2100-01-01
HOSTS = {"v4": "127.0.0.1", "v6": "::1"}
OTHER = {"v4": "::1", "v6": "127.0.0.1"}
PASSWORD = "right-and-long"
PAM_SSHD = pathlib.Path("/etc/pam.d/sshd")


def gets_in(client):
    """`exit` is what drop answers with 0, as a shell would."""
    return client.ssh("exit").returncode == 0


def key_of(world, name):
    """A key of the store that is good, for the agent `test`; its id is its name."""
    if name not in world.keys:
        world.keys[name] = world.new_key(f"login-{name}")
        world.gate("keys", "add", f"{world.keys[name]}.pub", "--agent", "test", "--id", name)
    return world.keys[name]


@contextlib.contextmanager
def loose(world, without, before=""):
    """An sshd whose drop-in lacks the settings that begin with these words, and that has others before it."""
    drop_in = world.dir / "loose.conf"
    drop_in.write_text("\n".join(line for line in SSHD_DROP_IN.read_text().splitlines()
                                 if not line.strip().startswith(without)) + "\n")
    config = pathlib.Path("/etc/ssh/sshd_config").read_text().replace("Include /etc/ssh/sshd_config.d/*.conf",
                                                                      f"Include {drop_in}")
    sshd = Sshd(world, "loose", LOOSE_PORT, before + config)
    try:
        yield sshd
    finally:
        sshd.stop()


# --- passwords --------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def password_of(user):
    run("usermod", "-p", run("openssl", "passwd", "-6", PASSWORD).stdout.strip(), user)
    try:
        yield
    finally:
        run("usermod", "-p", "*", user)


def by_password(world, method, user, sshd=None):
    askpass = world.dir / "askpass"
    askpass.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
    askpass.chmod(0o755)
    client = world.client(None, user=user, options=["-o", "BatchMode=no", "-o", f"PreferredAuthentications={method}",
                                                    "-o", "NumberOfPasswordPrompts=1"])
    client.sshd = sshd or client.sshd
    with password_of(user):
        done = client._run(client.ssh_argv(f"{user}@{client.host}", "exit"),
                           env={"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "PATH": "/usr/bin"})
    return done.returncode == 0


def password(world, control):
    """The right password. The control: that of another user, through the same sshd."""
    return by_password(world, "password", "admina" if control else "pandora")


def keyboard_interactive(world, control):
    """The right password, keyboard-interactive, where other users may come in by it. The control: one of them."""
    with loose(world, ("Nothing",), before="KbdInteractiveAuthentication yes\n") as sshd:
        return by_password(world, "keyboard-interactive", "admina" if control else "pandora", sshd)


def password_where_sshd_takes_them(world, control):
    """The right password, and a drop-in without the lines that forbid it. The control: another user."""
    with loose(world, ("KbdInteractiveAuthentication", "PasswordAuthentication", "AuthenticationMethods")) as sshd:
        return by_password(world, "password", "admina" if control else "pandora", sshd)


# --- keys that sshd takes from elsewhere ------------------------------------------------------------------------------

@contextlib.contextmanager
def written_by_hand(key):
    directory = STATE / "home/.ssh"
    directory.mkdir(mode=0o755)
    (directory / "authorized_keys").write_text(pathlib.Path(f"{key}.pub").read_text())
    try:
        yield
    finally:
        (directory / "authorized_keys").unlink()
        directory.rmdir()


def hand_edited_authorized_keys(world, control):
    """A line that somebody wrote into the account's authorized_keys. The control: a stock account."""
    key = world.new_key("by-hand")
    if control:
        world.authorize("stocka", f"{key}.pub")
        return gets_in(Client(world.stock, "stocka", key))
    with written_by_hand(key):
        return gets_in(world.client(key))


def hand_edited_where_sshd_reads_it(world, control):
    """The same, and a drop-in without the line that keeps sshd from reading it. The control: a key of the store."""
    key = key_of(world, "by-hand-known") if control else world.new_key("by-hand-unknown")
    with written_by_hand(key), loose(world, "AuthorizedKeysFile") as sshd:
        client = world.client(key)
        client.sshd = sshd
        return gets_in(client)


def certificate(world, control):
    """A key with a certificate of an authority that is the intruder's own. The control: an sshd that trusts it."""
    ca = world.new_key("authority")
    key = world.new_key("certified")
    user = "stocka" if control else "pandora"
    run("ssh-keygen", "-q", "-s", ca, "-I", "intruder", "-n", user, f"{key}.pub")
    if not control:
        return gets_in(world.client(key))
    sshd = Sshd(world, "authority", CA_PORT, STOCK_CONFIG + f"TrustedUserCAKeys {ca}.pub\n")
    try:
        return gets_in(Client(sshd, user, key))
    finally:
        sshd.stop()


# --- keys of the store that are not good now, or not from there -----------------------------------------------------------

def unknown_key(world, control, host):
    """A key that is not in the store."""
    return gets_in(world.client(key_of(world, "known") if control else world.new_key("unknown"), host=HOSTS[host]))


def edited_key(world, control, host, *fields):
    key = key_of(world, "edited")
    if control:
        return gets_in(world.client(key, host=HOSTS[host]))
    with world.edited(["edited"], *fields):
        return gets_in(world.client(key, host=HOSTS[host]))


def expired_key(world, control, host):
    """A key whose time is over."""
    return edited_key(world, control, host, "expires_at=1700000000")


def key_not_yet_valid(world, control, host):
    """A key whose time has not come."""
    return edited_key(world, control, host, f"not_before={FAR}")


def revoked_key(world, control, host):
    """A key that was revoked."""
    return edited_key(world, control, host, "state=revoked", "reason=lost")


def disabled_key(world, control, host):
    """A key that is disabled."""
    return edited_key(world, control, host, "state=disabled", "reason=on leave")


def from_elsewhere(world, control, host):
    """A key that may come from another address only. The control: from that one."""
    key = key_of(world, "edited")
    with world.edited(["edited"], f"from={OTHER[host]}"):
        return gets_in(world.client(key, host=OTHER[host] if control else HOSTS[host]))


def kept_out_by_pam(world, control, host):
    """An address that rhost= of the PAM line does not have. The control: one that it has."""
    key = key_of(world, "known")
    network = HOSTS[host] if control else OTHER[host]

    def only_from(text):
        return "\n".join(f"{line} rhost={network}" if line.startswith("account") and "pam_pandora" in line else line
                         for line in text.splitlines()) + "\n"
    with patched(PAM_SSHD, only_from):
        return gets_in(world.client(key, host=HOSTS[host]))


# --- other users --------------------------------------------------------------------------------------------------------

def other_user(world, control, name):
    """An agent's good key, for another user. The control: that user has it in authorized_keys."""
    key = key_of(world, f"for-{name}")
    if not control:
        return gets_in(world.client(key, user=name))
    directory = pathlib.Path("/root" if name == "root" else f"/home/{name}") / ".ssh"
    run("install", "-d", "-o", name, "-m", "700", directory)
    path = directory / "authorized_keys"
    before = path.read_text() if path.exists() else ""
    path.write_text(before + pathlib.Path(f"{key}.pub").read_text())
    try:
        return gets_in(world.client(key, user=name))
    finally:
        path.write_text(before)


def root(world, control):
    """An agent's good key, for root. The control: root has it in authorized_keys."""
    return other_user(world, control, "root")


def administrator(world, control):
    """An agent's good key, for an administrator. The control: he has it in authorized_keys."""
    return other_user(world, control, "admina")


def member_with_a_shell(world, control):
    """A member of the group who has bash and a good key of his own. The control: without the lines of PAM."""
    key = world.new_key("pam-badmember")
    if "badmember" not in world.keys:
        world.authorize("badmember", f"{key}.pub")
        world.keys["badmember"] = key

    def without(text):
        return "\n".join(line for line in text.splitlines() if "pam_pandora" not in line) + "\n"
    with patched(PAM_SSHD, without if control else str):
        return gets_in(world.client(key, user="badmember"))


def over(attempt, answer):
    """Two rows: over IPv4, and over IPv6."""
    for host in HOSTS:
        bound = functools.partial(attempt, host=host)
        bound.__name__ = f"{attempt.__name__}_{host}"
        bound.__doc__ = f"{attempt.__doc__.split('.')[0]}, over {HOSTS[host]}."
        yield Try(bound, answer)


def refused_key(rule):
    return told("authkeys", "key.refused", rule=rule, user="pandora")


def no_key(words):
    """require_key of the session line."""
    return told("pam_pandora", "login.refused", rule="key", phase="session", reason=re.compile(f".*{words}"))


NOT_OURS = "of users outside the group nothing of ours is asked"
TRIES = [
    Try(password, sshd_before("Connection closed by authenticating user pandora .* \\[preauth\\]",
                              "the method is off: sshd asks nobody, not even PAM")),
    Try(keyboard_interactive, sshd_before("", "the method is off: sshd asks nobody, not even PAM")),
    Try(password_where_sshd_takes_them, no_key("by password")),
    Try(hand_edited_authorized_keys, refused_key("key.unknown")),
    Try(hand_edited_where_sshd_reads_it, no_key("not in the keyring")),
    Try(certificate, refused_key("key.unknown")),
    *over(unknown_key, refused_key("key.unknown")),
    *over(expired_key, refused_key("key.expired")),
    *over(key_not_yet_valid, refused_key("key.not_yet")),
    *over(revoked_key, refused_key("key.revoked")),
    *over(disabled_key, refused_key("key.disabled")),
    *over(from_elsewhere, sshd_before("correct key but not from a permitted host",
                                      "authkeys is not told the address: sshd compares it with the line's from=")),
    *over(kept_out_by_pam, told("pam_pandora", "login.refused", rule="rhost", phase="account", user="pandora")),
    Try(root, sshd_before("Connection closed by authenticating user root", NOT_OURS)),
    Try(administrator, sshd_before("Connection closed by authenticating user admina", NOT_OURS)),
    Try(member_with_a_shell, told("pam_pandora", "login.refused", rule="shell", user="badmember")),
]


@pytest.mark.parametrize("row", TRIES, ids=lambda t: t.name)
def test_refused(world, row):
    watch = Watch(world)
    assert not row.attempt(world, False)
    watch.expect(row.answer)
    assert row.attempt(world, True), "the control did not succeed: the probe shows nothing"
