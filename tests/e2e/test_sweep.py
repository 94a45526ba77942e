"""The sweep, one pass at a time: what becomes of an upload, and what is left alone. Uploads are put where vsftpd would
put them, as the user that it writes as."""

import fcntl
import os
import pwd
import re
import socket
import stat
import subprocess
import threading
import time

import packets
import pytest
import uploads
from uploads import DOCTYPE, GUEST, Inbox, ftp_policy, in_data_in, packet, quarantined, staged_files, sweep
from world import AUDIT, DATA_IN, SPOOL, policy, run, wait_for

QUIET = 2.1             # seconds after which what is no packet is looked at


@pytest.fixture(scope="module")
def members(world_of_session):
    """Two users who send by FTP; `publish` has made their directories."""
    for user in ("alice", "bob"):
        uploads.add_member(user)
    with ftp_policy(world_of_session, ftp={"incomplete_hold": "2s"}):
        yield
    uploads.remove_members()


@pytest.fixture
def alice(world, members):
    inboxes = Inbox("alice"), Inbox("bob")
    for inbox in inboxes:
        inbox.clear()
    yield inboxes[0]
    for inbox in inboxes:
        inbox.clear()


@pytest.fixture
def bob(alice):
    return Inbox("bob")


def swept(expected=0, *words):
    done = sweep(*words)
    assert done.returncode == expected, done
    return done


def told(world, mark, event, count=1, **fields):
    found = world.events_since(mark, event, count=count, **fields)
    assert len(found) == count, (event, world.events_since(mark))
    assert all(e["key"].startswith("ftp:") and "peer" not in e and e["fingerprint"] for e in found), found
    return found


# --- delivery -----------------------------------------------------------------------------------------------------------

def test_delivers(world, alice):
    mark = world.mark()
    content = packet()
    alice.put("web01.1.data", content)
    swept()
    assert world.delivered() == {"web01.1.data": content}
    info = (DATA_IN / "web01.1.data").stat()
    assert (pwd.getpwuid(info.st_uid).pw_name, stat.S_IMODE(info.st_mode), info.st_nlink) == ("pandora", 0o660, 1)
    assert info.st_gid == DATA_IN.stat().st_gid
    assert alice.names() == [] and staged_files() == []
    event, = told(world, mark, "drop.accepted", file="web01.1.data", key="ftp:alice")
    assert event["bytes"] == len(content)


def test_ends_with_blanks_or_is_malformed(world, alice):
    good = {"web01.1.data": packet() + b"\r\n \t\n", "web01.2.data": b"<agent_data agent_name='web01'><m>a & b <</m></agent_data>",
            "web01.3.data": packet().replace(b"</module>", b"")}
    for name, content in good.items():
        alice.put(name, content)
    mark = world.mark()
    swept()
    assert world.delivered() == good
    assert len(told(world, mark, "drop.accepted", count=2, content="malformed")) == 2


def test_the_same_again_is_delivered_once(world, alice):
    mark = world.mark()
    for _ in range(3):
        alice.put("web01.1.data", packet())
        swept()
        assert alice.names() == []
    assert world.delivered() == {"web01.1.data": packet()}
    told(world, mark, "drop.resent", count=2)
    # Also if the server has read it meanwhile.
    os.unlink(DATA_IN / "web01.1.data")
    alice.put("web01.1.data", packet())
    swept()
    assert world.delivered() == {} and alice.names() == []


def test_the_same_name_with_other_content_survives_beside_it(world, alice):
    contents = [packet(text=str(n)) for n in range(4)]
    for content in contents:
        alice.put("web01.1.data", content)
        swept()
    found = world.delivered()
    assert sorted(found.values()) == sorted(contents) and found["web01.1.data"] == contents[0]
    assert all(name.startswith("web01.1") and name.endswith(".data") for name in found)


def test_checksums_are_swallowed(world, alice):
    alice.put("web01.1.checksum", b"12345 web01.1.data")
    swept(1)                                    # it may not be all there yet
    time.sleep(QUIET)
    swept()
    assert alice.names() == [] and world.delivered() == {} and quarantined() == {}


