"""The sink over a pipe: the same OpenSSH client sends the same packets to drop, and to OpenSSH's own servers.

Only inside a disposable copy of the machine (tests/harness/copy.sh): drop reads the keyring at its own path.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from row import Row

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "harness"))

import packets  # noqa: E402

ACCOUNT = "pandora"
DROP = "/usr/libexec/pandora-gate/drop"
SPOOL = pathlib.Path("/var/spool/pandora")
DATA_IN, STAGING, PEER = SPOOL / "data_in", SPOOL / "staging", SPOOL / "peer"
SFTP_SERVER = os.environ.get("SFTP_SERVER", "/usr/lib/openssh/sftp-server")
FILES, SIZE = 500, 7000         # packets of one session, bytes of each
ROUNDS = 9                      # of each side, taking turns
AGENT = "bench-agent"


def run(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{argv}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def write(path, text, mode):
    path.write_text(text)
    path.chmod(mode)
    return path


def make_volume(work):
    """ext4, as most servers have it, in a file that lies in memory: the overlay that the copy's / is has costs of its own."""
    image = work / "volume"
    run("truncate", "-s", "1G", image)
    run("mkfs.ext4", "-q", image)
    SPOOL.mkdir(parents=True, exist_ok=True)
    run("mount", "-o", "loop", image, SPOOL)


def install(build, work):
    """The program, its account, a keyring with one key and durability none; gives the key's line of SSH_USER_AUTH."""
    make_volume(work)
    run("make", "-C", TREE, f"BUILD={build}", "install")
    if subprocess.run(["id", ACCOUNT], capture_output=True).returncode != 0:
        run("useradd", "--system", "--user-group", "--no-create-home", "--shell", DROP, ACCOUNT)
    for directory in (DATA_IN, STAGING, PEER):
        run("install", "-d", "-o", ACCOUNT, "-g", ACCOUNT, "-m", "0770", directory)
    write(pathlib.Path("/etc/pandora-gate/gate.toml"), '[spool]\ndurability = "none"\n', 0o644)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", work / "key")
    run("pandora-gate", "keys", "add", work / "key.pub", "--agent", AGENT)
    kind, blob = (work / "key.pub").read_text().split()[:2]
    auth = write(work / "auth", f"publickey {kind} {blob}\n", 0o600)
    shutil.chown(auth, ACCOUNT, ACCOUNT)
    return auth


def wrapper(path, command, environment=""):
    """What scp starts in place of ssh: the server, as the account, in the environment that sshd gives it."""
    become = f"setpriv --reuid {ACCOUNT} --regid {ACCOUNT} --init-groups"
    return write(path, f"#!/bin/sh\nexec env -i {environment} {become} {command}\n", 0o755)


def session(mode, program, packets_sent, directory):
    """Seconds of one session, checked: every packet is there afterwards, and taken away again."""
    start = time.monotonic()
    done = subprocess.run(["scp", "-q", mode, "-S", str(program), *packets_sent, f"x@y:{directory}/"], capture_output=True,
                          text=True)
    seconds = time.monotonic() - start
    arrived = list(directory.glob("*.data"))
    if done.returncode != 0 or len(arrived) != len(packets_sent) or any(p.stat().st_size != SIZE for p in arrived):
        raise RuntimeError(f"{program}: status {done.returncode}, {len(arrived)} of {len(packets_sent)} packets\n{done.stderr}")
    for packet in arrived:
        packet.unlink()
    return seconds


def compare(mode, ours, peer, packets_sent):
    seconds = {ours: [], peer: []}
    for program, directory in ((ours, DATA_IN), (peer, PEER)):
        session(mode, program, packets_sent, directory)        # not counted
    for _ in range(ROUNDS):
        for program, directory in ((ours, DATA_IN), (peer, PEER)):
            seconds[program].append(session(mode, program, packets_sent, directory))
    return tuple(len(packets_sent) / statistics.median(seconds[p]) for p in (ours, peer))


def measure(build):
    if os.environ.get("PANDORA_GATE_COPY") != "1":
        raise RuntimeError("the sink is measured in a disposable copy of the machine only")
    version = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.split(",")[0].split()[0]
    with tempfile.TemporaryDirectory(prefix="gate-bench.") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)
        auth = install(build, work)
        (work / "out").mkdir()
        files = []
        for i in range(FILES):
            files.append(str(work / "out" / f"{AGENT}.{1_700_000_000 + i}.data"))
            pathlib.Path(files[-1]).write_bytes(packets.make(AGENT, SIZE))

        def drop(name, command):
            given = f'SSH_ORIGINAL_COMMAND="{command}" SSH_USER_AUTH={auth} SSH_CONNECTION="127.0.0.1 40000 127.0.0.1 22"'
            return wrapper(work / name, f"{DROP} -c {DROP}", given)

        scp = compare("-O", drop("ours-scp", f"scp -t {DATA_IN}/"), wrapper(work / "peer-scp", f"scp -t {PEER}/"), files)
        sftp = compare("-s", drop("ours-sftp", SFTP_SERVER), wrapper(work / "peer-sftp", SFTP_SERVER), files)
    run("umount", SPOOL)
    return [
        Row("sink.scp_pipe", *scp, "files/s", 0.8, f"`scp -t` of {version}"),
        Row("sink.sftp_pipe", *sftp, "files/s", 0.9, f"sftp-server of {version}"),
    ]
