"""Logins while keys and policy are published, while two administrators work at once, and while the store is gone, locked
or damaged: a login knows only the published keyring, and that is one generation, whole.
"""

import base64
import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading

import packets
import pytest
from world import GATE_TOML, KEYRING, LIBEXEC, STATE, run

STORE = STATE / "store" / "store.db"
LOGINS = 200
AT_ONCE = 6
CURVE = ("-o", "KexAlgorithms=curve25519-sha256")     # the handshake is not what is tested: the quickest one
BULK_KEYS, BULK_AGENTS = 6, 900         # so that a keyring has a megabyte, and to write one takes a while
UNAVAILABLE = 69                        # pandora-gate(8), EXIT STATUS


def generation_of(keyring):
    """What its header says (lib/keyring/format.h)."""
    return struct.unpack_from("<Q", keyring, 16)[0]


def write_public_key(path):
    """A key of its own; nobody has the private half."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + os.urandom(32)
    path.write_text(f"ssh-ed25519 {base64.b64encode(blob).decode()} {path.stem}\n")
    return path


class Writer(threading.Thread):
    """An administrator who publishes one of two policies, then adds a key, again and again."""

    def __init__(self, world, directory):
        super().__init__()
        self.world, self.dir = world, directory
        self.policies = {generation_of(KEYRING.read_bytes()): None}     # generation -> key.served is told
        self.failed = []
        self.enough = threading.Event()

    def run(self):
        before, number = GATE_TOML.read_text(), 0
        while not self.enough.is_set() and not self.failed:
            served = number % 2 == 0
            GATE_TOML.write_text(f"[audit]\nkey_served = {str(served).lower()}\n")
            self.command(served, "publish")
            key = write_public_key(self.dir / f"live-{number}.pub")
            self.command(served, "keys", "add", key, "--agent", f"live-{number}")
            number += 1
        GATE_TOML.write_text(before)
        self.command(None, "publish")

    def command(self, served, *argv):
        last = max(self.policies)
        done = self.world.gate(*argv, check=False)
        generation = generation_of(KEYRING.read_bytes())
        if done.returncode != 0 or generation != last + 1:
            self.failed.append((argv, done.returncode, done.stdout, done.stderr, last, generation))
        self.policies[generation] = served


class Watcher(threading.Thread):
    """Reads whatever is at the keyring's name, as a login does but without a pause; what it has opened stays as it was."""

    def __init__(self):
        super().__init__()
        self.enough = threading.Event()
        self.torn, self.generations, self.reads = [], set(), 0

    def run(self):
        while not self.enough.is_set():
            with open(KEYRING, "rb", buffering=0) as file:
                first = file.readall()
                file.seek(0)
                second = file.readall()
            self.reads += 1
            if len(first) < 128 or first != second:
                self.torn.append((len(first), len(second)))
            else:
                self.generations.add(generation_of(first))


@contextlib.contextmanager
def working(*threads):
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.enough.set()
        for thread in threads:
            thread.join()


def deliver(client, packet):
    return packet, client.scp(packet, timeout=30)