@pytest.mark.parametrize("name", ["evil.php", "web01.data", "-rf.1.data", "agent.conf", "a\x1bb.1.data", "web01.1.data.BADXML"])
def test_bad_names_go_to_quarantine(world, alice, name):
    mark = world.mark()
    alice.put(name, packet())
    time.sleep(QUIET)
    swept()
    assert world.delivered() == {} and list(quarantined().values()) == [packet()]
    assert alice.names() == []
    event, = told(world, mark, "drop.quarantined")
    assert event["reason"].startswith("name."), event
    assert event["file"] == name and b"\x1b" not in AUDIT.read_bytes()


def test_doctype_goes_to_quarantine(world, alice):
    mark = world.mark()
    alice.put("web01.1.data", DOCTYPE)
    swept()
    assert world.delivered() == {} and list(quarantined().values()) == [DOCTYPE]
    told(world, mark, "drop.quarantined", reason="content.doctype")


def test_too_large_goes_to_quarantine_and_what_cannot_be_looked_at_stays(world, alice):
    mark = world.mark()
    large = packets.make("web01", 2_000_001)
    alice.put("web01.1.data", large)
    sparse = alice.put("web01.2.data", b"")
    os.truncate(sparse, 64 * 1024 * 1024 + 1)
    for _ in range(2):
        swept()
    assert world.delivered() == {} and list(quarantined().values()) == [large]
    assert alice.names() == ["web01.2.data"]
    told(world, mark, "drop.quarantined", reason="size.file")
    told(world, mark, "upload.refused", reason="ftp.large", file="web01.2.data")


def test_the_largest_there_can_be(world, alice):
    content = packets.make("web01", 60 * 1024 * 1024)
    with ftp_policy(world, drop={"max_file_size": 64 * 1024 * 1024}):
        alice.put("web01.1.data", content)
        swept()
    assert world.delivered() == {"web01.1.data": content}


# --- incomplete ---------------------------------------------------------------------------------------------------------

def test_an_incomplete_upload_is_held_and_replaced_by_its_repetition(world, alice):
    mark = world.mark()
    half = packet()[:-5]
    alice.put("web01.1.data", half)
    swept(1)
    assert alice.names() == ["web01.1.data"]    # it may be written yet
    time.sleep(QUIET)
    swept(1)
    assert alice.names() == [] and alice.held_names() == ["web01.1.data"]
    event, = told(world, mark, "upload.held", reason="ftp.incomplete")
    assert event["seconds"] == 2
    alice.put("web01.1.data", packet())
    swept()
    assert world.delivered() == {"web01.1.data": packet()} and quarantined() == {}
    assert alice.names() == alice.held_names() == []
    told(world, mark, "upload.replaced")


def test_an_incomplete_repetition_takes_the_place_of_the_first(world, alice):
    with ftp_policy(world, ftp={"incomplete_hold": "30s"}):
        mark = world.mark()
        for half in (b"<agent_data", b"<agent_data agent_name='web01'>"):
            alice.put("web01.1.data", half)
            time.sleep(QUIET)
            swept(1)
        assert [(p.name, p.read_bytes()) for p in alice.held.iterdir()] == [("web01.1.data", half)]
        assert [e["replaced"] for e in told(world, mark, "upload.held", count=2)] == [0, 1]


def test_an_incomplete_upload_goes_to_quarantine_in_the_end(world, alice):
    mark = world.mark()
    half = packet()[:-1]
    alice.put("web01.1.data", half)
    time.sleep(QUIET)
    swept(1)
    assert alice.held_names() == ["web01.1.data"]
    time.sleep(QUIET)
    swept()
    assert world.delivered() == {} and list(quarantined().values()) == [half]
    assert alice.held_names() == []
    told(world, mark, "drop.quarantined", reason="ftp.incomplete")


