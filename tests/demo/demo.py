#!/usr/bin/python3
"""demo.py - what an agent can do through pandora-gate, and what an intruder with the agent's key cannot

    tests/harness/copy.sh --layer IMAGE -- tests/demo/demo.py --build DIR       (./bootstrap demo does that)

Runs in a disposable copy of the machine only. Every line is a try with a real client against a real sshd, and its
result; a line is OK when what happened is what was expected, so the contrast - the vendor's recipe, where the same
tries succeed - is asserted as well. Exits 0 if every line was OK.

Standard library only.
"""

import argparse
import contextlib
import dataclasses
import grp
import hashlib
import os
import pathlib
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))
sys.dont_write_bytecode = True

WIDTH = 100
TITLE = 31
PORTS = {"-L": 4101, "-R": 4102}        # the client's end of a tunnel, and the server's
SECRET = b"a service that listens on the server's loopback only\n"


# --- what is printed ----------------------------------------------------------------------------------------------

class Report:
    """One line a try; counts what was not as expected."""

    def __init__(self):
        self.colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.lines = 0
        self.unexpected = 0

    def head(self, text):
        print(f"\n{text}", flush=True)

    def line(self, title, result, ok):
        self.lines += 1
        self.unexpected += not ok
        result = " ".join(printable(result).split())
        verdict = "OK" if ok else "UNEXPECTED"
        room = WIDTH - 2 - max(TITLE, len(title)) - 2 - 1 - len(verdict)
        if self.colours:
            verdict = f"\033[{32 if ok else 31}m{verdict}\033[0m"
        print(f"  {title:<{TITLE}}  {shorten(result, room):<{room}} {verdict}", flush=True)
        if not ok and len(result) > room:
            print(f"      {result}", flush=True)

    @contextlib.contextmanager
    def trying(self, title):
        """A try that raises is a line too, and not an OK."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (whatever it was: the demo goes on and fails at the end)
            self.line(title, f"{type(error).__name__}: {error}", False)


def printable(text):
    return "".join(c if c.isprintable() or c.isspace() else "?" for c in text)


def shorten(text, room):
    return text if len(text) <= room else text[:room - 3] + "..."


def said(done):
    """The first line a client printed: its reason, without the file that it is about."""
    lines = [l.strip() for l in (done.stderr + "\n" + done.stdout).splitlines() if l.strip() and not l.startswith("sftp> ")]
    if not lines:
        return "no word"
    line = re.sub(r"^(scp|Error|mux_client_forward|dest open|remote (open|delete)|stat remote|Can't ls): ?", "", lines[0])
    line = re.sub(r'^(dest open |remote (open|delete) |stat remote |File )?"?[^" ]*[/.][^" ]*"?:? ', "", line)
    return line.removeprefix("pandora-gate: ").rstrip(".")


def distinct(reasons):
    """Each reason once, in the order of their coming."""
    return "; ".join(dict.fromkeys(reasons))


# --- both sides of the comparison ---------------------------------------------------------------------------------

@dataclasses.dataclass
class Side:
    """An account that receives packets: its client with the agent's key, and where its files go."""
    world: object
    client: object
    data_in: pathlib.Path
    scratch: pathlib.Path               # the intruder's own directory
    victim: str                         # a delivered file

    def logins(self):
        return self.client.sshd.text().count(f"Accepted publickey for {self.client.user} ")


@dataclasses.dataclass
class Got:
    """What came of a try. granted: the intruder has what was wanted; failed: every client ended with an error."""
    granted: bool
    failed: bool
    text: str


def shell(side):
    done = side.client.ssh(options=("-T",), stdin=None, input="echo shell-$((6*7)); exit 3\n")
    if "shell-42" in done.stdout:
        return Got(True, False, "a shell ran the command")
    lines = (done.stdout + done.stderr).splitlines()
    gist = next((l for l in lines if "only" in l), lines[0] if lines else "no word")
    return Got(False, done.returncode != 0, f"exit {done.returncode}, {len(lines)} lines: {gist}")


def command(side):
    done = side.client.ssh("id")
    return Got("uid=" in done.stdout, done.returncode != 0, f"exit {done.returncode}: {said(done)}")


