"""The units, run by the real systemd: what `setup` puts in place starts, reloads, survives and ends as its unit says; what
the units promise to be shut is shut; and `setup --remove` leaves nothing.

One story, told in a copy of its own inside the copy: a bare machine is booted (harness/systemd.py), and this file, run
there with --inside, does one step after the other and writes down how each ended; the tests read that.
"""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/harness"), str(TREE / "tests/e2e")]

import bare  # noqa: E402
import copy_id  # noqa: E402
import fingerprint  # noqa: E402
import packets  # noqa: E402
import world  # noqa: E402
from world import AUDIT, DATA_IN, GATE_TOML, LIBEXEC, QUARANTINE, SPOOL, STATE, Client, run  # noqa: E402

GATE = "/usr/sbin/pandora-gate"
PORT = 2222
DIRECTORY = pathlib.Path("/root/units-test")
OWN_CONFIG = pathlib.Path("/etc/pandora-gate/sshd_config")
RSYSLOGD, RSYSLOGD_ASIDE = pathlib.Path("/usr/sbin/rsyslogd"), pathlib.Path("/usr/sbin/rsyslogd.aside")
UNITS = pathlib.Path("/etc/systemd/system")
SHIPPED = pathlib.Path("/usr/share/pandora-gate/systemd")
SSHD, ENROL, FTP, SWEEP, QUARANTINE_UNIT, TIMER = (
    f"pandora-gate-{name}" for name in ("sshd.service", "enrol.service", "ftp.service", "sweep.service", "quarantine.service",
                                        "quarantine.timer"))


def wait_for(what, seconds=60):
    """Units wait for seconds before they start again, and the machine may be slow."""
    return world.wait_for(what, seconds)


# --- the machine -----------------------------------------------------------------------------------------------------

def make_bare():
    """And no rsyslog (which comes later)."""
    bare.make_bare()
    RSYSLOGD.rename(RSYSLOGD_ASIDE)
    bare.install_programs()
    DIRECTORY.mkdir()


def snapshot():
    """And who listens."""
    return bare.snapshot(but="process")


def gate(*args, status=0):
    done = run(GATE, *args, check=False)
    assert done.returncode == status, f"{args}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def systemctl(*args, status=0):
    done = run("systemctl", "--no-pager", *args, check=False)
    if status is not None:
        assert (done.returncode != 0) == (status != 0), f"{args}: status {done.returncode}\n{done.stdout}{done.stderr}\n{last_words()}"
    return done.stdout + done.stderr


def last_words():
    run("journalctl", "--sync", check=False)
    return run("journalctl", "--no-pager", "-n", 40, "-o", "short-monotonic", check=False).stdout


def show(unit, name):
    return systemctl("show", "-P", name, unit).strip()


def is_active(*units):
    states = {unit: show(unit, "ActiveState") for unit in units}
    assert set(states.values()) == {"active"}, f"{states}\n{last_words()}"


def is_gone(*units):
    for unit in units:
        assert (show(unit, "LoadState"), show(unit, "ActiveState")) == ("not-found", "inactive"), unit


def main_pid(unit):
    return int(show(unit, "MainPID"))


def kill_hard(unit):
    pid = main_pid(unit)
    assert pid > 1, f"{unit} does not run\n{last_words()}"
    os.kill(pid, 9)
    return pid


