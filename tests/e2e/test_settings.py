"""Every setting of gate.toml, each with what it changes for a real delivery. The last test holds this file against the
shipped gate.toml: a setting without a test fails there."""

import contextlib
import grp
import os
import pathlib
import pwd
import re
import stat
import subprocess
import time

import pytest
import uploads
from enrolment import with_enrolment, with_sender
from world import DATA_IN, QUARANTINE, SPOOL, STAGING, TREE, policy, run, wait_for

TESTED = set()


def shows(*settings):
    """Marks a test as the one that shows the effect of these settings."""
    TESTED.update(settings)
    return lambda test: test


def refused(world, client, path, reason, options=("-O",), **kwargs):
    mark = world.mark()
    done = client.scp(path, options=list(options), **kwargs)
    assert done.returncode == 1, done.stdout + done.stderr
    assert world.events_since(mark, "drop.refused", reason=reason), world.audit()[mark:]


# --- account ----------------------------------------------------------------------------------------------------------

@shows("account.user")
def test_account_user(world, gate, packet):
    assert gate.scp(packet("test.1.data")).returncode == 0
    with policy(world, account={"user": "stocka", "group": "stocka", "shells": ["/bin/bash"]}):
        assert gate.scp(packet("test.2.data")).returncode == 255     # no key is served for another account
    assert list(world.delivered()) == ["test.1.data"]


@shows("account.group", "account.shells")
def test_account_group_and_shells_are_looked_at_by_publish(world):
    assert world.gate("publish").stderr == ""
    with policy(world, account={"shells": ["/usr/sbin/nologin"]}):
        assert "/usr/libexec/pandora-gate/drop" in world.gate("publish").stderr
    with policy(world, account={"group": "daemon"}):
        assert "daemon" in world.gate("publish").stderr
        assert grp.getgrgid(os.stat(QUARANTINE).st_gid).gr_name == "daemon"
    assert grp.getgrgid(os.stat(QUARANTINE).st_gid).gr_name == "pandora"


# --- spool ------------------------------------------------------------------------------------------------------------

@shows("spool.directory", "spool.staging", "spool.quarantine")
def test_spool_directories(world, gate, packet, tmp_path):
    for name in ("in", "staged"):
        run("install", "-d", "-o", "pandora", "-g", "pandora", "-m", "2770", SPOOL / "elsewhere" / name)
    other = SPOOL / "elsewhere"
    with policy(world, spool={"directory": str(other / "in"), "staging": str(other / "staged"), "quarantine": str(other / "bad"),
                              "staging_method": "named"}):
        assert stat.S_IMODE(os.stat(other / "bad").st_mode) == 0o1730       # publish makes it
        assert gate.scp(packet("test.1.data"), to=other / "in").returncode == 0
        bad = tmp_path / "test.2.data"
        bad.write_bytes(b"<!DOCTYPE agent_data><agent_data agent_name='test'/>")
        assert gate.scp(bad, to=other / "in").returncode == 0
        os.chmod(other / "staged", 0o500)
        os.chown(other / "staged", 0, 0)
        assert gate.scp(packet("test.3.data", 4000), to=other / "in").returncode == 1
    assert [p.name for p in (other / "in").iterdir()] == ["test.1.data"]
    assert len(list((other / "bad").iterdir())) == 2
    assert world.delivered() == {} and list(QUARANTINE.iterdir()) == []
    run("rm", "-r", other)


@shows("spool.mode", "spool.group")
def test_mode_and_group(world, gate, packet):
    assert gate.scp(packet("test.1.data")).returncode == 0
    info = os.stat(DATA_IN / "test.1.data")
    assert stat.S_IMODE(info.st_mode) == 0o660 and grp.getgrgid(info.st_gid).gr_name == "www-data"
    with policy(world, spool={"mode": "0640", "group": "pandora"}):
        path = packet("test.2.data", 4000)
        path.chmod(0o777)
        os.utime(path, (1, 1))
        assert gate.scp(path, options=["-O", "-p"]).returncode == 0
    info = os.stat(DATA_IN / "test.2.data")
    assert stat.S_IMODE(info.st_mode) == 0o640 and grp.getgrgid(info.st_gid).gr_name == "pandora"
    assert abs(info.st_mtime - time.time()) < 60        # the client's time is nobody's business