def list_etc(side):
    done = side.client.sftp("ls -1 /etc")
    names = [l for l in done.stdout.splitlines() if not l.startswith("sftp>")]
    if any(name.endswith("passwd") for name in names):
        return Got(True, False, f"{len(names)} names")
    return Got(False, done.returncode != 0, f"exit {done.returncode}: {said(done)}")


def read_file(path):
    """sftp get, scp and scp -O of one file."""
    def attempt(side):
        wanted = (side.data_in / side.victim if path is None else path)
        results, granted, failed = [], False, True
        for name, fetch in (("sftp", lambda to: side.client.sftp(f"get {wanted} {to}")),
                            ("scp", lambda to: side.client.fetch(wanted, to)),
                            ("scp -O", lambda to: side.client.fetch(wanted, to, options=("-O",)))):
            to = side.scratch / "stolen"
            to.unlink(missing_ok=True)
            done = fetch(to)
            failed = failed and done.returncode != 0
            if to.exists() and to.read_bytes() == wanted.read_bytes():
                granted = True
                results.append(f"{name}: {to.stat().st_size} bytes")
            elif to.exists():
                granted = True          # something came: not what should come
                results.append(f"{name}: a file with other bytes")
            else:
                results.append(f"{name}: {said(done)}")
        return Got(granted, failed, "; ".join(results))
    return attempt


def overwrite(side):
    """The same name with other content, by each client; what was delivered must be there as it was."""
    path = side.data_in / side.victim
    before, names = path.read_bytes(), set(os.listdir(side.data_in))
    forged = side.scratch / side.victim
    codes, changed, sent = [], [], set()
    for number, (name, put) in enumerate((("scp", lambda: side.client.scp(forged, to=side.data_in)),
                                          ("scp -O", lambda: side.client.scp(forged, to=side.data_in, options=("-O",))),
                                          ("sftp", lambda: side.client.sftp(f"put {forged} {path}")))):
        forged.write_bytes(before.replace(b"<module>", b"<module><!-- forged %d -->" % number, 1))
        sent.add(forged.read_bytes())
        codes.append(put().returncode)
        if not path.exists() or path.read_bytes() != before:
            changed.append(name)
            path.write_bytes(before)
    new = [side.data_in / name for name in set(os.listdir(side.data_in)) - names]
    whole = len({p.read_bytes() for p in new} & sent)
    for file in new:
        file.unlink()
    if changed:
        return Got(True, all(codes), f"replaced by {', '.join(changed)}")
    return Got(False, all(codes), f"its bytes stay; {whole} of {len(sent)} forgeries beside it under new names")


def delete(side):
    path = side.data_in / side.victim
    before = path.read_bytes()
    done = side.client.sftp(f"rm {path}")
    if path.exists():
        return Got(False, done.returncode != 0, f"exit {done.returncode}: {said(done)}")
    path.write_bytes(before)
    return Got(True, False, "deleted")


def write_elsewhere(*targets):
    """Writes to paths that leave data_in, by each client. Granted if a new file is anywhere near."""
    def attempt(side):
        places = ["/", "/etc", "/tmp", "/var", "/var/spool", side.data_in.parent, side.data_in]
        places = [p for place in places for p in (pathlib.Path(place), pathlib.Path(place) / "etc") if p.is_dir()]
        own = side.scratch / "x"
        own.write_text("evil\n")

        def all_files():
            return {p for place in places for p in place.iterdir() if p.is_file() and not p.is_symlink()
                    and not p.is_relative_to(side.scratch)}
        before = all_files()
        results, failed = [], True
        for target in targets:
            for done in (side.client.sftp(f"cd {side.data_in}", f"put {own} {target}"),
                         side.client.scp(own, to=side.data_in / target),
                         side.client.scp(own, to=side.data_in / target, options=("-O",))):
                failed = failed and done.returncode != 0
                results.append(said(done))
        new = sorted(all_files() - before)
        # What sshd itself leaves in /tmp for a moment (ExposeAuthInfo) is not what was written.
        new = [p for p in new if p.exists() and p.read_bytes() == b"evil\n"]
        for path in new:
            path.unlink()
        if new:
            return Got(True, failed, "written: " + ", ".join(map(str, new)))
        return Got(False, failed, f"{distinct(results)}")
    return attempt


