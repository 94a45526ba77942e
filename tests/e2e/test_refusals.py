"""When something is wrong with key, keyring, policy, disk or logger: who is told what, and that nothing is lost."""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess

import pytest
from world import DATA_IN, GATE_TOML, KEYRING, LIBEXEC, SPOOL, STAGING, policy, run, wait_for


@contextlib.contextmanager
def keyring_put_aside():
    """For tests that damage it: afterwards the published one is back, byte for byte."""
    saved = KEYRING.read_bytes()
    try:
        yield saved
    finally:
        KEYRING.unlink(missing_ok=True)
        KEYRING.with_name("real").unlink(missing_ok=True)
        KEYRING.write_bytes(saved)
        KEYRING.chmod(0o644)
        os.chown(KEYRING, 0, 0)


def fingerprint_of(key):
    return run("ssh-keygen", "-l", "-f", f"{key}.pub").stdout.split()[1]


def authkeys(fingerprint, user="pandora"):
    """As sshd runs it: as its own user, without groups."""
    return subprocess.run(["setpriv", "--reuid=_pandora-gate", "--regid=_pandora-gate", "--clear-groups",
                           LIBEXEC / "authkeys", user, fingerprint], capture_output=True, text=True, timeout=20)


# --- keys -------------------------------------------------------------------------------------------------------------

def test_revoked_key_is_refused_and_named(world, packet):
    key = world.enrol("to-revoke", "test")
    client = world.client(key)
    assert client.scp(packet("test.1.data")).returncode == 0
    fingerprint = fingerprint_of(key)
    key_id = next(e["key"] for e in world.audit() if e.get("fingerprint") == fingerprint and "key" in e)
    world.gate("keys", "revoke", key_id, "--reason", "laptop stolen")
    mark = world.mark()
    done = client.scp(packet("test.2.data"))
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    assert list(world.delivered()) == ["test.1.data"]
    refused = world.events_since(mark, "key.refused", key=key_id)
    assert refused and "revoked" in refused[0]["reason"]


def test_revoked_during_a_login_is_refused_by_drop_too(world, packet):
    """A key that was good when sshd asked and is revoked when the file comes: a connection that is already open."""
    key = world.enrol("open-connection", "test")
    socket_path = world.dir / "mux"
    client = world.client(key, options=["-o", "ControlMaster=auto", "-o", f"ControlPath={socket_path}",
                                        "-o", "ControlPersist=30"])
    assert client.scp(packet("test.1.data")).returncode == 0
    world.gate("keys", "revoke", fingerprint_of(key), "--reason", "test")
    mark = world.mark()
    assert client.scp(packet("test.2.data"), options=["-O"]).returncode != 0
    assert list(world.delivered()) == ["test.1.data"]
    assert world.events_since(mark, "session.refused", reason="key.revoked")
    client.ssh(options=["-O", "exit"])


def test_unknown_key_is_refused(world, packet):
    key = world.new_key("stranger")
    mark = world.mark()
    assert world.client(key).scp(packet("test.1.data")).returncode != 0
    assert world.events_since(mark, "key.refused", fingerprint=fingerprint_of(key))
    # The control: the very same key, once it is in the store.
    world.gate("keys", "add", f"{key}.pub", "--agent", "test")
    assert world.client(key).scp(packet("test.1.data")).returncode == 0


# --- the keyring ------------------------------------------------------------------------------------------------------

def damage_missing():
    KEYRING.unlink()


def damage_truncated():
    os.truncate(KEYRING, KEYRING.stat().st_size - 1)


def damage_emptied():
    os.truncate(KEYRING, 0)


def damage_owner():
    shutil.chown(KEYRING, "pandora")


def damage_group_writable():
    KEYRING.chmod(0o664)


def damage_symlink():
    real = KEYRING.with_name("real")  # as good as the one that it stands for, and root's
    KEYRING.rename(real)
    KEYRING.symlink_to(real)


def damage_magic():
    content = bytearray(KEYRING.read_bytes())
    content[0] ^= 1
    KEYRING.write_bytes(content)


DAMAGES = [damage_missing, damage_truncated, damage_emptied, damage_owner, damage_group_writable, damage_symlink,
           damage_magic]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_unusable_keyring_refuses_with_its_reason(world, gate, packet, damage):
    assert gate.scp(packet("test.1.data")).returncode == 0  # the control
    fingerprint = fingerprint_of(world.key)
    with keyring_put_aside():
        damage()
        mark = world.mark()
        answer = authkeys(fingerprint)
        assert answer.stdout == ""
        assert answer.returncode not in (0, 1)
        assert gate.scp(packet("test.2.data")).returncode != 0
        refused = world.events_since(mark, "key.refused", fingerprint=fingerprint)
        assert refused and "unknown" not in refused[0]["reason"]
        assert f"failed, status {answer.returncode}" in world.sshd.text()
    assert list(world.delivered()) == ["test.1.data"]
    assert gate.scp(packet("test.2.data")).returncode == 0