def deliver_all(client, files, at_once=AT_ONCE):
    """Those that failed, with what the client said."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        done = list(pool.map(lambda packet: deliver(client, packet), files))
    return [(packet.name, d.returncode, d.stderr) for packet, d in done if d.returncode != 0]


@pytest.fixture
def client(world):
    return world.client(world.key, options=CURVE)


@pytest.fixture
def files(tmp_path):
    """files(n): so many packets that were never sent."""
    def make(count, prefix=""):
        out = [tmp_path / f"test.{prefix}{n}.data" for n in range(count)]
        for path in out:
            path.write_bytes(packets.make("test", 3000))
        return out
    return make


@pytest.fixture(scope="module")
def bulk(world_of_session, tmp_path_factory):
    """A keyring that is not small; other tests have the store of before."""
    directory = tmp_path_factory.mktemp("bulk")
    kept = shutil.copy2(STORE, directory / "store.db")
    for k in range(BULK_KEYS):
        agents = (word for n in range(BULK_AGENTS) for word in ("--agent", f"bulk-{k}-{n}-".ljust(190, "x")))
        world_of_session.gate("keys", "add", write_public_key(directory / f"bulk-{k}.pub"), *agents)
    assert KEYRING.stat().st_size > 1_000_000
    yield
    shutil.copy2(kept, STORE)
    world_of_session.gate("publish")


@pytest.mark.timeout(120)
def test_logins_while_publishes_run(world, client, files, bulk, tmp_path):
    writer, watcher = Writer(world, tmp_path), Watcher()
    first, mark = max(writer.policies), world.mark()
    with working(writer, watcher):
        failed = deliver_all(client, files(LOGINS))
    last = max(writer.policies)
    assert failed == [] and writer.failed == []
    assert watcher.torn == [] and watcher.generations <= set(writer.policies)
    assert len(world.delivered()) == LOGINS

    fingerprint = run("ssh-keygen", "-lf", world.key).stdout.split()[1]
    opened = world.events_since(mark, "session.opened", count=LOGINS)
    assert len(opened) == LOGINS
    assert {(e["key_state"], e["fingerprint"]) for e in opened} == {("active", fingerprint)}
    assert {e["generation"] for e in opened} <= set(writer.policies)
    # key.served is told, or not, by the policy of the generation that it names.
    served = world.events_since(mark, "key.served")
    assert served and {writer.policies[e["generation"]] for e in served} <= {True, None}
    used = {e["generation"] for e in opened + served}
    assert any(writer.policies[g] is False for g in used) and any(writer.policies[g] is True for g in used)
    # Within a login nothing goes back.
    by_login = {e["session"]: e["generation"] for e in opened}
    assert all(e["generation"] <= by_login[e["session"]] for e in served)
    print(f"{LOGINS} logins, {last - first} generations published meanwhile, {len(used)} of them seen by logins, "
          f"{watcher.reads} whole keyrings read beside them")
    assert last - first >= 20


class InPlace(threading.Thread):
    """What publish must not be: it writes over the file that logins read."""

    def __init__(self, contents):
        super().__init__()
        self.contents = contents
        self.enough = threading.Event()

    def run(self):
        number = 0
        while not self.enough.is_set():
            with open(KEYRING, "wb") as file:           # as cp does it
                file.write(self.contents[number % len(self.contents)])
            number += 1


@pytest.mark.timeout(60)
def test_the_control_logins_fail_under_a_writer_in_place(world, client, files, bulk):
    """The same logins, and both probes notice: so they would have, above."""
    contents = [KEYRING.with_name("keyring.previous").read_bytes(), KEYRING.read_bytes()]
    writer, watcher, mark = InPlace(contents), Watcher(), world.mark()
    try:
        with working(writer, watcher):
            failed = deliver_all(client, files(24, prefix="9"))
    finally:
        KEYRING.unlink()
        KEYRING.write_bytes(contents[1])
        KEYRING.chmod(0o644)
    assert len(failed) > 0 and watcher.torn
    rules = {e["rule"] for e in world.events_since(mark, "key.refused")}
    assert rules & {"keyring.damaged", "keyring.truncated"}, rules
    print(f"{len(failed)} of 24 logins failed; {len(watcher.torn)} of {watcher.reads} keyrings read were torn")
    assert client.scp(files(1, prefix="8")[0]).returncode == 0


# --- the store is not usable --------------------------------------------------------------------------------------------

@contextlib.contextmanager
def deleted():
    STORE.unlink()
    yield


@contextlib.contextmanager
def garbage():
    STORE.write_bytes(os.urandom(STORE.stat().st_size))
    yield


@contextlib.contextmanager
def truncated():
    os.truncate(STORE, STORE.stat().st_size // 2)
    yield


@contextlib.contextmanager
def emptied():
    os.truncate(STORE, 0)
    yield


@contextlib.contextmanager
def page_overwritten():
    """Its header is that of a store; what the header leads to is not."""
    with open(STORE, "r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)
    yield


@contextlib.contextmanager
def locked():
    # By a process of its own: the kernel takes a process's locks back when it closes the file once.
    code = f"import sqlite3; c = sqlite3.connect({str(STORE)!r}); c.execute('BEGIN EXCLUSIVE'); print(flush=True); input()"
    with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"\n"
        yield
        other.communicate(b"\n")


SAYS = {deleted: "restore the store from a backup", emptied: "restore the store from a backup", garbage: "restore it from a backup",
        truncated: "restore it from a backup", page_overwritten: "restore it from a backup",
        locked: "locked by another program: try again"}


@pytest.fixture
def kept_store():
    """The store is put back afterwards, byte for byte."""
    kept = STORE.with_name("kept")
    shutil.copy2(STORE, kept)
    yield
    for path in STORE.parent.glob("store.db*"):
        path.unlink()
    os.rename(kept, STORE)


@pytest.mark.parametrize("how", SAYS, ids=lambda f: f.__name__)
def test_a_store_that_cannot_be_used(world, client, files, tmp_path, kept_store, how):
    stranger = write_public_key(tmp_path / "stranger.pub")
    keyring = KEYRING.read_bytes()
    with how():
        store = STORE.read_bytes() if STORE.exists() else None
        with concurrent.futures.ThreadPoolExecutor() as pool:           # a lock is waited for: all at the same time
            commands = [pool.submit(world.gate, *argv, check=False) for argv in
                        (["keys", "list"], ["keys", "list", "--json"], ["keys", "show", "agents"], ["publish"],
                         ["keys", "add", stranger, "--agent", "stranger"], ["keys", "revoke", "agents", "--reason", "x"])]
            assert deliver_all(client, files(4)) == []
            done = [command.result() for command in commands]
        for one in done:
            assert one.returncode == UNAVAILABLE, one
            assert one.stdout == "" and one.stderr.count("\n") == 1 and str(STORE) in one.stderr, one
            assert SAYS[how] in one.stderr and "logins go on" in one.stderr, one
        assert KEYRING.read_bytes() == keyring
        assert (STORE.read_bytes() if STORE.exists() else None) == store
    assert len(world.delivered()) == 4


def test_once_the_store_is_back_everything_is(world, client, files, kept_store):
    """What the message says is done: the store from a backup. Nothing is lost, and the generation goes on."""
    before, generation = world.gate("keys", "list").stdout, generation_of(KEYRING.read_bytes())
    STORE.unlink()
    assert world.gate("publish", check=False).returncode == UNAVAILABLE
    shutil.copy2(STORE.with_name("kept"), STORE)
    assert world.gate("keys", "list").stdout == before
    world.gate("publish")
    assert generation_of(KEYRING.read_bytes()) == generation + 1
    assert deliver_all(client, files(1)) == []


# --- administrators -----------------------------------------------------------------------------------------------------

ADMINISTRATORS, KEYS_EACH = 8, 10


class Place:
    """A store and a keyring beside those of the machine, where the key helper can read too."""

    def __init__(self, directory):
        self.dir, self.keyring, self.store = directory, directory / "keyring", directory / "store" / "store.db"
        self.argv = ["/usr/sbin/pandora-gate", "--store", self.store, "--keyring", self.keyring, "--config", directory / "gate.toml"]

    def gate(self, *argv):
        return run(*self.argv, *argv)

    def add(self, name):
        key = write_public_key(self.dir / f"{name}.pub")
        return key, ["keys", "add", key, "--agent", name, "--id", name]

    def generation(self):
        return generation_of(self.keyring.read_bytes())

    def ids(self):
        return set(re.findall(r'"id": "([^"]+)"', self.gate("keys", "list", "--json").stdout))

    def serves(self, key):
        """What sshd would be told of it; anything but a line or no line is an error of the keyring."""
        fingerprint = run("ssh-keygen", "-lf", key).stdout.split()[1]
        said = run("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", LIBEXEC / "authkeys", "--keyring",
                   self.keyring, "pandora", fingerprint).stdout
        assert said == "" or " ".join(key.read_text().split()[:2]) in said
        return said != ""


@pytest.fixture
def place(world):
    with tempfile.TemporaryDirectory(prefix="keys-live.") as name:
        os.chmod(name, 0o755)
        yield Place(pathlib.Path(name))


@pytest.mark.timeout(60)
def test_administrators_at_once_lose_nothing(place):
    added = [[place.add(f"admin{who}-{n}") for n in range(KEYS_EACH)] for who in range(ADMINISTRATORS)]

    def administrate(keys):
        return [place.gate(*command).stdout for _, command in keys]

    with concurrent.futures.ThreadPoolExecutor(ADMINISTRATORS) as pool:
        said = list(pool.map(administrate, added))
    generations = [[int(g) for g in re.findall(r"published generation (\d+)", "".join(one))] for one in said]
    # Each one's go up, and together they are 1, 2, 3 ...: no generation was published twice, none is missing.
    assert all(one == sorted(one) and len(one) == KEYS_EACH for one in generations), generations
    total = ADMINISTRATORS * KEYS_EACH
    assert sorted(g for one in generations for g in one) == list(range(1, total + 1))
    assert place.ids() == {key.stem for keys in added for key, _ in keys}
    assert all(place.serves(key) for keys in added for key, _ in keys)
    assert place.generation() == total


# --- killed ---------------------------------------------------------------------------------------------------------------

# Those that make, change, move or make durable: the kill comes before the call is done.
CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "link", "unlink", "fchmod", "ftruncate", "fcntl",
         "close", "sendto")
OF_EVERY_CHANGE = {"write", "pwrite64", "rename"}       # that must have been hit
MORE_THAN_A_CHANGE_MAKES = 150


def killed_at(place, call, n, *command):
    """Whether the command was killed, at its n-th such call."""
    done = subprocess.run(["strace", "-o", place.dir / "trace", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}",
                           *place.argv, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode in (0, -signal.SIGKILL), (call, n, done)
    return done.returncode != 0


@pytest.mark.timeout(150)
def test_a_change_that_is_killed_is_there_or_not(place):
    before, command = place.add("before")
    place.gate(*command)
    kills, ended = dict.fromkeys(CALLS, 0), {"absent": 0, "there": 0, "published only": 0}
    numbers = itertools.count()
    for call in CALLS:
        for n in range(1, MORE_THAN_A_CHANGE_MAKES):
            where, generation = f"{call} {n}", place.generation()
            key, command = place.add(f"new-{next(numbers)}")
            killed = killed_at(place, call, n, *command)
            assert generation <= place.generation() <= generation + 1, where
            ids, served = place.ids(), place.serves(key)            # the store opens, the keyring answers
            stored = key.stem in ids
            assert "before" in ids and place.serves(before), where
            assert (served or not stored) and (killed or stored), where
            # The next one that publishes finds both sound, and makes them agree.
            place.gate("publish")
            assert place.generation() > generation and place.serves(key) == stored, where
            assert not list(place.dir.glob("keyring*.new")), where
            if not killed:
                break
            kills[call] += 1
            ended["there" if stored else "published only" if served else "absent"] += 1
        assert not killed, call
    print(f"{sum(kills.values())} kills: " + ", ".join(f"{count} {how}" for how, count in ended.items()))
    print("  " + ", ".join(f"{call} {n}" for call, n in kills.items()))
    assert ended["absent"] > 0 and ended["there"] > 0
    assert all(kills[call] > 0 for call in OF_EVERY_CHANGE), kills