def banner(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return connection.makefile("rb").readline().decode("latin-1").strip()


def answers(port):
    def asked():
        with contextlib.suppress(OSError):
            return banner(port)
    said = wait_for(asked)
    assert said and said.startswith("SSH-2.0-OpenSSH"), f"{said}\n{last_words()}"
    return said


def events(event, **fields):
    """From the journal, with the fields that the sender cannot choose."""
    def found():
        run("journalctl", "--sync")
        entries = map(json.loads, run("journalctl", "--no-pager", "-o", "json", "-t", "pandora-gate").stdout.splitlines())
        said = [(json.loads(entry["MESSAGE"]), entry) for entry in entries]
        return [both for both in said if both[0]["event"] == event and all(both[0].get(k) == v for k, v in fields.items())]
    return wait_for(found)


def said_by(entry, unit, program):
    """journald looks for unit and program when it reads: of a process that has ended by then it knows neither."""
    assert int(entry["_PID"]) > 1 and entry.get("_SYSTEMD_UNIT", unit) == unit and entry.get("_EXE", str(program)) == str(program), entry


def only(found):
    assert len(found) == 1, f"{found}\n{last_words()}"
    return found[0]


# --- agents ----------------------------------------------------------------------------------------------------------

class World:
    """As much of world.World as an agent's machine asks for."""
    dir = DIRECTORY
    sshd = type("Where", (), {"port": PORT})

    def client(self, key, **kwargs):
        return Client(self.sshd, "pandora", key, **kwargs)


def packet(name="web01", count=iter(range(1, 1000))):
    number = next(count)
    path = DIRECTORY / f"{name}.{number}.data"
    path.write_bytes(packets.make(name, 3000 + number))
    return path


def arrived(path):
    there = DATA_IN / path.name
    assert wait_for(there.exists), f"{path.name} did not arrive\n{last_words()}"
    assert there.read_bytes() == path.read_bytes()
    there.unlink()


def deliver(client):
    path = packet()
    done = client.scp(path)
    assert done.returncode == 0, f"{done.stderr}\n{last_words()}"
    arrived(path)
    return path


class HalfADelivery:
    """A packet by the old scp, of which the first half was sent."""

    def __init__(self, client):
        self.path = packet()
        self.content = self.path.read_bytes()
        self.process = subprocess.Popen([str(a) for a in client.ssh_argv(client.target, f"scp -t {DATA_IN}")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        assert self.process.stdout.read(1) == b"\0"
        self.process.stdin.write(f"C0644 {len(self.content)} {self.path.name}\n".encode())
        assert self.process.stdout.read(1) == b"\0"
        self.process.stdin.write(self.content[:1000])

    def finish(self):
        """Was it taken?"""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(self.content[1000:] + b"\0")
        said = self.process.stdout.read(1)
        self.process.communicate(timeout=60)
        assert (said == b"\0") == (self.process.returncode == 0) == (DATA_IN / self.path.name).exists()
        if said == b"\0":
            arrived(self.path)
        return said == b"\0"


@contextlib.contextmanager
def drop_in(unit, text):
    """Lines that go after those of the unit, for the time of the block."""
    path = pathlib.Path(f"/run/systemd/system/{unit}.d/units-test.conf")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    systemctl("daemon-reload")
    try:
        yield
    finally:
        shutil.rmtree(path.parent)
        systemctl("daemon-reload")


@contextlib.contextmanager
def edited(path, change):
    before = path.read_text()
    path.write_text(change(before))
    try:
        yield
    finally:
        path.write_text(before)


def runs_something():
    uid = pwd.getpwnam("pandora").pw_uid
    return [p for p in pathlib.Path("/proc").glob("[0-9]*") if (p / "comm").exists() and p.stat().st_uid == uid and
            (p / "comm").read_text() != "sweep\n"]


def forget_deliveries():
    """What keys and deliveries leave: not setup's to take away."""
    assert wait_for(lambda: not runs_something())
    for path in STATE.iterdir():
        if path.name not in ("setup", "home", "revoked_keys"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if (STATE / "revoked_keys").exists():
        (STATE / "revoked_keys").write_text("")


# --- the story: an sshd of its own -------------------------------------------------------------------------------------

class Seen:
    """What later steps need of earlier ones."""
    before: dict
    agent: copy_id.AgentMachine
    client: Client
    password: str


def step_a_bare_machine():
    Seen.before = snapshot()
    is_active("ssh.service")
    is_gone(SSHD, ENROL, FTP, SWEEP, QUARANTINE_UNIT, TIMER)
    answers(22)


def step_setup_starts_an_sshd_of_its_own():
    pid = main_pid("ssh.service")
    text = gate("setup", "--own-port", PORT, "--agents", "300", "--apply")
    assert "systemctl restart pandora-gate-sshd.service" in text
    answers(PORT)
    is_active(SSHD, ENROL, "ssh.service")
    for unit in (SSHD, ENROL):
        assert systemctl("is-enabled", unit).strip() == "enabled"
    # The administrators' sshd has read what denies the account, and was not ended for it.
    assert main_pid("ssh.service") == pid and "Reloaded ssh.service" in last_words()


def step_a_code_lets_a_key_in():
    agent = copy_id.AgentMachine(World())
    code = json.loads(gate("enrol", "code", "--json", "--agent", "web01"))["codes"][0]["code"]
    done = agent.copy_id(code)
    assert done.returncode == 0 and copy_id.ADDED in done.stdout + done.stderr, f"{done}\n{last_words()}"
    Seen.client = agent.client()
    Seen.agent = agent
    _, entry = only(events("enrol.accepted"))
    said_by(entry, ENROL, GATE)
    assert entry["_UID"] == "0"


def step_a_packet_arrives_and_the_journal_knows_who_says_so():
    path = deliver(Seen.client)
    _, entry = only(events("drop.accepted", file=path.name))
    said_by(entry, SSHD, LIBEXEC / "drop")
    assert entry["_UID"] == run("id", "-u", "pandora").stdout.strip()
    # One that is still there has them for certain.
    half = HalfADelivery(Seen.client)
    _, entry = events("session.opened")[-1]
    assert (entry["_SYSTEMD_UNIT"], entry["_EXE"]) == (SSHD, "/usr/sbin/sshd")
    assert half.finish()
    # The control: what a stranger writes has his own uid.
    run("setpriv", "--reuid=nobody", "--clear-groups", "logger", "-t", "pandora-gate", '{"event":"forged"}')
    _, entry = only(events("forged"))
    assert entry["_UID"] == run("id", "-u", "nobody").stdout.strip() and entry.get("_EXE") != str(LIBEXEC / "drop")
    refused = Client(type("At22", (), {"port": 22}), "pandora", Seen.agent.key).scp(packet())
    assert refused.returncode != 0 and "Permission denied" in refused.stderr


def step_an_agent_renews_its_key():
    with edited(GATE_TOML, lambda text: text + '\n[keys]\nrotation = "auto"\n' if "[keys]" not in text else
                text.replace("[keys]", '[keys]\nrotation = "auto"', 1)):
        gate("publish")
        new = Seen.agent.new_key("new")
        done = Seen.client.ssh("rotate", input=Seen.agent.public(new))
        assert done.returncode == 0, f"{done}\n{last_words()}"
        said_by(events("rotation.accepted")[0][1], ENROL, GATE)
    gate("publish")
    Seen.client = Seen.agent.client(new)
    deliver(Seen.client)


def step_a_reload_reads_the_configuration_and_ends_nothing():
    old, pid = banner(PORT), main_pid(SSHD)
    half = HalfADelivery(Seen.client)
    with edited(OWN_CONFIG, lambda text: "VersionAddendum of-the-reload\n" + text):
        systemctl("reload", SSHD)
        assert wait_for(lambda: answers(PORT) == f"{old} of-the-reload") and main_pid(SSHD) == pid
        assert half.finish()
    systemctl("reload", SSHD)
    assert wait_for(lambda: answers(PORT) == old)


def step_a_restart_ends_no_delivery():
    half, pid = HalfADelivery(Seen.client), main_pid(SSHD)
    systemctl("restart", SSHD)
    answers(PORT)
    assert main_pid(SSHD) != pid
    deliver(Seen.client)
    assert half.finish()
    # The control: as systemd does it unless it is told otherwise.
    with drop_in(SSHD, "[Service]\nKillMode=control-group\n"):
        half = HalfADelivery(Seen.client)
        systemctl("restart", SSHD)
        assert not half.finish()
    answers(PORT)


def step_restarts_are_not_counted():
    """As setup does that is run again and again; systemd's own limit is five in ten seconds."""
    for unit in (SSHD, ENROL):
        for _ in range(6):
            systemctl("restart", unit)
    answers(PORT)
    is_active(SSHD, ENROL)


def step_a_login_of_before_a_restart_goes_on():
    """One connection, another session of it after the restart: all that a session needs is still there."""
    control = DIRECTORY / "control"
    master = Client(World.sshd, "pandora", Seen.client.key, options=["-o", f"ControlPath={control}", "-o", "ControlMaster=auto",
                                                                      "-o", "ControlPersist=60"])
    path = packet()
    assert master.scp(path).returncode == 0
    arrived(path)
    assert control.exists()
    try:
        systemctl("restart", SSHD)
        answers(PORT)
        path = packet()
        done = master.scp(path)
        assert done.returncode == 0, f"{done.stderr}\n{last_words()}"
        arrived(path)
    finally:
        master.ssh(options=["-O", "exit"])


def step_an_sshd_that_was_killed_comes_again():
    half = HalfADelivery(Seen.client)
    pid = kill_hard(SSHD)
    assert wait_for(lambda: main_pid(SSHD) not in (0, pid)), last_words()
    answers(PORT)
    deliver(Seen.client)
    assert half.finish()


def step_a_broken_configuration():
    """A reload keeps the old one; a restart fails and says why; when it is mended, the gate comes again by itself."""
    pid = main_pid(SSHD)
    with edited(OWN_CONFIG, lambda text: "NoSuchKeyword yes\n" + text):
        systemctl("reload", SSHD, status=1)
        assert main_pid(SSHD) == pid
        deliver(Seen.client)
        systemctl("restart", SSHD, status=1)
        assert "NoSuchKeyword" in last_words()
        assert main_pid(SSHD) == 0
    assert wait_for(lambda: main_pid(SSHD) != 0), last_words()
    answers(PORT)
    deliver(Seen.client)


def step_the_enrolment_service_that_was_killed_comes_again():
    pid = kill_hard(ENROL)
    assert wait_for(lambda: main_pid(ENROL) not in (0, pid)), last_words()
    code = json.loads(gate("enrol", "code", "--json", "--agent", "web02"))["codes"][0]["code"]
    done = copy_id.AgentMachine(World()).copy_id(code)
    assert copy_id.ADDED in done.stdout + done.stderr, f"{done}\n{last_words()}"


def step_the_doctor_finds_nothing():
    done = run(GATE, "doctor", check=False)
    assert done.returncode == 0, done.stdout


# --- the story: FTP ----------------------------------------------------------------------------------------------------

def host():
    return pathlib.Path("/etc/hostname").read_text().strip()


def upload(path, password=None):
    return run("curl", "-sS", "--ssl-reqd", "--cacert", "/etc/pandora-gate/ftp-ca.pem", "--resolve", f"{host()}:21:127.0.0.1",
               "-u", f"site1:{password or Seen.password}", "-T", path, f"ftp://{host()}/", check=False)


def step_setup_starts_ftp():
    text = gate("setup", "ftp", "--user", "site1", "--apply")
    Seen.password = re.search(r"the password of site1, shown this once: (\S+)", text)[1]
    gate("keys", "add", "--ftp", "site1", "--agent", "web01")
    gate("publish")
    # What setup says is left to do.
    commands = re.findall(r"`(systemctl\s[^`]+)`", text)
    assert len(commands) == 1, text
    run(*commands[0].split())
    is_active(FTP)
    assert wait_for(lambda: show(SWEEP, "ActiveState") == "active"), last_words()
    for unit in (FTP, SWEEP):
        assert systemctl("is-enabled", unit).strip() == "enabled"


def step_an_upload_arrives_through_the_sweep():
    wtmp = pathlib.Path("/var/log/wtmp")
    before = wtmp.stat().st_size
    path = packet()
    done = upload(path)
    assert done.returncode == 0, f"{done.stderr}\n{last_words()}"
    arrived(path)
    _, entry = only(events("drop.accepted", file=path.name))
    said_by(entry, SWEEP, LIBEXEC / "sweep")
    assert entry["_UID"] == run("id", "-u", "pandora").stdout.strip()
    said_by(only(events("session.opened", service="pandora-ftp"))[1], FTP, "/usr/sbin/vsftpd")
    assert events("session.closed", service="pandora-ftp")
    assert wtmp.stat().st_size == before
    assert upload(packet(), "wrong").returncode == 67


def step_the_servers_of_ftp_come_again():
    for unit in (FTP, SWEEP):
        kill_hard(unit)
    path = packet()
    assert wait_for(lambda: upload(path).returncode == 0), last_words()
    assert wait_for((DATA_IN / path.name).exists)
    arrived(path)


def step_the_quarantine_is_purged_by_its_unit():
    for name in (QUARANTINE_UNIT, TIMER):
        shutil.copy(SHIPPED / name, UNITS)
    systemctl("daemon-reload")
    systemctl("enable", "--now", TIMER)
    is_active(TIMER)
    assert TIMER in systemctl("list-timers")
    path = DIRECTORY / "web01.900.data"
    path.write_bytes(b'<?xml version="1.0"?><!DOCTYPE x><agent_data agent_name="web01"></agent_data>')
    assert Seen.client.scp(path).returncode == 0

    def kept():
        return [p for p in QUARANTINE.iterdir() if p.is_file() and p.read_bytes() == path.read_bytes()]
    assert wait_for(kept)
    systemctl("start", QUARANTINE_UNIT)
    assert kept() and show(QUARANTINE_UNIT, "Result") == "success"         # it is young
    os.utime(kept()[0], (time.time() - 31 * 24 * 3600,) * 2)
    systemctl("start", QUARANTINE_UNIT)
    assert not kept() and show(QUARANTINE_UNIT, "Result") == "success"
    said_by(only(events("quarantine.purged"))[1], QUARANTINE_UNIT, GATE)
    systemctl("disable", "--now", TIMER)
    for name in (QUARANTINE_UNIT, TIMER):
        (UNITS / name).unlink()
    systemctl("daemon-reload")
    systemctl("reset-failed")


def step_the_doctor_finds_nothing_of_ftp():
    step_the_doctor_finds_nothing()


# --- the story: what is shut -------------------------------------------------------------------------------------------

PROBE = pathlib.Path("/usr/local/lib/units-test-probe")
PROBE_TEXT = r'''#!/usr/bin/python3
import json, mmap, os, resource, socket, subprocess

def works(what):
    try:
        what()
        return True
    except OSError:
        return False

def writes(path):
    def write():
        with open(path, "ab"):
            pass
    return works(write)

def entry(directory):
    path = directory + "/units-test-written"
    if not works(lambda: os.mkdir(path)):
        return False
    os.rmdir(path)
    return True

status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "no_new_privileges": status["NoNewPrivs"].strip() == "1",
    "capabilities": int(status["CapBnd"], 16),
    "inet": works(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
    "packet": works(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "network": os.readlink("/proc/self/ns/net"),
    "device": os.path.exists("/dev/loop0"),
    "log": os.path.exists("/dev/log"),
    "tmp": os.path.exists("/tmp/units-test-mark"),
    "home": works(lambda: os.listdir("/root/units-test")),
    "usr": entry("/usr"), "etc": entry("/etc"), "var": entry("/var"), "uploads": entry("/var/spool/pandora/ftp"),
    "run": entry("/run"), "data_in": entry("/var/spool/pandora/data_in"),
    "tunables": writes("/proc/sys/net/ipv4/ip_forward"),
    "cgroups": entry("/sys/fs/cgroup"),
    "namespaces": subprocess.run(["/usr/bin/unshare", "--net", "/bin/true"], capture_output=True).returncode == 0,
    "executable_memory": works(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)),
    "core": resource.getrlimit(resource.RLIMIT_CORE)[1] != 0,
    "file_size": resource.getrlimit(resource.RLIMIT_FSIZE)[0],
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
}))
'''
# Of what a process of root's can do on the machine (all of it: the control), what each unit leaves.
OPEN = {"inet", "packet", "device", "log", "tmp", "home", "usr", "etc", "var", "uploads", "run", "data_in", "tunables", "cgroups",
        "namespaces", "executable_memory", "core"}
LEFT = {
    SSHD: OPEN - {"usr", "etc", "core"},
    ENROL: {"log", "home", "var", "uploads", "run", "data_in"},
    FTP: {"inet", "log", "uploads", "namespaces"},
    SWEEP: {"log", "home", "etc", "var", "run", "executable_memory", "uploads"},
    QUARANTINE_UNIT: {"log", "home", "var", "run", "data_in", "uploads"},
}
CAPABILITIES = {
    ENROL: "chown dac_override dac_read_search fowner sys_ptrace",
    FTP: "setuid setgid sys_chroot net_bind_service dac_read_search audit_write kill sys_admin",
    SWEEP: "setuid setgid",
    QUARANTINE_UNIT: "chown dac_override dac_read_search fowner",
}


def probed(name, lines):
    """What a process can do that runs with these lines of a [Service]."""
    unit = f"units-test-{name}"
    path = pathlib.Path("/run/systemd/system", unit)
    path.write_text("\n".join(["[Service]", *lines, "Type=oneshot", f"ExecStart={PROBE}"]) + "\n")
    systemctl("daemon-reload")
    systemctl("start", unit)
    run("journalctl", "--sync")
    said = [line for line in run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout.splitlines() if line.startswith("{")]
    path.unlink()
    systemctl("daemon-reload")
    return json.loads(said[-1])


def lines_of(unit):
    service = (SHIPPED / unit).read_text().partition("[Service]\n")[2].partition("\n[")[0]
    return [line for line in service.splitlines() if not re.match(r"Exec|Type|Restart|RuntimeDirectory|KillMode|#", line)]


def most_files():
    """What systemd can give where the machine has taken CAP_SYS_RESOURCE from it."""
    init = pathlib.Path("/proc/1")
    mask = int(re.search(r"^CapEff:\s*(\w+)", (init / "status").read_text(), re.M)[1], 16)
    return 1 << 30 if mask >> 24 & 1 else int(re.search(r"^Max open files +\S+ +(\d+)", (init / "limits").read_text(), re.M)[1])


def step_what_the_units_shut_is_shut():
    PROBE.write_text(PROBE_TEXT)
    PROBE.chmod(0o755)
    mark = pathlib.Path("/tmp/units-test-mark")
    mark.touch()
    try:
        free = probed("free.service", [])
        assert {name for name in OPEN if free[name]} == OPEN, free
        assert not free["no_new_privileges"] and free["network"] == os.readlink("/proc/1/ns/net")
        for unit, left in LEFT.items():
            said = probed(unit, lines_of(unit))
            assert {name for name in OPEN if said[name]} == left, (unit, said)
            assert said["no_new_privileges"] == (unit != SSHD), unit
            assert (said["network"] == free["network"]) == (unit in (SSHD, FTP)), unit
            wanted = CAPABILITIES.get(unit)
            names = ",".join("cap_" + name for name in wanted.split()) if wanted else None
            had = run("capsh", f"--decode={said['capabilities']:016x}").stdout.strip().partition("=")[2]
            assert unit == SSHD and said["capabilities"] == free["capabilities"] or set(had.split(",")) == set(names.split(",")), (unit, had)
            assert said["file_size"] == (64 << 20 if unit == FTP else free["file_size"])
            assert said["files"] == (min(65536, most_files()) if unit == SSHD else free["files"])
    finally:
        PROBE.unlink()
        mark.unlink()


def step_the_services_themselves_are_shut():
    """The same of the processes that run."""
    pids = {unit: main_pid(unit) for unit in (SSHD, ENROL, FTP, SWEEP)}
    machine = os.readlink("/proc/1/ns/net")
    for unit, pid in pids.items():
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        private = unit in (ENROL, SWEEP)
        assert status["NoNewPrivs"].strip() == ("0" if unit == SSHD else "1"), unit
        assert status["Seccomp"].strip() == ("0" if unit == SSHD else "2"), unit
        assert (os.readlink(f"/proc/{pid}/ns/net") != machine) == private, unit
        tried = run("nsenter", "-t", pid, "--mount", "mkdir", "/usr/units-test", check=False)
        assert tried.returncode != 0 and "Read-only file system" in tried.stderr, (unit, tried)
    run("mkdir", "/usr/units-test")
    run("rmdir", "/usr/units-test")


def step_systemd_has_nothing_to_say():
    units = sorted(SHIPPED.glob("*.*"))
    assert len(units) == 6
    done = run("systemd-analyze", "verify", "--man=no", *units, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wrong = DIRECTORY / "pandora-gate-wrong.service"
    wrong.write_text((SHIPPED / SSHD).read_text().replace("KillMode=process", "KillMode=nobody"))
    said = run("systemd-analyze", "verify", "--man=no", wrong, check=False).stderr
    assert "kill mode" in said.lower(), said


# --- the story: the end, and the other form ----------------------------------------------------------------------------

def step_remove_leaves_nothing():
    """With everything running; the sweep is held, or it would make its directories again while they are taken away (what
    was used holds something, and setup leaves it)."""
    pid = main_pid(SWEEP)
    assert pid > 1
    os.kill(pid, signal.SIGSTOP)
    passes = pathlib.Path("/sys/fs/cgroup", show(SWEEP, "ControlGroup").strip("/"), "cgroup.procs")
    assert wait_for(lambda: passes.read_text().split() == [str(pid)])
    for path in (SPOOL / "ftp", SPOOL / "staging/sweep"):
        shutil.rmtree(path)
    forget_deliveries()
    pid = main_pid("ssh.service")
    gate("setup", "--remove")
    is_gone(SSHD, ENROL, FTP, SWEEP)
    assert main_pid("ssh.service") == pid
    assert systemctl("list-units", "--failed", "--plain", "--no-legend").strip() == ""
    lines = fingerprint.differences(Seen.before, snapshot())
    assert lines == [], "\n".join(lines)


def step_a_part_of_the_machines_sshd():
    RSYSLOGD_ASIDE.rename(RSYSLOGD)
    systemctl("start", "rsyslog.service")
    Seen.before = snapshot()
    pid = main_pid("ssh.service")
    gate("setup", "--apply")
    is_active(ENROL, "ssh.service")
    is_gone(SSHD)
    assert main_pid("ssh.service") == pid
    at_22 = World()
    at_22.sshd = type("Where", (), {"port": 22})
    agent = copy_id.AgentMachine(at_22)
    code = json.loads(gate("enrol", "code", "--json", "--agent", "web01"))["codes"][0]["code"]
    done = agent.copy_id(code)
    assert copy_id.ADDED in done.stdout + done.stderr, f"{done}\n{last_words()}"
    Seen.client = agent.client()
    path = deliver(Seen.client)
    said_by(only(events("drop.accepted", file=path.name))[1], "ssh.service", LIBEXEC / "drop")
    # rsyslog has it from the journal, and was told of its rule by setup.
    assert wait_for(lambda: AUDIT.exists() and f'"file":"{path.name}"' in AUDIT.read_text()), last_words()
    half = HalfADelivery(Seen.client)
    systemctl("restart", "ssh.service")
    answers(22)
    assert half.finish()


def step_the_doctor_finds_nothing_of_the_machines_sshd():
    step_the_doctor_finds_nothing()


def step_remove_leaves_nothing_of_the_other_form():
    forget_deliveries()
    gate("setup", "--remove")
    is_gone(ENROL)
    lines = fingerprint.differences(Seen.before, snapshot())
    assert lines == [], "\n".join(lines)


def step_an_sshd_that_is_off_stays_off():
    """Setup and its removal reload the administrators' sshd; they do not start it."""
    systemctl("stop", "ssh.service")
    try:
        for command in (("--own-port", PORT, "--apply"), ("--remove",)):
            gate("setup", *command)
            assert show("ssh.service", "ActiveState") == "inactive", command
    finally:
        systemctl("start", "ssh.service")


STEPS = {name.removeprefix("step_"): function for name, function in list(globals().items()) if name.startswith("step_")}


def tell(out):
    seen = {}
    for name, step in STEPS.items():
        begun = time.monotonic()
        try:
            step()
            seen[name] = None
        except Exception:
            seen[name] = traceback.format_exc()
        pathlib.Path(out).write_text(json.dumps(seen))
        print(f"{name}: {time.monotonic() - begun:.1f} s{'' if seen[name] is None else ' FAILED'}", flush=True)


def boot(out):
    import systemd
    begun = time.monotonic()
    make_bare()
    made = time.monotonic()
    with systemd.booted(wants=["ssh.service"]) as machine:
        print(f"bare: {made - begun:.1f} s, booted: {time.monotonic() - made:.1f} s", flush=True)
        subprocess.run([str(a) for a in machine.argv("/usr/bin/python3", "-B", __file__, "--inside", out)], stdin=subprocess.DEVNULL,
                       check=True)


if __name__ == "__main__":
    if sys.argv[1:2] not in (["--boot"], ["--inside"]) or os.environ.get("PANDORA_GATE_COPY") != "1":
        sys.exit("this is run by pytest, in a copy of the machine")
    (boot if sys.argv[1] == "--boot" else tell)(sys.argv[2])
    sys.exit(0)


# --- the tests -------------------------------------------------------------------------------------------------------

import pytest  # noqa: E402  (the part above needs the standard library only)

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    directory = tmp_path_factory.mktemp("units")
    done = subprocess.run([TREE / "tests/harness/copy.sh", "--out", directory, "--", "/usr/bin/python3", "-B", __file__, "--boot",
                           directory / "seen.json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((directory / "seen.json").read_text())


@pytest.mark.parametrize("step", STEPS)
def test_with_the_real_systemd(seen, step):
    failed = [name for name in STEPS if seen[name] is not None]
    assert seen[step] is None, f"{seen[step]}\nfailed, in this order: {failed}"
