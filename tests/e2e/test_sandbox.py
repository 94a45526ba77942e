"""What somebody gains who has taken over one of the processes of drop: each probe is made from inside, once in a
build with the sandbox and, as its positive control, once in the same build without (Makefile: hostile)."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess

import pytest
from world import BUILD, DATA_IN, STAGING, Client, Sshd, policy, run, wait_for

HOSTILE = BUILD / "hostile"
CONF = DATA_IN / "conf"
ELSEWHERE = pathlib.Path("/var/spool/pandora/elsewhere")
RAN = pathlib.Path("/tmp/hostile-ran")
VICTIM = DATA_IN / "victim.1.data"
CLIMBING = f"../data_in/{VICTIM.name}"
MARKER = "delivered before"


@pytest.fixture
def places(world):
    """Everything that the account may write to by itself: a delivered file, data_in/conf, a directory of its own. What a
    probe does not gain is not for want of permission."""
    VICTIM.write_text(MARKER)
    run("chown", "pandora", VICTIM)
    run("chown", "pandora", CONF)
    run("install", "-d", "-o", "pandora", "-m", "755", ELSEWHERE)
    RAN.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as another:
        another.bind(str(ANOTHER))
        ANOTHER.chmod(0o666)
        yield
    ANOTHER.unlink()
    shutil.rmtree(ELSEWHERE)
    for path in CONF.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()
    run("chown", "root", CONF)
    RAN.unlink(missing_ok=True)


def snapshot():
    """Everything that a probe could have changed."""
    found = {}
    for top in (DATA_IN, STAGING, ELSEWHERE):
        for path in sorted(top.rglob("*")):
            st = path.lstat()
            found[str(path)] = (st.st_mode, st.st_nlink, path.read_bytes() if path.is_file() else None)
    return found, RAN.exists()


def ask(client, process, probe, argument=""):
    return client.ssh(f"hostile {process} {probe} {argument}".rstrip()).stdout.strip()


# probe -> (its argument, what shows that it worked: "said" = its own word, "files" = there is a change)
ANYWHERE = {
    "exec": (RAN, "files"),
    "fork": ("", "said"),
    "socket": ("", "said"),
    "socket_local": ("", "said"),
    "trace": ("", "said"),
    "read_memory": ("", "said"),
    "read_file": ("/etc/passwd", "said"),
    "list": (DATA_IN, "said"),
    "stat": (VICTIM, "said"),
    "stat_with_empty_path": (VICTIM, "said"),
    "stat_extended": (VICTIM, "said"),
    "access": (VICTIM, "said"),
    "open_for_writing": (VICTIM, "said"),
    "truncate": (VICTIM, "files"),
    "unlink": (VICTIM, "files"),
    "rename": (VICTIM, "files"),
    "link": (VICTIM, "files"),
    "make_directory": (CONF / "made", "files"),
    "make_symlink": (CONF / "link", "files"),
    "create": (CONF / "x", "files"),
    "unprotect_names": ("", "said"),
    "unmap_names": ("", "said"),
    "map_at_an_address": ("", "said"),
    "map_code": ("", "said"),
    "ring": ("", "said"),
    "kill_parent": ("", "said"),
    "become_dumpable": ("", "said"),
    "duplicate": ("", "said"),
}
# With the descriptors that the publisher has.
IN_PUBLISHER = {
    "list_open": ("", "said"),
    "open_from_staging": (VICTIM, "said"),
    "unnamed_elsewhere": (ELSEWHERE, "said"),
    "unnamed_set_id": ("", "said"),
    "set_id": ("", "said"),
    "link_delivered": (VICTIM.name, "files"),
    "link_from_staging": (CLIMBING, "files"),
    "rename_from_staging": (CLIMBING, "files"),
    "unlink_from_staging": (CLIMBING, "files"),
    "publish": (ELSEWHERE / "x", "files"),
}
# With the way to the logger that the process has that hands a key over: no service listens here.
ANOTHER = pathlib.Path("/run/another.sock")
IN_ENROLMENT = {
    "tell_another": (ANOTHER, "said"),
    "tell_another_by_message": (ANOTHER, "said"),
    "connect_to_another": (ANOTHER, "said"),
}
# The flags of the one link that is allowed, and a delivered file's name. The kernel itself lets a name through there.
LINK_BY_NAME = {"link_delivered_as_unnamed": (VICTIM.name, "files")}

PROBES = [(process, probe, *what) for process, probes in
          (("front", ANYWHERE), ("publisher", {**ANYWHERE, **IN_PUBLISHER, **LINK_BY_NAME}),
           # Its parent is sshd, which the account cannot look into, sandbox or not.
           ("enrol", {**{p: w for p, w in ANYWHERE.items() if p not in ("trace", "read_memory")}, **IN_ENROLMENT}))
          for probe, what in probes.items()]
ids = [f"{process}-{probe}" for process, probe, *_ in PROBES]


def gained(said, evidence, before):
    return snapshot() != before if evidence == "files" else said == "done"


@pytest.fixture
def confined(world):
    with world.another_drop(HOSTILE / "drop"):
        yield


@pytest.fixture
def unconfined(world):
    with world.another_drop(HOSTILE / "drop-open"):
        yield


@pytest.mark.parametrize("process,probe,argument,evidence", PROBES, ids=ids)
class TestEachProbe:
    def test_dies_or_is_refused(self, world, gate, places, confined, process, probe, argument, evidence):
        before, mark = snapshot(), world.mark()
        said = ask(gate, process, probe, argument)
        assert snapshot() == before
        assert not gained(said, evidence, before)
        if said.startswith("refused"):
            assert said.split()[1] in ("EACCES", "EPERM", "EXDEV"), said
        elif process == "front":
            # It died without a word, and the publisher, who buried it, says so.
            assert said == ""
            breach = world.events_since(mark, "sandbox.breach")
            assert [(e["process"], e["what"], e["signal"]) for e in breach] == \
                [("front", "a system call outside its filter", "SYS")]
            assert world.events_since(mark, "session.summary")[0]["status"] != 0
        else:
            assert said in ENDED

    def test_succeeds_without_a_sandbox(self, world, gate, places, unconfined, process, probe, argument, evidence):
        before = snapshot()
        said = ask(gate, process, probe, argument)
        assert gained(said, evidence, before), said or "no word"


def test_the_publisher_cannot_make_a_file_where_the_account_may_not(world, gate, confined):
    """A new name is a pointer, and a right on data_in is one on all below it: conf is kept by its owner alone."""
    assert ask(gate, "publisher", "publish", "conf/x") == "refused EACCES"
    assert not (CONF / "x").exists()


def test_what_cannot_be_confined(world, gate, places, confined):
    """As SECURITY.md says: in a directory below data_in that the account may write to, a publisher that was taken over can
    make new files. Not a front, and no file that is there is touched."""
    assert ask(gate, "publisher", "publish", "conf/x") == "done"
    assert (CONF / "x").exists()
    (CONF / "x").write_text("there")
    assert ask(gate, "publisher", "publish", "conf/x") == "refused EEXIST"
    assert ask(gate, "front", "create", CONF / "y") == ""
    assert not (CONF / "y").exists()


def test_the_publisher_that_does_what_it_is_for(world, gate, places, confined):
    """The control of the probes' own hands: with a plain name, the same probe delivers."""
    assert ask(gate, "publisher", "publish", "probe.1.data") == "done"
    assert (DATA_IN / "probe.1.data").exists()


