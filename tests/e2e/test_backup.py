"""backup and restore on a machine: everything is lost, comes back, and agents notice nothing; revoked keys stay out;
a restore that is killed at any of its system calls leaves a machine that works, and is finished by the next one.
"""

import base64
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from world import GATE_TOML, MEMORY, STATE, run

SSH = pathlib.Path("/etc/ssh")
STORE = STATE / "store/store.db"
GATE = "/usr/sbin/pandora-gate"


def host_keys():
    return sorted(p for p in SSH.iterdir() if p.name.startswith("ssh_host_") and "_key" in p.name)


@pytest.fixture
def machine(world, tmp_path):
    """The world, and afterwards everything as it was, whatever the test has lost."""
    kept = tmp_path / "kept"
    kept.mkdir()
    for n, directory in enumerate((STATE, GATE_TOML.parent, SSH)):
        run("cp", "-a", directory, kept / str(n))
    yield world
    for n, directory in enumerate((STATE, GATE_TOML.parent, SSH)):
        shutil.rmtree(directory, ignore_errors=True)
        run("cp", "-a", kept / str(n), directory)
    world.sshd.stop()
    world.start_sshd()


def strict(world, key, known_hosts):
    """A client that has known this server for long."""
    return world.client(key, options=("-o", f"UserKnownHostsFile={known_hosts}", "-o", "StrictHostKeyChecking=yes"))


def new_sshd(world):
    world.sshd.stop()
    world.start_sshd()


def lose_everything():
    for directory in (STATE, GATE_TOML.parent):
        shutil.rmtree(directory)
    for path in host_keys():
        path.unlink()


def test_a_machine_that_lost_everything(machine, packet, tmp_path):
    world = machine
    lost_key = world.enrol("backup-lost", "test")
    world.gate("keys", "revoke", "test-" + fingerprint_hex(lost_key), "--reason", "sold")
    known_hosts = tmp_path / "known_hosts"
    scan = run("ssh-keyscan", "-p", world.PORT, "127.0.0.1").stdout
    known_hosts.write_text(scan)
    agent = strict(world, world.key, known_hosts)
    first = packet("test.1.data")
    assert agent.scp(first).returncode == 0
    policy = GATE_TOML.read_text()
    mark = world.mark()
    archive = tmp_path / "gate.tar.gz"
    said = world.gate("backup", archive, "--full", "--host-keys").stdout
    assert "state of " in said and "host key" in said
    assert archive.stat().st_mode & 0o7777 == 0o600 and archive.stat().st_uid == 0
    assert world.events_since(mark, "backup.made", file=str(archive))

    lose_everything()
    # The control: another machine, with its own host keys and nothing of ours.
    run("ssh-keygen", "-A")
    new_sshd(world)
    assert "HOST IDENTIFICATION HAS CHANGED" in agent.scp(packet("test.2.data")).stderr
    assert world.client(world.key).scp(packet("test.2.data")).returncode != 0

    mark = world.mark()
    said = world.gate("restore", archive, "--host-keys").stdout
    print(said)
    assert "reload sshd" in said and "published generation" in said
    event = world.events_since(mark, "backup.restored")[0]
    assert event["file"] == str(archive) and event["states"] >= 1
    assert world.events_since(mark, "keyring.published")
    new_sshd(world)
    third = packet("test.3.data")
    assert agent.scp(third).returncode == 0
    assert world.delivered()["test.3.data"] == third.read_bytes()
    # Sessions remember what came before the loss.
    mark = world.mark()
    assert agent.scp(first).returncode == 0
    assert world.events_since(mark, "drop.resent")
    mark = world.mark()
    assert strict(world, lost_key, known_hosts).scp(third).returncode != 0
    assert world.events_since(mark, "key.refused") or world.events_since(mark, "login.refused")
    assert GATE_TOML.read_text() == policy
    for path in host_keys():
        assert path.stat().st_mode & 0o7777 == (0o644 if ".pub" in path.name else 0o600), path
    memory = MEMORY.stat()
    assert memory.st_mode & 0o7777 == 0o700 and {p.stat().st_uid for p in MEMORY.iterdir()} == {memory.st_uid}
    assert memory.st_uid != 0
    assert STORE.stat().st_mode & 0o7777 == 0o600 and STORE.parent.stat().st_mode & 0o7777 == 0o700


def fingerprint_hex(key):
    """The digits that stand in a key's id."""
    blob = pathlib.Path(f"{key}.pub").read_text().split()[1]
    return hashlib.sha256(base64.b64decode(blob)).hexdigest()[:6]


def test_a_damaged_store_says_how_to_restore_and_that_works(machine, packet, tmp_path):
    world = machine
    archive = tmp_path / "gate.tar"
    world.gate("backup", archive)
    STORE.write_bytes(b"\0" * 100 + STORE.read_bytes()[100:])
    broken = world.gate("publish", check=False)
    assert broken.returncode == 69 and "pandora-gate restore FILE" in broken.stderr
    assert world.client(world.key).scp(packet("test.1.data")).returncode == 0      # logins go on
    done = world.gate("restore", archive)
    assert "the store of before could not be read" in done.stderr
    world.gate("publish")
    assert world.client(world.key).scp(packet("test.2.data")).returncode == 0


