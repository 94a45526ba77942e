"""A key's life by `pandora-gate keys`, as the real sshd sees it: added, bound to networks, disabled, rotated, expired,
revoked, removed; and what is exported is what sshd reads."""

import contextlib
import datetime
import json
import os
import pty
import subprocess
import time

import pytest
from world import LIBEXEC, STOCK_CONFIG, Client, Sshd, run, wait_for

PUBLIC_NET = "192.0.2.0/24"


@pytest.fixture
def life(world, packet):
    """A key in the store, as its client; .sends() says whether a packet of its agent gets through."""
    class Life:
        count = 0
        ids = []

        def sends(self, client):
            self.count += 1
            before = len(world.delivered())
            done = client.scp(packet(f"life.{self.count}.data", agent="life", size=3000 + self.count))
            assert (done.returncode == 0) == (len(world.delivered()) == before + 1)
            return done.returncode == 0

        def add(self, name, *options):
            key = world.new_key(f"{name}-{time.monotonic_ns()}")
            added = json.loads(world.gate("keys", "add", f"{key}.pub", "--agent", "life", *options, "--json").stdout)
            self.ids.append(added["changed"][0]["id"])
            client = world.client(key)
            client.key_id = self.ids[-1]
            return client

    made = Life()
    made.ids = []
    yield made
    for key_id in made.ids:
        world.gate("keys", "revoke", key_id, "--reason", "end of the test", check=False)


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.timeout(180)
def test_a_keys_life(world, life):
    old = life.add("life-old", "--from", "127.0.0.1", "--expires", "1h")
    assert life.sends(old)

    world.gate("keys", "set", old.key_id, "--from", PUBLIC_NET)
    assert not life.sends(old)
    said = world.gate("keys", "set", old.key_id, "--from", "127.0.0.1", "--from", "::1").stdout
    assert f"  from: {PUBLIC_NET} -> 127.0.0.1, ::1\n" in said
    assert life.sends(old)

    world.gate("keys", "disable", old.key_id, "--reason", "laptop is missing")
    assert not life.sends(old)
    # A dry run of what would let it in does not.
    assert "dry run" in world.gate("keys", "enable", old.key_id, "--dry-run").stdout
    assert not life.sends(old)
    world.gate("keys", "enable", old.key_id)
    assert life.sends(old)

    new_key = world.new_key(f"life-new-{time.monotonic_ns()}")
    rotated = json.loads(world.gate("keys", "rotate", "life", f"{new_key}.pub", "--overlap", "1d", "--json").stdout)
    new = world.client(new_key)
    new.key_id = rotated["changed"][0]["id"]
    life.ids.append(new.key_id)
    assert rotated["changed"][1]["id"] == old.key_id and rotated["changed"][0]["from"] == ["127.0.0.1", "::1"]
    assert life.sends(old) and life.sends(new)

    third_key = world.new_key(f"life-third-{time.monotonic_ns()}")
    world.gate("keys", "rotate", "life", f"{third_key}.pub", "--overlap", "0", "--key", new.key_id, "--id", "life-third")
    life.ids.append("life-third")
    third = world.client(third_key)
    assert not life.sends(new) and life.sends(third)

    world.gate("keys", "set", old.key_id, "--expires", in_seconds(2))
    assert wait_for(lambda: json.loads(world.gate("keys", "show", old.key_id, "--json").stdout)["state"] == "expired")
    time.sleep(1)
    assert not life.sends(old)
    world.gate("keys", "set", old.key_id, "--no-expires")
    assert life.sends(old)
    assert json.loads(world.gate("keys", "show", old.key_id, "--json").stdout)["last_use"] is not None

    assert world.gate("keys", "remove", "life-third", "--reason", "x", check=False).returncode == 1
    assert life.sends(third)
    world.gate("keys", "remove", "life-third", "--reason", "decommissioned", "--force")
    assert not life.sends(third)
    actions = [h["action"] for h in json.loads(world.gate("keys", "history", "life-third", "--json").stdout)["history"]]
    assert actions == ["rotate", "remove"]
    # And back: it was not revoked.
    world.gate("keys", "add", f"{third_key}.pub", "--agent", "life")
    assert life.sends(third)
    world.gate("keys", "revoke", "life-third", "--reason", "stolen")
    world.gate("keys", "remove", "life-third", "--reason", "tidy")
    assert world.gate("keys", "add", f"{third_key}.pub", "--agent", "life", check=False).returncode == 1
    assert not life.sends(third)