SYNCS = {"full": {"fdatasync": 1, "fsync": 1}, "file": {"fdatasync": 1, "fsync": 0}, "none": {"fdatasync": 0, "fsync": 0}}


@shows("spool.durability")
@pytest.mark.parametrize("durability", SYNCS)
def test_durability(world, gate, packet, durability):
    """What drop asks of the kernel for one packet; what that is worth is test_power_cut's business."""
    with policy(world, spool={"durability": durability}):
        log = world.dir / f"trace-{durability}"
        path = packet("test.1.data")
        content = path.read_bytes()
        kind, blob = pathlib.Path(f"{world.key}.pub").read_text().split()[:2]
        auth = pathlib.Path("/tmp/auth-info")      # not in a directory of pytest: those are root's
        auth.write_text(f"publickey {kind} {blob}\n")
        os.chown(auth, pwd.getpwnam("pandora").pw_uid, 0)
        done = subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=fsync,fdatasync", "-u", "pandora", "env", "-i",
                               f"SSH_USER_AUTH={auth}", "SSH_CONNECTION=127.0.0.1 1 127.0.0.1 2",
                               f"SSH_ORIGINAL_COMMAND=scp -t {DATA_IN}", "/usr/libexec/pandora-gate/drop", "-c",
                               "/usr/libexec/pandora-gate/drop"],
                              input=b"C0644 %d test.1.data\n%s\0" % (len(content), content), capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        auth.unlink()
    text = log.read_text()
    assert {call: len(re.findall(rf"\b{call}\(", text)) for call in ("fdatasync", "fsync")} == SYNCS[durability]
    assert list(world.delivered()) == ["test.1.data"]


@shows("spool.staging_method")
def test_staging_method(world, gate):
    """A named file can be seen while it comes, a nameless one cannot."""
    from test_whole import HalfSent
    for method, seen in (("automatic", 0), ("named", 1)):
        with policy(world, spool={"staging_method": method}), HalfSent(gate, "test.1.data") as half:
            assert half.acks == b"\0\0"
            assert len(list(STAGING.iterdir())) == seen


@shows("spool.min_free", "spool.min_free_percent")
def test_min_free(world, gate, packet):
    small = SPOOL / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=60M,mode=755", "tmpfs", small)
    try:
        for name in ("data_in", "staging"):
            run("install", "-d", "-o", "pandora", "-g", "pandora", "-m", "2770", small / name)
        spool = {"directory": str(small / "data_in"), "staging": str(small / "staging"), "quarantine": str(small / "quarantine")}
        to = small / "data_in"
        with policy(world, spool=spool):        # 64 MB are not left free
            refused(world, gate, packet("test.1.data"), "space.free", to=to)
        with policy(world, spool={**spool, "min_free": "10 MB"}):
            assert gate.scp(packet("test.1.data"), to=to).returncode == 0
        run("fallocate", "-l", "40M", small / "filler")
        world.forget()
        with policy(world, spool={**spool, "min_free": "10 MB", "min_free_percent": 40}):
            refused(world, gate, packet("test.2.data", 4000), "space.free", to=to)
        with policy(world, spool={**spool, "min_free": "10 MB", "min_free_percent": 30}):
            assert gate.scp(packet("test.2.data", 4000), to=to).returncode == 0
    finally:
        run("umount", small)
        small.rmdir()


@shows("spool.max_backlog")
def test_max_backlog(world, gate, packet):
    with policy(world, spool={"max_backlog": 1}):
        (DATA_IN / "old.1.data").write_text("x")
        world.forget()
        refused(world, gate, packet("test.1.data"), "spool.backlog")
        (DATA_IN / "old.1.data").unlink()
        world.forget()
        assert gate.scp(packet("test.1.data")).returncode == 0


@shows("spool.resend_window")
def test_resend_window(world, gate, packet):
    path = packet("test.1.data")
    assert gate.scp(path).returncode == 0 and gate.scp(path).returncode == 0
    assert len(world.delivered()) == 1
    with policy(world, spool={"resend_window": 0}):
        assert gate.scp(path).returncode == 0
    assert len(world.delivered()) == 2


# --- drop -------------------------------------------------------------------------------------------------------------