def test_a_writer_that_does_not_lock_may_take_its_time(world, alice):
    """Held in the middle, for nothing was written for a while; then it goes on, and comes to its end."""
    path = alice.put("web01.1.data", packet()[:20])
    with open(path, "ab") as writer:
        with ftp_policy(world, ftp={"incomplete_hold": "30s"}):
            time.sleep(QUIET)
            swept(1)
            assert alice.held_names() == ["web01.1.data"] and world.delivered() == {}
            writer.write(packet()[20:])
            writer.flush()
            swept()
    assert world.delivered() == {"web01.1.data": packet()} and alice.held_names() == []


def test_a_locked_upload_is_left_alone(world, alice):
    """vsftpd's lock: even when what is there looks like a whole packet."""
    path = alice.put("web01.1.data", packet())
    with open(path, "r+b") as receiver:
        fcntl.lockf(receiver, fcntl.LOCK_EX)
        time.sleep(QUIET)
        swept(1)
        assert alice.names() == ["web01.1.data"] and alice.held_names() == [] and world.delivered() == {}
    swept()
    assert world.delivered() == {"web01.1.data": packet()}


# --- who sends ----------------------------------------------------------------------------------------------------------

class TestBinding:
    """One user, one record: the tests of this class change it as they go on."""

    @pytest.fixture(scope="class", autouse=True)
    def record(self, members, world_of_session):
        world_of_session.gate("keys", "add", "--ftp", "bob", "--agent", "web01")

    def test_its_own_agent_is_delivered_another_is_put_away(self, world, bob):
        mark = world.mark()
        bob.put("web01.1.data", packet())
        bob.put("web02.1.data", packet("web02"))            # by its name
        bob.put("web01.2.data", packet("web02", "by XML"))  # by what it says inside
        time.sleep(QUIET)
        swept()
        assert world.delivered() == {"web01.1.data": packet()}
        assert len(quarantined()) == 2
        reasons = {e["file"]: e["reason"] for e in told(world, mark, "drop.quarantined", count=2)}
        assert reasons["web02.1.data"] == "agent.name" and reasons["web01.2.data"].startswith("agent."), reasons

    def test_the_directory_tells_the_sender_not_the_file(self, world, alice, bob):
        """What alice uploads in the name of bob's agent is hers."""
        mark = world.mark()
        alice.put("web01.1.data", packet())
        alice.put("web01.2.data", packet(), owner=GUEST)
        swept()
        assert len(world.delivered()) == 2
        assert {e["key"] for e in told(world, mark, "drop.accepted", count=2)} == {"ftp:alice"}

    def test_observe(self, world, bob):
        mark = world.mark()
        world.gate("keys", "bind", "ftp:bob", "--binding", "observe")
        try:
            bob.put("web01.1.data", packet("web02"))
            swept()
            assert list(world.delivered()) == ["web01.1.data"]
            event, = told(world, mark, "agent.mismatch")
            assert event["outcome"] == "delivered"
        finally:
            world.gate("keys", "bind", "ftp:bob", "--binding", "enforce")

    @pytest.mark.parametrize("fields", [["state=disabled"], ["expires_at=2"], ["not_before=4000000000"], ["state=revoked"]])
    def test_who_may_not_send_now_waits(self, world, bob, fields):
        mark = world.mark()
        bob.put("web01.1.data", packet())
        with world.edited(["ftp:bob"], *fields):
            for _ in range(2):
                swept(1)
            assert world.delivered() == {} and bob.names() == ["web01.1.data"] and quarantined() == {}
            told(world, mark, "upload.waiting", reason="ftp.sender", key="ftp:bob")
        swept()
        assert world.delivered() == {"web01.1.data": packet()}


def test_learn(world, alice):
    """A user without a record: its packets propose a name."""
    mark = world.mark()
    for n in range(4):
        alice.put(f"web01.{n}.data", packet(text=str(n)))
        swept()
    assert len(world.delivered()) == 4
    told(world, mark, "agent.proposed", agent="web01", key="ftp:alice")


