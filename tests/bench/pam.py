"""pam_pandora.so: what it adds to a login, and the account phase beside that of the stack that it replaces.

The logins go to two sshds that differ in their PAM service only: in the peer's, pam_permit.so stands on the lines of
pam_pandora.so. Only inside a disposable copy of the machine.
"""

import contextlib
import os
import pathlib
import statistics
import sys
import tempfile

from keys_login import login_seconds
from row import Row, run

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))

import world as harness  # noqa: E402

PAIRS = 200                     # logins of each side, taking turns
TRIM = 10                       # percent of the slowest and of the fastest that do not count
RUNS = 20_000                   # account phases of each stack, taking turns
PERMIT_PORT = 2235
MEMBER = "benchmember"
PEER_SSHD = pathlib.Path("/usr/sbin/sshd-permit")       # sshd's PAM service is called as the program is
SHELLS = ("/sbin/nologin", "/usr/sbin/nologin")
OURS, DOCUMENT = "gate-bench-ours", "gate-bench-document"


def trimmed_mean(values):
    cut = len(values) * TRIM // 100
    return statistics.fmean(sorted(values)[cut:len(values) - cut])


# --- whole logins -----------------------------------------------------------------------------------------------------

def permitting_sshd(world):
    """The same sshd, the same configuration, under a name whose PAM service has pam_permit.so in place of ours."""
    shipped = pathlib.Path("/etc/pam.d/sshd").read_text().splitlines()
    lines = [f"{line.split()[0]} requisite pam_permit.so" if "pam_pandora.so" in line else line for line in shipped]
    if sum("pam_pandora.so" in line for line in shipped) != 2 or any("pam_pandora.so" in line for line in lines):
        raise RuntimeError("/etc/pam.d/sshd has not the two lines of pam_pandora.so that are to be compared")
    pathlib.Path(f"/etc/pam.d/{PEER_SSHD.name}").write_text("\n".join(lines) + "\n")
    PEER_SSHD.unlink(missing_ok=True)
    PEER_SSHD.symlink_to(harness.SSHD)
    before, harness.SSHD = harness.SSHD, str(PEER_SSHD)
    try:
        return harness.Sshd(world, "permit", PERMIT_PORT, pathlib.Path("/etc/ssh/sshd_config").read_text())
    finally:
        harness.SSHD = before


def measure_login(world):
    key = world.enrol("bench", "bench-agent")
    peer_sshd = permitting_sshd(world)
    try:
        sides = [world.client(key), harness.Client(peer_sshd, "pandora", key)]
        seconds = ([], [])
        marks = []
        for client in sides:
            mark = world.mark()
            login_seconds(client)       # not counted
            marks.append(len(world.events_since(mark, "session.closed", seconds=2)))
        if marks != [1, 0]:
            raise RuntimeError(f"of a login at ours and at the peer's, pam_pandora has told the end of {marks}, not [1, 0]")
        for n in range(PAIRS):
            for side in (0, 1) if n % 2 else (1, 0):
                seconds[side].append(login_seconds(sides[side]))
    finally:
        peer_sshd.stop()
    medians = [1000 * statistics.median(times) for times in seconds]
    return Row("pam.login", *(1000 * trimmed_mean(times) for times in seconds), "ms", 1.03,
               f"a whole login, pam_permit.so on the lines of pam_pandora.so; means of {PAIRS} each without the {TRIM} % "
               f"slowest and fastest; medians {medians[0]:.1f} and {medians[1]:.1f} ms")


# --- the account phase -------------------------------------------------------------------------------------------------

def write_services():
    """The rules of the document's file (restored), as account lines; and the one line of ours that says the same."""
    ours = f"account required pam_pandora.so scope=all group=pandora shell={','.join(SHELLS)} deny=/etc/ftpusers onerr=succeed\n"
    document = ("account required pam_listfile.so item=user sense=deny file=/etc/ftpusers onerr=succeed\n"
                "account required pam_succeed_if.so quiet user ingroup pandora\n"
                f"account required pam_succeed_if.so quiet shell in {':'.join(SHELLS)}\n")
    for name, text in ((OURS, ours), (DOCUMENT, document)):
        pathlib.Path(f"/etc/pam.d/{name}").write_text(text)


@contextlib.contextmanager
def bare_other():
    """libpam loads every module of `other` with every service: the copy's own would be four fifths of what is timed."""
    path = pathlib.Path("/etc/pam.d/other")
    before = path.read_text()
    path.write_text("".join(f"{phase} required pam_deny.so\n" for phase in ("auth", "account", "session", "password")))
    try:
        yield
    finally:
        path.write_text(before)


def measure_account(build):
    write_services()
    if not pathlib.Path("/etc/ftpusers").exists():
        raise RuntimeError("there is no /etc/ftpusers, which vsftpd's package brings")
    run("useradd", "-M", "-s", SHELLS[1], "-G", "pandora", MEMBER)
    with bare_other():
        said = run(build / "tests/bench/pam_loop", RUNS, MEMBER, OURS, DOCUMENT).splitlines()
    ours, peer = (tuple(map(float, line.split())) for line in said)
    note = ("the document's pam_listfile and two pam_succeed_if, as account lines; pam_start, pam_acct_mgmt, pam_end; "
            "/etc/pam.d/other is four lines of pam_deny.so")
    return [Row("pam.account", ours[0], peer[0], "us", 1.0, note),
            Row("pam.account_p99", ours[1], peer[1], "us", None, f"the 99th percentile of {RUNS:,} each")]


def measure(build):
    if os.environ.get("PANDORA_GATE_COPY") != "1":
        raise RuntimeError("PAM is measured in a disposable copy of the machine only")
    harness.BUILD = build
    with tempfile.TemporaryDirectory(prefix="gate-bench.") as name:
        world = harness.World(pathlib.Path(name) / "world")
        try:
            return [*measure_account(build), measure_login(world)]
        finally:
            world.stop()