@pytest.mark.timeout(300)
def test_a_thousand_flipped_bits(world):
    """Each: the right answer or a refusal with its reason. Never "no such key" for one that is there, never a line
    for one that is not."""
    rng = random.Random(1000)
    known = fingerprint_of(world.key)
    expected = authkeys(known).stdout
    assert expected.startswith("restrict ")
    unknown = fingerprint_of(world.new_key("never-added"))
    assert authkeys(unknown).stdout == "" and authkeys(unknown).returncode == 0
    right = refused = 0
    with keyring_put_aside() as good:
        for _ in range(1000):
            flipped = bytearray(good)
            bit = rng.randrange(len(good) * 8)
            flipped[bit // 8] ^= 1 << bit % 8
            KEYRING.write_bytes(flipped)
            for fingerprint, want in ((known, expected), (unknown, "")):
                answer = authkeys(fingerprint)
                if answer.returncode == 0:
                    assert answer.stdout == want, f"bit {bit}"
                    right += 1
                else:
                    assert answer.stdout == "", f"bit {bit}"
                    refused += 1
    print(f"1000 flips, 2 look-ups each: {right} right, {refused} refused as damaged, 0 wrong")
    assert right > 0 and refused > 0


def test_login_with_flipped_bits_through_sshd(world, gate, packet):
    """A few of them through the whole login: drop reads the same file."""
    rng = random.Random(7)
    path = packet("test.1.data")
    outcomes = set()
    with keyring_put_aside() as good:
        for _ in range(25):
            flipped = bytearray(good)
            for _ in range(3):
                bit = rng.randrange(len(good) * 8)
                flipped[bit // 8] ^= 1 << bit % 8
            KEYRING.write_bytes(flipped)
            world.clear()
            done = gate.scp(path)
            assert list(world.delivered()) == ([path.name] if done.returncode == 0 else [])
            outcomes.add(done.returncode == 0)
    assert False in outcomes


# --- the policy -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, line", [("[drop]\nmax_file_sise = 5\n", 2), ("[drop\n", 1), ("\n\n[nonsense]\nx=1\n", 3),
                                        ("[spool]\ndurability = \"sometimes\"\n", 2), ("[drop]\nmax_file_size = -1\n", 2),
                                        ("[drop]\nmax_file_size = 2000000\nmax_file_size = 3\n", 3)])
def test_broken_gate_toml_changes_nothing(world, gate, packet, text, line):
    before = GATE_TOML.read_text()
    keyring = KEYRING.read_bytes()
    GATE_TOML.write_text(text)
    try:
        done = world.gate("publish", check=False)
        assert done.returncode != 0
        assert f"{GATE_TOML}:{line}:" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert KEYRING.read_bytes() == keyring
        assert gate.scp(packet("test.1.data")).returncode == 0
        assert list(world.delivered()) == ["test.1.data"]
    finally:
        GATE_TOML.write_text(before)


def test_settings_take_effect(world, gate, packet):
    small, large = packet("test.1.data", 1000), packet("test.2.data", 1001)
    with policy(world, drop={"max_file_size": 1000}):
        assert gate.scp(small, options=["-O"]).returncode == 0
        assert "max_file_size" in gate.scp(large, options=["-O"]).stderr
    assert gate.scp(large).returncode == 0
    world.clear()
    with policy(world, drop={"session_files": 1}):
        assert "too many files" in gate.scp(small, large, options=["-O"]).stderr
        assert list(world.delivered()) == ["test.1.data"]
    world.clear()
    with policy(world, drop={"session_bytes": 1500, "max_file_size": 1200}):
        assert "too many bytes" in gate.scp(small, large, options=["-O"]).stderr
        assert list(world.delivered()) == ["test.1.data"]
    world.clear()
    with policy(world, spool={"mode": "0640", "group": "pandora"}):
        assert gate.scp(small).returncode == 0
        got = (DATA_IN / small.name).stat()
        assert (got.st_mode & 0o7777, got.st_gid) == (0o640, __import__("grp").getgrnam("pandora").gr_gid)


def test_key_served_is_audited_when_asked_for(world, gate):
    fingerprint = fingerprint_of(world.key)
    mark = world.mark()
    gate.ssh("exit")
    assert not [e for e in world.events_since(mark, "session.summary") and world.audit()[mark:] if e["event"] == "key.served"]
    with policy(world, audit={"key_served": True}):
        mark = world.mark()
        gate.ssh("exit")
        assert world.events_since(mark, "key.served", fingerprint=fingerprint)


# --- the disk ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
@pytest.mark.parametrize("broken", ["missing", "forbidden", "symlink", "staging_missing"])
def test_unusable_data_in(world, gate, packet, tmp_path, options, broken):
    """The client is told, keeps its packet, and delivers it when the directory is back."""
    path = packet("test.1.data")
    aside = SPOOL / "aside"
    where = STAGING if broken == "staging_missing" else DATA_IN
    if broken == "forbidden":
        where.chmod(0)
        shutil.chown(where, "root", "root")
    else:
        where.rename(aside)
        if broken == "symlink":
            where.symlink_to(aside)
    mark = world.mark()
    try:
        done = gate.scp(path, options=options)
        assert done.returncode != 0
        if options:
            assert "the server cannot take files now" in done.stderr
        refused = world.events_since(mark, "drop.refused", file=path.name)
        assert refused and refused[0]["reason"] == "server.spool" and refused[0]["cause"]
    finally:
        if broken == "forbidden":
            shutil.chown(where, "pandora", "www-data")
            where.chmod(0o2770)
        else:
            if broken == "symlink":
                where.unlink()
            aside.rename(where)
    assert world.delivered() == {}
    assert gate.scp(path, options=options).returncode == 0
    assert list(world.delivered()) == [path.name]