def harm_the_server(content):
    """A packet under a fine name that the server, which parses as root, should never see. Granted if it is in data_in."""
    def attempt(side):
        name = side.victim.replace(".1795", ".2795", 1)
        path = side.scratch / name
        path.write_bytes(content)
        kept = set(QUARANTINE.iterdir())
        done = side.client.scp(path, to=side.data_in)
        arrived = side.data_in / name
        if arrived.exists():
            arrived.unlink()
            return Got(True, done.returncode != 0, "it lies where the server parses it as root")
        files = sorted(p.name for p in set(QUARANTINE.iterdir()) - kept if p.name.endswith(".packet"))
        return Got(False, done.returncode != 0, f"exit {done.returncode}, in quarantine: {files[0] if files else 'no'}")
    return attempt


XXE = b"<!DOCTYPE agent_data [<!ENTITY x SYSTEM 'file:///etc/shadow'>]><agent_data agent_name='web01'>&x;</agent_data>"
OF_ANOTHER = b"<agent_data agent_name='db01'><module/></agent_data>"


class SecretService:
    """Listens on loopback, tells its secret to whoever gets through, and knows who did."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.visits = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.server.accept()
            self.visits += 1
            with peer, contextlib.suppress(OSError):
                peer.sendall(SECRET)


def read_through(port, process, seconds=15):
    """What comes out of a tunnel's end: bytes, or None when nothing ever listens there or ssh ends before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as tunnel:
            tunnel.settimeout(5)
            return tunnel.makefile("rb").read(len(SECRET))
        if process.poll() is not None:
            return None
        time.sleep(0.05)
    return None