@shows("drop.max_file_size")
def test_max_file_size(world, gate, packet):
    with policy(world, drop={"max_file_size": 5000}):
        assert gate.scp(packet("test.1.data", 5000)).returncode == 0
        refused(world, gate, packet("test.2.data", 5001), "size.file")
    with policy(world, drop={"max_file_size": "64 MiB"}, quota={"bytes": "1 GB"}):
        assert gate.scp(packet("test.3.data", 60_000_000)).returncode == 0
    assert len(world.delivered()["test.3.data"]) == 60_000_000


@shows("drop.session_files", "drop.session_bytes")
def test_session_limits(world, gate, packet):
    files = [packet(f"test.{n}.data", 3000 + n) for n in range(4)]
    with policy(world, drop={"session_files": 2}):
        done = gate.scp(*files, options=["-O"])
        assert done.returncode == 1 and "too many files" in done.stderr
        assert len(world.delivered()) == 2
        assert gate.scp(*files[2:], options=["-O"]).returncode == 0     # in another session
    files = [packet(f"test.{n}.data", 3000 + n) for n in range(10, 14)]
    with policy(world, drop={"max_file_size": 4000, "session_bytes": 7000}):
        done = gate.scp(*files, options=["-O"])
        assert done.returncode == 1 and "too many bytes" in done.stderr
        assert len(world.delivered()) == 6


@shows("drop.idle_timeout", "drop.session_timeout")
def test_timeouts(world, gate):
    from test_whole import HalfSent
    for settings, text in (({"idle_timeout": "1s"}, b"idle_timeout"), ({"idle_timeout": "30s", "session_timeout": "1s"}, b"session_timeout")):
        with policy(world, drop=settings), HalfSent(gate, "test.1.data") as half:
            assert half.process.wait(10) == 1
            assert text in half.process.stdout.read()


@shows("drop.recursive")
@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_recursive(world, gate, packet, tmp_path, options):
    (tmp_path / "dir/deeper").mkdir(parents=True)
    for name, at in (("test.1.data", "dir"), ("test.2.data", "dir/deeper")):
        packet(name).rename(tmp_path / at / name)
    assert gate.scp(tmp_path / "dir", options=[*options, "-r"]).returncode == 1
    assert world.delivered() == {}
    with policy(world, drop={"recursive": "flatten"}):
        done = gate.scp(tmp_path / "dir", options=[*options, "-r"])
        assert done.returncode == 0, done.stderr
    assert sorted(world.delivered()) == ["test.1.data", "test.2.data"]
    assert not (DATA_IN / "dir").exists()


# --- quota, content, quarantine, binding ------------------------------------------------------------------------------

@shows("quota.files", "quota.bytes", "quota.window")
def test_quotas(world, gate, packet):
    with policy(world, quota={"files": 1, "window": "1s"}):
        assert gate.scp(packet("test.1.data")).returncode == 0
        refused(world, gate, packet("test.2.data", 4000), "quota.files")
        time.sleep(1.1)
        assert gate.scp(packet("test.2.data", 4000)).returncode == 0
    world.clear()
    with policy(world, drop={"max_file_size": 10_000, "session_bytes": 10_000}, quota={"bytes": 10_000}):
        assert gate.scp(packet("test.3.data", 8000)).returncode == 0
        refused(world, gate, packet("test.4.data", 4000), "quota.bytes")


@shows("content.check")
def test_content_check(world, gate, tmp_path):
    path = tmp_path / "test.1.data"
    path.write_bytes(b"<!DOCTYPE agent_data><agent_data agent_name='test'/>")
    assert gate.scp(path).returncode == 0
    assert world.delivered() == {}
    world.clear()
    with policy(world, content={"check": False}):
        assert gate.scp(path).returncode == 0
    assert list(world.delivered()) == ["test.1.data"]


@shows("quarantine.max_size", "quarantine.max_age")
def test_quarantine_bounds(world, gate, tmp_path):
    path = tmp_path / "test.1.data"
    with policy(world, drop={"max_file_size": 3500}, quarantine={"max_size": 17_000, "max_age": "1s"}):     # room for two
        path.write_bytes(b"<!DOCTYPE agent_data><agent_data agent_name='test'/>")
        for _ in range(2):
            assert gate.scp(path).returncode == 0
            path.write_bytes(path.read_bytes() + b" ")
        refused(world, gate, path, "quarantine.full")
        time.sleep(2.1)
        world.gate("publish")       # purges what is too old
        assert list(QUARANTINE.iterdir()) == []
        assert gate.scp(path).returncode == 0


