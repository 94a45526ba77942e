"""A fleet on one clock: clients that all log in at once, each with its packets in one legacy SCP upload, and that send again
later what they were not told is taken, as agents do."""

import os
import re
import subprocess
import time

import packets
from world import DATA_IN

PACKETS = 4                     # of each
SIZE = 3000                     # bytes
TRIES = 5                       # of one client, as an agent that keeps its packets for the next interval
BETWEEN_TRIES = 3               # seconds
# An agent waits; what is measured is not its patience.
OPTIONS = ("-o", "ConnectTimeout=200", "-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=aes128-gcm@openssh.com",
           "-o", "GSSAPIAuthentication=no")


class Agent:
    """One agent: its packets as one legacy SCP upload, sent until it is told that all are taken."""

    def __init__(self, directory, number, client):
        self.name = f"burst-{number}"
        self.packets = {f"{self.name}.{n}.data": packets.make(self.name, SIZE + n) for n in range(PACKETS)}
        self.upload = directory / self.name
        self.upload.write_bytes(b"".join(f"C0644 {len(c)} {n}\n".encode() + c + b"\0" for n, c in self.packets.items()))
        self.argv = client.ssh_argv(f"{client.user}@{client.host}", "scp", "-t", str(DATA_IN))
        self.said = []          # of each try: status, and the last line of its stderr
        self.again_at = 0.0

    def start(self, barrier=None):
        """Now, or when that pipe is closed at its other end."""
        waits = ["/bin/sh", "-c", 'read _ <"$0"; exec "$@"', f"/proc/self/fd/{barrier}"] if barrier else []
        with self.upload.open("rb") as upload:
            self.process = subprocess.Popen([*waits, *self.argv], stdin=upload, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, pass_fds=[barrier] if barrier else [])

    def ended(self):
        """None while it runs; then whether all packets were acknowledged."""
        if self.process.poll() is None:
            return None
        out, err = self.process.communicate()
        done = self.process.returncode == 0 and out == bytes(1 + 2 * PACKETS)
        self.said.append((self.process.returncode, (err.decode(errors="replace").strip().splitlines() or [""])[-1]))
        return done


def start_all(agents):
    """All at once: they wait for the last. Gives the time when they were let go."""
    reads, writes = os.pipe()
    for agent in agents:
        agent.start(reads)
    os.close(reads)
    start = time.monotonic()
    os.close(writes)
    return start


def serve(agents):
    """Until each has been told success, or has given up."""
    running, waiting = set(agents), set()
    while running or waiting:
        for agent in list(running):
            done = agent.ended()
            if done is not None:
                running.remove(agent)
            if done is False and len(agent.said) < TRIES:
                agent.again_at = time.monotonic() + BETWEEN_TRIES
                waiting.add(agent)
        for agent in list(waiting):
            if time.monotonic() >= agent.again_at:
                agent.start()
                waiting.remove(agent)
                running.add(agent)
        time.sleep(0.05)


def delivered_name(found, name, content):
    """The names under which this packet lies: its own, or that with more digits."""
    with_digits = re.compile(re.escape(name.removesuffix(".data")) + r"\d*\.data")
    return [n for n in found if with_digits.fullmatch(n) and found[n] == content]


def judge(agents, found):
    """(told success, lost, doubled, partial): the agents that were told that all is taken; of their packets those that are
    not there; packets that are there twice; files that are no packet of anybody's."""
    told = [a for a in agents if a.said[-1][0] == 0]
    lost = [name for a in told for name, c in a.packets.items() if not delivered_name(found, name, c)]
    doubled = [name for a in agents for name, c in a.packets.items() if len(delivered_name(found, name, c)) > 1]
    known = {c for a in agents for c in a.packets.values()}
    return told, lost, doubled, [name for name, content in found.items() if content not in known]