def forward(option):
    """-L, -R: a tunnel, and a real connection through it."""
    def attempt(side):
        service, port = side.world.secret, PORTS[option]
        visits = service.visits
        argv = side.client.ssh_argv("-N", "-o", "ExitOnForwardFailure=yes", option, f"127.0.0.1:{port}:127.0.0.1:{service.port}",
                                    side.client.target)
        with subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as process:
            try:
                got = read_through(port, process)
            finally:
                process.terminate()
                try:
                    _, errors = process.communicate(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    _, errors = process.communicate()
        if got == SECRET or service.visits != visits:
            return Got(True, False, f"connected through it, {len(got or b'')} bytes of the secret")
        reason = (errors.strip().splitlines() or ["closed without a byte"])[0].removeprefix("Error: ")
        return Got(False, True, ("a connection through it is " if got is not None else "") + reason)
    return attempt


def forward_stdio(side):
    service = side.world.secret
    visits = service.visits
    done = side.client.ssh(options=("-W", f"127.0.0.1:{service.port}"))
    if SECRET.decode() in done.stdout or service.visits != visits:
        return Got(True, False, f"connected, {len(done.stdout)} bytes of the secret")
    return Got(False, done.returncode != 0, f"exit {done.returncode}: {said(done)}")


XXE_TITLE = "a packet with XXE"
OTHER_TITLE = "a packet that says db01"


def tries():
    """title, what is done, what the vendor's recipe gives (True: the intruder gets it)."""
    return (("an interactive shell", shell, False),
            ("ssh HOST id", command, False),
            ("sftp: ls /etc", list_etc, True),
            ("read /etc/passwd", read_file(pathlib.Path("/etc/passwd")), True),
            ("read a delivered file", read_file(None), True),
            ("overwrite a delivered file", overwrite, True),
            ("delete a delivered file", delete, True),
            ("write ../../etc/x, /etc/x", write_elsewhere("../../etc/x", "../../../../etc/x"), False),
            ("write /tmp/x", write_elsewhere("../../../../tmp/x"), True),
            (XXE_TITLE, harm_the_server(XXE), True),
            (OTHER_TITLE, harm_the_server(OF_ANOTHER), True),
            ("forward a port: ssh -L", forward("-L"), True),
            ("forward a port: ssh -W", forward_stdio, True),
            ("forward a port: ssh -R", forward("-R"), True))


# --- the parts of the demonstration -------------------------------------------------------------------------------

def packets(directory, agent, count):
    """Packets of this agent under their wire names, each with its own time: made from the fixture."""
    wire_name = hashlib.md5(agent.encode()).hexdigest()
    fixture = next(FIXTURES.glob(f"{wire_name}.*.data"))
    made = []
    for number in range(count):
        path = directory / f"{wire_name}.{1795370700 + 300 * number}.data"
        path.write_bytes(fixture.read_bytes().replace(b"18:05:00", b"18:%02d:00" % (5 + 5 * number)))
        made.append(path)
    return made


def deliver(report, title, side, files, send):
    """Sends the files and says whether they are in data_in byte for byte. A .checksum leaves no file."""
    with report.trying(title):
        begin = time.monotonic()
        done = send(*files)
        took = time.monotonic() - begin
        arrived = {p.name: p.read_bytes() for p in side.data_in.iterdir() if p.is_file()}
        wanted = {f.name: f.read_bytes() for f in files if f.suffix == ".data"}
        missing = [name for name, content in wanted.items() if arrived.get(name) != content]
        swallowed = [f.name for f in files if f.suffix == ".checksum" and f.name not in arrived]
        ok = done.returncode == 0 and not missing and len(wanted) + len(swallowed) == len(files)
        if ok:
            also = ", its .checksum taken and dropped" if swallowed else ""
            report.line(title, f"exit 0, {sum(map(len, wanted.values()))} bytes, {took:.1f} s{also}", True)
        else:
            report.line(title, f"exit {done.returncode}: {said(done)}" + (f", missing: {missing}" if missing else ""), False)


def show_data_in(report, sent, policy_mode=0o660):
    """Each delivered file: name, size, owner, mode, and that the bytes are those sent; and nothing else is there."""
    group = grp.getgrgid(DATA_IN.stat().st_gid).gr_name
    found = {p.name: p for p in DATA_IN.iterdir() if p.is_file()}
    for name in sorted(found):
        with report.trying(name):
            status = found[name].lstat()
            owner = f"{pwd.getpwuid(status.st_uid).pw_name}:{grp.getgrgid(status.st_gid).gr_name}"
            mode = stat.S_IMODE(status.st_mode)
            same = name in sent and found[name].read_bytes() == sent[name].read_bytes()
            report.line(name, f"{status.st_size} {owner} {mode:04o} {'same bytes' if same else 'NOT what was sent'}",
                        same and mode == policy_mode and owner == f"pandora:{group}")
    extra, missing = sorted(found.keys() - sent.keys()), sorted(sent.keys() - found.keys())
    report.line("and nothing else, none missing", f"{len(found)} files for {len(sent)} packets"
                + (f"; not sent: {extra}" if extra else "") + (f"; missing: {missing}" if missing else ""),
                not extra and not missing)


def intrude(report, side, expectation):
    """All tries. A refusal counts only when the key did log in: a dead sshd refuses everything."""
    handed_out = 0
    for title, attempt, vendor_gives in tries():
        with report.trying(title):
            logins = side.logins()
            got = attempt(side)
            handed_out += got.granted
            if side.logins() == logins:
                report.line(title, f"no login, so nothing is shown: {got.text}", False)
            else:
                report.line(title, ("GOT IT: " if got.granted else "refused: ") + got.text,
                            expectation(title, got, vendor_gives))
    return handed_out


def gate_expects(title, got, _vendor_gives):
    if title == "an interactive shell":         # no error, but three lines that say what this account is
        return not got.granted and not got.failed and ", 3 lines: " in got.text
    if title in (XXE_TITLE, OTHER_TITLE):       # the agent is told success, so that its next packets come; a human looks
        return not got.granted and not got.failed and "in quarantine: 20" in got.text
    if title == "overwrite a delivered file":   # nothing is lost: both survive, and the agent is told success
        return not got.granted and not got.failed and "; 3 of 3 " in got.text
    return not got.granted and got.failed


def vendor_expects(_title, got, vendor_gives):
    return got.granted == vendor_gives


def other_members(report, world):
    """A group member with /bin/bash, with its own key in its own authorized_keys; and an administrator outside."""
    stock = world.stock_client("badmember")
    refused = Client(world.sshd, "badmember", stock.key)
    title = "member of the group, /bin/bash"
    with report.trying(title):
        mark = world.mark()
        done = refused.ssh("id -un")
        events = world.events_since(mark, "login.refused", user="badmember")
        reason = events[0]["reason"] if events else "no login.refused in the audit"
        report.line(title, f"refused by PAM: {reason}" if done.returncode else f"exit 0: {done.stdout}",
                    done.returncode != 0 and "badmember" not in done.stdout and bool(events))
    title = "  the same login, stock sshd"
    with report.trying(title):
        done = stock.ssh("id -un")
        report.line(title, f"GOT IT: runs a command as {done.stdout.strip()}" if done.stdout else said(done),
                    done.returncode == 0 and done.stdout.strip() == "badmember")
    title = "administrator, not in the group"
    with report.trying(title):
        admin = Client(world.sshd, "admina", world.stock_client("admina").key)
        done = admin.ssh("id -un")
        report.line(title, f"unaffected, runs a command as {done.stdout.strip()}" if done.stdout else said(done),
                    done.returncode == 0 and done.stdout.strip() == "admina")


def show_audit(report, world, key_id, sent):
    """The trail, shortened to one line an event; then what must be in it."""
    skipped = {"event", "time", "session", "fingerprint", "sha256", "remedy", "reason", "peer", "rhost", "tty", "ms", "why",
               "duration_ms", "auth", "key_state", "service", "operator", "policy", "revoked", "status"}
    world.events_since(0, "session.closed", count=len(world.events_since(0, "session.opened", count=0)))
    events = world.audit()
    for event in events:
        fields = {k: v for k, v in event.items() if k not in skipped and v != 0}
        for name in ("file", "published_as", "request"):
            fields[name] = re.sub(r"[0-9a-f]{32}", lambda md5: md5[0][:6] + "..", fields.get(name, "")).replace(str(DATA_IN), "~")
        fields = {k: v for k, v in fields.items() if v != "" and not (k == "generation" and event["event"] != "keyring.published")}
        rest = " ".join(f"{k}={v}" if " " not in str(v) else f'{k}="{v}"' for k, v in fields.items())
        reason = f" {event['reason']}" if "." in event.get("reason", "") else ""
        print("  " + shorten(printable(f"{event['time'][11:19]} {event['event']:<18}{reason} {rest}"), WIDTH - 2))
    accepted = {e["file"]: e["sha256"] for e in events if e["event"] == "drop.accepted" and "published_as" not in e}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sent.items()}
    matching = sum(accepted.get(name) == digest for name, digest in digests.items())
    report.line("every delivery is in the audit", f"{matching} of {len(digests)}, name and SHA-256", matching == len(digests))
    refusals = [e for e in events if e["event"] in ("request.refused", "drop.refused")]
    strangers = [e for e in refusals if e.get("key") != key_id]
    report.line("refusals name the key", f"{len(refusals) - len(strangers)} of {len(refusals)} name {key_id}",
                len(refusals) > 0 and not strangers)
    opened = {e["session"] for e in events if e["event"] == "session.opened"}
    summed = {e["session"] for e in events if e["event"] == "session.summary"}
    report.line("sessions can be joined", f"{len(opened)} opened; {len(summed & opened)} of {len(summed)} summaries "
                "belong to one", bool(summed) and summed <= opened)