def test_unbound_users_are_refused_if_unbound_keys_are(world, alice):
    with ftp_policy(world, binding={"unbound_keys": "refuse"}):
        alice.put("web01.1.data", packet())
        time.sleep(QUIET)
        swept()
        assert world.delivered() == {} and len(quarantined()) == 1


# --- not now ------------------------------------------------------------------------------------------------------------

def waits(world, inbox, reason, **fields):
    mark = world.mark()
    inbox.put("web01.1.data", packet(text=reason))
    before = world.delivered()
    for _ in range(2):
        swept(1)
    assert world.delivered() == before and inbox.names() == ["web01.1.data"] and quarantined() == {}
    told(world, mark, "upload.waiting", reason=reason, **fields)


def comes(world, inbox, reason):
    swept()
    assert in_data_in(packet(text=reason)) and inbox.names() == []


def test_waits_for_the_end_of_a_pause(world, alice):
    world.gate("pause")
    try:
        waits(world, alice, "spool.paused")
    finally:
        world.gate("resume")
    comes(world, alice, "spool.paused")


def test_waits_while_the_backlog_is_long(world, alice):
    (DATA_IN / "old.1.data").write_bytes(b"x")
    with ftp_policy(world, spool={"max_backlog": 1}):
        waits(world, alice, "spool.backlog")
    comes(world, alice, "spool.backlog")


def test_waits_for_its_quota(world, alice):
    with ftp_policy(world, quota={"files": 1}):
        alice.put("web01.0.data", packet())
        swept()
        waits(world, alice, "quota.files")
    comes(world, alice, "quota.files")


def test_waits_for_space(world, alice):
    with ftp_policy(world, spool={"min_free": 1 << 40}):
        waits(world, alice, "space.free")
    comes(world, alice, "space.free")


def test_waits_for_room_in_the_quarantine(world, alice):
    with ftp_policy(world, quarantine={"max_size": 20_000}, drop={"max_file_size": 1000}):
        mark = world.mark()
        for n in range(3):                      # two blocks each
            alice.put(f"web01.{n}.data", DOCTYPE + b" " * n)
        alice.put("web01.4.data", packet())
        swept(1)
        assert alice.names() == ["web01.2.data"] and len(quarantined()) == 2
        assert list(world.delivered()) == ["web01.4.data"]
        event, = told(world, mark, "upload.waiting")
        assert event["reason"] == "quarantine.full", event
    swept()
    assert alice.names() == [] and len(quarantined()) == 3


def test_waits_for_the_audit_if_it_is_required(world, alice):
    with ftp_policy(world, audit={"mode": "required"}):
        world.stop_rsyslog()
        try:
            alice.put("web01.1.data", packet())
            swept(1)
            assert world.delivered() == {} and alice.names() == ["web01.1.data"]
        finally:
            world.start_rsyslog()
        mark = world.mark()
        swept()
        assert world.delivered() == {"web01.1.data": packet()}
        told(world, mark, "drop.begun")
    # And goes on without it where it is not.
    world.stop_rsyslog()
    try:
        alice.put("web01.2.data", packet())
        swept()
        assert len(world.delivered()) == 2
    finally:
        world.start_rsyslog()


def test_more_than_one_pass_takes_and_none_of_it_can_be_taken(world, alice):
    """It comes to its end, also if everything waits."""
    for n in range(600):
        alice.put(f"web01.{n}.data", packet(text=str(n)))
    world.gate("pause")
    try:
        assert sweep(timeout=60).returncode == 1
        assert len(alice.names()) == 600
    finally:
        world.gate("resume")
    swept()
    assert len(world.delivered()) == 600 and alice.names() == []


# --- planted ------------------------------------------------------------------------------------------------------------

def naive_mover(inbox, command):
    """What administrators put into cron: the control of what is refused below. As root, in a shell."""
    return subprocess.run(["sh", "-c", f"cd {inbox.dir} && for f in *.data; do {command} \"$f\" {DATA_IN}/; done"],
                          capture_output=True, text=True, timeout=3)