@contextlib.contextmanager
def small_volume(world, tmp_path, megabytes):
    """A spool on its own small ext4."""
    image, mounted = tmp_path / "volume", pathlib.Path("/mnt/spool")
    with open(image, "wb") as file:
        file.truncate(megabytes * 1_000_000)
    run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image)
    mounted.mkdir(exist_ok=True)
    run("mount", "-o", "loop", image, mounted)
    try:
        for name in ("data_in", "staging"):
            run("install", "-d", "-o", "pandora", "-g", "www-data", "-m", "2770", mounted / name)
        with policy(world, spool={"directory": str(mounted / "data_in"), "staging": str(mounted / "staging"),
                                  "min_free": 0, "min_free_percent": 0}):
            yield mounted / "data_in"
    finally:
        wait_for(lambda: not world.drops_running())
        run("umount", mounted)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
@pytest.mark.parametrize("method", ["automatic", "named"])
def test_full_disk(world, gate, packet, tmp_path, options, method):
    """Files are sent until the disk is full: each that was acknowledged is there and whole, nothing else is."""
    sent = {}
    with small_volume(world, tmp_path, 12) as data_in:
        if method == "named":
            toml = GATE_TOML.read_text()
            GATE_TOML.write_text(toml + 'staging_method = "named"\n')
            world.gate("publish")
        refusal = None
        for n in range(60):
            path = packet(f"test.{n}.data", 400_000)
            done = gate.scp(path, to=data_in, options=options)
            if done.returncode != 0:
                refusal = done
                break
            sent[path.name] = path.read_bytes()
        assert refusal is not None and len(sent) > 3
        if options:
            assert "the server is short of space" in refusal.stderr
        got = {p.name: p.read_bytes() for p in data_in.iterdir()}
        assert got == sent
        assert list((data_in.parent / "staging").iterdir()) == []
        # Room again (SFTP does not say how large a file will be: there must be room for the largest).
        for n in range(6):
            (data_in / f"test.{n}.data").unlink()
        assert gate.scp(path, to=data_in, options=options).returncode == 0
        assert (data_in / path.name).read_bytes() == path.read_bytes()
        if method == "named":
            GATE_TOML.write_text(toml)


def test_min_free_keeps_packets_with_their_agents(world, gate, packet, tmp_path):
    with small_volume(world, tmp_path, 12) as data_in:
        toml = GATE_TOML.read_text()
        GATE_TOML.write_text(toml.replace("min_free = 0", 'min_free = "8 MB"'))
        world.gate("publish")
        assert gate.scp(packet("test.1.data", 400_000), to=data_in, options=["-O"]).returncode == 0
        done = None
        for n in range(2, 12):
            done = gate.scp(packet(f"test.{n}.data", 1_000_000), to=data_in, options=["-O"])
            if done.returncode != 0:
                break
        assert "short of space" in done.stderr
        free = os.statvfs(data_in)
        assert free.f_bavail * free.f_frsize >= 7_900_000
        GATE_TOML.write_text(toml)


# --- the logger -------------------------------------------------------------------------------------------------------

def test_logger_stopped_and_restarted_in_mid_session(world, gate, packet):
    """No file is lost; what could not be told is counted, and told with the next line that gets through."""
    argv = gate.ssh_argv(f"{gate.user}@{gate.host}", "scp", "-t", str(DATA_IN))
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(name):
        content = packet(name, 500).read_bytes()
        process.stdin.write(f"C0644 {len(content)} {name}\n".encode() + content + b"\0")
        process.stdin.flush()
        return process.stdout.read(2)

    assert process.stdout.read(1) == b"\0"
    mark = world.mark()
    assert send("test.1.data") == b"\0\0"
    assert world.events_since(mark, "drop.accepted", file="test.1.data")  # the audit is told after the client
    world.stop_rsyslog()
    assert send("test.2.data") == b"\0\0"
    assert send("test.3.data") == b"\0\0"
    mark = world.mark()
    world.start_rsyslog()
    assert send("test.4.data") == b"\0\0"
    process.stdin.close()
    assert process.wait(10) == 0
    assert sorted(world.delivered()) == [f"test.{n}.data" for n in (1, 2, 3, 4)]
    told = world.events_since(mark, "drop.accepted", file="test.4.data")
    assert told and told[0]["lost"] == 2


def test_no_logger_at_all(world, gate, packet):
    world.stop_rsyslog()
    try:
        pathlib.Path("/dev/log").unlink(missing_ok=True)
        assert gate.scp(packet("test.1.data")).returncode == 0
        assert list(world.delivered()) == ["test.1.data"]
    finally:
        world.start_rsyslog()