@shows("binding.default", "binding.unbound_keys")
def test_binding(world, gate, packet):
    stranger = packet("stranger.1.data", agent="stranger")
    refused(world, gate, stranger, "agent.name")
    with policy(world, binding={"default": "observe"}):
        assert gate.scp(stranger).returncode == 0
    key = world.new_key("settings-unbound")
    key_id = world.gate("keys", "add", f"{key}.pub").stdout.split()[1]
    assert world.client(key).scp(packet("any.1.data", agent="any")).returncode == 0
    with policy(world, binding={"unbound_keys": "refuse"}):
        refused(world, world.client(key), packet("any.2.data", 4000, agent="any"), "agent.unbound")
        other = world.new_key("settings-unbound-2")
        assert world.gate("keys", "add", f"{other}.pub", check=False).returncode != 0
    world.gate("keys", "revoke", key_id, "--reason", "end of the test")


# --- keys, audit ------------------------------------------------------------------------------------------------------

@shows("keys.min_rsa_bits", "keys.types")
def test_keys(world):
    rsa = world.new_key("settings-rsa", "rsa")      # 3072 bits
    with policy(world, keys={"min_rsa_bits": 4096}):
        done = world.gate("keys", "add", f"{rsa}.pub", "--agent", "rsa", check=False)
        assert done.returncode == 65 and "4096" in done.stderr
    with policy(world, keys={"types": ["ed25519"]}):
        assert world.gate("keys", "add", f"{rsa}.pub", "--agent", "rsa", check=False).returncode == 65
    key_id = world.gate("keys", "add", f"{rsa}.pub", "--agent", "rsa").stdout.split()[1]
    with policy(world, keys={"types": ["ed25519"]}):
        # It goes on being served, and is remarked on; other tests have left keys, too.
        assert re.search(r"[1-9]\d* published key", world.gate("publish").stderr)
    world.gate("keys", "revoke", key_id, "--reason", "end of the test")


@shows("keys.expiry_option")
def test_expiry_option(world):
    """The end of a key in the line that sshd reads, or, for an sshd that would not take it, only in authkeys."""
    from test_refusals import authkeys, fingerprint_of
    key = world.new_key("settings-expiry")
    key_id = world.gate("keys", "add", f"{key}.pub", "--agent", "test").stdout.split()[1]
    for settings, begin in (({}, 'restrict,expiry-time="21000101000000Z" ssh-ed25519 '), ({"expiry_option": False}, "restrict ssh-ed25519 ")):
        with policy(world, keys=settings):
            with world.edited([key_id], "expires_at=4102444800"):
                assert authkeys(fingerprint_of(key)).stdout.startswith(begin)
            with world.edited([key_id], "expires_at=1700000000"):
                assert authkeys(fingerprint_of(key)).returncode == 81
    world.gate("keys", "revoke", key_id, "--reason", "end of the test")


@shows("keys.rotation")
def test_rotation(world):
    """What becomes of a key that is handed over under an active one."""
    client = world.client(world.enrol("settings-rotation", "settings-rotation"))
    public = world.new_key("settings-rotation-new").with_suffix(".pub").read_text()
    with with_enrolment(world) as enrolment, with_sender(world):
        for rotation, answer in (("off", "refused"), ("pending", "pending"), ("auto", "accepted")):
            with policy(world, keys={"rotation": rotation}):
                done = client.ssh("rotate", input=public)
                assert done.stdout.startswith(answer), (rotation, done)
        assert wait_for(lambda: enrolment.tickets() == [])


@contextlib.contextmanager
def without_logger(world):
    world.stop_rsyslog()
    try:
        yield
    finally:
        world.start_rsyslog()


@shows("audit.mode")
def test_audit_mode(world, gate, packet):
    with without_logger(world):
        assert gate.scp(packet("test.1.data")).returncode == 0
    with policy(world, audit={"mode": "required"}):
        mark = world.mark()
        assert gate.scp(packet("test.2.data", 4000)).returncode == 0
        assert world.events_since(mark, "drop.begun", file="test.2.data")
        with without_logger(world):
            done = gate.scp(packet("test.3.data", 5000), options=["-O"])
            assert done.returncode == 1 and "logger" in done.stderr
        assert gate.scp(packet("test.3.data", 5000)).returncode == 0
    assert sorted(world.delivered()) == ["test.1.data", "test.2.data", "test.3.data"]