def test_the_export_is_what_the_login_path_prints(world, life):
    plain = life.add("export-plain")
    terms = life.add("export-terms", "--from", "127.0.0.1", "--from", "2001:db8::/32", "--expires", "2099-01-31T12:30:15Z")
    ended = life.add("export-ended", "--not-before", "2098-01-01")
    lines = {line.split()[-1]: line for line in world.gate("keys", "export", "--format", "authorized_keys").stdout.splitlines()}
    assert ended.key_id not in lines
    for client in (plain, terms):
        fingerprint = run("ssh-keygen", "-l", "-f", f"{client.key}.pub").stdout.split()[1]
        served = run("setpriv", "--reuid=_pandora-gate", "--regid=_pandora-gate", "--clear-groups", LIBEXEC / "authkeys",
                     "pandora", fingerprint)
        assert served.stdout == lines[client.key_id] + "\n"


def test_sshd_refuses_what_is_exported_as_revoked(world, life, tmp_path):
    """The control: the same key, the same sshd, before it was revoked."""
    client = life.add("revoked-elsewhere")
    world.authorize("stocka", f"{client.key}.pub")
    revoked = tmp_path / "revoked"

    def logs_in(port):
        revoked.write_text(world.gate("keys", "export", "--format", "revoked").stdout)
        sshd = Sshd(world, f"revoking-{port}", port, STOCK_CONFIG + f"RevokedKeys {revoked}\n")
        try:
            return Client(sshd, "stocka", client.key).ssh("true").returncode == 0
        finally:
            sshd.stop()

    assert logs_in(2231)
    world.gate("keys", "revoke", client.key_id, "--reason", "stolen")
    assert not logs_in(2232)
    world.gate("keys", "remove", client.key_id, "--reason", "tidy")
    assert not logs_in(2233)


def on_terminal(*argv, columns, **env):
    """What the command writes to a terminal of that width."""
    master, slave = pty.openpty()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, master)
        done = subprocess.Popen([str(a) for a in argv], stdout=slave, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                env={"PATH": os.environ["PATH"], "COLUMNS": str(columns), **env})
        os.close(slave)
        out = b""
        with contextlib.suppress(OSError):
            while block := os.read(master, 65536):
                out += block
        assert done.wait(20) == 0
    return out.decode().replace("\r\n", "\n")


def test_tables_fit_the_terminal_and_pipes_get_everything(world, life):
    world.gate("keys", "disable", life.add("wide", "--id", "a-key-with-quite-a-long-id-of-its-own").key_id, "--reason", "x")
    command = ("/usr/sbin/pandora-gate", "keys", "list", "--wide", "--agent", "life")
    narrow = on_terminal(*command, columns=80, TERM="dumb")
    assert max(map(len, narrow.splitlines())) <= 80 and "..." in narrow and "\x1b" not in narrow
    assert "\x1b[33m" in on_terminal(*command, columns=200, TERM="xterm")
    assert "\x1b" not in on_terminal(*command, columns=200, TERM="xterm", NO_COLOR="1")
    piped = world.gate("keys", "list", "--wide", "--agent", "life", env={**os.environ, "COLUMNS": "80", "TERM": "xterm"}).stdout
    assert "a-key-with-quite-a-long-id-of-its-own" in piped and "\x1b" not in piped and max(map(len, piped.splitlines())) > 100


def test_statuses_and_one_line_each(world, life, tmp_path):
    client = life.add("statuses")
    for status, words in ((1, ("show", "no-such-key")), (64, ("set", client.key_id)), (64, ("list", "--state", "x")),
                          (64, ("set", client.key_id, "--expires", "2020-01-01")), (1, ("remove", client.key_id, "--reason", "x")),
                          (66, ("rotate", "life", tmp_path / "missing.pub")), (64, ("disable", client.key_id)),
                          (64, ("set", client.key_id, "--from", "localhost"))):
        done = world.gate("keys", *words, check=False)
        assert done.returncode == status, (words, done.stderr)
        assert done.stdout == "" and done.stderr.startswith("pandora-gate: ") and done.stderr.count("\n") == 1
