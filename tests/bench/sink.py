"""The sink over a pipe: the same OpenSSH client sends the same packets to drop, and to OpenSSH's own servers.

Only inside a disposable copy of the machine (tests/harness/copy.sh): drop reads the keyring at its own path.
"""

import itertools
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from row import Row, run

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "harness"))

import packets  # noqa: E402

ACCOUNT = "pandora"
DROP = "/usr/libexec/pandora-gate/drop"
SPOOL = pathlib.Path("/var/spool/pandora")
DATA_IN, STAGING, PEER = SPOOL / "data_in", SPOOL / "staging", SPOOL / "peer"
SFTP_SERVER = os.environ.get("SFTP_SERVER", "/usr/lib/openssh/sftp-server")
FILES, SIZE = 2000, 7000        # packets of one session, bytes of each
ROUNDS = 9                      # of each side, taking turns
STARTS = 500                    # of each server, for the first byte
SFTP_INIT = bytes([0, 0, 0, 5, 1, 0, 0, 0, 3])
LARGE = 2_000_000               # bytes: max_file_size
AGENT = "bench-agent"


def write(path, text, mode):
    path.write_text(text)
    path.chmod(mode)
    return path


def make_volume(directory, on_disk):
    """ext4, as most servers have it: the overlay that the copy's / is has costs of its own. The file goes with the mount."""
    image = directory / "volume"
    image.unlink(missing_ok=True)
    try:
        # On a disk with all its blocks: finding them is not what is measured.
        run(*(("fallocate", "-l") if on_disk else ("truncate", "-s")), "1G", image)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        SPOOL.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", "loop", image, SPOOL)
    finally:
        image.unlink(missing_ok=True)


def write_settings(durability):
    """The one place where a benchmark writes gate.toml."""
    # More packets of one key in 5 minutes than the defaults let in.
    write(pathlib.Path("/etc/pandora-gate/gate.toml"),
          f'[spool]\ndurability = "{durability}"\n\n[quota]\nfiles = 100000\nbytes = "100 GB"\n', 0o644)


def install(build, work, durability, keys=1, agents=(AGENT,), disk=None):
    """The program, its account, a volume (in `disk`, else in memory) and a keyring; gives the keys' files for
    SSH_USER_AUTH."""
    make_volume(disk or work, disk is not None)
    run("make", "-C", TREE, f"BUILD={build}", "install")
    if subprocess.run(["id", ACCOUNT], capture_output=True).returncode != 0:
        run("useradd", "--system", "--user-group", "--no-create-home", "--shell", DROP, ACCOUNT)
    for directory in (DATA_IN, STAGING, PEER):
        run("install", "-d", "-o", ACCOUNT, "-g", ACCOUNT, "-m", "0770", directory)
    write_settings(durability)
    auth = [add_key(work, f"{durability}-{i}", agents) for i in range(keys)]
    run("pandora-gate", "publish")      # a key that is added leaves the published policy as it is
    return auth


def add_key(work, name, agents):
    key = work / f"key-{name}"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key)
    run("pandora-gate", "keys", "add", f"{key}.pub", *(word for agent in agents for word in ("--agent", agent)))
    kind, blob = pathlib.Path(f"{key}.pub").read_text().split()[:2]
    auth = write(work / f"auth-{name}", f"publickey {kind} {blob}\n", 0o600)
    shutil.chown(auth, ACCOUNT, ACCOUNT)
    return auth


SERIALS = itertools.count(1_700_000_000)


def renumber(paths):
    """Names that were never sent, in place: a packet that comes again is a resend, and no new file."""
    for i, path in enumerate(paths):
        paths[i] = str(pathlib.Path(path).with_name(f"{AGENT}.{next(SERIALS)}.data"))
        os.rename(path, paths[i])


def forget():
    """The hour in which drops are remembered is over: a session has its own packets to remember, as many as the default
    quota lets in, and not those of all the rounds before."""
    for path in pathlib.Path("/var/lib/pandora-gate/state").glob("k-*"):
        path.unlink()