def test_by_a_pipe_and_not_over_a_file(machine, tmp_path):
    world = machine
    archive = tmp_path / "gate.tar"
    made = subprocess.run([GATE, "backup", "-"], stdout=subprocess.PIPE, timeout=60, check=True)
    archive.write_bytes(made.stdout)
    assert run("tar", "-tf", archive).stdout.split()[:2] == ["MANIFEST", "store.db"]
    with open(archive, "rb") as file:
        assert "can be restored" in run(GATE, "restore", "-", "--dry-run", stdin=file).stdout
    refused = world.gate("backup", archive, check=False)
    assert refused.returncode == 73 and "--force" in refused.stderr
    world.gate("backup", archive, "--force")
    half = tmp_path / "half.tar"
    half.write_bytes(archive.read_bytes()[:30_000])
    cut = world.gate("restore", half, check=False)
    assert cut.returncode == 65 and "cut short" in cut.stderr
    assert len(cut.stderr.splitlines()) == 1
    as_user = run("setpriv", "--reuid=nobody", "--clear-groups", GATE, "backup", "/tmp/x.tar", check=False)
    assert as_user.returncode == 77 and "root" in as_user.stderr
    assert not os.path.exists("/tmp/x.tar")


@pytest.mark.timeout(300)
def test_backups_disturb_neither_logins_nor_publishes(machine, gate, packet, tmp_path):
    world = machine
    stopping = threading.Event()
    made = []

    def back_up():
        while not stopping.is_set():
            made.append(world.gate("backup", tmp_path / f"b{len(made)}.tar", "--full", check=False))

    thread = threading.Thread(target=back_up)
    thread.start()
    try:
        for n in range(15):
            assert gate.scp(packet(f"test.{n}.data", 3000 + n)).returncode == 0
            world.gate("publish")
    finally:
        stopping.set()
        thread.join()
    assert len(made) >= 5 and all(one.returncode == 0 for one in made), [m.stderr for m in made]
    for n in range(len(made)):
        world.gate("restore", tmp_path / f"b{n}.tar", "--dry-run")
    print(f"{len(made)} backups while 15 files came and 15 keyrings were published: all good")


# Those by which a restore changes something, and the reading that comes before.
CALLS = ("link", "rename", "renameat", "unlink", "fsync", "fdatasync", "pwrite64", "mkdir")
MOST_OF_ONE = 40


@pytest.mark.timeout(600)
def test_killed_at_every_system_call(machine, packet, tmp_path):
    world = machine
    stolen = world.enrol("backup-stolen", "test")
    archive = tmp_path / "gate.tar"
    world.gate("backup", archive, "--full", "--host-keys")
    stolen_id = "test-" + fingerprint_hex(stolen)
    world.gate("keys", "revoke", stolen_id, "--reason", "stolen")
    later = world.new_key("backup-later")
    rng = random.Random(20_251_124)
    ended = {"old": 0, "new": 0, "done": 0}

    def ids():
        return {k["id"] for k in json.loads(world.gate("keys", "list", "--json").stdout)}

    def one(argv, kill):
        """One restore that is killed; False: it came to its end before."""
        world.gate("keys", "add", f"{later}.pub", "--agent", "later", "--id", "later")
        before = STORE.read_bytes()
        killed = kill([*argv, GATE, "restore", str(archive), "--host-keys"])
        there = ids()               # opens, whole
        how = "old" if "later" in there else "new" if STORE.with_name("store.db.restoring").exists() else "done"
        ended[how] += 1
        state = json.loads(world.gate("keys", "show", stolen_id, "--json").stdout)["state"]
        assert state == "revoked"
        if killed and rng.random() < 0.2:
            assert world.client(world.key).scp(packet(f"test.{time.monotonic_ns()}.data")).returncode == 0
        world.gate("restore", archive, "--host-keys")
        assert "later" not in ids()
        if how != "done":
            assert STORE.with_name("store.db.before-restore").read_bytes() == before
        assert not STORE.with_name("store.db.restoring").exists() and not (STORE.parent / ".restore").exists()
        return killed

    def by_strace(argv):
        done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode in (0, -signal.SIGKILL), done
        return done.returncode != 0

    kills = {}
    for call in CALLS:
        for n in range(1, MOST_OF_ONE):
            if not one(["strace", "-o", tmp_path / "trace", "-e", f"trace={call}", "-e",
                        f"inject={call}:signal=KILL:when={n}"], by_strace):
                break
            kills[call] = n

    def at_any_time(argv):
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, 0.025))
        process.kill()
        assert process.wait() in (0, -signal.SIGKILL)
        return process.returncode != 0

    print(f"kills at system calls {kills} ended as {ended}")
    for n in range(25):
        before = dict(ended)
        killed = one([], at_any_time)
        print(f"kill {n} at a random time: " + ("killed, " if killed else "had ended, ") +
              next(how for how in ended if ended[how] != before[how]))
    assert world.client(world.key).scp(packet("test.1.data")).returncode == 0
    assert world.client(stolen).scp(packet("test.2.data")).returncode != 0
    print(f"{sum(kills.values())} kills at system calls, 25 at random times: "
          f"{ended['old']} times the old store was there, {ended['new']} times the new one, {ended['done']} times it "
          "had only to tidy up or had ended; always whole, and finished by the next restore")
    assert ended["old"] > 5 and ended["new"] > 5
    assert kills["rename"] >= 3 and kills["fsync"] >= 5