class Planted:
    """plant() puts it there; control() tells what a naive mover does with it."""
    NAME = "web01.7.data"

    def __init__(self, inbox):
        self.inbox, self.path = inbox, inbox.dir / self.NAME
        self.plant()

    def taken_by(self, command):
        naive_mover(self.inbox, command)
        return DATA_IN / self.NAME


class LinkToShadow(Planted):
    def plant(self):
        self.path.symlink_to("/etc/shadow")

    def control(self):
        return self.taken_by("cp").read_bytes() == open("/etc/shadow", "rb").read()


class LinkIntoDataIn(Planted):
    """To a packet of somebody else: sent once more, as one's own."""
    def plant(self):
        (DATA_IN / "conf/theirs").write_bytes(packet("theirs"))
        self.path.symlink_to(DATA_IN / "conf/theirs")

    def control(self):
        return self.taken_by("cp").read_bytes() == packet("theirs")


class HardLink(Planted):
    """What was delivered would go on being writable by whoever made it."""
    def plant(self):
        self.other = self.inbox.dir.parent / ".other-name"
        self.inbox.put(self.NAME, packet("before"))
        self.other.unlink(missing_ok=True)
        os.link(self.path, self.other)

    def control(self):
        taken = self.taken_by("mv")
        self.other.write_bytes(packet("after"))
        return taken.read_bytes() == packet("after")


class Fifo(Planted):
    def plant(self):
        os.mkfifo(self.path)

    def control(self):
        try:
            self.taken_by("cp")
        except subprocess.TimeoutExpired:
            return True
        return False


class Directory(Planted):
    def plant(self):
        self.path.mkdir()
        (self.path / "x").write_bytes(b"x")

    def control(self):
        return (self.taken_by("mv") / "x").exists()


class Socket(Planted):
    def plant(self):
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(self.path))

    def control(self):
        return stat.S_ISSOCK(self.taken_by("mv").lstat().st_mode)


class OfSomebodyElse(Planted):
    """A file that root, or another program, has left there."""
    def plant(self):
        self.inbox.put(self.NAME, packet(), owner="root", mode=0o644)

    def control(self):
        return self.taken_by("cp").read_bytes() == packet()


PLANTED = [LinkToShadow, LinkIntoDataIn, HardLink, Fifo, Directory, Socket, OfSomebodyElse]


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_harmless_and_told_once(world, alice, kind):
    mark = world.mark()
    planted = kind(alice)
    alice.put("web01.1.data", packet())
    for _ in range(3):
        swept()
    assert world.delivered() == {"web01.1.data": packet()}          # the others of the directory are not held up
    assert quarantined() == {} and alice.names() == [Planted.NAME] and alice.held_names() == []
    told(world, mark, "upload.refused", reason="ftp.unsafe", file=Planted.NAME)
    world.clear()
    try:
        assert planted.control()
    finally:
        run("rm", "-rf", DATA_IN / Planted.NAME, DATA_IN / "conf/theirs", alice.dir.parent / ".other-name")


def two_packets(size):
    return [packet(text=letter * size) for letter in "AB"]


class Flipping:
    """A writer without a lock, who writes one packet over the other, again and again, in pieces."""

    def __init__(self, path, contents, piece=65536):
        self.path, self.contents, self.piece, self.go_on = path, contents, piece, True
        self.thread = threading.Thread(target=self.write)

    def write(self):
        with open(self.path, "r+b", buffering=0) as file:
            while self.go_on:
                for content in self.contents:
                    for at in range(0, len(content), self.piece):
                        os.pwrite(file.fileno(), content[at:at + self.piece], at)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.go_on = False
        self.thread.join()


def is_of_one_moment(content):
    """The writer goes from the beginning to the end: one part new, one old. A pause of his, however long, is not seen."""
    return len(re.findall(rb"AAA+|BBB+", content)) <= 2 and content.endswith(b"</agent_data>")