# The publisher ends the session, and the front with it, mostly before that can say a word.
ENDED = ("", "the publisher is gone")
FORGED = {
    # what -> (the name it delivers, what the front is told, the event and what it holds)
    "unknown_operation": ("test.5.data", ENDED, "sandbox.breach", {"what": "a message that there is not"}),
    "short_message": ("test.5.data", ENDED, "sandbox.breach", {"what": "a message of a wrong size"}),
    "flood": ("test.5.data", ENDED, "sandbox.breach", {"what": "answers are not read"}),
    "overlong_name": ("test.5.data", "name.length", "drop.refused", {"reason": "name.length"}),
    "unsealed": ("test.5.data", "server.internal", "drop.refused", {"cause": "the content is not sealed"}),
    "not_sealed_against_writing": ("test.5.data", "server.internal", "drop.refused", {"cause": "the content is not sealed"}),
    "another_size": ("test.5.data", "server.internal", "drop.refused",
                     {"cause": "the content has another size than was said"}),
    "no_content": ("test.5.data", "server.internal", "drop.refused", {"cause": "the content is not as long as was said"}),
    "not_open": ("test.5.data", "transfer.protocol", "request.refused", {"reason": "transfer.protocol"}),
}
NAMES = {"victim.2.data": "agent.name", "conf/x": "name.path", "../x.1.data": "name.form", "/etc/test.1.data": "name.path",
         "test.conf": "name.remote_config"}