def demonstrate(report, world, scratch):
    world.secret = SecretService()
    report.head("Setting up: the account, a real sshd with the shipped drop-in and PAM lines, a real rsyslogd")
    agent_key = world.new_key("web01")
    added = world.gate("keys", "add", f"{agent_key}.pub", "--agent", "web01").stdout
    key_id = added.split()[1]
    report.line("pandora-gate keys add", added.splitlines()[0], added.startswith("added web01"))
    aix_key = world.enrol("aixhost", "aixhost")

    first, second, third, late = packets(scratch, "web01", 4)
    aix = [next(FIXTURES.glob("aixhost.*.checksum")), next(FIXTURES.glob("aixhost.*.data"))]
    client = world.client(agent_key)
    gate = Side(world, client, DATA_IN, scratch / "intruder", first.name)
    gate.scratch.mkdir()

    report.head("An agent delivers, through pandora-gate")
    deliver(report, "scp (SFTP mode)", gate, [first], client.scp)
    deliver(report, "scp -O (legacy protocol)", gate, [second], lambda *f: client.scp(*f, options=("-O",)))
    deliver(report, "sftp put", gate, [third], lambda f: client.sftp(f"cd {DATA_IN}", f"put {f}"))
    deliver(report, "scp -O of two files (AIX agent)", gate, aix, lambda *f: world.client(aix_key).scp(*f, options=("-O",)))
    sent = {p.name: p for p in (first, second, third, aix[1])}

    report.head("What is in data_in")
    show_data_in(report, sent)

    report.head("An intruder with that agent's key, through pandora-gate")
    leaked = intrude(report, gate, gate_expects)
    with report.trying("a packet of another agent"):
        foreign = next(FIXTURES.glob("shellhost.*.data"))
        before = set(os.listdir(DATA_IN))
        done = client.scp(foreign, options=("-O",))
        report.line("a packet of another agent", f"refused: exit {done.returncode}: {said(done)}",
                    done.returncode != 0 and set(os.listdir(DATA_IN)) == before)
    other_members(report, world)
    deliver(report, "after all that: scp", gate, [late], client.scp)
    sent[late.name] = late

    report.head("The same tries against the vendor's recipe: stock sshd, internal-sftp, a nologin account")
    vendor_client = world.stock_client("vendora")
    vendor = Side(world, vendor_client, pathlib.Path("/var/spool/vendora/data_in"), scratch / "intruder2", first.name)
    vendor.scratch.mkdir()
    deliver(report, "scp (SFTP mode)", vendor, [first], lambda *f: vendor_client.scp(*f, to=vendor.data_in))
    with report.trying("scp -O (legacy protocol)"):
        done = vendor_client.scp(second, to=vendor.data_in, options=("-O",))
        lost = not (vendor.data_in / second.name).exists()
        report.line("scp -O (legacy protocol)", f"exit {done.returncode}: {said(done)}", done.returncode != 0 and lost)
    handed_out = intrude(report, vendor, vendor_expects)

    report.head("The audit trail of all that (shortened; the file holds whole JSON lines)")
    show_audit(report, world, key_id, sent)
    return leaked, handed_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"), help="build directory (build)")
    os.environ["BUILD"] = str(pathlib.Path(parser.parse_args().build).absolute())
    if os.environ.get("PANDORA_GATE_COPY") != "1" or not os.path.exists("/run/pandora-gate-copy"):
        sys.exit("demo.py runs only in a disposable copy of the machine: ./bootstrap demo")

    global Client, DATA_IN, FIXTURES, QUARANTINE
    import world as harness  # after BUILD is set: it reads it
    Client, DATA_IN, FIXTURES, QUARANTINE = harness.Client, harness.DATA_IN, harness.FIXTURES, harness.QUARANTINE

    report = Report()
    scratch = pathlib.Path("/tmp/demo")
    scratch.mkdir()
    world = harness.World("/tmp/demo-world")
    leaked = handed_out = None
    try:
        leaked, handed_out = demonstrate(report, world, scratch)
    except Exception as error:  # noqa: BLE001
        report.line("the demonstration ended early", f"{type(error).__name__}: {error}", False)
    finally:
        world.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    total = len(tries())
    if report.unexpected:
        print(f"\nFAILED: {report.unexpected} of {report.lines} lines were not as expected")
        return 1
    print(f"\nOK: {report.lines} lines as expected; an intruder got {leaked} of {total} tries here, {handed_out} of "
          f"{total} from the vendor's recipe")
    return 0


if __name__ == "__main__":
    sys.exit(main())