@shows("audit.key_served")
def test_audit_key_served(world, gate, packet):
    mark = world.mark()
    assert gate.scp(packet("test.1.data")).returncode == 0
    world.events_since(mark, "session.closed")
    assert world.events_since(mark, "key.served", count=0) == []
    with policy(world, audit={"key_served": True}):
        assert gate.scp(packet("test.2.data", 4000)).returncode == 0
    assert world.events_since(mark, "key.served")


@shows("audit.repeat_window")
def test_audit_repeat_window(world, gate, packet):
    stranger = packet("stranger.1.data", agent="stranger")
    for settings, expected in (({}, 1), ({"repeat_window": 0}, 3)):
        world.forget()
        with policy(world, audit=settings):
            mark = world.mark()
            for _ in range(3):
                gate.scp(stranger)
            world.events_since(mark, "session.summary", count=3)
            assert len(world.events_since(mark, "drop.refused", count=expected)) == expected


# --- ftp --------------------------------------------------------------------------------------------------------------

@shows("ftp.enabled", "ftp.directory", "ftp.user")
def test_ftp_upload_directories(world):
    """publish makes them, for members with an allowed shell: `badmember` has another one."""
    where = SPOOL / "where"

    def owners(path):
        info = os.stat(path)
        return pwd.getpwuid(info.st_uid).pw_name, grp.getgrgid(info.st_gid).gr_name, stat.S_IMODE(info.st_mode)

    def as_guest(*argv):
        return run("setpriv", "--reuid=_pandora-ftp", "--regid=_pandora-ftp", "--clear-groups", *argv, check=False).returncode

    try:
        with policy(world, ftp={"enabled": False, "directory": str(where)}):
            assert not where.exists()
        with policy(world, ftp={"enabled": True, "directory": str(where)}):
            assert world.gate("publish").stderr == ""
            assert owners(where) == ("root", "pandora", 0o751)
            made = {p.name for p in where.iterdir()}     # other tests may have left members
            assert "pandora" in made and "badmember" not in made
            assert owners(where / "pandora") == ("pandora", "_pandora-ftp", 0o1730)
            assert owners(where / "pandora/.held") == ("pandora", "pandora", 0o700)
            assert as_guest("touch", where / "pandora/test.1.data") == 0
            (where / "pandora/test.2.data").touch()
            assert as_guest("ls", where / "pandora") != 0
            assert as_guest("rm", "-f", where / "pandora/test.2.data") != 0
            assert as_guest("touch", where / "pandora/.held/x") != 0
            run("usermod", "-s", "/usr/sbin/nologin", "badmember")
            try:
                world.gate("publish")
                assert {p.name for p in where.iterdir()} == {"badmember", *made}
            finally:
                run("usermod", "-s", "/bin/bash", "badmember")
        with policy(world, ftp={"enabled": True, "directory": str(where), "user": "daemon"}):
            assert owners(where / "pandora") == ("pandora", "daemon", 0o1730)
        with pytest.raises(RuntimeError, match="ftp.user no-such-user does not exist"):
            with policy(world, ftp={"enabled": True, "directory": str(where), "user": "no-such-user"}):
                pass
    finally:
        run("rm", "-rf", where)


@shows("ftp.incomplete_hold")
def test_incomplete_hold(world):
    """Half a packet waits as long as it says, then it is put away."""
    uploads.add_member("halfway")
    try:
        for hold, expected in (("1h", 0), ("1s", 1)):
            with uploads.ftp_policy(world, ftp={"incomplete_hold": hold}):
                inbox = uploads.Inbox("halfway")
                inbox.put("test.1.data", uploads.packet("test")[:-5])
                time.sleep(2.5)                         # it does not change any more
                uploads.sweep()
                time.sleep(1.5)
                uploads.sweep()
                assert len(uploads.quarantined()) == expected
                assert len(inbox.held_names()) == 1 - expected
                inbox.clear()
    finally:
        uploads.remove_members()


def test_every_setting_of_the_shipped_file_is_tested():
    section, found = "", set()
    for line in (TREE / "conf/gate.toml").read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"#?(\w+) = ", line):
            found.add(f"{section}.{match[1]}")
    assert found == TESTED
    assert len(found) > 30