@pytest.mark.parametrize("build", ["drop", "drop-open"])
class TestForgedMessages:
    """The publisher judges them itself, whatever confines it: so both builds refuse."""

    @pytest.fixture(autouse=True)
    def hostile(self, world, places, build):
        with world.another_drop(HOSTILE / build):
            yield

    @pytest.mark.parametrize("what", FORGED)
    def test_is_refused_and_told(self, world, gate, build, what):
        name, told, event, fields = FORGED[what]
        before, mark = snapshot(), world.mark()
        said = ask(gate, "forge", what, name)
        assert said in told if told is ENDED else said == told
        assert world.events_since(mark, event, **fields)
        assert snapshot() == before

    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_that_it_may_not_send(self, world, gate, build, name):
        before, mark = snapshot(), world.mark()
        assert ask(gate, "forge", "honest", name) == NAMES[name]
        assert world.events_since(mark, "drop.refused", file=name, reason=NAMES[name])
        assert snapshot() == before

    def test_the_honest_one_is_taken(self, world, gate, build):
        assert ask(gate, "forge", "honest", "test.5.data") == "none"
        assert (DATA_IN / "test.5.data").read_text() == "<agent_data/>"


# --- a real session, of the program that is shipped ------------------------------------------------------------------

@contextlib.contextmanager
def session(world, gate):
    """A session that waits for its client: (publisher, front)."""
    mark = world.mark()
    waiting = subprocess.Popen(gate.ssh_argv(f"{gate.user}@{gate.host}", "scp", "-t", str(DATA_IN)),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert waiting.stdout.read(1) == b"\0"
        pids = wait_for(lambda: len(world.drops_running()) == 2 and world.drops_running())
        parents = {pid: int(re.search(r"^PPid:\t(\d+)", status(pid), re.M)[1]) for pid in pids}
        front = next(pid for pid in pids if parents[pid] in pids)
        wait_for(lambda: "Seccomp:\t2" in status(parents[front]))
        yield parents[front], front
    finally:
        waiting.stdin.close()
        waiting.wait()
        world.events_since(mark, "session.summary")


def status(pid):
    return pathlib.Path(f"/proc/{pid}/status").read_text()


def test_both_processes_have_given_everything_up(world, gate):
    with session(world, gate) as pids:
        for pid in pids:
            fields = dict(re.findall(r"^(\w+):\t(.*)$", status(pid), re.M))
            assert fields["NoNewPrivs"] == "1"
            assert fields["Seccomp"] == "2"
            assert {fields[f"Cap{kind}"] for kind in ("Eff", "Prm", "Inh", "Amb")} == {"0" * 16}
            limits = dict(re.findall(r"^Max (.+?) {2,}\S+ +(\S+)", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M))
            assert (limits["processes"], limits["core file size"], limits["locked memory"]) == ("0", "0", "0")
            assert int(limits["open files"]) <= 64
            assert int(limits["data size"]) <= 64 * 2**20
            assert int(limits["address space"]) <= 256 * 2**20


def test_what_each_process_has_open(world, gate):
    with session(world, gate) as (publisher, front):
        def open_files(pid):
            return {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        of_front = open_files(front)
        assert set(of_front) > {0, 1, 2}
        assert len(of_front) == 4
        assert all(what.startswith(("socket:", "pipe:")) for what in of_front.values()), of_front
        of_publisher = open_files(publisher)
        assert {of_publisher.pop(fd) for fd in (0, 1, 2)} == {"/dev/null"}
        files = sorted(what for what in of_publisher.values() if what.startswith("/"))
        assert {str(DATA_IN), str(STAGING)} <= set(files)
        assert not any(what.startswith(("/etc", "/tmp", "/proc")) for what in files), files


def test_neither_can_be_looked_into_by_their_own_user(world, gate):
    def as_account(*argv):
        return run("setpriv", "--reuid", "pandora", "--regid", "pandora", "--clear-groups", *argv, check=False).returncode

    def attach(pid):
        return as_account("python3", "-c", "import ctypes, sys; c = ctypes.CDLL(None); "
                          f"sys.exit(c.ptrace(0x4206, {pid}, 0, 0) != 0)")

    account = pwd.getpwnam("pandora")
    control = subprocess.Popen(["sleep", "60"], user=account.pw_uid, group=account.pw_gid, extra_groups=[])
    try:
        with session(world, gate) as pids:
            for pid in pids:
                assert attach(pid) != 0
                assert as_account("cat", f"/proc/{pid}/maps") != 0
                assert as_account("ls", f"/proc/{pid}/fd") != 0
        assert attach(control.pid) == 0
        assert as_account("ls", f"/proc/{control.pid}/fd") == 0
    finally:
        control.kill()
        control.wait()


def test_no_event_says_that_the_sandbox_is_weaker_here(world, gate, packet):
    """This kernel has what is needed, or what the other tests say of it would be wrong."""
    mark = world.mark()
    assert gate.scp(packet("test.1.data")).returncode == 0
    assert world.events_since(mark, "session.summary")
    assert not world.events_since(mark, "sandbox.weaker", seconds=0)


def test_the_program_that_is_shipped_holds_no_probe():
    shipped = (BUILD / "drop").read_bytes()
    assert b"unprotect_names" not in shipped
    assert b"hostile" not in shipped
    assert b"pandora-gate-landlock" not in shipped
    assert b"unprotect_names" in (HOSTILE / "drop").read_bytes()


# --- older kernels ---------------------------------------------------------------------------------------------------

def deliver_all(client, packet):
    """By both protocols, small and large, the second under a name that is taken."""
    for number, size in ((1, 3000), (2, 300_000)):
        for options in ([], ["-O"]):
            done = client.scp(packet(f"test.{number}.data", size=size + len(options)), options=options)
            assert done.returncode == 0, done.stderr
    assert {p.stat().st_size for p in DATA_IN.iterdir() if p.is_file()} == {3000, 3001, 300_000, 300_001}


@contextlib.contextmanager
def old_kernel(world, *lacks):
    config = pathlib.Path("/etc/ssh/sshd_config").read_text()
    sshd = Sshd(world, "old", 2224, config, under=[HOSTILE / "old_kernel", *lacks, "--"])
    try:
        yield Client(sshd, "pandora", world.key)
    finally:
        sshd.stop()


@pytest.mark.parametrize("method", ["automatic", "named"])
@pytest.mark.parametrize("lack", ["no-landlock", "landlock-off"])
def test_a_kernel_without_landlock_delivers_and_tells(world, packet, lack, method):
    mark = world.mark()
    with policy(world, spool={"staging_method": method}), old_kernel(world, lack) as client:
        deliver_all(client, packet)
    weaker = world.events_since(mark, "sandbox.weaker", count=4)
    assert len(weaker) == 4
    assert {e["landlock"] for e in weaker} == {0}
    assert len(world.events_since(mark, "drop.accepted", count=4)) == 4
    assert not world.events_since(mark, "sandbox.breach", seconds=0)


@pytest.mark.parametrize("method", ["automatic", "named"])
def test_a_kernel_with_the_first_landlock_delivers_and_tells(world, gate, packet, confined, method):
    """Its Landlock moves nothing between directories, as this one's does for a process that does not ask for it."""
    mark = world.mark()
    simulated = pathlib.Path("/run/pandora-gate-landlock")
    simulated.write_text("1")
    try:
        with policy(world, spool={"staging_method": method}):
            deliver_all(gate, packet)
    finally:
        simulated.unlink()
    weaker = world.events_since(mark, "sandbox.weaker", count=4)
    assert len(weaker) == 4
    assert {e["landlock"] for e in weaker} == {1}
    assert not list(STAGING.iterdir())


def test_a_kernel_that_does_not_link_by_descriptor(world, packet):
    with old_kernel(world, "no-link-by-fd") as client:
        mark = world.mark()
        deliver_all(client, packet)
        assert not world.events_since(mark, "sandbox.breach", seconds=0)


def test_named_staging_has_rules_of_its_own(world, gate, places, packet, confined):
    with policy(world, spool={"staging_method": "named"}):
        before = snapshot()
        for probe, argument in (("open_for_writing", VICTIM), ("open_from_staging", VICTIM), ("unlink", VICTIM),
                                ("rename", VICTIM), ("list_open", ""), ("stat_with_empty_path", VICTIM), ("exec", RAN)):
            assert ask(gate, "publisher", probe, argument) in ENDED
        for probe in ("rename_from_staging", "unlink_from_staging"):
            assert ask(gate, "publisher", probe, CLIMBING) == "refused EACCES"
        assert snapshot() == before
        # As SECURITY.md says.
        assert ask(gate, "publisher", "link_from_staging", CLIMBING) == "done"
        for path in DATA_IN.iterdir():
            if path.is_file():
                path.unlink()
        deliver_all(gate, packet)
        assert not list(STAGING.iterdir())