def session(mode, program, packets_sent, directory, watch=None):
    """Seconds of one session, checked: every packet is there afterwards, and taken away again."""
    renumber(packets_sent)
    forget()
    start = time.monotonic()
    client = subprocess.Popen(["scp", "-q", mode, "-S", str(program), *packets_sent, f"x@y:{directory}/"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while watch and client.poll() is None:
        watch()
    said = client.communicate()[1]
    seconds = time.monotonic() - start
    arrived = {p.name: p.stat().st_size for p in directory.glob("*.data")}
    if client.returncode != 0 or arrived != {pathlib.Path(p).name: os.stat(p).st_size for p in packets_sent}:
        raise RuntimeError(f"{program}: status {client.returncode}, {len(arrived)} of {len(packets_sent)} packets\n{said}")
    for packet in directory.glob("*.data"):
        packet.unlink()
    return seconds


def cpu_of(path):
    """Seconds of processor time that the servers of the sessions so far have used; they wrote it down themselves."""
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return [float(line) for line in text.split()]


def compare(mode, ours, peer, packets_sent, cpu):
    """files/s of both, and microseconds of the server's processor time a file."""
    sides = ((ours, DATA_IN), (peer, PEER))
    seconds, used = {ours: [], peer: []}, {ours: [], peer: []}
    for program, directory in sides:
        session(mode, program, packets_sent, directory)        # not counted
        cpu_of(cpu)
    for _ in range(ROUNDS):
        for program, directory in sides:
            seconds[program].append(session(mode, program, packets_sent, directory))
            used[program] += cpu_of(cpu)
    rates = [len(packets_sent) / statistics.median(seconds[p]) for p in (ours, peer)]
    return rates, [statistics.median(used[p]) / len(packets_sent) * 1e6 for p in (ours, peer)]


class Memory:
    """The most that the processes of a program held at a time: the sum of their Pss, and of the memfds that are theirs."""

    def __init__(self, program):
        self.program, self.peak = str(program), 0

    def __call__(self):
        total, memories = 0, {}
        for path in pathlib.Path("/proc").iterdir():
            if not path.name.isdigit():
                continue
            try:
                if os.readlink(path / "exe") != self.program:
                    continue
                total += next(int(l.split()[1]) * 1024 for l in (path / "smaps_rollup").read_text().splitlines()
                              if l.startswith("Pss:"))
                for fd in (path / "fd").iterdir():
                    if os.readlink(fd).startswith("/memfd:"):
                        st = os.stat(fd)
                        memories[st.st_ino] = st.st_blocks * 512
            except OSError:             # it has just ended
                continue
        self.peak = max(self.peak, total + sum(memories.values()))


def high_water_mark(peer, packets_sent):
    """VmHWM of sftp-server while the same packets pass, bytes."""
    most = 0

    def watch():
        nonlocal most
        for path in pathlib.Path("/proc").iterdir():
            try:
                if path.name.isdigit() and os.readlink(path / "exe") == SFTP_SERVER:
                    text = (path / "status").read_text()
                    most = max(most, next(int(l.split()[1]) * 1024 for l in text.splitlines() if l.startswith("VmHWM")))
            except (OSError, StopIteration):
                continue
    session("-s", peer, packets_sent, PEER, watch)
    return most


def flood(program):
    """A client that opens all it may, writes as much as it may to each, and leaves: nothing of it is ever published."""
    def packet(kind, body):
        return (len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body

    def text(value):
        return len(value).to_bytes(4, "big") + value
    ids = iter(range(1, 1_000_000))
    sent = [SFTP_INIT]
    for n in range(20):
        sent.append(packet(3, next(ids).to_bytes(4, "big") + text(f"{AGENT}.{n}.data".encode()) + (0x1a).to_bytes(4, "big") + bytes(4)))
    for offset in range(0, 3_000_000, 200_000):
        for handle in range(8):
            sent.append(packet(6, next(ids).to_bytes(4, "big") + text(handle.to_bytes(4, "big")) + offset.to_bytes(8, "big") +
                               text(b"x" * 200_000)))
    return subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL), b"".join(sent)


def measure_memory(ours, peer, files, work):
    memory = Memory(DROP)
    session("-s", ours, files, DATA_IN, memory)
    large = work / "out" / f"{AGENT}.9.data"
    large.write_bytes(packets.make(AGENT, LARGE))
    session("-s", ours, [str(large)], DATA_IN, memory)
    server, sent = flood(ours)
    feeder = threading.Thread(target=lambda: feed(server, sent), daemon=True)
    feeder.start()
    reader = threading.Thread(target=server.stdout.read, daemon=True)
    reader.start()
    while server.poll() is None:
        memory()
    if list(DATA_IN.glob("*.data")):
        raise RuntimeError("the flood has published a file")
    allowed = high_water_mark(peer, files) + 2_000_000 + LARGE
    return Row("sink.memory", memory.peak / 1e6, allowed / 1e6, "MB", 1.0,
               "VmHWM of sftp-server + 2 MB + max_file_size; ours is Pss of both processes + memfds, also under a flood")


def feed(server, sent):
    try:
        server.stdin.write(sent)
        server.stdin.close()
    except BrokenPipeError:
        pass


def measure_first_byte(build, ours_environment, work):
    """From exec to the first byte of the answer to SFTP's INIT."""
    (work / "init").write_bytes(SFTP_INIT)
    loop = shutil.copy(build / "tests/bench/spawn_loop", work)
    done = run("env", "-i", *ours_environment, "setpriv", "--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups", loop,
               "--input", work / "init", STARTS, DROP, "-c", DROP, "---", SFTP_SERVER)
    ours, peer = (float(line.split(" ", 1)[0]) for line in done.splitlines() if line)
    return Row("sink.first_byte", ours, peer, "us", 2.5, "sftp-server: exec to the first byte after INIT")


def measure(build):
    if os.environ.get("PANDORA_GATE_COPY") != "1":
        raise RuntimeError("the sink is measured in a disposable copy of the machine only")
    version = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.split(",")[0].split()[0]
    with tempfile.TemporaryDirectory(prefix="gate-bench.") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)
        auth = install(build, work, "none")[0]
        (work / "out").mkdir()
        files = []
        for i in range(FILES):
            files.append(str(work / "out" / f"{AGENT}.{i}.data"))
            pathlib.Path(files[-1]).write_bytes(packets.make(AGENT, SIZE))

        cpu = work / "cpu"
        environment = [f"SSH_USER_AUTH={auth}", "SSH_CONNECTION=127.0.0.1 40000 127.0.0.1 22"]

        def server(name, command, *given):
            timed = f"{build}/tests/bench/cpu_of {cpu}"
            words = " ".join(f'"{g}"' for g in given)
            become = f"setpriv --reuid {ACCOUNT} --regid {ACCOUNT} --init-groups"
            return write(work / name, f"#!/bin/sh\nexec {timed} env -i {words} {become} {command}\n", 0o755)

        def drop(name, command):
            return server(name, f"{DROP} -c {DROP}", f"SSH_ORIGINAL_COMMAND={command}", *environment)

        ours_sftp, peer_sftp = drop("ours-sftp", SFTP_SERVER), server("peer-sftp", SFTP_SERVER)
        scp, scp_cpu = compare("-O", drop("ours-scp", f"scp -t {DATA_IN}/"), server("peer-scp", f"scp -t {PEER}/"), files, cpu)
        sftp, sftp_cpu = compare("-s", ours_sftp, peer_sftp, files, cpu)
        first_byte = measure_first_byte(build, [f"SSH_ORIGINAL_COMMAND={SFTP_SERVER}", *environment], work)
        memory = measure_memory(ours_sftp, peer_sftp, files, work)
    run("umount", SPOOL)
    return [
        Row("sink.scp_pipe", *scp, "files/s", 0.8, f"`scp -t` of {version}"),
        Row("sink.scp_cpu", *scp_cpu, "us", None, "the same: processor time of the server a file"),
        Row("sink.sftp_pipe", *sftp, "files/s", 0.9, f"sftp-server of {version}"),
        Row("sink.sftp_cpu", *sftp_cpu, "us", None, "the same: processor time of the server a file"),
        first_byte,
        memory,
    ]
