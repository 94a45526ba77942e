"""One figure of the benchmark: ours, a peer's, and the bound of their ratio."""

import dataclasses
import re
import subprocess

RATES = ("files/s",)            # more is better: the bound is the least; for everything else it is the most


@dataclasses.dataclass
class Row:
    name: str                   # area.name
    ours: float
    peer: float
    unit: str
    bar: float | None           # of ours / peer; None: printed only
    note: str = ""              # what the peer is
    date: str = ""

    @property
    def ratio(self):
        return self.ours / self.peer

    @property
    def ok(self):
        if self.bar is None:
            return True
        return self.ratio >= self.bar if self.unit in RATES else self.ratio <= self.bar

    def line(self):
        bar = "none" if self.bar is None else f"{self.bar:g}"
        return (f"bench {self.name} ours={self.ours:.1f} {self.unit} peer={self.peer:.1f} {self.unit} "
                f"ratio={self.ratio:.2f} bar={bar} {'ok' if self.ok else 'MISS'}")

    def markdown(self):
        bound = "-" if self.bar is None else f"{'>=' if self.unit in RATES else '<='} {self.bar:g}"
        return (f"| `{self.name}` | {self.ours:.1f} {self.unit} | {self.peer:.1f} {self.unit} | {self.ratio:.2f} | {bound} | "
                f"{'ok' if self.ok else 'MISS'} | {self.note} | {self.date} |")


def run(*argv):
    """What a command that must succeed writes to its standard output."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{argv}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


MARKDOWN = re.compile(r"\| `([a-z0-9_.]+)` \| ([0-9.]+) (\S+) \| ([0-9.]+) \S+ \| [0-9.]+ \| (?:-|[<>]= ([0-9.]+)) \| \S+ "
                      r"\| (.*?) \| (.*?) \|")
LINE = re.compile(r"bench ([a-z0-9_.]+) ours=([0-9.]+) (\S+) peer=([0-9.]+) \S+ ratio=[0-9.]+ bar=(none|[0-9.]+) (?:ok|MISS)"
                  r"(?: # (.*))?$")


def from_markdown(text):
    """The row of a line of the table, or None."""
    m = MARKDOWN.match(text)
    if not m:
        return None
    return Row(m[1], float(m[2]), float(m[4]), m[3], float(m[5]) if m[5] else None, m[6], m[7])


def from_line(text):
    """The row of a line that line() made, with ` # note` behind it."""
    m = LINE.match(text)
    if not m:
        return None
    return Row(m[1], float(m[2]), float(m[4]), m[3], None if m[5] == "none" else float(m[5]), m[6] or "")