def test_what_changes_while_it_is_read_is_not_taken(world, alice):
    contents = two_packets(1_500_000)
    path = alice.put("web01.1.data", contents[0])
    with Flipping(path, contents):
        mixed = 0
        for _ in range(30):
            subprocess.run(["cp", path, "/tmp/copy"], check=True)
            mixed += open("/tmp/copy", "rb").read() not in contents
        assert mixed > 0                        # the control
        for _ in range(10):
            done = sweep()
            assert done.returncode in (0, 1)
            assert all(is_of_one_moment(c) for c in world.delivered().values())
            if done.returncode == 0:            # it was taken between two changes
                break
    if alice.names():
        swept()
    assert len(world.delivered()) >= 1 and all(is_of_one_moment(c) for c in world.delivered().values())
    print(f"cp took {mixed} of 30 mixed")


def test_a_file_that_grows_while_it_is_read(world, alice):
    content = packet()
    path = alice.put("web01.1.data", content)
    stop = threading.Event()

    def grow():
        with open(path, "ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b" ")
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(5):
            sweep()
    finally:
        stop.set()
        thread.join()
    sweep()
    found = [c.rstrip() for c in world.delivered().values()]
    assert found and set(found) == {content}


# --- other inboxes, exit statuses ---------------------------------------------------------------------------------------

def test_the_inbox_of_another_receiver(world, alice):
    inbox = uploads.other_inbox(SPOOL / "other")
    try:
        mark = world.mark()
        inbox.put("web01.1.data", packet(), owner="daemon", mode=0o644)
        inbox.put("web01.2.data", packet())
        alice.put("web01.3.data", packet())
        swept(0, *uploads.words_for(inbox, "tentacle", "daemon"))
        assert world.delivered() == {"web01.1.data": packet()}
        told(world, mark, "drop.accepted", key="ftp:tentacle")
        told(world, mark, "upload.refused", key="ftp:tentacle", file="web01.2.data")
        assert alice.names() == ["web01.3.data"]            # not its business
        (inbox.dir / "web01.2.data").unlink()
        # Without FTP as well.
        with policy(world, ftp={"enabled": False}):
            inbox.put("web01.4.data", packet(), owner="daemon", mode=0o644)
            swept(0, *uploads.words_for(inbox, "tentacle", "daemon"))
            assert len(world.delivered()) == 2
            assert sweep().returncode == 78
    finally:
        run("rm", "-rf", inbox.dir)


def test_exit_statuses(world, alice):
    assert sweep().returncode == 0
    alice.put("web01.1.data", packet()[:10])
    assert sweep().returncode == 1
    for words in (["--inbox", "/x"], ["--inbox", "x", "--owner", "root", "--sender", "a"], ["--bogus"], ["--owner"],
                  ["--inbox", "/x", "--owner", "daemon", "--sender", "../x"], ["--inbox", "/x", "--owner", "daemon", "--sender", ""]):
        done = sweep(*words)
        assert done.returncode == 64 and done.stderr.count("\n") == 1 and "usage" in done.stderr, done
    assert sweep("--inbox", "/x", "--owner", "no-such-user", "--sender", "x").returncode == 65
    from world import KEYRING
    kept = KEYRING.read_bytes()
    KEYRING.unlink()
    try:
        done = sweep()
        assert done.returncode == 65 and "publish" in done.stderr
    finally:
        world.put_keyring(kept)
    done = sweep("--inbox", "/no/such", "--owner", GUEST, "--sender", "x")
    assert done.returncode == 70 and "audit" in done.stderr
    done = subprocess.run(["setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", uploads.SWEEP, "--once"],
                          capture_output=True, text=True)
    # The directory is not readable for just anybody; where it is, the account is what counts.
    assert done.returncode in (65, 77), done
    done = subprocess.run(["setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", uploads.SWEEP, "--once",
                           "--inbox", "/tmp", "--owner", "daemon", "--sender", "x"], capture_output=True, text=True)
    assert done.returncode == 77, done


def test_the_account_itself_may_start_it(world, alice):
    alice.put("web01.1.data", packet(), mode=0o644)
    done = subprocess.run(["setpriv", "--reuid=pandora", "--regid=pandora", "--init-groups", uploads.SWEEP, "--once"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done
    assert world.delivered() == {"web01.1.data": packet()}


def test_a_file_that_cannot_be_read_waits(world, alice):
    mark = world.mark()
    path = alice.put("web01.1.data", packet(), mode=0o600)
    swept(1)
    told(world, mark, "upload.waiting", reason="server.spool")
    path.chmod(0o640)
    swept()
    assert world.delivered() == {"web01.1.data": packet()}


# --- many ---------------------------------------------------------------------------------------------------------------

def test_two_sweeps_at_once(world, alice, bob):
    contents = {}
    for n in range(120):
        inbox = (alice, bob)[n % 2]
        contents[f"web01.{n}.data"] = packet(text=f"two {n}")
        inbox.put(f"web01.{n}.data", contents[f"web01.{n}.data"])
    running = [subprocess.Popen([uploads.SWEEP, "--once"], stderr=subprocess.PIPE) for _ in range(4)]
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, 1), err
    swept()
    assert world.delivered() == contents
    assert staged_files() == [] and alice.names() == bob.names() == []


def bytes_read():
    """By this process and all that it has waited for."""
    return int(next(l for l in open("/proc/self/io", encoding="ascii") if l.startswith("rchar")).split()[1])


def test_what_waits_is_not_read_again_and_again(world, alice, bob):
    """Who may not send now cannot keep the others waiting by how much he has uploaded."""
    big = packet(text="x" * 1_500_000)
    for n in range(20):
        alice.put(f"web01.{n}.data", big)
        path = alice.put(f"web02.{n}.data", big[:-1])
        path.rename(alice.held / path.name)
    world.gate("pause", "--reason", "a test")
    try:
        before = bytes_read()
        swept(1)
        waiting = bytes_read() - before
    finally:
        world.gate("resume")
    assert waiting < 5_000_000 and len(alice.names()) == 20
    before = bytes_read()
    sweep()                                     # the control
    assert bytes_read() - before > 20 * 1_500_000 and len(world.delivered()) == 20


def test_two_sweeps_of_one_directory_that_call_it_differently(world, members):
    """As of two senders, one of whom comes there by a link."""
    inbox, contents = uploads.other_inbox(SPOOL / "twice"), {}
    (SPOOL / "link").symlink_to(SPOOL)
    for n in range(200):
        inbox.put(f"web01.{n}.data", packet(text=f"twice {n}"))
        contents[f"web01.{n}.data"] = packet(text=f"twice {n}")
    words = uploads.words_for(inbox, "one"), uploads.words_for(Inbox("two", SPOOL / "link" / "twice"), "two")
    running = [subprocess.Popen([uploads.SWEEP, "--once", *w], stderr=subprocess.PIPE) for w in words]
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, 1), err
    assert world.delivered() == contents and inbox.names() == []
    (SPOOL / "link").unlink()


def test_the_senders_do_not_share_what_they_have_sent(world, alice, bob):
    """The same name and content of two of them is two packets."""
    for inbox in (alice, bob):
        inbox.put("web01.1.data", packet())
    swept()
    assert [c for c in world.delivered().values()] == [packet()] * 2


def test_300_uploads_of_10_users(world, members):
    users = [f"user{n}" for n in range(10)]
    for user in users:
        uploads.add_member(user)
    world.gate("publish")
    contents = {}
    with uploads.Watcher() as watcher:
        for n in range(30):
            for user in users:
                name, content = f"{user}.{n}.data", packet(user, f"{user} {n}")
                contents[name] = content
                Inbox(user).put(name, content)
        assert wait_for(lambda: len(list(DATA_IN.glob("*.data"))) == len(contents), 60)
        time.sleep(0.3)
        assert watcher.process.poll() is None
    assert world.delivered() == contents
    assert staged_files() == [] and all(Inbox(u).names() == [] for u in users)
